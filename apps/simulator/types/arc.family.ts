import type { ArmId } from '#libs/kernel/arm-id.js';
import { ArmError } from '../arm-error.js';
import type { LongRunningOperation } from '../long-running-operation.store.js';

/** What the types of Azure Arc have in common. */

export const CONNECTED_CLUSTER_TYPE = 'Microsoft.Kubernetes/connectedClusters';
export const EXTENSION_TYPE = 'Microsoft.KubernetesConfiguration/extensions';
export const FLUX_TYPE = 'Microsoft.KubernetesConfiguration/fluxConfigurations';
export const CUSTOM_LOCATION_TYPE = 'Microsoft.ExtendedLocation/customLocations';
export const ENABLED_TYPE = 'Microsoft.ExtendedLocation/customLocations/enabledResourceTypes';

/** One operation at a time on a resource. Neither the status nor the code is recorded for these providers. */
export function arcConflict(target: ArmId, _intent: string, running: LongRunningOperation): ArmError | undefined {
  if (running.targetKey !== target.canonical) return undefined;
  return new ArmError(
    409,
    'Conflict',
    `Another operation (${running.id}: ${running.action}) is in progress on '${running.targetName}', which is ` +
      `${running.runningState}. Please wait for it to finish before starting a new operation.`,
  );
}

export function badRequest(code: string, message: string, target?: string): ArmError {
  return new ArmError(400, code, message, target === undefined ? {} : { target });
}
