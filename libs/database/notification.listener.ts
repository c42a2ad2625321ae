import { Client } from 'pg';
import { delay } from '#libs/kernel/clock.js';
import type { Secret } from '#libs/kernel/secret.js';

const CONNECT_TIMEOUT_MS = 10_000;
const FIRST_RECONNECT_MS = 100;
const LONGEST_RECONNECT_MS = 5_000;

type Handler = (payload: string) => void;

/**
 * One connection that listens to Postgres' NOTIFY for the whole process. Notifications sent while it was down are lost,
 * so after each (re)connection every handler is called once with an empty payload: "look for yourself".
 */
export class NotificationListener {
  readonly #handlers = new Map<string, Set<Handler>>();
  readonly #stop = new AbortController();
  #client: Client | undefined;
  #running: Promise<void> | undefined;

  constructor(
    private readonly url: Secret,
    private readonly onFailure: (error: Error) => void,
  ) {}

  /** Connects, and resolves when it listens. Channels may be added later. */
  async start(): Promise<void> {
    const first = Promise.withResolvers<void>();
    this.#running ??= this.#run(first);
    await first.promise;
  }

  /** @returns the way to stop hearing. */
  on(channel: string, handler: Handler): () => void {
    let handlers = this.#handlers.get(channel);
    if (handlers === undefined) {
      handlers = new Set();
      this.#handlers.set(channel, handlers);
      void this.#client?.query(`LISTEN ${quoted(channel)}`).catch((error: unknown) => {
        this.#report(error);
      });
    }
    handlers.add(handler);
    return () => handlers.delete(handler);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#client?.end();
    await this.#running;
  }

  async #run(first: PromiseWithResolvers<void>): Promise<void> {
    let wait = FIRST_RECONNECT_MS;
    while (!this.#stop.signal.aborted) {
      const client = new Client({
        connectionString: this.url.reveal(),
        application_name: 'pilothouse-listen',
        keepAlive: true,
        connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      });
      const ended = new Promise<void>((resolve) => client.once('end', resolve));
      client.on('error', (error) => this.onFailure(error));
      client.on('notification', ({ channel, payload }) => this.#dispatch(channel, payload ?? ''));
      try {
        await client.connect();
        // Stopped while it was connecting: nobody else knows this connection.
        if (this.#isStopping()) {
          await client.end();
          break;
        }
        for (const channel of this.#handlers.keys()) await client.query(`LISTEN ${quoted(channel)}`);
        this.#client = client;
        wait = FIRST_RECONNECT_MS;
        first.resolve();
        for (const channel of this.#handlers.keys()) this.#dispatch(channel, '');
        await ended;
      } catch (error) {
        if (!Error.isError(error)) throw error;
        this.onFailure(error);
        await client.end().catch((endError: unknown) => {
          this.#report(endError);
        });
      }
      this.#client = undefined;
      await delay(wait, this.#stop.signal).catch(() => undefined);
      wait = Math.min(wait * 2, LONGEST_RECONNECT_MS);
    }
    first.resolve();
  }

  #isStopping(): boolean {
    return this.#stop.signal.aborted;
  }

  #report(error: unknown): void {
    this.onFailure(Error.isError(error) ? error : new Error(String(error)));
  }

  #dispatch(channel: string, payload: string): void {
    for (const handler of this.#handlers.get(channel) ?? []) handler(payload);
  }
}

function quoted(channel: string): string {
  return `"${channel.replaceAll('"', '""')}"`;
}
