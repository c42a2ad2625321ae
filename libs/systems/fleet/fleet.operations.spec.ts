import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { type Secret } from '#libs/kernel/secret.js';
import { CLUSTER_ID, SUBSCRIPTION, clusterBody } from '#libs/testing/aks-samples.js';
import { CONNECTED_ID, connectedBody } from '#libs/testing/arc-samples.js';
import { FakeArm, refusal, type FakeAnswer } from '#libs/testing/fake-arm.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import { clusterDirectory } from '#libs/testing/fleet-hub-samples.js';
import { FLEET_ID, MEMBER_ID, fleetBody, memberBody } from '#libs/testing/fleet-samples.js';
import type { StepOutcome } from '../contract/operation-definition.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { contextOf, targetOf } from '../contract/system.contract-suite.js';
import { createFleetSystem } from './fleet.module.js';

const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks_fleetmng`;
const PROVIDER = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerService`;
const OTHER_FLEET = FLEET_ID.replace('aks-fleet01', 'aks-fleet02');

function play(arm: FakeArm, type: string, input: JsonObject, references: Record<string, ResourceTarget>) {
  const operation = createFleetSystem(arm.azure(), new FakeKube(), clusterDirectory()).operations.find(
    (candidate) => candidate.type === type,
  )!;
  const context = contextOf(operation, operation.input.parse(input), references);
  return {
    context,
    target: () => operation.target(context.input, references),
    codes: async () => (await operation.preflight(context)).map(({ code, severity }) => `${severity} ${code}`),
    findings: () => operation.preflight(context),
    step: (name: string, resumeToken?: Secret, attempt = 1) =>
      operation.steps.find((step) => step.name === name)!.run({ ...context, resumeToken, attempt }),
    verify: () => operation.verify(context),
  };
}

function tokenOf(outcome: StepOutcome): Secret {
  if (outcome.outcome !== 'wait' || outcome.resumeToken === undefined)
    throw new Error(`No token in ${outcome.outcome}`);
  return outcome.resumeToken;
}

function lastPut(arm: FakeArm) {
  return arm.requests.filter((request) => request.method === 'PUT').at(-1);
}

