/** What the rows of a statement have to fulfil, with its parameters: those that stand already, then those of the conditions. */
export class SqlConditions {
  readonly values: unknown[];
  readonly #conditions: string[] = [];

  constructor(values: readonly unknown[]) {
    this.values = [...values];
  }

  /**
   * @param condition in SQL, over the parameter that it is given (`$6`).
   * @param value undefined where nothing is asked for.
   */
  add(condition: (parameter: string) => string, value: unknown): void {
    if (value === undefined) return;
    // No stored text holds a NUL, and Postgres refuses a parameter with one.
    if (typeof value === 'string' && value.includes('\0')) {
      this.#conditions.push('false');
      return;
    }
    this.values.push(value);
    this.#conditions.push(condition(`$${this.values.length}`));
  }

  get isEmpty(): boolean {
    return this.#conditions.length === 0;
  }

  /** `WHERE …`; empty without conditions. */
  get where(): string {
    return this.isEmpty ? '' : `WHERE ${this.#conditions.join(' AND ')}`;
  }
}
