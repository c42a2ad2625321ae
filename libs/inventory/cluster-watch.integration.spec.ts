import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { delay, systemClock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import { NotificationListener } from '#libs/database/notification.listener.js';
import type {
  ClusterCandidate,
  ClusterWatcher,
  WatchBatch,
  WatchContext,
  WatchedCluster,
} from '#libs/systems/contract/cluster-watcher.js';
import type { ObservationResult } from '#libs/systems/contract/collector.js';
import type { Observation } from '#libs/systems/contract/observation.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { anObservation, canonicalIdOf } from '#libs/testing/observation.factory.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { ClusterWatchPlanner } from './cluster-watch.planner.js';
import { ClusterWatchScheduler } from './cluster-watch.scheduler.js';
import { ObservationWriter } from './observation.writer.js';
import { ReadThrough } from './read-through.js';
import { ResourceRepository } from './resource.repository.js';
import { ScopeRepository, type ScopeRecord } from './scope.repository.js';
import { WatchedClusterRepository } from './watched-cluster.repository.js';

const LAG = { resourceGraphLagSeconds: 0 };
const CLUSTER = canonicalIdOf('cluster');
const CLUSTER_UID = resourceUid(CLUSTER);

/** One opened stream, which tells what the test pushes into it. */
class OpenStream {
  readonly #queue: (WatchBatch | ControlError)[] = [];
  #wake = Promise.withResolvers<void>();
  relists = 0;

  constructor(
    readonly cluster: WatchedCluster,
    readonly context: WatchContext,
  ) {
    void this.#countRelists();
  }

  push(...batches: (WatchBatch | ControlError)[]): void {
    this.#queue.push(...batches);
    this.#wake.resolve();
  }

  async *batches(): AsyncGenerator<WatchBatch, void, void> {
    const { signal } = this.context;
    for (;;) {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        if (next instanceof ControlError) throw next;
        yield next;
      }
      const aborted = Promise.withResolvers<never>();
      const onAbort = (): void => aborted.reject(signal.reason as Error);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      await Promise.race([this.#wake.promise, aborted.promise]);
      signal.removeEventListener('abort', onAbort);
      this.#wake = Promise.withResolvers();
    }
  }

  async #countRelists(): Promise<void> {
    const { signal } = this.context;
    const isStopped = (): boolean => signal.aborted;
    while (!isStopped()) {
      try {
        await this.context.relistRequested(signal);
        this.relists++;
      } catch (error) {
        if (isStopped()) return;
        throw error;
      }
    }
  }
}

class ScriptedWatcher implements ClusterWatcher {
  readonly name = 'pods';
  readonly kinds = ['Pod'];
  readonly clusterKinds = ['Cluster'];
  readonly streams = [{ name: 'all', kinds: ['Pod'] }];
  readonly opened: OpenStream[] = [];

  isWatched(cluster: ClusterCandidate): boolean {
    return cluster.provisioningState === 'Succeeded';
  }

  watch(cluster: WatchedCluster, _stream: string, context: WatchContext): AsyncGenerator<WatchBatch, void, void> {
    const stream = new OpenStream(cluster, context);
    this.opened.push(stream);
    return stream.batches();
  }

  observe(): Promise<ObservationResult> {
    return Promise.reject(new ControlError('INTERNAL', 'No test asks for a single object here.'));
  }
}

async function until<T>(look: () => Promise<T | undefined | false> | T | undefined | false): Promise<T> {
  for (const deadline = performance.now() + 10_000; ;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error('What was waited for did not happen');
    await delay(10);
  }
}

function pod(name: string, overrides: Partial<Observation> = {}): Observation {
  return anObservation(name, {
    kind: 'Pod',
    clusterUid: CLUSTER_UID,
    source: 'WATCH',
    observedAt: new Date(),
    ...overrides,
  });
}

function page(...observations: Observation[]): WatchBatch {
  return { batch: 'page', observations };
}

function changes(observations: Observation[], gone: string[] = []): WatchBatch {
  const targets = gone.map((name) => ({ uid: resourceUid(canonicalIdOf(name)), id: canonicalIdOf(name), kind: 'Pod' }));
  return { batch: 'changes', observations, gone: targets, receivedAt: new Date() };
}

const listed = (): WatchBatch => ({ batch: 'listed', askedAt: new Date() });

describe('watching clusters', () => {
  let test: TestDatabase;
  let listener: NotificationListener;
  let resources: ResourceRepository;
  let scopes: ScopeRepository;
  let clusters: WatchedClusterRepository;
  let writer: ObservationWriter;
  let watcher: ScriptedWatcher;
  let registry: SystemRegistry;
  let planner: ClusterWatchPlanner;
  let schedulers: ClusterWatchScheduler[];
  let problems: string[];

  beforeAll(async () => {
    test = await createTestDatabase();
    listener = new NotificationListener(test.url, () => undefined);
    await listener.start();
    resources = new ResourceRepository(test.database, LAG);
    scopes = new ScopeRepository(test.database);
    clusters = new WatchedClusterRepository(test.database);
    writer = new ObservationWriter(LAG);
  });

  afterAll(async () => {
    await listener.stop();
    await test.drop();
  });

  beforeEach(async () => {
    await test.database.query('TRUNCATE resource, relation, scope, watched_cluster, change CASCADE');
    watcher = new ScriptedWatcher();
    registry = new SystemRegistry([{ name: 'test', kinds: [], collectors: [], watchers: [watcher], operations: [] }]);
    const { database } = test;
    planner = new ClusterWatchPlanner({
      database,
      registry,
      resources,
      scopes,
      clusters,
      writer,
      clock: systemClock,
      findAttached: async () => new Set(),
    });
    schedulers = [];
    problems = [];
    await seeCluster({});
    await planner.plan(new AbortController().signal);
  });

  afterEach(async () => {
    await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
  });

  async function seeCluster(overrides: Partial<Observation>): Promise<void> {
    const cluster = anObservation('cluster', { kind: 'Cluster', observedAt: new Date(), source: 'ARM', ...overrides });
    await test.database.transaction((transaction) => writer.apply(transaction, [cluster], { scopeKey: null }));
  }

  function startScheduler(owner: string, leaseSeconds = 30): ClusterWatchScheduler {
    const scheduler = new ClusterWatchScheduler(
      {
        database: test.database,
        registry,
        scopes,
        clusters,
        writer,
        listener,
        clock: systemClock,
        observer: {
          applied: () => undefined,
          failed: (_scope, problem) => problems.push(problem.code),
          unexpected: (_scope, error) => problems.push(String(error)),
        },
        failed: (error) => problems.push(String(error)),
      },
      { owner, concurrency: 10, leaseSeconds, pollSeconds: 0.1 },
    );
    schedulers.push(scheduler);
    scheduler.start();
    return scheduler;
  }

  const stream = (index = 0): Promise<OpenStream> => until(() => watcher.opened[index]);
  const scope = async (): Promise<ScopeRecord> => (await scopes.findForKinds(['Pod']))[0]!;
  const podNames = async (): Promise<string[]> =>
    (await resources.page({ kinds: ['Pod'], limit: 100 })).rows.map((row) => row.name);
  const seen = (names: string[]): Promise<boolean> =>
    until(async () => JSON.stringify(await podNames()) === JSON.stringify(names));

  it('puts a list and what changes after it into the cache', async () => {
    startScheduler('one');
    const open = await stream();
    open.push(page(pod('a'), pod('b')), page(pod('c')), listed());
    await seen(['a', 'b', 'c']);
    open.push(changes([pod('d')], ['a']));
    await seen(['b', 'c', 'd']);
    expect(await until(async () => ((await scope()).state === 'complete' ? scope() : false))).toMatchObject({
      clusterUid: CLUSTER_UID,
      objectCount: 3,
      problem: null,
    });
    expect(problems).toEqual([]);
  });

  it('buries what a later complete list does not show, and nothing before it is complete', async () => {
    startScheduler('one');
    const open = await stream();
    open.push(page(pod('a'), pod('b')), listed());
    await until(async () => (await scope()).state === 'complete');
    open.push(page(pod('a')), changes([pod('marker')]));
    await seen(['a', 'b', 'marker']);
    open.push(page(pod('marker')), listed());
    await seen(['a', 'marker']);
  });

  it('says what keeps a stream from going on, keeps what is known, and recovers', async () => {
    startScheduler('one');
    (await stream()).push(
      page(pod('a')),
      listed(),
      new ControlError('KUBERNETES_UNAVAILABLE', 'Away.', { retry: { kind: 'backoff' } }),
    );
    const failed = await until(async () => ((await scope()).state === 'failed' ? scope() : false));
    expect(failed.problem?.code).toBe('KUBERNETES_UNAVAILABLE');
    expect(await podNames()).toEqual(['a']);
    (await stream(1)).push(page(pod('a')), listed());
    await until(async () => (await scope()).state === 'complete');
    expect((await scope()).problem).toBeNull();
  });

  it('reads everything again when somebody wants certainty', async () => {
    startScheduler('one');
    const open = await stream();
    open.push(page(pod('a')), listed());
    await until(async () => (await scope()).state === 'complete');
    const { database } = test;
    const readThrough = new ReadThrough(database, registry, resources, scopes, writer, listener, systemClock);
    const wanted = { kinds: ['Pod'], subscriptionId: null, clusterUid: CLUSTER_UID };
    const fresh = readThrough.ensureScopesFresh(wanted, 0, { signal: new AbortController().signal, timeoutMs: 8_000 });
    await until(() => open.relists === 1);
    open.push(page(pod('a'), pod('z')), listed());
    expect(await fresh).toEqual({ stale: [] });
    expect(await podNames()).toEqual(['a', 'z']);
  });

  it('looks again at once when somebody wants certainty while it rests after a refusal', async () => {
    startScheduler('one');
    // Nothing mends by itself what was refused: it would be looked at again after a quarter of a minute at the earliest.
    (await stream()).push(new ControlError('KUBERNETES_FORBIDDEN', 'No.', { retry: { kind: 'never' } }));
    await until(async () => (await scope()).state === 'failed');
    const { database } = test;
    const readThrough = new ReadThrough(database, registry, resources, scopes, writer, listener, systemClock);
    const wanted = { kinds: ['Pod'], subscriptionId: null, clusterUid: CLUSTER_UID };
    const fresh = readThrough.ensureScopesFresh(wanted, 0, { signal: new AbortController().signal, timeoutMs: 8_000 });
    (await stream(1)).push(page(pod('a')), listed());
    expect(await fresh).toEqual({ stale: [] });
    expect(await podNames()).toEqual(['a']);
  });

  it('gives each cluster one owner: the next takes over when the first lets go, and the first writes no more', async () => {
    const first = startScheduler('one');
    const open = await stream();
    open.push(page(pod('a')), listed());
    await seen(['a']);
    startScheduler('two');
    await delay(50);
    expect(watcher.opened).toHaveLength(1);
    await first.stop();
    (await stream(1)).push(page(pod('b')), listed());
    await seen(['b']);
    open.push(changes([pod('late')]));
    expect(await podNames()).toEqual(['b']);
  });

  it('writes nothing under a claim that another worker has taken over', async () => {
    startScheduler('one', 3_600);
    const open = await stream();
    open.push(page(pod('a')), listed());
    await seen(['a']);
    // As after a pause of the whole process: its lease ran out and another one claimed the cluster.
    await test.database.query(`UPDATE watched_cluster SET fence = fence + 1, claimed_by = 'two'`);
    open.push(changes([pod('late')]));
    await until(() => open.context.signal.aborted);
    expect(await podNames()).toEqual(['a']);
  });

  it('goes on where its lease has run out and nobody else was there to take the cluster', async () => {
    startScheduler('one', 2);
    const open = await stream();
    open.push(page(pod('a')), listed());
    await seen(['a']);
    const lease = async (): Promise<{ fence: string; runs: boolean }> => {
      const sql = 'SELECT fence, claimed_until > now() AS runs FROM watched_cluster';
      return (await test.database.query<{ fence: string; runs: boolean }>(sql)).rows[0]!;
    };
    const { fence } = await lease();
    // As after a time in which the process, or the database, was too busy to renew it.
    await test.database.query(`UPDATE watched_cluster SET claimed_until = now() - interval '1 minute'`);
    await until(async () => (await lease()).runs);
    expect(await lease()).toMatchObject({ fence });
    open.push(changes([pod('b')]));
    await seen(['a', 'b']);
    expect(watcher.opened).toHaveLength(1);
  });

  it('stops watching a cluster that does not run, keeps what is known of it, and says so', async () => {
    startScheduler('one');
    const open = await stream();
    open.push(page(pod('a')), listed());
    await seen(['a']);
    await seeCluster({ provisioningState: 'Stopped' });
    await planner.plan(new AbortController().signal);
    await until(() => open.context.signal.aborted);
    expect(await scope()).toMatchObject({ state: 'failed' });
    expect(await podNames()).toEqual(['a']);
  });

  it('buries what was in a cluster that is gone, and forgets its scopes', async () => {
    startScheduler('one');
    const open = await stream();
    open.push(page(pod('a'), pod('b')), listed());
    await seen(['a', 'b']);
    await test.database.transaction((transaction) =>
      writer.tombstone(transaction, [CLUSTER_UID], { observedAt: new Date(), source: 'ARM' }),
    );
    await planner.plan(new AbortController().signal);
    await seen([]);
    expect(await scopes.findForKinds(['Pod'])).toEqual([]);
    expect((await test.database.query('SELECT FROM watched_cluster')).rowCount).toBe(0);
  });

  it('shows what is in a cluster, and in which cluster something is', async () => {
    startScheduler('one');
    (await stream()).push(page(pod('a'), pod('b')), listed());
    await seen(['a', 'b']);
    const inside = await resources.related(
      [CLUSTER_UID],
      { type: 'locatedIn', direction: 'incoming', kinds: ['Pod'] },
      10,
    );
    expect(inside.get(CLUSTER_UID)?.map((record) => record.name)).toEqual(['a', 'b']);
    const uid = resourceUid(canonicalIdOf('a'));
    const around = await resources.related([uid], { type: 'locatedIn', direction: 'outgoing', kinds: ['Cluster'] }, 1);
    expect(around.get(uid)?.map((record) => record.name)).toEqual(['cluster']);
    const graph = await resources.graph(uid, { depth: 1, direction: 'both', maximumNodes: 10 });
    expect(graph?.edges).toEqual([{ fromUid: uid, toUid: CLUSTER_UID, type: 'locatedIn' }]);
  });
});
