import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { armErrorText, armIdOf, armObservation, type Reading } from '../contract/arm-observation.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import type { Health, Observation, RelationClaim } from '../contract/observation.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawInteger, rawMember, rawObject, rawObjects, rawText } from '../contract/raw-reader.js';
import { followsStrategy, ownedByFleet, withoutPreviewMembers } from './fleet-child.js';

export const FLEET_UPDATE_RUN_TYPE = 'Microsoft.ContainerService/fleets/updateRuns';

/** So many members at fault are named. */
const MOST_NAMED = 5;
const STATE = 'one of `NotStarted`, `Running`, `Pending`, `Stopping`, `Stopped`, `Skipped`, `Failed` and `Completed`';

const runMember = z
  .object({
    name: z.string().nullable().describe('The name of the fleet member.'),
    clusterId: z.string().nullable().describe('The ARM id of its cluster.'),
    state: z.string().nullable().describe(`How far the update of the member is: ${STATE}.`),
    startedAt: z.string().nullable().describe('When the update of the member began.'),
    endedAt: z.string().nullable().describe('When it ended.'),
    errorCode: z.string().nullable().describe('The code of what Azure says about the failure or the waiting.'),
    errorMessage: z.string().nullable().describe('What Azure says about the failure or the waiting.'),
    message: z.string().nullable().describe('What Azure says besides, such as when a maintenance window opens.'),
    operationId: z.string().nullable().describe('The id that Azure gave to the upgrade of the cluster.'),
  })
  .meta({ id: 'FleetUpdateRunMember', description: 'A member in an update run.' });

const runGroup = z
  .object({
    name: z.string().nullable().describe('The name of the update group.'),
    state: z.string().nullable().describe(`How far the group is: ${STATE}.`),
    error: z.string().nullable().describe('What Azure says about a failure, as code and message.'),
    maxConcurrency: z.int().nullable().describe('How many of its members are updated at the same time.'),
    members: z.array(runMember).describe('The members of the group.'),
  })
  .meta({ id: 'FleetUpdateRunGroup', description: 'An update group in an update run.' });

const runStage = z
  .object({
    name: z.string().nullable().describe('The name of the stage.'),
    state: z.string().nullable().describe(`How far the stage is: ${STATE}.`),
    startedAt: z.string().nullable().describe('When the stage began.'),
    endedAt: z.string().nullable().describe('When it ended, the waiting after it included.'),
    error: z.string().nullable().describe('What Azure says about a failure, as code and message.'),
    maxConcurrency: z.int().nullable().describe('How many members of the stage are updated at the same time.'),
    waitSeconds: z.int().nullable().describe('How long is waited after the stage; null for no waiting. Seconds.'),
    waitState: z.string().nullable().describe(`How far the waiting is: ${STATE}.`),
    groups: z.array(runGroup).describe('The update groups of the stage.'),
  })
  .meta({ id: 'FleetUpdateRunStage', description: 'A stage of an update run.' });

const updateRunProperties = z.object({
  state: z
    .string()
    .nullable()
    .describe(`How far the run is: ${STATE}. The provisioning state is about the record of the run alone.`),
  startedAt: z.string().nullable().describe('When the run was started.'),
  endedAt: z.string().nullable().describe('When the run ended.'),
  error: z.string().nullable().describe('What Azure says about the failure of the run, as code and message.'),
  upgradeType: z
    .string()
    .nullable()
    .describe('What is upgraded: `Full` (Kubernetes and node images), `ControlPlaneOnly` or `NodeImageOnly`.'),
  kubernetesVersion: z.string().nullable().describe('The Kubernetes version that the members are taken to.'),
  nodeImageSelection: z.string().nullable().describe('How node images are chosen: `Latest`, `Consistent` or `Custom`.'),
  nodeImageVersions: z.array(z.string()).describe('The node images that were chosen.'),
  updateStrategyId: z.string().nullable().describe('The ARM id of the strategy that was copied into the run.'),
  autoUpgradeProfileId: z.string().nullable().describe('The ARM id of the auto-upgrade profile that made the run.'),
  memberCount: z.int().describe('The number of members in the run.'),
  notStartedCount: z.int().describe('Members that have not begun.'),
  runningCount: z.int().describe('Members that are being updated.'),
  pendingCount: z.int().describe('Members that wait: for a maintenance window, or for a version in their region.'),
  stoppedCount: z.int().describe('Members that were stopped before they were updated.'),
  completedCount: z.int().describe('Members that were updated.'),
  skippedCount: z.int().describe('Members that were left out, by a user or because there was nothing to do.'),
  failedCount: z.int().describe('Members whose update has failed; a run can be completed all the same.'),
  progressPercent: z.int().describe('The share of the members that are done with, in percent.'),
  currentStage: z.string().nullable().describe('The stage that is under way.'),
  stages: z.array(runStage).describe('The stages, in their order, with their groups and members.'),
});

