import { z } from 'zod';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { customLocationOf } from '#libs/azure/custom-location.js';
import { armIdOf, armObservation, type Reading } from '../contract/arm-observation.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import type { Health, Observation, RelationClaim } from '../contract/observation.js';
import { provisioningHealth } from '../contract/provisioning-state.js';
import {
  rawFlag,
  rawInteger,
  rawMember,
  rawObject,
  rawObjects,
  rawText,
  rawTextRecord,
  rawTexts,
} from '../contract/raw-reader.js';
import { APP_SERVICE_LIFECYCLE, lifecycle } from './lifecycle.js';
import { deploymentOf, placementClaims, placementRelations, type PlaceInCluster } from './placement.js';

export const KUBE_ENVIRONMENT_TYPE = 'Microsoft.Web/kubeEnvironments';
export const PLAN_TYPE = 'Microsoft.Web/serverfarms';
export const WEB_APP_TYPE = 'Microsoft.Web/sites';
export const WEB_APP_CONFIG_TYPE = 'Microsoft.Web/sites/config';
export const HOST_NAME_BINDING_TYPE = 'Microsoft.Web/sites/hostNameBindings';
export const CERTIFICATE_TYPE = 'Microsoft.Web/certificates';

const customLocationId = z
  .string()
  .nullable()
  .describe('The ARM id of the custom location that it lies on; null for one that lies in an Azure region.');
const lifecycleField = lifecycle
  .nullable()
  .describe('The end of the service behind it; null for what lies in an Azure region.');

const kubeEnvironmentProperties = z.object({
  customLocationId,
  defaultDomain: z.string().nullable().describe('The domain below which web apps get their first host names.'),
  staticIp: z.string().nullable().describe('The address that the host names lead to.'),
  internalLoadBalancer: z.boolean().describe('Whether the address is one of the private network only.'),
  environmentType: z.string().nullable().describe('The kind of environment, where Azure tells it.'),
  frontEnd: z.string().nullable().describe('How the front end is reached: `LoadBalancer` or `NodePort`.'),
  artifactStorageClass: z.string().nullable().describe('The storage class of the artifacts of builds.'),
  deploymentErrors: z.string().nullable().describe('What went wrong when the environment was set up.'),
  lifecycle: lifecycleField,
});

export const kubeEnvironmentKind: KindDefinition<typeof kubeEnvironmentProperties> = {
  name: 'KubeEnvironment',
  description: 'The environment of App Service on Kubernetes in a custom location: the domain and address of its apps.',
  armType: KUBE_ENVIRONMENT_TYPE,
  properties: kubeEnvironmentProperties,
  describe: (raw) => ({
    customLocationId: customLocationIn(raw),
    defaultDomain: rawText(raw, 'defaultDomain'),
    staticIp: rawText(raw, 'staticIp'),
    internalLoadBalancer: rawFlag(raw, 'internalLoadBalancerEnabled') ?? false,
    environmentType: rawText(raw, 'environmentType'),
    frontEnd: rawText(raw, 'arcConfiguration', 'frontEndServiceConfiguration', 'kind'),
    artifactStorageClass: rawText(raw, 'arcConfiguration', 'artifactStorageClassName'),
    deploymentErrors: rawText(raw, 'deploymentErrors'),
    lifecycle: lifecycleOf(raw),
  }),
  relations: [
    ...placementRelations('kubeEnvironments', 'environments of App Service'),
    {
      name: 'plans',
      description: 'The plans of the environment.',
      type: 'runsOn',
      direction: 'incoming',
      kind: 'AppServicePlan',
      cardinality: 'many',
    },
  ],
};

