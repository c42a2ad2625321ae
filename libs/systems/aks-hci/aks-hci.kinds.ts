import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { armIdOf, armObservation, type Reading } from '../contract/arm-observation.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import type { Health, Observation } from '../contract/observation.js';
import { provisioningHealth, provisioningPhase } from '../contract/provisioning-state.js';
import {
  boundedSum,
  rawFlag,
  rawInteger,
  rawObject,
  rawObjects,
  rawText,
  rawTextRecord,
  rawTexts,
} from '../contract/raw-reader.js';

export const CONNECTED_CLUSTER_TYPE = 'Microsoft.Kubernetes/connectedClusters';
export const CUSTOM_LOCATION_TYPE = 'Microsoft.ExtendedLocation/customLocations';
export const PROVISIONED_CLUSTER_TYPE = 'Microsoft.HybridContainerService/provisionedClusterInstances';
export const PROVISIONED_POOL_TYPE = 'Microsoft.HybridContainerService/provisionedClusterInstances/agentPools';
/** The one name that Azure knows for what it keeps below a connected cluster or a custom location. */
export const DEFAULT_NAME = 'default';

const controlPlanePart = z
  .object({
    name: z.string().nullable().describe('The part, such as an add-on.'),
    phase: z.string().nullable().describe('How far it has come, such as `provisioning {HelmChartInstalled}`.'),
    ready: z.boolean().describe('Whether it works.'),
    errorMessage: z.string().nullable().describe('What is wrong with it.'),
  })
  .meta({ id: 'ControlPlanePart', description: 'A part of the control plane of a provisioned cluster.' });

const provisionedClusterProperties = z.object({
  kubernetesVersion: z.string().nullable().describe('The Kubernetes version, such as `1.29.4`.'),
  currentState: z.string().nullable().describe('What the host says that it is doing with the cluster.'),
  controlPlaneCount: z.int().nullable().describe('The number of control-plane nodes: 1, 3 or 5.'),
  controlPlaneVmSize: z.string().nullable().describe('The size of their machines, such as `Standard_A4_v2`.'),
  controlPlaneHostIp: z.string().nullable().describe('The address of the API server.'),
  controlPlaneParts: z.array(controlPlanePart).describe('The parts of the control plane.'),
  loadBalancerCount: z.int().nullable().describe('The number of load-balancer machines.'),
  networkPolicy: z.string().nullable().describe('The engine of network policies: `calico`.'),
  podCidr: z.string().nullable().describe('The address range of the pods.'),
  logicalNetworkIds: z.array(z.string()).describe('The ARM ids of the logical networks of its machines.'),
  customLocationId: z.string().nullable().describe('The ARM id of the custom location, which stands for the host.'),
  smbCsiDriver: z.boolean().nullable().describe('Whether the driver for SMB shares is installed.'),
  nfsCsiDriver: z.boolean().nullable().describe('Whether the driver for NFS shares is installed.'),
  azureHybridBenefit: z.string().nullable().describe('`True`, `False` or `NotApplicable`.'),
  nodeCount: z.int().describe('The number of nodes that the pools have together, without the control plane.'),
  nodePoolCount: z.int().describe('The number of node pools.'),
  errorMessage: z.string().nullable().describe('What the host says about the last failure.'),
});

export type ProvisionedClusterProperties = z.output<typeof provisionedClusterProperties>;

export const provisionedClusterKind: KindDefinition<typeof provisionedClusterProperties> = {
  name: 'ProvisionedCluster',
  description:
    'A workload cluster that Azure made on Azure Stack HCI (Azure Local). It extends the connected cluster of the same name.',
  armType: PROVISIONED_CLUSTER_TYPE,
  properties: provisionedClusterProperties,
  describe: describeProvisionedCluster,
  relations: [
    {
      name: 'nodePools',
      description: 'The node pools of the cluster.',
      type: 'owns',
      direction: 'outgoing',
      kind: 'ProvisionedAgentPool',
      cardinality: 'many',
    },
    {
      name: 'connectedCluster',
      description: 'The cluster as Azure Arc sees it; what runs in it is found there.',
      type: 'hosts',
      direction: 'outgoing',
      kind: 'ConnectedCluster',
      cardinality: 'one',
      inverse: {
        name: 'provisionedCluster',
        description: 'What Azure made on Azure Stack HCI, where it made the cluster.',
        cardinality: 'one',
      },
    },
    {
      name: 'customLocation',
      description: 'The custom location that the cluster was made in.',
      type: 'placedOn',
      direction: 'outgoing',
      kind: 'CustomLocation',
      cardinality: 'one',
      inverse: {
        name: 'provisionedClusters',
        description: 'The workload clusters that Azure made there.',
        cardinality: 'many',
      },
    },
  ],
};

