import { delay, type Clock } from '#libs/kernel/clock.js';
import type { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import type { WatchTurn } from '#libs/kube/cluster-client.js';
import type { Kube } from '#libs/kube/kube.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type {
  ClusterCandidate,
  ClusterWatcher,
  WatchBatch,
  WatchContext,
  WatchedCluster,
  WatchStream,
} from '../contract/cluster-watcher.js';
import type { CollectContext, ObservationResult } from '../contract/collector.js';
import { kubernetesIdOf } from '../contract/kubernetes-observation.js';
import { LARGEST_BATCH } from '../contract/observation-batch.js';
import type { Observation } from '../contract/observation.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { ClusterIndexes, type Wait } from './cluster-index.js';
import { CLUSTER_KINDS } from './kubernetes-reference.js';
import { KubernetesClient } from './kubernetes.client.js';
import { watchedKinds } from './kubernetes.kinds.js';
import type { KubernetesOptions } from './kubernetes.options.js';
import { KubernetesReader } from './kubernetes.reader.js';
import { STREAMS, type StreamDefinition } from './kubernetes.streams.js';
import { keeperOf, type StreamKeeper } from './stream.keepers.js';
import { isWatchable } from './watched-cluster.rule.js';
import { wokenTurns } from './woken-turns.js';

/** What depends on other objects is told again at most once in this time, however often these change. */
const GATHERING_MILLISECONDS = 1_000;
/** How long a stream waits for those without which it cannot tell everything. */
const LONGEST_WAIT_MILLISECONDS = 15_000;

/** Namespaces, nodes, workloads, pods, services and storage of clusters, each type of object as a stream of its own. */
export class KubernetesWatcher implements ClusterWatcher {
  readonly name = 'kubernetes';
  readonly kinds: readonly string[] = watchedKinds.map((kind) => kind.name);
  readonly clusterKinds: readonly string[] = CLUSTER_KINDS;
  readonly streams: readonly WatchStream[];
  readonly #definitions: readonly StreamDefinition[];
  readonly #client: KubernetesClient;
  readonly #reader: KubernetesReader;
  readonly #indexes: ClusterIndexes;

  constructor(
    kube: Kube,
    private readonly options: KubernetesOptions,
    private readonly clock: Clock,
    private readonly wait: Wait = delay,
  ) {
    this.#definitions = STREAMS.filter(({ name }) => options.streams.includes(name));
    this.streams = this.#definitions.map(({ name, kind }) => ({ name, kinds: [kind] }));
    this.#client = new KubernetesClient(kube);
    this.#reader = new KubernetesReader(this.#client, options, clock);
    this.#indexes = new ClusterIndexes(clock);
  }

  /** The clusters of which anything is kept in memory. */
  get watchedClusters(): number {
    return this.#indexes.size;
  }

  isWatched(cluster: ClusterCandidate): boolean {
    return isWatchable(cluster);
  }

  observe(target: ResourceTarget, context: CollectContext): Promise<ObservationResult> {
    return this.#reader.observe(target, context);
  }

  async *watch(cluster: WatchedCluster, stream: string, context: WatchContext): AsyncGenerator<WatchBatch, void, void> {
    const definition = this.#definitions.find(({ name }) => name === stream);
    if (definition === undefined) throw new TypeError(`There is no stream ${stream}`);
    const index = this.#indexes.enter(cluster.uid);
    const keeper = keeperOf(definition.name, index);
    try {
      const needed = definition.needs.filter((name) => this.options.streams.includes(name));
      await index.settled(needed, LONGEST_WAIT_MILLISECONDS, this.wait, context.signal);
      const telling = new StreamTelling(cluster, definition.kind, keeper, this.clock, this.#isKept);
      for await (const turn of this.#turns(cluster, definition, keeper, context)) {
        yield* telling.batchesOf(turn);
        if (turn !== 'woken' && turn.turn === 'listed') index.settle(definition.name);
      }
    } catch (error) {
      // Whatever breaks off a call that nobody wants any more is its end and no fault.
      if (!context.signal.aborted) throw error;
    } finally {
      keeper.leave();
      index.settle(definition.name);
      this.#indexes.leave(cluster.uid);
    }
  }

  #turns(
    cluster: WatchedCluster,
    { type }: StreamDefinition,
    { changed }: StreamKeeper,
    context: WatchContext,
  ): AsyncGenerator<WatchTurn | 'woken', void, void> {
    const { correlationId } = context;
    const relistRequested = (signal: AbortSignal): Promise<void> => context.relistRequested(signal);
    const start = (signal: AbortSignal) =>
      this.#client.watch(cluster, type, { signal, correlationId, relistRequested });
    if (changed === undefined) return start(context.signal);
    const nextWake = async (signal: AbortSignal): Promise<void> => {
      await changed.sleep(signal);
      await this.wait(GATHERING_MILLISECONDS, signal);
    };
    return wokenTurns(start, nextWake, context.signal);
  }

