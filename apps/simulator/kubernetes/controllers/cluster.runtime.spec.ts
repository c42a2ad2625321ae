import { jsonText } from '#libs/kernel/json.js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { KubernetesCluster } from '../api/kubernetes.cluster.js';
import type { ObjectDraft } from '../cluster.objects.js';
import { ClusterHarness, deployment, loose, makeNamespace, pool, TESTER } from './cluster.harness.js';
import { type ClusterControllerOptions, POD_FAULT_ANNOTATION } from './controller.options.js';
import type { ClusterRuntime } from './cluster.runtime.js';
import type { Pod } from './kubernetes.types.js';

let harness: ClusterHarness;
let cluster: KubernetesCluster;
let runtime: ClusterRuntime;

function start(options: Partial<ClusterControllerOptions> = {}): void {
  ({ cluster, runtime } = harness.start('aks', options));
  makeNamespace(cluster.objects, 'demo');
}

beforeEach(() => {
  harness = new ClusterHarness();
});

afterEach(() => harness.close());

function pods(): Pod[] {
  return cluster.objects.list('pods', 'demo') as unknown as Pod[];
}

function reasons(): string[] {
  return cluster.objects.list('events', 'demo').map((event) => jsonText(event.reason));
}

function waiting(): string[] {
  return pods().map((pod) => pod.status?.containerStatuses?.[0]?.state.waiting?.reason ?? 'none');
}

describe('node pools', () => {
  it('become nodes as AKS names and labels them', () => {
    start();
    runtime.setNodePools([
      pool({ count: 2, zones: ['1', '2'], labels: { team: 'web' }, taints: ['kind=spot:NoSchedule'] }),
      pool({ name: 'npwin', osType: 'Windows', mode: 'User', vmSize: 'Standard_D4s_v5' }),
    ]);
    harness.pass(0);
    const nodes = cluster.objects.list('nodes');
    const names = nodes.map((node) => node.metadata.name);
    expect(names).toEqual([
      expect.stringMatching(/^aks-nodepool1-[0-9]{8}-vmss000000$/),
      expect.stringMatching(/^aks-nodepool1-[0-9]{8}-vmss000001$/),
      'aksnpwin000000',
    ]);
    expect(nodes[1]!.metadata.labels).toMatchObject({
      agentpool: 'nodepool1',
      'kubernetes.azure.com/agentpool': 'nodepool1',
      'kubernetes.azure.com/cluster': 'MC_aks_aks_eastus',
      'kubernetes.azure.com/mode': 'system',
      'kubernetes.io/os': 'linux',
      'node.kubernetes.io/instance-type': 'Standard_DS2_v2',
      'topology.kubernetes.io/zone': 'eastus-2',
      team: 'web',
    });
    expect(loose(nodes[0]).spec.taints).toEqual([{ key: 'kind', value: 'spot', effect: 'NoSchedule' }]);
    expect(loose(nodes[0]).status).toMatchObject({
      capacity: { cpu: '2', memory: '7119831Ki', pods: '30' },
      allocatable: { cpu: '1900m' },
      nodeInfo: { kubeletVersion: 'v1.33.5', operatingSystem: 'linux' },
    });
    expect(loose(nodes[2]).status).toMatchObject({ capacity: { cpu: '4' }, nodeInfo: { operatingSystem: 'windows' } });
  });

  it('lose the labels and taints that they lose, and keep what users set', () => {
    start();
    runtime.setNodePools([pool({ labels: { team: 'web' }, taints: ['kind=spot:NoSchedule'] })]);
    const { name } = cluster.objects.list('nodes')[0]!.metadata;
    cluster.objects.update('nodes', undefined, name, TESTER, (node) => {
      node.metadata.labels = { ...node.metadata.labels, mine: 'yes' };
      return node;
    });
    runtime.setNodePools([pool()]);
    const node = loose(cluster.objects.get('nodes', undefined, name));
    expect(node.metadata.labels).toMatchObject({ mine: 'yes' });
    expect(node.metadata.labels).not.toHaveProperty('team');
    expect(node.spec).not.toHaveProperty('taints');
  });

  it('take their pods with them when they shrink; the pods come up elsewhere', () => {
    start();
    runtime.setNodePools([pool({ count: 2 })]);
    cluster.objects.create(deployment('demo', 'web', { replicas: 4 }), TESTER);
    harness.pass(1);
    runtime.setNodePools([pool({ count: 1 })]);
    harness.pass(1);
    const [left] = cluster.objects.list('nodes');
    expect(pods().map((pod) => [pod.spec.nodeName, pod.status?.phase])).toEqual(
      Array.from({ length: 4 }, () => [left!.metadata.name, 'Running']),
    );
  });

  it('are where pods go when they come late', () => {
    start();
    cluster.objects.create(deployment('demo', 'web'), TESTER);
    harness.pass(1);
    expect(pods()[0]?.status?.conditions?.[0]).toMatchObject({
      reason: 'Unschedulable',
      message: 'no nodes available to schedule pods',
    });
    runtime.setNodePools([pool()]);
    harness.pass(1);
    expect(pods()[0]?.status?.phase).toBe('Running');
  });
});

