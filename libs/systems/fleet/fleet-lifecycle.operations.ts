import { z } from 'zod';
import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError, saysAbsent } from '#libs/azure/arm-error.classifier.js';
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
import { registerProvider, registrationRemedy } from '../contract/provider-registration.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawObject, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import { judgeRemoval, verifyRemoval } from '../contract/removal.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { FLEET_NAME_PATTERN, LONGEST_FLEET_NAME } from './default-member-name.js';
import { fleetChildOf } from './fleet-child-types.js';
import type { FleetClient } from './fleet.client.js';
import { FLEET_TYPE, fleetKind, observeFleet } from './fleet.kinds.js';

/** The hub runs on one machine of the D4s family, or of one like it. */
const CORES_OF_HUB = 4;
const LONGEST_DNS_PREFIX = 54;
/** How many members are asked to leave in one run of the step: the throttle budget is for everybody. */
const LEAVING_AT_ONCE = 10;

const createInput = z.strictObject({
  subscriptionId: z
    .string()
    .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, 'must be a uuid')
    .describe('The subscription to create the fleet in.'),
  resourceGroup: z
    .string()
    .max(90)
    .regex(/^[\p{L}\p{N}_().-]*[\p{L}\p{N}_()-]$/u, 'must be a name that Azure allows for resource groups')
    .describe('The resource group to create the fleet in; it must exist.'),
  name: z
    .string()
    .max(LONGEST_FLEET_NAME)
    .regex(FLEET_NAME_PATTERN, 'must be lower-case letters, digits and hyphens, with no hyphen at either end')
    .describe('The name of the fleet: 1 to 63 lower-case letters, digits and hyphens.'),
  location: z
    .string()
    .max(60)
    .regex(/^[A-Za-z][A-Za-z0-9 ]*$/, 'must be the name of an Azure region')
    .describe('The Azure region, such as `eastus`.'),
  hub: z
    .boolean()
    .default(true)
    .describe('Whether the fleet gets a hub, which workloads are placed through. A hub cannot be taken away again.'),
  dnsPrefix: z
    .string()
    .max(LONGEST_DNS_PREFIX)
    .regex(/^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$/, 'must be letters, digits and hyphens')
    .optional()
    .describe('The first part of the host name of the hub; the name of the fleet where absent.'),
  hubVmSize: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9_]+$/, 'must be the name of a machine size')
    .optional()
    .describe('The size of the machine of the hub; chosen by Azure where absent.'),
  tags: z
    .record(
      z
        .string()
        .min(1)
        .max(512)
        .regex(/^[^<>%&\\?/]+$/, 'must not hold any of < > % & \\ ? /'),
      z.string().max(256),
    )
    .optional()
    .describe('The Azure tags of the fleet.'),
});
type CreateInput = z.output<typeof createInput>;

const createFindings = {
  SUBSCRIPTION_NOT_FOUND: 'The subscription does not exist, or the identity of Pilothouse cannot see it.',
  PROVIDER_NOT_REGISTERED: 'The resource provider Microsoft.ContainerService is not registered in the subscription.',
  LOCATION_NOT_SUPPORTED: 'Fleets are not offered in this region.',
  API_VERSION_RETIRED: 'Azure no longer offers the API version that Pilothouse speaks for fleets.',
  RESOURCE_GROUP_NOT_FOUND: 'The resource group does not exist.',
  FLEET_EXISTS_DIFFERENT: 'A fleet of this name exists and is not what was asked for.',
  FLEET_EXISTS: 'The fleet exists already as it was asked for.',
  HUB_OPTIONS_WITHOUT_HUB: 'Options of the hub were given for a fleet without a hub.',
  REGIONAL_CORES_SHORT: 'The regional quota has fewer free cores than the hub needs.',
  REGIONAL_CORES_UNKNOWN: 'The regional quota could not be read.',
} as const satisfies Record<string, string>;

