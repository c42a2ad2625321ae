import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmErrorBody } from '../arm-error.js';
import { objectAt, objectsAt, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type { PlannedWrite, ResourceWorld, WritePlan } from '../resource-type.descriptor.js';
import { AGENT_POOL_TYPE } from './core-usage.js';
import { compareVersions, offeredVersions, upgradesFrom } from './kubernetes-version.js';
import { NODE_IMAGE_SCHEDULE, VERSION_SCHEDULE, closedSchedule } from './maintenance-configuration.type.js';
import { LATEST_NODE_IMAGE, imageFor, isAtOrAhead, isPublished } from './node-image.js';

export const UPGRADE_TYPES = ['Full', 'NodeImageOnly', 'ControlPlaneOnly'] as const;
type UpgradeType = (typeof UPGRADE_TYPES)[number];

/** What an update run does to each member. */
export interface ClusterUpdate {
  type: UpgradeType;
  kubernetesVersion: string | undefined;
  /** Empty where node images are left alone. */
  images: string[];
}

/** What an update run does with a member when its turn has come. */
export type MemberTurn =
  | { turn: 'skip'; message: string }
  | { turn: 'wait'; message: string; error?: ArmErrorBody }
  | { turn: 'fail'; error: ArmErrorBody }
  | { turn: 'upgrade'; plan: WritePlan; message: string | undefined };

export function clusterUpdateOf(managedClusterUpdate: JsonObject): ClusterUpdate {
  const upgrade = objectAt(managedClusterUpdate, 'upgrade');
  const type = UPGRADE_TYPES.find((known) => known === upgrade.type) ?? 'Full';
  const selection = objectAt(managedClusterUpdate, 'nodeImageSelection');
  const custom = objectsAt(selection, 'customNodeImageVersions').map((image) => textAt(image, 'version') ?? '');
  return {
    type,
    kubernetesVersion: textAt(upgrade, 'kubernetesVersion'),
    images: type === 'ControlPlaneOnly' ? [] : selection.type === 'Custom' ? custom : [LATEST_NODE_IMAGE],
  };
}

/** What holds a cluster up is documented; where it is not, the comment says so. */
export function memberTurn(clusterId: string, update: ClusterUpdate, at: number, world: ResourceWorld): MemberTurn {
  const cluster = world.get(clusterId);
  if (cluster === undefined) {
    return fail('ClusterNotFound', `The cluster '${clusterId}' does not exist.`);
  }
  const properties = objectAt(cluster.body, 'properties');
  const pools = world.children(cluster.key, AGENT_POOL_TYPE);
  const images = poolImages(pools, update);
  const refusal = update.type === 'NodeImageOnly' ? undefined : versionTurn(cluster, pools, update, images);
  if (refusal !== undefined) return refusal;
  if (update.type === 'NodeImageOnly' && images.length === 0) {
    return { turn: 'skip', message: 'Every agent pool is already at or ahead of the target node image version.' };
  }
  // One stopped cluster fails a run: users have asked for something better.
  if (objectAt(properties, 'powerState').code === 'Stopped') {
    return fail('OperationNotAllowed', `The managed cluster ${cluster.name} is stopped. Please start it first.`);
  }
  const unpublished = images.find(({ image }) => !isPublished(image));
  if (unpublished !== undefined) {
    const region = textAt(cluster.body, 'location') ?? '';
    const message = `target upgrade node image version "${unpublished.image}" for agent pool ${unpublished.pool.name} is not available in region "${region}"`;
    return { turn: 'wait', message, error: { code: 'NodeImageVersionNotAvailable', message } };
  }
  const schedule = update.type === 'NodeImageOnly' ? NODE_IMAGE_SCHEDULE : VERSION_SCHEDULE;
  const closed = closedSchedule(cluster.key, schedule, at, world);
  if (closed !== undefined) {
    const opens = closed.opensAt === undefined ? 'It does not open again.' : openingText(closed.opensAt);
    return { turn: 'wait', message: `The maintenance window of the cluster is not open. ${opens}` };
  }
  // Not documented: that it waits is our choice.
  if (isMoving(properties) || pools.some((pool) => isMoving(objectAt(pool.body, 'properties')))) {
    return { turn: 'wait', message: `Another operation runs on the cluster ${cluster.name}.` };
  }
  return { turn: 'upgrade', plan: upgradePlan(cluster, pools, update, images), message: undefined };
}

/** Why a cluster is not taken to the version; undefined where it is. */
function versionTurn(
  cluster: StoredResource,
  pools: readonly StoredResource[],
  { type, kubernetesVersion: wanted = '' }: ClusterUpdate,
  images: readonly PoolImage[],
): MemberTurn | undefined {
  const present = textAt(objectAt(cluster.body, 'properties'), 'currentKubernetesVersion') ?? '';
  const behind = pools.some(
    (pool) =>
      compareVersions(textAt(objectAt(pool.body, 'properties'), 'currentOrchestratorVersion') ?? '', wanted) < 0,
  );
  if (present === wanted && (type === 'ControlPlaneOnly' || (!behind && images.length === 0))) {
    return { turn: 'skip', message: `The cluster is already at the target Kubernetes version ${wanted}.` };
  }
  if (present === wanted || upgradesFrom(present).includes(wanted)) return undefined;
  if (compareVersions(wanted, offeredVersions().at(-1) ?? '') > 0) {
    return {
      turn: 'wait',
      message: `target Kubernetes version "${wanted}" is not available yet; see the AKS release tracker`,
    };
  }
  // The words are those of AKS for a single cluster.
  const upgrades = upgradesFrom(present).join(',');
  return fail(
    'OperationNotAllowed',
    `Upgrading Kubernetes version ${present} to ${wanted} is not allowed. Available upgrades: [${upgrades}].`,
  );
}

interface PoolImage {
  pool: StoredResource;
  image: string;
}

/** The pools that get another image. */
function poolImages(pools: readonly StoredResource[], { images }: ClusterUpdate): PoolImage[] {
  return pools.flatMap((pool) => {
    const properties = objectAt(pool.body, 'properties');
    const image = imageFor(properties, images);
    return image === undefined || isAtOrAhead(properties, image) ? [] : [{ pool, image }];
  });
}

function upgradePlan(
  cluster: StoredResource,
  pools: readonly StoredResource[],
  { type, kubernetesVersion: version }: ClusterUpdate,
  images: readonly PoolImage[],
): WritePlan {
  const id = ArmId.parse(cluster.id);
  const imageOf = new Map(images.map(({ pool, image }) => [pool.key, image]));
  const touched = type === 'Full' ? pools : pools.filter((pool) => type === 'NodeImageOnly' && imageOf.has(pool.key));
  const poolState = type === 'NodeImageOnly' ? 'UpgradingNodeImageVersion' : 'Upgrading';
  const wanted = type === 'NodeImageOnly' ? {} : { kubernetesVersion: version ?? '' };
  const body = { ...cluster.body, properties: { ...objectAt(cluster.body, 'properties'), ...wanted } };
  return {
    writes: [
      { id, body, state: type === 'NodeImageOnly' ? 'Updating' : 'Upgrading' },
      ...touched.map((pool): PlannedWrite => ({ id: ArmId.parse(pool.id), body: pool.body, state: poolState })),
    ],
    merges: [
      ...(version === undefined || type === 'NodeImageOnly'
        ? []
        : [{ id, patch: { properties: { currentKubernetesVersion: version } } }]),
      ...touched.map((pool) => ({
        id: ArmId.parse(pool.id),
        patch: {
          properties: {
            ...(type === 'Full' && version !== undefined
              ? { orchestratorVersion: version, currentOrchestratorVersion: version }
              : {}),
            ...(imageOf.has(pool.key) ? { nodeImageVersion: imageOf.get(pool.key) ?? '' } : {}),
          },
        },
      })),
    ],
  };
}

function isMoving(properties: JsonObject): boolean {
  const state = textAt(properties, 'provisioningState') ?? 'Succeeded';
  return !['Succeeded', 'Failed', 'Canceled'].includes(state);
}

function openingText(opensAt: number): string {
  return `It opens at ${new Date(opensAt).toISOString()}.`;
}

function fail(code: string, message: string): MemberTurn {
  return { turn: 'fail', error: { code, message } };
}
