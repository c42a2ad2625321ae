import type { Json, JsonObject } from '#libs/kernel/json.js';
import { SecretVault } from '#libs/kernel/secret-vault.js';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import { noteReading, refuseInRehearsal } from '#libs/kernel/rehearsal.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { Secret } from '#libs/kernel/secret.js';
import type { Finding } from '#libs/systems/contract/finding.js';
import type {
  AbortContext,
  AbortOutcome,
  OperationDefinition,
  OperationContext,
  StepContext,
  StepOutcome,
  Verification,
} from '#libs/systems/contract/operation-definition.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { JobQueueRepository } from './job-queue.repository.js';
import { OperationAcceptor } from './operation.acceptor.js';
import type { OperationRecord } from './operation.record.js';
import { OperationRepository } from './operation.repository.js';
import { OperationRunner } from './operation.runner.js';

const PRINCIPAL = randomUUID();
const THING = '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers/Test.Things/things';

/** The outside world of these tests: what each call of a step does is laid down before, call by call. */
class World {
  findings: Finding[] = [];
  /** One for each call of the step; after the last the step is done. */
  answers: (StepOutcome | Error | (() => Promise<StepOutcome>))[] = [];
  verifications: (Verification | Error)[] = [];
  plan: Json | undefined;
  /** One for each wish to stop the work of the abortable type. */
  aborts: (AbortOutcome | Error)[] = [];
  /** What each of those calls was told. */
  readonly abortsSeen: boolean[] = [];
  readonly intentsSeen: (string | undefined)[] = [];
  notes: string | undefined;
  readonly tokensSeen: (string | undefined)[] = [];
  readonly secretsSeen: (string | undefined)[] = [];
  readonly outputsSeen: Readonly<Record<string, Json>>[] = [];
  readonly ends: OperationRecord[] = [];
  observed = 0;
  cacheFault: Error | undefined;
  applied = 0;

  async step(context: StepContext<{ thing: string }>): Promise<StepOutcome> {
    this.tokensSeen.push(context.resumeToken?.reveal());
    this.intentsSeen.push(context.intent);
    if (this.notes !== undefined) await context.noteIntent?.(this.notes);
    this.secretsSeen.push(context.secrets.password?.reveal());
    this.outputsSeen.push(context.outputs);
    const answer = this.answers.shift() ?? { outcome: 'done', message: 'Done.' };
    if (Error.isError(answer)) throw answer;
    return typeof answer === 'function' ? answer() : answer;
  }

  async abort(context: AbortContext<{ thing: string }>): Promise<AbortOutcome> {
    this.abortsSeen.push(context.asked);
    const answer = this.aborts.shift();
    if (answer === undefined) throw new TypeError('Nobody expected a wish to stop');
    if (Error.isError(answer)) throw answer;
    return answer;
  }

  async verify(context: OperationContext<{ thing: string }>): Promise<Verification> {
    this.outputsSeen.push(context.outputs);
    const answer = this.verifications.shift() ?? {
      verdict: 'reached',
      result: { ok: true },
      observations: [],
      absent: [],
    };
    if (Error.isError(answer)) throw answer;
    return answer;
  }
}

const vault = new SecretVault([new Secret(Buffer.alloc(32, 7).toString('base64'))]);

