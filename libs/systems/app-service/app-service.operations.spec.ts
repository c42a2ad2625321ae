import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
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
  TEST_PFX,
  TEST_PFX_PASSWORD,
  TEST_PFX_THUMBPRINT,
  WEB_APP_ID,
  containerAppBody,
  extensionBody,
  hostNameBindingBody,
} from '#libs/testing/app-service-samples.js';
import { AppServiceWorld } from '#libs/testing/app-service-world.js';
import { refusal } from '#libs/testing/fake-arm.js';
import { tokenOf } from '#libs/testing/operation-play.js';

const PLACE = { location: 'eastus', extendedLocation: { name: CUSTOM_LOCATION_ID, type: 'CustomLocation' } };
const enable = { cluster: CONNECTED_CLUSTER_ID, name: 'akshci-env', namespace: NAMESPACE, staticIp: STATIC_IP };
const OTHER_PLACE = `The resource 'k8swebapp2' already exists in extended location 'CustomLocation': '${CUSTOM_LOCATION_ID}' of location 'eastus'. A resource with the same name cannot be created in location 'East US'.`;

/** What Helm says of a type of App Service that another release holds. */
function leftDefinition(release: string): string {
  return `Error: {failed to install chart from path [] for release [appservice-ext]: err [rendered manifests contain a resource that already exists. Unable to continue with install: CustomResourceDefinition "apps.k8se.microsoft.com" in namespace "" exists and cannot be imported into the current release: invalid ownership metadata; annotation validation error: key "meta.helm.sh/release-name" must equal "appservice-ext": current value is "${release}"]}`;
}

/** What Helm writes down of a revision of the release of the extension. */
function releaseRecord(revision: number, status: string): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: `sh.helm.release.v1.appservice-ext.v${revision}`,
      namespace: NAMESPACE,
      labels: { owner: 'helm', name: 'appservice-ext', status, version: String(revision) },
    },
  };
}

/** The body of the last request of that method to a path. */
function sent(world: AppServiceWorld, method: string, path: RegExp): JsonObject | undefined {
  return world.arm.requests.findLast((request) => request.method === method && path.test(request.path))?.body;
}

