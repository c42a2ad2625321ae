import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import {
  EDGE_INSTANCE,
  EDGE_POOL,
  EXTENDED_LOCATION,
  HOST_SKUS,
  HOST_VERSIONS,
  WINDOWS,
  WINDOWS_POOL,
  edgeClusterBody,
  hciPoolBody,
  hostSkusBody,
  hostVersionsBody,
  instanceBody,
  networkBody,
} from '#libs/testing/aks-hci-samples.js';
import { FakeArm } from '#libs/testing/fake-arm.js';
import { playOperation, tokenOf } from '#libs/testing/operation-play.js';
import { targetOf } from '../contract/system.contract-suite.js';
import { AksHciClient } from './aks-hci.client.js';
import { createAksHciOperations } from './aks-hci.operations.js';

const MORE = `${EDGE_INSTANCE}/agentPools/more`;

function world(type: string, input: JsonObject, pool = EDGE_POOL, bodies: JsonObject[] = []) {
  const arm = new FakeArm();
  arm.add(
    edgeClusterBody(),
    instanceBody(),
    hciPoolBody(),
    hciPoolBody(WINDOWS, WINDOWS_POOL),
    hostVersionsBody(),
    hostSkusBody(),
    networkBody(),
    ...bodies,
  );
  const references = {
    cluster: targetOf(EDGE_INSTANCE, 'ProvisionedCluster'),
    nodePool: targetOf(pool, 'ProvisionedAgentPool'),
  };
  return { arm, ...playOperation(createAksHciOperations(new AksHciClient(arm.azure())), type, input, references) };
}

const put = (change: JsonObject = {}, ...bodies: JsonObject[]) =>
  world(
    'hci.nodePool.put',
    { cluster: EDGE_INSTANCE, name: 'more', count: 2, vmSize: 'Standard_A4_v2', ...change },
    EDGE_POOL,
    bodies,
  );
const scale = (count: number, pool = EDGE_POOL, ...bodies: JsonObject[]) =>
  world('hci.nodePool.scale', { nodePool: pool, count }, pool, bodies);
const remove = (pool = WINDOWS_POOL, ...bodies: JsonObject[]) =>
  world('hci.nodePool.delete', { nodePool: pool }, pool, bodies);

const scarce = networkBody({}, { ipPools: [{ info: { available: '1' } }] });

