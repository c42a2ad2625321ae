import { FakeArm } from '#libs/testing/fake-arm.js';
import {
  ARC_SUBSCRIPTION,
  CONNECTED_ID,
  EXTENSION_ID,
  LOCATION_ID,
  ARC_GROUP,
  PROVIDER_OBJECT_ID,
  agentDeployment,
  connectedBody,
  connectedProperties,
  extensionBody,
  extensionProperties,
  fluxBody,
  fluxProperties,
  locationBody,
  locationProperties,
  registeredProvider,
} from '#libs/testing/arc-samples.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import { describeSystem, targetOf } from '../contract/system.contract-suite.js';
import { createArcSystem } from './arc.module.js';

/** Nothing stands on it. */
const LONELY_ID = `${ARC_GROUP}/providers/Microsoft.Kubernetes/connectedClusters/lonely`;
const FREE_EXTENSION_ID = `${CONNECTED_ID}/providers/Microsoft.KubernetesConfiguration/extensions/free`;

const cluster = targetOf(CONNECTED_ID, 'ConnectedCluster');
const extension = targetOf(EXTENSION_ID, 'ClusterExtension');
const attachedCluster = targetOf('/providers/Pilothouse.Clusters/attachedClusters/edge', 'AttachedCluster');
const customLocation = targetOf(LOCATION_ID, 'CustomLocation');

describeSystem('arc', {
  otherKinds: ['FleetMember', 'AttachedCluster'],
  samples: {
    ConnectedCluster: [connectedProperties()],
    ClusterExtension: [extensionProperties()],
    CustomLocation: [locationProperties()],
    FluxConfiguration: [fluxProperties()],
  },
  operations: {
    'arc.cluster.connect': {
      input: {
        subscriptionId: ARC_SUBSCRIPTION,
        resourceGroup: 'akshci-eu',
        name: 'new',
        location: 'eastus',
        attachedCluster: attachedCluster.id,
      },
      references: { attachedCluster },
    },
    'arc.cluster.disconnect': {
      input: { cluster: LONELY_ID },
      references: { cluster: targetOf(LONELY_ID, 'ConnectedCluster') },
    },
    'arc.feature.enable': {
      input: { cluster: CONNECTED_ID, features: ['cluster-connect'] },
      references: { cluster },
    },
    'arc.feature.disable': {
      input: { cluster: CONNECTED_ID, features: ['azure-rbac'] },
      references: { cluster },
    },
    'arc.extension.install': {
      input: { cluster: CONNECTED_ID, name: 'flux', extensionType: 'Microsoft.Flux', protectedSettings: '{"a":"b"}' },
      references: { cluster },
    },
    'arc.extension.update': { input: { extension: EXTENSION_ID, settings: { a: 'b' } }, references: { extension } },
    'arc.extension.remove': {
      input: { extension: FREE_EXTENSION_ID },
      references: { extension: targetOf(FREE_EXTENSION_ID, 'ClusterExtension') },
    },
    'arc.customLocation.create': {
      input: { cluster: CONNECTED_ID, name: 'akshci-apps', namespace: 'akshci-apps', extension: EXTENSION_ID },
      references: { cluster, extension },
    },
    'arc.customLocation.delete': { input: { customLocation: LOCATION_ID }, references: { customLocation } },
    'arc.customLocation.grant': {
      input: { cluster: CONNECTED_ID, objectId: PROVIDER_OBJECT_ID },
      references: { cluster },
    },
  },
  world() {
    const arm = new FakeArm();
    arm.add(connectedBody(), extensionBody(), locationBody(), fluxBody());
    arm.add({ ...connectedBody(), id: LONELY_ID }, { ...extensionBody(), id: FREE_EXTENSION_ID });
    arm.set(ARC_GROUP, { id: ARC_GROUP, location: 'eastus' });
    for (const namespace of [
      'Microsoft.Kubernetes',
      'Microsoft.KubernetesConfiguration',
      'Microsoft.ExtendedLocation',
    ]) {
      arm.set(`/subscriptions/${ARC_SUBSCRIPTION}/providers/${namespace}`, registeredProvider(namespace));
    }
    const kube = new FakeKube();
    kube.cluster(cluster.uid).add(agentDeployment('clusterconnect-agent'), agentDeployment('kube-aad-proxy'));
    return {
      system: createArcSystem(arm.azure(), kube),
      subscriptionId: ARC_SUBSCRIPTION,
      absent: [
        targetOf(`${CONNECTED_ID}x`, 'ConnectedCluster'),
        targetOf(`${EXTENSION_ID}x`, 'ClusterExtension'),
        targetOf(`${LOCATION_ID}x`, 'CustomLocation'),
      ],
    };
  },
});
