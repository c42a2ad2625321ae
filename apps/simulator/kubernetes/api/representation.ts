import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '../cluster.objects.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';
import type { ListPage } from './list.query.js';
import { apiVersionOf, type ServedResource } from './served.resource.js';
import { type IncludedObject, renderTable } from './table.js';

/** In which form objects are answered: what the `Accept` header asks for. */
export type Representation =
  | { form: 'object' }
  | { form: 'metadata' }
  /** `now` decides the ages in the cells. */
  | { form: 'table'; include: IncludedObject; now: Date };

const ACCEPTED = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];

/** @throws KubernetesStatusError 406 when nothing that is asked for can be made */
export function chooseRepresentation(
  accept: string | undefined,
  parameters: URLSearchParams,
  now: Date,
): Representation {
  for (const clause of (accept ?? '*/*').split(',')) {
    const [mediaType = '', ...settings] = clause.split(';').map((part) => part.trim());
    if (!['application/json', 'application/*', '*/*', ''].includes(mediaType.toLowerCase())) continue;
    const as = settings.find((setting) => setting.startsWith('as='))?.slice('as='.length);
    switch (as) {
      case undefined:
        return { form: 'object' };
      case 'Table':
        return { form: 'table', include: includedObject(parameters), now };
      case 'PartialObjectMetadata':
      case 'PartialObjectMetadataList':
        return { form: 'metadata' };
      default:
        continue;
    }
  }
  throw KubernetesStatusError.notAcceptable(ACCEPTED);
}

function includedObject(parameters: URLSearchParams): IncludedObject {
  const asked = parameters.get('includeObject') ?? '';
  switch (asked) {
    case '':
    case 'Metadata':
      return 'Metadata';
    case 'None':
    case 'Object':
      return asked;
    default:
      throw KubernetesStatusError.badRequest(`unrecognized includeObject value: ${JSON.stringify(asked)}`);
  }
}

/** @param object in the version of `resource` */
export function present(
  object: KubernetesObject,
  resource: ServedResource,
  representation: Representation,
): JsonObject {
  switch (representation.form) {
    case 'object':
      return object;
    case 'metadata':
      return partialMetadata(object);
    case 'table':
      return renderTable({
        resource,
        objects: [object],
        metadata: { resourceVersion: object.metadata.resourceVersion },
        include: representation.include,
        now: representation.now,
      });
  }
}

export function presentList(page: ListPage, resource: ServedResource, representation: Representation): JsonObject {
  const metadata: JsonObject = {
    resourceVersion: page.resourceVersion,
    ...(page.continueToken === undefined ? {} : { continue: page.continueToken }),
    ...(page.remainingItemCount === undefined ? {} : { remainingItemCount: page.remainingItemCount }),
  };
  switch (representation.form) {
    case 'object':
      return {
        kind: resource.listKind,
        apiVersion: apiVersionOf(resource),
        metadata,
        items: resource.custom === undefined ? page.items.map(withoutType) : page.items,
      };
    case 'metadata':
      return {
        kind: 'PartialObjectMetadataList',
        apiVersion: 'meta.k8s.io/v1',
        metadata,
        items: page.items.map((object) => withoutType(partialMetadata(object))),
      };
    case 'table': {
      const { include, now } = representation;
      return renderTable({ resource, objects: page.items, metadata, include, now });
    }
  }
}

export function partialMetadata(object: KubernetesObject): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}

/** In the lists of typed objects the list alone says what they are. */
function withoutType({ kind: _kind, apiVersion: _apiVersion, ...rest }: JsonObject): JsonObject {
  return rest;
}
