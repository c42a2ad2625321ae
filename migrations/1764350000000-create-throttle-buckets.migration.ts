import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The budgets of calls to Azure, which all workers and API processes share. What is lost of them is full again. */
export class CreateThrottleBuckets1764350000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE UNLOGGED TABLE throttle_bucket (
        scope text NOT NULL,
        call_class text NOT NULL,
        capacity double precision NOT NULL,
        refill_per_second double precision NOT NULL,
        tokens double precision NOT NULL,
        at timestamptz NOT NULL,
        closed_until timestamptz NOT NULL,
        callers jsonb NOT NULL DEFAULT '{}',
        version bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (scope, call_class)
      ) WITH (fillfactor = 50)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE throttle_bucket`);
  }
}
