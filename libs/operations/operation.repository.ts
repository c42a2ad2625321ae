import { assertNever } from '#libs/kernel/assert-never.js';
import type { StoredProblem } from '#libs/kernel/control-error.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import { databaseJson, databaseText } from '#libs/database/database-json.js';
import type { Sql, Transaction } from '#libs/database/sql.js';
import type { Finding } from '#libs/systems/contract/finding.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import type { Approval, ApprovalDecision } from './approval.js';
import type { OperationRecord, OperationStepRecord } from './operation.record.js';
import type { EndedStatus, OperationStatus, StepStatus, WaitReason } from './operation.status.js';

/** NOTIFY channel; the payload is the operation's id. */
export const OPERATION_CHANNEL = 'pilothouse_operation';

/** The one picture of an operation: for reading it, and as the snapshot that an event keeps. */
const PICTURE = `
  to_jsonb(o) - 'idempotency_hash' - 'idempotency_key' - 'fence' || jsonb_build_object('steps', coalesce((
    SELECT jsonb_agg(to_jsonb(s) - 'resume_token' - 'operation_id' ORDER BY s.position)
    FROM operation_step s WHERE s.operation_id = o.id), '[]'::jsonb))`;

const OPEN = `('Pending', 'Running', 'Waiting', 'Canceling')`;

interface PictureRow {
  id: string;
  type: string;
  status: OperationStatus;
  dry_run: boolean;
  target_uid: string;
  target_id: string;
  target_kind: string;
  lock_key: string | null;
  input: JsonObject;
  resource_references: Record<string, ResourceTarget>;
  findings: Finding[];
  error: StoredProblem | null;
  result: Json;
  message: string | null;
  principal_id: string;
  requested_by: string;
  correlation_id: string;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  deadline_at: string;
  run_after: string;
  event_sequence: number;
  /** Events from before it was looked for have none. */
  stuck_since?: string | null;
  /** Events from before there were sets have none. */
  set_id?: string | null;
  /** Events from before there were approvals have none of these. */
  approval_state?: Approval['state'] | null;
  approval_rule?: string | null;
  approval_expires_at?: string | null;
  decided_by?: string | null;
  decided_by_id?: string | null;
  decided_at?: string | null;
  decision_reason?: string | null;
  steps: {
    name: string;
    status: StepStatus;
    started_at: string | null;
    ended_at: string | null;
    attempts: number;
    message: string | null;
    wait_reason: WaitReason | null;
    output?: Json;
  }[];
}

export interface NewOperation {
  id: string;
  type: string;
  dryRun: boolean;
  target: ResourceTarget;
  lockKey: string | null;
  input: JsonObject;
  references: Record<string, ResourceTarget>;
  stepNames: readonly string[];
  principalId: string;
  requestedBy: string;
  correlationId: string;
  idempotencyKey: string | null;
  idempotencyHash: string | null;
  timeoutSeconds: number;
  /** The set that it is a part of. */
  setId: string | null;
  /** The secret fields of the input, sealed; null where there are none. */
  sealedSecrets: string | null;
  /** The consent that it needs, or was given with the whole of its set; null where none is needed. */
  approval: NewApproval | null;
}

export type NewApproval =
  | { state: 'waiting'; rule: string; hours: number }
  | { state: 'approved'; rule: string; decidedBy: string; decidedById: string; reason: string | null };

export interface OperationFilter {
  approvalState?: Approval['state'];
  statuses?: readonly OperationStatus[];
  type?: string;
  targetUid?: string;
  requestedBy?: string;
  setId?: string;
}

/** The last operation of the page before: time of creation as Postgres printed it, and id. */
export interface OperationPosition {
  createdAt: string;
  id: string;
}

export interface OperationListRow {
  operation: OperationRecord;
  position: OperationPosition;
}

export interface OperationEvent {
  sequence: number;
  at: Date;
  operation: OperationRecord;
}

