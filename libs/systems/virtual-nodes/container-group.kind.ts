import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { armObservation, type Reading } from '../contract/arm-observation.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import { namedObject } from '../contract/named-object.js';
import type { Health, Observation, RelationClaim } from '../contract/observation.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { boundedSum, rawInteger, rawMember, rawObjects, rawText, rawTextRecord } from '../contract/raw-reader.js';
import { CONTAINER_GROUP_TYPE, VIRTUAL_NODE_TYPE } from './virtual-nodes.types.js';

/** Whether the pod that a group was made for is still there, as its cluster says; `Unknown` where it cannot be asked. */
export const POD_STATES = ['Present', 'Gone', 'Unknown', 'None'] as const;
export type PodState = (typeof POD_STATES)[number];

const EXPOSURES = ['Public', 'Private', 'None'] as const;

const groupContainer = z
  .object({
    name: z.string().nullable().describe('The name of the container.'),
    image: z.string().nullable().describe('The image that it runs.'),
    cpuCores: z.number().nullable().describe('The CPU that is set aside and paid for, in cores.'),
    memoryGb: z.number().nullable().describe('The memory that is set aside and paid for, in gigabytes (GB).'),
    state: z.string().nullable().describe('`Waiting`, `Running` or `Terminated`; null where Azure does not say.'),
    restarts: z.int().describe('How often it was started again.'),
  })
  .meta({ id: 'ContainerGroupContainer', description: 'A container of a container group.' });

const containerGroupProperties = z.object({
  podName: z.string().nullable().describe('The pod that the group was made for; null for a group that serves none.'),
  podNamespace: z.string().nullable().describe('The namespace of that pod.'),
  nodeName: z.string().nullable().describe('The virtual node that the pod was placed on.'),
  podState: z
    .enum(POD_STATES)
    .meta({ id: 'ServedPodState' })
    .describe(
      'Whether that pod is still there: `None` for a group that serves no pod, `Unknown` where nobody could be asked.',
    ),
  orphan: z.boolean().describe('Whether its pod is gone: nobody uses the group, and it goes on being paid for.'),
  state: z
    .string()
    .nullable()
    .describe('What the group is doing: `Pending`, `Running`, `Succeeded`, `Failed` or `Stopped`.'),
  images: z.array(z.string()).describe('The images of its containers, each once.'),
  containers: z.array(groupContainer).describe('Its containers.'),
  cpuCores: z.number().describe('The CPU of all its containers, in cores.'),
  memoryGb: z.number().describe('The memory of all its containers, in gigabytes (GB).'),
  restarts: z.int().describe('How often its containers were started again, all together.'),
  restartPolicy: z.string().nullable().describe('`Always`, `OnFailure` or `Never`.'),
  osType: z.string().nullable().describe('`Linux` or `Windows`.'),
  sku: z.string().nullable().describe('The price tier, such as `Standard`.'),
  priority: z.string().nullable().describe('`Spot` for a group that Azure may take away.'),
  ipAddress: z.string().nullable().describe('The address of the group.'),
  exposure: z
    .enum(EXPOSURES)
    .meta({ id: 'ContainerGroupExposure' })
    .describe('`Public` where the internet reaches it, `Private` in a virtual network, `None` without an address.'),
  ports: z.array(z.int()).describe('The ports that it opens.'),
  subnetId: z.string().nullable().describe('The ARM id of the subnet of its address.'),
});

