import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '#libs/kernel/clock.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import { createAzure } from '#libs/azure/azure.js';
import { SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import { FakeArm, refusal } from '#libs/testing/fake-arm.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import { HUB, SAMPLE_TIME, clusterDirectory } from '#libs/testing/fleet-hub-samples.js';
import { FLEET_ID, fleetBody } from '#libs/testing/fleet-samples.js';
import { playOperation } from '#libs/testing/operation-play.js';
import { targetOf } from '../contract/system.contract-suite.js';
import { createFleetSystem } from './fleet.module.js';

const SOMEBODY = '33333333-0000-0000-0000-000000000003';
const OURSELVES = '44444444-0000-0000-0000-000000000004';
const CLUSTER_ADMIN = '18ab4d3d-a1bf-4477-8ad9-8359bc988f69';
const ASSIGNMENTS = /Microsoft\.Authorization\/roleAssignments$/;

/** A token as Entra ID gives it, unsigned. */
function jwt(claims: JsonObject): string {
  const part = (value: JsonObject) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part(claims)}.x`;
}

function world(change: JsonObject = {}, token = 'fake') {
  const arm = new FakeArm();
  arm.set(FLEET_ID, fleetBody());
  arm.answer('GET', /Microsoft\.Authorization\/permissions$/, {
    status: 200,
    body: { value: [{ actions: ['*'], notActions: [] }] },
  });
  const azure = createAzure({ ...arm.azure().options, staticToken: new Secret(token) }, { sender: arm });
  const kube = new FakeKube();
  const hub = kube.cluster(HUB);
  const { operations } = createFleetSystem(azure, kube, clusterDirectory(HUB), new ManualClock(SAMPLE_TIME));
  const references = { fleet: targetOf(FLEET_ID, 'Fleet') };
  return {
    arm,
    hub,
    ...playOperation(operations, 'fleet.roleAssignment.create', { fleet: FLEET_ID, ...change }, references),
  };
}
type World = ReturnType<typeof world>;

function puts({ arm }: World) {
  return arm.requests.filter(({ method }) => method === 'PUT');
}

function listed(assignment: JsonObject, scope = FLEET_ID) {
  const id = `${scope}/providers/Microsoft.Authorization/roleAssignments/55555555-0000-0000-0000-000000000005`;
  return {
    status: 200,
    body: {
      value: [
        {
          id,
          properties: {
            roleDefinitionId: `/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/${CLUSTER_ADMIN}`,
            principalId: SOMEBODY,
            ...assignment,
          },
        },
      ],
    },
  };
}

describe('fleet.roleAssignment.create: the checks before', () => {
  it.each<{ prepare(parts: World): void; input?: JsonObject; found: string[]; reason: string }>([
    { prepare: () => undefined, found: [], reason: 'all is prepared' },
    { prepare: ({ arm }) => arm.remove(FLEET_ID), found: ['error FLEET_NOT_FOUND'], reason: 'there is no such fleet' },
    {
      prepare: ({ arm }) => arm.set(FLEET_ID, fleetBody({ hubProfile: null })),
      found: ['error FLEET_HUBLESS'],
      reason: 'there is nothing to have a role on',
    },
    {
      prepare: () => undefined,
      input: { principalId: undefined as never },
      found: ['error IDENTITY_UNKNOWN'],
      reason: 'neither the token nor the hub tells who we are',
    },
    {
      prepare: ({ arm }) => arm.answer('GET', ASSIGNMENTS, listed({})),
      found: ['info ROLE_ASSIGNED_ALREADY'],
      reason: 'it was assigned before',
    },
    {
      prepare: ({ arm }) => arm.answer('GET', ASSIGNMENTS, listed({}, FLEET_ID.split('/providers')[0])),
      found: ['info ROLE_ASSIGNED_ALREADY'],
      reason: 'it was assigned for the whole group',
    },
    {
      prepare: ({ arm }) => arm.answer('GET', ASSIGNMENTS, listed({}, `${FLEET_ID}/managedNamespaces/n`)),
      found: [],
      reason: 'a role on a part of the fleet is not one on the fleet',
    },
    {
      prepare: ({ arm }) => arm.answer('GET', ASSIGNMENTS, listed({ roleDefinitionId: '/x/other' })),
      found: [],
      reason: 'another role is not this one',
    },
  ])('find $found: $reason', async ({ prepare, input, found }) => {
    const parts = world(input ?? { principalId: SOMEBODY });
    prepare(parts);
    expect(await parts.codes()).toEqual(found);
    expect(puts(parts)).toEqual([]);
  });

  it.each([
    { permissions: [{ actions: ['Microsoft.Authorization/*'], notActions: [] }], found: [], reason: 'all of it' },
    {
      permissions: [{ actions: ['*'], notActions: ['Microsoft.Authorization/*/Write'] }],
      found: ['error ASSIGNMENT_NOT_ALLOWED'],
      reason: 'a Contributor assigns no roles',
    },
    {
      permissions: [{ actions: ['*/read'] }],
      found: ['error ASSIGNMENT_NOT_ALLOWED'],
      reason: 'a Reader changes nothing',
    },
    { permissions: [], found: ['error ASSIGNMENT_NOT_ALLOWED'], reason: 'nothing is allowed' },
    {
      permissions: [
        { actions: ['*'], notActions: ['Microsoft.Authorization/*'] },
        { actions: ['Microsoft.Authorization/roleAssignments/write'], notActions: [] },
      ],
      found: [],
      reason: 'what one role leaves out another may give',
    },
  ])('read what is allowed: $reason', async ({ permissions, found }) => {
    const arm = new FakeArm();
    arm.set(FLEET_ID, fleetBody());
    arm.answer('GET', /permissions$/, { status: 200, body: { value: permissions } });
    const { operations } = createFleetSystem(arm.azure(), new FakeKube(), clusterDirectory());
    const input = { fleet: FLEET_ID, principalId: SOMEBODY };
    const play = playOperation(operations, 'fleet.roleAssignment.create', input, {
      fleet: targetOf(FLEET_ID, 'Fleet'),
    });
    expect(await play.codes()).toEqual(found);
  });

  it('go on where it cannot be read what is allowed', async () => {
    const arm = new FakeArm();
    arm.set(FLEET_ID, fleetBody());
    arm.answer('GET', /permissions$/, refusal(403, 'AuthorizationFailed', ''));
    const { operations } = createFleetSystem(arm.azure(), new FakeKube(), clusterDirectory());
    const input = { fleet: FLEET_ID, principalId: SOMEBODY };
    const play = playOperation(operations, 'fleet.roleAssignment.create', input, {
      fleet: targetOf(FLEET_ID, 'Fleet'),
    });
    expect(await play.codes()).toEqual(['info PERMISSIONS_UNKNOWN']);
  });
});

describe('fleet.roleAssignment.create', () => {
  it.each([
    { role: 'ClusterAdmin', id: CLUSTER_ADMIN },
    { role: 'Admin', id: '434fb43a-c01c-447e-9f67-c3ad923cfaba' },
    { role: 'Writer', id: '5af6afb3-c06c-4fa4-8848-71a8aee05683' },
    { role: 'Reader', id: '30b27cfc-9c84-438e-b0ce-70e35255df80' },
  ])('assigns $role on the fleet, once', async ({ role, id }) => {
    const parts = world({ role, principalId: SOMEBODY, principalType: 'Group' });
    expect(await parts.plan()).toMatchObject({ action: 'create', principalId: SOMEBODY });
    await expect(parts.step('assign')).resolves.toMatchObject({ outcome: 'done', output: { isOwn: false } });
    await expect(parts.step('assign', undefined, 2)).resolves.toMatchObject({ outcome: 'done' });
    expect(puts(parts)).toHaveLength(1);
    expect(puts(parts)[0]?.body?.properties).toMatchObject({
      roleDefinitionId: `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/${id}`,
      principalId: SOMEBODY,
      principalType: 'Group',
    });
    expect(await parts.plan()).toMatchObject({ action: 'none' });
    await expect(parts.verify()).resolves.toMatchObject({ verdict: 'reached', result: { own: false, role } });
  });

  it('gives the same assignment the same name, whoever asks', async () => {
    const path = async (principalId: string, role: string) => {
      const parts = world({ principalId, role });
      await parts.step('assign');
      return puts(parts)[0]?.path;
    };
    const first = await path(SOMEBODY, 'Reader');
    expect(await path(SOMEBODY.toUpperCase(), 'Reader')).toBe(first);
    expect(await path(OURSELVES, 'Reader')).not.toBe(first);
    expect(await path(SOMEBODY, 'Writer')).not.toBe(first);
  });

  it.each([
    { claims: { oid: OURSELVES, idtyp: 'app' }, principalType: 'ServicePrincipal', reason: 'an application' },
    { claims: { oid: OURSELVES, idtyp: 'user' }, principalType: 'User', reason: 'a person' },
    { claims: { oid: OURSELVES }, principalType: undefined, reason: 'Azure is left to find out' },
  ])('takes Pilothouse itself by its token: $reason', async ({ claims, principalType }) => {
    const parts = world({}, jwt(claims));
    await parts.step('assign');
    const properties = puts(parts)[0]?.body?.properties as JsonObject;
    expect([properties.principalId, properties.principalType]).toEqual([OURSELVES, principalType]);
  });

  it.each([
    { identity: { username: 'u', extra: { oid: [OURSELVES] } }, reason: 'it says so beside the name' },
    {
      identity: { username: 'u', extra: { 'authentication.azure.com/oid': [OURSELVES] } },
      reason: 'under a longer key',
    },
    { identity: { username: OURSELVES, extra: {} }, reason: 'the name is the object id' },
  ])('asks the hub where the token does not tell: $reason', async ({ identity }) => {
    const parts = world({}, 'not-a-jwt');
    parts.hub.identity = { groups: [], ...identity };
    await parts.step('assign');
    expect((puts(parts)[0]?.body?.properties as JsonObject).principalId).toBe(OURSELVES);
  });

  it('takes it for success that the assignment exists', async () => {
    const parts = world({ principalId: SOMEBODY });
    parts.arm.answer('PUT', /roleAssignments/, refusal(409, 'RoleAssignmentExists', ''));
    await expect(parts.step('assign')).resolves.toMatchObject({ outcome: 'done' });
  });

  it.each([
    { attempt: 1, retryable: true, reason: 'a new identity is not known everywhere at once' },
    { attempt: 10, retryable: false, reason: 'after so long it is not there' },
  ])('takes an unknown principal in the attempt $attempt: $reason', async ({ attempt, retryable }) => {
    const parts = world({ principalId: SOMEBODY });
    parts.arm.answer('PUT', /roleAssignments/, refusal(400, 'PrincipalNotFound', ''));
    await expect(parts.step('assign', undefined, attempt)).rejects.toMatchObject({
      externalCode: 'PrincipalNotFound',
      retryable,
    });
  });

  it.each([
    { code: 'AuthorizationFailed', status: 403, expected: 'AZURE_FORBIDDEN', reason: 'we may not' },
    { code: 'RoleDefinitionDoesNotExist', status: 400, expected: 'AZURE_REJECTED', reason: 'another cloud' },
  ])('fails with $expected: $reason', async ({ code, status, expected }) => {
    const parts = world({ principalId: SOMEBODY });
    parts.arm.answer('PUT', /roleAssignments/, refusal(status, code, ''));
    await expect(parts.step('assign')).rejects.toMatchObject({ code: expected });
  });

  it('waits until the hub goes by it, where it is our own', async () => {
    const parts = world({}, jwt({ oid: OURSELVES }));
    await expect(parts.verify()).resolves.toMatchObject({ verdict: 'pending' });
    await parts.step('assign');
    parts.hub.mayDo = () => ({ allowed: false, reason: '' });
    await expect(parts.verify()).resolves.toMatchObject({ verdict: 'pending' });
    parts.hub.mayDo = () => ({ allowed: true, reason: '' });
    await expect(parts.verify()).resolves.toMatchObject({ verdict: 'reached', result: { own: true } });
  });

  it.each([
    { role: 'ClusterAdmin', asked: { verb: 'patch', resource: 'clusterresourceplacements' } },
    { role: 'Writer', asked: { verb: 'patch', resource: 'services' } },
    { role: 'Reader', asked: { verb: 'list', resource: 'services' } },
  ])('tries out what a $role can do', async ({ role, asked }) => {
    const parts = world({ role }, jwt({ oid: OURSELVES }));
    await parts.step('assign');
    const questions: unknown[] = [];
    parts.hub.mayDo = (question) => {
      questions.push(question);
      return { allowed: true, reason: '' };
    };
    await parts.verify();
    expect(questions).toEqual([expect.objectContaining(asked)]);
  });
});
