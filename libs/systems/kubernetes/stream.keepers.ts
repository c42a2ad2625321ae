import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { WakeSignal } from '#libs/kernel/wake-signal.js';
import type { KubernetesReading } from '../contract/kubernetes-observation.js';
import type { Observation } from '../contract/observation.js';
import type { ClusterIndex } from './cluster-index.js';
import { observeCsiDriver } from './csi-driver.kind.js';
import type { StreamName } from './kubernetes.options.js';
import { ListedMap } from './listed-map.js';
import { observeNamespace } from './namespace.kind.js';
import { podShareOf, type NodeLoad } from './node-load.js';
import { observeNode, withRequests, type NodeRequests } from './node.kind.js';
import { observePod } from './pod.kind.js';
import type { ServiceEndpoints } from './service-endpoints.js';
import {
  leadingTo,
  observeService,
  sameEndpoints,
  selectorOf,
  templateLabelsOf,
  withEndpoints,
} from './service.kind.js';
import { observeStorageClass } from './storage-class.kind.js';
import type { WorkloadLabels } from './workload-labels.js';
import { observeWorkload, type WorkloadType } from './workload.kind.js';

/** By a page of a list or by a change. */
export type Telling = 'list' | 'set';

/**
 * What one stream of a cluster keeps of the objects that it tells of, for itself or for the other streams. Unless it is said
 * otherwise below, that is nothing.
 */
export abstract class StreamKeeper {
  /** Whether its objects are told as such, or only known to other streams. */
  readonly tells: boolean = true;
  /** Woken when objects that were told would now be told differently. */
  readonly changed: WakeSignal | undefined = undefined;

  abstract observe(id: KubernetesId, object: JsonObject, reading: KubernetesReading, telling: Telling): Observation;

  /** Every object of the stream, also those that are not kept in the cache. */
  note(_id: KubernetesId, _object: JsonObject, _telling: Telling): void {
    // Nothing.
  }

  forget(_canonicalId: string): void {
    // Nothing.
  }

  /** What a list that broke off has held counts no more. */
  beginList(): void {
    // Nothing.
  }

  /** @returns the canonical ids of what can be told again and was not in the list. */
  endList(): string[] {
    return [];
  }

  /** What was told before and is different now; its `observedAt` is still the old one. */
  takeChanged(): Observation[] {
    return [];
  }

  /** The stream has ended. */
  leave(): void {
    // Nothing.
  }
}

export function keeperOf(stream: StreamName, index: ClusterIndex): StreamKeeper {
  switch (stream) {
    case 'namespaces':
      return new PlainKeeper(observeNamespace);
    case 'deployments':
      return new WorkloadKeeper('Deployment', index.labels);
    case 'statefulsets':
      return new WorkloadKeeper('StatefulSet', index.labels);
    case 'daemonsets':
      return new WorkloadKeeper('DaemonSet', index.labels);
    case 'services':
      return new ServiceKeeper(index);
    case 'endpointslices':
      return new EndpointSliceKeeper(index.endpoints);
    case 'pods':
      return new PodKeeper(index.load);
    case 'nodes':
      return new NodeKeeper(index.load);
    case 'storageclasses':
      return new PlainKeeper(observeStorageClass);
    case 'csidrivers':
      return new PlainKeeper(observeCsiDriver);
  }
}

/** Objects that say everything themselves and nothing about others. */
class PlainKeeper extends StreamKeeper {
  constructor(private readonly observeObject: (object: JsonObject, reading: KubernetesReading) => Observation) {
    super();
  }

  observe(_id: KubernetesId, object: JsonObject, reading: KubernetesReading): Observation {
    return this.observeObject(object, reading);
  }
}

class WorkloadKeeper extends StreamKeeper {
  constructor(
    private readonly type: WorkloadType,
    private readonly labels: WorkloadLabels,
  ) {
    super();
  }

  override note(id: KubernetesId, object: JsonObject, telling: Telling): void {
    this.labels[telling](this.type, id.canonical, { namespace: id.namespace ?? '', labels: templateLabelsOf(object) });
  }

  observe(_id: KubernetesId, object: JsonObject, reading: KubernetesReading): Observation {
    return observeWorkload(object, reading);
  }

  override forget(canonicalId: string): void {
    this.labels.delete(this.type, canonicalId);
  }

  override endList(): string[] {
    this.labels.endList(this.type);
    return [];
  }

  override beginList(): void {
    this.labels.beginList(this.type);
  }
}

class PodKeeper extends StreamKeeper {
  constructor(private readonly load: NodeLoad) {
    super();
  }

  override note(id: KubernetesId, object: JsonObject, telling: Telling): void {
    this.load[telling](id.canonical, podShareOf(object));
  }

  observe(_id: KubernetesId, object: JsonObject, reading: KubernetesReading): Observation {
    return observePod(object, reading);
  }

  override forget(canonicalId: string): void {
    this.load.set(canonicalId, undefined);
  }

  override endList(): string[] {
    this.load.endList();
    return [];
  }

  override beginList(): void {
    this.load.beginList();
  }

  override leave(): void {
    this.load.leave();
  }
}

interface ToldNode {
  observation: Observation;
  requests: NodeRequests | undefined;
}

