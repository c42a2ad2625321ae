import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import { FakeArm, refusal } from '#libs/testing/fake-arm.js';
import { playOperation, tokenOf } from '#libs/testing/operation-play.js';
import { createAzureSystem } from './azure.module.js';

const PROVIDER = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerService`;
const FEATURES = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Features/providers/Microsoft.ContainerService/features`;
const PREVIEW = 'Microsoft.ContainerService/SomePreview';
const FLEET = 'Microsoft.ContainerService/FleetResourcePreview';

/** A subscription in which a registration takes until the test says so. */
function world(feature: string, state?: string, provider = 'Registered') {
  const arm = new FakeArm();
  const path = `${FEATURES}/${feature.split('/')[1] ?? ''}`;
  const setFeature = (now: string, more: JsonObject = {}) => arm.set(path, { properties: { state: now, ...more } });
  const setProvider = (now: string) => arm.set(PROVIDER, { registrationState: now });
  if (state !== undefined) setFeature(state);
  setProvider(provider);
  arm.answer('POST', /features\/[^/]+\/register$/, () => {
    setFeature('Registering');
    return { status: 200, body: { properties: { state: 'Registering' } } };
  });
  arm.answer('POST', /Microsoft\.ContainerService\/register$/, () => {
    setProvider('Registering');
    return { status: 200, body: { registrationState: 'Registering' } };
  });
  const play = playOperation(
    createAzureSystem(arm.azure()).operations,
    'azure.feature.register',
    { subscriptionId: SUBSCRIPTION, feature },
    {},
  );
  const posts = () => arm.requests.filter(({ method }) => method === 'POST').map(({ path: at }) => at);
  return { arm, path, setFeature, setProvider, posts, ...play };
}

describe('azure.feature.register', () => {
  it('is about the subscription, and locks the one feature', () => {
    const { target } = world(PREVIEW);
    expect(target()).toEqual({
      id: `/subscriptions/${SUBSCRIPTION}`,
      kind: 'Subscription',
      lock: `${FEATURES}/SomePreview`.toLowerCase(),
    });
  });

  it.each<{
    feature?: string;
    state?: string;
    prepare?(parts: ReturnType<typeof world>): void;
    found: string[];
    reason: string;
  }>([
    { state: 'NotRegistered', found: [], reason: 'it can be registered' },
    { state: 'Registered', found: ['info FEATURE_REGISTERED'], reason: 'it is registered' },
    { found: ['error FEATURE_UNKNOWN'], reason: 'Azure does not know it' },
    { feature: FLEET, found: ['info FEATURE_NOT_NEEDED'], reason: 'generally available, and forgotten by Azure' },
    {
      feature: FLEET,
      state: 'NotRegistered',
      found: ['info FEATURE_NOT_NEEDED'],
      reason: 'generally available, and still known to Azure',
    },
    { feature: FLEET.toLowerCase(), found: ['info FEATURE_NOT_NEEDED'], reason: 'however it is written' },
    { state: 'Pending', found: ['warning FEATURE_NEEDS_APPROVAL'], reason: 'somebody has to approve' },
    {
      prepare: ({ setFeature }) => setFeature('NotRegistered', { approvalType: 'ApprovalRequired' }),
      found: ['warning FEATURE_NEEDS_APPROVAL'],
      reason: 'somebody will have to approve',
    },
    {
      prepare: ({ arm }) => arm.answer('GET', /./, refusal(404, 'SubscriptionNotFound', '')),
      found: ['error SUBSCRIPTION_NOT_FOUND'],
      reason: 'there is no such subscription',
    },
    {
      prepare: ({ arm }) => arm.answer('GET', /./, refusal(404, 'InvalidResourceNamespace', '')),
      found: ['error PROVIDER_UNKNOWN'],
      reason: 'there is no such provider',
    },
    {
      prepare: ({ arm }) => arm.remove(PROVIDER),
      found: ['error PROVIDER_UNKNOWN'],
      reason: 'nothing answers for the provider',
    },
  ])('finds $found: $reason', async ({ feature = PREVIEW, state, prepare, found }) => {
    const parts = world(feature, state);
    prepare?.(parts);
    expect(await parts.codes()).toEqual(found);
    expect(parts.posts()).toEqual([]);
  });

  it('registers the feature, then the provider anew, and waits for both', async () => {
    const { step, verify, plan, setFeature, setProvider, posts, path } = world(PREVIEW, 'NotRegistered');
    expect(await plan()).toMatchObject({ feature: { action: 'register' }, provider: { action: 'register' } });
    await expect(step('register-feature')).resolves.toMatchObject({ outcome: 'wait' });
    await expect(step('register-feature', undefined, 2)).resolves.toMatchObject({ outcome: 'wait' });
    await expect(verify()).resolves.toMatchObject({ verdict: 'missed' });
    setFeature('Registered');
    await expect(step('register-feature', undefined, 3)).resolves.toMatchObject({ outcome: 'done' });
    const asked = await step('register-provider');
    await expect(step('register-provider', tokenOf(asked), 2)).resolves.toMatchObject({ outcome: 'wait' });
    await expect(verify()).resolves.toMatchObject({ verdict: 'pending' });
    setProvider('Registered');
    await expect(step('register-provider', tokenOf(asked), 3)).resolves.toMatchObject({ outcome: 'done' });
    await expect(verify()).resolves.toMatchObject({
      verdict: 'reached',
      result: { state: 'Registered', provider: 'Registered', needed: true },
    });
    expect(posts()).toEqual([`${path}/register`, `${PROVIDER}/register`]);
  });

  it('may ask the provider again after a crash', async () => {
    const { step, posts } = world(PREVIEW, 'Registered');
    await step('register-provider');
    await step('register-provider', undefined, 2);
    expect(posts()).toEqual([`${PROVIDER}/register`, `${PROVIDER}/register`]);
  });

  it('takes a feature that is generally available for registered where Azure has forgotten it', async () => {
    const { step, verify, plan, posts } = world(FLEET);
    expect(await plan()).toMatchObject({ feature: { action: 'none' } });
    await expect(step('register-feature')).resolves.toMatchObject({ outcome: 'done', output: { needed: false } });
    expect(posts()).toEqual([]);
    await expect(verify()).resolves.toMatchObject({ verdict: 'reached', result: { state: null, needed: false } });
  });

  it('registers it all the same where Azure still has it, as the guides of then say', async () => {
    const { step, setFeature, verify } = world(FLEET, 'NotRegistered');
    await expect(step('register-feature')).resolves.toMatchObject({ outcome: 'wait' });
    setFeature('Registered');
    await expect(step('register-feature', undefined, 2)).resolves.toMatchObject({ outcome: 'done' });
    await expect(verify()).resolves.toMatchObject({
      verdict: 'reached',
      result: { state: 'Registered', needed: false },
    });
  });

  it.each([
    { state: 'Pending', outcome: 'wait', reason: 'it waits for approval' },
    { state: 'Unregistering', outcome: 'blocked', reason: 'somebody is taking it back' },
    { state: 'Unregistered', outcome: 'wait', reason: 'it is asked for' },
  ])('a feature that is $state: $outcome, since $reason', async ({ state, outcome }) => {
    expect((await world(PREVIEW, state).step('register-feature')).outcome).toBe(outcome);
  });

  it('fails where Azure does not know the feature', async () => {
    const { step, verify } = world(PREVIEW);
    await expect(step('register-feature')).rejects.toMatchObject({ code: 'AZURE_NOT_FOUND' });
    await expect(verify()).resolves.toMatchObject({ verdict: 'missed' });
  });
});
