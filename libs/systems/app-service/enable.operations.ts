import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError, type RemedyOperation } from '#libs/kernel/control-error.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import { CUSTOM_LOCATION_TYPE } from '#libs/azure/custom-location.js';
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
import { rawMember, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { FailureScene } from './app-service.failures.js';
import { hostLabel, resourceGroupName, siblingOf, tagsInput } from './app-service.inputs.js';
import { KUBE_ENVIRONMENT_TYPE, kubeEnvironmentKind } from './app-service.kinds.js';
import type { AppServiceParts } from './app-service.parts.js';
import {
  AGENT_NAMESPACE,
  clusterFindings,
  featureCommand,
  judgeCluster,
  missingAgents,
  type ClusterWish,
} from './cluster.preflight.js';
import {
  LONGEST_ENVIRONMENT_NAME,
  judgeAddress,
  asJson,
  environmentOptions,
  runEnvironment,
  verifyEnvironment,
  wantedEnvironment,
} from './environment.operations.js';
import { readInstallation } from './installation.scene.js';
import { RETIRED_ON, RETIREMENT_FINDING, RETIREMENT_REMEDY, SUCCESSOR } from './lifecycle.js';
import { CONNECTED_CLUSTER_KIND } from './placement.js';
import { APP_SERVICE_EXTENSION, EXTENSION_TYPE, appServiceSettings, isOfType } from './serving-extension.js';
import { locationOf, present, runWanted, type WantedObject } from './wanted-object.js';

const CONNECTED_CLUSTER_TYPE = 'Microsoft.Kubernetes/connectedClusters';
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** How rarely it is looked for what somebody has to do elsewhere. */
const MOST_PATIENT_SECONDS = 60;

const dnsLabel = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be lower-case letters, digits and hyphens');

const enableInput = z.strictObject({
  cluster: resourceReference('The connected cluster'),
  name: hostLabel(LONGEST_ENVIRONMENT_NAME).describe(
    'The name of the environment, and of the cluster in the settings of the extension.',
  ),
  namespace: dnsLabel
    .default('appservice-ns')
    .describe('The namespace of the cluster for App Service and its web apps.'),
  extensionName: dnsLabel.default('appservice-ext').describe('The name of the cluster extension.'),
  customLocationName: dnsLabel
    .optional()
    .describe('The name of the custom location; that of the namespace where absent.'),
  resourceGroup: resourceGroupName
    .optional()
    .describe('The resource group of the custom location and the environment; that of the cluster where absent.'),
  ...environmentOptions,
  logAnalyticsCustomerId: z
    .uuid()
    .optional()
    .describe(
      'The id of the Log Analytics workspace for the logs of the apps. It can be given at the installation only.',
    ),
  logAnalyticsSharedKey: z.string().min(1).max(1000).optional().describe('The key of the workspace. It is write-only.'),
  tags: tagsInput.describe('The Azure tags of the environment.'),
});
type EnableInput = z.output<typeof enableInput>;

const enableFindings = {
  ...clusterFindings,
  CLUSTER_NOT_FOUND: 'Azure does not know the cluster.',
  CLUSTER_NOT_CONNECTED: 'The cluster is not connected: nothing can be installed in it.',
  REGION_NOT_SUPPORTED: 'App Service on Kubernetes was offered in East US and West Europe only.',
  PROVIDER_NOT_REGISTERED: 'A resource provider that is needed is not registered in the subscription.',
  EXTENSION_ELSEWHERE: 'The cluster has the extension of App Service by another name; it takes one.',
  EXTENSION_ADDRESS_MISMATCH: 'The setting loadBalancerIp of the extension is another address.',
  NAMESPACE_TAKEN: 'The namespace is another custom location already; it can be one only.',
  PRIVATE_LINK_CLUSTER: 'The agents talk to Azure by private link alone: there can be no custom location.',
  LOG_KEY_MISSING: 'A Log Analytics workspace was given without its key, or a key without its workspace.',
  LOG_KEY_INVALID:
    'The key of the Log Analytics workspace is no base64 text, as Azure gives it: the log processor would end again and again.',
  SERVICE_RETIRED: RETIREMENT_FINDING,
  INSTALLATION_CLOSED: `${RETIREMENT_FINDING} This cluster does not have it yet.`,
} as const satisfies Record<string, string>;
type EnableFinding = keyof typeof enableFindings;

/** What of an enabled cluster is called how. */
interface EnabledIds {
  cluster: ArmId;
  extension: ArmId;
  customLocation: ArmId;
  environment: ArmId;
}

export function enableAppService(parts: AppServiceParts): OperationDefinition<typeof enableInput> {
  return {
    type: 'appService.enable',
    title: 'Enable App Service on a connected cluster',
    description:
      'Brings App Service to a connected cluster in one go: the feature cluster-connect, the extension, the custom location and the environment. What is there already is used.',
    permission: 'appService/environments/write',
    input: enableInput,
    secretFields: ['logAnalyticsSharedKey'],
    references: { cluster: [CONNECTED_CLUSTER_KIND] },
    timeoutSeconds: 14_400,
    findings: enableFindings,
    target(input, references) {
      const { environment } = idsOf({ input, references });
      return { id: environment.toString(), kind: kubeEnvironmentKind.name, lock: environment.canonical };
    },
    preflight: (context) => preflightEnable(parts, context),
    plan: (context) => planEnable(parts, context),
    steps: [
      {
        name: 'feature',
        description: 'Waits until the feature cluster-connect is on, by which Azure reaches into the cluster.',
        run: (context) => runFeature(parts, context),
      },
      {
        name: 'extension',
        description: 'Installs the extension of App Service and waits until it runs.',
        run: (context) => runWanted(parts.client, extensionOf(parts, context), context),
      },
      {
        name: 'custom-location',
        description: 'Makes the namespace a custom location and waits until it is one.',
        run: (context) => runWanted(parts.client, customLocationOf(parts, context), context),
      },
      {
        name: 'environment',
        description: 'Asks App Service for the environment and waits until it is set up.',
        run: (context) => runEnvironment(parts, environmentOf(parts, context), context),
      },
    ],
    verify: (context) => verifyEnable(parts, context),
  };
}

async function preflightEnable(parts: AppServiceParts, context: OperationContext<EnableInput>): Promise<Finding[]> {
  const { client } = parts;
  const { input } = context;
  const ids = idsOf(context);
  const findings: Finding[] = [];
  const say = findingReporter(enableFindings, findings);
  const key = context.secrets.logAnalyticsSharedKey ?? input.logAnalyticsSharedKey;
  if ((input.logAnalyticsCustomerId === undefined) !== (key === undefined)) {
    say(
      'LOG_KEY_MISSING',
      'error',
      { logAnalyticsCustomerId: input.logAnalyticsCustomerId ?? null },
      'Give both or none.',
    );
  }
  if (key !== undefined && !BASE64.test(typeof key === 'string' ? key : key.reveal())) {
    say('LOG_KEY_INVALID', 'error', {}, 'Give the primary or the secondary key as Azure shows it.');
  }
  const cluster = await client.get(ids.cluster, context);
  if (cluster.state === 'missing') {
    say('CLUSTER_NOT_FOUND', 'error', { cluster: ids.cluster.toString() });
    return findings;
  }
  const connectivity = rawText(cluster.body, 'properties', 'connectivityStatus');
  if (connectivity !== 'Connected') {
    say(
      'CLUSTER_NOT_CONNECTED',
      'error',
      { connectivityStatus: connectivity },
      'See that the agents of Arc run in the cluster.',
    );
  }
  const location = locationOf(cluster.body, `The cluster ${ids.cluster.name}`);
  if (!['eastus', 'westeurope'].includes(location)) say('REGION_NOT_SUPPORTED', 'error', { location });
  await judgeProviders(parts, ids.cluster, context, say);
  if (rawText(cluster.body, 'properties', 'privateLinkState')?.toLowerCase() === 'enabled') {
    const remedy = 'Take the private link away, or use another cluster.';
    say('PRIVATE_LINK_CLUSTER', 'error', { privateLinkState: 'Enabled' }, remedy);
  }
  const { own, releases, hasAppService } = await judgeExtensions(parts, ids, context, say);
  await judgeNamespace(parts, ids, context, say);
  const wish: ClusterWish = {
    cluster: ids.cluster,
    extension: ids.extension,
    releases,
    hasAppService,
    namespace: input.namespace,
    staticIp: input.staticIp,
    isBalanced: input.frontEnd === 'LoadBalancer',
    storageClass: input.artifactStorageClass,
    storageClassInUse:
      rawText(own, 'properties', 'configurationSettings', 'buildService.storageClassName') ?? undefined,
  };
  await judgeCluster(parts, wish, context, say);
  return findings;
}

async function judgeProviders(
  { client }: AppServiceParts,
  cluster: ArmId,
  context: OperationContext<EnableInput>,
  say: FindingReporter<EnableFinding>,
): Promise<void> {
  for (const namespace of ['Microsoft.KubernetesConfiguration', 'Microsoft.ExtendedLocation', 'Microsoft.Web']) {
    const subscriptionId = cluster.subscriptionId ?? '';
    const provider = await client.getProvider(subscriptionId, namespace, context);
    const registrationState = provider.state === 'found' ? rawText(provider.body, 'registrationState') : null;
    if (registrationState?.toLowerCase() === 'registered') continue;
    const operations = [registerProvider(subscriptionId, namespace)];
    const evidence = { namespace, registrationState };
    say('PROVIDER_NOT_REGISTERED', 'error', evidence, registrationRemedy(namespace), operations);
  }
}

interface PresentExtensions {
  /** The one of App Service by the name that was given. */
  own: JsonObject | undefined;
  /** The names of all, of whatever type. */
  releases: readonly string[];
  hasAppService: boolean;
}

async function judgeExtensions(
  { client }: AppServiceParts,
  ids: EnabledIds,
  context: OperationContext<EnableInput>,
  say: FindingReporter<EnableFinding>,
): Promise<PresentExtensions> {
  const releases: string[] = [];
  let hasAppService = false;
  let own: JsonObject | undefined;
  for await (const page of client.listIn(ids.cluster, EXTENSION_TYPE, context)) {
    for (const body of page.items) {
      const id = armIdOf(body);
      releases.push(id.name);
      if (!isOfType(body, APP_SERVICE_EXTENSION)) continue;
      hasAppService = true;
      if (id.canonical === ids.extension.canonical) {
        own = body;
        judgeAddress(id, body, context.input.staticIp, say);
        continue;
      }
      const operations = sentAgain(context, { extensionName: id.name });
      say('EXTENSION_ELSEWHERE', 'error', { extension: id.toString() }, `Name the extension ${id.name}.`, operations);
    }
  }
  const evidence = { retiredOn: RETIRED_ON, successor: SUCCESSOR };
  if (hasAppService || client.isSimulated) say('SERVICE_RETIRED', 'warning', evidence, RETIREMENT_REMEDY);
  else say('INSTALLATION_CLOSED', 'error', evidence, RETIREMENT_REMEDY);
  return { own, releases, hasAppService };
}

/** The same once more with another member. None where a key was given: it is not told again, and its workspace needs it. */
function sentAgain(
  { input, secrets }: OperationContext<EnableInput>,
  change: Pick<Partial<EnableInput>, 'extensionName' | 'customLocationName' | 'resourceGroup'>,
): RemedyOperation[] {
  const isWhole = secrets.logAnalyticsSharedKey === undefined && input.logAnalyticsSharedKey === undefined;
  return isWhole ? [{ type: 'appService.enable', input: asJson({ ...input, ...change }) }] : [];
}

async function judgeNamespace(
  { client }: AppServiceParts,
  ids: EnabledIds,
  context: OperationContext<EnableInput>,
  say: FindingReporter<EnableFinding>,
): Promise<void> {
  const { input } = context;
  const subscription = ArmId.subscription(ids.cluster.subscriptionId ?? '');
  for await (const page of client.listIn(subscription, CUSTOM_LOCATION_TYPE, context)) {
    for (const body of page.items) {
      const other = armIdOf(body);
      const host = ArmId.tryParse(rawText(body, 'properties', 'hostResourceId') ?? '');
      const isSamePlace =
        host?.equals(ids.cluster) === true && rawText(body, 'properties', 'namespace') === input.namespace;
      if (other.equals(ids.customLocation) || !isSamePlace) continue;
      const evidence = { customLocation: other.toString(), namespace: input.namespace };
      const remedy = `Name the custom location ${other.name} in the resource group ${other.resourceGroup ?? ''}, or choose another namespace.`;
      const operations = sentAgain(context, { customLocationName: other.name, resourceGroup: other.resourceGroup });
      say('NAMESPACE_TAKEN', 'error', evidence, remedy, operations);
    }
  }
}

async function planEnable({ client }: AppServiceParts, context: OperationContext<EnableInput>): Promise<Json> {
  const { extension, customLocation, environment } = idsOf(context);
  const parts: JsonObject[] = [];
  for (const id of [extension, customLocation, environment]) {
    const reading = await client.get(id, context);
    parts.push({ id: id.toString(), action: reading.state === 'missing' ? 'create' : 'none' });
  }
  return { parts };
}

async function runFeature(parts: AppServiceParts, context: StepContext<EnableInput>): Promise<StepOutcome> {
  const { cluster } = idsOf(context);
  try {
    const missing = await missingAgents(parts, cluster, context);
    if (missing.length === 0) return { outcome: 'done', message: 'The feature cluster-connect is on.' };
    const message =
      `The feature cluster-connect is off: ${missing.join(' and ')} do not run in ${AGENT_NAMESPACE}. This goes on once ` +
      `they do: start arc.feature.enable, or run \`${featureCommand(cluster)}\`.`;
    // People take their time: it is looked for ever more rarely.
    const pause = Math.min(MOST_PATIENT_SECONDS, parts.client.arm.pollIntervalSeconds * context.attempt);
    return { outcome: 'wait', message, retryAfterSeconds: pause };
  } catch (error) {
    if (!(error instanceof ControlError) || error.retryable) throw error;
    // Azure itself finds out when it goes into the cluster to make the custom location.
    return { outcome: 'done', message: `Pilothouse cannot look into the cluster (${error.code}): Azure will tell.` };
  }
}

function extensionOf(parts: AppServiceParts, context: OperationContext<EnableInput>): WantedObject {
  const { input, secrets } = context;
  const { cluster, extension } = idsOf(context);
  const sharedKey = secrets.logAnalyticsSharedKey ?? secretOf(input.logAnalyticsSharedKey);
  // What is left out of it stays as it is in Azure: secrets above all, which are never told.
  const settings: JsonObject = {
    configurationSettings: {
      ...appServiceSettings(input, input.namespace),
      ...(sharedKey === undefined ? {} : { 'logProcessor.appLogs.destination': 'log-analytics' }),
    },
    ...(sharedKey === undefined
      ? {}
      : {
          configurationProtectedSettings: {
            'logProcessor.appLogs.logAnalyticsConfig.customerId': base64(input.logAnalyticsCustomerId ?? ''),
            'logProcessor.appLogs.logAnalyticsConfig.sharedKey': base64(sharedKey.reveal()),
          },
        }),
  };
  return {
    what: `The extension ${extension.name}`,
    id: extension,
    body: async () => ({
      identity: { type: 'SystemAssigned' },
      properties: {
        extensionType: APP_SERVICE_EXTENSION,
        autoUpgradeMinorVersion: true,
        releaseTrain: 'stable',
        scope: { cluster: { releaseNamespace: input.namespace } },
        ...settings,
      },
    }),
    repeat: () => ({ properties: settings }),
    difference(body) {
      if (!isOfType(body, APP_SERVICE_EXTENSION)) {
        return { extensionType: rawText(body, 'properties', 'extensionType') };
      }
      const settings = rawMember(body, 'properties', 'configurationSettings');
      const clusterName = rawText(settings, 'clusterName');
      if (clusterName?.toLowerCase() !== input.name.toLowerCase()) return { clusterName };
      const appsNamespace = rawText(settings, 'appsNamespace');
      return appsNamespace === input.namespace ? undefined : { appsNamespace };
    },
    scene: async (): Promise<FailureScene> => {
      const installation = await readInstallation(parts, extension, input.namespace, context);
      return { cluster, installation };
    },
    // It may have failed in the cluster while its operation says that it succeeded.
    fault(body) {
      const status = rawObjects(body, 'properties', 'statuses').find((each) => rawText(each, 'level') === 'Error');
      if (status === undefined) return undefined;
      const words = [rawText(status, 'code'), rawText(status, 'message')].filter((word) => word !== null).join(': ');
      return new ControlError(
        'AZURE_OPERATION_FAILED',
        `The extension ${extension.name} has failed in the cluster: ${words}`,
        {
          externalCode: rawText(status, 'code') ?? 'InstallationFailed',
          remedy:
            'See that the load balancer of the cluster can give the address and that the storage class exists; then start this operation again.',
        },
      );
    },
  };
}

function secretOf(text: string | undefined): Secret | undefined {
  return text === undefined ? undefined : new Secret(text);
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function customLocationOf({ client }: AppServiceParts, context: OperationContext<EnableInput>): WantedObject {
  const { input } = context;
  const { cluster, extension, customLocation } = idsOf(context);
  const lacksExtension = (body: JsonObject): boolean =>
    !rawTexts(body, 'properties', 'clusterExtensionIds').some((id) => id.toLowerCase() === extension.canonical);
  return {
    what: `The custom location ${customLocation.name}`,
    id: customLocation,
    async body() {
      const { body } = present(await client.get(cluster, context), `The cluster ${cluster.name}`);
      return {
        location: locationOf(body, `The cluster ${cluster.name}`),
        properties: {
          hostResourceId: cluster.toString(),
          hostType: 'Kubernetes',
          namespace: input.namespace,
          displayName: customLocation.name,
          clusterExtensionIds: [extension.toString()],
        },
      };
    },
    difference(body) {
      const host = rawText(body, 'properties', 'hostResourceId');
      if (host?.toLowerCase() !== cluster.canonical) return { hostResourceId: host };
      const namespace = rawText(body, 'properties', 'namespace');
      return namespace === input.namespace ? undefined : { namespace };
    },
    // The whole list is written: what is left out of it is taken away.
    amendment: (body) =>
      lacksExtension(body)
        ? (changed) => {
            const ids = rawTexts(body, 'properties', 'clusterExtensionIds');
            Object.assign(rawMember(changed, 'properties') ?? {}, {
              clusterExtensionIds: [...ids, extension.toString()],
            });
          }
        : undefined,
    scene: async () => ({ cluster }),
  };
}

function environmentOf(parts: AppServiceParts, context: OperationContext<EnableInput>): WantedObject {
  const { environment, customLocation } = idsOf(context);
  return wantedEnvironment(parts, environment, customLocation, context.input, context);
}

async function verifyEnable(parts: AppServiceParts, context: OperationContext<EnableInput>): Promise<Verification> {
  const { cluster, extension, customLocation } = idsOf(context);
  const verification = await verifyEnvironment(parts, environmentOf(parts, context), context);
  if (verification.verdict !== 'reached') return verification;
  const environment = verification.result as JsonObject;
  return {
    ...verification,
    result: { ...environment, customLocation: customLocation.toString(), extension: extension.toString() },
    // Namespaces and workloads of App Service have come to it.
    opened: [cluster.uid],
  };
}

function idsOf({ input, references }: Pick<OperationContext<EnableInput>, 'input' | 'references'>): EnabledIds {
  const cluster = referencedArmId(references, 'cluster', CONNECTED_CLUSTER_TYPE);
  return {
    cluster,
    extension: cluster.resource(EXTENSION_TYPE, input.extensionName),
    customLocation: siblingOf(
      cluster,
      CUSTOM_LOCATION_TYPE,
      input.customLocationName ?? input.namespace,
      input.resourceGroup,
    ),
    environment: siblingOf(cluster, KUBE_ENVIRONMENT_TYPE, input.name, input.resourceGroup),
  };
}
