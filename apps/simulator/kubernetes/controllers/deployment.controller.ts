import { KubernetesStatusError } from '../api/kubernetes-status.error.js';
import type { Controller, ControllerContext } from './controller.js';
import { objectKey, splitKey } from './cluster.view.js';
import type { Condition, Deployment, DeploymentStatus, ReplicaSet } from './kubernetes.types.js';
import { scaledCount, templateHash } from './pod-template.js';
import { controlledBy, controllerOf } from './pod.state.js';
import { findCondition, withCondition, withoutCondition } from './status.condition.js';
import { kubernetesTime } from '../timestamp.js';
import type { WorkQueue } from './work.loop.js';
import { WRITERS } from './writers.js';

const REVISION = 'deployment.kubernetes.io/revision';
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';
const HASH_LABEL = 'pod-template-hash';
const DEFAULT_DEADLINE_SECONDS = 600;
/** How Kubernetes says "no deadline". */
const NO_DEADLINE_SECONDS = 2 ** 31 - 1;

/** Rolls deployments out by way of replica sets, one per template. */
export class DeploymentController implements Controller {
  readonly #queue: WorkQueue;

  constructor(private readonly context: ControllerContext) {
    const { view, loop } = context;
    this.#queue = loop.queue(`${view.cluster.key} deployments`, (key) => this.#sync(key));
    view.on('deployments.apps', ({ object }) => this.#queue.add(objectKey(object.metadata)));
    view.on('replicasets.apps', ({ object }) => {
      const owner = controllerOf(object);
      if (owner?.kind === 'Deployment')
        this.#queue.add(objectKey({ namespace: object.metadata.namespace, name: owner.name }));
    });
    view.on('pods', ({ type, object }) => {
      // A Recreate deployment waits until the last old pod is gone.
      const owner = controllerOf(object);
      if (type !== 'DELETED' || owner?.kind !== 'ReplicaSet') return;
      const set = view.get('replicasets.apps', object.metadata.namespace, owner.name);
      const deployment = set === undefined ? undefined : controllerOf(set);
      if (deployment?.kind === 'Deployment')
        this.#queue.add(objectKey({ namespace: object.metadata.namespace, name: deployment.name }));
    });
    for (const { metadata } of view.list('deployments.apps')) this.#queue.add(objectKey(metadata));
  }

  close(): void {
    this.#queue.close();
  }

  #sync(key: string): void {
    const { view } = this.context;
    const { namespace, name } = splitKey(key);
    const found = view.get('deployments.apps', namespace, name);
    if (found === undefined) return;
    const sets = this.#ownSets(found);
    if (found.metadata.deletionTimestamp !== undefined) {
      this.#report(found, sets, this.#newSet(found, sets), undefined);
      return;
    }
    const deployment = this.#reportPause(found);
    if (deployment.spec.paused === true || this.#isScaling(deployment, sets)) {
      this.#scale(deployment, sets, this.#newSet(deployment, sets));
      const after = this.#ownSets(deployment);
      this.#report(deployment, after, this.#newSet(deployment, after), undefined);
      return;
    }
    const made = this.#ensureNewSet(deployment, sets);
    if (made === undefined) return;
    const old = sets.filter((set) => set.metadata.uid !== made.set.metadata.uid);
    if (deployment.spec.strategy?.type === 'Recreate') this.#recreate(deployment, made.set, old);
    else this.#roll(deployment, made.set, old);
    const after = this.#ownSets(deployment);
    const status = this.#report(deployment, after, this.#newSet(deployment, after), made.condition);
    if (isComplete(deployment, status)) this.#cleanUp(deployment, after);
  }