/** A worker's right to write to an operation. It ends when another worker claims the operation. */
export interface OperationClaim {
  operation: OperationRecord;
  fence: string;
  resumeTokens: ReadonlyMap<string, Secret>;
  /** The secret fields of the input, sealed; null where there are none. */
  sealedSecrets: string | null;
}

export type ClaimResult =
  | { state: 'claimed'; claim: OperationClaim }
  /** Another operation on the same target goes first. */
  | { state: 'behind'; operationId: string }
  /** Somebody's consent is needed first. */
  | { state: 'unapproved'; expired: boolean }
  /** It has ended, or does not exist. */
  | { state: 'over' };

export interface StepChange {
  name: string;
  status: StepStatus;
  message: string;
  /** With status Waiting: what for. */
  waitReason?: WaitReason;
  resumeToken?: Secret;
  output?: Json;
  countAttempt: boolean;
}

export interface OperationEnd {
  status: EndedStatus;
  error: StoredProblem | null;
  result: Json;
  message: string;
}

/**
 * The operations in Postgres. A status only moves forward: every statement that writes one names the statuses it may
 * come from, and every write of a worker carries the fence of its claim.
 */
export class OperationRepository {
  constructor(private readonly sql: Sql) {}

  /** @returns false when this principal has used the idempotency key before. */
  async insert(transaction: Transaction, operation: NewOperation): Promise<boolean> {
    const { rowCount } = await transaction.query(
      `INSERT INTO operation (id, type, status, dry_run, target_uid, target_id, target_kind, lock_key, input, resource_references,
         principal_id, requested_by, correlation_id, idempotency_key, idempotency_hash, deadline_at, set_id,
         approval_state, approval_rule, approval_expires_at, run_after, decided_by, decided_by_id, decided_at,
         decision_reason, message)
       VALUES ($1, $2, 'Pending', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, now() + make_interval(secs => $15), $16,
         $17, $18, now() + make_interval(hours => $19), now() + make_interval(hours => coalesce($19, 0)), $20, $21,
         CASE WHEN $21::uuid IS NOT NULL THEN now() END, $22, $23)
       ON CONFLICT (principal_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING`,
      [
        operation.id,
        operation.type,
        operation.dryRun,
        operation.target.uid,
        operation.target.id,
        operation.target.kind,
        operation.lockKey,
        databaseJson(operation.input),
        databaseJson(operation.references),
        operation.principalId,
        operation.requestedBy,
        operation.correlationId,
        operation.idempotencyKey,
        operation.idempotencyHash,
        operation.timeoutSeconds,
        operation.setId,
        ...approvalParameters(operation.approval),
      ],
    );
    if (rowCount === 0) return false;
    await transaction.query(
      `INSERT INTO operation_step (operation_id, position, name)
       SELECT $1, step.position, step.name FROM unnest($2::text[]) WITH ORDINALITY AS step (name, position)`,
      [operation.id, operation.stepNames],
    );
    if (operation.sealedSecrets !== null) {
      await transaction.query(`INSERT INTO operation_secret (operation_id, sealed) VALUES ($1, $2)`, [
        operation.id,
        operation.sealedSecrets,
      ]);
    }
    await this.#appendEvent(transaction, operation.id);
    return true;
  }

  async find(id: string, sql: Sql = this.sql): Promise<OperationRecord | undefined> {
    const { rows } = await sql.query<{ picture: PictureRow }>(
      `SELECT ${PICTURE} AS picture FROM operation o WHERE o.id = $1`,
      [id],
    );
    return rows[0] === undefined ? undefined : recordOf(rows[0].picture);
  }

  async findMany(ids: readonly string[]): Promise<OperationRecord[]> {
    const { rows } = await this.sql.query<{ picture: PictureRow }>(
      `SELECT ${PICTURE} AS picture FROM operation o WHERE o.id = ANY ($1::uuid[])`,
      [ids],
    );
    return rows.map((row) => recordOf(row.picture));
  }

