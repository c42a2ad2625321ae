import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { ControlError } from '#libs/kernel/control-error.js';
import {
  CERTIFICATE_ID,
  CONNECTED_CLUSTER_ID,
  CONNECTED_ENVIRONMENT_ID,
  CONTAINER_APP_ID,
  CUSTOM_LOCATION_ID,
  DEFAULT_HOST_NAME,
  ENVIRONMENT_ID,
  EXTENSION_ID,
  HOST_NAME,
  NAMESPACE,
  PLAN_ID,
  STATIC_IP,
  SUBSCRIPTION,
  TEST_PFX,
  TEST_PFX_PASSWORD,
  TEST_PFX_THUMBPRINT,
  WEB_APP_ID,
  extensionBody,
} from '#libs/testing/app-service-samples.js';
import { AppServiceWorld } from '#libs/testing/app-service-world.js';
import { apiResource } from '#libs/testing/fake-kube.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';

const AZURE = 'https://management.azure.com';
const WORKSPACE = '11111111-0000-4000-8000-000000000001';

interface Row {
  type: string;
  input?: JsonObject;
  arrange?: (world: AppServiceWorld) => void;
  endpoint?: string;
  found: string[];
  reason: string;
}

const inputs: Readonly<Record<string, JsonObject>> = {
  'appService.enable': { cluster: CONNECTED_CLUSTER_ID, name: 'akshci-env', namespace: NAMESPACE, staticIp: STATIC_IP },
  'appService.environment.create': { customLocation: CUSTOM_LOCATION_ID, name: 'akshci-env', staticIp: STATIC_IP },
  'appService.environment.delete': { environment: ENVIRONMENT_ID },
  'appService.plan.create': { environment: ENVIRONMENT_ID, name: 'second' },
  'appService.webApp.create': { plan: PLAN_ID, name: 'second', runtime: 'NODE|22-lts' },
  'appService.webApp.scale': { webApp: WEB_APP_ID, instances: 2 },
  'appService.webApp.restart': { webApp: WEB_APP_ID },
  'appService.webApp.configure': { webApp: WEB_APP_ID, settings: { MODE: 'test' } },
  'appService.webApp.delete': { webApp: WEB_APP_ID },
  'appService.webApp.planMigration': { webApp: WEB_APP_ID },
  'appService.hostName.add': { webApp: WEB_APP_ID, hostName: HOST_NAME },
  'appService.hostName.remove': { webApp: WEB_APP_ID, hostName: HOST_NAME },
  'appService.certificate.upload': { plan: PLAN_ID, name: 'new', pfx: TEST_PFX, password: TEST_PFX_PASSWORD },
  'appService.certificate.bind': { webApp: WEB_APP_ID, hostName: HOST_NAME, certificate: CERTIFICATE_ID },
  'containerApps.environment.create': { customLocation: CUSTOM_LOCATION_ID, name: 'second' },
  'containerApps.app.create': { environment: CONNECTED_ENVIRONMENT_ID, name: 'second', image: 'example.com/a:1' },
  'containerApps.app.scale': { containerApp: CONTAINER_APP_ID, minReplicas: 2, maxReplicas: 4 },
  'containerApps.app.delete': { containerApp: CONTAINER_APP_ID },
};

const gone =
  (id: string) =>
  (world: AppServiceWorld): void =>
    world.arm.remove(id);
const changed =
  (id: string, properties: JsonObject) =>
  (world: AppServiceWorld): void =>
    world.change(id, properties);
const moved =
  (id: string, members: JsonObject) =>
  (world: AppServiceWorld): void =>
    world.arm.set(id, { ...world.arm.get(id), ...members });
const unregistered =
  (namespace: string) =>
  (world: AppServiceWorld): void =>
    world.arm.set(`/subscriptions/${SUBSCRIPTION}/providers/${namespace}`, { registrationState: 'NotRegistered' });
const bound = changed(WEB_APP_ID, {
  hostNameSslStates: [{ name: DEFAULT_HOST_NAME }, { name: HOST_NAME, sslState: 'Disabled' }],
});
const balancedService = (name: string, namespace: string, content: JsonObject): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  ...content,
});
function addressPools({ cluster }: AppServiceWorld, ...pools: string[][]): void {
  const [apiVersion, kind] = ['metallb.io/v1beta1', 'IPAddressPool'];
  cluster.serve(apiResource(apiVersion, kind, 'ipaddresspools'));
  pools.forEach((addresses, index) =>
    cluster.add({
      apiVersion,
      kind,
      metadata: { name: `pool${index}`, namespace: 'metallb-system' },
      spec: { addresses },
    }),
  );
}
const definition = (plural: string, release: string, metadata: JsonObject = {}): KubernetesObject => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: `${plural}.k8se.microsoft.com`,
    labels: { 'app.kubernetes.io/managed-by': 'Helm' },
    annotations: { 'meta.helm.sh/release-name': release, 'meta.helm.sh/release-namespace': NAMESPACE },
    finalizers: ['customresourcecleanup.apiextensions.k8s.io'],
    ...metadata,
  },
  spec: { group: 'k8se.microsoft.com' },
});
const withContainerApps = changed(EXTENSION_ID, { extensionType: 'microsoft.app.environment' });

