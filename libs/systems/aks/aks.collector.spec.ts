import { describe, expect, it } from '@jest/globals';
import { FakeArm, refusal } from '#libs/testing/fake-arm.js';
import { CLUSTER_ID, POOL_ID, SUBSCRIPTION, clusterBody, poolProperties } from '#libs/testing/aks-samples.js';
import { collected, targetOf } from '../contract/system.contract-suite.js';
import { createAksSystem } from './aks.module.js';

const GRAPH = /resourcegraph/i;
const LIST = /providers\/Microsoft\.ContainerService\/managedClusters$/;
const context = { correlationId: 'c', signal: new AbortController().signal };

function world(bodies = [clusterBody()]) {
  const arm = new FakeArm();
  arm.add(...bodies);
  const collector = createAksSystem(arm.azure()).collectors[0]!;
  const scope = collector.scopes([SUBSCRIPTION])[0]!;
  const collect = (signal = context.signal) => collected(collector.collect(scope, { ...context, signal }));
  return { arm, collector, collect };
}

describe('AksCollector.collect', () => {
  it('asks Resource Graph first, and ARM not at all while that is complete', async () => {
    const { arm, collect } = world();
    const { batches, outcome } = await collect();
    expect(outcome).toEqual({ state: 'complete' });
    expect(batches.flat().map(({ kind, source }) => [kind, source])).toEqual([
      ['ManagedCluster', 'RESOURCE_GRAPH'],
      ['AgentPool', 'RESOURCE_GRAPH'],
    ]);
    expect(arm.requests).toHaveLength(1);
  });

  it.each([
    { answer: refusal(403, 'AuthorizationFailed', 'no'), reason: 'is not allowed' },
    { answer: refusal(429, 'RateLimiting', 'later'), reason: 'is throttled' },
    {
      answer: { status: 200, body: { data: [], count: 0, totalRecords: 3, resultTruncated: 'true' } },
      reason: 'cuts its answer short',
    },
  ])('asks ARM when Resource Graph $reason', async ({ answer }) => {
    const { arm, collect } = world();
    arm.answer('POST', GRAPH, answer);
    const { batches, outcome } = await collect();
    expect(outcome).toEqual({ state: 'complete' });
    expect(batches.flat().map(({ source }) => source)).toEqual(['ARM', 'ARM']);
  });

  it('throws when neither can be asked: the cache stays as it is', async () => {
    const { arm, collect } = world();
    arm.answer('POST', GRAPH, refusal(500, 'InternalServerError', ''));
    arm.answer('GET', LIST, refusal(403, 'AuthorizationFailed', ''));
    await expect(collect()).rejects.toMatchObject({ code: 'AZURE_FORBIDDEN' });
  });

  it('is partial, and keeps what it has, when the list breaks off', async () => {
    const { arm, collect } = world();
    arm.answer('POST', GRAPH, refusal(500, 'InternalServerError', ''));
    const nextLink = `/subscriptions/${SUBSCRIPTION}/more?api-version=2026-04-01`;
    arm.answer('GET', LIST, { status: 200, body: { value: [clusterBody()], nextLink } });
    arm.answer('GET', /\/more$/, refusal(500, 'InternalServerError', ''));
    const { batches, outcome } = await collect();
    expect(batches.flat()).toHaveLength(2);
    expect(outcome).toMatchObject({
      state: 'partial',
      problem: { code: 'AZURE_UNAVAILABLE' },
      missing: expect.stringContaining(SUBSCRIPTION),
    });
  });

  it('is partial when one object cannot be understood, and keeps the others', async () => {
    const { arm, collect } = world();
    const data = [{ name: 'without an id' }, clusterBody()];
    arm.answer('POST', GRAPH, { status: 200, body: { data, count: 2, totalRecords: 2, resultTruncated: 'false' } });
    const { batches, outcome } = await collect();
    expect(batches.flat()).toHaveLength(2);
    expect(outcome).toMatchObject({ state: 'partial', problem: { code: 'AZURE_UNEXPECTED_ANSWER' } });
  });

  it('yields large clusters in bounded batches', async () => {
    const pools = Array.from({ length: 1201 }, (_unused, index) => ({ name: `p${index}`, ...poolProperties() }));
    const { collect } = world([clusterBody({}, pools)]);
    const { batches } = await collect();
    expect(batches.map((batch) => batch.length)).toEqual([500, 500, 202]);
  });

  it('stops with the reason of the signal', async () => {
    const { collect } = world();
    const reason = new Error('shutting down');
    await expect(collect(AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

describe('AksCollector.observe', () => {
  it('looks at the cluster for one of its pools, and brings both', async () => {
    const { collector } = world();
    const result = await collector.observe(targetOf(POOL_ID, 'AgentPool'), context);
    expect(result.state === 'present' && result.observations.map(({ id }) => id)).toEqual([CLUSTER_ID, POOL_ID]);
  });

  it('throws, rather than saying absent, when the cluster cannot be asked', async () => {
    const { arm, collector } = world();
    arm.answer('GET', /managedClusters/, refusal(404, 'SubscriptionNotFound', ''));
    await expect(collector.observe(targetOf(CLUSTER_ID, 'ManagedCluster'), context)).rejects.toMatchObject({
      code: 'AZURE_NOT_FOUND',
    });
  });
});
