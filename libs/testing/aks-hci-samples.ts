import type { JsonObject } from '#libs/kernel/json.js';
import { SUBSCRIPTION } from './aks-samples.js';

export const HCI_GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/akshci-eu`;
export const EDGE_CLUSTER = `${HCI_GROUP}/providers/Microsoft.Kubernetes/connectedClusters/edge01`;
export const EDGE_INSTANCE = `${EDGE_CLUSTER}/providers/Microsoft.HybridContainerService/provisionedClusterInstances/default`;
export const EDGE_POOL = `${EDGE_INSTANCE}/agentPools/linuxpool`;
export const WINDOWS_POOL = `${EDGE_INSTANCE}/agentPools/winpool`;
export const HOST = `${HCI_GROUP}/providers/Microsoft.ExtendedLocation/customLocations/hci-host`;
export const HOST_VERSIONS = `${HOST}/providers/Microsoft.HybridContainerService/kubernetesVersions/default`;
export const HOST_SKUS = `${HOST}/providers/Microsoft.HybridContainerService/skus/default`;
export const LOGICAL_NETWORK = `${HCI_GROUP}/providers/Microsoft.AzureStackHCI/logicalNetworks/lnet`;

export const EXTENDED_LOCATION: JsonObject = { type: 'CustomLocation', name: HOST };

export function edgeClusterBody(change: JsonObject = {}): JsonObject {
  return {
    id: EDGE_CLUSTER,
    name: 'edge01',
    type: 'microsoft.kubernetes/connectedclusters',
    kind: 'ProvisionedCluster',
    location: 'eastus',
    identity: { type: 'SystemAssigned' },
    properties: { provisioningState: 'Succeeded', connectivityStatus: 'Connected', ...change },
  };
}

export function instanceProperties(change: JsonObject = {}): JsonObject {
  return {
    provisioningState: 'Succeeded',
    kubernetesVersion: '1.29.7',
    controlPlane: { count: 3, vmSize: 'Standard_A4_v2', controlPlaneEndpoint: { hostIP: '192.168.1.10' } },
    networkProfile: { loadBalancerProfile: { count: 1 }, networkPolicy: 'calico', podCidr: '10.244.0.0/16' },
    storageProfile: { smbCsiDriver: { enabled: true }, nfsCsiDriver: { enabled: false } },
    cloudProviderProfile: { infraNetworkProfile: { vnetSubnetIds: [LOGICAL_NETWORK] } },
    licenseProfile: { azureHybridBenefit: 'False' },
    agentPoolProfiles: [
      { name: 'linuxpool', count: 2, kubernetesVersion: '1.29.7', osType: 'Linux' },
      { name: 'winpool', count: 1, kubernetesVersion: '1.29.7', osType: 'Windows', osSKU: 'Windows2022' },
    ],
    status: {
      currentState: 'Succeeded',
      controlPlaneStatus: [{ name: 'arc-agents', phase: 'provisioned', ready: true }],
    },
    ...change,
  };
}

export function instanceBody(change: JsonObject = {}): JsonObject {
  return {
    id: EDGE_INSTANCE,
    name: 'default',
    type: 'Microsoft.HybridContainerService/provisionedClusterInstances',
    extendedLocation: EXTENDED_LOCATION,
    properties: instanceProperties(change),
  };
}

export function hciPoolProperties(change: JsonObject = {}): JsonObject {
  return {
    provisioningState: 'Succeeded',
    count: 2,
    vmSize: 'Standard_A4_v2',
    osType: 'Linux',
    osSKU: 'CBLMariner',
    enableAutoScaling: false,
    maxPods: 110,
    kubernetesVersion: '1.29.7',
    nodeLabels: { tier: 'edge' },
    nodeTaints: ['dedicated=edge:NoSchedule'],
    status: { currentState: 'Succeeded', readyReplicas: [{ count: 2, vmSize: 'Standard_A4_v2' }] },
    ...change,
  };
}

export function hciPoolBody(change: JsonObject = {}, id: string = EDGE_POOL): JsonObject {
  const name = id.slice(id.lastIndexOf('/') + 1);
  const type = 'Microsoft.HybridContainerService/provisionedClusterInstances/agentPools';
  return { id, name, type, extendedLocation: EXTENDED_LOCATION, properties: hciPoolProperties(change) };
}

export const WINDOWS: JsonObject = { count: 1, osType: 'Windows', osSKU: 'Windows2022', vmSize: 'Standard_D4s_v3' };

export function hostBody(change: JsonObject = {}): JsonObject {
  return {
    id: HOST,
    name: 'hci-host',
    type: 'Microsoft.ExtendedLocation/customLocations',
    location: 'eastus',
    properties: { provisioningState: 'Succeeded', namespace: 'hci-host', ...change },
  };
}

export function hostVersionsBody(): JsonObject {
  const ready = (osType: string, osSku: string, errorMessage?: string): JsonObject => ({
    osType,
    osSku,
    ready: errorMessage === undefined,
    ...(errorMessage === undefined ? {} : { errorMessage }),
  });
  const all = [ready('Linux', 'CBLMariner'), ready('Windows', 'Windows2022')];
  return {
    id: HOST_VERSIONS,
    name: 'default',
    properties: {
      provisioningState: 'Succeeded',
      values: [
        {
          version: '1.30',
          patchVersions: {
            '1.30.4': { upgrades: [], readiness: [all[0]!, ready('Windows', 'Windows2022', 'being downloaded')] },
            '1.30.3': { upgrades: ['1.30.4'], readiness: all },
          },
        },
        {
          version: '1.29',
          isPreview: false,
          patchVersions: {
            '1.29.7': { upgrades: ['1.29.9', '1.30.3', '1.30.4'], readiness: all },
            '1.29.9': { upgrades: ['1.30.3'], readiness: all },
          },
        },
      ],
    },
  };
}

export function hostSkusBody(): JsonObject {
  const machine = (name: string): JsonObject => ({
    resourceType: 'virtualMachines',
    name,
    tier: 'Standard',
    capabilities: [{ name: 'vCPUs', value: '4' }],
  });
  return {
    id: HOST_SKUS,
    name: 'default',
    properties: {
      provisioningState: 'Succeeded',
      values: [machine('Standard_A4_v2'), machine('Standard_D4s_v3'), { resourceType: 'disks', name: 'Premium' }],
    },
  };
}

export function networkBody(change: JsonObject = {}, subnet: JsonObject = {}): JsonObject {
  return {
    id: LOGICAL_NETWORK,
    name: 'lnet',
    type: 'microsoft.azurestackhci/logicalnetworks',
    location: 'eastus',
    extendedLocation: EXTENDED_LOCATION,
    properties: {
      dhcpOptions: { dnsServers: ['192.168.1.1'] },
      subnets: [
        {
          name: 'lnet',
          properties: {
            addressPrefix: '192.168.1.0/24',
            ipAllocationMethod: 'Static',
            ipPools: [{ start: '192.168.1.100', end: '192.168.1.160', info: { used: '1', available: '60' } }],
            ...subnet,
          },
        },
      ],
      ...change,
    },
  };
}

export const PUBLIC_KEY = `ssh-ed25519 ${'A'.repeat(60)} ada@example`;

export function createInput(change: JsonObject = {}): JsonObject {
  return {
    subscriptionId: SUBSCRIPTION,
    resourceGroup: 'akshci-eu',
    name: 'edge01',
    location: 'eastus',
    customLocation: HOST,
    logicalNetwork: LOGICAL_NETWORK,
    kubernetesVersion: '1.29.7',
    controlPlane: { count: 3, hostIp: '192.168.1.10' },
    nodePools: [
      { name: 'linuxpool', count: 2, vmSize: 'Standard_A4_v2' },
      { name: 'winpool', count: 1, vmSize: 'Standard_D4s_v3', osType: 'Windows' },
    ],
    sshPublicKey: PUBLIC_KEY,
    ...change,
  };
}
