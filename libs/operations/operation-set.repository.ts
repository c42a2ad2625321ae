import type { StoredProblem } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { databaseJson, databaseText } from '#libs/database/database-json.js';
import type { Sql, Transaction } from '#libs/database/sql.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import type { OperationSetCounts, OperationSetItem, OperationSetRecord } from './operation-set.record.js';
import {
  OPERATION_SET_ITEM_STATUSES,
  type EndedSetStatus,
  type OperationSetItemStatus,
  type OperationSetStatus,
} from './operation-set.status.js';
import type { SetConsent } from './operation.acceptor.js';
import type { OperationPosition } from './operation.repository.js';

/** NOTIFY channel; the payload is the set's id. */
export const OPERATION_SET_CHANNEL = 'pilothouse_operation_set';

const COUNTS = `(SELECT jsonb_object_agg(status, count) FROM (
    SELECT i.status, count(*) AS count FROM operation_set_item i WHERE i.set_id = s.id GROUP BY i.status) counted)`;
const CURRENT_WAVE = `(SELECT i.wave_value FROM operation_set_item i
    WHERE i.set_id = s.id AND i.status IN ('Waiting', 'Running') ORDER BY i.wave, i.position LIMIT 1)`;
/** The one picture of a set: for reading it, and as the snapshot that an event keeps. */
const PICTURE = `
  to_jsonb(s) - 'idempotency_hash' - 'idempotency_key' || jsonb_build_object('counts', coalesce(${COUNTS}, '{}'::jsonb),
    'current_wave', ${CURRENT_WAVE})`;

interface PictureRow {
  id: string;
  type: string;
  status: OperationSetStatus;
  dry_run: boolean;
  input: JsonObject;
  target_field: string;
  selection: JsonObject;
  maximum_concurrency: number;
  failure_threshold: number | null;
  skip_refused: boolean;
  wave_by: string | null;
  wave_order: string[];
  message: string | null;
  principal_id: string;
  requested_by: string;
  correlation_id: string;
  created_at: string;
  ended_at: string | null;
  /** Events from before there were approvals have none of these. */
  approved_by?: string | null;
  approved_by_id?: string | null;
  approved_at?: string | null;
  approval_reason?: string | null;
  counts: Partial<OperationSetCounts>;
  current_wave: string | null;
}

interface ItemRow {
  position: number;
  target_uid: string;
  target_id: string;
  target_kind: string;
  wave: number;
  wave_value: string | null;
  status: OperationSetItemStatus;
  attempts: number;
  operation_id: string | null;
  problem: StoredProblem | null;
}

export interface NewOperationSet {
  id: string;
  type: string;
  dryRun: boolean;
  input: JsonObject;
  targetField: string;
  selection: JsonObject;
  maximumConcurrency: number;
  failureThreshold: number | null;
  skipRefused: boolean;
  waveBy: string | null;
  waveOrder: readonly string[];
  message: string | null;
  principalId: string;
  requestedBy: string;
  correlationId: string;
  idempotencyKey: string | null;
  idempotencyHash: string | null;
  /** In the order in which they are begun. */
  items: readonly { target: ResourceTarget; wave: number; waveValue: string | null }[];
}

export interface OperationSetEvent {
  sequence: number;
  at: Date;
  set: OperationSetRecord;
}

export interface OperationSetFilter {
  statuses?: readonly OperationSetStatus[];
  type?: string;
}

/** Sets of operations in Postgres. Whoever changes one holds its row, so that changes come one after the other. */
export class OperationSetRepository {
  constructor(private readonly sql: Sql) {}