class NodeKeeper extends StreamKeeper {
  override readonly changed: WakeSignal;
  readonly #told = new ListedMap<ToldNode>();
  /** The nodes by the names that pods call them by. */
  readonly #idByName = new Map<string, string>();

  constructor(private readonly load: NodeLoad) {
    super();
    this.changed = load.changed;
  }

  observe(id: KubernetesId, object: JsonObject, reading: KubernetesReading, telling: Telling): Observation {
    const requests = this.load.requestsOn(id.name);
    const observation = withRequests(observeNode(object, reading), requests);
    this.#told[telling](id.canonical, { observation, requests });
    this.#idByName.set(id.name, id.canonical);
    return observation;
  }

  override forget(canonicalId: string): void {
    const told = this.#told.get(canonicalId);
    this.#told.delete(canonicalId);
    if (told !== undefined) this.#idByName.delete(told.observation.name);
  }

  override beginList(): void {
    this.#told.beginList();
  }

  override endList(): string[] {
    const vanished = this.#told.endList();
    for (const [, { observation }] of vanished) this.#idByName.delete(observation.name);
    return vanished.map(([id]) => id);
  }

  override takeChanged(): Observation[] {
    const changed: Observation[] = [];
    for (const name of this.load.takeChanged()) {
      const id = this.#idByName.get(name) ?? '';
      const told = this.#told.get(id);
      const requests = this.load.requestsOn(name);
      if (told === undefined || isSame(told.requests, requests)) continue;
      const observation = withRequests(told.observation, requests);
      this.#told.set(id, { observation, requests });
      changed.push(observation);
    }
    return changed;
  }
}

class ServiceKeeper extends StreamKeeper {
  override readonly changed: WakeSignal;
  readonly #told = new ListedMap<Observation>();
  readonly #byNamespace = new Map<string, Set<string>>();

  constructor(private readonly index: Pick<ClusterIndex, 'labels' | 'endpoints'>) {
    super();
    this.changed = index.labels.changed;
  }

  observe(id: KubernetesId, object: JsonObject, reading: KubernetesReading, telling: Telling): Observation {
    const observation = this.#completed(observeService(object, reading));
    this.#told[telling](id.canonical, observation);
    const namespace = id.namespace ?? '';
    const inNamespace = this.#byNamespace.get(namespace) ?? new Set<string>();
    this.#byNamespace.set(namespace, inNamespace.add(id.canonical));
    return observation;
  }

  override forget(canonicalId: string): void {
    const told = this.#told.get(canonicalId);
    this.#told.delete(canonicalId);
    if (told !== undefined) this.#leaveNamespace(told);
  }

  override beginList(): void {
    this.#told.beginList();
  }

  override endList(): string[] {
    const vanished = this.#told.endList();
    for (const [, observation] of vanished) this.#leaveNamespace(observation);
    return vanished.map(([id]) => id);
  }

  override takeChanged(): Observation[] {
    const changed: Observation[] = [];
    const { labels, endpoints } = this.index;
    for (const namespace of new Set([...labels.takeChanged(), ...endpoints.takeChanged()])) {
      for (const id of this.#byNamespace.get(namespace) ?? []) {
        const told = this.#told.get(id);
        const completed = told === undefined ? undefined : this.#completed(told);
        if (told === undefined || completed === undefined || isToldAlready(told, completed)) continue;
        this.#told.set(id, completed);
        changed.push(completed);
      }
    }
    return changed;
  }

  #completed(service: Observation): Observation {
    const { labels, endpoints } = this.index;
    const namespace = service.namespace ?? '';
    const standing = withEndpoints(service, endpoints.behind(namespace, service.name));
    return leadingTo(standing, labels.chosenBy(selectorOf(service.properties), namespace));
  }

  #leaveNamespace({ canonicalId, namespace }: Observation): void {
    const inNamespace = this.#byNamespace.get(namespace ?? '');
    inNamespace?.delete(canonicalId);
    if (inNamespace?.size === 0) this.#byNamespace.delete(namespace ?? '');
  }
}

/** What stands behind services is told with them. */
class EndpointSliceKeeper extends StreamKeeper {
  override readonly tells = false;

  constructor(private readonly endpoints: ServiceEndpoints) {
    super();
  }

  observe(): never {
    throw new TypeError('Endpoint slices are told with their services.');
  }

  override note(id: KubernetesId, object: JsonObject, telling: Telling): void {
    this.endpoints[telling](id.canonical, id.namespace ?? '', object);
  }

  override forget(canonicalId: string): void {
    this.endpoints.delete(canonicalId);
  }

  override beginList(): void {
    this.endpoints.beginList();
  }

  override endList(): string[] {
    this.endpoints.endList();
    return [];
  }

  override leave(): void {
    this.endpoints.leave();
  }
}

function isSame(left: NodeRequests | undefined, right: NodeRequests | undefined): boolean {
  return (
    left?.cpuMillicores === right?.cpuMillicores &&
    left?.memoryBytes === right?.memoryBytes &&
    left?.pods === right?.pods
  );
}

/** The relations of both are in order. */
function isToldAlready(left: Observation, right: Observation): boolean {
  return (
    sameEndpoints(left, right) &&
    left.relations.length === right.relations.length &&
    left.relations.every(({ to }, position) => to === right.relations[position]?.to)
  );
}
