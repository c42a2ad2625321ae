import { describe, expect, it } from '@jest/globals';
import { CLUSTER_ID } from '#libs/testing/aks-samples.js';
import { fakeRefusal } from '#libs/testing/fake-kube.js';
import { tokenOf } from '#libs/testing/operation-play.js';
import {
  GROUP_ID,
  VIRTUAL_NODE,
  VirtualNodesWorld,
  groupBody,
  podOnVirtualNode,
} from '#libs/testing/virtual-nodes-world.js';

const POD = { group: '', kind: 'Pod' };
const NODE = { group: '', kind: 'Node' };

function switchedOn(): VirtualNodesWorld {
  const world = new VirtualNodesWorld();
  world.switchOn();
  return world;
}

interface Row {
  codes: string[];
  reason: string;
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
    codes: ['error CLUSTER_UNREACHABLE'],
    reason: 'nobody can drain it',
    arrange: (world) =>
      world.cluster.refuse({ verb: 'list' }, fakeRefusal('KUBERNETES_UNAVAILABLE', 'ServiceUnavailable', 'down')),
  },
];

describe('what is said before virtual nodes are switched off', () => {
  it.each(ROWS)('$codes: $reason', async ({ codes, arrange }) => {
    const world = switchedOn();
    arrange(world);
    expect(await world.disable().codes()).toEqual(codes);
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

  it('deletes the pods, and waits for their container groups to go', async () => {
    const world = switchedOn();
    world.cluster.add(podOnVirtualNode());
    world.arm.add(groupBody({ provisioningState: 'Deleting' }));
    expect((await world.disable().step('drain')).outcome).toBe('wait');
    expect(world.cluster.object(POD, 'default', 'web-0')).toBeUndefined();
    expect((await world.disable().step('drain')).outcome).toBe('wait');
    world.arm.remove(GROUP_ID);
    expect((await world.disable().step('drain')).outcome).toBe('done');
  });

  it('does not wait for container groups that nobody takes away', async () => {
    const world = switchedOn();
    world.arm.add(groupBody());
    expect(await world.disable().step('drain')).toMatchObject({ outcome: 'done', output: { left: 1 } });
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
