import type { Pool, PoolClient } from 'pg';
import { type DataSource } from 'typeorm';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Sql, SqlResult, Transaction } from './sql.js';

/** SQLSTATEs that mean "the same transaction may well succeed now" (PostgreSQL documentation, appendix A). */
const SERIALIZATION_FAILURES = new Set(['40001', '40P01']);
const TRANSACTION_ATTEMPTS = 5;

/** The connections to Postgres: TypeORM's pool, used for its migrations and for the repositories' own SQL. */
export class Database implements Sql {
  /** @param dataSource an initialised one. */
  constructor(readonly dataSource: DataSource) {
    // A connection that breaks while it is in use fails the query on it; without a listener it would end the process too.
    this.pool.on('connect', (client) => client.on('error', () => undefined));
  }

  /** The pg pool, for libraries that bring their own SQL (the job engine). */
  get pool(): Pool {
    const { driver } = this.dataSource;
    if (!('master' in driver)) throw new TypeError('The data source is not a Postgres data source');
    return driver.master as Pool;
  }

  async query<Row extends object>(
    text: string,
    values: readonly unknown[] = [],
    name?: string,
  ): Promise<SqlResult<Row>> {
    return run<Row>(this.pool, text, values, name);
  }

  /**
   * Runs `work` in one transaction (read committed). A deadlock or serialisation failure runs it again, so `work` must
   * have no effect outside the database.
   */
  async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt('BEGIN', work);
      } catch (error) {
        if (attempt >= TRANSACTION_ATTEMPTS || !SERIALIZATION_FAILURES.has(sqlState(error) ?? '')) throw error;
      }
    }
  }

  /** One snapshot for several reads. */
  async snapshot<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return this.#attempt('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', work);
  }

  async #attempt<T>(begin: string, work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    // The pool itself listens only while it has the connection, and ours on `connect` came after the first of them.
    const onError = (): void => undefined;
    client.on('error', onError);
    let broken: Error | undefined;
    try {
      await client.query(begin);
      const result = await work(asTransaction(client));
      await client.query('COMMIT');
      return result;
    } catch (error) {
      try {
        await client.query('ROLLBACK');
      } catch (rollbackError) {
        // The connection is gone, and with it the transaction; the pool must not hand it out again.
        broken = Error.isError(rollbackError) ? rollbackError : new Error(String(rollbackError));
      }
      throw error;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  /** @throws ControlError UNAVAILABLE when the database does not answer. */
  async ping(): Promise<void> {
    try {
      await this.pool.query('SELECT 1');
    } catch (error) {
      throw new ControlError('UNAVAILABLE', 'The database does not answer.', {
        retry: { kind: 'backoff' },
        cause: error,
      });
    }
  }

  async close(): Promise<void> {
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }
}

/** SQLSTATE classes of faults that pass: connections, rollbacks, resources, an operator's intervention. */
const PASSING_CLASSES = new Set(['08', '40', '53', '57']);
/** What pg and its pool say without a code when a connection is gone or none is free. */
const PASSING_MESSAGES =
  /not queryable|Connection terminated|timeout exceeded when trying to connect|Client was closed/i;

/** Whether it is a fault of the database, or of the way to it, that may be gone at the next attempt. */
export function isPassingDatabaseFault(error: unknown): boolean {
  if (!Error.isError(error)) return false;
  const state = sqlState(error) ?? '';
  if ('severity' in error) return PASSING_CLASSES.has(state.slice(0, 2));
  return PASSING_MESSAGES.test(error.message) || /^(ECONN|EPIPE|ETIMEDOUT)/.test(state);
}

/** The SQLSTATE of a database error, undefined for anything else. */
export function sqlState(error: unknown): string | undefined {
  return Error.isError(error) && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

async function run<Row extends object>(
  target: Pool | PoolClient,
  text: string,
  values: readonly unknown[],
  name: string | undefined,
): Promise<SqlResult<Row>> {
  const result = await target.query<Row>({ text, values: [...values], ...(name === undefined ? {} : { name }) });
  return { rows: result.rows, rowCount: result.rowCount ?? 0 };
}

function asTransaction(client: PoolClient): Transaction {
  const sql: Sql = {
    query: <Row extends object>(text: string, values: readonly unknown[] = [], name?: string) =>
      run<Row>(client, text, values, name),
  };
  return sql as Transaction;
}
