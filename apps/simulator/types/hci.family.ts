import type { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { ArmError } from '../arm-error.js';
import { numberAt, objectAt, objectsAt, textAt } from '../json-merge.js';
import type { LongRunningOperation } from '../long-running-operation.store.js';
import type { StoredResource } from '../resource.store.js';
import type { OperationProtocol, ResourceWorld } from '../resource-type.descriptor.js';
import { CUSTOM_LOCATION_TYPE, badRequest } from './arc.family.js';

/** What the types of AKS on Azure Stack HCI have in common. */

export const HCI_API_VERSIONS = ['2024-01-01'];
export const INSTANCE_TYPE = 'Microsoft.HybridContainerService/provisionedClusterInstances';
export const HCI_POOL_TYPE = 'Microsoft.HybridContainerService/provisionedClusterInstances/agentPools';
export const VERSIONS_TYPE = 'Microsoft.HybridContainerService/kubernetesVersions';
export const SKUS_TYPE = 'Microsoft.HybridContainerService/skus';
export const LOGICAL_NETWORK_TYPE = 'Microsoft.AzureStackHCI/logicalNetworks';

/** Whatever there is one of below its parent has this name. */
export const DEFAULT_NAME = 'default';

export const HCI_PROTOCOLS: { put: OperationProtocol; patch: OperationProtocol; delete: OperationProtocol } = {
  put: { status: 'created-or-ok', body: 'resource', asyncOperation: true, location: true },
  patch: { status: 202, body: 'resource', asyncOperation: true, location: true },
  delete: { status: 202, body: 'null', asyncOperation: true, location: true },
};

/** What one host carries. */
export const MOST_CLUSTERS = 32;
export const MOST_NODES = 64;

/** One change of a cluster at a time, its pools included. Neither the status nor the code is recorded. */
export function hciConflict(_target: ArmId, _intent: string, running: LongRunningOperation): ArmError | undefined {
  if (!running.targetType.startsWith('microsoft.hybridcontainerservice/') || running.action.startsWith('list'))
    return undefined;
  return new ArmError(
    409,
    'Conflict',
    `Another operation (${running.id}: ${running.action}) is in progress on '${running.targetName}', which is ` +
      `${running.runningState}. Please wait for it to finish before starting a new operation.`,
  );
}

export function validateDefaultName(name: string): void {
  if (name.toLowerCase() === DEFAULT_NAME) return;
  throw badRequest('InvalidResourceName', `The name '${name}' must be '${DEFAULT_NAME}'.`, 'name');
}

/** The custom location that a body names. @throws ArmError */
export function customLocationOf(body: JsonObject, world: ResourceWorld): StoredResource {
  const extended = objectAt(body, 'extendedLocation');
  const name = textAt(extended, 'name') ?? '';
  const location = world.get(name);
  if (location?.type !== CUSTOM_LOCATION_TYPE.toLowerCase()) {
    throw badRequest('InvalidExtendedLocation', `'${name}' is not a custom location.`, 'extendedLocation.name');
  }
  return location;
}

/** The connected cluster that an instance or a pool of one belongs to. */
export function connectedClusterOf(id: ArmId, world: ResourceWorld): StoredResource | undefined {
  const instance = id.canonicalType === HCI_POOL_TYPE.toLowerCase() ? id.parent : id;
  return world.get(instance?.parent?.canonical ?? '');
}

export function instanceOf(cluster: StoredResource, world: ResourceWorld): StoredResource | undefined {
  return world.children(cluster.key, INSTANCE_TYPE)[0];
}

export function poolsOfInstance(instance: StoredResource, world: ResourceWorld): StoredResource[] {
  return world.children(instance.key, HCI_POOL_TYPE);
}

/** Machines that have an address of the network: control plane, load balancer and nodes. */
export function machinesOf(instance: StoredResource, world: ResourceWorld): number {
  const properties = objectAt(instance.body, 'properties');
  const balancers = numberAt(objectAt(objectAt(properties, 'networkProfile'), 'loadBalancerProfile'), 'count') ?? 0;
  const nodes = poolsOfInstance(instance, world).reduce(
    (sum, pool) => sum + (numberAt(objectAt(pool.body, 'properties'), 'count') ?? 0),
    0,
  );
  return (numberAt(objectAt(properties, 'controlPlane'), 'count') ?? 0) + balancers + nodes;
}

/** The logical networks of an instance, in lower case. */
export function networksOf(body: JsonObject): string[] {
  const network = objectAt(objectAt(objectAt(body, 'properties'), 'cloudProviderProfile'), 'infraNetworkProfile');
  const ids = network.vnetSubnetIds;
  return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string').map((id) => id.toLowerCase()) : [];
}

export function profilesOf(body: JsonObject): JsonObject[] {
  return objectsAt(objectAt(body, 'properties'), 'agentPoolProfiles');
}
