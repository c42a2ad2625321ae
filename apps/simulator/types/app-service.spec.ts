import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { TEST_PFX, TEST_PFX_PASSWORD, TEST_PFX_THUMBPRINT } from '#libs/testing/app-service-samples.js';
import {
  SUBSCRIPTION,
  SimulatedAzure,
  codeOf,
  itemsOf,
  propertiesOf,
  textOf,
  type Answer,
} from '../simulated-azure.harness.js';

const SCENARIO_B = fileURLToPath(new URL('../estates/scenario-b.estate.json', import.meta.url));
const WEB = '2025-03-01';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/akshci-eu`;
const provider = (type: string, name: string): string => `${GROUP}/providers/${type}/${name}`;
const CLUSTER = provider('Microsoft.Kubernetes/connectedClusters', 'my-workload-cluster');
const EXTENSION = `${CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/appservice-ext`;
const LOCATION = provider('Microsoft.ExtendedLocation/customLocations', 'akshci-apps');
const ENVIRONMENT = provider('Microsoft.Web/kubeEnvironments', 'akshci-env');
const PLAN = provider('Microsoft.Web/serverfarms', 'akshci-plan');
const SITE = provider('Microsoft.Web/sites', 'k8swebapp2');
const CERTIFICATE = provider('Microsoft.Web/certificates', 'webapps');
const HOST = 'webapps.akshci.aimless.jp';
const place = { location: 'eastus', extendedLocation: { name: LOCATION, type: 'CustomLocation' } };

const environment = { ...place, properties: { staticIp: '192.168.0.102' } };
const plan = {
  ...place,
  kind: 'linux,kubernetes',
  sku: { name: 'K1', tier: 'Kubernetes', capacity: 1 },
  properties: { reserved: true, perSiteScaling: true, kubeEnvironmentProfile: { id: ENVIRONMENT } },
};
const site = {
  ...place,
  kind: 'linux,kubernetes,app',
  properties: {
    serverFarmId: PLAN,
    siteConfig: { linuxFxVersion: 'NODE|12-lts', appSettings: [{ name: 'A', value: 'secret' }] },
  },
};

let azure: SimulatedAzure;
beforeEach(async () => {
  azure = await SimulatedAzure.start({ estate: SCENARIO_B });
});
afterEach(async () => azure.stop());

async function extension(clusterName: string, releaseNamespace = 'akshci-apps'): Promise<void> {
  await azure.put(EXTENSION, '2025-03-01', {
    properties: {
      extensionType: 'Microsoft.Web.Appservice',
      scope: { cluster: { releaseNamespace } },
      configurationSettings: { clusterName, appsNamespace: 'akshci-apps', loadBalancerIp: '192.168.0.102' },
    },
  });
  azure.finishOperations();
}

async function customLocation(): Promise<void> {
  const { body } = await azure.control('GET', '/custom-locations-principal');
  await azure.control('POST', '/kubernetes/my-workload-cluster/arc-agents', {
    features: ['cluster-connect', 'custom-locations'],
    customLocationsObjectId: body.principalId ?? null,
  });
  await azure.put(LOCATION, '2021-08-15', {
    location: 'eastus',
    properties: { hostResourceId: CLUSTER, namespace: 'akshci-apps', clusterExtensionIds: [EXTENSION] },
  });
  azure.finishOperations();
}

async function made(id: string, body: JsonObject): Promise<Answer> {
  const answer = await azure.put(id, WEB, body);
  expect(answer.status).toBeLessThan(300);
  azure.finishOperations();
  return azure.get(id, WEB);
}

async function webApp(): Promise<void> {
  await extension('akshci-env');
  await customLocation();
  await made(ENVIRONMENT, environment);
  await made(PLAN, plan);
  await made(SITE, site);
}

describe('an environment of App Service on Kubernetes', () => {
  it('is there at once, sets itself up, and then has a domain', async () => {
    await extension('akshci-env');
    await customLocation();
    const created = await azure.put(ENVIRONMENT, WEB, environment);
    expect([created.status, propertiesOf(created.body).provisioningState]).toEqual([201, 'InitializationInProgress']);
    azure.finishOperations();
    expect(propertiesOf((await azure.get(ENVIRONMENT, WEB)).body)).toMatchObject({
      provisioningState: 'Succeeded',
      defaultDomain: expect.stringMatching(/^akshci-env-[0-9a-f]{10}\.eastus\.k4apps\.io$/) as unknown,
    });
  });

  it('fails when its pods are in another namespace than that of the custom location', async () => {
    await extension('akshci-env', 'elsewhere');
    await customLocation();
    expect(propertiesOf((await made(ENVIRONMENT, environment)).body)).toMatchObject({
      provisioningState: 'Failed',
      deploymentErrors: 'The required app service pods in not present in the kubernetes cluster.',
    });
  });

  it('fails when nobody listens at the cluster’s end of the relay any more', async () => {
    await extension('akshci-env');
    await customLocation();
    await azure.control('POST', '/kubernetes/my-workload-cluster/arc-agents', { features: [] });
    expect(propertiesOf((await made(ENVIRONMENT, environment)).body)).toMatchObject({
      provisioningState: 'Failed',
      deploymentErrors: expect.stringMatching(/^Error when checking initialize status of K8SE stamp/) as unknown,
    });
    await azure.control('POST', '/kubernetes/my-workload-cluster/arc-agents', { features: ['cluster-connect'] });
    const mended = propertiesOf((await made(ENVIRONMENT, environment)).body);
    expect(mended.provisioningState).toBe('Succeeded');
    expect(mended.deploymentErrors).toBeUndefined();
  });

  it('waits for ever when the extension was told another name', async () => {
    await extension('other');
    await customLocation();
    expect(propertiesOf((await made(ENVIRONMENT, environment)).body).provisioningState).toBe('Waiting');
  });

  it.each([
    {
      body: { ...environment, extendedLocation: { name: `${LOCATION}x`, type: 'CustomLocation' } },
      status: 400,
      code: 'InvalidExtendedLocation',
      reason: 'there is no such custom location',
    },
    {
      body: { ...environment, location: 'westus2' },
      status: 409,
      code: 'MissingRegistrationForLocation',
      reason: 'it was offered in two regions',
    },
  ])('is refused: $reason', async ({ body, status, code }) => {
    await extension('akshci-env');
    await customLocation();
    const refused = await azure.put(ENVIRONMENT, WEB, body);
    expect([refused.status, codeOf(refused)]).toEqual([status, code]);
  });

  it('goes when no plan uses it any more', async () => {
    await webApp();
    const used = await azure.send('DELETE', ENVIRONMENT, { version: WEB });
    expect([used.status, used.body.Code]).toEqual([409, 'Conflict']);
    await azure.send('DELETE', `${SITE}?deleteEmptyServerFarm=false`, { version: WEB });
    expect((await azure.send('DELETE', PLAN, { version: WEB })).status).toBe(200);
    expect((await azure.send('DELETE', ENVIRONMENT, { version: WEB })).status).toBe(202);
    azure.finishOperations();
    expect((await azure.get(ENVIRONMENT, WEB)).status).toBe(404);
  });
});

describe('a plan on Kubernetes', () => {
  it.each([
    { change: { sku: { name: 'P1v3' } }, message: 'Cannot find SkuName with name P1v3.', reason: 'there is one size' },
    {
      change: { properties: { kubeEnvironmentProfile: { id: `${ENVIRONMENT}x` } } },
      message: 'Unable to find Kube Environment associated to the Custom Location.',
      reason: 'the environment is another one',
    },
  ])('is refused in the words and the shape of App Service: $reason', async ({ change, message }) => {
    await extension('akshci-env');
    await customLocation();
    await made(ENVIRONMENT, environment);
    const refused = await azure.put(PLAN, WEB, { ...plan, ...change });
    expect(refused.status).toBe(400);
    expect(refused.body).toMatchObject({ Code: 'BadRequest', Message: message, Innererror: null });
    expect(refused.body.Details).toHaveLength(3);
  });

  it('stays while it has web apps, and says which', async () => {
    await webApp();
    const refused = await azure.send('DELETE', PLAN, { version: WEB });
    expect(refused.body.Message).toContain('because it has web app(s) k8swebapp2 assigned to it');
    expect(propertiesOf((await azure.get(PLAN, WEB)).body)).toMatchObject({ numberOfSites: 1, status: 'Ready' });
  });
});

describe('a web app on Kubernetes', () => {
  beforeEach(webApp);

  it('shows neither a state of provisioning nor its configuration, which is a resource of its own', async () => {
    const { body } = await azure.get(SITE, WEB);
    const properties = propertiesOf(body);
    expect(body.location).toBe('East US');
    expect(properties).toMatchObject({
      state: 'Running',
      defaultHostName: expect.stringContaining('k8swebapp2.akshci-env-') as unknown,
    });
    expect(Object.keys(properties)).not.toEqual(expect.arrayContaining(['provisioningState']));
    expect(Object.keys(properties)).not.toEqual(expect.arrayContaining(['siteConfig']));
    const config = propertiesOf((await azure.get(`${SITE}/config/web`, WEB)).body);
    expect(config).toEqual({ numberOfWorkers: 1, alwaysOn: false, linuxFxVersion: 'NODE|12-lts' });
  });

  it('tells its settings to the action alone', async () => {
    expect((await azure.get(`${SITE}/config/appsettings`, WEB)).text).not.toContain('secret');
    const listed = await azure.send('POST', `${SITE}/config/appsettings/list`, { version: WEB });
    expect(propertiesOf(listed.body)).toEqual({ A: 'secret' });
  });

  it.each(['PUT', 'PATCH'] as const)(
    'takes a %s without its extended location for one about another resource',
    async (method) => {
      const body = { location: 'East US', properties: { serverFarmId: PLAN, httpsOnly: true } };
      const refused = await azure.send(method, SITE, { version: WEB, body });
      expect([refused.status, codeOf(refused)]).toEqual([409, 'InvalidResourceLocation']);
      expect((refused.body.error as JsonObject).message).toBe(
        `The resource 'k8swebapp2' already exists in extended location 'CustomLocation': '${LOCATION}' of location ` +
          `'eastus'. A resource with the same name cannot be created in location 'East US'. Please select a new resource name.`,
      );
    },
  );

  it('can be sent back as it was read', async () => {
    const read = (await azure.get(SITE, WEB)).body;
    expect((await made(SITE, read)).body).toEqual(read);
  });

  it('has the host names that are bound to it, and keeps its first one', async () => {
    expect((await azure.put(`${SITE}/hostNameBindings/${HOST}`, WEB, { properties: {} })).status).toBe(200);
    const { hostNames, defaultHostName } = propertiesOf((await azure.get(SITE, WEB)).body);
    expect(hostNames).toEqual([defaultHostName, HOST]);
    expect(itemsOf(await azure.get(`${SITE}/hostNameBindings`, WEB))).toHaveLength(2);
    const kept = await azure.send('DELETE', `${SITE}/hostNameBindings/${textOf(defaultHostName)}`, { version: WEB });
    expect(kept.status).toBe(400);
    expect((await azure.send('DELETE', `${SITE}/hostNameBindings/${HOST}`, { version: WEB })).status).toBe(200);
  });

  it('serves a host name with a certificate that lies where it lies, and with no other', async () => {
    await azure.put(`${SITE}/hostNameBindings/${HOST}`, WEB, { properties: {} });
    const content = { pfxBlob: TEST_PFX, password: TEST_PFX_PASSWORD };
    const read = (await azure.get(SITE, WEB)).body;
    const states = [{ name: HOST, sslState: 'SniEnabled', thumbprint: TEST_PFX_THUMBPRINT, toUpdate: true }];
    const secured = { ...read, properties: { ...propertiesOf(read), hostNameSslStates: states } };
    await azure.put(CERTIFICATE, WEB, { location: 'eastus', properties: content });
    const elsewhere = await azure.put(SITE, WEB, secured);
    expect([elsewhere.status, elsewhere.body.Code]).toEqual([404, 'NotFound']);
    await azure.send('DELETE', CERTIFICATE, { version: WEB });
    const uploaded = await azure.put(CERTIFICATE, WEB, { ...place, properties: content });
    expect(propertiesOf(uploaded.body)).toMatchObject({ thumbprint: TEST_PFX_THUMBPRINT, hostNames: [HOST] });
    expect(uploaded.text).not.toContain(TEST_PFX_PASSWORD);
    await made(SITE, secured);
    expect(propertiesOf((await azure.get(`${SITE}/hostNameBindings/${HOST}`, WEB)).body)).toMatchObject({
      sslState: 'SniEnabled',
      thumbprint: TEST_PFX_THUMBPRINT,
    });
    expect((await azure.send('DELETE', CERTIFICATE, { version: WEB })).status).toBe(409);
  });

  it('takes no certificate whose password is wrong', async () => {
    const refused = await azure.put(CERTIFICATE, WEB, { ...place, properties: { pfxBlob: TEST_PFX, password: 'no' } });
    expect([refused.status, refused.body.Code]).toEqual([400, 'BadRequest']);
  });

  it('goes with all that is below it, and as the last one with its plan', async () => {
    expect((await azure.send('DELETE', SITE, { version: WEB })).status).toBe(200);
    expect((await azure.get(`${SITE}/config/web`, WEB)).status).toBe(404);
    expect((await azure.get(PLAN, WEB)).status).toBe(404);
  });
});

describe('an installation of the retired extension', () => {
  it('is refused where the settings say so', async () => {
    await azure.control('POST', '/settings', { retiredExtensionTypes: ['Microsoft.Web.Appservice'] });
    const refused = await azure.put(EXTENSION, '2025-03-01', {
      properties: { extensionType: 'Microsoft.Web.Appservice' },
    });
    expect([refused.status, codeOf(refused)]).toEqual([400, 'ExtensionTypeRetired']);
  });
});

describe('an installation that does not come to its end', () => {
  const poolDefinition: JsonObject = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'ipaddresspools.metallb.io' },
    spec: {
      group: 'metallb.io',
      scope: 'Namespaced',
      names: {
        plural: 'ipaddresspools',
        singular: 'ipaddresspool',
        kind: 'IPAddressPool',
        listKind: 'IPAddressPoolList',
      },
      versions: [
        {
          name: 'v1beta1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  };
  const pool = (addresses: string[]): JsonObject[] => [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'metallb-system' } },
    poolDefinition,
    {
      apiVersion: 'metallb.io/v1beta1',
      kind: 'IPAddressPool',
      metadata: { name: 'default', namespace: 'metallb-system' },
      spec: { addresses },
    },
  ];
  const leftover: JsonObject = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: 'apps.k8se.microsoft.com',
      labels: { 'app.kubernetes.io/managed-by': 'Helm' },
      annotations: { 'meta.helm.sh/release-name': 'old', 'meta.helm.sh/release-namespace': 'akshci-apps' },
    },
    spec: {
      ...(poolDefinition.spec as JsonObject),
      group: 'k8se.microsoft.com',
      names: { plural: 'apps', singular: 'app', kind: 'App', listKind: 'AppList' },
    },
  };
  const taken: JsonObject[] = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'front', namespace: 'shop' },
      spec: { type: 'LoadBalancer', loadBalancerIP: '192.168.0.102', ports: [{ port: 80 }] },
    },
  ];

  async function statusOf(objects: JsonObject[], settings: JsonObject = {}): Promise<string> {
    // Somebody looks at the cluster, which lives from then on.
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'seen' } };
    const path = '/kubernetes/my-workload-cluster/objects';
    expect((await azure.control('POST', path, { objects: [namespace, ...objects] })).status).toBe(200);
    await azure.put(EXTENSION, '2025-03-01', {
      properties: {
        extensionType: 'Microsoft.Web.Appservice',
        scope: { cluster: { releaseNamespace: 'akshci-apps' } },
        configurationSettings: { clusterName: 'akshci-env', loadBalancerIp: '192.168.0.102', ...settings },
      },
    });
    azure.finishOperations();
    const { statuses } = propertiesOf((await azure.get(EXTENSION, '2025-03-01')).body);
    return JSON.stringify(statuses);
  }

  it.each([
    {
      objects: pool(['192.168.0.110-192.168.0.120']),
      settings: {},
      says: 'timed out waiting for the condition',
      reason: 'no pool holds the address',
    },
    {
      objects: taken,
      settings: {},
      says: 'timed out waiting for the condition',
      reason: 'another service has asked for the address',
    },
    {
      objects: [],
      settings: { 'buildService.storageClassName': 'gone' },
      says: 'timed out waiting for the condition',
      reason: 'there is no such storage class',
    },
    {
      objects: [leftover],
      settings: {},
      says: 'invalid ownership metadata',
      reason: 'types of an earlier release are left',
    },
    {
      objects: pool(['192.168.0.100-192.168.0.120']),
      settings: { 'buildService.storageClassName': 'default' },
      says: 'InstallationSucceeded',
      reason: 'all is there',
    },
  ])('says "$says": $reason', async ({ objects, settings, says }) => {
    expect(await statusOf(objects, settings)).toContain(says);
  });

  it('leaves its types behind when it is deleted by force', async () => {
    await statusOf([]);
    await azure.send('DELETE', `${EXTENSION}?forceDelete=true`, { version: '2025-03-01' });
    const other = EXTENSION.replace('appservice-ext', 'other');
    await azure.put(other, '2025-03-01', {
      properties: { extensionType: 'Microsoft.Web.Appservice', scope: { cluster: { releaseNamespace: 'elsewhere' } } },
    });
    azure.finishOperations();
    expect(JSON.stringify((await azure.get(other, '2025-03-01')).body)).toContain('invalid ownership metadata');
  });

  it('takes its types along when it is deleted in order', async () => {
    await statusOf([]);
    await azure.send('DELETE', EXTENSION, { version: '2025-03-01' });
    azure.finishOperations();
    const other = EXTENSION.replace('appservice-ext', 'other');
    await azure.put(other, '2025-03-01', {
      properties: { extensionType: 'Microsoft.Web.Appservice', scope: { cluster: { releaseNamespace: 'elsewhere' } } },
    });
    azure.finishOperations();
    expect(propertiesOf((await azure.get(other, '2025-03-01')).body).provisioningState).toBe('Succeeded');
  });
});
