import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack, type Answer } from './stack.js';

const ESTATE = path.resolve(import.meta.dirname, '../../apps/simulator/estates/scenario-e.estate.json');
const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
const CLUSTER = `/subscriptions/${SUBSCRIPTION}/resourceGroups/netcoresample/providers/Microsoft.ContainerService/managedClusters/netcoresampleaks`;
const PODS = 500;
const PAGE = 200;

/** The requests by which the house comes to know of pods and of container groups. */
const DISTURBED = [
  { kind: 'graph' },
  { kind: 'arm', path: 'containerGroups' },
  { kind: 'kubernetes', path: '^/api/v1/pods' },
  { kind: 'kubernetes', path: '^/apis/apps/v1' },
] as const;

const BURST = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: burst, namespace: default }
spec:
  replicas: 0
  selector: { matchLabels: { app: burst } }
  template:
    metadata: { labels: { app: burst } }
    spec:
      containers: [{ name: burst, image: example.com/burst:1, resources: { requests: { cpu: 100m, memory: 100M } } }]
`;

/** Many pods at once, however the events of the cluster and of Azure follow each other. */
describe('five hundred pods bursting', () => {
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.start({ SIMULATOR_ESTATE: ESTATE, SIMULATOR_THROTTLE_SCALE: '0' });
    await stack.does('virtualNodes.enable', {
      cluster: CLUSTER,
      subnetName: 'burstsubnet',
      subnetPrefix: '10.1.0.0/22',
    });
    await stack.does('kubernetes.manifest.apply', { cluster: CLUSTER, manifest: BURST });
  }, 180_000);

  afterAll(() => stack.stop(), 60_000);

  /** All pages of a list. */
  async function all(route: string): Promise<Answer['body'][]> {
    const items: Answer['body'][] = [];
    for (let cursor = ''; ;) {
      const { body } = await stack.api(`${route}&limit=${PAGE}${cursor === '' ? '' : `&cursor=${cursor}`}`);
      items.push(...body.items);
      if (body.nextCursor === null) return items;
      cursor = encodeURIComponent(body.nextCursor);
    }
  }

  /** The uids of all objects of a list and of what each leads to by a relation, page by page to the end. */
  async function pairsOf(list: string, relation: string, filter: string): Promise<[string, string | null][]> {
    const pairs: [string, string | null][] = [];
    for (let after = ''; ;) {
      const { [list]: page } = await stack.asks(
        `{ ${list}(first: ${PAGE}, ${filter}${after}) { nodes { uid ${relation} { uid } } pageInfo { hasNextPage endCursor } } }`,
      );
      for (const node of page.nodes) pairs.push([node.uid, node[relation]?.uid ?? null]);
      if (!page.pageInfo.hasNextPage) return pairs;
      after = `, after: ${JSON.stringify(page.pageInfo.endCursor)}`;
    }
  }

  /** Lets answers of Azure and of the cluster come late, each in its own measure: the same for the same seed. */
  async function disturb(seed: number): Promise<void> {
    const random = randomOf(seed);
    const upTo = (most: number): number => Math.floor(random() * (most + 1));
    await stack.simulator('/settings', { method: 'POST', body: { lroSeconds: upTo(2), indexLagSeconds: upTo(3) } });
    for (let index = 0; index < 12; index++) {
      const match = DISTURBED[upTo(DISTURBED.length - 1)];
      const fault = { type: 'slow', milliseconds: upTo(1500) };
      const { status } = await stack.simulator('/faults', {
        method: 'POST',
        body: { match, times: 1 + upTo(3), fault },
      });
      expect(status).toBe(201);
    }
  }

  it.each([11, 23])(
    'ends with a container group for each pod, and relations that agree (seed %i)',
    async (seed) => {
      await disturb(seed);
      const workload = await stack.until('the workload', async () => {
        const { body } = await stack.api('/v1/workloads?q=burst&namespace=default');
        return body.items[0];
      });
      const burst = await stack.does('virtualNodes.workload.burst', { workload: workload.uid, replicas: PODS });
      expect(burst.result).toMatchObject({ replicas: PODS, readyOnVirtualNode: PODS });

      const [pods, groups] = await stack.until('the cache to have all of them', async () => {
        const lists = await Promise.all([
          all('/v1/pods?namespace=default&tag.app=burst'),
          all('/v1/container-groups?namespace=default'),
        ]);
        const isSettled =
          lists.every((items) => items.length === PODS) &&
          lists[0].every(({ properties }) => properties.ready) &&
          lists[1].every(({ properties }) => properties.state === 'Running' && properties.podState === 'Present');
        return isSettled ? lists : undefined;
      });
      const addressOf = new Map(groups.map(({ properties }) => [properties.podName, properties.ipAddress]));
      expect(pods.filter(({ name, properties }) => addressOf.get(name) !== properties.podIp)).toEqual([]);
      expect(new Set(addressOf.values()).size).toBe(PODS);

      const seen = await stack.until('the virtual node to have all of them', async () => {
        const { virtualNodes } = await stack.asks('{ virtualNodes { nodes { podCount workloads { name } } } }');
        return virtualNodes.nodes[0]?.podCount === PODS ? virtualNodes.nodes[0] : undefined;
      });
      expect(seen.workloads.map(({ name }: Answer['body']) => name)).toContain('burst');
      const [ofPods, ofGroups] = await stack.until(
        'each pod and its container group to lead to each other',
        async () => {
          const pairs = await Promise.all([
            pairsOf('pods', 'containerGroup', 'filter: { namespace: "default" }'),
            pairsOf('containerGroups', 'pod', 'filter: { namespace: "default" }'),
          ]);
          return pairs.every((each) => each.length === PODS && each.every(([, other]) => other !== null))
            ? pairs
            : undefined;
        },
      );
      const nameOfGroup = new Map(groups.map(({ uid, name }) => [uid, name]));
      const nameOfPod = new Map(pods.map(({ uid, name }) => [uid, name]));
      expect(ofPods.filter(([pod, group]) => nameOfGroup.get(group ?? '') !== `default-${nameOfPod.get(pod)}`)).toEqual(
        [],
      );
      const podOf = new Map(ofGroups);
      expect(ofPods.filter(([pod, group]) => podOf.get(group ?? '') !== pod)).toEqual([]);
      expect(podOf.size).toBe(PODS);

      await stack.does('kubernetes.workload.scale', { workload: workload.uid, replicas: 1 });
      await stack.until('one pod and one container group to be left', async () => {
        const left = await all('/v1/container-groups?namespace=default');
        return left.length === 1 && left[0]?.properties.podState === 'Present' ? true : undefined;
      });
      await stack.simulator('/faults', { method: 'DELETE' });
    },
    90_000,
  );
});

/** A linear congruential generator (Numerical Recipes): enough to deal out delays. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
