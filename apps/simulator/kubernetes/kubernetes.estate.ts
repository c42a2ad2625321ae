import type { IncomingMessage, ServerResponse } from 'node:http';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import type { AzureState } from '../azure.state.js';
import { deterministicHex } from '../deterministic-id.js';
import type { FaultStore } from '../fault.store.js';
import { objectAt, textAt } from '../json-merge.js';
import type { ResourceEngine } from '../resource.engine.js';
import type { ResourceChange, StoredResource } from '../resource.store.js';
import type { ReachedCluster, ResourceWorld } from '../resource-type.descriptor.js';
import { CUSTOM_LOCATION_TYPE, EXTENSION_TYPE } from '../types/arc.family.js';
import { AGENT_POOL_TYPE } from '../types/core-usage.js';
import { customLocationsPrincipal } from '../types/custom-location.type.js';
import { FLEET_MEMBER_TYPE, FLEET_TYPE } from '../types/fleet.family.js';
import { HCI_POOL_TYPE, INSTANCE_TYPE } from '../types/hci.family.js';
import { NETWORK_TYPE, PEERING_TYPE, SUBNET_TYPE } from '../types/network.family.js';
import { ROLE_ASSIGNMENT_TYPE } from '../types/role-assignment.type.js';
import { aciDelegation } from '../types/subnet.delegation.js';
import { nodeResourceGroup } from '../types/managed-cluster.body.js';
import { KubernetesApi } from './api/kubernetes.api.js';
import { KubernetesCluster } from './api/kubernetes.cluster.js';
import { KubernetesStatusError } from './api/kubernetes-status.error.js';
import { APP_SERVICE_TYPES, followAppService, forgetAppService } from './app-service.objects.js';
import { installAgents, removeAgents } from './arc.agents.js';
import type { ChosenAgents } from './arc.agents.js';
import type { AccessAttributes, ClusterAvailability } from './cluster.objects.js';
import { AzureClusterSecurity } from './cluster.security.js';
import {
  CONNECTED_TYPE,
  OWN_ADDRESSES,
  connectedPools,
  ensureDiskStorage,
  followArc,
  forgetExtension,
  hasAgentsOfHost,
  hasMachines,
  heartbeat,
  initialFeatures,
  simulationOf,
} from './connected-cluster.view.js';
import { ContainerInstances } from './container-instances.js';
import { ClusterRuntime } from './controllers/cluster.runtime.js';
import { controllerOptions } from './controllers/controller.options.js';
import type { ClusterControllerOptions, ImageFault, LoadBalancerRequest } from './controllers/controller.options.js';
import type { FleetMember } from './controllers/fleet.member.js';
import { FleetRuntime } from './controllers/fleet.runtime.js';
import { WorkLoop } from './controllers/work.loop.js';
import { hubDefinitions, memberDefinitions } from './definitions/fleet.definitions.js';
import type { KubernetesSnapshotStore } from './kubernetes.snapshot.store.js';
import {
  CLUSTER_TYPE,
  addressesOf,
  fleetOfHub,
  hasControlPlane,
  hubKey,
  isRoutable,
  isStopped,
  nodePoolOf,
  poolsOf,
} from './managed-cluster.view.js';
import { followAddon, followEarlyConnector, isVirtualNode } from './virtual-node.objects.js';
import { earlyConnectorOf, virtualNodePlan } from './virtual-node.view.js';
import { seedWorkloads } from './workload.seed.js';

/** ARM types whose changes clusters and fleets follow. */
const FOLLOWED = new Set(
  [
    CLUSTER_TYPE,
    AGENT_POOL_TYPE,
    FLEET_TYPE,
    FLEET_MEMBER_TYPE,
    NETWORK_TYPE,
    PEERING_TYPE,
    CONNECTED_TYPE,
    EXTENSION_TYPE,
    CUSTOM_LOCATION_TYPE,
    INSTANCE_TYPE,
    HCI_POOL_TYPE,
    SUBNET_TYPE,
    ROLE_ASSIGNMENT_TYPE,
    ...APP_SERVICE_TYPES,
  ].map((type) => type.toLowerCase()),
);
/** ARM finishes an operation when somebody looks; a client that only watches a cluster should see its nodes come too. */
const LOOK_MS = 250;
/** More than a cluster makes while its snapshot is on the way to the disk. */
const SKIPPED_VERSIONS = 100_000;

