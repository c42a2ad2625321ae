import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack, type Answer } from './stack.js';

const SUBSCRIPTION = '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';
const CLUSTER = `/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks01/providers/Microsoft.ContainerService/managedClusters/demo-aks01`;
const HUB = `/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks_fleetmng/providers/Microsoft.ContainerService/fleets/aks-fleet01`;
const NAMESPACE = 'advice';

type Manifest = Record<string, unknown>;

function deployment(name: string, podSpec: Manifest = {}, image = `example.com/${name}:1`): Manifest {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name, image }], ...podSpec } },
    },
  };
}

/** Pods that do not run: each is explained, the remedy is run as it stands, and the pod runs. */
describe('advice on pods', () => {
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.start({ ENCRYPTION_KEYS: randomBytes(32).toString('base64') });
    await stack.does('kubernetes.manifest.apply', {
      cluster: CLUSTER,
      manifest: JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }),
    });
    await stack.does('kubernetes.storageClass.create', {
      cluster: CLUSTER,
      name: 'managed-csi',
      provisioner: 'disk.csi.azure.com',
      parameters: { skuName: 'StandardSSD_LRS' },
    });
    await stack.until('the storage class of the cluster', async () => {
      return (await stack.api('/v1/storage-classes?name=managed-csi')).body.items.length > 0;
    });
    await stack.until('the nodes of the cluster', async () => (await nodes()).length > 0);
  }, 180_000);

  afterAll(() => stack.stop(), 60_000);

  async function nodes(): Promise<Answer['body'][]> {
    const { body } = await stack.api('/v1/managed-clusters?name=demo-aks01');
    const cluster = body.items[0].uid;
    return (await stack.api(`/v1/nodes?cluster=${cluster}`)).body.items;
  }

  /** Something else makes it: the house only looks on. */
  async function made(...objects: Manifest[]): Promise<void> {
    const [cluster] = (await stack.simulator('/kubernetes')).body.clusters.filter(
      ({ id }: Answer['body']) => id.toLowerCase() === CLUSTER.toLowerCase(),
    );
    const { status } = await stack.simulator(`/kubernetes/${cluster.uid}/objects`, {
      method: 'POST',
      body: { objects },
    });
    expect(status).toBeLessThan(300);
  }

  async function podsOf(app: string): Promise<Answer['body'][]> {
    return (await stack.api(`/v1/pods?namespace=${NAMESPACE}&tag.app=${app}&limit=50`)).body.items;
  }

  /** The first advice of a code that one of the pods of an app gets. */
  async function advised(app: string, code: string): Promise<Answer['body']> {
    return stack.until(`the advice ${code} on ${app}`, async () => {
      for (const { uid } of await podsOf(app)) {
        const { body } = await stack.api(`/v1/pods/${uid}/advice`);
        const found = (body.items ?? []).find((advice: Answer['body']) => advice.code === code);
        if (found !== undefined) return found;
      }
      return undefined;
    });
  }

  async function mended(app: string, remedy: { operations: { type: string; input: Record<string, unknown> }[] }) {
    expect(remedy.operations.length).toBeGreaterThan(0);
    for (const { type, input } of remedy.operations) await stack.does(type, input);
    const well = await stack.until(`${app} to run`, async () => {
      const pods = await podsOf(app);
      return pods.length === 1 && pods[0].health === 'Healthy' ? pods[0] : undefined;
    });
    expect((await stack.api(`/v1/pods/${well.uid}/advice`)).body.items).toEqual([]);
  }

  it('a node selector that no node has: the label that would match', async () => {
    await made(deployment('selector', { nodeSelector: { 'kubernetes.io/os': 'plan9' } }));
    const advice = await advised('selector', 'NODE_SELECTOR_MATCHES_NO_NODE');
    expect(advice.evidence.valuesOfNodes).toEqual({ 'kubernetes.io/os': ['linux'] });
    await mended('selector', advice.remedies[0]);
  });

  it('an affinity that no node fulfils', async () => {
    const terms = [{ matchExpressions: [{ key: 'gpu', operator: 'Exists' }] }];
    const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } };
    await made(deployment('affinity', { affinity: { nodeAffinity } }));
    const advice = await advised('affinity', 'NODE_SELECTOR_MATCHES_NO_NODE');
    await mended('affinity', advice.remedies[0]);
  });

  it('a taint that is not tolerated: the toleration that would match', async () => {
    for (const { uid } of await nodes()) {
      await stack.does('kubernetes.node.taint', { node: uid, key: 'kind', effect: 'NoSchedule' });
    }
    await made(deployment('taint'));
    const advice = await advised('taint', 'TAINT_NOT_TOLERATED');
    expect(advice.evidence.missingTolerations).toEqual([{ key: 'kind', operator: 'Exists', effect: 'NoSchedule' }]);
    await mended('taint', advice.remedies[0]);
    await made(deployment('untainted'));
    const other = await advised('untainted', 'TAINT_NOT_TOLERATED');
    for (const { uid } of await nodes()) await stack.does('kubernetes.node.untaint', { node: uid, key: 'kind' });
    expect(other.remedies[1].operations).toMatchObject([{ type: 'kubernetes.node.untaint', input: { key: 'kind' } }]);
    await stack.until('the pod to run', async () => (await podsOf('untainted'))[0]?.health === 'Healthy');
  });

  it('the taint of another generation of virtual nodes', async () => {
    const key = 'virtual-kubelet.io/provider';
    for (const { uid } of await nodes()) {
      await stack.does('kubernetes.node.taint', { node: uid, key, value: 'azure', effect: 'NoSchedule' });
    }
    await made(deployment('early', { tolerations: [{ key: 'azure.com/aci', effect: 'NoSchedule' }] }));
    const advice = await advised('early', 'VIRTUAL_NODE_TAINT_RENAMED');
    await mended('early', advice.remedies[0]);
    for (const { uid } of await nodes()) await stack.does('kubernetes.node.untaint', { node: uid, key });
  });

  it('a volume claim whose class does not exist', async () => {
    const claim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data', namespace: NAMESPACE },
      spec: {
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'missing',
        resources: { requests: { storage: '1Gi' } },
      },
    };
    const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
    await made(claim, deployment('claim', { volumes }));
    const advice = await advised('claim', 'STORAGE_CLASS_NOT_FOUND');
    expect(advice.evidence).toMatchObject({ claim: 'data', storageClass: 'missing' });
    await mended('claim', advice.remedies[0]);
  });

  it('a volume claim that does not exist', async () => {
    const volumes = [{ name: 'absent', persistentVolumeClaim: { claimName: 'absent' } }];
    await made(deployment('absent', { volumes }));
    const advice = await advised('absent', 'CLAIM_NOT_FOUND');
    await mended('absent', advice.remedies[0]);
  });

  it('an image that needs the secret of its registry', async () => {
    const [cluster] = (await stack.simulator('/kubernetes')).body.clusters.filter(
      ({ id }: Answer['body']) => id.toLowerCase() === CLUSTER.toLowerCase(),
    );
    const faults = [{ imageContains: 'private', fault: 'ErrImagePull', healedBy: 'pull-secret' }];
    await stack.simulator(`/kubernetes/${cluster.uid}/image-faults`, { method: 'POST', body: { faults } });
    await made(deployment('private'));
    const first = await advised('private', 'IMAGE_PULL_UNAUTHORIZED');
    expect(first.evidence).toMatchObject({ imagePullSecrets: [], secretsInNamespace: [] });
    await stack.does('kubernetes.registrySecret.create', {
      cluster: CLUSTER,
      namespace: NAMESPACE,
      name: 'regcred',
      server: 'example.com',
      username: 'ada',
      password: 'a password of this test',
    });
    const advice = await stack.until('the secret to be offered', async () => {
      const found = await advised('private', 'IMAGE_PULL_UNAUTHORIZED');
      return found.evidence.secretsInNamespace.includes('regcred') ? found : undefined;
    });
    expect(JSON.stringify(advice)).not.toContain('a password');
    await mended('private', advice.remedies[0]);
  });

  it('a container that ends again and again, with its last end', async () => {
    const crashing = deployment('crash');
    const template = (crashing.spec as { template: { metadata: Manifest } }).template;
    template.metadata.annotations = { 'simulator.pilothouse/pod-fault': 'CrashLoopBackOff' };
    await made(crashing);
    const advice = await advised('crash', 'CONTAINER_CRASHES');
    expect(advice.evidence).toMatchObject({ container: 'crash', lastTermination: { exitCode: 1, reason: 'Error' } });
  });

  it('nodes that have too little, with the numbers of each', async () => {
    const containers = [{ name: 'big', image: 'example.com/big:1', resources: { requests: { cpu: '64' } } }];
    await made(deployment('big', { containers }));
    const advice = await advised('big', 'NODES_TOO_SMALL');
    expect(advice.evidence).toMatchObject({ requests: { cpuMillicores: 64_000 } });
  });

  it('pods that the cluster refuses to make: the workload tells', async () => {
    await made(deployment('refused', { priorityClassName: 'not-there' }));
    const advice = await stack.until('the advice on the workload', async () => {
      const { body } = await stack.api(`/v1/workloads?namespace=${NAMESPACE}&name=refused`);
      const uid = body.items[0]?.uid;
      if (uid === undefined) return undefined;
      return (await stack.api(`/v1/workloads/${uid}/advice`)).body.items?.[0];
    });
    expect(advice).toMatchObject({
      code: 'PODS_REFUSED',
      evidence: { message: expect.stringContaining('not-there'), replicas: 1, made: 0 },
    });
  });

  it('pods that the quota of the namespace does not allow: the workload tells', async () => {
    const metadata = { name: 'small', namespace: 'quota' };
    await made(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'quota' } },
      { apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec: { hard: { pods: '1' } } },
    );
    const two = deployment('two');
    two.metadata = { name: 'two', namespace: 'quota' };
    (two.spec as Manifest).replicas = 2;
    await made(two);
    const seen = async (): Promise<Answer['body']> =>
      (await stack.api('/v1/workloads?namespace=quota&name=two')).body.items[0];
    const advice = await stack.until('the advice on the workload', async () => {
      const found = await seen();
      if (found === undefined) return undefined;
      const { body } = await stack.api(`/v1/workloads/${found.uid}/advice`);
      return body.items?.[0]?.remedies.length === 2 ? body.items[0] : undefined;
    });
    expect(advice).toMatchObject({ code: 'PODS_OVER_QUOTA', evidence: { replicas: 2, made: 1 } });
    const [scale] = advice.remedies[1].operations;
    await stack.does(scale.type, scale.input);
    await stack.until('the workload to be well', async () => (await seen()).health === 'Healthy');
  });

  it('nodes that are full: one node more, and the pods run', async () => {
    const containers = [{ name: 'half', image: 'example.com/half:1', resources: { requests: { cpu: '1100m' } } }];
    const half = deployment('half', { containers });
    (half.spec as Manifest).replicas = 2;
    await made(half);
    const advice = await stack.until('the numbers of the node', async () => {
      const found = await advised('half', 'NODES_TOO_FULL');
      return found.remedies[0].operations.length > 0 ? found : undefined;
    });
    const [scale] = advice.remedies[0].operations;
    expect(scale).toMatchObject({ type: 'aks.nodePool.scale', input: { count: 2 } });
    await stack.does(scale.type, scale.input);
    await stack.until('both pods to run', async () => {
      const pods = await podsOf('half');
      return pods.length === 2 && pods.every(({ health }) => health === 'Healthy');
    });
  });

  it('a workload on a hub is held by design, over GraphQL', async () => {
    await stack.does('fleet.roleAssignment.create', { fleet: HUB });
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
    const manifest = [namespace, deployment('held')].map((object) => JSON.stringify(object)).join('\n---\n');
    await stack.does('kubernetes.manifest.apply', { cluster: HUB, manifest });
    const held = await stack.until('the workload on the hub', async () => {
      const { body } = await stack.api(`/v1/workloads?namespace=${NAMESPACE}&name=held`);
      return body.items[0];
    });
    const { body } = await stack.graphql(
      'query ($uid: ID!) { resource(uid: $uid) { ... on Workload { advice { code severity } } } }',
      { uid: held.uid },
    );
    expect(body.data.resource.advice).toEqual([{ code: 'HELD_ON_HUB', severity: 'info' }]);
  });
});
