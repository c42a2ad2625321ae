import { describe, expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { CLUSTER_ID } from '#libs/testing/aks-samples.js';
import { refusal } from '#libs/testing/fake-arm.js';
import {
  GROUP_ID,
  NODE_GROUP,
  VIRTUAL_NODE,
  VirtualNodesWorld,
  WORKLOAD_ID,
  groupBody,
  podOnVirtualNode,
  subnetBody,
  virtualNode,
} from '#libs/testing/virtual-nodes-world.js';
import type { KnownObject } from '../contract/advice.js';

const CLUSTER_UID = ArmId.parse(CLUSTER_ID).uid;
const EARLY_NODE = 'virtual-kubelet-aci-connector-linux-westus';
const PUBLIC = { ipAddress: { ip: '52.1.1.1', type: 'Public', ports: [{ port: 80 }] }, subnetIds: [] };
const DELEGATED = { delegations: [{ properties: { serviceName: 'Microsoft.ContainerInstance/containerGroups' } }] };
const BURST: RemedyOperation = {
  type: 'virtualNodes.workload.burst',
  input: { workload: WORKLOAD_ID, virtualNode: VIRTUAL_NODE },
};

/** As the cache would have it. */
function known(kind: string, name: string, properties: JsonObject): KnownObject {
  return { uid: name, id: GROUP_ID, kind, name, clusterUid: CLUSTER_UID, namespace: 'default', properties };
}

const group = (properties: JsonObject, state: string): KnownObject =>
  known('ContainerGroup', 'default-web-0', {
    ...(groupBody(properties).properties as JsonObject),
    servedPod: { name: 'web-0', namespace: 'default', node: VIRTUAL_NODE, uid: 'u', state },
  });
const POD = known('Pod', 'web-0', podOnVirtualNode());
const ADDON_NODE = known('VirtualNode', VIRTUAL_NODE, virtualNode());

interface Row {
  reason: string;
  properties?: JsonObject;
  podState?: string;
  cached?: KnownObject[];
  arrange?(world: VirtualNodesWorld): void;
  advice: { code: string; operations: RemedyOperation[] }[];
}

const enabling = (input: JsonObject): RemedyOperation => ({
  type: 'virtualNodes.enable',
  input: { cluster: CLUSTER_ID, ...input },
});

const ROWS: Row[] = [
  { reason: 'all is well', advice: [] },
  {
    reason: 'its pod is gone',
    podState: 'Gone',
    advice: [
      {
        code: 'CONTAINER_GROUP_ORPHANED',
        operations: [{ type: 'azure.containerGroup.delete', input: { containerGroup: GROUP_ID } }],
      },
    ],
  },
  {
    reason: 'one that nobody uses is deleted, not moved',
    properties: PUBLIC,
    podState: 'Gone',
    advice: [
      {
        code: 'CONTAINER_GROUP_ORPHANED',
        operations: [{ type: 'azure.containerGroup.delete', input: { containerGroup: GROUP_ID } }],
      },
    ],
  },
  {
    reason: 'there is a virtual node in the network',
    properties: PUBLIC,
    cached: [POD, ADDON_NODE],
    advice: [{ code: 'CONTAINER_GROUP_PUBLIC', operations: [BURST] }],
  },
  {
    reason: 'its pod is of no workload',
    properties: PUBLIC,
    cached: [ADDON_NODE],
    advice: [{ code: 'CONTAINER_GROUP_PUBLIC', operations: [] }],
  },
  {
    reason: 'the virtual node that is there is that of the early connector itself',
    properties: PUBLIC,
    cached: [POD, known('VirtualNode', EARLY_NODE, virtualNode(EARLY_NODE))],
    advice: [
      {
        code: 'CONTAINER_GROUP_PUBLIC',
        operations: [enabling({ subnetName: 'virtual-nodes', subnetPrefix: '10.225.0.0/24' })],
      },
    ],
  },
  {
    reason: 'the virtual node in the network is not ready',
    properties: PUBLIC,
    cached: [POD, known('VirtualNode', VIRTUAL_NODE, virtualNode(VIRTUAL_NODE, { ready: 'Unknown' }))],
    arrange: (world) => world.setNetwork(subnetBody('Virtual-Nodes')),
    advice: [
      {
        code: 'CONTAINER_GROUP_PUBLIC',
        operations: [enabling({ subnetName: 'virtual-nodes-2', subnetPrefix: '10.225.1.0/24' })],
      },
    ],
  },
  {
    reason: 'a subnet is given to container groups already',
    properties: PUBLIC,
    arrange: (world) => world.setNetwork(subnetBody('aci', DELEGATED)),
    advice: [{ code: 'CONTAINER_GROUP_PUBLIC', operations: [enabling({ subnetName: 'aci' })] }],
  },
  {
    reason: 'the subnet that is given to container groups is full',
    properties: PUBLIC,
    arrange: (world) => world.setNetwork(subnetBody('aci', { ...DELEGATED, addressPrefix: '10.225.0.0/29' })),
    advice: [
      {
        code: 'CONTAINER_GROUP_PUBLIC',
        operations: [enabling({ subnetName: 'virtual-nodes', subnetPrefix: '10.225.1.0/24' })],
      },
    ],
  },
  {
    reason: 'the services of the cluster have addresses that no subnet has',
    properties: PUBLIC,
    arrange: (world) =>
      world.setCluster({ networkProfile: { networkPlugin: 'azure', serviceCidrs: ['10.225.0.0/16'] } }),
    advice: [
      {
        code: 'CONTAINER_GROUP_PUBLIC',
        operations: [enabling({ subnetName: 'virtual-nodes', subnetPrefix: '10.226.0.0/24' })],
      },
    ],
  },
  {
    reason: 'the network of the cluster cannot carry virtual nodes',
    properties: PUBLIC,
    arrange: (world) => world.setCluster({ networkProfile: { networkPlugin: 'azure', networkPluginMode: 'overlay' } }),
    advice: [{ code: 'CONTAINER_GROUP_PUBLIC', operations: [] }],
  },
  {
    reason: 'the API server takes requests from certain addresses only',
    properties: PUBLIC,
    arrange: (world) => world.setCluster({ apiServerAccessProfile: { authorizedIPRanges: ['203.0.113.0/24'] } }),
    advice: [{ code: 'CONTAINER_GROUP_PUBLIC', operations: [] }],
  },
  ...[/\/resourceGroups\/MC_[^/]+$/i, /\/managedClusters\/[^/]+$/i, /\/virtualNetworks\/[^/]+$/i].map((path) => ({
    reason: `what may not be read is not known: ${path.source}`,
    properties: PUBLIC,
    arrange: (world: VirtualNodesWorld) =>
      world.arm.answer('GET', path, refusal(403, 'AuthorizationFailed', 'Nobody may read this.')),
    advice: [{ code: 'CONTAINER_GROUP_PUBLIC', operations: [] }],
  })),
  {
    reason: 'nobody knows of which cluster it is',
    properties: PUBLIC,
    arrange: (world) => world.arm.set(NODE_GROUP, { id: NODE_GROUP, name: 'own', location: 'eastus' }),
    advice: [{ code: 'CONTAINER_GROUP_PUBLIC', operations: [] }],
  },
];

describe('advice for container groups', () => {
  it.each(ROWS)('$reason', async ({ properties = {}, podState = 'Present', cached = [], arrange, advice }) => {
    const world = new VirtualNodesWorld();
    arrange?.(world);
    const [advisor] = world.system().advisors ?? [];
    const context = {
      signal: new AbortController().signal,
      correlationId: 'advice',
      inCluster: (kind: string) => Promise.resolve(cached.filter((each) => each.kind === kind)),
    };
    const given = await advisor?.advise(group(properties, podState), context);
    expect(
      given?.map(({ code, remedies }) => ({ code, operations: remedies.flatMap((each) => each.operations) })),
    ).toEqual(advice);
    expect(world.arm.writes()).toEqual([]);
  });

  it('has a row for each code', () => {
    const codes = new Set(ROWS.flatMap(({ advice }) => advice.map(({ code }) => code)));
    const [advisor] = new VirtualNodesWorld().system().advisors ?? [];
    expect([...codes].sort()).toEqual(Object.keys(advisor?.codes ?? {}).sort());
  });
});
