import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import type { ObjectChange } from '#libs/kube/cluster-client.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { FakeKube, fakeRefusal, type FakeCluster } from '#libs/testing/fake-kube.js';
import {
  daemonSet,
  deployment,
  endpointSlice,
  namespaceObject,
  node,
  pod,
  service,
  statefulSet,
  watchedCluster,
} from '#libs/testing/kubernetes-samples.js';
import type { WatchBatch } from '../contract/cluster-watcher.js';
import { LARGEST_BATCH } from '../contract/observation-batch.js';
import type { Observation } from '../contract/observation.js';
import { STREAM_NAMES, type KubernetesSelection, type StreamName } from './kubernetes.options.js';
import { KubernetesWatcher } from './kubernetes.watcher.js';

const cluster = watchedCluster();
const PREFIX = `kubernetes://${cluster.uid}`;
const POD = { group: '', kind: 'Pod' };
const NODE = { group: '', kind: 'Node' };
const SERVICE = { group: '', kind: 'Service' };
const SLICE = { group: 'discovery.k8s.io', kind: 'EndpointSlice' };
const DEPLOYMENT = { group: 'apps', kind: 'Deployment' };
const call = { correlationId: 'test', signal: new AbortController().signal };
/** Later than anything that the fake has by itself. */
const LATER = new Date('2100-01-01T00:00:00Z');
const GATHERING = 1_000;
const LONGEST_WAIT = 15_000;

/** Time that passes when the test says so. */
class ManualWait {
  readonly #pending = new Set<{ milliseconds: number; resolve: () => void }>();
  #asked = Promise.withResolvers<void>();

