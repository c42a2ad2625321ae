import { canonicalJson } from '#libs/kernel/canonical-json.js';
import { KubernetesStatusError } from '../api/kubernetes-status.error.js';
import type { ObjectWriter } from '../cluster.objects.js';
import type { ClusterView } from './cluster.view.js';
import { objectKey, safeSuffix, splitKey } from './cluster.view.js';
import type { Controller } from './controller.js';
import type { ConnectedMember, FleetContext } from './fleet.context.js';
import {
  FLEET_SYSTEM,
  HUB_NETWORKING,
  INTERNAL_SERVICE_EXPORTS,
  INTERNAL_SERVICE_IMPORTS,
  MEMBER_NETWORKING,
  memberNamespace,
  MULTI_CLUSTER_SERVICES,
  NETWORKING_API,
  SERVICE_EXPORTS,
  SERVICE_IMPORTS,
  SLICE_EXPORTS,
  SLICE_IMPORTS,
  SLICES,
} from './fleet.names.js';
import type { ExportedReference, ImportStatus, MultiClusterService } from './fleet.types.js';
import type { Condition, EndpointPort, EndpointSlice, Service, ServicePort, TypedObject } from './kubernetes.types.js';
import { ensureNamespace } from './member-cluster.controller.js';
import { controlledBy } from './pod.state.js';
import { findCondition, withCondition } from './status.condition.js';
import { kubernetesTime } from '../timestamp.js';
import type { WorkQueue } from './work.loop.js';

const EXPORT_CLEANUP = 'networking.fleet.azure.com/svc-export-cleanup';
const IMPORT_CLEANUP = 'networking.fleet.azure.com/service-resources-cleanup';
const DERIVED_SERVICE = 'networking.fleet.azure.com/derived-service';
/** On a derived service: whose it is. */
const OWNER_NAME = 'networking.fleet.azure.com/multi-cluster-service-name';
const OWNER_NAMESPACE = 'networking.fleet.azure.com/multi-cluster-service-namespace';
const IMPORT_LABEL = 'networking.fleet.azure.com/service-import';
const IN_USE_BY = 'networking.fleet.azure.com/service-in-use-by';
const WEIGHT = 'networking.fleet.azure.com/weight';
const INTERNAL = 'networking.fleet.azure.com/azure-load-balancer-internal';
const CLOUD_INTERNAL = 'service.beta.kubernetes.io/azure-load-balancer-internal';
const SLICE_MANAGER = 'endpointslice-controller.networking.fleet.azure.com';
const SERVICE_LABEL = 'kubernetes.io/service-name';
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';

/** A service as one member exports it. */
interface Export {
  connected: ConnectedMember;
  service: Service;
  ports: ServicePort[];
  exportedSince: string;
}

/**
 * Services across members. One look at a service (by namespace and name, which are the same everywhere) goes the whole way:
 * what members export, what the hub makes of it, who imports it, and which endpoints the importer gets.
 */
export class FleetNetworking implements Controller {
  readonly #queue: WorkQueue;

  constructor(private readonly context: FleetContext) {
    const { hub, loop } = context;
    this.#queue = loop.queue(`${hub.cluster.key} networking`, (key) => this.#sync(key));
    hub.on('namespaces', ({ type }) => {
      // A service that is exported from a namespace that the hub did not have can be imported now.
      if (type === 'ADDED') this.lookAtAll();
    });
  }

  /** A member joined: from now on its services count. */
  connect(connected: ConnectedMember): void {
    const { view } = connected;
    const add = (object: TypedObject): void => this.#queue.add(objectKey(object.metadata));
    view.on(SERVICE_EXPORTS, ({ object }) => add(object));
    view.on('services', ({ object }) => {
      const { namespace, name } = object.metadata;
      if (view.get(SERVICE_EXPORTS, namespace, name) !== undefined) add(object);
      if (namespace === FLEET_SYSTEM) this.#lookAtDerived(view, name);
    });
    view.on(SLICES, ({ object }) => {
      const service = object.metadata.labels?.[SERVICE_LABEL];
      const { namespace } = object.metadata;
      if (service !== undefined && view.get(SERVICE_EXPORTS, namespace, service) !== undefined)
        this.#queue.add(objectKey({ namespace, name: service }));
    });
    view.on(MULTI_CLUSTER_SERVICES, ({ object, previous }) => {
      for (const version of [object, previous]) {
        const name = version?.spec.serviceImport?.name ?? version?.metadata.labels?.[IMPORT_LABEL];
        if (name !== undefined) this.#queue.add(objectKey({ namespace: object.metadata.namespace, name }));
      }
      if ((object.spec.serviceImport?.name ?? '') === '') this.#syncNameless(connected, object);
    });
    this.lookAtAll();
  }

