import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { PoolClient } from 'pg';
import { delay } from '#libs/kernel/clock.js';
import { encodeCursor } from '#libs/kernel/page.js';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import type { Observation } from '#libs/systems/contract/observation.js';
import { anObservation, canonicalIdOf, secondsLater } from '#libs/testing/observation.factory.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { ChangeRepository, type ChangePage } from './change.repository.js';
import { ObservationWriter } from './observation.writer.js';
import type { ChangeFilter } from './resource.query.js';

const writer = new ObservationWriter({ resourceGraphLagSeconds: 120 });

let test: TestDatabase;
let changes: ChangeRepository;

beforeAll(async () => {
  test = await createTestDatabase();
  changes = new ChangeRepository(test.database);
});
afterEach(async () => {
  await test.database.query('TRUNCATE resource, resource_tag, relation, resource_version, change, change_horizon');
});
afterAll(() => test.drop());

const uid = (name: string): string => resourceUid(canonicalIdOf(name));

async function apply(...observations: Observation[]): Promise<void> {
  await test.database.transaction((transaction) => writer.apply(transaction, observations, { scopeKey: 's' }));
}

/**
 * Reads on until this many changes have been seen. Another test's open transaction on the same server may keep changes
 * back for a moment, as any transaction may in real use.
 */
async function read(cursor: string | null, count: number, filter: ChangeFilter = {}, limit = 100): Promise<ChangePage> {
  const seen: ChangePage = { changes: [], nextCursor: cursor ?? '', caughtUp: false, heldBack: false };
  const deadline = Date.now() + 10_000;
  while (seen.changes.length < count && Date.now() < deadline) {
    const page = await changes.after(seen.nextCursor === '' ? null : seen.nextCursor, filter, limit);
    expect(page.changes.length).toBeLessThanOrEqual(limit);
    seen.changes.push(...page.changes);
    seen.nextCursor = page.nextCursor;
    seen.caughtUp = page.caughtUp;
    if (page.caughtUp && seen.changes.length < count) await delay(10);
  }
  return seen;
}

const names = (page: ChangePage): string[] => page.changes.map((change) => change.name);

/** A transaction of its own that stays open until it is told. */
async function openTransaction(): Promise<{ client: PoolClient; insert: (name: string) => Promise<unknown> }> {
  const client = await test.database.pool.connect();
  await client.query('BEGIN');
  return {
    client,
    insert: (name) =>
      client.query(
        `INSERT INTO change (at, uid, type, kind, changed, provisioning_state, health)
         VALUES (now(), $1, 'created', 'Thing', '{}', '', 'Healthy')`,
        [uid(name)],
      ),
  };
}

