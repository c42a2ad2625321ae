import { deterministicSuffix } from '../../deterministic-id.js';
import type { KubernetesObject, ObjectDraft, ObjectEvent, ObjectWriter, SimulatedCluster } from '../cluster.objects.js';
import { BUILT_IN_RESOURCES } from '../api/built-in.resources.js';
import type { ResourceTypes, TypedObject } from './kubernetes.types.js';

const BUILT_IN_STORAGE = [
  ...new Set(BUILT_IN_RESOURCES.filter((resource) => !resource.virtual).map((resource) => resource.storage)),
];

/** Names of generated objects have five characters, as `generateName` gives. */
const SUFFIX_LENGTH = 5;
const SUFFIX_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

export type TypeOf<R extends string> = R extends keyof ResourceTypes ? ResourceTypes[R] : TypedObject;

/** A change of one object, as the controllers see it. */
export interface Change<T> {
  type: ObjectEvent['type'];
  resource: string;
  object: T;
  previous: T | undefined;
}

/** How a kind is stored. */
export interface ServedKind {
  resource: string;
  scope: 'Namespaced' | 'Cluster';
}

/** Where an object is. */
export interface ObjectAddress {
  resource: string;
  namespace: string | undefined;
  name: string;
}

type Listener = (change: Change<TypedObject>) => void;

/**
 * One cluster as its controllers see it: typed reading and writing, changes routed by resource, and the indexes that keep
 * controllers from scanning everything: dependents by owner, content by namespace, pods by node.
 */
export class ClusterView {
  readonly #listeners = new Map<string, Listener[]>();
  readonly #anyListeners: Listener[] = [];
  readonly #dependents = new Map<string, Map<string, ObjectAddress>>();
  readonly #contents = new Map<string, Map<string, Set<string>>>();
  readonly #clusterScoped = new Map<string, Set<string>>();
  readonly #podsByNode = new Map<string, Set<string>>();
  readonly #suffixes = new Map<string, number>();
  readonly #unsubscribe: () => void;

  constructor(readonly cluster: SimulatedCluster) {
    this.#unsubscribe = cluster.objects.subscribe((event) => this.#route(event));
    for (const resource of this.knownResources()) {
      for (const object of cluster.objects.list(resource)) this.#index(resource, undefined, object);
    }
  }

  /** The built-in resources that have a meaning here, and the custom ones that are installed. */
  knownResources(): string[] {
    const custom = this.cluster.objects
      .list('customresourcedefinitions.apiextensions.k8s.io')
      .map((definition) => definition.metadata.name);
    return [...BUILT_IN_STORAGE, ...custom];
  }

  get<R extends string>(resource: R, namespace: string | undefined, name: string): TypeOf<R> | undefined {
    return this.cluster.objects.get(resource, namespace, name) as unknown as TypeOf<R> | undefined;
  }

  list<R extends string>(resource: R, namespace?: string): TypeOf<R>[] {
    return this.cluster.objects.list(resource, namespace) as unknown as TypeOf<R>[];
  }

  /** @throws KubernetesStatusError */
  create<T extends object>(draft: T, writer: ObjectWriter): KubernetesObject {
    return this.cluster.objects.create(draft as unknown as ObjectDraft, writer);
  }

  update<R extends string>(
    resource: R,
    namespace: string | undefined,
    name: string,
    writer: ObjectWriter,
    change: (object: TypeOf<R>) => TypeOf<R> | undefined,
  ): TypeOf<R> | undefined {
    return this.cluster.objects.update(resource, namespace, name, writer, untyped(change)) as unknown as
      TypeOf<R> | undefined;
  }

  updateStatus<R extends string>(
    resource: R,
    namespace: string | undefined,
    name: string,
    writer: ObjectWriter,
    change: (object: TypeOf<R>) => TypeOf<R> | undefined,
  ): TypeOf<R> | undefined {
    return this.cluster.objects.updateStatus(resource, namespace, name, writer, untyped(change)) as unknown as
      TypeOf<R> | undefined;
  }

