import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Secret } from '#libs/kernel/secret.js';
import { FakeArm, refusal } from '#libs/testing/fake-arm.js';
import { CLUSTER_ID, POOL_ID, clusterBody, poolBody, poolProperties } from '#libs/testing/aks-samples.js';
import { contextOf, targetOf } from '../contract/system.contract-suite.js';
import { createAksSystem } from './aks.module.js';

interface Change {
  cluster?: JsonObject;
  pool?: JsonObject;
  count?: number;
}

function world({ cluster, pool, count = 3 }: Change = {}) {
  const arm = new FakeArm();
  const show = (poolChange: JsonObject = {}, clusterChange: JsonObject = {}): void => {
    arm.set(CLUSTER_ID, clusterBody(clusterChange, [{ name: 'nodepool1', ...poolProperties(poolChange) }]));
    arm.set(POOL_ID, poolBody(poolChange));
  };
  show(pool, cluster);
  const operation = createAksSystem(arm.azure()).operations[0]!;
  const input = operation.input.parse({ nodePool: POOL_ID, count });
  const context = contextOf(operation, input, { nodePool: targetOf(POOL_ID, 'AgentPool') });
  return {
    arm,
    show,
    preflight: () => operation.preflight(context),
    step: (resumeToken?: Secret, attempt = 1) => operation.steps[0]!.run({ ...context, resumeToken, attempt }),
    verify: () => operation.verify(context),
  };
}

function tokenOf(outcome: Awaited<ReturnType<ReturnType<typeof world>['step']>>): Secret {
  if (outcome.outcome !== 'wait' || outcome.resumeToken === undefined)
    throw new Error(`No token in ${outcome.outcome}`);
  return outcome.resumeToken;
}

describe('aks.nodePool.scale: checks before it starts', () => {
  it.each<Change & { found: string[]; reason: string }>([
    { found: ['REGIONAL_CORES_UNKNOWN'], reason: 'all is well, but the quota cannot be read' },
    { count: 1, found: ['ALREADY_AT_COUNT'], reason: 'there is nothing to do' },
    { count: 0, found: ['SYSTEM_POOL_NEEDS_NODE'], reason: 'system pods need a node' },
    { count: 0, pool: { mode: 'User' }, found: [], reason: 'a user pool may be empty' },
    {
      count: 0,
      pool: { enableAutoScaling: true, mode: 'User', minCount: 1, maxCount: 3 },
      found: ['AUTOSCALER_ENABLED'],
      reason: 'the autoscaler would set it back',
    },
    {
      count: 0,
      pool: { type: 'VirtualMachines', mode: 'User' },
      found: ['NODE_POOL_TYPE_UNSUPPORTED'],
      reason: 'such a pool has several counts',
    },
    {
      count: 0,
      pool: { powerState: { code: 'Stopped' }, mode: 'User' },
      found: ['NODE_POOL_STOPPED'],
      reason: 'the pool is switched off',
    },
    {
      count: 1,
      cluster: { powerState: { code: 'Stopped' } },
      pool: { powerState: { code: 'Stopped' } },
      found: ['CLUSTER_STOPPED', 'ALREADY_AT_COUNT'],
      reason: 'the cluster is switched off: the pool with it',
    },
    {
      count: 0,
      pool: { provisioningState: 'Upgrading', mode: 'User' },
      found: ['CLUSTER_BUSY'],
      reason: 'the pool is busy',
    },
    {
      count: 0,
      cluster: { provisioningState: 'Updating' },
      pool: { mode: 'User' },
      found: ['CLUSTER_BUSY'],
      reason: 'the cluster is busy',
    },
    {
      count: 0,
      cluster: { provisioningState: 'Failed' },
      pool: { mode: 'User' },
      found: ['CLUSTER_FAILED'],
      reason: 'the cluster is at fault',
    },
    {
      count: 0,
      cluster: { nodeResourceGroup: 'MC_FL_rg_f_eastus' },
      pool: { mode: 'User' },
      found: ['HUB_CLUSTER_READ_ONLY'],
      reason: 'a hub belongs to Fleet Manager',
    },
  ])('$found: $reason', async ({ found, ...change }) => {
    const findings = await world(change).preflight();
    expect(findings.map((finding) => finding.code)).toEqual(found);
  });

  it('says which of cluster and pool is not there', async () => {
    const gone = world();
    gone.arm.remove(CLUSTER_ID);
    expect(await gone.preflight()).toMatchObject([{ code: 'CLUSTER_NOT_FOUND', severity: 'error' }]);
    const without = world();
    without.arm.set(CLUSTER_ID, clusterBody({}, []));
    expect(await without.preflight()).toMatchObject([{ code: 'NODE_POOL_NOT_FOUND', severity: 'error' }]);
  });

  it.each([
    { used: 10, limit: 14, found: [], reason: 'two more nodes of two cores fit' },
    { used: 10, limit: 13, found: ['REGIONAL_CORES_SHORT'], reason: 'one core is missing at least' },
  ])('reads the regional quota: $reason', async ({ used, limit, found }) => {
    const { arm, preflight } = world();
    const value = [{ name: { value: 'cores' }, currentValue: used, limit }];
    arm.answer('GET', /Microsoft\.Compute\/locations\/eastus\/usages$/, { status: 200, body: { value } });
    expect((await preflight()).map((finding) => finding.code)).toEqual(found);
  });

  it('refuses more nodes than a cluster may have', async () => {
    const { arm, preflight } = world({ count: 1000 });
    const pools = [
      { name: 'nodepool1', ...poolProperties() },
      { name: 'big', ...poolProperties({ count: 4500 }) },
    ];
    arm.set(CLUSTER_ID, clusterBody({}, pools));
    expect((await preflight()).map((finding) => finding.code)).toContain('CLUSTER_NODE_LIMIT');
  });
});

