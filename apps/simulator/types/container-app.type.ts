import { canonicalLocation } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { ArmError } from '../arm-error.js';
import { deterministicHex } from '../deterministic-id.js';
import { mergePatch, objectAt, objectsAt, omit, textAt } from '../json-merge.js';
import { withoutPath } from '../json-path.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceTypeDescriptor, ResourceWorld, WritePlan, WriteRequest } from '../resource-type.descriptor.js';
import { customLocationOf, extendedLocationBody, idAt, refuseOtherExtendedLocation } from './app-service.family.js';
import {
  CONNECTED_ENVIRONMENT_TYPE,
  CONTAINER_APPS_API_VERSIONS,
  CONTAINER_APPS_PROTOCOLS,
  CONTAINER_APP_TYPE,
  containerAppsConflict,
  validateContainerAppsName,
} from './container-apps.family.js';

const NAME_LENGTH = 32;

/** A container app in a connected environment. The values of its secrets are told to nobody. */
export const containerAppType: ResourceTypeDescriptor = {
  type: CONTAINER_APP_TYPE,
  apiVersions: CONTAINER_APPS_API_VERSIONS,
  tracked: true,
  graphTable: 'resources',
  errorShape: 'standard',
  members: ['extendedLocation', 'identity', 'managedBy'],
  readOnly: [
    'properties.configuration.ingress.fqdn',
    'properties.latestReadyRevisionName',
    'properties.latestRevisionFqdn',
    'properties.latestRevisionName',
    'properties.outboundIpAddresses',
    'properties.runningStatus',
  ],
  protocols: CONTAINER_APPS_PROTOCOLS,
  recordsLastOperation: false,
  actions: new Map(),

  validateName: (name) => validateContainerAppsName('container app', NAME_LENGTH, name),
  planPut,
  planPatch({ id, requested, existing, world }) {
    const properties = mergePatch(objectAt(existing.body, 'properties'), objectAt(requested, 'properties'));
    return planWrite({ ...existing.body, properties }, { id, existing, world });
  },
  planDelete: (app, id) => ({
    writes: [{ id, body: app.body, state: 'Deleting' }],
    removes: [{ id, state: 'Deleting' }],
  }),
  conflict: containerAppsConflict,
  references: (body) => {
    const environment = environmentIdOf(objectAt(body, 'properties'));
    return [environment?.toLowerCase(), customLocationOf(body)].filter((key) => key !== undefined);
  },
  present,
};

function present(app: StoredResource): JsonObject {
  const properties = objectAt(app.body, 'properties');
  const configuration = objectAt(properties, 'configuration');
  const secrets = objectsAt(configuration, 'secrets').map((secret) => omit(secret, ['value']));
  const shown = configuration.secrets === undefined ? configuration : { ...configuration, secrets };
  return { ...app.body, properties: { ...properties, configuration: shown } };
}

function planPut({ id, requested, existing, world }: WriteRequest): WritePlan {
  refuseOtherExtendedLocation(id, requested, existing);
  const body: JsonObject = {
    ...omit(requested, ['properties', 'extendedLocation']),
    location: canonicalLocation(textAt(requested, 'location') ?? ''),
    ...extendedLocationBody(requested),
    properties: objectAt(requested, 'properties'),
  };
  return planWrite(body, { id, existing, world });
}

function planWrite(
  body: JsonObject,
  { id, existing, world }: Pick<WriteRequest, 'id' | 'existing' | 'world'>,
): WritePlan {
  const properties = objectAt(body, 'properties');
  const environment = environmentOf(body, properties, world);
  const template = objectAt(properties, 'template');
  if (objectsAt(template, 'containers').length === 0) {
    throw new ArmError(400, 'ContainerAppTemplateRequired', 'The template names no container.', { target: 'template' });
  }
  const domain = textAt(objectAt(environment.body, 'properties'), 'defaultDomain') ?? '';
  const revision = `${id.name}--${deterministicHex(JSON.stringify(template), 7)}`;
  const configuration = withKnownSecrets(objectAt(properties, 'configuration'), existing);
  const ingress = objectAt(configuration, 'ingress');
  const isServed = Object.keys(ingress).length > 0;
  const planned: JsonObject = {
    ...body,
    properties: {
      ...properties,
      environmentId: environment.id,
      configuration: {
        ...configuration,
        ...(isServed ? { ingress: { ...ingress, fqdn: `${id.name}.${domain}` } } : {}),
      },
      latestRevisionName: revision,
      latestRevisionFqdn: isServed ? `${revision}.${domain}` : '',
      outboundIpAddresses: [],
      runningStatus: 'Running',
    },
  };
  return {
    writes: [{ id, body: planned, state: 'InProgress' }],
    merges: [{ id, patch: { properties: { latestReadyRevisionName: revision } } }],
  };
}

function environmentIdOf(properties: JsonObject): string | undefined {
  return textAt(properties, 'environmentId') ?? textAt(properties, 'managedEnvironmentId');
}

/** @throws ArmError where the environment is not there or lies elsewhere. */
function environmentOf(body: JsonObject, properties: JsonObject, world: ResourceWorld): StoredResource {
  const id = idAt(properties, 'environmentId') ?? idAt(properties, 'managedEnvironmentId');
  const environment = id === undefined ? undefined : world.get(id);
  if (environment?.type !== CONNECTED_ENVIRONMENT_TYPE.toLowerCase()) {
    throw new ArmError(400, 'ManagedEnvironmentNotFound', `Connected environment '${id?.name ?? ''}' was not found.`);
  }
  if (customLocationOf(environment.body) !== customLocationOf(body)) {
    throw new ArmError(400, 'InvalidExtendedLocation', 'The container app must lie where its environment lies.');
  }
  return environment;
}

/** A caller sends back what it read: names without values. Those keep what they had. */
function withKnownSecrets(configuration: JsonObject, existing: StoredResource | undefined): JsonObject {
  if (configuration.secrets === undefined) return configuration;
  const before = objectAt(objectAt(existing?.body, 'properties'), 'configuration');
  const known = new Map(objectsAt(before, 'secrets').map((secret) => [secret.name, secret.value]));
  const secrets = objectsAt(configuration, 'secrets').map((secret) => {
    const value = secret.value ?? known.get(secret.name);
    return value === undefined ? secret : { ...secret, value };
  });
  return withoutPath({ ...configuration, secrets }, 'ingress.fqdn');
}
