import type { Clock } from '#libs/kernel/clock.js';
import type { Database } from '#libs/database/database.js';
import type { ClusterCandidate, WatchedCluster } from '#libs/systems/contract/cluster-watcher.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { watchScopes } from './cluster-watch.js';
import type { ObservationWriter } from './observation.writer.js';
import type { ResourceRecord } from './resource.record.js';
import type { ResourceRepository } from './resource.repository.js';
import type { ScopeRepository } from './scope.repository.js';
import type { WatchedClusterRepository, WatchPlan } from './watched-cluster.repository.js';

const PAGE = 500;
const GONE_AT_ONCE = 20;
const OBJECTS_AT_ONCE = 1_000;

export interface ClusterWatchPlannerParts {
  database: Database;
  registry: SystemRegistry;
  resources: ResourceRepository;
  scopes: ScopeRepository;
  clusters: WatchedClusterRepository;
  writer: ObservationWriter;
  clock: Clock;
  /** The uids of the clusters that a kubeconfig is attached to. */
  findAttached(): Promise<ReadonlySet<string>>;
}

/** Keeps the list of clusters that are to be watched, as the cache knows them, and clears up after those that are gone. */
export class ClusterWatchPlanner {
  constructor(private readonly parts: ClusterWatchPlannerParts) {}

  /** Any process may do so at any time: what it writes follows from the cache alone. */
  async plan(signal: AbortSignal): Promise<void> {
    const { registry, scopes, clusters } = this.parts;
    const kinds = [...new Set(registry.watchers.flatMap((watcher) => watcher.clusterKinds))];
    if (kinds.length === 0) return;
    const attached = await this.parts.findAttached();
    const plans: WatchPlan[] = [];
    for await (const record of this.#clustersOf(kinds)) {
      signal.throwIfAborted();
      const candidate = candidateOf(record, attached);
      const watchers = registry.watchers.filter(
        (watcher) => watcher.clusterKinds.includes(record.kind) && watcher.isWatched(candidate),
      );
      if (watchers.length === 0) continue;
      const cluster = clusterOf(record);
      plans.push({ cluster, watchers: watchers.map((watcher) => watcher.name) });
      await scopes.ensureWatched(watchers.flatMap((watcher) => watchScopes(watcher, cluster)));
    }
    const released = await clusters.replace(plans);
    await scopes.pauseWatched(released);
    await this.#clearUp(signal);
  }

  async *#clustersOf(kinds: string[]): AsyncGenerator<ResourceRecord> {
    let cursor: string | null = null;
    do {
      const page = await this.parts.resources.page({ kinds, limit: PAGE, cursor });
      yield* page.rows;
      cursor = page.nextCursor;
    } while (cursor !== null);
  }

  /** With a cluster go the objects in it: nobody can say any more that they are there. */
  async #clearUp(signal: AbortSignal): Promise<void> {
    const { database, scopes, clusters, writer, clock } = this.parts;
    for (const uid of await clusters.findGone(GONE_AT_ONCE)) {
      for (let removed = 1; removed > 0;) {
        signal.throwIfAborted();
        removed = await database.transaction(async (transaction) => {
          const objects = await clusters.findObjects(transaction, uid, OBJECTS_AT_ONCE);
          if (objects.length > 0) {
            return writer.tombstone(transaction, objects, { observedAt: clock.now(), source: 'WATCH' });
          }
          await scopes.forgetClusters(transaction, [uid]);
          await clusters.forget(transaction, [uid]);
          return 0;
        });
      }
    }
  }
}

function clusterOf(record: ResourceRecord): WatchedCluster {
  const { uid, id, kind, name, subscriptionId, resourceGroup, location } = record;
  return { uid, id, kind, name, subscriptionId, resourceGroup, location };
}

function candidateOf(record: ResourceRecord, attached: ReadonlySet<string>): ClusterCandidate {
  const { uid, provisioningState, properties } = record;
  return { ...clusterOf(record), provisioningState, properties, isAttached: attached.has(uid) };
}
