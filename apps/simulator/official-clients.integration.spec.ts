import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ContainerServiceClient } from '@azure/arm-containerservice';
import { ContainerServiceFleetClient } from '@azure/arm-containerservicefleet';
import { ResourceGraphClient } from '@azure/arm-resourcegraph';
import { type TokenCredential } from '@azure/core-auth';
import { type HttpClient, createDefaultHttpClient } from '@azure/core-rest-pipeline';
import { CLUSTER_2, SUBSCRIPTION } from './simulated-azure.harness.js';
import { type Simulator, createSimulator } from './simulator.server.js';

/** The clients send bearer tokens to nothing but https; below them the request goes to the loopback interface. */
const ENDPOINT = 'https://simulator.invalid';

const credential: TokenCredential = {
  getToken: () => Promise.resolve({ token: 'test', expiresOnTimestamp: Date.now() + 3_600_000 }),
};

async function collected<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of pages) items.push(item);
  return items;
}

describe.each([
  { how: 'with forwarded headers', forwarded: true },
  { how: 'with the public URL set', forwarded: false },
])('checklist 1: the official clients, $how', ({ forwarded }) => {
  let simulator: Simulator;
  let options: { endpoint: string; httpClient: HttpClient };
  beforeEach(async () => {
    simulator = await createSimulator({
      settings: { lroSeconds: 0.2, indexLagSeconds: 0, retryAfterSeconds: 0, pageSize: 2 },
      ...(forwarded ? {} : { publicUrl: ENDPOINT }),
    });
    const base = await simulator.listen();
    const inner = createDefaultHttpClient();
    const httpClient: HttpClient = {
      sendRequest: async (request) => {
        const asked = request.url;
        request.url = asked.replace(ENDPOINT, base);
        request.allowInsecureConnection = true;
        if (forwarded) {
          request.headers.set('x-forwarded-host', 'simulator.invalid');
          request.headers.set('x-forwarded-proto', 'https');
        }
        try {
          return await inner.sendRequest(request);
        } finally {
          // The pollers take the resource's address from here.
          request.url = asked;
        }
      },
    };
    options = { endpoint: ENDPOINT, httpClient };
  });
  afterEach(async () => simulator.close());

  it('scale a node pool', async () => {
    const client = new ContainerServiceClient(credential, SUBSCRIPTION, options);
    const pool = await client.agentPools.get('demo_aks01', 'demo-aks01', 'nodepool1');
    const scaled = await client.agentPools.createOrUpdate(
      'demo_aks01',
      'demo-aks01',
      'nodepool1',
      { ...pool, count: 3 },
      { updateIntervalInMs: 20 },
    );
    expect([scaled.count, scaled.provisioningState]).toEqual([3, 'Succeeded']);
    expect(await collected(client.managedClusters.list())).toHaveLength(3);
    const { kubeconfigs } = await client.managedClusters.listClusterUserCredentials('demo_aks01', 'demo-aks01');
    expect(kubeconfigs?.[0]?.name).toBe('clusterUser');
  });

  it('stop, tag and delete a cluster', async () => {
    const client = new ContainerServiceClient(credential, SUBSCRIPTION, options);
    await client.managedClusters.stop('demo_aks01', 'demo-aks02', { updateIntervalInMs: 20 });
    expect((await client.managedClusters.get('demo_aks01', 'demo-aks02')).powerState?.code).toBe('Stopped');
    const tagged = await client.managedClusters.updateTags(
      'demo_aks01',
      'demo-aks02',
      { tags: { a: 'b' } },
      { updateIntervalInMs: 20 },
    );
    expect(tagged.tags).toMatchObject({ a: 'b', team: 'web' });
    await client.managedClusters.delete('demo_aks01', 'demo-aks02', { updateIntervalInMs: 20 });
    await expect(client.managedClusters.get('demo_aks01', 'demo-aks02')).rejects.toMatchObject({
      statusCode: 404,
      code: 'ResourceNotFound',
    });
  });

  it('make a fleet, let a cluster join, change and leave', async () => {
    const client = new ContainerServiceFleetClient(credential, SUBSCRIPTION, options);
    const fleet = await client.fleets.create(
      'demo_aks_fleetmng',
      'fleet02',
      { location: 'eastus', properties: { hubProfile: { dnsPrefix: 'fleet02' } } },
      { updateIntervalInMs: 20 },
    );
    expect(fleet.properties?.hubProfile?.fqdn).toContain('fleet02-');
    const member = await client.fleetMembers.create(
      'demo_aks_fleetmng',
      'fleet02',
      'demo-aks02',
      { properties: { clusterResourceId: CLUSTER_2, group: 'canary' } },
      { updateIntervalInMs: 20 },
    );
    expect([member.properties?.provisioningState, member.eTag]).toEqual(['Succeeded', expect.stringMatching(/^".*"$/)]);
    const updated = await client.fleetMembers.updateAsync(
      'demo_aks_fleetmng',
      'fleet02',
      'demo-aks02',
      { properties: { group: 'stable' } },
      { updateIntervalInMs: 20 },
    );
    expect(updated.properties?.group).toBe('stable');
    await client.fleetMembers.delete('demo_aks_fleetmng', 'fleet02', 'demo-aks02', { updateIntervalInMs: 20 });
    expect(await collected(client.fleetMembers.listByFleet('demo_aks_fleetmng', 'fleet02'))).toEqual([]);
    expect((await client.fleets.listCredentials('demo_aks_fleetmng', 'fleet02')).kubeconfigs).toHaveLength(1);
    await client.fleets.delete('demo_aks_fleetmng', 'fleet02', { updateIntervalInMs: 20 });
    expect(await collected(client.fleets.listBySubscription())).toHaveLength(1);
  });

  it('make a strategy and an update run, start it, and see it end', async () => {
    const client = new ContainerServiceFleetClient(credential, SUBSCRIPTION, options);
    const at = ['demo_aks_fleetmng', 'aks-fleet01'] as const;
    const quickly = { updateIntervalInMs: 20 };
    const member = { properties: { clusterResourceId: CLUSTER_2, group: 'canary' } };
    await client.fleetMembers.create(...at, 'demo-aks02', member, quickly);
    const strategy = { stages: [{ name: 'first', groups: [{ name: 'canary' }] }] };
    const made = await client.fleetUpdateStrategies.createOrUpdate(...at, 's', { properties: { strategy } }, quickly);
    const managedClusterUpdate = { upgrade: { type: 'Full', kubernetesVersion: '1.34.2' } };
    const wanted = { properties: { updateStrategyId: made.id ?? '', managedClusterUpdate } };
    const run = await client.updateRuns.createOrUpdate(...at, 'run', wanted, quickly);
    expect(run.properties?.status?.status?.state).toBe('NotStarted');
    await client.updateRuns.skip(...at, 'run', { targets: [{ type: 'Stage', name: 'first' }] }, quickly);
    await client.updateRuns.start(...at, 'run', quickly);
    const ended = await client.updateRuns.get(...at, 'run');
    expect(ended.properties?.status?.status?.state).toBe('Skipped');
    await client.updateRuns.delete(...at, 'run', quickly);
    expect(await collected(client.updateRuns.listByFleet(...at))).toEqual([]);
  });

  it('generate an update run from an auto-upgrade profile', async () => {
    const client = new ContainerServiceFleetClient(credential, SUBSCRIPTION, options);
    const at = ['demo_aks_fleetmng', 'aks-fleet01'] as const;
    const quickly = { updateIntervalInMs: 20 };
    await client.autoUpgradeProfiles.createOrUpdate(...at, 'p', { properties: { channel: 'Stable' } }, quickly);
    const { id } = await client.autoUpgradeProfileOperations.generateUpdateRun(...at, 'p', quickly);
    expect((await collected(client.updateRuns.listByFleet(...at))).map((run) => run.id)).toEqual([id]);
  });

  it('see an operation fail as they do on Azure', async () => {
    await fetch(`${simulator.app.listeningOrigin}/_simulator/operations/fail-next`, {
      method: 'POST',
      body: JSON.stringify({ error: { code: 'SubnetIsFull', message: 'The subnet is full.' } }),
    });
    const client = new ContainerServiceFleetClient(credential, SUBSCRIPTION, options);
    const failed = client.fleets.create(
      'demo_aks_fleetmng',
      'fleet03',
      { location: 'eastus' },
      { updateIntervalInMs: 20 },
    );
    await expect(Promise.resolve(failed)).rejects.toThrow(/SubnetIsFull/);
  });

  it('query Resource Graph', async () => {
    const client = new ResourceGraphClient(credential, options);
    const answer = await client.resources({
      query:
        "resources | where type =~ 'microsoft.containerservice/managedclusters' | project id, name | order by id asc",
      subscriptions: [SUBSCRIPTION],
      options: { top: 2 },
    });
    expect([answer.count, answer.totalRecords, answer.resultTruncated]).toEqual([2, 3, 'true']);
    expect(answer.skipToken).toEqual(expect.any(String));
  });
});
