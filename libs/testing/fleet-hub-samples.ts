import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type { ClusterDirectory } from '#libs/systems/contract/cluster-directory.js';
import type { WatchedCluster } from '#libs/systems/contract/cluster-watcher.js';
import { CLUSTER_ID, SUBSCRIPTION } from './aks-samples.js';
import { FLEET_ID } from './fleet-samples.js';

export const CLUSTER_ID_2 = CLUSTER_ID.replace(/demo-aks01$/, 'demo-aks02');
export const MEMBER_1 = 'demo-aks01-demo-aks01';
export const MEMBER_2 = 'demo-aks02-demo-aks01';
export const NAMESPACE = 'kuard-demo';
export const SERVICE = 'kuard';

export const HUB = watchedCluster(FLEET_ID, 'Fleet');
export const CLUSTER_1 = watchedCluster(CLUSTER_ID, 'ManagedCluster');
export const CLUSTER_2 = watchedCluster(CLUSTER_ID_2, 'ManagedCluster');

/** When the samples were observed; their heartbeats are half a minute older. */
export const SAMPLE_TIME = new Date('2026-11-21T09:04:30Z');

export function watchedCluster(id: string, kind: string): WatchedCluster {
  const { name, resourceGroup, uid } = ArmId.parse(id);
  return {
    uid,
    id,
    kind,
    name,
    subscriptionId: SUBSCRIPTION,
    resourceGroup: resourceGroup ?? null,
    location: 'eastus',
  };
}

/** Knows the clusters given. */
export function clusterDirectory(...clusters: WatchedCluster[]): ClusterDirectory {
  return { find: (uid) => Promise.resolve(clusters.find((cluster) => cluster.uid === uid)) };
}

export function condition(type: string, status: string, reason: string, change: JsonObject = {}): JsonObject {
  const lastTransitionTime = '2026-11-21T08:50:00Z';
  return { type, status, reason, message: '', observedGeneration: 1, lastTransitionTime, ...change };
}

export function memberClusterObject(name: string = MEMBER_1, change: JsonObject = {}): KubernetesObject {
  return {
    apiVersion: 'cluster.kubernetes-fleet.io/v1',
    kind: 'MemberCluster',
    metadata: {
      name,
      generation: 1,
      labels: { 'fleet.azure.com/location': 'eastus', 'fleet.azure.com/resource-group': 'demo_aks01' },
    },
    spec: {
      identity: { apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: `member-${name}` },
      heartbeatPeriodSeconds: 60,
    },
    status: {
      conditions: [
        condition('ReadyToJoin', 'True', 'MemberClusterReadyToJoin'),
        condition('Joined', 'True', 'MemberClusterJoined'),
        condition('Healthy', 'True', 'MemberClusterHealthy'),
      ],
      agentStatus: [
        {
          type: 'MemberAgent',
          conditions: [
            condition('Joined', 'True', 'InternalMemberClusterJoined'),
            condition('Healthy', 'True', 'InternalMemberClusterHealthy'),
          ],
          lastReceivedHeartbeat: '2026-11-21T09:04:00Z',
        },
      ],
      properties: {
        'kubernetes-fleet.io/node-count': { value: '1', observationTime: '2026-11-21T09:04:00Z' },
      },
      resourceUsage: {
        capacity: { cpu: '2', memory: '7Gi' },
        allocatable: { cpu: '1900m', memory: '5Gi' },
        available: { cpu: '1', memory: '4Gi' },
        observationTime: '2026-11-21T09:04:00Z',
      },
    },
    ...change,
  };
}

const WHOLE_CONDITIONS: readonly [string, string][] = [
  ['Scheduled', 'SchedulingPolicyFulfilled'],
  ['RolloutStarted', 'RolloutStarted'],
  ['Overridden', 'NoOverrideSpecified'],
  ['WorkSynchronized', 'WorkSynchronized'],
  ['Applied', 'ApplySucceeded'],
  ['Available', 'ResourceAvailable'],
];

