import type { Clock } from '#libs/kernel/clock.js';
import type { BudgetAnswer, BudgetKey, CallBudgetStore } from '#libs/kernel/call-budget.js';
import { fullBucket, refilled, takeToken, type BucketLimit, type TokenBucket } from '#libs/kernel/token-bucket.js';

/** Buckets of this process alone: for a process that has no database. */
export class MemoryBudgetStore implements CallBudgetStore {
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(private readonly clock: Clock) {}

  take(key: BudgetKey, limit: BucketLimit, caller: string, longestWaitMs: number): Promise<BudgetAnswer> {
    const outcome = takeToken(this.#bucket(key, limit), limit, caller, this.#now(), longestWaitMs);
    if (outcome.outcome === 'refused') return Promise.resolve(outcome);
    this.#buckets.set(nameOf(key), outcome.bucket);
    return Promise.resolve({ outcome: 'granted', waitMs: outcome.waitMs, left: outcome.bucket.tokens });
  }

  lower(key: BudgetKey, limit: BucketLimit, remaining: number): Promise<void> {
    const bucket = refilled(this.#bucket(key, limit), limit, this.#now());
    this.#buckets.set(nameOf(key), { ...bucket, tokens: Math.min(bucket.tokens, remaining) });
    return Promise.resolve();
  }

  close(key: BudgetKey, limit: BucketLimit, seconds: number): Promise<void> {
    const bucket = this.#bucket(key, limit);
    const closedUntil = Math.max(bucket.closedUntil, this.#now() + seconds * 1000);
    this.#buckets.set(nameOf(key), { ...bucket, closedUntil });
    return Promise.resolve();
  }

  #bucket(key: BudgetKey, limit: BucketLimit): TokenBucket {
    return this.#buckets.get(nameOf(key)) ?? fullBucket(limit, this.#now());
  }

  #now(): number {
    return this.clock.now().getTime();
  }
}

function nameOf({ scope, callClass }: BudgetKey): string {
  return `${scope}|${callClass}`;
}
