import { ArmId } from '#libs/kernel/arm-id.js';
import { canonicalHash } from '#libs/kernel/canonical-json.js';
import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { ArmError } from '../arm-error.js';
import { deterministicUuid } from '../deterministic-id.js';
import { objectAt, pick, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type {
  ActionOutcome,
  ActionRequest,
  ProcessStep,
  ResourceTypeDescriptor,
  ResourceWorld,
  WritePlan,
  WriteRequest,
} from '../resource-type.descriptor.js';
import {
  FLEET_ACTION_PROTOCOL,
  FLEET_API_VERSIONS,
  FLEET_MEMBER_TYPE,
  FLEET_PROTOCOLS,
  UPDATE_RUN_TYPE,
  UPDATE_STRATEGY_TYPE,
  fleetConflict,
  fleetEtag,
  parseRequest,
  preconditionFailed,
  validateFleetName,
} from './fleet.family.js';
import { UPGRADE_TYPES, clusterUpdateOf } from './member-upgrade.js';
import { NODE_IMAGE_SCHEDULE, VERSION_SCHEDULE, closedSchedule } from './maintenance-configuration.type.js';
import { endOfWait, isLiveState, membersOf, playRun, restart, skip } from './update-run.progress.js';
import { VERSIONED_STATUS, asJson, newRunStatus, runStatusOf, type RunMember } from './update-run.status.js';
import { VERSIONED_STRATEGY, checkedStages, invalidStrategy, knownTo, type Stage } from './update-strategy.body.js';

const NAME_LENGTH = 50;
const VERSION_PATTERN = /^\d+\.\d+\.\d+$/;
/** The one stage and the one group of a run without a strategy. Their name is our choice. */
const ONE_BY_ONE = 'default';

const runSchema = z.looseObject({
  properties: z.looseObject({
    updateStrategyId: z.string().optional(),
    strategy: z.looseObject({}).optional(),
    managedClusterUpdate: z.looseObject({
      upgrade: z.looseObject({ type: z.enum(UPGRADE_TYPES), kubernetesVersion: z.string().optional() }),
      nodeImageSelection: z
        .looseObject({
          type: z.enum(['Latest', 'Consistent', 'Custom']),
          customNodeImageVersions: z.array(z.looseObject({ version: z.string() })).optional(),
        })
        .optional(),
    }),
  }),
});

const skipSchema = z.looseObject({
  targets: z
    .array(z.looseObject({ type: z.enum(['Member', 'Group', 'Stage', 'AfterStageWait']), name: z.string() }))
    .min(1),
});

/**
 * An update of the members of a fleet. Its provisioningState is about the record alone; how far it is stands in
 * `properties.status`. Once started it goes on by itself.
 */
export const updateRunType: ResourceTypeDescriptor = {
  type: UPDATE_RUN_TYPE,
  apiVersions: FLEET_API_VERSIONS,
  tracked: false,
  graphTable: 'aksresources',
  errorShape: 'standard',
  members: [],
  readOnly: ['properties.status', 'properties.autoUpgradeProfileId'],
  versioned: [...VERSIONED_STRATEGY, ...VERSIONED_STATUS],
  etag: { at: 'top', format: fleetEtag, mismatch: preconditionFailed },
  protocols: FLEET_PROTOCOLS,
  recordsLastOperation: false,
  actions: new Map([
    ['start', start],
    ['stop', stop],
    ['skip', skipTargets],
  ]),
  process: {
    actor: deterministicUuid('Azure Kubernetes Fleet Manager'),
    isLive: (body) => isLiveState(stateOf(body)),
    wakesAt,
    step: (run, moment): ProcessStep => {
      const properties = objectAt(run.body, 'properties');
      const status = runStatusOf(properties);
      if (status === undefined) return { body: undefined, begins: [] };
      const update = clusterUpdateOf(objectAt(properties, 'managedClusterUpdate'));
      const begins = playRun({ key: run.key, status, update }, moment);
      const after = asJson(status);
      const changed = canonicalHash(after) !== canonicalHash(objectAt(properties, 'status'));
      return { body: changed ? { ...run.body, properties: { ...properties, status: after } } : undefined, begins };
    },
  },

  validateName: (name) => validateFleetName('update run', NAME_LENGTH, name),
  planPut,
  planPatch(): never {
    throw new ArmError(405, 'MethodNotAllowed', 'An update run is changed by PUT, before it is started.');
  },
  planDelete: (run, id) => {
    refuseLive(run, 'deleted');
    return { writes: [{ id, body: run.body, state: 'Succeeded' }], removes: [{ id, state: 'Succeeded' }] };
  },
  conflict: fleetConflict,
};

function planPut({ id, requested, existing, apiVersion, world }: WriteRequest): WritePlan {
  if (existing !== undefined && stateOf(existing.body) !== 'NotStarted') {
    throw notAllowed(`The update run '${existing.name}' has been started and cannot be changed.`);
  }
  const body = knownTo(apiVersion, requested);
  const sent = objectAt(parseRequest(runSchema, body) as JsonObject, 'properties');
  // Written back as it was read, a run names its strategy and holds the copy of it.
  const wanted = existing === undefined ? sent : withoutCopy(sent, objectAt(existing.body, 'properties'));
  return { writes: [{ id, body: { properties: plannedRun(id, wanted, world) }, state: 'Succeeded' }] };
}

/**
 * The properties of a run that has not been started. The refusals' codes and words are our choice; what is refused is
 * documented.
 */
export function plannedRun(id: ArmId, sent: JsonObject, world: ResourceWorld): JsonObject {
  const update = checkedUpdate(objectAt(sent, 'managedClusterUpdate'));
  const strategyId = textAt(sent, 'updateStrategyId');
  if (strategyId !== undefined && sent.strategy !== undefined) {
    throw invalid('updateStrategyId', 'Either a strategy or the id of one can be given, not both.');
  }
  const strategy = strategyId === undefined ? sent.strategy : strategyOf(strategyId, id, world);
  const stages = strategy === undefined ? undefined : checkedStages(strategy as JsonObject);
  const members = fleetMembers(id, world);
  if (members.length === 0) throw invalid('strategy', 'The fleet has no members that can be updated.');
  const groups = new Map<string, RunMember[]>();
  if (stages === undefined) groups.set(ONE_BY_ONE, members);
  else for (const member of members) groups.set(member.group, [...(groups.get(member.group) ?? []), member]);
  for (const [index, stage] of (stages ?? []).entries()) {
    for (const { name } of stage.groups) {
      if (groups.has(name)) continue;
      throw invalidStrategy(`stages[${index}].groups`, `No member of the fleet is in the update group '${name}'.`);
    }
  }
  const oneByOne: Stage[] = [{ name: ONE_BY_ONE, groups: [{ name: ONE_BY_ONE }] }];
  const bare = (group: string): RunMember[] =>
    (groups.get(group) ?? []).map(({ name, clusterResourceId }) => ({ name, clusterResourceId }));
  return {
    ...sent,
    managedClusterUpdate: update,
    ...(strategy === undefined ? {} : { strategy }),
    status: newRunStatus(stages ?? oneByOne, bare, clusterUpdateOf(update).images),
  };
}

function checkedUpdate(update: JsonObject): JsonObject {
  const upgrade = objectAt(update, 'upgrade');
  const version = textAt(upgrade, 'kubernetesVersion');
  const path = 'managedClusterUpdate.upgrade.kubernetesVersion';
  if (upgrade.type === 'NodeImageOnly') {
    if (version !== undefined) throw invalid(path, 'kubernetesVersion must not be set for the type NodeImageOnly.');
  } else if (version === undefined) {
    throw invalid(path, `kubernetesVersion is required for the type ${textAt(upgrade, 'type') ?? ''}.`);
  } else if (!VERSION_PATTERN.test(version)) {
    throw invalid(path, `'${version}' is not a full Kubernetes version such as 1.33.5.`);
  }
  const selection = objectAt(update, 'nodeImageSelection');
  const isCustom = selection.type === 'Custom';
  const images = selection.customNodeImageVersions;
  if (isCustom !== (Array.isArray(images) && images.length > 0)) {
    const at = 'managedClusterUpdate.nodeImageSelection.customNodeImageVersions';
    throw invalid(at, 'customNodeImageVersions are required for the selection Custom, and allowed for no other.');
  }
  return update;
}

function strategyOf(strategyId: string, run: ArmId, world: ResourceWorld): JsonObject {
  const id = ArmId.tryParse(strategyId);
  const strategy = id === undefined ? undefined : world.get(id);
  const isOfFleet = id?.parent?.canonical === run.parent?.canonical;
  if (id?.canonicalType !== UPDATE_STRATEGY_TYPE.toLowerCase() || strategy === undefined || !isOfFleet) {
    throw invalid('updateStrategyId', `The update strategy '${strategyId}' does not exist in the fleet.`);
  }
  return objectAt(objectAt(strategy.body, 'properties'), 'strategy');
}

/** Arc-enabled clusters are not updated. */
function fleetMembers(run: ArmId, world: ResourceWorld): (RunMember & { group: string })[] {
  return world.children(run.parent?.canonical ?? '', FLEET_MEMBER_TYPE).flatMap((member) => {
    const properties = objectAt(member.body, 'properties');
    const clusterResourceId = textAt(properties, 'clusterResourceId') ?? '';
    const isAks = ArmId.tryParse(clusterResourceId)?.canonicalType === 'microsoft.containerservice/managedclusters';
    return isAks ? [{ name: member.name, clusterResourceId, group: textAt(properties, 'group') ?? '' }] : [];
  });
}

function withoutCopy(sent: JsonObject, before: JsonObject): JsonObject {
  const isCopy =
    sent.updateStrategyId !== undefined &&
    canonicalHash(sent.strategy ?? null) === canonicalHash(before.strategy ?? null);
  if (!isCopy) return sent;
  return pick(
    sent,
    Object.keys(sent).filter((member) => member !== 'strategy'),
  );
}

function start({ id, resource, at }: ActionRequest): ActionOutcome {
  refuseLive(resource, 'started');
  const properties = objectAt(resource.body, 'properties');
  const status = requiredStatus(resource, properties);
  restart(status, at);
  const { state, startTime } = status.status;
  const patch = { ...asJson(status), status: { state, startTime: startTime ?? '', completedTime: null, error: null } };
  return {
    kind: 'operation',
    plan: {
      writes: [{ id, body: resource.body, state: 'Succeeded' }],
      merges: [{ id, patch: { properties: { status: patch } } }],
    },
    protocol: FLEET_ACTION_PROTOCOL,
  };
}

function stop({ id, resource }: ActionRequest): ActionOutcome {
  const properties = objectAt(resource.body, 'properties');
  const status = requiredStatus(resource, properties);
  if (!isLiveState(status.status.state)) {
    throw notAllowed(`The update run '${resource.name}' is ${status.status.state}: there is nothing to stop.`);
  }
  status.status.state = 'Stopping';
  return changed(id, resource, { ...properties, status: asJson(status) });
}

function skipTargets({ id, resource, requested, at }: ActionRequest): ActionOutcome {
  const { targets } = parseRequest(skipSchema, requested ?? {});
  const properties = objectAt(resource.body, 'properties');
  const status = requiredStatus(resource, properties);
  if (!['NotStarted', 'Failed', 'Stopped', 'Running', 'Pending'].includes(status.status.state)) {
    throw notAllowed(`The update run '${resource.name}' is ${status.status.state}: nothing of it can be skipped.`);
  }
  for (const target of targets) {
    if (skip(status, target, at)) continue;
    throw new ArmError(400, 'InvalidParameter', `The run has no ${target.type} '${target.name}'.`, {
      target: 'targets',
    });
  }
  return changed(id, resource, { ...properties, status: asJson(status) });
}

function changed(id: ArmId, resource: StoredResource, properties: JsonObject): ActionOutcome {
  return {
    kind: 'operation',
    plan: { writes: [{ id, body: { ...resource.body, properties }, state: 'Succeeded' }] },
    protocol: FLEET_ACTION_PROTOCOL,
  };
}

/** The end of a wait between stages, or the opening of a window that a member waits for. */
function wakesAt(run: StoredResource, after: number, world: ResourceWorld): number | undefined {
  const properties = objectAt(run.body, 'properties');
  const status = runStatusOf(properties);
  if (status === undefined) return undefined;
  const { type } = clusterUpdateOf(objectAt(properties, 'managedClusterUpdate'));
  const schedule = type === 'NodeImageOnly' ? NODE_IMAGE_SCHEDULE : VERSION_SCHEDULE;
  const openings = membersOf(status)
    .filter((member) => member.status.state === 'Pending')
    .map((member) => closedSchedule(member.clusterResourceId.toLowerCase(), schedule, after, world)?.opensAt);
  const moments = [endOfWait(status, after), ...openings].filter((moment) => moment !== undefined);
  return moments.length === 0 ? undefined : Math.min(...moments);
}

function stateOf(body: JsonObject): string | undefined {
  return textAt(objectAt(objectAt(objectAt(body, 'properties'), 'status'), 'status'), 'state');
}

function refuseLive(run: StoredResource, what: string): void {
  const state = stateOf(run.body);
  if (isLiveState(state)) throw notAllowed(`The update run '${run.name}' is ${state}: it cannot be ${what} now.`);
}

function requiredStatus(resource: StoredResource, properties: JsonObject) {
  const status = runStatusOf(properties);
  if (status === undefined) throw notAllowed(`The update run '${resource.name}' has no status.`);
  return status;
}

/** Neither the status nor the code is recorded. */
function notAllowed(message: string): ArmError {
  return new ArmError(409, 'OperationNotAllowed', message);
}

function invalid(property: string, message: string): ArmError {
  return new ArmError(400, 'InvalidParameter', message, { target: `properties.${property}` });
}
