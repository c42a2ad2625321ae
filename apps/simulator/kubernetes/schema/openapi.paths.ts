import { assertNever } from '#libs/kernel/assert-never.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { DELETE_OPTIONS, STATUS } from './built-in.schemas.js';
import type { GroupVersionKind } from './group-version-kind.js';

/** One path of the API for the OpenAPI document, as discovery knows it. */
export interface ServedPath {
  /** With its parameters: `/apis/apps/v1/namespaces/{namespace}/deployments/{name}/status`. */
  path: string;
  kind: GroupVersionKind;
  /** What can be done at this very path. */
  verbs: readonly ServedVerb[];
}

export type ServedVerb = 'get' | 'list' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

const PATCH_MEDIA_TYPES = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
];

const parameter = (name: string, type: 'string' | 'boolean' | 'integer', description: string): JsonObject => ({
  name,
  in: 'query',
  description,
  schema: { type, uniqueItems: true },
});

const DRY_RUN = parameter(
  'dryRun',
  'string',
  'Whether the modification is only tried: All processes all dry run stages.',
);
const FIELD_MANAGER = parameter('fieldManager', 'string', 'Who makes the change: what managedFields names.');
const FIELD_VALIDATION = parameter(
  'fieldValidation',
  'string',
  'What to do with unknown or duplicate fields: Ignore, Warn or Strict.',
);
const FORCE = parameter('force', 'boolean', 'Take over conflicting fields. Apply patches only.');
const LIST_PARAMETERS = [
  parameter('allowWatchBookmarks', 'boolean', 'Asks for bookmark events while watching.'),
  parameter('continue', 'string', 'The token of the previous page.'),
  parameter('fieldSelector', 'string', 'Restricts the list by fields.'),
  parameter('labelSelector', 'string', 'Restricts the list by labels.'),
  parameter('limit', 'integer', 'The size of a page.'),
  parameter('resourceVersion', 'string', 'How fresh the answer has to be.'),
  parameter('resourceVersionMatch', 'string', 'How resourceVersion is applied.'),
  parameter('sendInitialEvents', 'boolean', 'Begins a watch with what is there.'),
  parameter('timeoutSeconds', 'integer', 'How long the call may last.'),
  parameter('watch', 'boolean', 'Watches for changes.'),
];

/** The `paths` of an OpenAPI document: kubectl reads the kind and the query parameters of each operation from it. */
export function describePaths(paths: readonly ServedPath[], schemas: JsonObject): JsonObject {
  return Object.fromEntries(paths.map((served) => [served.path, describePath(served, schemas)]));
}

function describePath({ path, kind, verbs }: ServedPath, schemas: JsonObject): JsonObject {
  const described: JsonObject = {};
  for (const verb of verbs) {
    described[methodOf(verb)] = {
      operationId: `${verb}${path.replaceAll(/[^A-Za-z0-9]+(.)?/g, (_match, letter: string | undefined) => letter?.toUpperCase() ?? '')}`,
      parameters: queryParameters(verb),
      ...requestBody(verb, kind, schemas),
      responses: { '200': { description: 'OK', ...content(['application/json'], answerType(verb, kind, schemas)) } },
      'x-kubernetes-action': verb === 'create' ? 'post' : verb === 'update' ? 'put' : verb,
      'x-kubernetes-group-version-kind': { ...kind },
    };
  }
  const names = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name!);
  const parameters = names.map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string', uniqueItems: true },
  }));
  return parameters.length === 0 ? described : { ...described, parameters };
}

function methodOf(verb: ServedVerb): string {
  switch (verb) {
    case 'get':
    case 'list':
      return 'get';
    case 'create':
      return 'post';
    case 'update':
      return 'put';
    case 'patch':
      return 'patch';
    case 'delete':
    case 'deletecollection':
      return 'delete';
    default:
      return assertNever(verb);
  }
}

function queryParameters(verb: ServedVerb): JsonObject[] {
  switch (verb) {
    case 'get':
      return [];
    case 'list':
      return LIST_PARAMETERS;
    case 'create':
    case 'update':
      return [DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION];
    case 'patch':
      return [DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION, FORCE];
    case 'delete':
      return [DRY_RUN];
    case 'deletecollection':
      return [DRY_RUN, ...LIST_PARAMETERS];
    default:
      return assertNever(verb);
  }
}

function requestBody(verb: ServedVerb, kind: GroupVersionKind, schemas: JsonObject): JsonObject {
  switch (verb) {
    case 'get':
    case 'list':
      return {};
    case 'create':
    case 'update':
      return { requestBody: { required: true, ...content(['application/json'], componentOf(kind, schemas)) } };
    case 'patch':
      return { requestBody: { required: true, ...content(PATCH_MEDIA_TYPES, undefined) } };
    case 'delete':
    case 'deletecollection':
      return { requestBody: content(['application/json'], DELETE_OPTIONS) };
    default:
      return assertNever(verb);
  }
}

function answerType(verb: ServedVerb, kind: GroupVersionKind, schemas: JsonObject): string | undefined {
  if (verb === 'list') return undefined;
  return verb === 'delete' || verb === 'deletecollection' ? STATUS : componentOf(kind, schemas);
}

function content(mediaTypes: readonly string[], component: string | undefined): JsonObject {
  const schema: JsonObject =
    component === undefined ? { type: 'object' } : { $ref: `#/components/schemas/${component}` };
  return { content: Object.fromEntries(mediaTypes.map((mediaType) => [mediaType, { schema }])) };
}

function componentOf({ group, version, kind }: GroupVersionKind, schemas: JsonObject): string | undefined {
  return Object.entries(schemas).find(([, schema]) => {
    const kinds = (schema as JsonObject)['x-kubernetes-group-version-kind'] as unknown as
      GroupVersionKind[] | undefined;
    return kinds?.some((one) => one.group === group && one.version === version && one.kind === kind) ?? false;
  })?.[0];
}
