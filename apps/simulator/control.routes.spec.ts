import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Json, type JsonObject } from '#libs/kernel/json.js';
import {
  AKS_VERSION,
  CLUSTER_1,
  CLUSTER_2,
  FLEET,
  FLEET_VERSION,
  POOL_1,
  SUBSCRIPTION,
  SimulatedAzure,
  codeOf,
  itemsOf,
  propertiesOf,
  textOf,
} from './simulated-azure.harness.js';

const CLUSTERS = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerService/managedClusters`;

let azure: SimulatedAzure;
beforeEach(async () => {
  azure = await SimulatedAzure.start();
});
afterEach(async () => azure.stop());

async function fault(request: Json): Promise<string> {
  const answer = await azure.control('POST', '/faults', request);
  expect(answer.status).toBe(201);
  return textOf(answer.body.id);
}

describe('the request log', () => {
  async function requests(query = ''): Promise<JsonObject[]> {
    return (await azure.control('GET', `/requests${query}`)).body.requests as JsonObject[];
  }

  it('has what came and how it was answered, without signatures', async () => {
    const body = { properties: { count: 2 } };
    const { headers } = await azure.put(POOL_1, AKS_VERSION, body, { 'x-ms-correlation-request-id': 'mine' });
    await azure.follow(headers['azure-asyncoperation']);
    const [put, poll] = await requests();
    expect(put).toEqual({
      sequence: 1,
      time: '2026-11-01T10:00:00.000Z',
      method: 'PUT',
      path: POOL_1,
      query: `api-version=${AKS_VERSION}`,
      apiVersion: AKS_VERSION,
      status: 200,
      outcome: 200,
      correlationId: 'mine',
      clientRequestId: null,
      fault: null,
      body,
    });
    expect(poll?.query).toBe('api-version=2016-03-30&t=…&c=…&s=…&h=…');
  });

  it('is filtered by method, path and sequence, and emptied', async () => {
    await azure.get(FLEET, FLEET_VERSION);
    await azure.put(POOL_1, AKS_VERSION, { properties: { count: 2 } });
    await azure.get(POOL_1, AKS_VERSION);
    expect(await requests('?method=put')).toHaveLength(1);
    expect(await requests('?path=agentpools')).toHaveLength(2);
    expect(await requests('?since=2')).toHaveLength(1);
    expect(await requests('?method=GET&path=fleets/[a-z]')).toHaveLength(1);
    await azure.control('DELETE', '/requests');
    expect(await requests()).toEqual([]);
    await azure.get(FLEET, FLEET_VERSION);
    expect((await requests())[0]?.sequence).toBe(4);
  });

  it('refuses filters that make no sense', async () => {
    for (const query of ['?since=x', '?path=(', '?what=1']) {
      expect((await azure.control('GET', `/requests${query}`)).status).toBe(400);
    }
  });
});

describe('faults', () => {
  it('throttle, with and without Retry-After, as often as asked for', async () => {
    await fault({ fault: { type: 'throttle', retryAfterSeconds: 7 }, times: 1 });
    await fault({ fault: { type: 'throttle', retryAfterSeconds: null }, times: 1 });
    const [first, second, third] = [
      await azure.get(FLEET, FLEET_VERSION),
      await azure.get(FLEET, FLEET_VERSION),
      await azure.get(FLEET, FLEET_VERSION),
    ];
    expect([first.status, first.headers['retry-after'], codeOf(first)]).toEqual([
      429,
      '7',
      'SubscriptionRequestsThrottled',
    ]);
    expect(second.status).toBe(429);
    expect(second.headers).not.toHaveProperty('retry-after');
    expect(third.status).toBe(200);
  });

  it('answer errors in the shape of the provider, or as given', async () => {
    await fault({
      match: { provider: 'Microsoft.ContainerService' },
      fault: { type: 'error', status: 503, code: 'Busy', message: 'no' },
      times: 2,
    });
    const ofFleet = await azure.get(FLEET, FLEET_VERSION);
    expect([ofFleet.status, ofFleet.body]).toEqual([503, { error: { code: 'Busy', message: 'no' } }]);
    expect((await azure.get(CLUSTER_1, AKS_VERSION)).body).toMatchObject({ code: 'Busy', message: 'no', subcode: '' });
    await fault({ fault: { type: 'error', status: 418, body: ['any', 'thing'] }, times: 1 });
    expect((await azure.get(FLEET, FLEET_VERSION)).text).toBe('["any","thing"]');
  });

  it('meet only the requests that match', async () => {
    await fault({
      match: { method: 'GET', path: '/managedclusters/[^/]+$', kind: 'arm' },
      fault: { type: 'error', status: 500 },
    });
    expect((await azure.get(CLUSTER_1, AKS_VERSION)).status).toBe(500);
    expect((await azure.get(POOL_1, AKS_VERSION)).status).toBe(200);
    expect((await azure.send('HEAD', CLUSTER_1, { version: AKS_VERSION })).status).toBe(204);
    await azure.control('DELETE', '/faults');
    await fault({ match: { kind: 'graph' }, fault: { type: 'error', status: 500 } });
    expect((await azure.query('resources | count')).status).toBe(500);
    expect((await azure.get(CLUSTER_1, AKS_VERSION)).status).toBe(200);
  });

  it.each([
    { match: { kind: 'kubernetes' }, fault: { type: 'truncate-list' }, reason: 'a fault of ARM alone' },
    { match: { cluster: 'demo-aks01' }, fault: { type: 'drop' }, reason: 'a cluster without the kind' },
  ])('for clusters are checked: $reason', async ({ match, fault }) => {
    expect((await azure.control('POST', '/faults', { match, fault })).status).toBe(400);
  });

  it('for clusters leave ARM alone', async () => {
    await azure.control('POST', '/faults', { match: { kind: 'kubernetes' }, fault: { type: 'drop' } });
    expect((await azure.get(FLEET, FLEET_VERSION)).status).toBe(200);
  });

  it('let poll URLs expire', async () => {
    const { headers } = await azure.put(POOL_1, AKS_VERSION, { properties: { count: 2 } });
    await fault({ fault: { type: 'expire-poll-urls' } });
    expect((await azure.follow(headers['azure-asyncoperation'])).status).toBe(404);
    expect((await azure.get(POOL_1, AKS_VERSION)).status).toBe(200);
  });

  it('cut lists short without saying so; Resource Graph says so', async () => {
    await fault({ fault: { type: 'truncate-list', keep: 1 } });
    const list = await azure.get(CLUSTERS, AKS_VERSION);
    expect(itemsOf(list)).toHaveLength(1);
    expect(list.body).not.toHaveProperty('nextLink');
    const query = await azure.query('resources | project id');
    expect(query.body).toMatchObject({ count: 1, totalRecords: 5, resultTruncated: 'true' });
    expect(query.body).not.toHaveProperty('$skipToken');
  });

  it('are listed, counted and removed', async () => {
    const id = await fault({ fault: { type: 'error', status: 500 } });
    await azure.get(FLEET, FLEET_VERSION);
    expect((await azure.control('GET', `/faults/${id}`)).body).toMatchObject({ id, played: 1 });
    expect((await azure.control('GET', '/faults')).body.faults).toHaveLength(1);
    expect((await azure.control('DELETE', `/faults/${id}`)).body.faults).toEqual([]);
    expect((await azure.get(FLEET, FLEET_VERSION)).status).toBe(200);
    expect((await azure.control('GET', `/faults/${id}`)).status).toBe(404);
    expect((await azure.control('DELETE', `/faults/${id}`)).status).toBe(404);
  });

  it.each([
    [{}, 'no fault'],
    [{ fault: { type: 'earthquake' } }, 'an unknown fault'],
    [{ fault: { type: 'error', status: 200 } }, 'an error that is none'],
    [{ fault: { type: 'drop' }, match: { path: '(' } }, 'no regular expression'],
    [{ fault: { type: 'drop' }, match: { what: 1 } }, 'an unknown condition'],
    [{ fault: { type: 'drop' }, times: 0 }, 'no times'],
  ] as [Json, string][])('are refused: %j, %s', async (request) => {
    const answer = await azure.control('POST', '/faults', request);
    expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidControlRequest']);
  });
});

describe("changes behind everyone's back", () => {
  it('patch a resource, at once and unlogged', async () => {
    const before = (await azure.get(CLUSTER_1, AKS_VERSION)).body;
    const changed = await azure.control('POST', '/resources', {
      id: CLUSTER_1,
      operation: 'patch',
      body: { tags: { team: null, by: 'someone' } },
    });
    expect(changed.body.tags).toEqual({ environment: 'demo', by: 'someone' });
    const after = (await azure.get(CLUSTER_1, AKS_VERSION)).body;
    expect(after.eTag).not.toBe(before.eTag);
    expect((await azure.control('GET', '/requests')).body.requests).toHaveLength(2);
  });

  it('put a resource in and take one away', async () => {
    const id = `${CLUSTER_1}/agentPools/foreign`;
    await azure.control('POST', '/resources', {
      id,
      operation: 'upsert',
      body: { properties: { count: 2, vmSize: 'Standard_B2ms', mode: 'User' } },
    });
    expect(propertiesOf((await azure.get(id, AKS_VERSION)).body)).toMatchObject({
      count: 2,
      provisioningState: 'Succeeded',
    });
    expect((await azure.control('POST', '/resources', { id: CLUSTER_2, operation: 'delete' })).text).toBe('null');
    expect((await azure.get(CLUSTER_2, AKS_VERSION)).status).toBe(404);
    expect((await azure.get(`${CLUSTER_2}/agentPools/nodepool1`, AKS_VERSION)).status).toBe(404);
  });

  it('can take their time, and then others have to wait', async () => {
    const change = { id: POOL_1, operation: 'patch', body: { properties: { count: 9 } }, longRunning: { seconds: 10 } };
    await azure.control('POST', '/resources', change);
    expect(propertiesOf((await azure.get(POOL_1, AKS_VERSION)).body)).toMatchObject({
      count: 9,
      provisioningState: 'Updating',
    });
    expect(codeOf(await azure.put(POOL_1, AKS_VERSION, { properties: { count: 1 } }))).toBe('OperationNotAllowed');
    azure.clock.advance(10_000);
    expect(propertiesOf((await azure.get(POOL_1, AKS_VERSION)).body).provisioningState).toBe('Succeeded');
  });

  it('can be a deletion that takes time', async () => {
    await azure.control('POST', '/resources', { id: CLUSTER_2, operation: 'delete', longRunning: { seconds: 5 } });
    expect(propertiesOf((await azure.get(CLUSTER_2, AKS_VERSION)).body).provisioningState).toBe('Deleting');
    azure.clock.advance(5000);
    expect((await azure.get(CLUSTER_2, AKS_VERSION)).status).toBe(404);
  });

  it.each([
    [{ id: 'x', operation: 'delete' }, 400],
    [
      { id: `/subscriptions/${SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Sql/servers/s`, operation: 'delete' },
      400,
    ],
    [{ id: `${CLUSTER_1}x`, operation: 'patch', body: {} }, 404],
    [{ id: `${CLUSTER_1}x/agentPools/p`, operation: 'upsert', body: {} }, 400],
    [{ id: CLUSTER_1, operation: 'patch', body: { properties: { agentPoolProfiles: [] } } }, 400],
    [{ id: CLUSTER_1, operation: 'explode' }, 400],
  ] as [Json, number][])('are refused: %j', async (change, status) => {
    expect((await azure.control('POST', '/resources', change)).status).toBe(status);
  });
});

describe('the rest', () => {
  it('health says what there is, without a token', async () => {
    const response = await azure.simulator.app.inject('/_simulator/health');
    expect(response.json()).toMatchObject({
      status: 'ok',
      subscriptions: [{ subscriptionId: SUBSCRIPTION }],
      settings: { lroSeconds: 3 },
    });
  });

  it('settings change one by one and are checked', async () => {
    expect((await azure.control('POST', '/settings', { pageSize: 7 })).body).toMatchObject({
      pageSize: 7,
      lroSeconds: 3,
    });
    for (const wrong of [{ pageSize: 0 }, { lroSeconds: -1 }, { speed: 1 }]) {
      expect((await azure.control('POST', '/settings', wrong)).status).toBe(400);
    }
    expect((await azure.control('GET', '/settings')).body.pageSize).toBe(7);
  });

  it('reset brings everything back', async () => {
    await azure.control('POST', '/settings', { pageSize: 7 });
    await fault({ fault: { type: 'error', status: 500 } });
    await azure.control('POST', '/resources', { id: CLUSTER_1, operation: 'delete' });
    await azure.control('POST', '/reset');
    expect((await azure.get(CLUSTER_1, AKS_VERSION)).status).toBe(200);
    expect((await azure.control('GET', '/settings')).body.pageSize).toBe(100);
  });

  it('bodies that are no JSON and quotas of nobody are refused', async () => {
    const broken = await azure.send('POST', '/_simulator/faults', { body: '{' });
    expect([broken.status, codeOf(broken)]).toEqual([400, 'InvalidControlRequest']);
    const quota = { subscriptionId: 'x', location: 'eastus', cores: 1 };
    expect((await azure.control('POST', '/quota', quota)).status).toBe(404);
    const failure = { match: { resourceId: 'x' }, error: { code: 'a', message: 'b' } };
    expect((await azure.control('POST', '/operations/fail-next', failure)).status).toBe(400);
  });
});
