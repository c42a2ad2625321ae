import { canonicalHash } from '#libs/kernel/canonical-json.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Controller } from './controller.js';
import type { Change } from './cluster.view.js';
import type { FleetContext } from './fleet.context.js';
import {
  HUB_AGENT,
  MEMBER_CLUSTERS,
  memberNamespace,
  PARENT_PLACEMENT,
  PLACEMENT_API,
  PLACEMENT_CLEANUP,
  PLACEMENTS,
  POLICY_SNAPSHOTS,
  RESOURCE_SNAPSHOTS,
  SCHEDULER_CLEANUP,
  WORK_CLEANUP,
  WORKS,
} from './fleet.names.js';
import type { ApplyStrategy, MemberCluster, Placement, ResourceSnapshot, Work } from './fleet.types.js';
import type { TypedObject } from './kubernetes.types.js';
import { scaledCount } from './pod-template.js';
import { controlledBy } from './pod.state.js';
import { heartbeatDeadline, ineligibility, schedulePlacement, type SchedulingOutcome } from './placement.scheduling.js';
import { selectResources } from './placement.selection.js';
import {
  type ClusterProgress,
  clusterStatus,
  invalidSelectors,
  isAvailable,
  placementConditions,
  rejectedStatus,
} from './placement.status.js';
import { kubernetesTime } from '../timestamp.js';
import type { WorkQueue } from './work.loop.js';

const LATEST = 'kubernetes-fleet.io/is-latest-snapshot';
const RESOURCE_INDEX = 'kubernetes-fleet.io/resource-index';
const POLICY_INDEX = 'kubernetes-fleet.io/policy-index';
const RESOURCE_HASH = 'kubernetes-fleet.io/resource-hash';
const WORK_INDEX = 'kubernetes-fleet.io/parent-resource-snapshot-index';
/** With every default of the definition: a work is compared with what is wanted. */
const DEFAULT_STRATEGY: ApplyStrategy = {
  type: 'ClientSideApply',
  comparisonOption: 'PartialComparison',
  whenToApply: 'Always',
  whenToTakeOver: 'Always',
};

/** Selects, schedules, rolls out and reports: everything of a placement that happens on the hub. */
export class PlacementController implements Controller {
  readonly #queue: WorkQueue;
  /** Which placements carry a namespace, from their last look. */
  readonly #byNamespace = new Map<string, Set<string>>();
  /** Which placements select objects of a cluster-scoped kind. */
  readonly #byKind = new Map<string, Set<string>>();

