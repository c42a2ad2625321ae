import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { PatchError } from './patch.error.js';

/** RFC 7386: members of the patch replace, null removes, objects merge. @throws PatchError when the patch is no object. */
export function applyMergePatch(object: JsonObject, patch: unknown): JsonObject {
  if (!isJsonObject(patch)) throw new PatchError('malformed', 'error decoding patch: the patch is not a JSON object');
  return merge(object, patch);
}

function merge(target: JsonObject, patch: JsonObject): JsonObject {
  const merged = new Map<string, Json>(Object.entries(target));
  for (const [key, value] of Object.entries(patch)) {
    const present = merged.get(key);
    if (value === null) merged.delete(key);
    else merged.set(key, isJsonObject(value) ? merge(isJsonObject(present) ? present : {}, value) : value);
  }
  return Object.fromEntries(merged);
}
