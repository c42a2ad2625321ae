import { ControlError } from '#libs/kernel/control-error.js';
import type { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { KubernetesClient } from '../kubernetes.client.js';

const OUT_OF_REACH = new Set(['KUBERNETES_UNAVAILABLE', 'KUBERNETES_TIMEOUT', 'KUBERNETES_THROTTLED']);

/** A cluster that cannot be asked now is taken for an ordinary one: what the cache tells is still worth saying. */
export async function isHeldOnHub(client: KubernetesClient, id: KubernetesId, call: KubeCall): Promise<boolean> {
  try {
    return await client.isHeldOnHub(id, call);
  } catch (error) {
    if (error instanceof ControlError && OUT_OF_REACH.has(error.code)) return false;
    throw error;
  }
}
