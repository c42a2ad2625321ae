import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { duplicate, goValue, invalid, notSupported, required, type FieldCause } from './field.cause.js';
import { codePoints } from './code-points.js';
import { sameJson } from './same-json.js';
import { memberSchema, valueSchema, type StructuralSchema } from './structural.schema.js';

/**
 * What the schema of a custom resource refuses, in the words of kube-openapi's validator. What did not change since
 * `previous` is not complained about again (ratcheting), so that an object can outlive a stricter definition.
 */
export function structuralCauses(
  schema: StructuralSchema,
  object: JsonObject,
  previous: JsonObject | undefined,
): FieldCause[] {
  const causes: FieldCause[] = [];
  visit(schema, object, previous, '', causes);
  return causes;
}

function visit(
  schema: StructuralSchema,
  value: Json,
  previous: Json | undefined,
  field: string,
  causes: FieldCause[],
): void {
  if (previous !== undefined && sameJson(previous, value)) return;
  if (value === null && schema.nullable === true) return;
  const type = typeFault(schema, value);
  if (type !== undefined) {
    const given = typeName(value);
    causes.push({
      reason: 'FieldValueTypeInvalid',
      message: `Invalid value: "${given}": ${field} in body must be of type ${type}: "${given}"`,
      field,
    });
    return;
  }
  if (schema.enum !== undefined && !schema.enum.some((one) => sameJson(one, value))) {
    causes.push(notSupported(field, value, schema.enum));
  }
  if (typeof value === 'string') causes.push(...textCauses(schema, value, field));
  if (typeof value === 'number') causes.push(...numberCauses(schema, value, field));
  if (Array.isArray(value)) visitItems(schema, value, previous, field, causes);
  if (isJsonObject(value)) visitMembers(schema, value, previous, field, causes);
  causes.push(...junctionCauses(schema, value, field));
}

/** @returns what it should be, when it is something else */
function typeFault(schema: StructuralSchema, value: Json): string | undefined {
  if (schema['x-kubernetes-int-or-string'] === true) {
    return Number.isInteger(value) || typeof value === 'string' ? undefined : 'integer,string';
  }
  const given = typeName(value);
  if (schema.type === undefined || schema.type === given) return undefined;
  return schema.type === 'number' && given === 'integer' ? undefined : schema.type;
}

