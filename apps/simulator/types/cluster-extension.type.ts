import type { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import type { ArmErrorBody } from '../arm-error.js';
import { deterministicUuid } from '../deterministic-id.js';
import type { ClusterObjects } from '../kubernetes/cluster.objects.js';
import { mergePatch, objectAt, omit, textAt } from '../json-merge.js';
import { installationFault } from '../kubernetes/app-service.installation.js';
import { withoutNulls } from '../resource.renderer.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceTypeDescriptor, ResourceWorld, WritePlan, WriteRequest } from '../resource-type.descriptor.js';
import { APP_SERVICE_EXTENSION } from './app-service.family.js';
import { CONNECTED_CLUSTER_TYPE, EXTENSION_TYPE, arcConflict, badRequest } from './arc.family.js';
import { knownExtension } from './extension-catalog.js';
import type { KnownExtension } from './extension-catalog.js';
import { parseRequest } from './fleet.family.js';

const NAME_PATTERN = /^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?$/;
const texts = z.record(z.string(), z.string());

const extensionSchema = z.looseObject({
  identity: z.looseObject({ type: z.literal('SystemAssigned') }).optional(),
  properties: z.looseObject({
    extensionType: z.string().optional(),
    autoUpgradeMinorVersion: z.boolean().optional(),
    autoUpgradeMode: z.enum(['none', 'patch', 'compatible']).optional(),
    releaseTrain: z.string().optional(),
    version: z.string().optional(),
    scope: z
      .looseObject({
        cluster: z.looseObject({ releaseNamespace: z.string().optional() }).optional(),
        namespace: z.looseObject({ targetNamespace: z.string().optional() }).optional(),
      })
      .optional(),
    configurationSettings: texts.optional(),
    configurationProtectedSettings: texts.optional(),
  }),
});

/** What follows from a deletion by force, byte for byte: the provider shows a piece of its own inside. */
const FORCED_ANSWER: JsonObject = {
  version: '1.1',
  content: null,
  statusCode: 200,
  reasonPhrase: 'OK',
  headers: [],
  trailingHeaders: [],
  requestMessage: null,
  isSuccessStatusCode: true,
};

/** Software that Azure installs in a cluster. An extension of a connected cluster, a managed cluster or a fleet. */
export const clusterExtensionType: ResourceTypeDescriptor = {
  type: EXTENSION_TYPE,
  apiVersions: ['2022-03-01', '2022-07-01', '2022-11-01', '2023-05-01', '2024-11-01', '2025-03-01'],
  tracked: false,
  graphTable: 'kubernetesconfigurationresources',
  errorShape: 'standard',
  members: ['identity', 'plan', 'managedBy'],
  readOnly: [
    'properties.currentVersion',
    'properties.statuses',
    'properties.errorInfo',
    'properties.isSystemExtension',
    'properties.customLocationSettings',
    'properties.extensionState',
    'properties.packageUri',
    'identity.principalId',
    'identity.tenantId',
  ],
  versioned: [
    { path: 'properties.autoUpgradeMode', since: '2025-03-01' },
    { path: 'properties.extensionState', since: '2025-03-01' },
  ],
  protocols: {
    put: { status: 'created-or-ok', body: 'resource', asyncOperation: true, location: true },
    patch: { status: 202, body: 'resource', asyncOperation: true, location: true },
    delete: { status: 202, body: 'empty', asyncOperation: true, location: true },
  },
  polling: 'child',
  headers: () => ({ 'api-supported-versions': '2025-03-01' }),
  recordsLastOperation: false,
  actions: new Map(),

  validateName(name) {
    if (NAME_PATTERN.test(name)) return;
    throw badRequest('InvalidResourceName', `The name '${name}' must match ${NAME_PATTERN.source}.`, 'name');
  },
  planPut,
  planPatch,
  planDelete: (extension, id) => ({
    writes: [{ id, body: extension.body, state: 'Deleting' }],
    removes: [{ id, state: 'Deleting' }],
  }),
  deleteNow: (query) => (query.get('forcedelete')?.toLowerCase() === 'true' ? FORCED_ANSWER : undefined),
  conflict: arcConflict,
  present: (extension) => ({ ...extension.body, properties: withoutSecrets(objectAt(extension.body, 'properties')) }),
  failed: (properties, error) => ({
    ...properties,
    statuses: [{ code: 'InstallationFailed', level: 'Error', message: error.details?.[0]?.message ?? error.message }],
  }),
};

function planPut(request: WriteRequest): WritePlan {
  const { id, requested, existing, world } = request;
  const properties = objectAt(requested, 'properties');
  const type = textAt(properties, 'extensionType');
  if (type === undefined) throw badRequest('InvalidExtensionType', 'The property extensionType is required.');
  const before = textAt(objectAt(existing?.body, 'properties'), 'extensionType');
  if (before !== undefined && before !== type.toLowerCase()) {
    throw badRequest('ExtensionTypeUpdateNotAllowed', `The extension '${id.name}' is of the type '${before}'.`);
  }
  // The provider does not ask for what it would be told anyway: absent members have these values from here on.
  const filled = { autoUpgradeMinorVersion: true, releaseTrain: 'Stable', ...properties };
  return planOf(request, { ...requested, properties: filled }, existing === undefined ? 'Creating' : 'Updating', world);
}

function planPatch(request: WriteRequest & { existing: StoredResource }): WritePlan {
  const { requested, existing, world } = request;
  const foreign = Object.keys(omit(requested, ['properties']))[0];
  if (foreign !== undefined) throw badRequest('InvalidRequestContent', `'${foreign}' cannot be patched.`, foreign);
  const sent = objectAt(requested, 'properties');
  // Where Azure is told to upgrade by itself again, the version that was held goes.
  const isReleased = sent.autoUpgradeMinorVersion === true && sent.version === undefined;
  const patch = isReleased ? { ...requested, properties: { ...sent, version: null } } : requested;
  return planOf(request, withoutNulls(mergePatch(existing.body, patch)), 'Updating', world);
}

function planOf({ id, existing }: WriteRequest, wanted: JsonObject, state: string, world: ResourceWorld): WritePlan {
  parseRequest(extensionSchema, wanted);
  const properties = objectAt(wanted, 'properties');
  const type = (textAt(properties, 'extensionType') ?? '').toLowerCase();
  const version = textAt(properties, 'version');
  if (version !== undefined && properties.autoUpgradeMinorVersion === true) {
    throw badRequest(
      'InvalidVersion',
      "The property 'version' can be set only when 'autoUpgradeMinorVersion' is false.",
      'properties.version',
    );
  }
  if (existing === undefined && isRetired(type, world)) {
    throw badRequest(
      'ExtensionTypeRetired',
      `The extension type '${type}' has been retired and cannot be installed any more.`,
    );
  }
  const known = knownExtension(type);
  const scope = scopeOf(objectAt(properties, 'scope'), known);
  const identity = objectAt(wanted, 'identity');
  const body: JsonObject = {
    ...wanted,
    ...(textAt(identity, 'type') === undefined
      ? {}
      : {
          identity: {
            type: 'SystemAssigned',
            principalId: deterministicUuid(`principal|${id.canonical}`),
            tenantId: world.tenantId,
          },
        }),
    properties: { ...properties, extensionType: type, scope, isSystemExtension: known?.isSystem ?? false },
  };
  const installed = version ?? known?.version ?? '1.0.0';
  const patch: JsonObject = {
    properties: {
      currentVersion: installed,
      statuses: [
        {
          code: 'InstallationSucceeded',
          level: 'Information',
          message: `Release ${id.name} installed successfully`,
        },
      ],
    },
  };
  const fails =
    existing === undefined || state === 'Updating'
      ? refusalOf({ id, type, known, scope, settings: objectAt(properties, 'configurationSettings'), existing }, world)
      : undefined;
  return { writes: [{ id, body, state }], merges: [{ id, patch }], ...(fails === undefined ? {} : { fails }) };
}

/** What the agents in the cluster are to manage. */
interface Installation {
  id: ArmId;
  type: string;
  known: KnownExtension | undefined;
  scope: JsonObject;
  settings: JsonObject;
  existing: StoredResource | undefined;
}

/** Why they will not manage; undefined when all is well. */
function refusalOf(installation: Installation, world: ResourceWorld): ArmErrorBody | undefined {
  const { id, type, known, scope, settings, existing } = installation;
  const host = world.get(id.parent ?? id);
  const isConnected = host?.type === CONNECTED_CLUSTER_TYPE.toLowerCase();
  const status = textAt(objectAt(host?.body, 'properties'), 'connectivityStatus');
  if (isConnected && status !== 'Connected') {
    return nested(
      'ExtensionCreationFailed',
      'error: Unable to get the status from the local CRD with the error : ' +
        "{Error : Retry for given duration didn't get any results with err {status not populated}}",
    );
  }
  if (known === undefined) {
    return nested('ExtensionOperationFailed', `The extension type '${type}' is not registered for this cluster type.`);
  }
  const namespace = textAt(objectAt(scope, 'cluster'), 'releaseNamespace');
  const cluster = isConnected && namespace !== undefined ? world.cluster(host.key) : undefined;
  if (cluster === undefined || namespace === undefined) return undefined;
  if (existing === undefined && hasRelease(cluster.objects, id.name, namespace))
    return chartFault(id, 'cannot re-use a name that is still in use');
  if (type !== APP_SERVICE_EXTENSION) return undefined;
  const fault = installationFault({ name: id.name, namespace }, settings, cluster.objects);
  return fault === undefined ? undefined : chartFault(id, fault);
}

/** Of any revision. */
function hasRelease(objects: ClusterObjects, release: string, namespace: string): boolean {
  return objects
    .list('secrets', namespace)
    .some(({ metadata }) => metadata.labels?.owner === 'helm' && metadata.labels.name === release);
}

/** What Helm said, as the agents pass it on. */
function chartFault(id: ArmId, words: string): ArmErrorBody {
  return nested(
    'ExtensionOperationFailed',
    `Error: {failed to install chart from path [] for release [${id.name}]: err [${words}]}`,
  );
}

/** As the provider nests what the agents reported. */
function nested(code: string, message: string): ArmErrorBody {
  return {
    code: 'ResourceOperationFailure',
    message: "The resource operation completed with terminal provisioning state 'Failed'.",
    details: [{ code, message }],
  };
}

function scopeOf(requested: JsonObject, known: KnownExtension | undefined): JsonObject {
  const target = textAt(objectAt(requested, 'namespace'), 'targetNamespace');
  if (target !== undefined) return { namespace: { targetNamespace: target } };
  const release = textAt(objectAt(requested, 'cluster'), 'releaseNamespace');
  return { cluster: { releaseNamespace: release ?? known?.releaseNamespace ?? 'default' } };
}

function isRetired(type: string, world: ResourceWorld): boolean {
  return world.retiredExtensionTypes().some((retired) => retired.toLowerCase() === type);
}

/** Secrets go in and never come out: their names do. */
function withoutSecrets(properties: JsonObject): JsonObject {
  const secrets = objectAt(properties, 'configurationProtectedSettings');
  const blank = Object.fromEntries(Object.keys(secrets).map((name) => [name, '']));
  return Object.keys(secrets).length === 0 ? properties : { ...properties, configurationProtectedSettings: blank };
}
