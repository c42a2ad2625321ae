import { z } from 'zod';
import { type ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { memberObject } from '#libs/azure/raw-change.js';
import { armIdOf } from '../contract/arm-observation.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawObject, rawText, rawTextRecord } from '../contract/raw-reader.js';
import { judgeRemoval, verifyRemoval } from '../contract/removal.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import {
  FLEET_NAME_PATTERN,
  LONGEST_MEMBER_NAME,
  defaultMemberName,
  distinctMemberName,
} from './default-member-name.js';
import type { FleetClient } from './fleet.client.js';
import { clusterOfMember, membershipCandidates } from './fleet-membership.js';
import {
  FLEET_MEMBER_TYPE,
  FLEET_TYPE,
  CONNECTED_CLUSTER_TYPE,
  MANAGED_CLUSTER_TYPE,
  fleetMemberKind,
  observeFleetMember,
} from './fleet.kinds.js';
import { labelKey, labelValue } from './kubernetes-name.js';

/** What Fleet Manager allows. */
const MOST_MEMBERS = 1000;
const NAME_RULE = 'must be lower-case letters, digits and hyphens, with no hyphen at either end';

const joinInput = z.strictObject({
  fleet: resourceReference('The fleet to join'),
  cluster: resourceReference('The AKS cluster or connected cluster that joins'),
  name: z
    .string()
    .max(LONGEST_MEMBER_NAME)
    .regex(FLEET_NAME_PATTERN, NAME_RULE)
    .optional()
    .describe(
      'The name of the member: 1 to 50 lower-case letters, digits and hyphens; `{cluster}-{resource group}` where absent.',
    ),
  group: z
    .string()
    .max(LONGEST_MEMBER_NAME)
    .regex(FLEET_NAME_PATTERN, NAME_RULE)
    .optional()
    .describe('The update group of the member.'),
  labels: z.record(labelKey, labelValue).optional().describe('The labels by which placements choose members.'),
});
type JoinInput = z.output<typeof joinInput>;

const joinFindings = {
  FLEET_NOT_FOUND: 'Azure does not know the fleet.',
  FLEET_NOT_READY: 'The fleet is not in a state in which clusters can join.',
  FLEET_BUSY: 'Another operation runs on the fleet.',
  FLEET_FULL: 'The fleet has as many members as Azure allows.',
  FLEET_HUBLESS: 'The fleet has no hub: members can be updated, but no workload can be placed on them.',
  CLUSTER_NOT_FOUND: 'Azure does not know the cluster.',
  CLUSTER_NOT_READY: 'The last operation on the cluster has failed: it has to be mended before it can join.',
  CLUSTER_STOPPED: 'The cluster is stopped; it has to be started before it can join.',
  CLUSTER_BUSY: 'Another operation runs on the cluster; the joining waits until it has ended.',
  CLUSTER_NOT_CONNECTED: 'The agents of the cluster are not connected to Azure: nobody could bring the fleet there.',
  CLUSTER_IS_HUB: 'The cluster is the hub of a fleet and cannot be a member of one.',
  CLUSTER_ALREADY_MEMBER: 'The cluster is a member of a fleet already; it can be in one only.',
  CLUSTER_IN_OTHER_TENANT: 'The cluster and the fleet belong to different tenants.',
  MEMBERSHIP_UNKNOWN: 'It could not be read whether the cluster is a member of another fleet.',
  MEMBER_EXISTS: 'The cluster is this member of the fleet already.',
  MEMBER_NAME_TAKEN: 'Another cluster is a member of this name.',
  POD_NETWORK_NOT_ROUTABLE:
    'The pods of the cluster cannot be reached from other clusters (kubenet or overlay network): multi-cluster services will not work with it.',
} as const satisfies Record<string, string>;
type JoinFindingCode = keyof typeof joinFindings;

