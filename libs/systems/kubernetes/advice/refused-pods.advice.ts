import type { JsonObject } from '#libs/kernel/json.js';
import type { Advice, AdviceRemedy } from '../../contract/advice.js';
import { rawInteger } from '../../contract/raw-reader.js';
import { conditionsOf, findCondition } from '../condition.properties.js';

export const REFUSED_PODS_CODES = {
  PODS_OVER_QUOTA: 'The quota of the namespace does not allow the pods of the workload.',
  PODS_OUTSIDE_LIMITS: 'The limits of the namespace do not allow the containers of the workload.',
  PODS_VIOLATE_SECURITY: 'The security standard of the namespace does not allow the pods of the workload.',
  PODS_NEED_SERVICE_ACCOUNT: 'The pods of the workload name a service account that does not exist.',
  PODS_REFUSED: 'The cluster refuses the pods of the workload.',
} as const satisfies Record<string, string>;

type RefusalCode = keyof typeof REFUSED_PODS_CODES;

const SIGNS: readonly [RefusalCode, RegExp][] = [
  ['PODS_OVER_QUOTA', /exceeded quota|failed quota/i],
  ['PODS_OUTSIDE_LIMITS', /(maximum|minimum) (cpu|memory|ephemeral-storage|storage) usage per|limit to request ratio/i],
  ['PODS_VIOLATE_SECURITY', /violates PodSecurity/i],
  ['PODS_NEED_SERVICE_ACCOUNT', /serviceaccount "?[^" ]+"? not found/i],
];

const REMEDIES: Readonly<Record<RefusalCode, string>> = {
  PODS_OVER_QUOTA: 'Raise the ResourceQuota of the namespace, or let the pods set aside less.',
  PODS_OUTSIDE_LIMITS: 'Change the requests and limits of the containers, or the LimitRange of the namespace.',
  PODS_VIOLATE_SECURITY: 'Set the securityContext that the message asks for in the pod template.',
  PODS_NEED_SERVICE_ACCOUNT: 'Make the service account, or name another in the pod template.',
  PODS_REFUSED: 'Mend what the message names; the cluster is asked again by itself.',
};

export interface RefusalSituation {
  workload: JsonObject;
  /** The canonical id of the workload. */
  id: string;
  /** What its warnings with the reason FailedCreate say, the latest last. */
  failedCreates: readonly string[];
}

/** Whether pods that the workload wants are not there. */
export function lacksPods(workload: JsonObject): boolean {
  const failure = findCondition(conditionsOf(workload), 'ReplicaFailure');
  if (failure?.status === 'True') return true;
  const wanted =
    rawInteger(workload, 'spec', 'replicas') ?? rawInteger(workload, 'status', 'desiredNumberScheduled') ?? 1;
  const there =
    rawInteger(workload, 'status', 'replicas') ?? rawInteger(workload, 'status', 'currentNumberScheduled') ?? 0;
  return there < wanted;
}

/** Why the pods of a workload are not even made: such pods cannot be asked themselves. */
export function refusedPodsAdvice({ workload, id, failedCreates }: RefusalSituation): Advice[] {
  if (!lacksPods(workload)) return [];
  const failure = findCondition(conditionsOf(workload), 'ReplicaFailure');
  const message = (failure?.status === 'True' ? failure.message : null) ?? failedCreates.at(-1);
  if (message === undefined) return [];
  const code = SIGNS.find(([, sign]) => sign.test(message))?.[0] ?? 'PODS_REFUSED';
  const evidence: JsonObject = {
    message,
    replicas: rawInteger(workload, 'spec', 'replicas'),
    made: rawInteger(workload, 'status', 'replicas') ?? 0,
  };
  return [
    { code, severity: 'error', cause: REFUSED_PODS_CODES[code], evidence, remedies: remediesFor(code, id, workload) },
  ];
}

/** As many pods as were made are what the quota allows. */
function remediesFor(code: RefusalCode, id: string, workload: JsonObject): AdviceRemedy[] {
  const mend: AdviceRemedy = { description: REMEDIES[code], operations: [] };
  const made = rawInteger(workload, 'status', 'replicas');
  if (code !== 'PODS_OVER_QUOTA' || made === null || made === 0) return [mend];
  const operations = [{ type: 'kubernetes.workload.scale', input: { workload: id, replicas: made } }];
  return [mend, { description: `Or want no more pods than the ${made} that the quota allows.`, operations }];
}
