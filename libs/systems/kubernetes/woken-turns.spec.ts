import { describe, expect, it } from '@jest/globals';
import { wokenTurns } from './woken-turns.js';

/** A generator that a test feeds, and that ends with its signal. */
class FedTurns {
  readonly #queue: (string | Error)[] = [];
  #arrived = Promise.withResolvers<void>();
  ended = false;

  feed(...turns: (string | Error)[]): void {
    this.#queue.push(...turns);
    this.#arrived.resolve();
  }

  readonly start = async function* (this: FedTurns, signal: AbortSignal): AsyncGenerator<string, void, void> {
    const aborted = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        resolve();
      });
    });
    try {
      while (!signal.aborted) {
        const turn = this.#queue.shift();
        if (turn instanceof Error) throw turn;
        if (turn === 'end') return;
        if (turn !== undefined) yield turn;
        else {
          await Promise.race([this.#arrived.promise, aborted]);
          this.#arrived = Promise.withResolvers<void>();
        }
      }
    } finally {
      this.ended = true;
    }
  }.bind(this);
}

/** Wakes that a test gives one by one. */
class GivenWakes {
  asked = 0;
  #next = Promise.withResolvers<void>();
  readonly next = (): Promise<void> => {
    this.asked++;
    this.#next = Promise.withResolvers<void>();
    return this.#next.promise;
  };

  give(): void {
    this.#next.resolve();
  }

  fail(error: Error): void {
    this.#next.reject(error);
  }
}

const never = new AbortController().signal;

describe('wokenTurns', () => {
  it('gives turns in their order, and between them the wakes', async () => {
    const turns = new FedTurns();
    const wakes = new GivenWakes();
    const woken = wokenTurns(turns.start, wakes.next, never);
    turns.feed('a', 'b');
    expect((await woken.next()).value).toBe('a');
    expect((await woken.next()).value).toBe('b');
    const third = woken.next();
    wakes.give();
    expect((await third).value).toBe('woken');
    const fourth = woken.next();
    turns.feed('c', 'end');
    expect((await fourth).value).toBe('c');
    expect(await woken.next()).toEqual({ done: true, value: undefined });
    expect(turns.ended).toBe(true);
  });

  it('asks for the next wake only after the last one was taken', async () => {
    const turns = new FedTurns();
    const wakes = new GivenWakes();
    const woken = wokenTurns(turns.start, wakes.next, never);
    const first = woken.next();
    wakes.give();
    await first;
    expect(wakes.asked).toBe(1);
    const second = woken.next();
    wakes.give();
    // What was given before it was asked for again is of the last time.
    expect(wakes.asked).toBe(2);
    await second;
    await woken.return();
  });

  it('fails with the turns', async () => {
    const turns = new FedTurns();
    turns.feed(new RangeError('gone wrong'));
    await expect(wokenTurns(turns.start, new GivenWakes().next, never).next()).rejects.toThrow('gone wrong');
    expect(turns.ended).toBe(true);
  });

  it('fails with a wake that fails', async () => {
    const turns = new FedTurns();
    const wakes = new GivenWakes();
    const next = wokenTurns(turns.start, wakes.next, never).next();
    wakes.fail(new RangeError('no clock'));
    await expect(next).rejects.toThrow('no clock');
    expect(turns.ended).toBe(true);
  });

  it('ends with the signal, and ends the turns', async () => {
    const turns = new FedTurns();
    const end = new AbortController();
    const next = wokenTurns(turns.start, new GivenWakes().next, end.signal).next();
    end.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(turns.ended).toBe(true);
  });

  it('ends the turns when the consumer goes while one is awaited', async () => {
    const turns = new FedTurns();
    turns.feed('a');
    for await (const turn of wokenTurns(turns.start, new GivenWakes().next, never)) {
      expect(turn).toBe('a');
      break;
    }
    expect(turns.ended).toBe(true);
  });
});
