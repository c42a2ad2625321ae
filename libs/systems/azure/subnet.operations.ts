import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { reachDesiredState, type DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { prefixFault } from '#libs/azure/subnet-space.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawObject, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import type { AzureClient } from './azure.client.js';

const NETWORK_TYPE = 'Microsoft.Network/virtualNetworks';

const createInput = z.strictObject({
  network: resourceReference('The virtual network that is to have the subnet'),
  name: z
    .string()
    .max(80)
    .regex(/^[a-zA-Z0-9]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?$/, 'must be the name of a subnet')
    .describe('The name of the subnet.'),
  prefix: z
    .string()
    .regex(/^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/, 'must be an IPv4 range such as 10.0.2.0/24')
    .describe('The address range of the subnet.'),
  delegation: z
    .string()
    .max(200)
    .regex(
      /^[A-Za-z][A-Za-z0-9.]*\/[A-Za-z]+(\/[A-Za-z]+)*$/,
      'must be a service such as Microsoft.ContainerInstance/containerGroups',
    )
    .optional()
    .describe('The service that the subnet is given to, such as `Microsoft.ContainerInstance/containerGroups`.'),
});
type CreateInput = z.output<typeof createInput>;

const createFindings = {
  NETWORK_NOT_FOUND: 'Azure does not know the network.',
  NETWORK_BUSY: 'The network is being changed by someone else; the change waits until that has ended.',
  PREFIX_INVALID: 'The address range is not valid: its host bits have to be zero.',
  PREFIX_OUTSIDE_NETWORK: 'The address range lies outside of the network.',
  PREFIX_OVERLAPS: 'The address range overlaps with another subnet of the network.',
  SUBNET_EXISTS: 'The subnet is there as it is wanted.',
  SUBNET_DIFFERS: 'There is a subnet of this name that is otherwise.',
} as const satisfies Record<string, string>;

export function createSubnet(client: AzureClient): OperationDefinition<typeof createInput> {
  return {
    type: 'azure.subnet.create',
    title: 'Add a subnet to a virtual network',
    description:
      'Adds a subnet to a virtual network, delegated to a service where that is wanted. Other subnets stay as they are.',
    permission: 'azure/subnets/write',
    input: createInput,
    references: { network: ['VirtualNetwork'] },
    timeoutSeconds: 1800,
    findings: createFindings,
    target(input, references) {
      const network = networkOf(references);
      return { id: network.child('subnets', input.name).toString(), kind: 'Subnet', lock: network.canonical };
    },
    preflight: (context) => preflightCreate(client, context),
    steps: [
      {
        name: 'create-subnet',
        description: 'Asks Azure for the subnet and waits until it is there.',
        run: (context) => runCreate(client, context),
      },
    ],
    verify: (context) => verifyCreate(client, context),
  };
}

/** @throws ControlError INVALID_REQUEST */
function networkOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'network', NETWORK_TYPE);
}

async function preflightCreate(client: AzureClient, context: OperationContext<CreateInput>): Promise<Finding[]> {
  const network = networkOf(context.references);
  const { name, prefix } = context.input;
  const findings: Finding[] = [];
  const say = findingReporter(createFindings, findings);
  const reading = await client.get(network, context);
  if (reading.state === 'missing') {
    say('NETWORK_NOT_FOUND', 'error', { network: network.toString() });
    return findings;
  }
  const provisioningState = rawText(reading.body, 'properties', 'provisioningState');
  if (provisioningPhase(provisioningState) === 'moving') say('NETWORK_BUSY', 'warning', { provisioningState });
  const subnets = rawObjects(reading.body, 'properties', 'subnets');
  const present = subnets.find((subnet) => rawText(subnet, 'name')?.toLowerCase() === name.toLowerCase());
  if (present !== undefined) {
    const difference = differenceOf(present, context.input);
    if (difference === undefined) say('SUBNET_EXISTS', 'info', { subnet: name });
    else say('SUBNET_DIFFERS', 'error', difference, 'Use another name.');
    return findings;
  }
  const space = rawTexts(reading.body, 'properties', 'addressSpace', 'addressPrefixes');
  const others = subnets.map((subnet) => ({ name: rawText(subnet, 'name') ?? '', prefixes: prefixesOf(subnet) }));
  const fault = prefixFault(prefix, space, others);
  switch (fault?.fault) {
    case undefined:
      break;
    case 'invalid':
      say('PREFIX_INVALID', 'error', { prefix });
      break;
    case 'outside':
      say('PREFIX_OUTSIDE_NETWORK', 'error', { prefix, space });
      break;
    case 'overlap':
      say('PREFIX_OVERLAPS', 'error', { prefix, subnet: fault.subnet, taken: fault.prefix });
      break;
  }
  return findings;
}

