import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { Advice, AdviceContext, Advisor, KnownObject } from '../../contract/advice.js';
import { rawObjects, rawText } from '../../contract/raw-reader.js';
import { workloadOf } from '../../contract/pod-workload.js';
import { csiDriverKind } from '../csi-driver.kind.js';
import type { KubernetesClient } from '../kubernetes.client.js';
import { nodeKind } from '../node.kind.js';
import { podKind } from '../pod.kind.js';
import { storageClassKind } from '../storage-class.kind.js';
import {
  INSUFFICIENT_RESOURCES_CODES,
  POOL_KINDS,
  insufficientResourcesAdvice,
  lacksResources,
} from './insufficient-resources.advice.js';
import {
  NON_ROOT_VOLUME_CODES,
  mayBeDeniedItsVolumes,
  nonRootVolumeAdvice,
  type MountedClaim,
} from './non-root-volume.advice.js';

/** Gathers what the rules about pods have to know: mostly from the cache, claims and volumes from the cluster. */
export class PodAdvisor implements Advisor {
  readonly kind = podKind.name;
  readonly codes = { ...NON_ROOT_VOLUME_CODES, ...INSUFFICIENT_RESOURCES_CODES };

  constructor(private readonly client: KubernetesClient) {}

  async advise(object: KnownObject, context: AdviceContext): Promise<Advice[]> {
    const pod = object.properties;
    const id = KubernetesId.parse(object.id);
    const advice: Advice[] = [];
    if (lacksResources(pod)) {
      const [nodes, ...pools] = await Promise.all(
        [nodeKind.name, ...POOL_KINDS].map((kind) => context.inCluster(kind)),
      );
      advice.push(...insufficientResourcesAdvice({ pod, nodes: nodes ?? [], pools: pools.flat() }));
    }
    if (mayBeDeniedItsVolumes(pod)) {
      const claims = await this.#mountedClaims(pod, id, context);
      const workload = workloadOf(pod, id.clusterUid, id.namespace);
      advice.push(...nonRootVolumeAdvice({ pod, cluster: id.clusterUid, workload, claims }));
    }
    return advice;
  }

  async #mountedClaims(pod: JsonObject, podId: KubernetesId, context: AdviceContext): Promise<MountedClaim[]> {
    const [classes, drivers] = await Promise.all([
      context.inCluster(storageClassKind.name),
      context.inCluster(csiDriverKind.name),
    ]);
    const mounted: MountedClaim[] = [];
    for (const volume of rawObjects(pod, 'spec', 'volumes')) {
      const name = rawText(volume, 'name');
      const claimName = rawText(volume, 'persistentVolumeClaim', 'claimName');
      if (name === null || claimName === null) continue;
      const claim = await this.#read(podId, 'PersistentVolumeClaim', claimName, context);
      if (claim === undefined) continue;
      const volumeName = rawText(claim, 'spec', 'volumeName');
      const persistentVolume =
        volumeName === null ? undefined : await this.#read(podId, 'PersistentVolume', volumeName, context);
      const driverName = rawText(persistentVolume, 'spec', 'csi', 'driver');
      const className = rawText(claim, 'spec', 'storageClassName');
      const driver = drivers.find((each) => each.name === driverName);
      mounted.push({
        volume: name,
        claim,
        persistentVolume,
        storageClass: classes.find((each) => each.name === className)?.properties,
        driver: driver === undefined ? undefined : { id: driver.id, object: driver.properties },
      });
    }
    return mounted;
  }

  #read(
    pod: KubernetesId,
    kind: 'PersistentVolumeClaim' | 'PersistentVolume',
    name: string,
    call: KubeCall,
  ): Promise<JsonObject | undefined> {
    const namespace = kind === 'PersistentVolumeClaim' ? pod.namespace : undefined;
    return this.client.get(KubernetesId.of({ clusterUid: pod.clusterUid, group: '', kind, namespace, name }), call);
  }
}
