import { delay } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { ObjectChange, WatchTurn } from '#libs/kube/cluster-client.js';
import type { Kube } from '#libs/kube/kube.js';
import type { ClusterDirectory } from '../contract/cluster-directory.js';
import type {
  ClusterCandidate,
  ClusterWatcher,
  WatchBatch,
  WatchContext,
  WatchedCluster,
  WatchStream,
} from '../contract/cluster-watcher.js';
import type { CollectContext, ObservationResult } from '../contract/collector.js';
import type { KindDefinition } from '../contract/kind-definition.js';
import { kubernetesIdOf, type KubernetesReading } from '../contract/kubernetes-observation.js';
import type { Observation } from '../contract/observation.js';
import { LARGEST_BATCH } from '../contract/observation-batch.js';
import { rawText } from '../contract/raw-reader.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import {
  CLUSTER_RESOURCE_PLACEMENT,
  clusterResourcePlacementKind,
  observeClusterResourcePlacement,
} from './cluster-resource-placement.kind.js';
import type { FleetMembershipDirectory, FleetOfCluster } from './fleet-membership.js';
import { MEMBER_CLUSTER, memberClusterKind, observeMemberCluster } from './member-cluster.kind.js';
import {
  MULTI_CLUSTER_SERVICE,
  multiClusterServiceKind,
  observeMultiClusterService,
} from './multi-cluster-service.kind.js';
import { SERVICE_EXPORT, observeServiceExport, serviceExportKind } from './service-export.kind.js';
import { SERVICE_IMPORT, observeServiceImport, serviceImportKind } from './service-import.kind.js';

/** When a cluster that does not serve a type is asked again: the type comes with the agents of Fleet. */
const LOOK_AGAIN_MS = 60_000;
/** And soon at first: what has just joined gets the agents any moment. Longer than a reading of what is served is kept. */
const FIRST_LOOK_AGAIN_MS = 4_000;
/** How often all members are read again: an agent that has died changes nothing that a watch could tell of. */
const READ_AGAIN_MS = 180_000;

interface ObservedType {
  kind: KindDefinition;
  type: { group: string; kind: string };
  /** Whether the names of members in it have to be turned into clusters. */
  namesMembers: boolean;
  /** Whether what it says of itself goes out of date by itself. */
  ages: boolean;
  observe(object: JsonObject, reading: KubernetesReading, fleet: FleetOfCluster | undefined): Observation;
}

const TYPES: Readonly<Record<string, ObservedType>> = {
  memberclusters: {
    kind: memberClusterKind,
    type: MEMBER_CLUSTER,
    namesMembers: false,
    ages: true,
    observe: observeMemberCluster,
  },
  clusterresourceplacements: {
    kind: clusterResourcePlacementKind,
    type: CLUSTER_RESOURCE_PLACEMENT,
    namesMembers: false,
    ages: false,
    observe: observeClusterResourcePlacement,
  },
  serviceexports: {
    kind: serviceExportKind,
    type: SERVICE_EXPORT,
    namesMembers: false,
    ages: false,
    observe: observeServiceExport,
  },
  serviceimports: {
    kind: serviceImportKind,
    type: SERVICE_IMPORT,
    namesMembers: true,
    ages: false,
    observe: observeServiceImport,
  },
  multiclusterservices: {
    kind: multiClusterServiceKind,
    type: MULTI_CLUSTER_SERVICE,
    namesMembers: true,
    ages: false,
    observe: observeMultiClusterService,
  },
};

/** The kinds of Fleet that are objects in clusters. */
export const fleetObjectKinds: readonly KindDefinition[] = Object.values(TYPES).map(({ kind }) => kind);

export interface FleetHubWatcherParts {
  kube: Kube;
  clusters: ClusterDirectory;
  memberships: Pick<FleetMembershipDirectory, 'fleetOf'>;
  /** Waits, and gives up when the signal aborts. */
  pause?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/**
 * The objects of Fleet, on hubs and on members. Which of them a cluster serves it says itself: most clusters serve none,
 * and are then empty rather than at fault.
 */
export class FleetHubWatcher implements ClusterWatcher {
  readonly name = 'fleet';
  readonly clusterKinds: readonly string[] = ['Fleet', 'ManagedCluster', 'ConnectedCluster', 'AttachedCluster'];
  readonly kinds: readonly string[] = fleetObjectKinds.map((kind) => kind.name);
  readonly streams: readonly WatchStream[] = Object.entries(TYPES).map(([name, { kind }]) => ({
    name,
    kinds: [kind.name],
  }));
  readonly #pause: (milliseconds: number, signal: AbortSignal) => Promise<void>;

  constructor(private readonly parts: FleetHubWatcherParts) {
    this.#pause = parts.pause ?? delay;
  }

  isWatched({ kind, provisioningState, properties, isAttached }: ClusterCandidate): boolean {
    const state = provisioningState?.toLowerCase();
    if (state === 'creating' || state === 'deleting') return false;
    switch (kind) {
      case 'Fleet':
        return rawText(properties, 'hubProfile', 'fqdn') !== null;
      case 'ManagedCluster':
        return (
          rawText(properties, 'powerState', 'code')?.toLowerCase() !== 'stopped' &&
          // The managed cluster under a hub is Azure's own; the hub is watched as its fleet.
          !/^MC_FL_/i.test(rawText(properties, 'nodeResourceGroup') ?? '')
        );
      case 'ConnectedCluster':
        return isAttached;
      case 'AttachedCluster':
        return true;
      default:
        return false;
    }
  }

