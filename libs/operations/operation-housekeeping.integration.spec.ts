import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '#libs/kernel/clock.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { OperationHousekeepingRepository } from './operation-housekeeping.repository.js';
import { OperationHousekeeping } from './operation.housekeeping.js';
import { Secret } from '#libs/kernel/secret.js';
import { SecretVault } from '#libs/kernel/secret-vault.js';
import { openInputSecrets, sealInputSecrets } from './input-secrets.js';
import { OperationSetRepository } from './operation-set.repository.js';
import { OperationRepository, type NewOperation } from './operation.repository.js';

const PRINCIPAL = randomUUID();

describe('the housekeeping of operations', () => {
  let test: TestDatabase;
  let operations: OperationRepository;
  let repository: OperationHousekeepingRepository;

  beforeEach(async () => {
    test = await createTestDatabase();
    operations = new OperationRepository(test.database);
    repository = new OperationHousekeepingRepository(test.database);
  });
  afterEach(() => test.drop());

  async function insert(given: Partial<NewOperation> = {}): Promise<string> {
    const id = randomUUID();
    await test.database.transaction((transaction) =>
      operations.insert(transaction, {
        id,
        type: 'test.thing.change',
        dryRun: false,
        target: { uid: randomUUID(), id: `/things/${id}`, kind: 'Thing' },
        lockKey: `/things/${id}`,
        input: {},
        references: {},
        stepNames: ['preflight', 'change', 'verify'],
        principalId: PRINCIPAL,
        requestedBy: 'somebody',
        correlationId: id,
        idempotencyKey: null,
        idempotencyHash: null,
        timeoutSeconds: 600,
        sealedSecrets: null,
        setId: null,
        approval: null,
        ...given,
      }),
    );
    return id;
  }
  const start = (id: string) => test.database.transaction((transaction) => operations.claim(transaction, id));
  const end = (id: string) => test.database.transaction((transaction) => operations.cancelPending(transaction, id));
  const set = (id: string, assignments: string) =>
    test.database.query(`UPDATE operation SET ${assignments} WHERE id = $1`, [id]);
  const quieten = (id: string, seconds: number) =>
    test.database.query(`UPDATE operation_event SET at = now() - make_interval(secs => $2) WHERE operation_id = $1`, [
      id,
      seconds,
    ]);
  const countOf = async (table: string): Promise<number> => {
    const { rows } = await test.database.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
    return rows[0]!.count;
  };

  describe('retention', () => {
    const clock = new ManualClock('2026-06-30T00:00:00Z');
    const forget = () =>
      new OperationHousekeeping(
        repository,
        clock,
        { operationDays: 30, operationStuckMinutes: 1 },
        new SecretVault([]),
      ).forgetOld();

    it('forgets what ended long ago, with its steps and events, and nothing else', async () => {
      const [old, recent, open] = [await insert(), await insert(), await insert()];
      await end(old);
      await end(recent);
      await set(old, `created_at = '2026-01-01Z', ended_at = '2026-05-30T23:59:59Z'`);
      await set(recent, `created_at = '2026-01-01Z', ended_at = '2026-05-31T00:00:01Z'`);
      await set(open, `created_at = '2026-01-01Z'`);
      expect(await forget()).toBe(1);
      expect(await operations.find(old)).toBeUndefined();
      expect((await operations.findMany([recent, open])).map(({ id }) => id).sort()).toEqual([recent, open].sort());
      expect(await countOf('operation_step')).toBe(6);
      expect(await operations.findEvents(old, 0, 10)).toEqual([]);
      expect(await forget()).toBe(0);
    });

    it('finds them by an index, however many are kept', async () => {
      const id = await insert();
      await end(id);
      await test.database.query(
        `INSERT INTO operation (id, type, status, dry_run, target_uid, target_id, target_kind, input, resource_references,
           principal_id, requested_by, correlation_id, deadline_at, ended_at)
         SELECT gen_random_uuid(), type, 'Canceled', false, target_uid, target_id, target_kind, input, resource_references,
           principal_id, requested_by, correlation_id, deadline_at, now() - make_interval(mins => number % 17280)
         FROM operation, generate_series(1, 20000) AS number WHERE id = $1`,
        [id],
      );
      await test.database.query('ANALYZE operation');
      const explain = async (statement: string): Promise<string> => {
        const { rows } = await test.database.query<Record<'QUERY PLAN', string>>(`EXPLAIN ${statement}`);
        return rows.map((row) => row['QUERY PLAN']).join('\n');
      };
      expect(
        await explain(
          `SELECT id FROM operation WHERE ended_at < now() - interval '11 days 23 hours' ORDER BY ended_at LIMIT 500 FOR UPDATE SKIP LOCKED`,
        ),
      ).toContain('operation_by_end');
      expect(
        await explain(`SELECT count(*) FROM operation WHERE stuck_since IS NOT NULL AND ended_at IS NULL`),
      ).toContain('operation_stuck');
    });
  });

  describe('sets that ended long ago', () => {
    it('are forgotten with their items and events, and the others are not', async () => {
      const sets = new OperationSetRepository(test.database);
      const insertSet = async (endedAt: string | null): Promise<string> => {
        const id = randomUUID();
        await test.database.transaction(async (transaction) => {
          await sets.insert(transaction, {
            id,
            type: 'test.thing.change',
            dryRun: false,
            input: {},
            targetField: 'thing',
            selection: { targets: ['/things/1'] },
            maximumConcurrency: 1,
            failureThreshold: null,
            skipRefused: false,
            waveBy: null,
            waveOrder: [],
            message: null,
            principalId: PRINCIPAL,
            requestedBy: 'somebody',
            correlationId: id,
            idempotencyKey: null,
            idempotencyHash: null,
            items: [{ target: { uid: randomUUID(), id: '/things/1', kind: 'Thing' }, wave: 0, waveValue: null }],
          });
          if (endedAt !== null) await sets.end(transaction, id, 'Succeeded', 'Done.');
        });
        await test.database.query(`UPDATE operation_set SET ended_at = $2 WHERE id = $1`, [id, endedAt]);
        return id;
      };
      const old = await insertSet('2026-05-30T23:59:59Z');
      const kept = [await insertSet('2026-05-31T00:00:01Z'), await insertSet(null)];
      expect(await repository.deleteSetsEndedBefore(new Date('2026-05-31T00:00:00Z'))).toBe(1);
      expect(await sets.find(old)).toBeUndefined();
      for (const id of kept) expect(await sets.find(id)).toBeDefined();
      expect(await countOf('operation_set_item')).toBe(2);
      expect(await sets.findEvents(old, 0, 10)).toEqual([]);
    });
  });

  describe('secret inputs after a change of keys', () => {
    const key = (byte: number) => new Secret(Buffer.alloc(32, byte).toString('base64'));
    const resealing = (...keys: Secret[]) =>
      new OperationHousekeeping(
        repository,
        new ManualClock('2026-06-30T00:00:00Z'),
        { operationDays: 30, operationStuckMinutes: 1 },
        new SecretVault(keys),
      ).resealSecrets();
    const withSecret = async (vault: SecretVault): Promise<string> => {
      const id = await insert();
      await test.database.query(`INSERT INTO operation_secret (operation_id, sealed) VALUES ($1, $2)`, [
        id,
        sealInputSecrets(vault, id, { password: 'swordfish' }),
      ]);
      return id;
    };
    const openedWith = async (id: string, ...keys: Secret[]) => {
      const claimed = await start(id);
      if (claimed.state !== 'claimed' || claimed.claim.sealedSecrets === null) throw new Error('There is no secret');
      return openInputSecrets(new SecretVault(keys), id, claimed.claim.sealedSecrets).password?.reveal();
    };

    it('are sealed with the new one, so that the old one can be dropped', async () => {
      const id = await withSecret(new SecretVault([key(1)]));
      expect(await resealing(key(2), key(1))).toBe(1);
      expect(await resealing(key(2), key(1))).toBe(0);
      expect(await openedWith(id, key(2))).toBe('swordfish');
    });

    it('tell of one whose key is gone, after all others', async () => {
      await withSecret(new SecretVault([key(3)]));
      const id = await withSecret(new SecretVault([key(1)]));
      await expect(resealing(key(2), key(1))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(await openedWith(id, key(2))).toBe('swordfish');
    });
  });

  describe('the detector of stuck work', () => {
    it('marks what says nothing new, once, and takes the mark back when it moves', async () => {
      const id = await insert();
      const started = await start(id);
      expect(await repository.markStuck(60)).toEqual([]);
      await quieten(id, 61);
      expect(await repository.markStuck(60)).toMatchObject([{ id, type: 'test.thing.change', correlationId: id }]);
      expect(await repository.markStuck(60)).toEqual([]);
      expect(await repository.countStuck()).toBe(1);
      expect((await operations.find(id))?.stuckSince).toBeInstanceOf(Date);
      if (started.state !== 'claimed') throw new Error('It could not be started');
      const change = { name: 'change', status: 'Running', message: 'Goes on.', countAttempt: false } as const;
      await test.database.transaction((transaction) => operations.saveStep(transaction, started.claim, change));
      await repository.markStuck(60);
      expect(await repository.countStuck()).toBe(0);
      expect((await operations.find(id))?.stuckSince).toBeNull();
    });

    it('leaves alone what waits for its turn, and what has ended', async () => {
      const [pending, ended] = [await insert(), await insert()];
      await end(ended);
      await quieten(pending, 9_999);
      await quieten(ended, 9_999);
      expect(await repository.markStuck(60)).toEqual([]);
    });
  });

  it('tells how long the oldest has been open, by status', async () => {
    const id = await insert();
    await set(id, `created_at = now() - interval '90 seconds'`);
    const [age, ...others] = await repository.measureOpenAges();
    expect(others).toEqual([]);
    expect(age?.status).toBe('Pending');
    expect(age?.oldestSeconds).toBeGreaterThanOrEqual(90);
  });

  it.each([
    { hours: 25, ended: true, free: true, reason: 'its time is over' },
    { hours: 23, ended: true, free: false, reason: 'its time is not over' },
    { hours: 25, ended: false, free: false, reason: 'its operation is still open' },
  ])('gives an idempotency key of $hours hours free: $free, since $reason', async ({ hours, ended, free }) => {
    const id = await insert({ idempotencyKey: 'key', idempotencyHash: 'hash' });
    if (ended) await end(id);
    await set(id, `created_at = now() - interval '${hours} hours'`);
    await operations.releaseExpiredKey(PRINCIPAL, 'key', 24);
    expect((await operations.findByIdempotencyKey(PRINCIPAL, 'key')) === undefined).toBe(free);
    await operations.releaseExpiredKey(randomUUID(), 'key', 1);
    expect((await operations.findByIdempotencyKey(PRINCIPAL, 'key')) === undefined).toBe(free);
  });
});