export function describeProvisionedCluster(raw: JsonObject): ProvisionedClusterProperties {
  const pools = rawObjects(raw, 'agentPoolProfiles');
  return {
    kubernetesVersion: rawText(raw, 'kubernetesVersion'),
    currentState: rawText(raw, 'status', 'currentState'),
    controlPlaneCount: rawInteger(raw, 'controlPlane', 'count'),
    controlPlaneVmSize: rawText(raw, 'controlPlane', 'vmSize'),
    controlPlaneHostIp: rawText(raw, 'controlPlane', 'controlPlaneEndpoint', 'hostIP'),
    controlPlaneParts: rawObjects(raw, 'status', 'controlPlaneStatus').map((part) => ({
      name: rawText(part, 'name'),
      phase: rawText(part, 'phase'),
      ready: rawFlag(part, 'ready') ?? false,
      errorMessage: rawText(part, 'errorMessage'),
    })),
    loadBalancerCount: rawInteger(raw, 'networkProfile', 'loadBalancerProfile', 'count'),
    networkPolicy: rawText(raw, 'networkProfile', 'networkPolicy'),
    podCidr: rawText(raw, 'networkProfile', 'podCidr'),
    logicalNetworkIds: rawTexts(raw, 'cloudProviderProfile', 'infraNetworkProfile', 'vnetSubnetIds'),
    customLocationId: rawText(raw, 'extendedLocation', 'name'),
    smbCsiDriver: rawFlag(raw, 'storageProfile', 'smbCsiDriver', 'enabled'),
    nfsCsiDriver: rawFlag(raw, 'storageProfile', 'nfsCsiDriver', 'enabled'),
    azureHybridBenefit: rawText(raw, 'licenseProfile', 'azureHybridBenefit'),
    nodeCount: boundedSum(pools.map((pool) => Math.max(0, rawInteger(pool, 'count') ?? 0))),
    nodePoolCount: pools.length,
    errorMessage: rawText(raw, 'status', 'errorMessage'),
  };
}

const provisionedPoolProperties = z.object({
  count: z.int().nullable().describe('The number of nodes that were asked for.'),
  readyCount: z.int().nullable().describe('The number of nodes that are ready; null where the host does not say.'),
  minCount: z.int().nullable().describe('The least number of nodes, where the autoscaler decides.'),
  maxCount: z.int().nullable().describe('The greatest number of nodes, where the autoscaler decides.'),
  autoscaling: z.boolean().describe('Whether the cluster autoscaler decides the number of nodes.'),
  vmSize: z.string().nullable().describe('The size of the machines, such as `Standard_A4_v2`.'),
  osType: z.string().nullable().describe('`Linux` or `Windows`.'),
  osSku: z.string().nullable().describe('The operating system: `CBLMariner`, `Windows2019` or `Windows2022`.'),
  kubernetesVersion: z.string().nullable().describe('The Kubernetes version of the nodes.'),
  maxPods: z.int().nullable().describe('The number of pods that a node can carry.'),
  nodeLabels: z.record(z.string(), z.string()).describe('The Kubernetes labels that every node gets.'),
  nodeTaints: z.array(z.string()).describe('The Kubernetes taints that every node gets, as `key=value:effect`.'),
  currentState: z.string().nullable().describe('What the host says that it is doing with the pool.'),
  errorMessage: z.string().nullable().describe('What the host says about the last failure.'),
});

export type ProvisionedPoolProperties = z.output<typeof provisionedPoolProperties>;

