import { randomUUID } from 'node:crypto';
import { canonicalHash } from '#libs/kernel/canonical-json.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { decodeCursor, DEFAULT_PAGE_SIZE, encodeCursor, MAXIMUM_PAGE_SIZE, pageOf } from '#libs/kernel/page.js';
import { isUuid } from '#libs/kernel/resource-uid.js';
import type { Database } from '#libs/database/database.js';
import type { Transaction } from '#libs/database/sql.js';
import type { Caller } from '#libs/access/caller.js';
import { authorise } from '#libs/access/permission.js';
import type { AuditEntry } from '#libs/audit/audit.event.js';
import type { AuditRepository } from '#libs/audit/audit.repository.js';
import type { JobQueueRepository } from '#libs/operations/job-queue.repository.js';
import type { OperationSetRecord } from '#libs/operations/operation-set.record.js';
import {
  hasSetEnded,
  type OperationSetItemStatus,
  type OperationSetStatus,
} from '#libs/operations/operation-set.status.js';
import type { OperationSetRepository } from '#libs/operations/operation-set.repository.js';
import type { OperationAcceptor } from '#libs/operations/operation.acceptor.js';
import type { OperationDefinition } from '#libs/systems/contract/operation-definition.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { listPosition } from './list-position.js';
import { auditEntryOfSet } from './operation-set.audit.js';
import type {
  OperationSetEventView,
  OperationSetItemPageView,
  OperationSetPageView,
  OperationSetView,
} from './operation-set.view.js';
import type { OperationApprovals } from './operation.approvals.js';
import type { OperationControl } from './operation.control.js';
import type { OperationWatcher } from './operation.watcher.js';
import type { ReferenceResolver } from './reference.resolver.js';
import type { ResourceControl, ResourceListRequest } from './resource.control.js';

/** More targets in one request are refused: somebody has forgotten a filter. */
const MOST_TARGETS = 5_000;
const EVENTS_AT_ONCE = 100;

export type OperationSetSelection = Pick<
  ResourceListRequest,
  'location' | 'subscription' | 'resourceGroup' | 'cluster' | 'namespace' | 'health' | 'name' | 'q' | 'tags'
> & { kind?: string };

export interface OperationSetRequest {
  type: string;
  /** Without the field that names the target. */
  input: JsonObject;
  /** The field that names the target; needed only where the type has several. */
  field?: string;
  /** Uids or ids; or else a filter. */
  targets?: readonly string[];
  filter?: OperationSetSelection;
  maxConcurrency: number;
  failureThreshold: number | null;
  skipRefused: boolean;
  /** `tag:<name>`, `group`, `location` or `resourceGroup`. */
  waves?: { by: string; order?: readonly string[] };
  dryRun: boolean;
  idempotencyKey: string | undefined;
  correlationId: string;
}

export interface OperationSetQuery {
  status?: OperationSetStatus[];
  type?: string;
  limit?: number;
  cursor?: string;
}

interface ChosenTarget {
  target: ResourceTarget;
  waveValue: string | null;
}

/** One operation type for many targets: starting, following, pausing, stopping and repeating it. */
export class OperationSetControl {
  constructor(
    private readonly database: Database,
    private readonly registry: SystemRegistry,
    private readonly acceptor: OperationAcceptor,
    private readonly sets: OperationSetRepository,
    private readonly jobs: JobQueueRepository,
    private readonly audit: AuditRepository,
    private readonly references: ReferenceResolver,
    private readonly resources: ResourceControl,
    private readonly operations: OperationControl,
    private readonly watcher: OperationWatcher,
    private readonly approvals: OperationApprovals,
  ) {}

