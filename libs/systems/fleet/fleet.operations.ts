import type { OperationDefinition } from '../contract/operation-definition.js';
import {
  applyAutoUpgradeProfile,
  deleteAutoUpgradeProfile,
  generateUpdateRun,
} from './auto-upgrade-profile.operations.js';
import { createFleet, deleteFleet } from './fleet-lifecycle.operations.js';
import { joinFleet, leaveFleet } from './fleet-member.operations.js';
import type { FleetParts } from './fleet-parts.js';
import { applyMultiClusterService } from './multi-cluster-service.operations.js';
import { applyPlacement, deletePlacement } from './placement.operations.js';
import { createFleetRoleAssignment } from './role-assignment.operations.js';
import { exportService } from './service-export.operations.js';
import { createUpdateRun } from './update-run.operations.js';
import { deleteUpdateRun, skipInUpdateRun, startUpdateRun, stopUpdateRun } from './update-run-control.operations.js';
import { applyUpdateStrategy, deleteUpdateStrategy } from './update-strategy.operations.js';
import { deployWorkload } from './workload.operations.js';

export function createFleetOperations(parts: FleetParts): OperationDefinition[] {
  const { client } = parts;
  return [
    createFleet(client),
    deleteFleet(client),
    joinFleet(client),
    leaveFleet(client),
    createUpdateRun(client),
    startUpdateRun(client),
    stopUpdateRun(client),
    skipInUpdateRun(client),
    deleteUpdateRun(client),
    applyUpdateStrategy(client),
    deleteUpdateStrategy(client),
    applyAutoUpgradeProfile(client),
    deleteAutoUpgradeProfile(client),
    generateUpdateRun(client),
    createFleetRoleAssignment(parts),
    applyPlacement(parts),
    deletePlacement(parts),
    exportService(parts),
    applyMultiClusterService(parts),
    deployWorkload(parts),
  ];
}
