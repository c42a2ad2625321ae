import { canonicalLocation } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { ArmError } from '../arm-error.js';
import type { ArmAnswer } from '../arm-request.js';
import { LOCATIONS } from '../resource-type.registry.js';
import { knownExtension } from '../types/extension-catalog.js';

/** `GET …/Microsoft.KubernetesConfiguration/locations/{location}/extensionTypes/{type}/versions` */
export function extensionVersions(scope: string, locationSent: string, type: string): ArmAnswer {
  const location = canonicalLocation(locationSent);
  const known = knownExtension(type);
  if (!LOCATIONS.has(location) || known === undefined) {
    throw new ArmError(404, 'ExtensionTypeNotFound', `The extension type '${type}' was not found in '${location}'.`);
  }
  const id = `${scope}/locations/${location}/extensionTypes/${known.type}/versions`;
  const versions = known.versions.map(({ version, unsupportedKubernetesVersions }): JsonObject => ({
    id: `${id}/${version}`,
    name: version,
    type: 'Microsoft.KubernetesConfiguration/extensionTypes/versions',
    properties: {
      version,
      supportedClusterTypes: ['connectedClusters', 'managedClusters'],
      unsupportedKubernetesVersions: {
        connectedCluster: [{ distributions: [], unsupportedVersions: [...unsupportedKubernetesVersions] }],
      },
    },
  }));
  return { status: 200, body: { value: versions } };
}
