import { ControlError } from '#libs/kernel/control-error.js';
import { decodeCursor, encodeCursor, MAXIMUM_PAGE_SIZE } from '#libs/kernel/page.js';
import { isUuid, resourceUid } from '#libs/kernel/resource-uid.js';
import type { Database } from '#libs/database/database.js';
import type { SqlResult } from '#libs/database/sql.js';
import { databaseJson } from './database-json.js';
import type { LagSettings } from './freshness.rule.js';
import { CHANGED_PARTS } from './observation.repository.js';
import { listName, normaliseFilter, resourceCursor, ResourceOrder } from './resource.filter.js';
import {
  type GraphQuery,
  MAXIMUM_GRAPH_DEPTH,
  type RelatedQuery,
  type ResourceFilter,
  type ResourceQuery,
} from './resource.query.js';
import type {
  FreshnessRange,
  RelationEdge,
  ResourceGraph,
  ResourcePage,
  ResourceRecord,
  ResourceVersion,
  ResourceVersionPage,
} from './resource.record.js';
import { type ResourceRow, stateColumns, textOrNull, toResourceRecord } from './resource.row.js';

const WITH_FRESHNESS = `${stateColumns('r')}, r.changed_at, s.last_complete_at, s.last_complete_source`;
const SCOPE_OF_ROW = 'LEFT JOIN scope s ON s.key = r.scope_key';
/** Edges that one step of a graph looks at, for each node that may still be added. */
const EDGES_A_NODE = 4;
/** More lists cost more to plan than they save; the tags after these are read from the rows that are left. */
const TAG_LISTS = 4;

type PageRow = ResourceRow & { cursor_key: string[] };

interface VersionRow extends ResourceRow {
  valid_to: Date | null;
  valid_from_key: string;
  changed: string[] | null;
}

/** Reads the state cache. */
export class ResourceRepository {
  constructor(
    private readonly database: Database,
    private readonly settings: LagSettings,
  ) {}

