import type { Clock } from '#libs/kernel/clock.js';
import type { Kube } from '#libs/kube/kube.js';
import type { ClusterDirectory } from '../contract/cluster-directory.js';
import type { FleetClient } from './fleet.client.js';

/** What the operations of Fleet work with. */
export interface FleetParts {
  client: FleetClient;
  kube: Kube;
  clusters: ClusterDirectory;
  clock: Clock;
}
