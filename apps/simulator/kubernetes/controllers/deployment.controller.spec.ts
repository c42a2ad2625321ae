import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { KubernetesCluster } from '../api/kubernetes.cluster.js';
import { ClusterHarness, deployment, loose, makeNamespace, pool, TESTER } from './cluster.harness.js';
import type { Condition, Deployment } from './kubernetes.types.js';

let harness: ClusterHarness;
let cluster: KubernetesCluster;

beforeEach(() => {
  harness = new ClusterHarness();
  const started = harness.start('aks');
  cluster = started.cluster;
  started.runtime.setNodePools([pool({ count: 2 })]);
  makeNamespace(cluster.objects, 'demo');
  harness.pass(0);
});

afterEach(() => harness.close());

function read(name = 'web'): Deployment {
  return loose(cluster.objects.get('deployments.apps', 'demo', name)) as unknown as Deployment;
}

function condition(type: string): Condition | undefined {
  return read().status?.conditions?.find((one) => one.type === type);
}

function change(edit: (spec: Deployment['spec']) => void): void {
  cluster.objects.update('deployments.apps', 'demo', 'web', TESTER, (object) => {
    edit((object as unknown as Deployment).spec);
    return object;
  });
}

function images(): string[] {
  return cluster.objects
    .list('pods', 'demo')
    .map((pod) => (pod as unknown as { spec: { containers: { image: string }[] } }).spec.containers[0]!.image)
    .sort();
}

