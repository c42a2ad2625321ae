import { assertNever } from '#libs/kernel/assert-never.js';
import { type Clock, delay } from '#libs/kernel/clock.js';
import { ControlError, storedProblem } from '#libs/kernel/control-error.js';
import type { Database } from '#libs/database/database.js';
import type { Transaction } from '#libs/database/sql.js';
import type {
  ClusterWatcher,
  WatchBatch,
  WatchedCluster,
  WatchStream,
} from '#libs/systems/contract/cluster-watcher.js';
import type { CollectionScope } from '#libs/systems/contract/collector.js';
import type { Freshness } from './resource.record.js';
import type { ObservationWriter } from './observation.writer.js';
import type { ScopeRepository, WatchNews } from './scope.repository.js';
import type { ClusterClaim, WatchedClusterRepository } from './watched-cluster.repository.js';

/** How often the freshness of a stream that only goes on is written down. */
const ALIVE_EVERY_MS = 2_000;
/** A connection that comes back sooner than this was never a problem. */
const INTERRUPTION_GRACE_MS = 5_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;
/** What a try again does not mend (no access, no such type) is still looked at now and then. */
const HOPELESS_RETRY_MS = 30_000;

/** Whoever counts and logs. */
export interface ClusterWatchObserver {
  /** From the last event in the cluster to its change in the cache. */
  applied(scopeKey: string, objects: number, milliseconds: number): void;
  failed(scopeKey: string, problem: ControlError): void;
  /** A fault of ours, or of the database. */
  unexpected(scopeKey: string, error: unknown): void;
}

export interface ClusterWatchParts {
  database: Database;
  scopes: ScopeRepository;
  clusters: WatchedClusterRepository;
  writer: ObservationWriter;
  clock: Clock;
  observer: ClusterWatchObserver;
}

/** The scopes of a cluster: one for each stream of each watcher. */
export function watchScopes(watcher: ClusterWatcher, cluster: WatchedCluster): CollectionScope[] {
  return watcher.streams.map((stream) => ({
    key: watchScopeKey(watcher, stream, cluster.uid),
    collector: watcher.name,
    kinds: stream.kinds,
    subscriptionId: cluster.subscriptionId,
    clusterUid: cluster.uid,
  }));
}

function watchScopeKey(watcher: ClusterWatcher, stream: WatchStream, clusterUid: string): string {
  return `${watcher.name}/${stream.name}:${clusterUid}`;
}

/** One claimed cluster: all its streams go into the cache, each fenced by the claim, until it is stopped or lost. */
export class ClusterWatch {
  readonly #relists = new Map<string, PromiseWithResolvers<void>>();
  readonly #stop = new AbortController();
  #done: Promise<unknown> = Promise.resolve();

  constructor(
    readonly claim: ClusterClaim,
    private readonly watchers: readonly ClusterWatcher[],
    private readonly parts: ClusterWatchParts,
  ) {}

  start(): void {
    this.#done = Promise.all(
      this.watchers.flatMap((watcher) => watcher.streams.map((stream) => this.#keep(watcher, stream))),
    );
  }

  /** Resolves when every stream has ended. */
  async stop(): Promise<void> {
    this.#stop.abort(new ControlError('CANCELED', 'The watch was stopped.'));
    await this.#done;
  }

  /** Somebody wants to be sure of these scopes. */
  relist(scopeKeys: ReadonlySet<string>): void {
    for (const key of scopeKeys) this.#relists.get(key)?.resolve();
  }

  /** A stream that ends is begun again, after a pause that grows with each failure in a row. */
  async #keep(watcher: ClusterWatcher, stream: WatchStream): Promise<void> {
    const run = new StreamRun(watchScopeKey(watcher, stream, this.claim.cluster.uid), this.claim, this.parts);
    for (let failures = 0; !this.#isStopped(); failures++) {
      const hadListed = run.timesListed;
      const problem = await this.#once(watcher, stream, run);
      if (this.#isStopped()) return;
      if (run.timesListed > hadListed) failures = 0;
      const backoff = Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures, 10), LONGEST_RETRY_MS);
      const pause = problem?.retry.kind === 'never' ? HOPELESS_RETRY_MS : backoff;
      await this.#pause(run.scopeKey, pause * (0.5 + Math.random() / 2));
    }
  }

  #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Ends early when the watch is stopped, and, after the shortest pause, when somebody wants to be sure of the scope. */
  async #pause(scopeKey: string, milliseconds: number): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([this.#stop.signal, over.signal]);
    const wanted = this.#relistRequested(scopeKey, either);
    const shortest = delay(Math.min(FIRST_RETRY_MS, milliseconds), either);
    try {
      await Promise.race([delay(milliseconds, either), Promise.all([wanted, shortest])]);
    } catch (error) {
      if (!this.#isStopped()) this.parts.observer.unexpected(scopeKey, error);
    } finally {
      over.abort();
    }
  }

  async #once(watcher: ClusterWatcher, stream: WatchStream, run: StreamRun): Promise<ControlError | undefined> {
    const { signal } = this.#stop;
    const { scopes, observer } = this.parts;
    try {
      await scopes.beginWatched(run.scopeKey);
      const batches = watcher.watch(this.claim.cluster, stream.name, {
        signal,
        correlationId: crypto.randomUUID(),
        relistRequested: (until) => this.#relistRequested(run.scopeKey, until),
      });
      for await (const batch of batches) await run.take(batch);
      return undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error instanceof ControlError)) {
        observer.unexpected(run.scopeKey, error);
        return undefined;
      }
      if (error.code !== 'FENCED') await this.#tell(run, error);
      return error;
    } finally {
      run.end();
    }
  }

  async #tell(run: StreamRun, problem: ControlError): Promise<void> {
    this.parts.observer.failed(run.scopeKey, problem);
    try {
      await run.say({ news: 'failed', problem: storedProblem(problem) });
    } catch (error) {
      // The database is away as well: the scope ages, and is told of the problem next time.
      this.parts.observer.unexpected(run.scopeKey, error);
    }
  }

  async #relistRequested(scopeKey: string, until: AbortSignal): Promise<void> {
    const asked = Promise.withResolvers<void>();
    this.#relists.set(scopeKey, asked);
    const giveUp = (): void => asked.reject(until.reason as Error);
    until.addEventListener('abort', giveUp, { once: true });
    try {
      await asked.promise;
      await this.parts.scopes.beginWatched(scopeKey);
    } finally {
      until.removeEventListener('abort', giveUp);
      if (this.#relists.get(scopeKey) === asked) this.#relists.delete(scopeKey);
    }
  }
}

