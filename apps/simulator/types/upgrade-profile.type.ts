import type { JsonObject } from '#libs/kernel/json.js';
import { objectAt, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceTypeDescriptor, ResourceWorld } from '../resource-type.descriptor.js';
import { AKS_API_VERSIONS } from './aks.api-versions.js';
import { aksError } from './aks.errors.js';
import { AKS_PROTOCOLS } from './aks.protocol.js';
import { AGENT_POOL_TYPE } from './core-usage.js';
import { DEFAULT_KUBERNETES_VERSION, upgradesFrom } from './kubernetes-version.js';
import { LATEST_NODE_IMAGE, imageFor } from './node-image.js';

/** What a cluster and its pools can be upgraded to: `upgradeProfiles/default`. */
export const upgradeProfileType = profileType('Microsoft.ContainerService/managedClusters/upgradeProfiles', ofCluster);

/** What one pool can be upgraded to, with its newest image. */
export const poolUpgradeProfileType = profileType(`${AGENT_POOL_TYPE}/upgradeProfiles`, ofPool);

function profileType(
  type: string,
  profile: (above: StoredResource, world: ResourceWorld) => JsonObject,
): ResourceTypeDescriptor {
  return {
    type,
    lowerCaseGroupSegment: true,
    apiVersions: AKS_API_VERSIONS,
    tracked: false,
    errorShape: 'unwrapped',
    members: [],
    readOnly: [],
    protocols: AKS_PROTOCOLS,
    recordsLastOperation: false,
    actions: new Map(),

    derive(id, world) {
      const above = world.get(id.parent?.canonical ?? '');
      return above === undefined || id.name.toLowerCase() !== 'default' ? undefined : profile(above, world);
    },
    validateName: () => undefined,
    planPut: readOnly,
    planPatch: readOnly,
    planDelete: readOnly,
    conflict: () => undefined,
  };
}

function ofCluster(cluster: StoredResource, world: ResourceWorld): JsonObject {
  const version = textAt(objectAt(cluster.body, 'properties'), 'currentKubernetesVersion');
  return {
    properties: {
      controlPlaneProfile: offered('', version, 'Linux'),
      agentPoolProfiles: world.children(cluster.key, AGENT_POOL_TYPE).map((pool) => {
        const properties = objectAt(pool.body, 'properties');
        const osType = textAt(properties, 'osType') ?? 'Linux';
        return offered(pool.name, textAt(properties, 'currentOrchestratorVersion'), osType);
      }),
    },
  };
}

function ofPool(pool: StoredResource): JsonObject {
  const properties = objectAt(pool.body, 'properties');
  const osType = textAt(properties, 'osType') ?? 'Linux';
  const image = imageFor(properties, [LATEST_NODE_IMAGE]) ?? textAt(properties, 'nodeImageVersion');
  return {
    properties: {
      ...offered('', textAt(properties, 'currentOrchestratorVersion'), osType),
      ...(image === undefined ? {} : { latestNodeImageVersion: image }),
    },
  };
}

function offered(name: string, version: string | undefined, osType: string): JsonObject {
  const current = version ?? DEFAULT_KUBERNETES_VERSION;
  return {
    ...(name === '' ? {} : { name }),
    kubernetesVersion: current,
    osType,
    upgrades: upgradesFrom(current).map((kubernetesVersion) => ({ kubernetesVersion, isPreview: false })),
  };
}

function readOnly(): never {
  throw aksError(405, 'MethodNotAllowed', 'Upgrade profiles can only be read.');
}
