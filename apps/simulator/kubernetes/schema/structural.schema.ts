import type { Json } from '#libs/kernel/json.js';

export type SchemaType = 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';

/** A rule in the Common Expression Language, as it stands in a custom resource definition. */
export interface ValidationRule {
  rule: string;
  message?: string;
  messageExpression?: string;
  reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate';
  /** Relative to where the rule stands: `.policy.placementType`. */
  fieldPath?: string;
  /** The rule wants `oldSelf` as an optional value. Not supported: such a definition is refused. */
  optionalOldSelf?: boolean;
}

/**
 * The part of OpenAPI v3 that Kubernetes calls a structural schema. References are already resolved (a schema can contain
 * itself), so that whoever walks it needs nothing else. Never changed once it is made: all clusters share the built-in ones.
 */
export interface StructuralSchema {
  readonly description?: string;
  /** Undefined only beside `x-kubernetes-int-or-string`, `x-kubernetes-preserve-unknown-fields` and for free JSON. */
  readonly type?: SchemaType;
  readonly format?: string;
  readonly nullable?: boolean;
  readonly default?: Json;
  readonly enum?: readonly Json[];
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: StructuralSchema | boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly items?: StructuralSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly allOf?: readonly StructuralSchema[];
  readonly anyOf?: readonly StructuralSchema[];
  readonly oneOf?: readonly StructuralSchema[];
  readonly not?: StructuralSchema;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: 'atomic' | 'granular';
  readonly 'x-kubernetes-validations'?: readonly ValidationRule[];
  /** How a strategic merge patch treats the list: built-in kinds only. Several are separated by commas. */
  readonly 'x-kubernetes-patch-strategy'?: string;
  readonly 'x-kubernetes-patch-merge-key'?: string;
}

/** What a value of a map with any key has to look like; undefined when the schema says nothing about it. */
export function valueSchema(schema: StructuralSchema | undefined): StructuralSchema | undefined {
  return typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}

/** The schema of a member, be it declared or a key of a map. */
export function memberSchema(schema: StructuralSchema | undefined, key: string): StructuralSchema | undefined {
  return declaredMember(schema, key) ?? valueSchema(schema);
}

/** The schema of a member that is declared by its name. */
export function declaredMember(schema: StructuralSchema | undefined, key: string): StructuralSchema | undefined {
  const properties = schema?.properties;
  return properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined;
}
