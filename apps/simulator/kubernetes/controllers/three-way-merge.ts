import { canonicalJson } from '#libs/kernel/canonical-json.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';

/**
 * What client-side apply does: takes what is wanted now, drops what was wanted last time and is not any more, and keeps
 * everything else of the live object (defaults, and what others set).
 */
export function threeWayMerge(last: JsonObject, wanted: JsonObject, live: JsonObject): JsonObject {
  const merged: JsonObject = { ...live };
  for (const [key, dropped] of Object.entries(last)) {
    if (key in wanted) continue;
    const present = live[key];
    // Of a map only those members go that were wanted once.
    if (isJsonObject(dropped) && isJsonObject(present)) merged[key] = threeWayMerge(dropped, {}, present);
    else Reflect.deleteProperty(merged, key);
  }
  for (const [key, value] of Object.entries(wanted)) merged[key] = mergeValue(last[key], value, live[key]);
  return merged;
}

function mergeValue(last: Json | undefined, wanted: Json, live: Json | undefined): Json {
  if (isJsonObject(wanted) && isJsonObject(live)) return threeWayMerge(isJsonObject(last) ? last : {}, wanted, live);
  if (Array.isArray(wanted) && Array.isArray(live)) return mergeList(Array.isArray(last) ? last : [], wanted, live);
  return wanted;
}

/** Lists of named things are merged by their names; of others the wanted list counts. */
function mergeList(last: readonly Json[], wanted: readonly Json[], live: readonly Json[]): Json[] {
  const key = ['name', 'containerPort', 'port', 'key', 'ip'].find((candidate) =>
    wanted.every((item) => isJsonObject(item) && item[candidate] !== undefined),
  );
  if (key === undefined) return [...wanted];
  const find = (list: readonly Json[], value: Json | undefined): JsonObject | undefined =>
    list.find((item): item is JsonObject => isJsonObject(item) && item[key] === value);
  return wanted.map((item) => {
    const object = item as JsonObject;
    const present = find(live, object[key]);
    return present === undefined ? object : threeWayMerge(find(last, object[key]) ?? {}, object, present);
  });
}

/** Whether everything that is wanted is already so; what is there besides does not matter. */
export function covers(live: Json | undefined, wanted: Json): boolean {
  if (live === undefined) return false;
  return canonicalJson(mergeValue(undefined, wanted, live)) === canonicalJson(live);
}