describe('fleet.create', () => {
  function cores(currentValue: number, limit: number): FakeAnswer {
    return { status: 200, body: { value: [{ name: { value: 'cores' }, currentValue, limit }] } };
  }

  function world(input: JsonObject = {}, usages = cores(0, 100)) {
    const arm = new FakeArm();
    arm.set(GROUP, { location: 'eastus' });
    arm.set(PROVIDER, {
      registrationState: 'Registered',
      resourceTypes: [
        { resourceType: 'fleets', locations: ['East US', 'West Europe'], apiVersions: ['2026-06-01', '2025-03-01'] },
      ],
    });
    arm.answer('GET', /Microsoft\.Compute\/locations\/[a-z]+\/usages$/, usages);
    const wanted = {
      subscriptionId: SUBSCRIPTION,
      resourceGroup: 'demo_aks_fleetmng',
      name: 'aks-fleet01',
      location: 'East US',
      ...input,
    };
    return { arm, ...play(arm, 'fleet.create', wanted, {}) };
  }

  it('finds nothing wrong where all is prepared', async () => {
    expect(await world().codes()).toEqual([]);
  });

  it.each<{ prepare(arm: FakeArm): void; input?: JsonObject; found: string; reason: string }>([
    {
      prepare: (arm) => arm.set(PROVIDER, { registrationState: 'NotRegistered' }),
      found: 'error PROVIDER_NOT_REGISTERED',
      reason: 'the provider is not registered',
    },
    {
      prepare: () => undefined,
      input: { location: 'mars' },
      found: 'error LOCATION_NOT_SUPPORTED',
      reason: 'the region has no fleets',
    },
    {
      prepare: (arm) =>
        arm.set(PROVIDER, {
          registrationState: 'Registered',
          resourceTypes: [{ resourceType: 'fleets', apiVersions: ['2030-01-01'] }],
        }),
      found: 'error API_VERSION_RETIRED',
      reason: 'our API version is gone',
    },
    { prepare: (arm) => arm.remove(GROUP), found: 'error RESOURCE_GROUP_NOT_FOUND', reason: 'there is no such group' },
    {
      prepare: (arm) =>
        arm.answer('GET', /providers\/Microsoft\.ContainerService$/, refusal(404, 'SubscriptionNotFound', '')),
      found: 'error SUBSCRIPTION_NOT_FOUND',
      reason: 'there is no such subscription',
    },
    { prepare: (arm) => arm.set(FLEET_ID, fleetBody()), found: 'info FLEET_EXISTS', reason: 'it was created already' },
    {
      prepare: (arm) => arm.set(FLEET_ID, fleetBody()),
      input: { hub: false },
      found: 'error FLEET_EXISTS_DIFFERENT',
      reason: 'a hub cannot be taken away',
    },
    {
      prepare: (arm) => arm.set(FLEET_ID, { ...fleetBody(), location: 'westus' }),
      found: 'error FLEET_EXISTS_DIFFERENT',
      reason: 'a fleet cannot move',
    },
    {
      prepare: () => undefined,
      input: { hub: false, dnsPrefix: 'x' },
      found: 'error HUB_OPTIONS_WITHOUT_HUB',
      reason: 'the parts contradict each other',
    },
  ])('finds $found when $reason', async ({ prepare, input, found }) => {
    const { arm, codes } = world(input);
    prepare(arm);
    expect(await codes()).toEqual([found]);
  });

  it.each([
    { usages: cores(97, 100), found: ['warning REGIONAL_CORES_SHORT'], reason: 'one core is missing' },
    { usages: cores(96, 100), found: [], reason: 'the hub just fits' },
    {
      usages: refusal(403, 'AuthorizationFailed', ''),
      found: ['info REGIONAL_CORES_UNKNOWN'],
      reason: 'it cannot be read',
    },
    {
      usages: { status: 200, body: { value: [] } },
      found: ['info REGIONAL_CORES_UNKNOWN'],
      reason: 'it has no such entry',
    },
  ])('reads the regional quota: $reason', async ({ usages, found }) => {
    expect(await world({}, usages).codes()).toEqual(found);
    expect(await world({ hub: false }, usages).codes()).toEqual([]);
  });

  it.each([
    { input: {}, properties: { hubProfile: { dnsPrefix: 'aks-fleet01' } }, reason: 'a hub, named after the fleet' },
    {
      input: { dnsPrefix: 'mine', hubVmSize: 'Standard_D4s_v5' },
      properties: { hubProfile: { dnsPrefix: 'mine', agentProfile: { vmSize: 'Standard_D4s_v5' } } },
      reason: 'a hub as chosen',
    },
    { input: { hub: false }, properties: {}, reason: 'no hub at all: leaving it out is how that is said' },
  ])('asks for $reason', async ({ input, properties }) => {
    const { arm, step } = world({ ...input, tags: { env: 'dev' } });
    await step('create');
    expect(lastPut(arm)).toMatchObject({ path: FLEET_ID, headers: { 'if-none-match': '*' } });
    expect(lastPut(arm)?.body).toEqual({ location: 'eastus', tags: { env: 'dev' }, properties });
  });

  it('creates once, whatever happens in between, and says succeeded when the fleet is there', async () => {
    const { arm, step, verify } = world();
    await step('create');
    await expect(step('create', undefined, 2)).resolves.toMatchObject({ outcome: 'wait' });
    arm.settle();
    await expect(step('create', undefined, 3)).resolves.toMatchObject({ outcome: 'done' });
    expect(arm.writes()).toEqual([`PUT ${FLEET_ID}`]);
    await expect(verify()).resolves.toMatchObject({
      verdict: 'reached',
      result: { fleet: FLEET_ID, hub: { dnsPrefix: 'aks-fleet01' } },
      observations: [{ kind: 'Fleet', source: 'OPERATION' }],
    });
  });

  it('goes on with a fleet that an earlier attempt has left at fault, without losing what is in it', async () => {
    const { arm, step } = world();
    arm.set(FLEET_ID, fleetBody({ provisioningState: 'Failed', futureField: 1 }));
    await step('create');
    expect(lastPut(arm)).toMatchObject({
      headers: { 'if-match': '"fleet-1"' },
      body: {
        properties: {
          futureField: 1,
          hubProfile: { dnsPrefix: 'aks-fleet01', agentProfile: { vmSize: 'Standard_D4s_v4' } },
        },
      },
    });
  });

  it('ends with the words of Azure when creating fails, also after its address has expired', async () => {
    const { arm, step } = world();
    const token = tokenOf(await step('create'));
    arm.forgetOperations();
    arm.set(
      FLEET_ID,
      fleetBody({
        provisioningState: 'Failed',
        status: { lastOperationError: { code: 'QuotaExceeded', message: 'D4s' } },
      }),
    );
    await expect(step('create', token)).rejects.toMatchObject({
      code: 'AZURE_OPERATION_FAILED',
      externalCode: 'QuotaExceeded',
    });
  });

  it.each([
    { field: 'name', value: 'Upper', reason: 'upper case' },
    { field: 'name', value: '-x', reason: 'a hyphen first' },
    { field: 'name', value: 'a'.repeat(64), reason: 'too long' },
    { field: 'name', value: 'a/../b', reason: 'a path' },
    { field: 'resourceGroup', value: 'ends.', reason: 'a full stop at the end' },
    { field: 'resourceGroup', value: 'a/b', reason: 'a path' },
    { field: 'subscriptionId', value: 'mine', reason: 'no uuid' },
    { field: 'location', value: 'east/us', reason: 'a path' },
    { field: 'dnsPrefix', value: 'a_b', reason: 'an underscore' },
    { field: 'tags', value: { 'a/b': 'x' }, reason: 'a character that Azure forbids in tag names' },
    { field: 'hub', value: 'yes', reason: 'a text' },
  ])('refuses $field: $reason', ({ field, value }) => {
    expect(() => world({ [field]: value })).toThrow();
  });
});

