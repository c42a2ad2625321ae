import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { FieldSet, formatPath, type PathElement } from './field-set.js';
import { sameJson } from './same-json.js';
import { declaredMember, memberSchema, type StructuralSchema } from './structural.schema.js';

/**
 * What structured merge does with values: which paths one consists of, how two differ, how one is laid over another. All of
 * it as sigs.k8s.io/structured-merge-diff does, which the real server uses for server-side apply.
 */

/** How a value is owned: `leaf` as a whole, the others item by item. */
type Shape = 'leaf' | 'map' | 'associative' | 'set';

export interface Comparison {
  added: FieldSet;
  modified: FieldSet;
  removed: FieldSet;
}

/** The paths that a value sets. */
export function fieldSetOf(schema: StructuralSchema | undefined, value: Json): FieldSet {
  const set = new FieldSet();
  collect(schema, value, [], set);
  return set;
}

function collect(schema: StructuralSchema | undefined, value: Json, path: PathElement[], set: FieldSet): void {
  switch (shapeOf(schema, value)) {
    case 'leaf':
      set.insert(path);
      return;
    case 'map':
      for (const [key, member] of Object.entries(asObject(value))) {
        const at: PathElement[] = [...path, `f:${key}`];
        collect(memberSchema(schema, key), member, at, set);
        const isEmptyMember = member === null || (isJsonObject(member) && Object.keys(member).length === 0);
        if (isEmptyMember || declaredMember(schema, key) === undefined) set.insert(at);
      }
      return;
    case 'associative':
    case 'set':
      for (const item of asList(value)) {
        const at = [...path, elementOf(schema, item)];
        collect(schema?.items, item, at, set);
        set.insert(at);
      }
      return;
  }
}

/** Where two values differ, each undefined when it is not there. */
export function compareValues(
  schema: StructuralSchema | undefined,
  before: Json | undefined,
  after: Json | undefined,
): Comparison {
  const comparison = { added: new FieldSet(), modified: new FieldSet(), removed: new FieldSet() };
  compare(schema, before, after, [], comparison);
  return comparison;
}

function compare(
  schema: StructuralSchema | undefined,
  before: Json | undefined,
  after: Json | undefined,
  path: PathElement[],
  comparison: Comparison,
): void {
  const shape = shapeOf(schema, after ?? before ?? null);
  const other = shapeOf(schema, before ?? after ?? null);
  if (shape === 'leaf' || other === 'leaf' || (isEmptyValue(before) && isEmptyValue(after))) {
    if (before === undefined) comparison.added.insert(path);
    else if (after === undefined) comparison.removed.insert(path);
    else if (!sameJson(before, after)) comparison.modified.insert(path);
    return;
  }
  for (const [element, part] of pairs(schema, shape, before, after)) {
    compare(part.schema, part.before, part.after, [...path, element], comparison);
  }
  if (before === undefined) comparison.added.insert(path);
  else if (after === undefined) comparison.removed.insert(path);
}

interface Pair {
  schema: StructuralSchema | undefined;
  before: Json | undefined;
  after: Json | undefined;
}

/** The members or items of two values, side by side. */
function pairs(
  schema: StructuralSchema | undefined,
  shape: Shape,
  before: Json | undefined,
  after: Json | undefined,
): Map<PathElement, Pair> {
  const result = new Map<PathElement, Pair>();
  if (shape === 'map') {
    const [left, right] = [asObject(before), asObject(after)];
    for (const key of Object.keys({ ...left, ...right })) {
      result.set(`f:${key}`, { schema: memberSchema(schema, key), before: left[key], after: right[key] });
    }
    return result;
  }
  const [left, right] = [itemsByElement(schema, before), itemsByElement(schema, after)];
  for (const element of [...left.keys(), ...right.keys()]) {
    const [lefts = [], rights = []] = [left.get(element), right.get(element)];
    // Where a key occurs twice (the real server allows it in some lists) the items can only be compared together.
    const isUnique = lefts.length < 2 && rights.length < 2;
    result.set(element, {
      schema: isUnique ? schema?.items : undefined,
      before: isUnique ? lefts[0] : lefts.length === 0 ? undefined : lefts,
      after: isUnique ? rights[0] : rights.length === 0 ? undefined : rights,
    });
  }
  return result;
}