const RETIRED = 'warning SERVICE_RETIRED';
const rows: Row[] = [
  { type: 'appService.enable', found: [RETIRED], reason: 'everything is there but the end of the service' },
  {
    type: 'appService.enable',
    endpoint: AZURE,
    found: [RETIRED],
    reason: 'where the extension is installed already, Azure itself lets it be used',
  },
  {
    type: 'appService.enable',
    endpoint: AZURE,
    arrange: gone(EXTENSION_ID),
    found: ['error INSTALLATION_CLOSED'],
    reason: 'Azure itself takes no new installation (P-W01)',
  },
  { type: 'appService.enable', arrange: gone(EXTENSION_ID), found: [RETIRED], reason: 'a simulator still does' },
  {
    type: 'appService.enable',
    arrange: gone(CONNECTED_CLUSTER_ID),
    found: ['error CLUSTER_NOT_FOUND'],
    reason: 'there is no such cluster',
  },
  {
    type: 'appService.enable',
    arrange: changed(CONNECTED_CLUSTER_ID, { connectivityStatus: 'Offline' }),
    found: ['error CLUSTER_NOT_CONNECTED', RETIRED],
    reason: 'its agents are silent',
  },
  {
    type: 'appService.enable',
    arrange: moved(CONNECTED_CLUSTER_ID, { location: 'westus2' }),
    found: ['error REGION_NOT_SUPPORTED', RETIRED],
    reason: 'the service was offered in two regions (P-W02)',
  },
  {
    type: 'appService.enable',
    arrange: unregistered('Microsoft.ExtendedLocation'),
    found: ['error PROVIDER_NOT_REGISTERED', RETIRED],
    reason: 'custom locations need their provider',
  },
  {
    type: 'appService.enable',
    arrange: (world) => world.stopRelayAgents(),
    found: [RETIRED, 'warning CLUSTER_CONNECT_OFF'],
    reason: 'nobody listens at the relay (P-S01): the operation waits',
  },
  {
    type: 'appService.enable',
    arrange: ({ cluster }) => cluster.refuse({}, new ControlError('CLUSTER_ACCESS_MISSING', 'No access.')),
    found: [RETIRED, 'info CLUSTER_OUT_OF_SIGHT'],
    reason: 'the cluster cannot be looked into',
  },
  {
    type: 'appService.enable',
    input: { extensionName: 'other' },
    found: ['error EXTENSION_ELSEWHERE', RETIRED],
    reason: 'a cluster takes the extension once',
  },
  {
    type: 'appService.enable',
    arrange: ({ cluster }) =>
      cluster.add(balancedService('front', 'shop', { status: { loadBalancer: { ingress: [{ ip: STATIC_IP }] } } })),
    found: [RETIRED, 'error ADDRESS_IN_USE'],
    reason: 'another service holds the address (P-S04)',
  },
  {
    type: 'appService.enable',
    arrange: ({ cluster }) => cluster.add(balancedService('front', 'shop', { spec: { loadBalancerIP: STATIC_IP } })),
    found: [RETIRED, 'error ADDRESS_IN_USE'],
    reason: 'another service waits for the address',
  },
  {
    type: 'appService.enable',
    arrange: ({ cluster }) =>
      cluster.add({
        ...balancedService('front', 'shop', { spec: { loadBalancerIP: STATIC_IP } }),
        metadata: { name: 'front', namespace: 'shop', annotations: { 'metallb.io/allow-shared-ip': 'front' } },
      }),
    found: [RETIRED, 'warning ADDRESS_IN_USE'],
    reason: 'the load balancer may give both of them the address',
  },
  {
    type: 'appService.enable',
    input: { frontEnd: 'NodePort' },
    arrange: ({ cluster }) =>
      cluster.add(balancedService('front', 'shop', { status: { loadBalancer: { ingress: [{ ip: STATIC_IP }] } } })),
    found: [RETIRED],
    reason: 'it is the address of a node, which the load balancer of k3s shows of its services',
  },
  {
    type: 'appService.enable',
    arrange: ({ cluster }) => cluster.add(balancedService('envoy', NAMESPACE, { spec: { loadBalancerIP: STATIC_IP } })),
    found: [RETIRED],
    reason: 'the service that has it is that of App Service itself',
  },
  {
    type: 'appService.enable',
    arrange: (world) => addressPools(world, ['192.168.0.110-192.168.0.120'], ['10.0.0.0/24']),
    found: [RETIRED, 'error ADDRESS_OUTSIDE_POOL'],
    reason: 'the load balancer would never give it (P-S04)',
  },
  {
    type: 'appService.enable',
    arrange: (world) => addressPools(world, ['10.0.0.0/24'], ['192.168.0.100-192.168.0.120']),
    found: [RETIRED],
    reason: 'one of the pools holds it',
  },
  {
    type: 'appService.enable',
    input: { frontEnd: 'NodePort' },
    arrange: (world) => addressPools(world, ['10.0.0.0/24']),
    found: [RETIRED],
    reason: 'no load balancer is to give it',
  },
  {
    type: 'appService.enable',
    arrange: (world) => addressPools(world),
    found: [RETIRED],
    reason: 'another load balancer may be there',
  },
  {
    type: 'appService.enable',
    input: { staticIp: '192.168.0.9' },
    found: [RETIRED, 'warning EXTENSION_ADDRESS_MISMATCH'],
    reason: 'host names would lead elsewhere than to the load balancer (P-S04)',
  },
  {
    type: 'appService.enable',
    arrange: changed(CONNECTED_CLUSTER_ID, { privateLinkState: 'Enabled' }),
    found: [RETIRED, 'error PRIVATE_LINK_CLUSTER'],
    reason: 'custom locations do not go by private link (P-A10)',
  },
  {
    type: 'appService.enable',
    input: { customLocationName: 'other' },
    found: [RETIRED, 'error NAMESPACE_TAKEN'],
    reason: 'a namespace is one custom location (P-L02)',
  },
  {
    type: 'appService.enable',
    input: { customLocationName: 'other', namespace: 'elsewhere' },
    found: [RETIRED],
    reason: 'another namespace is another custom location',
  },
  {
    type: 'appService.enable',
    input: { artifactStorageClass: 'fast' },
    found: [RETIRED, 'error STORAGE_CLASS_NOT_FOUND'],
    reason: 'the claim of the build service would stay Pending (P-E05)',
  },
  {
    type: 'appService.enable',
    arrange: (world) => world.arm.set(EXTENSION_ID, extensionBody({}, { 'buildService.storageClassName': 'gone' })),
    found: [RETIRED, 'error STORAGE_CLASS_NOT_FOUND'],
    reason: 'the extension that is there asks for one that is not (P-E05)',
  },
  {
    type: 'appService.enable',
    arrange: (world) => {
      world.arm.remove(EXTENSION_ID);
      world.cluster.add(definition('apps', 'old'), definition('approutes', 'old'));
    },
    found: [RETIRED, 'error APP_SERVICE_LEFTOVERS'],
    reason: 'Helm would not take over what another release has left (P-W09)',
  },
  {
    type: 'appService.enable',
    arrange: (world) => {
      world.arm.remove(EXTENSION_ID);
      world.cluster.add(definition('apps', 'appservice-ext'));
    },
    found: [RETIRED],
    reason: 'Helm takes over what bears the name of the release',
  },
  {
    type: 'appService.enable',
    arrange: (world) => {
      world.arm.remove(EXTENSION_ID);
      world.cluster.add(definition('apps', 'old'));
      world.cluster.refuse({ kind: 'StorageClass' }, new ControlError('KUBERNETES_FORBIDDEN', 'You cannot list it.'));
    },
    found: [RETIRED, 'error APP_SERVICE_LEFTOVERS', 'info CLUSTER_OUT_OF_SIGHT'],
    reason: 'what may not be seen does not hide the rest',
  },
  {
    type: 'appService.enable',
    arrange: ({ cluster }) => cluster.add(definition('apps', 'old')),
    found: [RETIRED],
    reason: 'it serves the extension that runs',
  },
  {
    type: 'appService.enable',
    input: { extensionName: 'other' },
    arrange: ({ cluster }) => cluster.add(definition('apps', 'appservice-ext')),
    found: ['error EXTENSION_ELSEWHERE', RETIRED],
    reason: 'it serves the extension that runs by another name',
  },
  ...['Updating', 'Failed'].map((provisioningState): Row => ({
    type: 'appService.enable',
    arrange: (world) => {
      world.change(EXTENSION_ID, { provisioningState });
      world.cluster.add(definition('apps', 'old'));
    },
    found: [RETIRED],
    reason: `the extension may still use it while it is ${provisioningState}`,
  })),
  {
    type: 'appService.enable',
    input: { customLocationName: 'other', namespace: 'elsewhere' },
    arrange: ({ cluster }) => cluster.add(definition('apps', 'appservice-ext')),
    found: [RETIRED],
    reason: 'the extension that is there serves another namespace than was asked for',
  },
  {
    type: 'appService.enable',
    arrange: (world) => {
      world.change(EXTENSION_ID, { extensionType: 'microsoft.app.environment' });
      world.cluster.add(definition('apps', 'appservice-ext'), definition('approutes', 'old'));
    },
    input: { extensionName: 'other' },
    found: [RETIRED, 'error APP_SERVICE_LEFTOVERS'],
    reason: 'one of another type brings such types as well; what is of no extension is left over',
  },
  {
    type: 'appService.enable',
    arrange: ({ cluster }) =>
      cluster.add(definition('apps', 'appservice-ext', { deletionTimestamp: '2026-11-01T09:00:00Z' })),
    found: [RETIRED, 'error APP_SERVICE_LEFTOVERS'],
    reason: 'it is going, and something keeps it (P-W09)',
  },
  {
    type: 'appService.enable',
    arrange: (world) => {
      world.arm.remove(EXTENSION_ID);
      world.cluster.add({ ...definition('apps', 'old'), spec: { group: 'example.com' } });
    },
    found: [RETIRED],
    reason: 'it is somebody else’s',
  },
  {
    type: 'appService.enable',
    input: { logAnalyticsCustomerId: WORKSPACE, logAnalyticsSharedKey: 'a key of ours' },
    found: [RETIRED, 'error LOG_KEY_INVALID'],
    reason: 'the log processors would end again and again (P-S05)',
  },
  {
    type: 'appService.enable',
    input: { logAnalyticsCustomerId: WORKSPACE, logAnalyticsSharedKey: 'aHVzaCBodXNo' },
    found: [RETIRED],
    reason: 'keys of workspaces are base64',
  },
  {
    type: 'appService.enable',
    input: { logAnalyticsSharedKey: 'a2V5' },
    found: ['error LOG_KEY_MISSING', RETIRED],
    reason: 'a key without its workspace makes the log processors crash (P-S05)',
  },

  {
    type: 'appService.environment.create',
    found: [RETIRED, 'info ENVIRONMENT_EXISTS'],
    reason: 'it is there already',
  },
  {
    type: 'appService.environment.create',
    arrange: gone(CUSTOM_LOCATION_ID),
    found: [RETIRED, 'error CUSTOM_LOCATION_NOT_FOUND'],
    reason: 'there is no such custom location',
  },
  {
    type: 'appService.environment.create',
    arrange: changed(CUSTOM_LOCATION_ID, { provisioningState: 'Failed' }),
    found: [RETIRED, 'error CUSTOM_LOCATION_NOT_READY', 'info ENVIRONMENT_EXISTS'],
    reason: 'nothing can be placed on a custom location that could not be made',
  },
  {
    type: 'appService.environment.create',
    arrange: gone(EXTENSION_ID),
    found: [RETIRED, 'error EXTENSION_MISSING', 'info ENVIRONMENT_EXISTS'],
    reason: 'nothing in the cluster would set it up (P-W05)',
  },
  {
    type: 'appService.environment.create',
    arrange: changed(EXTENSION_ID, { scope: { cluster: { releaseNamespace: 'elsewhere' } } }),
    found: [RETIRED, 'error EXTENSION_NAMESPACE_MISMATCH', 'info ENVIRONMENT_EXISTS'],
    reason: 'App Service would look for its pods in the namespace of the custom location (P-W05)',
  },
  {
    type: 'appService.environment.create',
    arrange: changed(EXTENSION_ID, { statuses: [{ level: 'Error', code: 'InstallationFailed' }] }),
    found: [RETIRED, 'error EXTENSION_NOT_READY', 'info ENVIRONMENT_EXISTS'],
    reason: 'the installation has failed in the cluster although its state says otherwise',
  },
  {
    type: 'appService.environment.create',
    input: { name: 'other' },
    found: [RETIRED, 'error EXTENSION_NAME_MISMATCH', 'error ENVIRONMENT_ELSEWHERE'],
    reason: 'it would wait for ever (P-W04), and the custom location takes one',
  },
  {
    type: 'appService.environment.create',
    input: { staticIp: '192.168.0.9' },
    found: [RETIRED, 'warning EXTENSION_ADDRESS_MISMATCH', 'info ENVIRONMENT_EXISTS'],
    reason: 'host names would lead elsewhere than to the load balancer (P-S04)',
  },
  {
    type: 'appService.environment.create',
    arrange: moved(CUSTOM_LOCATION_ID, { location: 'westus2' }),
    found: [RETIRED, 'error REGION_NOT_SUPPORTED', 'info ENVIRONMENT_EXISTS'],
    reason: 'the service was offered in two regions (P-W02)',
  },
  {
    type: 'appService.environment.create',
    arrange: unregistered('Microsoft.Web'),
    found: [RETIRED, 'error PROVIDER_NOT_REGISTERED', 'info ENVIRONMENT_EXISTS'],
    reason: 'Azure would refuse it (P-W02)',
  },
  {
    type: 'appService.environment.delete',
    found: ['error ENVIRONMENT_HAS_PLANS'],
    reason: 'plans go first',
  },
  { type: 'appService.environment.delete', arrange: gone(PLAN_ID), found: [], reason: 'no plan uses it' },
  {
    type: 'appService.environment.delete',
    arrange: gone(ENVIRONMENT_ID),
    found: ['info ENVIRONMENT_NOT_FOUND'],
    reason: 'it is gone',
  },

  { type: 'appService.plan.create', found: [RETIRED], reason: 'the environment takes it' },
  {
    type: 'appService.plan.create',
    input: { name: 'akshci-plan' },
    found: [RETIRED, 'info PLAN_EXISTS'],
    reason: 'it is there',
  },
  {
    type: 'appService.plan.create',
    arrange: gone(ENVIRONMENT_ID),
    found: [RETIRED, 'error ENVIRONMENT_NOT_FOUND'],
    reason: 'there is no such environment',
  },
  {
    type: 'appService.plan.create',
    arrange: changed(ENVIRONMENT_ID, { provisioningState: 'Waiting' }),
    found: [RETIRED, 'error ENVIRONMENT_NOT_READY'],
    reason: 'the environment is not set up',
  },
  {
    type: 'appService.plan.create',
    arrange: moved(ENVIRONMENT_ID, { extendedLocation: null }),
    found: [RETIRED, 'error ENVIRONMENT_NOT_PLACED'],
    reason: 'a plan lies where its environment lies',
  },

  { type: 'appService.webApp.create', found: [RETIRED], reason: 'the plan takes it' },
  {
    type: 'appService.webApp.create',
    input: { runtime: 'NODE|12-lts' },
    found: [RETIRED, 'warning RUNTIME_OUTDATED'],
    reason: 'the version gets no updates any more',
  },
  {
    type: 'appService.webApp.create',
    input: { runtime: 'NODE|22-lts' },
    found: [RETIRED],
    reason: 'the version gets updates',
  },
  {
    type: 'appService.webApp.create',
    input: { runtime: 'COBOL|1' },
    found: [RETIRED, 'warning RUNTIME_UNKNOWN'],
    reason: 'nobody knows of such a runtime',
  },
  {
    type: 'appService.webApp.create',
    arrange: gone(PLAN_ID),
    found: [RETIRED, 'error PLAN_NOT_FOUND'],
    reason: 'there is no such plan',
  },
  {
    type: 'appService.webApp.create',
    arrange: changed(PLAN_ID, { status: 'Pending' }),
    found: [RETIRED, 'error PLAN_NOT_READY'],
    reason: 'the plan is still being made',
  },
  {
    type: 'appService.webApp.create',
    arrange: moved(PLAN_ID, { kind: 'linux', extendedLocation: null }),
    found: [RETIRED, 'error PLAN_NOT_ON_KUBERNETES'],
    reason: 'other plans are not our business (P-W07)',
  },
  {
    type: 'appService.webApp.create',
    input: { name: 'k8swebapp2' },
    found: [RETIRED, 'info WEB_APP_EXISTS'],
    reason: 'it is there',
  },
  {
    type: 'appService.webApp.create',
    input: { name: 'k8swebapp2' },
    arrange: changed(WEB_APP_ID, { serverFarmId: `${PLAN_ID}x` }),
    found: [RETIRED, 'error WEB_APP_ELSEWHERE'],
    reason: 'a PUT would move it to another plan',
  },

  { type: 'appService.webApp.scale', found: [], reason: 'nothing is in the way' },
  {
    type: 'appService.webApp.scale',
    input: { instances: 1 },
    found: ['info ALREADY_AT_INSTANCES'],
    reason: 'there is nothing to do',
  },
  {
    type: 'appService.webApp.scale',
    arrange: (world) => {
      world.settings = { K8SE_APP_MAX_INSTANCE_COUNT: '1' };
    },
    found: ['warning LIMIT_RAISED'],
    reason: 'the greatest number would hide the change (P-W10)',
  },
  {
    type: 'appService.webApp.scale',
    input: { instances: 3, maxInstances: 2 },
    found: ['error LIMIT_BELOW_INSTANCES'],
    reason: 'the limits contradict each other',
  },
  {
    type: 'appService.webApp.scale',
    arrange: gone(WEB_APP_ID),
    found: ['error WEB_APP_NOT_FOUND'],
    reason: 'there is no such web app',
  },
  {
    type: 'appService.webApp.scale',
    arrange: moved(WEB_APP_ID, { kind: 'app,linux', extendedLocation: null }),
    found: ['error WEB_APP_NOT_ON_KUBERNETES'],
    reason: 'an ordinary web app is scaled by its plan',
  },
  {
    type: 'appService.webApp.restart',
    arrange: changed(WEB_APP_ID, { state: 'Stopped' }),
    found: ['warning WEB_APP_STOPPED'],
    reason: 'no pod runs',
  },
  { type: 'appService.webApp.configure', found: [], reason: 'a setting is changed' },
  {
    type: 'appService.webApp.configure',
    input: { settings: null },
    found: ['error NOTHING_TO_CONFIGURE'],
    reason: 'nothing was given',
  },
  {
    type: 'appService.webApp.configure',
    input: { secretSettings: 'KEY=value' },
    found: ['error SECRET_SETTINGS_UNREADABLE'],
    reason: 'it is no JSON object',
  },
  {
    type: 'appService.webApp.configure',
    input: { removeSettings: ['MODE'] },
    found: ['error SETTING_SET_AND_REMOVED'],
    reason: 'it is both set and taken away',
  },
  { type: 'appService.webApp.delete', found: [], reason: 'it has no host names of its own' },
  { type: 'appService.webApp.delete', arrange: bound, found: ['warning HOST_NAMES_GO'], reason: 'they go with it' },
  {
    type: 'appService.webApp.delete',
    arrange: gone(WEB_APP_ID),
    found: ['info WEB_APP_NOT_FOUND'],
    reason: 'it is gone',
  },
  {
    type: 'appService.webApp.planMigration',
    arrange: gone(WEB_APP_ID),
    found: ['error WEB_APP_NOT_FOUND'],
    reason: 'there is nothing to move',
  },
  {
    type: 'appService.webApp.planMigration',
    arrange: moved(WEB_APP_ID, { kind: 'app,linux', extendedLocation: null }),
    found: ['error WEB_APP_NOT_ON_KUBERNETES'],
    reason: 'an ordinary web app stays where it is',
  },

  { type: 'appService.hostName.add', found: ['info DNS_TO_BE_SET'], reason: 'DNS is not ours to change' },
  { type: 'appService.hostName.add', arrange: bound, found: ['info HOST_NAME_BOUND'], reason: 'it is bound' },
  {
    type: 'appService.hostName.add',
    input: { hostName: DEFAULT_HOST_NAME.replace('k8swebapp2', 'mine') },
    found: ['error HOST_NAME_OF_ENVIRONMENT'],
    reason: 'App Service gives those itself',
  },
  {
    type: 'appService.hostName.add',
    arrange: gone(WEB_APP_ID),
    found: ['error WEB_APP_NOT_FOUND'],
    reason: 'there is no such web app',
  },
  { type: 'appService.hostName.remove', arrange: bound, found: [], reason: 'it is bound' },
  { type: 'appService.hostName.remove', found: ['info HOST_NAME_NOT_FOUND'], reason: 'it is not bound' },
  {
    type: 'appService.hostName.remove',
    input: { hostName: DEFAULT_HOST_NAME },
    found: ['error HOST_NAME_IS_DEFAULT'],
    reason: 'App Service keeps it',
  },

  { type: 'appService.certificate.upload', found: [], reason: 'it is new' },
  {
    type: 'appService.certificate.upload',
    input: { name: 'webapps' },
    found: ['info CERTIFICATE_EXISTS'],
    reason: 'it is there',
  },
  {
    type: 'appService.certificate.upload',
    input: { name: 'webapps' },
    arrange: changed(CERTIFICATE_ID, { thumbprint: 'AA' }),
    found: ['warning CERTIFICATE_REPLACED'],
    reason: 'another one has the name',
  },
  {
    type: 'appService.certificate.upload',
    input: { password: 'wrong' },
    found: ['error PASSWORD_WRONG'],
    reason: 'the file stays closed',
  },
  {
    type: 'appService.certificate.upload',
    input: { pfx: 'aGVsbG8=' },
    found: ['error PFX_UNREADABLE'],
    reason: 'it is no PKCS #12 file',
  },
  {
    type: 'appService.certificate.upload',
    arrange: ({ clock }) => clock.advance(200 * 365 * 86_400_000),
    found: ['error CERTIFICATE_EXPIRED'],
    reason: 'two hundred years from now nobody trusts it',
  },
  {
    type: 'appService.certificate.upload',
    arrange: gone(PLAN_ID),
    found: ['error PLAN_NOT_FOUND'],
    reason: 'it would not be known where to put it',
  },
  { type: 'appService.certificate.bind', arrange: bound, found: [], reason: 'it covers a host name that is bound' },
  {
    type: 'appService.certificate.bind',
    found: ['error HOST_NAME_NOT_BOUND'],
    reason: 'the host name leads nowhere yet',
  },
  {
    type: 'appService.certificate.bind',
    arrange: (world) => {
      bound(world);
      world.change(CERTIFICATE_ID, { hostNames: ['*.example.com'] });
    },
    found: ['error HOST_NAME_NOT_COVERED'],
    reason: 'browsers would refuse it',
  },
  {
    type: 'appService.certificate.bind',
    arrange: (world) => {
      bound(world);
      moved(CERTIFICATE_ID, { extendedLocation: null })(world);
    },
    found: ['error CERTIFICATE_ELSEWHERE'],
    reason: 'uploaded for the region, not for the custom location (P-S03)',
  },
  {
    type: 'appService.certificate.bind',
    arrange: (world) => {
      bound(world);
      world.change(CERTIFICATE_ID, { expirationDate: '2020-01-01T00:00:00Z' });
    },
    found: ['error CERTIFICATE_EXPIRED'],
    reason: 'nobody trusts it any more',
  },
  {
    type: 'appService.certificate.bind',
    arrange: changed(WEB_APP_ID, {
      hostNameSslStates: [{ name: HOST_NAME, sslState: 'SniEnabled', thumbprint: TEST_PFX_THUMBPRINT }],
    }),
    found: ['info CERTIFICATE_BOUND'],
    reason: 'there is nothing to do',
  },
  {
    type: 'appService.certificate.bind',
    arrange: (world) => {
      world.arm.remove(WEB_APP_ID);
      world.arm.remove(CERTIFICATE_ID);
    },
    found: ['error WEB_APP_NOT_FOUND', 'error CERTIFICATE_NOT_FOUND'],
    reason: 'neither is there',
  },

  { type: 'containerApps.environment.create', arrange: withContainerApps, found: [], reason: 'the extension is there' },
  {
    type: 'containerApps.environment.create',
    found: ['error EXTENSION_MISSING'],
    reason: 'the extension of App Service does not do',
  },
  {
    type: 'containerApps.environment.create',
    input: { name: 'apps-env' },
    arrange: withContainerApps,
    found: ['info ENVIRONMENT_EXISTS'],
    reason: 'it is there',
  },
  {
    type: 'containerApps.environment.create',
    arrange: (world) => {
      withContainerApps(world);
      unregistered('Microsoft.App')(world);
    },
    found: ['error PROVIDER_NOT_REGISTERED'],
    reason: 'Azure would refuse it',
  },
  {
    type: 'containerApps.environment.create',
    arrange: gone(CUSTOM_LOCATION_ID),
    found: ['error CUSTOM_LOCATION_NOT_FOUND'],
    reason: 'there is no such custom location',
  },
  { type: 'containerApps.app.create', found: [], reason: 'the environment takes it' },
  {
    type: 'containerApps.app.create',
    input: { name: 'shop' },
    found: ['info CONTAINER_APP_EXISTS'],
    reason: 'it is there',
  },
  {
    type: 'containerApps.app.create',
    input: { minReplicas: 20 },
    found: ['error LIMIT_BELOW_LEAST'],
    reason: 'the limits contradict each other',
  },
  {
    type: 'containerApps.app.create',
    arrange: gone(CONNECTED_ENVIRONMENT_ID),
    found: ['error ENVIRONMENT_NOT_FOUND'],
    reason: 'there is no such environment',
  },
  {
    type: 'containerApps.app.create',
    arrange: changed(CONNECTED_ENVIRONMENT_ID, { provisioningState: 'Waiting' }),
    found: ['error ENVIRONMENT_NOT_READY'],
    reason: 'the environment is not set up',
  },
  { type: 'containerApps.app.scale', found: [], reason: 'nothing is in the way' },
  {
    type: 'containerApps.app.scale',
    input: { minReplicas: 1, maxReplicas: 10 },
    found: ['info ALREADY_AT_REPLICAS'],
    reason: 'there is nothing to do',
  },
  {
    type: 'containerApps.app.scale',
    input: { minReplicas: 9 },
    found: ['error LIMIT_BELOW_LEAST'],
    reason: 'the limits contradict each other',
  },
  {
    type: 'containerApps.app.scale',
    arrange: gone(CONTAINER_APP_ID),
    found: ['error CONTAINER_APP_NOT_FOUND'],
    reason: 'there is no such app',
  },
  {
    type: 'containerApps.app.delete',
    arrange: gone(CONTAINER_APP_ID),
    found: ['info CONTAINER_APP_NOT_FOUND'],
    reason: 'it is gone',
  },
];