describe('fleet.delete', () => {
  function world(members: JsonObject[] = [memberBody()]) {
    const arm = new FakeArm();
    arm.set(FLEET_ID, fleetBody());
    arm.add(...members);
    return { arm, ...play(arm, 'fleet.delete', { fleet: FLEET_ID }, { fleet: targetOf(FLEET_ID, 'Fleet') }) };
  }

  it('warns of what goes with the fleet', async () => {
    expect(await world().codes()).toEqual(['warning HUB_IS_DELETED', 'warning FLEET_HAS_MEMBERS']);
    const gone = world([]);
    gone.arm.remove(FLEET_ID);
    expect(await gone.codes()).toEqual(['info FLEET_NOT_FOUND']);
  });

  it('lets the members leave first: deleting the fleet alone leaves their clusters bound to it', async () => {
    const { arm, step } = world();
    const waiting = await step('release-members');
    expect(waiting).toMatchObject({ outcome: 'wait', retryAfterSeconds: 7 });
    await step('release-members', tokenOf(waiting));
    arm.settle();
    await expect(step('release-members', tokenOf(waiting))).resolves.toMatchObject({ outcome: 'done' });
    expect(arm.writes()).toEqual([`DELETE ${MEMBER_ID}`]);
  });

  it('asks few at once', async () => {
    const members = Array.from({ length: 25 }, (_unused, index) => memberBody({}, `${FLEET_ID}/members/m${index}`));
    const { arm, step } = world(members);
    const first = tokenOf(await step('release-members'));
    expect(arm.writes()).toHaveLength(10);
    await step('release-members', first);
    expect(arm.writes()).toHaveLength(10);
    arm.settle();
    await step('release-members', first);
    expect(arm.writes()).toHaveLength(20);
  });

  it('ends with the words of Azure when a member cannot leave', async () => {
    const { arm, step } = world();
    const token = tokenOf(await step('release-members'));
    arm.set(
      MEMBER_ID,
      memberBody({ provisioningState: 'Failed', status: { lastOperationError: { code: 'AgentGone', message: '' } } }),
    );
    await expect(step('release-members', token)).rejects.toMatchObject({ externalCode: 'AgentGone' });
  });

  it('deletes once and says succeeded when the fleet is gone', async () => {
    const { arm, step, verify } = world([]);
    const token = tokenOf(await step('delete'));
    await expect(step('delete', undefined, 2)).resolves.toMatchObject({ outcome: 'wait' });
    await expect(verify()).resolves.toMatchObject({ verdict: 'pending' });
    arm.settle();
    await expect(step('delete', token)).resolves.toMatchObject({ outcome: 'done' });
    expect(arm.writes()).toEqual([`DELETE ${FLEET_ID}`]);
    await expect(verify()).resolves.toMatchObject({ verdict: 'reached', absent: [{ id: FLEET_ID, kind: 'Fleet' }] });
  });

  it.each([
    { graph: undefined, absent: [FLEET_ID], reason: 'the index has forgotten them' },
    {
      graph: [MEMBER_ID, `${OTHER_FLEET}/members/m`],
      absent: [FLEET_ID, MEMBER_ID],
      reason: 'the index still lists them',
    },
    { graph: 'fails' as const, absent: [FLEET_ID], reason: 'the index cannot be asked: the next sync finds out' },
  ])('tells which members have gone with it: $reason', async ({ graph, absent }) => {
    const { arm, verify } = world([]);
    arm.remove(FLEET_ID);
    if (graph === 'fails') arm.answer('POST', /resourcegraph/i, refusal(403, 'AuthorizationFailed', ''));
    else if (graph !== undefined) {
      const data = graph.map((id) => memberBody({}, id));
      const body = { data, count: data.length, totalRecords: data.length, resultTruncated: 'false' };
      arm.answer('POST', /resourcegraph/i, { status: 200, body });
    }
    await expect(verify()).resolves.toMatchObject({ verdict: 'reached', absent: absent.map((id) => ({ id })) });
  });

  it('has nothing to do for a fleet that is gone', async () => {
    const { arm, step } = world([]);
    arm.remove(FLEET_ID);
    await expect(step('release-members')).resolves.toMatchObject({ outcome: 'done' });
    await expect(step('delete')).resolves.toMatchObject({ outcome: 'done' });
    expect(arm.writes()).toEqual([]);
  });
});

