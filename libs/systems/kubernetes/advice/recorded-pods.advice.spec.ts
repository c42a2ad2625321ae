import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { systemClock } from '#libs/kernel/clock.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import { storageClass, watchedCluster } from '#libs/testing/kubernetes-samples.js';
import type { KnownObject } from '../../contract/advice.js';
import { rawObjects, rawText } from '../../contract/raw-reader.js';
import { KubernetesClient } from '../kubernetes.client.js';
import { PodAdvisor } from './pod.advisor.js';

const RECORDINGS = path.resolve(import.meta.dirname, '../../../../../shared/recordings/kubernetes-1.32');
const available = existsSync(RECORDINGS);
if (!available)
  console.warn('Skipped: the recordings of a real server are not at ../shared/recordings beside the repository.');

const { uid } = watchedCluster();

function itemsOf(name: string): JsonObject[] {
  const file = JSON.parse(readFileSync(path.join(RECORDINGS, `${name}.json`), 'utf8')) as {
    response: { body: JsonObject };
  };
  return rawObjects(file.response.body, 'items');
}

function known(kind: string, properties: JsonObject, id: string): KnownObject {
  const name = rawText(properties, 'metadata', 'name') ?? '';
  return { uid: name, id, kind, name, clusterUid: uid, namespace: null, properties };
}

(available ? describe : describe.skip)('the advice on pods that a real server has shown', () => {
  it.each([
    { file: '45-pods-of-aci-helloworld', found: [], patched: undefined, reason: 'it has a place' },
    {
      file: '46-pods-of-no-toleration',
      found: ['TAINT_NOT_TOLERATED'],
      patched: {
        tolerations: [{ key: 'virtual-kubelet.io/provider', operator: 'Equal', value: 'azure', effect: 'NoSchedule' }],
      },
      reason: 'it tolerates nothing',
    },
    {
      file: '47-pods-of-wrong-toleration',
      found: ['VIRTUAL_NODE_TAINT_RENAMED'],
      patched: {
        tolerations: [
          { key: 'virtual-kubelet.io/provider', operator: 'Exists' },
          { key: 'azure.com/aci', operator: 'Exists', effect: 'NoSchedule' },
        ],
      },
      reason: 'it tolerates the early taint',
    },
    {
      file: '48-pods-of-too-big',
      found: ['NODES_TOO_SMALL', 'TAINT_NOT_TOLERATED'],
      patched: undefined,
      reason: 'no machine is large enough, and the virtual node is not tolerated',
    },
    {
      file: '49-pods-of-wrong-hostname',
      found: ['NODE_SELECTOR_MATCHES_NO_NODE'],
      patched: { nodeSelector: { 'kubernetes.io/hostname': 'virtual-node-aci-linux' } },
      reason: 'no node has that name',
    },
    {
      file: '50-pods-of-unbound-pvc',
      found: ['STORAGE_CLASS_NOT_FOUND', 'TAINT_NOT_TOLERATED'],
      patched: undefined,
      reason: 'its claim has no class',
    },
  ])('$file: $found, $reason', async ({ file, found, patched }) => {
    const kube = new FakeKube();
    kube.cluster(uid).withdraw({ group: 'placement.kubernetes-fleet.io', kind: 'ClusterResourcePlacement' });
    kube.cluster(uid).add({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data', namespace: 'demo' },
      spec: { storageClassName: 'none' },
      status: { phase: 'Pending' },
    });
    const cached: Record<string, KnownObject[]> = {
      Node: itemsOf('24-list-nodes').map((node) => known('Node', node, `/${rawText(node, 'metadata', 'name')}`)),
      StorageClass: [known('StorageClass', storageClass('default'), '/default')],
    };
    const context = {
      signal: new AbortController().signal,
      correlationId: 'c',
      inCluster: (kind: string) => Promise.resolve(cached[kind] ?? []),
    };
    const [pod] = itemsOf(file);
    const id = `kubernetes://${uid}/core/Pod/demo/${rawText(pod, 'metadata', 'name')}`;
    const advisor = new PodAdvisor(new KubernetesClient(kube), systemClock);
    const advice = await advisor.advise(known('Pod', pod!, id), context);
    expect(advice.map(({ code }) => code)).toEqual(found);
    if (patched === undefined) return;
    const [operation] = advice[0]?.remedies[0]?.operations ?? [];
    expect(JSON.parse((operation?.input as { patch: string }).patch)).toEqual({
      spec: { template: { spec: patched } },
    });
  });
});