export function joinFleet(client: FleetClient): OperationDefinition<typeof joinInput> {
  return {
    type: 'fleet.member.join',
    title: 'Join a cluster to a fleet',
    description:
      'Makes an AKS cluster, or a cluster of Azure Arc, a member of a fleet, or gives the member that it is another group or other labels.',
    permission: 'fleets/members/write',
    input: joinInput,
    references: { fleet: ['Fleet'], cluster: ['ManagedCluster', 'ConnectedCluster'] },
    timeoutSeconds: 3600,
    findings: joinFindings,
    target(input, references) {
      return {
        id: newMemberId(input, references).toString(),
        kind: fleetMemberKind.name,
        // Not the member: two fleets must not take the same cluster at the same time.
        lock: clusterIdOf(references).canonical,
      };
    },
    preflight: (context) => preflightJoin(client, context),
    steps: [
      {
        name: 'join',
        description: 'Asks Fleet Manager for the member and waits until the cluster has joined.',
        run: (context) => runJoin(client, context),
      },
    ],
    verify: (context) => verifyJoin(client, context),
  };
}

async function preflightJoin(client: FleetClient, context: OperationContext<JoinInput>): Promise<Finding[]> {
  const fleetId = referencedArmId(context.references, 'fleet', FLEET_TYPE);
  const clusterId = clusterIdOf(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(joinFindings, findings);
  const [fleet, cluster] = await Promise.all([
    client.getFleet(fleetId, context),
    client.getCluster(clusterId, context),
  ]);
  judgeFleet(fleet, fleetId, say);
  judgeCluster(cluster, clusterId, say);
  if (fleet.state === 'missing' || cluster.state === 'missing') return findings;
  await judgeTenants(client, fleetId, clusterId, context, say);
  await judgeMembers(client, fleetId, clusterId, context, say);
  return findings;
}

function judgeFleet(fleet: ArmReading, id: ArmId, say: FindingReporter<JoinFindingCode>): void {
  if (fleet.state === 'missing') {
    say('FLEET_NOT_FOUND', 'error', { fleet: id.toString() });
    return;
  }
  const state = rawText(fleet.body, 'properties', 'provisioningState');
  const phase = provisioningPhase(state);
  if (phase === 'failed' || state?.toLowerCase() === 'deleting') {
    say('FLEET_NOT_READY', 'error', { provisioningState: state }, 'Mend the fleet first: see its lastOperationError.');
  } else if (phase === 'moving') {
    say('FLEET_BUSY', 'warning', { provisioningState: state });
  }
  if (rawObject(fleet.body, 'properties', 'hubProfile') === null)
    say('FLEET_HUBLESS', 'info', { fleet: id.toString() });
}

function judgeCluster(cluster: ArmReading, id: ArmId, say: FindingReporter<JoinFindingCode>): void {
  if (cluster.state === 'missing') {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: id.toString() });
    return;
  }
  const properties = rawObject(cluster.body, 'properties') ?? {};
  const state = rawText(properties, 'provisioningState');
  const phase = provisioningPhase(state);
  if (id.canonicalType === CONNECTED_CLUSTER_TYPE.toLowerCase()) judgeConnected(properties, say);
  const nodeGroup = rawText(properties, 'nodeResourceGroup');
  if (/^MC_FL_/i.test(nodeGroup ?? '')) say('CLUSTER_IS_HUB', 'error', { nodeResourceGroup: nodeGroup });
  if (rawText(properties, 'powerState', 'code') === 'Stopped') {
    say('CLUSTER_STOPPED', 'error', { powerState: 'Stopped' }, 'Start the cluster first.');
  }
  if (phase === 'failed') {
    say('CLUSTER_NOT_READY', 'error', { provisioningState: state }, 'Bring the cluster back to Succeeded first.');
  } else if (phase === 'moving') {
    say('CLUSTER_BUSY', 'warning', { provisioningState: state });
  }
  const networkPlugin = rawText(properties, 'networkProfile', 'networkPlugin');
  const networkPluginMode = rawText(properties, 'networkProfile', 'networkPluginMode');
  if (networkPlugin !== null && (networkPlugin !== 'azure' || networkPluginMode?.toLowerCase() === 'overlay')) {
    const remedy = 'Use clusters with Azure CNI on one network, or on peered ones, where services shall span clusters.';
    say('POD_NETWORK_NOT_ROUTABLE', 'warning', { networkPlugin, networkPluginMode }, remedy);
  }
}

