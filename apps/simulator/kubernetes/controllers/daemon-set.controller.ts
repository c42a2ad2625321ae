import { KubernetesStatusError } from '../api/kubernetes-status.error.js';
import type { Controller, ControllerContext } from './controller.js';
import { objectKey, splitKey } from './cluster.view.js';
import type { ClusterNode, DaemonSet, Pod, Toleration } from './kubernetes.types.js';
import { podFrom, scaledCount, templateHash } from './pod-template.js';
import { availableAt, controllerOf, isFinished, isReady } from './pod.state.js';
import { matchesNode, untolerated } from './scheduling.filter.js';
import type { WorkQueue } from './work.loop.js';
import { WRITERS } from './writers.js';

const REVISION_LABEL = 'controller-revision-hash';

/** Daemons also run where nothing else may yet, or any more. */
const DAEMON_TOLERATIONS: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
];

/** One pod on each node that suits. */
export class DaemonSetController implements Controller {
  readonly #queue: WorkQueue;

  constructor(private readonly context: ControllerContext) {
    const { view, loop } = context;
    this.#queue = loop.queue(`${view.cluster.key} daemon sets`, (key) => this.#sync(key));
    const all = (): void => {
      for (const { metadata } of view.list('daemonsets.apps')) this.#queue.add(objectKey(metadata));
    };
    view.on('daemonsets.apps', ({ object }) => this.#queue.add(objectKey(object.metadata)));
    view.on('nodes', all);
    view.on('pods', ({ object }) => {
      const owner = controllerOf(object);
      if (owner?.kind === 'DaemonSet')
        this.#queue.add(objectKey({ namespace: object.metadata.namespace, name: owner.name }));
    });
    all();
  }

  close(): void {
    this.#queue.close();
  }

  #sync(key: string): void {
    const { namespace, name } = splitKey(key);
    const set = this.context.view.get('daemonsets.apps', namespace, name);
    if (set === undefined) return;
    if (set.metadata.deletionTimestamp === undefined) this.#manage(set);
    this.#report(set);
  }

