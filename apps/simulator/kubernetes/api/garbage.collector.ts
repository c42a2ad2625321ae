import type { KubernetesObject } from '../cluster.objects.js';
import type { DeleteOptions, WriteContext } from './api.request.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';
import { FOREGROUND_FINALIZER, ORPHAN_FINALIZER, type ObjectRegistry } from './object.registry.js';
import type { ObjectStore, RecordedEvent } from './object.store.js';
import type { ResourceCatalog } from './resource.catalog.js';

/** What an object is known by wherever it is. */
interface Dependent {
  resource: string;
  namespace: string | undefined;
  name: string;
}

/**
 * Removes what belongs to objects that are gone, as their `ownerReferences` say: in the background, before the owner goes
 * (foreground), or not at all (orphan). It works as the changes happen; there is nothing to wait for.
 */
export class GarbageCollector {
  /** By the uid of an owner: the uids of what names it. */
  readonly #dependents = new Map<string, Map<string, Dependent>>();

  constructor(
    private readonly store: ObjectStore,
    private readonly registry: ObjectRegistry,
    private readonly catalog: ResourceCatalog,
    private readonly context: WriteContext,
  ) {}

  /** Learns all relations anew, after the store has been filled. */
  rebuild(): void {
    this.#dependents.clear();
    for (const resource of this.store.resources())
      for (const object of this.store.list(resource)) this.#learn(resource, object);
  }

  /** Called with every change, in order. */
  observe(event: RecordedEvent): void {
    const { object, previous, resource } = event;
    const owners = object.metadata.ownerReferences ?? [];
    const sameOwners = previous?.metadata.ownerReferences === object.metadata.ownerReferences;
    if (!sameOwners || event.type === 'DELETED') {
      for (const owner of previous?.metadata.ownerReferences ?? [])
        this.#dependents.get(owner.uid)?.delete(object.metadata.uid);
      if (event.type !== 'DELETED') this.#learn(resource, object);
    }
    if (event.type === 'DELETED') {
      this.#afterRemoval(object);
      for (const owner of owners) this.#reconsiderOwner(owner.uid);
      return;
    }
    if (owners.length > 0 && !sameOwners) this.#removeIfOwnerless(resource, object);
    if (object.metadata.deletionTimestamp !== undefined) this.#reconsiderOwner(object.metadata.uid);
  }

  #learn(resource: string, object: KubernetesObject): void {
    const { namespace, name, uid } = object.metadata;
    for (const owner of object.metadata.ownerReferences ?? []) {
      let dependents = this.#dependents.get(owner.uid);
      if (dependents === undefined) {
        dependents = new Map();
        this.#dependents.set(owner.uid, dependents);
      }
      dependents.set(uid, { resource, namespace, name });
    }
  }

  #dependentsOf(uid: string): { resource: string; object: KubernetesObject }[] {
    return [...(this.#dependents.get(uid)?.keys() ?? [])].flatMap((dependent) => this.store.byUid(dependent) ?? []);
  }

  #afterRemoval(owner: KubernetesObject): void {
    for (const { resource, object } of this.#dependentsOf(owner.metadata.uid))
      this.#removeIfOwnerless(resource, object);
    this.#dependents.delete(owner.metadata.uid);
  }

  /** Deletes an object none of whose owners is there; forgets the owners that are gone where others remain. */
  #removeIfOwnerless(resource: string, object: KubernetesObject): void {
    const owners = object.metadata.ownerReferences ?? [];
    const remaining = owners.filter((owner) => this.store.byUid(owner.uid) !== undefined);
    if (owners.length === 0 || remaining.length === owners.length) return;
    if (remaining.length === 0) this.#delete(resource, object, {});
    else this.#write(resource, object, (metadata) => ({ ...metadata, ownerReferences: remaining }));
  }

  /** An owner on its way out waits for its dependents, or lets go of them. */
  #reconsiderOwner(uid: string): void {
    const found = this.store.byUid(uid);
    if (found?.object.metadata.deletionTimestamp === undefined) return;
    const { resource, object } = found;
    const finalizers = object.metadata.finalizers ?? [];
    if (finalizers.includes(ORPHAN_FINALIZER)) {
      for (const dependent of this.#dependentsOf(uid))
        this.#write(dependent.resource, dependent.object, (metadata) => ({
          ...metadata,
          ownerReferences: (metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid),
        }));
      this.#dropFinalizer(resource, object, ORPHAN_FINALIZER);
    } else if (finalizers.includes(FOREGROUND_FINALIZER)) {
      for (const dependent of this.#dependentsOf(uid)) {
        if (dependent.object.metadata.deletionTimestamp !== undefined) continue;
        const owning = this.#dependentsOf(dependent.object.metadata.uid).length > 0;
        this.#delete(dependent.resource, dependent.object, owning ? { propagationPolicy: 'Foreground' } : {});
      }
      const blocking = this.#dependentsOf(uid).some(({ object: dependent }) =>
        dependent.metadata.ownerReferences?.some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true),
      );
      if (!blocking) this.#dropFinalizer(resource, object, FOREGROUND_FINALIZER);
    }
  }

  #dropFinalizer(resource: string, object: KubernetesObject, finalizer: string): void {
    this.#write(resource, object, (metadata) => ({
      ...metadata,
      finalizers: (metadata.finalizers ?? []).filter((other) => other !== finalizer),
    }));
  }

  #delete(resource: string, object: KubernetesObject, options: DeleteOptions): void {
    const served = this.catalog.findStored(resource);
    const { namespace, name, deletionTimestamp } = object.metadata;
    if (served === undefined || deletionTimestamp !== undefined) return;
    this.#unlessRefused(() => this.registry.delete(served, namespace, name, options, this.context));
  }

  #write(
    resource: string,
    object: KubernetesObject,
    change: (metadata: KubernetesObject['metadata']) => KubernetesObject['metadata'],
  ): void {
    const served = this.catalog.findStored(resource);
    const { namespace, name } = object.metadata;
    if (served === undefined || this.store.get(resource, namespace, name) === undefined) return;
    this.#unlessRefused(() =>
      this.registry.update({ resource: served, namespace, name, subresource: '' }, this.context, (live) => ({
        object: { ...live, metadata: change(live.metadata) },
      })),
    );
  }

  /** Admission may protect an object, from the garbage collector too: it stays then. */
  #unlessRefused(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof KubernetesStatusError)) throw error;
    }
  }
}
