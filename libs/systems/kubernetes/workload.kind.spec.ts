import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import {
  daemonSet,
  deployment,
  podTemplate,
  statefulSet,
  watchedCluster,
  watchedFleet,
} from '#libs/testing/kubernetes-samples.js';
import { observeWorkload, workloadKind } from './workload.kind.js';

const cluster = watchedCluster();
const reading = { cluster, observedAt: new Date('2026-01-02T00:00:00Z'), source: 'WATCH' as const };
const onHub = { ...reading, cluster: watchedFleet() };

function conditions(available: 'True' | 'False', progress: string, progressing = 'True'): JsonObject[] {
  return [
    { type: 'Available', status: available, reason: 'x' },
    { type: 'Progressing', status: progressing, reason: progress, message: 'words' },
  ];
}

describe('a Deployment', () => {
  it.each([
    { change: {}, state: 'Healthy', rollout: 'Complete', reason: 'everything is there' },
    {
      change: {
        spec: { replicas: 0 },
        status: { replicas: 0, readyReplicas: 0, availableReplicas: 0, updatedReplicas: 0 },
      },
      state: 'Healthy',
      rollout: 'Complete',
      reason: 'nothing is wanted',
    },
    {
      change: { metadata: { generation: 2 } },
      state: 'Progressing',
      rollout: 'Progressing',
      reason: 'its controller has not looked yet',
    },
    {
      change: { status: { observedGeneration: 0, conditions: [] } },
      state: 'Progressing',
      rollout: 'Progressing',
      reason: 'it is new',
    },
    {
      change: { status: { updatedReplicas: 1, replicas: 3 } },
      state: 'Progressing',
      rollout: 'Progressing',
      reason: 'new pods are still to be made',
    },
    {
      change: { status: { replicas: 3 } },
      state: 'Progressing',
      rollout: 'Progressing',
      reason: 'old pods are still to go',
    },
    {
      change: { spec: { replicas: 3 }, status: { replicas: 2, updatedReplicas: 2 } },
      state: 'Progressing',
      rollout: 'Progressing',
      reason: 'it grows',
    },
    {
      change: {
        status: { availableReplicas: 0, readyReplicas: 0, conditions: conditions('False', 'ReplicaSetUpdated') },
      },
      state: 'Progressing',
      rollout: 'Progressing',
      reason: 'its first pods are starting',
    },
    {
      change: {
        status: {
          availableReplicas: 0,
          readyReplicas: 0,
          conditions: conditions('False', 'ProgressDeadlineExceeded', 'False'),
        },
      },
      state: 'Degraded',
      rollout: 'Failed',
      reason: 'they have taken too long',
    },
    {
      change: {
        status: {
          replicas: 0,
          updatedReplicas: 0,
          availableReplicas: 0,
          conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'quota' }],
        },
      },
      state: 'Degraded',
      rollout: 'Failed',
      reason: 'its pods cannot be made',
    },
    {
      change: {
        status: { availableReplicas: 0, readyReplicas: 0, conditions: conditions('False', 'NewReplicaSetAvailable') },
      },
      state: 'Degraded',
      rollout: 'Complete',
      reason: 'its pods were there once and are not any more',
    },
    {
      change: {
        status: { availableReplicas: 1, readyReplicas: 1, conditions: conditions('True', 'NewReplicaSetAvailable') },
      },
      state: 'Progressing',
      rollout: 'Complete',
      reason: 'one is missing and the others are enough',
    },
    { change: { spec: { paused: true } }, state: 'Healthy', rollout: 'Paused', reason: 'it is paused' },
    {
      change: { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } },
      state: 'Progressing',
      rollout: 'Complete',
      reason: 'it is being deleted',
    },
  ])('is $state when $reason', ({ change, state, rollout }) => {
    const observed = observeWorkload(deployment('web', change), reading);
    expect(observed.health.state).toBe(state);
    expect(observed.health.reason === null).toBe(state === 'Healthy' && rollout === 'Complete' && !('spec' in change));
    expect(workloadKind.describe(observed.properties).rollout).toBe(rollout);
  });

  it('says what is wrong in the words of its controller', () => {
    const status = { conditions: conditions('False', 'ProgressDeadlineExceeded', 'False') };
    expect(observeWorkload(deployment('web', { status }), reading).health.reason).toBe(
      'ProgressDeadlineExceeded: words',
    );
  });
});

describe('a StatefulSet', () => {
  it.each([
    { change: {}, state: 'Healthy', reason: 'everything is there' },
    { change: { status: { replicas: 1 } }, state: 'Progressing', reason: 'it makes one pod after the other' },
    { change: { status: { updatedReplicas: 1 } }, state: 'Progressing', reason: 'it replaces one after the other' },
    {
      change: {
        spec: { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } },
        status: { updatedReplicas: 1 },
      },
      state: 'Healthy',
      reason: 'the others keep the old template on purpose',
    },
    {
      change: { spec: { updateStrategy: { type: 'OnDelete' } }, status: { updatedReplicas: 0 } },
      state: 'Healthy',
      reason: 'nothing is replaced before somebody deletes it',
    },
    { change: { status: { availableReplicas: 1 } }, state: 'Degraded', reason: 'one of its pods is not available' },
    {
      change: { metadata: { creationTimestamp: '2026-01-01T23:55:00Z' }, status: { availableReplicas: 0 } },
      state: 'Progressing',
      reason: 'it was made just now',
    },
  ])('is $state when $reason', ({ change, state }) => {
    expect(observeWorkload(statefulSet('db', change), reading).health.state).toBe(state);
  });
});

