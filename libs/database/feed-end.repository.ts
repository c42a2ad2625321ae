import type { FeedPosition } from './feed-position.js';
import type { Sql } from './sql.js';

/** The present end: what is committed later comes after it. */
export async function endOfFeed(sql: Sql): Promise<FeedPosition> {
  const { rows } = await sql.query<{ xid: string }>('SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xid');
  const [row] = rows;
  if (row === undefined) throw new Error('Postgres gave no snapshot');
  return { xid: row.xid, seq: '0' };
}
