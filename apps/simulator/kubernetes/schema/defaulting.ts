import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { defaultBuiltIn } from './built-in.defaults.js';
import { formatApiVersion, type GroupVersionKind } from './group-version-kind.js';
import { canonicalQuantity } from './quantity.js';
import { withSchemaDefaults } from './schema.defaults.js';
import { memberSchema, type StructuralSchema } from './structural.schema.js';

/**
 * The object as the server stores it: with the defaults of its schema and, for built-in kinds, those of the real server and
 * its way of writing quantities. What the server sets when it stores an object (cluster IP, phase, finalizers of a
 * namespace …) is not its business: as with the real server, nobody owns that. `object` is not changed.
 */
export function applyDefaults(kind: GroupVersionKind, schema: StructuralSchema, object: JsonObject): JsonObject {
  const described = { ...object, apiVersion: formatApiVersion(kind.group, kind.version), kind: kind.kind };
  return defaultBuiltIn(kind, withCanonicalQuantities(schema, withSchemaDefaults(schema, described)) as JsonObject);
}

function withCanonicalQuantities(schema: StructuralSchema | undefined, value: Json): Json {
  if (schema === undefined || value === null) return value;
  if (schema.format === 'quantity') {
    return typeof value === 'string' || typeof value === 'number' ? (canonicalQuantity(String(value)) ?? value) : value;
  }
  if (Array.isArray(value)) return value.map((item) => withCanonicalQuantities(schema.items, item));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, withCanonicalQuantities(memberSchema(schema, key), member)]),
  );
}
