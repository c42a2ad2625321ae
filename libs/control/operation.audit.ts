import { assertNever } from '#libs/kernel/assert-never.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { AuditEntry, AuditOutcome } from '#libs/audit/audit.event.js';
import type { OperationRecord } from '#libs/operations/operation.record.js';
import { hasEnded, type OperationStatus } from '#libs/operations/operation.status.js';

/** What the audit log keeps of an operation: at its acceptance what was asked for, at its end what came of it. */
export function auditEntryOf(operation: OperationRecord): AuditEntry {
  const ended = hasEnded(operation.status);
  return {
    action: ended ? 'operation.ended' : 'operation.accepted',
    outcome: outcomeOf(operation.status),
    principalId: operation.principalId,
    principalName: operation.requestedBy,
    operationId: operation.id,
    operationType: operation.type,
    target: operation.target,
    correlationId: operation.correlationId,
    details: ended ? endDetails(operation) : { input: operation.input, dryRun: operation.dryRun },
  };
}

function outcomeOf(status: OperationStatus): AuditOutcome {
  switch (status) {
    case 'Pending':
    case 'Running':
    case 'Waiting':
    case 'Canceling':
      return 'accepted';
    case 'Succeeded':
      return 'succeeded';
    case 'Failed':
      return 'failed';
    case 'Canceled':
      return 'canceled';
    default:
      return assertNever(status);
  }
}

function endDetails(operation: OperationRecord): JsonObject {
  const outputs = operation.steps.flatMap((step) => (step.output === null ? [] : [[step.name, step.output] as const]));
  return {
    message: operation.message,
    ...(operation.error === null ? {} : { error: { code: operation.error.code, message: operation.error.message } }),
    findings: operation.findings.map(({ code, severity }) => ({ code, severity })),
    ...(outputs.length === 0 ? {} : { outputs: Object.fromEntries(outputs) }),
  };
}
