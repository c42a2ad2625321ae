import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import { canonicalJson } from '#libs/kernel/canonical-json.js';
import { KubernetesStatusError } from '../api/kubernetes-status.error.js';
import type { KubernetesObject } from '../cluster.objects.js';
import type { Controller } from './controller.js';
import { addressKey, type ObjectAddress } from './cluster.view.js';
import type { ConnectedMember, FleetContext } from './fleet.context.js';
import { APPLIED_WORKS, memberNamespace, PLACEMENT_API, WORK_AGENT, WORK_CLEANUP, WORKS } from './fleet.names.js';
import type { AppliedResource, AppliedWork, ManifestCondition, Work } from './fleet.types.js';
import type { Condition, OwnerReference, TypedObject } from './kubernetes.types.js';
import { identify } from './placement.selection.js';
import { withCondition } from './status.condition.js';
import { covers, threeWayMerge } from './three-way-merge.js';
import { kubernetesTime } from '../timestamp.js';
import { type Availability, availabilityOf } from './work.availability.js';
import type { WorkQueue } from './work.loop.js';

const LAST_APPLIED = 'kubernetes-fleet.io/last-applied-configuration';
const RETRY_MS = 15_000;

/** How one manifest fared on the member. */
type ManifestOutcome =
  | { result: 'applied'; address: ObjectAddress; availability: Availability; generation: number | undefined }
  | { result: 'failed'; reason: string; message: string };

/** The agent of one member: carries out what the hub's works say, and reports back. */
export class WorkApplier implements Controller {
  readonly #queue: WorkQueue;
  /** Which works placed an object: changes of it bring them back here. */
  readonly #worksByObject = new Map<string, Set<string>>();
  readonly #namespace: string;

