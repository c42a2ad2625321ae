import type { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { objectAt, textAt } from '../json-merge.js';
import type { ResourceTypeDescriptor, ResourceWorld } from '../resource-type.descriptor.js';
import { AKS_API_VERSIONS } from './aks.api-versions.js';
import { aksError } from './aks.errors.js';
import { AKS_PROTOCOLS } from './aks.protocol.js';
import { AGENT_POOL_TYPE } from './core-usage.js';
import { DEFAULT_KUBERNETES_VERSION, upgradesFrom } from './kubernetes-version.js';

/** What a cluster and its pools can be upgraded to: `upgradeProfiles/default`. */
export const upgradeProfileType: ResourceTypeDescriptor = {
  type: 'Microsoft.ContainerService/managedClusters/upgradeProfiles',
  lowerCaseGroupSegment: true,
  apiVersions: AKS_API_VERSIONS,
  tracked: false,
  errorShape: 'unwrapped',
  members: [],
  readOnly: [],
  protocols: AKS_PROTOCOLS,
  recordsLastOperation: false,
  actions: new Map(),

  derive: upgradeProfile,
  validateName: () => undefined,
  planPut: readOnly,
  planPatch: readOnly,
  planDelete: readOnly,
  conflict: () => undefined,
};

function upgradeProfile(id: ArmId, world: ResourceWorld): JsonObject | undefined {
  const cluster = world.get(id.parent?.canonical ?? '');
  if (cluster === undefined || id.name.toLowerCase() !== 'default') return undefined;
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
