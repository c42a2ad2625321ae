import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { delay, ManualClock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { NotificationListener } from '#libs/database/notification.listener.js';
import type {
  CollectContext,
  CollectionOutcome,
  CollectionScope,
  Collector,
  ObservationResult,
} from '#libs/systems/contract/collector.js';
import type { Observation } from '#libs/systems/contract/observation.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { anObservation, OBSERVED_AT } from '#libs/testing/observation.factory.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { ObservationWriter } from './observation.writer.js';
import { ScopeRepository, type ScopeClaim, type ScopeRecord } from './scope.repository.js';
import { SyncRunner, type SyncReport } from './sync.runner.js';
import { SyncScheduler } from './sync.scheduler.js';

type Script = (
  scope: CollectionScope,
  context: CollectContext,
) => AsyncGenerator<Observation[], CollectionOutcome, void>;

/** A collector that does what the test tells it. */
class ScriptedCollector implements Collector {
  readonly name = 'things';
  readonly kinds = ['Thing'];
  script: Script = complete([]);

  scopes(subscriptionIds: readonly string[]): CollectionScope[] {
    return subscriptionIds.map((id) => scopeOf(id));
  }

  collect(scope: CollectionScope, context: CollectContext): AsyncGenerator<Observation[], CollectionOutcome, void> {
    return this.script(scope, context);
  }

  observe(): Promise<ObservationResult> {
    return Promise.reject(new ControlError('INTERNAL', 'No test asks for a single object here.'));
  }
}

function scopeOf(id: string): CollectionScope {
  return { key: `things:${id}`, collector: 'things', kinds: ['Thing'], subscriptionId: id, clusterUid: null };
}

function complete(...batches: Observation[][]): Script {
  return async function* () {
    yield* batches;
    return { state: 'complete' };
  };
}

const THROTTLED = new ControlError('AZURE_THROTTLED', 'Slow down.', { retry: { kind: 'after', seconds: 17 } });

let test: TestDatabase;
let scopes: ScopeRepository;
let collector: ScriptedCollector;
let clock: ManualClock;
let runner: SyncRunner;

beforeAll(async () => {
  test = await createTestDatabase();
  scopes = new ScopeRepository(test.database);
});
beforeEach(() => {
  collector = new ScriptedCollector();
  clock = new ManualClock(OBSERVED_AT);
  runner = makeRunner(30);
});
afterEach(async () => {
  await test.database.query('TRUNCATE resource, resource_tag, relation, resource_version, change, scope');
});
afterAll(() => test.drop());

function makeRunner(leaseSeconds: number): SyncRunner {
  const registry = new SystemRegistry([
    { name: 'things', kinds: [], collectors: [collector], watchers: [], operations: [] },
  ]);
  const writer = new ObservationWriter({ resourceGraphLagSeconds: 120 });
  return new SyncRunner(test.database, registry, scopes, writer, clock, { leaseSeconds });
}

const never = new AbortController().signal;

async function claimOne(owner = 'worker-1'): Promise<ScopeClaim> {
  const [claim] = await scopes.claimDue(owner, 30, 1);
  if (claim === undefined) throw new Error('Nothing is due');
  return claim;
}

async function runNow(script: Script): Promise<SyncReport> {
  await scopes.ensure([scopeOf('1')], 60);
  await scopes.markDue(['things:1']);
  collector.script = script;
  return runner.run(await claimOne(), never);
}

async function scope(): Promise<ScopeRecord> {
  const [record] = await scopes.findMany(['things:1']);
  return record!;
}

async function living(): Promise<string[]> {
  const { rows } = await test.database.query<{ name: string }>(
    'SELECT name FROM resource WHERE deleted_at IS NULL ORDER BY name',
  );
  return rows.map((row) => row.name);
}

/** Seconds until the scope is due, roughly: it was computed a moment ago. */
async function dueIn(): Promise<number> {
  const { rows } = await test.database.query<{ seconds: number }>(
    'SELECT round(extract(epoch FROM due_at - last_ended_at))::int AS seconds FROM scope',
  );
  return rows[0]!.seconds;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('What the test waits for does not happen');
    await delay(5);
  }
}

