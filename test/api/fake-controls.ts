import { ControlError } from '#libs/kernel/control-error.js';
import { encodeCursor, decodeCursor, DEFAULT_PAGE_SIZE, pageOf, type Page } from '#libs/kernel/page.js';
import { isUuid, resourceUid } from '#libs/kernel/resource-uid.js';
import type { Caller } from '#libs/access/caller.js';
import type { AccessControl } from '#libs/control/access.control.js';
import type { AuditControl, AuditQuery } from '#libs/control/audit.control.js';
import type { AuditCheckpointView, AuditEventView } from '#libs/control/audit.view.js';
import type { ChangeControl, ChangePageView, ChangeQuery } from '#libs/control/change.control.js';
import type { ClusterCall, ClusterControl } from '#libs/control/cluster.control.js';
import type { AttachedClusterView, ClusterAccessView } from '#libs/control/cluster.view.js';
import type { Secret } from '#libs/kernel/secret.js';
import type {
  OperationAcceptRequest,
  OperationControl,
  OperationQuery,
  OperationWatchFilter,
} from '#libs/control/operation.control.js';
import type {
  OperationEventPageView,
  OperationEventView,
  OperationPageView,
  OperationTypeView,
  OperationView,
} from '#libs/control/operation.view.js';
import type { Readiness, ReadinessControl } from '#libs/control/readiness.control.js';
import type { ResourceControl, ResourceGetOptions, ResourceListRequest } from '#libs/control/resource.control.js';
import type {
  ChangeView,
  ResourceGraphView,
  ResourcePageView,
  ResourceVersionView,
  ResourceView,
} from '#libs/control/resource.view.js';
import type { Advice } from '#libs/systems/contract/advice.js';
import type { RelationField } from '#libs/systems/contract/kind-definition.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';

export const ADMIN_TOKEN = 'admin-token-of-the-test';
export const VIEWER_TOKEN = 'viewer-token-of-the-test';
const OBSERVED_AT = '2026-01-02T03:04:05.000Z';

const CALLERS: Record<string, Caller> = {
  [ADMIN_TOKEN]: { principalId: '11111111-1111-4111-8111-111111111111', name: 'admin', role: 'admin' },
  [VIEWER_TOKEN]: { principalId: '22222222-2222-4222-8222-222222222222', name: 'viewer', role: 'viewer' },
};

export class FakeAccess implements Pick<AccessControl, 'authenticate'> {
  authenticate(authorization: string | undefined): Promise<Caller> {
    const caller = CALLERS[/^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? ''];
    if (caller !== undefined) return Promise.resolve(caller);
    return Promise.reject(new ControlError('UNAUTHENTICATED', 'The request has no bearer token that is known.'));
  }
}

/** An estate in memory: harbours with ships, in the order of their names. */
export class FakeResources implements Pick<ResourceControl, keyof ResourceControl> {
  readonly resources: ResourceView[] = [];
  readonly calls: { method: string; request: unknown }[] = [];
  readonly #links: { ship: string; harbour: string }[] = [];
  /** Thrown by the next call, once. */
  failure: Error | undefined;

  constructor(private readonly registry: SystemRegistry) {}

  addHarbour(name: string, ships: readonly string[], properties: ResourceView['properties'] = {}): ResourceView {
    const harbour = this.#add('Harbour', name, properties);
    for (const ship of ships)
      this.#links.push({ ship: this.#add('Ship', ship, { flag: 'NL' }).uid, harbour: harbour.uid });
    return harbour;
  }

  callsOf(method: string): unknown[] {
    return this.calls.filter((call) => call.method === method).map((call) => call.request);
  }

