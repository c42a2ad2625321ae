import { describe, expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import { CLUSTER_ID, SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import { fakeRefusal } from '#libs/testing/fake-kube.js';
import {
  ACI_SUBNET_ID,
  GROUP_ID,
  NETWORK_ID,
  NODE_GROUP,
  VIRTUAL_NODE,
  VirtualNodesWorld,
  groupBody,
  podOnVirtualNode,
} from '#libs/testing/virtual-nodes-world.js';
import type { Observation } from '../contract/observation.js';
import { containerGroupKind } from './container-group.kind.js';
import { describeSubnet } from './network.kinds.js';
import { virtualNodeIdOf } from './virtual-node.kind.js';

const call = { correlationId: 'c', signal: new AbortController().signal };
const CLUSTER_UID = ArmId.parse(CLUSTER_ID).uid;

async function collected(world: VirtualNodesWorld): Promise<Observation[]> {
  const [collector] = world.system().collectors;
  const [scope] = collector!.scopes([SUBSCRIPTION]);
  const seen: Observation[] = [];
  const run = collector!.collect(scope!, call);
  for (;;) {
    const next = await run.next();
    if (next.done === true) {
      expect(next.value).toEqual({ state: 'complete' });
      return seen;
    }
    seen.push(...next.value);
  }
}

async function groupIn(world: VirtualNodesWorld): Promise<Observation | undefined> {
  return (await collected(world)).find(({ kind }) => kind === 'ContainerGroup');
}

describe('container groups', () => {
  it('lead to the pod that they serve, the virtual node and the subnet', async () => {
    const world = new VirtualNodesWorld();
    world.arm.add(groupBody());
    world.cluster.add(podOnVirtualNode());
    const group = await groupIn(world);
    expect(group).toMatchObject({ clusterUid: CLUSTER_UID, namespace: 'default', health: { state: 'Healthy' } });
    expect(group?.relations).toEqual([
      { type: 'placedOn', from: GROUP_ID.toLowerCase(), to: ACI_SUBNET_ID.toLowerCase() },
      { type: 'runsOn', from: `kubernetes://${CLUSTER_UID}/core/Pod/default/web-0`, to: GROUP_ID.toLowerCase() },
      { type: 'hosts', from: virtualNodeIdOf(CLUSTER_UID, VIRTUAL_NODE).canonical, to: GROUP_ID.toLowerCase() },
    ]);
    expect(containerGroupKind.describe(group!.properties)).toMatchObject({
      podState: 'Present',
      orphan: false,
      cpuCores: 0.3,
      memoryGb: 2,
      restarts: 2,
      images: ['example.com/web:1'],
      exposure: 'Private',
      ports: [80],
    });
  });

  it.each([
    {
      reason: 'its pod is gone',
      arrange: () => undefined,
      expected: { podState: 'Gone', orphan: true },
      health: 'Degraded',
    },
    {
      reason: 'another pod has taken its name',
      arrange: (world: VirtualNodesWorld) => {
        const pod = podOnVirtualNode();
        world.cluster.add({ ...pod, metadata: { ...pod.metadata, uid: 'another' } });
      },
      expected: { podState: 'Gone', orphan: true },
      health: 'Degraded',
    },
    {
      reason: 'the cluster cannot be asked',
      arrange: (world: VirtualNodesWorld) =>
        world.cluster.refuse({ verb: 'list' }, fakeRefusal('KUBERNETES_UNAVAILABLE', 'ServiceUnavailable', 'down')),
      expected: { podState: 'Unknown', orphan: false },
      health: 'Healthy',
    },
    {
      reason: 'no cluster owns its resource group',
      arrange: (world: VirtualNodesWorld) => world.arm.set(NODE_GROUP, { id: NODE_GROUP, location: 'eastus' }),
      expected: { podState: 'Unknown', orphan: false },
      health: 'Healthy',
    },
    {
      reason: 'it serves no pod',
      arrange: (world: VirtualNodesWorld) => world.arm.add({ ...groupBody(), tags: {} }),
      expected: { podState: 'None', podName: null, orphan: false },
      health: 'Healthy',
    },
    {
      reason: 'the internet reaches it',
      arrange: (world: VirtualNodesWorld) => {
        world.cluster.add(podOnVirtualNode());
        world.arm.add(groupBody({ ipAddress: { type: 'Public', ip: '52.1.1.1', ports: [] }, subnetIds: [] }));
      },
      expected: { exposure: 'Public', subnetId: null },
      health: 'Degraded',
    },
    {
      reason: 'Azure could not start it',
      arrange: (world: VirtualNodesWorld) => {
        world.cluster.add(podOnVirtualNode());
        world.arm.add(groupBody({ provisioningState: 'Failed', instanceView: { state: 'Pending' } }));
      },
      expected: { state: 'Failed' },
      health: 'Degraded',
    },
    {
      reason: 'it is being made',
      arrange: (world: VirtualNodesWorld) => {
        world.cluster.add(podOnVirtualNode());
        world.arm.add(groupBody({ provisioningState: 'Creating', instanceView: null }));
      },
      expected: { state: 'Pending' },
      health: 'Progressing',
    },
  ])('say so when $reason', async ({ arrange, expected, health }) => {
    const world = new VirtualNodesWorld();
    world.arm.add(groupBody());
    arrange(world);
    const group = await groupIn(world);
    expect(containerGroupKind.describe(group!.properties)).toMatchObject(expected);
    expect(group?.health.state).toBe(health);
  });

  it('are not taken for left behind when they go together with their pod', async () => {
    const world = new VirtualNodesWorld();
    world.arm.add(groupBody());
    world.arm.answer('GET', /containerGroups\/default-web-0$/, {
      status: 404,
      body: { error: { code: 'ResourceNotFound', message: 'gone' } },
    });
    expect(await groupIn(world)).toBeUndefined();
  });
});

describe('subnets', () => {
  it.each([
    { raw: { addressPrefix: '10.0.0.0/24' }, free: 251, reason: 'an empty one' },
    { raw: { addressPrefix: '10.0.0.0/24', ipConfigurations: [{}, {}] }, free: 249, reason: 'two in use' },
    { raw: { addressPrefix: '10.0.0.0/29', ipConfigurations: [{}, {}, {}, {}] }, free: 0, reason: 'never below zero' },
    { raw: { addressPrefixes: ['10.0.0.0/24', '10.1.0.0/24'] }, free: 502, reason: 'two ranges' },
    { raw: { addressPrefixes: ['fd00::/64'] }, free: null, reason: 'IPv6 alone' },
  ])('have $free addresses left: $reason', ({ raw, free }) => {
    expect(describeSubnet(raw).freeAddresses).toBe(free);
  });

  it('come with their network, whose truth is asked for', async () => {
    const world = new VirtualNodesWorld();
    const observations = await collected(world);
    expect(observations.map(({ kind, source }) => ({ kind, source }))).toEqual([
      { kind: 'VirtualNetwork', source: 'ARM' },
      { kind: 'Subnet', source: 'ARM' },
    ]);
    expect(observations[1]?.relations).toEqual([
      { type: 'owns', from: NETWORK_ID.toLowerCase(), to: `${NETWORK_ID}/subnets/demo-aks01`.toLowerCase() },
    ]);
  });
});