describe('what is created on a custom location', () => {
  it.each([
    {
      type: 'appService.environment.create',
      input: { customLocation: CUSTOM_LOCATION_ID, name: 'akshci-env', staticIp: STATIC_IP },
      id: ENVIRONMENT_ID,
      step: 'create',
      body: { properties: { staticIp: STATIC_IP, arcConfiguration: { artifactsStorageType: 'NetworkFileSystem' } } },
    },
    {
      type: 'appService.plan.create',
      input: { environment: ENVIRONMENT_ID, name: 'akshci-plan' },
      id: PLAN_ID,
      step: 'create',
      body: {
        kind: 'linux,kubernetes',
        sku: { name: 'K1', tier: 'Kubernetes' },
        properties: { kubeEnvironmentProfile: { id: ENVIRONMENT_ID }, perSiteScaling: true, reserved: true },
      },
    },
    {
      type: 'appService.webApp.create',
      input: { plan: PLAN_ID, name: 'k8swebapp2', runtime: 'DOCKER|nginx:1', settings: { MODE: 'test' }, instances: 2 },
      id: WEB_APP_ID,
      step: 'create',
      body: {
        kind: 'linux,kubernetes,app,container',
        properties: {
          serverFarmId: PLAN_ID,
          siteConfig: {
            linuxFxVersion: 'DOCKER|nginx:1',
            numberOfWorkers: 2,
            appSettings: [{ name: 'MODE', value: 'test' }],
          },
        },
      },
    },
    {
      type: 'containerApps.environment.create',
      input: { customLocation: CUSTOM_LOCATION_ID, name: 'apps-env', staticIp: STATIC_IP },
      id: CONNECTED_ENVIRONMENT_ID,
      step: 'create',
      body: { properties: { staticIp: STATIC_IP } },
    },
    {
      type: 'containerApps.app.create',
      input: { environment: CONNECTED_ENVIRONMENT_ID, name: 'shop', image: 'example.com/shop:1' },
      id: CONTAINER_APP_ID,
      step: 'create',
      body: { properties: { environmentId: CONNECTED_ENVIRONMENT_ID, template: { scale: { minReplicas: 1 } } } },
    },
  ])('$type: names its place, is asked for once, and is found again', async ({ type, input, id, step, body }) => {
    const world = new AppServiceWorld();
    world.arm.remove(id);
    const play = world.play(type, input);
    const first = await play.step(step);
    expect(first).toMatchObject({ outcome: 'wait' });
    expect(sent(world, 'PUT', /./)).toMatchObject({ ...PLACE, ...body });
    // The worker dies before it saves the token: the object itself tells that it is being made.
    expect(await play.step(step)).toMatchObject({ outcome: 'wait' });
    expect(await play.step(step, tokenOf(first))).toMatchObject({ outcome: 'wait' });
    world.arm.settle();
    expect(await play.step(step, tokenOf(first))).toMatchObject({ outcome: 'done' });
    expect(world.arm.writes()).toEqual([`PUT ${id}`]);
    expect(await play.verify()).toMatchObject({ verdict: 'reached' });
  });

  it.each([
    {
      type: 'appService.environment.create',
      input: { customLocation: CUSTOM_LOCATION_ID, name: 'akshci-env', staticIp: '192.168.0.9' },
      reason: 'it has another address',
    },
    {
      type: 'appService.webApp.create',
      input: { plan: PLAN_ID.replace('akshci-plan', 'other'), name: 'k8swebapp2', runtime: 'NODE|22-lts' },
      reason: 'it is on another plan',
    },
    {
      type: 'containerApps.app.create',
      input: { environment: `${CONNECTED_ENVIRONMENT_ID}2`, name: 'shop', image: 'example.com/shop:1' },
      reason: 'it is in another environment',
    },
  ])('$type: is never written over another one: $reason', async ({ type, input }) => {
    const world = new AppServiceWorld();
    await expect(world.play(type, input).step('create')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(world.arm.writes()).toEqual([]);
  });

  it('is asked for again where an earlier attempt has failed', async () => {
    const world = new AppServiceWorld();
    world.change(ENVIRONMENT_ID, { provisioningState: 'Failed' });
    const input = { customLocation: CUSTOM_LOCATION_ID, name: 'akshci-env', staticIp: STATIC_IP };
    expect(await world.play('appService.environment.create', input).step('create')).toMatchObject({ outcome: 'wait' });
    expect(sent(world, 'PUT', /kubeEnvironments/)).toMatchObject(PLACE);
    expect(sent(world, 'PUT', /kubeEnvironments/)?.properties).not.toHaveProperty('defaultDomain');
  });

  it.each(['Waiting', 'InitializationInProgress'])(
    'ends an environment that is %s for a name that never comes (P-W04)',
    async (provisioningState) => {
      const world = new AppServiceWorld();
      world.change(ENVIRONMENT_ID, { provisioningState });
      world.arm.set(EXTENSION_ID, extensionBody({}, { clusterName: 'other' }));
      const input = { customLocation: CUSTOM_LOCATION_ID, name: 'akshci-env', staticIp: STATIC_IP };
      expect(await world.play('appService.environment.create', input).step('create')).toMatchObject({
        outcome: 'failed',
        error: {
          diagnosis: {
            code: 'EXTENSION_NAME_MISMATCH',
            operations: [{ type: 'appService.environment.delete', input: { environment: ENVIRONMENT_ID } }],
          },
        },
      });
    },
  );
});

describe('a place that cannot take what is placed on it', () => {
  const environment = { customLocation: CUSTOM_LOCATION_ID, name: 'akshci-env', staticIp: STATIC_IP };
  const app = { environment: CONNECTED_ENVIRONMENT_ID, name: 'shop', image: 'example.com/shop:1' };
  const otherNamespace = { scope: { cluster: { releaseNamespace: 'elsewhere' } } };
  const behind = (name: string, extension: string) => ({
    type: 'arc.customLocation.create',
    input: { cluster: CONNECTED_CLUSTER_ID, name, resourceGroup: 'akshci-eu', namespace: name, extension },
  });
  const install = (name: string, extensionType: string) => ({
    type: 'arc.extension.install',
    input: { cluster: CONNECTED_CLUSTER_ID, name, extensionType, releaseNamespace: NAMESPACE },
  });
  const unmapped = (types: string) => ({
    code: 'MissingAzureKubernetesMapping',
    message: `The cluster extension '["${EXTENSION_ID}"]' does not support resource type '${types}'.`,
  });
  const podsMissing = {
    code: 'BadRequest',
    message: 'The required app service pods in not present in the kubernetes cluster.',
  };

  it.each([
    {
      type: 'appService.environment.create',
      input: environment,
      said: unmapped('Microsoft.Web/kubeEnvironments'),
      arrange: (world: AppServiceWorld) => world.arm.remove(EXTENSION_ID),
      code: 'TYPE_NOT_OFFERED',
      operations: [install('appservice-ext', 'Microsoft.Web.Appservice'), behind(NAMESPACE, EXTENSION_ID)],
      reason: 'there is no extension, which is installed and put behind it (P-L01)',
    },
    {
      type: 'appService.environment.create',
      input: environment,
      said: unmapped('Microsoft.Web/kubeEnvironments'),
      arrange: (world: AppServiceWorld) => world.change(CUSTOM_LOCATION_ID, { clusterExtensionIds: [] }),
      code: 'TYPE_NOT_OFFERED',
      operations: [behind(NAMESPACE, EXTENSION_ID)],
      reason: 'the extension is not behind it (P-L01)',
    },
    {
      type: 'containerApps.app.create',
      input: app,
      said: unmapped('Microsoft.App/containerApps'),
      arrange: () => undefined,
      code: 'TYPE_NOT_OFFERED',
      operations: [
        install('container-apps', 'Microsoft.App.Environment'),
        behind(NAMESPACE, EXTENSION_ID.replace('appservice-ext', 'container-apps')),
      ],
      reason: 'the extension of App Service serves no container apps (P-L01)',
    },
    {
      type: 'appService.environment.create',
      input: environment,
      said: podsMissing,
      arrange: (world: AppServiceWorld) => world.change(EXTENSION_ID, otherNamespace),
      code: 'APP_SERVICE_PODS_MISSING',
      operations: [behind('elsewhere', EXTENSION_ID)],
      reason: 'the extension serves another namespace (P-W05)',
    },
    {
      type: 'appService.environment.create',
      input: environment,
      said: podsMissing,
      arrange: () => undefined,
      code: 'APP_SERVICE_PODS_MISSING',
      operations: [install('appservice-ext', 'Microsoft.Web.Appservice')],
      reason: 'the extension has to be gone on with (P-W05)',
    },
    {
      type: 'appService.environment.create',
      input: environment,
      said: {
        code: 'BadRequest',
        message:
          'Error when checking initialize status of K8SE stamp with kubectl Unexpected output from kubectl.exe when getting pod statuses',
      },
      arrange: () => undefined,
      code: 'APP_SERVICE_OUT_OF_REACH',
      operations: [
        { type: 'arc.feature.enable', input: { cluster: CONNECTED_CLUSTER_ID, features: ['cluster-connect'] } },
      ],
      reason: 'App Service does not get into the cluster (P-W06)',
    },
  ])('$type: is recognised: $reason', async ({ type, input, said, arrange, code, operations }) => {
    const world = new AppServiceWorld();
    arrange(world);
    world.arm.remove(ENVIRONMENT_ID);
    world.arm.remove(CONTAINER_APP_ID);
    world.arm.answer('PUT', /kubeEnvironments|containerApps/, refusal(400, said.code, said.message));
    await expect(world.play(type, input).step('create')).rejects.toMatchObject({
      externalCode: said.code,
      diagnosis: { code, operations, evidence: { cluster: CONNECTED_CLUSTER_ID } },
    });
  });

  it('is recognised by what the environment itself tells of its failure', async () => {
    const world = new AppServiceWorld();
    world.arm.remove(ENVIRONMENT_ID);
    const play = world.play('appService.environment.create', environment);
    const token = tokenOf(await play.step('create'));
    world.arm.settle();
    world.change(ENVIRONMENT_ID, { provisioningState: 'Failed', deploymentErrors: podsMissing.message });
    await expect(play.step('create', token)).rejects.toMatchObject({ diagnosis: { code: 'APP_SERVICE_PODS_MISSING' } });
  });

  it('is told in the words of Azure where what is around it cannot be read', async () => {
    const world = new AppServiceWorld();
    world.arm.remove(ENVIRONMENT_ID);
    world.arm.answer('PUT', /kubeEnvironments/, refusal(400, podsMissing.code, podsMissing.message));
    world.arm.answer('GET', /\/extensions$/, refusal(403, 'AuthorizationFailed', 'No.'));
    await expect(world.play('appService.environment.create', environment).step('create')).rejects.toMatchObject({
      externalCode: 'BadRequest',
      diagnosis: undefined,
    });
  });
});

describe('appService.enable', () => {
  it('waits with the command where cluster-connect is off, and goes on when it is on', async () => {
    const world = new AppServiceWorld();
    const agents = world.cluster.objects;
    world.stopRelayAgents();
    const play = world.play('appService.enable', enable);
    const waiting = await play.step('feature');
    expect(waiting).toMatchObject({
      outcome: 'wait',
      message: expect.stringContaining('az connectedk8s enable-features'),
    });
    const pauses = await Promise.all([1, 3, 99].map((attempt) => play.step('feature', undefined, attempt)));
    expect(pauses).toMatchObject([7, 21, 60].map((retryAfterSeconds) => ({ retryAfterSeconds })));
    world.cluster.add(...agents);
    expect(await play.step('feature')).toMatchObject({ outcome: 'done' });
  });

  it('leaves it to Azure where the cluster cannot be looked into', async () => {
    const world = new AppServiceWorld();
    world.cluster.refuse({}, new ControlError('CLUSTER_ACCESS_MISSING', 'No access.'));
    expect(await world.play('appService.enable', enable).step('feature')).toMatchObject({ outcome: 'done' });
  });

  it('tries again where the cluster does not answer', async () => {
    const world = new AppServiceWorld();
    const silent = new ControlError('KUBERNETES_TIMEOUT', 'Silence.', { retry: { kind: 'backoff' } });
    world.cluster.refuse({}, silent);
    await expect(world.play('appService.enable', enable).step('feature')).rejects.toBe(silent);
  });

  it('tells the extension everything about the environment, and its secrets by themselves', async () => {
    const world = new AppServiceWorld();
    world.arm.remove(EXTENSION_ID);
    const logs = { logAnalyticsCustomerId: '11111111-0000-4000-8000-000000000001', logAnalyticsSharedKey: 'hush' };
    await world.play('appService.enable', { ...enable, ...logs }).step('extension');
    expect(sent(world, 'PUT', /extensions/)).toMatchObject({
      properties: {
        extensionType: 'Microsoft.Web.Appservice',
        scope: { cluster: { releaseNamespace: NAMESPACE } },
        configurationSettings: { clusterName: 'akshci-env', appsNamespace: NAMESPACE, loadBalancerIp: STATIC_IP },
        configurationProtectedSettings: {
          'logProcessor.appLogs.logAnalyticsConfig.sharedKey': Buffer.from('hush').toString('base64'),
        },
      },
    });
  });

  it('sees that the extension has failed in the cluster although its operation says otherwise (P-S04)', async () => {
    const world = new AppServiceWorld();
    const play = world.play('appService.enable', enable);
    const failed = { level: 'Error', code: 'InstallationFailed', message: 'timed out waiting for the condition' };
    world.arm.remove(EXTENSION_ID);
    const token = tokenOf(await play.step('extension'));
    world.arm.settle();
    world.change(EXTENSION_ID, { statuses: [failed], extensionType: 'microsoft.web.appservice' });
    await expect(play.step('extension', token)).rejects.toMatchObject({
      code: 'AZURE_OPERATION_FAILED',
      externalCode: 'InstallationFailed',
      diagnosis: { code: 'PODS_NOT_READY', evidence: { cluster: CONNECTED_CLUSTER_ID } },
    });
  });

  it.each([
    {
      logs: { logAnalyticsCustomerId: '11111111-0000-4000-8000-000000000001', logAnalyticsSharedKey: 'hush' },
      sent: {
        'logProcessor.appLogs.logAnalyticsConfig.customerId': expect.any(String),
        'logProcessor.appLogs.logAnalyticsConfig.sharedKey': Buffer.from('hush').toString('base64'),
      },
      reason: 'those that are given again are written again',
    },
    { logs: {}, sent: undefined, reason: 'those that are not named stay' },
  ])('goes on with an extension that has failed and takes no secret away: $reason', async ({ logs, sent: secrets }) => {
    const world = new AppServiceWorld();
    const blank = { 'logProcessor.appLogs.logAnalyticsConfig.sharedKey': '' };
    world.change(EXTENSION_ID, { provisioningState: 'Failed', configurationProtectedSettings: blank });
    await world.play('appService.enable', { ...enable, ...logs }).step('extension');
    expect(world.arm.writes()).toEqual([`PATCH ${EXTENSION_ID}`]);
    expect(sent(world, 'PATCH', /extensions/)).toEqual({
      properties: {
        configurationSettings: expect.objectContaining({ clusterName: 'akshci-env', loadBalancerIp: STATIC_IP }),
        ...(secrets === undefined ? {} : { configurationProtectedSettings: secrets }),
      },
    });
  });

  it('adds the extension to a custom location that stands on others, and takes none away', async () => {
    const world = new AppServiceWorld();
    const other = EXTENSION_ID.replace('appservice-ext', 'other');
    world.change(CUSTOM_LOCATION_ID, { clusterExtensionIds: [other] });
    expect(await world.play('appService.enable', enable).step('custom-location')).toMatchObject({ outcome: 'wait' });
    expect(sent(world, 'PUT', /customLocations/)).toMatchObject({
      properties: { clusterExtensionIds: [other, EXTENSION_ID] },
    });
  });

  it.each([
    {
      message:
        'The operation to Create a Namespace: "akshci-apps", failed with the following error: "an error on the server ("404 There are no listeners connected for the endpoint. TrackingId:1") has prevented the request from succeeding"',
      code: 'CLUSTER_CONNECT_OFF',
      operations: [
        { type: 'arc.feature.enable', input: { cluster: CONNECTED_CLUSTER_ID, features: ['cluster-connect'] } },
      ],
      reason: 'nobody listens at the relay (P-S01)',
    },
    {
      message:
        'namespaces is forbidden: User \\"11111111-0000-4000-8000-000000000009\\" cannot create resource \\"namespaces\\" in API group \\"\\" at the cluster scope',
      code: 'PROVIDER_NOT_GRANTED',
      operations: [
        {
          type: 'arc.customLocation.grant',
          input: {
            cluster: CONNECTED_CLUSTER_ID,
            objectId: '11111111-0000-4000-8000-000000000009',
            role: 'least-privilege',
          },
        },
      ],
      reason: 'the provider has no rights (P-S02)',
    },
    {
      message:
        '"Microsoft.ExtendedLocation" resource provider does not have the required permissions to create a namespace on the cluster.',
      code: 'PROVIDER_NOT_GRANTED',
      operations: [],
      reason: 'the same in newer words, which do not tell the object id',
    },
  ])('recognises a custom location that cannot be made: $reason', async ({ message, code, operations }) => {
    const world = new AppServiceWorld();
    world.arm.remove(CUSTOM_LOCATION_ID);
    const play = world.play('appService.enable', enable);
    const token = tokenOf(await play.step('custom-location'));
    world.arm.fail('CreateNamespaceFailed', message);
    await expect(play.step('custom-location', token)).rejects.toMatchObject({
      code: 'AZURE_OPERATION_FAILED',
      diagnosis: { code, operations },
    });
  });

  it.each([
    {
      message:
        "error: Unable to get the status from the local CRD with the error : {Error : Retry for given duration didn't get any results with err {status not populated}}",
      code: 'AGENTS_SILENT',
      operation: { type: 'kubernetes.workload.restart' },
      reason: 'the agents in the cluster say nothing (P-E01)',
    },
    {
      message:
        'Error: {failed to install chart from path [] for release [appservice-ext]: err [cannot re-use a name that is still in use]}',
      code: 'RELEASE_NAME_IN_USE',
      arrange: (world: AppServiceWorld) => world.cluster.add(releaseRecord(3, 'failed')),
      operation: {
        type: 'kubernetes.object.delete',
        input: { name: 'sh.helm.release.v1.appservice-ext.v3', namespace: NAMESPACE },
      },
      reason: 'the release of an earlier one is left, whatever its revision (P-E02)',
    },
    {
      message: 'err [cannot re-use a name that is still in use]',
      code: 'RELEASE_NAME_IN_USE',
      arrange: (world: AppServiceWorld) => world.cluster.add(releaseRecord(1, 'deployed'), releaseRecord(2, 'failed')),
      operation: undefined,
      reason: 'what is deployed would be nobody’s without its records',
    },
    {
      message: 'err [cannot re-use a name that is still in use]',
      code: 'RELEASE_NAME_IN_USE',
      arrange: (world: AppServiceWorld) => {
        world.cluster.add(releaseRecord(1, 'failed'));
        world.cluster.refuse({ kind: 'Secret' }, new ControlError('KUBERNETES_FORBIDDEN', 'You cannot list it.'));
      },
      operation: undefined,
      reason: 'which records there are cannot be seen',
    },
    ...[
      { type: 'Microsoft.Web.Appservice', name: 'my-ext', reason: 'another App Service is there' },
      { type: 'microsoft.app.environment', name: 'old', reason: 'the type serves another extension' },
    ].map(({ type, name, reason }) => ({
      message: leftDefinition('old'),
      code: 'APP_SERVICE_LEFTOVERS',
      arrange: (world: AppServiceWorld) => {
        const id = `${CONNECTED_CLUSTER_ID}/providers/Microsoft.KubernetesConfiguration/extensions/${name}`;
        world.arm.set(id, { ...extensionBody({ extensionType: type }), id, name });
      },
      operation: undefined,
      reason,
    })),
    {
      message: leftDefinition('old'),
      code: 'APP_SERVICE_LEFTOVERS',
      operation: {
        type: 'kubernetes.object.delete',
        input: { kind: 'CustomResourceDefinition', name: 'apps.k8se.microsoft.com' },
      },
      reason: 'types of an earlier release are left (P-W09)',
    },
    {
      message:
        'CustomResourceDefinition "scaledobjects.keda.sh" in namespace "" exists and cannot be imported into the current release: invalid ownership metadata; label validation error',
      code: 'APP_SERVICE_LEFTOVERS',
      operation: undefined,
      reason: 'what is left may be somebody else’s: it is not offered to be deleted',
    },
    {
      message: 'failed, and has been uninstalled due to atomic being set: timed out waiting for the condition',
      code: 'PODS_NOT_READY',
      operation: undefined,
      reason: 'its pods ail (P-E04)',
    },
  ])('recognises an extension that cannot be installed: $reason', async ({ message, code, arrange, operation }) => {
    const world = new AppServiceWorld();
    world.arm.remove(EXTENSION_ID);
    arrange?.(world);
    const play = world.play('appService.enable', enable);
    const token = tokenOf(await play.step('extension'));
    world.arm.fail('ExtensionCreationFailed', message);
    const expected = operation === undefined ? [] : [expect.objectContaining({ type: operation.type })];
    const error: unknown = await play.step('extension', token).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ diagnosis: { code, operations: expected } });
    if (operation !== undefined) expect(error).toMatchObject({ diagnosis: { operations: [operation] } });
  });

  it('leaves a failure that it does not know as it is', async () => {
    const world = new AppServiceWorld();
    world.arm.remove(CUSTOM_LOCATION_ID);
    const play = world.play('appService.enable', enable);
    const token = tokenOf(await play.step('custom-location'));
    world.arm.fail('Strange', 'Never seen.');
    await expect(play.step('custom-location', token)).rejects.toMatchObject({ externalCode: 'Strange' });
  });

  it('names the successor where Azure refuses the extension as retired (P-W01)', async () => {
    const world = new AppServiceWorld();
    world.arm.remove(EXTENSION_ID);
    world.arm.answer('PUT', /extensions/, refusal(400, 'ExtensionTypeRetired', 'The extension type has been retired.'));
    await expect(world.play('appService.enable', enable).step('extension')).rejects.toMatchObject({
      diagnosis: { code: 'EXTENSION_RETIRED', evidence: { successor: 'Microsoft.App/connectedEnvironments' } },
    });
  });

  it('tells in a dry run what is there and what would be made', async () => {
    const world = new AppServiceWorld();
    world.arm.remove(ENVIRONMENT_ID);
    expect(await world.play('appService.enable', enable).plan()).toEqual({
      parts: [
        { id: EXTENSION_ID, action: 'none' },
        { id: CUSTOM_LOCATION_ID, action: 'none' },
        { id: ENVIRONMENT_ID, action: 'create' },
      ],
    });
  });
});

