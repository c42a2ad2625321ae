import { describe, expect, it } from '@jest/globals';
import { SingleFlight } from './single-flight.js';

const never = new AbortController().signal;

describe('SingleFlight', () => {
  it('works once for all who come while it works, and anew for who comes later', async () => {
    const flight = new SingleFlight<number>();
    let runs = 0;
    const work = () => Promise.resolve(++runs);
    await expect(Promise.all([flight.join(work, never), flight.join(work, never)])).resolves.toEqual([1, 1]);
    await expect(flight.join(work, never)).resolves.toBe(2);
  });

  it('fails for all, and is then tried anew', async () => {
    const flight = new SingleFlight<number>();
    const fault = new Error('no');
    const failing = () => Promise.reject<number>(fault);
    const outcomes = await Promise.allSettled([flight.join(failing, never), flight.join(failing, never)]);
    expect(outcomes).toEqual([
      { status: 'rejected', reason: fault },
      { status: 'rejected', reason: fault },
    ]);
    await expect(flight.join(() => Promise.resolve(1), never)).resolves.toBe(1);
  });

  it('goes on for the others when one gives up, and ends when all have', async () => {
    const flight = new SingleFlight<number>();
    const { promise, resolve } = Promise.withResolvers<number>();
    let given: AbortSignal | undefined;
    const work = (signal: AbortSignal): Promise<number> => {
      given = signal;
      return promise;
    };
    const first = new AbortController();
    const second = new AbortController();
    const one = flight.join(work, first.signal);
    const two = flight.join(work, second.signal);
    first.abort(new Error('first'));
    await expect(one).rejects.toThrow('first');
    expect(given?.aborted).toBe(false);
    second.abort(new Error('second'));
    await expect(two).rejects.toThrow('second');
    expect(given?.aborted).toBe(true);
    resolve(1);
    await expect(flight.join(() => Promise.resolve(2), never)).resolves.toBe(2);
  });

  it('does not start for who has given up already', async () => {
    const flight = new SingleFlight<number>();
    let runs = 0;
    await expect(flight.join(() => Promise.resolve(++runs), AbortSignal.abort(new Error('no')))).rejects.toThrow('no');
    expect(runs).toBe(0);
  });

  it('starts anew after it was to be forgotten', async () => {
    const flight = new SingleFlight<number>();
    const { promise, resolve } = Promise.withResolvers<number>();
    const old = flight.join(() => promise, never);
    flight.forget();
    await expect(flight.join(() => Promise.resolve(2), never)).resolves.toBe(2);
    resolve(1);
    await expect(old).resolves.toBe(1);
  });
});
