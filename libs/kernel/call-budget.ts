import type { BucketLimit, TokenBucket } from './token-bucket.js';

/** A bucket of an outside system: what is counted together. */
export interface BudgetKey {
  /** A subscription id, or `tenant`. */
  scope: string;
  /** Such as `reads`. */
  callClass: string;
}

export type BudgetAnswer =
  | {
      outcome: 'granted';
      /** How long to wait before the call. */
      waitMs: number;
      /** What is left for others. */
      left: number;
    }
  | { outcome: 'refused'; waitMs: number };

/** Where the buckets are kept: in this process, or where all processes share them. */
export interface CallBudgetStore {
  take(key: BudgetKey, limit: BucketLimit, caller: string, longestWaitMs: number): Promise<BudgetAnswer>;
  /** The outside system says that so many are left: others have the same bucket. */
  lower(key: BudgetKey, limit: BucketLimit, remaining: number): Promise<void>;
  /** The outside system says "not before". */
  close(key: BudgetKey, limit: BucketLimit, seconds: number): Promise<void>;
}

/** A bucket as it is now. */
export interface KeptBucket {
  key: BudgetKey;
  limit: BucketLimit;
  bucket: TokenBucket;
  /** Milliseconds of the clock of the bucket. */
  now: number;
}
