import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  AKS_VERSION,
  CLUSTER_1,
  CLUSTERS_GROUP,
  FLEET,
  FLEET_VERSION,
  FLEETS_GROUP,
  MEMBER_1,
  POOL_1,
  RESOURCES_VERSION,
  SUBSCRIPTION,
  SimulatedAzure,
  codeOf,
  itemsOf,
  propertiesOf,
  textOf,
} from './simulated-azure.harness.js';

let azure: SimulatedAzure;
beforeEach(async () => {
  azure = await SimulatedAzure.start();
});
afterEach(async () => azure.stop());

describe('bearer tokens', () => {
  const rows: { reason: string; authorization: string; code: string }[] = [
    { reason: 'no header', authorization: '', code: 'AuthenticationFailed' },
    { reason: 'another scheme', authorization: 'Basic dGVzdA==', code: 'AuthenticationFailedInvalidHeader' },
    { reason: 'a scheme without a token', authorization: 'Bearer ', code: 'AuthenticationFailedInvalidHeader' },
  ];
  it.each(rows)('are required: $reason', async ({ authorization, code }) => {
    const answer = await azure.send('GET', '/subscriptions', { version: '2022-12-01', headers: { authorization } });
    expect(answer.status).toBe(401);
    expect(codeOf(answer)).toBe(code);
    expect(answer.headers['www-authenticate']).toContain('Bearer authorization_uri=');
  });

  it('can be restricted to a list', async () => {
    const restricted = await SimulatedAzure.start({ tokens: ['good'] });
    const headers = { authorization: 'Bearer good' };
    expect((await restricted.send('GET', '/subscriptions', { version: '2022-12-01', headers })).status).toBe(200);
    const refused = await restricted.get('/subscriptions', '2022-12-01');
    expect([refused.status, codeOf(refused)]).toEqual([401, 'InvalidAuthenticationToken']);
    await restricted.stop();
  });
});

describe('checklist 2: api-version', () => {
  it.each(['api-version', 'api%2Dversion', 'api-Version'])('is read under the key %s', async (key) => {
    expect((await azure.get(`${CLUSTER_1}?${key}=${AKS_VERSION}`)).status).toBe(200);
  });

  const refused: { reason: string; path: string; status: number; code: string }[] = [
    { reason: 'missing', path: CLUSTER_1, status: 400, code: 'MissingApiVersionParameter' },
    { reason: 'empty', path: `${CLUSTER_1}?api-version=`, status: 400, code: 'MissingApiVersionParameter' },
    {
      reason: 'unknown to the type',
      path: `${CLUSTER_1}?api-version=2019-01-01`,
      status: 400,
      code: 'NoRegisteredProviderFound',
    },
    {
      reason: 'a preview that has died',
      path: `${FLEET}?api-version=2023-06-15-preview`,
      status: 400,
      code: 'NoRegisteredProviderFound',
    },
    {
      reason: 'unknown to ARM itself',
      path: `/subscriptions?api-version=1999-01-01`,
      status: 400,
      code: 'InvalidApiVersionParameter',
    },
  ];
  it.each(refused)('is refused: $reason', async ({ path, status, code }) => {
    const answer = await azure.get(path);
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
  });

  it('the refusal lists the versions that are supported', async () => {
    expect((await azure.get(FLEET, '2023-06-15-preview')).text).toContain('2025-03-01');
  });
});

