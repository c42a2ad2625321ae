import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { CLUSTER_ID } from '#libs/testing/aks-samples.js';
import { fakeRefusal } from '#libs/testing/fake-kube.js';
import { tokenOf } from '#libs/testing/operation-play.js';
import {
  GROUP_ID,
  VIRTUAL_NODE,
  VirtualNodesWorld,
  groupBody,
  podOnVirtualNode,
  virtualNode,
} from '#libs/testing/virtual-nodes-world.js';

const POD = { group: '', kind: 'Pod' };
const NODE = { group: '', kind: 'Node' };

const DEAD_NODE = virtualNode(VIRTUAL_NODE, { ready: 'Unknown', readySince: '2026-01-01T00:00:00Z' });

function switchedOn(): VirtualNodesWorld {
  const world = new VirtualNodesWorld();
  world.switchOn();
  return world;
}

/** With a dead connector, which leaves its node and the pods there behind. */
function withDeadConnector(): VirtualNodesWorld {
  const world = switchedOn();
  world.cluster.add(DEAD_NODE);
  return world;
}

const BUDGET: KubernetesObject = {
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: 'web', namespace: 'default' },
  spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
  status: { disruptionsAllowed: 0 },
};

function daemonPod(): KubernetesObject {
  const pod = podOnVirtualNode('agent-0');
  const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'agent', uid: 'd', controller: true }];
  return { ...pod, metadata: { ...pod.metadata, ownerReferences }, spec: { nodeName: VIRTUAL_NODE, containers: [] } };
}

interface Row {
  codes: string[];
  reason: string;
  input?: JsonObject;
  arrange(world: VirtualNodesWorld): void;
}

const ROWS: Row[] = [
  { codes: ['error CLUSTER_NOT_FOUND'], reason: 'it was deleted', arrange: (world) => world.arm.remove(CLUSTER_ID) },
  {
    codes: ['error HUB_CLUSTER_READ_ONLY', 'info ADDON_OFF'],
    reason: 'a hub is its fleet’s',
    arrange: (world) => world.setCluster({ nodeResourceGroup: 'MC_FL_a', addonProfiles: {} }),
  },
  {
    codes: ['error CLUSTER_STOPPED', 'info ADDON_OFF'],
    reason: 'nothing runs',
    arrange: (world) => world.setCluster({ powerState: { code: 'Stopped' }, addonProfiles: {} }),
  },
  {
    codes: ['warning CLUSTER_FAILED', 'info ADDON_OFF'],
    reason: 'it may fail again',
    arrange: (world) => world.setCluster({ provisioningState: 'Failed', addonProfiles: {} }),
  },
  {
    codes: ['warning CLUSTER_BUSY', 'info ADDON_OFF'],
    reason: 'one change at a time',
    arrange: (world) => world.setCluster({ provisioningState: 'Updating', addonProfiles: {} }),
  },
  {
    codes: ['warning PODS_WILL_STOP', 'warning WORKLOADS_WILL_WAIT'],
    reason: 'a pod that asks for it runs there',
    arrange(world) {
      world.cluster.add(podOnVirtualNode());
      world.arm.add(groupBody());
    },
  },
  {
    codes: ['warning CONTAINER_GROUPS_LEFT'],
    reason: 'its pod is gone',
    arrange: (world) => world.arm.add(groupBody()),
  },
  {
    codes: ['warning CONTAINER_GROUPS_WILL_GO'],
    reason: 'its pod is gone, and it is not to stay',
    input: { force: true },
    arrange: (world) => world.arm.add(groupBody()),
  },
  {
    codes: ['error VIRTUAL_NODE_NOT_READY', 'warning PODS_WILL_STOP', 'warning WORKLOADS_WILL_WAIT'],
    reason: 'nobody would end its pods',
    arrange: (world) => world.cluster.add(DEAD_NODE, podOnVirtualNode()),
  },
  {
    codes: ['warning VIRTUAL_NODE_NOT_READY', 'warning PODS_WILL_STOP', 'warning WORKLOADS_WILL_WAIT'],
    reason: 'its connector may only be starting anew, which is waited for',
    arrange(world) {
      const readySince = new Date().toISOString();
      world.cluster.add(virtualNode(VIRTUAL_NODE, { ready: 'Unknown', readySince }), podOnVirtualNode());
    },
  },
  {
    codes: ['warning VIRTUAL_NODE_NOT_READY', 'warning PODS_WILL_STOP', 'warning WORKLOADS_WILL_WAIT'],
    reason: 'they are taken out of the cluster by force',
    input: { force: true },
    arrange: (world) => world.cluster.add(DEAD_NODE, podOnVirtualNode()),
  },
  {
    codes: ['warning VIRTUAL_NODE_NOT_READY', 'warning PODS_WILL_STOP'],
    reason: 'nothing is there that would have to be ended before the node goes',
    arrange: (world) => world.cluster.add(DEAD_NODE, daemonPod()),
  },
  {
    codes: ['error CLUSTER_UNREACHABLE'],
    reason: 'nobody can drain it',
    arrange: (world) =>
      world.cluster.refuse({ verb: 'list' }, fakeRefusal('KUBERNETES_UNAVAILABLE', 'ServiceUnavailable', 'down')),
  },
];

