import { z } from 'zod';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import { kubernetesObservation, type KubernetesReading } from '../contract/kubernetes-observation.js';
import type { Observation } from '../contract/observation.js';
import {
  rawFlag,
  rawInteger,
  rawMember,
  rawObjects,
  rawText,
  rawTextRecord,
  rawTexts,
} from '../contract/raw-reader.js';
import { clusterRelation } from './cluster.relation.js';
import { condition, conditionsOf } from './condition.properties.js';
import { containersOf, declaredContainer, imagesOf, toleration, tolerationsOf } from './pod-spec.properties.js';
import { replicasOf, ROLLOUT_STATES, rolloutOf, workloadHealth } from './workload.health.js';

export const WORKLOAD_TYPES = ['Deployment', 'StatefulSet', 'DaemonSet'] as const;
export type WorkloadType = (typeof WORKLOAD_TYPES)[number];

/** Namespaces that a fleet's hub keeps to itself: what is in them is not placed but runs on the hub. */
const HUB_OWN_NAMESPACE = /^(kube|fleet)-/;

const workloadProperties = z.object({
  workloadType: z.enum(WORKLOAD_TYPES).meta({ id: 'WorkloadType' }).nullable().describe('What it is in Kubernetes.'),
  replicas: z
    .int()
    .nullable()
    .describe('The number of pods that are wanted; for a DaemonSet the number of nodes that should run one.'),
  currentReplicas: z.int().describe('The number of pods that there are, old ones included.'),
  readyReplicas: z.int().describe('The number of pods that are ready.'),
  availableReplicas: z.int().describe('The number of pods that have been ready for long enough.'),
  updatedReplicas: z.int().describe('The number of pods that are made from the present template.'),
  images: z.array(z.string()).describe('The images of all containers, each once.'),
  containers: z.array(declaredContainer).describe('The containers of each pod.'),
  selector: z.record(z.string(), z.string()).describe('The labels that its pods have.'),
  selectorExpressions: z
    .array(z.string())
    .describe('What else its pods must fulfil, in the notation of kubectl, such as `tier in (web, api)`.'),
  strategy: z.string().nullable().describe('How pods are replaced: `RollingUpdate`, `Recreate` or `OnDelete`.'),
  paused: z.boolean().describe('Whether its rollouts are paused.'),
  generation: z.int().nullable().describe('Counts the changes of what is wanted.'),
  observedGeneration: z.int().nullable().describe('The last of these changes that the controller has taken up.'),
  rollout: z
    .enum(ROLLOUT_STATES)
    .meta({ id: 'RolloutState' })
    .describe('How far the present template has got: `Complete`, `Progressing`, `Paused` or `Failed`.'),
  nodeSelector: z.record(z.string(), z.string()).describe('The labels of the nodes that its pods may run on.'),
  tolerations: z.array(toleration).describe('The taints that its pods tolerate.'),
  heldOnHub: z
    .boolean()
    .describe('Whether this is the copy on the hub of a fleet, which never runs: the members run what is placed.'),
  conditions: z.array(condition).describe('What the controller says about it.'),
});

export const workloadKind: KindDefinition<typeof workloadProperties> = {
  name: 'Workload',
  description: 'What keeps pods running: a Deployment, a StatefulSet or a DaemonSet.',
  kubernetesTypes: WORKLOAD_TYPES.map((kind) => ({ group: 'apps', kind })),
  properties: workloadProperties,
  describe: describeWorkload,
  relations: [
    clusterRelation({
      name: 'workloads',
      description: 'The workloads in the cluster; those that a hub holds run on its members alone.',
    }),
    {
      name: 'pods',
      description: 'The pods of the workload.',
      type: 'owns',
      direction: 'outgoing',
      kind: 'Pod',
      cardinality: 'many',
    },
    {
      name: 'services',
      description: 'The services that lead to its pods.',
      type: 'exports',
      direction: 'incoming',
      kind: 'Service',
      cardinality: 'many',
    },
  ],
};

function describeWorkload(raw: JsonObject): z.output<typeof workloadProperties> {
  const podSpec = rawMember(raw, 'spec', 'template', 'spec');
  const containers = containersOf(podSpec);
  const replicas = replicasOf(raw);
  return {
    workloadType: workloadTypeOf(raw),
    replicas: replicas.desired,
    currentReplicas: replicas.current,
    readyReplicas: replicas.ready,
    availableReplicas: replicas.available,
    updatedReplicas: replicas.updated,
    images: imagesOf(containers),
    containers,
    selector: rawTextRecord(raw, 'spec', 'selector', 'matchLabels'),
    selectorExpressions: rawObjects(raw, 'spec', 'selector', 'matchExpressions').map(expressionText),
    strategy: rawText(raw, 'spec', 'strategy', 'type') ?? rawText(raw, 'spec', 'updateStrategy', 'type'),
    paused: rawFlag(raw, 'spec', 'paused') ?? false,
    generation: rawInteger(raw, 'metadata', 'generation'),
    observedGeneration: rawInteger(raw, 'status', 'observedGeneration'),
    rollout: rolloutOf(raw).state,
    nodeSelector: rawTextRecord(podSpec, 'nodeSelector'),
    tolerations: tolerationsOf(podSpec),
    heldOnHub: rawFlag(raw, 'heldOnHub') ?? false,
    conditions: conditionsOf(raw),
  };
}

/** @throws ControlError KUBERNETES_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeWorkload(object: JsonObject, reading: KubernetesReading): Observation {
  // Whether it is held there cannot be seen in the object, only where it is: so it is put beside what Kubernetes has.
  const placed = isHeldOnHub(object, reading) ? { ...object, heldOnHub: true } : object;
  return kubernetesObservation(placed, reading, {
    kind: workloadKind.name,
    health: workloadHealth(placed, reading.observedAt),
    relations: [],
  });
}

function isHeldOnHub(object: JsonObject, { cluster }: KubernetesReading): boolean {
  return cluster.kind === 'Fleet' && !HUB_OWN_NAMESPACE.test(rawText(object, 'metadata', 'namespace') ?? '');
}

function workloadTypeOf(raw: JsonObject): WorkloadType | null {
  return WORKLOAD_TYPES.find((type) => type === rawText(raw, 'kind')) ?? null;
}

function expressionText(expression: Json): string {
  const key = rawText(expression, 'key') ?? '';
  const values = rawTexts(expression, 'values').join(', ');
  switch (rawText(expression, 'operator')) {
    case 'In':
      return `${key} in (${values})`;
    case 'NotIn':
      return `${key} notin (${values})`;
    case 'DoesNotExist':
      return `!${key}`;
    default:
      return key;
  }
}
