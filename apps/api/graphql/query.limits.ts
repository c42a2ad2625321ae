import {
  isAbstractType,
  isCompositeType,
  isLeafType,
  isObjectType,
  isUnionType,
  getNamedType,
  Kind,
  SchemaMetaFieldDef,
  TypeMetaFieldDef,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { assertNever } from '#libs/kernel/assert-never.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { costOf } from './field-cost.js';
import { jsonScalar } from './scalars.js';

/** More than any query that a person or a generator writes; parsing stops there. */
export const MAXIMUM_TOKENS = 3_000;
/** Brackets within brackets; the parser and the rules are recursive. */
const MAXIMUM_NESTING = 100;
/** What GraphiQL asks for has about 250 fields and is 15 deep. */
const MAXIMUM_INTROSPECTION_FIELDS = 1_000;
const MAXIMUM_INTROSPECTION_DEPTH = 20;

/** A leaf weighs little beside its object, but a thousand aliases of one add up; JSON may be large. */
const LEAF_COST = 0.05;
const JSON_COST = 0.5;

interface Measure {
  cost: number;
  depth: number;
  introspectionFields: number;
  introspectionDepth: number;
}

const NOTHING: Measure = { cost: 0, depth: 0, introspectionFields: 0, introspectionDepth: 0 };

/** Before parsing. @throws ControlError QUERY_TOO_COMPLEX for a text that would exhaust the parser's stack. */
export function requireBoundedNesting(source: string): void {
  if (nestingOf(source) > MAXIMUM_NESTING) {
    throw tooComplex(`The query is nested more than ${MAXIMUM_NESTING} levels deep.`);
  }
}

/**
 * What a GraphQL operation may ask for at once. The cost is about the number of objects that it could return: a page
 * counts `first` times what is asked of each object.
 */
export class QueryLimits {
  constructor(
    private readonly schema: GraphQLSchema,
    private readonly maximumDepth: number,
    private readonly maximumCost: number,
  ) {}

  /** After validation, so there are no fragment cycles. @throws ControlError QUERY_TOO_COMPLEX */
  check(
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Readonly<Record<string, unknown>>,
  ): void {
    const root = this.schema.getRootType(operation.operation);
    if (root === undefined || root === null) return;
    const fragments = new Map<string, FragmentDefinitionNode>();
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
    }
    const measure = new QueryMeasurer(this.schema, fragments, operation, variables).selections(
      operation.selectionSet,
      root,
    );
    if (measure.depth > this.maximumDepth) {
      throw tooComplex(`The query is ${measure.depth} levels deep; ${this.maximumDepth} are allowed.`);
    }
    if (measure.cost > this.maximumCost) {
      throw tooComplex(`The query costs ${Math.ceil(measure.cost)}; ${this.maximumCost} are allowed.`);
    }
    if (
      measure.introspectionFields > MAXIMUM_INTROSPECTION_FIELDS ||
      measure.introspectionDepth > MAXIMUM_INTROSPECTION_DEPTH
    ) {
      throw tooComplex('The query asks for too much of the schema at once.');
    }
  }
}