describe('checklist 3: casing', () => {
  it('paths are read in any casing', async () => {
    const answer = await azure.get(CLUSTER_1.toUpperCase().replace('/SUBSCRIPTIONS', '/SubScriptions'), AKS_VERSION);
    expect(answer.body.name).toBe('demo-aks01');
  });

  it('AKS writes resourcegroups and ManagedClusters, Fleet Manager does not', async () => {
    const cluster = await azure.get(CLUSTER_1, AKS_VERSION);
    expect(cluster.body.id).toBe(CLUSTER_1.replace('resourceGroups', 'resourcegroups'));
    expect(cluster.body.type).toBe('Microsoft.ContainerService/ManagedClusters');
    const fleet = await azure.get(FLEET, FLEET_VERSION);
    expect([fleet.body.id, fleet.body.type]).toEqual([FLEET, 'Microsoft.ContainerService/fleets']);
  });

  it('a new resource shows the names that its group and parent have, not those of the request', async () => {
    const path = `${CLUSTER_1.toLowerCase()}/AGENTPOOLS/other`;
    const answer = await azure.put(path, AKS_VERSION, { properties: { count: 0, vmSize: 'Standard_B2ms' } });
    expect(answer.body.id).toBe(`${CLUSTER_1.replace('resourceGroups', 'resourcegroups')}/agentPools/other`);
  });
});