describe('a node pool that is put', () => {
  it.each<{ change?: JsonObject; bodies?: JsonObject[]; found: string[]; reason: string }>([
    { found: [], reason: 'all is well' },
    { change: { name: 'linuxpool' }, found: ['info POOL_EXISTS'], reason: 'it is there' },
    {
      change: { name: 'linuxpool', vmSize: 'Standard_D4s_v3' },
      found: ['error POOL_DIFFERS'],
      reason: 'machines keep their size',
    },
    {
      change: { name: 'linuxpool', osType: 'Windows' },
      found: ['error POOL_DIFFERS', 'error LINUX_NODE_MISSING'],
      reason: 'and their system',
    },
    { change: { osSku: 'Windows2022' }, found: ['error OS_SKU_MISMATCH'], reason: 'Linux is not Windows' },
    { change: { vmSize: 'Huge' }, found: ['error VM_SIZE_NOT_SUPPORTED'], reason: 'no such machine' },
    { change: { count: 62 }, found: ['error NODE_LIMIT', 'warning ADDRESSES_SHORT'], reason: 'too many nodes' },
    { bodies: [scarce], found: ['warning ADDRESSES_SHORT'], reason: 'one address is left' },
    {
      change: { osType: 'Windows' },
      bodies: [instanceBody({ kubernetesVersion: '1.30.4' })],
      found: ['error VERSION_NOT_READY'],
      reason: 'the Windows image is not there',
    },
    {
      bodies: [instanceBody({ kubernetesVersion: '1.28.0' })],
      found: ['error VERSION_NOT_SUPPORTED'],
      reason: 'the host has forgotten the version',
    },
    {
      bodies: [hciPoolBody({ provisioningState: 'Updating' })],
      found: ['warning CLUSTER_BUSY'],
      reason: 'another pool is changed',
    },
    {
      bodies: Array.from({ length: 14 }, (_, index) =>
        hciPoolBody({ count: 1 }, `${EDGE_INSTANCE}/agentPools/p${index}0`),
      ),
      found: ['error POOL_LIMIT'],
      reason: 'sixteen are enough',
    },
  ])('$found: $reason', async ({ change, bodies = [], found }) => {
    expect(await put(change, ...bodies).codes()).toEqual(found);
  });

  it('knows no cluster that is gone, and no version that nobody has asked for', async () => {
    const gone = put();
    gone.arm.remove(EDGE_INSTANCE);
    expect(await gone.codes()).toEqual(['error CLUSTER_NOT_FOUND']);
    const unasked = put();
    unasked.arm.remove(HOST_VERSIONS);
    expect(await unasked.codes()).toEqual(['info VERSIONS_NOT_LISTED']);
    const unseen = put();
    unseen.arm.remove(HOST_SKUS);
    expect(await unseen.findings()).toMatchObject([
      {
        code: 'VM_SIZES_NOT_LISTED',
        severity: 'info',
        operations: [{ type: 'hci.host.inspect', input: { customLocation: EXTENDED_LOCATION.name } }],
      },
    ]);
  });

  it('is made where the cluster is', async () => {
    const { arm, step, plan, verify } = put({ nodeLabels: { a: 'b' }, nodeTaints: ['k=v:NoSchedule'], maxPods: 50 });
    expect(await plan()).toMatchObject({ nodePool: MORE, action: 'create' });
    const begun = await step('pool');
    expect(arm.requests.at(-1)?.body).toEqual({
      extendedLocation: EXTENDED_LOCATION,
      properties: {
        count: 2,
        vmSize: 'Standard_A4_v2',
        osType: 'Linux',
        osSKU: 'CBLMariner',
        nodeLabels: { a: 'b' },
        nodeTaints: ['k=v:NoSchedule'],
        maxPods: 50,
      },
    });
    expect(await verify()).toMatchObject({ verdict: 'pending' });
    arm.settle();
    expect(await step('pool', tokenOf(begun))).toMatchObject({ outcome: 'done' });
    expect(await verify()).toMatchObject({ verdict: 'reached', result: { nodePool: MORE, count: 2 } });
    expect(await plan()).toMatchObject({ action: 'none' });
  });

  it('is changed as it was read, but for what was asked', async () => {
    const pool = hciPoolBody({ futureField: 7 });
    const { arm, step, plan } = put({ name: 'linuxpool', count: 5 }, pool);
    expect(await plan()).toMatchObject({ action: 'change' });
    await step('pool');
    const properties = arm.requests.at(-1)?.body?.properties;
    expect(properties).toMatchObject({ count: 5, futureField: 7, nodeLabels: { tier: 'edge' } });
    for (const readOnly of ['status', 'provisioningState', 'kubernetesVersion'])
      expect(properties).not.toHaveProperty(readOnly);
  });

  it('leaves the number of nodes to the autoscaler', async () => {
    const autoscaler = { minCount: 1, maxCount: 5 };
    const scaled = hciPoolBody({ enableAutoScaling: true, minCount: 1, maxCount: 5, count: 4 });
    expect(await put({ name: 'linuxpool', autoscaler }, scaled).step('pool')).toMatchObject({ outcome: 'done' });
  });
});

