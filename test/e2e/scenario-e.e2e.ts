import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack, type Answer } from './stack.js';

const ESTATE = path.resolve(import.meta.dirname, '../../apps/simulator/estates/scenario-e.estate.json');
const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/netcoresample/providers`;
const clusterId = (name: string): string => `${GROUP}/Microsoft.ContainerService/managedClusters/${name}`;
const CLUSTER = clusterId('netcoresampleaks');
const NETWORK = `${GROUP}/Microsoft.Network/virtualNetworks/netcoresampleaksvnet`;
const SUBNET = `${NETWORK}/subnets/aksvirtualsubnet`;
const NODE = 'virtual-node-aci-linux';
const DELETION = 'azure.containerGroup.delete';
const REGISTRY = 'core3.azurecr.io';

/** @param spec of the pods, beside their container */
const webApp = (name: string, image: string, spec = ''): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: default }
spec:
  replicas: 1
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      ${spec}
      containers: [{ name: web, image: '${image}', resources: { requests: { cpu: 500m, memory: 1G } } }]
`;
const ON_VIRTUAL_NODE = `nodeSelector: { type: virtual-kubelet }
      tolerations: [{ key: virtual-kubelet.io/provider, operator: Exists }]`;

/** The virtual nodes add-on from its subnet to three pods on it and back, with what goes wrong on the way. */
describe('scenario E', () => {
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.start({ SIMULATOR_ESTATE: ESTATE, ENCRYPTION_KEYS: randomBytes(32).toString('base64') });
  }, 120_000);

  afterAll(() => stack.stop(), 60_000);

  const codes = ({ findings }: Answer['body'], severity: string): string[] =>
    findings.filter((finding: Answer['body']) => finding.severity === severity).map(({ code }: Answer['body']) => code);

  /** A workload by its name, once the cache has it. */
  async function workload(name: string): Promise<Answer['body']> {
    return stack.until(`the workload ${name}`, async () => {
      const { body } = await stack.api(`/v1/workloads?q=${name}&namespace=default`);
      return body.items.find((item: Answer['body']) => item.name === name);
    });
  }

  async function groupsOf(name: string): Promise<Answer['body'][]> {
    const { body } = await stack.api(`/v1/container-groups?q=default-${name}&limit=50&maxAge=1`);
    return body.items;
  }

  async function runningGroups(name: string, count: number): Promise<Answer['body'][]> {
    return stack.until(`${count} container groups of ${name}`, async () => {
      const groups = await groupsOf(name);
      const isRunning = groups.every(
        ({ properties }) => properties.state === 'Running' && properties.podState === 'Present',
      );
      return groups.length === count && isRunning ? groups : undefined;
    });
  }

  it('refuses a cluster whose network cannot carry virtual nodes, and an early start without addresses', async () => {
    const overlay = await stack.ended('virtualNodes.enable', { cluster: clusterId('overlayaks'), subnetName: 's' });
    expect(overlay).toMatchObject({ status: 'Failed', error: { code: 'PREFLIGHT_FAILED' } });
    expect(codes(overlay, 'error')).toEqual(['NETWORK_OVERLAY_UNSUPPORTED', 'NETWORK_NOT_OWN']);
    const bare = await stack.ended('virtualNodes.enable', { cluster: CLUSTER, subnetName: 'aksvirtualsubnet' });
    expect(codes(bare, 'error')).toEqual(['SUBNET_PREFIX_NEEDED']);
    const principal = await stack.ended('virtualNodes.enable', {
      cluster: clusterId('principalaks'),
      subnetName: 'aksvirtualsubnet',
      subnetPrefix: '10.0.2.0/24',
    });
    expect(codes(principal, 'error')).toEqual(['IDENTITY_UNKNOWN']);
  });

  it('1: makes the subnet, the add-on, the role and the node', async () => {
    const operation = await stack.does('virtualNodes.enable', {
      cluster: CLUSTER,
      subnetName: 'aksvirtualsubnet',
      subnetPrefix: '10.0.2.0/24',
    });
    expect(codes(operation, 'info')).toContain('IDENTITY_LACKS_ROLE');
    expect(operation.result).toMatchObject({ subnet: expect.stringMatching(/aksvirtualsubnet$/) });
    const node = await stack.until('the virtual node', async () => {
      const { managedClusters } = await stack.asks(`{
        managedClusters(filter: { name: "netcoresampleaks" }) {
          nodes { virtualNodes { name health nature ready taints { key effect } exposesPods
            subnet { name addressPrefixes delegations freeAddresses } } }
        }
      }`);
      const [found] = managedClusters.nodes[0]?.virtualNodes ?? [];
      return found?.ready === true && found.subnet?.delegations.length > 0 ? found : undefined;
    });
    expect(node).toEqual({
      name: NODE,
      health: 'Healthy',
      nature: 'aci-connector-addon',
      ready: true,
      taints: [{ key: 'virtual-kubelet.io/provider', effect: 'NoSchedule' }],
      exposesPods: false,
      subnet: {
        name: 'aksvirtualsubnet',
        addressPrefixes: ['10.0.2.0/24'],
        delegations: ['Microsoft.ContainerInstance/containerGroups'],
        freeAddresses: 251,
      },
    });
    const { items } = (await stack.api('/v1/role-assignments?limit=50&maxAge=1')).body;
    expect(items.map(({ properties }: Answer['body']) => properties)).toContainEqual(
      expect.objectContaining({
        roleName: 'NetworkContributor',
        scope: expect.stringMatching(/aksvirtualsubnet$/),
        principalId: operation.result.principalId,
      }),
    );
    const again = await stack.does('virtualNodes.enable', { cluster: CLUSTER, subnetName: 'aksvirtualsubnet' });
    expect(codes(again, 'info')).toEqual(['ADDON_ENABLED']);
  });

  it('2: scales the node pool to 1 and takes a taint off its node', async () => {
    await stack.does('aks.nodePool.scale', { nodePool: `${CLUSTER}/agentPools/nodepool1`, count: 1 });
    const node = await stack.until('the one node', async () => {
      const { body } = await stack.api(`/v1/nodes?cluster=${encodeURIComponent(CLUSTER)}&limit=50`);
      const machines = body.items.filter((item: Answer['body']) => item.properties.virtual.nature === 'none');
      const [first, second] = machines;
      return second === undefined ? first : undefined;
    });
    await stack.does('kubernetes.node.taint', { node: node.uid, key: 'kind', effect: 'NoSchedule' });
    for (const name of ['parked', 'parked-too']) {
      await stack.does('kubernetes.manifest.apply', {
        cluster: CLUSTER,
        manifest: webApp(name, 'example.com/parked:1'),
      });
    }
    // The one is let onto the node as it is, the other when the taint that somebody left is gone.
    const tolerated = await adviceOn('parked', 'TAINT_NOT_TOLERATED');
    expect(tolerated.evidence.missingTolerations).toEqual([{ key: 'kind', operator: 'Exists', effect: 'NoSchedule' }]);
    await mend(tolerated);
    await readyPod('parked');
    await mend(await adviceOn('parked-too', 'TAINT_NOT_TOLERATED'), 1);
    await readyPod('parked-too');
  });

  /** A pod of an app that runs. */
  async function readyPod(app: string): Promise<Answer['body']> {
    return stack.until(`a pod of ${app} that runs`, async () => {
      const { body } = await stack.api(`/v1/pods?tag.app=${app}&namespace=default&limit=50`);
      return body.items.find((item: Answer['body']) => item.properties.ready);
    });
  }

  it('3: runs a workload with a pull secret there, and three pods of it', async () => {
    await stack.does('kubernetes.registrySecret.create', {
      cluster: CLUSTER,
      namespace: 'default',
      name: 'regcred',
      server: REGISTRY,
      username: 'puller',
      password: 'hidden-from-everybody',
    });
    const manifest = webApp(
      'core3webapp',
      `${REGISTRY}/core3webapp:1`,
      `imagePullSecrets: [{ name: regcred }]\n      ${ON_VIRTUAL_NODE}`,
    );
    await stack.does('kubernetes.manifest.apply', { cluster: CLUSTER, manifest });
    await runningGroups('core3webapp', 1);
    await stack.does('virtualNodes.workload.burst', { workload: (await workload('core3webapp')).uid, replicas: 3 });
    const groups = await runningGroups('core3webapp', 3);
    for (const { properties, clusterUid } of groups) {
      expect(properties).toMatchObject({
        exposure: 'Private',
        orphan: false,
        cpuCores: 0.5,
        memoryGb: 1,
        nodeName: NODE,
      });
      expect(clusterUid).not.toBeNull();
    }
    const { workloads } = await stack.until('the workload to be seen on the virtual node', async () => {
      const data = await stack.asks(`{
        workloads(filter: { name: "core3webapp" }) {
          nodes { virtualNodes { name podCount } pods { name containerGroup { name ipAddress virtualNode { name } subnet { name } } } }
        }
      }`);
      const [found] = data.workloads.nodes;
      return found?.virtualNodes.some(({ podCount }: Answer['body']) => podCount === 3) ? data : undefined;
    });
    const [seen] = workloads.nodes;
    expect(seen.virtualNodes).toEqual([{ name: NODE, podCount: 3 }]);
    expect(seen.pods).toHaveLength(3);
    for (const pod of seen.pods) {
      expect(pod.containerGroup).toEqual({
        name: `default-${pod.name}`,
        ipAddress: expect.stringMatching(/^10\.0\.2\.\d+$/),
        virtualNode: { name: NODE },
        subnet: { name: 'aksvirtualsubnet' },
      });
    }
  });

  it('4: says what the provider cannot run before it changes anything', async () => {
    const manifest = webApp('fragile', `${REGISTRY}/fragile:1`).replace(
      'containers: [{ name: web',
      'initContainers: [{ name: init, image: busybox, resources: { requests: { cpu: 10m } } }]\n      containers: [{ args: [x], name: web, ports: [{ containerPort: 80, hostPort: 8080 }]',
    );
    await stack.does('kubernetes.manifest.apply', { cluster: CLUSTER, manifest });
    const refused = await stack.ended('virtualNodes.workload.burst', { workload: (await workload('fragile')).uid });
    expect(codes(refused, 'error').sort()).toEqual([
      'ARGUMENTS_WITHOUT_COMMAND',
      'HOST_PORTS_UNSUPPORTED',
      'INIT_CONTAINERS_UNSUPPORTED',
    ]);
    const missing = refused.findings.find(({ code }: Answer['body']) => code === 'PULL_SECRET_MISSING');
    expect(missing.operations).toEqual([
      {
        type: 'kubernetes.workload.patch',
        input: expect.objectContaining({ patch: expect.stringContaining('regcred') }),
      },
    ]);
    expect((await workload('fragile')).properties.nodeSelector).toEqual({});
  });

  it('counts what the region has left before it changes anything', async () => {
    await stack.does('kubernetes.manifest.apply', {
      cluster: CLUSTER,
      manifest: webApp('greedy', 'example.com/greedy:1'),
    });
    const input = { workload: (await workload('greedy')).uid, replicas: 2 };
    const settings = (body: Record<string, number>) => stack.simulator('/settings', { method: 'POST', body });
    await settings({ containerGroupLimit: 4, containerCoreLimit: 2 });
    const refused = await stack.ended('virtualNodes.workload.burst', input);
    await settings({ containerGroupLimit: 1000, containerCoreLimit: 1_000_000 });
    expect(codes(refused, 'error').sort()).toEqual(['CORE_QUOTA_SHORT', 'GROUP_QUOTA_SHORT']);
    const cores = refused.findings.find(({ code }: Answer['body']) => code === 'CORE_QUOTA_SHORT');
    expect(cores.evidence).toMatchObject({ region: 'eastus', used: 1.5, limit: 2, needed: 1 });
    const many = await stack.ended('virtualNodes.workload.burst', { ...input, replicas: 300 });
    expect(codes(many, 'error')).toEqual(['ADDRESSES_SHORT']);
  });

  it('fails with the words of Azure where it refuses a container group', async () => {
    const message =
      "Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota 'ContainerGroups' exceeded in region 'eastus'. Limit: '3', Usage: '3' Requested: '1'.";
    const fault = { type: 'error', status: 400, code: 'ContainerGroupQuotaReached', message };
    const match = { method: 'PUT', path: 'containerGroups/default-greedy' };
    await stack.simulator('/faults', { method: 'POST', body: { match, times: 1, fault } });
    const failed = await stack.ended('virtualNodes.workload.burst', { workload: (await workload('greedy')).uid });
    expect(failed).toMatchObject({
      status: 'Failed',
      error: {
        code: 'VERIFICATION_FAILED',
        externalCode: 'ContainerGroupQuotaReached',
        diagnosis: { code: 'PROVIDER_QUOTA_EXCEEDED', evidence: { quota: 'ContainerGroups', limit: 3, used: 3 } },
      },
    });
    const advice = await adviceOn('greedy', 'PROVIDER_QUOTA_EXCEEDED');
    expect(advice.evidence).toMatchObject({ azureCode: 'ContainerGroupQuotaReached', region: 'eastus', requested: 1 });
    await mend(advice, 1);
    await runningGroups('greedy', 1);
  });

  /** What one of the pods of an app is told, once it is. */
  async function adviceOn(app: string, code: string): Promise<Answer['body']> {
    return stack.until(`the advice ${code} on ${app}`, async () => {
      const { body } = await stack.api(`/v1/pods?tag.app=${app}&namespace=default&limit=50`);
      for (const { uid } of body.items) {
        const { items = [] } = (await stack.api(`/v1/pods/${uid}/advice`)).body;
        const found = items.find((advice: Answer['body']) => advice.code === code);
        if (found !== undefined) return found;
      }
      return undefined;
    });
  }

  /** Sends the operations of a remedy as they stand. */
  async function mend(advice: Answer['body'], remedy = 0): Promise<void> {
    const { operations } = advice.remedies[remedy];
    expect(operations.length).toBeGreaterThan(0);
    for (const { type, input } of operations) await stack.does(type, input);
  }

  const refusedBy = (code: string, status: number, message: string) => ({
    match: { method: 'PUT', path: 'containerGroups/default-refused' },
    times: 1,
    fault: { type: 'error', status, code, message },
  });
  const PRINCIPAL = '45ddc48f-bbc5-4b29-9dca-5d0ce944f836';

  it.each([
    {
      code: 'PROVIDER_TIMEOUT',
      fault: refusedBy(
        'ServerTimeout',
        503,
        "The request timed out. Diagnostic information: timestamp '20210209T210703Z', tracking id 'a'.",
      ),
    },
    {
      code: 'PROVIDER_RIGHTS_MISSING',
      fault: refusedBy(
        'LinkedAuthorizationFailed',
        403,
        `The client '${PRINCIPAL}' with object id '${PRINCIPAL}' has permission to perform action 'Microsoft.ContainerInstance/containerGroups/write' on scope '${GROUP}/Microsoft.ContainerInstance/containerGroups/default-refused'; however, it does not have permission to perform action(s) 'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked scope(s) '${SUBNET}' (respectively) or the linked scope(s) are invalid.`,
      ),
    },
  ])('mends what Azure refuses by what is offered: $code', async ({ code, fault }) => {
    const name = `refused-${code.toLowerCase().replaceAll('_', '-')}`;
    await stack.simulator('/faults', { method: 'POST', body: fault });
    const manifest = webApp(name, 'example.com/refused:1', ON_VIRTUAL_NODE);
    await stack.does('kubernetes.manifest.apply', { cluster: CLUSTER, manifest });
    await mend(await adviceOn(name, code));
    await runningGroups(name, 1);
    await stack.does('kubernetes.workload.scale', { workload: (await workload(name)).uid, replicas: 0 });
  });

  it('raises requests to their limits where Azure refuses the limits', async () => {
    const manifest = webApp('limited', 'example.com/limited:1', ON_VIRTUAL_NODE).replace(
      'resources: {',
      'resources: { limits: { cpu: 1, memory: 2G },',
    );
    await stack.does('kubernetes.manifest.apply', { cluster: CLUSTER, manifest });
    const advice = await adviceOn('limited', 'PROVIDER_LIMITS_EXCEED_REQUESTS');
    expect(advice.evidence).toMatchObject({ container: 'web', limit: 1, totalRequest: 0.5 });
    await mend(advice);
    const [group] = await runningGroups('limited', 1);
    expect(group?.properties).toMatchObject({ cpuCores: 1, memoryGb: 2 });
  });

  it('lets a pod whose image is not accessible pull with the secret that fits', async () => {
    const manifest = webApp('secretless', `${REGISTRY}/secretless:1`, ON_VIRTUAL_NODE);
    await stack.does('kubernetes.manifest.apply', { cluster: CLUSTER, manifest });
    const advice = await adviceOn('secretless', 'PROVIDER_IMAGE_INACCESSIBLE');
    expect(advice.evidence).toMatchObject({ image: `${REGISTRY}/secretless:1`, imagePullSecrets: [] });
    expect(JSON.stringify(advice)).not.toContain('hidden-from-everybody');
    await mend(advice);
    await runningGroups('secretless', 1);
    await stack.does('kubernetes.workload.scale', { workload: (await workload('secretless')).uid, replicas: 0 });
  });

  it('offers no loop where another pod of the template would be refused again', async () => {
    const manifest = webApp('hooked', 'example.com/hooked:1', ON_VIRTUAL_NODE).replace(
      'resources: {',
      'lifecycle: { preStop: { exec: { command: [sleep] } } }, resources: {',
    );
    await stack.does('kubernetes.manifest.apply', { cluster: CLUSTER, manifest });
    const advice = await adviceOn('hooked', 'PROVIDER_POD_UNSUPPORTED');
    expect(advice.evidence).toMatchObject({ azureCode: null, message: 'ACI does not support lifecycle hooks' });
    expect(advice.remedies.flatMap(({ operations }: Answer['body']) => operations)).toEqual([]);
    await stack.does('kubernetes.workload.scale', { workload: (await workload('hooked')).uid, replicas: 0 });
  });

  it('tells a pod whose container group was deleted from one that crashes', async () => {
    const [group] = await runningGroups('limited', 1);
    const route = `${group?.id}?api-version=2023-05-01`;
    expect((await stack.azure(route, { method: 'DELETE' })).status).toBeLessThan(300);
    const advice = await adviceOn('limited', 'PROVIDER_POD_VANISHED');
    await mend(advice);
    await runningGroups('limited', 1);
    await stack.does('kubernetes.workload.scale', { workload: (await workload('limited')).uid, replicas: 0 });
  });

  it('finds a container group whose pod is gone', async () => {
    const nodeGroup = `/subscriptions/${SUBSCRIPTION}/resourceGroups/MC_netcoresample_netcoresampleaks_eastus`;
    const name = 'default-forgotten-0';
    const body = {
      location: 'eastus',
      tags: {
        PodName: 'forgotten-0',
        Namespace: 'default',
        NodeName: NODE,
        UID: '00000000-0000-4000-8000-000000000009',
      },
      properties: {
        osType: 'Linux',
        containers: [
          { name: 'a', properties: { image: 'example.com/a:1', resources: { requests: { cpu: 2, memoryInGB: 4 } } } },
        ],
        subnetIds: [{ id: SUBNET }],
      },
    };
    const route = `${nodeGroup}/providers/Microsoft.ContainerInstance/containerGroups/${name}?api-version=2023-05-01`;
    expect((await stack.azure(route, { method: 'PUT', body })).status).toBe(201);
    const orphan = await stack.until('the orphan', async () => {
      const { items } = (await stack.api('/v1/container-groups?health=Degraded&maxAge=1')).body;
      return items.find((item: Answer['body']) => item.properties.orphan);
    });
    expect(orphan).toMatchObject({ name, properties: { podState: 'Gone', podName: 'forgotten-0', cpuCores: 2 } });
    const { items: advice } = (await stack.api(`/v1/container-groups/${orphan.uid}/advice`)).body;
    expect(advice).toMatchObject([
      { code: 'CONTAINER_GROUP_ORPHANED', remedies: [{ operations: [{ type: DELETION }] }] },
    ]);
    const [used] = (await stack.api('/v1/container-groups?q=default-core3webapp&limit=1')).body.items;
    const refused = await stack.ended(DELETION, { containerGroup: used.uid });
    expect(codes(refused, 'error')).toEqual(['POD_PRESENT']);
  });

  it('stops what runs there before it takes the virtual node away, and says so', async () => {
    const operation = await stack.does('virtualNodes.disable', { cluster: CLUSTER });
    expect(codes(operation, 'warning').sort()).toEqual([
      'CONTAINER_GROUPS_LEFT',
      'PODS_WILL_STOP',
      'WORKLOADS_WILL_WAIT',
    ]);
    expect(operation.result.containerGroupsLeft).toEqual([expect.stringMatching(/default-forgotten-0$/)]);
    await stack.until('everything but the orphan to be gone', async () => {
      const { items } = (await stack.api('/v1/container-groups?limit=50&maxAge=1')).body;
      const nodes = (await stack.api('/v1/virtual-nodes')).body;
      return items.length === 1 && nodes.items.length === 0 ? true : undefined;
    });
    const left = operation.findings.find(({ code }: Answer['body']) => code === 'CONTAINER_GROUPS_LEFT');
    for (const { type, input } of left.operations) await stack.does(type, input);
    const { items } = (await stack.api('/v1/container-groups?limit=50&maxAge=1')).body;
    expect(items).toEqual([]);
  });

  it('takes a virtual node away by force whose connector is dead, and nothing of it is left', async () => {
    const { result } = await stack.does('virtualNodes.enable', { cluster: CLUSTER, subnetName: 'aksvirtualsubnet' });
    await stack.until('the workload to run there again', async () => {
      const groups = await groupsOf('core3webapp');
      return groups.length === 3 && groups.every(({ properties }) => properties.podState === 'Present')
        ? true
        : undefined;
    });
    const { items } = (await stack.api('/v1/role-assignments?limit=50&maxAge=1')).body;
    const role = items.find(
      ({ properties: { principalId, scope } }: Answer['body']) =>
        principalId === result.principalId && scope.endsWith('/aksvirtualsubnet'),
    );
    const died = async (): Promise<Answer['body']> => {
      await stack.does('azure.roleAssignment.delete', { assignment: role.id });
      return stack.until('the connector to be seen dead', async () => {
        const { body } = await stack.api('/v1/virtual-nodes?maxAge=1');
        return body.items.find(({ properties }: Answer['body']) => !properties.ready);
      });
    };
    const dead = await died();
    const { items: advice } = (await stack.api(`/v1/virtual-nodes/${dead.uid}/advice`)).body;
    expect(advice).toMatchObject([{ code: 'CONNECTOR_LACKS_ROLE', remedies: [{ operations: [{ input: {} }] }, {}] }]);
    const [{ operations: mending }] = advice[0].remedies;
    for (const { type, input } of mending) await stack.does(type, input);
    await died();
    const { body: dryRun } = await stack.api('/v1/operations', {
      method: 'POST',
      body: { type: 'virtualNodes.disable', input: { cluster: CLUSTER }, dryRun: true },
    });
    const looked = await stack.endOf(dryRun.id);
    expect([codes(looked, 'error'), codes(looked, 'warning')]).toEqual([
      [],
      expect.arrayContaining(['VIRTUAL_NODE_NOT_READY']),
    ]);
    const [{ operations }] = looked.findings.filter(({ code }: Answer['body']) => code === 'VIRTUAL_NODE_NOT_READY');
    const forced = await stack.does(operations[0].type, operations[0].input);
    expect(forced.result.containerGroupsLeft).toEqual([]);
    const { body } = await stack.azure(
      `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerInstance/containerGroups?api-version=2023-05-01`,
    );
    expect(body.value).toEqual([]);
  });

  it('takes the subnet away with what Container Instances have left on it', async () => {
    const route = `${SUBNET}?api-version=2025-05-01`;
    const kept = await stack.azure(route, { method: 'DELETE' });
    expect(kept.body.error).toMatchObject({
      code: 'InUseSubnetCannotBeDeleted',
      message: expect.stringContaining('acisal'),
    });
    const operation = await stack.does('azure.subnet.delete', { subnet: SUBNET });
    expect(codes(operation, 'info')).toEqual(['SUBNET_LINKED', 'SUBNET_DELEGATED']);
    expect((await stack.azure(route)).status).toBe(404);
  });

  it('makes a subnet and gives and takes a role by themselves', async () => {
    const network = await stack.until('the network', async () => {
      const { body } = await stack.api('/v1/virtual-networks?q=netcoresampleaksvnet');
      return body.items[0];
    });
    const made = await stack.does('azure.subnet.create', {
      network: network.uid,
      name: 'spare',
      prefix: '10.0.8.0/24',
    });
    const taken = await stack.ended('azure.subnet.create', {
      network: network.uid,
      name: 'other',
      prefix: '10.0.8.0/25',
    });
    expect(codes(taken, 'error')).toEqual(['PREFIX_OVERLAPS']);
    const principalId = '00000000-0000-4000-8000-00000000000a';
    const grant = {
      scope: made.result.subnet,
      role: 'NetworkContributor',
      principalId,
      principalType: 'ServicePrincipal',
    };
    const { result } = await stack.does('azure.roleAssignment.create', grant);
    expect(codes(await stack.does('azure.roleAssignment.create', grant), 'info')).toEqual(['ROLE_ASSIGNED_ALREADY']);
    await stack.does('azure.roleAssignment.delete', { assignment: result.assignment });
    const reading = await stack.azure(`${result.assignment}?api-version=2022-04-01`);
    expect(reading.status).toBe(404);
  });
});
