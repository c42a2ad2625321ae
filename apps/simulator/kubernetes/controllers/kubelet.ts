import { deterministicHex } from '../../deterministic-id.js';
import type { Controller, ControllerContext } from './controller.js';
import { objectKey, splitKey } from './cluster.view.js';
import { POD_FAULT_ANNOTATION, type PodFault } from './controller.options.js';
import { nodeSlot, podAddressBlock } from './node-address.js';
import type { ClusterNode, Condition, Container, ContainerStatus, Pod, PodStatus } from './kubernetes.types.js';
import { controllerOf, isFinished } from './pod.state.js';
import { withCondition } from './status.condition.js';
import { volumeRefusal } from './volume.access.js';
import { kubernetesTime } from '../timestamp.js';
import type { WorkQueue } from './work.loop.js';
import { kubeletOf, WRITERS } from './writers.js';

/** How long a restart waits: doubled each time, up to five minutes. */
const FIRST_BACKOFF_MS = 10_000;
const LONGEST_BACKOFF_MS = 300_000;
const FAULTS: readonly string[] = [
  'ErrImagePull',
  'ImagePullBackOff',
  'CrashLoopBackOff',
  'Restarts',
] satisfies PodFault[];
/** How long a container runs that ends again and again: longer each time, up to twenty minutes. */
const FIRST_RUN_MS = 1_000;
const LONGEST_RUN_MS = 1_200_000;

/** What a pod goes through on its node. */
type Stage = 'assigned' | 'creating' | 'running' | 'failing' | 'ending' | 'finished';

/** All kubelets of a cluster: starts, keeps and ends the pods of its nodes. */
export class Kubelet implements Controller {
  readonly #queue: WorkQueue;
  /** Addresses in use, by node: the pods' objects tell them again after a restart. */
  readonly #addresses = new Map<string, Map<string, string>>();
  /** Since when an image cannot be pulled, in milliseconds since 1970, by pod. */
  readonly #pullAttempts = new Map<string, number>();
  /** What pods say whose volumes they cannot write to. */
  readonly #refusals = new Map<string, string>();

  constructor(private readonly context: ControllerContext) {
    const { view, loop } = context;
    this.#queue = loop.queue(`${view.cluster.key} kubelet`, (key) => this.#sync(key));
    view.on('pods', ({ type, object }) => {
      const key = objectKey(object.metadata);
      if (type === 'DELETED') this.#forget(object, key);
      else this.#admit(object, key);
    });
    view.on('nodes', ({ type, object, previous }) => {
      const before = readyStatus(previous);
      if (type === 'DELETED' || before !== readyStatus(object))
        for (const pod of view.podsOnNode(object.metadata.name)) this.#queue.add(objectKey(pod.metadata));
    });
    view.on('secrets', ({ type, object }) => {
      if (type !== 'ADDED') return;
      // A pull secret that comes later heals pods that wait for it.
      for (const key of this.#pullAttempts.keys())
        if (splitKey(key).namespace === object.metadata.namespace) this.#queue.add(key);
    });
    for (const pod of view.list('pods')) this.#admit(pod, objectKey(pod.metadata));
  }

  close(): void {
    this.#queue.close();
  }

  #admit(pod: Pod, key: string): void {
    const node = pod.spec.nodeName;
    if (node === undefined && pod.metadata.deletionTimestamp === undefined) return;
    if (node !== undefined && pod.status?.podIP !== undefined && pod.spec.hostNetwork !== true)
      this.#addressesOf(node).set(pod.status.podIP, key);
    this.#queue.add(key);
  }

