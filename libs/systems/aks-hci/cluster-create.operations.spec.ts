import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import {
  EDGE_CLUSTER,
  EDGE_INSTANCE,
  HCI_GROUP,
  HOST,
  HOST_SKUS,
  HOST_VERSIONS,
  LOGICAL_NETWORK,
  createInput,
  edgeClusterBody,
  hostBody,
  hostSkusBody,
  hostVersionsBody,
  instanceBody,
  networkBody,
} from '#libs/testing/aks-hci-samples.js';
import { FakeArm } from '#libs/testing/fake-arm.js';
import { playOperation, tokenOf } from '#libs/testing/operation-play.js';
import { targetOf } from '../contract/system.contract-suite.js';
import { AksHciClient } from './aks-hci.client.js';
import { createAksHciOperations } from './aks-hci.operations.js';

const references = { customLocation: targetOf(HOST, 'CustomLocation') };
const PROVIDERS = ['Microsoft.HybridContainerService', 'Microsoft.Kubernetes', 'Microsoft.ExtendedLocation'];

function world(change: JsonObject = {}) {
  const arm = new FakeArm();
  arm.add(hostBody(), hostVersionsBody(), hostSkusBody(), networkBody());
  arm.set(HCI_GROUP, { id: HCI_GROUP, name: 'akshci-eu' });
  for (const namespace of PROVIDERS)
    arm.set(`/subscriptions/${SUBSCRIPTION}/providers/${namespace}`, { namespace, registrationState: 'Registered' });
  const operations = createAksHciOperations(new AksHciClient(arm.azure()));
  return { arm, ...playOperation(operations, 'hci.cluster.create', createInput(change), references) };
}

const pool = (change: JsonObject = {}): JsonObject => ({
  name: 'linuxpool',
  count: 1,
  vmSize: 'Standard_A4_v2',
  ...change,
});

/** Another cluster, on the same host unless said otherwise. */
function neighbour(hostIP: string, host = HOST): JsonObject[] {
  const id = `${EDGE_CLUSTER}-2`;
  const instance = instanceBody({ controlPlane: { count: 1, controlPlaneEndpoint: { hostIP } } });
  return [
    { ...edgeClusterBody(), id },
    {
      ...instance,
      id: EDGE_INSTANCE.replace(EDGE_CLUSTER, id),
      extendedLocation: { type: 'CustomLocation', name: host },
    },
  ];
}

