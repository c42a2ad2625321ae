import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { mergePatch, objectAt, objectsAt, omit, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type {
  ActionOutcome,
  ActionRequest,
  PlannedWrite,
  ResourceTypeDescriptor,
  ResourceWorld,
  WritePlan,
  WriteRequest,
} from '../resource-type.descriptor.js';
import {
  checkCoreQuota,
  poolChangeState,
  poolCores,
  poolDiffers,
  poolProperties,
  poolUpgrade,
  validatePoolName,
  requireMachineSize,
} from './agent-pool.body.js';
import { AGENT_POOL_TYPE } from './core-usage.js';
import { aksEtag, surroundingsOf } from './agent-pool.type.js';
import { AKS_API_VERSIONS } from './aks.api-versions.js';
import { aksError, etagMismatch, invalidParameter, missingParameter, operationInProgress } from './aks.errors.js';
import { addonRights } from './aci-connector.addon.js';
import { ABORTED, AKS_ACTION_PROTOCOL, AKS_PROTOCOLS, AKS_RUNNING_NOTICE, DELETED } from './aks.protocol.js';
import { clusterToken, isManagedByEntra } from './cluster.credentials.js';
import { kubeconfigAnswer, kubernetesUrl } from './kubeconfig.js';
import type { KubeconfigUser } from './kubeconfig.js';
import { clusterBody, hostNames } from './managed-cluster.body.js';

const NAME_PATTERN = /^[a-zA-Z0-9]$|^[a-zA-Z0-9][-_a-zA-Z0-9]{0,61}[a-zA-Z0-9]$/;

export const managedClusterType: ResourceTypeDescriptor = {
  type: 'Microsoft.ContainerService/managedClusters',
  wireType: 'Microsoft.ContainerService/ManagedClusters',
  lowerCaseGroupSegment: true,
  apiVersions: AKS_API_VERSIONS,
  tracked: true,
  graphTable: 'resources',
  errorShape: 'unwrapped',
  members: ['identity', 'sku', 'kind', 'extendedLocation'],
  readOnly: [
    'properties.powerState',
    'properties.currentKubernetesVersion',
    'properties.fqdn',
    'properties.azurePortalFQDN',
    'properties.privateFQDN',
    'properties.maxAgentPools',
    'properties.resourceUID',
    'properties.status',
    'identity.principalId',
    'identity.tenantId',
  ],
  derived: ['properties.agentPoolProfiles'],
  etag: { at: 'top', format: aksEtag, mismatch: etagMismatch },
  protocols: AKS_PROTOCOLS,
  recordsLastOperation: false,
  runningNotice: AKS_RUNNING_NOTICE,
  actions: new Map<string, (request: ActionRequest) => ActionOutcome>([
    ['listclusterusercredential', listUserCredential],
    ['listclusteradmincredential', listAdminCredential],
    ['listclustermonitoringusercredential', listMonitoringCredential],
    ['start', (request) => power(request, 'Running')],
    ['stop', (request) => power(request, 'Stopped')],
    ['abort', abort],
  ]),

  validateName(name) {
    if (!NAME_PATTERN.test(name)) {
      throw invalidParameter('resourceName', `The name ${name} does not match ${NAME_PATTERN.source}.`);
    }
  },
  planPut,
  planPatch,
  planDelete,
  conflict(target, intent, running) {
    // Both end what is running instead of waiting for it.
    const ends = intent === 'abort' || (intent === 'delete' && running.action !== 'delete');
    return ends ? undefined : operationInProgress(target, running);
  },
  present,
  dependents(cluster) {
    const group = textAt(objectAt(cluster.body, 'properties'), 'nodeResourceGroup');
    return group === undefined ? [] : [ArmId.resourceGroup(cluster.subscriptionId, group)];
  },
  failed: (properties, error) => ({
    ...properties,
    status: { provisioningError: { code: error.code, message: error.message } },
  }),
};

/** Shows the pools inside the cluster. */
function present(cluster: StoredResource, world: ResourceWorld): JsonObject {
  const profiles = world.children(cluster.key, AGENT_POOL_TYPE).map((pool) => ({
    name: pool.name,
    ...objectAt(pool.body, 'properties'),
    eTag: aksEtag(pool),
  }));
  return { ...cluster.body, properties: { ...objectAt(cluster.body, 'properties'), agentPoolProfiles: profiles } };
}

function planPut(request: WriteRequest): WritePlan {
  const { id, existing, world } = request;
  const body = clusterBody(request);
  const pools = planPools(request, body);
  const location = textAt(body, 'location') ?? '';
  checkCoreQuota(world, id.subscriptionId ?? '', location, pools.additionalCores);
  const properties = objectAt(body, 'properties');
  const group = textAt(properties, 'nodeResourceGroup') ?? '';
  if (existing === undefined) refuseTakenGroup(id, group, world);
  return {
    writes: [
      { id, body, state: existing === undefined ? 'Creating' : updateState(existing, properties) },
      ...pools.writes,
      ...addonRights(id, body, existing?.body),
    ],
    removes: pools.removes,
    groups: existing === undefined ? [{ name: group, location, managedBy: id.toString() }] : [],
    merges: [{ id, patch: { properties: hostNames(id, body) } }, ...pools.merges],
  };
}

/** AKS wants the node resource group for itself. The words of the refusal are our own. */
function refuseTakenGroup(id: ArmId, name: string, world: ResourceWorld): void {
  const group = world.get(`/subscriptions/${id.subscriptionId ?? ''}/resourceGroups/${name}`);
  if (group === undefined || textAt(group.body, 'managedBy')?.toLowerCase() === id.canonical) return;
  throw invalidParameter('nodeResourceGroup', `The resource group ${name} exists already.`);
}

function updateState(existing: StoredResource, properties: JsonObject): string {
  const before = textAt(objectAt(existing.body, 'properties'), 'currentKubernetesVersion');
  return before === properties.currentKubernetesVersion ? 'Updating' : 'Upgrading';
}

interface PlannedPools {
  writes: PlannedWrite[];
  removes: { id: ArmId; state: string }[];
  merges: { id: ArmId; patch: JsonObject }[];
  additionalCores: number;
}

/** A PUT without `agentPoolProfiles` leaves the pools alone; one with them makes, changes and removes. */
function planPools({ id, requested, existing, world }: WriteRequest, cluster: JsonObject): PlannedPools {
  const sent = objectAt(requested, 'properties').agentPoolProfiles;
  if (sent === undefined) {
    if (existing === undefined) throw missingParameter('agentPoolProfiles');
    return { writes: [], removes: [], merges: [], additionalCores: 0 };
  }
  const present = new Map(world.children(id.canonical, AGENT_POOL_TYPE).map((pool) => [pool.name, pool]));
  const result: PlannedPools = { writes: [], removes: [], merges: [], additionalCores: 0 };
  const surroundings = surroundingsOf(cluster);
  const seen = new Set<string>();
  let systemPools = 0;
  for (const profile of objectsAt(objectAt(requested, 'properties'), 'agentPoolProfiles')) {
    const name = textAt(profile, 'name') ?? '';
    validatePoolName(name);
    if (seen.has(name)) throw invalidParameter('agentPoolProfile.name', `The name ${name} occurs more than once.`);
    seen.add(name);
    const pool = present.get(name);
    const before = pool === undefined ? undefined : objectAt(pool.body, 'properties');
    const after = poolProperties(name, omit(profile, ['name']), before, surroundings);
    if (before === undefined) requireMachineSize(world, after, textAt(cluster, 'location') ?? '');
    if (after.mode === 'System') systemPools++;
    result.additionalCores += poolCores(after) - (before === undefined ? 0 : poolCores(before));
    if (before !== undefined && !poolDiffers(before, after)) continue;
    const state = before === undefined ? 'Creating' : poolChangeState(before, after);
    const poolId = id.child('agentPools', name);
    result.writes.push({ id: poolId, body: { properties: after }, state });
    const upgrade = poolUpgrade(name, after, surroundings.kubernetesVersion);
    if (upgrade !== undefined) result.merges.push({ id: poolId, patch: upgrade });
  }
  if (systemPools === 0) throw aksError(400, 'InvalidParameter', 'There has to be at least one system agent pool.');
  for (const [name, pool] of present) {
    if (seen.has(name)) continue;
    result.removes.push({ id: id.child('agentPools', name), state: 'Deleting' });
    result.additionalCores -= poolCores(objectAt(pool.body, 'properties'));
  }
  return result;
}

/** Tags are all that a PATCH can change; those sent replace those there, one by one. */
function planPatch({ id, requested, existing }: WriteRequest & { existing: StoredResource }): WritePlan {
  const foreign = Object.keys(omit(requested, ['tags']))[0];
  if (foreign !== undefined) throw invalidParameter(foreign, 'A managed cluster can be patched in its tags only.');
  const tags = mergePatch(objectAt(existing.body, 'tags'), objectAt(requested, 'tags'));
  return { writes: [{ id, body: { ...existing.body, tags }, state: 'Updating' }] };
}

function planDelete(cluster: StoredResource, id: ArmId): WritePlan {
  return {
    writes: [{ id, body: cluster.body, state: 'Deleting' }],
    removes: [{ id, state: 'Deleting' }],
    preempts: { error: DELETED, status: 'Failed' },
  };
}

function power({ id, resource, world }: ActionRequest, wanted: 'Running' | 'Stopped'): ActionOutcome {
  const properties = objectAt(resource.body, 'properties');
  if (objectAt(properties, 'powerState').code === wanted) return { kind: 'answer', status: 204 };
  const pools = world.children(resource.key, AGENT_POOL_TYPE);
  const patch = { properties: { powerState: { code: wanted } } };
  return {
    kind: 'operation',
    protocol: AKS_ACTION_PROTOCOL,
    plan: {
      writes: [{ id, body: resource.body, state: wanted === 'Running' ? 'Starting' : 'Stopping' }],
      merges: [{ id, patch }, ...pools.map((pool) => ({ id: ArmId.parse(pool.id), patch }))],
    },
  };
}

function abort({ id, resource }: ActionRequest): ActionOutcome {
  return {
    kind: 'operation',
    plan: {
      writes: [{ id, body: resource.body, state: 'Canceling' }],
      finalState: 'Canceled',
      preempts: { error: ABORTED },
    },
    protocol: AKS_ACTION_PROTOCOL,
  };
}

function listUserCredential(request: ActionRequest): ActionOutcome {
  const { resource, world } = request;
  const user: KubeconfigUser = isManagedByEntra(resource)
    ? kubeloginUser(request.query.get('format'), world.tenantId)
    : { kind: 'token', token: clusterToken(resource, 'user') };
  return credential(request, 'clusterUser', user);
}

function listAdminCredential(request: ActionRequest): ActionOutcome {
  refuseDisabledLocalAccounts(request.resource);
  return credential(request, 'clusterAdmin', { kind: 'token', token: clusterToken(request.resource, 'admin') });
}

function listMonitoringCredential(request: ActionRequest): ActionOutcome {
  refuseDisabledLocalAccounts(request.resource);
  return credential(request, 'clusterMonitoringUser', {
    kind: 'token',
    token: clusterToken(request.resource, 'monitoring'),
  });
}

function refuseDisabledLocalAccounts(cluster: StoredResource): void {
  if (objectAt(cluster.body, 'properties').disableLocalAccounts !== true) return;
  throw aksError(
    400,
    'BadRequest',
    'Getting static credential is not allowed because this cluster is set to disable local accounts.',
  );
}

/** `format=exec` and no format name the plugin; `azure` asks for the block that clients before 1.26 understood. */
function kubeloginUser(format: string | undefined, tenantId: string): KubeconfigUser {
  switch (format?.toLowerCase()) {
    case undefined:
    case 'exec':
      return { kind: 'exec', tenantId };
    case 'azure':
      return { kind: 'azure', tenantId };
    default:
      throw invalidParameter('format', `The format '${format ?? ''}' is none of azure and exec.`);
  }
}

function credential({ resource, baseUrl, world }: ActionRequest, name: string, user: KubeconfigUser): ActionOutcome {
  const config = {
    cluster: resource.name,
    server: kubernetesUrl(baseUrl, resource.key),
    authority: world.certificateAuthority(),
    userName: `${name}_${resource.resourceGroup ?? ''}_${resource.name}`,
    user,
  };
  return { kind: 'answer', status: 200, body: kubeconfigAnswer(name, config) };
}
