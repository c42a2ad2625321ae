import { z } from 'zod';
import { type ArmId } from '#libs/kernel/arm-id.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import { CUSTOM_LOCATION_TYPE, customLocationOf, extendedLocation } from '#libs/azure/custom-location.js';
import { reachDesiredState } from '#libs/azure/desired-state.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter } from '../contract/finding-reporter.js';
import type { Observation } from '../contract/observation.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { registerProvider, registrationRemedy } from '../contract/provider-registration.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawInteger, rawMember, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import { sceneOn } from './app-service.failures.js';
import { ipAddress, resourceGroupName, siblingOf, tagsInput } from './app-service.inputs.js';
import type { AppServiceParts } from './app-service.parts.js';
import {
  CONNECTED_ENVIRONMENT_TYPE,
  CONTAINER_APP_TYPE,
  connectedEnvironmentKind,
  containerAppKind,
  environmentIdOf,
  observeConnectedEnvironment,
  observeContainerApp,
} from './container-apps.kinds.js';
import { PlaceReader } from './place.reader.js';
import { CUSTOM_LOCATION_KIND } from './placement.js';
import { bringExtension, containerAppsExtension, readServedPlace } from './serving-extension.js';
import {
  locationOf,
  present,
  runRemoval,
  runWanted,
  verifyRemoval,
  verifyWanted,
  type WantedObject,
} from './wanted-object.js';
import { placeMembers } from './web-app.reading.js';

const LONGEST_ENVIRONMENT_NAME = 60;
export const LONGEST_APP_NAME = 32;
export const MOST_REPLICAS = 300;

const appName = (longest: number) =>
  z
    .string()
    .max(longest)
    .regex(/^[a-z]([a-z0-9]|-(?!-))*[a-z0-9]$|^[a-z]$/, 'must be lower-case letters, digits and single hyphens');

const environmentInput = z.strictObject({
  customLocation: resourceReference('The custom location, with the extension of Container Apps'),
  name: appName(LONGEST_ENVIRONMENT_NAME).describe('The name of the environment.'),
  resourceGroup: resourceGroupName.optional().describe('The resource group; that of the custom location where absent.'),
  staticIp: ipAddress.optional().describe('The address that the host names of the container apps lead to.'),
  tags: tagsInput.describe('The Azure tags of the environment.'),
});
type EnvironmentInput = z.output<typeof environmentInput>;

const environmentFindings = {
  CUSTOM_LOCATION_NOT_FOUND: 'Azure does not know the custom location.',
  EXTENSION_MISSING: 'The custom location has no extension of Container Apps: nothing would set the environment up.',
  PROVIDER_NOT_REGISTERED: 'The resource provider Microsoft.App is not registered in the subscription.',
  ENVIRONMENT_EXISTS: 'The environment is there already.',
} as const satisfies Record<string, string>;

