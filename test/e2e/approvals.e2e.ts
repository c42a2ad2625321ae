import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack, type Answer } from './stack.js';

const POOL =
  '/subscriptions/5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3/resourceGroups/demo_aks01/providers/Microsoft.ContainerService/managedClusters/demo-aks01/agentPools/nodepool1';
const OTTO = 'otto-has-a-token-of-some-length';
const OLGA = 'olga-has-a-token-of-some-length';
const VERA = 'vera-has-a-token-of-some-length';

/** The demo estate, where scaling of node pools needs a second pair of eyes. */
describe('operations that need somebody else’s consent', () => {
  let stack: Stack;
  let poolUid: string;
  let poolId: string;
  let count: number;

  beforeAll(async () => {
    stack = await Stack.start({
      PILOTHOUSE_TOKENS: `otto:operator:${OTTO},olga:operator:${OLGA},vera:viewer:${VERA}`,
      APPROVALS: 'aks.nodePool.scale',
    });
    const pool = await stack.until('a node pool', async () => {
      const { body } = await stack.api(`/v1/resources?id=${POOL}`);
      return body.items[0] as { uid: string; id: string; properties: { count: number } } | undefined;
    });
    poolUid = pool.uid;
    poolId = pool.id;
    count = pool.properties.count;
  }, 120_000);

  afterAll(() => stack.stop(), 60_000);

  const ask = (token = OTTO, wanted = count + 1, dryRun = false): Promise<Answer> =>
    stack.api('/v1/operations', {
      method: 'POST',
      token,
      body: { type: 'aks.nodePool.scale', input: { nodePool: poolUid, count: wanted }, dryRun },
    });
  const decide = (id: string, what: 'approve' | 'reject', token = OLGA, body?: unknown): Promise<Answer> =>
    stack.api(`/v1/operations/${id}/${what}`, { method: 'POST', token, ...(body === undefined ? {} : { body }) });
  const trailOf = async (id: string): Promise<[string, string, string][]> => {
    const { body } = await stack.api(`/v1/audit-events?operationId=${id}`);
    return body.items.map((event: { action: string; outcome: string; principalName: string }) => [
      event.action,
      event.outcome,
      event.principalName,
    ]);
  };
  const puts = async (): Promise<number> => (await stack.azureRequests('PUT', /\/agentPools\//i)).length;

  it('waits without touching anything, goes on once somebody else consents, and has both on record', async () => {
    const before = await puts();
    const { status, body } = await ask();
    expect(status).toBe(202);
    expect(body).toMatchObject({ status: 'Pending', approval: { state: 'waiting', rule: 'aks.nodePool.scale' } });
    const waiting = await stack.api('/v1/operations?approval=waiting', { token: VERA });
    expect(waiting.body.items.map(({ id }: { id: string }) => id)).toEqual([body.id]);
    // Others on the same target are not held up by it.
    const { body: second } = await ask(OTTO, count);
    expect((await decide(second.id, 'approve')).status).toBe(202);
    expect(await stack.endOf(second.id)).toMatchObject({ status: 'Succeeded' });
    expect((await stack.api(`/v1/operations/${body.id}`)).body).toMatchObject({ status: 'Pending', startedAt: null });
    expect(await puts()).toBe(before);

    expect(await decide(body.id, 'approve', OTTO)).toMatchObject({ status: 403, body: { code: 'OWN_OPERATION' } });
    expect(await decide(body.id, 'approve', VERA)).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
    const approved = await decide(body.id, 'approve', OLGA, { reason: 'Black Friday' });
    expect(approved.body.approval).toMatchObject({ state: 'approved', decidedBy: 'olga', reason: 'Black Friday' });
    // To say it twice is to say it once.
    expect((await decide(body.id, 'approve', OLGA)).status).toBe(202);
    expect(await decide(body.id, 'reject', OLGA)).toMatchObject({
      status: 409,
      body: { code: 'NOT_AWAITING_APPROVAL' },
    });
    expect(await stack.endOf(body.id)).toMatchObject({ status: 'Succeeded' });
    expect(await puts()).toBe(before + 1);
    expect(await trailOf(body.id)).toEqual([
      ['operation.accepted', 'accepted', 'otto'],
      ['operation.decision-denied', 'denied', 'otto'],
      ['operation.decision-denied', 'denied', 'vera'],
      ['operation.approved', 'accepted', 'olga'],
      ['operation.ended', 'succeeded', 'otto'],
    ]);
  });

  it('ends as failed, with nothing done, when somebody decides against it', async () => {
    const before = await puts();
    const { body } = await ask(OTTO, count + 3);
    const rejected = await stack.graphql(
      `mutation ($id: ID!) { rejectOperation(id: $id, reason: "too many") { status error { code } approval { state decidedBy } } }`,
      { id: body.id },
      { token: OLGA },
    );
    expect(rejected.body.data.rejectOperation).toEqual({
      status: 'Failed',
      error: { code: 'APPROVAL_REJECTED' },
      approval: { state: 'rejected', decidedBy: 'olga' },
    });
    expect((await decide(body.id, 'approve', OLGA)).body.code).toBe('NOT_AWAITING_APPROVAL');
    expect(await puts()).toBe(before);
    const outcomes = (await trailOf(body.id)).map(([action, outcome]) => [action, outcome]);
    expect(outcomes).toContainEqual(['operation.ended', 'failed']);
  });

  it('can be canceled by who asked, and decided about no more', async () => {
    const { body } = await ask(OTTO, count + 4);
    const canceled = await stack.api(`/v1/operations/${body.id}/cancel`, { method: 'POST', token: OTTO });
    expect(canceled.body.status).toBe('Canceled');
    expect((await decide(body.id, 'approve')).body.code).toBe('NOT_AWAITING_APPROVAL');
  });

  it('needs no consent for a dry run', async () => {
    const { body } = await ask(OTTO, count + 5, true);
    expect(body.approval).toBeNull();
    expect(await stack.endOf(body.id)).toMatchObject({ status: 'Succeeded' });
  });

  it.each([
    { reason: 'a reason that is no text', body: { reason: 4 } },
    { reason: 'a member that does not exist', body: { why: 'x' } },
    { reason: 'a reason without end', body: { reason: 'x'.repeat(1_001) } },
  ])('says what is wrong with a decision: $reason', async ({ body: decision }) => {
    const { body } = await ask(OTTO, count + 6);
    expect(await decide(body.id, 'approve', OLGA, decision)).toMatchObject({
      status: 400,
      body: { code: 'INVALID_REQUEST' },
    });
    await decide(body.id, 'reject');
  });

  it('takes one consent for a whole set', async () => {
    const asked = await stack.api('/v1/operation-sets', {
      method: 'POST',
      token: OTTO,
      body: {
        type: 'aks.nodePool.scale',
        input: { count: count + 2 },
        field: 'nodePool',
        targets: [poolId],
        maxConcurrency: 1,
      },
    });
    expect(asked.status).toBe(202);
    const route = `/v1/operation-sets/${asked.body.id}`;
    await stack.until('its operation to wait', async () => {
      const { body } = await stack.api(`/v1/operations?set=${asked.body.id}&approval=waiting`);
      return body.items.length === 1;
    });
    const own = await stack.api(`${route}/approve`, { method: 'POST', token: OTTO });
    expect(own).toMatchObject({ status: 403, body: { code: 'OWN_OPERATION' } });
    const approved = await stack.api(`${route}/approve`, { method: 'POST', token: OLGA, body: { reason: 'go' } });
    expect(approved.body.consent).toMatchObject({ by: 'olga', reason: 'go' });
    await stack.until('the end of the set', async () => (await stack.api(route)).body.status === 'Succeeded');
  });

  it('takes a token away from who is no longer in the configuration', async () => {
    await stack.kill('api', 'SIGTERM');
    await stack.run('api', { PILOTHOUSE_TOKENS: `olga:operator:${OLGA}` });
    expect((await stack.api('/v1/operations', { token: OTTO })).status).toBe(401);
    expect((await stack.api('/v1/operations', { token: OLGA })).status).toBe(200);
  });
});
