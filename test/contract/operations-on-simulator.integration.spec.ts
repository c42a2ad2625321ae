import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Azure } from '#libs/azure/azure.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { createAksSystem } from '#libs/systems/aks/aks.module.js';
import type { System } from '#libs/systems/contract/system.js';
import { targetOf } from '#libs/systems/contract/system.contract-suite.js';
import { createFleetSystem } from '#libs/systems/fleet/fleet.module.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import {
  AzureOnSimulator,
  CLUSTER_1,
  CLUSTER_2,
  FLEET,
  MEMBER_1,
  MEMBER_2,
  OperationPlayer,
  POOL_1,
  SUBSCRIPTION,
} from './azure-on-simulator.js';

let world: AzureOnSimulator;
beforeEach(async () => {
  world = await AzureOnSimulator.start();
});
afterEach(() => world.stop());

function fleetSystem(azure: Azure): System {
  return createFleetSystem(azure, new FakeKube(), { find: async () => undefined });
}

function scale(count = 3): OperationPlayer {
  const operation = createAksSystem(world.azure).operations[0]!;
  return new OperationPlayer(
    world,
    operation,
    { nodePool: POOL_1, count },
    { nodePool: targetOf(POOL_1, 'AgentPool') },
  );
}

function fleetOperation(
  type: string,
  input: JsonObject,
  references: Record<string, ReturnType<typeof targetOf>>,
): OperationPlayer {
  const operation = fleetSystem(world.azure).operations.find((candidate) => candidate.type === type)!;
  return new OperationPlayer(world, operation, input, references);
}

function join(input: JsonObject = {}): OperationPlayer {
  const references = { fleet: targetOf(FLEET, 'Fleet'), cluster: targetOf(CLUSTER_2, 'ManagedCluster') };
  return fleetOperation('fleet.member.join', { fleet: FLEET, cluster: CLUSTER_2, ...input }, references);
}

const fault = (match: JsonObject, play: JsonObject, times?: number) =>
  world.control('faults', { match, fault: play, ...(times === undefined ? {} : { times }) });
const failNext = (code: string) =>
  world.control('operations/fail-next', { match: { resourceId: POOL_1 }, error: { code, message: 'simulated' } });