  readonly wait = (milliseconds: number, signal: AbortSignal): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const entry = { milliseconds, resolve };
    this.#pending.add(entry);
    const giveUp = (): void => {
      this.#pending.delete(entry);
      reject(signal.reason as Error);
    };
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
    this.#asked.resolve();
    return promise;
  };

  count(milliseconds: number): number {
    return [...this.#pending].filter((entry) => entry.milliseconds === milliseconds).length;
  }

  /** Ends one wait of this length, as soon as somebody waits so long. */
  async pass(milliseconds: number): Promise<void> {
    for (;;) {
      const entry = [...this.#pending].find((each) => each.milliseconds === milliseconds);
      if (entry !== undefined) {
        this.#pending.delete(entry);
        entry.resolve();
        return;
      }
      this.#asked = Promise.withResolvers<void>();
      await this.#asked.promise;
    }
  }
}

/** A stream that is watched in the background. */
class Watching {
  readonly batches: WatchBatch[] = [];
  readonly done: Promise<unknown>;
  readonly #end = new AbortController();
  #told = Promise.withResolvers<void>();
  #relist = Promise.withResolvers<void>();

  constructor(watcher: KubernetesWatcher, stream: StreamName, of = cluster) {
    const context = {
      ...call,
      signal: this.#end.signal,
      relistRequested: (signal: AbortSignal) =>
        new Promise<void>((resolve, reject) => {
          void this.#relist.promise.then(() => {
            this.#relist = Promise.withResolvers<void>();
            resolve();
          });
          signal.addEventListener('abort', () => {
            reject(signal.reason as Error);
          });
        }),
    };
    const run = async (): Promise<void> => {
      for await (const batch of watcher.watch(of, stream, context)) {
        this.batches.push(batch);
        this.#told.resolve();
      }
    };
    this.done = run().then(
      () => 'ended',
      (error: unknown) => error,
    );
  }

  /** The batches from the one on that is the first of this sort after those that were taken before. */
  async until(isLast: (batch: WatchBatch) => boolean): Promise<WatchBatch[]> {
    for (;;) {
      const last = this.batches.findIndex(isLast);
      if (last >= 0) return this.batches.splice(0, last + 1);
      this.#told = Promise.withResolvers<void>();
      const outcome = await Promise.race([this.#told.promise, this.done]);
      if (outcome !== undefined && this.batches.findIndex(isLast) < 0) {
        throw new Error('The stream is over', { cause: outcome });
      }
    }
  }

  listed(): Promise<WatchBatch[]> {
    return this.until(({ batch }) => batch === 'listed');
  }

  async changed(): Promise<{ observations: Observation[]; gone: string[]; receivedAt: Date }> {
    const batch = (await this.until((each) => each.batch === 'changes')).at(-1);
    if (batch?.batch !== 'changes') throw new TypeError('These are no changes');
    return { ...batch, gone: batch.gone.map(({ id }) => id) };
  }

  relist(): void {
    this.#relist.resolve();
  }

  async stop(): Promise<unknown> {
    this.#end.abort();
    return this.done;
  }
}

function observationsOf(batches: readonly WatchBatch[]): Observation[] {
  return batches.flatMap((batch) => (batch.batch === 'page' || batch.batch === 'changes' ? batch.observations : []));
}

function changes(...objects: (KubernetesObject | ObjectChange)[]) {
  return {
    turn: 'changes' as const,
    changes: objects.map((each): ObjectChange =>
      'change' in each ? (each as ObjectChange) : { change: 'put', object: each },
    ),
    receivedAt: LATER,
  };
}

function gone(object: KubernetesObject): ObjectChange {
  return { change: 'gone', object };
}

let kube: FakeKube;
let world: FakeCluster;
let clock: ManualClock;
let waits: ManualWait;
let watching: Watching[];

beforeEach(() => {
  kube = new FakeKube();
  world = kube.cluster(cluster.uid);
  clock = new ManualClock('2100-01-01T00:00:05Z');
  waits = new ManualWait();
  watching = [];
});
afterEach(() => Promise.all(watching.map((each) => each.stop())));

function watcherOf(selection: Partial<KubernetesSelection> = {}): KubernetesWatcher {
  const options = {
    streams: STREAM_NAMES,
    namespaces: [],
    excludedNamespaces: [],
    clusters: { find: (uid: string) => Promise.resolve(uid === cluster.uid ? cluster : undefined) },
    ...selection,
  };
  return new KubernetesWatcher(kube, options, clock, waits.wait);
}

function watch(watcher: KubernetesWatcher, stream: StreamName): Watching {
  const begun = new Watching(watcher, stream);
  watching.push(begun);
  return begun;
}

describe('each stream', () => {
  it.each([
    { stream: 'namespaces', object: namespaceObject('web'), kind: 'Namespace', id: 'core/Namespace/web' },
    { stream: 'deployments', object: deployment('web'), kind: 'Workload', id: 'apps/Deployment/web/web' },
    { stream: 'statefulsets', object: statefulSet('db'), kind: 'Workload', id: 'apps/StatefulSet/web/db' },
    { stream: 'daemonsets', object: daemonSet('agent'), kind: 'Workload', id: 'apps/DaemonSet/web/agent' },
    { stream: 'pods', object: pod('p'), kind: 'Pod', id: 'core/Pod/web/p' },
  ] as const)('$stream tells what is there, what changes and what goes', async ({ stream, object, kind, id }) => {
    world.add(object);
    const type = { group: object.apiVersion === 'v1' ? '' : 'apps', kind: object.kind };
    const watched = watch(watcherOf(), stream);
    const [listed] = observationsOf(await watched.listed());
    expect(listed).toMatchObject({ kind, canonicalId: `${PREFIX}/${id}`, clusterUid: cluster.uid, source: 'WATCH' });
    const labelled = { ...object, metadata: { ...object.metadata, labels: { new: 'yes' } } };
    world.push(type, changes(labelled));
    expect(await watched.changed()).toMatchObject({
      observations: [{ tags: { new: 'yes' }, observedAt: LATER }],
      gone: [],
      receivedAt: LATER,
    });
    world.push(type, changes(gone(labelled)));
    expect(await watched.changed()).toMatchObject({ observations: [], gone: [`${PREFIX}/${id}`] });
  });

  it('tells that nothing has changed, and that the connection is lost', async () => {
    const watched = watch(watcherOf(), 'namespaces');
    await watched.listed();
    const problem = new ControlError('KUBERNETES_UNAVAILABLE', 'x');
    world.push(
      { group: '', kind: 'Namespace' },
      { turn: 'interrupted', problem },
      { turn: 'alive', receivedAt: LATER },
    );
    expect(await watched.until(({ batch }) => batch === 'alive')).toEqual([
      { batch: 'interrupted', problem },
      { batch: 'alive', receivedAt: LATER },
    ]);
  });

  it('tells nothing but the last word on an object', async () => {
    const watched = watch(watcherOf(), 'pods');
    await watched.listed();
    const ready = pod('a');
    const pending = pod('a', { status: { phase: 'Pending' } });
    world.push(POD, changes(ready, gone(pod('b')), pending, pod('c'), gone(pod('c')), gone(pod('d')), pod('d')));
    const told = await watched.until((batch) => batch.batch === 'changes' && batch.gone.length > 0);
    expect(observationsOf(told).map(({ name, properties }) => [name, properties.status])).toEqual([
      ['a', expect.objectContaining({ phase: 'Pending' })],
      ['d', expect.objectContaining({ phase: 'Running' })],
    ]);
    expect(told.at(-1)).toMatchObject({
      gone: [{ id: `${PREFIX}/core/Pod/web/b` }, { id: `${PREFIX}/core/Pod/web/c` }],
    });
  });

  it('reads the whole again when somebody wants certainty', async () => {
    world.add(pod('a'), pod('b'));
    const watched = watch(watcherOf(), 'pods');
    await watched.listed();
    world.remove(POD, 'web', 'a');
    watched.relist();
    expect(observationsOf(await watched.listed()).map(({ name }) => name)).toEqual(['b']);
  });

  it('tells no more at once than can be written at once', async () => {
    const many = Array.from({ length: LARGEST_BATCH + 1 }, (_, index) =>
      pod(`p${index}`, { spec: { nodeName: null } }),
    );
    world.add(...many);
    const watched = watch(watcherOf(), 'pods');
    const pages = (await watched.listed()).filter(({ batch }) => batch === 'page');
    expect(pages.map((page) => observationsOf([page]).length)).toEqual([LARGEST_BATCH, 1]);
    world.push(POD, changes(...many.map(gone)), { turn: 'alive', receivedAt: LATER });
    const told = await watched.until(({ batch }) => batch === 'alive');
    expect(told.map((batch) => (batch.batch === 'changes' ? batch.gone.length : 0))).toEqual([LARGEST_BATCH, 1, 0]);
  });

  it('fails where an object does not say who it is', async () => {
    world.push(POD, changes({ ...pod('p'), metadata: {} } as KubernetesObject));
    const watched = watch(watcherOf(), 'pods');
    expect(await watched.done).toMatchObject({ code: 'KUBERNETES_UNEXPECTED_ANSWER' });
  });

  it('goes on where an object makes no sense beyond its name', async () => {
    const senseless = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'web' }, spec: 7, status: [] };
    world.push(POD, changes(senseless));
    const watched = watch(watcherOf(), 'pods');
    expect((await watched.changed()).observations).toMatchObject([{ name: 'p', health: { state: 'Unknown' } }]);
  });

  it('fails where its type is not served, and where it may not be seen', async () => {
    world.withdraw(POD);
    expect(await watch(watcherOf(), 'pods').done).toMatchObject({ code: 'KUBERNETES_NOT_FOUND' });
    world.refuse({ verb: 'watch', kind: 'Node' }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'no'));
    const nodes = watch(watcherOf(), 'nodes');
    await waits.pass(LONGEST_WAIT);
    expect(await nodes.done).toMatchObject({ code: 'KUBERNETES_FORBIDDEN' });
  });

  it('ends with its signal, without a fault', async () => {
    const watcher = watcherOf();
    const pods = watch(watcher, 'pods');
    const nodes = watch(watcher, 'nodes');
    await Promise.all([pods.listed(), nodes.listed()]);
    expect(await pods.stop()).toBe('ended');
    expect(await nodes.stop()).toBe('ended');
  });

  it('never asks for secrets', async () => {
    const watcher = watcherOf();
    const all = watcher.streams.map(({ name }) => watch(watcher, name as StreamName));
    await Promise.all(all.map((each) => each.listed()));
    expect(new Set(kube.requests.map(({ kind }) => kind))).toEqual(
      new Set([
        'Namespace',
        'Node',
        'Deployment',
        'StatefulSet',
        'DaemonSet',
        'Pod',
        'Service',
        'EndpointSlice',
        'StorageClass',
        'CSIDriver',
      ]),
    );
  });

  it('keeps nothing of a cluster after its last stream', async () => {
    const watcher = watcherOf();
    const pods = watch(watcher, 'pods');
    const nodes = watch(watcher, 'nodes');
    await Promise.all([pods.listed(), nodes.listed()]);
    expect(watcher.watchedClusters).toBe(1);
    await pods.stop();
    expect(watcher.watchedClusters).toBe(1);
    await nodes.stop();
    expect(watcher.watchedClusters).toBe(0);
  });
});

