import { ControlError } from '#libs/kernel/control-error.js';
import { decodeCursor, encodeCursor } from '#libs/kernel/page.js';
import type { Database } from '#libs/database/database.js';
import { endOfFeed } from '#libs/database/feed-end.repository.js';
import { FEED_START, feedPositionOf, isBefore, isBeyond, type FeedPosition } from '#libs/database/feed-position.js';
import { SqlConditions } from '#libs/database/sql-conditions.js';
import type { Sql } from '#libs/database/sql.js';
import type { HealthState } from '#libs/systems/contract/observation.js';
import type { ChangeFilter } from './resource.query.js';
import type { ChangeRecord, ChangeType } from './resource.record.js';

/** Told after every transaction that changed the cache, with an empty payload: "look for yourself". */
export const CHANGE_CHANNEL = 'pilothouse_change';

const LIST = 'changes';
/** How many changes one call looks at when its filter fits few of them. */
const WINDOW = 10_000;
const DELETE_BATCH = 10_000;

export interface ChangePage {
  changes: ChangeRecord[];
  /** Where to go on; also when there is nothing at present. */
  nextCursor: string;
  /** Nothing more is to be had at present. A page may have less than `limit` changes, or none, and not be at the end. */
  caughtUp: boolean;
  /** There is more, which is shown once an older transaction has ended; nobody tells of that. */
  heldBack: boolean;
}

interface ChangeRow extends FeedPosition {
  at: Date;
  type: ChangeType;
  uid: string;
  kind: string;
  id: string | null;
  name: string | null;
  subscription_id: string | null;
  cluster_uid: string | null;
  namespace: string | null;
  changed: string[];
  provisioning_state_before: string | null;
  provisioning_state: string;
  health_before: HealthState | null;
  health: HealthState;
}

/** The change feed (see `FeedPosition` for its order). */
export class ChangeRepository {
  constructor(private readonly database: Database) {}

  /**
   * The changes after a cursor; without one, from the oldest that is kept.
   * @throws ControlError INVALID_CURSOR; CURSOR_EXPIRED when changes after the cursor are no longer kept.
   */
  async after(cursor: string | null, filter: ChangeFilter, limit: number): Promise<ChangePage> {
    const position = cursor === null ? null : parse(cursor);
    return this.database.snapshot(async (sql) => {
      const end = await endOfFeed(sql);
      const start = await this.#start(sql, position, end);
      const window = await readWindow(sql, start, end, filter, limit);
      const changes = window.rows.map(toChange);
      const last = changes.at(-1);
      if (window.rows.length === limit && last !== undefined)
        return { changes, nextCursor: last.cursor, caughtUp: false, heldBack: false };
      if (window.lastSeen !== null) {
        return { changes, nextCursor: format(window.lastSeen), caughtUp: false, heldBack: false };
      }
      // Moving on through quiet times keeps the cursor of a rarely matching filter from expiring.
      const nextCursor = format(isBefore(start, end) ? end : start);
      return { changes, nextCursor, caughtUp: true, heldBack: await isHeldBack(sql, end) };
    });
  }

  /** The cursor of now: what is committed later comes after it. */
  async head(): Promise<string> {
    return format(await endOfFeed(this.database));
  }

  /**
   * Forgets the changes that were observed before the given time, up to the first one that was not.
   * @returns how many.
   */
  async deleteBefore(instant: Date): Promise<number> {
    let deleted = 0;
    for (;;) {
      const batch = await this.#deleteBatch(instant);
      deleted += batch;
      if (batch < DELETE_BATCH) return deleted;
    }
  }

