import type { OperationDefinition } from '../contract/operation-definition.js';
import { disableFeature, enableFeature } from './arc-feature.operations.js';
import type { ArcParts } from './arc-parts.js';
import { installExtension, removeExtension, updateExtension } from './cluster-extension.operations.js';
import { connectCluster, disconnectCluster } from './connected-cluster.operations.js';
import { grantCustomLocations } from './custom-location-grant.operations.js';
import { createCustomLocation, deleteCustomLocation } from './custom-location.operations.js';

export function createArcOperations(parts: ArcParts): OperationDefinition[] {
  return [
    connectCluster(parts),
    disconnectCluster(parts),
    enableFeature(parts),
    disableFeature(parts),
    installExtension(parts),
    updateExtension(parts),
    removeExtension(parts),
    createCustomLocation(parts),
    deleteCustomLocation(parts),
    grantCustomLocations(parts),
  ];
}
