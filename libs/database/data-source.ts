import 'reflect-metadata';
import { DataSource, type MixedList } from 'typeorm';
import type { Secret } from '#libs/kernel/secret.js';

/** Work in a transaction is in memory: this is long for it, and short for those who wait for the locks. */
const IDLE_TRANSACTION_TIMEOUT_MS = 5_000;

export interface DataSourceSettings {
  url: Secret;
  poolSize: number;
  /** Shown in `pg_stat_activity`. */
  applicationName: string;
  /** Milliseconds after which a single statement is given up by the server. */
  statementTimeoutMs: number;
  /**
   * Milliseconds after which a transaction in which nothing happens is given up. A process that stands still (a paused
   * machine) would else keep what it has locked from everybody, for as long as it stands still. 5,000 where absent.
   */
  idleTransactionTimeoutMs?: number;
  entities?: MixedList<new () => object>;
  migrations?: MixedList<new () => object>;
}

/** A TypeORM data source that never changes the schema by itself: only migrations do. */
export function createDataSource(settings: DataSourceSettings): DataSource {
  return new DataSource({
    type: 'postgres',
    url: settings.url.reveal(),
    applicationName: settings.applicationName,
    entities: settings.entities ?? [],
    migrations: settings.migrations ?? [],
    migrationsTableName: 'schema_migration',
    migrationsTransactionMode: 'each',
    synchronize: false,
    logging: false,
    poolSize: settings.poolSize,
    // A connection that the server or a restart closed while idle is no fault: the pool makes a new one.
    poolErrorHandler: () => undefined,
    extra: {
      // Times that Postgres itself turns into text (in JSON, in cursors) look the same everywhere.
      options: '-c timezone=UTC',
      statement_timeout: settings.statementTimeoutMs,
      idle_in_transaction_session_timeout: settings.idleTransactionTimeoutMs ?? IDLE_TRANSACTION_TIMEOUT_MS,
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
    },
  });
}
