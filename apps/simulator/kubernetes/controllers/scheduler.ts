import type { Controller, ControllerContext } from './controller.js';
import { objectKey, splitKey } from './cluster.view.js';
import type { ClusterNode, Pod } from './kubernetes.types.js';
import { controllerOf, isFinished } from './pod.state.js';
import { milliCores, quantityValue } from '../schema/quantity.js';
import { demandOf, judgeNode, type NodeLoad, type PodDemand, unschedulableMessage } from './scheduling.filter.js';
import { findCondition, withCondition } from './status.condition.js';
import { kubernetesTime } from '../timestamp.js';
import type { WorkQueue } from './work.loop.js';
import { WRITERS } from './writers.js';

const SELECTED_NODE = 'volume.kubernetes.io/selected-node';

interface Placed {
  node: string;
  demand: PodDemand;
}

/** Finds nodes for pods, and says why there are none in the words of the real scheduler. */
export class Scheduler implements Controller {
  readonly #queue: WorkQueue;
  readonly #nodes = new Map<string, ClusterNode>();
  readonly #loads = new Map<string, NodeLoad>();
  readonly #placed = new Map<string, Placed>();
  /** Pods of the same owner per node: they are spread. */
  readonly #siblings = new Map<string, number>();
  readonly #unschedulable = new Set<string>();