  /** A member left: what it exported and imported goes from the hub; what it was given goes from the member. */
  disconnect(connected: ConnectedMember): void {
    const { view, member } = connected;
    for (const mcs of view.list(MULTI_CLUSTER_SERVICES)) this.#releaseImport(connected, mcs);
    for (const found of view.list(SERVICE_EXPORTS)) this.#dropFinalizer(view, SERVICE_EXPORTS, found, EXPORT_CLEANUP);
    for (const resource of [INTERNAL_SERVICE_EXPORTS, INTERNAL_SERVICE_IMPORTS, SLICE_EXPORTS, SLICE_IMPORTS])
      for (const { metadata } of this.context.hub.list(resource, memberNamespace(member.name)))
        this.context.hub.delete(resource, metadata.namespace, metadata.name, HUB_NETWORKING);
    this.lookAtAll();
  }

  lookAtAll(): void {
    for (const { view } of this.context.members.values()) {
      for (const { metadata } of view.list(SERVICE_EXPORTS)) this.#queue.add(objectKey(metadata));
      for (const mcs of view.list(MULTI_CLUSTER_SERVICES)) {
        const name = mcs.spec.serviceImport?.name;
        if (name !== undefined) this.#queue.add(objectKey({ namespace: mcs.metadata.namespace, name }));
      }
    }
    for (const { metadata } of this.context.hub.list(SERVICE_IMPORTS)) this.#queue.add(objectKey(metadata));
  }

  close(): void {
    this.#queue.close();
  }

