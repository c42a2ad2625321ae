import { ControlError } from './control-error.js';

/** Asked directly before anything is sent that changes something outside. */
export interface WriteGuard {
  /** @throws ControlError FENCED when somebody else may have taken over what this process works on. */
  assertMayWrite(): void;
}

/** A moment on two clocks. */
export interface LeaseMoment {
  /** Milliseconds of a clock that nobody sets. It may stand still while a machine sleeps. */
  monotonicMs: number;
  /** Milliseconds since the epoch: goes on while a machine sleeps, and may be set. */
  wallMs: number;
}

export type LeaseClock = () => LeaseMoment;

export const systemLeaseClock: LeaseClock = () => ({ monotonicMs: performance.now(), wallMs: Date.now() });

interface Term {
  /** The renewal that it rests on was asked for then. */
  since: LeaseMoment;
  readonly lapse: AbortController;
}

/**
 * What a worker knows of its own lease: others take over its work when they have not heard of it for a while, and the
 * worker itself cannot hear that. So it holds the lease only for a shorter while after each renewal that the database has
 * confirmed, counted from before the renewal was asked for.
 *
 * A lease that was not renewed in time is over for good: a renewal that comes later begins a new term, and work that began
 * in the old one stays fenced. Otherwise a process that was stopped and goes on could renew first and write then.
 *
 * A process that never renews (the API) holds no claims and is not guarded.
 */
export class WorkerLease implements WriteGuard {
  #term: Term | undefined;
  #isGuarding = false;
  #holdMs = 0;
  #lapses = 0;

  constructor(private readonly clock: LeaseClock = systemLeaseClock) {}

  /** To be read before a renewal is asked for. */
  now(): LeaseMoment {
    return this.clock();
  }

  /**
   * The renewal that was asked for at the given moment has been confirmed.
   * @param holdMs how long the lease may be relied on from then.
   * @param unbroken whether the others had not given this worker up in between.
   */
  renew(askedAt: LeaseMoment, holdMs: number, unbroken: boolean): void {
    this.#isGuarding = true;
    this.#holdMs = holdMs;
    const term = this.#current(askedAt);
    if (term === undefined || !unbroken) {
      this.#lapse();
      this.#term = { since: askedAt, lapse: new AbortController() };
    } else {
      term.since = askedAt;
    }
  }

  /**
   * Aborts, with FENCED, when the present lease is over. Work carries the signal of the term that it began in.
   * @returns undefined when no lease is held.
   */
  get term(): AbortSignal | undefined {
    return this.#current(this.clock())?.lapse.signal;
  }

  /** How often a lease was lost. */
  get lapses(): number {
    return this.#lapses;
  }

  assertMayWrite(): void {
    if (!this.#isGuarding || this.#current(this.clock()) !== undefined) return;
    throw fenced();
  }

  /** The term that still holds at the given moment; one that does not is ended. */
  #current(at: LeaseMoment): Term | undefined {
    const term = this.#term;
    if (term === undefined) return undefined;
    const passed = Math.max(at.monotonicMs - term.since.monotonicMs, at.wallMs - term.since.wallMs);
    if (passed < this.#holdMs) return term;
    this.#lapse();
    return undefined;
  }

  #lapse(): void {
    const term = this.#term;
    if (term === undefined) return;
    this.#term = undefined;
    this.#lapses += 1;
    term.lapse.abort(fenced());
  }
}

/** Passing: whoever holds the work now goes on with it. */
function fenced(): ControlError {
  return new ControlError('FENCED', 'This worker was not heard of for so long that others may do its work now.', {
    retry: { kind: 'backoff' },
  });
}
