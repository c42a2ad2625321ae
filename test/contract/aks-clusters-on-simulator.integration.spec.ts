import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import { createAksSystem } from '#libs/systems/aks/aks.module.js';
import type { AbortContext } from '#libs/systems/contract/operation-definition.js';
import { targetOf } from '#libs/systems/contract/system.contract-suite.js';
import { AzureOnSimulator, CLUSTER_1, OperationPlayer, POOL_1, SUBSCRIPTION } from './azure-on-simulator.js';

const SCHEMAS = path.resolve(import.meta.dirname, '../../../shared/arm-schemas');
const schemasAvailable = existsSync(SCHEMAS);
if (!schemasAvailable)
  console.warn(`Skipped: the official ARM schemas are not at ../shared/arm-schemas beside the repository.`);

const NEW_CLUSTER = CLUSTER_1.replace('demo-aks01', 'demo-aks09');
const EXTRA_POOL = `${CLUSTER_1}/agentPools/extra`;
const ofCluster = { cluster: targetOf(CLUSTER_1, 'ManagedCluster') };
const ofPool = { nodePool: targetOf(POOL_1, 'AgentPool') };
const wanted = {
  subscriptionId: SUBSCRIPTION,
  resourceGroup: 'demo_aks01',
  name: 'demo-aks09',
  location: 'eastus',
  kubernetesVersion: '1.33',
  dnsPrefix: 'nine',
  serviceCidr: '10.9.0.0/16',
  dnsServiceIp: '10.9.0.10',
  tier: 'Standard',
  systemPool: {
    vmSize: 'Standard_D2s_v5',
    count: 2,
    maxPods: 50,
    zones: ['1', '2'],
    autoscaler: { minCount: 1, maxCount: 3 },
  },
  tags: { env: 'dev' },
};
const extra = {
  cluster: CLUSTER_1,
  name: 'extra',
  vmSize: 'Standard_D2s_v5',
  count: 1,
  kubernetesVersion: '1.33',
  nodeLabels: { team: 'web' },
  nodeTaints: ['team=web:NoSchedule'],
  spot: true,
};

let world: AzureOnSimulator;
beforeEach(async () => {
  world = await AzureOnSimulator.start();
});
afterEach(() => world.stop());

function operationOf(type: string) {
  return createAksSystem(world.azure).operations.find((candidate) => candidate.type === type)!;
}

function play(type: string, input: JsonObject, references = {}): OperationPlayer {
  return new OperationPlayer(world, operationOf(type), input, references);
}

async function read(id: string): Promise<JsonObject | undefined> {
  const reading = await world.azure.arm.get(id, '2026-04-01', { correlationId: 'c' });
  return reading.state === 'found' ? reading.body : undefined;
}

const errorsOf = async (player: OperationPlayer) =>
  (await player.findings()).filter((finding) => finding.startsWith('error'));

