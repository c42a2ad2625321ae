import { z } from 'zod';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import { kubernetesObservation, type KubernetesReading } from '../contract/kubernetes-observation.js';
import type { Health, Observation } from '../contract/observation.js';
import {
  boundedSum,
  rawFlag,
  rawMember,
  rawObject,
  rawObjects,
  rawText,
  rawTextRecord,
} from '../contract/raw-reader.js';
import { clusterRelation } from './cluster.relation.js';
import { condition, conditionsOf, findCondition, isDeleting, wordsOf, type Condition } from './condition.properties.js';
import type { ResourceAmounts } from './pod-requests.js';
import { quantityMillis, quantityValue } from '../contract/resource-quantity.js';
import { VIRTUAL_NODE_NATURES, virtualNatureOf } from '../contract/virtual-nature.js';

/** What the pods of a node request together. */
export interface NodeRequests extends ResourceAmounts {
  pods: number;
}

/** Conditions that tell of trouble when they are true. */
const PRESSURES = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'NetworkUnavailable', 'OutOfDisk'];
const ROLE_LABEL = 'node-role.kubernetes.io/';

const nodeResources = z
  .object({
    cpuMillicores: z.number().nullable().describe('CPU in thousandths of a core.'),
    memoryBytes: z.number().nullable().describe('Memory in bytes.'),
    pods: z.int().nullable().describe('The number of pods.'),
  })
  .meta({ id: 'NodeResources', description: 'An amount of what a node has to give.' });

const nodeTaint = z
  .object({
    key: z.string().nullable().describe('The key of the taint.'),
    value: z.string().nullable().describe('The value of the taint.'),
    effect: z.string().nullable().describe('`NoSchedule`, `PreferNoSchedule` or `NoExecute`.'),
  })
  .meta({ id: 'NodeTaint', description: 'What keeps pods away that do not tolerate it.' });

const virtualNature = z
  .object({
    nature: z
      .enum(VIRTUAL_NODE_NATURES)
      .describe(
        '`none` for a machine, `aci-connector-addon` for the virtual node of the AKS add-on, `virtual-nodes` for one of the Helm chart for Azure Container Instances, `virtual-kubelet` for the early connector and any other virtual kubelet.',
      ),
    recognizedBy: z.string().nullable().describe('By what this was recognised; null for a machine.'),
  })
  .meta({
    id: 'NodeVirtualNature',
    description: 'Whether a node is a machine or stands for a service that runs pods.',
  });

const nodeProperties = z.object({
  ready: z.boolean().describe('Whether the node says that it can run pods.'),
  roles: z.array(z.string()).describe('The roles of the node, such as `agent`.'),
  pool: z.string().nullable().describe('The AKS node pool that the node belongs to.'),
  kubeletVersion: z.string().nullable().describe('The version of the kubelet.'),
  containerRuntime: z.string().nullable().describe('What runs the containers, such as `containerd://1.7.25`.'),
  osImage: z.string().nullable().describe('The operating system as it names itself.'),
  os: z.string().nullable().describe('`linux` or `windows`.'),
  architecture: z.string().nullable().describe('The architecture of the processor, such as `amd64`.'),
  instanceType: z.string().nullable().describe('The size of the machine, such as `Standard_DS2_v2`.'),
  zone: z.string().nullable().describe('The zone of the machine.'),
  internalIp: z.string().nullable().describe('The address of the node inside its network.'),
  unschedulable: z.boolean().describe('Whether the node is cordoned: new pods are placed elsewhere.'),
  taints: z.array(nodeTaint).describe('The taints of the node.'),
  capacity: nodeResources.describe('What the node has.'),
  allocatable: nodeResources.describe('What of it is there for pods.'),
  requested: nodeResources
    .nullable()
    .describe('What the pods on the node request together; null where the pods of the cluster cannot be seen.'),
  pressures: z.array(z.string()).describe('The conditions that tell of trouble, such as `MemoryPressure`.'),
  conditions: z.array(condition).describe('What the node says about itself.'),
  virtual: virtualNature.describe('Whether the node is a machine or a virtual node.'),
});

export const nodeKind: KindDefinition<typeof nodeProperties> = {
  name: 'Node',
  description: 'A node of a cluster: a machine, or a virtual node that stands for a service.',
  kubernetesTypes: [{ group: '', kind: 'Node' }],
  properties: nodeProperties,
  describe: describeNode,
  relations: [
    clusterRelation({ name: 'nodes', description: 'The nodes of the cluster.' }),
    {
      name: 'pods',
      description: 'The pods that were placed on the node.',
      type: 'scheduledOn',
      direction: 'incoming',
      kind: 'Pod',
      cardinality: 'many',
    },
  ],
};

