import type { ClusterObjects, KubernetesObject, ObjectDraft, ObjectEvent, ObjectWriter } from '../cluster.objects.js';
import { internalContext } from './api.request.js';
import { toServedVersion } from './api-version.conversion.js';
import { copyJson } from './json.comparison.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';
import type { ObjectRegistry } from './object.registry.js';
import type { ObjectStore } from './object.store.js';
import type { ResourceCatalog } from './resource.catalog.js';
import type { ServedResource } from './served.resource.js';

/** The way of the simulator's own controllers to the objects of a cluster. */
export class InternalObjects implements ClusterObjects {
  constructor(
    private readonly store: ObjectStore,
    private readonly registry: ObjectRegistry,
    private readonly catalog: ResourceCatalog,
  ) {}

  get(resource: string, namespace: string | undefined, name: string): KubernetesObject | undefined {
    return this.store.get(resource, namespace, name);
  }

  list(resource: string, namespace?: string): KubernetesObject[] {
    return this.store.list(resource, namespace);
  }

  create(draft: ObjectDraft, writer: ObjectWriter): KubernetesObject {
    const served = this.catalog.findKind(draft.apiVersion, draft.kind);
    if (served === undefined || served.virtual) throw KubernetesStatusError.pathNotFound();
    const { namespace } = draft.metadata;
    if (served.namespaced && namespace === undefined)
      throw KubernetesStatusError.badRequest('an empty namespace may not be set during creation');
    const place = served.namespaced ? namespace : undefined;
    return this.registry.create(served, place, copyJson(draft), internalContext(writer.manager, writer.user));
  }

  update(
    resource: string,
    namespace: string | undefined,
    name: string,
    writer: ObjectWriter,
    change: (object: KubernetesObject) => KubernetesObject | undefined,
  ): KubernetesObject | undefined {
    return this.#write(resource, namespace, name, '', writer, change);
  }

  updateStatus(
    resource: string,
    namespace: string | undefined,
    name: string,
    writer: ObjectWriter,
    change: (object: KubernetesObject) => KubernetesObject | undefined,
  ): KubernetesObject | undefined {
    return this.#write(resource, namespace, name, 'status', writer, change);
  }

  delete(resource: string, namespace: string | undefined, name: string, writer: ObjectWriter): void {
    const current = this.store.get(resource, namespace, name);
    if (current === undefined) return;
    // Who deletes a pod that is ending already is the kubelet, which has ended it.
    const options = current.metadata.deletionTimestamp === undefined ? {} : { gracePeriodSeconds: 0 };
    this.registry.delete(
      this.#served(resource),
      namespace,
      name,
      options,
      internalContext(writer.manager, writer.user),
    );
  }

  subscribe(listener: (event: ObjectEvent) => void): () => void {
    return this.store.subscribe(({ type, resource, object, previous }) =>
      listener({ type, resource, object, previous }),
    );
  }

  #write(
    resource: string,
    namespace: string | undefined,
    name: string,
    subresource: string,
    writer: ObjectWriter,
    change: (object: KubernetesObject) => KubernetesObject | undefined,
  ): KubernetesObject | undefined {
    if (this.store.get(resource, namespace, name) === undefined) return undefined;
    const served = this.#served(resource);
    const context = internalContext(writer.manager, writer.user);
    const written = this.registry.update({ resource: served, namespace, name, subresource }, context, (live) => {
      const object = change(toServedVersion(live, served));
      return object === undefined ? undefined : { object: copyJson(object) };
    });
    return written;
  }

  #served(resource: string): ServedResource {
    const served = this.catalog.findStored(resource);
    if (served === undefined) throw KubernetesStatusError.pathNotFound();
    return served;
  }
}
