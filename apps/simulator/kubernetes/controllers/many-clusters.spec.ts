import { describe, expect, it } from '@jest/globals';
import { ClusterHarness, deployment, makeNamespace, pool, TESTER } from './cluster.harness.js';

const CLUSTERS = 5;
const PODS_PER_CLUSTER = 200;

describe('many clusters in one process', () => {
  it('settle side by side, each with its own pods', () => {
    const harness = new ClusterHarness();
    const clusters = Array.from({ length: CLUSTERS }, (_, index) => {
      const { cluster, runtime } = harness.start(`aks${index}`, { events: 'warnings' });
      runtime.setNodePools([pool({ count: 4, vmSize: 'Standard_D16s_v5', maxPods: 60 })]);
      makeNamespace(cluster.objects, 'demo');
      for (let app = 0; app < 4; app++)
        cluster.objects.create(deployment('demo', `app${app}`, { replicas: PODS_PER_CLUSTER / 4 }), TESTER);
      return cluster;
    });
    harness.pass(1);
    for (const cluster of clusters) {
      const available = cluster.objects
        .list('deployments.apps', 'demo')
        .map((object) => (object.status as { availableReplicas?: number }).availableReplicas);
      expect(available).toEqual([50, 50, 50, 50]);
      expect(cluster.objects.list('pods', 'demo')).toHaveLength(PODS_PER_CLUSTER);
    }
    harness.close();
  });
});
