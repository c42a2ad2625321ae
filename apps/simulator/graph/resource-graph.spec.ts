import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type JsonObject } from '#libs/kernel/json.js';
import {
  CLUSTER_1,
  CLUSTER_2,
  FLEET,
  FLEET_VERSION,
  MEMBER_1,
  POOL_1,
  AKS_VERSION,
  SUBSCRIPTION,
  SimulatedAzure,
  codeOf,
} from '../simulated-azure.harness.js';

const CLUSTERS = "resources | where type =~ 'Microsoft.ContainerService/managedClusters'";

let azure: SimulatedAzure;
beforeEach(async () => {
  azure = await SimulatedAzure.start();
});
afterEach(async () => azure.stop());

async function rows(query: string): Promise<JsonObject[]> {
  const answer = await azure.query(query);
  expect(answer.text).not.toContain('"error"');
  return answer.body.data as JsonObject[];
}

describe('Resource Graph', () => {
  it('has clusters and fleets in resources, with types in lower case and pools inline', async () => {
    const [row] = await rows(`${CLUSTERS} and name == 'demo-aks01'`);
    expect(row).toMatchObject({
      type: 'microsoft.containerservice/managedclusters',
      resourceGroup: 'demo_aks01',
      subscriptionId: SUBSCRIPTION,
      location: 'eastus',
      tags: { team: 'platform' },
      properties: { agentPoolProfiles: [{ name: 'nodepool1', count: 1 }] },
    });
    expect(await rows("resources | where type =~ 'microsoft.containerservice/fleets' | project name")).toEqual([
      { name: 'aks-fleet01' },
    ]);
    expect(await rows("resources | where type endswith 'agentpools'")).toEqual([]);
  });

  it('has members in aksresources, found by their cluster', async () => {
    const query = `aksresources | where type =~ 'microsoft.containerservice/fleets/members' and properties.clusterResourceId =~ '${CLUSTER_1}' | project id`;
    expect(await rows(query)).toEqual([{ id: MEMBER_1 }]);
  });

  it('has subscriptions and resource groups in resourcecontainers', async () => {
    const groups =
      "resourcecontainers | where type == 'microsoft.resources/subscriptions/resourcegroups' | project name | order by name asc";
    expect((await rows(groups)).map((row) => row.name)).toContain('demo_aks01');
    expect(await rows("ResourceContainers | where type == 'microsoft.resources/subscriptions' | project name")).toEqual(
      [{ name: 'Pilothouse demo' }],
    );
  });

  it('answers as 2021-03-01 and 2022-10-01 too', async () => {
    for (const version of ['2021-03-01', '2022-10-01']) {
      const answer = await azure.send('POST', '/providers/microsoft.resourcegraph/resources', {
        version,
        body: { query: 'resources | count' },
      });
      expect(answer.body.data).toEqual([{ Count: 5 }]);
    }
  });
});

describe('paging', () => {
  it('gives a $skipToken while rows that carry their id remain', async () => {
    const query = `${CLUSTERS} | project id | order by id asc`;
    const first = await azure.query(query, { $top: 2 });
    expect(first.body).toMatchObject({ totalRecords: 3, count: 2, resultTruncated: 'true' });
    const second = await azure.query(query, { $top: 2, $skipToken: first.body.$skipToken as string });
    expect(second.body).toMatchObject({ totalRecords: 3, count: 1, resultTruncated: 'false' });
    expect(second.body).not.toHaveProperty('$skipToken');
    const seen = [...(first.body.data as JsonObject[]), ...(second.body.data as JsonObject[])];
    expect(new Set(seen.map((row) => row.id)).size).toBe(3);
  });

  it('says that rows are missing but not how to get them when the id is not projected', async () => {
    const answer = await azure.query(`${CLUSTERS} | project name`, { $top: 1 });
    expect(answer.body).toMatchObject({ count: 1, resultTruncated: 'true' });
    expect(answer.body).not.toHaveProperty('$skipToken');
  });

  it('skips', async () => {
    const answer = await azure.query(`${CLUSTERS} | project name | order by name asc`, { $skip: 2 });
    expect(answer.body.data).toEqual([{ name: 'hub' }]);
  });

  it('refuses a token of another query', async () => {
    const first = await azure.query(`${CLUSTERS} | project id`, { $top: 1 });
    const answer = await azure.query('resources | project id', { $skipToken: first.body.$skipToken as string });
    expect(answer.status).toBe(400);
  });
});

