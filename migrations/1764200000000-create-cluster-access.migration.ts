import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The access that was given to clusters. */
export class CreateClusterAccess1764200000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Sealed with AES-256-GCM; the key's id tells which rows are still to be sealed anew after the key was changed.
    await runner.query(`
      CREATE TABLE cluster_access (
        cluster_uid uuid PRIMARY KEY,
        sealed text NOT NULL,
        key_id text NOT NULL,
        server text NOT NULL,
        authentication text NOT NULL,
        attached_by text NOT NULL,
        attached_at timestamptz NOT NULL DEFAULT now()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE cluster_access');
  }
}