const planProperties = z.object({
  customLocationId,
  environmentId: z.string().nullable().describe('The ARM id of the environment on Kubernetes that the plan is of.'),
  skuName: z.string().nullable().describe('The size: `K1` on Kubernetes.'),
  skuTier: z.string().nullable().describe('The price tier: `Kubernetes` on Kubernetes.'),
  capacity: z.int().nullable().describe('The number of instances that the plan asks for.'),
  planKind: z.string().nullable().describe('What it is, as Azure writes it: `linux,kubernetes`.'),
  perSiteScaling: z.boolean().describe('Whether every web app has a number of instances of its own.'),
  siteCount: z.int().nullable().describe('The number of web apps of the plan.'),
  status: z.string().nullable().describe('`Ready`, `Pending` or `Creating`.'),
  lifecycle: lifecycleField,
});

export const appServicePlanKind: KindDefinition<typeof planProperties> = {
  name: 'AppServicePlan',
  description: 'A plan of App Service: where web apps run. On Kubernetes it points at an environment.',
  armType: PLAN_TYPE,
  properties: planProperties,
  describe: (raw) => ({
    customLocationId: customLocationIn(raw),
    environmentId: rawText(raw, 'kubeEnvironmentProfile', 'id'),
    skuName: rawText(raw, 'sku', 'name'),
    skuTier: rawText(raw, 'sku', 'tier'),
    capacity: rawInteger(raw, 'sku', 'capacity'),
    planKind: rawText(raw, 'kind'),
    perSiteScaling: rawFlag(raw, 'perSiteScaling') ?? false,
    siteCount: rawInteger(raw, 'numberOfSites'),
    status: rawText(raw, 'status'),
    lifecycle: lifecycleOf(raw),
  }),
  relations: [
    ...placementRelations('appServicePlans', 'plans of App Service'),
    {
      name: 'environment',
      description: 'The environment on Kubernetes that the plan is of.',
      type: 'runsOn',
      direction: 'outgoing',
      kind: 'KubeEnvironment',
      cardinality: 'one',
    },
    {
      name: 'webApps',
      description: 'The web apps of the plan.',
      type: 'runsOn',
      direction: 'incoming',
      kind: 'WebApp',
      cardinality: 'many',
    },
  ],
};

const hostNameState = z
  .object({
    name: z.string().describe('The host name.'),
    sslState: z.string().nullable().describe('`Disabled`, `SniEnabled` or `IpBasedEnabled`.'),
    thumbprint: z.string().nullable().describe('The SHA-1 thumbprint of the certificate that it is served with.'),
  })
  .meta({ id: 'WebAppHostName', description: 'A host name of a web app, and how it is served.' });

const webAppProperties = z.object({
  customLocationId,
  planId: z.string().nullable().describe('The ARM id of the plan of the web app.'),
  appKind: z.string().nullable().describe('What it is, as Azure writes it: `linux,kubernetes,app`.'),
  state: z.string().nullable().describe('`Running` or `Stopped`.'),
  enabled: z.boolean().describe('Whether it is switched on.'),
  availability: z.string().nullable().describe('`Normal`, `Limited` or `DisasterRecoveryMode`.'),
  defaultHostName: z.string().nullable().describe('The host name that it got from App Service.'),
  hosts: z.array(hostNameState).describe('Every host name that leads to it.'),
  runtime: z
    .string()
    .nullable()
    .describe('What runs it: a runtime such as `NODE|22-lts`, or an image such as `DOCKER|nginx:1`.'),
  instances: z.int().nullable().describe('The least number of instances; one pod each.'),
  alwaysOn: z.boolean().nullable().describe('Whether it is kept running without requests.'),
  httpsOnly: z.boolean().describe('Whether plain HTTP is sent on to HTTPS.'),
  startupCommand: z.string().nullable().describe('The command that starts it, where it is not that of the runtime.'),
  lifecycle: lifecycleField,
});

