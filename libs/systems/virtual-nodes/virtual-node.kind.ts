import { z } from 'zod';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import { kubernetesObservation, type KubernetesReading } from '../contract/kubernetes-observation.js';
import type { Health, Observation, RelationClaim } from '../contract/observation.js';
import { rawFlag, rawInteger, rawObject, rawObjects, rawText, rawTextRecord } from '../contract/raw-reader.js';
import { VIRTUAL_NODE_NATURES, virtualNatureOf } from '../contract/virtual-nature.js';
import { OUT_OF_LOAD_BALANCERS } from './virtual-node.advice.js';
import { VIRTUAL_NODE_TYPE } from './virtual-nodes.types.js';

export const CLUSTER_KINDS = ['ManagedCluster', 'ConnectedCluster', 'AttachedCluster'] as const;

const virtualNodeTaint = z
  .object({
    key: z.string().nullable().describe('The key of the taint.'),
    value: z.string().nullable().describe('The value of the taint.'),
    effect: z.string().nullable().describe('`NoSchedule`, `PreferNoSchedule` or `NoExecute`.'),
  })
  .meta({ id: 'VirtualNodeTaint', description: 'What pods have to tolerate to be placed on a virtual node.' });

const virtualNodeProperties = z.object({
  nature: z
    .enum(VIRTUAL_NODE_NATURES)
    .meta({ id: 'VirtualNodeNature' })
    .describe(
      '`aci-connector-addon` for that of the AKS add-on, `virtual-nodes` for one of the Helm chart for Azure Container Instances, `virtual-kubelet` for the early connector and any other virtual kubelet.',
    ),
  recognizedBy: z.string().nullable().describe('By what this was recognised.'),
  ready: z.boolean().describe('Whether the node says that it can run pods.'),
  unschedulable: z.boolean().describe('Whether new pods are kept away from it.'),
  taints: z.array(virtualNodeTaint).describe('What pods have to tolerate to be placed there.'),
  cpuCapacity: z.string().nullable().describe('The CPU that it says it has, as Kubernetes writes it, such as `10k`.'),
  memoryCapacity: z.string().nullable().describe('The memory that it says it has, such as `4Ti`.'),
  podCapacity: z
    .string()
    .nullable()
    .describe(
      'The number of pods that it says it can run, such as `5k`; what really limits them is the quota in Azure.',
    ),
  podCount: z.int().nullable().describe('The number of pods that were placed there.'),
  kubeletVersion: z.string().nullable().describe('The version that it reports, which lags behind that of the cluster.'),
  subnetId: z
    .string()
    .nullable()
    .describe(
      'The ARM id of the subnet that its container groups are in; null where they are in none, or it is not known.',
    ),
  identityObjectId: z.string().nullable().describe('The object id of the identity that it acts as in Azure.'),
  exposesPods: z
    .boolean()
    .describe('Whether pods there get public addresses: the early connector puts them into no network.'),
});

export const virtualNodeKind: KindDefinition<typeof virtualNodeProperties> = {
  name: 'VirtualNode',
  description: 'A node of a cluster that is no machine: its pods run as container groups on Azure Container Instances.',
  kubernetesTypes: [VIRTUAL_NODE_TYPE],
  properties: virtualNodeProperties,
  describe: describeVirtualNode,
  relations: [
    {
      name: 'cluster',
      description: 'The cluster that the node is of.',
      type: 'locatedIn',
      direction: 'outgoing',
      kind: CLUSTER_KINDS,
      cardinality: 'one',
      inverse: { name: 'virtualNodes', description: 'The virtual nodes of the cluster.', cardinality: 'many' },
    },
    {
      name: 'subnet',
      description: 'The subnet that its container groups are in.',
      type: 'placedOn',
      direction: 'outgoing',
      kind: 'Subnet',
      cardinality: 'one',
      inverse: { name: 'virtualNodes', description: 'The virtual nodes that use the subnet.', cardinality: 'many' },
    },
    {
      name: 'workloads',
      description: 'The workloads that have pods there.',
      type: 'burstsTo',
      direction: 'incoming',
      kind: 'Workload',
      cardinality: 'many',
      inverse: { name: 'virtualNodes', description: 'The virtual nodes that it has pods on.', cardinality: 'many' },
    },
    {
      name: 'containerGroups',
      description: 'The container groups that its pods run as.',
      type: 'hosts',
      direction: 'outgoing',
      kind: 'ContainerGroup',
      cardinality: 'many',
    },
  ],
};

