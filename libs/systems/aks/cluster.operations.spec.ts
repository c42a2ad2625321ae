import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { refusal } from '#libs/testing/fake-arm.js';
import {
  GROUP_ID,
  NETWORK_ID,
  PROVIDER_ID,
  aksOperation,
  aksWorld,
  type GivenAks,
} from '#libs/testing/aks-operation.harness.js';
import { CLUSTER_ID, SUBSCRIPTION, poolProperties } from '#libs/testing/aks-samples.js';

interface Row {
  given?: GivenAks;
  input?: JsonObject;
  found: string[];
  reason: string;
}

const NEW = CLUSTER_ID.replace('demo-aks01', 'new');
const wanted = {
  subscriptionId: SUBSCRIPTION,
  resourceGroup: 'demo_aks01',
  name: 'new',
  location: 'eastus',
  systemPool: { vmSize: 'Standard_D2s_v5' },
};
const pool = (name: string, change: JsonObject = {}): JsonObject => ({ name, ...poolProperties(change) });

describe('aks.cluster.create: checks before it starts', () => {
  it.each<Row>([
    { found: [], reason: 'all is well' },
    { input: { kubernetesVersion: '1.34' }, found: [], reason: 'the newest patch of it is on offer' },
    { input: { kubernetesVersion: '1.29' }, found: ['VERSION_NOT_OFFERED'], reason: 'nobody offers it any more' },
    { input: { kubernetesVersion: '1.35' }, found: ['VERSION_IS_PREVIEW'], reason: 'it is a preview' },
    {
      given: { missing: [PROVIDER_ID] },
      found: ['PROVIDER_NOT_REGISTERED'],
      reason: 'the provider is not registered',
    },
    { input: { location: 'mars' }, found: ['LOCATION_NOT_SUPPORTED', 'REGIONAL_CORES_UNKNOWN'], reason: 'no region' },
    {
      given: {
        objects: {
          [PROVIDER_ID]: {
            registrationState: 'Registered',
            resourceTypes: [{ resourceType: 'managedClusters', apiVersions: ['2030-01-01'] }],
          },
        },
      },
      found: ['API_VERSION_RETIRED'],
      reason: 'Azure has moved on',
    },
    { given: { missing: [GROUP_ID] }, found: ['RESOURCE_GROUP_NOT_FOUND'], reason: 'the group is not there' },
    { input: { name: 'demo-aks01' }, found: ['CLUSTER_EXISTS'], reason: 'it is there already' },
    {
      input: { name: 'demo-aks01', location: 'westeurope' },
      found: ['CLUSTER_EXISTS_DIFFERENT'],
      reason: 'it is there, elsewhere',
    },
    {
      input: { name: 'demo-aks01', networkPlugin: 'kubenet' },
      found: ['KUBENET_RETIRES', 'NO_VIRTUAL_NODES', 'CLUSTER_EXISTS_DIFFERENT'],
      reason: 'it is there with another network',
    },
    { input: { networkPluginMode: 'overlay' }, found: ['NO_VIRTUAL_NODES'], reason: 'an overlay keeps pods apart' },
    {
      input: { networkPlugin: 'none', networkPluginMode: 'overlay' },
      found: ['NETWORK_OPTIONS_CONFLICT', 'NO_VIRTUAL_NODES'],
      reason: 'the overlay is one of Azure CNI',
    },
    { input: { podCidr: '10.244.0.0/16' }, found: ['NETWORK_OPTIONS_CONFLICT'], reason: 'pods are in the subnet' },
    {
      input: { serviceCidr: '10.9.0.0/16' },
      found: ['NETWORK_OPTIONS_CONFLICT'],
      reason: 'the DNS address is missing',
    },
    {
      input: { systemPool: { vmSize: 'Standard_D2s_v5', count: 0 } },
      found: ['SYSTEM_POOL_NEEDS_NODE'],
      reason: 'system pods need a node',
    },
    {
      input: { systemPool: { vmSize: 'Standard_D2s_v5', count: 1, autoscaler: { minCount: 2, maxCount: 3 } } },
      found: ['AUTOSCALER_LIMITS_CONFLICT'],
      reason: 'one is less than two',
    },
    {
      input: { systemPool: { vmSize: 'Standard_D2s_v5', count: 51 } },
      found: ['REGIONAL_CORES_SHORT'],
      reason: '102 cores at least',
    },
    { input: { subnet: `${NETWORK_ID}/subnets/demo-aks01` }, found: ['SUBNET_NEEDS_ROLE'], reason: 'its own subnet' },
    {
      input: { subnet: `${NETWORK_ID}/subnets/gone` },
      found: ['SUBNET_NOT_FOUND', 'SUBNET_NEEDS_ROLE'],
      reason: 'no such subnet',
    },
    {
      input: { subnet: `${NETWORK_ID}/subnets/aci` },
      found: ['SUBNET_DELEGATED', 'SUBNET_NEEDS_ROLE'],
      reason: 'it belongs to container instances',
    },
    {
      input: { subnet: `${NETWORK_ID}/subnets/small` },
      found: ['SUBNET_TOO_SMALL', 'SUBNET_NEEDS_ROLE'],
      reason: '2 x 31 addresses, of 25',
    },
    {
      input: { subnet: `${NETWORK_ID}/subnets/small`, networkPluginMode: 'overlay' },
      found: ['NO_VIRTUAL_NODES', 'SUBNET_NEEDS_ROLE'],
      reason: 'in an overlay only nodes have addresses of it',
    },
  ])('$found: $reason', async ({ given, input, found }) => {
    expect(await aksOperation(aksWorld(given), 'aks.cluster.create', { ...wanted, ...input }).findings()).toEqual(
      found,
    );
  });

  it.each([
    { path: /\/Microsoft\.ContainerService$/, code: 'SubscriptionNotFound', found: ['SUBSCRIPTION_NOT_FOUND'] },
    { path: /\/kubernetesVersions$/, code: 'AuthorizationFailed', found: ['VERSIONS_UNKNOWN'] },
    {
      path: /\/virtualNetworks\//,
      code: 'AuthorizationFailed',
      found: ['SUBNET_UNREADABLE', 'SUBNET_NEEDS_ROLE'],
    },
  ])('says what it could not read: $found', async ({ path, code, found }) => {
    const arm = aksWorld();
    arm.answer('GET', path, refusal(code === 'SubscriptionNotFound' ? 404 : 403, code, 'no'));
    const subnet = found.includes('SUBNET_UNREADABLE') ? { subnet: `${NETWORK_ID}/subnets/demo-aks01` } : {};
    const input = { ...wanted, kubernetesVersion: '1.34', ...subnet };
    expect(await aksOperation(arm, 'aks.cluster.create', input).findings()).toEqual(found);
  });

  it('offers to register the provider', async () => {
    const arm = aksWorld({ missing: [PROVIDER_ID] });
    const { operation, context } = aksOperation(arm, 'aks.cluster.create', wanted);
    const [finding] = await operation.preflight(context);
    expect(finding?.operations).toEqual([
      {
        type: 'azure.provider.register',
        input: { subscriptionId: SUBSCRIPTION, namespace: 'Microsoft.ContainerService' },
      },
    ]);
  });

  it('sends what was asked for, once, and waits', async () => {
    const arm = aksWorld();
    const { step, verify } = aksOperation(arm, 'aks.cluster.create', { ...wanted, kubernetesVersion: '1.34' });
    expect(await step('create')).toMatchObject({ outcome: 'wait' });
    expect(await step('create')).toMatchObject({ outcome: 'wait' });
    arm.settle();
    expect(await step('create')).toMatchObject({ outcome: 'done' });
    expect(arm.writes()).toEqual([`PUT ${NEW.replace('resourcegroups', 'resourceGroups')}`]);
    expect(await verify()).toMatchObject({ verdict: 'reached', observations: [{}, {}] });
    expect(arm.requests.find(({ method }) => method === 'PUT')?.headers['if-none-match']).toBe('*');
  });

  it('ends where another cluster has taken the name meanwhile', async () => {
    const { step } = aksOperation(aksWorld(), 'aks.cluster.create', {
      ...wanted,
      name: 'demo-aks01',
      location: 'westeurope',
    });
    await expect(step('create')).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

const HUB = { nodeResourceGroup: 'MC_FL_rg_f_eastus' };
const ADDON = { addonProfiles: { ACIConnectorLinux: { enabled: true } } };
const MEMBER = `${GROUP_ID}/providers/Microsoft.ContainerService/fleets/f/members/m`;

describe('aks.cluster.delete: checks before it starts', () => {
  it.each<Row>([
    { found: ['NODES_ARE_DELETED'], reason: 'all is well' },
    { given: { missing: [CLUSTER_ID] }, found: ['CLUSTER_GONE'], reason: 'it is gone' },
    { given: { cluster: HUB }, found: ['HUB_CLUSTER_READ_ONLY', 'NODES_ARE_DELETED'], reason: 'it is a hub' },
    {
      given: { cluster: { provisioningState: 'Updating' } },
      found: ['CLUSTER_BUSY', 'NODES_ARE_DELETED'],
      reason: 'it changes',
    },
    {
      given: { cluster: { provisioningState: 'Failed' } },
      found: ['CLUSTER_FAILED', 'NODES_ARE_DELETED'],
      reason: 'it is at fault',
    },
    {
      given: { cluster: ADDON },
      found: ['VIRTUAL_NODES_ENABLED', 'NODES_ARE_DELETED'],
      reason: 'virtual nodes hold it up',
    },
    {
      given: { objects: { [MEMBER]: { id: MEMBER, properties: { clusterResourceId: CLUSTER_ID } } } },
      found: ['NODES_ARE_DELETED', 'FLEET_MEMBER'],
      reason: 'a fleet would keep a member that is not there',
    },
  ])('$found: $reason', async ({ given, found }) => {
    const { findings } = aksOperation(aksWorld(given), 'aks.cluster.delete', { cluster: CLUSTER_ID });
    expect(await findings()).toEqual(found);
  });

  it('says that it could not ask for memberships', async () => {
    const arm = aksWorld();
    arm.answer('POST', /Microsoft\.ResourceGraph/i, refusal(403, 'AuthorizationFailed', 'no'));
    const { findings } = aksOperation(arm, 'aks.cluster.delete', { cluster: CLUSTER_ID });
    expect(await findings()).toEqual(['NODES_ARE_DELETED', 'MEMBERSHIP_UNKNOWN']);
  });

  it('waits for what goes on, and deletes once', async () => {
    const busy = aksOperation(aksWorld({ cluster: { provisioningState: 'Updating' } }), 'aks.cluster.delete', {
      cluster: CLUSTER_ID,
    });
    expect(await busy.step('delete')).toMatchObject({ outcome: 'blocked' });
    const arm = aksWorld();
    const { step, verify } = aksOperation(arm, 'aks.cluster.delete', { cluster: CLUSTER_ID });
    expect(await step('delete')).toMatchObject({ outcome: 'wait' });
    expect(await verify()).toMatchObject({ verdict: 'pending' });
    arm.settle();
    expect(await step('delete')).toMatchObject({ outcome: 'done' });
    expect(await verify()).toMatchObject({ verdict: 'reached' });
    expect(arm.writes()).toEqual([`DELETE ${CLUSTER_ID}`]);
  });
});

describe('aks.cluster.start and stop: checks before they start', () => {
  const stopped = { cluster: { powerState: { code: 'Stopped' } } };
  it.each<Row & { type: string }>([
    { type: 'start', given: stopped, found: [], reason: 'it can be started' },
    { type: 'start', found: ['ALREADY_RUNNING'], reason: 'it runs' },
    { type: 'start', given: { missing: [CLUSTER_ID] }, found: ['CLUSTER_NOT_FOUND'], reason: 'it is gone' },
    {
      type: 'start',
      given: { ...stopped, pools: [pool('nodepool1', { count: 51 })] },
      found: ['REGIONAL_CORES_SHORT'],
      reason: 'its nodes need cores again',
    },
    {
      type: 'start',
      given: { cluster: { ...stopped.cluster, ...HUB } },
      found: ['HUB_CLUSTER_READ_ONLY'],
      reason: 'it is a hub',
    },
    { type: 'stop', found: ['WORKLOADS_STOP'], reason: 'it can be stopped' },
    { type: 'stop', given: stopped, found: ['ALREADY_STOPPED'], reason: 'it is stopped' },
    { type: 'stop', given: { missing: [CLUSTER_ID] }, found: ['CLUSTER_NOT_FOUND'], reason: 'it is gone' },
    {
      type: 'stop',
      given: { cluster: ADDON },
      found: ['VIRTUAL_NODES_ENABLED', 'WORKLOADS_STOP'],
      reason: 'virtual nodes hold it up',
    },
    {
      type: 'stop',
      given: { pool: { provisioningState: 'Scaling' } },
      found: ['CLUSTER_BUSY', 'WORKLOADS_STOP'],
      reason: 'a pool changes',
    },
  ])('$type, $found: $reason', async ({ type, given, found }) => {
    const { findings } = aksOperation(aksWorld(given), `aks.cluster.${type}`, { cluster: CLUSTER_ID });
    expect(await findings()).toEqual(found);
  });

  it.each([
    { state: 'Succeeded', power: 'Stopped', verdict: 'reached', reason: 'it is so' },
    { state: 'Stopping', power: 'Running', verdict: 'pending', reason: 'it is on its way' },
    { state: 'Updating', power: 'Running', verdict: 'pending', reason: 'something else goes on' },
    { state: 'Succeeded', power: 'Running', verdict: 'missed', reason: 'somebody has started it again' },
    { state: 'Failed', power: 'Running', verdict: 'missed', reason: 'it has failed' },
  ])('says stopped only when it is so, $verdict: $reason', async ({ state, power, verdict }) => {
    const arm = aksWorld({ cluster: { provisioningState: state, powerState: { code: power } } });
    const { verify } = aksOperation(arm, 'aks.cluster.stop', { cluster: CLUSTER_ID });
    expect(await verify()).toMatchObject({ verdict });
  });
});

describe('aks.cluster.upgrade: checks before it starts', () => {
  const none = { autoUpgradeProfile: {} };
  it.each<Row>([
    { given: { cluster: none }, found: [], reason: 'all is well' },
    { found: ['AUTO_UPGRADE_ON'], reason: 'AKS upgrades as well' },
    { given: { missing: [CLUSTER_ID] }, found: ['CLUSTER_NOT_FOUND'], reason: 'it is gone' },
    { given: { cluster: { ...none, ...HUB } }, found: ['HUB_CLUSTER_READ_ONLY'], reason: 'it is a hub' },
    {
      given: { cluster: { ...none, powerState: { code: 'Stopped' } } },
      found: ['CLUSTER_STOPPED'],
      reason: 'it is stopped',
    },
    { given: { cluster: { ...none, ...ADDON } }, found: ['VIRTUAL_NODES_ENABLED'], reason: 'virtual nodes' },
    {
      given: { cluster: none },
      input: { kubernetesVersion: '1.36' },
      found: ['VERSION_NOT_OFFERED'],
      reason: 'not offered',
    },
    {
      given: { cluster: none },
      input: { kubernetesVersion: '1.35' },
      found: ['VERSION_IS_PREVIEW'],
      reason: 'a preview',
    },
    { given: { cluster: none }, input: { kubernetesVersion: '1.32' }, found: ['VERSION_IS_OLDER'], reason: 'older' },
    { given: { cluster: none }, input: { kubernetesVersion: '1.33' }, found: ['ALREADY_AT_VERSION'], reason: 'there' },
    {
      given: { cluster: none, pool: { currentOrchestratorVersion: '1.30.1' } },
      found: ['NODE_POOLS_FAR_BEHIND'],
      reason: '4 minor versions apart',
    },
    {
      given: { cluster: none },
      input: { controlPlaneOnly: true },
      found: ['NODE_POOLS_STAY_BEHIND'],
      reason: 'the pools stay',
    },
    {
      given: { cluster: none, pools: [pool('nodepool1'), pool('off', { powerState: { code: 'Stopped' } })] },
      found: ['NODE_POOLS_STOPPED'],
      reason: 'a pool is off',
    },
  ])('$found: $reason', async ({ given, input, found }) => {
    const { findings } = aksOperation(aksWorld(given), 'aks.cluster.upgrade', {
      cluster: CLUSTER_ID,
      kubernetesVersion: '1.34',
      ...input,
    });
    expect(await findings()).toEqual(found);
  });

  it('says that it could not read the offer', async () => {
    const arm = aksWorld({ cluster: none });
    arm.answer('GET', /upgradeProfiles/, refusal(403, 'AuthorizationFailed', 'no'));
    const { findings } = aksOperation(arm, 'aks.cluster.upgrade', { cluster: CLUSTER_ID, kubernetesVersion: '1.34' });
    expect(await findings()).toEqual(['UPGRADES_UNKNOWN']);
  });

  it('changes the version and nothing else: fields that are newer than Pilothouse survive', async () => {
    const arm = aksWorld({ cluster: { futureField: { list: [1] } }, pool: { futureOfPool: 7 } });
    const { step } = aksOperation(arm, 'aks.cluster.upgrade', { cluster: CLUSTER_ID, kubernetesVersion: '1.34' });
    expect(await step('upgrade-control-plane')).toMatchObject({ outcome: 'wait' });
    const put = arm.requests.find(({ method }) => method === 'PUT');
    expect(put?.body?.properties).toMatchObject({
      kubernetesVersion: '1.34',
      futureField: { list: [1] },
      agentPoolProfiles: [{ orchestratorVersion: '1.33', futureOfPool: 7 }],
    });
    expect(put?.headers['if-match']).toBe('"cluster-1"');
  });

  it.each([
    {
      step: 'upgrade-control-plane',
      cluster: { currentKubernetesVersion: '1.34.2' },
      pool: { provisioningState: 'Canceled' },
      outcome: 'done',
      writes: 0,
      reason: 'what was broken off on a pool is no matter of the control plane',
    },
    {
      step: 'upgrade-control-plane',
      cluster: { currentKubernetesVersion: '1.34.2', provisioningState: 'Failed' },
      pool: {},
      outcome: 'wait',
      writes: 1,
      reason: 'what has failed before is tried again',
    },
    {
      step: 'upgrade-control-plane',
      cluster: {},
      pool: { provisioningState: 'Scaling' },
      outcome: 'blocked',
      writes: 0,
      reason: 'somebody changes a pool',
    },
    {
      step: 'upgrade-node-pools',
      cluster: { currentKubernetesVersion: '1.34.2' },
      pool: { orchestratorVersion: '1.34', provisioningState: 'Failed' },
      outcome: 'wait',
      writes: 1,
      reason: 'a pool that has failed is tried again',
    },
    {
      step: 'upgrade-node-pools',
      cluster: { currentKubernetesVersion: '1.34.2' },
      pool: { orchestratorVersion: '1.34', provisioningState: 'Upgrading' },
      outcome: 'wait',
      writes: 0,
      reason: 'it is asked for already',
    },
  ])('$step, $outcome: $reason', async ({ step, cluster, pool: change, outcome, writes }) => {
    const arm = aksWorld({ cluster, pool: change });
    const upgrade = aksOperation(arm, 'aks.cluster.upgrade', { cluster: CLUSTER_ID, kubernetesVersion: '1.34' });
    expect(await upgrade.step(step)).toMatchObject({ outcome });
    expect(arm.writes()).toHaveLength(writes);
  });

  it.each([
    {
      cluster: { currentKubernetesVersion: '1.34.2' },
      pool: { currentOrchestratorVersion: '1.34.2' },
      verdict: 'reached',
      reason: 'all of it runs the version',
    },
    { cluster: { currentKubernetesVersion: '1.34.2' }, pool: {}, verdict: 'missed', reason: 'the pools stayed' },
    { cluster: {}, pool: {}, verdict: 'missed', reason: 'nothing has happened' },
    {
      cluster: { currentKubernetesVersion: '1.34.2' },
      pool: { currentOrchestratorVersion: '1.34.2', provisioningState: 'Upgrading' },
      verdict: 'pending',
      reason: 'a pool is at it',
    },
    {
      cluster: { currentKubernetesVersion: '1.34.2', provisioningState: 'Failed' },
      pool: { currentOrchestratorVersion: '1.34.2' },
      verdict: 'missed',
      reason: 'it is there but failed',
    },
  ])('$verdict: $reason', async ({ verdict, reason: _reason, ...given }) => {
    const { verify } = aksOperation(aksWorld(given), 'aks.cluster.upgrade', {
      cluster: CLUSTER_ID,
      kubernetesVersion: '1.34',
    });
    expect(await verify()).toMatchObject({ verdict });
  });
});
