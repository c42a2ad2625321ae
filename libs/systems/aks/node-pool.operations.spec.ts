import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { NETWORK_ID, aksOperation, aksWorld, type GivenAks } from '#libs/testing/aks-operation.harness.js';
import { CLUSTER_ID, POOL_ID, poolProperties } from '#libs/testing/aks-samples.js';
import { refusal } from '#libs/testing/fake-arm.js';

interface Row {
  given?: GivenAks;
  input?: JsonObject;
  found: string[];
  reason: string;
}

const HUB = { nodeResourceGroup: 'MC_FL_rg_f_eastus' };
const STOPPED = { powerState: { code: 'Stopped' } };
const pool = (name: string, change: JsonObject = {}): JsonObject => ({ name, ...poolProperties(change) });
const NEW_POOL = `${CLUSTER_ID}/agentPools/extra`;

describe('aks.nodePool.create: checks before it starts', () => {
  it.each<Row>([
    { found: [], reason: 'all is well' },
    { given: { missing: [CLUSTER_ID] }, found: ['CLUSTER_NOT_FOUND'], reason: 'no cluster' },
    { given: { cluster: HUB }, found: ['HUB_CLUSTER_READ_ONLY'], reason: 'a hub' },
    { given: { cluster: STOPPED }, found: ['CLUSTER_STOPPED'], reason: 'the cluster is stopped' },
    { given: { cluster: { provisioningState: 'Updating' } }, found: ['CLUSTER_BUSY'], reason: 'it changes' },
    { given: { cluster: { provisioningState: 'Failed' } }, found: ['CLUSTER_FAILED'], reason: 'it is at fault' },
    { input: { name: 'nodepool1' }, found: ['NODE_POOL_EXISTS_DIFFERENT'], reason: 'a system pool has the name' },
    {
      input: { name: 'nodepool1', mode: 'System', vmSize: 'standard_ds2_v2' },
      found: ['NODE_POOL_EXISTS'],
      reason: 'it is there',
    },
    {
      given: { pools: Array.from({ length: 100 }, (_each, index) => pool(`p${index}`)) },
      found: ['NODE_POOL_LIMIT'],
      reason: 'there are 100',
    },
    {
      given: { pools: [pool('big', { count: 5000 })] },
      found: ['CLUSTER_NODE_LIMIT'],
      reason: 'there are 5000 nodes',
    },
    { input: { mode: 'System', count: 0 }, found: ['SYSTEM_POOL_NEEDS_NODE'], reason: 'system pods need a node' },
    { input: { mode: 'System', spot: true }, found: ['SYSTEM_POOL_NOT_SUITED'], reason: 'they need one that stays' },
    { input: { osType: 'Windows' }, found: [], reason: 'five characters are few enough' },
    { input: { osType: 'Windows', name: 'windows' }, found: ['WINDOWS_NAME_TOO_LONG'], reason: 'seven are not' },
    {
      given: { cluster: { networkProfile: { networkPlugin: 'kubenet' } } },
      input: { osType: 'Windows' },
      found: ['WINDOWS_NEEDS_AZURE_CNI'],
      reason: 'not on kubenet',
    },
    {
      input: { count: 5, autoscaler: { minCount: 1, maxCount: 3 } },
      found: ['AUTOSCALER_LIMITS_CONFLICT'],
      reason: 'five are too many',
    },
    { input: { kubernetesVersion: '1.33' }, found: [], reason: 'as the control plane' },
    {
      input: { kubernetesVersion: '1.34' },
      found: ['VERSION_NEWER_THAN_CONTROL_PLANE'],
      reason: 'newer than the control plane',
    },
    { input: { kubernetesVersion: '1.29' }, found: ['VERSION_TOO_OLD'], reason: 'four minor versions behind' },
    {
      input: { subnet: `${NETWORK_ID}-2/subnets/a` },
      found: ['SUBNET_IN_OTHER_NETWORK', 'SUBNET_NOT_FOUND'],
      reason: 'another network',
    },
    { input: { subnet: `${NETWORK_ID}/subnets/gone` }, found: ['SUBNET_NOT_FOUND'], reason: 'no such subnet' },
    { input: { subnet: `${NETWORK_ID}/subnets/small` }, found: ['SUBNET_TOO_SMALL'], reason: 'too few addresses' },
    { input: { subnet: `${NETWORK_ID}/subnets/aci` }, found: ['SUBNET_DELEGATED'], reason: 'it is delegated' },
    { input: { count: 51 }, found: ['REGIONAL_CORES_SHORT'], reason: '102 cores at least' },
  ])('$found: $reason', async ({ given, input, found }) => {
    const { findings } = aksOperation(aksWorld(given), 'aks.nodePool.create', {
      cluster: CLUSTER_ID,
      name: 'extra',
      vmSize: 'Standard_D2s_v5',
      ...input,
    });
    expect(await findings()).toEqual(found);
  });

  const creation = (given: GivenAks = {}, input: JsonObject = {}) => {
    const arm = aksWorld(given);
    const all = { cluster: CLUSTER_ID, name: 'extra', vmSize: 'Standard_D2s_v5', ...input };
    return { arm, ...aksOperation(arm, 'aks.nodePool.create', all) };
  };

  it('puts the pool into the network of the others, once', async () => {
    const { arm, step } = creation({}, { spot: true, nodeTaints: ['a=b:NoSchedule'] });
    expect(await step('create')).toMatchObject({ outcome: 'wait' });
    expect(await step('create')).toMatchObject({ outcome: 'wait' });
    arm.settle();
    expect(await step('create')).toMatchObject({ outcome: 'done' });
    expect(arm.writes()).toEqual([`PUT ${NEW_POOL}`]);
    expect(arm.requests.find(({ method }) => method === 'PUT')?.body?.properties).toMatchObject({
      vnetSubnetID: `${NETWORK_ID}/subnets/demo-aks01`,
      scaleSetPriority: 'Spot',
      nodeTaints: ['a=b:NoSchedule'],
      mode: 'User',
    });
  });

  it('waits for what else goes on in the cluster', async () => {
    const { arm, step } = creation({ pool: { provisioningState: 'Upgrading' } });
    expect(await step('create')).toMatchObject({ outcome: 'blocked' });
    expect(arm.writes()).toEqual([]);
  });

  it.each([
    { pools: [pool('nodepool1')], verdict: 'missed', reason: 'it is not there' },
    {
      pools: [pool('extra', { vmSize: 'Standard_D2s_v5', mode: 'User', provisioningState: 'Creating' })],
      verdict: 'pending',
      reason: 'it is being made',
    },
    { pools: [pool('extra', { vmSize: 'Standard_D2s_v5', mode: 'User' })], verdict: 'reached', reason: 'it is there' },
    {
      pools: [pool('extra', { vmSize: 'Standard_D2s_v5', mode: 'User', provisioningState: 'Failed' })],
      verdict: 'missed',
      reason: 'it has failed',
    },
  ])('says succeeded only when it is so, $verdict: $reason', async ({ pools, verdict }) => {
    expect(await creation({ pools }).verify()).toMatchObject({ verdict });
  });
});

