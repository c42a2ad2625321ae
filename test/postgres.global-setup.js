import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createDataSource } from '../dist/libs/database/data-source.js';
import { EmbeddedPostgres } from '../dist/libs/database/embedded-postgres.js';
import { prepareSchema, entities, migrations } from '../dist/migrations/schema.js';

/**
 * One server for all integration tests, with the whole schema in a template database that each test file clones
 * (libs/testing/test-database.ts). Runs from dist because Jest does not transform its global setup.
 */
export default async function setup() {
  const directory = await mkdtemp(path.join(tmpdir(), 'pilothouse-integration-'));
  const postgres = new EmbeddedPostgres({ directory, database: 'template_pilothouse', throwAway: true });
  const url = await postgres.start();
  globalThis.pilothouseTestPostgres = { postgres, directory };

  const dataSource = createDataSource({
    url,
    poolSize: 2,
    applicationName: 'pilothouse-template',
    statementTimeoutMs: 60_000,
    entities,
    migrations,
  });
  await dataSource.initialize();
  try {
    await prepareSchema(dataSource);
  } finally {
    await dataSource.destroy();
  }
  const admin = new URL(url.reveal());
  admin.pathname = '/postgres';
  process.env.PILOTHOUSE_TEST_POSTGRES = admin.href;
}
