import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack, type Answer } from './stack.js';

const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups`;
const clusterId = (name: string): string =>
  `${GROUP}/demo_aks01/providers/Microsoft.ContainerService/managedClusters/${name}`;
const FLEET = `${GROUP}/demo_aks_fleetmng/providers/Microsoft.ContainerService/fleets/aks-fleet01`;
const MEMBERS = ['demo-aks01-demo-aks01', 'demo-aks02-demo-aks01'];

const KUARD = `
apiVersion: v1
kind: Namespace
metadata: { name: kuard-demo }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: kuard, namespace: kuard-demo }
spec:
  replicas: 2
  selector: { matchLabels: { app: kuard } }
  template:
    metadata: { labels: { app: kuard } }
    spec:
      containers:
        - name: kuard
          image: gcr.io/kuar-demo/kuard-amd64:blue
          ports: [{ containerPort: 8080 }]
---
apiVersion: v1
kind: Service
metadata: { name: kuard, namespace: kuard-demo }
spec:
  selector: { app: kuard }
  ports: [{ port: 8080, targetPort: 8080 }]
---
apiVersion: networking.fleet.azure.com/v1alpha1
kind: ServiceExport
metadata: { name: kuard, namespace: kuard-demo }
`;

/** The Fleet journey from the first step to the last, each step an operation or a query on the one endpoint. */
describe('scenario A, end to end', () => {
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.start();
  }, 120_000);

  afterAll(() => stack.stop(), 60_000);

  it('1: reports the feature as generally available, and registers the provider anew', async () => {
    const ended = await stack.does('azure.feature.register', {
      subscriptionId: SUBSCRIPTION,
      feature: 'Microsoft.ContainerService/FleetResourcePreview',
    });
    expect(ended.findings.map(({ code }: { code: string }) => code)).toContain('FEATURE_NOT_NEEDED');
    expect(ended.result).toMatchObject({ needed: false, provider: 'Registered' });
  });

  it('2, 3: has both clusters as members of the fleet', async () => {
    await stack.does('fleet.member.join', { fleet: FLEET, cluster: clusterId('demo-aks02') });
    const { fleets } = await stack.asks(`{ fleets(filter: { name: "aks-fleet01" }) { nodes { members { name } } } }`);
    expect(fleets.nodes[0].members.map(({ name }: { name: string }) => name).sort()).toEqual(MEMBERS);
  });

  it('4: is refused by the hub in the words of Azure until it gives itself the role', async () => {
    const refused = await stack.until('the hub to refuse', async () => {
      const { body } = await stack.api('/v1/member-clusters');
      return body.partial ? body : undefined;
    });
    expect(refused.items).toEqual([]);
    expect(refused.unavailable[0].problem).toMatchObject({
      code: 'KUBERNETES_FORBIDDEN',
      message: expect.stringContaining('User does not have access to the resource in Azure. Update role assignment'),
      remedy: expect.stringContaining('fleet.roleAssignment.create'),
    });
    await stack.does('fleet.roleAssignment.create', { fleet: FLEET });
  });

  it('5: sees through the hub that both members have joined, without kubelogin', async () => {
    const members = await stack.until('both members to have joined', async () => {
      const { body } = await stack.api('/v1/member-clusters?sort=name&maxAge=5');
      const joined = body.items.filter((item: Answer['body']) => item.properties.joined);
      return !body.partial && joined.length === 2 ? body.items : undefined;
    });
    expect(members.map(({ name }: { name: string }) => name)).toEqual(MEMBERS);
    for (const member of members) {
      expect(member).toMatchObject({ health: 'Healthy', properties: { region: 'eastus', nodeCount: 1 } });
    }
  });

  it('6: puts the workload onto the hub, where it is held by design and not degraded', async () => {
    await stack.does('kubernetes.manifest.apply', { cluster: FLEET, manifest: KUARD });
    const { workloads, serviceExports } = await stack.until('the hub to show them', async () => {
      const data = await stack.asks(`{
        workloads(filter: { name: "kuard" }) {
          nodes { name replicas readyReplicas heldOnHub health healthReason cluster { kind name } pods { name } }
        }
        serviceExports(filter: { name: "kuard" }) { nodes { heldOnHub valid health cluster { kind } } }
      }`);
      return data.workloads.nodes.length === 1 && data.serviceExports.nodes.length === 1 ? data : undefined;
    });
    expect(workloads.nodes).toEqual([
      {
        name: 'kuard',
        replicas: 2,
        readyReplicas: 0,
        heldOnHub: true,
        health: 'Healthy',
        healthReason: expect.stringMatching(/hub/i),
        cluster: { kind: 'Fleet', name: 'aks-fleet01' },
        pods: [],
      },
    ]);
    expect(serviceExports.nodes).toEqual([
      { heldOnHub: true, valid: null, health: 'Healthy', cluster: { kind: 'Fleet' } },
    ]);
  });

  it('7: places it on the members in eastus; both run two pods and export the service', async () => {
    await stack.does('fleet.placement.apply', {
      fleet: FLEET,
      name: 'kuard-demo',
      namespaces: ['kuard-demo'],
      policy: { placementType: 'PickAll', matchLabels: { 'fleet.azure.com/location': 'eastus' } },
    });
    const data = await stack.until('four pods and two exports', async () => {
      const seen = await stack.asks(`{
        clusterResourcePlacements(filter: { name: "kuard-demo" }) { nodes {
          health scheduledCount appliedCount availableCount
          memberStatuses { member scheduled { status } applied { status } available { status } failed { reason } }
          placedOn { name }
        } }
        workloads(filter: { name: "kuard" }) {
          nodes { heldOnHub readyReplicas cluster { kind name } pods { name phase podIp node { name } } }
        }
        serviceExports(filter: { name: "kuard" }) { nodes { heldOnHub valid conflict } }
      }`);
      const ready = seen.workloads.nodes.filter((node: Answer['body']) => node.readyReplicas === 2);
      const valid = seen.serviceExports.nodes.filter((node: Answer['body']) => node.valid === true);
      const [placement] = seen.clusterResourcePlacements.nodes;
      return ready.length === 2 && valid.length === 2 && placement?.availableCount === 2 ? seen : undefined;
    });
    const [placement] = data.clusterResourcePlacements.nodes;
    expect(placement).toMatchObject({ health: 'Healthy', scheduledCount: 2, appliedCount: 2, availableCount: 2 });
    expect(placement.placedOn.map(({ name }: { name: string }) => name).sort()).toEqual(MEMBERS);
    for (const member of placement.memberStatuses) {
      expect(member).toMatchObject({
        scheduled: { status: 'True' },
        applied: { status: 'True' },
        available: { status: 'True' },
        failed: [],
      });
    }
    const running = data.workloads.nodes.filter((node: Answer['body']) => !node.heldOnHub);
    expect(running.map((node: Answer['body']) => node.cluster.name).sort()).toEqual(['demo-aks01', 'demo-aks02']);
    for (const { pods } of running) {
      expect(pods).toHaveLength(2);
      for (const pod of pods) {
        expect(pod).toMatchObject({ phase: 'Running', node: { name: expect.stringMatching(/^aks-nodepool1-/) } });
      }
    }
  });

  it('8: serves it under one address, whose endpoints are the four pods of both clusters', async () => {
    const ended = await stack.does('fleet.multiClusterService.apply', {
      cluster: clusterId('demo-aks01'),
      namespace: 'kuard-demo',
      name: 'kuard',
    });
    expect(ended.result).toMatchObject({ addresses: [expect.stringMatching(/^\d+\.\d+\.\d+\.\d+$/)] });
    const service = await stack.until('the address', async () => {
      const data = await stack.asks(`{
        multiClusterServices(filter: { name: "kuard" }, first: 10) { nodes {
          valid health externalAddresses cluster { name } serviceImport { clusters }
          derivedService { namespace type externalIps derived health readyEndpointCount endpoints { address ready } }
          exports(first: 10) { heldOnHub cluster { name } service { workloads(first: 5) { pods(first: 20) { podIp } } } }
        } }
      }`);
      const [found] = data.multiClusterServices.nodes;
      return found?.externalAddresses.length === 1 && found.derivedService?.readyEndpointCount === 4
        ? found
        : undefined;
    });
    expect(service).toMatchObject({
      valid: true,
      health: 'Healthy',
      externalAddresses: ended.result.addresses,
      cluster: { name: 'demo-aks01' },
      derivedService: {
        namespace: 'fleet-system',
        type: 'LoadBalancer',
        externalIps: ended.result.addresses,
        derived: true,
        health: 'Healthy',
      },
    });
    expect(service.serviceImport.clusters.sort()).toEqual(MEMBERS);
    const addresses = service.derivedService.endpoints.map(({ address }: { address: string }) => address).sort();
    expect(addresses.filter((address: string) => address.startsWith('10.224.'))).toHaveLength(2);
    expect(addresses.filter((address: string) => address.startsWith('10.225.'))).toHaveLength(2);
    const pods = service.exports.flatMap((one: Answer['body']) =>
      one.service.workloads.flatMap((workload: Answer['body']) =>
        workload.pods.map(({ podIp }: { podIp: string }) => podIp),
      ),
    );
    expect(pods.sort()).toEqual(addresses);
  });

  it('9: answers who runs kuard, how many pods, and what exposes it, over all clusters in one query', async () => {
    const { workloads } = await stack.asks(`{
      workloads(filter: { name: "kuard" }, sort: "name") { nodes {
        heldOnHub replicas readyReplicas cluster { kind name } pods { name } services { name type }
      } }
    }`);
    const byCluster = Object.fromEntries(
      workloads.nodes.map((node: Answer['body']) => [
        node.cluster.name,
        [node.heldOnHub, node.pods.length, node.services.map(({ name }: { name: string }) => name).sort()],
      ]),
    );
    expect(byCluster).toEqual({
      'aks-fleet01': [true, 0, ['kuard']],
      'demo-aks01': [false, 2, ['kuard']],
      'demo-aks02': [false, 2, ['kuard']],
    });
  });

  it('does all of it again as one operation, each step of which says what it did', async () => {
    const ended = await stack.does('fleet.workload.deploy', {
      fleet: FLEET,
      namespace: 'kuard-again',
      manifest: KUARD.split('---').slice(1, 3).join('---').replaceAll('kuard-demo', 'kuard-again'),
      policy: { placementType: 'PickAll', matchLabels: { 'fleet.azure.com/location': 'eastus' } },
      exports: ['kuard'],
      multiClusterService: { cluster: 'demo-aks02-demo-aks01', service: 'kuard' },
    });
    expect(ended.steps.map((step: Answer['body']) => [step.name, step.status])).toEqual([
      ['preflight', 'Succeeded'],
      ['namespace', 'Succeeded'],
      ['manifests', 'Succeeded'],
      ['exports', 'Succeeded'],
      ['placement', 'Succeeded'],
      ['members', 'Succeeded'],
      ['multi-cluster-service', 'Succeeded'],
      ['address', 'Succeeded'],
      ['verify', 'Succeeded'],
    ]);
    const { workloads } = await stack.until('both members to be seen', async () => {
      const data = await stack.asks(
        `{ workloads(filter: { namespace: "kuard-again" }) { nodes { heldOnHub pods { phase } } } }`,
      );
      return data.workloads.nodes.length === 3 ? data : undefined;
    });
    const running = workloads.nodes.filter((node: Answer['body']) => !node.heldOnHub);
    expect(running.flatMap((node: Answer['body']) => node.pods)).toEqual(
      Array.from({ length: 4 }, () => ({ phase: 'Running' })),
    );
  });
});
