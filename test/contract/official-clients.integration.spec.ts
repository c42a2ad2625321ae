import { ContainerServiceClient } from '@azure/arm-containerservice';
import { ContainerServiceFleetClient } from '@azure/arm-containerservicefleet';
import { afterAll, expect, it } from '@jest/globals';
import { AzureOnSimulator, SUBSCRIPTION } from './azure-on-simulator.js';

// The generated clients insist on https. That they work unchanged shows that the one transport is good for all clients, and
// that the simulator speaks to others than ours.
const world = await AzureOnSimulator.start({ settings: { lroSeconds: 0, pageSize: 1 } });
afterAll(() => world.stop());

const { credential, endpoint, transport } = world.azure;
const options = {
  endpoint: endpoint.clientOrigin,
  credentials: { scopes: [endpoint.tokenScope] },
  httpClient: transport,
  retryOptions: { maxRetries: 0 },
};

it('the official AKS client lists page by page and scales a pool', async () => {
  const client = new ContainerServiceClient(credential, SUBSCRIPTION, options);
  const names: string[] = [];
  for await (const cluster of client.managedClusters.list()) names.push(cluster.name ?? '');
  expect(names).toEqual(expect.arrayContaining(['demo-aks01', 'demo-aks02']));
  const pool = await client.agentPools.get('demo_aks01', 'demo-aks01', 'nodepool1');
  const scaled = await client.agentPools.createOrUpdate(
    'demo_aks01',
    'demo-aks01',
    'nodepool1',
    { ...pool, count: 2 },
    { updateIntervalInMs: 1 },
  );
  expect(scaled.count).toBe(2);
});

it('the official Fleet client makes a member leave', async () => {
  const client = new ContainerServiceFleetClient(credential, SUBSCRIPTION, options);
  await client.fleetMembers.delete('demo_aks_fleetmng', 'aks-fleet01', 'demo-aks01-demo-aks01', {
    updateIntervalInMs: 1,
  });
  const left: string[] = [];
  for await (const member of client.fleetMembers.listByFleet('demo_aks_fleetmng', 'aks-fleet01'))
    left.push(member.name ?? '');
  expect(left).toEqual([]);
});