describe('ChangeRepository.after', () => {
  it('tells what happened, from the first to the last', async () => {
    await apply(anObservation('a', { provisioningState: null }));
    await apply(
      anObservation('a', {
        observedAt: secondsLater(1),
        provisioningState: 'Failed',
        health: { state: 'Degraded', reason: null },
      }),
    );
    await test.database.transaction((transaction) =>
      writer.tombstone(transaction, [uid('a')], { observedAt: secondsLater(200), source: 'ARM' }),
    );
    const common = { uid: uid('a'), name: 'a', kind: 'Thing', subscriptionId: '00000000-0000-0000-0000-000000000001' };
    expect((await read(null, 3)).changes).toMatchObject([
      {
        ...common,
        type: 'created',
        at: secondsLater(0),
        changed: [],
        provisioningStateBefore: null,
        provisioningState: null,
        healthBefore: null,
        health: 'Healthy',
      },
      {
        ...common,
        type: 'updated',
        at: secondsLater(1),
        changed: ['provisioningState', 'health'],
        provisioningStateBefore: null,
        provisioningState: 'Failed',
        healthBefore: 'Healthy',
        health: 'Degraded',
      },
      {
        ...common,
        type: 'deleted',
        at: secondsLater(200),
        provisioningStateBefore: 'Failed',
        provisioningState: 'Failed',
        healthBefore: 'Degraded',
        health: 'Degraded',
      },
    ]);
  });

  it('goes on after the cursor of any change, and of the end', async () => {
    await apply(...['a', 'b', 'c', 'd'].map((name) => anObservation(name)));
    const all = await read(null, 4, {}, 3);
    const second = all.changes[1]!;
    expect(names(await read(second.cursor, 2))).toEqual(names(all).slice(2));
    await apply(anObservation('e'));
    expect(names(await read(all.nextCursor, 1))).toEqual(['e']);
  });

  it('starts from now with the cursor of the head', async () => {
    await apply(anObservation('a'));
    await read(null, 1);
    const head = await changes.head();
    await apply(anObservation('b'));
    expect(names(await read(head, 1))).toEqual(['b']);
  });

  it.each<{ reason: string; filter: ChangeFilter; expected: string[] }>([
    { reason: 'a kind', filter: { kinds: ['Pod'] }, expected: ['p'] },
    { reason: 'kinds', filter: { kinds: ['Pod', 'Node'] }, expected: ['n', 'p'] },
    { reason: 'an object', filter: { uid: uid('n') }, expected: ['n'] },
    { reason: 'a cluster', filter: { clusterUid: uid('cluster') }, expected: ['p'] },
    { reason: 'a namespace', filter: { namespace: 'default' }, expected: ['p'] },
    { reason: 'a subscription', filter: { subscriptionId: 'SUB' }, expected: ['n'] },
  ])('keeps to a filter: $reason', async ({ filter, expected }) => {
    await apply(
      anObservation('p', { kind: 'Pod', clusterUid: uid('cluster'), namespace: 'default' }),
      anObservation('n', { kind: 'Node', subscriptionId: 'sub' }),
      anObservation('x'),
    );
    await read(null, 3);
    expect(names(await changes.after(null, filter, 10)).sort()).toEqual(expected);
  });

  it('finds nothing where a filter cannot fit, and still moves on', async () => {
    await apply(anObservation('a'));
    await read(null, 1);
    const page = await changes.after(null, { namespace: 'a\0' }, 10);
    expect(page).toMatchObject({ changes: [], caughtUp: true });
    await apply(anObservation('b'));
    expect(names(await read(page.nextCursor, 1))).toEqual(['b']);
  });

  it('looks at a bounded part of the feed in one call, however few changes fit', async () => {
    await test.database.query(
      `INSERT INTO change (at, uid, type, kind, changed, provisioning_state, health)
       SELECT now(), gen_random_uuid(), 'created', CASE n WHEN 25000 THEN 'Rare' ELSE 'Thing' END, '{}', '', 'Healthy'
       FROM generate_series(1, 25000) AS n`,
    );
    await read(null, 1);
    const calls: boolean[] = [];
    let cursor: string | null = null;
    const found: string[] = [];
    do {
      const page: ChangePage = await changes.after(cursor, { kinds: ['Rare'] }, 10);
      found.push(...page.changes.map((change) => change.kind));
      calls.push(page.caughtUp);
      cursor = page.nextCursor;
    } while (!calls.at(-1));
    expect(found).toEqual(['Rare']);
    expect(calls.length).toBeGreaterThan(2);
  });

  it('never passes a transaction that may still commit, whichever was numbered first', async () => {
    const early = await openTransaction();
    const late = await openTransaction();
    try {
      await early.insert('early');
      await late.insert('late');
      await late.client.query('COMMIT');
      // The later one is committed, but may not be shown: a reader would then skip the earlier one for ever.
      const before = await changes.after(null, {}, 10);
      expect(before).toMatchObject({ changes: [], caughtUp: true });
      await early.client.query('COMMIT');
      const after = await read(before.nextCursor, 2);
      expect(after.changes.map((change) => change.uid)).toEqual([uid('early'), uid('late')]);
    } finally {
      early.client.release(true);
      late.client.release(true);
    }
  });

  it('shows every change exactly once to a reader that follows many writers', async () => {
    const committed = new Set<string>();
    const writing = new AbortController();
    const reading = (async () => {
      const seen: string[] = [];
      let cursor: string | null = null;
      for (;;) {
        const last = writing.signal.aborted;
        const page: ChangePage = await changes.after(cursor, {}, 7);
        seen.push(...page.changes.map((change) => change.uid));
        cursor = page.nextCursor;
        if (last && page.caughtUp && seen.length >= committed.size) return seen;
      }
    })();
    await Promise.all(
      Array.from({ length: 4 }, async (_, writerIndex) => {
        for (let index = 0; index < 20; index++) {
          const { client, insert } = await openTransaction();
          const inserted = [`${writerIndex}-${index}-x`, `${writerIndex}-${index}-y`];
          for (const name of inserted) await insert(name);
          const isKept = (writerIndex + index) % 4 !== 0;
          await client.query(isKept ? 'COMMIT' : 'ROLLBACK');
          client.release();
          if (isKept) for (const name of inserted) committed.add(uid(name));
        }
      }),
    );
    writing.abort();
    const seen = await reading;
    expect([...seen].sort()).toEqual([...committed].sort());
  });

  it.each([
    { reason: 'of another list', cursor: encodeCursor('resources', ['1', '1']) },
    { reason: 'with numbers that are none', cursor: encodeCursor('changes', ['x', '1']) },
    { reason: 'with a number that JSON would round', cursor: encodeCursor('changes', [1, 1]) },
    { reason: 'below zero', cursor: encodeCursor('changes', ['-1', '1']) },
    { reason: 'beyond 64 bits', cursor: encodeCursor('changes', ['9223372036854775808', '1']) },
    { reason: 'from the future', cursor: encodeCursor('changes', ['9000000000000000000', '1']) },
    { reason: 'that is none', cursor: '%' },
  ])('refuses a cursor $reason', async ({ cursor }) => {
    await expect(changes.after(cursor, {}, 10)).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
  });
});

describe('ChangeRepository.deleteBefore', () => {
  it('tells the readers that come too late, and only these', async () => {
    for (const [name, seconds] of [
      ['a', 0],
      ['b', 10],
      ['c', 20],
    ] as const) {
      await apply(anObservation(name, { observedAt: secondsLater(seconds) }));
    }
    const [a, b, c] = (await read(null, 3)).changes;
    expect(await changes.deleteBefore(secondsLater(15))).toBe(2);
    await expect(changes.after(a!.cursor, {}, 10)).rejects.toMatchObject({ code: 'CURSOR_EXPIRED' });
    expect(names(await changes.after(b!.cursor, {}, 10))).toEqual(['c']);
    expect(names(await changes.after(c!.cursor, {}, 10))).toEqual([]);
    expect(names(await changes.after(null, {}, 10))).toEqual(['c']);
    expect(await changes.deleteBefore(secondsLater(15))).toBe(0);
  });

  it('does not let the cursor of a quiet reader expire that has kept up', async () => {
    await apply(anObservation('a', { kind: 'Pod' }));
    await read(null, 1);
    const { nextCursor } = await changes.after(null, { kinds: ['Node'] }, 10);
    await changes.deleteBefore(secondsLater(1));
    expect(await changes.after(nextCursor, { kinds: ['Node'] }, 10)).toMatchObject({ changes: [], caughtUp: true });
  });
});