describe('headers', () => {
  it('every answer carries the ids of ARM, and the correlation id of the caller', async () => {
    const headers = {
      'x-ms-correlation-request-id': 'my-operation',
      'x-ms-client-request-id': 'mine',
      'x-ms-return-client-request-id': 'true',
    };
    const answer = await azure.send('GET', CLUSTER_1, { version: AKS_VERSION, headers });
    expect(answer.headers).toMatchObject({
      'x-ms-correlation-request-id': 'my-operation',
      'x-ms-client-request-id': 'mine',
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
    });
    expect(answer.headers['x-ms-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer.headers['x-ms-routing-request-id']).toMatch(/^EASTUS:20261101T100000Z:[0-9a-f-]{36}$/);
  });

  it('the client request id is not echoed unasked', async () => {
    const headers = { 'x-ms-client-request-id': 'mine' };
    const answer = await azure.send('GET', CLUSTER_1, { version: AKS_VERSION, headers });
    expect(answer.headers).not.toHaveProperty('x-ms-client-request-id');
  });
});

describe('what is not there', () => {
  const elsewhere = '/subscriptions/00000000-0000-4000-8000-000000000000';
  const rows: { reason: string; path: string; version: string; status: number; code: string; gateway: boolean }[] = [
    {
      reason: 'a resource',
      path: `${CLUSTER_1}x`,
      version: AKS_VERSION,
      status: 404,
      code: 'ResourceNotFound',
      gateway: true,
    },
    {
      reason: 'a child of AKS',
      path: `${POOL_1}x`,
      version: AKS_VERSION,
      status: 404,
      code: 'NotFound',
      gateway: false,
    },
    {
      reason: 'a child of a fleet',
      path: `${MEMBER_1}x`,
      version: FLEET_VERSION,
      status: 404,
      code: 'ResourceNotFound',
      gateway: false,
    },
    {
      reason: 'a resource group',
      path: `${CLUSTERS_GROUP}x/providers/Microsoft.ContainerService/fleets/f`,
      version: FLEET_VERSION,
      status: 404,
      code: 'ResourceGroupNotFound',
      gateway: true,
    },
    {
      reason: 'a subscription',
      path: elsewhere,
      version: '2022-12-01',
      status: 404,
      code: 'SubscriptionNotFound',
      gateway: true,
    },
    {
      reason: 'no subscription id',
      path: '/subscriptions/x',
      version: '2022-12-01',
      status: 400,
      code: 'InvalidSubscriptionId',
      gateway: true,
    },
    {
      reason: 'a namespace',
      path: `${CLUSTERS_GROUP}/providers/Microsoft.Nothing/things/t`,
      version: AKS_VERSION,
      status: 404,
      code: 'InvalidResourceNamespace',
      gateway: true,
    },
    {
      reason: 'a type',
      path: `${CLUSTERS_GROUP}/providers/Microsoft.ContainerService/things/t`,
      version: AKS_VERSION,
      status: 404,
      code: 'InvalidResourceType',
      gateway: true,
    },
    {
      reason: 'a path',
      path: '/nothing',
      version: AKS_VERSION,
      status: 404,
      code: 'MissingSubscription',
      gateway: true,
    },
    {
      reason: 'an unregistered provider',
      path: `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Web/sites`,
      version: '2025-03-01',
      status: 409,
      code: 'MissingSubscriptionRegistration',
      gateway: true,
    },
    {
      reason: 'a path with a dot segment',
      path: `${CLUSTERS_GROUP}/providers/Microsoft.ContainerService/fleets/%2E%2E`,
      version: FLEET_VERSION,
      status: 404,
      code: 'MissingSubscription',
      gateway: true,
    },
  ];
  it.each(rows)('$reason: $code', async ({ path, version, status, code, gateway }) => {
    const answer = await azure.get(path, version);
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
    expect(answer.headers['x-ms-failure-cause']).toBe(gateway ? 'gateway' : undefined);
  });

  it('HEAD says so without a body', async () => {
    expect(await azure.send('HEAD', CLUSTER_1, { version: AKS_VERSION })).toMatchObject({ status: 204, text: '' });
    expect(await azure.send('HEAD', `${CLUSTER_1}x`, { version: AKS_VERSION })).toMatchObject({
      status: 404,
      text: '',
    });
  });

  it('DELETE of it is no error', async () => {
    expect((await azure.send('DELETE', `${CLUSTER_1}x`, { version: AKS_VERSION })).status).toBe(204);
  });

  it('a child cannot be made without its parent', async () => {
    const answer = await azure.put(`${CLUSTER_1}x/agentPools/p`, AKS_VERSION, { properties: {} });
    expect([answer.status, codeOf(answer)]).toEqual([404, 'ParentResourceNotFound']);
  });
});

describe('subscriptions and tenants', () => {
  it('are listed and read', async () => {
    const list = await azure.get('/subscriptions', '2022-12-01');
    expect(itemsOf(list).map((item) => item.subscriptionId)).toEqual([SUBSCRIPTION]);
    const one = await azure.get(`/subscriptions/${SUBSCRIPTION}`, '2022-12-01');
    expect(one.body).toMatchObject({ displayName: 'Pilothouse demo', state: 'Enabled' });
    const tenants = await azure.get('/tenants', '2022-12-01');
    expect(itemsOf(tenants)[0]?.tenantId).toBe(one.body.tenantId);
  });

  it('have locations', async () => {
    const list = await azure.get(`/subscriptions/${SUBSCRIPTION}/locations`, '2022-12-01');
    expect(itemsOf(list)).toContainEqual(expect.objectContaining({ name: 'eastus', displayName: 'East US' }));
  });

  it('list the tracked resources of all types, without properties', async () => {
    const list = await azure.get(`/subscriptions/${SUBSCRIPTION}/resources`, RESOURCES_VERSION);
    expect(
      itemsOf(list)
        .map((item) => item.name)
        .sort(),
    ).toEqual(['aks-fleet01', 'demo-aks01', 'demo-aks02', 'demo-vnet', 'hub']);
    expect(itemsOf(list)[0]).not.toHaveProperty('properties');
    const filter = encodeURIComponent("resourceType eq 'Microsoft.ContainerService/fleets' and tagName eq 'team'");
    const filtered = await azure.get(`/subscriptions/${SUBSCRIPTION}/resources?$filter=${filter}`, RESOURCES_VERSION);
    expect(itemsOf(filtered).map((item) => item.name)).toEqual(['aks-fleet01']);
  });

  it('refuse a filter that is not understood', async () => {
    const answer = await azure.get(`/subscriptions/${SUBSCRIPTION}/resources?$filter=nonsense`, RESOURCES_VERSION);
    expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidFilterInQueryString']);
  });
});

describe('resource groups', () => {
  const path = `/subscriptions/${SUBSCRIPTION}/resourceGroups/new-group`;

  it('are made, changed, read and listed', async () => {
    const made = await azure.put(path, RESOURCES_VERSION, { location: 'West Europe', tags: { a: '1' } });
    expect([made.status, made.body.location]).toEqual([201, 'westeurope']);
    expect((await azure.put(path, RESOURCES_VERSION, { location: 'westeurope' })).status).toBe(200);
    const patched = await azure.send('PATCH', path, { version: RESOURCES_VERSION, body: { tags: { b: '2' } } });
    expect(patched.body.tags).toEqual({ b: '2' });
    expect((await azure.send('HEAD', path, { version: RESOURCES_VERSION })).status).toBe(204);
    const list = await azure.get(`/subscriptions/${SUBSCRIPTION}/resourceGroups`, RESOURCES_VERSION);
    expect(itemsOf(list).map((item) => item.name)).toContain('new-group');
  });

  it('go away with everything in them, by a Location that asks for patience', async () => {
    const gone = await azure.send('DELETE', CLUSTERS_GROUP, { version: RESOURCES_VERSION });
    expect([gone.status, gone.headers['retry-after'], gone.headers['azure-asyncoperation']]).toEqual([
      202,
      '15',
      undefined,
    ]);
    expect((await azure.follow(gone.headers.location)).status).toBe(202);
    expect(propertiesOf((await azure.get(CLUSTERS_GROUP, RESOURCES_VERSION)).body).provisioningState).toBe('Deleting');
    const refused = await azure.put(`${CLUSTERS_GROUP}/providers/Microsoft.ContainerService/fleets/f`, FLEET_VERSION, {
      location: 'eastus',
    });
    expect([refused.status, codeOf(refused)]).toEqual([409, 'ResourceGroupBeingDeleted']);
    azure.finishOperations();
    expect((await azure.follow(gone.headers.location)).status).toBe(200);
    expect(codeOf(await azure.get(CLUSTER_1, AKS_VERSION))).toBe('ResourceGroupNotFound');
    const nodeGroup = `/subscriptions/${SUBSCRIPTION}/resourceGroups/MC_demo_aks01_demo-aks01_eastus`;
    expect((await azure.get(nodeGroup, RESOURCES_VERSION)).status).toBe(404);
  });

  const refused: {
    reason: string;
    path: string;
    body: { location?: string; x?: number };
    status: number;
    code: string;
  }[] = [
    { reason: 'no location', path, body: {}, status: 400, code: 'LocationRequired' },
    {
      reason: 'a location that is none',
      path,
      body: { location: 'moon' },
      status: 400,
      code: 'LocationNotAvailableForResourceGroup',
    },
    {
      reason: 'another location',
      path: CLUSTERS_GROUP,
      body: { location: 'westus' },
      status: 409,
      code: 'InvalidResourceGroupLocation',
    },
    {
      reason: 'an unknown member',
      path,
      body: { location: 'eastus', x: 1 },
      status: 400,
      code: 'InvalidRequestContent',
    },
    {
      reason: 'a forbidden name',
      path: `${path}.`,
      body: { location: 'eastus' },
      status: 400,
      code: 'InvalidResourceGroup',
    },
    {
      reason: 'one that Azure made for a hub',
      path: `/subscriptions/${SUBSCRIPTION}/resourceGroups/FL_demo_aks_fleetmng_aks-fleet01_eastus`,
      body: { location: 'eastus' },
      status: 403,
      code: 'DenyAssignmentAuthorizationFailed',
    },
  ];
  it.each(refused)('are refused: $reason', async ({ path: target, body, status, code }) => {
    const answer = await azure.put(target, RESOURCES_VERSION, body);
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
  });
});

describe('registration', () => {
  const provider = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Kubernetes`;

  it('of a provider takes time', async () => {
    expect((await azure.get(provider, RESOURCES_VERSION)).body.registrationState).toBe('NotRegistered');
    const posted = await azure.send('POST', `${provider}/register`, { version: RESOURCES_VERSION });
    expect([posted.status, posted.body.registrationState]).toEqual([200, 'Registering']);
    azure.finishOperations();
    expect((await azure.get(provider, RESOURCES_VERSION)).body.registrationState).toBe('Registered');
    await azure.send('POST', `${provider}/unregister`, { version: RESOURCES_VERSION });
    azure.finishOperations();
    expect((await azure.get(provider, RESOURCES_VERSION)).body.registrationState).toBe('NotRegistered');
  });

  it('of a provider decides whether its types can be used', async () => {
    const namespace = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerService`;
    await azure.send('POST', `${namespace}/unregister`, { version: RESOURCES_VERSION });
    expect(codeOf(await azure.get(CLUSTER_1, AKS_VERSION))).toBe('MissingSubscriptionRegistration');
  });

  it('shows types, locations and versions', async () => {
    const answer = await azure.get(
      `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerService`,
      RESOURCES_VERSION,
    );
    expect(answer.body.resourceTypes).toContainEqual(
      expect.objectContaining({
        resourceType: 'fleets/members',
        locations: expect.arrayContaining(['East US']),
        apiVersions: expect.arrayContaining(['2025-03-01', '2026-06-01']),
        defaultApiVersion: '2026-06-01',
      }),
    );
  });

  it('of a feature goes from Registering to Registered', async () => {
    const feature = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Features/providers/Microsoft.ContainerService/features/FleetResourcePreview`;
    expect(propertiesOf((await azure.get(feature, '2021-07-01')).body).state).toBe('NotRegistered');
    const posted = await azure.send('POST', `${feature}/register`, { version: '2021-07-01' });
    expect([posted.body.name, propertiesOf(posted.body).state]).toEqual([
      'Microsoft.ContainerService/FleetResourcePreview',
      'Registering',
    ]);
    azure.finishOperations();
    expect(propertiesOf((await azure.get(feature, '2021-07-01')).body).state).toBe('Registered');
    const list = await azure.get(`/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Features/features`, '2021-07-01');
    expect(itemsOf(list).map((item) => item.name)).toContain('Microsoft.ContainerService/FleetResourcePreview');
  });

  it('of an unknown feature is refused', async () => {
    const path = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Features/providers/Microsoft.ContainerService/features/Nope/register`;
    const answer = await azure.send('POST', path, { version: '2021-07-01' });
    expect([answer.status, codeOf(answer)]).toEqual([404, 'FeatureNotFound']);
  });
});

