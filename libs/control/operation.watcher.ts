import { WakeSignal } from '#libs/kernel/wake-signal.js';
import { OPERATION_CHANNEL } from '#libs/operations/operation.repository.js';
import type { NotificationListener } from '#libs/database/notification.listener.js';

/** A consumer's place in the queue: it is woken, and asks the database itself. */
export interface Wake {
  /** Resolves when there may be something new, or the time (milliseconds) is over: true; or when the signal aborts: false. */
  next(longestMs?: number): Promise<boolean>;
  /** The operations that have changed since the last call, each once: a slow consumer costs no more than these ids. */
  take(): string[];
  close(): void;
}

/** Tells consumers in this process which operations (or sets, by another channel) have changed anywhere, by one LISTEN for all. */
export class OperationWatcher {
  readonly #consumers = new Set<(operationId: string) => void>();

  constructor(listener: NotificationListener, channel: string = OPERATION_CHANNEL) {
    listener.on(channel, (operationId) => {
      for (const consumer of this.#consumers) consumer(operationId);
    });
  }

  subscribe(wanted: (operationId: string) => boolean, signal: AbortSignal): Wake {
    const ids = new Set<string>();
    const news = new WakeSignal();
    const consumer = (operationId: string): void => {
      // An empty payload means that notifications may have been missed: everybody looks.
      if (operationId !== '') {
        if (!wanted(operationId)) return;
        ids.add(operationId);
      }
      news.wake();
    };
    this.#consumers.add(consumer);
    return {
      next: async (longestMs) => {
        await news.sleep(signal, longestMs);
        return !signal.aborted;
      },
      take: () => {
        const taken = [...ids];
        ids.clear();
        return taken;
      },
      close: () => this.#consumers.delete(consumer),
    };
  }
}