  /**
   * A page of the living objects, in the order asked for. Every filter and the order by name are driven by an index.
   * @throws ControlError INVALID_CURSOR when the cursor is not one of this list with these filters and this order.
   */
  async page(query: ResourceQuery): Promise<ResourcePage> {
    return this.#list(query, null, async (filter, order, key) => {
      const tags = await this.#tagAccess(filter, order);
      return pageStatement({ filter, order, key, limit: query.limit + 1, tags });
    });
  }

  /**
   * A page of the objects that were there at a past moment, as they were then. Their freshness is that of the observation
   * that the past state rests on.
   * @throws ControlError INVALID_CURSOR
   */
  async asOf(query: ResourceQuery, instant: Date): Promise<ResourcePage> {
    return this.#list(query, instant, async (filter, order, key) => {
      const tags = await this.#tagAccess(filter, order);
      return pastStatement({ filter, order, key, limit: query.limit + 1, tags }, instant);
    });
  }

  async find(uid: string): Promise<ResourceRecord | null> {
    return (await this.findMany([uid])).get(uid.toLowerCase()) ?? null;
  }

  async findByCanonicalId(canonicalId: string): Promise<ResourceRecord | null> {
    return this.find(resourceUid(canonicalId));
  }

  /** The living ones of these, by uid. */
  async findMany(uids: readonly string[]): Promise<Map<string, ResourceRecord>> {
    const known = uids.filter(isUuid);
    if (known.length === 0) return new Map();
    const { rows } = await this.database.query<ResourceRow>(
      `SELECT ${WITH_FRESHNESS} FROM resource r ${SCOPE_OF_ROW} WHERE r.uid = ANY($1::uuid[]) AND r.deleted_at IS NULL`,
      [known],
      'inventory.find',
    );
    return new Map(rows.map((row) => [row.uid, toResourceRecord(row, this.settings)]));
  }

  /**
   * For each uid the living objects that it is related to in this way, by name. One statement, whose cost grows with the
   * number of relations of the given objects.
   */
  async related(
    uids: readonly string[],
    query: RelatedQuery,
    limitPerUid: number,
  ): Promise<Map<string, ResourceRecord[]>> {
    const related = new Map<string, ResourceRecord[]>(uids.map((uid) => [uid, []]));
    const known = [...related.keys()].filter(isUuid);
    if (known.length === 0) return related;
    const [near, far] = query.direction === 'outgoing' ? ['from_uid', 'to_uid'] : ['to_uid', 'from_uid'];
    const { rows } = await this.database.query<ResourceRow & { origin: string }>(
      `SELECT origin.uid AS origin, ${WITH_FRESHNESS}
       FROM unnest($1::uuid[]) AS origin (uid)
       CROSS JOIN LATERAL (
         SELECT other.uid, other.name
         FROM (SELECT DISTINCT ${far} AS uid FROM relation WHERE ${near} = origin.uid AND type = $2) AS ends
         JOIN resource other USING (uid)
         WHERE other.kind = $3 AND other.deleted_at IS NULL
         ORDER BY other.name, other.uid LIMIT $4
       ) AS first
       JOIN resource r ON r.uid = first.uid ${SCOPE_OF_ROW}
       ORDER BY origin.uid, first.name, first.uid`,
      [known, query.type, query.kind, limitPerUid],
      `inventory.related.${query.direction}`,
    );
    for (const row of rows) related.get(row.origin)?.push(toResourceRecord(row, this.settings));
    return related;
  }

  /**
   * What is around an object, breadth first, one statement a step. Only living objects are shown.
   * @returns null when the root is not known.
   */
  async graph(uid: string, query: GraphQuery): Promise<ResourceGraph | null> {
    if (!isUuid(uid)) return null;
    const root = uid.toLowerCase();
    const uids = new Set([root]);
    const edges = new Map<string, RelationEdge>();
    let truncated = false;
    let frontier = [root];
    const depth = Math.min(query.depth, MAXIMUM_GRAPH_DEPTH);
    for (let step = 0; step < depth && frontier.length > 0; step++) {
      const limit = EDGES_A_NODE * query.maximumNodes;
      const found = await this.#edgesOf(frontier, query, limit + 1);
      if (found.length > limit) truncated = true;
      const next: string[] = [];
      for (const edge of found.slice(0, limit)) {
        let complete = true;
        for (const end of [edge.fromUid, edge.toUid]) {
          if (uids.has(end)) continue;
          if (uids.size < query.maximumNodes) {
            uids.add(end);
            next.push(end);
          } else {
            complete = false;
          }
        }
        if (complete) edges.set(`${edge.fromUid} ${edge.type} ${edge.toUid}`, edge);
        else truncated = true;
      }
      frontier = next;
    }
    const records = await this.findMany([...uids]);
    if (!records.has(root)) return null;
    return {
      nodes: [...uids].flatMap((node) => records.get(node) ?? []),
      // An object may have been deleted between two steps.
      edges: [...edges.values()].filter((edge) => records.has(edge.fromUid) && records.has(edge.toUid)),
      truncated,
    };
  }

  /**
   * The states of an object, the newest first, also of one that is gone.
   * @throws ControlError INVALID_CURSOR
   */
  async history(uid: string, cursor: string | null, limit: number): Promise<ResourceVersionPage> {
    checkLimit(limit);
    if (!isUuid(uid)) return { versions: [], nextCursor: null };
    const list = `history ${uid.toLowerCase()}`;
    const before = cursor === null ? null : decodeMoment(list, cursor);
    const { rows } = await this.database.query<VersionRow>(
      `WITH states AS (
         SELECT ${stateColumns('r')}, r.changed_at, NULL::timestamptz AS valid_to
         FROM resource r WHERE r.uid = $1 AND r.deleted_at IS NULL AND $2::bigint IS NULL
         UNION ALL
         (SELECT ${stateColumns('v')}, v.valid_from, v.valid_to FROM resource_version v
          WHERE v.uid = $1 AND ($2::bigint IS NULL OR v.valid_to <= ${momentOf('$2')})
          ORDER BY v.valid_to DESC LIMIT $3 + 1)
       )
       SELECT i.*, NULL::timestamptz AS last_complete_at, NULL::text AS last_complete_source,
         (extract(epoch FROM i.changed_at) * 1000000)::bigint::text AS valid_from_key,
         CASE WHEN b.uid IS NOT NULL THEN ${CHANGED_PARTS} END AS changed
       FROM states i LEFT JOIN states b ON b.valid_to = i.changed_at
       ORDER BY i.valid_to DESC NULLS FIRST LIMIT $3`,
      [uid, before, limit + 1],
    );
    const last = rows[limit - 1];
    return {
      versions: rows.slice(0, limit).map((row) => toVersion(row)),
      nextCursor: rows.length > limit && last !== undefined ? encodeCursor(list, [last.valid_from_key]) : null,
    };
  }

  async #list(
    query: ResourceQuery,
    asOf: Date | null,
    statementOf: (filter: ResourceFilter, order: ResourceOrder, key: string[] | null) => Promise<Statement>,
  ): Promise<ResourcePage> {
    checkLimit(query.limit);
    const filter = normaliseFilter(query);
    const list = listName(query, filter ?? {}, asOf);
    const order = new ResourceOrder(query.sort);
    const cursor = query.cursor ?? null;
    const key = cursor === null ? null : order.decode(list, cursor);
    if (filter === null) return { rows: [], nextCursor: null, freshness: null };
    const result = await this.#run(await statementOf(filter, order, key));
    const rows = result.rows.slice(0, query.limit);
    const last = rows.at(-1);
    const records = rows.map((row) => toResourceRecord(row, this.settings));
    return {
      rows: records,
      nextCursor: result.rows.length > query.limit && last !== undefined ? resourceCursor(list, last.cursor_key) : null,
      freshness: rangeOf(records),
    };
  }

  async #run({ text, values, merges }: Statement): Promise<SqlResult<PageRow>> {
    if (!merges) return this.database.query<PageRow>(text, values);
    return this.database.transaction(async (transaction) => {
      await transaction.query(MERGE_ONLY);
      return transaction.query<PageRow>(text, values);
    });
  }

  /** How the rows with the wanted tags are found: see `TagAccess`. */
  async #tagAccess(filter: ResourceFilter, order: ResourceOrder): Promise<TagAccess> {
    const tags = Object.entries(filter.tags ?? {});
    if (tags.length === 0) return 'none';
    if (order.field === 'name') return 'merge';
    const { rows } = await this.database.query<{ fewest: string }>(
      `SELECT min(counted.number) AS fewest
       FROM unnest($1::text[], $2::text[]) AS wanted (key, value)
       CROSS JOIN LATERAL (
         SELECT count(*) AS number
         FROM (SELECT FROM resource_tag WHERE tag = tag_key(wanted.key, wanted.value) LIMIT $3 + 1) AS some
       ) AS counted`,
      [tags.map(([key]) => key), tags.map(([, value]) => value), SORTABLE_ROWS],
    );
    return Number(rows[0]?.fewest ?? 0) <= SORTABLE_ROWS ? 'sort' : 'probe';
  }

  async #edgesOf(uids: readonly string[], query: GraphQuery, limit: number): Promise<RelationEdge[]> {
    const from = `SELECT e.from_uid, e.to_uid, e.type FROM relation e JOIN resource r ON r.uid = e.to_uid
      WHERE e.from_uid = ANY($1::uuid[]) AND r.deleted_at IS NULL`;
    const to = `SELECT e.from_uid, e.to_uid, e.type FROM relation e JOIN resource r ON r.uid = e.from_uid
      WHERE e.to_uid = ANY($1::uuid[]) AND r.deleted_at IS NULL`;
    const text = { out: from, in: to, both: `${from} UNION ${to}` }[query.direction];
    const { rows } = await this.database.query<{ from_uid: string; to_uid: string; type: RelationEdge['type'] }>(
      `SELECT DISTINCT from_uid, to_uid, type FROM (${text}) AS edges ORDER BY from_uid, type, to_uid LIMIT $2`,
      [uids, limit],
    );
    return rows.map((row) => ({ fromUid: row.from_uid, toUid: row.to_uid, type: row.type }));
  }
}