describe('checklist 11: the index lags', () => {
  it('behind new, changed and deleted resources', async () => {
    const path = `${FLEET}/members/demo-aks02`;
    const members = 'aksresources | project name, state = tostring(properties.provisioningState) | order by name asc';
    await azure.put(path, FLEET_VERSION, { properties: { clusterResourceId: CLUSTER_2 } });
    expect(await rows(members)).toEqual([{ name: 'demo-aks01-demo-aks01', state: 'Succeeded' }]);
    azure.clock.advance(2000);
    expect(await rows(members)).toContainEqual({ name: 'demo-aks02', state: 'Joining' });
    azure.clock.advance(1000);
    // Done now, says ARM; the index will know two seconds after it was done.
    expect((await azure.get(path, FLEET_VERSION)).text).toContain('Succeeded');
    expect(await rows(members)).toContainEqual({ name: 'demo-aks02', state: 'Joining' });
    azure.clock.advance(2000);
    expect(await rows(members)).toContainEqual({ name: 'demo-aks02', state: 'Succeeded' });
    await azure.send('DELETE', path, { version: FLEET_VERSION });
    azure.clock.advance(4000);
    expect(await rows(members)).toContainEqual({ name: 'demo-aks02', state: 'Leaving' });
    azure.clock.advance(2000);
    expect(await rows(members)).toHaveLength(1);
  });

  it('counts from when an operation was done, not from when somebody looked', async () => {
    await azure.put(POOL_1, AKS_VERSION, { properties: { count: 4 } });
    azure.clock.advance(60_000);
    const query = `${CLUSTERS} and name == 'demo-aks01' | project s = properties.agentPoolProfiles[0].provisioningState, c = properties.agentPoolProfiles[0].count`;
    expect(await rows(query)).toEqual([{ s: 'Succeeded', c: 4 }]);
  });

  it('by nothing when it is told not to', async () => {
    await azure.control('POST', '/settings', { indexLagSeconds: 0 });
    await azure.control('POST', '/resources', {
      id: CLUSTER_1,
      operation: 'patch',
      body: { tags: { foreign: 'yes' } },
    });
    expect(await rows("resources | where tags.foreign == 'yes' | project name")).toEqual([{ name: 'demo-aks01' }]);
  });
});

describe('refusals', () => {
  const cases: { reason: string; body: JsonObject; detail: string }[] = [
    { reason: 'an unknown table', body: { query: 'nothing | take 1' }, detail: 'UnknownTable' },
    { reason: 'a query that cannot be read', body: { query: 'resources | where' }, detail: 'InvalidQuery' },
    { reason: 'an unknown column', body: { query: 'resources | project nothing' }, detail: 'InvalidQuery' },
    { reason: 'no query', body: {}, detail: 'InvalidPayload' },
    { reason: 'a page of 5,000', body: { query: 'resources', options: { $top: 5000 } }, detail: 'InvalidPayload' },
    {
      reason: 'no subscription that exists',
      body: { query: 'resources', subscriptions: ['x'] },
      detail: 'NoValidSubscriptionsInQueryRequest',
    },
    {
      reason: 'a table as result',
      body: { query: 'resources', options: { resultFormat: 'table' } },
      detail: 'InvalidPayload',
    },
  ];
  it.each(cases)('$reason: the cause is in the details', async ({ body, detail }) => {
    const answer = await azure.send('POST', '/providers/Microsoft.ResourceGraph/resources', {
      version: '2024-04-01',
      body,
    });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'BadRequest']);
    expect((answer.body.error as JsonObject).details).toEqual([expect.objectContaining({ code: detail })]);
  });

  it('GET is none of its methods, and its versions are checked', async () => {
    const path = '/providers/Microsoft.ResourceGraph/resources';
    expect((await azure.get(path, '2024-04-01')).status).toBe(405);
    expect(
      codeOf(await azure.send('POST', path, { version: '2018-09-01-preview', body: { query: 'resources' } })),
    ).toBe('InvalidApiVersionParameter');
  });
});