describe('SyncRunner', () => {
  it('puts what a complete run saw into the cache and takes out what it did not see', async () => {
    const first = await runNow(complete([anObservation('a'), anObservation('b')], [anObservation('c')]));
    expect(first).toMatchObject({ scopeKey: 'things:1', end: 'complete', counts: { created: 3 }, removed: 0 });
    expect(await scope()).toMatchObject({
      state: 'complete',
      objectCount: 3,
      lastCompleteAt: OBSERVED_AT,
      problem: null,
      running: false,
    });
    expect(await dueIn()).toBe(60);
    clock.advance(600_000);
    const second = await runNow(complete([anObservation('a', { observedAt: clock.now() })]));
    expect(second).toMatchObject({ end: 'complete', counts: { unchanged: 1 }, removed: 2 });
    expect(await living()).toEqual(['a']);
  });

  it('writes nothing but the scope when nothing has changed', async () => {
    const batch = [anObservation('a', { tags: { a: 'b' } }), anObservation('b')];
    await runNow(complete(batch));
    const physical = 'SELECT ctid::text, xmin::text, xmax::text FROM resource ORDER BY 1';
    const before = await test.database.query(physical);
    clock.advance(60_000);
    await runNow(complete(batch.map((seen) => ({ ...seen, observedAt: clock.now() }))));
    expect((await test.database.query(physical)).rows).toEqual(before.rows);
    expect((await scope()).lastCompleteAt).toEqual(clock.now());
  });

  it.each<{ reason: string; script: Script; end: string; missing: string | null; due: number; code: string }>([
    {
      reason: 'a part could not be seen',
      script: async function* () {
        yield await Promise.resolve([anObservation('c')]);
        return { state: 'partial', problem: THROTTLED, missing: 'The second page.' };
      },
      end: 'partial',
      missing: 'The second page.',
      due: 17,
      code: 'AZURE_THROTTLED',
    },
    {
      reason: 'it breaks off after a batch',
      script: async function* () {
        yield await Promise.resolve([anObservation('c')]);
        throw THROTTLED;
      },
      end: 'partial',
      missing: 'What comes after the first 1 objects.',
      due: 17,
      code: 'AZURE_THROTTLED',
    },
    {
      // eslint-disable-next-line require-yield
      script: async function* () {
        await Promise.resolve();
        throw new ControlError('AZURE_UNAVAILABLE', 'No answer.', { retry: { kind: 'backoff' } });
      },
      reason: 'nothing could be seen at all',
      end: 'failed',
      missing: null,
      due: 5,
      code: 'AZURE_UNAVAILABLE',
    },
    {
      // eslint-disable-next-line require-yield
      script: async function* () {
        await Promise.resolve();
        throw new ControlError('AZURE_FORBIDDEN', 'Not for you.');
      },
      reason: 'trying again soon would not help',
      end: 'failed',
      missing: null,
      due: 60,
      code: 'AZURE_FORBIDDEN',
    },
    {
      // eslint-disable-next-line require-yield
      script: async function* () {
        await Promise.resolve();
        throw new TypeError('A bug');
      },
      reason: 'the collector has a bug',
      end: 'failed',
      missing: null,
      due: 5,
      code: 'INTERNAL',
    },
  ])('deletes nothing, says so, and tries again in time: $reason', async ({ script, end, missing, due, code }) => {
    await runNow(complete([anObservation('a'), anObservation('b')]));
    clock.advance(600_000);
    const report = await runNow(script);
    expect(report).toMatchObject({ end, removed: 0, problem: { code } });
    expect(await living()).toEqual(end === 'partial' ? ['a', 'b', 'c'] : ['a', 'b']);
    expect(await scope()).toMatchObject({ state: end, missing, problem: { code }, lastCompleteAt: OBSERVED_AT });
    expect(await dueIn()).toBe(due);
  });

  it('waits longer with each failure, but not longer than the usual interval', async () => {
    const failing: Script = async function* () {
      yield await Promise.resolve([]);
      throw new ControlError('AZURE_UNAVAILABLE', 'No answer.', { retry: { kind: 'backoff' } });
    };
    const waits: number[] = [];
    for (let run = 0; run < 6; run++) {
      await runNow(failing);
      waits.push(await dueIn());
    }
    expect(waits).toEqual([5, 10, 20, 40, 60, 60]);
    await runNow(complete([]));
    await runNow(failing);
    expect(await dueIn()).toBe(5);
  });

  it('stays due when somebody asks for it during the run', async () => {
    await runNow(async function* () {
      yield await Promise.resolve([anObservation('a')]);
      await scopes.markDue(['things:1']);
      return { state: 'complete' };
    });
    expect(await dueIn()).toBeLessThanOrEqual(0);
    expect(await scopes.claimDue('worker-2', 30, 1)).toHaveLength(1);
  });

  it('writes nothing any more once another worker has taken the scope over', async () => {
    const report = await runNow(async function* () {
      yield [anObservation('a')];
      await until(async () => (await living()).length === 1);
      await test.database.query("UPDATE scope SET claimed_until = now() - interval '1 second'");
      await claimOne('worker-2');
      yield [anObservation('b')];
      return { state: 'complete' };
    });
    expect(report).toMatchObject({ end: 'lost' });
    expect(await living()).toEqual(['a']);
    expect(await scope()).toMatchObject({ state: 'new', running: true });
  });

  it('does not finish what it has lost at the very end', async () => {
    await runNow(complete([anObservation('a')]));
    clock.advance(600_000);
    const report = await runNow(async function* () {
      yield await Promise.resolve([]);
      await test.database.query("UPDATE scope SET claimed_until = now() - interval '1 second'");
      await claimOne('worker-2');
      return { state: 'complete' };
    });
    expect(report).toMatchObject({ end: 'lost', removed: 0 });
    expect(await living()).toEqual(['a']);
    expect((await scope()).lastCompleteAt).toEqual(OBSERVED_AT);
  });

  it('keeps its claim alive for as long as it runs', async () => {
    runner = makeRunner(1);
    await scopes.ensure([scopeOf('1')], 60);
    const [claim] = await scopes.claimDue('worker-1', 1, 1);
    collector.script = async function* () {
      yield [anObservation('a')];
      const deadline = Date.now() + 1_600;
      while (Date.now() < deadline) {
        expect(await scopes.claimDue('worker-2', 30, 1)).toEqual([]);
        await delay(50);
      }
      return { state: 'complete' };
    };
    expect(await runner.run(claim!, never)).toMatchObject({ end: 'complete' });
  });

  it('gives the scope back at once when it is told to stop', async () => {
    const stop = new AbortController();
    await scopes.ensure([scopeOf('1')], 60);
    collector.script = async function* (_, { signal }) {
      yield [anObservation('a')];
      stop.abort();
      signal.throwIfAborted();
      return { state: 'complete' };
    };
    expect(await runner.run(await claimOne(), stop.signal)).toMatchObject({ end: 'stopped' });
    expect(await scope()).toMatchObject({ state: 'new', running: false });
    expect(await scopes.claimDue('worker-2', 30, 1)).toHaveLength(1);
  });

  it('ends the collector that it does not need any more', async () => {
    let ended = false;
    await runNow(async function* () {
      try {
        yield [anObservation('a')];
        await until(async () => (await living()).length === 1);
        await test.database.query('UPDATE scope SET fence = fence + 1');
        yield [anObservation('b')];
        yield [anObservation('c')];
        yield [anObservation('d')];
        await delay(5_000);
        return { state: 'complete' };
      } finally {
        ended = true;
      }
    });
    expect(ended).toBe(true);
  });
});

