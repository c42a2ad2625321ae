import { canonicalLocation } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { ArmError } from '../arm-error.js';
import type { ArmAnswer } from '../arm-request.js';
import { LOCATIONS } from '../resource-type.registry.js';
import { DEFAULT_KUBERNETES_VERSION, offeredVersions, upgradesFrom } from '../types/kubernetes-version.js';

/** `GET …/Microsoft.ContainerService/locations/{location}/kubernetesVersions`: what new clusters of a region can run. */
export function kubernetesVersions(locationSent: string): ArmAnswer {
  if (!LOCATIONS.has(canonicalLocation(locationSent))) {
    throw new ArmError(
      400,
      'NoRegisteredProviderFound',
      `No registered resource provider found for location '${locationSent}'.`,
      { gateway: true },
    );
  }
  return { status: 200, body: { values: offeredVersions().toReversed().map(minorOffer) } };
}

/** One entry for each minor version, as AKS lists them. */
function minorOffer(patch: string): JsonObject {
  return {
    version: patch.slice(0, patch.lastIndexOf('.')),
    capabilities: { supportPlan: ['KubernetesOfficial', 'AKSLongTermSupport'] },
    ...(patch === DEFAULT_KUBERNETES_VERSION ? { isDefault: true } : {}),
    isPreview: false,
    patchVersions: { [patch]: { upgrades: upgradesFrom(patch) } },
  };
}
