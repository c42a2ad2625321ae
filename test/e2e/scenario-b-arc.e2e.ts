import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack, type Answer } from './stack.js';

const ESTATE = path.resolve(import.meta.dirname, '../../apps/simulator/estates/scenario-b.estate.json');
const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/akshci-eu`;
const CLUSTERS = `${GROUP}/providers/Microsoft.Kubernetes/connectedClusters`;
const CLUSTER = `${CLUSTERS}/my-workload-cluster`;
const EXTENSION = `${CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/appservice-ext`;
const LOCATION = `${GROUP}/providers/Microsoft.ExtendedLocation/customLocations/akshci-apps`;
const ADDRESS = '192.168.0.102';

const createLocation = { cluster: CLUSTER, name: 'akshci-apps', namespace: 'akshci-apps', extension: EXTENSION };

/** A cluster outside of Azure, from its first sight to a custom location, with what goes wrong on the way. */
describe('scenario B, the steps on Azure Arc', () => {
  let stack: Stack;
  let uid: string;

  beforeAll(async () => {
    stack = await Stack.start({
      SIMULATOR_ESTATE: ESTATE,
      ENCRYPTION_KEYS: randomBytes(32).toString('base64'),
    });
    const { body } = await stack.api(`/v1/resources?id=${CLUSTER}`);
    uid = body.items[0].uid;
  }, 120_000);

  afterAll(() => stack.stop(), 60_000);

  /** The operation shows what somebody has to run elsewhere. */
  async function commandOf(operationId: string, step: string): Promise<string> {
    return stack.until(`the command of ${step}`, async () => {
      const { body } = await stack.api(`/v1/operations/${operationId}`);
      const waiting = body.steps.find((each: { name: string }) => each.name === step);
      return waiting.status === 'Waiting' ? (waiting.message as string) : undefined;
    });
  }

  async function agents(cluster: string, features: string[], customLocationsObjectId?: string): Promise<void> {
    const body = { features, customLocationsObjectId };
    const answer = await stack.simulator(`/kubernetes/${cluster}/arc-agents`, { method: 'POST', body });
    expect(answer.status).toBe(200);
  }

  async function attach(): Promise<void> {
    const { body: kubeconfig } = await stack.simulator('/kubeconfig?cluster=my-workload-cluster&user=admin');
    const given = await stack.api(`/v1/clusters/${uid}/access`, { method: 'PUT', body: { kubeconfig } });
    expect(given.status).toBe(200);
  }

  const codes = (operation: Answer['body']): string[] => operation.findings.map(({ code }: { code: string }) => code);

  it('1: shows the connected cluster, and how it is doing', async () => {
    const { connectedClusters } = await stack.asks(`{
      connectedClusters { nodes {
        name location health connectivityStatus distribution infrastructure agentVersion kubernetesVersion nodeCount
        lastConnectivityTime certificateExpiresAt features extensions { name } customLocations { name }
      } }
    }`);
    expect(connectedClusters.nodes).toMatchObject([
      {
        name: 'my-workload-cluster',
        location: 'eastus',
        health: 'Healthy',
        connectivityStatus: 'Connected',
        distribution: 'aks_workload',
        infrastructure: 'azure_stack_hci',
        extensions: [],
        customLocations: [],
      },
    ]);
  });

  it('1: tells a change of connectivity as a change', async () => {
    const { body: before } = await stack.api('/v1/changes?kind=ConnectedCluster&limit=500');
    const availability = '/kubernetes/my-workload-cluster/availability';
    await stack.simulator(availability, { method: 'POST', body: { state: 'down' } });
    const offline = await stack.until('the cluster to be offline', async () => {
      const { body } = await stack.api(`/v1/resources/${uid}?maxAge=0`);
      return body.properties.connectivityStatus === 'Offline' ? body : undefined;
    });
    expect(offline.health).toBe('Degraded');
    await stack.simulator(availability, { method: 'POST', body: { state: 'up' } });
    await stack.until('the cluster to be back', async () => {
      const { body } = await stack.api(`/v1/resources/${uid}?maxAge=0`);
      return body.properties.connectivityStatus === 'Connected';
    });
    const { body: after } = await stack.api(`/v1/changes?kind=ConnectedCluster&after=${before.nextCursor}`);
    expect(after.items.length).toBeGreaterThanOrEqual(2);
  });

  it('2: tells beforehand what it would send, without the secrets', async () => {
    const input = {
      cluster: CLUSTER,
      name: 'appservice-ext',
      extensionType: 'Microsoft.Web.Appservice',
      protectedSettings: JSON.stringify({ key: 'bmV2ZXItc2hvd24=' }),
    };
    const accepted = await stack.api('/v1/operations', {
      method: 'POST',
      body: { type: 'arc.extension.install', input, dryRun: true },
    });
    const rehearsed = await stack.endOf(accepted.body.id);
    expect(rehearsed).toMatchObject({ status: 'Succeeded', dryRun: true });
    expect(JSON.stringify(rehearsed.result)).toContain('appservice-ext');
    expect(JSON.stringify(rehearsed)).not.toContain('bmV2ZXItc2hvd24=');
    expect(await stack.azureRequests('PUT', /extensions/)).toEqual([]);
  });

  it('2: installs the extension, and says that its type has been retired', async () => {
    const operation = await stack.does('arc.extension.install', {
      cluster: CLUSTER,
      name: 'appservice-ext',
      extensionType: 'Microsoft.Web.Appservice',
      releaseNamespace: 'akshci-apps',
      settings: { appsNamespace: 'akshci-apps', 'envoy.loadBalancerIp': ADDRESS },
      protectedSettings: JSON.stringify({ 'logProcessor.appLogs.logAnalyticsConfig.sharedKey': 'c2hhcmVkLWtleQ==' }),
    });
    expect(codes(operation)).toContain('EXTENSION_TYPE_RETIRED');
    expect(operation.findings[0].evidence.successor).toMatch(/Microsoft\.App\.Environment/);
    expect(operation.result).toMatchObject({ currentVersion: expect.any(String), releaseNamespace: 'akshci-apps' });
    expect(operation.input.protectedSettings).toBe('[redacted]');
    expect(stack.output).not.toContain('c2hhcmVkLWtleQ==');
    const { clusterExtensions } = await stack.asks(
      `{ clusterExtensions { nodes { name extensionType releaseNamespace health protectedSettings cluster { name } } } }`,
    );
    expect(clusterExtensions.nodes).toMatchObject([
      { name: 'appservice-ext', health: 'Healthy', cluster: { name: 'my-workload-cluster' } },
    ]);
  });

  it('3, first mishap: nobody listens in the cluster; the operation that mends it comes ready with the error', async () => {
    const failed = await stack.ended('arc.customLocation.create', createLocation);
    expect(failed).toMatchObject({ status: 'Failed', error: { code: 'AZURE_OPERATION_FAILED' } });
    const { diagnosis } = failed.error;
    expect(diagnosis).toMatchObject({ code: 'CLUSTER_CONNECT_OFF', evidence: { cluster: CLUSTER } });
    expect(diagnosis.evidence.said).toContain('There are no listeners connected for the endpoint');
    expect(diagnosis.operations).toEqual([
      { type: 'arc.feature.enable', input: { cluster: CLUSTER, features: ['cluster-connect'] } },
    ]);

    const [remedy] = diagnosis.operations;
    const blind = await stack.ended(remedy.type, remedy.input);
    expect(blind.error).toMatchObject({ code: 'PREFLIGHT_FAILED', externalCode: 'CLUSTER_ACCESS_MISSING' });
    await attach();
    const accepted = await stack.startOperation(remedy.type, remedy.input);
    const command = await commandOf(accepted.body.id, 'switch-on');
    expect(command).toContain(
      `az connectedk8s enable-features --subscription ${SUBSCRIPTION} --resource-group 'akshci-eu' --name my-workload-cluster --features cluster-connect`,
    );
    await agents('my-workload-cluster', ['cluster-connect']);
    expect(await stack.endOf(accepted.body.id)).toMatchObject({
      status: 'Succeeded',
      result: { features: { 'cluster-connect': true, 'custom-locations': false } },
    });
  });

  it('3: says whose object id the chart has bound where that is not the provider', async () => {
    const wrong = '44444444-0000-4000-8000-000000000004';
    await agents('my-workload-cluster', ['cluster-connect', 'custom-locations'], wrong);
    const { principalId } = (await stack.simulator('/custom-locations-principal')).body;
    const failed = await stack.ended('arc.customLocation.create', {
      ...createLocation,
      customLocationsObjectId: principalId,
    });
    expect(codes(failed)).toContain('WRONG_OBJECT_BOUND');
    expect(failed.error.diagnosis).toMatchObject({
      code: 'WRONG_OBJECT_BOUND',
      evidence: { objectId: principalId, boundObjectIds: [wrong] },
      operations: [{ type: 'arc.customLocation.grant', input: { cluster: CLUSTER, objectId: principalId } }],
    });
    const bindings = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding' };
    await stack.does('kubernetes.object.delete', {
      cluster: CLUSTER,
      ...bindings,
      name: 'AzureArc-Microsoft.ExtendedLocation-RP-RoleBinding',
    });
  });

  it('3, second mishap: the provider has no rights; it is given the least, and the same request succeeds', async () => {
    const failed = await stack.ended('arc.customLocation.create', createLocation);
    expect(codes(failed)).toContain('PROVIDER_NOT_GRANTED');
    const { principalId } = (await stack.simulator('/custom-locations-principal')).body;
    expect(failed.error.diagnosis).toMatchObject({
      code: 'PROVIDER_NOT_GRANTED',
      evidence: { objectId: principalId },
      operations: [
        {
          type: 'arc.customLocation.grant',
          input: { cluster: CLUSTER, objectId: principalId, role: 'least-privilege' },
        },
      ],
    });
    const [remedy] = failed.error.diagnosis.operations;
    const granted = await stack.does(remedy.type, remedy.input);
    expect(codes(granted)).not.toContain('WIDE_ROLE');

    const created = await stack.does('arc.customLocation.create', createLocation);
    expect(created.result).toMatchObject({
      namespace: 'akshci-apps',
      enabledResourceTypes: expect.arrayContaining(['Microsoft.Web/kubeEnvironments', 'Microsoft.Web/sites']),
    });
  });

  it('3: shows the custom location with what it stands on, and what is in the cluster', async () => {
    const { customLocations } = await stack.asks(`{
      customLocations { nodes { name hostNamespace health cluster { name connectivityStatus } extensions { name extensionType } } }
    }`);
    expect(customLocations.nodes).toEqual([
      {
        name: 'akshci-apps',
        hostNamespace: 'akshci-apps',
        health: 'Healthy',
        cluster: { name: 'my-workload-cluster', connectivityStatus: 'Connected' },
        extensions: [{ name: 'appservice-ext', extensionType: 'microsoft.web.appservice' }],
      },
    ]);
    const pods = await stack.until('the agents in the cache', async () => {
      const { body } = await stack.api(`/v1/pods?cluster=${uid}&namespace=azure-arc&limit=100`);
      return body.items.length > 0 ? body.items : undefined;
    });
    expect(pods.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^clusterconnect-agent-/)]),
    );
    const { nodes } = await stack.asks(
      `{ nodes(filter: { cluster: "${uid}" }) { nodes { name cluster { kind name } } } }`,
    );
    expect(nodes.nodes).toContainEqual(
      expect.objectContaining({ cluster: { kind: 'ConnectedCluster', name: 'my-workload-cluster' } }),
    );
  });

  it('refuses to take away what something stands on, and names the way', async () => {
    const refused = await stack.ended('arc.extension.remove', { extension: EXTENSION });
    expect(refused.error).toMatchObject({
      code: 'PREFLIGHT_FAILED',
      externalCode: 'CUSTOM_LOCATIONS_DEPEND',
      diagnosis: { operations: [{ type: 'arc.customLocation.delete', input: { customLocation: LOCATION } }] },
    });
  });

  it('connects a new cluster: shows the command, and goes on when the agents report', async () => {
    const input = { subscriptionId: SUBSCRIPTION, resourceGroup: 'akshci-eu', name: 'edge', location: 'eastus' };
    const accepted = await stack.startOperation('arc.cluster.connect', { ...input, distribution: 'k3s' });
    const command = await commandOf(accepted.body.id, 'agents');
    expect(command).toContain('az connectedk8s connect');
    expect(command).toContain('--name edge --location eastus --distribution k3s');
    const { body } = await stack.api(`/v1/resources?id=${CLUSTERS}/edge&maxAge=0`);
    expect(body.items[0]).toMatchObject({ health: 'Progressing' });
    const { body: kubeconfig } = await stack.simulator('/kubeconfig?cluster=edge&user=admin');
    const attached = await stack.api('/v1/clusters', { method: 'POST', body: { name: 'edge', kubeconfig } });
    const advice = async (): Promise<string[]> => {
      const answer = await stack.api(`/v1/attached-clusters/${attached.body.uid}/advice`);
      expect(answer.status).toBe(200);
      return answer.body.items.map(({ code }: { code: string }) => code);
    };
    expect(await advice()).toEqual(['CLUSTER_NOT_IN_AZURE']);
    await agents('edge', []);
    expect(await advice()).toEqual([]);
    expect(await stack.endOf(accepted.body.id)).toMatchObject({
      status: 'Succeeded',
      result: { connectivityStatus: 'Connected' },
    });
    await stack.does('arc.cluster.disconnect', { cluster: `${CLUSTERS}/edge` });
  });

  it('lets whoever asked give up waiting for the agents', async () => {
    const input = { subscriptionId: SUBSCRIPTION, resourceGroup: 'akshci-eu', name: 'never', location: 'eastus' };
    const accepted = await stack.startOperation('arc.cluster.connect', input);
    await commandOf(accepted.body.id, 'agents');
    await stack.api(`/v1/operations/${accepted.body.id}/cancel`, { method: 'POST' });
    expect(await stack.endOf(accepted.body.id)).toMatchObject({ status: 'Canceled' });
  });

  it('lets the kubeconfig of the chart name a namespace that is not there only with a word about it', async () => {
    const { body } = await stack.simulator('/kubeconfig?cluster=my-workload-cluster&user=admin');
    const kubeconfig = body.replace('- context:\n', '- context:\n    namespace: arc\n');
    const attached = await stack.api('/v1/clusters', { method: 'POST', body: { name: 'hci', kubeconfig } });
    const input = {
      subscriptionId: SUBSCRIPTION,
      resourceGroup: 'akshci-eu',
      name: 'hci',
      location: 'eastus',
      attachedCluster: attached.body.uid,
    };
    const failed = await stack.ended('arc.cluster.connect', input);
    const finding = failed.findings.find(({ code }: { code: string }) => code === 'CONTEXT_NAMESPACE_MISSING');
    expect(finding.evidence.message).toBe('namespaces "arc" not found');
    const [remedy] = finding.operations;
    await stack.does(remedy.type, remedy.input);
    const again = await stack.ended('arc.cluster.connect', input);
    // It is the cluster that is connected already: that is what is left to be said.
    expect(again.error.externalCode).toBe('AGENTS_OF_OTHER_CLUSTER');
  });

  it('takes everything away again, in order', async () => {
    await stack.does('arc.customLocation.delete', { customLocation: LOCATION });
    await stack.does('arc.extension.remove', { extension: EXTENSION });
    await stack.does('arc.cluster.disconnect', { cluster: CLUSTER });
    await stack.until('nothing of it in the cache', async () => {
      const { body } = await stack.api(
        '/v1/resources?kind=ConnectedCluster,ClusterExtension,CustomLocation&name=my-workload-cluster',
      );
      return body.items.length === 0;
    });
  });
});
