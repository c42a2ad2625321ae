import type { AuditRepository } from '#libs/audit/audit.repository.js';
import { auditEntryOf } from '#libs/control/operation.audit.js';
import { auditEntryOfSet } from '#libs/control/operation-set.audit.js';
import type { ObservationWriter } from '#libs/inventory/observation.writer.js';
import type { ScopeRepository } from '#libs/inventory/scope.repository.js';
import type { OperationSetPorts } from '#libs/operations/operation-set.engine.js';
import type { OperationPorts } from '#libs/operations/operation.ports.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';

/** Connects the operations with the cache and the audit log. */
export function operationPorts(
  registry: SystemRegistry,
  writer: ObservationWriter,
  scopes: ScopeRepository,
  audit: AuditRepository,
): OperationPorts {
  return {
    recordEnd: async (transaction, operation) => {
      await audit.append(transaction, auditEntryOf(operation));
    },
    applyObservations: async (transaction, { observations, absent, opened = [] }) => {
      await writer.apply(transaction, observations, { scopeKey: null });
      const uids = absent.map((target) => target.uid);
      if (uids.length > 0) await writer.tombstone(transaction, uids, { observedAt: new Date(), source: 'OPERATION' });
      if (opened.length > 0) await scopes.markWatchedDue(transaction, opened);
    },
    observeTarget: async (target, correlationId, signal) => {
      const observer = registry.findObserverOfKind(target.kind);
      if (observer === undefined) return { observations: [], absent: [] };
      const seen = await observer.observe(target, { correlationId, signal });
      return seen.state === 'present'
        ? { observations: seen.observations, absent: [] }
        : { observations: [], absent: [target] };
    },
  };
}

/** Connects the sets with the audit log. */
export function operationSetPorts(audit: AuditRepository): OperationSetPorts {
  return {
    recordAccepted: async (transaction, operation) => {
      await audit.append(transaction, auditEntryOf(operation));
    },
    recordSetEnd: async (transaction, set) => {
      await audit.append(transaction, auditEntryOfSet(set, 'operation-set.ended'));
    },
  };
}