describe('a web app that is scaled', () => {
  it('has its least number of instances set, and the settings are not touched without need', async () => {
    const world = new AppServiceWorld();
    const play = world.play('appService.webApp.scale', { webApp: WEB_APP_ID, instances: 2 });
    await play.step('limit');
    await play.step('scale');
    await play.step('scale');
    expect(world.arm.writes()).toEqual([`PATCH ${WEB_APP_ID}/config/web`]);
    expect(sent(world, 'PATCH', /config/)).toEqual({ properties: { numberOfWorkers: 2 } });
    expect(await play.verify()).toMatchObject({ verdict: 'reached', result: { instances: 2 } });
  });

  it('has its greatest number raised where it would stand in the way, and the other settings kept (P-W10)', async () => {
    const world = new AppServiceWorld();
    world.settings = { K8SE_APP_MAX_INSTANCE_COUNT: '1', API_KEY: 'hush' };
    const outcome = await world.play('appService.webApp.scale', { webApp: WEB_APP_ID, instances: 3 }).step('limit');
    expect(world.settings).toEqual({ K8SE_APP_MAX_INSTANCE_COUNT: '3', API_KEY: 'hush' });
    expect(JSON.stringify(outcome)).not.toContain('hush');
  });

  it('is waited for until so many pods are ready', async () => {
    const world = new AppServiceWorld();
    const play = world.play('appService.webApp.scale', { webApp: WEB_APP_ID, instances: 2 });
    world.runPods(1);
    expect(await play.step('pods')).toMatchObject({ outcome: 'wait', message: '1 of 1 pods are ready.' });
    world.runPods(2);
    expect(await play.step('pods')).toMatchObject({ outcome: 'done' });
  });

  it('is believed where the cluster cannot be looked into', async () => {
    const world = new AppServiceWorld();
    world.cluster.refuse({}, new ControlError('CLUSTER_ACCESS_MISSING', 'No access.'));
    const play = world.play('appService.webApp.scale', { webApp: WEB_APP_ID, instances: 2 });
    expect(await play.step('pods')).toMatchObject({ outcome: 'done' });
  });
});

