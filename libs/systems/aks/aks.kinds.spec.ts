import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { CLUSTER_ID, POOL_ID, clusterBody, poolProperties } from '#libs/testing/aks-samples.js';
import {
  agentPoolKind,
  describeAgentPool,
  describeManagedCluster,
  managedClusterKind,
  observeManagedCluster,
} from './aks.kinds.js';

const reading = { observedAt: new Date('2026-01-01T00:00:00Z'), source: 'ARM' as const };

function observed(body: JsonObject = clusterBody()) {
  const [cluster, ...pools] = observeManagedCluster(body, reading);
  return { cluster: cluster!, pools };
}

describe('observeManagedCluster', () => {
  it('gives the cluster with everything that the wire said, in the fields of the house', () => {
    const body = clusterBody({ futureField: { nested: 1 } });
    const { cluster } = observed({ ...body, futureSibling: 'kept' });
    expect(cluster).toMatchObject({
      kind: 'ManagedCluster',
      id: CLUSTER_ID,
      canonicalId: CLUSTER_ID.toLowerCase(),
      name: 'demo-aks01',
      location: 'eastus',
      resourceGroup: 'demo_aks01',
      provisioningState: 'Succeeded',
      health: { state: 'Healthy', reason: null },
      tags: { environment: 'demo' },
      etag: '"cluster-1"',
      relations: [],
    });
    expect(cluster.properties).toMatchObject({
      futureField: { nested: 1 },
      futureSibling: 'kept',
      sku: { name: 'Base', tier: 'Standard' },
      identity: { type: 'SystemAssigned' },
    });
    for (const elsewhere of ['id', 'name', 'type', 'location', 'tags', 'eTag', 'systemData', 'properties']) {
      expect(cluster.properties).not.toHaveProperty(elsewhere);
    }
  });

  it('gives the node pools inside it, owned by it', () => {
    const { pools } = observed();
    expect(pools).toHaveLength(1);
    expect(pools[0]).toMatchObject({
      kind: 'AgentPool',
      id: POOL_ID,
      name: 'nodepool1',
      location: 'eastus',
      tags: { env: 'dev' },
      etag: '"pool-1"',
      clusterUid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      relations: [{ type: 'owns', from: CLUSTER_ID.toLowerCase(), to: POOL_ID.toLowerCase() }],
    });
    // The pool's own kind, which in a profile has the name that ARM uses for its type.
    expect(pools[0]?.properties).toMatchObject({ type: 'VirtualMachineScaleSets', count: 1 });
    expect(pools[0]?.properties).not.toHaveProperty('name');
  });

  it('gives the same cluster from a row of Resource Graph, which fills absent columns', () => {
    const { eTag: _etag, systemData: _data, ...row } = clusterBody();
    const { cluster } = observed({
      ...row,
      kind: '',
      extendedLocation: null,
      resourceGroup: 'demo_aks01',
      subscriptionId: 's',
      tenantId: 't',
    });
    expect(cluster.properties).toEqual(observed().cluster.properties);
  });

  it.each([
    { change: { provisioningState: 'Succeeded' }, health: { state: 'Healthy', reason: null }, reason: 'at rest' },
    {
      change: { powerState: { code: 'Stopped' } },
      health: { state: 'Unknown', reason: expect.any(String) },
      reason: 'switched off on purpose',
    },
    {
      change: { provisioningState: 'Upgrading' },
      health: { state: 'Progressing', reason: expect.stringContaining('Upgrading') },
      reason: 'work goes on',
    },
    {
      change: { provisioningState: 'SomethingNew' },
      health: { state: 'Progressing', reason: expect.any(String) },
      reason: 'the states are free text: unknown ones are not ends',
    },
    {
      change: {
        provisioningState: 'Failed',
        status: { provisioningError: { code: 'SubnetIsFull', message: 'no room' } },
      },
      health: { state: 'Degraded', reason: 'SubnetIsFull: no room' },
      reason: 'failed, with the reason of Azure',
    },
    {
      change: { provisioningState: 'Canceled' },
      health: { state: 'Degraded', reason: expect.any(String) },
      reason: 'canceled half-way',
    },
    {
      change: { provisioningState: null },
      health: { state: 'Unknown', reason: expect.any(String) },
      reason: 'not said',
    },
  ])('is $health.state when $reason', ({ change, health }) => {
    expect(observed(clusterBody(change)).cluster.health).toEqual(health);
  });

  it.each([
    { body: { ...clusterBody(), id: undefined as never }, reason: 'without an id' },
    { body: { ...clusterBody(), id: 'nonsense' }, reason: 'with an id that is none' },
  ])('refuses an object $reason', ({ body }) => {
    expect(() => observeManagedCluster(body, reading)).toThrow(
      expect.objectContaining({ code: 'AZURE_UNEXPECTED_ANSWER' }),
    );
  });

  it('leaves out pools without a name rather than inventing one', () => {
    expect(observed(clusterBody({}, [{ count: 1 }])).pools).toEqual([]);
  });
});

