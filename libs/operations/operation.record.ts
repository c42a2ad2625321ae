import type { StoredProblem } from '#libs/kernel/control-error.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { Finding } from '#libs/systems/contract/finding.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import type { Approval } from './approval.js';
import type { OperationStatus, StepStatus, WaitReason } from './operation.status.js';

/** An operation as it is stored, without what must not leave the worker (resume tokens, the hash of its key). */
export interface OperationRecord {
  id: string;
  type: string;
  status: OperationStatus;
  dryRun: boolean;
  target: ResourceTarget;
  /** Null for a dry run, which changes nothing and so excludes nobody. */
  lockKey: string | null;
  input: JsonObject;
  references: Record<string, ResourceTarget>;
  steps: OperationStepRecord[];
  findings: Finding[];
  error: StoredProblem | null;
  result: Json;
  message: string | null;
  principalId: string;
  requestedBy: string;
  correlationId: string;
  createdAt: Date;
  startedAt: Date | null;
  endedAt: Date | null;
  deadlineAt: Date;
  /** When a worker looks at it next. */
  runAfter: Date;
  /** The set that it is a part of. */
  setId: string | null;
  /** When it was noticed that nothing new has been said of it for too long; null while it moves. */
  stuckSince: Date | null;
  /** Null where nobody's consent is needed. */
  approval: Approval | null;
  /** The number of the last event. */
  eventSequence: number;
}

export interface OperationStepRecord {
  name: string;
  status: StepStatus;
  startedAt: Date | null;
  endedAt: Date | null;
  attempts: number;
  message: string | null;
  waitReason: WaitReason | null;
  /** What the step has put down for those after it and for the record; null where it has nothing to say. */
  output: Json;
}

/** The checks before the first step and the reading back after the last one are shown as steps, too. */
export const PREFLIGHT_STEP = 'preflight';
export const VERIFY_STEP = 'verify';
