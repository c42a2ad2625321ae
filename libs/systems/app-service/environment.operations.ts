import { z } from 'zod';
import { ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import { ControlError, type RemedyOperation } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { CUSTOM_LOCATION_TYPE, customLocationOf, extendedLocation } from '#libs/azure/custom-location.js';
import { armIdOf } from '../contract/arm-observation.js';
import { referencedArmId } from '../contract/arm-reference.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { registerProvider, registrationRemedy } from '../contract/provider-registration.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import { sceneOn } from './app-service.failures.js';
import { hostLabel, ipAddress, resourceGroupName, siblingOf, tagsInput } from './app-service.inputs.js';
import { KUBE_ENVIRONMENT_TYPE, PLAN_TYPE, kubeEnvironmentKind, observeKubeEnvironment } from './app-service.kinds.js';
import type { AppServiceParts } from './app-service.parts.js';
import { RETIRED_ON, RETIREMENT_FINDING, RETIREMENT_REMEDY, SUCCESSOR } from './lifecycle.js';
import { PlaceReader } from './place.reader.js';
import { CUSTOM_LOCATION_KIND } from './placement.js';
import {
  APP_SERVICE_EXTENSION,
  appServiceExtension,
  bringExtension,
  isOfType,
  readServedPlace,
  releaseNamespaceOf,
} from './serving-extension.js';
import {
  locationOf,
  present,
  runRemoval,
  runWanted,
  verifyRemoval,
  verifyWanted,
  type WantedObject,
} from './wanted-object.js';

const REGIONS = ['eastus', 'westeurope'];
/** It becomes a part of the domain. */
export const LONGEST_ENVIRONMENT_NAME = 63;

export const environmentOptions = {
  staticIp: ipAddress.describe(
    'The address that the host names of the web apps lead to: free, and one that the load balancer of the cluster can give.',
  ),
  artifactStorageClass: z
    .string()
    .min(1)
    .max(253)
    .default('default')
    .describe('The storage class of the cluster that artifacts of builds are kept with.'),
  frontEnd: z
    .enum(['LoadBalancer', 'NodePort'])
    .default('LoadBalancer')
    .describe('How the front end is reached from outside of the cluster.'),
};

const createInput = z.strictObject({
  customLocation: resourceReference('The custom location, with the App Service extension'),
  name: hostLabel(LONGEST_ENVIRONMENT_NAME).describe(
    'The name of the environment: the same as the setting `clusterName` of the extension.',
  ),
  resourceGroup: resourceGroupName.optional().describe('The resource group; that of the custom location where absent.'),
  ...environmentOptions,
  tags: tagsInput.describe('The Azure tags of the environment.'),
});
type CreateInput = z.output<typeof createInput>;

const createFindings = {
  CUSTOM_LOCATION_NOT_FOUND: 'Azure does not know the custom location.',
  CUSTOM_LOCATION_NOT_READY: 'The custom location is not ready.',
  EXTENSION_MISSING: 'The custom location has no extension of App Service: nothing would set the environment up.',
  EXTENSION_NOT_READY: 'The extension of App Service is not installed successfully.',
  EXTENSION_NAMESPACE_MISMATCH:
    'The extension of App Service is installed in another namespace than that of the custom location: its pods would not be found.',
  EXTENSION_NAME_MISMATCH:
    'The setting clusterName of the extension is another name: the environment would wait for ever.',
  EXTENSION_ADDRESS_MISMATCH: 'The setting loadBalancerIp of the extension is another address.',
  ENVIRONMENT_ELSEWHERE: 'The custom location has another environment already; it takes one.',
  ENVIRONMENT_EXISTS: 'The environment is there already.',
  REGION_NOT_SUPPORTED: 'App Service on Kubernetes was offered in East US and West Europe only.',
  PROVIDER_NOT_REGISTERED: 'The resource provider Microsoft.Web is not registered in the subscription.',
  SERVICE_RETIRED: RETIREMENT_FINDING,
} as const satisfies Record<string, string>;
type CreateFinding = keyof typeof createFindings;

export function createEnvironment(parts: AppServiceParts): OperationDefinition<typeof createInput> {
  return {
    type: 'appService.environment.create',
    title: 'Create an App Service environment on Kubernetes',
    description:
      'Creates the environment of App Service on a custom location, which gives web apps their domain and their address.',
    permission: 'appService/environments/write',
    input: createInput,
    references: { customLocation: [CUSTOM_LOCATION_KIND] },
    timeoutSeconds: 3600,
    findings: createFindings,
    target(input, references) {
      const id = environmentId(input, referencedArmId(references, 'customLocation', CUSTOM_LOCATION_TYPE));
      return { id: id.toString(), kind: kubeEnvironmentKind.name, lock: id.canonical };
    },
    preflight: (context) => preflightCreate(parts, context),
    steps: [
      {
        name: 'create',
        description: 'Asks App Service for the environment and waits until it is set up.',
        run: (context) => runEnvironment(parts, wantedOf(parts, context), context),
      },
    ],
    verify: (context) => verifyEnvironment(parts, wantedOf(parts, context), context),
  };
}

async function preflightCreate(parts: AppServiceParts, context: OperationContext<CreateInput>): Promise<Finding[]> {
  const { client } = parts;
  const findings: Finding[] = [];
  const say = findingReporter(createFindings, findings);
  const customLocation = referencedArmId(context.references, 'customLocation', CUSTOM_LOCATION_TYPE);
  const id = environmentId(context.input, customLocation);
  say('SERVICE_RETIRED', 'warning', { retiredOn: RETIRED_ON, successor: SUCCESSOR }, RETIREMENT_REMEDY);
  const place = await client.get(customLocation, context);
  if (place.state === 'missing') {
    say('CUSTOM_LOCATION_NOT_FOUND', 'error', { customLocation: customLocation.toString() });
    return findings;
  }
  const state = rawText(place.body, 'properties', 'provisioningState');
  if (provisioningPhase(state) === 'failed') {
    say('CUSTOM_LOCATION_NOT_READY', 'error', { provisioningState: state }, 'Create the custom location again.');
  }
  await judgeProvider(parts, customLocation, place.body, context, say);
  const extension = await findExtension(parts, place.body, context);
  if (extension === undefined) {
    const evidence = { clusterExtensionIds: rawTexts(place.body, 'properties', 'clusterExtensionIds') };
    const remedy =
      'Install the extension Microsoft.Web.Appservice and put it behind the custom location; where it serves another namespace already, use a custom location of that one.';
    say('EXTENSION_MISSING', 'error', evidence, remedy, await extensionRemedy(parts, customLocation, context));
  } else {
    await judgeNamespace(parts, customLocation, place.body, extension, context, say);
    judgeExtension(extension, context.input, say);
  }
  await judgeOthers(parts, id, customLocation, context, say);
  return findings;
}

/** What brings the extension to the custom location; none where the custom location is not what it says. */
async function extensionRemedy(
  { client }: AppServiceParts,
  customLocation: ArmId,
  context: OperationContext<CreateInput>,
): Promise<RemedyOperation[]> {
  const place = await readServedPlace(client, customLocation, appServiceExtension(context.input), context);
  return place === undefined ? [] : bringExtension(place);
}

async function judgeNamespace(
  parts: AppServiceParts,
  customLocation: ArmId,
  place: JsonObject,
  extension: JsonObject,
  context: OperationContext<CreateInput>,
  say: FindingReporter<CreateFinding>,
): Promise<void> {
  const namespace = rawText(place, 'properties', 'namespace');
  const releaseNamespace = releaseNamespaceOf(extension);
  if (releaseNamespace === null || releaseNamespace === namespace) return;
  say(
    'EXTENSION_NAMESPACE_MISMATCH',
    'error',
    { namespace, releaseNamespace },
    `Make ${releaseNamespace} a custom location, and create the environment on that one.`,
    await extensionRemedy(parts, customLocation, context),
  );
}

async function judgeProvider(
  { client }: AppServiceParts,
  customLocation: ArmId,
  body: JsonObject,
  context: OperationContext<CreateInput>,
  say: FindingReporter<CreateFinding>,
): Promise<void> {
  const location = canonicalLocation(rawText(body, 'location') ?? '');
  if (!REGIONS.includes(location)) say('REGION_NOT_SUPPORTED', 'error', { location, supported: REGIONS });
  const subscriptionId = customLocation.subscriptionId ?? '';
  const provider = await client.getProvider(subscriptionId, 'Microsoft.Web', context);
  const registrationState = provider.state === 'found' ? rawText(provider.body, 'registrationState') : null;
  if (registrationState?.toLowerCase() !== 'registered') {
    const operations = [registerProvider(subscriptionId, 'Microsoft.Web')];
    say('PROVIDER_NOT_REGISTERED', 'error', { registrationState }, registrationRemedy('Microsoft.Web'), operations);
  }
}

function judgeExtension(extension: JsonObject, input: CreateInput, say: FindingReporter<CreateFinding>): void {
  const state = rawText(extension, 'properties', 'provisioningState');
  const failure = rawObjects(extension, 'properties', 'statuses').find(
    (status) => rawText(status, 'level') === 'Error',
  );
  if (provisioningPhase(state) !== 'succeeded' || failure !== undefined) {
    const evidence = { provisioningState: state, status: failure ?? null };
    say('EXTENSION_NOT_READY', 'error', evidence, 'Wait for the extension, or install it again.');
  }
  const clusterName = rawText(extension, 'properties', 'configurationSettings', 'clusterName');
  if (clusterName?.toLowerCase() !== input.name.toLowerCase()) {
    const { name: _other, ...rest } = input;
    const evidence = { clusterName, name: input.name };
    if (clusterName === null) {
      say('EXTENSION_NAME_MISMATCH', 'error', evidence, 'Install the extension again with the setting clusterName.');
    } else {
      say('EXTENSION_NAME_MISMATCH', 'error', evidence, `Give the environment the name ${clusterName}.`, [
        { type: 'appService.environment.create', input: asJson({ ...rest, name: clusterName }) },
      ]);
    }
  }
  judgeAddress(armIdOf(extension), extension, input.staticIp, say);
}

/** Whether the front end in the cluster gets the address that host names will lead to. */
export function judgeAddress(
  id: ArmId,
  extension: JsonObject,
  staticIp: string,
  say: FindingReporter<'EXTENSION_ADDRESS_MISMATCH'>,
): void {
  const loadBalancerIp = rawText(extension, 'properties', 'configurationSettings', 'loadBalancerIp');
  if (loadBalancerIp === null || loadBalancerIp === staticIp) return;
  const remedy = `Give the address ${loadBalancerIp}; or let the extension ask for ${staticIp}.`;
  say('EXTENSION_ADDRESS_MISMATCH', 'warning', { loadBalancerIp, staticIp }, remedy, [
    { type: 'arc.extension.update', input: { extension: id.toString(), settings: { loadBalancerIp: staticIp } } },
  ]);
}

async function judgeOthers(
  { client }: AppServiceParts,
  id: ArmId,
  customLocation: ArmId,
  context: OperationContext<CreateInput>,
  say: FindingReporter<CreateFinding>,
): Promise<void> {
  const subscription = ArmId.subscription(id.subscriptionId ?? '');
  for await (const page of client.listIn(subscription, KUBE_ENVIRONMENT_TYPE, context)) {
    for (const body of page.items) {
      if (customLocationOf(body)?.equals(customLocation) !== true) continue;
      const other = armIdOf(body);
      if (other.equals(id)) say('ENVIRONMENT_EXISTS', 'info', { environment: other.toString() });
      else {
        const environment = other.toString();
        say('ENVIRONMENT_ELSEWHERE', 'error', { environment }, 'Use that one, or delete it first.', [
          { type: 'appService.environment.delete', input: { environment } },
        ]);
      }
    }
  }
}

/** The extension of App Service among those of a custom location. */
export async function findExtension(
  { client }: AppServiceParts,
  customLocation: JsonObject,
  context: Pick<OperationContext<unknown>, 'correlationId' | 'signal'>,
): Promise<JsonObject | undefined> {
  for (const text of rawTexts(customLocation, 'properties', 'clusterExtensionIds')) {
    const id = ArmId.tryParse(text);
    const reading = id === undefined ? undefined : await client.get(id, context);
    if (reading?.state !== 'found') continue;
    if (isOfType(reading.body, APP_SERVICE_EXTENSION)) return reading.body;
  }
  return undefined;
}

export interface EnvironmentRequest {
  staticIp: string;
  artifactStorageClass: string;
  frontEnd: 'LoadBalancer' | 'NodePort';
  tags?: Readonly<Record<string, string>> | undefined;
}

/** An environment on a custom location, as App Service is asked for it. */
export function wantedEnvironment(
  { client }: AppServiceParts,
  id: ArmId,
  customLocation: ArmId,
  request: EnvironmentRequest,
  context: Pick<OperationContext<unknown>, 'correlationId' | 'signal'>,
): WantedObject {
  return {
    what: `The environment ${id.name}`,
    id,
    async body() {
      const place = present(await client.get(customLocation, context), `The custom location ${customLocation.name}`);
      return {
        location: locationOf(place.body, `The custom location ${customLocation.name}`),
        extendedLocation: extendedLocation(customLocation),
        ...(request.tags === undefined ? {} : { tags: { ...request.tags } }),
        properties: {
          staticIp: request.staticIp,
          arcConfiguration: {
            artifactsStorageType: 'NetworkFileSystem',
            artifactStorageClassName: request.artifactStorageClass,
            frontEndServiceConfiguration: { kind: request.frontEnd },
          },
        },
      };
    },
    difference(body) {
      const there = customLocationOf(body);
      if (there?.equals(customLocation) !== true) return { customLocation: there?.toString() ?? null };
      const staticIp = rawText(body, 'properties', 'staticIp');
      return staticIp === null || staticIp === request.staticIp ? undefined : { staticIp };
    },
    async scene() {
      const serving = appServiceExtension({ ...request, name: id.name });
      return sceneOn(await readServedPlace(client, customLocation, serving, context));
    },
  };
}

/** Like any other creation, but one that can come to wait for something that does not come. */
export async function runEnvironment(
  parts: AppServiceParts,
  wanted: WantedObject,
  context: Pick<StepContext<unknown>, 'resumeToken' | 'correlationId' | 'signal'>,
): Promise<StepOutcome> {
  const stuck = await stuckEnvironment(parts, wanted.id, context);
  return stuck ?? runWanted(parts.client, wanted, context);
}

/** The states in which an environment waits for the extension of its name. */
const AWAITING_EXTENSION = new Set(['waiting', 'initializationinprogress']);

async function stuckEnvironment(
  parts: AppServiceParts,
  id: ArmId,
  context: Pick<StepContext<unknown>, 'correlationId' | 'signal'>,
): Promise<StepOutcome | undefined> {
  const reading = await parts.client.get(id, context);
  if (reading.state === 'missing') return undefined;
  const state = rawText(reading.body, 'properties', 'provisioningState');
  if (!AWAITING_EXTENSION.has(state?.toLowerCase() ?? '')) return undefined;
  const customLocation = customLocationOf(reading.body);
  const place = customLocation === undefined ? undefined : await parts.client.get(customLocation, context);
  const extension = place?.state === 'found' ? await findExtension(parts, place.body, context) : undefined;
  const clusterName =
    extension === undefined ? null : rawText(extension, 'properties', 'configurationSettings', 'clusterName');
  if (clusterName === null || clusterName.toLowerCase() === id.name.toLowerCase()) return undefined;
  const evidence = { environment: id.toString(), provisioningState: state, clusterName };
  const cause = `The environment ${id.name} waits for ever: the setting clusterName of its extension is ${clusterName}, and the two must be the same.`;
  const error = new ControlError('AZURE_OPERATION_FAILED', cause, {
    remedy: `Delete the environment, then create it by the name ${clusterName}.`,
    diagnosis: {
      code: 'EXTENSION_NAME_MISMATCH',
      cause,
      evidence,
      operations: [{ type: 'appService.environment.delete', input: { environment: id.toString() } }],
    },
  });
  return { outcome: 'failed', error, output: evidence };
}

export function verifyEnvironment(
  parts: AppServiceParts,
  wanted: WantedObject,
  context: Pick<OperationContext<unknown>, 'correlationId' | 'signal'>,
): Promise<Verification> {
  return verifyWanted(
    parts.client,
    wanted,
    context,
    async (body, observedAt) => {
      const customLocation = customLocationOf(body);
      const places = new PlaceReader(parts.client, parts.kube, context);
      const place = customLocation === undefined ? undefined : await places.find(customLocation);
      return [observeKubeEnvironment(body, place, { observedAt, source: 'OPERATION' })];
    },
    (body) => ({
      defaultDomain: rawText(body, 'properties', 'defaultDomain'),
      staticIp: rawText(body, 'properties', 'staticIp'),
    }),
  );
}

function wantedOf(parts: AppServiceParts, context: OperationContext<CreateInput>): WantedObject {
  const customLocation = referencedArmId(context.references, 'customLocation', CUSTOM_LOCATION_TYPE);
  return wantedEnvironment(parts, environmentId(context.input, customLocation), customLocation, context.input, context);
}

function environmentId(input: CreateInput, customLocation: ArmId): ArmId {
  return siblingOf(customLocation, KUBE_ENVIRONMENT_TYPE, input.name, input.resourceGroup);
}

/** An input as JSON: what is absent in it is left out. */
export function asJson(input: object): JsonObject {
  return JSON.parse(JSON.stringify(input)) as JsonObject;
}

const deleteInput = z.strictObject({ environment: resourceReference('The environment to delete') });

const deleteFindings = {
  ENVIRONMENT_NOT_FOUND: 'The environment is gone already.',
  ENVIRONMENT_HAS_PLANS: 'Plans use the environment: with their web apps they have to go first.',
} as const satisfies Record<string, string>;

export function deleteEnvironment(parts: AppServiceParts): OperationDefinition<typeof deleteInput> {
  const { client } = parts;
  return {
    type: 'appService.environment.delete',
    title: 'Delete an App Service environment on Kubernetes',
    description: 'Deletes an environment of App Service that no plan uses. The custom location and the extension stay.',
    permission: 'appService/environments/delete',
    input: deleteInput,
    references: { environment: [kubeEnvironmentKind.name] },
    timeoutSeconds: 3600,
    findings: deleteFindings,
    target(_input, references) {
      const id = referencedArmId(references, 'environment', KUBE_ENVIRONMENT_TYPE);
      return { id: id.toString(), kind: kubeEnvironmentKind.name, lock: id.canonical };
    },
    async preflight(context) {
      const id = referencedArmId(context.references, 'environment', KUBE_ENVIRONMENT_TYPE);
      const findings: Finding[] = [];
      const say = findingReporter(deleteFindings, findings);
      if ((await client.get(id, context)).state === 'missing') {
        say('ENVIRONMENT_NOT_FOUND', 'info', { environment: id.toString() });
        return findings;
      }
      const plans: string[] = [];
      for await (const page of client.listIn(ArmId.subscription(id.subscriptionId ?? ''), PLAN_TYPE, context)) {
        for (const body of page.items) {
          const environment = rawText(body, 'properties', 'kubeEnvironmentProfile', 'id');
          if (environment?.toLowerCase() === id.canonical) plans.push(armIdOf(body).toString());
        }
      }
      if (plans.length > 0) {
        say(
          'ENVIRONMENT_HAS_PLANS',
          'error',
          { plans },
          'Delete the web apps of the plans: the last one takes its plan along.',
        );
      }
      return findings;
    },
    steps: [
      {
        name: 'delete',
        description: 'Asks App Service to delete the environment and waits until it is gone.',
        run: (context) => {
          const id = referencedArmId(context.references, 'environment', KUBE_ENVIRONMENT_TYPE);
          return runRemoval(client, `The environment ${id.name}`, id, context);
        },
      },
    ],
    verify: (context) => {
      const id = referencedArmId(context.references, 'environment', KUBE_ENVIRONMENT_TYPE);
      return verifyRemoval(client, `The environment ${id.name}`, id, context);
    },
  };
}
