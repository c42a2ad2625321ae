import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { delay } from '#libs/kernel/clock.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { SCHEMAS_ARE_HERE, WHY_SKIPPED, schemaFaults } from '../arm-schema.validator.js';
import { SCENARIO_B } from '../simulator.options.js';
import { SUBSCRIPTION, SimulatedAzure, codeOf, itemsOf, propertiesOf, textOf } from '../simulated-azure.harness.js';

const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/akshci-eu`;
const CLUSTERS = `${GROUP}/providers/Microsoft.Kubernetes/connectedClusters`;
const CLUSTER = `${CLUSTERS}/my-workload-cluster`;
const EXTENSIONS = `${CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions`;
const EXTENSION = `${EXTENSIONS}/appservice-ext`;
const FLUX = `${CLUSTER}/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/apps`;
const LOCATION = `${GROUP}/providers/Microsoft.ExtendedLocation/customLocations/akshci-apps`;
const CLUSTER_VERSION = '2024-01-01';
const CONFIGURATION_VERSION = '2025-03-01';
const FLUX_VERSION = '2025-04-01';
const LOCATION_VERSION = '2021-08-15';
const PATH = '/kubernetes/my-workload-cluster';

const extension: JsonObject = {
  properties: {
    extensionType: 'Microsoft.Web.Appservice',
    scope: { cluster: { releaseNamespace: 'akshci-apps' } },
    configurationSettings: { appsNamespace: 'akshci-apps' },
    configurationProtectedSettings: { 'logProcessor.appLogs.logAnalyticsConfig.sharedKey': 'c2VjcmV0' },
  },
};
const location: JsonObject = {
  location: 'eastus',
  properties: { hostResourceId: CLUSTER, namespace: 'akshci-apps', clusterExtensionIds: [EXTENSION] },
};

let azure: SimulatedAzure;
beforeEach(async () => {
  azure = await SimulatedAzure.start({ estate: SCENARIO_B });
});
afterEach(async () => azure.stop());

async function install(): Promise<void> {
  await azure.put(EXTENSION, CONFIGURATION_VERSION, extension);
  azure.finishOperations();
}

async function agents(body: JsonObject): Promise<void> {
  const answer = await azure.control('POST', `${PATH}/arc-agents`, body);
  expect(answer.status).toBe(200);
}

async function principal(): Promise<string> {
  return textOf((await azure.control('GET', '/custom-locations-principal')).body.principalId);
}

/** The error with which a PUT of the custom location ends; undefined when it succeeds. */
async function outcomeOfLocation(): Promise<JsonObject | undefined> {
  const { headers } = await azure.put(LOCATION, LOCATION_VERSION, location);
  azure.finishOperations();
  const poll = await azure.follow(headers['azure-asyncoperation']);
  expect(poll.body.status).toBe(poll.body.error === undefined ? 'Succeeded' : 'Failed');
  return poll.body.error as JsonObject | undefined;
}

describe('a connected cluster', () => {
  it('is shown as the provider shows it: its type in lower case, an eTag in the headers, the agents’ facts', async () => {
    const answer = await azure.get(CLUSTER, CLUSTER_VERSION);
    expect(answer.body.type).toBe('microsoft.kubernetes/connectedclusters');
    expect(answer.headers).toMatchObject({ 'x-ms-providerhub-traffic': 'True', etag: expect.stringMatching(/^"/) });
    expect(propertiesOf(answer.body)).toMatchObject({ connectivityStatus: 'Connected', distribution: 'aks_workload' });
    expect(answer.text).not.toContain('simulation');
  });

  const body = {
    location: 'eastus',
    identity: { type: 'SystemAssigned' },
    properties: { agentPublicKeyCertificate: 'MIIB', distribution: 'k3s' },
  };

  it('is polled where ProviderHub says, under one URL in both headers', async () => {
    const created = await azure.put(`${CLUSTERS}/new`, CLUSTER_VERSION, body);
    expect(created.status).toBe(201);
    const url = created.headers['azure-asyncoperation'];
    expect(url).toMatch(/\/locations\/EASTUS\/operationStatuses\/[0-9a-f-]{36}\*[0-9A-F]{64}\?api-version=/);
    expect(created.headers.location).toBe(url);
    const running = await azure.follow(url);
    expect(running.status).toBe(200);
    expect(running.body).toMatchObject({ status: 'Provisioning', resourceId: `${CLUSTERS}/new` });
    azure.finishOperations();
    expect((await azure.follow(url)).body.status).toBe('Succeeded');
  });

  it('stays Connecting until its agents run, goes Offline without them, and comes back with them', async () => {
    await azure.put(`${CLUSTERS}/new`, CLUSTER_VERSION, body);
    azure.finishOperations();
    const status = async (): Promise<unknown> =>
      propertiesOf((await azure.get(`${CLUSTERS}/new`, CLUSTER_VERSION)).body).connectivityStatus;
    // Pods start by timers of the machine, which look at the clock of the spec.
    const becomes = async (wanted: string): Promise<void> => {
      for (let round = 0; (await status()) !== wanted && round < 500; round++) {
        azure.clock.advance(20);
        await delay(10);
      }
      expect(await status()).toBe(wanted);
    };
    expect(await status()).toBe('Connecting');
    const path = '/kubernetes/new/arc-agents';
    await azure.control('POST', path, { installed: true });
    expect(await status()).toBe('Connecting');
    await becomes('Connected');
    await azure.control('POST', path, { installed: false });
    await becomes('Offline');
    // Until the namespace of before has gone, the chart is refused.
    while ((await azure.control('POST', path, { installed: true })).status === 409) await delay(10);
    await becomes('Connected');
  });

  it('hears nothing of agents that do not reach Azure, and hears of them once they do', async () => {
    await azure.put(`${CLUSTERS}/new`, CLUSTER_VERSION, body);
    azure.finishOperations();
    const path = '/kubernetes/new';
    const control = async (reachesAzure: boolean): Promise<void> => {
      const values = { features: ['cluster-connect'], reachesAzure };
      expect((await azure.control('POST', `${path}/arc-agents`, values)).status).toBe(200);
    };
    await control(false);
    for (let round = 0; round < 50; round++) {
      azure.clock.advance(1000);
      await delay(2);
    }
    const status = async (): Promise<unknown> =>
      propertiesOf((await azure.get(`${CLUSTERS}/new`, CLUSTER_VERSION)).body).connectivityStatus;
    expect(await status()).toBe('Connecting');
    await control(true);
    for (let round = 0; (await status()) !== 'Connected' && round < 500; round++) {
      azure.clock.advance(100);
      await delay(5);
    }
    expect(await status()).toBe('Connected');
  });

  it('gets no agents by a kubeconfig whose namespace is not there', async () => {
    const answer = await azure.control('POST', `${PATH}/arc-agents`, { contextNamespace: 'arc' });
    expect([answer.status, answer.text]).toEqual([409, expect.stringContaining('namespaces \\"arc\\" not found')]);
  });

  it('is Offline while its network is down, and an expired certificate does not come back', async () => {
    await azure.control('POST', `${PATH}/availability`, { state: 'down' });
    const status = async (): Promise<unknown> =>
      propertiesOf((await azure.get(CLUSTER, CLUSTER_VERSION)).body).connectivityStatus;
    expect(await status()).toBe('Offline');
    const expired = { id: CLUSTER, operation: 'patch', body: { properties: { connectivityStatus: 'Expired' } } };
    await azure.control('POST', '/resources', expired);
    await azure.control('POST', `${PATH}/availability`, { state: 'up' });
    azure.clock.advance(2000);
    expect(await status()).toBe('Expired');
  });

  it('goes with the answer null', async () => {
    const gone = await azure.send('DELETE', CLUSTER, { version: CLUSTER_VERSION });
    expect([gone.status, gone.text]).toEqual([202, 'null']);
    azure.finishOperations();
    expect((await azure.get(CLUSTER, CLUSTER_VERSION)).status).toBe(404);
  });

  it('lists a credential that goes through the local proxy', async () => {
    const path = `${CLUSTER}/listClusterUserCredential`;
    const answer = await azure.send('POST', path, {
      version: CLUSTER_VERSION,
      body: { authenticationMethod: 'Token', clientProxy: true },
    });
    const [kubeconfig] = answer.body.kubeconfigs as { value: string }[];
    expect(Buffer.from(kubeconfig!.value, 'base64').toString()).toMatch(
      /https:\/\/127\.0\.0\.1:47011\/proxies\/[0-9a-f]{64}/,
    );
  });
});

describe('an extension', () => {
  it('names a child of itself for polls, and a host nobody can follow in Location', async () => {
    const created = await azure.put(EXTENSION, CONFIGURATION_VERSION, extension);
    expect(created.status).toBe(201);
    const url = textOf(created.headers['azure-asyncoperation']);
    expect(url).toMatch(/\/extensions\/appservice-ext\/operations\/[0-9a-f-]{36}\?api-Version=/);
    expect(created.headers.location).toMatch(/^https:\/\/eastus\.rp\.kubernetesconfiguration\.azure\.com/);
    expect((await azure.follow(url)).body.status).toBe('InProgress');
    azure.finishOperations();
    expect((await azure.follow(url)).body.status).toBe('Succeeded');
    const shown = propertiesOf((await azure.get(EXTENSION, CONFIGURATION_VERSION)).body);
    expect(shown).toMatchObject({
      extensionType: 'microsoft.web.appservice',
      provisioningState: 'Succeeded',
      currentVersion: '0.12.2',
      configurationProtectedSettings: { 'logProcessor.appLogs.logAnalyticsConfig.sharedKey': '' },
      statuses: [{ level: 'Information' }],
    });
    expect(itemsOf(await azure.get(EXTENSIONS, CONFIGURATION_VERSION))).toHaveLength(1);
  });

  it('keeps its secrets through a PATCH and loses them by a PUT without them', async () => {
    await install();
    await azure.send('PATCH', EXTENSION, {
      version: CONFIGURATION_VERSION,
      body: { properties: { configurationSettings: { added: 'yes' } } },
    });
    azure.finishOperations();
    const secrets = async (): Promise<unknown> =>
      propertiesOf((await azure.get(EXTENSION, CONFIGURATION_VERSION)).body).configurationProtectedSettings;
    expect(await secrets()).toEqual({ 'logProcessor.appLogs.logAnalyticsConfig.sharedKey': '' });
    await azure.put(EXTENSION, CONFIGURATION_VERSION, { properties: { extensionType: 'microsoft.web.appservice' } });
    azure.finishOperations();
    expect(await secrets()).toBeUndefined();
  });

  it('cannot be pinned while it upgrades itself', async () => {
    const pinned = { properties: { extensionType: 'microsoft.flux', version: '1.0.0' } };
    expect(codeOf(await azure.put(EXTENSION, CONFIGURATION_VERSION, pinned))).toBe('InvalidVersion');
  });

  it('cannot be installed where its type has been retired, and fails where nobody answers', async () => {
    await azure.control('POST', '/settings', { retiredExtensionTypes: ['Microsoft.Web.Appservice'] });
    const refused = await azure.put(EXTENSION, CONFIGURATION_VERSION, extension);
    expect([refused.status, codeOf(refused)]).toEqual([400, 'ExtensionTypeRetired']);
    await azure.control('POST', '/settings', { retiredExtensionTypes: [] });
    await azure.control('POST', `${PATH}/availability`, { state: 'down' });
    const { headers } = await azure.put(EXTENSION, CONFIGURATION_VERSION, extension);
    azure.finishOperations();
    const poll = await azure.follow(headers['azure-asyncoperation']);
    expect(poll.body.error).toMatchObject({
      code: 'ResourceOperationFailure',
      details: [{ code: 'ExtensionCreationFailed' }],
    });
  });

  it('fails while the pods wait for a storage class that is not there', async () => {
    await azure.control('POST', `${PATH}/arc-agents`, {});
    const outcome = async (storageClassName: string): Promise<string> => {
      const configurationSettings = { 'buildService.storageClassName': storageClassName };
      const properties = { ...propertiesOf(extension), configurationSettings };
      const { headers } = await azure.put(EXTENSION, CONFIGURATION_VERSION, { properties });
      azure.finishOperations();
      return JSON.stringify((await azure.follow(headers['azure-asyncoperation'])).body);
    };
    expect(await outcome('absent')).toContain('timed out waiting for the condition');
    expect(await outcome('default')).not.toContain('timed out');
  });

  it('leaves its release behind when it is deleted by force, and cannot take the name again', async () => {
    await azure.control('POST', `${PATH}/arc-agents`, {});
    await install();
    const gone = await azure.send('DELETE', `${EXTENSION}?forceDelete=true`, { version: CONFIGURATION_VERSION });
    expect(gone.status).toBe(200);
    expect(gone.body).toMatchObject({ isSuccessStatusCode: true });
    const again = await azure.put(EXTENSION, CONFIGURATION_VERSION, extension);
    azure.finishOperations();
    const poll = await azure.follow(again.headers['azure-asyncoperation']);
    expect(JSON.stringify(poll.body.error)).toContain('cannot re-use a name that is still in use');
  });
});

describe('the versions of an extension type', () => {
  const versions = (type: string): string =>
    `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.KubernetesConfiguration/locations/eastus/extensionTypes/${type}/versions`;

  it('are told for a region, each with the Kubernetes that it does not run on', async () => {
    const listed = itemsOf(await azure.get(versions('Microsoft.Flux'), '2024-11-01-preview'));
    expect(listed.map((item) => propertiesOf(item))).toMatchObject([
      {
        version: '1.17.3',
        unsupportedKubernetesVersions: { connectedCluster: [{ unsupportedVersions: ['1.24', '1.25', '1.26'] }] },
      },
      { version: '1.16.0' },
    ]);
  });

  it('are told of known types and at previews alone', async () => {
    expect((await azure.get(versions('Some.Other'), '2024-11-01-preview')).status).toBe(404);
    expect(codeOf(await azure.get(versions('Microsoft.Flux'), '2025-03-01'))).toBe('InvalidApiVersionParameter');
  });
});

describe('a Flux configuration', () => {
  it('becomes compliant and brings its extension along', async () => {
    const body = { properties: { sourceKind: 'GitRepository', gitRepository: { url: 'https://example.com/apps' } } };
    expect((await azure.put(FLUX, FLUX_VERSION, body)).status).toBe(201);
    azure.finishOperations();
    expect(propertiesOf((await azure.get(FLUX, FLUX_VERSION)).body)).toMatchObject({ complianceState: 'Compliant' });
    expect((await azure.get(`${EXTENSIONS}/flux`, CONFIGURATION_VERSION)).status).toBe(200);
  });
});

describe('a custom location', () => {
  beforeEach(install);

  it('finds nobody at the other end of the relay until cluster connect is on', async () => {
    expect((await outcomeOfLocation())?.message).toMatch(/404 There are no listeners connected for the endpoint/);
  });

  it('is refused in the cluster until the provider’s object id may make namespaces', async () => {
    await agents({ features: ['cluster-connect'] });
    const id = await principal();
    expect((await outcomeOfLocation())?.message).toBe(
      'The operation to Create a Namespace: "akshci-apps", failed with the following error: ' +
        `"namespaces is forbidden: User \\"${id}\\" cannot create resource \\"namespaces\\" in API group \\"\\" at the cluster scope"`,
    );
  });

  it('stands when both are there: its namespace, and the types that its extension offers', async () => {
    await agents({ features: ['cluster-connect', 'custom-locations'], customLocationsObjectId: await principal() });
    expect(await outcomeOfLocation()).toBeUndefined();
    const types = itemsOf(await azure.get(`${LOCATION}/enabledResourceTypes`, LOCATION_VERSION));
    expect(types).toHaveLength(1);
    expect(propertiesOf(types[0]!).typesMetadata).toEqual(
      expect.arrayContaining([expect.objectContaining({ resourceType: 'kubeEnvironments' })]),
    );
  });

  const refusals: { reason: string; code: string; change: JsonObject; top?: JsonObject }[] = [
    { reason: 'the host is unknown', code: 'InvalidHostResourceId', change: { hostResourceId: `${CLUSTER}x` } },
    {
      reason: 'the extension is unknown',
      code: 'InvalidClusterExtensionId',
      change: { clusterExtensionIds: [`${EXTENSION}x`] },
    },
    { reason: 'the region is another', code: 'InvalidLocation', change: {}, top: { location: 'westeurope' } },
  ];
  it.each(refusals)('is refused when $reason', async ({ code, change, top }) => {
    const body = { ...location, ...top, properties: { ...propertiesOf(location), ...change } };
    expect(codeOf(await azure.put(LOCATION, LOCATION_VERSION, body))).toBe(code);
  });

  it('has its namespace for itself', async () => {
    await agents({ features: ['cluster-connect', 'custom-locations'], customLocationsObjectId: await principal() });
    await outcomeOfLocation();
    expect(codeOf(await azure.put(`${LOCATION}-2`, LOCATION_VERSION, location))).toBe('NamespaceAlreadyInUse');
  });
});

const schemas = SCHEMAS_ARE_HERE ? describe : describe.skip;
schemas(SCHEMAS_ARE_HERE ? 'answers against the official ARM types' : WHY_SKIPPED, () => {
  beforeEach(async () => {
    await install();
    await agents({ features: ['cluster-connect', 'custom-locations'], customLocationsObjectId: await principal() });
  });

  const flux = { properties: { sourceKind: 'GitRepository', gitRepository: { url: 'https://example.com/apps' } } };
  const connected = {
    location: 'eastus',
    identity: { type: 'SystemAssigned' },
    properties: { agentPublicKeyCertificate: 'MIIB', distribution: 'k3s', infrastructure: 'generic' },
  };
  const writes: { type: string; version: string; path: string; body: JsonObject }[] = [
    { type: 'Microsoft.Kubernetes/connectedClusters', version: '2024-01-01', path: CLUSTER, body: connected },
    { type: 'Microsoft.Kubernetes/connectedClusters', version: '2026-05-01', path: `${CLUSTER}-2`, body: connected },
    { type: 'Microsoft.KubernetesConfiguration/extensions', version: '2025-03-01', path: EXTENSION, body: extension },
    {
      type: 'Microsoft.KubernetesConfiguration/extensions',
      version: '2023-05-01',
      path: `${EXTENSION}2`,
      // A cluster takes App Service once.
      body: { properties: { ...propertiesOf(extension), extensionType: 'Microsoft.Dapr' } },
    },
    { type: 'Microsoft.KubernetesConfiguration/fluxConfigurations', version: '2025-04-01', path: FLUX, body: flux },
    { type: 'Microsoft.ExtendedLocation/customLocations', version: '2021-08-15', path: LOCATION, body: location },
  ];
  it.each(writes)(
    'PUT of $type at $version, while it runs and when it is done',
    async ({ type, version, path, body }) => {
      expect(schemaFaults(type, version, 'request', body)).toEqual([]);
      const written = await azure.put(path, version, body);
      expect([200, 201]).toContain(written.status);
      expect(schemaFaults(type, version, 'response', written.body)).toEqual([]);
      azure.finishOperations();
      const shown = await azure.get(path, version);
      expect(propertiesOf(shown.body).provisioningState).toBe('Succeeded');
      expect(schemaFaults(type, version, 'response', shown.body)).toEqual([]);
    },
  );
});

describe('Resource Graph', () => {
  it('has each type in its own table', async () => {
    await install();
    await agents({ features: ['cluster-connect', 'custom-locations'], customLocationsObjectId: await principal() });
    await outcomeOfLocation();
    azure.clock.advance(10_000);
    const rows = async (query: string): Promise<unknown> =>
      ((await azure.query(`${query} | project type`)).body.data as JsonObject[]).map(({ type }) => type);
    expect(await rows("resources | where type =~ 'microsoft.kubernetes/connectedclusters'")).toHaveLength(1);
    expect(await rows("resources | where type =~ 'microsoft.extendedlocation/customlocations'")).toHaveLength(1);
    expect(await rows('kubernetesconfigurationresources')).toEqual(['microsoft.kubernetesconfiguration/extensions']);
    expect(await rows('extendedlocationresources')).toEqual([
      'microsoft.extendedlocation/customlocations/enabledresourcetypes',
    ]);
  });
});
