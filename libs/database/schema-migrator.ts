import type { DataSource } from 'typeorm';

/** Any 64-bit number that nothing else in this database locks: "pilothou" in ASCII. */
const MIGRATION_LOCK = '8101243736208666485';

/**
 * Brings the schema up to date. Several processes may start at once: one migrates, the others wait for it on an advisory
 * lock that the server frees by itself when its holder dies.
 * @returns the names of the migrations that were run.
 */
export async function migrateSchema(dataSource: DataSource): Promise<string[]> {
  const runner = dataSource.createQueryRunner();
  await runner.connect();
  try {
    // The other process may take its time.
    await runner.query('SET statement_timeout = 0');
    await runner.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    try {
      const migrations = await dataSource.runMigrations();
      return migrations.map((migration) => migration.name);
    } finally {
      await runner.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
      await runner.query('RESET statement_timeout');
    }
  } finally {
    await runner.release();
  }
}

/** Whether the schema lacks a migration that this build brings. */
export async function hasPendingMigrations(dataSource: DataSource): Promise<boolean> {
  return dataSource.showMigrations();
}
