import type { JsonObject } from '#libs/kernel/json.js';
import { rawObject, rawText } from './raw-reader.js';

/** Where `helm init` of Helm 2 puts its server, through which the connector of before the add-on was installed. */
export const TILLER = { namespace: 'kube-system', name: 'tiller-deploy' } as const;

const REFUSED = /forbidden: User "system:serviceaccount:kube-system:default" cannot \w+ \S+/i;

export const tillerCodes = {
  TILLER_WITHOUT_RIGHTS:
    'Tiller runs under the default service account, which may do nothing in a cluster with RBAC: what is installed or changed through it, such as the early connector of virtual nodes, is refused with `User "system:serviceaccount:kube-system:default" cannot get namespaces in the namespace "default"`.',
} as const satisfies Record<string, string>;

/** Tiller and all that needs it has been given up by those who made it. */
export const TILLER_REMEDY =
  'Switch on the virtual nodes of the add-on, which need no Tiller (virtualNodes.enable), move the workloads there, and take the early connector and Tiller away.';

/** Whether a deployment is a Tiller that nobody has given an account of its own. */
export function isTillerWithoutRights(deployment: JsonObject): boolean {
  if (rawText(deployment, 'metadata', 'name') !== TILLER.name) return false;
  if (rawText(deployment, 'metadata', 'namespace') !== TILLER.namespace) return false;
  const spec = rawObject(deployment, 'spec', 'template', 'spec') ?? {};
  const account = rawText(spec, 'serviceAccountName') ?? rawText(spec, 'serviceAccount') ?? 'default';
  return account === 'default';
}

/** Whether a text is what Helm 2 says where its Tiller has no rights. */
export function isRefusalOfTiller(text: string): boolean {
  return REFUSED.test(text);
}