export function createConnectedEnvironment(parts: AppServiceParts): OperationDefinition<typeof environmentInput> {
  const { client } = parts;
  return {
    type: 'containerApps.environment.create',
    title: 'Create a Container Apps environment on Arc',
    description:
      'Creates an environment of Container Apps on a custom location: the successor of App Service on Kubernetes.',
    permission: 'containerApps/environments/write',
    input: environmentInput,
    references: { customLocation: [CUSTOM_LOCATION_KIND] },
    timeoutSeconds: 3600,
    findings: environmentFindings,
    target(input, references) {
      const place = referencedArmId(references, 'customLocation', CUSTOM_LOCATION_TYPE);
      const id = siblingOf(place, CONNECTED_ENVIRONMENT_TYPE, input.name, input.resourceGroup);
      return { id: id.toString(), kind: connectedEnvironmentKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightEnvironment(parts, context),
    steps: [
      {
        name: 'create',
        description: 'Asks Container Apps for the environment and waits until it is there.',
        run: (context) => runWanted(client, wantedEnvironment(parts, context), context),
      },
    ],
    verify: (context) =>
      verifyWanted(
        client,
        wantedEnvironment(parts, context),
        context,
        (body, at) => observed(parts, observeConnectedEnvironment, body, at, context),
        (body) => ({ defaultDomain: rawText(body, 'properties', 'defaultDomain') }),
      ),
  };
}

async function preflightEnvironment(
  { client }: AppServiceParts,
  context: OperationContext<EnvironmentInput>,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const say = findingReporter(environmentFindings, findings);
  const placeId = referencedArmId(context.references, 'customLocation', CUSTOM_LOCATION_TYPE);
  const place = await client.get(placeId, context);
  if (place.state === 'missing') {
    say('CUSTOM_LOCATION_NOT_FOUND', 'error', { customLocation: placeId.toString() });
    return findings;
  }
  const subscriptionId = placeId.subscriptionId ?? '';
  const provider = await client.getProvider(subscriptionId, 'Microsoft.App', context);
  const registrationState = provider.state === 'found' ? rawText(provider.body, 'registrationState') : null;
  if (registrationState?.toLowerCase() !== 'registered') {
    const operations = [registerProvider(subscriptionId, 'Microsoft.App')];
    say('PROVIDER_NOT_REGISTERED', 'error', { registrationState }, registrationRemedy('Microsoft.App'), operations);
  }
  const served = await readServedPlace(client, placeId, containerAppsExtension, context);
  if (served?.installed?.isBehind !== true) {
    const evidence = {
      clusterExtensionIds: rawTexts(place.body, 'properties', 'clusterExtensionIds'),
      installed: served?.installed?.id.toString() ?? null,
    };
    const remedy = 'Install the extension Microsoft.App.Environment in the cluster, and add it to the custom location.';
    say('EXTENSION_MISSING', 'error', evidence, remedy, served === undefined ? [] : bringExtension(served));
  }
  const id = siblingOf(placeId, CONNECTED_ENVIRONMENT_TYPE, context.input.name, context.input.resourceGroup);
  if ((await client.get(id, context)).state === 'found')
    say('ENVIRONMENT_EXISTS', 'info', { environment: id.toString() });
  return findings;
}

function wantedEnvironment({ client }: AppServiceParts, context: OperationContext<EnvironmentInput>): WantedObject {
  const { input } = context;
  const place = referencedArmId(context.references, 'customLocation', CUSTOM_LOCATION_TYPE);
  const id = siblingOf(place, CONNECTED_ENVIRONMENT_TYPE, input.name, input.resourceGroup);
  return {
    what: `The environment ${id.name}`,
    id,
    async body() {
      const { body } = present(await client.get(place, context), `The custom location ${place.name}`);
      return {
        location: locationOf(body, `The custom location ${place.name}`),
        extendedLocation: extendedLocation(place),
        ...(input.tags === undefined ? {} : { tags: { ...input.tags } }),
        properties: input.staticIp === undefined ? {} : { staticIp: input.staticIp },
      };
    },
    difference(body) {
      const there = customLocationOf(body);
      return there?.equals(place) === true ? undefined : { customLocation: there?.toString() ?? null };
    },
    scene: async () => sceneOn(await readServedPlace(client, place, containerAppsExtension, context)),
  };
}

async function observed(
  parts: AppServiceParts,
  observe: typeof observeContainerApp,
  body: JsonObject,
  observedAt: Date,
  context: OperationContext<unknown>,
): Promise<Observation[]> {
  const customLocation = customLocationOf(body);
  const places = new PlaceReader(parts.client, parts.kube, context);
  const place = customLocation === undefined ? undefined : await places.find(customLocation);
  return [observe(body, place, { observedAt, source: 'OPERATION' })];
}

const appInput = z.strictObject({
  environment: resourceReference('The environment of Container Apps'),
  name: appName(LONGEST_APP_NAME).describe(
    'The name of the container app: 1 to 32 lower-case letters, digits and hyphens.',
  ),
  resourceGroup: resourceGroupName.optional().describe('The resource group; that of the environment where absent.'),
  image: z
    .string()
    .min(1)
    .max(500)
    .regex(/^\S+$/, 'must be an image')
    .describe('The image that runs: `mcr.microsoft.com/k8se/quickstart:latest`.'),
  targetPort: z
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .describe('The port that it listens on; it takes no requests where absent.'),
  external: z.boolean().default(true).describe('Whether it takes requests from outside of its environment.'),
  cpu: z.number().min(0.25).max(4).default(0.5).describe('The share of a core that each replica asks for. Cores.'),
  memoryGi: z.number().min(0.5).max(8).default(1).describe('The memory that each replica asks for. Gibibytes.'),
  environmentVariables: z
    .record(z.string().min(1).max(256), z.string().max(10_000))
    .optional()
    .describe('What it sees as environment variables. It stays in the record of the operation.'),
  minReplicas: z.int().min(0).max(MOST_REPLICAS).default(1).describe('The least number of replicas.'),
  maxReplicas: z.int().min(1).max(MOST_REPLICAS).default(10).describe('The greatest number of replicas.'),
  tags: tagsInput.describe('The Azure tags of the container app.'),
});
type AppInput = z.output<typeof appInput>;

const appFindings = {
  ENVIRONMENT_NOT_FOUND: 'Azure does not know the environment.',
  ENVIRONMENT_NOT_READY: 'The environment is not ready: it takes no app yet.',
  LIMIT_BELOW_LEAST: 'The greatest number of replicas is lower than the least.',
  CONTAINER_APP_EXISTS: 'The container app is there already.',
} as const satisfies Record<string, string>;

export function createContainerApp(parts: AppServiceParts): OperationDefinition<typeof appInput> {
  const { client } = parts;
  return {
    type: 'containerApps.app.create',
    title: 'Create a container app on Arc',
    description: 'Creates a container app with one container in an environment on a custom location.',
    permission: 'containerApps/apps/write',
    input: appInput,
    references: { environment: [connectedEnvironmentKind.name] },
    timeoutSeconds: 1800,
    findings: appFindings,
    target(input, references) {
      const id = appId(input, environmentOf({ references }));
      return { id: id.toString(), kind: containerAppKind.name, lock: id.canonical };
    },
    async preflight(context) {
      const findings: Finding[] = [];
      const say = findingReporter(appFindings, findings);
      const { minReplicas, maxReplicas } = context.input;
      if (maxReplicas < minReplicas) say('LIMIT_BELOW_LEAST', 'error', { minReplicas, maxReplicas });
      const environment = await client.get(environmentOf(context), context);
      if (environment.state === 'missing') {
        say('ENVIRONMENT_NOT_FOUND', 'error', { environment: environmentOf(context).toString() });
        return findings;
      }
      const state = rawText(environment.body, 'properties', 'provisioningState');
      if (provisioningPhase(state) !== 'succeeded') say('ENVIRONMENT_NOT_READY', 'error', { provisioningState: state });
      const id = appId(context.input, environmentOf(context));
      if ((await client.get(id, context)).state === 'found') {
        say('CONTAINER_APP_EXISTS', 'info', { containerApp: id.toString() });
      }
      return findings;
    },
    steps: [
      {
        name: 'create',
        description: 'Asks Container Apps for the app and waits until it is there.',
        run: (context) => runWanted(client, wantedApp(parts, context), context),
      },
    ],
    verify: (context) =>
      verifyWanted(
        client,
        wantedApp(parts, context),
        context,
        (body, at) => observed(parts, observeContainerApp, body, at, context),
        (body) => ({ hostName: rawText(body, 'properties', 'configuration', 'ingress', 'fqdn') }),
      ),
  };
}

function wantedApp({ client }: AppServiceParts, context: OperationContext<AppInput>): WantedObject {
  const { input } = context;
  const environment = environmentOf(context);
  const id = appId(input, environment);
  return {
    what: `The container app ${id.name}`,
    id,
    async body() {
      const { body } = present(await client.get(environment, context), `The environment ${environment.name}`);
      return {
        ...placeMembers(body, `The environment ${environment.name}`),
        ...(input.tags === undefined ? {} : { tags: { ...input.tags } }),
        properties: containerAppProperties({
          environmentId: environment.toString(),
          name: input.name,
          image: input.image,
          targetPort: input.targetPort,
          external: input.external,
          cpu: input.cpu,
          memoryGi: input.memoryGi,
          variables: Object.entries(input.environmentVariables ?? {}).map(([name, value]) => ({ name, value })),
          scale: { minReplicas: input.minReplicas, maxReplicas: input.maxReplicas },
        }),
      };
    },
    difference(body) {
      const other = environmentIdOf(isJsonObject(body.properties) ? body.properties : {});
      return other?.toLowerCase() === environment.canonical ? undefined : { environment: other };
    },
    async scene() {
      const reading = await client.get(environment, context);
      const place = reading.state === 'missing' ? undefined : customLocationOf(reading.body);
      if (place === undefined) return undefined;
      return sceneOn(await readServedPlace(client, place, containerAppsExtension, context));
    },
  };
}

/** A container app with one container, as ARM is asked for it. */
export function containerAppProperties(app: {
  environmentId: string;
  name: string;
  image: string;
  targetPort: number | undefined;
  external: boolean;
  cpu: number;
  memoryGi: number;
  variables: readonly JsonObject[];
  secrets?: readonly JsonObject[];
  command?: readonly string[];
  scale: JsonObject;
}): JsonObject {
  return {
    environmentId: app.environmentId,
    configuration: {
      activeRevisionsMode: 'Single',
      ...(app.secrets === undefined || app.secrets.length === 0 ? {} : { secrets: [...app.secrets] }),
      ...(app.targetPort === undefined
        ? {}
        : { ingress: { external: app.external, targetPort: app.targetPort, transport: 'Auto' } }),
    },
    template: {
      containers: [
        {
          name: app.name,
          image: app.image,
          ...(app.command === undefined ? {} : { command: [...app.command] }),
          ...(app.variables.length === 0 ? {} : { env: [...app.variables] }),
          resources: { cpu: app.cpu, memory: `${app.memoryGi}Gi` },
        },
      ],
      scale: app.scale,
    },
  };
}

function environmentOf({ references }: Pick<OperationContext<unknown>, 'references'>): ArmId {
  return referencedArmId(references, 'environment', CONNECTED_ENVIRONMENT_TYPE);
}

function appId(input: AppInput, environment: ArmId): ArmId {
  return siblingOf(environment, CONTAINER_APP_TYPE, input.name, input.resourceGroup);
}

const scaleInput = z.strictObject({
  containerApp: resourceReference('The container app to scale'),
  minReplicas: z.int().min(0).max(MOST_REPLICAS).describe('The least number of replicas.'),
  maxReplicas: z.int().min(1).max(MOST_REPLICAS).describe('The greatest number of replicas.'),
});
type ScaleInput = z.output<typeof scaleInput>;

const scaleFindings = {
  CONTAINER_APP_NOT_FOUND: 'Azure does not know the container app.',
  LIMIT_BELOW_LEAST: 'The greatest number of replicas is lower than the least.',
  ALREADY_AT_REPLICAS: 'The container app has these limits already.',
} as const satisfies Record<string, string>;

export function scaleContainerApp(parts: AppServiceParts): OperationDefinition<typeof scaleInput> {
  const { client } = parts;
  return {
    type: 'containerApps.app.scale',
    title: 'Scale a container app',
    description: 'Sets the least and the greatest number of replicas of a container app; this makes a new revision.',
    permission: 'containerApps/apps/write',
    input: scaleInput,
    references: { containerApp: [containerAppKind.name] },
    timeoutSeconds: 1800,
    findings: scaleFindings,
    target(_input, references) {
      const id = containerAppOf({ references });
      return { id: id.toString(), kind: containerAppKind.name, lock: id.canonical };
    },
    async preflight(context) {
      const findings: Finding[] = [];
      const say = findingReporter(scaleFindings, findings);
      const { minReplicas, maxReplicas } = context.input;
      if (maxReplicas < minReplicas) say('LIMIT_BELOW_LEAST', 'error', { minReplicas, maxReplicas });
      const reading = await client.get(containerAppOf(context), context);
      if (reading.state === 'missing') {
        say('CONTAINER_APP_NOT_FOUND', 'error', { containerApp: containerAppOf(context).toString() });
      } else if (isScaled(reading.body, context.input)) {
        say('ALREADY_AT_REPLICAS', 'info', { minReplicas, maxReplicas });
      }
      return findings;
    },
    steps: [
      {
        name: 'scale',
        description: 'Asks Container Apps for the limits and waits until the new revision is there.',
        run: (context) => runScale(parts, context),
      },
    ],
    async verify(context): Promise<Verification> {
      const id = containerAppOf(context);
      const reading = await client.get(id, context);
      if (reading.state === 'missing')
        return { verdict: 'missed', message: 'The container app is not there any more.' };
      const state = rawText(reading.body, 'properties', 'provisioningState');
      if (provisioningPhase(state) === 'moving') {
        const message = `The container app ${id.name} is ${state}.`;
        return { verdict: 'pending', message, retryAfterSeconds: client.arm.pollIntervalSeconds };
      }
      if (!isScaled(reading.body, context.input)) {
        return { verdict: 'missed', message: `The container app ${id.name} has other limits.` };
      }
      const { minReplicas, maxReplicas } = context.input;
      return {
        verdict: 'reached',
        result: { id: id.toString(), minReplicas, maxReplicas },
        observations: await observed(parts, observeContainerApp, reading.body, reading.observedAt, context),
        absent: [],
      };
    },
  };
}

function runScale({ client }: AppServiceParts, context: StepContext<ScaleInput>): Promise<StepOutcome> {
  const id = containerAppOf(context);
  const { minReplicas, maxReplicas } = context.input;
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Container Apps makes a new revision of ${id.name}.`,
      read: () => client.get(id, context),
      judge(reading) {
        const { body } = present(reading, `The container app ${id.name}`);
        const state = rawText(body, 'properties', 'provisioningState');
        const moving = provisioningPhase(state) === 'moving';
        if (isScaled(body, context.input)) {
          return moving
            ? { verdict: 'underway', message: `The container app ${id.name} is ${state}.` }
            : { verdict: 'reached', message: `${id.name} has ${minReplicas} to ${maxReplicas} replicas.` };
        }
        return moving
          ? { verdict: 'busy', message: `The container app ${id.name} is being changed by someone else (${state}).` }
          : { verdict: 'different' };
      },
      write(reading) {
        const { body } = present(reading, `The container app ${id.name}`);
        // A change, not the whole: values of secrets are not told, and would be lost with it.
        return client.patch(
          id,
          {
            ...placeMembers(body, `The container app ${id.name}`),
            properties: { template: scaledTemplate(body, context.input) },
          },
          context,
        );
      },
    },
    context,
  );
}

/** As it was read, but for the scale and what Azure alone writes. */
function scaledTemplate(body: JsonObject, { minReplicas, maxReplicas }: ScaleInput): JsonObject {
  const template = rawMember(body, 'properties', 'template');
  const present = isJsonObject(template) ? structuredClone(template) : {};
  const containers = rawObjects(present, 'containers').map((container) => {
    const { ephemeralStorage: _told, ...resources } = isJsonObject(container.resources) ? container.resources : {};
    return { ...container, resources };
  });
  const scale = isJsonObject(present.scale) ? present.scale : {};
  return { ...present, containers, scale: { ...scale, minReplicas, maxReplicas } };
}

function isScaled(body: JsonObject, { minReplicas, maxReplicas }: ScaleInput): boolean {
  const scale = rawMember(body, 'properties', 'template', 'scale');
  return rawInteger(scale, 'minReplicas') === minReplicas && rawInteger(scale, 'maxReplicas') === maxReplicas;
}

function containerAppOf({ references }: Pick<OperationContext<unknown>, 'references'>): ArmId {
  return referencedArmId(references, 'containerApp', CONTAINER_APP_TYPE);
}

const deleteInput = z.strictObject({ containerApp: resourceReference('The container app to delete') });

const deleteFindings = {
  CONTAINER_APP_NOT_FOUND: 'The container app is gone already.',
} as const satisfies Record<string, string>;

export function deleteContainerApp({ client }: AppServiceParts): OperationDefinition<typeof deleteInput> {
  return {
    type: 'containerApps.app.delete',
    title: 'Delete a container app',
    description: 'Deletes a container app with its revisions. Its environment stays.',
    permission: 'containerApps/apps/delete',
    input: deleteInput,
    references: { containerApp: [containerAppKind.name] },
    timeoutSeconds: 1800,
    findings: deleteFindings,
    target(_input, references) {
      const id = containerAppOf({ references });
      return { id: id.toString(), kind: containerAppKind.name, lock: id.canonical };
    },
    async preflight(context) {
      const findings: Finding[] = [];
      const say = findingReporter(deleteFindings, findings);
      const id = containerAppOf(context);
      if ((await client.get(id, context)).state === 'missing') {
        say('CONTAINER_APP_NOT_FOUND', 'info', { containerApp: id.toString() });
      }
      return findings;
    },
    steps: [
      {
        name: 'delete',
        description: 'Asks Container Apps to delete the app and waits until it is gone.',
        run(context) {
          const id = containerAppOf(context);
          return runRemoval(client, `The container app ${id.name}`, id, context);
        },
      },
    ],
    verify(context) {
      const id = containerAppOf(context);
      return verifyRemoval(client, `The container app ${id.name}`, id, context);
    },
  };
}