  async findByIdempotencyKey(
    principalId: string,
    key: string,
    sql: Sql = this.sql,
  ): Promise<{ operation: OperationRecord; hash: string } | undefined> {
    const { rows } = await sql.query<{ picture: PictureRow; idempotency_hash: string }>(
      `SELECT ${PICTURE} AS picture, o.idempotency_hash FROM operation o
       WHERE o.principal_id = $1 AND o.idempotency_key = $2`,
      [principalId, key],
    );
    const row = rows[0];
    return row === undefined ? undefined : { operation: recordOf(row.picture), hash: row.idempotency_hash };
  }

  /** A key whose time is over, and whose operation has ended, stands for nothing any more. */
  async releaseExpiredKey(principalId: string, key: string, hours: number, sql: Sql = this.sql): Promise<void> {
    await sql.query(
      `UPDATE operation SET idempotency_key = NULL, idempotency_hash = NULL
       WHERE principal_id = $1 AND idempotency_key = $2 AND ended_at IS NOT NULL
         AND created_at < now() - make_interval(hours => $3)`,
      [principalId, key, hours],
    );
  }

  /** Newest first; at most `limit` rows after the position. */
  async findPage(filter: OperationFilter, after: OperationPosition | null, limit: number): Promise<OperationListRow[]> {
    const { rows } = await this.sql.query<{ picture: PictureRow }>(
      `SELECT ${PICTURE} AS picture FROM operation o
       WHERE ($1::text[] IS NULL OR o.status = ANY ($1))
         AND ($2::text IS NULL OR o.type = $2)
         AND ($3::uuid IS NULL OR o.target_uid = $3)
         AND ($4::text IS NULL OR o.requested_by = $4)
         AND ($5::timestamptz IS NULL OR (o.created_at, o.id) < ($5, $6::uuid))
         AND ($8::uuid IS NULL OR o.set_id = $8)
         AND ($9::text IS NULL OR (o.approval_state = $9 AND (o.approval_state <> 'waiting' OR o.ended_at IS NULL)))
       ORDER BY o.created_at DESC, o.id DESC
       LIMIT $7`,
      [
        filter.statuses ?? null,
        filter.type ?? null,
        filter.targetUid ?? null,
        filter.requestedBy ?? null,
        after?.createdAt ?? null,
        after?.id ?? null,
        limit,
        filter.setId ?? null,
        filter.approvalState ?? null,
      ],
    );
    return rows.map(({ picture }) => ({
      operation: recordOf(picture),
      position: { createdAt: picture.created_at, id: picture.id },
    }));
  }

  async findEvents(id: string, afterSequence: number, limit: number): Promise<OperationEvent[]> {
    const { rows } = await this.sql.query<{ sequence: number; at: Date; snapshot: PictureRow }>(
      `SELECT sequence, at, snapshot FROM operation_event
       WHERE operation_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`,
      [id, afterSequence, limit],
    );
    return rows.map((row) => ({ sequence: row.sequence, at: row.at, operation: recordOf(row.snapshot) }));
  }

