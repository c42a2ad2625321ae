import { describe, expect, it } from '@jest/globals';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { FakeKube, fakeRefusal } from '#libs/testing/fake-kube.js';
import { daemonSet, deployment, pod, statefulSet, watchedCluster } from '#libs/testing/kubernetes-samples.js';
import { contextOf, targetOf } from '../contract/system.contract-suite.js';
import type { OperationDefinition, StepOutcome } from '../contract/operation-definition.js';
import { createKubernetesOperations } from './kubernetes.operations.js';
import { scaleWorkload } from './workload.operations.js';

const PLACEMENT = { group: 'placement.kubernetes-fleet.io', kind: 'ClusterResourcePlacement' };
const POD = { group: '', kind: 'Pod' };
const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';
const { uid } = watchedCluster();

interface Change {
  object?: KubernetesObject | undefined;
  others?: KubernetesObject[];
  onHub?: boolean;
}

function world(type: string, input: JsonObject, change: Change) {
  const kube = new FakeKube();
  const object = 'object' in change ? change.object : deployment('web');
  const cluster = kube.cluster(uid).add(...(object === undefined ? [] : [object]), ...(change.others ?? []));
  if (change.onHub !== true) cluster.withdraw(PLACEMENT);
  const operation: OperationDefinition = createKubernetesOperations(kube).find((each) => each.type === type)!;
  const { kind, metadata } = object ?? deployment('web');
  const id = `kubernetes://${uid}/apps/${kind}/web/${metadata.name}`;
  const parsed = operation.input.parse({ workload: id, ...input });
  const context = contextOf(operation, parsed, { workload: targetOf(id, 'Workload') });
  const outputs: Record<string, Json> = {};
  const run = async (name: string): Promise<StepOutcome> => {
    const step = operation.steps.find((each) => each.name === name)!;
    const outcome = await step.run({ ...context, outputs, resumeToken: undefined, attempt: 1 });
    if (outcome.outcome === 'done' && outcome.output !== undefined) outputs[name] = outcome.output;
    return outcome;
  };
  return {
    kube,
    cluster,
    run,
    object: () => cluster.object({ group: 'apps', kind }, 'web', metadata.name)!,
    codes: async () => (await operation.preflight(context)).map(({ code, severity }) => `${code}:${severity}`),
    preflight: () => operation.preflight(context),
    plan: () => operation.plan!(context),
    verify: () => operation.verify({ ...context, outputs }),
    /** What the controller says of the object, which it takes up with that. */
    report: (status: JsonObject) => {
      const present = cluster.object({ group: 'apps', kind }, 'web', metadata.name)!;
      cluster.add({ ...present, status: { observedGeneration: present.metadata.generation ?? 1, ...status } });
    },
  };
}

const scaled = (change: Change = {}, input: JsonObject = {}) =>
  world('kubernetes.workload.scale', { replicas: 3, ...input }, change);
const restarted = (change: Change = {}, input: JsonObject = {}) => world('kubernetes.workload.restart', input, change);

function autoscaler(target: string): KubernetesObject {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'scaler', namespace: 'web' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: target },
      minReplicas: 1,
      maxReplicas: 5,
    },
  };
}

function counts(replicas: number, rest: JsonObject = {}): JsonObject {
  return { replicas, readyReplicas: replicas, availableReplicas: replicas, updatedReplicas: replicas, ...rest };
}

const unschedulable = pod('web-2', {
  spec: { nodeName: '' },
  status: {
    phase: 'Pending',
    conditions: [
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes: Insufficient cpu.' },
    ],
    containerStatuses: [],
  },
});

