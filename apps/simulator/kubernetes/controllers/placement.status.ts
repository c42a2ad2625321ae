import type { ClusterPlacementStatus, FailedPlacement, Work } from './fleet.types.js';
import type { Condition } from './kubernetes.types.js';
import type { ClusterDecision, SchedulingOutcome } from './placement.scheduling.js';
import { findCondition, withCondition } from './status.condition.js';

/** No more failures than this are listed for one cluster. */
const FAILED_PLACEMENTS_LIMIT = 100;

/** Where one picked cluster is on its way. */
export type ClusterProgress =
  { step: 'blocked' } | { step: 'external' } | { step: 'placing'; work: Work; member: 'eligible' | 'ineligible' };

type State = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

const STEPS = ['RolloutStarted', 'Overridden', 'WorkSynchronized', 'Applied', 'Available'] as const;
type Step = (typeof STEPS)[number];

/** What a placement says of one cluster that was picked. */
export function clusterStatus(
  decision: ClusterDecision,
  progress: ClusterProgress,
  index: string,
  generation: number,
  before: ClusterPlacementStatus | undefined,
  now: string,
): ClusterPlacementStatus {
  const score =
    decision.affinityScore === undefined
      ? ''
      : ` (affinity score: ${decision.affinityScore}, topology spread score: 0)`;
  const scheduled: State = {
    type: 'Scheduled',
    status: 'True',
    reason: 'Scheduled',
    message: `Successfully scheduled resources for placement in "${decision.cluster}"${score}: ${decision.reason}`,
  };
  const failures = progress.step === 'placing' ? failuresOf(progress.work) : [];
  return {
    clusterName: decision.cluster,
    observedResourceIndex: index,
    conditions: settled([scheduled, ...progressStates(progress)], generation, before?.conditions, now),
    ...(failures.length === 0 ? {} : { failedPlacements: failures }),
  };
}

/** What a placement says of a cluster that it could not pick though it needs it. */
export function rejectedStatus(
  decision: ClusterDecision | undefined,
  generation: number,
  before: ClusterPlacementStatus | undefined,
  now: string,
): ClusterPlacementStatus {
  const state: State = {
    type: 'Scheduled',
    status: 'False',
    reason: 'ScheduleFailed',
    message:
      decision === undefined
        ? 'is not selected: no more clusters are available'
        : `"${decision.cluster}" is not selected: ${decision.reason}`,
  };
  return {
    ...(decision === undefined ? {} : { clusterName: decision.cluster }),
    conditions: settled([state], generation, before?.conditions, now),
  };
}

/** The placement's own conditions: as far as all clusters have come, and the first step where one has not. */
export function placementConditions(
  scheduling: SchedulingOutcome,
  clusters: readonly ClusterPlacementStatus[],
  rollout: 'RollingUpdate' | 'External',
  generation: number,
  before: readonly Condition[] | undefined,
  now: string,
): Condition[] {
  const found = scheduling.picked.length;
  const states: State[] = [
    scheduling.outcome === 'fulfilled'
      ? {
          type: 'ClusterResourcePlacementScheduled',
          status: 'True',
          reason: 'SchedulingPolicyFulfilled',
          message: `found all cluster needed as specified by the scheduling policy, found ${found} cluster(s)`,
        }
      : {
          type: 'ClusterResourcePlacementScheduled',
          status: 'False',
          reason: 'SchedulingPolicyUnfulfilled',
          message: `could not find all clusters needed as specified by the scheduling policy, found ${found} cluster(s) instead`,
        },
  ];
  if (found > 0) {
    for (const step of STEPS) {
      const counts = { True: 0, False: 0, Unknown: 0 };
      for (const { conditions } of clusters) counts[findCondition(conditions, step)?.status ?? 'Unknown']++;
      if (rollout === 'External' && step === 'RolloutStarted' && counts.Unknown > 0) {
        states.push({
          type: 'ClusterResourcePlacementRolloutStarted',
          status: 'Unknown',
          reason: 'RolloutControlledByExternalController',
          message: 'Rollout is controlled by an external controller and no resource snapshot is being rolled out',
        });
        break;
      }
      const status = counts.False > 0 ? 'False' : counts.Unknown > 0 ? 'Unknown' : 'True';
      states.push({ type: `ClusterResourcePlacement${step}`, status, ...summary(step, status, counts[status]) });
      if (status !== 'True') break;
    }
  }
  return settled(states, generation, before, now);
}

export function invalidSelectors(
  message: string,
  generation: number,
  before: readonly Condition[] | undefined,
  now: string,
): Condition[] {
  const state: State = {
    type: 'ClusterResourcePlacementScheduled',
    status: 'False',
    reason: 'InvalidResourceSelectors',
    message,
  };
  return settled([state], generation, before, now);
}

/** Exactly these, in this order; those that were so before keep their times. */
function settled(
  states: readonly State[],
  generation: number,
  before: readonly Condition[] | undefined,
  now: string,
): Condition[] {
  return states.map((state) => {
    const known = findCondition(before, state.type);
    const [condition] = withCondition(
      known === undefined ? [] : [known],
      { ...state, observedGeneration: generation },
      now,
    );
    return condition!;
  });
}

