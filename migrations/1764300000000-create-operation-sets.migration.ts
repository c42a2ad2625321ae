import type { MigrationInterface, QueryRunner } from 'typeorm';

/** One operation type applied to many targets: the sets, their items, and their events. */
export class CreateOperationSets1764300000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE operation_set (
        id uuid PRIMARY KEY,
        type text NOT NULL,
        status text NOT NULL CONSTRAINT operation_set_status_known
          CHECK (status IN ('Running', 'Paused', 'Stopping', 'Succeeded', 'Failed', 'Stopped')),
        dry_run boolean NOT NULL,
        input jsonb NOT NULL,
        target_field text NOT NULL,
        selection jsonb NOT NULL,
        maximum_concurrency integer NOT NULL CHECK (maximum_concurrency > 0),
        failure_threshold integer CHECK (failure_threshold >= 0),
        skip_refused boolean NOT NULL,
        wave_by text,
        wave_order jsonb NOT NULL,
        message text,
        principal_id uuid NOT NULL,
        requested_by text NOT NULL,
        correlation_id text NOT NULL,
        idempotency_key text,
        idempotency_hash text,
        event_sequence integer NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL DEFAULT now(),
        ended_at timestamptz
      )`);
    await runner.query(`
      CREATE UNIQUE INDEX operation_set_idempotency ON operation_set (principal_id, idempotency_key)
      WHERE idempotency_key IS NOT NULL`);
    await runner.query(`CREATE INDEX operation_set_newest ON operation_set (created_at DESC, id DESC)`);
    await runner.query(`CREATE INDEX operation_set_open ON operation_set (id) WHERE ended_at IS NULL`);
    await runner.query(`
      CREATE TABLE operation_set_item (
        set_id uuid NOT NULL REFERENCES operation_set (id) ON DELETE CASCADE,
        position integer NOT NULL,
        target_uid uuid NOT NULL,
        target_id text NOT NULL,
        target_kind text NOT NULL,
        wave integer NOT NULL,
        wave_value text,
        status text NOT NULL DEFAULT 'Waiting' CONSTRAINT operation_set_item_status_known
          CHECK (status IN ('Waiting', 'Running', 'Succeeded', 'Failed', 'Skipped', 'Canceled')),
        attempts integer NOT NULL DEFAULT 0,
        operation_id uuid,
        problem jsonb,
        PRIMARY KEY (set_id, position)
      )`);
    await runner.query(`
      CREATE INDEX operation_set_item_open ON operation_set_item (set_id, wave, position)
      WHERE status IN ('Waiting', 'Running')`);
    await runner.query(`
      CREATE TABLE operation_set_event (
        set_id uuid NOT NULL REFERENCES operation_set (id) ON DELETE CASCADE,
        sequence integer NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        snapshot jsonb NOT NULL,
        PRIMARY KEY (set_id, sequence)
      )`);
    await runner.query(`ALTER TABLE operation ADD COLUMN set_id uuid`);
    await runner.query(`
      CREATE INDEX operation_of_set ON operation (set_id, created_at DESC, id DESC) WHERE set_id IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX operation_of_set`);
    await runner.query(`ALTER TABLE operation DROP COLUMN set_id`);
    await runner.query(`DROP TABLE operation_set_event, operation_set_item, operation_set`);
  }
}
