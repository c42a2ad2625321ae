import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';

const STEP_MS = 10 * 60_000;

/**
 * A moment down to ten minutes. Heartbeats and times of observation move every minute without anything to be seen having
 * changed; kept exactly, each would be a new version of the object.
 */
export function coarseTime(text: string): string {
  const time = Date.parse(text);
  if (Number.isNaN(time)) return text;
  return new Date(Math.floor(time / STEP_MS) * STEP_MS).toISOString().replace('.000Z', 'Z');
}

/** A copy in which the members of these names, at any depth, are coarse. */
export function withCoarseTimes(object: JsonObject, names: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, coarse(name, value, names)]));
}

function coarse(name: string, value: Json, names: ReadonlySet<string>): Json {
  if (typeof value === 'string') return names.has(name) ? coarseTime(value) : value;
  if (Array.isArray(value)) return value.map((item) => (isJsonObject(item) ? withCoarseTimes(item, names) : item));
  return isJsonObject(value) ? withCoarseTimes(value, names) : value;
}
