import { ArmError } from '../arm-error.js';
import type { OperationProtocol, ResourceTypeDescriptor } from '../resource-type.descriptor.js';
import type { ArmId } from '#libs/kernel/arm-id.js';
import type { LongRunningOperation } from '../long-running-operation.store.js';

/** What the types of Container Apps have in common. */

export const CONNECTED_ENVIRONMENT_TYPE = 'Microsoft.App/connectedEnvironments';
export const CONTAINER_APP_TYPE = 'Microsoft.App/containerApps';

/** Oldest first. */
export const CONTAINER_APPS_API_VERSIONS: readonly string[] = ['2023-05-01', '2024-03-01', '2025-01-01'];

/** The extension of a cluster that brings Container Apps to it. */
export const CONTAINER_APPS_EXTENSION = 'microsoft.app.environment';

const BY_LOCATION: OperationProtocol = {
  status: 202,
  body: 'empty',
  asyncOperation: true,
  location: true,
  retryAfterSeconds: 1,
};

export const CONTAINER_APPS_PROTOCOLS: ResourceTypeDescriptor['protocols'] = {
  put: { status: 'created-or-ok', body: 'resource', asyncOperation: true, location: false },
  patch: BY_LOCATION,
  delete: BY_LOCATION,
};

const NAME = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;

/** @throws ArmError InvalidParameter: the code is our choice. */
export function validateContainerAppsName(what: string, maximum: number, name: string): void {
  if (name.length <= maximum && NAME.test(name) && !name.includes('--')) return;
  throw new ArmError(400, 'InvalidParameter', `Invalid ${what} name '${name}'.`, { target: 'name' });
}

/** One operation at a time on the same object. */
export function containerAppsConflict(
  target: ArmId,
  _intent: string,
  running: LongRunningOperation,
): ArmError | undefined {
  if (running.targetKey !== target.canonical) return undefined;
  return new ArmError(409, 'OperationInProgress', `Another operation is in progress on '${running.targetName}'.`);
}
