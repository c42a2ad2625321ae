import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { armErrorText, armIdOf, armObservation, type Reading } from '../contract/arm-observation.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import type { Observation } from '../contract/observation.js';
import { provisioningHealth } from '../contract/provisioning-state.js';
import {
  boundedSum,
  rawFlag,
  rawInteger,
  rawMember,
  rawObject,
  rawObjects,
  rawText,
  rawTextRecord,
  rawTexts,
} from '../contract/raw-reader.js';

export const MANAGED_CLUSTER_TYPE = 'Microsoft.ContainerService/managedClusters';
export const AGENT_POOL_TYPE = 'Microsoft.ContainerService/managedClusters/agentPools';

/** The hub of a fleet is a managed cluster that the Fleet service owns; its node group has this name. */
const HUB_NODE_GROUP = /^MC_FL_/i;

const clusterAddon = z
  .object({
    name: z.string().describe('The name of the add-on as Azure writes it, such as `aciConnectorLinux`.'),
    enabled: z.boolean().describe('Whether the add-on is switched on.'),
  })
  .meta({ id: 'ClusterAddon', description: 'An add-on of an AKS cluster.' });

const managedClusterProperties = z.object({
  kubernetesVersion: z.string().nullable().describe('The Kubernetes version that was asked for, such as `1.33`.'),
  currentKubernetesVersion: z.string().nullable().describe('The Kubernetes version that the control plane runs.'),
  powerState: z.string().nullable().describe('`Running` or `Stopped`.'),
  fqdn: z.string().nullable().describe('The public host name of the API server.'),
  privateFqdn: z.string().nullable().describe('The host name of the API server inside the virtual network.'),
  nodeResourceGroup: z.string().nullable().describe('The resource group that holds the machines of the cluster.'),
  nodeCount: z.int().describe('The number of nodes that all node pools have together.'),
  nodePoolCount: z.int().describe('The number of node pools.'),
  autoscalerEnabled: z.boolean().describe('Whether any node pool is sized by the cluster autoscaler.'),
  networkPlugin: z.string().nullable().describe('The network plug-in: `azure`, `kubenet` or `none`.'),
  networkPluginMode: z.string().nullable().describe('`overlay` where pods have addresses of their own range.'),
  networkPolicy: z
    .string()
    .nullable()
    .describe('The engine of network policies, such as `azure`, `calico` or `cilium`.'),
  networkDataplane: z.string().nullable().describe('The data plane of the network: `azure` or `cilium`.'),
  podCidr: z.string().nullable().describe('The address range of the pods, where they do not live in a subnet.'),
  serviceCidr: z.string().nullable().describe('The address range of the services.'),
  dnsServiceIp: z.string().nullable().describe('The address of the cluster DNS service.'),
  outboundType: z.string().nullable().describe('How nodes reach the internet, such as `loadBalancer`.'),
  loadBalancerSku: z.string().nullable().describe('The tier of the load balancer: `basic` or `standard`.'),
  virtualNetworkId: z
    .string()
    .nullable()
    .describe('The ARM id of the virtual network of the first node pool; null where AKS manages the network.'),
  subnetIds: z.array(z.string()).describe('The ARM ids of the subnets of the node pools, each once.'),
  identityType: z.string().nullable().describe('The kind of identity of the control plane, such as `SystemAssigned`.'),
  identityPrincipalId: z.string().nullable().describe('The object id of the system-assigned identity.'),
  skuName: z.string().nullable().describe('The kind of cluster: `Base` or `Automatic`.'),
  skuTier: z.string().nullable().describe('The price tier: `Free`, `Standard` or `Premium`.'),
  supportPlan: z.string().nullable().describe('`KubernetesOfficial` or `AKSLongTermSupport`.'),
  privateCluster: z.boolean().describe('Whether the API server is reachable inside the virtual network only.'),
  localAccountsDisabled: z.boolean().describe('Whether the static credentials of the cluster are switched off.'),
  aadManaged: z.boolean().describe('Whether sign-in goes through Microsoft Entra ID.'),
  azureRbac: z.boolean().describe('Whether Azure role assignments decide what a caller may do inside the cluster.'),
  workloadIdentity: z.boolean().describe('Whether pods can sign in to Azure with workload identity.'),
  oidcIssuerUrl: z.string().nullable().describe('The OpenID Connect issuer of the cluster, where it is switched on.'),
  upgradeChannel: z.string().nullable().describe('The automatic upgrades of Kubernetes, such as `patch` or `none`.'),
  nodeOsUpgradeChannel: z.string().nullable().describe('The automatic upgrades of the nodes, such as `NodeImage`.'),
  addons: z.array(clusterAddon).describe('The add-ons that the cluster knows, switched on or not.'),
  isFleetHub: z
    .boolean()
    .describe('Whether this is the hub of a fleet, which the Fleet service owns and nobody else may change.'),
  lastOperationError: z.string().nullable().describe('What Azure says about the last failure, as code and message.'),
});

