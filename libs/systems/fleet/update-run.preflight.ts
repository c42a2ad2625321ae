import { type ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { armIdOf } from '../contract/arm-observation.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type { OperationContext } from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawObject, rawObjects, rawText } from '../contract/raw-reader.js';
import type { FleetClient } from './fleet.client.js';
import { clusterOfMember } from './fleet-membership.js';
import { FLEET_UPDATE_RUN_TYPE, membersIn, updateRunOf } from './update-run.kind.js';
import { fleetOf, isAsWanted, newRunId, strategyIdOf, type CreateRunInput } from './update-run.input.js';
import { ACTIVE_STATES } from './update-run-control.operations.js';
import { describeStages } from './update-strategy.kind.js';

/** So many names are given as evidence. */
const MOST_NAMED = 50;
/** The maintenance windows of so many members are looked at: that is one request each. */
const MOST_WINDOWS = 20;
/** Clusters of one version in one region are offered the same; of so many such sets one cluster is asked. */
const MOST_PROFILES = 20;

export const createRunFindings = {
  FLEET_NOT_FOUND: 'Azure does not know the fleet.',
  FLEET_NOT_READY: 'The last operation on the fleet has failed, or it is being deleted.',
  STRATEGY_NOT_FOUND: 'Azure does not know the update strategy.',
  RUN_EXISTS: 'The update run is there already as it was asked for; it is gone on with.',
  RUN_NAME_TAKEN: 'An update run of this name is there, and is not what was asked for.',
  FLEET_WITHOUT_MEMBERS: 'The fleet has no members that can be updated.',
  GROUP_WITHOUT_MEMBERS: 'No member of the fleet is in an update group of the sequence.',
  MEMBERS_NOT_IN_SEQUENCE: 'Members are in no update group of the sequence, and are not updated.',
  ARC_MEMBERS_LEFT_OUT: 'Arc-enabled clusters are members: update runs leave them out.',
  SKIP_TARGET_NOT_FOUND: 'What is to be skipped is no part of the sequence.',
  MEMBERS_IN_OTHER_RUN: 'Another update run is under way over the same members; each waits for the other.',
  CLUSTERS_UNREAD: 'The clusters of the members could not be read: their states and versions were not checked.',
  CLUSTER_NOT_FOUND: 'The cluster of a member is not there any more: its update will fail, and with it the run.',
  CLUSTER_STOPPED: 'The cluster of a member is stopped: its update would fail, and with it the run.',
  CLUSTER_NOT_READY: 'The last operation on the cluster of a member has failed: its update may fail too.',
  CLUSTER_BUSY: 'Another operation runs on the cluster of a member; its update waits.',
  AUTO_UPGRADE_ON: 'AKS itself upgrades clusters of members: updates happen outside of the run, in no order.',
  VERSION_NOT_OFFERED: 'AKS does not offer the version to every member: their update would fail, and with it the run.',
  VERSION_OFFER_UNREAD: 'What AKS offers to the members could not be read.',
  MEMBERS_AT_VERSION: 'Members are at the version already, and are skipped.',
  MAINTENANCE_WINDOWS: 'Members have maintenance windows: the run waits for these, for days where they open weekly.',
} as const satisfies Record<string, string>;
type Code = keyof typeof createRunFindings;
type Say = FindingReporter<Code>;

/** A member in the sequence, with its cluster. */
interface RunMember {
  name: string;
  group: string | null;
  cluster: ArmId;
}

export async function preflightCreateRun(
  client: FleetClient,
  context: OperationContext<CreateRunInput>,
): Promise<Finding[]> {
  const { input, references } = context;
  const fleet = fleetOf(references);
  const findings: Finding[] = [];
  const say = findingReporter(createRunFindings, findings);
  const reading = await client.getFleet(fleet, context);
  if (!judgeFleet(fleet, reading, say)) return findings;
  const groups = await sequenceOf(client, context, say);
  if (await judgeExisting(client, context, say)) return findings;
  const all = await fleetMembers(client, fleet, context, say);
  const chosen = judgeSequence(all, groups, say);
  if (chosen.length === 0) return findings;
  const skipped = judgeSkips(chosen, groups, input, say);
  const members = chosen.filter((member) => !skipped.has(member.name));
  await judgeOtherRuns(client, newRunId(input, references), members, context, say);
  await judgeClusters(client, members, context, say);
  await judgeWindows(client, members, context, say);
  return findings;
}

function judgeFleet(id: ArmId, reading: ArmReading, say: Say): boolean {
  if (reading.state === 'missing') {
    say('FLEET_NOT_FOUND', 'error', { fleet: id.toString() });
    return false;
  }
  const state = rawText(reading.body, 'properties', 'provisioningState');
  if (provisioningPhase(state) === 'failed' || state?.toLowerCase() === 'deleting') {
    say('FLEET_NOT_READY', 'error', { provisioningState: state }, 'Mend the fleet first: see its lastOperationError.');
  }
  return true;
}

interface Sequence {
  stages: { name: string; groups: string[]; hasWait: boolean }[];
}

/** undefined for members one by one, and for a strategy that is not there. */
async function sequenceOf(
  client: FleetClient,
  context: OperationContext<CreateRunInput>,
  say: Say,
): Promise<Sequence | undefined> {
  const { input, references } = context;
  if (input.stages !== undefined) {
    return {
      stages: input.stages.map((stage) => ({
        name: stage.name,
        groups: stage.groups.map((group) => group.name),
        hasWait: (stage.afterStageWaitSeconds ?? 0) > 0,
      })),
    };
  }
  const id = strategyIdOf(input, references);
  if (id === undefined) return undefined;
  const reading = await client.get(id, context);
  if (reading.state === 'missing') {
    say('STRATEGY_NOT_FOUND', 'error', { strategy: id.toString() });
    return undefined;
  }
  return {
    stages: describeStages(rawObject(reading.body, 'properties') ?? {}).map((stage) => ({
      name: stage.name ?? '',
      groups: stage.groups.flatMap((group) => group.name ?? []),
      hasWait: (stage.afterStageWaitSeconds ?? 0) > 0,
    })),
  };
}

/** @returns whether the run is there, whatever it is: nothing else is to be checked then. */
async function judgeExisting(
  client: FleetClient,
  context: OperationContext<CreateRunInput>,
  say: Say,
): Promise<boolean> {
  const { input, references } = context;
  const id = newRunId(input, references);
  const reading = await client.get(id, context);
  if (reading.state === 'missing') return false;
  const { state } = updateRunOf(reading.body);
  if (isAsWanted(reading.body, input, strategyIdOf(input, references))) {
    say('RUN_EXISTS', 'info', { updateRun: id.toString(), state });
  } else {
    say('RUN_NAME_TAKEN', 'error', { updateRun: id.toString(), state }, 'Use another name, or delete that run first.');
  }
  return true;
}

async function fleetMembers(
  client: FleetClient,
  fleet: ArmId,
  context: OperationContext<CreateRunInput>,
  say: Say,
): Promise<RunMember[]> {
  const members: RunMember[] = [];
  const arc: string[] = [];
  for await (const page of client.listMembers(fleet, context)) {
    for (const body of page.items) {
      const { name } = armIdOf(body);
      const cluster = clusterOfMember(body);
      if (cluster?.canonicalType === 'microsoft.kubernetes/connectedclusters') arc.push(name);
      else if (cluster !== undefined) members.push({ name, group: rawText(body, 'properties', 'group'), cluster });
    }
  }
  if (arc.length > 0) say('ARC_MEMBERS_LEFT_OUT', 'info', named(arc));
  if (members.length === 0) {
    say('FLEET_WITHOUT_MEMBERS', 'error', { fleet: fleet.toString() }, 'Let clusters join first (fleet.member.join).');
  }
  return members;
}

/** The members that are in the sequence. */
function judgeSequence(members: readonly RunMember[], sequence: Sequence | undefined, say: Say): RunMember[] {
  if (sequence === undefined || members.length === 0) return [...members];
  const groups = new Set(sequence.stages.flatMap((stage) => stage.groups));
  for (const group of groups) {
    if (members.some((member) => member.group === group)) continue;
    const present = [...new Set(members.flatMap((member) => member.group ?? []))].slice(0, MOST_NAMED);
    const remedy = `Put a member into the group (fleet.member.join with the group), or leave it out of the sequence.`;
    say('GROUP_WITHOUT_MEMBERS', 'error', { group, groupsWithMembers: present }, remedy);
  }
  const chosen = members.filter((member) => groups.has(member.group ?? ''));
  const outside = members.filter((member) => !chosen.includes(member)).map((member) => member.name);
  if (outside.length > 0 && chosen.length > 0) say('MEMBERS_NOT_IN_SEQUENCE', 'warning', named(outside));
  return chosen;
}

/** The names of the members that are skipped from the beginning. */
function judgeSkips(
  members: readonly RunMember[],
  sequence: Sequence | undefined,
  { skip = [] }: CreateRunInput,
  say: Say,
): ReadonlySet<string> {
  const skipped = new Set<string>();
  for (const { type, name } of skip) {
    const stage = sequence?.stages.find((each) => each.name === name);
    const hit = members.filter((member) => {
      if (type === 'Member') return member.name === name;
      if (type === 'Group') return sequence !== undefined && member.group === name;
      return type === 'Stage' && stage?.groups.includes(member.group ?? '') === true;
    });
    for (const member of hit) skipped.add(member.name);
    const isThere = type === 'AfterStageWait' ? stage?.hasWait === true : hit.length > 0;
    if (!isThere) say('SKIP_TARGET_NOT_FOUND', 'error', { type, name });
  }
  return skipped;
}

async function judgeOtherRuns(
  client: FleetClient,
  own: ArmId,
  members: readonly RunMember[],
  context: OperationContext<CreateRunInput>,
  say: Say,
): Promise<void> {
  const names = new Set(members.map((member) => member.name));
  for await (const page of client.listChildren(fleetOf(context.references), FLEET_UPDATE_RUN_TYPE, context)) {
    for (const body of page.items) {
      const run = updateRunOf(body);
      const id = armIdOf(body);
      if (!ACTIVE_STATES.has(run.state) || id.equals(own)) continue;
      const shared = run.stages.flatMap(membersIn).flatMap(({ name }) => (names.has(name ?? '') ? [name ?? ''] : []));
      if (shared.length === 0) continue;
      const remedy = 'Wait for its end, or stop it (fleet.updateRun.stop).';
      say('MEMBERS_IN_OTHER_RUN', 'warning', { updateRun: id.toString(), ...named(shared) }, remedy);
    }
  }
}

async function judgeClusters(
  client: FleetClient,
  members: readonly RunMember[],
  context: OperationContext<CreateRunInput>,
  say: Say,
): Promise<void> {
  const clusters = await indexedClusters(client, members, context, say);
  if (clusters === undefined) return;
  const present = members.flatMap((member) => {
    const body = clusters.get(member.cluster.canonical);
    return body === undefined ? [] : [{ ...member, properties: rawObject(body, 'properties') ?? {}, body }];
  });
  const those = (fits: (properties: JsonObject) => boolean) => present.filter(({ properties }) => fits(properties));
  const phaseOf = (properties: JsonObject) => provisioningPhase(rawText(properties, 'provisioningState'));
  const failed = those((properties) => phaseOf(properties) === 'failed');
  if (failed.length > 0) say('CLUSTER_NOT_READY', 'warning', named(failed.map(({ name }) => name)));
  const busy = those((properties) => phaseOf(properties) === 'moving');
  if (busy.length > 0) say('CLUSTER_BUSY', 'warning', named(busy.map(({ name }) => name)));
  const automatic = those((properties) => {
    const channel = rawText(properties, 'autoUpgradeProfile', 'upgradeChannel')?.toLowerCase();
    return channel !== undefined && channel !== 'none';
  });
  if (automatic.length > 0) {
    const remedy = 'Set the upgrade channel of these clusters to none, so that Fleet Manager alone upgrades them.';
    say('AUTO_UPGRADE_ON', 'warning', named(automatic.map(({ name }) => name)), remedy);
  }
  await judgeDoubtful(
    client,
    members,
    new Map(present.map((member) => [member.name, member.properties])),
    context,
    say,
  );
  const version = context.input.upgrade.kubernetesVersion;
  if (version !== undefined) await judgeVersion(client, present, version, context, say);
}

/** What would block the operation is read from Azure itself: the index lags. */
async function judgeDoubtful(
  client: FleetClient,
  members: readonly RunMember[],
  indexed: ReadonlyMap<string, JsonObject>,
  context: OperationContext<CreateRunInput>,
  say: Say,
): Promise<void> {
  const doubtful = members.filter((member) => {
    const properties = indexed.get(member.name);
    return properties === undefined || isStopped(properties);
  });
  for (const member of doubtful.slice(0, MOST_PROFILES)) {
    const reading = await client.getCluster(member.cluster, context);
    const evidence = { member: member.name, cluster: member.cluster.toString() };
    if (reading.state === 'missing') {
      say('CLUSTER_NOT_FOUND', 'error', evidence, 'Let the member leave the fleet (fleet.member.leave), or skip it.');
    } else if (isStopped(rawObject(reading.body, 'properties') ?? {})) {
      const remedy = `Start the cluster, or leave it out: skip [{type: Member, name: ${member.name}}].`;
      say('CLUSTER_STOPPED', 'error', evidence, remedy);
    }
  }
}

function isStopped(properties: JsonObject): boolean {
  return rawText(properties, 'powerState', 'code')?.toLowerCase() === 'stopped';
}

interface PresentMember extends RunMember {
  properties: JsonObject;
  body: JsonObject;
}

async function judgeVersion(
  client: FleetClient,
  members: readonly PresentMember[],
  version: string,
  context: OperationContext<CreateRunInput>,
  say: Say,
): Promise<void> {
  const sets = new Map<string, PresentMember[]>();
  for (const member of members) {
    const present = rawText(member.properties, 'currentKubernetesVersion') ?? '';
    const key = `${canonicalLocation(rawText(member.body, 'location') ?? '')}/${present}`;
    sets.set(key, [...(sets.get(key) ?? []), member]);
  }
  const [refused, unread, atVersion]: [string[], string[], string[]] = [[], [], []];
  const common: string[][] = [];
  for (const alike of [...sets.values()].slice(0, MOST_PROFILES)) {
    const names = alike.map((member) => member.name);
    const offer = await offerOf(client, alike[0]?.cluster, context);
    if (offer === undefined) {
      unread.push(...names);
      continue;
    }
    common.push([offer.present, ...offer.upgrades]);
    if (offer.present === version) atVersion.push(...names);
    else if (!offer.upgrades.includes(version)) refused.push(...names);
  }
  if (refused.length > 0) {
    const offered = common.reduce((left, right) => left.filter((each) => right.includes(each)), common[0] ?? []);
    const remedy =
      offered.length === 0
        ? 'The members have no version in common: update them in runs of their own, the oldest first.'
        : `Choose a version that every member can go to: ${offered.join(', ')}.`;
    say('VERSION_NOT_OFFERED', 'error', { version, offeredToAll: offered, ...named(refused) }, remedy);
  }
  if (unread.length > 0) say('VERSION_OFFER_UNREAD', 'info', named(unread));
  if (atVersion.length > 0) say('MEMBERS_AT_VERSION', 'info', { version, ...named(atVersion) });
}

/** What one cluster can be upgraded to; undefined where Azure does not tell. */
async function offerOf(
  client: FleetClient,
  cluster: ArmId | undefined,
  context: OperationContext<CreateRunInput>,
): Promise<{ present: string; upgrades: string[] } | undefined> {
  if (cluster === undefined) return undefined;
  const reading = await tolerantly(() => client.getUpgradeProfile(cluster, context));
  if (reading?.state !== 'found') return undefined;
  const plane = rawObject(reading.body, 'properties', 'controlPlaneProfile');
  const present = rawText(plane, 'kubernetesVersion');
  if (present === null) return undefined;
  return {
    present,
    upgrades: rawObjects(plane, 'upgrades').flatMap((each) => rawText(each, 'kubernetesVersion') ?? []),
  };
}

/** By canonical id; undefined where the index could not be asked. */
async function indexedClusters(
  client: FleetClient,
  members: readonly RunMember[],
  context: OperationContext<CreateRunInput>,
  say: Say,
): Promise<ReadonlyMap<string, JsonObject> | undefined> {
  const clusters = new Map<string, JsonObject>();
  const subscriptions = new Set(members.flatMap((member) => member.cluster.subscriptionId?.toLowerCase() ?? []));
  try {
    for (const subscriptionId of subscriptions) {
      for await (const page of client.discoverClusters(subscriptionId, context)) {
        for (const row of page.rows) clusters.set(armIdOf(row).canonical, row);
      }
    }
    return clusters;
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    say('CLUSTERS_UNREAD', 'info', { code: error.externalCode ?? error.code });
    return undefined;
  }
}

/** Whether a window is open when the run comes to its member cannot be known: that there is one can. */
async function judgeWindows(
  client: FleetClient,
  members: readonly RunMember[],
  context: OperationContext<CreateRunInput>,
  say: Say,
): Promise<void> {
  const wanted =
    context.input.upgrade.type === 'NodeImageOnly'
      ? 'aksmanagednodeosupgradeschedule'
      : 'aksmanagedautoupgradeschedule';
  const windows: JsonObject[] = [];
  for (const member of members.slice(0, MOST_WINDOWS)) {
    const found = await tolerantly(async () => {
      for await (const page of client.listMaintenance(member.cluster, context)) {
        const match = page.items.find((body) => rawText(body, 'name')?.toLowerCase() === wanted);
        if (match !== undefined) return rawObject(match, 'properties', 'maintenanceWindow');
      }
      return null;
    });
    if (found !== undefined && found !== null) windows.push({ member: member.name, window: found });
  }
  if (windows.length > 0) {
    const remedy = 'A member that waits too long can be skipped (fleet.updateRun.skip).';
    say('MAINTENANCE_WINDOWS', 'info', { windows }, remedy);
  }
}

/** What is only good to know is left out where it cannot be read. */
async function tolerantly<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ControlError) return undefined;
    throw error;
  }
}

function named(members: readonly string[]): JsonObject {
  return { count: members.length, members: members.slice(0, MOST_NAMED) };
}
