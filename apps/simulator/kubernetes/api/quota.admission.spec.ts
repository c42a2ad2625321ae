import { describe, expect, it } from '@jest/globals';
import { ClusterHarness, makeNamespace, TESTER } from '../controllers/cluster.harness.js';

const quota = (hard: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name: 'small', namespace: 'web' },
  spec: { hard },
});

const pod = (name: string, cpu = '100m') => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'web' },
  spec: { containers: [{ name: 'web', image: 'web:1', resources: { requests: { cpu, memory: '64Mi' } } }] },
});

describe('the quota of a namespace', () => {
  it.each([
    {
      hard: { pods: '1' },
      refused: 'pods "b" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1',
      reason: 'one pod is there',
    },
    {
      hard: { 'requests.cpu': '150m' },
      refused:
        'pods "b" is forbidden: exceeded quota: small, requested: requests.cpu=100m, used: requests.cpu=100m, limited: requests.cpu=150m',
      reason: 'too little is left',
    },
    { hard: { pods: '2', 'requests.memory': '1Gi' }, refused: undefined, reason: 'there is room' },
    { hard: { 'count/secrets': '0' }, refused: undefined, reason: 'it is about something else' },
  ])('$refused: $reason', ({ hard, refused }) => {
    const harness = new ClusterHarness();
    const { cluster } = harness.start('quota');
    makeNamespace(cluster.objects, 'web');
    cluster.objects.create(quota(hard), TESTER);
    cluster.objects.create(pod('a'), TESTER);
    const second = (): unknown => cluster.objects.create(pod('b'), TESTER);
    if (refused === undefined) expect(second).not.toThrow();
    else expect(second).toThrow(refused);
    harness.close();
  });
});
