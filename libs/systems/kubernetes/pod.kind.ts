import { z } from 'zod';
import { type Json, type JsonObject } from '#libs/kernel/json.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import { kubernetesIdOf, kubernetesObservation, type KubernetesReading } from '../contract/kubernetes-observation.js';
import { namedObject } from '../contract/named-object.js';
import type { Observation, RelationClaim } from '../contract/observation.js';
import { ownerOf, workloadOf } from '../contract/pod-workload.js';
import { boundedSum, rawFlag, rawInteger, rawMember, rawObject, rawObjects, rawText } from '../contract/raw-reader.js';
import { clusterRelation } from './cluster.relation.js';
import { condition, conditionsOf, findCondition } from './condition.properties.js';
import { podHealth, troubleOf } from './pod.health.js';
import { podRequests } from './pod-requests.js';
import { containerFields, containersOf, toleration, tolerationsOf } from './pod-spec.properties.js';

const podContainer = z
  .object({
    ...containerFields,
    ready: z.boolean().describe('Whether the container takes requests.'),
    restarts: z.int().describe('How often the container was started again.'),
    state: z.string().nullable().describe('`Waiting`, `Running` or `Terminated`; null before there is one.'),
    reason: z.string().nullable().describe('Why it is in this state, such as `CrashLoopBackOff`.'),
    message: z.string().nullable().describe('Why, in the words of the node.'),
    exitCode: z.int().nullable().describe('How the process ended, where it has.'),
  })
  .meta({ id: 'PodContainer', description: 'A container of a pod.' });

const podOwner = z
  .object({
    kind: z.string().nullable().describe('The kind in Kubernetes, such as `ReplicaSet` or `Job`.'),
    name: z.string().nullable().describe('The name of the owner.'),
  })
  .meta({ id: 'PodOwner', description: 'The object whose controller made a pod.' });

const podProperties = z.object({
  phase: z.string().nullable().describe('`Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.'),
  ready: z.boolean().describe('Whether the pod takes requests.'),
  restarts: z.int().describe('How often its containers were started again, all together.'),
  reason: z
    .string()
    .nullable()
    .describe('What keeps it from running well, such as `Unschedulable`, `ImagePullBackOff` or `Evicted`.'),
  message: z.string().nullable().describe('The same in the words of the scheduler, the node or the provider.'),
  podIp: z.string().nullable().describe('The address of the pod.'),
  hostIp: z.string().nullable().describe('The address of its node.'),
  nodeName: z.string().nullable().describe('The node that it was placed on.'),
  qosClass: z.string().nullable().describe('`Guaranteed`, `Burstable` or `BestEffort`.'),
  startTime: z.string().nullable().describe('When its node took it up.'),
  owner: podOwner.nullable().describe('Who made the pod; null for one that was made by itself.'),
  containers: z.array(podContainer).describe('The containers of the pod, those that start first first.'),
  cpuRequestMillicores: z.number().describe('The CPU that is set aside for the pod, in thousandths of a core.'),
  memoryRequestBytes: z.number().describe('The memory that is set aside for the pod, in bytes.'),
  tolerations: z.array(toleration).describe('The taints that the pod tolerates.'),
  conditions: z.array(condition).describe('What is said about the pod.'),
});

export const podKind: KindDefinition<typeof podProperties> = {
  name: 'Pod',
  description: 'A pod: containers that run together on one node.',
  kubernetesTypes: [{ group: '', kind: 'Pod' }],
  properties: podProperties,
  describe: describePod,
  relations: [
    clusterRelation({ name: 'pods', description: 'The pods in the cluster.' }),
    {
      name: 'workload',
      description: 'The workload that the pod belongs to; pods of jobs belong to none.',
      type: 'owns',
      direction: 'incoming',
      kind: 'Workload',
      cardinality: 'one',
    },
    {
      name: 'node',
      description: 'The node that the pod was placed on.',
      type: 'scheduledOn',
      direction: 'outgoing',
      kind: 'Node',
      cardinality: 'one',
    },
  ],
};

function describePod(raw: JsonObject): z.output<typeof podProperties> {
  const podSpec = rawMember(raw, 'spec');
  const owner = ownerOf(raw);
  const trouble = troubleOf(raw);
  const containers = describeContainers(raw);
  const requests = podRequests(podSpec);
  const conditions = conditionsOf(raw);
  return {
    phase: rawText(raw, 'status', 'phase'),
    ready: findCondition(conditions, 'Ready')?.status === 'True',
    restarts: boundedSum(containers.map(({ restarts }) => restarts)),
    reason: trouble?.reason ?? null,
    message: trouble?.message ?? null,
    podIp: rawText(raw, 'status', 'podIP'),
    hostIp: rawText(raw, 'status', 'hostIP'),
    nodeName: rawText(podSpec, 'nodeName'),
    qosClass: rawText(raw, 'status', 'qosClass'),
    startTime: rawText(raw, 'status', 'startTime'),
    owner: owner === undefined ? null : { kind: rawText(owner, 'kind'), name: rawText(owner, 'name') },
    containers,
    cpuRequestMillicores: requests.cpuMillicores,
    memoryRequestBytes: requests.memoryBytes,
    tolerations: tolerationsOf(podSpec),
    conditions,
  };
}

function describeContainers(raw: JsonObject): z.output<typeof podContainer>[] {
  const statuses = [
    ...rawObjects(raw, 'status', 'initContainerStatuses'),
    ...rawObjects(raw, 'status', 'containerStatuses'),
  ];
  const byName = new Map(statuses.map((status) => [rawText(status, 'name'), status]));
  return containersOf(rawMember(raw, 'spec')).map((container) => {
    const status = byName.get(container.name);
    const [name, details] = stateOf(status);
    return {
      ...container,
      ready: rawFlag(status, 'ready') ?? false,
      restarts: Math.max(0, rawInteger(status, 'restartCount') ?? 0),
      state: name,
      reason: rawText(details, 'reason'),
      message: rawText(details, 'message'),
      exitCode: rawInteger(details, 'exitCode'),
    };
  });
}

function stateOf(status: Json | undefined): [string | null, JsonObject | undefined] {
  for (const name of ['waiting', 'running', 'terminated']) {
    const details = rawObject(status, 'state', name);
    if (details !== null) return [name.charAt(0).toUpperCase() + name.slice(1), details];
  }
  return [null, undefined];
}

/** @throws ControlError KUBERNETES_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observePod(object: JsonObject, reading: KubernetesReading): Observation {
  const id = kubernetesIdOf(object, reading.cluster.uid);
  const relations: RelationClaim[] = [];
  const workload = workloadOf(object, id.clusterUid, id.namespace);
  if (workload !== undefined) relations.push({ type: 'owns', from: workload, to: id.canonical });
  const node = nodeOf(object, id.clusterUid);
  if (node !== undefined) relations.push({ type: 'scheduledOn', from: id.canonical, to: node });
  return kubernetesObservation(object, reading, { kind: podKind.name, health: podHealth(object), relations });
}

function nodeOf(pod: JsonObject, clusterUid: string): string | undefined {
  const name = rawText(pod, 'spec', 'nodeName');
  return name === null ? undefined : namedObject({ clusterUid, group: '', kind: 'Node', namespace: undefined, name });
}
