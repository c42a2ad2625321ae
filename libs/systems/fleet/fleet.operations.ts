import type { OperationDefinition } from '../contract/operation-definition.js';
import { createFleet, deleteFleet } from './fleet-lifecycle.operations.js';
import { joinFleet, leaveFleet } from './fleet-member.operations.js';
import type { FleetParts } from './fleet-parts.js';
import { applyMultiClusterService } from './multi-cluster-service.operations.js';
import { applyPlacement, deletePlacement } from './placement.operations.js';
import { createFleetRoleAssignment } from './role-assignment.operations.js';
import { exportService } from './service-export.operations.js';
import { deployWorkload } from './workload.operations.js';

export function createFleetOperations(parts: FleetParts): OperationDefinition[] {
  const { client } = parts;
  return [
    createFleet(client),
    deleteFleet(client),
    joinFleet(client),
    leaveFleet(client),
    createFleetRoleAssignment(parts),
    applyPlacement(parts),
    deletePlacement(parts),
    exportService(parts),
    applyMultiClusterService(parts),
    deployWorkload(parts),
  ];
}