describe('scaling a node pool', () => {
  it('ends with the nodes there, by one PUT that carries our correlation id', async () => {
    const operation = scale();
    expect((await operation.findings()).filter((finding) => finding.startsWith('error'))).toEqual([]);
    await expect(operation.play()).resolves.toMatchObject({ verdict: 'reached', result: { count: 3 } });
    expect(await world.writes()).toEqual([`PUT ${POOL_1}`]);
    expect(await world.requests({ method: 'PUT' })).toMatchObject([{ correlationId: 'contract' }]);
  });

  it('keeps fields that are newer than Pilothouse', async () => {
    const body = { properties: { futureField: { nested: ['kept'] }, upgradeSettings: { futureNested: 'kept too' } } };
    await world.control('resources', { id: POOL_1, operation: 'patch', body });
    await scale().play();
    const reading = await world.azure.arm.get(POOL_1, '2026-04-01', { correlationId: 'c' });
    expect(reading).toMatchObject({ state: 'found', body: { properties: { count: 3, ...body.properties } } });
  });

  it('sends one PUT when the worker dies between sending it and saving the token', async () => {
    const operation = scale();
    await operation.runStep();
    operation.forgetToken();
    await expect(operation.play()).resolves.toMatchObject({ verdict: 'reached' });
    expect(await world.writes()).toHaveLength(1);
  });

  it('sends one PUT when the answer to it is lost', async () => {
    await fault({ method: 'PUT' }, { type: 'drop-after-effect' }, 1);
    const operation = scale();
    await expect(operation.runStep()).rejects.toMatchObject({ code: 'AZURE_UNAVAILABLE', retry: { kind: 'backoff' } });
    await expect(operation.play()).resolves.toMatchObject({ verdict: 'reached' });
    expect(await world.writes()).toHaveLength(1);
  });

  it('ends well when the address of the operation expires', async () => {
    const operation = scale();
    await operation.runStep();
    await fault({}, { type: 'expire-poll-urls' });
    await expect(operation.play()).resolves.toMatchObject({ verdict: 'reached' });
    expect(await world.writes()).toHaveLength(1);
  });

  it.each([
    { id: POOL_1, reason: 'the pool is being updated' },
    { id: CLUSTER_1, reason: 'the cluster is being updated' },
  ])('waits without a PUT while $reason, then goes on', async ({ id }) => {
    await world.control('resources', {
      id,
      operation: 'patch',
      body: { tags: { touched: 'yes' } },
      longRunning: { seconds: 30, state: 'Updating' },
    });
    const operation = scale();
    expect(await operation.findings()).toContain('warning CLUSTER_BUSY');
    await expect(operation.runStep()).resolves.toMatchObject({ outcome: 'blocked' });
    expect(await world.writes()).toEqual([]);
    await expect(operation.play()).resolves.toMatchObject({ verdict: 'reached' });
    expect(await world.writes()).toHaveLength(1);
  });

  it('reports the failure of Azure in its own words', async () => {
    await failNext('SubnetIsFull');
    await expect(scale().play()).rejects.toMatchObject({
      code: 'AZURE_OPERATION_FAILED',
      externalCode: 'SubnetIsFull',
    });
  });

  it('says when the quota is not enough', async () => {
    await world.control('quota', { subscriptionId: SUBSCRIPTION, location: 'eastus', cores: 1 });
    await expect(scale(50).play()).rejects.toMatchObject({
      code: expect.stringMatching(/^AZURE_(QUOTA_EXCEEDED|OPERATION_FAILED)$/),
    });
  });

  it('lives through a storm of 429 and 5xx', async () => {
    await fault({ method: 'GET' }, { type: 'error', status: 503 }, 2);
    await fault({ method: 'PUT' }, { type: 'throttle', retryAfterSeconds: 0 }, 2);
    await expect(scale().play()).resolves.toMatchObject({ verdict: 'reached' });
  });

  it('leaves the worker free under a long throttle', async () => {
    await fault({}, { type: 'throttle', retryAfterSeconds: 60 });
    const started = Date.now();
    await expect(scale().runStep()).rejects.toMatchObject({
      code: 'AZURE_THROTTLED',
      retry: { kind: 'after', seconds: 60 },
    });
    expect(Date.now() - started).toBeLessThan(5000);
  });
});

describe('joining a cluster to a fleet (scenario A, step 3)', () => {
  it('makes the member under the name that the Azure tools give, and lets it leave again', async () => {
    const operation = join({ group: 'canary', labels: { env: 'dev' } });
    expect((await operation.findings()).filter((finding) => finding.startsWith('error'))).toEqual([]);
    const verification = await operation.play();
    expect(verification).toMatchObject({ verdict: 'reached', observations: [{ id: MEMBER_2, tags: { env: 'dev' } }] });
    const leave = fleetOperation(
      'fleet.member.leave',
      { member: MEMBER_2 },
      { member: targetOf(MEMBER_2, 'FleetMember') },
    );
    await expect(leave.play()).resolves.toMatchObject({ verdict: 'reached', absent: [{ id: MEMBER_2 }] });
    expect(await world.writes()).toEqual([`PUT ${MEMBER_2}`, `DELETE ${MEMBER_2}`]);
  });

  it('sends one PUT when its answer is lost', async () => {
    await fault({ method: 'PUT' }, { type: 'drop-after-effect' }, 1);
    const operation = join();
    await expect(operation.runStep()).rejects.toMatchObject({ code: 'AZURE_UNAVAILABLE' });
    await expect(operation.play()).resolves.toMatchObject({ verdict: 'reached' });
    expect(await world.writes()).toHaveLength(1);
  });

  it('finds a membership in another fleet before Azure refuses it', async () => {
    await createFleet('aks-fleet02').play();
    const elsewhere = FLEET.replace('aks-fleet01', 'aks-fleet02');
    const references = { fleet: targetOf(elsewhere, 'Fleet'), cluster: targetOf(CLUSTER_1, 'ManagedCluster') };
    const operation = fleetOperation('fleet.member.join', { fleet: elsewhere, cluster: CLUSTER_1 }, references);
    expect(await operation.findings()).toContain('error CLUSTER_ALREADY_MEMBER');
    await expect(operation.play()).rejects.toMatchObject({ externalCode: 'ClusterAlreadyJoinedAnotherFleet' });
  });

  it('changes the labels of a member that is there', async () => {
    await join({ labels: { env: 'dev' } }).play();
    await expect(join({ labels: { env: 'prod' } }).play()).resolves.toMatchObject({
      verdict: 'reached',
      observations: [{ tags: { env: 'prod' } }],
    });
  });
});

