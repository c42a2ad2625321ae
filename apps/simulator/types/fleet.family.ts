import type { ArmId } from '#libs/kernel/arm-id.js';
import type * as z from 'zod';
import { ArmError, invalidRequestContent } from '../arm-error.js';
import { deterministicHex } from '../deterministic-id.js';
import type { LongRunningOperation } from '../long-running-operation.store.js';
import type { StoredResource } from '../resource.store.js';
import type { OperationProtocol, ResourceTypeDescriptor } from '../resource-type.descriptor.js';

/** What the types of Azure Kubernetes Fleet Manager have in common. */

export const FLEET_TYPE = 'Microsoft.ContainerService/fleets';
export const FLEET_MEMBER_TYPE = 'Microsoft.ContainerService/fleets/members';
export const UPDATE_RUN_TYPE = 'Microsoft.ContainerService/fleets/updateRuns';
export const UPDATE_STRATEGY_TYPE = 'Microsoft.ContainerService/fleets/updateStrategies';
export const AUTO_UPGRADE_PROFILE_TYPE = 'Microsoft.ContainerService/fleets/autoUpgradeProfiles';

/** Oldest first. Previews live for about a year. */
export const FLEET_API_VERSIONS: readonly string[] = [
  '2023-10-15',
  '2024-04-01',
  '2025-03-01',
  '2026-02-01-preview',
  '2026-03-02-preview',
  '2026-06-01',
  '2026-06-02-preview',
];

/** As recorded: PUT names the operation's URL alone, DELETE answers 202 with the resource, PATCH ends by Location. */
export const FLEET_PROTOCOLS: ResourceTypeDescriptor['protocols'] = {
  put: { status: 'created-or-ok', body: 'resource', asyncOperation: true, location: false },
  patch: { status: 202, body: 'resource', asyncOperation: true, location: true },
  delete: { status: 202, body: 'resource', asyncOperation: true, location: true },
};

/** Actions end by Location; clients that poll the status itself can. */
export const FLEET_ACTION_PROTOCOL: OperationProtocol = {
  status: 202,
  body: 'resource',
  asyncOperation: true,
  location: true,
};

const NAME_PATTERN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** @throws ArmError InvalidParameter: the code is our choice, no refusal of a name was ever recorded. */
export function validateFleetName(what: string, maximum: number, name: string): void {
  if (name.length <= maximum && NAME_PATTERN.test(name)) return;
  throw new ArmError(
    400,
    'InvalidParameter',
    `The ${what} name '${name}' is invalid: it must match ${NAME_PATTERN.source} and have at most ${maximum} characters.`,
    { target: 'name' },
  );
}

/** The eTag of the document database behind the provider: quoted, and quoted again by JSON. */
export function fleetEtag(resource: StoredResource): string {
  const hex = deterministicHex(`${resource.key}|${resource.version}`, 16);
  return `"${hex.slice(0, 8)}-0000-4d00-0000-${hex.slice(8, 16)}0000"`;
}

export function preconditionFailed(): ArmError {
  return new ArmError(
    412,
    'PreconditionFailed',
    'The request precondition failed: the resource has been modified since the given eTag was read.',
  );
}

/**
 * One operation at a time on a resource, and none below a fleet that is itself being changed. Members of one fleet join
 * and leave side by side. Neither the status nor the code is recorded for this provider: 409 is what the ARM guidelines
 * ask for, and the code is the one that Azure's network provider uses for the same thing.
 */
export function fleetConflict(target: ArmId, _intent: string, running: LongRunningOperation): ArmError | undefined {
  const related = isWithin(target.canonical, running.targetKey) || isWithin(running.targetKey, target.canonical);
  if (!related) return undefined;
  return new ArmError(
    409,
    'AnotherOperationInProgress',
    `Another operation (${running.id}: ${running.action}) is in progress on '${running.targetName}', which is ` +
      `${running.runningState}. Please wait for it to finish before starting a new operation.`,
  );
}

/** @throws ArmError InvalidRequestContent naming the first member that has the wrong shape. */
export function parseRequest<T>(schema: z.ZodType<T>, requested: unknown): T {
  const parsed = schema.safeParse(requested);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw invalidRequestContent(`${issue?.message ?? 'invalid'} Path '${issue?.path.join('.') ?? ''}'`);
}

function isWithin(key: string, ancestor: string): boolean {
  return key === ancestor || key.startsWith(`${ancestor}/`);
}
