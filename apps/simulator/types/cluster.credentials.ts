import { deterministicHex } from '../deterministic-id.js';
import { objectAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';

export type ClusterAccount = 'user' | 'admin' | 'monitoring';

/** The static token of an account: the same for as long as the cluster is there; 128 hexadecimal digits, as AKS makes them. */
export function clusterToken(cluster: StoredResource, account: ClusterAccount): string {
  return deterministicHex(`${account}|${cluster.key}|${cluster.createdAt}`, 128);
}

/** Whether Entra ID says who calls: then the user's credential holds no secret. */
export function isManagedByEntra(cluster: StoredResource): boolean {
  return Object.keys(objectAt(objectAt(cluster.body, 'properties'), 'aadProfile')).length > 0;
}
