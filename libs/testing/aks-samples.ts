import type { JsonObject } from '#libs/kernel/json.js';

export const SUBSCRIPTION = '00000000-0000-0000-0000-000000000001';
export const CLUSTER_ID = `/subscriptions/${SUBSCRIPTION}/resourcegroups/demo_aks01/providers/Microsoft.ContainerService/managedClusters/demo-aks01`;
export const POOL_ID = `${CLUSTER_ID}/agentPools/nodepool1`;
const NETWORK_ID = `/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks01/providers/Microsoft.Network/virtualNetworks/demo-vnet`;

/** A node pool's own `properties`; as a profile inside the cluster it has a name beside them. */
export function poolProperties(change: JsonObject = {}): JsonObject {
  return {
    count: 1,
    vmSize: 'Standard_DS2_v2',
    mode: 'System',
    type: 'VirtualMachineScaleSets',
    osType: 'Linux',
    osSKU: 'Ubuntu',
    orchestratorVersion: '1.33',
    currentOrchestratorVersion: '1.33.5',
    nodeImageVersion: 'AKSUbuntu-2204gen2containerd-202601.05.0',
    provisioningState: 'Succeeded',
    powerState: { code: 'Running' },
    maxPods: 30,
    osDiskSizeGB: 128,
    availabilityZones: ['1', '2'],
    vnetSubnetID: `${NETWORK_ID}/subnets/demo-aks01`,
    nodeLabels: { pool: 'nodepool1' },
    nodeTaints: ['dedicated=web:NoSchedule'],
    tags: { env: 'dev' },
    eTag: '"pool-1"',
    ...change,
  };
}

export function poolBody(change: JsonObject = {}): JsonObject {
  return {
    id: POOL_ID,
    name: 'nodepool1',
    type: 'Microsoft.ContainerService/managedClusters/agentPools',
    properties: poolProperties(change),
  };
}

export function clusterProperties(
  change: JsonObject = {},
  pools: JsonObject[] = [{ name: 'nodepool1', ...poolProperties() }],
): JsonObject {
  return {
    provisioningState: 'Succeeded',
    powerState: { code: 'Running' },
    kubernetesVersion: '1.33',
    currentKubernetesVersion: '1.33.5',
    fqdn: 'demo-aks01-dns-x.hcp.eastus.azmk8s.io',
    nodeResourceGroup: 'MC_demo_aks01_demo-aks01_eastus',
    agentPoolProfiles: pools,
    networkProfile: {
      networkPlugin: 'azure',
      networkPolicy: 'azure',
      networkDataplane: 'azure',
      serviceCidr: '10.0.0.0/16',
      dnsServiceIP: '10.0.0.10',
      outboundType: 'loadBalancer',
      loadBalancerSku: 'standard',
    },
    apiServerAccessProfile: { enablePrivateCluster: true },
    disableLocalAccounts: true,
    aadProfile: { managed: true, enableAzureRBAC: true },
    securityProfile: { workloadIdentity: { enabled: true } },
    oidcIssuerProfile: { enabled: true, issuerURL: 'https://eastus.oic.prod-aks.azure.com/t/i/' },
    autoUpgradeProfile: { upgradeChannel: 'patch', nodeOSUpgradeChannel: 'NodeImage' },
    addonProfiles: {
      aciConnectorLinux: { enabled: true, config: { SubnetName: 'aci' } },
      azurepolicy: { enabled: false },
    },
    supportPlan: 'KubernetesOfficial',
    ...change,
  };
}

export function clusterBody(change: JsonObject = {}, pools?: JsonObject[]): JsonObject {
  return {
    id: CLUSTER_ID,
    name: 'demo-aks01',
    type: 'Microsoft.ContainerService/ManagedClusters',
    location: 'East US',
    tags: { environment: 'demo' },
    identity: { type: 'SystemAssigned', principalId: '11111111-0000-0000-0000-000000000001', tenantId: 't' },
    sku: { name: 'Base', tier: 'Standard' },
    eTag: '"cluster-1"',
    systemData: { createdAt: '2026-01-01T00:00:00Z' },
    properties: clusterProperties(change, pools),
  };
}