describe('what is said before virtual nodes are switched off', () => {
  it.each(ROWS)('$codes: $reason', async ({ codes, arrange, input }) => {
    const world = switchedOn();
    arrange(world);
    expect(await world.disable(input).codes()).toEqual(codes);
    expect([...world.arm.writes(), ...world.kube.writes()]).toEqual([]);
  });

  it('has a row for each finding', () => {
    const codes = new Set(ROWS.flatMap((row) => row.codes.map((code) => code.split(' ')[1])));
    expect([...codes].sort()).toEqual(Object.keys(switchedOn().disable().operation.findings).sort());
  });

  it('names what it will stop', async () => {
    const world = switchedOn();
    world.cluster.add(podOnVirtualNode('web-0'), podOnVirtualNode('web-1'));
    const [first] = await world.disable().findings();
    expect(first?.evidence).toEqual({ count: 2, pods: ['default/web-0', 'default/web-1'] });
  });
});

describe('the steps of switching virtual nodes off', () => {
  it('keeps new pods away, once', async () => {
    const world = switchedOn();
    expect((await world.disable().step('cordon')).outcome).toBe('done');
    expect((await world.disable().step('cordon')).outcome).toBe('done');
    expect(world.cluster.object(NODE, undefined, VIRTUAL_NODE)).toMatchObject({ spec: { unschedulable: true } });
    expect(world.kube.writes()).toHaveLength(1);
  });

  it('has nothing to cordon where the node is gone already', async () => {
    const world = new VirtualNodesWorld();
    expect((await world.disable().step('cordon')).outcome).toBe('done');
  });

  it('offers to delete the container groups whose pods are gone', async () => {
    const world = switchedOn();
    world.arm.add(groupBody());
    const [first] = await world.disable().findings();
    expect(first?.operations).toEqual([{ type: 'azure.containerGroup.delete', input: { containerGroup: GROUP_ID } }]);
  });

  it('offers to go on by force where the connector is dead', async () => {
    const world = withDeadConnector();
    world.cluster.add(podOnVirtualNode());
    const [first] = await world.disable().findings();
    expect(first?.operations).toEqual([{ type: 'virtualNodes.disable', input: { cluster: CLUSTER_ID, force: true } }]);
  });

  it('evicts the pods, and waits for their container groups to go', async () => {
    const world = switchedOn();
    world.cluster.add(podOnVirtualNode());
    world.arm.add(groupBody({ provisioningState: 'Deleting' }));
    expect((await world.disable().step('drain')).outcome).toBe('wait');
    expect(world.cluster.object(POD, 'default', 'web-0')).toBeUndefined();
    expect(world.kube.writes()).toEqual(['evict Pod default/web-0']);
    expect((await world.disable().step('drain')).outcome).toBe('wait');
    world.arm.remove(GROUP_ID);
    expect((await world.disable().step('drain')).outcome).toBe('done');
  });

  it('does not wait for container groups that nobody takes away', async () => {
    const world = switchedOn();
    world.arm.add(groupBody());
    expect(await world.disable().step('drain')).toMatchObject({ outcome: 'done', output: { left: 1 } });
  });

  it('asks again where a disruption budget keeps a pod, and names it', async () => {
    const world = switchedOn();
    world.cluster.add(podOnVirtualNode(), BUDGET);
    const refused = await world.disable().step('drain');
    expect(refused).toMatchObject({ outcome: 'wait', message: expect.stringContaining('default/web-0') });
    expect(world.cluster.object(POD, 'default', 'web-0')).toBeDefined();
    world.cluster.add({ ...BUDGET, status: { disruptionsAllowed: 1 } });
    expect((await world.disable().step('drain')).outcome).toBe('wait');
    expect((await world.disable().step('drain')).outcome).toBe('done');
  });

  it('leaves pods of DaemonSets, which would come back for as long as there is the node', async () => {
    const world = switchedOn();
    world.cluster.add(daemonPod());
    world.arm.add(groupBody({}, { UID: 'uid-of-agent-0' }));
    for (const input of [{}, { force: true }]) {
      expect(await world.disable(input).step('drain')).toMatchObject({ outcome: 'done', output: { left: 0 } });
    }
    expect([...world.arm.writes(), ...world.kube.writes()]).toEqual([]);
  });

  it.each(['cordon', 'drain'])('does not wait in vain for a connector that is dead: %s', async (name) => {
    const world = withDeadConnector();
    world.cluster.add(podOnVirtualNode());
    await expect(world.disable().step(name)).rejects.toMatchObject({
      code: 'CONFLICT',
      diagnosis: {
        code: 'VIRTUAL_NODE_NOT_READY',
        operations: [{ type: 'virtualNodes.disable', input: { cluster: CLUSTER_ID, force: true } }],
      },
    });
    expect(world.kube.writes()).toEqual([]);
  });

  it.each<{ reason: string; input: JsonObject; pod: KubernetesObject }>([
    { reason: 'by force', input: { force: true }, pod: podOnVirtualNode() },
    { reason: 'with nothing to end', input: {}, pod: daemonPod() },
  ])('keeps new pods away from a node whose connector is dead: $reason', async ({ input, pod }) => {
    const world = withDeadConnector();
    world.cluster.add(pod);
    expect((await world.disable(input).step('cordon')).outcome).toBe('done');
    expect(world.kube.writes()).toHaveLength(1);
  });

  it('waits for a connector that may only be starting anew', async () => {
    const world = switchedOn();
    const readySince = new Date().toISOString();
    world.cluster.add(virtualNode(VIRTUAL_NODE, { ready: 'Unknown', readySince }), podOnVirtualNode());
    expect((await world.disable().step('drain')).outcome).toBe('wait');
    expect(world.kube.writes()).toEqual([]);
  });

  it('takes pods, container groups and the node away by force', async () => {
    const world = withDeadConnector();
    world.cluster.add(podOnVirtualNode(), BUDGET);
    world.arm.add(groupBody());
    const play = world.disable({ force: true });
    expect((await play.step('drain')).outcome).toBe('wait');
    expect(world.cluster.object(POD, 'default', 'web-0')).toBeUndefined();
    expect(world.kube.requests.find(({ verb }) => verb === 'delete')?.body).toEqual({
      uid: 'uid-of-web-0',
      gracePeriodSeconds: 0,
    });
    expect((await play.step('drain')).outcome).toBe('wait');
    expect((await play.step('drain')).outcome).toBe('wait');
    world.arm.settle();
    expect(await play.step('drain')).toMatchObject({ outcome: 'done', output: { left: 0 } });
    expect(world.arm.writes()).toEqual([expect.stringMatching(/^DELETE .*default-web-0$/)]);
    await play.step('await-removal');
    expect((await play.step('await-removal')).outcome).toBe('done');
  });

  it('does not take a node away that is still running', async () => {
    const world = switchedOn();
    expect((await world.disable({ force: true }).step('await-removal')).outcome).toBe('wait');
    expect(world.kube.writes()).toEqual([]);
  });

  it('writes the cluster back with the add-on off, and ends when the node is gone', async () => {
    const world = switchedOn();
    const play = world.disable();
    const begun = await play.step('switch-off');
    expect(world.arm.get(CLUSTER_ID)).toMatchObject({
      properties: { addonProfiles: { aciConnectorLinux: { enabled: false } } },
    });
    world.arm.settle();
    expect((await play.step('switch-off', tokenOf(begun))).outcome).toBe('done');
    expect((await play.step('await-removal')).outcome).toBe('wait');
    await expect(play.verify()).rejects.toMatchObject({ code: 'VERIFICATION_FAILED' });
    world.cluster.remove(NODE, undefined, VIRTUAL_NODE);
    expect((await play.step('await-removal')).outcome).toBe('done');
    world.arm.add(groupBody());
    expect(await play.verify()).toMatchObject({ verdict: 'reached', result: { containerGroupsLeft: [GROUP_ID] } });
  });

  it('says so when somebody has switched it on again', async () => {
    expect(await switchedOn().disable().verify()).toMatchObject({ verdict: 'missed' });
  });
});
