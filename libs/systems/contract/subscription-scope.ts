import type { CollectionScope, Collector } from './collector.js';

/** One scope for each subscription: everything that the collector collects in it. */
export function subscriptionScopes(
  { name, kinds }: Pick<Collector, 'name' | 'kinds'>,
  subscriptionIds: readonly string[],
): CollectionScope[] {
  return subscriptionIds.map((subscriptionId) => ({
    key: `${name}:${subscriptionId.toLowerCase()}`,
    collector: name,
    kinds,
    subscriptionId: subscriptionId.toLowerCase(),
    clusterUid: null,
  }));
}

/** @throws TypeError for a scope of another sort: a fault in our code. */
export function subscriptionOf({ key, subscriptionId }: CollectionScope): string {
  if (subscriptionId === null) throw new TypeError(`The scope ${key} has no subscription`);
  return subscriptionId;
}
