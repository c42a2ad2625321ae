import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { AccessQuestion, ClusterClient } from '#libs/kube/cluster-client.js';

/** Whether the identity of Pilothouse may do what an operation needs. */
export type PermissionVerdict =
  | { verdict: 'granted' }
  | { verdict: 'denied'; evidence: JsonObject }
  | { verdict: 'unreachable'; evidence: JsonObject };

/** @throws ControlError where the cluster can be reached and yet does not say. */
export async function askPermission(
  cluster: ClusterClient,
  questions: readonly AccessQuestion[],
  call: KubeCall,
): Promise<PermissionVerdict> {
  try {
    for (const question of questions) {
      const answer = await cluster.mayI(question, call);
      if (!answer.allowed) return { verdict: 'denied', evidence: { ...question, reason: answer.reason } };
    }
    return { verdict: 'granted' };
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    switch (error.code) {
      case 'KUBERNETES_FORBIDDEN':
      case 'KUBERNETES_UNAUTHENTICATED':
        return { verdict: 'denied', evidence: { reason: error.message } };
      case 'KUBERNETES_UNAVAILABLE':
      case 'KUBERNETES_TIMEOUT':
        return { verdict: 'unreachable', evidence: { reason: error.message } };
      default:
        throw error;
    }
  }
}
