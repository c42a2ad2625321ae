import { ControlError } from '#libs/kernel/control-error.js';
import type { BudgetAnswer, BudgetKey, CallBudgetStore, KeptBucket } from '#libs/kernel/call-budget.js';
import { fullBucket, refilled, takeToken, type BucketLimit, type TokenBucket } from '#libs/kernel/token-bucket.js';
import { databaseJson } from '#libs/database/database-json.js';
import type { Sql } from '#libs/database/sql.js';

/** Processes that change one bucket at the same moment take turns; that many turns are not lost in a row. */
const MOST_ATTEMPTS = 50;

interface BucketRow {
  scope: string;
  call_class: string;
  capacity: number;
  refill_per_second: number;
  tokens: number;
  at: number;
  closed_until: number;
  callers: TokenBucket['callers'];
  version: string;
  now: number;
}

/** All times as milliseconds of the database's clock. */
const COLUMNS = `scope, call_class, capacity, refill_per_second, tokens, callers, version,
  extract(epoch FROM at)::float8 * 1000 AS at, extract(epoch FROM closed_until)::float8 * 1000 AS closed_until,
  extract(epoch FROM clock_timestamp())::float8 * 1000 AS now`;

/**
 * The throttle budgets in Postgres: one bucket for a subscription and a class of calls, whichever process asks. A bucket is
 * read, worked out here and written if nobody was faster: no lock is held in between, which a process that stands still
 * would keep from everybody. Those of one process wait for each other first.
 */
export class ThrottleBucketRepository implements CallBudgetStore {
  readonly #turns = new Map<string, Promise<unknown>>();

  /** @param sql there as soon as the database is: nothing is asked before that. */
  constructor(private readonly sql: Sql | Promise<Sql>) {}

  take(key: BudgetKey, limit: BucketLimit, caller: string, longestWaitMs: number): Promise<BudgetAnswer> {
    return this.#change<BudgetAnswer>(key, limit, (bucket, now) => {
      const taken = takeToken(bucket, limit, caller, now, longestWaitMs);
      if (taken.outcome === 'refused') return { answer: taken };
      return { answer: { outcome: 'granted', waitMs: taken.waitMs, left: taken.bucket.tokens }, bucket: taken.bucket };
    });
  }

  async lower(key: BudgetKey, limit: BucketLimit, remaining: number): Promise<void> {
    await this.#change(key, limit, (bucket, now) => {
      const present = refilled(bucket, limit, now);
      if (present.tokens <= remaining) return { answer: undefined };
      return { answer: undefined, bucket: { ...present, tokens: remaining } };
    });
  }

  async close(key: BudgetKey, limit: BucketLimit, seconds: number): Promise<void> {
    await this.#change(key, limit, (bucket, now) => {
      const closedUntil = now + seconds * 1000;
      if (closedUntil <= bucket.closedUntil) return { answer: undefined };
      return { answer: undefined, bucket: { ...bucket, closedUntil } };
    });
  }

  /** Every bucket that was ever used, by its name. */
  async findAll(): Promise<KeptBucket[]> {
    const sql = await this.sql;
    const { rows } = await sql.query<BucketRow>(`SELECT ${COLUMNS} FROM throttle_bucket ORDER BY scope, call_class`);
    return rows.map((row) => {
      const limit = { capacity: row.capacity, refillPerSecond: row.refill_per_second };
      const key = { scope: row.scope, callClass: row.call_class };
      return { key, limit, bucket: refilled(bucketOf(row), limit, row.now), now: row.now };
    });
  }

  /** @param work decides from a bucket what it is to be; without a bucket it stays as it is. */
  async #change<T>(
    key: BudgetKey,
    limit: BucketLimit,
    work: (bucket: TokenBucket, now: number) => { answer: T; bucket?: TokenBucket },
  ): Promise<T> {
    const name = `${key.scope}|${key.callClass}`;
    const before = this.#turns.get(name) ?? Promise.resolve();
    const turn = before.then(() => this.#changeNow(key, limit, work));
    // Whoever comes next waits for the end of this, and need not know how it ended.
    const ended = turn.catch(() => undefined);
    this.#turns.set(name, ended);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(name) === ended) this.#turns.delete(name);
    }
  }

  async #changeNow<T>(
    key: BudgetKey,
    limit: BucketLimit,
    work: (bucket: TokenBucket, now: number) => { answer: T; bucket?: TokenBucket },
  ): Promise<T> {
    const sql = await this.sql;
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const row = await this.#read(sql, key, limit);
      const { answer, bucket } = work(bucketOf(row), row.now);
      if (bucket === undefined || (await this.#write(sql, row, limit, bucket))) return answer;
    }
    throw new ControlError('UNAVAILABLE', 'Too many processes ask for the same budget at the same moment.', {
      retry: { kind: 'backoff' },
    });
  }

  async #read(sql: Sql, { scope, callClass }: BudgetKey, limit: BucketLimit): Promise<BucketRow> {
    const read = () =>
      sql.query<BucketRow>(`SELECT ${COLUMNS} FROM throttle_bucket WHERE scope = $1 AND call_class = $2`, [
        scope,
        callClass,
      ]);
    const [found] = (await read()).rows;
    if (found !== undefined) return found;
    const { tokens } = fullBucket(limit, 0);
    await sql.query(
      `INSERT INTO throttle_bucket (scope, call_class, capacity, refill_per_second, tokens, at, closed_until)
       VALUES ($1, $2, $3, $4, $5, clock_timestamp(), 'epoch') ON CONFLICT DO NOTHING`,
      [scope, callClass, limit.capacity, limit.refillPerSecond, tokens],
    );
    const [made] = (await read()).rows;
    if (made === undefined) throw new TypeError(`The bucket of ${scope} and ${callClass} could not be made`);
    return made;
  }

  /** @returns false when somebody was faster. */
  async #write(sql: Sql, before: BucketRow, limit: BucketLimit, bucket: TokenBucket): Promise<boolean> {
    const { rowCount } = await sql.query(
      `UPDATE throttle_bucket SET tokens = $4, at = to_timestamp($5::float8 / 1000), closed_until = to_timestamp($6::float8 / 1000),
         callers = $7, capacity = $8, refill_per_second = $9, version = version + 1
       WHERE scope = $1 AND call_class = $2 AND version = $3::bigint`,
      [
        before.scope,
        before.call_class,
        before.version,
        bucket.tokens,
        bucket.at,
        bucket.closedUntil,
        databaseJson(bucket.callers),
        limit.capacity,
        limit.refillPerSecond,
      ],
    );
    return rowCount === 1;
  }
}

function bucketOf(row: BucketRow): TokenBucket {
  return { tokens: row.tokens, at: row.at, closedUntil: row.closed_until, callers: row.callers };
}
