import type { Sql } from '#libs/database/sql.js';

export const RUN_OPERATION_TASK = 'run-operation';
export const ADVANCE_SET_TASK = 'advance-operation-set';

export interface JobBacklog {
  due: number;
  scheduled: number;
  running: number;
  oldestSeconds: number;
}

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

  /** As for operations: a turn that runs meanwhile ends, and another follows. */
  async scheduleSet(sql: Sql, setId: string): Promise<void> {
    await sql.query(
      `SELECT graphile_worker.add_job($1, json_build_object('setId', $2::text),
         job_key => 'operation-set:' || $2, job_key_mode => 'replace', max_attempts => 1000)`,
      [ADVANCE_SET_TASK, setId],
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

  /**
   * The job engine lets a job that failed wait, longer with each failure, for hours at last. Only a database that went away
   * makes ours fail, and that says nothing about the next time: those that should have run are run now.
   * @returns how many.
   */
  async retryFailed(sql: Sql, overdueSeconds: number): Promise<number> {
    const { rowCount } = await sql.query(
      `SELECT FROM graphile_worker.reschedule_jobs(
         ARRAY(
           SELECT job.id FROM graphile_worker.jobs job LEFT JOIN operation o ON job.key = 'operation:' || o.id
           WHERE job.attempts > 0 AND job.locked_at IS NULL AND job.run_at > now() AND job.task_identifier = ANY ($2::text[])
             AND coalesce(o.run_after, job.created_at) < now() - make_interval(secs => $1)
         ), run_at => now(), attempts => 0)`,
      [overdueSeconds, [RUN_OPERATION_TASK, ADVANCE_SET_TASK]],
    );
    return rowCount;
  }

  /** The ids of the jobs that a worker has taken. */
  async findTakenBy(sql: Sql, poolId: string): Promise<string[]> {
    const { rows } = await sql.query<{ id: string }>(`SELECT id FROM graphile_worker.jobs WHERE locked_by = $1`, [
      poolId,
    ]);
    return rows.map((row) => row.id);
  }

  /**
   * Gives jobs back that a worker has taken and does not work on: the job engine does so for all jobs of a worker only.
   * @returns how many.
   */
  async giveBack(sql: Sql, poolId: string, jobIds: readonly string[]): Promise<number> {
    const { rowCount } = await sql.query(
      `UPDATE graphile_worker._private_jobs SET locked_at = NULL, locked_by = NULL, run_at = least(run_at, now())
       WHERE locked_by = $1 AND id = ANY ($2::bigint[])`,
      [poolId, jobIds],
    );
    return rowCount;
  }

  /** How many jobs wait, are for later and are taken, and the age of the oldest that waits in seconds: for the metrics. */
  async measureBacklog(sql: Sql): Promise<JobBacklog> {
    const { rows } = await sql.query<JobBacklog>(
      `SELECT count(*) FILTER (WHERE run_at <= now() AND locked_at IS NULL)::int AS due,
         count(*) FILTER (WHERE run_at > now() AND locked_at IS NULL)::int AS scheduled,
         count(*) FILTER (WHERE locked_at IS NOT NULL)::int AS running,
         coalesce(extract(epoch FROM now() - min(run_at) FILTER (WHERE run_at <= now() AND locked_at IS NULL)), 0)::float8
           AS "oldestSeconds"
       FROM graphile_worker.jobs`,
    );
    return rows[0] ?? { due: 0, scheduled: 0, running: 0, oldestSeconds: 0 };
  }
}