export type ManagedClusterProperties = z.output<typeof managedClusterProperties>;

export const managedClusterKind: KindDefinition<typeof managedClusterProperties> = {
  name: 'ManagedCluster',
  description: 'An Azure Kubernetes Service cluster. The hub of a fleet is one too: see `isFleetHub`.',
  armType: MANAGED_CLUSTER_TYPE,
  properties: managedClusterProperties,
  describe: describeManagedCluster,
  relations: [
    {
      name: 'nodePools',
      description: 'The node pools of the cluster.',
      type: 'owns',
      direction: 'outgoing',
      kind: 'AgentPool',
      cardinality: 'many',
    },
    {
      name: 'fleetMember',
      description: 'The membership of the cluster in a fleet, where it has one.',
      type: 'runsOn',
      direction: 'incoming',
      kind: 'FleetMember',
      cardinality: 'one',
    },
  ],
};

export function describeManagedCluster(raw: JsonObject): ManagedClusterProperties {
  const pools = rawObjects(raw, 'agentPoolProfiles');
  const subnetIds = uniqueIds(pools.map((pool) => rawText(pool, 'vnetSubnetID')));
  const firstSubnet = subnetIds[0];
  return {
    kubernetesVersion: rawText(raw, 'kubernetesVersion'),
    currentKubernetesVersion: rawText(raw, 'currentKubernetesVersion'),
    powerState: rawText(raw, 'powerState', 'code'),
    fqdn: rawText(raw, 'fqdn'),
    privateFqdn: rawText(raw, 'privateFQDN'),
    nodeResourceGroup: rawText(raw, 'nodeResourceGroup'),
    nodeCount: boundedSum(pools.map((pool) => Math.max(0, rawInteger(pool, 'count') ?? 0))),
    nodePoolCount: pools.length,
    autoscalerEnabled: pools.some((pool) => rawFlag(pool, 'enableAutoScaling') === true),
    networkPlugin: rawText(raw, 'networkProfile', 'networkPlugin'),
    networkPluginMode: rawText(raw, 'networkProfile', 'networkPluginMode'),
    networkPolicy: rawText(raw, 'networkProfile', 'networkPolicy'),
    networkDataplane: rawText(raw, 'networkProfile', 'networkDataplane'),
    podCidr: rawText(raw, 'networkProfile', 'podCidr'),
    serviceCidr: rawText(raw, 'networkProfile', 'serviceCidr'),
    dnsServiceIp: rawText(raw, 'networkProfile', 'dnsServiceIP'),
    outboundType: rawText(raw, 'networkProfile', 'outboundType'),
    loadBalancerSku: rawText(raw, 'networkProfile', 'loadBalancerSku'),
    virtualNetworkId: firstSubnet === undefined ? null : (ArmId.tryParse(firstSubnet)?.parent?.toString() ?? null),
    subnetIds,
    identityType: rawText(raw, 'identity', 'type'),
    identityPrincipalId: rawText(raw, 'identity', 'principalId'),
    skuName: rawText(raw, 'sku', 'name'),
    skuTier: rawText(raw, 'sku', 'tier'),
    supportPlan: rawText(raw, 'supportPlan'),
    privateCluster: rawFlag(raw, 'apiServerAccessProfile', 'enablePrivateCluster') ?? false,
    localAccountsDisabled: rawFlag(raw, 'disableLocalAccounts') ?? false,
    aadManaged: rawFlag(raw, 'aadProfile', 'managed') ?? false,
    azureRbac: rawFlag(raw, 'aadProfile', 'enableAzureRBAC') ?? false,
    workloadIdentity: rawFlag(raw, 'securityProfile', 'workloadIdentity', 'enabled') ?? false,
    oidcIssuerUrl: rawText(raw, 'oidcIssuerProfile', 'issuerURL'),
    upgradeChannel: rawText(raw, 'autoUpgradeProfile', 'upgradeChannel'),
    nodeOsUpgradeChannel: rawText(raw, 'autoUpgradeProfile', 'nodeOSUpgradeChannel'),
    addons: Object.entries(rawObject(raw, 'addonProfiles') ?? {}).map(([name, addon]) => ({
      name,
      enabled: rawFlag(addon, 'enabled') ?? false,
    })),
    isFleetHub: HUB_NODE_GROUP.test(rawText(raw, 'nodeResourceGroup') ?? ''),
    lastOperationError: armErrorText(rawMember(raw, 'status', 'provisioningError')),
  };
}