  constructor(private readonly context: ControllerContext) {
    const { view, loop } = context;
    this.#queue = loop.queue(`${view.cluster.key} scheduler`, (key) => this.#schedule(key));
    view.on('nodes', ({ type, object }) => {
      if (type === 'DELETED') this.#nodes.delete(object.metadata.name);
      else this.#nodes.set(object.metadata.name, object);
      this.#retryAll();
    });
    view.on('pods', ({ type, object }) => this.#follow(object, type === 'DELETED'));
    view.on('persistentvolumeclaims', () => this.#retryAll());
    for (const node of view.list('nodes')) this.#nodes.set(node.metadata.name, node);
    for (const pod of view.list('pods')) this.#follow(pod, false);
  }

  close(): void {
    this.#queue.close();
  }

  #retryAll(): void {
    for (const key of this.#unschedulable) this.#queue.add(key);
  }

  #follow(pod: Pod, gone: boolean): void {
    const key = objectKey(pod.metadata);
    const before = this.#placed.get(key);
    const node = gone || isFinished(pod) ? undefined : pod.spec.nodeName;
    if (before !== undefined && before.node !== node) {
      this.#placed.delete(key);
      this.#account(pod, before, -1);
      this.#retryAll();
    }
    if (node !== undefined && before?.node !== node) {
      const placed = { node, demand: demandOf(pod) };
      this.#placed.set(key, placed);
      this.#account(pod, placed, 1);
    }
    if (gone || pod.spec.nodeName !== undefined) this.#unschedulable.delete(key);
    else if (!this.#unschedulable.has(key)) this.#queue.add(key);
  }

  #account(pod: Pod, { node, demand }: Placed, sign: 1 | -1): void {
    const load = this.#loadOf(node);
    load.milliCores += sign * demand.milliCores;
    load.bytes += sign * demand.bytes;
    load.pods += sign;
    for (const port of demand.hostPorts) {
      const users = (load.hostPorts.get(port) ?? 0) + sign;
      if (users > 0) load.hostPorts.set(port, users);
      else load.hostPorts.delete(port);
    }
    const siblings = siblingKey(pod, node);
    const count = (this.#siblings.get(siblings) ?? 0) + sign;
    if (count > 0) this.#siblings.set(siblings, count);
    else this.#siblings.delete(siblings);
  }

  #loadOf(node: string): NodeLoad {
    const load = this.#loads.get(node) ?? { milliCores: 0, bytes: 0, pods: 0, hostPorts: new Map<string, number>() };
    this.#loads.set(node, load);
    return load;
  }

  #schedule(key: string): void {
    const { view } = this.context;
    const { namespace, name } = splitKey(key);
    const pod = view.get('pods', namespace, name);
    if (pod?.spec.nodeName !== undefined || pod?.metadata.deletionTimestamp !== undefined) return;
    if (pod === undefined || isFinished(pod)) return;
    if ((pod.spec.schedulerName ?? 'default-scheduler') !== 'default-scheduler') return;
    const nodes = [...this.#nodes.values()];
    const demand = demandOf(pod);
    const claims = this.#claimsOf(pod);
    const verdicts = nodes.map((node) => judgeNode(pod, demand, node, this.#loadOf(node.metadata.name)));
    if (claims.problem !== undefined) {
      this.#refuse(pod, unschedulableMessage(verdicts, claims.problem));
      return;
    }
    const fitting = nodes.filter((_, index) => verdicts[index]!.fits);
    const chosen = this.#best(pod, fitting);
    if (chosen === undefined) {
      this.#refuse(pod, unschedulableMessage(verdicts));
      return;
    }
    if (claims.waiting.length > 0) {
      // The provisioner makes the volumes where the pod will be; their binding brings the pod back here.
      this.#unschedulable.add(key);
      for (const claim of claims.waiting) this.#selectNode(namespace, claim, chosen.metadata.name);
      return;
    }
    this.#bind(pod, chosen);
  }

  #claimsOf(pod: Pod): { problem: string | undefined; waiting: string[] } {
    const { view } = this.context;
    const waiting: string[] = [];
    for (const volume of pod.spec.volumes ?? []) {
      const name = volume.persistentVolumeClaim?.claimName;
      if (name === undefined) continue;
      const claim = view.get('persistentvolumeclaims', pod.metadata.namespace, name);
      if (claim === undefined) return { problem: `persistentvolumeclaim "${name}" not found`, waiting: [] };
      if (claim.status?.phase === 'Bound') continue;
      const storageClass = claim.spec.storageClassName ?? '';
      const binding = view.get('storageclasses.storage.k8s.io', undefined, storageClass)?.volumeBindingMode;
      if (binding !== 'WaitForFirstConsumer')
        return { problem: 'pod has unbound immediate PersistentVolumeClaims', waiting: [] };
      waiting.push(name);
    }
    return { problem: undefined, waiting };
  }

  #selectNode(namespace: string | undefined, claim: string, node: string): void {
    this.context.view.update('persistentvolumeclaims', namespace, claim, WRITERS.scheduler, (object) => ({
      ...object,
      metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [SELECTED_NODE]: node } },
    }));
  }

  /** Fewest pods of the same owner, then the least loaded, then by name. */
  #best(pod: Pod, nodes: readonly ClusterNode[]): ClusterNode | undefined {
    let best: { node: ClusterNode; siblings: number; load: number } | undefined;
    for (const node of nodes) {
      const { name } = node.metadata;
      const siblings = this.#siblings.get(siblingKey(pod, name)) ?? 0;
      const used = this.#loadOf(name);
      const allocatable = node.status?.allocatable ?? {};
      const load =
        share(used.milliCores, milliCores(allocatable.cpu)) +
        share(used.bytes, quantityValue(allocatable.memory)) +
        share(used.pods, quantityValue(allocatable.pods));
      const better =
        best === undefined ||
        siblings < best.siblings ||
        (siblings === best.siblings && (load < best.load || (load === best.load && name < best.node.metadata.name)));
      if (better) best = { node, siblings, load };
    }
    return best?.node;
  }

  #bind(pod: Pod, node: ClusterNode): void {
    const { view, loop, events } = this.context;
    const { namespace, name } = pod.metadata;
    this.#unschedulable.delete(objectKey(pod.metadata));
    view.update('pods', namespace, name, WRITERS.scheduler, (object) => ({
      ...object,
      spec: { ...object.spec, nodeName: node.metadata.name },
    }));
    const now = kubernetesTime(loop.clock.now());
    const bound = view.updateStatus('pods', namespace, name, WRITERS.scheduler, (object) => ({
      ...object,
      status: {
        ...object.status,
        conditions: withCondition(
          object.status?.conditions,
          { type: 'PodScheduled', status: 'True', lastProbeTime: null },
          now,
        ),
      },
    }));
    events.record(bound ?? pod, 'default-scheduler', WRITERS.scheduler, {
      type: 'Normal',
      reason: 'Scheduled',
      message: `Successfully assigned ${namespace ?? ''}/${name} to ${node.metadata.name}`,
      action: 'Binding',
    });
  }

  #refuse(pod: Pod, message: string): void {
    const { view, loop, events } = this.context;
    const { namespace, name } = pod.metadata;
    this.#unschedulable.add(objectKey(pod.metadata));
    if (findCondition(pod.status?.conditions, 'PodScheduled')?.message === message) return;
    const now = kubernetesTime(loop.clock.now());
    view.updateStatus('pods', namespace, name, WRITERS.scheduler, (object) => ({
      ...object,
      status: {
        ...object.status,
        conditions: withCondition(
          object.status?.conditions,
          { type: 'PodScheduled', status: 'False', lastProbeTime: null, reason: 'Unschedulable', message },
          now,
        ),
      },
    }));
    events.record(pod, 'default-scheduler', WRITERS.scheduler, {
      type: 'Warning',
      reason: 'FailedScheduling',
      message,
      action: 'Scheduling',
    });
  }
}

function siblingKey(pod: Pod, node: string): string {
  return `${controllerOf(pod)?.uid ?? pod.metadata.uid}|${node}`;
}

function share(used: number, of: number): number {
  return of > 0 ? used / of : 1;
}
