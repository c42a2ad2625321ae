import type { Condition, DaemonSet, Deployment, Job, Service, StatefulSet, TypedObject } from './kubernetes.types.js';
import { findCondition } from './status.condition.js';

export type Availability = 'available' | 'waiting' | 'untrackable';

/** Kinds that are of use as soon as they are there. */
const DATA_KINDS: readonly string[] = [
  'Namespace',
  'ConfigMap',
  'Secret',
  'ServiceAccount',
  'Role',
  'RoleBinding',
  'ClusterRole',
  'ClusterRoleBinding',
  'NetworkPolicy',
  'ResourceQuota',
  'LimitRange',
  'PriorityClass',
  'StorageClass',
  'CSIDriver',
  'CSINode',
  'IngressClass',
  'PersistentVolumeClaim',
  'PodDisruptionBudget',
];

/** Whether an object on a member does its work, as far as its kind can tell. */
export function availabilityOf(object: TypedObject): Availability {
  const is = (yes: boolean): Availability => (yes ? 'available' : 'waiting');
  switch (`${groupOf(object.apiVersion)}/${object.kind}`) {
    case 'apps/Deployment': {
      const { metadata, spec, status } = object as Deployment;
      const wanted = spec.replicas ?? 1;
      return is(
        status?.observedGeneration === metadata.generation &&
          (status?.updatedReplicas ?? 0) === wanted &&
          (status?.availableReplicas ?? 0) === wanted,
      );
    }
    case 'apps/StatefulSet': {
      const { metadata, spec, status } = object as StatefulSet;
      const wanted = spec.replicas ?? 1;
      return is(
        status?.observedGeneration === metadata.generation &&
          (status?.availableReplicas ?? 0) === wanted &&
          status?.currentRevision === status?.updateRevision,
      );
    }
    case 'apps/DaemonSet': {
      const { metadata, status } = object as DaemonSet;
      return is(
        status?.observedGeneration === metadata.generation &&
          status?.numberAvailable === status?.desiredNumberScheduled &&
          status?.updatedNumberScheduled === status?.desiredNumberScheduled,
      );
    }
    case 'batch/Job': {
      const { status } = object as Job;
      return is((status?.succeeded ?? 0) > 0 || (status?.ready ?? 0) > 0);
    }
    case '/Service': {
      const { spec, status } = object as Service;
      if (spec.type === 'ExternalName') return 'untrackable';
      if (spec.type === 'LoadBalancer') return is((status?.loadBalancer?.ingress?.length ?? 0) > 0);
      return is((spec.clusterIP ?? '') !== '');
    }
    case 'apiextensions.k8s.io/CustomResourceDefinition':
      return is(conditionOf(object, 'Established')?.status === 'True');
    case 'networking.fleet.azure.com/ServiceExport':
      return is(conditionOf(object, 'Valid')?.status === 'True' && conditionOf(object, 'Conflict')?.status === 'False');
    default:
      return DATA_KINDS.includes(object.kind) ? 'available' : 'untrackable';
  }
}

function conditionOf(object: TypedObject, type: string): Condition | undefined {
  return findCondition((object as TypedObject & { status?: { conditions?: Condition[] } }).status?.conditions, type);
}

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}
