import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import { csiDriver, node, pod, storageClass, watchedCluster } from '#libs/testing/kubernetes-samples.js';
import type { KnownObject } from '../../contract/advice.js';
import { KubernetesClient } from '../kubernetes.client.js';
import { PodAdvisor } from './pod.advisor.js';

const { uid } = watchedCluster();
const DRIVER = 'disk.csi.akshci.com';

function known(kind: string, name: string, properties: JsonObject, id = `/${name}`): KnownObject {
  return { uid: name, id, kind, name, clusterUid: uid, namespace: null, properties };
}

function podKnown(properties: JsonObject): KnownObject {
  return known('Pod', 'web-1', properties, `kubernetes://${uid}/core/Pod/web/web-1`);
}

function world(cached: Record<string, KnownObject[]>) {
  const kube = new FakeKube();
  const asked: string[] = [];
  const context = {
    signal: new AbortController().signal,
    correlationId: 'c',
    inCluster: (kind: string) => {
      asked.push(kind);
      return Promise.resolve(cached[kind] ?? []);
    },
  };
  const advisor = new PodAdvisor(new KubernetesClient(kube));
  return { kube, cluster: kube.cluster(uid), asked, advise: (object: KnownObject) => advisor.advise(object, context) };
}

const crashing = pod('web-1', {
  spec: {
    securityContext: { runAsUser: 1000, fsGroup: 1000 },
    containers: [{ name: 'web', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
    volumes: [
      { name: 'data', persistentVolumeClaim: { claimName: 'data' } },
      { name: 'gone', persistentVolumeClaim: { claimName: 'gone' } },
      { name: 'scratch', emptyDir: {} },
    ],
  },
  status: {
    containerStatuses: [
      {
        name: 'web',
        state: { waiting: { reason: 'CrashLoopBackOff' } },
        lastState: { terminated: { exitCode: 1, message: 'mkdir /data/x: permission denied' } },
      },
    ],
  },
});

describe('the advisor of pods', () => {
  it('follows the claims of a pod to their driver', async () => {
    const { cluster, advise } = world({
      StorageClass: [known('StorageClass', 'default', storageClass('default'))],
      CsiDriver: [known('CsiDriver', DRIVER, csiDriver(DRIVER))],
    });
    cluster.add(
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data', namespace: 'web' },
        spec: { volumeName: 'pvc-1', storageClassName: 'default' },
      },
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: 'pvc-1' },
        spec: { accessModes: ['ReadWriteOnce'], csi: { driver: DRIVER } },
      },
    );
    const advice = await advise(podKnown(crashing));
    expect(advice).toMatchObject([
      {
        code: 'NON_ROOT_VOLUME_NOT_WRITABLE',
        evidence: { claim: 'data', storageClass: 'default', driver: DRIVER },
        remedies: [{}, { operations: [{}, { input: { workload: `kubernetes://${uid}/apps/Deployment/web/web` } }] }],
      },
    ]);
  });

  it('explains with the nodes of the cache why a pod has no place', async () => {
    const { kube, advise, asked } = world({
      Node: [known('Node', 'node-1', { ...node('node-1'), requested: { cpuMillicores: 1900, memoryBytes: 0 } })],
    });
    const waiting = pod('web-1', {
      status: {
        phase: 'Pending',
        conditions: [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes: 1 Insufficient cpu.' }],
        containerStatuses: [],
      },
    });
    expect(await advise(podKnown(waiting))).toMatchObject([{ code: 'NODES_TOO_FULL' }]);
    expect(asked).toContain('ProvisionedAgentPool');
    expect(kube.requests).toEqual([]);
  });

  it('asks nobody about a pod that is well', async () => {
    const { kube, advise, asked } = world({});
    expect(await advise(podKnown(pod('web-1')))).toEqual([]);
    expect([...asked, ...kube.requests]).toEqual([]);
  });
});