export function typeName(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

const patterns = new Map<string, RegExp>();

function textCauses(schema: StructuralSchema, value: string, field: string): FieldCause[] {
  const causes: FieldCause[] = [];
  const length = codePoints(value);
  const complain = (detail: string): number =>
    causes.push(invalid(field, JSON.stringify(value), `${field} in body ${detail}`));
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    causes.push({
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${schema.maxLength} bytes`,
      field,
    });
  }
  if (schema.minLength !== undefined && length < schema.minLength) {
    complain(`should be at least ${schema.minLength} chars long`);
  }
  if (schema.pattern !== undefined) {
    const pattern = patterns.get(schema.pattern) ?? new RegExp(schema.pattern);
    patterns.set(schema.pattern, pattern);
    if (!pattern.test(value)) complain(`should match '${schema.pattern}'`);
  }
  const format = FORMATS[schema.format ?? ''];
  if (format !== undefined && !format.test(value))
    complain(`must be of type ${schema.format ?? ''}: ${JSON.stringify(value)}`);
  return causes;
}

/** The formats that the real server checks and that occur in practice. */
const FORMATS: Readonly<Record<string, RegExp>> = {
  'date-time': /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/,
  byte: /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
  uuid: /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i,
};

function numberCauses(schema: StructuralSchema, value: number, field: string): FieldCause[] {
  const { minimum, maximum, exclusiveMinimum = false, exclusiveMaximum = false, multipleOf } = schema;
  const details: string[] = [];
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum)) {
    details.push(`should be less than ${exclusiveMaximum ? '' : 'or equal to '}${maximum}`);
  }
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum)) {
    details.push(`should be greater than ${exclusiveMinimum ? '' : 'or equal to '}${minimum}`);
  }
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf))
    details.push(`should be a multiple of ${multipleOf}`);
  return details.map((detail) => invalid(field, String(value), `${field} in body ${detail}`));
}

function visitItems(
  schema: StructuralSchema,
  items: readonly Json[],
  previous: Json | undefined,
  field: string,
  causes: FieldCause[],
): void {
  const { minItems, maxItems } = schema;
  if (minItems !== undefined && items.length < minItems) {
    causes.push(invalid(field, String(items.length), `${field} in body should have at least ${minItems} items`));
  }
  if (maxItems !== undefined && items.length > maxItems) causes.push(tooMany(field, items.length, maxItems));
  const inner = schema.items;
  if (inner !== undefined) {
    for (const [index, item] of items.entries()) {
      visit(inner, item, correlatedItem(schema, previous, item), `${field}[${index}]`, causes);
    }
  }
  const listType = schema['x-kubernetes-list-type'];
  const seen: Json[] = [];
  for (const [index, item] of items.entries()) {
    const identity =
      listType === 'map' ? keysOf(schema, item) : listType === 'set' || schema.uniqueItems === true ? item : undefined;
    if (identity === undefined) continue;
    if (seen.some((other) => sameJson(other, identity)))
      causes.push(duplicate(`${field}[${index}]`, goValue(identity)));
    seen.push(identity);
  }
}

function tooMany(field: string, actual: number, limit: number): FieldCause {
  return { reason: 'FieldValueTooMany', message: `Too many: ${actual}: must have at most ${limit} items`, field };
}

function keysOf(schema: StructuralSchema, item: Json): JsonObject | undefined {
  if (!isJsonObject(item)) return undefined;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  return Object.fromEntries(keys.filter((key) => item[key] !== undefined).map((key) => [key, item[key]!]));
}

/** Only the items of associative lists are the same ones as before; all others are merely alike or not. */
export function correlatedItem(schema: StructuralSchema, previous: Json | undefined, item: Json): Json | undefined {
  if (!Array.isArray(previous) || schema['x-kubernetes-list-type'] !== 'map') return undefined;
  const keys = keysOf(schema, item);
  return keys === undefined ? undefined : previous.find((other) => sameJson(keysOf(schema, other), keys));
}

function visitMembers(
  schema: StructuralSchema,
  value: JsonObject,
  previous: Json | undefined,
  field: string,
  causes: FieldCause[],
): void {
  const path = (key: string): string => (field === '' ? key : `${field}.${key}`);
  for (const key of schema.required ?? []) {
    if (!Object.hasOwn(value, key)) causes.push(required(path(key)));
  }
  const count = Object.keys(value).length;
  const { minProperties, maxProperties } = schema;
  if (minProperties !== undefined && count < minProperties) {
    causes.push(invalid(field, goValue(value), `${field} in body should have at least ${minProperties} properties`));
  }
  if (maxProperties !== undefined && count > maxProperties) causes.push(tooMany(field, count, maxProperties));
  for (const [key, member] of Object.entries(value)) {
    const inner = memberSchema(schema, key);
    if (inner === undefined) continue;
    visit(inner, member, isJsonObject(previous) ? previous[key] : undefined, path(key), causes);
  }
}

function junctionCauses(schema: StructuralSchema, value: Json, field: string): FieldCause[] {
  const holds = (part: StructuralSchema): boolean => {
    const causes: FieldCause[] = [];
    visit(part, value, undefined, field, causes);
    return causes.length === 0;
  };
  const details: string[] = [];
  // For int-or-string the alternatives only repeat the type.
  if (schema['x-kubernetes-int-or-string'] !== true) {
    if (schema.anyOf !== undefined && !schema.anyOf.some(holds))
      details.push('must validate at least one schema (anyOf)');
    if (schema.oneOf !== undefined && schema.oneOf.filter(holds).length !== 1) {
      details.push('must validate one and only one schema (oneOf)');
    }
    if (schema.allOf !== undefined && !schema.allOf.every(holds)) details.push('must validate all the schemas (allOf)');
  }
  if (schema.not !== undefined && holds(schema.not)) details.push('must not validate the schema (not)');
  return details.map((detail) => invalid(field, goValue(value), `${field === '' ? '<nil>' : field} ${detail}`));
}

/** The schema of what stands in a list or under any key of a map. */
export function innerSchema(schema: StructuralSchema): StructuralSchema | undefined {
  return schema.items ?? valueSchema(schema);
}
