import type { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { deterministicUuid } from '../deterministic-id.js';
import { objectAt, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type {
  ActionOutcome,
  ActionRequest,
  ResourceTypeDescriptor,
  ResourceWorld,
  WritePlan,
  WriteRequest,
} from '../resource-type.descriptor.js';
import {
  POOL_READ_ONLY,
  checkCoreQuota,
  poolChangeState,
  poolCores,
  poolProperties,
  poolUpgrade,
  requireMachineSize,
  validatePoolName,
} from './agent-pool.body.js';
import { AGENT_POOL_TYPE } from './core-usage.js';
import type { PoolSurroundings } from './agent-pool.body.js';
import { AKS_API_VERSIONS } from './aks.api-versions.js';
import { aksError, etagMismatch, operationInProgress } from './aks.errors.js';
import { ABORTED, AKS_ACTION_PROTOCOL, AKS_PROTOCOLS, AKS_RUNNING_NOTICE } from './aks.protocol.js';
import { DEFAULT_KUBERNETES_VERSION } from './kubernetes-version.js';
import { LATEST_NODE_IMAGE, imageFor } from './node-image.js';

/** Node pools. The cluster shows them too, as `agentPoolProfiles`; there is one truth, and it is here. */
export const agentPoolType: ResourceTypeDescriptor = {
  type: AGENT_POOL_TYPE,
  lowerCaseGroupSegment: true,
  apiVersions: AKS_API_VERSIONS,
  tracked: false,
  errorShape: 'unwrapped',
  members: [],
  readOnly: POOL_READ_ONLY.map((member) => `properties.${member}`),
  etag: { at: 'properties', format: aksEtag, mismatch: etagMismatch },
  protocols: AKS_PROTOCOLS,
  recordsLastOperation: false,
  shownInParent: true,
  runningNotice: AKS_RUNNING_NOTICE,
  actions: new Map([
    ['abort', abort],
    ['upgradenodeimageversion', upgradeNodeImage],
  ]),

  validateName: validatePoolName,
  planPut,
  planPatch(): never {
    throw aksError(405, 'MethodNotAllowed', 'The agentPools resource has no PATCH: send the whole pool by PUT.');
  },
  planDelete,
  references: (body) => {
    const { vnetSubnetID, podSubnetID } = objectAt(body, 'properties');
    return [vnetSubnetID, podSubnetID].filter((id) => typeof id === 'string').map((id) => id.toLowerCase());
  },
  conflict: (target, intent, running) => (intent === 'abort' ? undefined : operationInProgress(target, running)),
  failed: (properties, error) => ({
    ...properties,
    status: { provisioningError: { code: error.code, message: error.message } },
  }),
};

/** AKS writes a bare uuid. */
export function aksEtag(resource: StoredResource): string {
  return deterministicUuid(`${resource.key}|${resource.version}`);
}

/** What of a stored cluster matters to its pools. */
export function surroundingsOf(cluster: JsonObject): PoolSurroundings {
  const properties = objectAt(cluster, 'properties');
  const network = objectAt(properties, 'networkProfile');
  return {
    kubernetesVersion: textAt(properties, 'currentKubernetesVersion') ?? DEFAULT_KUBERNETES_VERSION,
    networkPlugin: textAt(network, 'networkPlugin') ?? 'azure',
    networkPluginMode: textAt(network, 'networkPluginMode'),
  };
}

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  const cluster = clusterOf(id, world);
  const before = existing === undefined ? undefined : objectAt(existing.body, 'properties');
  const after = poolProperties(id.name, objectAt(requested, 'properties'), before, surroundingsOf(cluster.body));
  if (before !== undefined) refuseStop(before, after);
  if (before?.mode === 'System' && after.mode !== 'System') refuseLastSystemPool(id, cluster, world);
  const location = textAt(cluster.body, 'location') ?? '';
  if (before === undefined) requireMachineSize(world, after, location);
  checkCoreQuota(
    world,
    id.subscriptionId ?? '',
    location,
    poolCores(after) - (before === undefined ? 0 : poolCores(before)),
  );
  const state = before === undefined ? 'Creating' : poolChangeState(before, after);
  const upgrade = poolUpgrade(id.name, after, surroundingsOf(cluster.body).kubernetesVersion);
  return {
    writes: [{ id, body: { properties: after }, state }],
    ...(upgrade === undefined ? {} : { merges: [{ id, patch: upgrade }] }),
  };
}

function planDelete(pool: StoredResource, id: ArmId, world: ResourceWorld): WritePlan {
  if (objectAt(pool.body, 'properties').mode === 'System') refuseLastSystemPool(id, clusterOf(id, world), world);
  return { writes: [{ id, body: pool.body, state: 'Deleting' }], removes: [{ id, state: 'Deleting' }] };
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

/** To the newest image of the pool's family; its Kubernetes version stays. */
function upgradeNodeImage({ id, resource, world }: ActionRequest): ActionOutcome {
  clusterOf(id, world);
  const image = imageFor(objectAt(resource.body, 'properties'), [LATEST_NODE_IMAGE]);
  return {
    kind: 'operation',
    plan: {
      writes: [{ id, body: resource.body, state: 'UpgradingNodeImageVersion' }],
      ...(image === undefined ? {} : { merges: [{ id, patch: { properties: { nodeImageVersion: image } } }] }),
    },
    protocol: AKS_ACTION_PROTOCOL,
  };
}

/** @throws ArmError while the cluster does not run: AKS changes no pool of a stopped cluster. */
function clusterOf(pool: ArmId, world: ResourceWorld): StoredResource {
  const cluster = world.get(pool.parent?.canonical ?? '');
  if (cluster === undefined) throw new TypeError(`The pool ${pool.toString()} has no cluster`);
  const power = objectAt(objectAt(cluster.body, 'properties'), 'powerState');
  if (power.code === 'Stopped') {
    throw aksError(
      400,
      'OperationNotAllowed',
      `Operation is not allowed: the managed cluster ${cluster.name} is stopped. Please start it first.`,
    );
  }
  return cluster;
}

/** System pods have to have nodes: a pool of theirs stops with its cluster only. */
function refuseStop(before: JsonObject, after: JsonObject): void {
  const isStopped = (properties: JsonObject): boolean => objectAt(properties, 'powerState').code === 'Stopped';
  if (isStopped(before) || !isStopped(after) || after.mode !== 'System') return;
  throw aksError(400, 'OperationNotAllowed', 'Operation is not allowed: a system agent pool cannot be stopped.');
}

function refuseLastSystemPool(pool: ArmId, cluster: StoredResource, world: ResourceWorld): void {
  const others = world
    .children(cluster.key, AGENT_POOL_TYPE)
    .filter((other) => other.key !== pool.canonical && objectAt(other.body, 'properties').mode === 'System');
  if (others.length === 0) {
    throw aksError(400, 'OperationNotAllowed', 'There has to be at least one system agent pool.', {
      subcode: 'SystemPoolMissing',
    });
  }
}
