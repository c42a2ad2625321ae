import { beforeEach, describe, expect, it } from '@jest/globals';
import { WorkerLease, type LeaseMoment } from './worker-lease.js';

const HOLD_MS = 4_000;

describe('the lease of a worker', () => {
  let at: LeaseMoment;
  let lease: WorkerLease;

  beforeEach(() => {
    at = { monotonicMs: 50_000, wallMs: Date.parse('2026-01-01T00:00:00Z') };
    lease = new WorkerLease(() => at);
  });

  const pass = (milliseconds: number): void => {
    at = { monotonicMs: at.monotonicMs + milliseconds, wallMs: at.wallMs + milliseconds };
  };
  const renew = (unbroken = true): void => lease.renew(lease.now(), HOLD_MS, unbroken);
  const mayWrite = (): boolean => {
    try {
      lease.assertMayWrite();
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'FENCED', retryable: true });
      return false;
    }
  };

  it('does not concern a process that never asked for one', () => {
    pass(1_000_000);
    expect(mayWrite()).toBe(true);
    expect(lease.term).toBeUndefined();
  });

  it.each([
    { passed: [0], held: true, reason: 'it was just renewed' },
    { passed: [3_999], held: true, reason: 'the time is not over' },
    { passed: [4_000], held: false, reason: 'the time is over' },
    { passed: [3_000, 3_000, 3_000], held: true, reason: 'it is renewed again and again' },
    { passed: [9_000], held: false, reason: 'the process stood still' },
  ])('is held: $held after $passed ms, since $reason', ({ passed, held }) => {
    renew(false);
    const { term } = lease;
    for (const [index, milliseconds] of passed.entries()) {
      pass(milliseconds);
      if (index < passed.length - 1) renew();
    }
    expect(mayWrite()).toBe(held);
    expect(term?.aborted).toBe(!held);
  });

  it('counts from before the renewal was asked for, not from its answer', () => {
    const asked = lease.now();
    pass(3_500);
    lease.renew(asked, HOLD_MS, false);
    pass(600);
    expect(mayWrite()).toBe(false);
  });

  it('stays lost for what began in it, though the first thing after a stall is a renewal', () => {
    renew(false);
    const old = lease.term;
    pass(9_000);
    renew();
    expect(old?.aborted).toBe(true);
    expect(old?.reason).toMatchObject({ code: 'FENCED' });
    expect(mayWrite()).toBe(true);
    expect(lease.term?.aborted).toBe(false);
    expect(lease.lapses).toBe(1);
  });

  it('is lost when the others say so, whatever the clocks say', () => {
    renew(false);
    const old = lease.term;
    pass(10);
    renew(false);
    expect(old?.aborted).toBe(true);
    expect(lease.term?.aborted).toBe(false);
  });

  it.each([
    { monotonicMs: 10, wallMs: 60_000, reason: 'the machine slept and its monotonic clock with it' },
    { monotonicMs: 60_000, wallMs: -60_000, reason: 'somebody set the clock back during a stall' },
  ])('is lost when $reason', ({ monotonicMs, wallMs }) => {
    renew(false);
    at = { monotonicMs: at.monotonicMs + monotonicMs, wallMs: at.wallMs + wallMs };
    expect(mayWrite()).toBe(false);
  });

  it('is refused by the look at the clock alone: no timer has to run first', () => {
    renew(false);
    const { term } = lease;
    pass(60_000);
    expect(term?.aborted).toBe(false);
    expect(mayWrite()).toBe(false);
    expect(term?.aborted).toBe(true);
  });
});