interface Statement {
  text: string;
  values: unknown[];
  /** Whether the statement joins lists that must be merged in their order: see `MERGE_ONLY`. */
  merges: boolean;
}

/**
 * Where tags are wanted, rows are found in one of these ways:
 * - `merge`: in the order by name. A tag is a list in that order, and so is what any other filter leaves: such lists are
 *   merged until the page is full, or the members of a short one looked up in the others.
 * - `sort`: in another order, where a tag is rare. The rows with the tag are sorted.
 * - `probe`: in another order, where the tags are common. The rows are walked in order and looked up in the lists.
 */
type TagAccess = 'none' | 'merge' | 'sort' | 'probe';

/** What can be sorted within the time that a page may take. */
const SORTABLE_ROWS = 5_000;

/**
 * For the planner, name and uid are independent of each other, so it expects a join over both to give next to nothing, and
 * would rather hash and sort two lists of a million than merge them and stop after a page.
 */
const MERGE_ONLY = `
  SET LOCAL enable_sort = off;
  SET LOCAL enable_incremental_sort = off;
  SET LOCAL enable_hashjoin = off;
  SET LOCAL max_parallel_workers_per_gather = 0`;

interface RowsWanted {
  filter: ResourceFilter;
  order: ResourceOrder;
  key: string[] | null;
  limit: number;
  tags: TagAccess;
}

