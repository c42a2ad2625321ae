import type { OperationDefinition } from '../contract/operation-definition.js';
import type { AksHciClient } from './aks-hci.client.js';
import { createCluster } from './cluster-create.operations.js';
import { deleteCluster } from './cluster-delete.operations.js';
import { upgradeCluster } from './cluster-upgrade.operations.js';
import { inspectHost } from './host-inspect.operations.js';
import { deleteNodePool, putNodePool, scaleNodePool } from './node-pool.operations.js';

/** Every change that Pilothouse can make to AKS on Azure Stack HCI. */
export function createAksHciOperations(client: AksHciClient): OperationDefinition[] {
  return [
    inspectHost(client),
    createCluster(client),
    upgradeCluster(client),
    deleteCluster(client),
    putNodePool(client),
    scaleNodePool(client),
    deleteNodePool(client),
  ];
}