describe('AKS clusters on the simulator', () => {
  it('are created by one PUT, and run what was asked for', async () => {
    const creation = play('aks.cluster.create', wanted);
    expect(await errorsOf(creation)).toEqual([]);
    await expect(creation.play()).resolves.toMatchObject({
      verdict: 'reached',
      result: { kubernetesVersion: '1.33.5', fqdn: expect.stringContaining('nine') },
    });
    expect(await world.writes()).toEqual([`PUT ${NEW_CLUSTER}`]);
    expect(await creation.findings()).toEqual(['info CLUSTER_EXISTS']);
  });

  it('are refused a version that the region does not offer, before anything is sent', async () => {
    expect(await errorsOf(play('aks.cluster.create', { ...wanted, kubernetesVersion: '1.12' }))).toEqual([
      'error VERSION_NOT_OFFERED',
    ]);
  });

  it('are stopped and started, each asked for once', async () => {
    await expect(play('aks.cluster.stop', { cluster: CLUSTER_1 }, ofCluster).play()).resolves.toMatchObject({
      verdict: 'reached',
      result: { powerState: 'Stopped' },
    });
    expect(await errorsOf(play('aks.nodePool.create', extra, ofCluster))).toEqual(['error CLUSTER_STOPPED']);
    await expect(play('aks.cluster.start', { cluster: CLUSTER_1 }, ofCluster).play()).resolves.toMatchObject({
      verdict: 'reached',
      result: { powerState: 'Running' },
    });
    const posts = await world.requests({ method: 'POST' });
    expect(posts.filter(({ path: sent }) => /\/(start|stop)$/.test(sent))).toHaveLength(2);
  });

  it('are upgraded, the control plane before the pools, and keep what is newer than Pilothouse', async () => {
    const body = { properties: { futureField: { nested: ['kept'] } } };
    await world.control('resources', { id: CLUSTER_1, operation: 'patch', body });
    await world.control('resources', { id: POOL_1, operation: 'patch', body });
    const upgrade = play('aks.cluster.upgrade', { cluster: CLUSTER_1, kubernetesVersion: '1.34' }, ofCluster);
    expect(await errorsOf(upgrade)).toEqual([]);
    await expect(upgrade.play()).resolves.toMatchObject({
      verdict: 'reached',
      result: { kubernetesVersion: '1.34.2', nodePools: { nodepool1: '1.34.2' } },
    });
    expect(await world.writes()).toEqual([`PUT ${CLUSTER_1}`, `PUT ${CLUSTER_1}`]);
    expect(await read(CLUSTER_1)).toMatchObject(body);
    expect(await read(POOL_1)).toMatchObject(body);
  });

  it('can have their pools upgraded later, one by one', async () => {
    const plane = { cluster: CLUSTER_1, kubernetesVersion: '1.34', controlPlaneOnly: true };
    await expect(play('aks.cluster.upgrade', plane, ofCluster).play()).resolves.toMatchObject({
      verdict: 'reached',
      result: { nodePools: { nodepool1: '1.33.5' } },
    });
    expect(
      await errorsOf(play('aks.nodePool.upgrade', { nodePool: POOL_1, kubernetesVersion: '1.35' }, ofPool)),
    ).toEqual(['error VERSION_NEWER_THAN_CONTROL_PLANE']);
    const upgrade = operationOf('aks.nodePool.upgrade');
    const player = new OperationPlayer(world, upgrade, { nodePool: POOL_1 }, ofPool);
    const chosen = await player.runStep('choose-version');
    expect(chosen).toMatchObject({ outcome: 'done', output: { kubernetesVersion: '1.34.2' } });
    Object.assign(player.context, { outputs: { 'choose-version': { kubernetesVersion: '1.34.2' } } });
    await expect(player.play()).resolves.toMatchObject({ verdict: 'reached', result: { kubernetesVersion: '1.34.2' } });
  });

  it('get and lose node pools', async () => {
    const creation = play('aks.nodePool.create', extra, ofCluster);
    expect(await errorsOf(creation)).toEqual([]);
    await expect(creation.play()).resolves.toMatchObject({ verdict: 'reached', result: { count: 1 } });
    expect(await read(EXTRA_POOL)).toMatchObject({
      properties: { scaleSetPriority: 'Spot', nodeLabels: { team: 'web' } },
    });
    expect(await errorsOf(play('aks.nodePool.delete', { nodePool: POOL_1 }, ofPool))).toEqual([
      'error LAST_SYSTEM_POOL',
    ]);
    const references = { nodePool: targetOf(EXTRA_POOL, 'AgentPool') };
    await expect(play('aks.nodePool.delete', { nodePool: EXTRA_POOL }, references).play()).resolves.toMatchObject({
      verdict: 'reached',
    });
    expect(await read(EXTRA_POOL)).toBeUndefined();
    expect(await world.writes()).toEqual([`PUT ${EXTRA_POOL}`, `DELETE ${EXTRA_POOL}`]);
  });

  it('are deleted with their pools, and the fleet that they are members of is named', async () => {
    const deletion = play('aks.cluster.delete', { cluster: CLUSTER_1 }, ofCluster);
    expect(await deletion.findings()).toEqual(['warning NODES_ARE_DELETED', 'warning FLEET_MEMBER']);
    await expect(deletion.play()).resolves.toMatchObject({ verdict: 'reached' });
    expect(await read(CLUSTER_1)).toBeUndefined();
  });

  it('wait for a change that somebody else has begun, and send nothing before', async () => {
    const longRunning = { seconds: 60, state: 'Updating' };
    await world.control('resources', { id: POOL_1, operation: 'patch', body: {}, longRunning });
    const stop = play('aks.cluster.stop', { cluster: CLUSTER_1 }, ofCluster);
    expect(await stop.runStep()).toMatchObject({ outcome: 'blocked' });
    world.advance(120);
    await expect(stop.play()).resolves.toMatchObject({ verdict: 'reached' });
  });

  it.each([
    { type: 'aks.cluster.stop', input: { cluster: CLUSTER_1 }, references: ofCluster, step: 'stop', at: CLUSTER_1 },
    {
      type: 'aks.cluster.upgrade',
      input: { cluster: CLUSTER_1, kubernetesVersion: '1.34' },
      references: ofCluster,
      step: 'upgrade-control-plane',
      at: CLUSTER_1,
    },
    { type: 'aks.cluster.create', input: wanted, references: {}, step: 'create', at: NEW_CLUSTER },
    { type: 'aks.nodePool.create', input: extra, references: ofCluster, step: 'create', at: EXTRA_POOL },
  ])('$type can be stopped on its way', async ({ type, input, references, step, at }) => {
    const player = play(type, input, references);
    expect(await player.runStep(step)).toMatchObject({ outcome: 'wait' });
    const { abort } = operationOf(type).steps.find(({ name }) => name === step)!;
    const context: AbortContext<never> = {
      ...player.context,
      input: player.context.input as never,
      resumeToken: undefined,
      attempt: 1,
      asked: false,
    };
    expect(await abort!(context)).toMatchObject({ outcome: 'stopping' });
    world.advance(120);
    expect(await abort!({ ...context, asked: true })).toMatchObject({ outcome: 'stopped' });
    expect(await read(at)).toMatchObject({ properties: { provisioningState: 'Canceled' } });
    const posts = await world.requests({ method: 'POST' });
    expect(posts.filter(({ path: sent }) => sent.endsWith('/abort'))).toHaveLength(1);
  });
});

