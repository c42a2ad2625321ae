import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { assertNever } from '#libs/kernel/assert-never.js';
import { CelEvaluationError, compileCel, type CelVariables } from './cel/cel.program.js';
import { duplicate, forbidden, invalid, required, type FieldCause } from './field.cause.js';
import { sameJson } from './same-json.js';
import { correlatedItem, innerSchema } from './structural.validation.js';
import { declaredMember, valueSchema, type StructuralSchema, type ValidationRule } from './structural.schema.js';

const rulesInside = new WeakMap<StructuralSchema, boolean>();

/** Whether a rule stands anywhere in the schema. */
export function hasRules(schema: StructuralSchema): boolean {
  const known = rulesInside.get(schema);
  if (known !== undefined) return known;
  // A schema that contains itself has no further rules by that.
  rulesInside.set(schema, false);
  const inner = innerSchema(schema);
  const found =
    (schema['x-kubernetes-validations'] ?? []).length > 0 ||
    Object.values(schema.properties ?? {}).some((property) => hasRules(property)) ||
    (inner !== undefined && hasRules(inner));
  rulesInside.set(schema, found);
  return found;
}

/**
 * What the rules of a custom resource refuse. A rule that compares with the old value only applies where there is one; the
 * others do not apply to what stayed the same.
 */
export function ruleCauses(
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
  if (!hasRules(schema)) return;
  for (const rule of schema['x-kubernetes-validations'] ?? []) {
    const cause = evaluateRule(rule, schema, value, previous, field);
    if (cause !== undefined) causes.push(cause);
  }
  if (Array.isArray(value) && schema.items !== undefined) {
    for (const [index, item] of value.entries()) {
      visit(schema.items, item, correlatedItem(schema, previous, item), `${field}[${index}]`, causes);
    }
  }
  if (!isJsonObject(value)) return;
  const before = isJsonObject(previous) ? previous : {};
  const values = valueSchema(schema);
  for (const [key, member] of Object.entries(value)) {
    const declared = declaredMember(schema, key);
    const inner = declared ?? values;
    const path = declared === undefined ? `${field}[${key}]` : field === '' ? key : `${field}.${key}`;
    if (inner !== undefined) visit(inner, member, before[key], path, causes);
  }
}

function evaluateRule(
  rule: ValidationRule,
  schema: StructuralSchema,
  self: Json,
  oldSelf: Json | undefined,
  field: string,
): FieldCause | undefined {
  const program = compileCel(rule.rule);
  if (program.comparesWithOld ? oldSelf === undefined : oldSelf !== undefined && sameJson(oldSelf, self))
    return undefined;
  const variables: CelVariables = oldSelf === undefined ? { self } : { self, oldSelf };
  const at = `${field}${rule.fieldPath ?? ''}`.replace(/^\./, '');
  try {
    if (program.evaluate(variables) === true) return undefined;
  } catch (error) {
    if (!(error instanceof CelEvaluationError)) throw error;
    const detail = `${error.message} evaluating rule: ${rule.message ?? rule.rule.trim()}`;
    return invalid(nonEmpty(at), typeText(schema), detail);
  }
  const message = messageOf(rule, variables);
  switch (rule.reason) {
    case undefined:
    case 'FieldValueInvalid':
      return invalid(nonEmpty(at), typeText(schema), message);
    case 'FieldValueForbidden':
      return forbidden(nonEmpty(at), message);
    case 'FieldValueRequired':
      return required(nonEmpty(at), message);
    case 'FieldValueDuplicate':
      return duplicate(nonEmpty(at), typeText(schema));
    default:
      return assertNever(rule.reason);
  }
}

/** A message that cannot be computed is replaced by the fixed one. */
function messageOf(rule: ValidationRule, variables: CelVariables): string {
  const fixed = rule.message ?? `failed rule: ${rule.rule.trim()}`;
  if (rule.messageExpression === undefined) return fixed;
  try {
    const computed = compileCel(rule.messageExpression).evaluate(variables);
    return typeof computed === 'string' && computed.trim() !== '' ? computed : fixed;
  } catch (error) {
    if (!(error instanceof CelEvaluationError)) throw error;
    return fixed;
  }
}

/** The real server prints the type instead of the value. */
function typeText(schema: StructuralSchema): string {
  return JSON.stringify(schema.type ?? '');
}

/** How the path of the whole object is printed. */
function nonEmpty(field: string): string {
  return field === '' ? '<nil>' : field;
}
