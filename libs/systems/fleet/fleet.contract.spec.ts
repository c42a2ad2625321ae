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
  fleetBody,
  fleetProperties,
  memberBody,
  memberProperties,
} from '#libs/testing/fleet-samples.js';
import { ManualClock } from '#libs/kernel/clock.js';
import { describeSystem, targetOf } from '../contract/system.contract-suite.js';
import { createFleetSystem } from './fleet.module.js';

const fleet = targetOf(FLEET_ID, 'Fleet');
const member = targetOf(MEMBER_ID, 'FleetMember');
const cluster = targetOf(CLUSTER_ID, 'ManagedCluster');
const otherCluster = `${CLUSTER_ID}-other`;
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
  otherKinds: ['ManagedCluster', 'AttachedCluster', 'Service'],
  samples: {
    Fleet: [fleetProperties(), { provisioningState: 'Succeeded' }],
    FleetMember: [memberProperties()],
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
    arm.add(clusterBody());
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
        targetOf(onHub(PLACEMENT, 'other'), 'ClusterResourcePlacement'),
      ],
      clusters: [HUB, CLUSTER_1],
    };
  },
});
