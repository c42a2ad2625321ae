import type { Sql } from '#libs/database/sql.js';

/**
 * The worker processes that are alive. A killed one cannot give its jobs back, and the job engine by itself would wait
 * for hours; its silence here is what tells the others.
 */
export class WorkerProcessRepository {
  constructor(private readonly sql: Sql) {}

  /** @returns false when the process was not known: it is new, or the others have given it up. */
  async beat(poolId: string): Promise<boolean> {
    const { rowCount } = await this.sql.query(`UPDATE worker_process SET heartbeat_at = now() WHERE pool_id = $1`, [
      poolId,
    ]);
    if (rowCount === 1) return true;
    await this.sql.query(
      `INSERT INTO worker_process (pool_id) VALUES ($1)
       ON CONFLICT (pool_id) DO UPDATE SET heartbeat_at = now()`,
      [poolId],
    );
    return false;
  }

  async remove(poolId: string): Promise<void> {
    await this.sql.query(`DELETE FROM worker_process WHERE pool_id = $1`, [poolId]);
  }

  /**
   * Frees the jobs of workers that have been silent for longer than the given seconds, or that are not known at all.
   * @returns the pool ids that were given up.
   */
  async releaseSilent(silentSeconds: number): Promise<string[]> {
    const { rows } = await this.sql.query<{ pool_id: string }>(
      `WITH silent AS (
         DELETE FROM worker_process WHERE heartbeat_at < now() - make_interval(secs => $1) RETURNING pool_id
       ), unknown AS (
         SELECT DISTINCT job.locked_by AS pool_id FROM graphile_worker.jobs job
         WHERE job.locked_at < now() - make_interval(secs => $1)
           AND NOT EXISTS (SELECT FROM worker_process process WHERE process.pool_id = job.locked_by)
       )
       SELECT pool_id FROM silent UNION SELECT pool_id FROM unknown`,
      [silentSeconds],
    );
    const poolIds = rows.map((row) => row.pool_id);
    if (poolIds.length > 0) await this.sql.query(`SELECT graphile_worker.force_unlock_workers($1::text[])`, [poolIds]);
    return poolIds;
  }
}
