import { WakeSignal } from '#libs/kernel/wake-signal.js';
import type { NotificationListener } from '#libs/database/notification.listener.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { ClusterWatch, type ClusterWatchParts } from './cluster-watch.js';
import { SCOPE_CHANNEL } from './scope.repository.js';
import { type ClusterClaim, WATCHED_CLUSTER_CHANNEL } from './watched-cluster.repository.js';

export interface ClusterWatchSettings {
  /** Who claims: unique to this process. */
  owner: string;
  /** Clusters that this process watches at the same time. */
  concurrency: number;
  /** How long a cluster stays claimed without a sign of life; renewed at a third of it. */
  leaseSeconds: number;
  /** How often to look for clusters to claim and scopes to read again when no notification comes. */
  pollSeconds: number;
}

export type ClusterWatchSchedulerParts = ClusterWatchParts & {
  registry: SystemRegistry;
  listener: NotificationListener;
  /** The database failed; the scheduler goes on. */
  failed: (error: unknown) => void;
};

/** Claims clusters and watches them until it is stopped. Any number of processes share the clusters among them. */
export class ClusterWatchScheduler {
  readonly #watches = new Map<string, ClusterWatch>();
  readonly #wakeUp = new WakeSignal();
  #stop = new AbortController();
  #loop: Promise<void> | undefined;
  #unsubscribe: (() => void)[] = [];
  #renewedAt = 0;

  constructor(
    private readonly parts: ClusterWatchSchedulerParts,
    private readonly settings: ClusterWatchSettings,
  ) {}

  /** How many clusters this process watches now. */
  get count(): number {
    return this.#watches.size;
  }

  start(): void {
    if (this.#loop !== undefined) return;
    this.#stop = new AbortController();
    const { listener } = this.parts;
    this.#unsubscribe = [WATCHED_CLUSTER_CHANNEL, SCOPE_CHANNEL].map((channel) =>
      listener.on(channel, this.#wakeUp.wake),
    );
    this.#loop = this.#run(this.#stop.signal);
  }

  /** Lets go of every cluster, so that others can take them at once. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#stop.abort();
    await this.#loop;
    const watches = [...this.#watches.values()];
    this.#watches.clear();
    await Promise.all(watches.map((watch) => watch.stop()));
    await Promise.all(watches.map((watch) => this.#attempt(() => this.parts.clusters.release(watch.claim))));
    this.#loop = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#attempt(() => this.#turn());
      await this.#wakeUp.sleep(signal, this.settings.pollSeconds * 1000 * (0.9 + 0.2 * Math.random()));
    }
  }

  async #turn(): Promise<void> {
    await this.#renew();
    const free = this.settings.concurrency - this.#watches.size;
    if (free > 0) {
      const { owner, leaseSeconds } = this.settings;
      const claims = await this.parts.clusters.claimDue(owner, leaseSeconds, free, [...this.#watches.keys()]);
      for (const claim of claims) this.#begin(claim);
    }
    if (this.#watches.size === 0) return;
    const due = await this.parts.scopes.findWatchedDue([...this.#watches.keys()]);
    if (due.length === 0) return;
    const keys = new Set(due);
    for (const watch of this.#watches.values()) watch.relist(keys);
  }

  #begin(claim: ClusterClaim): void {
    const watchers = this.parts.registry.watchers.filter((watcher) => claim.watchers.includes(watcher.name));
    const watch = new ClusterWatch(claim, watchers, this.parts);
    this.#watches.set(claim.cluster.uid, watch);
    watch.start();
  }

  /** What is no longer ours is let go of; its fence keeps it from writing in the meantime. */
  async #renew(): Promise<void> {
    const isDue = performance.now() - this.#renewedAt >= (this.settings.leaseSeconds * 1000) / 3;
    if (this.#watches.size === 0) return;
    const claims = [...this.#watches.values()].map((watch) => watch.claim);
    const ours = isDue
      ? await this.parts.clusters.renew(claims, this.settings.leaseSeconds)
      : await this.parts.clusters.findOurs(claims);
    if (isDue) this.#renewedAt = performance.now();
    const lost = [...this.#watches.values()].filter((watch) => !ours.has(watch.claim.cluster.uid));
    for (const watch of lost) this.#watches.delete(watch.claim.cluster.uid);
    await Promise.all(lost.map((watch) => watch.stop()));
  }

  /** A database that fails must not end the loop; what is to be done is still to be done at the next turn. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.parts.failed(error);
    }
  }
}
