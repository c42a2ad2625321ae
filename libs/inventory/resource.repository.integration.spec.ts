import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeCursor } from '#libs/kernel/page.js';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import { HEALTH_STATES, type Observation } from '#libs/systems/contract/observation.js';
import { aClaim, anObservation, canonicalIdOf, OBSERVED_AT, secondsLater } from '#libs/testing/observation.factory.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { ObservationWriter } from './observation.writer.js';
import { RESOURCE_SORTS, type ResourceFilter, type ResourceQuery } from './resource.query.js';
import type { ResourceRecord } from './resource.record.js';
import { ResourceRepository } from './resource.repository.js';

const settings = { resourceGraphLagSeconds: 120 };
const SCOPE = 'things:1';
const writer = new ObservationWriter(settings);

let test: TestDatabase;
let resources: ResourceRepository;

beforeAll(async () => {
  test = await createTestDatabase();
  resources = new ResourceRepository(test.database, settings);
});
afterEach(async () => {
  await test.database.query('TRUNCATE resource, resource_tag, relation, resource_version, change, scope');
});
afterAll(() => test.drop());

const uid = (name: string): string => resourceUid(canonicalIdOf(name));

async function apply(...observations: Observation[]): Promise<void> {
  await test.database.transaction((transaction) => writer.apply(transaction, observations, { scopeKey: SCOPE }));
}

async function bury(name: string, seconds: number): Promise<void> {
  const gone = { observedAt: secondsLater(seconds), source: 'ARM' as const };
  await test.database.transaction((transaction) => writer.tombstone(transaction, [uid(name)], gone));
}

async function allNames(query: Omit<ResourceQuery, 'limit'>, limit: number, asOf?: Date): Promise<string[]> {
  const names: string[] = [];
  let cursor: string | null = null;
  do {
    const wanted: ResourceQuery = { ...query, limit, cursor };
    const page = asOf === undefined ? await resources.page(wanted) : await resources.asOf(wanted, asOf);
    expect(page.rows.length).toBeLessThanOrEqual(limit);
    expect(page.rows.length > 0 || page.nextCursor === null).toBe(true);
    names.push(...page.rows.map((row) => row.name));
    cursor = page.nextCursor;
  } while (cursor !== null);
  return names;
}

const names = (records: readonly ResourceRecord[]): string[] => records.map((record) => record.name);

/** What a filter means, said once more in memory. */
function matches(filter: ResourceFilter, object: Observation): boolean {
  const { kinds, location, clusterUid, namespace, health, name, q, tags, resourceGroup, subscriptionId } = filter;
  return (
    (kinds === undefined || kinds.includes(object.kind)) &&
    (location === undefined || object.location === location) &&
    (clusterUid === undefined || object.clusterUid === clusterUid) &&
    (namespace === undefined || object.namespace === namespace) &&
    (health === undefined || health.includes(object.health.state)) &&
    (name === undefined || object.name === name) &&
    (q === undefined || object.name.toLowerCase().includes(q.toLowerCase())) &&
    (resourceGroup === undefined || object.resourceGroup?.toLowerCase() === resourceGroup.toLowerCase()) &&
    (subscriptionId === undefined || object.subscriptionId === subscriptionId) &&
    Object.entries(tags ?? {}).every(([key, value]) => object.tags[key] === value)
  );
}

const CLUSTERS = [uid('cluster-1'), uid('cluster-2')];

