import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { CLUSTER_ID, SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import { watchedCluster } from '#libs/testing/kubernetes-samples.js';
import {
  ACI_SUBNET_ID,
  ASSIGNMENT_ID,
  GROUP_ID,
  NETWORK_ID,
  VIRTUAL_NODE,
  VirtualNodesWorld,
  WORKLOAD_ID,
  assignmentBody,
  groupBody,
  networkBody,
  podOnVirtualNode,
  subnetBody,
  virtualNode,
  workloadOf,
} from '#libs/testing/virtual-nodes-world.js';
import { describeSystem, targetOf } from '../contract/system.contract-suite.js';
import { virtualNodeIdOf } from './virtual-node.kind.js';

const cluster = targetOf(CLUSTER_ID, 'ManagedCluster');
const bag = ({ properties }: JsonObject): JsonObject => properties as JsonObject;
const served = { name: 'web-0', namespace: 'default', node: VIRTUAL_NODE, uid: 'u' };

describeSystem('virtual-nodes', {
  otherKinds: ['ManagedCluster', 'ConnectedCluster', 'AttachedCluster', 'Workload', 'Pod'],
  samples: {
    VirtualNode: [{ ...virtualNode(), virtual: { podCount: 1, subnetId: ACI_SUBNET_ID, identityObjectId: 'o' } }],
    ContainerGroup: [
      { ...bag(groupBody()), servedPod: { ...served, state: 'Gone' } },
      // More than there can be, which a sum must not make endless.
      bag(groupBody({ containers: [{ properties: { resources: { requests: { cpu: 1e308, memoryInGB: -1e308 } } } }] })),
      bag(groupBody({ ipAddress: { ip: '52.1.1.1', type: 'Public', ports: [] }, subnetIds: [] })),
    ],
    VirtualNetwork: [bag(networkBody())],
    Subnet: [bag(subnetBody('aci', { addressPrefixes: ['10.225.0.0/24', 'fd00::/64'] }))],
    RoleAssignment: [bag(assignmentBody())],
  },
  operations: {
    'virtualNodes.enable': {
      input: { cluster: CLUSTER_ID, subnetName: 'aci' },
      references: { cluster },
    },
    'virtualNodes.disable': { input: { cluster: CLUSTER_ID }, references: { cluster } },
    'azure.containerGroup.delete': {
      input: { containerGroup: `${GROUP_ID}-left` },
      references: { containerGroup: targetOf(`${GROUP_ID}-left`, 'ContainerGroup') },
    },
    'virtualNodes.workload.burst': {
      input: { workload: WORKLOAD_ID, replicas: 3 },
      references: { workload: targetOf(WORKLOAD_ID, 'Workload') },
    },
  },
  world() {
    const world = new VirtualNodesWorld();
    world.switchOn();
    world.arm.add(groupBody());
    world.cluster.add(podOnVirtualNode(), workloadOf());
    return {
      system: world.system(),
      subscriptionId: SUBSCRIPTION,
      clusters: [watchedCluster()],
      absent: [
        targetOf(`${GROUP_ID}x`, 'ContainerGroup'),
        targetOf(`${NETWORK_ID}/subnets/gone`, 'Subnet'),
        targetOf(`${NETWORK_ID}x`, 'VirtualNetwork'),
        targetOf(ASSIGNMENT_ID.replace(/1$/, '2'), 'RoleAssignment'),
        targetOf(virtualNodeIdOf(ArmId.parse(CLUSTER_ID).uid, 'gone').canonical, 'VirtualNode'),
      ],
    };
  },
});
