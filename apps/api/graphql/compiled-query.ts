import {
  GraphQLBoolean,
  GraphQLID,
  GraphQLInt,
  GraphQLString,
  getArgumentValues,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  locatedError,
  OperationTypeNode,
  type DocumentNode,
  type ExecutionResult,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLError,
  type GraphQLAbstractType,
  type GraphQLField,
  type GraphQLFieldResolver,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { assertNever } from '#libs/kernel/assert-never.js';
import { dateTimeScalar, jsonScalar } from './scalars.js';

/** From the place of a value up to the root. Made for objects and items, not for leaves. */
interface Place {
  above: Place | undefined;
  key: string | number;
}

/** One execution of a compiled query. */
interface Run {
  context: unknown;
  variables: Record<string, unknown>;
  errors: GraphQLError[];
  /** Arguments depend on variables only: they are the same for every object of a run. */
  arguments: Map<FieldNode, Record<string, unknown>>;
}

type TypePlan =
  | { kind: 'leaf'; serialize: (value: unknown) => unknown }
  | { kind: 'object'; plan: ObjectPlan }
  | { kind: 'abstract'; planOf: (value: unknown) => ObjectPlan }
  | { kind: 'list'; item: TypePlan; nullable: boolean };

interface FieldPlan {
  key: string;
  /** For messages: `Fleet.members`. */
  coordinate: string;
  nodes: readonly FieldNode[];
  property: string;
  resolve: GraphQLFieldResolver<unknown, unknown> | undefined;
  arguments: (run: Run) => Record<string, unknown>;
  type: TypePlan;
  nullable: boolean;
}

type ConstantField = { key: string; constant: string };

class ObjectPlan {
  /** Known after construction: types refer to each other. */
  fields: readonly (FieldPlan | ConstantField)[] = [];
}

/** What is not worth a plan of its own: it is run by the reference implementation. */
class NotCompilable extends Error {}

const NO_ARGUMENTS: Record<string, unknown> = Object.freeze({});

/**
 * A validated query whose selections were looked up once. The reference implementation looks every field of every object
 * up again, which is most of the time of a long list. What this one leaves out of the language (directives, introspection,
 * everything but queries) `compile` refuses; resolvers get no `info`.
 */
export class CompiledQuery {
  private constructor(private readonly root: ObjectPlan) {}

  /** @returns undefined for what only the reference implementation runs. */
  static compile(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
  ): CompiledQuery | undefined {
    const queryType = schema.getQueryType();
    if (operation.operation !== OperationTypeNode.QUERY || queryType === undefined || queryType === null)
      return undefined;
    if ((operation.directives?.length ?? 0) > 0) return undefined;
    try {
      const compiler = new QueryCompiler(schema, document);
      return new CompiledQuery(compiler.object(queryType, [operation.selectionSet]));
    } catch (error) {
      if (error instanceof NotCompilable) return undefined;
      throw error;
    }
  }

  /** @param variables as coerced. */
  async run(context: unknown, variables: Record<string, unknown>): Promise<ExecutionResult> {
    const run: Run = { context, variables, errors: [], arguments: new Map() };
    try {
      const data = await completeObject(this.root, undefined, undefined, run);
      return run.errors.length === 0 ? { data } : { errors: run.errors, data };
    } catch (error) {
      // What broke through to the root: there is no data at all.
      return { errors: [...run.errors, error as GraphQLError], data: null };
    }
  }
}

/** Looks selections up and lays them out in the order of the answer. */
class QueryCompiler {
  readonly #fragments = new Map<string, FragmentDefinitionNode>();

  constructor(
    private readonly schema: GraphQLSchema,
    document: DocumentNode,
  ) {
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) this.#fragments.set(definition.name.value, definition);
    }
  }

  object(type: GraphQLObjectType, selectionSets: readonly SelectionSetNode[]): ObjectPlan {
    const nodesByKey = new Map<string, FieldNode[]>();
    const visited = new Set<string>();
    for (const selectionSet of selectionSets) this.#collect(type, selectionSet, nodesByKey, visited);
    const plan = new ObjectPlan();
    plan.fields = [...nodesByKey].map(([key, nodes]) => this.#field(type, key, nodes));
    return plan;
  }

  #collect(
    type: GraphQLObjectType,
    selectionSet: SelectionSetNode,
    nodesByKey: Map<string, FieldNode[]>,
    visited: Set<string>,
  ): void {
    for (const selection of selectionSet.selections) {
      if ((selection.directives?.length ?? 0) > 0) throw new NotCompilable();
      if (selection.kind === Kind.FIELD) {
        const key = selection.alias?.value ?? selection.name.value;
        const nodes = nodesByKey.get(key);
        if (nodes === undefined) nodesByKey.set(key, [selection]);
        else nodes.push(selection);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        if (this.#applies(type, selection.typeCondition?.name.value)) {
          this.#collect(type, selection.selectionSet, nodesByKey, visited);
        }
      } else {
        const name = selection.name.value;
        const fragment = this.#fragments.get(name);
        if (visited.has(name) || fragment === undefined) continue;
        visited.add(name);
        if ((fragment.directives?.length ?? 0) > 0) throw new NotCompilable();
        if (this.#applies(type, fragment.typeCondition.name.value)) {
          this.#collect(type, fragment.selectionSet, nodesByKey, visited);
        }
      }
    }
  }

  #applies(type: GraphQLObjectType, condition: string | undefined): boolean {
    if (condition === undefined || condition === type.name) return true;
    const conditionType = this.schema.getType(condition);
    return isAbstractType(conditionType) && this.schema.isSubType(conditionType, type);
  }

  #field(type: GraphQLObjectType, key: string, nodes: readonly FieldNode[]): FieldPlan | ConstantField {
    const node = nodes[0]!;
    const name = node.name.value;
    if (name === '__typename') return { key, constant: type.name };
    const field = type.getFields()[name];
    // As a key of an ordinary object this one would mean something else.
    if (field === undefined || key === '__proto__') throw new NotCompilable();
    const nullable = !isNonNullType(field.type);
    return {
      key,
      coordinate: `${type.name}.${name}`,
      nodes,
      property: name,
      resolve: field.resolve,
      arguments: argumentsOf(field, node),
      type: this.#type(field.type, nodes),
      nullable,
    };
  }

  #type(type: GraphQLOutputType, nodes: readonly FieldNode[]): TypePlan {
    if (isNonNullType(type)) return this.#type(type.ofType, nodes);
    if (isListType(type)) {
      return { kind: 'list', item: this.#type(type.ofType, nodes), nullable: !isNonNullType(type.ofType) };
    }
    if (isLeafType(type)) return { kind: 'leaf', serialize: serializerOf(type) };
    const selectionSets = nodes.flatMap((node) => node.selectionSet ?? []);
    if (isObjectType(type)) return { kind: 'object', plan: this.object(type, selectionSets) };
    return { kind: 'abstract', planOf: this.#planOf(type, selectionSets) };
  }

  /** The plan for the type that a value turns out to be of. */
  #planOf(type: GraphQLAbstractType, selectionSets: readonly SelectionSetNode[]): (value: unknown) => ObjectPlan {
    // All of them at once: what cannot be compiled must be known before anything is run.
    const plans = new Map(
      this.schema.getPossibleTypes(type).map((possible) => [possible.name, this.object(possible, selectionSets)]),
    );
    const resolveType = type.resolveType;
    if (resolveType === undefined || resolveType === null) throw new NotCompilable();
    return (value) => {
      const name = resolveType(value, undefined, undefined as never, type);
      const plan = typeof name === 'string' ? plans.get(name) : undefined;
      if (plan !== undefined) return plan;
      throw new TypeError(`A value of ${type.name} is of no type that is known.`);
    };
  }
}