(schemasAvailable ? describe : describe.skip)('what is sent for AKS, by the official ARM schemas', () => {
  it.each([
    { type: 'aks.cluster.create', input: wanted, references: {}, reason: 'a new cluster with every option' },
    {
      type: 'aks.cluster.create',
      input: {
        ...wanted,
        networkPluginMode: 'overlay',
        podCidr: '10.245.0.0/16',
        tier: 'Premium',
        userAssignedIdentity: `/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks01/providers/Microsoft.ManagedIdentity/userAssignedIdentities/aks`,
      },
      references: {},
      reason: 'with an identity of its own and an overlay',
    },
    {
      type: 'aks.cluster.upgrade',
      input: { cluster: CLUSTER_1, kubernetesVersion: '1.34' },
      references: ofCluster,
      reason: 'an existing cluster, written back raw',
    },
    { type: 'aks.nodePool.create', input: extra, references: ofCluster, reason: 'a new pool with every option' },
  ])('$type: $reason', async ({ type, input, references }) => {
    await play(type, input, references).play();
    const put = (await world.requests({ method: 'PUT' })).at(-1)!;
    const armType = ArmId.parse(put.path).type;
    const file = path.join(SCHEMAS, `${armType.replaceAll('/', '.')}@${armApiVersion(armType)}.json`);
    const { request } = JSON.parse(readFileSync(file, 'utf8')) as { request: JsonObject };
    const validate = new Ajv2020({ strict: false, allErrors: true }).compile(request);
    validate(put.body);
    expect(validate.errors ?? []).toEqual([]);
  });
});
