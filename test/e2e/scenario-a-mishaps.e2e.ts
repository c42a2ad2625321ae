import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack, type Answer } from './stack.js';

const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups`;
const clusterId = (name: string): string =>
  `${GROUP}/demo_aks01/providers/Microsoft.ContainerService/managedClusters/${name}`;
const FLEET = `${GROUP}/demo_aks_fleetmng/providers/Microsoft.ContainerService/fleets/aks-fleet01`;
const HUBLESS = FLEET.replace('aks-fleet01', 'hubless');
const EASTUS = { placementType: 'PickAll', matchLabels: { 'fleet.azure.com/location': 'eastus' } };

const deployment = (name: string, replicas: string | number = 1): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec: { containers: [{ name: ${name}, image: 'example.com/${name}:1' }] }
`;
const service = (name: string, more = ''): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ port: 80 }]${more} }
`;
const documents = (...texts: string[]): string => texts.join('---');

/** Of the old shape: the terms stand directly below the affinity. */
const placement = (apiVersion: string): string => `
apiVersion: ${apiVersion}
kind: ClusterResourcePlacement
metadata: { name: old }
spec:
  resourceSelectors: [{ group: '', version: v1, kind: Namespace, name: shop }]
  policy:
    affinity:
      clusterAffinity:
        clusterSelectorTerms:
          - labelSelector: { matchLabels: { fleet.azure.com/location: eastus } }
`;

interface Mishap {
  code: string;
  type: string;
  input: Record<string, unknown>;
  reason: string;
  /** What the remedy has to name. */
  remedy?: RegExp;
}

/** What people ran into with Fleet, each recognised before anything is changed. */
describe('the mishaps of scenario A', () => {
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.start();
    await prepare();
  }, 180_000);

  afterAll(() => stack.stop(), 60_000);

  /** A cluster of Azure, made past Pilothouse. */
  async function makeCluster(name: string, networkProfile: Record<string, unknown>, subnet: string): Promise<void> {
    const id = clusterId(name);
    const pool = { name: 'nodepool1', count: 1, vmSize: 'Standard_DS2_v2', mode: 'System', vnetSubnetID: subnet };
    const body = {
      location: 'eastus',
      identity: { type: 'SystemAssigned' },
      properties: { dnsPrefix: name, networkProfile, agentPoolProfiles: [pool] },
    };
    const made = await stack.azure(`${id}?api-version=2026-04-01`, { method: 'PUT', body });
    expect(made.status).toBeLessThan(300);
    await stack.until(`the cluster ${name}`, async () => {
      const { body: seen } = await stack.azure(`${id}?api-version=2026-04-01`);
      return seen.properties?.provisioningState === 'Succeeded';
    });
    await stack.until(`${name} in Pilothouse`, async () => {
      const { body: page } = await stack.api(`/v1/managed-clusters?name=${name}&maxAge=1`);
      return page.items.length === 1;
    });
  }

  async function prepare(): Promise<void> {
    const { body: like } = await stack.azure(`${clusterId('demo-aks01')}?api-version=2026-04-01`);
    const subnet: string = like.properties.agentPoolProfiles[0].vnetSubnetID;
    const island = `${GROUP}/demo_aks01/providers/Microsoft.Network/virtualNetworks/island`;
    const network = await stack.azure(`${island}?api-version=2025-05-01`, {
      method: 'PUT',
      body: {
        location: 'eastus',
        properties: {
          addressSpace: { addressPrefixes: ['10.64.0.0/12'] },
          subnets: [{ name: 'pods', properties: { addressPrefix: '10.64.0.0/16' } }],
        },
      },
    });
    expect(network.status).toBeLessThan(300);
    await stack.does('fleet.roleAssignment.create', { fleet: FLEET });
    await makeCluster('overlay', { networkPlugin: 'azure', networkPluginMode: 'overlay' }, subnet);
    await makeCluster('island', { networkPlugin: 'azure' }, `${island}/subnets/pods`);
    await stack.does('fleet.create', {
      subscriptionId: SUBSCRIPTION,
      resourceGroup: 'demo_aks_fleetmng',
      name: 'hubless',
      location: 'eastus',
      hub: false,
    });
    await stack.does('fleet.member.join', { fleet: FLEET, cluster: clusterId('demo-aks02') });
    await stack.does('fleet.member.join', { fleet: FLEET, cluster: clusterId('island'), name: 'island' });
    await stack.does('fleet.member.join', { fleet: FLEET, cluster: clusterId('overlay'), name: 'overlay' });
    await stack.does('fleet.workload.deploy', {
      fleet: FLEET,
      namespace: 'shop',
      manifest: documents(deployment('shop'), service('shop'), service('headless', ', clusterIP: None')),
      policy: {
        placementType: 'PickFixed',
        members: ['demo-aks01-demo-aks01', 'demo-aks02-demo-aks01', 'island', 'overlay'],
      },
      exports: ['shop'],
    });
    await stack.does('kubernetes.manifest.apply', {
      cluster: clusterId('demo-aks01'),
      namespace: 'shop',
      manifest: `
