import type { JsonObject } from '#libs/kernel/json.js';
import type { Advice, AdviceRemedy } from '../../contract/advice.js';
import { rawText } from '../../contract/raw-reader.js';

export const PROVIDER_FAILED_CODES = {
  PROVIDER_QUOTA_EXCEEDED:
    'The quota of the region for container instances is used up: the virtual node got none for the pod.',
  PROVIDER_FAILED: 'The provider behind the virtual node has refused the pod, and does not try again.',
} as const satisfies Record<string, string>;

const QUOTA = /quota|ContainerGroupQuotaReached|exceed/i;

export interface ProviderSituation {
  pod: JsonObject;
  /** The uid of the cluster. */
  cluster: string;
  namespace: string;
  workload: string | undefined;
}

/** A virtual node leaves a pod pending for ever once its provider has refused it. */
export function providerFailedAdvice({ pod, cluster, namespace, workload }: ProviderSituation): Advice[] {
  if (rawText(pod, 'status', 'reason') !== 'ProviderFailed') return [];
  const message = rawText(pod, 'status', 'message');
  const code = QUOTA.test(message ?? '') ? 'PROVIDER_QUOTA_EXCEEDED' : 'PROVIDER_FAILED';
  const name = rawText(pod, 'metadata', 'name') ?? '';
  const anew: AdviceRemedy = {
    description: 'Delete the pod: its workload makes another, which the provider is asked for anew.',
    operations:
      workload === undefined
        ? []
        : [{ type: 'kubernetes.object.delete', input: { cluster, apiVersion: 'v1', kind: 'Pod', namespace, name } }],
  };
  const quota: AdviceRemedy = { description: 'Ask for a higher quota, or use another region.', operations: [] };
  const evidence: JsonObject = { node: rawText(pod, 'spec', 'nodeName'), message };
  const remedies = code === 'PROVIDER_QUOTA_EXCEEDED' ? [quota, anew] : [anew];
  return [{ code, severity: 'error', cause: PROVIDER_FAILED_CODES[code], evidence, remedies }];
}
