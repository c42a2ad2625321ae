import { CONTROL_ERRORS, type ControlErrorCode } from '#libs/kernel/control-error.js';
import { kindPath, mutationField, pluralKind } from '#libs/kernel/kind-name.js';
import { DEFAULT_PAGE_SIZE, MAXIMUM_PAGE_SIZE } from '#libs/kernel/page.js';
import type { KindDefinition } from '#libs/systems/contract/kind-definition.js';
import { HEALTH_STATES } from '#libs/systems/contract/observation.js';
import type { OperationDefinition } from '#libs/systems/contract/operation-definition.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { OPERATION_SET_ITEM_STATUSES, OPERATION_SET_STATUSES } from '#libs/operations/operation-set.status.js';
import { APPROVAL_STATES } from '#libs/operations/approval.js';
import { OPERATION_STATUSES } from '#libs/operations/operation.status.js';
import { z } from 'zod';
import { clusterAccessDocument, clusterAttachDocument } from '../rest/cluster.schemas.js';
import {
  adviceList,
  attachedCluster,
  auditCheckpointPage,
  auditEventPage,
  changePage,
  clusterAccess,
  operation,
  operationPage,
  operationType,
  approvalDecisionRequest,
  budgetList,
  operationEventPage,
  operationTypeList,
  problem,
  readiness,
  resource,
  resourceGraph,
  resourcePage,
  resourceVersionPage,
} from '../views/view.schemas.js';
import {
  operationSet,
  operationSetItemPage,
  operationSetPage,
  operationSetRequest,
  operationSetRetryRequest,
  operationSetStopRequest,
} from '../views/operation-set.schemas.js';
import { ComponentSchemas, type SchemaObject } from './component-schemas.js';

export interface OpenapiOptions {
  version: string;
  /** Where the API is reached; `/` where it is not known. */
  serverUrl: string;
}

type JsonObject = Record<string, unknown>;
type Method = 'get' | 'post' | 'put' | 'delete';

interface RouteDescription {
  tag: string;
  summary: string;
  description?: string;
  operationId: string;
  parameters?: JsonObject[];
  body?: JsonObject;
  responses: JsonObject;
  /** What can go wrong besides what can go wrong everywhere. */
  problems?: ControlErrorCode[];
  open?: boolean;
}

const UID_EXAMPLE = '5b1f3a52-7c0e-5d0a-9d7e-3a4f1f7b2c11';
const OPERATION_ID_EXAMPLE = '0d9c1d8e-1d0b-4c57-9c1b-6f1a2f0f7a55';
const CURSOR_EXAMPLE = 'WyJyZXNvdXJjZXMiLCJhIl0';

/** The OpenAPI 3.1 document of everything that is served, made from the registry and the schemas of the views. */
export function buildOpenapi(registry: SystemRegistry, options: OpenapiOptions): JsonObject {
  return new OpenapiBuilder(registry, options).build();
}

class OpenapiBuilder {
  readonly #schemas = new ComponentSchemas();
  readonly #paths: Record<string, JsonObject> = {};
  readonly #problem = this.#schemas.addOutput('Problem', problem);

  constructor(
    private readonly registry: SystemRegistry,
    private readonly options: OpenapiOptions,
  ) {}

