import type { JsonObject } from '#libs/kernel/json.js';
import { deterministicHex } from '../../deterministic-id.js';
import { milliCores, quantityValue } from '../schema/quantity.js';
import { kubernetesTime } from '../timestamp.js';
import { isEarlyNode, isVirtualNode } from '../virtual-node.objects.js';
import { objectKey, splitKey } from './cluster.view.js';
import { refusalWords } from './connector.words.js';
import type { ContainerGroupPort, SeenContainerGroup } from './container-group.port.js';
import type { Controller, ControllerContext } from './controller.js';
import type { ClusterNode, Condition, Container, ContainerStatus, Pod, PodStatus } from './kubernetes.types.js';
import { isFinished } from './pod.state.js';
import { unsupportedOnContainerInstances } from './virtual-kubelet.limits.js';
import { withCondition } from './status.condition.js';
import type { WorkQueue } from './work.loop.js';
import { kubeletOf } from './writers.js';

/** What a container gets that asks for nothing. */
const DEFAULT_CPU = 1;
const DEFAULT_MEMORY_GB = 1.5;
const GB = 1_000_000_000;
/** What the connector says of a pod whose group has gone without its doing. */
const GONE = 'The pod may have been deleted from the provider';

/** Runs the pods of virtual nodes as container groups; what Azure refuses is not tried again. */
export class VirtualKubelet implements Controller {
  readonly #queue: WorkQueue;
  readonly #stop: () => void;
  /** Which pod a group is for: names of groups cannot be taken apart. */
  readonly #pods = new Map<string, string>();

  constructor(
    private readonly context: ControllerContext,
    private readonly groups: ContainerGroupPort,
  ) {
    const { view, loop } = context;
    this.#queue = loop.queue(`${view.cluster.key} virtual kubelet`, (key) => this.#sync(key));
    view.on('pods', ({ type, object }) => {
      if (this.#nodeOf(object) === undefined) return;
      if (type === 'DELETED') this.#forget(object);
      else this.#admit(object);
    });
    view.on('nodes', ({ type, object }) => {
      if (type === 'DELETED' || !isVirtualNode(object)) return;
      for (const pod of view.podsOnNode(object.metadata.name)) this.#admit(pod);
    });
    this.#stop = groups.onChange((name) => {
      const key = this.#pods.get(name);
      if (key !== undefined) this.#queue.add(key);
    });
    for (const pod of view.list('pods')) if (this.#nodeOf(pod) !== undefined) this.#admit(pod);
  }

  close(): void {
    this.#stop();
    this.#queue.close();
  }