describe('lists', () => {
  const all = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerService/managedClusters`;

  it('of a subscription, of a group and of a parent', async () => {
    expect(itemsOf(await azure.get(all, AKS_VERSION)).map((item) => item.name)).toEqual([
      'demo-aks01',
      'demo-aks02',
      'hub',
    ]);
    const ofGroup = await azure.get(
      `${CLUSTERS_GROUP}/providers/Microsoft.ContainerService/managedClusters`,
      AKS_VERSION,
    );
    expect(itemsOf(ofGroup).map((item) => item.name)).toEqual(['demo-aks01', 'demo-aks02']);
    expect(itemsOf(await azure.get(`${FLEET}/members`, FLEET_VERSION))).toHaveLength(1);
    expect(itemsOf(await azure.get(`${CLUSTER_1}/agentPools`, AKS_VERSION)).map((item) => item.name)).toEqual([
      'nodepool1',
    ]);
  });

  it('page by nextLink, whose last page has none', async () => {
    await azure.control('POST', '/settings', { pageSize: 2 });
    const first = await azure.get(all, AKS_VERSION);
    expect(itemsOf(first)).toHaveLength(2);
    expect(first.body.nextLink).toContain(`api-version=${AKS_VERSION}`);
    const second = await azure.follow(textOf(first.body.nextLink));
    expect(itemsOf(second).map((item) => item.name)).toEqual(['hub']);
    expect(second.body).not.toHaveProperty('nextLink');
  });

  it('honour $top as the size of the page', async () => {
    const page = await azure.get(`${all}?$top=1`, AKS_VERSION);
    expect(itemsOf(page)).toHaveLength(1);
    expect(itemsOf(await azure.follow(textOf(page.body.nextLink)))).toHaveLength(1);
  });

  it('neither repeat nor hide a row when others come and go between pages', async () => {
    const page = await azure.get(`${all}?$top=2`, AKS_VERSION);
    await azure.control('POST', '/resources', { id: CLUSTER_1, operation: 'delete' });
    expect(itemsOf(await azure.follow(textOf(page.body.nextLink))).map((item) => item.name)).toEqual(['hub']);
  });

  it.each(['$top=0', '$top=x', '$skipToken=AAAA'])('refuse %s', async (query) => {
    expect((await azure.get(`${all}?${query}`, AKS_VERSION)).status).toBe(400);
  });

  it('of the children of what is not there are refused', async () => {
    expect(codeOf(await azure.get(`${FLEET}x/members`, FLEET_VERSION))).toBe('ResourceNotFound');
  });

  it('checklist 11: can lag behind what a GET says', async () => {
    await azure.control('POST', '/settings', { listLagSeconds: 60 });
    const path = `${FLEETS_GROUP}/providers/Microsoft.ContainerService/fleets/late`;
    await azure.put(path, FLEET_VERSION, { location: 'eastus' });
    await azure.control('POST', '/resources', { id: FLEET, operation: 'delete' });
    const fleets = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerService/fleets`;
    expect(itemsOf(await azure.get(fleets, FLEET_VERSION)).map((item) => item.name)).toEqual(['aks-fleet01']);
    expect([(await azure.get(path, FLEET_VERSION)).status, (await azure.get(FLEET, FLEET_VERSION)).status]).toEqual([
      200, 404,
    ]);
    azure.clock.advance(61_000);
    expect(itemsOf(await azure.get(fleets, FLEET_VERSION)).map((item) => item.name)).toEqual(['late']);
  });
});

