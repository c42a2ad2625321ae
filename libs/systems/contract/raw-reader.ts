import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';

/** GraphQL's Int and every count that Azure knows fit into 32 bits. */
const LARGEST_INTEGER = 2 ** 31 - 1;

/*
 * Tolerant reading of raw wire objects: what is absent, null, empty or of another type than expected reads as null (or as
 * an empty list or record), and nothing throws. A member's name is matched exactly first and then without regard to
 * case, since Resource Graph and older API versions write some names differently (`vnetSubnetId`, `vnetSubnetID`).
 */

/** The member at the end of the path, or undefined. */
export function rawMember(raw: Json | undefined, ...path: string[]): Json | undefined {
  let current: Json | undefined = raw;
  for (const name of path) {
    if (!isJsonObject(current)) return undefined;
    current = ownMember(current, name);
  }
  return current;
}

function ownMember(object: JsonObject, name: string): Json | undefined {
  if (Object.hasOwn(object, name)) return object[name];
  let lowerName: string | undefined;
  for (const key in object) {
    // Comparing lengths first spares nearly every conversion: this runs for each absent field of each listed row.
    if (key.length !== name.length) continue;
    lowerName ??= name.toLowerCase();
    if (key.toLowerCase() === lowerName && Object.hasOwn(object, key)) return object[key];
  }
  return undefined;
}

export function rawText(raw: Json | undefined, ...path: string[]): string | null {
  const value = rawMember(raw, ...path);
  return typeof value === 'string' && value !== '' ? value : null;
}

export function rawInteger(raw: Json | undefined, ...path: string[]): number | null {
  const value = rawMember(raw, ...path);
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= LARGEST_INTEGER ? value : null;
}

export function rawNumber(raw: Json | undefined, ...path: string[]): number | null {
  const value = rawMember(raw, ...path);
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

export function rawFlag(raw: Json | undefined, ...path: string[]): boolean | null {
  const value = rawMember(raw, ...path);
  return typeof value === 'boolean' ? value : null;
}

export function rawObject(raw: Json | undefined, ...path: string[]): JsonObject | null {
  const value = rawMember(raw, ...path);
  return isJsonObject(value) ? value : null;
}

/** The objects of a list; other members of it are left out. */
export function rawObjects(raw: Json | undefined, ...path: string[]): JsonObject[] {
  const value = rawMember(raw, ...path);
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

/** The non-empty strings of a list. */
export function rawTexts(raw: Json | undefined, ...path: string[]): string[] {
  const value = rawMember(raw, ...path);
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string' && item !== '') : [];
}

/** The members that are strings, of an object. */
export function rawTextRecord(raw: Json | undefined, ...path: string[]): Record<string, string> {
  const value = rawObject(raw, ...path);
  if (value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** A sum that stays within what an integer field can hold. */
export function boundedSum(numbers: readonly number[]): number {
  return Math.min(
    LARGEST_INTEGER,
    numbers.reduce((sum, number) => sum + number, 0),
  );
}
