import { describe, expect, it } from '@jest/globals';
import { onAccountOf } from '#libs/kernel/call-origin.js';
import { ManualClock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { MemoryBudgetStore } from './memory-budget.store.js';
import { BUCKET_LIMITS, ThrottleBudget, type CallClass } from './throttle-budget.js';

function budgetWithClock() {
  const clock = new ManualClock();
  const waits: number[] = [];
  const store = new MemoryBudgetStore(clock);
  const budget = new ThrottleBudget({
    store,
    longestWaitMs: 2000,
    sleep: (milliseconds) => {
      waits.push(milliseconds);
      return Promise.resolve();
    },
  });
  /** What is left, by a call that takes nothing: one for more than a bucket could ever wait. */
  const remaining = async (callClass: CallClass, scope = 's1'): Promise<number> => {
    const answer = await store.take({ scope, callClass }, BUCKET_LIMITS[callClass], 'observer', 0);
    return answer.outcome === 'refused' ? 0 : Math.floor(answer.left) + 1;
  };
  return { budget, clock, waits, remaining };
}

/** As many callers as calls, so that none has had more than its share. */
async function takeMany(budget: ThrottleBudget, count: number): Promise<void> {
  for (let taken = 0; taken < count; taken++) await onAccountOf(`caller-${taken}`, () => budget.take('s1', 'writes'));
}

describe('ThrottleBudget', () => {
  it('lets a burst of the documented size through without waiting', async () => {
    const { budget, waits } = budgetWithClock();
    await takeMany(budget, 200);
    expect(waits).toEqual([]);
  });

  it('holds the callers beyond that a little, each behind the one before', async () => {
    const { budget, waits } = budgetWithClock();
    await takeMany(budget, 203);
    expect(waits).toEqual([100, 200, 300]);
  });

  it('refuses a caller that would have to wait long, and tells when to come again', async () => {
    const { budget, remaining } = budgetWithClock();
    await takeMany(budget, 220);
    await expect(budget.take('s1', 'writes')).rejects.toMatchObject({
      code: 'AZURE_THROTTLED',
      retry: { kind: 'after', seconds: 3 },
    });
    // The refused caller has taken nothing.
    expect(await remaining('writes')).toBe(0);
  });

  it('refills with time', async () => {
    const { budget, clock, waits } = budgetWithClock();
    await takeMany(budget, 200);
    clock.advance(5000);
    await takeMany(budget, 50);
    expect(waits).toEqual([]);
  });

  it('leaves room for others, however much one asks for', async () => {
    const { budget, waits } = budgetWithClock();
    await onAccountOf('noisy', async () => {
      for (let taken = 0; taken < 160; taken++) await budget.take('s1', 'writes');
      expect(waits).toEqual([]);
      // The last fifth is for those who have not had their share.
      await budget.take('s1', 'writes');
      expect(waits).toEqual([100]);
    });
    await onAccountOf('modest', () => budget.take('s1', 'writes'));
    expect(waits).toEqual([100]);
  });

  it('counts each subscription and each class of calls apart', async () => {
    const { budget, waits } = budgetWithClock();
    await takeMany(budget, 200);
    await budget.take('s1', 'reads');
    await budget.take('s2', 'writes');
    expect(waits).toEqual([]);
  });

  it.each([
    {
      header: 'x-ms-ratelimit-remaining-subscription-writes',
      value: '3',
      remaining: 3,
      reason: 'others share the bucket',
    },
    {
      header: 'x-ms-ratelimit-remaining-subscription-global-writes',
      value: '7',
      remaining: 7,
      reason: 'the bucket over all callers counts too',
    },
    {
      header: 'x-ms-ratelimit-remaining-subscription-writes',
      value: '11999',
      remaining: 199,
      reason: 'an older, larger bucket does not raise ours',
    },
    {
      header: 'x-ms-ratelimit-remaining-subscription-reads',
      value: '0',
      remaining: 199,
      reason: 'reads say nothing about writes',
    },
    { header: 'x-ms-ratelimit-remaining-subscription-writes', value: 'many', remaining: 199, reason: 'not a number' },
  ])('learns from $header: $value ($reason)', async ({ header, value, remaining }) => {
    const { budget, remaining: left } = budgetWithClock();
    await budget.learn('s1', 'writes', new Map([[header, value]]), await budget.take('s1', 'writes'));
    expect(await left('writes')).toBe(remaining);
  });

  it('stays closed as long as Azure asked for', async () => {
    const { budget, clock } = budgetWithClock();
    await budget.close('s1', 'reads', 10);
    await expect(budget.take('s1', 'reads')).rejects.toBeInstanceOf(ControlError);
    clock.advance(10_000);
    await expect(budget.take('s1', 'reads')).resolves.toBe(249);
  });

  it('waits for the reset of the Resource Graph quota', async () => {
    const { budget } = budgetWithClock();
    const headers = new Map([
      ['x-ms-user-quota-remaining', '0'],
      ['x-ms-user-quota-resets-after', '00:00:05'],
    ]);
    await budget.learn('tenant', 'graphQueries', headers, 15);
    await expect(budget.take('tenant', 'graphQueries')).rejects.toMatchObject({ retry: { kind: 'after', seconds: 5 } });
  });
});
