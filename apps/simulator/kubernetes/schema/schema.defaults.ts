import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import type { StructuralSchema } from './structural.schema.js';
import { memberSchema } from './structural.schema.js';

/** The object with the defaults of its schema: where a member is missing, or null where null is not allowed. */
export function withSchemaDefaults(schema: StructuralSchema, object: JsonObject): JsonObject {
  return fill(schema, object) as JsonObject;
}

function fill(schema: StructuralSchema | undefined, value: Json): Json {
  if (schema === undefined || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => fill(schema.items, item));
  if (!isJsonObject(value)) return value;
  const filled: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    const inner = memberSchema(schema, key);
    const isReplaced = member === null && inner?.default !== undefined && inner.nullable !== true;
    if (!isReplaced) filled[key] = fill(inner, member);
  }
  for (const [key, inner] of Object.entries(schema.properties ?? {})) {
    if (inner.default === undefined || filled[key] !== undefined) continue;
    filled[key] = fill(inner, inner.default);
  }
  return filled;
}
