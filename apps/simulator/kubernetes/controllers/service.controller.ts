import type { Controller, ControllerContext } from './controller.js';
import { objectKey, splitKey } from './cluster.view.js';
import type { LoadBalancerRequest } from './controller.options.js';
import type { Service } from './kubernetes.types.js';
import type { WorkQueue } from './work.loop.js';
import { WRITERS } from './writers.js';

const CLEANUP = 'service.kubernetes.io/load-balancer-cleanup';
const INTERNAL = 'service.beta.kubernetes.io/azure-load-balancer-internal';

/** Azure's part in services: load balancers. The API server itself gives cluster addresses and node ports. */
export class ServiceController implements Controller {
  readonly #queue: WorkQueue;
  /** When a balancer that is being made will be there. */
  readonly #balancers = new Map<string, number>();

  constructor(private readonly context: ControllerContext) {
    const { view, loop } = context;
    this.#queue = loop.queue(`${view.cluster.key} services`, (key) => this.#sync(key));
    view.on('services', ({ type, object }) => {
      if (type === 'DELETED') this.#balancers.delete(objectKey(object.metadata));
      this.#queue.add(objectKey(object.metadata));
    });
    for (const { metadata } of view.list('services')) this.#queue.add(objectKey(metadata));
  }

  close(): void {
    this.#queue.close();
  }

  #sync(key: string): void {
    const { namespace, name } = splitKey(key);
    const service = this.context.view.get('services', namespace, name);
    if (service === undefined) return;
    const wantsBalancer = service.spec.type === 'LoadBalancer' && service.metadata.deletionTimestamp === undefined;
    if (wantsBalancer) this.#ensureBalancer(service);
    else if (service.metadata.finalizers?.includes(CLEANUP) === true) this.#removeBalancer(service);
  }

  #ensureBalancer(service: Service): void {
    const { view, loop, options } = this.context;
    const { namespace, name } = service.metadata;
    const key = objectKey(service.metadata);
    if ((service.status?.loadBalancer?.ingress?.length ?? 0) > 0) return;
    if (service.metadata.finalizers?.includes(CLEANUP) !== true)
      view.update('services', namespace, name, WRITERS.cloud, (object) => ({
        ...object,
        metadata: { ...object.metadata, finalizers: [...(object.metadata.finalizers ?? []), CLEANUP] },
      }));
    const now = loop.clock.now().getTime();
    let due = this.#balancers.get(key);
    if (due === undefined) {
      due = now + options.loadBalancerSeconds * 1000;
      this.#balancers.set(key, due);
      this.#tell(service, 'EnsuringLoadBalancer', 'Ensuring load balancer');
    }
    if (due > now) {
      this.#queue.addAt(key, due);
      return;
    }
    const ip = options.allocateLoadBalancerAddress(requestOf(service));
    view.updateStatus('services', namespace, name, WRITERS.cloud, (object) => ({
      ...object,
      status: { ...object.status, loadBalancer: { ingress: [{ ip, ipMode: 'VIP' }] } },
    }));
    this.#balancers.delete(key);
    this.#tell(service, 'EnsuredLoadBalancer', 'Ensured load balancer');
  }

  #removeBalancer(service: Service): void {
    const { view, options } = this.context;
    const { namespace, name } = service.metadata;
    this.#tell(service, 'DeletingLoadBalancer', 'Deleting load balancer');
    for (const { ip } of service.status?.loadBalancer?.ingress ?? [])
      options.releaseLoadBalancerAddress(requestOf(service), ip);
    this.#balancers.delete(objectKey(service.metadata));
    view.updateStatus('services', namespace, name, WRITERS.cloud, (object) => ({
      ...object,
      status: { ...object.status, loadBalancer: {} },
    }));
    this.#tell(service, 'DeletedLoadBalancer', 'Deleted load balancer');
    view.update('services', namespace, name, WRITERS.cloud, (object) => ({
      ...object,
      metadata: {
        ...object.metadata,
        finalizers: (object.metadata.finalizers ?? []).filter((finalizer) => finalizer !== CLEANUP),
      },
    }));
  }

  #tell(service: Service, reason: string, message: string): void {
    this.context.events.record(service, 'service-controller', WRITERS.cloud, { type: 'Normal', reason, message });
  }
}

function requestOf(service: Service): LoadBalancerRequest {
  return {
    namespace: service.metadata.namespace ?? '',
    name: service.metadata.name,
    scope: service.metadata.annotations?.[INTERNAL] === 'true' ? 'internal' : 'public',
    requested: service.spec.loadBalancerIP,
  };
}
