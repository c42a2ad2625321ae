import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { ArmError } from '../arm-error.js';
import { objectAt, omit, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceTypeDescriptor, ResourceWorld, WritePlan, WriteRequest } from '../resource-type.descriptor.js';
import { overlap } from './address-range.js';
import { parseRequest } from './fleet.family.js';
import {
  NETWORK_API_VERSIONS,
  NETWORK_PROTOCOLS,
  NETWORK_TYPE,
  PEERING_TYPE,
  addressRange,
  networkConflict,
  networkEtag,
  validateNetworkName,
} from './network.family.js';

const NAME_LENGTH = 80;

const peeringSchema = z.looseObject({
  properties: z.looseObject({
    remoteVirtualNetwork: z.looseObject({ id: z.string() }),
    allowVirtualNetworkAccess: z.boolean().optional(),
    allowForwardedTraffic: z.boolean().optional(),
  }),
});

/**
 * One side of a peering. `Connected` as soon as the other network has one back; whether the other side is there is looked
 * up when the peering is shown, so that no order of writes can leave the two apart.
 */
export const virtualNetworkPeeringType: ResourceTypeDescriptor = {
  type: PEERING_TYPE,
  apiVersions: NETWORK_API_VERSIONS,
  tracked: false,
  errorShape: 'standard',
  members: [],
  readOnly: ['properties.peeringState', 'properties.peeringSyncLevel', 'properties.resourceGuid'],
  derived: ['properties.peeringState', 'properties.remoteAddressSpace'],
  etag: { at: 'top', member: 'etag', format: networkEtag },
  hidesSystemData: true,
  protocols: NETWORK_PROTOCOLS,
  recordsLastOperation: false,
  shownInParent: true,
  actions: new Map(),

  validateName: (name) => validateNetworkName(name, NAME_LENGTH),
  planPut,
  planPatch(): never {
    throw new ArmError(405, 'HttpMethodNotAllowed', 'A peering has no PATCH: send the whole peering by PUT.');
  },
  planDelete: (peering, id) => ({
    writes: [{ id, body: peering.body, state: 'Deleting' }],
    removes: [{ id, state: 'Deleting' }],
  }),
  conflict: networkConflict,
  present: (peering, world) => ({ ...peering.body, properties: peeringProperties(peering, world) }),
  references: remoteKeys,
  shownElsewhere: remoteKeys,
};

/** With the state that the two sides make together. */
export function peeringProperties(peering: StoredResource, world: ResourceWorld): JsonObject {
  const remote = world.get(remoteOf(peering.body) ?? '');
  return {
    ...objectAt(peering.body, 'properties'),
    peeringState: peeringState(peering, world),
    peeringSyncLevel: 'FullyInSync',
    ...(remote === undefined
      ? {}
      : { remoteAddressSpace: objectAt(objectAt(remote.body, 'properties'), 'addressSpace') }),
  };
}

/** Whether two networks are peered in both directions. */
export function arePeered(left: string, right: string, world: ResourceWorld): boolean {
  return world
    .children(left, PEERING_TYPE)
    .some((peering) => remoteOf(peering.body)?.canonical === right && peeringState(peering, world) === 'Connected');
}

/** @throws ArmError when the other network is missing, or uses the same addresses. */
export function peeringBody(id: ArmId, requested: JsonObject, local: JsonObject, world: ResourceWorld): JsonObject {
  parseRequest(peeringSchema, requested);
  const remoteId = remoteOf(requested);
  if (remoteId?.canonicalType !== NETWORK_TYPE.toLowerCase()) {
    throw new ArmError(
      400,
      'InvalidResourceReference',
      `The remote network of the peering ${id.name} is no virtual network.`,
    );
  }
  const remote = world.get(remoteId);
  if (remote === undefined) {
    throw new ArmError(
      400,
      'InvalidResourceReference',
      `Resource ${remoteId.toString()} referenced by resource ${id.toString()} was not found. Please make sure that the ` +
        'referenced resource exists.',
    );
  }
  const theirs = rangesOf(remote.name, remote.body);
  if (rangesOf(id.parent?.name ?? '', local).some((range) => theirs.some((other) => overlap(range, other)))) {
    throw new ArmError(
      400,
      'VnetAddressSpacesOverlap',
      `Cannot create or update peering ${id.toString()}. Virtual networks ${id.parent?.toString() ?? ''} and ${remote.id} ` +
        'cannot be peered because their address spaces overlap.',
    );
  }
  const properties = objectAt(requested, 'properties');
  return {
    properties: {
      allowVirtualNetworkAccess: true,
      allowForwardedTraffic: false,
      allowGatewayTransit: false,
      useRemoteGateways: false,
      ...properties,
    },
  };
}

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  const network = world.get(id.parent ?? '');
  if (network === undefined) throw new TypeError(`The peering ${id.toString()} has no network`);
  const body = peeringBody(id, omit(requested, ['location', 'tags']), network.body, world);
  return { writes: [{ id, body, state: existing === undefined ? 'Creating' : 'Updating' }] };
}

function peeringState(peering: StoredResource, world: ResourceWorld): 'Initiated' | 'Connected' | 'Disconnected' {
  const remote = remoteOf(peering.body);
  if (remote === undefined || world.get(remote) === undefined) return 'Disconnected';
  const back = world
    .children(remote.canonical, PEERING_TYPE)
    .find((other) => remoteOf(other.body)?.canonical === peering.parentKey);
  return back === undefined ? 'Initiated' : 'Connected';
}

function remoteKeys(peering: JsonObject): string[] {
  const remote = remoteOf(peering);
  return remote === undefined ? [] : [remote.canonical];
}

function remoteOf(peering: JsonObject): ArmId | undefined {
  return ArmId.tryParse(textAt(objectAt(objectAt(peering, 'properties'), 'remoteVirtualNetwork'), 'id') ?? '');
}

function rangesOf(name: string, network: JsonObject): ReturnType<typeof addressRange>[] {
  const { addressPrefixes } = objectAt(objectAt(network, 'properties'), 'addressSpace');
  const prefixes = Array.isArray(addressPrefixes) ? addressPrefixes.filter((prefix) => typeof prefix === 'string') : [];
  return prefixes.map((prefix) => addressRange(prefix, name));
}