  #nodeOf(pod: Pod): ClusterNode | undefined {
    const node =
      pod.spec.nodeName === undefined ? undefined : this.context.view.get('nodes', undefined, pod.spec.nodeName);
    // A node that is not ready is one whose connector is dead: nobody runs its pods, or ends them.
    const lives = node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
    return node !== undefined && isVirtualNode(node) && lives === true ? node : undefined;
  }

  #admit(pod: Pod): void {
    const key = objectKey(pod.metadata);
    this.#pods.set(groupName(pod), key);
    this.#queue.add(key);
  }

  /** A pod that was taken away by force leaves its group to be found. */
  #forget(pod: Pod): void {
    const name = groupName(pod);
    this.#pods.delete(name);
    const group = this.groups.find(name);
    if (group?.podUid === pod.metadata.uid && !group.isGoing) this.groups.delete(name);
  }

  #sync(key: string): void {
    const { view, loop } = this.context;
    const { namespace, name } = splitKey(key);
    const pod = view.get('pods', namespace, name);
    const node = pod === undefined ? undefined : this.#nodeOf(pod);
    if (pod === undefined || node === undefined) return;
    const group = this.groups.find(groupName(pod));
    const own = group?.podUid === pod.metadata.uid ? group : undefined;
    if (pod.metadata.deletionTimestamp !== undefined) {
      if (own !== undefined && !own.isGoing) this.groups.delete(groupName(pod));
      if (own === undefined || this.groups.find(groupName(pod)) === undefined) this.#remove(pod);
      return;
    }
    if (isFinished(pod) || pod.status?.reason === 'ProviderFailed') return;
    const now = kubernetesTime(loop.clock.now());
    if (group !== undefined && own === undefined) {
      // A group of that name is another pod's: the name is free when that one has gone.
      return;
    }
    if (own !== undefined) this.#report(pod, node, own, now);
    else if (pod.status?.containerStatuses === undefined) this.#create(pod, node, now);
    else this.#write(pod, (status) => vanished(pod, status, now));
  }

  #create(pod: Pod, node: ClusterNode, now: string): void {
    const message = this.#refusal(pod, node);
    if (message !== undefined) {
      this.#write(pod, (status) => ({ ...status, phase: 'Pending', reason: 'ProviderFailed', message }));
      this.context.events.record(
        pod,
        'virtual-kubelet',
        kubeletOf(node.metadata.name),
        { type: 'Warning', reason: 'ProviderCreateFailed', message },
        node.metadata.name,
      );
      return;
    }
    const created = this.groups.find(groupName(pod));
    if (created !== undefined) this.#report(pod, node, created, now);
  }

  /** What is said of a pod that gets no group; undefined where it has one now. */
  #refusal(pod: Pod, node: ClusterNode): string | undefined {
    const unsupported = unsupportedOnContainerInstances(pod) ?? this.#unusableSecret(pod);
    if (unsupported !== undefined) return unsupported;
    const name = groupName(pod);
    const image = this.#inaccessibleImage(pod);
    const refusal =
      image === undefined
        ? this.groups.create(name, node.metadata.name, this.#bodyOf(pod, node))
        : this.groups.inaccessible(name, image);
    if (refusal === undefined) return undefined;
    return refusalWords(refusal, isEarlyNode(node.metadata.name) ? 'early' : 'addon');
  }

  /** The connector asks for the secrets that a pod names before it asks Azure. */
  #unusableSecret(pod: Pod): string | undefined {
    const missing = (pod.spec.imagePullSecrets ?? []).find(
      ({ name }) => this.context.view.get('secrets', pod.metadata.namespace, name) === undefined,
    );
    return missing === undefined ? undefined : `secret "${missing.name}" not found`;
  }

  #inaccessibleImage(pod: Pod): string | undefined {
    const hasSecret = this.#credentialsOf(pod).length > 0;
    return pod.spec.containers.find(({ image }) =>
      this.context.options.imageFaults.some(
        (fault) => image.includes(fault.imageContains) && !(fault.healedBy === 'pull-secret' && hasSecret),
      ),
    )?.image;
  }

  /** The registries of the pull secrets that the pod names, as far as they are there. */
  #credentialsOf(pod: Pod): JsonObject[] {
    return (pod.spec.imagePullSecrets ?? []).flatMap(({ name }) => {
      const secret = this.context.view.get('secrets', pod.metadata.namespace, name) as
        { data?: Record<string, string> } | undefined;
      const encoded = secret?.data?.['.dockerconfigjson'];
      if (encoded === undefined) return [];
      const { auths = {} } = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8')) as {
        auths?: Record<string, { username?: string; password?: string }>;
      };
      return Object.entries(auths).map(([server, { username = '', password = '' }]) => ({
        server,
        username,
        password,
      }));
    });
  }

  #bodyOf(pod: Pod, node: ClusterNode): JsonObject {
    const credentials = this.#credentialsOf(pod);
    const ports = pod.spec.containers.flatMap((container) => portsOf(container));
    return {
      tags: {
        PodName: pod.metadata.name,
        NodeName: node.metadata.name,
        Namespace: pod.metadata.namespace ?? '',
        UID: pod.metadata.uid,
        CreationTimestamp: pod.metadata.creationTimestamp,
      },
      properties: {
        osType: 'Linux',
        restartPolicy: pod.spec.restartPolicy ?? 'Always',
        containers: pod.spec.containers.map(containerOf),
        ...initContainersOf(pod, node),
        ...(credentials.length === 0 ? {} : { imageRegistryCredentials: credentials }),
        ipAddress: { ports, type: 'Private' },
      },
    };
  }

  #report(pod: Pod, node: ClusterNode, group: SeenContainerGroup, now: string): void {
    const hostIP = node.status?.addresses?.find((address) => address.type === 'InternalIP')?.address ?? '';
    this.#write(pod, (status) => reported(pod, status, group, hostIP, now));
  }

  #remove(pod: Pod): void {
    const { namespace, name } = pod.metadata;
    const now = kubernetesTime(this.context.loop.clock.now());
    if (!isFinished(pod)) {
      this.#write(pod, (status) => ({ ...status, phase: 'Succeeded', conditions: conditionsOf(status, false, now) }));
    }
    this.context.view.delete('pods', namespace, name, kubeletOf(pod.spec.nodeName ?? ''));
  }

  #write(pod: Pod, change: (status: PodStatus) => PodStatus): void {
    const { namespace, name } = pod.metadata;
    this.context.view.updateStatus('pods', namespace, name, kubeletOf(pod.spec.nodeName ?? ''), (object) =>
      object.metadata.uid === pod.metadata.uid ? { ...object, status: change(object.status ?? {}) } : undefined,
    );
  }
}

/** `{namespace}-{pod}`. */
export function groupName(pod: Pod): string {
  return `${pod.metadata.namespace ?? ''}-${pod.metadata.name}`;
}