describe('a pod', () => {
  it('goes from Pending by ContainerCreating to Running, with addresses of its node', () => {
    start({ podStartSeconds: 5 });
    runtime.setNodePools([pool()]);
    cluster.objects.create(deployment('demo', 'web'), TESTER);
    harness.pass(1);
    expect(waiting()).toEqual(['ContainerCreating']);
    expect(pods()[0]?.status).toMatchObject({ phase: 'Pending', hostIP: '10.224.0.4' });
    expect(pods()[0]?.status).not.toHaveProperty('podIP');
    harness.pass(10);
    expect(pods()[0]?.status).toMatchObject({
      phase: 'Running',
      podIP: '10.224.0.5',
      hostIP: '10.224.0.4',
      containerStatuses: [
        { name: 'web', ready: true, started: true, restartCount: 0, image: 'docker.io/library/web:1' },
      ],
    });
    expect(
      pods()[0]
        ?.status?.conditions?.map(({ type, status }) => `${type}=${status}`)
        .sort(),
    ).toEqual([
      'ContainersReady=True',
      'Initialized=True',
      'PodReadyToStartContainers=True',
      'PodScheduled=True',
      'Ready=True',
    ]);
    expect(reasons()).toEqual(
      expect.arrayContaining(['Scheduled', 'Pulled', 'Created', 'Started', 'SuccessfulCreate', 'ScalingReplicaSet']),
    );
  });

  it('ends within its grace period, and gives its address back', () => {
    start({ podStopSeconds: 10 });
    runtime.setNodePools([pool()]);
    cluster.objects.create(deployment('demo', 'web'), TESTER);
    harness.pass(1);
    const [before] = pods();
    cluster.objects.delete('pods', 'demo', before!.metadata.name, TESTER);
    harness.pass(1);
    const ending = pods().find((pod) => pod.metadata.name === before!.metadata.name);
    expect(ending?.metadata.deletionGracePeriodSeconds).toBe(30);
    expect(pods()).toHaveLength(2);
    harness.pass(15);
    expect(pods().map((pod) => pod.status?.phase)).toEqual(['Running']);
    cluster.objects.create(deployment('demo', 'next'), TESTER);
    harness.pass(1);
    expect(pods().map((pod) => pod.status?.podIP)).toContain(before!.status?.podIP);
  });

  const faults: { reason: string; annotation: string; later: string; phase: string }[] = [
    {
      reason: 'an image that cannot be pulled',
      annotation: 'ErrImagePull',
      later: 'ImagePullBackOff',
      phase: 'Pending',
    },
    { reason: 'a pull that waits', annotation: 'ImagePullBackOff', later: 'ImagePullBackOff', phase: 'Pending' },
    {
      reason: 'a container that ends at once',
      annotation: 'CrashLoopBackOff',
      later: 'CrashLoopBackOff',
      phase: 'Running',
    },
  ];
  it.each(faults)('can have $reason', ({ annotation, later, phase }) => {
    start();
    runtime.setNodePools([pool()]);
    const draft = deployment('demo', 'web') as unknown as { spec: { template: { metadata: object } } };
    draft.spec.template.metadata = { labels: { app: 'web' }, annotations: { [POD_FAULT_ANNOTATION]: annotation } };
    cluster.objects.create(draft as unknown as ObjectDraft, TESTER);
    harness.pass(1);
    expect(waiting()).toEqual([annotation]);
    harness.pass(60);
    expect(waiting()).toEqual([later]);
    expect(pods()[0]?.status?.phase).toBe(phase);
    expect(pods()[0]?.status?.containerStatuses?.[0]?.ready).toBe(false);
    if (later === 'CrashLoopBackOff')
      expect(pods()[0]?.status?.containerStatuses?.[0]?.restartCount).toBeGreaterThan(1);
  });

  it('can end again and again, and run in between', () => {
    start();
    runtime.setNodePools([pool()]);
    const draft = deployment('demo', 'web') as unknown as { spec: { template: { metadata: object } } };
    draft.spec.template.metadata = { labels: { app: 'web' }, annotations: { [POD_FAULT_ANNOTATION]: 'Restarts' } };
    cluster.objects.create(draft as unknown as ObjectDraft, TESTER);
    harness.pass(1);
    expect(pods()[0]?.status?.phase).toBe('Running');
    harness.pass(60);
    const [status] = pods()[0]?.status?.containerStatuses ?? [];
    expect(status).toMatchObject({
      state: { running: {} },
      lastState: { terminated: { exitCode: 1, reason: 'Error' } },
      ready: true,
    });
    // Longer each time: 1, 2, 4, 8, 16 seconds.
    expect(status?.restartCount).toBe(5);
    expect(pods()[0]?.status?.phase).toBe('Running');
  });

  it('is well as soon as the pull secret that it names is there', () => {
    start({
      imageFaults: [{ imageContains: 'private.azurecr.io/', fault: 'ErrImagePull', healedBy: 'pull-secret' }],
    });
    runtime.setNodePools([pool()]);
    const container = { name: 'web', image: 'private.azurecr.io/web:1' };
    const secret = { imagePullSecrets: [{ name: 'regcred' }] };
    cluster.objects.create(deployment('demo', 'web', {}, { containers: [container], ...secret }), TESTER);
    harness.pass(60);
    expect(waiting()).toEqual(['ImagePullBackOff']);
    cluster.objects.create(
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'regcred', namespace: 'demo' }, type: 'Opaque' },
      TESTER,
    );
    harness.pass(1);
    expect(pods()[0]?.status?.phase).toBe('Running');
  });

  it.each([
    { optional: false, before: ['ContainerCreating'], reason: 'needs' },
    { optional: true, before: ['none'], reason: 'can do without' },
  ])('waits for a secret that it $reason among its volumes', ({ optional, before }) => {
    start();
    runtime.setNodePools([pool()]);
    const volumes = [{ name: 'tls', secret: { secretName: 'certificate', optional } }];
    cluster.objects.create(deployment('demo', 'web', {}, { volumes }), TESTER);
    harness.pass(60);
    expect(waiting()).toEqual(before);
    expect(reasons().includes('FailedMount')).toBe(!optional);
    cluster.objects.create(
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'certificate', namespace: 'demo' }, type: 'Opaque' },
      TESTER,
    );
    harness.pass(60);
    expect(pods()[0]?.status?.phase).toBe('Running');
  });

  it('waits for a volume that is made where it will run', () => {
    start();
    runtime.setNodePools([pool()]);
    cluster.objects.create(
      {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'StorageClass',
        metadata: { name: 'managed-csi', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
        provisioner: 'disk.csi.azure.com',
        volumeBindingMode: 'WaitForFirstConsumer',
        reclaimPolicy: 'Delete',
      },
      TESTER,
    );
    cluster.objects.create(
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data', namespace: 'demo' },
        spec: {
          accessModes: ['ReadWriteOnce'],
          storageClassName: 'managed-csi',
          resources: { requests: { storage: '5Gi' } },
        },
      },
      TESTER,
    );
    harness.pass(1);
    expect(loose(cluster.objects.get('persistentvolumeclaims', 'demo', 'data')).status?.phase).toBe('Pending');
    const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
    cluster.objects.create(deployment('demo', 'web', {}, { volumes }), TESTER);
    harness.pass(1);
    expect(loose(cluster.objects.get('persistentvolumeclaims', 'demo', 'data')).status).toMatchObject({
      phase: 'Bound',
      capacity: { storage: '5Gi' },
    });
    expect(pods()[0]?.status?.phase).toBe('Running');
    cluster.objects.delete('persistentvolumeclaims', 'demo', 'data', TESTER);
    harness.pass(1);
    expect(cluster.objects.list('persistentvolumes')).toEqual([]);
  });
});