function summary(step: Step, status: Condition['status'], count: number): Pick<Condition, 'reason' | 'message'> {
  const texts: Record<Step, Record<Condition['status'], [reason: string, message: string]>> = {
    RolloutStarted: {
      True: ['RolloutStarted', `All ${count} cluster(s) start rolling out the latest resource`],
      Unknown: [
        'RolloutStartedUnknown',
        `There are still ${count} cluster(s) in the process of deciding whether to roll out the latest resources or not`,
      ],
      False: ['RolloutNotStartedYet', `The rollout is being blocked by the rollout strategy in ${count} cluster(s)`],
    },
    Overridden: {
      True: ['NoOverrideSpecified', 'No override rules are configured for the selected resources'],
      Unknown: [
        'OverriddenPending',
        `There are still ${count} cluster(s) in the process of overriding the selected resources if there is any override defined`,
      ],
      False: ['OverriddenFailed', `Failed to override resources in ${count} cluster(s)`],
    },
    WorkSynchronized: {
      // Spelled as the real controller spells it.
      True: [
        'WorkSynchronized',
        `Works(s) are succcesfully created or updated in ${count} target cluster(s)' namespaces`,
      ],
      Unknown: [
        'WorkSynchronizedUnknown',
        `There are still ${count} cluster(s) in the process of creating or updating the work object(s) in the hub cluster`,
      ],
      False: [
        'WorkNotSynchronizedYet',
        `There are ${count} cluster(s) which have not finished creating or updating work(s) yet`,
      ],
    },
    Applied: {
      True: ['ApplySucceeded', `The selected resources are successfully applied to ${count} cluster(s)`],
      Unknown: [
        'ApplyPending',
        `There are still ${count} cluster(s) in the process of applying the resources on the member cluster`,
      ],
      False: [
        'ApplyFailed',
        `Failed to apply resources to ${count} cluster(s), please check the \`failedPlacements\` status`,
      ],
    },
    Available: {
      True: ['ResourceAvailable', `The selected resources in ${count} cluster(s) are available now`],
      Unknown: [
        'ResourceAvailableUnknown',
        `There are still ${count} cluster(s) in the process of checking the availability of the selected resources`,
      ],
      False: ['ResourceNotAvailableYet', `The selected resources in ${count} cluster(s) are still not available yet`],
    },
  };
  const [reason, message] = texts[step][status];
  return { reason, message };
}

function progressStates(progress: ClusterProgress): State[] {
  if (progress.step === 'blocked')
    return [
      {
        type: 'RolloutStarted',
        status: 'False',
        reason: 'RolloutNotStartedYet',
        message: 'The resources cannot be updated to the latest because of the rollout strategy',
      },
    ];
  if (progress.step === 'external')
    return [
      {
        type: 'RolloutStarted',
        status: 'Unknown',
        reason: 'RolloutControlledByExternalController',
        message: 'Rollout is controlled by an external controller and no resource snapshot is being rolled out',
      },
    ];
  return [
    {
      type: 'RolloutStarted',
      status: 'True',
      reason: 'RolloutStarted',
      message: 'Detected the new changes on the resources and started the rollout process',
    },
    {
      type: 'Overridden',
      status: 'True',
      reason: 'NoOverrideSpecified',
      message: 'No override rules are configured for the selected resources',
    },
    {
      type: 'WorkSynchronized',
      status: 'True',
      reason: 'AllWorkSynced',
      message: 'All of the works are synchronized to the latest',
    },
    ...workStates(progress.work, progress.member),
  ];
}

function workStates(work: Work, member: 'eligible' | 'ineligible'): State[] {
  const { name } = work.metadata;
  const applied = current(work, 'Applied');
  if (applied === undefined && member === 'eligible')
    return [
      {
        type: 'Applied',
        status: 'Unknown',
        reason: 'ApplyPending',
        message: 'In the process of applying the resources on the member cluster',
      },
    ];
  if (applied?.status !== 'True')
    return [
      {
        type: 'Applied',
        status: 'False',
        reason: 'NotAllWorkHaveBeenApplied',
        message: `Work object ${name} is not applied`,
      },
    ];
  const done: State = {
    type: 'Applied',
    status: 'True',
    reason: 'AllWorkHaveBeenApplied',
    message: 'All corresponding work objects are applied',
  };
  const available = current(work, 'Available');
  if (available?.status !== 'True')
    return [
      done,
      {
        type: 'Available',
        status: 'False',
        reason: 'NotAllWorkAreAvailable',
        message: `Work object ${name} is not available`,
      },
    ];
  return [
    done,
    available.reason === 'SomeManifestsAreNotAvailabilityTrackable'
      ? {
          type: 'Available',
          status: 'True',
          reason: 'NotAllWorkAreAvailabilityTrackable',
          message: 'The availability of some work objects is not trackable',
        }
      : {
          type: 'Available',
          status: 'True',
          reason: 'AllWorkAreAvailable',
          message: 'All corresponding work objects are available',
        },
  ];
}

/** A condition of the work that is about its present content. */
function current(work: Work, type: string): Condition | undefined {
  const condition = findCondition(work.status?.conditions, type);
  return condition?.observedGeneration === work.metadata.generation ? condition : undefined;
}

/** Whether the work is carried out in full, in its present content. */
export function isAvailable(work: Work): boolean {
  return current(work, 'Applied')?.status === 'True' && current(work, 'Available')?.status === 'True';
}

function failuresOf(work: Work): FailedPlacement[] {
  if (current(work, 'Applied')?.status !== 'False') return [];
  return (work.status?.manifestConditions ?? [])
    .flatMap(({ identifier, conditions }) => {
      const condition = findCondition(conditions, 'Applied');
      if (condition?.status !== 'False') return [];
      const { ordinal: _, resource: __, ...identity } = identifier;
      return [{ ...identity, condition }];
    })
    .slice(0, FAILED_PLACEMENTS_LIMIT);
}