describe('operations', () => {
  let test: TestDatabase;
  let world: World;
  let operations: OperationRepository;
  let acceptor: OperationAcceptor;
  let runner: OperationRunner;
  const jobs = new JobQueueRepository();
  const unexpected: unknown[] = [];

  const input = z.object({
    thing: z.string(),
    size: z.int().min(0).max(10).default(1),
    password: z.string().optional(),
  });
  const definition: OperationDefinition<typeof input> = {
    type: 'test.thing.change',
    title: 'Change a thing',
    description: 'Changes a thing.',
    permission: 'test/things/write',
    input,
    references: {},
    secretFields: ['password'],
    timeoutSeconds: 600,
    findings: { BROKEN: 'It is broken.' },
    target: ({ thing }) => ({ id: `${THING}/${thing}`, kind: 'Thing', lock: `${THING}/${thing}`.toLowerCase() }),
    preflight: async () => world.findings,
    plan: async () => world.plan ?? null,
    steps: [{ name: 'change', description: 'Changes it.', run: (context) => world.step(context) }],
    verify: (context) => world.verify(context),
  };

  const { plan: _ofAnother, ...withoutPlan } = definition;
  const abortable: OperationDefinition<typeof input> = {
    ...withoutPlan,
    type: 'test.thing.stop',
    steps: [
      {
        name: 'change',
        description: 'Changes it.',
        run: (context) => world.step(context),
        abort: (context) => world.abort(context),
      },
    ],
  };

  const choosing: OperationDefinition<typeof input> = {
    ...withoutPlan,
    type: 'test.thing.choose',
    steps: [
      { name: 'choose', description: 'Chooses a size.', run: (context) => world.step(context) },
      { name: 'change', description: 'Changes it.', run: (context) => world.step(context) },
    ],
  };

  beforeAll(async () => {
    test = await createTestDatabase();
    const { database } = test;
    const registry = new SystemRegistry([
      { name: 'test', kinds: [], collectors: [], watchers: [], operations: [definition, abortable, choosing] },
    ]);
    operations = new OperationRepository(database);
    acceptor = new OperationAcceptor(
      operations,
      jobs,
      async () => {
        throw new TypeError('This definition has no references');
      },
      vault,
    );
    runner = new OperationRunner(
      database,
      operations,
      jobs,
      registry,
      {
        recordEnd: async (_transaction, operation) => {
          world.ends.push(operation);
        },
        applyObservations: async () => {
          if (world.cacheFault !== undefined) throw world.cacheFault;
          world.applied += 1;
        },
        observeTarget: async () => {
          world.observed += 1;
          return { observations: [], absent: [] };
        },
      },
      {
        unexpected: (_operation, error) => unexpected.push(error),
        ended: () => undefined,
        notRefreshed: () => undefined,
      },
      vault,
      { maximumBackoffSeconds: 8 },
    );
  });

  afterAll(() => test.drop());

  beforeEach(() => {
    world = new World();
    unexpected.length = 0;
  });

  async function accept(
    given: Record<string, unknown> = {},
    options: { key?: string; dryRun?: boolean; principal?: string; type?: typeof definition } = {},
  ): Promise<OperationRecord> {
    const prepared = acceptor.prepare({
      definition: options.type ?? definition,
      input: { thing: `t-${randomUUID()}`, ...given },
      dryRun: options.dryRun ?? false,
      idempotencyKey: options.key,
      principalId: options.principal ?? PRINCIPAL,
      requestedBy: 'somebody',
      correlationId: randomUUID(),
    });
    const operation = await test.database.transaction((transaction) => acceptor.insert(transaction, prepared, {}));
    if (operation === undefined) throw new Error('The key was used before');
    return operation;
  }

  const run = (id: string, signal = new AbortController().signal) => runner.run(id, signal);
  const find = async (id: string): Promise<OperationRecord> => (await operations.find(id))!;
  const jobOf = async (id: string) =>
    (
      await test.database.query<{ run_at: Date }>(
        `SELECT run_at FROM graphile_worker.jobs WHERE key = 'operation:' || $1`,
        [id],
      )
    ).rows;
  const waiting = (resumeToken?: string): StepOutcome => ({
    outcome: 'wait',
    message: 'Azure works.',
    retryAfterSeconds: 30,
    ...(resumeToken === undefined ? {} : { resumeToken: new Secret(resumeToken) }),
  });

  it('are stored with their target, their steps and one job', async () => {
    const operation = await accept({ thing: 'Stored', size: 3 });
    expect(operation).toMatchObject({
      status: 'Pending',
      target: { id: `${THING}/Stored`, kind: 'Thing', uid: ArmId.parse(`${THING}/stored`).uid },
      input: { thing: 'Stored', size: 3 },
      requestedBy: 'somebody',
      eventSequence: 1,
    });
    expect(operation.steps.map((step) => step.name)).toEqual(['preflight', 'change', 'verify']);
    expect(await jobOf(operation.id)).toHaveLength(1);
  });

  it('fill in defaults, and name every bad field', () => {
    const prepare = (given: unknown) =>
      acceptor.prepare({
        definition: definition,
        input: given,
        dryRun: false,
        idempotencyKey: undefined,
        principalId: PRINCIPAL,
        requestedBy: 'x',
        correlationId: 'x',
      });
    expect(prepare({ thing: 'a' }).input).toEqual({ thing: 'a', size: 1 });
    expect(() => prepare({ size: 11, colour: 'red' })).toThrow(
      expect.objectContaining({
        code: 'INVALID_REQUEST',
        violations: expect.arrayContaining([
          expect.objectContaining({ path: 'input.thing' }),
          expect.objectContaining({ path: 'input.size' }),
          expect.objectContaining({ path: 'input.colour' }),
        ]),
      }),
    );
    for (const notAnObject of [null, 1, 'x', []]) {
      expect(() => prepare(notAnObject)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
    }
  });

  it('end with the result of their verification', async () => {
    const operation = await accept();
    expect(await run(operation.id)).toBe('ended');
    const ended = await find(operation.id);
    expect(ended).toMatchObject({ status: 'Succeeded', result: { ok: true }, error: null });
    expect(ended.steps.map((step) => step.status)).toEqual(['Succeeded', 'Succeeded', 'Succeeded']);
    expect(world.ends).toHaveLength(1);
    expect(world.applied).toBe(1);
    expect(await run(operation.id)).toBe('not-ours');
    expect(world.ends).toHaveLength(1);
  });

  it('give secret inputs to their steps and show them nowhere', async () => {
    world.answers = [waiting()];
    const operation = await accept({ password: 'hunter2-hunter2' });
    expect(operation.input.password).toBe('[redacted]');
    const sealed = await test.database.query<{ sealed: string }>('SELECT sealed FROM operation_secret');
    expect(sealed.rows).toHaveLength(1);
    expect(sealed.rows[0]?.sealed).not.toContain('hunter2');
    await run(operation.id);
    await run(operation.id);
    expect(world.secretsSeen).toEqual(['hunter2-hunter2', 'hunter2-hunter2']);
    const everything = await test.database.query(
      `SELECT to_jsonb(o), (SELECT jsonb_agg(e.snapshot) FROM operation_event e WHERE e.operation_id = o.id) AS events
       FROM operation o WHERE o.id = $1`,
      [operation.id],
    );
    expect(JSON.stringify(everything.rows)).not.toContain('hunter2');
    expect((await test.database.query('SELECT FROM operation_secret')).rowCount).toBe(0);
  });

  it('tell two requests with different secrets under one key apart', async () => {
    const key = randomUUID();
    const request = { thing: `t-${randomUUID()}`, password: 'first' };
    const first = await accept(request, { key });
    const prepare = (password: string) =>
      acceptor.prepare({
        definition,
        input: { ...request, password },
        dryRun: false,
        idempotencyKey: key,
        principalId: PRINCIPAL,
        requestedBy: 'x',
        correlationId: 'x',
      });
    expect((await acceptor.findReplay(prepare('first')))?.id).toBe(first.id);
    await expect(acceptor.findReplay(prepare('second'))).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
  });

  it('hand what a step has put down to those after it, and keep it', async () => {
    world.answers = [{ outcome: 'done', message: 'Done.', output: { made: ['a', 'b'] } }];
    const operation = await accept();
    await run(operation.id);
    expect(world.outputsSeen).toEqual([{}, { change: { made: ['a', 'b'] } }]);
    expect((await find(operation.id)).steps.map((step) => step.output)).toEqual([null, { made: ['a', 'b'] }, null]);
  });

  it('end with what was done when a step fails after a part of it', async () => {
    const error = new ControlError('KUBERNETES_CONFLICT', 'Somebody else owns a field.');
    world.answers = [{ outcome: 'failed', error, output: { made: ['a'] } }];
    const operation = await accept();
    expect(await run(operation.id)).toBe('ended');
    const ended = await find(operation.id);
    expect(ended).toMatchObject({ status: 'Failed', error: { code: 'KUBERNETES_CONFLICT' } });
    expect(ended.steps.map(({ status, output }) => ({ status, output }))).toEqual([
      { status: 'Succeeded', output: null },
      { status: 'Failed', output: { made: ['a'] } },
      { status: 'Skipped', output: null },
    ]);
  });

  it('answer a dry run with the steps and what they would change', async () => {
    world.plan = [{ path: 'size', before: 1, after: 2 }];
    const operation = await accept({}, { dryRun: true });
    await run(operation.id);
    expect((await find(operation.id)).result).toEqual({
      plan: [{ step: 'change', description: 'Changes it.' }],
      changes: [{ path: 'size', before: 1, after: 2 }],
    });
    expect(world.tokensSeen).toEqual([]);
  });

  describe('rehearsed in a dry run whose type cannot tell what it would change', () => {
    const rehearse = async (given: Record<string, unknown> = {}) => {
      world.plan = undefined;
      const { id } = await accept(given, { dryRun: true, type: abortable });
      expect(await run(id)).toBe('ended');
      return find(id);
    };

    it('show the request that they would send, and send none', async () => {
      world.answers = [
        async () => {
          noteReading('/things/1', { properties: { size: 1, colour: 'red' } });
          refuseInRehearsal('PUT', '/Things/1', { properties: { size: 4, colour: 'red' } });
          throw new TypeError('It was sent');
        },
      ];
      expect(await rehearse()).toMatchObject({
        status: 'Succeeded',
        result: {
          changes: {
            steps: [
              {
                step: 'change',
                would: 'change',
                method: 'PUT',
                target: '/Things/1',
                isNew: false,
                differences: [{ path: '.properties.size', before: 1, after: 4 }],
              },
            ],
          },
        },
      });
    });

    it.each<{ reason: string; body: JsonObject | undefined; isNew: boolean }>([
      { reason: 'what was not there is new', body: { properties: {} }, isNew: true },
      { reason: 'an action makes nothing new', body: undefined, isNew: false },
    ])('tell what would be new: $reason', async ({ body, isNew }) => {
      world.answers = [
        async () => {
          refuseInRehearsal('POST', '/things/2/start', body);
          throw new TypeError('It was sent');
        },
      ];
      expect((await rehearse()).result).toMatchObject({ changes: { steps: [{ would: 'change', isNew }] } });
    });

    it.each<{ reason: string; answer: StepOutcome | Error; would: string; code?: string }>([
      { reason: 'the wanted state is there', answer: { outcome: 'done', message: 'm' }, would: 'change-nothing' },
      {
        reason: 'somebody else is at it',
        answer: { outcome: 'blocked', message: 'm', retryAfterSeconds: 1 },
        would: 'wait',
      },
      { reason: 'it would be refused', answer: new ControlError('CONFLICT', 'no'), would: 'fail', code: 'CONFLICT' },
    ])('say what would come of them: $reason', async ({ answer, would, code }) => {
      world.answers = [answer];
      const { result } = await rehearse();
      expect(result).toMatchObject({ changes: { steps: [{ would, ...(code === undefined ? {} : { code }) }] } });
    });

    it('are told what those before them have found out', async () => {
      world.answers = [
        { outcome: 'done', message: 'Chosen.', output: { size: 4 } },
        { outcome: 'done', message: 'It has that size.' },
      ];
      const { id } = await accept({}, { dryRun: true, type: choosing });
      expect(await run(id)).toBe('ended');
      expect(world.outputsSeen).toEqual([{}, { choose: { size: 4 } }]);
      const steps = [{ would: 'change-nothing' }, { would: 'change-nothing' }];
      expect(await find(id)).toMatchObject({ status: 'Succeeded', result: { changes: { steps } } });
    });

    it('are given no secret that could come into what is shown', async () => {
      await rehearse({ password: 'swordfish' });
      expect(world.secretsSeen).toEqual(['[redacted]']);
    });

    it('are tried again when what they have to read cannot be read at the moment', async () => {
      world.answers = [new ControlError('AZURE_UNAVAILABLE', 'Busy.', { retry: { kind: 'backoff' } })];
      const { id } = await accept({}, { dryRun: true, type: abortable });
      expect(await run(id)).toBe('parked');
      expect(await run(id)).toBe('ended');
    });
  });

  it('keep the resume token of a waiting step for the next turn, and show it nowhere', async () => {
    world.answers = [waiting('https://poll/secret?s=1'), waiting()];
    const operation = await accept();
    expect(await run(operation.id)).toBe('parked');
    const parked = await find(operation.id);
    expect(parked).toMatchObject({ status: 'Waiting', message: 'Azure works.' });
    expect(parked.runAfter.getTime()).toBeGreaterThan(Date.now() + 20_000);
    expect(await jobOf(operation.id)).toHaveLength(1);
    const events = await operations.findEvents(operation.id, 0, 100);
    expect(JSON.stringify([parked, events])).not.toContain('poll/secret');

    expect(await run(operation.id)).toBe('parked');
    expect(await run(operation.id)).toBe('ended');
    expect(world.tokensSeen).toEqual([undefined, 'https://poll/secret?s=1', 'https://poll/secret?s=1']);
    const { rows } = await test.database.query(
      `SELECT FROM operation_step WHERE operation_id = $1 AND resume_token IS NOT NULL`,
      [operation.id],
    );
    expect(rows).toEqual([]);
  });

  it('write an event for each transition and none for a look that brought nothing', async () => {
    world.answers = [waiting('t'), waiting('t'), waiting('t')];
    const operation = await accept();
    for (let turn = 0; turn < 4; turn++) await run(operation.id);
    const events = await operations.findEvents(operation.id, 0, 100);
    expect(events.map((event) => event.sequence)).toEqual(events.map((_event, index) => index + 1));
    const waits = events.filter((event) => event.operation.message === 'Azure works.');
    expect(waits).toHaveLength(1);
    expect(events.at(-1)?.operation.status).toBe('Succeeded');
    expect((await operations.findEvents(operation.id, 3, 100))[0]?.sequence).toBe(4);
  });

  const failures = [
    {
      reason: 'a check that blocks',
      arrange: () => {
        world.findings = [{ code: 'BROKEN', severity: 'error', message: 'Broken.', evidence: {}, remedy: 'Mend it.' }];
      },
      error: { code: 'PREFLIGHT_FAILED', externalCode: 'BROKEN', remedy: 'Mend it.' },
      steps: ['Failed', 'Skipped', 'Skipped'],
    },
    {
      reason: 'a step that Azure refuses',
      arrange: () => {
        world.answers = [new ControlError('AZURE_REJECTED', 'No.', { externalCode: 'BadRequest' })];
      },
      error: { code: 'AZURE_REJECTED', externalCode: 'BadRequest' },
      steps: ['Succeeded', 'Failed', 'Skipped'],
    },
    {
      reason: 'a target that is not as wanted afterwards',
      arrange: () => {
        world.verifications = [{ verdict: 'missed', message: 'It is Failed.' }];
      },
      error: { code: 'VERIFICATION_FAILED' },
      steps: ['Succeeded', 'Succeeded', 'Failed'],
    },
    {
      reason: 'a fault of ours, without telling what',
      arrange: () => {
        world.answers = [new TypeError('undefined is not a function')];
      },
      error: { code: 'INTERNAL' },
      steps: ['Succeeded', 'Failed', 'Skipped'],
    },
  ];

  it.each(failures)('fail after $reason, and look at the target once more', async ({ arrange, error, steps }) => {
    arrange();
    const operation = await accept();
    expect(await run(operation.id)).toBe('ended');
    const ended = await find(operation.id);
    expect(ended).toMatchObject({ status: 'Failed', error });
    expect(ended.steps.map((step) => step.status)).toEqual(steps);
    expect(JSON.stringify(ended)).not.toContain('is not a function');
    expect(world.observed).toBe(1);
    expect(world.ends.map((end) => end.status)).toEqual(['Failed']);
  });

  it.each([
    { reason: 'soon, when nobody says when', retry: { kind: 'backoff' as const }, from: 0.5, to: 8 },
    { reason: 'when Azure says', retry: { kind: 'after' as const, seconds: 100 }, from: 100, to: 102 },
  ])('try a step again after a passing failure: $reason', async ({ retry, from, to }) => {
    world.answers = [new ControlError('AZURE_UNAVAILABLE', 'Busy.', { retry })];
    const operation = await accept();
    expect(await run(operation.id)).toBe('parked');
    const { rows } = await test.database.query<{ seconds: number }>(
      `SELECT extract(epoch FROM run_after - now())::float8 AS seconds FROM operation WHERE id = $1`,
      [operation.id],
    );
    expect(rows[0]!.seconds).toBeGreaterThan(from - 1);
    expect(rows[0]!.seconds).toBeLessThan(to);
    expect(await run(operation.id)).toBe('ended');
    expect((await find(operation.id)).steps[1]).toMatchObject({ status: 'Succeeded', attempts: 2 });
  });

  it('end when their time is over', async () => {
    world.answers = [waiting('t'), waiting('t')];
    const operation = await accept();
    await run(operation.id);
    await test.database.query(`UPDATE operation SET deadline_at = now() - interval '1 s' WHERE id = $1`, [
      operation.id,
    ]);
    expect(await run(operation.id)).toBe('ended');
    expect(await find(operation.id)).toMatchObject({ status: 'Failed', error: { code: 'DEADLINE_EXCEEDED' } });
  });

  it('change nothing in a dry run, and exclude nobody', async () => {
    world.answers = [waiting('t')];
    const busy = await accept({ thing: 'dry' });
    await run(busy.id);
    world.findings = [{ code: 'BROKEN', severity: 'warning', message: 'Hm.', evidence: {} }];
    const operation = await accept({ thing: 'dry' }, { dryRun: true });
    expect(await run(operation.id)).toBe('ended');
    expect(await find(operation.id)).toMatchObject({
      status: 'Succeeded',
      findings: [{ code: 'BROKEN' }],
      result: { plan: [{ step: 'change' }] },
    });
    expect(world.tokensSeen).toHaveLength(1);
  });

  it('run one after the other on one target, the oldest first', async () => {
    world.answers = [waiting('t')];
    const [first, second, third] = [
      await accept({ thing: 'q' }),
      await accept({ thing: 'Q' }),
      await accept({ thing: 'q' }),
    ];
    expect(await run(first.id)).toBe('parked');
    expect(await run(third.id)).toBe('queued');
    expect(await run(second.id)).toBe('queued');
    expect((await find(second.id)).message).toContain(first.id);
    await test.database.query(
      `SELECT graphile_worker.complete_jobs(array_agg(id)) FROM graphile_worker.jobs WHERE key = $1`,
      [`operation:${second.id}`],
    );
    expect(await run(first.id)).toBe('ended');
    expect(await jobOf(second.id)).toHaveLength(1);
    expect(await run(third.id)).toBe('queued');
    expect(await run(second.id)).toBe('ended');
    expect(await run(third.id)).toBe('ended');
  });

  it('start once when many workers try at the same moment', async () => {
    let inside = 0;
    let most = 0;
    const enter = async (): Promise<StepOutcome> => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside -= 1;
      return { outcome: 'done', message: 'Done.' };
    };
    const accepted = await Promise.all(Array.from({ length: 8 }, () => accept({ thing: 'race' })));
    world.answers = accepted.map(() => enter);
    while ((await Promise.all(accepted.map(({ id }) => find(id)))).some((operation) => operation.endedAt === null)) {
      await Promise.all(accepted.map(({ id }) => run(id)));
    }
    expect(most).toBe(1);
    expect(world.ends).toHaveLength(8);
  });

  it('let a worker that was taken over write nothing', async () => {
    const late = Promise.withResolvers<StepOutcome>();
    const entered = Promise.withResolvers<void>();
    world.answers = [
      () => {
        entered.resolve();
        return late.promise;
      },
      waiting('of the second'),
    ];
    const operation = await accept();
    const stalled = run(operation.id);
    await entered.promise;
    expect(await run(operation.id)).toBe('parked');
    const before = await find(operation.id);
    late.resolve({ outcome: 'done', message: 'The first one is back.' });
    expect(await stalled).toBe('not-ours');
    expect(await find(operation.id)).toEqual(before);
    expect(world.ends).toEqual([]);
    expect(await run(operation.id)).toBe('ended');
    expect(world.tokensSeen.at(-1)).toBe('of the second');
  });

  it('save where they are when the worker stops', async () => {
    const stop = new AbortController();
    world.answers = [
      async () => {
        stop.abort(new Error('stopping'));
        throw stop.signal.reason as Error;
      },
    ];
    const operation = await accept();
    expect(await run(operation.id, stop.signal)).toBe('parked');
    expect(unexpected).toEqual([]);
    expect(await find(operation.id)).toMatchObject({ status: 'Waiting' });
    expect(await run(operation.id)).toBe('ended');
  });

  const cancellations = [
    {
      reason: 'before they started',
      arrange: [],
      turns: 0,
      status: 'Canceled',
      steps: ['Skipped', 'Skipped', 'Skipped'],
    },
    {
      reason: 'while they wait for somebody else',
      arrange: [{ outcome: 'blocked', message: 'Busy.', retryAfterSeconds: 5 } satisfies StepOutcome],
      turns: 1,
      status: 'Canceled',
      steps: ['Succeeded', 'Failed', 'Skipped'],
    },
    {
      reason: 'while Azure works: that is seen through, and was the last step, so it is too late',
      arrange: [waiting('t')],
      turns: 1,
      status: 'Succeeded',
      steps: ['Succeeded', 'Succeeded', 'Succeeded'],
    },
    {
      reason: 'after a failure that would be tried again',
      arrange: [new ControlError('AZURE_UNAVAILABLE', 'Busy.', { retry: { kind: 'backoff' } })],
      turns: 1,
      status: 'Canceled',
      steps: ['Succeeded', 'Failed', 'Skipped'],
    },
  ];

  it.each(cancellations)('can be canceled $reason', async ({ arrange, turns, status, steps }) => {
    world.answers = [...arrange];
    const operation = await accept();
    for (let turn = 0; turn < turns; turn++) await run(operation.id);
    const { database } = test;
    const pending = await database.transaction((transaction) => operations.cancelPending(transaction, operation.id));
    if (pending === undefined) {
      expect(await database.transaction((transaction) => operations.requestCancel(transaction, operation.id))).toBe(
        true,
      );
      expect((await find(operation.id)).status).toBe('Canceling');
      while ((await find(operation.id)).endedAt === null) await run(operation.id);
    }
    const ended = await find(operation.id);
    expect(ended.status).toBe(status);
    expect(ended.steps.map((step) => step.status)).toEqual(steps);
    expect(await database.transaction((transaction) => operations.requestCancel(transaction, operation.id))).toBe(
      false,
    );
  });

  it('never leave an end, whatever statement tries', async () => {
    const operation = await accept();
    await run(operation.id);
    for (const status of ['Pending', 'Running', 'Failed', 'Canceled']) {
      await expect(
        test.database.query(`UPDATE operation SET status = $2 WHERE id = $1`, [operation.id, status]),
      ).rejects.toMatchObject({ code: '23514' });
    }
  });

  describe('with an idempotency key', () => {
    const prepare = (key: string, thing: string, principal = PRINCIPAL) =>
      acceptor.prepare({
        definition: definition,
        input: { thing },
        dryRun: false,
        idempotencyKey: key,
        principalId: principal,
        requestedBy: 'x',
        correlationId: 'x',
      });

    it('are one operation, whoever is faster', async () => {
      const key = randomUUID();
      const results = await Promise.all(
        Array.from({ length: 10 }, () =>
          test.database.transaction(async (transaction) => {
            const prepared = prepare(key, 'same');
            return (
              (await acceptor.insert(transaction, prepared, {})) ?? (await acceptor.findReplay(prepared, transaction))
            );
          }),
        ),
      );
      expect(new Set(results.map((result) => result?.id)).size).toBe(1);
    });

    it('refuse the key for another body, but not for another principal', async () => {
      const key = randomUUID();
      await accept({ thing: 'one' }, { key });
      await expect(acceptor.findReplay(prepare(key, 'two'))).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
      expect(await acceptor.findReplay(prepare(key, 'two', randomUUID()))).toBeUndefined();
    });

    it.each([
      { reason: 'empty', key: '' },
      { reason: 'too long', key: 'k'.repeat(256) },
      { reason: 'with a line break', key: 'a\nb' },
      { reason: 'not ASCII', key: 'schlüssel' },
    ])('refuse one that is $reason', ({ key }) => {
      expect(() => prepare(key, 'x')).toThrow(expect.objectContaining({ code: 'INVALID_IDEMPOTENCY_KEY' }));
    });
  });

  it('end with what Azure said, also where Postgres could not store it', async () => {
    world.answers = [new ControlError('AZURE_REJECTED', 'broken\u0000text \ud800', { externalCode: 'Bad\u0000' })];
    const operation = await accept();
    expect(await run(operation.id)).toBe('ended');
    expect(await find(operation.id)).toMatchObject({
      status: 'Failed',
      error: { message: 'broken\ufffdtext \ufffd', externalCode: 'Bad\ufffd' },
    });
  });

  it('end also when the cache cannot take what was seen', async () => {
    world.cacheFault = new TypeError('the cache is broken');
    const operation = await accept();
    expect(await run(operation.id)).toBe('ended');
    expect(await find(operation.id)).toMatchObject({ status: 'Succeeded' });
    expect(unexpected).toEqual([world.cacheFault]);
    expect(world.ends).toHaveLength(1);
  });

  it('end, and free their target, when this version does not know them', async () => {
    const operation = await accept({ thing: 'unknown' });
    await test.database.query(`UPDATE operation SET type = 'old.type' WHERE id = $1`, [operation.id]);
    expect(await run(operation.id)).toBe('ended');
    expect(await find(operation.id)).toMatchObject({ status: 'Failed', error: { code: 'INTERNAL' } });
    const next = await accept({ thing: 'unknown' });
    expect(await run(next.id)).toBe('ended');
    expect((await find(next.id)).status).toBe('Succeeded');
  });

  it('see work through that is known to go on, also after a look that failed', async () => {
    world.answers = [waiting('t'), new ControlError('AZURE_UNAVAILABLE', 'Busy.', { retry: { kind: 'backoff' } })];
    const operation = await accept();
    await run(operation.id);
    await run(operation.id);
    await test.database.transaction((transaction) => operations.requestCancel(transaction, operation.id));
    expect(await run(operation.id)).toBe('ended');
    expect((await find(operation.id)).status).toBe('Succeeded');
    expect(world.tokensSeen).toEqual([undefined, 't', 't']);
  });

  describe('whose work can be stopped', () => {
    const stopping: AbortOutcome = { outcome: 'stopping', message: 'Azure stops it.', retryAfterSeconds: 30 };
    const cancel = (id: string) =>
      test.database.transaction((transaction) => operations.requestCancel(transaction, id));
    const underWay = async (): Promise<string> => {
      world.answers = [waiting('t'), waiting('t')];
      const { id } = await accept({}, { type: abortable });
      await run(id);
      await cancel(id);
      return id;
    };
    const stepOf = async (id: string) => (await find(id)).steps.find(({ name }) => name === 'change');

    it('are canceled once it has stopped, and ask for that once', async () => {
      world.aborts = [stopping, stopping, { outcome: 'stopped', message: 'Azure has stopped it.' }];
      const id = await underWay();
      expect(await run(id)).toBe('parked');
      expect(await find(id)).toMatchObject({ status: 'Canceling', message: 'Azure stops it.' });
      expect(await run(id)).toBe('parked');
      expect(await run(id)).toBe('ended');
      expect(world.abortsSeen).toEqual([false, true, true]);
      expect(await find(id)).toMatchObject({ status: 'Canceled', error: null });
      expect((await find(id)).message).toContain('Azure has stopped it.');
      expect(await stepOf(id)).toMatchObject({ status: 'Failed', message: 'Azure has stopped it.' });
      expect(world.tokensSeen).toEqual([undefined]);
      expect(world.observed).toBe(1);
    });

    it('see through what cannot be stopped, and ask no more', async () => {
      world.aborts = [{ outcome: 'goes-on', message: 'It cannot be stopped.' }];
      const id = await underWay();
      expect(await run(id)).toBe('parked');
      expect(await run(id)).toBe('ended');
      expect(world.abortsSeen).toEqual([false]);
      expect(await find(id)).toMatchObject({ status: 'Succeeded' });
      expect(world.tokensSeen).toEqual([undefined, 't', 't']);
    });

    it('ask again when nobody knows whether Azure has heard of it', async () => {
      const lost = new ControlError('AZURE_UNAVAILABLE', 'Lost.', { retry: { kind: 'backoff' } });
      world.aborts = [lost, { outcome: 'stopped', message: 'Azure has stopped it.' }];
      const id = await underWay();
      expect(await run(id)).toBe('parked');
      expect(await run(id)).toBe('ended');
      expect(world.abortsSeen).toEqual([false, false]);
      expect((await find(id)).status).toBe('Canceled');
    });

    it('are looked at again at once when the cancellation comes while they ask for their work', async () => {
      const { id } = await accept({}, { type: abortable });
      world.answers = [
        async () => {
          await cancel(id);
          return waiting('t');
        },
      ];
      expect(await run(id)).toBe('parked');
      const [job] = await jobOf(id);
      expect(job!.run_at.getTime()).toBeLessThan(Date.now() + 5_000);
    });
  });

  describe('that note what they are about to ask for', () => {
    it('know it in the next turn when no answer came, and no more when one did', async () => {
      world.notes = 'before the request';
      world.answers = [
        new ControlError('AZURE_TIMEOUT', 'No answer.', { retry: { kind: 'backoff' } }),
        waiting('t'),
        waiting('t'),
      ];
      const { id } = await accept();
      await run(id);
      await run(id);
      world.notes = undefined;
      await run(id);
      expect(world.intentsSeen).toEqual([undefined, 'before the request', undefined]);
      expect(JSON.stringify([await find(id), await operations.findEvents(id, 0, 100)])).not.toContain('before the');
    });

    it('send nothing once another worker has taken them over', async () => {
      const entered = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      const { id } = await accept();
      let noted: Promise<void> | undefined;
      const step = world.step.bind(world);
      world.step = async (context) => {
        entered.resolve();
        await goOn.promise;
        noted = context.noteIntent?.('late');
        await noted;
        return step(context);
      };
      const stalled = run(id);
      await entered.promise;
      world.step = step;
      expect(await run(id)).toBe('ended');
      goOn.resolve();
      expect(await stalled).toBe('not-ours');
      await expect(noted).rejects.toMatchObject({ code: 'FENCED' });
    });
  });

  it('do not wait longer than they may take, whatever Azure asks for', async () => {
    world.answers = [new ControlError('AZURE_THROTTLED', 'Later.', { retry: { kind: 'after', seconds: 86_400 } })];
    const operation = await accept();
    await run(operation.id);
    const { runAfter, deadlineAt } = await find(operation.id);
    expect(runAfter.getTime()).toBeLessThanOrEqual(deadlineAt.getTime() + 1_000);
  });

  it('save their findings together with the end that these bring', async () => {
    world.findings = [{ code: 'BROKEN', severity: 'error', message: 'Broken.', evidence: {} }];
    const operation = await accept();
    await run(operation.id);
    const events = await operations.findEvents(operation.id, 0, 100);
    const failed = events.filter((event) => event.operation.steps[0]?.status === 'Failed');
    expect(failed[0]?.operation.findings).toHaveLength(1);
    expect(await run(operation.id)).toBe('not-ours');
  });

  describe('whose job the engine puts off after failures', () => {
    const failedJob = async (id: string, attempts: number) => {
      await test.database.query(
        `UPDATE graphile_worker._private_jobs SET attempts = $2, run_at = now() + interval '1 hour' WHERE key = 'operation:' || $1`,
        [id, attempts],
      );
    };
    const isDue = async (id: string) => (await jobOf(id))[0]!.run_at.getTime() <= Date.now() + 1_000;

    it.each([
      { reason: 'it should have run', attempts: 6, runAfter: '-1 minute', due: true },
      { reason: 'it waits for its time and has not failed', attempts: 0, runAfter: '-1 minute', due: false },
      { reason: 'the operation itself is for later', attempts: 6, runAfter: '1 minute', due: false },
    ])('are carried on or not: $reason', async ({ attempts, runAfter, due }) => {
      const { id } = await accept();
      await test.database.query(`UPDATE operation SET run_after = now() + $2::interval WHERE id = $1`, [id, runAfter]);
      await failedJob(id, attempts);
      expect(await jobs.retryFailed(test.database, 2)).toBe(due ? 1 : 0);
      expect(await isDue(id)).toBe(due);
      await test.database.query(`SELECT graphile_worker.complete_jobs(array_agg(id)) FROM graphile_worker.jobs`);
    });
  });

  it('whose worker has forgotten them are given back, and those of others are not', async () => {
    const [mine, forgotten, others] = [await accept(), await accept(), await accept()];
    const take = (id: string, pool: string) =>
      test.database.query(
        `UPDATE graphile_worker._private_jobs SET locked_at = now(), locked_by = $2, attempts = 1 WHERE key = 'operation:' || $1`,
        [id, pool],
      );
    await take(mine.id, 'pool-a');
    const [works] = await jobs.findTakenBy(test.database, 'pool-a');
    await take(forgotten.id, 'pool-a');
    await take(others.id, 'pool-b');
    const idle = (await jobs.findTakenBy(test.database, 'pool-a')).filter((id) => id !== works);
    expect(
      await jobs.giveBack(test.database, 'pool-a', [...idle, ...(await jobs.findTakenBy(test.database, 'pool-b'))]),
    ).toBe(1);
    const { rows } = await test.database.query<{ key: string }>(
      `SELECT key FROM graphile_worker.jobs WHERE locked_by IS NULL AND run_at <= now() AND key = ANY ($1)`,
      [[mine.id, forgotten.id, others.id].map((id) => `operation:${id}`)],
    );
    expect(rows).toEqual([{ key: `operation:${forgotten.id}` }]);
    await test.database.query(`SELECT graphile_worker.force_unlock_workers(ARRAY['pool-a', 'pool-b'])`);
    await test.database.query(`SELECT graphile_worker.complete_jobs(array_agg(id)) FROM graphile_worker.jobs`);
  });

  it('that nobody looks after are found', async () => {
    world.answers = [waiting('t')];
    const operation = await accept();
    await run(operation.id);
    await test.database.query(`UPDATE operation SET run_after = now() - interval '1 min' WHERE id = $1`, [
      operation.id,
    ]);
    expect(await operations.findAbandoned(30, 100)).not.toContain(operation.id);
    await test.database.query(`SELECT graphile_worker.remove_job($1)`, [`operation:${operation.id}`]);
    expect(await operations.findAbandoned(30, 100)).toContain(operation.id);
  });

  it('are listed newest first, page by page, by any filter', async () => {
    const principal = randomUUID();
    const made = [];
    for (let index = 0; index < 5; index++) made.push(await accept({ thing: `listed-${principal}` }, { principal }));
    const filter = { targetUid: made[0]!.target.uid, type: definition.type, statuses: ['Pending'] as const };
    const first = await operations.findPage(filter, null, 3);
    const rest = await operations.findPage(filter, first.at(-1)!.position, 3);
    expect([...first, ...rest].map((row) => row.operation.id)).toEqual(made.map((operation) => operation.id).reverse());
    expect(await operations.findPage({ ...filter, statuses: ['Failed'] }, null, 3)).toEqual([]);
  });
});
