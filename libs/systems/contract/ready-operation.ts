import type { JsonObject } from '#libs/kernel/json.js';

/** An operation that mends something, with the input that it takes here: it can be started as it stands. */
export interface ReadyOperation {
  type: string;
  input: JsonObject;
}

/** As a remedy names it: the type, then the input as JSON. */
export function readyOperation({ type, input }: ReadyOperation): string {
  return `Run ${type} ${JSON.stringify(input)}`;
}

/** The remedy of what can be started again once another operation has mended its cause. */
export function mendAndRetry(operation: ReadyOperation): string {
  return `${readyOperation(operation)}, then start this operation again.`;
}