export const webAppKind: KindDefinition<typeof webAppProperties> = {
  name: 'WebApp',
  description: 'A web app of App Service. On Kubernetes it runs as pods in the namespace of its custom location.',
  armType: WEB_APP_TYPE,
  properties: webAppProperties,
  describe: describeWebApp,
  relations: [
    ...placementRelations('webApps', 'web apps of App Service'),
    {
      name: 'plan',
      description: 'The plan of the web app.',
      type: 'runsOn',
      direction: 'outgoing',
      kind: 'AppServicePlan',
      cardinality: 'one',
    },
    {
      name: 'hostNameBindings',
      description: 'The host names of the web app.',
      type: 'owns',
      direction: 'outgoing',
      kind: 'HostNameBinding',
      cardinality: 'many',
    },
    {
      name: 'workload',
      description: 'The deployment that runs the web app in the cluster.',
      type: 'owns',
      direction: 'outgoing',
      kind: 'Workload',
      cardinality: 'one',
      inverse: { name: 'webApp', description: 'The web app that the deployment runs.', cardinality: 'one' },
    },
    {
      name: 'pods',
      description:
        'The pods that bear the labels of the web app, as they were when the web app was last read; `workload.pods` follows every change.',
      type: 'owns',
      direction: 'outgoing',
      kind: 'Pod',
      cardinality: 'many',
      inverse: { name: 'webApp', description: 'The web app that the pod runs.', cardinality: 'one' },
    },
  ],
};

export type WebAppProperties = z.output<typeof webAppProperties>;

export function describeWebApp(raw: JsonObject): WebAppProperties {
  const config = rawObject(raw, 'siteConfig') ?? {};
  return {
    customLocationId: customLocationIn(raw),
    planId: rawText(raw, 'serverFarmId'),
    appKind: rawText(raw, 'kind'),
    state: rawText(raw, 'state'),
    enabled: rawFlag(raw, 'enabled') ?? true,
    availability: rawText(raw, 'availabilityState'),
    defaultHostName: rawText(raw, 'defaultHostName'),
    hosts: rawObjects(raw, 'hostNameSslStates').flatMap((host) => {
      const name = rawText(host, 'name');
      if (name === null) return [];
      return [{ name, sslState: rawText(host, 'sslState'), thumbprint: rawText(host, 'thumbprint') }];
    }),
    runtime: rawText(config, 'linuxFxVersion') ?? rawText(config, 'windowsFxVersion'),
    instances: rawInteger(config, 'numberOfWorkers'),
    alwaysOn: rawFlag(config, 'alwaysOn'),
    httpsOnly: rawFlag(raw, 'httpsOnly') ?? false,
    startupCommand: rawText(config, 'appCommandLine'),
    lifecycle: lifecycleOf(raw),
  };
}

const hostNameBindingProperties = z.object({
  hostName: z.string().nullable().describe('The host name.'),
  siteName: z.string().nullable().describe('The name of the web app that it leads to.'),
  hostNameType: z.string().nullable().describe('`Verified`, or `Managed` where it follows from a traffic manager.'),
  sslState: z.string().nullable().describe('`Disabled`, `SniEnabled` or `IpBasedEnabled`.'),
  thumbprint: z.string().nullable().describe('The SHA-1 thumbprint of the certificate that it is served with.'),
});

export const hostNameBindingKind: KindDefinition<typeof hostNameBindingProperties> = {
  name: 'HostNameBinding',
  description: 'A host name that leads to a web app. Its location is that of the web app.',
  armType: HOST_NAME_BINDING_TYPE,
  properties: hostNameBindingProperties,
  describe: (raw) => ({
    hostName: rawText(raw, 'hostName'),
    siteName: rawText(raw, 'siteName'),
    hostNameType: rawText(raw, 'hostNameType'),
    sslState: rawText(raw, 'sslState'),
    thumbprint: rawText(raw, 'thumbprint'),
  }),
  relations: [
    {
      name: 'webApp',
      description: 'The web app that the host name leads to.',
      type: 'owns',
      direction: 'incoming',
      kind: 'WebApp',
      cardinality: 'one',
    },
  ],
};

const certificateProperties = z.object({
  customLocationId,
  subject: z.string().nullable().describe('The name that the certificate was issued for.'),
  hostNames: z.array(z.string()).describe('The host names that it covers; a first part `*` covers any.'),
  issuer: z.string().nullable().describe('Who issued it.'),
  issuedAt: z.string().nullable().describe('Since when it is valid. ISO time.'),
  expiresAt: z.string().nullable().describe('Until when it is valid. ISO time.'),
  thumbprint: z.string().nullable().describe('Its SHA-1 thumbprint, by which host names name it.'),
  planId: z.string().nullable().describe('The ARM id of the plan that it was uploaded for.'),
  lifecycle: lifecycleField,
});