describe('what is kept', () => {
  const elsewhere = { metadata: { namespace: 'other' } };

  it.each([
    { selection: {}, kept: ['other', 'web'], reason: 'everything' },
    { selection: { namespaces: ['web'] }, kept: ['web'], reason: 'only what is named' },
    { selection: { excludedNamespaces: ['web'] }, kept: ['other'], reason: 'everything else' },
    {
      selection: { namespaces: ['web'], excludedNamespaces: ['web'] },
      kept: [],
      reason: 'what is excluded is not kept',
    },
  ])('is of the namespaces $kept: $reason', async ({ selection, kept }) => {
    world.add(pod('a'), pod('b', elsewhere), namespaceObject('web'), namespaceObject('other'));
    const watcher = watcherOf(selection);
    const pods = watch(watcher, 'pods');
    const namespaces = watch(watcher, 'namespaces');
    expect(
      observationsOf(await pods.listed())
        .map(({ namespace }) => namespace)
        .sort(),
    ).toEqual(kept);
    expect(
      observationsOf(await namespaces.listed())
        .map(({ name }) => name)
        .sort(),
    ).toEqual(kept);
    world.push(POD, changes(gone(pod('a')), gone(pod('b', elsewhere))), { turn: 'alive', receivedAt: LATER });
    const told = await pods.until(({ batch }) => batch === 'alive');
    const ended = told.flatMap((batch) =>
      batch.batch === 'changes' ? batch.gone.map(({ id }) => id.split('/')[5]) : [],
    );
    expect(ended.sort()).toEqual(kept.toSorted());
  });

  it('has what runs elsewhere counted on its nodes all the same', async () => {
    world.add(pod('a'), pod('b', elsewhere), node('node-1'));
    const watcher = watcherOf({ namespaces: ['web'] });
    await watch(watcher, 'pods').listed();
    const [told] = observationsOf(await watch(watcher, 'nodes').listed());
    expect(told?.properties.requested).toMatchObject({ pods: 2 });
  });

  it('has only the streams that were asked for', async () => {
    const watcher = watcherOf({ streams: ['nodes'] });
    expect(watcher.streams).toEqual([{ name: 'nodes', kinds: ['Node'] }]);
    world.add(node('node-1'));
    // Nobody waits for what nobody watches.
    const [told] = observationsOf(await watch(watcher, 'nodes').listed());
    expect(told?.properties).not.toHaveProperty('requested');
    await expect(
      watcher.watch(cluster, 'pods', { ...call, relistRequested: () => new Promise(() => {}) }).next(),
    ).rejects.toThrow(TypeError);
  });
});