function itemsByElement(schema: StructuralSchema | undefined, value: Json | undefined): Map<PathElement, Json[]> {
  const result = new Map<PathElement, Json[]>();
  for (const item of asList(value)) {
    const element = elementOf(schema, item);
    result.set(element, [...(result.get(element) ?? []), item]);
  }
  return result;
}

/** Lays `applied` over `live`: what is owned as a whole is replaced, everything else is merged. */
export function mergeValues(schema: StructuralSchema | undefined, live: Json | undefined, applied: Json): Json {
  if (live === undefined) return applied;
  const shape = shapeOf(schema, applied);
  if (shape === 'leaf' || shape !== shapeOf(schema, live)) return applied;
  if (applied === null) return live;
  if (live === null) return applied;
  if (shape === 'map') {
    const merged = { ...asObject(live) };
    for (const [key, member] of Object.entries(asObject(applied))) {
      merged[key] = mergeValues(memberSchema(schema, key), merged[key], member);
    }
    return merged;
  }
  return mergeLists(schema, asList(live), asList(applied));
}

/** The applied order wins; live items that are not applied stay where they were, relative to their neighbours. */
function mergeLists(schema: StructuralSchema | undefined, live: readonly Json[], applied: readonly Json[]): Json[] {
  const liveElements = live.map((item) => elementOf(schema, item));
  const appliedElements = applied.map((item) => elementOf(schema, item));
  const isApplied = new Set(appliedElements);
  const done = new Set<PathElement>();
  const merged: Json[] = [];
  let [left, right] = [0, 0];
  while (left < live.length || right < applied.length) {
    const element = liveElements[left];
    if (element !== undefined && (done.has(element) || !isApplied.has(element))) {
      if (!done.has(element)) merged.push(live[left]!);
      left++;
      continue;
    }
    const next = appliedElements[right]!;
    const counterpart = liveElements.indexOf(next);
    merged.push(mergeValues(schema?.items, counterpart < 0 ? undefined : live[counterpart], applied[right]!));
    done.add(next);
    right++;
  }
  return merged;
}

/**
 * Without the members and items of the set.
 * @param emptied what becomes of a member that loses all it had: null still counts as a path of the value.
 */
export function removeFields(
  schema: StructuralSchema | undefined,
  value: Json,
  fields: FieldSet,
  emptied: 'null' | 'dropped',
): Json {
  const shape = shapeOf(schema, value);
  if (shape === 'leaf' || value === null) return value;
  if (shape === 'map') {
    const kept: JsonObject = {};
    for (const [key, member] of Object.entries(asObject(value))) {
      const element: PathElement = `f:${key}`;
      if (fields.has(element)) continue;
      const below = fields.below(element);
      const rest = below === undefined ? member : removeFields(memberSchema(schema, key), member, below, emptied);
      if (!isEmptyValue(rest) || isEmptyValue(member)) kept[key] = rest;
      else if (emptied === 'null') kept[key] = null;
    }
    return kept;
  }
  const kept: Json[] = [];
  for (const item of asList(value)) {
    const element = elementOf(schema, item);
    if (fields.has(element)) continue;
    const below = fields.below(element);
    kept.push(below === undefined ? item : removeFields(schema?.items, item, below, emptied));
  }
  return kept;
}

/** The set with those of its inner paths that are members with a declared name: `a.b.c` then also owns `a`. */
export function withNamedFields(schema: StructuralSchema | undefined, set: FieldSet): FieldSet {
  const result = new FieldSet();
  const visit = (at: StructuralSchema | undefined, inner: FieldSet, path: readonly PathElement[]): void => {
    for (const element of inner.elements()) {
      const here = [...path, element];
      const below = inner.below(element);
      const declared = element.startsWith('f:') ? declaredMember(at, element.slice(2)) : undefined;
      if (inner.has(element) || (below !== undefined && declared !== undefined)) result.insert(here);
      if (below !== undefined)
        visit(element.startsWith('f:') ? memberSchema(at, element.slice(2)) : at?.items, below, here);
    }
  };
  visit(schema, set, []);
  return result;
}

/** Why a value cannot be applied, in the words of the real server; undefined when it can. */
export function typingFault(schema: StructuralSchema, value: JsonObject): string | undefined {
  const faults: string[] = [];
  findTypingFaults(schema, value, [], faults);
  return faults.length > 1 ? `errors:\n  ${faults.join('\n  ')}` : faults[0];
}

