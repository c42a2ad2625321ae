import { beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '#libs/kernel/clock.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { AzureState } from '../azure.state.js';
import { loadEstate } from '../estate.loader.js';
import { parseEstate } from '../estate.schema.js';
import { ResourceEngine } from '../resource.engine.js';
import type { StoredResource } from '../resource.store.js';
import { ResourceTypeRegistry } from '../resource-type.registry.js';
import { RESOURCE_TYPES } from '../resource-types.js';
import { DEFAULT_SETTINGS } from '../simulator.settings.js';
import { addressesOf, fleetOfHub, hubKey, isRoutable, nodePoolOf, poolsOf } from './managed-cluster.view.js';

const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/g`;
const NETWORKS = `${GROUP}/providers/Microsoft.Network/virtualNetworks`;

let state: AzureState;

function network(name: string, second: number): JsonObject {
  return {
    type: 'Microsoft.Network/virtualNetworks',
    name,
    location: 'eastus',
    properties: {
      addressSpace: { addressPrefixes: [`10.${second}.0.0/16`] },
      subnets: [
        { name: 'nodes', properties: { addressPrefix: `10.${second}.0.0/20` } },
        { name: 'pods', properties: { addressPrefix: `10.${second}.128.0/17` } },
      ],
    },
  };
}

function peering(from: string, to: string): JsonObject {
  return {
    type: 'Microsoft.Network/virtualNetworks/virtualNetworkPeerings',
    name: `${from}/to-${to}`,
    properties: { remoteVirtualNetwork: { id: `${NETWORKS}/${to}` } },
  };
}

function cluster(name: string, networkProfile: JsonObject, pool: JsonObject): JsonObject {
  return {
    type: 'Microsoft.ContainerService/managedClusters',
    name,
    location: 'eastus',
    identity: { type: 'SystemAssigned' },
    properties: {
      dnsPrefix: name,
      networkProfile,
      agentPoolProfiles: [{ name: 'p', mode: 'System', count: 2, ...pool }],
    },
  };
}

const flat = { networkPlugin: 'azure' };
const overlay = { networkPlugin: 'azure', networkPluginMode: 'overlay', podCidr: '192.168.0.0/16' };
const nodesOf = (name: string): JsonObject => ({ vnetSubnetID: `${NETWORKS}/${name}/subnets/nodes` });

beforeEach(() => {
  state = new AzureState(new ResourceTypeRegistry(RESOURCE_TYPES), new ManualClock(), { ...DEFAULT_SETTINGS });
  const resources = [
    network('one', 1),
    network('two', 2),
    network('three', 3),
    peering('one', 'two'),
    peering('two', 'one'),
    peering('one', 'three'),
    cluster('flat', flat, nodesOf('one')),
    cluster('beside', flat, { ...nodesOf('one'), podSubnetID: `${NETWORKS}/one/subnets/pods` }),
    cluster('peered', flat, nodesOf('two')),
    cluster('half', flat, nodesOf('three')),
    cluster('overlay', overlay, nodesOf('one')),
    cluster('default', {}, {}),
    cluster('alone', flat, {}),
    { type: 'Microsoft.ContainerService/fleets', name: 'f', location: 'eastus', properties: { hubProfile: {} } },
    { type: 'Microsoft.ContainerService/fleets', name: 'hubless', location: 'eastus', properties: {} },
  ];
  const groups = [{ name: 'g', location: 'eastus', resources }];
  const subscriptions = [{ subscriptionId: SUBSCRIPTION, displayName: 's', resourceGroups: groups }];
  const tenantId = '2f4a9838-26b7-47ee-be60-ccc1fdec5953';
  loadEstate(parseEstate({ tenantId, subscriptions }), state, new ResourceEngine(state));
});

function named(name: string, type = 'managedClusters'): StoredResource {
  const found = state.world.get(`${GROUP}/providers/Microsoft.ContainerService/${type}/${name}`);
  if (found === undefined) throw new TypeError(`There is no ${name}`);
  return found;
}

describe('addresses', () => {
  it.each([
    { name: 'flat', nodes: '10.1.0.0/20', pods: '10.1.0.0/20', reason: 'pods share the subnet of the nodes' },
    { name: 'beside', nodes: '10.1.0.0/20', pods: '10.1.128.0/17', reason: 'pods have a subnet of their own' },
    { name: 'overlay', nodes: '10.1.0.0/20', pods: '192.168.0.0/16', reason: 'pods are above the network' },
    { name: 'default', nodes: '10.224.0.0/16', pods: '10.244.0.0/16', reason: 'AKS makes an overlay by default' },
    { name: 'alone', nodes: '10.224.0.0/16', pods: '10.224.0.0/16', reason: 'a network that AKS makes' },
  ])('of $name: $reason', ({ name, nodes, pods }) => {
    expect(addressesOf(named(name), state.world)).toEqual({ nodes, pods });
  });
});

describe('pods can be reached from other members', () => {
  it.each([
    { name: 'flat', others: ['beside'], routable: true, reason: 'the same network' },
    { name: 'flat', others: ['peered'], routable: true, reason: 'peered both ways' },
    { name: 'flat', others: ['half'], routable: false, reason: 'peered one way only' },
    { name: 'flat', others: ['beside', 'alone'], routable: false, reason: 'one of them is elsewhere' },
    { name: 'flat', others: ['overlay'], routable: true, reason: 'an overlay beside it does not matter' },
    { name: 'overlay', others: ['flat'], routable: false, reason: 'addresses of an overlay mean nothing outside' },
    { name: 'default', others: [], routable: false, reason: 'an overlay, even alone' },
  ])('$name with $others: $routable ($reason)', ({ name, others, routable }) => {
    expect(
      isRoutable(
        named(name),
        others.map((other) => named(other)),
        state.world,
      ),
    ).toBe(routable);
  });
});

describe('hubs', () => {
  it('are told from clusters of their own, and fleets without one have none', () => {
    const key = hubKey(named('f', 'fleets')) ?? '';
    const hub = state.world.get(key);
    expect(hub?.name).toBe('hub');
    expect(fleetOfHub(hub ?? named('flat'), state.world)?.name).toBe('f');
    expect(fleetOfHub(named('flat'), state.world)).toBeUndefined();
    expect(hubKey(named('hubless', 'fleets'))).toBeUndefined();
  });
});

it('a pool is what its nodes are made from', () => {
  const pool = poolsOf(named('flat'), state.world)[0];
  expect(pool === undefined ? undefined : nodePoolOf(pool)).toMatchObject({
    name: 'p',
    count: 2,
    mode: 'System',
    osType: 'Linux',
    labels: {},
    taints: [],
    zones: [],
    kubernetesVersion: expect.stringMatching(/^1\.\d+\.\d+$/),
  });
});