describe('a pod that does not run as root', () => {
  const DRIVER = 'disk.csi.akshci.com';
  const SECURITY = { runAsUser: 1000, fsGroup: 1000 };
  const AGENT = {
    name: 'agent',
    image: 'agent:1',
    terminationMessagePolicy: 'FallbackToLogsOnError',
    volumeMounts: [{ name: 'logs', mountPath: '/var/log' }],
  };

  function play(given: {
    provisioner?: string;
    parameters?: object;
    policy?: string;
    pod?: object;
    container?: object;
  }) {
    start();
    runtime.setNodePools([pool()]);
    const provisioner = given.provisioner ?? DRIVER;
    const storage = { apiVersion: 'storage.k8s.io/v1' };
    const drafts = [
      {
        ...storage,
        kind: 'CSIDriver',
        metadata: { name: DRIVER },
        spec: given.policy === undefined ? {} : { fsGroupPolicy: given.policy },
      },
      { ...storage, kind: 'StorageClass', metadata: { name: 'disk' }, provisioner, parameters: given.parameters ?? {} },
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'logs', namespace: 'demo' },
        spec: {
          accessModes: ['ReadWriteOnce'],
          storageClassName: 'disk',
          resources: { requests: { storage: '1Gi' } },
        },
      },
    ];
    for (const draft of drafts) cluster.objects.create(draft as ObjectDraft, TESTER);
    harness.pass(1);
    const template = {
      securityContext: SECURITY,
      volumes: [{ name: 'logs', persistentVolumeClaim: { claimName: 'logs' } }],
      ...given.pod,
      containers: [{ ...AGENT, ...given.container }],
    };
    cluster.objects.create(deployment('demo', 'agent', {}, template), TESTER);
    harness.pass(2);
  }

  it.each([
    { given: {}, state: 'CrashLoopBackOff', reason: 'the class names no file system' },
    { given: { policy: 'None' }, state: 'CrashLoopBackOff', reason: 'the driver hands over nothing' },
    {
      given: { pod: { securityContext: { runAsUser: 1000 } }, policy: 'File' },
      state: 'CrashLoopBackOff',
      reason: 'no group',
    },
    { given: { parameters: { fsType: 'ext4' } }, state: 'none', reason: 'the class names a file system' },
    { given: { policy: 'File' }, state: 'none', reason: 'the driver hands over every volume' },
    { given: { provisioner: 'disk.csi.azure.com' }, state: 'none', reason: 'the provisioner has a default of its own' },
    { given: { pod: { securityContext: {} } }, state: 'none', reason: 'it is root' },
    { given: { container: { securityContext: { runAsUser: 0 } } }, state: 'none', reason: 'its container is' },
    { given: { container: { volumeMounts: [] } }, state: 'none', reason: 'it mounts nothing' },
  ])('is $state: $reason', ({ given, state }) => {
    play(given);
    expect(waiting()).toEqual([state]);
  });

  it('says what was denied, and keeps failing until it is made anew', () => {
    play({});
    expect(pods()[0]?.status?.containerStatuses?.[0]?.lastState.terminated?.message).toBe(
      'Unable to initialize agent. Error: mkdir /var/log/agent: permission denied',
    );
    cluster.objects.update('csidrivers.storage.k8s.io', undefined, DRIVER, TESTER, (driver) => ({
      ...driver,
      spec: { ...loose(driver).spec, fsGroupPolicy: 'File' },
    }));
    harness.pass(30);
    expect(waiting()).toEqual(['CrashLoopBackOff']);
    cluster.objects.delete('pods', 'demo', pods()[0]!.metadata.name, TESTER);
    harness.pass(3);
    expect(waiting()).toEqual(['none']);
  });
});