/** Collects the parameters of a statement. */
class Parameters {
  readonly values: unknown[] = [];

  /** @returns how the statement refers to it. */
  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  addAll(values: readonly unknown[] | null): string[] | null {
    return values === null ? null : values.map((value) => this.add(value));
  }
}

function pageStatement(wanted: RowsWanted): Statement {
  const { order } = wanted;
  const parameters = new Parameters();
  const rows = livingRows(wanted, [], order.columns, parameters.addAll(wanted.key), parameters);
  const text = `
    WITH page AS MATERIALIZED (${rows.text})
    SELECT ${WITH_FRESHNESS}, ${order.keyOf('page')} AS cursor_key
    FROM page JOIN resource r USING (uid) ${SCOPE_OF_ROW}
    ORDER BY ${order.orderBy('page')}`;
  return { text, values: parameters.values, merges: rows.merges };
}

/** The present state where it was there already, otherwise the past one. */
function pastStatement(wanted: RowsWanted, instant: Date): Statement {
  const { filter, order, limit } = wanted;
  const parameters = new Parameters();
  const at = parameters.add(instant);
  const key = parameters.addAll(wanted.key);
  const present = livingRows(wanted, [`r.changed_at <= ${at}`], order.columns, key, parameters);
  const past = [
    `v.changed_at <= ${at} AND v.valid_to > ${at}`,
    ...conditionsOf(filter, 'v', parameters),
    ...(filter.tags === undefined ? [] : [`v.tags @> ${parameters.add(databaseJson(filter.tags))}::jsonb`]),
    ...(key === null ? [] : [order.isAfter('v', key)]),
  ];
  const text = `
    WITH present AS MATERIALIZED (${present.text})
    SELECT state.*, NULL::timestamptz AS last_complete_at, NULL::text AS last_complete_source,
      ${order.keyOf('state')} AS cursor_key
    FROM (
      SELECT ${stateColumns('r')}, r.changed_at FROM present JOIN resource r USING (uid)
      UNION ALL
      (SELECT ${stateColumns('v')}, v.changed_at FROM (SELECT *, valid_from AS changed_at FROM resource_version) v
       WHERE ${past.join(' AND ')} ORDER BY ${order.orderBy('v')} LIMIT ${limit})
    ) AS state
    ORDER BY ${order.orderBy('state')} LIMIT ${limit}`;
  return { text, values: parameters.values, merges: present.merges };
}

/** The keys of the living rows: index entries only, since the rows themselves are wide and lie apart. */
function livingRows(
  { filter, order, limit, tags: access }: RowsWanted,
  conditions: readonly string[],
  columns: readonly string[],
  key: string[] | null,
  parameters: Parameters,
): { text: string; merges: boolean } {
  const ofRow = [...conditions, ...conditionsOf(filter, 'r', parameters)];
  const tags = Object.entries(filter.tags ?? {});
  const tagOf = ([name, value]: [string, string]): string =>
    `tag_key(${parameters.add(name)}::text, ${parameters.add(value)}::text)`;
  const lists = tags.slice(0, TAG_LISTS).map((tag, position) => ({ alias: `tag${position}`, tag: tagOf(tag) }));
  if (tags.length > TAG_LISTS) ofRow.push(`r.tags @> ${parameters.add(databaseJson(filter.tags))}::jsonb`);

  const from: string[] = [];
  const where: string[] = [];
  // A tag has living rows only, so a single list can be the whole answer.
  if (access !== 'merge' || ofRow.length > 0) {
    from.push('resource r');
    where.push('r.deleted_at IS NULL', ...ofRow);
    if (key !== null) where.push(order.isAfter('r', key));
  }
  for (const { alias, tag } of lists) {
    if (access === 'probe') {
      where.push(
        `EXISTS (SELECT FROM resource_tag ${alias}
          WHERE ${alias}.tag = ${tag} AND ${alias}.name = r.name AND ${alias}.uid = r.uid OFFSET 0)`,
      );
      continue;
    }
    const isFirst = from.length === 0;
    from.push(
      isFirst
        ? `resource_tag ${alias}`
        : `JOIN resource_tag ${alias} ON (${alias}.name, ${alias}.uid) = (first.name, first.uid)`,
    );
    where.push(`${alias}.tag = ${tag}`);
    // Said of every list, since the planner does not carry a row comparison over to what is joined.
    if (key !== null && access === 'merge') where.push(order.isAfter(alias, key));
  }
  const first = from[0]?.split(' ')[1] ?? 'r';
  const text = `
    SELECT ${columns.map((column) => `${first}.${column}`).join(', ')}
    FROM ${from.join(' ').replaceAll('first.', `${first}.`)}
    WHERE ${where.join(' AND ')}
    ORDER BY ${order.orderBy(first)} LIMIT ${limit}`;
  return { text, merges: access === 'merge' && from.length > 1 };
}

