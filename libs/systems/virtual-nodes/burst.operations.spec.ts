import { describe, expect, it } from '@jest/globals';
import type { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { refusal } from '#libs/testing/fake-arm.js';
import { fakeRefusal } from '#libs/testing/fake-kube.js';
import { AZURE_SENTENCES as AZURE, earlyRefusal, presentRefusal } from '#libs/testing/provider-refusal-samples.js';
import {
  VIRTUAL_NODE,
  VirtualNodesWorld,
  WORKLOAD_ID,
  podOnVirtualNode,
  virtualNode,
  workloadOf,
} from '#libs/testing/virtual-nodes-world.js';
import { contextOf } from '../contract/system.contract-suite.js';
import { placement } from './burst.operations.js';

const DEPLOYMENT = { group: 'apps', kind: 'Deployment' };
const EARLY = 'virtual-kubelet-aci-connector-linux-westus';
/** As it is when it asks for the virtual node. */
const PLACED: JsonObject = {
  nodeSelector: { type: 'virtual-kubelet', 'kubernetes.io/os': 'linux' },
  tolerations: [{ key: 'virtual-kubelet.io/provider', operator: 'Exists' }],
};
const SIZED = { resources: { requests: { cpu: '1', memory: '1G' } } };
const container = (more: JsonObject, image = 'nginx:1.27'): JsonObject => ({
  containers: [{ name: 'web', image, ...SIZED, ...more }],
});

/** Of the Helm chart: it has none of the labels of the others. */
const CHART_NODE: KubernetesObject = {
  ...virtualNode('virtualnode-0'),
  metadata: { name: 'virtualnode-0', uid: 'v', labels: { virtualization: 'virtualnode2' } },
};

function pullSecret(server: string, name = 'regcred'): KubernetesObject {
  const content = JSON.stringify({ auths: { [server]: { username: 'puller', password: 'hidden' } } });
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/dockerconfigjson',
    metadata: { name, namespace: 'default' },
    data: { '.dockerconfigjson': Buffer.from(content).toString('base64') },
  };
}

const FORBIDDEN = fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'no');

function switchedOn(spec: JsonObject = {}): VirtualNodesWorld {
  const world = new VirtualNodesWorld();
  world.switchOn();
  world.cluster.add(workloadOf(spec));
  return world;
}

interface Row {
  code: string;
  reason: string;
  spec?: JsonObject;
  input?: JsonObject;
  workload?: string;
  arrange?: (world: VirtualNodesWorld) => void;
}

