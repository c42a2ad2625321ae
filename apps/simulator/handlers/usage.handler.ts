import { canonicalLocation } from '#libs/kernel/arm-id.js';
import { ArmError } from '../arm-error.js';
import { type ArmAnswer } from '../arm-request.js';
import { type AzureState } from '../azure.state.js';
import { LOCATIONS } from '../resource-type.registry.js';
import { coreUsage } from '../types/core-usage.js';

/** What a region without a limit shows: more than any estate uses. */
const NO_LIMIT = 1_000_000;

/** `GET …/Microsoft.Compute/locations/{location}/usages`: how many virtual CPUs are used, and how many there may be. */
export class UsageHandler {
  constructor(private readonly state: AzureState) {}

  usages(subscriptionId: string, locationSent: string): ArmAnswer {
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
    const { world } = this.state;
    const cores = {
      unit: 'Count',
      currentValue: coreUsage(world, subscriptionId, location),
      limit: world.coreQuota(subscriptionId, location) ?? NO_LIMIT,
      name: { value: 'cores', localizedValue: 'Total Regional vCPUs' },
    };
    return { status: 200, body: { value: [cores] } };
  }
}
