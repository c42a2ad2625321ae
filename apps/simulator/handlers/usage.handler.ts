import { canonicalLocation } from '#libs/kernel/arm-id.js';
import { assertNever } from '#libs/kernel/assert-never.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { ArmError } from '../arm-error.js';
import { type ArmAnswer } from '../arm-request.js';
import type { UsageProvider } from '../arm-route.js';
import { type AzureState } from '../azure.state.js';
import { LOCATIONS } from '../resource-type.registry.js';
import { containerGroupsIn, coresOfGroup } from '../types/container-group.type.js';
import { coreUsage } from '../types/core-usage.js';

/** What a region without a limit shows: more than any estate uses. */
const NO_LIMIT = 1_000_000;

interface UsageQuestion {
  subscriptionId: string;
  namespace: UsageProvider;
  location: string;
}

/** `GET …/{provider}/locations/{location}/usages`: how much is used, and how much there may be. */
export class UsageHandler {
  constructor(private readonly state: AzureState) {}

  usages({ subscriptionId, namespace, location: locationSent }: UsageQuestion): ArmAnswer {
    const location = canonicalLocation(locationSent);
    if (!LOCATIONS.has(location)) {
      throw new ArmError(
        400,
        'NoRegisteredProviderFound',
        `No registered resource provider found for location '${location}'.`,
        {
          gateway: true,
        },
      );
    }
    switch (namespace) {
      case 'Microsoft.Compute':
        return { status: 200, body: { value: [this.#cores(subscriptionId, location)] } };
      case 'Microsoft.ContainerInstance':
        return { status: 200, body: { value: this.#containerInstances(subscriptionId, location) } };
      default:
        return assertNever(namespace);
    }
  }

  #cores(subscriptionId: string, location: string): JsonObject {
    const { world } = this.state;
    const limit = world.coreQuota(subscriptionId, location) ?? NO_LIMIT;
    return usage('cores', 'Total Regional vCPUs', coreUsage(world, subscriptionId, location), limit);
  }

  #containerInstances(subscriptionId: string, location: string): JsonObject[] {
    const { world } = this.state;
    const groups = containerGroupsIn(world, subscriptionId, location);
    const cores = groups.reduce((sum, group) => sum + coresOfGroup(group.body), 0);
    return [
      usage('ContainerGroups', 'Container Groups', groups.length, world.containerGroupLimit()),
      usage('StandardCores', 'Standard Cores', cores, NO_LIMIT),
    ];
  }
}

function usage(value: string, localizedValue: string, currentValue: number, limit: number): JsonObject {
  return { unit: 'Count', currentValue, limit, name: { value, localizedValue } };
}