const ROWS: Row[] = [
  {
    code: 'error VOLUME_UNSUPPORTED',
    reason: 'a disk',
    spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] },
  },
  {
    code: 'error INIT_CONTAINERS_UNSUPPORTED',
    reason: 'with resources',
    spec: { initContainers: [{ name: 'init', image: 'busybox', ...SIZED }] },
  },
  {
    code: 'warning INIT_CONTAINERS_UNSUPPORTED',
    reason: 'plain ones run on the newer provider',
    spec: { initContainers: [{ name: 'init', image: 'busybox' }] },
  },
  {
    code: 'error HOST_PORTS_UNSUPPORTED',
    reason: 'there is no host',
    spec: container({ ports: [{ containerPort: 80, hostPort: 80 }] }),
  },
  { code: 'error HOST_NETWORK_UNSUPPORTED', reason: 'there is no host', spec: { hostNetwork: true } },
  { code: 'error HOST_ALIASES_UNSUPPORTED', reason: 'names of its own', spec: { hostAliases: [{ ip: '1.2.3.4' }] } },
  {
    code: 'error LIFECYCLE_HOOKS_UNSUPPORTED',
    reason: 'something to do before the end',
    spec: container({ lifecycle: { preStop: { exec: { command: ['sleep'] } } } }),
  },
  {
    code: 'error STARTUP_PROBES_UNSUPPORTED',
    reason: 'it starts slowly',
    spec: container({ startupProbe: { httpGet: { port: 80 } } }),
  },
  {
    code: 'error ARGUMENTS_WITHOUT_COMMAND',
    reason: 'the entry point of the image',
    spec: container({ args: ['-v'] }),
  },
  {
    code: 'error VOLUME_UNSUPPORTED',
    reason: 'a disk by its driver',
    spec: { volumes: [{ name: 'data', csi: { driver: 'disk.csi.azure.com' } }] },
  },
  {
    code: 'error VOLUME_UNSUPPORTED',
    reason: 'a share that nobody names',
    spec: { volumes: [{ name: 'data', csi: { driver: 'file.csi.azure.com', volumeAttributes: { shareName: 's' } } }] },
  },
  {
    code: 'error PROBES_UNSUPPORTED',
    reason: 'a TCP port',
    spec: container({ readinessProbe: { tcpSocket: { port: 80 } } }),
  },
  {
    code: 'error LIMITS_EXCEED_REQUESTS',
    reason: 'a limit above the request',
    spec: container({ resources: { requests: { cpu: '1', memory: '1G' }, limits: { cpu: '2' } } }),
  },
  { code: 'info SIZE_BY_DEFAULT', reason: 'it asks for nothing', spec: container({ resources: {} }) },
  {
    code: 'info SIZE_BY_DEFAULT',
    reason: 'it asks for CPU alone',
    spec: container({ resources: { requests: { cpu: '1' } } }),
  },
  {
    code: 'info SIZE_BY_DEFAULT',
    reason: 'it asks for memory alone',
    spec: container({ resources: { requests: { memory: '1G' } } }),
  },
  {
    code: 'warning PULL_SECRET_MISSING',
    reason: 'a registry that was perhaps told to let anybody in',
    spec: container({}, 'shop.azurecr.io/web:1'),
  },
  {
    code: 'warning PULL_SECRET_MISSING',
    reason: 'a registry that may let anybody in',
    spec: container({}, 'registry.example.com/web:1'),
  },
  {
    code: 'error PULL_SECRET_NOT_FOUND',
    reason: 'it names one that is not there',
    spec: { imagePullSecrets: [{ name: 'gone' }] },
  },
  {
    code: 'warning PULL_SECRET_UNFIT',
    reason: 'an address in place of a host',
    spec: { ...container({}, 'shop.azurecr.io/web:1'), imagePullSecrets: [{ name: 'regcred' }] },
    arrange: (world) => world.cluster.add(pullSecret('https://shop.azurecr.io')),
  },
  {
    code: 'warning PULL_SECRET_UNFIT',
    reason: 'one for another registry, where none may be needed',
    spec: { ...container({}, 'registry.example.com/web:1'), imagePullSecrets: [{ name: 'regcred' }] },
    arrange: (world) => world.cluster.add(pullSecret('shop.azurecr.io')),
  },
  {
    code: 'error PULL_SECRET_WRONG_TYPE',
    reason: 'a secret for something else',
    spec: { imagePullSecrets: [{ name: 'regcred' }] },
    arrange: (world) => world.cluster.add({ ...pullSecret('shop.azurecr.io'), type: 'Opaque' }),
  },
  {
    code: 'info PULL_SECRETS_UNKNOWN',
    reason: 'the service account may not be seen, and may name one',
    spec: container({}, 'shop.azurecr.io/web:1'),
    arrange: (world) => world.cluster.refuse({ verb: 'get', kind: 'ServiceAccount' }, FORBIDDEN),
  },
  {
    code: 'info PULL_SECRETS_UNKNOWN',
    reason: 'secrets may not be seen',
    spec: { ...container({}, 'shop.azurecr.io/web:1'), imagePullSecrets: [{ name: 'regcred' }] },
    arrange: (world) =>
      world.cluster.refuse({ verb: 'list', kind: 'Secret' }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'no')),
  },
  {
    code: 'error GROUP_QUOTA_SHORT',
    reason: 'one group too many',
    input: { replicas: 3 },
    arrange: (world) => world.setUsage(98, 100),
  },
  {
    code: 'error CORE_QUOTA_SHORT',
    reason: 'a tenth of a core for each of three',
    input: { replicas: 3 },
    arrange: (world) => world.setUsage(1, 100, [9.8, 10]),
  },
  {
    code: 'warning QUOTA_NEARLY_USED',
    reason: 'it fits, and the next will not',
    input: { replicas: 3 },
    arrange: (world) => world.setUsage(95, 100),
  },
  { code: 'error ADDRESSES_SHORT', reason: '251 addresses', input: { replicas: 300 } },
  { code: 'warning ADDRESSES_NEARLY_USED', reason: '251 addresses', input: { replicas: 240 } },
  {
    code: 'error POD_TOO_LARGE',
    reason: 'more memory than a group can have',
    spec: container({ resources: { requests: { cpu: '1', memory: '32G' } } }),
  },
  {
    code: 'info CAPACITY_UNKNOWN',
    reason: 'the quota may not be read',
    arrange: (world) => world.arm.answer('GET', /usages$/, refusal(403, 'AuthorizationFailed', 'no')),
  },
  {
    code: 'info CAPACITY_UNKNOWN',
    reason: 'what a group can have may not be read',
    arrange: (world) => world.arm.answer('GET', /capabilities$/, refusal(403, 'AuthorizationFailed', 'no')),
  },
  {
    code: 'info CAPACITY_UNKNOWN',
    reason: 'the subnet may not be read',
    arrange: (world) => world.arm.answer('GET', /subnets\/aci$/, refusal(403, 'AuthorizationFailed', 'no')),
  },
  {
    code: 'error WORKLOAD_NOT_FOUND',
    reason: 'it was deleted',
    arrange: (world) => world.cluster.remove(DEPLOYMENT, 'default', 'web'),
  },
  {
    code: 'error WORKLOAD_TYPE_UNSUPPORTED',
    reason: 'one pod per machine',
    workload: WORKLOAD_ID.replace('Deployment', 'DaemonSet'),
    arrange: (world) => world.cluster.add(workloadOf({}, 'DaemonSet')),
  },
  { code: 'error VIRTUAL_NODE_NOT_FOUND', reason: 'another name', input: { virtualNode: 'other' } },
  {
    code: 'error VIRTUAL_NODE_NOT_READY',
    reason: 'its connector is down',
    arrange: (world) => world.cluster.add(virtualNode(undefined, { ready: 'Unknown' })),
  },
  { code: 'error SELECTOR_CONFLICT', reason: 'it wants disks', spec: { nodeSelector: { disk: 'ssd' } } },
  {
    code: 'warning PUBLIC_ADDRESSES',
    reason: 'the early connector',
    input: { virtualNode: EARLY },
    arrange: (world) =>
      world.cluster.add(virtualNode(EARLY, { taints: [{ key: 'azure.com/aci', effect: 'NoSchedule' }] })),
  },
  {
    code: 'warning TILLER_WITHOUT_RIGHTS',
    reason: 'the early connector was installed through it',
    input: { virtualNode: EARLY },
    arrange: (world) =>
      world.cluster.add(virtualNode(EARLY, { taints: [{ key: 'azure.com/aci', effect: 'NoSchedule' }] }), {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'tiller-deploy', namespace: 'kube-system' },
        spec: { template: { spec: { containers: [] } } },
      }),
  },
  {
    code: 'warning SHORT_SERVICE_NAMES',
    reason: 'a database by its bare name',
    spec: container({ env: [{ name: 'DB', value: 'mssql-deployment:1433' }] }),
    arrange: (world) =>
      world.cluster.add({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'mssql-deployment', namespace: 'default' },
      }),
  },
  {
    code: 'error ACCESS_DENIED',
    reason: 'a reader',
    arrange: (world) => {
      world.cluster.mayI = () => Promise.resolve({ allowed: false, reason: 'no' });
    },
  },
  {
    code: 'info PLACED_ALREADY',
    reason: 'it is as it should be',
    spec: PLACED,
  },
];

