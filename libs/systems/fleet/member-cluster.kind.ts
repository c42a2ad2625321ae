import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import { kubernetesIdOf, kubernetesObservation, type KubernetesReading } from '../contract/kubernetes-observation.js';
import type { Health, Observation } from '../contract/observation.js';
import { rawInteger, rawMember, rawObject, rawObjects, rawText, rawTextRecord } from '../contract/raw-reader.js';
import { coarseTime, withCoarseTimes } from './coarse-time.js';
import { CLUSTER_GROUP, deletionHealth } from './fleet-object.js';
import { conditionText, findCondition, statusConditions } from './status-condition.js';

export const MEMBER_CLUSTER = { group: CLUSTER_GROUP, kind: 'MemberCluster' } as const;

/** The label by which Fleet tells where a member is; placements choose by it. */
export const LOCATION_LABEL = 'fleet.azure.com/location';
const NODE_COUNT = 'kubernetes-fleet.io/node-count';
const MEMBER_AGENT = 'MemberAgent';
const DEFAULT_HEARTBEAT_SECONDS = 60;
/** As many heartbeats may be missing before an agent is taken for dead. */
const MISSED_HEARTBEATS = 5;
const MOVING_TIMES: ReadonlySet<string> = new Set(['lastReceivedHeartbeat', 'observationTime']);

const memberTaint = z
  .object({
    key: z.string().describe('The key of the taint.'),
    value: z.string().nullable().describe('The value of the taint.'),
    effect: z.string().nullable().describe('What the taint does: `NoSchedule`.'),
  })
  .meta({ id: 'MemberClusterTaint', description: 'What keeps placements away that do not tolerate it.' });

const memberAgent = z
  .object({
    type: z.string().describe('Which agent it is, such as `MemberAgent`.'),
    joined: z.boolean().describe('Whether the agent says that it has joined.'),
    healthy: z.boolean().nullable().describe('Whether the agent says that it is well; null where it does not say.'),
    lastSeen: z.string().nullable().describe('When the agent was last heard of, down to ten minutes.'),
  })
  .meta({ id: 'MemberClusterAgent', description: 'One of the agents that Fleet runs in a member.' });

const memberResources = z
  .object({
    capacityCpu: z.string().nullable().describe('The CPU of all nodes, as a Kubernetes quantity.'),
    capacityMemory: z.string().nullable().describe('The memory of all nodes.'),
    allocatableCpu: z.string().nullable().describe('The CPU that pods can ask for.'),
    allocatableMemory: z.string().nullable().describe('The memory that pods can ask for.'),
    availableCpu: z.string().nullable().describe('The CPU that no pod has asked for.'),
    availableMemory: z.string().nullable().describe('The memory that no pod has asked for.'),
  })
  .meta({ id: 'MemberClusterResources', description: 'What the nodes of a member have, as its agent reports it.' });

const memberClusterProperties = z.object({
  joined: z.boolean().describe('Whether the cluster has joined the fleet.'),
  healthy: z.boolean().nullable().describe('Whether the hub takes the member for healthy; null where it does not say.'),
  agentLastSeen: z.string().nullable().describe('When the member agent was last heard of, down to ten minutes.'),
  heartbeatPeriodSeconds: z.int().describe('How often the member agent is to be heard of. Seconds.'),
  region: z.string().nullable().describe(`The Azure region of the member, by its label \`${LOCATION_LABEL}\`.`),
  nodeCount: z.int().nullable().describe('The number of nodes of the member.'),
  resources: memberResources.describe('What the nodes of the member have.'),
  clusterProperties: z
    .record(z.string(), z.string())
    .describe('The properties by which placements can choose members, such as the number of nodes.'),
  labels: z.record(z.string(), z.string()).describe('The labels by which placements choose members.'),
  taints: z.array(memberTaint).describe('What keeps placements away that do not tolerate it.'),
  agents: z.array(memberAgent).describe('The agents that Fleet runs in the member.'),
});

export type MemberClusterProperties = z.output<typeof memberClusterProperties>;

export const memberClusterKind: KindDefinition<typeof memberClusterProperties> = {
  name: 'MemberCluster',
  description:
    'A member of a fleet as the hub sees it: joined or not, its agents and their heartbeats, and what placements choose by.',
  kubernetesTypes: [MEMBER_CLUSTER],
  properties: memberClusterProperties,
  describe: describeMemberCluster,
  relations: [
    {
      name: 'fleet',
      description: 'The fleet whose hub tells of this member.',
      type: 'locatedIn',
      direction: 'outgoing',
      kind: 'Fleet',
      cardinality: 'one',
    },
    {
      name: 'member',
      description: 'The membership in Azure, which leads to the cluster itself.',
      type: 'runsOn',
      direction: 'outgoing',
      kind: 'FleetMember',
      cardinality: 'one',
    },
    {
      name: 'placements',
      description: 'The placements that have chosen this member.',
      type: 'placedOn',
      direction: 'incoming',
      kind: 'ClusterResourcePlacement',
      cardinality: 'many',
    },
  ],
};

