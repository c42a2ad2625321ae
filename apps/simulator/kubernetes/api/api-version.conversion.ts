import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '../cluster.objects.js';
import { convertVersion } from '../schema/version.conversion.js';
import { memberAt } from './json.comparison.js';
import { apiVersionOf, type ServedResource } from './served.resource.js';

/** The stored object as one served version of its resource shows it. */
export function toServedVersion(object: KubernetesObject, resource: ServedResource): KubernetesObject {
  return convert(object, apiVersionOf(resource), resource);
}

/** What a client wrote in a served version, as it is stored. */
export function toStoredVersion(object: JsonObject, resource: ServedResource): JsonObject {
  return convert(object, resource.storageApiVersion, resource);
}

function convert<T extends JsonObject>(object: T, apiVersion: string, resource: ServedResource): T {
  if (object.apiVersion === apiVersion) return object;
  if (resource.storage === 'events') {
    const toCore = apiVersion === 'v1';
    return { ...renamed(object, toCore ? REGARDING_TO_INVOLVED : INVOLVED_TO_REGARDING), apiVersion } as unknown as T;
  }
  if (resource.storage === 'horizontalpodautoscalers.autoscaling')
    return convertAutoscaler(object, apiVersion) as unknown as T;
  return convertVersion(object, apiVersion) as T;
}

/** The same event has other names for its members in its two groups. */
const INVOLVED_TO_REGARDING: Readonly<Record<string, string>> = {
  involvedObject: 'regarding',
  message: 'note',
  reportingComponent: 'reportingController',
  source: 'deprecatedSource',
  firstTimestamp: 'deprecatedFirstTimestamp',
  lastTimestamp: 'deprecatedLastTimestamp',
  count: 'deprecatedCount',
};
const REGARDING_TO_INVOLVED: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(INVOLVED_TO_REGARDING).map(([core, events]) => [events, core]),
);

function renamed(object: JsonObject, names: Readonly<Record<string, string>>): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [names[key] ?? key, value]));
}

/** autoscaling/v1 knows a target for the processors only, v2 a list of metrics. */
function convertAutoscaler(object: JsonObject, apiVersion: string): JsonObject {
  const spec = (object.spec ?? {}) as JsonObject;
  if (apiVersion === 'autoscaling/v1') {
    const { metrics, behavior: _behavior, ...rest } = spec;
    const target = (Array.isArray(metrics) ? metrics : [])
      .filter((metric) => memberAt(metric, ['resource', 'name']) === 'cpu')
      .map((metric) => memberAt(metric, ['resource', 'target', 'averageUtilization']))
      .find((value) => typeof value === 'number');
    return {
      ...object,
      apiVersion,
      spec: { ...rest, ...(target === undefined ? {} : { targetCPUUtilizationPercentage: target }) },
    };
  }
  const { targetCPUUtilizationPercentage: target, ...rest } = spec;
  const metrics: Json[] =
    target === undefined
      ? []
      : [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: target } } }];
  return { ...object, apiVersion, spec: { ...rest, ...(metrics.length === 0 ? {} : { metrics }) } };
}
