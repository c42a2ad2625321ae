import type { StoredProblem } from '#libs/kernel/control-error.js';
import type { Database } from '#libs/database/database.js';
import type { Sql, Transaction } from '#libs/database/sql.js';
import type { CollectionScope } from '#libs/systems/contract/collector.js';
import { databaseJson } from '#libs/database/database-json.js';
import type { Freshness } from './resource.record.js';

/** Told when a scope has become due, with an empty payload. */
export const SCOPE_CHANNEL = 'pilothouse_scope';
/** Told when a run of a scope has ended, with an empty payload. */
export const SCOPE_ENDED_CHANNEL = 'pilothouse_scope_ended';

export const SCOPE_STATES = ['new', 'complete', 'partial', 'failed'] as const;
/** How the last run ended: `partial` saw something, `failed` nothing. */
export type ScopeState = (typeof SCOPE_STATES)[number];

export interface ScopeRecord extends CollectionScope {
  intervalSeconds: number;
  dueAt: Date;
  state: ScopeState;
  /** The database's time; null before the first run. */
  lastStartedAt: Date | null;
  lastEndedAt: Date | null;
  /** When the last complete run started: the time for which the scope's objects were all seen. */
  lastCompleteAt: Date | null;
  /** In words, what the last run could not see. */
  missing: string | null;
  problem: StoredProblem | null;
  /** Of the last complete run. */
  objectCount: number | null;
  /** Some worker holds a live claim. */
  running: boolean;
}

/** The right to run a scope, until somebody else gets a higher fence. */
export interface ScopeClaim {
  scope: CollectionScope;
  owner: string;
  /** A 64-bit number as text. */
  fence: string;
  intervalSeconds: number;
  /** Runs in a row before this one that did not end complete. */
  failures: number;
}

/** How a run ended, with what its scope is to say about it. */
export type RunEnd =
  | { state: 'complete'; run: Freshness; objectCount: number }
  | { state: 'partial' | 'failed'; problem: StoredProblem; missing: string | null; retryInSeconds: number };

interface ScopeRow {
  key: string;
  collector: string;
  kinds: string[];
  subscription_id: string | null;
  cluster_uid: string | null;
  interval_seconds: number;
  due_at: Date;
  state: ScopeState;
  last_started_at: Date | null;
  last_ended_at: Date | null;
  last_complete_at: Date | null;
  missing: string | null;
  last_error: StoredProblem | null;
  object_count: number | null;
  running: boolean;
}

interface ClaimRow extends ScopeRow {
  fence: string;
  failures: number;
}

/** What a watch has found out about its scope. */
export type WatchNews =
  /** The whole was read: `run` is when it was asked for. */
  | { news: 'listed'; run: Freshness; objectCount: number }
  /** Nothing happened up to then that was not told. */
  | { news: 'alive'; run: Freshness }
  /** What was interrupted goes on where it was. */
  | { news: 'recovered'; run: Freshness }
  | { news: 'failed'; problem: StoredProblem };

/** Later than anything: a watched scope is due only when somebody wants it to be read again. */
const NEVER = `'9999-12-31'::timestamptz`;

/** The units of sync. Every time in the table but `last_complete_at` is the database's, so workers' clocks do not matter. */
export class ScopeRepository {
  constructor(private readonly database: Database) {}

  /** Makes scopes known (due at once), and tells the known ones how they are now described. */
  async ensure(scopes: readonly CollectionScope[], intervalSeconds: number): Promise<void> {
    if (scopes.length === 0) return;
    const records = scopes.map((scope) => ({
      key: scope.key,
      collector: scope.collector,
      kinds: scope.kinds,
      subscription_id: scope.subscriptionId?.toLowerCase() ?? null,
      cluster_uid: scope.clusterUid,
    }));
    await this.database.transaction(async (transaction) => {
      await transaction.query(
        `INSERT INTO scope AS s (key, collector, kinds, subscription_id, cluster_uid, interval_seconds)
         SELECT key, collector, kinds, subscription_id, cluster_uid, $2
         FROM jsonb_to_recordset($1::jsonb)
           AS i (key text, collector text, kinds text[], subscription_id text, cluster_uid uuid)
         ORDER BY key
         ON CONFLICT (key) DO UPDATE
         SET collector = excluded.collector, kinds = excluded.kinds, subscription_id = excluded.subscription_id,
           cluster_uid = excluded.cluster_uid, interval_seconds = excluded.interval_seconds,
           due_at = least(s.due_at, now() + make_interval(secs => excluded.interval_seconds))
         WHERE (s.collector, s.kinds, s.interval_seconds) <> (excluded.collector, excluded.kinds, excluded.interval_seconds)
           OR s.subscription_id IS DISTINCT FROM excluded.subscription_id
           OR s.cluster_uid IS DISTINCT FROM excluded.cluster_uid`,
        [JSON.stringify(records), intervalSeconds],
      );
      await notify(transaction, SCOPE_CHANNEL);
    });
  }

