import { describe, expect, it } from '@jest/globals';
import type { RemedyOperation } from '#libs/kernel/control-error.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { CLUSTER_ID } from '#libs/testing/aks-samples.js';
import { refusal } from '#libs/testing/fake-arm.js';
import { watchedCluster } from '#libs/testing/kubernetes-samples.js';
import {
  ACI_SUBNET_ID,
  CONNECTOR_PRINCIPAL,
  NODE_GROUP,
  VIRTUAL_NODE,
  VirtualNodesWorld,
  subnetBody,
  virtualNode,
} from '#libs/testing/virtual-nodes-world.js';
import { virtualNodeIdOf } from './virtual-node.kind.js';

const DEAD = virtualNode(VIRTUAL_NODE, { ready: 'Unknown' });
const EARLY = virtualNode('virtual-kubelet-aci-connector-linux-westus', { ready: 'Unknown' });
const cluster = { cluster: CLUSTER_ID };
const assignment = (input: Record<string, string>): RemedyOperation => ({
  type: 'azure.roleAssignment.create',
  input: { ...input, principalId: CONNECTOR_PRINCIPAL, principalType: 'ServicePrincipal' },
});
const ON_SUBNET = assignment({ scope: ACI_SUBNET_ID, role: 'NetworkContributor' });
const IN_GROUP = assignment({ resourceGroup: NODE_GROUP, role: 'ContainerInstancesContributor' });
const anew = (subnetName: string, subnetPrefix: string): RemedyOperation[] => [
  { type: 'virtualNodes.disable', input: { ...cluster, force: true } },
  { type: 'virtualNodes.enable', input: { ...cluster, subnetName, subnetPrefix } },
];

interface Row {
  reason: string;
  node?: KubernetesObject;
  arrange?(world: VirtualNodesWorld): void;
  advice: { code: string; operations: RemedyOperation[][] }[];
}

const ROWS: Row[] = [
  { reason: 'all is well', node: virtualNode(), advice: [] },
  {
    reason: 'a node that is ready has a connector that runs, whatever roles are seen',
    node: virtualNode(),
    arrange: (world) => (world.hasSubnetRole = false),
    advice: [],
  },
  { reason: 'its connector fails for what nobody can see from here', advice: [] },
  {
    reason: 'the role on the subnet was taken away',
    arrange: (world) => (world.hasSubnetRole = false),
    advice: [
      {
        code: 'CONNECTOR_LACKS_ROLE',
        operations: [[{ type: 'virtualNodes.enable', input: { ...cluster, subnetName: 'aci' } }], [ON_SUBNET]],
      },
    ],
  },
  {
    reason: 'the role in the node resource group was taken away, which switching on does not give',
    arrange: (world) => (world.hasGroupRole = false),
    advice: [{ code: 'CONNECTOR_LACKS_ROLE', operations: [[IN_GROUP]] }],
  },
  {
    reason: 'both were',
    arrange: (world) => (world.hasGroupRole = world.hasSubnetRole = false),
    advice: [{ code: 'CONNECTOR_LACKS_ROLE', operations: [[ON_SUBNET, IN_GROUP]] }],
  },
  {
    reason: 'the subnet was deleted',
    arrange: (world) => world.setNetwork(),
    advice: [{ code: 'CONNECTOR_SUBNET_WRONG', operations: [anew('virtual-nodes', '10.225.0.0/24')] }],
  },
  ...[
    { reason: 'a web app has the subnet', delegations: [{ properties: { serviceName: 'Microsoft.Web/serverFarms' } }] },
    { reason: 'a machine is in the subnet', ipConfigurations: [{ id: 'nic' }] },
    { reason: 'traffic of the subnet is routed', routeTable: { id: 'table' } },
  ].map(({ reason, ...properties }) => ({
    reason,
    arrange: (world: VirtualNodesWorld) => world.setNetwork(subnetBody('aci', properties)),
    advice: [{ code: 'CONNECTOR_SUBNET_WRONG', operations: [anew('virtual-nodes', '10.225.1.0/24')] }],
  })),
  ...[
    { what: 'the roles in the node resource group', path: /\/MC_[^/]+\/providers\/.*\/roleAssignments$/i },
    { what: 'the network', path: /\/virtualNetworks\/[^/]+$/i },
    { what: 'the cluster', path: /\/managedClusters\/[^/]+$/i },
  ].map(({ what, path }) => ({
    reason: `what may not be read is not known: ${what}`,
    arrange: (world: VirtualNodesWorld) =>
      world.arm.answer('GET', path, refusal(403, 'AuthorizationFailed', 'Nobody may read this.'), true),
    advice: [],
  })),
  {
    reason: 'the add-on is off: there is no connector any more',
    arrange: (world) => world.setCluster({ addonProfiles: {} }),
    advice: [],
  },
  { reason: 'the early connector is none of the add-on', node: EARLY, advice: [] },
  {
    reason: 'load balancers take it for a machine',
    node: { ...virtualNode(), metadata: { ...virtualNode().metadata, labels: { type: 'virtual-kubelet' } } },
    advice: [{ code: 'VIRTUAL_NODE_IN_LOAD_BALANCER', operations: [[]] }],
  },
];

describe('advice for virtual nodes', () => {
  const advisorOf = (world: VirtualNodesWorld) =>
    (world.system().advisors ?? []).find(({ kind }) => kind === 'VirtualNode');

  it.each(ROWS)('$reason', async ({ node = DEAD, arrange, advice }) => {
    const world = new VirtualNodesWorld();
    world.switchOn();
    arrange?.(world);
    const { uid: clusterUid } = watchedCluster();
    const { uid, canonical } = virtualNodeIdOf(clusterUid, node.metadata.name);
    const object = { uid, id: canonical, kind: 'VirtualNode', name: node.metadata.name, namespace: null };
    const given = await advisorOf(world)?.advise(
      { ...object, clusterUid, properties: node },
      { signal: new AbortController().signal, correlationId: 'advice', inCluster: () => Promise.resolve([]) },
    );
    expect(
      given?.map(({ code, remedies }) => ({ code, operations: remedies.map(({ operations }) => operations) })),
    ).toEqual(advice);
    expect(world.arm.writes()).toEqual([]);
  });

  it('has a row for each code', () => {
    const codes = new Set(ROWS.flatMap(({ advice }) => advice.map(({ code }) => code)));
    expect([...codes].sort()).toEqual(Object.keys(advisorOf(new VirtualNodesWorld())?.codes ?? {}).sort());
  });
});
