import {
  GraphQLBoolean,
  GraphQLEnumType,
  GraphQLFloat,
  GraphQLID,
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLString,
  type GraphQLFieldConfigMap,
  type GraphQLInputFieldConfigMap,
  type GraphQLInputType,
  type GraphQLInterfaceType,
  type GraphQLScalarType,
  type GraphQLOutputType,
} from 'graphql';
import { z } from 'zod';
import { dateTimeScalar, jsonScalar } from './scalars.js';

const ENUM_VALUE = /^(?!(?:true|false|null)$)[_A-Za-z][_0-9A-Za-z]*$/;

/** What a value has as its type before it is said whether it may be null. */
type OutputCore =
  GraphQLScalarType | GraphQLEnumType | GraphQLObjectType | GraphQLInterfaceType | GraphQLList<GraphQLOutputType>;
type InputCore = GraphQLScalarType | GraphQLEnumType | GraphQLInputObjectType | GraphQLList<GraphQLInputType>;

/**
 * GraphQL types from zod schemas. Objects and enums are named by their `.meta({id})`, or else by the type and field that
 * they stand in; what GraphQL cannot say (records, unions, unknown) is the JSON scalar.
 */
export class GraphqlTypeMapper {
  readonly #outputs = new Map<string, { of: object; type: GraphQLObjectType }>();
  readonly #inputs = new Map<string, { of: object; type: GraphQLInputObjectType }>();
  readonly #enums = new Map<string, { of: object; type: GraphQLEnumType }>();
  readonly #replacements = new Map<object, OutputCore>();

  /** Wherever the schema stands in an output, the given type stands instead. */
  replace(schema: z.core.$ZodType, type: OutputCore): void {
    this.#replacements.set(schema._zod.def, type);
  }

  /** The type of an output, NonNull unless the value may be null or absent. */
  output(schema: z.core.$ZodType, fallbackName: string): GraphQLOutputType {
    const { core, nullable } = unwrapped(schema, 'output');
    const type = this.#outputCore(core, fallbackName);
    return nullable ? type : new GraphQLNonNull(type);
  }

  outputFields(object: z.ZodObject, typeName: string): GraphQLFieldConfigMap<unknown, unknown> {
    const fields: GraphQLFieldConfigMap<unknown, unknown> = {};
    for (const [name, schema] of membersOf(object)) {
      fields[name] = { type: this.output(schema, typeName + pascal(name)), ...descriptionOf(schema) };
    }
    return fields;
  }

  objectType(object: z.ZodObject, fallbackName: string): GraphQLObjectType {
    const type = this.#outputCore(object, fallbackName);
    if (type instanceof GraphQLObjectType) return type;
    throw new TypeError(`${fallbackName} is not an object`);
  }

  /** The type of an input, NonNull unless the value may be left out or null. */
  input(schema: z.core.$ZodType, fallbackName: string): GraphQLInputType {
    const { core, nullable } = unwrapped(schema, 'input');
    const type = this.#inputCore(core, fallbackName);
    return nullable ? type : new GraphQLNonNull(type);
  }

  inputObjectType(object: z.ZodObject, name: string, description: string): GraphQLInputObjectType {
    return this.#namedInput(object, name, description);
  }

  #outputCore(schema: z.core.$ZodType, name: string): OutputCore {
    const replacement = this.#replacements.get(schema._zod.def);
    if (replacement !== undefined) return replacement;
    const object = objectOf(schema);
    if (object !== undefined) {
      const typeName = idOf(schema) ?? name;
      return known(this.#outputs, 'type', typeName, schema, () => {
        return new GraphQLObjectType({
          name: typeName,
          ...descriptionOf(schema),
          fields: () => this.outputFields(object, typeName),
        });
      });
    }
    const element = elementOf(schema);
    if (element !== undefined) return new GraphQLList(this.output(element, name));
    return this.#leaf(schema, name);
  }

  #inputCore(schema: z.core.$ZodType, name: string): InputCore {
    const object = objectOf(schema);
    if (object !== undefined) {
      const base = idOf(schema) ?? name;
      return this.#namedInput(object, base.endsWith('Input') ? base : `${base}Input`);
    }
    const element = elementOf(schema);
    if (element !== undefined) return new GraphQLList(this.input(element, name));
    return this.#leaf(schema, name);
  }

  #namedInput(schema: z.ZodObject, name: string, description?: string): GraphQLInputObjectType {
    const stem = name.replace(/Input$/, '');
    return known(this.#inputs, 'input', name, schema, () => {
      return new GraphQLInputObjectType({
        name,
        ...(description === undefined ? descriptionOf(schema) : { description }),
        fields: () => {
          const fields: GraphQLInputFieldConfigMap = {};
          for (const [field, member] of membersOf(schema)) {
            fields[field] = { type: this.input(member, stem + pascal(field)), ...descriptionOf(member) };
          }
          return fields;
        },
      });
    });
  }

  #leaf(schema: z.core.$ZodType, name: string): GraphQLScalarType | GraphQLEnumType {
    if (schema instanceof z.ZodEnum) return this.#enum(schema, name);
    if (schema instanceof z.ZodBoolean) return GraphQLBoolean;
    if (schema instanceof z.ZodNumber) return schema.format?.includes('int') ? GraphQLInt : GraphQLFloat;
    if (schema instanceof z.ZodLiteral) {
      return [...schema.values].every((value) => typeof value === 'string') ? GraphQLString : jsonScalar;
    }
    if (schema instanceof z.ZodISODateTime) return dateTimeScalar;
    if (schema instanceof z.ZodUUID || schema instanceof z.ZodGUID) return GraphQLID;
    if (schema instanceof z.ZodString || schema instanceof z.ZodStringFormat) return GraphQLString;
    return jsonScalar;
  }

  #enum(schema: z.ZodEnum, name: string): GraphQLEnumType | GraphQLScalarType {
    const values = schema.options.map(String);
    if (!values.every((value) => ENUM_VALUE.test(value))) return GraphQLString;
    const typeName = idOf(schema) ?? name;
    return known(this.#enums, 'enum', typeName, schema, () => {
      return new GraphQLEnumType({
        name: typeName,
        ...descriptionOf(schema),
        values: Object.fromEntries(values.map((value) => [value, { value }])),
      });
    });
  }
}

