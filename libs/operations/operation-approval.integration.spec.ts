import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { OperationRepository, type NewApproval } from './operation.repository.js';

const ASKED = { principalId: randomUUID(), requestedBy: 'otto' };
const DECIDES = { principalId: randomUUID(), principalName: 'olga', reason: null };
const LOCK = '/things/1';

describe('operations that wait for consent', () => {
  let test: TestDatabase;
  let operations: OperationRepository;

  beforeEach(async () => {
    test = await createTestDatabase();
    operations = new OperationRepository(test.database);
  });
  afterEach(() => test.drop());

  async function insert(approval: NewApproval | null): Promise<string> {
    const id = randomUUID();
    await test.database.transaction((transaction) =>
      operations.insert(transaction, {
        id,
        type: 'test.thing.change',
        dryRun: false,
        target: { uid: randomUUID(), id: LOCK, kind: 'Thing' },
        lockKey: LOCK,
        input: {},
        references: {},
        stepNames: ['preflight', 'change', 'verify'],
        ...ASKED,
        correlationId: id,
        idempotencyKey: null,
        idempotencyHash: null,
        timeoutSeconds: 600,
        sealedSecrets: null,
        setId: null,
        approval,
      }),
    );
    return id;
  }
  const waiting = () => insert({ state: 'waiting', rule: '*', hours: 1 });
  const claim = (id: string) => test.database.transaction((transaction) => operations.claim(transaction, id));
  const decide = (id: string, decision: 'approved' | 'rejected', by = DECIDES) =>
    test.database.transaction((transaction) => operations.decide(transaction, id, { ...by, decision }));
  const expire = (id: string) => test.database.transaction((transaction) => operations.expireApproval(transaction, id));
  const isOver = (id: string) =>
    test.database.query(`UPDATE operation SET approval_expires_at = now() - interval '1 second' WHERE id = $1`, [id]);
  const nextPending = () => test.database.transaction((transaction) => operations.findNextPending(transaction, LOCK));

  it('are not begun, and keep nobody from the target', async () => {
    const id = await waiting();
    const other = await insert(null);
    expect(await claim(id)).toEqual({ state: 'unapproved', expired: false });
    expect(await nextPending()).toBe(other);
    expect(await claim(other)).toMatchObject({ state: 'claimed' });
  });

  it('take their turn after the consent, and have their whole time from then', async () => {
    const id = await waiting();
    await test.database.query(
      `UPDATE operation SET created_at = created_at - interval '50 minutes', deadline_at = deadline_at - interval '50 minutes' WHERE id = $1`,
      [id],
    );
    const decided = await decide(id, 'approved');
    expect(decided).toMatchObject({ status: 'Pending', approval: { state: 'approved', decidedBy: 'olga' } });
    expect(decided!.deadlineAt.getTime() - decided!.runAfter.getTime()).toBe(600_000);
    expect(await nextPending()).toBe(id);
    expect(await claim(id)).toMatchObject({ state: 'claimed' });
  });

  it('end with a decision against them', async () => {
    const id = await waiting();
    expect(await decide(id, 'rejected')).toMatchObject({ status: 'Failed', error: { code: 'APPROVAL_REJECTED' } });
    expect(await claim(id)).toEqual({ state: 'over' });
    expect(await decide(id, 'approved')).toBeUndefined();
  });

  it('are given up when nobody decides in time, and not before', async () => {
    const id = await waiting();
    expect(await expire(id)).toBeUndefined();
    await isOver(id);
    expect(await decide(id, 'approved')).toBeUndefined();
    expect(await claim(id)).toEqual({ state: 'unapproved', expired: true });
    expect(await expire(id)).toMatchObject({
      status: 'Failed',
      error: { code: 'APPROVAL_EXPIRED' },
      approval: { state: 'expired' },
    });
    expect(await expire(id)).toBeUndefined();
  });

  it('let one decision count of two at the same moment', async () => {
    const id = await waiting();
    const both = await Promise.all([
      decide(id, 'approved'),
      decide(id, 'rejected', { ...DECIDES, principalId: randomUUID() }),
    ]);
    expect(both.filter((decided) => decided !== undefined)).toHaveLength(1);
  });

  it('are never decided about by who asked, whatever the code above says', async () => {
    const id = await waiting();
    await expect(decide(id, 'approved', { ...DECIDES, principalId: ASKED.principalId })).rejects.toMatchObject({
      constraint: 'operation_approval_not_own',
    });
  });

  it('are not begun by a statement that forgets about the consent', async () => {
    const id = await waiting();
    await expect(
      test.database.query(`UPDATE operation SET status = 'Running' WHERE id = $1`, [id]),
    ).rejects.toMatchObject({ constraint: 'operation_approval_before_start' });
  });
});
