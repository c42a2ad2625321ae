import { delay } from '#libs/kernel/clock.js';
import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { ClusterClient, ObjectChange, WatchTurn } from '#libs/kube/cluster-client.js';
import type { Kube } from '#libs/kube/kube.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type { ClusterDirectory } from '../contract/cluster-directory.js';
import type {
  ClusterCandidate,
  ClusterWatcher,
  WatchBatch,
  WatchContext,
  WatchedCluster,
  WatchStream,
} from '../contract/cluster-watcher.js';
import type { CollectContext, ObservationResult } from '../contract/collector.js';
import type { Observation } from '../contract/observation.js';
import { workloadOf } from '../contract/pod-workload.js';
import { rawText } from '../contract/raw-reader.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { virtualNatureOf } from '../contract/virtual-nature.js';
import { connectorOf } from './aci-connector.js';
import {
  CLUSTER_KINDS,
  observeVirtualNode,
  virtualNodeIdOf,
  virtualNodeKind,
  type VirtualNodeSurroundings,
} from './virtual-node.kind.js';
import type { VirtualNodesClient } from './virtual-nodes.client.js';
import { VIRTUAL_NODE_GROUP } from './virtual-nodes.types.js';

const NODE = { group: '', kind: 'Node' };
const POD = { group: '', kind: 'Pod' };
/** How often a cluster with virtual nodes is read again: which workloads have pods there is nothing that its node tells. */
const READ_AGAIN_MS = 5_000;

export interface VirtualNodeWatcherParts {
  client: VirtualNodesClient;
  kube: Kube;
  clusters: ClusterDirectory;
  /** Waits, and gives up when the signal aborts. */
  pause?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** The nodes of clusters that are no machines, with the workloads that have pods there and the subnet that these are in. */
export class VirtualNodeWatcher implements ClusterWatcher {
  readonly name = 'virtual-nodes';
  readonly kinds: readonly string[] = [virtualNodeKind.name];
  readonly clusterKinds: readonly string[] = CLUSTER_KINDS;
  readonly streams: readonly WatchStream[] = [{ name: 'virtualnodes', kinds: this.kinds }];
  readonly #pause: (milliseconds: number, signal: AbortSignal) => Promise<void>;

  constructor(private readonly parts: VirtualNodeWatcherParts) {
    this.#pause = parts.pause ?? delay;
  }

  isWatched({ kind, provisioningState, properties, isAttached }: ClusterCandidate): boolean {
    const state = provisioningState?.toLowerCase();
    if (state === 'creating' || state === 'deleting') return false;
    switch (kind) {
      case 'ManagedCluster':
        return (
          rawText(properties, 'fqdn') !== null &&
          rawText(properties, 'powerState', 'code')?.toLowerCase() !== 'stopped' &&
          // The managed cluster under the hub of a fleet runs no pods.
          !/^MC_FL_/i.test(rawText(properties, 'nodeResourceGroup') ?? '')
        );
      case 'ConnectedCluster':
        return isAttached;
      case 'AttachedCluster':
        return true;
      default:
        return false;
    }
  }

  async *watch(cluster: WatchedCluster, stream: string, context: WatchContext): AsyncGenerator<WatchBatch, void, void> {
    if (stream !== this.streams[0]?.name) throw new TypeError(`The watcher ${this.name} has no stream ${stream}`);
    const client = this.parts.kube.cluster({ uid: cluster.uid, id: cluster.id, kind: cluster.kind });
    const resource = await client.findResource(NODE, context);
    if (resource === undefined) {
      throw new ControlError('KUBERNETES_NOT_FOUND', 'The cluster does not serve nodes.');
    }
    const present = new Set<string>();
    const relistRequested = (signal: AbortSignal): Promise<void> =>
      present.size === 0 ? context.relistRequested(signal) : this.#untilWanted(context, signal);
    for await (const turn of client.watch(resource, { relistRequested }, context)) {
      yield* this.#batches(turn, present, client, cluster, context);
    }
  }

  /** Until somebody wants certainty or the time is over. */
  async #untilWanted(context: WatchContext, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    try {
      await Promise.race([context.relistRequested(either), this.#pause(READ_AGAIN_MS, either)]);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      over.abort();
    }
  }