  readonly #isKept = ({ kind, namespace, name }: KubernetesId): boolean => {
    const { namespaces, excludedNamespaces } = this.options;
    const own = kind === 'Namespace' ? name : namespace;
    if (own === undefined) return true;
    return (namespaces.length === 0 || namespaces.includes(own)) && !excludedNamespaces.includes(own);
  };
}

/** Whether what was told holds: only then can it be told again with what others have changed about it. */
type Standing = 'listing' | 'following' | 'interrupted';

/** The turns of one stream as batches. */
class StreamTelling {
  #standing: Standing = 'listing';
  /** Of the list that is being told. */
  #listAskedAt: Date | undefined;
  #isOwed = false;
  /** Of what was told by ourselves; nothing that comes in later may bear an earlier time. */
  #lastToldAt: Date | undefined;

  constructor(
    private readonly cluster: WatchedCluster,
    private readonly kind: string,
    private readonly keeper: StreamKeeper,
    private readonly clock: Clock,
    private readonly isKept: (id: KubernetesId) => boolean,
  ) {}

  *batchesOf(turn: WatchTurn | 'woken'): Generator<WatchBatch, void, void> {
    if (turn === 'woken') this.#isOwed = true;
    else yield* this.#told(turn);
    if (!this.#isOwed || this.#standing !== 'following') return;
    this.#isOwed = false;
    const observedAt = this.clock.now();
    const changed = this.keeper.takeChanged().map((observation) => ({ ...observation, observedAt }));
    if (changed.length === 0) return;
    this.#lastToldAt = observedAt;
    yield* changeBatches(changed, [], observedAt);
  }

  *#told(turn: WatchTurn): Generator<WatchBatch, void, void> {
    switch (turn.turn) {
      case 'page': {
        this.#standing = 'listing';
        if (turn.askedAt.getTime() !== this.#listAskedAt?.getTime()) this.keeper.beginList();
        this.#listAskedAt = turn.askedAt;
        const observations = turn.objects.flatMap((object) => this.#observed(object, turn.askedAt, 'list'));
        for (const batch of batchesOf(observations)) yield { batch: 'page', observations: batch };
        return;
      }
      case 'listed':
        this.#standing = 'following';
        yield { batch: 'listed', askedAt: turn.askedAt };
        yield* this.#vanished();
        return;
      case 'changes':
        this.#standing = 'following';
        yield* this.#changes(turn);
        return;
      case 'alive':
        this.#standing = 'following';
        yield { batch: 'alive', receivedAt: turn.receivedAt };
        return;
      case 'interrupted':
        this.#standing = 'interrupted';
        yield { batch: 'interrupted', problem: turn.problem };
        return;
    }
  }

  *#changes({ changes, receivedAt: at }: Extract<WatchTurn, { turn: 'changes' }>): Generator<WatchBatch, void, void> {
    const receivedAt = this.#lastToldAt !== undefined && this.#lastToldAt > at ? this.#lastToldAt : at;
    // Only the last word on each object counts, since a batch has no order within it.
    const lastById = new Map(
      changes.map((change) => [kubernetesIdOf(change.object, this.cluster.uid).canonical, change]),
    );
    const observations: Observation[] = [];
    const gone: ResourceTarget[] = [];
    for (const { change, object } of lastById.values()) {
      if (change === 'put') {
        observations.push(...this.#observed(object, receivedAt, 'set'));
        continue;
      }
      const id = kubernetesIdOf(object, this.cluster.uid);
      this.keeper.forget(id.canonical);
      if (this.keeper.tells && this.isKept(id)) gone.push({ uid: id.uid, id: id.canonical, kind: this.kind });
    }
    if (observations.length + gone.length === 0) yield { batch: 'alive', receivedAt };
    else yield* changeBatches(observations, gone, receivedAt);
  }

  /** What was told by ourselves after a list was asked for is not ended by the list: it is named. */
  *#vanished(): Generator<WatchBatch, void, void> {
    const gone = this.keeper.endList().map((id) => ({ uid: resourceUid(id), id, kind: this.kind }));
    if (gone.length > 0) yield* changeBatches([], gone, this.clock.now());
  }

  #observed(object: KubernetesObject, observedAt: Date, telling: 'list' | 'set'): Observation[] {
    const id = kubernetesIdOf(object, this.cluster.uid);
    this.keeper.note(id, object, telling);
    if (!this.keeper.tells || !this.isKept(id)) return [];
    return [this.keeper.observe(id, object, { cluster: this.cluster, observedAt, source: 'WATCH' }, telling)];
  }
}

function* changeBatches(
  observations: readonly Observation[],
  gone: readonly ResourceTarget[],
  receivedAt: Date,
): Generator<WatchBatch, void, void> {
  for (const batch of batchesOf(observations)) yield { batch: 'changes', observations: batch, gone: [], receivedAt };
  for (const batch of batchesOf(gone)) yield { batch: 'changes', observations: [], gone: batch, receivedAt };
}

function batchesOf<Item>(items: readonly Item[]): Item[][] {
  const batches: Item[][] = [];
  for (let start = 0; start < items.length; start += LARGEST_BATCH) {
    batches.push(items.slice(start, start + LARGEST_BATCH));
  }
  return batches;
}