describe('a node pool that is scaled', () => {
  it.each<{ count: number; pool?: string; bodies?: JsonObject[]; found: string[]; reason: string }>([
    { count: 3, found: [], reason: 'all is well' },
    { count: 2, found: ['info ALREADY_AT_COUNT'], reason: 'nothing to do' },
    { count: 0, found: ['error LINUX_NODE_MISSING'], reason: 'it is the last one of Linux' },
    { count: 0, pool: WINDOWS_POOL, found: [], reason: 'Windows can go' },
    { count: 64, found: ['error NODE_LIMIT', 'warning ADDRESSES_SHORT'], reason: 'with the others it is too many' },
    { count: 5, bodies: [scarce], found: ['warning ADDRESSES_SHORT'], reason: 'one address is left' },
    { count: 1, bodies: [scarce], found: [], reason: 'less needs none' },
    {
      count: 3,
      bodies: [hciPoolBody({ enableAutoScaling: true })],
      found: ['error AUTOSCALER_ENABLED'],
      reason: 'the autoscaler decides',
    },
    { count: 3, pool: MORE, found: ['error NODE_POOL_NOT_FOUND'], reason: 'no such pool' },
    {
      count: 3,
      bodies: [instanceBody({ provisioningState: 'Upgrading' })],
      found: ['warning CLUSTER_BUSY'],
      reason: 'the cluster is upgraded',
    },
  ])('$found: $reason', async ({ count, pool, bodies = [], found }) => {
    expect(await scale(count, pool, ...bodies).codes()).toEqual(found);
  });

  it('says that the cluster is gone', async () => {
    const { arm, codes } = scale(3);
    arm.remove(EDGE_INSTANCE);
    expect(await codes()).toEqual(['error CLUSTER_NOT_FOUND']);
  });

  it('gets its nodes, once', async () => {
    const { arm, step, plan, verify } = scale(3);
    expect(await plan()).toMatchObject({ action: 'scale', before: 2, after: 3 });
    const begun = await step('scale');
    expect(await step('scale')).toMatchObject({ outcome: 'wait' });
    arm.settle();
    expect(await step('scale', tokenOf(begun))).toMatchObject({ outcome: 'done' });
    expect(await verify()).toMatchObject({
      verdict: 'reached',
      result: { count: 3 },
      observations: [{ location: 'eastus' }],
    });
    expect(arm.writes()).toEqual([`PUT ${EDGE_POOL}`]);
  });

  it.each([
    { bodies: [hciPoolBody({ provisioningState: 'Updating' })], reason: 'the pool is changed by others' },
    { bodies: [instanceBody({ provisioningState: 'Upgrading' })], reason: 'the cluster is' },
  ])('waits its turn: $reason', async ({ bodies }) => {
    const { arm, step } = scale(3, EDGE_POOL, ...bodies);
    expect(await step('scale')).toMatchObject({ outcome: 'blocked' });
    expect(arm.writes()).toEqual([]);
  });

  it('fails where the autoscaler came in between, and where the host has no address left', async () => {
    await expect(scale(3, EDGE_POOL, hciPoolBody({ enableAutoScaling: true })).step('scale')).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    const { arm, step } = scale(3);
    const begun = await step('scale');
    arm.fail('MachineCreationFailed', 'no available IP address');
    await expect(step('scale', tokenOf(begun))).rejects.toMatchObject({ diagnosis: { code: 'ADDRESSES_EXHAUSTED' } });
  });

  it('is missed where the count is another, or nothing is there', async () => {
    expect(await scale(3).verify()).toMatchObject({ verdict: 'missed' });
    expect(await scale(3, MORE).verify()).toMatchObject({ verdict: 'missed' });
  });
});

describe('a node pool that is deleted', () => {
  it.each([
    { pool: WINDOWS_POOL, found: [], reason: 'all is well' },
    { pool: EDGE_POOL, found: ['error LINUX_NODE_MISSING'], reason: 'it is the last one of Linux' },
    { pool: MORE, found: ['info NODE_POOL_NOT_FOUND'], reason: 'it is gone' },
  ])('$found: $reason', async ({ pool, found }) => {
    expect(await remove(pool).codes()).toEqual(found);
  });

  it('goes', async () => {
    const { arm, step, verify } = remove();
    const begun = await step('delete');
    expect(await verify()).toMatchObject({ verdict: 'pending' });
    arm.settle();
    expect(await step('delete', tokenOf(begun))).toMatchObject({ outcome: 'done' });
    expect(await verify()).toMatchObject({ verdict: 'reached', absent: [{ id: WINDOWS_POOL }] });
  });
});
