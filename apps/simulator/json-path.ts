import { omit } from './json-merge.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';

/** Reads, sets and removes by dotted path (`properties.status`). Inputs are never changed. */
export function valueAt(body: JsonObject, path: string): Json | undefined {
  let value: Json | undefined = body;
  for (const segment of path.split('.')) {
    if (!isJsonObject(value)) return undefined;
    value = value[segment];
  }
  return value;
}

export function withValueAt(body: JsonObject, path: string, value: Json): JsonObject {
  const [first = '', ...rest] = path.split('.');
  if (rest.length === 0) return { ...body, [first]: value };
  const inner = body[first];
  return { ...body, [first]: withValueAt(isJsonObject(inner) ? inner : {}, rest.join('.'), value) };
}

/** Where the path leads through a list, it is taken out of each of its objects. */
export function withoutPath(body: JsonObject, path: string): JsonObject {
  const [first = '', ...rest] = path.split('.');
  const inner = body[first];
  if (inner === undefined) return body;
  if (rest.length === 0) return omit(body, [first]);
  const below = rest.join('.');
  if (Array.isArray(inner)) {
    return { ...body, [first]: inner.map((item) => (isJsonObject(item) ? withoutPath(item, below) : item)) };
  }
  return isJsonObject(inner) ? { ...body, [first]: withoutPath(inner, below) } : body;
}
