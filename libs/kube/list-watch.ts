import type { Clock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import type { ListPage, ObjectChange, WatchTurn } from './cluster-client.js';
import { classifyKubernetesError, saysExpired } from './kubernetes-error.classifier.js';
import type { KubernetesObject } from './kubernetes-object.js';

/** One line of a watch. */
export interface WatchEvent {
  type: string;
  object: JsonObject;
}

/** What the engine needs of a server. */
export interface WatchPort {
  /** The whole list, page by page. @throws ControlError */
  pages(signal: AbortSignal): AsyncIterable<ListPage & { restarted: boolean }>;
  /** What has happened since, in groups as they come in, until the server ends it. @throws ControlError */
  events(resourceVersion: string, timeoutSeconds: number, signal: AbortSignal): AsyncIterable<WatchEvent[]>;
}

export interface ListWatchOptions {
  port: WatchPort;
  clock: Clock;
  sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Between 0 and 1. */
  random: () => number;
  /** Silent for longer is dead. Milliseconds. */
  stallMs: number;
  /** The first pause before trying again; it doubles with each further failure. Milliseconds. */
  retryBaseMs: number;
  longestPauseMs: number;
  /** Changes in one turn. */
  largestBatch: number;
  /** For messages: `pods of 5c…`. */
  action: string;
  relistRequested?: (signal: AbortSignal) => Promise<void>;
}

/** Where bookmarks come, a watch may be long: they tell that it lives. Seconds. */
const LONG_WATCH = { least: 300, spread: 300 };
/** A watch that a server ends at once, and without a word, is no success. Milliseconds. */
const SHORT_LIFE_MS = 1_000;

/** How one watch came to its end. */
type WatchEnd =
  | { end: 'over' }
  | { end: 'relist' }
  | { end: 'closed'; lifeMs: number; heard: boolean }
  | { end: 'failed'; problem: ControlError };

/**
 * Lists and watches one type until the signal ends it; then it returns. It holds no objects. What is asked for in between
 * (`relistRequested`) ends the watch and begins with a new list, which holds whatever the watch had yet to tell.
 * @throws ControlError where there is no use in going on.
 */
export class ListWatch {
  #resourceVersion: string | undefined;
  #failures = 0;
  #hasBookmarks = false;
  #wish: Wish | undefined;

  constructor(private readonly options: ListWatchOptions) {}

  async *run(signal: AbortSignal): AsyncGenerator<WatchTurn, void, void> {
    // Whatever is still under way when the consumer turns away ends with it.
    const over = new AbortController();
    const life = AbortSignal.any([signal, over.signal]);
    const isOver = (): boolean => life.aborted;
    try {
      while (!isOver()) {
        if (this.#resourceVersion === undefined) {
          const problem = yield* this.#list(life);
          if (problem !== undefined) yield* this.#mend(problem, life);
          continue;
        }
        const outcome = yield* this.#watch(this.#resourceVersion, life);
        switch (outcome.end) {
          case 'over':
            return;
          case 'relist':
            this.#resourceVersion = undefined;
            break;
          case 'closed':
            if (outcome.heard || outcome.lifeMs >= SHORT_LIFE_MS) {
              this.#failures = 0;
              yield { turn: 'alive', receivedAt: this.options.clock.now() };
            } else {
              await this.#pause(undefined, life);
            }
            break;
          case 'failed':
            yield* this.#mend(outcome.problem, life);
            break;
        }
      }
    } finally {
      over.abort();
    }
  }

  /** @returns what went wrong, if anything did. */
  async *#list(life: AbortSignal): AsyncGenerator<WatchTurn, ControlError | undefined, void> {
    this.#wishAnew(life);
    let askedAt = this.options.clock.now();
    let resourceVersion: string | undefined;
    try {
      for await (const page of this.options.port.pages(life)) {
        // What was in pages of the earlier attempt may be gone by now: it counts no more.
        if (page.restarted) askedAt = this.options.clock.now();
        resourceVersion = page.resourceVersion;
        yield { turn: 'page', objects: page.items, askedAt };
      }
    } catch (error) {
      if (life.aborted) return undefined;
      return continuing(error);
    }
    if (life.aborted) return undefined;
    if (resourceVersion === undefined || resourceVersion === '') {
      throw new ControlError(
        'KUBERNETES_UNEXPECTED_ANSWER',
        `${this.options.action}: the list has no resourceVersion.`,
      );
    }
    this.#resourceVersion = resourceVersion;
    yield { turn: 'listed', askedAt };
    return undefined;
  }

  async *#watch(from: string, life: AbortSignal): AsyncGenerator<WatchTurn, WatchEnd, void> {
    const { port, clock, stallMs, sleep } = this.options;
    const stop = new AbortController();
    const startedAt = clock.now().getTime();
    let heard = false;
    // One ear for everything: reactions that are added to what lives long, once for each event, would pile up.
    let hear: (what: Heard) => void = () => undefined;
    const onAbort = (): void => {
      hear({ heard: 'over' });
    };
    life.addEventListener('abort', onAbort, { once: true });
    this.#wish?.onDecided(() => {
      hear({ heard: 'wish' });
    });
    const events = port.events(from, this.#timeoutSeconds(), AbortSignal.any([life, stop.signal]));
    const groups = events[Symbol.asyncIterator]();
    const isOver = (): boolean => life.aborted;
    try {
      for (;;) {
        if (isOver()) return { end: 'over' };
        if (this.#wish?.isGranted() === true) return { end: 'relist' };
        const { promise, resolve } = Promise.withResolvers<Heard>();
        hear = resolve;
        const timer = new AbortController();
        groups.next().then(
          (result) => {
            resolve(result.done === true ? { heard: 'end' } : { heard: 'events', events: result.value });
          },
          (error: unknown) => {
            resolve({ heard: 'error', error });
          },
        );
        sleep(stallMs, timer.signal).then(
          () => {
            resolve({ heard: 'silence' });
          },
          (error: unknown) => {
            resolve({ heard: 'error', error });
          },
        );
        const what = await promise;
        timer.abort();
        switch (what.heard) {
          case 'over':
          case 'wish':
            break;
          case 'silence':
            return { end: 'failed', problem: silent(this.options.action, stallMs) };
          case 'error':
            if (isOver()) return { end: 'over' };
            return { end: 'failed', problem: continuing(what.error) };
          case 'end':
            return { end: 'closed', lifeMs: clock.now().getTime() - startedAt, heard };
          case 'events': {
            heard = true;
            this.#failures = 0;
            const problem = yield* this.#tell(what.events);
            if (problem !== undefined) return { end: 'failed', problem };
            break;
          }
        }
      }
    } finally {
      stop.abort();
      life.removeEventListener('abort', onAbort);
      // It may hang in a dead connection, so it is not waited for; it ends by the signal, and what it says then is known.
      groups.return?.().catch(() => undefined);
    }
  }

  /** Tells what came in together, in its order. @returns the error that the server reports within the stream. */
  async *#tell(events: readonly WatchEvent[]): AsyncGenerator<WatchTurn, ControlError | undefined, void> {
    const receivedAt = this.options.clock.now();
    let changes: ObjectChange[] = [];
    let isAlive = false;
    let problem: ControlError | undefined;
    for (const event of events) {
      const resourceVersion = resourceVersionOf(event.object);
      if (event.type === 'ERROR') {
        problem = this.#reported(event.object);
        break;
      }
      if (resourceVersion === undefined || !EVENT_TYPES.has(event.type)) {
        problem = unreadable(`${this.options.action}: an event that cannot be understood.`);
        break;
      }
      if (event.type === 'BOOKMARK') {
        this.#hasBookmarks = true;
        isAlive = true;
      } else {
        const change = event.type === 'DELETED' ? 'gone' : 'put';
        changes.push({ change, object: event.object as KubernetesObject });
      }
      this.#resourceVersion = resourceVersion;
      if (changes.length >= this.options.largestBatch) {
        yield { turn: 'changes', changes, receivedAt };
        changes = [];
      }
    }
    if (changes.length > 0) yield { turn: 'changes', changes, receivedAt };
    if (problem !== undefined) return continuing(problem);
    if (isAlive) yield { turn: 'alive', receivedAt };
    return undefined;
  }

  /** Says what happened, waits, and leaves everything ready for the next attempt. */
  async *#mend(problem: ControlError, life: AbortSignal): AsyncGenerator<WatchTurn, void, void> {
    // The server remembers less than we ask for: that is no interruption, but everything has to be read again.
    const isExpired = saysExpired(problem);
    if (isExpired || problem.code === 'KUBERNETES_UNEXPECTED_ANSWER') this.#resourceVersion = undefined;
    if (!isExpired) yield { turn: 'interrupted', problem };
    // The first new list is made at once.
    if (isExpired && this.#failures === 0) this.#failures++;
    else await this.#pause(problem, life);
  }

  /** Full jitter, doubling; at least as long as the server asks for. */
  async #pause(problem: ControlError | undefined, life: AbortSignal): Promise<void> {
    const { retryBaseMs, longestPauseMs, random, sleep } = this.options;
    const ceiling = Math.min(longestPauseMs, retryBaseMs * 2 ** Math.min(this.#failures, 20));
    this.#failures++;
    const asked = problem?.retry.kind === 'after' ? problem.retry.seconds * 1000 : 0;
    try {
      await sleep(asked + ceiling * random(), life);
    } catch (error) {
      if (life.aborted) return;
      throw error;
    }
    // The wish may have come during the pause.
    if (this.#wish?.isGranted() === true) this.#resourceVersion = undefined;
  }

  /** From before the list on, so that who asks while it is being made gets another one. */
  #wishAnew(life: AbortSignal): void {
    const { relistRequested } = this.options;
    if (relistRequested === undefined || this.#wish?.isOpen === true) return;
    this.#wish = new Wish(relistRequested(life));
  }

  /** Without bookmarks only the server's own ending shows that a quiet watch is alive: it has to come before we give up. */
  #timeoutSeconds(): number {
    const { stallMs, random } = this.options;
    if (this.#hasBookmarks) return Math.round(LONG_WATCH.least + LONG_WATCH.spread * random());
    return Math.max(1, Math.floor((stallMs * 0.75) / 1000));
  }

  #reported(status: JsonObject): ControlError {
    return classifyKubernetesError({
      status: typeof status.code === 'number' ? status.code : 500,
      body: status,
      headers: {},
      action: this.options.action,
      now: this.options.clock.now(),
    });
  }
}

