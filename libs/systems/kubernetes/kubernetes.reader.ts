import type { Clock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type { ObservationResult } from '../contract/collector.js';
import { kubernetesIdOf, type KubernetesReading } from '../contract/kubernetes-observation.js';
import type { Observation } from '../contract/observation.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import type { KubernetesClient } from './kubernetes.client.js';
import { watchedKinds } from './kubernetes.kinds.js';
import type { KubernetesOptions } from './kubernetes.options.js';
import { STREAMS } from './kubernetes.streams.js';
import { csiDriverKind, observeCsiDriver } from './csi-driver.kind.js';
import { namespaceKind, observeNamespace } from './namespace.kind.js';
import { podShareOf } from './node-load.js';
import { nodeKind, observeNode, withRequests, type NodeRequests } from './node.kind.js';
import { observePod, podKind } from './pod.kind.js';
import { plus } from './pod-requests.js';
import { endpointsOf, gathered, SERVICE_NAME_LABEL, type EndpointsOfService } from './service-endpoints.js';
import {
  leadingTo,
  observeService,
  selectorOf,
  selects,
  serviceKind,
  templateLabelsOf,
  withEndpoints,
} from './service.kind.js';
import { observeStorageClass, storageClassKind } from './storage-class.kind.js';
import { observeWorkload, workloadKind } from './workload.kind.js';

/**
 * Reads one object, and what has to be known around it to give the same picture as the streams do: the pods of a node,
 * the workloads beside a service.
 */
export class KubernetesReader {
  constructor(
    private readonly client: KubernetesClient,
    private readonly options: Pick<KubernetesOptions, 'clusters' | 'streams'>,
    private readonly clock: Clock,
  ) {}

  /** @throws ControlError, INVALID_REQUEST for what is not of the kinds that are watched. */
  async observe(target: ResourceTarget, call: KubeCall): Promise<ObservationResult> {
    const id = KubernetesId.parse(target.id);
    const kind = watchedKindOf(id);
    const cluster = await this.options.clusters.find(id.clusterUid);
    if (cluster === undefined) {
      throw new ControlError('RESOURCE_NOT_FOUND', `The cluster ${id.clusterUid} of ${id.toString()} is not known.`);
    }
    const observedAt = this.clock.now();
    const object = await this.client.get(id, call);
    if (object === undefined) return { state: 'absent', observedAt };
    return {
      state: 'present',
      observations: [await this.#observation(kind, object, { cluster, observedAt, source: 'WATCH' }, call)],
    };
  }

  async #observation(
    kind: string,
    object: KubernetesObject,
    reading: KubernetesReading,
    call: KubeCall,
  ): Promise<Observation> {
    switch (kind) {
      case namespaceKind.name:
        return observeNamespace(object, reading);
      case nodeKind.name:
        return withRequests(
          observeNode(object, reading),
          await this.#requestsOn(reading.cluster.uid, object.metadata.name, call),
        );
      case workloadKind.name:
        return observeWorkload(object, reading);
      case podKind.name:
        return observePod(object, reading);
      case serviceKind.name:
        return withEndpoints(
          leadingTo(observeService(object, reading), await this.#chosenBy(object, reading.cluster.uid, call)),
          await this.#behind(object, reading.cluster.uid, call),
        );
      case storageClassKind.name:
        return observeStorageClass(object, reading);
      case csiDriverKind.name:
        return observeCsiDriver(object, reading);
      default:
        throw new TypeError(`Nothing observes the kind ${kind}`);
    }
  }

  async #requestsOn(clusterUid: string, node: string, call: KubeCall): Promise<NodeRequests | undefined> {
    if (!this.options.streams.includes('pods')) return undefined;
    const pods = await whereAllowed(this.client.podsOn(clusterUid, node, call));
    if (pods === undefined) return undefined;
    const shares = pods.map(podShareOf).filter((share) => share !== undefined);
    return { ...shares.reduce(plus, { cpuMillicores: 0, memoryBytes: 0 }), pods: shares.length };
  }

  async #behind(
    { metadata: { name, namespace } }: KubernetesObject,
    clusterUid: string,
    call: KubeCall,
  ): Promise<EndpointsOfService | undefined> {
    const slices = STREAMS.find((stream) => stream.name === 'endpointslices');
    if (slices === undefined || !this.options.streams.includes(slices.name) || namespace === undefined)
      return undefined;
    const selector = `${SERVICE_NAME_LABEL}=${name}`;
    const found = await whereAllowed(
      this.client.listIn(clusterUid, namespace, slices.type, call, { labelSelector: selector }),
    );
    return found === undefined ? undefined : gathered(found.map(endpointsOf));
  }

  async #chosenBy(service: KubernetesObject, clusterUid: string, call: KubeCall): Promise<string[]> {
    const selector = selectorOf(service);
    const { namespace } = service.metadata;
    if (Object.keys(selector).length === 0 || namespace === undefined) return [];
    const types = STREAMS.filter(({ name, kind }) => kind === workloadKind.name && this.options.streams.includes(name));
    const lists = await Promise.all(
      types.map(({ type }) => whereAllowed(this.client.listIn(clusterUid, namespace, type, call))),
    );
    return lists
      .flatMap((list) => list ?? [])
      .filter((workload) => selects(selector, templateLabelsOf(workload)))
      .map((workload) => kubernetesIdOf(workload, clusterUid).canonical)
      .sort();
  }
}

function watchedKindOf({ group, kind }: KubernetesId): string {
  const found = watchedKinds.find((each) =>
    each.kubernetesTypes?.some((type) => type.group === group && type.kind === kind),
  );
  if (found !== undefined) return found.name;
  throw new ControlError('INVALID_REQUEST', `Objects of the type ${kind} are not watched.`);
}

/** Undefined where this is forbidden: the object itself could be seen, and the streams do without it as well. */
async function whereAllowed(objects: AsyncIterable<KubernetesObject>): Promise<KubernetesObject[] | undefined> {
  const seen: KubernetesObject[] = [];
  try {
    for await (const object of objects) seen.push(object);
    return seen;
  } catch (error) {
    if (error instanceof ControlError && error.code === 'KUBERNETES_FORBIDDEN') return undefined;
    throw error;
  }
}