describe('aks.nodePool.delete: checks before it starts', () => {
  const two = { pools: [pool('nodepool1'), pool('other')] };
  it.each<Row>([
    { given: two, found: ['NODES_ARE_DELETED'], reason: 'another system pool is there' },
    { found: ['LAST_SYSTEM_POOL', 'NODES_ARE_DELETED'], reason: 'it is the last system pool' },
    { given: { pool: { mode: 'User' } }, found: ['NODES_ARE_DELETED'], reason: 'it is a user pool' },
    { given: { pools: [pool('other')] }, found: ['NODE_POOL_GONE'], reason: 'it is gone' },
    { given: { missing: [CLUSTER_ID] }, found: ['NODE_POOL_GONE'], reason: 'the cluster is gone' },
    { given: { ...two, cluster: STOPPED }, found: ['CLUSTER_STOPPED', 'NODES_ARE_DELETED'], reason: 'stopped' },
    { given: { ...two, cluster: HUB }, found: ['HUB_CLUSTER_READ_ONLY', 'NODES_ARE_DELETED'], reason: 'a hub' },
    {
      given: { ...two, cluster: { provisioningState: 'Updating' } },
      found: ['CLUSTER_BUSY', 'NODES_ARE_DELETED'],
      reason: 'it changes',
    },
    {
      given: { ...two, cluster: { provisioningState: 'Failed' } },
      found: ['CLUSTER_FAILED', 'NODES_ARE_DELETED'],
      reason: 'it is at fault',
    },
  ])('$found: $reason', async ({ given, found }) => {
    const { findings } = aksOperation(aksWorld(given), 'aks.nodePool.delete', { nodePool: POOL_ID });
    expect(await findings()).toEqual(found);
  });

  it('waits for what else goes on, deletes once, and says when it is gone', async () => {
    const busy = aksWorld({ pools: [pool('nodepool1'), pool('other', { provisioningState: 'Upgrading' })] });
    const blocked = aksOperation(busy, 'aks.nodePool.delete', { nodePool: POOL_ID });
    expect(await blocked.step('delete')).toMatchObject({ outcome: 'blocked' });
    const arm = aksWorld(two);
    const { step, verify } = aksOperation(arm, 'aks.nodePool.delete', { nodePool: POOL_ID });
    expect(await step('delete')).toMatchObject({ outcome: 'wait' });
    expect(await verify()).toMatchObject({ verdict: 'missed' });
    arm.settle();
    expect(await step('delete')).toMatchObject({ outcome: 'done' });
    arm.remove(CLUSTER_ID);
    expect(await verify()).toMatchObject({ verdict: 'reached' });
    expect(arm.writes()).toEqual([`DELETE ${POOL_ID}`]);
  });
});

