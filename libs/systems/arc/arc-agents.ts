import type { ArmId } from '#libs/kernel/arm-id.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { rawInteger, rawObjects, rawText } from '../contract/raw-reader.js';
import { ifAllowed, listObjects, readObject } from './reached-cluster.js';

export const ARC_FEATURES = ['cluster-connect', 'custom-locations', 'azure-rbac'] as const;
export type ArcFeature = (typeof ARC_FEATURES)[number];

export const AGENT_NAMESPACE = 'azure-arc';
const SECRET = { group: '', kind: 'Secret' };
const DEPLOYMENT = { group: 'apps', kind: 'Deployment' };
export const CLUSTER_ROLE = { group: 'rbac.authorization.k8s.io', kind: 'ClusterRole' };
export const CLUSTER_ROLE_BINDING = { group: 'rbac.authorization.k8s.io', kind: 'ClusterRoleBinding' };

/** The binding that the agents' chart makes when custom locations are switched on through it. */
export const CHART_BINDING = 'AzureArc-Microsoft.ExtendedLocation-RP-RoleBinding';
/** The roles that Pilothouse can bind for the provider of custom locations. */
export const GRANT_ROLES = ['least-privilege', 'cluster-admin'] as const;
export type GrantRole = (typeof GRANT_ROLES)[number];
/** The bindings that Pilothouse makes, one for each role that can be given. */
export const GRANT_BINDING_PREFIX = 'pilothouse-custom-locations-';

export function bindingName(role: GrantRole): string {
  return `${GRANT_BINDING_PREFIX}${role}`;
}

/** The agents by which each feature is seen to be on. Custom locations have none of their own. */
const AGENTS_OF: Readonly<Record<ArcFeature, readonly string[]>> = {
  'cluster-connect': ['clusterconnect-agent', 'kube-aad-proxy'],
  'custom-locations': [],
  'azure-rbac': ['guard'],
};

/** Azure Arc as it stands in a cluster. */
export interface AgentPicture {
  /** The deployments in the agents' namespace, by name: whether they are available. */
  agents: ReadonlyMap<string, boolean>;
  features: Readonly<Record<ArcFeature, boolean>>;
  /** The object ids that are bound for the provider of custom locations, by whomever. */
  boundObjectIds: readonly string[];
  /** Those that the agents' chart has bound. */
  chartObjectIds: readonly string[];
  /** Those that Pilothouse has bound. */
  grantedObjectIds: readonly string[];
  /** Whether the certificates that the agents get from Azure are there; null where secrets may not be read. */
  certificates: { identity: boolean | null; proxy: boolean | null };
  /** Why the cluster makes no pods for the proxy of cluster connect, in its own words; null where it does. */
  proxyRefusal: string | null;
  /** The connected cluster that the agents say they speak for, as `group/name`; null where there are none. */
  speaksFor: string | null;
}

/** @throws ControlError where the cluster cannot be asked. */
export async function lookAtAgents(cluster: ClusterClient, call: KubeCall): Promise<AgentPicture> {
  const bindingOf = (name: string) => readObject(cluster, CLUSTER_ROLE_BINDING, undefined, name, call);
  // Clusters have hundreds of bindings; those that count are known by their names.
  const [deployments, chartBinding, granted, configuration, identity, proxy] = await Promise.all([
    listObjects(cluster, DEPLOYMENT, AGENT_NAMESPACE, call),
    bindingOf(CHART_BINDING),
    Promise.all(GRANT_ROLES.map((role) => bindingOf(bindingName(role)))),
    readObject(cluster, { group: '', kind: 'ConfigMap' }, AGENT_NAMESPACE, 'azure-clusterconfig', call),
    hasSecret(cluster, 'azure-identity-certificate', call),
    hasSecret(cluster, 'kube-aad-proxy-certificate', call),
  ]);
  const agents = new Map(deployments.map((deployment) => [deployment.metadata.name, isAvailable(deployment)]));
  const chartObjectIds = usersOf(chartBinding);
  const grantedObjectIds = granted.flatMap(usersOf);
  const boundObjectIds = [...new Set([...chartObjectIds, ...grantedObjectIds])];
  const runs = (feature: ArcFeature): boolean => AGENTS_OF[feature].every((name) => agents.get(name) === true);
  return {
    agents,
    features: {
      'cluster-connect': runs('cluster-connect'),
      'custom-locations': boundObjectIds.length > 0,
      'azure-rbac': runs('azure-rbac'),
    },
    boundObjectIds,
    chartObjectIds,
    grantedObjectIds,
    certificates: { identity, proxy },
    proxyRefusal: podRefusal(deployments.find(({ metadata }) => metadata.name === 'kube-aad-proxy')),
    speaksFor: configuration === undefined ? null : speaksFor(configuration),
  };
}

/** Whether an object id is among those that are bound for the provider of custom locations. */
export function isBound(picture: AgentPicture, objectId: string): boolean {
  return picture.boundObjectIds.includes(objectId.toLowerCase());
}

/** Whether anything of a feature is still there: one that is going down is not off yet. */
export function leavesTraces(picture: AgentPicture, feature: ArcFeature): boolean {
  if (feature === 'custom-locations') return picture.boundObjectIds.length > 0;
  return AGENTS_OF[feature].some((name) => picture.agents.has(name));
}

/** Whether the agents say that they belong to another connected cluster than this one. */
export function belongsElsewhere(picture: AgentPicture, cluster: ArmId): boolean {
  return picture.speaksFor !== null && picture.speaksFor !== keyOf(cluster.resourceGroup, cluster.name);
}

/** null where the credential may not read secrets: one that only watches need not. */
async function hasSecret(cluster: ClusterClient, name: string, call: KubeCall): Promise<boolean | null> {
  const look = await ifAllowed(async () => ({
    secret: await readObject(cluster, SECRET, AGENT_NAMESPACE, name, call),
  }));
  return look === undefined ? null : look.secret !== undefined;
}

/** Why a deployment gets no pods, in the words of the cluster: a policy or a quota keeps them out. null where it gets them. */
export function podRefusal(deployment: KubernetesObject | undefined): string | null {
  const failure = rawObjects(deployment, 'status', 'conditions').find(
    (condition) => rawText(condition, 'type') === 'ReplicaFailure' && rawText(condition, 'status') === 'True',
  );
  return rawText(failure, 'message');
}

function isAvailable(deployment: KubernetesObject): boolean {
  return (rawInteger(deployment, 'status', 'availableReplicas') ?? 0) > 0;
}

/** In lower case. */
function usersOf(binding: KubernetesObject | undefined): string[] {
  return rawObjects(binding, 'subjects').flatMap((subject) =>
    rawText(subject, 'kind') === 'User' ? (rawText(subject, 'name')?.toLowerCase() ?? []) : [],
  );
}

function speaksFor(configuration: KubernetesObject): string | null {
  const name = rawText(configuration, 'data', 'AZURE_RESOURCE_NAME');
  return name === null ? null : keyOf(rawText(configuration, 'data', 'AZURE_RESOURCE_GROUP') ?? '', name);
}

function keyOf(resourceGroup: string | undefined, name: string): string {
  return `${resourceGroup ?? ''}/${name}`.toLowerCase();
}
