import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Operations that wait for somebody else's consent, and the consent that a whole set was given. */
export class CreateOperationApprovals1764320000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE operation
        ADD COLUMN approval_state text CONSTRAINT operation_approval_known
          CHECK (approval_state IN ('waiting', 'approved', 'rejected', 'expired')),
        ADD COLUMN approval_rule text,
        ADD COLUMN approval_expires_at timestamptz,
        ADD COLUMN decided_by text,
        ADD COLUMN decided_by_id uuid,
        ADD COLUMN decided_at timestamptz,
        ADD COLUMN decision_reason text,
        ADD CONSTRAINT operation_approval_whole CHECK (CASE
          WHEN approval_state IS NULL THEN approval_rule IS NULL AND decided_by_id IS NULL
          WHEN approval_state IN ('waiting', 'expired') THEN approval_rule IS NOT NULL AND approval_expires_at IS NOT NULL
            AND decided_by_id IS NULL
          ELSE approval_rule IS NOT NULL AND decided_by IS NOT NULL AND decided_by_id IS NOT NULL AND decided_at IS NOT NULL
        END),
        ADD CONSTRAINT operation_approval_not_own CHECK (decided_by_id <> principal_id),
        ADD CONSTRAINT operation_approval_before_start CHECK (approval_state <> 'waiting' OR status IN ('Pending', 'Canceled'))`);
    // Few wait at a time, and whoever decides asks for just these.
    await runner.query(`
      CREATE INDEX operation_awaiting_approval ON operation (created_at DESC, id DESC)
      WHERE approval_state = 'waiting' AND ended_at IS NULL`);
    await runner.query(`
      ALTER TABLE operation_set
        ADD COLUMN approved_by text,
        ADD COLUMN approved_by_id uuid,
        ADD COLUMN approved_at timestamptz,
        ADD COLUMN approval_reason text,
        ADD CONSTRAINT operation_set_approval_not_own CHECK (approved_by_id <> principal_id)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE operation_set
        DROP COLUMN approved_by, DROP COLUMN approved_by_id, DROP COLUMN approved_at, DROP COLUMN approval_reason`);
    await runner.query(`DROP INDEX operation_awaiting_approval`);
    await runner.query(`
      ALTER TABLE operation
        DROP COLUMN approval_state, DROP COLUMN approval_rule, DROP COLUMN approval_expires_at, DROP COLUMN decided_by,
        DROP COLUMN decided_by_id, DROP COLUMN decided_at, DROP COLUMN decision_reason`);
  }
}
