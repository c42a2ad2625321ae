import type { Controller, ControllerContext } from './controller.js';
import type { ClusterNode, Taint } from './kubernetes.types.js';
import { findCondition } from './status.condition.js';
import { kubernetesTime } from '../timestamp.js';
import type { WorkQueue } from './work.loop.js';
import { WRITERS } from './writers.js';

const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';
const NOT_READY = 'node.kubernetes.io/not-ready';
const UNREACHABLE = 'node.kubernetes.io/unreachable';
const OWN_TAINTS: readonly string[] = [UNSCHEDULABLE, NOT_READY, UNREACHABLE];

/** Taints nodes by their state: cordoned, not ready, unreachable. */
export class NodeController implements Controller {
  readonly #queue: WorkQueue;

  constructor(private readonly context: ControllerContext) {
    const { view, loop } = context;
    this.#queue = loop.queue(`${view.cluster.key} nodes`, (name) => this.#sync(name));
    view.on('nodes', ({ type, object }) => {
      if (type !== 'DELETED') this.#queue.add(object.metadata.name);
    });
    for (const node of view.list('nodes')) this.#queue.add(node.metadata.name);
  }

  close(): void {
    this.#queue.close();
  }

  #sync(name: string): void {
    const { view, loop } = this.context;
    view.update('nodes', undefined, name, WRITERS.node, (node) => {
      const before = node.spec.taints ?? [];
      const wanted = stateTaints(node);
      const kept = before.filter(
        (taint) =>
          !OWN_TAINTS.includes(taint.key) ||
          taint.effect === 'NoExecute' ||
          wanted.some((other) => other.key === taint.key),
      );
      const missing = wanted.filter(
        (taint) => !kept.some((other) => other.key === taint.key && other.effect === taint.effect),
      );
      if (missing.length === 0 && kept.length === before.length) return undefined;
      const now = kubernetesTime(loop.clock.now());
      const taints = [...kept, ...missing.map((taint) => ({ ...taint, timeAdded: now }))];
      const { taints: _, ...spec } = node.spec;
      return { ...node, spec: taints.length === 0 ? spec : { ...spec, taints } };
    });
  }
}

function stateTaints(node: ClusterNode): Taint[] {
  const ready = findCondition(node.status?.conditions, 'Ready')?.status;
  return [
    ...(node.spec.unschedulable === true ? [UNSCHEDULABLE] : []),
    ...(ready === 'False' ? [NOT_READY] : ready === 'Unknown' ? [UNREACHABLE] : []),
  ].map((key) => ({ key, effect: 'NoSchedule' }));
}
