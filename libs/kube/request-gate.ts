import { ControlError } from '#libs/kernel/control-error.js';

/** Lets a bounded number of requests through at a time, the others in the order of their coming. */
export class RequestGate {
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(
    private readonly width: number,
    private readonly longestQueue: number,
  ) {}

  /**
   * @returns what is to be called once at the end.
   * @throws ControlError KUBERNETES_THROTTLED when too many wait already.
   * @throws the reason of the signal.
   */
  async enter(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#inside < this.width) {
      this.#inside++;
    } else {
      if (this.#waiting.length >= this.longestQueue) {
        throw new ControlError('KUBERNETES_THROTTLED', 'Too many requests wait for this cluster already.', {
          retry: { kind: 'backoff' },
        });
      }
      await this.#turn(signal);
    }
    return () => {
      const next = this.#waiting.shift();
      // The place is handed on: `#inside` stays as it is.
      if (next === undefined) this.#inside--;
      else next();
    };
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(go);
    });
  }
}