apiVersion: networking.fleet.azure.com/v1alpha1
kind: MultiClusterService
metadata: { name: front }
spec: { serviceImport: { name: shop } }
`,
    });
    await makeCluster('loner', { networkPlugin: 'azure' }, subnet);
  }

  const onFleet = (input: Record<string, unknown>): Record<string, unknown> => ({ fleet: FLEET, ...input });
  const asPlacement = (input: Record<string, unknown>): Record<string, unknown> =>
    onFleet({ name: 'other', namespaces: ['shop'], policy: EASTUS, ...input });

  const mishaps: Mishap[] = [
    {
      code: 'FEATURE_UNKNOWN',
      type: 'azure.feature.register',
      input: { subscriptionId: SUBSCRIPTION, feature: 'Microsoft.ContainerService/NeverWasPreview' },
      reason: 'a preview that does not exist is not waited for (P-S21)',
    },
    {
      code: 'MEMBER_NAME_TAKEN',
      type: 'fleet.member.join',
      input: onFleet({ cluster: clusterId('demo-aks02'), name: 'island' }),
      reason: 'a PUT under the name of another member would replace its cluster (P-S28)',
    },
    {
      code: 'CLUSTER_ALREADY_MEMBER',
      type: 'fleet.member.join',
      input: { fleet: HUBLESS, cluster: clusterId('demo-aks01') },
      reason: 'a cluster is in one fleet only (P-F01)',
    },
    {
      code: 'OUTDATED_FLEET_API',
      type: 'kubernetes.manifest.apply',
      input: { cluster: FLEET, manifest: placement('fleet.azure.com/v1alpha1') },
      reason: 'the API of 2022 is not served any more (P-S27)',
      remedy: /placement\.kubernetes-fleet\.io\/v1/,
    },
    {
      code: 'OUTDATED_PLACEMENT_SHAPE',
      type: 'kubernetes.manifest.apply',
      input: { cluster: FLEET, manifest: placement('placement.kubernetes-fleet.io/v1') },
      reason: 'a hub would drop the selector with a warning and place on every member (P-S27)',
      remedy: /requiredDuringSchedulingIgnoredDuringExecution/,
    },
    {
      code: 'POD_ON_HUB',
      type: 'kubernetes.manifest.apply',
      input: {
        cluster: FLEET,
        namespace: 'shop',
        manifest: `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"p","image":"p"}]}}`,
      },
      reason: 'a hub runs no pods (P-S25)',
    },
    {
      code: 'DOCUMENT_REFUSED',
      type: 'kubernetes.manifest.apply',
      input: {
        cluster: clusterId('demo-aks01'),
        namespace: 'shop',
        manifest: deployment('typo').replace('replicas', 'replica'),
      },
      reason: 'an unknown field is an error',
    },
    {
      code: 'HUB_UNREACHABLE',
      type: 'fleet.placement.apply',
      input: asPlacement({}),
      reason: 'the API server of the hub does not answer (P-S24)',
    },
    {
      code: 'NO_MEMBER_MATCHES',
      type: 'fleet.placement.apply',
      input: asPlacement({
        policy: { placementType: 'PickAll', matchLabels: { 'fleet.azure.com/location': 'westus' } },
      }),
      reason: 'no member bears the label (P-F20)',
    },
    {
      code: 'TOO_FEW_MEMBERS',
      type: 'fleet.placement.apply',
      input: asPlacement({ policy: { placementType: 'PickN', numberOfClusters: 9 } }),
      reason: 'more members are wanted than there are (P-F20)',
    },
    {
      code: 'MEMBER_UNKNOWN',
      type: 'fleet.placement.apply',
      input: asPlacement({ policy: { placementType: 'PickFixed', members: ['demo-aks01'] } }),
      reason: 'the name of the cluster is not the name of the member (P-F21)',
    },
    {
      code: 'NAMESPACE_RESERVED',
      type: 'fleet.placement.apply',
      input: asPlacement({ namespaces: ['fleet-system'] }),
      reason: 'namespaces of Fleet are never placed (P-F22)',
    },
    {
      code: 'NAMESPACE_NOT_FOUND',
      type: 'fleet.placement.apply',
      input: asPlacement({ namespaces: ['nowhere'] }),
      reason: 'the hub has no such namespace (P-F22)',
    },
    {
      code: 'RESOURCE_TYPE_UNKNOWN',
      type: 'fleet.placement.apply',
      input: asPlacement({ resourceSelectors: [{ group: 'example.com', version: 'v1', kind: 'Thing', name: 't' }] }),
      reason: 'the hub does not serve the kind (P-F22)',
    },
    {
      code: 'PLACEMENT_TYPE_IMMUTABLE',
      type: 'fleet.placement.apply',
      input: asPlacement({ name: 'shop' }),
      reason: 'a hub refuses to change the type of a placement',
    },
    {
      code: 'FLEET_HUBLESS',
      type: 'fleet.workload.deploy',
      input: { fleet: HUBLESS, namespace: 'shop', manifest: deployment('shop') },
      reason: 'without a hub nothing can be placed (P-F17)',
    },
    {
      code: 'DOCUMENT_OUTSIDE_NAMESPACE',
      type: 'fleet.workload.deploy',
      input: onFleet({
        namespace: 'shop',
        manifest: deployment('stray').replace('{ name: stray }', '{ name: stray, namespace: elsewhere }'),
      }),
      reason: 'a placement of the namespace would not bring it along',
    },
    {
      code: 'SERVICE_NOT_FOUND',
      type: 'fleet.service.export',
      input: { cluster: clusterId('demo-aks01'), namespace: 'shop', service: 'typo' },
      reason: 'the service and its export are of one name (P-F29)',
    },
    {
      code: 'SERVICE_HEADLESS',
      type: 'fleet.service.export',
      input: { cluster: clusterId('demo-aks01'), namespace: 'shop', service: 'headless' },
      reason: 'a headless service is not eligible (P-F29)',
    },
    {
      code: 'POD_NETWORK_NOT_ROUTABLE',
      type: 'fleet.multiClusterService.apply',
      input: { cluster: clusterId('demo-aks02'), namespace: 'shop', name: 'shop' },
      reason: 'an overlay network is not routed between clusters (P-S26)',
    },
    {
      code: 'NETWORKS_NOT_PEERED',
      type: 'fleet.multiClusterService.apply',
      input: { cluster: clusterId('demo-aks02'), namespace: 'shop', name: 'shop' },
      reason: 'pods of networks that are not peered do not reach each other (P-S26)',
    },
    {
      code: 'CLUSTER_NOT_MEMBER',
      type: 'fleet.multiClusterService.apply',
      input: { cluster: clusterId('loner'), namespace: 'shop', name: 'shop' },
      reason: 'only members of a fleet have multi-cluster services (P-S26)',
    },
    {
      code: 'NAMESPACE_NOT_FOUND',
      type: 'fleet.multiClusterService.apply',
      input: { cluster: clusterId('demo-aks02'), namespace: 'nowhere', name: 'shop' },
      reason: 'the namespace has to be on the member (P-S26)',
    },
    {
      code: 'SERVICE_NOT_EXPORTED',
      type: 'fleet.multiClusterService.apply',
      input: { cluster: clusterId('demo-aks02'), namespace: 'shop', name: 'headless' },
      reason: 'nobody exports it (P-F32)',
    },
    {
      code: 'IMPORTED_ALREADY',
      type: 'fleet.multiClusterService.apply',
      input: { cluster: clusterId('demo-aks01'), namespace: 'shop', name: 'second', serviceImport: 'shop' },
      reason: 'one export is served by one multi-cluster service only (P-F32)',
    },
    {
      code: 'DOCUMENT_REFUSED',
      type: 'kubernetes.manifest.apply',
      input: {
        cluster: FLEET,
        manifest: `
