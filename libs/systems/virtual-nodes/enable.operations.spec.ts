import { describe, expect, it } from '@jest/globals';
import type { RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { CLUSTER_ID, SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import { refusal } from '#libs/testing/fake-arm.js';
import { fakeRefusal } from '#libs/testing/fake-kube.js';
import { tokenOf } from '#libs/testing/operation-play.js';
import {
  ACI_SUBNET_ID,
  CONNECTOR_PRINCIPAL,
  VIRTUAL_NODE,
  VirtualNodesWorld,
  subnetBody,
  virtualNode,
  workloadOf,
} from '#libs/testing/virtual-nodes-world.js';

const NETWORK_PROFILE = { networkPlugin: 'azure', serviceCidr: '10.0.0.0/16' };
const TOLERANT: JsonObject = { tolerations: [{ operator: 'Exists' }] };
const CONTAINER = { name: 'web', image: 'example.com/web:1' };

const NODE = { group: '', kind: 'Node' };

function connectorPod(name: string, reason?: string): KubernetesObject {
  const state = reason === undefined ? { running: {} } : { waiting: { reason } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'kube-system', uid: name, labels: { app: 'aci-connector-linux' } },
    status: { containerStatuses: [{ name: 'aci-connector-linux', state }] },
  };
}

interface Row {
  code: string;
  reason: string;
  arrange(world: VirtualNodesWorld): void;
  input?: JsonObject;
}

/** The cluster as it is, but for some properties and some of its pool. */
const having =
  (properties: JsonObject, pool: JsonObject = {}) =>
  (world: VirtualNodesWorld): void =>
    world.setCluster({ addonProfiles: {}, ...properties }, pool);
const inSubnet =
  (properties: JsonObject) =>
  (world: VirtualNodesWorld): void =>
    world.setNetwork(subnetBody('aci', properties));

const ROWS: Row[] = [
  { code: 'error CLUSTER_NOT_FOUND', reason: 'it was deleted', arrange: (world) => world.arm.remove(CLUSTER_ID) },
  {
    code: 'error HUB_CLUSTER_READ_ONLY',
    reason: 'a hub is its fleet’s',
    arrange: having({ nodeResourceGroup: 'MC_FL_a_b' }),
  },
  { code: 'error CLUSTER_STOPPED', reason: 'nothing runs', arrange: having({ powerState: { code: 'Stopped' } }) },
  { code: 'warning CLUSTER_FAILED', reason: 'it may fail again', arrange: having({ provisioningState: 'Failed' }) },
  { code: 'warning CLUSTER_BUSY', reason: 'one change at a time', arrange: having({ provisioningState: 'Upgrading' }) },
  {
    code: 'error NETWORK_PLUGIN_UNSUPPORTED',
    reason: 'kubenet',
    arrange: having({ networkProfile: { networkPlugin: 'kubenet' } }),
  },
  {
    code: 'error NETWORK_OVERLAY_UNSUPPORTED',
    reason: 'an overlay',
    arrange: having({ networkProfile: { ...NETWORK_PROFILE, networkPluginMode: 'Overlay' } }),
  },
  {
    code: 'error NETWORK_DUAL_STACK_UNSUPPORTED',
    reason: 'IPv6 beside IPv4',
    arrange: having({ networkProfile: { ...NETWORK_PROFILE, ipFamilies: ['IPv4', 'IPv6'] } }),
  },
  { code: 'error NETWORK_NOT_OWN', reason: 'no subnet of its own', arrange: having({}, { vnetSubnetID: null }) },
  {
    code: 'error AUTHORIZED_RANGES_SET',
    reason: 'the address of the node is not known',
    arrange: having({ apiServerAccessProfile: { authorizedIPRanges: ['1.2.3.4/32'] } }),
  },
  {
    code: 'error SUBNET_PREFIX_NEEDED',
    reason: 'it is not there',
    arrange: () => undefined,
    input: { subnetPrefix: null },
  },
  {
    code: 'error SUBNET_PREFIX_INVALID',
    reason: 'outside of the network',
    arrange: () => undefined,
    input: { subnetPrefix: '192.168.0.0/24' },
  },
  {
    code: 'error SUBNET_PREFIX_TAKEN',
    reason: 'the nodes are there',
    arrange: () => undefined,
    input: { subnetPrefix: '10.224.1.0/24' },
  },
  {
    code: 'error SUBNET_PREFIX_TAKEN',
    reason: 'the services of the cluster are there',
    arrange: having({ networkProfile: { ...NETWORK_PROFILE, serviceCidr: '10.225.0.0/16' } }),
  },
  {
    code: 'error SUBNET_PREFIX_TAKEN',
    reason: 'services and pods may have several ranges',
    arrange: having({ networkProfile: { ...NETWORK_PROFILE, podCidrs: ['10.225.0.0/16'] } }),
  },
  {
    code: 'error SUBNET_PREFIX_DIFFERS',
    reason: 'it is there with another',
    arrange: inSubnet({ addressPrefix: '10.226.0.0/24' }),
  },
  {
    code: 'error SUBNET_TOO_SMALL',
    reason: 'three addresses',
    arrange: () => undefined,
    input: { subnetPrefix: '10.225.0.0/29' },
  },
  {
    code: 'error SUBNET_DELEGATED_ELSEWHERE',
    reason: 'web apps have it',
    arrange: inSubnet({ delegations: [{ properties: { serviceName: 'Microsoft.Web/serverFarms' } }] }),
  },
  {
    code: 'error SUBNET_IN_USE',
    reason: 'a machine is in it',
    arrange: inSubnet({ ipConfigurations: [{ id: 'nic' }] }),
  },
  { code: 'error SUBNET_ROUTE_TABLE', reason: 'a firewall', arrange: inSubnet({ routeTable: { id: 'table' } }) },
  { code: 'info SUBNET_NOT_DELEGATED', reason: 'it is free', arrange: inSubnet({}) },
  {
    code: 'warning CONNECTOR_LACKS_ROLE',
    reason: 'the add-on is on, and its node is not there',
    arrange(world) {
      world.switchOn();
      world.cluster.remove(NODE, undefined, VIRTUAL_NODE);
      world.hasGroupRole = false;
    },
    input: { subnetPrefix: null },
  },
  {
    code: 'warning CONNECTOR_SUBNET_WRONG',
    reason: 'the add-on is on, and its subnet was deleted',
    arrange(world) {
      world.switchOn();
      world.cluster.add(virtualNode(VIRTUAL_NODE, { ready: 'Unknown' }));
      world.setNetwork();
    },
  },
  {
    code: 'error PROVIDER_NOT_REGISTERED',
    reason: 'never used before',
    arrange: (world) => world.setProvider('NotRegistered', []),
  },
  {
    code: 'error REGION_UNSUPPORTED',
    reason: 'offered elsewhere only',
    arrange: (world) => world.setProvider('Registered', ['West Europe']),
  },
  { code: 'warning QUOTA_EXHAUSTED', reason: 'all are used', arrange: (world) => world.setUsage(100, 100) },
  {
    code: 'info QUOTA_UNKNOWN',
    reason: 'not allowed to read',
    arrange: (world) =>
      world.arm.answer('GET', /\/usages$/, {
        status: 403,
        body: { error: { code: 'AuthorizationFailed', message: 'no' } },
      }),
  },
  {
    code: 'error IDENTITY_UNKNOWN',
    reason: 'ARM does not tell the object id of a service principal',
    arrange: having({ servicePrincipalProfile: { clientId: 'app' } }),
  },
  { code: 'info IDENTITY_LACKS_ROLE', reason: 'the identity comes with the add-on', arrange: () => undefined },
  {
    code: 'info IDENTITY_LACKS_ROLE',
    reason: 'a service principal that was named',
    arrange: having({ servicePrincipalProfile: { clientId: 'app' } }),
    input: { principalId: CONNECTOR_PRINCIPAL },
  },
  {
    code: 'error ASSIGNMENT_NOT_ALLOWED',
    reason: 'Pilothouse is a reader',
    arrange: (world) => (world.mayAssign = false),
  },
  {
    code: 'info PERMISSIONS_UNKNOWN',
    reason: 'Azure does not say',
    arrange: (world) => (world.mayAssign = 'unknown'),
  },
  {
    code: 'warning DAEMON_SETS_AFFECTED',
    reason: 'it tolerates everything',
    arrange: (world) => world.cluster.add(workloadOf(TOLERANT, 'DaemonSet', 'agent')),
  },
  {
    code: 'warning HOST_PORTS_AFFECTED',
    reason: 'a port of the host',
    arrange: (world) =>
      world.cluster.add(
        workloadOf({ ...TOLERANT, containers: [{ ...CONTAINER, ports: [{ containerPort: 1, hostPort: 80 }] }] }),
      ),
  },
  {
    code: 'warning INIT_CONTAINERS_AFFECTED',
    reason: 'something to do before',
    arrange: (world) => world.cluster.add(workloadOf({ ...TOLERANT, initContainers: [CONTAINER] })),
  },
  {
    code: 'info CLUSTER_UNREACHABLE',
    reason: 'no access',
    arrange: (world) => world.cluster.refuse({ verb: 'list' }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'no')),
  },
  {
    code: 'warning EARLY_CONNECTOR_PRESENT',
    reason: 'its pods are public',
    arrange: (world) =>
      world.cluster.add(
        virtualNode('virtual-kubelet-aci-connector-linux-westus', {
          taints: [{ key: 'azure.com/aci', effect: 'NoSchedule' }],
        }),
      ),
  },
  { code: 'info ADDON_ENABLED', reason: 'nothing to do', arrange: (world) => world.switchOn() },
  {
    code: 'error ADDON_ON_OTHER_SUBNET',
    reason: 'one subnet at a time',
    arrange: (world) => world.switchOn(),
    input: { subnetName: 'other', subnetPrefix: '10.227.0.0/24' },
  },
];

