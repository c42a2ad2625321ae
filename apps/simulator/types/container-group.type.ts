import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { ArmError } from '../arm-error.js';
import { deterministicHex } from '../deterministic-id.js';
import { mergePatch, numberAt, objectAt, objectsAt, omit, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type {
  ActionOutcome,
  ActionRequest,
  OperationProtocol,
  ResourceTypeDescriptor,
  ResourceWorld,
  WritePlan,
  WriteRequest,
} from '../resource-type.descriptor.js';
import { parseAddressRange } from './address-range.js';
import { parseRequest } from './fleet.family.js';
import { SUBNET_TYPE } from './network.family.js';
import { containerLink, linksOf } from './service-association-link.js';
import { ACI_DELEGATION, delegationsOf } from './subnet.delegation.js';
import { prefixesOf } from './subnet.type.js';

export const CONTAINER_GROUP_TYPE = 'Microsoft.ContainerInstance/containerGroups';

const NAME_PATTERN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const NAME_LENGTH = 63;
/** Of every subnet Azure keeps the first four addresses and the last. */
const FIRST_FREE = 4;
/** What one group can have at most. */
export const LARGEST_GROUP = { cpu: 4, memoryInGB: 16 };

const containerSchema = z.looseObject({
  name: z.string(),
  properties: z.looseObject({
    image: z.string().min(1),
    resources: z.looseObject({
      requests: z.looseObject({ cpu: z.number().positive(), memoryInGB: z.number().positive() }),
      limits: z.looseObject({ cpu: z.number().optional(), memoryInGB: z.number().optional() }).optional(),
    }),
  }),
});

const groupSchema = z.looseObject({
  properties: z.looseObject({
    containers: z.array(containerSchema).min(1),
    initContainers: z
      .array(z.looseObject({ name: z.string(), properties: z.looseObject({ image: z.string().min(1) }) }))
      .optional(),
    osType: z.enum(['Linux', 'Windows']),
    restartPolicy: z.enum(['Always', 'OnFailure', 'Never']).optional(),
    subnetIds: z.array(z.looseObject({ id: z.string() })).optional(),
    imageRegistryCredentials: z.array(z.looseObject({ server: z.string() })).optional(),
    ipAddress: z.looseObject({ type: z.enum(['Public', 'Private']) }).optional(),
  }),
});

type GroupProperties = z.infer<typeof groupSchema>['properties'];

/** PUT names the operation's URL; DELETE shows the group once more and answers by its `Location`. */
const PROTOCOLS: ResourceTypeDescriptor['protocols'] = {
  put: {
    status: 'created-or-ok',
    body: 'resource',
    asyncOperation: true,
    location: false,
    retryAfterSeconds: 5,
  },
  patch: { status: 200, body: 'resource', asyncOperation: false, location: false, immediate: true },
  delete: { status: 202, body: 'resource', asyncOperation: true, location: true, retryAfterSeconds: 5 },
};
const RESTART: OperationProtocol = { status: 202, body: 'empty', asyncOperation: true, location: true };

/** Groups of containers on Azure Container Instances. */
export const containerGroupType: ResourceTypeDescriptor = {
  type: CONTAINER_GROUP_TYPE,
  apiVersions: ['2021-09-01', '2021-10-01', '2022-09-01', '2023-05-01'],
  tracked: true,
  graphTable: 'resources',
  errorShape: 'standard',
  members: ['identity', 'zones'],
  readOnly: ['properties.instanceView'],
  derived: ['properties.instanceView'],
  hidesSystemData: true,
  protocols: PROTOCOLS,
  recordsLastOperation: false,
  actions: new Map<string, (request: ActionRequest) => ActionOutcome>([
    ['start', (request) => power(request, 'Running')],
    ['stop', (request) => power(request, 'Stopped')],
    ['restart', restart],
  ]),

  validateName(name) {
    if (name.length <= NAME_LENGTH && NAME_PATTERN.test(name)) return;
    throw new ArmError(
      400,
      'InvalidContainerGroupName',
      `The container group name '${name}' is invalid. It must match '${NAME_PATTERN.source}' and be no longer than ${NAME_LENGTH} characters.`,
    );
  },
  planPut,
  planPatch({ id, requested, existing }) {
    const tags = mergePatch(objectAt(existing.body, 'tags'), objectAt(requested, 'tags'));
    return { writes: [{ id, body: { ...existing.body, tags }, state: 'Succeeded' }] };
  },
  planDelete: (group, id) => ({
    writes: [{ id, body: group.body, state: 'Deleting' }],
    removes: [{ id, state: 'Deleting' }],
  }),
  conflict(target, intent, running) {
    if (intent === 'delete') return undefined;
    return new ArmError(
      409,
      'ContainerGroupTransitioning',
      `The container group '${target.name}' is still transitioning (${running.runningState}), please retry later.`,
    );
  },
  present: (group) => ({
    ...group.body,
    properties: { ...withoutPasswords(objectAt(group.body, 'properties')), ...shownContainers(group) },
  }),
  references: (body) => subnetIdsOf(body),
};

/** The lower-case ids of the subnets that a group has its address in. */
export function subnetIdsOf(body: JsonObject): string[] {
  return objectsAt(objectAt(body, 'properties'), 'subnetIds').map((subnet) =>
    (textAt(subnet, 'id') ?? '').toLowerCase(),
  );
}

/** Groups of a region: what the regional quota counts. */
export function containerGroupsIn(world: ResourceWorld, subscriptionId: string, location: string): StoredResource[] {
  return world
    .ofSubscription(CONTAINER_GROUP_TYPE, subscriptionId)
    .filter((group) => textAt(group.body, 'location') === location);
}

/** In cores, without a long tail. */
export function coresOfGroups(groups: readonly { body: JsonObject }[]): number {
  const containers = groups.flatMap(({ body }) => objectsAt(objectAt(body, 'properties'), 'containers'));
  return hundredths(containers.map((container) => numberAt(requestsOf(container), 'cpu') ?? 0));
}

function requestsOf(container: JsonObject): JsonObject {
  return objectAt(objectAt(objectAt(container, 'properties'), 'resources'), 'requests');
}

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  const { properties } = parseRequest(groupSchema, requested);
  const location = canonicalLocation(textAt(requested, 'location') ?? '');
  const sent = objectAt(requested, 'properties');
  requireRegion(location, world);
  requireSize(id.name, properties, location);
  requireImages(id.name, properties);
  if (existing === undefined)
    requireQuota(id.subscriptionId ?? '', location, coresOfGroups([{ body: requested }]), world);
  const subnets = (properties.subnetIds ?? []).map((subnet) => requireSubnet(subnet.id, world));
  const first = subnets[0];
  const address =
    first === undefined ? publicAddress(id.canonical, sent) : privateAddress(id.canonical, first, sent, world);
  const body: JsonObject = {
    ...omit(requested, ['properties']),
    location,
    properties: {
      sku: 'Standard',
      restartPolicy: 'Always',
      ...sent,
      ...(address === undefined ? {} : { ipAddress: address }),
    },
    // When its containers began is part of what it is, and nothing that a caller sends.
    simulation: { restarts: 0, power: 'Running' },
  };
  return {
    writes: [{ id, body, state: existing === undefined ? 'Creating' : 'Updating' }],
    merges: subnets.flatMap((subnet) => linking(subnet, world)),
  };
}