describe('a web app that is restarted', () => {
  function restart(world: AppServiceWorld, pods: string[] | null) {
    const play = world.play('appService.webApp.restart', { webApp: WEB_APP_ID });
    world.arm.answer('POST', /\/restart$/, { status: 200 });
    const run = (name: string) =>
      play.operation.steps
        .find((step) => step.name === name)!
        .run({ ...play.context(), outputs: { look: { pods } }, resumeToken: undefined, attempt: 1 });
    const restarts = () => world.arm.requests.filter(({ path }) => path.endsWith('/restart')).length;
    return { play, run, restarts };
  }

  it('notes its pods first, and waits for others', async () => {
    const world = new AppServiceWorld();
    world.runPods(1);
    const { play, run, restarts } = restart(world, ['uid-k8swebapp2-a0']);
    expect(await play.step('look')).toMatchObject({ output: { pods: ['uid-k8swebapp2-a0'] } });
    await run('restart');
    world.runPods(1, 'b');
    expect(await run('pods')).toMatchObject({ outcome: 'wait' });
    world.cluster.remove({ group: '', kind: 'Pod' }, NAMESPACE, 'k8swebapp2-a0');
    expect(await run('pods')).toMatchObject({ outcome: 'done' });
    expect(restarts()).toBe(1);
  });

  it('is not waited for until there are as many pods as a change of settings had running side by side', async () => {
    const world = new AppServiceWorld();
    world.runPods(1, 'c');
    const { run } = restart(world, ['uid-k8swebapp2-a0', 'uid-k8swebapp2-b0']);
    expect(await run('pods')).toMatchObject({ outcome: 'done' });
  });

  it('is not restarted twice when the worker dies after it was', async () => {
    const world = new AppServiceWorld();
    world.runPods(1, 'b');
    const { run, restarts } = restart(world, ['uid-k8swebapp2-a0']);
    expect(await run('restart')).toMatchObject({ outcome: 'done' });
    expect(restarts()).toBe(0);
  });

  it('is restarted also where its pods cannot be seen', async () => {
    const world = new AppServiceWorld();
    world.cluster.refuse({}, new ControlError('CLUSTER_ACCESS_MISSING', 'No access.'));
    const { run, restarts } = restart(world, null);
    await run('restart');
    expect([restarts(), (await run('pods')).outcome]).toEqual([1, 'done']);
  });
});

