import { randomUUID } from 'node:crypto';
import { type Clock, delay } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Database } from '#libs/database/database.js';
import type { NotificationListener } from '#libs/database/notification.listener.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { ObservationLeaseRepository } from './observation-lease.repository.js';
import type { ObservationWriter } from './observation.writer.js';
import type { ResourceRepository } from './resource.repository.js';
import { SCOPE_ENDED_CHANNEL, type ScopeRecord, type ScopeRepository } from './scope.repository.js';
import { WakeSignal } from '#libs/kernel/wake-signal.js';

const OBSERVE_TIMEOUT_MS = 30_000;
/** Longer than an observation may take: the lease of a living holder does not run out. */
const LEASE_SECONDS = 40;
const LEASE_POLL_MS = 100;
/** Notifications may be lost with a connection, so the scopes are looked at now and then in any case. */
const SCOPE_POLL_MS = 1_000;

/** `fresh`: nothing had to be asked. `absent`: the owner says that there is no such object. */
export type ReadThroughOutcome = 'fresh' | 'refreshed' | 'absent';

export interface ReadThroughCall {
  signal: AbortSignal;
  correlationId: string;
}

interface Flight {
  startedAt: number;
  outcome: Promise<ReadThroughOutcome>;
  abort: AbortController;
  callers: number;
}

/** Makes the cache as fresh as a caller demands, by asking the owner of an object, or by having scopes run. */
export class ReadThrough {
  /** The observation of each uid that is under way in this process. */
  readonly #flights = new Map<string, Flight>();
  readonly #leases: ObservationLeaseRepository;

  constructor(
    private readonly database: Database,
    private readonly registry: SystemRegistry,
    private readonly resources: ResourceRepository,
    private readonly scopes: ScopeRepository,
    private readonly writer: ObservationWriter,
    private readonly listener: NotificationListener,
    private readonly clock: Clock,
  ) {
    this.#leases = new ObservationLeaseRepository(database);
  }