  /**
   * Takes the operation over: from here on no earlier claim can write. A pending one starts only when it is the oldest
   * of its target and no other runs there (a partial unique index decides, whoever races).
   */
  async claim(transaction: Transaction, id: string): Promise<ClaimResult> {
    const found = await transaction.query<{
      status: OperationStatus;
      lock_key: string | null;
      unapproved: boolean;
      expired: boolean;
    }>(
      `SELECT status, lock_key, approval_state IS NOT DISTINCT FROM 'waiting' AS unapproved,
         coalesce(approval_expires_at <= now(), false) AS expired
       FROM operation WHERE id = $1 AND status IN ${OPEN} FOR UPDATE`,
      [id],
    );
    const row = found.rows[0];
    if (row === undefined) return { state: 'over' };
    if (row.unapproved) return { state: 'unapproved', expired: row.expired };
    if (row.status === 'Pending' && row.lock_key !== null) {
      // One claim of a target at a time, so that the look at the others and the start are one act.
      await transaction.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [row.lock_key]);
      const before = await transaction.query<{ id: string }>(
        `SELECT other.id FROM operation other, operation mine
         WHERE mine.id = $1 AND other.lock_key = mine.lock_key AND other.id <> mine.id
           AND (other.status IN ('Running', 'Waiting', 'Canceling')
             OR (other.status = 'Pending' AND other.approval_state IS DISTINCT FROM 'waiting'
               AND (other.created_at, other.id) < (mine.created_at, mine.id)))
         ORDER BY other.status = 'Pending', other.created_at, other.id LIMIT 1`,
        [id],
      );
      const other = before.rows[0];
      if (other !== undefined) {
        await this.#say(transaction, id, `Waits for operation ${other.id} on the same target.`);
        return { state: 'behind', operationId: other.id };
      }
    }
    const { rows } = await transaction.query<{ fence: string }>(
      `UPDATE operation
       SET fence = fence + 1, started_at = coalesce(started_at, now()),
           status = CASE WHEN status = 'Canceling' THEN status ELSE 'Running' END
       WHERE id = $1 RETURNING fence`,
      [id],
    );
    if (row.status === 'Pending') await this.#appendEvent(transaction, id);
    const operation = await this.find(id, transaction);
    const tokens = await transaction.query<{ name: string; resume_token: string }>(
      `SELECT name, resume_token FROM operation_step WHERE operation_id = $1 AND resume_token IS NOT NULL`,
      [id],
    );
    const secrets = await transaction.query<{ sealed: string }>(
      `SELECT sealed FROM operation_secret WHERE operation_id = $1`,
      [id],
    );
    if (operation === undefined || rows[0] === undefined) return { state: 'over' };
    return {
      state: 'claimed',
      claim: {
        operation,
        fence: rows[0].fence,
        resumeTokens: new Map(tokens.rows.map((token) => [token.name, new Secret(token.resume_token)])),
        sealedSecrets: secrets.rows[0]?.sealed ?? null,
      },
    };
  }

  /** @returns false when the claim is no longer valid; then nothing was written. */
  async saveStep(transaction: Transaction, claim: OperationClaim, step: StepChange): Promise<boolean> {
    if (!(await this.#hold(transaction, claim))) return false;
    const { rows } = await transaction.query<{ changed: boolean }>(
      `UPDATE operation_step new SET
         status = $3, message = $4, wait_reason = $7,
         attempts = new.attempts + $5::int, output = coalesce($8, new.output),
         resume_token = CASE WHEN $3 IN ('Succeeded', 'Failed', 'Skipped') THEN NULL ELSE coalesce($6, new.resume_token) END,
         started_at = coalesce(new.started_at, now()),
         ended_at = CASE WHEN $3 IN ('Succeeded', 'Failed', 'Skipped') THEN now() END
       FROM operation_step old
       WHERE new.operation_id = $1 AND new.name = $2 AND old.operation_id = new.operation_id AND old.name = new.name
         AND old.status NOT IN ('Succeeded', 'Failed', 'Skipped')
       RETURNING old.status <> new.status OR old.message IS DISTINCT FROM new.message AS changed`,
      [
        claim.operation.id,
        step.name,
        step.status,
        databaseText(step.message),
        step.countAttempt ? 1 : 0,
        step.resumeToken?.reveal() ?? null,
        step.waitReason ?? null,
        nullableJson(step.output),
      ],
    );
    // A poll that brought nothing new is no event: a long wait would otherwise fill the log.
    if (rows[0]?.changed === true) {
      await transaction.query(`UPDATE operation SET message = $2 WHERE id = $1`, [
        claim.operation.id,
        databaseText(step.message),
      ]);
      await this.#appendEvent(transaction, claim.operation.id);
    }
    return true;
  }

  /** @returns false when the claim is no longer valid. */
  async saveFindings(transaction: Transaction, claim: OperationClaim, findings: readonly Finding[]): Promise<boolean> {
    if (!(await this.#hold(transaction, claim))) return false;
    await transaction.query(`UPDATE operation SET findings = $2 WHERE id = $1`, [
      claim.operation.id,
      databaseJson(findings),
    ]);
    return true;
  }

  /** Running -> Waiting until `seconds` from now. @returns the status; undefined when the claim is no longer valid. */
  async park(transaction: Transaction, claim: OperationClaim, seconds: number): Promise<OperationStatus | undefined> {
    if (!(await this.#hold(transaction, claim))) return undefined;
    const { rows } = await transaction.query<{ status: OperationStatus }>(
      `UPDATE operation SET run_after = now() + make_interval(secs => $2),
         status = CASE WHEN status = 'Canceling' THEN status ELSE 'Waiting' END
       WHERE id = $1 RETURNING status`,
      [claim.operation.id, seconds],
    );
    return rows[0]?.status;
  }

  /**
   * Ends the operation: steps that never ran are skipped.
   * @returns the ended operation, or undefined when the claim is no longer valid (then nothing was written).
   */
  async end(transaction: Transaction, claim: OperationClaim, end: OperationEnd): Promise<OperationRecord | undefined> {
    if (!(await this.#hold(transaction, claim))) return undefined;
    return this.#end(transaction, claim.operation.id, end);
  }

  /** Ends a pending operation, which nobody has claimed. @returns undefined when it is not pending any more. */
  async cancelPending(transaction: Transaction, id: string): Promise<OperationRecord | undefined> {
    const { rowCount } = await transaction.query(
      `UPDATE operation SET fence = fence + 1 WHERE id = $1 AND status = 'Pending'`,
      [id],
    );
    if (rowCount === 0) return undefined;
    return this.#end(transaction, id, {
      status: 'Canceled',
      error: null,
      result: null,
      message: 'Canceled before it started; nothing was changed.',
    });
  }

  /**
   * Writes a decision down. The time that the operation may take counts from the consent.
   * @returns undefined when no decision is waited for any more; then nothing was written.
   */
  async decide(
    transaction: Transaction,
    id: string,
    { decision, principalId, principalName, reason }: ApprovalDecision,
  ): Promise<OperationRecord | undefined> {
    const { rowCount } = await transaction.query(
      `UPDATE operation SET approval_state = $2, decided_by = $3, decided_by_id = $4, decided_at = now(), decision_reason = $5,
         run_after = now(), deadline_at = now() + (deadline_at - created_at), fence = fence + 1,
         message = CASE WHEN $2 = 'approved' THEN 'Approved by ' || $3 || '.' END
       WHERE id = $1 AND status = 'Pending' AND approval_state = 'waiting' AND approval_expires_at > now()`,
      [id, decision, databaseText(principalName), principalId, reason === null ? null : databaseText(reason)],
    );
    if (rowCount === 0) return undefined;
    if (decision === 'approved') {
      await this.#appendEvent(transaction, id);
      return this.find(id, transaction);
    }
    return this.#end(transaction, id, {
      status: 'Failed',
      error: {
        code: 'APPROVAL_REJECTED',
        message: `${principalName} has rejected it${reason === null ? '' : `: ${reason}`}.`,
        remedy: 'Ask whoever rejected it what would be consented to.',
      },
      result: null,
      message: `Rejected by ${principalName}; nothing was changed.`,
    });
  }

  /** Gives up waiting for a decision. @returns undefined when none is waited for, or there is time left. */
  async expireApproval(transaction: Transaction, id: string): Promise<OperationRecord | undefined> {
    const { rowCount } = await transaction.query(
      `UPDATE operation SET approval_state = 'expired', fence = fence + 1
       WHERE id = $1 AND status = 'Pending' AND approval_state = 'waiting' AND approval_expires_at <= now()`,
      [id],
    );
    if (rowCount === 0) return undefined;
    return this.#end(transaction, id, {
      status: 'Failed',
      error: {
        code: 'APPROVAL_EXPIRED',
        message: 'Nobody decided about it in time.',
        remedy: 'Ask for the operation again, and somebody for the decision.',
      },
      result: null,
      message: 'Nobody decided about it in time; nothing was changed.',
    });
  }

  /** The operations of a set that wait for consent. */
  async findAwaitingApproval(transaction: Transaction, setId: string): Promise<string[]> {
    const { rows } = await transaction.query<{ id: string }>(
      `SELECT id FROM operation WHERE set_id = $1 AND status = 'Pending' AND approval_state = 'waiting' ORDER BY id`,
      [setId],
    );
    return rows.map((row) => row.id);
  }

  /** Running or Waiting -> Canceling. @returns whether it was. */
  async requestCancel(transaction: Transaction, id: string): Promise<boolean> {
    const { rowCount } = await transaction.query(
      `UPDATE operation SET status = 'Canceling', message = 'Cancellation was asked for.', run_after = now()
       WHERE id = $1 AND status IN ('Running', 'Waiting')`,
      [id],
    );
    if (rowCount === 0) return false;
    await this.#appendEvent(transaction, id);
    return true;
  }

  /** The status as it is now: a cancellation may have come in while a step ran. */
  async currentStatus(id: string): Promise<OperationStatus | undefined> {
    const { rows } = await this.sql.query<{ status: OperationStatus }>(`SELECT status FROM operation WHERE id = $1`, [
      id,
    ]);
    return rows[0]?.status;
  }

  /**
   * The operation that may start now that this lock is free. Whoever is about to claim one of them waits for this
   * transaction, and so sees its end.
   */
  async findNextPending(transaction: Transaction, lockKey: string): Promise<string | undefined> {
    await transaction.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [lockKey]);
    const { rows } = await transaction.query<{ id: string }>(
      `SELECT id FROM operation
       WHERE lock_key = $1 AND status = 'Pending' AND approval_state IS DISTINCT FROM 'waiting'
       ORDER BY created_at, id LIMIT 1`,
      [lockKey],
    );
    return rows[0]?.id;
  }

  /** Open operations that should have been looked at and have no job (their worker died at a bad moment). */
  async findAbandoned(overdueSeconds: number, limit: number): Promise<string[]> {
    const { rows } = await this.sql.query<{ id: string }>(
      `SELECT o.id FROM operation o
       WHERE o.status IN ${OPEN} AND o.run_after < now() - make_interval(secs => $1)
         AND NOT EXISTS (SELECT FROM graphile_worker.jobs job WHERE job.key = 'operation:' || o.id)
       ORDER BY o.run_after LIMIT $2`,
      [overdueSeconds, limit],
    );
    return rows.map((row) => row.id);
  }

  /** How many operations there are in each open status, for the metrics. */
  async countOpen(): Promise<{ status: OperationStatus; count: number }[]> {
    const { rows } = await this.sql.query<{ status: OperationStatus; count: number }>(
      `SELECT status, count(*)::int AS count FROM operation WHERE status IN ${OPEN} GROUP BY status`,
    );
    return rows;
  }

  async #hold(transaction: Transaction, claim: OperationClaim): Promise<boolean> {
    const { rowCount } = await transaction.query(
      `SELECT FROM operation WHERE id = $1 AND fence = $2 AND status IN ('Running', 'Waiting', 'Canceling') FOR UPDATE`,
      [claim.operation.id, claim.fence],
    );
    return rowCount === 1;
  }

  async #end(transaction: Transaction, id: string, end: OperationEnd): Promise<OperationRecord | undefined> {
    await transaction.query(
      `UPDATE operation SET status = $2, error = $3, result = $4, message = $5, ended_at = now() WHERE id = $1`,
      [id, end.status, nullableJson(end.error), nullableJson(end.result), databaseText(end.message)],
    );
    await transaction.query(
      `UPDATE operation_step SET resume_token = NULL, wait_reason = NULL, ended_at = CASE WHEN started_at IS NULL THEN NULL ELSE now() END,
         status = CASE WHEN started_at IS NULL THEN 'Skipped' ELSE 'Failed' END
       WHERE operation_id = $1 AND status NOT IN ('Succeeded', 'Failed', 'Skipped')`,
      [id],
    );
    await transaction.query(`DELETE FROM operation_secret WHERE operation_id = $1`, [id]);
    await this.#appendEvent(transaction, id);
    return this.find(id, transaction);
  }

  async #say(transaction: Transaction, id: string, message: string): Promise<void> {
    const { rowCount } = await transaction.query(
      `UPDATE operation SET message = $2 WHERE id = $1 AND message IS DISTINCT FROM $2`,
      [id, message],
    );
    // It has been looked at, also where there is nothing new to say.
    await transaction.query(`UPDATE operation SET run_after = now() WHERE id = $1`, [id]);
    if (rowCount === 1) await this.#appendEvent(transaction, id);
  }

  async #appendEvent(transaction: Transaction, id: string): Promise<void> {
    await transaction.query(`UPDATE operation SET event_sequence = event_sequence + 1 WHERE id = $1`, [id]);
    await transaction.query(
      `INSERT INTO operation_event (operation_id, sequence, snapshot)
       SELECT o.id, o.event_sequence, ${PICTURE} FROM operation o WHERE o.id = $1`,
      [id],
    );
    await transaction.query(`SELECT pg_notify('${OPERATION_CHANNEL}', $1)`, [id]);
  }
}

