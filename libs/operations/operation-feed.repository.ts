import { ControlError } from '#libs/kernel/control-error.js';
import { decodeCursor, encodeCursor } from '#libs/kernel/page.js';
import type { Database } from '#libs/database/database.js';
import {
  endOfFeed,
  FEED_START,
  feedPositionOf,
  isBefore,
  isBeyond,
  type FeedPosition,
} from '#libs/database/feed-position.js';
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
      const rows = await readWindow(sql, start, end);
      const fitting = rows.filter((row) => fits(row.snapshot, filter));
      const events = fitting.slice(0, limit).map((row) => ({
        cursor: format({ ...row, at: row.at.getTime() }),
        at: row.at,
        operation: operationOf(row.snapshot),
      }));
      const lastSeen = fitting.length > limit ? undefined : rows.at(-1);
      if (fitting.length > limit) {
        return { events, nextCursor: events.at(-1)!.cursor, caughtUp: false, heldBack: false };
      }
      if (rows.length === WINDOW && lastSeen !== undefined) {
        const nextCursor = format({ ...lastSeen, at: lastSeen.at.getTime() });
        return { events, nextCursor, caughtUp: false, heldBack: false };
      }
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

async function readWindow(sql: Sql, start: FeedPosition, end: FeedPosition): Promise<EventRow[]> {
  const { rows } = await sql.query<EventRow>(
    `SELECT xid, seq, at, snapshot FROM operation_event
     WHERE (xid, seq) > ($1::bigint, $2::bigint) AND xid < $3::bigint ORDER BY xid, seq LIMIT $4`,
    [start.xid, start.seq, end.xid, WINDOW],
  );
  return rows;
}

async function isHeldBack(sql: Sql, end: FeedPosition): Promise<boolean> {
  const { rows } = await sql.query<{ more: boolean }>(
    `SELECT EXISTS (SELECT FROM operation_event WHERE xid >= $1::bigint) AS more`,
    [end.xid],
  );
  return rows[0]?.more === true;
}

function fits(picture: PictureRow, filter: OperationFeedFilter): boolean {
  return (
    (filter.statuses === undefined || filter.statuses.includes(picture.status)) &&
    (filter.type === undefined || filter.type === picture.type) &&
    (filter.targetUid === undefined || filter.targetUid === picture.target_uid) &&
    (filter.requestedBy === undefined || filter.requestedBy === picture.requested_by) &&
    (filter.setId === undefined || filter.setId === picture.set_id)
  );
}

function format({ xid, seq, at }: Place): string {
  return encodeCursor(LIST, [xid, seq, at]);
}

function foreignCursor(): ControlError {
  return new ControlError('INVALID_CURSOR', 'The cursor was not issued by this feed.', {
    remedy: 'Start again without a cursor.',
  });
}
