import { canonicalLocation } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { objectAt, objectsAt, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceTypeDescriptor, ResourceWorld } from '../resource-type.descriptor.js';
import { arcConflict, badRequest } from './arc.family.js';
import { parseRequest } from './fleet.family.js';
import { HCI_PROTOCOLS, INSTANCE_TYPE, LOGICAL_NETWORK_TYPE, customLocationOf, machinesOf } from './hci.family.js';

const NAME_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}[a-zA-Z0-9_]$/;

const networkSchema = z.looseObject({
  extendedLocation: z.looseObject({ name: z.string(), type: z.string() }),
  properties: z.looseObject({
    dhcpOptions: z.looseObject({ dnsServers: z.array(z.string()).optional() }).optional(),
    subnets: z
      .array(
        z.looseObject({
          name: z.string().optional(),
          properties: z.looseObject({
            addressPrefix: z.string().optional(),
            ipAllocationMethod: z.enum(['Static', 'Dynamic']).optional(),
            ipPools: z.array(z.looseObject({ start: z.string(), end: z.string() })).optional(),
          }),
        }),
      )
      .min(1),
  }),
});

/** A network of a host: machines get their addresses from its pools, and it tells how many are left. */
export const logicalNetworkType: ResourceTypeDescriptor = {
  type: LOGICAL_NETWORK_TYPE,
  apiVersions: ['2023-09-01-preview', '2024-01-01'],
  tracked: true,
  graphTable: 'resources',
  errorShape: 'standard',
  members: ['extendedLocation'],
  readOnly: ['properties.status'],
  protocols: HCI_PROTOCOLS,
  polling: 'provider-hub',
  recordsLastOperation: false,
  actions: new Map(),
  validateName(name) {
    if (NAME_PATTERN.test(name)) return;
    throw badRequest('InvalidResourceName', `The name '${name}' must match ${NAME_PATTERN.source}.`, 'name');
  },
  planPut({ id, requested, existing, world }) {
    parseRequest(networkSchema, requested);
    customLocationOf(requested, world);
    const body = { ...requested, location: canonicalLocation(textAt(requested, 'location') ?? '') };
    return { writes: [{ id, body, state: existing === undefined ? 'Creating' : 'Updating' }] };
  },
  planPatch(): never {
    throw badRequest('InvalidRequestContent', 'A logical network can be changed by PUT only.');
  },
  planDelete(network, id, world) {
    const user = world.referring(INSTANCE_TYPE, network.key)[0];
    if (user !== undefined) {
      throw badRequest('InUse', `The logical network '${network.name}' is used by '${user.id}'.`);
    }
    return { writes: [{ id, body: network.body, state: 'Deleting' }], removes: [{ id, state: 'Deleting' }] };
  },
  conflict: arcConflict,
  present,
};

/** With what is taken of the pools: addresses go to machines in the order of the pools. */
function present(network: StoredResource, world: ResourceWorld): JsonObject {
  let left = world.referring(INSTANCE_TYPE, network.key).reduce((sum, each) => sum + machinesOf(each, world), 0);
  const properties = objectAt(network.body, 'properties');
  const subnets = objectsAt(properties, 'subnets').map((subnet): JsonObject => {
    const own = objectAt(subnet, 'properties');
    const pools = objectsAt(own, 'ipPools').map((pool): JsonObject => {
      const size = sizeOf(textAt(pool, 'start') ?? '', textAt(pool, 'end') ?? '');
      const used = Math.min(left, size);
      left -= used;
      return { ...pool, info: { used: String(used), available: String(size - used) } };
    });
    return { ...subnet, properties: { ...own, ...(own.ipPools === undefined ? {} : { ipPools: pools }) } };
  });
  return { ...network.body, properties: { ...properties, subnets } };
}

/** How many addresses the network still has for machines; undefined where it has no pools. */
export function freeAddresses(network: StoredResource, world: ResourceWorld): number | undefined {
  const pools = objectsAt(objectAt(present(network, world), 'properties'), 'subnets').flatMap((subnet) =>
    objectsAt(objectAt(subnet, 'properties'), 'ipPools'),
  );
  if (pools.length === 0) return undefined;
  return pools.reduce((sum, pool) => sum + Number(textAt(objectAt(pool, 'info'), 'available') ?? 0), 0);
}

function sizeOf(start: string, end: string): number {
  const number = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  return Math.max(0, number(end) - number(start) + 1);
}