function describeNode(raw: JsonObject): z.output<typeof nodeProperties> {
  const labels = rawTextRecord(raw, 'metadata', 'labels');
  const info = rawObject(raw, 'status', 'nodeInfo') ?? {};
  const conditions = conditionsOf(raw);
  return {
    ready: isReady(conditions),
    roles: rolesOf(labels),
    pool: firstLabel(labels, 'kubernetes.azure.com/agentpool', 'agentpool'),
    kubeletVersion: rawText(info, 'kubeletVersion'),
    containerRuntime: rawText(info, 'containerRuntimeVersion'),
    osImage: rawText(info, 'osImage'),
    os: rawText(info, 'operatingSystem') ?? firstLabel(labels, 'kubernetes.io/os', 'beta.kubernetes.io/os'),
    architecture: rawText(info, 'architecture') ?? firstLabel(labels, 'kubernetes.io/arch'),
    instanceType: firstLabel(labels, 'node.kubernetes.io/instance-type', 'beta.kubernetes.io/instance-type'),
    zone: firstLabel(labels, 'topology.kubernetes.io/zone', 'failure-domain.beta.kubernetes.io/zone'),
    internalIp: internalIpOf(raw),
    unschedulable: rawFlag(raw, 'spec', 'unschedulable') ?? false,
    taints: rawObjects(raw, 'spec', 'taints').map((taint) => ({
      key: rawText(taint, 'key'),
      value: rawText(taint, 'value'),
      effect: rawText(taint, 'effect'),
    })),
    capacity: resourcesOf(rawMember(raw, 'status', 'capacity')),
    allocatable: resourcesOf(rawMember(raw, 'status', 'allocatable')),
    requested: requestedOf(raw),
    pressures: pressuresOf(conditions),
    conditions,
    virtual: virtualNatureOf(raw),
  };
}

/**
 * Without what changes though nothing has changed, and without the images on its disk, which are pages long. What its pods
 * request is not known by the node: see `withRequests`.
 * @throws ControlError KUBERNETES_UNEXPECTED_ANSWER when the object does not say who it is.
 */
export function observeNode(object: JsonObject, reading: KubernetesReading): Observation {
  return kubernetesObservation(quiet(object), reading, {
    kind: nodeKind.name,
    health: healthOf(object),
    relations: [],
  });
}

/** The node with what its pods request, which stands beside what Kubernetes has in `spec` and `status`. */
export function withRequests(node: Observation, requested: NodeRequests | undefined): Observation {
  const { requested: _before, ...properties } = node.properties;
  return { ...node, properties: requested === undefined ? properties : { ...properties, requested: { ...requested } } };
}

function quiet(object: JsonObject): JsonObject {
  const status = rawObject(object, 'status');
  if (status === null) return object;
  const { images: _images, conditions, ...rest } = status;
  const kept = Array.isArray(conditions) ? { ...rest, conditions: conditions.map(withoutHeartbeat) } : rest;
  return { ...object, status: kept };
}

function withoutHeartbeat(entry: Json): Json {
  if (!isJsonObject(entry)) return entry;
  const { lastHeartbeatTime: _time, ...rest } = entry;
  return rest;
}

function healthOf(raw: JsonObject): Health {
  if (isDeleting(raw)) return { state: 'Progressing', reason: 'It is being deleted.' };
  const conditions = conditionsOf(raw);
  const ready = findCondition(conditions, 'Ready');
  if (ready === undefined) return { state: 'Unknown', reason: 'The node has not said yet whether it is ready.' };
  if (!isReady(conditions)) return { state: 'Degraded', reason: wordsOf(ready) ?? 'The node is not ready.' };
  const pressures = pressuresOf(conditions);
  if (pressures.length > 0) return { state: 'Degraded', reason: `The node reports ${pressures.join(', ')}.` };
  return rawFlag(raw, 'spec', 'unschedulable') === true
    ? { state: 'Healthy', reason: 'It is cordoned: new pods are placed elsewhere.' }
    : { state: 'Healthy', reason: null };
}

function isReady(conditions: readonly Condition[]): boolean {
  return findCondition(conditions, 'Ready')?.status === 'True';
}

function pressuresOf(conditions: readonly Condition[]): string[] {
  return PRESSURES.filter((type) => findCondition(conditions, type)?.status === 'True');
}

/** As kubectl shows them. */
function rolesOf(labels: Readonly<Record<string, string>>): string[] {
  const named = Object.keys(labels)
    .filter((label) => label.startsWith(ROLE_LABEL) && label.length > ROLE_LABEL.length)
    .map((label) => label.slice(ROLE_LABEL.length));
  const role = firstLabel(labels, 'kubernetes.io/role');
  return [...new Set(role === null ? named : [...named, role])].sort();
}

function firstLabel(labels: Readonly<Record<string, string>>, ...names: string[]): string | null {
  for (const name of names) {
    const value = labels[name];
    if (value !== undefined && value !== '') return value;
  }
  return null;
}

function internalIpOf(raw: JsonObject): string | null {
  const address = rawObjects(raw, 'status', 'addresses').find((each) => rawText(each, 'type') === 'InternalIP');
  return rawText(address, 'address');
}

function resourcesOf(quantities: Json | undefined): z.output<typeof nodeResources> {
  return {
    cpuMillicores: quantityMillis(rawMember(quantities, 'cpu')),
    memoryBytes: quantityValue(rawMember(quantities, 'memory')),
    pods: podCount(quantityValue(rawMember(quantities, 'pods'))),
  };
}

function requestedOf(raw: JsonObject): z.output<typeof nodeResources> | null {
  const requested = rawObject(raw, 'requested');
  if (requested === null) return null;
  return {
    cpuMillicores: quantityValue(rawMember(requested, 'cpuMillicores')),
    memoryBytes: quantityValue(rawMember(requested, 'memoryBytes')),
    pods: podCount(quantityValue(rawMember(requested, 'pods'))),
  };
}

function podCount(count: number | null): number | null {
  return count === null ? null : Math.max(0, boundedSum([count]));
}
