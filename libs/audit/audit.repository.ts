import type { JsonObject } from '#libs/kernel/json.js';
import { databaseJson } from '#libs/database/database-json.js';
import type { Sql, Transaction } from '#libs/database/sql.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import { auditHash, CHAIN_START, type AuditEntry, type AuditEvent, type AuditOutcome } from './audit.event.js';
import type { AuditCheckpoint } from './audit.checkpoint.js';

/** Any 64-bit number that nothing else in this database locks: "auditlog" in ASCII. */
const CHAIN_LOCK = '7022364302119104359';

interface EventRow {
  sequence: string;
  at: Date;
  action: string;
  outcome: AuditOutcome;
  principal_id: string;
  principal_name: string;
  operation_id: string | null;
  operation_type: string | null;
  target: ResourceTarget | null;
  correlation_id: string;
  details: JsonObject;
  previous_hash: string;
  hash: string;
}

interface CheckpointRow {
  sequence: string;
  at: Date;
  hash: string;
  signature: string;
  public_key: string;
}

export interface AuditFilter {
  operationId?: string;
  principalId?: string;
  action?: string;
}

/** The audit log in Postgres: it can be added to and read, nothing else (triggers refuse the rest). */
export class AuditRepository {
  constructor(private readonly sql: Sql) {}

  /** Call it last in the transaction: until the commit no other event can be added. */
  async append(transaction: Transaction, entry: AuditEntry): Promise<AuditEvent> {
    await transaction.query(`SELECT pg_advisory_xact_lock(${CHAIN_LOCK})`);
    const { rows } = await transaction.query<{ sequence: string; hash: string; at: Date }>(
      `SELECT coalesce(last.sequence, 0)::text AS sequence, coalesce(last.hash, $1) AS hash,
         greatest(date_trunc('milliseconds', clock_timestamp()), last.at) AS at
       FROM (SELECT) AS one
       LEFT JOIN LATERAL (SELECT sequence, hash, at FROM audit_event ORDER BY sequence DESC LIMIT 1) AS last ON true`,
      [CHAIN_START],
    );
    const head = rows[0]!;
    const unhashed = {
      // What is hashed must be what the database gives back.
      ...(JSON.parse(databaseJson(entry)) as AuditEntry),
      sequence: Number(head.sequence) + 1,
      at: head.at.toISOString(),
      previousHash: head.hash,
    };
    const event: AuditEvent = { ...unhashed, hash: auditHash(unhashed) };
    await transaction.query(
      `INSERT INTO audit_event (sequence, at, action, outcome, principal_id, principal_name, operation_id, operation_type,
         target, correlation_id, details, previous_hash, hash)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
      [
        event.sequence,
        event.at,
        event.action,
        event.outcome,
        event.principalId,
        event.principalName,
        event.operationId,
        event.operationType,
        event.target === null ? null : JSON.stringify(event.target),
        event.correlationId,
        JSON.stringify(event.details),
        event.previousHash,
        event.hash,
      ],
    );
    return event;
  }

  /** In the order of the chain. */
  async findEvents(filter: AuditFilter, afterSequence: number, limit: number): Promise<AuditEvent[]> {
    const { rows } = await this.sql.query<EventRow>(
      `SELECT * FROM audit_event
       WHERE sequence > $1
         AND ($2::uuid IS NULL OR operation_id = $2)
         AND ($3::uuid IS NULL OR principal_id = $3)
         AND ($4::text IS NULL OR action = $4)
       ORDER BY sequence LIMIT $5`,
      [afterSequence, filter.operationId ?? null, filter.principalId ?? null, filter.action ?? null, limit],
    );
    return rows.map(eventOf);
  }

  async findCheckpoints(afterSequence: number, limit: number): Promise<AuditCheckpoint[]> {
    const { rows } = await this.sql.query<CheckpointRow>(
      `SELECT * FROM audit_checkpoint WHERE sequence > $1 ORDER BY sequence LIMIT $2`,
      [afterSequence, limit],
    );
    return rows.map(({ sequence, at, hash, signature, public_key }) => ({
      sequence: Number(sequence),
      at: at.toISOString(),
      hash,
      signature,
      publicKey: public_key,
    }));
  }

  /** The last event, where no checkpoint covers it yet. */
  async findUncoveredHead(): Promise<{ sequence: number; hash: string } | undefined> {
    const { rows } = await this.sql.query<{ sequence: string; hash: string }>(
      `SELECT sequence, hash FROM (SELECT sequence, hash FROM audit_event ORDER BY sequence DESC LIMIT 1) AS head
       WHERE NOT EXISTS (SELECT FROM audit_checkpoint WHERE audit_checkpoint.sequence = head.sequence)`,
    );
    return rows[0] === undefined ? undefined : { sequence: Number(rows[0].sequence), hash: rows[0].hash };
  }

  /** Two workers may sign the same head: the first one's checkpoint stays. */
  async insertCheckpoint(checkpoint: AuditCheckpoint): Promise<void> {
    await this.sql.query(
      `INSERT INTO audit_checkpoint (sequence, at, hash, signature, public_key) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT DO NOTHING`,
      [checkpoint.sequence, checkpoint.at, checkpoint.hash, checkpoint.signature, checkpoint.publicKey],
    );
  }
}

function eventOf(row: EventRow): AuditEvent {
  return {
    sequence: Number(row.sequence),
    at: row.at.toISOString(),
    action: row.action,
    outcome: row.outcome,
    principalId: row.principal_id,
    principalName: row.principal_name,
    operationId: row.operation_id,
    operationType: row.operation_type,
    target: row.target,
    correlationId: row.correlation_id,
    details: row.details,
    previousHash: row.previous_hash,
    hash: row.hash,
  };
}