  /** @returns false when this principal has used the idempotency key before. */
  async insert(transaction: Transaction, set: NewOperationSet): Promise<boolean> {
    const { rowCount } = await transaction.query(
      `INSERT INTO operation_set (id, type, status, dry_run, input, target_field, selection, maximum_concurrency,
         failure_threshold, skip_refused, wave_by, wave_order, message, principal_id, requested_by, correlation_id,
         idempotency_key, idempotency_hash)
       VALUES ($1, $2, 'Running', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
       ON CONFLICT (principal_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING`,
      [
        set.id,
        set.type,
        set.dryRun,
        databaseJson(set.input),
        set.targetField,
        databaseJson(set.selection),
        set.maximumConcurrency,
        set.failureThreshold,
        set.skipRefused,
        set.waveBy,
        databaseJson(set.waveOrder),
        set.message,
        set.principalId,
        set.requestedBy,
        set.correlationId,
        set.idempotencyKey,
        set.idempotencyHash,
      ],
    );
    if (rowCount === 0) return false;
    const items = set.items.map(({ target, wave, waveValue }) => ({
      target_uid: target.uid,
      target_id: target.id,
      target_kind: target.kind,
      wave,
      wave_value: waveValue,
    }));
    await transaction.query(
      `INSERT INTO operation_set_item (set_id, position, target_uid, target_id, target_kind, wave, wave_value)
       SELECT $1, item.position - 1, item.target_uid, item.target_id, item.target_kind, item.wave, item.wave_value
       FROM ROWS FROM (jsonb_to_recordset($2::jsonb)
         AS (target_uid uuid, target_id text, target_kind text, wave integer, wave_value text))
         WITH ORDINALITY AS item (target_uid, target_id, target_kind, wave, wave_value, position)`,
      [set.id, databaseJson(items)],
    );
    await this.appendEvent(transaction, set.id);
    return true;
  }

  async find(id: string, sql: Sql = this.sql): Promise<OperationSetRecord | undefined> {
    const { rows } = await sql.query<{ picture: PictureRow }>(
      `SELECT ${PICTURE} AS picture FROM operation_set s WHERE s.id = $1`,
      [id],
    );
    return rows[0] === undefined ? undefined : recordOf(rows[0].picture);
  }

  async findByIdempotencyKey(
    principalId: string,
    key: string,
    sql: Sql = this.sql,
  ): Promise<{ set: OperationSetRecord; hash: string } | undefined> {
    const { rows } = await sql.query<{ picture: PictureRow; idempotency_hash: string }>(
      `SELECT ${PICTURE} AS picture, s.idempotency_hash FROM operation_set s
       WHERE s.principal_id = $1 AND s.idempotency_key = $2`,
      [principalId, key],
    );
    const [row] = rows;
    return row === undefined ? undefined : { set: recordOf(row.picture), hash: row.idempotency_hash };
  }

  /** Newest first; at most `limit` rows after the position. */
  async findPage(
    filter: OperationSetFilter,
    after: OperationPosition | null,
    limit: number,
  ): Promise<{ set: OperationSetRecord; position: OperationPosition }[]> {
    const { rows } = await this.sql.query<{ picture: PictureRow }>(
      `SELECT ${PICTURE} AS picture FROM operation_set s
       WHERE ($1::text[] IS NULL OR s.status = ANY ($1)) AND ($2::text IS NULL OR s.type = $2)
         AND ($3::timestamptz IS NULL OR (s.created_at, s.id) < ($3, $4::uuid))
       ORDER BY s.created_at DESC, s.id DESC LIMIT $5`,
      [filter.statuses ?? null, filter.type ?? null, after?.createdAt ?? null, after?.id ?? null, limit],
    );
    return rows.map(({ picture }) => ({
      set: recordOf(picture),
      position: { createdAt: picture.created_at, id: picture.id },
    }));
  }

  /** In their order; at most `limit` after the position. */
  async findItems(
    id: string,
    statuses: readonly OperationSetItemStatus[] | null,
    after: number,
    limit: number,
  ): Promise<OperationSetItem[]> {
    const { rows } = await this.sql.query<ItemRow>(
      `SELECT ${ITEM_COLUMNS} FROM operation_set_item
       WHERE set_id = $1 AND position > $2 AND ($3::text[] IS NULL OR status = ANY ($3)) ORDER BY position LIMIT $4`,
      [id, after, statuses, limit],
    );
    return rows.map(itemOf);
  }