function argumentsOf(field: GraphQLField<unknown, unknown>, node: FieldNode): FieldPlan['arguments'] {
  if (field.args.length === 0) return () => NO_ARGUMENTS;
  if (!JSON.stringify(node.arguments ?? []).includes(`"${Kind.VARIABLE}"`)) {
    let values: Record<string, unknown> | undefined;
    return () => (values ??= getArgumentValues(field, node));
  }
  return (run) => {
    let values = run.arguments.get(node);
    if (values === undefined) {
      values = getArgumentValues(field, node, run.variables);
      run.arguments.set(node, values);
    }
    return values;
  };
}

/** What a type makes of a value, with a short way for a value that is right already. */
function serializerOf(type: GraphQLLeafType): (value: unknown) => unknown {
  if (type === jsonScalar || type === dateTimeScalar) return (value) => value;
  const serialize = (value: unknown): unknown => type.serialize(value);
  if (type === GraphQLString || type === GraphQLID)
    return (value) => (typeof value === 'string' ? value : serialize(value));
  if (type === GraphQLBoolean) return (value) => (typeof value === 'boolean' ? value : serialize(value));
  // `| 0` leaves only whole numbers of 32 bits as they are.
  if (type === GraphQLInt)
    return (value) => (typeof value === 'number' && (value | 0) === value ? value : serialize(value));
  return serialize;
}

type Answer = Record<string, unknown>;

