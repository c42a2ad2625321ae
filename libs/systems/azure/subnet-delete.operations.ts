import { z } from 'zod';
import { type ArmId } from '#libs/kernel/arm-id.js';
import { ControlError, type RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError, saysLinked } from '#libs/azure/arm-error.classifier.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { changedBody, memberObject } from '#libs/azure/raw-change.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
} from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawFlag, rawMember, rawObject, rawObjects, rawText } from '../contract/raw-reader.js';
import { judgeRemoval, verifyRemoval } from '../contract/removal.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import type { AzureClient } from './azure.client.js';

const SUBNET_TYPE = 'Microsoft.Network/virtualNetworks/subnets';
/** The service whose links can be deleted by others than itself. */
const CONTAINER_GROUPS = 'Microsoft.ContainerInstance/containerGroups';
/** Where a subnet lists what is in it. */
const USERS = ['ipConfigurations', 'ipConfigurationProfiles', 'privateEndpoints', 'applicationGatewayIPConfigurations'];
/** How many names a finding lists. */
const MOST_NAMED = 20;

const deleteInput = z.strictObject({ subnet: resourceReference('The subnet to delete') });
type DeleteInput = z.output<typeof deleteInput>;

const deleteFindings = {
  SUBNET_GONE: 'The subnet is gone already.',
  SUBNET_IN_USE: 'Something is in the subnet, and keeps it.',
  SUBNET_LINKED: 'Container Instances have left a link on the subnet, which keeps it; the link is deleted first.',
  SUBNET_LINKED_ELSEWHERE: 'Another service holds a link on the subnet, which only that service can take away.',
  SUBNET_DELEGATED: 'The subnet is delegated to a service; that is taken back first.',
  VIRTUAL_NODE_USES_SUBNET: 'The virtual node of a cluster has its pods in the subnet: it would not come up again.',
  CLUSTERS_UNKNOWN: 'It could not be read which clusters of the subscription have virtual nodes in the subnet.',
  NETWORK_BUSY: 'The subnet is being changed by someone else; the deletion waits until that has ended.',
} as const satisfies Record<string, string>;

type Say = FindingReporter<keyof typeof deleteFindings>;

export function deleteSubnet(client: AzureClient): OperationDefinition<typeof deleteInput> {
  return {
    type: 'azure.subnet.delete',
    title: 'Delete a subnet of a virtual network',
    description:
      'Deletes a subnet that nothing is in, with what its services have left on it: the link of Container Instances, and its delegations.',
    permission: 'azure/subnets/delete',
    input: deleteInput,
    references: { subnet: ['Subnet'] },
    timeoutSeconds: 1800,
    findings: deleteFindings,
    target(_input, references) {
      const id = subnetOf(references);
      return { id: id.toString(), kind: 'Subnet', lock: networkOf(id).canonical };
    },
    preflight: (context) => preflightDelete(client, context),
    steps: [
      {
        name: 'unlink',
        description: 'Deletes the link that Container Instances have left on the subnet, where there is one.',
        run: (context) => runUnlink(client, context),
      },
      {
        name: 'take-back',
        description: 'Takes the subnet back from the services that it is delegated to.',
        run: (context) => runTakeBack(client, context),
      },
      {
        name: 'delete',
        description: 'Asks Azure to delete the subnet and waits until it is gone.',
        run: (context) => runDelete(client, context),
      },
    ],
    async verify(context) {
      const id = subnetOf(context.references);
      const reading = await client.get(id, context);
      return verifyRemoval(whatOf(id), reading, context.target, client.arm.pollIntervalSeconds);
    },
  };
}

/** @throws ControlError INVALID_REQUEST */
function subnetOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'subnet', SUBNET_TYPE);
}

function networkOf(subnet: ArmId): ArmId {
  if (subnet.parent !== undefined) return subnet.parent;
  throw new TypeError(`The subnet ${subnet.toString()} is in no network`);
}

function whatOf({ name }: ArmId): string {
  return `The subnet ${name}`;
}

/** What a subnet says of those who use it. */
function usersOf(subnet: JsonObject): string[] {
  return USERS.flatMap((member) =>
    rawObjects(subnet, 'properties', member).map((user) => rawText(user, 'id') ?? member),
  );
}

