import type { Sql } from '#libs/database/sql.js';

/**
 * Who is asking the owner of an object about it at present, over all processes. A row with an end rather than an advisory
 * lock, since that would keep a database connection for as long as Azure takes to answer.
 */
export class ObservationLeaseRepository {
  constructor(private readonly sql: Sql) {}

  /** @returns false while somebody else holds it. */
  async acquire(uid: string, holder: string, seconds: number): Promise<boolean> {
    const { rowCount } = await this.sql.query(
      `INSERT INTO observation_lease AS l (uid, holder, until) VALUES ($1, $2, now() + make_interval(secs => $3))
       ON CONFLICT (uid) DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE l.until < now()`,
      [uid, holder, seconds],
    );
    return rowCount === 1;
  }

  async release(uid: string, holder: string): Promise<void> {
    await this.sql.query('DELETE FROM observation_lease WHERE uid = $1 AND holder = $2', [uid, holder]);
  }
}
