import { ControlError } from '#libs/kernel/control-error.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { ResourceTarget } from '../contract/resource-target.js';

/** What can be reached as a cluster. */
export const CLUSTER_KINDS = ['ManagedCluster', 'ConnectedCluster', 'Fleet', 'AttachedCluster'] as const;

/** The cluster that an input field refers to. @throws ControlError INVALID_REQUEST when it is missing or none. */
export function referencedCluster(references: Readonly<Record<string, ResourceTarget>>, field: string): ResourceTarget {
  const reference = references[field];
  if (reference !== undefined && CLUSTER_KINDS.some((kind) => kind === reference.kind)) return reference;
  throw new ControlError('INVALID_REQUEST', `${field} does not name a cluster.`, {
    violations: [{ path: field, message: `must be the uid or the id of a ${CLUSTER_KINDS.join(', ')}` }],
  });
}

/** The object that an input field refers to. @throws ControlError INVALID_REQUEST when it is missing or another kind. */
export function referencedObject(
  references: Readonly<Record<string, ResourceTarget>>,
  field: string,
  kind: string,
): KubernetesId {
  const reference = references[field];
  if (reference?.kind === kind && KubernetesId.isOne(reference.id)) return KubernetesId.parse(reference.id);
  throw new ControlError('INVALID_REQUEST', `${field} does not name a ${kind}.`, {
    violations: [{ path: field, message: `must be the uid or the kubernetes:// id of a ${kind}` }],
  });
}