  constructor(
    private readonly context: FleetContext,
    private readonly connected: ConnectedMember,
  ) {
    const { hub, loop } = context;
    this.#namespace = memberNamespace(connected.member.name);
    this.#queue = loop.queue(`${connected.view.cluster.key} works`, (name) => this.#sync(name));
    connected.view.onAny(({ resource, object }) => {
      const { namespace, name } = object.metadata;
      for (const work of this.#worksByObject.get(addressKey({ resource, namespace, name })) ?? [])
        this.#queue.add(work);
    });
    for (const work of hub.list(WORKS, this.#namespace)) this.look(work.metadata.name);
  }

  /** A work of this member changed at the hub. */
  look(work: string): void {
    this.#queue.add(work);
  }

  /** All works: the agent is back. */
  lookAtAll(): void {
    for (const { metadata } of this.context.hub.list(WORKS, this.#namespace)) this.#queue.add(metadata.name);
  }

  /** Leaves the fleet: what was placed goes, and so does the bookkeeping. */
  leave(): void {
    const { view, member } = this.connected;
    // What an unreachable agent cannot remove stays on the cluster.
    if (member.agent === 'running')
      for (const applied of view.list(APPLIED_WORKS)) this.#removeAll(applied.metadata.name);
    for (const work of this.context.hub.list(WORKS, this.#namespace)) this.#release(work);
  }

  close(): void {
    this.#queue.close();
  }

  #sync(name: string): void {
    if (this.connected.member.agent === 'unreachable') return;
    const work = this.context.hub.get(WORKS, this.#namespace, name);
    if (work === undefined) return;
    if (work.metadata.deletionTimestamp !== undefined) {
      this.#removeAll(name);
      this.#release(work);
      return;
    }
    const applied = this.#ensureAppliedWork(name);
    const outcomes = work.spec.workload.manifests.map((manifest) => this.#apply(work, applied, manifest));
    this.#forgetRest(name, applied, outcomes);
    this.#report(work, outcomes);
    if (outcomes.some((outcome) => outcome.result === 'failed')) this.#queue.addAfter(name, RETRY_MS);
  }

  #ensureAppliedWork(name: string): AppliedWork {
    const { view } = this.connected;
    const existing = view.get(APPLIED_WORKS, undefined, name);
    if (existing !== undefined) return existing;
    const draft = {
      apiVersion: PLACEMENT_API,
      kind: 'AppliedWork',
      metadata: { name },
      spec: { workName: name, workNamespace: this.#namespace },
    };
    return view.create(draft, WORK_AGENT) as unknown as AppliedWork;
  }

  #apply(work: Work, applied: AppliedWork, manifest: JsonObject): ManifestOutcome {
    const { view } = this.connected;
    const object = manifest as unknown as TypedObject;
    const identity = identify(object);
    const served = view.resourceOf(identity.group ?? '', identity.kind);
    if (served === undefined)
      return failed(
        'ManifestApplyFailed',
        `failed to find the resource: no matches for kind "${identity.kind}" in version "${object.apiVersion}"`,
      );
    const address: ObjectAddress = {
      resource: served.resource,
      namespace: served.scope === 'Namespaced' ? identity.namespace : undefined,
      name: identity.name,
    };
    this.#remember(address, work.metadata.name);
    const live = view.get(address.resource, address.namespace, address.name);
    const owner: OwnerReference = {
      apiVersion: applied.apiVersion,
      kind: applied.kind,
      name: applied.metadata.name,
      uid: applied.metadata.uid,
      blockOwnerDeletion: false,
    };
    const obstacle = live === undefined ? undefined : this.#obstacle(work, live, owner, manifest);
    if (obstacle !== undefined) return obstacle;
    try {
      const now = live === undefined ? this.#create(manifest, owner) : this.#update(address, manifest, owner);
      if (now === undefined) return failed('ManifestApplyFailed', 'the object went away while it was applied');
      return { result: 'applied', address, availability: availabilityOf(now), generation: now.metadata.generation };
    } catch (error) {
      if (!(error instanceof KubernetesStatusError)) throw error;
      return failed('ManifestApplyFailed', error.message);
    }
  }

  /** Why an object that is there already is not to be touched. */
  #obstacle(work: Work, live: TypedObject, owner: OwnerReference, manifest: JsonObject): ManifestOutcome | undefined {
    const strategy = work.spec.applyStrategy ?? {};
    const owners = live.metadata.ownerReferences ?? [];
    const ours = owners.some((other) => other.uid === owner.uid);
    const works = owners.filter((other) => other.kind === 'AppliedWork' && other.uid !== owner.uid);
    const strangers = owners.filter((other) => other.kind !== 'AppliedWork');
    if (strangers.length > 0 && strategy.allowCoOwnership !== true)
      return failed(
        'ManifestsAlreadyOwnedByOthers',
        'the object is already owned by some other sources(s) and co-ownership is disallowed',
      );
    for (const other of works) {
      const theirs = this.context.hub.get(WORKS, this.#namespace, other.name)?.spec.applyStrategy;
      if (theirs !== undefined && canonicalJson(theirs) !== canonicalJson(strategy))
        return failed(
          'ApplyConflictBetweenPlacements',
          `manifest is already managed by placement ${other.name.replace(/-work$/, '')} but with different apply strategy`,
        );
    }
    if (ours || works.length > 0) return undefined;
    if (strategy.whenToTakeOver === 'Never')
      return failed(
        'NotTakenOver',
        'the object exists in the member cluster and the apply strategy prohibits Fleet to take it over',
      );
    if (strategy.whenToTakeOver === 'IfNoDiff' && !covers(live as unknown as JsonObject, manifest))
      return failed(
        'FailedToTakeOver',
        'cannot take over object: configuration differences are found between the manifest object and the corresponding object in the member cluster',
      );
    return undefined;
  }

  #create(manifest: JsonObject, owner: OwnerReference): TypedObject {
    const metadata = manifest.metadata as JsonObject;
    const draft = {
      ...manifest,
      metadata: {
        ...metadata,
        annotations: {
          ...(metadata.annotations as JsonObject | undefined),
          [LAST_APPLIED]: canonicalJson(manifest),
        },
        ownerReferences: [owner],
      },
    };
    return this.connected.view.create(draft, WORK_AGENT);
  }

  #update(address: ObjectAddress, manifest: JsonObject, owner: OwnerReference): TypedObject | undefined {
    const text = canonicalJson(manifest);
    const { objects } = this.connected.view.cluster;
    return objects.update(address.resource, address.namespace, address.name, WORK_AGENT, (object) => {
      const last = parseObject(object.metadata.annotations?.[LAST_APPLIED]);
      // A manifest may name another served version than the one that is stored.
      const merged = threeWayMerge(last, { ...manifest, apiVersion: object.apiVersion }, object) as KubernetesObject;
      const owners = merged.metadata.ownerReferences ?? [];
      return {
        ...merged,
        metadata: {
          ...merged.metadata,
          annotations: { ...merged.metadata.annotations, [LAST_APPLIED]: text },
          ownerReferences: owners.some((other) => other.uid === owner.uid) ? owners : [...owners, { ...owner }],
        },
      };
    });
  }

  #remember(address: ObjectAddress, work: string): void {
    const key = addressKey(address);
    const works = this.#worksByObject.get(key) ?? new Set<string>();
    works.add(work);
    this.#worksByObject.set(key, works);
  }

  /** Removes what an earlier state of the work placed and this one does not, and notes what is placed now. */
  #forgetRest(name: string, applied: AppliedWork, outcomes: readonly ManifestOutcome[]): void {
    const { view } = this.connected;
    const placed = outcomes.flatMap((outcome, ordinal) =>
      outcome.result === 'applied' ? [{ address: outcome.address, ordinal }] : [],
    );
    const kept = new Set(placed.map(({ address }) => addressKey(address)));
    const work = this.context.hub.get(WORKS, this.#namespace, name);
    // What could not be applied this time was perhaps applied before, and is still wanted.
    const wanted = new Set(
      (work?.spec.workload.manifests ?? []).map((manifest) => {
        const { kind, name: object, namespace } = identify(manifest as unknown as TypedObject);
        return `${kind}|${namespace ?? ''}/${object}`;
      }),
    );
    const still: AppliedResource[] = [];
    for (const resource of applied.status?.appliedResources ?? []) {
      const address = addressOf(resource);
      if (kept.has(addressKey(address))) continue;
      if (wanted.has(`${resource.kind ?? ''}|${resource.namespace ?? ''}/${resource.name ?? ''}`)) still.push(resource);
      else this.#removeObject(address, applied.metadata.uid, name);
    }
    const now = placed.map(({ address, ordinal }) =>
      appliedResource(ordinal, work!.spec.workload.manifests[ordinal]!, address),
    );
    view.updateStatus(APPLIED_WORKS, undefined, name, WORK_AGENT, (object) => ({
      ...object,
      status: { appliedResources: [...now, ...still] },
    }));
  }

  #removeAll(name: string): void {
    const { view } = this.connected;
    const applied = view.get(APPLIED_WORKS, undefined, name);
    if (applied === undefined) return;
    // In reverse: a namespace last, so that what is in it goes by itself first.
    for (const resource of [...(applied.status?.appliedResources ?? [])].reverse())
      this.#removeObject(addressOf(resource), applied.metadata.uid, name);
    view.delete(APPLIED_WORKS, undefined, name, WORK_AGENT);
  }

  /** Gives an object up: it goes unless somebody else owns it too. */
  #removeObject(address: ObjectAddress, uid: string, work: string): void {
    const { view } = this.connected;
    const { resource, namespace, name } = address;
    const works = this.#worksByObject.get(addressKey(address));
    works?.delete(work);
    if (works?.size === 0) this.#worksByObject.delete(addressKey(address));
    const owners = view.get(resource, namespace, name)?.metadata.ownerReferences ?? [];
    if (!owners.some((owner) => owner.uid === uid)) return;
    const others = owners.filter((owner) => owner.uid !== uid);
    if (others.length === 0) {
      view.delete(resource, namespace, name, WORK_AGENT);
      return;
    }
    view.update(resource, namespace, name, WORK_AGENT, (object) => ({
      ...object,
      metadata: { ...object.metadata, ownerReferences: others },
    }));
  }

  /** Nothing of the work is on the member any more: the hub may forget it. */
  #release(work: Work): void {
    const { namespace, name } = work.metadata;
    this.context.hub.update(WORKS, namespace, name, WORK_AGENT, (object) => ({
      ...object,
      metadata: {
        ...object.metadata,
        finalizers: (object.metadata.finalizers ?? []).filter((finalizer) => finalizer !== WORK_CLEANUP),
      },
    }));
  }

  #report(work: Work, outcomes: readonly ManifestOutcome[]): void {
    const { hub, loop } = this.context;
    const now = kubernetesTime(loop.clock.now());
    const observedGeneration = work.metadata.generation ?? 1;
    hub.updateStatus(WORKS, this.#namespace, work.metadata.name, WORK_AGENT, (object) => {
      const before = object.status?.manifestConditions ?? [];
      const manifestConditions = outcomes.map((outcome, ordinal): ManifestCondition => {
        const manifest = work.spec.workload.manifests[ordinal]!;
        const identity = identify(manifest as unknown as TypedObject);
        const resource = outcome.result === 'applied' ? plural(outcome.address.resource) : undefined;
        const previous = before.find(
          ({ identifier }) =>
            identifier.kind === identity.kind &&
            identifier.name === identity.name &&
            identifier.namespace === identity.namespace,
        );
        return {
          identifier: { ordinal, ...identity, ...(resource === undefined ? {} : { resource }) },
          conditions: manifestStates(outcome).reduce<Condition[]>(
            (all, condition) => withCondition(all, condition, now),
            previous?.conditions ?? [],
          ),
        };
      });
      const conditions = workStates(outcomes).reduce<Condition[]>(
        (all, condition) => withCondition(all, { ...condition, observedGeneration }, now),
        object.status?.conditions ?? [],
      );
      return { ...object, status: { conditions, manifestConditions } };
    });
  }
}

