import type { JsonObject } from '#libs/kernel/json.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import { isReservedOnHub } from '#libs/kube/manifest/fleet-hub.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type { FindingSeverity } from '../contract/finding.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import type { OperationContext } from '../contract/operation-definition.js';
import { rawObject, rawText } from '../contract/raw-reader.js';
import { CLUSTER_RESOURCE_PLACEMENT, describePlacement } from './cluster-resource-placement.kind.js';
import type { FleetParts } from './fleet-parts.js';
import { membersOfFleet } from './fleet-membership.js';
import { fleetOf } from './hub.preflight.js';
import { MEMBER_CLUSTER } from './member-cluster.kind.js';
import { listObjects, readObject } from './object-application.js';
import { candidateMember, forecast, type CandidateMember, type WantedPlacement } from './placement.policy.js';
import type { PlacementGoal } from './placement.progress.js';

export const placementFindings = {
  NAMESPACE_RESERVED: 'The namespace belongs to Kubernetes or to Fleet, and is never placed on members.',
  NAMESPACE_NOT_FOUND: 'The hub has no namespace of this name.',
  RESOURCE_TYPE_UNKNOWN: 'The hub does not serve this kind in this version: nothing of it can be selected.',
  RESOURCE_NOT_CLUSTER_SCOPED: 'Objects of this kind belong to a namespace: they are placed with their namespace.',
  SELECTED_OBJECT_NOT_FOUND: 'The hub has no object of this name yet.',
  NO_MEMBER_MATCHES: 'No member of the fleet fits the policy.',
  TOO_FEW_MEMBERS: 'Fewer members fit the policy than are wanted.',
  MEMBER_UNKNOWN: 'The fleet has no member of this name.',
  MEMBER_NOT_ELIGIBLE: 'Nothing can be placed on the member as it is now.',
  PLACEMENT_TYPE_IMMUTABLE: 'The placement exists with another placement type, which can never be changed.',
  POLICY_NOT_REMOVABLE: 'The placement exists with a policy; a policy can be changed, and never taken away.',
  STRATEGY_NOT_REVERSIBLE: 'The placement is rolled out by staged update runs, which cannot be taken back.',
  PLACEMENT_DELETING: 'The placement is being deleted.',
  PLACEMENT_EXISTS: 'The placement exists; it is made as asked for.',
  NAMESPACE_PLACED_ALREADY: 'Another placement takes the namespace to members as well; the two can get into conflict.',
  ROLLOUT_EXTERNAL: 'Nothing reaches the members until a staged update run brings it there.',
} as const satisfies Record<string, string>;
export type PlacementFindingCode = keyof typeof placementFindings;

export interface PlacementRequest extends WantedPlacement {
  name: string;
  goal: PlacementGoal;
  /** Namespaces that the operation itself makes first. */
  madeNamespaces?: ReadonlySet<string>;
}

/** Finds out before the hub would what is wrong with a placement, or what it would come to. */
export async function judgePlacementRequest(
  parts: FleetParts,
  hub: ClusterClient,
  request: PlacementRequest,
  context: OperationContext<unknown>,
  say: FindingReporter<PlacementFindingCode>,
): Promise<void> {
  const placements = await listObjects(hub, CLUSTER_RESOURCE_PLACEMENT, undefined, context);
  await judgeSelectors(hub, request, context, say);
  judgeOverlap(request, placements, say);
  const existing = placements.find((placement) => placement.metadata.name === request.name);
  if (existing !== undefined) judgeExisting(existing, request, say);
  const objects = await listObjects(hub, MEMBER_CLUSTER, undefined, context);
  const now = parts.clock.now();
  const members = objects.map((object) => candidateMember(object, now));
  await judgeMembers(parts, request, members, context, say);
  if (request.strategy?.type === 'External' && request.goal !== 'stored') {
    say('ROLLOUT_EXTERNAL', 'warning', { strategy: 'External' }, 'Start a staged update run, or wait for stored only.');
  }
}

async function judgeSelectors(
  hub: ClusterClient,
  { namespaces = [], resourceSelectors = [], madeNamespaces = new Set<string>() }: PlacementRequest,
  context: OperationContext<unknown>,
  say: FindingReporter<PlacementFindingCode>,
): Promise<void> {
  const named = [
    ...namespaces,
    ...resourceSelectors.flatMap(({ group, kind, name }) =>
      group === '' && kind === 'Namespace' && name !== undefined ? [name] : [],
    ),
  ];
  for (const namespace of new Set(named)) {
    if (isReservedOnHub(namespace) || namespace === 'default') {
      say('NAMESPACE_RESERVED', 'error', { namespace }, 'Put what is to be placed into a namespace of its own.');
    } else if (
      !madeNamespaces.has(namespace) &&
      (await readObject(hub, { group: '', kind: 'Namespace' }, undefined, namespace, context)) === undefined
    ) {
      const remedy = 'Create it on the hub first, with what is to be placed (kubernetes.manifest.apply).';
      say('NAMESPACE_NOT_FOUND', 'error', { namespace }, remedy);
    }
  }
  for (const { group, version, kind, name } of resourceSelectors) {
    const resource = await hub.findResource({ group, version, kind }, context);
    if (resource === undefined) {
      const remedy = 'Correct group, version and kind, or install the definition of the kind on the hub.';
      say('RESOURCE_TYPE_UNKNOWN', 'error', { group, version, kind }, remedy);
    } else if (resource.namespaced) {
      say('RESOURCE_NOT_CLUSTER_SCOPED', 'error', { group, kind }, 'Select its namespace instead.');
    } else if (name !== undefined && !(group === '' && kind === 'Namespace')) {
      const object = await hub.get(resource, undefined, name, context);
      if (object === undefined) say('SELECTED_OBJECT_NOT_FOUND', 'warning', { group, kind, name });
    }
  }
}

