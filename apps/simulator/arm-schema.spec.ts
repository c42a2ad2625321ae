import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type JsonObject } from '#libs/kernel/json.js';
import { SCHEMAS_ARE_HERE, WHY_SKIPPED, schemaFaults } from './arm-schema.validator.js';
import {
  CLUSTERS_GROUP,
  CLUSTER_1,
  CLUSTER_2,
  FLEET,
  FLEETS_GROUP,
  MEMBER_1,
  POOL_1,
  SUBSCRIPTION,
  SimulatedAzure,
  itemsOf,
} from './simulated-azure.harness.js';

const provider = 'providers/Microsoft.ContainerService';
const CLUSTER_TYPE = 'Microsoft.ContainerService/managedClusters';
const POOL_TYPE = `${CLUSTER_TYPE}/agentPools`;
const FLEET_TYPE = 'Microsoft.ContainerService/fleets';
const MEMBER_TYPE = `${FLEET_TYPE}/members`;
const RUN_TYPE = `${FLEET_TYPE}/updateRuns`;
const STRATEGY_TYPE = `${FLEET_TYPE}/updateStrategies`;
const PROFILE_TYPE = `${FLEET_TYPE}/autoUpgradeProfiles`;
const NETWORK_TYPE = 'Microsoft.Network/virtualNetworks';
const SUBNET_TYPE = `${NETWORK_TYPE}/subnets`;
const ROLE_TYPE = 'Microsoft.Authorization/roleAssignments';
const NETWORK = `${CLUSTERS_GROUP}/providers/${NETWORK_TYPE}/demo-vnet`;
const ROLE = `${FLEET}/providers/${ROLE_TYPE}/00000000-0000-4000-8000-000000000001`;

let azure: SimulatedAzure;
beforeEach(async () => {
  azure = await SimulatedAzure.start();
});
afterEach(async () => azure.stop());

function expectFaultless(type: string, version: string, body: JsonObject): void {
  expect(schemaFaults(type, version, 'response', body)).toEqual([]);
}

const suite = SCHEMAS_ARE_HERE ? describe : describe.skip;

