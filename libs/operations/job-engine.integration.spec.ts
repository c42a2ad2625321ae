import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { delay } from '#libs/kernel/clock.js';
import { WorkerLease } from '#libs/kernel/worker-lease.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { JobEngine } from './job-engine.js';
import { JobQueueRepository } from './job-queue.repository.js';
import type { OperationRepository } from './operation.repository.js';
import type { OperationRunner } from './operation.runner.js';

/** Several sweeps. */
const LONG_MS = 30_000;

describe('the job engine', () => {
  const jobs = new JobQueueRepository();
  const nothing = (): void => {};
  let test: TestDatabase;
  let engine: JobEngine;
  /** What was run, in order. */
  let ran: string[];
  /** Operations that run until they are let go. */
  let long: Map<string, PromiseWithResolvers<void>>;

  beforeEach(async () => {
    test = await createTestDatabase();
    ran = [];
    long = new Map();
    const runner: Pick<OperationRunner, 'run'> = {
      run: async (operationId) => {
        ran.push(operationId);
        await long.get(operationId)?.promise;
        return 'ended';
      },
    };
    const operations: Pick<OperationRepository, 'findAbandoned'> = { findAbandoned: () => Promise.resolve([]) };
    engine = new JobEngine(
      test.database,
      operations as OperationRepository,
      runner as OperationRunner,
      { advance: async () => {}, sweep: async () => {} },
      { info: nothing, error: nothing },
      { concurrency: 2, shutdownGraceMs: 1_000 },
      new WorkerLease(),
      test.database,
    );
  });
  afterEach(async () => {
    for (const { resolve } of long.values()) resolve();
    await engine.stop();
    await test.drop();
  });

  async function until(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
    for (const deadline = Date.now() + LONG_MS; Date.now() < deadline;) {
      if (await look()) return;
      await delay(50);
    }
    throw new Error(`No ${what}`);
  }
  const jobsLeft = async () => {
    const { rows } = await test.database.query<{ count: number }>('SELECT count(*)::int FROM graphile_worker.jobs');
    return rows[0]?.count;
  };

  it('runs what is due', async () => {
    const id = randomUUID();
    await jobs.schedule(test.database, id, 0);
    await engine.start();
    await until('end of the job', async () => (await jobsLeft()) === 0);
    expect(ran).toEqual([id]);
  });

  it(
    'soon tries a job again that failed, however long graphile-worker would put it off by now',
    async () => {
      const id = randomUUID();
      await jobs.schedule(test.database, id, 0);
      // As after a dozen failures: the next attempt is hours away.
      await test.database.query(
        `UPDATE graphile_worker._private_jobs
         SET attempts = 12, run_at = now() + interval '4 hours', created_at = now() - interval '1 hour'`,
      );
      await engine.start();
      await until('further attempt', () => ran.length > 0);
      expect(ran).toEqual([id]);
    },
    LONG_MS + 10_000,
  );

  it(
    'leaves a job alone that is put off because its operation waits',
    async () => {
      const [waiting, failed] = [randomUUID(), randomUUID()];
      await jobs.schedule(test.database, waiting, 3_600);
      await jobs.schedule(test.database, failed, 3_600);
      await test.database.query(
        `UPDATE graphile_worker._private_jobs SET attempts = 1, created_at = now() - interval '1 hour'
         WHERE key = 'operation:' || $1`,
        [failed],
      );
      await engine.start();
      await until('further attempt of the failed one', () => ran.includes(failed));
      expect(ran).toEqual([failed]);
    },
    LONG_MS + 10_000,
  );

  it(
    'gives a job back whose end could not be written down, and none that still runs',
    async () => {
      const [running, forgotten] = [randomUUID(), randomUUID()];
      const end = Promise.withResolvers<void>();
      long.set(running, end);
      await jobs.schedule(test.database, running, 0);
      await engine.start();
      await until('beginning of the long one', () => ran.includes(running));
      // Taken by this worker, which does not work on it: as where the database was away when the job ended.
      await jobs.schedule(test.database, forgotten, 3_600);
      await test.database.query(
        `UPDATE graphile_worker._private_jobs AS forgotten SET locked_at = now(), locked_by = running.locked_by
         FROM graphile_worker._private_jobs AS running
         WHERE forgotten.key = 'operation:' || $1 AND running.key = 'operation:' || $2`,
        [forgotten, running],
      );
      await until('run of the forgotten one', () => ran.includes(forgotten));
      expect(ran).toEqual([running, forgotten]);
      end.resolve();
      await until('end of both', async () => (await jobsLeft()) === 0);
    },
    2 * LONG_MS,
  );
});
