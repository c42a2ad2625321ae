import { z } from 'zod';

export type SchemaObject = Record<string, unknown>;

const DEFINITIONS = '#/$defs/';
const COMPONENTS = '#/components/schemas/';

/** The schemas of an OpenAPI document, by name. Every schema with an id stands there once and is referred to. */
export class ComponentSchemas {
  readonly #schemas = new Map<string, SchemaObject>();

  /** Adds a named schema. @returns a reference to it. */
  add(name: string, schema: SchemaObject): SchemaObject {
    const present = this.#schemas.get(name);
    if (present !== undefined && JSON.stringify(present) !== JSON.stringify(schema)) {
      throw new TypeError(`Two different schemas want the name ${name} in the OpenAPI document`);
    }
    this.#schemas.set(name, schema);
    return { $ref: COMPONENTS + name };
  }

  /** A schema for an answer: what is not known may be there as well, so that adding a field breaks nobody. */
  addOutput(name: string, schema: z.ZodType): SchemaObject {
    return this.#addConverted(name, schema, 'output');
  }

  /** A schema for what a client sends. */
  addInput(name: string, schema: z.ZodType): SchemaObject {
    return this.#addConverted(name, schema, 'input');
  }

  /** All of them, in the order of their names. */
  toObject(): Record<string, SchemaObject> {
    return Object.fromEntries([...this.#schemas].sort(([left], [right]) => (left < right ? -1 : 1)));
  }

  #addConverted(name: string, schema: z.ZodType, io: 'input' | 'output'): SchemaObject {
    const converted = z.toJSONSchema(schema, {
      target: 'draft-2020-12',
      io,
      override: ({ jsonSchema }) => {
        if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
        // Every key of a JSON object is a text.
        delete jsonSchema.propertyNames;
        if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
        if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
        // The format says it; the pattern is a page of digits.
        if (jsonSchema.format === 'date-time' || jsonSchema.format === 'uuid') delete jsonSchema.pattern;
      },
    }) as SchemaObject;
    const { $schema: _dialect, $defs: definitions, ...rest } = withComponentReferences(converted);
    for (const [id, definition] of Object.entries((definitions ?? {}) as Record<string, SchemaObject>)) {
      this.add(id, definition);
    }
    // A schema with an id of its own is among the definitions, and only referred to here.
    const reference = { $ref: COMPONENTS + name };
    return rest.$ref === reference.$ref ? reference : this.add(name, rest);
  }
}

function withComponentReferences(value: SchemaObject): SchemaObject {
  return JSON.parse(JSON.stringify(value), (key, member: unknown) =>
    key === '$ref' && typeof member === 'string' ? member.replace(DEFINITIONS, COMPONENTS) : member,
  ) as SchemaObject;
}
