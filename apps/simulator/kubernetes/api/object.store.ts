import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject, ObjectEvent } from '../cluster.objects.js';
import { SortedObjects } from './sorted.objects.js';

/** How many changes a cluster remembers for watches that resume and lists that continue. */
const DEFAULT_HISTORY = 2_000;

/** A change with its place in the order of all changes of the cluster. */
export interface RecordedEvent extends ObjectEvent {
  /** The resourceVersion that the change made. */
  version: number;
  key: string;
}

/** `namespace/name`, or the name of a cluster-scoped object: the order of lists. */
export function storeKey(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

export function keyOf(object: KubernetesObject): string {
  return storeKey(object.metadata.namespace, object.metadata.name);
}

export type HistoricalList = { outcome: 'found'; objects: KubernetesObject[] } | { outcome: 'expired' };

/**
 * The objects of one cluster in memory. Objects are never changed in place, so that a list costs references only. One
 * counter numbers all changes; the newest are kept so that a watch can begin, and a list be read, in the past.
 */
export class ObjectStore {
  readonly #resources = new Map<string, SortedObjects>();
  readonly #byUid = new Map<string, { resource: string; key: string }>();
  readonly #history: RecordedEvent[] = [];
  readonly #listeners = new Set<(event: RecordedEvent) => void>();
  readonly #undelivered: RecordedEvent[] = [];
  #delivering = false;
  #version = 1;
  /** Changes up to this one are forgotten. */
  #forgotten = 1;

  constructor(private readonly historyLimit: number = DEFAULT_HISTORY) {}

  /** The resourceVersion of the newest change. */
  get version(): number {
    return this.#version;
  }

  /** The oldest resourceVersion from which a watch can begin. */
  get oldestVersion(): number {
    return this.#forgotten;
  }

  /** The storage names under which there are objects. */
  resources(): string[] {
    return [...this.#resources.keys()];
  }

  get(resource: string, namespace: string | undefined, name: string): KubernetesObject | undefined {
    return this.#resources.get(resource)?.get(storeKey(namespace, name));
  }

  byUid(uid: string): { resource: string; object: KubernetesObject } | undefined {
    const place = this.#byUid.get(uid);
    const object = place === undefined ? undefined : this.#resources.get(place.resource)?.get(place.key);
    return place === undefined || object === undefined ? undefined : { resource: place.resource, object };
  }

  /** In the order of namespace and name; without a namespace all of them. */
  list(resource: string, namespace?: string): KubernetesObject[] {
    return this.#resources.get(resource)?.list(namespace) ?? [];
  }

  count(resource: string, namespace?: string): number {
    return this.#resources.get(resource)?.count(namespace) ?? 0;
  }

  /** The list as it was when `version` was the newest change. */
  listAt(version: number, resource: string, namespace?: string): HistoricalList {
    if (version < this.#forgotten) return { outcome: 'expired' };
    if (version >= this.#version) return { outcome: 'found', objects: this.list(resource, namespace) };
    const undone = new Map<string, KubernetesObject | undefined>();
    for (let index = this.#history.length - 1; index >= 0; index--) {
      const event = this.#history[index]!;
      if (event.version <= version) break;
      if (event.resource !== resource) continue;
      if (namespace !== undefined && event.object.metadata.namespace !== namespace) continue;
      undone.set(event.key, event.previous);
    }
    if (undone.size === 0) return { outcome: 'found', objects: this.list(resource, namespace) };
    const objects = this.list(resource, namespace).filter((object) => !undone.has(keyOf(object)));
    for (const object of undone.values()) if (object !== undefined) objects.push(object);
    const keyed = objects.map((object) => ({ key: keyOf(object), object }));
    keyed.sort((one, other) => (one.key < other.key ? -1 : 1));
    return { outcome: 'found', objects: keyed.map((entry) => entry.object) };
  }

  /** The changes after `version` in their order; undefined when some of them are forgotten. */
  since(version: number, resource: string): RecordedEvent[] | undefined {
    if (version < this.#forgotten) return undefined;
    let start = this.#history.length;
    while (start > 0 && this.#history[start - 1]!.version > version) start--;
    return this.#history.slice(start).filter((event) => event.resource === resource);
  }

  /** Stores a new object or a new state of one. @returns it with its resourceVersion */
  put(resource: string, object: KubernetesObject): KubernetesObject {
    const objects = this.#objectsOf(resource);
    const key = keyOf(object);
    const previous = objects.get(key);
    const stored = this.#numbered(object);
    objects.set(key, stored);
    this.#byUid.set(stored.metadata.uid, { resource, key });
    this.#record({ type: previous === undefined ? 'ADDED' : 'MODIFIED', resource, object: stored, previous, key });
    return stored;
  }

  /** @returns the object as it was last, with the resourceVersion of its removal; undefined when there was none */
  remove(resource: string, namespace: string | undefined, name: string): KubernetesObject | undefined {
    const key = storeKey(namespace, name);
    const objects = this.#resources.get(resource);
    const previous = objects?.get(key);
    if (objects === undefined || previous === undefined) return undefined;
    objects.delete(key);
    this.#byUid.delete(previous.metadata.uid);
    const removed = this.#numbered(previous);
    this.#record({ type: 'DELETED', resource, object: removed, previous, key });
    return removed;
  }

  /** Called after each change, in their order, also when a listener changes something itself. @returns how to stop it */
  subscribe(listener: (event: RecordedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Forgets all changes so far. */
  compact(): void {
    this.#history.length = 0;
    this.#forgotten = this.#version;
  }

  snapshot(): JsonObject {
    const objects = [...this.#resources].map(([resource, sorted]) => [resource, sorted.list()] as const);
    return { version: this.#version, objects: Object.fromEntries(objects) };
  }

  /** Takes the place of everything stored; tells nobody, and leaves no history. */
  restore(version: number, objects: Readonly<Record<string, readonly KubernetesObject[]>>): void {
    this.#resources.clear();
    this.#byUid.clear();
    this.#version = Math.max(version, this.#version);
    for (const [resource, list] of Object.entries(objects)) {
      const sorted = this.#objectsOf(resource);
      for (const object of list) {
        const key = keyOf(object);
        sorted.set(key, object);
        this.#byUid.set(object.metadata.uid, { resource, key });
      }
    }
    this.compact();
  }

  #objectsOf(resource: string): SortedObjects {
    let objects = this.#resources.get(resource);
    if (objects === undefined) {
      objects = new SortedObjects();
      this.#resources.set(resource, objects);
    }
    return objects;
  }

  #numbered(object: KubernetesObject): KubernetesObject {
    this.#version++;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
  }

  #record(event: Omit<RecordedEvent, 'version'>): void {
    const recorded = { ...event, version: this.#version };
    this.#history.push(recorded);
    // Dropped in blocks: shifting the array with every change would cost its length each time.
    if (this.#history.length > this.historyLimit * 1.25) {
      const dropped = this.#history.splice(0, this.#history.length - this.historyLimit);
      this.#forgotten = dropped.at(-1)!.version;
    }
    this.#undelivered.push(recorded);
    this.#deliver();
  }

  /** One event to everybody before the next one: a listener that writes does not let others see its change first. */
  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      for (let event = this.#undelivered.shift(); event !== undefined; event = this.#undelivered.shift())
        for (const listener of [...this.#listeners]) listener(event);
    } finally {
      this.#delivering = false;
    }
  }
}
