import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Transaction } from '#libs/database/sql.js';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import type { Observation } from '#libs/systems/contract/observation.js';
import { aClaim, anObservation, canonicalIdOf, secondsLater } from '#libs/testing/observation.factory.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { type ApplyCounts, ObservationWriter } from './observation.writer.js';

const LAG = 120;
const SCOPE = 'things:1';
const writer = new ObservationWriter({ resourceGraphLagSeconds: LAG });

let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase();
});
afterEach(async () => {
  await test.database.query(
    'TRUNCATE resource, resource_tag, relation, resource_version, change, change_horizon, scope',
  );
});
afterAll(() => test.drop());

const uid = (name: string): string => resourceUid(canonicalIdOf(name));

function apply(observations: Observation[], scopeKey: string | null = SCOPE): Promise<ApplyCounts> {
  return test.database.transaction((transaction) => writer.apply(transaction, observations, { scopeKey }));
}

function sweep(seen: string[], seconds: number, source: Observation['source'] = 'RESOURCE_GRAPH'): Promise<number> {
  const run = { observedAt: secondsLater(seconds), source };
  return test.database.transaction((transaction) =>
    writer.tombstoneUnseen(transaction, SCOPE, new Set(seen.map(uid)), run),
  );
}

function bury(names: string[], seconds: number, source: Observation['source'] = 'ARM'): Promise<number> {
  return test.database.transaction((transaction) =>
    writer.tombstone(transaction, names.map(uid), { observedAt: secondsLater(seconds), source }),
  );
}

async function rows<Row extends object>(sql: string): Promise<Row[]> {
  return (await test.database.query<Row>(sql)).rows;
}

interface Stored {
  name: string;
  size: number;
  source: string;
  alive: boolean;
  seconds: number;
}

async function stored(name = 'a'): Promise<Stored | undefined> {
  const [row] = (
    await test.database.query<Stored>(
      `SELECT name, (properties->>'size')::int AS size, source, deleted_at IS NULL AS alive,
         extract(epoch FROM observed_at - $2)::int AS seconds
       FROM resource WHERE uid = $1`,
      [uid(name), secondsLater(0)],
    )
  ).rows;
  return row;
}

const changes = (): Promise<{ type: string; changed: string[] }[]> =>
  rows('SELECT type, changed FROM change ORDER BY seq');

