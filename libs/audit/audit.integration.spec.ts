import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret } from '#libs/kernel/secret.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { AuditSigner } from './audit.checkpoint.js';
import type { AuditEntry, AuditEvent } from './audit.event.js';
import { AuditRepository } from './audit.repository.js';
import { verifyAudit } from './audit.verifier.js';

const newSigner = (): AuditSigner =>
  new AuditSigner(
    new Secret(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
  );

describe('the audit log', () => {
  let test: TestDatabase;
  let audit: AuditRepository;

  beforeEach(async () => {
    test = await createTestDatabase();
    audit = new AuditRepository(test.database);
  });

  afterEach(() => test.drop());

  const entry = (details: AuditEntry['details'] = {}): AuditEntry => ({
    action: 'operation.accepted',
    outcome: 'accepted',
    principalId: randomUUID(),
    principalName: 'somebody',
    operationId: randomUUID(),
    operationType: 'test.thing.change',
    target: { uid: randomUUID(), id: '/x', kind: 'Thing' },
    correlationId: randomUUID(),
    details,
  });
  const append = (details?: AuditEntry['details']): Promise<AuditEvent> =>
    test.database.transaction((transaction) => audit.append(transaction, entry(details)));

  it('is a chain without gaps, also when many write at once', async () => {
    await Promise.all(
      Array.from({ length: 40 }, (_none, index) => append({ index, text: 'ä\u2028', deep: { b: [1, null], a: 1.5 } })),
    );
    const events = await audit.findEvents({}, 0, 1000);
    expect(events.map((event) => event.sequence)).toEqual(Array.from({ length: 40 }, (_none, index) => index + 1));
    expect(verifyAudit(events, [])).toEqual({ events: 40, checkpoints: 0, coveredTo: null, faults: [] });
  });

  it('loses nothing when a transaction fails: its event was never there', async () => {
    await append();
    await expect(
      test.database.transaction(async (transaction) => {
        await audit.append(transaction, entry());
        throw new Error('the rest failed');
      }),
    ).rejects.toThrow('the rest failed');
    await append();
    expect(verifyAudit(await audit.findEvents({}, 0, 10), []).faults).toEqual([]);
  });

  it.each([
    { statement: `UPDATE audit_event SET principal_name = 'nobody'`, reason: 'rewriting' },
    { statement: `DELETE FROM audit_event`, reason: 'deleting' },
    { statement: `TRUNCATE audit_event CASCADE`, reason: 'emptying' },
    { statement: `DELETE FROM audit_checkpoint`, reason: 'deleting checkpoints' },
  ])('refuses $reason, to the owner of the database too', async ({ statement }) => {
    const event = await append();
    await audit.insertCheckpoint(newSigner().sign(event, new Date()));
    await expect(test.database.query(statement)).rejects.toMatchObject({ code: '42501' });
    expect(await audit.findEvents({}, 0, 10)).toHaveLength(1);
  });

  it('is found by operation, principal and action', async () => {
    const event = await append();
    await append();
    expect(await audit.findEvents({ operationId: event.operationId! }, 0, 10)).toEqual([event]);
    expect(await audit.findEvents({ principalId: event.principalId }, 0, 10)).toEqual([event]);
    expect(await audit.findEvents({ action: 'operation.ended' }, 0, 10)).toEqual([]);
    expect(await audit.findEvents({}, 1, 10)).toHaveLength(1);
  });

  it('has its head signed once', async () => {
    const signer = newSigner();
    expect(await audit.findUncoveredHead()).toBeUndefined();
    const event = await append();
    const head = await audit.findUncoveredHead();
    expect(head).toEqual({ sequence: 1, hash: event.hash });
    await audit.insertCheckpoint(signer.sign(head!, new Date()));
    await audit.insertCheckpoint(signer.sign(head!, new Date()));
    expect(await audit.findUncoveredHead()).toBeUndefined();
    const checkpoints = await audit.findCheckpoints(0, 10);
    expect(verifyAudit(await audit.findEvents({}, 0, 10), checkpoints)).toMatchObject({ coveredTo: 1, faults: [] });
  });

  describe('an export', () => {
    const tampering: { reason: string; fault: string; tamper: (events: AuditEvent[]) => AuditEvent[] }[] = [
      {
        reason: 'an event was changed',
        fault: 'HASH_MISMATCH',
        tamper: ([a, b, c]) => [a!, { ...b!, principalName: 'somebody else' }, c!],
      },
      {
        reason: 'a detail was changed',
        fault: 'HASH_MISMATCH',
        tamper: ([a, b, c]) => [a!, { ...b!, details: { n: 2 } }, c!],
      },
      { reason: 'an event was taken out', fault: 'GAP', tamper: ([a, , c]) => [a!, c!] },
      { reason: 'the start was cut off', fault: 'CHAIN_BROKEN', tamper: ([, b, c]) => [b!, c!] },
      { reason: 'two events were swapped', fault: 'CHAIN_BROKEN', tamper: ([a, b, c]) => [a!, c!, b!] },
      {
        reason: 'the end was cut off after it was signed',
        fault: 'CHECKPOINT_WITHOUT_EVENT',
        tamper: ([a, b]) => [a!, b!],
      },
    ];

    it.each(tampering)('shows that $reason', async ({ tamper, fault }) => {
      for (let index = 0; index < 3; index++) await append({ n: index });
      const events = await audit.findEvents({}, 0, 10);
      const checkpoint = newSigner().sign(events.at(-1)!, new Date());
      expect(verifyAudit(events, [checkpoint]).faults).toEqual([]);
      expect(verifyAudit(tamper(events), [checkpoint]).faults.map((found) => found.fault)).toContain(fault);
    });

    it('shows that the whole log was written anew: nobody else can sign', async () => {
      const event = await append();
      const [ours, theirs] = [newSigner().sign(event, new Date()), newSigner().sign(event, new Date())];
      expect(verifyAudit([event], [theirs], ours.publicKey).faults[0]?.fault).toBe('UNKNOWN_KEY');
      const forged = { ...theirs, publicKey: ours.publicKey };
      expect(verifyAudit([event], [forged], ours.publicKey).faults[0]?.fault).toBe('BAD_SIGNATURE');
    });
  });
});
