import { randomUUID } from 'node:crypto';
import type { Clock } from '#libs/kernel/clock.js';
import { type JsonObject, jsonText } from '#libs/kernel/json.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { AdmissionPlugin, AdmissionRequest, KubernetesObject } from '../cluster.objects.js';
import { compileDefinition, InvalidDefinitionError } from '../schema/custom-resource.definition.js';
import type { SchemaCatalog } from '../schema/schema.catalog.js';
import type { WriteContext } from './api.request.js';
import { establishedStatus, parseDefinition } from './custom-resource.definition.js';
import { KubernetesStatusError, type StatusCause } from './kubernetes-status.error.js';
import type { ObjectRegistry } from './object.registry.js';
import type { ObjectStore, RecordedEvent } from './object.store.js';
import type { ResourceCatalog } from './resource.catalog.js';
import { kubernetesTime } from '../timestamp.js';

export const DEFINITIONS = 'customresourcedefinitions.apiextensions.k8s.io';

/** Makes a cluster serve what its CustomResourceDefinition objects say, and refuses those that say nonsense. */
export class DefinitionInstaller implements AdmissionPlugin {
  readonly name = 'CustomResourceDefinition';
  /** By name: the spec that is served, to be told from a changed one by identity. */
  readonly #served = new Map<string, unknown>();

  constructor(
    private readonly store: ObjectStore,
    private readonly registry: ObjectRegistry,
    private readonly catalog: ResourceCatalog,
    private readonly schemas: SchemaCatalog,
    private readonly clock: Clock,
    private readonly context: WriteContext,
  ) {}

  /**
   * Stores and serves a definition without the detour of a request. The definition itself is shared: many clusters serve
   * the same big ones.
   * @throws KubernetesStatusError 422
   */
  install(definition: JsonObject): void {
    this.#check(definition);
    const metadata = isJsonObject(definition.metadata) ? definition.metadata : {};
    const name = jsonText(metadata.name);
    const existing = this.store.get(DEFINITIONS, undefined, name);
    if (existing?.spec === definition.spec) return;
    const time = kubernetesTime(this.clock.now());
    const { labels, annotations } = metadata;
    const object = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: {
        ...(existing?.metadata ?? { name, uid: randomUUID(), resourceVersion: '', creationTimestamp: time }),
        generation: (existing?.metadata.generation ?? 0) + 1,
        ...(labels === undefined ? {} : { labels }),
        ...(annotations === undefined ? {} : { annotations }),
      },
      spec: withConversion(definition.spec as JsonObject),
    } as unknown as KubernetesObject;
    this.#serve(name, definition, object.spec);
    this.store.put(DEFINITIONS, { ...object, status: establishedStatus(object, time) });
  }

  admit({ operation, resource, subresource, object }: AdmissionRequest): KubernetesObject {
    if (resource === DEFINITIONS && operation !== 'DELETE' && subresource === undefined) this.#check(object);
    return object;
  }

  /** Serves what is stored, after the store has been filled. */
  rebuild(): void {
    const stored = this.store.list(DEFINITIONS);
    for (const name of [...this.#served.keys()])
      if (!stored.some((definition) => definition.metadata.name === name)) this.#withdraw(name);
    for (const definition of stored) this.#serve(definition.metadata.name, definition, definition.spec);
  }

  /** Called with every change, in order. */
  observe({ type, resource, object }: RecordedEvent): void {
    if (resource !== DEFINITIONS) return;
    const { name } = object.metadata;
    if (type === 'DELETED') {
      this.#removeObjects(name);
      this.#withdraw(name);
      return;
    }
    if (this.#served.get(name) !== object.spec) this.#serve(name, object, object.spec);
    const served = this.catalog.findStored(DEFINITIONS);
    if (served === undefined || (object.status as JsonObject | undefined)?.acceptedNames !== undefined) return;
    this.registry.update(
      { resource: served, namespace: undefined, name, subresource: 'status' },
      this.context,
      (live) => ({ object: { ...live, status: establishedStatus(live, kubernetesTime(this.clock.now())) } }),
    );
  }

  #serve(name: string, definition: JsonObject, spec: unknown): void {
    const parsed = parseDefinition(definition);
    if (parsed.outcome === 'malformed')
      throw new TypeError(`The stored definition ${name} is malformed: ${parsed.message}`);
    this.schemas.addDefinition(definition);
    this.catalog.setCustom(name, parsed.resources);
    this.#served.set(name, spec);
  }

  #withdraw(name: string): void {
    this.schemas.removeDefinition(name);
    this.catalog.setCustom(name, []);
    this.#served.delete(name);
  }

  /** The objects of a definition go with it. */
  #removeObjects(name: string): void {
    for (const object of this.store.list(name))
      this.store.remove(name, object.metadata.namespace, object.metadata.name);
  }

  #check(definition: JsonObject): void {
    const name = jsonText((definition.metadata as JsonObject).name);
    const refuse = (cause: StatusCause): never => {
      const kind = { group: 'apiextensions.k8s.io', resource: 'CustomResourceDefinition' };
      throw KubernetesStatusError.invalid(kind, name, [cause]);
    };
    const parsed = parseDefinition(definition);
    if (parsed.outcome === 'malformed')
      return refuse({ reason: 'FieldValueInvalid', message: `Invalid value: ${parsed.message}`, field: parsed.field });
    const storage = parsed.resources[0]?.storage ?? name;
    if (storage !== name)
      refuse({
        reason: 'FieldValueInvalid',
        message: `Invalid value: ${JSON.stringify(name)}: must be spec.names.plural+"."+spec.group`,
        field: 'metadata.name',
      });
    try {
      compileDefinition(definition);
    } catch (error) {
      if (!(error instanceof InvalidDefinitionError)) throw error;
      refuse({ reason: 'FieldValueInvalid', message: error.message, field: error.field });
    }
  }
}

/** The default that the server writes into every definition. */
function withConversion(spec: JsonObject): JsonObject {
  return spec.conversion === undefined ? { ...spec, conversion: { strategy: 'None' } } : spec;
}
