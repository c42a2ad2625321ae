import type { Sql } from '#libs/database/sql.js';

export const RUN_OPERATION_TASK = 'run-operation';

/**
 * The jobs that drive operations, in graphile-worker's tables: one at most for each operation (its job key), added in the
 * transaction that makes it necessary.
 */
export class JobQueueRepository {
  /** A job that is running while its operation is scheduled again finishes; the new one takes over its key. */
  async schedule(sql: Sql, operationId: string, delaySeconds: number): Promise<void> {
    await sql.query(
      `SELECT graphile_worker.add_job($1, json_build_object('operationId', $2::text),
         run_at => now() + make_interval(secs => $3), job_key => 'operation:' || $2, job_key_mode => 'replace',
         max_attempts => 1000)`,
      [RUN_OPERATION_TASK, operationId, delaySeconds],
    );
  }

  /** A waiting job runs now. One that is running is left alone: a second one would take its operation over. */
  async bringForward(sql: Sql, operationId: string): Promise<void> {
    await sql.query(
      `SELECT FROM graphile_worker.reschedule_jobs(
         ARRAY(SELECT id FROM graphile_worker.jobs WHERE key = 'operation:' || $1 AND locked_at IS NULL), run_at => now())`,
      [operationId],
    );
  }

  /** Jobs that are due and not taken, and the age of the oldest in seconds: for the metrics. */
  async measureBacklog(sql: Sql): Promise<{ due: number; oldestSeconds: number }> {
    const { rows } = await sql.query<{ due: number; oldest: number }>(
      `SELECT count(*)::int AS due, coalesce(extract(epoch FROM now() - min(run_at)), 0)::float8 AS oldest
       FROM graphile_worker.jobs WHERE run_at <= now() AND locked_at IS NULL`,
    );
    return { due: rows[0]?.due ?? 0, oldestSeconds: rows[0]?.oldest ?? 0 };
  }
}
