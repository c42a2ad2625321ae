import { DISK_CLASS } from '#libs/testing/app-service-world.js';
import { FakeArm } from '#libs/testing/fake-arm.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import {
  CERTIFICATE_ID,
  CONNECTED_CLUSTER_ID,
  CONNECTED_ENVIRONMENT_ID,
  CONTAINER_APP_ID,
  CUSTOM_LOCATION_ID,
  DEFAULT_HOST_NAME,
  ENVIRONMENT_ID,
  HOST_NAME,
  NAMESPACE,
  PLAN_ID,
  STATIC_IP,
  SUBSCRIPTION,
  TEST_PFX,
  TEST_PFX_PASSWORD,
  WEB_APP_ID,
  appServiceBodies,
  certificateBody,
  connectedEnvironmentBody,
  containerAppBody,
  environmentBody,
  extensionBody,
  hostNameBindingBody,
  planBody,
  webAppBody,
  webAppConfigBody,
} from '#libs/testing/app-service-samples.js';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { describeSystem, targetOf } from '../contract/system.contract-suite.js';
import { createAppServiceSystem } from './app-service.module.js';

const webApp = targetOf(WEB_APP_ID, 'WebApp');
const plan = targetOf(PLAN_ID, 'AppServicePlan');
const environment = targetOf(ENVIRONMENT_ID, 'KubeEnvironment');
const customLocation = targetOf(CUSTOM_LOCATION_ID, 'CustomLocation');
const containerApp = targetOf(CONTAINER_APP_ID, 'ContainerApp');

/** A body as it is stored: what stands beside the bag, laid into it. */
function stored({ extendedLocation, sku, kind, properties }: JsonObject, more: JsonObject = {}): JsonObject {
  return {
    ...(extendedLocation === undefined ? {} : { extendedLocation }),
    ...(sku === undefined ? {} : { sku }),
    ...(kind === undefined ? {} : { kind }),
    ...(properties as JsonObject),
    ...more,
  };
}