function nullableJson(value: unknown): string | null {
  return value === null || value === undefined ? null : databaseJson(value);
}

function recordOf(row: PictureRow): OperationRecord {
  return {
    id: row.id,
    type: row.type,
    status: row.status,
    dryRun: row.dry_run,
    target: { uid: row.target_uid, id: row.target_id, kind: row.target_kind },
    lockKey: row.lock_key,
    input: row.input,
    references: row.resource_references,
    steps: row.steps.map((step): OperationStepRecord => ({
      name: step.name,
      status: step.status,
      startedAt: dateOf(step.started_at),
      endedAt: dateOf(step.ended_at),
      attempts: step.attempts,
      message: step.message,
      waitReason: step.wait_reason,
      // Events from before there were outputs have none.
      output: step.output ?? null,
    })),
    findings: row.findings,
    error: row.error,
    result: row.result,
    message: row.message,
    principalId: row.principal_id,
    requestedBy: row.requested_by,
    correlationId: row.correlation_id,
    createdAt: new Date(row.created_at),
    startedAt: dateOf(row.started_at),
    endedAt: dateOf(row.ended_at),
    deadlineAt: new Date(row.deadline_at),
    runAfter: new Date(row.run_after),
    setId: row.set_id ?? null,
    stuckSince: dateOf(row.stuck_since ?? null),
    approval: approvalOf(row),
    eventSequence: row.event_sequence,
  };
}