  build(): JsonObject {
    this.#addResources();
    for (const kind of this.registry.kinds) this.#addKind(kind);
    this.#addOperations();
    for (const definition of this.registry.operations) this.#addOperationType(definition);
    this.#addClusters();
    this.#addFeeds();
    this.#addService();
    return {
      openapi: '3.1.0',
      info: {
        title: 'Pilothouse',
        version: this.options.version,
        summary:
          'One typed endpoint in front of Azure Kubernetes Fleet Manager, Azure Arc, App Service on Kubernetes and AKS.',
        description:
          'Reads come from a cache that says how fresh it is; changes are durable operations. Every refusal is a problem ' +
          '(RFC 9457) with a stable `code`. Send `x-correlation-id` to find a request again in logs and in the audit log.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: this.options.serverUrl }],
      security: [{ bearer: [] }],
      tags: TAGS,
      paths: this.#paths,
      components: {
        schemas: this.#schemas.toObject(),
        responses: this.#problemResponses(),
        headers: HEADERS,
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: 'A token of Pilothouse, in the Authorization header only.',
          },
        },
      },
    };
  }

  #addResources(): void {
    const page = this.#schemas.addOutput('ResourcePage', resourcePage);
    this.#schemas.addOutput('Resource', resource);
    const kinds = this.registry.kinds.map((kind) => kind.name);
    this.#add('get', '/v1/resources', {
      tag: 'Resources',
      summary: 'Objects of all kinds',
      description: 'With `id` the page has one object or none, and only `maxAge` can be given besides.',
      operationId: 'listResources',
      parameters: [
        query('kind', 'Only these kinds, separated by commas or repeated.', {
          type: 'array',
          items: { type: 'string', enum: kinds },
        }),
        query('id', 'The id of the object: an ARM id, or `kubernetes://…`.', { type: 'string' }),
        ...listParameters(),
      ],
      responses: { 200: json('A page of objects, raw as observed.', page) },
      problems: ['INVALID_REQUEST', 'UNKNOWN_KIND', 'INVALID_CURSOR'],
    });
    this.#add('get', '/v1/resources/{uid}', {
      tag: 'Resources',
      summary: 'An object',
      operationId: 'getResource',
      parameters: [uidParameter(), maxAgeParameter()],
      responses: { 200: json('The object, raw as observed.', reference('Resource')) },
      problems: ['INVALID_REQUEST', 'RESOURCE_NOT_FOUND', 'AZURE_THROTTLED', 'AZURE_UNAVAILABLE', 'AZURE_TIMEOUT'],
    });
    this.#add('get', '/v1/resources/{uid}/graph', {
      tag: 'Resources',
      summary: 'An object and what is around it',
      operationId: 'getResourceGraph',
      parameters: [
        uidParameter(),
        query('depth', 'How many relations away.', { type: 'integer', minimum: 0, default: 2 }),
        query('direction', 'Which relations are followed.', {
          type: 'string',
          enum: ['in', 'out', 'both'],
          default: 'both',
        }),
      ],
      responses: {
        200: json('The objects and their relations.', this.#schemas.addOutput('ResourceGraph', resourceGraph)),
      },
      problems: ['INVALID_REQUEST', 'RESOURCE_NOT_FOUND'],
    });
    this.#add('get', '/v1/resources/{uid}/history', {
      tag: 'Resources',
      summary: 'The states that an object has been in',
      operationId: 'getResourceHistory',
      parameters: [uidParameter(), ...pageParameters()],
      responses: {
        200: json(
          'The states, the present one first.',
          this.#schemas.addOutput('ResourceVersionPage', resourceVersionPage),
        ),
      },
      problems: ['INVALID_REQUEST', 'INVALID_CURSOR', 'RESOURCE_NOT_FOUND'],
    });
  }

  #addKind(kind: KindDefinition): void {
    const path = `/v1/${kindPath(kind.name)}`;
    const properties = this.#schemas.addOutput(`${kind.name}Properties`, kind.properties);
    const item = this.#schemas.add(kind.name, {
      description: kind.description,
      allOf: [reference('Resource'), { type: 'object', properties: { kind: { const: kind.name }, properties } }],
    });
    const page = this.#schemas.add(`${kind.name}Page`, {
      description: `A part of a list of objects of the kind ${kind.name}.`,
      allOf: [reference('ResourcePage'), { type: 'object', properties: { items: { type: 'array', items: item } } }],
    });
    this.#add('get', path, {
      tag: 'Resources by kind',
      summary: `Objects of the kind ${kind.name}`,
      description: kind.description,
      operationId: `list${pluralKind(kind.name)}`,
      parameters: listParameters(),
      responses: { 200: json('A page of objects with typed properties.', page) },
      problems: ['INVALID_REQUEST', 'INVALID_CURSOR'],
    });
    this.#add('get', `${path}/{uid}`, {
      tag: 'Resources by kind',
      summary: `An object of the kind ${kind.name}`,
      operationId: `get${kind.name}`,
      parameters: [uidParameter(), maxAgeParameter()],
      responses: { 200: json('The object with typed properties.', item) },
      problems: ['INVALID_REQUEST', 'RESOURCE_NOT_FOUND', 'AZURE_THROTTLED', 'AZURE_UNAVAILABLE', 'AZURE_TIMEOUT'],
    });
    const advisors = this.registry.advisorsOf(kind.name);
    if (advisors.length === 0) return;
    const codes = advisors.flatMap(({ codes: known }) => Object.entries(known));
    this.#add('get', `${path}/{uid}/advice`, {
      tag: 'Resources by kind',
      summary: `What is known to ail an object of the kind ${kind.name}, and the ways out`,
      description: codes.map(([code, meaning]) => `- \`${code}\`: ${meaning}`).join('\n'),
      operationId: `get${kind.name}Advice`,
      parameters: [uidParameter()],
      responses: { 200: json('What is known.', this.#schemas.addOutput('AdviceList', adviceList)) },
      problems: ['RESOURCE_NOT_FOUND', 'CLUSTER_ACCESS_MISSING', 'KUBERNETES_UNAVAILABLE', 'KUBERNETES_TIMEOUT'],
    });
  }

  #addOperations(): void {
    const single = this.#schemas.addOutput('Operation', operation);
    const types = this.registry.operations.map((definition) => definition.type);
    for (const definition of this.registry.operations) {
      this.#schemas.addInput(
        inputName(definition),
        z.strictObject(definition.input.shape).describe(definition.description),
      );
    }
    const request = this.#schemas.add('OperationRequest', {
      description: 'A change that is wanted: `type` decides what `input` takes.',
      oneOf: this.registry.operations.map((definition) => ({
        title: definition.type,
        type: 'object',
        properties: {
          type: { const: definition.type },
          input: reference(inputName(definition)),
          dryRun: { type: 'boolean', default: false, description: 'Only makes the checks.' },
        },
        required: ['type', 'input'],
        additionalProperties: false,
      })),
    });
    const decision = this.#schemas.addInput('ApprovalDecisionRequest', approvalDecisionRequest);
    this.#add('post', '/v1/operations', {
      tag: 'Operations',
      summary: 'Starts an operation',
      description:
        'Accepted means stored: the operation goes on by itself, also after a restart. Follow `Operation-Location`.',
      operationId: 'startOperation',
      parameters: [idempotencyKeyParameter()],
      body: jsonBody(request),
      responses: { 202: accepted() },
      problems: [...ACCEPT_PROBLEMS, 'UNKNOWN_OPERATION_TYPE'],
    });
    this.#add('get', '/v1/operations', {
      tag: 'Operations',
      summary: 'Operations, newest first',
      operationId: 'listOperations',
      parameters: [
        query('status', 'Only these statuses, separated by commas or repeated.', {
          type: 'array',
          items: { type: 'string', enum: [...OPERATION_STATUSES] },
        }),
        query('type', 'Only this operation type.', { type: 'string', enum: types }),
        query('target', 'The uid or id of what is changed.', { type: 'string' }),
        query('requestedBy', 'Who asked for it.', { type: 'string' }),
        query('set', 'The id of the set that they are a part of.', { type: 'string', format: 'uuid' }),
        query('approval', 'What has become of the consent that they need.', {
          type: 'string',
          enum: [...APPROVAL_STATES],
        }),
        ...pageParameters(),
      ],
      responses: { 200: json('A page of operations.', this.#schemas.addOutput('OperationPage', operationPage)) },
      problems: ['INVALID_REQUEST', 'INVALID_CURSOR', 'UNKNOWN_OPERATION_TYPE'],
    });
    this.#add('get', '/v1/operations/{id}', {
      tag: 'Operations',
      summary: 'An operation',
      operationId: 'getOperation',
      parameters: [operationIdParameter()],
      responses: {
        200: { ...json('The operation.', single), headers: { 'Retry-After': headerReference('RetryAfter') } },
      },
      problems: ['OPERATION_NOT_FOUND'],
    });
    this.#add('get', '/v1/operations/{id}/events', {
      tag: 'Operations',
      summary: 'The transitions of an operation, as they happen',
      description:
        'Server-sent events: `id` is the place, `event` is `operation`, `data` an `Operation`. The stream ends with the ' +
        'operation. Comments are signs of life. An `event: problem` carries a `Problem` and ends the stream.',
      operationId: 'followOperation',
      parameters: [operationIdParameter(), lastEventIdParameter()],
      responses: {
        200: events('The transitions.', single),
        204: { description: 'The operation has ended and all was seen.' },
      },
      problems: ['OPERATION_NOT_FOUND', 'INVALID_CURSOR', 'NOT_ACCEPTABLE', 'UNAVAILABLE'],
    });
    this.#add('post', '/v1/operations/{id}/cancel', {
      tag: 'Operations',
      summary: 'Asks for an operation to be stopped',
      operationId: 'cancelOperation',
      parameters: [operationIdParameter()],
      responses: { 202: accepted() },
      problems: ['FORBIDDEN', 'OPERATION_NOT_FOUND', 'NOT_CANCELABLE'],
    });
    for (const [action, summary] of [
      ['approve', 'Consents to an operation that somebody else asked for'],
      ['reject', 'Decides against an operation that somebody else asked for'],
    ] as const) {
      this.#add('post', `/v1/operations/{id}/${action}`, {
        tag: 'Operations',
        summary,
        description: 'Which operations wait for this is configured (`APPROVALS`); nobody decides about their own.',
        operationId: `${action}Operation`,
        parameters: [operationIdParameter()],
        body: { ...jsonBody(decision), required: false },
        responses: { 202: accepted() },
        problems: ['FORBIDDEN', 'OWN_OPERATION', 'OPERATION_NOT_FOUND', 'NOT_AWAITING_APPROVAL'],
      });
    }
    this.#addOperationSets();
    this.#add('get', '/v1/operation-events', {
      tag: 'Operations',
      summary: 'The transitions of all operations',
      description:
        'A page of transitions, oldest first, or with `Accept: text/event-stream` a stream that goes on: `id` is the place, ' +
        '`event` is `operation`, `data` an `Operation` as the transition left it. Without `after` a page begins at the oldest ' +
        'transition that is kept, a stream now; whoever comes back with the last `id` misses nothing.',
      operationId: 'readOperationEvents',
      parameters: [
        query('after', 'The id of the last transition that was seen.', { type: 'string', examples: [CURSOR_EXAMPLE] }),
        query('status', 'Only transitions to these statuses, separated by commas or repeated.', {
          type: 'array',
          items: { type: 'string', enum: [...OPERATION_STATUSES] },
        }),
        query('type', 'Only this operation type.', { type: 'string', enum: types }),
        query('target', 'The uid or id of what is changed.', { type: 'string' }),
        query('requestedBy', 'Who asked for it.', { type: 'string' }),
        query('set', 'The id of the set that they are a part of.', { type: 'string', format: 'uuid' }),
        limitParameter(),
        lastEventIdParameter(),
      ],
      responses: {
        200: {
          description: 'A page of transitions, or the stream.',
          content: {
            'application/json': { schema: this.#schemas.addOutput('OperationEventPage', operationEventPage) },
            'text/event-stream': { schema: { type: 'string' } },
          },
        },
      },
      problems: ['INVALID_REQUEST', 'UNKNOWN_OPERATION_TYPE', 'INVALID_CURSOR', 'CURSOR_EXPIRED', 'UNAVAILABLE'],
    });
    this.#add('get', '/v1/operation-types', {
      tag: 'Operations',
      summary: 'What can be changed',
      operationId: 'listOperationTypes',
      responses: { 200: json('The operation types.', this.#schemas.addOutput('OperationTypeList', operationTypeList)) },
    });
    this.#add('get', '/v1/operation-types/{type}', {
      tag: 'Operations',
      summary: 'An operation type',
      operationId: 'getOperationType',
      parameters: [
        {
          name: 'type',
          in: 'path',
          required: true,
          description: 'The operation type.',
          schema: { type: 'string', enum: types },
        },
      ],
      responses: { 200: json('The operation type.', this.#schemas.addOutput('OperationType', operationType)) },
      problems: ['NOT_FOUND'],
    });
  }

  #addOperationSets(): void {
    const single = this.#schemas.addOutput('OperationSet', operationSet);
    const statuses = (all: readonly string[]): JsonObject => ({
      type: 'array',
      items: { type: 'string', enum: [...all] },
    });
    const changed: JsonObject = { 202: json('The set as it stands now.', single) };
    this.#add('post', '/v1/operation-sets', {
      tag: 'Operation sets',
      summary: 'Applies an operation type to many targets',
      description:
        'The targets are chosen now and for good; an operation is begun for each as the limits allow, wave after wave. ' +
        'Each operation is as any other: see `set` in its view and in the list of operations.',
      operationId: 'startOperationSet',
      parameters: [idempotencyKeyParameter()],
      body: jsonBody(this.#schemas.addInput('OperationSetRequest', operationSetRequest)),
      responses: { 202: json('The set.', single) },
      problems: [...ACCEPT_PROBLEMS, 'UNKNOWN_OPERATION_TYPE', 'UNAVAILABLE'],
    });
    this.#add('get', '/v1/operation-sets', {
      tag: 'Operation sets',
      summary: 'Sets, newest first',
      operationId: 'listOperationSets',
      parameters: [
        query('status', 'Only these statuses, separated by commas or repeated.', statuses(OPERATION_SET_STATUSES)),
        query('type', 'Only this operation type.', { type: 'string' }),
        ...pageParameters(),
      ],
      responses: { 200: json('A page of sets.', this.#schemas.addOutput('OperationSetPage', operationSetPage)) },
      problems: ['INVALID_REQUEST', 'INVALID_CURSOR', 'UNKNOWN_OPERATION_TYPE'],
    });
    this.#add('get', '/v1/operation-sets/{id}', {
      tag: 'Operation sets',
      summary: 'A set',
      operationId: 'getOperationSet',
      parameters: [setIdParameter()],
      responses: { 200: json('The set.', single) },
      problems: ['OPERATION_SET_NOT_FOUND'],
    });
    this.#add('get', '/v1/operation-sets/{id}/items', {
      tag: 'Operation sets',
      summary: 'The targets of a set, in their order',
      operationId: 'listOperationSetItems',
      parameters: [
        setIdParameter(),
        query('status', 'Only these statuses, separated by commas or repeated.', statuses(OPERATION_SET_ITEM_STATUSES)),
        ...pageParameters(),
      ],
      responses: {
        200: json('A page of targets.', this.#schemas.addOutput('OperationSetItemPage', operationSetItemPage)),
      },
      problems: ['OPERATION_SET_NOT_FOUND', 'INVALID_REQUEST', 'INVALID_CURSOR'],
    });
    this.#add('get', '/v1/operation-sets/{id}/events', {
      tag: 'Operation sets',
      summary: 'The transitions of a set, as they happen',
      description:
        'Server-sent events: `id` is the place, `event` is `operation-set`, `data` an `OperationSet`. The stream ends with ' +
        'the set.',
      operationId: 'followOperationSet',
      parameters: [setIdParameter(), lastEventIdParameter()],
      responses: {
        200: events('The transitions.', single),
        204: { description: 'The set has ended and all was seen.' },
      },
      problems: ['OPERATION_SET_NOT_FOUND', 'INVALID_CURSOR', 'NOT_ACCEPTABLE', 'UNAVAILABLE'],
    });
    for (const [action, summary, body] of [
      ['pause', 'Begins nothing more until it is resumed', undefined],
      ['resume', 'Goes on with a paused set', undefined],
      [
        'approve',
        'Consents to all operations of a set that somebody else asked for',
        this.#schemas.addInput('ApprovalDecisionRequest', approvalDecisionRequest),
      ],
      [
        'stop',
        'Begins nothing more, for good',
        this.#schemas.addInput('OperationSetStopRequest', operationSetStopRequest),
      ],
      [
        'retry',
        'Tries again what has failed',
        this.#schemas.addInput('OperationSetRetryRequest', operationSetRetryRequest),
      ],
    ] as const) {
      this.#add('post', `/v1/operation-sets/{id}/${action}`, {
        tag: 'Operation sets',
        summary,
        operationId: `${action}OperationSet`,
        parameters: [setIdParameter()],
        ...(body === undefined ? {} : { body: { ...jsonBody(body), required: false } }),
        responses: changed,
        problems: [
          'FORBIDDEN',
          ...(action === 'approve' ? (['OWN_OPERATION'] as const) : []),
          'OPERATION_SET_NOT_FOUND',
          'OPERATION_SET_ENDED',
          'CONFLICT',
        ],
      });
    }
  }

  #addOperationType(definition: OperationDefinition): void {
    const findings = Object.entries(definition.findings).map(([code, meaning]) => `- \`${code}\`: ${meaning}`);
    this.#add('post', `/v1/operations/${definition.type}`, {
      tag: 'Operations by type',
      summary: definition.title,
      description: [
        definition.description,
        `Needs \`${definition.permission}\`.`,
        ...(findings.length === 0 ? [] : [`The checks before it can find:\n\n${findings.join('\n')}`]),
      ].join('\n\n'),
      operationId: mutationField(definition.type),
      parameters: [
        idempotencyKeyParameter(),
        query('dryRun', 'Only makes the checks.', { type: 'boolean', default: false }),
      ],
      body: jsonBody(reference(inputName(definition))),
      responses: { 202: accepted() },
      problems: ACCEPT_PROBLEMS,
    });
  }

  #addClusters(): void {
    const access = this.#schemas.addOutput('ClusterAccess', clusterAccess);
    const denied: ControlErrorCode[] = ['INVALID_REQUEST', 'FORBIDDEN', 'RESOURCE_NOT_FOUND'];
    const unusable: ControlErrorCode[] = [
      'INVALID_KUBECONFIG',
      'KUBERNETES_UNAUTHENTICATED',
      'KUBERNETES_UNAVAILABLE',
      'KUBERNETES_TIMEOUT',
      'UNAVAILABLE',
    ];
    this.#add('post', '/v1/clusters', {
      tag: 'Clusters',
      summary: 'Attaches a cluster that Azure does not know',
      description:
        'The kubeconfig is tried at once, kept sealed, and never shown. Exec plugins are never run; `kubelogin` is understood ' +
        'and replaced by a token of the identity of Pilothouse. Files that it refers to are not read: data must be inline.',
      operationId: 'attachCluster',
      body: jsonBody(this.#schemas.addInput('ClusterAttachRequest', clusterAttachDocument)),
      responses: {
        201: json('The cluster.', this.#schemas.addOutput('AttachedClusterSummary', attachedCluster)),
      },
      problems: ['INVALID_REQUEST', 'FORBIDDEN', 'CONFLICT', ...unusable],
    });
    this.#add('delete', '/v1/clusters/{uid}', {
      tag: 'Clusters',
      summary: 'Takes an attached cluster out again',
      operationId: 'detachCluster',
      parameters: [uidParameter()],
      responses: { 204: { description: 'It is no longer known.' } },
      problems: [...denied, 'CONFLICT'],
    });
    this.#add('get', '/v1/clusters/{uid}/access', {
      tag: 'Clusters',
      summary: 'The access that was given to a cluster',
      operationId: 'getClusterAccess',
      parameters: [uidParameter()],
      responses: { 200: json('The access.', access) },
      problems: ['RESOURCE_NOT_FOUND'],
    });
    this.#add('put', '/v1/clusters/{uid}/access', {
      tag: 'Clusters',
      summary: 'Gives access to a cluster that is known',
      description: 'It is used in place of the credential that Azure would give.',
      operationId: 'giveClusterAccess',
      parameters: [uidParameter()],
      body: jsonBody(this.#schemas.addInput('ClusterAccessRequest', clusterAccessDocument)),
      responses: { 200: json('The access.', access) },
      problems: [...denied, ...unusable],
    });
    this.#add('delete', '/v1/clusters/{uid}/access', {
      tag: 'Clusters',
      summary: 'Takes the access away that was given',
      operationId: 'removeClusterAccess',
      parameters: [uidParameter()],
      responses: { 204: { description: 'There is none any more.' } },
      problems: denied,
    });
  }

  #addFeeds(): void {
    const page = this.#schemas.addOutput('ChangePage', changePage);
    this.#add('get', '/v1/changes', {
      tag: 'Feeds',
      summary: 'What has changed',
      description:
        'A page of changes, oldest first, or with `Accept: text/event-stream` a stream that goes on: `id` is the cursor, ' +
        '`event` is `change`, `data` a `Change`. Without `after` a page begins at the oldest change that is kept, a ' +
        'stream now.',
      operationId: 'readChanges',
      parameters: [
        query('after', 'The cursor of the last change that was seen.', { type: 'string', examples: [CURSOR_EXAMPLE] }),
        query('kind', 'Only these kinds, separated by commas or repeated.', {
          type: 'array',
          items: { type: 'string' },
        }),
        query('cluster', 'Only objects in this cluster (uid or ARM id).', { type: 'string' }),
        query('namespace', 'Only objects in this Kubernetes namespace.', { type: 'string' }),
        query('subscription', 'Only objects of this Azure subscription.', { type: 'string' }),
        query('uid', 'Only this object.', { type: 'string', format: 'uuid' }),
        limitParameter(),
        lastEventIdParameter(),
      ],
      responses: {
        200: {
          description: 'A page of changes, or the stream.',
          content: {
            'application/json': { schema: page },
            'text/event-stream': { schema: { type: 'string' } },
          },
        },
      },
      problems: ['INVALID_REQUEST', 'UNKNOWN_KIND', 'INVALID_CURSOR', 'CURSOR_EXPIRED', 'UNAVAILABLE'],
    });
    this.#add('get', '/v1/budgets', {
      tag: 'Feeds',
      summary: 'What is left of the calls that Azure allows',
      description:
        'Azure counts the calls of a subscription. All processes of Pilothouse share one bucket for each subscription and class ' +
        'of calls, lowered by what Azure itself says is left; whoever has had their share leaves the rest of it to others.',
      operationId: 'listBudgets',
      responses: { 200: json('The budgets.', this.#schemas.addOutput('BudgetList', budgetList)) },
    });
    this.#add('get', '/v1/audit-events', {
      tag: 'Feeds',
      summary: 'The audit log',
      description: 'For administrators.',
      operationId: 'listAuditEvents',
      parameters: [
        query('after', 'Only events after this sequence.', { type: 'integer', minimum: 0 }),
        query('operationId', 'Only what belongs to this operation.', { type: 'string', format: 'uuid' }),
        query('principalId', 'Only what this principal did.', { type: 'string', format: 'uuid' }),
        query('action', 'Only this action.', { type: 'string', examples: ['operation.accepted'] }),
        ...pageParameters(),
      ],
      responses: {
        200: json(
          'A page of events, in the order of the chain.',
          this.#schemas.addOutput('AuditEventPage', auditEventPage),
        ),
      },
      problems: ['INVALID_REQUEST', 'INVALID_CURSOR', 'FORBIDDEN'],
    });
    this.#add('get', '/v1/audit-checkpoints', {
      tag: 'Feeds',
      summary: 'The signed points of the audit log',
      description: 'For administrators.',
      operationId: 'listAuditCheckpoints',
      parameters: pageParameters(),
      responses: {
        200: json('A page of checkpoints.', this.#schemas.addOutput('AuditCheckpointPage', auditCheckpointPage)),
      },
      problems: ['INVALID_REQUEST', 'INVALID_CURSOR', 'FORBIDDEN'],
    });
  }

  #addService(): void {
    const live = this.#schemas.add('Liveness', {
      type: 'object',
      description: 'The process runs.',
      properties: { status: { const: 'live' } },
      required: ['status'],
    });
    this.#add('get', '/livez', {
      tag: 'Service',
      summary: 'Whether the process runs',
      operationId: 'getLiveness',
      responses: { 200: json('It does.', live) },
      open: true,
    });
    this.#add('get', '/readyz', {
      tag: 'Service',
      summary: 'Whether requests can be served',
      operationId: 'getReadiness',
      responses: { 200: json('They can.', this.#schemas.addOutput('Readiness', readiness)) },
      problems: ['UNAVAILABLE'],
      open: true,
    });
    this.#add('get', '/metrics', {
      tag: 'Service',
      summary: 'Measurements for Prometheus',
      operationId: 'getMetrics',
      responses: {
        200: { description: 'The measurements.', content: { 'text/plain': { schema: { type: 'string' } } } },
      },
      open: true,
    });
    this.#add('get', '/openapi.json', {
      tag: 'Service',
      summary: 'This document',
      operationId: 'getOpenapi',
      responses: { 200: json('This document.', { type: 'object' }) },
      open: true,
    });
    const result = this.#schemas.add('GraphqlResult', {
      type: 'object',
      description: 'What GraphQL answers. Each error has the same `code` in `extensions` as a problem would have.',
      properties: {
        data: { type: ['object', 'null'] },
        errors: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              message: { type: 'string' },
              path: { type: 'array', items: { type: ['string', 'integer'] } },
              extensions: {
                type: 'object',
                properties: { code: reference('ErrorCode'), correlationId: { type: 'string' } },
                required: ['code', 'correlationId'],
              },
            },
            required: ['message', 'extensions'],
          },
        },
      },
    });
    this.#add('post', '/graphql', {
      tag: 'GraphQL',
      summary: 'GraphQL',
      description:
        'The same estate as one graph; see `/graphiql`. Subscriptions are served at the same path over WebSocket (graphql-ws).',
      operationId: 'graphql',
      body: jsonBody({
        type: 'object',
        properties: {
          query: { type: 'string' },
          operationName: { type: ['string', 'null'] },
          variables: { type: ['object', 'null'] },
        },
        required: ['query'],
        examples: [{ query: '{ fleets { nodes { name freshness { ageSeconds } } } }' }],
      }),
      responses: {
        200: json('The result; also when some of it failed.', result),
        400: {
          description: 'Not a valid GraphQL request.',
          content: { 'application/json': { schema: result }, ...this.#problemContent() },
        },
      },
    });
  }

  #add(method: Method, path: string, route: RouteDescription): void {
    const codes: ControlErrorCode[] = [
      ...(route.open === true ? [] : (['UNAUTHENTICATED'] as const)),
      ...(route.body === undefined ? [] : (['MALFORMED_JSON', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'] as const)),
      ...(route.problems ?? []),
      'INTERNAL',
    ];
    const responses: JsonObject = { ...route.responses };
    for (const code of codes) {
      const { status } = CONTROL_ERRORS[code];
      responses[status] ??= { $ref: `#/components/responses/Problem${status}` };
    }
    const item = (this.#paths[path] ??= {});
    item[method] = {
      tags: [route.tag],
      summary: route.summary,
      ...(route.description === undefined ? {} : { description: route.description }),
      operationId: route.operationId,
      ...(route.parameters === undefined ? {} : { parameters: route.parameters }),
      ...(route.body === undefined ? {} : { requestBody: route.body }),
      responses,
      ...(route.open === true ? { security: [] } : {}),
    };
  }

  /** One for each status, with the codes that have it. */
  #problemResponses(): JsonObject {
    const codesByStatus = new Map<number, string[]>();
    for (const [code, { status }] of Object.entries(CONTROL_ERRORS)) {
      codesByStatus.set(status, [...(codesByStatus.get(status) ?? []), code]);
    }
    const responses = [...codesByStatus].sort(([left], [right]) => left - right);
    return Object.fromEntries(
      responses.map(([status, codes]) => [
        `Problem${status}`,
        {
          description: `A problem with the code ${codes.map((code) => `\`${code}\``).join(', ')}.`,
          headers: {
            'x-correlation-id': headerReference('CorrelationId'),
            ...(status === 429 || status === 503 ? { 'Retry-After': headerReference('RetryAfter') } : {}),
            ...(status === 401 ? { 'WWW-Authenticate': headerReference('WwwAuthenticate') } : {}),
          },
          content: this.#problemContent(status, codes[0]),
        },
      ]),
    );
  }

  #problemContent(status?: number, code?: string): JsonObject {
    if (status === undefined || code === undefined) return { 'application/problem+json': { schema: this.#problem } };
    const { title } = CONTROL_ERRORS[code as ControlErrorCode];
    return {
      'application/problem+json': {
        schema: this.#problem,
        example: {
          type: `https://pilothouse.dev/problems/${code.toLowerCase().replaceAll('_', '-')}`,
          title,
          status,
          detail: `${title}.`,
          instance: '/v1/resources',
          code,
          correlationId: OPERATION_ID_EXAMPLE,
        },
      },
    };
  }
}

