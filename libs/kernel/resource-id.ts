import { ArmId } from './arm-id.js';
import { KubernetesId } from './kubernetes-id.js';

/** The id of anything that Pilothouse knows: an ARM id, or that of an object in a cluster. */
export type ResourceId = ArmId | KubernetesId;

/** @throws ControlError INVALID_REQUEST when it is neither. */
export function parseResourceId(text: string): ResourceId {
  return KubernetesId.isOne(text) ? KubernetesId.parse(text) : ArmId.parse(text);
}
