import type { Json, JsonObject } from '#libs/kernel/json.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '../cluster.objects.js';
import { ageSince } from './human.duration.js';
import { memberAt } from './json.comparison.js';

function list(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

const statuses = (pod: KubernetesObject, member: 'containerStatuses' | 'initContainerStatuses'): JsonObject[] =>
  list(memberAt(pod, ['status', member]));

/** `1/2`: containers that are ready, of how many. */
export function podReady(pod: KubernetesObject): string {
  const ready = statuses(pod, 'containerStatuses').filter((status) => status.ready === true).length;
  return `${ready}/${list(memberAt(pod, ['spec', 'containers'])).length}`;
}

/** `3 (2m ago)`. */
export function podRestarts(pod: KubernetesObject, now: Date): string {
  let restarts = 0;
  let last: string | undefined;
  for (const status of statuses(pod, 'containerStatuses')) {
    const count = status.restartCount;
    if (typeof count === 'number') restarts += count;
    const finished = memberAt(status, ['lastState', 'terminated', 'finishedAt']);
    if (typeof finished === 'string' && (last === undefined || finished > last)) last = finished;
  }
  return restarts > 0 && last !== undefined ? `${restarts} (${ageSince(last, now)} ago)` : String(restarts);
}

/** The phase, or what is wrong with a container, as the server sums it up. */
export function podStatus(pod: KubernetesObject): string {
  const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
  const conditions = list(memberAt(pod, ['status', 'conditions']));
  let reason = text(memberAt(pod, ['status', 'reason'])) || text(memberAt(pod, ['status', 'phase']));
  if (conditions.some((condition) => condition.type === 'PodScheduled' && condition.reason === 'SchedulingGated'))
    reason = 'SchedulingGated';
  const initializing = initializationStatus(pod);
  if (initializing !== undefined) reason = initializing;
  else {
    let running = false;
    for (const status of statuses(pod, 'containerStatuses').reverse()) {
      const waiting = text(memberAt(status, ['state', 'waiting', 'reason']));
      const terminated = memberAt(status, ['state', 'terminated']);
      if (waiting !== '') reason = waiting;
      else if (isJsonObject(terminated)) reason = terminationText(terminated);
      else if (status.ready === true && memberAt(status, ['state', 'running']) !== undefined) running = true;
    }
    if (reason === 'Completed' && running)
      reason = conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True')
        ? 'Running'
        : 'NotReady';
  }
  if (pod.metadata.deletionTimestamp === undefined) return reason;
  return text(memberAt(pod, ['status', 'reason'])) === 'NodeLost' ? 'Unknown' : 'Terminating';
}

/** What the init containers are at; undefined when they are done. */
function initializationStatus(pod: KubernetesObject): string | undefined {
  const inits = statuses(pod, 'initContainerStatuses');
  for (const [index, status] of inits.entries()) {
    const terminated = memberAt(status, ['state', 'terminated']);
    if (isJsonObject(terminated)) {
      if (terminated.exitCode === 0) continue;
      return `Init:${terminationText(terminated)}`;
    }
    if (status.started === true && status.ready === true) continue;
    const waiting = memberAt(status, ['state', 'waiting', 'reason']);
    return typeof waiting === 'string' && waiting !== '' && waiting !== 'PodInitializing'
      ? `Init:${waiting}`
      : `Init:${index}/${inits.length}`;
  }
  return undefined;
}

function terminationText(terminated: JsonObject): string {
  const { reason, signal, exitCode } = terminated;
  if (typeof reason === 'string' && reason !== '') return reason;
  return typeof signal === 'number' && signal !== 0 ? `Signal:${signal}` : `ExitCode:${Number(exitCode ?? 0)}`;
}