function describeVirtualNode(raw: JsonObject): z.output<typeof virtualNodeProperties> {
  const { nature, recognizedBy } = virtualNatureOf(raw);
  const capacity = rawObject(raw, 'status', 'capacity') ?? {};
  return {
    nature,
    recognizedBy,
    ready: isReady(raw),
    unschedulable: rawFlag(raw, 'spec', 'unschedulable') ?? false,
    taints: taintsOf(raw),
    cpuCapacity: rawText(capacity, 'cpu'),
    memoryCapacity: rawText(capacity, 'memory'),
    podCapacity: rawText(capacity, 'pods'),
    podCount: rawInteger(raw, 'virtual', 'podCount'),
    kubeletVersion: rawText(raw, 'status', 'nodeInfo', 'kubeletVersion'),
    subnetId: rawText(raw, 'virtual', 'subnetId'),
    identityObjectId: rawText(raw, 'virtual', 'identityObjectId'),
    exposesPods: nature === 'virtual-kubelet',
  };
}

export function taintsOf(node: JsonObject): { key: string | null; value: string | null; effect: string | null }[] {
  return rawObjects(node, 'spec', 'taints').map((taint) => ({
    key: rawText(taint, 'key'),
    value: rawText(taint, 'value'),
    effect: rawText(taint, 'effect'),
  }));
}

export function isReady(node: JsonObject): boolean {
  return readyCondition(node)?.status === 'True';
}

/** Since when the node says what it says of its readiness, where it tells that. */
export function readySince(node: JsonObject): Date | undefined {
  const since = new Date(rawText(readyCondition(node), 'lastTransitionTime') ?? Number.NaN);
  return Number.isNaN(since.getTime()) ? undefined : since;
}

function readyCondition(node: JsonObject): JsonObject | undefined {
  return rawObjects(node, 'status', 'conditions').find((condition) => rawText(condition, 'type') === 'Ready');
}

/** What is known of a virtual node beyond what stands in the node. */
export interface VirtualNodeSurroundings {
  /** Canonical ids of the workloads that have pods there, and how many pods there are; undefined where nobody may see them. */
  placed: { pods: number; workloads: readonly string[] } | undefined;
  subnet: { id: string; canonical: string } | undefined;
  identityObjectId: string | undefined;
}

export function virtualNodeIdOf(clusterUid: string, name: string): KubernetesId {
  return KubernetesId.of({ clusterUid, ...VIRTUAL_NODE_TYPE, namespace: undefined, name });
}

/** @throws ControlError KUBERNETES_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeVirtualNode(
  node: JsonObject,
  { placed, subnet, identityObjectId }: VirtualNodeSurroundings,
  reading: KubernetesReading,
): Observation {
  const virtual: JsonObject = {
    ...(placed === undefined ? {} : { podCount: placed.pods }),
    ...(subnet === undefined ? {} : { subnetId: subnet.id }),
    ...(identityObjectId === undefined ? {} : { identityObjectId }),
  };
  const observation = kubernetesObservation({ ...quiet(node), virtual }, reading, {
    kind: virtualNodeKind.name,
    health: healthOf(node),
    relations: [],
  });
  const { canonical } = virtualNodeIdOf(reading.cluster.uid, observation.name);
  const relations: RelationClaim[] = (placed?.workloads ?? []).map((workload) => ({
    type: 'burstsTo',
    from: workload,
    to: canonical,
  }));
  if (subnet !== undefined) relations.push({ type: 'placedOn', from: canonical, to: subnet.canonical });
  return { ...observation, id: canonical, canonicalId: canonical, relations };
}

function healthOf(node: JsonObject): Health {
  if (rawText(node, 'metadata', 'deletionTimestamp') !== null)
    return { state: 'Progressing', reason: 'It is being deleted.' };
  const ready = readyCondition(node);
  if (ready === undefined) return { state: 'Unknown', reason: 'The node has not said yet whether it is ready.' };
  if (isReady(node)) {
    const isLeftOut = rawTextRecord(node, 'metadata', 'labels')[OUT_OF_LOAD_BALANCERS] !== undefined;
    const reason = 'It does not say that load balancers leave it out: they count it among the machines.';
    return { state: 'Healthy', reason: isLeftOut ? null : reason };
  }
  return { state: 'Degraded', reason: rawText(ready, 'message') ?? 'The node is not ready.' };
}

/** Without what changes though nothing has changed. */
function quiet(node: JsonObject): JsonObject {
  const status = rawObject(node, 'status');
  if (status === null || !Array.isArray(status.conditions)) return node;
  return { ...node, status: { ...status, conditions: status.conditions.map(withoutHeartbeat) } };
}

function withoutHeartbeat(condition: Json): Json {
  if (!isJsonObject(condition)) return condition;
  const { lastHeartbeatTime: _time, ...rest } = condition;
  return rest;
}