describe('what is checked before a workload bursts', () => {
  it.each(ROWS)('$code: $reason', async ({ code, spec, input, workload, arrange }) => {
    const world = switchedOn(spec);
    arrange?.(world);
    expect(await world.burst(input, workload).codes()).toContain(code);
    expect(world.kube.writes()).toEqual([]);
  });

  it('has a row for each finding', () => {
    const codes = new Set(ROWS.map(({ code }) => code.split(' ')[1]));
    expect([...codes].sort()).toEqual(Object.keys(switchedOn().burst().operation.findings).sort());
  });

  it('finds nothing against a plain workload', async () => {
    expect(await switchedOn().burst().codes()).toEqual([]);
  });

  it.each<{ reason: string; pods: number; input: JsonObject; found: string[] }>([
    { reason: 'pods that are there need no room', pods: 3, input: { replicas: 5 }, found: [] },
    { reason: 'those that come do', pods: 2, input: { replicas: 5 }, found: ['GROUP_QUOTA_SHORT'] },
    { reason: 'fewer pods need none', pods: 3, input: { replicas: 1 }, found: [] },
  ])('counts what has to come: $reason', async ({ pods, input, found }) => {
    const world = switchedOn(PLACED);
    for (let index = 0; index < pods; index++) world.cluster.add(podOnVirtualNode(`web-${index}`));
    world.setUsage(10, 12);
    const codes = (await world.burst(input).codes()).filter((code) => code.startsWith('error'));
    expect(codes).toEqual(found.map((code) => `error ${code}`));
  });

  it.each<{ reason: string; cpu: string; memory: string; largest: [number, number][]; pods: number; found: string[] }>([
    {
      reason: 'it fits the larger size',
      cpu: '2',
      memory: '32G',
      largest: [
        [4, 16],
        [2, 64],
      ],
      pods: 0,
      found: [],
    },
    {
      reason: 'whichever comes first',
      cpu: '2',
      memory: '32G',
      largest: [
        [2, 64],
        [4, 16],
      ],
      pods: 0,
      found: [],
    },
    {
      reason: 'it fits none of both',
      cpu: '4',
      memory: '32G',
      largest: [
        [4, 16],
        [2, 64],
      ],
      pods: 0,
      found: ['error POD_TOO_LARGE'],
    },
    { reason: 'none is to come', cpu: '8', memory: '32G', largest: [[4, 16]], pods: 1, found: [] },
  ])('judges the size of a pod that is to come: $reason', async ({ cpu, memory, largest, pods, found }) => {
    const world = switchedOn({ ...PLACED, ...container({ resources: { requests: { cpu, memory } } }) });
    world.setLargestGroups(...largest);
    for (let index = 0; index < pods; index++) world.cluster.add(podOnVirtualNode(`web-${index}`));
    const codes = (await world.burst().codes()).filter((code) => code.startsWith('error'));
    expect(codes).toEqual(found);
  });

  it('counts cores without a tail that is none of theirs', async () => {
    const world = switchedOn(container({ resources: { requests: { cpu: '140m', memory: '1G' } } }));
    world.setUsage(1, 1000, [1, 15]);
    const codes = await world.burst({ replicas: 100 }).codes();
    expect(codes).toEqual(['warning QUOTA_NEARLY_USED']);
  });

  it.each<{ reason: string; spec: JsonObject; account?: JsonObject }>([
    { reason: 'the pods name it', spec: { imagePullSecrets: [{ name: 'regcred' }] } },
    { reason: 'their service account names it', spec: {}, account: { imagePullSecrets: [{ name: 'regcred' }] } },
  ])('has nothing against a secret for the host of the registry: $reason', async ({ spec, account = {} }) => {
    const world = switchedOn({ ...container({}, 'shop.azurecr.io/web:1'), ...spec });
    const metadata = { name: 'default', namespace: 'default' };
    world.cluster.add(pullSecret('shop.azurecr.io'), {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata,
      ...account,
    });
    expect(await world.burst().codes()).toEqual([]);
  });

  it('offers the secret that fits, and tells nothing of what is in it', async () => {
    const world = switchedOn(container({}, 'shop.azurecr.io/web:1'));
    world.cluster.add(pullSecret('shop.azurecr.io'));
    const findings = await world.burst().findings();
    expect(findings).toMatchObject([
      {
        code: 'PULL_SECRET_MISSING',
        operations: [{ type: 'kubernetes.workload.patch', input: { workload: WORKLOAD_ID } }],
      },
    ]);
    expect(JSON.stringify(findings)).not.toMatch(/puller|hidden/);
  });

  it('offers the secrets for all registries at once, since the list is replaced as a whole', async () => {
    const containers = ['shop', 'tools'].map((name) => ({ name, image: `${name}.azurecr.io/a:1`, ...SIZED }));
    const world = switchedOn({ containers });
    world.cluster.add(pullSecret('shop.azurecr.io', 'shop'), pullSecret('tools.azurecr.io', 'tools'));
    const imagePullSecrets = [{ name: 'shop' }, { name: 'tools' }];
    const patch = JSON.stringify({ spec: { template: { spec: { imagePullSecrets } } } });
    const operations = [{ type: 'kubernetes.workload.patch', input: { workload: WORKLOAD_ID, patch } }];
    expect(await world.burst().findings()).toMatchObject(['shop', 'tools'].map(() => ({ operations })));
  });

  it('says nothing against a pod whose service account may name a secret that it may not see', async () => {
    const world = switchedOn(container({}, 'shop.azurecr.io/web:1'));
    world.cluster.refuse({ verb: 'get', kind: 'ServiceAccount' }, FORBIDDEN);
    expect(await world.burst().codes()).toEqual(['info PULL_SECRETS_UNKNOWN']);
  });

  it('does not say that a secret has to be made where it may not see which are there', async () => {
    const world = switchedOn(container({}, 'shop.azurecr.io/web:1'));
    world.cluster.refuse({ verb: 'list', kind: 'Secret' }, FORBIDDEN);
    const findings = await world.burst().findings();
    expect(findings.map(({ code }) => code)).toEqual(['PULL_SECRET_MISSING']);
    expect(findings[0]?.remedy).toContain('where the namespace has none');
  });

  it('offers requests as high as the limits', async () => {
    const resources = { requests: { cpu: '1', memory: '1G' }, limits: { cpu: '2', memory: '1G' } };
    const containers = [{ name: 'web', resources: { requests: { cpu: '2' } } }];
    expect(await switchedOn(container({ resources })).burst().findings()).toMatchObject([
      {
        code: 'LIMITS_EXCEED_REQUESTS',
        operations: [
          {
            type: 'kubernetes.workload.patch',
            input: { patch: JSON.stringify({ spec: { template: { spec: { containers } } } }), mergeContainers: true },
          },
        ],
      },
    ]);
  });

  it('takes a share of Azure Files by its driver', async () => {
    const csi = { driver: 'file.csi.azure.com', volumeAttributes: { shareName: 's', secretName: 'a' } };
    expect(
      await switchedOn({ volumes: [{ name: 'data', csi }] })
        .burst()
        .codes(),
    ).toEqual([]);
  });

  it.each<{ reason: string; spec: JsonObject; found: string[] }>([
    {
      reason: 'plain init containers, hooks, aliases and claims run there',
      spec: {
        ...container({ lifecycle: { preStop: { exec: { command: ['sleep'] } } } }),
        initContainers: [{ name: 'init', image: 'busybox', ...SIZED }],
        hostAliases: [{ ip: '1.2.3.4' }],
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
      },
      found: [],
    },
    {
      reason: 'limits above the requests are taken',
      spec: container({ resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '2250m' } } }),
      found: [],
    },
    {
      reason: 'what nobody knows is a warning',
      spec: container({ startupProbe: { httpGet: { port: 80 } } }, 'shop.azurecr.io/web:1'),
      found: ['warning PULL_SECRET_MISSING', 'warning STARTUP_PROBES_UNSUPPORTED'],
    },
  ])('knows that the newer virtual nodes can more: $reason', async ({ spec, found }) => {
    const world = switchedOn(spec);
    world.cluster.remove({ group: '', kind: 'Node' }, undefined, VIRTUAL_NODE);
    world.cluster.add(CHART_NODE);
    expect((await world.burst().codes()).sort()).toEqual(found);
  });

  it('asks for the room where the early connector has its container groups', async () => {
    const world = switchedOn();
    world.cluster.add(virtualNode(EARLY, { taints: [{ key: 'azure.com/aci', effect: 'NoSchedule' }] }));
    await world.burst({ virtualNode: EARLY }).codes();
    const asked = world.arm.requests.map(({ path }) => path).filter((path) => path.includes('/locations/'));
    expect(asked).toEqual([expect.stringMatching(/westus\/capabilities$/), expect.stringMatching(/westus\/usages$/)]);
  });

  it('asks Azure nothing about a cluster that is not its own', async () => {
    const world = switchedOn();
    world.clusterKind = 'AttachedCluster';
    expect(await world.burst({ replicas: 300 }).codes()).toEqual([]);
    expect(world.arm.requests).toEqual([]);
  });

  it('says nothing of service names where it may not see services', async () => {
    const world = switchedOn(container({ env: [{ name: 'DB', value: 'db' }] }));
    world.cluster.refuse({ verb: 'list', kind: 'Service' }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'no'));
    expect(await world.burst().codes()).toEqual([]);
  });
});

