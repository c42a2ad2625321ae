import { deterministicHex } from '../deterministic-id.js';
import type { ClusterObjects, KubernetesObject, ObjectDraft, ObjectWriter } from './cluster.objects.js';

export const AGENT_NAMESPACE = 'azure-arc';
export const AGENT_VERSION = '1.31.3';
/** Helm keeps its own record beside the agents, not among them. */
const RELEASE_NAMESPACE = 'azure-arc-release';
const HELM: ObjectWriter = { manager: 'helm', user: 'masterclient' };
const IDENTITY_OPERATOR: ObjectWriter = {
  manager: 'clusteridentityoperator',
  user: 'system:serviceaccount:azure-arc:azure-arc-kube-aad-proxy-sa',
};
const IDENTITY_CERTIFICATE = 'azure-identity-certificate';
const PROXY_CERTIFICATE = 'kube-aad-proxy-certificate';
/** Whose pods need which certificate; those of the proxy do not start without. */
const MOUNTS: Readonly<Record<string, { secretName: string; optional: boolean }>> = {
  'config-agent': { secretName: IDENTITY_CERTIFICATE, optional: true },
  'kube-aad-proxy': { secretName: PROXY_CERTIFICATE, optional: false },
};
const BINDING = 'AzureArc-Microsoft.ExtendedLocation-RP-RoleBinding';
const ROLE = 'AzureArc-Microsoft.ExtendedLocation-RP-Role';

export type ArcFeature = 'cluster-connect' | 'custom-locations' | 'azure-rbac';

const BASE_AGENTS = [
  'cluster-metadata-operator',
  'clusteridentityoperator',
  'config-agent',
  'controller-manager',
  'extension-events-collector',
  'extension-manager',
  'flux-logs-agent',
  'metrics-agent',
  'resource-sync-agent',
];
const RELAY_AGENTS = ['clusterconnect-agent', 'kube-aad-proxy'];
const GUARD = 'guard';

/** What the chart's values say. */
export interface AgentValues {
  features: readonly ArcFeature[];
  /** Of the provider of custom locations: the chart binds it when the feature is on. */
  customLocationsObjectId: string | undefined;
  /** Whether they reach Azure, which gives them their certificates. */
  reachesAzure: boolean;
  /** Which connected cluster the agents speak for. */
  identity: { name: string; resourceGroup: string; subscriptionId: string; location: string; tenantId: string };
}

export type ChosenAgents = Omit<AgentValues, 'identity'>;

/** What `helm upgrade --install azure-arc` leaves in a cluster: afterwards exactly the features named are on. */
export function installAgents(objects: ClusterObjects, values: AgentValues): void {
  for (const name of [AGENT_NAMESPACE, RELEASE_NAMESPACE]) ensureNamespace(objects, name);
  const wanted = [
    ...BASE_AGENTS,
    ...(values.features.includes('cluster-connect') ? RELAY_AGENTS : []),
    ...(values.features.includes('azure-rbac') ? [GUARD] : []),
  ];
  for (const name of wanted) ensure(objects, 'deployments.apps', deployment(name));
  for (const name of [...RELAY_AGENTS, GUARD]) {
    if (!wanted.includes(name)) objects.delete('deployments.apps', AGENT_NAMESPACE, name, HELM);
  }
  ensure(objects, 'configmaps', clusterConfig(values.identity));
  if (values.reachesAzure) {
    for (const name of [IDENTITY_CERTIFICATE, PROXY_CERTIFICATE]) {
      ensure(objects, 'secrets', certificate(name), IDENTITY_OPERATOR);
    }
  }
  const principal = values.features.includes('custom-locations') ? values.customLocationsObjectId : undefined;
  if (principal !== undefined) for (const draft of binding(principal)) ensure(objects, resourceOf(draft), draft);
}

/** What `helm uninstall` leaves: a cluster that Azure hears nothing of any more. */
export function removeAgents(objects: ClusterObjects): void {
  objects.delete('clusterrolebindings.rbac.authorization.k8s.io', undefined, BINDING, HELM);
  objects.delete('clusterroles.rbac.authorization.k8s.io', undefined, ROLE, HELM);
  for (const name of [AGENT_NAMESPACE, RELEASE_NAMESPACE]) objects.delete('namespaces', undefined, name, HELM);
}

/** Agents that were only just deployed are `starting` until their pods run. */
export function agentsOf(objects: ClusterObjects): 'absent' | 'starting' | 'running' {
  const agents = BASE_AGENTS.map((name) => objects.get('deployments.apps', AGENT_NAMESPACE, name));
  if (agents.some((agent) => agent === undefined || isScaledDown(agent))) return 'absent';
  return agents.every((agent) => availableReplicas(agent) > 0) ? 'running' : 'starting';
}

