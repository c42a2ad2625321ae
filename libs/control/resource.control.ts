import { ageInSeconds, type Clock } from '#libs/kernel/clock.js';
import { onAccountOf } from '#libs/kernel/call-origin.js';
import type { ResourceTarget } from '#libs/systems/contract/resource-target.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { DEFAULT_PAGE_SIZE, MAXIMUM_PAGE_SIZE, type Page } from '#libs/kernel/page.js';
import { parseResourceId } from '#libs/kernel/resource-id.js';
import { isUuid } from '#libs/kernel/resource-uid.js';
import type { Caller } from '#libs/access/caller.js';
import { authorise } from '#libs/access/permission.js';
import type { ReadThrough } from '#libs/inventory/read-through.js';
import {
  MAXIMUM_GRAPH_DEPTH,
  RESOURCE_SORTS,
  type GraphDirection,
  type ResourceSort,
} from '#libs/inventory/resource.query.js';
import type { FreshnessRange, ResourceRecord } from '#libs/inventory/resource.record.js';
import type { ResourceRepository } from '#libs/inventory/resource.repository.js';
import type { ScopeRecord, ScopeRepository } from '#libs/inventory/scope.repository.js';
import { kindsOf, type RelationField } from '#libs/systems/contract/kind-definition.js';
import type { Advice, KnownObject } from '#libs/systems/contract/advice.js';
import type { HealthState } from '#libs/systems/contract/observation.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import type { ReferenceResolver } from './reference.resolver.js';
import type {
  ResourceGraphView,
  ResourcePageView,
  ResourceVersionView,
  ResourceView,
  UnavailableView,
} from './resource.view.js';

const GRAPH_NODES = 500;
const DEFAULT_GRAPH_DEPTH = 2;
/** The most objects of one kind that advice rests on: a cluster has 5,000 nodes at most. */
const ADVICE_OBJECTS = 5000;
/** How long an answer waits for a sync that a caller's `maxAge` made necessary. */
const FRESHNESS_TIMEOUT_MS = 15_000;

/** Raw: `properties` as observed. Typed: the properties of the kind. */
export type PropertiesView = 'raw' | 'typed';

export interface ResourceListRequest {
  /** Empty: all. */
  kinds: string[];
  location?: string;
  subscription?: string;
  resourceGroup?: string;
  /** A uid or an id. */
  cluster?: string;
  namespace?: string;
  health?: HealthState[];
  name?: string;
  q?: string;
  tags?: Record<string, string>;
  sort?: string;
  limit?: number;
  cursor?: string;
  /** Ask the owners where what is known is older than this. */
  maxAgeSeconds?: number;
  /** The state at that time. */
  asOf?: Date;
  view: PropertiesView;
}

export interface ResourceGetOptions {
  /** The resource must be of this kind. */
  kind?: string;
  maxAgeSeconds?: number;
  view: PropertiesView;
}

/** Reading the estate: from the cache, at database speed, saying how fresh each answer is. */
export class ResourceControl {
  constructor(
    private readonly registry: SystemRegistry,
    private readonly resources: ResourceRepository,
    private readonly scopes: ScopeRepository,
    private readonly readThrough: ReadThrough,
    private readonly references: ReferenceResolver,
    private readonly clock: Clock,
  ) {}

