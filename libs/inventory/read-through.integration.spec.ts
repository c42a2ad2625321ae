import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { delay, systemClock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import { NotificationListener } from '#libs/database/notification.listener.js';
import type {
  CollectContext,
  CollectionScope,
  Collector,
  ObservationResult,
} from '#libs/systems/contract/collector.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { anObservation, canonicalIdOf } from '#libs/testing/observation.factory.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { ObservationWriter } from './observation.writer.js';
import { ReadThrough } from './read-through.js';
import { ResourceRepository } from './resource.repository.js';
import { ScopeRepository } from './scope.repository.js';

const settings = { resourceGraphLagSeconds: 120 };
const writer = new ObservationWriter(settings);
const target: ResourceTarget = { uid: resourceUid(canonicalIdOf('a')), id: canonicalIdOf('a'), kind: 'Thing' };

/** The owner of every thing: it answers what, and when, the test wants. */
class Owner implements Collector {
  readonly name = 'things';
  readonly kinds = ['Thing'];
  asked = 0;
  answer: (context: CollectContext, askedAt: Date) => Promise<ObservationResult> = (_, askedAt) =>
    this.present(askedAt);

  present(observedAt: Date): Promise<ObservationResult> {
    const seen = anObservation('a', { source: 'ARM', observedAt, properties: { asked: this.asked } });
    return Promise.resolve({ state: 'present', observations: [seen] });
  }

  scopes(): CollectionScope[] {
    return [];
  }

  collect(): never {
    throw new Error('Nothing is listed here');
  }

  observe(_target: ResourceTarget, context: CollectContext): Promise<ObservationResult> {
    this.asked++;
    return this.answer(context, new Date());
  }
}

let test: TestDatabase;
let listener: NotificationListener;
let resources: ResourceRepository;
let scopes: ScopeRepository;
let owner: Owner;
let readThrough: ReadThrough;

beforeAll(async () => {
  test = await createTestDatabase();
  listener = new NotificationListener(test.url, () => undefined);
  await listener.start();
  resources = new ResourceRepository(test.database, settings);
  scopes = new ScopeRepository(test.database);
});
beforeEach(() => {
  owner = new Owner();
  readThrough = makeProcess();
});
afterEach(async () => {
  await test.database.query(
    'TRUNCATE resource, resource_tag, relation, resource_version, change, scope, observation_lease',
  );
});
afterAll(async () => {
  await listener.stop();
  await test.drop();
});

/** As another process would have it: nothing is shared but the database. */
function makeProcess(): ReadThrough {
  const registry = new SystemRegistry([
    { name: 'things', kinds: [], collectors: [owner], watchers: [], operations: [] },
  ]);
  return new ReadThrough(test.database, registry, resources, scopes, writer, listener, systemClock);
}

function call(signal = new AbortController().signal): { signal: AbortSignal; correlationId: string } {
  return { signal, correlationId: 'correlation' };
}

async function apply(ageSeconds: number): Promise<void> {
  const seen = anObservation('a', { source: 'ARM', observedAt: new Date(Date.now() - ageSeconds * 1000) });
  await test.database.transaction((transaction) => writer.apply(transaction, [seen], { scopeKey: null }));
}

async function leases(): Promise<number> {
  return (await test.database.query('SELECT FROM observation_lease')).rowCount;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('What the test waits for does not happen');
    await delay(5);
  }
}