describe('ScopeRepository', () => {
  it('gives each due scope to one claimant only', async () => {
    await scopes.ensure(
      Array.from({ length: 40 }, (_, index) => scopeOf(String(index))),
      60,
    );
    const claims = (
      await Promise.all(Array.from({ length: 8 }, (_, index) => scopes.claimDue(`worker-${index}`, 30, 10)))
    ).flat();
    const again = await scopes.claimDue('worker-9', 30, 40);
    const keys = [...claims, ...again].map((claim) => claim.scope.key);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys).toHaveLength(40);
  });

  it('raises the fence with each claim, and only the newest claim counts', async () => {
    await scopes.ensure([scopeOf('1')], 60);
    const first = await claimOne();
    await test.database.query(`UPDATE scope SET claimed_until = now() - interval '1 second'`);
    const second = await claimOne('worker-2');
    expect(BigInt(second.fence)).toBeGreaterThan(BigInt(first.fence));
    expect([await scopes.renew(first, 30), await scopes.renew(second, 30)]).toEqual([false, true]);
    await scopes.release(first);
    expect((await scope()).running).toBe(true);
  });

  it('keeps what it knows of a scope that is planned again, and takes over what is new', async () => {
    await runNow(complete([anObservation('a')]));
    await scopes.ensure([{ ...scopeOf('1'), kinds: ['Thing', 'Other'] }, scopeOf('2')], 30);
    expect(await scope()).toMatchObject({ state: 'complete', kinds: ['Thing', 'Other'], intervalSeconds: 30 });
    expect(await scopes.findForKinds(['Other'])).toHaveLength(1);
    expect((await scopes.findForKinds(null)).map((record) => record.key)).toEqual(['things:1', 'things:2']);
    expect((await scopes.findForKinds(['Thing'], '2')).map((record) => record.key)).toEqual(['things:2']);
    expect(await scopes.findForKinds([], null)).toEqual([]);
  });
});

