import type { ClusterNode, NodeSelectorTerm, Pod, Taint, Toleration } from './kubernetes.types.js';
import { matchesLabels, matchesRequirement } from './label-selector.js';
import { milliCores, quantityValue } from '../schema/quantity.js';

/** What a pod asks for, and what is taken on a node. */
export interface PodDemand {
  milliCores: number;
  bytes: number;
  /** `hostIP/protocol/port` of each host port. */
  hostPorts: string[];
}

export interface NodeLoad {
  milliCores: number;
  bytes: number;
  pods: number;
  hostPorts: Map<string, number>;
}

/** Why a node is not for a pod. `resolvable` by removing other pods, or not at all (the words of the real scheduler). */
export type NodeVerdict =
  { fits: true } | { fits: false; reasons: readonly string[]; preemption: 'resolvable' | 'hopeless' };

/** The larger of the sum of the containers and of each init container, and the pod's overhead. */
export function demandOf(pod: Pod): PodDemand {
  const request = (name: 'cpu' | 'memory'): number => {
    const value = (quantity: string | number | undefined): number =>
      name === 'cpu' ? milliCores(quantity) : quantityValue(quantity);
    const running = pod.spec.containers.reduce(
      (sum, container) => sum + value(container.resources?.requests?.[name] ?? container.resources?.limits?.[name]),
      0,
    );
    const starting = (pod.spec.initContainers ?? []).map((container) => value(container.resources?.requests?.[name]));
    return Math.max(running, ...starting) + value(pod.spec.overhead?.[name]);
  };
  const hostPorts = pod.spec.containers.flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => port.hostPort !== undefined && port.hostPort > 0)
      .map((port) => `${port.hostIP ?? '0.0.0.0'}/${port.protocol ?? 'TCP'}/${port.hostPort!}`),
  );
  return { milliCores: request('cpu'), bytes: request('memory'), hostPorts };
}

/** The checks in the order of the real scheduler's plugins: the first that fails gives the reason. */
export function judgeNode(pod: Pod, demand: PodDemand, node: ClusterNode, load: NodeLoad): NodeVerdict {
  const tolerations = pod.spec.tolerations ?? [];
  const unschedulable: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
  if (node.spec.unschedulable === true && !tolerates(tolerations, unschedulable))
    return hopeless('node(s) were unschedulable');
  const taint = untolerated(tolerations, node.spec.taints ?? []);
  if (taint !== undefined) return hopeless(`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`);
  if (!matchesNode(pod, node)) return hopeless("node(s) didn't match Pod's node affinity/selector");
  if (demand.hostPorts.some((port) => load.hostPorts.has(port)))
    return {
      fits: false,
      reasons: ["node(s) didn't have free ports for the requested pod ports"],
      preemption: 'resolvable',
    };
  return judgeResources(demand, node, load);
}

function judgeResources(demand: PodDemand, node: ClusterNode, load: NodeLoad): NodeVerdict {
  const allocatable = node.status?.allocatable ?? {};
  const cpu = milliCores(allocatable.cpu);
  const memory = quantityValue(allocatable.memory);
  const reasons: string[] = [];
  if (load.pods + 1 > quantityValue(allocatable.pods)) reasons.push('Too many pods');
  if (demand.milliCores > 0 && load.milliCores + demand.milliCores > cpu) reasons.push('Insufficient cpu');
  if (demand.bytes > 0 && load.bytes + demand.bytes > memory) reasons.push('Insufficient memory');
  // A node that is too small even when empty still counts as one where preemption was tried.
  return reasons.length === 0 ? { fits: true } : { fits: false, reasons, preemption: 'resolvable' };
}

function hopeless(reason: string): NodeVerdict {
  return { fits: false, reasons: [reason], preemption: 'hopeless' };
}

/** The first taint that keeps pods away and is not tolerated. */
export function untolerated(tolerations: readonly Toleration[], taints: readonly Taint[]): Taint | undefined {
  return taints.find((taint) => taint.effect !== 'PreferNoSchedule' && !tolerates(tolerations, taint));
}

export function tolerates(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some(
    (toleration) =>
      (toleration.effect === undefined || toleration.effect === '' || toleration.effect === taint.effect) &&
      (toleration.key === undefined || toleration.key === '' || toleration.key === taint.key) &&
      (toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '')),
  );
}

/** Node selector and the required terms of node affinity. */
export function matchesNode(pod: Pod, node: ClusterNode): boolean {
  const labels = node.metadata.labels ?? {};
  if (!matchesLabels(pod.spec.nodeSelector ?? {}, labels)) return false;
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

function matchesTerm(term: NodeSelectorTerm, node: ClusterNode): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  // A term without any requirement matches no node.
  if (expressions.length + fields.length === 0) return false;
  return (
    expressions.every((requirement) => matchesRequirement(requirement, node.metadata.labels ?? {})) &&
    fields.every((requirement) => matchesRequirement(requirement, { 'metadata.name': node.metadata.name }))
  );
}

/**
 * `0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had … . preemption: 0/2 nodes are available: …`
 * @param before a reason that holds for all nodes, found before any of them was looked at
 */
export function unschedulableMessage(verdicts: readonly NodeVerdict[], before?: string): string {
  const total = verdicts.length;
  if (total === 0) return 'no nodes available to schedule pods';
  const reasons = before ?? counted(verdicts.flatMap((verdict) => (verdict.fits ? [] : [...verdict.reasons])));
  const preemption = counted(
    verdicts.map((verdict) =>
      before === undefined && !verdict.fits && verdict.preemption === 'resolvable'
        ? 'No preemption victims found for incoming pod'
        : 'Preemption is not helpful for scheduling',
    ),
  );
  const available = `0/${total} nodes are available`;
  return `${available}: ${reasons}. preemption: ${available}: ${preemption}.`;
}

function counted(reasons: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(', ');
}
