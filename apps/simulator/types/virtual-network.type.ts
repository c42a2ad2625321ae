import { canonicalLocation } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { ArmError } from '../arm-error.js';
import { deterministicUuid } from '../deterministic-id.js';
import { mergePatch, objectAt, objectsAt, omit, textAt } from '../json-merge.js';
import { withoutPath } from '../json-path.js';
import type { StoredResource } from '../resource.store.js';
import type {
  PlannedWrite,
  ResourceTypeDescriptor,
  ResourceWorld,
  WritePlan,
  WriteRequest,
} from '../resource-type.descriptor.js';
import { parseRequest } from './fleet.family.js';
import {
  NETWORK_API_VERSIONS,
  NETWORK_PROTOCOLS,
  NETWORK_TYPE,
  PEERING_TYPE,
  SUBNET_TYPE,
  addressRange,
  networkConflict,
  networkEtag,
  validateNetworkName,
} from './network.family.js';
import { checkSubnetRanges, refuseSubnetInUse, subnetBody, subnetProperties, subnetType } from './subnet.type.js';
import { peeringBody, peeringProperties, virtualNetworkPeeringType } from './virtual-network-peering.type.js';

const NAME_LENGTH = 64;

const named = z.array(z.looseObject({ name: z.string() }));
const networkSchema = z.looseObject({
  tags: z.record(z.string(), z.string()).optional(),
  properties: z.looseObject({
    addressSpace: z.looseObject({ addressPrefixes: z.array(z.string()).min(1) }),
    subnets: named.optional(),
    virtualNetworkPeerings: named.optional(),
  }),
});

/** Virtual networks; subnets and peerings are resources of their own and are shown inside. */
export const virtualNetworkType: ResourceTypeDescriptor = {
  type: NETWORK_TYPE,
  apiVersions: NETWORK_API_VERSIONS,
  tracked: true,
  graphTable: 'resources',
  errorShape: 'standard',
  members: ['extendedLocation'],
  readOnly: ['properties.resourceGuid'],
  derived: ['properties.subnets', 'properties.virtualNetworkPeerings'],
  etag: { at: 'top', member: 'etag', format: networkEtag },
  hidesSystemData: true,
  protocols: NETWORK_PROTOCOLS,
  recordsLastOperation: false,
  actions: new Map(),

  validateName: (name) => validateNetworkName(name, NAME_LENGTH),
  planPut,
  planPatch({ id, requested, existing }) {
    const foreign = Object.keys(omit(requested, ['tags']))[0];
    if (foreign !== undefined) {
      throw new ArmError(
        400,
        'InvalidRequestFormat',
        `A virtual network can be patched in its tags only, not in '${foreign}'.`,
      );
    }
    const tags = mergePatch(objectAt(existing.body, 'tags'), objectAt(requested, 'tags'));
    return { writes: [{ id, body: { ...existing.body, tags }, state: 'Succeeded' }] };
  },
  planDelete(network, id, world) {
    for (const subnet of world.children(network.key, SUBNET_TYPE)) refuseSubnetInUse(subnet, world);
    return { writes: [{ id, body: network.body, state: 'Deleting' }], removes: [{ id, state: 'Deleting' }] };
  },
  conflict: networkConflict,
  present,
};

function present(network: StoredResource, world: ResourceWorld): JsonObject {
  const subnets = world
    .children(network.key, SUBNET_TYPE)
    .map((subnet) => inlineChild(subnet, SUBNET_TYPE, subnetProperties(subnet, world)));
  const peerings = world
    .children(network.key, PEERING_TYPE)
    .map((peering) => inlineChild(peering, PEERING_TYPE, peeringProperties(peering, world)));
  return {
    ...network.body,
    properties: { ...objectAt(network.body, 'properties'), subnets, virtualNetworkPeerings: peerings },
  };
}

function inlineChild(child: StoredResource, type: string, properties: JsonObject): JsonObject {
  return { name: child.name, id: child.id, etag: networkEtag(child), properties, type };
}

