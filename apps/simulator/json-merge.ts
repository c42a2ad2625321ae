import { isJsonObject } from '#libs/kernel/json.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';

/** JSON merge patch (RFC 7396): members of `patch` replace, `null` removes, objects merge. Neither input is changed. */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const merged = Object.entries(patch).map(([key, value]): [string, Json] => {
    const present = target[key];
    return [key, isJsonObject(value) ? mergePatch(isJsonObject(present) ? present : {}, value) : value];
  });
  const removed = merged.filter(([, value]) => value === null).map(([key]) => key);
  return omit({ ...target, ...Object.fromEntries(merged) }, removed);
}

/** The member, when it is an object; else an empty one. */
export function objectAt(holder: JsonObject | undefined, key: string): JsonObject {
  const value = holder?.[key];
  return isJsonObject(value) ? value : {};
}

export function textAt(holder: JsonObject | undefined, key: string): string | undefined {
  const value = holder?.[key];
  return typeof value === 'string' ? value : undefined;
}

export function numberAt(holder: JsonObject | undefined, key: string): number | undefined {
  const value = holder?.[key];
  return typeof value === 'number' ? value : undefined;
}

/** The objects of a list member; an absent or strange member counts as empty. */
export function objectsAt(holder: JsonObject | undefined, key: string): JsonObject[] {
  const value = holder?.[key];
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

/** Without the members named. */
export function omit(value: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}

/** Only the members named, as far as they are there. */
export function pick(value: JsonObject, keys: readonly string[]): JsonObject {
  const result: JsonObject = {};
  for (const key of keys) {
    const member: Json | undefined = value[key];
    if (member !== undefined) result[key] = member;
  }
  return result;
}