describe('the checks before operations of App Service', () => {
  it.each(rows)('$type: $found: $reason', async ({ type, input, arrange, endpoint, found }) => {
    const world = new AppServiceWorld();
    arrange?.(world);
    // null takes a member of the usual input away.
    const members = Object.entries({ ...inputs[type], ...input }).filter(([, value]) => value !== null);
    const whole = Object.fromEntries(members);
    expect((await world.play(type, whole, endpoint).codes()).sort()).toEqual([...found].sort());
  });

  it('name every code that an operation documents', () => {
    const told = new Map<string, Set<string>>();
    for (const { type, found } of rows) {
      const codes = told.get(type) ?? new Set();
      for (const finding of found) codes.add(finding.split(' ')[1]!);
      told.set(type, codes);
    }
    const everywhere = new Set([...told.values()].flatMap((codes) => [...codes]));
    for (const [type, input] of Object.entries(inputs)) {
      const { findings } = new AppServiceWorld().play(type, input).operation;
      expect({ type, untold: Object.keys(findings).filter((code) => !everywhere.has(code)) }).toEqual({
        type,
        untold: [],
      });
    }
  });

  it.each([
    {
      type: 'appService.environment.create',
      input: { name: 'other' },
      mended: { type: 'appService.environment.create', input: { name: 'akshci-env', staticIp: STATIC_IP } },
      code: 'EXTENSION_NAME_MISMATCH',
    },
    {
      type: 'appService.certificate.bind',
      input: {},
      mended: { type: 'appService.hostName.add', input: { webApp: WEB_APP_ID, hostName: HOST_NAME } },
      code: 'HOST_NAME_NOT_BOUND',
    },
    {
      type: 'appService.enable',
      input: { extensionName: 'other' },
      mended: { type: 'appService.enable', input: { extensionName: 'appservice-ext' } },
      code: 'EXTENSION_ELSEWHERE',
    },
    {
      type: 'appService.enable',
      input: { customLocationName: 'other' },
      mended: { type: 'appService.enable', input: { customLocationName: 'akshci-apps', resourceGroup: 'akshci-eu' } },
      code: 'NAMESPACE_TAKEN',
    },
  ])('name the operation that mends $code, ready to be sent', async ({ type, input, mended, code }) => {
    const world = new AppServiceWorld();
    const findings = await world.play(type, { ...inputs[type], ...input }).findings();
    const [operation] = findings.find((finding) => finding.code === code)?.operations ?? [];
    expect(operation).toMatchObject(mended);
    expect(() => world.play(mended.type, operation!.input)).not.toThrow();
  });

  it.each<{ type: string; input?: JsonObject; arrange?: Row['arrange']; code: string; operations: JsonObject[] }>([
    {
      type: 'appService.enable',
      input: { extensionName: 'other' },
      arrange: (world) => {
        world.change(EXTENSION_ID, { extensionType: 'microsoft.app.environment' });
        world.cluster.add(definition('apps', 'appservice-ext'), definition('approutes', 'old'));
      },
      code: 'APP_SERVICE_LEFTOVERS',
      // The other belongs to an extension that is there.
      operations: [
        {
          type: 'kubernetes.object.delete',
          input: {
            cluster: CONNECTED_CLUSTER_ID,
            apiVersion: 'apiextensions.k8s.io/v1',
            kind: 'CustomResourceDefinition',
            name: 'approutes.k8se.microsoft.com',
          },
        },
      ],
    },
    {
      type: 'appService.enable',
      input: { extensionName: 'other', logAnalyticsSharedKey: 'aHVzaA==', logAnalyticsCustomerId: WORKSPACE },
      code: 'EXTENSION_ELSEWHERE',
      // The key cannot be told again, and its workspace is refused without it.
      operations: [],
    },
    {
      type: 'appService.enable',
      input: { staticIp: '192.168.0.9' },
      code: 'EXTENSION_ADDRESS_MISMATCH',
      operations: [
        {
          type: 'arc.extension.update',
          input: { extension: EXTENSION_ID, settings: { loadBalancerIp: '192.168.0.9' } },
        },
      ],
    },
    {
      type: 'appService.enable',
      input: { artifactStorageClass: 'fast' },
      code: 'STORAGE_CLASS_NOT_FOUND',
      operations: [
        {
          type: 'kubernetes.storageClass.create',
          input: {
            cluster: CONNECTED_CLUSTER_ID,
            name: 'fast',
            provisioner: 'disk.csi.akshci.com',
            parameters: { dynamic: 'true' },
            reclaimPolicy: 'Delete',
            volumeBindingMode: 'Immediate',
            allowVolumeExpansion: false,
            mountOptions: [],
          },
        },
      ],
    },
    {
      type: 'appService.enable',
      input: { artifactStorageClass: 'fast' },
      arrange: ({ cluster }) => cluster.remove({ group: 'storage.k8s.io', kind: 'StorageClass' }, undefined, 'default'),
      code: 'STORAGE_CLASS_NOT_FOUND',
      // Nobody knows which provisioner it should be.
      operations: [],
    },
    {
      type: 'appService.enable',
      arrange: (world) => world.arm.set(EXTENSION_ID, extensionBody({}, { 'buildService.storageClassName': 'gone' })),
      code: 'STORAGE_CLASS_NOT_FOUND',
      operations: [
        {
          type: 'arc.extension.update',
          input: { extension: EXTENSION_ID, settings: { 'buildService.storageClassName': 'default' } },
        },
      ],
    },
    {
      type: 'appService.enable',
      arrange: (world) => {
        world.arm.remove(EXTENSION_ID);
        world.cluster.add(definition('apps', 'old'), definition('approutes', 'old'));
      },
      code: 'APP_SERVICE_LEFTOVERS',
      operations: ['approutes', 'apps'].map((plural) => ({
        type: 'kubernetes.object.delete',
        input: {
          cluster: CONNECTED_CLUSTER_ID,
          apiVersion: 'apiextensions.k8s.io/v1',
          kind: 'CustomResourceDefinition',
          name: `${plural}.k8se.microsoft.com`,
        },
      })),
    },
    {
      type: 'appService.enable',
      input: { customLocationName: 'other', logAnalyticsSharedKey: 'aHVzaA==', logAnalyticsCustomerId: WORKSPACE },
      code: 'NAMESPACE_TAKEN',
      // The key cannot be told again.
      operations: [],
    },
    {
      type: 'appService.environment.create',
      arrange: gone(EXTENSION_ID),
      code: 'EXTENSION_MISSING',
      operations: [
        {
          type: 'arc.extension.install',
          input: {
            cluster: CONNECTED_CLUSTER_ID,
            name: 'appservice-ext',
            extensionType: 'Microsoft.Web.Appservice',
            releaseNamespace: NAMESPACE,
            settings: expect.objectContaining({ clusterName: 'akshci-env', appsNamespace: NAMESPACE }) as never,
          },
        },
        {
          type: 'arc.customLocation.create',
          input: {
            cluster: CONNECTED_CLUSTER_ID,
            name: 'akshci-apps',
            resourceGroup: 'akshci-eu',
            namespace: NAMESPACE,
            extension: EXTENSION_ID,
          },
        },
      ],
    },
    {
      type: 'appService.environment.create',
      arrange: changed(EXTENSION_ID, { scope: { cluster: { releaseNamespace: 'elsewhere' } } }),
      code: 'EXTENSION_NAMESPACE_MISMATCH',
      operations: [
        {
          type: 'arc.customLocation.create',
          input: {
            cluster: CONNECTED_CLUSTER_ID,
            name: 'elsewhere',
            resourceGroup: 'akshci-eu',
            namespace: 'elsewhere',
            extension: EXTENSION_ID,
          },
        },
      ],
    },
  ])('$type: offer what mends $code in other systems', async ({ type, input, arrange, code, operations }) => {
    const world = new AppServiceWorld();
    arrange?.(world);
    const findings = await world.play(type, { ...inputs[type], ...input }).findings();
    expect(findings.find((finding) => finding.code === code)?.operations).toEqual(operations);
  });
});
