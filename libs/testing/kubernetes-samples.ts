import type { JsonObject } from '#libs/kernel/json.js';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type { WatchedCluster } from '#libs/systems/contract/cluster-watcher.js';
import { CLUSTER_ID, SUBSCRIPTION } from './aks-samples.js';
import { FLEET_ID } from './fleet-samples.js';

/** A managed cluster as the watchers are given it. */
export function watchedCluster(change: Partial<WatchedCluster> = {}): WatchedCluster {
  const id = ArmId.parse(change.id ?? CLUSTER_ID);
  return {
    uid: id.uid,
    id: id.toString(),
    kind: 'ManagedCluster',
    name: id.name,
    subscriptionId: SUBSCRIPTION,
    resourceGroup: id.resourceGroup ?? null,
    location: 'eastus',
    ...change,
  };
}

/** The hub of a fleet, which is watched as the fleet. */
export function watchedFleet(): WatchedCluster {
  return watchedCluster({ id: FLEET_ID, kind: 'Fleet' });
}

interface Parts {
  metadata?: JsonObject;
  spec?: JsonObject;
  status?: JsonObject;
}

function object(
  type: { apiVersion: string; kind: string },
  metadata: { name: string; namespace?: string },
  sample: { metadata?: JsonObject; spec: JsonObject; status: JsonObject },
  change: Parts,
): KubernetesObject {
  return {
    ...type,
    metadata: {
      creationTimestamp: '2026-01-01T00:00:00Z',
      uid: `uid-of-${metadata.name}`,
      resourceVersion: '7',
      generation: 1,
      ...sample.metadata,
      ...metadata,
      ...change.metadata,
    },
    spec: { ...sample.spec, ...change.spec },
    status: { ...sample.status, ...change.status },
  };
}

export function namespaceObject(name: string, change: Parts = {}): KubernetesObject {
  const sample = { metadata: { labels: { team: 'web' } }, spec: {}, status: { phase: 'Active' } };
  return object({ apiVersion: 'v1', kind: 'Namespace' }, { name }, sample, change);
}

/** `template` adds to the pod spec of the template. */
export function podTemplate(labels: Record<string, string>, template: JsonObject = {}): JsonObject {
  return {
    metadata: { labels },
    spec: {
      containers: [
        {
          name: 'web',
          image: 'registry.example/web:1',
          resources: { requests: { cpu: '250m', memory: '64Mi' }, limits: { cpu: '1', memory: '128Mi' } },
        },
      ],
      ...template,
    },
  };
}

/** Two replicas, all of them there. */
export function deployment(name: string, change: Parts & { labels?: Record<string, string> } = {}): KubernetesObject {
  const labels = change.labels ?? { app: name };
  const sample = {
    metadata: { labels },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      strategy: { type: 'RollingUpdate' },
      template: podTemplate(labels),
    },
    status: {
      observedGeneration: 1,
      replicas: 2,
      readyReplicas: 2,
      availableReplicas: 2,
      updatedReplicas: 2,
      conditions: [
        { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' },
        { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' },
      ],
    },
  };
  return object({ apiVersion: 'apps/v1', kind: 'Deployment' }, { name, namespace: 'web' }, sample, change);
}

export function statefulSet(name: string, change: Parts = {}): KubernetesObject {
  const labels = { app: name };
  const sample = {
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      updateStrategy: { type: 'RollingUpdate' },
      template: podTemplate(labels),
    },
    status: { observedGeneration: 1, replicas: 2, readyReplicas: 2, availableReplicas: 2, updatedReplicas: 2 },
  };
  return object({ apiVersion: 'apps/v1', kind: 'StatefulSet' }, { name, namespace: 'web' }, sample, change);
}

export function daemonSet(name: string, change: Parts = {}): KubernetesObject {
  const labels = { app: name };
  const sample = {
    spec: {
      selector: { matchLabels: labels },
      updateStrategy: { type: 'RollingUpdate' },
      template: podTemplate(labels),
    },
    status: {
      observedGeneration: 1,
      desiredNumberScheduled: 2,
      currentNumberScheduled: 2,
      numberReady: 2,
      numberAvailable: 2,
      updatedNumberScheduled: 2,
    },
  };
  return object({ apiVersion: 'apps/v1', kind: 'DaemonSet' }, { name, namespace: 'web' }, sample, change);
}