  /** Makes the scopes of a watched cluster known. */
  async ensureWatched(scopes: readonly CollectionScope[]): Promise<void> {
    const records = scopes.map((scope) => ({
      key: scope.key,
      collector: scope.collector,
      kinds: scope.kinds,
      subscription_id: scope.subscriptionId?.toLowerCase() ?? null,
      cluster_uid: scope.clusterUid,
    }));
    await this.database.query(
      `INSERT INTO scope AS s (key, collector, kinds, subscription_id, cluster_uid, interval_seconds, mode, due_at)
       SELECT key, collector, kinds, subscription_id, cluster_uid, 0, 'watch', ${NEVER}
       FROM jsonb_to_recordset($1::jsonb)
         AS i (key text, collector text, kinds text[], subscription_id text, cluster_uid uuid)
       ORDER BY key
       ON CONFLICT (key) DO UPDATE SET kinds = excluded.kinds, subscription_id = excluded.subscription_id
       WHERE s.kinds <> excluded.kinds OR s.subscription_id IS DISTINCT FROM excluded.subscription_id`,
      [JSON.stringify(records)],
    );
  }

  /** Of clusters that are not watched for now (stopped, say): what is known of them ages, and an answer says so. */
  async pauseWatched(clusterUids: readonly string[]): Promise<void> {
    if (clusterUids.length === 0) return;
    const problem: StoredProblem = {
      code: 'KUBERNETES_UNAVAILABLE',
      message: 'The cluster is not running, or has no API server to ask.',
    };
    await this.database.query(
      `UPDATE scope SET state = 'failed', last_error = $2, last_ended_at = clock_timestamp()
       WHERE cluster_uid = ANY($1::uuid[]) AND mode = 'watch'`,
      [clusterUids, databaseJson(problem)],
    );
  }

  /** A watched scope is being read from the start: whoever asked for that before now will have it by the next `listed`. */
  async beginWatched(key: string): Promise<void> {
    await this.database.query(
      `UPDATE scope SET last_started_at = clock_timestamp(), due_at = ${NEVER} WHERE key = $1 AND mode = 'watch'`,
      [key],
    );
  }

  /** The watched scopes of these clusters that somebody wants to be read again. */
  async findWatchedDue(clusterUids: readonly string[]): Promise<string[]> {
    const { rows } = await this.database.query<{ key: string }>(
      `SELECT key FROM scope WHERE cluster_uid = ANY($1::uuid[]) AND mode = 'watch' AND due_at <= clock_timestamp()`,
      [clusterUids],
    );
    return rows.map((row) => row.key);
  }

  /** In the transaction that writes what the news rests on, or in one of its own. */
  async tellWatched(sql: Sql, key: string, news: WatchNews): Promise<void> {
    const run = news.news === 'failed' ? null : news.run;
    await sql.query(
      `UPDATE scope SET
         state = CASE $2 WHEN 'failed' THEN 'failed' WHEN 'alive' THEN state ELSE 'complete' END,
         last_ended_at = CASE $2 WHEN 'alive' THEN last_ended_at ELSE clock_timestamp() END,
         last_complete_at = greatest(last_complete_at, $3), last_complete_source = coalesce($4, last_complete_source),
         object_count = coalesce($5, object_count), last_error = CASE $2 WHEN 'alive' THEN last_error ELSE $6 END,
         failures = CASE $2 WHEN 'failed' THEN failures + 1 WHEN 'alive' THEN failures ELSE 0 END
       WHERE key = $1 AND mode = 'watch'`,
      [
        key,
        news.news,
        run?.observedAt ?? null,
        run?.source ?? null,
        news.news === 'listed' ? news.objectCount : null,
        news.news === 'failed' ? databaseJson(news.problem) : null,
      ],
    );
    if (news.news !== 'alive') await notify(sql, SCOPE_ENDED_CHANNEL);
  }

