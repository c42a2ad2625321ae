import { z } from 'zod';
import { type JsonObject, jsonText } from '#libs/kernel/json.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import { kubernetesIdOf, kubernetesObservation, type KubernetesReading } from '../contract/kubernetes-observation.js';
import type { Health, Observation, RelationClaim } from '../contract/observation.js';
import { rawInteger, rawMember, rawObject, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import { withCoarseTimes } from './coarse-time.js';
import { PLACEMENT_GROUP, deletionHealth, otherObjectId } from './fleet-object.js';
import { MEMBER_CLUSTER } from './member-cluster.kind.js';
import {
  conditionText,
  findCondition,
  generationOf,
  statusConditions,
  type StatusCondition,
} from './status-condition.js';

export const CLUSTER_RESOURCE_PLACEMENT = { group: PLACEMENT_GROUP, kind: 'ClusterResourcePlacement' } as const;

/** The conditions of a whole placement begin with the kind; those of one member do not. */
const WHOLE = 'ClusterResourcePlacement';
const MOVING_TIMES: ReadonlySet<string> = new Set(['observationTime']);
/** What says that a resource is there, though nobody can tell whether it works: a ConfigMap has no state. */
const NOT_TRACKABLE = 'NotAllWorkAreAvailabilityTrackable';

const selector = z
  .object({
    group: z.string().describe("The API group, `''` for the core."),
    version: z.string().describe('The version of the API.'),
    kind: z.string().describe('The kind of the resources.'),
    name: z.string().nullable().describe('The name of the one resource; null where they are chosen by labels.'),
    labelSelector: z.string().nullable().describe('The labels that they are chosen by, as kubectl writes them.'),
    selectionScope: z
      .string()
      .nullable()
      .describe('For a namespace: with what is in it (`NamespaceWithResources`) or alone (`NamespaceOnly`).'),
  })
  .meta({ id: 'PlacementSelector', description: 'What a placement takes to the members.' });

const placedResource = z
  .object({
    group: z.string().describe("The API group, `''` for the core."),
    kind: z.string().describe('The kind of the resource.'),
    namespace: z.string().nullable().describe('The namespace of the resource.'),
    name: z.string().describe('The name of the resource.'),
  })
  .meta({ id: 'PlacedResource', description: 'A resource that a placement has selected.' });

const failedPlacement = z
  .object({
    group: z.string().describe("The API group, `''` for the core."),
    kind: z.string().describe('The kind of the resource.'),
    namespace: z.string().nullable().describe('The namespace of the resource.'),
    name: z.string().describe('The name of the resource.'),
    condition: z
      .string()
      .nullable()
      .describe('`Applied` where it could not be applied, `Available` where it is applied and does not work yet.'),
    reason: z.string().nullable().describe('Why it failed, in one word of Fleet.'),
    message: z.string().nullable().describe('Why it failed, in words.'),
  })
  .meta({
    id: 'FailedPlacement',
    description: 'A resource that could not be applied to a member, or does not work there.',
  });

const step = z
  .object({
    status: z.string().describe('`True`, `False` or `Unknown`; `Unknown` too while it was said about an older state.'),
    reason: z.string().nullable().describe('Why, in one word of Fleet.'),
    message: z.string().nullable().describe('Why, in words.'),
  })
  .meta({ id: 'PlacementStep', description: 'How far a placement has come in one respect.' });

const placementMember = z
  .object({
    member: z.string().nullable().describe('The member; null for one that was wanted and not found.'),
    scheduled: step.describe('Whether the member was chosen.'),
    applied: step.describe('Whether the resources are applied to the member.'),
    available: step.describe('Whether what was applied works.'),
    failed: z.array(failedPlacement).describe('The resources that failed on the member.'),
    driftedCount: z.int().describe('How many resources were changed on the member by someone else.'),
  })
  .meta({ id: 'PlacementMemberStatus', description: 'How far a placement has come on one member.' });

const placementProperties = z.object({
  placementType: z.string().describe('`PickAll`, `PickN` or `PickFixed`.'),
  members: z.array(z.string()).describe('The members that were named, for `PickFixed`.'),
  numberOfClusters: z.int().nullable().describe('How many members are wanted, for `PickN`.'),
  requiredLabels: z
    .array(z.string())
    .describe('The label selectors of which a member has to fit one, as kubectl writes them; none: every member fits.'),
  strategyType: z.string().describe('`RollingUpdate`, or `External` where a staged update run decides.'),
  selectors: z.array(selector).describe('What is to be taken to the members.'),
  selectedCount: z.int().describe('How many resources are selected.'),
  selectedResources: z.array(placedResource).describe('The resources that are selected; 100 at most are shown.'),
  scheduled: step.describe('Whether enough members were found.'),
  rolloutStarted: step.describe('Whether the newest state is on its way to all of them.'),
  workSynchronized: step.describe('Whether the work for the members is written.'),
  applied: step.describe('Whether the resources are applied to all of them.'),
  available: step.describe('Whether they work on all of them.'),
  scheduledCount: z.int().describe('How many members were chosen.'),
  appliedCount: z.int().describe('On how many members everything is applied.'),
  availableCount: z.int().describe('On how many members everything works.'),
  memberStatuses: z.array(placementMember).describe('How far it has come, member by member.'),
});

export type PlacementProperties = z.output<typeof placementProperties>;
export type PlacementStep = z.output<typeof step>;
export type PlacementMember = z.output<typeof placementMember>;

export const clusterResourcePlacementKind: KindDefinition<typeof placementProperties> = {
  name: 'ClusterResourcePlacement',
  description:
    'Takes namespaces and other resources from the hub of a fleet to some of its members, and tells how it goes.',
  kubernetesTypes: [CLUSTER_RESOURCE_PLACEMENT],
  properties: placementProperties,
  describe: describePlacement,
  relations: [
    {
      name: 'fleet',
      description: 'The fleet whose hub holds the placement.',
      type: 'locatedIn',
      direction: 'outgoing',
      kind: 'Fleet',
      cardinality: 'one',
    },
    {
      name: 'placedOn',
      description: 'The members that were chosen.',
      type: 'placedOn',
      direction: 'outgoing',
      kind: 'MemberCluster',
      cardinality: 'many',
    },
  ],
};

const SHOWN_RESOURCES = 100;

export function describePlacement(raw: JsonObject): PlacementProperties {
  const generation = generationOf(raw);
  const whole = statusConditions(rawMember(raw, 'status', 'conditions'), generation);
  const members = rawObjects(raw, 'status', 'placementStatuses').map((status) => describeMember(status, generation));
  const selected = rawObjects(raw, 'status', 'selectedResources');
  const required = rawObjects(
    rawObject(raw, 'spec', 'policy', 'affinity', 'clusterAffinity'),
    'requiredDuringSchedulingIgnoredDuringExecution',
    'clusterSelectorTerms',
  );
  const count = (part: 'scheduled' | 'applied' | 'available'): number =>
    members.filter((member) => member.member !== null && member[part].status === 'True').length;
  return {
    placementType: rawText(raw, 'spec', 'policy', 'placementType') ?? 'PickAll',
    members: rawTexts(raw, 'spec', 'policy', 'clusterNames'),
    numberOfClusters: rawInteger(raw, 'spec', 'policy', 'numberOfClusters'),
    requiredLabels: required.map((term) => labelSelectorText(rawObject(term, 'labelSelector') ?? {})),
    strategyType: rawText(raw, 'spec', 'strategy', 'type') ?? 'RollingUpdate',
    selectors: rawObjects(raw, 'spec', 'resourceSelectors').map((item) => {
      const labels = rawObject(item, 'labelSelector');
      return {
        group: rawText(item, 'group') ?? '',
        version: rawText(item, 'version') ?? '',
        kind: rawText(item, 'kind') ?? '',
        name: rawText(item, 'name'),
        labelSelector: labels === null ? null : labelSelectorText(labels),
        selectionScope: rawText(item, 'selectionScope'),
      };
    }),
    selectedCount: selected.length,
    selectedResources: selected.slice(0, SHOWN_RESOURCES).map(describeResource),
    scheduled: stepOf(findCondition(whole, `${WHOLE}Scheduled`)),
    rolloutStarted: stepOf(findCondition(whole, `${WHOLE}RolloutStarted`)),
    workSynchronized: stepOf(findCondition(whole, `${WHOLE}WorkSynchronized`)),
    applied: stepOf(findCondition(whole, `${WHOLE}Applied`)),
    available: stepOf(findCondition(whole, `${WHOLE}Available`)),
    scheduledCount: count('scheduled'),
    appliedCount: count('applied'),
    availableCount: count('available'),
    memberStatuses: members,
  };
}

function describeMember(status: JsonObject, generation: number | null): PlacementMember {
  const conditions = statusConditions(rawMember(status, 'conditions'), generation);
  return {
    member: rawText(status, 'clusterName'),
    scheduled: stepOf(findCondition(conditions, 'Scheduled')),
    applied: stepOf(findCondition(conditions, 'Applied')),
    available: stepOf(findCondition(conditions, 'Available')),
    failed: rawObjects(status, 'failedPlacements').map((failure) => ({
      ...describeResource(failure),
      condition: rawText(failure, 'condition', 'type'),
      reason: rawText(failure, 'condition', 'reason'),
      message: rawText(failure, 'condition', 'message'),
    })),
    driftedCount: rawObjects(status, 'driftedPlacements').length,
  };
}

function describeResource(resource: JsonObject): z.output<typeof placedResource> {
  return {
    group: rawText(resource, 'group') ?? '',
    kind: rawText(resource, 'kind') ?? '',
    namespace: rawText(resource, 'namespace'),
    name: rawText(resource, 'name') ?? '',
  };
}

/** What was said about an older specification says nothing about this one. */
function stepOf(condition: StatusCondition | undefined): PlacementStep {
  if (condition === undefined) return { status: 'Unknown', reason: null, message: null };
  return {
    status: condition.current ? condition.status : 'Unknown',
    reason: condition.reason,
    message: condition.message,
  };
}

/** As kubectl takes it: `a=b,c in (d,e),!f`. */
export function labelSelectorText(labels: JsonObject): string {
  const equal = Object.entries(rawObject(labels, 'matchLabels') ?? {}).map(
    ([key, value]) => `${key}=${jsonText(value)}`,
  );
  const expressions = rawObjects(labels, 'matchExpressions').map((expression) => {
    const key = rawText(expression, 'key') ?? '';
    const values = rawTexts(expression, 'values').join(',');
    const operator = rawText(expression, 'operator') ?? '';
    switch (operator) {
      case 'Exists':
        return key;
      case 'DoesNotExist':
        return `!${key}`;
      case 'In':
        return `${key} in (${values})`;
      case 'NotIn':
        return `${key} notin (${values})`;
      default:
        return `${key} ${operator} (${values})`;
    }
  });
  return [...equal, ...expressions].join(',');
}

/** Where an applied resource is only not known to work, since its kind has no state, there is nothing to wait for. */
export function isAvailable(available: PlacementStep): boolean {
  return available.status === 'True' || (available.status === 'False' && available.reason === NOT_TRACKABLE);
}

/** What failed on a member, in words; undefined where nothing did. */
export function memberFailure(member: PlacementMember): string | undefined {
  const name = member.member ?? 'a member that was not found';
  if (member.scheduled.status === 'False') return `${name}: ${stepText(member.scheduled)}`;
  // What merely does not work yet is on its way.
  const [first, ...others] = member.failed.filter((failure) => failure.condition !== 'Available');
  if (first !== undefined) {
    const where = first.namespace === null ? first.name : `${first.namespace}/${first.name}`;
    const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
    return `${name}: ${first.kind} ${where}: ${[first.reason, first.message].filter(Boolean).join(': ')}${more}`;
  }
  return member.applied.status === 'False' ? `${name}: ${stepText(member.applied)}` : undefined;
}

export function stepText(of: PlacementStep): string {
  return conditionText({ type: '', status: 'Unknown', reason: of.reason, message: of.message, current: true });
}

export function placementHealth(raw: JsonObject): Health {
  const deletion = deletionHealth(raw);
  if (deletion !== undefined) return deletion;
  const placement = describePlacement(raw);
  if (placement.scheduled.status === 'False') {
    return { state: 'Degraded', reason: `Not enough members were found (${stepText(placement.scheduled)}).` };
  }
  if (placement.scheduled.status === 'Unknown') return { state: 'Progressing', reason: 'Members are being chosen.' };
  const failures = placement.memberStatuses.flatMap((member) => memberFailure(member) ?? []);
  if (failures.length > 0) {
    const more = failures.length === 1 ? '' : ` (and ${failures.length - 1} more)`;
    return { state: 'Degraded', reason: `It failed on ${failures[0] ?? ''}${more}.` };
  }
  if (placement.applied.status === 'False') {
    return { state: 'Degraded', reason: `It could not be applied everywhere (${stepText(placement.applied)}).` };
  }
  const chosen = placement.memberStatuses.filter((member) => member.member !== null);
  if (chosen.length === 0) return { state: 'Healthy', reason: 'No member was chosen.' };
  if (placement.rolloutStarted.status === 'False') {
    return { state: 'Progressing', reason: `It is being rolled out (${stepText(placement.rolloutStarted)}).` };
  }
  const applied = chosen.filter((member) => member.applied.status === 'True').length;
  if (applied < chosen.length) {
    return { state: 'Progressing', reason: `It is applied to ${applied} of ${chosen.length} members.` };
  }
  const available = chosen.filter((member) => isAvailable(member.available)).length;
  return available < chosen.length
    ? { state: 'Progressing', reason: `It works on ${available} of ${chosen.length} members.` }
    : { state: 'Healthy', reason: null };
}

/** @throws ControlError KUBERNETES_UNEXPECTED_ANSWER */
export function observeClusterResourcePlacement(object: JsonObject, reading: KubernetesReading): Observation {
  const { canonical, clusterUid } = kubernetesIdOf(object, reading.cluster.uid);
  const relations = describePlacement(object).memberStatuses.flatMap(({ member, scheduled }): RelationClaim[] => {
    if (member === null || scheduled.status !== 'True') return [];
    const to = otherObjectId({ ...MEMBER_CLUSTER, clusterUid, namespace: undefined, name: member });
    return to === undefined ? [] : [{ type: 'placedOn', from: canonical, to }];
  });
  const observation = kubernetesObservation(object, reading, {
    kind: clusterResourcePlacementKind.name,
    health: placementHealth(object),
    relations,
  });
  return { ...observation, properties: withCoarseTimes(observation.properties, MOVING_TIMES) };
}
