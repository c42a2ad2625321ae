import type { StoredProblem } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { OperationSetItemStatus, OperationSetStatus } from '#libs/operations/operation-set.status.js';

/** One operation type applied to many targets, as the public surface shows it. Times are ISO 8601 in UTC. */
export interface OperationSetView {
  id: string;
  type: string;
  status: OperationSetStatus;
  dryRun: boolean;
  /** What the inputs of all its operations have in common. */
  input: JsonObject;
  /** The field of the input that names each target. */
  field: string;
  /** How the targets were chosen, as it was asked. */
  selection: JsonObject;
  maxConcurrency: number;
  failureThreshold: number | null;
  skipRefused: boolean;
  waves: { by: string; order: string[] } | null;
  currentWave: string | null;
  counts: {
    total: number;
    waiting: number;
    running: number;
    succeeded: number;
    failed: number;
    skipped: number;
    canceled: number;
  };
  message: string | null;
  /** Somebody's consent to all its operations that need any; null where nobody has given it. */
  consent: { by: string; at: string; reason: string | null } | null;
  requestedBy: string;
  createdAt: string;
  endedAt: string | null;
  correlationId: string;
}

export interface OperationSetPageView {
  items: OperationSetView[];
  nextCursor: string | null;
}

export interface OperationSetItemView {
  position: number;
  target: { uid: string; id: string; kind: string };
  wave: string | null;
  status: OperationSetItemStatus;
  attempts: number;
  operation: string | null;
  error: StoredProblem | null;
}

export interface OperationSetItemPageView {
  items: OperationSetItemView[];
  nextCursor: string | null;
}

/** `id` grows within a set and is the `Last-Event-ID` of its stream. */
export interface OperationSetEventView {
  id: string;
  at: string;
  set: OperationSetView;
}