/** A cluster of Azure Arc: its agents bring the fleet there, and its pods are in no network of Azure. */
function judgeConnected(properties: JsonObject, say: FindingReporter<JoinFindingCode>): void {
  const connectivityStatus = rawText(properties, 'connectivityStatus');
  if (connectivityStatus?.toLowerCase() !== 'connected') {
    const remedy = 'See that the agents run and reach Azure (namespace azure-arc).';
    say('CLUSTER_NOT_CONNECTED', 'error', { connectivityStatus }, remedy);
  }
  say('POD_NETWORK_NOT_ROUTABLE', 'warning', { infrastructure: rawText(properties, 'infrastructure') });
}

async function judgeTenants(
  client: FleetClient,
  fleet: ArmId,
  cluster: ArmId,
  context: OperationContext<JoinInput>,
  say: FindingReporter<JoinFindingCode>,
): Promise<void> {
  const [fleetSubscription, clusterSubscription] = [subscriptionOf(fleet), subscriptionOf(cluster)];
  if (fleetSubscription === clusterSubscription) return;
  const tenants = await client.tenants(context);
  const [fleetTenant, clusterTenant] = [tenants.get(fleetSubscription), tenants.get(clusterSubscription)];
  if (typeof fleetTenant === 'string' && typeof clusterTenant === 'string' && fleetTenant !== clusterTenant) {
    say('CLUSTER_IN_OTHER_TENANT', 'error', { fleet: fleetTenant, cluster: clusterTenant });
  }
}

async function judgeMembers(
  client: FleetClient,
  fleet: ArmId,
  cluster: ArmId,
  context: OperationContext<JoinInput>,
  say: FindingReporter<JoinFindingCode>,
): Promise<void> {
  const wanted = newMemberId(context.input, context.references);
  let count = 0;
  let mine: ArmId | undefined;
  let nameTakenBy: string | undefined;
  for await (const page of client.listMembers(fleet, context)) {
    for (const body of page.items) {
      count += 1;
      const id = armIdOf(body);
      const isCluster = clusterOfMember(body)?.equals(cluster) === true;
      if (isCluster) mine = id;
      if (id.equals(wanted) && !isCluster) nameTakenBy = rawText(body, 'properties', 'clusterResourceId') ?? 'unknown';
    }
  }
  if (nameTakenBy !== undefined) {
    const remedy = `Give a name, for example "${distinctMemberName(cluster)}".`;
    say('MEMBER_NAME_TAKEN', 'error', { name: wanted.name, cluster: nameTakenBy }, remedy);
  }
  if (mine?.equals(wanted) === true) {
    say('MEMBER_EXISTS', 'info', { member: mine.toString() });
    return;
  }
  if (mine !== undefined) {
    say(
      'CLUSTER_ALREADY_MEMBER',
      'error',
      { member: mine.toString() },
      `It is the member "${mine.name}" of this fleet.`,
    );
    return;
  }
  if (count >= MOST_MEMBERS) say('FLEET_FULL', 'error', { members: count, limit: MOST_MEMBERS });
  await judgeMembershipElsewhere(client, fleet, cluster, context, say);
}

async function judgeMembershipElsewhere(
  client: FleetClient,
  fleet: ArmId,
  cluster: ArmId,
  context: OperationContext<JoinInput>,
  say: FindingReporter<JoinFindingCode>,
): Promise<void> {
  try {
    const concerned = [...new Set([subscriptionOf(fleet), subscriptionOf(cluster)])];
    for (const candidate of await membershipCandidates(client, cluster, concerned, context)) {
      if (candidate.parent?.equals(fleet) === true) continue;
      // The index lags: what it lists may be gone, and only the member itself knows.
      const member = await client.getMember(candidate, context);
      if (member.state === 'missing' || clusterOfMember(member.body)?.equals(cluster) !== true) continue;
      const remedy = 'Let it leave the other fleet first (fleet.member.leave).';
      say('CLUSTER_ALREADY_MEMBER', 'error', { member: candidate.toString() }, remedy);
    }
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    // Azure itself refuses a second membership: not knowing is no reason to stop.
    say('MEMBERSHIP_UNKNOWN', 'warning', { code: error.code });
  }
}

