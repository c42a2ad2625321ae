import type { WriteContext } from './api.request.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';
import type { ObjectRegistry } from './object.registry.js';
import type { ObjectStore, RecordedEvent } from './object.store.js';
import type { ResourceCatalog } from './resource.catalog.js';

/** Empties a namespace that is being deleted, and lets it go when nothing is left in it. */
export class NamespaceLifecycle {
  readonly #terminating = new Set<string>();

  constructor(
    private readonly store: ObjectStore,
    private readonly registry: ObjectRegistry,
    private readonly catalog: ResourceCatalog,
    private readonly context: WriteContext,
  ) {}

  /** Looks for namespaces on their way out, after the store has been filled. */
  rebuild(): void {
    this.#terminating.clear();
    for (const namespace of this.store.list('namespaces'))
      if (namespace.metadata.deletionTimestamp !== undefined) this.#terminating.add(namespace.metadata.name);
  }

  /** Called with every change, in order. */
  observe({ type, resource, object }: RecordedEvent): void {
    if (resource === 'namespaces') {
      const { name, deletionTimestamp } = object.metadata;
      if (type === 'DELETED') this.#terminating.delete(name);
      else if (deletionTimestamp !== undefined && !this.#terminating.has(name)) {
        this.#terminating.add(name);
        this.#empty(name);
        this.#finalizeIfEmpty(name);
      }
      return;
    }
    const { namespace } = object.metadata;
    if (type === 'DELETED' && namespace !== undefined && this.#terminating.has(namespace))
      this.#finalizeIfEmpty(namespace);
  }

  #empty(namespace: string): void {
    for (const storage of this.store.resources()) {
      const resource = this.catalog.findStored(storage);
      if (resource?.namespaced !== true) continue;
      for (const object of this.store.list(storage, namespace)) this.#delete(storage, namespace, object.metadata.name);
    }
  }

  #delete(storage: string, namespace: string, name: string): void {
    const resource = this.catalog.findStored(storage);
    if (resource === undefined || this.store.get(storage, namespace, name) === undefined) return;
    try {
      this.registry.delete(resource, namespace, name, {}, this.context);
    } catch (error) {
      // What admission protects keeps its namespace from going, as on a real server.
      if (!(error instanceof KubernetesStatusError)) throw error;
    }
  }

  #finalizeIfEmpty(name: string): void {
    const namespace = this.store.get('namespaces', undefined, name);
    if (namespace === undefined || this.store.resources().some((storage) => this.store.count(storage, name) > 0))
      return;
    const finalized = { ...namespace, spec: {} };
    if ((namespace.metadata.finalizers ?? []).length > 0) this.store.put('namespaces', finalized);
    else this.store.remove('namespaces', undefined, name);
  }
}
