import { EventEmitter } from 'node:events';
import { Logger, makeWorkerUtils, run, type Runner, type WorkerEvents } from 'graphile-worker';
import { z } from 'zod';
import { delay } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { WorkerLease } from '#libs/kernel/worker-lease.js';
import type { Database } from '#libs/database/database.js';
import type { Sql } from '#libs/database/sql.js';
import { ADVANCE_SET_TASK, JobQueueRepository, RUN_OPERATION_TASK } from './job-queue.repository.js';
import type { OperationRepository } from './operation.repository.js';
import type { OperationRunner } from './operation.runner.js';
import type { OperationSetEngine } from './operation-set.engine.js';
import { WorkerProcessRepository } from './worker-process.repository.js';

const payloadSchema = z.object({ operationId: z.uuid() });
const setPayloadSchema = z.object({ setId: z.uuid() });

/** A worker that has not been heard of for so long is taken for dead; its fenced claims can do no harm if it is not. */
const SILENCE_SECONDS = 5;
/** A worker that has not been confirmed for so long writes nothing any more: sooner than others may take over. */
const LEASE_MS = 4_000;
const BEAT_MS = 1_000;
/** An open operation without a job for so long is given one. */
const ABANDONED_SECONDS = 30;
/** A job that failed and should have run for so long is run again, whatever the job engine has in mind. */
const FAILED_SECONDS = 2;
const SWEEP_EVERY_BEATS = 5;
const FIRST_RELAUNCH_MS = 250;
const LONGEST_RELAUNCH_MS = 5_000;

export interface JobEngineSettings {
  /** Operations that this process carries forward at the same time. */
  concurrency: number;
  /** How long a stopping worker waits for its turns to end. */
  shutdownGraceMs: number;
}

export interface JobEngineLog {
  info(message: string, fields: Record<string, unknown>): void;
  error(message: string, fields: Record<string, unknown>): void;
}

/** Brings graphile-worker's own schema up to date. */
export async function migrateJobEngine(database: Database): Promise<void> {
  const utils = await makeWorkerUtils({ pgPool: database.pool });
  try {
    await utils.migrate();
  } finally {
    await utils.release();
  }
}

/** Runs the jobs of operations with graphile-worker, and notices workers that have died. */
export class JobEngine {
  /** No more work is taken. */
  readonly #ending = new AbortController();
  /** What runs must come to its end. */
  readonly #stopping = new AbortController();
  readonly #processes: WorkerProcessRepository;
  readonly #jobs = new JobQueueRepository();
  #runner: Runner | undefined;
  #supervision: Promise<void> | undefined;
  #poolId: string | undefined;
  #beating: NodeJS.Timeout | undefined;
  #beats = 0;
  #lapsesTold = 0;
  #beat: Promise<void> = Promise.resolve();
  /** Jobs that this process works on, and those that it had taken without working on them at the last look. */
  readonly #worksOn = new Set<string>();
  #idleBefore: ReadonlySet<string> = new Set();

  constructor(
    private readonly database: Database,
    private readonly operations: OperationRepository,
    private readonly runner: OperationRunner,
    private readonly sets: Pick<OperationSetEngine, 'advance' | 'sweep'>,
    private readonly log: JobEngineLog,
    private readonly settings: JobEngineSettings,
    private readonly lease: WorkerLease,
    /** Connections for the heartbeat alone, which must not wait behind the work: a late one ends the lease. */
    heart: Sql,
  ) {
    this.#processes = new WorkerProcessRepository(heart);
  }

