import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What is let go of, and what does not move. */
export class CreateOperationHousekeeping1764310000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE operation ADD COLUMN stuck_since timestamptz`);
    await runner.query(`CREATE INDEX operation_stuck ON operation (stuck_since) WHERE stuck_since IS NOT NULL`);
    // Retention takes the oldest ends first.
    await runner.query(`CREATE INDEX operation_by_end ON operation (ended_at) WHERE ended_at IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX operation_by_end`);
    await runner.query(`DROP INDEX operation_stuck`);
    await runner.query(`ALTER TABLE operation DROP COLUMN stuck_since`);
  }
}
