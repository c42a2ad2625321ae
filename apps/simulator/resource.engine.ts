import { randomUUID } from 'node:crypto';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmErrorBody } from './arm-error.js';
import { isGroup } from './azure.state.js';
import type { AzureState } from './azure.state.js';
import { mergePatch, objectAt, textAt } from './json-merge.js';
import { withValueAt, withoutPath } from './json-path.js';
import type { LongRunningOperation } from './long-running-operation.store.js';
import type { StoredResource } from './resource.store.js';
import type {
  PlannedGroup,
  Preemption,
  ResourceProcess,
  ResourceTypeDescriptor,
  WritePlan,
} from './resource-type.descriptor.js';

export interface BeginRequest {
  plan: WritePlan;
  /** `create`, `update`, `delete`, or the name of a POST action. */
  action: string;
  /** Who asks: goes into systemData. */
  actor: string;
  /** How long it takes; the setting unless said otherwise. */
  seconds?: number;
  result?: 'resource' | 'nothing';
  retryAfterSeconds?: number;
  /** When it began and under which id; now and a new one unless said otherwise. */
  began?: { at: number; operationId: string };
}

/**
 * Begins and ends changes. Nothing runs in the background: an operation that is due is finished when somebody next
 * looks (`advance`), with the time at which it was due.
 */
export class ResourceEngine {
  readonly #processes: readonly ResourceTypeDescriptor[];
  /** Up to when the resources that go on by themselves have been played. */
  #playedUntil: number | undefined;

  constructor(private readonly state: AzureState) {
    this.#processes = [...state.registry.all()].filter((descriptor) => descriptor.process !== undefined);
  }

  /** Plays what has happened since the last look, in order. Called before every look at the state. */
  advance(): void {
    const { operations, now } = this.state;
    let at = Math.min(this.#playedUntil ?? now, now);
    for (;;) {
      const next = Math.min(operations.nextDueAt, this.#nextWake(at));
      if (next > now) break;
      at = Math.max(at, next);
      this.#settleDue(at);
      this.#stepProcesses(at);
    }
    this.#stepProcesses(now);
    this.#playedUntil = now;
  }

  #settleDue(at: number): void {
    const { operations, now, settings } = this.state;
    const due = operations.due(at);
    for (const operation of due) {
      // An earlier one of the list may have ended it.
      const current = operations.get(operation.id);
      if (current?.state.status === 'InProgress') this.#settle(current);
    }
    if (due.length > 0) operations.prune(now - settings.pollUrlLifetimeSeconds * 1000);
  }

  *#liveProcesses(): Generator<{ resource: StoredResource; process: ResourceProcess }, void> {
    const { resources } = this.state;
    for (const { type, process } of this.#processes) {
      if (process === undefined) continue;
      for (const resource of resources.records(resources.ofType(type.toLowerCase()).all())) {
        if (process.isLive(resource.body)) yield { resource, process };
      }
    }
  }