export function createFleet(client: FleetClient): OperationDefinition<typeof createInput> {
  return {
    type: 'fleet.create',
    title: 'Create a fleet',
    description: 'Creates an Azure Kubernetes Fleet Manager, with a hub unless none is wanted.',
    permission: 'fleets/write',
    input: createInput,
    references: {},
    timeoutSeconds: 5400,
    findings: createFindings,
    target(input) {
      const id = newFleetId(input);
      return { id: id.toString(), kind: fleetKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightCreate(client, context),
    steps: [
      {
        name: 'create',
        description: 'Asks Fleet Manager for the fleet and waits until it is there.',
        run: (context) => runCreate(client, context),
      },
    ],
    verify: (context) => verifyCreate(client, context),
  };
}

async function preflightCreate(client: FleetClient, context: OperationContext<CreateInput>): Promise<Finding[]> {
  const { input } = context;
  const id = newFleetId(input);
  const location = canonicalLocation(input.location);
  const findings: Finding[] = [];
  const say = findingReporter(createFindings, findings);

  if (!input.hub && (input.dnsPrefix !== undefined || input.hubVmSize !== undefined)) {
    say('HUB_OPTIONS_WITHOUT_HUB', 'error', { hub: false }, 'Leave dnsPrefix and hubVmSize out, or ask for a hub.');
  }
  let provider: ArmReading;
  try {
    provider = await client.getProvider(input.subscriptionId, context);
  } catch (error) {
    if (!(error instanceof ControlError) || error.externalCode !== 'SubscriptionNotFound') throw error;
    say('SUBSCRIPTION_NOT_FOUND', 'error', { subscriptionId: input.subscriptionId }, error.remedy);
    return findings;
  }
  judgeProvider(provider, input.subscriptionId, location, say);

  const group = await client.getResourceGroup(input.subscriptionId, input.resourceGroup, context);
  if (group.state === 'missing') {
    say(
      'RESOURCE_GROUP_NOT_FOUND',
      'error',
      { resourceGroup: input.resourceGroup },
      'Create the resource group first.',
    );
    return findings;
  }
  const existing = await client.getFleet(id, context);
  if (existing.state === 'found') {
    const difference = differenceOf(existing.body, input);
    if (difference === undefined) say('FLEET_EXISTS', 'info', { id: id.toString() });
    else say('FLEET_EXISTS_DIFFERENT', 'error', difference, 'Use another name, or delete the fleet first.');
  } else if (input.hub) {
    const cores = await client.regionalCores(input.subscriptionId, location, context);
    if (cores.state === 'unknown') {
      say('REGIONAL_CORES_UNKNOWN', 'info', { location, code: cores.problem.externalCode ?? cores.problem.code });
    } else if (cores.limit - cores.used < CORES_OF_HUB) {
      const evidence = { location, used: cores.used, limit: cores.limit, needed: CORES_OF_HUB };
      say('REGIONAL_CORES_SHORT', 'warning', evidence, 'Ask for a higher quota in the region.');
    }
  }
  return findings;
}

type ProviderFinding = 'PROVIDER_NOT_REGISTERED' | 'LOCATION_NOT_SUPPORTED' | 'API_VERSION_RETIRED';

function judgeProvider(
  provider: ArmReading,
  subscriptionId: string,
  location: string,
  say: FindingReporter<ProviderFinding>,
): void {
  const manifest = provider.state === 'found' ? provider.body : {};
  const registration = rawText(manifest, 'registrationState');
  if (registration?.toLowerCase() !== 'registered') {
    const namespace = 'Microsoft.ContainerService';
    const operations = [registerProvider(subscriptionId, namespace)];
    const evidence = { registrationState: registration };
    say('PROVIDER_NOT_REGISTERED', 'error', evidence, registrationRemedy(namespace), operations);
    return;
  }
  const fleets = rawObjects(manifest, 'resourceTypes').find(
    (type) => rawText(type, 'resourceType')?.toLowerCase() === 'fleets',
  );
  const locations = rawTexts(fleets, 'locations').map(canonicalLocation);
  if (locations.length > 0 && !locations.includes(location)) {
    say('LOCATION_NOT_SUPPORTED', 'error', { location, supported: locations }, 'Choose one of the supported regions.');
  }
  const versions = rawTexts(fleets, 'apiVersions');
  const version = armApiVersion(FLEET_TYPE);
  if (versions.length > 0 && !versions.includes(version)) {
    say('API_VERSION_RETIRED', 'error', { apiVersion: version, supported: versions }, 'Update Pilothouse.');
  }
}

function runCreate(client: FleetClient, context: StepContext<CreateInput>): Promise<StepOutcome> {
  const { input } = context;
  const id = newFleetId(input);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is creating the fleet ${id.name}.`,
      read: () => client.getFleet(id, context),
      judge: (reading) => judgeCreate(id, input, reading),
      write: (reading) =>
        reading.state === 'missing'
          ? client.createFleet(id, fleetBody(input), context)
          : // An earlier attempt has failed: the same body again makes Azure go on with it.
            client.changeFleet(id, reading, (body) => laidOver(body, fleetBody(input)), context),
    },
    context,
  );
}

function judgeCreate(id: ArmId, input: CreateInput, reading: ArmReading): DesiredStateVerdict {
  if (reading.state === 'missing') return { verdict: 'different' };
  const difference = differenceOf(reading.body, input);
  if (difference !== undefined) {
    throw new ControlError('CONFLICT', `A fleet ${id.name} exists that is not what was asked for.`, {
      remedy: 'Use another name, or delete the fleet first.',
    });
  }
  const state = rawText(reading.body, 'properties', 'provisioningState');
  switch (provisioningPhase(state)) {
    case 'succeeded':
    case 'unknown':
      return { verdict: 'reached', message: `The fleet ${id.name} is there.` };
    case 'moving':
      return state?.toLowerCase() === 'deleting'
        ? { verdict: 'busy', message: `The fleet ${id.name} is being deleted.` }
        : { verdict: 'underway', message: `The fleet ${id.name} is ${state}.` };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failedOperationError(`Creating ${id.name}`, reading.body) };
  }
}

async function verifyCreate(client: FleetClient, context: OperationContext<CreateInput>): Promise<Verification> {
  const id = newFleetId(context.input);
  const reading = await client.getFleet(id, context);
  if (reading.state === 'missing') return { verdict: 'missed', message: `The fleet ${id.name} is not there.` };
  const verdict = judgeCreate(id, context.input, reading);
  switch (verdict.verdict) {
    case 'reached': {
      const fleet = observeFleet(reading.body, { observedAt: reading.observedAt, source: 'OPERATION' });
      const { hub } = fleetKind.describe(fleet.properties);
      return {
        verdict: 'reached',
        result: { fleet: fleet.id, uid: id.uid, hub: isJsonObject(hub) ? hub : null },
        observations: [fleet],
        absent: [],
      };
    }
    case 'underway':
    case 'busy':
      return { verdict: 'pending', message: verdict.message, retryAfterSeconds: client.arm.pollIntervalSeconds };
    case 'failed':
      return { verdict: 'missed', message: verdict.error.message };
    case 'different':
      return { verdict: 'missed', message: `The fleet ${id.name} is not as it was asked for.` };
  }
}

function newFleetId(input: CreateInput): ArmId {
  return ArmId.resourceGroup(input.subscriptionId, input.resourceGroup).resource(FLEET_TYPE, input.name);
}

/** What cannot be changed and is not as asked for, as evidence; undefined when there is no such difference. */
function differenceOf(body: JsonObject, input: CreateInput): JsonObject | undefined {
  const location = rawText(body, 'location');
  const hub = rawObject(body, 'properties', 'hubProfile') !== null;
  if (location !== null && canonicalLocation(location) !== canonicalLocation(input.location)) return { location };
  return hub === input.hub ? undefined : { hub };
}

function fleetBody(input: CreateInput): JsonObject {
  const body: JsonObject = { location: canonicalLocation(input.location), properties: {} };
  if (input.tags !== undefined) body.tags = { ...input.tags };
  if (input.hub) {
    const hubProfile: JsonObject = { dnsPrefix: input.dnsPrefix ?? defaultDnsPrefix(input.name) };
    if (input.hubVmSize !== undefined) hubProfile.agentProfile = { vmSize: input.hubVmSize };
    body.properties = { hubProfile };
  }
  return body;
}

function defaultDnsPrefix(fleetName: string): string {
  return fleetName.slice(0, LONGEST_DNS_PREFIX).replace(/-+$/, '');
}

/** Sets the members of `change` in `body`, object by object. */
function laidOver(body: JsonObject, change: JsonObject): void {
  for (const [name, value] of Object.entries(change)) {
    if (isJsonObject(value)) laidOver(memberObject(body, name), value);
    else body[name] = value;
  }
}

const deleteInput = z.strictObject({ fleet: resourceReference('The fleet to delete') });
type DeleteInput = z.output<typeof deleteInput>;

const deleteFindings = {
  FLEET_NOT_FOUND: 'The fleet is gone already.',
  FLEET_HAS_MEMBERS: 'Clusters are members of the fleet: they leave it first. The clusters themselves stay.',
  FLEET_BUSY: 'Another operation runs on the fleet; the deletion waits until it has ended.',
  HUB_IS_DELETED: 'The hub is deleted with the fleet, and with it every placement that it holds.',
} as const satisfies Record<string, string>;

export function deleteFleet(client: FleetClient): OperationDefinition<typeof deleteInput> {
  return {
    type: 'fleet.delete',
    title: 'Delete a fleet',
    description:
      'Lets every member leave, then deletes the fleet and its hub. Deleting the fleet alone can leave its clusters marked as members, unable to join another.',
    permission: 'fleets/delete',
    input: deleteInput,
    references: { fleet: [fleetKind.name] },
    timeoutSeconds: 7200,
    findings: deleteFindings,
    target(_input, references) {
      const id = fleetIdOf(references);
      return { id: id.toString(), kind: fleetKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightDelete(client, context),
    steps: [
      {
        name: 'release-members',
        description: 'Lets every member leave the fleet.',
        run: (context) => runReleaseMembers(client, context),
      },
      {
        name: 'delete',
        description: 'Asks Fleet Manager to delete the fleet and waits until it is gone.',
        run: (context) => runDelete(client, context),
      },
    ],
    verify: (context) => verifyDelete(client, context),
  };
}

async function preflightDelete(client: FleetClient, context: OperationContext<DeleteInput>): Promise<Finding[]> {
  const id = fleetIdOf(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(deleteFindings, findings);
  const reading = await client.getFleet(id, context);
  if (reading.state === 'missing') {
    say('FLEET_NOT_FOUND', 'info', { fleet: id.toString() });
    return findings;
  }
  const state = rawText(reading.body, 'properties', 'provisioningState');
  if (provisioningPhase(state) === 'moving') say('FLEET_BUSY', 'warning', { provisioningState: state });
  if (rawObject(reading.body, 'properties', 'hubProfile') !== null) {
    say('HUB_IS_DELETED', 'warning', { fqdn: rawText(reading.body, 'properties', 'hubProfile', 'fqdn') });
  }
  const members = await listMembers(client, id, context);
  if (members.length > 0) {
    say('FLEET_HAS_MEMBERS', 'warning', {
      count: members.length,
      members: members.slice(0, 50).map((member) => member.id.name),
    });
  }
  return findings;
}

/** Its resume token is the list of the members that were asked to leave: one that fails after that is not asked again. */
async function runReleaseMembers(client: FleetClient, context: StepContext<DeleteInput>): Promise<StepOutcome> {
  const id = fleetIdOf(context.references);
  const members = await listMembers(client, id, context);
  if (members.length === 0) return { outcome: 'done', message: 'The fleet has no members.' };
  const asked = new Set(context.resumeToken === undefined ? [] : parseNames(context.resumeToken));
  let room = LEAVING_AT_ONCE;
  for (const member of members) {
    const phase = provisioningPhase(rawText(member.body, 'properties', 'provisioningState'));
    if (phase === 'moving') {
      room -= 1;
      continue;
    }
    if (asked.has(member.id.name)) {
      if (phase === 'failed') throw failedOperationError(`Removing the member ${member.id.name}`, member.body);
      continue;
    }
    if (room <= 0) continue;
    room -= 1;
    try {
      await client.deleteMember(member.id, context);
      asked.add(member.id.name);
    } catch (error) {
      // Somebody is changing this member: the next run looks again.
      if (!(error instanceof ControlError) || error.code !== 'TARGET_BUSY') throw error;
    }
  }
  return {
    outcome: 'wait',
    message: `${members.length} members are to leave.`,
    retryAfterSeconds: client.arm.pollIntervalSeconds,
    resumeToken: new Secret(JSON.stringify([...asked])),
  };
}

function parseNames(token: Secret): string[] {
  const names: unknown = JSON.parse(token.reveal());
  return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
}

function runDelete(client: FleetClient, context: StepContext<DeleteInput>): Promise<StepOutcome> {
  const id = fleetIdOf(context.references);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is deleting the fleet ${id.name}.`,
      read: () => client.getFleet(id, context),
      judge: (reading) => judgeRemoval(`The fleet ${id.name}`, reading, failedOperationError),
      write: () => client.deleteFleet(id, context),
    },
    context,
  );
}