/** What one stream has told so far, and the writing of it. */
class StreamRun {
  timesListed = 0;
  #seen = new Set<string>();
  #aliveTold = 0;
  #interruption: NodeJS.Timeout | undefined;
  #toldInterrupted = false;

  constructor(
    readonly scopeKey: string,
    private readonly claim: ClusterClaim,
    private readonly parts: ClusterWatchParts,
  ) {}

  async take(batch: WatchBatch): Promise<void> {
    if (batch.batch !== 'interrupted') this.#clearInterruption();
    switch (batch.batch) {
      case 'page':
        await this.#write((transaction) => this.#apply(transaction, batch.observations, this.#seen));
        return;
      case 'listed':
        await this.#listed({ observedAt: batch.askedAt, source: 'WATCH' });
        return;
      case 'changes':
        await this.#changes(batch);
        return;
      case 'alive':
        await this.#alive(this.parts.database, batch.receivedAt);
        return;
      case 'interrupted':
        this.#interrupted(batch.problem);
        return;
      default:
        assertNever(batch);
    }
  }

  async say(news: WatchNews): Promise<void> {
    await this.#write((transaction) => this.parts.scopes.tellWatched(transaction, this.scopeKey, news));
  }

  /** The next begin of the stream starts with a list: what an unfinished one has seen is worth nothing. */
  end(): void {
    this.#clearInterruption();
    this.#seen = new Set();
  }

  async #listed(run: Freshness): Promise<void> {
    await this.#write(async (transaction) => {
      const { scopes, writer } = this.parts;
      await writer.tombstoneUnseen(transaction, this.scopeKey, this.#seen, run);
      await scopes.tellWatched(transaction, this.scopeKey, { news: 'listed', run, objectCount: this.#seen.size });
    });
    this.#seen = new Set();
    this.#toldInterrupted = false;
    this.timesListed++;
  }

  async #changes(batch: Extract<WatchBatch, { batch: 'changes' }>): Promise<void> {
    const { clock, observer, writer } = this.parts;
    const gone = batch.gone.map((target) => target.uid);
    await this.#write(async (transaction) => {
      if (batch.observations.length > 0) await this.#apply(transaction, batch.observations);
      if (gone.length > 0) {
        await writer.tombstone(transaction, gone, { observedAt: batch.receivedAt, source: 'WATCH' });
      }
      await this.#alive(transaction, batch.receivedAt);
    });
    const took = clock.now().getTime() - batch.receivedAt.getTime();
    observer.applied(this.scopeKey, batch.observations.length + gone.length, took);
  }

  async #apply(
    transaction: Transaction,
    observations: Parameters<ObservationWriter['apply']>[1],
    seen?: Set<string>,
  ): Promise<void> {
    await this.parts.writer.apply(transaction, observations, {
      scopeKey: this.scopeKey,
      ...(seen === undefined ? {} : { seen }),
    });
  }

  async #alive(sql: Parameters<ScopeRepository['tellWatched']>[0], observedAt: Date): Promise<void> {
    const now = performance.now();
    if (!this.#toldInterrupted && now - this.#aliveTold < ALIVE_EVERY_MS) return;
    this.#aliveTold = now;
    const news = this.#toldInterrupted ? 'recovered' : 'alive';
    await this.parts.scopes.tellWatched(sql, this.scopeKey, { news, run: { observedAt, source: 'WATCH' } });
    this.#toldInterrupted = false;
  }

  #interrupted(cause: Error): void {
    this.#interruption ??= setTimeout(() => {
      const problem =
        cause instanceof ControlError
          ? cause
          : new ControlError('KUBERNETES_UNAVAILABLE', 'The watch is interrupted.', { cause });
      this.parts.observer.failed(this.scopeKey, problem);
      this.#toldInterrupted = true;
      this.say({ news: 'failed', problem: storedProblem(problem) }).catch((error: unknown) =>
        this.parts.observer.unexpected(this.scopeKey, error),
      );
    }, INTERRUPTION_GRACE_MS);
  }

  #clearInterruption(): void {
    clearTimeout(this.#interruption);
    this.#interruption = undefined;
  }

  /** Fenced: whoever has lost the cluster writes nothing. */
  async #write(work: (transaction: Transaction) => Promise<void>): Promise<void> {
    const { database, clusters } = this.parts;
    await database.transaction(async (transaction) => {
      if (!(await clusters.holds(transaction, this.claim))) {
        throw new ControlError('FENCED', 'Another worker has taken this cluster over.');
      }
      await work(transaction);
    });
  }
}