  /** Everything that is known of the scopes of clusters that are gone. */
  async forgetClusters(transaction: Transaction, clusterUids: readonly string[]): Promise<void> {
    await transaction.query(`DELETE FROM scope WHERE cluster_uid = ANY($1::uuid[]) AND mode = 'watch'`, [clusterUids]);
  }

  /** Claims due scopes, the longest due first. A claim whose lease has run out is free for the next. */
  async claimDue(owner: string, leaseSeconds: number, limit: number): Promise<ScopeClaim[]> {
    const { rows } = await this.database.query<ClaimRow>(
      `UPDATE scope s
       SET claimed_by = $1, claimed_until = now() + make_interval(secs => $2), fence = s.fence + 1, last_started_at = now()
       FROM (
         SELECT key FROM scope
         WHERE mode = 'run' AND due_at <= now() AND (claimed_until IS NULL OR claimed_until < now())
         ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
       ) AS due
       WHERE s.key = due.key
       RETURNING s.*`,
      [owner, leaseSeconds, limit],
    );
    return rows.map((row) => ({
      scope: toScope(row),
      owner,
      fence: row.fence,
      intervalSeconds: row.interval_seconds,
      failures: row.failures,
    }));
  }

  /** @returns false when somebody else has taken the scope over. */
  async renew(claim: ScopeClaim, leaseSeconds: number): Promise<boolean> {
    const { rowCount } = await this.database.query(
      `UPDATE scope SET claimed_until = now() + make_interval(secs => $3)
       WHERE key = $1 AND fence = $2::bigint AND claimed_by IS NOT NULL`,
      [claim.scope.key, claim.fence, leaseSeconds],
    );
    return rowCount === 1;
  }

  /**
   * Whether the claim still holds, and holds until the transaction ends: nobody can take the scope over before.
   * A lease that has run out but was not taken by anybody still holds.
   */
  async holds(transaction: Transaction, claim: ScopeClaim): Promise<boolean> {
    const { rowCount } = await transaction.query(
      'SELECT FROM scope WHERE key = $1 AND fence = $2::bigint AND claimed_by IS NOT NULL FOR SHARE',
      [claim.scope.key, claim.fence],
    );
    return rowCount === 1;
  }

  /**
   * Gives the claim back and says how its run ended. A scope that was marked due during the run stays due: that run may
   * have looked before what the caller wants to see.
   * @returns false when somebody else has taken the scope over; nothing is written then.
   */
  async end(transaction: Transaction, claim: ScopeClaim, end: RunEnd): Promise<boolean> {
    const isComplete = end.state === 'complete';
    const { rowCount } = await transaction.query(
      `UPDATE scope
       SET claimed_by = NULL, claimed_until = NULL, last_ended_at = clock_timestamp(), state = $3,
         due_at = CASE WHEN due_at > last_started_at THEN due_at ELSE now() + make_interval(secs => $4) END,
         last_complete_at = coalesce($5, last_complete_at), last_complete_source = coalesce($6, last_complete_source),
         object_count = coalesce($7, object_count), last_error = $8, missing = $9,
         failures = CASE WHEN $3 = 'complete' THEN 0 ELSE failures + 1 END
       WHERE key = $1 AND fence = $2::bigint AND claimed_by IS NOT NULL`,
      [
        claim.scope.key,
        claim.fence,
        end.state,
        isComplete ? claim.intervalSeconds : end.retryInSeconds,
        isComplete ? end.run.observedAt : null,
        isComplete ? end.run.source : null,
        isComplete ? end.objectCount : null,
        isComplete ? null : databaseJson(end.problem),
        isComplete ? null : (end.missing?.replaceAll('\0', '\ufffd') ?? null),
      ],
    );
    if (rowCount === 1) await notify(transaction, SCOPE_ENDED_CHANNEL);
    return rowCount === 1;
  }

