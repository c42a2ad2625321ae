import type { Observation } from '#libs/systems/contract/observation.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import type { Transaction } from '#libs/database/sql.js';
import type { OperationRecord } from './operation.record.js';

/** What an operation leaves in the cache. */
export interface OperationObservations {
  observations: readonly Observation[];
  absent: readonly ResourceTarget[];
  /** The uids of clusters in which more may be seen from now on. */
  opened?: readonly string[];
}

/** What the operations need from the rest of the house, given to them by whoever puts the house together. */
export interface OperationPorts {
  /** The record of who did what; called in the transaction that ends the operation. */
  recordEnd(transaction: Transaction, operation: OperationRecord): Promise<void>;
  /** The cache; called in the same transaction. */
  applyObservations(transaction: Transaction, seen: OperationObservations): Promise<void>;
  /** Asks the owner of the target how it is now. */
  observeTarget(target: ResourceTarget, correlationId: string, signal: AbortSignal): Promise<OperationObservations>;
}
