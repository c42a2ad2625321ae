import type { JsonObject } from '#libs/kernel/json.js';
import type { Advice } from '../../contract/advice.js';
import { limitsBeyond } from '../../contract/container-group-size.js';
import { namedPullSecrets, providerRemedies } from '../../contract/provider-remedy.js';
import { PROVIDER_REFUSALS, providerRefusal } from '../../contract/provider-refusal.js';
import type { PullSecret } from '../../contract/pull-secret.js';
import { rawObject, rawText } from '../../contract/raw-reader.js';

export const PROVIDER_FAILED_CODES = PROVIDER_REFUSALS;

export interface ProviderSituation {
  pod: JsonObject;
  /** The uid of the cluster. */
  cluster: string;
  namespace: string;
  workload: string | undefined;
  /** The secrets for registries in the namespace; undefined where they may not be seen. */
  pullSecrets: readonly PullSecret[] | undefined;
}

/** Whether what the pod was refused for has to do with its image. */
export function isRefusedForImage(pod: JsonObject): boolean {
  return providerRefusal(pod)?.code === 'PROVIDER_IMAGE_INACCESSIBLE';
}

/** A virtual node leaves a pod pending for ever once its provider has refused it. */
export function providerFailedAdvice({ pod, cluster, namespace, workload, pullSecrets }: ProviderSituation): Advice[] {
  const refusal = providerRefusal(pod);
  if (refusal === undefined) return [];
  const { code, azureCode, said, facts } = refusal;
  const podSpec = rawObject(pod, 'spec') ?? {};
  const pods = [rawText(pod, 'metadata', 'name') ?? ''];
  const evidence: JsonObject = {
    node: rawText(pod, 'spec', 'nodeName'),
    azureCode,
    message: said,
    ...facts,
    ...(code === 'PROVIDER_IMAGE_INACCESSIBLE' ? { imagePullSecrets: secretsOf(podSpec, pullSecrets) } : {}),
    ...(code === 'PROVIDER_LIMITS_EXCEED_REQUESTS'
      ? { limits: limitsBeyond(podSpec).map((each) => ({ ...each })) }
      : {}),
  };
  const remedies = providerRemedies(refusal, { cluster, namespace, pods, podSpec, workload, pullSecrets });
  return [{ code, severity: 'error', cause: PROVIDER_REFUSALS[code], evidence, remedies }];
}

/** What is known of the secrets that the pod names; that one is not there is worth knowing as well. */
function secretsOf(podSpec: JsonObject, pullSecrets: readonly PullSecret[] | undefined): JsonObject[] {
  return namedPullSecrets(podSpec).map((name) => {
    const secret = pullSecrets?.find((each) => each.name === name);
    return {
      name,
      isThere: pullSecrets === undefined ? null : secret !== undefined,
      servers: secret === undefined ? null : [...secret.servers],
    };
  });
}