describe('a web app that is configured', () => {
  it('keeps the settings that are not named, and tells names alone', async () => {
    const world = new AppServiceWorld();
    world.settings = { OLD: '1', KEEP: 'hush' };
    const play = world.play('appService.webApp.configure', {
      webApp: WEB_APP_ID,
      settings: { MODE: 'test' },
      removeSettings: ['OLD'],
      secretSettings: '{"API_KEY":"quiet"}',
    });
    const outcome = await play.step('settings');
    expect(world.settings).toEqual({ KEEP: 'hush', MODE: 'test', API_KEY: 'quiet' });
    expect(outcome).toMatchObject({ output: { settings: ['OLD', 'MODE', 'API_KEY'] } });
    expect(JSON.stringify([outcome, await play.verify()])).not.toMatch(/hush|quiet/);
    const writes = world.arm.writes().length;
    await play.step('settings');
    expect(world.arm.writes()).toHaveLength(writes);
  });

  it('is written with its extended location', async () => {
    const world = new AppServiceWorld();
    const play = world.play('appService.webApp.configure', {
      webApp: WEB_APP_ID,
      httpsOnly: true,
      runtime: 'NODE|22-lts',
    });
    await play.step('configuration');
    await play.step('app');
    expect(sent(world, 'PATCH', /config\/web$/)).toEqual({ properties: { linuxFxVersion: 'NODE|22-lts' } });
    expect(sent(world, 'PATCH', /k8swebapp2$/)).toEqual({ ...PLACE, properties: { httpsOnly: true } });
    expect(await play.verify()).toMatchObject({ verdict: 'reached' });
  });
});

