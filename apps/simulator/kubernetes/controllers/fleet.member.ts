import type { SimulatedCluster } from '../cluster.objects.js';

/** A member of a fleet, as ARM tells of it. */
export interface FleetMember {
  /** The member's name in the fleet, which is not the cluster's. */
  name: string;
  cluster: SimulatedCluster;
  /** The ARM member's own labels; those below `fleet.azure.com/` are made here. */
  labels: Readonly<Record<string, string>>;
  location: string;
  resourceGroup: string;
  subscriptionId: string;
  /** Whether pods of other members can reach its pods: Azure CNI without overlay, in the same or a peered network. */
  routable: boolean;
  /** An unreachable agent sends no heartbeats and carries nothing out. */
  agent: 'running' | 'unreachable';
}
