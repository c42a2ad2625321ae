import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { createDataSource } from '#libs/database/data-source.js';
import { hasPendingMigrations } from '#libs/database/schema-migrator.js';
import { createEmptyDatabase } from '#libs/testing/test-database.js';
import { entities, migrations, prepareSchema } from './schema.js';

/**
 * What TypeORM would do to make the tables look like the entities. Indexes, foreign keys and checks are the migrations' own:
 * most of them say more than an entity can, so what TypeORM would drop of them is no drift.
 */
async function drift(dataSource: DataSource): Promise<string[]> {
  const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
  return upQueries
    .map(({ query }) => query)
    .filter((query) => !/^DROP INDEX |^ALTER TABLE \S+ DROP CONSTRAINT /.test(query));
}

async function publicObjects(dataSource: DataSource): Promise<string[]> {
  const rows: { name: string }[] = await dataSource.query(
    `SELECT relkind::text || ' ' || relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace
     UNION ALL
     SELECT 'f ' || p.oid::regprocedure::text FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
     UNION ALL
     SELECT 't ' || tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE NOT tgisinternal
       AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
     ORDER BY 1`,
  );
  return rows.map((row) => row.name);
}

describe('the schema', () => {
  let dataSource: DataSource;
  let drop: () => Promise<void>;

  beforeEach(async () => {
    const empty = await createEmptyDatabase();
    drop = empty.drop;
    dataSource = createDataSource({
      url: empty.url,
      poolSize: 3,
      applicationName: 'pilothouse-test',
      statementTimeoutMs: 30_000,
      entities,
      migrations,
    });
    await dataSource.initialize();
  });

  afterEach(async () => {
    await dataSource.destroy();
    await drop();
  });

  it('is what the entities say once all migrations have run', async () => {
    const names = await prepareSchema(dataSource);
    expect(names).toHaveLength(migrations.length);
    expect(await hasPendingMigrations(dataSource)).toBe(false);
    expect(await drift(dataSource)).toEqual([]);
  });

  it.each([
    { reason: 'a column that the code does not know', sql: 'ALTER TABLE scope ADD COLUMN surplus text' },
    { reason: 'a column of another type', sql: 'ALTER TABLE scope ALTER COLUMN failures TYPE bigint' },
    { reason: 'a column that may be null', sql: 'ALTER TABLE resource ALTER COLUMN name DROP NOT NULL' },
    { reason: 'a missing column', sql: 'ALTER TABLE relation DROP COLUMN type' },
    { reason: 'another default', sql: 'ALTER TABLE scope ALTER COLUMN failures SET DEFAULT 1' },
    { reason: 'a missing table', sql: 'DROP TABLE observation_lease' },
  ])('shows drift: $reason', async ({ sql }) => {
    await prepareSchema(dataSource);
    await dataSource.query(sql);
    expect(await drift(dataSource)).not.toEqual([]);
  });

  it('is prepared once, however many processes start at the same time', async () => {
    const names = await Promise.all([prepareSchema(dataSource), prepareSchema(dataSource)]);
    expect(names.flat().sort()).toEqual(migrations.map((migration) => migration.name).sort());
  });

  it('goes back step by step to nothing, and forward again to the same', async () => {
    await prepareSchema(dataSource);
    const complete = await publicObjects(dataSource);
    while ((await dataSource.query<unknown[]>('SELECT FROM schema_migration')).length > 0) {
      await dataSource.undoLastMigration();
    }
    await dataSource.query('DROP TABLE schema_migration');
    expect(await publicObjects(dataSource)).toEqual([]);
    await prepareSchema(dataSource);
    expect(await publicObjects(dataSource)).toEqual(complete);
  });
});
