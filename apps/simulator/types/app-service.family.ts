import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { ArmError } from '../arm-error.js';
import { objectAt, textAt } from '../json-merge.js';
import type { LongRunningOperation } from '../long-running-operation.store.js';
import { LOCATIONS } from '../resource-type.registry.js';
import type { StoredResource } from '../resource.store.js';
import type { OperationProtocol, ResourceWorld } from '../resource-type.descriptor.js';

/** What the types of App Service have in common. */

export const KUBE_ENVIRONMENT_TYPE = 'Microsoft.Web/kubeEnvironments';
export const PLAN_TYPE = 'Microsoft.Web/serverfarms';
export const SITE_TYPE = 'Microsoft.Web/sites';
export const SITE_CONFIG_TYPE = 'Microsoft.Web/sites/config';
export const HOST_NAME_BINDING_TYPE = 'Microsoft.Web/sites/hostNameBindings';
export const CERTIFICATE_TYPE = 'Microsoft.Web/certificates';

/** Oldest first. */
export const WEB_API_VERSIONS: readonly string[] = [
  '2021-01-01',
  '2021-02-01',
  '2021-03-01',
  '2022-03-01',
  '2022-09-01',
  '2023-01-01',
  '2023-12-01',
  '2024-04-01',
  '2024-11-01',
  '2025-03-01',
];

/** The extension of a cluster that brings App Service to it. */
export const APP_SERVICE_EXTENSION = 'microsoft.web.appservice';
/** The regions that App Service on Kubernetes was offered in. */
const REGIONS = ['eastus', 'westeurope'];

export const AT_ONCE: OperationProtocol = {
  status: 200,
  body: 'resource',
  asyncOperation: false,
  location: false,
  immediate: true,
};

export const DELETED_AT_ONCE: OperationProtocol = { ...AT_ONCE, body: 'empty' };

/** Ends by a `Location` that answers 202 until then. */
export const BY_LOCATION: OperationProtocol = {
  status: 202,
  body: 'resource',
  asyncOperation: false,
  location: true,
  retryAfterSeconds: 1,
};

/** A refusal of the resource provider itself. */
export function webError(status: number, code: string, message: string, target?: string): ArmError {
  return new ArmError(status, code, message, { shape: 'pascal', ...(target === undefined ? {} : { target }) });
}

/** Letters, digits and hyphens, as far as they make a host name. @throws ArmError BadRequest */
export function validateWebName(what: string, maximum: number, name: string): void {
  if (name.length <= maximum && /^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$/.test(name)) return;
  throw webError(400, 'BadRequest', `${what} '${name}' is invalid.`);
}

/** The lower-case id of the custom location that a body names; undefined without one. */
export function customLocationOf(body: JsonObject | undefined): string | undefined {
  return textAt(objectAt(body, 'extendedLocation'), 'name')?.toLowerCase();
}

/**
 * What ARM says to one who names a resource on a custom location and leaves the custom location out: that would be another
 * resource.
 * @throws ArmError InvalidResourceLocation
 */
export function refuseOtherExtendedLocation(
  id: ArmId,
  requested: JsonObject,
  existing: StoredResource | undefined,
): void {
  const present = customLocationOf(existing?.body);
  if (existing === undefined || present === customLocationOf(requested)) return;
  const place = objectAt(existing.body, 'extendedLocation');
  const here = `extended location '${textAt(place, 'type') ?? ''}': '${textAt(place, 'name') ?? ''}' of `;
  throw new ArmError(
    409,
    'InvalidResourceLocation',
    `The resource '${id.name}' already exists in ${present === undefined ? '' : here}location '${textAt(existing.body, 'location')}'. A resource with ` +
      `the same name cannot be created in location '${textAt(requested, 'location')}'. Please select a new resource name.`,
    { gateway: true },
  );
}

/** As ARM keeps it: with the type, which some clients leave out. */
export function extendedLocationBody(requested: JsonObject): JsonObject {
  const { name } = objectAt(requested, 'extendedLocation');
  return name === undefined ? {} : { extendedLocation: { name, type: 'CustomLocation' } };
}

/**
 * The custom location that a resource is to lie on, with its cluster extension of the given type.
 * @throws ArmError where the custom location cannot take resources of the type.
 */
export function hostOf(
  requested: JsonObject,
  resourceType: string,
  extensionType: string,
  world: ResourceWorld,
): { customLocation: StoredResource; extension: StoredResource } {
  const name = customLocationOf(requested);
  const customLocation = name === undefined ? undefined : world.get(name);
  if (customLocation === undefined) {
    throw new ArmError(400, 'InvalidExtendedLocation', `The extended location '${name ?? ''}' could not be found.`, {
      gateway: true,
    });
  }
  const extension = extensionsOf(customLocation, world).find((candidate) => typeOf(candidate) === extensionType);
  if (extension === undefined) {
    const ids = JSON.stringify(objectAt(customLocation.body, 'properties').clusterExtensionIds ?? []);
    throw new ArmError(
      400,
      'MissingAzureKubernetesMapping',
      `The cluster extension '${ids}' does not support resource type '${resourceType}'.`,
      { gateway: true },
    );
  }
  return { customLocation, extension };
}

/** The cluster extensions that a custom location is made of. */
export function extensionsOf(customLocation: StoredResource, world: ResourceWorld): StoredResource[] {
  const ids = objectAt(customLocation.body, 'properties').clusterExtensionIds;
  const texts = Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : [];
  return texts.flatMap((id) => world.get(id.toLowerCase()) ?? []);
}

function typeOf(extension: StoredResource): string | undefined {
  return textAt(objectAt(extension.body, 'properties'), 'extensionType')?.toLowerCase();
}

export function isSucceeded(resource: StoredResource): boolean {
  return textAt(objectAt(resource.body, 'properties'), 'provisioningState') === 'Succeeded';
}

/** @throws ArmError MissingRegistrationForLocation for a region that the type was never offered in. */
export function checkRegion(location: string, resourceType: string): void {
  if (REGIONS.includes(canonicalLocation(location))) return;
  throw new ArmError(
    409,
    'MissingRegistrationForLocation',
    `The subscription is not registered for the resource type '${resourceType}' in the location '${location}'. Please ` +
      're-register for this provider in order to have access to this location.',
    { gateway: true },
  );
}

/** The provider shows regions by the names that people see, in answers to GET. */
export function shownLocation(location: string | undefined): string {
  const name = canonicalLocation(location ?? '');
  return LOCATIONS.get(name) ?? name;
}

/** One change at a time of the same object, in the provider's words; other objects are changed side by side. */
export function webConflict(target: ArmId, _intent: string, running: LongRunningOperation): ArmError | undefined {
  if (running.targetKey !== target.canonical) return undefined;
  return webError(
    409,
    'Conflict',
    `Cannot modify this resource because another operation is in progress. Details: Id: ${running.id}, OperationName: ` +
      `${running.action}, CreatedTime: ${new Date(running.startedAt).toISOString()}, EntityType: 0`,
  );
}

/** Without the provisioningState that the simulator itself keeps: these types have none. */
export function withoutState(properties: JsonObject): JsonObject {
  const { provisioningState: _none, ...rest } = properties;
  return rest;
}

/** The id in a member; undefined where there is none, or none that ARM could have given. */
export function idAt(properties: JsonObject, member: string): ArmId | undefined {
  const text = textAt(properties, member);
  return text === undefined ? undefined : ArmId.tryParse(text);
}
