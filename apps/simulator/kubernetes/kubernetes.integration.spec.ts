import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { CoreV1Api, KubeConfig, makeInformer } from '@kubernetes/client-node';
import type { V1Pod } from '@kubernetes/client-node';
import { CLUSTER_1, FLEET } from '../simulated-azure.harness.js';
import { createSimulator } from '../simulator.server.js';
import type { Simulator, SimulatorOptions } from '../simulator.server.js';

const KUBECTL = spawnSync('kubectl', ['version', '--client', '--output=json']).status === 0;
const WITH_KUBECTL = KUBECTL ? 'kubectl' : 'SKIPPED: there is no kubectl in the path, so it cannot be tried';
const TOKEN = 'someone';
const PATIENCE_MS = 30_000;

interface Ran {
  code: number;
  output: string;
  errors: string;
}

/** A simulator on a real port, as a client of Kubernetes meets it. */
class Playground {
  private constructor(
    readonly simulator: Simulator,
    readonly url: string,
    readonly directory: string,
  ) {}

  static async start(options: SimulatorOptions = {}): Promise<Playground> {
    const directory = await mkdtemp(path.join(tmpdir(), 'simulated-clusters-'));
    const settings = { lroSeconds: 0, rolePropagationSeconds: 0, ...options.settings };
    const simulator = await createSimulator({ ...options, settings });
    return new Playground(simulator, await simulator.listen(), directory);
  }

