import { ControlError } from '#libs/kernel/control-error.js';
import { canonicalLocation } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import { rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import type { AksClient } from './aks.client.js';

/** System pods need a machine of at least that many cores and gigabytes. */
const LEAST_OF_SYSTEM = { vCPUs: 2, MemoryGB: 4 } as const;
const MOST_NAMED = 5;

export const sizeFindings = {
  VM_SIZE_NOT_OFFERED: 'Azure has no machines of this size in the location.',
  VM_SIZE_RESTRICTED: 'The subscription may not have machines of this size in the location.',
  VM_ZONES_RESTRICTED: 'The subscription may not have machines of this size in all the zones that were asked for.',
  VM_SIZE_TOO_SMALL: 'System pods need machines of at least 2 cores and 4 GB.',
  VM_SIZES_UNKNOWN: 'It could not be read which machine sizes the subscription may have.',
} as const satisfies Record<string, string>;

export interface WantedMachines {
  subscriptionId: string;
  location: string;
  vmSize: string;
  zones: readonly string[] | undefined;
  isSystem: boolean;
}

/** Whether the subscription may have the machines: AKS asks the same list when it is too late. */
export async function judgeMachineSize(
  client: AksClient,
  context: AzureCallContext,
  wanted: WantedMachines,
  say: FindingReporter<keyof typeof sizeFindings>,
): Promise<void> {
  const { subscriptionId, vmSize, zones, isSystem } = wanted;
  const location = canonicalLocation(wanted.location);
  const offered: JsonObject[] = [];
  try {
    for await (const page of client.listMachineSizes(subscriptionId, location, context)) {
      offered.push(...page.items.filter((sku) => rawText(sku, 'resourceType') === 'virtualMachines'));
    }
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    say('VM_SIZES_UNKNOWN', 'info', { location, code: error.externalCode ?? error.code });
    return;
  }
  const size = offered.find((sku) => rawText(sku, 'name')?.toLowerCase() === vmSize.toLowerCase());
  if (size === undefined) {
    say('VM_SIZE_NOT_OFFERED', 'error', { vmSize, location }, 'Choose another machine size or location.');
    return;
  }
  const restriction = restrictionsOf(size, 'Location')[0];
  if (restriction !== undefined) {
    const instead = offered.filter((sku) => isLike(sku, size)).flatMap((sku) => rawText(sku, 'name') ?? []);
    const reason = rawText(restriction, 'reasonCode');
    const evidence = { vmSize, location, reason, instead: instead.slice(0, MOST_NAMED) };
    say('VM_SIZE_RESTRICTED', 'error', evidence, 'Choose another machine size or location, or ask for a higher quota.');
  }
  const open = openZones(size);
  const closed = (zones ?? []).filter((zone) => !open.includes(zone));
  if (closed.length > 0) {
    say('VM_ZONES_RESTRICTED', 'error', { vmSize, location, zones: closed, open }, 'Ask for zones that are open.');
  }
  const tooSmall = Object.entries(LEAST_OF_SYSTEM).some(([name, least]) => (capabilityOf(size, name) ?? least) < least);
  if (isSystem && tooSmall) {
    const evidence = { vmSize, cores: capabilityOf(size, 'vCPUs'), memoryGb: capabilityOf(size, 'MemoryGB') };
    say('VM_SIZE_TOO_SMALL', 'error', evidence, 'Choose a larger machine size for the system pool.');
  }
}

function restrictionsOf(sku: JsonObject, type: 'Location' | 'Zone'): JsonObject[] {
  return rawObjects(sku, 'restrictions').filter((restriction) => rawText(restriction, 'type') === type);
}

/** As large, and to be had. */
function isLike(sku: JsonObject, size: JsonObject): boolean {
  const isFree = restrictionsOf(sku, 'Location').length === 0;
  return isFree && ['vCPUs', 'MemoryGB'].every((name) => capabilityOf(sku, name) === capabilityOf(size, name));
}

function openZones(sku: JsonObject): string[] {
  const closed = restrictionsOf(sku, 'Zone').flatMap((restriction) =>
    rawTexts(restriction, 'restrictionInfo', 'zones'),
  );
  const all = rawObjects(sku, 'locationInfo').flatMap((info) => rawTexts(info, 'zones'));
  return all.filter((zone) => !closed.includes(zone)).sort();
}

function capabilityOf(sku: JsonObject, name: string): number | null {
  const value = rawObjects(sku, 'capabilities').find((capability) => rawText(capability, 'name') === name)?.value;
  const number = typeof value === 'string' ? Number(value) : Number.NaN;
  return Number.isFinite(number) ? number : null;
}
