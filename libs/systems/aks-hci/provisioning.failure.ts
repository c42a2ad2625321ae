import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { rawText } from '../contract/raw-reader.js';

/** Helm keeps its record in the namespace that the kubeconfig names, whether there is one or not. */
const MISSING_NAMESPACE = /namespaces "([^"]{1,63})" not found/i;
const NO_ADDRESS = /no (free|available) ip|ip address(es)? (pool )?(is |are )?exhausted|insufficient ip/i;

/** What an instance or a pool says about the failure of its last operation. */
export function failureOf(action: string, body: JsonObject, cluster: ArmId): ControlError {
  const message = rawText(body, 'properties', 'status', 'errorMessage');
  const error =
    message === null ? failedOperationError(action, body) : failedOperationError(action, { error: { message } });
  return explained(error, cluster);
}

/** The failure with what is known to help, where it is a known one. */
export function explained(error: ControlError, cluster: ArmId): ControlError {
  const remedy = remedyOf(error.message, cluster);
  if (error.code !== 'AZURE_OPERATION_FAILED' || remedy === undefined) return error;
  return new ControlError(error.code, error.message, {
    remedy,
    retry: error.retry,
    ...(error.externalCode === undefined ? {} : { externalCode: error.externalCode }),
    cause: error,
  });
}

function remedyOf(message: string, cluster: ArmId): string | undefined {
  const [, namespace] = MISSING_NAMESPACE.exec(message) ?? [];
  if (namespace !== undefined) {
    const manifest = `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${namespace}\n`;
    const input = JSON.stringify({ cluster: cluster.toString(), manifest });
    return `The default namespace of the kubeconfig that the agents were installed with does not exist. Make it with kubernetes.manifest.apply ${input}, then start this operation again.`;
  }
  if (NO_ADDRESS.test(message)) {
    return 'The logical network has run out of addresses: extend its pool or free some, then start this operation again.';
  }
  return undefined;
}

/** Runs a step, and explains the failure that it may end with. */
export async function withExplanation<T>(cluster: ArmId, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof ControlError ? explained(error, cluster) : error;
  }
}
