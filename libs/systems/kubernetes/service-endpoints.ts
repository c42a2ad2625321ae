import type { Clock } from '#libs/kernel/clock.js';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { WakeSignal } from '#libs/kernel/wake-signal.js';
import { rawMember, rawObjects, rawText, rawTexts } from '../contract/raw-reader.js';
import { ListedMap } from './listed-map.js';

/** By this label a slice says whose it is. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
/** Of a service with thousands of pods the numbers say enough. */
const MOST_SHOWN = 100;
/** A stream that is begun again soon after it broke off goes on where it was. */
const GRACE_MILLISECONDS = 300_000;

/** One address behind a service, as it is kept beside the service. */
export interface ServiceEndpoint extends Record<string, Json> {
  address: string;
  ready: boolean;
  /** The pod, where the address is one of the cluster's own. */
  pod: string | null;
  node: string | null;
}

/** What stands behind a service. */
export interface EndpointsOfService {
  count: number;
  ready: number;
  /** In order; of very many the first. */
  shown: ServiceEndpoint[];
}

/** The endpoints that a slice (discovery.k8s.io/v1) names; a missing `ready` means yes. */
export function endpointsOf(slice: JsonObject): ServiceEndpoint[] {
  return rawObjects(slice, 'endpoints').flatMap((endpoint) => {
    const ready = rawMember(endpoint, 'conditions', 'ready') !== false;
    const pod = rawText(endpoint, 'targetRef', 'kind') === 'Pod' ? rawText(endpoint, 'targetRef', 'name') : null;
    const node = rawText(endpoint, 'nodeName');
    return rawTexts(endpoint, 'addresses').map((address) => ({ address, ready, pod, node }));
  });
}

/** The name of the service that a slice belongs to; null for one that belongs to none. */
export function serviceNameOf(slice: JsonObject): string | null {
  return rawText(slice, 'metadata', 'labels', SERVICE_NAME_LABEL);
}

/** One address may be in several slices, as while one replaces another: it is counted once, and ready where one says so. */
export function gathered(slices: Iterable<readonly ServiceEndpoint[]>): EndpointsOfService {
  const byAddress = new Map<string, ServiceEndpoint>();
  for (const endpoints of slices) {
    for (const endpoint of endpoints) {
      if (byAddress.get(endpoint.address)?.ready !== true) byAddress.set(endpoint.address, endpoint);
    }
  }
  const all = [...byAddress.values()].sort((left, right) => (left.address < right.address ? -1 : 1));
  return {
    count: all.length,
    ready: all.filter((endpoint) => endpoint.ready).length,
    shown: all.slice(0, MOST_SHOWN),
  };
}

interface Slice {
  namespace: string;
  /** Namespace and name. */
  service: string;
  endpoints: readonly ServiceEndpoint[];
}

type Knowledge =
  | { state: 'none' }
  | { state: 'current' }
  /** Nobody tells of slices any more. */
  | { state: 'left'; at: Date };

/** What stands behind each service of a cluster, by what its endpoint slices say. */
export class ServiceEndpoints {
  readonly #slices = new ListedMap<Slice>();
  readonly #byService = new Map<string, Map<string, Slice>>();
  #changedNamespaces = new Set<string>();
  #knowledge: Knowledge = { state: 'none' };

  constructor(
    private readonly clock: Clock,
    /** Woken when what stands behind a service has changed. */
    private readonly changed: WakeSignal,
  ) {}

  beginList(): void {
    this.#slices.beginList();
  }

  list(id: string, namespace: string, object: JsonObject): void {
    const slice = this.#put(id, namespace, object);
    if (slice !== undefined) this.#slices.list(id, slice);
  }

  set(id: string, namespace: string, object: JsonObject): void {
    const slice = this.#put(id, namespace, object);
    if (slice !== undefined) this.#slices.set(id, slice);
  }

  delete(id: string): void {
    const slice = this.#slices.get(id);
    this.#slices.delete(id);
    if (slice !== undefined) this.#remove(id, slice);
  }

  endList(): void {
    for (const [id, slice] of this.#slices.endList()) this.#remove(id, slice);
    this.#knowledge = { state: 'current' };
    this.changed.wake();
  }

  /** The stream of slices has ended. */
  leave(): void {
    if (this.#knowledge.state === 'current') this.#knowledge = { state: 'left', at: this.clock.now() };
  }

  /** undefined where the slices of the cluster are not known. */
  behind(namespace: string, service: string): EndpointsOfService | undefined {
    if (!this.#isKnown()) return undefined;
    const slices = this.#byService.get(keyOf(namespace, service));
    return gathered([...(slices?.values() ?? [])].map(({ endpoints }) => endpoints));
  }

  /** The namespaces in which something has changed since this was last asked; none as long as not all was seen. */
  takeChanged(): Set<string> {
    if (this.#knowledge.state === 'none') return new Set();
    const changed = this.#changedNamespaces;
    this.#changedNamespaces = new Set();
    return changed;
  }

  #isKnown(): boolean {
    switch (this.#knowledge.state) {
      case 'none':
        return false;
      case 'current':
        return true;
      case 'left':
        return this.clock.now().getTime() - this.#knowledge.at.getTime() < GRACE_MILLISECONDS;
    }
  }

  #put(id: string, namespace: string, object: JsonObject): Slice | undefined {
    const before = this.#slices.get(id);
    const name = serviceNameOf(object);
    if (before !== undefined) this.#remove(id, before);
    if (name === null) {
      this.#slices.delete(id);
      return undefined;
    }
    const slice: Slice = { namespace, service: keyOf(namespace, name), endpoints: endpointsOf(object) };
    const ofService = this.#byService.get(slice.service) ?? new Map<string, Slice>();
    this.#byService.set(slice.service, ofService.set(id, slice));
    this.#tell(namespace);
    return slice;
  }

  #remove(id: string, { namespace, service }: Slice): void {
    const ofService = this.#byService.get(service);
    ofService?.delete(id);
    if (ofService?.size === 0) this.#byService.delete(service);
    this.#tell(namespace);
  }

  #tell(namespace: string): void {
    this.#changedNamespaces.add(namespace);
    this.changed.wake();
  }
}

function keyOf(namespace: string, service: string): string {
  return `${namespace}/${service}`;
}
