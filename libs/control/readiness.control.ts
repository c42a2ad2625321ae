import { ControlError } from '#libs/kernel/control-error.js';
import type { Database } from '#libs/database/database.js';
import { hasPendingMigrations } from '#libs/database/schema-migrator.js';
import type { JobQueueRepository } from '#libs/operations/job-queue.repository.js';

export interface ReadinessCheck {
  name: 'database' | 'migrations' | 'jobs';
  ok: boolean;
  message: string | null;
}

export interface Readiness {
  ready: boolean;
  checks: ReadinessCheck[];
}

/** Whether this process can serve: asked by whoever routes requests to it. */
export class ReadinessControl {
  constructor(
    private readonly database: Database,
    private readonly jobs: JobQueueRepository,
  ) {}

  async check(): Promise<Readiness> {
    const checks = await Promise.all([
      check('database', 'The database does not answer.', () => this.database.ping()),
      check('migrations', 'The schema is not known.', async () => {
        if (await hasPendingMigrations(this.database.dataSource)) {
          throw new ControlError('UNAVAILABLE', 'The schema lacks migrations of this version.');
        }
      }),
      check('jobs', 'The job queue cannot be read.', () => this.jobs.measureBacklog(this.database)),
    ]);
    return { ready: checks.every((each) => each.ok), checks };
  }
}

/** Any failure means "not ready": what exactly failed is in the log of the database's own errors, not in the answer. */
async function check(
  name: ReadinessCheck['name'],
  fallback: string,
  work: () => Promise<unknown>,
): Promise<ReadinessCheck> {
  try {
    await work();
    return { name, ok: true, message: null };
  } catch (error) {
    return { name, ok: false, message: error instanceof ControlError ? error.message : fallback };
  }
}