type Heard =
  | { heard: 'events'; events: WatchEvent[] }
  | { heard: 'end' }
  | { heard: 'error'; error: unknown }
  | { heard: 'silence' }
  /** Whether the wish was granted, or the life is over, is looked up. */
  | { heard: 'wish' }
  | { heard: 'over' };

const EVENT_TYPES: ReadonlySet<string> = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK']);

/** Somebody may want certainty. */
class Wish {
  #state: { is: 'open' } | { is: 'granted' } | { is: 'failed'; error: unknown } = { is: 'open' };
  #onDecided: () => void = () => undefined;

  constructor(wish: Promise<void>) {
    wish.then(
      () => {
        this.#state = { is: 'granted' };
        this.#onDecided();
      },
      (error: unknown) => {
        this.#state = { is: 'failed', error };
        this.#onDecided();
      },
    );
  }

  get isOpen(): boolean {
    return this.#state.is === 'open';
  }

  /** Calls back once; only the last who asked is called. */
  onDecided(callback: () => void): void {
    this.#onDecided = callback;
  }

  /** @throws what the wish itself failed with. */
  isGranted(): boolean {
    if (this.#state.is === 'failed') throw this.#state.error;
    return this.#state.is === 'granted';
  }
}

/** Failures that pass, or that a new list makes good. */
const PASSING: ReadonlySet<string> = new Set([
  'KUBERNETES_UNAVAILABLE',
  'KUBERNETES_TIMEOUT',
  'KUBERNETES_THROTTLED',
  'KUBERNETES_UNEXPECTED_ANSWER',
]);

/** @throws the error itself where there is no use in going on. */
function continuing(error: unknown): ControlError {
  if (error instanceof ControlError && (PASSING.has(error.code) || error.retryable)) return error;
  throw error;
}

function silent(action: string, stallMs: number): ControlError {
  return new ControlError(
    'KUBERNETES_TIMEOUT',
    `${action}: the watch has been silent for ${stallMs / 1000} s and is taken for dead.`,
    { retry: { kind: 'backoff' } },
  );
}

function unreadable(message: string): ControlError {
  return new ControlError('KUBERNETES_UNEXPECTED_ANSWER', message);
}

function resourceVersionOf(object: JsonObject): string | undefined {
  const { metadata } = object;
  const value = isJsonObject(metadata) ? metadata.resourceVersion : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}
