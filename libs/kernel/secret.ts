import { inspect } from 'node:util';

const REDACTED = '[redacted]';

/**
 * A value that must not reach a log, an error, the audit log or an answer. Every ordinary way of turning it into text
 * gives `[redacted]`; only `reveal()` gives the value, so each use is easy to find.
 */
export class Secret<T extends string = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