  /** @throws ControlError UNKNOWN_KIND, INVALID_REQUEST, INVALID_CURSOR */
  async list(caller: Caller, request: ResourceListRequest, signal?: AbortSignal): Promise<ResourcePageView> {
    authorise(caller, 'read', 'read resources');
    for (const kind of request.kinds) this.registry.kind(kind);
    const kinds = request.kinds.length === 0 ? null : request.kinds;
    const subscriptionId = request.subscription?.toLowerCase() ?? null;
    const clusterUid = request.cluster === undefined ? null : this.references.uidOf(request.cluster);
    const query = {
      ...(kinds === null ? {} : { kinds }),
      location: request.location,
      subscriptionId: subscriptionId ?? undefined,
      resourceGroup: request.resourceGroup,
      clusterUid: clusterUid ?? undefined,
      namespace: request.namespace,
      health: request.health,
      name: request.name,
      q: request.q,
      tags: request.tags,
      sort: sortOf(request.sort),
      limit: Math.min(request.limit ?? DEFAULT_PAGE_SIZE, MAXIMUM_PAGE_SIZE),
      cursor: request.cursor,
    };
    const now = this.clock.now();
    if (request.asOf !== undefined) {
      if (request.maxAgeSeconds !== undefined) throw invalid('maxAge', 'It cannot go together with asOf.');
      if (request.asOf > now) throw invalid('asOf', 'It lies in the future.');
      const past = await this.resources.asOf(query, request.asOf);
      return {
        ...this.#page(past.rows, past.nextCursor, past.freshness, request.view, now),
        partial: false,
        unavailable: [],
      };
    }
    const stale =
      request.maxAgeSeconds === undefined
        ? []
        : (
            await this.readThrough.ensureScopesFresh({ kinds, subscriptionId, clusterUid }, request.maxAgeSeconds, {
              signal: signal ?? new AbortController().signal,
              timeoutMs: FRESHNESS_TIMEOUT_MS,
            })
          ).stale;
    const [page, scopes] = await Promise.all([
      this.resources.page(query),
      this.scopes.findForKinds(kinds, subscriptionId, clusterUid),
    ]);
    const unavailable = unavailableOf(scopes, new Set(stale.map((scope) => scope.key)), kinds ?? []);
    return {
      ...this.#page(page.rows, page.nextCursor, page.freshness, request.view, this.clock.now()),
      partial: unavailable.length > 0,
      unavailable,
    };
  }

  /** @throws ControlError RESOURCE_NOT_FOUND; with `maxAgeSeconds` what kept the owner from being asked. */
  async get(caller: Caller, uid: string, options: ResourceGetOptions, signal?: AbortSignal): Promise<ResourceView> {
    authorise(caller, 'read', 'read resources');
    const found = isUuid(uid) ? await this.resources.find(uid.toLowerCase()) : null;
    if (found === null || (options.kind !== undefined && found.kind !== options.kind)) throw notFound(uid);
    const record = await this.#fresh(caller, found, options.maxAgeSeconds, signal);
    if (record === null) throw notFound(uid);
    return this.#view(record, options.view, this.clock.now());
  }

