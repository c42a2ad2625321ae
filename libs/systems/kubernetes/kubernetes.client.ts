import { ControlError } from '#libs/kernel/control-error.js';
import type { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { ClusterClient, ListOptions, WatchTurn } from '#libs/kube/cluster-client.js';
import { isFleetHub, isReservedOnHub } from '#libs/kube/manifest/fleet-hub.js';
import type { Kube } from '#libs/kube/kube.js';
import type { ApiResource, KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type { WatchContext, WatchedCluster } from '../contract/cluster-watcher.js';

/** A type of objects, by its group (`''` for the core) and its kind in Kubernetes. */
export interface KubernetesType {
  group: string;
  kind: string;
}

/** The calls into clusters that reading needs, without decisions. */
export class KubernetesClient {
  constructor(private readonly kube: Kube) {}

  /** @throws ControlError KUBERNETES_NOT_FOUND where the cluster does not serve the type. */
  async *watch(
    cluster: WatchedCluster,
    type: KubernetesType,
    context: WatchContext,
  ): AsyncGenerator<WatchTurn, void, void> {
    const client = this.kube.cluster({ uid: cluster.uid, id: cluster.id, kind: cluster.kind });
    const resource = await resourceOf(client, type, context);
    const relistRequested = (signal: AbortSignal): Promise<void> => untilRelist(context, signal);
    yield* client.watch(resource, { relistRequested }, context);
  }

  async get(id: KubernetesId, call: KubeCall): Promise<KubernetesObject | undefined> {
    const client = await this.kube.clusterOf(id.clusterUid);
    return client.get(await resourceOf(client, id, call), id.namespace, id.name, call);
  }

  async *listIn(
    clusterUid: string,
    namespace: string,
    type: KubernetesType,
    call: KubeCall,
    selection: Pick<ListOptions, 'labelSelector' | 'fieldSelector'> = {},
  ): AsyncGenerator<KubernetesObject, void, void> {
    const client = await this.kube.clusterOf(clusterUid);
    const options = { namespace, ...selection };
    for await (const page of client.list(await resourceOf(client, type, call), options, call)) yield* page.items;
  }

  /** Whether the cluster is the hub of a fleet, and keeps what is in the namespace for its members. */
  async isHeldOnHub({ clusterUid, namespace = '' }: KubernetesId, call: KubeCall): Promise<boolean> {
    if (isReservedOnHub(namespace)) return false;
    return isFleetHub(await this.kube.clusterOf(clusterUid), call);
  }

  /** The pods that a node carries, also those that have ended. */
  async *podsOn(clusterUid: string, node: string, call: KubeCall): AsyncGenerator<KubernetesObject, void, void> {
    const client = await this.kube.clusterOf(clusterUid);
    const pods = await resourceOf(client, { group: '', kind: 'Pod' }, call);
    for await (const page of client.list(pods, { fieldSelector: `spec.nodeName=${node}` }, call)) yield* page.items;
  }
}

async function resourceOf(
  client: ClusterClient,
  { group, kind }: KubernetesType,
  call: KubeCall,
): Promise<ApiResource> {
  const resource = await client.findResource({ group, kind }, call);
  if (resource !== undefined) return resource;
  throw new ControlError(
    'KUBERNETES_NOT_FOUND',
    `The cluster does not serve ${kind}${group === '' ? '' : ` of ${group}`}.`,
  );
}

/** Resolves as well when the watch is over: by then nobody may be left to take a failure. */
async function untilRelist(context: WatchContext, signal: AbortSignal): Promise<void> {
  try {
    await context.relistRequested(signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
