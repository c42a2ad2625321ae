import { ControlError } from '#libs/kernel/control-error.js';
import { decodeCursor, encodeCursor, MAXIMUM_PAGE_SIZE } from '#libs/kernel/page.js';
import { isUuid, resourceUid } from '#libs/kernel/resource-uid.js';
import type { Database } from '#libs/database/database.js';
import type { Sql } from '#libs/database/sql.js';
import { databaseJson } from '#libs/database/database-json.js';
import type { LagSettings } from './freshness.rule.js';
import { CHANGED_PARTS } from './observation.repository.js';
import { conditionsOf, listName, normaliseFilter, Parameters, ResourceOrder } from './resource.filter.js';
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
import type { RelationType } from '#libs/systems/contract/observation.js';
import { type ResourceRow, stateColumns, textOrNull, toResourceRecord } from './resource.row.js';
import { TaggedResourceRepository } from './tagged-resource.repository.js';

const WITH_FRESHNESS = `${stateColumns('r')}, r.changed_at, s.last_complete_at, s.last_complete_source`;
const SCOPE_OF_ROW = 'LEFT JOIN scope s ON s.key = r.scope_key';
/** Edges that one step of a graph looks at, for each node that may still be added. */
const EDGES_A_NODE = 4;

type PageRow = ResourceRow & { cursor_key: string[] };

interface VersionRow extends ResourceRow {
  valid_to: Date | null;
  valid_from_key: string;
  changed: string[] | null;
}

/** Reads the state cache. */
export class ResourceRepository {
  readonly #tagged = new TaggedResourceRepository();

  constructor(
    private readonly database: Database,
    private readonly settings: LagSettings,
  ) {}

