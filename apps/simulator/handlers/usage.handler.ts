import { canonicalLocation } from '#libs/kernel/arm-id.js';
import { assertNever } from '#libs/kernel/assert-never.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { ArmError } from '../arm-error.js';
import { type ArmAnswer } from '../arm-request.js';
import type { UsageProvider } from '../arm-route.js';
import { type AzureState } from '../azure.state.js';
import { LOCATIONS } from '../resource-type.registry.js';
import { LARGEST_GROUP, containerGroupsIn, coresOfGroups } from '../types/container-group.type.js';
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
    const location = knownLocation(locationSent);
    switch (namespace) {
      case 'Microsoft.Compute':
        return { status: 200, body: { value: [this.#cores(subscriptionId, location)] } };
      case 'Microsoft.ContainerInstance':
        return { status: 200, body: { value: this.#containerInstances(subscriptionId, location) } };
      default:
        return assertNever(namespace);
    }
  }

  /** `GET …/Microsoft.ContainerInstance/locations/{location}/capabilities`: the most that one group can have. */
  capabilities({ location: locationSent }: { location: string }): ArmAnswer {
    const location = knownLocation(locationSent);
    if (!this.state.world.offersContainerInstances(location)) return { status: 200, body: { value: [] } };
    const value = [
      ['Linux', 'Public'],
      ['Linux', 'Private'],
      ['Windows', 'Public'],
    ].map(([osType = '', ipAddressType = '']) => ({
      resourceType: 'containerGroups',
      osType,
      location: location.toUpperCase(),
      ipAddressType,
      gpu: 'None',
      capabilities: { maxMemoryInGB: LARGEST_GROUP.memoryInGB, maxCpu: LARGEST_GROUP.cpu, maxGpuCount: 0 },
    }));
    return { status: 200, body: { value } };
  }

  #cores(subscriptionId: string, location: string): JsonObject {
    const { world } = this.state;
    const limit = world.coreQuota(subscriptionId, location) ?? NO_LIMIT;
    return usage('cores', 'Total Regional vCPUs', coreUsage(world, subscriptionId, location), limit);
  }

  #containerInstances(subscriptionId: string, location: string): JsonObject[] {
    const { world } = this.state;
    const groups = containerGroupsIn(world, subscriptionId, location);
    return [
      usage('ContainerGroups', 'Container Groups', groups.length, world.containerGroupLimit()),
      usage('StandardCores', 'Standard Cores', coresOfGroups(groups), world.containerCoreLimit()),
    ];
  }
}

/** @throws ArmError as the gateway words it. */
function knownLocation(sent: string): string {
  const location = canonicalLocation(sent);
  if (LOCATIONS.has(location)) return location;
  throw new ArmError(
    400,
    'NoRegisteredProviderFound',
    `No registered resource provider found for location '${location}'.`,
    { gateway: true },
  );
}

function usage(value: string, localizedValue: string, currentValue: number, limit: number): JsonObject {
  return { unit: 'Count', currentValue, limit, name: { value, localizedValue } };
}