describe('ObservationWriter.apply', () => {
  it('writes a new object with its tags, relations and change', async () => {
    const counts = await apply([
      anObservation('a', { tags: { env: 'prod', team: 'x' }, relations: [aClaim('owns', 'a', 'b')] }),
    ]);
    expect(counts).toEqual({ created: 1, updated: 0, unchanged: 0, ignored: 0 });
    expect(await stored()).toEqual({ name: 'a', size: 1, source: 'RESOURCE_GRAPH', alive: true, seconds: 0 });
    expect(await changes()).toEqual([{ type: 'created', changed: [] }]);
    expect(await rows('SELECT count(*)::int AS tags FROM resource_tag')).toEqual([{ tags: 2 }]);
    expect(await rows('SELECT from_uid, to_uid, type FROM relation')).toEqual([
      { from_uid: uid('a'), to_uid: uid('b'), type: 'owns' },
    ]);
  });

  it('writes nothing at all for what a scope has seen unchanged', async () => {
    const observations = Array.from({ length: 20 }, (_, index) =>
      anObservation(`n${index}`, { tags: { a: 'b' }, relations: [aClaim('owns', `n${index}`, 'x')] }),
    );
    await apply(observations);
    const physical = `SELECT ctid::text, xmin::text, xmax::text FROM resource
      UNION ALL SELECT ctid::text, xmin::text, xmax::text FROM relation
      UNION ALL SELECT ctid::text, xmin::text, xmax::text FROM resource_tag
      UNION ALL SELECT ctid::text, xmin::text, xmax::text FROM change ORDER BY 1, 2`;
    const before = await rows(physical);
    const counts = await test.database.transaction(async (transaction) => {
      const later = observations.map((observation) => ({
        ...observation,
        observedAt: secondsLater(600),
        etag: '"new"',
      }));
      const result = await writer.apply(transaction, later, {
        scopeKey: SCOPE,
        beforeWrite: () => Promise.reject(new Error('Something was about to be written')),
      });
      const { rows: ids } = await transaction.query('SELECT pg_current_xact_id_if_assigned()::text AS xid');
      // A transaction that has written anything, even a row lock, has an id.
      expect(ids).toEqual([{ xid: null }]);
      return result;
    });
    expect(counts).toEqual({ created: 0, updated: 0, unchanged: 20, ignored: 0 });
    expect(await rows(physical)).toEqual(before);
  });

  it('keeps the state before, names what differs, and leaves no gap between the states', async () => {
    await apply([anObservation('a', { properties: { size: 1, kept: true, gone: 1 } })]);
    await apply([
      anObservation('a', {
        observedAt: secondsLater(300),
        provisioningState: 'Updating',
        health: { state: 'Progressing', reason: 'It is being updated' },
        properties: { size: 2, kept: true, added: null },
      }),
    ]);
    expect((await changes())[1]).toEqual({
      type: 'updated',
      changed: [
        'provisioningState',
        'health',
        'healthReason',
        'properties.added',
        'properties.gone',
        'properties.size',
      ],
    });
    expect(
      await rows(`SELECT v.properties, v.provisioning_state, v.valid_to = r.changed_at AS joined, v.valid_from = r.created_at AS started
        FROM resource_version v JOIN resource r USING (uid)`),
    ).toEqual([
      { properties: { size: 1, kept: true, gone: 1 }, provisioning_state: 'Succeeded', joined: true, started: true },
    ]);
    expect(
      await rows(
        'SELECT provisioning_state_before AS before, provisioning_state AS after FROM change ORDER BY seq DESC LIMIT 1',
      ),
    ).toEqual([{ before: 'Succeeded', after: 'Updating' }]);
  });

  it.each<{
    reason: string;
    first: Partial<Observation>;
    second: Partial<Observation>;
    scopeKey?: null;
    counted: keyof ApplyCounts;
    size: number;
    source: string;
    seconds: number;
  }>([
    {
      reason: 'an older observation arrives late',
      first: { source: 'ARM', observedAt: secondsLater(10) },
      second: { source: 'ARM', observedAt: secondsLater(9), properties: { size: 2 } },
      scopeKey: null,
      counted: 'ignored',
      size: 1,
      source: 'ARM',
      seconds: 10,
    },
    {
      reason: 'a direct look moves the freshness of the same state on',
      first: {},
      second: { source: 'ARM', observedAt: secondsLater(5) },
      scopeKey: null,
      counted: 'unchanged',
      size: 1,
      source: 'ARM',
      seconds: 5,
    },
    {
      reason: 'the index may lag behind what was seen directly',
      first: { source: 'OPERATION' },
      second: { observedAt: secondsLater(LAG - 1), properties: { size: 2 } },
      counted: 'ignored',
      size: 1,
      source: 'OPERATION',
      seconds: 0,
    },
    {
      reason: 'after the lag the index is believed again',
      first: { source: 'OPERATION' },
      second: { observedAt: secondsLater(LAG + 1), properties: { size: 2 } },
      counted: 'updated',
      size: 2,
      source: 'RESOURCE_GRAPH',
      seconds: LAG + 1,
    },
    {
      reason: 'a direct answer beats the index even when asked a little earlier',
      first: { observedAt: secondsLater(30) },
      second: { source: 'ARM', observedAt: secondsLater(0), properties: { size: 2 } },
      scopeKey: null,
      counted: 'updated',
      size: 2,
      source: 'ARM',
      seconds: 0,
    },
  ])(
    'decides by what can be trusted: $reason',
    async ({ first, second, counted, size, source, seconds, ...options }) => {
      await apply([anObservation('a', first)], SCOPE);
      const counts = await apply([anObservation('a', second)], 'scopeKey' in options ? null : SCOPE);
      expect(counts[counted]).toBe(1);
      expect(await stored()).toEqual({ name: 'a', size, source, alive: true, seconds });
    },
  );

  it('does not let a late answer undo what a complete run has confirmed without writing it', async () => {
    await apply([anObservation('a', { source: 'ARM' })]);
    await test.database.query(
      `INSERT INTO scope (key, collector, kinds, interval_seconds, last_complete_at, last_complete_source)
       VALUES ($1, 'things', '{Thing}', 60, $2, 'ARM')`,
      [SCOPE, secondsLater(100)],
    );
    const late = anObservation('a', { source: 'ARM', observedAt: secondsLater(50), properties: { size: 2 } });
    expect(await apply([late], null)).toMatchObject({ ignored: 1 });
    expect(await stored()).toMatchObject({ size: 1 });
  });

  it('takes the newest of several observations of one object, and the last of equally new ones', async () => {
    const counts = await apply([
      anObservation('a', { observedAt: secondsLater(2), properties: { size: 2 } }),
      anObservation('A', { observedAt: secondsLater(1), properties: { size: 1 } }),
      anObservation('b', { properties: { size: 1 } }),
      anObservation('b', { properties: { size: 2 } }),
    ]);
    expect(counts).toEqual({ created: 2, updated: 0, unchanged: 0, ignored: 2 });
    expect([await stored('a'), await stored('b')]).toMatchObject([{ size: 2 }, { size: 2 }]);
  });

  it('replaces what an object claims, and leaves what others claim about it', async () => {
    await apply([
      anObservation('a', { relations: [aClaim('owns', 'a', 'x'), aClaim('memberOf', 'a', 'y')] }),
      anObservation('b', { relations: [aClaim('owns', 'a', 'b')] }),
    ]);
    await apply([
      anObservation('a', {
        observedAt: secondsLater(1),
        relations: [aClaim('memberOf', 'a', 'y'), aClaim('runsOn', 'a', 'z'), aClaim('owns', 'p', 'q')],
      }),
    ]);
    const claims = await rows<{ type: string; to_uid: string }>('SELECT type, to_uid FROM relation ORDER BY type');
    // The claim between two strangers is not the object's to make.
    expect(claims).toEqual([
      { type: 'memberOf', to_uid: uid('y') },
      { type: 'owns', to_uid: uid('b') },
      { type: 'runsOn', to_uid: uid('z') },
    ]);
    expect((await changes()).at(-1)).toEqual({ type: 'updated', changed: ['relations'] });
  });

  it('follows changed tags', async () => {
    await apply([anObservation('a', { tags: { kept: '1', changed: '1', gone: '1' } })]);
    await apply([anObservation('a', { observedAt: secondsLater(1), tags: { kept: '1', changed: '2', added: '1' } })]);
    const expected = `SELECT tag_key(key, value) AS tag FROM (VALUES ('kept', '1'), ('changed', '2'), ('added', '1')) AS t (key, value)`;
    expect(await rows(`${expected} EXCEPT SELECT tag FROM resource_tag`)).toEqual([]);
    expect(await rows(`SELECT tag FROM resource_tag EXCEPT ${expected}`)).toEqual([]);
  });

  it('takes what Postgres cannot store in a form that it can', async () => {
    await apply([anObservation('a', { tags: { 'k\0': '\ud800' }, properties: { size: 1, text: 'a\0b\\u0000' } })]);
    expect(await rows('SELECT tags, properties FROM resource')).toEqual([
      { tags: { 'k\ufffd': '\ufffd' }, properties: { size: 1, text: 'a\ufffdb\\u0000' } },
    ]);
  });

  it('hands an object that was first seen directly over to the scope that lists it', async () => {
    await apply([anObservation('a', { source: 'OPERATION' })], null);
    expect(await sweep([], 1000)).toBe(0);
    await apply([anObservation('a', { observedAt: secondsLater(10) })], SCOPE);
    expect(await rows('SELECT scope_key, source FROM resource')).toEqual([{ scope_key: SCOPE, source: 'OPERATION' }]);
    expect(await sweep([], 1000)).toBe(1);
  });

  it('sends one notification a transaction, and none when nothing has changed', async () => {
    const client = await test.database.pool.connect();
    try {
      let heard = 0;
      client.on('notification', () => heard++);
      await client.query('LISTEN pilothouse_change');
      const batch = Array.from({ length: 1200 }, (_, index) => anObservation(`n${index}`));
      await apply(batch);
      await apply(batch);
      await client.query('SELECT 1');
      expect(heard).toBe(1);
    } finally {
      client.release(true);
    }
  });
});