/** The status of one member on which everything works. */
export function placedMember(member: string, change: JsonObject = {}): JsonObject {
  return {
    clusterName: member,
    observedResourceIndex: '0',
    conditions: [
      condition('Scheduled', 'True', 'Scheduled'),
      condition('RolloutStarted', 'True', 'RolloutStarted'),
      condition('Applied', 'True', 'AllWorkHaveBeenApplied'),
      condition('Available', 'True', 'AllWorkAreAvailable'),
    ],
    ...change,
  };
}

export function placementSpec(change: JsonObject = {}): JsonObject {
  return {
    resourceSelectors: [
      { group: '', version: 'v1', kind: 'Namespace', name: NAMESPACE, selectionScope: 'NamespaceWithResources' },
    ],
    policy: {
      placementType: 'PickAll',
      affinity: {
        clusterAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            clusterSelectorTerms: [{ labelSelector: { matchLabels: { 'fleet.azure.com/location': 'eastus' } } }],
          },
        },
      },
    },
    revisionHistoryLimit: 10,
    statusReportingScope: 'ClusterScopeOnly',
    ...change,
  };
}

/** What the hub says of a placement that has come to both members; `changed` replaces whole conditions by their type. */
export function placementStatus(
  changed: Readonly<Record<string, JsonObject>> = {},
  members: readonly JsonObject[] = [placedMember(MEMBER_1), placedMember(MEMBER_2)],
): JsonObject {
  return {
    observedResourceIndex: '0',
    conditions: WHOLE_CONDITIONS.map(([type, reason]) =>
      condition(`ClusterResourcePlacement${type}`, 'True', reason, changed[type] ?? {}),
    ),
    selectedResources: [
      { group: '', version: 'v1', kind: 'Namespace', name: NAMESPACE },
      { group: 'apps', version: 'v1', kind: 'Deployment', namespace: NAMESPACE, name: 'kuard' },
    ],
    placementStatuses: [...members],
  };
}

export function placementObject(change: JsonObject = {}): KubernetesObject {
  return {
    apiVersion: 'placement.kubernetes-fleet.io/v1',
    kind: 'ClusterResourcePlacement',
    metadata: { name: NAMESPACE, generation: 1 },
    spec: placementSpec(),
    status: placementStatus(),
    ...change,
  };
}

export function serviceExportObject(change: JsonObject = {}): KubernetesObject {
  return {
    apiVersion: 'networking.fleet.azure.com/v1alpha1',
    kind: 'ServiceExport',
    metadata: { name: SERVICE, namespace: NAMESPACE, generation: 1 },
    status: {
      conditions: [condition('Valid', 'True', 'ServiceIsValid'), condition('Conflict', 'False', 'NoConflictFound')],
    },
    ...change,
  };
}

export function serviceImportObject(change: JsonObject = {}): KubernetesObject {
  return {
    apiVersion: 'networking.fleet.azure.com/v1alpha1',
    kind: 'ServiceImport',
    metadata: { name: SERVICE, namespace: NAMESPACE },
    status: {
      clusters: [{ cluster: MEMBER_1 }, { cluster: MEMBER_2 }],
      ports: [{ name: 'http', port: 8080, protocol: 'TCP', targetPort: 8080 }],
      type: 'ClusterSetIP',
    },
    ...change,
  };
}

export function multiClusterServiceObject(change: JsonObject = {}): KubernetesObject {
  return {
    apiVersion: 'networking.fleet.azure.com/v1alpha1',
    kind: 'MultiClusterService',
    metadata: {
      name: SERVICE,
      namespace: NAMESPACE,
      generation: 1,
      labels: { 'networking.fleet.azure.com/derived-service': 'kuard-demo-kuard' },
    },
    spec: { serviceImport: { name: SERVICE } },
    status: {
      conditions: [condition('Valid', 'True', 'FoundServiceImport')],
      loadBalancer: { ingress: [{ ip: '20.1.2.3' }] },
    },
    ...change,
  };
}

export function namespaceObject(name: string = NAMESPACE): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

export function serviceObject(spec: JsonObject = {}): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: SERVICE, namespace: NAMESPACE },
    spec: { type: 'ClusterIP', clusterIP: '10.0.0.20', ports: [{ port: 8080, targetPort: 8080 }], ...spec },
  };
}