describe('what is added so that pods go to a virtual node', () => {
  const provider = { key: 'virtual-kubelet.io/provider', operator: 'Exists', effect: 'NoSchedule' };
  const selector = { type: 'virtual-kubelet', 'kubernetes.io/os': 'linux' };

  it.each([
    { reason: 'everything', spec: {}, expected: { nodeSelector: selector, tolerations: [provider] } },
    {
      reason: 'beside what is there',
      spec: { nodeSelector: { type: 'virtual-kubelet' }, tolerations: [{ key: 'gpu', operator: 'Exists' }] },
      expected: {
        nodeSelector: { 'kubernetes.io/os': 'linux' },
        tolerations: [{ key: 'gpu', operator: 'Exists' }, provider],
      },
    },
    {
      reason: 'the taint of another connector is not this one',
      spec: { nodeSelector: selector, tolerations: [{ key: 'azure.com/aci', effect: 'NoSchedule' }] },
      expected: { tolerations: [{ key: 'azure.com/aci', effect: 'NoSchedule' }, provider] },
    },
    {
      reason: 'nothing where all taints are tolerated',
      spec: { nodeSelector: selector, tolerations: [{ operator: 'Exists' }] },
      expected: undefined,
    },
    {
      reason: 'nothing where the value fits as well',
      spec: { nodeSelector: selector, tolerations: [{ key: 'virtual-kubelet.io/provider', value: 'azure' }] },
      expected: undefined,
    },
  ])('$reason', ({ spec, expected }) => {
    expect(placement(spec, virtualNode())).toEqual(expected);
  });

  it('is the old taint for the early connector', () => {
    const early = virtualNode(EARLY, { taints: [{ key: 'azure.com/aci', effect: 'NoSchedule' }] });
    expect(placement({ nodeSelector: selector }, early)).toEqual({
      tolerations: [{ key: 'azure.com/aci', operator: 'Exists', effect: 'NoSchedule' }],
    });
  });
});