describe('aks.nodePool.upgrade', () => {
  const behind = { currentOrchestratorVersion: '1.32.9', orchestratorVersion: '1.32' };
  it.each<Row>([
    { given: { pool: behind }, found: ['NODES_ARE_REPLACED'], reason: 'the control plane is ahead' },
    { found: ['ALREADY_AT_VERSION'], reason: 'it is at the version of the control plane' },
    {
      input: { kubernetesVersion: '1.34' },
      found: ['VERSION_NEWER_THAN_CONTROL_PLANE', 'NODES_ARE_REPLACED'],
      reason: 'nodes are never ahead',
    },
    { input: { kubernetesVersion: '1.32' }, found: ['VERSION_IS_OLDER', 'NODES_ARE_REPLACED'], reason: 'no way back' },
    { given: { missing: [CLUSTER_ID] }, found: ['CLUSTER_NOT_FOUND'], reason: 'no cluster' },
    { given: { pools: [pool('other')] }, found: ['NODE_POOL_NOT_FOUND'], reason: 'no pool' },
    {
      given: { pool: { ...behind, ...STOPPED } },
      found: ['NODE_POOL_STOPPED', 'NODES_ARE_REPLACED'],
      reason: 'the pool is stopped',
    },
    {
      given: { pool: { ...behind, ...STOPPED }, cluster: STOPPED },
      found: ['CLUSTER_STOPPED', 'NODES_ARE_REPLACED'],
      reason: 'the cluster is',
    },
    { given: { cluster: HUB }, found: ['HUB_CLUSTER_READ_ONLY', 'ALREADY_AT_VERSION'], reason: 'a hub' },
    {
      given: { cluster: { provisioningState: 'Updating' } },
      found: ['CLUSTER_BUSY', 'ALREADY_AT_VERSION'],
      reason: 'it changes',
    },
    {
      given: { cluster: { provisioningState: 'Failed' } },
      found: ['CLUSTER_FAILED', 'ALREADY_AT_VERSION'],
      reason: 'it is at fault',
    },
  ])('$found: $reason', async ({ given, input, found }) => {
    const { findings } = aksOperation(aksWorld(given), 'aks.nodePool.upgrade', { nodePool: POOL_ID, ...input });
    expect(await findings()).toEqual(found);
  });

  it('fixes the version, then changes it and nothing else', async () => {
    const arm = aksWorld({ pool: { ...behind, futureField: 1 } });
    const { step } = aksOperation(arm, 'aks.nodePool.upgrade', { nodePool: POOL_ID });
    const chosen = { kubernetesVersion: '1.33.5' };
    expect(await step('choose-version')).toMatchObject({ outcome: 'done', output: chosen });
    expect(await step('upgrade', { 'choose-version': chosen })).toMatchObject({ outcome: 'wait' });
    expect(arm.requests.find(({ method }) => method === 'PUT')?.body?.properties).toMatchObject({
      orchestratorVersion: '1.33.5',
      futureField: 1,
    });
  });

  it.each([
    { change: {}, verdict: 'missed', reason: 'it stayed' },
    { change: { currentOrchestratorVersion: '1.34.2' }, verdict: 'reached', reason: 'it runs it' },
    {
      change: { currentOrchestratorVersion: '1.34.2', provisioningState: 'Upgrading' },
      verdict: 'pending',
      reason: 'on its way',
    },
    {
      change: { currentOrchestratorVersion: '1.34.2', provisioningState: 'Failed' },
      verdict: 'missed',
      reason: 'it has failed',
    },
  ])('$verdict: $reason', async ({ change, verdict }) => {
    const { verify } = aksOperation(aksWorld({ pool: change }), 'aks.nodePool.upgrade', {
      nodePool: POOL_ID,
      kubernetesVersion: '1.34',
    });
    const outputs = { 'choose-version': { kubernetesVersion: '1.34' } };
    expect(await verify(outputs)).toMatchObject({ verdict });
  });
});