function runJoin(client: FleetClient, context: StepContext<JoinInput>): Promise<StepOutcome> {
  const { input } = context;
  const id = newMemberId(input, context.references);
  const cluster = clusterIdOf(context.references);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `The cluster ${cluster.name} is joining the fleet.`,
      read: () => client.getMember(id, context),
      judge: (reading) => judgeJoin(client, context, reading),
      write: (reading) =>
        reading.state === 'missing'
          ? client.createMember(id, { properties: memberProperties(input, cluster) }, context)
          : client.changeMember(
              id,
              reading,
              (body) => Object.assign(memberObject(body, 'properties'), memberProperties(input, cluster)),
              context,
            ),
    },
    context,
  );
}

async function judgeJoin(
  client: FleetClient,
  context: StepContext<JoinInput>,
  reading: ArmReading,
): Promise<DesiredStateVerdict> {
  const cluster = clusterIdOf(context.references);
  if (reading.state === 'missing') {
    const busy = await clusterChange(client, cluster, context);
    return busy === undefined ? { verdict: 'different' } : { verdict: 'busy', message: busy };
  }
  const name = newMemberId(context.input, context.references).name;
  if (clusterOfMember(reading.body)?.equals(cluster) !== true) {
    throw new ControlError('CONFLICT', `The member ${name} is another cluster.`, {
      remedy: `Give a name, for example "${distinctMemberName(cluster)}".`,
    });
  }
  const state = rawText(reading.body, 'properties', 'provisioningState');
  const asWanted = isAsWanted(reading.body, context.input);
  switch (provisioningPhase(state)) {
    case 'succeeded':
    case 'unknown':
      return asWanted
        ? { verdict: 'reached', message: `The cluster has joined as ${name}.` }
        : { verdict: 'different' };
    case 'moving':
      return asWanted && state?.toLowerCase() !== 'leaving'
        ? { verdict: 'underway', message: `The member ${name} is ${state}.` }
        : { verdict: 'busy', message: `The member ${name} is being changed by someone else (${state}).` };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failedOperationError(`Joining ${name}`, reading.body) };
  }
}

/** What is going on in the cluster, in words; undefined when it is at rest. */
async function clusterChange(
  client: FleetClient,
  id: ArmId,
  context: StepContext<JoinInput>,
): Promise<string | undefined> {
  const reading = await client.getCluster(id, context);
  if (reading.state === 'missing')
    throw new ControlError('AZURE_NOT_FOUND', `The cluster ${id.name} is not there any more.`);
  const state = rawText(reading.body, 'properties', 'provisioningState');
  return provisioningPhase(state) === 'moving'
    ? `Another operation runs on the cluster ${id.name} (${state}).`
    : undefined;
}

async function verifyJoin(client: FleetClient, context: OperationContext<JoinInput>): Promise<Verification> {
  const id = newMemberId(context.input, context.references);
  const cluster = clusterIdOf(context.references);
  const reading = await client.getMember(id, context);
  if (reading.state === 'missing') return { verdict: 'missed', message: `The member ${id.name} is not there.` };
  const state = rawText(reading.body, 'properties', 'provisioningState');
  const phase = provisioningPhase(state);
  if (phase === 'moving') {
    const message = `The member ${id.name} is ${state}.`;
    return { verdict: 'pending', message, retryAfterSeconds: client.arm.pollIntervalSeconds };
  }
  const isWanted = clusterOfMember(reading.body)?.equals(cluster) === true && isAsWanted(reading.body, context.input);
  if (phase !== 'succeeded' || !isWanted) {
    return {
      verdict: 'missed',
      message: `The member ${id.name} is ${state ?? 'in no known state'}, or not as it was asked for.`,
    };
  }
  const member = observeFleetMember(reading.body, { observedAt: reading.observedAt, source: 'OPERATION' });
  return {
    verdict: 'reached',
    result: { member: member.id, uid: id.uid, name: id.name, cluster: cluster.toString() },
    observations: [member],
    absent: [],
    // The agents of Fleet have brought its types to the cluster.
    opened: [cluster.uid],
  };
}

