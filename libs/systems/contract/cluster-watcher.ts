import type { CollectContext, Observer } from './collector.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Observation } from './observation.js';
import type { ResourceTarget } from './resource-target.js';

/** A cluster to be watched: a managed cluster, a connected cluster, a fleet (its hub), an attached cluster. */
export interface WatchedCluster extends ResourceTarget {
  name: string;
  subscriptionId: string | null;
  resourceGroup: string | null;
  location: string | null;
}

/** What the cache knows of a cluster when it is decided whether to watch it. */
export interface ClusterCandidate extends WatchedCluster {
  provisioningState: string | null;
  properties: JsonObject;
  /** Somebody has attached a kubeconfig to it: clusters of which Azure gives no credential are out of reach without. */
  isAttached: boolean;
}

export interface WatchContext extends CollectContext {
  /** Resolves when somebody wants certainty: the whole list is then read again. */
  relistRequested(signal: AbortSignal): Promise<void>;
}

/**
 * What a stream tells, in order. First the pages of a list and `listed`, then changes. Pages and `listed` come again where
 * the whole had to be read again: what was in none of these pages is gone.
 */
export type WatchBatch =
  | { batch: 'page'; observations: Observation[] }
  /** Everything was seen; `askedAt` is when the list was asked for. */
  | { batch: 'listed'; askedAt: Date }
  | { batch: 'changes'; observations: Observation[]; gone: ResourceTarget[]; receivedAt: Date }
  /** Nothing else changed up to now. */
  | { batch: 'alive'; receivedAt: Date }
  /** The connection is lost and being made again; what was told stands, and ages. */
  | { batch: 'interrupted'; problem: Error };

/** One stream of a cluster: it has its own scope, `{watcher}/{stream}:{cluster uid}`, with its own freshness and problem. */
export interface WatchStream {
  /** Unique within the watcher: `pods`. */
  readonly name: string;
  readonly kinds: readonly string[];
}

/**
 * What a system watches inside clusters. Obligations: bounded batches; every object that it saw and no other; a stream that
 * cannot go on throws a ControlError rather than falling silent.
 */
export interface ClusterWatcher extends Observer {
  readonly name: string;
  /** The kinds of clusters that it looks into. */
  readonly clusterKinds: readonly string[];
  readonly streams: readonly WatchStream[];
  /** Pure: whether this one is there to be watched (it runs, has a hub, …). */
  isWatched(cluster: ClusterCandidate): boolean;
  /** Runs until the signal ends it. @throws ControlError */
  watch(cluster: WatchedCluster, stream: string, context: WatchContext): AsyncGenerator<WatchBatch, void, void>;
}
