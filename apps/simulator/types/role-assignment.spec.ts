import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type JsonObject } from '#libs/kernel/json.js';
import {
  CLUSTERS_GROUP,
  CLUSTER_1,
  FLEET,
  FLEETS_GROUP,
  SUBSCRIPTION,
  SimulatedAzure,
  codeOf,
  itemsOf,
  propertiesOf,
  textOf,
} from '../simulated-azure.harness.js';

const VERSION = '2022-04-01';
const PROVIDER = 'providers/Microsoft.Authorization';
const PRINCIPAL = 'b4a9d1f0-6c1e-4a7e-9a53-0c7f4f3a1d11';
const SOMEONE = 'b4a9d1f0-6c1e-4a7e-9a53-0c7f4f3a1d12';
const FLEET_ADMIN = '18ab4d3d-a1bf-4477-8ad9-8359bc988f69';
const READER = 'acdd72a7-3385-48ef-bd42-f606fba81ae7';

let azure: SimulatedAzure;
beforeEach(async () => {
  azure = await SimulatedAzure.start();
});
afterEach(async () => azure.stop());

function named(scope: string, number: number): string {
  return `${scope}/${PROVIDER}/roleAssignments/00000000-0000-4000-8000-00000000000${number}`;
}

function assignment(role: string, principalId = PRINCIPAL, principalType?: string): JsonObject {
  return {
    properties: {
      roleDefinitionId: `/subscriptions/${SUBSCRIPTION}/${PROVIDER}/roleDefinitions/${role}`,
      principalId,
      ...(principalType === undefined ? {} : { principalType }),
    },
  };
}

describe('a role assignment', () => {
  it.each([
    { scope: `/subscriptions/${SUBSCRIPTION}`, reason: 'a subscription' },
    { scope: FLEETS_GROUP, reason: 'a resource group' },
    { scope: FLEET, reason: 'a resource' },
  ])('is made at once at $reason, can be said again, is shown, and is deleted', async ({ scope }) => {
    const path = named(scope, 1);
    const created = await azure.put(path, VERSION, assignment(FLEET_ADMIN, PRINCIPAL, 'ServicePrincipal'));
    expect(created.status).toBe(201);
    expect(created.headers).not.toHaveProperty('azure-asyncoperation');
    expect(created.body).toMatchObject({ id: path, name: path.split('/').at(-1) });
    expect(propertiesOf(created.body)).toMatchObject({
      scope,
      principalId: PRINCIPAL,
      principalType: 'ServicePrincipal',
    });
    expect(propertiesOf(created.body)).not.toHaveProperty('provisioningState');
    expect((await azure.put(path, VERSION, assignment(FLEET_ADMIN, PRINCIPAL, 'ServicePrincipal'))).status).toBe(200);
    expect((await azure.get(path, VERSION)).body).toMatchObject({ id: path });
    const deleted = await azure.send('DELETE', path, { version: VERSION });
    expect([deleted.status, deleted.body.id]).toEqual([200, path]);
    expect((await azure.send('DELETE', path, { version: VERSION })).status).toBe(204);
    expect((await azure.get(path, VERSION)).status).toBe(404);
  });

  it('exists once: the same role for the same principal at the same scope has one name', async () => {
    await azure.put(named(FLEET, 1), VERSION, assignment(FLEET_ADMIN));
    const again = await azure.put(named(FLEET, 2), VERSION, assignment(FLEET_ADMIN));
    expect([again.status, codeOf(again)]).toEqual([409, 'RoleAssignmentExists']);
    expect((await azure.put(named(FLEETS_GROUP, 3), VERSION, assignment(FLEET_ADMIN))).status).toBe(201);
    expect((await azure.put(named(FLEET, 4), VERSION, assignment(READER))).status).toBe(201);
  });

  it.each([
    {
      body: assignment('00000000-0000-4000-8000-000000000000'),
      code: 'RoleDefinitionDoesNotExist',
      reason: 'no such role',
    },
    { body: assignment(READER, 'me'), code: 'InvalidPrincipalId', reason: 'no object id' },
    { body: { properties: { principalId: PRINCIPAL } }, code: 'InvalidRequestContent', reason: 'no role at all' },
  ])('is refused: $reason', async ({ body, code }) => {
    const refused = await azure.put(named(FLEET, 1), VERSION, body);
    expect([refused.status, codeOf(refused)]).toEqual([400, code]);
  });

  it('of a principal that has not spread through the directory needs its type', async () => {
    await azure.control('POST', '/settings', { unknownPrincipals: [PRINCIPAL.toUpperCase()] });
    const refused = await azure.put(named(FLEET, 1), VERSION, assignment(READER));
    expect([refused.status, codeOf(refused)]).toEqual([400, 'PrincipalNotFound']);
    const typed = await azure.put(named(FLEET, 1), VERSION, assignment(READER, PRINCIPAL, 'ServicePrincipal'));
    expect(typed.status).toBe(201);
  });

  it('goes with what it stands on', async () => {
    await azure.put(named(CLUSTER_1, 1), VERSION, assignment(READER));
    await azure.send('DELETE', CLUSTER_1, { version: '2026-04-01' });
    azure.finishOperations();
    const left = await azure.get(`/subscriptions/${SUBSCRIPTION}/${PROVIDER}/roleAssignments`, VERSION);
    expect(itemsOf(left)).toEqual([]);
  });

  it('is a row of authorizationresources', async () => {
    await azure.put(named(FLEET, 1), VERSION, assignment(FLEET_ADMIN));
    azure.clock.advance(10_000);
    const found = await azure.query(
      'authorizationresources | project type, principal = properties.principalId, scope = properties.scope',
    );
    expect(found.body.data).toEqual([
      { type: 'microsoft.authorization/roleassignments', principal: PRINCIPAL, scope: FLEET },
    ]);
  });

  it('in a group that Azure protects is refused', async () => {
    const group = `/subscriptions/${SUBSCRIPTION}/resourceGroups/FL_demo_aks_fleetmng_aks-fleet01_eastus`;
    const refused = await azure.put(named(group, 1), VERSION, assignment(READER));
    expect([refused.status, codeOf(refused)]).toEqual([403, 'DenyAssignmentAuthorizationFailed']);
  });
});

