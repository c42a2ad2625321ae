import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import { rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import type { AksClient } from './aks.client.js';

/** Azure keeps so many addresses of every subnet for itself. */
const RESERVED_ADDRESSES = 5;
/** Pods of a node where nobody says otherwise and each has an address of the subnet. */
const DEFAULT_MAX_PODS = 30;
/** An upgrade brings one node more for a while. */
const SURGE_NODES = 1;

export const subnetFindings = {
  SUBNET_NOT_FOUND: 'The subnet of the nodes does not exist.',
  SUBNET_DELEGATED: 'The subnet of the nodes is delegated to another service, which has it for itself.',
  SUBNET_TOO_SMALL: 'The subnet has fewer free addresses than the nodes and their pods need.',
  SUBNET_UNREADABLE: 'The subnet of the nodes could not be read.',
} as const satisfies Record<string, string>;

/** How many addresses of its subnet a pool takes, one node more for upgrades included. */
export function addressesNeeded(nodes: number, maxPods: number | undefined, podsHaveAddresses: boolean): number {
  const ofNode = 1 + (podsHaveAddresses ? (maxPods ?? DEFAULT_MAX_PODS) : 0);
  return (nodes + SURGE_NODES) * ofNode;
}

/** @param wanted `subnet` is an ARM id. */
export async function judgeSubnet(
  client: AksClient,
  context: AzureCallContext,
  wanted: { subnet: string; addresses: number },
  say: FindingReporter<keyof typeof subnetFindings>,
): Promise<void> {
  const id = ArmId.tryParse(wanted.subnet);
  const network = id?.parent;
  if (id === undefined || network === undefined) {
    say('SUBNET_NOT_FOUND', 'error', { subnet: wanted.subnet });
    return;
  }
  let subnet: JsonObject | undefined;
  try {
    const reading = await client.getNetwork(network, context);
    const subnets = reading.state === 'missing' ? [] : rawObjects(reading.body, 'properties', 'subnets');
    subnet = subnets.find((each) => rawText(each, 'name')?.toLowerCase() === id.name.toLowerCase());
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    say('SUBNET_UNREADABLE', 'info', { subnet: wanted.subnet, code: error.externalCode ?? error.code });
    return;
  }
  if (subnet === undefined) {
    say('SUBNET_NOT_FOUND', 'error', { subnet: wanted.subnet }, 'Create the subnet first.');
    return;
  }
  const services = rawObjects(subnet, 'properties', 'delegations').flatMap(
    (delegation) => rawText(delegation, 'properties', 'serviceName') ?? [],
  );
  if (services.length > 0) {
    say('SUBNET_DELEGATED', 'error', { subnet: wanted.subnet, services }, 'Choose a subnet without a delegation.');
  }
  const free = freeAddresses(subnet);
  if (free !== null && free < wanted.addresses) {
    const evidence = { subnet: wanted.subnet, free, needed: wanted.addresses };
    say('SUBNET_TOO_SMALL', 'error', evidence, 'Choose a larger subnet, fewer nodes, or fewer pods for each node.');
  }
}

/** Null where the subnet does not tell its range. */
function freeAddresses(subnet: JsonObject): number | null {
  const range = rawText(subnet, 'properties', 'addressPrefix') ?? rawTexts(subnet, 'properties', 'addressPrefixes')[0];
  const bits = /^\d+\.\d+\.\d+\.\d+\/(\d+)$/.exec(range ?? '')?.[1];
  if (bits === undefined) return null;
  const used = rawObjects(subnet, 'properties', 'ipConfigurations').length;
  return Math.max(0, 2 ** (32 - Number(bits)) - RESERVED_ADDRESSES - used);
}
