import {
  assertValidSchema,
  GraphQLBoolean,
  GraphQLID,
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLInterfaceType,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
  type GraphQLFieldConfig,
  type GraphQLFieldConfigArgumentMap,
  type GraphQLFieldConfigMap,
  type GraphQLInputType,
  type GraphQLNullableType,
  type GraphQLOutputType,
  getNullableType,
} from 'graphql';
import { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
import { kindField, mutationField } from '#libs/kernel/kind-name.js';
import { DEFAULT_PAGE_SIZE, MAXIMUM_PAGE_SIZE } from '#libs/kernel/page.js';
import { isUuid } from '#libs/kernel/resource-uid.js';
import type { OperationSetView } from '#libs/control/operation-set.view.js';
import type { OperationView } from '#libs/control/operation.view.js';
import type { ResourceView } from '#libs/control/resource.view.js';
import { kindsOf, type KindDefinition, type RelationField } from '#libs/systems/contract/kind-definition.js';
import type { OperationDefinition } from '#libs/systems/contract/operation-definition.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { requireStorableJson } from '../http/json-body.js';
import { presentMembers } from '../http/present-members.js';
import { filterText } from '../http/query.schemas.js';
import { parseRequest } from '../http/request.parser.js';
import {
  advice,
  auditCheckpoint,
  auditEvent,
  change,
  changePage,
  freshnessRange,
  healthState,
  approvalDecisionRequest,
  budget,
  approvalState,
  operation,
  operationEvent,
  operationStatus,
  operationType,
  resource,
  resourceGraph,
  resourceVersion,
  unavailable,
} from '../views/view.schemas.js';
import {
  operationSet,
  operationSetItem,
  operationSetItemStatus,
  operationSetRequest,
  operationSetRetryRequest,
  operationSetStatus,
} from '../views/operation-set.schemas.js';
import { setRequestOf } from '../views/operation-set.request.js';
import { loadConnection, requirePageSize } from './connection.js';
import { withCost } from './field-cost.js';
import type { GraphqlContext } from './graphql.context.js';
import { GraphqlTypeMapper, withoutRefusedNulls } from './graphql-type.mapper.js';
import { parseResourceArguments } from './resource.arguments.js';
import { dateTimeScalar } from './scalars.js';
import { streamedItem, subscriptionSource } from './stream.iterator.js';

/** How many related objects a query is expected to find where it does not say how many it wants. */
const EXPECTED_RELATED = 10;

type Arguments = Record<string, unknown>;
type Field = GraphQLFieldConfig<unknown, GraphqlContext, Arguments>;
type Fields = Record<string, Field>;

/**
 * The executable schema of everything in the registry: a type and a connection for each kind, its relations as fields,
 * a mutation for each operation type.
 * @throws TypeError when two things want the same name.
 */
export function buildGraphqlSchema(registry: SystemRegistry): GraphQLSchema {
  return new GraphqlSchemaBuilder(registry).build();
}

class GraphqlSchemaBuilder {
  readonly #mapper = new GraphqlTypeMapper();
  readonly #resource: GraphQLInterfaceType;
  readonly #kinds: ReadonlyMap<string, GraphQLObjectType>;
  readonly #pageInfo = pageInfoType();

  constructor(private readonly registry: SystemRegistry) {
    this.#resource = new GraphQLInterfaceType({
      name: 'Resource',
      description: resource.description,
      fields: () => this.#mapper.outputFields(resource, 'Resource'),
      resolveType: (value) => (value as ResourceView).kind,
    });
    this.#mapper.replace(resource, this.#resource);
    this.#kinds = new Map(registry.kinds.map((kind) => [kind.name, this.#kindType(kind)]));
  }

  build(): GraphQLSchema {
    const mutations = this.#mutations();
    const schema = new GraphQLSchema({
      description: 'The estate as one graph, and the changes that can be made to it.',
      query: new GraphQLObjectType({ name: 'Query', fields: this.#queries() }),
      mutation: new GraphQLObjectType({ name: 'Mutation', fields: mutations }),
      subscription: new GraphQLObjectType({ name: 'Subscription', fields: this.#subscriptions() }),
      types: [...this.#kinds.values()],
    });
    assertValidSchema(schema);
    return schema;
  }

  #kindType(kind: KindDefinition): GraphQLObjectType {
    return new GraphQLObjectType<ResourceView, GraphqlContext>({
      name: kind.name,
      description: kind.description,
      interfaces: [this.#resource],
      fields: () => {
        const fields: Fields = { ...this.#mapper.outputFields(resource, 'Resource') };
        this.#addProperties(kind, fields);
        for (const relation of this.registry.relationsOf(kind)) {
          add(`type ${kind.name}`, fields, relation.name, this.#relationField(relation));
        }
        if (this.registry.advisorsOf(kind.name).length > 0) {
          add(`type ${kind.name}`, fields, 'advice', this.#adviceField());
        }
        return fields as GraphQLFieldConfigMap<ResourceView, GraphqlContext>;
      },
    });
  }

  /** The typed properties, read from the raw ones once for each object, when the first of them is asked for. */
  #addProperties(kind: KindDefinition, fields: Fields): void {
    const described = new WeakMap<ResourceView, Record<string, unknown>>();
    const describe = (view: ResourceView): Record<string, unknown> => {
      let properties = described.get(view);
      if (properties === undefined) described.set(view, (properties = kind.describe(view.properties)));
      return properties;
    };
    for (const [name, config] of Object.entries(this.#mapper.outputFields(kind.properties, kind.name))) {
      const present = fields[name];
      if (present !== undefined && String(present.type) === String(config.type)) continue;
      add(`type ${kind.name}`, fields, name, {
        ...config,
        resolve: (view) => describe(view as ResourceView)[name],
      });
    }
  }

  #relationField(relation: RelationField): Field {
    const [kind, ...others] = kindsOf(relation);
    const target = kind === undefined || others.length > 0 ? this.#resource : this.#kindTypeOf(kind);
    if (relation.cardinality === 'one') {
      return {
        type: target,
        description: relation.description,
        resolve: async (view, _arguments, context) =>
          (await context.loaders.related(relation, (view as ResourceView).uid, 1))[0] ?? null,
      };
    }
    return {
      type: listOf(target),
      description: relation.description,
      args: { first: pageSizeArgument() },
      ...withCost({ kind: 'relation', expected: EXPECTED_RELATED, usual: DEFAULT_PAGE_SIZE }),
      resolve: (view, { first }, context) => {
        const limit = (first as number | null | undefined) ?? DEFAULT_PAGE_SIZE;
        requirePageSize(limit);
        return context.loaders.related(relation, (view as ResourceView).uid, limit);
      },
    };
  }

  #adviceField(): Field {
    return {
      type: listOf(this.#mapper.objectType(advice, 'Advice')),
      description: 'What is known to ail the object, and the ways out; empty where nothing is known.',
      ...withCost({ kind: 'relation', expected: EXPECTED_RELATED, usual: EXPECTED_RELATED }),
      resolve: (view, _arguments, { controls, caller, signal }) => {
        const { kind, uid } = view as ResourceView;
        return controls.resources.advice(caller, kind, uid, signal());
      },
    };
  }

  #queries(): Fields {
    const fields: Fields = {};
    const put = (name: string, field: Field): void => add('Query', fields, name, field);
    const filter = this.#filterType('ResourceFilter', true);
    const kindFilter = this.#filterType('KindFilter', false);
    put('resource', {
      type: this.#resource,
      description: 'An object by its uid; null where there is none.',
      args: {
        uid: required(GraphQLID),
        maxAge: {
          type: GraphQLInt,
          description: 'Asks the owner of the object when it was observed longer ago (seconds).',
        },
      },
      resolve: (_root, given, context) => resolveResource(given, context),
    });
    put('resources', {
      type: new GraphQLNonNull(this.#connectionType('Resource', this.#resource, this.#resourcePageFields())),
      description: 'Objects of all kinds.',
      args: { filter: { type: filter }, ...sortArgument(), ...connectionArguments() },
      ...withCost({ kind: 'page', expected: DEFAULT_PAGE_SIZE }),
      resolve: (_root, given, context) => resolveResources(undefined, given, context),
    });
    for (const kind of this.registry.kinds) {
      put(kindField(kind.name), {
        type: new GraphQLNonNull(
          this.#connectionType(kind.name, this.#kindTypeOf(kind.name), this.#resourcePageFields()),
        ),
        description: `Objects of the kind ${kind.name}: ${kind.description}`,
        args: {
          name: { type: GraphQLString, description: 'The whole name.' },
          filter: { type: kindFilter },
          ...sortArgument(),
          ...connectionArguments(),
        },
        ...withCost({ kind: 'page', expected: DEFAULT_PAGE_SIZE }),
        resolve: (_root, given, context) => resolveResources(kind.name, given, context),
      });
    }
    put('resourceGraph', {
      type: this.#mapper.objectType(resourceGraph, 'ResourceGraph'),
      description: 'An object and what is around it; null where there is no such object.',
      args: {
        uid: required(GraphQLID),
        depth: { type: GraphQLInt, description: 'How many relations away.' },
        direction: { type: GraphQLString, description: '`in`, `out` or `both`.' },
      },
      ...withCost({ kind: 'page', expected: DEFAULT_PAGE_SIZE }),
      resolve: (_root, given, context) => resolveGraph(given, context),
    });
    const version = this.#mapper.objectType(resourceVersion, 'ResourceVersion');
    put('resourceHistory', {
      type: new GraphQLNonNull(this.#connectionType('ResourceVersion', version, {})),
      description: 'The states that an object has been in, the present one first.',
      args: { uid: required(GraphQLID), ...connectionArguments() },
      ...withCost({ kind: 'page', expected: DEFAULT_PAGE_SIZE }),
      resolve: (_root, given, context) => resolveHistory(given, context),
    });
    this.#addOperationQueries(put);
    this.#addFeedQueries(put);
    return fields;
  }

  #addOperationQueries(put: (name: string, field: Field) => void): void {
    const operationObject = this.#mapper.objectType(operation, 'Operation');
    put('operation', {
      type: operationObject,
      description: 'An operation by its id; null where there is none.',
      args: { id: required(GraphQLID) },
      resolve: async (_root, { id }, { controls, caller }) =>
        (await controls.operations.findMany(caller, [id as string])).get((id as string).toLowerCase()) ?? null,
    });
    put('operations', {
      type: new GraphQLNonNull(this.#connectionType('Operation', operationObject, {})),
      description: 'Operations, newest first.',
      args: { filter: { type: this.#operationFilter }, ...connectionArguments() },
      ...withCost({ kind: 'page', expected: DEFAULT_PAGE_SIZE }),
      resolve: (_root, given, { controls, caller }) => {
        const { filter, ...connection } = parseRequest(operationListArguments, withPresentFilter(given), 'argument');
        return loadConnection(presentMembers(connection), (limit, cursor) =>
          controls.operations.list(caller, { ...presentMembers(filter ?? {}), limit, ...presentMembers({ cursor }) }),
        );
      },
    });
    const setObject = this.#mapper.objectType(operationSet, 'OperationSet');
    put('operationSet', {
      type: setObject,
      description: 'A set of operations by its id; null where there is none.',
      args: { id: required(GraphQLID) },
      resolve: (_root, { id }, { controls, caller }) => orNull(controls.operationSets.get(caller, id as string)),
    });
    put('operationSets', {
      type: new GraphQLNonNull(this.#connectionType('OperationSet', setObject, {})),
      description: 'Sets of operations, newest first.',
      args: {
        status: { type: new GraphQLList(this.#mapper.input(operationSetStatus, 'OperationSetStatus')) },
        type: { type: GraphQLString, description: 'The operation type.' },
        ...connectionArguments(),
      },
      ...withCost({ kind: 'page', expected: DEFAULT_PAGE_SIZE }),
      resolve: (_root, given, { controls, caller }) => {
        const { status, type, ...connection } = parseRequest(
          operationSetListArguments,
          presentMembers(given),
          'argument',
        );
        return loadConnection(presentMembers(connection), (limit, cursor) =>
          controls.operationSets.list(caller, { limit, ...presentMembers({ status, type, cursor }) }),
        );
      },
    });
    put('operationSetItems', {
      type: new GraphQLNonNull(
        this.#connectionType('OperationSetItem', this.#mapper.objectType(operationSetItem, 'OperationSetItem'), {}),
      ),
      description: 'The targets of a set, in their order.',
      args: {
        id: required(GraphQLID),
        status: { type: new GraphQLList(this.#mapper.input(operationSetItemStatus, 'OperationSetItemStatus')) },
        ...connectionArguments(),
      },
      ...withCost({ kind: 'page', expected: DEFAULT_PAGE_SIZE }),
      resolve: (_root, given, { controls, caller }) => {
        const { id, status, ...connection } = parseRequest(
          operationSetItemArguments,
          presentMembers(given),
          'argument',
        );
        return loadConnection(presentMembers(connection), (limit, cursor) =>
          controls.operationSets.items(caller, id, { limit, ...presentMembers({ status, cursor }) }),
        );
      },
    });
    put('operationTypes', {
      type: listOf(this.#mapper.objectType(operationType, 'OperationType')),
      description: 'The changes that Pilothouse can make.',
      resolve: (_root, _given, { controls, caller }) => controls.operations.types(caller),
    });
  }

  #addFeedQueries(put: (name: string, field: Field) => void): void {
    put('budgets', {
      type: listOf(this.#mapper.objectType(budget, 'Budget')),
      description: 'What is left of the calls that Azure allows, for all of Pilothouse together.',
      resolve: async (_root, _given, { controls, caller }) => (await controls.budgets.list(caller)).items,
    });
    put('auditEvents', {
      type: new GraphQLNonNull(
        this.#connectionType('AuditEvent', this.#mapper.objectType(auditEvent, 'AuditEvent'), {}),
      ),
      description: 'The audit log, in the order of its chain; for administrators.',
      args: {
        operationId: { type: GraphQLID, description: 'Only what belongs to this operation.' },
        principalId: { type: GraphQLID, description: 'Only what this principal did.' },
        action: { type: GraphQLString, description: 'Only this action, such as `operation.accepted`.' },
        ...connectionArguments(),
      },
      ...withCost({ kind: 'page', expected: DEFAULT_PAGE_SIZE }),
      resolve: (_root, given, { controls, caller }) => {
        const { first, after, ...filter } = parseRequest(auditArguments, presentMembers(given), 'argument');
        return loadConnection(presentMembers({ first, after }), (limit, cursor) =>
          controls.audit.events(caller, { ...presentMembers(filter), limit, ...presentMembers({ cursor }) }),
        );
      },
    });
    const checkpoint = this.#mapper.objectType(auditCheckpoint, 'AuditCheckpoint');
    put('auditCheckpoints', {
      type: new GraphQLNonNull(this.#connectionType('AuditCheckpoint', checkpoint, {})),
      description: 'The signed points of the audit log; for administrators.',
      args: connectionArguments(),
      ...withCost({ kind: 'page', expected: DEFAULT_PAGE_SIZE }),
      resolve: (_root, given, { controls, caller }) =>
        loadConnection(parsePageArguments(given), (limit, cursor) =>
          controls.audit.checkpoints(caller, { limit, ...presentMembers({ cursor }) }),
        ),
    });
    put('changes', {
      type: new GraphQLNonNull(this.#mapper.objectType(changePage, 'ChangePage')),
      description:
        'What has changed after a place in the feed, oldest first; without `after` from the oldest that is kept.',
      args: { ...changeFilterArguments(), ...connectionArguments() },
      ...withCost({ kind: 'page', expected: DEFAULT_PAGE_SIZE }),
      resolve: (_root, given, { controls, caller }) => {
        const { first = DEFAULT_PAGE_SIZE, ...query } = parseRequest(
          changeArguments,
          presentMembers(given),
          'argument',
        );
        requirePageSize(first);
        return controls.changes.list(caller, { ...presentMembers(query), limit: first });
      },
    });
  }

  #mutations(): Fields {
    const fields: Fields = {};
    for (const definition of this.registry.operations) {
      add('Mutation', fields, mutationField(definition.type), this.#mutation(definition));
    }
    add('Mutation', fields, 'cancelOperation', {
      type: new GraphQLNonNull(this.#mapper.objectType(operation, 'Operation')),
      description: 'Asks for an operation to be stopped; its status says whether it was in time.',
      args: { id: required(GraphQLID) },
      resolve: (_root, { id }, { controls, caller, correlationId }) =>
        controls.operations.cancel(caller, id as string, correlationId),
    });
    for (const [name, field] of Object.entries(this.#decisionMutations())) add('Mutation', fields, name, field);
    for (const [name, field] of Object.entries(this.#setMutations())) add('Mutation', fields, name, field);
    return fields;
  }

  #decisionMutations(): Fields {
    const decision = (decided: 'approved' | 'rejected', description: string): Field => ({
      type: new GraphQLNonNull(this.#mapper.objectType(operation, 'Operation')),
      description,
      args: { id: required(GraphQLID), reason: { type: GraphQLString, description: 'Why.' } },
      resolve: (_root, given, { controls, caller, correlationId }) => {
        const { reason } = parseRequest(approvalDecisionRequest, { reason: given.reason ?? null }, 'argument');
        return controls.operations.decide(caller, given.id as string, { decision: decided, reason }, correlationId);
      },
    });
    return {
      approveOperation: decision('approved', 'Consents to an operation that somebody else asked for.'),
      rejectOperation: decision('rejected', 'Decides against an operation that somebody else asked for.'),
    };
  }

  #setMutations(): Fields {
    const type = new GraphQLNonNull(this.#mapper.objectType(operationSet, 'OperationSet'));
    const id = required(GraphQLID);
    return {
      startOperationSet: {
        type,
        description: 'Applies an operation type to many targets, wave after wave.',
        args: {
          request: required(
            this.#mapper.inputObjectType(
              operationSetRequest,
              'OperationSetRequest',
              'An operation type and what it is applied to.',
            ),
          ),
          idempotencyKey: {
            type: GraphQLString,
            description: 'The same key with the same request gives the same set, however often it is sent.',
          },
        },
        resolve: async (_root, given, { controls, caller, correlationId }) => {
          requireStorableJson(given.request, 'request');
          const wanted = withoutRefusedNulls(operationSetRequest, given.request ?? {});
          const body = setRequestOf(parseRequest(operationSetRequest, wanted, 'argument'));
          const accepted = await controls.operationSets.accept(caller, {
            ...body,
            idempotencyKey: (given.idempotencyKey as string | null | undefined) ?? undefined,
            correlationId,
          });
          return accepted.set;
        },
      },
      pauseOperationSet: {
        type,
        description: 'Begins nothing more until it is resumed; what runs goes on.',
        args: { id },
        resolve: (_root, given, { controls, caller, correlationId }) =>
          controls.operationSets.pause(caller, given.id as string, correlationId),
      },
      resumeOperationSet: {
        type,
        description: 'Goes on with a paused set.',
        args: { id },
        resolve: (_root, given, { controls, caller, correlationId }) =>
          controls.operationSets.resume(caller, given.id as string, correlationId),
      },
      approveOperationSet: {
        type,
        description: 'Consents to all operations of a set that somebody else asked for.',
        args: { id, reason: { type: GraphQLString, description: 'Why.' } },
        resolve: (_root, given, { controls, caller, correlationId }) => {
          const { reason } = parseRequest(approvalDecisionRequest, { reason: given.reason ?? null }, 'argument');
          return controls.operationSets.approve(caller, given.id as string, reason, correlationId);
        },
      },
      stopOperationSet: {
        type,
        description: 'Begins nothing more, for good.',
        args: {
          id,
          cancelRunning: {
            type: GraphQLBoolean,
            defaultValue: false,
            description: 'Whether what runs is asked to stop as well.',
          },
        },
        resolve: (_root, given, { controls, caller, correlationId }) =>
          controls.operationSets.stop(
            caller,
            given.id as string,
            { cancelRunning: given.cancelRunning === true },
            correlationId,
          ),
      },
      retryOperationSet: {
        type,
        description: 'Tries again what has failed, with the same input and the same targets.',
        args: {
          id,
          statuses: { type: new GraphQLList(this.#mapper.input(operationSetItemStatus, 'OperationSetItemStatus')) },
        },
        resolve: (_root, given, { controls, caller, correlationId }) => {
          const { statuses } = parseRequest(
            operationSetRetryRequest,
            presentMembers({ statuses: given.statuses }),
            'argument',
          );
          return controls.operationSets.retry(caller, given.id as string, { statuses }, correlationId);
        },
      },
    };
  }

  #mutation(definition: OperationDefinition): Field {
    const field = mutationField(definition.type);
    const hasInput = Object.keys(definition.input.shape).length > 0;
    const input = (): GraphQLFieldConfigArgumentMap => ({
      input: required(
        this.#mapper.inputObjectType(
          definition.input,
          `${field.charAt(0).toUpperCase()}${field.slice(1)}Input`,
          `What \`${field}\` takes.`,
        ),
      ),
    });
    return {
      type: new GraphQLNonNull(this.#mapper.objectType(operation, 'Operation')),
      description: `${definition.title}. ${definition.description}`,
      args: {
        ...(hasInput ? input() : {}),
        idempotencyKey: {
          type: GraphQLString,
          description: 'The same key with the same input gives the same operation, however often it is sent.',
        },
        dryRun: { type: GraphQLBoolean, defaultValue: false, description: 'Only makes the checks.' },
      },
      resolve: async (_root, given, { controls, caller, correlationId }) => {
        const wanted = withoutRefusedNulls(definition.input, given.input ?? {});
        requireStorableJson(wanted, 'input');
        const accepted = await controls.operations.accept(caller, {
          type: definition.type,
          input: wanted,
          dryRun: given.dryRun === true,
          idempotencyKey: (given.idempotencyKey as string | null | undefined) ?? undefined,
          correlationId,
        });
        return accepted.operation;
      },
    };
  }

  #subscriptions(): Fields {
    const operationObject = new GraphQLNonNull(this.#mapper.objectType(operation, 'Operation'));
    return {
      operation: {
        type: operationObject,
        description: 'An operation as it stands, then after each of its transitions, to its end.',
        args: { id: required(GraphQLID) },
        subscribe: (_root, { id }, { controls, caller }) => {
          const stream = controls.streams.open();
          const events = controls.operations.events(caller, id as string, undefined, stream.signal);
          return subscriptionSource(stream, operationsOf(events));
        },
        resolve: streamedItem,
      },
      operationSet: {
        type: new GraphQLNonNull(this.#mapper.objectType(operationSet, 'OperationSet')),
        description: 'A set as it stands, then after each of its transitions, to its end.',
        args: { id: required(GraphQLID) },
        subscribe: (_root, { id }, { controls, caller }) => {
          const stream = controls.streams.open();
          const transitions = controls.operationSets.events(caller, id as string, undefined, stream.signal);
          return subscriptionSource(stream, setsOf(transitions));
        },
        resolve: streamedItem,
      },
      operations: {
        type: operationObject,
        description: 'Every operation that matches, whenever it changes.',
        args: { filter: { type: this.#operationFilter } },
        subscribe: (_root, given, { controls, caller }) => {
          const { filter } = parseRequest(operationWatchArguments, withPresentFilter(given), 'argument');
          const stream = controls.streams.open();
          return subscriptionSource(
            stream,
            controls.operations.watch(caller, presentMembers(filter ?? {}), stream.signal),
          );
        },
        resolve: streamedItem,
      },
      operationEvents: {
        type: new GraphQLNonNull(this.#mapper.objectType(operationEvent, 'OperationEvent')),
        description: 'Every transition that matches, as it comes; with `after` first those that were missed.',
        args: {
          filter: { type: this.#operationFilter },
          after: { type: GraphQLString, description: 'The id of the last transition that was seen.' },
        },
        subscribe: (_root, given, { controls, caller }) => {
          const { filter, after } = parseRequest(operationWatchArguments, withPresentFilter(given), 'argument');
          const stream = controls.streams.open();
          const query = { ...presentMembers(filter ?? {}), ...presentMembers({ after }) };
          return subscriptionSource(stream, controls.operations.followEvents(caller, query, stream.signal));
        },
        resolve: streamedItem,
      },
      changes: {
        type: new GraphQLNonNull(this.#mapper.objectType(change, 'Change')),
        description: 'Every change that matches, as it is seen; with `after` first those that were missed.',
        args: {
          filter: {
            type: new GraphQLInputObjectType({
              name: 'ChangeFilter',
              description: 'Every member that is given must hold.',
              fields: changeFilterArguments(),
            }),
          },
          after: { type: GraphQLString, description: 'The cursor of the last change that was seen.' },
        },
        subscribe: (_root, given, { controls, caller }) => {
          const { filter, after } = parseRequest(changeWatchArguments, withPresentFilter(given), 'argument');
          const stream = controls.streams.open();
          const query = { ...presentMembers(filter ?? {}), ...presentMembers({ after }) };
          return subscriptionSource(stream, controls.changes.watch(caller, query, stream.signal));
        },
        resolve: streamedItem,
      },
    };
  }

  readonly #operationFilter = new GraphQLInputObjectType({
    name: 'OperationFilter',
    description: 'Every member that is given must hold.',
    fields: () => ({
      status: { type: new GraphQLList(this.#mapper.input(operationStatus, 'OperationStatus')) },
      type: { type: GraphQLString, description: 'The operation type.' },
      target: { type: GraphQLString, description: 'The uid or ARM id of what is changed.' },
      requestedBy: { type: GraphQLString, description: 'Who asked for it.' },
      set: { type: GraphQLString, description: 'The id of the set that they are a part of.' },
      approval: {
        type: getNullableType(this.#mapper.input(approvalState, 'ApprovalState')),
        description: 'What has become of the consent that they need.',
      },
    }),
  });

  #kindTypeOf(kind: string): GraphQLObjectType {
    const type = this.#kinds.get(kind);
    if (type === undefined) throw new TypeError(`There is no kind ${kind}`);
    return type;
  }

  #filterType(name: string, withKinds: boolean): GraphQLInputObjectType {
    return new GraphQLInputObjectType({
      name,
      description: 'Every member that is given must hold.',
      fields: () => ({
        ...(withKinds ? { kinds: { type: stringList(), description: 'Only these kinds.' } } : {}),
        location: { type: GraphQLString, description: 'The Azure region.' },
        subscription: { type: GraphQLString, description: 'The id of the Azure subscription.' },
        resourceGroup: { type: GraphQLString, description: 'The resource group.' },
        cluster: { type: GraphQLString, description: 'The uid or ARM id of the cluster.' },
        namespace: { type: GraphQLString, description: 'The Kubernetes namespace.' },
        health: { type: new GraphQLList(this.#mapper.input(healthState, 'HealthState')), description: 'Any of these.' },
        name: { type: GraphQLString, description: 'The whole name.' },
        q: { type: GraphQLString, description: 'A part of the name, in any case.' },
        tags: { type: new GraphQLList(new GraphQLNonNull(this.#tagFilter)), description: 'All of these.' },
        maxAge: {
          type: GraphQLInt,
          description: 'Asks the owners first where what is known is older than this (seconds).',
        },
        asOf: { type: dateTimeScalar, description: 'The state at that time.' },
      }),
    });
  }

  readonly #tagFilter = new GraphQLInputObjectType({
    name: 'TagFilter',
    description: 'A tag or label that must be there.',
    fields: { key: required(GraphQLString), value: required(GraphQLString) },
  });

  #connectionType(name: string, node: GraphQLObjectType | GraphQLInterfaceType, more: Fields): GraphQLObjectType {
    const edge = new GraphQLObjectType({
      name: `${name}Edge`,
      description: 'An object of a page with its place.',
      fields: () => ({
        node: { type: new GraphQLNonNull(node), ...withCost({ kind: 'plumbing' }) },
        cursor: { type: new GraphQLNonNull(GraphQLString), description: '`after` takes it.' },
      }),
    });
    return new GraphQLObjectType({
      name: `${name}Connection`,
      description: 'A page of a list.',
      fields: () => ({
        nodes: { type: listOf(node), description: 'The objects of the page.', ...withCost({ kind: 'plumbing' }) },
        edges: { type: listOf(edge), description: 'The objects with their places.', ...withCost({ kind: 'plumbing' }) },
        pageInfo: {
          type: new GraphQLNonNull(this.#pageInfo),
          description: 'What comes before and after.',
          ...withCost({ kind: 'plumbing' }),
        },
        ...more,
      }),
    });
  }

  #resourcePageFields(): Fields {
    const page = (view: unknown): { freshness: unknown; partial: unknown; unavailable: unknown } =>
      (view as { page: { freshness: unknown; partial: unknown; unavailable: unknown } }).page;
    return {
      freshness: {
        type: this.#mapper.objectType(freshnessRange, 'FreshnessRange'),
        description: 'Between which times the objects were observed; null on an empty page.',
        ...withCost({ kind: 'plumbing' }),
        resolve: (view) => page(view).freshness,
      },
      partial: {
        type: new GraphQLNonNull(GraphQLBoolean),
        description: 'Whether objects may be missing because a part of the estate could not be seen.',
        resolve: (view) => page(view).partial,
      },
      unavailable: {
        type: listOf(this.#mapper.objectType(unavailable, 'Unavailable')),
        description: 'The parts that could not be seen.',
        ...withCost({ kind: 'plumbing' }),
        resolve: (view) => page(view).unavailable,
      },
    };
  }
}

const pageArguments = { first: z.int().optional(), after: filterText(8192).optional() };
const pageOnlyArguments = z.object(pageArguments);

const operationFilter = {
  status: z.array(operationStatus).max(10).optional(),
  type: filterText(200).optional(),
  target: filterText(2048).optional(),
  set: filterText(100).optional(),
};
const operationListArguments = z.object({
  filter: z
    .object({ ...operationFilter, requestedBy: filterText(200).optional(), approval: approvalState.optional() })
    .optional(),
  ...pageArguments,
});
const operationWatchArguments = z.object({
  filter: z
    .strictObject(
      { ...operationFilter, requestedBy: filterText(200).optional() },
      // What has become of a consent is no filter of transitions.
      'must not be about approvals here',
    )
    .optional(),
  after: filterText(8192).optional(),
});

const operationSetListArguments = z.object({
  status: z.array(operationSetStatus).max(10).optional(),
  type: filterText(200).optional(),
  ...pageArguments,
});
const operationSetItemArguments = z.object({
  id: z.string(),
  status: z.array(operationSetItemStatus).max(10).optional(),
  ...pageArguments,
});

const auditArguments = z.object({
  operationId: z.uuid('must be a uuid').optional(),
  principalId: z.uuid('must be a uuid').optional(),
  action: filterText(100).optional(),
  ...pageArguments,
});

const changeFilter = {
  kinds: z.array(filterText(200)).max(50).optional(),
  cluster: filterText(2048).optional(),
  namespace: filterText(253).optional(),
  subscription: filterText(100).optional(),
  uid: filterText(100).optional(),
};
const changeArguments = z.object({ ...changeFilter, ...pageArguments });
const changeWatchArguments = z.object({
  filter: z.object(changeFilter).optional(),
  after: filterText(4096).optional(),
});

const graphArguments = z.object({
  depth: z.int().optional(),
  direction: z.enum(['in', 'out', 'both'], 'must be in, out or both').optional(),
});

function parsePageArguments(given: Arguments): { first?: number; after?: string } {
  return presentMembers(parseRequest(pageOnlyArguments, presentMembers(given), 'argument'));
}

function withPresentFilter(given: Arguments): Arguments {
  const { filter, ...others } = presentMembers(given);
  return filter === undefined ? others : { ...others, filter: presentMembers(filter) };
}

async function resolveResource({ uid, maxAge }: Arguments, context: GraphqlContext): Promise<ResourceView | null> {
  const { controls, caller, loaders, signal } = context;
  const wanted = (uid as string).toLowerCase();
  if (!isUuid(wanted)) return null;
  if (maxAge === undefined || maxAge === null) return loaders.find(wanted);
  if ((maxAge as number) < 0) {
    throw new ControlError('INVALID_REQUEST', 'The arguments are not valid.', {
      violations: [{ path: 'maxAge', message: 'must not be negative' }],
    });
  }
  return orNull(controls.resources.get(caller, wanted, { maxAgeSeconds: maxAge as number, view: 'raw' }, signal()));
}

function resolveResources(kind: string | undefined, given: Arguments, context: GraphqlContext): Promise<unknown> {
  const { request, connection } = parseResourceArguments(given);
  const { controls, caller, signal } = context;
  return loadConnection(connection, (limit, cursor) =>
    controls.resources.list(
      caller,
      {
        ...request,
        kinds: kind === undefined ? (request.kinds ?? []) : [kind],
        view: 'raw',
        limit,
        ...presentMembers({ cursor }),
      },
      request.maxAgeSeconds === undefined ? undefined : signal(),
    ),
  );
}

async function resolveGraph({ uid, ...given }: Arguments, { controls, caller }: GraphqlContext): Promise<unknown> {
  const options = presentMembers(parseRequest(graphArguments, presentMembers(given), 'argument'));
  return orNull(controls.resources.graph(caller, uid as string, options));
}

function resolveHistory({ uid, ...given }: Arguments, { controls, caller }: GraphqlContext): Promise<unknown> {
  return loadConnection(parsePageArguments(given), (limit, cursor) =>
    controls.resources.history(caller, uid as string, { limit, ...presentMembers({ cursor }) }),
  );
}

const NOT_THERE: ReadonlySet<string> = new Set(['RESOURCE_NOT_FOUND', 'OPERATION_SET_NOT_FOUND']);

/** A nullable field says "there is none" with null. */
async function orNull<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof ControlError && NOT_THERE.has(error.code)) return null;
    throw error;
  }
}

async function* setsOf(
  events: AsyncGenerator<{ set: OperationSetView }, void, void>,
): AsyncGenerator<OperationSetView, void, void> {
  for await (const event of events) yield event.set;
}

async function* operationsOf(
  events: AsyncGenerator<{ operation: OperationView }, void, void>,
): AsyncGenerator<OperationView, void, void> {
  for await (const event of events) yield event.operation;
}

function add(where: string, fields: Fields, name: string, field: Field): void {
  if (Object.hasOwn(fields, name)) throw new TypeError(`Two GraphQL fields of ${where} want the name ${name}`);
  fields[name] = field;
}

function required<Type extends GraphQLNullableType>(type: Type): { type: GraphQLNonNull<Type> } {
  return { type: new GraphQLNonNull(type) };
}

function listOf(type: GraphQLObjectType | GraphQLInterfaceType): GraphQLOutputType {
  return new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(type)));
}

function stringList(): GraphQLInputType {
  return new GraphQLList(new GraphQLNonNull(GraphQLString));
}

function pageSizeArgument() {
  return {
    type: GraphQLInt,
    defaultValue: DEFAULT_PAGE_SIZE,
    description: `How many at most, from 1 to ${MAXIMUM_PAGE_SIZE}.`,
  };
}

function connectionArguments(): GraphQLFieldConfigArgumentMap {
  return { first: pageSizeArgument(), after: { type: GraphQLString, description: 'The cursor to go on from.' } };
}

function sortArgument(): GraphQLFieldConfigArgumentMap {
  return {
    sort: {
      type: GraphQLString,
      description:
        'One of `name`, `kind`, `location`, `provisioningState`, `health`, `changedAt`, `createdAt`; `-` before it turns the order round.',
    },
  };
}

function changeFilterArguments(): Record<string, { type: GraphQLInputType; description: string }> {
  return {
    kinds: { type: stringList(), description: 'Only objects of these kinds.' },
    cluster: { type: GraphQLString, description: 'Only objects in this cluster (uid or ARM id).' },
    namespace: { type: GraphQLString, description: 'Only objects in this Kubernetes namespace.' },
    subscription: { type: GraphQLString, description: 'Only objects of this Azure subscription.' },
    uid: { type: GraphQLID, description: 'Only this object.' },
  };
}

function pageInfoType(): GraphQLObjectType {
  return new GraphQLObjectType({
    name: 'PageInfo',
    description: 'What comes before and after a page.',
    fields: {
      hasNextPage: { type: new GraphQLNonNull(GraphQLBoolean), description: 'Whether there is more.' },
      hasPreviousPage: { type: new GraphQLNonNull(GraphQLBoolean), description: 'Whether this is not the first page.' },
      startCursor: { type: GraphQLString, description: 'The place of the first object.' },
      endCursor: { type: GraphQLString, description: 'What `after` takes for the next page.' },
    },
  });
}