describe('the typed view', () => {
  it('of a cluster', () => {
    const { cluster } = observed();
    expect(describeManagedCluster(cluster.properties)).toEqual({
      kubernetesVersion: '1.33',
      currentKubernetesVersion: '1.33.5',
      powerState: 'Running',
      fqdn: 'demo-aks01-dns-x.hcp.eastus.azmk8s.io',
      privateFqdn: null,
      nodeResourceGroup: 'MC_demo_aks01_demo-aks01_eastus',
      nodeCount: 1,
      nodePoolCount: 1,
      autoscalerEnabled: false,
      networkPlugin: 'azure',
      networkPluginMode: null,
      networkPolicy: 'azure',
      networkDataplane: 'azure',
      podCidr: null,
      serviceCidr: '10.0.0.0/16',
      dnsServiceIp: '10.0.0.10',
      outboundType: 'loadBalancer',
      loadBalancerSku: 'standard',
      virtualNetworkId: expect.stringMatching(/virtualNetworks\/demo-vnet$/),
      subnetIds: [expect.stringMatching(/subnets\/demo-aks01$/)],
      identityType: 'SystemAssigned',
      identityPrincipalId: '11111111-0000-0000-0000-000000000001',
      skuName: 'Base',
      skuTier: 'Standard',
      supportPlan: 'KubernetesOfficial',
      privateCluster: true,
      localAccountsDisabled: true,
      aadManaged: true,
      azureRbac: true,
      workloadIdentity: true,
      oidcIssuerUrl: 'https://eastus.oic.prod-aks.azure.com/t/i/',
      upgradeChannel: 'patch',
      nodeOsUpgradeChannel: 'NodeImage',
      addons: [
        { name: 'aciConnectorLinux', enabled: true },
        { name: 'azurepolicy', enabled: false },
      ],
      isFleetHub: false,
      lastOperationError: null,
    });
  });

  it('of a node pool', () => {
    expect(
      describeAgentPool(
        poolProperties({ enableAutoScaling: true, minCount: 1, maxCount: 5, scaleSetPriority: 'Spot' }),
      ),
    ).toEqual({
      count: 1,
      minCount: 1,
      maxCount: 5,
      autoscaling: true,
      vmSize: 'Standard_DS2_v2',
      mode: 'System',
      poolType: 'VirtualMachineScaleSets',
      osType: 'Linux',
      osSku: 'Ubuntu',
      kubernetesVersion: '1.33',
      currentKubernetesVersion: '1.33.5',
      nodeImageVersion: 'AKSUbuntu-2204gen2containerd-202601.05.0',
      powerState: 'Running',
      maxPods: 30,
      osDiskSizeGb: 128,
      zones: ['1', '2'],
      subnetId: expect.stringMatching(/subnets\/demo-aks01$/),
      podSubnetId: null,
      nodeLabels: { pool: 'nodepool1' },
      nodeTaints: ['dedicated=web:NoSchedule'],
      spot: true,
      lastOperationError: null,
    });
  });

  it.each([
    { pools: [{ count: 2 }, { count: 3 }], nodeCount: 5, reason: 'the sum over the pools' },
    { pools: [{ count: 2 }, {}], nodeCount: 2, reason: 'a pool that does not say counts nothing' },
    { pools: [], nodeCount: 0, reason: 'no pools' },
    {
      pools: [{ count: 2 ** 31 - 1 }, { count: 2 ** 31 - 1 }],
      nodeCount: 2 ** 31 - 1,
      reason: 'within what an integer field holds',
    },
  ])('counts $nodeCount nodes: $reason', ({ pools, nodeCount }) => {
    expect(describeManagedCluster({ agentPoolProfiles: pools }).nodeCount).toBe(nodeCount);
  });

  it('reads members whose names are written in another case, as the index does', () => {
    expect(describeAgentPool({ VnetSubnetId: 's', osSku: 'AzureLinux' })).toMatchObject({
      subnetId: 's',
      osSku: 'AzureLinux',
    });
  });

  it('knows the hub of a fleet by its node group', () => {
    expect(describeManagedCluster({ nodeResourceGroup: 'MC_FL_demo_aks-fleet01_eastus_hub_eastus' }).isFleetHub).toBe(
      true,
    );
  });
});

it('names what the surfaces are made from', () => {
  expect([managedClusterKind.name, agentPoolKind.name]).toEqual(['ManagedCluster', 'AgentPool']);
});