describe('tombstones', () => {
  it('ends what a complete run has not seen, with its tags and claims, and says so', async () => {
    await apply([anObservation('a'), anObservation('b', { tags: { a: 'b' }, relations: [aClaim('owns', 'a', 'b')] })]);
    expect(await sweep(['a'], 300)).toBe(1);
    expect([await stored('a'), await stored('b')]).toMatchObject([{ alive: true }, { alive: false }]);
    expect((await changes()).at(-1)).toEqual({ type: 'deleted', changed: [] });
    expect(await rows('SELECT 1 FROM relation UNION ALL SELECT 1 FROM resource_tag')).toEqual([]);
    expect(
      await rows('SELECT v.valid_to = r.deleted_at AS closed FROM resource_version v JOIN resource r USING (uid)'),
    ).toEqual([{ closed: true }]);
    expect(await sweep(['a'], 600)).toBe(0);
  });

  it.each<{ reason: string; seen: Partial<Observation>; runAt: number; source?: Observation['source']; ended: number }>(
    [
      { reason: 'seen before the run', seen: {}, runAt: 1, ended: 1 },
      { reason: 'seen by a later run', seen: { observedAt: secondsLater(2) }, runAt: 1, ended: 0 },
      { reason: 'just made, and the index lags', seen: { source: 'OPERATION' }, runAt: LAG - 1, ended: 0 },
      { reason: 'made long before', seen: { source: 'OPERATION' }, runAt: LAG + 1, ended: 1 },
      { reason: 'a list of ARM does not lag', seen: { source: 'OPERATION' }, runAt: 1, source: 'ARM', ended: 1 },
      {
        reason: 'made while ARM was being listed',
        seen: { source: 'OPERATION', observedAt: secondsLater(2) },
        runAt: 1,
        source: 'ARM',
        ended: 0,
      },
    ],
  )('spares what may be newer than the list: $reason', async ({ seen, runAt, source, ended }) => {
    await apply([anObservation('a', seen)]);
    expect(await sweep([], runAt, source)).toBe(ended);
    expect(await stored()).toMatchObject({ alive: ended === 0 });
  });

  it('leaves the objects of other scopes alone', async () => {
    await apply([anObservation('a')], 'things:2');
    expect(await sweep([], 300)).toBe(0);
  });

  it.each<{ reason: string; back: Partial<Observation>; scopeKey: string | null; alive: boolean }>([
    { reason: 'the index still shows it', back: { observedAt: secondsLater(LAG) }, scopeKey: SCOPE, alive: false },
    {
      reason: 'the index shows it long after',
      back: { observedAt: secondsLater(LAG + 20) },
      scopeKey: SCOPE,
      alive: true,
    },
    {
      reason: 'ARM shows it again',
      back: { source: 'ARM', observedAt: secondsLater(11) },
      scopeKey: null,
      alive: true,
    },
    {
      reason: 'a late answer of ARM',
      back: { source: 'ARM', observedAt: secondsLater(9) },
      scopeKey: null,
      alive: false,
    },
    {
      reason: 'the moment of its deletion',
      back: { source: 'ARM', observedAt: secondsLater(10) },
      scopeKey: null,
      alive: false,
    },
  ])('comes back only when it is surely there: $reason', async ({ back, scopeKey, alive }) => {
    await apply([anObservation('a', { tags: { a: 'b' }, relations: [aClaim('owns', 'a', 'b')] })]);
    expect(await bury(['a'], 10)).toBe(1);
    await apply([anObservation('a', { tags: { a: 'b' }, relations: [aClaim('owns', 'a', 'b')], ...back })], scopeKey);
    expect(await stored()).toMatchObject({ alive });
    expect((await changes()).at(-1)?.type).toBe(alive ? 'created' : 'deleted');
    expect(await rows('SELECT 1 AS one FROM relation')).toHaveLength(alive ? 1 : 0);
    expect(await rows('SELECT 1 AS one FROM resource_tag')).toHaveLength(alive ? 1 : 0);
  });

  it('ignores the report of a deletion that is older than what is known, or of an unknown object', async () => {
    await apply([anObservation('a', { source: 'ARM', observedAt: secondsLater(20) })], null);
    expect(await bury(['a', 'unknown'], 10)).toBe(0);
    expect(await stored()).toMatchObject({ alive: true });
  });
});