describeSystem('app-service', {
  otherKinds: ['ConnectedCluster', 'CustomLocation', 'Workload', 'Pod'],
  samples: {
    KubeEnvironment: [stored(environmentBody())],
    AppServicePlan: [stored(planBody())],
    WebApp: [stored(webAppBody(), { siteConfig: webAppConfigBody().properties ?? {} })],
    HostNameBinding: [stored(hostNameBindingBody(DEFAULT_HOST_NAME), { hostName: DEFAULT_HOST_NAME })],
    AppCertificate: [stored(certificateBody())],
    ConnectedEnvironment: [stored(connectedEnvironmentBody())],
    ContainerApp: [stored(containerAppBody())],
  },
  operations: {
    'appService.enable': {
      input: { cluster: CONNECTED_CLUSTER_ID, name: 'akshci-env', namespace: NAMESPACE, staticIp: STATIC_IP },
      references: { cluster: targetOf(CONNECTED_CLUSTER_ID, 'ConnectedCluster') },
    },
    'appService.environment.create': {
      input: { customLocation: CUSTOM_LOCATION_ID, name: 'akshci-env', staticIp: STATIC_IP },
      references: { customLocation },
    },
    'appService.environment.delete': {
      input: { environment: `${ENVIRONMENT_ID}2` },
      references: { environment: targetOf(`${ENVIRONMENT_ID}2`, 'KubeEnvironment') },
    },
    'appService.plan.create': { input: { environment: ENVIRONMENT_ID, name: 'p2' }, references: { environment } },
    'appService.webApp.create': {
      input: { plan: PLAN_ID, name: 'other', runtime: 'NODE|22-lts', settings: { MODE: 'test' } },
      references: { plan },
    },
    'appService.webApp.scale': { input: { webApp: WEB_APP_ID, instances: 2 }, references: { webApp } },
    'appService.webApp.restart': { input: { webApp: WEB_APP_ID }, references: { webApp } },
    'appService.webApp.configure': {
      input: { webApp: WEB_APP_ID, settings: { MODE: 'test' }, secretSettings: '{"KEY":"v"}' },
      references: { webApp },
    },
    'appService.webApp.delete': { input: { webApp: WEB_APP_ID }, references: { webApp } },
    'appService.webApp.planMigration': { input: { webApp: WEB_APP_ID }, references: { webApp } },
    'appService.hostName.add': { input: { webApp: WEB_APP_ID, hostName: HOST_NAME }, references: { webApp } },
    'appService.hostName.remove': { input: { webApp: WEB_APP_ID, hostName: HOST_NAME }, references: { webApp } },
    'appService.certificate.upload': {
      input: { plan: PLAN_ID, name: 'webapps', pfx: TEST_PFX, password: TEST_PFX_PASSWORD },
      references: { plan },
    },
    'appService.certificate.bind': {
      input: { webApp: WEB_APP_ID, hostName: HOST_NAME, certificate: CERTIFICATE_ID },
      references: { webApp, certificate: targetOf(CERTIFICATE_ID, 'AppCertificate') },
    },
    'containerApps.environment.create': {
      input: { customLocation: CUSTOM_LOCATION_ID, name: 'apps-env' },
      references: { customLocation },
    },
    'containerApps.app.create': {
      input: { environment: CONNECTED_ENVIRONMENT_ID, name: 'shop', image: 'example.com/shop:1', targetPort: 80 },
      references: { environment: targetOf(CONNECTED_ENVIRONMENT_ID, 'ConnectedEnvironment') },
    },
    'containerApps.app.scale': {
      input: { containerApp: CONTAINER_APP_ID, minReplicas: 2, maxReplicas: 4 },
      references: { containerApp },
    },
    'containerApps.app.delete': { input: { containerApp: CONTAINER_APP_ID }, references: { containerApp } },
  },
  world() {
    const arm = new FakeArm();
    arm.add(
      ...appServiceBodies(),
      webAppBody({
        hostNameSslStates: [{ name: DEFAULT_HOST_NAME }, { name: HOST_NAME, sslState: 'Disabled' }],
      }),
      hostNameBindingBody(HOST_NAME),
    );
    const container = { extensionType: 'Microsoft.App.Environment' };
    arm.add({
      ...extensionBody(container),
      id: `${CONNECTED_CLUSTER_ID}/providers/Microsoft.KubernetesConfiguration/extensions/apps`,
    });
    const location = arm.get(CUSTOM_LOCATION_ID)!;
    const properties = location.properties as JsonObject;
    const ids = properties.clusterExtensionIds as string[];
    const both = [...ids, ids[0]!.replace('appservice-ext', 'apps')];
    arm.set(CUSTOM_LOCATION_ID, { ...location, properties: { ...properties, clusterExtensionIds: both } });
    for (const namespace of [
      'Microsoft.Web',
      'Microsoft.App',
      'Microsoft.ExtendedLocation',
      'Microsoft.KubernetesConfiguration',
    ]) {
      arm.set(`/subscriptions/${SUBSCRIPTION}/providers/${namespace}`, { namespace, registrationState: 'Registered' });
    }
    arm.answer('POST', /\/config\/appsettings\/list$/, { status: 200, body: { properties: { MODE: 'production' } } });
    const kube = new FakeKube();
    kube.cluster(ArmId.parse(CONNECTED_CLUSTER_ID).uid).add(DISK_CLASS);
    return {
      system: createAppServiceSystem(arm.azure(), kube),
      subscriptionId: SUBSCRIPTION,
      absent: [
        targetOf(`${WEB_APP_ID}x`, 'WebApp'),
        targetOf(`${WEB_APP_ID}/hostNameBindings/gone.example.com`, 'HostNameBinding'),
        targetOf(`${CONTAINER_APP_ID}x`, 'ContainerApp'),
      ],
    };
  },
});