  delete(resource: string, namespace: string | undefined, name: string, writer: ObjectWriter): void {
    this.cluster.objects.delete(resource, namespace, name, writer);
  }

  /** Called after the indexes know of the change. */
  on<R extends string>(resource: R, listener: (change: Change<TypeOf<R>>) => void): void {
    const listeners = this.#listeners.get(resource) ?? [];
    listeners.push(listener as unknown as Listener);
    this.#listeners.set(resource, listeners);
  }

  /** Changes of every resource. */
  onAny(listener: Listener): void {
    this.#anyListeners.push(listener);
  }

  /** Where the objects are that name this uid as an owner. */
  dependents(uid: string): ObjectAddress[] {
    return [...(this.#dependents.get(uid)?.values() ?? [])];
  }

  /** The objects of one resource that name this uid as an owner. */
  owned<R extends string>(uid: string, resource: R): TypeOf<R>[] {
    const found: TypeOf<R>[] = [];
    for (const address of this.#dependents.get(uid)?.values() ?? []) {
      if (address.resource !== resource) continue;
      const object = this.get(resource, address.namespace, address.name);
      if (object !== undefined) found.push(object);
    }
    return found;
  }

  podsOnNode(node: string): ResourceTypes['pods'][] {
    const found: ResourceTypes['pods'][] = [];
    for (const key of this.#podsByNode.get(node) ?? []) {
      const { namespace, name } = splitKey(key);
      const pod = this.get('pods', namespace, name);
      if (pod !== undefined) found.push(pod);
    }
    return found;
  }

  /** Everything in a namespace, in the order of resource and name. */
  contentOf(namespace: string): ObjectAddress[] {
    const content = this.#contents.get(namespace) ?? new Map<string, Set<string>>();
    return [...content.keys()]
      .sort()
      .flatMap((resource) => [...content.get(resource)!].sort().map((name) => ({ resource, namespace, name })));
  }

  /** Which resource holds the objects of this kind; undefined for a kind that is not served. */
  resourceOf(group: string, kind: string): ServedKind | undefined {
    return resourceOfKind(this, group, kind);
  }

  /** The names of a cluster-scoped resource's objects, in order. */
  clusterScoped(resource: string): string[] {
    return [...(this.#clusterScoped.get(resource) ?? [])].sort();
  }

  /** A name as `generateName` makes it, but the same in every run. */
  generateName(prefix: string, isTaken: (name: string) => boolean): string {
    for (;;) {
      const count = (this.#suffixes.get(prefix) ?? 0) + 1;
      this.#suffixes.set(prefix, count);
      const name = `${prefix}${safeSuffix(`${this.cluster.key}|${prefix}|${count}`)}`;
      if (!isTaken(name)) return name;
    }
  }

  close(): void {
    this.#unsubscribe();
    this.#listeners.clear();
    this.#anyListeners.length = 0;
  }

  #route(event: ObjectEvent): void {
    if (event.type === 'DELETED') this.#index(event.resource, event.object, undefined);
    else this.#index(event.resource, event.previous, event.object);
    const change = event as unknown as Change<TypedObject>;
    for (const listener of this.#listeners.get(event.resource) ?? []) listener(change);
    for (const listener of this.#anyListeners) listener(change);
  }

  #index(resource: string, before: KubernetesObject | undefined, after: KubernetesObject | undefined): void {
    const known = after ?? before;
    if (known === undefined) return;
    const { namespace, name } = known.metadata;
    const address: ObjectAddress = { resource, namespace, name };
    const key = addressKey(address);
    if (before === undefined || after === undefined) this.#indexPlace(address, after !== undefined);

    const ownersBefore = before?.metadata.ownerReferences ?? [];
    const ownersAfter = after?.metadata.ownerReferences ?? [];
    for (const owner of ownersBefore) {
      if (ownersAfter.some((other) => other.uid === owner.uid)) continue;
      const dependents = this.#dependents.get(owner.uid);
      dependents?.delete(key);
      if (dependents?.size === 0) this.#dependents.delete(owner.uid);
    }
    for (const owner of ownersAfter) {
      const dependents = this.#dependents.get(owner.uid) ?? new Map<string, ObjectAddress>();
      dependents.set(key, address);
      this.#dependents.set(owner.uid, dependents);
    }

    if (resource === 'pods') {
      const podKey = objectKey(known.metadata);
      const nodeBefore = nodeOf(before);
      const nodeAfter = nodeOf(after);
      if (nodeBefore === nodeAfter) return;
      if (nodeBefore !== undefined) this.#podsByNode.get(nodeBefore)?.delete(podKey);
      if (nodeAfter !== undefined) {
        const pods = this.#podsByNode.get(nodeAfter) ?? new Set<string>();
        pods.add(podKey);
        this.#podsByNode.set(nodeAfter, pods);
      }
    }
  }

  #indexPlace({ resource, namespace, name }: ObjectAddress, present: boolean): void {
    const place =
      namespace === undefined ? this.#clusterScoped : (this.#contents.get(namespace) ?? new Map<string, Set<string>>());
    if (namespace !== undefined) this.#contents.set(namespace, place);
    const names = place.get(resource) ?? new Set<string>();
    if (present) {
      names.add(name);
      place.set(resource, names);
      return;
    }
    names.delete(name);
    if (names.size === 0) place.delete(resource);
    if (place.size === 0 && namespace !== undefined) this.#contents.delete(namespace);
  }
}

/** `namespace/name`, or `/name` for what is in no namespace. */
export function objectKey(metadata: { namespace?: string | undefined; name: string }): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

export function splitKey(key: string): { namespace: string | undefined; name: string } {
  const slash = key.indexOf('/');
  return { namespace: slash === 0 ? undefined : key.slice(0, slash), name: key.slice(slash + 1) };
}

export function addressKey({ resource, namespace, name }: ObjectAddress): string {
  return `${resource}|${namespace ?? ''}/${name}`;
}

/** Five characters out of Kubernetes' alphabet for generated names: no vowels, so that no words come out. */
export function safeSuffix(seed: string): string {
  return Array.from(deterministicSuffix(seed, SUFFIX_LENGTH))
    .map((character) => SUFFIX_ALPHABET.charAt(character.charCodeAt(0) % SUFFIX_ALPHABET.length))
    .join('');
}

const BUILT_IN_KINDS = new Map(
  BUILT_IN_RESOURCES.filter((resource) => !resource.virtual).map(
    ({ group, kind, storage, namespaced }): [string, ServedKind] => [
      `${group}/${kind}`,
      { resource: storage, scope: namespaced ? 'Namespaced' : 'Cluster' },
    ],
  ),
);

interface DefinitionFields {
  spec: { group: string; scope: 'Namespaced' | 'Cluster'; names: { kind: string; plural: string } };
}

function resourceOfKind(view: ClusterView, group: string, kind: string): ServedKind | undefined {
  const builtIn = BUILT_IN_KINDS.get(`${group}/${kind}`);
  if (builtIn !== undefined) return builtIn;
  for (const definition of view.list('customresourcedefinitions.apiextensions.k8s.io')) {
    const { spec } = definition as unknown as DefinitionFields;
    if (spec.group === group && spec.names.kind === kind)
      return { resource: `${spec.names.plural}.${group}`, scope: spec.scope };
  }
  return undefined;
}

function nodeOf(pod: KubernetesObject | undefined): string | undefined {
  return (pod as unknown as ResourceTypes['pods'] | undefined)?.spec.nodeName;
}

/** The only place where the types of the controllers meet those of the store. */
function untyped<T>(change: (object: T) => T | undefined): (object: KubernetesObject) => KubernetesObject | undefined {
  return change as unknown as (object: KubernetesObject) => KubernetesObject | undefined;
}
