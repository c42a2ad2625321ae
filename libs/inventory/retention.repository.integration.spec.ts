import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '#libs/kernel/clock.js';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import { anObservation, canonicalIdOf } from '#libs/testing/observation.factory.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { ChangeRepository } from './change.repository.js';
import { InventoryHousekeeping } from './inventory.housekeeping.js';
import { ObservationWriter } from './observation.writer.js';
import { ResourceRepository } from './resource.repository.js';
import { RetentionRepository } from './retention.repository.js';

const settings = { resourceGraphLagSeconds: 120 };

let test: TestDatabase;
let retention: RetentionRepository;

beforeEach(async () => {
  test = await createTestDatabase();
  retention = new RetentionRepository(test.database);
});
afterEach(() => test.drop());

async function apply(name: string, observedAt: string, size: number): Promise<void> {
  const observation = anObservation(name, { source: 'ARM', observedAt: new Date(observedAt), properties: { size } });
  await test.database.transaction((transaction) =>
    new ObservationWriter(settings).apply(transaction, [observation], { scopeKey: null }),
  );
}

async function versions(): Promise<{ partition: string; size: number }[]> {
  const { rows } = await test.database.query<{ partition: string; size: number }>(
    `SELECT tableoid::regclass::text AS partition, (properties->>'size')::int AS size FROM resource_version ORDER BY valid_to`,
  );
  return rows;
}

describe('RetentionRepository', () => {
  it('makes this month and the next, once', async () => {
    const now = new Date('2026-12-31T23:59:59Z');
    const made = ['resource_version_2026_12', 'resource_version_2027_01'];
    expect(await retention.ensurePartitions(now)).toEqual(made);
    expect(await retention.ensurePartitions(now)).toEqual([]);
    const together = await Promise.all(
      [1, 2, 3].map(() => retention.ensurePartitions(new Date('2027-02-01T00:00:00Z'))),
    );
    expect(together.flat().sort()).toEqual(['resource_version_2027_02', 'resource_version_2027_03']);
  });

  it('brings what came before its partition into it', async () => {
    await apply('a', '2026-02-27T00:00:00Z', 1);
    await apply('a', '2026-02-28T23:59:59.999Z', 2);
    await apply('a', '2026-03-01T00:00:00Z', 3);
    expect((await versions()).map((row) => row.partition)).toEqual(Array(2).fill('resource_version_default'));
    await retention.ensurePartitions(new Date('2026-02-10T00:00:00Z'));
    expect(await versions()).toEqual([
      { partition: 'resource_version_2026_02', size: 1 },
      { partition: 'resource_version_2026_03', size: 2 },
    ]);
    const { versions: history } = await new ResourceRepository(test.database, settings).history(
      resourceUid(canonicalIdOf('a')),
      null,
      10,
    );
    expect(history.map((version) => version.properties.size)).toEqual([3, 2, 1]);
  });

  it('drops the months that ended before, and keeps a state that was still true after', async () => {
    await retention.ensurePartitions(new Date('2026-01-10T00:00:00Z'));
    await apply('a', '2025-06-01T00:00:00Z', 1);
    await apply('a', '2026-01-05T00:00:00Z', 2);
    await apply('a', '2026-02-05T00:00:00Z', 3);
    expect(await retention.dropPartitionsBefore(new Date('2026-02-01T00:00:00Z'))).toEqual([
      'resource_version_2026_01',
    ]);
    // True since January, and until the fifth of February.
    expect(await versions()).toEqual([{ partition: 'resource_version_2026_02', size: 2 }]);
    await test.database.query(`UPDATE resource_version SET valid_from = '2020-01-01', valid_to = '2020-02-01'`);
    expect(await retention.dropPartitionsBefore(new Date('2026-02-01T00:00:00Z'))).toEqual([]);
    expect(await versions()).toEqual([]);
  });

  it('forgets what was deleted long ago', async () => {
    await apply('alive', '2026-01-01T00:00:00Z', 1);
    for (const [name, at] of [
      ['old', '2026-01-02T00:00:00Z'],
      ['new', '2026-03-02T00:00:00Z'],
    ] as const) {
      await apply(name, '2026-01-01T00:00:00Z', 1);
      await test.database.transaction((transaction) =>
        new ObservationWriter(settings).tombstone(transaction, [resourceUid(canonicalIdOf(name))], {
          observedAt: new Date(at),
          source: 'ARM',
        }),
      );
    }
    expect(await retention.deleteTombstonesBefore(new Date('2026-02-01T00:00:00Z'))).toBe(1);
    const { rows } = await test.database.query('SELECT name FROM resource ORDER BY name');
    expect(rows).toEqual([{ name: 'alive' }, { name: 'new' }]);
  });
});

describe('InventoryHousekeeping', () => {
  it('keeps the name of an object for as long as a change may tell of it', async () => {
    const clock = new ManualClock('2026-03-31T00:00:00Z');
    const changes = new ChangeRepository(test.database);
    const housekeeping = new InventoryHousekeeping(retention, changes, clock, { historyDays: 2, changeDays: 7 });
    await apply('a', '2026-03-23T00:00:00Z', 1);
    await test.database.transaction((transaction) =>
      new ObservationWriter(settings).tombstone(transaction, [resourceUid(canonicalIdOf('a'))], {
        observedAt: new Date('2026-03-25T00:00:00Z'),
        source: 'ARM',
      }),
    );
    expect(await housekeeping.run()).toEqual({
      partitionsMade: ['resource_version_2026_03', 'resource_version_2026_04'],
      partitionsDropped: [],
      changesDeleted: 1,
      tombstonesDeleted: 0,
    });
    clock.advance(10 * 24 * 3600 * 1000);
    expect(await housekeeping.run()).toMatchObject({ changesDeleted: 1, tombstonesDeleted: 1 });
  });
});
