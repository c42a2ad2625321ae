import { canonicalLocation, type ArmId } from '#libs/kernel/arm-id.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import type { AksClient } from './aks.client.js';
import { LEAST_CORES_OF_NODE } from './aks.limits.js';

export const coreFindings = {
  REGIONAL_CORES_SHORT: 'The regional quota has fewer free cores than the new nodes need at least.',
  REGIONAL_CORES_UNKNOWN: 'The regional quota could not be read.',
} as const satisfies Record<string, string>;

/** @param wanted `nodes` are those that come in addition to what is there. */
export async function judgeCores(
  client: AksClient,
  context: AzureCallContext,
  wanted: { id: ArmId; location: string | null; nodes: number },
  say: FindingReporter<keyof typeof coreFindings>,
): Promise<void> {
  const { id, location, nodes } = wanted;
  if (id.subscriptionId === undefined || location === null || nodes <= 0) return;
  const cores = await client.regionalCores(id.subscriptionId, canonicalLocation(location), context);
  if (cores.state === 'unknown') {
    say('REGIONAL_CORES_UNKNOWN', 'info', { location, code: cores.problem.externalCode ?? cores.problem.code });
    return;
  }
  const neededAtLeast = nodes * LEAST_CORES_OF_NODE;
  if (cores.limit - cores.used >= neededAtLeast) return;
  const evidence = { location, used: cores.used, limit: cores.limit, neededAtLeast };
  // A warning: what the quota counts lags behind, and Azure has the last word.
  say('REGIONAL_CORES_SHORT', 'warning', evidence, 'Ask for a higher quota in the region.');
}