describe('creating a cluster on Azure Stack HCI: checks', () => {
  it.each<{ change?: JsonObject; arrange?: (arm: FakeArm) => void; found: string[]; reason: string }>([
    { found: [], reason: 'all is well' },
    { change: { kubernetesVersion: '1.22.1' }, found: ['error VERSION_NOT_SUPPORTED'], reason: 'the host has it not' },
    { change: { kubernetesVersion: '1.30.4' }, found: ['error VERSION_NOT_READY'], reason: 'nor its Windows image' },
    {
      change: { kubernetesVersion: '1.30.4', nodePools: [pool()] },
      found: [],
      reason: 'without Windows it is ready',
    },
    {
      arrange: (arm) => arm.remove(HOST_VERSIONS),
      found: ['info VERSIONS_NOT_LISTED'],
      reason: 'nobody has asked the host',
    },
    { change: { controlPlane: { count: 2 } }, found: ['error CONTROL_PLANE_COUNT_INVALID'], reason: 'no majority' },
    { change: { controlPlane: { count: 5 } }, found: [], reason: 'five decide' },
    {
      change: { controlPlane: { count: 1, vmSize: 'Huge' } },
      found: ['error VM_SIZE_NOT_SUPPORTED'],
      reason: 'no such machine',
    },
    { change: { nodePools: [pool({ vmSize: 'Huge' })] }, found: ['error VM_SIZE_NOT_SUPPORTED'], reason: 'nor here' },
    {
      arrange: (arm) => arm.remove(HOST_SKUS),
      found: ['info VM_SIZES_NOT_LISTED'],
      reason: 'nobody has asked the host for its machines',
    },
    {
      arrange: (arm) => arm.set(HOST_SKUS, { id: HOST_SKUS, properties: { provisioningState: 'Succeeded' } }),
      found: ['info VM_SIZES_NOT_LISTED'],
      reason: 'a list without anything in it forbids nothing',
    },
    {
      arrange: (arm) => arm.set(HOST_SKUS, { id: HOST_SKUS, properties: { provisioningState: 'Failed' } }),
      found: ['info VM_SIZES_NOT_LISTED'],
      reason: 'the host could not be asked',
    },
    {
      arrange: (arm) => arm.add(...neighbour('192.168.1.10')),
      found: ['error HOST_IP_IN_USE'],
      reason: 'another cluster of the host has the address',
    },
    {
      arrange: (arm) => arm.add(...neighbour('192.168.1.11')),
      found: [],
      reason: 'another cluster of the host has another address',
    },
    {
      arrange: (arm) => arm.add(...neighbour('192.168.1.10', `${HOST}2`)),
      found: [],
      reason: 'the address is that of a cluster of another host',
    },
    { change: { nodePools: [pool(), pool()] }, found: ['error POOL_NAME_REPEATED'], reason: 'two of one name' },
    {
      change: { nodePools: Array.from({ length: 17 }, (_, index) => pool({ name: `pool${index}` })) },
      found: ['error POOL_LIMIT'],
      reason: 'too many pools',
    },
    {
      change: { nodePools: [pool({ count: 40 }), pool({ name: 'pool2', count: 25 })] },
      found: ['error NODE_LIMIT', 'warning ADDRESSES_SHORT'],
      reason: 'too many nodes',
    },
    {
      change: { nodePools: [pool({ osType: 'Windows', vmSize: 'Standard_D4s_v3' })] },
      found: ['error LINUX_NODE_MISSING'],
      reason: 'agents need Linux',
    },
    { change: { nodePools: [pool({ count: 0 })] }, found: ['error LINUX_NODE_MISSING'], reason: 'and a node of it' },
    {
      change: { nodePools: [pool({ osSku: 'Windows2022' })] },
      found: ['error OS_SKU_MISMATCH'],
      reason: 'Linux is not Windows',
    },
    { change: { location: 'westeurope' }, found: ['error LOCATION_DIFFERS'], reason: 'the host is elsewhere' },
    { arrange: (arm) => arm.remove(HOST), found: ['error CUSTOM_LOCATION_NOT_FOUND'], reason: 'there is no host' },
    {
      arrange: (arm) => arm.add(hostBody({ provisioningState: 'Failed' })),
      found: ['error CUSTOM_LOCATION_NOT_READY'],
      reason: 'it is not well',
    },
    { arrange: (arm) => arm.remove(HCI_GROUP), found: ['error RESOURCE_GROUP_NOT_FOUND'], reason: 'no group' },
    {
      arrange: (arm) => arm.set(`/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Kubernetes`, { id: 'x' }),
      found: ['error PROVIDER_NOT_REGISTERED'],
      reason: 'nobody has registered it',
    },
    { arrange: (arm) => arm.remove(LOGICAL_NETWORK), found: ['error NETWORK_NOT_FOUND'], reason: 'no network' },
    {
      arrange: (arm) => arm.add(networkBody({}, { ipAllocationMethod: 'Dynamic' })),
      found: ['error NETWORK_NOT_STATIC'],
      reason: 'addresses come and go',
    },
    {
      arrange: (arm) => arm.add(networkBody({ dhcpOptions: {} })),
      found: ['error NETWORK_WITHOUT_DNS'],
      reason: 'no DNS server',
    },
    {
      change: { controlPlane: { count: 1, hostIp: '192.168.1.110' } },
      found: ['error HOST_IP_INSIDE_POOL'],
      reason: 'a machine may get the address',
    },
    {
      change: { controlPlane: { count: 1, hostIp: '10.0.0.1' } },
      found: ['error HOST_IP_OUTSIDE_NETWORK'],
      reason: 'it leads nowhere',
    },
    { change: { controlPlane: { count: 1, hostIp: 'x' } }, found: ['error HOST_IP_INVALID'], reason: 'no address' },
    { change: { podCidr: '192.168.0.0/16' }, found: ['error POD_RANGE_OVERLAPS'], reason: 'ranges meet' },
    {
      arrange: (arm) => arm.add(networkBody({}, { ipPools: [{ info: { available: '6' } }] })),
      found: ['warning ADDRESSES_SHORT'],
      reason: 'three, three and one more are needed',
    },
    {
      arrange: (arm) => arm.add({ ...networkBody(), extendedLocation: { name: `${HOST}2` } }),
      found: ['error NETWORK_ELSEWHERE'],
      reason: 'the network of another host',
    },
    {
      arrange: (arm) => arm.add(edgeClusterBody(), instanceBody()),
      found: ['info CLUSTER_EXISTS'],
      reason: 'it is there',
    },
    { arrange: (arm) => arm.add(edgeClusterBody()), found: ['info CLUSTER_EXISTS'], reason: 'a part of it is' },
    {
      arrange: (arm) => arm.add({ ...edgeClusterBody(), kind: null }),
      found: ['error CLUSTER_EXISTS_DIFFERENT'],
      reason: 'another was connected under this name',
    },
    {
      arrange: (arm) => arm.add(edgeClusterBody(), instanceBody({ controlPlane: { count: 1 } })),
      found: ['error CLUSTER_EXISTS_DIFFERENT'],
      reason: 'its control plane is another',
    },
  ])('$found: $reason', async ({ change, arrange, found }) => {
    const { arm, codes } = world(change);
    arrange?.(arm);
    expect(await codes()).toEqual(found);
  });

  it('counts the clusters that the host carries', async () => {
    const { arm, codes } = world();
    for (let index = 0; index < 32; index++) {
      const id = `${EDGE_CLUSTER}-${index}`;
      const instance = instanceBody({ controlPlane: { controlPlaneEndpoint: { hostIP: `192.168.1.${20 + index}` } } });
      arm.add({ ...edgeClusterBody(), id }, { ...instance, id: EDGE_INSTANCE.replace(EDGE_CLUSTER, id) });
    }
    expect(await codes()).toEqual(['error HOST_CLUSTER_LIMIT']);
  });

  it('names the versions that the host has', async () => {
    const [finding] = await world({ kubernetesVersion: '1.22.1' }).findings();
    expect(finding?.evidence).toMatchObject({ supported: ['1.29.7', '1.29.9', '1.30.3', '1.30.4'] });
  });

  it.each([
    { change: { name: '-bad-' }, reason: 'a hyphen at the end' },
    { change: { nodePools: [pool({ name: 'UPPER' })] }, reason: 'a bad pool name' },
    { change: { nodePools: [pool({ name: 'waytoolongname' })] }, reason: 'a long pool name' },
    { change: { nodePools: [] }, reason: 'no pool at all' },
    { change: { kubernetesVersion: '1.29' }, reason: 'half a version' },
    { change: { sshPublicKey: '-----BEGIN OPENSSH PRIVATE KEY-----' }, reason: 'a private key' },
  ])('cannot be asked for: $reason', ({ change }) => {
    expect(() => world(change)).toThrow();
  });

  it('refuses what is no logical network', () => {
    const { target } = world({ logicalNetwork: HOST });
    expect(target).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
  });
});

