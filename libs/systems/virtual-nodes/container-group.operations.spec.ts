import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { CLUSTER_ID } from '#libs/testing/aks-samples.js';
import { refusal } from '#libs/testing/fake-arm.js';
import { fakeRefusal } from '#libs/testing/fake-kube.js';
import { tokenOf } from '#libs/testing/operation-play.js';
import {
  GROUP_ID,
  NODE_GROUP,
  VirtualNodesWorld,
  groupBody,
  podOnVirtualNode,
} from '#libs/testing/virtual-nodes-world.js';

const POD_FINDING = 'error POD_PRESENT';

interface Row {
  codes: string[];
  reason: string;
  arrange?(world: VirtualNodesWorld): void;
  group?: JsonObject;
}

const ROWS: Row[] = [
  { codes: [], reason: 'its pod is gone' },
  {
    codes: [],
    reason: 'a pod of the same name is another one',
    arrange: (world) =>
      world.cluster.add({
        ...podOnVirtualNode(),
        metadata: { ...podOnVirtualNode().metadata, uid: 'another' },
      }),
  },
  { codes: ['info CONTAINER_GROUP_GONE'], reason: 'it was deleted', arrange: (world) => world.arm.remove(GROUP_ID) },
  { codes: [POD_FINDING], reason: 'it is in use', arrange: (world) => world.cluster.add(podOnVirtualNode()) },
  {
    codes: ['warning POD_UNKNOWN'],
    reason: 'the cluster does not answer',
    arrange: (world) =>
      world.cluster.refuse({ verb: 'get' }, fakeRefusal('KUBERNETES_UNAVAILABLE', 'ServiceUnavailable', 'down')),
  },
  {
    codes: ['warning POD_UNKNOWN'],
    reason: 'nobody knows of which cluster it is',
    arrange: (world) => world.arm.set(NODE_GROUP, { id: NODE_GROUP, name: 'MC', location: 'eastus' }),
  },
  {
    codes: ['warning POD_UNKNOWN'],
    reason: 'its resource group may not be seen',
    arrange: (world) =>
      world.arm.answer('GET', /\/resourceGroups\/MC_[^/]+$/i, refusal(403, 'AuthorizationFailed', 'no')),
  },
  {
    codes: ['warning SERVES_NO_POD'],
    reason: 'people have made it',
    group: { ...groupBody(), tags: {} },
  },
];

function world({ arrange, group = groupBody() }: Partial<Row> = {}): VirtualNodesWorld {
  const made = new VirtualNodesWorld();
  made.switchOn();
  made.arm.add(group);
  arrange?.(made);
  return made;
}

describe('azure.containerGroup.delete', () => {
  it.each(ROWS)('finds $codes: $reason', async (row) => {
    const { arm, deleteGroup } = play(row);
    expect(await deleteGroup().codes()).toEqual(row.codes);
    expect(arm.writes()).toEqual([]);
  });

  it('has a row for each finding', () => {
    const codes = new Set(ROWS.flatMap((row) => row.codes.map((code) => code.split(' ')[1])));
    expect([...codes].sort()).toEqual(Object.keys(play().deleteGroup().operation.findings).sort());
  });

  it('offers to delete the pod instead, as its cluster does', async () => {
    const { deleteGroup } = play({ arrange: (made) => made.cluster.add(podOnVirtualNode()) });
    const [finding] = await deleteGroup().findings();
    expect(finding?.operations).toEqual([
      {
        type: 'kubernetes.object.delete',
        input: { cluster: CLUSTER_ID, apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'web-0' },
      },
    ]);
  });

  it('deletes it once, and ends when it is gone', async () => {
    const { arm, deleteGroup } = play();
    const begun = await deleteGroup().step('delete');
    expect((await deleteGroup().step('delete')).outcome).toBe('wait');
    await expect(deleteGroup().verify()).resolves.toMatchObject({ verdict: 'pending' });
    arm.settle();
    expect((await deleteGroup().step('delete', tokenOf(begun))).outcome).toBe('done');
    await expect(deleteGroup().verify()).resolves.toMatchObject({ verdict: 'reached', absent: [{ id: GROUP_ID }] });
    expect(arm.writes()).toEqual([`DELETE ${GROUP_ID}`]);
  });

  it('deletes nothing where a pod has come back since it was looked at', async () => {
    const { arm, deleteGroup } = play({ arrange: (made) => made.cluster.add(podOnVirtualNode()) });
    await expect(deleteGroup().step('delete')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(arm.writes()).toEqual([]);
  });

  it('says so where it is there after all', async () => {
    await expect(play().deleteGroup().verify()).resolves.toMatchObject({ verdict: 'missed' });
  });
});

function play(row: Partial<Row> = {}) {
  const made = world(row);
  return { arm: made.arm, deleteGroup: () => made.deleteGroup() };
}
