import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { KubernetesCluster } from '../api/kubernetes.cluster.js';
import type { KubernetesObject, ObjectDraft } from '../cluster.objects.js';
import { ClusterHarness, makeNamespace, TESTER } from './cluster.harness.js';
import type { ClusterEvent, ClusterNode, Deployment, Pod } from './kubernetes.types.js';
import { controllerOf } from './pod.state.js';

const RECORDINGS = resolve(import.meta.dirname, '../../../../../shared/recordings/kubernetes-1.32');
const present = existsSync(RECORDINGS);
const describeRecorded = present ? describe : describe.skip;
if (!present)
  process.emitWarning('recorded-pods.spec.ts is skipped: the recordings (../shared/recordings) are not here');

function recorded<T>(file: string): T {
  const { response } = JSON.parse(readFileSync(resolve(RECORDINGS, `${file}.json`), 'utf8')) as {
    response: { body: T };
  };
  return response.body;
}

/** The recorded cluster: its two nodes, without kubelets; pods stay as the scheduler leaves them. */
function recordedCluster(harness: ClusterHarness): KubernetesCluster {
  const { cluster } = harness.start('recorded', { runsPodsElsewhere: () => true });
  for (const node of recorded<{ items: ClusterNode[] }>('24-list-nodes').items) {
    const { name, labels } = node.metadata;
    cluster.objects.create(
      { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec: node.spec } as unknown as ObjectDraft,
      TESTER,
    );
    cluster.objects.updateStatus('nodes', undefined, name, TESTER, (object) => ({
      ...object,
      status: node.status as never,
    }));
  }
  makeNamespace(cluster.objects, 'demo');
  return cluster;
}

/** The deployment that the recorded pod came from. */
function deploymentOf(pod: Pod): ObjectDraft {
  const { app = '' } = pod.metadata.labels ?? {};
  const { nodeName: _, tolerations = [], ...spec } = pod.spec as Pod['spec'] & { priority?: number };
  const own = tolerations.filter((toleration) => toleration.tolerationSeconds === undefined);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: app, namespace: 'demo' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app } },
      template: {
        metadata: { labels: { app } },
        spec: {
          ...Object.fromEntries(Object.entries(spec).filter(([key]) => !SERVER_FIELDS.includes(key))),
          ...(own.length === 0 ? {} : { tolerations: own }),
        },
      },
    },
  } as unknown as ObjectDraft;
}

const SERVER_FIELDS = ['priority', 'preemptionPolicy', 'enableServiceLinks'];

function withoutTimes(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, member: unknown) =>
      typeof member === 'string' && /Time(stamp)?$/.test(key) ? 'a time' : member,
    ),
  );
}

function shape(object: unknown): string[] {
  return Object.keys(object as object).sort();
}

const PODS = [
  { file: '45-pods-of-aci-helloworld', reason: 'selector and toleration lead to the virtual node' },
  { file: '46-pods-of-no-toleration', reason: 'the taint of the virtual node is not tolerated' },
  { file: '47-pods-of-wrong-toleration', reason: 'the old taint is tolerated, not the present one' },
  { file: '48-pods-of-too-big', reason: 'the one node that is allowed is too small' },
  { file: '49-pods-of-wrong-hostname', reason: 'no node has that host name' },
  { file: '50-pods-of-unbound-pvc', reason: 'its volume claim is not bound' },
];

describeRecorded('pods as a real cluster has them', () => {
  it.each(PODS)('$file: $reason', ({ file }) => {
    const harness = new ClusterHarness();
    const cluster = recordedCluster(harness);
    const wanted = recorded<{ items: Pod[] }>(file).items[0]!;
    for (const volume of wanted.spec.volumes ?? []) {
      if (volume.persistentVolumeClaim === undefined) continue;
      cluster.objects.create(
        {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: { name: volume.persistentVolumeClaim.claimName, namespace: 'demo' },
          spec: {
            accessModes: ['ReadWriteOnce'],
            storageClassName: 'none',
            resources: { requests: { storage: '1Gi' } },
          },
        },
        TESTER,
      );
    }
    cluster.objects.create(deploymentOf(wanted), TESTER);
    harness.pass(1);
    const [pod] = cluster.objects.list('pods', 'demo') as unknown as Pod[];
    expect(pod!.spec).toEqual(wanted.spec);
    expect(withoutTimes(pod!.status)).toEqual(withoutTimes(wanted.status));
    expect(shape(pod!.metadata)).toEqual(shape(wanted.metadata));
    expect(pod!.metadata.name).toMatch(/-[bcdf-hj-np-tv-z2456789]{5,10}-[bcdf-hj-np-tv-z2456789]{5}$/);
    expect(controllerOf(pod!)).toMatchObject({ apiVersion: 'apps/v1', kind: 'ReplicaSet', controller: true });
    harness.close();
  });

  it('tells a failed attempt in the shape of the scheduler’s events', () => {
    const harness = new ClusterHarness();
    const cluster = recordedCluster(harness);
    cluster.objects.create(deploymentOf(recorded<{ items: Pod[] }>('46-pods-of-no-toleration').items[0]!), TESTER);
    harness.pass(1);
    const wanted = recorded<{ items: ClusterEvent[] }>('51-events-failed-scheduling').items[0]! as ClusterEvent & {
      message: string;
    };
    const found = cluster.objects
      .list('events', 'demo')
      .find((event) => event.reason === 'FailedScheduling') as KubernetesObject & { involvedObject: object };
    expect(found.message).toBe(wanted.message);
    // Items of a list of typed objects are without kind and version.
    expect(shape(found)).toEqual([...shape(wanted), 'apiVersion', 'kind'].sort());
    expect(shape(found.involvedObject)).toEqual(
      shape((wanted as unknown as { involvedObject: object }).involvedObject),
    );
    expect(found).toMatchObject({ action: 'Scheduling', reportingComponent: 'default-scheduler', type: 'Warning' });
    expect(found.metadata.name).toMatch(/^no-toleration-.+\.[0-9a-f]{16}$/);
    harness.close();
  });

  it('reports a deployment whose pods find no node as a real controller does', () => {
    const harness = new ClusterHarness();
    const cluster = recordedCluster(harness);
    const wanted = recorded<{ type: string; object: Deployment }[]>('59-watch-deployments')
      .map((event) => event.object)
      .findLast((object) => object.metadata.name === 'too-big')!;
    cluster.objects.create(deploymentOf(recorded<{ items: Pod[] }>('48-pods-of-too-big').items[0]!), TESTER);
    harness.pass(1);
    const deployment = cluster.objects.get('deployments.apps', 'demo', 'too-big') as unknown as Deployment;
    const set = cluster.objects.list('replicasets.apps', 'demo')[0]!.metadata.name;
    const comparable = (status: Deployment['status'], name: string): unknown =>
      withoutTimes({
        ...status,
        observedGeneration: 1,
        conditions: status?.conditions?.map((condition) => ({
          ...condition,
          message: condition.message?.replace(name, 'the set'),
        })),
      });
    expect(comparable(deployment.status, set)).toEqual(comparable(wanted.status, 'too-big-6676f554dc'));
    harness.close();
  });
});
