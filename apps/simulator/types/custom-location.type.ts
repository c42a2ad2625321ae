import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { ArmError } from '../arm-error.js';
import type { ArmErrorBody } from '../arm-error.js';
import { deterministicHex, deterministicUuid } from '../deterministic-id.js';
import { mergePatch, objectAt, omit, textAt } from '../json-merge.js';
import { hasRelayListener } from '../kubernetes/arc.agents.js';
import { withoutNulls } from '../resource.renderer.js';
import type { StoredResource } from '../resource.store.js';
import type {
  PlannedWrite,
  ResourceTypeDescriptor,
  ResourceWorld,
  WritePlan,
  WriteRequest,
} from '../resource-type.descriptor.js';
import {
  CONNECTED_CLUSTER_TYPE,
  CUSTOM_LOCATION_TYPE,
  ENABLED_TYPE,
  EXTENSION_TYPE,
  arcConflict,
  badRequest,
} from './arc.family.js';
import { knownExtension, typesMetadata } from './extension-catalog.js';
import { parseRequest } from './fleet.family.js';

const NAME_PATTERN = /^[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?$/;
const API_VERSIONS = ['2021-08-15', '2021-08-31-preview'];
/** Types whose resources stand on a custom location: while there are any, it cannot go. */
const PLACED_TYPES = [
  'Microsoft.Web/sites',
  'Microsoft.Web/serverfarms',
  'Microsoft.Web/kubeEnvironments',
  'Microsoft.Web/certificates',
  'Microsoft.App/connectedEnvironments',
  'Microsoft.App/containerApps',
];

const locationSchema = z.looseObject({
  identity: z.looseObject({ type: z.enum(['SystemAssigned', 'None']) }).optional(),
  properties: z.looseObject({
    hostResourceId: z.string(),
    namespace: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/),
    clusterExtensionIds: z.array(z.string()).min(1),
    hostType: z.literal('Kubernetes').optional(),
    displayName: z.string().optional(),
  }),
});

/** A namespace of a connected cluster that resources of other providers can be placed in, as if it were a region. */
export const customLocationType: ResourceTypeDescriptor = {
  type: CUSTOM_LOCATION_TYPE,
  apiVersions: API_VERSIONS,
  tracked: true,
  graphTable: 'resources',
  errorShape: 'standard',
  members: ['identity'],
  readOnly: ['identity.principalId', 'identity.tenantId'],
  protocols: {
    put: { status: 'created-or-ok', body: 'resource', asyncOperation: true, location: false },
    patch: { status: 200, body: 'resource', asyncOperation: false, location: false, immediate: true },
    delete: { status: 202, body: 'empty', asyncOperation: true, location: false },
  },
  polling: 'operations-status',
  recordsLastOperation: false,
  actions: new Map(),

  validateName(name) {
    if (NAME_PATTERN.test(name)) return;
    throw badRequest('InvalidResourceName', `The name '${name}' must match ${NAME_PATTERN.source}.`, 'name');
  },
  planPut,
  planPatch,
  planDelete,
  conflict: arcConflict,
  references: (body) => {
    const properties = objectAt(body, 'properties');
    return [textAt(properties, 'hostResourceId') ?? '', ...textsOf(properties.clusterExtensionIds)].map((id) =>
      id.toLowerCase(),
    );
  },
  // The provider never says by which credential it came in.
  present: (location) => {
    const properties = objectAt(location.body, 'properties');
    const authentication = objectAt(properties, 'authentication');
    if (authentication.value === undefined) return location.body;
    return { ...location.body, properties: { ...properties, authentication: omit(authentication, ['value']) } };
  },
};

/** What can be placed on a custom location: follows from the extensions behind it, and nobody writes it. */
export const enabledResourceTypeType: ResourceTypeDescriptor = {
  type: ENABLED_TYPE,
  apiVersions: API_VERSIONS,
  tracked: false,
  graphTable: 'extendedlocationresources',
  errorShape: 'standard',
  members: [],
  readOnly: [],
  protocols: customLocationType.protocols,
  recordsLastOperation: false,
  actions: new Map(),
  validateName: () => undefined,
  planPut: refuseWrite,
  planPatch: refuseWrite,
  planDelete: refuseWrite,
  conflict: arcConflict,
};

/** The object id by which the provider of custom locations acts in clusters: one in each tenant. */
export function customLocationsPrincipal(tenantId: string): string {
  return deterministicUuid(`custom locations|${tenantId.toLowerCase()}`);
}

function refuseWrite(): never {
  throw new ArmError(405, 'HttpMethodNotAllowed', 'The types that a custom location enables cannot be written.');
}

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  const body: JsonObject = {
    ...requested,
    location: canonicalLocation(textAt(requested, 'location') ?? ''),
    properties: { hostType: 'Kubernetes', displayName: id.name, ...objectAt(requested, 'properties') },
  };
  return planOf(id, body, existing, world);
}

function planPatch({ id, requested, existing, world }: WriteRequest & { existing: StoredResource }): WritePlan {
  const foreign = Object.keys(omit(requested, ['tags', 'identity', 'properties']))[0];
  if (foreign !== undefined) throw badRequest('InvalidRequestContent', `'${foreign}' cannot be patched.`, foreign);
  return planOf(id, withoutNulls(mergePatch(existing.body, requested)), existing, world);
}

