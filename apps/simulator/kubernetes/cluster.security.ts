import { claimsOf, principalOfToken } from '../authentication.js';
import type { AzureState } from '../azure.state.js';
import { objectAt, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import { CONNECTED_CLUSTER_TYPE } from '../types/arc.family.js';
import { builtInRole } from '../types/built-in-role.js';
import type { KubernetesRights } from '../types/built-in-role.js';
import { clusterToken, isManagedByEntra } from '../types/cluster.credentials.js';
import { SERVER_APPLICATION } from '../types/kubeconfig.js';
import { ROLE_ASSIGNMENT_TYPE, reaches, scopeOf } from '../types/role-assignment.type.js';
import type { AccessAttributes, AccessDecision, ClusterSecurity, ClusterUser } from './cluster.objects.js';

const DENIED = 'User does not have access to the resource in Azure. Update role assignment to allow access.';
const AUTHENTICATED = 'system:authenticated';
/** The group that Kubernetes lets do everything. */
const MASTERS = 'system:masters';
const RBAC_GROUP = 'rbac.authorization.k8s.io';
const READING = new Set(['get', 'list', 'watch']);

export interface AzureClusterSecurityOptions {
  state: AzureState;
  /** Of the managed cluster in ARM. */
  clusterKey: string;
  /** The key of the fleet whose hub the cluster is; undefined for a cluster of its own. */
  fleetKey: string | undefined;
  /** Bearer tokens that are accepted; any without it. */
  tokens: ReadonlySet<string> | undefined;
}

/**
 * Who may do what on the Kubernetes API of an AKS cluster or a fleet's hub. Everything is looked up when it is asked for:
 * a role assignment or a change of the cluster holds from then on.
 */
export class AzureClusterSecurity implements ClusterSecurity {
  constructor(private readonly options: AzureClusterSecurityOptions) {}

  authenticate(token: string | undefined): ClusterUser | undefined {
    const { state, clusterKey, tokens } = this.options;
    const cluster = state.resources.get(clusterKey);
    if (token === undefined || cluster === undefined) return undefined;
    const local = localAccount(cluster, token);
    if (local !== undefined) return local;
    if (!isManagedByEntra(cluster)) return undefined;
    if (tokens !== undefined && !tokens.has(token)) return undefined;
    const claims = claimsOf(token);
    if (claims !== undefined && !this.#isForClusters(claims)) return undefined;
    const groups = claims === undefined || !Array.isArray(claims.groups) ? [] : claims.groups;
    // Without Azure RBAC the cluster's own objects decide, and they know no caller of Azure.
    const isOpen = !usesAzureRbac(cluster) && this.#access() === 'everyone';
    return {
      name: principalOfToken(token),
      groups: [...(isOpen ? [MASTERS] : []), AUTHENTICATED, ...groups.filter((group) => typeof group === 'string')],
    };
  }

  authorize(user: ClusterUser, attributes: AccessAttributes): AccessDecision {
    const cluster = this.options.state.resources.get(this.options.clusterKey);
    if (cluster === undefined || !usesAzureRbac(cluster)) return { allowed: false, reason: '' };
    if (this.#access() === 'everyone') return { allowed: true, reason: 'everyone may use this cluster' };
    const role = this.#rolesOf(user).find(({ rights }) => allows(rights, attributes));
    return role === undefined
      ? { allowed: false, reason: DENIED }
      : { allowed: true, reason: `Access allowed by Azure RBAC Role Assignment ${role.assignment}` };
  }

  #access(): 'everyone' | 'assigned' {
    const { settings } = this.options.state;
    return this.options.fleetKey === undefined ? settings.clusterAccess : settings.hubAccess;
  }

  #isForClusters(claims: NonNullable<ReturnType<typeof claimsOf>>): boolean {
    const { aud, exp } = claims;
    const audience = typeof aud === 'string' ? aud.replace(/^spn:/, '').replace(/\/$/, '') : '';
    const isOver = typeof exp === 'number' && exp * 1000 <= this.options.state.now;
    return audience.toLowerCase() === SERVER_APPLICATION && !isOver;
  }

  /** What the caller's assignments at the cluster (or the fleet) and above it allow, once they have spread. */
  #rolesOf(user: ClusterUser): { assignment: string; rights: KubernetesRights }[] {
    const { state, clusterKey, fleetKey } = this.options;
    const scope = fleetKey ?? clusterKey;
    const record = state.resources.get(scope);
    const isConnected = record?.type === CONNECTED_CLUSTER_TYPE.toLowerCase();
    const of = fleetKey !== undefined ? 'fleets' : isConnected ? 'connectedClusters' : 'managedClusters';
    const subscriptionId = record?.subscriptionId ?? '';
    const holders = new Set([user.name, ...user.groups].map((holder) => holder.toLowerCase()));
    const horizon = state.now - state.settings.rolePropagationSeconds * 1000;
    return state.world.ofSubscription(ROLE_ASSIGNMENT_TYPE, subscriptionId).flatMap((assignment) => {
      const properties = objectAt(assignment.body, 'properties');
      if (!holders.has(textAt(properties, 'principalId')?.toLowerCase() ?? '')) return [];
      if (!reaches(scopeOf(assignment), scope) || Date.parse(assignment.createdAt) > horizon) return [];
      const kubernetes = builtInRole(textAt(properties, 'roleDefinitionId') ?? '')?.kubernetes;
      return kubernetes?.of === of ? [{ assignment: assignment.name, rights: kubernetes.rights }] : [];
    });
  }
}

function localAccount(cluster: StoredResource, token: string): ClusterUser | undefined {
  if (objectAt(cluster.body, 'properties').disableLocalAccounts === true) return undefined;
  if (token === clusterToken(cluster, 'admin') || token === clusterToken(cluster, 'user')) {
    return { name: 'masterclient', groups: [MASTERS, AUTHENTICATED] };
  }
  if (token === clusterToken(cluster, 'monitoring')) return { name: 'clusterMonitoringUser', groups: [AUTHENTICATED] };
  return undefined;
}

function usesAzureRbac(cluster: StoredResource): boolean {
  return objectAt(objectAt(cluster.body, 'properties'), 'aadProfile').enableAzureRBAC === true;
}

/**
 * The built-in roles as documented: readers see no secrets and no roles; writers change what is in namespaces but no roles;
 * administrators also roles, but no quotas; only a cluster administrator changes what stands outside of namespaces.
 */
function allows(rights: KubernetesRights, attributes: AccessAttributes): boolean {
  if (rights === 'cluster-admin') return true;
  const { verb, group, resource, namespace, nonResourcePath } = attributes;
  const reads = READING.has(verb);
  if (nonResourcePath !== undefined) return reads;
  const isRole = group === RBAC_GROUP;
  switch (rights) {
    case 'reader':
      return reads && !isRole && resource !== 'secrets';
    case 'writer':
      return !isRole && (reads || namespace !== '') && (reads || resource !== 'resourcequotas');
    case 'admin':
      return reads || (namespace !== '' && resource !== 'resourcequotas');
  }
}
