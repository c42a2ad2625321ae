export interface BucketLimit {
  /** What a full bucket holds. */
  capacity: number;
  refillPerSecond: number;
}

/** A bucket at a moment. Times are milliseconds of one clock. */
export interface TokenBucket {
  /** May be below zero: callers that are waiting have taken theirs already. */
  tokens: number;
  at: number;
  /** Whoever keeps the real bucket has said "not before". */
  closedUntil: number;
  /** What each caller has taken lately; it fades as the bucket refills. */
  callers: Readonly<Record<string, { used: number; at: number }>>;
}

export type TokenOutcome =
  /** It is the caller's, after the wait. */
  | { outcome: 'granted'; waitMs: number; bucket: TokenBucket }
  /** It would have to wait for longer than it may; nothing was taken. */
  | { outcome: 'refused'; waitMs: number };

/** The part of a bucket that only those may use who have not had their share of it. */
const RESERVE = 0.2;
/** Whoever has had more than this part of a bucket lately has had their share: there is always room for somebody else. */
const SHARE = 0.5;
/** Less than that is forgotten. */
const FORGET = 0.5;

export function fullBucket({ capacity }: BucketLimit, now: number): TokenBucket {
  return { tokens: capacity, at: now, closedUntil: 0, callers: {} };
}

/** The bucket as it is at a later moment. */
export function refilled(bucket: TokenBucket, limit: BucketLimit, now: number): TokenBucket {
  const seconds = Math.max(0, now - bucket.at) / 1000;
  const tokens = Math.min(limit.capacity, bucket.tokens + seconds * limit.refillPerSecond);
  const callers = Object.entries(bucket.callers).flatMap(([caller, { used, at }]) => {
    const left = faded(used, now - at, limit);
    return left < FORGET ? [] : [[caller, { used: left, at: now }] as const];
  });
  return {
    tokens,
    at: Math.max(now, bucket.at),
    closedUntil: bucket.closedUntil,
    callers: Object.fromEntries(callers),
  };
}

/**
 * Takes a token, each caller behind those before. One that has had its share leaves the last part of the bucket to the
 * others, so that nobody who asks for much makes somebody wait who asks for little; in the long run it gets all that is left.
 */
export function takeToken(
  bucket: TokenBucket,
  limit: BucketLimit,
  caller: string,
  now: number,
  longestWaitMs: number,
): TokenOutcome {
  const present = refilled(bucket, limit, now);
  const used = (present.callers[caller]?.used ?? 0) + 1;
  const reserved = used > limit.capacity * SHARE ? limit.capacity * RESERVE : 0;
  const tokens = present.tokens - 1;
  const forTokens = tokens >= reserved ? 0 : ((reserved - tokens) / limit.refillPerSecond) * 1000;
  const waitMs = Math.max(forTokens, present.closedUntil - now, 0);
  if (waitMs > longestWaitMs) return { outcome: 'refused', waitMs };
  const callers = { ...present.callers, [caller]: { used, at: now } };
  return { outcome: 'granted', waitMs, bucket: { ...present, tokens, callers } };
}

function faded(used: number, milliseconds: number, { capacity, refillPerSecond }: BucketLimit): number {
  return used * Math.exp(-Math.max(0, milliseconds) / ((capacity / refillPerSecond) * 1000));
}
