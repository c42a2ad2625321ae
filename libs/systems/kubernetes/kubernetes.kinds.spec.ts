import { describe, expect, it } from '@jest/globals';
import { namespaceObject, pod, watchedCluster } from '#libs/testing/kubernetes-samples.js';
import { attachedClusterKind } from './attached-cluster.kind.js';
import { kubernetesKinds } from './kubernetes.kinds.js';
import { namespaceKind, observeNamespace } from './namespace.kind.js';

const cluster = watchedCluster();
const reading = { cluster, observedAt: new Date('2026-01-01T00:00:00Z'), source: 'WATCH' as const };

describe('a namespace', () => {
  const stuck = { type: 'NamespaceDeletionDiscoveryFailure', status: 'True', message: 'metrics are not served' };
  it.each([
    { change: {}, health: { state: 'Healthy', reason: null }, reason: 'it is active' },
    {
      change: { status: { phase: 'Terminating' } },
      health: { state: 'Progressing', reason: expect.any(String) },
      reason: 'it is being emptied',
    },
    {
      change: { status: { phase: 'Terminating', conditions: [stuck] } },
      health: { state: 'Degraded', reason: 'metrics are not served' },
      reason: 'it cannot be emptied',
    },
    {
      change: { status: { phase: 'Terminating', conditions: [{ ...stuck, status: 'False' }] } },
      health: { state: 'Progressing', reason: expect.any(String) },
      reason: 'nothing keeps it from being emptied',
    },
    {
      change: { status: { phase: null } },
      health: { state: 'Unknown', reason: expect.any(String) },
      reason: 'nobody says how it is',
    },
  ])('is $health.state when $reason', ({ change, health }) => {
    expect(observeNamespace(namespaceObject('web', change), reading).health).toEqual(health);
  });

  it('is known by its name, with its labels for tags', () => {
    const observed = observeNamespace(namespaceObject('web'), reading);
    expect(observed).toMatchObject({
      canonicalId: `kubernetes://${cluster.uid}/core/Namespace/web`,
      name: 'web',
      namespace: null,
      tags: { team: 'web' },
    });
    expect(namespaceKind.describe(observed.properties)).toEqual({ phase: 'Active', labels: { team: 'web' } });
  });
});

describe('an attached cluster', () => {
  it('shows what was found when it was attached', () => {
    const properties = {
      server: 'k.example',
      kubernetesVersion: 'v1.33.1',
      attachedBy: 'ada',
      authentication: 'token',
    };
    expect(attachedClusterKind.describe({ ...properties, more: 1 })).toEqual(properties);
  });
});

describe('every object of a cluster', () => {
  it.each([
    { change: { kind: undefined }, reason: 'a kind' },
    { change: { apiVersion: undefined }, reason: 'a version' },
    { change: { metadata: {} }, reason: 'a name' },
  ])('is refused without $reason', ({ change }) => {
    expect(() => observeNamespace({ ...pod('p'), ...(change as object) }, reading)).toThrow(
      expect.objectContaining({ code: 'KUBERNETES_UNEXPECTED_ANSWER' }),
    );
  });
});

it('names what the surfaces are made from', () => {
  expect(kubernetesKinds.map(({ name }) => name)).toEqual([
    'AttachedCluster',
    'Namespace',
    'Node',
    'Workload',
    'Pod',
    'Service',
    'StorageClass',
    'CsiDriver',
  ]);
});