const TAGS = [
  { name: 'Resources', description: 'Objects of every kind, raw as observed.' },
  { name: 'Resources by kind', description: 'Objects of one kind, with typed properties.' },
  { name: 'Operations', description: 'Changes: started, followed and stopped.' },
  { name: 'Operations by type', description: 'The same, with a route and a schema for each type.' },
  { name: 'Clusters', description: 'The access that Pilothouse has to clusters.' },
  { name: 'Feeds', description: 'What has changed, and who did what.' },
  { name: 'GraphQL', description: 'Everything as one graph.' },
  { name: 'Service', description: 'Health, measurements and this document.' },
];

const HEADERS = {
  CorrelationId: { description: 'The id of the request, as sent or made.', schema: { type: 'string' } },
  RetryAfter: { description: 'Seconds after which to ask again.', schema: { type: 'integer' } },
  OperationLocation: { description: 'Where the operation is.', schema: { type: 'string', format: 'uri-reference' } },
  IdempotencyReplayed: {
    description: '`true` where an earlier request had started the operation.',
    schema: { type: 'string' },
  },
  WwwAuthenticate: { description: 'How to authenticate.', schema: { type: 'string' } },
};

const ACCEPT_PROBLEMS: ControlErrorCode[] = [
  'INVALID_REQUEST',
  'INVALID_IDEMPOTENCY_KEY',
  'FORBIDDEN',
  'IDEMPOTENCY_KEY_REUSED',
];

