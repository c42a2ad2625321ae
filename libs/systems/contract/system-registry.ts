import { ControlError } from '#libs/kernel/control-error.js';
import { kindPath } from '#libs/kernel/kind-name.js';
import type { Collector } from './collector.js';
import type { KindDefinition } from './kind-definition.js';
import type { OperationDefinition } from './operation-definition.js';
import type { System } from './system.js';

/** Everything that the house can show and do, by name. Built once, at boot; a contradiction between systems stops it. */
export class SystemRegistry {
  readonly kinds: readonly KindDefinition[];
  readonly operations: readonly OperationDefinition[];
  readonly collectors: readonly Collector[];
  readonly #kindByName: ReadonlyMap<string, KindDefinition>;
  readonly #kindByArmType: ReadonlyMap<string, KindDefinition>;
  readonly #operationByType: ReadonlyMap<string, OperationDefinition>;
  readonly #collectorByKind: ReadonlyMap<string, Collector>;
  readonly #collectorByName: ReadonlyMap<string, Collector>;

  constructor(systems: readonly System[]) {
    this.kinds = systems.flatMap((system) => system.kinds);
    this.operations = systems.flatMap((system) => system.operations);
    this.collectors = systems.flatMap((system) => system.collectors);
    this.#kindByName = unique('kind', this.kinds, (kind) => kind.name);
    unique('path', this.kinds, (kind) => kindPath(kind.name));
    this.#kindByArmType = unique(
      'ARM type',
      this.kinds.filter((kind) => kind.armType !== undefined),
      (kind) => kind.armType!.toLowerCase(),
    );
    this.#operationByType = unique('operation type', this.operations, (operation) => operation.type);
    this.#collectorByName = unique('collector', this.collectors, (collector) => collector.name);
    this.#collectorByKind = new Map(
      this.collectors.flatMap((collector) => collector.kinds.map((kind): [string, Collector] => [kind, collector])),
    );
    for (const kind of this.kinds) {
      for (const relation of kind.relations) {
        if (!this.#kindByName.has(relation.kind)) {
          throw new TypeError(`${kind.name}.${relation.name} leads to the unknown kind ${relation.kind}`);
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

  findCollectorOfKind(kind: string): Collector | undefined {
    return this.#collectorByKind.get(kind);
  }

  findCollector(name: string): Collector | undefined {
    return this.#collectorByName.get(name);
  }
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