  #nextWake(after: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { resource, process } of this.#liveProcesses()) {
      next = Math.min(next, process.wakesAt(resource, after, this.state.world) ?? next);
    }
    return next;
  }

  #stepProcesses(at: number): void {
    const { operations, world } = this.state;
    for (const { resource, process } of this.#liveProcesses()) {
      const step = process.step(resource, { at, world, operation: (id) => operations.get(id) });
      if (step.body !== undefined) this.#replace(resource, step.body, at);
      for (const { id, plan } of step.begins) {
        this.begin({ plan, action: 'update', actor: process.actor, began: { at, operationId: id } });
      }
    }
  }

  /** Carries out a plan: writes what shows at once, and starts the operation that finishes the rest. */
  begin(request: BeginRequest): LongRunningOperation {
    const { plan, actor } = request;
    const now = request.began?.at ?? this.state.now;
    const target = plan.writes[0];
    const rootKey = rootOf(target.id);
    const operationId = request.began?.operationId ?? randomUUID();
    if (plan.preempts !== undefined) this.#preempt(rootKey, plan.preempts, now);
    for (const group of plan.groups ?? []) this.makeGroup(target.id, group, actor, now);

    const settles: string[] = [];
    for (const { id, body, state } of plan.untouched === true ? [] : plan.writes) {
      // An error of the past goes when something new is tried.
      const clean = withoutPath(body, 'properties.status.provisioningError');
      this.write(id, withState(clean, state, this.#records(id) ? operationId : undefined), actor, now);
      settles.push(id.canonical);
    }
    for (const { id, state } of plan.removes ?? []) {
      const record = this.state.resources.get(id.canonical);
      if (record === undefined) continue;
      this.#replace(record, withState(record.body, state, this.#records(id) ? operationId : undefined), now);
      if (!settles.includes(record.key)) settles.push(record.key);
    }

    const descriptor = this.state.registry.find(target.id.type);
    const stored = this.state.resources.get(target.id.canonical);
    return this.start({
      id: operationId,
      at: now,
      target: target.id,
      rootKey,
      runningState: target.state,
      location: textAt(stored?.body, 'location') ?? this.#locationOf(target.id),
      action: request.action,
      seconds: request.seconds ?? this.state.settings.lroSeconds,
      settles,
      finalState: plan.finalState ?? 'Succeeded',
      removes: (plan.removes ?? []).map(({ id }) => id.canonical),
      merges: (plan.merges ?? []).map(({ id, patch }) => ({ key: id.canonical, patch })),
      result: request.result ?? 'nothing',
      retryAfterSeconds: request.retryAfterSeconds,
      runningNotice: descriptor?.runningNotice,
      fails: plan.fails,
      output: plan.output,
    });
  }

  /** Carries out a plan at once, without an operation. */
  writeNow(plan: WritePlan, actor: string): void {
    const now = this.state.now;
    const removed = new Set((plan.removes ?? []).map(({ id }) => id.canonical));
    for (const { id, body } of plan.writes) {
      if (!removed.has(id.canonical)) this.write(id, body, actor, now);
    }
    this.remove([...removed], now);
  }

  /** Puts an operation on record. */
  start(operation: {
    id?: string;
    /** Milliseconds since the epoch; now unless said otherwise. */
    at?: number;
    target: ArmId;
    rootKey: string;
    runningState: string;
    location: string;
    action: string;
    seconds: number;
    settles: readonly string[];
    finalState: string;
    removes: readonly string[];
    merges: readonly { key: string; patch: JsonObject }[];
    result: 'resource' | 'nothing';
    retryAfterSeconds: number | undefined;
    runningNotice: ArmErrorBody | undefined;
    fails?: ArmErrorBody | undefined;
    output?: JsonObject | undefined;
  }): LongRunningOperation {
    const { id, at, target, seconds, fails, ...rest } = operation;
    const now = at ?? this.state.now;
    const described = { targetKey: target.canonical, targetType: target.canonicalType, action: operation.action };
    const namespace = target.parts.at(-1)?.namespace ?? 'Microsoft.Resources';
    const started: LongRunningOperation = {
      ...rest,
      ...described,
      id: id ?? randomUUID(),
      subscriptionId: target.subscriptionId ?? '',
      namespace: this.state.registry.namespace(namespace) ?? namespace,
      targetName: target.name,
      startedAt: now,
      dueAt: now + seconds * 1000,
      state: { status: 'InProgress' },
      plannedError: fails ?? this.state.plannedFailures.take(described),
    };
    this.state.operations.add(started);
    return started;
  }

  /** Stores a body under an id, with who and when. Also used for changes behind everyone's back. */
  write(id: ArmId, body: JsonObject, actor: string, at: number): StoredResource {
    const { resources } = this.state;
    const existing = resources.get(id.canonical);
    const time = new Date(at).toISOString();
    const record = resources.put(
      {
        key: id.canonical,
        id: existing?.id ?? this.#displayId(id),
        type: id.canonicalType,
        name: existing?.name ?? id.name,
        subscriptionId: id.subscriptionId ?? '',
        resourceGroup: id.resourceGroup,
        parentKey: parentKeyOf(id),
        body,
        createdAt: existing?.createdAt ?? time,
        createdBy: existing?.createdBy ?? actor,
        modifiedAt: time,
        modifiedBy: actor,
      },
      at,
    );
    this.#touchWhereShown(record, at);
    return record;
  }

  /** What a resource tells about itself: its properties change, and nobody has modified it. */
  amend(key: string, properties: JsonObject, at: number): void {
    const record = this.state.resources.get(key);
    if (record !== undefined) this.#replace(record, mergePatch(record.body, { properties }), at);
  }

  /** Removes resources and groups with all that depends on them. */
  remove(keys: readonly string[], at: number, except?: LongRunningOperation): void {
    const closure = new Set<string>();
    for (const key of keys) this.#collect(key, closure);
    for (const key of closure) {
      const record = this.state.resources.get(key);
      if (record === undefined) continue;
      this.#cancelRunning(key, at, except);
      this.state.resources.delete(key, at);
      this.#touchWhereShown(record, at);
    }
  }

  #settle(operation: LongRunningOperation): void {
    const at = operation.dueAt;
    if (operation.plannedError === undefined) {
      for (const { key, patch } of operation.merges) {
        const record = this.state.resources.get(key);
        if (record !== undefined) this.#replace(record, mergePatch(record.body, patch), at);
      }
      this.remove(operation.removes, at, operation);
      for (const key of operation.settles) this.#settleResource(key, operation.finalState, at);
      this.state.operations.end(operation, { status: 'Succeeded', endedAt: at });
      return;
    }
    const error = operation.plannedError;
    for (const key of operation.settles) this.#failResource(key, operation, error, at);
    this.state.operations.end(operation, { status: 'Failed', endedAt: at, error });
  }

  #settleResource(key: string, finalState: string, at: number): void {
    const record = this.state.resources.get(key);
    if (record !== undefined) this.#replace(record, withState(record.body, finalState), at);
  }

  #failResource(key: string, operation: LongRunningOperation, error: ArmErrorBody, at: number): void {
    const record = this.state.resources.get(key);
    if (record === undefined) return;
    const descriptor = this.state.registry.find(record.type);
    let body = withState(record.body, isGroup(record) ? 'Succeeded' : 'Failed');
    if (descriptor?.recordsLastOperation === true && key === operation.targetKey) {
      body = withValueAt(body, 'properties.status.lastOperationError', errorJson(error));
    }
    if (descriptor?.failed !== undefined) {
      body = { ...body, properties: descriptor.failed(objectAt(body, 'properties'), error) };
    }
    this.#replace(record, body, at);
  }

  /** A change of the body alone: who modified it last stays. */
  #replace(record: StoredResource, body: JsonObject, at: number): void {
    const replaced = this.state.resources.put({ ...record, body }, at);
    this.#touchWhereShown(replaced, at);
  }

  /** What shows this resource has changed with it: a new eTag, a new row in Resource Graph. */
  #touchWhereShown(record: StoredResource, at: number): void {
    const descriptor = this.state.registry.find(record.type);
    const parent = descriptor?.shownInParent === true && record.parentKey !== undefined ? [record.parentKey] : [];
    for (const key of [...parent, ...(descriptor?.shownElsewhere?.(record.body) ?? [])]) {
      const shower = this.state.resources.get(key);
      if (shower !== undefined) this.state.resources.put(shower, at);
    }
  }

  #collect(key: string, closure: Set<string>): void {
    if (closure.has(key)) return;
    const { resources, registry, world } = this.state;
    const record = resources.get(key);
    if (record === undefined) return;
    if (isGroup(record)) {
      for (const member of resources.inGroup(record.subscriptionId, record.name).all()) this.#collect(member, closure);
    } else {
      for (const child of resources.childrenOfAnyType(key).all()) this.#collect(child, closure);
      for (const id of registry.find(record.type)?.dependents?.(record, world) ?? []) {
        if (this.#belongs(id, record)) this.#collect(id.canonical, closure);
      }
    }
    closure.add(key);
  }

  /** A group of that name which Azure did not make for the resource is somebody's own, and stays. */
  #belongs(dependent: ArmId, owner: StoredResource): boolean {
    const record = this.state.resources.get(dependent.canonical);
    if (record === undefined || !isGroup(record)) return true;
    return textAt(record.body, 'managedBy')?.toLowerCase() === owner.key;
  }

  #cancelRunning(key: string, at: number, except: LongRunningOperation | undefined): void {
    for (const running of this.state.operations.running(rootOf(ArmId.parse(key)))) {
      if (running.id === except?.id || running.targetKey !== key) continue;
      const error = { code: 'ResourceDeleted', message: `The resource ${running.targetName} was deleted.` };
      this.state.operations.end(running, { status: 'Canceled', endedAt: at, error });
    }
  }

  #preempt(rootKey: string, { error, status = 'Canceled' }: Preemption, at: number): void {
    for (const running of this.state.operations.running(rootKey)) {
      this.state.operations.end(running, { status, endedAt: at, error });
      // What the ended operation had in hand and nobody takes over must not stay "running" for ever.
      for (const key of running.settles) this.#settleResource(key, 'Canceled', at);
    }
  }

  /** A resource group that Azure makes for a resource; one that is there already stays as it is. */
  makeGroup(target: ArmId, group: PlannedGroup, actor: string, at: number): void {
    const subscriptionId = target.subscriptionId ?? '';
    const id = ArmId.resourceGroup(subscriptionId, group.name);
    if (this.state.resources.get(id.canonical) !== undefined) return;
    const body: JsonObject = {
      location: group.location,
      managedBy: group.managedBy,
      properties: { provisioningState: 'Succeeded' },
      ...(group.denyAssignment === undefined ? {} : { denyAssignment: group.denyAssignment }),
    };
    this.writeScope(id, body, actor, at);
  }

  /** Stores a subscription or a resource group. */
  writeScope(id: ArmId, body: JsonObject, actor: string, at: number): StoredResource {
    const existing = this.state.resources.get(id.canonical);
    const time = new Date(at).toISOString();
    return this.state.resources.put(
      {
        key: id.canonical,
        id: existing?.id ?? id.toString(),
        type: id.canonicalType,
        name: existing?.name ?? id.name,
        subscriptionId: existing?.subscriptionId ?? id.subscriptionId ?? '',
        resourceGroup: undefined,
        parentKey: undefined,
        body,
        createdAt: existing?.createdAt ?? time,
        createdBy: existing?.createdBy ?? actor,
        modifiedAt: time,
        modifiedBy: actor,
      },
      at,
    );
  }

  /** In Azure's casing, with the group's and the parents' own names. */
  #displayId(id: ArmId): string {
    const { registry, resources } = this.state;
    const descriptor = registry.get(id.type);
    const parentKey = parentKeyOf(id);
    const parent = parentKey === undefined ? undefined : resources.get(parentKey);
    const lastType = descriptor.type.split('/').at(-1)!;
    if (parent !== undefined && id.parts.at(-1)?.segments.length !== 1) return `${parent.id}/${lastType}/${id.name}`;
    const namespace = descriptor.type.split('/')[0]!;
    if (parent !== undefined) return `${parent.id}/providers/${namespace}/${lastType}/${id.name}`;
    const subscription = `/subscriptions/${id.subscriptionId ?? ''}`;
    const tail = `/providers/${namespace}/${lastType}/${id.name}`;
    if (id.resourceGroup === undefined) return `${subscription}${tail}`;
    const groupSegment = descriptor.lowerCaseGroupSegment === true ? 'resourcegroups' : 'resourceGroups';
    const groupName = this.state.group(id.subscriptionId ?? '', id.resourceGroup)?.name ?? id.resourceGroup;
    return `${subscription}/${groupSegment}/${groupName}${tail}`;
  }

  /** The location of the nearest ancestor that has one: children have none of their own. */
  #locationOf(id: ArmId): string {
    for (let above = id.parent; above !== undefined; above = above.parent) {
      const location = textAt(this.state.resources.get(above.canonical)?.body, 'location');
      if (location !== undefined) return location;
    }
    return 'global';
  }

  #records(id: ArmId): boolean {
    return this.state.registry.find(id.type)?.recordsLastOperation === true;
  }
}

