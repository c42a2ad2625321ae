import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack, type Answer } from './stack.js';

const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks01`;
const clusterId = (name: string): string => `${GROUP}/providers/Microsoft.ContainerService/managedClusters/${name}`;
const CLUSTER = clusterId('demo-aks01');
const NEW = clusterId('demo-aks07');

const WANTED = {
  subscriptionId: SUBSCRIPTION,
  resourceGroup: 'demo_aks01',
  name: 'demo-aks07',
  location: 'eastus',
  kubernetesVersion: '1.33',
  systemPool: { vmSize: 'Standard_D2s_v5' },
};

/** The life of AKS clusters and node pools, over HTTP alone. */
describe('AKS clusters and node pools', () => {
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.start();
  }, 120_000);

  afterAll(() => stack.stop(), 60_000);

  afterEach(() => settle(1));

  const settle = (lroSeconds: number) => stack.simulator('/settings', { method: 'POST', body: { lroSeconds } });

  async function begun(type: string, input: Record<string, unknown>): Promise<string> {
    const accepted = await stack.startOperation(type, input);
    expect(accepted).toMatchObject({ status: 202 });
    return accepted.body.id;
  }

  async function does(type: string, input: Record<string, unknown>): Promise<Answer['body']> {
    const operation = await stack.endOf(await begun(type, input));
    expect(operation).toMatchObject({ type, status: 'Succeeded', error: null });
    return operation;
  }

  const operation = async (id: string): Promise<Answer['body']> => (await stack.api(`/v1/operations/${id}`)).body;

  async function refused(type: string, input: Record<string, unknown>): Promise<string[]> {
    const ended = await stack.endOf(await begun(type, input));
    expect(ended.status).toBe('Failed');
    return ended.findings
      .filter(({ severity }: Answer['body']) => severity === 'error')
      .map(({ code }: Answer['body']) => code);
  }

  const clusterNow = async (name: string): Promise<Answer['body']> =>
    (await stack.api(`/v1/managed-clusters?name=${name}`)).body.items[0];

  it('creates a cluster, which is in the cache at once, and refuses what cannot be', async () => {
    expect(await refused('aks.cluster.create', { ...WANTED, kubernetesVersion: '1.20' })).toEqual([
      'VERSION_NOT_OFFERED',
    ]);
    const { result } = await does('aks.cluster.create', WANTED);
    expect(result).toMatchObject({ cluster: NEW, kubernetesVersion: '1.33.5' });
    expect(await clusterNow('demo-aks07')).toMatchObject({
      uid: result.uid,
      health: 'Healthy',
      properties: { networkPlugin: 'azure', networkPluginMode: null, identityType: 'SystemAssigned', nodeCount: 1 },
    });
    // The same once more changes nothing.
    const again = await does('aks.cluster.create', WANTED);
    expect(again.findings.map(({ code }: Answer['body']) => code)).toContain('CLUSTER_EXISTS');
    expect(await stack.azureRequests('PUT', /\/managedClusters\/demo-aks07$/i)).toHaveLength(1);
  });

  it('adds a pool, upgrades the cluster and then the pools with it, and deletes the pool', async () => {
    const pool = { cluster: NEW, name: 'extra', vmSize: 'Standard_D2s_v5', nodeLabels: { team: 'web' } };
    await stack.simulator('/settings', { method: 'POST', body: { restrictedMachineSizes: [pool.vmSize] } });
    expect(await refused('aks.nodePool.create', pool)).toEqual(['VM_SIZE_RESTRICTED']);
    await stack.simulator('/settings', { method: 'POST', body: { restrictedMachineSizes: [] } });
    const { result } = await does('aks.nodePool.create', pool);
    expect((await stack.api(`/v1/agent-pools/${result.uid}`)).body).toMatchObject({
      properties: { nodeLabels: { team: 'web' }, currentKubernetesVersion: '1.33.5' },
    });
    expect(await refused('aks.cluster.upgrade', { cluster: NEW, kubernetesVersion: '1.35' })).toEqual([
      'VERSION_NOT_OFFERED',
    ]);
    const upgraded = await does('aks.cluster.upgrade', { cluster: NEW, kubernetesVersion: '1.34' });
    expect(upgraded.result).toMatchObject({
      kubernetesVersion: '1.34.2',
      nodePools: { nodepool1: '1.34.2', extra: '1.34.2' },
    });
    await does('aks.cluster.upgrade', { cluster: NEW, kubernetesVersion: '1.35', controlPlaneOnly: true });
    expect(
      await refused('aks.nodePool.upgrade', { nodePool: `${NEW}/agentPools/extra`, kubernetesVersion: '1.32' }),
    ).toEqual(['VERSION_IS_OLDER']);
    const poolUpgrade = await does('aks.nodePool.upgrade', { nodePool: `${NEW}/agentPools/extra` });
    expect(poolUpgrade.result).toMatchObject({ kubernetesVersion: '1.35.0' });
    const imageOnly = { nodePool: `${NEW}/agentPools/extra`, nodeImageOnly: true };
    const image = await does('aks.nodePool.upgrade', imageOnly);
    expect(image.result).toMatchObject({
      kubernetesVersion: '1.35.0',
      nodeImageVersion: expect.stringMatching(/-2026/),
    });
    const imageAgain = await does('aks.nodePool.upgrade', imageOnly);
    expect(imageAgain.findings.map(({ code }: Answer['body']) => code)).toEqual(['ALREADY_AT_IMAGE']);
    await does('aks.nodePool.stop', { nodePool: `${NEW}/agentPools/extra` });
    expect(await refused('aks.nodePool.scale', { nodePool: `${NEW}/agentPools/extra`, count: 2 })).toEqual([
      'NODE_POOL_STOPPED',
    ]);
    await does('aks.nodePool.start', { nodePool: `${NEW}/agentPools/extra` });
    expect(await refused('aks.nodePool.delete', { nodePool: `${NEW}/agentPools/nodepool1` })).toEqual([
      'LAST_SYSTEM_POOL',
    ]);
    await does('aks.nodePool.delete', { nodePool: `${NEW}/agentPools/extra` });
    expect((await clusterNow('demo-aks07')).properties.nodePoolCount).toBe(1);
  });

  it('queues two operations on one cluster, one after the other', async () => {
    await settle(3);
    const first = await begun('aks.nodePool.scale', { nodePool: `${NEW}/agentPools/nodepool1`, count: 2 });
    const second = await begun('aks.cluster.stop', { cluster: NEW });
    const waiting = await stack.until('the first to be at it', async () => {
      const seen = await operation(first);
      return seen.status === 'Waiting' ? await operation(second) : undefined;
    });
    expect(['Pending', 'Waiting']).toContain(waiting.status);
    expect(await stack.azureRequests('POST', /\/demo-aks07\/stop$/i)).toEqual([]);
    const [ended, stopped] = [await stack.endOf(first), await stack.endOf(second)];
    expect([ended.status, stopped.status]).toEqual(['Succeeded', 'Succeeded']);
    expect(Date.parse(stopped.endedAt)).toBeGreaterThan(Date.parse(ended.endedAt));
    expect(await clusterNow('demo-aks07')).toMatchObject({ properties: { powerState: 'Stopped', nodeCount: 2 } });
  });

  it('names the remedy of a stopped cluster, which mends it', async () => {
    const input = { cluster: NEW, name: 'more', vmSize: 'Standard_D2s_v5' };
    const ended = await stack.endOf(await begun('aks.nodePool.create', input));
    expect(ended.status).toBe('Failed');
    const [stopped] = ended.findings.filter(({ code }: Answer['body']) => code === 'CLUSTER_STOPPED');
    const [remedy] = stopped.operations;
    await does(remedy.type, remedy.input);
    await does('aks.nodePool.create', input);
  });

  it('waits for a change that somebody else has begun, and says so', async () => {
    await stack.simulator('/resources', {
      method: 'POST',
      body: { id: CLUSTER, operation: 'patch', body: {}, longRunning: { seconds: 4, state: 'Updating' } },
    });
    const id = await begun('aks.cluster.stop', { cluster: CLUSTER });
    const waiting = await stack.until('the operation to wait', async () => {
      const seen = await operation(id);
      return seen.status === 'Waiting' ? seen : undefined;
    });
    expect(waiting.findings.map(({ code }: Answer['body']) => code)).toContain('CLUSTER_BUSY');
    expect(waiting.steps.find(({ name }: Answer['body']) => name === 'stop').message).toContain('Updating');
    expect(await stack.azureRequests('POST', /\/demo-aks01\/stop$/i)).toEqual([]);
    expect(await stack.endOf(id)).toMatchObject({ status: 'Succeeded' });
    await does('aks.cluster.start', { cluster: CLUSTER });
  });

  it('stops what Azure is at when it is canceled, and goes on later', async () => {
    await settle(6);
    const id = await begun('aks.cluster.upgrade', { cluster: CLUSTER, kubernetesVersion: '1.34' });
    await stack.until('Azure to be at it', async () => {
      const { steps } = await operation(id);
      return steps.find(({ name }: Answer['body']) => name === 'upgrade-control-plane').status === 'Waiting';
    });
    expect((await stack.api(`/v1/operations/${id}/cancel`, { method: 'POST' })).body.status).toBe('Canceling');
    await settle(1);
    expect(await stack.endOf(id)).toMatchObject({ status: 'Canceled', message: expect.stringContaining('stopped') });
    expect(await stack.azureRequests('POST', /\/demo-aks01\/abort$/i)).toHaveLength(1);
    await does('aks.cluster.upgrade', { cluster: CLUSTER, kubernetesVersion: '1.34' });
  });

  it('deletes a cluster, and says what goes with it', async () => {
    const { findings } = await does('aks.cluster.delete', { cluster: NEW });
    expect(findings.map(({ code }: Answer['body']) => code)).toEqual(['NODES_ARE_DELETED']);
    expect(await clusterNow('demo-aks07')).toBeUndefined();
    const { body } = await stack.api('/v1/operations', {
      method: 'POST',
      body: { type: 'aks.cluster.delete', input: { cluster: CLUSTER }, dryRun: true },
    });
    const member = (await stack.endOf(body.id)).findings.find(({ code }: Answer['body']) => code === 'FLEET_MEMBER');
    expect(member.operations).toMatchObject([{ type: 'fleet.member.leave' }]);
  });
});
