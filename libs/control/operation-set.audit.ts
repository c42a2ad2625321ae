import type { AuditEntry, AuditOutcome } from '#libs/audit/audit.event.js';
import type { OperationSetRecord } from '#libs/operations/operation-set.record.js';
import { hasSetEnded } from '#libs/operations/operation-set.status.js';

/** What the audit log keeps of a set; each of its operations has entries of its own. */
export function auditEntryOfSet(set: OperationSetRecord, action: string): AuditEntry {
  const { Waiting, Running, ...ended } = set.counts;
  return {
    action,
    outcome: outcomeOf(set),
    principalId: set.principalId,
    principalName: set.requestedBy,
    operationId: null,
    operationType: set.type,
    target: null,
    correlationId: set.correlationId,
    details: {
      set: set.id,
      dryRun: set.dryRun,
      ...(hasSetEnded(set.status)
        ? { message: set.message, counts: ended }
        : { input: set.input, selection: set.selection, counts: { Waiting, Running, ...ended } }),
    },
  };
}

function outcomeOf({ status }: OperationSetRecord): AuditOutcome {
  if (!hasSetEnded(status)) return 'accepted';
  return status === 'Succeeded' ? 'succeeded' : status === 'Failed' ? 'failed' : 'canceled';
}