  #forget(pod: Pod, key: string): void {
    const node = pod.spec.nodeName;
    this.#pullAttempts.delete(key);
    this.#refusals.delete(key);
    if (node === undefined || pod.status?.podIP === undefined) return;
    const addresses = this.#addressesOf(node);
    if (addresses.get(pod.status.podIP) === key) addresses.delete(pod.status.podIP);
  }

  #addressesOf(node: string): Map<string, string> {
    const addresses = this.#addresses.get(node) ?? new Map<string, string>();
    this.#addresses.set(node, addresses);
    return addresses;
  }

  #sync(key: string): void {
    const { view, options } = this.context;
    const { namespace, name } = splitKey(key);
    const pod = view.get('pods', namespace, name);
    if (pod === undefined) return;
    const node = pod.spec.nodeName === undefined ? undefined : view.get('nodes', undefined, pod.spec.nodeName);
    if (pod.spec.nodeName !== undefined && node === undefined) {
      // Its node is gone, and with it whoever could end it in order.
      this.#remove(pod, 'podGarbageCollector');
      return;
    }
    if (node !== undefined && options.runsPodsElsewhere(node)) return;
    const stage = stageOf(pod);
    if (stage === 'ending') {
      this.#end(pod);
      return;
    }
    if (node === undefined) return;
    if (readyStatus(node) !== 'True') {
      this.#markNotReady(pod, 'NodeNotReady');
      return;
    }
    switch (stage) {
      case 'assigned':
        this.#accept(pod, node);
        return;
      case 'creating':
        this.#start(pod, node);
        return;
      case 'failing':
        this.#start(pod, node);
        return;
      case 'running':
        this.#keep(pod);
        return;
      case 'finished':
        return;
    }
  }

  #now(): Date {
    return this.context.loop.clock.now();
  }

  /** Pending, with containers that are being created. */
  #accept(pod: Pod, node: ClusterNode): void {
    const { options } = this.context;
    const now = kubernetesTime(this.#now());
    const names = pod.spec.containers.map((container) => container.name).join(' ');
    this.#write(pod, (status) => ({
      ...status,
      phase: 'Pending',
      conditions: this.#conditions(status, now, {
        PodReadyToStartContainers: { status: 'False' },
        Initialized: { status: 'True' },
        Ready: { status: 'False', reason: 'ContainersNotReady', message: `containers with unready status: [${names}]` },
        ContainersReady: {
          status: 'False',
          reason: 'ContainersNotReady',
          message: `containers with unready status: [${names}]`,
        },
        PodScheduled: { status: 'True' },
      }),
      hostIP: hostAddress(node),
      hostIPs: [{ ip: hostAddress(node) }],
      startTime: now,
      containerStatuses: pod.spec.containers.map((container) => waiting(container, 'ContainerCreating', undefined, 0)),
    }));
    if (options.podStartSeconds > 0) this.#queue.addAfter(objectKey(pod.metadata), options.podStartSeconds * 1000);
  }

  #start(pod: Pod, node: ClusterNode): void {
    const { options } = this.context;
    const key = objectKey(pod.metadata);
    const now = this.#now();
    const readyAt = Date.parse(pod.status?.startTime ?? '') + Math.floor(options.podStartSeconds * 1000);
    // The start time has whole seconds only: never wait longer than was asked from now.
    if (stageOf(pod) === 'creating' && !this.#pullAttempts.has(key) && readyAt > now.getTime()) {
      this.#queue.addAt(key, readyAt);
      return;
    }
    if (stageOf(pod) === 'creating' && this.#waitsForSecret(pod)) return;
    const fault = this.#faultOf(pod);
    switch (fault) {
      case 'Restarts':
      case undefined: {
        // Volumes are given to the pod's group when they are mounted: what was refused once stays so for this pod.
        const refusal = this.#refusals.get(key) ?? volumeRefusal(pod, this.context.view);
        if (refusal !== undefined) {
          this.#refusals.set(key, refusal);
          this.#crash(pod, node, refusal);
          return;
        }
        this.#pullAttempts.delete(key);
        this.#run(pod, node);
        return;
      }
      case 'ErrImagePull':
      case 'ImagePullBackOff':
        this.#failPull(pod, fault);
        return;
      case 'CrashLoopBackOff':
        this.#crash(pod, node);
        return;
    }
  }

  /** A pod whose volume is a secret that is not there gets no containers until it is. */
  #waitsForSecret(pod: Pod): boolean {
    const volume = pod.spec.volumes?.find(
      ({ secret }) =>
        secret !== undefined &&
        secret.optional !== true &&
        this.context.view.get('secrets', pod.metadata.namespace, secret.secretName) === undefined,
    );
    if (volume === undefined) return false;
    const lack = `secret "${volume.secret?.secretName ?? ''}" not found`;
    this.#tell(pod, 'Warning', 'FailedMount', `MountVolume.SetUp failed for volume "${volume.name}" : ${lack}`);
    this.#queue.addAfter(objectKey(pod.metadata), FIRST_BACKOFF_MS);
    return true;
  }

  #faultOf(pod: Pod): PodFault | undefined {
    const own = pod.metadata.annotations?.[POD_FAULT_ANNOTATION];
    if (own !== undefined && FAULTS.includes(own)) return own as PodFault;
    const hasSecret = (pod.spec.imagePullSecrets ?? []).some(
      ({ name }) => this.context.view.get('secrets', pod.metadata.namespace, name) !== undefined,
    );
    return this.context.options.imageFaults.find(
      (fault) =>
        !(fault.healedBy === 'pull-secret' && hasSecret) &&
        pod.spec.containers.some((container) => container.image.includes(fault.imageContains)),
    )?.fault;
  }

  #run(pod: Pod, node: ClusterNode): void {
    const now = kubernetesTime(this.#now());
    const address = pod.spec.hostNetwork === true ? hostAddress(node) : this.#allocate(pod, node);
    if (address === undefined) {
      this.#tell(
        pod,
        'Warning',
        'FailedCreatePodSandBox',
        'Failed to create pod sandbox: no address is left on the node',
      );
      this.#queue.addAfter(objectKey(pod.metadata), FIRST_BACKOFF_MS);
      return;
    }
    this.#write(pod, (status) => ({
      ...status,
      phase: 'Running',
      conditions: this.#conditions(status, now, {
        PodReadyToStartContainers: { status: 'True' },
        Initialized: { status: 'True' },
        Ready: { status: 'True' },
        ContainersReady: { status: 'True' },
        PodScheduled: { status: 'True' },
      }),
      podIP: address,
      podIPs: [{ ip: address }],
      ...(pod.spec.initContainers === undefined
        ? {}
        : {
            initContainerStatuses: pod.spec.initContainers.map((container) => ({
              ...this.#completed(pod, container, now),
              ready: true,
            })),
          }),
      containerStatuses: pod.spec.containers.map((container) => this.#running(pod, container, now)),
    }));
    for (const container of pod.spec.containers) {
      this.#tell(pod, 'Normal', 'Pulled', `Container image "${container.image}" already present on machine`);
      this.#tell(pod, 'Normal', 'Created', `Created container: ${container.name}`);
      this.#tell(pod, 'Normal', 'Started', `Started container ${container.name}`);
    }
    if (runsToCompletion(pod)) this.#queue.addAfter(objectKey(pod.metadata), this.#runMilliseconds());
  }

  #runMilliseconds(): number {
    return Math.max(1, this.context.options.podStartSeconds * 1000);
  }

  /** Pods of jobs end well after a while; all others run until something ends them. */
  #keep(pod: Pod): void {
    const ready = pod.status?.conditions?.find((condition) => condition.type === 'Ready');
    if (ready?.reason === 'NodeNotReady') {
      const now = kubernetesTime(this.#now());
      this.#write(pod, (status) => ({
        ...status,
        conditions: this.#conditions(status, now, { Ready: { status: 'True' } }),
      }));
    }
    if (this.#faultOf(pod) === 'Restarts') {
      this.#restart(pod);
      return;
    }
    if (!runsToCompletion(pod)) return;
    const started = Date.parse(pod.status?.containerStatuses?.[0]?.state.running?.startedAt ?? '');
    const end = started + this.#runMilliseconds();
    if (end > this.#now().getTime()) {
      this.#queue.addAt(objectKey(pod.metadata), end);
      return;
    }
    const now = kubernetesTime(this.#now());
    this.#write(pod, (status) => ({
      ...status,
      phase: 'Succeeded',
      conditions: this.#conditions(status, now, {
        Ready: { status: 'False', reason: 'PodCompleted' },
        ContainersReady: { status: 'False', reason: 'PodCompleted' },
      }),
      containerStatuses: pod.spec.containers.map((container) => this.#completed(pod, container, now)),
    }));
  }

  #failPull(pod: Pod, fault: 'ErrImagePull' | 'ImagePullBackOff'): void {
    const key = objectKey(pod.metadata);
    const begun = this.#pullAttempts.get(key) ?? this.#now().getTime();
    this.#pullAttempts.set(key, begun);
    const first = fault === 'ErrImagePull' && this.#now().getTime() < begun + FIRST_BACKOFF_MS;
    const reason = first ? 'ErrImagePull' : 'ImagePullBackOff';
    const text = (image: string): string =>
      first
        ? `failed to pull and unpack image "${image}": failed to resolve reference "${image}": failed to authorize: failed to fetch anonymous token: unexpected status from GET request: 401 Unauthorized`
        : `Back-off pulling image "${image}"`;
    const already = pod.status?.containerStatuses?.every((status) => status.state.waiting?.reason === reason) ?? false;
    if (!already) {
      this.#write(pod, (status) => ({
        ...status,
        containerStatuses: pod.spec.containers.map((container) => waiting(container, reason, text(container.image), 0)),
      }));
      const image = pod.spec.containers[0]?.image ?? '';
      this.#tell(pod, 'Normal', 'Pulling', `Pulling image "${image}"`);
      this.#tell(
        pod,
        'Warning',
        'Failed',
        first ? `Failed to pull image "${image}": ${text(image)}` : `Error: ${reason}`,
      );
      if (!first) this.#tell(pod, 'Normal', 'BackOff', `Back-off pulling image "${image}"`);
    }
    if (first) this.#queue.addAt(key, begun + FIRST_BACKOFF_MS);
  }

  /** Ends the containers of a pod that has run for long enough, and starts them again at once. */
  #restart(pod: Pod): void {
    const before = pod.status?.containerStatuses?.[0];
    const startedAt = before?.state.running?.startedAt ?? '';
    const restarts = before?.restartCount ?? 0;
    const due = Date.parse(startedAt) + Math.min(LONGEST_RUN_MS, FIRST_RUN_MS * 2 ** restarts);
    if (due > this.#now().getTime()) {
      this.#queue.addAt(objectKey(pod.metadata), due);
      return;
    }
    const now = kubernetesTime(this.#now());
    this.#write(pod, (status) => ({
      ...status,
      containerStatuses: pod.spec.containers.map((container) => ({
        ...this.#running(pod, container, now),
        restartCount: restarts + 1,
        containerID: this.#containerId(pod, container, restarts + 1),
        lastState: {
          terminated: {
            exitCode: 1,
            reason: 'Error',
            startedAt,
            finishedAt: now,
            containerID: this.#containerId(pod, container, restarts),
          },
        },
      })),
    }));
    const image = pod.spec.containers[0]?.image ?? '';
    this.#tell(pod, 'Normal', 'Pulled', `Container image "${image}" already present on machine`);
  }

  /** @param said what the containers wrote last */
  #crash(pod: Pod, node: ClusterNode, said?: string): void {
    const key = objectKey(pod.metadata);
    const now = kubernetesTime(this.#now());
    const restarts = pod.status?.containerStatuses?.[0]?.restartCount ?? 0;
    const backoff = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** restarts);
    const lastEnd = pod.status?.containerStatuses?.[0]?.lastState.terminated?.finishedAt;
    const due = lastEnd === undefined ? 0 : Date.parse(lastEnd) + backoff;
    if (due > this.#now().getTime()) {
      this.#queue.addAt(key, due);
      return;
    }
    const address = pod.status?.podIP ?? this.#allocate(pod, node);
    const next = lastEnd === undefined ? 0 : restarts + 1;
    const wait = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** next) / 1000;
    const names = pod.spec.containers.map((container) => container.name).join(' ');
    const unready = { reason: 'ContainersNotReady', message: `containers with unready status: [${names}]` };
    this.#write(pod, (status) => ({
      ...status,
      phase: 'Running',
      conditions: this.#conditions(status, now, {
        PodReadyToStartContainers: { status: 'True' },
        Initialized: { status: 'True' },
        Ready: { status: 'False', ...unready },
        ContainersReady: { status: 'False', ...unready },
      }),
      ...(address === undefined ? {} : { podIP: address, podIPs: [{ ip: address }] }),
      containerStatuses: pod.spec.containers.map((container) => ({
        ...waiting(
          container,
          'CrashLoopBackOff',
          `back-off ${wait}s restarting failed container=${container.name} pod=${pod.metadata.name}_${pod.metadata.namespace ?? ''}(${pod.metadata.uid})`,
          next,
        ),
        lastState: {
          terminated: {
            exitCode: 1,
            reason: 'Error',
            ...(said !== undefined && container.terminationMessagePolicy === 'FallbackToLogsOnError'
              ? { message: said }
              : {}),
            startedAt: now,
            finishedAt: now,
            containerID: this.#containerId(pod, container, next),
          },
        },
      })),
    }));
    this.#tell(pod, 'Warning', 'BackOff', `Back-off restarting failed container ${names} in pod ${pod.metadata.name}`);
    this.#queue.addAt(key, this.#now().getTime() + wait * 1000);
  }

  #markNotReady(pod: Pod, reason: string): void {
    if (isFinished(pod) || pod.status?.phase !== 'Running') return;
    const now = kubernetesTime(this.#now());
    this.#write(pod, (status) => ({
      ...status,
      conditions: this.#conditions(status, now, { Ready: { status: 'False', reason } }),
    }));
  }

  /** A pod with a deletion time goes when its containers have stopped. */
  #end(pod: Pod): void {
    const deleted = Date.parse(pod.metadata.deletionTimestamp ?? '');
    const grace = (pod.metadata.deletionGracePeriodSeconds ?? 0) * 1000;
    // The deletion time lies in the future: it is when the grace period is over.
    const begun = deleted - grace;
    const stop = Math.min(deleted, begun + this.context.options.podStopSeconds * 1000);
    const running = pod.spec.nodeName !== undefined && pod.status?.phase === 'Running';
    if (running && stop > this.#now().getTime()) {
      this.#queue.addAt(objectKey(pod.metadata), stop);
      return;
    }
    this.#remove(pod, 'kubelet');
  }

  /** Containers end first, which makes the pod finished; only then it goes, and at once. */
  #remove(pod: Pod, by: 'kubelet' | 'podGarbageCollector'): void {
    const { view } = this.context;
    const { namespace, name } = pod.metadata;
    const now = kubernetesTime(this.#now());
    if (!isFinished(pod))
      this.#write(pod, (status) => ({
        ...status,
        phase: by === 'kubelet' ? 'Succeeded' : 'Failed',
        conditions: this.#conditions(status, now, {
          Ready: { status: 'False', reason: 'PodCompleted' },
          ContainersReady: { status: 'False', reason: 'PodCompleted' },
        }),
        ...(status.containerStatuses === undefined
          ? {}
          : { containerStatuses: pod.spec.containers.map((container) => this.#completed(pod, container, now)) }),
      }));
    const writer = by === 'kubelet' ? kubeletOf(pod.spec.nodeName ?? '') : WRITERS.podGarbageCollector;
    view.delete('pods', namespace, name, writer);
  }

  #allocate(pod: Pod, node: ClusterNode): string | undefined {
    const { options } = this.context;
    const addresses = this.#addressesOf(node.metadata.name);
    const key = objectKey(pod.metadata);
    const slot = nodeSlot(node, options);
    for (const address of podAddressBlock(slot, options)) {
      if (addresses.has(address)) continue;
      addresses.set(address, key);
      return address;
    }
    return undefined;
  }

  #conditions(
    status: PodStatus,
    now: string,
    changes: Record<string, Pick<Condition, 'status' | 'reason' | 'message'>>,
  ): Condition[] {
    let conditions = [...(status.conditions ?? [])];
    for (const [type, change] of Object.entries(changes))
      conditions = withCondition(conditions, { type, lastProbeTime: null, ...change }, now);
    return conditions;
  }

  #running(pod: Pod, container: Container, now: string): ContainerStatus {
    return {
      name: container.name,
      state: { running: { startedAt: now } },
      lastState: {},
      ready: true,
      restartCount: pod.status?.containerStatuses?.find((status) => status.name === container.name)?.restartCount ?? 0,
      image: fullImage(container.image),
      imageID: imageId(container.image),
      containerID: this.#containerId(pod, container, 0),
      started: true,
    };
  }

  #completed(pod: Pod, container: Container, now: string): ContainerStatus {
    const containerID = this.#containerId(pod, container, 0);
    return {
      name: container.name,
      state: { terminated: { exitCode: 0, reason: 'Completed', startedAt: now, finishedAt: now, containerID } },
      lastState: {},
      ready: false,
      restartCount: 0,
      image: fullImage(container.image),
      imageID: imageId(container.image),
      containerID,
      started: false,
    };
  }

  #containerId(pod: Pod, container: Container, attempt: number): string {
    return `containerd://${deterministicHex(`${objectKey(pod.metadata)}|${container.name}|${attempt}`, 64)}`;
  }

  #write(pod: Pod, change: (status: PodStatus) => PodStatus): void {
    const { namespace, name } = pod.metadata;
    this.context.view.updateStatus('pods', namespace, name, kubeletOf(pod.spec.nodeName ?? ''), (object) =>
      object.metadata.uid === pod.metadata.uid ? { ...object, status: change(object.status ?? {}) } : undefined,
    );
  }

  #tell(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const node = pod.spec.nodeName ?? '';
    this.context.events.record(pod, 'kubelet', kubeletOf(node), { type, reason, message }, node);
  }
}