describe('a web app that is deleted', () => {
  it.each([
    { deleteEmptyPlan: false, reason: 'Azure would take the plan along without being told' },
    { deleteEmptyPlan: true, reason: 'it was asked for' },
  ])('says what becomes of an empty plan: $deleteEmptyPlan: $reason', async ({ deleteEmptyPlan }) => {
    const world = new AppServiceWorld();
    const play = world.play('appService.webApp.delete', { webApp: WEB_APP_ID, deleteEmptyPlan });
    await play.step('delete');
    const request = world.arm.requests.find(({ method }) => method === 'DELETE');
    expect(request?.query.get('deleteEmptyServerFarm')).toBe(String(deleteEmptyPlan));
    world.arm.settle();
    expect(await play.verify()).toMatchObject({ verdict: 'reached', absent: [{ id: WEB_APP_ID }] });
  });
});

describe('host names', () => {
  it('are added once', async () => {
    const world = new AppServiceWorld();
    const play = world.play('appService.hostName.add', { webApp: WEB_APP_ID, hostName: 'SHOP.example.com' });
    await play.step('bind');
    await play.step('bind');
    expect(world.arm.writes()).toEqual([`PUT ${WEB_APP_ID}/hostNameBindings/shop.example.com`]);
    expect(await play.verify()).toMatchObject({ verdict: 'reached', result: { hostName: 'shop.example.com' } });
  });

  it('are removed, and gone ones are not missed', async () => {
    const world = new AppServiceWorld();
    const play = world.play('appService.hostName.remove', { webApp: WEB_APP_ID, hostName: HOST_NAME });
    expect(await play.step('remove')).toMatchObject({ outcome: 'done' });
    expect(world.arm.writes()).toEqual([]);
    expect(await play.verify()).toMatchObject({ verdict: 'reached' });
  });
});

