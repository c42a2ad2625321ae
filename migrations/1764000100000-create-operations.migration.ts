import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Operations, their steps and events, and the worker processes that run them. */
export class CreateOperations1764000100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE operation (
        id uuid PRIMARY KEY,
        type text NOT NULL,
        status text NOT NULL CONSTRAINT operation_status_known
          CHECK (status IN ('Pending', 'Running', 'Waiting', 'Canceling', 'Succeeded', 'Failed', 'Canceled')),
        dry_run boolean NOT NULL,
        target_uid uuid NOT NULL,
        target_id text NOT NULL,
        target_kind text NOT NULL,
        lock_key text,
        input jsonb NOT NULL,
        resource_references jsonb NOT NULL,
        findings jsonb NOT NULL DEFAULT '[]',
        error jsonb,
        result jsonb,
        message text,
        principal_id uuid NOT NULL,
        requested_by text NOT NULL,
        correlation_id text NOT NULL,
        idempotency_key text,
        idempotency_hash text,
        fence bigint NOT NULL DEFAULT 0,
        event_sequence integer NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL DEFAULT now(),
        started_at timestamptz,
        ended_at timestamptz,
        deadline_at timestamptz NOT NULL,
        run_after timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`
      CREATE UNIQUE INDEX operation_idempotency ON operation (principal_id, idempotency_key)
      WHERE idempotency_key IS NOT NULL`);
    // The last word on "one running operation a target".
    await runner.query(`
      CREATE UNIQUE INDEX operation_lock_holder ON operation (lock_key)
      WHERE status IN ('Running', 'Waiting', 'Canceling')`);
    await runner.query(`
      CREATE INDEX operation_lock_queue ON operation (lock_key, created_at, id) WHERE status = 'Pending'`);
    await runner.query(`CREATE INDEX operation_newest ON operation (created_at DESC, id DESC)`);
    await runner.query(`CREATE INDEX operation_of_target ON operation (target_uid, created_at DESC, id DESC)`);
    await runner.query(`
      CREATE INDEX operation_open ON operation (run_after)
      WHERE status IN ('Pending', 'Running', 'Waiting', 'Canceling')`);
    // Nothing, not even a faulty statement, may reopen what has ended.
    await runner.query(`
      CREATE FUNCTION operation_ended_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF OLD.status IN ('Succeeded', 'Failed', 'Canceled') AND NEW.status <> OLD.status
           OR OLD.status <> 'Pending' AND NEW.status = 'Pending' THEN
          RAISE EXCEPTION 'operation % may not go from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
      END $$`);
    await runner.query(`
      CREATE TRIGGER operation_ended_is_final BEFORE UPDATE OF status ON operation
      FOR EACH ROW EXECUTE FUNCTION operation_ended_is_final()`);
    await runner.query(`
      CREATE TABLE operation_step (
        operation_id uuid NOT NULL REFERENCES operation (id) ON DELETE CASCADE,
        position integer NOT NULL,
        name text NOT NULL,
        status text NOT NULL DEFAULT 'Pending' CONSTRAINT operation_step_status_known
          CHECK (status IN ('Pending', 'Running', 'Waiting', 'Succeeded', 'Failed', 'Skipped')),
        attempts integer NOT NULL DEFAULT 0,
        message text,
        resume_token text,
        wait_reason text CONSTRAINT operation_step_wait_reason_known CHECK (wait_reason IN ('work', 'foreign-work', 'retry')),
        started_at timestamptz,
        ended_at timestamptz,
        PRIMARY KEY (operation_id, position)
      )`);
    await runner.query(`
      CREATE TABLE operation_event (
        operation_id uuid NOT NULL REFERENCES operation (id) ON DELETE CASCADE,
        sequence integer NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        snapshot jsonb NOT NULL,
        PRIMARY KEY (operation_id, sequence)
      )`);
    await runner.query(`
      CREATE TABLE worker_process (
        pool_id text PRIMARY KEY,
        started_at timestamptz NOT NULL DEFAULT now(),
        heartbeat_at timestamptz NOT NULL DEFAULT now()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE worker_process, operation_event, operation_step, operation`);
    await runner.query(`DROP FUNCTION operation_ended_is_final()`);
  }
}
