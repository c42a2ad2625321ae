import { describe, expect, it } from '@jest/globals';
import { generateEstate, parseEstateSize } from './estate.generator.js';
import { type EstateFile } from './estate.schema.js';
import { AKS_VERSION, SimulatedAzure, itemsOf } from './simulated-azure.harness.js';
import { createSimulator } from './simulator.server.js';

const SUBSCRIPTION_ID = '00000000-0000-4000-8000-000000000001';

function estateWith(resources: unknown[], location = 'eastus'): EstateFile {
  return {
    tenantId: '00000000-0000-4000-8000-000000000000',
    subscriptions: [
      {
        subscriptionId: SUBSCRIPTION_ID,
        displayName: 'one',
        resourceGroups: [{ name: 'group', location, resources: resources as never }],
      },
    ],
  };
}

describe('an estate', () => {
  const cases: { reason: string; estate: unknown; faults: RegExp[] }[] = [
    {
      reason: 'the shape',
      estate: { tenantId: 'x', subscriptions: [], extra: 1 },
      faults: [/tenantId: is not a uuid/, /subscriptions/, /extra/],
    },
    {
      reason: 'every resource that Azure would refuse',
      estate: estateWith([
        { type: 'Microsoft.ContainerService/fleets', name: 'Upper', location: 'eastus' },
        { type: 'Microsoft.ContainerService/fleets', name: 'f', location: 'moon' },
        { type: 'Microsoft.Nothing/things', name: 't' },
        { type: 'Microsoft.ContainerService/fleets/members', name: 'nofleet/m', properties: {} },
        { type: 'Microsoft.ContainerService/fleets', name: 'a/b', location: 'eastus' },
      ]),
      faults: [
        /Upper: InvalidParameter/,
        /there is no location 'moon'/,
        /things t: the type is not simulated/,
        /the parent is missing/,
        /a\/b: the name does not fit the type/,
      ],
    },
    {
      reason: 'what occurs twice',
      estate: estateWith([
        { type: 'Microsoft.ContainerService/fleets', name: 'f', location: 'eastus' },
        { type: 'Microsoft.ContainerService/fleets', name: 'F', location: 'eastus' },
      ]),
      faults: [/fleets F: occurs twice/],
    },
    {
      reason: 'a group in no region',
      estate: estateWith([], 'moon'),
      faults: [/resource group group: there is no location 'moon'/],
    },
  ];
  it.each(cases)('is refused with all its faults: $reason', async ({ estate, faults }) => {
    const failed = createSimulator({ estate: estate as EstateFile });
    await expect(failed).rejects.toMatchObject({ name: 'EstateError' });
    const message = await failed.then(String, String);
    for (const fault of faults) expect(message).toMatch(fault);
  });

  it('that is not there is refused', async () => {
    await expect(createSimulator({ estate: '/nowhere/estate.json' })).rejects.toMatchObject({ name: 'EstateError' });
  });

  it('may have members in one subscription and their clusters in another, in any order', async () => {
    const cluster = {
      type: 'Microsoft.ContainerService/managedClusters',
      name: 'c',
      location: 'eastus',
      identity: { type: 'SystemAssigned' },
      properties: { dnsPrefix: 'c', agentPoolProfiles: [{ name: 'system', mode: 'System' }] },
    };
    const other = '00000000-0000-4000-8000-000000000002';
    const id = `/subscriptions/${other}/resourceGroups/group/providers/Microsoft.ContainerService/managedClusters/c`;
    const first = estateWith([
      { type: 'Microsoft.ContainerService/fleets/members', name: 'f/m', properties: { clusterResourceId: id } },
      { type: 'Microsoft.ContainerService/fleets', name: 'f', location: 'eastus' },
    ]);
    const second = estateWith([cluster]).subscriptions.map((subscription) => ({
      ...subscription,
      subscriptionId: other,
    }));
    const azure = await SimulatedAzure.start({
      estate: { ...first, subscriptions: [...first.subscriptions, ...second] },
    });
    const path = `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/group/providers/Microsoft.ContainerService/fleets/f/members`;
    expect(itemsOf(await azure.get(path, '2026-06-01'))).toHaveLength(1);
    await azure.stop();
  });
});

describe('the generator', () => {
  it('makes the same estate of the same size, and another of another seed', () => {
    const size = parseEstateSize('clusters=20,fleets=2,pools=3,subscriptions=2');
    expect(generateEstate(size)).toEqual(generateEstate(size));
    expect(generateEstate({ ...size, seed: 2 })).not.toEqual(generateEstate(size));
  });

  it('makes as much as was asked for, all of it acceptable', async () => {
    const size = parseEstateSize('clusters=120,fleets=3,members=40,pools=2,subscriptions=2');
    const azure = await SimulatedAzure.start({ estate: size, settings: { throttleScale: 0, pageSize: 1000 } });
    const counts = await azure.query(
      "resources | where type =~ 'microsoft.containerservice/managedclusters' and name startswith 'aks-' | summarize n = count() by subscriptionId",
    );
    expect(counts.body.data).toEqual([expect.objectContaining({ n: 60 }), expect.objectContaining({ n: 60 })]);
    expect((await azure.query('aksresources | count')).body.data).toEqual([{ Count: 40 }]);
    const { subscriptions } = (await azure.control('GET', '/health')).body as {
      subscriptions: { subscriptionId: string }[];
    };
    const group = `/subscriptions/${subscriptions[0]?.subscriptionId}/resourceGroups/clusters-001/providers/Microsoft.ContainerService/managedClusters`;
    expect(itemsOf(await azure.get(group, AKS_VERSION))).toHaveLength(50);
    await azure.stop();
  });

  it.each([
    { text: 'clusters=3,pools=2,podsPerCluster=450', deployments: 23, nodes: 5, reason: 'twenty pods a deployment' },
    { text: 'clusters=3,podsPerCluster=450,deploymentsPerCluster=3', deployments: 3, nodes: 5, reason: 'as asked' },
  ])('gives clusters their pods and the nodes for them: $reason', ({ text, deployments, nodes }) => {
    const { workloads, subscriptions } = generateEstate(parseEstateSize(text));
    expect(workloads).toEqual({ deployments, pods: 450 });
    const clusters = subscriptions[0]?.resourceGroups?.[0]?.resources ?? [];
    for (const { properties } of clusters) {
      const { agentPoolProfiles } = properties as { agentPoolProfiles: { count: number }[] };
      expect(agentPoolProfiles.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThanOrEqual(nodes);
    }
  });

  it.each([
    ['clusters', 'no number'],
    ['clusters=-1', 'a negative number'],
    ['houses=3', 'an unknown name'],
    ['subscriptions=0', 'no subscription'],
    ['pools=0', 'no pool'],
    ['podsPerCluster=2,deploymentsPerCluster=3', 'a deployment without a pod'],
    ['clusters=5,members=6', 'more members than clusters'],
    ['clusters=2000,fleets=1,members=1001', 'more members than a fleet takes'],
  ])('refuses %s: %s', (text) => {
    expect(() => parseEstateSize(text)).toThrow(RangeError);
  });
});