function createFleet(name: string, input: JsonObject = {}): OperationPlayer {
  const wanted = {
    subscriptionId: SUBSCRIPTION,
    resourceGroup: 'demo_aks_fleetmng',
    name,
    location: 'eastus',
    ...input,
  };
  return fleetOperation('fleet.create', wanted, {});
}

describe('creating and deleting a fleet', () => {
  it.each([
    {
      input: {},
      hub: { dnsPrefix: 'aks-fleet02', fqdn: expect.stringContaining('aks-fleet02') },
      reason: 'with a hub',
    },
    { input: { hub: false }, hub: null, reason: 'without a hub' },
  ])('creates one $reason', async ({ input, hub }) => {
    const operation = createFleet('aks-fleet02', input);
    expect((await operation.findings()).filter((finding) => finding.startsWith('error'))).toEqual([]);
    await expect(operation.play()).resolves.toMatchObject({ verdict: 'reached', result: { hub } });
    expect(await world.writes()).toHaveLength(1);
  });

  it.each([
    { input: { location: 'atlantis' }, finding: 'error LOCATION_NOT_SUPPORTED', reason: 'a region without fleets' },
    {
      input: { resourceGroup: 'missing' },
      finding: 'error RESOURCE_GROUP_NOT_FOUND',
      reason: 'a group that is not there',
    },
    {
      input: { subscriptionId: '00000000-0000-0000-0000-00000000ffff' },
      finding: 'error SUBSCRIPTION_NOT_FOUND',
      reason: 'a subscription that is not there',
    },
  ])('finds $finding: $reason', async ({ input, finding }) => {
    expect(await createFleet('aks-fleet02', input).findings()).toContain(finding);
  });

  it('deletes one after its members have left, and its cluster can join another afterwards', async () => {
    const operation = fleetOperation('fleet.delete', { fleet: FLEET }, { fleet: targetOf(FLEET, 'Fleet') });
    expect(await operation.findings()).toEqual(['warning HUB_IS_DELETED', 'warning FLEET_HAS_MEMBERS']);
    await expect(operation.play()).resolves.toMatchObject({ verdict: 'reached', absent: [{ id: FLEET }] });
    expect(await world.writes()).toEqual([`DELETE ${MEMBER_1}`, `DELETE ${FLEET}`]);
    world.advance(60);
    await createFleet('aks-fleet02', { hub: false }).play();
    const elsewhere = FLEET.replace('aks-fleet01', 'aks-fleet02');
    const references = { fleet: targetOf(elsewhere, 'Fleet'), cluster: targetOf(CLUSTER_1, 'ManagedCluster') };
    const rejoin = fleetOperation('fleet.member.join', { fleet: elsewhere, cluster: CLUSTER_1 }, references);
    await expect(rejoin.play()).resolves.toMatchObject({ verdict: 'reached' });
  });
});
