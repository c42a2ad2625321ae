/** Something that may happen while nobody waits for it: the next wait then ends at once. */
export class WakeUp {
  #raised = false;
  #resolve: (() => void) | undefined;

  raise(): void {
    this.#raised = true;
    this.#resolve?.();
  }

  /** Resolves when raised, after the time, or when the signal aborts: the caller looks which. */
  async wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (!this.#raised && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#resolve = resolve;
      const timer = setTimeout(resolve, milliseconds);
      signal.addEventListener('abort', this.#resolve, { once: true });
      await promise;
      signal.removeEventListener('abort', this.#resolve);
      clearTimeout(timer);
      this.#resolve = undefined;
    }
    this.#raised = false;
  }
}
