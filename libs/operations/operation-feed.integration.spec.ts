import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { encodeCursor } from '#libs/kernel/page.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { OperationFeedRepository, type OperationFeedFilter } from './operation-feed.repository.js';
import { OperationRepository } from './operation.repository.js';

describe('the transitions of all operations', () => {
  let test: TestDatabase;
  let operations: OperationRepository;
  let feed: OperationFeedRepository;

  beforeEach(async () => {
    test = await createTestDatabase();
    operations = new OperationRepository(test.database);
    feed = new OperationFeedRepository(test.database, { operationDays: 30 });
  });
  afterEach(() => test.drop());

  async function insert(given: { type?: string; requestedBy?: string; targetUid?: string; setId?: string } = {}) {
    const id = randomUUID();
    await test.database.transaction((transaction) =>
      operations.insert(transaction, {
        id,
        type: given.type ?? 'test.thing.change',
        dryRun: false,
        target: { uid: given.targetUid ?? randomUUID(), id: `/things/${id}`, kind: 'Thing' },
        lockKey: `/things/${id}`,
        input: {},
        references: {},
        stepNames: ['change'],
        principalId: randomUUID(),
        requestedBy: given.requestedBy ?? 'otto',
        correlationId: id,
        idempotencyKey: null,
        idempotencyHash: null,
        timeoutSeconds: 600,
        sealedSecrets: null,
        setId: given.setId ?? null,
        approval: null,
      }),
    );
    return id;
  }
  const cancel = (id: string) => test.database.transaction((transaction) => operations.cancelPending(transaction, id));
  const seen = async (cursor: string | null = null, filter: OperationFeedFilter = {}, limit = 100) => {
    const page = await feed.after(cursor, filter, limit);
    return { ...page, told: page.events.map(({ operation }) => [operation.id, operation.status]) };
  };

  it('come in the order in which they were committed, page by page, each once', async () => {
    const [first, second] = [await insert(), await insert()];
    await cancel(first);
    const whole = [
      [first, 'Pending'],
      [second, 'Pending'],
      [first, 'Canceled'],
    ];
    expect(await seen()).toMatchObject({ told: whole, caughtUp: true, heldBack: false });
    const begin = await seen(null, {}, 2);
    expect(begin).toMatchObject({ told: whole.slice(0, 2), caughtUp: false });
    const rest = await seen(begin.nextCursor, {}, 2);
    expect(rest).toMatchObject({ told: whole.slice(2), caughtUp: true });
    expect(await seen(rest.nextCursor)).toMatchObject({ told: [], caughtUp: true });
  });

  it('go on from the last one that was seen, and from the end', async () => {
    const id = await insert();
    const [event] = (await seen()).events;
    const head = await feed.head();
    await cancel(id);
    expect((await seen(event!.cursor)).told).toEqual([[id, 'Canceled']]);
    expect((await seen(head)).told).toEqual([[id, 'Canceled']]);
  });

  const target = randomUUID();
  const setId = randomUUID();
  it.each<{ reason: string; given: Parameters<typeof insert>[0]; filter: OperationFeedFilter }>([
    { reason: 'type', given: { type: 'test.thing.make' }, filter: { type: 'test.thing.make' } },
    { reason: 'person', given: { requestedBy: 'olga' }, filter: { requestedBy: 'olga' } },
    { reason: 'target', given: { targetUid: target }, filter: { targetUid: target } },
    { reason: 'set', given: { setId }, filter: { setId } },
  ])('are told apart by their $reason', async ({ given, filter }) => {
    await insert();
    const id = await insert(given);
    expect((await seen(null, filter)).told).toEqual([[id, 'Pending']]);
  });

  it('are told apart by the status that they lead to, not the one that the operation has by now', async () => {
    const id = await insert();
    await cancel(id);
    expect((await seen(null, { statuses: ['Pending'] })).told).toEqual([[id, 'Pending']]);
    expect((await seen(null, { statuses: ['Canceled'] })).told).toEqual([[id, 'Canceled']]);
  });

  it('are found behind thousands that do not fit, a stretch at a time', async () => {
    const other = await insert();
    await test.database.query(
      `INSERT INTO operation_event (operation_id, sequence, at, snapshot)
       SELECT operation_id, sequence + n, at, snapshot FROM operation_event, generate_series(1, 6000) AS n`,
    );
    const id = await insert({ requestedBy: 'olga' });
    const filter = { requestedBy: 'olga' };
    const stretch = await seen(null, filter);
    expect(stretch).toMatchObject({ told: [], caughtUp: false, heldBack: false });
    expect(await seen(stretch.nextCursor, filter)).toMatchObject({ told: [[id, 'Pending']], caughtUp: true });
    expect((await seen(stretch.nextCursor, {}, 1)).told).toEqual([[other, 'Pending']]);
  });

  it('have no person whose name could not be stored', async () => {
    await insert();
    expect(await seen(null, { requestedBy: 'ol\0ga' })).toMatchObject({ told: [], caughtUp: true });
  });

  it('are held back while an older transaction may still commit, and none is missed', async () => {
    const before = await feed.head();
    const begun = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const older = test.database.transaction(async (transaction) => {
      await transaction.query(`SELECT pg_current_xact_id()`);
      begun.resolve();
      await goOn.promise;
    });
    await begun.promise;
    const id = await insert();
    const early = await seen(before);
    expect(early).toMatchObject({ told: [], caughtUp: true, heldBack: true });
    goOn.resolve();
    await older;
    expect(await seen(early.nextCursor)).toMatchObject({ told: [[id, 'Pending']], heldBack: false });
  });

  it.each([
    { reason: 'another list has issued it', cursor: () => encodeCursor('changes', ['1', '1']), code: 'INVALID_CURSOR' },
    {
      reason: 'its parts are no numbers',
      cursor: () => encodeCursor('operation-events', ['x', '1', 1]),
      code: 'INVALID_CURSOR',
    },
    {
      reason: 'this database has not come so far',
      cursor: () => encodeCursor('operation-events', ['9000000000', '1', Date.now()]),
      code: 'INVALID_CURSOR',
    },
    {
      reason: 'it is from before what is kept',
      cursor: () => encodeCursor('operation-events', ['1', '1', Date.now() - 31 * 86_400_000]),
      code: 'CURSOR_EXPIRED',
    },
  ])('refuse a cursor: $reason', async ({ cursor, code }) => {
    await expect(seen(cursor())).rejects.toMatchObject({ code });
  });

  it('are found by an index, however many are kept', async () => {
    const { rows } = await test.database.query<Record<'QUERY PLAN', string>>(
      `EXPLAIN SELECT xid, seq, at, snapshot FROM operation_event
       WHERE (xid, seq) > (1000, 1) AND xid < 2000 ORDER BY xid, seq LIMIT 5000`,
    );
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toContain('operation_event_feed');
  });
});
