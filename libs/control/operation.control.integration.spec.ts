import { Secret } from '#libs/kernel/secret.js';
import { SecretVault } from '#libs/kernel/secret-vault.js';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import { encodeCursor } from '#libs/kernel/page.js';
import type { Caller } from '#libs/access/caller.js';
import { AuditRepository } from '#libs/audit/audit.repository.js';
import { verifyAudit } from '#libs/audit/audit.verifier.js';
import { NotificationListener } from '#libs/database/notification.listener.js';
import { JobQueueRepository } from '#libs/operations/job-queue.repository.js';
import { OperationAcceptor } from '#libs/operations/operation.acceptor.js';
import { OperationRepository } from '#libs/operations/operation.repository.js';
import { OperationRunner } from '#libs/operations/operation.runner.js';
import type { KindDefinition } from '#libs/systems/contract/kind-definition.js';
import type { OperationDefinition } from '#libs/systems/contract/operation-definition.js';
import { resourceReference } from '#libs/systems/contract/resource-reference.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { auditEntryOf } from './operation.audit.js';
import { OperationApprovals } from './operation.approvals.js';
import { OperationControl } from './operation.control.js';
import { OperationWatcher } from './operation.watcher.js';
import { ReferenceResolver } from './reference.resolver.js';

const THING = '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers/Test.Things/things/one';
const OTHER = THING.replace('/things/', '/gadgets/');
const KNOWN_UID = randomUUID();

const properties = z.object({});
const kind = (name: string, armType: string): KindDefinition => ({
  name,
  description: name,
  armType,
  properties,
  describe: () => ({}),
  relations: [],
});

const input = z.object({ thing: resourceReference('The thing') });
const definition: OperationDefinition<typeof input> = {
  type: 'test.thing.change',
  title: 'Change a thing',
  description: 'Changes a thing.',
  permission: 'test/things/write',
  input,
  references: { thing: ['Thing'] },
  timeoutSeconds: 600,
  findings: { BROKEN: 'It is broken.' },
  target: (_input, { thing }) => ({ id: thing!.id, kind: thing!.kind, lock: thing!.id.toLowerCase() }),
  preflight: async () => [],
  steps: [{ name: 'change', description: 'Changes it.', run: async () => ({ outcome: 'done', message: 'Done.' }) }],
  verify: async () => ({ verdict: 'reached', result: null, observations: [], absent: [] }),
};

const admin: Caller = { principalId: randomUUID(), name: 'ada', role: 'admin' };
const operator: Caller = { principalId: randomUUID(), name: 'otto', role: 'operator' };
const viewer: Caller = { principalId: randomUUID(), name: 'vera', role: 'viewer' };

const vault = new SecretVault([new Secret(Buffer.alloc(32, 7).toString('base64'))]);