describe('SyncScheduler', () => {
  it('runs what is due, no more at a time than it may, until it is stopped', async () => {
    await scopes.ensure(
      Array.from({ length: 7 }, (_, index) => scopeOf(String(index))),
      3600,
    );
    let active = 0;
    let most = 0;
    collector.script = async function* (scope) {
      most = Math.max(most, ++active);
      yield [anObservation(scope.key)];
      await delay(20);
      active--;
      return { state: 'complete' };
    };
    const reports: SyncReport[] = [];
    const listener = new NotificationListener(test.url, () => undefined);
    await listener.start();
    const scheduler = new SyncScheduler(
      scopes,
      runner,
      listener,
      {
        started: () => undefined,
        ended: (report) => reports.push(report),
        failed: (error) => reports.push(error as never),
      },
      // So long that only notifications can bring it on in time.
      { owner: 'worker-1', concurrency: 3, leaseSeconds: 30, pollSeconds: 3600 },
    );
    scheduler.start();
    try {
      await until(() => reports.length === 7);
      expect(most).toBe(3);
      await scopes.markDue(['things:3']);
      await until(() => reports.length === 8);
      expect(reports.at(-1)).toMatchObject({ scopeKey: 'things:3', end: 'complete' });

      collector.script = async function* (_, { signal }) {
        yield [];
        active++;
        await delay(60_000, signal);
        return { state: 'complete' };
      };
      await scopes.markDue(['things:5']);
      await until(() => active === 1);
    } finally {
      await scheduler.stop();
      await listener.stop();
    }
    expect(reports.at(-1)).toMatchObject({ scopeKey: 'things:5', end: 'stopped' });
    expect(await scopes.claimDue('worker-2', 30, 10)).toHaveLength(1);
  });

  it('goes on when the database fails for a moment', async () => {
    const failures: unknown[] = [];
    const reports: SyncReport[] = [];
    await scopes.ensure([scopeOf('1')], 3600);
    let attempts = 0;
    const flaky = Object.create(scopes) as ScopeRepository;
    flaky.claimDue = (...parameters) =>
      attempts++ === 0 ? Promise.reject(new Error('The connection was closed')) : scopes.claimDue(...parameters);
    const listener = new NotificationListener(test.url, () => undefined);
    const scheduler = new SyncScheduler(
      flaky,
      runner,
      listener,
      {
        started: () => undefined,
        ended: (report) => reports.push(report),
        failed: (error, key) => failures.push([error, key]),
      },
      { owner: 'worker-1', concurrency: 1, leaseSeconds: 30, pollSeconds: 0.05 },
    );
    scheduler.start();
    await until(() => reports.length === 1);
    await scheduler.stop();
    expect(failures).toEqual([[expect.objectContaining({ message: 'The connection was closed' }), null]]);
  });
});