function failed(reason: string, cause: string): ManifestOutcome {
  return { result: 'failed', reason, message: `Failed to apply the manifest (error: ${cause})` };
}

function manifestStates(outcome: ManifestOutcome): Condition[] {
  if (outcome.result === 'failed')
    return [
      { type: 'Applied', status: 'False', reason: outcome.reason, message: outcome.message },
      {
        type: 'Available',
        status: 'Unknown',
        reason: 'ManifestNotAppliedYet',
        message: 'The manifest has not been applied yet',
      },
    ];
  const generation = outcome.generation === undefined ? {} : { observedGeneration: outcome.generation };
  const applied: Condition = {
    type: 'Applied',
    status: 'True',
    reason: 'Applied',
    message: 'Manifest has been applied successfully',
    ...generation,
  };
  switch (outcome.availability) {
    case 'available':
      return [
        applied,
        { type: 'Available', status: 'True', reason: 'Available', message: 'Manifest is available', ...generation },
      ];
    case 'waiting':
      return [
        applied,
        {
          type: 'Available',
          status: 'False',
          reason: 'ManifestNotAvailableYet',
          message: 'Manifest is not yet available; Fleet will check again later',
          ...generation,
        },
      ];
    case 'untrackable':
      return [
        applied,
        {
          type: 'Available',
          status: 'True',
          reason: 'NotTrackable',
          message: 'Manifest’s availability is not trackable; Fleet assumes that the applied manifest is available',
          ...generation,
        },
      ];
  }
}

