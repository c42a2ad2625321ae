import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import type { Kube } from '#libs/kube/kube.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { rawText } from '../contract/raw-reader.js';
import type { AppServiceClient } from './app-service.client.js';
import { APP_LABEL, APP_PODS_SELECTOR, CONNECTED_CLUSTER_KIND, type PlaceInCluster } from './placement.js';

interface ReadContext extends AzureCallContext {
  signal: AbortSignal;
}

/** Where custom locations are and which pods run there, each read once for a run. */
export class PlaceReader {
  readonly #places = new Map<string, Promise<PlaceInCluster | undefined>>();
  readonly #pods = new Map<string, Promise<ReadonlyMap<string, KubernetesObject[]>>>();

  constructor(
    private readonly client: AppServiceClient,
    private readonly kube: Kube,
    private readonly context: ReadContext,
  ) {}

  /** undefined for a custom location that is gone. @throws ControlError */
  find(customLocation: ArmId): Promise<PlaceInCluster | undefined> {
    const known = this.#places.get(customLocation.canonical) ?? this.#read(customLocation);
    this.#places.set(customLocation.canonical, known);
    return known;
  }

  /** The canonical ids of the pods of a web app; none where the cluster cannot be asked. */
  async podsOf(webApp: ArmId, place: PlaceInCluster): Promise<string[]> {
    try {
      const pods = await this.findPods(webApp, place);
      return pods.map(
        ({ metadata }) =>
          KubernetesId.of({
            clusterUid: place.cluster.uid,
            group: '',
            kind: 'Pod',
            namespace: place.namespace,
            name: metadata.name,
          }).canonical,
      );
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      // Of the web app everything else is known: a cluster out of reach must not hide it.
      return [];
    }
  }

  /** @throws ControlError where the cluster cannot be asked. */
  async findPods(webApp: ArmId, place: PlaceInCluster): Promise<KubernetesObject[]> {
    const key = `${place.cluster.uid}/${place.namespace}`;
    const known = this.#pods.get(key) ?? this.#listPods(place);
    this.#pods.set(key, known);
    return (await known).get(webApp.name.toLowerCase()) ?? [];
  }

  async #read(customLocation: ArmId): Promise<PlaceInCluster | undefined> {
    const reading = await this.client.get(customLocation, this.context);
    if (reading.state === 'missing') return undefined;
    const cluster = ArmId.tryParse(rawText(reading.body, 'properties', 'hostResourceId') ?? '');
    const namespace = rawText(reading.body, 'properties', 'namespace');
    return cluster === undefined || namespace === null ? undefined : { cluster, namespace };
  }

  async #listPods({ cluster, namespace }: PlaceInCluster): Promise<ReadonlyMap<string, KubernetesObject[]>> {
    const client = this.kube.cluster({ uid: cluster.uid, id: cluster.toString(), kind: CONNECTED_CLUSTER_KIND });
    const resource = await client.findResource({ group: '', kind: 'Pod' }, this.context);
    const byApp = new Map<string, KubernetesObject[]>();
    if (resource === undefined) return byApp;
    for await (const page of client.list(resource, { namespace, labelSelector: APP_PODS_SELECTOR }, this.context)) {
      if (page.restarted) byApp.clear();
      for (const pod of page.items) {
        const app = rawText(pod, 'metadata', 'labels', APP_LABEL);
        if (app !== null) byApp.set(app, [...(byApp.get(app) ?? []), pod]);
      }
    }
    return byApp;
  }
}
