import { ControlError } from '#libs/kernel/control-error.js';
import { decodeCursor, encodeCursor } from '#libs/kernel/page.js';
import type { Database } from '#libs/database/database.js';
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
const LARGEST_BIGINT = 9_223_372_036_854_775_807n;

export interface ChangePage {
  changes: ChangeRecord[];
  /** Where to go on; also when there is nothing at present. */
  nextCursor: string;
  /** Nothing more is to be had at present. A page may have less than `limit` changes, or none, and not be at the end. */
  caughtUp: boolean;
}

/** A place in the feed: after everything up to this transaction id and sequence number. */
interface Position {
  xid: string;
  seq: string;
}

interface ChangeRow {
  xid: string;
  seq: string;
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

/**
 * The change feed. Its order is (transaction id, sequence), and a reader is never shown a transaction id as long as an
 * older one may still commit: so a change that commits late is not skipped, it only appears later.
 */
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
        return { changes, nextCursor: last.cursor, caughtUp: false };
      if (window.lastSeen !== null) return { changes, nextCursor: format(window.lastSeen), caughtUp: false };
      // Moving on through quiet times keeps the cursor of a rarely matching filter from expiring.
      return { changes, nextCursor: format(isBefore(start, end) ? end : start), caughtUp: true };
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

  async #start(sql: Sql, position: Position | null, end: Position): Promise<Position> {
    if (position === null) return { xid: '0', seq: '0' };
    // Only another database (or nobody) has issued a place that this one has not reached.
    if (isBefore({ ...end, seq: LARGEST_BIGINT.toString() }, position)) throw foreignCursor();
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

async function endOfFeed(sql: Sql): Promise<Position> {
  const { rows } = await sql.query<{ xid: string }>('SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xid');
  const [row] = rows;
  if (row === undefined) throw new Error('Postgres gave no snapshot');
  return { xid: row.xid, seq: '0' };
}

const WITHIN = '(xid, seq) > ($1::bigint, $2::bigint) AND xid < $3::bigint';

/** `lastSeen`: the end of the window, where the window ended before the feed and before the page was full. */
async function readWindow(
  sql: Sql,
  start: Position,
  end: Position,
  filter: ChangeFilter,
  limit: number,
): Promise<{ rows: ChangeRow[]; lastSeen: Position | null }> {
  const values: unknown[] = [start.xid, start.seq, end.xid, WINDOW, limit];
  const conditions: string[] = [];
  const add = (condition: (parameter: string) => string, value: unknown): void => {
    if (value === undefined) return;
    // No stored text holds a NUL, and Postgres refuses a parameter with one.
    if (typeof value === 'string' && value.includes('\0')) {
      conditions.push('false');
      return;
    }
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  add((parameter) => `c.kind = ANY(${parameter}::text[])`, filter.kinds);
  add((parameter) => `c.uid = ${parameter}::uuid`, filter.uid);
  add((parameter) => `c.cluster_uid = ${parameter}::uuid`, filter.clusterUid);
  add((parameter) => `c.namespace = ${parameter}`, filter.namespace);
  add((parameter) => `c.subscription_id = ${parameter}`, filter.subscriptionId?.toLowerCase());
  const { rows } = await sql.query<ChangeRow>(
    `WITH seen AS MATERIALIZED (
       SELECT * FROM change WHERE ${WITHIN} ORDER BY xid, seq LIMIT $4
     ), matching AS (
       SELECT * FROM seen c ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`} ORDER BY xid, seq LIMIT $5
     )
     SELECT m.*, r.id, r.name FROM matching m LEFT JOIN resource r USING (uid) ORDER BY m.xid, m.seq`,
    values,
  );
  if (rows.length === limit || conditions.length === 0) return { rows, lastSeen: null };
  const { rows: ends } = await sql.query<Position>(
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

/** Numbers of 64 bits travel as text: a JavaScript number would round them. */
function format(position: Position): string {
  return encodeCursor(LIST, [position.xid, position.seq]);
}

function parse(cursor: string): Position {
  const [xid, seq] = decodeCursor(LIST, 2, cursor);
  if (typeof xid !== 'string' || typeof seq !== 'string') throw foreignCursor();
  if (![xid, seq].every((part) => /^\d{1,19}$/.test(part) && BigInt(part) <= LARGEST_BIGINT)) throw foreignCursor();
  return { xid, seq };
}

function isBefore(left: Position, right: Position): boolean {
  const [leftXid, rightXid] = [BigInt(left.xid), BigInt(right.xid)];
  return leftXid < rightXid || (leftXid === rightXid && BigInt(left.seq) < BigInt(right.seq));
}

function foreignCursor(): ControlError {
  return new ControlError('INVALID_CURSOR', 'The cursor was not issued by this feed.', {
    remedy: 'Start again without a cursor.',
  });
}
