import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { startTestPostgres } from '#libs/testing/test-postgres.js';
import { createDataSource } from './data-source.js';
import { Database, isPassingDatabaseFault, sqlState } from './database.js';

describe('Database', () => {
  let test: TestDatabase;

  beforeAll(async () => {
    test = await createTestDatabase();
    await test.database.query('CREATE TABLE counter (id integer PRIMARY KEY, value integer NOT NULL)');
    await test.database.query('INSERT INTO counter VALUES (1, 0), (2, 0)');
  });

  afterAll(() => test.drop());

  const valueOf = async (id: number): Promise<number | undefined> =>
    (await test.database.query<{ value: number }>('SELECT value FROM counter WHERE id = $1', [id])).rows[0]?.value;

  it('commits what the work did, and nothing of it when the work throws', async () => {
    const { database } = test;
    await database.transaction((transaction) => transaction.query('UPDATE counter SET value = 1 WHERE id = 1'));
    await expect(
      database.transaction(async (transaction) => {
        await transaction.query('UPDATE counter SET value = 2 WHERE id = 1');
        throw new TypeError('no');
      }),
    ).rejects.toThrow(TypeError);
    expect(await valueOf(1)).toBe(1);
  });

  it('runs a transaction again when it was the victim of a deadlock', async () => {
    const { database } = test;
    await database.query('UPDATE counter SET value = 0');
    let bothLocked = 0;
    const meeting = Promise.withResolvers<void>();
    const attempts = { first: 0, second: 0 };
    const cross = (name: 'first' | 'second', from: number, to: number): Promise<void> =>
      database.transaction(async (transaction) => {
        attempts[name] += 1;
        await transaction.query('UPDATE counter SET value = value + 1 WHERE id = $1', [from]);
        if (attempts[name] === 1) {
          bothLocked += 1;
          if (bothLocked === 2) meeting.resolve();
          await meeting.promise;
        }
        await transaction.query('UPDATE counter SET value = value + 1 WHERE id = $1', [to]);
      });
    await Promise.all([cross('first', 1, 2), cross('second', 2, 1)]);
    expect(attempts.first + attempts.second).toBe(3);
    expect([await valueOf(1), await valueOf(2)]).toEqual([2, 2]);
  });

  it('shows one moment to all reads of a snapshot, and lets none of them write', async () => {
    const { database } = test;
    await database.query('UPDATE counter SET value = 5 WHERE id = 1');
    const seen = await database.snapshot(async (transaction) => {
      const read = () => transaction.query<{ value: number }>('SELECT value FROM counter WHERE id = 1');
      const before = await read();
      await database.query('UPDATE counter SET value = 6 WHERE id = 1');
      return [before.rows[0]?.value, (await read()).rows[0]?.value];
    });
    expect(seen).toEqual([5, 5]);
    await expect(
      database.snapshot((transaction) => transaction.query('UPDATE counter SET value = 7')),
    ).rejects.toMatchObject({ code: '25006' });
  });

  it('tells the SQLSTATE of a refused statement', async () => {
    const error: unknown = await test.database
      .query('INSERT INTO counter VALUES (1, 0)')
      .catch((reason: unknown) => reason);
    expect(sqlState(error)).toBe('23505');
    expect(sqlState(new TypeError('x'))).toBeUndefined();
  });

  it('takes what is locked from a transaction that stands still, and lets it write nothing more', async () => {
    const dataSource = createDataSource({
      url: test.url,
      poolSize: 4,
      applicationName: 'test',
      statementTimeoutMs: 30_000,
      idleTransactionTimeoutMs: 200,
    });
    const slow = new Database(await dataSource.initialize());
    try {
      const locked = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      const standing = slow.transaction(async (transaction) => {
        await transaction.query('UPDATE counter SET value = 70 WHERE id = 1');
        locked.resolve();
        await goOn.promise;
        await transaction.query('UPDATE counter SET value = 71 WHERE id = 1');
      });
      const outcome = standing.then(
        () => 'written',
        (error: unknown) => (isPassingDatabaseFault(error) ? 'passing fault' : error),
      );
      await locked.promise;
      // Waits for the lock, and has it once the server has given the other transaction up.
      await test.database.query('UPDATE counter SET value = 72 WHERE id = 1');
      goOn.resolve();
      expect(await outcome).toBe('passing fault');
      expect(await valueOf(1)).toBe(72);
    } finally {
      await slow.close();
    }
  });

  it('gets over a server that went away and came back, without handing out dead connections', async () => {
    const { postgres, remove } = await startTestPostgres();
    try {
      const settings = { poolSize: 4, applicationName: 'test', statementTimeoutMs: 5_000 };
      const dataSource = createDataSource({ url: postgres.url, ...settings });
      const database = new Database(await dataSource.initialize());
      await Promise.all(Array.from({ length: 4 }, () => database.query('SELECT pg_sleep(0.05)')));
      await database.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()',
      );
      await expect(database.ping()).resolves.toBeUndefined();
      await postgres.stop();
      await expect(database.ping()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await database.close();
    } finally {
      await remove();
    }
  });
});
