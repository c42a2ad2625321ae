import { type Json, type JsonObject, jsonText } from '#libs/kernel/json.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '../cluster.objects.js';
import { memberAt } from './json.comparison.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';
import type { ScalePaths, ServedResource } from './served.resource.js';
import { selectorText } from './table.columns.js';

/** The `Scale` of autoscaling/v1 that an object has. */
export function scaleOf(object: KubernetesObject, paths: ScalePaths): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const count = (path: readonly string[]): number => {
    const value = memberAt(object, path);
    return typeof value === 'number' ? value : 0;
  };
  const selector = paths.selector === undefined ? undefined : memberAt(object, paths.selector);
  const text = typeof selector === 'string' ? selector : selector === undefined ? '' : selectorText(selector);
  const replicas = count(paths.specReplicas);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion, creationTimestamp },
    spec: replicas === 0 ? {} : { replicas },
    status: { replicas: count(paths.statusReplicas), ...(text === '' ? {} : { selector: text }) },
  };
}

/**
 * The object with the replicas and the resourceVersion that a `Scale` asks for.
 * @throws KubernetesStatusError 422 for a number below zero
 */
export function withScale(
  object: KubernetesObject,
  scale: JsonObject,
  paths: ScalePaths,
  resource: ServedResource,
): JsonObject {
  const replicas = memberAt(scale, ['spec', 'replicas']) ?? 0;
  const { name } = object.metadata;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0)
    throw KubernetesStatusError.invalid({ group: 'autoscaling', resource: 'Scale' }, name, [
      {
        reason: 'FieldValueInvalid',
        message: `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`,
        field: 'spec.replicas',
      },
    ]);
  const asked = isJsonObject(scale.metadata) ? scale.metadata : {};
  const written = memberAt(asked, ['name']);
  if (written !== undefined && written !== name)
    throw KubernetesStatusError.badRequest(
      `the name of the object (${jsonText(written)}) does not match the name on the URL (${name})`,
    );
  const { uid, resourceVersion } = asked;
  return {
    ...(replaced(object, paths.specReplicas, replicas) as JsonObject),
    apiVersion: object.apiVersion,
    kind: resource.kind,
    metadata: {
      ...object.metadata,
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
  };
}

function replaced(value: Json | undefined, path: readonly string[], replacement: Json): Json {
  const [key, ...rest] = path;
  if (key === undefined) return replacement;
  const members = isJsonObject(value) ? value : {};
  return { ...members, [key]: replaced(members[key], rest, replacement) };
}