/** A pod of the Deployment `web`, running on the node `node-1`. */
export function pod(name: string, change: Parts = {}): KubernetesObject {
  const sample = {
    metadata: {
      labels: { app: 'web', 'pod-template-hash': '5f7d' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-5f7d', uid: 'r', controller: true }],
    },
    spec: {
      nodeName: 'node-1',
      containers: [
        { name: 'web', image: 'registry.example/web:1', resources: { requests: { cpu: '250m', memory: '64Mi' } } },
      ],
      tolerations: [{ key: 'virtual-kubelet.io/provider', operator: 'Exists' }],
    },
    status: {
      phase: 'Running',
      podIP: '10.0.0.7',
      hostIP: '10.0.0.4',
      qosClass: 'Burstable',
      startTime: '2026-01-01T00:00:01Z',
      conditions: [
        { type: 'PodScheduled', status: 'True' },
        { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:05Z' },
      ],
      containerStatuses: [
        { name: 'web', ready: true, restartCount: 0, state: { running: { startedAt: '2026-01-01T00:00:03Z' } } },
      ],
    },
  };
  return object({ apiVersion: 'v1', kind: 'Pod' }, { name, namespace: 'web' }, sample, change);
}

export function node(name: string, change: Parts = {}): KubernetesObject {
  const sample = {
    metadata: {
      labels: {
        'kubernetes.azure.com/agentpool': 'nodepool1',
        'kubernetes.io/os': 'linux',
        'kubernetes.io/role': 'agent',
        'node.kubernetes.io/instance-type': 'Standard_DS2_v2',
        'topology.kubernetes.io/zone': 'eastus-1',
      },
    },
    spec: {},
    status: {
      capacity: { cpu: '2', memory: '7Gi', pods: '30' },
      allocatable: { cpu: '1900m', memory: '5Gi', pods: '30' },
      addresses: [
        { type: 'Hostname', address: name },
        { type: 'InternalIP', address: '10.0.0.4' },
      ],
      conditions: [
        { type: 'MemoryPressure', status: 'False', lastHeartbeatTime: '2026-01-01T00:00:00Z' },
        { type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime: '2026-01-01T00:00:00Z' },
      ],
      images: [{ names: ['registry.example/web:1'], sizeBytes: 1 }],
      nodeInfo: {
        containerRuntimeVersion: 'containerd://1.7.25',
        kubeletVersion: 'v1.33.5',
        osImage: 'Ubuntu 22.04',
        operatingSystem: 'linux',
        architecture: 'amd64',
      },
    },
  };
  return object({ apiVersion: 'v1', kind: 'Node' }, { name }, sample, change);
}

/** A slice of a service: a ready pod for each address; `endpoints` instead of them. */
export function endpointSlice(
  service: string,
  addresses: readonly string[],
  change: { name?: string; endpoints?: JsonObject[] } = {},
): KubernetesObject {
  const pods = addresses.map((address, index) => ({
    addresses: [address],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: 'node-1',
    targetRef: { kind: 'Pod', namespace: 'web', name: `${service}-${index}` },
  }));
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: change.name ?? `${service}-x`,
      namespace: 'web',
      labels: { 'kubernetes.io/service-name': service },
    },
    addressType: 'IPv4',
    endpoints: change.endpoints ?? pods,
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
  };
}

/** The class that AKS on Azure Stack HCI brings along: it names no file system. */
export function storageClass(name: string, change: JsonObject = {}): KubernetesObject {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: {
      name,
      uid: `uid-of-${name}`,
      resourceVersion: '7',
      annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
    },
    provisioner: 'disk.csi.akshci.com',
    parameters: { blocksize: '33554432', container: 'SqlStorageContainer', dynamic: 'true' },
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'Immediate',
    allowVolumeExpansion: true,
    ...change,
  };
}

export function csiDriver(name: string, spec: JsonObject = {}, metadata: JsonObject = {}): KubernetesObject {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'CSIDriver',
    metadata: { name, uid: `uid-of-${name}`, resourceVersion: '7', labels: { app: 'csi' }, ...metadata },
    spec: {
      attachRequired: true,
      podInfoOnMount: true,
      fsGroupPolicy: 'ReadWriteOnceWithFSType',
      volumeLifecycleModes: ['Persistent'],
      ...spec,
    },
  };
}

export function service(name: string, change: Parts = {}): KubernetesObject {
  const sample = {
    spec: {
      type: 'ClusterIP',
      clusterIP: '10.1.0.9',
      selector: { app: name },
      ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
    },
    status: { loadBalancer: {} },
  };
  return object({ apiVersion: 'v1', kind: 'Service' }, { name, namespace: 'web' }, sample, change);
}
