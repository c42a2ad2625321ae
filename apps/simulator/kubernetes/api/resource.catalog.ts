import { BUILT_IN_RESOURCES } from './built-in.resources.js';
import { apiVersionOf, type ServedResource } from './served.resource.js';

/** What one cluster serves: the built-in resources and those of its custom resource definitions. */
export class ResourceCatalog {
  readonly #byPath = new Map<string, ServedResource>();
  readonly #byKind = new Map<string, ServedResource>();
  readonly #byStorage = new Map<string, ServedResource>();
  #all: readonly ServedResource[] = BUILT_IN_RESOURCES;
  readonly #custom = new Map<string, readonly ServedResource[]>();

  constructor() {
    this.#index();
  }

  /** In the order of discovery: built-in ones first, then by definition. */
  get all(): readonly ServedResource[] {
    return this.#all;
  }

  /** Serves the versions of one definition from now on, in place of what it served before. */
  setCustom(definition: string, resources: readonly ServedResource[]): void {
    if (resources.length === 0) this.#custom.delete(definition);
    else this.#custom.set(definition, resources);
    this.#all = [...BUILT_IN_RESOURCES, ...[...this.#custom.values()].flat()];
    this.#index();
  }

  find(group: string, version: string, plural: string): ServedResource | undefined {
    return this.#byPath.get(`${group}/${version}/${plural}`);
  }

  findKind(apiVersion: string, kind: string): ServedResource | undefined {
    return this.#byKind.get(`${apiVersion} ${kind}`);
  }

  /** The resource in its storage version: `pods`, `deployments.apps`. */
  findStored(storage: string): ServedResource | undefined {
    return this.#byStorage.get(storage);
  }

  hasGroup(group: string): boolean {
    return this.#all.some((resource) => resource.group === group);
  }

  hasGroupVersion(group: string, version: string): boolean {
    return this.#all.some((resource) => resource.group === group && resource.version === version);
  }

  #index(): void {
    this.#byPath.clear();
    this.#byKind.clear();
    this.#byStorage.clear();
    for (const resource of this.#all) {
      this.#byPath.set(`${resource.group}/${resource.version}/${resource.plural}`, resource);
      this.#byKind.set(`${apiVersionOf(resource)} ${resource.kind}`, resource);
      const stored = apiVersionOf(resource) === resource.storageApiVersion;
      if (!resource.virtual && (stored || !this.#byStorage.has(resource.storage)))
        this.#byStorage.set(resource.storage, resource);
    }
  }
}