describe('kubernetes.workload.scale: checks before it starts', () => {
  it.each<Change & { input?: JsonObject; found: string[]; reason: string }>([
    { found: [], reason: 'all is well' },
    { object: statefulSet('db'), found: [], reason: 'StatefulSets scale too' },
    { object: undefined, found: ['WORKLOAD_NOT_FOUND:error'], reason: 'it is not there' },
    { object: daemonSet('agent'), found: ['NOT_SCALABLE:error'], reason: 'one for each node' },
    { input: { replicas: 2 }, found: ['ALREADY_AT_COUNT:info'], reason: 'nothing to do' },
    { others: [autoscaler('web')], found: ['AUTOSCALED:warning'], reason: 'an autoscaler decides' },
    { others: [autoscaler('other')], found: [], reason: 'of something else' },
    { onHub: true, found: ['HELD_ON_HUB:warning'], reason: 'hubs run nothing' },
    {
      object: deployment('web', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }),
      found: ['WORKLOAD_DELETING:error'],
      reason: 'on its way out',
    },
  ])('$found: $reason', async ({ input, found, ...change }) => {
    const { kube, codes } = scaled(change, input);
    expect(await codes()).toEqual(found);
    expect(kube.writes()).toEqual([]);
  });

  it('asks whether it may', async () => {
    const { cluster, preflight } = scaled();
    cluster.mayDo = ({ subresource }) => ({ allowed: subresource !== 'scale', reason: 'no role' });
    expect(await preflight()).toMatchObject([
      { code: 'ACCESS_DENIED', evidence: { verb: 'patch', reason: 'no role' } },
    ]);
  });

  it('goes on where autoscalers cannot be seen', async () => {
    const { cluster, codes } = scaled();
    cluster.refuse({ verb: 'list' }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'cannot list'));
    expect(await codes()).toEqual(['AUTOSCALING_UNKNOWN:info']);
  });

  it.each([
    { replicas: -1, reason: 'less than nothing' },
    { replicas: 10_001, reason: 'more than a cluster runs' },
    { replicas: 1.5, reason: 'half a pod' },
  ])('refuses $replicas: $reason', ({ replicas }) => {
    expect(scaleWorkload(new FakeKube()).input.safeParse({ workload: 'w', replicas }).success).toBe(false);
  });
});

