import { randomUUID } from 'node:crypto';
import type { ArmErrorBody } from './arm-error.js';

/** Makes coming operations fail. What is left out matches everything. */
export interface PlannedFailure {
  readonly id: string;
  /** An ARM id in lower case. */
  readonly resourceId?: string;
  /** A type in lower case. */
  readonly type?: string;
  /** `create`, `update`, `delete`, or the name of a POST action. */
  readonly action?: string;
  readonly error: ArmErrorBody;
  /** How many more operations it will fail. */
  readonly times: number;
}

export class PlannedFailureStore {
  #failures: PlannedFailure[] = [];

  add(failure: Omit<PlannedFailure, 'id'>): PlannedFailure {
    const added = { ...failure, id: randomUUID() };
    this.#failures.push(added);
    return added;
  }

  list(): readonly PlannedFailure[] {
    return this.#failures;
  }

  /** The error that the operation about to begin shall end with; uses it up. */
  take(operation: { targetKey: string; targetType: string; action: string }): ArmErrorBody | undefined {
    const found = this.#failures.find(
      (failure) =>
        (failure.resourceId ?? operation.targetKey) === operation.targetKey &&
        (failure.type ?? operation.targetType) === operation.targetType &&
        (failure.action ?? operation.action).toLowerCase() === operation.action.toLowerCase(),
    );
    if (found === undefined) return undefined;
    this.#failures = this.#failures
      .map((failure) => (failure === found ? { ...failure, times: failure.times - 1 } : failure))
      .filter((failure) => failure.times > 0);
    return found.error;
  }

  restore(failures: readonly PlannedFailure[]): void {
    this.#failures = [...failures];
  }
}