  async stop(): Promise<void> {
    await this.simulator.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  async control(method: 'GET' | 'POST', route: string, body?: unknown): Promise<Record<string, unknown>> {
    const answer = await fetch(`${this.url}/_simulator${route}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${route}: ${answer.status} ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  }

  async arm(method: string, resource: string, version: string, body?: unknown): Promise<Record<string, unknown>> {
    const answer = await fetch(`${this.url}${resource}?api-version=${version}`, {
      method,
      headers: { authorization: `Bearer ${TOKEN}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${resource}: ${answer.status} ${text}`);
    return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  }

  async kubeconfig(cluster: string, user?: string): Promise<string> {
    const query = new URLSearchParams({ cluster, ...(user === undefined ? {} : { user }) });
    const answer = await fetch(`${this.url}/_simulator/kubeconfig?${query.toString()}`);
    expect(answer.status).toBe(200);
    return answer.text();
  }

  /** Makes a function that runs kubectl with the printed kubeconfig. */
  async kubectlFor(cluster: string, user?: string): Promise<(command: string, input?: string) => Promise<Ran>> {
    const file = path.join(this.directory, `${cluster}.yaml`);
    await writeFile(file, await this.kubeconfig(cluster, user));
    const base = ['--kubeconfig', file, '--cache-dir', path.join(this.directory, 'cache')];
    return async (command, input) =>
      new Promise((resolve) => {
        const child = execFile('kubectl', [...base, ...command.split(' ')], (error, output, errors) => {
          const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : 1;
          resolve({ code, output, errors });
        });
        child.stdin?.end(input ?? '');
      });
  }
}

async function until(what: string, look: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; ;) {
    if (await look()) return;
    if (Date.now() > deadline) throw new Error(`Waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const DEPLOYMENT = `
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
`;

(KUBECTL ? describe : describe.skip)(WITH_KUBECTL, () => {
  let playground: Playground;
  let kubectl: (command: string, input?: string) => Promise<Ran>;

  const good = async (command: string, input?: string): Promise<string> => {
    const ran = await kubectl(command, input);
    if (ran.code !== 0) throw new Error(`kubectl ${command}: ${ran.errors}`);
    return ran.output;
  };

  beforeAll(async () => {
    playground = await Playground.start();
    kubectl = await playground.kubectlFor('demo-aks01');
  });
  afterAll(async () => playground.stop());
  afterEach(async () => {
    await kubectl('delete namespace kuard-demo --ignore-not-found --wait=true --timeout=20s');
  });

  it('meets the version that ARM tells, and a node for each of the pool', async () => {
    expect(await good('version')).toContain('Server Version: v1.33.5');
    const nodes = await good('get nodes -o wide');
    expect(nodes.split('\n').filter((line) => line.includes(' Ready '))).toHaveLength(1);
    expect(nodes).toContain('aks-nodepool1-');
  });

  it('lists what there is, and what one may do', async () => {
    const resources = await good('api-resources');
    for (const kind of ['Pod', 'Deployment', 'Ingress', 'CronJob', 'ClusterRole']) expect(resources).toContain(kind);
    expect(await good('auth can-i create deployments')).toContain('yes');
  });

  it('applies, on either side, and waits for the rollout', async () => {
    await good('create namespace kuard-demo');
    expect(await good('apply -f -', DEPLOYMENT)).toContain('created');
    expect(await good('apply -f -', DEPLOYMENT)).toContain('unchanged');
    await good('-n kuard-demo rollout status deployment/kuard --timeout=20s');
    const applied = await kubectl(
      '-n kuard-demo apply --server-side --field-manager=second --force-conflicts -f -',
      DEPLOYMENT.replace('replicas: 2', 'replicas: 3'),
    );
    expect([applied.code, applied.output]).toEqual([0, expect.stringContaining('serverside-applied')]);
    await good('-n kuard-demo rollout status deployment/kuard --timeout=20s');
    expect((await good('-n kuard-demo get pods -o name')).trim().split('\n')).toHaveLength(3);
  });

  it('scales, waits and deletes', async () => {
    await good('create namespace kuard-demo');
    await good('apply -f -', DEPLOYMENT);
    await good('-n kuard-demo wait --for=condition=Available deployment/kuard --timeout=20s');
    await good('-n kuard-demo scale deployment/kuard --replicas=4');
    await good('-n kuard-demo rollout status deployment/kuard --timeout=20s');
    expect(await good('-n kuard-demo get deployment kuard')).toContain('4/4');
    await good('-n kuard-demo delete deployment kuard');
    await good('-n kuard-demo wait --for=delete pod -l app=kuard --timeout=20s');
    expect(await good('-n kuard-demo get pods -o name')).toBe('');
  });

  it('takes what is typed instead of written: such commands speak protobuf', async () => {
    await good('create namespace kuard-demo');
    for (const [command, shown] of [
      ['create deployment web --image=nginx', 'created'],
      ['expose deployment/web --port 80', 'exposed'],
      ['autoscale deployment/web --min 1 --max 3 --cpu-percent=80', 'autoscaled'],
      ['create secret generic s --from-literal=a=b', 'created'],
      ['create configmap c --from-literal=a=b', 'created'],
      ['run p --image=busybox --restart=Never', 'created'],
      ['create serviceaccount builder', 'created'],
      ['create role reader --verb=get --resource=pods', 'created'],
      ['create rolebinding readers --role=reader --serviceaccount=kuard-demo:builder', 'created'],
    ] as const) {
      expect(await good(`-n kuard-demo ${command}`)).toContain(shown);
    }
    await good('-n kuard-demo rollout status deployment/web --timeout=20s');
    expect(
      await good('-n kuard-demo get hpa web -o jsonpath={.spec.metrics[0].resource.target.averageUtilization}'),
    ).toBe('80');
    await good('-n kuard-demo rollout restart deployment/web');
    await good('-n kuard-demo rollout status deployment/web --timeout=20s');
    expect(await good('-n kuard-demo describe deployment web')).toContain('NewReplicaSetAvailable');
  });

  it('taints and cordons nodes', async () => {
    const node = (await good('get nodes -o name')).trim().replace('node/', '');
    await good(`taint nodes ${node} kind=special:NoSchedule`);
    await good(`cordon ${node}`);
    expect(await good('get nodes')).toContain('SchedulingDisabled');
    expect(await good(`get node ${node} -o jsonpath={.spec.taints[*].key}`)).toContain('kind');
    await good(`uncordon ${node}`);
    await good(`taint nodes ${node} kind:NoSchedule-`);
    expect(await good(`get node ${node} -o jsonpath={.spec.taints[*].key}`)).toBe('');
  });

  it('watches', async () => {
    await good('create namespace kuard-demo');
    const file = path.join(playground.directory, 'demo-aks01.yaml');
    const watcher = spawn('kubectl', ['--kubeconfig', file, '-n', 'kuard-demo', 'get', 'pods', '-w', '-o', 'name']);
    const seen: string[] = [];
    watcher.stdout.on('data', (chunk: Buffer) => seen.push(chunk.toString('utf8')));
    const ended = new Promise<void>((resolve) => watcher.once('exit', () => resolve()));
    try {
      await good('apply -f -', DEPLOYMENT);
      await until('kubectl to see the pods', () => seen.join('').includes('pod/kuard-'));
    } finally {
      watcher.kill('SIGTERM');
      await ended;
    }
  });

  it('finds the nodes that a pool gets in ARM', async () => {
    const pool = `${CLUSTER_1}/agentPools/nodepool1`;
    const scale = async (count: number): Promise<void> => {
      const { properties } = await playground.arm('GET', pool, '2026-04-01');
      await playground.arm('PUT', pool, '2026-04-01', { properties: { ...(properties as object), count } });
    };
    await scale(3);
    await until('three nodes', async () => (await good('get nodes -o name')).trim().split('\n').length === 3);
    await scale(1);
    await until('one node', async () => (await good('get nodes -o name')).trim().split('\n').length === 1);
  });

  it('is refused by the hub in the words of Azure until the role is assigned', async () => {
    const hub = await playground.kubectlFor('aks-fleet01', TOKEN);
    const refused = await hub('get memberclusters');
    expect(refused.code).not.toBe(0);
    expect(refused.errors).toContain(
      'User does not have access to the resource in Azure. Update role assignment to allow access.',
    );
    const { principalId } = await playground.control('GET', `/principal?token=${TOKEN}`);
    expect(refused.errors).toContain(`User "${String(principalId)}" cannot list resource "memberclusters"`);
    await playground.arm(
      'PUT',
      `${FLEET}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001`,
      '2022-04-01',
      {
        properties: {
          roleDefinitionId:
            '/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/18ab4d3d-a1bf-4477-8ad9-8359bc988f69',
          principalId,
        },
      },
    );
    await until('the member at the hub', async () => (await hub('get memberclusters')).output.includes('True'));
    expect((await hub('get memberclusters -o name')).output.trim()).toBe(
      'membercluster.cluster.kubernetes-fleet.io/demo-aks01-demo-aks01',
    );
  });
});

describe('a simulated cluster', () => {
  let playground: Playground;
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'simulated-state-'));
  });
  afterEach(async () => {
    await playground.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function clientOf(cluster: string, user?: string): Promise<{ config: KubeConfig; core: CoreV1Api }> {
    const config = new KubeConfig();
    config.loadFromString(await playground.kubeconfig(cluster, user));
    return { config, core: config.makeApiClient(CoreV1Api) };
  }

  const pods = async (count: number): Promise<Record<string, unknown>> =>
    playground.control('POST', '/kubernetes/demo-aks01/pods', { create: count });

  it('feeds an informer, also after its watch was dropped and its history forgotten', async () => {
    playground = await Playground.start();
    const { config, core } = await clientOf('demo-aks01');
    const informer = makeInformer(config, '/api/v1/namespaces/default/pods', async () =>
      core.listNamespacedPod({ namespace: 'default' }),
    );
    const names = new Set<string>();
    informer.on('add', (pod: V1Pod) => void names.add(pod.metadata?.name ?? ''));
    const ended = new AbortController();
    informer.on('error', () => {
      if (!ended.signal.aborted) void informer.start();
    });
    await informer.start();
    try {
      await pods(2);
      await until('two pods', () => names.size === 2);
      await playground.control('POST', '/kubernetes/demo-aks01/drop-watches');
      await pods(1);
      await playground.control('POST', '/kubernetes/demo-aks01/compact');
      await until('a third pod', () => names.size === 3);
    } finally {
      ended.abort();
      await informer.stop();
    }
  });

  it('is out of reach while it is stopped or set down, slow when it should be, and back afterwards', async () => {
    playground = await Playground.start();
    const { core } = await clientOf('demo-aks01');
    const list = async (): Promise<number> => (await core.listNode()).items.length;
    expect(await list()).toBe(1);
    await playground.arm('POST', `${CLUSTER_1}/stop`, '2026-04-01');
    await expect(list()).rejects.toThrow();
    await playground.arm('POST', `${CLUSTER_1}/start`, '2026-04-01');
    expect(await list()).toBe(1);
    await playground.control('POST', '/kubernetes/demo-aks01/availability', { state: 'down' });
    await expect(list()).rejects.toThrow();
    await playground.control('POST', '/kubernetes/demo-aks01/availability', { state: 'slow', delayMs: 300 });
    const began = performance.now();
    expect(await list()).toBe(1);
    expect(performance.now() - began).toBeGreaterThanOrEqual(290);
  });

  it('plays the faults that are set for its requests, and logs them', async () => {
    playground = await Playground.start();
    const { core } = await clientOf('demo-aks01');
    await playground.control('POST', '/faults', {
      match: { kind: 'kubernetes', cluster: 'demo-aks01', method: 'GET', path: '/nodes$' },
      times: 1,
      fault: { type: 'throttle', retryAfterSeconds: 7 },
    });
    await expect(core.listNamespace()).resolves.toBeDefined();
    await expect(core.listNode()).rejects.toMatchObject({ code: 429, headers: { 'retry-after': '7' } });
    await expect(core.listNode()).resolves.toBeDefined();
    const { requests } = (await playground.control('GET', '/requests?path=/nodes$')) as {
      requests: { status: number; fault: string | null }[];
    };
    expect(requests.map(({ status, fault }) => [status, fault])).toEqual([
      [429, 'throttle'],
      [200, null],
    ]);
  });

  it('loses nothing when the simulator starts again, and goes on counting', async () => {
    const stateFile = path.join(folder, 'state.json');
    playground = await Playground.start({ stateFile });
    const { core } = await clientOf('demo-aks01');
    const body = { metadata: { name: 'kept' }, data: { a: 'b' } };
    const made = await core.createNamespacedConfigMap({ namespace: 'default', body });
    const before = await playground.kubeconfig('demo-aks01');
    await playground.stop();

    playground = await Playground.start({ stateFile });
    const after = await clientOf('demo-aks01');
    const found = await after.core.readNamespacedConfigMap({ namespace: 'default', name: 'kept' });
    expect(found.metadata).toMatchObject({ uid: made.metadata?.uid, resourceVersion: made.metadata?.resourceVersion });
    const authority = /certificate-authority-data: (\S+)/;
    expect(authority.exec(await playground.kubeconfig('demo-aks01'))?.[1]).toBe(authority.exec(before)?.[1]);
    const another = { metadata: { name: 'another' } };
    const next = await after.core.createNamespacedConfigMap({ namespace: 'default', body: another });
    expect(Number(next.metadata?.resourceVersion)).toBeGreaterThan(Number(made.metadata?.resourceVersion));
  });

  it('ends open watches at once when the simulator closes', async () => {
    playground = await Playground.start();
    const { config, core } = await clientOf('demo-aks01');
    const informer = makeInformer(config, '/api/v1/nodes', async () => core.listNode());
    informer.on('error', () => undefined);
    await informer.start();
    const began = performance.now();
    await playground.simulator.close();
    expect(performance.now() - began).toBeLessThan(2_000);
    await informer.stop();
  });

  it('is gone when it is deleted in ARM', async () => {
    playground = await Playground.start();
    const { core } = await clientOf('demo-aks01');
    await core.listNode();
    await playground.arm('DELETE', CLUSTER_1, '2026-04-01');
    await expect(core.listNode()).rejects.toMatchObject({ code: 404 });
  });

  it('of a generated estate has the pods that were asked for', async () => {
    playground = await Playground.start({
      estate: {
        subscriptions: 1,
        clusters: 2,
        fleets: 0,
        members: 0,
        pools: 1,
        podsPerCluster: 150,
        deploymentsPerCluster: 5,
        seed: 1,
      },
    });
    const { core } = await clientOf('aks-00001');
    await until('150 running pods', async () => {
      const { items } = await core.listPodForAllNamespaces({ fieldSelector: 'status.phase=Running' });
      return items.filter((pod) => pod.metadata?.namespace?.startsWith('team-')).length === 150;
    });
  });

  it('speaks HTTP and HTTPS on one port, and ARM on both', async () => {
    playground = await Playground.start();
    const plain = await fetch(`${playground.url}/_simulator/health`);
    expect(plain.status).toBe(200);
    const config = new KubeConfig();
    config.loadFromString(await playground.kubeconfig('demo-aks01'));
    const server = config.getCurrentCluster()?.server ?? '';
    expect(server).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/kubernetes\/[0-9a-f-]{36}$/);
    const { clusters } = (await playground.control('GET', '/kubernetes')) as { clusters: Record<string, unknown>[] };
    expect(clusters.map(({ name, kind, api }) => [name, kind, api])).toEqual([
      ['demo-aks01', 'cluster', 'up'],
      ['demo-aks02', 'cluster', 'up'],
      ['hub', 'hub', 'up'],
    ]);
    expect(clusters[0]).toMatchObject({ url: server });
  });
});
