import { describe, expect, it } from '@jest/globals';
import { fullBucket, refilled, takeToken, type TokenBucket } from './token-bucket.js';

const LIMIT = { capacity: 100, refillPerSecond: 10 };
const PATIENCE_MS = 2_000;

/** Takes as many as are granted, and tells how long each waits. */
function take(bucket: TokenBucket, caller: string, count: number, now = 0): { bucket: TokenBucket; waits: number[] } {
  const waits: number[] = [];
  let present = bucket;
  for (let taken = 0; taken < count; taken++) {
    const outcome = takeToken(present, LIMIT, caller, now, PATIENCE_MS);
    if (outcome.outcome === 'refused') break;
    waits.push(outcome.waitMs);
    present = outcome.bucket;
  }
  return { bucket: present, waits };
}

describe('a bucket that callers share', () => {
  it.each([
    { reason: 'a burst within the bucket', taken: 80, expected: 0 },
    { reason: 'the first behind the part that is for others', taken: 81, expected: 100 },
    { reason: 'each behind the one before', taken: 85, expected: 500 },
  ])('lets the last of many calls of one caller wait: $reason', ({ taken, expected }) => {
    expect(take(fullBucket(LIMIT, 0), 'noisy', taken).waits.at(-1)).toBe(expected);
  });

  it('refuses who would have to wait for too long, and takes nothing for it', () => {
    const { bucket, waits } = take(fullBucket(LIMIT, 0), 'noisy', 1_000);
    expect(waits).toHaveLength(100);
    expect(takeToken(bucket, LIMIT, 'noisy', 0, PATIENCE_MS)).toEqual({ outcome: 'refused', waitMs: 2_100 });
    expect(bucket.tokens).toBe(0);
  });

  it('lets a newcomer through at once, whatever the others have taken', () => {
    const { bucket } = take(fullBucket(LIMIT, 0), 'noisy', 82);
    expect(take(bucket, 'modest', 10).waits).toEqual(Array(10).fill(0));
  });

  it('gives one who is alone all that comes back', () => {
    let { bucket } = take(fullBucket(LIMIT, 0), 'noisy', 80);
    let waited = 0;
    for (let second = 1; second <= 60; second++) {
      const next = take(bucket, 'noisy', 10, second * 1_000);
      bucket = next.bucket;
      waited += Math.max(0, ...next.waits);
    }
    expect(waited).toBe(0);
  });

  it('forgets what was taken as the bucket refills', () => {
    const { bucket } = take(fullBucket(LIMIT, 0), 'noisy', 80);
    expect(refilled(bucket, LIMIT, 10_000).callers.noisy!.used).toBeCloseTo(80 / Math.E, 5);
    expect(refilled(bucket, LIMIT, 100_000)).toMatchObject({ tokens: 100, callers: {} });
  });

  it('waits as long as was asked for, everybody', () => {
    const closed = { ...fullBucket(LIMIT, 0), closedUntil: 1_500 };
    expect(take(closed, 'modest', 1).waits).toEqual([1_500]);
    expect(take(closed, 'modest', 1, 1_500).waits).toEqual([0]);
  });

  it('does not run backwards with a clock that does', () => {
    const { bucket } = take(fullBucket(LIMIT, 5_000), 'modest', 10, 5_000);
    expect(refilled(bucket, LIMIT, 1_000)).toMatchObject({ tokens: 90, at: 5_000 });
  });
});