/** Children that the body names become what it says, those that it leaves out go; without the member they stay. */
function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  parseRequest(networkSchema, requested);
  const sent = objectAt(requested, 'properties');
  const { addressPrefixes } = objectAt(sent, 'addressSpace');
  const prefixes = (addressPrefixes as string[]).map((prefix) => {
    addressRange(prefix, id.name);
    return prefix;
  });
  const body: JsonObject = {
    ...omit(requested, ['properties']),
    location: canonicalLocation(textAt(requested, 'location') ?? ''),
    properties: {
      resourceGuid: deterministicUuid(`network|${id.canonical}`),
      enableDdosProtection: false,
      ...omit(sent, ['subnets', 'virtualNetworkPeerings']),
    },
  };
  const state = existing === undefined ? 'Creating' : 'Updating';
  const subnets = planSubnets(id, sent, world);
  const peerings = planPeerings(id, sent, body, world);
  const kept = sent.subnets === undefined ? world.children(id.canonical, SUBNET_TYPE) : subnets.writes;
  checkSubnetRanges(
    { name: id.name, prefixes },
    kept.map((subnet) => ({ name: 'name' in subnet ? subnet.name : subnet.id.name, body: subnet.body })),
  );
  return {
    writes: [{ id, body, state }, ...subnets.writes, ...peerings.writes],
    removes: [...subnets.removes, ...peerings.removes],
  };
}

interface ChildPlan {
  writes: PlannedWrite[];
  removes: NonNullable<WritePlan['removes']>;
}

function planSubnets(id: WriteRequest['id'], sent: JsonObject, world: ResourceWorld): ChildPlan {
  if (sent.subnets === undefined) return { writes: [], removes: [] };
  const present = world.children(id.canonical, SUBNET_TYPE);
  const writes = objectsAt(sent, 'subnets').map((subnet): PlannedWrite => {
    const name = textAt(subnet, 'name') ?? '';
    subnetType.validateName(name);
    const child = id.child('subnets', name);
    const known = present.some((other) => other.key === child.canonical);
    return { id: child, body: subnetBody(ownMembers(subnet, subnetType)), state: known ? 'Updating' : 'Creating' };
  });
  const gone = present.filter((subnet) => !writes.some((write) => write.id.canonical === subnet.key));
  for (const subnet of gone) refuseSubnetInUse(subnet, world);
  return { writes, removes: gone.map((subnet) => ({ id: id.child('subnets', subnet.name), state: 'Deleting' })) };
}

function planPeerings(id: WriteRequest['id'], sent: JsonObject, network: JsonObject, world: ResourceWorld): ChildPlan {
  if (sent.virtualNetworkPeerings === undefined) return { writes: [], removes: [] };
  const present = world.children(id.canonical, PEERING_TYPE);
  const writes = objectsAt(sent, 'virtualNetworkPeerings').map((peering): PlannedWrite => {
    const name = textAt(peering, 'name') ?? '';
    virtualNetworkPeeringType.validateName(name);
    const child = id.child('virtualNetworkPeerings', name);
    const known = present.some((other) => other.key === child.canonical);
    const body = peeringBody(child, ownMembers(peering, virtualNetworkPeeringType), network, world);
    return { id: child, body, state: known ? 'Updating' : 'Creating' };
  });
  const gone = present.filter((peering) => !writes.some((write) => write.id.canonical === peering.key));
  return {
    writes,
    removes: gone.map((peering) => ({ id: id.child('virtualNetworkPeerings', peering.name), state: 'Deleting' })),
  };
}

/** What a caller read comes back in a PUT; only what callers may write is taken from it. */
function ownMembers(child: JsonObject, { readOnly, derived = [] }: ResourceTypeDescriptor): JsonObject {
  return [...readOnly, ...derived, 'properties.provisioningState'].reduce(
    (body, path) => withoutPath(body, path),
    omit(child, ['name', 'id', 'etag', 'type']),
  );
}