  constructor(private readonly context: FleetContext) {
    const { hub, loop } = context;
    this.#queue = loop.queue(`${hub.cluster.key} placements`, (name) => this.#sync(name));
    hub.on(PLACEMENTS, ({ type, object }) => {
      this.#queue.add(object.metadata.name);
      if (type === 'DELETED') this.#forget(object.metadata.name);
    });
    hub.on(WORKS, ({ object }) => {
      const parent = object.metadata.labels?.[PARENT_PLACEMENT];
      if (parent !== undefined) this.#queue.add(parent);
    });
    hub.on(MEMBER_CLUSTERS, ({ object, previous, type }) => {
      if (type !== 'MODIFIED' || previous === undefined || this.#matters(object, previous)) this.lookAtAll();
    });
    hub.onAny((change) => this.#follow(change));
    this.lookAtAll();
  }

  close(): void {
    this.#queue.close();
  }

  lookAtAll(): void {
    for (const { metadata } of this.context.hub.list(PLACEMENTS)) this.#queue.add(metadata.name);
  }

  /** A mere heartbeat changes no decision. */
  #matters(member: MemberCluster, previous: MemberCluster): boolean {
    const now = this.context.loop.clock.now();
    const decisive = ({ metadata, spec, status }: MemberCluster): unknown => [
      metadata.labels,
      metadata.deletionTimestamp,
      spec.taints,
      Object.entries(status?.properties ?? {}).map(([name, { value }]) => [name, value]),
    ];
    return (
      ineligibility(member, now) !== ineligibility(previous, now) ||
      canonicalHash(decisive(member)) !== canonicalHash(decisive(previous))
    );
  }

  #follow({ object, type, previous }: Change<TypedObject>): void {
    const { namespace, name } = object.metadata;
    const place = namespace ?? (object.kind === 'Namespace' ? name : undefined);
    const interested = [
      ...(place === undefined ? [] : (this.#byNamespace.get(place) ?? [])),
      ...(namespace === undefined ? (this.#byKind.get(kindKey(object)) ?? []) : []),
    ];
    if (interested.length === 0) return;
    // Status alone is not carried anywhere.
    if (type === 'MODIFIED' && previous !== undefined && sameContent(object, previous)) return;
    for (const placement of interested) this.#queue.add(placement);
  }

  #forget(placement: string): void {
    for (const index of [this.#byNamespace, this.#byKind])
      for (const [key, placements] of index)
        if (placements.delete(placement) && placements.size === 0) index.delete(key);
  }

  #remember(placement: Placement, namespaces: readonly string[]): void {
    const { name } = placement.metadata;
    this.#forget(name);
    const note = (index: Map<string, Set<string>>, key: string): void => {
      const placements = index.get(key) ?? new Set<string>();
      placements.add(name);
      index.set(key, placements);
    };
    for (const namespace of namespaces) note(this.#byNamespace, namespace);
    for (const { group, kind } of placement.spec.resourceSelectors) note(this.#byKind, `${group}/${kind}`);
  }

  #sync(name: string): void {
    const found = this.context.hub.get(PLACEMENTS, undefined, name);
    if (found === undefined) return;
    if (found.metadata.deletionTimestamp !== undefined) {
      this.#remove(found);
      return;
    }
    const placement = this.#guarded(found);
    const selection = selectResources(this.context.hub, name, placement.spec.resourceSelectors);
    this.#remember(
      placement,
      selection.outcome === 'invalid'
        ? []
        : selection.resources
            .filter(({ kind, group }) => kind === 'Namespace' && group === undefined)
            .map((one) => one.name),
    );
    const now = kubernetesTime(this.context.loop.clock.now());
    const generation = placement.metadata.generation ?? 1;
    if (selection.outcome === 'invalid') {
      this.#write(placement, (status) => ({
        ...status,
        conditions: invalidSelectors(selection.message, generation, status.conditions, now),
      }));
      return;
    }
    const snapshot = this.#snapshot(placement, selection.manifests);
    const index = snapshot.metadata.labels?.[RESOURCE_INDEX] ?? '0';
    const works = this.#works(name);
    const members = this.context.hub.list(MEMBER_CLUSTERS);
    const time = this.context.loop.clock.now();
    const scheduling = schedulePlacement(placement.spec.policy, members, new Set(works.keys()), time);
    this.#recordPolicy(placement, scheduling);
    const picked = new Set(scheduling.picked.map((decision) => decision.cluster));
    for (const [cluster, work] of works) if (!picked.has(cluster)) this.#deleteWork(work);
    const progress = this.#rollOut(placement, scheduling, works, snapshot);
    const eligible = new Set(
      members.filter((member) => ineligibility(member, time) === undefined).map((member) => member.metadata.name),
    );
    for (const member of members) {
      const work = progress.get(member.metadata.name);
      // A work that nobody carries out fails when its member is given up.
      if (work !== undefined && typeof work !== 'string' && !isAvailable(work) && eligible.has(member.metadata.name))
        this.#queue.addAt(name, heartbeatDeadline(member));
    }
    this.#write(placement, (status) => {
      const before = (cluster: string): NonNullable<typeof status.placementStatuses>[number] | undefined =>
        status.placementStatuses?.find((one) => one.clusterName === cluster);
      const clusters = scheduling.picked.map((decision) => {
        const work = progress.get(decision.cluster)!;
        const step: ClusterProgress =
          typeof work === 'string'
            ? { step: work }
            : { step: 'placing', work, member: eligible.has(decision.cluster) ? 'eligible' : 'ineligible' };
        return clusterStatus(decision, step, index, generation, before(decision.cluster), now);
      });
      const missing =
        scheduling.outcome === 'unfulfilled'
          ? scheduling.rejected
              .slice(0, missingClusters(placement, scheduling))
              .map((decision) => rejectedStatus(decision, generation, before(decision.cluster), now))
          : [];
      return {
        observedResourceIndex: index,
        selectedResources: selection.resources,
        conditions: placementConditions(
          scheduling,
          clusters,
          placement.spec.strategy?.type === 'External' ? 'External' : 'RollingUpdate',
          generation,
          status.conditions,
          now,
        ),
        ...(clusters.length + missing.length === 0 ? {} : { placementStatuses: [...clusters, ...missing] }),
      };
    });
  }

  #guarded(placement: Placement): Placement {
    const finalizers = placement.metadata.finalizers ?? [];
    const missing = [PLACEMENT_CLEANUP, SCHEDULER_CLEANUP].filter((finalizer) => !finalizers.includes(finalizer));
    if (missing.length === 0) return placement;
    return (
      this.context.hub.update(PLACEMENTS, undefined, placement.metadata.name, HUB_AGENT, (object) => ({
        ...object,
        metadata: { ...object.metadata, finalizers: [...(object.metadata.finalizers ?? []), ...missing] },
      })) ?? placement
    );
  }

  /** The works of a placement by member; those on their way out are not counted. */
  #works(placement: string): Map<string, Work> {
    const works = new Map<string, Work>();
    for (const { metadata } of this.context.hub.list(MEMBER_CLUSTERS)) {
      const work = this.context.hub.get(WORKS, memberNamespace(metadata.name), workName(placement));
      if (work !== undefined && work.metadata.deletionTimestamp === undefined) works.set(metadata.name, work);
    }
    return works;
  }

  #snapshot(placement: Placement, manifests: readonly JsonObject[]): ResourceSnapshot {
    const { hub } = this.context;
    const { name } = placement.metadata;
    const hash = canonicalHash(manifests);
    const all = hub
      .owned(placement.metadata.uid, RESOURCE_SNAPSHOTS)
      .sort((one, other) => indexOf(one, RESOURCE_INDEX) - indexOf(other, RESOURCE_INDEX));
    const latest = all.at(-1);
    if (latest?.metadata.annotations?.[RESOURCE_HASH] === hash) return latest;
    if (latest !== undefined) this.#markOld(RESOURCE_SNAPSHOTS, latest.metadata.name);
    const index = latest === undefined ? 0 : indexOf(latest, RESOURCE_INDEX) + 1;
    const limit = placement.spec.revisionHistoryLimit ?? 10;
    for (const old of all.slice(0, Math.max(0, all.length + 1 - limit)))
      hub.delete(RESOURCE_SNAPSHOTS, undefined, old.metadata.name, HUB_AGENT);
    return hub.create(
      {
        apiVersion: PLACEMENT_API,
        kind: 'ClusterResourceSnapshot',
        metadata: {
          name: `${name}-${index}-snapshot`,
          labels: { [PARENT_PLACEMENT]: name, [LATEST]: 'true', [RESOURCE_INDEX]: String(index) },
          annotations: { [RESOURCE_HASH]: hash, 'kubernetes-fleet.io/number-of-resource-snapshots': '1' },
          ownerReferences: [controlledBy(placement)],
        },
        spec: { selectedResources: manifests },
      },
      HUB_AGENT,
    ) as unknown as ResourceSnapshot;
  }

  #markOld(resource: string, name: string): void {
    this.context.hub.update(resource, undefined, name, HUB_AGENT, (object) => ({
      ...object,
      metadata: { ...object.metadata, labels: { ...object.metadata.labels, [LATEST]: 'false' } },
    }));
  }

  /** Leaves the decisions where users look for them. */
  #recordPolicy(placement: Placement, scheduling: SchedulingOutcome): void {
    const { hub, loop } = this.context;
    const { name } = placement.metadata;
    const policyHash = Buffer.from(canonicalHash(placement.spec.policy ?? {})).toString('base64');
    const all = hub
      .owned(placement.metadata.uid, POLICY_SNAPSHOTS)
      .sort((one, other) => indexOf(one, POLICY_INDEX) - indexOf(other, POLICY_INDEX));
    let latest = all.at(-1) as (TypedObject & { spec: { policyHash: string } }) | undefined;
    if (latest?.spec.policyHash !== policyHash) {
      if (latest !== undefined) this.#markOld(POLICY_SNAPSHOTS, latest.metadata.name);
      const index = latest === undefined ? 0 : indexOf(latest, POLICY_INDEX) + 1;
      latest = hub.create(
        {
          apiVersion: PLACEMENT_API,
          kind: 'ClusterSchedulingPolicySnapshot',
          metadata: {
            name: `${name}-${index}`,
            labels: { [PARENT_PLACEMENT]: name, [LATEST]: 'true', [POLICY_INDEX]: String(index) },
            ownerReferences: [controlledBy(placement)],
          },
          spec: { policyHash, ...(placement.spec.policy === undefined ? {} : { policy: placement.spec.policy }) },
        },
        HUB_AGENT,
      ) as unknown as TypedObject & { spec: { policyHash: string } };
    }
    const now = kubernetesTime(loop.clock.now());
    const generation = placement.metadata.generation ?? 1;
    const targetClusters = [
      ...scheduling.picked.map((decision) => ({ ...decision, selected: true })),
      ...scheduling.rejected.map((decision) => ({ ...decision, selected: false })),
    ].map(({ cluster, selected, reason, affinityScore }) => ({
      clusterName: cluster,
      selected,
      reason,
      ...(affinityScore === undefined ? {} : { clusterScore: { affinityScore, priorityScore: 0 } }),
    }));
    hub.updateStatus(POLICY_SNAPSHOTS, undefined, latest.metadata.name, HUB_AGENT, (object) => {
      const { status } = object as TypedObject & {
        status?: { conditions?: Parameters<typeof placementConditions>[4] };
      };
      const [scheduled] = placementConditions(scheduling, [], 'RollingUpdate', generation, [], now);
      const known = status?.conditions?.[0];
      const condition = {
        ...scheduled!,
        type: 'Scheduled',
        observedGeneration: object.metadata.generation ?? 1,
        ...(known?.status === scheduled!.status ? { lastTransitionTime: known.lastTransitionTime! } : {}),
      };
      return {
        ...object,
        status: { observedCRPGeneration: generation, conditions: [condition], targetClusters },
      };
    });
  }

  /**
   * Brings the newest snapshot to as many clusters as may be unavailable at the same time; a cluster that is without the
   * placement, or has it and it does not work, loses nothing by the change.
   * @returns the work of each picked cluster that has the newest snapshot, or why it has not
   */
  #rollOut(
    placement: Placement,
    scheduling: SchedulingOutcome,
    works: ReadonlyMap<string, Work>,
    snapshot: ResourceSnapshot,
  ): Map<string, Work | 'blocked' | 'external'> {
    const index = snapshot.metadata.labels?.[RESOURCE_INDEX] ?? '0';
    const strategy = placement.spec.strategy;
    const limit = Math.max(
      1,
      scaledCount(strategy?.rollingUpdate?.maxUnavailable ?? '25%', scheduling.picked.length, 'up'),
    );
    const progress = new Map<string, Work | 'blocked' | 'external'>();
    let unavailable = [...works.values()].filter((work) => !isAvailable(work)).length;
    for (const { cluster } of scheduling.picked) {
      const work = works.get(cluster);
      const isNewest =
        work?.metadata.labels?.[WORK_INDEX] === index &&
        canonicalHash(work.spec.applyStrategy ?? {}) === canonicalHash(strategyOf(placement));
      if (work !== undefined && isNewest) {
        progress.set(cluster, work);
        continue;
      }
      if (strategy?.type === 'External') {
        progress.set(cluster, 'external');
        continue;
      }
      if (work !== undefined && isAvailable(work)) {
        if (unavailable >= limit) {
          progress.set(cluster, 'blocked');
          continue;
        }
        unavailable++;
      }
      const placed = this.#place(placement, cluster, snapshot, index);
      if (placed !== undefined) progress.set(cluster, placed);
      else progress.set(cluster, 'blocked');
    }
    return progress;
  }

  /** @returns undefined while an older work of the same name is still on its way out. */
  #place(placement: Placement, cluster: string, snapshot: ResourceSnapshot, index: string): Work | undefined {
    const { hub } = this.context;
    const namespace = memberNamespace(cluster);
    const name = workName(placement.metadata.name);
    const existing = hub.get(WORKS, namespace, name);
    const content = {
      workload: { manifests: snapshot.spec.selectedResources },
      applyStrategy: strategyOf(placement),
    };
    if (existing?.metadata.deletionTimestamp !== undefined) return undefined;
    if (existing !== undefined)
      return hub.update(WORKS, namespace, name, HUB_AGENT, (work) => ({
        ...work,
        metadata: { ...work.metadata, labels: { ...work.metadata.labels, [WORK_INDEX]: index } },
        spec: { ...work.spec, ...content },
      }));
    if (hub.get('namespaces', undefined, namespace)?.metadata.deletionTimestamp !== undefined) return undefined;
    return hub.create(
      {
        apiVersion: PLACEMENT_API,
        kind: 'Work',
        metadata: {
          name,
          namespace,
          labels: { [PARENT_PLACEMENT]: placement.metadata.name, [WORK_INDEX]: index },
          finalizers: [WORK_CLEANUP],
        },
        spec: content,
      },
      HUB_AGENT,
    ) as unknown as Work;
  }

  #deleteWork({ metadata }: Work): void {
    this.context.hub.delete(WORKS, metadata.namespace, metadata.name, HUB_AGENT);
  }

  /** The finalizers stay until every member has removed what it was given. */
  #remove(placement: Placement): void {
    const { hub } = this.context;
    const { name } = placement.metadata;
    let left = 0;
    for (const { metadata } of hub.list(MEMBER_CLUSTERS)) {
      const namespace = memberNamespace(metadata.name);
      const work = hub.get(WORKS, namespace, workName(name));
      if (work === undefined) continue;
      if (work.metadata.deletionTimestamp === undefined) this.#deleteWork(work);
      if (hub.get(WORKS, namespace, workName(name)) !== undefined) left++;
    }
    if (left > 0) return;
    hub.update(PLACEMENTS, undefined, name, HUB_AGENT, (object) => ({
      ...object,
      metadata: {
        ...object.metadata,
        finalizers: (object.metadata.finalizers ?? []).filter(
          (finalizer) => finalizer !== PLACEMENT_CLEANUP && finalizer !== SCHEDULER_CLEANUP,
        ),
      },
    }));
  }

  #write(
    placement: Placement,
    change: (status: NonNullable<Placement['status']>) => NonNullable<Placement['status']>,
  ): void {
    this.context.hub.updateStatus(PLACEMENTS, undefined, placement.metadata.name, HUB_AGENT, (object) => ({
      ...object,
      status: change(object.status ?? {}),
    }));
  }
}

export function workName(placement: string): string {
  return `${placement}-work`;
}

function strategyOf(placement: Placement): ApplyStrategy {
  return { ...DEFAULT_STRATEGY, ...placement.spec.strategy?.applyStrategy };
}

function missingClusters(placement: Placement, scheduling: SchedulingOutcome): number {
  const { policy } = placement.spec;
  return policy?.placementType === 'PickN'
    ? Math.max(0, (policy.numberOfClusters ?? 0) - scheduling.picked.length)
    : scheduling.rejected.length;
}

function indexOf(object: TypedObject, label: string): number {
  return Number(object.metadata.labels?.[label] ?? 0);
}

function kindKey({ apiVersion, kind }: TypedObject): string {
  const slash = apiVersion.indexOf('/');
  return `${slash < 0 ? '' : apiVersion.slice(0, slash)}/${kind}`;
}

/** Apart from status, and from metadata that is not carried. */
function sameContent(one: TypedObject, other: TypedObject): boolean {
  const content = (object: TypedObject): string => {
    const { metadata, status: _, ...rest } = object as TypedObject & { status?: unknown };
    return canonicalHash([rest, metadata.labels, metadata.annotations, metadata.deletionTimestamp]);
  };
  return content(one) === content(other);
}
