import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TEST_PFX, TEST_PFX_PASSWORD, TEST_PFX_THUMBPRINT } from '#libs/testing/app-service-samples.js';
import { Stack, type Answer } from './stack.js';

const ESTATE = path.resolve(import.meta.dirname, '../../apps/simulator/estates/scenario-b.estate.json');
const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/akshci-eu`;
const provider = (type: string, name: string): string => `${GROUP}/providers/${type}/${name}`;
const clusterId = (name: string): string => provider('Microsoft.Kubernetes/connectedClusters', name);
const extensionOf = (cluster: string): string =>
  `${clusterId(cluster)}/providers/Microsoft.KubernetesConfiguration/extensions/appservice-ext`;
const CLUSTER = clusterId('my-workload-cluster');
const LOCATION = provider('Microsoft.ExtendedLocation/customLocations', 'akshci-apps');
const ENVIRONMENT = provider('Microsoft.Web/kubeEnvironments', 'akshci-env');
const PLAN = provider('Microsoft.Web/serverfarms', 'akshci-plan');
const WEB_APP = provider('Microsoft.Web/sites', 'k8swebapp2');
const CERTIFICATE = provider('Microsoft.Web/certificates', 'webapps');
const LOG_KEY = Buffer.from('the key of the workspace').toString('base64');
const HOST = 'webapps.akshci.aimless.jp';
const ADDRESS = '192.168.0.102';
const WEB = '2025-03-01';

const enable = {
  cluster: CLUSTER,
  name: 'akshci-env',
  namespace: 'akshci-apps',
  extensionName: 'appservice-ext',
  staticIp: ADDRESS,
};

type Operation = Answer['body'];
interface Remedy {
  type: string;
  input: Record<string, unknown>;
}

/** App Service on a connected cluster, from nothing to a web app with its own host name, with what goes wrong on the way. */
describe('scenario B, the steps on App Service', () => {
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.start({ SIMULATOR_ESTATE: ESTATE, ENCRYPTION_KEYS: randomBytes(32).toString('base64') });
  }, 120_000);

  afterAll(() => stack.stop(), 60_000);

  /** The failed operation says what is behind it, and brings along what mends it. */
  async function mends(failed: Operation, code: string): Promise<Remedy> {
    expect(failed).toMatchObject({ status: 'Failed', error: { remedy: expect.any(String) } });
    const { diagnosis } = failed.error;
    expect(diagnosis).toMatchObject({ code, cause: expect.stringMatching(/\.$/) });
    expect(Object.keys(diagnosis.evidence).length).toBeGreaterThan(0);
    return diagnosis.operations[0];
  }

  async function agents(cluster: string, features: string[], granted: boolean): Promise<void> {
    const { body } = await stack.simulator('/custom-locations-principal');
    const answer = await stack.simulator(`/kubernetes/${cluster}/arc-agents`, {
      method: 'POST',
      body: { features, ...(granted ? { customLocationsObjectId: body.principalId } : {}) },
    });
    expect(answer.status).toBe(200);
  }

  async function attach(cluster: string): Promise<void> {
    const uid = await stack.until(`${cluster} in the cache`, async () => {
      const { body } = await stack.api(`/v1/resources?id=${clusterId(cluster)}`);
      return body.items[0]?.uid as string | undefined;
    });
    const { body: kubeconfig } = await stack.simulator(`/kubeconfig?cluster=${cluster}&user=admin`);
    const given = await stack.api(`/v1/clusters/${uid}/access`, { method: 'PUT', body: { kubeconfig } });
    expect(given.status).toBe(200);
  }

  /** A further cluster that Azure hears of, with agents that run. */
  async function connect(cluster: string): Promise<void> {
    const made = await stack.azure(`${clusterId(cluster)}?api-version=2024-01-01`, {
      method: 'PUT',
      body: {
        location: 'eastus',
        identity: { type: 'SystemAssigned' },
        // With the disks of such a cluster, which App Service keeps its artifacts on.
        properties: { agentPublicKeyCertificate: 'MIICCgKCAgEA', infrastructure: 'azure_stack_hci' },
      },
    });
    expect(made.status).toBeLessThan(300);
    await agents(cluster, ['cluster-connect', 'custom-locations'], true);
    await stack.until(`${cluster} to be connected`, async () => {
      const { body } = await stack.azure(`${clusterId(cluster)}?api-version=2024-01-01`);
      return body.properties.connectivityStatus === 'Connected' && body.properties.provisioningState === 'Succeeded';
    });
    await attach(cluster);
  }

  async function azureBody(id: string, version: string): Promise<Answer['body']> {
    return (await stack.azure(`${id}?api-version=${version}`)).body;
  }

  const stepOf = (operation: Operation, name: string): Operation =>
    operation.steps.find((step: { name: string }) => step.name === name);

  it('4: says that the agents give no sign of the extension, and what gets them going', async () => {
    const failure = {
      match: { resourceId: extensionOf('my-workload-cluster'), action: 'create' },
      error: {
        code: 'ExtensionCreationFailed',
        message:
          "error: Unable to get the status from the local CRD with the error : {Error : Retry for given duration didn't get any results with err {status not populated}}",
      },
    };
    expect((await stack.simulator('/operations/fail-next', { method: 'POST', body: failure })).status).toBe(201);
    const logs = {
      logAnalyticsCustomerId: '3c2f1a90-6b7d-4f58-9f0e-2d1c5a7b8e40',
      logAnalyticsSharedKey: LOG_KEY,
    };
    const failed = await stack.ended('appService.enable', { ...enable, ...logs });
    expect(await mends(failed, 'AGENTS_SILENT')).toMatchObject({ type: 'kubernetes.workload.restart' });
  });

  it('4: cannot reach into a cluster without cluster-connect, and says which operation mends it', async () => {
    const remedy = await mends(await stack.ended('appService.enable', enable), 'CLUSTER_CONNECT_OFF');
    expect(remedy).toEqual({ type: 'arc.feature.enable', input: { cluster: CLUSTER, features: ['cluster-connect'] } });
    await attach('my-workload-cluster');
    const accepted = await stack.startOperation(remedy.type, remedy.input);
    await stack.until('the command to run', async () => {
      const { body } = await stack.api(`/v1/operations/${accepted.body.id}`);
      return body.status === 'Waiting' ? body : undefined;
    });
    await agents('my-workload-cluster', ['cluster-connect'], false);
    expect(await stack.endOf(accepted.body.id)).toMatchObject({ status: 'Succeeded' });
  });

  it('4: has no rights in the cluster, and is given those that it needs', async () => {
    const remedy = await mends(await stack.ended('appService.enable', enable), 'PROVIDER_NOT_GRANTED');
    expect(remedy).toMatchObject({ type: 'arc.customLocation.grant', input: { role: 'least-privilege' } });
    await stack.does(remedy.type, remedy.input);
  });

  it('4: is enabled after that, with nothing made twice', async () => {
    const operation = await stack.does('appService.enable', enable);
    expect(operation.findings.map(({ code }: { code: string }) => code)).toEqual(['SERVICE_RETIRED']);
    expect(operation.result).toMatchObject({
      id: ENVIRONMENT,
      staticIp: ADDRESS,
      defaultDomain: expect.stringMatching(/^akshci-env-[0-9a-f]+\.eastus\.k4apps\.io$/),
    });
    expect(await stack.azureRequests('PUT', /extensions\/appservice-ext$/)).toHaveLength(1);
    expect(await stack.azureRequests('PUT', /kubeEnvironments\//)).toHaveLength(1);
    // The key of the logs, which nobody can read back, has outlived the attempts that did not bring it along.
    expect(await stack.azureRequests('PATCH', /extensions\/appservice-ext$/)).toHaveLength(1);
    const { properties } = await azureBody(extensionOf('my-workload-cluster'), '2025-03-01');
    expect(Object.keys(properties.configurationProtectedSettings)).toHaveLength(2);
    expect(stack.output).not.toContain(LOG_KEY);
    const services = await stack.until('the address of the front end', async () => {
      const { body } = await stack.api('/v1/services?namespace=akshci-apps&maxAge=5');
      return body.items.some((item: Answer['body']) => JSON.stringify(item.properties).includes(ADDRESS)) && body;
    });
    expect(services.items.map(({ name }: { name: string }) => name)).toEqual(['appservice-ext-k8se-envoy']);
    const { body: pods } = await stack.api('/v1/pods?namespace=akshci-apps&limit=100&maxAge=5');
    const names = pods.items.map(({ name }: { name: string }) => name).join(' ');
    for (const part of [
      'activator',
      'app-controller',
      'build-service',
      'envoy',
      'http-scaler',
      'img-cacher',
      'keda-operator',
      'log-processor',
    ]) {
      expect(names).toContain(`appservice-ext-k8se-${part}`);
    }
  });

  it('4: tells on every object that the service has ended, and what takes its place', async () => {
    const { kubeEnvironments } = await stack.asks(
      `{ kubeEnvironments { nodes { name defaultDomain lifecycle { state retiredOn successor } customLocation { name extensions { name } } cluster { name } } } }`,
    );
    expect(kubeEnvironments.nodes).toMatchObject([
      {
        name: 'akshci-env',
        lifecycle: { state: 'Retired', retiredOn: '2026-03-31', successor: 'Microsoft.App/connectedEnvironments' },
        customLocation: { name: 'akshci-apps', extensions: [{ name: 'appservice-ext' }] },
        cluster: { name: 'my-workload-cluster' },
      },
    ]);
  });

  it('5: runs a web app as a pod in the namespace of the custom location', async () => {
    await stack.does('appService.plan.create', { environment: ENVIRONMENT, name: 'akshci-plan' });
    const operation = await stack.does('appService.webApp.create', {
      plan: PLAN,
      name: 'k8swebapp2',
      runtime: 'NODE|12-lts',
    });
    expect(operation.findings.map(({ code }: { code: string }) => code)).toContain('RUNTIME_OUTDATED');
    expect(operation.result.defaultHostName).toMatch(/^k8swebapp2\.akshci-env-[0-9a-f]+\.eastus\.k4apps\.io$/);
    const webApp = await stack.until('the pod of the web app', async () => {
      const { webApps } = await stack.asks(`{
        webApps { nodes {
          name state runtime instances defaultHostName freshness { ageSeconds source }
          plan { name skuName environment { name customLocation { name } } }
          workload { name readyReplicas pods { name freshness { source } node { name freshness { source } } } }
          cluster { name freshness { source } fleetMember { name } }
        } }
      }`);
      return webApps.nodes[0]?.workload?.readyReplicas === 1 ? webApps.nodes[0] : undefined;
    });
    expect(webApp).toMatchObject({
      name: 'k8swebapp2',
      state: 'Running',
      runtime: 'NODE|12-lts',
      plan: { skuName: 'K1', environment: { name: 'akshci-env', customLocation: { name: 'akshci-apps' } } },
      workload: {
        pods: [
          {
            name: expect.stringMatching(/^k8swebapp2-[a-z0-9]+-[a-z0-9]+$/),
            freshness: { source: 'WATCH' },
            node: { name: expect.any(String), freshness: { source: 'WATCH' } },
          },
        ],
      },
      cluster: { name: 'my-workload-cluster', fleetMember: null },
    });
  });

  it('shows the whole way from the web app to the fleet that its cluster is a member of', async () => {
    const fleet = await stack.does('fleet.create', {
      subscriptionId: SUBSCRIPTION,
      resourceGroup: 'akshci-eu',
      name: 'edge-fleet',
      location: 'eastus',
      hub: false,
    });
    await stack.does('fleet.member.join', { fleet: fleet.result.fleet, cluster: CLUSTER, name: 'edge', group: 'edge' });
    const seen = { ageSeconds: expect.any(Number), source: expect.any(String) };
    const webApp = await stack.until('the web app as a part of the fleet', async () => {
      const { webApps } = await stack.asks(`{
        webApps { nodes {
          name freshness { ageSeconds source }
          pods {
            name freshness { ageSeconds source }
            node {
              name freshness { ageSeconds source }
              cluster { ...on ConnectedCluster {
                name freshness { ageSeconds source }
                fleetMember { name group freshness { ageSeconds source } fleet { name freshness { ageSeconds source } } }
              } }
            }
          }
        } }
      }`);
      const [first] = webApps.nodes[0].pods;
      return first?.node?.cluster?.fleetMember === null ? undefined : webApps.nodes[0];
    });
    expect(webApp).toMatchObject({
      name: 'k8swebapp2',
      freshness: seen,
      pods: [
        {
          freshness: { ...seen, source: 'WATCH' },
          node: {
            freshness: { ...seen, source: 'WATCH' },
            cluster: {
              name: 'my-workload-cluster',
              freshness: seen,
              fleetMember: {
                name: 'edge',
                group: 'edge',
                freshness: seen,
                fleet: { name: 'edge-fleet', freshness: seen },
              },
            },
          },
        },
      ],
    });
  });

  it('6: scales out to two pods, which know their web app', async () => {
    await stack.does('appService.webApp.scale', { webApp: WEB_APP, instances: 2 });
    const pods = await stack.until('both pods', async () => {
      const { webApps } = await stack.asks(`{ webApps { nodes { instances pods { name webApp { name } } } } }`);
      return webApps.nodes[0].pods.length === 2 && webApps.nodes[0];
    });
    expect(pods).toMatchObject({
      instances: 2,
      pods: [{ webApp: { name: 'k8swebapp2' } }, { webApp: { name: 'k8swebapp2' } }],
    });
  });

  it('6: refuses to bind a certificate to a host name that is not there, and brings along the operation that adds it', async () => {
    await stack.does('appService.certificate.upload', {
      plan: PLAN,
      name: 'webapps',
      pfx: TEST_PFX,
      password: TEST_PFX_PASSWORD,
    });
    const bind = { webApp: WEB_APP, hostName: HOST, certificate: CERTIFICATE };
    const failed = await stack.ended('appService.certificate.bind', bind);
    expect(failed.error).toMatchObject({ code: 'PREFLIGHT_FAILED', externalCode: 'HOST_NAME_NOT_BOUND' });
    const remedy = await mends(failed, 'HOST_NAME_NOT_BOUND');
    await stack.does(remedy.type, remedy.input);
  });

  it('6: binds it with the extended location, also after ARM has taken a request for one about another app', async () => {
    const site = await azureBody(WEB_APP, WEB);
    const { extendedLocation: _left, ...incomplete } = site;
    const refused = await stack.azure(`${WEB_APP}?api-version=${WEB}`, { method: 'PUT', body: incomplete });
    expect(refused.status).toBe(409);
    const said = `The resource 'k8swebapp2' already exists in extended location 'CustomLocation': '${LOCATION}' of location 'eastus'. A resource with the same name cannot be created in location 'East US'. Please select a new resource name.`;
    expect(refused.body.error).toEqual({ code: 'InvalidResourceLocation', message: said });

    await stack.simulator('/faults', {
      method: 'POST',
      body: {
        match: { method: 'PUT', path: '/sites/k8swebapp2$', kind: 'arm' },
        times: 1,
        fault: { type: 'error', status: 409, body: { error: { code: 'InvalidResourceLocation', message: said } } },
      },
    });
    const failed = await stack.ended('appService.certificate.bind', {
      webApp: WEB_APP,
      hostName: HOST,
      certificate: CERTIFICATE,
    });
    const remedy = await mends(failed, 'OTHER_EXTENDED_LOCATION');
    expect(failed.error.diagnosis.evidence.sent).toEqual({
      location: 'eastus',
      extendedLocation: { name: LOCATION, type: 'CustomLocation' },
    });
    const bound = await stack.does(remedy.type, remedy.input);
    expect(bound.result).toMatchObject({ hostName: HOST, thumbprint: TEST_PFX_THUMBPRINT, sslState: 'SniEnabled' });
    const { hostNameBindings } = await stack.asks(
      `{ hostNameBindings { nodes { name sslState thumbprint webApp { name } } } }`,
    );
    expect(hostNameBindings.nodes).toEqual(
      expect.arrayContaining([
        { name: HOST, sslState: 'SniEnabled', thumbprint: TEST_PFX_THUMBPRINT, webApp: { name: 'k8swebapp2' } },
      ]),
    );
  });

  it('6: starts anew and takes secret settings, which nobody sees again', async () => {
    await stack.does('appService.webApp.configure', {
      webApp: WEB_APP,
      settings: { MODE: 'production' },
      secretSettings: JSON.stringify({ API_KEY: 'correct-horse-battery' }),
    });
    const restarted = await stack.does('appService.webApp.restart', { webApp: WEB_APP });
    expect(stepOf(restarted, 'pods').status).toBe('Succeeded');
    const { body: cached } = await stack.api(`/v1/resources?id=${WEB_APP}`);
    const { body: operations } = await stack.api('/v1/operations?limit=100');
    for (const secret of ['correct-horse-battery', TEST_PFX.slice(0, 60), TEST_PFX_PASSWORD]) {
      expect(JSON.stringify([cached, operations])).not.toContain(secret);
      expect(stack.output).not.toContain(secret);
    }
  });

  it('tells what the web app would become on Container Apps, and what would be lost', async () => {
    const { result } = await stack.does('appService.webApp.planMigration', { webApp: WEB_APP });
    expect(result.containerApp).toMatchObject({
      location: 'eastus',
      extendedLocation: { name: LOCATION, type: 'CustomLocation' },
      properties: { configuration: { ingress: { targetPort: 8080 } }, template: { scale: { minReplicas: 2 } } },
    });
    expect(result.lost.map(({ code }: { code: string }) => code)).toEqual(
      expect.arrayContaining(['NO_ENVIRONMENT', 'BUILT_IN_RUNTIME', 'HOST_NAMES', 'CERTIFICATES', 'SETTING_VALUES']),
    );
  });

  it('brings the successor to the same custom location, by the operations that the refusal names', async () => {
    const wanted = { customLocation: LOCATION, name: 'apps-env' };
    const failed = await stack.ended('containerApps.environment.create', wanted);
    await mends(failed, 'EXTENSION_MISSING');
    for (const { type, input } of failed.error.diagnosis.operations as Remedy[]) await stack.does(type, input);
    await stack.simulator('/faults', {
      method: 'POST',
      body: {
        match: { method: 'PUT', path: '/connectedEnvironments/apps-env$', kind: 'arm' },
        times: 1,
        fault: {
          type: 'error',
          status: 400,
          body: {
            error: {
              code: 'MissingAzureKubernetesMapping',
              message: `The cluster extension '["${extensionOf('my-workload-cluster')}"]' does not support resource type 'Microsoft.App/connectedEnvironments'.`,
            },
          },
        },
      },
    });
    const unmapped = await stack.ended('containerApps.environment.create', wanted);
    const again = await mends(unmapped, 'TYPE_NOT_OFFERED');
    await stack.does(again.type, again.input);
    const { result } = await stack.does('containerApps.environment.create', wanted);
    await stack.does('containerApps.app.create', {
      environment: result.id,
      name: 'shop',
      image: 'mcr.microsoft.com/k8se/quickstart:latest',
      targetPort: 80,
    });
    await stack.does('containerApps.app.scale', {
      containerApp: provider('Microsoft.App/containerApps', 'shop'),
      minReplicas: 2,
      maxReplicas: 4,
    });
    const { containerApps } = await stack.asks(
      `{ containerApps { nodes { name minReplicas maxReplicas hostName environment { name customLocation { name } } } } }`,
    );
    expect(containerApps.nodes).toMatchObject([
      {
        name: 'shop',
        minReplicas: 2,
        maxReplicas: 4,
        environment: { name: 'apps-env', customLocation: { name: 'akshci-apps' } },
      },
    ]);
  });

  it('is enabled the same although the worker is killed after every step', async () => {
    await connect('second');
    const accepted = await stack.startOperation('appService.enable', {
      ...enable,
      cluster: clusterId('second'),
      name: 'second-env',
      namespace: 'second-apps',
      staticIp: '192.168.0.103',
    });
    const { id } = accepted.body;
    for (const step of ['feature', 'extension', 'custom-location', 'environment']) {
      await stack.until(`the step ${step}`, async () => {
        const { body } = await stack.api(`/v1/operations/${id}`);
        return stepOf(body, step).status === 'Succeeded';
      });
      await stack.kill('worker', 'SIGKILL');
      await stack.run('worker');
    }
    expect(await stack.endOf(id)).toMatchObject({ status: 'Succeeded', error: null });

    const [ours, first] = await Promise.all(
      ['second', 'my-workload-cluster'].map((cluster) => azureBody(extensionOf(cluster), '2025-03-01')),
    );
    // The first one sends its logs to a workspace.
    const { 'logProcessor.appLogs.destination': _destination, ...settings } = first.properties.configurationSettings;
    expect(Object.keys(ours.properties.configurationSettings)).toEqual(Object.keys(settings));
    const environment = await azureBody(provider('Microsoft.Web/kubeEnvironments', 'second-env'), WEB);
    expect(environment.properties).toMatchObject({ provisioningState: 'Succeeded', staticIp: '192.168.0.103' });
    for (const made of [
      /connectedClusters\/second\/.*\/extensions\//,
      /customLocations\/second-apps$/,
      /second-env$/,
    ]) {
      expect(await stack.azureRequests('PUT', made)).toHaveLength(1);
    }
  });

  it('says beforehand what stands in its way in a cluster, and is enabled once that is mended', async () => {
    await connect('fourth');
    const leftover = (plural: string, kind: string): Record<string, unknown> => ({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: {
        name: `${plural}.k8se.microsoft.com`,
        labels: { 'app.kubernetes.io/managed-by': 'Helm' },
        annotations: { 'meta.helm.sh/release-name': 'earlier', 'meta.helm.sh/release-namespace': 'fourth-apps' },
      },
      spec: {
        group: 'k8se.microsoft.com',
        scope: 'Namespaced',
        names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
        versions: [
          {
            name: 'v1alpha1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    });
    const objects = [leftover('apps', 'App'), leftover('approutes', 'AppRoute')];
    const left = await stack.simulator('/kubernetes/fourth/objects', { method: 'POST', body: { objects } });
    expect(left.status).toBe(200);
    const wanted = {
      ...enable,
      cluster: clusterId('fourth'),
      name: 'fourth-env',
      namespace: 'fourth-apps',
      staticIp: '192.168.0.105',
      artifactStorageClass: 'fast',
    };
    const failed = await stack.ended('appService.enable', wanted);
    expect(failed.error).toMatchObject({ code: 'PREFLIGHT_FAILED' });
    const errors = failed.findings.filter(({ severity }: { severity: string }) => severity === 'error');
    expect(errors.map(({ code }: { code: string }) => code)).toEqual([
      'STORAGE_CLASS_NOT_FOUND',
      'APP_SERVICE_LEFTOVERS',
    ]);
    for (const { operations } of errors) {
      for (const { type, input } of operations as Remedy[]) await stack.does(type, input);
    }
    await stack.does('appService.enable', wanted);
  });

  it('tells why the log processors end again and again where nobody has said which workspace is theirs', async () => {
    const settings = { 'logProcessor.appLogs.destination': 'log-analytics' };
    const changed = await stack.simulator('/resources', {
      method: 'POST',
      body: {
        id: extensionOf('second'),
        operation: 'patch',
        body: { properties: { configurationSettings: settings } },
      },
    });
    expect(changed.status).toBe(200);
    const advice = await stack.until('the advice about a log processor', async () => {
      const { body: pods } = await stack.api('/v1/pods?namespace=second-apps&limit=100&maxAge=2');
      for (const { uid } of pods.items.filter(({ name }: Answer['body']) => name.includes('-log-processor-'))) {
        const { body } = await stack.api(`/v1/pods/${uid}/advice`);
        const found = (body.items ?? []).find(({ code }: Answer['body']) => code === 'LOG_PROCESSOR_RESTARTS');
        if (found !== undefined) return found;
      }
      return undefined;
    });
    expect(advice.evidence).toMatchObject({ container: 'main', lastTermination: { exitCode: 1 } });
    // To take the extension out could not be undone: Azure installs it no more.
    expect(advice.remedies).toEqual([{ description: expect.stringContaining('2025-09-30'), operations: [] }]);
  });

  it('is not installed any more once Azure refuses it, and the successor is named', async () => {
    await stack.simulator('/settings', {
      method: 'POST',
      body: { retiredExtensionTypes: ['Microsoft.Web.Appservice'] },
    });
    await connect('third');
    const failed = await stack.ended('appService.enable', {
      ...enable,
      cluster: clusterId('third'),
      name: 'third-env',
      namespace: 'third-apps',
      staticIp: '192.168.0.104',
    });
    expect(failed.error).toMatchObject({
      remedy: expect.stringContaining('containerApps.environment.create'),
      diagnosis: { code: 'EXTENSION_RETIRED', evidence: { successor: 'Microsoft.App/connectedEnvironments' } },
    });
  });

  it('goes in order: host name, web app with its plan, environment', async () => {
    await stack.does('appService.hostName.remove', { webApp: WEB_APP, hostName: HOST });
    const used = await stack.ended('appService.environment.delete', { environment: ENVIRONMENT });
    expect(used.error).toMatchObject({ code: 'PREFLIGHT_FAILED', externalCode: 'ENVIRONMENT_HAS_PLANS' });
    await stack.does('appService.webApp.delete', { webApp: WEB_APP, deleteEmptyPlan: true });
    const { body } = await stack.api(`/v1/web-apps?maxAge=0`);
    expect(body.items).toEqual([]);
    const pods = await stack.until('no pod of the web app', async () => {
      const { body: page } = await stack.api('/v1/pods?namespace=akshci-apps&limit=100&maxAge=2');
      const names = page.items.map(({ name }: { name: string }) => name);
      return names.some((name: string) => name.startsWith('k8swebapp2-')) ? undefined : names;
    });
    expect(pods.length).toBeGreaterThan(0);
    await stack.does('appService.environment.delete', { environment: ENVIRONMENT });
    expect((await stack.azure(`${ENVIRONMENT}?api-version=${WEB}`)).status).toBe(404);
  });
});
