import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { ListPage, WatchTurn } from './cluster-client.js';
import type { KubernetesObject } from './kubernetes-object.js';
import { ListWatch, type ListWatchOptions, type WatchEvent, type WatchPort } from './list-watch.js';

const STALL_MS = 90_000;

const unavailable = new ControlError('KUBERNETES_UNAVAILABLE', 'gone away', { retry: { kind: 'backoff' } });
const expired = new ControlError('KUBERNETES_CONFLICT', 'too old', {
  retry: { kind: 'backoff' },
  externalCode: 'Expired',
});

function pod(name: string, resourceVersion: string): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, resourceVersion } };
}

const added = (name: string, version: string): WatchEvent => ({ type: 'ADDED', object: pod(name, version) });
const modified = (name: string, version: string): WatchEvent => ({ type: 'MODIFIED', object: pod(name, version) });
const deleted = (name: string, version: string): WatchEvent => ({ type: 'DELETED', object: pod(name, version) });
const bookmark = (resourceVersion: string): WatchEvent => ({
  type: 'BOOKMARK',
  object: { kind: 'Pod', metadata: { resourceVersion } },
});
const reported = (code: number, reason: string): WatchEvent => ({
  type: 'ERROR',
  object: { kind: 'Status', status: 'Failure', code, reason, message: 'said by the server' },
});

type Page = Partial<ListPage & { restarted: boolean }>;
type Listing = Page[] | ControlError;

/** One watch that the engine has open; the test speaks for the server. */
class Stream {
  readonly #said: (WatchEvent[] | 'end' | Error)[] = [];
  #wake: () => void = () => undefined;

  constructor(
    readonly resourceVersion: string,
    readonly timeoutSeconds: number,
    readonly signal: AbortSignal,
  ) {
    signal.addEventListener('abort', () => {
      this.#wake();
    });
  }

  say(...events: WatchEvent[]): void {
    this.#add(events);
  }

  end(): void {
    this.#add('end');
  }

  fail(error: Error): void {
    this.#add(error);
  }

  async *events(): AsyncGenerator<WatchEvent[]> {
    for (;;) {
      this.signal.throwIfAborted();
      const said = this.#said.shift();
      if (said === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
      else if (said === 'end') return;
      else if (Array.isArray(said)) yield said;
      else throw said;
    }
  }

  #add(said: WatchEvent[] | 'end' | Error): void {
    this.#said.push(said);
    this.#wake();
  }
}

class Server implements WatchPort {
  readonly asked: string[] = [];
  readonly listings: Listing[] = [];
  /** What openings of watches fail with, in order. */
  readonly refusals: ControlError[] = [];
  #opened: Stream[] = [];
  #wake: () => void = () => undefined;

  async *pages(): AsyncGenerator<ListPage & { restarted: boolean }> {
    this.asked.push('list');
    const listing = this.listings.shift() ?? [{}];
    if (listing instanceof ControlError) throw listing;
    for (const page of listing) yield { items: [], resourceVersion: '10', restarted: false, ...page };
  }

  async *events(resourceVersion: string, timeoutSeconds: number, signal: AbortSignal): AsyncGenerator<WatchEvent[]> {
    this.asked.push(`watch ${resourceVersion}`);
    const refusal = this.refusals.shift();
    if (refusal !== undefined) throw refusal;
    const stream = new Stream(resourceVersion, timeoutSeconds, signal);
    this.#opened.push(stream);
    this.#wake();
    yield* stream.events();
  }