/** A cluster that somebody has looked at. */
export interface LiveCluster {
  /** Of the managed or connected cluster in ARM. */
  readonly key: string;
  readonly uid: string;
  readonly name: string;
  readonly createdAt: string;
  readonly cluster: KubernetesCluster;
  /** Answers a request whose URL is the cluster's own: `/api/v1/pods`. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** What a test asked for; what ARM says of a stopped cluster goes before it. */
  wished: ClusterAvailability;
  /** Read by the cluster's kubelets whenever they start a container. */
  readonly imageFaults: ImageFault[];
  /** Whether the agents of Azure Arc were installed, by the host or before anybody looked. */
  agentsInstalled: boolean;
  /** What its virtual nodes run their pods on. */
  readonly containerInstances: ContainerInstances | undefined;
  readonly life: { kind: 'cluster'; runtime: ClusterRuntime; pools: string } | { kind: 'hub'; runtime: FleetRuntime };
}

export type ClusterLookup = { state: 'unknown' } | { state: 'unreachable' } | { state: 'live'; live: LiveCluster };

/** A cluster of the estate, whether anybody has looked at it or not. */
export interface ListedCluster {
  uid: string;
  id: string;
  name: string;
  kind: 'cluster' | 'hub';
  /** The fleet whose hub it is. */
  fleet: string | null;
  api: ClusterAvailability['state'] | 'stopped' | 'not-ready';
  live: boolean;
}

export interface KubernetesEstateOptions {
  state: AzureState;
  engine: ResourceEngine;
  /** Bearer tokens that are accepted by clusters with Entra ID; any without it. */
  tokens: ReadonlySet<string> | undefined;
  /** What a test has put in the way of requests to Azure. */
  faults: FaultStore;
  /** Keeps objects across restarts. */
  snapshots: KubernetesSnapshotStore | undefined;
  report: (error: unknown, where: string) => void;
}

/**
 * The Kubernetes side of the estate: what ARM says about clusters, pools, fleets and networks becomes API servers, nodes
 * and members. A cluster comes to life when somebody first looks at it, and with it the hub of its fleet and that fleet's
 * other members: of a thousand clusters in ARM, only those in use cost anything.
 */
export class KubernetesEstate {
  readonly #loop: WorkLoop;
  readonly #live = new Map<string, LiveCluster>();
  #keysByUid: ReadonlyMap<string, string> | undefined;
  #stale = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: KubernetesEstateOptions) {
    this.#loop = new WorkLoop({ clock: options.state.clock, onError: options.report });
    options.state.resources.onChange((change) => this.#observe(change));
  }

  /** By the uid in the path of a request. */
  lookUp(uid: string): ClusterLookup {
    this.catchUp();
    const key = this.#keys().get(uid.toLowerCase());
    return key === undefined ? { state: 'unknown' } : this.#lookUpKey(key);
  }

  /** By uid, ARM id or name; a name that several clusters have names none. Fleets stand for their hubs. */
  find(name: string): ClusterLookup {
    this.catchUp();
    const key = this.keyOf(name);
    return key === undefined ? { state: 'unknown' } : this.#lookUpKey(key);
  }

  keyOf(name: string): string | undefined {
    const { resources } = this.options.state;
    const byUid = this.#keys().get(name.toLowerCase());
    if (byUid !== undefined) return byUid;
    const record = resources.get(name.toLowerCase());
    if (record !== undefined && isCluster(record)) return record.key;
    if (record?.type === FLEET_TYPE.toLowerCase()) return hubKey(record);
    const named = [
      ...this.#clusters().filter((cluster) => cluster.name === name),
      ...this.#ofType(FLEET_TYPE).filter((fleet) => fleet.name === name),
    ];
    const only = named.length === 1 ? named[0] : undefined;
    if (only === undefined) return undefined;
    return isCluster(only) ? only.key : hubKey(only);
  }

