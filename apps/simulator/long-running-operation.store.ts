import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmErrorBody } from './arm-error.js';

/** Times are milliseconds since the epoch. */
export type OperationState =
  | { status: 'InProgress' }
  | { status: 'Succeeded'; endedAt: number }
  | { status: 'Failed'; endedAt: number; error: ArmErrorBody }
  | { status: 'Canceled'; endedAt: number; error: ArmErrorBody };

/** A change that takes time, as plain data, so that it survives a restart. */
export interface LongRunningOperation {
  readonly id: string;
  /** `create`, `update`, `delete`, or the name of a POST action. */
  readonly action: string;
  readonly subscriptionId: string;
  /** In the provider's own casing. */
  readonly namespace: string;
  readonly location: string;
  readonly targetKey: string;
  readonly targetName: string;
  readonly targetType: string;
  /** The provisioningState of the target while this runs. */
  readonly runningState: string;
  /** The key of the top-level resource: operations of one family know of each other by it. */
  readonly rootKey: string;
  readonly startedAt: number;
  readonly dueAt: number;
  readonly state: OperationState;
  /** Resources whose provisioningState is settled when the operation ends. */
  readonly settles: readonly string[];
  readonly finalState: string;
  readonly removes: readonly string[];
  readonly merges: readonly { key: string; patch: JsonObject }[];
  /** What the `Location` URL answers at the end: the resource as it then is, or nothing. */
  readonly result: 'resource' | 'nothing';
  readonly retryAfterSeconds: number | undefined;
  /** Decided when the operation begins: it will fail with this. */
  readonly plannedError: ArmErrorBody | undefined;
  readonly runningNotice: ArmErrorBody | undefined;
  /** What an action has to show at its end. */
  readonly output?: JsonObject | undefined;
}

/** Every operation by id, and the ones in flight by family. */
export class LongRunningOperationStore {
  readonly #operations = new Map<string, LongRunningOperation>();
  readonly #inFlight = new Map<string, Set<string>>();
  #nextDueAt = Number.POSITIVE_INFINITY;

  get(id: string): LongRunningOperation | undefined {
    return this.#operations.get(id.toLowerCase());
  }

  all(): IterableIterator<LongRunningOperation> {
    return this.#operations.values();
  }

  add(operation: LongRunningOperation): void {
    this.#operations.set(operation.id, operation);
    if (operation.state.status !== 'InProgress') return;
    const family = this.#inFlight.get(operation.rootKey) ?? new Set();
    family.add(operation.id);
    this.#inFlight.set(operation.rootKey, family);
    this.#nextDueAt = Math.min(this.#nextDueAt, operation.dueAt);
  }

  /** In flight on a top-level resource or anything below it. */
  running(rootKey: string): LongRunningOperation[] {
    return this.#resolve(this.#inFlight.get(rootKey) ?? []);
  }

  /** No operation becomes due before this. */
  get nextDueAt(): number {
    return this.#nextDueAt;
  }

  /** In flight and due, in the order in which they became due. Costs nothing while none is due. */
  due(now: number): LongRunningOperation[] {
    if (now < this.#nextDueAt) return [];
    const due: LongRunningOperation[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const family of this.#inFlight.values()) {
      for (const operation of this.#resolve(family)) {
        if (operation.dueAt <= now) due.push(operation);
        else next = Math.min(next, operation.dueAt);
      }
    }
    this.#nextDueAt = next;
    return due.sort((left, right) => left.dueAt - right.dueAt);
  }

  /** A state is final: an operation that has ended stays as it ended. */
  end(operation: LongRunningOperation, state: Exclude<OperationState, { status: 'InProgress' }>): void {
    this.#operations.set(operation.id, { ...operation, state });
    const family = this.#inFlight.get(operation.rootKey);
    family?.delete(operation.id);
    if (family?.size === 0) this.#inFlight.delete(operation.rootKey);
  }

  /** Forgets ended operations that started before the time given: their poll URLs have expired. */
  prune(startedBefore: number): void {
    for (const operation of this.#operations.values()) {
      if (operation.startedAt >= startedBefore) break;
      if (operation.state.status !== 'InProgress') this.#operations.delete(operation.id);
    }
  }

  restore(operations: readonly LongRunningOperation[]): void {
    this.clear();
    for (const operation of operations) this.add(operation);
  }

  clear(): void {
    this.#operations.clear();
    this.#inFlight.clear();
    this.#nextDueAt = Number.POSITIVE_INFINITY;
  }

  #resolve(ids: Iterable<string>): LongRunningOperation[] {
    const result: LongRunningOperation[] = [];
    for (const id of ids) {
      const operation = this.#operations.get(id);
      if (operation !== undefined) result.push(operation);
    }
    return result;
  }
}