/** What was not asked for is left as it is. */
function isAsWanted(body: JsonObject, input: JoinInput): boolean {
  const properties = rawObject(body, 'properties') ?? {};
  if (input.group !== undefined && rawText(properties, 'group') !== input.group) return false;
  if (input.labels === undefined) return true;
  const [wanted, present] = [Object.entries(input.labels), rawTextRecord(properties, 'labels')];
  return wanted.length === Object.keys(present).length && wanted.every(([key, value]) => present[key] === value);
}

function memberProperties(input: JoinInput, cluster: ArmId): JsonObject {
  return {
    clusterResourceId: cluster.toString(),
    ...(input.group === undefined ? {} : { group: input.group }),
    ...(input.labels === undefined ? {} : { labels: { ...input.labels } }),
  };
}

function newMemberId(input: JoinInput, references: Readonly<Record<string, ResourceTarget>>): ArmId {
  const fleet = referencedArmId(references, 'fleet', FLEET_TYPE);
  return fleet.child('members', input.name ?? defaultMemberName(clusterIdOf(references)));
}

function clusterIdOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  const connected = references.cluster?.kind === 'ConnectedCluster';
  return referencedArmId(references, 'cluster', connected ? CONNECTED_CLUSTER_TYPE : MANAGED_CLUSTER_TYPE);
}

function subscriptionOf(id: ArmId): string {
  if (id.subscriptionId !== undefined) return id.subscriptionId.toLowerCase();
  throw new ControlError('INVALID_REQUEST', `The id has no subscription: ${id.toString()}`);
}

const leaveInput = z.strictObject({ member: resourceReference('The fleet member that leaves') });
type LeaveInput = z.output<typeof leaveInput>;

const leaveFindings = {
  MEMBER_NOT_FOUND: 'The member is gone already.',
  MEMBER_BUSY: 'Another operation runs on the member; the leaving waits until it has ended.',
} as const satisfies Record<string, string>;

export function leaveFleet(client: FleetClient): OperationDefinition<typeof leaveInput> {
  return {
    type: 'fleet.member.leave',
    title: 'Let a cluster leave its fleet',
    description:
      'Ends the membership of a cluster in a fleet. The cluster stays; what placements have put on it is dealt with as they say.',
    permission: 'fleets/members/delete',
    input: leaveInput,
    references: { member: [fleetMemberKind.name] },
    timeoutSeconds: 3600,
    findings: leaveFindings,
    target(_input, references) {
      const id = memberIdOf(references);
      return { id: id.toString(), kind: fleetMemberKind.name, lock: id.canonical };
    },
    async preflight(context) {
      const id = memberIdOf(context.references);
      const findings: Finding[] = [];
      const say = findingReporter(leaveFindings, findings);
      const reading = await client.getMember(id, context);
      const state = reading.state === 'found' ? rawText(reading.body, 'properties', 'provisioningState') : null;
      if (reading.state === 'missing') say('MEMBER_NOT_FOUND', 'info', { member: id.toString() });
      else if (provisioningPhase(state) === 'moving') say('MEMBER_BUSY', 'warning', { provisioningState: state });
      return findings;
    },
    steps: [
      {
        name: 'leave',
        description: 'Asks Fleet Manager to remove the member and waits until it is gone.',
        run: (context) => runLeave(client, context),
      },
    ],
    async verify(context) {
      const id = memberIdOf(context.references);
      const reading = await client.getMember(id, context);
      return verifyRemoval(`The member ${id.name}`, reading, context.target, client.arm.pollIntervalSeconds);
    },
  };
}

function runLeave(client: FleetClient, context: StepContext<LeaveInput>): Promise<StepOutcome> {
  const id = memberIdOf(context.references);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `The member ${id.name} is leaving the fleet.`,
      read: () => client.getMember(id, context),
      judge: (reading) => judgeRemoval(`The member ${id.name}`, reading, failedOperationError),
      write: () => client.deleteMember(id, context),
    },
    context,
  );
}

function memberIdOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'member', FLEET_MEMBER_TYPE);
}