  /**
   * Sees to it that what the cache holds of an object is not older than this at the time of the call. However many
   * callers want it, its owner is asked once at a time.
   * @throws ControlError when the owner could not be asked: what is cached is then what it was.
   */
  async ensureFresh(target: ResourceTarget, maxAgeSeconds: number, call: ReadThroughCall): Promise<ReadThroughOutcome> {
    const oldest = this.clock.now().getTime() - maxAgeSeconds * 1000;
    for (;;) {
      call.signal.throwIfAborted();
      if (await this.#isSeenSince(target.uid, oldest)) return 'fresh';
      const flight = this.#flights.get(target.uid);
      if (flight === undefined) return this.#join(this.#start(target, call.correlationId, oldest), call.signal);
      if (flight.startedAt >= oldest) return this.#join(flight, call.signal);
      // It asked before this caller's bound, so its answer may be too old; its failure is not this caller's either.
      await this.#join(flight, call.signal).catch((error: unknown) => {
        if (!(error instanceof ControlError)) throw error;
      });
    }
  }

  /**
   * Has every scope run that these kinds of this subscription and this cluster (null: any) may lie in and whose last
   * complete run is older than this, and waits until they have, or for `timeoutMs`.
   * @returns the scopes that are still not that fresh: they run yet, or could not see everything.
   */
  async ensureScopesFresh(
    wanted: { kinds: readonly string[] | null; subscriptionId: string | null; clusterUid: string | null },
    maxAgeSeconds: number,
    options: { signal: AbortSignal; timeoutMs: number },
  ): Promise<{ stale: ScopeRecord[] }> {
    const oldest = this.clock.now().getTime() - maxAgeSeconds * 1000;
    const isFresh = (scope: ScopeRecord): boolean =>
      scope.lastCompleteAt !== null && scope.lastCompleteAt.getTime() >= oldest;
    const scopes = await this.scopes.findForKinds(wanted.kinds, wanted.subscriptionId, wanted.clusterUid);
    const keys = scopes.filter((scope) => !isFresh(scope)).map((scope) => scope.key);
    if (keys.length === 0) return { stale: [] };

    const ended = new WakeSignal();
    const unsubscribe = this.listener.on(SCOPE_ENDED_CHANNEL, () => ended.wake());
    try {
      const askedAt = await this.scopes.markDue(keys);
      const deadline = performance.now() + options.timeoutMs;
      for (;;) {
        const stale = (await this.scopes.findMany(keys)).filter((scope) => {
          // By the database's clock too: the worker's may be a little behind ours.
          const hasRun = hasRunSince(scope, askedAt);
          return !(isFresh(scope) || (hasRun && scope.state === 'complete'));
        });
        const left = deadline - performance.now();
        if (left <= 0 || stale.every((scope) => hasRunSince(scope, askedAt))) return { stale };
        await ended.sleep(options.signal, Math.min(left, SCOPE_POLL_MS));
        options.signal.throwIfAborted();
      }
    } finally {
      unsubscribe();
    }
  }

  async #isSeenSince(uid: string, oldest: number): Promise<boolean> {
    const record = await this.resources.find(uid);
    return record !== null && record.freshness.observedAt.getTime() >= oldest;
  }

  #start(target: ResourceTarget, correlationId: string, oldest: number): Flight {
    const abort = new AbortController();
    const flight: Flight = {
      startedAt: this.clock.now().getTime(),
      outcome: this.#observe(target, correlationId, oldest, abort.signal).finally(() =>
        this.#flights.delete(target.uid),
      ),
      abort,
      callers: 0,
    };
    // Whoever has joined hears of a failure; with nobody left there is nobody to tell.
    flight.outcome.catch(() => undefined);
    this.#flights.set(target.uid, flight);
    return flight;
  }

  /** A caller that gives up leaves the others their answer; the last one to leave ends the observation. */
  async #join(flight: Flight, signal: AbortSignal): Promise<ReadThroughOutcome> {
    flight.callers++;
    const given = Promise.withResolvers<never>();
    const giveUp = (): void => given.reject(signal.reason as Error);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      return await Promise.race([flight.outcome, given.promise]);
    } finally {
      signal.removeEventListener('abort', giveUp);
      flight.callers--;
      if (flight.callers === 0) flight.abort.abort();
    }
  }

  async #observe(
    target: ResourceTarget,
    correlationId: string,
    oldest: number,
    abandoned: AbortSignal,
  ): Promise<ReadThroughOutcome> {
    const observer = this.registry.findObserverOfKind(target.kind);
    if (observer === undefined)
      throw new ControlError('UNKNOWN_KIND', `Nothing can observe the kind "${target.kind}".`);
    const timeout = AbortSignal.timeout(OBSERVE_TIMEOUT_MS);
    const signal = AbortSignal.any([abandoned, timeout]);
    const holder = randomUUID();
    try {
      while (!(await this.#leases.acquire(target.uid, holder, LEASE_SECONDS))) {
        await delay(LEASE_POLL_MS, signal);
        if (await this.#isSeenSince(target.uid, oldest)) return 'refreshed';
      }
      try {
        const result = await observer.observe(target, { signal, correlationId });
        return await this.database.transaction(async (transaction) => {
          if (result.state === 'absent') {
            await this.writer.tombstone(transaction, [target.uid], { observedAt: result.observedAt, source: 'ARM' });
            return 'absent';
          }
          await this.writer.apply(transaction, result.observations, { scopeKey: null });
          return 'refreshed';
        });
      } finally {
        await this.#leases.release(target.uid, holder);
      }
    } catch (error) {
      if (error instanceof ControlError || !timeout.aborted) throw error;
      throw new ControlError('AZURE_TIMEOUT', `The owner of ${target.id} did not answer in time.`, {
        retry: { kind: 'backoff' },
        cause: error,
      });
    }
  }
}

function hasRunSince(scope: ScopeRecord, moment: Date): boolean {
  const { lastStartedAt, lastEndedAt } = scope;
  return lastStartedAt !== null && lastEndedAt !== null && lastStartedAt >= moment && lastEndedAt >= lastStartedAt;
}
