import { ControlError } from '#libs/kernel/control-error.js';
import { KubernetesId, type KubernetesIdParts } from '#libs/kernel/kubernetes-id.js';

/**
 * The canonical id of an object that another one names. Undefined where the name cannot be one: servers do not check all
 * the names that objects have for each other.
 */
export function namedObject(parts: KubernetesIdParts): string | undefined {
  try {
    return KubernetesId.of(parts).canonical;
  } catch (error) {
    if (error instanceof ControlError && error.code === 'INVALID_REQUEST') return undefined;
    throw error;
  }
}
