import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { builtInSchemas } from './built-in.schemas.js';
import { builtInCauses } from './built-in.validation.js';
import { invalid, type FieldCause } from './field.cause.js';
import type { GroupVersionKind } from './group-version-kind.js';
import { hasRules, ruleCauses } from './rule.validation.js';
import { structuralCauses } from './structural.validation.js';
import { memberSchema, type StructuralSchema } from './structural.schema.js';
import { isDeclared } from './typed.value.js';

/** The object without what its schema does not know, and the paths of that: `spec.template.spec.containers[0].bogus`. */
export function prune(schema: StructuralSchema, object: JsonObject): { object: JsonObject; unknownFields: string[] } {
  const unknownFields: string[] = [];
  return { object: pruneValue(schema, object, '', unknownFields) as JsonObject, unknownFields };
}

function pruneValue(schema: StructuralSchema | undefined, value: Json, path: string, unknownFields: string[]): Json {
  if (schema === undefined) return value;
  if (Array.isArray(value)) {
    return value.map((item, index) => pruneValue(schema.items, item, `${path}[${index}]`, unknownFields));
  }
  if (!isJsonObject(value)) return value;
  const kept: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    const at = path === '' ? key : `${path}.${key}`;
    if (isDeclared(schema, key)) kept[key] = pruneValue(memberSchema(schema, key), member, at, unknownFields);
    else unknownFields.push(at);
  }
  return kept;
}

/** The problems after which rules are not evaluated any more: they could not rely on the shape of the object. */
const BLOCKING: readonly FieldCause['reason'][] = [
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
];

/**
 * What the real server would refuse in a (defaulted) object, but for its name, labels and annotations, which it checks for
 * all kinds alike.
 * @param previous as it is stored; undefined for a create.
 * @param subresource `status`, `scale` …; the empty string or undefined for the object itself.
 */
export function validateObject(
  kind: GroupVersionKind,
  schema: StructuralSchema,
  object: JsonObject,
  previous: JsonObject | undefined,
  subresource: string | undefined,
): FieldCause[] {
  if (builtInSchemas().find(kind) !== undefined)
    return builtInCauses(kind, schema, object, previous, subresource ?? '');
  const causes = structuralCauses(schema, object, previous);
  if (!hasRules(schema)) return causes;
  if (!causes.some(({ reason }) => BLOCKING.includes(reason))) {
    return [...causes, ...ruleCauses(schema, object, previous)];
  }
  const detail =
    'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
  return [...causes, invalid('<nil>', '"null"', detail)];
}
