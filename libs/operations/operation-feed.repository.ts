import { ControlError } from '#libs/kernel/control-error.js';
import { decodeCursor, encodeCursor } from '#libs/kernel/page.js';
import type { Database } from '#libs/database/database.js';
import { endOfFeed } from '#libs/database/feed-end.repository.js';
import { FEED_START, feedPositionOf, isBefore, isBeyond, type FeedPosition } from '#libs/database/feed-position.js';
import { SqlConditions } from '#libs/database/sql-conditions.js';
import type { Sql } from '#libs/database/sql.js';
import type { OperationRecord } from './operation.record.js';
import { operationOf, type OperationFilter, type PictureRow } from './operation.repository.js';

const LIST = 'operation-events';
/** How many transitions one call looks at when its filter fits few of them. */
const WINDOW = 5_000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** A transition in its place among those of all operations. */
export interface FedOperationEvent {
  cursor: string;
  at: Date;
  operation: OperationRecord;
}

export interface OperationFeedPage {
  events: FedOperationEvent[];
  /** Where to go on; also when there is nothing at present. */
  nextCursor: string;
  /** Nothing more is to be had at present. A page may have less than `limit` events, or none, and not be at the end. */
  caughtUp: boolean;
  /** There is more, which is shown once an older transaction has ended; nobody tells of that. */
  heldBack: boolean;
}

/** How a transition must have left its operation. */
export type OperationFeedFilter = Omit<OperationFilter, 'approvalState'>;

interface EventRow extends FeedPosition {
  at: Date;
  snapshot: PictureRow;
}

interface Place extends FeedPosition {
  /** Of the transition, or of the look that found none: milliseconds since the epoch. */
  at: number;
}

/** The transitions of all operations, oldest first. They are kept as long as their operations are. */
export class OperationFeedRepository {
  constructor(
    private readonly database: Database,
    private readonly settings: { operationDays: number },
  ) {}

  /**
   * The transitions after a cursor; without one, from the oldest that is kept.
   * @throws ControlError INVALID_CURSOR; CURSOR_EXPIRED when transitions after the cursor may be no longer kept.
   */
  async after(cursor: string | null, filter: OperationFeedFilter, limit: number): Promise<OperationFeedPage> {
    const place = cursor === null ? null : this.#parse(cursor);
    return this.database.snapshot(async (sql) => {
      const end = await endOfFeed(sql);
      if (place !== null && isBeyond(place, end)) throw foreignCursor();
      const start = place ?? { ...FEED_START, at: Date.now() };
      const { rows, lastSeen } = await readWindow(sql, start, end, filter, limit);
      const events = rows.map((row) => ({
        cursor: format(placeOf(row)),
        at: row.at,
        operation: operationOf(row.snapshot),
      }));
      const goOnAfter = rows.length === limit ? events.at(-1)?.cursor : lastSeen;
      if (goOnAfter !== undefined) return { events, nextCursor: goOnAfter, caughtUp: false, heldBack: false };
      // Moving on through quiet times keeps the cursor of a rarely matching filter from expiring.
      const next = isBefore(start, end) ? end : start;
      return {
        events,
        nextCursor: format({ ...next, at: Date.now() }),
        caughtUp: true,
        heldBack: await isHeldBack(sql, end),
      };
    });
  }

  /** The cursor of now: what is committed later comes after it. */
  async head(): Promise<string> {
    return format({ ...(await endOfFeed(this.database)), at: Date.now() });
  }

  #parse(cursor: string): Place {
    const [xid, seq, at] = decodeCursor(LIST, 3, cursor);
    const position = feedPositionOf(xid, seq);
    if (position === undefined || typeof at !== 'number' || !Number.isSafeInteger(at)) throw foreignCursor();
    if (at >= Date.now() - this.settings.operationDays * DAY_MS) return { ...position, at };
    throw new ControlError('CURSOR_EXPIRED', 'Operations that ended after this cursor are no longer all kept.', {
      remedy: 'Read the operations anew, then follow their transitions from the present on.',
    });
  }
}

const WITHIN = '(xid, seq) > ($1::bigint, $2::bigint) AND xid < $3::bigint';

/** `lastSeen`: the cursor of the window's end, where it ended before the feed and before the page was full. */
async function readWindow(
  sql: Sql,
  start: FeedPosition,
  end: FeedPosition,
  filter: OperationFeedFilter,
  limit: number,
): Promise<{ rows: EventRow[]; lastSeen?: string }> {
  const conditions = new SqlConditions([start.xid, start.seq, end.xid, WINDOW, limit]);
  // What never changes is asked of the operation: the pictures are large, and are unpacked for their status only.
  conditions.add((parameter) => `o.type = ${parameter}`, filter.type);
  conditions.add((parameter) => `o.target_uid = ${parameter}::uuid`, filter.targetUid);
  conditions.add((parameter) => `o.requested_by = ${parameter}`, filter.requestedBy);
  conditions.add((parameter) => `o.set_id = ${parameter}::uuid`, filter.setId);
  conditions.add((parameter) => `seen.snapshot->>'status' = ANY(${parameter}::text[])`, filter.statuses);
  const { rows } = await sql.query<EventRow>(
    `SELECT seen.xid, seen.seq, seen.at, seen.snapshot FROM (
       SELECT * FROM operation_event WHERE ${WITHIN} ORDER BY xid, seq LIMIT $4
     ) seen JOIN operation o ON o.id = seen.operation_id
     ${conditions.where} ORDER BY seen.xid, seen.seq LIMIT $5`,
    conditions.values,
  );
  if (rows.length === limit || conditions.isEmpty) return { rows };
  const { rows: ends } = await sql.query<Omit<EventRow, 'snapshot'>>(
    `SELECT xid, seq, at FROM operation_event WHERE ${WITHIN} ORDER BY xid, seq OFFSET $4 LIMIT 1`,
    [start.xid, start.seq, end.xid, WINDOW - 1],
  );
  const [last] = ends;
  return { rows, ...(last === undefined ? {} : { lastSeen: format(placeOf(last)) }) };
}

async function isHeldBack(sql: Sql, end: FeedPosition): Promise<boolean> {
  const { rows } = await sql.query<{ more: boolean }>(
    `SELECT EXISTS (SELECT FROM operation_event WHERE xid >= $1::bigint) AS more`,
    [end.xid],
  );
  return rows[0]?.more === true;
}

function placeOf({ xid, seq, at }: Omit<EventRow, 'snapshot'>): Place {
  return { xid, seq, at: at.getTime() };
}

function format({ xid, seq, at }: Place): string {
  return encodeCursor(LIST, [xid, seq, at]);
}

function foreignCursor(): ControlError {
  return new ControlError('INVALID_CURSOR', 'The cursor was not issued by this feed.', {
    remedy: 'Start again without a cursor.',
  });
}