  #now(): string {
    return kubernetesTime(this.context.loop.clock.now());
  }

  #running(): ConnectedMember[] {
    return [...this.context.members.values()].filter(({ member }) => member.agent === 'running');
  }

  #lookAtDerived(view: ClusterView, service: string): void {
    for (const mcs of view.list(MULTI_CLUSTER_SERVICES)) {
      const name = mcs.spec.serviceImport?.name;
      if (mcs.metadata.labels?.[DERIVED_SERVICE] === service && name !== undefined)
        this.#queue.add(objectKey({ namespace: mcs.metadata.namespace, name }));
    }
  }

  #sync(key: string): void {
    const { namespace, name } = splitKey(key);
    if (namespace === undefined) return;
    for (const connected of this.#running()) this.#syncExport(connected, namespace, name);
    const accepted = this.#resolve(namespace, name);
    const status = this.#syncHubImport(namespace, name, accepted);
    const importer = this.#importer(namespace, name, status);
    for (const connected of this.#running()) this.#syncImports(connected, namespace, name, status, importer);
    this.#syncEndpoints(namespace, name, accepted, importer);
  }

  // Exports

  #syncExport({ member, view, events }: ConnectedMember, namespace: string, name: string): void {
    const { hub } = this.context;
    const found = view.get(SERVICE_EXPORTS, namespace, name);
    const internal = exportName(namespace, name);
    const unexport = (): void =>
      hub.delete(INTERNAL_SERVICE_EXPORTS, memberNamespace(member.name), internal, MEMBER_NETWORKING);
    if (found === undefined || found.metadata.deletionTimestamp !== undefined) {
      unexport();
      if (found !== undefined) this.#dropFinalizer(view, SERVICE_EXPORTS, found, EXPORT_CLEANUP);
      return;
    }
    const service = view.get('services', namespace, name);
    const problem = exportProblem(found, service);
    if (problem !== undefined || service === undefined) {
      unexport();
      this.#dropFinalizer(view, SERVICE_EXPORTS, found, EXPORT_CLEANUP);
      const condition: Condition = { type: 'Valid', status: 'False', ...problem! };
      const before = findCondition(found.status?.conditions, 'Valid');
      if (before?.reason !== condition.reason)
        events.record(found, 'serviceexport-controller', MEMBER_NETWORKING, {
          type: 'Warning',
          reason: problem!.reason,
          message: problem!.message,
        });
      this.#setConditions(view, SERVICE_EXPORTS, namespace, name, [condition], ['Conflict']);
      return;
    }
    if (found.metadata.finalizers?.includes(EXPORT_CLEANUP) !== true)
      view.update(SERVICE_EXPORTS, namespace, name, MEMBER_NETWORKING, (object) => ({
        ...object,
        metadata: { ...object.metadata, finalizers: [...(object.metadata.finalizers ?? []), EXPORT_CLEANUP] },
      }));
    const valid: Condition = {
      type: 'Valid',
      status: 'True',
      reason: 'ServiceIsValid',
      message: `service ${namespace}/${name} is valid for export`,
    };
    const pending: Condition = {
      type: 'Conflict',
      status: 'Unknown',
      reason: 'ServicePendingConflictResolution',
      message: `service ${namespace}/${name} is pending export conflict resolution`,
    };
    const conflict = findCondition(found.status?.conditions, 'Conflict');
    this.#setConditions(
      view,
      SERVICE_EXPORTS,
      namespace,
      name,
      conflict === undefined ? [valid, pending] : [valid],
      [],
    );
    const since =
      findCondition(view.get(SERVICE_EXPORTS, namespace, name)?.status?.conditions, 'Valid')?.lastTransitionTime ??
      this.#now();
    this.#put(
      hub,
      INTERNAL_SERVICE_EXPORTS,
      'InternalServiceExport',
      memberNamespace(member.name),
      internal,
      MEMBER_NETWORKING,
      {
        spec: {
          ports: exportedPorts(service),
          serviceReference: referenceTo(service, 'Service', member.name, since),
          type: service.spec.type ?? 'ClusterIP',
        },
      },
    );
  }

  /** The first that exported a service decides its ports; who differs is in conflict. @returns who is not */
  #resolve(namespace: string, name: string): Export[] {
    const { hub } = this.context;
    const internal = exportName(namespace, name);
    const exports = [...this.context.members.values()].flatMap((connected): Export[] => {
      const found = hub.get(INTERNAL_SERVICE_EXPORTS, memberNamespace(connected.member.name), internal);
      const service = connected.view.get('services', namespace, name);
      if (found === undefined || service === undefined) return [];
      const { ports, serviceReference } = found.spec;
      return [{ connected, service, ports, exportedSince: serviceReference.exportedSince ?? '' }];
    });
    exports.sort((one, other) =>
      one.exportedSince === other.exportedSince
        ? one.connected.member.name < other.connected.member.name
          ? -1
          : 1
        : one.exportedSince < other.exportedSince
          ? -1
          : 1,
    );
    const decisive = canonicalJson(exports[0]?.ports ?? []);
    return exports.filter(({ connected, ports }) => {
      const agrees = canonicalJson(ports) === decisive;
      const condition: Condition = agrees
        ? {
            type: 'Conflict',
            status: 'False',
            reason: 'NoConflictFound',
            message: `service ${namespace}/${name} has no conflict with other exported Services`,
          }
        : {
            type: 'Conflict',
            status: 'True',
            reason: 'ConflictFound',
            message: `service ${namespace}/${name} is in conflict with other exported Services`,
          };
      const { member, view } = connected;
      this.#setConditions(hub, INTERNAL_SERVICE_EXPORTS, memberNamespace(member.name), internal, [condition], []);
      if (member.agent === 'running') this.#setConditions(view, SERVICE_EXPORTS, namespace, name, [condition], []);
      return agrees;
    });
  }

  // Imports

  #syncHubImport(namespace: string, name: string, accepted: readonly Export[]): ImportStatus | undefined {
    const { hub } = this.context;
    if (accepted.length === 0) {
      hub.delete(SERVICE_IMPORTS, namespace, name, HUB_NETWORKING);
      return undefined;
    }
    const place = hub.get('namespaces', undefined, namespace);
    if (place === undefined || place.metadata.deletionTimestamp !== undefined) return undefined;
    const status: ImportStatus = {
      clusters: accepted.map(({ connected }) => ({ cluster: connected.member.name })),
      ports: accepted[0]!.ports,
      type: 'ClusterSetIP',
    };
    if (hub.get(SERVICE_IMPORTS, namespace, name) === undefined)
      hub.create({ apiVersion: NETWORKING_API, kind: 'ServiceImport', metadata: { name, namespace } }, HUB_NETWORKING);
    hub.updateStatus(SERVICE_IMPORTS, namespace, name, HUB_NETWORKING, (object) => ({ ...object, status }));
    return status;
  }

  /** Which member may import the service: the first that asked, until it gives it up. */
  #importer(namespace: string, name: string, status: ImportStatus | undefined): string | undefined {
    const { hub } = this.context;
    const asking = [...this.context.members.values()]
      .filter(({ view }) => this.#chosen(view, namespace, name) !== undefined)
      .map(({ member }) => member.name)
      .sort();
    const holder = hub.get(SERVICE_IMPORTS, namespace, name)?.metadata.annotations?.[IN_USE_BY];
    const importer = holder !== undefined && asking.includes(holder) ? holder : asking[0];
    if (status !== undefined)
      hub.update(SERVICE_IMPORTS, namespace, name, HUB_NETWORKING, (object) => {
        const { [IN_USE_BY]: _, ...annotations } = object.metadata.annotations ?? {};
        return {
          ...object,
          metadata: {
            ...object.metadata,
            annotations: importer === undefined ? annotations : { ...annotations, [IN_USE_BY]: importer },
          },
        };
      });
    return importer;
  }

  /** Of several services of one cluster that want the same import, the oldest has it. */
  #chosen(view: ClusterView, namespace: string, name: string): MultiClusterService | undefined {
    return this.#wanting(view, namespace, name).find((mcs) => mcs.metadata.deletionTimestamp === undefined);
  }

  #wanting(view: ClusterView, namespace: string, name: string): MultiClusterService[] {
    return view
      .list(MULTI_CLUSTER_SERVICES, namespace)
      .filter((mcs) => mcs.spec.serviceImport?.name === name)
      .sort((one, other) =>
        one.metadata.creationTimestamp === other.metadata.creationTimestamp
          ? one.metadata.name < other.metadata.name
            ? -1
            : 1
          : one.metadata.creationTimestamp < other.metadata.creationTimestamp
            ? -1
            : 1,
      );
  }

  #syncImports(
    connected: ConnectedMember,
    namespace: string,
    name: string,
    status: ImportStatus | undefined,
    importer: string | undefined,
  ): void {
    const { view, member } = connected;
    for (const mcs of view.list(MULTI_CLUSTER_SERVICES, namespace)) {
      const importedBefore = mcs.metadata.labels?.[IMPORT_LABEL];
      const leaves = mcs.metadata.deletionTimestamp !== undefined || mcs.spec.serviceImport?.name !== importedBefore;
      if (importedBefore === name && leaves) this.#releaseImport(connected, mcs);
    }
    const chosen = this.#chosen(view, namespace, name);
    for (const mcs of this.#wanting(view, namespace, name)) {
      if (mcs.metadata.deletionTimestamp !== undefined) {
        this.#releaseImport(connected, mcs);
        continue;
      }
      const isHolder = importer === member.name && mcs.metadata.uid === chosen?.metadata.uid;
      if (isHolder) this.#holdImport(connected, mcs, name, status);
      if (isHolder && status !== undefined) this.#provide(connected, mcs, status);
      else this.#withhold(connected, mcs);
    }
  }

  #holdImport(
    { member, view }: ConnectedMember,
    mcs: MultiClusterService,
    name: string,
    status: ImportStatus | undefined,
  ): void {
    const { namespace } = mcs.metadata;
    view.update(MULTI_CLUSTER_SERVICES, namespace, mcs.metadata.name, MEMBER_NETWORKING, (object) => {
      const finalizers = object.metadata.finalizers ?? [];
      return {
        ...object,
        metadata: {
          ...object.metadata,
          labels: { ...object.metadata.labels, [IMPORT_LABEL]: name },
          finalizers: finalizers.includes(IMPORT_CLEANUP) ? finalizers : [...finalizers, IMPORT_CLEANUP],
        },
      };
    });
    if (view.get(SERVICE_IMPORTS, namespace, name) === undefined)
      view.create(
        {
          apiVersion: NETWORKING_API,
          kind: 'ServiceImport',
          metadata: { name, namespace, ownerReferences: [controlledBy(mcs)] },
        },
        MEMBER_NETWORKING,
      );
    view.updateStatus(SERVICE_IMPORTS, namespace, name, MEMBER_NETWORKING, (object) => {
      const { status: _, ...rest } = object;
      return status === undefined ? rest : { ...rest, status };
    });
    const imported = view.get(SERVICE_IMPORTS, namespace, name)!;
    const { hub } = this.context;
    const place = memberNamespace(member.name);
    const internal = exportName(namespace ?? '', name);
    this.#put(hub, INTERNAL_SERVICE_IMPORTS, 'InternalServiceImport', place, internal, MEMBER_NETWORKING, {
      spec: { serviceImportReference: referenceTo(imported, 'ServiceImport', member.name, undefined) },
    });
    hub.updateStatus(INTERNAL_SERVICE_IMPORTS, place, internal, HUB_NETWORKING, (object) => ({
      ...object,
      status: status ?? {},
    }));
  }

  /** Gives a multi-cluster service its load balancer. */
  #provide({ view, events }: ConnectedMember, mcs: MultiClusterService, status: ImportStatus): void {
    const { namespace = '', name } = mcs.metadata;
    const derived = `${namespace}-${name}`;
    const ports = (status.ports ?? []).map((port) => ({ ...port, protocol: port.protocol ?? 'TCP' }));
    const annotations =
      mcs.metadata.annotations?.[INTERNAL] === 'true' ? { annotations: { [CLOUD_INTERNAL]: 'true' } } : {};
    ensureNamespace(view, FLEET_SYSTEM, MEMBER_NETWORKING);
    try {
      if (view.get('services', FLEET_SYSTEM, derived) === undefined)
        view.create(
          {
            apiVersion: 'v1',
            kind: 'Service',
            metadata: {
              name: derived,
              namespace: FLEET_SYSTEM,
              labels: { [OWNER_NAME]: name, [OWNER_NAMESPACE]: namespace },
              ...annotations,
            },
            spec: { type: 'LoadBalancer', ports },
          },
          MEMBER_NETWORKING,
        );
      else
        view.update('services', FLEET_SYSTEM, derived, MEMBER_NETWORKING, (object) => ({
          ...object,
          spec: { ...object.spec, type: 'LoadBalancer', ports: withNodePorts(ports, object.spec.ports ?? []) },
        }));
    } catch (error) {
      if (!(error instanceof KubernetesStatusError)) throw error;
      const condition = findCondition(mcs.status?.conditions, 'Valid');
      // Said once: the name does not get any shorter.
      if (condition === undefined)
        events.record(mcs, 'multiclusterservice-controller', MEMBER_NETWORKING, {
          type: 'Warning',
          reason: 'FailedCreateDerivedService',
          message: `Failed to create derived service ${FLEET_SYSTEM}/${derived}: ${error.message}`,
        });
      this.#setValid(view, mcs, UNKNOWN_IMPORT, {});
      return;
    }
    view.update(MULTI_CLUSTER_SERVICES, namespace, name, MEMBER_NETWORKING, (object) => ({
      ...object,
      metadata: { ...object.metadata, labels: { ...object.metadata.labels, [DERIVED_SERVICE]: derived } },
    }));
    const service = view.get('services', FLEET_SYSTEM, derived);
    if (findCondition(mcs.status?.conditions, 'Valid')?.status !== 'True')
      events.record(mcs, 'multiclusterservice-controller', MEMBER_NETWORKING, {
        type: 'Normal',
        reason: 'FoundValidService',
        message: `Found valid service ${mcs.spec.serviceImport?.name ?? ''} and importing to derived service ${derived}`,
      });
    this.#setValid(
      view,
      mcs,
      { type: 'Valid', status: 'True', reason: 'FoundServiceImport', message: 'found valid service import' },
      service?.status?.loadBalancer ?? {},
    );
  }

  #withhold({ view, events }: ConnectedMember, mcs: MultiClusterService): void {
    this.#deleteDerived(view, mcs);
    if (findCondition(mcs.status?.conditions, 'Valid')?.status === 'True')
      events.record(mcs, 'multiclusterservice-controller', MEMBER_NETWORKING, {
        type: 'Normal',
        reason: 'UnimportedService',
        message: `Unimported service ${mcs.spec.serviceImport?.name ?? ''}`,
      });
    this.#setValid(view, mcs, UNKNOWN_IMPORT, {});
  }

  /** One that names no import waits for ever. */
  #syncNameless({ view }: ConnectedMember, mcs: MultiClusterService): void {
    if (mcs.metadata.deletionTimestamp === undefined) this.#setValid(view, mcs, UNKNOWN_IMPORT, {});
  }

  #setValid(
    view: ClusterView,
    mcs: MultiClusterService,
    condition: Condition,
    loadBalancer: NonNullable<MultiClusterService['status']>['loadBalancer'],
  ): void {
    const now = this.#now();
    view.updateStatus(
      MULTI_CLUSTER_SERVICES,
      mcs.metadata.namespace,
      mcs.metadata.name,
      MEMBER_NETWORKING,
      (object) => ({
        ...object,
        status: {
          conditions: withCondition(
            object.status?.conditions,
            { ...condition, observedGeneration: object.metadata.generation ?? 1 },
            now,
          ),
          loadBalancer: loadBalancer ?? {},
        },
      }),
    );
  }

  #deleteDerived(view: ClusterView, mcs: MultiClusterService): void {
    const derived = mcs.metadata.labels?.[DERIVED_SERVICE];
    if (derived === undefined) return;
    view.delete('services', FLEET_SYSTEM, derived, MEMBER_NETWORKING);
    view.update(MULTI_CLUSTER_SERVICES, mcs.metadata.namespace, mcs.metadata.name, MEMBER_NETWORKING, (object) => {
      const { [DERIVED_SERVICE]: _, ...labels } = object.metadata.labels ?? {};
      return { ...object, metadata: { ...object.metadata, labels } };
    });
  }

  #releaseImport({ view, member }: ConnectedMember, mcs: MultiClusterService): void {
    const { namespace = '', name } = mcs.metadata;
    const imported = mcs.metadata.labels?.[IMPORT_LABEL];
    this.#deleteDerived(view, mcs);
    if (imported !== undefined) {
      const owner = view.get(SERVICE_IMPORTS, namespace, imported)?.metadata.ownerReferences?.[0]?.uid;
      if (owner === mcs.metadata.uid) view.delete(SERVICE_IMPORTS, namespace, imported, MEMBER_NETWORKING);
      const place = memberNamespace(member.name);
      this.context.hub.delete(INTERNAL_SERVICE_IMPORTS, place, exportName(namespace, imported), MEMBER_NETWORKING);
    }
    view.update(MULTI_CLUSTER_SERVICES, namespace, name, MEMBER_NETWORKING, (object) => {
      const { [IMPORT_LABEL]: _, ...labels } = object.metadata.labels ?? {};
      const finalizers = (object.metadata.finalizers ?? []).filter((finalizer) => finalizer !== IMPORT_CLEANUP);
      return { ...object, metadata: { ...object.metadata, labels, finalizers } };
    });
    if (imported !== undefined) this.#queue.add(objectKey({ namespace, name: imported }));
  }

  // Endpoints

  /** The importer gets the endpoints of all exporters whose pods it can reach. */
  #syncEndpoints(namespace: string, name: string, accepted: readonly Export[], importer: string | undefined): void {
    const target = importer === undefined ? undefined : this.context.members.get(importer);
    const mcs = target === undefined ? undefined : this.#chosen(target.view, namespace, name);
    const derived = mcs?.metadata.labels?.[DERIVED_SERVICE];
    const wantsEndpoints = derived !== undefined && target?.member.routable === true;
    const wanted = new Map<string, { slice: EndpointSlice; member: string }>();
    for (const { connected, service } of accepted) {
      if (!wantsEndpoints || !connected.member.routable) continue;
      for (const slice of connected.view.owned(service.metadata.uid, SLICES)) {
        if (slice.endpoints.length === 0) continue;
        const { member } = connected;
        wanted.set(sliceName(namespace, slice.metadata.name, member.name), { slice, member: member.name });
      }
    }
    this.#writeHubSlices(namespace, name, wanted, importer);
    for (const connected of this.#running()) {
      const isTarget = connected.member.name === importer;
      this.#writeMemberSlices(
        connected.view,
        namespace,
        name,
        isTarget ? derived : undefined,
        isTarget ? wanted : new Map(),
      );
    }
  }

  #writeHubSlices(
    namespace: string,
    name: string,
    wanted: ReadonlyMap<string, { slice: EndpointSlice; member: string }>,
    importer: string | undefined,
  ): void {
    const { hub } = this.context;
    const labels = { [IMPORT_LABEL]: shortLabel(namespace, name) };
    for (const [exported, { slice, member }] of wanted) {
      const spec = {
        addressType: 'IPv4',
        endpoints: slice.endpoints.map(({ addresses }) => ({ addresses })),
        ports: slice.ports,
        endpointSliceReference: referenceTo(slice, 'EndpointSlice', member, undefined),
        ownerServiceReference: { namespace, name, namespacedName: `${namespace}/${name}` },
      };
      this.#put(
        hub,
        SLICE_EXPORTS,
        'EndpointSliceExport',
        memberNamespace(member),
        exported,
        MEMBER_NETWORKING,
        { spec },
        labels,
      );
      if (importer !== undefined)
        this.#put(
          hub,
          SLICE_IMPORTS,
          'EndpointSliceImport',
          memberNamespace(importer),
          exported,
          HUB_NETWORKING,
          { spec },
          labels,
        );
    }
    for (const { member } of this.context.members.values()) {
      const place = memberNamespace(member.name);
      for (const resource of [SLICE_EXPORTS, SLICE_IMPORTS])
        for (const { metadata } of hub.list(resource, place)) {
          if (metadata.labels?.[IMPORT_LABEL] !== labels[IMPORT_LABEL]) continue;
          const entry = wanted.get(metadata.name);
          const belongs = resource === SLICE_EXPORTS ? entry?.member === member.name : member.name === importer;
          if (entry === undefined || !belongs) hub.delete(resource, place, metadata.name, HUB_NETWORKING);
        }
    }
  }

  #writeMemberSlices(
    view: ClusterView,
    namespace: string,
    name: string,
    derived: string | undefined,
    wanted: ReadonlyMap<string, { slice: EndpointSlice; member: string }>,
  ): void {
    const label = shortLabel(namespace, name);
    if (derived !== undefined)
      for (const [imported, { slice }] of wanted) {
        const content = {
          addressType: 'IPv4',
          endpoints: slice.endpoints
            .filter((endpoint) => endpoint.conditions?.ready !== false)
            .map(({ addresses }) => ({ addresses })),
          ports: slice.ports satisfies EndpointPort[],
        };
        const labels = { [IMPORT_LABEL]: label, [SERVICE_LABEL]: derived, [MANAGED_BY]: SLICE_MANAGER };
        if (view.get(SLICES, FLEET_SYSTEM, imported) === undefined)
          view.create(
            {
              apiVersion: 'discovery.k8s.io/v1',
              kind: 'EndpointSlice',
              metadata: { name: imported, namespace: FLEET_SYSTEM, labels },
              ...content,
            },
            MEMBER_NETWORKING,
          );
        else
          view.update(SLICES, FLEET_SYSTEM, imported, MEMBER_NETWORKING, (object) => ({
            ...object,
            metadata: { ...object.metadata, labels: { ...object.metadata.labels, ...labels } },
            ...content,
          }));
      }
    for (const { metadata } of view.list(SLICES, FLEET_SYSTEM))
      if (metadata.labels?.[IMPORT_LABEL] === label && !wanted.has(metadata.name))
        view.delete(SLICES, FLEET_SYSTEM, metadata.name, MEMBER_NETWORKING);
  }

  // Writing

  #put(
    view: ClusterView,
    resource: string,
    kind: string,
    namespace: string,
    name: string,
    writer: ObjectWriter,
    content: { spec: object },
    labels: Record<string, string> = {},
  ): void {
    const place = view.get('namespaces', undefined, namespace);
    if (place === undefined || place.metadata.deletionTimestamp !== undefined) return;
    if (view.get(resource, namespace, name) === undefined)
      view.create({ apiVersion: NETWORKING_API, kind, metadata: { name, namespace, labels }, ...content }, writer);
    else view.update(resource, namespace, name, writer, (object) => ({ ...object, ...content }));
  }

  #setConditions(
    view: ClusterView,
    resource: typeof SERVICE_EXPORTS | typeof INTERNAL_SERVICE_EXPORTS,
    namespace: string,
    name: string,
    conditions: readonly Condition[],
    removed: readonly string[],
  ): void {
    const now = this.#now();
    view.updateStatus(resource, namespace, name, MEMBER_NETWORKING, (object) => {
      const kept = (object.status?.conditions ?? []).filter((condition) => !removed.includes(condition.type));
      const observedGeneration = object.metadata.generation ?? 1;
      return {
        ...object,
        status: {
          ...object.status,
          conditions: conditions.reduce<Condition[]>(
            (all, condition) => withCondition(all, { ...condition, observedGeneration }, now),
            kept,
          ),
        },
      };
    });
  }

  #dropFinalizer(view: ClusterView, resource: string, { metadata }: TypedObject, finalizer: string): void {
    if (metadata.finalizers?.includes(finalizer) !== true) return;
    view.update(resource, metadata.namespace, metadata.name, MEMBER_NETWORKING, (object) => ({
      ...object,
      metadata: {
        ...object.metadata,
        finalizers: (object.metadata.finalizers ?? []).filter((other) => other !== finalizer),
      },
    }));
  }
}