  /**
   * Chooses the targets now and for good; the input is checked with each of them before anything is begun.
   * @throws ControlError UNKNOWN_OPERATION_TYPE, FORBIDDEN, INVALID_REQUEST, INVALID_IDEMPOTENCY_KEY, IDEMPOTENCY_KEY_REUSED.
   */
  async accept(caller: Caller, request: OperationSetRequest): Promise<{ set: OperationSetView; replayed: boolean }> {
    const definition = this.registry.operation(request.type);
    await this.#authorise(caller, definition.type, request.correlationId);
    const { idempotencyKey, correlationId, ...asked } = request;
    const hash = canonicalHash(asked);
    const replay = await this.#findReplay(caller, idempotencyKey, hash);
    if (replay !== undefined) return { set: operationSetView(replay), replayed: true };
    const field = fieldOf(definition, request);
    const chosen = inWaves(await this.#chosen(caller, definition, field, request), request.waves?.order ?? []);
    for (const { target } of chosen) {
      this.acceptor.prepare({
        definition,
        input: { ...request.input, [field]: target.id },
        dryRun: request.dryRun,
        idempotencyKey,
        principalId: caller.principalId,
        requestedBy: caller.name,
        correlationId,
      });
    }
    return this.database.transaction(async (transaction) => {
      const id = randomUUID();
      const inserted = await this.sets.insert(transaction, {
        id,
        type: definition.type,
        dryRun: request.dryRun,
        input: request.input,
        targetField: field,
        selection: selectionOf(request),
        maximumConcurrency: request.maxConcurrency,
        failureThreshold: request.failureThreshold,
        skipRefused: request.skipRefused,
        waveBy: request.waves?.by ?? null,
        waveOrder: request.waves?.order ?? [],
        message: null,
        principalId: caller.principalId,
        requestedBy: caller.name,
        correlationId,
        idempotencyKey: idempotencyKey ?? null,
        idempotencyHash: idempotencyKey === undefined ? null : hash,
        items: chosen,
      });
      if (!inserted) {
        const winner = await this.#findReplay(caller, idempotencyKey, hash, transaction);
        if (winner !== undefined) return { set: operationSetView(winner), replayed: true };
        throw new ControlError('CONFLICT', 'The same request was made at the same moment.', {
          retry: { kind: 'backoff' },
        });
      }
      await this.jobs.scheduleSet(transaction, id);
      const set = await this.#held(transaction, id);
      await this.#record(transaction, caller, set, 'accepted', correlationId);
      return { set: operationSetView(set), replayed: false };
    });
  }

  /** @throws ControlError OPERATION_SET_NOT_FOUND */
  async get(caller: Caller, id: string): Promise<OperationSetView> {
    authorise(caller, 'read', 'read operation sets');
    return operationSetView(await this.#find(id));
  }

  /** Newest first. */
  async list(caller: Caller, query: OperationSetQuery): Promise<OperationSetPageView> {
    authorise(caller, 'read', 'read operation sets');
    const limit = Math.min(query.limit ?? DEFAULT_PAGE_SIZE, MAXIMUM_PAGE_SIZE);
    const filter = {
      ...(query.status === undefined || query.status.length === 0 ? {} : { statuses: query.status }),
      ...(query.type === undefined ? {} : { type: this.registry.operation(query.type).type }),
    };
    const rows = await this.sets.findPage(filter, listPosition('operation-sets', query.cursor), limit + 1);
    const page = pageOf(rows, limit, ({ position }) =>
      encodeCursor('operation-sets', [position.createdAt, position.id]),
    );
    return { items: page.items.map(({ set }) => operationSetView(set)), nextCursor: page.nextCursor };
  }

  /** In the order in which they are begun. @throws ControlError OPERATION_SET_NOT_FOUND, INVALID_CURSOR */
  async items(
    caller: Caller,
    id: string,
    query: { status?: OperationSetItemStatus[]; limit?: number; cursor?: string },
  ): Promise<OperationSetItemPageView> {
    authorise(caller, 'read', 'read operation sets');
    const set = await this.#find(id);
    const limit = Math.min(query.limit ?? DEFAULT_PAGE_SIZE, MAXIMUM_PAGE_SIZE);
    const [after] = query.cursor === undefined ? [-1] : decodeCursor(`set-items:${set.id}`, 1, query.cursor);
    if (typeof after !== 'number' || !Number.isSafeInteger(after)) {
      throw new ControlError('INVALID_CURSOR', 'The cursor was not issued by this list.');
    }
    const statuses = query.status === undefined || query.status.length === 0 ? null : query.status;
    const rows = await this.sets.findItems(set.id, statuses, after, limit + 1);
    const page = pageOf(rows, limit, ({ position }) => encodeCursor(`set-items:${set.id}`, [position]));
    return {
      items: page.items.map((item) => ({
        position: item.position,
        target: item.target,
        wave: item.waveValue,
        status: item.status,
        attempts: item.attempts,
        operation: item.operationId,
        error: item.problem,
      })),
      nextCursor: page.nextCursor,
    };
  }

  /** Begins nothing more until it is resumed; what runs goes on. @throws ControlError OPERATION_SET_ENDED */
  pause(caller: Caller, id: string, correlationId: string): Promise<OperationSetView> {
    return this.#change(caller, id, 'paused', correlationId, async (transaction, set) => {
      if (set.status === 'Paused') return false;
      requireStatus(set, ['Running']);
      await this.sets.setOpen(transaction, set.id, 'Paused', 'It is paused; what runs goes on.');
      return true;
    });
  }

