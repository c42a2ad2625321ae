import type { WatchedCluster } from './cluster-watcher.js';

/** What the house knows of a cluster by its uid: what an object in it inherits from it (place, subscription) is there. */
export interface ClusterDirectory {
  /** undefined for a cluster that is not known. */
  find(clusterUid: string): Promise<WatchedCluster | undefined>;
}

/** Injects the one `ClusterDirectory` of the process. */
export const CLUSTER_DIRECTORY = Symbol('CLUSTER_DIRECTORY');