  list(): ListedCluster[] {
    this.catchUp();
    const { world } = this.options.state;
    return this.#clusters().map((cluster) => {
      const fleet = fleetOfHub(cluster, world);
      const live = this.#live.get(cluster.key);
      const api = isStopped(cluster) ? 'stopped' : (live?.wished.state ?? 'up');
      return {
        uid: resourceUid(cluster.key),
        id: cluster.id,
        name: cluster.name,
        kind: fleet === undefined ? 'cluster' : 'hub',
        fleet: fleet?.id ?? null,
        api: stands(cluster, world) ? api : 'not-ready',
        live: live !== undefined,
      };
    });
  }

  setAvailability(live: LiveCluster, availability: ClusterAvailability): void {
    live.wished = availability;
    this.#follow();
  }

  /** What a Helm upgrade of the agents' chart does; without features, what an uninstall does. */
  /** @param agents undefined where they are taken out */
  setAgents(live: LiveCluster, agents: ChosenAgents | undefined): void {
    const record = this.options.state.resources.get(live.key);
    if (record === undefined) return;
    if (agents === undefined) removeAgents(live.cluster.objects);
    else this.#installAgents(record, live.cluster, agents);
    this.catchUp();
  }

  /** For Azure itself: through the agents into a cluster. */
  reach(key: string): ReachedCluster | undefined {
    const record = this.options.state.resources.get(key);
    if (record === undefined || !isCluster(record) || isStopped(record)) return undefined;
    if (!stands(record, this.options.state.world)) return undefined;
    const live = this.#liveCluster(record);
    if (live.wished.state === 'down') return undefined;
    const { cluster } = live;
    return {
      objects: cluster.objects,
      refusal: (user, attributes) => refusalOf(cluster, user, attributes),
    };
  }

  setImageFaults(live: LiveCluster, faults: readonly ImageFault[]): void {
    live.imageFaults.splice(0, live.imageFaults.length, ...faults);
  }

  /** The estate was loaded anew: nothing that lived before is there any more. */
  reset(): void {
    for (const live of [...this.#live.values()]) this.#end(live);
    this.#keysByUid = undefined;
    this.#stale = false;
    this.options.snapshots?.clear();
  }

  /** Ends every watch and every controller, and writes what is outstanding. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#loop.close();
    for (const { life } of this.#live.values()) life.runtime.close();
    for (const { cluster } of this.#live.values()) cluster.dropWatches();
    await this.options.snapshots?.close();
    for (const { cluster } of this.#live.values()) cluster.close();
    this.#live.clear();
  }

  #lookUpKey(key: string): ClusterLookup {
    const record = this.options.state.resources.get(key);
    if (record === undefined) return { state: 'unknown' };
    if (!stands(record, this.options.state.world) || isStopped(record)) return { state: 'unreachable' };
    return { state: 'live', live: this.#liveCluster(record) };
  }

  #liveCluster(record: StoredResource): LiveCluster {
    const present = this.#live.get(record.key);
    if (present !== undefined) return present;
    const { world } = this.options.state;
    const fleet = fleetOfHub(record, world);
    const live = fleet === undefined ? this.#wakeCluster(record) : this.#wakeHub(record, fleet);
    this.#timer ??= setInterval(() => this.catchUp(), LOOK_MS).unref();
    this.#follow();
    return live;
  }

  #wakeCluster(record: StoredResource): LiveCluster {
    const imageFaults: ImageFault[] = [];
    const made = this.#make(record, undefined);
    const containerInstances = record.type === CLUSTER_TYPE ? this.#containerInstancesOf(record) : undefined;
    const options = this.#controllerOptions(record, imageFaults);
    const runtime = new ClusterRuntime(made.cluster, {
      ...options,
      ...(containerInstances === undefined
        ? {}
        : { containerGroups: containerInstances, runsPodsElsewhere: isVirtualNode }),
    });
    const live = this.#register(record, made, imageFaults, { kind: 'cluster', runtime, pools: '' }, containerInstances);
    this.#setPools(live, record);
    const { workloads } = this.options.state;
    const features = record.type === CONNECTED_TYPE ? initialFeatures(record, this.options.state.world) : undefined;
    if (made.isNew && record.type === CONNECTED_TYPE) ensureDiskStorage(record, made.cluster.objects);
    live.agentsInstalled = features !== undefined;
    if (made.isNew && features !== undefined) {
      const customLocationsObjectId = customLocationsPrincipal(this.options.state.tenantId);
      this.#installAgents(record, made.cluster, { features, customLocationsObjectId, reachesAzure: true });
    }
    if (made.isNew && workloads !== undefined) seedWorkloads(made.cluster.objects, workloads);
    return live;
  }

  #wakeHub(record: StoredResource, fleet: StoredResource): LiveCluster {
    const imageFaults: ImageFault[] = [];
    const made = this.#make(record, fleet.key);
    const runtime = new FleetRuntime(made.cluster, {
      hub: this.#controllerOptions(record, imageFaults),
      definitions: { hub: hubDefinitions(), member: memberDefinitions() },
    });
    return this.#register(record, made, imageFaults, { kind: 'hub', runtime });
  }

  #make(record: StoredResource, fleetKey: string | undefined): { cluster: KubernetesCluster; isNew: boolean } {
    const { state, tokens, snapshots } = this.options;
    const cluster = new KubernetesCluster({
      key: record.key,
      version: `v${versionOf(record, state.world)}`,
      clock: state.clock,
      security: new AzureClusterSecurity({ state, clusterKey: record.key, fleetKey, tokens }),
    });
    const snapshot = snapshots?.read(record.key, record.createdAt);
    if (snapshot !== undefined) cluster.restore(beyondWhatWasLost(snapshot));
    snapshots?.keep(record.key, record.createdAt, () => cluster.snapshot());
    if (snapshots !== undefined) cluster.objects.subscribe(() => snapshots.changed(record.key));
    return { cluster, isNew: snapshot === undefined };
  }

  #register(
    record: StoredResource,
    { cluster }: { cluster: KubernetesCluster },
    imageFaults: ImageFault[],
    life: LiveCluster['life'],
    containerInstances?: ContainerInstances,
  ): LiveCluster {
    const api = new KubernetesApi(cluster);
    const live: LiveCluster = {
      key: record.key,
      uid: resourceUid(record.key),
      name: record.name,
      createdAt: record.createdAt,
      cluster,
      serve: async (request, response) => api.handle(request, response),
      wished: { state: 'up' },
      imageFaults,
      agentsInstalled: false,
      containerInstances,
      life,
    };
    this.#live.set(record.key, live);
    return live;
  }

  #containerInstancesOf(record: StoredResource): ContainerInstances {
    const { state, engine, faults } = this.options;
    return new ContainerInstances(state, engine, record.key, nodeGroupOf(record), faults);
  }

  #controllerOptions(record: StoredResource, imageFaults: readonly ImageFault[]): ClusterControllerOptions {
    const { world, workloads } = this.options.state;
    const isConnected = record.type === CONNECTED_TYPE;
    const addresses = isConnected ? OWN_ADDRESSES : addressesOf(record, world);
    const location = textAt(record.body, 'location') ?? '';
    return controllerOptions({
      loop: this.#loop,
      clusterName: record.name,
      location,
      subscriptionId: record.subscriptionId,
      resourceGroup: record.resourceGroup ?? '',
      nodeResourceGroup: nodeGroupOf(record),
      machines: isConnected ? 'host' : 'azure',
      kubernetesVersion: versionOf(record, world),
      podAddresses: addresses.pods,
      nodeAddresses: addresses.nodes,
      allocateLoadBalancerAddress: (request) =>
        isConnected ? ownAddress(record.key, request) : loadBalancerAddress(record.key, addresses.nodes, request),
      imageFaults,
      events: workloads === undefined ? 'all' : 'warnings',
    });
  }

  #observe(change: ResourceChange): void {
    const { before, after } = change;
    for (const live of this.#live.values()) live.containerInstances?.observe(change);
    const record = after ?? before;
    if (record === undefined || !FOLLOWED.has(record.type)) return;
    if (isCluster(record) && (before === undefined || after === undefined)) this.#keysByUid = undefined;
    if (after === undefined && record.type === EXTENSION_TYPE.toLowerCase()) {
      const host = this.#live.get(record.parentKey ?? '');
      if (host !== undefined) {
        forgetExtension(record, host.cluster.objects);
        forgetAppService(record, host.cluster.objects);
      }
    }
    if (this.#stale || this.#live.size === 0) return;
    this.#stale = true;
    // Together with what else changes in the same write.
    queueMicrotask(() => {
      if (this.#stale) this.#follow();
    });
  }

  /** Finishes what is due in ARM, and follows it. */
  catchUp(): void {
    this.options.engine.advance();
    if (this.#stale) this.#follow();
    this.#listen();
  }

  /** Takes in what the agents of connected clusters report. */
  #listen(): void {
    const { state, engine } = this.options;
    for (const live of this.#live.values()) {
      const record = state.resources.get(live.key);
      if (record?.type !== CONNECTED_TYPE) continue;
      const isUp = live.wished.state !== 'down';
      const report = heartbeat(record, live.cluster.objects, isUp, state.clock.now(), state.world);
      if (report !== undefined) engine.amend(record.key, report, state.now);
    }
  }

  #installAgents(record: StoredResource, cluster: KubernetesCluster, agents: ChosenAgents): void {
    installAgents(cluster.objects, {
      ...agents,
      identity: {
        name: record.name,
        resourceGroup: record.resourceGroup ?? '',
        subscriptionId: record.subscriptionId,
        location: textAt(record.body, 'location') ?? '',
        tenantId: this.options.state.tenantId,
      },
    });
  }

  /** Makes everything that lives be as ARM says. */
  #follow(): void {
    this.#stale = false;
    const { resources, world } = this.options.state;
    for (const live of [...this.#live.values()]) {
      const record = resources.get(live.key);
      if (record?.createdAt !== live.createdAt) {
        this.#end(live);
        this.options.snapshots?.forget(live.key);
        continue;
      }
      live.cluster.setAvailability(isStopped(record) ? { state: 'down' } : live.wished);
      if (live.life.kind === 'cluster') {
        this.#setPools(live, record);
        this.#followHost(live, record);
        this.#followVirtualNodes(live, record);
        if (record.type === CONNECTED_TYPE) {
          followArc(record, live.cluster.objects, world);
          followAppService(record, live.cluster.objects, world);
        }
        this.#wakeHubOf(record);
      }
    }
    for (const live of [...this.#live.values()]) {
      const record = resources.get(live.key);
      const fleet = record === undefined ? undefined : fleetOfHub(record, world);
      if (live.life.kind === 'hub' && fleet !== undefined) this.#setMembers(live.life.runtime, fleet);
    }
  }

  #followVirtualNodes(live: LiveCluster, record: StoredResource): void {
    if (live.containerInstances === undefined) return;
    const { state, engine } = this.options;
    const { objects } = live.cluster;
    const plan = virtualNodePlan(record, state.world);
    if (plan?.connector === 'running' && plan.mustDelegate) delegate(plan.subnetId, state, engine);
    followAddon(objects, plan, state.clock.now());
    followEarlyConnector(objects, earlyConnectorOf(record), state.clock.now());
  }

  /** The host installs the agents once it has made the machines. */
  #followHost(live: LiveCluster, record: StoredResource): void {
    if (live.agentsInstalled || !hasAgentsOfHost(record, this.options.state.world)) return;
    live.agentsInstalled = true;
    this.#installAgents(record, live.cluster, {
      features: ['cluster-connect'],
      customLocationsObjectId: undefined,
      reachesAzure: true,
    });
  }

  /** The fleet's agents in a member only do something while its hub lives. */
  #wakeHubOf(cluster: StoredResource): void {
    const { resources, world } = this.options.state;
    for (const member of world.referring(FLEET_MEMBER_TYPE, cluster.key)) {
      const fleet = resources.get(member.parentKey ?? '');
      const key = fleet === undefined ? undefined : hubKey(fleet);
      const hub = key === undefined || this.#live.has(key) ? undefined : resources.get(key);
      if (hub !== undefined && fleet !== undefined && hasControlPlane(hub)) this.#wakeHub(hub, fleet);
    }
  }

  #setPools(live: LiveCluster, record: StoredResource): void {
    if (live.life.kind !== 'cluster') return;
    const pools =
      record.type === CONNECTED_TYPE
        ? connectedPools(record, this.options.state.world)
        : poolsOf(record, this.options.state.world).map(nodePoolOf);
    const text = JSON.stringify(pools);
    if (text === live.life.pools) return;
    live.life.pools = text;
    live.life.runtime.setNodePools(pools);
  }

  #setMembers(runtime: FleetRuntime, fleet: StoredResource): void {
    const { resources, world } = this.options.state;
    const members = world.children(fleet.key, FLEET_MEMBER_TYPE).flatMap((member) => {
      const clusterId = textAt(objectAt(member.body, 'properties'), 'clusterResourceId')?.toLowerCase() ?? '';
      const cluster = resources.get(clusterId);
      const joined = isJoined(member, runtime.members.has(member.name));
      return cluster !== undefined && isCluster(cluster) && stands(cluster, world) && joined
        ? [{ member, cluster }]
        : [];
    });
    for (const name of [...runtime.members.keys()]) {
      if (!members.some(({ member }) => member.name === name)) runtime.leave(name);
    }
    for (const { member, cluster } of members) {
      const others = members.filter((other) => other.member !== member).map((other) => other.cluster);
      const wanted = this.#fleetMember(member, cluster, others);
      const present = runtime.members.get(member.name);
      if (present !== undefined && present.cluster !== wanted.cluster) runtime.leave(member.name);
      if (present?.cluster !== wanted.cluster) {
        runtime.join(wanted);
        continue;
      }
      const { name, cluster: _cluster, ...changeable } = wanted;
      if (differs(present, changeable)) runtime.updateMember(name, changeable);
    }
  }

  #fleetMember(member: StoredResource, cluster: StoredResource, others: readonly StoredResource[]): FleetMember {
    const live = this.#live.get(cluster.key) ?? this.#wakeCluster(cluster);
    const labels = objectAt(objectAt(member.body, 'properties'), 'labels') as Record<string, string>;
    const isDown = isStopped(cluster) || live.wished.state === 'down';
    if (isStopped(cluster)) live.cluster.setAvailability({ state: 'down' });
    return {
      name: member.name,
      cluster: live.cluster,
      labels,
      location: textAt(cluster.body, 'location') ?? '',
      resourceGroup: cluster.resourceGroup ?? '',
      subscriptionId: cluster.subscriptionId,
      routable: isRoutable(cluster, others, this.options.state.world),
      agent: isDown ? 'unreachable' : 'running',
    };
  }

  #end(live: LiveCluster): void {
    this.#live.delete(live.key);
    for (const other of this.#live.values()) {
      if (other.life.kind !== 'hub') continue;
      for (const [name, member] of other.life.runtime.members) {
        if (member.cluster === live.cluster) other.life.runtime.leave(name);
      }
    }
    live.life.runtime.close();
    live.cluster.dropWatches();
    live.cluster.close();
    if (this.#live.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #keys(): ReadonlyMap<string, string> {
    this.#keysByUid ??= new Map(this.#clusters().map(({ key }) => [resourceUid(key), key]));
    return this.#keysByUid;
  }

  #clusters(): StoredResource[] {
    return [...this.#ofType(CLUSTER_TYPE), ...this.#ofType(CONNECTED_TYPE)];
  }

  #ofType(type: string): StoredResource[] {
    const { resources } = this.options.state;
    return resources.records(resources.ofType(type.toLowerCase()).all());
  }
}