describe('what pods request of their nodes', () => {
  const MEBI_64 = 64 * 2 ** 20;
  const elsewhere = { spec: { nodeName: 'node-2' } };

  async function bothListed(): Promise<{ pods: Watching; nodes: Watching; told: Observation[] }> {
    const watcher = watcherOf();
    const nodes = watch(watcher, 'nodes');
    const pods = watch(watcher, 'pods');
    const told = observationsOf(await nodes.listed());
    await pods.listed();
    return { pods, nodes, told };
  }

  it('is told with the nodes, which wait for the pods', async () => {
    world.add(node('node-1'), node('node-2'), pod('a'), pod('b'));
    const { told } = await bothListed();
    expect(told.map(({ properties }) => properties.requested)).toEqual([
      { cpuMillicores: 500, memoryBytes: 2 * MEBI_64, pods: 2 },
      { cpuMillicores: 0, memoryBytes: 0, pods: 0 },
    ]);
  });

  it('is told again once for each node, however many pods come and go in the meantime', async () => {
    world.add(node('node-1'), node('node-2'), node('node-3'));
    const { pods, nodes } = await bothListed();
    await waits.pass(GATHERING);
    for (let burst = 0; burst < 20; burst++) {
      world.push(POD, changes(pod(`a${burst}`), pod(`b${burst}`, elsewhere)));
      await pods.changed();
    }
    await waits.pass(GATHERING);
    const again = await nodes.changed();
    expect(again.observations.map(({ name, properties }) => [name, properties.requested])).toEqual([
      ['node-1', { cpuMillicores: 5000, memoryBytes: 20 * MEBI_64, pods: 20 }],
      ['node-2', { cpuMillicores: 5000, memoryBytes: 20 * MEBI_64, pods: 20 }],
    ]);
    expect(again.receivedAt).toEqual(clock.now());
    expect(again.observations[0]?.observedAt).toEqual(clock.now());
    expect(nodes.batches).toEqual([]);
  });

  it('is not told again where the sum is the same', async () => {
    world.add(node('node-1'), node('node-2'), pod('a'));
    const { pods, nodes } = await bothListed();
    await waits.pass(GATHERING);
    world.push(POD, changes(pod('a', { status: { podIP: '10.9.9.9' } })));
    await pods.changed();
    // One takes the place of another.
    world.push(POD, changes(gone(pod('a')), pod('z')));
    await pods.until((batch) => batch.batch === 'changes' && batch.gone.length > 0);
    world.push(POD, changes(pod('b', elsewhere)));
    await pods.changed();
    await waits.pass(GATHERING);
    expect((await nodes.changed()).observations.map(({ name }) => name)).toEqual(['node-2']);
  });

  it('is in what a node tells of itself, and then not told again', async () => {
    world.add(node('node-1'), node('node-2'));
    const { pods, nodes } = await bothListed();
    await waits.pass(GATHERING);
    world.push(POD, changes(pod('a'), pod('b', elsewhere)));
    await pods.changed();
    world.push(NODE, changes(node('node-1', { spec: { unschedulable: true } })));
    expect((await nodes.changed()).observations).toMatchObject([
      { name: 'node-1', properties: { requested: { pods: 1 }, spec: { unschedulable: true } } },
    ]);
    await waits.pass(GATHERING);
    expect((await nodes.changed()).observations.map(({ name }) => name)).toEqual(['node-2']);
  });

  it('is not told of a node as of now while the node itself cannot be seen', async () => {
    world.add(node('node-1'));
    const { pods, nodes } = await bothListed();
    await waits.pass(GATHERING);
    world.push(NODE, { turn: 'interrupted', problem: new ControlError('KUBERNETES_UNAVAILABLE', 'x') });
    await nodes.until(({ batch }) => batch === 'interrupted');
    world.push(POD, changes(pod('a')));
    await pods.changed();
    await waits.pass(GATHERING);
    world.push(NODE, { turn: 'alive', receivedAt: LATER });
    const told = await nodes.until(({ batch }) => batch === 'changes');
    expect(told.map(({ batch }) => batch)).toEqual(['alive', 'changes']);
    expect(observationsOf(told)).toMatchObject([{ properties: { requested: { pods: 1 } } }]);
  });

  it('does not outlive the node: what goes is gone later than what was told of it', async () => {
    world.add(node('node-1'));
    const { pods, nodes } = await bothListed();
    await waits.pass(GATHERING);
    world.push(POD, changes(pod('a')));
    await pods.changed();
    await waits.pass(GATHERING);
    const again = await nodes.changed();
    world.push(NODE, { ...changes(gone(node('node-1'))), receivedAt: new Date('2099-01-01T00:00:00Z') });
    const end = await nodes.changed();
    expect(end.gone).toEqual([`${PREFIX}/core/Node/node-1`]);
    expect(end.receivedAt.getTime()).toBeGreaterThanOrEqual(again.receivedAt.getTime());
  });

  it('does not outlive the node when the node is missing from a new list', async () => {
    world.add(node('node-1'), node('node-2'));
    const { nodes } = await bothListed();
    world.remove(NODE, undefined, 'node-1');
    nodes.relist();
    await nodes.listed();
    expect((await nodes.changed()).gone).toEqual([`${PREFIX}/core/Node/node-1`]);
  });

  it('is unknown where pods may not be seen, and nobody waits longer than it takes to be refused', async () => {
    world.add(node('node-1'));
    world.refuse({ verb: 'watch', kind: 'Pod' }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'no'));
    const watcher = watcherOf();
    const nodes = watch(watcher, 'nodes');
    const pods = watch(watcher, 'pods');
    const [told] = observationsOf(await nodes.listed());
    expect(told?.properties).not.toHaveProperty('requested');
    expect(await pods.done).toMatchObject({ code: 'KUBERNETES_FORBIDDEN' });
  });

  it('is unknown where pods do not come in time', async () => {
    world.add(node('node-1'));
    const nodes = watch(watcherOf(), 'nodes');
    await waits.pass(LONGEST_WAIT);
    const [told] = observationsOf(await nodes.listed());
    expect(told?.properties).not.toHaveProperty('requested');
  });

  it('counts nothing of a list that broke off', async () => {
    world.add(node('node-1'), pod('a'));
    const { pods, nodes } = await bothListed();
    await waits.pass(GATHERING);
    const [first, second] = [LATER, new Date(LATER.getTime() + 1)];
    world.push(POD, { turn: 'page', objects: [pod('a'), pod('b')], askedAt: first });
    world.push(
      POD,
      { turn: 'page', objects: [pod('c'), pod('d')], askedAt: second },
      { turn: 'listed', askedAt: second },
    );
    await pods.listed();
    await waits.pass(GATHERING);
    expect((await nodes.changed()).observations).toMatchObject([{ properties: { requested: { pods: 2 } } }]);
  });

  it('is still known to a stream of nodes that is begun again', async () => {
    world.add(node('node-1'), pod('a'));
    const watcher = watcherOf();
    await watch(watcher, 'pods').listed();
    const first = watch(watcher, 'nodes');
    await first.listed();
    await first.stop();
    const [told] = observationsOf(await watch(watcher, 'nodes').listed());
    expect(told?.properties.requested).toMatchObject({ pods: 1 });
  });
});

