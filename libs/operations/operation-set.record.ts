import type { StoredProblem } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import type { SetConsent } from './operation.acceptor.js';
import type { OperationSetItemStatus, OperationSetStatus } from './operation-set.status.js';

export type OperationSetCounts = Record<OperationSetItemStatus, number>;

export interface OperationSetRecord {
  id: string;
  type: string;
  status: OperationSetStatus;
  dryRun: boolean;
  /** What the inputs of all its operations have in common. */
  input: JsonObject;
  /** The field of the input that names each target. */
  targetField: string;
  /** How the targets were chosen, as it was asked. */
  selection: JsonObject;
  maximumConcurrency: number;
  /** When more than so many have failed, nothing more is begun; null: everything is tried. */
  failureThreshold: number | null;
  /** Whether a target that the checks refuse is skipped, or counts as failed. */
  skipRefused: boolean;
  waveBy: string | null;
  waveOrder: string[];
  message: string | null;
  /** Somebody's consent to all its operations. */
  consent: (SetConsent & { decidedAt: Date }) | null;
  principalId: string;
  requestedBy: string;
  correlationId: string;
  createdAt: Date;
  endedAt: Date | null;
  counts: OperationSetCounts;
  /** The first wave in which something is still to be done; null where there are none, or when all is done. */
  currentWave: string | null;
}

export interface OperationSetItem {
  /** From 0, in the order in which they are begun. */
  position: number;
  target: ResourceTarget;
  /** From 0. */
  wave: number;
  waveValue: string | null;
  status: OperationSetItemStatus;
  /** How many operations were begun for it. */
  attempts: number;
  /** The latest of them. */
  operationId: string | null;
  problem: StoredProblem | null;
}
