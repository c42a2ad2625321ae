import type { KubeCall } from '../cluster-access.js';
import type { ClusterClient } from '../cluster-client.js';
import { groupOfApiVersion } from './manifest.order.js';

/** `group/Kind`: what a hub refuses, since it would make pods or is one. */
const REFUSED_TYPES = new Set(['/Pod', 'apps/ReplicaSet']);
/** `group/Kind`: what a hub takes and keeps, for the members to run. */
const HELD_TYPES = new Set([
  '/ReplicationController',
  'apps/DaemonSet',
  'apps/Deployment',
  'apps/StatefulSet',
  'batch/CronJob',
  'batch/Job',
]);

/**
 * Whether the cluster is the hub of a fleet: it alone serves placements. Members know other kinds of the same group. The
 * kind in Pilothouse does not tell, since a hub is a managed cluster too, and may be attached.
 */
export async function isFleetHub(client: Pick<ClusterClient, 'findResource'>, call: KubeCall): Promise<boolean> {
  const type = { group: 'placement.kubernetes-fleet.io', kind: 'ClusterResourcePlacement' };
  return (await client.findResource(type, call)) !== undefined;
}

/** Namespaces in which a hub does its own work; it places nothing out of them and guards them. */
export function isReservedOnHub(namespace: string): boolean {
  return /^(fleet|kube)-/.test(namespace);
}

export function isRefusedOnHub(type: { apiVersion: string; kind: string }, namespace: string): boolean {
  return REFUSED_TYPES.has(typeOf(type)) && !isReservedOnHub(namespace);
}

export function isHeldOnHub(type: { apiVersion: string; kind: string }, namespace: string): boolean {
  return HELD_TYPES.has(typeOf(type)) && !isReservedOnHub(namespace);
}

function typeOf({ apiVersion, kind }: { apiVersion: string; kind: string }): string {
  return `${groupOfApiVersion(apiVersion)}/${kind}`;
}
