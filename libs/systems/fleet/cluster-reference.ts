import { ControlError } from '#libs/kernel/control-error.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { ClusterReference } from '#libs/kube/cluster-access.js';
import type { ResourceTarget } from '../contract/resource-target.js';

type References = Readonly<Record<string, ResourceTarget>>;

/** @throws ControlError INVALID_REQUEST when the field is missing or names something of another kind. */
export function referencedCluster(references: References, field: string, kinds: readonly string[]): ClusterReference {
  const reference = references[field];
  if (reference !== undefined && kinds.includes(reference.kind)) {
    return { uid: reference.uid, id: reference.id, kind: reference.kind };
  }
  throw wrongReference(field, kinds.join(' or '));
}

/** @throws ControlError INVALID_REQUEST when the field is missing or names something of another type. */
export function referencedObject(
  references: References,
  field: string,
  type: { group: string; kind: string },
): KubernetesId {
  const reference = references[field];
  if (reference !== undefined && KubernetesId.isOne(reference.id)) {
    const id = KubernetesId.parse(reference.id);
    if (id.group === type.group && id.kind === type.kind) return id;
  }
  throw wrongReference(field, type.kind);
}

function wrongReference(field: string, what: string): ControlError {
  return new ControlError('INVALID_REQUEST', `${field} does not name a ${what}.`, {
    violations: [{ path: field, message: `must be the uid or the id of a ${what}` }],
  });
}