function delegationsOf(subnet: JsonObject): string[] {
  return rawObjects(subnet, 'properties', 'delegations').flatMap(
    (delegation) => rawText(delegation, 'properties', 'serviceName') ?? [],
  );
}

/** The links of services on a subnet: those that can be deleted from here, and the others. */
function linksOf(subnet: JsonObject): { own: string[]; foreign: string[] } {
  const links = { own: new Array<string>(), foreign: new Array<string>() };
  for (const link of rawObjects(subnet, 'properties', 'serviceAssociationLinks')) {
    const holder = rawText(link, 'properties', 'linkedResourceType');
    const kind = holder?.toLowerCase() === CONTAINER_GROUPS.toLowerCase() ? 'own' : 'foreign';
    links[kind].push(rawText(link, 'id') ?? rawText(link, 'name') ?? holder ?? 'a link without a name');
  }
  return links;
}

async function preflightDelete(client: AzureClient, context: OperationContext<DeleteInput>): Promise<Finding[]> {
  const id = subnetOf(context.references);
  const findings: Finding[] = [];
  const say = findingReporter(deleteFindings, findings);
  const reading = await client.get(id, context);
  if (reading.state === 'missing') {
    say('SUBNET_GONE', 'info', { subnet: id.toString() });
    return findings;
  }
  const provisioningState = rawText(reading.body, 'properties', 'provisioningState');
  if (provisioningPhase(provisioningState) === 'moving') say('NETWORK_BUSY', 'warning', { provisioningState });
  const users = usersOf(reading.body);
  if (users.length > 0) {
    const evidence = { count: users.length, users: users.slice(0, MOST_NAMED) };
    say('SUBNET_IN_USE', 'error', evidence, 'Delete what is in it, or move it to another subnet.');
  }
  const { own, foreign } = linksOf(reading.body);
  if (own.length > 0) say('SUBNET_LINKED', 'info', { links: own });
  if (foreign.length > 0) {
    const remedy = 'Delete what uses the subnet in that service; the link goes with it.';
    say('SUBNET_LINKED_ELSEWHERE', 'error', { links: foreign }, remedy);
  }
  const delegations = delegationsOf(reading.body);
  if (delegations.length > 0) say('SUBNET_DELEGATED', 'info', { delegations });
  await judgeVirtualNodes(client, id, context, say);
  return findings;
}

async function judgeVirtualNodes(
  client: AzureClient,
  subnet: ArmId,
  context: OperationContext<DeleteInput>,
  say: Say,
): Promise<void> {
  const clusters: string[] = [];
  try {
    for await (const page of client.listClusters(subnet.subscriptionId ?? '', context)) {
      clusters.push(...page.items.filter((cluster) => hasVirtualNodeIn(cluster, subnet)).flatMap(idOf));
    }
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    say('CLUSTERS_UNKNOWN', 'info', { code: error.externalCode ?? error.code });
    return;
  }
  if (clusters.length === 0) return;
  const operations = clusters.map((cluster): RemedyOperation => ({ type: 'virtualNodes.disable', input: { cluster } }));
  say('VIRTUAL_NODE_USES_SUBNET', 'error', { clusters }, 'Take the virtual node away first.', operations);
}

function idOf(cluster: JsonObject): string[] {
  const id = rawText(cluster, 'id');
  return id === null ? [] : [id];
}

/** The add-on names its subnet; the network is that of the nodes. */
function hasVirtualNodeIn(cluster: JsonObject, subnet: ArmId): boolean {
  const network = `${networkOf(subnet).canonical}/`;
  const isInNetwork = rawObjects(cluster, 'properties', 'agentPoolProfiles').some(
    (pool) => rawText(pool, 'vnetSubnetID')?.toLowerCase().startsWith(network) === true,
  );
  const addons = rawObject(cluster, 'properties', 'addonProfiles') ?? {};
  return (
    isInNetwork &&
    Object.entries(addons).some(
      ([name, addon]) =>
        name.toLowerCase() === 'aciconnectorlinux' &&
        rawFlag(addon, 'enabled') === true &&
        rawText(rawMember(addon, 'config'), 'SubnetName')?.toLowerCase() === subnet.name.toLowerCase(),
    )
  );
}

