import { afterAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { System } from '#libs/systems/contract/system.js';
import { collected, describeSystem, listedBy, targetOf } from '#libs/systems/contract/system.contract-suite.js';
import { CLUSTER_1, CLUSTER_2, FLEET, MEMBER_1, MEMBER_2, SUBSCRIPTION } from './azure-on-simulator.js';
import { AKS_1, AKS_2, ClustersOnSimulator, EASTUS, HUB, KUARD, NAMESPACE } from './clusters-on-simulator.js';

const clusters = await ClustersOnSimulator.start();
await clusters.deployKuard();
await clusters.prepareUpdates();
afterAll(() => clusters.stop());

const call = { correlationId: 'clusters', signal: new AbortController().signal };
const fleet = targetOf(FLEET, 'Fleet');
const cluster = targetOf(CLUSTER_1, 'ManagedCluster');
const PLACEMENT = { group: 'placement.kubernetes-fleet.io', kind: 'ClusterResourcePlacement' };

function inCluster(
  clusterUid: string,
  type: { group: string; kind: string },
  name: string,
  namespace?: string,
): string {
  return KubernetesId.of({ clusterUid, ...type, namespace, name }).toString();
}

async function samplesOf(system: System): Promise<Record<string, JsonObject[]>> {
  const samples: Record<string, JsonObject[]> = {};
  for (const collector of system.collectors) {
    const { batches } = await collected(collector.collect(collector.scopes([SUBSCRIPTION])[0]!, call));
    for (const { kind, properties } of batches.flat()) (samples[kind] ??= []).push(properties);
  }
  for (const watcher of system.watchers) {
    for (const watched of [HUB, AKS_1].filter(({ kind }) => watcher.clusterKinds.includes(kind))) {
      for (const stream of watcher.streams) {
        for (const { kind, properties } of await listedBy(watcher, watched, stream.name, call)) {
          (samples[kind] ??= []).push(properties);
        }
      }
    }
  }
  return samples;
}

const RUN = `${FLEET}/updateRuns/run`;
const STRATEGY = `${FLEET}/updateStrategies/strategy`;
const PROFILE = `${FLEET}/autoUpgradeProfiles/profile`;
const run = targetOf(RUN, 'FleetUpdateRun');
const strategy = targetOf(STRATEGY, 'FleetUpdateStrategy');
const profile = targetOf(PROFILE, 'FleetAutoUpgradeProfile');

const placement = inCluster(HUB.uid, PLACEMENT, NAMESPACE);

describeSystem('fleet, on the simulator', {
  otherKinds: ['ManagedCluster', 'ConnectedCluster', 'AttachedCluster', 'Service'],
  samples: await samplesOf(clusters.fleet),
  operations: {
    'fleet.create': {
      input: {
        subscriptionId: SUBSCRIPTION,
        resourceGroup: 'demo_aks_fleetmng',
        name: 'aks-fleet02',
        location: 'eastus',
      },
      references: {},
    },
    'fleet.delete': { input: { fleet: FLEET }, references: { fleet } },
    'fleet.member.join': {
      input: { fleet: FLEET, cluster: CLUSTER_2 },
      references: { fleet, cluster: targetOf(CLUSTER_2, 'ManagedCluster') },
    },
    'fleet.member.leave': { input: { member: MEMBER_2 }, references: { member: targetOf(MEMBER_2, 'FleetMember') } },
    'fleet.updateRun.create': {
      input: {
        fleet: FLEET,
        name: 'new',
        strategy: STRATEGY,
        upgrade: { type: 'Full', kubernetesVersion: '1.34.2' },
      },
      references: { fleet, strategy },
    },
    'fleet.updateRun.start': { input: { run: RUN }, references: { run } },
    'fleet.updateRun.stop': { input: { run: RUN }, references: { run } },
    'fleet.updateRun.skip': {
      input: { run: RUN, targets: [{ type: 'Stage', name: 'first' }] },
      references: { run },
    },
    'fleet.updateRun.delete': { input: { run: RUN }, references: { run } },
    'fleet.updateStrategy.apply': {
      input: { fleet: FLEET, name: 'new', stages: [{ name: 'first', groups: [{ name: 'canary' }] }] },
      references: { fleet },
    },
    'fleet.updateStrategy.delete': { input: { strategy: STRATEGY }, references: { strategy } },
    'fleet.autoUpgradeProfile.apply': {
      input: { fleet: FLEET, name: 'new', channel: 'Stable', strategy: STRATEGY },
      references: { fleet, strategy },
    },
    'fleet.autoUpgradeProfile.delete': { input: { profile: PROFILE }, references: { profile } },
    'fleet.autoUpgradeProfile.generateUpdateRun': { input: { profile: PROFILE }, references: { profile } },
    'fleet.roleAssignment.create': {
      input: { fleet: FLEET, principalId: '33333333-0000-0000-0000-000000000003' },
      references: { fleet },
    },
    'fleet.placement.apply': {
      input: { fleet: FLEET, name: NAMESPACE, namespaces: [NAMESPACE], policy: { placementType: 'PickAll' } },
      references: { fleet },
    },
    'fleet.placement.delete': {
      input: { placement },
      references: { placement: targetOf(placement, 'ClusterResourcePlacement') },
    },
    'fleet.service.export': {
      input: { cluster: CLUSTER_1, namespace: NAMESPACE, service: 'kuard', weight: 10 },
      references: { cluster },
    },
    'fleet.multiClusterService.apply': {
      input: { cluster: CLUSTER_1, namespace: NAMESPACE, name: 'kuard' },
      references: { cluster },
    },
    'fleet.workload.deploy': {
      input: { fleet: FLEET, namespace: NAMESPACE, manifest: KUARD, policy: EASTUS, exports: ['kuard'] },
      references: { fleet },
    },
  },
  world: () => ({
    system: clusters.fleet,
    subscriptionId: SUBSCRIPTION,
    absent: [
      targetOf(`${FLEET}x`, 'Fleet'),
      targetOf(`${MEMBER_1}x`, 'FleetMember'),
      targetOf(`${RUN}x`, 'FleetUpdateRun'),
      targetOf(`${STRATEGY}x`, 'FleetUpdateStrategy'),
      targetOf(`${PROFILE}x`, 'FleetAutoUpgradeProfile'),
      targetOf(inCluster(HUB.uid, PLACEMENT, 'other'), 'ClusterResourcePlacement'),
    ],
    clusters: [HUB, AKS_1],
  }),
});

describe('the deployment of scenario A, on the simulator', () => {
  it('runs two pods on each member and none on the hub', async () => {
    const [watcher] = clusters.kubernetes.watchers;
    const counts: number[] = [];
    for (const watched of [HUB, AKS_1, AKS_2]) {
      const pods = await listedBy(watcher!, watched, 'pods', call);
      counts.push(pods.filter(({ name }) => name.startsWith('kuard-')).length);
    }
    expect(counts).toEqual([0, 2, 2]);
  });

  it('gives the service of both members one address', async () => {
    const [watcher] = clusters.fleet.watchers;
    const id = inCluster(
      AKS_1.uid,
      { group: 'networking.fleet.azure.com', kind: 'MultiClusterService' },
      'kuard',
      NAMESPACE,
    );
    const seen = await watcher!.observe(targetOf(id, 'MultiClusterService'), call);
    expect(seen.state === 'present' ? seen.observations[0]?.properties : undefined).toMatchObject({
      status: { loadBalancer: { ingress: [{ ip: expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/) as unknown }] } },
    });
  });
});