  list(_caller: Caller, request: ResourceListRequest): Promise<ResourcePageView> {
    this.#record('list', request);
    for (const kind of request.kinds) this.registry.kind(kind);
    const found = this.resources.filter(
      (resource) =>
        (request.kinds.length === 0 || request.kinds.includes(resource.kind)) &&
        (request.name === undefined || request.name === resource.name) &&
        (request.health === undefined || request.health.includes(resource.health)),
    );
    const start = request.cursor === undefined ? 0 : Number(decodeCursor('fake', 1, request.cursor)[0]);
    const limit = request.limit ?? DEFAULT_PAGE_SIZE;
    const rows = found.slice(start, start + limit + 1);
    const page = pageOf(rows, limit, () => encodeCursor('fake', [start + limit]));
    return Promise.resolve(this.#page(page, request.view));
  }

  get(_caller: Caller, uid: string, options: ResourceGetOptions): Promise<ResourceView> {
    this.#record('get', { uid, ...options });
    const found = this.resources.find((resource) => resource.uid === uid);
    if (found === undefined || (options.kind !== undefined && options.kind !== found.kind)) {
      return Promise.reject(new ControlError('RESOURCE_NOT_FOUND', 'There is no such resource.'));
    }
    return Promise.resolve(this.#view(found, options.view));
  }

  findById(_caller: Caller, id: string, options: Omit<ResourceGetOptions, 'kind'>): Promise<ResourcePageView> {
    this.#record('findById', { id, ...options });
    const items = this.resources.filter((resource) => resource.id.toLowerCase() === id.toLowerCase());
    return Promise.resolve(this.#page({ items, nextCursor: null }, options.view));
  }

  findMany(_caller: Caller, uids: readonly string[]): Promise<Map<string, ResourceView>> {
    this.#record('findMany', uids);
    return Promise.resolve(
      new Map(this.resources.filter((each) => uids.includes(each.uid)).map((each) => [each.uid, each])),
    );
  }

  related(
    _caller: Caller,
    uids: readonly string[],
    relation: RelationField,
    limit: number,
  ): Promise<Map<string, ResourceView[]>> {
    this.#record('related', { uids, relation: relation.name, limit });
    const found = uids.map((uid): [string, ResourceView[]] => {
      const ends = this.#links.flatMap(({ ship, harbour }) => {
        if (relation.name === 'ships') return harbour === uid ? [ship] : [];
        return ship === uid ? [harbour] : [];
      });
      return [uid, this.resources.filter((resource) => ends.includes(resource.uid)).slice(0, limit)];
    });
    return Promise.resolve(new Map(found));
  }

  advice(_caller: Caller, kind: string, uid: string): Promise<Advice[]> {
    this.#record('advice', { kind, uid });
    if (!this.resources.some((resource) => resource.uid === uid && resource.kind === kind)) {
      return Promise.reject(new ControlError('RESOURCE_NOT_FOUND', 'There is no such resource.'));
    }
    return Promise.resolve([
      {
        code: 'SHALLOW',
        severity: 'warning',
        cause: 'The keel touches the ground.',
        evidence: { depth: 1 },
        remedies: [{ description: 'Wait for the tide.', operations: [{ type: 'ship.dock', input: { ship: uid } }] }],
      },
    ]);
  }

  graph(_caller: Caller, uid: string, options: object): Promise<ResourceGraphView> {
    this.#record('graph', { uid, ...options });
    const root = this.resources.find((resource) => resource.uid === uid);
    if (root === undefined) return Promise.reject(new ControlError('RESOURCE_NOT_FOUND', 'There is no such resource.'));
    return Promise.resolve({
      root: uid,
      nodes: [root],
      edges: [{ from: uid, to: uid, type: 'owns' }],
      truncated: false,
    });
  }

  history(_caller: Caller, uid: string, options: object): Promise<Page<ResourceVersionView>> {
    this.#record('history', { uid, ...options });
    const version: ResourceVersionView = {
      validFrom: OBSERVED_AT,
      validTo: null,
      provisioningState: 'Succeeded',
      health: 'Healthy',
      healthReason: null,
      tags: {},
      properties: {},
      source: 'ARM',
      changed: null,
    };
    return Promise.resolve({ items: [version], nextCursor: null });
  }

  #record(method: string, request: unknown): void {
    this.calls.push({ method, request });
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
  }