  /** Resolves when the engine has taken up its work; from then on it is started again whenever it fails. */
  async start(): Promise<void> {
    const first = await this.#launch();
    this.#supervision = this.#supervise(first);
    await this.#beatOnce();
    this.#beating = setInterval(() => {
      this.#beat = this.#beat
        .then(() => this.#beatOnce())
        .catch((error: unknown) => {
          this.log.error('The heartbeat of the worker failed', { err: error });
        });
    }, BEAT_MS);
  }

  /** Whether jobs are being taken: false while the engine is started again after a failure, and once it is to stop. */
  get isRunning(): boolean {
    return this.#runner !== undefined && !this.#ending.signal.aborted;
  }

  /**
   * Lets the running turns save where they are, gives their jobs back, and resolves when nothing runs any more. The heart
   * beats to the end: without it the other workers would take over what still runs here.
   */
  async stop(): Promise<void> {
    this.#ending.abort();
    const grace = setTimeout(
      () => this.#stopping.abort(new Error('The worker is stopping')),
      this.settings.shutdownGraceMs,
    );
    await this.#runner?.stop();
    await this.#supervision;
    clearTimeout(grace);
    clearInterval(this.#beating);
    await this.#beat;
    if (this.#poolId !== undefined) await this.#processes.remove(this.#poolId);
  }

  async #launch(): Promise<Runner> {
    const events: WorkerEvents = new EventEmitter();
    events.on('pool:create', ({ workerPool }) => {
      this.#poolId = workerPool.id;
    });
    this.#runner = await run({
      pgPool: this.database.pool,
      concurrency: this.settings.concurrency,
      noHandleSignals: true,
      pollInterval: 1_000,
      events,
      logger: new Logger(() => (level, message, meta) => {
        if (level === 'error') this.log.error(message, { ...meta });
      }),
      taskList: {
        [RUN_OPERATION_TASK]: (payload, { job }) =>
          this.#working(job.id, async () => {
            const { operationId } = payloadSchema.parse(payload);
            await this.runner.run(operationId, await this.#turnSignal());
          }),
        [ADVANCE_SET_TASK]: (payload, { job }) =>
          this.#working(job.id, () => this.sets.advance(setPayloadSchema.parse(payload).setId)),
      },
    });
    return this.#runner;
  }

  async #working(jobId: string, work: () => Promise<void>): Promise<void> {
    this.#worksOn.add(jobId);
    try {
      await work();
    } finally {
      this.#worksOn.delete(jobId);
    }
  }

  /**
   * The job engine writes down that a job has ended without making sure of it: where the database was away just then, the job
   * stays taken by this worker, which is alive, and nobody would ever work on it again.
   */
  async #giveBackForgotten(poolId: string): Promise<void> {
    const taken = await this.#jobs.findTakenBy(this.database, poolId);
    const idle = taken.filter((id) => !this.#worksOn.has(id));
    // Seen twice, since one that has just ended is being written down.
    const forgotten = idle.filter((id) => this.#idleBefore.has(id));
    this.#idleBefore = new Set(idle);
    if (forgotten.length === 0) return;
    const jobs = await this.#jobs.giveBack(this.database, poolId, forgotten);
    this.log.info('Jobs whose end was not written down are given back', { jobs });
  }

  /** graphile-worker gives up when the database goes away while it ends a job; the next attempt finds it back. */
  async #supervise(first: Runner): Promise<void> {
    const { signal } = this.#ending;
    let runner: Runner | undefined = first;
    for (let pauseMs = FIRST_RELAUNCH_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_RELAUNCH_MS)) {
      try {
        runner ??= await this.#launch();
        await runner.promise;
      } catch (error) {
        this.log.error('The job engine failed and is started again', { err: error });
      }
      runner = undefined;
      this.#runner = undefined;
      // Only the stop ends the pause early.
      await delay(pauseMs, signal).catch(() => undefined);
    }
  }

  /** A turn ends when the worker stops, and when it may have been taken for dead: then nothing of it is sent any more. */
  async #turnSignal(): Promise<AbortSignal> {
    if (this.lease.term === undefined) await this.#renewLease();
    const { term } = this.lease;
    if (term === undefined) {
      throw new ControlError('FENCED', 'The worker could not renew its lease.', { retry: { kind: 'backoff' } });
    }
    return AbortSignal.any([this.#stopping.signal, term]);
  }

  async #renewLease(): Promise<void> {
    if (this.#poolId === undefined) return;
    const asked = this.lease.now();
    const wasKnown = await this.#processes.beat(this.#poolId);
    this.lease.renew(asked, LEASE_MS, wasKnown);
    if (this.lease.lapses > this.#lapsesTold) {
      this.log.info('The lease of this worker has lapsed: what it did then was given up', {
        lapses: this.lease.lapses,
      });
    }
    this.#lapsesTold = this.lease.lapses;
  }

  async #beatOnce(): Promise<void> {
    if (this.#poolId === undefined) return;
    await this.#renewLease();
    const silent = await this.#processes.releaseSilent(SILENCE_SECONDS);
    if (silent.length > 0) this.log.info('Took over the jobs of workers that fell silent', { pools: silent });
    this.#beats += 1;
    if (this.#beats % SWEEP_EVERY_BEATS !== 0) return;
    await this.#giveBackForgotten(this.#poolId);
    const failed = await this.#jobs.retryFailed(this.database, FAILED_SECONDS);
    if (failed > 0) this.log.info('Jobs that failed are tried again', { jobs: failed });
    for (const operationId of await this.operations.findAbandoned(ABANDONED_SECONDS, 100)) {
      await this.#jobs.schedule(this.database, operationId, 0);
    }
    await this.sets.sweep(100);
  }
}