function stageOf(pod: Pod): Stage {
  if (pod.metadata.deletionTimestamp !== undefined) return 'ending';
  if (isFinished(pod)) return 'finished';
  const statuses = pod.status?.containerStatuses;
  if (statuses === undefined || statuses.length === 0) return 'assigned';
  if (
    statuses.some((status) => status.state.waiting !== undefined && status.state.waiting.reason !== 'ContainerCreating')
  )
    return 'failing';
  return pod.status?.phase === 'Running' ? 'running' : 'creating';
}

function runsToCompletion(pod: Pod): boolean {
  return controllerOf(pod)?.kind === 'Job';
}

function readyStatus(node: ClusterNode | undefined): string | undefined {
  return node?.status?.conditions?.find((condition) => condition.type === 'Ready')?.status;
}

function hostAddress(node: ClusterNode): string {
  return node.status?.addresses?.find((address) => address.type === 'InternalIP')?.address ?? '';
}

function waiting(container: Container, reason: string, message: string | undefined, restarts: number): ContainerStatus {
  return {
    name: container.name,
    state: { waiting: { reason, ...(message === undefined ? {} : { message }) } },
    lastState: {},
    ready: false,
    restartCount: restarts,
    image: container.image,
    imageID: '',
    started: false,
  };
}

/** `nginx` is `docker.io/library/nginx:latest`, as container runtimes report it. */
function fullImage(image: string): string {
  const named = image.includes('@') || /:[^/]+$/.test(image) ? image : `${image}:latest`;
  const first = named.split('/')[0] ?? '';
  if (named.includes('/') && (first.includes('.') || first.includes(':') || first === 'localhost')) return named;
  return named.includes('/') ? `docker.io/${named}` : `docker.io/library/${named}`;
}

function imageId(image: string): string {
  const full = fullImage(image);
  const repository = full.replace(/@.*$/, '').replace(/:[^/:]+$/, '');
  return `${repository}@sha256:${deterministicHex(full, 64)}`;
}