  async #deleteBatch(instant: Date): Promise<number> {
    return this.database.transaction(async (transaction) => {
      const { rowCount } = await transaction.query(
        `WITH oldest AS MATERIALIZED (
           SELECT xid, seq, at FROM change WHERE xid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
           ORDER BY xid, seq LIMIT $2
         ), expired AS (
           SELECT xid, seq FROM (SELECT *, bool_and(at < $1) OVER (ORDER BY xid, seq) AS all_older FROM oldest) AS o
           WHERE all_older
         ), horizon AS (
           INSERT INTO change_horizon (xid, seq) SELECT xid, seq FROM expired ORDER BY xid DESC, seq DESC LIMIT 1
           ON CONFLICT (singleton) DO UPDATE SET xid = excluded.xid, seq = excluded.seq
           WHERE (change_horizon.xid, change_horizon.seq) < (excluded.xid, excluded.seq)
         )
         DELETE FROM change c USING expired e WHERE c.xid = e.xid AND c.seq = e.seq`,
        [instant, DELETE_BATCH],
      );
      return rowCount;
    });
  }

  async #start(sql: Sql, position: FeedPosition | null, end: FeedPosition): Promise<FeedPosition> {
    if (position === null) return FEED_START;
    if (isBeyond(position, end)) throw foreignCursor();
    const { rows } = await sql.query<{ expired: boolean }>(
      'SELECT (xid, seq) > ($1::bigint, $2::bigint) AS expired FROM change_horizon',
      [position.xid, position.seq],
    );
    if (rows[0]?.expired === true) {
      throw new ControlError('CURSOR_EXPIRED', 'Changes after this cursor are no longer kept.', {
        remedy: 'Read the resources anew, then follow the changes from the present on.',
      });
    }
    return position;
  }
}

async function isHeldBack(sql: Sql, end: FeedPosition): Promise<boolean> {
  const { rows } = await sql.query<{ more: boolean }>(
    `SELECT EXISTS (SELECT FROM change WHERE xid >= $1::bigint) AS more`,
    [end.xid],
  );
  return rows[0]?.more === true;
}

const WITHIN = '(xid, seq) > ($1::bigint, $2::bigint) AND xid < $3::bigint';

/** `lastSeen`: the end of the window, where the window ended before the feed and before the page was full. */
async function readWindow(
  sql: Sql,
  start: FeedPosition,
  end: FeedPosition,
  filter: ChangeFilter,
  limit: number,
): Promise<{ rows: ChangeRow[]; lastSeen: FeedPosition | null }> {
  const conditions = new SqlConditions([start.xid, start.seq, end.xid, WINDOW, limit]);
  conditions.add((parameter) => `c.kind = ANY(${parameter}::text[])`, filter.kinds);
  conditions.add((parameter) => `c.uid = ${parameter}::uuid`, filter.uid);
  conditions.add((parameter) => `c.cluster_uid = ${parameter}::uuid`, filter.clusterUid);
  conditions.add((parameter) => `c.namespace = ${parameter}`, filter.namespace);
  conditions.add((parameter) => `c.subscription_id = ${parameter}`, filter.subscriptionId?.toLowerCase());
  const { rows } = await sql.query<ChangeRow>(
    `WITH seen AS MATERIALIZED (
       SELECT * FROM change WHERE ${WITHIN} ORDER BY xid, seq LIMIT $4
     ), matching AS (
       SELECT * FROM seen c ${conditions.where} ORDER BY xid, seq LIMIT $5
     )
     SELECT m.*, r.id, r.name FROM matching m LEFT JOIN resource r USING (uid) ORDER BY m.xid, m.seq`,
    conditions.values,
  );
  if (rows.length === limit || conditions.isEmpty) return { rows, lastSeen: null };
  const { rows: ends } = await sql.query<FeedPosition>(
    `SELECT xid, seq FROM change WHERE ${WITHIN} ORDER BY xid, seq OFFSET $4 LIMIT 1`,
    [start.xid, start.seq, end.xid, WINDOW - 1],
  );
  return { rows, lastSeen: ends[0] ?? null };
}

function toChange(row: ChangeRow): ChangeRecord {
  return {
    cursor: format(row),
    type: row.type,
    at: row.at,
    uid: row.uid,
    kind: row.kind,
    id: row.id ?? row.uid,
    name: row.name ?? row.uid,
    subscriptionId: row.subscription_id,
    clusterUid: row.cluster_uid,
    namespace: row.namespace,
    changed: row.changed,
    provisioningStateBefore: row.provisioning_state_before === '' ? null : row.provisioning_state_before,
    provisioningState: row.provisioning_state === '' ? null : row.provisioning_state,
    healthBefore: row.health_before,
    health: row.health,
  };
}

function format(position: FeedPosition): string {
  return encodeCursor(LIST, [position.xid, position.seq]);
}

function parse(cursor: string): FeedPosition {
  const [xid, seq] = decodeCursor(LIST, 2, cursor);
  const position = feedPositionOf(xid, seq);
  if (position === undefined) throw foreignCursor();
  return position;
}

function foreignCursor(): ControlError {
  return new ControlError('INVALID_CURSOR', 'The cursor was not issued by this feed.', {
    remedy: 'Start again without a cursor.',
  });
}
