import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { numberAt, objectAt, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceWorld } from '../resource-type.descriptor.js';
import { AGENT_POOL_TYPE } from '../types/core-usage.js';
import { FLEET_TYPE } from '../types/fleet.family.js';
import { hubClusterId } from '../types/fleet.hub.js';
import { prefixesOf } from '../types/subnet.type.js';
import { arePeered } from '../types/virtual-network-peering.type.js';
import type { NodePool } from './controllers/node-pool.js';

export const CLUSTER_TYPE = 'microsoft.containerservice/managedclusters';

/** Where clusters without a subnet of their own have their nodes: AKS makes such a network for each. */
const OWN_NETWORK = '10.224.0.0/16';
const OVERLAY = '10.244.0.0/16';

/** Address ranges of a cluster, as CIDR. */
export interface ClusterAddresses {
  pods: string;
  nodes: string;
}

/** The control plane stands once Azure knows its host name; until then there is nothing to connect to. */
export function hasControlPlane(cluster: StoredResource): boolean {
  return textAt(propertiesOf(cluster), 'fqdn') !== undefined;
}

export function isStopped(cluster: StoredResource): boolean {
  return objectAt(propertiesOf(cluster), 'powerState').code === 'Stopped';
}

export function poolsOf(cluster: StoredResource, world: ResourceWorld): StoredResource[] {
  return world.children(cluster.key, AGENT_POOL_TYPE);
}

/** The fleet whose hub the cluster is. */
export function fleetOfHub(cluster: StoredResource, world: ResourceWorld): StoredResource | undefined {
  const group = world.get(`/subscriptions/${cluster.subscriptionId}/resourcegroups/${cluster.resourceGroup ?? ''}`);
  const fleet = world.get(textAt(group?.body, 'managedBy') ?? '');
  if (fleet?.type !== FLEET_TYPE.toLowerCase()) return undefined;
  return hubKey(fleet) === cluster.key ? fleet : undefined;
}

/** The key of the managed cluster that a fleet's hub is, if the fleet has one. */
export function hubKey(fleet: StoredResource): string | undefined {
  if (propertiesOf(fleet).hubProfile === undefined) return undefined;
  return hubClusterId(ArmId.parse(fleet.id), textAt(fleet.body, 'location') ?? '').canonical;
}

export function addressesOf(cluster: StoredResource, world: ResourceWorld): ClusterAddresses {
  const network = objectAt(propertiesOf(cluster), 'networkProfile');
  const pool = poolsOf(cluster, world)[0];
  const properties = objectAt(pool?.body, 'properties');
  const nodes = rangeOf(textAt(properties, 'vnetSubnetID'), world) ?? OWN_NETWORK;
  const ofPods = rangeOf(textAt(properties, 'podSubnetID'), world);
  return {
    nodes,
    pods: isFlat(cluster) ? (ofPods ?? nodes) : (textAt(network, 'podCidr') ?? OVERLAY),
  };
}

/** Whether pods of other members can reach the pods of this one: real addresses, in the same network or a peered one. */
export function isRoutable(cluster: StoredResource, others: readonly StoredResource[], world: ResourceWorld): boolean {
  if (!isFlat(cluster)) return false;
  const own = networkKeyOf(cluster, world);
  return others.filter(isFlat).every((other) => {
    const theirs = networkKeyOf(other, world);
    return theirs === own || (arePeered(own, theirs, world) && arePeered(theirs, own, world));
  });
}

/** A pool as its nodes are made from it; one that is stopped has none. */
export function nodePoolOf(pool: StoredResource): NodePool {
  const properties = objectAt(pool.body, 'properties');
  const stopped = objectAt(properties, 'powerState').code === 'Stopped';
  const version = textAt(properties, 'currentOrchestratorVersion');
  return {
    name: pool.name,
    count: stopped ? 0 : (numberAt(properties, 'count') ?? 0),
    vmSize: textAt(properties, 'vmSize') ?? '',
    mode: properties.mode === 'System' ? 'System' : 'User',
    osType: properties.osType === 'Windows' ? 'Windows' : 'Linux',
    // What a PUT lets through has been checked to be text.
    labels: objectAt(properties, 'nodeLabels') as Record<string, string>,
    taints: textsAt(properties, 'nodeTaints'),
    zones: textsAt(properties, 'availabilityZones'),
    maxPods: numberAt(properties, 'maxPods') ?? 30,
    ...(version === undefined ? {} : { kubernetesVersion: version }),
  };
}

function textsAt(properties: JsonObject, member: string): string[] {
  const list = properties[member];
  return Array.isArray(list) ? list.filter((item) => typeof item === 'string') : [];
}

/** Azure CNI that gives pods addresses of the network itself. */
function isFlat(cluster: StoredResource): boolean {
  const network = objectAt(propertiesOf(cluster), 'networkProfile');
  return network.networkPlugin === 'azure' && network.networkPluginMode !== 'overlay';
}

/** The virtual network of the nodes; a cluster without a subnet has a network of its own. */
function networkKeyOf(cluster: StoredResource, world: ResourceWorld): string {
  const pool = poolsOf(cluster, world)[0];
  const subnet = ArmId.tryParse(textAt(objectAt(pool?.body, 'properties'), 'vnetSubnetID') ?? '');
  return subnet?.parent?.canonical ?? `own network of ${cluster.key}`;
}

function rangeOf(subnetId: string | undefined, world: ResourceWorld): string | undefined {
  const subnet = subnetId === undefined ? undefined : world.get(subnetId);
  return subnet === undefined ? undefined : prefixesOf(subnet.body)[0];
}

function propertiesOf(resource: StoredResource): ReturnType<typeof objectAt> {
  return objectAt(resource.body, 'properties');
}
