import { z } from 'zod';
import { assertNever } from '#libs/kernel/assert-never.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { DEFAULT_PAGE_SIZE, encodeCursor, MAXIMUM_PAGE_SIZE, pageOf } from '#libs/kernel/page.js';
import { isUuid } from '#libs/kernel/resource-uid.js';
import type { Database } from '#libs/database/database.js';
import type { Caller } from '#libs/access/caller.js';
import { authorise } from '#libs/access/permission.js';
import type { AuditEntry } from '#libs/audit/audit.event.js';
import type { AuditRepository } from '#libs/audit/audit.repository.js';
import type { Approval } from '#libs/operations/approval.js';
import type { JobQueueRepository } from '#libs/operations/job-queue.repository.js';
import type { OperationAcceptor } from '#libs/operations/operation.acceptor.js';
import type { OperationRecord } from '#libs/operations/operation.record.js';
import type { OperationFilter, OperationRepository } from '#libs/operations/operation.repository.js';
import { hasEnded, type OperationStatus } from '#libs/operations/operation.status.js';
import type { OperationDefinition } from '#libs/systems/contract/operation-definition.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { listPosition } from './list-position.js';
import type { OperationApprovals, SaidDecision } from './operation.approvals.js';
import { auditEntryOf } from './operation.audit.js';
import type {
  ApprovalView,
  OperationEventView,
  OperationPageView,
  OperationTypeView,
  OperationView,
} from './operation.view.js';
import type { OperationWatcher } from './operation.watcher.js';
import type { ReferenceResolver } from './reference.resolver.js';

export interface OperationAcceptRequest {
  type: string;
  input: unknown;
  dryRun: boolean;
  idempotencyKey: string | undefined;
  correlationId: string;
}

export interface OperationQuery {
  status?: OperationStatus[];
  type?: string;
  /** A uid or an ARM id. */
  target?: string;
  requestedBy?: string;
  /** The id of a set. */
  set?: string;
  approval?: Approval['state'];
  limit?: number;
  cursor?: string;
}

export type OperationWatchFilter = Pick<OperationQuery, 'status' | 'type' | 'target' | 'set'>;

const EVENTS_AT_ONCE = 100;

/** Starting, following and stopping changes. */
export class OperationControl {
  constructor(
    private readonly database: Database,
    private readonly registry: SystemRegistry,
    private readonly acceptor: OperationAcceptor,
    private readonly operations: OperationRepository,
    private readonly jobs: JobQueueRepository,
    private readonly audit: AuditRepository,
    private readonly references: ReferenceResolver,
    private readonly watcher: OperationWatcher,
    private readonly approvals: OperationApprovals,
  ) {}

  /**
   * Accepts an operation: its row, its audit event and its job, or none of them.
   * @throws ControlError UNKNOWN_OPERATION_TYPE, FORBIDDEN, INVALID_REQUEST, INVALID_IDEMPOTENCY_KEY, IDEMPOTENCY_KEY_REUSED.
   */
  async accept(
    caller: Caller,
    request: OperationAcceptRequest,
  ): Promise<{ operation: OperationView; replayed: boolean }> {
    const definition = this.registry.operation(request.type);
    const subject = { type: definition.type, id: null, target: null };
    await this.#authorise(caller, 'operation.denied', subject, request.correlationId);
    const prepared = this.acceptor.prepare({
      definition,
      input: request.input,
      dryRun: request.dryRun,
      idempotencyKey: request.idempotencyKey,
      principalId: caller.principalId,
      requestedBy: caller.name,
      correlationId: request.correlationId,
    });
    const replay = await this.acceptor.findReplay(prepared);
    if (replay !== undefined) return { operation: operationView(replay), replayed: true };
    const references = await this.acceptor.resolve(prepared);
    return this.database.transaction(async (transaction) => {
      const operation = await this.acceptor.insert(transaction, prepared, references);
      if (operation !== undefined) {
        await this.audit.append(transaction, auditEntryOf(operation));
        return { operation: operationView(operation), replayed: false };
      }
      const winner = await this.acceptor.findReplay(prepared, transaction);
      if (winner === undefined) {
        throw new ControlError('CONFLICT', 'The same request was made at the same moment.', {
          retry: { kind: 'backoff' },
        });
      }
      return { operation: operationView(winner), replayed: true };
    });
  }

