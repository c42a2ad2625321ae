import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import { CLUSTER_ID, SUBSCRIPTION, clusterBody } from '#libs/testing/aks-samples.js';
import { FakeArm } from '#libs/testing/fake-arm.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import {
  CLUSTER_1,
  HUB,
  MEMBER_1,
  MEMBER_2,
  NAMESPACE,
  SAMPLE_TIME,
  SERVICE,
  clusterDirectory,
  memberClusterObject,
  multiClusterServiceObject,
  namespaceObject,
  placementObject,
  serviceExportObject,
  serviceImportObject,
  serviceObject,
} from '#libs/testing/fleet-hub-samples.js';
import {
  FLEET_ID,
  MEMBER_ID,
  PROFILE_ID,
  RUN_ID,
  STRATEGY_ID,
  autoUpgradeProfileBody,
  autoUpgradeProfileProperties,
  fleetBody,
  fleetProperties,
  memberBody,
  memberProperties,
  updateRunBody,
  updateRunProperties,
  updateStrategyBody,
  updateStrategyProperties,
} from '#libs/testing/fleet-samples.js';
import { ManualClock } from '#libs/kernel/clock.js';
import { describeSystem, targetOf } from '../contract/system.contract-suite.js';
import { createFleetSystem } from './fleet.module.js';

const fleet = targetOf(FLEET_ID, 'Fleet');
const member = targetOf(MEMBER_ID, 'FleetMember');
const cluster = targetOf(CLUSTER_ID, 'ManagedCluster');
const run = targetOf(RUN_ID, 'FleetUpdateRun');
const strategy = targetOf(STRATEGY_ID, 'FleetUpdateStrategy');
const profile = targetOf(PROFILE_ID, 'FleetAutoUpgradeProfile');
const otherCluster = `${CLUSTER_ID}-other`;
const thirdCluster = `${CLUSTER_ID}-third`;
const PLACEMENT = { group: 'placement.kubernetes-fleet.io', kind: 'ClusterResourcePlacement' };

function onHub(type: { group: string; kind: string }, name: string, namespace?: string): string {
  return KubernetesId.of({ clusterUid: HUB.uid, ...type, namespace, name }).toString();
}

