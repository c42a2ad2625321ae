import { z } from 'zod';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { OBJECT_META, builtInSchemas } from './built-in.schemas.js';
import { compileCel } from './cel/cel.program.js';
import { CelSyntaxError } from './cel/cel.syntax.js';
import type { SchemaType, StructuralSchema } from './structural.schema.js';

/** A CustomResourceDefinition that the real server would not accept (or one with a rule that is not understood here). */
export class InvalidDefinitionError extends Error {
  override readonly name = 'InvalidDefinitionError';
  constructor(
    readonly definition: string,
    /** `spec.versions[0].schema.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule`. */
    readonly field: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface CompiledVersion {
  schema: StructuralSchema;
  /** The name and the content of its entry in the OpenAPI document. */
  componentName: string;
  component: JsonObject;
}

export interface CompiledDefinition {
  name: string;
  group: string;
  kind: string;
  /** The served ones only. */
  versions: ReadonlyMap<string, CompiledVersion>;
}

const definitionSchema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    group: z.string(),
    names: z.object({ kind: z.string() }),
    versions: z.array(
      z.object({
        name: z.string(),
        served: z.boolean(),
        schema: z.object({ openAPIV3Schema: z.record(z.string(), z.json()) }).optional(),
      }),
    ),
  }),
});

/** The same definition serves many clusters: its work is done once. */
const compiled = new WeakMap<JsonObject, CompiledDefinition>();

/** @throws InvalidDefinitionError */
export function compileDefinition(crd: JsonObject): CompiledDefinition {
  const known = compiled.get(crd);
  if (known !== undefined) return known;
  const parsed = definitionSchema.safeParse(crd);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new InvalidDefinitionError(nameOf(crd), issue.path.join('.'), issue.message);
  }
  const { metadata, spec } = parsed.data;
  const versions = new Map<string, CompiledVersion>();
  for (const [index, version] of spec.versions.entries()) {
    const raw = version.schema?.openAPIV3Schema;
    const field = `spec.versions[${index}].schema.openAPIV3Schema`;
    if (raw === undefined) throw new InvalidDefinitionError(metadata.name, field, 'schemas are required');
    checkSchema(metadata.name, field, raw);
    if (!version.served) continue;
    versions.set(version.name, {
      schema: withObjectMembers(raw),
      componentName: `${spec.group.split('.').reverse().join('.')}.${version.name}.${spec.names.kind}`,
      component: describe(raw, { group: spec.group, kind: spec.names.kind, version: version.name }),
    });
  }
  const definition = { name: metadata.name, group: spec.group, kind: spec.names.kind, versions };
  compiled.set(crd, definition);
  return definition;
}

function nameOf(crd: JsonObject): string {
  const { metadata } = crd;
  const name =
    typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata) ? metadata.name : undefined;
  return typeof name === 'string' ? name : '';
}

const TYPES: readonly SchemaType[] = ['object', 'array', 'string', 'integer', 'number', 'boolean'];

/** What can only go wrong later must not: rules and patterns have to be understood when the definition comes. */
function checkSchema(definition: string, field: string, schema: StructuralSchema): void {
  if (schema.type !== undefined && !TYPES.includes(schema.type)) {
    throw new InvalidDefinitionError(definition, `${field}.type`, `Unsupported value: ${JSON.stringify(schema.type)}`);
  }
  if (schema.pattern !== undefined) {
    try {
      new RegExp(schema.pattern);
    } catch (error) {
      if (!Error.isError(error) || error.name !== 'SyntaxError') throw error;
      throw new InvalidDefinitionError(definition, `${field}.pattern`, error.message, { cause: error });
    }
  }
  for (const [index, rule] of (schema['x-kubernetes-validations'] ?? []).entries()) {
    if (rule.optionalOldSelf === true) {
      const place = `${field}.x-kubernetes-validations[${index}].optionalOldSelf`;
      throw new InvalidDefinitionError(definition, place, 'optional values are not supported');
    }
    for (const member of ['rule', 'messageExpression'] as const) {
      const expression = rule[member];
      if (expression === undefined) continue;
      try {
        compileCel(expression);
      } catch (error) {
        if (!(error instanceof CelSyntaxError)) throw error;
        const place = `${field}.x-kubernetes-validations[${index}].${member}`;
        throw new InvalidDefinitionError(definition, place, error.message, { cause: error });
      }
    }
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    checkSchema(definition, `${field}.properties[${name}]`, property);
  }
  if (schema.items !== undefined) checkSchema(definition, `${field}.items`, schema.items);
  if (typeof schema.additionalProperties === 'object') {
    checkSchema(definition, `${field}.additionalProperties`, schema.additionalProperties);
  }
  for (const junctor of ['allOf', 'anyOf', 'oneOf'] as const) {
    for (const [index, part] of (schema[junctor] ?? []).entries())
      checkSchema(definition, `${field}.${junctor}[${index}]`, part);
  }
  if (schema.not !== undefined) checkSchema(definition, `${field}.not`, schema.not);
}

const TEXT: StructuralSchema = { type: 'string' };

let customMeta: StructuralSchema | undefined;

/** Custom resources are kept as they are: unlike a Go struct they get no `creationTimestamp: null`. */
function objectMeta(): StructuralSchema {
  if (customMeta === undefined) {
    const builtIn = builtInSchemas().type(OBJECT_META);
    const { default: _default, ...creationTimestamp } = builtIn.properties!.creationTimestamp!;
    customMeta = { ...builtIn, properties: { ...builtIn.properties, creationTimestamp } };
  }
  return customMeta;
}

/** With what every object has; the same inside, where a whole object is embedded. */
function withObjectMembers(root: StructuralSchema): StructuralSchema {
  const whole = withEmbedded(root);
  return { ...whole, properties: { ...whole.properties, apiVersion: TEXT, kind: TEXT, metadata: metaOf(whole) } };
}

/** The definition may restrict the name, but not say what metadata is. */
function metaOf(schema: StructuralSchema): StructuralSchema {
  const own = schema.properties?.metadata?.properties ?? {};
  const meta = objectMeta();
  return { ...meta, properties: { ...meta.properties, ...own } };
}

function withEmbedded(schema: StructuralSchema): StructuralSchema {
  const properties = schema.properties;
  const inside: StructuralSchema = {
    ...schema,
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, property]) => [name, withEmbedded(property)]),
          ),
        }),
    ...(schema.items === undefined ? {} : { items: withEmbedded(schema.items) }),
    ...(typeof schema.additionalProperties === 'object'
      ? { additionalProperties: withEmbedded(schema.additionalProperties) }
      : {}),
  };
  if (schema['x-kubernetes-embedded-resource'] !== true) return inside;
  return { ...inside, properties: { ...inside.properties, apiVersion: TEXT, kind: TEXT, metadata: metaOf(inside) } };
}

/** As the OpenAPI document describes it. */
function describe(raw: Record<string, unknown>, kind: { group: string; kind: string; version: string }): JsonObject {
  const root = raw as JsonObject;
  return {
    ...root,
    properties: {
      ...(root.properties as JsonObject | undefined),
      metadata: {
        description:
          "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
        allOf: [{ $ref: `#/components/schemas/${OBJECT_META}` }],
      },
    },
    'x-kubernetes-group-version-kind': [kind] as Json,
  };
}
