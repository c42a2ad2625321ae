import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { PatchError } from './patch.error.js';
import { sameJson } from './same-json.js';
import { memberSchema, type StructuralSchema } from './structural.schema.js';

const PATCH = '$patch';
const RETAIN_KEYS = '$retainKeys';
const SET_ORDER = '$setElementOrder/';
const DELETE_PRIMITIVES = '$deleteFromPrimitiveList/';

/**
 * The strategic merge patch of the built-in kinds: a merge patch in which lists with a merge key are merged item by item.
 * @throws PatchError malformed for directives that are none, unprocessable for an item without its merge key.
 */
export function applyStrategicMergePatch(schema: StructuralSchema, object: JsonObject, patch: unknown): JsonObject {
  if (!isJsonObject(patch)) throw new PatchError('malformed', 'error decoding patch: the patch is not a JSON object');
  return mergeMap(schema, object, patch);
}

function mergeMap(schema: StructuralSchema | undefined, original: JsonObject, patch: JsonObject): JsonObject {
  const { [PATCH]: directive, [RETAIN_KEYS]: retained, ...members } = patch;
  if (directive === 'replace') return withoutDirectives(members) as JsonObject;
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge') throw unknownDirective(directive);

  const merged = new Map<string, Json>(Object.entries(retain(original, members, retained)));
  for (const [key, value] of Object.entries(members)) {
    if (key.startsWith(SET_ORDER) || key.startsWith(DELETE_PRIMITIVES)) continue;
    if (value === null) merged.delete(key);
    else merged.set(key, mergeMember(memberSchema(schema, key), merged.get(key), value, listDirectives(members, key)));
  }
  for (const key of Object.keys(members)) {
    const name = key.startsWith(SET_ORDER)
      ? key.slice(SET_ORDER.length)
      : key.startsWith(DELETE_PRIMITIVES)
        ? key.slice(DELETE_PRIMITIVES.length)
        : undefined;
    const present = name === undefined ? undefined : merged.get(name);
    if (name === undefined || members[name] !== undefined || !Array.isArray(present)) continue;
    merged.set(name, mergeList(memberSchema(schema, name), present, [], listDirectives(members, name)));
  }
  return Object.fromEntries(merged);
}

function retain(original: JsonObject, members: JsonObject, retained: Json | undefined): JsonObject {
  if (retained === undefined) return original;
  if (!Array.isArray(retained)) throw new PatchError('malformed', `${RETAIN_KEYS} has to be a list`);
  for (const [key, value] of Object.entries(members)) {
    if (value !== null && !key.startsWith('$') && !retained.includes(key)) {
      throw new PatchError(
        'malformed',
        `the list of keys of ${RETAIN_KEYS} does not name ${key}, which the patch sets`,
      );
    }
  }
  return Object.fromEntries(Object.entries(original).filter(([key]) => retained.includes(key)));
}

interface ListDirectives {
  order: Json[] | undefined;
  removed: Json[];
}

function listDirectives(members: JsonObject, key: string): ListDirectives {
  const order: Json | undefined = members[`${SET_ORDER}${key}`];
  const removed: Json | undefined = members[`${DELETE_PRIMITIVES}${key}`];
  for (const list of [order, removed]) {
    if (list !== undefined && !Array.isArray(list))
      throw new PatchError('malformed', `the directive for ${key} has to be a list`);
  }
  return { order: order as Json[] | undefined, removed: (removed as Json[] | undefined) ?? [] };
}

function mergeMember(
  schema: StructuralSchema | undefined,
  original: Json | undefined,
  value: Json,
  directives: ListDirectives,
): Json {
  if (isJsonObject(original) && isJsonObject(value)) return mergeMap(schema, original, value);
  if (Array.isArray(original) && Array.isArray(value) && isMerged(schema)) {
    return mergeList(schema, original, value, directives);
  }
  return isJsonObject(value) ? mergeMap(schema, {}, value) : withoutDirectives(value);
}