describe('certificates', () => {
  const upload = { plan: PLAN_ID, name: 'webapps', pfx: TEST_PFX, password: TEST_PFX_PASSWORD };
  const bind = { webApp: WEB_APP_ID, hostName: HOST_NAME, certificate: CERTIFICATE_ID };

  it('are uploaded to where the plan lies, once', async () => {
    const world = new AppServiceWorld();
    const play = world.play('appService.certificate.upload', upload);
    expect(await play.step('upload')).toMatchObject({ outcome: 'done', output: { thumbprint: TEST_PFX_THUMBPRINT } });
    expect(world.arm.writes()).toEqual([]);
    world.change(CERTIFICATE_ID, { thumbprint: 'AA' });
    await play.step('upload');
    expect(sent(world, 'PUT', /certificates/)).toMatchObject({
      ...PLACE,
      properties: { serverFarmId: PLAN_ID, pfxBlob: TEST_PFX, password: TEST_PFX_PASSWORD },
    });
  });

  it('do not show in what goes wrong with them', async () => {
    const world = new AppServiceWorld();
    world.arm.remove(CERTIFICATE_ID);
    world.arm.answer('PUT', /certificates/, refusal(400, 'BadRequest', `The password ${TEST_PFX_PASSWORD} is wrong.`));
    const failed = world.play('appService.certificate.upload', upload).step('upload');
    await expect(failed).rejects.toMatchObject({ code: 'AZURE_REJECTED' });
    await expect(failed).rejects.not.toMatchObject({ message: expect.stringContaining(TEST_PFX_PASSWORD) });
  });

  it('are bound by writing the web app back as it was read, with its extended location', async () => {
    const world = new AppServiceWorld();
    world.arm.add(hostNameBindingBody(HOST_NAME));
    world.change(WEB_APP_ID, { newerThanWeKnow: { deep: 1 } });
    const play = world.play('appService.certificate.bind', bind);
    expect(await play.step('bind')).toMatchObject({ outcome: 'wait' });
    const body = sent(world, 'PUT', /sites/);
    expect(body).toMatchObject({
      ...PLACE,
      properties: {
        newerThanWeKnow: { deep: 1 },
        hostNameSslStates: [
          { name: HOST_NAME, sslState: 'SniEnabled', thumbprint: TEST_PFX_THUMBPRINT, toUpdate: true },
        ],
      },
    });
    for (const told of ['state', 'defaultHostName', 'availabilityState'])
      expect(body?.properties).not.toHaveProperty(told);
    world.change(`${WEB_APP_ID}/hostNameBindings/${HOST_NAME}`, {
      sslState: 'SniEnabled',
      thumbprint: TEST_PFX_THUMBPRINT,
    });
    expect(await play.step('bind')).toMatchObject({ outcome: 'done' });
    expect(await play.verify()).toMatchObject({ verdict: 'reached', result: { hostName: HOST_NAME } });
  });

  it('are bound again after ARM took the request for one about another web app (P-S03)', async () => {
    const world = new AppServiceWorld();
    world.arm.add(hostNameBindingBody(HOST_NAME));
    world.arm.answer('PUT', /sites/, refusal(409, 'InvalidResourceLocation', OTHER_PLACE), true);
    const play = world.play('appService.certificate.bind', bind);
    expect(await play.step('bind')).toMatchObject({
      outcome: 'failed',
      error: {
        code: 'AZURE_CONFLICT',
        diagnosis: {
          code: 'OTHER_EXTENDED_LOCATION',
          evidence: { sent: PLACE },
          operations: [{ type: 'appService.certificate.bind', input: bind }],
        },
      },
    });
    expect(await play.step('bind')).toMatchObject({ outcome: 'wait' });
  });

  it('are bound to the host names of the web app alone', async () => {
    const world = new AppServiceWorld();
    await expect(world.play('appService.certificate.bind', bind).step('bind')).rejects.toMatchObject({
      code: 'AZURE_NOT_FOUND',
    });
    expect(world.arm.get(`${WEB_APP_ID}/hostNameBindings/${DEFAULT_HOST_NAME}`)).toBeDefined();
  });
});