apiVersion: cluster.kubernetes-fleet.io/v1
kind: MemberCluster
metadata: { name: island, labels: { env: prod } }
`,
      },
      reason: 'labels of members are changed through Azure, not on the hub (P-F26)',
      remedy: /fleet\.member\.join/,
    },
    {
      code: 'DERIVED_NAME_TOO_LONG',
      type: 'fleet.multiClusterService.apply',
      input: { cluster: clusterId('demo-aks02'), namespace: 'shop', name: 's'.repeat(60), serviceImport: 'shop' },
      reason: 'the derived service bears both names (P-F31)',
    },
  ];

  it.each(mishaps)('$type: $code: $reason', async ({ code, type, input, remedy }) => {
    if (code === 'HUB_UNREACHABLE') {
      await stack.simulator('/kubernetes/aks-fleet01/availability', { method: 'POST', body: { state: 'down' } });
    }
    const operation = await stack.ended(type, input);
    await stack.simulator('/kubernetes/aks-fleet01/availability', { method: 'POST', body: { state: 'up' } });
    expect(operation).toMatchObject({ status: 'Failed', error: { code: 'PREFLIGHT_FAILED' } });
    const found = operation.findings.filter((finding: Answer['body']) => finding.code === code);
    expect(found).not.toEqual([]);
    expect(found.map((finding: Answer['body']) => finding.severity)).toContain('error');
    if (remedy !== undefined) expect(JSON.stringify(found)).toMatch(remedy);
  });

  it('names the member and the object that Fleet could not apply (P-F24)', async () => {
    const taken = (app: string): string => deployment('taken').replaceAll('app: taken', `app: ${app}`);
    await stack.does('kubernetes.manifest.apply', {
      cluster: clusterId('demo-aks01'),
      manifest: documents(
        'apiVersion: v1\nkind: Namespace\nmetadata: { name: clash }\n',
        taken('by-hand').replace('{ name: taken }', '{ name: taken, namespace: clash }'),
      ),
    });
    const operation = await stack.ended('fleet.workload.deploy', {
      fleet: FLEET,
      namespace: 'clash',
      manifest: taken('by-fleet'),
      policy: { placementType: 'PickFixed', members: ['demo-aks01-demo-aks01'] },
      waitSeconds: 5,
    });
    expect(operation).toMatchObject({ status: 'Failed', error: { code: 'VERIFICATION_FAILED' } });
    expect(operation.steps.find((step: Answer['body']) => step.name === 'members')).toMatchObject({ status: 'Failed' });
    expect(operation.error.message).toContain('demo-aks01-demo-aks01');
    const { body } = await stack.api('/v1/cluster-resource-placements?name=clash&maxAge=5');
    expect(body.items[0]).toMatchObject({
      health: 'Degraded',
      properties: { memberStatuses: [{ failed: [expect.objectContaining({ kind: 'Deployment', name: 'taken' })] }] },
    });
  });

  it('says which members contradict each other about a service (P-F30)', async () => {
    for (const [index, cluster] of ['demo-aks01', 'demo-aks02'].entries()) {
      const manifest = service('odd').replace('port: 80', `port: ${80 + index}`);
      await stack.does('kubernetes.manifest.apply', { cluster: clusterId(cluster), namespace: 'shop', manifest });
    }
    const odd = { namespace: 'shop', service: 'odd' };
    await stack.does('fleet.service.export', { cluster: clusterId('demo-aks01'), ...odd });
    const operation = await stack.ended('fleet.service.export', { cluster: clusterId('demo-aks02'), ...odd });
    expect(operation).toMatchObject({ status: 'Failed', error: { code: 'VERIFICATION_FAILED' } });
    const seen = await stack.until('the contradiction', async () => {
      const { body } = await stack.api('/v1/service-exports?name=odd&maxAge=5');
      const conflicting = body.items.filter((item: Answer['body']) => item.properties.conflict === true);
      return conflicting.length > 0 ? conflicting : undefined;
    });
    expect(seen[0]).toMatchObject({
      health: 'Degraded',
      properties: { conflictReason: expect.stringMatching(/port/i) },
    });
  });
});