  /**
   * A page of the living objects, in the order asked for. Every filter and the order by name are driven by an index.
   * @throws ControlError INVALID_CURSOR when the cursor is not one of this list with these filters and this order.
   */
  async page(query: ResourceQuery): Promise<ResourcePage> {
    return this.#list(query, null, async (wanted) => {
      if (wanted.filter.tags === undefined) return this.#rows(this.database, pageStatement(wanted));
      return this.database.snapshot(async (transaction) => {
        const uids = await this.#tagged.find(transaction, wanted);
        return this.#rows(transaction, pageStatement({ ...wanted, filter: { uids }, key: null }));
      });
    });
  }

  /**
   * A page of the objects that were there at a past moment, as they were then. Their freshness is that of the observation
   * that the past state rests on.
   * @throws ControlError INVALID_CURSOR
   */
  async asOf(query: ResourceQuery, instant: Date): Promise<ResourcePage> {
    return this.#list(query, instant, async (wanted) => {
      if (wanted.filter.tags === undefined) return this.#rows(this.database, pastStatement(wanted, null, instant));
      return this.database.snapshot(async (transaction) => {
        const tagged = await this.#tagged.find(transaction, { ...wanted, unchangedSince: instant });
        return this.#rows(transaction, pastStatement(wanted, tagged, instant));
      });
    });
  }

  async find(uid: string): Promise<ResourceRecord | null> {
    return (await this.findMany([uid])).get(uid.toLowerCase()) ?? null;
  }

  async findByCanonicalId(canonicalId: string): Promise<ResourceRecord | null> {
    return this.find(resourceUid(canonicalId));
  }

  /** The id of an object, also of one that is gone. */
  async findId(uid: string, sql: Sql = this.database): Promise<string | undefined> {
    const { rows } = await sql.query<{ id: string }>(`SELECT id FROM resource WHERE uid = $1`, [uid]);
    return rows[0]?.id;
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
   * number of relations of the given objects: OFFSET 0 keeps the planner from walking the whole kind for each of them, which
   * it would do as long as the tables have not been analysed.
   */
  async related(
    uids: readonly string[],
    query: RelatedQuery,
    limitPerUid: number,
  ): Promise<Map<string, ResourceRecord[]>> {
    const related = new Map<string, ResourceRecord[]>(uids.map((uid) => [uid, []]));
    const known = [...related.keys()].filter(isUuid);
    if (known.length === 0) return related;
    const { rows } = await this.database.query<ResourceRow & { origin: string }>(
      `SELECT origin.uid AS origin, ${WITH_FRESHNESS}
       FROM unnest($1::uuid[]) AS origin (uid)
       CROSS JOIN LATERAL (
         SELECT other.uid, other.name
         FROM (${farEnds(query)}) AS other
         WHERE other.kind = ANY($2::text[]) AND other.deleted_at IS NULL
         ORDER BY other.name, other.uid LIMIT $3
       ) AS first
       JOIN resource r ON r.uid = first.uid ${SCOPE_OF_ROW}
       ORDER BY origin.uid, first.name, first.uid`,
      [known, query.kinds, limitPerUid, ...(query.type === LOCATED_IN ? [] : [query.type])],
      `inventory.related.${query.type === LOCATED_IN ? LOCATED_IN : 'claimed'}.${query.direction}`,
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
    rowsOf: (wanted: RowsWanted) => Promise<PageRow[]>,
  ): Promise<ResourcePage> {
    checkLimit(query.limit);
    const filter = normaliseFilter(query);
    const list = listName(query, filter ?? {}, asOf);
    const order = new ResourceOrder(query.sort);
    const cursor = query.cursor ?? null;
    const key = cursor === null ? null : order.decode(list, cursor);
    if (filter === null) return { rows: [], nextCursor: null, freshness: null };
    const found = await rowsOf({ filter, order, key, limit: query.limit + 1 });
    const rows = found.slice(0, query.limit);
    const last = rows.at(-1);
    const records = rows.map((row) => toResourceRecord(row, this.settings));
    return {
      rows: records,
      nextCursor: found.length > query.limit && last !== undefined ? encodeCursor(list, last.cursor_key) : null,
      freshness: rangeOf(records),
    };
  }

  async #rows(sql: Sql, { text, values }: Statement): Promise<PageRow[]> {
    return (await sql.query<PageRow>(text, values)).rows;
  }

  async #edgesOf(uids: readonly string[], query: GraphQuery, limit: number): Promise<RelationEdge[]> {
    const from = `SELECT e.from_uid, e.to_uid, e.type FROM relation e JOIN resource r ON r.uid = e.to_uid
      WHERE e.from_uid = ANY($1::uuid[]) AND r.deleted_at IS NULL
      UNION ALL SELECT r.uid, r.cluster_uid, '${LOCATED_IN}' FROM resource r
      WHERE r.uid = ANY($1::uuid[]) AND r.cluster_uid IS NOT NULL`;
    const to = `SELECT e.from_uid, e.to_uid, e.type FROM relation e JOIN resource r ON r.uid = e.from_uid
      WHERE e.to_uid = ANY($1::uuid[]) AND r.deleted_at IS NULL
      UNION ALL SELECT r.uid, r.cluster_uid, '${LOCATED_IN}' FROM resource r
      WHERE r.cluster_uid = ANY($1::uuid[]) AND r.deleted_at IS NULL`;
    const text = { out: from, in: to, both: `${from} UNION ${to}` }[query.direction];
    const { rows } = await this.database.query<{ from_uid: string; to_uid: string; type: RelationEdge['type'] }>(
      `SELECT DISTINCT from_uid, to_uid, type FROM (${text}) AS edges ORDER BY from_uid, type, to_uid LIMIT $2`,
      [uids, limit],
    );
    return rows.map((row) => ({ fromUid: row.from_uid, toUid: row.to_uid, type: row.type }));
  }
}

/** The relation that needs no claim: it is the column `cluster_uid`. */
const LOCATED_IN: RelationType = 'locatedIn';