describe('a service', () => {
  function serve(spec: object): void {
    cluster.objects.create(
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace: 'demo' },
        spec,
      } as unknown as ObjectDraft,
      TESTER,
    );
  }

  it('has the ready pods behind it, with the port that the container calls so', () => {
    start();
    runtime.setNodePools([pool()]);
    const ports = [{ name: 'http', containerPort: 8080 }];
    const containers = [{ name: 'web', image: 'web:1', ports }];
    cluster.objects.create(deployment('demo', 'web', { replicas: 2 }, { containers }), TESTER);
    serve({ selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] });
    harness.pass(1);
    const [slice, ...others] = cluster.objects.list('endpointslices.discovery.k8s.io', 'demo');
    expect(others).toEqual([]);
    expect(slice).toMatchObject({
      metadata: { labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      ports: [{ port: 8080, protocol: 'TCP' }],
    });
    const addresses = pods().map((pod) => pod.status?.podIP);
    expect((slice?.endpoints as { addresses: string[] }[]).map((endpoint) => endpoint.addresses[0])).toEqual(addresses);
    expect(cluster.objects.get('endpoints', 'demo', 'web')).toMatchObject({
      subsets: [{ addresses: addresses.map((ip) => expect.objectContaining({ ip })), ports: [{ port: 8080 }] }],
    });
    cluster.objects.delete('services', 'demo', 'web', TESTER);
    harness.pass(1);
    expect(cluster.objects.list('endpointslices.discovery.k8s.io', 'demo')).toEqual([]);
    expect(cluster.objects.get('endpoints', 'demo', 'web')).toBeUndefined();
  });

  it('gets a load balancer after a while, and gives it back', () => {
    const released: string[] = [];
    start({
      loadBalancerSeconds: 20,
      allocateLoadBalancerAddress: () => '20.1.2.3',
      releaseLoadBalancerAddress: ({ name }, address) => released.push(`${name} ${address}`),
    });
    serve({ type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 80 }] });
    harness.pass(10);
    expect(loose(cluster.objects.get('services', 'demo', 'web')).status).toEqual({ loadBalancer: {} });
    harness.pass(15);
    expect(loose(cluster.objects.get('services', 'demo', 'web')).status).toEqual({
      loadBalancer: { ingress: [{ ip: '20.1.2.3', ipMode: 'VIP' }] },
    });
    expect(reasons()).toEqual(['EnsuringLoadBalancer', 'EnsuredLoadBalancer']);
    cluster.objects.delete('services', 'demo', 'web', TESTER);
    harness.pass(1);
    expect(cluster.objects.get('services', 'demo', 'web')).toBeUndefined();
    expect(released).toEqual(['web 20.1.2.3']);
  });
});

