import type { Clock } from '#libs/kernel/clock.js';
import { WakeSignal } from '#libs/kernel/wake-signal.js';
import { NodeLoad } from './node-load.js';
import type { StreamName } from './kubernetes.options.js';
import { ServiceEndpoints } from './service-endpoints.js';
import { WorkloadLabels } from './workload-labels.js';

export type Wait = (milliseconds: number, signal: AbortSignal) => Promise<void>;

/** What the streams of one cluster know for each other. It is as large as the cluster, and lives as long as its streams. */
export class ClusterIndex {
  readonly load: NodeLoad;
  readonly labels: WorkloadLabels;
  readonly endpoints: ServiceEndpoints;
  readonly #settled = new Map<StreamName, PromiseWithResolvers<void>>();

  constructor(clock: Clock) {
    this.load = new NodeLoad(clock);
    const services = new WakeSignal();
    this.labels = new WorkloadLabels(services);
    this.endpoints = new ServiceEndpoints(clock, services);
  }

  /** The stream has told everything once, or has ended: nobody need wait for it. */
  settle(stream: StreamName): void {
    this.#settling(stream).resolve();
  }

  /**
   * Resolves when all these streams have settled, at the latest after the given time: what depends on them would else be
   * told twice, first without and then with what they know.
   */
  async settled(streams: readonly StreamName[], longestMs: number, wait: Wait, signal: AbortSignal): Promise<void> {
    const enough = new AbortController();
    const all = Promise.all(streams.map((stream) => this.#settling(stream).promise));
    const ended = AbortSignal.any([signal, enough.signal]);
    const longest = wait(longestMs, ended).catch((error: unknown) => {
      if (!ended.aborted) throw error;
    });
    await Promise.race([all, longest]);
    enough.abort();
  }

  #settling(stream: StreamName): PromiseWithResolvers<void> {
    let settling = this.#settled.get(stream);
    if (settling === undefined) this.#settled.set(stream, (settling = Promise.withResolvers<void>()));
    return settling;
  }
}

/** The index of each cluster of which at least one stream runs. */
export class ClusterIndexes {
  readonly #indexes = new Map<string, { index: ClusterIndex; streams: number }>();

  constructor(private readonly clock: Clock) {}

  get size(): number {
    return this.#indexes.size;
  }

  enter(clusterUid: string): ClusterIndex {
    let entry = this.#indexes.get(clusterUid);
    if (entry === undefined)
      this.#indexes.set(clusterUid, (entry = { index: new ClusterIndex(this.clock), streams: 0 }));
    entry.streams++;
    return entry.index;
  }

  leave(clusterUid: string): void {
    const entry = this.#indexes.get(clusterUid);
    if (entry !== undefined && --entry.streams === 0) this.#indexes.delete(clusterUid);
  }
}