function portsOf(container: Container): JsonObject[] {
  return (container.ports ?? []).map(({ containerPort, protocol }) => ({
    port: containerPort,
    protocol: protocol ?? 'TCP',
  }));
}

/** The first connector leaves them out without a word; for those after it Azure runs them before the containers. */
function initContainersOf(pod: Pod, node: ClusterNode): JsonObject {
  const { initContainers = [] } = pod.spec;
  if (initContainers.length === 0 || isEarlyNode(node.metadata.name)) return {};
  return {
    initContainers: initContainers.map(({ name, image, command = [], args = [], env = [] }) => ({
      name,
      properties: {
        image,
        command: [...command, ...args],
        environmentVariables: env.map((variable) => ({ name: variable.name, value: variable.value ?? '' })),
      },
    })),
  };
}

/** What is asked for, rounded down as the connector does: CPU to hundredths of a core, memory to tenths of a gigabyte. */
function containerOf(container: Container): JsonObject {
  const cpu = (amount: string | number): number => Math.floor(milliCores(amount) / 10) / 100;
  const memory = (amount: string | number): number => Math.floor(quantityValue(amount) / (GB / 10)) / 10;
  const { requests, limits } = container.resources ?? {};
  const requested = {
    cpu: requests?.cpu === undefined ? DEFAULT_CPU : Math.max(0.01, cpu(requests.cpu)),
    memoryInGB: requests?.memory === undefined ? DEFAULT_MEMORY_GB : Math.max(0.1, memory(requests.memory)),
  };
  return {
    name: container.name,
    properties: {
      image: container.image,
      ...(container.command === undefined ? {} : { command: [...container.command, ...(container.args ?? [])] }),
      ports: portsOf(container),
      environmentVariables: (container.env ?? []).map(({ name, value }) => ({ name, value: value ?? '' })),
      resources: {
        requests: requested,
        ...(limits === undefined || Object.keys(limits).length === 0
          ? {}
          : {
              limits: {
                cpu: limits.cpu === undefined ? requested.cpu : cpu(limits.cpu),
                memoryInGB: limits.memory === undefined ? requested.memoryInGB : memory(limits.memory),
              },
            }),
      },
    },
  };
}

function reported(pod: Pod, status: PodStatus, group: SeenContainerGroup, hostIP: string, now: string): PodStatus {
  const isRunning = group.state === 'Running';
  const before = status.containerStatuses?.[0]?.state.running?.startedAt;
  const phase = isRunning ? 'Running' : group.state === 'Pending' ? 'Pending' : 'Failed';
  const statuses = pod.spec.containers.map((container): ContainerStatus => {
    const common = {
      name: container.name,
      lastState: {},
      ready: isRunning,
      restartCount: group.restarts,
      image: container.image,
      imageID: '',
    };
    const containerID = `aci://${deterministicHex(`${pod.metadata.uid}|${container.name}`, 64)}`;
    switch (group.state) {
      case 'Running':
        return { ...common, state: { running: { startedAt: before ?? now } }, containerID, started: true };
      case 'Pending':
        return { ...common, state: { waiting: { reason: 'Creating' } } };
      case 'Stopped':
      case 'Failed':
        return { ...common, state: { terminated: { exitCode: 1, reason: group.state, finishedAt: now } }, containerID };
    }
  });
  return {
    ...status,
    phase,
    conditions: conditionsOf(status, isRunning, now),
    hostIP,
    hostIPs: [{ ip: hostIP }],
    startTime: status.startTime ?? now,
    ...(group.address === undefined ? {} : { podIP: group.address, podIPs: [{ ip: group.address }] }),
    containerStatuses: statuses,
  };
}

function vanished(pod: Pod, status: PodStatus, now: string): PodStatus {
  return {
    ...status,
    phase: 'Failed',
    reason: 'NotFound',
    message: GONE,
    conditions: conditionsOf(status, false, now),
    containerStatuses: pod.spec.containers.map((container): ContainerStatus => ({
      name: container.name,
      state: { terminated: { exitCode: -137, reason: 'NotFound', message: GONE, finishedAt: now } },
      lastState: {},
      ready: false,
      restartCount: 0,
      image: container.image,
      imageID: '',
    })),
  };
}

function conditionsOf(status: PodStatus, isReady: boolean, now: string): Condition[] {
  const value = isReady ? 'True' : 'False';
  let conditions = [...(status.conditions ?? [])];
  for (const [type, each] of [
    ['PodScheduled', 'True'],
    ['Initialized', value],
    ['Ready', value],
    ['ContainersReady', value],
  ] as const)
    conditions = withCondition(conditions, { type, status: each, lastProbeTime: null }, now);
  return conditions;
}
