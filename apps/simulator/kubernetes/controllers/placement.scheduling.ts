import type { MemberCluster, ClusterSelectorTerm, PlacementPolicy, PropertyRequirement } from './fleet.types.js';
import { matchesSelector } from './label-selector.js';
import { quantityValue } from '../schema/quantity.js';
import { tolerates } from './scheduling.filter.js';
import { findCondition } from './status.condition.js';

/** After so long without a heartbeat a member gets nothing new. */
const HEARTBEAT_TIMEOUT_MS = 300_000;

export interface ClusterDecision {
  cluster: string;
  /** `picked by scheduling policy`, or why not. */
  reason: string;
  /** Preference; undefined where clusters are named one by one. */
  affinityScore: number | undefined;
}

export interface SchedulingOutcome {
  picked: ClusterDecision[];
  rejected: ClusterDecision[];
  outcome: 'fulfilled' | 'unfulfilled';
}

const PICKED = 'picked by scheduling policy';

/**
 * Chooses members for a placement.
 * @param bound members that have the placement already: taints do not drive it away, and PickN keeps them
 */
export function schedulePlacement(
  policy: PlacementPolicy | undefined,
  members: readonly MemberCluster[],
  bound: ReadonlySet<string>,
  now: Date,
): SchedulingOutcome {
  switch (policy?.placementType) {
    case 'PickFixed':
      return pickFixed(policy.clusterNames ?? [], members, bound, now);
    case 'PickN':
      return pickN(policy, members, bound, now);
    case 'PickAll':
    case undefined: {
      const { fitting, rejected } = filter(policy, members, bound, now);
      // Whatever matches is all that is needed: also nothing.
      return { picked: fitting, rejected, outcome: 'fulfilled' };
    }
  }
}

function pickFixed(
  names: readonly string[],
  members: readonly MemberCluster[],
  bound: ReadonlySet<string>,
  now: Date,
): SchedulingOutcome {
  const byName = new Map(members.map((member) => [member.metadata.name, member]));
  const picked: ClusterDecision[] = [];
  const rejected: ClusterDecision[] = [];
  for (const cluster of names) {
    const member = byName.get(cluster);
    const isKept = bound.has(cluster) && member?.metadata.deletionTimestamp === undefined;
    const problem = member === undefined || isKept ? undefined : ineligibility(member, now);
    if (member === undefined)
      rejected.push({ cluster, reason: `Specified cluster "${cluster}" is not found`, affinityScore: undefined });
    else if (problem !== undefined)
      rejected.push({
        cluster,
        reason: `Cluster "${cluster}" is not eligible for resource placement yet: ${problem}`,
        affinityScore: undefined,
      });
    else picked.push({ cluster, reason: PICKED, affinityScore: undefined });
  }
  return { picked, rejected, outcome: rejected.length === 0 ? 'fulfilled' : 'unfulfilled' };
}

function pickN(
  policy: PlacementPolicy,
  members: readonly MemberCluster[],
  bound: ReadonlySet<string>,
  now: Date,
): SchedulingOutcome {
  const wanted = policy.numberOfClusters ?? 0;
  const { fitting, rejected } = filter(policy, members, bound, now);
  const ranked = [...fitting].sort(
    (one, other) =>
      Number(bound.has(other.cluster)) - Number(bound.has(one.cluster)) ||
      (other.affinityScore ?? 0) - (one.affinityScore ?? 0) ||
      (one.cluster < other.cluster ? -1 : 1),
  );
  const left = ranked.slice(wanted).map((decision) => ({
    ...decision,
    reason: `cluster does not score high enough (affinity score: ${decision.affinityScore ?? 0}, topology spread score: 0)`,
  }));
  return {
    picked: ranked.slice(0, wanted).sort((one, other) => (one.cluster < other.cluster ? -1 : 1)),
    rejected: [...left, ...rejected],
    outcome: ranked.length >= wanted ? 'fulfilled' : 'unfulfilled',
  };
}

