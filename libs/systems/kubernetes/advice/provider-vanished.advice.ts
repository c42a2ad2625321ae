import type { JsonObject } from '#libs/kernel/json.js';
import type { Advice } from '../../contract/advice.js';
import { deletionOfPod } from '../../contract/provider-remedy.js';
import { rawText } from '../../contract/raw-reader.js';

export const PROVIDER_VANISHED_CODES = {
  PROVIDER_POD_VANISHED:
    'What the virtual node ran the pod on is gone: somebody has deleted its container group in Azure. The pod itself has not failed.',
} as const satisfies Record<string, string>;

export interface VanishedSituation {
  pod: JsonObject;
  /** The uid of the cluster. */
  cluster: string;
  namespace: string;
  workload: string | undefined;
}

/** Whether the connector has given the pod up since its provider does not know it any more; the exit codes are made up then. */
export function hasVanished(pod: JsonObject): boolean {
  return (
    rawText(pod, 'status', 'reason') === 'NotFound' &&
    /deleted from the provider/i.test(rawText(pod, 'status', 'message') ?? '')
  );
}

export function providerVanishedAdvice({ pod, cluster, namespace, workload }: VanishedSituation): Advice[] {
  if (!hasVanished(pod)) return [];
  const code = 'PROVIDER_POD_VANISHED';
  const name = rawText(pod, 'metadata', 'name') ?? '';
  const evidence: JsonObject = {
    node: rawText(pod, 'spec', 'nodeName'),
    message: rawText(pod, 'status', 'message'),
    containerGroup: `${namespace}-${name}`,
  };
  const description =
    workload === undefined
      ? 'Make the pod anew: nobody else does. See in the activity log of the node resource group who has deleted its container group.'
      : 'Delete the pod, which does not come back: its workload makes another. See in the activity log of the node resource group who has deleted its container group.';
  const operations = workload === undefined ? [] : [deletionOfPod(cluster, namespace, name)];
  const remedies = [{ description, operations }];
  return [{ code, severity: 'error', cause: PROVIDER_VANISHED_CODES[code], evidence, remedies }];
}
