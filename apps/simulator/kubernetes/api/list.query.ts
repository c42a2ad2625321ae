import type { KubernetesObject } from '../cluster.objects.js';
import { toServedVersion } from './api-version.conversion.js';
import { decodeContinue, encodeContinue } from './continue.token.js';
import { type FieldRequirement, matchesFields, parseFieldSelector } from './field.selector.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';
import { type LabelRequirement, matchesLabels, parseLabelSelector } from './label.selector.js';
import type { ObjectStore } from './object.store.js';
import type { ServedResource } from './served.resource.js';

const EXPIRED_MESSAGE =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the ' +
  'continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with ' +
  'the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the ' +
  'first chunk was returned and now may show up in the list.';

/** Which objects a list, a watch or a deletion of many is about. */
export interface ObjectFilter {
  labels: readonly LabelRequirement[];
  fields: readonly FieldRequirement[];
}

export interface ListPage {
  /** In the version that was asked for. */
  items: KubernetesObject[];
  resourceVersion: string;
  continueToken: string | undefined;
  /** Not told where a selector would make the server count. */
  remainingItemCount: number | undefined;
}

/** @throws KubernetesStatusError 400 for selectors that cannot be read */
export function parseFilter(parameters: URLSearchParams, resource: ServedResource): ObjectFilter {
  return {
    labels: parseLabelSelector(parameters.get('labelSelector') ?? ''),
    fields: parseFieldSelector(parameters.get('fieldSelector') ?? '', resource),
  };
}

/** @param object in the version that was asked for */
export function isSelected(filter: ObjectFilter, object: KubernetesObject): boolean {
  return matchesLabels(filter.labels, object.metadata.labels) && matchesFields(filter.fields, object);
}

/** One page of a list, of the state that the first page showed. */
export function listPage(
  store: ObjectStore,
  resource: ServedResource,
  namespace: string | undefined,
  parameters: URLSearchParams,
): ListPage {
  const filter = parseFilter(parameters, resource);
  const limit = parseCount('limit', parameters.get('limit')) ?? 0;
  const token = parameters.get('continue') ?? '';
  const relative = (object: KubernetesObject): string =>
    namespace === undefined && object.metadata.namespace !== undefined
      ? `${object.metadata.namespace}/${object.metadata.name}`
      : object.metadata.name;
  const continuation = token === '' ? undefined : decodeContinue(token);
  const asked = parseResourceVersion(parameters, store.version);
  if (continuation !== undefined && parameters.has('resourceVersionMatch'))
    throw invalidListOption('resourceVersionMatch', 'resourceVersionMatch is forbidden for continue');
  const version =
    continuation !== undefined
      ? continuation.version < 0
        ? store.version
        : continuation.version
      : (exactVersion(parameters, asked) ?? store.version);
  const found = store.listAt(version, resource.storage, namespace);
  if (found.outcome === 'expired')
    throw continuation === undefined
      ? KubernetesStatusError.expired(`The provided resource version ${version} is too old.`)
      : KubernetesStatusError.expired(EXPIRED_MESSAGE, encodeContinue({ version: -1, after: continuation.after }));
  const start =
    continuation === undefined ? 0 : found.objects.findIndex((object) => relative(object) > continuation.after);
  const items: KubernetesObject[] = [];
  let index = start < 0 ? found.objects.length : start;
  for (; index < found.objects.length && (limit === 0 || items.length < limit); index++) {
    const object = toServedVersion(found.objects[index]!, resource);
    if (isSelected(filter, object)) items.push(object);
  }
  const more = index < found.objects.length && items.length > 0;
  const counted = filter.labels.length === 0 && filter.fields.length === 0;
  return {
    items,
    resourceVersion: String(version),
    continueToken: more ? encodeContinue({ version, after: relative(items.at(-1)!) }) : undefined,
    remainingItemCount: more && counted ? found.objects.length - index : undefined,
  };
}

/** @throws KubernetesStatusError 400 */
export function parseCount(name: string, text: string | null): number | undefined {
  if (text === null || text === '') return undefined;
  const count = Number(text);
  if (!Number.isInteger(count))
    throw KubernetesStatusError.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (count < 0 && name === 'limit') throw invalidListOption(name, 'must be greater than or equal to 0');
  return count;
}

/**
 * The resourceVersion that a list or a watch asks for; 0 and undefined leave it to the server.
 * @throws KubernetesStatusError 400 for no number, 504 for one from the future
 */
export function parseResourceVersion(parameters: URLSearchParams, current: number): number | undefined {
  const text = parameters.get('resourceVersion') ?? '';
  if (text === '') {
    if ((parameters.get('resourceVersionMatch') ?? '') !== '' && parameters.get('sendInitialEvents') === null)
      throw invalidListOption(
        'resourceVersionMatch',
        'resourceVersionMatch is forbidden unless resourceVersion is provided',
      );
    return undefined;
  }
  if (!/^\d+$/.test(text))
    throw KubernetesStatusError.invalid({ group: 'meta.k8s.io', resource: 'ListOptions' }, '', [
      {
        reason: 'FieldValueInvalid',
        message: `Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
        field: 'resourceVersion',
      },
    ]);
  const version = Number(text);
  if (version > current) throw KubernetesStatusError.tooLargeResourceVersion(version, current);
  return version;
}

function exactVersion(parameters: URLSearchParams, asked: number | undefined): number | undefined {
  const match = parameters.get('resourceVersionMatch') ?? '';
  switch (match) {
    case '':
    case 'NotOlderThan':
      return undefined;
    case 'Exact':
      if (asked === 0)
        throw invalidListOption(
          'resourceVersionMatch',
          'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
        );
      return asked;
    default:
      throw KubernetesStatusError.invalid({ group: 'meta.k8s.io', resource: 'ListOptions' }, '', [
        {
          reason: 'FieldValueNotSupported',
          message: `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`,
          field: 'resourceVersionMatch',
        },
      ]);
  }
}

function invalidListOption(field: string, why: string): KubernetesStatusError {
  return KubernetesStatusError.invalid({ group: 'meta.k8s.io', resource: 'ListOptions' }, '', [
    { reason: 'FieldValueForbidden', message: `Forbidden: ${why}`, field },
  ]);
}
