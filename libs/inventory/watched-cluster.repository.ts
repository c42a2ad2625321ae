import type { Database } from '#libs/database/database.js';
import { databaseJson } from '#libs/database/database-json.js';
import type { Sql, Transaction } from '#libs/database/sql.js';
import type { WatchedCluster } from '#libs/systems/contract/cluster-watcher.js';

/** Told when there may be a cluster to claim, or one to let go of; with an empty payload. */
export const WATCHED_CLUSTER_CHANNEL = 'pilothouse_watched_cluster';

/** A cluster, and the names of the watchers that are to look into it. */
export interface WatchPlan {
  cluster: WatchedCluster;
  watchers: readonly string[];
}

/** The right to watch a cluster, until somebody else gets a higher fence. */
export interface ClusterClaim extends WatchPlan {
  owner: string;
  /** A 64-bit number as text. */
  fence: string;
}

interface ClaimRow {
  target: WatchPlan;
  fence: string;
}

/**
 * Which clusters are watched, and by which worker. All times are the database's.
 *
 * Rows are locked in the order of their uids, and only those that are going to be changed. A write of a watch holds its row
 * FOR KEY SHARE: that keeps others from taking the cluster over (FOR UPDATE), and not its owner from renewing the lease, which
 * would else wait for the writes to all its clusters, and keep them all waiting.
 */
export class WatchedClusterRepository {
  constructor(private readonly database: Database) {}

  /**
   * Makes these the watched clusters: new ones can be claimed at once, those that are no longer among them are let go.
   * @returns the uids of those that are no longer watched.
   */
  async replace(plans: readonly WatchPlan[]): Promise<string[]> {
    return this.database.transaction(async (transaction) => {
      const uids = plans.map((plan) => plan.cluster.uid);
      await transaction.query(
        `SELECT FROM watched_cluster w
         LEFT JOIN jsonb_array_elements($1::jsonb) AS p (plan) ON (plan #>> '{cluster,uid}')::uuid = w.cluster_uid
         WHERE CASE WHEN plan IS NULL THEN w.watched ELSE NOT w.watched OR w.target <> plan END
         ORDER BY w.cluster_uid FOR UPDATE OF w`,
        [databaseJson(plans)],
      );
      const { rowCount: changed } = await transaction.query(
        `INSERT INTO watched_cluster AS w (cluster_uid, target)
         SELECT (plan #>> '{cluster,uid}')::uuid, plan FROM jsonb_array_elements($1::jsonb) AS p (plan)
         WHERE NOT EXISTS (
           SELECT FROM watched_cluster k
           WHERE k.cluster_uid = (plan #>> '{cluster,uid}')::uuid AND k.watched AND k.target = plan
         )
         ORDER BY 1
         ON CONFLICT (cluster_uid) DO UPDATE SET target = excluded.target, watched = true,
           due_at = CASE WHEN w.watched THEN w.due_at ELSE now() END
         WHERE NOT w.watched OR w.target <> excluded.target`,
        [databaseJson(plans)],
      );
      const { rows } = await transaction.query<{ cluster_uid: string }>(
        `UPDATE watched_cluster SET watched = false, fence = fence + 1, claimed_by = NULL, claimed_until = NULL
         WHERE watched AND cluster_uid <> ALL ($1::uuid[]) RETURNING cluster_uid`,
        [uids],
      );
      if (changed + rows.length > 0) await notify(transaction);
      return rows.map((row) => row.cluster_uid);
    });
  }

  /** Clusters that are not watched any more and of which nothing is known any more, either. */
  async forget(transaction: Transaction, clusterUids: readonly string[]): Promise<void> {
    await transaction.query('DELETE FROM watched_cluster WHERE NOT watched AND cluster_uid = ANY($1::uuid[])', [
      clusterUids,
    ]);
  }

  /** The clusters that are no longer watched and that the cache no longer knows. */
  async findGone(limit: number): Promise<string[]> {
    const { rows } = await this.database.query<{ cluster_uid: string }>(
      `SELECT w.cluster_uid FROM watched_cluster w
       WHERE NOT w.watched
         AND NOT EXISTS (SELECT FROM resource r WHERE r.uid = w.cluster_uid AND r.deleted_at IS NULL)
       LIMIT $1`,
      [limit],
    );
    return rows.map((row) => row.cluster_uid);
  }