/**
 * What was changed last may never have been written, and its versions are known to whoever watched. None of them comes
 * back: such a watch is told to list again.
 */
function beyondWhatWasLost(snapshot: JsonObject): JsonObject {
  const { version } = snapshot;
  return typeof version === 'number' ? { ...snapshot, version: version + SKIPPED_VERSIONS } : snapshot;
}

function nodeGroupOf(cluster: StoredResource): string {
  const location = textAt(cluster.body, 'location') ?? '';
  const named = textAt(objectAt(cluster.body, 'properties'), 'nodeResourceGroup');
  return named ?? nodeResourceGroup(ArmId.parse(cluster.id), location);
}

/** The connector gives its subnet to Container Instances by itself where nobody has. */
function delegate(subnetId: string, state: AzureState, engine: ResourceEngine): void {
  const subnet = state.world.get(subnetId);
  if (subnet === undefined) return;
  const properties = { ...objectAt(subnet.body, 'properties'), delegations: [aciDelegation()] };
  engine.write(ArmId.parse(subnet.id), { ...subnet.body, properties }, 'aciconnectorlinux', state.now);
}

/** A member that is still joining is not there yet; one that leaves is gone; one that failed stays as it was. */
function isJoined(member: StoredResource, wasThere: boolean): boolean {
  switch (textAt(objectAt(member.body, 'properties'), 'provisioningState')) {
    case 'Joining':
    case 'Leaving':
      return false;
    case 'Failed':
    case 'Canceled':
      return wasThere;
    default:
      return true;
  }
}