  /** The next watch that is opened. */
  async opened(): Promise<Stream> {
    for (;;) {
      const stream = this.#opened.shift();
      if (stream !== undefined) return stream;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

describe('ListWatch', () => {
  let server: Server;
  let clock: ManualClock;
  let abort: AbortController;
  /** The pauses before trying again; they are over at once. */
  let pauses: number[];
  /** Makes the time of silence pass. */
  let beSilent: () => void;
  let turns: AsyncGenerator<WatchTurn, void, void>;

  function start(options: Partial<ListWatchOptions> = {}): void {
    const engine = new ListWatch({
      port: server,
      clock,
      sleep: (milliseconds, signal) => {
        if (milliseconds !== STALL_MS) {
          pauses.push(milliseconds);
          return Promise.resolve();
        }
        return new Promise((resolve, reject) => {
          beSilent = resolve;
          signal.addEventListener('abort', () => {
            reject(signal.reason as Error);
          });
        });
      },
      random: () => 1,
      stallMs: STALL_MS,
      retryBaseMs: 200,
      longestPauseMs: 30_000,
      largestBatch: 500,
      action: 'watch pods',
      ...options,
    });
    turns = engine.run(abort.signal);
  }

  async function next(): Promise<WatchTurn> {
    const { value, done } = await turns.next();
    if (done === true) throw new Error('The watch is over');
    return value;
  }

  async function told(count: number): Promise<string[]> {
    const kinds: string[] = [];
    while (kinds.length < count) kinds.push((await next()).turn);
    return kinds;
  }

  async function changes(): Promise<string[]> {
    const turn = await next();
    if (turn.turn !== 'changes') throw new Error(`It told ${turn.turn}`);
    return turn.changes.map(({ change, object }) => `${change} ${object.metadata.name}`);
  }

  beforeEach(() => {
    server = new Server();
    clock = new ManualClock();
    abort = new AbortController();
    pauses = [];
  });

  afterEach(async () => {
    abort.abort();
    await turns.return();
  });

  it('tells the pages of the list, then that it is whole, then what changes, in order', async () => {
    server.listings.push([{ items: [pod('a', '1')] }, { items: [pod('b', '2')], resourceVersion: '12' }]);
    start();
    const askedAt = clock.now();
    expect(await next()).toEqual({ turn: 'page', objects: [pod('a', '1')], askedAt });
    clock.advance(1000);
    expect(await next()).toEqual({ turn: 'page', objects: [pod('b', '2')], askedAt });
    expect(await next()).toEqual({ turn: 'listed', askedAt });
    const change = next();
    const stream = await server.opened();
    stream.say(added('c', '13'), modified('c', '14'), deleted('a', '15'));
    expect(await change).toEqual({
      turn: 'changes',
      changes: [
        { change: 'put', object: pod('c', '13') },
        { change: 'put', object: pod('c', '14') },
        { change: 'gone', object: pod('a', '15') },
      ],
      receivedAt: clock.now(),
    });
    expect(server.asked).toEqual(['list', 'watch 12']);
  });

  it('counts only the second attempt when the list had to be begun again', async () => {
    server.listings.push([{ items: [pod('a', '1')] }, { items: [pod('b', '2')], restarted: true }]);
    start();
    const first = await next();
    clock.advance(5000);
    expect(first).toMatchObject({ turn: 'page' });
    expect(await next()).toMatchObject({ turn: 'page', askedAt: clock.now() });
    expect(await next()).toEqual({ turn: 'listed', askedAt: clock.now() });
  });

  it('splits what comes in at once into turns of a bounded size', async () => {
    start({ largestBatch: 2 });
    await told(2);
    const first = changes();
    (await server.opened()).say(added('a', '11'), added('b', '12'), added('c', '13'));
    expect(await first).toEqual(['put a', 'put b']);
    expect(await changes()).toEqual(['put c']);
  });

  it('goes on from the last change after the connection is lost', async () => {
    start();
    await told(2);
    const change = changes();
    const stream = await server.opened();
    stream.say(added('a', '11'));
    await change;
    stream.fail(unavailable);
    expect(await next()).toEqual({ turn: 'interrupted', problem: unavailable });
    const second = changes();
    (await server.opened()).say(added('b', '12'));
    expect(await second).toEqual(['put b']);
    expect(server.asked).toEqual(['list', 'watch 10', 'watch 11']);
    expect(pauses).toEqual([200]);
  });

  it('goes on from a bookmark, which also says that it lives', async () => {
    start();
    await told(2);
    const turn = next();
    const stream = await server.opened();
    stream.say(bookmark('20'));
    expect(await turn).toEqual({ turn: 'alive', receivedAt: clock.now() });
    stream.end();
    expect(await told(1)).toEqual(['alive']);
    void turns.next();
    expect((await server.opened()).resourceVersion).toBe('20');
  });

  it('keeps a quiet watch short until the server has shown that it sends bookmarks', async () => {
    start();
    await told(2);
    const turn = next();
    const stream = await server.opened();
    // The server has to end it before the silence is taken for death.
    expect(stream.timeoutSeconds * 1000).toBeLessThan(STALL_MS);
    stream.say(bookmark('20'));
    await turn;
    stream.end();
    await told(1);
    void turns.next();
    expect((await server.opened()).timeoutSeconds).toBeGreaterThan(STALL_MS / 1000);
  });

  it('takes the orderly end of a quiet watch for a sign of life', async () => {
    start();
    await told(2);
    const turn = next();
    const stream = await server.opened();
    clock.advance(60_000);
    stream.end();
    expect(await turn).toEqual({ turn: 'alive', receivedAt: clock.now() });
    expect(pauses).toEqual([]);
  });

  it('does not go round in circles with a server that ends every watch at once', async () => {
    start();
    await told(2);
    void turns.next();
    for (let round = 0; round < 3; round++) (await server.opened()).end();
    await server.opened();
    expect(pauses).toEqual([200, 400, 800]);
  });

  describe('when the server has forgotten', () => {
    it.each([
      { reason: 'in the answer', forget: (stream: Stream | undefined) => stream?.fail(expired) },
      { reason: 'in the stream', forget: (stream: Stream | undefined) => stream?.say(reported(410, 'Expired')) },
      { reason: 'by its older name', forget: (stream: Stream | undefined) => stream?.say(reported(410, 'Gone')) },
    ])('lists anew at once, without an interruption: told $reason', async ({ forget }) => {
      server.listings.push([{}], [{ items: [pod('b', '30')], resourceVersion: '30' }]);
      start();
      await told(2);
      const turn = next();
      forget(await server.opened());
      expect(await turn).toMatchObject({ turn: 'page', objects: [pod('b', '30')] });
      expect(await told(1)).toEqual(['listed']);
      expect(pauses).toEqual([]);
    });

    it('tells what came before it in the same breath', async () => {
      start();
      await told(2);
      const turn = changes();
      (await server.opened()).say(added('a', '11'), reported(410, 'Expired'));
      expect(await turn).toEqual(['put a']);
      expect(await told(2)).toEqual(['page', 'listed']);
    });

    it('makes pauses when it goes on forgetting', async () => {
      server.refusals.push(expired, expired, expired);
      start();
      expect(await told(8)).toEqual(['page', 'listed', 'page', 'listed', 'page', 'listed', 'page', 'listed']);
      expect(pauses).toEqual([400, 800]);
    });
  });

  it('takes a connection that is silent for too long for dead', async () => {
    start();
    await told(2);
    const turn = next();
    const stream = await server.opened();
    beSilent();
    expect(await turn).toMatchObject({ turn: 'interrupted', problem: { code: 'KUBERNETES_TIMEOUT' } });
    expect(stream.signal.aborted).toBe(true);
    void turns.next();
    expect((await server.opened()).resourceVersion).toBe('10');
  });

  it('tries for ever with growing pauses while the server is away, and quickly again after a success', async () => {
    server.listings.push(unavailable, unavailable, [{}]);
    server.refusals.push(unavailable);
    start();
    expect(await told(5)).toEqual(['interrupted', 'interrupted', 'page', 'listed', 'interrupted']);
    const change = changes();
    const stream = await server.opened();
    expect(pauses).toEqual([200, 400, 800]);
    stream.say(added('a', '11'));
    await change;
    stream.fail(unavailable);
    await told(1);
    void turns.next();
    await server.opened();
    expect(pauses.at(-1)).toBe(200);
  });

  it('never waits longer than the longest pause, nor shorter than the server asks', async () => {
    const busy = new ControlError('KUBERNETES_THROTTLED', 'busy', { retry: { kind: 'after', seconds: 45 } });
    server.listings.push(...Array<ControlError>(12).fill(unavailable), busy);
    start();
    await told(15);
    expect(Math.max(...pauses.slice(0, 12))).toBe(30_000);
    expect(pauses[12]).toBeGreaterThanOrEqual(45_000);
  });

  it('reads everything again after an event that it cannot understand', async () => {
    start();
    await told(2);
    const turn = next();
    (await server.opened()).say({ type: 'SOMETHING', object: pod('a', '11') });
    expect(await turn).toMatchObject({ turn: 'interrupted', problem: { code: 'KUBERNETES_UNEXPECTED_ANSWER' } });
    expect(await told(2)).toEqual(['page', 'listed']);
  });

  it.each([
    'KUBERNETES_FORBIDDEN',
    'KUBERNETES_UNAUTHENTICATED',
    'KUBERNETES_NOT_FOUND',
    'CLUSTER_ACCESS_MISSING',
  ] as const)('gives up after %s', async (code) => {
    const error = new ControlError(code, 'no');
    server.listings.push(error);
    start();
    await expect(turns.next()).rejects.toBe(error);
  });

  it('gives up when the right is taken away while it watches', async () => {
    start();
    await told(2);
    const turn = turns.next();
    (await server.opened()).say(reported(403, 'Forbidden'));
    await expect(turn).rejects.toMatchObject({ code: 'KUBERNETES_FORBIDDEN' });
  });

  it('throws on what is no matter of the server', async () => {
    const fault = new TypeError('a fault of our own');
    start();
    await told(2);
    const turn = turns.next();
    (await server.opened()).fail(fault);
    await expect(turn).rejects.toBe(fault);
  });

  it('refuses a list from which no watch can start', async () => {
    server.listings.push([{ resourceVersion: '' }]);
    start();
    await told(1);
    await expect(turns.next()).rejects.toMatchObject({ code: 'KUBERNETES_UNEXPECTED_ANSWER' });
  });

  describe('when somebody wants certainty', () => {
    let want: () => void;
    let wishes: number;

    beforeEach(() => {
      wishes = 0;
      start({
        relistRequested: () => {
          wishes++;
          return new Promise((resolve) => (want = resolve));
        },
      });
    });

    it('reads everything again, and watches from there', async () => {
      server.listings.push([{}], [{ resourceVersion: '50' }]);
      await told(2);
      const turn = next();
      const stream = await server.opened();
      clock.advance(1000);
      want();
      expect(await turn).toMatchObject({ turn: 'page', askedAt: clock.now() });
      expect(await told(1)).toEqual(['listed']);
      expect(stream.signal.aborted).toBe(true);
      void turns.next();
      expect((await server.opened()).resourceVersion).toBe('50');
      expect(wishes).toBe(2);
    });

    it('also when the wish comes while something else is being told', async () => {
      await told(2);
      const turn = changes();
      (await server.opened()).say(added('a', '11'));
      await turn;
      want();
      expect(await told(2)).toEqual(['page', 'listed']);
    });

    it('makes another list for a wish that comes while one is being made', async () => {
      expect(await told(1)).toEqual(['page']);
      want();
      expect(await told(3)).toEqual(['listed', 'page', 'listed']);
    });

    it('does so in place of resuming when the connection was lost', async () => {
      await told(2);
      const turn = next();
      (await server.opened()).fail(unavailable);
      await turn;
      want();
      expect(await told(2)).toEqual(['page', 'listed']);
      expect(server.asked).toEqual(['list', 'watch 10', 'list']);
    });
  });

  it('throws what the wish itself fails with', async () => {
    const fault = new Error('nobody can ask');
    start({ relistRequested: () => Promise.reject(fault) });
    await told(2);
    await expect(turns.next()).rejects.toBe(fault);
  });

  describe('ends', () => {
    it('without an error by its signal, and ends the connection', async () => {
      start({
        relistRequested: (signal) =>
          new Promise((_resolve, reject) =>
            signal.addEventListener('abort', () => {
              reject(signal.reason as Error);
            }),
          ),
      });
      await told(2);
      const turn = turns.next();
      const stream = await server.opened();
      abort.abort(new Error('shutting down'));
      expect(await turn).toEqual({ done: true, value: undefined });
      expect(stream.signal.aborted).toBe(true);
    });

    it('before the list, when the signal is aborted already', async () => {
      abort.abort();
      start();
      expect(await turns.next()).toEqual({ done: true, value: undefined });
      expect(server.asked).toEqual([]);
    });

    it('when the consumer turns away', async () => {
      let wished: AbortSignal | undefined;
      start({
        relistRequested: (signal) => {
          wished = signal;
          return new Promise(() => undefined);
        },
      });
      await told(2);
      const turn = changes();
      const stream = await server.opened();
      stream.say(added('a', '11'));
      await turn;
      await turns.return();
      expect(stream.signal.aborted).toBe(true);
      expect(wished?.aborted).toBe(true);
    });
  });
});
