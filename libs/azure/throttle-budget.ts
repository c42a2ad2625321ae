import type { Clock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { ReadableHeaders } from './retry-after.js';

/** ARM counts reads, writes and deletes apart; Resource Graph counts its queries by caller. */
export type CallClass = 'reads' | 'writes' | 'deletes' | 'graphQueries';

/** What one bucket holds: ARM's documented sizes (per subscription and caller), and Resource Graph's 15 queries in 5 s. */
const BUCKETS: Readonly<Record<CallClass, { capacity: number; refillPerSecond: number }>> = {
  reads: { capacity: 250, refillPerSecond: 25 },
  writes: { capacity: 200, refillPerSecond: 10 },
  deletes: { capacity: 200, refillPerSecond: 10 },
  graphQueries: { capacity: 15, refillPerSecond: 3 },
};

interface Bucket {
  /** May be below zero: callers that are waiting have taken theirs already. */
  tokens: number;
  refilledAt: number;
  /** Azure said "not before": milliseconds of the clock. */
  closedUntil: number;
}

export interface BudgetSnapshot {
  /** A subscription id, or `tenant`. */
  scope: string;
  callClass: CallClass;
  remaining: number;
  capacity: number;
  /** Above zero while Azure has asked for patience. */
  closedForSeconds: number;
}

export interface ThrottleBudgetOptions {
  clock: Clock;
  longestWaitMs: number;
  /** Waits; rejects with the signal's reason when it aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/**
 * Keeps this process below Azure's throttles, so that a burst of ours waits here and not in a 429. What Azure reports as
 * remaining lowers the estimate (others share the same bucket); time refills it.
 */
export class ThrottleBudget {
  readonly #buckets = new Map<string, Bucket>();

  constructor(private readonly options: ThrottleBudgetOptions) {}

  /**
   * Takes one call from the bucket, waiting a little where it is empty.
   * @throws ControlError AZURE_THROTTLED with the time to wait, when that is longer than a caller should be held.
   */
  async take(scope: string, callClass: CallClass, signal?: AbortSignal): Promise<void> {
    const bucket = this.#bucket(scope, callClass);
    const { refillPerSecond } = BUCKETS[callClass];
    bucket.tokens -= 1;
    const now = this.options.clock.now().getTime();
    const forTokens = bucket.tokens >= 0 ? 0 : (-bucket.tokens / refillPerSecond) * 1000;
    const waitMs = Math.max(forTokens, bucket.closedUntil - now);
    if (waitMs <= 0) return;
    if (waitMs > this.options.longestWaitMs) {
      bucket.tokens += 1;
      throw new ControlError(
        'AZURE_THROTTLED',
        `The budget of Azure ${callClass} for ${scope} is used up for the moment.`,
        {
          retry: { kind: 'after', seconds: Math.ceil(waitMs / 1000) },
        },
      );
    }
    await this.options.sleep(waitMs, signal);
  }

  /** Learns from the headers of an answer. */
  learn(scope: string, callClass: CallClass, headers: ReadableHeaders): void {
    const bucket = this.#bucket(scope, callClass);
    if (callClass === 'graphQueries') {
      const remaining = wholeNumber(headers.get('x-ms-user-quota-remaining'));
      if (remaining === undefined) return;
      bucket.tokens = Math.min(bucket.tokens, remaining);
      const resetsAfter = clockTime(headers.get('x-ms-user-quota-resets-after'));
      if (remaining === 0 && resetsAfter !== undefined) this.close(scope, callClass, resetsAfter);
      return;
    }
    for (const level of scope === TENANT ? ['tenant'] : ['subscription', 'subscription-global']) {
      const remaining = wholeNumber(headers.get(`x-ms-ratelimit-remaining-${level}-${callClass}`));
      if (remaining !== undefined) bucket.tokens = Math.min(bucket.tokens, remaining);
    }
  }

  /** Azure has refused a call of this bucket: nobody asks again before the given time. */
  close(scope: string, callClass: CallClass, seconds: number): void {
    const bucket = this.#bucket(scope, callClass);
    bucket.closedUntil = Math.max(bucket.closedUntil, this.options.clock.now().getTime() + seconds * 1000);
  }

  snapshot(): BudgetSnapshot[] {
    const now = this.options.clock.now().getTime();
    return [...this.#buckets.keys()].map((key) => {
      const [scope, callClass] = key.split('|') as [string, CallClass];
      const bucket = this.#bucket(scope, callClass);
      return {
        scope,
        callClass,
        remaining: Math.max(0, Math.floor(bucket.tokens)),
        capacity: BUCKETS[callClass].capacity,
        closedForSeconds: Math.max(0, (bucket.closedUntil - now) / 1000),
      };
    });
  }

  #bucket(scope: string, callClass: CallClass): Bucket {
    const key = `${scope}|${callClass}`;
    const now = this.options.clock.now().getTime();
    const { capacity, refillPerSecond } = BUCKETS[callClass];
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      bucket = { tokens: capacity, refilledAt: now, closedUntil: 0 };
      this.#buckets.set(key, bucket);
    }
    const elapsedSeconds = Math.max(0, now - bucket.refilledAt) / 1000;
    bucket.tokens = Math.min(capacity, bucket.tokens + elapsedSeconds * refillPerSecond);
    bucket.refilledAt = now;
    return bucket;
  }
}

/** The scope of calls that belong to no subscription. */
export const TENANT = 'tenant';

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}

/** `hh:mm:ss` as seconds. */
function clockTime(text: string | undefined): number | undefined {
  const match = /^(\d+):(\d{2}):(\d{2})(?:\.\d+)?$/.exec(text?.trim() ?? '');
  return match === null ? undefined : Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3]);
}