/** The first group in a subnet puts the link there that outlives all of them. */
function linking(subnet: StoredResource, world: ResourceWorld): NonNullable<WritePlan['merges']> {
  if (linksOf(subnet.body).length > 0 || world.referring(CONTAINER_GROUP_TYPE, subnet.key).length > 0) return [];
  const patch = { properties: { serviceAssociationLinks: [containerLink(subnet.id)] } };
  return [{ id: ArmId.parse(subnet.id), patch }];
}

function requireRegion(location: string, world: ResourceWorld): void {
  if (world.offersContainerInstances(location)) return;
  throw new ArmError(
    409,
    'LocationNotAvailableForResourceType',
    `The provided location '${location}' is not available for resource type '${CONTAINER_GROUP_TYPE}'.`,
  );
}

/** @throws ArmError as Container Instances words it. */
function requireSize(group: string, { containers, subnetIds = [] }: GroupProperties, location: string): void {
  const requests = containers.map(({ properties }) => properties.resources.requests);
  const total = {
    cpu: hundredths(requests.map(({ cpu }) => cpu)),
    memoryInGB: hundredths(requests.map(({ memoryInGB }) => memoryInGB)),
  };
  for (const { name, properties } of containers) {
    const { limits } = properties.resources;
    for (const [member, shown] of [
      ['cpu', 'Cpu'],
      ['memoryInGB', 'MemoryInGB'],
    ] as const) {
      const limit = limits?.[member] ?? 0;
      if (limit <= total[member]) continue;
      throw new ArmError(
        400,
        'ContainerLimitGreaterThanContainerGroupTotalRequest',
        `The '${shown}' limit '${limit}' in container '${name}' is greater than the total request '${total[member]}' of container group '${group}'.`,
      );
    }
  }
  if (total.cpu <= LARGEST_GROUP.cpu && total.memoryInGB <= LARGEST_GROUP.memoryInGB) return;
  throw new ArmError(
    409,
    'ServiceUnavailable',
    `The requested resource is not available in the location '${location}' at this moment. Please retry with a different ` +
      `resource request or in another location. Resource requested: '${total.cpu}' CPU '${total.memoryInGB}' GB memory 'Linux' OS` +
      (subnetIds.length > 0 ? ' virtual network' : ''),
  );
}

