import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type JsonObject } from '#libs/kernel/json.js';
import {
  type Answer,
  AKS_VERSION,
  CLUSTER_1,
  POOL_1,
  SUBSCRIPTION,
  SimulatedAzure,
  codeOf,
  itemsOf,
  propertiesOf,
  textOf,
} from '../simulated-azure.harness.js';
import { coresOf } from './vm-size.js';

const POOL_2 = `${CLUSTER_1}/agentPools/pool2`;

let azure: SimulatedAzure;
beforeEach(async () => {
  azure = await SimulatedAzure.start();
});
afterEach(async () => azure.stop());

async function poolAsRead(): Promise<JsonObject> {
  return (await azure.get(POOL_1, AKS_VERSION)).body;
}

describe('a node pool', () => {
  it('scales: the body as read with another count', async () => {
    const pool = await poolAsRead();
    const answer = await azure.put(POOL_1, AKS_VERSION, { ...pool, properties: { ...propertiesOf(pool), count: 5 } });
    expect([answer.status, propertiesOf(answer.body).provisioningState, propertiesOf(answer.body).count]).toEqual([
      200,
      'Scaling',
      5,
    ]);
    azure.finishOperations();
    const profiles = propertiesOf((await azure.get(CLUSTER_1, AKS_VERSION)).body).agentPoolProfiles as JsonObject[];
    expect(profiles).toEqual([
      expect.objectContaining({ name: 'nodepool1', count: 5, provisioningState: 'Succeeded' }),
    ]);
  });

  it('gets the newest image of its family, which its upgrade profile names', async () => {
    const profile = propertiesOf((await azure.get(`${POOL_1}/upgradeProfiles/default`, AKS_VERSION)).body);
    const before = propertiesOf(await poolAsRead());
    expect(profile.latestNodeImageVersion).not.toBe(before.nodeImageVersion);
    const answer = await azure.send('POST', `${POOL_1}/upgradeNodeImageVersion`, { version: AKS_VERSION });
    expect(answer.status).toBe(202);
    expect(propertiesOf(await poolAsRead()).provisioningState).toBe('UpgradingNodeImageVersion');
    azure.finishOperations();
    expect(propertiesOf(await poolAsRead())).toMatchObject({
      nodeImageVersion: profile.latestNodeImageVersion,
      orchestratorVersion: before.orchestratorVersion,
      provisioningState: 'Succeeded',
    });
  });

  it('is stopped and started by its power state, unless system pods need it', async () => {
    const setPower = async (id: string, code: string): Promise<Answer> => {
      const { body } = await azure.get(id, AKS_VERSION);
      return azure.put(id, AKS_VERSION, { ...body, properties: { ...propertiesOf(body), powerState: { code } } });
    };
    await azure.put(POOL_2, AKS_VERSION, { properties: { count: 1, mode: 'User' } });
    azure.finishOperations();
    for (const [code, state] of [
      ['Stopped', 'Stopping'],
      ['Running', 'Starting'],
    ] as const) {
      expect(propertiesOf((await setPower(POOL_2, code)).body).provisioningState).toBe(state);
      azure.finishOperations();
      expect(propertiesOf((await azure.get(POOL_2, AKS_VERSION)).body).powerState).toEqual({ code });
    }
    expect(codeOf(await setPower(POOL_1, 'Stopped'))).toBe('OperationNotAllowed');
  });

  it('is refused machines that the list of sizes calls restricted', async () => {
    await azure.control('POST', '/settings', { restrictedMachineSizes: ['standard_d4s_v5'] });
    const refused = await azure.put(POOL_2, AKS_VERSION, { properties: { count: 1, vmSize: 'Standard_D4s_v5' } });
    expect([refused.status, refused.body.message]).toEqual([
      400,
      expect.stringContaining('The VM size of Standard_D4s_v5 is not allowed in your subscription in location'),
    ]);
    const sizes = itemsOf(
      await azure.get(`/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Compute/skus`, '2021-07-01'),
    );
    const restricted = sizes.filter(({ restrictions }) => (restrictions as JsonObject[]).length > 0);
    expect([...new Set(restricted.map(({ name }) => name))]).toEqual(['Standard_D4s_v5']);
    expect((await azure.put(POOL_2, AKS_VERSION, { properties: { vmSize: 'Standard_D2s_v5' } })).status).toBe(201);
  });

  it('keeps properties that nobody here knows, and loses them when they are not sent again', async () => {
    const pool = await poolAsRead();
    const future = { ...propertiesOf(pool), futureProfile: { enabled: true, deep: [{ x: 1 }] } };
    await azure.put(POOL_1, AKS_VERSION, { properties: future });
    azure.finishOperations();
    expect(propertiesOf(await poolAsRead()).futureProfile).toEqual({ enabled: true, deep: [{ x: 1 }] });
    await azure.put(POOL_1, AKS_VERSION, { properties: propertiesOf(pool) });
    azure.finishOperations();
    expect(propertiesOf(await poolAsRead())).not.toHaveProperty('futureProfile');
  });

  it('gets the defaults of Azure when it is made with little', async () => {
    const answer = await azure.put(POOL_2, AKS_VERSION, { properties: { count: 2, vmSize: 'Standard_D4s_v5' } });
    expect(answer.status).toBe(201);
    expect(propertiesOf(answer.body)).toMatchObject({
      provisioningState: 'Creating',
      mode: 'User',
      osType: 'Linux',
      maxPods: 30,
      currentOrchestratorVersion: '1.33.5',
      powerState: { code: 'Running' },
    });
    expect(itemsOf(await azure.get(`${CLUSTER_1}/agentPools`, AKS_VERSION)).map((pool) => pool.name)).toEqual([
      'nodepool1',
      'pool2',
    ]);
  });

  it('goes away', async () => {
    await azure.put(POOL_2, AKS_VERSION, { properties: {} });
    azure.finishOperations();
    expect((await azure.send('DELETE', POOL_2, { version: AKS_VERSION })).status).toBe(202);
    expect(propertiesOf((await azure.get(POOL_2, AKS_VERSION)).body).provisioningState).toBe('Deleting');
    azure.finishOperations();
    expect((await azure.get(POOL_2, AKS_VERSION)).status).toBe(404);
  });

  const refused: { reason: string; path: string; properties: JsonObject; code: string }[] = [
    {
      reason: 'upper case in the name',
      path: `${CLUSTER_1}/agentPools/Pool2`,
      properties: {},
      code: 'InvalidParameter',
    },
    {
      reason: 'a name of 13 characters',
      path: `${CLUSTER_1}/agentPools/abcdefghijklm`,
      properties: {},
      code: 'InvalidParameter',
    },
    {
      reason: 'a name that begins with a digit',
      path: `${CLUSTER_1}/agentPools/2pool`,
      properties: {},
      code: 'InvalidParameter',
    },
    {
      reason: 'a long name for Windows',
      path: `${CLUSTER_1}/agentPools/windows1`,
      properties: { osType: 'Windows' },
      code: 'InvalidParameter',
    },
    { reason: 'a negative count', path: POOL_2, properties: { count: -1 }, code: 'InvalidParameter' },
    { reason: 'more than 1,000 nodes', path: POOL_2, properties: { count: 1001 }, code: 'InvalidParameter' },
    { reason: 'no node in a system pool', path: POOL_1, properties: { count: 0 }, code: 'InvalidParameter' },
    { reason: 'a count that is text', path: POOL_2, properties: { count: '3' }, code: 'UnmarshalError' },
    { reason: 'half a node', path: POOL_2, properties: { count: 1.5 }, code: 'UnmarshalError' },
    { reason: 'an empty VM size', path: POOL_2, properties: { vmSize: '' }, code: 'InvalidParameter' },
    { reason: 'an unknown mode', path: POOL_2, properties: { mode: 'Huge' }, code: 'InvalidParameter' },
    {
      reason: 'another VM size than before',
      path: POOL_1,
      properties: { vmSize: 'Standard_B2ms' },
      code: 'PropertyChangeNotAllowed',
    },
    {
      reason: 'another subnet than before',
      path: POOL_1,
      properties: { vnetSubnetID: '/x' },
      code: 'PropertyChangeNotAllowed',
    },
    {
      reason: 'auto scaling without limits',
      path: POOL_2,
      properties: { enableAutoScaling: true },
      code: 'InvalidParameter',
    },
    {
      reason: 'a count outside of auto scaling',
      path: POOL_2,
      properties: { enableAutoScaling: true, minCount: 2, maxCount: 4, count: 5 },
      code: 'InvalidParameter',
    },
    {
      reason: 'the last system pool as a user pool',
      path: POOL_1,
      properties: { mode: 'User' },
      code: 'OperationNotAllowed',
    },
  ];
  it.each(refused)('is refused with $reason', async ({ path, properties, code }) => {
    const answer = await azure.put(path, AKS_VERSION, { properties });
    expect([answer.status, answer.body.code]).toEqual([400, code]);
    expect(await azure.control('GET', '/operations')).toMatchObject({ body: { operations: [] } });
  });

  it('may have no node unless it is a system pool', async () => {
    expect((await azure.put(POOL_2, AKS_VERSION, { properties: { count: 0 } })).status).toBe(201);
  });

  it('is kept when it is the last system pool', async () => {
    const answer = await azure.send('DELETE', POOL_1, { version: AKS_VERSION });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'OperationNotAllowed']);
  });

  it('cannot be patched', async () => {
    const answer = await azure.send('PATCH', POOL_1, { version: AKS_VERSION, body: { properties: { count: 2 } } });
    expect([answer.status, codeOf(answer)]).toEqual([405, 'MethodNotAllowed']);
  });

  it('gives up what it was doing when it is aborted', async () => {
    const { headers } = await azure.put(POOL_1, AKS_VERSION, { properties: { count: 3 } });
    expect((await azure.send('POST', `${POOL_1}/abort`, { version: AKS_VERSION })).status).toBe(202);
    expect(propertiesOf(await poolAsRead()).provisioningState).toBe('Canceling');
    expect((await azure.follow(headers['azure-asyncoperation'])).body.status).toBe('Canceled');
    azure.finishOperations();
    expect(propertiesOf(await poolAsRead()).provisioningState).toBe('Canceled');
  });
});

