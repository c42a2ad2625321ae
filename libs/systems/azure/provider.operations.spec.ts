import { describe, expect, it } from '@jest/globals';
import { SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import { FakeArm, refusal } from '#libs/testing/fake-arm.js';
import { playOperation } from '#libs/testing/operation-play.js';
import { createAzureSystem } from './azure.module.js';

const NAMESPACE = 'Microsoft.ContainerInstance';
const PROVIDER = `/subscriptions/${SUBSCRIPTION}/providers/${NAMESPACE}`;

/** A subscription in which a registration takes until the test says so. */
function world(state: string) {
  const arm = new FakeArm();
  const setProvider = (now: string) => arm.set(PROVIDER, { registrationState: now });
  setProvider(state);
  arm.answer('POST', /Microsoft\.ContainerInstance\/register$/, () => {
    setProvider('Registering');
    return { status: 200, body: { registrationState: 'Registering' } };
  });
  const play = playOperation(
    createAzureSystem(arm.azure()).operations,
    'azure.provider.register',
    { subscriptionId: SUBSCRIPTION, namespace: NAMESPACE },
    {},
  );
  const posts = () => arm.requests.filter(({ method }) => method === 'POST').map(({ path }) => path);
  return { arm, setProvider, posts, ...play };
}

const ROWS: { state?: string; prepare?(parts: ReturnType<typeof world>): void; found: string[]; reason: string }[] = [
  { state: 'NotRegistered', found: [], reason: 'it can be registered' },
  { state: 'Unregistered', found: [], reason: 'it was registered once' },
  { state: 'Registering', found: [], reason: 'somebody has asked for it already' },
  { state: 'Registered', found: ['info PROVIDER_REGISTERED'], reason: 'it is registered' },
  { state: 'Unregistering', found: ['warning PROVIDER_UNREGISTERING'], reason: 'somebody takes it back' },
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
];

describe('azure.provider.register', () => {
  it('is about the subscription, and locks the one provider', () => {
    expect(world('NotRegistered').target()).toEqual({
      id: `/subscriptions/${SUBSCRIPTION}`,
      kind: 'Subscription',
      lock: PROVIDER.toLowerCase(),
    });
  });

  it.each(ROWS)('finds $found: $reason', async ({ state = 'NotRegistered', prepare, found }) => {
    const parts = world(state);
    prepare?.(parts);
    expect(await parts.codes()).toEqual(found);
    expect(parts.posts()).toEqual([]);
  });

  it('has a row for each finding', () => {
    const codes = new Set(ROWS.flatMap(({ found }) => found.map((code) => code.split(' ')[1])));
    expect([...codes].sort()).toEqual(Object.keys(world('Registered').operation.findings).sort());
  });

  it('asks once, and waits until it is registered', async () => {
    const { step, verify, plan, setProvider, posts } = world('NotRegistered');
    expect(await plan()).toEqual({ action: 'register', state: 'NotRegistered' });
    await expect(step('register')).resolves.toMatchObject({ outcome: 'wait' });
    await expect(step('register', undefined, 2)).resolves.toMatchObject({ outcome: 'wait' });
    await expect(verify()).resolves.toMatchObject({ verdict: 'missed' });
    setProvider('Registered');
    await expect(step('register', undefined, 3)).resolves.toMatchObject({ outcome: 'done' });
    await expect(verify()).resolves.toMatchObject({ verdict: 'reached', result: { state: 'Registered' } });
    expect(await plan()).toEqual({ action: 'none', state: 'Registered' });
    expect(posts()).toEqual([`${PROVIDER}/register`]);
  });

  it('waits until somebody has taken the registration back', async () => {
    const { step, posts } = world('Unregistering');
    expect((await step('register')).outcome).toBe('blocked');
    expect(posts()).toEqual([]);
  });

  it('fails where Azure has no such provider', async () => {
    const { arm, step, verify } = world('NotRegistered');
    arm.remove(PROVIDER);
    await expect(step('register')).rejects.toMatchObject({ code: 'AZURE_NOT_FOUND' });
    await expect(verify()).resolves.toMatchObject({ verdict: 'missed' });
  });
});