describe('creating a cluster on Azure Stack HCI', () => {
  it('makes the connected cluster first, then the machines, then waits for the connection', async () => {
    const { arm, step, verify } = world();
    expect(await step('versions')).toMatchObject({ outcome: 'done' });
    expect(await step('vm-sizes')).toMatchObject({ outcome: 'done' });
    const begun = await step('connected-cluster');
    arm.settle();
    expect(await step('connected-cluster', tokenOf(begun))).toMatchObject({ outcome: 'done' });
    const machines = await step('machines');
    expect(await step('machines', tokenOf(machines))).toMatchObject({ outcome: 'wait' });
    arm.settle();
    expect(await step('machines', tokenOf(machines))).toMatchObject({ outcome: 'done' });
    expect(arm.writes()).toEqual([`PUT ${EDGE_CLUSTER}`, `PUT ${EDGE_INSTANCE}`]);
    expect(await step('connection')).toMatchObject({ outcome: 'wait' });
    arm.set(EDGE_CLUSTER, edgeClusterBody());
    expect(await step('connection')).toMatchObject({ outcome: 'done' });
    expect(await verify()).toMatchObject({
      verdict: 'reached',
      result: { provisionedCluster: EDGE_INSTANCE, connectedCluster: EDGE_CLUSTER },
      observations: [{ kind: 'ProvisionedCluster', name: 'edge01', location: 'eastus' }],
    });
  });

  it.each([
    {
      parts: [
        { name: 'arc-agents', phase: 'provisioning {HelmChartInstalled}', ready: false, errorMessage: 'no route' },
      ],
      said: /arc-agents provisioning {HelmChartInstalled}: no route/,
      reason: 'the host knows what is wrong',
    },
    {
      parts: [{ name: 'arc-agents', ready: true }],
      said: /management\.azure\.com/,
      reason: 'all seems well on the host',
    },
  ])('says while it waits for the connection what is known of the agents: $reason', async ({ parts, said }) => {
    const { arm, step } = world();
    arm.set(EDGE_CLUSTER, edgeClusterBody({ connectivityStatus: 'Connecting' }));
    arm.set(EDGE_INSTANCE, instanceBody({ status: { controlPlaneStatus: parts } }));
    expect(await step('connection')).toMatchObject({ outcome: 'wait', message: expect.stringMatching(said) });
  });

  it.each([
    { vmSize: 'Standard_A4_v2', isOffered: true },
    { vmSize: 'Huge', isOffered: false },
  ])('asks the host for its machines, and makes nothing of a size that it has not: $vmSize', async (row) => {
    const { arm, step } = world({ controlPlane: { count: 1, vmSize: row.vmSize } });
    arm.remove(HOST_SKUS);
    const begun = await step('vm-sizes');
    expect(arm.writes()).toEqual([`PUT ${HOST_SKUS}`]);
    arm.settle();
    arm.add(hostSkusBody());
    const done = step('vm-sizes', tokenOf(begun));
    if (row.isOffered) await expect(done).resolves.toMatchObject({ outcome: 'done' });
    else {
      await expect(done).rejects.toMatchObject({ code: 'PREFLIGHT_FAILED', externalCode: 'VM_SIZE_NOT_SUPPORTED' });
    }
  });

  it('goes on where the host tells none of its machines, or cannot list them', async () => {
    const silent = world();
    silent.arm.set(HOST_SKUS, { id: HOST_SKUS, properties: { provisioningState: 'Succeeded' } });
    expect(await silent.step('vm-sizes')).toMatchObject({ outcome: 'done' });
    const { arm, step } = world();
    arm.remove(HOST_SKUS);
    const begun = await step('vm-sizes');
    arm.fail('InternalError', 'The host could not be reached.');
    arm.set(HOST_SKUS, { id: HOST_SKUS, properties: { provisioningState: 'Failed' } });
    expect(await step('vm-sizes', tokenOf(begun))).toMatchObject({ outcome: 'done' });
  });

  it('sends what was asked for, with Entra only where it is wanted', async () => {
    const plain = world({ sshPublicKey: createInput().sshPublicKey! });
    await plain.step('connected-cluster');
    expect(plain.arm.requests.at(-1)?.body).toMatchObject({ kind: 'ProvisionedCluster' });
    expect(plain.arm.requests.at(-1)?.body?.properties).not.toHaveProperty('aadProfile');
    const admins = ['00000000-0000-4000-8000-000000000009'];
    const entra = world({ adminGroupObjectIds: admins });
    await entra.step('connected-cluster');
    expect(entra.arm.requests.at(-1)?.body).toMatchObject({
      properties: { aadProfile: { adminGroupObjectIDs: admins, enableAzureRBAC: false } },
    });
    await entra.step('machines');
    expect(entra.arm.requests.at(-1)?.body).toMatchObject({
      extendedLocation: { type: 'CustomLocation', name: HOST },
      properties: {
        kubernetesVersion: '1.29.7',
        controlPlane: { count: 3, vmSize: 'Standard_A4_v2', controlPlaneEndpoint: { hostIP: '192.168.1.10' } },
        agentPoolProfiles: [
          { name: 'linuxpool', count: 2, osType: 'Linux', osSKU: 'CBLMariner' },
          { name: 'winpool', osType: 'Windows', osSKU: 'Windows2022' },
        ],
        cloudProviderProfile: { infraNetworkProfile: { vnetSubnetIds: [LOGICAL_NETWORK] } },
      },
    });
  });

  it('lets Azure ask the host, and creates nothing for a version that it has not', async () => {
    const { arm, step } = world({ kubernetesVersion: '1.22.1' });
    arm.remove(HOST_VERSIONS);
    const asked = await step('versions');
    arm.settle();
    arm.set(HOST_VERSIONS, hostVersionsBody());
    await expect(step('versions', tokenOf(asked))).rejects.toMatchObject({
      code: 'PREFLIGHT_FAILED',
      externalCode: 'VERSION_NOT_SUPPORTED',
    });
    expect(arm.writes()).toEqual([`PUT ${HOST_VERSIONS}`]);
  });

  it('goes on after a crash without making anything twice', async () => {
    const { arm, step } = world();
    arm.set(EDGE_CLUSTER, edgeClusterBody());
    expect(await step('connected-cluster')).toMatchObject({ outcome: 'done' });
    arm.set(EDGE_INSTANCE, instanceBody({ provisioningState: 'Creating' }));
    expect(await step('machines')).toMatchObject({ outcome: 'wait' });
    arm.set(EDGE_INSTANCE, instanceBody());
    expect(await step('machines')).toMatchObject({ outcome: 'done' });
    expect(arm.writes()).toEqual([]);
  });

  it('recognises why the machines could not be made, and tries again when it is started again', async () => {
    const { arm, step } = world();
    const begun = await step('machines');
    arm.fail('ArcAgents', 'Error: create: failed to create: namespaces "arc" not found');
    await expect(step('machines', tokenOf(begun))).rejects.toMatchObject({
      code: 'AZURE_OPERATION_FAILED',
      diagnosis: { code: 'DEFAULT_NAMESPACE_MISSING', operations: [{ type: 'kubernetes.manifest.apply' }] },
    });
    arm.set(EDGE_INSTANCE, instanceBody({ provisioningState: 'Failed' }));
    expect(await step('machines')).toMatchObject({ outcome: 'wait' });
  });

  it.each([
    { step: 'connected-cluster', body: { ...edgeClusterBody(), kind: null } },
    { step: 'machines', body: instanceBody({ controlPlane: { count: 1 } }) },
  ])('leaves alone what somebody else has made meanwhile: $step', async ({ step: name, body }) => {
    const { arm, step } = world();
    arm.add(body);
    await expect(step(name)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(arm.writes()).toEqual([]);
  });

  it('says what would be made, and what the host has', async () => {
    expect(await world().plan()).toMatchObject({
      connectedCluster: { id: EDGE_CLUSTER, action: 'create' },
      provisionedCluster: {
        id: EDGE_INSTANCE,
        action: 'create',
        body: { properties: { kubernetesVersion: '1.29.7' } },
      },
      supportedVersions: ['1.29.7', '1.29.9', '1.30.3', '1.30.4'],
      supportedVmSizes: ['Standard_A4_v2', 'Standard_D4s_v3'],
    });
  });

  it.each([
    { body: undefined, verdict: 'missed', reason: 'nothing is there' },
    { body: instanceBody({ provisioningState: 'Updating' }), verdict: 'pending', reason: 'it moves' },
    { body: instanceBody({ provisioningState: 'Failed' }), verdict: 'missed', reason: 'it failed' },
  ])('is $verdict: $reason', async ({ body, verdict }) => {
    const { arm, verify } = world();
    if (body !== undefined) arm.add(body);
    expect(await verify()).toMatchObject({ verdict });
  });
});
