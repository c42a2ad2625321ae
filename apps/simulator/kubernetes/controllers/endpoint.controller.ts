import type { Controller, ControllerContext } from './controller.js';
import { objectKey, splitKey } from './cluster.view.js';
import type { EndpointPort, EndpointSlice, Pod, Service, ServicePort, SliceEndpoint } from './kubernetes.types.js';
import { matchesLabels } from './label-selector.js';
import { controlledBy, isFinished, isReady } from './pod.state.js';
import type { WorkQueue } from './work.loop.js';
import { WRITERS } from './writers.js';

/** At most so many endpoints are in one slice. */
const SLICE_SIZE = 100;
const SERVICE_LABEL = 'kubernetes.io/service-name';
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const MANAGER = 'endpointslice-controller.k8s.io';

/** Tells which pods are behind a service, in endpoint slices and in the older Endpoints. */
export class EndpointController implements Controller {
  readonly #queue: WorkQueue;
  /** Selectors by namespace and service. */
  readonly #selectors = new Map<string, Map<string, Record<string, string>>>();

  constructor(private readonly context: ControllerContext) {
    const { view, loop } = context;
    this.#queue = loop.queue(`${view.cluster.key} endpoints`, (key) => this.#sync(key));
    view.on('services', ({ type, object }) => this.#follow(object, type === 'DELETED'));
    view.on('pods', ({ type, object, previous }) => {
      if (type === 'MODIFIED' && previous !== undefined && looksTheSame(object, previous)) return;
      const services = this.#selectors.get(object.metadata.namespace ?? '');
      for (const [name, selector] of services ?? []) {
        if (
          matchesLabels(selector, object.metadata.labels) ||
          (previous !== undefined && matchesLabels(selector, previous.metadata.labels))
        )
          this.#queue.add(objectKey({ namespace: object.metadata.namespace, name }));
      }
    });
    for (const service of view.list('services')) this.#follow(service, false);
  }

  close(): void {
    this.#queue.close();
  }

  #follow(service: Service, gone: boolean): void {
    const { namespace, name } = service.metadata;
    const services = this.#selectors.get(namespace ?? '') ?? new Map<string, Record<string, string>>();
    this.#selectors.set(namespace ?? '', services);
    const selector = service.spec.selector;
    if (gone || selector === undefined || Object.keys(selector).length === 0) services.delete(name);
    else services.set(name, selector);
    this.#queue.add(objectKey(service.metadata));
  }