export const containerGroupKind: KindDefinition<typeof containerGroupProperties> = {
  name: 'ContainerGroup',
  description: 'A group of containers on Azure Container Instances: what a pod on a virtual node really is.',
  armType: CONTAINER_GROUP_TYPE,
  properties: containerGroupProperties,
  describe: describeContainerGroup,
  relations: [
    {
      name: 'pod',
      description: 'The pod that the group was made for.',
      type: 'runsOn',
      direction: 'incoming',
      kind: 'Pod',
      cardinality: 'one',
      inverse: { name: 'containerGroup', description: 'The container group that the pod runs as.', cardinality: 'one' },
    },
    {
      name: 'virtualNode',
      description: 'The virtual node that its pod was placed on.',
      type: 'hosts',
      direction: 'incoming',
      kind: 'VirtualNode',
      cardinality: 'one',
    },
    {
      name: 'subnet',
      description: 'The subnet that its address is in.',
      type: 'placedOn',
      direction: 'outgoing',
      kind: 'Subnet',
      cardinality: 'one',
      inverse: {
        name: 'containerGroups',
        description: 'The container groups that have their addresses in the subnet.',
        cardinality: 'many',
      },
    },
  ],
};

function describeContainerGroup(raw: JsonObject): z.output<typeof containerGroupProperties> {
  const containers = rawObjects(raw, 'containers').map(describeContainer);
  const podState = podStateOf(raw);
  const served = servedPod(raw);
  return {
    podName: served.name,
    podNamespace: served.namespace,
    nodeName: served.node,
    podState,
    orphan: podState === 'Gone',
    state: stateOf(raw),
    images: [...new Set(containers.flatMap(({ image }) => (image === null ? [] : [image])))],
    containers,
    cpuCores: rounded(containers.map(({ cpuCores }) => cpuCores ?? 0)),
    memoryGb: rounded(containers.map(({ memoryGb }) => memoryGb ?? 0)),
    restarts: boundedSum(containers.map(({ restarts }) => restarts)),
    restartPolicy: rawText(raw, 'restartPolicy'),
    osType: rawText(raw, 'osType'),
    sku: rawText(raw, 'sku'),
    priority: rawText(raw, 'priority'),
    ipAddress: rawText(raw, 'ipAddress', 'ip'),
    exposure: exposureOf(raw),
    ports: rawObjects(raw, 'ipAddress', 'ports').flatMap((port) => rawInteger(port, 'port') ?? []),
    subnetId: subnetOf(raw)?.toString() ?? null,
  };
}

function describeContainer(container: JsonObject): z.output<typeof groupContainer> {
  const properties = rawMember(container, 'properties');
  return {
    name: rawText(container, 'name'),
    image: rawText(properties, 'image'),
    cpuCores: rawNumber(properties, 'resources', 'requests', 'cpu'),
    memoryGb: rawNumber(properties, 'resources', 'requests', 'memoryInGB'),
    state: rawText(properties, 'instanceView', 'currentState', 'state'),
    restarts: Math.max(0, rawInteger(properties, 'instanceView', 'restartCount') ?? 0),
  };
}

/** The pod that a group was made for, as the connector writes it into the tags of the group. */
export interface ServedPod {
  name: string;
  namespace: string;
  node: string;
  uid: string;
}

export function servedPodOf(tags: Readonly<Record<string, string>>): ServedPod | undefined {
  const { PodName, Namespace, NodeName, UID } = tags;
  if (PodName === undefined || Namespace === undefined || NodeName === undefined) return undefined;
  return { name: PodName, namespace: Namespace, node: NodeName, uid: UID ?? '' };
}

/** Kept beside what Azure has: it is the cluster that knows whether the pod is there. */
function servedPod(raw: JsonObject): { name: string | null; namespace: string | null; node: string | null } {
  const served = rawMember(raw, 'servedPod');
  return { name: rawText(served, 'name'), namespace: rawText(served, 'namespace'), node: rawText(served, 'node') };
}

function podStateOf(raw: JsonObject): PodState {
  const state = rawText(raw, 'servedPod', 'state');
  return POD_STATES.find((known) => known === state) ?? 'None';
}

function exposureOf(raw: JsonObject): (typeof EXPOSURES)[number] {
  const type = rawText(raw, 'ipAddress', 'type')?.toLowerCase();
  return type === 'public' ? 'Public' : type === 'private' ? 'Private' : 'None';
}