it('asks for the newer virtual nodes by the label that they have', () => {
  expect(placement({}, CHART_NODE)).toEqual({
    nodeSelector: { virtualization: 'virtualnode2' },
    tolerations: [{ key: 'virtual-kubelet.io/provider', operator: 'Exists', effect: 'NoSchedule' }],
  });
});

describe('the steps of a burst', () => {
  /** After the workload was placed. */
  function settling(world: VirtualNodesWorld, input: JsonObject = {}) {
    const { operation } = world.burst(input);
    const { references } = world.burst(input).context();
    const parsed = operation.input.parse({ workload: WORKLOAD_ID, ...input });
    const context = { ...contextOf(operation, parsed, references), outputs: { place: { virtualNode: VIRTUAL_NODE } } };
    const settle = operation.steps.find(({ name }) => name === 'settle')!;
    return {
      run: () => settle.run({ ...context, resumeToken: undefined, attempt: 1 }),
      verify: () => operation.verify(context),
    };
  }

  it('changes the template and the number in one write, and only once', async () => {
    const world = switchedOn();
    const play = world.burst({ replicas: 3 });
    expect(await play.step('place')).toMatchObject({ outcome: 'done', output: { virtualNode: VIRTUAL_NODE } });
    expect(world.cluster.object(DEPLOYMENT, 'default', 'web')).toMatchObject({
      spec: {
        replicas: 3,
        template: { spec: { nodeSelector: { type: 'virtual-kubelet' }, containers: [{ name: 'web' }] } },
      },
    });
    expect((await play.step('place')).outcome).toBe('done');
    expect(world.kube.writes()).toHaveLength(1);
  });

  it('prefers the virtual node of the add-on', async () => {
    const world = switchedOn();
    world.cluster.add(virtualNode(EARLY, { taints: [{ key: 'azure.com/aci', effect: 'NoSchedule' }] }));
    expect(await world.burst().step('place')).toMatchObject({ output: { virtualNode: VIRTUAL_NODE } });
  });

  it('waits until every pod is ready on the virtual node', async () => {
    const world = switchedOn(PLACED);
    expect((await settling(world).run()).outcome).toBe('wait');
    world.cluster.add(podOnVirtualNode('web-0', { conditions: [{ type: 'Ready', status: 'False' }] }));
    expect((await settling(world).run()).outcome).toBe('wait');
    world.cluster.add(podOnVirtualNode('web-0'));
    expect((await settling(world).run()).outcome).toBe('done');
    expect(await settling(world).verify()).toMatchObject({ verdict: 'reached', result: { readyOnVirtualNode: 1 } });
  });

  it.each<{ azureCode: string; message: string; code: string; operations: string[] }>([
    { azureCode: 'InaccessibleImage', message: AZURE.image, code: 'PROVIDER_IMAGE_INACCESSIBLE', operations: [] },
    { azureCode: 'ContainerGroupQuotaReached', message: AZURE.quota, code: 'PROVIDER_QUOTA_EXCEEDED', operations: [] },
    {
      azureCode: 'ContainerLimitGreaterThanContainerGroupTotalRequest',
      message: AZURE.limits,
      code: 'PROVIDER_LIMITS_EXCEED_REQUESTS',
      operations: ['kubernetes.workload.patch'],
    },
    { azureCode: 'SubnetIsFull', message: AZURE.subnet, code: 'PROVIDER_SUBNET_FULL', operations: [] },
    { azureCode: 'ServiceUnavailable', message: AZURE.capacity, code: 'PROVIDER_NO_CAPACITY', operations: [] },
    {
      azureCode: 'ServerTimeout',
      message: AZURE.timeout,
      code: 'PROVIDER_TIMEOUT',
      operations: ['kubernetes.object.delete', 'kubernetes.object.delete'],
    },
    {
      azureCode: 'SomethingNew',
      message: 'words',
      code: 'PROVIDER_FAILED',
      operations: ['kubernetes.object.delete', 'kubernetes.object.delete'],
    },
  ])('ends with what Azure has refused: $azureCode', async ({ azureCode, message, code, operations }) => {
    for (const words of [earlyRefusal(400, azureCode, message), presentRefusal(400, azureCode, message)]) {
      const world = switchedOn();
      const status = { phase: 'Pending', reason: 'ProviderFailed', message: words, conditions: [] };
      const resources = { requests: { cpu: '500m' }, limits: { cpu: '2' } };
      const spec = { nodeName: VIRTUAL_NODE, containers: [{ name: 'web', resources }] };
      world.cluster.add({ ...podOnVirtualNode('web-0', status), spec }, podOnVirtualNode('web-1', status));
      const error = await settling(world)
        .run()
        .then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
      expect(error).toMatchObject({
        code: 'VERIFICATION_FAILED',
        externalCode: azureCode,
        remedy: expect.any(String),
        diagnosis: { code, evidence: { pod: 'web-0', alike: 1, said: message } },
      });
      expect((error as ControlError).diagnosis?.operations.map(({ type }) => type)).toEqual(operations);
    }
  });

  it('ends with what the connector itself cannot do, and offers no loop', async () => {
    const world = switchedOn();
    const message = 'ACI does not support lifecycle hooks';
    world.cluster.add(
      podOnVirtualNode('web-0', { phase: 'Pending', reason: 'ProviderFailed', message, conditions: [] }),
    );
    await expect(settling(world).run()).rejects.toMatchObject({
      externalCode: undefined,
      diagnosis: { code: 'PROVIDER_POD_UNSUPPORTED', operations: [] },
    });
  });

  it('does not wait where nobody wants it, and misses what others have changed', async () => {
    const world = switchedOn();
    expect((await settling(world, { waitForAvailable: false }).run()).outcome).toBe('done');
    expect(await settling(world, { waitForAvailable: false }).verify()).toMatchObject({ verdict: 'missed' });
    expect(await settling(world, { replicas: 7 }).verify()).toMatchObject({ verdict: 'missed' });
  });
});