  async *#batches(
    turn: WatchTurn,
    present: Set<string>,
    client: ClusterClient,
    cluster: WatchedCluster,
    context: CollectContext,
  ): AsyncGenerator<WatchBatch, void, void> {
    switch (turn.turn) {
      case 'page': {
        const nodes = turn.objects.filter(isVirtual);
        for (const { metadata } of nodes) present.add(metadata.name);
        if (nodes.length === 0) return;
        yield { batch: 'page', observations: await this.#observations(nodes, client, cluster, turn.askedAt, context) };
        return;
      }
      case 'listed':
        yield { batch: 'listed', askedAt: turn.askedAt };
        return;
      case 'changes': {
        const { receivedAt } = turn;
        const { put, gone } = latest(turn.changes);
        const nodes = put.filter(isVirtual);
        const targets = gone.filter((name) => present.delete(name)).map((name) => targetOf(cluster, name));
        for (const { metadata } of nodes) present.add(metadata.name);
        if (nodes.length + targets.length === 0) {
          yield { batch: 'alive', receivedAt };
          return;
        }
        const observations = await this.#observations(nodes, client, cluster, receivedAt, context);
        yield { batch: 'changes', observations, gone: targets, receivedAt };
        return;
      }
      case 'alive':
        yield { batch: 'alive', receivedAt: turn.receivedAt };
        return;
      case 'interrupted':
        yield { batch: 'interrupted', problem: turn.problem };
        return;
    }
  }

  async observe(target: ResourceTarget, context: CollectContext): Promise<ObservationResult> {
    const id = KubernetesId.parse(target.id);
    if (id.group !== VIRTUAL_NODE_GROUP) {
      throw new ControlError('INVALID_REQUEST', `This is no virtual node: ${id.toString()}`);
    }
    const cluster = await this.parts.clusters.find(id.clusterUid);
    if (cluster === undefined) {
      throw new ControlError('RESOURCE_NOT_FOUND', `The cluster of ${id.toString()} is not known.`);
    }
    const client = this.parts.kube.cluster({ uid: cluster.uid, id: cluster.id, kind: cluster.kind });
    const observedAt = new Date();
    const resource = await client.findResource(NODE, context);
    const node = resource === undefined ? undefined : await client.get(resource, undefined, id.name, context);
    if (node === undefined || !isVirtual(node)) return { state: 'absent', observedAt };
    return { state: 'present', observations: await this.#observations([node], client, cluster, observedAt, context) };
  }

  async #observations(
    nodes: readonly KubernetesObject[],
    client: ClusterClient,
    cluster: WatchedCluster,
    observedAt: Date,
    context: CollectContext,
  ): Promise<Observation[]> {
    if (nodes.length === 0) return [];
    const connector = await this.#connectorOf(cluster, context);
    return Promise.all(
      nodes.map(async (node) => {
        const isAddon = virtualNatureOf(node).nature === 'aci-connector-addon';
        const placed = await placedOn(client, node.metadata.name, cluster.uid, context);
        const surroundings = { placed, subnet: undefined, identityObjectId: undefined, ...(isAddon ? connector : {}) };
        return observeVirtualNode(node, surroundings, { cluster, observedAt, source: 'WATCH' });
      }),
    );
  }

  /** What Azure says of the add-on; nothing where it cannot be asked, which must not hide the node. */
  async #connectorOf(
    { kind, id }: WatchedCluster,
    context: CollectContext,
  ): Promise<Partial<Pick<VirtualNodeSurroundings, 'subnet' | 'identityObjectId'>>> {
    const clusterId = ArmId.tryParse(id);
    if (kind !== 'ManagedCluster' || clusterId === undefined) return {};
    try {
      const reading = await this.parts.client.get(clusterId, context);
      if (reading.state === 'missing') return {};
      const { subnet, identityObjectId } = connectorOf(reading.body);
      return {
        ...(subnet === undefined ? {} : { subnet: { id: subnet.toString(), canonical: subnet.canonical } }),
        ...(identityObjectId === null ? {} : { identityObjectId }),
      };
    } catch (error) {
      if (error instanceof ControlError) return {};
      throw error;
    }
  }
}

function isVirtual(node: JsonObject): boolean {
  return virtualNatureOf(node).nature !== 'none';
}

function targetOf(cluster: WatchedCluster, name: string): ResourceTarget {
  const id = virtualNodeIdOf(cluster.uid, name);
  return { uid: id.uid, id: id.canonical, kind: virtualNodeKind.name };
}

/** The pods of a node and their workloads; undefined where nobody may see them. */
async function placedOn(
  client: ClusterClient,
  node: string,
  clusterUid: string,
  context: CollectContext,
): Promise<VirtualNodeSurroundings['placed']> {
  const resource = await client.findResource(POD, context);
  if (resource === undefined) return undefined;
  let pods: KubernetesObject[] = [];
  try {
    for await (const page of client.list(resource, { fieldSelector: `spec.nodeName=${node}` }, context)) {
      pods = page.restarted ? [...page.items] : [...pods, ...page.items];
    }
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== 'KUBERNETES_FORBIDDEN') throw error;
    return undefined;
  }
  const there = pods.filter((pod) => !['Succeeded', 'Failed'].includes(rawText(pod, 'status', 'phase') ?? ''));
  const workloads = there.flatMap((pod) => workloadOf(pod, clusterUid, pod.metadata.namespace) ?? []);
  return { pods: there.length, workloads: [...new Set(workloads)].sort() };
}

/** The last state of each node of a turn: one may change more than once in it. */
function latest(changes: readonly ObjectChange[]): { put: KubernetesObject[]; gone: string[] } {
  const byName = new Map(changes.map((change) => [change.object.metadata.name, change]));
  const [put, gone]: [KubernetesObject[], string[]] = [[], []];
  for (const [name, { change, object }] of byName) {
    if (change === 'put') put.push(object);
    else gone.push(name);
  }
  return { put, gone };
}