  #byNode(set: DaemonSet): Map<string, Pod[]> {
    const byNode = new Map<string, Pod[]>();
    for (const pod of this.context.view.owned(set.metadata.uid, 'pods')) {
      const node = pod.spec.nodeName ?? targetOf(pod) ?? '';
      byNode.set(node, [...(byNode.get(node) ?? []), pod]);
    }
    return byNode;
  }

  #manage(set: DaemonSet): void {
    const { view } = this.context;
    const byNode = this.#byNode(set);
    const nodes = view.list('nodes');
    const suited = nodes.filter((node) => suits(set, node));
    for (const node of suited) {
      const pods = byNode.get(node.metadata.name) ?? [];
      if (pods.length === 0 && !this.#make(set, node)) return;
      for (const pod of pods) if (isFinished(pod)) this.#remove(set, pod);
    }
    const names = new Set(suited.map((node) => node.metadata.name));
    for (const [node, pods] of byNode) if (!names.has(node)) for (const pod of pods) this.#remove(set, pod);
    this.#roll(set, byNode, suited.length);
  }

  /** Old pods go as far as the number of unavailable ones allows. */
  #roll(set: DaemonSet, byNode: ReadonlyMap<string, readonly Pod[]>, desired: number): void {
    if (set.spec.updateStrategy?.type === 'OnDelete') return;
    const hash = templateHash(set.spec.template);
    const limit = Math.max(1, scaledCount(set.spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, desired, 'up'));
    const pods = [...byNode.values()].flat();
    let unavailable = desired - pods.filter((pod) => this.#isAvailable(set, pod)).length;
    for (const pod of pods) {
      if (pod.metadata.labels?.[REVISION_LABEL] === hash || pod.metadata.deletionTimestamp !== undefined) continue;
      if (this.#isAvailable(set, pod)) {
        if (unavailable >= limit) continue;
        unavailable++;
      }
      this.#remove(set, pod);
    }
  }

  #isAvailable(set: DaemonSet, pod: Pod): boolean {
    const since = availableAt(pod, set.spec.minReadySeconds ?? 0);
    if (since === undefined || pod.metadata.deletionTimestamp !== undefined) return false;
    if (since <= this.context.loop.clock.now().getTime()) return true;
    this.#queue.addAt(objectKey(set.metadata), since);
    return false;
  }

  #make(set: DaemonSet, node: ClusterNode): boolean {
    const { view } = this.context;
    const { template } = set.spec;
    const field = { key: 'metadata.name', operator: 'In', values: [node.metadata.name] };
    try {
      const pod = view.create(
        podFrom(view, set, template, {
          labels: { [REVISION_LABEL]: templateHash(template) },
          spec: {
            affinity: {
              ...template.spec.affinity,
              nodeAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields: [field] }] },
              },
            },
            tolerations: [...(template.spec.tolerations ?? []), ...DAEMON_TOLERATIONS],
          },
        }),
        WRITERS.daemonSet,
      );
      this.#tell(set, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
      return true;
    } catch (error) {
      if (!(error instanceof KubernetesStatusError)) throw error;
      this.#tell(set, 'Warning', 'FailedCreate', `Error creating: ${error.message}`);
      this.#queue.addAfter(objectKey(set.metadata), 15_000);
      return false;
    }
  }

  #remove(set: DaemonSet, pod: Pod): void {
    if (pod.metadata.deletionTimestamp !== undefined) return;
    this.context.view.delete('pods', pod.metadata.namespace, pod.metadata.name, WRITERS.daemonSet);
    this.#tell(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
  }

  #report(set: DaemonSet): void {
    const { view } = this.context;
    const { namespace, name } = set.metadata;
    const suited = new Set(
      view
        .list('nodes')
        .filter((node) => suits(set, node))
        .map((node) => node.metadata.name),
    );
    const byNode = this.#byNode(set);
    const pods = [...byNode].filter(([node]) => suited.has(node)).map(([, [first]]) => first!);
    const hash = templateHash(set.spec.template);
    const available = pods.filter((pod) => this.#isAvailable(set, pod)).length;
    const optional = {
      updatedNumberScheduled: pods.filter((pod) => pod.metadata.labels?.[REVISION_LABEL] === hash).length,
      numberAvailable: available,
      numberUnavailable: suited.size - available,
    };
    view.updateStatus('daemonsets.apps', namespace, name, WRITERS.daemonSet, (object) => ({
      ...object,
      status: {
        currentNumberScheduled: pods.length,
        numberMisscheduled: [...byNode.keys()].filter((node) => !suited.has(node)).length,
        desiredNumberScheduled: suited.size,
        numberReady: pods.filter(isReady).length,
        observedGeneration: set.metadata.generation ?? 0,
        ...Object.fromEntries(Object.entries(optional).filter(([, count]) => count > 0)),
      },
    }));
  }

  #tell(set: DaemonSet, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.context.events.record(set, 'daemonset-controller', WRITERS.daemonSet, { type, reason, message });
  }
}

/** Whether a daemon belongs on the node: by its selector, its affinity and its tolerations. */
function suits(set: DaemonSet, node: ClusterNode): boolean {
  const { spec } = set.spec.template;
  const pod = { spec } as Pod;
  return (
    matchesNode(pod, node) &&
    untolerated([...(spec.tolerations ?? []), ...DAEMON_TOLERATIONS, ...NOT_READY], node.spec.taints ?? []) ===
      undefined
  );
}

const NOT_READY: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists' },
];

/** The node for which a pod was made that is not scheduled yet. */
function targetOf(pod: Pod): string | undefined {
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required?.nodeSelectorTerms[0]?.matchFields?.[0]?.values?.[0];
}
