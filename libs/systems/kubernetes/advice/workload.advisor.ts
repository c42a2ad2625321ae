import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { Advice, AdviceContext, Advisor, KnownObject } from '../../contract/advice.js';
import { rawObjects, rawText } from '../../contract/raw-reader.js';
import type { KubernetesClient } from '../kubernetes.client.js';
import { workloadKind } from '../workload.kind.js';
import { eventsOf, messagesOf } from './event.reader.js';
import { HELD_ON_HUB_CODES, heldOnHubAdvice } from './held-on-hub.advice.js';
import { isHeldOnHub } from './hub.reader.js';
import { REFUSED_PODS_CODES, lacksPods, refusedPodsAdvice } from './refused-pods.advice.js';
import { TILLER_CODES, tillerAdvice } from './tiller.advice.js';

const REASON = 'FailedCreate';

/** Why the pods of a workload are not even made. Those that are made tell for themselves. */
export class WorkloadAdvisor implements Advisor {
  readonly kind = workloadKind.name;
  readonly codes = { ...HELD_ON_HUB_CODES, ...REFUSED_PODS_CODES, ...TILLER_CODES };

  constructor(private readonly client: KubernetesClient) {}

  async advise(object: KnownObject, context: AdviceContext): Promise<Advice[]> {
    const workload = object.properties;
    const tiller = tillerAdvice(workload);
    if (!lacksPods(workload)) return tiller;
    const id = KubernetesId.parse(object.id);
    const held = heldOnHubAdvice(await isHeldOnHub(this.client, id, context), id.namespace);
    if (held.length > 0) return held;
    const failedCreates = await this.#failedCreates(id, context);
    return [...refusedPodsAdvice({ workload, id: id.canonical, failedCreates }), ...tiller];
  }

  /** The pods of a Deployment are made by its replica sets, which are named after it. */
  async #failedCreates(id: KubernetesId, context: AdviceContext): Promise<string[]> {
    if (id.kind !== 'Deployment') return messagesOf(await eventsOf(this.client, id, context), REASON);
    const messages: string[] = [];
    const type = { group: 'apps', kind: 'ReplicaSet' };
    for await (const set of this.client.listIn(id.clusterUid, id.namespace ?? '', type, context)) {
      if (!isOwnedBy(set, id.name)) continue;
      const setId = KubernetesId.of({
        clusterUid: id.clusterUid,
        ...type,
        namespace: id.namespace,
        name: set.metadata.name,
      });
      messages.push(...messagesOf(await eventsOf(this.client, setId, context), REASON));
    }
    return messages;
  }
}

function isOwnedBy(set: JsonObject, deployment: string): boolean {
  return rawObjects(set, 'metadata', 'ownerReferences').some(
    (owner) => rawText(owner, 'kind') === 'Deployment' && rawText(owner, 'name') === deployment,
  );
}
