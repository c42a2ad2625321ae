import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { ArmClient } from './arm.client.js';
import { armApiVersion } from './arm-api-versions.js';
import type { AzureCallContext } from './azure.options.js';

/** How many virtual cores a subscription can still use in a region, or why that cannot be told. */
export type RegionalCores =
  { state: 'known'; used: number; limit: number } | { state: 'unknown'; problem: ControlError };

/** The regional quota over all machine families. Never throws for an answer of Azure: quota is advice, not a condition. */
export async function regionalCores(
  arm: ArmClient,
  subscriptionId: string,
  location: string,
  context: AzureCallContext,
): Promise<RegionalCores> {
  const path = `${ArmId.subscription(subscriptionId).toString()}/providers/Microsoft.Compute/locations/${location}/usages`;
  try {
    for await (const page of arm.list(path, armApiVersion('Microsoft.Compute/locations/usages'), context)) {
      for (const { name, currentValue, limit } of page.items) {
        if (!isJsonObject(name) || name.value !== 'cores') continue;
        if (typeof currentValue === 'number' && typeof limit === 'number')
          return { state: 'known', used: currentValue, limit };
      }
    }
  } catch (error) {
    if (error instanceof ControlError) return { state: 'unknown', problem: error };
    throw error;
  }
  return {
    state: 'unknown',
    problem: new ControlError('AZURE_UNEXPECTED_ANSWER', 'The usage list has no entry for the regional cores.'),
  };
}
