import { delay } from '#libs/kernel/clock.js';

export interface PeriodicTaskSettings {
  /** Milliseconds from the end of one run to the start of the next. */
  intervalMs: number;
  /** The same after a failed run, where that should be tried again sooner. */
  retryMs?: number;
  run: (signal: AbortSignal) => Promise<void>;
  /** A failed run is reported, and the next one comes as usual. */
  onFailure: (error: unknown) => void;
}

/** Does something again and again, never twice at once, beginning at once. */
export class PeriodicTask {
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(private readonly settings: PeriodicTaskSettings) {}

  start(): void {
    this.#running ??= this.#loop();
  }

  /** Resolves when the run under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('The process is stopping'));
    await this.#running;
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stopping;
    const { run, onFailure, intervalMs, retryMs = intervalMs } = this.settings;
    while (!this.#stopping.signal.aborted) {
      let pauseMs = intervalMs;
      try {
        await run(signal);
      } catch (error) {
        if (!signal.aborted) onFailure(error);
        pauseMs = retryMs;
      }
      // Only the stop ends the pause early.
      await delay(pauseMs, signal).catch(() => undefined);
    }
  }
}
