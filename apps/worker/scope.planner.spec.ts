import { describe, expect, it } from '@jest/globals';
import type { ScopeRepository } from '#libs/inventory/scope.repository.js';
import type { CollectionScope, Collector } from '#libs/systems/contract/collector.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { ScopePlanner } from './scope.planner.js';

const collector = (name: string): Collector => ({
  name,
  kinds: [],
  scopes: (subscriptionIds) =>
    subscriptionIds.map((subscriptionId) => ({
      key: `${name}:${subscriptionId}`,
      collector: name,
      kinds: [],
      subscriptionId,
      clusterUid: null,
    })),
  // eslint-disable-next-line require-yield
  collect: async function* () {
    return { state: 'complete' };
  },
  observe: async () => ({ state: 'absent', observedAt: new Date(0) }),
});

/** Only what the planner uses of the repository. */
class FakeScopes implements Pick<ScopeRepository, 'ensure'> {
  readonly ensured: { keys: string[]; intervalSeconds: number }[] = [];

  async ensure(scopes: readonly CollectionScope[], intervalSeconds: number): Promise<void> {
    this.ensured.push({ keys: scopes.map((scope) => scope.key), intervalSeconds });
  }
}

describe('ScopePlanner', () => {
  const registry = new SystemRegistry(
    ['aks', 'fleet'].map((name) => ({ name, kinds: [], collectors: [collector(name)], watchers: [], operations: [] })),
  );
  const { signal } = new AbortController();

  it.each([
    { reason: 'the configured ones, and asks nobody', configured: ['a'], seen: undefined, keys: ['aks:a', 'fleet:a'] },
    {
      reason: 'all that are seen where none is configured',
      configured: [],
      seen: ['b', 'c'],
      keys: ['aks:b', 'aks:c', 'fleet:b', 'fleet:c'],
    },
  ])('plans every collector for $reason', async ({ configured, seen, keys }) => {
    const scopes = new FakeScopes();
    const listSubscriptionIds = async (): Promise<string[]> => {
      if (seen === undefined) throw new TypeError('Nobody should ask');
      return seen;
    };
    const planner = new ScopePlanner(
      registry,
      scopes as unknown as ScopeRepository,
      { listSubscriptionIds },
      { subscriptionIds: configured, syncIntervalSeconds: 7 },
    );
    await planner.plan(signal);
    expect(scopes.ensured).toEqual([{ keys, intervalSeconds: 7 }]);
  });

  it('leaves the plan as it is when no subscription can be seen', async () => {
    const scopes = new FakeScopes();
    const planner = new ScopePlanner(
      registry,
      scopes as unknown as ScopeRepository,
      { listSubscriptionIds: async () => [] },
      { subscriptionIds: [], syncIntervalSeconds: 7 },
    );
    await planner.plan(signal);
    expect(scopes.ensured).toEqual([]);
  });
});