describe('what services lead to', () => {
  const inOther = { metadata: { namespace: 'other' } };

  interface Streams {
    deployments: Watching;
    services: Watching;
    slices: Watching;
    told: Observation[];
  }

  async function allListed(): Promise<Streams> {
    const watcher = watcherOf();
    const services = watch(watcher, 'services');
    const [deployments, slices, ...others] = (
      ['deployments', 'endpointslices', 'statefulsets', 'daemonsets'] as const
    ).map((stream) => watch(watcher, stream));
    const told = observationsOf(await services.listed());
    await Promise.all([deployments!, slices!, ...others].map((each) => each.listed()));
    return { deployments: deployments!, services, slices: slices!, told };
  }

  function ends(observation: Observation | undefined): string[] {
    return (observation?.relations ?? []).map(({ type, to }) => `${type} ${to.slice(PREFIX.length + 1)}`);
  }

  it('is claimed by the service, for every workload of its namespace that it chooses', async () => {
    const labels = { app: 'web', tier: 'front' };
    world.add(
      deployment('web'),
      deployment('front', { labels }),
      deployment('api'),
      deployment('web', inOther),
      statefulSet('web'),
      daemonSet('web'),
      service('web'),
    );
    const { told } = await allListed();
    expect(ends(told[0])).toEqual([
      'exports apps/DaemonSet/web/web',
      'exports apps/Deployment/web/front',
      'exports apps/Deployment/web/web',
      'exports apps/StatefulSet/web/web',
    ]);
    expect(told[0]?.relations.every(({ from }) => from === told[0]?.canonicalId)).toBe(true);
  });

  it('is told with what stands behind the service, by its endpoint slices', async () => {
    world.add(
      service('web'),
      service('db', { spec: { selector: null } }),
      endpointSlice('web', ['10.0.0.2', '10.0.0.1']),
    );
    const { slices, services, told } = await allListed();
    const standing = (observation: Observation | undefined) => observation?.properties.endpoints;
    const named = (name: string) => told.find((observation) => observation.name === name);
    expect(standing(named('web'))).toEqual({
      count: 2,
      ready: 2,
      shown: [
        { address: '10.0.0.1', ready: true, pod: 'web-1', node: 'node-1' },
        { address: '10.0.0.2', ready: true, pod: 'web-0', node: 'node-1' },
      ],
    });
    expect(standing(named('db'))).toEqual({ count: 0, ready: 0, shown: [] });

    const tell = async (...what: (KubernetesObject | ObjectChange)[]): Promise<Observation[]> => {
      world.push(SLICE, changes(...what));
      // The slices themselves are no objects of ours.
      expect(observationsOf(await slices.until(({ batch }) => batch === 'alive'))).toEqual([]);
      await waits.pass(GATHERING);
      return (await services.changed()).observations;
    };
    const other = {
      name: 'web-y',
      endpoints: [{ addresses: ['10.0.0.3'], conditions: { ready: false } }],
    };
    const [second] = await tell(endpointSlice('web', [], other));
    expect(standing(second)).toMatchObject({ count: 3, ready: 2 });
    const [foreign] = await tell(endpointSlice('db', ['10.9.9.9'], { name: 'by-hand' }));
    expect([foreign?.name, standing(foreign)]).toEqual(['db', expect.objectContaining({ count: 1, ready: 1 })]);
    const [less] = await tell(gone(endpointSlice('web', [])));
    expect(standing(less)).toEqual({
      count: 1,
      ready: 0,
      shown: [{ address: '10.0.0.3', ready: false, pod: null, node: null }],
    });
  });

  it('says nothing of what stands behind a service whose slices cannot be seen', async () => {
    world.add(service('web'));
    const watcher = watcherOf({ streams: ['services'] });
    const [told] = observationsOf(await watch(watcher, 'services').listed());
    expect(told?.properties).not.toHaveProperty('endpoints');
  });

  it('is nothing where it chooses no pods by itself', async () => {
    world.add(deployment('web'), service('web', { spec: { selector: null } }));
    expect((await allListed()).told[0]?.relations).toEqual([]);
  });

  it('is told again when workloads come, change their labels and go', async () => {
    world.add(service('web'), service('api'), service('web', inOther));
    const { deployments, services } = await allListed();
    const tell = async (...what: (KubernetesObject | ObjectChange)[]): Promise<void> => {
      world.push(DEPLOYMENT, changes(...what));
      await deployments.changed();
      await waits.pass(GATHERING);
    };
    await tell(deployment('web'));
    let again = await services.changed();
    expect(again.observations).toHaveLength(1);
    expect(ends(again.observations[0])).toEqual(['exports apps/Deployment/web/web']);
    expect(again.observations[0]).toMatchObject({ name: 'web', namespace: 'web', observedAt: clock.now() });

    await tell(deployment('web', { labels: { app: 'api' } }));
    again = await services.changed();
    expect(again.observations.map((each) => [each.name, ends(each)])).toEqual([
      ['api', ['exports apps/Deployment/web/web']],
      ['web', []],
    ]);

    await tell(gone(deployment('web')));
    again = await services.changed();
    expect(again.observations.map((each) => [each.name, ends(each)])).toEqual([['api', []]]);
  });

  it('is not told again when something else changes in a workload', async () => {
    world.add(service('web'), service('api'), deployment('web'));
    const { deployments, services } = await allListed();
    await waits.pass(GATHERING);
    world.push(DEPLOYMENT, changes(deployment('web', { spec: { paused: true } })));
    await deployments.changed();
    world.push(DEPLOYMENT, changes(deployment('api')));
    await deployments.changed();
    await waits.pass(GATHERING);
    expect((await services.changed()).observations.map(({ name }) => name)).toEqual(['api']);
  });

  it('is found anew when the service chooses otherwise, or no more', async () => {
    world.add(service('web'), deployment('web'), deployment('api'));
    const { deployments, services } = await allListed();
    await waits.pass(GATHERING);
    world.push(SERVICE, changes(service('web', { spec: { selector: { app: 'api' } } })));
    expect(ends((await services.changed()).observations[0])).toEqual(['exports apps/Deployment/web/api']);
    world.push(SERVICE, changes(service('web', { spec: { selector: {} } })));
    expect(ends((await services.changed()).observations[0])).toEqual([]);
    // It is not among those that are told again any more.
    world.push(SERVICE, changes(service('other')));
    await services.changed();
    world.push(DEPLOYMENT, changes(deployment('x'), deployment('other')));
    await deployments.changed();
    await waits.pass(GATHERING);
    expect((await services.changed()).observations.map(({ name }) => name)).toEqual(['other']);
  });

  it('forgets workloads that a new list does not hold', async () => {
    world.add(service('web'), deployment('web'));
    const { deployments, services } = await allListed();
    await waits.pass(GATHERING);
    world.remove(DEPLOYMENT, 'web', 'web');
    deployments.relist();
    await deployments.listed();
    await waits.pass(GATHERING);
    expect(ends((await services.changed()).observations[0])).toEqual([]);
  });

  it('is what is known where workloads of one type may not be seen', async () => {
    world.add(service('web'), deployment('web'), statefulSet('web'));
    world.refuse({ verb: 'watch', kind: 'StatefulSet' }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'no'));
    const watcher = watcherOf();
    const services = watch(watcher, 'services');
    for (const stream of ['deployments', 'statefulsets', 'daemonsets', 'endpointslices'] as const)
      watch(watcher, stream);
    expect(ends(observationsOf(await services.listed())[0])).toEqual(['exports apps/Deployment/web/web']);
  });
});

