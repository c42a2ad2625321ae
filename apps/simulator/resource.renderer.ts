import { isJsonObject } from '#libs/kernel/json.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { objectAt, omit, pick } from './json-merge.js';
import { withoutPath } from './json-path.js';
import type { StoredResource } from './resource.store.js';
import type { ResourceTypeDescriptor, ResourceWorld } from './resource-type.descriptor.js';

/** The members that the resource providers write first, in the order in which they usually do. */
const LEADING = ['kind', 'location', 'tags'];

/** What only the simulator knows of a resource. */
const HIDDEN = ['simulation'];

/** The resource as the API version shows it; without one, with everything. */
export function renderResource(
  resource: StoredResource,
  descriptor: ResourceTypeDescriptor,
  world: ResourceWorld,
  apiVersion?: string,
): JsonObject {
  const body = descriptor.present?.(resource, world) ?? resource.body;
  const etag = descriptor.etag?.format(resource);
  let properties = objectAt(body, 'properties');
  const etagMember = descriptor.etag?.member ?? 'eTag';
  if (etag !== undefined && descriptor.etag?.at === 'properties') properties = { [etagMember]: etag, ...properties };
  let rendered: JsonObject = {
    id: resource.id,
    ...pick(body, LEADING),
    name: resource.name,
    type: descriptor.wireType ?? descriptor.type,
    ...omit(body, [...LEADING, ...HIDDEN, 'properties']),
    properties,
    ...(etag !== undefined && descriptor.etag?.at === 'top' ? { [etagMember]: etag } : {}),
    ...(descriptor.hidesSystemData === true ? {} : { systemData: systemDataOf(resource) }),
  };
  for (const { path, since } of descriptor.versioned ?? []) {
    if (apiVersion !== undefined && apiVersion < since) rendered = withoutPath(rendered, path);
  }
  return rendered;
}

/** `null` members do not exist for Azure: left out of what is stored, at any depth of objects. */
export function withoutNulls(body: JsonObject): JsonObject {
  const result: JsonObject = {};
  for (const [key, value] of Object.entries(body)) {
    if (value !== null) result[key] = isJsonObject(value) ? withoutNulls(value) : value;
  }
  return result;
}

function systemDataOf(resource: StoredResource): JsonObject {
  return {
    createdBy: resource.createdBy,
    createdByType: 'Application',
    createdAt: sevenDigits(resource.createdAt),
    lastModifiedBy: resource.modifiedBy,
    lastModifiedByType: 'Application',
    lastModifiedAt: sevenDigits(resource.modifiedAt),
  };
}

/** .NET's round-trip format. */
function sevenDigits(isoTime: string): string {
  return isoTime.replace(/\.(\d{3})Z$/, '.$10000Z');
}