  #add(kind: string, name: string, properties: ResourceView['properties']): ResourceView {
    const id = `/subscriptions/5ea00000-0000-4000-8000-000000000000/resourceGroups/sea/providers/Test.Sea/${kind}/${name}`;
    const view: ResourceView = {
      uid: resourceUid(id.toLowerCase()),
      kind,
      id,
      name,
      location: 'westeurope',
      subscriptionId: '5ea00000-0000-4000-8000-000000000000',
      resourceGroup: 'sea',
      clusterUid: null,
      namespace: null,
      provisioningState: 'Succeeded',
      health: 'Healthy',
      healthReason: null,
      tags: { env: 'test' },
      properties,
      freshness: { observedAt: OBSERVED_AT, ageSeconds: 7, source: 'ARM' },
      changedAt: OBSERVED_AT,
    };
    this.resources.push(view);
    return view;
  }

  #view(resource: ResourceView, view: 'raw' | 'typed'): ResourceView {
    if (view === 'raw') return resource;
    return {
      ...resource,
      properties: this.registry.kind(resource.kind).describe(resource.properties) as ResourceView['properties'],
    };
  }

  #page(page: Page<ResourceView>, view: 'raw' | 'typed'): ResourcePageView {
    return {
      items: page.items.map((item) => this.#view(item, view)),
      nextCursor: page.nextCursor,
      freshness: page.items.length === 0 ? null : { oldest: OBSERVED_AT, newest: OBSERVED_AT },
      partial: true,
      unavailable: [
        {
          scope: 'sea:1',
          kinds: ['Ship'],
          subscriptionId: null,
          clusterUid: null,
          reason: 'partial',
          missing: 'the far side',
          lastCompleteAt: null,
          problem: { code: 'AZURE_THROTTLED', message: 'Slow down.' },
        },
      ],
    };
  }
}

export class FakeOperations implements Pick<OperationControl, keyof OperationControl> {
  readonly accepted: OperationAcceptRequest[] = [];
  readonly queries: OperationQuery[] = [];
  readonly operations = new Map<string, OperationView>();
  /** The events of every operation, and whether its stream ends after them. */
  events_: OperationEventView[] = [];
  streamEnds = true;
  /** How many streams run now: a client that goes away must not leave one behind. */
  openStreams = 0;
  failure: Error | undefined;

  constructor(private readonly registry: SystemRegistry) {}