function inputName(definition: OperationDefinition): string {
  const name = mutationField(definition.type);
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
}

function reference(name: string): SchemaObject {
  return { $ref: `#/components/schemas/${name}` };
}

function headerReference(name: keyof typeof HEADERS): JsonObject {
  return { $ref: `#/components/headers/${name}` };
}

function json(description: string, schema: SchemaObject): JsonObject {
  return {
    description,
    headers: { 'x-correlation-id': headerReference('CorrelationId') },
    content: { 'application/json': { schema } },
  };
}

function events(description: string, data: SchemaObject): JsonObject {
  return {
    description,
    content: {
      'text/event-stream': { schema: { type: 'string', contentMediaType: 'text/event-stream', contentSchema: data } },
    },
  };
}

function accepted(): JsonObject {
  return {
    ...json('The operation is stored.', reference('Operation')),
    headers: {
      'x-correlation-id': headerReference('CorrelationId'),
      'Operation-Location': headerReference('OperationLocation'),
      Location: headerReference('OperationLocation'),
      'Retry-After': headerReference('RetryAfter'),
      'Idempotency-Replayed': headerReference('IdempotencyReplayed'),
    },
  };
}

function jsonBody(schema: SchemaObject): JsonObject {
  return { required: true, content: { 'application/json': { schema } } };
}