function planDelete(location: StoredResource, id: ArmId, world: ResourceWorld): WritePlan {
  const placed = PLACED_TYPES.flatMap((type) => world.referring(type, location.key))[0];
  if (placed !== undefined) {
    // The real words are not known.
    throw new ArmError(
      409,
      'CustomLocationInUse',
      `The custom location '${location.name}' cannot be deleted: '${placed.id}' is placed on it.`,
    );
  }
  return { writes: [{ id, body: location.body, state: 'Deleting' }], removes: [{ id, state: 'Deleting' }] };
}

function planOf(id: ArmId, body: JsonObject, existing: StoredResource | undefined, world: ResourceWorld): WritePlan {
  const { properties } = parseRequest(locationSchema, body);
  const host = hostOf(properties.hostResourceId, world);
  const location = textAt(host.body, 'location') ?? '';
  if (location !== textAt(body, 'location')) {
    throw badRequest(
      'InvalidLocation',
      `The location of the custom location must be '${location}', that of its host '${host.id}'.`,
      'location',
    );
  }
  refuseTakenNamespace(id, properties.namespace, host, world);
  const extensions = properties.clusterExtensionIds.map((extension) => extensionOf(extension, host, world));
  const identity = objectAt(body, 'identity');
  const identified: JsonObject =
    textAt(identity, 'type') === 'SystemAssigned'
      ? {
          identity: {
            ...identity,
            principalId: deterministicUuid(`principal|${id.canonical}`),
            tenantId: world.tenantId,
          },
        }
      : {};
  const types = enabledTypes(id, extensions);
  const kept = new Set(types.map((type) => type.id.canonical));
  const gone = world.children(id.canonical, ENABLED_TYPE).filter(({ key }) => !kept.has(key));
  const state = existing === undefined ? 'Creating' : 'Updating';
  const fails = refusalInCluster(properties.namespace, host, world);
  return {
    writes: [{ id, body: { ...body, ...identified }, state }, ...(fails === undefined ? types : [])],
    removes: gone.map((type) => ({ id: ArmId.parse(type.id), state: 'Deleting' })),
    ...(fails === undefined ? {} : { fails }),
  };
}

function hostOf(hostResourceId: string, world: ResourceWorld): StoredResource {
  const host = world.get(hostResourceId);
  if (host?.type === CONNECTED_CLUSTER_TYPE.toLowerCase()) return host;
  throw badRequest(
    'InvalidHostResourceId',
    `'${hostResourceId}' is not a connected cluster.`,
    'properties.hostResourceId',
  );
}

function refuseTakenNamespace(id: ArmId, namespace: string, host: StoredResource, world: ResourceWorld): void {
  const other = world
    .referring(CUSTOM_LOCATION_TYPE, host.key)
    .find(({ key, body }) => key !== id.canonical && textAt(objectAt(body, 'properties'), 'namespace') === namespace);
  if (other === undefined) return;
  throw new ArmError(
    409,
    'NamespaceAlreadyInUse',
    `The namespace '${namespace}' of the host '${host.id}' belongs to the custom location '${other.id}'.`,
    { target: 'properties.namespace' },
  );
}

function extensionOf(extensionId: string, host: StoredResource, world: ResourceWorld): StoredResource {
  const extension = world.get(extensionId);
  if (extension?.type === EXTENSION_TYPE.toLowerCase() && extension.parentKey === host.key) return extension;
  throw badRequest(
    'InvalidClusterExtensionId',
    `'${extensionId}' is not an extension of the host '${host.id}'.`,
    'properties.clusterExtensionIds',
  );
}

function enabledTypes(id: ArmId, extensions: readonly StoredResource[]): PlannedWrite[] {
  return extensions.flatMap((extension): PlannedWrite[] => {
    const type = textAt(objectAt(extension.body, 'properties'), 'extensionType') ?? '';
    const known = knownExtension(type);
    if (known === undefined || known.offers.length === 0) return [];
    const properties: JsonObject = {
      clusterExtensionId: extension.id,
      extensionType: type,
      typesMetadata: typesMetadata(known),
    };
    return [{ id: id.child('enabledResourceTypes', extension.name), body: { properties }, state: 'Succeeded' }];
  });
}

/** The provider goes through the relay into the cluster and makes the namespace there, by its own object id. */
function refusalInCluster(namespace: string, host: StoredResource, world: ResourceWorld): ArmErrorBody | undefined {
  const cluster = world.cluster(host.key);
  const what = `The operation to Create a Namespace: "${namespace}", failed with the following error: `;
  if (cluster === undefined || !hasRelayListener(cluster.objects)) {
    return {
      code: 'CreateNamespaceFailed',
      message:
        `${what}"an error on the server (\\"404 There are no listeners connected for the endpoint. ` +
        `TrackingId:${deterministicUuid(`tracking|${host.key}`)}_G5, SystemTracker:sb://azgnrelay-` +
        `${textAt(host.body, 'location') ?? ''}-l1.servicebus.windows.net/microsoft.kubernetes/connectedclusters/` +
        `${deterministicHex(host.key, 64)}/1, Timestamp:${host.modifiedAt.slice(0, 19)} websocket: bad handshake\\") ` +
        'has prevented the request from succeeding (post namespaces)"',
    };
  }
  const refusal = cluster.refusal(customLocationsPrincipal(world.tenantId), {
    verb: 'create',
    group: '',
    resource: 'namespaces',
    subresource: '',
    namespace: '',
    name: namespace,
    nonResourcePath: undefined,
  });
  return refusal === undefined
    ? undefined
    : { code: 'CreateNamespaceFailed', message: `${what}${JSON.stringify(refusal)}` };
}

function textsOf(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