  /** @throws ControlError OPERATION_SET_ENDED */
  resume(caller: Caller, id: string, correlationId: string): Promise<OperationSetView> {
    return this.#change(caller, id, 'resumed', correlationId, async (transaction, set) => {
      if (set.status === 'Running') return false;
      requireStatus(set, ['Paused']);
      await this.sets.setOpen(transaction, set.id, 'Running', null);
      return true;
    });
  }

  /** Begins nothing more, for good; with `cancelRunning` what runs is asked to stop as well. */
  async stop(
    caller: Caller,
    id: string,
    options: { cancelRunning: boolean },
    correlationId: string,
  ): Promise<OperationSetView> {
    const stopped = await this.#change(caller, id, 'stopped', correlationId, async (transaction, set) => {
      if (set.status === 'Stopping' || set.status === 'Stopped') return false;
      requireStatus(set, ['Running', 'Paused']);
      await this.sets.setOpen(transaction, set.id, 'Stopping', `It was stopped by ${caller.name}.`);
      await this.sets.cancelWaiting(transaction, set.id);
      return true;
    });
    if (options.cancelRunning) {
      for (const operationId of await this.sets.findRunningOperations(stopped.id)) {
        await this.#cancelOperation(caller, operationId, correlationId);
      }
    }
    return stopped;
  }

  /**
   * Consents to all operations of the set that need somebody's consent: to those that wait, and to those that are still to
   * be begun.
   * @throws ControlError OPERATION_SET_NOT_FOUND, OWN_OPERATION, OPERATION_SET_ENDED
   */
  async approve(caller: Caller, id: string, reason: string | null, correlationId: string): Promise<OperationSetView> {
    const { principalId } = await this.#find(id);
    if (principalId === caller.principalId) {
      throw new ControlError('OWN_OPERATION', 'Somebody else has to consent to a set that you asked for.');
    }
    return this.#change(caller, id, 'approved', correlationId, async (transaction, set) => {
      if (set.consent !== null) return false;
      requireStatus(set, ['Running', 'Paused']);
      const consent = { decidedBy: caller.name, decidedById: caller.principalId, reason };
      await this.sets.consent(transaction, set.id, consent);
      await this.approvals.approveSet(transaction, caller, set.id, reason, correlationId);
      return true;
    });
  }

  /** What has failed (or as named) is tried once more, with the same input and the same targets. */
  retry(
    caller: Caller,
    id: string,
    options: { statuses: readonly OperationSetItemStatus[] },
    correlationId: string,
  ): Promise<OperationSetView> {
    return this.#change(caller, id, 'retried', correlationId, async (transaction, set) => {
      if (set.status === 'Stopping') {
        throw new ControlError('CONFLICT', 'The set is being stopped; it can be repeated when it has stopped.', {
          retry: { kind: 'backoff' },
        });
      }
      const count = await this.sets.resetItems(transaction, set.id, options.statuses);
      if (count === 0) return false;
      if (set.status !== 'Paused') {
        await this.sets.setOpen(transaction, set.id, 'Running', `${count} are tried again.`);
      }
      return true;
    });
  }

  /**
   * The transitions of one set: first those after the given one, then each as it comes, to the end.
   * @throws ControlError OPERATION_SET_NOT_FOUND, INVALID_CURSOR
   */
  async *events(
    caller: Caller,
    id: string,
    after: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<OperationSetEventView, void, void> {
    authorise(caller, 'read', 'read operation sets');
    await this.#find(id);
    let sequence = after === undefined ? 0 : Number(/^\d{1,9}$/.exec(after)?.[0] ?? Number.NaN);
    if (Number.isNaN(sequence)) {
      throw new ControlError('INVALID_CURSOR', 'The last event id was not issued by this stream.');
    }
    const wake = this.watcher.subscribe((setId) => setId === id.toLowerCase(), signal);
    try {
      for (;;) {
        const events = await this.sets.findEvents(id, sequence, EVENTS_AT_ONCE);
        for (const event of events) {
          sequence = event.sequence;
          yield { id: String(event.sequence), at: event.at.toISOString(), set: operationSetView(event.set) };
        }
        if (events.length === EVENTS_AT_ONCE) continue;
        // Looked at after the events: an end that came in between has an event of its own, which the next look finds.
        if (hasSetEnded((await this.#find(id)).status) && (await this.sets.findEvents(id, sequence, 1)).length === 0) {
          return;
        }
        if (!(await wake.next())) return;
      }
    } finally {
      wake.close();
    }
  }

  async #chosen(
    caller: Caller,
    definition: OperationDefinition,
    field: string,
    request: OperationSetRequest,
  ): Promise<ChosenTarget[]> {
    const kinds = definition.references[field] ?? [];
    const chosen =
      request.targets === undefined
        ? await this.#filtered(caller, kinds, request.filter ?? {}, request.waves?.by)
        : await this.#named(caller, kinds, request.targets, request.waves?.by);
    if (chosen.length === 0) {
      throw new ControlError('INVALID_REQUEST', 'The selection names nothing.', {
        violations: [{ path: request.targets === undefined ? 'filter' : 'targets', message: 'No target fits.' }],
      });
    }
    const byUid = new Map(chosen.map((each) => [each.target.uid, each]));
    return [...byUid.values()];
  }

  async #named(
    caller: Caller,
    kinds: readonly string[],
    names: readonly string[],
    waveBy: string | undefined,
  ): Promise<ChosenTarget[]> {
    const targets = await Promise.all(
      names.map(async (name, index) => {
        try {
          return await this.references.resolve(name, kinds);
        } catch (error) {
          if (!(error instanceof ControlError) || error.retryable) throw error;
          throw new ControlError('INVALID_REQUEST', 'A target is not there, or of another kind.', {
            violations: [{ path: `targets[${index}]`, message: error.message }],
          });
        }
      }),
    );
    if (waveBy === undefined) return targets.map((target) => ({ target, waveValue: null }));
    const known = await this.resources.findMany(
      caller,
      targets.map(({ uid }) => uid),
    );
    return targets.map((target) => {
      const view = known.get(target.uid);
      return { target, waveValue: view === undefined ? null : waveValueOf(view, waveBy) };
    });
  }

  async #filtered(
    caller: Caller,
    kinds: readonly string[],
    { kind, ...filter }: OperationSetSelection,
    waveBy: string | undefined,
  ): Promise<ChosenTarget[]> {
    if (kind !== undefined && !kinds.includes(kind)) {
      throw new ControlError('INVALID_REQUEST', `The operation takes: ${kinds.join(' or ')}.`, {
        violations: [{ path: 'filter.kind', message: `must be one of ${kinds.join(', ')}` }],
      });
    }
    const chosen: ChosenTarget[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.resources.list(caller, {
        ...filter,
        kinds: kind === undefined ? [...kinds] : [kind],
        sort: 'name',
        limit: MAXIMUM_PAGE_SIZE,
        view: 'raw',
        ...(cursor === undefined ? {} : { cursor }),
      });
      if (page.partial) {
        throw new ControlError('UNAVAILABLE', 'Not everything that the filter is about can be seen at the moment.', {
          remedy: 'Name the targets, or try again when the parts that are named unavailable can be read.',
          retry: { kind: 'backoff' },
        });
      }
      for (const view of page.items) {
        const target = { uid: view.uid, id: view.id, kind: view.kind };
        chosen.push({ target, waveValue: waveBy === undefined ? null : waveValueOf(view, waveBy) });
      }
      if (chosen.length > MOST_TARGETS) {
        throw new ControlError('INVALID_REQUEST', `More than ${MOST_TARGETS} objects fit.`, {
          violations: [{ path: 'filter', message: `must fit ${MOST_TARGETS} objects at most` }],
        });
      }
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return chosen;
  }

  async #change(
    caller: Caller,
    id: string,
    what: string,
    correlationId: string,
    change: (transaction: Transaction, set: OperationSetRecord) => Promise<boolean>,
  ): Promise<OperationSetView> {
    const { type } = await this.#find(id);
    await this.#authorise(caller, type, correlationId);
    return this.database.transaction(async (transaction) => {
      const held = await this.#held(transaction, id);
      if (!(await change(transaction, held))) return operationSetView(held);
      await this.sets.appendEvent(transaction, id);
      await this.jobs.scheduleSet(transaction, id);
      const changed = await this.#held(transaction, id);
      await this.#record(transaction, caller, changed, what, correlationId);
      return operationSetView(changed);
    });
  }

  async #cancelOperation(caller: Caller, operationId: string, correlationId: string): Promise<void> {
    try {
      await this.operations.cancel(caller, operationId, correlationId);
    } catch (error) {
      // It has ended in the meantime: then there is nothing to stop.
      if (!(error instanceof ControlError) || error.code !== 'NOT_CANCELABLE') throw error;
    }
  }

  async #findReplay(
    caller: Caller,
    key: string | undefined,
    hash: string,
    transaction?: Transaction,
  ): Promise<OperationSetRecord | undefined> {
    if (key === undefined) return undefined;
    const found = await this.sets.findByIdempotencyKey(caller.principalId, key, transaction);
    if (found === undefined || found.hash === hash) return found?.set;
    throw new ControlError(
      'IDEMPOTENCY_KEY_REUSED',
      `The idempotency key belongs to the set ${found.set.id}, which was asked for with another body.`,
      { remedy: 'Use a new key for a new request.' },
    );
  }

  async #find(id: string): Promise<OperationSetRecord> {
    const set = isUuid(id) ? await this.sets.find(id) : undefined;
    if (set === undefined) throw notFound(id);
    return set;
  }

  async #held(transaction: Transaction, id: string): Promise<OperationSetRecord> {
    const set = await this.sets.hold(transaction, id);
    if (set === undefined) throw notFound(id);
    return set;
  }

  /** What was refused is on record, too. */
  async #authorise(caller: Caller, type: string, correlationId: string): Promise<void> {
    const permission = this.registry.findOperation(type)?.permission ?? type;
    try {
      authorise(caller, 'operate', `do ${type} (${permission})`);
    } catch (error) {
      if (error instanceof ControlError) {
        const entry: AuditEntry = {
          principalId: caller.principalId,
          principalName: caller.name,
          action: 'operation-set.denied',
          outcome: 'denied',
          operationId: null,
          operationType: type,
          target: null,
          correlationId,
          details: { permission },
        };
        await this.database.transaction((transaction) => this.audit.append(transaction, entry));
      }
      throw error;
    }
  }

  async #record(
    transaction: Transaction,
    caller: Caller,
    set: OperationSetRecord,
    what: string,
    correlationId: string,
  ): Promise<void> {
    await this.audit.append(transaction, {
      ...auditEntryOfSet(set, `operation-set.${what}`),
      principalId: caller.principalId,
      principalName: caller.name,
      correlationId,
    });
  }
}