const DEPLOYMENT = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {replicas: 2}
`;

describeSystem('fleet', {
  otherKinds: ['ManagedCluster', 'ConnectedCluster', 'AttachedCluster', 'Service'],
  samples: {
    Fleet: [fleetProperties(), { provisioningState: 'Succeeded' }],
    FleetMember: [memberProperties()],
    FleetUpdateRun: [updateRunProperties(), { provisioningState: 'Succeeded' }],
    FleetUpdateStrategy: [updateStrategyProperties()],
    FleetAutoUpgradeProfile: [autoUpgradeProfileProperties()],
    MemberCluster: [
      memberClusterObject(),
      memberClusterObject(MEMBER_1, { spec: { taints: [{ key: 'a', value: 'b', effect: 'NoSchedule' }] } }),
    ],
    ClusterResourcePlacement: [placementObject(), placementObject({ spec: {} })],
    ServiceExport: [serviceExportObject(), { ...serviceExportObject(), heldOnHub: true }],
    ServiceImport: [serviceImportObject()],
    MultiClusterService: [multiClusterServiceObject()],
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
    'fleet.updateRun.create': {
      input: {
        fleet: FLEET_ID,
        name: 'new',
        strategy: STRATEGY_ID,
        upgrade: { type: 'Full', kubernetesVersion: '1.34.2' },
      },
      references: { fleet, strategy },
    },
    'fleet.updateRun.start': { input: { run: RUN_ID }, references: { run } },
    'fleet.updateRun.stop': { input: { run: RUN_ID }, references: { run } },
    'fleet.updateRun.skip': {
      input: { run: RUN_ID, targets: [{ type: 'Stage', name: 'first' }] },
      references: { run },
    },
    'fleet.updateRun.delete': { input: { run: RUN_ID }, references: { run } },
    'fleet.updateStrategy.apply': {
      input: { fleet: FLEET_ID, name: 'new', stages: [{ name: 'first', groups: [{ name: 'canary' }] }] },
      references: { fleet },
    },
    'fleet.updateStrategy.delete': { input: { strategy: STRATEGY_ID }, references: { strategy } },
    'fleet.autoUpgradeProfile.apply': {
      input: { fleet: FLEET_ID, name: 'new', channel: 'Stable', strategy: STRATEGY_ID },
      references: { fleet, strategy },
    },
    'fleet.autoUpgradeProfile.delete': { input: { profile: PROFILE_ID }, references: { profile } },
    'fleet.autoUpgradeProfile.generateUpdateRun': { input: { profile: PROFILE_ID }, references: { profile } },
    'fleet.roleAssignment.create': {
      input: { fleet: FLEET_ID, principalId: '33333333-0000-0000-0000-000000000003' },
      references: { fleet },
    },
    'fleet.placement.apply': {
      input: { fleet: FLEET_ID, name: NAMESPACE, namespaces: [NAMESPACE], policy: { placementType: 'PickAll' } },
      references: { fleet },
    },
    'fleet.placement.delete': {
      input: { placement: onHub(PLACEMENT, NAMESPACE) },
      references: { placement: targetOf(onHub(PLACEMENT, NAMESPACE), 'ClusterResourcePlacement') },
    },
    'fleet.service.export': {
      input: { cluster: CLUSTER_ID, namespace: NAMESPACE, service: SERVICE, weight: 10 },
      references: { cluster },
    },
    'fleet.multiClusterService.apply': {
      input: { cluster: CLUSTER_ID, namespace: NAMESPACE, name: SERVICE },
      references: { cluster },
    },
    'fleet.workload.deploy': {
      input: { fleet: FLEET_ID, namespace: 'web', manifest: DEPLOYMENT },
      references: { fleet },
    },
  },
  world() {
    const arm = new FakeArm();
    arm.set(FLEET_ID, fleetBody());
    arm.set(MEMBER_ID, memberBody());
    arm.add(updateRunBody(), updateStrategyBody(), autoUpgradeProfileBody());
    arm.add(clusterBody());
    arm.add(memberBody({ clusterResourceId: thirdCluster, group: 'prod' }, `${FLEET_ID}/members/m2`));
    arm.set(`${CLUSTER_ID}/upgradeProfiles/default`, {
      properties: { controlPlaneProfile: { kubernetesVersion: '1.33.5', upgrades: [{ kubernetesVersion: '1.34.2' }] } },
    });
    arm.set(thirdCluster, { ...clusterBody(), id: thirdCluster });
    arm.set(otherCluster, { ...clusterBody(), id: otherCluster });
    arm.set(`/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks_fleetmng`, { location: 'eastus' });
    arm.set(`/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerService`, { registrationState: 'Registered' });
    arm.answer('GET', /Microsoft\.Authorization\/permissions$/, {
      status: 200,
      body: { value: [{ actions: ['*'], notActions: [] }] },
    });
    const kube = new FakeKube();
    kube
      .cluster(HUB)
      .add(namespaceObject(), placementObject(), serviceImportObject())
      .add(memberClusterObject(MEMBER_1), memberClusterObject(MEMBER_2))
      .add({ ...serviceExportObject(), status: {} });
    kube
      .cluster(CLUSTER_1)
      .withdraw(PLACEMENT)
      .withdraw({ group: 'cluster.kubernetes-fleet.io', kind: 'MemberCluster' })
      .add(namespaceObject(), serviceObject(), serviceExportObject(), multiClusterServiceObject());
    return {
      system: createFleetSystem(arm.azure(), kube, clusterDirectory(HUB, CLUSTER_1), new ManualClock(SAMPLE_TIME)),
      subscriptionId: SUBSCRIPTION,
      absent: [
        targetOf(`${FLEET_ID}x`, 'Fleet'),
        targetOf(`${MEMBER_ID}x`, 'FleetMember'),
        targetOf(`${RUN_ID}x`, 'FleetUpdateRun'),
        targetOf(`${STRATEGY_ID}x`, 'FleetUpdateStrategy'),
        targetOf(`${PROFILE_ID}x`, 'FleetAutoUpgradeProfile'),
        targetOf(onHub(PLACEMENT, 'other'), 'ClusterResourcePlacement'),
      ],
      clusters: [HUB, CLUSTER_1],
    };
  },
});