describe('kubernetes.workload.scale: the steps', () => {
  it('sets the number by the scale subresource, waits for the pods, and reads back', async () => {
    const { kube, run, report, verify, object } = scaled();
    expect(await run('scale')).toMatchObject({ outcome: 'done' });
    expect(kube.requests.find(({ verb }) => verb === 'patch')).toMatchObject({ subresource: 'scale' });
    expect(object().spec).toMatchObject({ replicas: 3 });
    expect(await run('settle')).toMatchObject({ outcome: 'wait' });
    expect(await verify()).toMatchObject({ verdict: 'pending' });
    report(counts(3));
    expect(await run('settle')).toMatchObject({ outcome: 'done' });
    expect(await verify()).toMatchObject({ verdict: 'reached', result: { replicas: 3, availableReplicas: 3 } });
  });

  it('sends nothing twice when it is run again after a crash', async () => {
    const { kube, run } = scaled();
    await run('scale');
    await run('scale');
    expect(kube.writes()).toEqual(['patch Deployment web/web']);
  });

  it('waits until the pods that are too many are gone', async () => {
    const { run, report } = scaled({}, { replicas: 0 });
    await run('scale');
    report({ replicas: 1 });
    expect(await run('settle')).toMatchObject({ outcome: 'wait', message: expect.stringContaining('to go') });
    report({});
    expect(await run('settle')).toMatchObject({ outcome: 'done' });
  });

  it('does not believe counts of before the change', async () => {
    const { cluster, run, object } = scaled();
    await run('scale');
    cluster.add({ ...object(), status: { observedGeneration: 1, ...counts(3) } });
    expect(await run('settle')).toMatchObject({ outcome: 'wait', message: expect.stringContaining('taken up') });
  });

  it.each<{ status: JsonObject; others: KubernetesObject[]; words: string; reason: string }>([
    { status: {}, others: [unschedulable], words: 'Insufficient cpu', reason: 'no place for a pod' },
    {
      status: {
        conditions: [
          { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'exceeded quota: small' },
        ],
      },
      others: [],
      words: 'exceeded quota',
      reason: 'a quota',
    },
  ])('says while it waits: $reason', async ({ status, others, words }) => {
    const { run, report } = scaled({ others });
    await run('scale');
    report(counts(2, status));
    expect(await run('settle')).toMatchObject({ outcome: 'wait', message: expect.stringContaining(words) });
  });

  it('waits all the same where pods cannot be seen', async () => {
    const { cluster, run, report } = scaled();
    cluster.refuse({ verb: 'list', kind: POD.kind }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'cannot list'));
    await run('scale');
    report(counts(2));
    expect(await run('settle')).toMatchObject({ outcome: 'wait' });
  });

  it('ends when the number is set where no more was asked for', async () => {
    const { run, verify } = scaled({}, { waitForAvailable: false });
    await run('scale');
    expect(await run('settle')).toMatchObject({ outcome: 'done' });
    expect(await verify()).toMatchObject({ verdict: 'reached' });
  });

  it('waits for nothing on a hub', async () => {
    const { run, verify } = scaled({ onHub: true });
    await run('scale');
    expect(await run('settle')).toMatchObject({ outcome: 'done' });
    expect(await verify()).toMatchObject({ verdict: 'reached', result: { heldOnHub: true } });
  });

  it('gives up when somebody else sets another number', async () => {
    const { cluster, run, object, verify } = scaled();
    await run('scale');
    cluster.add({ ...object(), spec: { ...(object().spec as JsonObject), replicas: 1 } });
    await expect(run('settle')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await verify()).toMatchObject({ verdict: 'missed' });
  });

  it('says that the workload is gone', async () => {
    const { cluster, run, verify } = scaled();
    cluster.remove({ group: 'apps', kind: 'Deployment' }, 'web', 'web');
    await expect(run('scale')).rejects.toMatchObject({ code: 'KUBERNETES_NOT_FOUND' });
    expect(await verify()).toMatchObject({ verdict: 'missed' });
  });

  it('plans without doing', async () => {
    const { kube, plan } = scaled();
    expect(await plan()).toMatchObject({ difference: [{ path: '.spec.replicas', before: 2, after: 3 }] });
    expect(await scaled({}, { replicas: 2 }).plan()).toMatchObject({ difference: [] });
    expect(kube.writes()).toEqual([]);
  });
});

describe('kubernetes.workload.restart: checks before it starts', () => {
  it.each<Change & { found: string[]; reason: string }>([
    { found: [], reason: 'all is well' },
    { object: daemonSet('agent'), found: [], reason: 'DaemonSets restart too' },
    { object: undefined, found: ['WORKLOAD_NOT_FOUND:error'], reason: 'it is not there' },
    { object: deployment('web', { spec: { paused: true } }), found: ['ROLLOUT_PAUSED:error'], reason: 'it is paused' },
    {
      object: statefulSet('db', { spec: { updateStrategy: { type: 'OnDelete' } } }),
      found: ['REPLACED_ON_DELETE_ONLY:error'],
      reason: 'nothing would be replaced',
    },
    { object: deployment('web', { spec: { replicas: 0 } }), found: ['NOTHING_RUNS:info'], reason: 'nothing runs' },
    { onHub: true, found: ['HELD_ON_HUB:warning'], reason: 'hubs run nothing' },
  ])('$found: $reason', async ({ found, ...change }) => {
    const { kube, codes } = restarted(change);
    expect(await codes()).toEqual(found);
    expect(kube.writes()).toEqual([]);
  });
});

