import type { OperationDefinition } from '../contract/operation-definition.js';
import type { FleetClient } from './fleet.client.js';
import { createFleet, deleteFleet } from './fleet-lifecycle.operations.js';
import { joinFleet, leaveFleet } from './fleet-member.operations.js';

export function createFleetOperations(client: FleetClient): OperationDefinition[] {
  return [createFleet(client), deleteFleet(client), joinFleet(client), leaveFleet(client)];
}