  /** Oldest first. */
  #ownSets(deployment: Deployment): ReplicaSet[] {
    return this.context.view
      .owned(deployment.metadata.uid, 'replicasets.apps')
      .sort((one, other) =>
        one.metadata.creationTimestamp === other.metadata.creationTimestamp
          ? revisionOf(one) - revisionOf(other)
          : one.metadata.creationTimestamp < other.metadata.creationTimestamp
            ? -1
            : 1,
      );
  }

  #newSet(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
    const hash = templateHash(deployment.spec.template);
    return sets.find((set) => set.metadata.labels?.[HASH_LABEL] === hash);
  }

  #now(): string {
    return kubernetesTime(this.context.loop.clock.now());
  }

  #reportPause(deployment: Deployment): Deployment {
    const progressing = findCondition(deployment.status?.conditions, 'Progressing');
    const pausedNow = deployment.spec.paused === true;
    if (!hasDeadline(deployment) || progressing?.reason === 'ProgressDeadlineExceeded') return deployment;
    if (pausedNow === (progressing?.reason === 'DeploymentPaused')) return deployment;
    const condition: Condition = pausedNow
      ? { type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' }
      : { type: 'Progressing', status: 'Unknown', reason: 'DeploymentResumed', message: 'Deployment is resumed' };
    const { namespace, name } = deployment.metadata;
    return (
      this.context.view.updateStatus('deployments.apps', namespace, name, WRITERS.deployment, (object) => ({
        ...object,
        status: { ...object.status, conditions: this.#withCondition(object.status?.conditions, condition) },
      })) ?? deployment
    );
  }

  #withCondition(conditions: readonly Condition[] | undefined, condition: Condition): Condition[] {
    const before = findCondition(conditions, condition.type);
    if (before?.status === condition.status && before.reason === condition.reason) return [...conditions!];
    const now = this.#now();
    return withCondition(conditions, { lastUpdateTime: now, ...condition }, now);
  }

  #isScaling(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
    return sets.some((set) => {
      const desired = set.metadata.annotations?.[DESIRED_REPLICAS];
      return (set.spec.replicas ?? 1) > 0 && desired !== undefined && Number(desired) !== replicasOf(deployment);
    });
  }

  /** A change of the count alone: one set takes it, or all share it while a rollout is under way. */
  #scale(deployment: Deployment, sets: readonly ReplicaSet[], newSet: ReplicaSet | undefined): void {
    const replicas = replicasOf(deployment);
    const active = sets.filter((set) => (set.spec.replicas ?? 1) > 0);
    const only = active.length === 1 ? active[0] : active.length === 0 ? (newSet ?? sets.at(-1)) : undefined;
    if (only !== undefined) {
      this.#scaleSet(deployment, only, replicas);
      return;
    }
    if (newSet !== undefined && (newSet.spec.replicas ?? 1) === replicas && isSaturated(newSet, replicas)) {
      for (const set of active) if (set.metadata.uid !== newSet.metadata.uid) this.#scaleSet(deployment, set, 0);
      return;
    }
    if (deployment.spec.strategy?.type === 'Recreate' || active.length === 0) return;
    const allowed = replicas > 0 ? replicas + maxSurge(deployment) : 0;
    const total = active.reduce((sum, set) => sum + (set.spec.replicas ?? 1), 0);
    let rest = allowed - total;
    // The largest takes what is left by rounding.
    const bySize = [...active].sort((one, other) => (other.spec.replicas ?? 1) - (one.spec.replicas ?? 1));
    const shares = bySize.map((set) => {
      const size = set.spec.replicas ?? 1;
      const share = Math.trunc((size * allowed) / total) - size;
      const given = allowed > total ? Math.min(Math.max(share, 0), rest) : Math.max(Math.min(share, 0), rest);
      rest -= given;
      return size + given;
    });
    shares[0] = Math.max(0, shares[0]! + rest);
    bySize.forEach((set, index) => this.#scaleSet(deployment, set, shares[index]!));
  }

  #ensureNewSet(
    deployment: Deployment,
    sets: readonly ReplicaSet[],
  ): { set: ReplicaSet; condition: Condition | undefined } | undefined {
    const { view, events } = this.context;
    const { namespace, name } = deployment.metadata;
    const existing = this.#newSet(deployment, sets);
    const oldRevision = Math.max(0, ...sets.filter((set) => set !== existing).map(revisionOf));
    if (existing !== undefined) {
      const set = this.#annotate(deployment, existing, Math.max(oldRevision + 1, revisionOf(existing)));
      this.#recordRevision(deployment, revisionOf(set));
      const condition =
        findCondition(deployment.status?.conditions, 'Progressing') === undefined
          ? progressing('True', 'FoundNewReplicaSet', `Found new replica set "${set.metadata.name}"`)
          : undefined;
      return { set, condition };
    }
    const hash = templateHash(deployment.spec.template);
    const setName = `${name}-${hash}`;
    const replicas = this.#newSetSize(deployment, undefined, sets);
    const revision = oldRevision + 1;
    const labels = { ...deployment.spec.template.metadata?.labels, [HASH_LABEL]: hash };
    const annotations: Record<string, string> = { ...copiedAnnotations(deployment), [REVISION]: String(revision) };
    annotations[DESIRED_REPLICAS] = String(replicasOf(deployment));
    annotations[MAX_REPLICAS] = String(replicasOf(deployment) + maxSurge(deployment));
    try {
      const made = view.create(
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          metadata: { name: setName, namespace, labels, annotations, ownerReferences: [controlledBy(deployment)] },
          spec: {
            replicas,
            ...(deployment.spec.minReadySeconds === undefined
              ? {}
              : { minReadySeconds: deployment.spec.minReadySeconds }),
            selector: {
              ...deployment.spec.selector,
              matchLabels: { ...deployment.spec.selector.matchLabels, [HASH_LABEL]: hash },
            },
            template: {
              ...deployment.spec.template,
              metadata: { ...deployment.spec.template.metadata, labels },
            },
          },
        },
        WRITERS.deployment,
      ) as unknown as ReplicaSet;
      this.#recordRevision(deployment, revision);
      if (replicas > 0) this.#tellScaling(deployment, setName, 0, replicas);
      return {
        set: made,
        condition: progressing('True', 'NewReplicaSetCreated', `Created new replica set "${setName}"`),
      };
    } catch (error) {
      if (!(error instanceof KubernetesStatusError)) throw error;
      const message = `Failed to create new replica set "${setName}": ${error.message}`;
      events.record(deployment, 'deployment-controller', WRITERS.deployment, {
        type: 'Warning',
        reason: 'ReplicaSetCreateError',
        message,
      });
      if (hasDeadline(deployment)) {
        view.updateStatus('deployments.apps', namespace, name, WRITERS.deployment, (object) => ({
          ...object,
          status: {
            ...object.status,
            conditions: this.#withCondition(
              object.status?.conditions,
              progressing('False', 'ReplicaSetCreateError', message),
            ),
          },
        }));
      }
      // Tried again every five minutes: whoever refuses (a hub's admission, a quota) does so for long.
      this.#queue.addAfter(objectKey(deployment.metadata), 300_000);
      return undefined;
    }
  }

  #annotate(deployment: Deployment, set: ReplicaSet, revision: number): ReplicaSet {
    const { view } = this.context;
    return (
      view.update('replicasets.apps', set.metadata.namespace, set.metadata.name, WRITERS.deployment, (object) => {
        const before = object.metadata.annotations ?? {};
        const annotations: Record<string, string> = { ...copiedAnnotations(deployment), ...before };
        if (before[REVISION] !== undefined && before[REVISION] !== String(revision)) {
          const history = before[REVISION_HISTORY];
          annotations[REVISION_HISTORY] = history === undefined ? before[REVISION] : `${history},${before[REVISION]}`;
        }
        annotations[REVISION] = String(revision);
        annotations[DESIRED_REPLICAS] = String(replicasOf(deployment));
        annotations[MAX_REPLICAS] = String(replicasOf(deployment) + maxSurge(deployment));
        const spec = { ...object.spec, minReadySeconds: deployment.spec.minReadySeconds ?? 0 };
        if (spec.minReadySeconds === 0) delete (spec as { minReadySeconds?: number }).minReadySeconds;
        return { ...object, spec, metadata: { ...object.metadata, annotations } };
      }) ?? set
    );
  }

  #recordRevision(deployment: Deployment, revision: number): void {
    const { namespace, name } = deployment.metadata;
    if (deployment.metadata.annotations?.[REVISION] === String(revision)) return;
    // With the status, as the real controller does: else the annotation would count as a change of the deployment.
    this.context.view.updateStatus('deployments.apps', namespace, name, WRITERS.deployment, (object) => ({
      ...object,
      metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [REVISION]: String(revision) } },
    }));
  }

  #newSetSize(deployment: Deployment, newSet: ReplicaSet | undefined, sets: readonly ReplicaSet[]): number {
    const replicas = replicasOf(deployment);
    if (deployment.spec.strategy?.type === 'Recreate') return this.#hasPods(sets) ? 0 : replicas;
    const current = sets.reduce((sum, set) => sum + (set.spec.replicas ?? 1), 0);
    const size = newSet?.spec.replicas ?? 0;
    const room = replicas + maxSurge(deployment) - current;
    return room <= 0 ? size : size + Math.max(0, Math.min(room, replicas - size));
  }

  #hasPods(sets: readonly ReplicaSet[]): boolean {
    return sets.some((set) =>
      this.context.view
        .owned(set.metadata.uid, 'pods')
        .some((pod) => pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed'),
    );
  }

  #recreate(deployment: Deployment, newSet: ReplicaSet, old: readonly ReplicaSet[]): void {
    let changed = false;
    for (const set of old) {
      if ((set.spec.replicas ?? 1) === 0) continue;
      this.#scaleSet(deployment, set, 0);
      changed = true;
    }
    if (!changed && !this.#hasPods(old)) this.#scaleSet(deployment, newSet, replicasOf(deployment));
  }

  #roll(deployment: Deployment, newSet: ReplicaSet, old: readonly ReplicaSet[]): void {
    const replicas = replicasOf(deployment);
    const size = newSet.spec.replicas ?? 1;
    const wanted = size > replicas ? replicas : this.#newSetSize(deployment, newSet, [newSet, ...old]);
    if (wanted !== size) {
      this.#scaleSet(deployment, newSet, wanted);
      return;
    }
    if (old.every((set) => (set.spec.replicas ?? 1) === 0)) return;
    const minimum = replicas - maxUnavailable(deployment);
    const total = [newSet, ...old].reduce((sum, set) => sum + (set.spec.replicas ?? 1), 0);
    const newUnavailable = size - (newSet.status?.availableReplicas ?? 0);
    let removable = total - minimum - newUnavailable;
    if (removable <= 0) return;
    const sizes = new Map(old.map((set) => [set, set.spec.replicas ?? 1]));
    // First those that are of no use, then as many as availability allows.
    for (const [set, count] of sizes) {
      const broken = Math.min(removable, count - (set.status?.availableReplicas ?? 0));
      if (broken <= 0) continue;
      sizes.set(set, count - broken);
      removable -= broken;
    }
    const available = [newSet, ...old].reduce((sum, set) => sum + (set.status?.availableReplicas ?? 0), 0);
    let excess = available - minimum;
    for (const [set, count] of sizes) {
      const healthy = Math.min(excess, count);
      if (healthy <= 0) continue;
      sizes.set(set, count - healthy);
      excess -= healthy;
    }
    for (const [set, count] of sizes) this.#scaleSet(deployment, set, count);
  }

  #scaleSet(deployment: Deployment, set: ReplicaSet, replicas: number): void {
    const before = set.spec.replicas ?? 1;
    const { namespace, name } = set.metadata;
    this.context.view.update('replicasets.apps', namespace, name, WRITERS.deployment, (object) => ({
      ...object,
      metadata: {
        ...object.metadata,
        annotations: {
          ...object.metadata.annotations,
          [DESIRED_REPLICAS]: String(replicasOf(deployment)),
          [MAX_REPLICAS]: String(replicasOf(deployment) + maxSurge(deployment)),
        },
      },
      spec: { ...object.spec, replicas },
    }));
    if (before !== replicas) this.#tellScaling(deployment, name, before, replicas);
  }

  #tellScaling(deployment: Deployment, set: string, from: number, to: number): void {
    const direction = to > from ? 'up' : 'down';
    this.context.events.record(deployment, 'deployment-controller', WRITERS.deployment, {
      type: 'Normal',
      reason: 'ScalingReplicaSet',
      message: `Scaled ${direction} replica set ${set} from ${from} to ${to}`,
    });
  }

  #cleanUp(deployment: Deployment, sets: readonly ReplicaSet[]): void {
    const hash = templateHash(deployment.spec.template);
    const idle = sets.filter(
      (set) =>
        set.metadata.labels?.[HASH_LABEL] !== hash &&
        set.metadata.deletionTimestamp === undefined &&
        (set.spec.replicas ?? 1) === 0 &&
        (set.status?.replicas ?? 0) === 0,
    );
    const excess = idle.length - (deployment.spec.revisionHistoryLimit ?? 10);
    const byRevision = idle.sort((one, other) => revisionOf(one) - revisionOf(other));
    for (const set of byRevision.slice(0, Math.max(0, excess)))
      this.context.view.delete('replicasets.apps', set.metadata.namespace, set.metadata.name, WRITERS.deployment);
  }

  #report(
    deployment: Deployment,
    sets: readonly ReplicaSet[],
    newSet: ReplicaSet | undefined,
    progress: Condition | undefined,
  ): DeploymentStatus {
    const { view, loop } = this.context;
    const { namespace, name } = deployment.metadata;
    const now = this.#now();
    const sum = (count: (set: ReplicaSet) => number | undefined): number =>
      sets.reduce((total, set) => total + (count(set) ?? 0), 0);
    const available = sum((set) => set.status?.availableReplicas);
    const counts: DeploymentStatus = {
      replicas: sum((set) => set.status?.replicas),
      updatedReplicas: newSet?.status?.replicas ?? 0,
      readyReplicas: sum((set) => set.status?.readyReplicas),
      availableReplicas: available,
      unavailableReplicas: Math.max(0, sum((set) => set.spec.replicas ?? 1) - available),
    };
    const generation = deployment.metadata.generation ?? 0;
    let due: number | undefined;
    const after = view.updateStatus('deployments.apps', namespace, name, WRITERS.deployment, (object) => {
      const before = object.status ?? {};
      let conditions = [...(before.conditions ?? [])];
      const enough = available >= replicasOf(deployment) - maxUnavailable(deployment);
      conditions = this.#withCondition(
        conditions,
        enough
          ? {
              type: 'Available',
              status: 'True',
              reason: 'MinimumReplicasAvailable',
              message: 'Deployment has minimum availability.',
            }
          : {
              type: 'Available',
              status: 'False',
              reason: 'MinimumReplicasUnavailable',
              message: 'Deployment does not have minimum availability.',
            },
      );
      if (progress !== undefined) conditions = this.#withCondition(conditions, progress);
      const status: DeploymentStatus = { observedGeneration: generation, ...withoutZeros(counts) };
      if (hasDeadline(deployment) && deployment.spec.paused !== true)
        ({ conditions, due } = this.#withProgress(deployment, newSet, before, { ...status, conditions }, now));
      const failure = sets.map((set) => findCondition(set.status?.conditions, 'ReplicaFailure')).find(Boolean);
      conditions =
        failure === undefined
          ? withoutCondition(conditions, 'ReplicaFailure')
          : this.#withCondition(conditions, failure);
      return { ...object, status: { ...status, conditions } };
    });
    if (due !== undefined && due > loop.clock.now().getTime()) this.#queue.addAt(objectKey(deployment.metadata), due);
    return after?.status ?? {};
  }

  /** The Progressing condition: whether the newest template gets anywhere, and until when it must. */
  #withProgress(
    deployment: Deployment,
    newSet: ReplicaSet | undefined,
    before: DeploymentStatus,
    status: DeploymentStatus,
    now: string,
  ): { conditions: Condition[]; due: number | undefined } {
    const conditions = status.conditions ?? [];
    const current = findCondition(conditions, 'Progressing');
    const settled =
      (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && current?.reason === 'NewReplicaSetAvailable';
    if (settled || (current?.reason === 'ReplicaSetCreateError' && newSet === undefined))
      return { conditions, due: undefined };
    const subject =
      newSet === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${newSet.metadata.name}"`;
    const deadline = (deployment.spec.progressDeadlineSeconds ?? DEFAULT_DEADLINE_SECONDS) * 1000;
    if (isComplete(deployment, status)) {
      const condition = progressing('True', 'NewReplicaSetAvailable', `${subject} has successfully progressed.`);
      return { conditions: this.#withCondition(conditions, condition), due: undefined };
    }
    if (hasProgressed(before, status)) {
      const condition = progressing('True', 'ReplicaSetUpdated', `${subject} is progressing.`);
      const next = withCondition(conditions, { ...condition, lastUpdateTime: now }, now);
      return { conditions: next, due: Date.parse(now) + deadline };
    }
    if (current === undefined || current.reason === 'ProgressDeadlineExceeded') return { conditions, due: undefined };
    const due = Date.parse(current.lastUpdateTime ?? current.lastTransitionTime ?? now) + deadline;
    if (due > this.context.loop.clock.now().getTime()) return { conditions, due };
    const condition = progressing('False', 'ProgressDeadlineExceeded', `${subject} has timed out progressing.`);
    return { conditions: this.#withCondition(conditions, condition), due: undefined };
  }
}

function progressing(status: 'True' | 'False', reason: string, message: string): Condition {
  return { type: 'Progressing', status, reason, message };
}

function replicasOf(deployment: Deployment): number {
  return deployment.spec.replicas ?? 1;
}

function maxSurge(deployment: Deployment): number {
  if (deployment.spec.strategy?.type === 'Recreate') return 0;
  return scaledCount(deployment.spec.strategy?.rollingUpdate?.maxSurge ?? '25%', replicasOf(deployment), 'up');
}

function maxUnavailable(deployment: Deployment): number {
  if (deployment.spec.strategy?.type === 'Recreate' || replicasOf(deployment) === 0) return 0;
  const asked = deployment.spec.strategy?.rollingUpdate?.maxUnavailable ?? '25%';
  const count = scaledCount(asked, replicasOf(deployment), 'down');
  // Both zero would stop every rollout.
  return Math.min(replicasOf(deployment), count === 0 && maxSurge(deployment) === 0 ? 1 : count);
}

function hasDeadline(deployment: Deployment): boolean {
  return deployment.spec.progressDeadlineSeconds !== NO_DEADLINE_SECONDS;
}

function revisionOf(set: ReplicaSet): number {
  return Number(set.metadata.annotations?.[REVISION] ?? 0);
}

function isSaturated(set: ReplicaSet, replicas: number): boolean {
  return (
    set.metadata.annotations?.[DESIRED_REPLICAS] === String(replicas) && set.status?.availableReplicas === replicas
  );
}

function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const replicas = replicasOf(deployment);
  return (
    (status.updatedReplicas ?? 0) === replicas &&
    (status.replicas ?? 0) === replicas &&
    (status.availableReplicas ?? 0) === replicas &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function hasProgressed(before: DeploymentStatus, after: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus): number => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

/** What a replica set takes over: all but kubectl's bookkeeping and the controller's own. */
function copiedAnnotations(deployment: Deployment): Record<string, string> {
  const own = new Set([
    'kubectl.kubernetes.io/last-applied-configuration',
    'deprecated.deployment.rollback.to',
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
  ]);
  return Object.fromEntries(Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !own.has(key)));
}

/** Kubernetes leaves counts of zero out. */
function withoutZeros(counts: DeploymentStatus): DeploymentStatus {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}
