import type { JsonObject } from '#libs/kernel/json.js';
import type { Health } from '../contract/observation.js';
import { rawInteger, rawObject, rawObjects, rawText } from '../contract/raw-reader.js';
import { conditionsOf, findCondition, isDeleting, wordsOf, type Condition } from './condition.properties.js';

/** What keeps a pod from running well. */
export interface Trouble {
  reason: string | null;
  message: string | null;
}

/** Reasons to wait that go away by themselves. Every other one is trouble, known to us or not. */
const ORDINARY_WAITS = new Set(['ContainerCreating', 'PodInitializing', 'Creating', 'Pending', 'Waiting', 'Repairing']);

export function podHealth(raw: JsonObject): Health {
  const phase = rawText(raw, 'status', 'phase');
  const trouble = troubleOf(raw);
  if (phase === 'Failed') return { state: 'Degraded', reason: (trouble && wordsOf(trouble)) ?? 'It has failed.' };
  if (phase === 'Succeeded') return { state: 'Healthy', reason: null };
  if (isDeleting(raw)) return { state: 'Progressing', reason: 'It is being deleted.' };
  if (trouble !== undefined) return { state: 'Degraded', reason: wordsOf(trouble) };
  switch (phase) {
    case 'Pending':
      return { state: 'Progressing', reason: pendingReason(raw) };
    case 'Running':
      return runningHealth(raw);
    default:
      return { state: 'Unknown', reason: 'Its node does not say how it is.' };
  }
}

/** The first of what the pod, the scheduler and the containers say against it. */
export function troubleOf(raw: JsonObject): Trouble | undefined {
  const phase = rawText(raw, 'status', 'phase');
  if (phase === 'Succeeded') return undefined;
  // `Evicted`, `NodeLost`; a virtual node whose provider refuses the pod leaves it Pending with a reason.
  const reason = rawText(raw, 'status', 'reason');
  if (reason !== null) return { reason, message: rawText(raw, 'status', 'message') };
  return schedulingTrouble(raw) ?? containerTrouble(raw, phase === 'Failed');
}

function schedulingTrouble(raw: JsonObject): Trouble | undefined {
  const scheduled = findCondition(conditionsOf(raw), 'PodScheduled');
  if (scheduled?.status !== 'False' || scheduled.reason === 'SchedulingGated') return undefined;
  return { reason: scheduled.reason ?? 'Unschedulable', message: scheduled.message };
}

function containerTrouble(raw: JsonObject, hasEnded: boolean): Trouble | undefined {
  const statuses = [
    ...rawObjects(raw, 'status', 'initContainerStatuses'),
    ...rawObjects(raw, 'status', 'containerStatuses'),
  ];
  for (const status of statuses) {
    const waiting = rawObject(status, 'state', 'waiting');
    const reason = rawText(waiting, 'reason');
    if (waiting !== null && reason !== null && !ORDINARY_WAITS.has(reason) && !hasEnded) {
      return { reason, message: rawText(waiting, 'message') };
    }
    const failure = failedExit(status);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

function failedExit(status: JsonObject): Trouble | undefined {
  const terminated = rawObject(status, 'state', 'terminated');
  const exitCode = rawInteger(terminated, 'exitCode');
  if (exitCode === null || exitCode === 0) return undefined;
  return {
    reason: rawText(terminated, 'reason') ?? 'Error',
    message: rawText(terminated, 'message') ?? `The container ${rawText(status, 'name')} ended with code ${exitCode}.`,
  };
}

function pendingReason(raw: JsonObject): string {
  const scheduled = findCondition(conditionsOf(raw), 'PodScheduled');
  if (scheduled?.reason === 'SchedulingGated') return 'Something else has to allow it to be placed first.';
  return scheduled?.status === 'True' ? 'Its containers are being made.' : 'It waits for a place.';
}

function runningHealth(raw: JsonObject): Health {
  const ready = findCondition(conditionsOf(raw), 'Ready');
  if (ready?.status === 'True') return { state: 'Healthy', reason: null };
  const reason = ready === undefined ? null : wordsOf(ready);
  return wasReady(raw, ready)
    ? { state: 'Degraded', reason: reason ?? 'It is not ready any more.' }
    : { state: 'Progressing', reason: reason ?? 'It is not ready yet.' };
}

/** What became unready after all its containers had started was ready in between. */
function wasReady(raw: JsonObject, ready: Condition | undefined): boolean {
  const starts = rawObjects(raw, 'status', 'containerStatuses').map((status) =>
    Date.parse(rawText(status, 'state', 'running', 'startedAt') ?? ''),
  );
  // Where one of them does not run, the comparison with NaN says no.
  return starts.length > 0 && Date.parse(ready?.lastTransitionTime ?? '') > Math.max(...starts);
}
