import type { Clock } from '#libs/kernel/clock.js';
import { type ArmId, canonicalLocation } from '#libs/kernel/arm-id.js';
import { ResourceGraphIndex, containerRow, graphRow } from './graph/resource-graph.index.js';
import type { GraphRow } from './graph/resource-graph.index.js';
import type { EstateWorkloads } from './estate.schema.js';
import { LongRunningOperationStore } from './long-running-operation.store.js';
import { PlannedFailureStore } from './planned-failure.store.js';
import { RegistrationStore } from './registration.store.js';
import { renderResource } from './resource.renderer.js';
import { ResourceStore } from './resource.store.js';
import type { StoredResource } from './resource.store.js';
import type { ReachedCluster, ResourceWorld } from './resource-type.descriptor.js';
import { GROUP_TYPE } from './resource-type.registry.js';
import type { ResourceTypeRegistry } from './resource-type.registry.js';
import type { SimulatorSettings } from './simulator.settings.js';

/** How many deletions the lagging lists can look back. */
const REMEMBERED_DELETIONS = 1000;

/** The way from Azure to its clusters. */
export interface ClusterGateway {
  /** Wakes a cluster and goes in; undefined when there is none, or it does not answer. */
  reach(key: string): ReachedCluster | undefined;
  /** Takes in what clusters have told Azure by now. */
  catchUp(): void;
}

/** All that the simulated Azure knows at a moment. */
export class AzureState {
  readonly resources: ResourceStore;
  readonly graph: ResourceGraphIndex;
  readonly operations = new LongRunningOperationStore();
  readonly plannedFailures = new PlannedFailureStore();
  readonly providers = new RegistrationStore('NotRegistered');
  readonly features = new RegistrationStore('Unregistered');
  /** Limits of virtual CPUs by subscription and location. */
  readonly coreQuotas = new Map<string, number>();
  readonly world: ResourceWorld;
  tenantId = '';
  /** What runs in each cluster that is no hub when it is first looked at. */
  workloads: EstateWorkloads | undefined;
  /** As PEM; undefined until the first certificate was needed. */
  certificateAuthority: string | undefined;
  /** The way into clusters; undefined until there are any. */
  clusters: ClusterGateway | undefined;
  #deletions: { resource: StoredResource; at: number }[] = [];
  /** Loading many resources says nothing to the index, which is made afresh afterwards. */
  #loading = false;

  constructor(
    readonly registry: ResourceTypeRegistry,
    readonly clock: Clock,
    public settings: SimulatorSettings,
  ) {
    this.resources = new ResourceStore((type) => registry.indexed(type));
    this.graph = new ResourceGraphIndex(
      (resource) => this.#rowOf(resource),
      () => this.now - this.settings.indexLagSeconds * 1000,
    );
    this.world = this.#makeWorld();
    this.resources.onChange((change) => {
      if (this.#loading) return;
      this.graph.observe(change);
      if (change.after !== undefined || change.before === undefined) return;
      this.#deletions.push({ resource: change.before, at: change.at });
      if (this.#deletions.length > REMEMBERED_DELETIONS) this.#deletions.shift();
    });
  }

  get now(): number {
    return this.clock.now().getTime();
  }

  subscription(subscriptionId: string): StoredResource | undefined {
    return this.resources.get(`/subscriptions/${subscriptionId}`.toLowerCase());
  }

  group(subscriptionId: string, name: string): StoredResource | undefined {
    return this.resources.get(`/subscriptions/${subscriptionId}/resourcegroups/${name}`.toLowerCase());
  }

  /** Runs a bulk load: the index is built once, at the end, and every row is visible at once. */
  load(fill: () => void): void {
    this.#loading = true;
    try {
      fill();
    } finally {
      this.#loading = false;
    }
    this.#deletions = [];
    this.graph.rebuild(this.resources.all());
  }

  /** Everything away but the settings. */
  clear(): void {
    this.resources.clear();
    this.operations.clear();
    this.plannedFailures.restore([]);
    this.providers.restore([]);
    this.features.restore([]);
    this.coreQuotas.clear();
    this.workloads = undefined;
    this.#deletions = [];
    this.graph.rebuild([]);
  }

  /** Deleted since the time given; the lagging lists still show them. */
  deletedSince(time: number): StoredResource[] {
    return this.#deletions.filter((deletion) => deletion.at > time).map((deletion) => deletion.resource);
  }

  setCoreQuota(subscriptionId: string, location: string, cores: number | null): void {
    const key = quotaKey(subscriptionId, location);
    if (cores === null) this.coreQuotas.delete(key);
    else this.coreQuotas.set(key, cores);
  }

  #rowOf(resource: StoredResource): GraphRow | undefined {
    const container = containerRow(resource, this.tenantId);
    if (container !== undefined) return { table: 'resourcecontainers', row: container };
    const descriptor = this.registry.find(resource.type);
    if (descriptor?.graphTable === undefined) return undefined;
    const rendered = renderResource(resource, descriptor, this.world);
    return { table: descriptor.graphTable, row: graphRow(resource, rendered, this.tenantId) };
  }

  #makeWorld(): ResourceWorld {
    const { resources, coreQuotas } = this;
    const tenantId = (): string => this.tenantId;
    return {
      get tenantId() {
        return tenantId();
      },
      get: (id: ArmId | string) => resources.get(typeof id === 'string' ? id.toLowerCase() : id.canonical),
      children: (key, type) => resources.records(resources.ofParent(type.toLowerCase(), key).all()),
      referring: (type, key) => resources.records(resources.referring(type.toLowerCase(), key.toLowerCase()).all()),
      ofSubscription: (type, subscriptionId) =>
        resources.records(resources.ofSubscription(type.toLowerCase(), subscriptionId).all()),
      coreQuota: (subscriptionId, location) => coreQuotas.get(quotaKey(subscriptionId, location)),
      principalExists: (objectId) =>
        !this.settings.unknownPrincipals.some((unknown) => unknown.toLowerCase() === objectId.toLowerCase()),
      certificateAuthority: () => {
        if (this.certificateAuthority === undefined) throw new TypeError('There is no certificate authority yet.');
        return this.certificateAuthority;
      },
      // What stands in an estate was made long ago: nobody asks its clusters for leave.
      cluster: (key) => (this.#loading ? undefined : this.clusters?.reach(key.toLowerCase())),
      containerGroupLimit: () => this.settings.containerGroupLimit,
      containerCoreLimit: () => this.settings.containerCoreLimit,
      offersMachines: (vmSize) =>
        !this.settings.restrictedMachineSizes.some((name) => name.toLowerCase() === vmSize.toLowerCase()),
      offersContainerInstances: (location) =>
        !this.settings.regionsWithoutContainerInstances.some((region) => canonicalLocation(region) === location),
      retiredExtensionTypes: () => this.settings.retiredExtensionTypes,
    };
  }
}

export function isGroup(resource: StoredResource): boolean {
  return resource.type === GROUP_TYPE;
}

function quotaKey(subscriptionId: string, location: string): string {
  return `${subscriptionId.toLowerCase()}/${canonicalLocation(location)}`;
}
