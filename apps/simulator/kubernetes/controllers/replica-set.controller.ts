import { KubernetesStatusError } from '../api/kubernetes-status.error.js';
import type { Controller, ControllerContext } from './controller.js';
import { objectKey, splitKey } from './cluster.view.js';
import type { Condition, Pod, ReplicaSet } from './kubernetes.types.js';
import { podFrom } from './pod-template.js';
import { availableAt, controllerOf, isActive, isReady } from './pod.state.js';
import { matchesLabels } from './label-selector.js';
import { withCondition } from './status.condition.js';
import { kubernetesTime } from '../timestamp.js';
import type { WorkQueue } from './work.loop.js';
import { WRITERS } from './writers.js';

/** How many pods are made or removed at most before others get their turn. */
const BURST = 500;
const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';

/** Keeps as many pods of a template as are asked for. */
export class ReplicaSetController implements Controller {
  readonly #queue: WorkQueue;

  constructor(private readonly context: ControllerContext) {
    const { view, loop } = context;
    this.#queue = loop.queue(`${view.cluster.key} replica sets`, (key) => this.#sync(key));
    view.on('replicasets.apps', ({ object }) => this.#queue.add(objectKey(object.metadata)));
    view.on('pods', ({ object }) => {
      const owner = controllerOf(object);
      if (owner?.kind === 'ReplicaSet')
        this.#queue.add(objectKey({ namespace: object.metadata.namespace, name: owner.name }));
    });
    for (const { metadata } of view.list('replicasets.apps')) this.#queue.add(objectKey(metadata));
  }

  close(): void {
    this.#queue.close();
  }

  #sync(key: string): void {
    const { view } = this.context;
    const { namespace, name } = splitKey(key);
    const set = view.get('replicasets.apps', namespace, name);
    if (set === undefined) return;
    let failure: Condition | undefined;
    if (set.metadata.deletionTimestamp === undefined) failure = this.#manage(set);
    this.#report(set, failure);
  }

  /** @returns the condition to show when pods could not be made. */
  #manage(set: ReplicaSet): Condition | undefined {
    const { view } = this.context;
    const active = view.owned(set.metadata.uid, 'pods').filter(isActive);
    const missing = (set.spec.replicas ?? 1) - active.length;
    for (let made = 0; made < Math.min(missing, BURST); made++) {
      try {
        const pod = view.create(podFrom(view, set, set.spec.template, {}), WRITERS.replicaSet);
        this.#tell(set, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
      } catch (error) {
        if (!(error instanceof KubernetesStatusError)) throw error;
        this.#tell(set, 'Warning', 'FailedCreate', `Error creating: ${error.message}`);
        this.#queue.addAfter(objectKey(set.metadata), 15_000);
        return { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: error.message };
      }
    }
    if (missing < 0) {
      const victims = [...active].sort(deletedEarlier).slice(0, Math.min(-missing, BURST));
      for (const pod of victims) {
        view.delete('pods', pod.metadata.namespace, pod.metadata.name, WRITERS.replicaSet);
        this.#tell(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
      }
    }
    if (Math.abs(missing) > BURST) this.#queue.add(objectKey(set.metadata));
    return undefined;
  }

  #report(set: ReplicaSet, failure: Condition | undefined): void {
    const { view, loop } = this.context;
    const { namespace, name } = set.metadata;
    const now = loop.clock.now();
    const pods = view.owned(set.metadata.uid, 'pods').filter(isActive);
    const labels = set.spec.template.metadata?.labels ?? {};
    let available = 0;
    for (const pod of pods) {
      const since = availableAt(pod, set.spec.minReadySeconds ?? 0);
      if (since === undefined) continue;
      if (since <= now.getTime()) available++;
      else this.#queue.addAt(objectKey(set.metadata), since);
    }
    const counts = {
      fullyLabeledReplicas: pods.filter((pod) => matchesLabels(labels, pod.metadata.labels)).length,
      readyReplicas: pods.filter(isReady).length,
      availableReplicas: available,
    };
    view.updateStatus('replicasets.apps', namespace, name, WRITERS.replicaSet, (object) => ({
      ...object,
      status: {
        replicas: pods.length,
        ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
        observedGeneration: set.metadata.generation ?? 0,
        ...(failure === undefined
          ? {}
          : { conditions: withCondition(object.status?.conditions, failure, kubernetesTime(now)) }),
      },
    }));
  }

  #tell(set: ReplicaSet, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.context.events.record(set, 'replicaset-controller', WRITERS.replicaSet, { type, reason, message });
  }
}

/** The order in which Kubernetes gives pods up: what does not serve yet, then what costs least, then the youngest. */
function deletedEarlier(one: Pod, other: Pod): number {
  const rank = (pod: Pod): number[] => [
    pod.spec.nodeName === undefined ? 0 : 1,
    pod.status?.phase === 'Running' ? 2 : pod.status?.phase === 'Unknown' ? 1 : 0,
    isReady(pod) ? 1 : 0,
    Number(pod.metadata.annotations?.[DELETION_COST] ?? 0),
    -Date.parse(pod.metadata.creationTimestamp),
  ];
  const left = rank(one);
  const right = rank(other);
  for (let index = 0; index < left.length; index++) {
    const difference = left[index]! - right[index]!;
    if (difference !== 0) return difference;
  }
  return one.metadata.name < other.metadata.name ? -1 : 1;
}