/** What a step does that brings the subnet nearer to its end. */
interface Clearing {
  working: string;
  /** What is said when nothing of it is left. */
  cleared: string;
  isCleared(subnet: JsonObject): boolean;
  /** What has to end before it can be written. */
  waitsFor(subnet: JsonObject): DesiredStateVerdict | undefined;
  write(reading: ArmReading): ReturnType<AzureClient['put']>;
}

function runClearing(client: AzureClient, context: StepContext<DeleteInput>, clearing: Clearing): Promise<StepOutcome> {
  const id = subnetOf(context.references);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: clearing.working,
      read: () => client.get(id, context),
      judge(reading): DesiredStateVerdict {
        if (reading.state === 'missing') return { verdict: 'reached', message: `${whatOf(id)} is gone.` };
        const state = rawText(reading.body, 'properties', 'provisioningState');
        if (provisioningPhase(state) === 'moving') return { verdict: 'busy', message: `${whatOf(id)} is ${state}.` };
        if (clearing.isCleared(reading.body)) return { verdict: 'reached', message: clearing.cleared };
        refuseInUse(id, reading.body);
        return clearing.waitsFor(reading.body) ?? { verdict: 'different' };
      },
      write: (reading) => clearing.write(reading).catch(passing),
    },
    context,
  );
}

/** A subnet that somebody has come to use keeps what it has. @throws ControlError CONFLICT */
function refuseInUse(id: ArmId, subnet: JsonObject): void {
  const [first, ...others] = usersOf(subnet);
  if (first === undefined) return;
  const more = others.length === 0 ? '' : ` and ${others.length} others`;
  throw new ControlError('CONFLICT', `${whatOf(id)} is in use by ${first}${more}.`, {
    remedy: 'Delete what is in it, or move it to another subnet.',
  });
}

function runUnlink(client: AzureClient, context: StepContext<DeleteInput>): Promise<StepOutcome> {
  const id = subnetOf(context.references);
  return runClearing(client, context, {
    working: `Azure is deleting the link of Container Instances on the subnet ${id.name}.`,
    cleared: `No link of Container Instances is on the subnet ${id.name}.`,
    isCleared: (subnet) => linksOf(subnet).own.length === 0,
    waitsFor: () => undefined,
    write: () => client.deleteContainerLink(id, context),
  });
}

function runTakeBack(client: AzureClient, context: StepContext<DeleteInput>): Promise<StepOutcome> {
  const id = subnetOf(context.references);
  return runClearing(client, context, {
    working: `Azure is taking the subnet ${id.name} back.`,
    cleared: `The subnet ${id.name} is delegated to nobody.`,
    isCleared: (subnet) => delegationsOf(subnet).length === 0,
    waitsFor(subnet) {
      const [link] = linksOf(subnet).own;
      if (link === undefined) return undefined;
      return { verdict: 'busy', message: `The network still lists the link ${link}, which was deleted.` };
    },
    write(reading) {
      const body = changedBody(id, reading.state === 'found' ? reading.body : {}, (subnet) => {
        memberObject(subnet, 'properties').delegations = [];
      });
      return client.put(id, body, context);
    },
  });
}

/** The network hears of the end of a link a little later than the service that held it. @throws ControlError */
function passing(error: unknown): never {
  if (error instanceof ControlError && saysLinked(error)) {
    throw new ControlError('TARGET_BUSY', error.message, { retry: { kind: 'backoff' }, cause: error });
  }
  throw error;
}

function runDelete(client: AzureClient, context: StepContext<DeleteInput>): Promise<StepOutcome> {
  const id = subnetOf(context.references);
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is deleting the subnet ${id.name}.`,
      read: () => client.get(id, context),
      judge(reading): DesiredStateVerdict {
        if (reading.state === 'found') refuseInUse(id, reading.body);
        return judgeRemoval(whatOf(id), reading, failedOperationError);
      },
      write: () => client.delete(id, context).catch(passing),
    },
    context,
  );
}
