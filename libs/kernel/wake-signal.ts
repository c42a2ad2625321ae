/** Lets one loop sleep until somebody wakes it. A wake that comes while it is awake is not lost: the next sleep is none. */
export class WakeSignal {
  #woken = false;
  #resume: (() => void) | undefined;

  readonly wake = (): void => {
    this.#woken = true;
    this.#resume?.();
  };

  /** Resolves when woken, when the signal aborts, or after the time (milliseconds; without one it can take for ever). */
  async sleep(signal: AbortSignal, longestMs?: number): Promise<void> {
    if (!this.#woken && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#resume = resolve;
      signal.addEventListener('abort', this.wake, { once: true });
      const timer = longestMs === undefined ? undefined : setTimeout(resolve, longestMs);
      await promise;
      clearTimeout(timer);
      signal.removeEventListener('abort', this.wake);
      this.#resume = undefined;
    }
    this.#woken = false;
  }
}