describe('what is checked before virtual nodes are switched on', () => {
  it.each(ROWS)('$code: $reason', async ({ code, arrange, input = {} }) => {
    const world = new VirtualNodesWorld();
    arrange(world);
    const play = world.enable(input);
    expect(await play.codes()).toContain(code);
    expect(world.arm.writes()).toEqual([]);
  });

  it('has a row for each finding', () => {
    const codes = new Set(ROWS.map(({ code }) => code.split(' ')[1]));
    expect([...codes].sort()).toEqual(Object.keys(new VirtualNodesWorld().enable().operation.findings).sort());
  });

  it.each<{
    code: string;
    arrange: (world: VirtualNodesWorld) => void;
    input?: JsonObject;
    operations: RemedyOperation[];
  }>([
    {
      code: 'PROVIDER_NOT_REGISTERED',
      arrange: (world) => world.setProvider('NotRegistered', []),
      operations: [
        {
          type: 'azure.provider.register',
          input: { subscriptionId: SUBSCRIPTION, namespace: 'Microsoft.ContainerInstance' },
        },
      ],
    },
    {
      code: 'CLUSTER_STOPPED',
      arrange: having({ powerState: { code: 'Stopped' } }),
      operations: [{ type: 'aks.cluster.start', input: { cluster: CLUSTER_ID } }],
    },
    {
      code: 'ADDON_ON_OTHER_SUBNET',
      arrange: having({ addonProfiles: { aciConnectorLinux: { enabled: true, config: { SubnetName: 'other' } } } }),
      operations: [{ type: 'virtualNodes.disable', input: { cluster: CLUSTER_ID } }],
    },
    {
      code: 'SUBNET_PREFIX_NEEDED',
      input: { subnetPrefix: null },
      arrange: () => undefined,
      operations: [
        {
          type: 'virtualNodes.enable',
          input: { cluster: CLUSTER_ID, subnetName: 'aci', subnetPrefix: '10.225.0.0/24' },
        },
      ],
    },
    {
      code: 'SUBNET_PREFIX_NEEDED',
      input: { subnetPrefix: null },
      arrange: having({
        networkProfile: { ...NETWORK_PROFILE, serviceCidr: '10.225.0.0/24', podCidr: '10.225.1.0/24' },
      }),
      operations: [
        {
          type: 'virtualNodes.enable',
          input: { cluster: CLUSTER_ID, subnetName: 'aci', subnetPrefix: '10.225.2.0/24' },
        },
      ],
    },
    {
      code: 'SUBNET_PREFIX_TAKEN',
      input: { subnetPrefix: '10.224.1.0/24' },
      arrange: (world) => world.setNetwork(subnetBody('other')),
      operations: [
        {
          type: 'virtualNodes.enable',
          input: { cluster: CLUSTER_ID, subnetName: 'aci', subnetPrefix: '10.225.1.0/24' },
        },
      ],
    },
  ])('offers what mends it, ready to be sent: $code', async ({ code, arrange, input, operations }) => {
    const world = new VirtualNodesWorld();
    arrange(world);
    const findings = await world.enable(input).findings();
    expect(findings.find((finding) => finding.code === code)?.operations).toEqual(operations);
  });

  it('finds nothing to stop it on a cluster that is fit for it', async () => {
    expect(await new VirtualNodesWorld().enable().codes()).toEqual(['info IDENTITY_LACKS_ROLE']);
  });

  it('can mend a virtual node of which it may not see all roles', async () => {
    const world = new VirtualNodesWorld();
    world.switchOn();
    world.cluster.remove(NODE, undefined, VIRTUAL_NODE);
    const ofGroup = /\/MC_[^/]+\/providers\/.*\/roleAssignments$/i;
    world.arm.answer('GET', ofGroup, refusal(403, 'AuthorizationFailed', 'no'), true);
    expect(await world.enable({ subnetPrefix: null }).codes()).toEqual(['info ADDON_ENABLED']);
  });

  it('leaves alone what keeps itself away from virtual nodes', async () => {
    const world = new VirtualNodesWorld();
    const requirement = { key: 'type', operator: 'NotIn', values: ['virtual-kubelet'] };
    const nodeAffinity = {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [requirement] }] },
    };
    world.cluster.add(workloadOf({ ...TOLERANT, affinity: { nodeAffinity } }, 'DaemonSet', 'proxy'));
    expect(await world.enable().codes()).toEqual(['info IDENTITY_LACKS_ROLE']);
  });
});

