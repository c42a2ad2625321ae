import type { Clock } from '#libs/kernel/clock.js';
import { ArmError } from './arm-error.js';

export type RequestClass = 'reads' | 'writes' | 'deletes';

/** Azure's documented buckets: tokens, and tokens a second. */
const LIMITS: Record<RequestClass, { size: number; refill: number }> = {
  reads: { size: 250, refill: 25 },
  writes: { size: 200, refill: 10 },
  deletes: { size: 200, refill: 10 },
};
/** All principals of a subscription together. */
const GLOBAL_FACTOR = 15;
const GRAPH_LIMIT = 15;
const GRAPH_WINDOW_SECONDS = 5;
/** More callers than that are not told apart for ever. */
const MAXIMUM_BUCKETS = 10_000;

interface Bucket {
  tokens: number;
  /** Milliseconds since the epoch. */
  at: number;
}

/** What is left, after the request that asked. */
export interface Remaining {
  principal: number;
  all: number;
}

/** The rate limits: token buckets for each scope and principal, and the fixed window of Resource Graph. */
export class Throttle {
  readonly #buckets = new Map<string, Bucket>();
  readonly #windows = new Map<string, { start: number; used: number }>();

  constructor(
    private readonly clock: Clock,
    /** Multiplies the limits; 0: there are none. */
    private readonly scale: () => number,
  ) {}

  /** @throws ArmError SubscriptionRequestsThrottled, or TenantRequestsThrottled where the scope is the tenant. */
  take(kind: RequestClass, scope: { subscriptionId?: string | undefined }, principal: string): Remaining {
    const scale = this.scale();
    const limit = LIMITS[kind];
    if (scale === 0) return { principal: limit.size, all: limit.size * GLOBAL_FACTOR };
    const name = scope.subscriptionId?.toLowerCase() ?? 'tenant';
    const own = this.#bucket(`${kind}|${name}|${principal}`, limit.size * scale, limit.refill * scale);
    const all = this.#bucket(
      `${kind}|${name}`,
      limit.size * scale * GLOBAL_FACTOR,
      limit.refill * scale * GLOBAL_FACTOR,
    );
    if (own.tokens < 1 || all.tokens < 1) {
      const missing = 1 - Math.min(own.tokens, all.tokens);
      throw throttled(kind, scope.subscriptionId, principal, Math.max(1, Math.ceil(missing / (limit.refill * scale))));
    }
    own.tokens -= 1;
    all.tokens -= 1;
    return { principal: Math.floor(own.tokens), all: Math.floor(all.tokens) };
  }

  /** Takes one query of Resource Graph; the headers say what is left. */
  takeGraphQuery(principal: string): { allowed: boolean; headers: Record<string, string>; retryAfterSeconds: number } {
    const scale = this.scale();
    const limit = scale === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(GRAPH_LIMIT * scale));
    const now = this.clock.now().getTime();
    let window = this.#windows.get(principal);
    if (window === undefined || now - window.start >= GRAPH_WINDOW_SECONDS * 1000) {
      window = { start: now, used: 0 };
      this.#windows.set(principal, window);
      this.#forget(this.#windows);
    }
    const allowed = window.used < limit;
    if (allowed) window.used++;
    const seconds = Math.ceil((window.start + GRAPH_WINDOW_SECONDS * 1000 - now) / 1000);
    const remaining = limit === Number.POSITIVE_INFINITY ? GRAPH_LIMIT : Math.max(0, limit - window.used);
    const headers = {
      'x-ms-user-quota-remaining': String(remaining),
      'x-ms-user-quota-resets-after': `00:00:${String(seconds).padStart(2, '0')}`,
    };
    return { allowed, headers, retryAfterSeconds: seconds };
  }

  clear(): void {
    this.#buckets.clear();
    this.#windows.clear();
  }

  #bucket(name: string, size: number, refill: number): Bucket {
    const now = this.clock.now().getTime();
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      const fresh = { tokens: size, at: now };
      this.#buckets.set(name, fresh);
      this.#forget(this.#buckets);
      return fresh;
    }
    bucket.tokens = Math.min(size, bucket.tokens + ((now - bucket.at) / 1000) * refill);
    bucket.at = now;
    return bucket;
  }

  #forget(entries: Map<string, unknown>): void {
    const oldest = entries.keys().next();
    if (entries.size > MAXIMUM_BUCKETS && oldest.done !== true) entries.delete(oldest.value);
  }
}

/** Polls and other GETs are reads; every POST counts as a write. */
export function classOf(method: string): RequestClass {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return 'reads';
    case 'DELETE':
      return 'deletes';
    default:
      return 'writes';
  }
}

function throttled(
  kind: RequestClass,
  subscriptionId: string | undefined,
  principal: string,
  seconds: number,
): ArmError {
  const scope = subscriptionId === undefined ? 'tenant' : `subscription '${subscriptionId}'`;
  return new ArmError(
    429,
    subscriptionId === undefined ? 'TenantRequestsThrottled' : 'SubscriptionRequestsThrottled',
    `Number of '${kind.slice(0, -1)}' requests for ${scope} actor '${principal}' exceeded. ` +
      `Please try again after '${seconds}' seconds after additional tokens are available. ` +
      'Refer to https://aka.ms/arm-throttling for additional information.',
    { headers: { 'retry-after': String(seconds) }, gateway: true },
  );
}
