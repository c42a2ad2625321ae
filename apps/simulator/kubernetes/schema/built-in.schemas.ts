import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '#libs/kernel/json.js';
import { formatApiVersion, type GroupVersionKind } from './group-version-kind.js';
import type { StructuralSchema } from './structural.schema.js';

/** A schema as the file has it: types are referred to by name. */
type RawSchema = { -readonly [Key in keyof StructuralSchema]: StructuralSchema[Key] } & { $ref?: string };

/** The built-in kinds. Read when first asked for and then shared by all clusters of the process. */
export interface BuiltInSchemas {
  find(kind: GroupVersionKind): StructuralSchema | undefined;
  /** A shared type by its name in the document: `io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta`. */
  type(name: string): StructuralSchema;
  /** The part of the OpenAPI document that describes a group version: its kinds and all that they refer to. */
  components(apiVersion: string): JsonObject;
}

export const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
export const DELETE_OPTIONS = 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions';
export const STATUS = 'io.k8s.apimachinery.pkg.apis.meta.v1.Status';

const FILE = join(import.meta.dirname, '../definitions/built-in.schemas.json');
const REFERENCE = '#/components/schemas/';

let shared: BuiltInSchemas | undefined;

export function builtInSchemas(): BuiltInSchemas {
  shared ??= load(readFileSync(FILE, 'utf8'));
  return shared;
}

function load(text: string): BuiltInSchemas {
  const document = JSON.parse(text) as Record<string, JsonObject>;
  const types = link(JSON.parse(text) as Record<string, RawSchema>);
  const nameByKind = new Map<string, string>();
  for (const [name, schema] of Object.entries(document)) {
    for (const kind of kindsOf(schema)) nameByKind.set(kindKey(kind), name);
  }
  return {
    find: (kind) => {
      const name = nameByKind.get(kindKey(kind));
      return name === undefined ? undefined : types.get(name);
    },
    type: (name) => {
      const schema = types.get(name);
      if (schema === undefined) throw new Error(`The built-in schemas do not have ${name}`);
      return schema;
    },
    components: (apiVersion) => {
      const roots = Object.keys(document).filter((name) =>
        kindsOf(document[name]!).some(({ group, version }) => formatApiVersion(group, version) === apiVersion),
      );
      return closure(document, [...roots, OBJECT_META, DELETE_OPTIONS, STATUS]);
    },
  };
}

function kindKey({ group, version, kind }: GroupVersionKind): string {
  return `${group}/${version}/${kind}`;
}

function kindsOf(schema: JsonObject): GroupVersionKind[] {
  return (schema['x-kubernetes-group-version-kind'] ?? []) as unknown as GroupVersionKind[];
}

/** Puts the types themselves where the file only names them. The result can be cyclic. */
function link(raw: Record<string, RawSchema>): Map<string, StructuralSchema> {
  const resolve = (schema: RawSchema): RawSchema => {
    const reference = schema.$ref ?? (schema.allOf?.[0] as RawSchema | undefined)?.$ref;
    if (reference === undefined) {
      linkInside(schema);
      return schema;
    }
    const { $ref: _reference, allOf: _allOf, ...beside } = schema;
    // The members of the target are completed in place, so that a copy of its outside is enough even when it is not yet linked.
    return { ...raw[reference.slice(REFERENCE.length)]!, ...beside };
  };
  const linkInside = (schema: RawSchema): void => {
    const properties = schema.properties as Record<string, RawSchema> | undefined;
    for (const [name, property] of Object.entries(properties ?? {})) properties![name] = resolve(property);
    if (schema.items !== undefined) schema.items = resolve(schema.items);
    if (typeof schema.additionalProperties === 'object')
      schema.additionalProperties = resolve(schema.additionalProperties);
  };
  for (const schema of Object.values(raw)) linkInside(schema);
  return new Map(Object.entries(raw));
}

/** The types named and all that they refer to. */
function closure(document: Record<string, JsonObject>, roots: readonly string[]): JsonObject {
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    for (const [, reference] of JSON.stringify(document[name]).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
      visit(reference!);
    }
  };
  for (const root of roots) visit(root);
  return Object.fromEntries([...found].sort().map((name) => [name, document[name]!]));
}
