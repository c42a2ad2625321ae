import type { Database } from '#libs/database/database.js';

const TOMBSTONE_BATCH = 5_000;

/** Makes room for history, and lets go of what is no longer kept. */
export class RetentionRepository {
  constructor(private readonly database: Database) {}

  /**
   * Makes the partitions of past states for the month of `now` and the next one. A version that found no partition lies in
   * the default one; it moves into its month when that is made.
   * @returns the names of those that were missing.
   */
  async ensurePartitions(now: Date): Promise<string[]> {
    const made: string[] = [];
    for (const offset of [0, 1]) {
      const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + offset, 1));
      if (await this.#makePartition(month)) made.push(partitionOf(month));
    }
    return made;
  }

  /**
   * Drops the months of past states that ended before the given time, and what the default partition holds of that time.
   * @returns the names of the dropped partitions.
   */
  async dropPartitionsBefore(instant: Date): Promise<string[]> {
    const { rows } = await this.database.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
       WHERE i.inhparent = 'resource_version'::regclass ORDER BY c.relname`,
    );
    const oldestKept = partitionOf(instant);
    // The names sort as the months do.
    const expired = rows.map((row) => row.name).filter((name) => PARTITION_NAME.test(name) && name < oldestKept);
    for (const name of expired) await this.database.query(`DROP TABLE IF EXISTS ${name}`);
    await this.database.query('DELETE FROM resource_version_default WHERE valid_to < $1', [instant]);
    return expired;
  }

  /**
   * Forgets objects that were deleted before the given time. It must lie further back than changes are kept for, and than
   * Resource Graph may still show a deleted object.
   * @returns how many.
   */
  async deleteTombstonesBefore(instant: Date): Promise<number> {
    for (let deleted = 0; ;) {
      const { rowCount } = await this.database.query(
        `DELETE FROM resource WHERE uid IN (
           SELECT uid FROM resource WHERE deleted_at < $1 ORDER BY deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )`,
        [instant, TOMBSTONE_BATCH],
      );
      deleted += rowCount;
      if (rowCount < TOMBSTONE_BATCH) return deleted;
    }
  }

  async #makePartition(month: Date): Promise<boolean> {
    const name = partitionOf(month);
    const end = new Date(Date.UTC(month.getUTCFullYear(), month.getUTCMonth() + 1, 1));
    // DDL takes no parameters; both are made of digits here.
    const [from, to] = [month.toISOString(), end.toISOString()];
    return this.database.transaction(async (transaction) => {
      // Two processes may want the same month; and nobody may add to the default partition while it is emptied.
      await transaction.query('LOCK TABLE resource_version_default IN ACCESS EXCLUSIVE MODE');
      const { rows } = await transaction.query<{ exists: boolean }>('SELECT to_regclass($1) IS NOT NULL AS exists', [
        name,
      ]);
      if (rows[0]?.exists === true) return false;
      await transaction.query(`CREATE TABLE ${name} (LIKE resource_version INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`);
      await transaction.query(
        `WITH moved AS (
           DELETE FROM resource_version_default WHERE valid_to >= '${from}' AND valid_to < '${to}' RETURNING *
         )
         INSERT INTO ${name} SELECT * FROM moved`,
      );
      await transaction.query(
        `ALTER TABLE resource_version ATTACH PARTITION ${name} FOR VALUES FROM ('${from}') TO ('${to}')`,
      );
      return true;
    });
  }
}

const PARTITION_NAME = /^resource_version_\d{4}_\d{2}$/;

function partitionOf(moment: Date): string {
  const month = String(moment.getUTCMonth() + 1).padStart(2, '0');
  return `resource_version_${moment.getUTCFullYear()}_${month}`;
}