describe('ReadThrough.ensureFresh', () => {
  it.each([
    { reason: 'young enough', age: 5, maximum: 10, outcome: 'fresh', asked: 0 },
    { reason: 'too old', age: 15, maximum: 10, outcome: 'refreshed', asked: 1 },
    { reason: 'zero means now', age: 0, maximum: 0, outcome: 'refreshed', asked: 1 },
    { reason: 'not known yet', age: null, maximum: 1000, outcome: 'refreshed', asked: 1 },
  ])('asks the owner only if it must: $reason', async ({ age, maximum, outcome, asked }) => {
    if (age !== null) await apply(age);
    expect(await readThrough.ensureFresh(target, maximum, call())).toBe(outcome);
    expect(owner.asked).toBe(asked);
    const record = await resources.find(target.uid);
    expect(record?.properties.asked).toBe(asked === 0 ? undefined : 1);
    expect(await leases()).toBe(0);
  });

  it('takes out what the owner says is gone', async () => {
    await apply(15);
    owner.answer = () => Promise.resolve({ state: 'absent', observedAt: new Date() });
    expect(await readThrough.ensureFresh(target, 10, call())).toBe('absent');
    expect(await resources.find(target.uid)).toBeNull();
  });

  it('tells why the owner could not be asked, and leaves the cache as it was', async () => {
    await apply(15);
    owner.answer = () => Promise.reject(new ControlError('AZURE_THROTTLED', 'Slow down.'));
    await expect(readThrough.ensureFresh(target, 10, call())).rejects.toMatchObject({ code: 'AZURE_THROTTLED' });
    expect(await resources.find(target.uid)).not.toBeNull();
    expect(await leases()).toBe(0);
    owner.answer = (_, askedAt) => owner.present(askedAt);
    expect(await readThrough.ensureFresh(target, 10, call())).toBe('refreshed');
  });

  it('cannot ask for a kind that nobody collects', async () => {
    const foreign = { ...target, kind: 'Other' };
    await expect(readThrough.ensureFresh(foreign, 0, call())).rejects.toMatchObject({ code: 'UNKNOWN_KIND' });
  });

  it('asks once for all who want to know at the same time', async () => {
    const gate = Promise.withResolvers<void>();
    owner.answer = (_, askedAt) => gate.promise.then(() => owner.present(askedAt));
    const callers = Array.from({ length: 20 }, () => readThrough.ensureFresh(target, 60, call()));
    await until(() => owner.asked === 1);
    gate.resolve();
    await Promise.all(callers);
    expect(owner.asked).toBe(1);
  });

  it('does not give an answer that was asked for before the caller’s bound', async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    owner.answer = (_, askedAt) => gates[owner.asked - 1]!.promise.then(() => owner.present(askedAt));
    const first = readThrough.ensureFresh(target, 0, call());
    await until(() => owner.asked === 1);
    await delay(5);
    const late = [1, 2, 3].map(() => readThrough.ensureFresh(target, 0, call()));
    gates[0]!.resolve();
    await first;
    await until(() => owner.asked === 2);
    gates[1]!.resolve();
    await Promise.all(late);
    expect(owner.asked).toBe(2);
  });

  it('asks once over several processes', async () => {
    const gate = Promise.withResolvers<void>();
    owner.answer = (_, askedAt) => gate.promise.then(() => owner.present(askedAt));
    const others = [readThrough, makeProcess(), makeProcess()];
    const callers = others.map((process) => process.ensureFresh(target, 60, call()));
    await until(() => owner.asked === 1);
    gate.resolve();
    expect(await Promise.all(callers)).toEqual(['refreshed', 'refreshed', 'refreshed']);
    expect(owner.asked).toBe(1);
  });

  it('does not wait for a process that is gone', async () => {
    await test.database.query(
      `INSERT INTO observation_lease (uid, holder, until) VALUES ($1, gen_random_uuid(), now() + interval '300 milliseconds')`,
      [target.uid],
    );
    expect(await readThrough.ensureFresh(target, 0, call())).toBe('refreshed');
    expect(owner.asked).toBe(1);
  });

  it('lets one caller give up without harm to the others, and stops asking when all have', async () => {
    const aborted = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    owner.answer = ({ signal }, askedAt) => {
      signal.addEventListener('abort', () => aborted.resolve());
      return Promise.race([
        gate.promise.then(() => owner.present(askedAt)),
        aborted.promise.then(() => Promise.reject(signal.reason as Error)),
      ]);
    };
    const impatient = new AbortController();
    const [first, second] = [
      readThrough.ensureFresh(target, 60, call(impatient.signal)),
      readThrough.ensureFresh(target, 60, call()),
    ];
    await until(() => owner.asked === 1);
    impatient.abort();
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    gate.resolve();
    expect(await second).toBe('refreshed');

    const alone = new AbortController();
    const last = readThrough.ensureFresh(target, 0, call(alone.signal));
    await until(() => owner.asked === 2);
    alone.abort();
    await expect(last).rejects.toMatchObject({ name: 'AbortError' });
    await aborted.promise;
    await until(async () => (await leases()) === 0);
  });
});

describe('ReadThrough.ensureScopesFresh', () => {
  const wanted = { kinds: ['Thing'], subscriptionId: null, clusterUid: null };
  const scopeOf = (id: string): CollectionScope => ({
    key: `things:${id}`,
    collector: 'things',
    kinds: ['Thing'],
    subscriptionId: id,
    clusterUid: null,
  });

  /** What a worker does for one scope. */
  async function runOne(end: 'complete' | 'failed'): Promise<void> {
    await until(async () => (await scopes.findMany(['things:1']))[0]!.dueAt <= new Date());
    const startedAt = new Date();
    const [claim] = await scopes.claimDue('worker', 30, 1);
    await test.database.transaction((transaction) =>
      scopes.end(
        transaction,
        claim!,
        end === 'complete'
          ? { state: 'complete', run: { observedAt: startedAt, source: 'ARM' }, objectCount: 0 }
          : {
              state: 'failed',
              problem: { code: 'AZURE_UNAVAILABLE', message: 'No answer.' },
              missing: null,
              retryInSeconds: 60,
            },
      ),
    );
  }

  const options = (timeoutMs: number): { signal: AbortSignal; timeoutMs: number } => ({
    signal: new AbortController().signal,
    timeoutMs,
  });

  it('has nothing to wait for when all have run lately', async () => {
    await scopes.ensure([scopeOf('1')], 3600);
    await runOne('complete');
    expect(await readThrough.ensureScopesFresh(wanted, 60, options(0))).toEqual({ stale: [] });
  });

  it('waits for the run that it asks for', async () => {
    await scopes.ensure([scopeOf('1')], 3600);
    await runOne('complete');
    const waiting = readThrough.ensureScopesFresh(wanted, 0, options(15_000));
    await runOne('complete');
    expect(await waiting).toEqual({ stale: [] });
  });

  it('tells what could not be made fresh, as soon as that is known', async () => {
    await scopes.ensure([scopeOf('1')], 3600);
    await runOne('complete');
    const waiting = readThrough.ensureScopesFresh(wanted, 0, options(15_000));
    await runOne('failed');
    expect((await waiting).stale).toMatchObject([{ key: 'things:1', state: 'failed' }]);
  });

  it('does not wait for longer than it may', async () => {
    await scopes.ensure([scopeOf('1'), scopeOf('2')], 3600);
    const { stale } = await readThrough.ensureScopesFresh({ ...wanted, subscriptionId: '2' }, 0, options(50));
    expect(stale.map((scope) => scope.key)).toEqual(['things:2']);
  });

  it('ends with its caller', async () => {
    await scopes.ensure([scopeOf('1')], 3600);
    const signal = AbortSignal.timeout(30);
    await expect(readThrough.ensureScopesFresh(wanted, 0, { signal, timeoutMs: 60_000 })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
  });
});