describe('aks.nodePool.scale: the step', () => {
  it('sends one change, waits for it, and is done', async () => {
    const { arm, show, step, verify } = world();
    const started = await step();
    expect(started).toMatchObject({ outcome: 'wait', retryAfterSeconds: 7 });
    await expect(step(tokenOf(started))).resolves.toMatchObject({ outcome: 'wait' });
    arm.settle();
    await expect(step(tokenOf(started))).resolves.toMatchObject({ outcome: 'done' });
    show({ count: 3 });
    await expect(verify()).resolves.toMatchObject({ verdict: 'reached', result: { count: 3 }, absent: [] });
    expect(arm.writes()).toEqual([`PUT ${POOL_ID}`]);
  });

  it('changes the count and nothing else: fields that are newer than Pilothouse survive', async () => {
    const { arm, step } = world({
      pool: { futureField: { list: [1, { deep: 'x' }] }, upgradeSettings: { maxSurge: '10%', futureNested: true } },
    });
    await step();
    const put = arm.requests.find((request) => request.method === 'PUT');
    const {
      provisioningState: _state,
      currentOrchestratorVersion: _version,
      eTag: _etag,
      ...kept
    } = poolProperties({
      futureField: { list: [1, { deep: 'x' }] },
      upgradeSettings: { maxSurge: '10%', futureNested: true },
    });
    expect(put?.body?.properties).toEqual({ ...kept, count: 3 });
    expect(put?.headers['if-match']).toBe('"pool-1"');
  });

  it('never sends a second change after a crash, wherever it came', async () => {
    const { arm, step } = world();
    await step();
    // The worker died before the token was saved: the next run sees the change under way.
    await expect(step(undefined, 2)).resolves.toMatchObject({ outcome: 'wait' });
    arm.settle();
    await expect(step(undefined, 3)).resolves.toMatchObject({ outcome: 'done' });
    expect(arm.writes()).toHaveLength(1);
  });

  it('goes by the state of the pool when the address of the operation has expired', async () => {
    const { arm, step } = world();
    const token = tokenOf(await step());
    arm.forgetOperations();
    await expect(step(token)).resolves.toMatchObject({ outcome: 'wait' });
    arm.set(POOL_ID, poolBody({ count: 3 }));
    await expect(step(token)).resolves.toMatchObject({ outcome: 'done' });
    expect(arm.writes()).toHaveLength(1);
  });

  it.each<Change & { reason: string }>([
    { pool: { provisioningState: 'Upgrading' }, reason: 'the pool is being upgraded' },
    { pool: { provisioningState: 'Scaling', count: 5 }, reason: 'somebody scales it to another count' },
    { cluster: { provisioningState: 'Updating' }, reason: 'the cluster is being updated' },
  ])('waits without sending anything while $reason', async ({ reason: _reason, ...change }) => {
    const { arm, step } = world(change);
    await expect(step()).resolves.toMatchObject({ outcome: 'blocked', retryAfterSeconds: 7 });
    expect(arm.writes()).toEqual([]);
  });

  it.each([
    {
      answer: {
        status: 409,
        body: { code: 'OperationNotAllowed', message: 'Another operation (nodepool1 - Updating) is in progress' },
      },
      reason: 'another operation was faster',
    },
    {
      answer: { status: 409, body: { code: 'EtagMismatch', message: 'Operation is not allowed' } },
      reason: 'another writer was faster',
    },
  ])('waits when $reason', async ({ answer }) => {
    const { arm, step } = world();
    arm.answer('PUT', /agentPools/, answer, true);
    await expect(step()).resolves.toMatchObject({ outcome: 'blocked' });
    await expect(step()).resolves.toMatchObject({ outcome: 'wait' });
  });

  it.each([
    {
      prepare: (arm: FakeArm) => arm.answer('PUT', /agentPools/, refusal(400, 'QuotaExceeded', 'cores')),
      code: 'AZURE_QUOTA_EXCEEDED',
      reason: 'Azure refuses',
    },
    {
      prepare: (arm: FakeArm) => arm.set(POOL_ID, poolBody({ enableAutoScaling: true })),
      code: 'CONFLICT',
      reason: 'the autoscaler was switched on since the checks',
    },
    { prepare: (arm: FakeArm) => arm.remove(POOL_ID), code: 'AZURE_NOT_FOUND', reason: 'the pool is gone' },
  ])('ends with $code when $reason', async ({ prepare, code }) => {
    const { arm, step } = world();
    prepare(arm);
    await expect(step()).rejects.toMatchObject({ code });
  });

  it('ends with the words of Azure when the operation fails there', async () => {
    const { arm, step } = world();
    const token = tokenOf(await step());
    arm.fail('SubnetIsFull', 'no address left');
    await expect(step(token)).rejects.toMatchObject({
      code: 'AZURE_OPERATION_FAILED',
      externalCode: 'SubnetIsFull',
      message: expect.stringContaining('no address left'),
      remedy: expect.any(String),
    });
  });
});

