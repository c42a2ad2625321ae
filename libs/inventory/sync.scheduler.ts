import type { NotificationListener } from '#libs/database/notification.listener.js';
import { SCOPE_CHANNEL, type ScopeClaim, type ScopeRepository } from './scope.repository.js';
import type { SyncReport, SyncRunner } from './sync.runner.js';
import { WakeSignal } from '#libs/kernel/wake-signal.js';

export interface SyncSchedulerSettings {
  /** Who claims: unique to this process. */
  owner: string;
  /** Scopes that this process runs at the same time. */
  concurrency: number;
  leaseSeconds: number;
  /** How often to look for due scopes when no notification comes; varied a little, so that workers do not look in step. */
  pollSeconds: number;
}

/** Whoever counts and logs. */
export interface SyncObserver {
  started(claim: ScopeClaim): void;
  ended(report: SyncReport): void;
  /** The database failed; the scheduler goes on. `scopeKey` is null when it was looking for work. */
  failed(error: unknown, scopeKey: string | null): void;
}

/** Claims due scopes and runs them, a few at a time, until it is stopped. Any number of processes may do so. */
export class SyncScheduler {
  readonly #wakeUp = new WakeSignal();
  readonly #running = new Set<Promise<void>>();
  #stop = new AbortController();
  #loop: Promise<void> | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(
    private readonly scopes: ScopeRepository,
    private readonly runner: SyncRunner,
    private readonly listener: NotificationListener,
    private readonly observer: SyncObserver,
    private readonly settings: SyncSchedulerSettings,
  ) {}

  start(): void {
    if (this.#loop !== undefined) return;
    this.#stop = new AbortController();
    this.#unsubscribe = this.listener.on(SCOPE_CHANNEL, () => this.#wakeUp.wake());
    this.#loop = this.#run(this.#stop.signal);
  }

  /** Claims nothing more, stops what runs (its scopes become due again), and resolves when all of it has ended. */
  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#stop.abort();
    await this.#loop;
    await Promise.all(this.#running);
    this.#loop = undefined;
  }

  async #run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const free = this.settings.concurrency - this.#running.size;
      const claims = free > 0 ? await this.#claim(free) : [];
      for (const claim of claims) {
        const work = this.#work(claim, stop).finally(() => {
          this.#running.delete(work);
          this.#wakeUp.wake();
        });
        this.#running.add(work);
      }
      await this.#wakeUp.sleep(stop, this.settings.pollSeconds * 1000 * (0.9 + 0.2 * Math.random()));
    }
  }

  async #claim(limit: number): Promise<ScopeClaim[]> {
    try {
      return await this.scopes.claimDue(this.settings.owner, this.settings.leaseSeconds, limit);
    } catch (error) {
      this.observer.failed(error, null);
      return [];
    }
  }

  async #work(claim: ScopeClaim, stop: AbortSignal): Promise<void> {
    this.observer.started(claim);
    try {
      this.observer.ended(await this.runner.run(claim, stop));
    } catch (error) {
      this.observer.failed(error, claim.scope.key);
    }
  }
}
