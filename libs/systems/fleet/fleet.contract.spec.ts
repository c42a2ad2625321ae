import { CLUSTER_ID, SUBSCRIPTION, clusterBody } from '#libs/testing/aks-samples.js';
import { FakeArm } from '#libs/testing/fake-arm.js';
import {
  FLEET_ID,
  MEMBER_ID,
  fleetBody,
  fleetProperties,
  memberBody,
  memberProperties,
} from '#libs/testing/fleet-samples.js';
import { describeSystem, targetOf } from '../contract/system.contract-suite.js';
import { createFleetSystem } from './fleet.module.js';

const fleet = targetOf(FLEET_ID, 'Fleet');
const member = targetOf(MEMBER_ID, 'FleetMember');
const otherCluster = `${CLUSTER_ID}-other`;

describeSystem('fleet', {
  otherKinds: ['ManagedCluster'],
  samples: {
    Fleet: [fleetProperties(), { provisioningState: 'Succeeded' }],
    FleetMember: [memberProperties()],
  },
  operations: {
    'fleet.create': {
      input: {
        subscriptionId: SUBSCRIPTION,
        resourceGroup: 'demo_aks_fleetmng',
        name: 'aks-fleet02',
        location: 'East US',
        tags: { env: 'dev' },
      },
      references: {},
    },
    'fleet.delete': { input: { fleet: FLEET_ID }, references: { fleet } },
    'fleet.member.join': {
      input: { fleet: FLEET_ID, cluster: otherCluster, group: 'canary', labels: { env: 'dev' } },
      references: { fleet, cluster: targetOf(otherCluster, 'ManagedCluster') },
    },
    'fleet.member.leave': { input: { member: MEMBER_ID }, references: { member } },
  },
  world() {
    const arm = new FakeArm();
    arm.set(FLEET_ID, fleetBody());
    arm.set(MEMBER_ID, memberBody());
    arm.set(otherCluster, { ...clusterBody(), id: otherCluster });
    arm.set(`/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks_fleetmng`, { location: 'eastus' });
    arm.set(`/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerService`, { registrationState: 'Registered' });
    return {
      system: createFleetSystem(arm.azure()),
      subscriptionId: SUBSCRIPTION,
      absent: [targetOf(`${FLEET_ID}x`, 'Fleet'), targetOf(`${MEMBER_ID}x`, 'FleetMember')],
    };
  },
});
