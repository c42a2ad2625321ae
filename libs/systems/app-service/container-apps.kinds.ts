import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import { customLocationOf } from '#libs/azure/custom-location.js';
import { armIdOf, type Reading } from '../contract/arm-observation.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import type { Health, Observation, RelationClaim } from '../contract/observation.js';
import { provisioningHealth } from '../contract/provisioning-state.js';
import { rawFlag, rawInteger, rawMember, rawObject, rawObjects, rawText } from '../contract/raw-reader.js';
import { idOf, placedObservation } from './app-service.kinds.js';
import { placementRelations, type PlaceInCluster } from './placement.js';

export const CONNECTED_ENVIRONMENT_TYPE = 'Microsoft.App/connectedEnvironments';
export const CONTAINER_APP_TYPE = 'Microsoft.App/containerApps';

const customLocationId = z.string().nullable().describe('The ARM id of the custom location that it lies on.');

const connectedEnvironmentProperties = z.object({
  customLocationId,
  defaultDomain: z.string().nullable().describe('The domain below which container apps get their host names.'),
  staticIp: z.string().nullable().describe('The address that the host names lead to.'),
  dnsSuffix: z.string().nullable().describe('The own domain of the environment, where it has one.'),
  deploymentErrors: z.string().nullable().describe('What went wrong when the environment was set up.'),
});

export const connectedEnvironmentKind: KindDefinition<typeof connectedEnvironmentProperties> = {
  name: 'ConnectedEnvironment',
  description: 'The environment of Container Apps on Arc in a custom location.',
  armType: CONNECTED_ENVIRONMENT_TYPE,
  properties: connectedEnvironmentProperties,
  describe: (raw) => ({
    customLocationId: customLocationIn(raw),
    defaultDomain: rawText(raw, 'defaultDomain'),
    staticIp: rawText(raw, 'staticIp'),
    dnsSuffix: rawText(raw, 'customDomainConfiguration', 'dnsSuffix'),
    deploymentErrors: rawText(raw, 'deploymentErrors'),
  }),
  relations: [
    ...placementRelations('connectedEnvironments', 'environments of Container Apps'),
    {
      name: 'containerApps',
      description: 'The container apps of the environment.',
      type: 'runsOn',
      direction: 'incoming',
      kind: 'ContainerApp',
      cardinality: 'many',
    },
  ],
};

const containerAppProperties = z.object({
  customLocationId,
  environmentId: z.string().nullable().describe('The ARM id of the environment that it runs in.'),
  runningStatus: z.string().nullable().describe('`Running`, `Stopped`, `Suspended` or what else Azure tells.'),
  hostName: z.string().nullable().describe('The host name that leads to it, where it takes requests.'),
  external: z.boolean().describe('Whether it takes requests from outside of its environment.'),
  targetPort: z.int().nullable().describe('The port that it listens on.'),
  images: z.array(z.string()).describe('The images of its containers.'),
  minReplicas: z.int().nullable().describe('The least number of replicas; Azure takes none for 0.'),
  maxReplicas: z.int().nullable().describe('The greatest number of replicas; Azure takes none for 10.'),
  latestRevision: z.string().nullable().describe('The name of the newest revision.'),
  latestReadyRevision: z.string().nullable().describe('The name of the newest revision that is ready.'),
});

export const containerAppKind: KindDefinition<typeof containerAppProperties> = {
  name: 'ContainerApp',
  description: 'A container app in an environment of Container Apps.',
  armType: CONTAINER_APP_TYPE,
  properties: containerAppProperties,
  describe: (raw) => ({
    customLocationId: customLocationIn(raw),
    environmentId: environmentIdOf(raw),
    runningStatus: rawText(raw, 'runningStatus'),
    hostName: rawText(raw, 'configuration', 'ingress', 'fqdn'),
    external: rawFlag(raw, 'configuration', 'ingress', 'external') ?? false,
    targetPort: rawInteger(raw, 'configuration', 'ingress', 'targetPort'),
    images: rawObjects(raw, 'template', 'containers').flatMap((container) => rawText(container, 'image') ?? []),
    minReplicas: rawInteger(raw, 'template', 'scale', 'minReplicas'),
    maxReplicas: rawInteger(raw, 'template', 'scale', 'maxReplicas'),
    latestRevision: rawText(raw, 'latestRevisionName'),
    latestReadyRevision: rawText(raw, 'latestReadyRevisionName'),
  }),
  relations: [
    ...placementRelations('containerApps', 'container apps'),
    {
      name: 'environment',
      description: 'The environment that it runs in.',
      type: 'runsOn',
      direction: 'outgoing',
      kind: 'ConnectedEnvironment',
      cardinality: 'one',
    },
  ],
};

export const containerAppsKinds: readonly KindDefinition[] = [connectedEnvironmentKind, containerAppKind];

export function observeConnectedEnvironment(
  body: JsonObject,
  place: PlaceInCluster | undefined,
  reading: Reading,
): Observation {
  return placedObservation(body, connectedEnvironmentKind.name, healthOf(body), [], place, reading);
}

export function observeContainerApp(
  body: JsonObject,
  place: PlaceInCluster | undefined,
  reading: Reading,
): Observation {
  const environment = idOf(environmentIdOf(rawObject(body, 'properties') ?? {}), CONNECTED_ENVIRONMENT_TYPE);
  const claims: RelationClaim[] =
    environment === undefined ? [] : [{ type: 'runsOn', from: armIdOf(body).canonical, to: environment.canonical }];
  return placedObservation(body, containerAppKind.name, healthOf(body), claims, place, reading);
}

function healthOf(body: JsonObject): Health {
  const properties = rawObject(body, 'properties') ?? {};
  const isStopped = rawText(properties, 'runningStatus')?.toLowerCase() === 'stopped';
  return provisioningHealth(
    rawText(properties, 'provisioningState'),
    rawText(properties, 'deploymentErrors'),
    isStopped ? 'Stopped' : null,
  );
}

/** Apps of connected and of managed environments name them by different members. */
export function environmentIdOf(properties: JsonObject): string | null {
  return rawText(properties, 'environmentId') ?? rawText(properties, 'managedEnvironmentId');
}

function customLocationIn(raw: JsonObject): string | null {
  return customLocationOf({ extendedLocation: rawMember(raw, 'extendedLocation') ?? null })?.toString() ?? null;
}