describe('fleet.member.join of a cluster of Azure Arc', () => {
  function world(change: JsonObject = {}) {
    const arm = new FakeArm();
    arm.set(FLEET_ID, fleetBody());
    arm.set(CONNECTED_ID, connectedBody(change));
    const references = { fleet: targetOf(FLEET_ID, 'Fleet'), cluster: targetOf(CONNECTED_ID, 'ConnectedCluster') };
    return { arm, ...play(arm, 'fleet.member.join', { fleet: FLEET_ID, cluster: CONNECTED_ID }, references) };
  }

  it.each([
    { change: {}, found: ['warning POD_NETWORK_NOT_ROUTABLE'], reason: 'its pods are in no network of Azure' },
    {
      change: { connectivityStatus: 'Offline' },
      found: ['error CLUSTER_NOT_CONNECTED', 'warning POD_NETWORK_NOT_ROUTABLE'],
      reason: 'its agents are silent',
    },
  ])('finds $found when $reason', async ({ change, found }) => {
    expect(await world(change).codes()).toEqual(found);
  });

  it('joins it by its own id', async () => {
    const { arm, step, target } = world();
    await step('join');
    expect(lastPut(arm)).toMatchObject({
      path: target().id,
      body: { properties: { clusterResourceId: CONNECTED_ID } },
    });
  });
});

