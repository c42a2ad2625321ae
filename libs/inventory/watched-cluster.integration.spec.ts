import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { delay } from '#libs/kernel/clock.js';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import { canonicalIdOf } from '#libs/testing/observation.factory.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { type ClusterClaim, WatchedClusterRepository, type WatchPlan } from './watched-cluster.repository.js';

const CLUSTERS = 40;
const LEASE_SECONDS = 30;

function planOf(name: string, location = 'eastus'): WatchPlan {
  const id = canonicalIdOf(name);
  const place = { subscriptionId: null, resourceGroup: null, location };
  return { cluster: { uid: resourceUid(id), id, kind: 'Cluster', name, ...place }, watchers: ['pods'] };
}

describe('WatchedClusterRepository', () => {
  const plans = Array.from({ length: CLUSTERS }, (_, index) => planOf(`cluster-${index}`));
  let test: TestDatabase;
  let clusters: WatchedClusterRepository;
  let claims: ClusterClaim[];

  beforeAll(async () => {
    test = await createTestDatabase();
    clusters = new WatchedClusterRepository(test.database);
  });

  afterAll(() => test.drop());

  beforeEach(async () => {
    await test.database.query('TRUNCATE watched_cluster');
    await clusters.replace(plans);
    claims = await clusters.claimDue('one', LEASE_SECONDS, CLUSTERS);
  });

  /** A write of a watch, held up in its middle. */
  async function whileWriting<T>(claim: ClusterClaim, work: () => Promise<T>): Promise<T> {
    return test.database.transaction(async (transaction) => {
      expect(await clusters.holds(transaction, claim)).toBe(true);
      return work();
    });
  }

  /** Until a statement of somebody waits for a lock. */
  async function someoneWaits(): Promise<void> {
    const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    while ((await test.database.query(waiting)).rowCount === 0) await delay(5);
  }

  it('renews a lease while a write of its watch goes on', async () => {
    const [claim] = claims;
    const renewed = await whileWriting(claim!, () => clusters.renew(claims, LEASE_SECONDS));
    expect(renewed.size).toBe(CLUSTERS);
  });

  it('plans the same clusters again, and others, while a write of a watch goes on', async () => {
    const [claim] = claims;
    const more = [...plans, planOf('another')];
    expect(await whileWriting(claim!, () => clusters.replace(more))).toEqual([]);
    expect(await clusters.claimDue('two', LEASE_SECONDS, CLUSTERS)).toMatchObject([{ cluster: { name: 'another' } }]);
  });

  it('gives nobody a cluster that is just being written, though its lease has run out', async () => {
    const [claim] = claims;
    await clusters.renew([claim!], -1);
    expect(await whileWriting(claim!, () => clusters.claimDue('two', LEASE_SECONDS, CLUSTERS))).toEqual([]);
    expect(await clusters.claimDue('two', LEASE_SECONDS, CLUSTERS)).toMatchObject([
      { cluster: claim!.cluster, owner: 'two' },
    ]);
    await test.database.transaction(async (transaction) => {
      expect(await clusters.holds(transaction, claim!)).toBe(false);
    });
  });

  it('gives an owner nothing that it holds already, though its lease has run out', async () => {
    await clusters.renew(claims, -1);
    const held = claims.slice(1).map(({ cluster }) => cluster.uid);
    expect(await clusters.claimDue('one', LEASE_SECONDS, CLUSTERS, held)).toMatchObject([
      { cluster: claims[0]!.cluster },
    ]);
    expect((await clusters.renew(claims.slice(1), LEASE_SECONDS)).size).toBe(CLUSTERS - 1);
  });

  it('lets a cluster go only after the write that goes on, so that nothing is written after it', async () => {
    const [claim] = claims;
    const order: string[] = [];
    const others = plans.filter(({ cluster }) => cluster.uid !== claim!.cluster.uid);
    const { replaced } = await whileWriting(claim!, async () => {
      const uids = clusters.replace(others).finally(() => order.push('let go'));
      await someoneWaits();
      order.push('written');
      return { replaced: uids };
    });
    expect(await replaced).toEqual([claim!.cluster.uid]);
    expect(order).toEqual(['written', 'let go']);
  });

  it.each<{ act: string; run: (backwards: ClusterClaim[]) => Promise<unknown>; reason: string }>([
    {
      act: 'renewing',
      run: (backwards) => clusters.renew(backwards, LEASE_SECONDS),
      reason: 'a worker renews all that it has in one statement, in whatever order it got them',
    },
    {
      act: 'planning',
      run: (backwards) => clusters.replace(backwards.map(({ cluster }) => planOf(cluster.name, 'elsewhere'))),
      reason: 'every worker plans, at any time',
    },
    {
      act: 'letting go',
      run: () => clusters.replace([]),
      reason: 'what is no longer watched is not in the order of the plan',
    },
  ])('locks rows in the order of their uids when $act: $reason', async ({ run }) => {
    const inOrder = claims.toSorted((left, right) => (left.cluster.uid < right.cluster.uid ? -1 : 1));
    // So that the table itself has them in another order.
    for (const { cluster } of inOrder.toReversed()) {
      await test.database.query('UPDATE watched_cluster SET due_at = due_at WHERE cluster_uid = $1', [cluster.uid]);
    }
    // With the first one in the hands of somebody else, none of those after it may be held: the other may want them next.
    const { free, running } = await test.database.transaction(async (transaction) => {
      const first = 'SELECT FROM watched_cluster WHERE cluster_uid = $1 FOR UPDATE';
      await transaction.query(first, [inOrder[0]?.cluster.uid]);
      const started = run(inOrder.toReversed());
      await someoneWaits();
      const rest = 'SELECT FROM watched_cluster FOR UPDATE SKIP LOCKED';
      return { free: (await transaction.query(rest)).rowCount, running: started };
    });
    await running;
    expect(free).toBe(CLUSTERS);
  });
});