/** The field of the input that takes each target. */
function fieldOf(definition: OperationDefinition, { field, input, targets, filter }: OperationSetRequest): string {
  const refuse = (path: string, message: string): never => {
    throw new ControlError('INVALID_REQUEST', `The set of ${definition.type} cannot be made.`, {
      violations: [{ path, message }],
    });
  };
  const fields = Object.keys(definition.references);
  if ((targets === undefined) === (filter === undefined)) refuse('targets', 'either targets or a filter is needed');
  if ((definition.secretFields ?? []).length > 0) {
    refuse('type', 'an operation with secret inputs is started for each target by itself');
  }
  const free = fields.filter((name) => input[name] === undefined);
  const chosen = field ?? (free.length === 1 ? free[0] : undefined);
  if (chosen === undefined) return refuse('field', `must say which field takes the target: ${fields.join(', ')}`);
  if (!fields.includes(chosen)) return refuse('field', `must be one of ${fields.join(', ')}`);
  if (input[chosen] !== undefined) return refuse(`input.${chosen}`, 'must be left out: it takes each of the targets');
  return chosen;
}

function selectionOf({ targets, filter }: OperationSetRequest): JsonObject {
  return targets === undefined ? { filter: filter ?? {} } : { targets: [...targets] };
}

function waveValueOf(
  view: { tags: Record<string, string>; location: string | null; resourceGroup: string | null; properties: JsonObject },
  by: string,
): string | null {
  if (by.startsWith('tag:')) {
    const wanted = by.slice('tag:'.length).toLowerCase();
    return Object.entries(view.tags).find(([name]) => name.toLowerCase() === wanted)?.[1] ?? null;
  }
  switch (by) {
    case 'location':
      return view.location;
    case 'resourceGroup':
      return view.resourceGroup;
    case 'group': {
      // The update group of a fleet's member.
      const { properties } = view.properties;
      const group =
        properties !== null && typeof properties === 'object' && 'group' in properties ? properties.group : null;
      return typeof group === 'string' ? group : null;
    }
    default:
      throw new ControlError('INVALID_REQUEST', 'The waves cannot be made.', {
        violations: [{ path: 'waves.by', message: 'must be group, location, resourceGroup or tag:<name>' }],
      });
  }
}