export type FleetUpdateRunProperties = z.output<typeof updateRunProperties>;

export const fleetUpdateRunKind: KindDefinition<typeof updateRunProperties> = {
  name: 'FleetUpdateRun',
  description:
    'An update of the members of a fleet, stage by stage. Creating one does not start it. One that is completed can have members that failed: its health is then Degraded.',
  armType: FLEET_UPDATE_RUN_TYPE,
  properties: updateRunProperties,
  describe: describeUpdateRun,
  relations: [
    {
      name: 'fleet',
      description: 'The fleet whose members are updated.',
      type: 'owns',
      direction: 'incoming',
      kind: 'Fleet',
      cardinality: 'one',
    },
    {
      name: 'updateStrategy',
      description: 'The strategy that was copied into the run.',
      type: 'follows',
      direction: 'outgoing',
      kind: 'FleetUpdateStrategy',
      cardinality: 'one',
    },
    {
      name: 'autoUpgradeProfile',
      description: 'The auto-upgrade profile that made the run.',
      type: 'owns',
      direction: 'incoming',
      kind: 'FleetAutoUpgradeProfile',
      cardinality: 'one',
    },
    {
      name: 'members',
      description: 'The members that the run updates.',
      type: 'updates',
      direction: 'outgoing',
      kind: 'FleetMember',
      cardinality: 'many',
    },
  ],
};

function describeUpdateRun(raw: JsonObject): FleetUpdateRunProperties {
  const stages = rawObjects(raw, 'status', 'stages').map(describeStage);
  const states = stages.flatMap(({ groups }) => groups.flatMap(({ members }) => members.map(({ state }) => state)));
  const count = (state: UpdateState): number => states.filter((each) => each === state).length;
  const done = count('Completed') + count('Skipped') + count('Failed');
  const status = rawMember(raw, 'status', 'status');
  const current = stages.find(({ state }) => state === 'Running' || state === 'Pending' || state === 'Stopping');
  return {
    ...progressOf(status),
    error: armErrorText(rawMember(status, 'error')),
    upgradeType: rawText(raw, 'managedClusterUpdate', 'upgrade', 'type'),
    kubernetesVersion: rawText(raw, 'managedClusterUpdate', 'upgrade', 'kubernetesVersion'),
    nodeImageSelection: rawText(raw, 'managedClusterUpdate', 'nodeImageSelection', 'type'),
    nodeImageVersions: rawObjects(raw, 'status', 'nodeImageSelection', 'selectedNodeImageVersions').flatMap((image) => {
      const version = rawText(image, 'version');
      return version === null ? [] : [version];
    }),
    updateStrategyId: rawText(raw, 'updateStrategyId'),
    autoUpgradeProfileId: rawText(raw, 'autoUpgradeProfileId'),
    memberCount: states.length,
    notStartedCount: count('NotStarted'),
    runningCount: count('Running') + count('Stopping'),
    pendingCount: count('Pending'),
    stoppedCount: count('Stopped'),
    completedCount: count('Completed'),
    skippedCount: count('Skipped'),
    failedCount: count('Failed'),
    progressPercent: states.length === 0 ? 0 : Math.floor((done * 100) / states.length),
    currentStage: current?.name ?? null,
    stages,
  };
}

type UpdateState = 'NotStarted' | 'Running' | 'Stopping' | 'Stopped' | 'Skipped' | 'Failed' | 'Pending' | 'Completed';

function describeStage(stage: JsonObject): z.output<typeof runStage> {
  return {
    name: rawText(stage, 'name'),
    ...progressOf(rawMember(stage, 'status')),
    error: armErrorText(rawMember(stage, 'status', 'error')),
    maxConcurrency: rawInteger(stage, 'maxConcurrency'),
    waitSeconds: rawInteger(stage, 'afterStageWaitStatus', 'waitDurationInSeconds'),
    waitState: rawText(stage, 'afterStageWaitStatus', 'status', 'state'),
    groups: rawObjects(stage, 'groups').map((group) => ({
      name: rawText(group, 'name'),
      state: rawText(group, 'status', 'state'),
      error: armErrorText(rawMember(group, 'status', 'error')),
      maxConcurrency: rawInteger(group, 'maxConcurrency'),
      members: rawObjects(group, 'members').map((member) => ({
        name: rawText(member, 'name'),
        clusterId: rawText(member, 'clusterResourceId'),
        ...progressOf(rawMember(member, 'status')),
        errorCode: rawText(member, 'status', 'error', 'code'),
        errorMessage: rawText(member, 'status', 'error', 'message')?.trim() ?? null,
        message: rawText(member, 'message')?.trim() ?? null,
        operationId: rawText(member, 'operationId'),
      })),
    })),
  };
}

function progressOf(status: Json | undefined) {
  return {
    state: rawText(status, 'state'),
    startedAt: rawText(status, 'startTime'),
    endedAt: rawText(status, 'completedTime'),
  };
}