describe('fleet.member.join', () => {
  function world(input: JsonObject = {}, cluster = CLUSTER_ID) {
    const arm = new FakeArm();
    arm.set(FLEET_ID, fleetBody());
    arm.set(cluster, { ...clusterBody(), id: cluster });
    const references = { fleet: targetOf(FLEET_ID, 'Fleet'), cluster: targetOf(cluster, 'ManagedCluster') };
    return { arm, ...play(arm, 'fleet.member.join', { fleet: FLEET_ID, cluster, ...input }, references) };
  }

  it('names the member after the cluster, and locks the cluster: two fleets must not take it at once', () => {
    expect(world().target()).toEqual({ id: MEMBER_ID, kind: 'FleetMember', lock: CLUSTER_ID.toLowerCase() });
    expect(world({ name: 'mine' }).target().id).toBe(`${FLEET_ID}/members/mine`);
  });

  it.each<{ prepare(arm: FakeArm): void; found: string[]; reason: string }>([
    { prepare: () => undefined, found: [], reason: 'all is prepared' },
    { prepare: (arm) => arm.remove(FLEET_ID), found: ['error FLEET_NOT_FOUND'], reason: 'there is no fleet' },
    { prepare: (arm) => arm.remove(CLUSTER_ID), found: ['error CLUSTER_NOT_FOUND'], reason: 'there is no cluster' },
    {
      prepare: (arm) => arm.set(FLEET_ID, fleetBody({ provisioningState: 'Failed' })),
      found: ['error FLEET_NOT_READY'],
      reason: 'the fleet is at fault',
    },
    {
      prepare: (arm) => arm.set(FLEET_ID, fleetBody({ provisioningState: 'Deleting' })),
      found: ['error FLEET_NOT_READY'],
      reason: 'the fleet is going',
    },
    {
      prepare: (arm) => arm.set(FLEET_ID, fleetBody({ provisioningState: 'Updating' })),
      found: ['warning FLEET_BUSY'],
      reason: 'the fleet is busy',
    },
    {
      prepare: (arm) => arm.set(FLEET_ID, fleetBody({ hubProfile: null })),
      found: ['info FLEET_HUBLESS'],
      reason: 'the fleet has no hub',
    },
    {
      prepare: (arm) => arm.set(CLUSTER_ID, clusterBody({ provisioningState: 'Failed' })),
      found: ['error CLUSTER_NOT_READY'],
      reason: 'the cluster is at fault',
    },
    {
      prepare: (arm) => arm.set(CLUSTER_ID, clusterBody({ provisioningState: 'Upgrading' })),
      found: ['warning CLUSTER_BUSY'],
      reason: 'the cluster is busy',
    },
    {
      prepare: (arm) => arm.set(CLUSTER_ID, clusterBody({ powerState: { code: 'Stopped' } })),
      found: ['error CLUSTER_STOPPED'],
      reason: 'the cluster is switched off',
    },
    {
      prepare: (arm) => arm.set(CLUSTER_ID, clusterBody({ nodeResourceGroup: 'MC_FL_x' })),
      found: ['error CLUSTER_IS_HUB'],
      reason: 'a hub cannot be a member',
    },
    {
      prepare: (arm) =>
        arm.set(CLUSTER_ID, clusterBody({ networkProfile: { networkPlugin: 'azure', networkPluginMode: 'overlay' } })),
      found: ['warning POD_NETWORK_NOT_ROUTABLE'],
      reason: 'pods are in an overlay, as is the default today',
    },
    {
      prepare: (arm) => arm.set(CLUSTER_ID, clusterBody({ networkProfile: { networkPlugin: 'kubenet' } })),
      found: ['warning POD_NETWORK_NOT_ROUTABLE'],
      reason: 'pods are behind kubenet',
    },
    {
      prepare: (arm) => arm.set(MEMBER_ID, memberBody()),
      found: ['info MEMBER_EXISTS'],
      reason: 'it has joined already',
    },
    {
      prepare: (arm) => arm.set(`${FLEET_ID}/members/m`, memberBody({}, `${FLEET_ID}/members/m`)),
      found: ['error CLUSTER_ALREADY_MEMBER'],
      reason: 'it is in this fleet under another name',
    },
    {
      prepare: (arm) => arm.set(MEMBER_ID, memberBody({ clusterResourceId: `${CLUSTER_ID}-other` })),
      found: ['error MEMBER_NAME_TAKEN'],
      reason: 'the name belongs to another cluster',
    },
  ])('finds $found when $reason', async ({ prepare, found }) => {
    const { arm, codes } = world();
    prepare(arm);
    expect(await codes()).toEqual(found);
  });

  it.each([
    { graph: true, reason: 'by Resource Graph' },
    { graph: false, reason: 'by ARM, where Resource Graph fails' },
  ])('finds a membership in another fleet $reason, whatever the case of the id', async ({ graph }) => {
    const { arm, findings } = world();
    const elsewhere = `${OTHER_FLEET}/members/there`;
    arm.set(OTHER_FLEET, fleetBody({}, OTHER_FLEET));
    arm.set(elsewhere, memberBody({ clusterResourceId: CLUSTER_ID.toUpperCase() }, elsewhere));
    if (!graph) arm.answer('POST', /resourcegraph/i, refusal(403, 'AuthorizationFailed', ''));
    expect(await findings()).toMatchObject([
      {
        code: 'CLUSTER_ALREADY_MEMBER',
        severity: 'error',
        evidence: { member: elsewhere },
        remedy: expect.stringContaining('leave'),
      },
    ]);
  });

  it('does not believe the index about a membership that has ended', async () => {
    const { arm, codes } = world();
    const body = {
      data: [memberBody({}, `${OTHER_FLEET}/members/gone`)],
      count: 1,
      totalRecords: 1,
      resultTruncated: 'false',
    };
    arm.answer('POST', /resourcegraph/i, { status: 200, body });
    expect(await codes()).toEqual([]);
  });

  it('goes on with a warning where memberships elsewhere cannot be read: Azure refuses a second one itself', async () => {
    const { arm, codes } = world();
    arm.answer('POST', /resourcegraph/i, refusal(403, 'AuthorizationFailed', ''));
    arm.answer('GET', /fleets$/, refusal(403, 'AuthorizationFailed', ''));
    expect(await codes()).toEqual(['warning MEMBERSHIP_UNKNOWN']);
  });

  it('refuses a cluster of another tenant', async () => {
    const otherSubscription = '00000000-0000-0000-0000-000000000002';
    const { arm, codes } = world({}, CLUSTER_ID.replace(SUBSCRIPTION, otherSubscription));
    arm.set(`/subscriptions/${SUBSCRIPTION}`, { subscriptionId: SUBSCRIPTION, tenantId: 'one' });
    arm.set(`/subscriptions/${otherSubscription}`, { subscriptionId: otherSubscription, tenantId: 'two' });
    expect(await codes()).toEqual(['error CLUSTER_IN_OTHER_TENANT']);
  });

  it('joins once, and says succeeded when the member is there', async () => {
    const { arm, step, verify } = world({ group: 'canary', labels: { env: 'dev' } });
    const token = tokenOf(await step('join'));
    expect(lastPut(arm)).toMatchObject({ path: MEMBER_ID, headers: { 'if-none-match': '*' } });
    expect(lastPut(arm)?.body).toEqual({
      properties: { clusterResourceId: CLUSTER_ID, group: 'canary', labels: { env: 'dev' } },
    });
    await expect(step('join', undefined, 2)).resolves.toMatchObject({ outcome: 'wait' });
    arm.settle();
    await expect(step('join', token)).resolves.toMatchObject({ outcome: 'done' });
    expect(arm.writes()).toHaveLength(1);
    await expect(verify()).resolves.toMatchObject({
      verdict: 'reached',
      result: { member: MEMBER_ID },
      observations: [{ kind: 'FleetMember', source: 'OPERATION' }],
    });
  });

  it('waits without sending anything while the cluster is busy', async () => {
    const { arm, step } = world();
    arm.set(CLUSTER_ID, clusterBody({ provisioningState: 'Upgrading' }));
    await expect(step('join')).resolves.toMatchObject({ outcome: 'blocked' });
    expect(arm.writes()).toEqual([]);
  });

  it('waits until a membership that is ending has ended', async () => {
    const { arm, step } = world();
    arm.set(MEMBER_ID, memberBody({ provisioningState: 'Leaving' }));
    await expect(step('join')).resolves.toMatchObject({ outcome: 'blocked' });
    expect(arm.writes()).toEqual([]);
  });

  it.each([
    { input: {}, writes: 0, reason: 'nothing is asked of group and labels' },
    { input: { group: 'canary', labels: { env: 'dev' } }, writes: 0, reason: 'they are as asked' },
    { input: { group: 'prod' }, writes: 1, reason: 'the group is to be another' },
    { input: { labels: {} }, writes: 1, reason: 'the labels are to go' },
  ])('changes a member that is there only if $reason', async ({ input, writes }) => {
    const { arm, step } = world(input);
    arm.set(MEMBER_ID, memberBody({ futureField: 'kept' }));
    await step('join');
    expect(arm.writes()).toHaveLength(writes);
    if (writes > 0) {
      expect(lastPut(arm)).toMatchObject({
        headers: { 'if-match': '"member-1"' },
        body: { properties: { futureField: 'kept', ...input } },
      });
    }
  });

  it('never takes the name of another cluster', async () => {
    const { arm, step } = world();
    arm.set(MEMBER_ID, memberBody({ clusterResourceId: `${CLUSTER_ID}-other` }));
    await expect(step('join')).rejects.toMatchObject({
      code: 'CONFLICT',
      remedy: expect.stringMatching(/demo-aks01-demo-aks01-[0-9a-f]{6}/),
    });
    expect(arm.writes()).toEqual([]);
  });

  it.each([
    { change: { provisioningState: 'Joining' }, verdict: 'pending', reason: 'it is still joining' },
    { change: { provisioningState: 'Failed' }, verdict: 'missed', reason: 'it failed' },
    { change: { clusterResourceId: `${CLUSTER_ID}-other` }, verdict: 'missed', reason: 'it is another cluster' },
  ])('does not say succeeded when $reason', async ({ change, verdict }) => {
    const { arm, verify } = world();
    arm.set(MEMBER_ID, memberBody(change));
    await expect(verify()).resolves.toMatchObject({ verdict });
  });

  it.each([
    { field: 'name', value: 'a'.repeat(51), reason: 'too long' },
    { field: 'name', value: 'a_b', reason: 'an underscore' },
    { field: 'group', value: 'Prod', reason: 'upper case' },
    { field: 'labels', value: { 'a b': 'x' }, reason: 'no label key' },
    { field: 'labels', value: { a: 'x y' }, reason: 'no label value' },
    { field: 'labels', value: { a: 1 }, reason: 'a number' },
  ])('refuses $field: $reason', ({ field, value }) => {
    expect(() => world({ [field]: value })).toThrow();
  });
});