/** Without their certificate the agents run, and nobody in Azure listens to them. */
export function haveIdentity(objects: ClusterObjects): boolean {
  return !lacksCertificate(objects, objects.get('deployments.apps', AGENT_NAMESPACE, 'config-agent'));
}

/** Whether anybody in the cluster listens at its end of the relay. */
export function hasRelayListener(objects: ClusterObjects): boolean {
  return RELAY_AGENTS.every((name) => {
    const agent = objects.get('deployments.apps', AGENT_NAMESPACE, name);
    if (agent === undefined || isScaledDown(agent) || isRefused(agent)) return false;
    return !lacksCertificate(objects, agent);
  });
}

export function ensureNamespace(objects: ClusterObjects, name: string, writer: ObjectWriter = HELM): void {
  if (objects.get('namespaces', undefined, name) !== undefined) return;
  objects.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, writer);
}

/** Makes what is not there; what is there stays as somebody may have changed it. */
export function ensure(objects: ClusterObjects, resource: string, draft: ObjectDraft, writer = HELM): void {
  const { namespace, name } = draft.metadata;
  if (objects.get(resource, namespace, name ?? '') === undefined) objects.create(draft, writer);
}

function resourceOf(draft: ObjectDraft): string {
  return `${draft.kind.toLowerCase()}s.rbac.authorization.k8s.io`;
}

function deployment(name: string): ObjectDraft {
  const mount = MOUNTS[name];
  const labels = { 'app.kubernetes.io/component': name, 'app.kubernetes.io/name': 'azure-arc-k8s' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: AGENT_NAMESPACE, labels: { ...labels, 'app.kubernetes.io/managed-by': 'Helm' } },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          containers: [
            {
              name,
              image: `mcr.microsoft.com/azurearck8s/${name}:${AGENT_VERSION}`,
              resources: { requests: { cpu: '5m', memory: '20Mi' } },
              ...(mount === undefined ? {} : { volumeMounts: [{ name: 'certificate', mountPath: '/certificate' }] }),
            },
          ],
          ...(mount === undefined ? {} : { volumes: [{ name: 'certificate', secret: mount }] }),
        },
      },
    },
  };
}

function clusterConfig(identity: AgentValues['identity']): ObjectDraft {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'azure-clusterconfig', namespace: AGENT_NAMESPACE },
    data: {
      AZURE_ARC_AGENT_VERSION: AGENT_VERSION,
      AZURE_REGION: identity.location,
      AZURE_RESOURCE_GROUP: identity.resourceGroup,
      AZURE_RESOURCE_NAME: identity.name,
      AZURE_SUBSCRIPTION_ID: identity.subscriptionId,
      AZURE_TENANT_ID: identity.tenantId,
      IS_CLIENT_SIDE_PROXY: 'false',
      ONBOARDING_SECRET: deterministicHex(`onboarding|${identity.subscriptionId}|${identity.name}`, 16),
    },
  };
}

function binding(principal: string): ObjectDraft[] {
  const apiGroup = 'rbac.authorization.k8s.io';
  return [
    {
      apiVersion: `${apiGroup}/v1`,
      kind: 'ClusterRole',
      metadata: { name: ROLE },
      rules: [
        {
          apiGroups: [''],
          resources: ['namespaces'],
          verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'],
        },
        {
          apiGroups: [apiGroup],
          resources: ['rolebindings', 'roles'],
          verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'],
        },
      ],
    },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: BINDING },
      roleRef: { apiGroup, kind: 'ClusterRole', name: ROLE },
      subjects: [{ apiGroup, kind: 'User', name: principal }],
    },
  ];
}

function certificate(name: string): ObjectDraft {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name, namespace: AGENT_NAMESPACE },
    data: {},
  };
}

function lacksCertificate(objects: ClusterObjects, agent: KubernetesObject | undefined): boolean {
  const spec = agent?.spec as { template?: { spec?: { volumes?: { secret?: { secretName: string } }[] } } } | undefined;
  return (spec?.template?.spec?.volumes ?? []).some(
    ({ secret }) => secret !== undefined && objects.get('secrets', AGENT_NAMESPACE, secret.secretName) === undefined,
  );
}

/** Its pods are not let in. */
function isRefused(agent: KubernetesObject): boolean {
  const { conditions = [] } = (agent.status ?? {}) as { conditions?: { type: string; status: string }[] };
  return conditions.some(({ type, status }) => type === 'ReplicaFailure' && status === 'True');
}

function isScaledDown(agent: KubernetesObject): boolean {
  return (agent.spec as { replicas?: number } | undefined)?.replicas === 0;
}

function availableReplicas(agent: KubernetesObject | undefined): number {
  return (agent?.status as { availableReplicas?: number } | undefined)?.availableReplicas ?? 0;
}
