import { deterministicUuid } from './deterministic-id.js';
import type { EstateFile } from './estate.schema.js';

/** How big an estate to make; counts are of the whole estate, `pools` of each cluster. */
export interface EstateSize {
  subscriptions: number;
  clusters: number;
  fleets: number;
  /** Clusters that are members of a fleet: at most all of them, and 1,000 a fleet. */
  members: number;
  pools: number;
  /** In each cluster, and enough nodes for them. */
  podsPerCluster: number;
  /** That the pods belong to; one for each twenty pods unless said otherwise. */
  deploymentsPerCluster: number;
  /** The same seed makes the same estate. */
  seed: number;
}

const DEFAULT_SIZE: EstateSize = {
  subscriptions: 1,
  clusters: 100,
  fleets: 4,
  members: 50,
  pools: 2,
  podsPerCluster: 0,
  deploymentsPerCluster: 0,
  seed: 1,
};
const PODS_OF_A_DEPLOYMENT = 20;
/** A node takes 250 pods in overlay networks; some of them are the system's. */
const PODS_OF_A_NODE = 100;
const LOCATIONS = [
  'eastus',
  'eastus2',
  'westeurope',
  'northeurope',
  'westus3',
  'japaneast',
  'uksouth',
  'swedencentral',
];
const ENVIRONMENTS = ['dev', 'test', 'staging', 'production'];
const TEAMS = ['payments', 'search', 'identity', 'web', 'data', 'platform'];
const VERSIONS = ['1.31.13', '1.32.9', '1.33.5', '1.34.2'];
const VM_SIZES = ['Standard_DS2_v2', 'Standard_D4s_v5', 'Standard_D8s_v5', 'Standard_E4as_v4', 'Standard_B2ms'];
const GROUP_SIZE = 50;
const MEMBERS_OF_A_FLEET = 1000;

/**
 * Reads `clusters=1000,fleets=20,members=500,pools=3,subscriptions=4,podsPerCluster=200,seed=7`; what is left out has its default, and
 * without `members` half of the clusters join.
 * @throws RangeError naming the part that cannot be read.
 */
export function parseEstateSize(text: string): EstateSize {
  const size: EstateSize = { ...DEFAULT_SIZE };
  const given = new Set<string>();
  for (const part of text.split(',').filter((entry) => entry.trim() !== '')) {
    const match = /^\s*([a-zA-Z]+)\s*=\s*(\d{1,7})\s*$/.exec(part);
    const name = match?.[1] ?? '';
    if (match === null || !(name in size)) {
      throw new RangeError(`"${part}" is none of ${Object.keys(size).join(', ')} with a whole number`);
    }
    size[name as keyof EstateSize] = Number(match[2]);
    given.add(name);
  }
  if (size.subscriptions < 1) throw new RangeError('there must be at least one subscription');
  if (size.deploymentsPerCluster > size.podsPerCluster) {
    throw new RangeError('each of the deployments of a cluster needs a pod');
  }
  if (size.pools < 1) throw new RangeError('a cluster has at least one pool');
  const most = Math.min(size.clusters, size.fleets * MEMBERS_OF_A_FLEET);
  if (!given.has('members')) size.members = Math.min(most, Math.ceil(size.clusters / 2));
  if (size.members > most)
    throw new RangeError(`${size.members} members need as many clusters, and a fleet for each 1,000`);
  return size;
}