export const appCertificateKind: KindDefinition<typeof certificateProperties> = {
  name: 'AppCertificate',
  description: 'A certificate with its key, for the host names of web apps. The key is never shown.',
  armType: CERTIFICATE_TYPE,
  properties: certificateProperties,
  describe: (raw) => ({
    customLocationId: customLocationIn(raw),
    subject: rawText(raw, 'subjectName'),
    hostNames: rawTexts(raw, 'hostNames'),
    issuer: rawText(raw, 'issuer'),
    issuedAt: rawText(raw, 'issueDate'),
    expiresAt: rawText(raw, 'expirationDate'),
    thumbprint: rawText(raw, 'thumbprint'),
    planId: rawText(raw, 'serverFarmId'),
    lifecycle: lifecycleOf(raw),
  }),
  relations: [...placementRelations('appCertificates', 'certificates of App Service')],
};

export const appServiceKinds: readonly KindDefinition[] = [
  kubeEnvironmentKind,
  appServicePlanKind,
  webAppKind,
  hostNameBindingKind,
  appCertificateKind,
];

/** @param place where its custom location is; undefined where that is not known, or there is none. */
export function observeKubeEnvironment(
  body: JsonObject,
  place: PlaceInCluster | undefined,
  reading: Reading,
): Observation {
  const properties = rawObject(body, 'properties') ?? {};
  return placedObservation(body, kubeEnvironmentKind.name, environmentHealth(properties), [], place, reading);
}

export function observePlan(body: JsonObject, place: PlaceInCluster | undefined, reading: Reading): Observation {
  const properties = rawObject(body, 'properties') ?? {};
  const health = provisioningHealth(rawText(properties, 'provisioningState'), null, null);
  const environment = idOf(rawText(properties, 'kubeEnvironmentProfile', 'id'), KUBE_ENVIRONMENT_TYPE);
  const claims: RelationClaim[] =
    environment === undefined ? [] : [{ type: 'runsOn', from: armIdOf(body).canonical, to: environment.canonical }];
  return placedObservation(body, appServicePlanKind.name, health, claims, place, reading);
}

/** What is read of a web app beside the app itself. */
export interface WebAppParts {
  /** `properties` of its configuration; null where it was not read. */
  config: JsonObject | null;
  place: PlaceInCluster | undefined;
  /** Canonical ids of the pods that bear its labels. */
  pods: readonly string[];
}

/** Members of a configuration whose values are secrets, or may be. */
const SECRET_PARTS = ['appSettings', 'connectionStrings', 'metadata', 'azureStorageAccounts', 'publishingUsername'];

export function observeWebApp(body: JsonObject, { config, place, pods }: WebAppParts, reading: Reading): Observation {
  const id = armIdOf(body);
  const properties = rawObject(body, 'properties') ?? {};
  const shown = Object.fromEntries(
    Object.entries(config ?? rawObject(properties, 'siteConfig') ?? {}).filter(
      ([name, value]) => value !== null && !SECRET_PARTS.includes(name),
    ),
  );
  const plan = idOf(rawText(properties, 'serverFarmId'), PLAN_TYPE);
  const claims: RelationClaim[] = pods.map((pod) => ({ type: 'owns', from: id.canonical, to: pod }));
  if (plan !== undefined) claims.push({ type: 'runsOn', from: id.canonical, to: plan.canonical });
  if (place !== undefined) {
    claims.push({ type: 'owns', from: id.canonical, to: deploymentOf(id, place).canonical });
  }
  const whole = { ...body, properties: { ...properties, siteConfig: shown } };
  return placedObservation(whole, webAppKind.name, webAppHealth(properties), claims, place, reading);
}

