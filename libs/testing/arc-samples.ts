import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';

export const ARC_SUBSCRIPTION = '00000000-0000-0000-0000-000000000001';
export const ARC_GROUP = `/subscriptions/${ARC_SUBSCRIPTION}/resourceGroups/akshci-eu`;
export const CONNECTED_ID = `${ARC_GROUP}/providers/Microsoft.Kubernetes/connectedClusters/my-workload-cluster`;
export const EXTENSION_ID = `${CONNECTED_ID}/providers/Microsoft.KubernetesConfiguration/extensions/appservice-ext`;
export const FLUX_ID = `${CONNECTED_ID}/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/apps`;
export const LOCATION_ID = `${ARC_GROUP}/providers/Microsoft.ExtendedLocation/customLocations/akshci-apps`;
/** Of the provider of custom locations. */
export const PROVIDER_OBJECT_ID = '22222222-0000-4000-8000-000000000002';

export function connectedProperties(change: JsonObject = {}): JsonObject {
  return {
    provisioningState: 'Succeeded',
    connectivityStatus: 'Connected',
    lastConnectivityTime: '2026-10-31T22:00:00.000Z',
    managedIdentityCertificateExpirationTime: '2027-01-29T22:00:00.000Z',
    agentPublicKeyCertificate: 'MIIC',
    agentVersion: '1.31.3',
    distribution: 'aks_workload',
    distributionVersion: '1.30.4',
    infrastructure: 'azure_stack_hci',
    kubernetesVersion: '1.30.4',
    totalNodeCount: 2,
    totalCoreCount: 8,
    privateLinkState: 'Disabled',
    azureHybridBenefit: 'NotApplicable',
    offering: 'AzureStackHCI_AKS_Services',
    aadProfile: { enableAzureRBAC: true },
    arcAgentProfile: {
      agentAutoUpgrade: 'Enabled',
      agentErrors: [{ component: 'config-agent', severity: 'warning', message: 'slow', time: '2026-10-31T22:00:00Z' }],
    },
    securityProfile: { workloadIdentity: { enabled: true } },
    oidcIssuerProfile: { enabled: true, issuerUrl: 'https://example.com/oidc/' },
    arcAgentryConfigurations: [{ feature: 'telemetry' }],
    ...change,
  };
}

export function connectedBody(change: JsonObject = {}): JsonObject {
  return {
    id: CONNECTED_ID,
    name: 'my-workload-cluster',
    type: 'microsoft.kubernetes/connectedclusters',
    location: 'eastus',
    tags: { environment: 'demo' },
    identity: { type: 'SystemAssigned', principalId: '11111111-0000-0000-0000-000000000001', tenantId: 't' },
    properties: connectedProperties(change),
  };
}

export function extensionProperties(change: JsonObject = {}): JsonObject {
  return {
    provisioningState: 'Succeeded',
    extensionType: 'microsoft.web.appservice',
    autoUpgradeMinorVersion: true,
    releaseTrain: 'Stable',
    currentVersion: '0.12.2',
    scope: { cluster: { releaseNamespace: 'akshci-apps' } },
    configurationSettings: { appsNamespace: 'akshci-apps', 'envoy.loadBalancerIp': '192.168.0.102' },
    configurationProtectedSettings: { 'logProcessor.appLogs.sharedKey': '' },
    statuses: [
      { code: 'InstallationSucceeded', level: 'Information', message: 'installed', time: '2026-10-31T22:00:00Z' },
    ],
    isSystemExtension: false,
    ...change,
  };
}

export function extensionBody(change: JsonObject = {}): JsonObject {
  return {
    id: EXTENSION_ID,
    name: 'appservice-ext',
    type: 'Microsoft.KubernetesConfiguration/extensions',
    identity: { type: 'SystemAssigned', principalId: '33333333-0000-0000-0000-000000000003' },
    properties: extensionProperties(change),
  };
}

export function fluxProperties(change: JsonObject = {}): JsonObject {
  return {
    provisioningState: 'Succeeded',
    complianceState: 'Compliant',
    sourceKind: 'GitRepository',
    gitRepository: { url: 'https://example.com/apps', repositoryRef: { branch: 'main' } },
    namespace: 'apps',
    scope: 'cluster',
    suspend: false,
    sourceSyncedCommitId: 'main@sha1:0123',
    kustomizations: { apps: { path: './apps' } },
    ...change,
  };
}

export function fluxBody(change: JsonObject = {}): JsonObject {
  return {
    id: FLUX_ID,
    name: 'apps',
    type: 'Microsoft.KubernetesConfiguration/fluxConfigurations',
    properties: fluxProperties(change),
  };
}

export function locationProperties(change: JsonObject = {}): JsonObject {
  return {
    provisioningState: 'Succeeded',
    hostResourceId: CONNECTED_ID,
    hostType: 'Kubernetes',
    namespace: 'akshci-apps',
    displayName: 'akshci-apps',
    clusterExtensionIds: [EXTENSION_ID],
    ...change,
  };
}

export function locationBody(change: JsonObject = {}): JsonObject {
  return {
    id: LOCATION_ID,
    name: 'akshci-apps',
    type: 'Microsoft.ExtendedLocation/customLocations',
    location: 'eastus',
    tags: {},
    properties: locationProperties(change),
  };
}

/** A resource provider that is registered, with types that are offered everywhere in every version. */
export function registeredProvider(namespace: string): JsonObject {
  return { namespace, registrationState: 'Registered', resourceTypes: [] };
}

/** An agent of Azure Arc in a cluster. */
export function agentDeployment(name: string, availableReplicas = 1): KubernetesObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'azure-arc' },
    spec: { replicas: 1 },
    status: { availableReplicas },
  };
}

/** What the agents say about the connected cluster that they speak for. */
export function agentConfiguration(name = 'my-workload-cluster', resourceGroup = 'akshci-eu'): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'azure-clusterconfig', namespace: 'azure-arc' },
    data: { AZURE_RESOURCE_NAME: name, AZURE_RESOURCE_GROUP: resourceGroup },
  };
}
