import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { AccessQuestion, ClusterClient } from '#libs/kube/cluster-client.js';
import type { Kube } from '#libs/kube/kube.js';
import type { ApiResource, KubernetesObject } from '#libs/kube/kubernetes-object.js';

/** How often a change is tried anew at once when others were faster. */
const MOST_TRIES = 5;

/** What came of trying to change an object. */
export type ObjectChange =
  | { change: 'made'; object: KubernetesObject }
  /** It was as wanted. */
  | { change: 'none'; object: KubernetesObject }
  /** Others keep changing it faster. */
  | { change: 'busy' };

/** One object of a cluster: where it is asked for and how it is changed. It need not be there. */
export class ClusterObject {
  private constructor(
    readonly client: ClusterClient,
    readonly resource: ApiResource,
    readonly id: KubernetesId,
    private readonly call: KubeCall,
  ) {}

  /** @throws ControlError KUBERNETES_NOT_FOUND when the cluster does not serve such objects. */
  static async locate(kube: Kube, id: KubernetesId, call: KubeCall): Promise<ClusterObject> {
    return ClusterObject.of(await kube.clusterOf(id.clusterUid), id, call);
  }

  static async of(client: ClusterClient, id: KubernetesId, call: KubeCall): Promise<ClusterObject> {
    const resource = await client.findResource({ group: id.group, kind: id.kind }, call);
    if (resource !== undefined) return new ClusterObject(client, resource, id, call);
    throw new ControlError('KUBERNETES_NOT_FOUND', `The cluster does not serve the kind ${id.kind}.`);
  }

  read(): Promise<KubernetesObject | undefined> {
    return this.client.get(this.resource, this.id.namespace, this.id.name, this.call);
  }

  /** @throws ControlError KUBERNETES_NOT_FOUND */
  async readPresent(): Promise<KubernetesObject> {
    const object = await this.read();
    if (object !== undefined) return object;
    throw new ControlError('KUBERNETES_NOT_FOUND', `The ${this.id.kind} ${this.id.name} is not there any more.`);
  }

  /**
   * Changes what others may be changing at the same time: looks, decides, and writes only if nothing has changed since, so
   * that nobody's change is lost.
   * @param decide what to merge into the object; undefined where it is as wanted.
   */
  async change(decide: (object: KubernetesObject) => JsonObject | undefined): Promise<ObjectChange> {
    for (let attempt = 1; attempt <= MOST_TRIES; attempt++) {
      const object = await this.readPresent();
      const wanted = decide(object);
      if (wanted === undefined) return { change: 'none', object };
      const { resourceVersion } = object.metadata;
      const patch = resourceVersion === undefined ? wanted : { ...wanted, metadata: { resourceVersion } };
      try {
        const written = await this.merge(patch);
        return { change: 'made', object: written };
      } catch (error) {
        if (!(error instanceof ControlError) || error.code !== 'KUBERNETES_CONFLICT') throw error;
      }
    }
    return { change: 'busy' };
  }

  async merge(patch: JsonObject, subresource?: string): Promise<KubernetesObject> {
    const options = subresource === undefined ? {} : { subresource };
    const { resource, id } = this;
    const written = await this.client.patch(
      resource,
      id.namespace,
      id.name,
      { type: 'merge', patch },
      options,
      this.call,
    );
    return written.object;
  }

  /** Whether the cluster allows it to the identity of Pilothouse; `evidence` says what was asked. */
  async allows(verb: string, subresource?: string): Promise<{ allowed: boolean; evidence: JsonObject }> {
    const { group, plural } = this.resource;
    const { namespace, name } = this.id;
    const question: AccessQuestion = {
      verb,
      group,
      resource: plural,
      name,
      ...(subresource === undefined ? {} : { subresource }),
      ...(namespace === undefined ? {} : { namespace }),
    };
    const { allowed, reason } = await this.client.mayI(question, this.call);
    return { allowed, evidence: { ...question, reason } };
  }
}