function completeObject(
  plan: ObjectPlan,
  source: unknown,
  place: Place | undefined,
  run: Run,
): Answer | Promise<Answer> {
  const answer: Answer = {};
  let pending: Promise<void>[] | undefined;
  try {
    for (const field of plan.fields) {
      if ('constant' in field) {
        answer[field.key] = field.constant;
        continue;
      }
      const value = fieldValue(field, source, place, run);
      // Also where the value is still to come, so that the members of an answer stand in the order of the query.
      answer[field.key] = value;
      if (value instanceof Promise) (pending ??= []).push(assigned(answer, field.key, value));
    }
  } catch (error) {
    if (pending === undefined) throw error;
    // Whoever waits must not be left behind with a rejection that nobody handles.
    return Promise.allSettled(pending).then(() => {
      throw error;
    });
  }
  return pending === undefined ? answer : Promise.all(pending).then(() => answer);
}

async function assigned(answer: Answer, key: string, value: Promise<unknown>): Promise<void> {
  answer[key] = await value;
}

/** @throws GraphQLError where the field may not be null, for its object to be null instead. */
function fieldValue(field: FieldPlan, source: unknown, place: Place | undefined, run: Run): unknown {
  try {
    const value =
      field.resolve === undefined
        ? propertyOf(field, source, run)
        : field.resolve(source, field.arguments(run), run.context, undefined as never);
    if (field.type.kind === 'leaf' && !(value instanceof Promise)) {
      if (value === null || value === undefined) return absent(field);
      return field.type.serialize(value);
    }
    const here: Place = { above: place, key: field.key };
    const completed =
      value instanceof Promise
        ? value.then((each) => complete(field, each, here, run))
        : complete(field, value, here, run);
    return completed instanceof Promise
      ? completed.catch((error: unknown) => failed(field, error, place, run))
      : completed;
  } catch (error) {
    return failed(field, error, place, run);
  }
}

/** As the default resolver does it: a member may be a function. */
function propertyOf(field: FieldPlan, source: unknown, run: Run): unknown {
  const value = (source as Record<string, unknown> | null | undefined)?.[field.property];
  if (typeof value !== 'function') return value;
  return (source as Record<string, (given: unknown, context: unknown) => unknown>)[field.property]!(
    field.arguments(run),
    run.context,
  );
}

function complete(field: FieldPlan, value: unknown, place: Place, run: Run): unknown {
  return value === null || value === undefined ? absent(field) : completeValue(field, field.type, value, place, run);
}

function absent(field: FieldPlan): null {
  if (field.nullable) return null;
  throw new Error(`Cannot return null for non-nullable field ${field.coordinate}.`);
}

/** Null in the place of a field that failed, or the error itself where null may not stand. */
function failed(field: FieldPlan, error: unknown, place: Place | undefined, run: Run): null {
  const located = locatedError(error, field.nodes, pathOf({ above: place, key: field.key }));
  if (!field.nullable) throw located;
  run.errors.push(located);
  return null;
}

function completeValue(field: FieldPlan, type: TypePlan, value: unknown, place: Place, run: Run): unknown {
  switch (type.kind) {
    case 'leaf':
      return type.serialize(value);
    case 'object':
      return completeObject(type.plan, value, place, run);
    case 'abstract':
      return completeObject(type.planOf(value), value, place, run);
    case 'list':
      return completeList(field, type, value, place, run);
    default:
      return assertNever(type);
  }
}

function completeList(
  field: FieldPlan,
  { item, nullable }: Extract<TypePlan, { kind: 'list' }>,
  values: unknown,
  place: Place,
  run: Run,
): unknown {
  if (!Array.isArray(values))
    throw new TypeError(`Expected Iterable, but did not find one for field "${field.coordinate}".`);
  const seen = { promise: false };
  const itemFailed = (error: unknown, index: number): null => {
    const located = locatedError(error, field.nodes, pathOf({ above: place, key: index }));
    if (!nullable) throw located;
    run.errors.push(located);
    return null;
  };
  const completed = values.map((value: unknown, index) => {
    try {
      if (value === null || value === undefined) {
        if (nullable) return null;
        throw new Error(`Cannot return null for non-nullable field ${field.coordinate}.`);
      }
      const each = completeValue(field, item, value, { above: place, key: index }, run);
      if (!(each instanceof Promise)) return each;
      seen.promise = true;
      const settled = each.catch((error: unknown) => itemFailed(error, index));
      // Another item may fail before anybody waits for this one.
      settled.catch(() => undefined);
      return settled;
    } catch (error) {
      return itemFailed(error, index);
    }
  });
  return seen.promise ? Promise.all(completed) : completed;
}

function pathOf(place: Place): (string | number)[] {
  const path: (string | number)[] = [];
  for (let each: Place | undefined = place; each !== undefined; each = each.above) path.push(each.key);
  return path.reverse();
}
