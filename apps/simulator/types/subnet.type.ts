import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { ArmError } from '../arm-error.js';
import { numberAt, objectAt, omit, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceTypeDescriptor, ResourceWorld, WritePlan, WriteRequest } from '../resource-type.descriptor.js';
import { contains, overlap } from './address-range.js';
import { AGENT_POOL_TYPE } from './core-usage.js';
import { ACI_DELEGATION, delegationsOf } from './subnet.delegation.js';
import { parseRequest } from './fleet.family.js';
import { linksOf } from './service-association-link.js';
import {
  NETWORK_API_VERSIONS,
  NETWORK_PROTOCOLS,
  SUBNET_TYPE,
  addressRange,
  networkConflict,
  networkEtag,
  validateNetworkName,
} from './network.family.js';

const NAME_LENGTH = 80;
/** Named here as text: the type of container groups builds on this one. */
const GROUP_TYPE = ACI_DELEGATION;

const subnetSchema = z.looseObject({
  properties: z
    .looseObject({
      addressPrefix: z.string().optional(),
      addressPrefixes: z.array(z.string()).optional(),
      delegations: z.array(z.looseObject({ name: z.string().optional() })).optional(),
    })
    .optional(),
});

/** Subnets. The network shows them too; there is one truth, and it is here. */
export const subnetType: ResourceTypeDescriptor = {
  type: SUBNET_TYPE,
  apiVersions: NETWORK_API_VERSIONS,
  tracked: false,
  errorShape: 'standard',
  members: [],
  readOnly: [
    'properties.ipConfigurations',
    'properties.serviceAssociationLinks',
    'properties.resourceNavigationLinks',
    'properties.purpose',
  ],
  etag: { at: 'top', member: 'etag', format: networkEtag },
  hidesSystemData: true,
  protocols: NETWORK_PROTOCOLS,
  recordsLastOperation: false,
  shownInParent: true,
  actions: new Map(),

  validateName: (name) => validateNetworkName(name, NAME_LENGTH),
  planPut,
  planPatch(): never {
    throw new ArmError(405, 'HttpMethodNotAllowed', 'A subnet has no PATCH: send the whole subnet by PUT.');
  },
  planDelete(subnet, id, world) {
    refuseSubnetInUse(subnet, world);
    return { writes: [{ id, body: subnet.body, state: 'Deleting' }], removes: [{ id, state: 'Deleting' }] };
  },
  conflict: networkConflict,
  present: (subnet, world) => ({ ...subnet.body, properties: subnetProperties(subnet, world) }),
};

/** The body of a subnet after a PUT of it, or of the network that it is in. */
export function subnetBody(requested: JsonObject): JsonObject {
  parseRequest(subnetSchema, requested);
  const properties = objectAt(requested, 'properties');
  const delegations = Array.isArray(properties.delegations) ? properties.delegations : [];
  return {
    properties: {
      ...properties,
      delegations,
      privateEndpointNetworkPolicies: textAt(properties, 'privateEndpointNetworkPolicies') ?? 'Disabled',
      privateLinkServiceNetworkPolicies: textAt(properties, 'privateLinkServiceNetworkPolicies') ?? 'Enabled',
    },
  };
}

/** @throws ArmError when a subnet lies outside of its network or over another subnet. */
export function checkSubnetRanges(
  network: { name: string; prefixes: readonly string[] },
  subnets: readonly { name: string; body: JsonObject }[],
): void {
  const space = network.prefixes.map((prefix) => addressRange(prefix, network.name));
  const taken: { name: string; range: ReturnType<typeof addressRange> }[] = [];
  for (const { name, body } of subnets) {
    const prefixes = prefixesOf(body);
    if (prefixes.length === 0) {
      throw new ArmError(400, 'AddressPrefixesNotSpecified', `No address prefix is given for subnet ${name}.`);
    }
    for (const prefix of prefixes) {
      const range = addressRange(prefix, name);
      if (!space.some((whole) => contains(whole, range))) {
        throw new ArmError(
          400,
          'NetcfgSubnetRangeOutsideVnet',
          `Subnet '${name}' is not valid because its IP address range is outside the IP address range of virtual network '${network.name}'.`,
        );
      }
      const other = taken.find((entry) => overlap(entry.range, range));
      if (other !== undefined) {
        throw new ArmError(
          400,
          'NetcfgSubnetRangesOverlap',
          `Subnet '${name}' is not valid because its IP address range overlaps with that of an existing subnet in virtual network '${network.name}'.`,
        );
      }
      taken.push({ name, range });
    }
  }
}

