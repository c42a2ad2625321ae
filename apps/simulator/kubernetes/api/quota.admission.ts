import { type Json, type JsonObject, isJsonObject, jsonText } from '#libs/kernel/json.js';
import { formatCores, milliCores, quantityValue } from '../schema/quantity.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';
import type { ObjectStore } from './object.store.js';

/** What of a quota is counted: pods, and what their containers set aside or are limited to. */
interface Counted {
  of: 'pods' | 'cpu' | 'memory';
  from: 'requests' | 'limits';
}

const COUNTED: ReadonlyMap<string, Counted> = new Map<string, Counted>([
  ['pods', { of: 'pods', from: 'requests' }],
  ['count/pods', { of: 'pods', from: 'requests' }],
  ['cpu', { of: 'cpu', from: 'requests' }],
  ['requests.cpu', { of: 'cpu', from: 'requests' }],
  ['limits.cpu', { of: 'cpu', from: 'limits' }],
  ['memory', { of: 'memory', from: 'requests' }],
  ['requests.memory', { of: 'memory', from: 'requests' }],
  ['limits.memory', { of: 'memory', from: 'limits' }],
]);

/**
 * Refuses a pod that a quota of its namespace has no room for, in the words of the real server.
 * @throws KubernetesStatusError 403
 */
export function refuseOverQuota(pod: JsonObject, store: ObjectStore): void {
  const metadata = isJsonObject(pod.metadata) ? pod.metadata : {};
  const namespace = jsonText(metadata.namespace);
  const quotas = store
    .list('resourcequotas', namespace)
    .map((quota) => ({ name: quota.metadata.name, hard: hardOf(quota as unknown as JsonObject) }))
    .filter(({ hard }) => hard.length > 0);
  if (quotas.length === 0) return;
  const present = store
    .list('pods', namespace)
    .map((each) => each as unknown as JsonObject)
    .filter((each) => !isFinished(each));
  for (const { name, hard } of quotas) {
    const over = hard
      .map(({ resource, counted, limit }) => ({
        resource,
        of: counted.of,
        limit,
        requested: amountOf(pod, counted),
        used: present.reduce((sum, each) => sum + amountOf(each, counted), 0),
      }))
      .filter(({ requested, used, limit }) => used + requested > limit);
    if (over.length === 0) continue;
    const list = (value: 'requested' | 'used' | 'limit'): string =>
      over.map((each) => `${each.resource}=${text(each.of, each[value])}`).join(',');
    const why = `exceeded quota: ${name}, requested: ${list('requested')}, used: ${list('used')}, limited: ${list('limit')}`;
    throw KubernetesStatusError.forbidden({ group: '', resource: 'pods' }, jsonText(metadata.name), why);
  }
}

function hardOf(quota: JsonObject): { resource: string; counted: Counted; limit: number }[] {
  const hard = isJsonObject(quota.spec) && isJsonObject(quota.spec.hard) ? quota.spec.hard : {};
  return Object.entries(hard).flatMap(([resource, quantity]) => {
    const counted = COUNTED.get(resource);
    return counted === undefined ? [] : [{ resource, counted, limit: valueOf(counted.of, quantity) }];
  });
}

function amountOf(pod: JsonObject, { of, from }: Counted): number {
  if (of === 'pods') return 1;
  const spec = isJsonObject(pod.spec) ? pod.spec : {};
  const containers = Array.isArray(spec.containers) ? spec.containers.filter(isJsonObject) : [];
  return containers.reduce((sum, { resources }) => {
    const amounts = isJsonObject(resources) && isJsonObject(resources[from]) ? resources[from] : {};
    return sum + valueOf(of, amounts[of]);
  }, 0);
}

function valueOf(of: Counted['of'], quantity: Json | undefined): number {
  const given = typeof quantity === 'string' || typeof quantity === 'number' ? quantity : undefined;
  return of === 'cpu' ? milliCores(given) : quantityValue(given);
}

function text(of: Counted['of'], value: number): string {
  return of === 'cpu' ? formatCores(value) : String(value);
}

function isFinished(pod: JsonObject): boolean {
  const phase = isJsonObject(pod.status) ? pod.status.phase : undefined;
  return phase === 'Succeeded' || phase === 'Failed';
}