describe('the list of role assignments', () => {
  const names = (filter: string, scope: string): Promise<string[]> =>
    azure
      .get(`${scope}/${PROVIDER}/roleAssignments?$filter=${encodeURIComponent(filter)}`, VERSION)
      .then((answer) => itemsOf(answer).map((item) => textOf(item.name).slice(-1)));

  beforeEach(async () => {
    await azure.put(named(`/subscriptions/${SUBSCRIPTION}`, 1), VERSION, assignment(READER));
    await azure.put(named(FLEETS_GROUP, 2), VERSION, assignment(READER));
    await azure.put(named(FLEET, 3), VERSION, assignment(READER, SOMEONE));
    await azure.put(named(CLUSTERS_GROUP, 4), VERSION, assignment(READER));
  });

  it.each([
    { scope: FLEETS_GROUP, filter: '', found: ['1', '2', '3'], reason: 'above, here and below' },
    { scope: FLEETS_GROUP, filter: 'atScope()', found: ['1', '2'], reason: 'above and here' },
    { scope: FLEET, filter: 'atScope()', found: ['1', '2', '3'], reason: 'above and here' },
    { scope: FLEET, filter: `principalId eq '${SOMEONE}'`, found: ['3'], reason: 'of one principal' },
    { scope: CLUSTER_1, filter: `atScope() and assignedTo('${PRINCIPAL}')`, found: ['1', '4'], reason: 'of one, here' },
  ])('shows what holds $reason ($filter)', async ({ scope, filter, found }) => {
    expect((await names(filter, scope)).sort()).toEqual(found);
  });

  it('pages, and refuses a filter it does not know', async () => {
    await azure.control('POST', '/settings', { pageSize: 2 });
    const first = await azure.get(`${FLEETS_GROUP}/${PROVIDER}/roleAssignments`, VERSION);
    const second = await azure.follow(textOf(first.body.nextLink));
    expect([itemsOf(first).length, itemsOf(second).length]).toEqual([2, 1]);
    const refused = await azure.get(`${FLEET}/${PROVIDER}/roleAssignments?$filter=colour%20eq%20'red'`, VERSION);
    expect(codeOf(refused)).toBe('UnsupportedQuery');
  });
});

it('permissions name what the roles of the caller add', async () => {
  const { body } = await azure.control('GET', '/principal?token=test');
  const path = `${FLEET}/${PROVIDER}/permissions`;
  const actions = async (): Promise<unknown[]> =>
    itemsOf(await azure.get(path, VERSION)).flatMap((permission) => permission.dataActions);
  expect(await actions()).toEqual([]);
  await azure.put(named(FLEETS_GROUP, 1), VERSION, assignment(FLEET_ADMIN, textOf(body.principalId)));
  expect(await actions()).toEqual(['Microsoft.ContainerService/fleets/*']);
  expect((await azure.get(`${FLEET}x/${PROVIDER}/permissions`, VERSION)).status).toBe(404);
});
