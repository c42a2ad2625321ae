import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { createDataSource } from '#libs/database/data-source.js';
import { Database } from '#libs/database/database.js';
import { Secret } from '#libs/kernel/secret.js';

const TEMPLATE = 'template_pilothouse';
const POOL_SIZE = 10;

/** A database of one test file, with the whole schema and no rows. */
export interface TestDatabase {
  database: Database;
  url: Secret;
  /** Closes the connections and removes the database. */
  drop(): Promise<void>;
}

/** Clones the template that the integration project's global setup (test/postgres.global-setup.js) has made. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await asAdministrator(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
  const address = new URL(administratorUrl());
  address.pathname = `/${name}`;
  const url = new Secret(address.href);
  const dataSource = createDataSource({
    url,
    poolSize: POOL_SIZE,
    applicationName: 'pilothouse-test',
    statementTimeoutMs: 30_000,
  });
  await dataSource.initialize();
  const database = new Database(dataSource);
  return {
    database,
    url,
    drop: async () => {
      await database.close();
      // A listener that a failed test left behind must not keep the database.
      await asAdministrator(`DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

/** An empty database without any schema on the same server: for tests of the migrations themselves. */
export async function createEmptyDatabase(): Promise<{ url: Secret; drop: () => Promise<void> }> {
  const name = `empty_${randomBytes(8).toString('hex')}`;
  await asAdministrator(`CREATE DATABASE ${name} TEMPLATE template0`);
  const address = new URL(administratorUrl());
  address.pathname = `/${name}`;
  return { url: new Secret(address.href), drop: () => asAdministrator(`DROP DATABASE ${name} WITH (FORCE)`) };
}

function administratorUrl(): string {
  const url = process.env.PILOTHOUSE_TEST_POSTGRES;
  if (url === undefined) throw new Error('Integration tests need the Jest project "integration" and its global setup');
  return url;
}

async function asAdministrator(statement: string): Promise<void> {
  const client = new Client({ connectionString: administratorUrl() });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
