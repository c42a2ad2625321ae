import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import * as z from 'zod';
import { deterministicHex } from '../deterministic-id.js';
import { mergePatch, objectAt, omit, textAt } from '../json-merge.js';
import { withoutNulls } from '../resource.renderer.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceTypeDescriptor, ResourceWorld, WritePlan, WriteRequest } from '../resource-type.descriptor.js';
import { EXTENSION_TYPE, FLUX_TYPE, arcConflict, badRequest } from './arc.family.js';
import { knownExtension } from './extension-catalog.js';
import { parseRequest } from './fleet.family.js';

const NAME_PATTERN = /^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$/;

const fluxSchema = z.looseObject({
  properties: z.looseObject({
    scope: z.enum(['cluster', 'namespace']).optional(),
    namespace: z.string().optional(),
    sourceKind: z.enum(['GitRepository', 'Bucket', 'AzureBlob', 'OCIRepository']).optional(),
    suspend: z.boolean().optional(),
    kustomizations: z.record(z.string(), z.looseObject({})).optional(),
  }),
});

/** What a cluster is to follow from a repository. Brings the extension `flux` along where it is missing. */
export const fluxConfigurationType: ResourceTypeDescriptor = {
  type: FLUX_TYPE,
  apiVersions: ['2022-03-01', '2022-11-01', '2023-05-01', '2024-11-01', '2025-04-01'],
  tracked: false,
  graphTable: 'kubernetesconfigurationresources',
  errorShape: 'standard',
  members: [],
  readOnly: [
    'properties.complianceState',
    'properties.errorMessage',
    'properties.repositoryPublicKey',
    'properties.sourceSyncedCommitId',
    'properties.sourceUpdatedAt',
    'properties.statuses',
    'properties.statusUpdatedAt',
  ],
  versioned: [{ path: 'properties.ociRepository', since: '2025-04-01' }],
  protocols: {
    put: { status: 'created-or-ok', body: 'resource', asyncOperation: true, location: true },
    patch: { status: 202, body: 'resource', asyncOperation: true, location: true },
    delete: { status: 202, body: 'empty', asyncOperation: true, location: true },
  },
  polling: 'child',
  recordsLastOperation: false,
  actions: new Map(),

  validateName(name) {
    if (NAME_PATTERN.test(name)) return;
    throw badRequest('InvalidResourceName', `The name '${name}' must match ${NAME_PATTERN.source}.`, 'name');
  },
  planPut,
  planPatch,
  planDelete: (configuration, id) => ({
    writes: [{ id, body: configuration.body, state: 'Deleting' }],
    removes: [{ id, state: 'Deleting' }],
  }),
  conflict: arcConflict,
};

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  const properties = {
    scope: 'cluster',
    namespace: 'default',
    suspend: false,
    ...objectAt(requested, 'properties'),
  };
  return planOf(id, { ...requested, properties }, existing === undefined ? 'Creating' : 'Updating', world);
}

function planPatch({ id, requested, existing, world }: WriteRequest & { existing: StoredResource }): WritePlan {
  const foreign = Object.keys(omit(requested, ['properties']))[0];
  if (foreign !== undefined) throw badRequest('InvalidRequestContent', `'${foreign}' cannot be patched.`, foreign);
  return planOf(id, withoutNulls(mergePatch(existing.body, requested)), 'Updating', world);
}

function planOf(id: ArmId, wanted: JsonObject, state: string, world: ResourceWorld): WritePlan {
  parseRequest(fluxSchema, wanted);
  const properties = objectAt(wanted, 'properties');
  const sourceKind = textAt(properties, 'sourceKind');
  if (sourceKind === undefined) throw badRequest('InvalidSourceKind', 'The property sourceKind is required.');
  const synced = properties.suspend === true ? 'Suspended' : 'Compliant';
  const commit = `main@sha1:${deterministicHex(`commit|${id.canonical}`, 40)}`;
  const body: JsonObject = { ...wanted, properties: { ...properties, complianceState: 'Pending', statuses: [] } };
  const patch: JsonObject = {
    properties: { complianceState: synced, ...(synced === 'Compliant' ? { sourceSyncedCommitId: commit } : {}) },
  };
  return {
    writes: [{ id, body, state }, ...fluxExtension(id, world)],
    merges: [{ id, patch }],
  };
}

/** The extension that does the work, made when nobody has installed it. */
function fluxExtension(id: ArmId, world: ResourceWorld): { id: ArmId; body: JsonObject; state: string }[] {
  const host = id.parent;
  if (host === undefined) return [];
  const installed = world
    .children(host.canonical, EXTENSION_TYPE)
    .some(({ body }) => textAt(objectAt(body, 'properties'), 'extensionType') === 'microsoft.flux');
  const flux = knownExtension('microsoft.flux');
  if (installed || flux === undefined) return [];
  const properties: JsonObject = {
    extensionType: flux.type,
    autoUpgradeMinorVersion: true,
    releaseTrain: 'Stable',
    scope: { cluster: { releaseNamespace: flux.releaseNamespace } },
    currentVersion: flux.version,
    isSystemExtension: false,
    statuses: [],
  };
  return [
    { id: ArmId.parse(`${host.toString()}/providers/${EXTENSION_TYPE}/flux`), body: { properties }, state: 'Creating' },
  ];
}
