import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CLUSTER_1, AKS_VERSION, POOL_1, SUBSCRIPTION, SimulatedAzure, codeOf } from './simulated-azure.harness.js';

/** A size that a spec can use up. */
const SCALE = 0.02;

let azure: SimulatedAzure;
beforeEach(async () => {
  azure = await SimulatedAzure.start();
});
afterEach(async () => azure.stop());

describe('checklist 10: rate limits', () => {
  it('show what is left, as documented', async () => {
    const read = await azure.get(CLUSTER_1, AKS_VERSION);
    expect(read.headers).toMatchObject({
      'x-ms-ratelimit-remaining-subscription-reads': '249',
      'x-ms-ratelimit-remaining-subscription-global-reads': '3749',
    });
    const write = await azure.put(POOL_1, AKS_VERSION, { properties: { count: 2 } });
    expect(write.headers).toMatchObject({
      'x-ms-ratelimit-remaining-subscription-writes': '199',
      'x-ms-ratelimit-remaining-subscription-global-writes': '2999',
    });
    const deletion = await azure.send('DELETE', `${CLUSTER_1}x`, { version: AKS_VERSION });
    expect(deletion.headers['x-ms-ratelimit-remaining-subscription-deletes']).toBe('199');
    const tenant = await azure.get('/subscriptions', '2022-12-01');
    expect(tenant.headers['x-ms-ratelimit-remaining-tenant-reads']).toBe('249');
  });

  it('are not shown by refusals of the gateway, but by those of a provider', async () => {
    const headers = 'x-ms-ratelimit-remaining-subscription-reads';
    expect((await azure.get(`${CLUSTER_1}x`, AKS_VERSION)).headers).not.toHaveProperty(headers);
    expect((await azure.get(`${POOL_1}x`, AKS_VERSION)).headers).toHaveProperty(headers);
  });

  it('refuse what exceeds them, say when to come back, and refill', async () => {
    await azure.control('POST', '/settings', { throttleScale: SCALE });
    for (let request = 0; request < 5; request++) {
      expect((await azure.get(CLUSTER_1, AKS_VERSION)).status).toBe(200);
    }
    const refused = await azure.get(CLUSTER_1, AKS_VERSION);
    expect([refused.status, codeOf(refused)]).toEqual([429, 'SubscriptionRequestsThrottled']);
    expect(refused.headers['retry-after']).toBe('2');
    azure.clock.advance(2000);
    expect((await azure.get(CLUSTER_1, AKS_VERSION)).status).toBe(200);
  });

  it('are kept apart by principal, by subscription and by kind of request', async () => {
    await azure.control('POST', '/settings', { throttleScale: 1 / 250 });
    const other = { authorization: 'Bearer other' };
    expect((await azure.get(CLUSTER_1, AKS_VERSION)).status).toBe(200);
    expect((await azure.get(CLUSTER_1, AKS_VERSION)).status).toBe(429);
    expect((await azure.send('GET', CLUSTER_1, { version: AKS_VERSION, headers: other })).status).toBe(200);
    expect((await azure.get('/subscriptions', '2022-12-01')).status).toBe(200);
  });

  it('can be taken away', async () => {
    await azure.control('POST', '/settings', { throttleScale: 0 });
    const answers = await Promise.all(Array.from({ length: 300 }, () => azure.get(CLUSTER_1, AKS_VERSION)));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
  });
});

describe('the quota of Resource Graph', () => {
  const query = 'resources | count';

  it('is 15 queries in 5 seconds, and says so', async () => {
    const first = await azure.query(query);
    expect(first.headers).toMatchObject({
      'x-ms-user-quota-remaining': '14',
      'x-ms-user-quota-resets-after': '00:00:05',
    });
    for (let more = 0; more < 14; more++) expect((await azure.query(query)).status).toBe(200);
    const refused = await azure.query(query);
    expect([refused.status, codeOf(refused), refused.headers['retry-after']]).toEqual([429, 'RateLimiting', '5']);
    expect(refused.headers['x-ms-user-quota-remaining']).toBe('0');
    azure.clock.advance(5000);
    expect((await azure.query(query)).status).toBe(200);
  });

  it('is not that of ARM', async () => {
    await azure.query(query);
    const read = await azure.get(`/subscriptions/${SUBSCRIPTION}`, '2022-12-01');
    expect(read.headers['x-ms-ratelimit-remaining-subscription-reads']).toBe('249');
  });
});
