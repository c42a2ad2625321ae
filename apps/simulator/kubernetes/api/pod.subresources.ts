import { type JsonObject, jsonText } from '#libs/kernel/json.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '../cluster.objects.js';
import { type ApiAnswer, created, success } from './api.answer.js';
import type { DeleteOptions, WriteContext } from './api.request.js';
import { memberAt } from './json.comparison.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';
import type { KubernetesCluster } from './kubernetes.cluster.js';
import { matchesLabels, type LabelRequirement } from './label.selector.js';
import type { ObjectTarget } from './object.registry.js';
import { kubernetesTime } from '../timestamp.js';

const PODS = { group: '', resource: 'pods' };

/** Puts a pod on a node, as a scheduler does. @param binding with `target.name` */
export function bindPod(
  cluster: KubernetesCluster,
  target: ObjectTarget,
  binding: JsonObject,
  context: WriteContext,
): ApiAnswer {
  const node = memberAt(binding, ['target', 'name']);
  if (typeof node !== 'string' || node === '')
    throw KubernetesStatusError.invalid({ group: '', resource: 'Binding' }, target.name, [
      { reason: 'FieldValueRequired', message: 'Required value', field: 'target.name' },
    ]);
  cluster.registry.update(target, context, (pod) => {
    const assigned = memberAt(pod, ['spec', 'nodeName']);
    if (typeof assigned === 'string' && assigned !== '')
      throw KubernetesStatusError.conflict(
        { group: '', resource: 'pods/binding' },
        target.name,
        `pod ${target.name} is already assigned to node ${JSON.stringify(assigned)}`,
      );
    const status = isJsonObject(pod.status) ? pod.status : {};
    const conditions = Array.isArray(status.conditions) ? status.conditions.filter(isJsonObject) : [];
    const scheduled: JsonObject = {
      type: 'PodScheduled',
      status: 'True',
      lastProbeTime: null,
      lastTransitionTime: kubernetesTime(cluster.clock.now()),
    };
    return {
      object: {
        ...pod,
        spec: { ...(pod.spec as JsonObject), nodeName: node },
        status: {
          ...status,
          conditions: [...conditions.filter((condition) => condition.type !== 'PodScheduled'), scheduled],
        },
      },
    };
  });
  return created(success(201));
}

/** Deletes a pod unless a disruption budget forbids it now. */
export function evictPod(
  cluster: KubernetesCluster,
  target: ObjectTarget,
  options: DeleteOptions,
  context: WriteContext,
): ApiAnswer {
  const pod = cluster.store.get('pods', target.namespace, target.name);
  if (pod === undefined) throw KubernetesStatusError.notFound(PODS, target.name);
  const phase = memberAt(pod, ['status', 'phase']);
  const ended = phase === 'Succeeded' || phase === 'Failed' || pod.metadata.deletionTimestamp !== undefined;
  if (!ended)
    for (const budget of cluster.store.list('poddisruptionbudgets.policy', target.namespace))
      demandDisruption(budget, pod);
  cluster.registry.delete(target.resource, target.namespace, target.name, options, context);
  return created(success(201));
}

function demandDisruption(budget: KubernetesObject, pod: KubernetesObject): void {
  const selector = memberAt(budget, ['spec', 'selector']);
  if (!isJsonObject(selector) || !matchesLabels(requirementsOf(selector), pod.metadata.labels)) return;
  const status = isJsonObject(budget.status) ? budget.status : {};
  if (Number(status.disruptionsAllowed ?? 0) > 0) return;
  const needed = Number(status.desiredHealthy ?? 0);
  const healthy = Number(status.currentHealthy ?? 0);
  const message = `The disruption budget ${budget.metadata.name} needs ${needed} healthy pods and has ${healthy} currently`;
  throw KubernetesStatusError.tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 0, [
    { reason: 'DisruptionBudget', message, field: '' },
  ]);
}

/** A `LabelSelector` object as the conditions that it stands for. */
function requirementsOf(selector: JsonObject): LabelRequirement[] {
  const labels = isJsonObject(selector.matchLabels) ? selector.matchLabels : {};
  const expressions = Array.isArray(selector.matchExpressions) ? selector.matchExpressions.filter(isJsonObject) : [];
  return [
    ...Object.entries(labels).map(([key, value]): LabelRequirement => ({
      key,
      operator: 'In',
      values: [jsonText(value)],
    })),
    ...expressions.map(({ key, operator, values }): LabelRequirement => ({
      key: jsonText(key),
      operator: operator as LabelRequirement['operator'],
      values: Array.isArray(values) ? values.map(jsonText) : [],
    })),
  ];
}

/**
 * What a container of a pod has written: its own start, made from the pod.
 * @throws KubernetesStatusError 400 while it has not started, or when it is not clear which is meant
 */
export function podLog(pod: KubernetesObject, parameters: URLSearchParams): string {
  const { name, namespace = '' } = pod.metadata;
  const list = memberAt(pod, ['spec', 'containers']);
  const containers = Array.isArray(list) ? list.filter(isJsonObject) : [];
  const names = containers.map((container) => jsonText(container.name));
  const asked = parameters.get('container') ?? '';
  if (asked === '' && names.length > 1)
    throw KubernetesStatusError.badRequest(
      `a container name must be specified for pod ${name}, choose one of: [${names.join(' ')}]`,
    );
  const chosen = asked === '' ? names[0]! : asked;
  const container = containers.find((candidate) => candidate.name === chosen);
  if (container === undefined)
    throw KubernetesStatusError.badRequest(`container ${chosen} is not valid for pod ${name}`);
  const statuses = memberAt(pod, ['status', 'containerStatuses']);
  const status = (Array.isArray(statuses) ? statuses.filter(isJsonObject) : []).find(
    (candidate) => candidate.name === chosen,
  );
  const started =
    memberAt(status, ['state', 'running', 'startedAt']) ?? memberAt(status, ['state', 'terminated', 'startedAt']);
  if (typeof started !== 'string') {
    const reason = memberAt(status, ['state', 'waiting', 'reason']);
    throw KubernetesStatusError.badRequest(
      `container ${JSON.stringify(chosen)} in pod ${JSON.stringify(name)} is waiting to start: ${typeof reason === 'string' ? reason : 'ContainerCreating'}`,
    );
  }
  const stamp = parameters.get('timestamps') === 'true' ? `${started} ` : '';
  const lines = [`starting ${jsonText(container.image)}`, `${namespace}/${name} is listening`];
  const tail = parameters.get('tailLines');
  const shown = tail === null ? lines : lines.slice(Math.max(0, lines.length - Number(tail)));
  return shown.map((line) => `${stamp}${line}\n`).join('');
}
