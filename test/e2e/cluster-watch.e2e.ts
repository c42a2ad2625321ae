import { isDeepStrictEqual } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { freePorts, Stack } from './stack.js';

const CLUSTER = 'demo-aks01';
const LEASE_WAIT_MS = 60_000;
const ROW_TIMEOUT_MS = 240_000;
/** Pods of ours that are there at the same time; the cluster's nodes have room for them. */
const MOST_PODS = 12;
/** How fast somebody else changes the cluster. */
const PACE_MS = 15;
const CHANGES_AFTERWARDS = 40;

interface Pod {
  node: string | null;
  phase: string | null;
  labels: Record<string, string>;
}

/** Times are the database's. */
interface Ownership {
  owner: string | null;
  fence: string;
  until: Date | null;
  now: Date;
}

interface Change {
  type: 'created' | 'updated' | 'deleted';
  uid: string;
  name: string;
  changed: string[];
}

/** Somebody else, who makes, changes, deletes and makes again pods for as long as it is let. */
class Churn {
  #changes = 0;
  #next = 0;
  #isStopped = false;
  readonly #pods: string[] = [];
  readonly #done: Promise<void>;

  constructor(
    private readonly stack: Stack,
    private readonly clusterUrl: string,
    private readonly headers: Record<string, string>,
    private readonly prefix: string,
  ) {
    this.#done = this.#run();
    // Told by `stop`.
    this.#done.catch(() => undefined);
  }

  /** Waits until so many more changes have been made. */
  async more(changes: number): Promise<void> {
    const enough = this.#changes + changes;
    await this.stack.until(`${changes} more changes`, () => Promise.resolve(this.#changes >= enough));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async clear(): Promise<void> {
    for (const name of this.#pods) await this.#control('delete', name);
  }

  async #run(): Promise<void> {
    const [make, replace, change, remove] = [0, 1, 2, 3];
    for (let step = 0; !this.#isStopped; step++) {
      const name = this.#pods[step % Math.max(1, this.#pods.length)];
      const action = name === undefined ? make : this.#pods.length >= MOST_PODS ? remove : step % 4;
      switch (action) {
        case make:
          await this.#make();
          break;
        case replace:
          await this.#control('delete', name!);
          await this.#control('put', name!);
          break;
        case change:
          await this.#label(name!, step);
          break;
        case remove:
          this.#pods.splice(this.#pods.indexOf(name!), 1);
          await this.#control('delete', name!);
          break;
      }
      this.#changes++;
      await delay(PACE_MS);
    }
  }

  async #make(): Promise<void> {
    const name = `${this.prefix}-${++this.#next}`;
    this.#pods.push(name);
    await this.#control('put', name);
  }

  /** Past the API server: that may be down. What the cluster refuses (a pod that is going) does not happen. */
  async #control(operation: 'put' | 'delete', name: string): Promise<void> {
    const spec = { containers: [{ name: 'it', image: 'mcr.microsoft.com/azuredocs/aks-helloworld:v1' }] };
    const { status, body } = await this.stack.simulator(`/kubernetes/${CLUSTER}/objects`, {
      method: 'POST',
      body: { operation, objects: [{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec }] },
    });
    if (status !== 200 && status !== 400) throw new Error(`${operation} ${name}: ${JSON.stringify(body)}`);
  }

  /** Through the API server, where it answers soon. */
  async #label(name: string, step: number): Promise<void> {
    await fetch(`${this.clusterUrl}/api/v1/namespaces/default/pods/${name}`, {
      method: 'PATCH',
      headers: { ...this.headers, 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ metadata: { labels: { step: String(step) } } }),
      signal: AbortSignal.timeout(500),
    }).then(
      (answer) => answer.text(),
      () => undefined,
    );
  }
}