/** Sums without a long tail. */
function hundredths(amounts: readonly number[]): number {
  return Math.round(amounts.reduce((sum, amount) => sum + amount, 0) * 100) / 100;
}

/** Images of private registries need a credential for the very host that the image is named after. */
function requireImages(group: string, properties: GroupProperties): void {
  const servers = (properties.imageRegistryCredentials ?? []).map(({ server }) => server.toLowerCase());
  for (const { properties: container } of [...(properties.initContainers ?? []), ...properties.containers]) {
    const host = container.image.split('/')[0]?.toLowerCase() ?? '';
    if (!host.endsWith('.azurecr.io') || servers.includes(host)) continue;
    throw inaccessibleImage(group, container.image);
  }
}

export function inaccessibleImage(group: string, image: string): ArmError {
  return new ArmError(
    400,
    'InaccessibleImage',
    `The image '${image}' in container group '${group}' is not accessible. Please check the image and registry credential.`,
  );
}

function requireQuota(subscriptionId: string, location: string, cores: number, world: ResourceWorld): void {
  const groups = containerGroupsIn(world, subscriptionId, location);
  for (const { quota, limit, used, requested } of [
    { quota: 'ContainerGroups', limit: world.containerGroupLimit(), used: groups.length, requested: 1 },
    { quota: 'StandardCores', limit: world.containerCoreLimit(), used: coresOfGroups(groups), requested: cores },
  ]) {
    if (used + requested <= limit) continue;
    throw new ArmError(
      400,
      'ContainerGroupQuotaReached',
      `Resource type '${CONTAINER_GROUP_TYPE}' container group quota '${quota}' exceeded in region '${location}'. ` +
        `Limit: '${limit}', Usage: '${used}' Requested: '${requested}'.`,
    );
  }
}

function requireSubnet(subnetId: string, world: ResourceWorld): StoredResource {
  const subnet = world.get(subnetId);
  if (subnet?.type !== SUBNET_TYPE.toLowerCase()) {
    throw new ArmError(400, 'SubnetNotFound', `The subnet '${subnetId}' could not be found.`);
  }
  if (delegationsOf(subnet.body).includes(ACI_DELEGATION.toLowerCase())) return subnet;
  throw new ArmError(
    400,
    'SubnetMissingRequiredDelegation',
    `Subnet '${subnet.id}' requires the delegation '${ACI_DELEGATION}' to be used by a container group.`,
  );
}