  /** @throws ControlError OPERATION_NOT_FOUND */
  async get(caller: Caller, id: string): Promise<OperationView> {
    authorise(caller, 'read', 'read operations');
    return operationView(await this.#find(id));
  }

  async findMany(caller: Caller, ids: readonly string[]): Promise<Map<string, OperationView>> {
    authorise(caller, 'read', 'read operations');
    const operations = await this.operations.findMany(ids.filter(isUuid));
    return new Map(operations.map((operation) => [operation.id, operationView(operation)]));
  }

  /** Newest first. */
  async list(caller: Caller, query: OperationQuery): Promise<OperationPageView> {
    authorise(caller, 'read', 'read operations');
    const limit = Math.min(query.limit ?? DEFAULT_PAGE_SIZE, MAXIMUM_PAGE_SIZE);
    const rows = await this.operations.findPage(
      this.#filterOf(query),
      listPosition('operations', query.cursor),
      limit + 1,
    );
    const page = pageOf(rows, limit, ({ position }) => encodeCursor('operations', [position.createdAt, position.id]));
    return { items: page.items.map(({ operation }) => operationView(operation)), nextCursor: page.nextCursor };
  }

  /**
   * Asks for an operation to be stopped. A pending one is canceled at once; a running one goes to `Canceling` and says at
   * its end whether it was in time.
   * @throws ControlError OPERATION_NOT_FOUND, NOT_CANCELABLE
   */
  async cancel(caller: Caller, id: string, correlationId: string): Promise<OperationView> {
    await this.#authorise(caller, 'operation.cancel-denied', await this.#find(id), correlationId);
    return this.database.transaction(async (transaction) => {
      const canceled = await this.operations.cancelPending(transaction, id);
      if (canceled !== undefined) {
        if (canceled.lockKey !== null) {
          const next = await this.operations.findNextPending(transaction, canceled.lockKey);
          if (next !== undefined) await this.jobs.schedule(transaction, next, 0);
        }
        if (canceled.setId !== null) await this.jobs.scheduleSet(transaction, canceled.setId);
        await this.audit.append(transaction, {
          ...auditEntryOf(canceled),
          ...actorOf(caller),
          correlationId,
        });
        return operationView(canceled);
      }
      const requested = await this.operations.requestCancel(transaction, id);
      const operation = await this.operations.find(id, transaction);
      if (operation === undefined) throw notFound(id);
      if (requested) {
        await this.jobs.bringForward(transaction, id);
        await this.audit.append(transaction, {
          ...auditEntryOf(operation),
          ...actorOf(caller),
          action: 'operation.cancel-requested',
          outcome: 'accepted',
          correlationId,
        });
        return operationView(operation);
      }
      // Asking twice is asking once.
      if (operation.status === 'Canceling' || operation.status === 'Canceled') return operationView(operation);
      throw new ControlError('NOT_CANCELABLE', `The operation has ended: ${operation.status}.`);
    });
  }

  /**
   * Consents to an operation that waits for it, or decides against it, which ends it.
   * @throws ControlError OPERATION_NOT_FOUND, FORBIDDEN, OWN_OPERATION, NOT_AWAITING_APPROVAL
   */
  async decide(
    caller: Caller,
    id: string,
    { decision, reason }: SaidDecision,
    correlationId: string,
  ): Promise<OperationView> {
    const subject = await this.#find(id);
    await this.#authorise(caller, 'operation.decision-denied', subject, correlationId);
    if (subject.principalId === caller.principalId) {
      const denied = deniedEntry(caller, 'operation.decision-denied', subject, correlationId, { decision });
      await this.database.transaction((transaction) => this.audit.append(transaction, denied));
      throw new ControlError('OWN_OPERATION', 'Somebody else has to decide about an operation that you asked for.');
    }
    return this.database.transaction(async (transaction) => {
      const decided = await this.approvals.decide(transaction, caller, id, { decision, reason }, correlationId);
      if (decided !== undefined) return operationView(decided);
      const present = await this.operations.find(id, transaction);
      if (present === undefined) throw notFound(id);
      // To say the same thing twice is to say it once.
      const { approval } = present;
      if (approval?.state === decision && approval.decidedById === caller.principalId) return operationView(present);
      throw new ControlError('NOT_AWAITING_APPROVAL', whyNotAwaited(present));
    });
  }

  /**
   * The transitions of one operation: first those after the given one, then each as it comes, to the end.
   * @throws ControlError OPERATION_NOT_FOUND, INVALID_CURSOR
   */
  async *events(
    caller: Caller,
    id: string,
    after: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<OperationEventView, void, void> {
    authorise(caller, 'read', 'read operations');
    await this.#find(id);
    let sequence = sequenceOf(after);
    const wake = this.watcher.subscribe((operationId) => operationId === id, signal);
    try {
      for (;;) {
        const events = await this.operations.findEvents(id, sequence, EVENTS_AT_ONCE);
        for (const event of events) {
          sequence = event.sequence;
          yield { id: String(event.sequence), at: event.at.toISOString(), operation: operationView(event.operation) };
          if (hasEnded(event.operation.status)) return;
        }
        if (events.length === EVENTS_AT_ONCE) continue;
        // A caller who has already seen the last event would otherwise wait for one that never comes.
        if (hasEnded((await this.#find(id)).status)) return;
        if (!(await wake.next())) return;
      }
    } finally {
      wake.close();
    }
  }

  /** Each operation that matches, whenever it changes, from now on. */
  async *watch(
    caller: Caller,
    filter: OperationWatchFilter,
    signal: AbortSignal,
  ): AsyncGenerator<OperationView, void, void> {
    authorise(caller, 'read', 'read operations');
    const wanted = this.#filterOf(filter);
    const wake = this.watcher.subscribe(() => true, signal);
    try {
      while (await wake.next()) {
        const operations = await this.operations.findMany(wake.take());
        for (const operation of operations) if (matches(operation, wanted)) yield operationView(operation);
      }
    } finally {
      wake.close();
    }
  }

  types(caller: Caller): OperationTypeView[] {
    authorise(caller, 'read', 'read operation types');
    return this.registry.operations.map(operationTypeView);
  }

  /** What was refused is on record, too. */
  async #authorise(
    caller: Caller,
    action: 'operation.denied' | 'operation.cancel-denied' | 'operation.decision-denied',
    subject: { type: string; id: string | null; target: ResourceTarget | null },
    correlationId: string,
  ): Promise<void> {
    const permission = this.registry.findOperation(subject.type)?.permission ?? subject.type;
    try {
      authorise(caller, 'operate', `do ${subject.type} (${permission})`);
    } catch (error) {
      if (error instanceof ControlError) {
        const entry = deniedEntry(caller, action, subject, correlationId, { permission });
        await this.database.transaction((transaction) => this.audit.append(transaction, entry));
      }
      throw error;
    }
  }

  async #find(id: string): Promise<OperationRecord> {
    const operation = isUuid(id) ? await this.operations.find(id) : undefined;
    if (operation === undefined) throw notFound(id);
    return operation;
  }

  #filterOf(query: OperationWatchFilter & Pick<OperationQuery, 'requestedBy' | 'approval'>): OperationFilter {
    if (query.type !== undefined) this.registry.operation(query.type);
    return {
      ...(query.status === undefined || query.status.length === 0 ? {} : { statuses: query.status }),
      ...(query.type === undefined ? {} : { type: query.type }),
      ...(query.target === undefined ? {} : { targetUid: this.references.uidOf(query.target) }),
      ...(query.requestedBy === undefined ? {} : { requestedBy: query.requestedBy }),
      ...(query.set === undefined ? {} : { setId: setIdOf(query.set) }),
      ...(query.approval === undefined ? {} : { approvalState: query.approval }),
    };
  }
}

function matches(operation: OperationRecord, filter: OperationFilter): boolean {
  return (
    (filter.statuses === undefined || filter.statuses.includes(operation.status)) &&
    (filter.type === undefined || filter.type === operation.type) &&
    (filter.targetUid === undefined || filter.targetUid === operation.target.uid) &&
    (filter.setId === undefined || filter.setId === operation.setId)
  );
}

function setIdOf(text: string): string {
  if (isUuid(text)) return text.toLowerCase();
  throw new ControlError('INVALID_REQUEST', 'The set is not named by its id.', {
    violations: [{ path: 'set', message: 'must be a uuid' }],
  });
}

function actorOf(caller: Caller): Pick<AuditEntry, 'principalId' | 'principalName'> {
  return { principalId: caller.principalId, principalName: caller.name };
}

function deniedEntry(
  caller: Caller,
  action: string,
  subject: { type: string; id: string | null; target: ResourceTarget | null },
  correlationId: string,
  details: JsonObject,
): AuditEntry {
  return {
    ...actorOf(caller),
    action,
    outcome: 'denied',
    operationId: subject.id,
    operationType: subject.type,
    target: subject.target,
    correlationId,
    details,
  };
}

function whyNotAwaited({ approval, status }: OperationRecord): string {
  if (approval === null) return 'The operation needs nobody’s consent.';
  switch (approval.state) {
    case 'waiting':
      return hasEnded(status) ? `The operation has ended: ${status}.` : 'The time for a decision is over.';
    case 'expired':
      return 'Nobody decided about it in time.';
    case 'approved':
    case 'rejected':
      return `${approval.decidedBy} has decided already: ${approval.state}.`;
    default:
      return assertNever(approval);
  }
}

function notFound(id: string): ControlError {
  return new ControlError('OPERATION_NOT_FOUND', `There is no operation "${id.slice(0, 100)}".`);
}

function sequenceOf(after: string | undefined): number {
  if (after === undefined) return 0;
  if (/^\d{1,9}$/.test(after)) return Number(after);
  throw new ControlError('INVALID_CURSOR', 'The last event id was not issued by this stream.');
}

export function operationView(operation: OperationRecord): OperationView {
  const waits = Math.ceil((operation.runAfter.getTime() - Date.now()) / 1000);
  return {
    id: operation.id,
    type: operation.type,
    status: operation.status,
    dryRun: operation.dryRun,
    target: operation.target,
    input: operation.input,
    steps: operation.steps.map((step) => ({
      name: step.name,
      status: step.status,
      startedAt: step.startedAt?.toISOString() ?? null,
      endedAt: step.endedAt?.toISOString() ?? null,
      attempts: step.attempts,
      message: step.message,
      output: step.output,
    })),
    findings: operation.findings,
    error: operation.error,
    result: operation.result,
    message: operation.message,
    requestedBy: operation.requestedBy,
    set: operation.setId,
    createdAt: operation.createdAt.toISOString(),
    startedAt: operation.startedAt?.toISOString() ?? null,
    endedAt: operation.endedAt?.toISOString() ?? null,
    correlationId: operation.correlationId,
    stuckSince: hasEnded(operation.status) ? null : (operation.stuckSince?.toISOString() ?? null),
    approval: approvalView(operation.approval),
    retryAfter: hasEnded(operation.status) ? null : Math.max(1, waits),
  };
}

function approvalView(approval: Approval | null): ApprovalView | null {
  if (approval === null) return null;
  const { state, rule } = approval;
  switch (approval.state) {
    case 'waiting':
    case 'expired': {
      const expiresAt = approval.expiresAt.toISOString();
      return { state, rule, expiresAt, decidedBy: null, decidedAt: null, reason: null };
    }
    case 'approved':
    case 'rejected': {
      const { decidedBy, decidedAt, reason } = approval;
      return { state, rule, expiresAt: null, decidedBy, decidedAt: decidedAt.toISOString(), reason };
    }
    default:
      return assertNever(approval);
  }
}

function operationTypeView(definition: OperationDefinition): OperationTypeView {
  return {
    type: definition.type,
    title: definition.title,
    description: definition.description,
    permission: definition.permission,
    timeoutSeconds: definition.timeoutSeconds,
    inputSchema: z.toJSONSchema(z.strictObject(definition.input.shape), { io: 'input' }) as JsonObject,
    references: Object.fromEntries(Object.entries(definition.references).map(([field, kinds]) => [field, [...kinds]])),
    secretFields: [...(definition.secretFields ?? [])],
    steps: definition.steps.map(({ name, description }) => ({ name, description })),
    findings: Object.entries(definition.findings).map(([code, description]) => ({ code, description })),
  };
}
