import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { aksOperation, aksWorld, type GivenAks } from '#libs/testing/aks-operation.harness.js';
import { CLUSTER_ID, poolProperties } from '#libs/testing/aks-samples.js';

const POOL_ID = `${CLUSTER_ID}/agentPools/user`;
const STOPPED = { powerState: { code: 'Stopped' } };
const HUB = { nodeResourceGroup: 'MC_FL_demo' };

interface Row {
  given?: Omit<GivenAks, 'pool' | 'pools'>;
  pool?: JsonObject;
  found: string[];
  reason: string;
}

const world = ({ given = {}, pool = {} }: Partial<Row> = {}) =>
  aksWorld({
    ...given,
    pools: [
      { name: 'nodepool1', ...poolProperties() },
      { name: 'user', ...poolProperties({ mode: 'User', ...pool }) },
    ],
  });

const COMMON: Row[] = [
  { given: { missing: [CLUSTER_ID] }, found: ['CLUSTER_NOT_FOUND'], reason: 'no cluster' },
  { given: { cluster: HUB }, found: ['HUB_CLUSTER_READ_ONLY'], reason: 'a hub' },
  { given: { cluster: { provisioningState: 'Failed' } }, found: ['CLUSTER_FAILED'], reason: 'it is at fault' },
  { pool: { provisioningState: 'Upgrading' }, found: ['CLUSTER_BUSY'], reason: 'it changes' },
  { given: { cluster: STOPPED }, found: ['CLUSTER_STOPPED'], reason: 'pools run in clusters that do' },
];

const START: Row[] = [
  { pool: STOPPED, found: [], reason: 'it is stopped' },
  { pool: { ...STOPPED, count: 51 }, found: ['REGIONAL_CORES_SHORT'], reason: '102 cores at least' },
  { found: ['ALREADY_RUNNING'], reason: 'it runs' },
  ...COMMON.map((row) => ({ ...row, found: [...row.found, ...(row.given?.missing ? [] : ['ALREADY_RUNNING'])] })),
];

const STOP: Row[] = [
  { found: ['NODES_STOP'], reason: 'it runs' },
  { pool: STOPPED, found: ['ALREADY_STOPPED'], reason: 'it is stopped' },
  { pool: { mode: 'System' }, found: ['SYSTEM_POOL', 'NODES_STOP'], reason: 'system pods need their nodes' },
  ...COMMON.map((row) => ({ ...row, found: [...row.found, ...(row.given?.missing ? [] : ['NODES_STOP'])] })),
];

describe.each([
  { type: 'aks.nodePool.start', rows: START },
  { type: 'aks.nodePool.stop', rows: STOP },
])('$type: checks before it starts', ({ type, rows }) => {
  it.each(rows)('$found: $reason', async (row) => {
    const arm = world(row);
    expect(await aksOperation(arm, type, { nodePool: POOL_ID }).findings()).toEqual(row.found);
    expect(arm.writes()).toEqual([]);
  });

  it('says where there is no such pool', async () => {
    const arm = aksWorld();
    expect(await aksOperation(arm, type, { nodePool: POOL_ID }).findings()).toEqual(['NODE_POOL_NOT_FOUND']);
  });
});

describe.each([
  { type: 'aks.nodePool.start', step: 'start', before: STOPPED, code: 'Running' },
  { type: 'aks.nodePool.stop', step: 'stop', before: {}, code: 'Stopped' },
])('$type', ({ type, step: name, before, code }) => {
  it('changes the power and nothing else, once, and ends when it is so', async () => {
    const arm = world({ pool: { ...before, futureField: 1 } });
    const { step, verify } = aksOperation(arm, type, { nodePool: POOL_ID });
    expect(await step(name)).toMatchObject({ outcome: 'wait' });
    expect(await step(name)).toMatchObject({ outcome: 'wait' });
    expect(arm.writes()).toEqual([`PUT ${POOL_ID}`]);
    expect(arm.requests.find(({ method }) => method === 'PUT')?.body?.properties).toMatchObject({
      powerState: { code },
      futureField: 1,
    });
    arm.settle();
    expect(await step(name)).toMatchObject({ outcome: 'done' });
    // The cluster shows its pools as they were: the fake does not keep the two in step.
    expect(await verify()).toMatchObject({ verdict: 'missed' });
  });

  it('waits while anything else of the cluster changes', async () => {
    const arm = world({ given: { cluster: { provisioningState: 'Updating' } }, pool: before });
    expect(await aksOperation(arm, type, { nodePool: POOL_ID }).step(name)).toMatchObject({ outcome: 'blocked' });
    expect(arm.writes()).toEqual([]);
  });

  it.each([
    { pool: { powerState: { code } }, verdict: 'reached', reason: 'it is so' },
    { pool: before, verdict: 'missed', reason: 'it is not' },
    { pool: { powerState: { code }, provisioningState: 'Starting' }, verdict: 'pending', reason: 'on its way' },
    { pool: { powerState: { code }, provisioningState: 'Failed' }, verdict: 'missed', reason: 'it has failed' },
  ])('$verdict: $reason', async ({ pool, verdict }) => {
    const { verify } = aksOperation(world({ pool }), type, { nodePool: POOL_ID });
    expect(await verify()).toMatchObject({ verdict });
  });
});
