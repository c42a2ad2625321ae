import { numberAt, objectAt, textAt } from '../json-merge.js';
import { type ResourceWorld } from '../resource-type.descriptor.js';
import { coresOf } from './vm-size.js';

export const AGENT_POOL_TYPE = 'Microsoft.ContainerService/managedClusters/agentPools';

/** Virtual CPUs of all node pools in a region; pools have no location of their own, their clusters do. */
export function coreUsage(world: ResourceWorld, subscriptionId: string, location: string, except?: string): number {
  return world
    .ofSubscription(AGENT_POOL_TYPE, subscriptionId)
    .filter((pool) => pool.key !== except && textAt(world.get(pool.parentKey ?? '')?.body, 'location') === location)
    .reduce((sum, pool) => {
      const properties = objectAt(pool.body, 'properties');
      return sum + (numberAt(properties, 'count') ?? 0) * coresOf(textAt(properties, 'vmSize') ?? '');
    }, 0);
}
