import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, describe, expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import { createAksHciAccess } from '#libs/systems/aks-hci/aks-hci.access.js';
import { createAksHciSystem } from '#libs/systems/aks-hci/aks-hci.module.js';
import { collected, describeSystem, targetOf } from '#libs/systems/contract/system.contract-suite.js';
import { SCENARIO_C } from '../../apps/simulator/simulator.options.js';
import { AzureOnSimulator, OperationPlayer, SUBSCRIPTION } from './azure-on-simulator.js';

const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/akshci-eu/providers`;
const HOST = `${GROUP}/Microsoft.ExtendedLocation/customLocations/hci-host`;
const NETWORK = `${GROUP}/Microsoft.AzureStackHCI/logicalNetworks/lnet-static`;
const clusterId = (name: string): string => `${GROUP}/Microsoft.Kubernetes/connectedClusters/${name}`;
const instanceId = (name: string): string =>
  `${clusterId(name)}/providers/Microsoft.HybridContainerService/provisionedClusterInstances/default`;
const EDGE = instanceId('edge01');
const POOL = `${EDGE}/agentPools/linuxpool`;

const SCHEMAS = path.resolve(import.meta.dirname, '../../../shared/arm-schemas');
const schemasAreHere = existsSync(SCHEMAS);
if (!schemasAreHere)
  console.warn('Skipped: the official ARM schemas are not at ../shared/arm-schemas beside the repository.');

const host = { customLocation: targetOf(HOST, 'CustomLocation') };
const wanted = (name: string): JsonObject => ({
  subscriptionId: SUBSCRIPTION,
  resourceGroup: 'akshci-eu',
  name,
  location: 'eastus',
  customLocation: HOST,
  logicalNetwork: NETWORK,
  kubernetesVersion: '1.29.7',
  // No two clusters of a host have the same: edge01 has 192.168.1.11.
  controlPlane: { count: 3, hostIp: `192.168.1.1${name.at(-1) ?? ''}` },
  loadBalancerCount: 1,
  nodePools: [
    { name: 'linuxpool', count: 1, vmSize: 'Standard_A4_v2', nodeLabels: { tier: 'edge' }, maxPods: 50 },
    { name: 'winpool', count: 1, vmSize: 'Standard_D4s_v3', osType: 'Windows', nodeTaints: ['os=windows:NoSchedule'] },
  ],
  sshPublicKey: `ssh-ed25519 ${'A'.repeat(60)}`,
  adminGroupObjectIds: ['00000000-0000-4000-8000-000000000009'],
  tags: { team: 'edge' },
});

const world = await AzureOnSimulator.start({ estate: SCENARIO_C });
const system = createAksHciSystem(world.azure);
const call = { correlationId: 'c', signal: new AbortController().signal };
afterAll(() => world.stop());

function player(
  type: string,
  input: JsonObject,
  references: Parameters<typeof describeSystem>[1]['operations'][string]['references'],
) {
  return new OperationPlayer(
    world,
    system.operations.find((candidate) => candidate.type === type)!,
    input,
    references,
  );
}

await player('hci.cluster.create', wanted('edge01'), host).play();

async function samples(): Promise<Record<string, JsonObject[]>> {
  const found: Record<string, JsonObject[]> = {};
  const [collector] = system.collectors;
  const { batches } = await collected(collector!.collect(collector!.scopes([SUBSCRIPTION])[0]!, call));
  for (const { kind, properties } of batches.flat()) (found[kind] ??= []).push(properties);
  return found;
}

const cluster = { cluster: targetOf(EDGE, 'ProvisionedCluster') };
const nodePool = { nodePool: targetOf(POOL, 'ProvisionedAgentPool') };

describeSystem('aks-hci, on the simulator', {
  otherKinds: ['ConnectedCluster', 'CustomLocation'],
  samples: await samples(),
  operations: {
    'hci.host.inspect': { input: { customLocation: HOST }, references: host },
    'hci.cluster.create': { input: wanted('edge02'), references: host },
    'hci.cluster.upgrade': { input: { cluster: EDGE, kubernetesVersion: '1.29.9' }, references: cluster },
    'hci.cluster.delete': { input: { cluster: EDGE }, references: cluster },
    'hci.nodePool.put': {
      input: { cluster: EDGE, name: 'more', count: 1, vmSize: 'Standard_A4_v2' },
      references: cluster,
    },
    'hci.nodePool.scale': { input: { nodePool: POOL, count: 2 }, references: nodePool },
    'hci.nodePool.delete': {
      input: { nodePool: `${EDGE}/agentPools/winpool` },
      references: { nodePool: targetOf(`${EDGE}/agentPools/winpool`, 'ProvisionedAgentPool') },
    },
  },
  world: () => ({
    system,
    subscriptionId: SUBSCRIPTION,
    absent: [
      targetOf(instanceId('gone'), 'ProvisionedCluster'),
      targetOf(`${EDGE}/agentPools/gone`, 'ProvisionedAgentPool'),
    ],
  }),
});

describe('AKS on Azure Stack HCI, played against the simulator', () => {
  it('was made by two writes and two questions to the host, and is connected', async () => {
    const verified = await player('hci.cluster.create', wanted('edge01'), host).play();
    expect(verified).toMatchObject({
      verdict: 'reached',
      observations: [
        { kind: 'ProvisionedCluster', name: 'edge01', health: { state: 'Healthy' } },
        { kind: 'ProvisionedAgentPool', name: 'linuxpool' },
        { kind: 'ProvisionedAgentPool', name: 'winpool' },
      ],
    });
    const writes = (await world.writes()).filter((write) => write.startsWith('PUT'));
    expect(writes).toEqual([
      `PUT ${HOST}/providers/Microsoft.HybridContainerService/kubernetesVersions/default`,
      `PUT ${HOST}/providers/Microsoft.HybridContainerService/skus/default`,
      `PUT ${clusterId('edge01')}`,
      `PUT ${EDGE}`,
    ]);
  });

  it('is made once however often the worker is killed', async () => {
    const creation = player('hci.cluster.create', wanted('edge03'), host);
    for (const step of ['versions', 'vm-sizes', 'connected-cluster', 'machines', 'connection']) {
      for (;;) {
        const outcome = await creation.runStep(step);
        if (outcome.outcome === 'done') break;
        if (outcome.outcome === 'failed') throw outcome.error;
        creation.forgetToken();
        await world.pass(outcome.retryAfterSeconds);
      }
    }
    const writes = (await world.writes()).filter((write) => write.includes('edge03'));
    expect(writes).toEqual([`PUT ${clusterId('edge03')}`, `PUT ${instanceId('edge03')}`]);
    await player(
      'hci.cluster.delete',
      { cluster: instanceId('edge03') },
      {
        cluster: targetOf(instanceId('edge03'), 'ProvisionedCluster'),
      },
    ).play();
  });

  it('is upgraded, scaled, extended and shrunk', async () => {
    const upgrade = player('hci.cluster.upgrade', { cluster: EDGE, kubernetesVersion: '1.29.9' }, cluster);
    expect(await upgrade.findings()).toEqual([]);
    expect(await upgrade.play()).toMatchObject({ verdict: 'reached' });
    expect(await player('hci.nodePool.scale', { nodePool: POOL, count: 3 }, nodePool).play()).toMatchObject({
      verdict: 'reached',
      result: { count: 3 },
    });
    const input = {
      cluster: EDGE,
      name: 'more',
      count: 1,
      vmSize: 'Standard_A4_v2',
      autoscaler: { minCount: 1, maxCount: 3 },
    };
    expect(await player('hci.nodePool.put', input, cluster).play()).toMatchObject({ verdict: 'reached' });
    const more = { nodePool: targetOf(`${EDGE}/agentPools/more`, 'ProvisionedAgentPool') };
    expect(await player('hci.nodePool.scale', { nodePool: more.nodePool.id, count: 2 }, more).findings()).toEqual([
      'error AUTOSCALER_ENABLED',
    ]);
    expect(await player('hci.nodePool.delete', { nodePool: more.nodePool.id }, more).play()).toMatchObject({
      verdict: 'reached',
    });
  });

  it('recognises that the host has run out of addresses', async () => {
    const many = { ...wanted('edge04'), nodePools: [{ name: 'linuxpool', count: 60, vmSize: 'Standard_A4_v2' }] };
    const creation = player('hci.cluster.create', many, host);
    expect(await creation.findings()).toEqual(['warning ADDRESSES_SHORT']);
    await expect(creation.play()).rejects.toMatchObject({ diagnosis: { code: 'ADDRESSES_EXHAUSTED' } });
  });

  it('gives its kubeconfig', async () => {
    const access = createAksHciAccess(world.azure, (milliseconds) => world.pass(milliseconds / 1000));
    const { uid } = ArmId.parse(clusterId('edge01'));
    const given = await access.kubeconfig({ uid, id: clusterId('edge01'), kind: 'ConnectedCluster' }, call);
    expect(given?.kubeconfig.reveal()).toContain(`/kubernetes/${uid}`);
    const management = { uid: 'x', id: clusterId('hci-management'), kind: 'ConnectedCluster' };
    await expect(access.kubeconfig(management, call)).resolves.toBeUndefined();
  });

  (schemasAreHere ? it : it.skip)('sends bodies that the official schemas allow', async () => {
    const seen = new Set<string>();
    for (const { path: sentTo, body, status } of await world.requests({ method: 'PUT' })) {
      if (status === null || status >= 400) continue;
      const { type } = ArmId.parse(sentTo);
      const file = path.join(SCHEMAS, `${type.replaceAll('/', '.')}@${armApiVersion(type)}.json`);
      if (!existsSync(file)) continue;
      const { request } = JSON.parse(readFileSync(file, 'utf8')) as { request: JsonObject };
      // The schemas carry annotations of their own ("examples" beside a type), which strict mode would refuse.
      const validate = new Ajv2020({ strict: false, allErrors: true }).compile(request);
      validate(body);
      expect([type, validate.errors ?? []]).toEqual([type, []]);
      seen.add(type);
    }
    expect([...seen].sort()).toEqual([
      'Microsoft.HybridContainerService/kubernetesVersions',
      'Microsoft.HybridContainerService/provisionedClusterInstances',
      'Microsoft.HybridContainerService/provisionedClusterInstances/agentPools',
      'Microsoft.Kubernetes/connectedClusters',
    ]);
  });

  it('finds a host full that carries as many clusters as it can, as Azure does', async () => {
    const upsert = (id: string, body: JsonObject) => world.control('resources', { id, operation: 'upsert', body });
    const properties = { provisioningState: 'Succeeded', agentPublicKeyCertificate: '' };
    for (let index = 0; index < 32; index++) {
      const name = `full${index}`;
      const identity = { type: 'SystemAssigned' };
      await upsert(clusterId(name), { kind: 'ProvisionedCluster', location: 'eastus', identity, properties });
      const extendedLocation = { type: 'CustomLocation', name: HOST };
      await upsert(instanceId(name), { extendedLocation, properties: { provisioningState: 'Succeeded' } });
    }
    const creation = player('hci.cluster.create', wanted('edge05'), host);
    expect(await creation.findings()).toContain('error HOST_CLUSTER_LIMIT');
    await expect(creation.play()).rejects.toMatchObject({
      code: 'AZURE_REJECTED',
      externalCode: 'ClusterLimitExceeded',
    });
  });
});