describe('a big estate', () => {
  beforeEach(async () => {
    await test.database.query(
      `INSERT INTO resource_tag (tag, name, uid)
       SELECT tag_key('team', (n % 50)::text), 'other-' || n, gen_random_uuid() FROM generate_series(1, 20000) AS n`,
    );
    await test.database.query('ANALYZE resource_tag');
    await apply([anObservation('a', { tags: { env: 'prod', team: '1' } })]);
  });

  it.each<{ reason: string; write: (transaction: Transaction) => Promise<unknown>; left: number }>([
    {
      reason: 'tags of one object change',
      write: (transaction) =>
        writer.apply(transaction, [anObservation('a', { tags: { env: 'dev' }, observedAt: secondsLater(1) })], {
          scopeKey: SCOPE,
        }),
      left: 1,
    },
    {
      reason: 'one object is gone',
      write: (transaction) => writer.tombstone(transaction, [uid('a')], { observedAt: secondsLater(1), source: 'ARM' }),
      left: 0,
    },
  ])('is not read through when $reason', async ({ write, left }) => {
    const scans = await test.database.transaction(async (transaction) => {
      // Counted are also those of the session that have not been written down yet.
      const counted = async (): Promise<number> => {
        const { rows: found } = await transaction.query<{ scans: string }>(
          `SELECT seq_scan AS scans FROM pg_stat_xact_user_tables WHERE relname = 'resource_tag'`,
        );
        return Number(found[0]?.scans);
      };
      const before = await counted();
      await write(transaction);
      return (await counted()) - before;
    });
    expect(scans).toBe(0);
    const own = await test.database.query('SELECT FROM resource_tag WHERE uid = $1', [uid('a')]);
    expect(own.rowCount).toBe(left);
  });
});