describe('bodies that ARM cannot read', () => {
  const rows: { reason: string; body: string }[] = [
    { reason: 'nothing', body: '' },
    { reason: 'no JSON', body: '{"location":' },
    { reason: 'no object', body: '[]' },
    { reason: 'an unknown member', body: '{"location":"eastus","surprise":1}' },
    { reason: 'properties that are a list', body: '{"location":"eastus","properties":[]}' },
    { reason: 'a location that is a number', body: '{"location":5}' },
    { reason: 'tags that are numbers', body: '{"location":"eastus","tags":{"a":1}}' },
  ];
  it.each(rows)('are refused: $reason', async ({ body }) => {
    const answer = await azure.send('PUT', FLEET, { version: FLEET_VERSION, body });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidRequestContent']);
  });

  it('are refused when they are too long', async () => {
    const body = JSON.stringify({ location: 'eastus', tags: { a: 'x'.repeat(5 * 1024 * 1024) } });
    const answer = await azure.send('PUT', FLEET, { version: FLEET_VERSION, body });
    expect([answer.status, codeOf(answer)]).toEqual([413, 'RequestContentTooLarge']);
  });

  const locations: { reason: string; location?: string; status: number; code: string }[] = [
    { reason: 'missing', status: 400, code: 'LocationRequired' },
    { reason: 'unknown', location: 'moon', status: 400, code: 'LocationNotAvailableForResourceType' },
    { reason: 'another one than before', location: 'West US', status: 409, code: 'InvalidResourceLocation' },
  ];
  it.each(locations)('a location is refused: $reason', async ({ location, status, code }) => {
    const answer = await azure.put(FLEET, FLEET_VERSION, location === undefined ? {} : { location });
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
  });

  it('the same location in other words is the same location', async () => {
    expect(
      (
        await azure.put(FLEET, FLEET_VERSION, {
          location: 'East US',
          properties: { hubProfile: { dnsPrefix: 'aks-fleet01' } },
        })
      ).status,
    ).toBe(200);
  });

  it('a URL that cannot be decoded is refused', async () => {
    expect(await azure.get('/subscriptions/%zz', '2022-12-01')).toMatchObject({ status: 400 });
  });

  it('a method that ARM does not have is refused', async () => {
    const response = await azure.simulator.app.inject({ method: 'OPTIONS', url: '/subscriptions' });
    expect(response.statusCode).toBe(405);
  });
});