describe('the version of a node pool', () => {
  const upgrade = (orchestratorVersion: string) =>
    azure.put(POOL_1, AKS_VERSION, { properties: { orchestratorVersion } });

  it.each([
    { version: '1.34', code: 'NodePoolMcVersionIncompatible', reason: 'nodes are never newer than the control plane' },
    { version: '1.32', code: 'AgentPoolK8sVersionNotSupported', reason: 'nodes never go back' },
    { version: '1.12', code: 'K8sVersionNotSupported', reason: 'nobody offers it' },
  ])('cannot become $version: $reason', async ({ version, code }) => {
    const answer = await upgrade(version);
    expect([answer.status, answer.body.code]).toEqual([400, code]);
  });

  it('stays when another name of the same version is asked for', async () => {
    expect(propertiesOf((await upgrade('1.33')).body).provisioningState).toBe('Updating');
  });
});

describe('the quota of cores', () => {
  it('is counted in the subscription and the region, and refuses what exceeds it', async () => {
    // Two pools of one node with two cores each, and the hub's node with four.
    await azure.control('POST', '/quota', { subscriptionId: SUBSCRIPTION, location: 'East US', cores: 12 });
    const within = await azure.put(POOL_1, AKS_VERSION, { properties: { count: 3 } });
    expect(within.status).toBe(200);
    azure.finishOperations();
    const beyond = await azure.put(POOL_1, AKS_VERSION, { properties: { count: 4 } });
    expect([beyond.status, beyond.body.code]).toEqual([400, 'QuotaExceeded']);
    expect(textOf(beyond.body.message)).toContain(
      'Current Limit: 12, Current Usage: 12, Additional Required: 2, (Minimum) New Limit Required: 14',
    );
    await azure.control('POST', '/quota', { subscriptionId: SUBSCRIPTION, location: 'eastus', cores: null });
    expect((await azure.put(POOL_1, AKS_VERSION, { properties: { count: 4 } })).status).toBe(200);
  });

  it('is shown with what is used of it, in any region', async () => {
    const usages = (location: string): Promise<Answer> =>
      azure.get(
        `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Compute/locations/${location}/usages`,
        '2024-07-01',
      );
    await azure.control('POST', '/quota', { subscriptionId: SUBSCRIPTION, location: 'eastus', cores: 12 });
    expect(itemsOf(await usages('EastUS'))).toEqual([
      expect.objectContaining({ currentValue: 8, limit: 12, name: expect.objectContaining({ value: 'cores' }) }),
    ]);
    expect(itemsOf(await usages('westus'))).toEqual([expect.objectContaining({ currentValue: 0 })]);
    expect((await usages('moon')).status).toBe(400);
  });

  it('never stands in the way of fewer nodes', async () => {
    await azure.put(POOL_1, AKS_VERSION, { properties: { count: 4 } });
    azure.finishOperations();
    await azure.control('POST', '/quota', { subscriptionId: SUBSCRIPTION, location: 'eastus', cores: 1 });
    expect((await azure.put(POOL_1, AKS_VERSION, { properties: { count: 2 } })).status).toBe(200);
  });

  it.each([
    ['Standard_DS1_v2', 1],
    ['Standard_DS2_v2', 2],
    ['Standard_DS5_v2', 16],
    ['Standard_DS11_v2', 2],
    ['Standard_DS14_v2', 16],
    ['Standard_D4s_v4', 4],
    ['Standard_E4as_v4', 4],
    ['Standard_B2ms', 2],
    ['Standard_NC24ads_A100_v4', 24],
    ['unknown', 1],
  ])('%s has %i', (vmSize, cores) => {
    expect(coresOf(vmSize)).toBe(cores);
  });
});