  async findEvents(id: string, afterSequence: number, limit: number): Promise<OperationSetEvent[]> {
    const { rows } = await this.sql.query<{ sequence: number; at: Date; snapshot: PictureRow }>(
      `SELECT sequence, at, snapshot FROM operation_set_event
       WHERE set_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`,
      [id, afterSequence, limit],
    );
    return rows.map((row) => ({ sequence: row.sequence, at: row.at, set: recordOf(row.snapshot) }));
  }

  /** Holds the set for the rest of the transaction. @returns undefined where there is none. */
  async hold(transaction: Transaction, id: string): Promise<OperationSetRecord | undefined> {
    const { rowCount } = await transaction.query(`SELECT FROM operation_set WHERE id = $1 FOR UPDATE`, [id]);
    return rowCount === 0 ? undefined : this.find(id, transaction);
  }

  /** Takes over what has become of the operations of its items. @returns how many items have ended by that. */
  async absorbEnded(transaction: Transaction, set: OperationSetRecord): Promise<number> {
    const { rowCount } = await transaction.query(
      `UPDATE operation_set_item item SET problem = o.error, status = CASE
           WHEN o.status = 'Failed' AND $2 AND o.error->>'code' = 'PREFLIGHT_FAILED' THEN 'Skipped' ELSE o.status END
       FROM operation o
       WHERE item.set_id = $1 AND item.status = 'Running' AND o.id = item.operation_id
         AND o.status IN ('Succeeded', 'Failed', 'Canceled')`,
      [set.id, set.skipRefused],
    );
    return rowCount;
  }

  /** The next items of the first wave that is not done yet; none as long as an earlier wave runs. */
  async findNextWaiting(transaction: Transaction, id: string, limit: number): Promise<OperationSetItem[]> {
    const { rows } = await transaction.query<ItemRow>(
      `SELECT ${ITEM_COLUMNS} FROM operation_set_item
       WHERE set_id = $1 AND status = 'Waiting' AND wave = (
         SELECT min(wave) FROM operation_set_item WHERE set_id = $1 AND status IN ('Waiting', 'Running'))
       ORDER BY position LIMIT $2`,
      [id, limit],
    );
    return rows.map(itemOf);
  }

  async findRunningOperations(id: string): Promise<string[]> {
    const { rows } = await this.sql.query<{ operation_id: string }>(
      `SELECT operation_id FROM operation_set_item WHERE set_id = $1 AND status = 'Running' AND operation_id IS NOT NULL`,
      [id],
    );
    return rows.map((row) => row.operation_id);
  }

  async beginItem(transaction: Transaction, id: string, position: number, operationId: string): Promise<void> {
    await transaction.query(
      `UPDATE operation_set_item SET status = 'Running', operation_id = $3, attempts = attempts + 1, problem = NULL
       WHERE set_id = $1 AND position = $2`,
      [id, position, operationId],
    );
  }

  /** No operation could be made for it. */
  async failItem(transaction: Transaction, id: string, position: number, problem: StoredProblem): Promise<void> {
    await transaction.query(
      `UPDATE operation_set_item SET status = 'Failed', attempts = attempts + 1, problem = $3 WHERE set_id = $1 AND position = $2`,
      [id, position, databaseJson(problem)],
    );
  }

  async cancelWaiting(transaction: Transaction, id: string): Promise<void> {
    await transaction.query(
      `UPDATE operation_set_item SET status = 'Canceled' WHERE set_id = $1 AND status = 'Waiting'`,
      [id],
    );
  }

  /** Puts items back to the beginning. @returns how many. */
  async resetItems(transaction: Transaction, id: string, statuses: readonly OperationSetItemStatus[]): Promise<number> {
    const { rowCount } = await transaction.query(
      `UPDATE operation_set_item SET status = 'Waiting', problem = NULL WHERE set_id = $1 AND status = ANY ($2)`,
      [id, statuses],
    );
    return rowCount;
  }

  async consent(transaction: Transaction, id: string, consent: SetConsent): Promise<void> {
    await transaction.query(
      `UPDATE operation_set SET approved_by = $2, approved_by_id = $3, approved_at = now(), approval_reason = $4 WHERE id = $1`,
      [id, databaseText(consent.decidedBy), consent.decidedById, consent.reason],
    );
  }