function differs(present: FleetMember, wanted: Omit<FleetMember, 'name' | 'cluster'>): boolean {
  const { name: _name, cluster: _cluster, ...rest } = present;
  const inOrder = (value: object): string => JSON.stringify(Object.entries(value).sort());
  return inOrder(rest) !== inOrder(wanted);
}

function isCluster(record: StoredResource): boolean {
  return record.type === CLUSTER_TYPE || record.type === CONNECTED_TYPE;
}

/** What stands somewhere was there before Azure heard of it; what Azure makes has to be made first. */
function stands(cluster: StoredResource, world: ResourceWorld): boolean {
  return cluster.type === CONNECTED_TYPE ? hasMachines(cluster, world) : hasControlPlane(cluster);
}

/** By the cluster's own roles and bindings, and in the API server's own words. */
function refusalOf(cluster: KubernetesCluster, user: string, attributes: AccessAttributes): string | undefined {
  try {
    cluster.access.demand({ name: user, groups: ['system:authenticated'] }, { ...attributes, name: '' });
    return undefined;
  } catch (error) {
    if (error instanceof KubernetesStatusError) return error.message;
    throw error;
  }
}

function versionOf(cluster: StoredResource, world: ResourceWorld): string {
  if (cluster.type === CONNECTED_TYPE) return simulationOf(cluster, world).kubernetesVersion;
  return textAt(objectAt(cluster.body, 'properties'), 'currentKubernetesVersion') ?? '';
}

/** Of the pool that the load balancer of a cluster outside of Azure hands out: it stays with the service's name. */
function ownAddress(clusterKey: string, { namespace, name, requested }: LoadBalancerRequest): string {
  const [byte = 0] = Buffer.from(deterministicHex(`${clusterKey}|${namespace}/${name}`, 2), 'hex');
  return requested ?? `192.168.0.${110 + (byte % 90)}`;
}

/** Public addresses look like Azure's; internal ones lie at the end of the nodes' subnet. Both stay with the service's name. */
function loadBalancerAddress(
  clusterKey: string,
  nodes: string,
  { namespace, name, scope, requested }: LoadBalancerRequest,
): string {
  if (requested !== undefined) return requested;
  const digest = Buffer.from(deterministicHex(`${clusterKey}|${namespace}/${name}`, 8), 'hex');
  const [second = 0, third = 0, fourth = 0] = digest;
  if (scope === 'public') return `20.${second}.${third}.${(fourth % 254) + 1}`;
  const [a = '10', b = '224'] = nodes.split('.');
  return `${a}.${b}.255.${(fourth % 250) + 1}`;
}
