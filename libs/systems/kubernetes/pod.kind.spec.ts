import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { pod, watchedCluster } from '#libs/testing/kubernetes-samples.js';
import { observePod, podKind } from './pod.kind.js';

const cluster = watchedCluster();
const reading = { cluster, observedAt: new Date('2026-01-01T01:00:00Z'), source: 'WATCH' as const };
const PREFIX = `kubernetes://${cluster.uid}`;

function withStatus(status: JsonObject) {
  return pod('web-5f7d-abcde', { status });
}
function waitingFor(reason: string | null, message = 'words'): JsonObject {
  const state = { waiting: reason === null ? {} : { reason, message } };
  return {
    conditions: [{ type: 'Ready', status: 'False', reason: 'ContainersNotReady' }],
    containerStatuses: [{ name: 'web', ready: false, restartCount: 4, state }],
  };
}
function endedWith(exitCode: number, reason: string | null = 'Error'): JsonObject {
  return { containerStatuses: [{ name: 'web', state: { terminated: { exitCode, ...(reason && { reason }) } } }] };
}
function unready(at: string): JsonObject {
  return {
    conditions: [{ type: 'Ready', status: 'False', reason: 'ContainersNotReady', lastTransitionTime: at }],
    containerStatuses: [{ name: 'web', ready: false, state: { running: { startedAt: '2026-01-01T00:00:03Z' } } }],
  };
}

describe('observePod', () => {
  it('joins the pod with its workload and its node', () => {
    const id = `${PREFIX}/core/Pod/web/web-5f7d-abcde`;
    expect(observePod(pod('web-5f7d-abcde'), reading)).toMatchObject({
      kind: 'Pod',
      canonicalId: id,
      namespace: 'web',
      relations: [
        { type: 'owns', from: `${PREFIX}/apps/Deployment/web/web`, to: id },
        { type: 'scheduledOn', from: id, to: `${PREFIX}/core/Node/node-1` },
      ],
    });
  });

  const controller = (kind: string, name: string, apiVersion = 'apps/v1') => [
    { apiVersion: 'v1', kind: 'ConfigMap', name: 'other' },
    { apiVersion, kind, name, controller: true },
  ];
  it.each([
    { owners: controller('StatefulSet', 'db'), workload: 'StatefulSet/web/db', reason: 'of a StatefulSet' },
    { owners: controller('DaemonSet', 'agent'), workload: 'DaemonSet/web/agent', reason: 'of a DaemonSet' },
    {
      owners: controller('ReplicaSet', 'my-web-app-5f7d'),
      workload: 'Deployment/web/my-web-app',
      reason: 'of a Deployment with hyphens',
    },
    { owners: controller('ReplicaSet', 'web'), workload: undefined, reason: 'of a ReplicaSet of its own' },
    { owners: controller('Job', 'migrate', 'batch/v1'), workload: undefined, reason: 'of a job' },
    { owners: controller('StatefulSet', 'db', 'custom.example/v1'), workload: undefined, reason: 'of another group' },
    { owners: controller('StatefulSet', '../x'), workload: undefined, reason: 'whose owner can be none' },
    { owners: controller('ReplicaSet', '-5f7d'), workload: undefined, reason: 'whose owner would have no name' },
    { owners: [], workload: undefined, reason: 'by itself' },
    {
      owners: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'x' }],
      workload: undefined,
      reason: 'owned, not made',
    },
    { owners: 'nonsense', workload: undefined, reason: 'with nonsense for owners' },
  ])('claims $workload for a pod $reason', ({ owners, workload }) => {
    const made = observePod(pod('p', { metadata: { ownerReferences: owners } }), reading);
    expect(made.relations.filter(({ type }) => type === 'owns').map(({ from }) => from)).toEqual(
      workload === undefined ? [] : [`${PREFIX}/apps/${workload}`],
    );
  });

  it('claims no node before it has one', () => {
    const { relations } = observePod(pod('p', { spec: { nodeName: '' } }), reading);
    expect(relations.map(({ type }) => type)).toEqual(['owns']);
  });

  const unschedulable = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message: '0/2 nodes are available: 1 Insufficient cpu.',
  };
  it.each([
    { status: {}, state: 'Healthy', because: null, reason: 'it runs and is ready' },
    { status: { phase: 'Succeeded', conditions: [] }, state: 'Healthy', because: null, reason: 'it has done its work' },
    {
      status: { phase: 'Pending', conditions: [unschedulable], containerStatuses: [] },
      state: 'Degraded',
      because: 'Unschedulable: 0/2 nodes are available: 1 Insufficient cpu.',
      reason: 'no node takes it',
    },
    {
      status: { phase: 'Pending', conditions: [], containerStatuses: [] },
      state: 'Progressing',
      because: expect.any(String),
      reason: 'nobody has looked for a node yet',
    },
    {
      status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] },
      state: 'Progressing',
      because: expect.any(String),
      reason: 'somebody holds it back on purpose',
    },
    {
      status: { phase: 'Pending', ...waitingFor('ContainerCreating') },
      state: 'Progressing',
      because: expect.any(String),
      reason: 'its containers are being made',
    },
    {
      status: { phase: 'Pending', ...waitingFor(null) },
      state: 'Progressing',
      because: expect.any(String),
      reason: 'it waits without a reason',
    },
    {
      status: { phase: 'Pending', ...waitingFor('ImagePullBackOff', 'no such image') },
      state: 'Degraded',
      because: 'ImagePullBackOff: no such image',
      reason: 'its image cannot be pulled',
    },
    {
      status: { phase: 'Pending', ...waitingFor('SomethingNew') },
      state: 'Degraded',
      because: 'SomethingNew: words',
      reason: 'it waits for something unknown',
    },
    {
      status: { phase: 'Pending', reason: 'ProviderFailed', message: 'quota', conditions: [] },
      state: 'Degraded',
      because: 'ProviderFailed: quota',
      reason: 'the provider of a virtual node refuses it',
    },
    {
      status: waitingFor('CrashLoopBackOff', 'back-off 5m0s'),
      state: 'Degraded',
      because: 'CrashLoopBackOff: back-off 5m0s',
      reason: 'it crashes again and again',
    },
    {
      status: { ...endedWith(137, 'OOMKilled'), conditions: [{ type: 'Ready', status: 'False' }] },
      state: 'Degraded',
      because: expect.stringMatching(/^OOMKilled: /),
      reason: 'it was too large',
    },
    {
      status: { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' },
      state: 'Degraded',
      because: 'Evicted: The node was low on resource: memory.',
      reason: 'it was evicted',
    },
    {
      status: { phase: 'Failed', ...endedWith(2) },
      state: 'Degraded',
      because: expect.stringContaining('code 2'),
      reason: 'it has failed',
    },
    {
      status: { phase: 'Failed', ...waitingFor('ContainerCreating') },
      state: 'Degraded',
      because: expect.any(String),
      reason: 'it has failed without a word',
    },
    {
      status: unready('2026-01-01T00:00:01Z'),
      state: 'Progressing',
      because: 'ContainersNotReady',
      reason: 'it has started and was never ready',
    },
    {
      status: unready('2026-01-01T00:30:00Z'),
      state: 'Degraded',
      because: 'ContainersNotReady',
      reason: 'it was ready once',
    },
    { status: { phase: 'Unknown' }, state: 'Unknown', because: expect.any(String), reason: 'its node is lost' },
  ])('is $state when $reason', ({ status, state, because }) => {
    expect(observePod(withStatus(status), reading).health).toEqual({ state, reason: because });
  });

  it('is progressing while it is deleted, whatever its containers say', () => {
    const deleting = pod('p', {
      metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' },
      status: waitingFor('CrashLoopBackOff'),
    });
    expect(observePod(deleting, reading)).toMatchObject({
      provisioningState: 'Deleting',
      health: { state: 'Progressing' },
    });
  });

  it('takes trouble of an init container for trouble of the pod', () => {
    const status = {
      phase: 'Pending',
      initContainerStatuses: [{ name: 'init', state: { terminated: { exitCode: 1, reason: 'Error', message: 'no' } } }],
    };
    expect(observePod(withStatus(status), reading).health).toEqual({ state: 'Degraded', reason: 'Error: no' });
  });

  it('keeps a reason short, however much was said', () => {
    const { health } = observePod(
      withStatus({ phase: 'Failed', reason: 'Evicted', message: 'x'.repeat(9000) }),
      reading,
    );
    expect(health.reason?.length).toBe(1000);
  });
});

