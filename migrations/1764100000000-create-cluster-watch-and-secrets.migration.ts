import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Clusters that are watched, what operations must keep secret, and what steps put down. */
export class CreateClusterWatchAndSecrets1764100000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Which worker watches which cluster: one at a time, by lease and fence.
    await runner.query(`
      CREATE TABLE watched_cluster (
        cluster_uid uuid PRIMARY KEY,
        target jsonb NOT NULL,
        watched boolean NOT NULL DEFAULT true,
        due_at timestamptz NOT NULL DEFAULT now(),
        claimed_by text,
        claimed_until timestamptz,
        fence bigint NOT NULL DEFAULT 0
      )`);
    await runner.query('CREATE INDEX watched_cluster_by_due ON watched_cluster (due_at) WHERE watched');

    // A scope that is watched has no turn of its own: its cluster's owner keeps it, and looks again when it is due.
    await runner.query(`
      ALTER TABLE scope ADD COLUMN mode text NOT NULL DEFAULT 'run'
        CONSTRAINT scope_mode_known CHECK (mode IN ('run', 'watch'))`);
    await runner.query(`CREATE INDEX scope_by_cluster ON scope (cluster_uid) WHERE cluster_uid IS NOT NULL`);

    // The secret fields of the inputs of open operations, sealed with AES-256-GCM.
    await runner.query(`
      CREATE TABLE operation_secret (
        operation_id uuid PRIMARY KEY REFERENCES operation (id) ON DELETE CASCADE,
        sealed text NOT NULL
      )`);
    await runner.query('ALTER TABLE operation_step ADD COLUMN output jsonb');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE operation_step DROP COLUMN output');
    await runner.query('DROP TABLE operation_secret');
    await runner.query(`DELETE FROM scope WHERE mode = 'watch'`);
    await runner.query('DROP INDEX scope_by_cluster');
    await runner.query('ALTER TABLE scope DROP COLUMN mode');
    await runner.query('DROP TABLE watched_cluster');
  }
}