  /** The living objects of a cluster, a batch of them. */
  async findObjects(transaction: Transaction, clusterUid: string, limit: number): Promise<string[]> {
    const { rows } = await transaction.query<{ uid: string }>(
      'SELECT uid FROM resource WHERE cluster_uid = $1 AND deleted_at IS NULL LIMIT $2',
      [clusterUid, limit],
    );
    return rows.map((row) => row.uid);
  }

  /**
   * Claims clusters that nobody watches, the longest due first.
   * @param held what the owner watches already: where only its lease has run out, it goes on, and need not read all anew.
   */
  async claimDue(
    owner: string,
    leaseSeconds: number,
    limit: number,
    held: readonly string[] = [],
  ): Promise<ClusterClaim[]> {
    const { rows } = await this.database.query<ClaimRow>(
      `UPDATE watched_cluster w
       SET claimed_by = $1, claimed_until = now() + make_interval(secs => $2), fence = w.fence + 1
       FROM (
         SELECT cluster_uid FROM watched_cluster
         WHERE watched AND due_at <= now() AND (claimed_until IS NULL OR claimed_until < now())
           AND cluster_uid <> ALL ($4::uuid[])
         ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
       ) AS due
       WHERE w.cluster_uid = due.cluster_uid
       RETURNING w.target, w.fence`,
      [owner, leaseSeconds, limit, held],
    );
    return rows.map((row) => ({ ...row.target, owner, fence: row.fence }));
  }

  /** Renews all these claims in one statement. @returns the uids of the clusters that are still the owner's. */
  async renew(claims: readonly ClusterClaim[], leaseSeconds: number): Promise<Set<string>> {
    const { rows } = await this.database.query<{ cluster_uid: string }>(
      `UPDATE watched_cluster w SET claimed_until = clock_timestamp() + make_interval(secs => $3)
       FROM (
         SELECT k.cluster_uid FROM watched_cluster k
         JOIN unnest($1::uuid[], $2::bigint[]) AS claim (cluster_uid, fence)
           ON k.cluster_uid = claim.cluster_uid AND k.fence = claim.fence
         WHERE k.claimed_by IS NOT NULL ORDER BY k.cluster_uid FOR NO KEY UPDATE OF k
       ) AS ours
       WHERE w.cluster_uid = ours.cluster_uid
       RETURNING w.cluster_uid`,
      [claims.map((claim) => claim.cluster.uid), claims.map((claim) => claim.fence), leaseSeconds],
    );
    return new Set(rows.map((row) => row.cluster_uid));
  }

  /** The uids of the clusters whose claims still hold at this moment. */
  async findOurs(claims: readonly ClusterClaim[]): Promise<Set<string>> {
    const { rows } = await this.database.query<{ cluster_uid: string }>(
      `SELECT w.cluster_uid FROM watched_cluster w
       JOIN unnest($1::uuid[], $2::bigint[]) AS claim (cluster_uid, fence)
         ON w.cluster_uid = claim.cluster_uid AND w.fence = claim.fence
       WHERE w.claimed_by IS NOT NULL`,
      [claims.map((claim) => claim.cluster.uid), claims.map((claim) => claim.fence)],
    );
    return new Set(rows.map((row) => row.cluster_uid));
  }

  /** Whether the claim still holds, and holds until the transaction ends. */
  async holds(transaction: Transaction, claim: ClusterClaim): Promise<boolean> {
    const { rowCount } = await transaction.query(
      'SELECT FROM watched_cluster WHERE cluster_uid = $1 AND fence = $2::bigint AND claimed_by IS NOT NULL FOR KEY SHARE',
      [claim.cluster.uid, claim.fence],
    );
    return rowCount === 1;
  }

  /** Gives a claim back: the next worker may take the cluster at once. */
  async release(claim: ClusterClaim): Promise<void> {
    await this.database.transaction(async (transaction) => {
      const { rowCount } = await transaction.query(
        `UPDATE watched_cluster SET claimed_by = NULL, claimed_until = NULL, due_at = now()
         WHERE cluster_uid = $1 AND fence = $2::bigint AND claimed_by IS NOT NULL`,
        [claim.cluster.uid, claim.fence],
      );
      if (rowCount === 1) await notify(transaction);
    });
  }
}

async function notify(sql: Sql): Promise<void> {
  await sql.query('SELECT pg_notify($1, $2)', [WATCHED_CLUSTER_CHANNEL, '']);
}