const UNKNOWN_IMPORT: Condition = {
  type: 'Valid',
  status: 'Unknown',
  reason: 'UnknownServiceImport',
  message:
    'importing service; if the condition remains for a while, please verify that service has been exported or service has been exported by other multiClusterService',
};

function exportProblem(
  { metadata }: TypedObject,
  service: Service | undefined,
): { reason: string; message: string } | undefined {
  const place = `${metadata.namespace ?? ''}/${metadata.name}`;
  if (service === undefined || service.metadata.deletionTimestamp !== undefined)
    return { reason: 'ServiceNotFound', message: `service ${place} is not found` };
  if (service.spec.type === 'ExternalName' || service.spec.clusterIP === 'None')
    return { reason: 'ServiceIneligible', message: `service ${place} is not eligible for export` };
  const weight = metadata.annotations?.[WEIGHT];
  if (weight === undefined) return undefined;
  const value = Number(weight);
  if (Number.isInteger(value) && value >= 0 && value <= 1000) return undefined;
  return {
    reason: 'ServiceExportInvalidWeightAnnotation',
    message: `the weight annotation of service export ${place} must be an integer between 0 and 1000, got ${weight}`,
  };
}

function exportedPorts(service: Service): ServicePort[] {
  return (service.spec.ports ?? []).map(({ name, protocol, port, targetPort, appProtocol }) => ({
    ...(name === undefined || name === '' ? {} : { name }),
    protocol: protocol ?? 'TCP',
    port,
    targetPort: targetPort ?? port,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }));
}