describe('kubernetes.workload.restart: the steps', () => {
  function annotationOf(object: KubernetesObject): Json | undefined {
    const { template } = object.spec as { template: { metadata: { annotations?: JsonObject } } };
    return template.metadata.annotations?.[RESTARTED_AT];
  }

  it.each([
    { object: deployment('web'), counted: counts(2), reason: 'a Deployment' },
    { object: statefulSet('db'), counted: counts(2), reason: 'a StatefulSet' },
    {
      object: daemonSet('agent'),
      counted: {
        desiredNumberScheduled: 2,
        currentNumberScheduled: 2,
        updatedNumberScheduled: 2,
        numberReady: 2,
        numberAvailable: 2,
      },
      reason: 'a DaemonSet',
    },
  ])('marks the template, waits for the rollout, and reads back: $reason', async ({ object, counted }) => {
    const { run, report, verify, object: present } = restarted({ object });
    await run('mark');
    await run('restart');
    expect(annotationOf(present())).toEqual(expect.stringMatching(/^\d{4}-/));
    expect(await run('settle')).toMatchObject({ outcome: 'wait' });
    expect(await verify()).toMatchObject({ verdict: 'pending' });
    report(counted);
    expect(await run('settle')).toMatchObject({ outcome: 'done' });
    expect(await verify()).toMatchObject({ verdict: 'reached' });
  });

  it('restarts once when it is run again after a crash', async () => {
    const { kube, run } = restarted();
    await run('mark');
    await run('restart');
    await run('restart');
    expect(kube.writes()).toEqual(['patch Deployment web/web']);
  });

  it('is content with a later restart by somebody else', async () => {
    const { kube, cluster, run, verify, object, report } = restarted();
    await run('mark');
    const later = { metadata: { annotations: { [RESTARTED_AT]: '2999-01-01T00:00:00Z' } } };
    cluster.add({ ...object(), spec: { ...(object().spec as JsonObject), template: later } });
    report(counts(2));
    await run('restart');
    expect(kube.writes()).toEqual([]);
    expect(await verify()).toMatchObject({ verdict: 'reached' });
  });

  it('waits until the new pods are available, and says why they are not', async () => {
    const { run, report } = restarted({ others: [unschedulable] });
    await run('mark');
    await run('restart');
    report(counts(2, { availableReplicas: 1 }));
    expect(await run('settle')).toMatchObject({
      outcome: 'wait',
      message: expect.stringContaining('Insufficient cpu'),
    });
  });

  it('has failed when the rollout is given up, but not for one of before', async () => {
    const conditions = [
      { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: 'timed out' },
    ];
    const { cluster, run, report, object } = restarted();
    await run('mark');
    await run('restart');
    cluster.add({ ...object(), status: { observedGeneration: 1, conditions } });
    expect(await run('settle')).toMatchObject({ outcome: 'wait' });
    report(counts(2, { updatedReplicas: 1, conditions }));
    await expect(run('settle')).rejects.toMatchObject({
      code: 'VERIFICATION_FAILED',
      externalCode: 'ProgressDeadlineExceeded',
    });
  });

  it('waits for nothing on a hub', async () => {
    const { run, verify } = restarted({ onHub: true });
    await run('mark');
    await run('restart');
    expect(await run('settle')).toMatchObject({ outcome: 'done' });
    expect(await verify()).toMatchObject({ verdict: 'reached', result: { heldOnHub: true } });
  });

  it('waits for no pod where it shall not', async () => {
    const { run, verify, object } = restarted({}, { waitForAvailable: false });
    await run('mark');
    expect(await verify()).toMatchObject({ verdict: 'missed' });
    await run('restart');
    expect(await run('settle')).toMatchObject({ outcome: 'done' });
    expect(await verify()).toMatchObject({ verdict: 'reached', result: { restartedAt: annotationOf(object()) } });
  });

  it('has missed it where the template was put back, or the workload is gone', async () => {
    const { cluster, run, verify } = restarted();
    await run('mark');
    expect(await verify()).toMatchObject({ verdict: 'missed' });
    cluster.remove({ group: 'apps', kind: 'Deployment' }, 'web', 'web');
    expect(await verify()).toMatchObject({ verdict: 'missed' });
  });

  it('plans without doing', async () => {
    const { kube, plan } = restarted();
    expect(await plan()).toMatchObject({ difference: [{ before: null }] });
    expect(kube.writes()).toEqual([]);
  });
});