async function verifyDelete(client: FleetClient, context: OperationContext<DeleteInput>): Promise<Verification> {
  const id = fleetIdOf(context.references);
  const reading = await client.getFleet(id, context);
  const verification = verifyRemoval(`The fleet ${id.name}`, reading, context.target, client.arm.pollIntervalSeconds);
  if (verification.verdict !== 'reached') return verification;
  return { ...verification, absent: [...verification.absent, ...(await childrenInIndex(client, id, context))] };
}

/**
 * What lay in a fleet that is gone, as far as Resource Graph still lists them: gone with it. What the index has
 * forgotten already, or where it cannot be asked, the next sync from it takes out of the cache.
 */
async function childrenInIndex(
  client: FleetClient,
  fleet: ArmId,
  context: OperationContext<DeleteInput>,
): Promise<ResourceTarget[]> {
  const children: ResourceTarget[] = [];
  try {
    for await (const page of client.discoverChildren(fleet.subscriptionId ?? '', context)) {
      for (const child of page.rows.map(armIdOf)) {
        const kind = fleetChildOf(child)?.kind;
        if (kind === undefined || child.parent?.equals(fleet) !== true) continue;
        children.push({ uid: child.uid, id: child.toString(), kind });
      }
    }
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
  }
  return children;
}

interface ListedMember {
  id: ArmId;
  body: JsonObject;
}

/** None where the fleet itself is gone. */
async function listMembers(
  client: FleetClient,
  fleet: ArmId,
  context: OperationContext<unknown>,
): Promise<ListedMember[]> {
  const members: ListedMember[] = [];
  try {
    for await (const page of client.listMembers(fleet, context)) {
      members.push(...page.items.map((body) => ({ id: armIdOf(body), body })));
    }
  } catch (error) {
    if (error instanceof ControlError && saysAbsent(error)) return [];
    throw error;
  }
  return members;
}

/** @throws ControlError INVALID_REQUEST when the reference is missing or names something else. */
function fleetIdOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'fleet', FLEET_TYPE);
}
