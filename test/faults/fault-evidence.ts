import type { AuditEvent } from '#libs/audit/audit.event.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { OperationStatus, StepStatus } from '#libs/operations/operation.status.js';

/** What was asked for under one idempotency key, and what was answered. */
export interface AskedOperation {
  key: string;
  type: string;
  input: JsonObject;
  /** The ids in all answers that accepted it. */
  ids: string[];
  /** Every request under the key was refused for good. */
  refused: boolean;
  cancelAsked: boolean;
}

export interface StoredOperation {
  id: string;
  type: string;
  status: OperationStatus;
  key: string | null;
  correlationId: string;
  targetId: string;
  lockKey: string | null;
  input: JsonObject;
  message: string | null;
  errorCode: string | null;
  startedAt: number | null;
  /** Milliseconds since the epoch. */
  endedAt: number | null;
  steps: { name: string; status: StepStatus }[];
  events: StoredOperationEvent[];
}

export interface StoredOperationEvent {
  sequence: number;
  status: OperationStatus;
  steps: Record<string, StepStatus>;
}

/** A request that was sent to change something, as the simulator saw it. */
export interface SeenWrite {
  /** Of its arrival. Milliseconds since the epoch. */
  at: number;
  method: string;
  /** In lower case. */
  path: string;
  /** What became of it, also where the answer was lost; null where it was not looked at. */
  outcome: number | null;
  correlationId: string;
  body: JsonObject | null;
}

/** A long-running operation of the simulated Azure. */
export interface SeenLongRun {
  /** In lower case, with a leading slash. */
  target: string;
  action: string;
  startedAt: number;
  status: string;
}

/** The estate at the end, by what the operations of the suite change. */
export interface EstateState {
  /** Node counts by the path of the pool, in lower case. */
  pools: Record<string, number>;
  /** Paths of the members and fleets that are there, in lower case. */
  members: string[];
  fleets: string[];
  /** Wanted replicas by the id of the workload. */
  replicas: Record<string, number>;
  /** Whether it is cordoned, by the id of the node. */
  cordoned: Record<string, boolean>;
}

export interface AppliedObject {
  /** The name that the operation's manifest gave it. */
  name: string;
  generation: number;
}

/** Everything that the proofs rest on. */
export interface FaultEvidence {
  asked: AskedOperation[];
  operations: StoredOperation[];
  writes: SeenWrite[];
  /** Requests that the simulator's log had forgotten before they were read. */
  missedRequests: number;
  longRuns: SeenLongRun[];
  before: EstateState;
  after: EstateState;
  /** The cache, once a sync has passed after the last operation. */
  cache: EstateState;
  applied: AppliedObject[];
  audit: AuditEvent[];
  left: { jobs: number; locks: number; openOperations: number; sealedSecrets: number };
}
