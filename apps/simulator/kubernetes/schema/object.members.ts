import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';

/** Reading and rebuilding objects whose shape the schema describes, but the compiler does not know. Inputs are never changed. */

/** The member, when it is an object; else an empty one. */
export function objectIn(holder: JsonObject | undefined, key: string): JsonObject {
  const value = holder?.[key];
  return isJsonObject(value) ? value : {};
}

/** The objects of a list member; an absent or strange member counts as empty. */
export function objectsIn(holder: JsonObject | undefined, key: string): JsonObject[] {
  const value = holder?.[key];
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

/** Empty when it is missing, as in a Go struct. */
export function textIn(holder: JsonObject | undefined, key: string): string {
  const value = holder?.[key];
  return typeof value === 'string' ? value : '';
}

export function numberIn(holder: JsonObject | undefined, key: string): number | undefined {
  const value = holder?.[key];
  return typeof value === 'number' ? value : undefined;
}

/** The texts of a list member. */
export function textsIn(holder: JsonObject | undefined, key: string): string[] {
  const value = holder?.[key];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** With the members that are missing, null or the empty text. */
export function withMissing(holder: JsonObject, defaults: Readonly<Record<string, Json>>): JsonObject {
  const missing = Object.entries(defaults).filter(([key]) => {
    const value: Json | undefined = holder[key];
    return value === undefined || value === null || value === '';
  });
  return missing.length === 0 ? holder : { ...holder, ...Object.fromEntries(missing) };
}

/** With the member changed, when it is an object. */
export function changeObject(holder: JsonObject, key: string, change: (value: JsonObject) => JsonObject): JsonObject {
  const value = holder[key];
  return isJsonObject(value) ? { ...holder, [key]: change(value) } : holder;
}

/** With each object of a list member changed. */
export function changeItems(holder: JsonObject, key: string, change: (item: JsonObject) => JsonObject): JsonObject {
  const value = holder[key];
  if (!Array.isArray(value)) return holder;
  return { ...holder, [key]: value.map((item) => (isJsonObject(item) ? change(item) : item)) };
}