describe('aks.nodePool.upgrade of the image only', () => {
  const OLD = 'AKSUbuntu-2204gen2containerd-202609.28.0';
  const NEW = 'AKSUbuntu-2204gen2containerd-202610.28.0';
  const input = { nodePool: POOL_ID, nodeImageOnly: true };
  const chosen = { 'choose-version': { nodeImageVersion: NEW } };
  const profile = { [`${POOL_ID}/upgradeProfiles/default`]: { properties: { latestNodeImageVersion: NEW } } };
  const upgrade = (poolChange: JsonObject, given: GivenAks = {}) => {
    const arm = aksWorld({ objects: profile, pool: { nodeImageVersion: OLD, ...poolChange }, ...given });
    arm.answer('POST', /upgradeNodeImageVersion$/, { status: 202, body: null });
    return { arm, ...aksOperation(arm, 'aks.nodePool.upgrade', input) };
  };
  const withAddon = { cluster: { addonProfiles: { aciConnectorLinux: { enabled: true } } } };

  it.each<{ change: JsonObject; given?: GivenAks; found: string[]; reason: string }>([
    { change: {}, found: ['NODES_ARE_REPLACED'], reason: 'there is a newer one' },
    { change: { nodeImageVersion: NEW }, found: ['ALREADY_AT_IMAGE'], reason: 'it is the newest' },
    { change: {}, given: { objects: {} }, found: ['NODE_IMAGE_UNKNOWN'], reason: 'AKS does not tell it' },
    {
      change: {},
      given: withAddon,
      found: ['NODES_ARE_REPLACED', 'VIRTUAL_NODES_ENABLED'],
      reason: 'a virtual node that is not ready holds it up',
    },
  ])('$found: $reason', async ({ change, given, found }) => {
    expect(await upgrade(change, given).findings()).toEqual(found);
  });

  it.each([
    { status: 429, azureCode: 'TooManyRequests', code: 'AZURE_THROTTLED' },
    { status: 503, azureCode: 'ServiceUnavailable', code: 'AZURE_UNAVAILABLE' },
  ])('takes no $azureCode for an image that nobody knows', async ({ status, azureCode, code }) => {
    const { arm, findings } = upgrade({});
    arm.answer('GET', /\/upgradeProfiles\/default$/, refusal(status, azureCode, 'later'));
    await expect(findings()).rejects.toMatchObject({ code, retryable: true });
  });

  it('knows no image where it may not be asked for', async () => {
    const { arm, findings } = upgrade({});
    arm.answer('GET', /\/upgradeProfiles\/default$/, refusal(403, 'AuthorizationFailed', 'no'));
    expect(await findings()).toEqual(['NODE_IMAGE_UNKNOWN']);
  });

  it('offers to take the virtual nodes away first', async () => {
    const { operation, context } = upgrade({}, withAddon);
    const findings = await operation.preflight(context);
    expect(findings.find(({ code }) => code === 'VIRTUAL_NODES_ENABLED')?.operations).toEqual([
      { type: 'virtualNodes.disable', input: { cluster: CLUSTER_ID } },
    ]);
  });

  it('takes no version beside it', () => {
    const both = { ...input, kubernetesVersion: '1.34' };
    expect(() => aksOperation(aksWorld(), 'aks.nodePool.upgrade', both)).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST' }),
    );
  });

  it('fixes the image, asks for it once, and writes nothing back', async () => {
    const { arm, step } = upgrade({});
    expect(await step('choose-version')).toMatchObject({ outcome: 'done', output: chosen['choose-version'] });
    await step('upgrade', chosen);
    const posts = arm.requests.filter(({ method }) => method === 'POST').map(({ path }) => path);
    expect(posts).toEqual([`${POOL_ID}/upgradeNodeImageVersion`]);
    expect(arm.writes()).toEqual([]);
  });

  it.each([
    { change: { provisioningState: 'UpgradingNodeImageVersion' }, outcome: 'wait', reason: 'it is on its way' },
    { change: { provisioningState: 'Scaling' }, outcome: 'blocked', reason: 'somebody else changes the pool' },
    { change: { nodeImageVersion: NEW }, outcome: 'done', reason: 'it is there' },
  ])('$outcome: $reason', async ({ change, outcome }) => {
    const { arm, step } = upgrade(change);
    expect(await step('upgrade', chosen)).toMatchObject({ outcome });
    expect(arm.writes()).toEqual([]);
  });

  it.each([
    { change: { nodeImageVersion: NEW }, verdict: 'reached', reason: 'the nodes run it' },
    { change: {}, verdict: 'missed', reason: 'they stayed at theirs' },
    { change: { nodeImageVersion: NEW, provisioningState: 'Failed' }, verdict: 'missed', reason: 'not all of them' },
    { change: { provisioningState: 'UpgradingNodeImageVersion' }, verdict: 'pending', reason: 'it is on its way' },
  ])('$verdict: $reason', async ({ change, verdict }) => {
    expect(await upgrade(change).verify(chosen)).toMatchObject({ verdict });
  });

  it('offers to start a pool that is stopped', async () => {
    const { operation, context } = upgrade({ powerState: { code: 'Stopped' } });
    const [first] = await operation.preflight(context);
    expect(first?.operations).toEqual([{ type: 'aks.nodePool.start', input: { nodePool: POOL_ID } }]);
  });
});
