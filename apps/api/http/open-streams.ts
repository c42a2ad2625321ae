import { ControlError } from '#libs/kernel/control-error.js';

/** A stream to one client. `signal` aborts when the client goes away or the server stops. */
export interface OpenStream {
  readonly signal: AbortSignal;
  /** Ends the stream and frees its place; any number of times. */
  close(): void;
}

/** All event streams and subscriptions of this process: bounded in number, ended together when it stops. */
export class OpenStreams {
  readonly #controllers = new Set<AbortController>();
  #stopped = false;

  constructor(private readonly maximum: number) {}

  get count(): number {
    return this.#controllers.size;
  }

  /** @throws ControlError UNAVAILABLE when there are as many as allowed, or when the server is stopping. */
  open(): OpenStream {
    if (this.#stopped || this.#controllers.size >= this.maximum) {
      throw new ControlError('UNAVAILABLE', 'No further stream can be opened now.', {
        retry: { kind: 'after', seconds: 10 },
        remedy: 'Close streams that are not needed, or read the pages instead.',
      });
    }
    const controller = new AbortController();
    this.#controllers.add(controller);
    return {
      signal: controller.signal,
      close: () => {
        if (this.#controllers.delete(controller)) controller.abort();
      },
    };
  }

  /** Ends every stream; no new one is opened afterwards. */
  stop(): void {
    this.#stopped = true;
    for (const controller of this.#controllers) controller.abort();
    this.#controllers.clear();
  }
}