export const provisionedAgentPoolKind: KindDefinition<typeof provisionedPoolProperties> = {
  name: 'ProvisionedAgentPool',
  description: 'A node pool of a workload cluster on Azure Stack HCI.',
  armType: PROVISIONED_POOL_TYPE,
  properties: provisionedPoolProperties,
  describe: describeProvisionedPool,
  relations: [
    {
      name: 'provisionedCluster',
      description: 'The cluster that the node pool belongs to.',
      type: 'owns',
      direction: 'incoming',
      kind: 'ProvisionedCluster',
      cardinality: 'one',
    },
  ],
};

export function describeProvisionedPool(raw: JsonObject): ProvisionedPoolProperties {
  const ready = rawObjects(raw, 'status', 'readyReplicas').map((part) => Math.max(0, rawInteger(part, 'count') ?? 0));
  return {
    count: rawInteger(raw, 'count'),
    readyCount: ready.length === 0 ? null : boundedSum(ready),
    minCount: rawInteger(raw, 'minCount'),
    maxCount: rawInteger(raw, 'maxCount'),
    autoscaling: rawFlag(raw, 'enableAutoScaling') ?? false,
    vmSize: rawText(raw, 'vmSize'),
    osType: rawText(raw, 'osType'),
    osSku: rawText(raw, 'osSKU'),
    kubernetesVersion: rawText(raw, 'kubernetesVersion'),
    maxPods: rawInteger(raw, 'maxPods'),
    nodeLabels: rawTextRecord(raw, 'nodeLabels'),
    nodeTaints: rawTexts(raw, 'nodeTaints'),
    currentState: rawText(raw, 'status', 'currentState'),
    errorMessage: rawText(raw, 'status', 'errorMessage'),
  };
}

export const aksHciKinds: readonly KindDefinition[] = [provisionedClusterKind, provisionedAgentPoolKind];

/** What of the connected cluster an instance and its pools inherit: the one has no name or place of its own. */
export interface Surroundings extends Reading {
  location: string | null;
}

/** The instance below a connected cluster. */
export function instanceOf(connectedCluster: ArmId): ArmId {
  return connectedCluster.resource(PROVISIONED_CLUSTER_TYPE, DEFAULT_NAME);
}

/** @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeProvisionedCluster(body: JsonObject, { location, ...reading }: Surroundings): Observation {
  const id = armIdOf(body);
  const cluster = id.parent;
  const customLocation = rawText(body, 'extendedLocation', 'name');
  const observation = armObservation(body, {
    ...reading,
    kind: provisionedClusterKind.name,
    health: clusterHealth(body),
    location,
    clusterUid: cluster?.uid ?? null,
    relations: [
      ...(cluster === undefined ? [] : [{ type: 'hosts' as const, from: id.canonical, to: cluster.canonical }]),
      ...(customLocation === null
        ? []
        : [{ type: 'placedOn' as const, from: id.canonical, to: customLocation.toLowerCase() }]),
    ],
  });
  // Azure calls every one of them `default`.
  return { ...observation, name: cluster?.name ?? observation.name };
}

/** @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeProvisionedPool(body: JsonObject, { location, ...reading }: Surroundings): Observation {
  const id = armIdOf(body);
  const instance = id.parent;
  return armObservation(body, {
    ...reading,
    kind: provisionedAgentPoolKind.name,
    health: provisioningHealth(
      rawText(body, 'properties', 'provisioningState'),
      rawText(body, 'properties', 'status', 'errorMessage'),
      null,
    ),
    location,
    clusterUid: instance?.parent?.uid ?? null,
    relations: instance === undefined ? [] : [{ type: 'owns', from: instance.canonical, to: id.canonical }],
  });
}

/** A part of the control plane that does not work makes the cluster unwell, whatever its last operation came to. */
function clusterHealth(body: JsonObject): Health {
  const properties = rawObject(body, 'properties') ?? {};
  const state = rawText(properties, 'provisioningState');
  const { controlPlaneParts, errorMessage } = describeProvisionedCluster(properties);
  const health = provisioningHealth(state, errorMessage, null);
  const broken = controlPlaneParts.find((part) => !part.ready && part.errorMessage !== null);
  if (provisioningPhase(state) !== 'succeeded' || broken === undefined) return health;
  return { state: 'Degraded', reason: `${broken.name ?? 'A part of the control plane'}: ${broken.errorMessage}` };
}
