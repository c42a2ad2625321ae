import { canonicalLocation } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { ArmError } from '../arm-error.js';
import { deterministicHex } from '../deterministic-id.js';
import { mergePatch, objectAt, omit, textAt } from '../json-merge.js';
import type { ResourceTypeDescriptor, WritePlan, WriteRequest } from '../resource-type.descriptor.js';
import { customLocationOf, extendedLocationBody, hostOf, refuseOtherExtendedLocation } from './app-service.family.js';
import {
  CONNECTED_ENVIRONMENT_TYPE,
  CONTAINER_APPS_API_VERSIONS,
  CONTAINER_APPS_EXTENSION,
  CONTAINER_APPS_PROTOCOLS,
  CONTAINER_APP_TYPE,
  containerAppsConflict,
  validateContainerAppsName,
} from './container-apps.family.js';

const NAME_LENGTH = 60;

/** The environment of Container Apps in a custom location. */
export const connectedEnvironmentType: ResourceTypeDescriptor = {
  type: CONNECTED_ENVIRONMENT_TYPE,
  apiVersions: CONTAINER_APPS_API_VERSIONS,
  tracked: true,
  graphTable: 'resources',
  errorShape: 'standard',
  members: ['extendedLocation'],
  readOnly: ['properties.defaultDomain', 'properties.deploymentErrors'],
  protocols: CONTAINER_APPS_PROTOCOLS,
  recordsLastOperation: false,
  actions: new Map(),

  validateName: (name) => validateContainerAppsName('connected environment', NAME_LENGTH, name),
  planPut,
  planPatch({ id, requested, existing }) {
    const tags = mergePatch(objectAt(existing.body, 'tags'), objectAt(requested, 'tags'));
    return { writes: [{ id, body: { ...existing.body, tags }, state: 'InProgress' }] };
  },
  planDelete(environment, id, world) {
    const app = world.referring(CONTAINER_APP_TYPE, environment.key)[0];
    if (app !== undefined) {
      throw new ArmError(409, 'EnvironmentNotEmpty', `The environment has the container app '${app.name}'.`);
    }
    const state = 'ScheduledForDelete';
    return { writes: [{ id, body: environment.body, state }], removes: [{ id, state }] };
  },
  conflict: containerAppsConflict,
  references: (body) => [customLocationOf(body)].filter((key) => key !== undefined),
};

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  refuseOtherExtendedLocation(id, requested, existing);
  hostOf(requested, CONNECTED_ENVIRONMENT_TYPE, CONTAINER_APPS_EXTENSION, world);
  const location = canonicalLocation(textAt(requested, 'location') ?? '');
  const hash = deterministicHex(`connected environment|${id.canonical}`, 8);
  const body: JsonObject = {
    ...omit(requested, ['properties', 'extendedLocation']),
    location,
    ...extendedLocationBody(requested),
    properties: { ...objectAt(requested, 'properties'), defaultDomain: `${id.name}-${hash}.${location}.k4apps.io` },
  };
  return { writes: [{ id, body, state: 'InitializationInProgress' }] };
}