/** The input without members that are null where the schema takes them only as absent: GraphQL clients send both. */
export function withoutRefusedNulls(schema: z.core.$ZodType, value: unknown): unknown {
  const { core } = unwrapped(schema, 'input');
  const element = elementOf(core);
  if (element !== undefined && Array.isArray(value)) return value.map((each) => withoutRefusedNulls(element, each));
  const object = objectOf(core);
  if (object === undefined || typeof value !== 'object' || value === null) return value;
  const schemas = new Map(membersOf(object));
  const members = Object.entries(value).flatMap(([name, member]: [string, unknown]): [string, unknown][] => {
    const memberSchema = schemas.get(name);
    if (memberSchema === undefined) return [[name, member]];
    if (member === null && !z.safeParse(memberSchema, null).success) return [];
    return [[name, withoutRefusedNulls(memberSchema, member)]];
  });
  return Object.fromEntries(members);
}

function objectOf(schema: z.core.$ZodType): z.ZodObject | undefined {
  return schema instanceof z.ZodObject ? schema : undefined;
}

function elementOf(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  return schema instanceof z.ZodArray ? schema.element : undefined;
}

function membersOf(object: z.ZodObject): [string, z.core.$ZodType][] {
  return Object.entries<z.core.$ZodType>(object.shape);
}

/** What is the same type with another description is the same type; anything else under its name is a mistake. */
function known<Type>(
  types: Map<string, { of: object; type: Type }>,
  what: string,
  name: string,
  schema: z.core.$ZodType,
  make: () => Type,
): Type {
  const identity = schema._zod.def;
  const found = types.get(name);
  if (found === undefined) {
    const type = make();
    types.set(name, { of: identity, type });
    return type;
  }
  if (found.of === identity) return found.type;
  throw new TypeError(`Two different schemas want to be the GraphQL ${what} ${name}: give one another .meta({id})`);
}

function unwrapped(schema: z.core.$ZodType, side: 'input' | 'output'): { core: z.core.$ZodType; nullable: boolean } {
  let core = schema;
  let nullable = false;
  for (;;) {
    if (core instanceof z.ZodNullable || core instanceof z.ZodOptional || core instanceof z.ZodExactOptional) {
      nullable = true;
      core = core._zod.def.innerType;
    } else if (core instanceof z.ZodDefault || core instanceof z.ZodPrefault || core instanceof z.ZodCatch) {
      nullable ||= side === 'input';
      core = core._zod.def.innerType;
    } else if (core instanceof z.ZodReadonly || core instanceof z.ZodNonOptional) {
      core = core._zod.def.innerType;
    } else if (core instanceof z.ZodPipe) {
      core = side === 'input' ? core._zod.def.in : core._zod.def.out;
    } else if (core instanceof z.ZodLazy) {
      core = core._zod.def.getter();
    } else {
      // Anything may be null where nothing is known.
      return { core, nullable: nullable || core instanceof z.ZodUnknown || core instanceof z.ZodAny };
    }
  }
}

/** `describe()` makes a copy that has lost the id: it is the one of the original. */
function idOf(schema: z.core.$ZodType): string | undefined {
  for (let each: z.core.$ZodType | undefined = schema; each !== undefined; each = each._zod.parent) {
    const id = z.globalRegistry.get(each)?.id;
    if (id !== undefined) return id;
  }
  return undefined;
}

function descriptionOf(schema: z.core.$ZodType): { description?: string } {
  const description = z.globalRegistry.get(schema)?.description;
  return description === undefined ? {} : { description };
}

function pascal(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
