import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack, type Answer } from './stack.js';

const ESTATE = path.resolve(import.meta.dirname, '../../apps/simulator/estates/scenario-e.estate.json');
const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
const CLUSTER = `/subscriptions/${SUBSCRIPTION}/resourceGroups/netcoresample/providers/Microsoft.ContainerService/managedClusters/netcoresampleaks`;
const PODS = 500;
const PAGE = 200;

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
  }, 120_000);

  afterAll(() => stack.stop(), 60_000);

  async function does(type: string, input: Record<string, unknown>): Promise<Answer['body']> {
    const accepted = await stack.startOperation(type, input);
    const operation = await stack.endOf(accepted.body.id);
    expect(operation).toMatchObject({ type, status: 'Succeeded', error: null });
    return operation;
  }

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

  it('ends with a container group for each pod, and relations that agree', async () => {
    await does('virtualNodes.enable', { cluster: CLUSTER, subnetName: 'burstsubnet', subnetPrefix: '10.1.0.0/22' });
    await does('kubernetes.manifest.apply', { cluster: CLUSTER, manifest: BURST });
    const workload = await stack.until('the workload', async () => {
      const { body } = await stack.api('/v1/workloads?q=burst&namespace=default');
      return body.items[0];
    });
    const burst = await does('virtualNodes.workload.burst', { workload: workload.uid, replicas: PODS });
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

    const seen = await stack.until('the relations to agree', async () => {
      const { body } = await stack.graphql(`{
        virtualNodes { nodes { podCount workloads { name } containerGroups { pod { name } } } }
      }`);
      expect(body.errors).toBeUndefined();
      const [node] = body.data.virtualNodes.nodes;
      return node?.podCount === PODS ? node : undefined;
    });
    expect(seen.workloads.map(({ name }: Answer['body']) => name)).toContain('burst');
    expect(seen.containerGroups.filter(({ pod }: Answer['body']) => pod === null)).toEqual([]);

    await does('kubernetes.workload.scale', { workload: workload.uid, replicas: 1 });
    await stack.until('one pod and one container group to be left', async () => {
      const left = await all('/v1/container-groups?namespace=default');
      return left.length === 1 && left[0]?.properties.podState === 'Present' ? true : undefined;
    });
  }, 60_000);
});
