import type { JsonObject } from '#libs/kernel/json.js';
import type { KnownObject } from '../../contract/advice.js';
import { rawObjects, rawText, rawTextRecord, rawTexts } from '../../contract/raw-reader.js';
import { conditionsOf, findCondition } from '../condition.properties.js';

/** The nodes that are told of one by one. */
export const MOST_NODES = 50;
/** Kubernetes itself gives every pod tolerations of these for a while. */
const OWN_TAINTS = new Set(['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']);

/** What a pod asks of the labels of its node, and what the node has. */
export interface LabelMiss {
  key: string;
  operator: string;
  values: string[];
  /** Null where the node has no such label. */
  has: string | null;
  /** Where it was asked for. */
  from: 'nodeSelector' | 'affinity';
}

/** What the scheduler says of a pod that has no place; undefined where it has one, or waits for something else. */
export function unschedulableMessage(pod: JsonObject): string | undefined {
  const scheduled = findCondition(conditionsOf(pod), 'PodScheduled');
  if (scheduled?.status !== 'False' || scheduled.reason === 'SchedulingGated') return undefined;
  return scheduled.message ?? '';
}

/** What of the labels keeps the pod off the node: the selector, and the term of the affinity that comes closest. */
export function labelMisses(pod: JsonObject, node: JsonObject): LabelMiss[] {
  const labels = rawTextRecord(node, 'metadata', 'labels');
  const selector = Object.entries(rawTextRecord(pod, 'spec', 'nodeSelector'))
    .filter(([key, value]) => labels[key] !== value)
    .map(([key, value]): LabelMiss => {
      return { key, operator: 'In', values: [value], has: labels[key] ?? null, from: 'nodeSelector' };
    });
  const terms = rawObjects(
    pod,
    'spec',
    'affinity',
    'nodeAffinity',
    'requiredDuringSchedulingIgnoredDuringExecution',
    'nodeSelectorTerms',
  );
  const name = rawText(node, 'metadata', 'name') ?? '';
  const [closest = []] = terms
    .map((term) => [
      ...rawObjects(term, 'matchExpressions').flatMap((each) => missOf(each, labels)),
      ...rawObjects(term, 'matchFields').flatMap((each) => missOf(each, { 'metadata.name': name })),
    ])
    .sort((left, right) => left.length - right.length);
  return [...selector, ...closest];
}

function missOf(expression: JsonObject, labels: Readonly<Record<string, string>>): LabelMiss[] {
  const key = rawText(expression, 'key') ?? '';
  const operator = rawText(expression, 'operator') ?? 'In';
  const values = rawTexts(expression, 'values');
  const has = labels[key];
  return fulfils(operator, values, has) ? [] : [{ key, operator, values, has: has ?? null, from: 'affinity' }];
}

function fulfils(operator: string, values: readonly string[], has: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return has !== undefined && values.includes(has);
    case 'NotIn':
      return has === undefined || !values.includes(has);
    case 'Exists':
      return has !== undefined;
    case 'DoesNotExist':
      return has === undefined;
    case 'Gt':
      return has !== undefined && Number(has) > Number(values[0]);
    case 'Lt':
      return has !== undefined && Number(has) < Number(values[0]);
    default:
      return false;
  }
}

/** The taints that keep the pod off the node. */
export function untoleratedTaints(pod: JsonObject, node: JsonObject): JsonObject[] {
  const tolerations = rawObjects(pod, 'spec', 'tolerations');
  return rawObjects(node, 'spec', 'taints').filter(
    (taint) => rawText(taint, 'effect') !== 'PreferNoSchedule' && !tolerations.some((one) => tolerates(one, taint)),
  );
}

export function tolerates(toleration: JsonObject, taint: JsonObject): boolean {
  const key = rawText(toleration, 'key');
  const effect = rawText(toleration, 'effect');
  if (effect !== null && effect !== rawText(taint, 'effect')) return false;
  const exists = rawText(toleration, 'operator') === 'Exists';
  if (key === null) return exists;
  return key === rawText(taint, 'key') && (exists || rawText(toleration, 'value') === rawText(taint, 'value'));
}

/** The tolerations that somebody has written into the template, without those that Kubernetes adds to each pod. */
export function ownTolerations(pod: JsonObject): JsonObject[] {
  return rawObjects(pod, 'spec', 'tolerations').filter((each) => !OWN_TAINTS.has(rawText(each, 'key') ?? ''));
}

/** How far a node is from taking the pod, the nearest first; a node whose taints were thought of is meant. */
export function byNearness(pod: JsonObject): (left: KnownObject, right: KnownObject) => number {
  const distance = ({ properties }: KnownObject): [number, number, number] => {
    const own = ownTolerations(pod);
    const meant = rawObjects(properties, 'spec', 'taints').filter((taint) => own.some((one) => tolerates(one, taint)));
    return [labelMisses(pod, properties).length, untoleratedTaints(pod, properties).length, -meant.length];
  };
  return (left, right) => {
    const [ours, theirs] = [distance(left), distance(right)];
    return ours[0] - theirs[0] || ours[1] - theirs[1] || ours[2] - theirs[2] || (left.name < right.name ? -1 : 1);
  };
}