  async *watch(cluster: WatchedCluster, stream: string, context: WatchContext): AsyncGenerator<WatchBatch, void, void> {
    const observed = TYPES[stream];
    if (observed === undefined) throw new TypeError(`The watcher ${this.name} has no stream ${stream}`);
    const client = this.parts.kube.cluster({ uid: cluster.uid, id: cluster.id, kind: cluster.kind });
    let pauseMs = FIRST_LOOK_AGAIN_MS;
    while (!context.signal.aborted) {
      const askedAt = new Date();
      const resource = await client.findResource(observed.type, context);
      if (resource === undefined) {
        yield { batch: 'listed', askedAt };
      } else {
        const relistRequested = async (signal: AbortSignal): Promise<void> => {
          await (observed.ages ? this.#untilWanted(context, signal, READ_AGAIN_MS) : context.relistRequested(signal));
        };
        try {
          for await (const turn of client.watch(resource, { relistRequested }, context)) {
            yield* this.#batches(turn, observed, cluster, context);
          }
        } catch (error) {
          // The type was taken away: the next look says so, and that with it everything of it is gone.
          if (!(error instanceof ControlError) || error.code !== 'KUBERNETES_NOT_FOUND') throw error;
        }
      }
      if (isAborted(context.signal)) return;
      const isWanted = await this.#untilWanted(context, context.signal, pauseMs);
      pauseMs = isWanted || resource !== undefined ? FIRST_LOOK_AGAIN_MS : Math.min(pauseMs * 2, LOOK_AGAIN_MS);
    }
  }

  /** Until somebody wants certainty (then true), the time is over, or the watch ends. */
  async #untilWanted(context: WatchContext, signal: AbortSignal, milliseconds: number): Promise<boolean> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    try {
      const wanted = context.relistRequested(either).then(() => true);
      return await Promise.race([wanted, this.#pause(milliseconds, either).then(() => false)]);
    } catch (error) {
      if (!isAborted(signal)) throw error;
      return false;
    } finally {
      over.abort();
    }
  }

  async *#batches(
    turn: WatchTurn,
    observed: ObservedType,
    cluster: WatchedCluster,
    context: WatchContext,
  ): AsyncGenerator<WatchBatch, void, void> {
    switch (turn.turn) {
      case 'page': {
        const observations = await this.#observations(turn.objects, observed, cluster, turn.askedAt, context);
        for (let start = 0; start < observations.length; start += LARGEST_BATCH) {
          yield { batch: 'page', observations: observations.slice(start, start + LARGEST_BATCH) };
        }
        return;
      }
      case 'listed':
        yield { batch: 'listed', askedAt: turn.askedAt };
        return;
      case 'changes': {
        const { receivedAt } = turn;
        const { put, gone } = latest(turn.changes, cluster.uid);
        const observations = await this.#observations(put, observed, cluster, receivedAt, context);
        const targets = gone.map((id) => ({ uid: id.uid, id: id.toString(), kind: observed.kind.name }));
        yield { batch: 'changes', observations, gone: targets, receivedAt };
        return;
      }
      case 'alive':
        yield { batch: 'alive', receivedAt: turn.receivedAt };
        return;
      case 'interrupted':
        yield { batch: 'interrupted', problem: turn.problem };
        return;
    }
  }

  async #observations(
    objects: readonly JsonObject[],
    observed: ObservedType,
    cluster: WatchedCluster,
    observedAt: Date,
    context: CollectContext,
  ): Promise<Observation[]> {
    if (objects.length === 0) return [];
    const fleet = observed.namesMembers ? await this.parts.memberships.fleetOf(cluster, context) : undefined;
    return objects.map((object) => observed.observe(object, { cluster, observedAt, source: 'WATCH' }, fleet));
  }

  async observe(target: ResourceTarget, context: CollectContext): Promise<ObservationResult> {
    const id = KubernetesId.parse(target.id);
    const observed = Object.values(TYPES).find(({ type }) => type.group === id.group && type.kind === id.kind);
    if (observed === undefined) {
      throw new ControlError('INVALID_REQUEST', `This is no object of Fleet: ${id.toString()}`);
    }
    const cluster = await this.parts.clusters.find(id.clusterUid);
    if (cluster === undefined) {
      throw new ControlError('RESOURCE_NOT_FOUND', `The cluster of ${id.toString()} is not known.`);
    }
    const client = this.parts.kube.cluster({ uid: cluster.uid, id: cluster.id, kind: cluster.kind });
    const observedAt = new Date();
    const resource = await client.findResource(observed.type, context);
    const object = resource === undefined ? undefined : await client.get(resource, id.namespace, id.name, context);
    if (object === undefined) return { state: 'absent', observedAt };
    return {
      state: 'present',
      observations: await this.#observations([object], observed, cluster, observedAt, context),
    };
  }
}

/** The signal may abort while something is awaited, which the compiler cannot know. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** The last state of each object of a turn: an object may change more than once in it. */
function latest(changes: readonly ObjectChange[], clusterUid: string): { put: JsonObject[]; gone: KubernetesId[] } {
  const byId = new Map<string, ObjectChange>();
  for (const change of changes) byId.set(kubernetesIdOf(change.object, clusterUid).canonical, change);
  const [put, gone]: [JsonObject[], KubernetesId[]] = [[], []];
  for (const [id, { change, object }] of byId) {
    if (change === 'put') put.push(object);
    else gone.push(KubernetesId.parse(id));
  }
  return { put, gone };
}
