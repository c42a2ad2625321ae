import type { Kube } from '#libs/kube/kube.js';
import type { ClusterDirectory } from '../contract/cluster-directory.js';
import type { VirtualNodesClient } from './virtual-nodes.client.js';

/** What the operations work with. */
export interface VirtualNodesParts {
  client: VirtualNodesClient;
  kube: Kube;
  clusters: ClusterDirectory;
}