suite(SCHEMAS_ARE_HERE ? 'answers against the official ARM types' : WHY_SKIPPED, () => {
  const reads: { type: string; version: string; path: string; list: string }[] = [
    {
      type: CLUSTER_TYPE,
      version: '2026-04-01',
      path: CLUSTER_1,
      list: `/subscriptions/${SUBSCRIPTION}/${provider}/managedClusters`,
    },
    { type: POOL_TYPE, version: '2026-04-01', path: POOL_1, list: `${CLUSTER_1}/agentPools` },
    { type: FLEET_TYPE, version: '2026-06-01', path: FLEET, list: `${FLEETS_GROUP}/${provider}/fleets` },
    { type: FLEET_TYPE, version: '2025-03-01', path: FLEET, list: `/subscriptions/${SUBSCRIPTION}/${provider}/fleets` },
    { type: MEMBER_TYPE, version: '2026-06-01', path: MEMBER_1, list: `${FLEET}/members` },
    { type: MEMBER_TYPE, version: '2025-03-01', path: MEMBER_1, list: `${FLEET}/members` },
    {
      type: NETWORK_TYPE,
      version: '2025-05-01',
      path: NETWORK,
      list: `/subscriptions/${SUBSCRIPTION}/providers/${NETWORK_TYPE}`,
    },
    { type: SUBNET_TYPE, version: '2025-05-01', path: `${NETWORK}/subnets/demo-aks01`, list: `${NETWORK}/subnets` },
  ];
  it.each(reads)('GET and list of $type at $version', async ({ type, version, path, list }) => {
    expectFaultless(type, version, (await azure.get(path, version)).body);
    const items = itemsOf(await azure.get(list, version));
    expect(items).not.toEqual([]);
    for (const item of items) expectFaultless(type, version, item);
  });

  const clusterBody = {
    location: 'eastus',
    identity: { type: 'SystemAssigned' },
    properties: {
      dnsPrefix: 'new',
      agentPoolProfiles: [{ name: 'system', mode: 'System', count: 1 }],
      aadProfile: { managed: true },
    },
  };
  const writes: { type: string; version: string; path: string; body: JsonObject }[] = [
    {
      type: CLUSTER_TYPE,
      version: '2026-04-01',
      path: `${CLUSTERS_GROUP}/${provider}/managedClusters/new`,
      body: clusterBody,
    },
    { type: POOL_TYPE, version: '2026-04-01', path: `${CLUSTER_1}/agentPools/new`, body: { properties: { count: 0 } } },
    {
      type: FLEET_TYPE,
      version: '2026-06-01',
      path: `${FLEETS_GROUP}/${provider}/fleets/new`,
      body: { location: 'eastus', properties: { hubProfile: {} } },
    },
    {
      type: FLEET_TYPE,
      version: '2025-03-01',
      path: `${FLEETS_GROUP}/${provider}/fleets/new`,
      body: { location: 'eastus', identity: { type: 'SystemAssigned' } },
    },
    {
      type: MEMBER_TYPE,
      version: '2026-06-01',
      path: `${FLEET}/members/new`,
      body: { properties: { clusterResourceId: CLUSTER_2, labels: { a: 'b' } } },
    },
    {
      type: MEMBER_TYPE,
      version: '2025-03-01',
      path: `${FLEET}/members/new`,
      body: { properties: { clusterResourceId: CLUSTER_2, group: 'a' } },
    },
    ...['2025-03-01', '2026-06-01'].flatMap((version) => [
      {
        type: RUN_TYPE,
        version,
        path: `${FLEET}/updateRuns/new`,
        body: {
          properties: {
            managedClusterUpdate: {
              upgrade: { type: 'Full', kubernetesVersion: '1.34.2' },
              nodeImageSelection: { type: 'Consistent' },
            },
          },
        },
      },
      {
        type: STRATEGY_TYPE,
        version,
        path: `${FLEET}/updateStrategies/new`,
        body: {
          properties: {
            strategy: { stages: [{ name: 'a', groups: [{ name: 'g' }], afterStageWaitInSeconds: 60 }] },
          },
        },
      },
      {
        type: PROFILE_TYPE,
        version,
        path: `${FLEET}/autoUpgradeProfiles/new`,
        body: { properties: { channel: 'Stable', nodeImageSelection: { type: 'Latest' }, disabled: false } },
      },
    ]),
    {
      type: NETWORK_TYPE,
      version: '2025-05-01',
      path: `${CLUSTERS_GROUP}/providers/${NETWORK_TYPE}/new`,
      body: {
        location: 'eastus',
        properties: {
          addressSpace: { addressPrefixes: ['10.0.0.0/16'] },
          subnets: [{ name: 'a', properties: { addressPrefix: '10.0.0.0/24' } }],
          virtualNetworkPeerings: [
            { name: 'to-demo', properties: { remoteVirtualNetwork: { id: NETWORK }, allowForwardedTraffic: true } },
          ],
        },
      },
    },
    {
      type: SUBNET_TYPE,
      version: '2025-05-01',
      path: `${NETWORK}/subnets/new`,
      body: {
        properties: {
          addressPrefix: '10.226.0.0/24',
          delegations: [{ name: 'aci', properties: { serviceName: 'Microsoft.ContainerInstance/containerGroups' } }],
        },
      },
    },
  ];
  it.each(writes)(
    'PUT of $type at $version, while it runs, when it has failed, and when it is done',
    async ({ type, version, path, body }) => {
      expect(schemaFaults(type, version, 'request', body)).toEqual([]);
      const failure = { match: { resourceId: path }, error: { code: 'SubnetIsFull', message: 'full' } };
      await azure.control('POST', '/operations/fail-next', failure);
      const created = await azure.put(path, version, body);
      expect(created.status).toBe(201);
      expectFaultless(type, version, created.body);
      azure.finishOperations();
      expectFaultless(type, version, (await azure.get(path, version)).body);
      const again = await azure.put(path, version, body);
      expect(again.status).toBe(200);
      expectFaultless(type, version, again.body);
      azure.finishOperations();
      expectFaultless(type, version, (await azure.get(path, version)).body);
    },
  );

  it.each(['2025-03-01', '2026-06-01'])('an update run of every state at %s', async (version) => {
    const run = `${FLEET}/updateRuns/played`;
    await azure.send('PATCH', MEMBER_1, { version, body: { properties: { group: 'g' } } });
    azure.finishOperations();
    const strategy = { stages: [{ name: 'a', groups: [{ name: 'g' }], afterStageWaitInSeconds: 60 }] };
    const upgrade = { type: 'Full', kubernetesVersion: '1.34.2' };
    await azure.put(run, version, { properties: { strategy, managedClusterUpdate: { upgrade } } });
    azure.finishOperations();
    const error = { code: 'PodDrainFailure', message: 'pdb' };
    await azure.control('POST', '/operations/fail-next', { match: { resourceId: CLUSTER_1 }, error });
    const seen: unknown[] = [];
    for (const action of ['start', 'start'] as const) {
      await azure.send('POST', `${run}/${action}`, { version });
      for (let look = 0; look < 4; look++) {
        azure.finishOperations();
        const { body } = await azure.get(run, version);
        expectFaultless(RUN_TYPE, version, body);
        seen.push((body.properties as { status: { status: { state: string } } }).status.status.state);
      }
    }
    azure.clock.advance(60_000);
    const { body } = await azure.get(run, version);
    expectFaultless(RUN_TYPE, version, body);
    expect(new Set(seen)).toEqual(new Set(['Running', 'Failed']));
    expect(body).toMatchObject({ properties: { status: { status: { state: 'Completed' } } } });
  });

  it('PUT, GET, list and DELETE of a role assignment', async () => {
    const body = {
      properties: {
        roleDefinitionId: `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/18ab4d3d-a1bf-4477-8ad9-8359bc988f69`,
        principalId: '00000000-0000-4000-8000-000000000002',
      },
    };
    const version = '2022-04-01';
    expect(schemaFaults(ROLE_TYPE, version, 'request', body)).toEqual([]);
    expectFaultless(ROLE_TYPE, version, (await azure.put(ROLE, version, body)).body);
    expectFaultless(ROLE_TYPE, version, (await azure.get(ROLE, version)).body);
    const items = itemsOf(await azure.get(`${FLEET}/providers/${ROLE_TYPE}`, version));
    expect(items).toHaveLength(1);
    for (const item of items) expectFaultless(ROLE_TYPE, version, item);
    expectFaultless(ROLE_TYPE, version, (await azure.send('DELETE', ROLE, { version })).body);
  });

  it('a fleet that is going away is still a fleet', async () => {
    expectFaultless(FLEET_TYPE, '2026-06-01', (await azure.send('DELETE', FLEET, { version: '2026-06-01' })).body);
  });

  it('a validator that lets everything pass would prove nothing', () => {
    expect(schemaFaults(FLEET_TYPE, '2026-06-01', 'response', { type: FLEET_TYPE, surprise: 1 })).toHaveLength(1);
    expect(schemaFaults(MEMBER_TYPE, '2025-03-01', 'response', { properties: { labels: {} } })).toHaveLength(1);
  });
});