describe('aks.nodePool.scale: says succeeded only when it is so', () => {
  it.each([
    { pool: { count: 3 }, verdict: 'reached', reason: 'the count is there' },
    { pool: { count: 3, provisioningState: 'Scaling' }, verdict: 'pending', reason: 'the nodes are still to come' },
    { pool: { count: 2 }, verdict: 'missed', reason: 'somebody has set another count' },
    {
      pool: { count: 3, provisioningState: 'Failed' },
      verdict: 'missed',
      reason: 'the count is written but was not reached',
    },
  ])('$verdict: $reason', async ({ pool, verdict }) => {
    await expect(world({ pool }).verify()).resolves.toMatchObject({ verdict });
  });

  it('brings fresh observations of all that it has touched', async () => {
    const verification = await world({ pool: { count: 3 } }).verify();
    expect(
      verification.verdict === 'reached' && verification.observations.map(({ kind, source }) => [kind, source]),
    ).toEqual([
      ['ManagedCluster', 'OPERATION'],
      ['AgentPool', 'OPERATION'],
    ]);
  });
});

describe('aks.nodePool.scale: its input', () => {
  it.each([
    { input: { nodePool: POOL_ID, count: -1 }, reason: 'fewer than none' },
    { input: { nodePool: POOL_ID, count: 1001 }, reason: 'more than a pool may have' },
    { input: { nodePool: POOL_ID, count: 1.5 }, reason: 'half a node' },
    { input: { nodePool: POOL_ID, count: '3' }, reason: 'a text' },
    { input: { nodePool: '', count: 3 }, reason: 'no pool' },
    { input: { count: 3 }, reason: 'a missing pool' },
  ])('refuses $reason', ({ input }) => {
    const operation = createAksSystem(new FakeArm().azure()).operations[0]!;
    expect(operation.input.safeParse(input).success).toBe(false);
  });
});
