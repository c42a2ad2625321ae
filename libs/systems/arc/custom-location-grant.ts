import type { JsonObject } from '#libs/kernel/json.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import { CLUSTER_ROLE, CLUSTER_ROLE_BINDING, bindingName, type GrantRole } from './arc-agents.js';
import { applyObject } from './reached-cluster.js';

const RBAC = 'rbac.authorization.k8s.io';
const LEAST_ROLE = 'pilothouse-custom-locations';
const ALL = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];

/**
 * What the provider does in a cluster for a custom location: it makes the namespace, and roles and bindings in it for the
 * extensions that stand on the location. Kubernetes lets nobody give away more than they hold, so that the bindings that it
 * makes can name the built-in roles of namespaces alone.
 */
export const LEAST_RULES: readonly JsonObject[] = [
  { apiGroups: [''], resources: ['namespaces'], verbs: ALL },
  { apiGroups: [RBAC], resources: ['roles', 'rolebindings'], verbs: ALL },
  { apiGroups: [RBAC], resources: ['clusterroles'], resourceNames: ['admin', 'edit', 'view'], verbs: ['bind'] },
  { apiGroups: ['clusterconfig.azure.com'], resources: ['customlocationsettings'], verbs: ALL },
];

export function roleName(role: GrantRole): string {
  return role === 'least-privilege' ? LEAST_ROLE : 'cluster-admin';
}

/**
 * Binds an object id. Each role has a binding of its own: what a binding refers to can never be changed. Bindings of the
 * agents' chart are left alone.
 */
export async function applyGrant(
  cluster: ClusterClient,
  role: GrantRole,
  objectId: string,
  call: KubeCall,
): Promise<void> {
  if (role === 'least-privilege') {
    await applyObject(cluster, CLUSTER_ROLE, LEAST_ROLE, { rules: [...LEAST_RULES] }, call);
  }
  const content: JsonObject = {
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: roleName(role) },
    subjects: [{ apiGroup: RBAC, kind: 'User', name: objectId }],
  };
  await applyObject(cluster, CLUSTER_ROLE_BINDING, bindingName(role), content, call);
}
