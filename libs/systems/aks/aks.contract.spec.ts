import { FakeArm } from '#libs/testing/fake-arm.js';
import {
  CLUSTER_ID,
  POOL_ID,
  SUBSCRIPTION,
  clusterBody,
  clusterProperties,
  poolBody,
  poolProperties,
} from '#libs/testing/aks-samples.js';
import { describeSystem, targetOf } from '../contract/system.contract-suite.js';
import { createAksSystem } from './aks.module.js';

describeSystem('aks', {
  otherKinds: ['FleetMember'],
  samples: { ManagedCluster: [clusterProperties()], AgentPool: [poolProperties()] },
  operations: {
    'aks.nodePool.scale': {
      input: { nodePool: POOL_ID, count: 3 },
      references: { nodePool: targetOf(POOL_ID, 'AgentPool') },
    },
  },
  world() {
    const arm = new FakeArm();
    arm.set(CLUSTER_ID, clusterBody());
    arm.set(POOL_ID, poolBody());
    return {
      system: createAksSystem(arm.azure()),
      subscriptionId: SUBSCRIPTION,
      absent: [targetOf(`${CLUSTER_ID}x`, 'ManagedCluster'), targetOf(`${CLUSTER_ID}/agentPools/gone`, 'AgentPool')],
    };
  },
});