function findTypingFaults(
  schema: StructuralSchema | undefined,
  value: Json,
  path: PathElement[],
  faults: string[],
): void {
  if (schema === undefined || value === null) return;
  const given = isJsonObject(value) ? 'object' : Array.isArray(value) ? 'array' : typeof value;
  const isQuantity = schema.format === 'quantity' && given === 'number';
  if (schema.type !== undefined && given !== expectedType(schema) && !isQuantity) {
    faults.push(`${formatPath(path)}: expected ${nameOfType(schema.type)}, got ${nameOfType(given)}`);
    return;
  }
  if (isJsonObject(value)) {
    for (const [key, member] of Object.entries(value)) {
      const at: PathElement[] = [...path, `f:${key}`];
      if (isDeclared(schema, key)) findTypingFaults(memberSchema(schema, key), member, at, faults);
      else faults.push(`${formatPath(at)}: field not declared in schema`);
    }
  }
  if (Array.isArray(value)) findItemFaults(schema, value, path, faults);
}

function findItemFaults(schema: StructuralSchema, items: readonly Json[], path: PathElement[], faults: string[]): void {
  const shape = shapeOf(schema, [...items]);
  const seen = new Set<PathElement>();
  for (const [index, item] of items.entries()) {
    const keys = schema['x-kubernetes-list-map-keys'] ?? [];
    if (shape === 'associative' && !keys.some((key) => keyValue(schema, item, key) !== undefined)) {
      const names = keys.map((key) => JSON.stringify(key)).join(', ');
      faults.push(
        `${formatPath(path)}: element ${index}: associative list with keys has an element that omits all keys [${names}] (and doesn't have default key values)`,
      );
      continue;
    }
    const element: PathElement = shape === 'leaf' ? `i:${index}` : elementOf(schema, item);
    if (seen.has(element)) faults.push(`${formatPath(path)}: duplicate entries for key ${formatPath([element])}`);
    seen.add(element);
    findTypingFaults(schema.items, item, [...path, element], faults);
  }
}

/** Whether a schema knows a member: by name, as a key of a map, or because it takes anything. */
export function isDeclared(schema: StructuralSchema, key: string): boolean {
  if (memberSchema(schema, key) !== undefined || schema['x-kubernetes-preserve-unknown-fields'] === true) return true;
  return schema.additionalProperties === true || (schema.type === undefined && schema.properties === undefined);
}

/** As `typeof` would call it. */
function expectedType(schema: StructuralSchema): string | undefined {
  return schema.type === 'integer' ? 'number' : schema.type;
}

function nameOfType(type: string): string {
  switch (type) {
    case 'integer':
    case 'number':
      return 'numeric (int or float)';
    case 'object':
      return 'map';
    case 'array':
      return 'list';
    default:
      return type;
  }
}

function shapeOf(schema: StructuralSchema | undefined, value: Json): Shape {
  const type = schema?.type ?? (isJsonObject(value) ? 'object' : Array.isArray(value) ? 'array' : undefined);
  if (type === 'object') {
    return schema?.['x-kubernetes-map-type'] === 'atomic' || (value !== null && !isJsonObject(value)) ? 'leaf' : 'map';
  }
  if (type !== 'array' || (value !== null && !Array.isArray(value))) return 'leaf';
  switch (schema?.['x-kubernetes-list-type']) {
    case 'map':
      return 'associative';
    case 'set':
      return 'set';
    default:
      return 'leaf';
  }
}

function elementOf(schema: StructuralSchema | undefined, item: Json): PathElement {
  if (schema?.['x-kubernetes-list-type'] !== 'map') return `v:${JSON.stringify(item)}`;
  const keys: JsonObject = {};
  for (const key of [...(schema['x-kubernetes-list-map-keys'] ?? [])].sort()) {
    const value = keyValue(schema, item, key);
    if (value !== undefined) keys[key] = value;
  }
  return `k:${JSON.stringify(keys)}`;
}

/** A key may be left out where it has a default. */
function keyValue(list: StructuralSchema, item: Json, key: string): Json | undefined {
  const given: Json | undefined = isJsonObject(item) ? item[key] : undefined;
  return given ?? list.items?.properties?.[key]?.default;
}

function isEmptyValue(value: Json | undefined): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function asObject(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

function asList(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}