const agentPoolProperties = z.object({
  count: z.int().nullable().describe('The number of nodes that were asked for.'),
  minCount: z.int().nullable().describe('The least number of nodes, where the autoscaler decides.'),
  maxCount: z.int().nullable().describe('The greatest number of nodes, where the autoscaler decides.'),
  autoscaling: z.boolean().describe('Whether the cluster autoscaler decides the number of nodes.'),
  vmSize: z.string().nullable().describe('The size of the machines, such as `Standard_DS2_v2`.'),
  mode: z.string().nullable().describe('`System` for pools that carry the system pods, otherwise `User`.'),
  poolType: z.string().nullable().describe('`VirtualMachineScaleSets`, `AvailabilitySet` or `VirtualMachines`.'),
  osType: z.string().nullable().describe('`Linux` or `Windows`.'),
  osSku: z.string().nullable().describe('The operating system, such as `Ubuntu` or `AzureLinux`.'),
  kubernetesVersion: z.string().nullable().describe('The Kubernetes version that was asked for.'),
  currentKubernetesVersion: z.string().nullable().describe('The Kubernetes version that the nodes run.'),
  nodeImageVersion: z.string().nullable().describe('The version of the node image.'),
  powerState: z.string().nullable().describe('`Running` or `Stopped`.'),
  maxPods: z.int().nullable().describe('The number of pods that a node can carry.'),
  osDiskSizeGb: z.int().nullable().describe('The size of the system disk in gigabytes (GB).'),
  zones: z.array(z.string()).describe('The availability zones of the nodes.'),
  subnetId: z
    .string()
    .nullable()
    .describe('The ARM id of the subnet of the nodes; null where AKS manages the network.'),
  podSubnetId: z
    .string()
    .nullable()
    .describe('The ARM id of the subnet of the pods, where they have one of their own.'),
  nodeLabels: z.record(z.string(), z.string()).describe('The Kubernetes labels that every node gets.'),
  nodeTaints: z.array(z.string()).describe('The Kubernetes taints that every node gets, as `key=value:effect`.'),
  spot: z.boolean().describe('Whether the nodes are spot machines, which Azure may take away at any time.'),
  lastOperationError: z.string().nullable().describe('What Azure says about the last failure, as code and message.'),
});

export type AgentPoolProperties = z.output<typeof agentPoolProperties>;

export const agentPoolKind: KindDefinition<typeof agentPoolProperties> = {
  name: 'AgentPool',
  description: 'A node pool of an AKS cluster. Its location is that of the cluster.',
  armType: AGENT_POOL_TYPE,
  properties: agentPoolProperties,
  describe: describeAgentPool,
  relations: [
    {
      name: 'cluster',
      description: 'The cluster that the node pool belongs to.',
      type: 'owns',
      direction: 'incoming',
      kind: 'ManagedCluster',
      cardinality: 'one',
    },
  ],
};