describe('the typed view of a pod', () => {
  it('has what it is made of and how it is', () => {
    expect(podKind.describe(pod('web-5f7d-abcde'))).toEqual({
      phase: 'Running',
      ready: true,
      restarts: 0,
      reason: null,
      message: null,
      podIp: '10.0.0.7',
      hostIp: '10.0.0.4',
      nodeName: 'node-1',
      qosClass: 'Burstable',
      startTime: '2026-01-01T00:00:01Z',
      owner: { kind: 'ReplicaSet', name: 'web-5f7d' },
      containers: [
        {
          name: 'web',
          role: 'container',
          image: 'registry.example/web:1',
          cpuRequestMillicores: 250,
          memoryRequestBytes: 64 * 2 ** 20,
          cpuLimitMillicores: null,
          memoryLimitBytes: null,
          ready: true,
          restarts: 0,
          state: 'Running',
          reason: null,
          message: null,
          exitCode: null,
        },
      ],
      cpuRequestMillicores: 250,
      memoryRequestBytes: 64 * 2 ** 20,
      tolerations: [
        { key: 'virtual-kubelet.io/provider', operator: 'Exists', value: null, effect: null, seconds: null },
      ],
      conditions: [expect.objectContaining({ type: 'PodScheduled' }), expect.objectContaining({ type: 'Ready' })],
    });
  });

  it('has why it does not run', () => {
    expect(podKind.describe(withStatus(waitingFor('CrashLoopBackOff')))).toMatchObject({
      ready: false,
      restarts: 4,
      reason: 'CrashLoopBackOff',
      message: 'words',
      containers: [{ state: 'Waiting', reason: 'CrashLoopBackOff', message: 'words' }],
    });
  });

  it('has its init containers and sidecars before the others, in their states', () => {
    const made = pod('p', {
      spec: { initContainers: [{ name: 'init' }, { name: 'proxy', restartPolicy: 'Always' }] },
      status: {
        initContainerStatuses: [{ name: 'init', state: { terminated: { exitCode: 0, reason: 'Completed' } } }],
      },
    });
    expect(podKind.describe(made).containers).toMatchObject([
      { name: 'init', role: 'init', state: 'Terminated', reason: 'Completed', exitCode: 0 },
      { name: 'proxy', role: 'sidecar', state: null },
      { name: 'web', role: 'container', state: 'Running' },
    ]);
  });
});