describe('OperationControl', () => {
  let test: TestDatabase;
  let listener: NotificationListener;
  let control: OperationControl;
  let runner: OperationRunner;
  let audit: AuditRepository;

  beforeAll(async () => {
    test = await createTestDatabase();
    const { database } = test;
    listener = new NotificationListener(test.url, () => undefined);
    const registry = new SystemRegistry([
      {
        name: 'test',
        kinds: [kind('Thing', 'Test.Things/things'), kind('Gadget', 'Test.Things/gadgets')],
        collectors: [],
        watchers: [],
        operations: [definition],
      },
    ]);
    const operations = new OperationRepository(database);
    const jobs = new JobQueueRepository();
    audit = new AuditRepository(database);
    const references = new ReferenceResolver(registry, {
      find: async (uid) => (uid === KNOWN_UID ? { uid, id: THING, kind: 'Thing' } : undefined),
    });
    const acceptor = new OperationAcceptor(operations, jobs, (text, kinds) => references.resolve(text, kinds), vault);
    control = new OperationControl(
      database,
      registry,
      acceptor,
      operations,
      jobs,
      audit,
      references,
      new OperationWatcher(listener),
      new OperationApprovals(operations, jobs, audit),
    );
    runner = new OperationRunner(
      database,
      operations,
      jobs,
      registry,
      {
        recordEnd: async (transaction, operation) => {
          await audit.append(transaction, auditEntryOf(operation));
        },
        applyObservations: async () => undefined,
        observeTarget: async () => ({ observations: [], absent: [] }),
      },
      { unexpected: () => undefined, ended: () => undefined, notRefreshed: () => undefined },
      vault,
      { maximumBackoffSeconds: 1 },
    );
    await listener.start();
  });

  afterAll(async () => {
    await listener.stop();
    await test.drop();
  });

  const accept = (thing: string = THING, caller = operator, key?: string) =>
    control.accept(caller, {
      type: definition.type,
      input: { thing },
      dryRun: false,
      idempotencyKey: key,
      correlationId: randomUUID(),
    });
  const finish = (id: string) => runner.run(id, new AbortController().signal);
  const trailOf = async (operationId: string) =>
    (await audit.findEvents({ operationId }, 0, 100)).map(({ action, outcome, principalName }) => [
      action,
      outcome,
      principalName,
    ]);

  it('accepts an operation together with its audit event and its job', async () => {
    const { operation, replayed } = await accept();
    expect(replayed).toBe(false);
    expect(operation).toMatchObject({ status: 'Pending', requestedBy: 'otto', retryAfter: 1, input: { thing: THING } });
    expect(await trailOf(operation.id)).toEqual([['operation.accepted', 'accepted', 'otto']]);
    const { rows } = await test.database.query('SELECT FROM graphile_worker.jobs WHERE key = $1', [
      `operation:${operation.id}`,
    ]);
    expect(rows).toHaveLength(1);
    await finish(operation.id);
    expect(await trailOf(operation.id)).toEqual([
      ['operation.accepted', 'accepted', 'otto'],
      ['operation.ended', 'succeeded', 'otto'],
    ]);
    expect(await control.get(viewer, operation.id)).toMatchObject({ status: 'Succeeded', retryAfter: null });
  });

  it.each([
    { reason: 'an ARM id', given: THING },
    { reason: 'an ARM id in another case', given: THING.toUpperCase() },
    { reason: 'a uid that the cache knows', given: KNOWN_UID },
  ])('takes a reference by $reason', async ({ given }) => {
    const { operation } = await accept(given);
    expect(operation.target.uid).toBe(ArmId.parse(THING).uid);
    expect((await control.list(viewer, { target: THING, limit: 1 })).items[0]?.id).toBe(operation.id);
    await finish(operation.id);
  });

  it.each([
    { reason: 'an object of another kind', given: OTHER },
    { reason: 'a uid that nothing has', given: randomUUID() },
    { reason: 'an ARM type that nobody knows', given: THING.replace('/things/', '/unknown/') },
    { reason: 'nonsense', given: 'nonsense' },
  ])('refuses $reason, naming the field, and leaves nothing behind', async ({ given }) => {
    const before = await audit.findEvents({}, 0, 10_000);
    await expect(accept(given)).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      violations: [{ path: 'input.thing' }],
    });
    expect(await audit.findEvents({}, 0, 10_000)).toHaveLength(before.length);
  });

  it('refuses a viewer, on record', async () => {
    await expect(accept(THING, viewer)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const denied = await audit.findEvents({ principalId: viewer.principalId }, 0, 10);
    expect(denied.at(-1)).toMatchObject({
      action: 'operation.denied',
      outcome: 'denied',
      operationType: definition.type,
    });
  });

  it('answers the same key with the same operation, over any number of requests at once', async () => {
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 8 }, () => accept(THING, operator, key)));
    expect(new Set(answers.map((answer) => answer.operation.id)).size).toBe(1);
    expect(answers.filter((answer) => !answer.replayed)).toHaveLength(1);
    const { id } = answers[0]!.operation;
    expect(await trailOf(id)).toHaveLength(1);
    await expect(accept(KNOWN_UID, operator, key)).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    await finish(id);
  });

  it('cancels what is pending, once, under the name of who asked', async () => {
    const { operation } = await accept();
    expect(await control.cancel(admin, operation.id, 'c')).toMatchObject({ status: 'Canceled' });
    expect(await control.cancel(admin, operation.id, 'c')).toMatchObject({ status: 'Canceled' });
    expect(await trailOf(operation.id)).toEqual([
      ['operation.accepted', 'accepted', 'otto'],
      ['operation.ended', 'canceled', 'ada'],
    ]);
    await expect(control.cancel(viewer, operation.id, 'c')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect((await trailOf(operation.id)).at(-1)).toEqual(['operation.cancel-denied', 'denied', 'vera']);
    await expect(control.cancel(admin, randomUUID(), 'c')).rejects.toMatchObject({ code: 'OPERATION_NOT_FOUND' });
  });

  it('leaves the turn that is under way alone when a cancellation comes in', async () => {
    const { operation } = await accept();
    const { database } = test;
    const jobs = () =>
      database.query<{ locked_by: string | null }>('SELECT locked_by FROM graphile_worker.jobs WHERE key = $1', [
        `operation:${operation.id}`,
      ]);
    await database.query(
      `UPDATE graphile_worker._private_jobs SET locked_at = now(), locked_by = 'a worker' WHERE key = $1`,
      [`operation:${operation.id}`],
    );
    await database.query(`UPDATE operation SET status = 'Running', started_at = now() WHERE id = $1`, [operation.id]);
    expect(await control.cancel(admin, operation.id, 'c')).toMatchObject({ status: 'Canceling' });
    expect((await jobs()).rows).toEqual([{ locked_by: 'a worker' }]);
    await finish(operation.id);
    expect(await control.get(viewer, operation.id)).toMatchObject({ status: 'Canceled' });
  });

  it('says that it is too late to cancel what has ended', async () => {
    const { operation } = await accept();
    await finish(operation.id);
    await expect(control.cancel(operator, operation.id, 'c')).rejects.toMatchObject({ code: 'NOT_CANCELABLE' });
  });

  it('streams every transition to the end, to one who was there and to one who comes back', async () => {
    const { operation } = await accept();
    const { signal } = new AbortController();
    const collect = async (after?: string): Promise<string[]> => {
      const seen: string[] = [];
      for await (const event of control.events(viewer, operation.id, after, signal)) {
        seen.push(`${event.id} ${event.operation.status}`);
      }
      return seen;
    };
    const live = collect();
    await finish(operation.id);
    const all = await live;
    expect(all[0]).toBe('1 Pending');
    expect(all.at(-1)).toMatch(/Succeeded$/);
    expect(await collect()).toEqual(all);
    expect(await collect('2')).toEqual(all.slice(2));
    expect(await collect(String(all.length))).toEqual([]);
    await expect(collect('nonsense')).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
  });

  it('ends a stream when its reader goes', async () => {
    const { operation } = await accept();
    const reader = new AbortController();
    const seen: string[] = [];
    for await (const event of control.events(viewer, operation.id, undefined, reader.signal)) {
      seen.push(event.id);
      reader.abort();
    }
    expect(seen).toEqual(['1']);
    await finish(operation.id);
  });

  it('shows what changes to whoever watches, and only what they asked for', async () => {
    const reader = new AbortController();
    const seen: { id: string; status: string }[] = [];
    const { operation } = await accept();
    const watching = (async () => {
      for await (const { id, status } of control.watch(viewer, { status: ['Succeeded'] }, reader.signal)) {
        seen.push({ id, status });
        // The news of an earlier operation may still be on its way.
        if (id === operation.id) reader.abort();
      }
    })();
    await finish(operation.id);
    await watching;
    expect(seen.at(-1)?.id).toBe(operation.id);
    expect(new Set(seen.map(({ status }) => status))).toEqual(new Set(['Succeeded']));
  });

  it('lists page by page, newest first, and refuses a forged cursor', async () => {
    const all = (await control.list(viewer, {})).items.map((item) => item.id);
    const first = await control.list(viewer, { limit: 2 });
    const second = await control.list(viewer, { limit: 2, cursor: first.nextCursor! });
    expect([...first.items, ...second.items].map((item) => item.id)).toEqual(all.slice(0, 4));
    for (const at of ['+275760-09-13T00:00:00.000Z', '2026-02-31T00:00:00+00:00', '2026-01-01']) {
      const cursor = encodeCursor('operations', [at, randomUUID()]);
      await expect(control.list(viewer, { cursor })).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
    }
    await expect(control.list(viewer, { cursor: 'nonsense' })).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
    await expect(control.list(viewer, { type: 'make.coffee' })).rejects.toMatchObject({
      code: 'UNKNOWN_OPERATION_TYPE',
    });
  });

  it('describes what can be done', () => {
    expect(control.types(viewer)).toEqual([
      expect.objectContaining({
        type: 'test.thing.change',
        references: { thing: ['Thing'] },
        inputSchema: expect.objectContaining({ required: ['thing'], additionalProperties: false }),
      }),
    ]);
  });

  it('leaves a log that holds', async () => {
    expect(verifyAudit(await audit.findEvents({}, 0, 10_000), []).faults).toEqual([]);
  });
});
