import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Kube } from '#libs/kube/kube.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { CollectContext } from '../contract/collector.js';
import { rawText } from '../contract/raw-reader.js';
import { unlessForbidden } from './connector.reading.js';
import type { PodState, ServedPod } from './container-group.kind.js';
import type { VirtualNodesClient } from './virtual-nodes.client.js';
import { MANAGED_CLUSTER_TYPE } from './virtual-nodes.types.js';

const POD = { group: '', kind: 'Pod' };

/** Whose container groups they are and whether their pods are still there, each read once for a run. */
export class ServedPodsReader {
  readonly #clusters = new Map<string, Promise<ArmId | undefined>>();
  readonly #pods = new Map<string, Promise<ReadonlyMap<string, string> | undefined>>();

  constructor(
    private readonly client: VirtualNodesClient,
    private readonly kube: Kube,
    private readonly context: CollectContext,
  ) {}

  /** The cluster that Azure made the resource group for; undefined for one that people made, or that may not be seen. @throws ControlError */
  clusterOf(group: ArmId): Promise<ArmId | undefined> {
    const key = `${group.subscriptionId ?? ''}/${group.resourceGroup ?? ''}`.toLowerCase();
    const known = this.#clusters.get(key) ?? this.#readCluster(group);
    this.#clusters.set(key, known);
    return known;
  }

  /** What the cluster says of the pod; a list that was read earlier in the run is not enough to call it gone. */
  async stateOf(cluster: ArmId, pod: ServedPod): Promise<PodState> {
    const key = `${cluster.canonical}|${pod.node}`;
    const known = this.#pods.get(key) ?? this.#listPods(cluster, pod.node);
    this.#pods.set(key, known);
    const listed = await known;
    if (listed === undefined) return 'Unknown';
    return isSame(listed.get(`${pod.namespace}/${pod.name}`), pod) ? 'Present' : this.lookUp(cluster, pod);
  }

  /** The same of one pod alone. */
  async lookUp(cluster: ArmId, { namespace, name, uid }: ServedPod): Promise<PodState> {
    try {
      const client = this.#clientOf(cluster);
      const resource = await client.findResource(POD, this.context);
      const object = resource === undefined ? undefined : await client.get(resource, namespace, name, this.context);
      return object !== undefined && isSame(rawText(object, 'metadata', 'uid') ?? '', { uid }) ? 'Present' : 'Gone';
    } catch (error) {
      if (error instanceof ControlError) return 'Unknown';
      throw error;
    }
  }

  #clientOf(cluster: ArmId): ClusterClient {
    return this.kube.cluster({ uid: cluster.uid, id: cluster.toString(), kind: 'ManagedCluster' });
  }

  async #readCluster(group: ArmId): Promise<ArmId | undefined> {
    const { subscriptionId, resourceGroup } = group;
    if (subscriptionId === undefined || resourceGroup === undefined) return undefined;
    const reading = await unlessForbidden(() =>
      this.client.getResourceGroup(subscriptionId, resourceGroup, this.context),
    );
    const manager = reading === 'forbidden' || reading.state === 'missing' ? null : rawText(reading.body, 'managedBy');
    const cluster = manager === null ? undefined : ArmId.tryParse(manager);
    return cluster?.canonicalType === MANAGED_CLUSTER_TYPE.toLowerCase() ? cluster : undefined;
  }

  /** The uids of the pods of a node; undefined where the cluster cannot be asked. */
  async #listPods(cluster: ArmId, node: string): Promise<ReadonlyMap<string, string> | undefined> {
    try {
      const client = this.#clientOf(cluster);
      const resource = await client.findResource(POD, this.context);
      const uids = new Map<string, string>();
      if (resource === undefined) return uids;
      for await (const page of client.list(resource, { fieldSelector: `spec.nodeName=${node}` }, this.context)) {
        if (page.restarted) uids.clear();
        for (const { metadata } of page.items) {
          uids.set(`${metadata.namespace ?? ''}/${metadata.name}`, metadata.uid ?? '');
        }
      }
      return uids;
    } catch (error) {
      // Of the group everything else is known: a cluster out of reach must not hide it.
      if (error instanceof ControlError) return undefined;
      throw error;
    }
  }
}

/** A group whose tags name no uid is told by the name of its pod alone. */
function isSame(uid: string | undefined, pod: Pick<ServedPod, 'uid'>): boolean {
  return uid !== undefined && (pod.uid === '' || pod.uid === uid);
}
