import type { JsonObject } from '#libs/kernel/json.js';
import { OrderedKeys } from './ordered-keys.js';

/** One resource as the simulator keeps it. Records are never changed in place: a change is a new record. */
export interface StoredResource {
  /** The id in lower case. */
  readonly key: string;
  /** The id as Azure shows it. */
  readonly id: string;
  /** In lower case: `microsoft.containerservice/fleets/members`. */
  readonly type: string;
  readonly name: string;
  readonly subscriptionId: string;
  readonly resourceGroup: string | undefined;
  /** The key of the parent or of the extended resource. */
  readonly parentKey: string | undefined;
  /** All members but those that the simulator makes: id, name, type, eTag and systemData. */
  readonly body: JsonObject;
  /** Grows with every change of any resource; the eTag is made from it. */
  readonly version: number;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly modifiedAt: string;
  readonly modifiedBy: string;
}

/** How a type takes part in the indexes. */
export interface IndexedType {
  /** Has a location and tags of its own, so the lists of all resources show it. */
  readonly tracked: boolean;
  /** Keys of other resources that a body points at. */
  references?(body: JsonObject): string[];
}

/** `at`: milliseconds since the epoch; a settled operation's change dates from when it was due, not from when it was seen. */
export interface ResourceChange {
  key: string;
  before: StoredResource | undefined;
  after: StoredResource | undefined;
  at: number;
}

/** Never written to: stands for an index that nothing is in. */
const NO_KEYS = new OrderedKeys();

/** All resources, with the indexes that the lists of ARM need. */
export class ResourceStore {
  readonly #records = new Map<string, StoredResource>();
  readonly #indexes = new Map<string, OrderedKeys>();
  readonly #listeners: ((change: ResourceChange) => void)[] = [];
  #version = 0;

  constructor(private readonly typeOf: (type: string) => IndexedType) {}

  get size(): number {
    return this.#records.size;
  }

  onChange(listener: (change: ResourceChange) => void): void {
    this.#listeners.push(listener);
  }

  get(key: string): StoredResource | undefined {
    return this.#records.get(key);
  }

  /** Stores the record under the next version. */
  put(record: Omit<StoredResource, 'version'>, at: number): StoredResource {
    const before = this.#records.get(record.key);
    const after: StoredResource = { ...record, version: ++this.#version };
    this.#records.set(after.key, after);
    this.#reindex(before, after);
    this.#notify({ key: after.key, before, after, at });
    return after;
  }

  delete(key: string, at: number): void {
    const before = this.#records.get(key);
    if (before === undefined) return;
    this.#records.delete(key);
    this.#reindex(before, undefined);
    this.#notify({ key, before, after: undefined, at });
  }

  ofSubscription(type: string, subscriptionId: string): OrderedKeys {
    return this.#at(`${type}|subscription|${subscriptionId.toLowerCase()}`);
  }

  ofGroup(type: string, subscriptionId: string, group: string): OrderedKeys {
    return this.#at(`${type}|group|${subscriptionId}/${group}`.toLowerCase());
  }

  ofParent(type: string, parentKey: string): OrderedKeys {
    return this.#at(`${type}|parent|${parentKey}`);
  }

  /** Of every type; the second argument narrows to a group. */
  tracked(subscriptionId: string, group?: string): OrderedKeys {
    const scope = group === undefined ? subscriptionId : `${subscriptionId}/${group}`;
    return this.#at(`*|tracked|${scope.toLowerCase()}`);
  }

  /** Everything whose id starts in the group, of every type. */
  inGroup(subscriptionId: string, group: string): OrderedKeys {
    return this.#at(`*|group|${subscriptionId}/${group}`.toLowerCase());
  }

  childrenOfAnyType(parentKey: string): OrderedKeys {
    return this.#at(`*|parent|${parentKey}`);
  }

  ofType(type: string): OrderedKeys {
    return this.#at(`${type}|all`);
  }

  /** The resources of a type whose body points at the key. */
  referring(type: string, key: string): OrderedKeys {
    return this.#at(`${type}|reference|${key}`);
  }

  records(keys: Iterable<string>): StoredResource[] {
    const result: StoredResource[] = [];
    for (const key of keys) {
      const record = this.#records.get(key);
      if (record !== undefined) result.push(record);
    }
    return result;
  }

  all(): IterableIterator<StoredResource> {
    return this.#records.values();
  }

  /** Replaces everything with records from a state file; no listener hears of it. */
  restore(records: readonly StoredResource[]): void {
    this.clear();
    for (const record of records) {
      this.#records.set(record.key, record);
      this.#reindex(undefined, record);
      this.#version = Math.max(this.#version, record.version);
    }
  }

  /** Versions go on counting, so that no eTag ever comes back. */
  clear(): void {
    this.#records.clear();
    this.#indexes.clear();
  }

  #notify(change: ResourceChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #at(index: string): OrderedKeys {
    return this.#indexes.get(index) ?? NO_KEYS;
  }

  #reindex(before: StoredResource | undefined, after: StoredResource | undefined): void {
    const old = new Set(before === undefined ? [] : this.#indexesOf(before));
    const wanted = after === undefined ? [] : this.#indexesOf(after);
    for (const index of wanted) {
      if (old.delete(index)) continue;
      let keys = this.#indexes.get(index);
      if (keys === undefined) {
        keys = new OrderedKeys();
        this.#indexes.set(index, keys);
      }
      keys.add(after!.key);
    }
    for (const index of old) {
      const keys = this.#indexes.get(index);
      keys?.delete(before!.key);
      if (keys?.size === 0) this.#indexes.delete(index);
    }
  }

  #indexesOf(record: StoredResource): string[] {
    const { type, parentKey } = record;
    const subscription = record.subscriptionId.toLowerCase();
    const indexed = this.typeOf(type);
    const indexes = [`${type}|all`, `${type}|subscription|${subscription}`];
    if (indexed.tracked) indexes.push(`*|tracked|${subscription}`);
    if (record.resourceGroup !== undefined) {
      const group = `${subscription}/${record.resourceGroup.toLowerCase()}`;
      indexes.push(`${type}|group|${group}`, `*|group|${group}`);
      if (indexed.tracked) indexes.push(`*|tracked|${group}`);
    }
    if (parentKey !== undefined) indexes.push(`${type}|parent|${parentKey}`, `*|parent|${parentKey}`);
    for (const reference of indexed.references?.(record.body) ?? []) indexes.push(`${type}|reference|${reference}`);
    return indexes;
  }
}