/** The key of the top-level resource that an id belongs to. */
export function rootOf(id: ArmId): string {
  let root = id;
  while (root.parts.length > 1 || (root.parts[0]?.segments.length ?? 0) > 1) {
    const above: ArmId | undefined = root.parent;
    if (above === undefined) break;
    root = above;
  }
  return root.canonical;
}

/** The key of the parent resource or of the extended resource; undefined for a resource that stands in a scope. */
export function parentKeyOf(id: ArmId): string | undefined {
  const parent = id.parent;
  return parent === undefined || parent.parts.length === 0 ? undefined : parent.canonical;
}

/**
 * With the state and, for types that record it, the id of the operation that put it there: it
 * takes the place of the one before, and of its error.
 */
function withState(body: JsonObject, state: string, operationId?: string): JsonObject {
  const stated = withValueAt(body, 'properties.provisioningState', state);
  if (operationId === undefined) return stated;
  const clean = withoutPath(stated, 'properties.status.lastOperationError');
  return withValueAt(clean, 'properties.status.lastOperationId', operationId);
}

export function errorJson(error: ArmErrorBody): JsonObject {
  return {
    code: error.code,
    message: error.message,
    ...(error.target === undefined ? {} : { target: error.target }),
    ...(error.details === undefined ? {} : { details: error.details.map(errorJson) }),
  };
}