/** Everything but the tags. */
function conditionsOf(filter: ResourceFilter, alias: string, parameters: Parameters): string[] {
  const conditions: string[] = [];
  const add = (value: unknown, condition: (parameter: string) => string): void => {
    if (value !== undefined) conditions.push(condition(parameters.add(value)));
  };
  const [kind, ...otherKinds] = filter.kinds ?? [];
  if (otherKinds.length === 0) add(kind, (value) => `${alias}.kind = ${value}`);
  else add(filter.kinds, (value) => `${alias}.kind = ANY(${value}::text[])`);
  const [health, ...otherHealth] = filter.health ?? [];
  if (otherHealth.length === 0) add(health, (value) => `${alias}.health = ${value}`);
  else add(filter.health, (value) => `${alias}.health = ANY(${value}::text[])`);
  add(filter.uids, (value) => `${alias}.uid = ANY(${value}::uuid[])`);
  add(filter.location, (value) => `${alias}.location = ${value}`);
  add(filter.subscriptionId, (value) => `${alias}.subscription_id = ${value}`);
  add(filter.resourceGroup, (value) => `lower(${alias}.resource_group) = ${value}`);
  add(filter.clusterUid, (value) => `${alias}.cluster_uid = ${value}::uuid`);
  add(filter.namespace, (value) => `${alias}.namespace = ${value}`);
  add(filter.name, (value) => `${alias}.name = ${value}`);
  add(
    filter.q === undefined ? undefined : `%${filter.q.replaceAll(/[\\%_]/g, '\\$&')}%`,
    (value) => `${alias}.name ILIKE ${value}`,
  );
  return conditions;
}

function toVersion(row: VersionRow): ResourceVersion {
  return {
    uid: row.uid,
    validFrom: row.changed_at,
    validTo: row.valid_to,
    location: textOrNull(row.location),
    provisioningState: textOrNull(row.provisioning_state),
    health: { state: row.health, reason: row.health_reason },
    tags: row.tags,
    properties: row.properties,
    source: row.source,
    changed: row.changed,
  };
}

function rangeOf(records: readonly ResourceRecord[]): FreshnessRange | null {
  const [first, ...others] = records.map((record) => record.freshness.observedAt);
  if (first === undefined) return null;
  let [oldest, newest] = [first, first];
  for (const moment of others) {
    if (moment < oldest) oldest = moment;
    if (moment > newest) newest = moment;
  }
  return { oldest, newest };
}

function checkLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAXIMUM_PAGE_SIZE) return;
  throw new ControlError('INVALID_REQUEST', `A page has from 1 to ${MAXIMUM_PAGE_SIZE} items.`, {
    violations: [{ path: 'limit', message: `It must be a whole number from 1 to ${MAXIMUM_PAGE_SIZE}.` }],
  });
}

/** Microseconds since 1970. */
function decodeMoment(list: string, cursor: string): string {
  const [moment] = decodeCursor(list, 1, cursor);
  if (typeof moment === 'string' && /^-?\d{1,17}$/.test(moment)) return moment;
  throw new ControlError('INVALID_CURSOR', 'The cursor was not issued by this list.', {
    remedy: 'Start again without a cursor.',
  });
}

function momentOf(parameter: string): string {
  return `timestamptz 'epoch' + ${parameter}::bigint * interval '1 microsecond'`;
}