function workStates(outcomes: readonly ManifestOutcome[]): Condition[] {
  const all = outcomes.length;
  const applied = outcomes.filter((outcome) => outcome.result === 'applied');
  if (applied.length < all)
    return [
      {
        type: 'Applied',
        status: 'False',
        reason: 'SomeManifestsAreNotApplied',
        message: `Failed to apply all manifests (${applied.length} of ${all} manifests are applied)`,
      },
      {
        type: 'Available',
        status: 'Unknown',
        reason: 'SomeManifestsAreNotApplied',
        message: 'Some manifests have not been applied yet',
      },
    ];
  const state: Condition = {
    type: 'Applied',
    status: 'True',
    reason: 'AllManifestsApplied',
    message: 'All the specified manifests have been applied',
  };
  const waiting = applied.filter((outcome) => outcome.availability === 'waiting').length;
  const untrackable = applied.filter((outcome) => outcome.availability === 'untrackable').length;
  if (waiting > 0)
    return [
      state,
      {
        type: 'Available',
        status: 'False',
        reason: 'SomeManifestsAreNotAvailable',
        message: `Some manifests are not available (${all - waiting} of ${all} manifests are available)`,
      },
    ];
  return [
    state,
    untrackable > 0
      ? {
          type: 'Available',
          status: 'True',
          reason: 'SomeManifestsAreNotAvailabilityTrackable',
          message: 'The availability of some manifests is not trackable',
        }
      : {
          type: 'Available',
          status: 'True',
          reason: 'AllManifestsAvailable',
          message: 'All of the manifests are available',
        },
  ];
}

function appliedResource(ordinal: number, manifest: JsonObject, address: ObjectAddress): AppliedResource {
  return { ordinal, ...identify(manifest as unknown as TypedObject), resource: plural(address.resource) };
}

function addressOf({ resource, group, namespace, name }: AppliedResource): ObjectAddress {
  return {
    resource: group === undefined || group === '' ? (resource ?? '') : `${resource ?? ''}.${group}`,
    namespace,
    name: name ?? '',
  };
}

function plural(resource: string): string {
  const dot = resource.indexOf('.');
  return dot < 0 ? resource : resource.slice(0, dot);
}

function parseObject(text: string | undefined): JsonObject {
  if (text === undefined) return {};
  const value: unknown = JSON.parse(text);
  return isJsonObject(value) ? value : {};
}