/** 240 objects in which every filter finds some, several have equal names, and some columns are empty. */
function estate(): Observation[] {
  return Array.from({ length: 240 }, (_, index) =>
    anObservation(`object-${index}`, {
      kind: ['Fleet', 'Pod', 'Node'][index % 3]!,
      name: index % 5 === 0 ? 'same-name' : `${'abcXYZ'[index % 6]!}_${index % 40}%`,
      location: index % 4 === 0 ? null : ['westeurope', 'eastus'][index % 2]!,
      clusterUid: index % 7 === 0 ? null : CLUSTERS[index % 2]!,
      namespace: index % 3 === 1 ? ['default', 'kube-system'][index % 2]! : null,
      resourceGroup: ['rg-A', 'RG-a', 'rg-b'][index % 3]!,
      provisioningState: index % 6 === 0 ? null : ['Succeeded', 'Updating'][index % 2]!,
      health: { state: HEALTH_STATES[index % 4]!, reason: null },
      tags: { env: ['prod', 'dev'][index % 2]!, team: `team-${index % 9}`, ...(index === 77 ? { rare: 'yes' } : {}) },
      observedAt: secondsLater(index % 11),
    }),
  );
}

describe('ResourceRepository.page', () => {
  const filters: { reason: string; filter: ResourceFilter }[] = [
    { reason: 'everything', filter: {} },
    { reason: 'one kind', filter: { kinds: ['Pod'] } },
    { reason: 'two kinds', filter: { kinds: ['Pod', 'Fleet', 'Pod'] } },
    { reason: 'a location', filter: { location: 'westeurope' } },
    { reason: 'a cluster', filter: { clusterUid: CLUSTERS[0]! } },
    { reason: 'a namespace of a cluster', filter: { clusterUid: CLUSTERS[1]!, namespace: 'default' } },
    { reason: 'one health', filter: { health: ['Degraded'] } },
    { reason: 'two healths', filter: { health: ['Degraded', 'Unknown'] } },
    { reason: 'every health there is', filter: { health: [...HEALTH_STATES] } },
    { reason: 'a resource group in any case', filter: { resourceGroup: 'rg-a' } },
    { reason: 'a subscription', filter: { subscriptionId: '00000000-0000-0000-0000-000000000001' } },
    { reason: 'a name that several have', filter: { name: 'same-name' } },
    { reason: 'a part of a name in any case', filter: { q: 'Y_1' } },
    { reason: 'a part of a name that is a pattern', filter: { q: '_3%' } },
    { reason: 'a common tag', filter: { tags: { env: 'prod' } } },
    { reason: 'two tags', filter: { tags: { env: 'dev', team: 'team-4' } } },
    { reason: 'a rare tag', filter: { tags: { rare: 'yes' } } },
    { reason: 'a tag nobody has', filter: { tags: { env: 'test' } } },
    { reason: 'a tag of a kind', filter: { kinds: ['Node'], tags: { team: 'team-2' } } },
    {
      reason: 'a tag and a health and a part of a name',
      filter: { health: ['Healthy'], q: 'a', tags: { env: 'prod' } },
    },
  ];

  describe.each(filters)('with $reason', ({ filter }) => {
    it('gives exactly what matches, once each, in every order, page by page', async () => {
      const objects = estate();
      await apply(...objects);
      const expected = objects.filter((object) => matches(filter, object));
      for (const sort of RESOURCE_SORTS) {
        const found = await allNames({ ...filter, sort }, 17);
        expect([sort, [...found].sort()]).toEqual([sort, namesOf(expected).sort()]);
        const whole = await allNames({ ...filter, sort }, 1000);
        expect([sort, found]).toEqual([sort, whole]);
      }
      const byName = await allNames(filter, 50);
      expect(byName).toEqual(namesOf(expected).sort());
    });
  });

  function namesOf(objects: readonly Observation[]): string[] {
    return objects.map((object) => object.name);
  }

  it.each<{ sort: ResourceQuery['sort'] & string; valueOf: (record: ResourceRecord) => string | number }>([
    { sort: 'kind', valueOf: (record) => record.kind },
    { sort: 'location', valueOf: (record) => record.location ?? '' },
    { sort: 'provisioningState', valueOf: (record) => record.provisioningState ?? '' },
    { sort: 'health', valueOf: (record) => record.health.state },
    { sort: 'changedAt', valueOf: (record) => record.changedAt.getTime() },
    { sort: 'createdAt', valueOf: (record) => record.createdAt.getTime() },
  ])('orders by $sort, none first, and backwards just so', async ({ sort, valueOf }) => {
    await apply(...estate());
    const { rows } = await resources.page({ sort, limit: 1000 });
    const values = rows.map(valueOf);
    expect(values).toEqual([...values].sort((left, right) => (left < right ? -1 : left > right ? 1 : 0)));
    const backwards = await resources.page({ sort: `-${sort}` as 'name', limit: 1000 });
    expect(backwards.rows.map((row) => row.uid)).toEqual(rows.map((row) => row.uid).reverse());
  });

  it('finds the ones with these uids, and takes what is no uid for nobody’s', async () => {
    await apply(anObservation('a'), anObservation('b'), anObservation('c'));
    const page = await resources.page({ uids: [uid('a').toUpperCase(), uid('c'), 'nonsense'], limit: 10 });
    expect(names(page.rows)).toEqual(['a', 'c']);
  });

  it('keeps its place while objects come and go', async () => {
    await apply(...['b', 'd', 'f', 'h'].map((name) => anObservation(name)));
    const first = await resources.page({ limit: 2 });
    await apply(anObservation('a'), anObservation('e'), anObservation('z'));
    await bury('d', 10);
    const rest = await resources.page({ limit: 10, cursor: first.nextCursor });
    expect(names(first.rows)).toEqual(['b', 'd']);
    expect(names(rest.rows)).toEqual(['e', 'f', 'h', 'z']);
  });

  it('tells times apart that differ by a microsecond only', async () => {
    await apply(...['a', 'b', 'c', 'd'].map((name) => anObservation(name)));
    await test.database.query(
      `UPDATE resource SET changed_at = timestamptz '2026-01-01T00:00:00.123Z' + ascii(name) * interval '1 microsecond'`,
    );
    expect(await allNames({ sort: '-changedAt' }, 1)).toEqual(['d', 'c', 'b', 'a']);
  });

  it.each<{ reason: string; filter: ResourceFilter }>([
    { reason: 'no kind is wanted', filter: { kinds: [] } },
    { reason: 'a NUL is in no name', filter: { name: 'a\0' } },
    { reason: 'a NUL is in no tag', filter: { tags: { 'a\0': 'b' } } },
    { reason: 'half a pair is in no tag', filter: { tags: { a: '\ud800' } } },
    { reason: 'this is no uid', filter: { clusterUid: 'x' } },
    { reason: 'injection is a name like any other', filter: { name: `'; DROP TABLE resource; --` } },
  ])('finds nothing: $reason', async ({ filter }) => {
    await apply(anObservation('a'));
    expect(await resources.page({ ...filter, limit: 10 })).toEqual({ rows: [], nextCursor: null, freshness: null });
  });

  it('says how fresh its rows are', async () => {
    await apply(
      anObservation('a'),
      anObservation('b', { observedAt: secondsLater(20) }),
      anObservation('c', { observedAt: secondsLater(10) }),
    );
    const { freshness } = await resources.page({ limit: 10 });
    expect(freshness).toEqual({ oldest: OBSERVED_AT, newest: secondsLater(20) });
  });

  it('counts a complete run as an observation of what it has not changed', async () => {
    await apply(anObservation('a'), anObservation('b', { source: 'ARM', observedAt: secondsLater(300) }));
    await test.database.query(
      `INSERT INTO scope (key, collector, kinds, interval_seconds, last_complete_at, last_complete_source)
       VALUES ($1, 'things', '{Thing}', 60, $2, 'RESOURCE_GRAPH')`,
      [SCOPE, secondsLater(330)],
    );
    const { rows } = await resources.page({ limit: 10 });
    expect(rows.map((row) => row.freshness)).toEqual([
      { observedAt: secondsLater(330), source: 'RESOURCE_GRAPH' },
      // The index may not have caught up with what ARM said 30 seconds before.
      { observedAt: secondsLater(300), source: 'ARM' },
    ]);
  });

  describe('refuses a cursor', () => {
    let genuine: string;
    beforeEach(async () => {
      await apply(...['a', 'b', 'c'].map((name) => anObservation(name, { tags: { a: 'b' } })));
      genuine = (await resources.page({ kinds: ['Thing'], limit: 1 })).nextCursor!;
    });

    const listOf = (cursor: string): string => {
      const [list] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as [string];
      return list;
    };

    it.each<{ reason: string; query?: Partial<ResourceQuery>; forge?: (genuine: string) => string }>([
      { reason: 'of another filter', query: { kinds: ['Other'] } },
      { reason: 'of another order', query: { kinds: ['Thing'], sort: '-name' } },
      { reason: 'of a list with tags', query: { kinds: ['Thing'], tags: { a: 'b' } } },
      { reason: 'that is empty', forge: () => '' },
      { reason: 'that is no base64', forge: () => '%00' },
      { reason: 'that was cut off', forge: (cursor) => cursor.slice(0, -4) },
      { reason: 'with a NUL', forge: (cursor) => encodeCursor(listOf(cursor), ['a\0', uid('a')]) },
      { reason: 'with no uid', forge: (cursor) => encodeCursor(listOf(cursor), ['a', 'x']) },
      { reason: 'with a number for a name', forge: (cursor) => encodeCursor(listOf(cursor), [1, uid('a')]) },
      { reason: 'with too many parts', forge: (cursor) => encodeCursor(listOf(cursor), ['a', 'a', uid('a')]) },
    ])('$reason', async ({ query, forge }) => {
      const cursor = forge === undefined ? genuine : forge(genuine);
      await expect(resources.page({ kinds: ['Thing'], ...query, limit: 1, cursor })).rejects.toMatchObject({
        code: 'INVALID_CURSOR',
      });
    });

    it('with a moment that is none', async () => {
      const { nextCursor } = await resources.page({ sort: 'changedAt', limit: 1 });
      for (const moment of ['x', '1e400', '9'.repeat(30), '1; SELECT 1']) {
        const cursor = encodeCursor(listOf(nextCursor!), [moment, 'a', uid('a')]);
        await expect(resources.page({ sort: 'changedAt', limit: 1, cursor })).rejects.toMatchObject({
          code: 'INVALID_CURSOR',
        });
      }
    });

    it('whatever text it is', async () => {
      await fc.assert(
        fc.asyncProperty(fc.string(), async (text) => {
          await expect(resources.page({ limit: 1, cursor: text })).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
        }),
        { numRuns: 50 },
      );
    });
  });

  it.each([0, -1, 1.5, 1001, Number.NaN])('refuses %p rows', async (limit) => {
    await expect(resources.page({ limit })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });
});

describe('a page by tags in a large table', () => {
  // So many that both kinds of list are longer than what is called rare: the lists are walked, and then merged.
  const COUNT = 24_000;

  beforeEach(async () => {
    await test.database.query(
      `WITH made AS (
         INSERT INTO resource (uid, observed_at, changed_at, created_at, hash, source, kind, name, location,
           provisioning_state, health, id, canonical_id, tags, properties)
         SELECT md5(n::text)::uuid, now(), now() + n * interval '1 ms', now(), '', 'ARM', CASE WHEN n % 2 = 0 THEN 'Pod' ELSE 'Node' END,
           'n' || lpad(n::text, 6, '0'), '', '', 'Healthy', n::text, n::text,
           jsonb_build_object('half', CASE WHEN n < $1 / 2 THEN 'first' ELSE 'second' END, 'third', n % 3), '{}'
         FROM generate_series(0, $1::int - 1) AS n RETURNING uid, name, tags
       )
       INSERT INTO resource_tag (tag, name, uid) SELECT tag_key(t.key, t.value), name, uid FROM made, jsonb_each_text(tags) AS t`,
      [COUNT],
    );
  });

  it.each<{ reason: string; filter: ResourceFilter; numbers: (n: number) => boolean }>([
    { reason: 'a common tag alone', filter: { tags: { third: '1' } }, numbers: (n) => n % 3 === 1 },
    {
      reason: 'a tag and a kind that go together well',
      filter: { kinds: ['Pod'], tags: { third: '0' } },
      numbers: (n) => n % 6 === 0,
    },
    {
      reason: 'a tag that begins where the walk has ended',
      filter: { kinds: ['Pod'], tags: { half: 'second' } },
      numbers: (n) => n % 2 === 0 && n >= COUNT / 2,
    },
    {
      reason: 'two tags of which one begins late',
      filter: { tags: { third: '2', half: 'second' } },
      numbers: (n) => n % 3 === 2 && n >= COUNT / 2,
    },
  ])('is complete and in order: $reason', async ({ filter, numbers }) => {
    const expected = Array.from({ length: COUNT }, (_, n) => n)
      .filter(numbers)
      .map((n) => `n${String(n).padStart(6, '0')}`);
    expect(await allNames(filter, 1000)).toEqual(expected);
    expect(await allNames({ ...filter, sort: '-name' }, 1000)).toEqual(expected.toReversed());
    expect(await allNames({ ...filter, sort: '-changedAt' }, 1000)).toEqual(expected.toReversed());
  });
});

describe('ResourceRepository.find', () => {
  it('finds the living by uid in any case and by canonical id', async () => {
    await apply(anObservation('A', { provisioningState: null, location: null }), anObservation('b'));
    await bury('b', 10);
    const found = await resources.find(uid('a').toUpperCase());
    expect(found).toMatchObject({
      name: 'A',
      id: expect.stringContaining('Example.Test'),
      location: null,
      provisioningState: null,
    });
    expect(await resources.findByCanonicalId(canonicalIdOf('a'))).toEqual(found);
    expect(await resources.find(uid('b'))).toBeNull();
    expect(await resources.find('nonsense')).toBeNull();
    expect([...(await resources.findMany([uid('a'), uid('b'), uid('c')])).keys()]).toEqual([uid('a')]);
  });
});

describe('ResourceRepository.related', () => {
  it('gives each object its own, by name, up to the limit, and an empty list where there is nothing', async () => {
    await apply(
      anObservation('f1', { kind: 'Fleet' }),
      anObservation('f2', { kind: 'Fleet' }),
      ...['m3', 'm1', 'm2'].map((name) =>
        anObservation(name, { kind: 'FleetMember', relations: [aClaim('memberOf', name, 'f1')] }),
      ),
      anObservation('gone', { kind: 'FleetMember', relations: [aClaim('memberOf', 'gone', 'f1')] }),
      anObservation('run', { kind: 'FleetUpdateRun', relations: [aClaim('memberOf', 'run', 'f1')] }),
      anObservation('unknown-fleet', { kind: 'FleetMember', relations: [aClaim('memberOf', 'unknown-fleet', 'f3')] }),
    );
    await bury('gone', 500);
    const members = await resources.related(
      [uid('f1'), uid('f2'), uid('f1'), 'nonsense'],
      { type: 'memberOf', direction: 'incoming', kinds: ['FleetMember'] },
      2,
    );
    expect([...members].map(([key, records]) => [key, names(records)])).toEqual([
      [uid('f1'), ['m1', 'm2']],
      [uid('f2'), []],
      ['nonsense', []],
    ]);
    const fleets = await resources.related(
      [uid('m1'), uid('unknown-fleet')],
      { type: 'memberOf', direction: 'outgoing', kinds: ['Fleet'] },
      10,
    );
    expect([...fleets.values()].map(names)).toEqual([['f1'], []]);
  });

  it('shows a relation once that both ends claim', async () => {
    await apply(
      anObservation('a', { relations: [aClaim('owns', 'a', 'b')] }),
      anObservation('b', { relations: [aClaim('owns', 'a', 'b')] }),
    );
    const owned = await resources.related([uid('a')], { type: 'owns', direction: 'outgoing', kinds: ['Thing'] }, 10);
    expect(names(owned.get(uid('a'))!)).toEqual(['b']);
  });
});

describe('ResourceRepository.graph', () => {
  const chain = (): Observation[] =>
    ['a', 'b', 'c', 'd'].map((name, index, all) =>
      anObservation(name, { relations: [aClaim('owns', name, all[(index + 1) % all.length]!)] }),
    );

  it.each<{ reason: string; depth: number; direction: 'in' | 'out' | 'both'; nodes: string[]; edges: number }>([
    { reason: 'no step', depth: 0, direction: 'both', nodes: ['a'], edges: 0 },
    { reason: 'one step forward', depth: 1, direction: 'out', nodes: ['a', 'b'], edges: 1 },
    { reason: 'one step back', depth: 1, direction: 'in', nodes: ['a', 'd'], edges: 1 },
    { reason: 'one step either way', depth: 1, direction: 'both', nodes: ['a', 'b', 'd'], edges: 2 },
    { reason: 'round the circle, and on', depth: 5, direction: 'out', nodes: ['a', 'b', 'c', 'd'], edges: 4 },
    {
      reason: 'deeper than allowed is as deep as allowed',
      depth: 99,
      direction: 'both',
      nodes: ['a', 'b', 'c', 'd'],
      edges: 4,
    },
  ])('ends: $reason', async ({ depth, direction, nodes, edges }) => {
    await apply(...chain());
    const graph = await resources.graph(uid('a'), { depth, direction, maximumNodes: 100 });
    expect(graph?.nodes[0]?.name).toBe('a');
    expect(names(graph!.nodes).sort()).toEqual(nodes);
    expect(graph!.edges).toHaveLength(edges);
    expect(graph!.truncated).toBe(false);
  });

  it.each([
    { reason: 'wide', relations: (index: number) => [aClaim('owns', 'root', `n${index}`)] },
    {
      reason: 'deep',
      relations: (index: number) => [aClaim('owns', index === 0 ? 'root' : `n${index - 1}`, `n${index}`)],
    },
  ])('stays within its limit where it is $reason, and says so', async ({ relations }) => {
    await apply(
      anObservation('root'),
      ...Array.from({ length: 300 }, (_, index) => anObservation(`n${index}`, { relations: relations(index) })),
    );
    const graph = await resources.graph(uid('root'), { depth: 5, direction: 'both', maximumNodes: 4 });
    expect(graph!.nodes).toHaveLength(4);
    expect(graph!.truncated).toBe(true);
    const shown = new Set(graph!.nodes.map((node) => node.uid));
    expect(graph!.edges.every((edge) => shown.has(edge.fromUid) && shown.has(edge.toUid))).toBe(true);
  });

  it('does not lead through what is gone or was never seen', async () => {
    await apply(...chain());
    await bury('b', 500);
    const graph = await resources.graph(uid('a'), { depth: 5, direction: 'out', maximumNodes: 100 });
    expect(names(graph!.nodes)).toEqual(['a']);
    expect(await resources.graph(uid('b'), { depth: 1, direction: 'both', maximumNodes: 9 })).toBeNull();
    expect(await resources.graph('nonsense', { depth: 1, direction: 'both', maximumNodes: 9 })).toBeNull();
  });
});

describe('the past', () => {
  const at = (seconds: number, size: number, overrides: Partial<Observation> = {}): Observation =>
    anObservation('a', { source: 'ARM', observedAt: secondsLater(seconds), properties: { size }, ...overrides });

  it('lists the states of an object, the newest first, with what differs', async () => {
    for (const seconds of [0, 10, 20]) await apply(at(seconds, seconds));
    await bury('a', 30);
    await apply(at(40, 20, { health: { state: 'Degraded', reason: null } }));
    await apply(at(50, 20, { health: { state: 'Healthy', reason: null } }));
    const expected = [
      { validFrom: secondsLater(50), validTo: null, changed: ['health'] },
      { validFrom: secondsLater(40), validTo: secondsLater(50), changed: null },
      { validFrom: secondsLater(20), validTo: secondsLater(30), changed: ['properties.size'] },
      { validFrom: secondsLater(10), validTo: secondsLater(20), changed: ['properties.size'] },
      { validFrom: secondsLater(0), validTo: secondsLater(10), changed: null },
    ];
    const whole = await resources.history(uid('a'), null, 100);
    expect(whole.versions).toMatchObject(expected);
    expect(whole.nextCursor).toBeNull();
    const paged = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<ResourceRepository['history']>> = await resources.history(uid('a'), cursor, 2);
      paged.push(...page.versions);
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(paged).toEqual(whole.versions);
  });

  it('still lists the states of what is gone, and none of what never was', async () => {
    await apply(at(0, 1));
    await bury('a', 10);
    expect((await resources.history(uid('a'), null, 10)).versions).toMatchObject([{ validTo: secondsLater(10) }]);
    expect(await resources.history(uid('b'), null, 10)).toEqual({ versions: [], nextCursor: null });
  });

  it('refuses a cursor of another history', async () => {
    for (const seconds of [0, 10])
      await apply(
        at(seconds, seconds),
        anObservation('b', { ...at(seconds, seconds), ...{ id: 'b', canonicalId: canonicalIdOf('b') } }),
      );
    const { nextCursor } = await resources.history(uid('a'), null, 1);
    await expect(resources.history(uid('b'), nextCursor, 1)).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
  });

  it.each([
    { reason: 'before it was', seconds: -1, sizes: [] },
    { reason: 'at its first moment', seconds: 0, sizes: [0] },
    { reason: 'in its first state', seconds: 9, sizes: [0] },
    { reason: 'when it changed', seconds: 10, sizes: [10] },
    { reason: 'when it was deleted', seconds: 20, sizes: [] },
    { reason: 'while it was gone', seconds: 25, sizes: [] },
    { reason: 'after it came back', seconds: 30, sizes: [30] },
    { reason: 'now', seconds: 1000, sizes: [30] },
  ])('shows the estate as it was: $reason', async ({ seconds, sizes }) => {
    await apply(at(0, 0));
    await apply(at(10, 10));
    await bury('a', 20);
    await apply(at(30, 30));
    const { rows } = await resources.asOf({ limit: 10 }, secondsLater(seconds));
    expect(rows.map((row) => row.properties.size)).toEqual(sizes);
  });

  it('filters, orders and pages the past as it was', async () => {
    const early = estate();
    await apply(...early);
    await apply(
      ...early
        .filter((_, index) => index % 2 === 0)
        .map((object) => ({
          ...object,
          observedAt: secondsLater(100),
          health: { state: 'Degraded' as const, reason: null },
          tags: { env: 'later' },
        })),
    );
    for (let index = 0; index < 10; index++) await bury(`object-${index}`, 400);
    const then = secondsLater(50);
    for (const filter of [
      {},
      { health: ['Healthy' as const] },
      { tags: { env: 'prod' } },
      { kinds: ['Pod'], tags: { team: 'team-1' } },
    ]) {
      const expected = early
        .filter((object) => matches(filter, object))
        .map((object) => object.name)
        .sort();
      expect(await allNames(filter, 13, then)).toEqual(expected);
      expect(await allNames({ ...filter, sort: '-name' }, 13, then)).toEqual(expected.toReversed());
      expect((await allNames({ ...filter, sort: 'changedAt' }, 13, then)).sort()).toEqual(expected);
    }
  });

  it('does not take a cursor of another moment', async () => {
    await apply(anObservation('a'), anObservation('b'));
    const { nextCursor: cursor } = await resources.asOf({ limit: 1 }, secondsLater(1));
    await expect(resources.asOf({ limit: 1, cursor }, secondsLater(2))).rejects.toMatchObject({
      code: 'INVALID_CURSOR',
    });
  });
});