/** What the group does; while it is made or has failed, Azure says so in its provisioning state alone. */
function stateOf(raw: JsonObject): string | null {
  const provisioning = rawText(raw, 'provisioningState');
  switch (provisioningPhase(provisioning)) {
    case 'failed':
    case 'canceled':
      return 'Failed';
    case 'moving':
      return rawText(raw, 'instanceView', 'state') ?? 'Pending';
    case 'succeeded':
    case 'unknown':
      return rawText(raw, 'instanceView', 'state');
  }
}

function subnetOf(raw: JsonObject): ArmId | undefined {
  const first = rawObjects(raw, 'subnetIds')[0];
  return ArmId.tryParse(rawText(first, 'id') ?? '');
}

/** The cluster of a group, and what it says of the pod that the group was made for. */
export interface GroupSurroundings {
  cluster: ArmId | undefined;
  podState: PodState;
}

/** @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeContainerGroup(body: JsonObject, around: GroupSurroundings, reading: Reading): Observation {
  const served = servedPodOf(rawTextRecord(body, 'tags'));
  const observation = armObservation(body, {
    ...reading,
    kind: containerGroupKind.name,
    health: { state: 'Unknown', reason: null },
    relations: [],
    clusterUid: around.cluster?.uid ?? null,
  });
  const properties: JsonObject =
    served === undefined
      ? observation.properties
      : { ...observation.properties, servedPod: { ...served, state: around.podState } };
  return {
    ...observation,
    namespace: served?.namespace ?? null,
    properties,
    health: healthOf(properties, around.podState),
    relations: relationsOf(observation.canonicalId, properties, served, around),
  };
}

function relationsOf(
  group: string,
  properties: JsonObject,
  served: ServedPod | undefined,
  { cluster, podState }: GroupSurroundings,
): RelationClaim[] {
  const claims: RelationClaim[] = [];
  const subnet = subnetOf(properties);
  if (subnet !== undefined) claims.push({ type: 'placedOn', from: group, to: subnet.canonical });
  if (cluster === undefined || served === undefined) return claims;
  const clusterUid = cluster.uid;
  const { name, namespace, node } = served;
  const pod = namedObject({ clusterUid, group: '', kind: 'Pod', namespace, name });
  if (pod !== undefined && podState !== 'Gone') claims.push({ type: 'runsOn', from: pod, to: group });
  const virtualNode = namedObject({ clusterUid, ...VIRTUAL_NODE_TYPE, namespace: undefined, name: node });
  if (virtualNode !== undefined) claims.push({ type: 'hosts', from: virtualNode, to: group });
  return claims;
}

function healthOf(properties: JsonObject, podState: PodState): Health {
  const state = stateOf(properties);
  if (podState === 'Gone') {
    return { state: 'Degraded', reason: 'Its pod is gone: nobody uses it, and it goes on being paid for.' };
  }
  switch (state) {
    case 'Running':
    case 'Succeeded':
      return exposureOf(properties) === 'Public'
        ? { state: 'Degraded', reason: 'Its address is public: the internet reaches the pod.' }
        : { state: 'Healthy', reason: null };
    case 'Failed':
      return { state: 'Degraded', reason: 'Azure could not start it, or its containers have failed.' };
    case 'Stopped':
      return { state: 'Unknown', reason: 'It is stopped.' };
    case null:
      return { state: 'Unknown', reason: 'Azure does not say what it does.' };
    default:
      return { state: 'Progressing', reason: `Azure reports ${state}.` };
  }
}

function rawNumber(raw: JsonObject[string] | undefined, ...path: string[]): number | null {
  const value = rawMember(raw, ...path);
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** Tenths that add up to no long tail. */
function rounded(amounts: readonly number[]): number {
  return Math.round(boundedSum(amounts.map((amount) => Math.max(0, amount))) * 1000) / 1000;
}