describe('fleet.member.leave', () => {
  function world(change: JsonObject = {}) {
    const arm = new FakeArm();
    arm.set(FLEET_ID, fleetBody());
    arm.set(MEMBER_ID, memberBody(change));
    return {
      arm,
      ...play(arm, 'fleet.member.leave', { member: MEMBER_ID }, { member: targetOf(MEMBER_ID, 'FleetMember') }),
    };
  }

  it('leaves once and says succeeded when the member is gone', async () => {
    const { arm, step, verify } = world();
    const token = tokenOf(await step('leave'));
    await expect(step('leave', undefined, 2)).resolves.toMatchObject({ outcome: 'wait' });
    arm.settle();
    await expect(step('leave', token)).resolves.toMatchObject({ outcome: 'done' });
    expect(arm.writes()).toEqual([`DELETE ${MEMBER_ID}`]);
    await expect(verify()).resolves.toMatchObject({
      verdict: 'reached',
      absent: [{ id: MEMBER_ID }],
      observations: [],
    });
  });

  it.each([
    { change: { provisioningState: 'Joining' }, outcome: 'blocked', writes: 0, reason: 'it is still joining' },
    { change: { provisioningState: 'Leaving' }, outcome: 'wait', writes: 0, reason: 'it is leaving already' },
    { change: { provisioningState: 'Failed' }, outcome: 'wait', writes: 1, reason: 'a member at fault can leave' },
  ])('$outcome when $reason', async ({ change, outcome, writes }) => {
    const { arm, step } = world(change);
    await expect(step('leave')).resolves.toMatchObject({ outcome });
    expect(arm.writes()).toHaveLength(writes);
  });

  it('finds what there is to find', async () => {
    expect(await world().codes()).toEqual([]);
    expect(await world({ provisioningState: 'Updating' }).codes()).toEqual(['warning MEMBER_BUSY']);
    const gone = world();
    gone.arm.remove(MEMBER_ID);
    expect(await gone.codes()).toEqual(['info MEMBER_NOT_FOUND']);
  });
});
