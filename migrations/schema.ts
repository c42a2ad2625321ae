import type { DataSource } from 'typeorm';
import { AuditCheckpointEntity } from '#libs/audit/audit-checkpoint.entity.js';
import { AuditEventEntity } from '#libs/audit/audit-event.entity.js';
import { ClusterAccessEntity } from '#libs/access/cluster-access.entity.js';
import { PrincipalEntity } from '#libs/access/principal.entity.js';
import { RoleBindingEntity } from '#libs/access/role-binding.entity.js';
import { TokenEntity } from '#libs/access/token.entity.js';
import { Database } from '#libs/database/database.js';
import { migrateSchema } from '#libs/database/schema-migrator.js';
import { inventoryEntities } from '#libs/inventory/inventory.entities.js';
import { migrateJobEngine } from '#libs/operations/job-engine.js';
import { OperationEntity } from '#libs/operations/operation.entity.js';
import { OperationEventEntity } from '#libs/operations/operation-event.entity.js';
import { OperationSecretEntity } from '#libs/operations/operation-secret.entity.js';
import { OperationSetEntity } from '#libs/operations/operation-set.entity.js';
import { OperationSetEventEntity } from '#libs/operations/operation-set-event.entity.js';
import { OperationSetItemEntity } from '#libs/operations/operation-set-item.entity.js';
import { OperationStepEntity } from '#libs/operations/operation-step.entity.js';
import { WorkerProcessEntity } from '#libs/operations/worker-process.entity.js';
import { CreateInventory1764000000000 } from './1764000000000-create-inventory.migration.js';
import { CreateOperations1764000100000 } from './1764000100000-create-operations.migration.js';
import { CreateAuditAndAccess1764000200000 } from './1764000200000-create-audit-and-access.migration.js';
import { CreateClusterWatchAndSecrets1764100000000 } from './1764100000000-create-cluster-watch-and-secrets.migration.js';
import { CreateClusterAccess1764200000000 } from './1764200000000-create-cluster-access.migration.js';
import { CreateOperationSets1764300000000 } from './1764300000000-create-operation-sets.migration.js';
import { CreateOperationHousekeeping1764310000000 } from './1764310000000-create-operation-housekeeping.migration.js';
import { CreateOperationApprovals1764320000000 } from './1764320000000-create-operation-approvals.migration.js';

/** In the order of their names' timestamps; a released one is never changed. */
export const migrations = [
  CreateInventory1764000000000,
  CreateOperations1764000100000,
  CreateAuditAndAccess1764000200000,
  CreateClusterWatchAndSecrets1764100000000,
  CreateClusterAccess1764200000000,
  CreateOperationSets1764300000000,
  CreateOperationHousekeeping1764310000000,
  CreateOperationApprovals1764320000000,
];

/** What the tables should look like by the code: only the drift check reads them. */
export const entities: (new () => object)[] = [
  ...inventoryEntities,
  OperationEntity,
  OperationStepEntity,
  OperationEventEntity,
  OperationSecretEntity,
  OperationSetEntity,
  OperationSetItemEntity,
  OperationSetEventEntity,
  WorkerProcessEntity,
  AuditEventEntity,
  AuditCheckpointEntity,
  PrincipalEntity,
  TokenEntity,
  RoleBindingEntity,
  ClusterAccessEntity,
];

/**
 * Brings every schema of this database up to date; safe to call from several processes at once.
 * @returns the names of the migrations that were run.
 */
export async function prepareSchema(dataSource: DataSource): Promise<string[]> {
  const names = await migrateSchema(dataSource);
  await migrateJobEngine(new Database(dataSource));
  return names;
}