function filter(
  policy: PlacementPolicy | undefined,
  members: readonly MemberCluster[],
  bound: ReadonlySet<string>,
  now: Date,
): { fitting: ClusterDecision[]; rejected: ClusterDecision[] } {
  const fitting: ClusterDecision[] = [];
  const rejected: ClusterDecision[] = [];
  const affinity = policy?.affinity?.clusterAffinity;
  const required = affinity?.requiredDuringSchedulingIgnoredDuringExecution?.clusterSelectorTerms ?? [];
  for (const member of members) {
    const cluster = member.metadata.name;
    // Silence alone takes nothing away from a member that has the placement.
    const isKept = bound.has(cluster) && member.metadata.deletionTimestamp === undefined;
    const problem =
      (isKept ? undefined : ineligibility(member, now)) ??
      (bound.has(cluster) ? undefined : untoleratedTaint(policy, member)) ??
      (required.length > 0 && !required.some((term) => matchesTerm(term, member))
        ? 'ClusterUnschedulable, cluster does not match with any of the required cluster affinity terms'
        : undefined);
    const affinityScore = (affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
      .filter(({ preference }) => matchesTerm(preference, member))
      .reduce((sum, { weight }) => sum + weight, 0);
    if (problem === undefined) fitting.push({ cluster, reason: PICKED, affinityScore });
    else rejected.push({ cluster, reason: problem, affinityScore });
  }
  return { fitting, rejected };
}

function untoleratedTaint(policy: PlacementPolicy | undefined, member: MemberCluster): string | undefined {
  const taint = (member.spec.taints ?? []).find((one) => !tolerates(policy?.tolerations ?? [], one));
  if (taint === undefined) return undefined;
  return `ClusterUnschedulable, taint {Key:${taint.key} Value:${taint.value ?? ''} Effect:${taint.effect}} cannot be tolerated by the placement`;
}

/** Why a member cannot have anything now; undefined when it can. */
export function ineligibility(member: MemberCluster, now: Date): string | undefined {
  if (member.metadata.deletionTimestamp !== undefined) return 'cluster has left the fleet';
  const agent = member.status?.agentStatus?.find((status) => status.type === 'MemberAgent');
  if (agent === undefined) return 'cluster is not connected to the fleet: member agent not online yet';
  if (findCondition(agent.conditions, 'Joined')?.status !== 'True')
    return 'cluster is not connected to the fleet: member agent not joined yet';
  if (now.getTime() >= heartbeatDeadline(member))
    return 'cluster is not connected to the fleet: no recent heartbeat signals';
  if (findCondition(agent.conditions, 'Healthy')?.status !== 'True')
    return 'cluster is not connected to the fleet: unhealthy';
  return undefined;
}

/** When a member counts as cut off unless it is heard of again, in milliseconds since 1970. */
export function heartbeatDeadline(member: MemberCluster): number {
  const agent = member.status?.agentStatus?.find((status) => status.type === 'MemberAgent');
  return Date.parse(agent?.lastReceivedHeartbeat ?? '1970-01-01T00:00:00Z') + HEARTBEAT_TIMEOUT_MS;
}

function matchesTerm(term: ClusterSelectorTerm, member: MemberCluster): boolean {
  if (term.labelSelector !== undefined && !matchesSelector(term.labelSelector, member.metadata.labels)) return false;
  return (term.propertySelector?.matchExpressions ?? []).every((requirement) => matchesProperty(requirement, member));
}

function matchesProperty({ name, operator, values }: PropertyRequirement, member: MemberCluster): boolean {
  const property = member.status?.properties?.[name]?.value;
  const wanted = values[0];
  if (property === undefined || wanted === undefined) return false;
  const difference = quantityValue(property) - quantityValue(wanted);
  switch (operator) {
    case 'Gt':
      return difference > 0;
    case 'Ge':
      return difference >= 0;
    case 'Eq':
      return difference === 0;
    case 'Ne':
      return difference !== 0;
    case 'Lt':
      return difference < 0;
    case 'Le':
      return difference <= 0;
  }
}
