import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The transitions of all operations as one feed that a reader can resume. */
export class CreateOperationFeed1764340000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE operation_event
        ADD COLUMN xid bigint NOT NULL DEFAULT (pg_current_xact_id()::text)::bigint,
        ADD COLUMN seq bigint GENERATED ALWAYS AS IDENTITY`);
    await runner.query(`CREATE INDEX operation_event_feed ON operation_event (xid, seq)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX operation_event_feed`);
    await runner.query(`ALTER TABLE operation_event DROP COLUMN xid, DROP COLUMN seq`);
  }
}