  #sync(key: string): void {
    const { view } = this.context;
    const { namespace, name } = splitKey(key);
    const service = view.get('services', namespace, name);
    const selector = this.#selectors.get(namespace ?? '')?.get(name);
    if (service === undefined) {
      // Slices go by their owner reference; the older kind has none.
      view.delete('endpoints', namespace, name, WRITERS.endpoint);
      return;
    }
    if (selector === undefined || service.metadata.deletionTimestamp !== undefined) return;
    const pods = view
      .list('pods', namespace)
      .filter(
        (pod) => matchesLabels(selector, pod.metadata.labels) && pod.status?.podIP !== undefined && !isFinished(pod),
      );
    this.#writeSlices(service, pods);
    this.#writeEndpoints(service, pods);
  }

  #writeSlices(service: Service, pods: readonly Pod[]): void {
    const { view } = this.context;
    const { namespace, name } = service.metadata;
    const groups = groupByPorts(service, pods);
    if (groups.length === 0) groups.push({ ports: [], pods: [] });
    const wanted = groups.flatMap(({ ports, pods: members }) =>
      chunks(members, SLICE_SIZE).map((chunk) => ({
        ports: ports.length === 0 && members.length === 0 ? null : ports,
        endpoints: chunk.map((pod) => endpointOf(pod, service.spec.publishNotReadyAddresses === true)),
      })),
    );
    const existing = view
      .owned(service.metadata.uid, 'endpointslices.discovery.k8s.io')
      .filter((slice) => slice.metadata.labels?.[MANAGED_BY] === MANAGER)
      .sort((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1));
    wanted.forEach((content, index) => {
      const slice = existing[index];
      if (slice !== undefined) {
        view.update(
          'endpointslices.discovery.k8s.io',
          namespace,
          slice.metadata.name,
          WRITERS.endpointSlice,
          (object) => ({
            ...object,
            ...(content as Pick<EndpointSlice, 'ports' | 'endpoints'>),
          }),
        );
        return;
      }
      const prefix = `${name}-`;
      view.create(
        {
          apiVersion: 'discovery.k8s.io/v1',
          kind: 'EndpointSlice',
          metadata: {
            name: view.generateName(
              prefix,
              (taken) => view.get('endpointslices.discovery.k8s.io', namespace, taken) !== undefined,
            ),
            generateName: prefix,
            namespace,
            labels: { ...service.metadata.labels, [SERVICE_LABEL]: name, [MANAGED_BY]: MANAGER },
            ownerReferences: [controlledBy(service)],
          },
          addressType: 'IPv4',
          ...content,
        },
        WRITERS.endpointSlice,
      );
    });
    for (const slice of existing.slice(wanted.length))
      view.delete('endpointslices.discovery.k8s.io', namespace, slice.metadata.name, WRITERS.endpointSlice);
  }

  #writeEndpoints(service: Service, pods: readonly Pod[]): void {
    const { view } = this.context;
    const { namespace, name, labels } = service.metadata;
    const subsets = groupByPorts(service, pods).map(({ ports, pods: members }) => {
      const all = service.spec.publishNotReadyAddresses === true;
      const serving = members.filter((pod) => pod.metadata.deletionTimestamp === undefined);
      const ready = serving.filter((pod) => all || isReady(pod));
      const unready = serving.filter((pod) => !all && !isReady(pod));
      return {
        ...(ready.length === 0 ? {} : { addresses: ready.map(addressOf) }),
        ...(unready.length === 0 ? {} : { notReadyAddresses: unready.map(addressOf) }),
        ports,
      };
    });
    const content = subsets.length === 0 ? {} : { subsets };
    const existing = view.get('endpoints', namespace, name);
    if (existing === undefined) {
      view.create(
        { apiVersion: 'v1', kind: 'Endpoints', metadata: { name, namespace, ...(labels && { labels }) }, ...content },
        WRITERS.endpoint,
      );
      return;
    }
    view.update('endpoints', namespace, name, WRITERS.endpoint, (object) => {
      const { subsets: _, ...rest } = object as typeof object & { subsets?: unknown };
      return { ...rest, ...content };
    });
  }
}

function looksTheSame(one: Pod, other: Pod): boolean {
  return (
    one.status?.podIP === other.status?.podIP &&
    one.status?.phase === other.status?.phase &&
    isReady(one) === isReady(other) &&
    one.metadata.deletionTimestamp === other.metadata.deletionTimestamp &&
    one.metadata.labels === other.metadata.labels
  );
}

/** Pods whose containers call the same port differently are in different groups. */
function groupByPorts(service: Service, pods: readonly Pod[]): { ports: EndpointPort[]; pods: Pod[] }[] {
  const groups = new Map<string, { ports: EndpointPort[]; pods: Pod[] }>();
  for (const pod of pods) {
    const ports = (service.spec.ports ?? []).flatMap((port) => resolvePort(port, pod));
    const key = JSON.stringify(ports);
    const group = groups.get(key) ?? { ports, pods: [] };
    group.pods.push(pod);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function resolvePort(port: ServicePort, pod: Pod): EndpointPort[] {
  const target = port.targetPort ?? port.port;
  const number =
    typeof target === 'number'
      ? target
      : pod.spec.containers.flatMap((container) => container.ports ?? []).find((named) => named.name === target)
          ?.containerPort;
  if (number === undefined) return [];
  return [
    {
      name: port.name ?? '',
      port: number,
      protocol: port.protocol ?? 'TCP',
      ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
    },
  ];
}

function endpointOf(pod: Pod, always: boolean): SliceEndpoint {
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const serving = always || isReady(pod);
  return {
    addresses: [pod.status?.podIP ?? ''],
    conditions: { ready: serving && !terminating, serving, terminating },
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: reference(pod),
  };
}

function addressOf(pod: Pod): object {
  return {
    ip: pod.status?.podIP,
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: reference(pod),
  };
}

function reference(pod: Pod): { kind: string; name: string; namespace: string; uid: string } {
  return { kind: 'Pod', name: pod.metadata.name, namespace: pod.metadata.namespace ?? '', uid: pod.metadata.uid };
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const count = Math.max(1, Math.ceil(items.length / size));
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}
