import type { OperationDefinition } from '../contract/operation-definition.js';
import type { AzureClient } from './azure.client.js';
import { registerFeature } from './feature.operations.js';
import { registerProvider } from './provider.operations.js';
import { createRoleAssignment, deleteRoleAssignment } from './role-assignment.operations.js';
import { deleteSubnet } from './subnet-delete.operations.js';
import { createSubnet } from './subnet.operations.js';

export function createAzureOperations(client: AzureClient): OperationDefinition[] {
  return [
    registerProvider(client),
    registerFeature(client),
    createSubnet(client),
    deleteSubnet(client),
    createRoleAssignment(client),
    deleteRoleAssignment(client),
  ];
}