/** What the relation leads to, whatever its kind, from `origin.uid`. */
function farEnds({ type, direction }: RelatedQuery): string {
  if (type === LOCATED_IN) {
    return direction === 'outgoing'
      ? `SELECT far_end.uid, far_end.name, far_end.kind, far_end.deleted_at
         FROM resource near_end JOIN resource far_end ON far_end.uid = near_end.cluster_uid WHERE near_end.uid = origin.uid`
      : `SELECT far_end.uid, far_end.name, far_end.kind, far_end.deleted_at
         FROM resource far_end WHERE far_end.cluster_uid = origin.uid`;
  }
  const [near, far] = direction === 'outgoing' ? ['from_uid', 'to_uid'] : ['to_uid', 'from_uid'];
  return `SELECT far_end.uid, far_end.name, far_end.kind, far_end.deleted_at
    FROM (SELECT DISTINCT ${far} AS uid FROM relation WHERE ${near} = origin.uid AND type = $4) AS ends
    JOIN resource far_end USING (uid)
    OFFSET 0`;
}

interface RowsWanted {
  filter: ResourceFilter;
  order: ResourceOrder;
  key: string[] | null;
  limit: number;
}

interface Statement {
  text: string;
  values: unknown[];
}

function pageStatement(wanted: RowsWanted): Statement {
  const { order } = wanted;
  const parameters = new Parameters();
  const text = `
    WITH page AS MATERIALIZED (${livingKeys(wanted, [], parameters)})
    SELECT ${WITH_FRESHNESS}, ${order.keyOf('page')} AS cursor_key
    FROM page JOIN resource r USING (uid) ${SCOPE_OF_ROW}
    ORDER BY ${order.orderBy('page')}`;
  return { text, values: parameters.values };
}

/** The present state where it was there already, otherwise the past one. */
function pastStatement(wanted: RowsWanted, tagged: readonly string[] | null, instant: Date): Statement {
  const { filter, order, key, limit } = wanted;
  const parameters = new Parameters();
  const at = parameters.add(instant);
  const present = [`r.changed_at <= ${at}`];
  if (tagged !== null) present.push(`r.uid = ANY(${parameters.add(tagged)}::uuid[])`);
  const past = [
    `v.changed_at <= ${at} AND v.valid_to > ${at}`,
    ...conditionsOf(filter, 'v', parameters),
    ...(filter.tags === undefined ? [] : [`v.tags @> ${parameters.add(databaseJson(filter.tags))}::jsonb`]),
    ...(key === null ? [] : [order.isAfter('v', parameters.addAll(key))]),
  ];
  const text = `
    WITH present AS MATERIALIZED (${livingKeys(wanted, present, parameters)})
    SELECT state.*, NULL::timestamptz AS last_complete_at, NULL::text AS last_complete_source,
      ${order.keyOf('state')} AS cursor_key
    FROM (
      SELECT ${stateColumns('r')}, r.changed_at FROM present JOIN resource r USING (uid)
      UNION ALL
      (SELECT ${stateColumns('v')}, v.changed_at FROM (SELECT *, valid_from AS changed_at FROM resource_version) v
       WHERE ${past.join(' AND ')} ORDER BY ${order.orderBy('v')} LIMIT ${limit})
    ) AS state
    ORDER BY ${order.orderBy('state')} LIMIT ${limit}`;
  return { text, values: parameters.values };
}

/** The keys of the rows of a page: index entries only, since the rows themselves are wide and lie apart. */
function livingKeys(
  { filter, order, key, limit }: RowsWanted,
  more: readonly string[],
  parameters: Parameters,
): string {
  const conditions = ['r.deleted_at IS NULL', ...more, ...conditionsOf(filter, 'r', parameters)];
  if (key !== null) conditions.push(order.isAfter('r', parameters.addAll(key)));
  return `SELECT ${order.columns.map((column) => `r.${column}`).join(', ')} FROM resource r
    WHERE ${conditions.join(' AND ')} ORDER BY ${order.orderBy('r')} LIMIT ${limit}`;
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
