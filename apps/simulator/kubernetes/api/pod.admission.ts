import { type Json, type JsonObject, jsonText } from '#libs/kernel/json.js';
import { isJsonObject } from '#libs/kernel/json.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';
import type { ObjectStore } from './object.store.js';

/** How long a pod stays bound to a node that is not ready or not reachable. */
const TOLERATION_SECONDS = 300;
const EVICTING_TAINTS = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
const SYSTEM_PRIORITIES: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

/**
 * What the server's own admission does to a new pod: priority, and tolerations for nodes that fail.
 * @throws KubernetesStatusError 403 for a priority class that is not there
 */
export function admitPod(pod: JsonObject, store: ObjectStore): JsonObject {
  const spec = isJsonObject(pod.spec) ? pod.spec : {};
  const metadata = pod.metadata as JsonObject;
  const tolerations = Array.isArray(spec.tolerations) ? spec.tolerations.filter(isJsonObject) : [];
  const added = EVICTING_TAINTS.filter((taint) => !tolerations.some((toleration) => tolerates(toleration, taint))).map(
    (key): Json => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: TOLERATION_SECONDS }),
  );
  return {
    ...pod,
    spec: {
      ...spec,
      tolerations: [...tolerations, ...added],
      ...priorityOf(spec, jsonText(metadata.name), store),
    },
  };
}

function tolerates(toleration: JsonObject, taint: string): boolean {
  const key = toleration.key ?? '';
  const effect = toleration.effect ?? '';
  return (key === taint || key === '') && (effect === 'NoExecute' || effect === '');
}

function priorityOf(spec: JsonObject, pod: string, store: ObjectStore): JsonObject {
  const name = spec.priorityClassName;
  const classes = store.list('priorityclasses.scheduling.k8s.io');
  const chosen =
    typeof name === 'string' && name !== ''
      ? classes.find((candidate) => candidate.metadata.name === name)
      : classes.find((candidate) => candidate.globalDefault === true);
  if (typeof name === 'string' && name !== '' && chosen === undefined) {
    const system = SYSTEM_PRIORITIES[name];
    if (system === undefined)
      throw KubernetesStatusError.forbidden(
        { group: '', resource: 'pods' },
        pod,
        `no PriorityClass with name ${name} was found`,
      );
    return { priority: system, preemptionPolicy: 'PreemptLowerPriority' };
  }
  return {
    ...(chosen === undefined ? {} : { priorityClassName: chosen.metadata.name }),
    priority: chosen?.value ?? 0,
    preemptionPolicy: chosen?.preemptionPolicy ?? 'PreemptLowerPriority',
  };
}

/** The class that decides which pods a node gives up first. */
export function qualityOfService(pod: JsonObject): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const spec = pod.spec as JsonObject;
  const containers = [spec.containers, spec.initContainers].flatMap((list) => (Array.isArray(list) ? list : []));
  let any = false;
  let all = containers.length > 0;
  for (const container of containers.filter(isJsonObject)) {
    const resources = isJsonObject(container.resources) ? container.resources : {};
    const limits = isJsonObject(resources.limits) ? resources.limits : {};
    const requests = isJsonObject(resources.requests) ? resources.requests : limits;
    for (const name of ['cpu', 'memory']) {
      any ||= limits[name] !== undefined || requests[name] !== undefined;
      all &&= limits[name] !== undefined && (requests[name] ?? limits[name]) === limits[name];
    }
  }
  return all ? 'Guaranteed' : any ? 'Burstable' : 'BestEffort';
}