/** A plausible estate of the size asked for; every cluster is in some group of at most 50. */
export function generateEstate(size: EstateSize): EstateFile {
  const random = generatorOf(size.seed);
  const subscriptions: GeneratedSubscription[] = [];
  for (let index = 0; index < size.subscriptions; index++) {
    subscriptions.push({
      subscriptionId: deterministicUuid(`subscription|${size.seed}|${index}`),
      displayName: `generated-${index + 1}`,
      registeredProviders: ['Microsoft.Compute', 'Microsoft.ContainerService', 'Microsoft.Network'],
      resourceGroups: [],
    });
  }
  const subscriptionOf = (index: number): GeneratedSubscription => subscriptions[index % subscriptions.length]!;

  const clusterIds: string[] = [];
  for (let index = 0; index < size.clusters; index++) {
    const subscription = subscriptionOf(index);
    const ordinal = Math.floor(index / subscriptions.length);
    const groupName = `clusters-${String(Math.floor(ordinal / GROUP_SIZE) + 1).padStart(3, '0')}`;
    const name = `aks-${String(index + 1).padStart(5, '0')}`;
    const group = groupOf(subscription, groupName, 'eastus');
    group.resources.push(clusterOf(name, size, random));
    clusterIds.push(
      `/subscriptions/${subscription.subscriptionId}/resourceGroups/${groupName}/providers/Microsoft.ContainerService/managedClusters/${name}`,
    );
  }
  for (let index = 0; index < size.fleets; index++) {
    const name = `fleet-${String(index + 1).padStart(3, '0')}`;
    const group = groupOf(subscriptionOf(index), 'fleets', 'eastus');
    group.resources.push({
      type: 'Microsoft.ContainerService/fleets',
      name,
      location: pick(LOCATIONS, random),
      tags: { team: pick(TEAMS, random) },
      ...(index % 2 === 0 ? { properties: { hubProfile: { dnsPrefix: name } } } : {}),
    });
    for (let member = index; member < size.members; member += size.fleets) {
      group.resources.push({
        type: 'Microsoft.ContainerService/fleets/members',
        name: `${name}/aks-${String(member + 1).padStart(5, '0')}`,
        properties: {
          clusterResourceId: clusterIds[member]!,
          group: pick(ENVIRONMENTS, random),
          labels: { ring: String(member % 3) },
        },
      });
    }
  }
  return {
    description: `Generated: ${JSON.stringify(size)}`,
    tenantId: deterministicUuid(`tenant|${size.seed}`),
    createdAt: '2026-01-01T00:00:00Z',
    subscriptions,
    ...workloadsOf(size),
  };
}

function workloadsOf({ podsPerCluster, deploymentsPerCluster }: EstateSize): Pick<EstateFile, 'workloads'> {
  if (podsPerCluster === 0) return {};
  const deployments =
    deploymentsPerCluster === 0 ? Math.ceil(podsPerCluster / PODS_OF_A_DEPLOYMENT) : deploymentsPerCluster;
  return { workloads: { deployments, pods: podsPerCluster } };
}

type GeneratedResource = NonNullable<
  NonNullable<EstateFile['subscriptions'][number]['resourceGroups']>[number]['resources']
>[number];

interface GeneratedGroup {
  name: string;
  location: string;
  resources: GeneratedResource[];
}

interface GeneratedSubscription {
  subscriptionId: string;
  displayName: string;
  registeredProviders: string[];
  resourceGroups: GeneratedGroup[];
}

function groupOf(subscription: GeneratedSubscription, name: string, location: string): GeneratedGroup {
  const present = subscription.resourceGroups.findLast((group) => group.name === name);
  if (present !== undefined) return present;
  const made: GeneratedGroup = { name, location, resources: [] };
  subscription.resourceGroups.push(made);
  return made;
}

function clusterOf(name: string, { pools, podsPerCluster }: EstateSize, random: () => number): GeneratedResource {
  const profiles = [];
  const nodesOfAPool = Math.ceil(podsPerCluster / PODS_OF_A_NODE / pools);
  for (let index = 0; index < pools; index++) {
    profiles.push({
      name: index === 0 ? 'system' : `user${index}`,
      mode: index === 0 ? 'System' : 'User',
      count: Math.max(1 + Math.floor(random() * 5), nodesOfAPool),
      vmSize: pick(VM_SIZES, random),
    });
  }
  return {
    type: 'Microsoft.ContainerService/managedClusters',
    name,
    location: pick(LOCATIONS, random),
    tags: { environment: pick(ENVIRONMENTS, random), team: pick(TEAMS, random) },
    identity: { type: 'SystemAssigned' },
    properties: { dnsPrefix: name, kubernetesVersion: pick(VERSIONS, random), agentPoolProfiles: profiles },
  };
}

function pick<T>(choices: readonly T[], random: () => number): T {
  return choices[Math.floor(random() * choices.length)] as T;
}

/** Mulberry32: small, fast, and the same everywhere. */
function generatorOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
