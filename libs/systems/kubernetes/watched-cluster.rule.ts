import type { ClusterCandidate } from '../contract/cluster-watcher.js';
import { rawObject, rawText } from '../contract/raw-reader.js';

/** The hub of a fleet is a managed cluster as well; it is watched as the fleet. */
const HUB_NODE_GROUP = /^MC_FL_/i;
/** While it is made there is nothing to see yet, and while it is deleted soon nothing more. */
const NOT_THERE = ['creating', 'deleting'];

/** Whether a cluster has an API server that runs and is to be looked into. */
export function isWatchable(cluster: ClusterCandidate): boolean {
  const state = cluster.provisioningState?.toLowerCase();
  switch (cluster.kind) {
    case 'AttachedCluster':
      return true;
    case 'ConnectedCluster':
      return (cluster.isAttached || isOfHost(cluster)) && state !== 'deleting';
    case 'Fleet':
      return rawObject(cluster.properties, 'hubProfile') !== null && isThere(state) && state !== 'failed';
    case 'ManagedCluster':
      return isThere(state) && runs(cluster);
    default:
      return false;
  }
}

/** Azure gives the credential of one that it made on Azure Stack HCI, once its machines and agents run. */
function isOfHost({ properties }: ClusterCandidate): boolean {
  return (
    rawText(properties, 'kind')?.toLowerCase() === 'provisionedcluster' &&
    rawText(properties, 'connectivityStatus')?.toLowerCase() === 'connected'
  );
}

function isThere(state: string | undefined): boolean {
  return state !== undefined && state !== '' && !NOT_THERE.includes(state);
}

/** One whose last change has failed mostly runs on; one that could never be made has no address. */
function runs({ properties }: ClusterCandidate): boolean {
  const hasAddress = rawText(properties, 'fqdn') !== null || rawText(properties, 'privateFQDN') !== null;
  const isStopped = rawText(properties, 'powerState', 'code')?.toLowerCase() === 'stopped';
  const isHub = HUB_NODE_GROUP.test(rawText(properties, 'nodeResourceGroup') ?? '');
  return hasAddress && !isStopped && !isHub;
}
