import type { Transaction } from '#libs/database/sql.js';
import type { Caller } from '#libs/access/caller.js';
import type { AuditRepository } from '#libs/audit/audit.repository.js';
import type { ApprovalDecision } from '#libs/operations/approval.js';
import type { JobQueueRepository } from '#libs/operations/job-queue.repository.js';
import type { OperationRecord } from '#libs/operations/operation.record.js';
import type { OperationRepository } from '#libs/operations/operation.repository.js';
import { auditEntryOf } from './operation.audit.js';

export type SaidDecision = Pick<ApprovalDecision, 'decision' | 'reason'>;

/** Writes decisions down, with what follows from them. Whoever calls has made sure that the caller may decide. */
export class OperationApprovals {
  constructor(
    private readonly operations: OperationRepository,
    private readonly jobs: JobQueueRepository,
    private readonly audit: AuditRepository,
  ) {}

  /** @returns undefined when no decision about it is waited for; then nothing was written. */
  async decide(
    transaction: Transaction,
    caller: Caller,
    id: string,
    { decision, reason }: SaidDecision,
    correlationId: string,
  ): Promise<OperationRecord | undefined> {
    const { principalId, name: principalName } = caller;
    const decided = await this.operations.decide(transaction, id, { decision, principalId, principalName, reason });
    if (decided === undefined) return undefined;
    if (decision === 'approved') await this.jobs.schedule(transaction, id, 0);
    if (decision === 'rejected' && decided.setId !== null) await this.jobs.scheduleSet(transaction, decided.setId);
    await this.audit.append(transaction, {
      ...auditEntryOf(decided),
      principalId,
      principalName,
      action: `operation.${decision}`,
      outcome: 'accepted',
      correlationId,
      details: { rule: decided.approval?.rule ?? null, reason },
    });
    // Whoever decides against an operation ends it.
    if (decision === 'rejected') await this.audit.append(transaction, auditEntryOf(decided));
    return decided;
  }

  /** Consents to everything of a set that waits. */
  async approveSet(
    transaction: Transaction,
    caller: Caller,
    setId: string,
    reason: string | null,
    correlationId: string,
  ): Promise<void> {
    for (const id of await this.operations.findAwaitingApproval(transaction, setId)) {
      await this.decide(transaction, caller, id, { decision: 'approved', reason }, correlationId);
    }
  }
}
