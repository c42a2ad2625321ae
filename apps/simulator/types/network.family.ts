import type { ArmId } from '#libs/kernel/arm-id.js';
import { ArmError } from '../arm-error.js';
import { deterministicUuid } from '../deterministic-id.js';
import type { LongRunningOperation } from '../long-running-operation.store.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceTypeDescriptor } from '../resource-type.descriptor.js';
import { parseAddressRange } from './address-range.js';
import type { AddressRange } from './address-range.js';

/** What the types of the network provider have in common. */

export const NETWORK_TYPE = 'Microsoft.Network/virtualNetworks';
export const SUBNET_TYPE = 'Microsoft.Network/virtualNetworks/subnets';
export const PEERING_TYPE = 'Microsoft.Network/virtualNetworks/virtualNetworkPeerings';

/** Oldest first. */
export const NETWORK_API_VERSIONS: readonly string[] = [
  '2022-07-01',
  '2023-04-01',
  '2023-09-01',
  '2023-11-01',
  '2024-01-01',
  '2024-03-01',
  '2024-05-01',
  '2024-07-01',
  '2024-10-01',
  '2025-01-01',
  '2025-03-01',
  '2025-05-01',
];

/** Recorded between 3 and 10. */
const RETRY_AFTER_SECONDS = 3;

/** PUT names the operation's URL, DELETE that and a Location; both say when to come back. PATCH of tags is done at once. */
export const NETWORK_PROTOCOLS: ResourceTypeDescriptor['protocols'] = {
  put: {
    status: 'created-or-ok',
    body: 'resource',
    asyncOperation: true,
    location: false,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  },
  patch: { status: 200, body: 'resource', asyncOperation: false, location: false, immediate: true },
  delete: { status: 202, body: 'empty', asyncOperation: true, location: true, retryAfterSeconds: RETRY_AFTER_SECONDS },
};

const NAME_PATTERN = /^[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?$/;

/** @throws ArmError InvalidResourceName. */
export function validateNetworkName(name: string, maximum: number): void {
  if (name.length <= maximum && NAME_PATTERN.test(name)) return;
  throw new ArmError(
    400,
    'InvalidResourceName',
    `Resource name ${name} is invalid. The name can be up to ${maximum} characters long. It must begin with a word ` +
      "character, and it must end with a word character or with '_'. The name may contain word characters or '.', '-', '_'.",
  );
}

/** The provider marks every eTag as weak, and looks at none that a caller sends. */
export function networkEtag(resource: StoredResource): string {
  return `W/"${deterministicUuid(`${resource.key}|${resource.version}`)}"`;
}

/** One operation at a time on a network and all that is in it. */
export function networkConflict(_target: ArmId, _intent: string, running: LongRunningOperation): ArmError {
  return new ArmError(
    429,
    'AnotherOperationInProgress',
    'Another operation on this or dependent resource is in progress. To retrieve status of the operation use uri: ' +
      `https://management.azure.com/subscriptions/${running.subscriptionId}/providers/Microsoft.Network/locations/` +
      `${running.location}/operations/${running.id}.`,
  );
}

/** @throws ArmError InvalidAddressPrefixFormat. */
export function addressRange(text: string, owner: string): AddressRange {
  const range = parseAddressRange(text);
  if (range !== undefined) return range;
  throw new ArmError(
    400,
    'InvalidAddressPrefixFormat',
    `Address prefix ${text} of resource ${owner} is not formatted correctly. It should follow CIDR notation, for example 10.0.0.0/24.`,
  );
}