/** @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is. */
export function observeFleetUpdateRun(body: JsonObject, reading: Reading): Observation {
  const id = armIdOf(body);
  const profileId = rawText(body, 'properties', 'autoUpgradeProfileId');
  const profile = profileId === null ? undefined : ArmId.tryParse(profileId);
  return armObservation(withoutPreviewMembers(body), {
    ...reading,
    kind: fleetUpdateRunKind.name,
    health: healthOf(body),
    relations: [
      ...ownedByFleet(id),
      ...followsStrategy(id, body),
      ...(profile === undefined
        ? []
        : [{ type: 'owns', from: profile.canonical, to: id.canonical } satisfies RelationClaim]),
      ...memberRelations(id, body),
    ],
    location: null,
  });
}

function memberRelations(run: ArmId, body: JsonObject): RelationClaim[] {
  const names = new Set(
    updateRunOf(body)
      .stages.flatMap(membersIn)
      .flatMap(({ name }) => name ?? []),
  );
  return [...names].flatMap((name) => {
    const member = ArmId.tryParse(`${run.parent?.toString() ?? ''}/members/${name}`);
    return member === undefined ? [] : [{ type: 'updates', from: run.canonical, to: member.canonical } as const];
  });
}

/** The typed view of a run as ARM shows it. */
export function updateRunOf(body: JsonObject): FleetUpdateRunProperties {
  return describeUpdateRun(rawObject(body, 'properties') ?? {});
}

export function membersIn(stage: FleetUpdateRunProperties['stages'][number]) {
  return stage.groups.flatMap((group) => group.members);
}

/** `2 of 12 members have failed: a (PodDrainFailure), b`; null when none has. */
export function failureText(run: FleetUpdateRunProperties): string | null {
  const failed = run.stages.flatMap(membersIn).filter((member) => member.state === 'Failed');
  if (failed.length === 0) return null;
  const named = failed.slice(0, MOST_NAMED).map((member) => {
    const why = member.errorCode === null ? '' : ` (${member.errorCode})`;
    return `${member.name ?? 'unnamed'}${why}`;
  });
  const others = failed.length > named.length ? `, and ${failed.length - named.length} more` : '';
  return `${failed.length} of ${run.memberCount} members have failed: ${named.join(', ')}${others}.`;
}

/** `stage 1 of 3 (canary): 4 of 12 members are done, 1 running, 2 waiting`, and what is waited for. */
export function progressText(run: FleetUpdateRunProperties): string {
  const index = run.stages.findIndex((stage) => stage.name !== null && stage.name === run.currentStage);
  const stage = run.stages[index];
  const done = run.completedCount + run.skippedCount + run.failedCount;
  const counts = [
    `${done} of ${run.memberCount} members are done`,
    ...(run.runningCount === 0 ? [] : [`${run.runningCount} running`]),
    ...(run.pendingCount === 0 ? [] : [`${run.pendingCount} waiting`]),
    ...(run.failedCount === 0 ? [] : [`${run.failedCount} failed`]),
  ].join(', ');
  const where = stage === undefined ? '' : `stage ${index + 1} of ${run.stages.length} (${stage.name}): `;
  const pause = stage?.waitState === 'Running' ? ` The next stage begins ${stage.waitSeconds} s after this one.` : '';
  const waiting = run.stages.flatMap(membersIn).find((member) => member.state === 'Pending');
  const reason = waiting?.errorMessage ?? waiting?.message ?? null;
  const why = waiting === undefined || reason === null ? '' : ` ${waiting.name ?? 'A member'} waits: ${reason}`;
  return `${where}${counts}.${pause}${why}`;
}

function healthOf(body: JsonObject): Health {
  const record = rawText(body, 'properties', 'provisioningState');
  const phase = provisioningPhase(record);
  if (phase === 'failed' || phase === 'canceled') {
    return { state: 'Degraded', reason: `Azure could not keep the record of the run (${record}).` };
  }
  const run = updateRunOf(body);
  const failures = failureText(run);
  if (failures !== null) return { state: 'Degraded', reason: failures };
  switch (run.state as UpdateState | null) {
    case 'Failed':
      return { state: 'Degraded', reason: run.error ?? 'The run has failed; Azure gives no reason.' };
    case 'Completed':
    case 'Skipped':
      return { state: 'Healthy', reason: null };
    case 'NotStarted':
      return { state: 'Unknown', reason: 'It has not been started.' };
    case 'Stopped':
      return { state: 'Unknown', reason: 'It was stopped.' };
    case null:
      return { state: 'Unknown', reason: 'Azure does not say how far it is.' };
    case 'Running':
    case 'Pending':
    case 'Stopping':
    default:
      return { state: 'Progressing', reason: `It is ${run.state}: ${progressText(run)}` };
  }
}
