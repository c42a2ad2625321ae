import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { SCHEMAS_ARE_HERE, WHY_SKIPPED, schemaFaults } from '../arm-schema.validator.js';
import { SUBSCRIPTION, SimulatedAzure, codeOf, itemsOf, propertiesOf } from '../simulated-azure.harness.js';
import { SCENARIO_C } from '../simulator.options.js';

const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/akshci-eu/providers`;
const CLUSTER = `${GROUP}/Microsoft.Kubernetes/connectedClusters/edge01`;
const INSTANCE = `${CLUSTER}/providers/Microsoft.HybridContainerService/provisionedClusterInstances/default`;
const POOLS = `${INSTANCE}/agentPools`;
const HOST = `${GROUP}/Microsoft.ExtendedLocation/customLocations/hci-host`;
const VERSIONS = `${HOST}/providers/Microsoft.HybridContainerService/kubernetesVersions/default`;
const SKUS = `${HOST}/providers/Microsoft.HybridContainerService/skus/default`;
const NETWORK = `${GROUP}/Microsoft.AzureStackHCI/logicalNetworks/lnet-static`;
const VERSION = '2024-01-01';
const INSTANCE_TYPE = 'Microsoft.HybridContainerService/provisionedClusterInstances';

const cluster: JsonObject = {
  kind: 'ProvisionedCluster',
  location: 'eastus',
  identity: { type: 'SystemAssigned' },
  properties: { agentPublicKeyCertificate: '' },
};
const extendedLocation: JsonObject = { type: 'CustomLocation', name: HOST };

function instanceBody(change: JsonObject = {}, network: string = NETWORK): JsonObject {
  return {
    extendedLocation,
    properties: {
      kubernetesVersion: '1.29.7',
      controlPlane: { count: 1, vmSize: 'Standard_A4_v2' },
      networkProfile: { loadBalancerProfile: { count: 1 }, networkPolicy: 'calico', podCidr: '10.244.0.0/16' },
      agentPoolProfiles: [
        { name: 'linuxpool', count: 2, vmSize: 'Standard_A4_v2', osType: 'Linux' },
        { name: 'winpool', count: 1, vmSize: 'Standard_D4s_v3', osType: 'Windows', osSKU: 'Windows2022' },
      ],
      cloudProviderProfile: { infraNetworkProfile: { vnetSubnetIds: [network] } },
      ...change,
    },
  };
}

let azure: SimulatedAzure;
beforeEach(async () => {
  azure = await SimulatedAzure.start({ estate: SCENARIO_C });
});
afterEach(async () => azure.stop());

async function create(change: JsonObject = {}, network?: string) {
  await azure.put(CLUSTER, VERSION, cluster);
  azure.finishOperations();
  return azure.put(INSTANCE, VERSION, instanceBody(change, network));
}

const poolBody = (properties: JsonObject): JsonObject => ({ extendedLocation, properties });

describe('a workload cluster on Azure Stack HCI', () => {
  it('is made by two PUTs, and Azure then sees it connected', async () => {
    const created = await create();
    expect(created.status).toBe(201);
    expect(propertiesOf(created.body)).toMatchObject({
      provisioningState: 'Creating',
      status: { currentState: 'Creating', controlPlaneStatus: expect.arrayContaining([]) },
    });
    expect(created.headers['azure-asyncoperation']).toMatch(/operationStatuses\/[0-9a-f-]+\*[0-9A-F]{64}/);
    expect(created.headers.location).toBe(created.headers['azure-asyncoperation']);
    azure.finishOperations();
    const properties = propertiesOf((await azure.get(INSTANCE, VERSION)).body);
    expect(properties).toMatchObject({
      provisioningState: 'Succeeded',
      agentPoolProfiles: [
        { name: 'linuxpool', count: 2, osSKU: 'CBLMariner', kubernetesVersion: '1.29.7' },
        { name: 'winpool', count: 1, osType: 'Windows' },
      ],
    });
    expect(propertiesOf((await azure.get(CLUSTER, VERSION)).body)).toMatchObject({
      connectivityStatus: 'Connected',
      distribution: 'aks_workload',
      infrastructure: 'azure_stack_hci',
      kubernetesVersion: '1.29.7',
    });
    expect(itemsOf(await azure.get(POOLS, VERSION)).map(({ name }) => name)).toEqual(['linuxpool', 'winpool']);
    expect(itemsOf(await azure.get(INSTANCE.replace('/default', ''), VERSION))).toHaveLength(1);
  });

  it.each<{ change: JsonObject; network?: string; code: string; reason: string }>([
    {
      change: { kubernetesVersion: '1.22.1' },
      code: 'InvalidKubernetesVersion',
      reason: 'the host has no such version',
    },
    { change: { kubernetesVersion: '1.30.4' }, code: 'KubernetesVersionNotReady', reason: 'nor its Windows image yet' },
    { change: { controlPlane: { count: 2 } }, code: 'InvalidControlPlaneCount', reason: 'two cannot decide' },
    { change: { controlPlane: { count: 1, vmSize: 'Huge' } }, code: 'InvalidVmSize', reason: 'no such machine' },
    { change: { agentPoolProfiles: [{ name: 'Bad Name' }] }, code: 'InvalidResourceName', reason: 'a bad pool name' },
    {
      change: { agentPoolProfiles: [{ name: 'winpool', osType: 'Windows', count: 1 }] },
      code: 'LinuxNodePoolRequired',
      reason: 'agents need Linux',
    },
    {
      change: { agentPoolProfiles: [{ name: 'linuxpool', count: 65 }] },
      code: 'NodeLimitExceeded',
      reason: 'too many nodes',
    },
    { change: {}, network: 'lnet-dynamic', code: 'InvalidLogicalNetwork', reason: 'dynamic addresses' },
    { change: {}, network: 'lnet-without-dns', code: 'InvalidLogicalNetwork', reason: 'no DNS server' },
    { change: {}, network: 'lnet-gone', code: 'LogicalNetworkNotFound', reason: 'no network' },
  ])('is refused with $code: $reason', async ({ change, network = 'lnet-static', code }) => {
    const answer = await create(change, NETWORK.replace('lnet-static', network));
    expect(answer.status).toBe(400);
    expect(codeOf(answer)).toBe(code);
  });

  it('extends connected clusters of its kind only', async () => {
    const { kind: _kind, ...other } = cluster;
    await azure.put(CLUSTER, VERSION, other);
    azure.finishOperations();
    expect(codeOf(await azure.put(INSTANCE, VERSION, instanceBody()))).toBe('InvalidConnectedCluster');
  });

  it('fails when the network has no address left, and tells so', async () => {
    const pools = Array.from({ length: 4 }, (_, index) => ({ name: `pool${index}`, count: 15 }));
    const created = await create({ agentPoolProfiles: pools, controlPlane: { count: 5 } });
    expect(created.status).toBe(201);
    azure.finishOperations();
    expect(propertiesOf((await azure.get(INSTANCE, VERSION)).body)).toMatchObject({
      provisioningState: 'Failed',
      status: { currentState: 'Failed', errorMessage: expect.stringContaining('no available IP address') },
    });
  });

  it('forgets the failure of the past when it is tried again', async () => {
    const error = { code: 'ArcAgents', message: 'Error: create: failed to create: namespaces "arc" not found' };
    await azure.control('POST', '/operations/fail-next', { match: { resourceId: INSTANCE }, error });
    await create();
    azure.finishOperations();
    expect(propertiesOf((await azure.get(INSTANCE, VERSION)).body)).toMatchObject({
      provisioningState: 'Failed',
      status: { errorMessage: error.message },
    });
    expect(propertiesOf((await azure.get(CLUSTER, VERSION)).body).connectivityStatus).toBe('Connecting');
    await azure.put(INSTANCE, VERSION, instanceBody());
    azure.finishOperations();
    const properties = propertiesOf((await azure.get(INSTANCE, VERSION)).body);
    expect(properties.provisioningState).toBe('Succeeded');
    expect(properties.status).not.toHaveProperty('errorMessage');
  });

  it('takes one change at a time, its pools included', async () => {
    await create();
    expect((await azure.put(`${POOLS}/more`, VERSION, poolBody({ count: 1 }))).status).toBe(409);
  });

  it('takes addresses from the pools of its network', async () => {
    await create();
    azure.finishOperations();
    const { subnets } = propertiesOf((await azure.get(NETWORK, VERSION)).body);
    // One control-plane node, one load balancer, three nodes.
    expect(subnets).toMatchObject([{ properties: { ipPools: [{ info: { used: '5', available: '56' } }] } }]);
  });

  it('is upgraded step by step, its pools with it', async () => {
    await create();
    azure.finishOperations();
    expect(codeOf(await azure.put(INSTANCE, VERSION, instanceBody({ kubernetesVersion: '1.28.12' })))).toBe(
      'InvalidKubernetesVersion',
    );
    const upgraded = await azure.put(INSTANCE, VERSION, instanceBody({ kubernetesVersion: '1.29.9' }));
    expect(propertiesOf(upgraded.body).provisioningState).toBe('Upgrading');
    azure.finishOperations();
    const pools = itemsOf(await azure.get(POOLS, VERSION));
    expect(pools.map((pool) => propertiesOf(pool).kubernetesVersion)).toEqual(['1.29.9', '1.29.9']);
  });

  it('goes with its pools; its connected cluster stays', async () => {
    await create();
    azure.finishOperations();
    const deleted = await azure.send('DELETE', INSTANCE, { version: VERSION });
    expect([deleted.status, deleted.text]).toEqual([202, 'null']);
    azure.finishOperations();
    expect((await azure.get(INSTANCE, VERSION)).status).toBe(404);
    expect((await azure.get(`${POOLS}/linuxpool`, VERSION)).status).toBe(404);
    expect((await azure.get(CLUSTER, VERSION)).status).toBe(200);
  });

  it('gives its kubeconfig in the status of the operation and nowhere else', async () => {
    await create();
    const early = await azure.send('POST', `${INSTANCE}/listUserKubeconfig`, { version: VERSION });
    expect(codeOf(early)).toBe('ClusterNotReady');
    azure.finishOperations();
    const asked = await azure.send('POST', `${INSTANCE}/listUserKubeconfig`, { version: VERSION });
    expect([asked.status, asked.text]).toEqual([202, '']);
    azure.finishOperations();
    const { body } = await azure.follow(asked.headers['azure-asyncoperation']);
    const { kubeconfigs } = propertiesOf(body);
    expect(kubeconfigs).toMatchObject([{ name: 'clusterUser', value: expect.any(String) }]);
    expect(propertiesOf((await azure.get(INSTANCE, VERSION)).body).provisioningState).toBe('Succeeded');
  });

  it('has nodes of both systems, and a disk class without a file system', async () => {
    await create();
    azure.finishOperations();
    const { body } = await azure.control('GET', '/kubernetes');
    expect(body.clusters).toEqual(expect.arrayContaining([expect.objectContaining({ name: 'edge01', api: 'up' })]));
  });
});

describe('a pool', () => {
  beforeEach(async () => {
    await create();
    azure.finishOperations();
  });

  it('is added, scaled and deleted', async () => {
    const more = `${POOLS}/more`;
    expect((await azure.put(more, VERSION, poolBody({ count: 1 }))).status).toBe(201);
    azure.finishOperations();
    expect((await azure.put(more, VERSION, poolBody({ count: 3 }))).status).toBe(200);
    azure.finishOperations();
    expect(propertiesOf((await azure.get(more, VERSION)).body)).toMatchObject({
      count: 3,
      status: { currentState: 'Succeeded', readyReplicas: [{ count: 3 }] },
    });
    await azure.send('DELETE', more, { version: VERSION });
    azure.finishOperations();
    expect((await azure.get(more, VERSION)).status).toBe(404);
  });

  it('keeps what cannot be changed', async () => {
    const answer = await azure.put(`${POOLS}/linuxpool`, VERSION, poolBody({ vmSize: 'Standard_D8s_v3', count: 2 }));
    expect(codeOf(answer)).toBe('PropertyChangeNotAllowed');
  });
});

describe('what a host has', () => {
  it('is known once Azure was asked to fetch it', async () => {
    expect((await azure.get(VERSIONS, VERSION)).status).toBe(404);
    for (const path of [VERSIONS, SKUS]) await azure.put(path, VERSION, { extendedLocation });
    azure.finishOperations();
    expect(propertiesOf((await azure.get(VERSIONS, VERSION)).body).values).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          version: '1.30',
          patchVersions: expect.objectContaining({ '1.30.4': expect.anything() }),
        }),
      ]),
    );
    expect(propertiesOf((await azure.get(SKUS, VERSION)).body).values).toEqual(
      expect.arrayContaining([expect.objectContaining({ name: 'Standard_A4_v2' })]),
    );
  });
});

(SCHEMAS_ARE_HERE ? describe : describe.skip)(
  SCHEMAS_ARE_HERE ? 'AKS on Azure Stack HCI against the official ARM types' : WHY_SKIPPED,
  () => {
    it('instances, pools and versions, while they are made and when they are there', async () => {
      const expectFaultless = (type: string, body: JsonObject): void => {
        expect(schemaFaults(type, VERSION, 'response', body)).toEqual([]);
      };
      expect(schemaFaults(INSTANCE_TYPE, VERSION, 'request', instanceBody())).toEqual([]);
      expectFaultless(INSTANCE_TYPE, (await create()).body);
      azure.finishOperations();
      expectFaultless(INSTANCE_TYPE, (await azure.get(INSTANCE, VERSION)).body);
      expectFaultless(`${INSTANCE_TYPE}/agentPools`, (await azure.get(`${POOLS}/winpool`, VERSION)).body);
      await azure.put(VERSIONS, VERSION, { extendedLocation });
      azure.finishOperations();
      const type = 'Microsoft.HybridContainerService/kubernetesVersions';
      expectFaultless(type, (await azure.get(VERSIONS, VERSION)).body);
    });
  },
);
