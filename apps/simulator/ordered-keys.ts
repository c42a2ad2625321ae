/** A set of keys in code-unit order with cheap paging: `after(key)` costs the page, not the set. */
export class OrderedKeys {
  readonly #members = new Set<string>();
  #sorted: string[] = [];
  /** Added but not yet in order; sorted in when somebody reads, so that loading many costs one sort. */
  #dirty = false;

  get size(): number {
    return this.#members.size;
  }

  add(key: string): void {
    if (this.#members.has(key)) return;
    this.#members.add(key);
    const last = this.#sorted.at(-1);
    if (last !== undefined && key < last) this.#dirty = true;
    this.#sorted.push(key);
  }

  delete(key: string): void {
    if (!this.#members.delete(key)) return;
    this.#sort();
    this.#sorted.splice(this.#position(key), 1);
  }

  /** At most `limit` keys that come after `key` (from the start without one). */
  after(key: string | undefined, limit: number): string[] {
    this.#sort();
    let start = key === undefined ? 0 : this.#position(key);
    if (key !== undefined && this.#sorted[start] === key) start++;
    return this.#sorted.slice(start, start + limit);
  }

  all(): readonly string[] {
    this.#sort();
    return this.#sorted;
  }

  #sort(): void {
    if (!this.#dirty) return;
    this.#sorted.sort();
    this.#dirty = false;
  }

  /** Where the key is, or would be. */
  #position(key: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