describe('other workloads', () => {
  const template = {
    metadata: { labels: { app: 'x' } },
    spec: { containers: [{ name: 'x', image: 'x:1' }] },
  };

  function create(kind: string, spec: object, apiVersion = 'apps/v1'): void {
    cluster.objects.create(
      { apiVersion, kind, metadata: { name: 'x', namespace: 'demo' }, spec } as unknown as ObjectDraft,
      TESTER,
    );
  }

  it('a stateful set makes its pods in order and removes the last first', () => {
    start({ podStartSeconds: 5 });
    runtime.setNodePools([pool()]);
    create('StatefulSet', { replicas: 3, serviceName: 'x', selector: { matchLabels: { app: 'x' } }, template });
    harness.pass(2);
    expect(pods().map((pod) => pod.metadata.name)).toEqual(['x-0']);
    harness.pass(30);
    expect(pods().map((pod) => pod.metadata.name)).toEqual(['x-0', 'x-1', 'x-2']);
    expect(loose(cluster.objects.get('statefulsets.apps', 'demo', 'x')).status).toMatchObject({
      replicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
    });
    cluster.objects.update('statefulsets.apps', 'demo', 'x', TESTER, (object) => {
      (object.spec as { replicas: number }).replicas = 1;
      return object;
    });
    harness.pass(30);
    expect(pods().map((pod) => pod.metadata.name)).toEqual(['x-0']);
  });

  it('a stateful set renews its pods from the last to the first', () => {
    start();
    runtime.setNodePools([pool()]);
    create('StatefulSet', { replicas: 2, serviceName: 'x', selector: { matchLabels: { app: 'x' } }, template });
    harness.pass(1);
    const order: string[] = [];
    const stop = cluster.objects.subscribe(({ type, resource, object }) => {
      if (resource === 'pods' && type === 'DELETED') order.push(object.metadata.name);
    });
    cluster.objects.update('statefulsets.apps', 'demo', 'x', TESTER, (object) => {
      (object.spec as unknown as { template: Pod }).template.spec.containers[0]!.image = 'x:2';
      return object;
    });
    harness.pass(5);
    stop();
    expect(order).toEqual(['x-1', 'x-0']);
    const { status } = loose(cluster.objects.get('statefulsets.apps', 'demo', 'x'));
    expect(status).toMatchObject({ updatedReplicas: 2, readyReplicas: 2 });
    expect(status?.currentRevision).toBe(status?.updateRevision);
  });

  it('a daemon set has one pod on each node that it tolerates', () => {
    start();
    runtime.setNodePools([pool({ count: 2 }), pool({ name: 'spot', taints: ['kind=spot:NoSchedule'] })]);
    create('DaemonSet', { selector: { matchLabels: { app: 'x' } }, template });
    harness.pass(1);
    expect(new Set(pods().map((pod) => pod.spec.nodeName)).size).toBe(2);
    expect(loose(cluster.objects.get('daemonsets.apps', 'demo', 'x')).status).toMatchObject({
      desiredNumberScheduled: 2,
      numberReady: 2,
      numberAvailable: 2,
    });
    runtime.setNodePools([pool({ count: 3 }), pool({ name: 'spot', taints: ['kind=spot:NoSchedule'] })]);
    harness.pass(1);
    expect(pods()).toHaveLength(3);
  });

  it('a job is complete when enough of its pods have ended well', () => {
    start({ podStartSeconds: 1 });
    runtime.setNodePools([pool()]);
    const once = { ...template, spec: { ...template.spec, restartPolicy: 'Never' } };
    create('Job', { completions: 3, parallelism: 2, template: once }, 'batch/v1');
    harness.pass(30);
    expect(pods().map((pod) => pod.status?.phase)).toEqual(['Succeeded', 'Succeeded', 'Succeeded']);
    expect(loose(cluster.objects.get('jobs.batch', 'demo', 'x')).status).toMatchObject({
      succeeded: 3,
      conditions: [{ type: 'Complete', status: 'True' }],
    });
  });
});