/** The first address of the subnet that no other group has. @throws ArmError SubnetIsFull */
function privateAddress(key: string, subnet: StoredResource, sent: JsonObject, world: ResourceWorld): JsonObject {
  const taken = new Set(
    world
      .referring(CONTAINER_GROUP_TYPE, subnet.key)
      .filter((group) => group.key !== key)
      .map((group) => textAt(objectAt(objectAt(group.body, 'properties'), 'ipAddress'), 'ip')),
  );
  for (const prefix of prefixesOf(subnet.body)) {
    const range = parseAddressRange(prefix);
    if (range === undefined) continue;
    for (let address = range.first + FIRST_FREE; address < range.last; address++) {
      const ip = [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
      if (!taken.has(ip)) return { ports: portsOf(sent), ...objectAt(sent, 'ipAddress'), type: 'Private', ip };
    }
  }
  throw new ArmError(
    400,
    'SubnetIsFull',
    `Subnet ${subnet.name} with address prefix ${prefixesOf(subnet.body).join(', ')} does not have enough capacity for 1 IP addresses.`,
  );
}

/** A group outside of any network is reachable from everywhere, where it asks for an address at all. */
function publicAddress(key: string, sent: JsonObject): JsonObject | undefined {
  const wanted = objectAt(sent, 'ipAddress');
  if (textAt(wanted, 'type') !== 'Public') return undefined;
  const [second = 0, third = 0, fourth = 0] = Buffer.from(deterministicHex(`address|${key}`, 8), 'hex');
  return { ports: portsOf(sent), ...wanted, ip: `52.${second}.${third}.${(fourth % 254) + 1}` };
}

function portsOf(sent: JsonObject): JsonObject[] {
  return objectsAt(sent, 'containers').flatMap((container) => objectsAt(objectAt(container, 'properties'), 'ports'));
}

function withoutPasswords(properties: JsonObject): JsonObject {
  const credentials = objectsAt(properties, 'imageRegistryCredentials');
  if (credentials.length === 0) return properties;
  return { ...properties, imageRegistryCredentials: credentials.map((credential) => omit(credential, ['password'])) };
}

/** What the group and each of its containers are doing. */
function shownContainers(group: StoredResource): JsonObject {
  const properties = objectAt(group.body, 'properties');
  const { restarts, power: wanted } = objectAt(group.body, 'simulation');
  const state = stateOf(properties, wanted === 'Stopped');
  const startTime = group.modifiedAt;
  return {
    instanceView: { events: [], state },
    containers: objectsAt(properties, 'containers').map((container) => ({
      ...container,
      properties: {
        ...objectAt(container, 'properties'),
        ...(state === 'Pending'
          ? {}
          : {
              instanceView: {
                restartCount: typeof restarts === 'number' ? restarts : 0,
                currentState:
                  state === 'Running'
                    ? { state: 'Running', startTime, detailStatus: '' }
                    : { state: 'Terminated', startTime, exitCode: state === 'Succeeded' ? 0 : 1, detailStatus: state },
                events: [],
              },
            }),
      },
    })),
  };
}

function stateOf(properties: JsonObject, isStopped: boolean): string {
  switch (textAt(properties, 'provisioningState')) {
    case 'Succeeded':
    case 'Updating':
    case 'Deleting':
      return isStopped ? 'Stopped' : 'Running';
    case 'Failed':
    case 'Canceled':
      return 'Failed';
    default:
      return 'Pending';
  }
}

/** The state of a stored group: `Pending`, `Running`, `Stopped` or `Failed`. */
export function containerGroupState(group: StoredResource): string {
  return stateOf(objectAt(group.body, 'properties'), objectAt(group.body, 'simulation').power === 'Stopped');
}

function power({ id, resource }: ActionRequest, wanted: 'Running' | 'Stopped'): ActionOutcome {
  const body = { ...resource.body, simulation: { ...objectAt(resource.body, 'simulation'), power: wanted } };
  if (wanted === 'Running') {
    return { kind: 'operation', protocol: RESTART, plan: { writes: [{ id, body, state: 'Updating' }] } };
  }
  const patch = { simulation: { power: wanted } };
  return {
    kind: 'operation',
    protocol: RESTART,
    plan: { writes: [{ id, body: resource.body, state: 'Updating' }], merges: [{ id, patch }] },
  };
}

function restart({ id, resource }: ActionRequest): ActionOutcome {
  const simulation = objectAt(resource.body, 'simulation');
  const body = {
    ...resource.body,
    simulation: { ...simulation, restarts: (numberAt(simulation, 'restarts') ?? 0) + 1 },
  };
  return { kind: 'operation', protocol: RESTART, plan: { writes: [{ id, body, state: 'Updating' }] } };
}
