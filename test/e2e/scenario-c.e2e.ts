import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack, type Answer } from './stack.js';

const ESTATE = path.resolve(import.meta.dirname, '../../apps/simulator/estates/scenario-c.estate.json');
const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/akshci-eu/providers`;
const HOST = `${GROUP}/Microsoft.ExtendedLocation/customLocations/hci-host`;
const networkId = (name: string): string => `${GROUP}/Microsoft.AzureStackHCI/logicalNetworks/${name}`;
const CLUSTER = `${GROUP}/Microsoft.Kubernetes/connectedClusters/my-workload-cluster`;
const INSTANCE = `${CLUSTER}/providers/Microsoft.HybridContainerService/provisionedClusterInstances/default`;
const LINUX_POOL = `${INSTANCE}/agentPools/linuxpool`;
const PUBLIC_KEY = `ssh-ed25519 ${'A'.repeat(60)} ada@example`;
const DENIED = 'mkdir /var/log/agent: permission denied';

const WANTED = {
  subscriptionId: SUBSCRIPTION,
  resourceGroup: 'akshci-eu',
  name: 'my-workload-cluster',
  location: 'eastus',
  customLocation: HOST,
  logicalNetwork: networkId('lnet-static'),
  kubernetesVersion: '1.29.7',
  controlPlane: { count: 1, hostIp: '192.168.1.10' },
  loadBalancerCount: 1,
  nodePools: [
    { name: 'linuxpool', count: 1, vmSize: 'Standard_A4_v2' },
    { name: 'winpool', count: 1, vmSize: 'Standard_D4s_v3', osType: 'Windows' },
  ],
  sshPublicKey: PUBLIC_KEY,
};

/** An agent that writes its log to a volume and does not run as root. */
const agentIn = (storageClass: string): string => `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: agent-log }
spec: { accessModes: [ReadWriteOnce], storageClassName: ${storageClass}, resources: { requests: { storage: 1Gi } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: agent }
spec:
  replicas: 1
  selector: { matchLabels: { app: agent } }
  template:
    metadata: { labels: { app: agent } }
    spec:
      securityContext: { runAsUser: 1000, runAsNonRoot: true, fsGroup: 1000 }
      containers:
        - name: agent
          image: example.com/agent:1
          terminationMessagePolicy: FallbackToLogsOnError
          volumeMounts: [{ name: log, mountPath: /var/log }]
      volumes: [{ name: log, persistentVolumeClaim: { claimName: agent-log } }]
`;

const busy = (name: string, cpu: string, replicas = 1): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      nodeSelector: { kubernetes.io/os: linux }
      containers: [{ name: ${name}, image: 'example.com/${name}:1', resources: { requests: { cpu: '${cpu}' } } }]
`;

/** A workload cluster on Azure Stack HCI from the versions of its host to its end, with what goes wrong on the way. */
describe('scenario C', () => {
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.start({ SIMULATOR_ESTATE: ESTATE });
  }, 120_000);

  afterAll(() => stack.stop(), 60_000);

  async function mends(operations: { type: string; input: Record<string, unknown> }[]): Promise<void> {
    for (const { type, input } of operations) await stack.does(type, input);
  }

  const errors = ({ findings }: Answer['body']): string[] =>
    findings.filter(({ severity }: Answer['body']) => severity === 'error').map(({ code }: Answer['body']) => code);

  /** The pods of an app in the namespace of the demonstration. */
  async function podsOf(app: string): Promise<Answer['body'][]> {
    const { body } = await stack.api(`/v1/pods?namespace=demo&tag.app=${app}&limit=50`);
    return body.items;
  }

  async function podThat(app: string, isWanted: (pod: Answer['body']) => boolean): Promise<Answer['body']> {
    return stack.until(`a pod of ${app} as it is wanted`, async () => (await podsOf(app)).find(isWanted));
  }

  /** A claim keeps its class for ever: the agent is made anew with another claim. */
  async function remakeAgent(storageClass: string): Promise<void> {
    const agent = { cluster: CLUSTER, namespace: 'demo' };
    await stack.does('kubernetes.object.delete', {
      ...agent,
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      name: 'agent',
    });
    await stack.until('no pod of the agent', async () => (await podsOf('agent')).length === 0);
    await stack.does('kubernetes.object.delete', {
      ...agent,
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      name: 'agent-log',
    });
    const manifest = agentIn(storageClass);
    const applied = await stack.startOperation('kubernetes.manifest.apply', { ...agent, manifest });
    expect(applied.status).toBe(202);
  }

  async function adviceOn(pod: Answer['body']): Promise<Answer['body'][]> {
    const { status, body } = await stack.api(`/v1/pods/${pod.uid}/advice`);
    expect(status).toBe(200);
    return body.items;
  }

  it('1: lists the versions and machines of the host, and its limits', async () => {
    const { result } = await stack.does('hci.host.inspect', { customLocation: HOST });
    expect(result.kubernetesVersions.map(({ version }: Answer['body']) => version)).toContain('1.29.7');
    expect(result.vmSizes.map(({ name }: Answer['body']) => name)).toContain('Standard_A4_v2');
    expect(result).toMatchObject({ clusters: [], limits: { clusters: 32, controlPlaneCounts: [1, 3, 5] } });
  });

  it.each([
    { code: 'VERSION_NOT_SUPPORTED', change: { kubernetesVersion: '1.20.7' }, reason: 'the host has it not' },
    { code: 'VERSION_NOT_READY', change: { kubernetesVersion: '1.30.4' }, reason: 'the Windows image is on its way' },
    { code: 'CONTROL_PLANE_COUNT_INVALID', change: { controlPlane: { count: 2 } }, reason: 'one, three or five' },
    {
      code: 'NODE_LIMIT',
      change: { nodePools: [{ name: 'aaa', count: 64, vmSize: 'Standard_A4_v2' }, WANTED.nodePools[1]] },
      reason: 'the host cannot carry so many',
    },
    { code: 'NETWORK_NOT_STATIC', change: { logicalNetwork: networkId('lnet-dynamic') }, reason: 'dynamic' },
    { code: 'NETWORK_WITHOUT_DNS', change: { logicalNetwork: networkId('lnet-without-dns') }, reason: 'no DNS' },
    {
      code: 'HOST_IP_INSIDE_POOL',
      change: { controlPlane: { count: 1, hostIp: '192.168.1.110' } },
      reason: 'a machine may get that address',
    },
  ])('1, 2: refuses with $code before anything is made: $reason', async ({ code, change }) => {
    const refused = await stack.ended('hci.cluster.create', { ...WANTED, ...change });
    expect(refused).toMatchObject({ status: 'Failed', error: { code: 'PREFLIGHT_FAILED' } });
    expect(errors(refused)).toContain(code);
    expect(await stack.azureRequests('PUT', /my-workload-cluster/)).toEqual([]);
  });

  it('3: recognises that the default namespace of the kubeconfig is missing, and mends it', async () => {
    await stack.simulator('/operations/fail-next', {
      method: 'POST',
      body: {
        match: { resourceId: INSTANCE },
        error: { code: 'ArcAgents', message: 'Error: create: failed to create: namespaces "arc" not found' },
      },
    });
    const failed = await stack.ended('hci.cluster.create', WANTED);
    expect(failed).toMatchObject({
      status: 'Failed',
      error: {
        code: 'AZURE_OPERATION_FAILED',
        diagnosis: {
          code: 'DEFAULT_NAMESPACE_MISSING',
          evidence: { namespace: 'arc', said: expect.stringContaining('namespaces "arc" not found') },
          operations: [{ type: 'kubernetes.manifest.apply' }],
        },
      },
    });
    await mends(failed.error.diagnosis.operations);
    const created = await stack.does('hci.cluster.create', WANTED);
    expect(created.result).toMatchObject({ provisionedCluster: INSTANCE, connectedCluster: CLUSTER });
    expect(await stack.azureRequests('PUT', /connectedClusters\/my-workload-cluster$/)).toHaveLength(1);
  });

  it('3: lets no other cluster of the host have the same address for its control plane', async () => {
    const refused = await stack.ended('hci.cluster.create', { ...WANTED, name: 'second' });
    expect(errors(refused)).toContain('HOST_IP_IN_USE');
    expect(await stack.azureRequests('PUT', /second/)).toEqual([]);
  });

  it('3, 4: shows the cluster connected, its agents, and its nodes of both systems with what runs their containers', async () => {
    const { body } = await stack.api(`/v1/resources?id=${CLUSTER}&maxAge=0`);
    expect(body.items).toMatchObject([{ kind: 'ConnectedCluster', health: 'Healthy' }]);
    const { uid } = body.items[0];
    const seen = await stack.until('what is in the cluster', async () => {
      const { body: answer } = await stack.graphql(
        `query ($uid: ID!) { resource(uid: $uid) { ... on ConnectedCluster {
          distribution infrastructure connectivityStatus
          provisionedCluster {
            name kubernetesVersion controlPlaneCount customLocation { name }
            nodePools { name osType count readyCount provisionedCluster { name } }
          }
          nodes { name os containerRuntime }
          workloads(first: 50) { name namespace health }
          storageClasses { name isDefault fsType driver { name fsGroupPolicy } }
        } } }`,
        { uid },
      );
      expect(answer.errors).toBeUndefined();
      const { resource } = answer.data;
      const agents = resource.workloads.filter(({ namespace }: Answer['body']) => namespace === 'azure-arc');
      const isComplete = resource.nodes.length === 2 && resource.storageClasses.length === 1 && agents.length >= 9;
      return isComplete && agents.every(({ health }: Answer['body']) => health === 'Healthy') ? resource : undefined;
    });
    expect(seen).toMatchObject({
      distribution: 'aks_workload',
      infrastructure: 'azure_stack_hci',
      connectivityStatus: 'Connected',
      provisionedCluster: {
        name: 'my-workload-cluster',
        kubernetesVersion: '1.29.7',
        controlPlaneCount: 1,
        customLocation: { name: 'hci-host' },
        nodePools: [
          { name: 'linuxpool', osType: 'Linux', count: 1, readyCount: 1 },
          { name: 'winpool', osType: 'Windows', count: 1 },
        ],
      },
      storageClasses: [
        { name: 'default', isDefault: true, fsType: null, driver: { fsGroupPolicy: 'ReadWriteOnceWithFSType' } },
      ],
    });
    expect(seen.nodes.map(({ os }: Answer['body']) => os).sort()).toEqual(['linux', 'windows']);
    for (const node of seen.nodes) expect(node.containerRuntime).toMatch(/^containerd:/);
  });

  it('5: explains why a pod without root cannot write to its volume', async () => {
    const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: demo }\n';
    await stack.does('kubernetes.manifest.apply', { cluster: CLUSTER, manifest: namespace });
    const applied = await stack.startOperation('kubernetes.manifest.apply', {
      cluster: CLUSTER,
      namespace: 'demo',
      manifest: agentIn('default'),
    });
    expect(applied.status).toBe(202);
    await podThat('agent', ({ properties }) => properties.reason === 'CrashLoopBackOff');
    const pod = (await podsOf('agent'))[0];
    const [advice] = await adviceOn(pod);
    expect(advice).toMatchObject({
      code: 'NON_ROOT_VOLUME_NOT_WRITABLE',
      severity: 'error',
      evidence: {
        container: 'agent',
        runAsUser: 1000,
        claim: 'agent-log',
        storageClass: 'default',
        driver: 'disk.csi.akshci.com',
        fsGroupPolicy: 'ReadWriteOnceWithFSType',
        fsType: null,
        message: expect.stringContaining(DENIED),
      },
    });
    const { body } = await stack.graphql(
      `query ($uid: ID!) { resource(uid: $uid) { ... on Pod { advice { code remedies { operations { type } } } } } }`,
      { uid: pod.uid },
    );
    expect(body.data.resource.advice[0].remedies.map(({ operations }: Answer['body']) => operations)).toEqual([
      [{ type: 'kubernetes.storageClass.create' }],
      [{ type: 'kubernetes.csiDriver.setFsGroupPolicy' }, { type: 'kubernetes.workload.restart' }],
    ]);
  });

  it('5, first remedy: a class like the present one that names a file system; its parameters are final', async () => {
    const [advice] = await adviceOn((await podsOf('agent'))[0]);
    const [ofClass] = advice.remedies;
    await mends(ofClass.operations);
    const { input } = ofClass.operations[0];
    expect(input).toMatchObject({ name: 'default-ext4', parameters: { fsType: 'ext4', dynamic: 'true' } });
    const other = await stack.ended('kubernetes.storageClass.create', { ...input, parameters: { fsType: 'xfs' } });
    expect(errors(other)).toEqual(['CLASS_DIFFERS']);
    await stack.until('the class in Pilothouse', async () => {
      const { body } = await stack.api('/v1/storage-classes?name=default-ext4');
      return body.items[0]?.properties.fsType === 'ext4';
    });
    await remakeAgent('default-ext4');
    const well = await podThat('agent', ({ health }) => health === 'Healthy');
    expect(await adviceOn(well)).toEqual([]);
  });

  it('5, second remedy: the driver gives every volume to the group of its pod, and the pod is well', async () => {
    await remakeAgent('default');
    const denied = await podThat('agent', ({ properties }) => properties.reason === 'CrashLoopBackOff');
    const [advice] = await adviceOn(denied);
    await mends(advice.remedies[1].operations);
    const well = await podThat('agent', ({ health }) => health === 'Healthy');
    expect(await adviceOn(well)).toEqual([]);
  });

  it('6: explains with the numbers of each node why a pod has no place', async () => {
    await stack.startOperation('kubernetes.manifest.apply', {
      cluster: CLUSTER,
      namespace: 'demo',
      manifest: busy('huge', '100'),
    });
    const huge = await podThat('huge', ({ properties }) => properties.reason === 'Unschedulable');
    const [tooSmall] = await adviceOn(huge);
    expect(tooSmall).toMatchObject({ code: 'NODES_TOO_SMALL', evidence: { requests: { cpuMillicores: 100_000 } } });
    await stack.does('kubernetes.object.delete', {
      cluster: CLUSTER,
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      namespace: 'demo',
      name: 'huge',
    });
  });

  it('6: names the pool that one more node would help, and the pod then runs', async () => {
    await stack.startOperation('kubernetes.manifest.apply', {
      cluster: CLUSTER,
      namespace: 'demo',
      manifest: busy('large', '3', 2),
    });
    const waiting = await podThat('large', ({ properties }) => properties.reason === 'Unschedulable');
    const advice = await stack.until('the numbers of the node', async () => {
      const [found] = await adviceOn(waiting);
      return found?.evidence.nodes[0]?.requested?.cpuMillicores >= 3000 ? found : undefined;
    });
    expect(advice).toMatchObject({
      code: 'NODES_TOO_FULL',
      evidence: {
        nodes: [
          { pool: 'linuxpool', allocatable: { cpuMillicores: 3860 }, excludedBy: null, fitsWhenEmpty: true },
          { pool: 'winpool', excludedBy: 'nodeSelector kubernetes.io/os=linux' },
        ],
      },
    });
    const [scale] = advice.remedies;
    expect(scale.operations).toEqual([{ type: 'hci.nodePool.scale', input: { nodePool: LINUX_POOL, count: 2 } }]);
    await mends(scale.operations);
    await stack.until('both pods', async () => {
      const pods = await podsOf('large');
      return pods.length === 2 && pods.every(({ health }) => health === 'Healthy');
    });
  });

  it('adds and deletes a pool, and keeps the last of Linux', async () => {
    const pool = { cluster: INSTANCE, name: 'extra', count: 1, vmSize: 'Standard_A2_v2' };
    const { result } = await stack.does('hci.nodePool.put', pool);
    expect(errors(await stack.ended('hci.nodePool.put', { ...pool, vmSize: 'Standard_A4_v2' }))).toEqual([
      'POOL_DIFFERS',
    ]);
    await stack.does('hci.nodePool.delete', { nodePool: result.nodePool });
    expect(errors(await stack.ended('hci.nodePool.delete', { nodePool: LINUX_POOL }))).toEqual(['LINUX_NODE_MISSING']);
  });

  it('upgrades the cluster step by step', async () => {
    const skipped = await stack.ended('hci.cluster.upgrade', { cluster: INSTANCE, kubernetesVersion: '1.28.14' });
    expect(errors(skipped)).toEqual(['VERSION_IS_OLDER']);
    await stack.does('hci.cluster.upgrade', { cluster: INSTANCE, kubernetesVersion: '1.29.9' });
    const { body } = await stack.api('/v1/provisioned-agent-pools');
    expect(body.items.map(({ properties }: Answer['body']) => properties.kubernetesVersion)).toEqual([
      '1.29.9',
      '1.29.9',
    ]);
  });

  it('deletes the machines first, then the connected cluster, and both are gone', async () => {
    const refused = await stack.ended('arc.cluster.disconnect', { cluster: CLUSTER });
    expect(errors(refused)).toEqual(['MACHINES_REMAIN']);
    const remedy = refused.error.diagnosis.operations;
    expect(remedy).toEqual([{ type: 'hci.cluster.delete', input: { cluster: INSTANCE } }]);
    await mends(remedy);
    const deleted = await stack.azureRequests('DELETE', /(my-workload-cluster|default)$/);
    expect(deleted.map(({ path: at }) => at)).toEqual([INSTANCE, CLUSTER]);
    for (const kind of ['provisioned-clusters', 'provisioned-agent-pools']) {
      await stack.until(`no ${kind}`, async () => (await stack.api(`/v1/${kind}`)).body.items.length === 0);
    }
    const { body } = await stack.api(`/v1/resources?id=${CLUSTER}`);
    expect(body.items).toEqual([]);
  });
});