/** Pools and container groups keep their subnet; the wording is the provider's for addresses in use. */
export function refuseSubnetInUse(subnet: StoredResource, world: ResourceWorld): void {
  const user = world.referring(AGENT_POOL_TYPE, subnet.key)[0] ?? world.referring(GROUP_TYPE, subnet.key)[0];
  // The link of a service outlives what the service had in the subnet.
  const holder = user?.id ?? linksOf(subnet.body)[0]?.id;
  if (holder === undefined) return;
  throw new ArmError(
    400,
    'InUseSubnetCannotBeDeleted',
    `Subnet ${subnet.name} is in use by ${holder} and cannot be deleted. In order to delete the subnet, delete all the ` +
      'resources within the subnet. See aka.ms/deletesubnet.',
  );
}

/** Who uses a subnet decides what it may be delegated to. @throws ArmError */
function refuseDelegation(before: StoredResource, after: JsonObject, world: ResourceWorld): void {
  const [had, has] = [delegationsOf(before.body), delegationsOf(after)];
  if (had.join() === has.join()) return;
  const link = linksOf(before.body).find(({ service }) => !has.includes(service.toLowerCase()));
  if (link !== undefined) {
    throw new ArmError(
      400,
      'SubnetMissingRequiredDelegation',
      `Subnet ${before.id} requires any of the following delegation(s) [${link.service}] to reference service association link ${link.id}.`,
    );
  }
  const user = world.referring(AGENT_POOL_TYPE, before.key)[0] ?? world.referring(GROUP_TYPE, before.key)[0];
  if (user === undefined) return;
  throw new ArmError(
    400,
    'SubnetDelegationsCannotChangeWhenSubnetUsedByResource',
    `Delegations of subnet ${before.id} cannot be changed from [${had.join(', ')}] to [${has.join(', ')}] because it is being ` +
      `used by the resource ${user.id}.`,
  );
}

/** What has an address in the subnet, as the provider lists it. */
function ipConfigurationsOf(subnet: StoredResource, world: ResourceWorld): JsonObject[] {
  const groups = world.referring(GROUP_TYPE, subnet.key).map((group) => ({ id: `${group.id}/ipConfigurations/eth0` }));
  const nodes = world.referring(AGENT_POOL_TYPE, subnet.key).flatMap((pool) => {
    const count = numberAt(objectAt(pool.body, 'properties'), 'count') ?? 0;
    return Array.from({ length: count }, (_, index) => ({
      id: `${pool.id}/virtualMachines/${index}/ipConfigurations/ipconfig1`,
    }));
  });
  return [...nodes, ...groups];
}

/** The properties of a subnet with what is seen of its users. */
export function subnetProperties(subnet: StoredResource, world: ResourceWorld): JsonObject {
  const ipConfigurations = ipConfigurationsOf(subnet, world);
  return {
    ...objectAt(subnet.body, 'properties'),
    ...(ipConfigurations.length === 0 ? {} : { ipConfigurations }),
  };
}

export function prefixesOf(subnet: JsonObject): string[] {
  const properties = objectAt(subnet, 'properties');
  const { addressPrefix, addressPrefixes } = properties;
  if (typeof addressPrefix === 'string') return [addressPrefix];
  return Array.isArray(addressPrefixes) ? addressPrefixes.filter((prefix) => typeof prefix === 'string') : [];
}

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  const network = world.get(id.parent ?? '');
  if (network === undefined) throw new TypeError(`The subnet ${id.toString()} has no network`);
  const body = subnetBody(omit(requested, ['location', 'tags']));
  if (existing !== undefined) refuseDelegation(existing, body, world);
  const others = world
    .children(network.key, SUBNET_TYPE)
    .filter((other) => other.key !== id.canonical)
    .map((other) => ({ name: other.name, body: other.body }));
  const { addressPrefixes } = objectAt(objectAt(network.body, 'properties'), 'addressSpace');
  const prefixes = Array.isArray(addressPrefixes) ? addressPrefixes.filter((prefix) => typeof prefix === 'string') : [];
  checkSubnetRanges({ name: network.name, prefixes }, [...others, { name: id.name, body }]);
  return { writes: [{ id, body, state: existing === undefined ? 'Creating' : 'Updating' }] };
}
