import { aksWorld } from '#libs/testing/aks-operation.harness.js';
import { CLUSTER_ID, POOL_ID, SUBSCRIPTION, clusterProperties, poolProperties } from '#libs/testing/aks-samples.js';
import { describeSystem, targetOf } from '../contract/system.contract-suite.js';
import { createAksSystem } from './aks.module.js';

const SPARE_ID = `${CLUSTER_ID}/agentPools/spare`;
const ofCluster = { cluster: targetOf(CLUSTER_ID, 'ManagedCluster') };

describeSystem('aks', {
  otherKinds: ['FleetMember'],
  samples: { ManagedCluster: [clusterProperties()], AgentPool: [poolProperties()] },
  operations: {
    'aks.nodePool.scale': {
      input: { nodePool: POOL_ID, count: 3 },
      references: { nodePool: targetOf(POOL_ID, 'AgentPool') },
    },
    'aks.nodePool.create': {
      input: { cluster: CLUSTER_ID, name: 'extra', vmSize: 'Standard_D2s_v5' },
      references: ofCluster,
    },
    'aks.nodePool.upgrade': {
      input: { nodePool: POOL_ID },
      references: { nodePool: targetOf(POOL_ID, 'AgentPool') },
    },
    'aks.nodePool.start': {
      input: { nodePool: POOL_ID },
      references: { nodePool: targetOf(POOL_ID, 'AgentPool') },
    },
    'aks.nodePool.stop': {
      input: { nodePool: SPARE_ID },
      references: { nodePool: targetOf(SPARE_ID, 'AgentPool') },
    },
    'aks.nodePool.delete': {
      input: { nodePool: SPARE_ID },
      references: { nodePool: targetOf(SPARE_ID, 'AgentPool') },
    },
    'aks.cluster.create': {
      input: {
        subscriptionId: SUBSCRIPTION,
        resourceGroup: 'demo_aks01',
        name: 'new',
        location: 'eastus',
        systemPool: { vmSize: 'Standard_D2s_v5' },
      },
      references: {},
    },
    'aks.cluster.start': { input: { cluster: CLUSTER_ID }, references: ofCluster },
    'aks.cluster.stop': { input: { cluster: CLUSTER_ID }, references: ofCluster },
    'aks.cluster.upgrade': { input: { cluster: CLUSTER_ID, kubernetesVersion: '1.34' }, references: ofCluster },
    'aks.cluster.delete': { input: { cluster: CLUSTER_ID }, references: ofCluster },
  },
  world() {
    const arm = aksWorld({
      pools: [
        { name: 'nodepool1', ...poolProperties() },
        { name: 'spare', ...poolProperties({ mode: 'User' }) },
      ],
    });
    return {
      system: createAksSystem(arm.azure()),
      subscriptionId: SUBSCRIPTION,
      absent: [targetOf(`${CLUSTER_ID}x`, 'ManagedCluster'), targetOf(`${CLUSTER_ID}/agentPools/gone`, 'AgentPool')],
    };
  },
});
