import type { Json } from '#libs/kernel/json.js';

/** A deep copy that leaves out what is undefined, as JSON would. */
export function copyJson<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => copyJson(item)) as T;
  const copy: Record<string, unknown> = {};
  for (const key in value) {
    const member: unknown = value[key];
    if (member !== undefined) copy[key] = copyJson(member);
  }
  return copy as T;
}

/** Whether two values would be the same JSON, whatever the order of their members. */
export function sameJson(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (Array.isArray(one) || Array.isArray(other)) {
    if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
    return one.every((item, index) => sameJson(item, other[index]));
  }
  const first = one as Record<string, unknown>;
  const second = other as Record<string, unknown>;
  let members = 0;
  for (const key in first) {
    if (first[key] === undefined) continue;
    members++;
    if (!sameJson(first[key], second[key])) return false;
  }
  for (const key in second) if (second[key] !== undefined) members--;
  return members === 0;
}

/** What lies at a path of member names; undefined when there is nothing. */
export function memberAt(value: Json | undefined, path: readonly string[]): Json | undefined {
  let current: Json | undefined = value;
  for (const key of path) {
    if (typeof current !== 'object' || current === null || Array.isArray(current)) return undefined;
    current = current[key];
  }
  return current;
}
