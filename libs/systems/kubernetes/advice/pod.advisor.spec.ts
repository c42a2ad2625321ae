import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '#libs/kernel/clock.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { FakeKube, fakeRefusal } from '#libs/testing/fake-kube.js';
import { csiDriver, node, pod, storageClass, watchedCluster } from '#libs/testing/kubernetes-samples.js';
import { AZURE_SENTENCES as AZURE, presentRefusal } from '#libs/testing/provider-refusal-samples.js';
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

const PLACEMENT = { group: 'placement.kubernetes-fleet.io', kind: 'ClusterResourcePlacement' };

function world(cached: Record<string, KnownObject[]>, onHub = false) {
  const kube = new FakeKube();
  if (!onHub) kube.cluster(uid).withdraw(PLACEMENT);
  const asked: string[] = [];
  const context = {
    signal: new AbortController().signal,
    correlationId: 'c',
    inCluster: (kind: string) => {
      asked.push(kind);
      return Promise.resolve(cached[kind] ?? []);
    },
  };
  const advisor = new PodAdvisor(new KubernetesClient(kube), new ManualClock('2026-11-01T10:00:00Z'));
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
    // But for the question whether the cluster is a hub, which is answered by what is known of its types.
    expect(kube.requests.filter(({ verb }) => verb !== 'find')).toEqual([]);
  });

  const unplaced = pod('web-1', {
    status: {
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no nodes available' }],
      containerStatuses: [],
    },
  });

  it('says of a pod on a hub that it is held by design', async () => {
    expect(await world({}, true).advise(podKnown(unplaced))).toMatchObject([{ code: 'HELD_ON_HUB', severity: 'info' }]);
    expect(await world({}).advise(podKnown(unplaced))).toEqual([]);
  });

  it('says what the cache tells while the cluster does not answer', async () => {
    const { cluster, advise } = world({
      Node: [known('Node', 'node-1', { ...node('node-1'), requested: { cpuMillicores: 1900, memoryBytes: 0 } })],
    });
    cluster.refuse({ verb: 'find' }, fakeRefusal('KUBERNETES_UNAVAILABLE', 'down', 'no answer'));
    const waiting = pod('web-1', {
      spec: { nodeSelector: { gpu: 'yes' } },
      status: {
        phase: 'Pending',
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1' }],
        containerStatuses: [],
      },
    });
    expect(await advise(podKnown(waiting))).toMatchObject([{ code: 'NODE_SELECTOR_MATCHES_NO_NODE' }]);
  });

  it('reads the events of a pod without an image, and the names of the secrets beside it', async () => {
    const { cluster, advise } = world({});
    const image = 'registry.example.com/web:1';
    cluster.add(
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: 'web-1.1', namespace: 'web' },
        involvedObject: { kind: 'Pod', name: 'web-1', namespace: 'web' },
        message: `Failed to pull image "${image}": 401 Unauthorized`,
        type: 'Warning',
      },
      {
        apiVersion: 'v1',
        kind: 'Secret',
        type: 'kubernetes.io/dockerconfigjson',
        metadata: { name: 'regcred', namespace: 'web' },
      },
    );
    const without = pod('web-1', {
      spec: { containers: [{ name: 'web', image }] },
      status: {
        containerStatuses: [{ name: 'web', state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off' } } }],
      },
    });
    expect(await advise(podKnown(without))).toMatchObject([
      {
        code: 'IMAGE_PULL_UNAUTHORIZED',
        evidence: { secretsInNamespace: ['regcred'] },
        remedies: [{ operations: [{ type: 'kubernetes.workload.patch' }] }, {}],
      },
    ]);
  });

  const REFUSED = presentRefusal(400, 'InaccessibleImage', AZURE.image);
  const refused = pod('web-1', {
    spec: { containers: [{ name: 'web', image: 'shop.azurecr.io/web:1' }] },
    status: { phase: 'Pending', reason: 'ProviderFailed', message: REFUSED, containerStatuses: [] },
  });

  it('looks for a secret that fits an image which the provider does not get at, and tells no credential', async () => {
    const { cluster, advise } = world({});
    const auths = { 'shop.azurecr.io': { username: 'puller', password: 'hidden-from-everybody' } };
    cluster.add({
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'kubernetes.io/dockerconfigjson',
      metadata: { name: 'regcred', namespace: 'web' },
      data: { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') },
    });
    const advice = await advise(podKnown(refused));
    expect(advice).toMatchObject([
      { code: 'PROVIDER_IMAGE_INACCESSIBLE', remedies: [{ operations: [{ type: 'kubernetes.workload.patch' }] }] },
    ]);
    expect(JSON.stringify(advice)).not.toMatch(/puller|hidden/);
  });

  it('offers no secret where it may not see them', async () => {
    const { cluster, advise } = world({});
    cluster.refuse({ verb: 'list' }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'cannot list'));
    expect(await advise(podKnown(refused))).toMatchObject([
      { code: 'PROVIDER_IMAGE_INACCESSIBLE', remedies: [{ operations: [] }] },
    ]);
  });

  it('gives advice without events where it may not see them', async () => {
    const { cluster, advise } = world({});
    cluster.refuse({ verb: 'list' }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'cannot list'));
    const without = pod('web-1', {
      spec: { containers: [{ name: 'web', image: 'a' }] },
      status: {
        containerStatuses: [{ name: 'web', state: { waiting: { reason: 'ErrImagePull', message: 'denied' } } }],
      },
    });
    expect(await advise(podKnown(without))).toMatchObject([
      { code: 'IMAGE_PULL_UNAUTHORIZED', evidence: { secretsInNamespace: null } },
    ]);
  });

  it('takes what Tiller refuses for no crash of its own', async () => {
    const message =
      'Error: release myconnector-linux-westus failed: namespaces "default" is forbidden: User "system:serviceaccount:kube-system:default" cannot get namespaces in the namespace "default"';
    const install = pod('web-1', {
      spec: { containers: [{ name: 'install', image: 'helm:2' }] },
      status: {
        phase: 'Failed',
        containerStatuses: [{ name: 'install', state: { terminated: { exitCode: 1, reason: 'Error', message } } }],
      },
    });
    expect(await world({}).advise(podKnown(install))).toMatchObject([
      { code: 'TILLER_WITHOUT_RIGHTS', severity: 'error', evidence: { container: 'install', message } },
    ]);
  });

  it('explains a log processor of App Service that crashes once, and asks nobody about it', async () => {
    const name = 'ext-k8se-log-processor-abcde';
    const { advise, asked } = world({});
    const looping = pod(name, {
      spec: { containers: [{ name: 'main' }] },
      status: {
        containerStatuses: [
          {
            name: 'main',
            restartCount: 1,
            state: { waiting: { reason: 'CrashLoopBackOff' } },
            lastState: { terminated: { exitCode: 1, finishedAt: '2026-11-01T09:59:00Z' } },
          },
        ],
      },
    });
    expect(await advise(known('Pod', name, looping, `kubernetes://${uid}/core/Pod/apps/${name}`))).toMatchObject([
      { code: 'LOG_PROCESSOR_RESTARTS', remedies: [{ operations: [] }] },
    ]);
    expect(asked).toEqual([]);
  });

  it('asks nobody about a pod that is well', async () => {
    const { kube, advise, asked } = world({});
    expect(await advise(podKnown(pod('web-1')))).toEqual([]);
    expect([...asked, ...kube.requests]).toEqual([]);
  });
});
