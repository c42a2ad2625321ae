import type { ClusterReference } from './cluster-access.js';
import type { ClusterClient } from './cluster-client.js';

/** All clusters as the systems see them. Connections, credentials, discovery and limits are shared between callers. */
export interface Kube {
  /** Contacts nothing yet: access is found with the first call. */
  cluster(reference: ClusterReference): ClusterClient;
  /** By uid alone. @throws ControlError RESOURCE_NOT_FOUND when the cluster is not known. */
  clusterOf(uid: string): Promise<ClusterClient>;
  /** Its credential was changed or taken away: nothing that is kept is used again. */
  forget(uid: string): void;
  close(): Promise<void>;
}
