import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a step has to know after a request without an answer, and whether the work it waits for was asked to stop. */
export class CreateOperationAborts1764330000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE operation_step
        ADD COLUMN intent text,
        ADD COLUMN abort_state text CONSTRAINT operation_step_abort_known CHECK (abort_state IN ('asked', 'refused'))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE operation_step DROP COLUMN intent, DROP COLUMN abort_state`);
  }
}
