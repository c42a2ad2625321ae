/**
 * One run of the same work for all who want it at the same time. The run ends early only when everyone who waits for it has
 * given up; nobody's giving up disturbs the others.
 */
export class SingleFlight<T> {
  #flight: Flight<T> | undefined;

  /** @throws whatever the work throws, or the reason of the caller's signal. */
  async join(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const flight = this.#flight ?? this.#start(work);
    flight.passengers++;
    const { promise: given, reject } = Promise.withResolvers<never>();
    const giveUp = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      return await Promise.race([flight.outcome, given]);
    } finally {
      signal.removeEventListener('abort', giveUp);
      flight.passengers--;
      if (flight.passengers === 0) {
        if (this.#flight === flight) this.#flight = undefined;
        flight.abort.abort(signal.reason);
      }
    }
  }

  /** Who comes from now on starts anew; who waits already gets what they wait for. */
  forget(): void {
    this.#flight = undefined;
  }

  #start(work: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const abort = new AbortController();
    const flight: Flight<T> = { abort, passengers: 0, outcome: work(abort.signal) };
    const land = (): void => {
      if (this.#flight === flight) this.#flight = undefined;
    };
    // Both ends are heard here too, since everyone may have given up by then.
    flight.outcome.then(land, land);
    this.#flight = flight;
    return flight;
  }
}

interface Flight<T> {
  abort: AbortController;
  passengers: number;
  outcome: Promise<T>;
}