describe('a DaemonSet', () => {
  it.each([
    { change: {}, state: 'Healthy', reason: 'it runs wherever it should' },
    {
      change: {
        status: { desiredNumberScheduled: 0, currentNumberScheduled: 0, numberAvailable: 0, updatedNumberScheduled: 0 },
      },
      state: 'Healthy',
      reason: 'no node is to run it',
    },
    { change: { status: { updatedNumberScheduled: 1 } }, state: 'Progressing', reason: 'a node has the old one' },
    { change: { status: { currentNumberScheduled: 1 } }, state: 'Progressing', reason: 'a node has none yet' },
    { change: { status: { numberAvailable: 1 } }, state: 'Degraded', reason: 'one of its pods is not available' },
    {
      change: { status: { observedGeneration: 0 } },
      state: 'Progressing',
      reason: 'its controller has not looked yet',
    },
  ])('is $state when $reason', ({ change, state }) => {
    expect(observeWorkload(daemonSet('agent', change), reading).health.state).toBe(state);
  });

  it('counts nodes', () => {
    expect(workloadKind.describe(daemonSet('agent', { status: { numberReady: 1 } }))).toMatchObject({
      workloadType: 'DaemonSet',
      replicas: 2,
      currentReplicas: 2,
      readyReplicas: 1,
      availableReplicas: 2,
      updatedReplicas: 2,
      strategy: 'RollingUpdate',
    });
  });
});

describe('on the hub of a fleet', () => {
  const never = { replicas: 0, readyReplicas: 0, availableReplicas: 0, updatedReplicas: 0 };
  const refused = {
    ...never,
    conditions: [
      { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'disallowed in the fleet hub' },
    ],
  };

  it.each([
    { status: never, reason: 'it has no pods' },
    { status: refused, reason: 'the hub refuses its pods' },
    {
      status: { conditions: conditions('False', 'ProgressDeadlineExceeded', 'False') },
      reason: 'its time is long over',
    },
  ])('a workload is healthy and held although $reason', ({ status }) => {
    const observed = observeWorkload(deployment('web', { status }), onHub);
    expect(observed.health).toEqual({ state: 'Healthy', reason: expect.stringContaining('placement') });
    expect(workloadKind.describe(observed.properties).heldOnHub).toBe(true);
  });

  it.each(['kube-system', 'fleet-system'])('a workload of %s runs there, and can be at fault', (namespace) => {
    const observed = observeWorkload(deployment('agent', { metadata: { namespace }, status: refused }), onHub);
    expect(observed.health.state).toBe('Degraded');
    expect(workloadKind.describe(observed.properties).heldOnHub).toBe(false);
  });

  it('the same workload elsewhere is at fault', () => {
    expect(observeWorkload(deployment('web', { status: refused }), reading).health.state).toBe('Degraded');
  });
});

describe('the typed view of a workload', () => {
  it('has what it runs and where', () => {
    const made = deployment('web', {
      spec: {
        selector: {
          matchLabels: { app: 'web' },
          matchExpressions: [
            { key: 'tier', operator: 'In', values: ['web', 'api'] },
            { key: 'stage', operator: 'NotIn', values: ['old'] },
            { key: 'owner', operator: 'Exists' },
            { key: 'gone', operator: 'DoesNotExist' },
          ],
        },
        template: podTemplate(
          { app: 'web' },
          {
            initContainers: [{ name: 'init', image: 'registry.example/init:1' }],
            nodeSelector: { type: 'virtual-kubelet' },
            tolerations: [{ key: 'azure.com/aci', effect: 'NoSchedule' }],
          },
        ),
      },
    });
    expect(workloadKind.describe(made)).toEqual({
      workloadType: 'Deployment',
      replicas: 2,
      currentReplicas: 2,
      readyReplicas: 2,
      availableReplicas: 2,
      updatedReplicas: 2,
      images: ['registry.example/init:1', 'registry.example/web:1'],
      containers: [
        expect.objectContaining({ name: 'init', role: 'init', cpuRequestMillicores: null }),
        {
          name: 'web',
          role: 'container',
          image: 'registry.example/web:1',
          cpuRequestMillicores: 250,
          memoryRequestBytes: 64 * 2 ** 20,
          cpuLimitMillicores: 1000,
          memoryLimitBytes: 128 * 2 ** 20,
        },
      ],
      selector: { app: 'web' },
      selectorExpressions: ['tier in (web, api)', 'stage notin (old)', 'owner', '!gone'],
      strategy: 'RollingUpdate',
      paused: false,
      generation: 1,
      observedGeneration: 1,
      rollout: 'Complete',
      nodeSelector: { type: 'virtual-kubelet' },
      tolerations: [{ key: 'azure.com/aci', operator: null, value: null, effect: 'NoSchedule', seconds: null }],
      heldOnHub: false,
      conditions: [expect.objectContaining({ type: 'Available' }), expect.objectContaining({ type: 'Progressing' })],
    });
  });
});
