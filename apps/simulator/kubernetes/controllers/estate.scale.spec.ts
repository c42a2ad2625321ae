import { describe, expect, it } from '@jest/globals';
import { ClusterHarness, deployment, makeNamespace, pool, TESTER } from './cluster.harness.js';

const CLUSTERS = 50;
const PODS_PER_CLUSTER = 200;
/** Measured 6 to 8 seconds on two busy cores: a scan of all pods for each event would take minutes. */
const LIMIT_MS = 60_000;

describe('many clusters in one process', () => {
  it(
    'settle in seconds with ten thousand pods',
    () => {
      const harness = new ClusterHarness();
      const begun = performance.now();
      const clusters = Array.from({ length: CLUSTERS }, (_, index) => {
        const { cluster, runtime } = harness.start(`aks${index}`, { events: 'warnings' });
        runtime.setNodePools([pool({ count: 4, vmSize: 'Standard_D16s_v5', maxPods: 60 })]);
        makeNamespace(cluster.objects, 'demo');
        for (let app = 0; app < 4; app++)
          cluster.objects.create(deployment('demo', `app${app}`, { replicas: PODS_PER_CLUSTER / 4 }), TESTER);
        return cluster;
      });
      harness.pass(1);
      const took = performance.now() - begun;
      for (const cluster of clusters) {
        const available = cluster.objects
          .list('deployments.apps', 'demo')
          .map((object) => (object.status as { availableReplicas?: number }).availableReplicas);
        expect(available).toEqual([50, 50, 50, 50]);
      }
      expect(took).toBeLessThan(LIMIT_MS);
      process.stdout.write(
        `${CLUSTERS * PODS_PER_CLUSTER} pods settled in ${Math.round(took)} ms, heap ${Math.round(process.memoryUsage().heapUsed / 1e6)} MB\n`,
      );
      harness.close();
    },
    2 * LIMIT_MS,
  );
});