  /** A page of one or none. With `maxAgeSeconds` also what the cache has not seen yet is asked for. */
  async findById(
    caller: Caller,
    id: string,
    options: Omit<ResourceGetOptions, 'kind'>,
    signal?: AbortSignal,
  ): Promise<ResourcePageView> {
    authorise(caller, 'read', 'read resources');
    const resourceId = parseResourceId(id);
    let record = await this.resources.findByCanonicalId(resourceId.canonical);
    if (record !== null) {
      record = await this.#fresh(caller, record, options.maxAgeSeconds, signal);
    } else if (options.maxAgeSeconds !== undefined) {
      const kind = this.registry.findKindOf(resourceId);
      if (kind !== undefined) {
        const target = { uid: resourceId.uid, id, kind: kind.name };
        await this.#ensureFresh(caller, target, options.maxAgeSeconds, signal);
        record = await this.resources.findByCanonicalId(resourceId.canonical);
      }
    }
    const rows = record === null ? [] : [record];
    const range = record === null ? null : { oldest: record.freshness.observedAt, newest: record.freshness.observedAt };
    return { ...this.#page(rows, null, range, options.view, this.clock.now()), partial: false, unavailable: [] };
  }

  async findMany(caller: Caller, uids: readonly string[]): Promise<Map<string, ResourceView>> {
    authorise(caller, 'read', 'read resources');
    const records = await this.resources.findMany(uids.filter(isUuid));
    const now = this.clock.now();
    return new Map([...records].map(([uid, record]) => [uid, this.#view(record, 'raw', now)]));
  }

  /** What is related to each of these, in one statement. */
  async related(
    caller: Caller,
    uids: readonly string[],
    relation: RelationField,
    limit: number,
  ): Promise<Map<string, ResourceView[]>> {
    authorise(caller, 'read', 'read resources');
    const related = await this.resources.related(uids, { ...relation, kinds: kindsOf(relation) }, limit);
    const now = this.clock.now();
    return new Map(
      [...related].map(([uid, records]) => [uid, records.map((record) => this.#view(record, 'raw', now))]),
    );
  }

  /** @throws ControlError RESOURCE_NOT_FOUND, INVALID_REQUEST */
  async graph(
    caller: Caller,
    uid: string,
    options: { depth?: number; direction?: GraphDirection },
  ): Promise<ResourceGraphView> {
    authorise(caller, 'read', 'read resources');
    const depth = options.depth ?? DEFAULT_GRAPH_DEPTH;
    if (!Number.isInteger(depth) || depth < 0 || depth > MAXIMUM_GRAPH_DEPTH) {
      throw invalid('depth', `It must be a whole number from 0 to ${MAXIMUM_GRAPH_DEPTH}.`);
    }
    const query = { depth, direction: options.direction ?? 'both', maximumNodes: GRAPH_NODES };
    const graph = isUuid(uid) ? await this.resources.graph(uid.toLowerCase(), query) : null;
    if (graph === null) throw notFound(uid);
    const now = this.clock.now();
    return {
      root: uid.toLowerCase(),
      nodes: graph.nodes.map((node) => this.#view(node, 'raw', now)),
      edges: graph.edges.map((edge) => ({ from: edge.fromUid, to: edge.toUid, type: edge.type })),
      truncated: graph.truncated,
    };
  }

  /** Newest first; also of what is gone. @throws ControlError RESOURCE_NOT_FOUND, INVALID_CURSOR */
  async history(
    caller: Caller,
    uid: string,
    options: { limit?: number; cursor?: string },
  ): Promise<Page<ResourceVersionView>> {
    authorise(caller, 'read', 'read resources');
    if (!isUuid(uid)) throw notFound(uid);
    const limit = Math.min(options.limit ?? DEFAULT_PAGE_SIZE, MAXIMUM_PAGE_SIZE);
    const page = await this.resources.history(uid.toLowerCase(), options.cursor ?? null, limit);
    if (page.versions.length === 0 && options.cursor === undefined) throw notFound(uid);
    return {
      items: page.versions.map((version) => ({
        validFrom: version.validFrom.toISOString(),
        validTo: version.validTo?.toISOString() ?? null,
        provisioningState: version.provisioningState,
        health: version.health.state,
        healthReason: version.health.reason,
        tags: version.tags,
        properties: version.properties,
        source: version.source,
        changed: version.changed,
      })),
      nextCursor: page.nextCursor,
    };
  }

  /**
   * What is known to ail an object, and the ways out; empty where nothing is known.
   * @throws ControlError RESOURCE_NOT_FOUND, or what kept the advisor from seeing what it has to.
   */
  async advice(caller: Caller, kind: string, uid: string, signal?: AbortSignal): Promise<Advice[]> {
    authorise(caller, 'read', 'read resources');
    const record = isUuid(uid) ? await this.resources.find(uid.toLowerCase()) : null;
    if (record?.kind !== kind) throw notFound(uid);
    const context = { ...callOf(signal), inCluster: (wanted: string) => this.#inCluster(record.clusterUid, wanted) };
    const advice = await Promise.all(
      this.registry.advisorsOf(kind).map((advisor) => advisor.advise(knownObject(record), context)),
    );
    return advice.flat();
  }

  async #inCluster(clusterUid: string | null, kind: string): Promise<KnownObject[]> {
    const known: KnownObject[] = [];
    if (clusterUid === null || this.registry.findKind(kind) === undefined) return known;
    let cursor: string | null = null;
    do {
      const query = { kinds: [kind], clusterUid, limit: MAXIMUM_PAGE_SIZE, cursor };
      const page = await this.resources.page(query);
      known.push(...page.rows.map(knownObject));
      cursor = page.nextCursor;
    } while (cursor !== null && known.length < ADVICE_OBJECTS);
    return known;
  }

  async #fresh(
    caller: Caller,
    record: ResourceRecord,
    maxAgeSeconds: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<ResourceRecord | null> {
    if (maxAgeSeconds === undefined) return record;
    const target = { uid: record.uid, id: record.id, kind: record.kind };
    const outcome = await this.#ensureFresh(caller, target, maxAgeSeconds, signal);
    return outcome === 'absent' ? null : this.resources.find(record.uid);
  }

  /** What has to be asked of Azure for it counts as the caller's. */
  #ensureFresh(
    caller: Caller,
    target: ResourceTarget,
    maxAgeSeconds: number,
    signal: AbortSignal | undefined,
  ): ReturnType<ReadThrough['ensureFresh']> {
    return onAccountOf(`principal:${caller.name}`, () =>
      this.readThrough.ensureFresh(target, maxAgeSeconds, callOf(signal)),
    );
  }

  #page(
    rows: readonly ResourceRecord[],
    nextCursor: string | null,
    range: FreshnessRange | null,
    view: PropertiesView,
    now: Date,
  ): Pick<ResourcePageView, 'items' | 'nextCursor' | 'freshness'> {
    return {
      items: rows.map((row) => this.#view(row, view, now)),
      nextCursor,
      freshness: range === null ? null : { oldest: range.oldest.toISOString(), newest: range.newest.toISOString() },
    };
  }

  #view(record: ResourceRecord, view: PropertiesView, now: Date): ResourceView {
    return {
      uid: record.uid,
      kind: record.kind,
      id: record.id,
      name: record.name,
      location: record.location,
      subscriptionId: record.subscriptionId,
      resourceGroup: record.resourceGroup,
      clusterUid: record.clusterUid,
      namespace: record.namespace,
      provisioningState: record.provisioningState,
      health: record.health.state,
      healthReason: record.health.reason,
      tags: record.tags,
      properties:
        view === 'raw'
          ? record.properties
          : (this.registry.kind(record.kind).describe(record.properties) as JsonObject),
      freshness: {
        observedAt: record.freshness.observedAt.toISOString(),
        ageSeconds: ageInSeconds(record.freshness.observedAt, now),
        source: record.freshness.source,
      },
      changedAt: record.changedAt.toISOString(),
    };
  }
}

function knownObject({ uid, id, kind, name, clusterUid, namespace, properties }: ResourceRecord): KnownObject {
  return { uid, id, kind, name, clusterUid, namespace, properties };
}

function callOf(signal: AbortSignal | undefined): { signal: AbortSignal; correlationId: string } {
  return { signal: signal ?? new AbortController().signal, correlationId: crypto.randomUUID() };
}

/** The parts of the estate that this answer cannot vouch for. */
function unavailableOf(
  scopes: readonly ScopeRecord[],
  stale: ReadonlySet<string>,
  kinds: readonly string[],
): UnavailableView[] {
  if (scopes.length === 0) {
    return [
      {
        scope: '*',
        kinds: [...kinds],
        subscriptionId: null,
        clusterUid: null,
        reason: 'never-completed',
        missing: 'Nothing has been looked at yet: no worker has run, or there is no subscription.',
        lastCompleteAt: null,
        problem: null,
      },
    ];
  }
  return scopes.flatMap((scope): UnavailableView[] => {
    const reason = reasonOf(scope, stale);
    if (reason === undefined) return [];
    return [
      {
        scope: scope.key,
        kinds: [...scope.kinds],
        subscriptionId: scope.subscriptionId,
        clusterUid: scope.clusterUid,
        reason,
        missing: scope.missing,
        lastCompleteAt: scope.lastCompleteAt?.toISOString() ?? null,
        problem: scope.problem,
      },
    ];
  });
}

function reasonOf(scope: ScopeRecord, stale: ReadonlySet<string>): UnavailableView['reason'] | undefined {
  switch (scope.state) {
    case 'new':
      return 'never-completed';
    case 'partial':
      return 'partial';
    case 'failed':
      return 'failed';
    case 'complete':
      return stale.has(scope.key) ? 'stale' : undefined;
  }
}

function sortOf(sort: string | undefined): ResourceSort | undefined {
  if (sort === undefined) return undefined;
  const known = RESOURCE_SORTS.find((candidate) => candidate === sort);
  if (known !== undefined) return known;
  throw invalid('sort', `It must be one of ${RESOURCE_SORTS.join(', ')}.`);
}

function invalid(path: string, message: string): ControlError {
  return new ControlError('INVALID_REQUEST', `The parameter "${path}" is not valid: ${message}`, {
    violations: [{ path, message }],
  });
}

function notFound(uid: string): ControlError {
  return new ControlError('RESOURCE_NOT_FOUND', `There is no resource with the uid "${uid.slice(0, 100)}".`, {
    remedy: 'GET /v1/resources lists what there is; ?id= finds a resource by its id.',
  });
}
