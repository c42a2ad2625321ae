import { ControlError } from '#libs/kernel/control-error.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { ResourceId } from '#libs/kernel/resource-id.js';
import { kindPath } from '#libs/kernel/kind-name.js';
import type { ClusterWatcher } from './cluster-watcher.js';
import type { Advisor } from './advice.js';
import type { Collector, Observer } from './collector.js';
import { kindsOf, type KindDefinition, type RelationField } from './kind-definition.js';
import type { OperationDefinition } from './operation-definition.js';
import type { System } from './system.js';

/** Everything that the house can show and do, by name. Built once, at boot; a contradiction between systems stops it. */
export class SystemRegistry {
  readonly kinds: readonly KindDefinition[];
  readonly operations: readonly OperationDefinition[];
  readonly collectors: readonly Collector[];
  readonly watchers: readonly ClusterWatcher[];
  readonly advisors: readonly Advisor[];
  readonly #kindByName: ReadonlyMap<string, KindDefinition>;
  readonly #kindByArmType: ReadonlyMap<string, KindDefinition>;
  readonly #operationByType: ReadonlyMap<string, OperationDefinition>;
  readonly #relationsByKind: ReadonlyMap<string, RelationField[]>;
  readonly #kindByKubernetesType: ReadonlyMap<string, KindDefinition>;
  readonly #observerByKind: ReadonlyMap<string, Observer>;
  readonly #watcherByName: ReadonlyMap<string, ClusterWatcher>;
  readonly #collectorByName: ReadonlyMap<string, Collector>;

  constructor(systems: readonly System[]) {
    this.kinds = systems.flatMap((system) => system.kinds);
    this.operations = systems.flatMap((system) => system.operations);
    this.collectors = systems.flatMap((system) => system.collectors);
    this.watchers = systems.flatMap((system) => system.watchers);
    this.advisors = systems.flatMap((system) => system.advisors ?? []);
    this.#kindByName = unique('kind', this.kinds, (kind) => kind.name);
    unique('path', this.kinds, (kind) => kindPath(kind.name));
    this.#kindByArmType = unique(
      'ARM type',
      this.kinds.filter((kind) => kind.armType !== undefined),
      (kind) => kind.armType!.toLowerCase(),
    );
    this.#operationByType = unique('operation type', this.operations, (operation) => operation.type);
    this.#collectorByName = unique('collector', this.collectors, (collector) => collector.name);
    this.#watcherByName = unique('watcher', this.watchers, (watcher) => watcher.name);
    const typed = this.kinds.flatMap((kind) => (kind.kubernetesTypes ?? []).map((type) => ({ kind, type })));
    const byType = unique('Kubernetes type', typed, ({ type }) => `${type.group}/${type.kind}`);
    this.#kindByKubernetesType = new Map([...byType].map(([key, { kind }]) => [key, kind]));
    this.#observerByKind = new Map(
      [...this.collectors, ...this.watchers].flatMap((observer) =>
        observer.kinds.map((kind): [string, Observer] => [kind, observer]),
      ),
    );
    this.#relationsByKind = new Map(this.kinds.map((kind) => [kind.name, [...kind.relations]]));
    for (const kind of this.kinds) {
      for (const relation of kind.relations) {
        for (const other of kindsOf(relation)) {
          if (!this.#kindByName.has(other)) {
            throw new TypeError(`${kind.name}.${relation.name} leads to the unknown kind ${other}`);
          }
          if (relation.inverse !== undefined) this.#relationsByKind.get(other)?.push(inverseOf(kind, relation));
        }
      }
    }
  }

  findKind(name: string): KindDefinition | undefined {
    return this.#kindByName.get(name);
  }

  /** @throws ControlError UNKNOWN_KIND */
  kind(name: string): KindDefinition {
    const kind = this.#kindByName.get(name);
    if (kind !== undefined) return kind;
    throw new ControlError('UNKNOWN_KIND', `There is no kind "${name.slice(0, 100)}".`, {
      remedy: `Kinds: ${this.kinds.map((known) => known.name).join(', ')}.`,
    });
  }

  findKindByArmType(armType: string): KindDefinition | undefined {
    return this.#kindByArmType.get(armType.toLowerCase());
  }

  /** The relations of a kind: its own, and the ways back of those that lead to it from elsewhere. */
  relationsOf(kind: KindDefinition): readonly RelationField[] {
    return this.#relationsByKind.get(kind.name) ?? [];
  }

  /** Who can say what ails an object of this kind. */
  advisorsOf(kind: string): readonly Advisor[] {
    return this.advisors.filter((advisor) => advisor.kind === kind);
  }

  findOperation(type: string): OperationDefinition | undefined {
    return this.#operationByType.get(type);
  }

  /** @throws ControlError UNKNOWN_OPERATION_TYPE */
  operation(type: string): OperationDefinition {
    const operation = this.#operationByType.get(type);
    if (operation !== undefined) return operation;
    throw new ControlError('UNKNOWN_OPERATION_TYPE', `There is no operation type "${type.slice(0, 100)}".`, {
      remedy: 'GET /v1/operation-types lists them.',
    });
  }

  /** The kind of the object that has this id. */
  findKindOf(id: ResourceId): KindDefinition | undefined {
    return id instanceof KubernetesId
      ? this.#kindByKubernetesType.get(`${id.group}/${id.kind}`)
      : this.findKindByArmType(id.type);
  }

  /** Who can be asked for an object of this kind. */
  findObserverOfKind(kind: string): Observer | undefined {
    return this.#observerByKind.get(kind);
  }

  findWatcher(name: string): ClusterWatcher | undefined {
    return this.#watcherByName.get(name);
  }

  findCollector(name: string): Collector | undefined {
    return this.#collectorByName.get(name);
  }
}

function inverseOf(kind: KindDefinition, { type, direction, inverse }: RelationField): RelationField {
  if (inverse === undefined) throw new TypeError(`${kind.name} has no way back from where this leads`);
  return { ...inverse, type, direction: direction === 'outgoing' ? 'incoming' : 'outgoing', kind: kind.name };
}

function unique<T>(what: string, items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, T> {
  const map = new Map<string, T>();
  for (const item of items) {
    const key = keyOf(item);
    if (map.has(key)) throw new TypeError(`Two systems define the ${what} "${key}"`);
    map.set(key, item);
  }
  return map;
}