export function describeAgentPool(raw: JsonObject): AgentPoolProperties {
  return {
    count: rawInteger(raw, 'count'),
    minCount: rawInteger(raw, 'minCount'),
    maxCount: rawInteger(raw, 'maxCount'),
    autoscaling: rawFlag(raw, 'enableAutoScaling') ?? false,
    vmSize: rawText(raw, 'vmSize'),
    mode: rawText(raw, 'mode'),
    poolType: rawText(raw, 'type'),
    osType: rawText(raw, 'osType'),
    osSku: rawText(raw, 'osSKU'),
    kubernetesVersion: rawText(raw, 'orchestratorVersion'),
    currentKubernetesVersion: rawText(raw, 'currentOrchestratorVersion'),
    nodeImageVersion: rawText(raw, 'nodeImageVersion'),
    powerState: rawText(raw, 'powerState', 'code'),
    maxPods: rawInteger(raw, 'maxPods'),
    osDiskSizeGb: rawInteger(raw, 'osDiskSizeGB'),
    zones: rawTexts(raw, 'availabilityZones'),
    subnetId: rawText(raw, 'vnetSubnetID'),
    podSubnetId: rawText(raw, 'podSubnetID'),
    nodeLabels: rawTextRecord(raw, 'nodeLabels'),
    nodeTaints: rawTexts(raw, 'nodeTaints'),
    spot: rawText(raw, 'scaleSetPriority')?.toLowerCase() === 'spot',
    lastOperationError: armErrorText(rawMember(raw, 'status', 'provisioningError')),
  };
}

export const aksKinds: readonly KindDefinition[] = [managedClusterKind, agentPoolKind];

/**
 * A managed cluster and its node pools, which come inside the answer for the cluster.
 * @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is.
 */
export function observeManagedCluster(body: JsonObject, reading: Reading): Observation[] {
  const id = armIdOf(body);
  const properties = rawObject(body, 'properties') ?? {};
  const cluster = armObservation(body, {
    ...reading,
    kind: managedClusterKind.name,
    health: provisioningHealth(
      rawText(properties, 'provisioningState'),
      armErrorText(rawMember(properties, 'status', 'provisioningError')),
      rawText(properties, 'powerState', 'code'),
    ),
    relations: [],
  });
  const pools = rawObjects(properties, 'agentPoolProfiles').flatMap((profile) => {
    const name = rawText(profile, 'name');
    return name === null ? [] : [observeAgentPool(id, name, profile, cluster.location, reading)];
  });
  return [cluster, ...pools];
}

/** A node pool from the cluster's profile of it, which holds what the pool's own `properties` hold, and its name. */
function observeAgentPool(
  cluster: ArmId,
  name: string,
  profile: JsonObject,
  location: string | null,
  reading: Reading,
): Observation {
  const id = cluster.child('agentPools', name);
  // `type` stays: inside a profile it is not the ARM type but the type of the pool, as in the pool's own `properties`.
  const properties = Object.fromEntries(
    Object.entries(profile).filter(([member]) => member !== 'name' && member !== 'id'),
  );
  return armObservation(
    { id: id.toString(), properties },
    {
      ...reading,
      kind: agentPoolKind.name,
      health: provisioningHealth(
        rawText(profile, 'provisioningState'),
        armErrorText(rawMember(profile, 'status', 'provisioningError')),
        rawText(profile, 'powerState', 'code'),
      ),
      relations: [{ type: 'owns', from: cluster.canonical, to: id.canonical }],
      tags: rawTextRecord(profile, 'tags'),
      location,
      clusterUid: cluster.uid,
    },
  );
}

function uniqueIds(ids: readonly (string | null)[]): string[] {
  const byKey = new Map<string, string>();
  for (const id of ids) {
    if (id !== null && !byKey.has(id.toLowerCase())) byKey.set(id.toLowerCase(), id);
  }
  return [...byKey.values()];
}
