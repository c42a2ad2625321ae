import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EmbeddedPostgres } from '#libs/database/embedded-postgres.js';

/** A cluster of its own, thrown away at the end: for tests that stop or kill the server itself. */
export async function startTestPostgres(): Promise<{ postgres: EmbeddedPostgres; remove: () => Promise<void> }> {
  const directory = await mkdtemp(path.join(tmpdir(), 'pilothouse-test-'));
  const postgres = new EmbeddedPostgres({ directory, database: 'pilothouse', throwAway: true });
  await postgres.start();
  return {
    postgres,
    remove: async () => {
      await postgres.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
