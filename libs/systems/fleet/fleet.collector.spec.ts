import { describe, expect, it } from '@jest/globals';
import { SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import { FakeArm, refusal } from '#libs/testing/fake-arm.js';
import { FLEET_ID, MEMBER_ID, fleetBody, memberBody } from '#libs/testing/fleet-samples.js';
import { collected } from '../contract/system.contract-suite.js';
import { FleetClient } from './fleet.client.js';
import { FleetCollector } from './fleet.collector.js';

const GRAPH = /resourcegraph/i;
const OTHER_FLEET = FLEET_ID.replace('aks-fleet01', 'aks-fleet02');
const OTHER_MEMBER = `${OTHER_FLEET}/members/m2`;

function world() {
  const arm = new FakeArm();
  arm.add(fleetBody(), fleetBody({}, OTHER_FLEET), memberBody(), memberBody({}, OTHER_MEMBER));
  const collector = new FleetCollector(new FleetClient(arm.azure()));
  const scope = collector.scopes([SUBSCRIPTION])[0]!;
  return {
    arm,
    async collect() {
      const run = collector.collect(scope, { correlationId: 'c', signal: new AbortController().signal });
      const { batches, outcome } = await collected(run);
      return {
        ids: batches.flat().map(({ id }) => id),
        sources: new Set(batches.flat().map(({ source }) => source)),
        outcome,
      };
    },
  };
}

describe('FleetCollector.collect', () => {
  it('takes fleets and members from Resource Graph', async () => {
    const { arm, collect } = world();
    const { ids, sources, outcome } = await collect();
    expect(outcome).toEqual({ state: 'complete' });
    expect(ids).toEqual([FLEET_ID, OTHER_FLEET, MEMBER_ID, OTHER_MEMBER]);
    expect([...sources]).toEqual(['RESOURCE_GRAPH']);
    expect(arm.requests).toHaveLength(2);
  });

  it('lists by ARM, the members fleet by fleet, where Resource Graph fails', async () => {
    const { arm, collect } = world();
    arm.answer('POST', GRAPH, refusal(403, 'AuthorizationFailed', ''));
    const { ids, sources, outcome } = await collect();
    expect(outcome).toEqual({ state: 'complete' });
    expect(ids).toEqual([FLEET_ID, OTHER_FLEET, MEMBER_ID, OTHER_MEMBER]);
    expect([...sources]).toEqual(['ARM']);
  });

  it('is partial, naming the fleet, when the members of one cannot be listed', async () => {
    const { arm, collect } = world();
    arm.answer('POST', GRAPH, refusal(403, 'AuthorizationFailed', ''));
    arm.answer('GET', /aks-fleet01\/members$/, refusal(403, 'AuthorizationFailed', ''));
    const { ids, outcome } = await collect();
    expect(ids).toEqual([FLEET_ID, OTHER_FLEET, OTHER_MEMBER]);
    expect(outcome).toMatchObject({
      state: 'partial',
      problem: { code: 'AZURE_FORBIDDEN' },
      missing: expect.stringContaining('aks-fleet01'),
    });
  });

  it('misses nothing when a fleet is deleted between the two lists', async () => {
    const { arm, collect } = world();
    arm.answer('POST', GRAPH, refusal(403, 'AuthorizationFailed', ''));
    arm.answer('GET', /aks-fleet01\/members$/, refusal(404, 'ParentResourceNotFound', ''));
    expect((await collect()).outcome).toEqual({ state: 'complete' });
  });

  it.each([
    { answer: refusal(404, 'SubscriptionNotFound', ''), reason: 'the subscription has become invisible' },
    { answer: { status: 404, headers: { 'x-ms-request-id': '' }, body: 'gone' }, reason: 'the 404 is of a proxy' },
  ])('does not take a 404 for "no members" when $reason', async ({ answer }) => {
    const { arm, collect } = world();
    arm.answer('POST', GRAPH, refusal(403, 'AuthorizationFailed', ''));
    arm.answer('GET', /members$/, answer);
    expect((await collect()).outcome).toMatchObject({ state: 'partial' });
  });

  it('keeps the fleets when no member can be seen at all', async () => {
    const { arm, collect } = world();
    arm.answer('POST', GRAPH, refusal(403, 'AuthorizationFailed', ''));
    arm.answer('GET', /members$/, refusal(403, 'AuthorizationFailed', ''));
    const { ids, outcome } = await collect();
    expect(ids).toEqual([FLEET_ID, OTHER_FLEET]);
    expect(outcome).toMatchObject({ state: 'partial' });
  });

  it('throws when not even the fleets can be seen', async () => {
    const { arm, collect } = world();
    arm.answer('POST', GRAPH, refusal(403, 'AuthorizationFailed', ''));
    arm.answer('GET', /fleets$/, refusal(403, 'AuthorizationFailed', ''));
    await expect(collect()).rejects.toMatchObject({ code: 'AZURE_FORBIDDEN' });
  });
});
