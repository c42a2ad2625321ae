import type { Kube } from '#libs/kube/kube.js';
import { SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import {
  csiDriver,
  daemonSet,
  deployment,
  namespaceObject,
  node,
  pod,
  service,
  statefulSet,
  storageClass,
  watchedCluster,
} from '#libs/testing/kubernetes-samples.js';
import type { System } from '../contract/system.js';
import { describeSystem, targetOf } from '../contract/system.contract-suite.js';
import { createKubernetesSystem } from './kubernetes.module.js';
import { STREAM_NAMES } from './kubernetes.options.js';

const cluster = watchedCluster();
const PREFIX = `kubernetes://${cluster.uid}`;
const references = { cluster: targetOf(cluster.id, 'ManagedCluster') };
const nodeReference = { node: targetOf(`${PREFIX}/core/Node/node-1`, 'Node') };
const workloadReference = { workload: targetOf(`${PREFIX}/apps/Deployment/web/web`, 'Workload') };
const driverReference = {
  csiDriver: targetOf(`${PREFIX}/storage.k8s.io/CSIDriver/disk.csi.akshci.com`, 'CsiDriver'),
};

const MANIFEST = `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: blue}
`;

function system(kube: Kube): System {
  return createKubernetesSystem(kube, {
    clusters: { find: (uid) => Promise.resolve(uid === cluster.uid ? cluster : undefined) },
    streams: STREAM_NAMES,
    namespaces: [],
    excludedNamespaces: [],
  });
}

/** Nodes and services are told with what other streams know, which run beside them for as long as a cluster is watched. */
function watchBeside({ watchers }: System): void {
  const context = {
    correlationId: 'beside',
    signal: new AbortController().signal,
    relistRequested: () => new Promise<void>(() => undefined),
  };
  const consume = async (batches: AsyncIterable<unknown>): Promise<void> => {
    for await (const _batch of batches) continue;
  };
  for (const watcher of watchers) {
    for (const stream of ['pods', 'deployments', 'statefulsets', 'daemonsets', 'endpointslices']) {
      void consume(watcher.watch(cluster, stream, context));
    }
  }
}

describeSystem('kubernetes', {
  otherKinds: ['ManagedCluster', 'ConnectedCluster', 'Fleet'],
  toldKinds: ['AttachedCluster'],
  samples: {
    AttachedCluster: [
      { server: 'k.example', kubernetesVersion: 'v1.33.1', attachedBy: 'ada', authentication: 'token' },
    ],
    Namespace: [namespaceObject('web')],
    Node: [{ ...node('node-1'), requested: { cpuMillicores: 250, memoryBytes: 64, pods: 1 } }],
    Workload: [{ ...deployment('web'), heldOnHub: true }, statefulSet('db'), daemonSet('agent')],
    Pod: [pod('web-5f7d-abcde')],
    Service: [service('web')],
    StorageClass: [storageClass('default')],
    CsiDriver: [csiDriver('disk.csi.akshci.com')],
  },
  operations: {
    'kubernetes.manifest.apply': { input: { cluster: cluster.id, manifest: MANIFEST, namespace: 'web' }, references },
    'kubernetes.object.delete': {
      input: { cluster: cluster.id, apiVersion: 'v1', kind: 'Pod', namespace: 'web', name: 'web-5f7d-abcde' },
      references,
    },
    'kubernetes.workload.scale': {
      input: { workload: workloadReference.workload.id, replicas: 3 },
      references: workloadReference,
    },
    'kubernetes.workload.restart': {
      input: { workload: workloadReference.workload.id },
      references: workloadReference,
    },
    'kubernetes.workload.patch': {
      input: {
        workload: workloadReference.workload.id,
        patch: '{"spec":{"template":{"spec":{"nodeSelector":{"type":"virtual-kubelet"}}}}}',
      },
      references: workloadReference,
    },
    'kubernetes.node.taint': {
      input: { node: nodeReference.node.id, key: 'dedicated', value: 'web', effect: 'NoSchedule' },
      references: nodeReference,
    },
    'kubernetes.node.untaint': { input: { node: nodeReference.node.id, key: 'dedicated' }, references: nodeReference },
    'kubernetes.node.cordon': { input: { node: nodeReference.node.id }, references: nodeReference },
    'kubernetes.node.uncordon': { input: { node: nodeReference.node.id }, references: nodeReference },
    'kubernetes.csiDriver.setFsGroupPolicy': {
      input: { csiDriver: driverReference.csiDriver.id, fsGroupPolicy: 'File' },
      references: driverReference,
    },
    'kubernetes.storageClass.create': {
      input: {
        cluster: cluster.id,
        name: 'disk-ext4',
        provisioner: 'disk.csi.akshci.com',
        parameters: { fsType: 'ext4' },
      },
      references,
    },
    'kubernetes.registrySecret.create': {
      input: {
        cluster: cluster.id,
        namespace: 'web',
        name: 'regcred',
        server: 'registry.example',
        username: 'puller',
        password: '[redacted]',
      },
      references,
    },
  },
  world() {
    const kube = new FakeKube();
    kube
      .cluster(cluster.uid)
      .add(
        namespaceObject('web'),
        node('node-1', { spec: { taints: [{ key: 'dedicated', value: 'web', effect: 'NoSchedule' }] } }),
        deployment('web'),
        statefulSet('db'),
        daemonSet('agent'),
        pod('web-5f7d-abcde'),
        service('web'),
        storageClass('default'),
        csiDriver('disk.csi.akshci.com'),
      );
    const made = system(kube);
    watchBeside(made);
    return {
      system: made,
      subscriptionId: SUBSCRIPTION,
      clusters: [cluster],
      absent: [
        targetOf(`${PREFIX}/core/Namespace/gone`, 'Namespace'),
        targetOf(`${PREFIX}/core/Node/gone`, 'Node'),
        targetOf(`${PREFIX}/apps/DaemonSet/web/gone`, 'Workload'),
        targetOf(`${PREFIX}/core/Pod/web/gone`, 'Pod'),
        targetOf(`${PREFIX}/core/Service/web/gone`, 'Service'),
        targetOf(`${PREFIX}/storage.k8s.io/StorageClass/gone`, 'StorageClass'),
        targetOf(`${PREFIX}/storage.k8s.io/CSIDriver/gone`, 'CsiDriver'),
      ],
    };
  },
});
