import type { ClusterDirectory } from '../contract/cluster-directory.js';

/** What can be watched in a cluster, each type of object by itself. */
export const STREAM_NAMES = [
  'namespaces',
  'deployments',
  'statefulsets',
  'daemonsets',
  'services',
  'endpointslices',
  'pods',
  'nodes',
  'storageclasses',
  'csidrivers',
] as const;
export type StreamName = (typeof STREAM_NAMES)[number];

/** What of the clusters is watched and kept. */
export interface KubernetesSelection {
  /** What is watched. Without pods nobody knows what the pods of a node request. */
  streams: readonly StreamName[];
  /** Only these namespaces are kept; all of them where none is named. */
  namespaces: readonly string[];
  /** These are not kept, also where they are named above. */
  excludedNamespaces: readonly string[];
}

export interface KubernetesOptions extends KubernetesSelection {
  clusters: ClusterDirectory;
}