  accept(caller: Caller, request: OperationAcceptRequest): Promise<{ operation: OperationView; replayed: boolean }> {
    this.registry.operation(request.type);
    if (caller.role === 'viewer') return Promise.reject(new ControlError('FORBIDDEN', 'Viewers only look.'));
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) return Promise.reject(failure);
    this.accepted.push(request);
    const replayed =
      request.idempotencyKey !== undefined &&
      this.accepted.filter((each) => each.idempotencyKey === request.idempotencyKey).length > 1;
    const operation = operationView({
      type: request.type,
      dryRun: request.dryRun,
      input: request.input as OperationView['input'],
    });
    this.operations.set(operation.id, operation);
    return Promise.resolve({ operation, replayed });
  }

  get(_caller: Caller, id: string): Promise<OperationView> {
    const found = this.operations.get(id);
    if (found !== undefined) return Promise.resolve(found);
    return Promise.reject(new ControlError('OPERATION_NOT_FOUND', 'There is no such operation.'));
  }

  findMany(_caller: Caller, ids: readonly string[]): Promise<Map<string, OperationView>> {
    return Promise.resolve(new Map([...this.operations].filter(([id]) => ids.includes(id))));
  }

  list(_caller: Caller, query: OperationQuery): Promise<OperationPageView> {
    this.queries.push(query);
    return Promise.resolve({ items: [...this.operations.values()].slice(0, query.limit), nextCursor: null });
  }

  async cancel(caller: Caller, id: string): Promise<OperationView> {
    const operation = await this.get(caller, id);
    if (operation.status === 'Succeeded') throw new ControlError('NOT_CANCELABLE', 'It has ended.');
    return { ...operation, status: 'Canceling' };
  }

  async decide(
    caller: Caller,
    id: string,
    { decision, reason }: { decision: 'approved' | 'rejected'; reason: string | null },
  ): Promise<OperationView> {
    const operation = await this.get(caller, id);
    if (operation.requestedBy === caller.name) throw new ControlError('OWN_OPERATION', 'Somebody else has to.');
    const approval = {
      state: decision,
      rule: '*',
      expiresAt: null,
      decidedBy: caller.name,
      decidedAt: OBSERVED_AT,
      reason,
    };
    return { ...operation, approval };
  }

  async *events(
    caller: Caller,
    id: string,
    after: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<OperationEventView, void, void> {
    await this.get(caller, id);
    this.openStreams++;
    try {
      for (const event of this.events_) if (after === undefined || Number(event.id) > Number(after)) yield event;
      if (!this.streamEnds) await aborted(signal);
    } finally {
      this.openStreams--;
    }
  }

  listEvents(_caller: Caller, query: OperationWatchFilter): Promise<OperationEventPageView> {
    this.queries.push(query);
    return Promise.resolve({ items: this.events_, nextCursor: 'n' });
  }

  async *followEvents(
    _caller: Caller,
    { after }: OperationWatchFilter & { after?: string },
    signal: AbortSignal,
  ): AsyncGenerator<OperationEventView, void, void> {
    this.openStreams++;
    try {
      for (const event of this.events_) if (after === undefined || Number(event.id) > Number(after)) yield event;
      if (!this.streamEnds) await aborted(signal);
    } finally {
      this.openStreams--;
    }
  }

  async *watch(
    _caller: Caller,
    _filter: OperationWatchFilter,
    signal: AbortSignal,
  ): AsyncGenerator<OperationView, void, void> {
    this.openStreams++;
    try {
      for (const event of this.events_) yield event.operation;
      if (!this.streamEnds) await aborted(signal);
    } finally {
      this.openStreams--;
    }
  }

  types(): OperationTypeView[] {
    return this.registry.operations.map((definition) => ({
      type: definition.type,
      title: definition.title,
      description: definition.description,
      permission: definition.permission,
      timeoutSeconds: definition.timeoutSeconds,
      inputSchema: {},
      references: {},
      secretFields: [],
      steps: [],
      findings: [],
    }));
  }
}

export class FakeChanges implements Pick<ChangeControl, keyof ChangeControl> {
  readonly queries: ChangeQuery[] = [];
  changes: ChangeView[] = [];
  failure: Error | undefined;
  openStreams = 0;

  list(_caller: Caller, query: ChangeQuery): Promise<ChangePageView> {
    this.queries.push(query);
    return Promise.resolve({ items: this.changes, nextCursor: 'next' });
  }

  async *watch(
    _caller: Caller,
    query: Omit<ChangeQuery, 'limit'>,
    signal: AbortSignal,
  ): AsyncGenerator<ChangeView, void, void> {
    this.queries.push(query);
    if (this.failure !== undefined) throw this.failure;
    this.openStreams++;
    try {
      yield* this.changes;
      await aborted(signal);
    } finally {
      this.openStreams--;
    }
  }
}

export class FakeAudit implements Pick<AuditControl, keyof AuditControl> {
  readonly queries: AuditQuery[] = [];

  events(caller: Caller, query: AuditQuery): Promise<Page<AuditEventView>> {
    if (caller.role !== 'admin') return Promise.reject(new ControlError('FORBIDDEN', 'For administrators.'));
    this.queries.push(query);
    return Promise.resolve({ items: [], nextCursor: null });
  }

  checkpoints(caller: Caller): Promise<Page<AuditCheckpointView>> {
    if (caller.role !== 'admin') return Promise.reject(new ControlError('FORBIDDEN', 'For administrators.'));
    return Promise.resolve({ items: [], nextCursor: null });
  }
}

