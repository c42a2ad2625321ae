import { SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import {
  EDGE_CLUSTER,
  EDGE_INSTANCE,
  EDGE_POOL,
  HCI_GROUP,
  HOST,
  WINDOWS,
  WINDOWS_POOL,
  createInput,
  edgeClusterBody,
  hciPoolBody,
  hciPoolProperties,
  hostBody,
  hostSkusBody,
  hostVersionsBody,
  instanceBody,
  instanceProperties,
  networkBody,
} from '#libs/testing/aks-hci-samples.js';
import { FakeArm } from '#libs/testing/fake-arm.js';
import { describeSystem, targetOf } from '../contract/system.contract-suite.js';
import { createAksHciSystem } from './aks-hci.module.js';

const host = { customLocation: targetOf(HOST, 'CustomLocation') };
const cluster = { cluster: targetOf(EDGE_INSTANCE, 'ProvisionedCluster') };
const nodePool = { nodePool: targetOf(EDGE_POOL, 'ProvisionedAgentPool') };

describeSystem('aks-hci', {
  otherKinds: ['ConnectedCluster', 'CustomLocation'],
  samples: {
    ProvisionedCluster: [{ ...instanceProperties(), extendedLocation: { type: 'CustomLocation', name: HOST } }],
    ProvisionedAgentPool: [hciPoolProperties()],
  },
  operations: {
    'hci.host.inspect': { input: { customLocation: HOST }, references: host },
    'hci.cluster.create': { input: createInput(), references: host },
    'hci.cluster.upgrade': { input: { cluster: EDGE_INSTANCE, kubernetesVersion: '1.29.9' }, references: cluster },
    'hci.cluster.delete': { input: { cluster: EDGE_INSTANCE }, references: cluster },
    'hci.nodePool.put': {
      input: { cluster: EDGE_INSTANCE, name: 'more', count: 1, vmSize: 'Standard_A4_v2' },
      references: cluster,
    },
    'hci.nodePool.scale': { input: { nodePool: EDGE_POOL, count: 3 }, references: nodePool },
    'hci.nodePool.delete': {
      input: { nodePool: WINDOWS_POOL },
      references: { nodePool: targetOf(WINDOWS_POOL, 'ProvisionedAgentPool') },
    },
  },
  world() {
    const arm = new FakeArm();
    arm.add(
      edgeClusterBody(),
      instanceBody(),
      hciPoolBody(),
      hciPoolBody(WINDOWS, WINDOWS_POOL),
      hostBody(),
      hostVersionsBody(),
      hostSkusBody(),
      networkBody(),
    );
    arm.set(HCI_GROUP, { id: HCI_GROUP, name: 'akshci-eu' });
    for (const namespace of ['Microsoft.HybridContainerService', 'Microsoft.Kubernetes', 'Microsoft.ExtendedLocation'])
      arm.set(`/subscriptions/${SUBSCRIPTION}/providers/${namespace}`, { namespace, registrationState: 'Registered' });
    return {
      system: createAksHciSystem(arm.azure()),
      subscriptionId: SUBSCRIPTION,
      absent: [
        targetOf(EDGE_INSTANCE.replace(EDGE_CLUSTER, `${EDGE_CLUSTER}x`), 'ProvisionedCluster'),
        targetOf(`${EDGE_INSTANCE}/agentPools/gone`, 'ProvisionedAgentPool'),
      ],
    };
  },
});