describe('a deployment', () => {
  it('comes up by way of a replica set, with what rollout status waits for', () => {
    cluster.objects.create(deployment('demo', 'web', { replicas: 2 }), TESTER);
    harness.pass(1);
    const { metadata, status } = read();
    expect(metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('1');
    expect(metadata.generation).toBe(1);
    expect(status).toMatchObject({
      observedGeneration: metadata.generation,
      replicas: 2,
      updatedReplicas: 2,
      readyReplicas: 2,
      availableReplicas: 2,
    });
    expect(status).not.toHaveProperty('unavailableReplicas');
    expect(condition('Available')).toMatchObject({ status: 'True', reason: 'MinimumReplicasAvailable' });
    const [set] = cluster.objects.list('replicasets.apps', 'demo');
    expect(condition('Progressing')).toMatchObject({
      status: 'True',
      reason: 'NewReplicaSetAvailable',
      message: `ReplicaSet "${set!.metadata.name}" has successfully progressed.`,
    });
    const nodes = cluster.objects.list('pods', 'demo').map((pod) => loose(pod).spec.nodeName);
    expect(new Set(nodes).size).toBe(2);
  });

  it('never has fewer available pods than a rolling update allows', () => {
    cluster.objects.create(
      deployment('demo', 'web', {
        replicas: 4,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } },
      }),
      TESTER,
    );
    harness.pass(1);
    const available: number[] = [];
    const asked: number[] = [];
    const stop = cluster.objects.subscribe(({ resource }) => {
      const pods = cluster.objects.list('pods', 'demo').filter((pod) => pod.metadata.deletionTimestamp === undefined);
      if (resource === 'pods') available.push(pods.filter((pod) => 'podIP' in (loose(pod).status ?? {})).length);
      const sets = cluster.objects.list('replicasets.apps', 'demo');
      asked.push(sets.reduce((sum, set) => sum + Number(loose(set).spec.replicas), 0));
    });
    change((spec) => (spec.template.spec.containers[0]!.image = 'web:2'));
    harness.pass(1);
    stop();
    expect(images()).toEqual(['web:2', 'web:2', 'web:2', 'web:2']);
    expect(Math.min(...available)).toBe(3);
    expect(Math.max(...asked)).toBe(5);
    const revisions = cluster.objects
      .list('replicasets.apps', 'demo')
      .map((set) => [set.metadata.annotations?.['deployment.kubernetes.io/revision'], loose(set).spec.replicas]);
    expect(revisions.sort()).toEqual([
      ['1', 0],
      ['2', 4],
    ]);
  });

  it('takes the old replica set again when it is rolled back, as a new revision', () => {
    cluster.objects.create(deployment('demo', 'web'), TESTER);
    harness.pass(1);
    const first = cluster.objects.list('replicasets.apps', 'demo')[0]!.metadata.name;
    change((spec) => (spec.template.spec.containers[0]!.image = 'web:2'));
    harness.pass(1);
    change((spec) => (spec.template.spec.containers[0]!.image = 'web:1'));
    harness.pass(1);
    const set = loose(cluster.objects.get('replicasets.apps', 'demo', first));
    expect(set.spec.replicas).toBe(1);
    expect(set.metadata.annotations).toMatchObject({
      'deployment.kubernetes.io/revision': '3',
      'deployment.kubernetes.io/revision-history': '1',
    });
    expect(read().metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3');
  });

  it('removes all old pods first when it is to be recreated', () => {
    cluster.objects.create(deployment('demo', 'web', { replicas: 2, strategy: { type: 'Recreate' } }), TESTER);
    harness.pass(1);
    const mixed: string[][] = [];
    const stop = cluster.objects.subscribe(({ resource }) => {
      if (resource === 'pods') mixed.push([...new Set(images())]);
    });
    change((spec) => (spec.template.spec.containers[0]!.image = 'web:2'));
    harness.pass(1);
    stop();
    expect(images()).toEqual(['web:2', 'web:2']);
    expect(mixed.filter((seen) => seen.length > 1)).toEqual([]);
  });

  it('keeps a paused template from rolling out, but follows a new count', () => {
    cluster.objects.create(deployment('demo', 'web'), TESTER);
    harness.pass(1);
    change((spec) => {
      spec.paused = true;
      spec.replicas = 3;
      spec.template.spec.containers[0]!.image = 'web:2';
    });
    harness.pass(1);
    expect(images()).toEqual(['web:1', 'web:1', 'web:1']);
    expect(condition('Progressing')).toMatchObject({ status: 'Unknown', reason: 'DeploymentPaused' });
    change((spec) => (spec.paused = false));
    harness.pass(1);
    expect(images()).toEqual(['web:2', 'web:2', 'web:2']);
  });

  it('says that it got stuck after its deadline', () => {
    cluster.objects.create(
      deployment('demo', 'web', { progressDeadlineSeconds: 60 }, { nodeSelector: { no: 'where' } }),
      TESTER,
    );
    harness.pass(30);
    expect(condition('Progressing')).toMatchObject({ status: 'True', reason: 'ReplicaSetUpdated' });
    harness.pass(60);
    expect(condition('Progressing')).toMatchObject({ status: 'False', reason: 'ProgressDeadlineExceeded' });
    expect(condition('Available')).toMatchObject({ status: 'False', reason: 'MinimumReplicasUnavailable' });
  });

  it('keeps as many old replica sets as its history is long', () => {
    cluster.objects.create(deployment('demo', 'web', { revisionHistoryLimit: 1 }), TESTER);
    for (const image of ['web:2', 'web:3', 'web:4']) {
      harness.pass(1);
      change((spec) => (spec.template.spec.containers[0]!.image = image));
    }
    harness.pass(1);
    const revisions = cluster.objects
      .list('replicasets.apps', 'demo')
      .map((set) => set.metadata.annotations?.['deployment.kubernetes.io/revision']);
    expect(revisions.sort()).toEqual(['3', '4']);
  });

  it('leaves nothing behind when it is deleted', () => {
    cluster.objects.create(deployment('demo', 'web', { replicas: 2 }), TESTER);
    harness.pass(1);
    cluster.objects.delete('deployments.apps', 'demo', 'web', TESTER);
    harness.pass(60);
    expect(cluster.objects.list('replicasets.apps', 'demo')).toEqual([]);
    expect(cluster.objects.list('pods', 'demo')).toEqual([]);
  });
});