export function describeMemberCluster(raw: JsonObject): MemberClusterProperties {
  const conditions = statusConditions(rawMember(raw, 'status', 'conditions'));
  const healthy = findCondition(conditions, 'Healthy');
  const agents = rawObjects(raw, 'status', 'agentStatus').map(describeAgent);
  const labels = rawTextRecord(raw, 'metadata', 'labels');
  const properties = Object.entries(rawObject(raw, 'status', 'properties') ?? {}).flatMap(([name, property]) => {
    const value = rawText(property, 'value');
    return value === null ? [] : [[name, value] as const];
  });
  const usage = (part: string, resource: string): string | null => quantity(raw, part, resource);
  return {
    joined: findCondition(conditions, 'Joined')?.status === 'True',
    healthy: healthy === undefined || healthy.status === 'Unknown' ? null : healthy.status === 'True',
    agentLastSeen: agents.find((agent) => agent.type === MEMBER_AGENT)?.lastSeen ?? null,
    heartbeatPeriodSeconds: rawInteger(raw, 'spec', 'heartbeatPeriodSeconds') ?? DEFAULT_HEARTBEAT_SECONDS,
    region: labels[LOCATION_LABEL] ?? null,
    nodeCount: wholeNumber(properties.find(([name]) => name === NODE_COUNT)?.[1]),
    resources: {
      capacityCpu: usage('capacity', 'cpu'),
      capacityMemory: usage('capacity', 'memory'),
      allocatableCpu: usage('allocatable', 'cpu'),
      allocatableMemory: usage('allocatable', 'memory'),
      availableCpu: usage('available', 'cpu'),
      availableMemory: usage('available', 'memory'),
    },
    clusterProperties: Object.fromEntries(properties),
    labels,
    taints: rawObjects(raw, 'spec', 'taints').map((taint) => ({
      key: rawText(taint, 'key') ?? '',
      value: rawText(taint, 'value'),
      effect: rawText(taint, 'effect'),
    })),
    agents,
  };
}

function describeAgent(agent: JsonObject): MemberClusterProperties['agents'][number] {
  const conditions = statusConditions(rawMember(agent, 'conditions'));
  const healthy = findCondition(conditions, 'Healthy');
  const lastSeen = rawText(agent, 'lastReceivedHeartbeat');
  return {
    type: rawText(agent, 'type') ?? '',
    joined: findCondition(conditions, 'Joined')?.status === 'True',
    healthy: healthy === undefined || healthy.status === 'Unknown' ? null : healthy.status === 'True',
    lastSeen: lastSeen === null ? null : coarseTime(lastSeen),
  };
}

/** Quantities are written as texts or as numbers. */
function quantity(raw: JsonObject, part: string, resource: string): string | null {
  const value = rawMember(raw, 'status', 'resourceUsage', part, resource);
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : null;
}

function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

/**
 * The health of a member at a moment: what its conditions say, and whether its agent is still heard of. An agent that has
 * died cannot say so: only the age of its last heartbeat does.
 */
export function memberClusterHealth(raw: JsonObject, at: Date): Health {
  const deletion = deletionHealth(raw);
  if (deletion !== undefined) return deletion;
  const conditions = statusConditions(rawMember(raw, 'status', 'conditions'));
  const joined = findCondition(conditions, 'Joined');
  if (joined?.status === 'False') return { state: 'Degraded', reason: `It has not joined (${conditionText(joined)}).` };
  if (joined?.status !== 'True') return { state: 'Progressing', reason: 'It has not joined yet.' };
  const agent = rawObjects(raw, 'status', 'agentStatus').find((status) => rawText(status, 'type') === MEMBER_AGENT);
  const healthy = [
    findCondition(conditions, 'Healthy'),
    findCondition(statusConditions(rawMember(agent, 'conditions')), 'Healthy'),
  ].find((condition) => condition?.status === 'False');
  if (healthy !== undefined) return { state: 'Degraded', reason: `It is not healthy (${conditionText(healthy)}).` };
  const lastSeen = Date.parse(rawText(agent, 'lastReceivedHeartbeat') ?? '');
  if (Number.isNaN(lastSeen)) return { state: 'Unknown', reason: 'Its agent has not been heard of yet.' };
  const { heartbeatPeriodSeconds } = describeMemberCluster(raw);
  if (at.getTime() - lastSeen <= MISSED_HEARTBEATS * heartbeatPeriodSeconds * 1000) {
    return { state: 'Healthy', reason: null };
  }
  return {
    state: 'Degraded',
    reason: `Its agent was last heard of at ${new Date(lastSeen).toISOString()}, and should be every ${heartbeatPeriodSeconds} s.`,
  };
}

/** @throws ControlError KUBERNETES_UNEXPECTED_ANSWER */
export function observeMemberCluster(object: JsonObject, reading: KubernetesReading): Observation {
  const { cluster } = reading;
  const id = kubernetesIdOf(object, cluster.uid);
  const fleet = ArmId.tryParse(cluster.id);
  const member = fleet === undefined ? undefined : ArmId.tryParse(`${fleet.toString()}/members/${id.name}`);
  const observation = kubernetesObservation(object, reading, {
    kind: memberClusterKind.name,
    health: memberClusterHealth(object, reading.observedAt),
    relations: member === undefined ? [] : [{ type: 'runsOn', from: id.canonical, to: member.canonical }],
  });
  return { ...observation, properties: withCoarseTimes(observation.properties, MOVING_TIMES) };
}
