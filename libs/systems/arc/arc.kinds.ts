import type { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { armIdOf, type Reading } from '../contract/arm-observation.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import type { Observation } from '../contract/observation.js';
import { CONNECTED_CLUSTER_TYPE, CUSTOM_LOCATION_TYPE, EXTENSION_TYPE, FLUX_CONFIGURATION_TYPE } from './arc.types.js';
import { clusterExtensionKind, observeClusterExtension } from './cluster-extension.kind.js';
import { connectedClusterKind, observeConnectedCluster } from './connected-cluster.kind.js';
import { customLocationKind, observeCustomLocation } from './custom-location.kind.js';
import { fluxConfigurationKind, observeFluxConfiguration } from './flux-configuration.kind.js';

export const arcKinds: readonly KindDefinition[] = [
  connectedClusterKind,
  clusterExtensionKind,
  customLocationKind,
  fluxConfigurationKind,
];

type Observe = (body: JsonObject, reading: Reading) => Observation;

const OBSERVERS: Readonly<Record<string, Observe>> = {
  [CONNECTED_CLUSTER_TYPE.toLowerCase()]: observeConnectedCluster,
  [EXTENSION_TYPE.toLowerCase()]: observeClusterExtension,
  [CUSTOM_LOCATION_TYPE.toLowerCase()]: observeCustomLocation,
  [FLUX_CONFIGURATION_TYPE.toLowerCase()]: observeFluxConfiguration,
};

/**
 * Any object of Azure Arc; none of what is no concern of ours: extensions of other types of clusters lie in the same table.
 * @throws ControlError AZURE_UNEXPECTED_ANSWER when the object does not say who it is.
 */
export function observeArcObject(body: JsonObject, reading: Reading): Observation[] {
  const id = armIdOf(body);
  const observe = OBSERVERS[id.canonicalType];
  return observe === undefined || !isArcId(id) ? [] : [observe(body, reading)];
}

/** Whether an id is one that an object of Azure Arc can have. */
export function isArcId(id: ArmId): boolean {
  return OBSERVERS[id.canonicalType] !== undefined && isOfConnectedCluster(id);
}

/** Whether a child of a cluster is one of a connected cluster; whatever is no child is as well. */
function isOfConnectedCluster(id: ArmId): boolean {
  const isChild = [EXTENSION_TYPE, FLUX_CONFIGURATION_TYPE].some((type) => type.toLowerCase() === id.canonicalType);
  return !isChild || id.parent?.canonicalType === CONNECTED_CLUSTER_TYPE.toLowerCase();
}