/** Adds up a validated operation. Each fragment is measured once, so that nested fragments cannot multiply the work. */
class QueryMeasurer {
  readonly #fragments = new Map<string, Measure>();

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly definitions: ReadonlyMap<string, FragmentDefinitionNode>,
    private readonly operation: OperationDefinitionNode,
    private readonly variables: Readonly<Record<string, unknown>>,
  ) {}

  selections(selectionSet: SelectionSetNode, parent: GraphQLCompositeType): Measure {
    let total = NOTHING;
    /** Of the fragments on different object types of an abstract type, one at most applies to an object. */
    const alternatives = new Map<string, Measure>();
    for (const selection of selectionSet.selections) {
      if (selection.kind === Kind.FIELD) {
        total = sum(total, this.#field(selection, parent));
        continue;
      }
      const condition =
        selection.kind === Kind.FRAGMENT_SPREAD
          ? this.definitions.get(selection.name.value)?.typeCondition.name.value
          : selection.typeCondition?.name.value;
      const type = condition === undefined ? parent : this.schema.getType(condition);
      if (!isCompositeType(type)) continue;
      const measure =
        selection.kind === Kind.FRAGMENT_SPREAD
          ? this.#fragment(selection.name.value, type)
          : this.selections(selection.selectionSet, type);
      if (isAbstractType(parent) && isObjectType(type)) {
        alternatives.set(type.name, sum(alternatives.get(type.name) ?? NOTHING, measure));
      } else {
        total = sum(total, measure);
      }
    }
    let costliest = NOTHING;
    for (const alternative of alternatives.values()) costliest = largest(costliest, alternative);
    return sum(total, costliest);
  }

  #fragment(name: string, type: GraphQLCompositeType): Measure {
    const known = this.#fragments.get(name);
    if (known !== undefined) return known;
    const definition = this.definitions.get(name);
    const measure = definition === undefined ? NOTHING : this.selections(definition.selectionSet, type);
    this.#fragments.set(name, measure);
    return measure;
  }

  #field(node: FieldNode, parent: GraphQLCompositeType): Measure {
    const name = node.name.value;
    const below = (type: GraphQLCompositeType): Measure =>
      node.selectionSet === undefined ? NOTHING : this.selections(node.selectionSet, type);
    const field = this.#definition(name, parent);
    if (name.startsWith('__') || field === undefined || parent.name.startsWith('__')) {
      const type = field === undefined ? undefined : getNamedType(field.type);
      const inner = isCompositeType(type) ? below(type) : NOTHING;
      return {
        ...NOTHING,
        introspectionFields: inner.introspectionFields + 1,
        introspectionDepth: inner.introspectionDepth + 1,
      };
    }
    const type = getNamedType(field.type);
    if (isLeafType(type)) return { ...NOTHING, depth: 1, cost: type === jsonScalar ? JSON_COST : LEAF_COST };
    const inner = below(type as GraphQLCompositeType);
    return { ...inner, depth: inner.depth + 1, cost: this.#costOf(node, field, inner.cost) };
  }

  #costOf(node: FieldNode, field: GraphQLField<unknown, unknown>, inner: number): number {
    const cost = costOf(field);
    if (cost === undefined) return 1 + inner;
    const first = this.#firstOf(node);
    switch (cost.kind) {
      case 'plumbing':
        return inner;
      case 'page':
        return (first ?? cost.expected) * (1 + inner);
      case 'relation':
        return (
          (first === undefined || first <= cost.usual ? Math.min(first ?? cost.expected, cost.expected) : first) *
          (1 + inner)
        );
      default:
        return assertNever(cost);
    }
  }

  /** The page size that the query names; what is absurd is refused by the resolver. */
  #firstOf(node: FieldNode): number | undefined {
    const value = node.arguments?.find((argument) => argument.name.value === 'first')?.value;
    if (value?.kind === Kind.INT) return Math.max(0, Number(value.value));
    if (value?.kind !== Kind.VARIABLE) return undefined;
    const name = value.name.value;
    const given = this.variables[name];
    if (typeof given === 'number') return Math.max(0, given);
    const definition = this.operation.variableDefinitions?.find((each) => each.variable.name.value === name);
    return definition?.defaultValue?.kind === Kind.INT ? Math.max(0, Number(definition.defaultValue.value)) : undefined;
  }

  #definition(name: string, parent: GraphQLCompositeType): GraphQLField<unknown, unknown> | undefined {
    if (name === SchemaMetaFieldDef.name) return SchemaMetaFieldDef;
    if (name === TypeMetaFieldDef.name) return TypeMetaFieldDef;
    return isUnionType(parent) ? undefined : parent.getFields()[name];
  }
}

function sum(left: Measure, right: Measure): Measure {
  return {
    cost: left.cost + right.cost,
    depth: Math.max(left.depth, right.depth),
    introspectionFields: left.introspectionFields + right.introspectionFields,
    introspectionDepth: Math.max(left.introspectionDepth, right.introspectionDepth),
  };
}

function largest(left: Measure, right: Measure): Measure {
  return {
    cost: Math.max(left.cost, right.cost),
    depth: Math.max(left.depth, right.depth),
    introspectionFields: Math.max(left.introspectionFields, right.introspectionFields),
    introspectionDepth: Math.max(left.introspectionDepth, right.introspectionDepth),
  };
}

/** How deeply brackets stand within brackets, strings and comments aside. */
function nestingOf(source: string): number {
  const bracket = /"""(?:\\"""|[^])*?"""|"(?:\\.|[^"\\\n])*"|#[^\n\r]*|[{[(]|[}\])]/g;
  let depth = 0;
  let deepest = 0;
  for (const [token] of source.matchAll(bracket)) {
    if (token === '{' || token === '[' || token === '(') deepest = Math.max(deepest, ++depth);
    else if (token === '}' || token === ']' || token === ')') depth--;
  }
  return deepest;
}

function tooComplex(message: string): ControlError {
  return new ControlError('QUERY_TOO_COMPLEX', message, {
    remedy: 'Ask for smaller pages (first), for fewer levels, or in several queries.',
  });
}