/** The balancer's ports with the node ports that they have already. */
function withNodePorts(ports: readonly ServicePort[], live: readonly ServicePort[]): ServicePort[] {
  return ports.map((port) => {
    const nodePort = live.find((other) => other.port === port.port && other.protocol === port.protocol)?.nodePort;
    return nodePort === undefined ? port : { ...port, nodePort };
  });
}

function referenceTo(
  { apiVersion, metadata }: TypedObject,
  kind: string,
  member: string,
  exportedSince: string | undefined,
): ExportedReference {
  const { namespace = '', name } = metadata;
  return {
    clusterId: member,
    apiVersion,
    kind,
    namespace,
    name,
    namespacedName: `${namespace}/${name}`,
    resourceVersion: metadata.resourceVersion,
    generation: metadata.generation ?? 0,
    uid: metadata.uid,
    ...(exportedSince === undefined ? {} : { exportedSince }),
  };
}

function exportName(namespace: string, name: string): string {
  return `${namespace}-${name}`;
}

function sliceName(namespace: string, slice: string, member: string): string {
  return `${namespace}-${slice}-${safeSuffix(`${namespace}/${slice}@${member}`)}`;
}

/** Labels have at most 63 characters. */
function shortLabel(namespace: string, name: string): string {
  const full = `${namespace}.${name}`;
  return full.length <= 63 ? full : `${full.slice(0, 57)}-${safeSuffix(full)}`;
}
