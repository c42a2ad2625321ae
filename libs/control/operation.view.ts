import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { StoredProblem } from '#libs/kernel/control-error.js';
import type { Finding } from '#libs/systems/contract/finding.js';
import type { Approval } from '#libs/operations/approval.js';
import type { OperationStatus, StepStatus } from '#libs/operations/operation.status.js';

/** An operation as the public surface shows it. Times are ISO 8601 in UTC. */
export interface OperationView {
  id: string;
  type: string;
  status: OperationStatus;
  dryRun: boolean;
  target: { uid: string; id: string; kind: string };
  /** As accepted, defaults filled in. */
  input: JsonObject;
  steps: OperationStepView[];
  findings: Finding[];
  error: StoredProblem | null;
  result: Json;
  /** What the operation is doing or waiting for, in one sentence. */
  message: string | null;
  requestedBy: string;
  /** The id of the set that it is a part of. */
  set: string | null;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  correlationId: string;
  /** When it was noticed that nothing new has been said of it for too long; null while it moves. */
  stuckSince: string | null;
  /** Null where nobody's consent is needed. */
  approval: ApprovalView | null;
  /** Seconds after which asking again makes sense; null when it has ended. */
  retryAfter: number | null;
}

export interface ApprovalView {
  state: Approval['state'];
  /** The rule that asks for it, as it is configured. */
  rule: string;
  /** Until when a decision is waited for; null once there is one. */
  expiresAt: string | null;
  decidedBy: string | null;
  decidedAt: string | null;
  reason: string | null;
}

export interface OperationStepView {
  name: string;
  status: StepStatus;
  startedAt: string | null;
  endedAt: string | null;
  attempts: number;
  message: string | null;
  /** What the step has done in detail, where it has more to say than a message. */
  output: Json;
}

export interface OperationPageView {
  items: OperationView[];
  nextCursor: string | null;
}

/** One transition. `id` grows within an operation and is the `Last-Event-ID` of its stream. */
export interface OperationEventView {
  id: string;
  at: string;
  operation: OperationView;
}

export interface OperationTypeView {
  type: string;
  title: string;
  description: string;
  permission: string;
  timeoutSeconds: number;
  /** JSON Schema 2020-12 of `input`. */
  inputSchema: JsonObject;
  /** Input fields that take a uid or an id, and the kinds each may name. */
  references: Record<string, string[]>;
  /** Input fields that are write-only: they are shown nowhere again. */
  secretFields: string[];
  steps: { name: string; description: string }[];
  findings: { code: string; description: string }[];
}
