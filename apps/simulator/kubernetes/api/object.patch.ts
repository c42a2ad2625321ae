import { type JsonObject, jsonText } from '#libs/kernel/json.js';
import type { KubernetesObject } from '../cluster.objects.js';
import { applyJsonPatch } from '../schema/json-patch.js';
import { applyMergePatch } from '../schema/merge-patch.js';
import { PatchError } from '../schema/patch.error.js';
import { type ApplyConflict, type ApplyOutcome, serverSideApply } from '../schema/server-side-apply.js';
import { applyStrategicMergePatch } from '../schema/strategic-merge-patch.js';
import type { StructuralSchema } from '../schema/structural.schema.js';
import type { Patch } from './api.request.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';
import { apiVersionOf, type ServedResource } from './served.resource.js';

export interface ApplyPlace {
  resource: ServedResource;
  schema: StructuralSchema;
  namespace: string | undefined;
  name: string;
  manager: string;
  subresource: string;
  time: string;
}

/**
 * The object with a patch of the three formats that are not an apply.
 * @param object not changed
 * @throws KubernetesStatusError 400, 415 or 422
 */
export function patched(
  object: JsonObject,
  patch: Exclude<Patch, { type: 'apply' }>,
  schema: StructuralSchema,
  resource: ServedResource,
): JsonObject {
  try {
    switch (patch.type) {
      case 'json':
        return applyJsonPatch(object, patch.operations);
      case 'merge':
        return applyMergePatch(object, patch.patch);
      case 'strategic':
        if (resource.custom !== undefined)
          throw KubernetesStatusError.unsupportedMediaType([
            'application/json-patch+json',
            'application/merge-patch+json',
            'application/apply-patch+yaml',
          ]);
        return applyStrategicMergePatch(schema, object, patch.patch);
    }
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    throw error.fault === 'malformed'
      ? KubernetesStatusError.badRequest(error.message)
      : KubernetesStatusError.unprocessable();
  }
}

/**
 * The object as it is after a server-side apply, with its managers.
 * @param live undefined when it is to be created
 * @throws KubernetesStatusError 400, 409 or 500
 */
export function applied(
  live: KubernetesObject | undefined,
  patch: Extract<Patch, { type: 'apply' }>,
  place: ApplyPlace,
): JsonObject {
  const { resource, schema, namespace, name, manager, subresource, time } = place;
  const intent = withPlace(patch.applied, place);
  const outcome: ApplyOutcome = serverSideApply({
    schema,
    live,
    applied: intent,
    manager,
    force: patch.force,
    time,
    apiVersion: apiVersionOf(resource),
    subresource,
  });
  switch (outcome.outcome) {
    case 'applied':
      return outcome.object;
    case 'conflict':
      throw KubernetesStatusError.applyConflict(
        outcome.conflicts.map((conflict) => ({ manager: managerText(conflict), field: conflict.field })),
      );
    case 'untyped': {
      const target = namespace === undefined ? `/${name}` : `${namespace}/${name}`;
      throw KubernetesStatusError.internal(
        `failed to create typed patch object (${target}; ${apiVersionOf(resource)}, Kind=${resource.kind}): ${outcome.message}`,
      );
    }
  }
}

/** The intent with the place that the path gives; refused where it names another. */
function withPlace(intent: JsonObject, { resource, namespace, name }: ApplyPlace): JsonObject {
  const metadata = (intent.metadata ?? {}) as JsonObject;
  if (intent.apiVersion !== apiVersionOf(resource) || intent.kind !== resource.kind)
    throw KubernetesStatusError.badRequest(
      `${jsonText(intent.kind)} in version ${JSON.stringify(intent.apiVersion ?? '')} cannot be handled as a ${resource.kind}`,
    );
  if (metadata.managedFields !== undefined && metadata.managedFields !== null)
    throw KubernetesStatusError.badRequest('metadata.managedFields must be nil');
  return {
    ...intent,
    metadata: { ...metadata, name, ...(namespace === undefined ? {} : { namespace }) },
  };
}

/** `"kubectl-edit" using apps/v1`: which entry of the managed fields stands in the way. */
function managerText({ manager, operation, apiVersion, subresource, time }: ApplyConflict): string {
  const parts = [JSON.stringify(manager)];
  if (subresource !== undefined && subresource !== '') parts.push(`with subresource ${JSON.stringify(subresource)}`);
  if (operation === 'Update') parts.push(`using ${apiVersion}${time === undefined ? '' : ` at ${time}`}`);
  return parts.join(' ');
}
