import type { JsonObject } from '#libs/kernel/json.js';
import type { Health } from '../contract/observation.js';
import { rawFlag, rawInteger, rawText } from '../contract/raw-reader.js';
import { conditionsOf, findCondition, isDeleting, wordsOf } from './condition.properties.js';

export const ROLLOUT_STATES = ['Complete', 'Progressing', 'Paused', 'Failed'] as const;

export interface Rollout {
  state: (typeof ROLLOUT_STATES)[number];
  /** Null where the state needs none. */
  reason: string | null;
}

/** How many pods of a workload there are. Servers leave out zeros. */
export interface Replicas {
  /** Null where nobody has said it. */
  desired: number | null;
  current: number;
  ready: number;
  available: number;
  updated: number;
}

/**
 * How long the pods of a new workload may take to start. Kubernetes gives a Deployment as long by default; StatefulSets
 * and DaemonSets have no such limit of their own, and would else be at fault from their first moment on.
 */
const START_MILLISECONDS = 600_000;

export function replicasOf(raw: JsonObject): Replicas {
  const status = (name: string): number => Math.max(0, rawInteger(raw, 'status', name) ?? 0);
  return rawText(raw, 'kind') === 'DaemonSet'
    ? {
        desired: rawInteger(raw, 'status', 'desiredNumberScheduled'),
        current: status('currentNumberScheduled'),
        ready: status('numberReady'),
        available: status('numberAvailable'),
        updated: status('updatedNumberScheduled'),
      }
    : {
        desired: rawInteger(raw, 'spec', 'replicas'),
        current: status('replicas'),
        ready: status('readyReplicas'),
        available: status('availableReplicas'),
        updated: status('updatedReplicas'),
      };
}

/** How far the present template has got, from the words and counts of the controller. */
export function rolloutOf(raw: JsonObject): Rollout {
  const failure = failureOf(raw);
  if (failure !== null) return { state: 'Failed', reason: failure };
  if ((rawInteger(raw, 'status', 'observedGeneration') ?? 0) < (rawInteger(raw, 'metadata', 'generation') ?? 0)) {
    return { state: 'Progressing', reason: 'Its controller has not taken up the last change yet.' };
  }
  if (rawFlag(raw, 'spec', 'paused') === true) return { state: 'Paused', reason: 'Its rollout is paused.' };
  const unfinished = unfinishedPart(raw);
  return unfinished === null ? { state: 'Complete', reason: null } : { state: 'Progressing', reason: unfinished };
}

/** @param observedAt when the object was seen: what is new may still be starting. */
export function workloadHealth(raw: JsonObject, observedAt: Date): Health {
  if (isDeleting(raw)) return { state: 'Progressing', reason: 'It is being deleted.' };
  if (rawFlag(raw, 'heldOnHub') === true) {
    return { state: 'Healthy', reason: 'The hub only holds it for placement; the member clusters run it.' };
  }
  const rollout = rolloutOf(raw);
  switch (rollout.state) {
    case 'Failed':
      return { state: 'Degraded', reason: rollout.reason };
    case 'Progressing':
      return { state: 'Progressing', reason: rollout.reason };
    case 'Paused':
    case 'Complete':
      return availabilityHealth(raw, rollout.reason, observedAt);
  }
}

function availabilityHealth(raw: JsonObject, reason: string | null, observedAt: Date): Health {
  const { desired, available } = countsOf(raw);
  if (available >= desired) {
    return { state: 'Healthy', reason: desired === 0 && reason === null ? nothingWanted(raw) : reason };
  }
  const counts = [`${available} of ${desired} replicas are available.`, reason].filter(Boolean).join(' ');
  const minimum = findCondition(conditionsOf(raw), 'Available');
  // The controller of a Deployment says itself whether what is left is enough.
  const isStarting = minimum === undefined ? isNew(raw, observedAt) : minimum.status === 'True';
  return { state: isStarting ? 'Progressing' : 'Degraded', reason: counts };
}

function nothingWanted(raw: JsonObject): string {
  return rawText(raw, 'kind') === 'DaemonSet' ? 'No node is to run it.' : 'It is scaled to zero.';
}

function isNew(raw: JsonObject, observedAt: Date): boolean {
  const created = Date.parse(rawText(raw, 'metadata', 'creationTimestamp') ?? '');
  return observedAt.getTime() - created < START_MILLISECONDS;
}

function failureOf(raw: JsonObject): string | null {
  const conditions = conditionsOf(raw);
  const replicaFailure = findCondition(conditions, 'ReplicaFailure');
  if (replicaFailure?.status === 'True') return wordsOf(replicaFailure) ?? 'Its pods cannot be made.';
  const progress = findCondition(conditions, 'Progressing');
  if (progress?.status === 'False' && progress.reason === 'ProgressDeadlineExceeded') {
    return wordsOf(progress);
  }
  return null;
}

/** What is still to be done for the present template, or null. */
function unfinishedPart(raw: JsonObject): string | null {
  const { desired, current, updated, available } = countsOf(raw);
  // With OnDelete a controller replaces nothing by itself, so there is nothing to wait for.
  if (rawText(raw, 'spec', 'updateStrategy', 'type') !== 'OnDelete') {
    const toUpdate = Math.max(0, desired - partitionOf(raw));
    if (updated < toUpdate) return `${updated} of ${toUpdate} replicas are up to date.`;
  }
  if (current < desired) return `${current} of ${desired} replicas have been made.`;
  if (current > desired) return `${current - desired} replicas are to go.`;
  // Once new pods have all been available the controller leaves this reason, whatever becomes of them later.
  const progress = findCondition(conditionsOf(raw), 'Progressing');
  const isFirst = progress !== undefined && progress.reason !== 'NewReplicaSetAvailable';
  return isFirst && available < desired ? `${available} of ${desired} replicas are available.` : null;
}

/** Replicas with lower numbers than this keep the old template on purpose. */
function partitionOf(raw: JsonObject): number {
  return Math.max(0, rawInteger(raw, 'spec', 'updateStrategy', 'rollingUpdate', 'partition') ?? 0);
}

function countsOf(raw: JsonObject): Replicas & { desired: number } {
  const replicas = replicasOf(raw);
  // A server fills in one; only DaemonSets that nobody has taken up yet say nothing.
  const desired = replicas.desired ?? (rawText(raw, 'kind') === 'DaemonSet' ? 0 : 1);
  return { ...replicas, desired: Math.max(0, desired) };
}
