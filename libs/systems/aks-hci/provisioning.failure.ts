import type { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError, type RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import { rawText } from '../contract/raw-reader.js';

/** The failures that are recognised, with what each means. */
export const FAILURES = {
  DEFAULT_NAMESPACE_MISSING:
    'The agents of Azure could not be installed: the default namespace of the kubeconfig that was used does not exist.',
  ADDRESSES_EXHAUSTED: 'The logical network has no free address left for a machine.',
} as const satisfies Record<string, string>;

interface Recognition {
  code: keyof typeof FAILURES;
  /** Looked for in the words of the host, in any casing. */
  words: RegExp;
  evidence?(match: RegExpExecArray): JsonObject;
  remedy: string;
  operations?(cluster: ArmId, match: RegExpExecArray): RemedyOperation[];
}

const RECOGNITIONS: readonly Recognition[] = [
  {
    // Helm keeps its record in the namespace that the kubeconfig names, whether there is one or not.
    code: 'DEFAULT_NAMESPACE_MISSING',
    words: /namespaces "([^"]{1,63})" not found/i,
    evidence: ([, namespace = '']) => ({ namespace }),
    remedy: 'Make the namespace (kubernetes.manifest.apply), then start this operation again.',
    operations: (cluster, [, namespace = '']) => [makeNamespace(cluster, namespace)],
  },
  {
    code: 'ADDRESSES_EXHAUSTED',
    words: /no (free|available) ip|ip address(es)? (pool )?(is |are )?exhausted|insufficient ip/i,
    remedy: 'Extend the address pool of the logical network or free some of it, then start this operation again.',
  },
];

/** What an instance or a pool says about the failure of its last operation. */
export function failureOf(action: string, body: JsonObject, cluster: ArmId): ControlError {
  const message = rawText(body, 'properties', 'status', 'errorMessage');
  const error =
    message === null ? failedOperationError(action, body) : failedOperationError(action, { error: { message } });
  return recognised(error, cluster);
}

/** The error as it is known: with what is behind it and the operations that mend it. One that nobody knows stays as it is. */
export function recognised(error: ControlError, cluster: ArmId): ControlError {
  if (error.code !== 'AZURE_OPERATION_FAILED' || error.diagnosis !== undefined) return error;
  for (const known of RECOGNITIONS) {
    const { code, remedy } = known;
    const match = known.words.exec(error.message);
    if (match === null) continue;
    return new ControlError(error.code, FAILURES[code], {
      remedy,
      diagnosis: {
        code,
        cause: FAILURES[code],
        evidence: { cluster: cluster.toString(), said: error.message.slice(0, 2000), ...known.evidence?.(match) },
        operations: known.operations?.(cluster, match) ?? [],
      },
      retry: error.retry,
      ...(error.externalCode === undefined ? {} : { externalCode: error.externalCode }),
      cause: error,
    });
  }
  return error;
}

/** Runs a step, and recognises the failure that it may end with. @throws ControlError */
export async function recognising<T>(cluster: ArmId, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof ControlError ? recognised(error, cluster) : error;
  }
}

function makeNamespace(cluster: ArmId, name: string): RemedyOperation {
  const manifest = `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${name}\n`;
  return { type: 'kubernetes.manifest.apply', input: { cluster: cluster.toString(), manifest } };
}
