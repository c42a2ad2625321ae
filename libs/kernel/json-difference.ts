import { canonicalJson } from './canonical-json.js';
import { isJsonObject, type Json, type JsonObject } from './json.js';

/** One field that differs: `.spec.template.spec.containers[name=web].image`. What is not there is null. */
export interface FieldDifference {
  path: string;
  before: Json;
  after: Json;
}

/**
 * What differs between two states of an object, field by field. Items of lists are matched by their `name` where all have one
 * of their own.
 * @param within only the fields that this document sets.
 */
export function fieldDifferences(before: JsonObject, after: JsonObject, within?: JsonObject): FieldDifference[] {
  const differences: FieldDifference[] = [];
  compare(before, after, within, '', differences);
  return differences;
}

function compare(
  before: Json | undefined,
  after: Json | undefined,
  within: Json | undefined,
  path: string,
  differences: FieldDifference[],
): void {
  if (isJsonObject(before) && isJsonObject(after)) {
    const inner = isJsonObject(within) ? within : undefined;
    const names = inner ?? { ...before, ...after };
    for (const name of Object.keys(names)) {
      compare(before[name], after[name], inner?.[name], `${path}${step(name)}`, differences);
    }
    return;
  }
  const [leftByName, rightByName, withinByName] = [byName(before), byName(after), byName(within)];
  if (leftByName !== undefined && rightByName !== undefined) {
    const names = withinByName ?? new Map([...leftByName, ...rightByName]);
    for (const name of names.keys()) {
      const [left, right] = [leftByName.get(name), rightByName.get(name)];
      compare(left, right, withinByName?.get(name), `${path}[name=${name}]`, differences);
    }
    return;
  }
  // A field of null and one that is not there are the same to Kubernetes and to Azure.
  if (canonicalJson(before ?? null) === canonicalJson(after ?? null)) return;
  differences.push({ path, before: before ?? null, after: after ?? null });
}

function step(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_-]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

/** The items of a list by their names; undefined where they do not all have one of their own. */
function byName(value: Json | undefined): Map<string, JsonObject> | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const items = new Map<string, JsonObject>();
  for (const item of value) {
    if (!isJsonObject(item) || typeof item.name !== 'string' || items.has(item.name)) return undefined;
    items.set(item.name, item);
  }
  return items;
}