/** @param webApp the web app's own observation: a host name lies where its web app lies. */
export function observeHostNameBinding(body: JsonObject, webApp: Observation, reading: Reading): Observation {
  const id = armIdOf(body);
  const properties = { ...rawObject(body, 'properties'), hostName: id.name };
  return armObservation(
    { ...body, properties },
    {
      ...reading,
      kind: hostNameBindingKind.name,
      // Azure tells no state of theirs: they are there or not.
      health: { state: 'Healthy', reason: null },
      relations: [{ type: 'owns', from: webApp.canonicalId, to: id.canonical }],
      location: webApp.location,
      clusterUid: webApp.clusterUid,
    },
  );
}

export function observeCertificate(body: JsonObject, place: PlaceInCluster | undefined, reading: Reading): Observation {
  const expires = Date.parse(rawText(body, 'properties', 'expirationDate') ?? '');
  const isOver = expires <= reading.observedAt.getTime();
  const health: Health = isOver ? { state: 'Degraded', reason: 'It has expired.' } : { state: 'Healthy', reason: null };
  return placedObservation(body, appCertificateKind.name, health, [], place, reading);
}

export function placedObservation(
  body: JsonObject,
  kind: string,
  health: Health,
  claims: readonly RelationClaim[],
  place: PlaceInCluster | undefined,
  reading: Reading,
): Observation {
  return armObservation(body, {
    ...reading,
    kind,
    health,
    relations: [...claims, ...placementClaims(armIdOf(body), body)],
    tags: rawTextRecord(body, 'tags'),
    clusterUid: place?.cluster.uid ?? null,
  });
}

/** The states of an environment that are no end, and no work either: it waits for what may never come. */
function environmentHealth(properties: JsonObject): Health {
  const state = rawText(properties, 'provisioningState');
  const errors = rawText(properties, 'deploymentErrors');
  switch (state?.toLowerCase()) {
    case 'waiting':
      return {
        state: 'Degraded',
        reason:
          errors ??
          'It waits for the cluster extension: the extension must be there, and its setting clusterName must be the name of the environment.',
      };
    case 'upgradefailed':
      return { state: 'Degraded', reason: errors ?? 'Its upgrade has failed.' };
    default:
      return provisioningHealth(state, errors, null);
  }
}

/** A site has no provisioning state: what it tells is whether it runs. */
function webAppHealth(properties: JsonObject): Health {
  const state = rawText(properties, 'state');
  if (rawText(properties, 'inProgressOperationId') !== null) {
    return { state: 'Progressing', reason: 'An operation runs on it.' };
  }
  const availability = rawText(properties, 'availabilityState')?.toLowerCase() ?? 'normal';
  if (availability !== 'normal')
    return { state: 'Degraded', reason: `Azure reports its availability as ${availability}.` };
  switch (state?.toLowerCase()) {
    case 'running':
      return { state: 'Healthy', reason: null };
    case 'stopped':
      return { state: 'Unknown', reason: 'It is stopped.' };
    default:
      return { state: 'Unknown', reason: 'Azure does not say whether it runs.' };
  }
}

/** Whether a plan or a web app is one on Kubernetes: by its place, or by its kind. */
export function isOnKubernetes(body: JsonObject): boolean {
  if (customLocationOf(body) !== undefined) return true;
  return rawText(body, 'kind')?.toLowerCase().split(',').includes('kubernetes') === true;
}

/** The members of the bag and those beside it are one in what is stored. */
function customLocationIn(raw: JsonObject): string | null {
  const whole = { extendedLocation: rawMember(raw, 'extendedLocation') ?? null, properties: raw };
  return customLocationOf(whole)?.toString() ?? null;
}

function lifecycleOf(raw: JsonObject): z.output<typeof lifecycle> | null {
  return customLocationIn(raw) === null ? null : { ...APP_SERVICE_LIFECYCLE };
}

export function idOf(text: string | null, armType: string): ArmId | undefined {
  const id = text === null ? undefined : ArmId.tryParse(text);
  return id?.canonicalType === armType.toLowerCase() ? id : undefined;
}