describe('a request that ARM takes for one about another resource of the same name (P-S03)', () => {
  const configure = { webApp: WEB_APP_ID, settings: { MODE: 'test' } };
  const scale = { webApp: WEB_APP_ID, instances: 2 };
  const host = { webApp: WEB_APP_ID, hostName: HOST_NAME };
  const upload = { plan: PLAN_ID, name: 'new', pfx: TEST_PFX, password: TEST_PFX_PASSWORD };

  it.each<{ type: string; input: JsonObject; step: string; path: RegExp; offered: boolean; reason: string }>([
    {
      type: 'appService.webApp.configure',
      input: configure,
      step: 'settings',
      path: /appsettings$/,
      offered: true,
      reason: 'settings are written',
    },
    {
      type: 'appService.webApp.configure',
      input: { webApp: WEB_APP_ID, runtime: 'NODE|22-lts' },
      step: 'configuration',
      path: /config\/web$/,
      offered: true,
      reason: 'the runtime is changed',
    },
    {
      type: 'appService.webApp.configure',
      input: { webApp: WEB_APP_ID, httpsOnly: true },
      step: 'app',
      path: /sites\/k8swebapp2$/,
      offered: true,
      reason: 'the app itself is changed',
    },
    {
      type: 'appService.webApp.configure',
      input: { webApp: WEB_APP_ID, secretSettings: '{"KEY":"hush"}' },
      step: 'settings',
      path: /appsettings$/,
      offered: false,
      reason: 'secrets are not told again',
    },
    {
      type: 'appService.webApp.scale',
      input: scale,
      step: 'scale',
      path: /config\/web$/,
      offered: true,
      reason: 'the number of instances is changed',
    },
    {
      type: 'appService.webApp.scale',
      input: { ...scale, maxInstances: 3 },
      step: 'limit',
      path: /appsettings$/,
      offered: true,
      reason: 'the greatest number of instances is a setting',
    },
    {
      type: 'appService.hostName.add',
      input: host,
      step: 'bind',
      path: /hostNameBindings/,
      offered: true,
      reason: 'a host name is added',
    },
    {
      type: 'appService.certificate.upload',
      input: upload,
      step: 'upload',
      path: /certificates\/new$/,
      offered: false,
      reason: 'the key is not told again',
    },
  ])('$type: proposes no other name, but the same once more: $reason', async ({ type, input, step, path, offered }) => {
    const world = new AppServiceWorld();
    for (const method of ['PUT', 'PATCH']) {
      world.arm.answer(method, path, refusal(409, 'InvalidResourceLocation', OTHER_PLACE), true);
    }
    const error: unknown = await world
      .play(type, input)
      .step(step)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'AZURE_CONFLICT',
      remedy: expect.stringContaining('again: the place of the resource is read anew'),
      diagnosis: {
        code: 'OTHER_EXTENDED_LOCATION',
        operations: offered ? [{ type, input: expect.objectContaining(input) }] : [],
      },
    });
    expect(JSON.stringify((error as ControlError).diagnosis)).not.toContain('hush');
  });

  it('is told of a certificate without the words of the server, which may repeat the file', async () => {
    const world = new AppServiceWorld();
    const said = `${OTHER_PLACE} ${TEST_PFX}`;
    world.arm.answer('PUT', /certificates\/new$/, refusal(409, 'InvalidResourceLocation', said));
    const error = await world
      .play('appService.certificate.upload', upload)
      .step('upload')
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ diagnosis: { evidence: { sent: PLACE } } });
    expect((error as ControlError).cause).toBeUndefined();
    expect(`${String(error)}${JSON.stringify((error as ControlError).diagnosis)}`).not.toContain(TEST_PFX.slice(0, 40));
  });
});

describe('a container app that is scaled', () => {
  const scale = { containerApp: CONTAINER_APP_ID, minReplicas: 2, maxReplicas: 4 };

  it('is changed in its template alone: secrets whose values are not told stay', async () => {
    const world = new AppServiceWorld();
    const resources = { cpu: 0.5, memory: '1Gi', ephemeralStorage: '2Gi' };
    const containers = [{ name: 'shop', image: 'example.com/shop:1', resources }];
    world.arm.add(containerAppBody({ template: { containers, scale: { minReplicas: 1, rules: [{ name: 'http' }] } } }));
    const play = world.play('containerApps.app.scale', scale);
    await play.step('scale');
    expect(sent(world, 'PATCH', /containerApps/)).toEqual({
      ...PLACE,
      properties: {
        template: {
          containers: [{ name: 'shop', image: 'example.com/shop:1', resources: { cpu: 0.5, memory: '1Gi' } }],
          scale: { minReplicas: 2, maxReplicas: 4, rules: [{ name: 'http' }] },
        },
      },
    });
    expect(await play.step('scale')).toMatchObject({ outcome: 'done' });
    expect(await play.verify()).toMatchObject({ verdict: 'reached' });
  });

  it.each([
    { template: { scale: { minReplicas: 2, maxReplicas: 4 } }, outcome: 'wait', reason: 'Azure is bringing it about' },
    { template: { scale: { minReplicas: 9, maxReplicas: 9 } }, outcome: 'blocked', reason: 'somebody else changes it' },
  ])('writes nothing while the app changes: $reason', async ({ template, outcome }) => {
    const world = new AppServiceWorld();
    world.change(CONTAINER_APP_ID, { provisioningState: 'InProgress', template });
    expect(await world.play('containerApps.app.scale', scale).step('scale')).toMatchObject({ outcome });
    expect(world.arm.writes()).toEqual([]);
  });
});

describe('what is deleted', () => {
  it.each([
    { type: 'appService.environment.delete', input: { environment: ENVIRONMENT_ID }, id: ENVIRONMENT_ID },
    { type: 'containerApps.app.delete', input: { containerApp: CONTAINER_APP_ID }, id: CONTAINER_APP_ID },
  ])('$type: is asked for once, and is gone in the end', async ({ type, input, id }) => {
    const world = new AppServiceWorld();
    const play = world.play(type, input);
    const first = await play.step('delete');
    // The worker dies before it saves the token.
    expect(await play.step('delete')).toMatchObject({ outcome: 'wait' });
    expect(await play.verify()).toMatchObject({ verdict: 'pending' });
    world.arm.settle();
    expect(await play.step('delete', tokenOf(first))).toMatchObject({ outcome: 'done' });
    expect(await play.verify()).toMatchObject({ verdict: 'reached', absent: [{ id }] });
    expect(world.arm.writes()).toEqual([`DELETE ${id}`]);
  });

  it('may be what waits for something that never comes', async () => {
    const world = new AppServiceWorld();
    world.change(ENVIRONMENT_ID, { provisioningState: 'Waiting' });
    const play = world.play('appService.environment.delete', { environment: ENVIRONMENT_ID });
    expect(await play.step('delete')).toMatchObject({ outcome: 'wait' });
  });
});
