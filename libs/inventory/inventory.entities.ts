import { ChangeHorizonEntity } from './change-horizon.entity.js';
import { ChangeEntity } from './change.entity.js';
import { ObservationLeaseEntity } from './observation-lease.entity.js';
import { RelationEntity } from './relation.entity.js';
import { ResourceTagEntity } from './resource-tag.entity.js';
import { ResourceVersionEntity } from './resource-version.entity.js';
import { ResourceEntity } from './resource.entity.js';
import { ScopeEntity } from './scope.entity.js';
import { WatchedClusterEntity } from './watched-cluster.entity.js';

export const inventoryEntities: (new () => object)[] = [
  ResourceEntity,
  ResourceTagEntity,
  RelationEntity,
  ResourceVersionEntity,
  ChangeEntity,
  ChangeHorizonEntity,
  ScopeEntity,
  WatchedClusterEntity,
  ObservationLeaseEntity,
];
