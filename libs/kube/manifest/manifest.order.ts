import type { SoundEntry } from './manifest.parser.js';

/** What others stand on comes first, as Helm and kubectl do it: `group/Kind`, `/Kind` for the core group. */
const INSTALL_ORDER: readonly string[] = [
  '/Namespace',
  'apiextensions.k8s.io/CustomResourceDefinition',
  'scheduling.k8s.io/PriorityClass',
  'networking.k8s.io/NetworkPolicy',
  '/ResourceQuota',
  '/LimitRange',
  'policy/PodDisruptionBudget',
  '/ServiceAccount',
  '/Secret',
  '/ConfigMap',
  'storage.k8s.io/StorageClass',
  'storage.k8s.io/CSIDriver',
  '/PersistentVolume',
  '/PersistentVolumeClaim',
  'rbac.authorization.k8s.io/ClusterRole',
  'rbac.authorization.k8s.io/ClusterRoleBinding',
  'rbac.authorization.k8s.io/Role',
  'rbac.authorization.k8s.io/RoleBinding',
  '/Service',
  'apps/DaemonSet',
  '/Pod',
  '/ReplicationController',
  'apps/ReplicaSet',
  'apps/Deployment',
  'autoscaling/HorizontalPodAutoscaler',
  'apps/StatefulSet',
  'batch/Job',
  'batch/CronJob',
  'networking.k8s.io/IngressClass',
  'networking.k8s.io/Ingress',
  'apiregistration.k8s.io/APIService',
  'admissionregistration.k8s.io/MutatingWebhookConfiguration',
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration',
];
const RANK = new Map(INSTALL_ORDER.map((type, rank) => [type, rank]));

export function groupOfApiVersion(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}

/** Types that nobody here knows come last: placements and other custom objects speak of the rest. Otherwise as written. */
export function inInstallOrder<Entry extends Pick<SoundEntry, 'object' | 'index'>>(entries: readonly Entry[]): Entry[] {
  return [...entries].sort((left, right) => rankOf(left) - rankOf(right) || left.index - right.index);
}

function rankOf({ object }: Pick<SoundEntry, 'object'>): number {
  return RANK.get(`${groupOfApiVersion(object.apiVersion)}/${object.kind}`) ?? INSTALL_ORDER.length;
}
