import { assertNever } from '#libs/kernel/assert-never.js';
import { ControlError, storedProblem } from '#libs/kernel/control-error.js';
import type { Database } from '#libs/database/database.js';
import type { Transaction } from '#libs/database/sql.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import type { JobQueueRepository } from './job-queue.repository.js';
import type { OperationSetItem, OperationSetRecord } from './operation-set.record.js';
import type { OperationSetRepository } from './operation-set.repository.js';
import type { OperationAcceptor } from './operation.acceptor.js';
import type { OperationRecord } from './operation.record.js';

/** What the sets need from the rest of the house. */
export interface OperationSetPorts {
  /** The record of who did what; called in the transaction that accepts an operation of a set. */
  recordAccepted(transaction: Transaction, operation: OperationRecord): Promise<void>;
  /** Called in the transaction that ends a set. */
  recordSetEnd(transaction: Transaction, set: OperationSetRecord): Promise<void>;
}

/**
 * Carries a set forward: takes over what has ended, and begins the next items as its limits allow. It holds the set while
 * it does, and every end of an operation of the set asks for another turn, so that nothing is begun twice or forgotten.
 */
export class OperationSetEngine {
  constructor(
    private readonly database: Database,
    private readonly sets: OperationSetRepository,
    private readonly acceptor: OperationAcceptor,
    private readonly jobs: JobQueueRepository,
    private readonly registry: SystemRegistry,
    private readonly ports: OperationSetPorts,
  ) {}

  async advance(id: string): Promise<void> {
    await this.database.transaction(async (transaction) => {
      const held = await this.sets.hold(transaction, id);
      if (held === undefined) return;
      const absorbed = await this.sets.absorbEnded(transaction, held);
      const set = absorbed === 0 ? held : ((await this.sets.find(id, transaction)) ?? held);
      const moved = await this.#move(transaction, set);
      if (absorbed > 0 || moved) await this.sets.appendEvent(transaction, id);
    });
  }

  /** Sets whose worker died at a bad moment get another turn. */
  async sweep(limit: number): Promise<void> {
    for (const id of await this.sets.findAbandoned(limit)) await this.jobs.scheduleSet(this.database, id);
  }

  /** @returns whether the set or its items were changed. */
  async #move(transaction: Transaction, set: OperationSetRecord): Promise<boolean> {
    switch (set.status) {
      case 'Running':
        return this.#run(transaction, set);
      case 'Stopping':
        return this.#stop(transaction, set);
      case 'Paused':
        return this.#endIfDone(transaction, set);
      case 'Succeeded':
      case 'Failed':
      case 'Stopped':
        return false;
      default:
        return assertNever(set.status);
    }
  }

  async #run(transaction: Transaction, set: OperationSetRecord): Promise<boolean> {
    const { Failed: failed, Running: running } = set.counts;
    if (set.failureThreshold !== null && failed > set.failureThreshold && set.counts.Waiting > 0) {
      const message = `${failed} failed, which is more than ${set.failureThreshold}: nothing more is begun.`;
      await this.sets.setOpen(transaction, set.id, 'Stopping', message);
      return this.#stop(transaction, { ...set, message });
    }
    const free = set.maximumConcurrency - running;
    const next = free <= 0 ? [] : await this.sets.findNextWaiting(transaction, set.id, free);
    let refused = 0;
    for (const item of next) if (!(await this.#begin(transaction, set, item))) refused++;
    // What could not even be begun has freed its place, and counts as failed.
    if (refused > 0) await this.jobs.scheduleSet(transaction, set.id);
    return next.length > 0 || this.#endIfDone(transaction, set);
  }

  async #stop(transaction: Transaction, set: OperationSetRecord): Promise<boolean> {
    await this.sets.cancelWaiting(transaction, set.id);
    if (set.counts.Running > 0) return set.counts.Waiting > 0;
    await this.sets.end(transaction, set.id, 'Stopped', set.message ?? 'It was stopped.');
    await this.#recordEnd(transaction, set.id);
    return true;
  }

  async #endIfDone(transaction: Transaction, set: OperationSetRecord): Promise<boolean> {
    const { Waiting, Running, Succeeded, Failed, Skipped, Canceled } = set.counts;
    if (Waiting + Running > 0) return false;
    const total = Succeeded + Failed + Skipped + Canceled;
    const parts = [
      `${Succeeded} of ${total} succeeded`,
      ...(Failed === 0 ? [] : [`${Failed} failed`]),
      ...(Skipped === 0 ? [] : [`${Skipped} were skipped, since the checks refused them`]),
      ...(Canceled === 0 ? [] : [`${Canceled} were canceled`]),
    ];
    await this.sets.end(transaction, set.id, Failed + Canceled > 0 ? 'Failed' : 'Succeeded', `${parts.join(', ')}.`);
    await this.#recordEnd(transaction, set.id);
    return true;
  }

  async #recordEnd(transaction: Transaction, id: string): Promise<void> {
    const ended = await this.sets.find(id, transaction);
    if (ended !== undefined) await this.ports.recordSetEnd(transaction, ended);
  }

  /** @returns whether there is an operation for it now. */
  async #begin(transaction: Transaction, set: OperationSetRecord, item: OperationSetItem): Promise<boolean> {
    try {
      const prepared = this.acceptor.prepare({
        definition: this.registry.operation(set.type),
        input: { ...set.input, [set.targetField]: item.target.id },
        dryRun: set.dryRun,
        idempotencyKey: undefined,
        principalId: set.principalId,
        requestedBy: set.requestedBy,
        correlationId: set.correlationId,
        setId: set.id,
        ...(set.consent === null ? {} : { consent: set.consent }),
      });
      const references = await this.acceptor.resolve(prepared);
      const operation = await this.acceptor.insert(transaction, prepared, references);
      if (operation === undefined)
        throw new ControlError('INTERNAL', 'An operation without a key was taken for another.');
      await this.sets.beginItem(transaction, set.id, item.position, operation.id);
      await this.ports.recordAccepted(transaction, operation);
      return true;
    } catch (error) {
      if (!(error instanceof ControlError) || error.retryable) throw error;
      await this.sets.failItem(transaction, set.id, item.position, storedProblem(error));
      return false;
    }
  }
}