function isMerged(schema: StructuralSchema | undefined): boolean {
  return schema?.['x-kubernetes-patch-strategy']?.split(',').includes('merge') ?? false;
}

function mergeList(
  schema: StructuralSchema | undefined,
  original: readonly Json[],
  patch: readonly Json[],
  { order, removed }: ListDirectives,
): Json[] {
  const mergeKey = schema?.['x-kubernetes-patch-merge-key'];
  if (mergeKey === undefined) {
    const kept = [...new Set([...original, ...patch])].filter((item) => !removed.includes(item));
    return arrange(kept, order ?? [...patch], [...original], sameJson);
  }
  const items = patch.map((item) => asItem(item, mergeKey));
  if (items.some((item) => item[PATCH] === 'replace')) {
    return items.filter((item) => item[PATCH] !== 'replace').map((item) => withoutDirectives(item));
  }
  const isSame = (left: Json, right: Json): boolean => sameJson(keyOf(left, mergeKey), keyOf(right, mergeKey));
  let merged = [...original];
  for (const item of items) {
    if (item[PATCH] === 'delete') {
      merged = merged.filter((present) => !isSame(present, item));
      continue;
    }
    const at = merged.findIndex((present) => isSame(present, item));
    const present = at < 0 ? undefined : merged[at];
    const result = mergeMap(schema?.items, isJsonObject(present) ? present : {}, item);
    merged = at < 0 ? [...merged, result] : merged.with(at, result);
  }
  return arrange(merged, order ?? items.filter((item) => item[PATCH] !== 'delete'), [...original], isSame);
}

function asItem(item: Json, mergeKey: string): JsonObject {
  if (!isJsonObject(item))
    throw new PatchError('malformed', `a list with the merge key ${mergeKey} has to consist of objects`);
  const directive = item[PATCH];
  if (directive !== undefined && !['replace', 'delete', 'merge'].includes(directive as string))
    throw unknownDirective(directive);
  if (directive !== 'replace' && item[mergeKey] === undefined) {
    throw new PatchError(
      'unprocessable',
      `map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`,
    );
  }
  return item;
}

function keyOf(item: Json, mergeKey: string): Json | undefined {
  return isJsonObject(item) ? item[mergeKey] : undefined;
}

/**
 * Items that the patch names come in its order, the others in theirs; each of the others stands before the first of the
 * patch's items that came after it before.
 */
function arrange(
  items: readonly Json[],
  order: readonly Json[],
  before: readonly Json[],
  isSame: (left: Json, right: Json) => boolean,
): Json[] {
  const place = (list: readonly Json[], item: Json): number => list.findIndex((other) => isSame(other, item));
  const ofPatch = items.filter((item) => place(order, item) >= 0).sort((a, b) => place(order, a) - place(order, b));
  const others = items.filter((item) => place(order, item) < 0);
  const result = [...ofPatch];
  let from = 0;
  for (const item of others) {
    const own = place(before, item);
    const next = result.findIndex((other, index) => index >= from && place(before, other) > own);
    const at = next < 0 ? result.length : next;
    result.splice(at, 0, item);
    from = at + 1;
  }
  return result;
}

/** What is new is taken as it is, but directives are never stored. */
function withoutDirectives(value: Json): Json {
  if (Array.isArray(value)) {
    return value
      .filter((item) => !isJsonObject(item) || item[PATCH] !== 'delete')
      .map((item) => withoutDirectives(item));
  }
  if (!isJsonObject(value)) return value;
  const kept = Object.entries(value).filter(
    ([key]) => key !== PATCH && key !== RETAIN_KEYS && !key.startsWith(SET_ORDER),
  );
  return Object.fromEntries(
    kept
      .filter(([key, member]) => !key.startsWith(DELETE_PRIMITIVES) && member !== null)
      .map(([key, member]) => [key, withoutDirectives(member)]),
  );
}

function unknownDirective(directive: Json): PatchError {
  return new PatchError('malformed', `unknown patch type: ${JSON.stringify(directive)}`);
}