function approvalOf(row: PictureRow): Approval | null {
  const { approval_state: state, approval_rule: rule } = row;
  if (state === undefined || state === null || rule === undefined || rule === null) return null;
  switch (state) {
    case 'waiting':
    case 'expired':
      return { state, rule, expiresAt: new Date(row.approval_expires_at!) };
    case 'approved':
    case 'rejected':
      return {
        state,
        rule,
        decidedBy: row.decided_by!,
        decidedById: row.decided_by_id!,
        decidedAt: new Date(row.decided_at!),
        reason: row.decision_reason ?? null,
      };
    default:
      return assertNever(state);
  }
}

/** State, rule, hours, by, by id, reason, message. */
function approvalParameters(approval: NewApproval | null): (string | number | null)[] {
  if (approval === null) return [null, null, null, null, null, null, null];
  switch (approval.state) {
    case 'waiting': {
      const message = `Waits for somebody's consent, for ${approval.hours} h at most.`;
      return ['waiting', approval.rule, approval.hours, null, null, null, message];
    }
    case 'approved': {
      const { rule, decidedBy, decidedById, reason } = approval;
      return ['approved', rule, null, databaseText(decidedBy), decidedById, reason, null];
    }
    default:
      return assertNever(approval);
  }
}

function dateOf(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}
