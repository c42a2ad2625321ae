import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { ThrottleBucketRepository } from './throttle-bucket.repository.js';

const KEY = { scope: 's1', callClass: 'writes' };
/** Refills so slowly that a test does not see it. */
const LIMIT = { capacity: 100, refillPerSecond: 0.001 };

describe('a budget that processes share', () => {
  let test: TestDatabase;
  let one: ThrottleBucketRepository;
  let other: ThrottleBucketRepository;

  beforeEach(async () => {
    test = await createTestDatabase();
    one = new ThrottleBucketRepository(test.database);
    other = new ThrottleBucketRepository(Promise.resolve(test.database));
  });
  afterEach(() => test.drop());

  const left = async () => Math.floor((await one.findAll())[0]!.bucket.tokens);

  it('is taken from by all of them at once, and each token once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 120 }, (_none, index) => (index % 2 === 0 ? one : other).take(KEY, LIMIT, `c${index}`, 0)),
    );
    expect(answers.filter(({ outcome }) => outcome === 'granted')).toHaveLength(100);
    expect(await left()).toBe(0);
  });

  it('tells one what the other has learned', async () => {
    await one.take(KEY, LIMIT, 'ada', 0);
    await one.lower(KEY, LIMIT, 5);
    expect(await other.take(KEY, LIMIT, 'otto', 0)).toMatchObject({ outcome: 'granted', left: expect.closeTo(4, 1) });
    await other.lower(KEY, LIMIT, 50);
    expect(await left()).toBe(4);
    await other.close(KEY, LIMIT, 30);
    await one.close(KEY, LIMIT, 10);
    const refused = await one.take(KEY, LIMIT, 'ada', 0);
    expect(refused).toMatchObject({ outcome: 'refused' });
    expect(refused.waitMs).toBeGreaterThan(25_000);
  });

  it('keeps each subscription and class of calls apart', async () => {
    await one.take(KEY, LIMIT, 'ada', 0);
    await one.take({ ...KEY, callClass: 'reads' }, LIMIT, 'ada', 0);
    await one.take({ ...KEY, scope: 's2' }, LIMIT, 'ada', 0);
    expect(
      (await one.findAll()).map(({ key, bucket }) => [key.scope, key.callClass, Math.floor(bucket.tokens)]),
    ).toEqual([
      ['s1', 'reads', 99],
      ['s1', 'writes', 99],
      ['s2', 'writes', 99],
    ]);
  });

  it('remembers for whom it was taken', async () => {
    await one.take(KEY, LIMIT, 'principal:ada', 0);
    await other.take(KEY, LIMIT, 'principal:ada', 0);
    await one.take(KEY, LIMIT, 'sync', 0);
    const [{ bucket } = { bucket: undefined }] = await one.findAll();
    expect(Object.entries(bucket!.callers).map(([caller, { used }]) => [caller, Math.round(used)])).toEqual([
      ['sync', 1],
      ['principal:ada', 2],
    ]);
  });

  it('goes on after a statement that failed', async () => {
    await test.database.query(`ALTER TABLE throttle_bucket RENAME TO elsewhere`);
    await expect(one.take(KEY, LIMIT, 'ada', 0)).rejects.toMatchObject({ code: '42P01' });
    await test.database.query(`ALTER TABLE elsewhere RENAME TO throttle_bucket`);
    expect(await one.take(KEY, LIMIT, 'ada', 0)).toMatchObject({ outcome: 'granted' });
  });
});
