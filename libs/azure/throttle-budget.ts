import type { CallBudgetStore } from '#libs/kernel/call-budget.js';
import { currentAccount } from '#libs/kernel/call-origin.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { BucketLimit } from '#libs/kernel/token-bucket.js';
import type { ReadableHeaders } from './retry-after.js';

/** ARM counts reads, writes and deletes apart; Resource Graph counts its queries by caller. */
export type CallClass = 'reads' | 'writes' | 'deletes' | 'graphQueries';

/** What one bucket holds: ARM's documented sizes (per subscription and caller), and Resource Graph's 15 queries in 5 s. */
export const BUCKET_LIMITS: Readonly<Record<CallClass, BucketLimit>> = {
  reads: { capacity: 250, refillPerSecond: 25 },
  writes: { capacity: 200, refillPerSecond: 10 },
  deletes: { capacity: 200, refillPerSecond: 10 },
  graphQueries: { capacity: 15, refillPerSecond: 3 },
};

export interface ThrottleBudgetOptions {
  /** Where the buckets are kept. */
  store: CallBudgetStore;
  longestWaitMs: number;
  /** Waits; rejects with the signal's reason when it aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/**
 * Keeps Pilothouse below Azure's throttles, so that a burst of ours waits here and not in a 429, and so that nobody who asks
 * for much starves the others. What Azure reports as remaining lowers the estimate (others share the same bucket); time
 * refills it.
 */
export class ThrottleBudget {
  constructor(private readonly options: ThrottleBudgetOptions) {}

  /**
   * Takes one call from the bucket on the account of whoever runs (`onAccountOf`), waiting a little where it is empty.
   * @returns what is left for others.
   * @throws ControlError AZURE_THROTTLED with the time to wait, when that is longer than a caller should be held.
   */
  async take(scope: string, callClass: CallClass, signal?: AbortSignal): Promise<number> {
    const { store, longestWaitMs } = this.options;
    const answer = await store.take({ scope, callClass }, BUCKET_LIMITS[callClass], currentAccount(), longestWaitMs);
    if (answer.outcome === 'refused') {
      throw new ControlError(
        'AZURE_THROTTLED',
        `The budget of Azure ${callClass} for ${scope} is used up for the moment.`,
        { retry: { kind: 'after', seconds: Math.ceil(answer.waitMs / 1000) } },
      );
    }
    if (answer.waitMs > 0) await this.options.sleep(answer.waitMs, signal);
    return answer.left;
  }

  /**
   * Learns from the headers of an answer.
   * @param left what was left by our own estimate: only less than that is news.
   */
  async learn(scope: string, callClass: CallClass, headers: ReadableHeaders, left: number): Promise<void> {
    const remaining = remainingOf(scope, callClass, headers);
    if (remaining === undefined) return;
    const { store } = this.options;
    if (remaining < left) await store.lower({ scope, callClass }, BUCKET_LIMITS[callClass], remaining);
    if (callClass !== 'graphQueries' || remaining > 0) return;
    const resetsAfter = clockTime(headers.get('x-ms-user-quota-resets-after'));
    if (resetsAfter !== undefined) await this.close(scope, callClass, resetsAfter);
  }

  /** Azure has refused a call of this bucket: nobody asks again before the given time. */
  close(scope: string, callClass: CallClass, seconds: number): Promise<void> {
    return this.options.store.close({ scope, callClass }, BUCKET_LIMITS[callClass], seconds);
  }
}

/** The scope of calls that belong to no subscription. */
export const TENANT = 'tenant';

/** What Azure says is left: the least of what it says of this class. */
function remainingOf(scope: string, callClass: CallClass, headers: ReadableHeaders): number | undefined {
  if (callClass === 'graphQueries') return wholeNumber(headers.get('x-ms-user-quota-remaining'));
  const levels = scope === TENANT ? ['tenant'] : ['subscription', 'subscription-global'];
  const said = levels.flatMap(
    (level) => wholeNumber(headers.get(`x-ms-ratelimit-remaining-${level}-${callClass}`)) ?? [],
  );
  return said.length === 0 ? undefined : Math.min(...said);
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}

/** `hh:mm:ss` as seconds. */
function clockTime(text: string | undefined): number | undefined {
  const match = /^(\d+):(\d{2}):(\d{2})(?:\.\d+)?$/.exec(text?.trim() ?? '');
  return match === null ? undefined : Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3]);
}
