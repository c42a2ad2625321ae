import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The audit log, which only grows, and who may ask for what. */
export class CreateAuditAndAccess1764000200000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE audit_event (
        sequence bigint PRIMARY KEY,
        at timestamptz NOT NULL,
        action text NOT NULL,
        outcome text NOT NULL,
        principal_id uuid NOT NULL,
        principal_name text NOT NULL,
        operation_id uuid,
        operation_type text,
        target jsonb,
        correlation_id text NOT NULL,
        details jsonb NOT NULL,
        previous_hash text NOT NULL,
        hash text NOT NULL
      )`);
    await runner.query(`CREATE INDEX audit_event_operation ON audit_event (operation_id, sequence)`);
    await runner.query(`CREATE INDEX audit_event_principal ON audit_event (principal_id, sequence)`);
    await runner.query(`
      CREATE TABLE audit_checkpoint (
        sequence bigint PRIMARY KEY REFERENCES audit_event (sequence),
        at timestamptz NOT NULL,
        hash text NOT NULL,
        signature text NOT NULL,
        public_key text NOT NULL
      )`);
    await runner.query(`
      CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'the audit log only grows: % on % is refused', TG_OP, TG_TABLE_NAME
          USING ERRCODE = 'insufficient_privilege';
      END $$`);
    for (const table of ['audit_event', 'audit_checkpoint']) {
      await runner.query(`
        CREATE TRIGGER ${table}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table}
        FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()`);
    }
    await runner.query(`
      CREATE TABLE principal (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        name text NOT NULL CONSTRAINT principal_name_unique UNIQUE,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`
      CREATE TABLE token (
        hash text PRIMARY KEY,
        principal_id uuid NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz
      )`);
    await runner.query(`CREATE INDEX token_of_principal ON token (principal_id)`);
    await runner.query(`
      CREATE TABLE role_binding (
        principal_id uuid PRIMARY KEY REFERENCES principal (id) ON DELETE CASCADE,
        role text NOT NULL CONSTRAINT role_binding_role_known CHECK (role IN ('viewer', 'operator', 'admin'))
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE role_binding, token, principal, audit_checkpoint, audit_event`);
    await runner.query(`DROP FUNCTION audit_only_grows()`);
  }
}