describe('a cluster', () => {
  it('gives each namespace its default objects, and gives them again', () => {
    start();
    harness.pass(0);
    cluster.objects.delete('serviceaccounts', 'demo', 'default', TESTER);
    harness.pass(0);
    expect(cluster.objects.get('serviceaccounts', 'demo', 'default')).toBeDefined();
    expect(cluster.objects.get('configmaps', 'demo', 'kube-root-ca.crt')).toBeDefined();
  });

  it('goes on where it was when its controllers start again', () => {
    start();
    runtime.setNodePools([pool()]);
    cluster.objects.create(deployment('demo', 'web', { replicas: 2 }), TESTER);
    harness.pass(1);
    runtime.close();
    const [first] = pods();
    cluster.objects.delete('pods', 'demo', first!.metadata.name, TESTER);
    harness.pass(60);
    expect(pods().filter((pod) => pod.metadata.deletionTimestamp === undefined)).toHaveLength(1);
    const again = new ClusterHarness();
    again.clock.advance(harness.clock.now().getTime() - again.clock.now().getTime());
    const next = again.cluster('aks');
    next.restore(cluster.snapshot());
    again.adopt(next, 'aks');
    again.pass(60);
    const running = next.objects.list('pods', 'demo') as unknown as Pod[];
    expect(running.map((pod) => pod.status?.phase)).toEqual(['Running', 'Running']);
    expect(new Set(running.map((pod) => pod.status?.podIP)).size).toBe(2);
    again.close();
  });

  it('forgets events after an hour', () => {
    start();
    cluster.objects.create(deployment('demo', 'web'), TESTER);
    harness.pass(1);
    expect(reasons().length).toBeGreaterThan(0);
    harness.pass(3700);
    expect(reasons()).toEqual([]);
  });

  it('is the same in every run', () => {
    const run = (): string[] => {
      const own = new ClusterHarness();
      const { cluster: made, runtime: life } = own.start('same');
      life.setNodePools([pool({ count: 3 })]);
      makeNamespace(made.objects, 'demo');
      made.objects.create(deployment('demo', 'web', { replicas: 5 }), TESTER);
      own.pass(1);
      own.close();
      return (made.objects.list('pods', 'demo') as unknown as Pod[]).map(
        (pod) => `${pod.metadata.name} ${pod.spec.nodeName ?? ''} ${pod.status?.podIP ?? ''}`,
      );
    };
    expect(run()).toEqual(run());
  });
});
