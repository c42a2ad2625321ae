import { describe, expect, it } from '@jest/globals';
import { CLUSTER_ID } from '#libs/testing/aks-samples.js';
import { fakeRefusal } from '#libs/testing/fake-kube.js';
import { watchedCluster } from '#libs/testing/kubernetes-samples.js';
import {
  ACI_SUBNET_ID,
  CONNECTOR_PRINCIPAL,
  VIRTUAL_NODE,
  VirtualNodesWorld,
  WORKLOAD_ID,
  podOnVirtualNode,
  virtualNode,
} from '#libs/testing/virtual-nodes-world.js';
import type { ClusterCandidate } from '../contract/cluster-watcher.js';
import { targetOf } from '../contract/system.contract-suite.js';
import { virtualNodeIdOf, virtualNodeKind } from './virtual-node.kind.js';

const cluster = watchedCluster();
const call = { correlationId: 'c', signal: new AbortController().signal };
const target = targetOf(virtualNodeIdOf(cluster.uid, VIRTUAL_NODE).canonical, 'VirtualNode');

async function observed(world: VirtualNodesWorld) {
  const result = await world.system().watchers[0]!.observe(target, call);
  return result.state === 'present' ? result.observations[0] : undefined;
}

describe('a virtual node', () => {
  it('leads to its subnet and to the workloads that have pods there, each once', async () => {
    const world = new VirtualNodesWorld();
    world.switchOn();
    world.cluster.add(
      podOnVirtualNode('web-0'),
      podOnVirtualNode('web-1'),
      podOnVirtualNode('web-2', { phase: 'Failed' }),
    );
    const node = await observed(world);
    expect(node?.relations).toEqual([
      { type: 'burstsTo', from: WORKLOAD_ID, to: node?.canonicalId },
      { type: 'placedOn', from: node?.canonicalId, to: ACI_SUBNET_ID.toLowerCase() },
    ]);
    expect(virtualNodeKind.describe(node!.properties)).toMatchObject({
      nature: 'aci-connector-addon',
      podCount: 2,
      subnetId: ACI_SUBNET_ID,
      identityObjectId: CONNECTOR_PRINCIPAL,
      exposesPods: false,
    });
  });

  it('is told without what Azure or the cluster does not let us see', async () => {
    const world = new VirtualNodesWorld();
    world.switchOn();
    world.arm.answer('GET', /managedClusters\/demo-aks01$/i, {
      status: 403,
      body: { error: { code: 'AuthorizationFailed', message: 'no' } },
    });
    world.cluster.refuse({ verb: 'list', kind: 'Pod' }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'no'));
    const node = await observed(world);
    expect(node?.relations).toEqual([]);
    expect(virtualNodeKind.describe(node!.properties)).toMatchObject({ podCount: null, subnetId: null, ready: true });
  });

  it('of the early connector is in no subnet, and exposes its pods', async () => {
    const world = new VirtualNodesWorld();
    world.switchOn();
    world.cluster.add(virtualNode(VIRTUAL_NODE, { taints: [{ key: 'azure.com/aci', effect: 'NoSchedule' }] }));
    const node = await observed(world);
    expect(virtualNodeKind.describe(node!.properties)).toMatchObject({ exposesPods: true, subnetId: null });
  });

  it.each([
    { change: {}, isWatched: true, reason: 'it runs' },
    { change: { provisioningState: 'Creating' }, isWatched: false, reason: 'nothing is there yet' },
    { change: { properties: {} }, isWatched: false, reason: 'it has no address' },
    {
      change: { properties: { fqdn: 'f', powerState: { code: 'Stopped' } } },
      isWatched: false,
      reason: 'it is stopped',
    },
    { change: { properties: { fqdn: 'f', nodeResourceGroup: 'MC_FL_a' } }, isWatched: false, reason: 'it is a hub' },
    { change: { kind: 'ConnectedCluster' }, isWatched: false, reason: 'nobody has attached it' },
    { change: { kind: 'ConnectedCluster', isAttached: true }, isWatched: true, reason: 'it was attached' },
    { change: { kind: 'AttachedCluster' }, isWatched: true, reason: 'it was attached' },
    { change: { kind: 'Fleet' }, isWatched: false, reason: 'hubs run no pods' },
  ])('is looked for in a cluster: $isWatched, since $reason', ({ change, isWatched }) => {
    const candidate: ClusterCandidate = {
      ...cluster,
      id: CLUSTER_ID,
      provisioningState: 'Succeeded',
      properties: { fqdn: 'demo.azmk8s.io' },
      isAttached: false,
      ...change,
    };
    expect(new VirtualNodesWorld().system().watchers[0]!.isWatched(candidate)).toBe(isWatched);
  });
});
