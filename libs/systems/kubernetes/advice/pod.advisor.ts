import type { Clock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { Advice, AdviceContext, Advisor, KnownObject } from '../../contract/advice.js';
import { rawObjects, rawText } from '../../contract/raw-reader.js';
import { workloadOf } from '../../contract/pod-workload.js';
import { PULL_SECRET_TYPES, pullSecretOf, type PullSecret } from '../../contract/pull-secret.js';
import { csiDriverKind } from '../csi-driver.kind.js';
import type { KubernetesClient } from '../kubernetes.client.js';
import { nodeKind } from '../node.kind.js';
import { podKind } from '../pod.kind.js';
import { storageClassKind } from '../storage-class.kind.js';
import { CRASH_LOOP_CODES, crashLoopAdvice } from './crash-loop.advice.js';
import { eventsOf, messagesOf, warningsOf } from './event.reader.js';
import { FREQUENT_RESTARTS_CODES, frequentRestartsAdvice } from './frequent-restarts.advice.js';
import { HELD_ON_HUB_CODES, heldOnHubAdvice } from './held-on-hub.advice.js';
import { isHeldOnHub } from './hub.reader.js';
import { IMAGE_PULL_CODES, imagePullAdvice, lacksImage } from './image-pull.advice.js';
import {
  INSUFFICIENT_RESOURCES_CODES,
  POOL_KINDS,
  insufficientResourcesAdvice,
  lacksResources,
} from './insufficient-resources.advice.js';
import { NODE_SELECTOR_CODES, nodeSelectorAdvice } from './node-selector.advice.js';
import {
  NON_ROOT_VOLUME_CODES,
  mayBeDeniedItsVolumes,
  nonRootVolumeAdvice,
  type MountedClaim,
} from './non-root-volume.advice.js';
import { PROVIDER_FAILED_CODES, isRefusedForImage, providerFailedAdvice } from './provider-failed.advice.js';
import { PROVIDER_VANISHED_CODES, providerVanishedAdvice } from './provider-vanished.advice.js';
import { unschedulableMessage } from './scheduling.rules.js';
import { TILLER_CODES, tillerRefusalAdvice } from './tiller.advice.js';
import {
  UNBOUND_CLAIM_CODES,
  claimNamesOf,
  unboundClaimAdvice,
  waitsForClaims,
  type NamedClaim,
} from './unbound-claim.advice.js';
import { UNTOLERATED_TAINT_CODES, untoleratedTaintAdvice } from './untolerated-taint.advice.js';
import { VIRTUAL_NODE_TAINT_CODES, virtualNodeTaintAdvice } from './virtual-node-taint.advice.js';

/** Gathers what the rules about pods have to know: mostly from the cache, claims, volumes and events from the cluster. */
export class PodAdvisor implements Advisor {
  readonly kind = podKind.name;
  readonly codes = {
    ...HELD_ON_HUB_CODES,
    ...NODE_SELECTOR_CODES,
    ...VIRTUAL_NODE_TAINT_CODES,
    ...UNTOLERATED_TAINT_CODES,
    ...INSUFFICIENT_RESOURCES_CODES,
    ...UNBOUND_CLAIM_CODES,
    ...PROVIDER_FAILED_CODES,
    ...PROVIDER_VANISHED_CODES,
    ...IMAGE_PULL_CODES,
    ...NON_ROOT_VOLUME_CODES,
    ...TILLER_CODES,
    ...CRASH_LOOP_CODES,
    ...FREQUENT_RESTARTS_CODES,
  };

  constructor(
    private readonly client: KubernetesClient,
    private readonly clock: Clock,
  ) {}

  async advise(object: KnownObject, context: AdviceContext): Promise<Advice[]> {
    const pod = object.properties;
    const id = KubernetesId.parse(object.id);
    if (unschedulableMessage(pod) !== undefined) {
      const held = heldOnHubAdvice(await isHeldOnHub(this.client, id, context), id.namespace);
      if (held.length > 0) return held;
      return this.#withoutPlace(pod, id, context);
    }
    const workload = workloadOf(pod, id.clusterUid, id.namespace);
    const place = { pod, cluster: id.clusterUid, namespace: id.namespace ?? '', workload };
    const pullSecrets = isRefusedForImage(pod) ? await this.#pullSecrets(id, context) : undefined;
    const advice = [
      ...providerFailedAdvice({ ...place, pullSecrets }),
      ...providerVanishedAdvice(place),
      ...(await this.#withoutImage(pod, id, context)),
    ];
    const denied = mayBeDeniedItsVolumes(pod)
      ? nonRootVolumeAdvice({ ...place, claims: await this.#mountedClaims(pod, id, context) })
      : [];
    const known = [...denied, ...tillerRefusalAdvice(pod)];
    const restarts = frequentRestartsAdvice(pod, this.clock.now());
    // What is explained by the volume, Tiller or the settings needs no second explanation.
    const explained = new Set([...known, ...restarts].map(({ evidence }) => evidence.container));
    const crashes = crashLoopAdvice(pod).filter(({ evidence }) => !explained.has(evidence.container));
    return [...advice, ...known, ...crashes, ...restarts.filter(({ evidence }) => !isDenied(known, evidence))];
  }

  async #withoutPlace(pod: JsonObject, id: KubernetesId, context: AdviceContext): Promise<Advice[]> {
    const workload = workloadOf(pod, id.clusterUid, id.namespace);
    const nodes = await context.inCluster(nodeKind.name);
    const situation = { pod, workload, nodes };
    const advice = [
      ...nodeSelectorAdvice(situation),
      ...virtualNodeTaintAdvice(situation),
      ...untoleratedTaintAdvice(situation),
    ];
    if (lacksResources(pod)) {
      const pools = await Promise.all(POOL_KINDS.map((kind) => context.inCluster(kind)));
      advice.push(...insufficientResourcesAdvice({ pod, nodes, pools: pools.flat() }));
    }
    if (waitsForClaims(pod)) {
      const classes = await context.inCluster(storageClassKind.name);
      const claims = await Promise.all(claimNamesOf(pod).map((name) => this.#namedClaim(id, name, context)));
      const namespace = id.namespace ?? '';
      advice.push(...unboundClaimAdvice({ pod, cluster: id.clusterUid, namespace, claims, classes }));
    }
    // What keeps the pod from every node comes before what would let it onto another one.
    return advice.sort((left, right) => Number(left.severity === 'info') - Number(right.severity === 'info'));
  }

  async #withoutImage(pod: JsonObject, id: KubernetesId, context: AdviceContext): Promise<Advice[]> {
    if (!lacksImage(pod)) return [];
    const [events, secrets] = await Promise.all([eventsOf(this.client, id, context), this.#pullSecrets(id, context)]);
    const workload = workloadOf(pod, id.clusterUid, id.namespace);
    const registrySecrets = secrets?.map(({ name }) => name);
    return imagePullAdvice({ pod, workload, eventMessages: messagesOf(events), registrySecrets });
  }

  /** Their names and servers alone: the credentials in them are looked at by nobody. Undefined where they may not be seen. */
  async #pullSecrets(id: KubernetesId, context: AdviceContext): Promise<PullSecret[] | undefined> {
    const secrets = new Map<string, PullSecret>();
    const kind = { group: '', kind: 'Secret' };
    try {
      for (const type of PULL_SECRET_TYPES) {
        const options = { fieldSelector: `type=${type}` };
        for await (const secret of this.client.listIn(id.clusterUid, id.namespace ?? '', kind, context, options)) {
          const known = pullSecretOf(secret);
          if (known !== undefined) secrets.set(known.name, known);
        }
      }
    } catch (error) {
      if (!(error instanceof ControlError) || error.code !== 'KUBERNETES_FORBIDDEN') throw error;
      return undefined;
    }
    return [...secrets.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  async #namedClaim(pod: KubernetesId, name: string, context: AdviceContext): Promise<NamedClaim> {
    const claim = await this.#read(pod, 'PersistentVolumeClaim', name, context);
    if (claim === undefined || rawText(claim, 'status', 'phase') === 'Bound') return { name, claim, warning: null };
    const id = claimId(pod, name);
    return { name, claim, warning: warningsOf(await eventsOf(this.client, id, context)).at(-1) ?? null };
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
    const { clusterUid } = pod;
    const id =
      kind === 'PersistentVolumeClaim'
        ? claimId(pod, name)
        : KubernetesId.of({ clusterUid, group: '', kind, namespace: undefined, name });
    return this.client.get(id, call);
  }
}

/** Whether the volumes of a container explain why it ends. */
function isDenied(denied: readonly Advice[], { container }: JsonObject): boolean {
  return denied.some(({ evidence }) => evidence.container === container);
}

function claimId({ clusterUid, namespace }: KubernetesId, name: string): KubernetesId {
  return KubernetesId.of({ clusterUid, group: '', kind: 'PersistentVolumeClaim', namespace, name });
}