  /** Gives the claim back without a result: the scope is due again at once. */
  async release(claim: ScopeClaim): Promise<void> {
    await this.database.transaction(async (transaction) => {
      const { rowCount } = await transaction.query(
        `UPDATE scope SET claimed_by = NULL, claimed_until = NULL, due_at = now()
         WHERE key = $1 AND fence = $2::bigint AND claimed_by IS NOT NULL`,
        [claim.scope.key, claim.fence],
      );
      if (rowCount === 1) await notify(transaction, SCOPE_CHANNEL);
    });
  }

  /** The scopes that any of these kinds of this subscription and this cluster (null: any) may lie in, by key. */
  async findForKinds(
    kinds: readonly string[] | null,
    subscriptionId: string | null = null,
    clusterUid: string | null = null,
  ): Promise<ScopeRecord[]> {
    const { rows } = await this.database.query<ScopeRow>(
      `SELECT ${COLUMNS} FROM scope
       WHERE ($1::text[] IS NULL OR kinds && $1::text[])
         AND ($2::text IS NULL OR subscription_id IS NULL OR subscription_id = $2)
         AND ($3::uuid IS NULL OR cluster_uid IS NULL OR cluster_uid = $3)
       ORDER BY key`,
      [kinds, subscriptionId?.toLowerCase().replaceAll('\0', '') ?? null, clusterUid],
    );
    return rows.map(toRecord);
  }

  async findMany(keys: readonly string[]): Promise<ScopeRecord[]> {
    const { rows } = await this.database.query<ScopeRow>(
      `SELECT ${COLUMNS} FROM scope WHERE key = ANY($1::text[]) ORDER BY key`,
      [keys],
    );
    return rows.map(toRecord);
  }

  /** Wants everything that is watched in these clusters to be read again, refused or not. */
  async markWatchedDue(transaction: Transaction, clusterUids: readonly string[]): Promise<void> {
    await transaction.query(
      `WITH wanted AS (
         SELECT key FROM scope WHERE cluster_uid = ANY($1::uuid[]) AND mode = 'watch' ORDER BY key FOR NO KEY UPDATE
       )
       UPDATE scope SET due_at = clock_timestamp() FROM wanted WHERE scope.key = wanted.key`,
      [clusterUids],
    );
    await notify(transaction, SCOPE_CHANNEL);
  }

  /**
   * Wants these scopes to be run as soon as possible; one that is running is run once more after that.
   * @returns the database's time: a run that started after it is an answer to this call.
   */
  async markDue(keys: readonly string[]): Promise<Date> {
    return this.database.transaction(async (transaction) => {
      // Rows are locked in one order, so that two callers do not wait for each other in a circle. A scope that is due and
      // free keeps its place in the queue; one that is (or at this moment gets) claimed is marked to be run once more.
      await transaction.query('SELECT FROM scope WHERE key = ANY($1::text[]) ORDER BY key FOR NO KEY UPDATE', [keys]);
      await transaction.query(
        `UPDATE scope SET due_at =
           CASE WHEN claimed_until > clock_timestamp() THEN clock_timestamp() ELSE least(due_at, clock_timestamp()) END
         WHERE key = ANY($1::text[])`,
        [keys],
      );
      await notify(transaction, SCOPE_CHANNEL);
      const { rows } = await transaction.query<{ now: Date }>('SELECT clock_timestamp() AS now');
      const [row] = rows;
      if (row === undefined) throw new Error('Postgres did not tell the time');
      return row.now;
    });
  }
}

const COLUMNS = `key, collector, kinds, subscription_id, cluster_uid, interval_seconds, due_at, state, last_started_at,
  last_ended_at, last_complete_at, missing, last_error, object_count, coalesce(claimed_until > now(), false) AS running`;

function toScope(row: ScopeRow): CollectionScope {
  return {
    key: row.key,
    collector: row.collector,
    kinds: row.kinds,
    subscriptionId: row.subscription_id,
    clusterUid: row.cluster_uid,
  };
}

function toRecord(row: ScopeRow): ScopeRecord {
  return {
    ...toScope(row),
    intervalSeconds: row.interval_seconds,
    dueAt: row.due_at,
    state: row.state,
    lastStartedAt: row.last_started_at,
    lastEndedAt: row.last_ended_at,
    lastCompleteAt: row.last_complete_at,
    missing: row.missing,
    problem: row.last_error,
    objectCount: row.object_count,
    running: row.running,
  };
}

async function notify(sql: Sql, channel: string): Promise<void> {
  await sql.query('SELECT pg_notify($1, $2)', [channel, '']);
}
