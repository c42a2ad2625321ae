import type { OperationDefinition } from '../contract/operation-definition.js';
import type { AksClient } from './aks.client.js';
import { createCluster } from './cluster-create.operations.js';
import { deleteCluster } from './cluster-delete.operations.js';
import { startCluster, stopCluster } from './cluster-power.operations.js';
import { upgradeCluster } from './cluster-upgrade.operations.js';
import { createNodePool } from './node-pool-create.operations.js';
import { deleteNodePool } from './node-pool-delete.operations.js';
import { startNodePool, stopNodePool } from './node-pool-power.operations.js';
import { scaleNodePool } from './node-pool-scale.operations.js';
import { upgradeNodePool } from './node-pool-upgrade.operations.js';

/** Every change of AKS that Pilothouse can make. */
export function createAksOperations(client: AksClient): OperationDefinition[] {
  return [
    scaleNodePool(client),
    createNodePool(client),
    upgradeNodePool(client),
    startNodePool(client),
    stopNodePool(client),
    deleteNodePool(client),
    createCluster(client),
    startCluster(client),
    stopCluster(client),
    upgradeCluster(client),
    deleteCluster(client),
  ];
}