describe('watching a cluster loses nothing', () => {
  let stack: Stack;
  let database: Client;
  let clusterUid: string;
  let clusterUrl: string;
  let headers: Record<string, string>;
  let workerPorts: number[];
  let rows = 0;

  beforeAll(async () => {
    stack = await Stack.start();
    const { clusters } = (await stack.simulator('/kubernetes')).body;
    clusterUid = clusters.find((cluster: { name: string }) => cluster.name === CLUSTER).uid;
    clusterUrl = `${stack.simulatorUrl}/kubernetes/${clusterUid}`;
    const kubeconfig = (await stack.simulator(`/kubeconfig?cluster=${CLUSTER}&user=admin`)).body as string;
    headers = { authorization: `Bearer ${/token: "?([^"\s]+)/.exec(kubeconfig)![1]}` };
    await openDatabase();
    // Each worker's own numbers tell who has done what.
    workerPorts = await freePorts(2);
    await stack.kill('worker', 'SIGTERM');
    await runWorker('worker');
  }, 120_000);

  afterAll(async () => {
    await database.end();
    await stack.stop();
  }, 60_000);

  afterEach(async () => {
    await stack.simulator('/faults', { method: 'DELETE' });
    await available({ state: 'up' });
    stack.freeze('worker', 'SIGCONT');
    await stack.kill('second-worker', 'SIGTERM');
    if (!stack.isRunning('worker')) await runWorker('worker');
  }, 60_000);

  async function openDatabase(): Promise<void> {
    database = new Client(stack.postgres.url.reveal());
    // One row kills the server.
    database.on('error', () => undefined);
    await database.connect();
  }

  const runWorker = (name: 'worker' | 'second-worker') =>
    stack.run(name, { WORKER_PORT: String(workerPorts[name === 'worker' ? 0 : 1]) });

  /** How many objects a worker says it has brought into the cache. */
  async function appliedBy(name: 'worker' | 'second-worker'): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${workerPorts[name === 'worker' ? 0 : 1]}/metrics`)).text();
    const numbers = [...text.matchAll(/^pilothouse_watched_objects_total\{[^}]*\} (\d+)$/gm)];
    return numbers.reduce((sum, [, number]) => sum + Number(number), 0);
  }

  const control = (route: string, body: object = {}) =>
    stack.simulator(`/kubernetes/${CLUSTER}/${route}`, { method: 'POST', body });
  const available = (body: object) => control('availability', body);

  async function podsInCluster(): Promise<Record<string, Pod>> {
    const answer = await fetch(`${clusterUrl}/api/v1/pods`, { headers });
    // Not `json()`: what it makes is of another realm than what is compared with it.
    const { items } = JSON.parse(await answer.text()) as {
      items: {
        metadata: { namespace: string; name: string; labels?: Record<string, string> };
        spec: { nodeName?: string };
        status: { phase?: string };
      }[];
    };
    return Object.fromEntries(
      items.map(({ metadata, spec, status }) => [
        `${metadata.namespace}/${metadata.name}`,
        { node: spec.nodeName ?? null, phase: status.phase ?? null, labels: metadata.labels ?? {} },
      ]),
    );
  }

  /** As Pilothouse tells, and their uids; undefined where it does not answer. */
  async function podsInPilothouse(): Promise<{ pods: Record<string, Pod>; uids: string[] } | undefined> {
    const pods: Record<string, Pod> = {};
    const uids: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const after = cursor === '' ? '' : `&cursor=${cursor}`;
      const { status, body } = await stack.api(`/v1/resources?kind=Pod&cluster=${clusterUid}&limit=200${after}`);
      if (status !== 200) return undefined;
      for (const { uid, namespace, name, tags, properties } of body.items) {
        const { spec, status: state } = properties;
        pods[`${namespace}/${name}`] = { node: spec.nodeName ?? null, phase: state.phase ?? null, labels: tags };
        uids.push(uid);
      }
      cursor = body.nextCursor;
    }
    return { pods, uids };
  }

  /** Waits until both tell the same, and says what differs when they never do. */
  async function agreed(): Promise<Set<string>> {
    let told = await podsInPilothouse();
    let there = await podsInCluster();
    await stack
      .until('Pilothouse to tell what is in the cluster', async () => {
        told = await podsInPilothouse();
        there = await podsInCluster();
        return isDeepStrictEqual(told?.pods, there);
      })
      .catch((error: unknown) => {
        expect(told?.pods).toEqual(there);
        throw error;
      });
    return new Set(told?.uids);
  }

  /** Everything in the feed after a cursor. */
  async function changesAfter(cursor: string | null): Promise<{ changes: Change[]; cursor: string }> {
    const changes: Change[] = [];
    for (;;) {
      const after = cursor === null ? '' : `&after=${cursor}`;
      const { body } = await stack.api(`/v1/changes?kind=Pod&cluster=${clusterUid}&limit=200${after}`);
      changes.push(...body.items);
      if (body.items.length === 0 && cursor === body.nextCursor) return { changes, cursor: body.nextCursor };
      cursor = body.nextCursor;
    }
  }

  /** What the feed says that cannot be, from those that were there at first to those that are there at last. */
  function contradictions(changes: readonly Change[], first: ReadonlySet<string>, last: ReadonlySet<string>): string[] {
    const alive = new Set(first);
    const found: string[] = [];
    for (const { type, uid, name } of changes) {
      if ((type === 'created') === alive.has(uid))
        found.push(`${name}: ${type}, and it is ${alive.has(uid) ? '' : 'not '}there`);
      if (type === 'deleted') alive.delete(uid);
      else alive.add(uid);
    }
    for (const uid of alive)
      if (!last.has(uid)) found.push(`${uid}: there at the end of the feed, and not in the list`);
    for (const uid of last)
      if (!alive.has(uid)) found.push(`${uid}: in the list, and not there at the end of the feed`);
    return found;
  }

  /** The states of an object that follow each other and are the same. */
  async function repeatedStates(uid: string): Promise<string[]> {
    const { body } = await stack.api(`/v1/resources/${uid}/history?limit=200`);
    const states = body.items as { validFrom: string; validTo: string | null; changed: string[] | null }[];
    const shown = states.map(({ validFrom: _from, validTo: _to, changed: _changed, ...state }) => state);
    return states.flatMap(({ validFrom }, index) => {
      const [before, state] = [shown[index + 1], shown[index]];
      const isNext = states[index + 1]?.validTo === validFrom;
      return isNext && isDeepStrictEqual(before, state) ? [`${uid} at ${validFrom}`] : [];
    });
  }

  /** Requests of Pilothouse for the whole list of pods, which says how big its pages are. */
  async function listsOfPods(): Promise<number> {
    const { body } = await stack.simulator('/requests?path=/api/v1/pods$');
    return body.requests.filter(({ query }: { query: string }) => query.includes('limit=') && !query.includes('watch='))
      .length;
  }

  async function listedAgain(before: number): Promise<void> {
    await stack.until('the whole list to be read again', async () => (await listsOfPods()) > before);
  }

  async function ownership(): Promise<Ownership | undefined> {
    const { rows: found } = await database.query<Ownership>(
      `SELECT claimed_by AS owner, fence, claimed_until AS until, clock_timestamp() AS now
       FROM watched_cluster WHERE cluster_uid = $1`,
      [clusterUid],
    );
    return found[0];
  }

  async function owned(): Promise<string> {
    return stack.until('an owner of the cluster', async () => (await ownership())?.owner ?? undefined, LEASE_WAIT_MS);
  }

  /** Follows who watches the cluster until it is another worker, who may not be so before the lease has run out. */
  async function takenOver(from: string): Promise<string> {
    let before = (await ownership())!;
    return stack.until(
      'another owner',
      async () => {
        const present = (await ownership())!;
        if (present.owner === from) {
          expect(present.fence).toBe(before.fence);
          before = present;
          return undefined;
        }
        expect(BigInt(present.fence)).toBe(BigInt(before.fence) + 1n);
        expect(present.now.getTime()).toBeGreaterThanOrEqual(before.until!.getTime());
        return present.owner ?? undefined;
      },
      LEASE_WAIT_MS,
    );
  }

  async function unavailablePods(): Promise<string[]> {
    const { body } = await stack.api(`/v1/resources?kind=Pod&cluster=${clusterUid}&limit=1`);
    return body.unavailable.map(({ problem }: { problem: { code: string } | null }) => problem?.code);
  }

  const disturbances: { name: string; reason: string; disturb: (churn: Churn) => Promise<void> }[] = [
    {
      name: 'connections of watches are cut again and again',
      reason: 'Load balancers forget connections; the watch goes on from the version that it has seen last.',
      disturb: async (churn) => {
        for (let round = 0; round < 5; round++) {
          await control('drop-watches');
          await churn.more(15);
        }
      },
    },
    {
      name: 'the API server has forgotten what the watch has not seen',
      reason: 'After 410 Gone only a new list tells what is gone; a deletion in between is in no event.',
      disturb: async (churn) => {
        const before = await listsOfPods();
        await available({ state: 'down' });
        await churn.more(20);
        await control('compact');
        await available({ state: 'up' });
        await listedAgain(before);
      },
    },
    {
      name: 'it forgets again while the list is being read anew',
      reason: 'What comes after 410 Gone can be met by the next one.',
      disturb: async (churn) => {
        for (let round = 0; round < 4; round++) {
          await control('drop-watches');
          await churn.more(2);
          await control('compact');
        }
      },
    },
    {
      name: 'the API server is down until Pilothouse says so',
      reason: 'What is told stands and is named as unavailable, and nothing is deleted because nobody answers.',
      disturb: async (churn) => {
        const { uids } = (await podsInPilothouse())!;
        await available({ state: 'down' });
        const problems = await stack.until('the answer to name the cluster', async () => {
          const found = await unavailablePods();
          return found.length > 0 && found;
        });
        expect(problems).toEqual(['KUBERNETES_UNAVAILABLE']);
        expect((await podsInPilothouse())!.uids.length).toBeGreaterThanOrEqual(Math.min(1, uids.length));
        await churn.more(10);
        await available({ state: 'up' });
        await stack.until('the answer to be whole again', async () => (await unavailablePods()).length === 0);
      },
    },
    {
      name: 'the API server answers late',
      reason: 'A list that comes seconds after it was asked for must not undo what was seen in between.',
      disturb: async (churn) => {
        await available({ state: 'slow', delayMs: 1_500 });
        await control('drop-watches');
        await churn.more(20);
        const fresh = await stack.api(`/v1/resources?kind=Pod&cluster=${clusterUid}&limit=1&maxAge=0`);
        expect(fresh.status).toBe(200);
        await churn.more(20);
        await available({ state: 'up' });
      },
    },
    {
      name: 'lists and watches hang and then break off',
      reason: 'Silence is no answer: nothing may be taken for gone, and the watch begins again.',
      disturb: async (churn) => {
        await stack.simulator('/faults', {
          method: 'POST',
          body: {
            match: { kind: 'kubernetes', path: '^/api/v1/pods$' },
            times: 3,
            fault: { type: 'hang', seconds: 2 },
          },
        });
        await control('drop-watches');
        await stack.until('three requests to hang', async () => {
          const { body } = await stack.simulator('/requests?path=/api/v1/pods$');
          return body.requests.filter(({ fault }: { fault: string | null }) => fault !== null).length === 3;
        });
        await churn.more(5);
      },
    },
    {
      name: 'the worker is killed and another one started',
      reason: 'What it had in hand is lost with it, and nobody watches until its lease has run out.',
      disturb: async (churn) => {
        const owner = await owned();
        await stack.kill('worker', 'SIGKILL');
        await churn.more(20);
        await runWorker('worker');
        await takenOver(owner);
      },
    },
    {
      name: 'a second worker is there and takes over from the first, which is killed',
      reason: 'One owner at a time: the second may do nothing while the first one lives, and everything after it.',
      disturb: async (churn) => {
        const owner = await owned();
        await runWorker('second-worker');
        await stack.until('the second worker', async () => (await appliedBy('second-worker').catch(() => -1)) === 0);
        await churn.more(40);
        expect(await ownership()).toMatchObject({ owner });
        expect(await appliedBy('second-worker')).toBe(0);
        await stack.kill('worker', 'SIGKILL');
        await takenOver(owner);
        await churn.more(20);
        await stack.until('the second worker to tell', async () => (await appliedBy('second-worker')) > 0);
      },
    },
    {
      name: 'the owner stands still until another one has its cluster, and then goes on',
      reason:
        'It wakes up with what is long past in its hands, and with a watch that still tells: it may write none of it.',
      disturb: async (churn) => {
        const owner = await owned();
        await runWorker('second-worker');
        await stack.until('the second worker', async () => (await appliedBy('second-worker').catch(() => -1)) === 0);
        stack.freeze('worker', 'SIGSTOP');
        const next = await takenOver(owner).finally(() => stack.freeze('worker', 'SIGCONT'));
        await churn.more(40);
        expect(await ownership()).toMatchObject({ owner: next });
      },
    },
    {
      name: 'Postgres is killed and comes back',
      reason: 'A change that could not be written must not be taken for told.',
      disturb: async (churn) => {
        process.kill(stack.postgres.processId!, 'SIGKILL');
        await stack.postgres.exited();
        await churn.more(20);
        await stack.postgres.start();
        await stack.until('the API', async () => (await stack.api('/readyz', { token: null })).status === 200);
        await database.end();
        await openDatabase();
      },
    },
  ];

  it.each(disturbances)(
    'when $name',
    async ({ disturb }) => {
      await owned();
      const first = await agreed();
      const { cursor } = await changesAfter(null);
      const churn = new Churn(stack, clusterUrl, headers, `row-${++rows}`);
      try {
        await stack.until('changes of every type to be told', async () => {
          const { changes } = await changesAfter(cursor);
          return new Set(changes.map(({ type }) => type)).size === 3;
        });
        await disturb(churn);
        await churn.more(CHANGES_AFTERWARDS);
      } finally {
        await churn.stop();
      }
      const last = await agreed();
      const { changes } = await changesAfter(cursor);
      expect(contradictions(changes, first, last)).toEqual([]);
      const repeated = await Promise.all([...new Set(changes.map(({ uid }) => uid))].map(repeatedStates));
      expect(repeated.flat()).toEqual([]);
      await churn.clear();
    },
    ROW_TIMEOUT_MS,
  );
});