describe('observe', () => {
  function target(path: string, kind: string) {
    return { id: `${PREFIX}/${path}`, kind, uid: resourceUid(`${PREFIX}/${path}`) };
  }

  it.each([
    { object: namespaceObject('web'), path: 'core/Namespace/web', kind: 'Namespace', stream: 'namespaces' },
    { object: deployment('web'), path: 'apps/Deployment/web/web', kind: 'Workload', stream: 'deployments' },
    { object: statefulSet('db'), path: 'apps/StatefulSet/web/db', kind: 'Workload', stream: 'statefulsets' },
    { object: daemonSet('agent'), path: 'apps/DaemonSet/web/agent', kind: 'Workload', stream: 'daemonsets' },
    { object: pod('p'), path: 'core/Pod/web/p', kind: 'Pod', stream: 'pods' },
    { object: service('web'), path: 'core/Service/web/web', kind: 'Service', stream: 'services' },
    { object: node('node-1'), path: 'core/Node/node-1', kind: 'Node', stream: 'nodes' },
  ] as const)('gives of $path the picture that its stream gives', async ({ object, path, kind, stream }) => {
    // What stands around it, too.
    world.add(
      pod('p'),
      pod('q', { metadata: { namespace: 'other' } }),
      pod('done', { status: { phase: 'Succeeded' } }),
    );
    world.add(pod('elsewhere', { spec: { nodeName: 'node-2' } }), deployment('web'), daemonSet('web'));
    world.add(deployment('web', { metadata: { namespace: 'other' } }), endpointSlice('web', ['10.0.0.1']), object);
    const watcher = watcherOf();
    const streams = watcher.streams.map(({ name }) => ({ name, watched: watch(watcher, name as StreamName) }));
    const told = await Promise.all(
      streams.map(async ({ name, watched }) => ({ name, observations: observationsOf(await watched.listed()) })),
    );
    const listed = told
      .find(({ name }) => name === stream)
      ?.observations.find(({ canonicalId }) => canonicalId === `${PREFIX}/${path}`);
    expect(await watcher.observe(target(path, kind), call)).toEqual({
      state: 'present',
      observations: [{ ...listed, observedAt: clock.now() }],
    });
    if (kind === 'Node') expect(listed?.properties.requested).toMatchObject({ pods: 2 });
    if (kind === 'Service') {
      expect(listed?.relations).toHaveLength(2);
      expect(listed?.properties.endpoints).toMatchObject({ count: 1, ready: 1 });
    }
  });

  it('says that an object is not there', async () => {
    expect(await watcherOf().observe(target('core/Pod/web/none', 'Pod'), call)).toEqual({
      state: 'absent',
      observedAt: clock.now(),
    });
  });

  it('does without what may not be seen around an object', async () => {
    world.add(node('node-1'), service('web'), deployment('web'));
    world.refuse({ verb: 'list' }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'no'));
    const alone = async (path: string, kind: string) => {
      const result = await watcherOf().observe(target(path, kind), call);
      return result.state === 'present' ? result.observations[0] : undefined;
    };
    expect((await alone('core/Node/node-1', 'Node'))?.properties).not.toHaveProperty('requested');
    const seen = await alone('core/Service/web/web', 'Service');
    expect(seen?.relations).toEqual([]);
    expect(seen?.properties).not.toHaveProperty('endpoints');
  });

  it('asks for nothing around an object that is not watched either', async () => {
    world.add(node('node-1'), service('web'), deployment('web'), pod('p'));
    const watcher = watcherOf({ streams: ['nodes', 'services'] });
    await watcher.observe(target('core/Node/node-1', 'Node'), call);
    await watcher.observe(target('core/Service/web/web', 'Service'), call);
    expect(kube.requests.filter(({ verb }) => verb === 'list')).toEqual([]);
  });

  it.each([
    { id: `${PREFIX}/core/Secret/web/s`, code: 'INVALID_REQUEST', reason: 'what is not watched' },
    { id: `${PREFIX}/core/Deployment/web/s`, code: 'INVALID_REQUEST', reason: 'a kind of another group' },
    { id: cluster.id, code: 'INVALID_REQUEST', reason: 'what is in no cluster' },
    {
      id: 'kubernetes://00000000-0000-0000-0000-000000000009/core/Node/n',
      code: 'RESOURCE_NOT_FOUND',
      reason: 'what is in a cluster that is not known',
    },
  ])('refuses $reason', async ({ id, code }) => {
    await expect(watcherOf().observe({ id, kind: 'Pod', uid: resourceUid(id) }, call)).rejects.toMatchObject({ code });
  });

  it('fails where the cluster cannot be asked', async () => {
    world.add(node('node-1'));
    world.refuse({ verb: 'list' }, fakeRefusal('KUBERNETES_UNAVAILABLE', 'ServiceUnavailable', 'no'));
    await expect(watcherOf().observe(target('core/Node/node-1', 'Node'), call)).rejects.toMatchObject({
      code: 'KUBERNETES_UNAVAILABLE',
    });
  });
});
