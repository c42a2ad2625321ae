import type { Clock } from '#libs/kernel/clock.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { WakeSignal } from '#libs/kernel/wake-signal.js';
import { rawMember, rawText } from '../contract/raw-reader.js';
import { ListedMap } from './listed-map.js';
import type { NodeRequests } from './node.kind.js';
import { plus, podRequests, type ResourceAmounts } from './pod-requests.js';

/** What one pod takes of its node. */
export interface PodShare extends ResourceAmounts {
  node: string;
}

type Knowledge =
  | { state: 'none' }
  | { state: 'current' }
  /** Nobody tells of pods any more. */
  | { state: 'left'; at: Date };

/** A stream that is begun again soon after it broke off goes on where it was. */
const GRACE_MILLISECONDS = 300_000;

/** Undefined for a pod that takes nothing of any node: not placed yet, or ended. */
export function podShareOf(pod: JsonObject): PodShare | undefined {
  const node = rawText(pod, 'spec', 'nodeName');
  const phase = rawText(pod, 'status', 'phase');
  if (node === null || phase === 'Succeeded' || phase === 'Failed') return undefined;
  return { node, ...podRequests(rawMember(pod, 'spec')) };
}

/** What the pods of each node of a cluster request together: a small record of each pod, and the sums. */
export class NodeLoad {
  /** Woken when the sum of a node has changed. */
  readonly changed = new WakeSignal();
  readonly #shares = new ListedMap<PodShare>();
  readonly #sums = new Map<string, NodeRequests>();
  #changedNodes = new Set<string>();
  #knowledge: Knowledge = { state: 'none' };

  constructor(private readonly clock: Clock) {}

  beginList(): void {
    this.#shares.beginList();
  }

  list(pod: string, share: PodShare | undefined): void {
    this.#replace(pod, share);
    if (share !== undefined) this.#shares.list(pod, share);
  }

  set(pod: string, share: PodShare | undefined): void {
    this.#replace(pod, share);
    if (share !== undefined) this.#shares.set(pod, share);
  }

  endList(): void {
    for (const [, share] of this.#shares.endList()) this.#add(share, -1);
    this.#knowledge = { state: 'current' };
    this.changed.wake();
  }

  /** The stream of pods has ended. */
  leave(): void {
    if (this.#knowledge.state === 'current') this.#knowledge = { state: 'left', at: this.clock.now() };
  }

  /** Undefined where the pods of the cluster are not known. */
  requestsOn(node: string): NodeRequests | undefined {
    if (!this.#isKnown()) return undefined;
    return this.#sums.get(node) ?? { cpuMillicores: 0, memoryBytes: 0, pods: 0 };
  }

  /** The nodes whose sums have changed since this was last asked; none as long as not all pods have been seen. */
  takeChanged(): Set<string> {
    if (this.#knowledge.state === 'none') return new Set();
    const changed = this.#changedNodes;
    this.#changedNodes = new Set();
    return changed;
  }

  #isKnown(): boolean {
    switch (this.#knowledge.state) {
      case 'none':
        return false;
      case 'current':
        return true;
      case 'left':
        return this.clock.now().getTime() - this.#knowledge.at.getTime() < GRACE_MILLISECONDS;
    }
  }

  #replace(pod: string, share: PodShare | undefined): void {
    const before = this.#shares.get(pod);
    if (before !== undefined && share !== undefined && isSame(before, share)) return;
    if (before !== undefined) this.#add(before, -1);
    if (share === undefined) this.#shares.delete(pod);
    else this.#add(share, 1);
    if (this.#knowledge.state !== 'none' && (before ?? share) !== undefined) this.changed.wake();
  }

  #add(share: PodShare, times: 1 | -1): void {
    const sum = this.#sums.get(share.node) ?? { cpuMillicores: 0, memoryBytes: 0, pods: 0 };
    const { cpuMillicores, memoryBytes } = share;
    const changed = plus(sum, { cpuMillicores: times * cpuMillicores, memoryBytes: times * memoryBytes });
    const pods = sum.pods + times;
    if (pods === 0) this.#sums.delete(share.node);
    else this.#sums.set(share.node, { ...changed, pods });
    this.#changedNodes.add(share.node);
  }
}

function isSame(left: PodShare, right: PodShare): boolean {
  return (
    left.node === right.node && left.cpuMillicores === right.cpuMillicores && left.memoryBytes === right.memoryBytes
  );
}
