import type { KubernetesObject } from '../cluster.objects.js';

/** Just after '/': ends the range of the keys that begin with `namespace/`. */
const AFTER_SLASH = '0';

/** The objects of one resource by key, readable in the order of their keys and by namespace without a scan. */
export class SortedObjects {
  readonly #objects = new Map<string, KubernetesObject>();
  readonly #keys: string[] = [];

  get(key: string): KubernetesObject | undefined {
    return this.#objects.get(key);
  }

  set(key: string, object: KubernetesObject): void {
    if (!this.#objects.has(key)) this.#keys.splice(this.#position(key), 0, key);
    this.#objects.set(key, object);
  }

  delete(key: string): void {
    if (this.#objects.delete(key)) this.#keys.splice(this.#position(key), 1);
  }

  list(namespace?: string): KubernetesObject[] {
    const [start, end] = this.#range(namespace);
    const objects = new Array<KubernetesObject>(end - start);
    for (let index = start; index < end; index++) objects[index - start] = this.#objects.get(this.#keys[index]!)!;
    return objects;
  }

  count(namespace?: string): number {
    const [start, end] = this.#range(namespace);
    return end - start;
  }

  #range(namespace: string | undefined): [start: number, end: number] {
    if (namespace === undefined) return [0, this.#keys.length];
    return [this.#position(`${namespace}/`), this.#position(`${namespace}${AFTER_SLASH}`)];
  }

  /** Where the key is, or would be. */
  #position(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
