import { afterAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { createAksSystem } from '#libs/systems/aks/aks.module.js';
import type { Observation } from '#libs/systems/contract/observation.js';
import type { System } from '#libs/systems/contract/system.js';
import { collected, describeSystem, targetOf } from '#libs/systems/contract/system.contract-suite.js';
import { createFleetSystem } from '#libs/systems/fleet/fleet.module.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import { AzureOnSimulator, CLUSTER_1, FLEET, POOL_1, SUBSCRIPTION } from './azure-on-simulator.js';

const world = await AzureOnSimulator.start();
afterAll(() => world.stop());

const fleet = createFleetSystem(world.azure, new FakeKube(), { find: async () => undefined });
const call = { correlationId: 'c', signal: new AbortController().signal };

async function observedBy(system: System): Promise<Observation[]> {
  const collector = system.collectors[0]!;
  const { batches } = await collected(collector.collect(collector.scopes([SUBSCRIPTION])[0]!, call));
  return batches.flat();
}

async function samplesOf(system: System): Promise<Record<string, JsonObject[]>> {
  const samples: Record<string, JsonObject[]> = {};
  for (const { kind, properties } of await observedBy(system)) (samples[kind] ??= []).push(properties);
  return samples;
}

const aks = createAksSystem(world.azure);
const ofCluster = { cluster: targetOf(CLUSTER_1, 'ManagedCluster') };
const GONE_POOL = `${CLUSTER_1}/agentPools/gone`;
/** A pool that may be stopped: those of the estate carry the system pods. */
const USER_POOL = `${CLUSTER_1}/agentPools/user`;
await world.control('resources', {
  id: USER_POOL,
  operation: 'upsert',
  body: { properties: { count: 1, vmSize: 'Standard_D2s_v5', mode: 'User', osType: 'Linux' } },
});
// Until Resource Graph has heard of it.
await world.pass(10);

describeSystem('aks, on the simulator', {
  otherKinds: ['FleetMember'],
  samples: await samplesOf(aks),
  operations: {
    'aks.nodePool.scale': {
      input: { nodePool: POOL_1, count: 3 },
      references: { nodePool: targetOf(POOL_1, 'AgentPool') },
    },
    'aks.nodePool.create': {
      input: { cluster: CLUSTER_1, name: 'extra', vmSize: 'Standard_D2s_v5' },
      references: ofCluster,
    },
    'aks.nodePool.upgrade': {
      input: { nodePool: POOL_1 },
      references: { nodePool: targetOf(POOL_1, 'AgentPool') },
    },
    'aks.nodePool.start': {
      input: { nodePool: POOL_1 },
      references: { nodePool: targetOf(POOL_1, 'AgentPool') },
    },
    'aks.nodePool.stop': {
      input: { nodePool: USER_POOL },
      references: { nodePool: targetOf(USER_POOL, 'AgentPool') },
    },
    'aks.nodePool.delete': {
      input: { nodePool: GONE_POOL },
      references: { nodePool: targetOf(GONE_POOL, 'AgentPool') },
    },
    'aks.cluster.create': {
      input: {
        subscriptionId: SUBSCRIPTION,
        resourceGroup: 'demo_aks01',
        name: 'new',
        location: 'eastus',
        kubernetesVersion: '1.33',
        systemPool: { vmSize: 'Standard_D2s_v5' },
      },
      references: {},
    },
    'aks.cluster.start': { input: { cluster: CLUSTER_1 }, references: ofCluster },
    'aks.cluster.stop': { input: { cluster: CLUSTER_1 }, references: ofCluster },
    'aks.cluster.upgrade': { input: { cluster: CLUSTER_1, kubernetesVersion: '1.34' }, references: ofCluster },
    'aks.cluster.delete': { input: { cluster: CLUSTER_1 }, references: ofCluster },
  },
  world: () => ({ system: aks, subscriptionId: SUBSCRIPTION, absent: [targetOf(`${CLUSTER_1}x`, 'ManagedCluster')] }),
});

describe('the estate of scenario A', () => {
  it('is seen whole: clusters, pools, fleet, member, and the hub that is a cluster too', async () => {
    const clusters = await observedBy(aks);
    const named = (kind: string) => clusters.filter((observation) => observation.kind === kind).map(({ name }) => name);
    expect(named('ManagedCluster').sort()).toEqual(['demo-aks01', 'demo-aks02', 'hub']);
    expect(named('AgentPool').length).toBeGreaterThanOrEqual(2);
    expect((await observedBy(fleet)).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'Fleet aks-fleet01',
      'FleetMember demo-aks01-demo-aks01',
    ]);
  });

  it('has a relation from the fleet to the cluster that is its hub', async () => {
    const hub = (await observedBy(aks)).find((observation) => observation.name === 'hub');
    const observed = (await observedBy(fleet)).find((observation) => observation.kind === 'Fleet');
    expect(observed?.relations).toEqual([{ type: 'hosts', from: FLEET.toLowerCase(), to: hub?.canonicalId }]);
    const kind = aks.kinds.find((candidate) => candidate.name === 'ManagedCluster');
    expect(kind?.describe(hub?.properties ?? {})).toMatchObject({ isFleetHub: true });
  });

  it('is the same from ARM as from Resource Graph', async () => {
    for (const system of [aks, fleet]) {
      const fromGraph = await observedBy(system);
      await world.control('faults', { match: { kind: 'graph' }, fault: { type: 'error', status: 500 } });
      const fromArm = await observedBy(system);
      await fetch(`${world.origin}/_simulator/faults`, { method: 'DELETE' });
      expect(new Set(fromArm.map(({ source }) => source))).toEqual(new Set(['ARM']));
      const picture = (observations: Observation[]) =>
        observations.map(({ canonicalId, properties, tags, location, health }) => ({
          canonicalId,
          properties,
          tags,
          location,
          health,
        }));
      const byId = (left: { canonicalId: string }, right: { canonicalId: string }) =>
        left.canonicalId < right.canonicalId ? -1 : 1;
      expect(picture(fromArm).sort(byId)).toEqual(picture(fromGraph).sort(byId));
    }
  });

  it('lists the subscriptions that the credential sees', async () => {
    await expect(world.azure.subscriptions.list(call)).resolves.toMatchObject([{ subscriptionId: SUBSCRIPTION }]);
  });
});