function prefixesOf(subnet: JsonObject): string[] {
  const one = rawText(subnet, 'properties', 'addressPrefix');
  return [...(one === null ? [] : [one]), ...rawTexts(subnet, 'properties', 'addressPrefixes')];
}

function delegationsOf(subnet: JsonObject): string[] {
  return rawObjects(subnet, 'properties', 'delegations').flatMap(
    (delegation) => rawText(delegation, 'properties', 'serviceName') ?? [],
  );
}

/** What of a subnet that is there is not as it is wanted, as evidence. */
function differenceOf(subnet: JsonObject, { prefix, delegation }: CreateInput): JsonObject | undefined {
  const prefixes = prefixesOf(subnet);
  const delegations = delegationsOf(subnet);
  const isDelegated =
    delegation === undefined || delegations.some((service) => service.toLowerCase() === delegation.toLowerCase());
  if (prefixes.includes(prefix) && isDelegated) return undefined;
  return { prefixes, delegations, wanted: { prefix, delegation: delegation ?? null } };
}

function runCreate(client: AzureClient, context: StepContext<CreateInput>): Promise<StepOutcome> {
  const { name, prefix, delegation } = context.input;
  const id = networkOf(context.references).child('subnets', name);
  const properties: JsonObject = {
    addressPrefix: prefix,
    ...(delegation === undefined
      ? {}
      : { delegations: [{ name: 'delegation', properties: { serviceName: delegation } }] }),
  };
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure is making the subnet ${name}.`,
      read: () => client.get(id, context),
      judge: (reading) => judge(reading, context.input),
      write: () => client.put(id, { properties }, context),
    },
    context,
  );
}

function judge(reading: ArmReading, input: CreateInput): DesiredStateVerdict {
  if (reading.state === 'missing') return { verdict: 'different' };
  const difference = differenceOf(reading.body, input);
  if (difference !== undefined) {
    throw new ControlError(
      'CONFLICT',
      `The subnet ${input.name} is there and is otherwise: ${JSON.stringify(difference)}`,
      {
        remedy: 'Use another name.',
      },
    );
  }
  const state = rawText(rawObject(reading.body, 'properties') ?? {}, 'provisioningState');
  switch (provisioningPhase(state)) {
    case 'moving':
      return { verdict: 'underway', message: `The subnet ${input.name} is ${state}.` };
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failedOperationError(`Making the subnet ${input.name}`, reading.body) };
    case 'succeeded':
    case 'unknown':
      return { verdict: 'reached', message: `The subnet ${input.name} is there.` };
  }
}

async function verifyCreate(client: AzureClient, context: OperationContext<CreateInput>): Promise<Verification> {
  const id = networkOf(context.references).child('subnets', context.input.name);
  const reading = await client.get(id, context);
  const verdict = judge(reading, context.input);
  switch (verdict.verdict) {
    case 'reached':
      return { verdict: 'reached', result: { subnet: id.toString(), uid: id.uid }, observations: [], absent: [] };
    case 'underway':
    case 'busy':
      return { verdict: 'pending', message: verdict.message, retryAfterSeconds: client.arm.pollIntervalSeconds };
    case 'failed':
      return { verdict: 'missed', message: verdict.error.message };
    case 'different':
      return { verdict: 'missed', message: `The subnet ${id.name} is not there any more.` };
  }
}
