import type { Sql } from '#libs/database/sql.js';

/** The kubeconfig that somebody attached to a cluster, as it is stored. */
export interface StoredClusterAccess {
  clusterUid: string;
  sealed: string;
  keyId: string;
  /** Host and port of the API server. */
  server: string;
  /** How it proves who calls: `token`, `certificate`, `entra`. */
  authentication: string;
  attachedBy: string;
  attachedAt: Date;
}

interface AccessRow {
  cluster_uid: string;
  sealed: string;
  key_id: string;
  server: string;
  authentication: string;
  attached_by: string;
  attached_at: Date;
}

/** Told with the uid of a cluster whose access was given, changed or taken away. */
export const CLUSTER_ACCESS_CHANNEL = 'pilothouse_cluster_access';

/** The attached kubeconfigs. */
export class ClusterAccessRepository {
  constructor(private readonly sql: Sql) {}

  async find(clusterUid: string): Promise<StoredClusterAccess | undefined> {
    const { rows } = await this.sql.query<AccessRow>('SELECT * FROM cluster_access WHERE cluster_uid = $1', [
      clusterUid,
    ]);
    return rows[0] === undefined ? undefined : toAccess(rows[0]);
  }

  /** The clusters that a kubeconfig is attached to. */
  async findClusterUids(): Promise<string[]> {
    const { rows } = await this.sql.query<{ cluster_uid: string }>('SELECT cluster_uid FROM cluster_access');
    return rows.map((row) => row.cluster_uid);
  }

  /** @returns whether there was none before. */
  async put(sql: Sql, access: Omit<StoredClusterAccess, 'attachedAt'>): Promise<boolean> {
    const { rows } = await sql.query<{ created: boolean }>(
      `INSERT INTO cluster_access (cluster_uid, sealed, key_id, server, authentication, attached_by)
       VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (cluster_uid) DO UPDATE SET sealed = excluded.sealed, key_id = excluded.key_id, server = excluded.server,
         authentication = excluded.authentication, attached_by = excluded.attached_by, attached_at = now()
       RETURNING xmax = 0 AS created`,
      [access.clusterUid, access.sealed, access.keyId, access.server, access.authentication, access.attachedBy],
    );
    await notify(sql, access.clusterUid);
    return rows[0]?.created === true;
  }

  /** @returns whether there was one. */
  async delete(sql: Sql, clusterUid: string): Promise<boolean> {
    const { rowCount } = await sql.query('DELETE FROM cluster_access WHERE cluster_uid = $1', [clusterUid]);
    await notify(sql, clusterUid);
    return rowCount === 1;
  }

  /** What was sealed with another key than this one, in the order of the uids, beginning after the given one. */
  async findSealedOtherwise(keyId: string, after: string | null, limit: number): Promise<StoredClusterAccess[]> {
    const { rows } = await this.sql.query<AccessRow>(
      `SELECT * FROM cluster_access WHERE key_id <> $1 AND ($2::uuid IS NULL OR cluster_uid > $2::uuid)
       ORDER BY cluster_uid LIMIT $3`,
      [keyId, after, limit],
    );
    return rows.map(toAccess);
  }

  /** Only if nobody has changed it in the meantime. */
  async reseal(before: StoredClusterAccess, sealed: string, keyId: string): Promise<boolean> {
    const { rowCount } = await this.sql.query(
      'UPDATE cluster_access SET sealed = $3, key_id = $4 WHERE cluster_uid = $1 AND sealed = $2',
      [before.clusterUid, before.sealed, sealed, keyId],
    );
    return rowCount === 1;
  }
}

async function notify(sql: Sql, clusterUid: string): Promise<void> {
  await sql.query('SELECT pg_notify($1, $2)', [CLUSTER_ACCESS_CHANNEL, clusterUid]);
}

function toAccess(row: AccessRow): StoredClusterAccess {
  return {
    clusterUid: row.cluster_uid,
    sealed: row.sealed,
    keyId: row.key_id,
    server: row.server,
    authentication: row.authentication,
    attachedBy: row.attached_by,
    attachedAt: row.attached_at,
  };
}