describe('the steps of switching virtual nodes on', () => {
  it('makes the subnet with its delegation, once', async () => {
    const world = new VirtualNodesWorld();
    const play = world.enable();
    const begun = await play.step('prepare-subnet');
    expect(begun.outcome).toBe('wait');
    expect(world.arm.get(ACI_SUBNET_ID)).toMatchObject({
      properties: {
        addressPrefix: '10.225.0.0/24',
        delegations: [{ properties: { serviceName: 'Microsoft.ContainerInstance/containerGroups' } }],
      },
    });
    expect((await play.step('prepare-subnet')).outcome).toBe('wait');
    world.arm.settle();
    expect((await play.step('prepare-subnet', tokenOf(begun))).outcome).toBe('done');
    expect(world.arm.writes()).toEqual([`PUT ${ACI_SUBNET_ID}`]);
  });

  it('delegates a subnet that is there, and keeps what it does not know of it', async () => {
    const world = new VirtualNodesWorld();
    world.setNetwork(subnetBody('aci', { natGateway: { id: 'nat' }, newerThanUs: { a: 1 } }));
    await world.enable().step('prepare-subnet');
    expect(world.arm.get(ACI_SUBNET_ID)).toMatchObject({
      properties: { natGateway: { id: 'nat' }, newerThanUs: { a: 1 }, delegations: [{ name: 'aciDelegation' }] },
    });
  });

  it('writes the whole cluster back with the add-on, under the name that it has there', async () => {
    const world = new VirtualNodesWorld();
    const addonProfiles = { azurepolicy: { enabled: true }, ACIConnectorLinux: { enabled: false } };
    world.setCluster({ addonProfiles, newerThanUs: [1] });
    const play = world.enable();
    const begun = await play.step('switch-on');
    const sent = world.arm.requests.find(({ method }) => method === 'PUT');
    expect(sent?.headers['if-match']).toBe('"cluster-1"');
    expect(sent?.body).toMatchObject({
      properties: {
        newerThanUs: [1],
        addonProfiles: {
          azurepolicy: { enabled: true },
          ACIConnectorLinux: { enabled: true, config: { SubnetName: 'aci' } },
        },
      },
    });
    world.arm.settle();
    expect((await play.step('switch-on', tokenOf(begun))).outcome).toBe('done');
    expect((await play.step('switch-on')).outcome).toBe('done');
    expect(world.arm.writes()).toHaveLength(1);
  });

  it('waits while somebody else changes a pool of the cluster', async () => {
    const world = new VirtualNodesWorld();
    having({}, { provisioningState: 'Scaling' })(world);
    expect((await world.enable().step('switch-on')).outcome).toBe('blocked');
    expect(world.arm.writes()).toEqual([]);
    expect(await world.enable().codes()).toContain('warning CLUSTER_BUSY');
  });

  it('waits while somebody else changes the cluster', async () => {
    const world = new VirtualNodesWorld();
    world.setCluster({ addonProfiles: {}, provisioningState: 'Upgrading' });
    expect((await world.enable().step('switch-on')).outcome).toBe('blocked');
    expect(world.arm.writes()).toEqual([]);
  });

  it.each([
    { reason: 'a managed identity has the object id that the add-on tells', input: {}, clientId: 'msi' },
    {
      reason: 'a service principal the one that was given',
      input: { principalId: CONNECTOR_PRINCIPAL },
      clientId: 'app',
    },
  ])('gives the least role on the subnet alone: $reason', async ({ input, clientId }) => {
    const world = new VirtualNodesWorld();
    const identity = clientId === 'msi' ? { identity: { objectId: CONNECTOR_PRINCIPAL } } : {};
    const aciConnectorLinux = { enabled: true, config: { SubnetName: 'aci' }, ...identity };
    world.setCluster({ addonProfiles: { aciConnectorLinux }, servicePrincipalProfile: { clientId } });
    const play = world.enable(input);
    expect((await play.step('assign-role')).outcome).toBe('done');
    const sent = world.arm.requests.find(({ method }) => method === 'PUT');
    expect(sent?.path).toMatch(
      new RegExp(`^${ACI_SUBNET_ID}/providers/Microsoft.Authorization/roleAssignments/[-0-9a-f]{36}$`),
    );
    expect(sent?.body).toMatchObject({
      properties: {
        principalId: CONNECTOR_PRINCIPAL,
        principalType: 'ServicePrincipal',
        roleDefinitionId: expect.stringMatching(/4d97b98b-1d4f-4787-a291-c67834d212e7$/),
      },
    });
  });

  it('gives no second role to who has one already', async () => {
    const world = new VirtualNodesWorld();
    world.switchOn();
    expect((await world.enable().step('assign-role')).outcome).toBe('done');
    expect(world.arm.writes()).toEqual([]);
  });

  it('waits for an identity that AKS does not tell yet, and for one that Entra ID does not know yet', async () => {
    const world = new VirtualNodesWorld();
    expect((await world.enable().step('assign-role')).outcome).toBe('wait');
    const unknown = new VirtualNodesWorld();
    unknown.setCluster({
      addonProfiles: { aciConnectorLinux: { enabled: true, identity: { objectId: CONNECTOR_PRINCIPAL } } },
    });
    const error = { code: 'PrincipalNotFound', message: 'Principal does not exist' };
    unknown.arm.answer('PUT', /roleAssignments/i, { status: 400, body: { error } });
    // How often the step ran before, for other reasons, does not count.
    let tried = await unknown.enable().step('assign-role', undefined, 40);
    for (let tries = 2; tries < 10; tries++) tried = await unknown.enable().step('assign-role', tokenOf(tried));
    expect(tried.outcome).toBe('wait');
    await expect(unknown.enable().step('assign-role', tokenOf(tried))).rejects.toMatchObject({
      externalCode: 'PrincipalNotFound',
    });
  });

  it('starts a connector anew that fails again and again, and no other', async () => {
    const world = new VirtualNodesWorld();
    world.switchOn();
    world.cluster.add(connectorPod('aci-connector-linux-a', 'CrashLoopBackOff'), connectorPod('aci-connector-linux-b'));
    expect((await world.enable().step('restart-connector')).outcome).toBe('done');
    expect((await world.enable().step('restart-connector')).outcome).toBe('done');
    expect(world.kube.writes()).toEqual(['delete Pod kube-system/aci-connector-linux-a']);
  });

  it('leaves a connector to itself that it may not touch', async () => {
    const world = new VirtualNodesWorld();
    world.switchOn();
    world.cluster.add(connectorPod('aci-connector-linux-a', 'CrashLoopBackOff'));
    world.cluster.refuse({ verb: 'delete' }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'no'));
    expect((await world.enable().step('restart-connector')).outcome).toBe('done');
  });

  it('ends when the node is ready, and says so only then', async () => {
    const world = new VirtualNodesWorld();
    world.switchOn();
    world.cluster.add(virtualNode(undefined, { ready: 'Unknown' }));
    expect((await world.enable().step('await-node')).outcome).toBe('wait');
    expect(await world.enable().verify()).toMatchObject({ verdict: 'pending' });
    world.cluster.add(virtualNode());
    expect((await world.enable().step('await-node')).outcome).toBe('done');
    expect(await world.enable().verify()).toMatchObject({
      verdict: 'reached',
      result: { subnet: ACI_SUBNET_ID, principalId: CONNECTOR_PRINCIPAL },
    });
    world.setCluster({ addonProfiles: {} });
    expect(await world.enable().verify()).toMatchObject({ verdict: 'missed' });
  });
});
