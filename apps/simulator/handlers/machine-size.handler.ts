import { canonicalLocation } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmAnswer, ArmRequest } from '../arm-request.js';
import { LOCATIONS } from '../resource-type.registry.js';
import { MACHINE_SIZES, type MachineSize } from '../types/vm-size.js';

const ZONES = ['1', '2', '3'];

/** `GET …/Microsoft.Compute/skus`, of one location where `$filter` names it. */
export function machineSizes(request: ArmRequest, restricted: readonly string[]): ArmAnswer {
  const wanted = /location eq '([^']*)'/i.exec(request.query.get('$filter') ?? '')?.[1];
  const locations = [...LOCATIONS.keys()].filter((name) => wanted === undefined || name === canonicalLocation(wanted));
  const names = new Set(restricted.map((name) => name.toLowerCase()));
  const value = locations.flatMap((location) =>
    MACHINE_SIZES.map((size) => shown(size, location, names.has(size.name.toLowerCase()))),
  );
  return { status: 200, body: { value } };
}

function shown({ name, cores, memoryGb }: MachineSize, location: string, isRestricted: boolean): JsonObject {
  const restriction = {
    type: 'Location',
    values: [location],
    restrictionInfo: { locations: [location] },
    reasonCode: 'NotAvailableForSubscription',
  };
  return {
    resourceType: 'virtualMachines',
    name,
    tier: 'Standard',
    size: name.replace('Standard_', ''),
    locations: [location],
    locationInfo: [{ location, zones: ZONES, zoneDetails: [] }],
    capabilities: [
      { name: 'vCPUs', value: String(cores) },
      { name: 'MemoryGB', value: String(memoryGb) },
    ],
    restrictions: isRestricted ? [restriction] : [],
  };
}
