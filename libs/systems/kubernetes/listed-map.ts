/** What a stream tells of, by key: kept in step with the changes, and with the whole whenever the whole is told again. */
export class ListedMap<Value> {
  readonly #values = new Map<string, Value>();
  /** What the list that is being told has held so far. */
  #listed: Set<string> | undefined;

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  /** From a page of a list. */
  list(key: string, value: Value): void {
    this.#values.set(key, value);
    (this.#listed ??= new Set()).add(key);
  }

  /** From a change. */
  set(key: string, value: Value): void {
    this.#values.set(key, value);
  }

  delete(key: string): void {
    this.#values.delete(key);
  }

  /** A list begins. What one that broke off has held counts no more. */
  beginList(): void {
    this.#listed = undefined;
  }

  /** The list was told to its end. What was in none of its pages is taken out. @returns its keys and values. */
  endList(): [string, Value][] {
    const vanished = [...this.#values].filter(([key]) => this.#listed?.has(key) !== true);
    for (const [key] of vanished) this.#values.delete(key);
    this.#listed = undefined;
    return vanished;
  }
}