  /** An open status; an ended set is opened again by it. */
  async setOpen(
    transaction: Transaction,
    id: string,
    status: Exclude<OperationSetStatus, EndedSetStatus>,
    message: string | null,
  ): Promise<void> {
    await transaction.query(`UPDATE operation_set SET status = $2, message = $3, ended_at = NULL WHERE id = $1`, [
      id,
      status,
      message === null ? null : databaseText(message),
    ]);
  }

  async end(transaction: Transaction, id: string, status: EndedSetStatus, message: string): Promise<void> {
    await transaction.query(`UPDATE operation_set SET status = $2, message = $3, ended_at = now() WHERE id = $1`, [
      id,
      status,
      databaseText(message),
    ]);
  }

  async appendEvent(transaction: Transaction, id: string): Promise<void> {
    await transaction.query(`UPDATE operation_set SET event_sequence = event_sequence + 1 WHERE id = $1`, [id]);
    await transaction.query(
      `INSERT INTO operation_set_event (set_id, sequence, snapshot)
       SELECT s.id, s.event_sequence, ${PICTURE} FROM operation_set s WHERE s.id = $1`,
      [id],
    );
    await transaction.query(`SELECT pg_notify('${OPERATION_SET_CHANNEL}', $1)`, [id]);
  }

  /** Sets that go on, for which nothing is under way and no job is there: whoever was to advance them is gone. */
  async findAbandoned(limit: number): Promise<string[]> {
    const { rows } = await this.sql.query<{ id: string }>(
      `SELECT s.id FROM operation_set s
       WHERE s.ended_at IS NULL AND s.status IN ('Running', 'Stopping')
         AND NOT EXISTS (SELECT FROM graphile_worker.jobs job WHERE job.key = 'operation-set:' || s.id)
         AND NOT EXISTS (
           SELECT FROM operation_set_item item JOIN operation o ON o.id = item.operation_id
           WHERE item.set_id = s.id AND item.status = 'Running' AND o.status NOT IN ('Succeeded', 'Failed', 'Canceled'))
       LIMIT $1`,
      [limit],
    );
    return rows.map((row) => row.id);
  }
}

const ITEM_COLUMNS = `position, target_uid, target_id, target_kind, wave, wave_value, status, attempts, operation_id, problem`;

function itemOf(row: ItemRow): OperationSetItem {
  return {
    position: row.position,
    target: { uid: row.target_uid, id: row.target_id, kind: row.target_kind },
    wave: row.wave,
    waveValue: row.wave_value,
    status: row.status,
    attempts: row.attempts,
    operationId: row.operation_id,
    problem: row.problem,
  };
}

function recordOf(row: PictureRow): OperationSetRecord {
  return {
    id: row.id,
    type: row.type,
    status: row.status,
    dryRun: row.dry_run,
    input: row.input,
    targetField: row.target_field,
    selection: row.selection,
    maximumConcurrency: row.maximum_concurrency,
    failureThreshold: row.failure_threshold,
    skipRefused: row.skip_refused,
    waveBy: row.wave_by,
    waveOrder: row.wave_order,
    message: row.message,
    principalId: row.principal_id,
    requestedBy: row.requested_by,
    correlationId: row.correlation_id,
    createdAt: new Date(row.created_at),
    endedAt: row.ended_at === null ? null : new Date(row.ended_at),
    counts: Object.fromEntries(
      OPERATION_SET_ITEM_STATUSES.map((status) => [status, row.counts[status] ?? 0]),
    ) as OperationSetCounts,
    currentWave: row.current_wave,
    consent: consentOf(row),
  };
}

function consentOf(row: PictureRow): OperationSetRecord['consent'] {
  const { approved_by: by, approved_by_id: byId, approved_at: at, approval_reason: reason } = row;
  if (typeof by !== 'string' || typeof byId !== 'string' || typeof at !== 'string') return null;
  return { decidedBy: by, decidedById: byId, decidedAt: new Date(at), reason: reason ?? null };
}
