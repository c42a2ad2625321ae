import type { ObjectWriter } from '../cluster.objects.js';

/** Names that the fleet's agents give things. */
export const MEMBER_CLUSTERS = 'memberclusters.cluster.kubernetes-fleet.io';
export const INTERNAL_MEMBER_CLUSTERS = 'internalmemberclusters.cluster.kubernetes-fleet.io';
export const PLACEMENTS = 'clusterresourceplacements.placement.kubernetes-fleet.io';
export const RESOURCE_SNAPSHOTS = 'clusterresourcesnapshots.placement.kubernetes-fleet.io';
export const POLICY_SNAPSHOTS = 'clusterschedulingpolicysnapshots.placement.kubernetes-fleet.io';
export const WORKS = 'works.placement.kubernetes-fleet.io';
export const APPLIED_WORKS = 'appliedworks.placement.kubernetes-fleet.io';
export const SERVICE_EXPORTS = 'serviceexports.networking.fleet.azure.com';
export const SERVICE_IMPORTS = 'serviceimports.networking.fleet.azure.com';
export const INTERNAL_SERVICE_EXPORTS = 'internalserviceexports.networking.fleet.azure.com';
export const INTERNAL_SERVICE_IMPORTS = 'internalserviceimports.networking.fleet.azure.com';
export const MULTI_CLUSTER_SERVICES = 'multiclusterservices.networking.fleet.azure.com';
export const SLICE_EXPORTS = 'endpointsliceexports.networking.fleet.azure.com';
export const SLICE_IMPORTS = 'endpointsliceimports.networking.fleet.azure.com';
export const SLICES = 'endpointslices.discovery.k8s.io';

export const PLACEMENT_API = 'placement.kubernetes-fleet.io/v1beta1';
export const CLUSTER_API = 'cluster.kubernetes-fleet.io/v1beta1';
export const NETWORKING_API = 'networking.fleet.azure.com/v1alpha1';

export const FLEET_SYSTEM = 'fleet-system';
export const PARENT_PLACEMENT = 'kubernetes-fleet.io/parent-CRP';
export const PLACEMENT_CLEANUP = 'kubernetes-fleet.io/crp-cleanup';
export const SCHEDULER_CLEANUP = 'kubernetes-fleet.io/scheduler-cleanup';
export const MEMBER_FINALIZER = 'kubernetes-fleet.io/membercluster-finalizer';
export const WORK_CLEANUP = 'kubernetes-fleet.io/work-cleanup';

export const HUB_AGENT: ObjectWriter = {
  manager: 'hubagent',
  user: 'system:serviceaccount:fleet-system:hub-agent-sa',
};
export const HUB_NETWORKING: ObjectWriter = {
  manager: 'hub-net-controller-manager',
  user: 'system:serviceaccount:fleet-system:hub-net-controller-manager-sa',
};
/** The member agent, which applies what works say. */
export const WORK_AGENT: ObjectWriter = {
  manager: 'work-api-agent',
  user: 'system:serviceaccount:fleet-system:member-agent-sa',
};
export const MEMBER_NETWORKING: ObjectWriter = {
  manager: 'member-net-controller-manager',
  user: 'system:serviceaccount:fleet-system:member-net-controller-manager-sa',
};

/** The hub's namespace of a member. */
export function memberNamespace(member: string): string {
  return `fleet-member-${member}`;
}

/** Namespaces that belong to the platform: never propagated, and guarded on the hub. */
export function isReservedNamespace(namespace: string): boolean {
  return namespace.startsWith('fleet-') || namespace.startsWith('kube-');
}