describe('many writers', () => {
  it('neither block each other for good nor lose the newest state', async () => {
    const batch = fc.array(
      fc.record({
        name: fc.integer({ min: 0, max: 11 }),
        at: fc.integer({ min: 1, max: 1000 }),
        gone: fc.integer({ min: 0, max: 9 }),
      }),
      { minLength: 1, maxLength: 12 },
    );
    const work = fc.array(fc.array(batch, { minLength: 1, maxLength: 6 }), { minLength: 4, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(work, async (writers) => {
        await test.database.query('TRUNCATE resource, resource_tag, relation, resource_version, change');
        await Promise.all(
          writers.map(async (batches) => {
            for (const items of batches) {
              const alive = items.map(({ name, at }) =>
                anObservation(`n${name}`, {
                  source: 'ARM',
                  observedAt: secondsLater(at),
                  properties: { size: at },
                  tags: { at: String(at) },
                  relations: [aClaim('owns', `n${name}`, `x${at % 3}`)],
                }),
              );
              await apply(alive, null);
              const [first] = items;
              if (first?.gone === 0) await bury([`n${first.name}`], first.at);
            }
          }),
        );
        const newest = new Map<string, number>();
        for (const { name, at } of writers.flat(2)) {
          newest.set(`n${name}`, Math.max(at, newest.get(`n${name}`) ?? 0));
        }
        for (const [name, at] of newest) expect(await stored(name)).toMatchObject({ seconds: at });
        expect(await rows(BROKEN_HISTORY)).toEqual([]);
        expect(await rows(BROKEN_TAGS)).toEqual([]);
        expect(await rows(BROKEN_CLAIMS)).toEqual([]);
      }),
      { numRuns: 20, endOnFailure: true },
    );
    // Postgres counts what a retry would hide. The counters are written when their sessions are idle.
    await test.database.query('SELECT pg_stat_force_next_flush()');
    expect(await rows('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()')).toEqual([
      { deadlocks: '0' },
    ]);
  }, 60_000);
});

/** States that overlap, or leave a gap that no deletion explains. */
const BROKEN_HISTORY = `
  SELECT * FROM (
    SELECT uid, valid_to, lead(valid_from) OVER (PARTITION BY uid ORDER BY valid_from) AS next
    FROM (
      SELECT uid, valid_from, valid_to FROM resource_version
      UNION ALL SELECT uid, changed_at, 'infinity' FROM resource WHERE deleted_at IS NULL
    ) AS states
  ) AS s
  WHERE next < valid_to OR (next > valid_to
    AND NOT EXISTS (SELECT FROM change c WHERE c.uid = s.uid AND c.type = 'deleted' AND c.at = s.valid_to))`;

const BROKEN_TAGS = `
  (SELECT tag_key(t.key, t.value), name, uid FROM resource, jsonb_each_text(tags) AS t WHERE deleted_at IS NULL
   EXCEPT SELECT tag, name, uid FROM resource_tag)
  UNION ALL
  (SELECT tag, name, uid FROM resource_tag
   EXCEPT SELECT tag_key(t.key, t.value), name, uid FROM resource, jsonb_each_text(tags) AS t WHERE deleted_at IS NULL)`;

/** Each living object has one claim here, and a dead one none. */
const BROKEN_CLAIMS = `
  SELECT uid FROM resource r
  WHERE (SELECT count(*) FROM relation c WHERE c.claimed_by = r.uid) <> (CASE WHEN deleted_at IS NULL THEN 1 ELSE 0 END)`;
