import type { Advisor } from './advice.js';
import type { Collector } from './collector.js';
import type { ClusterWatcher } from './cluster-watcher.js';
import type { KindDefinition } from './kind-definition.js';
import type { OperationDefinition } from './operation-definition.js';

/** What a system's module puts into the house. */
export interface System {
  readonly name: string;
  readonly kinds: readonly KindDefinition[];
  readonly collectors: readonly Collector[];
  /** What it watches inside clusters. */
  readonly watchers: readonly ClusterWatcher[];
  readonly operations: readonly OperationDefinition[];
  /** Who explains what ails its objects, where it knows. */
  readonly advisors?: readonly Advisor[];
}