function judgeOverlap(
  { name, namespaces = [] }: PlacementRequest,
  placements: readonly KubernetesObject[],
  say: FindingReporter<PlacementFindingCode>,
): void {
  for (const other of placements) {
    if (other.metadata.name === name) continue;
    const shared = describePlacement(other).selectors.flatMap((selector) =>
      selector.kind === 'Namespace' && selector.name !== null && namespaces.includes(selector.name)
        ? [selector.name]
        : [],
    );
    if (shared.length === 0) continue;
    const remedy = 'Change the other placement, or let strategy.allowCoOwnership be true on both.';
    say('NAMESPACE_PLACED_ALREADY', 'warning', { placement: other.metadata.name, namespaces: shared }, remedy);
  }
}

function judgeExisting(
  existing: KubernetesObject,
  { policy, strategy, name }: PlacementRequest,
  say: FindingReporter<PlacementFindingCode>,
): void {
  if (rawText(existing, 'metadata', 'deletionTimestamp') !== null) {
    say('PLACEMENT_DELETING', 'error', { placement: name }, 'Wait until it is gone.');
    return;
  }
  const remedy = 'Delete the placement first (fleet.placement.delete), or use another name.';
  const present = describePlacement(existing);
  const hasPolicy = rawObject(existing, 'spec', 'policy') !== null;
  if (hasPolicy && policy === undefined) {
    say('POLICY_NOT_REMOVABLE', 'error', { placementType: present.placementType }, 'Give a policy.');
  } else if (hasPolicy && policy?.placementType !== present.placementType) {
    const evidence: JsonObject = { present: present.placementType, wanted: policy?.placementType ?? null };
    say('PLACEMENT_TYPE_IMMUTABLE', 'error', evidence, remedy);
  }
  if (present.strategyType === 'External' && strategy?.type === 'RollingUpdate') {
    say('STRATEGY_NOT_REVERSIBLE', 'error', { strategy: present.strategyType }, remedy);
  }
  say('PLACEMENT_EXISTS', 'info', { placement: name });
}

async function judgeMembers(
  parts: FleetParts,
  { policy, goal }: PlacementRequest,
  members: readonly CandidateMember[],
  context: OperationContext<unknown>,
  say: FindingReporter<PlacementFindingCode>,
): Promise<void> {
  const { matching, unknown, tainted } = forecast(policy, members);
  // A placement that is only to be stored may be there before its members.
  const severity: FindingSeverity = goal === 'stored' ? 'warning' : 'error';
  const names = members.map((member) => member.name);
  for (const name of unknown) {
    const meant = await memberOfCluster(parts, name, context);
    const remedy =
      meant === undefined ? `The members are: ${names.join(', ') || 'none'}.` : `The cluster is the member "${meant}".`;
    say('MEMBER_UNKNOWN', severity, { member: name, members: names.slice(0, 100) }, remedy);
  }
  for (const { name, ineligible } of matching) {
    if (ineligible !== undefined) say('MEMBER_NOT_ELIGIBLE', 'warning', { member: name, reason: ineligible });
  }
  for (const { name, properties } of tainted) {
    const taints = properties.taints.map(({ key, value }) => (value === null ? key : `${key}=${value}`));
    say('MEMBER_NOT_ELIGIBLE', 'warning', { member: name, taints }, 'Give tolerations for these taints.');
  }
  if (policy?.placementType === 'PickFixed' || policy?.numberOfClusters === 0) return;
  const eligible = matching.filter((member) => member.ineligible === undefined);
  if (eligible.length === 0) {
    const labels = members.map(({ name, properties }) => ({ member: name, labels: properties.labels }));
    const remedy =
      members.length === 0
        ? 'Let clusters join the fleet first (fleet.member.join).'
        : 'Choose labels that the members have; the labels of a member are set in Azure (fleet.member.join with labels).';
    say('NO_MEMBER_MATCHES', severity, { members: labels.slice(0, 50) }, remedy);
  } else if (policy?.numberOfClusters !== undefined && eligible.length < policy.numberOfClusters) {
    const evidence: JsonObject = { wanted: policy.numberOfClusters, found: eligible.map((member) => member.name) };
    say('TOO_FEW_MEMBERS', severity, evidence, 'Ask for fewer members, or let more clusters join.');
  }
}

/** People write the name of the cluster where that of the member is meant. */
async function memberOfCluster(
  parts: FleetParts,
  name: string,
  context: OperationContext<unknown>,
): Promise<string | undefined> {
  const members = await membersOfFleet(parts.client, fleetOf(context), context);
  return members.find((member) => member.cluster.name.toLowerCase() === name.toLowerCase())?.name;
}