function query(name: string, description: string, schema: SchemaObject): JsonObject {
  const list = schema.type === 'array' ? { style: 'form', explode: false } : {};
  return { name, in: 'query', required: false, description, schema, ...list };
}

function uidParameter(): JsonObject {
  return {
    name: 'uid',
    in: 'path',
    required: true,
    description: 'The uid of the object.',
    schema: { type: 'string', format: 'uuid' },
    example: UID_EXAMPLE,
  };
}

function setIdParameter(): JsonObject {
  return {
    name: 'id',
    in: 'path',
    required: true,
    description: 'The id of the set.',
    schema: { type: 'string', format: 'uuid' },
    example: OPERATION_ID_EXAMPLE,
  };
}

function operationIdParameter(): JsonObject {
  return {
    name: 'id',
    in: 'path',
    required: true,
    description: 'The id of the operation.',
    schema: { type: 'string', format: 'uuid' },
    example: OPERATION_ID_EXAMPLE,
  };
}

function idempotencyKeyParameter(): JsonObject {
  return {
    name: 'Idempotency-Key',
    in: 'header',
    required: false,
    description: 'The same key with the same request gives the same operation, however often it is sent.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  };
}

function lastEventIdParameter(): JsonObject {
  return {
    name: 'Last-Event-ID',
    in: 'header',
    required: false,
    description: 'The id of the last event that was seen: the stream goes on after it.',
    schema: { type: 'string' },
  };
}

function maxAgeParameter(): JsonObject {
  return query('maxAge', 'Asks the owner first where what is known is older than this (seconds).', {
    type: 'integer',
    minimum: 0,
  });
}

function limitParameter(): JsonObject {
  return query('limit', 'How many at most.', {
    type: 'integer',
    minimum: 1,
    maximum: MAXIMUM_PAGE_SIZE,
    default: DEFAULT_PAGE_SIZE,
  });
}

function pageParameters(): JsonObject[] {
  return [
    limitParameter(),
    query('cursor', 'The `nextCursor` of the page before.', { type: 'string', examples: [CURSOR_EXAMPLE] }),
  ];
}

function listParameters(): JsonObject[] {
  return [
    query('location', 'The Azure region.', { type: 'string', examples: ['westeurope'] }),
    query('subscription', 'The id of the Azure subscription.', { type: 'string', format: 'uuid' }),
    query('resourceGroup', 'The resource group.', { type: 'string' }),
    query('cluster', 'The uid or ARM id of the cluster.', { type: 'string' }),
    query('namespace', 'The Kubernetes namespace.', { type: 'string' }),
    query('health', 'Any of these, separated by commas or repeated.', {
      type: 'array',
      items: { type: 'string', enum: [...HEALTH_STATES] },
    }),
    query('name', 'The whole name.', { type: 'string' }),
    query('q', 'A part of the name, in any case.', { type: 'string' }),
    {
      name: 'tag',
      in: 'query',
      required: false,
      description: 'Tags or labels that must be there, each as `tag.<name>=<value>`: `?tag.env=prod&tag.team=a`.',
      style: 'form',
      explode: true,
      schema: { type: 'object', patternProperties: { '^tag\\.': { type: 'string' } }, additionalProperties: false },
      example: { 'tag.env': 'prod' },
    },
    query('sort', 'The order; `-` before a field turns it round.', {
      type: 'string',
      default: 'name',
      examples: ['name', '-changedAt'],
    }),
    ...pageParameters(),
    maxAgeParameter(),
    query('asOf', 'The state at that time.', {
      type: 'string',
      format: 'date-time',
      examples: ['2026-01-31T12:00:00Z'],
    }),
  ];
}