/** The values in the order that was asked for, then the others by name, at last what has none. */
function inWaves(
  chosen: readonly ChosenTarget[],
  order: readonly string[],
): { target: ResourceTarget; wave: number; waveValue: string | null }[] {
  const others = [...new Set(chosen.flatMap(({ waveValue }) => waveValue ?? []))]
    .filter((value) => !order.includes(value))
    .sort();
  const values: (string | null)[] = [...order, ...others, null];
  const present = values.filter((value) => chosen.some(({ waveValue }) => waveValue === value));
  return chosen
    .map((each) => ({ ...each, wave: present.indexOf(each.waveValue) }))
    .sort((left, right) => left.wave - right.wave);
}

function requireStatus(set: OperationSetRecord, statuses: readonly OperationSetStatus[]): void {
  if (statuses.includes(set.status)) return;
  if (hasSetEnded(set.status)) {
    throw new ControlError('OPERATION_SET_ENDED', `The set has ended: ${set.status}.`, {
      remedy: 'What has failed can be tried again with retry.',
    });
  }
  throw new ControlError('CONFLICT', `The set is ${set.status}.`);
}

function notFound(id: string): ControlError {
  return new ControlError('OPERATION_SET_NOT_FOUND', `There is no operation set "${id.slice(0, 100)}".`);
}

export function operationSetView(set: OperationSetRecord): OperationSetView {
  const { Waiting, Running, Succeeded, Failed, Skipped, Canceled } = set.counts;
  return {
    id: set.id,
    type: set.type,
    status: set.status,
    dryRun: set.dryRun,
    input: set.input,
    field: set.targetField,
    selection: set.selection,
    maxConcurrency: set.maximumConcurrency,
    failureThreshold: set.failureThreshold,
    skipRefused: set.skipRefused,
    waves: set.waveBy === null ? null : { by: set.waveBy, order: set.waveOrder },
    currentWave: set.currentWave,
    counts: {
      total: Waiting + Running + Succeeded + Failed + Skipped + Canceled,
      waiting: Waiting,
      running: Running,
      succeeded: Succeeded,
      failed: Failed,
      skipped: Skipped,
      canceled: Canceled,
    },
    message: set.message,
    consent:
      set.consent === null
        ? null
        : { by: set.consent.decidedBy, at: set.consent.decidedAt.toISOString(), reason: set.consent.reason },
    requestedBy: set.requestedBy,
    createdAt: set.createdAt.toISOString(),
    endedAt: set.endedAt?.toISOString() ?? null,
    correlationId: set.correlationId,
  };
}
