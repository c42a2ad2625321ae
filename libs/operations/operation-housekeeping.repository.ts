import type { Sql } from '#libs/database/sql.js';
import { OPERATION_CHANNEL } from './operation.repository.js';

const BATCH = 500;

/** An operation that does not move. */
export interface StuckOperation {
  id: string;
  type: string;
  correlationId: string;
  /** What it said last, and when. */
  message: string | null;
  movedAt: Date;
}

export interface OpenOperationAge {
  status: string;
  /** Of the oldest, since its acceptance. */
  oldestSeconds: number;
}

/** What keeps the table of operations small, and what finds operations that nobody carries forward any more. */
export class OperationHousekeepingRepository {
  constructor(private readonly sql: Sql) {}

  /**
   * Forgets operations that ended before the given time, with their steps and events. The audit log keeps who did what.
   * @returns how many.
   */
  async deleteEndedBefore(instant: Date): Promise<number> {
    for (let deleted = 0; ;) {
      const { rowCount } = await this.sql.query(
        `DELETE FROM operation WHERE id IN (
           SELECT id FROM operation WHERE ended_at < $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )`,
        [instant, BATCH],
      );
      deleted += rowCount;
      if (rowCount < BATCH) return deleted;
    }
  }

  /** Forgets sets that ended before the given time, with their items and events. @returns how many. */
  async deleteSetsEndedBefore(instant: Date): Promise<number> {
    for (let deleted = 0; ;) {
      const { rowCount } = await this.sql.query(
        `DELETE FROM operation_set WHERE id IN (
           SELECT id FROM operation_set WHERE ended_at < $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )`,
        [instant, BATCH],
      );
      deleted += rowCount;
      if (rowCount < BATCH) return deleted;
    }
  }

  /** Secret inputs that another key has sealed: a batch of them, in the order of their operations. */
  async findSecretsSealedOtherwise(
    keyId: string,
    afterOperation: string | null,
  ): Promise<{ operationId: string; sealed: string }[]> {
    const { rows } = await this.sql.query<{ operation_id: string; sealed: string }>(
      `SELECT operation_id, sealed FROM operation_secret
       WHERE split_part(sealed, '.', 2) <> $1 AND ($2::uuid IS NULL OR operation_id > $2)
       ORDER BY operation_id LIMIT $3`,
      [keyId, afterOperation, BATCH],
    );
    return rows.map((row) => ({ operationId: row.operation_id, sealed: row.sealed }));
  }

  /** @returns false when it is not there any more, or another process was faster. */
  async replaceSecret(operationId: string, before: string, after: string): Promise<boolean> {
    const { rowCount } = await this.sql.query(
      `UPDATE operation_secret SET sealed = $3 WHERE operation_id = $1 AND sealed = $2`,
      [operationId, before, after],
    );
    return rowCount === 1;
  }

  /**
   * Marks operations under way that have said nothing new for the given time, and takes the mark from those that have, or
   * that have ended. One that waits for its turn on the target is not stuck: the one before it may be.
   * @returns those that were marked now.
   */
  async markStuck(quietSeconds: number): Promise<StuckOperation[]> {
    await this.sql.query(
      `WITH moved AS (
         UPDATE operation o SET stuck_since = NULL
         FROM operation_event last
         WHERE o.stuck_since IS NOT NULL AND last.operation_id = o.id AND last.sequence = o.event_sequence
           AND (o.ended_at IS NOT NULL OR last.at >= now() - make_interval(secs => $1))
         RETURNING o.id
       )
       SELECT pg_notify('${OPERATION_CHANNEL}', id::text) FROM moved`,
      [quietSeconds],
    );
    const { rows } = await this.sql.query<{
      id: string;
      type: string;
      correlation_id: string;
      message: string | null;
      moved_at: Date;
    }>(
      `WITH stuck AS (
         UPDATE operation o SET stuck_since = now()
         FROM operation_event last
         WHERE o.status IN ('Running', 'Waiting', 'Canceling') AND o.stuck_since IS NULL
           AND last.operation_id = o.id AND last.sequence = o.event_sequence
           AND last.at < now() - make_interval(secs => $1)
         RETURNING o.id, o.type, o.correlation_id, o.message, last.at AS moved_at
       )
       SELECT stuck.*, pg_notify('${OPERATION_CHANNEL}', id::text) FROM stuck ORDER BY moved_at`,
      [quietSeconds],
    );
    return rows.map((row) => ({
      id: row.id,
      type: row.type,
      correlationId: row.correlation_id,
      message: row.message,
      movedAt: row.moved_at,
    }));
  }

  async countStuck(): Promise<number> {
    const { rows } = await this.sql.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM operation WHERE stuck_since IS NOT NULL AND ended_at IS NULL`,
    );
    return rows[0]?.count ?? 0;
  }

  /** For the metrics. */
  async measureOpenAges(): Promise<OpenOperationAge[]> {
    const { rows } = await this.sql.query<{ status: string; oldest: number }>(
      `SELECT status, extract(epoch FROM now() - min(created_at))::float8 AS oldest FROM operation
       WHERE status IN ('Pending', 'Running', 'Waiting', 'Canceling') GROUP BY status`,
    );
    return rows.map(({ status, oldest }) => ({ status, oldestSeconds: oldest }));
  }
}