/** Remembers what it was given, and fails as it is told. */
export class FakeClusters implements Pick<ClusterControl, keyof ClusterControl> {
  readonly calls: { method: string; uid?: string; name?: string; kubeconfig?: string; correlationId?: string }[] = [];
  failure: Error | undefined;

  attach(
    _caller: Caller,
    request: { name: string; kubeconfig: Secret },
    call: ClusterCall,
  ): Promise<AttachedClusterView> {
    const { name, kubeconfig } = request;
    return this.#answer(
      { method: 'attach', name, kubeconfig: kubeconfig.reveal(), correlationId: call.correlationId },
      {
        uid: resourceUid(`/clusters/${name}`),
        id: `/clusters/${name}`,
        kind: 'AttachedCluster',
        name,
        server: 'api.example.test:6443',
        kubernetesVersion: 'v1.32.4',
        authentication: 'token',
      },
    );
  }

  detach(_caller: Caller, uid: string): Promise<void> {
    return this.#answer({ method: 'detach', uid }, undefined);
  }

  getAccess(_caller: Caller, uid: string): Promise<ClusterAccessView> {
    return this.#answer({ method: 'getAccess', uid }, accessView(uid));
  }

  giveAccess(_caller: Caller, uid: string, kubeconfig: Secret): Promise<ClusterAccessView> {
    return this.#answer({ method: 'giveAccess', uid, kubeconfig: kubeconfig.reveal() }, accessView(uid));
  }

  removeAccess(_caller: Caller, uid: string): Promise<void> {
    return this.#answer({ method: 'removeAccess', uid }, undefined);
  }

  async #answer<T>(call: FakeClusters['calls'][number], answer: T): Promise<T> {
    this.calls.push(call);
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
    return answer;
  }
}

function accessView(clusterUid: string): ClusterAccessView {
  return {
    clusterUid,
    server: 'api.example.test:6443',
    authentication: 'token',
    attachedBy: 'admin',
    attachedAt: OBSERVED_AT,
  };
}

export class FakeReadiness implements Pick<ReadinessControl, 'check'> {
  databaseAnswers = true;

  check(): Promise<Readiness> {
    const ok = this.databaseAnswers;
    return Promise.resolve({
      ready: ok,
      checks: [{ name: 'database', ok, message: ok ? null : 'The database does not answer.' }],
    });
  }
}

let operationCount = 0;

export function operationView(parts: Partial<OperationView> = {}): OperationView {
  operationCount++;
  const id = `0d9c1d8e-1d0b-4c57-9c1b-${String(operationCount).padStart(12, '0')}`;
  if (!isUuid(id)) throw new TypeError('not a uuid');
  return {
    id,
    type: 'ship.dock',
    status: 'Pending',
    dryRun: false,
    target: { uid: resourceUid('/ships/1'), id: '/ships/1', kind: 'Ship' },
    input: {},
    steps: [
      { name: 'sail', status: 'Pending', startedAt: null, endedAt: null, attempts: 0, message: null, output: null },
    ],
    findings: [],
    error: null,
    result: null,
    message: null,
    requestedBy: 'admin',
    set: null,
    stuckSince: null,
    approval: null,
    createdAt: OBSERVED_AT,
    startedAt: null,
    endedAt: null,
    correlationId: 'c',
    retryAfter: 2,
    ...parts,
  };
}

export function changeView(parts: Partial<ChangeView> = {}): ChangeView {
  return {
    cursor: 'c1',
    type: 'updated',
    at: OBSERVED_AT,
    uid: resourceUid('/ships/1'),
    kind: 'Ship',
    name: 'one',
    id: '/ships/1',
    clusterUid: null,
    namespace: null,
    subscriptionId: null,
    changed: ['tags'],
    provisioningStateBefore: null,
    provisioningState: 'Succeeded',
    healthBefore: 'Healthy',
    health: 'Degraded',
    ...parts,
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
