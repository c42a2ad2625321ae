import { canonicalLocation } from '#libs/kernel/arm-id.js';
import { canonicalHash } from '#libs/kernel/canonical-json.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { decodeCursor } from '#libs/kernel/page.js';
import { isUuid } from '#libs/kernel/resource-uid.js';
import { HEALTH_STATES } from '#libs/systems/contract/observation.js';
import type { ResourceFilter, ResourceQuery, ResourceSort, ResourceSortField } from './resource.query.js';

/** The escape in JSON text; a backslash of the text itself is doubled there. */
const HOLDS_NUL = /(?<!\\)(?:\\\\)*\\u0000/;

/**
 * A filter brought into the spelling of the table: values deduplicated and in canonical case, filters that exclude nothing
 * left out. Null when it can match nothing, for instance because Postgres could not even hold such a value.
 */
export function normaliseFilter(filter: ResourceFilter): ResourceFilter | null {
  const health = filter.health === undefined ? undefined : [...new Set(filter.health)].sort();
  const kinds = filter.kinds === undefined ? undefined : [...new Set(filter.kinds)].sort();
  const uids = filter.uids === undefined ? undefined : [...new Set(filter.uids.filter(isUuid).map(lower))].sort();
  if (kinds?.length === 0 || uids?.length === 0 || health?.length === 0) return null;
  if (filter.clusterUid !== undefined && !isUuid(filter.clusterUid)) return null;
  const tags = filter.tags === undefined || Object.keys(filter.tags).length === 0 ? undefined : filter.tags;
  const normal: ResourceFilter = {
    kinds,
    uids,
    location: filter.location === undefined ? undefined : canonicalLocation(filter.location),
    subscriptionId: filter.subscriptionId?.toLowerCase(),
    resourceGroup: filter.resourceGroup?.toLowerCase(),
    clusterUid: filter.clusterUid?.toLowerCase(),
    namespace: filter.namespace,
    health: health?.length === HEALTH_STATES.length ? undefined : health,
    name: filter.name,
    q: filter.q === '' ? undefined : filter.q,
    tags,
  };
  return HOLDS_NUL.test(JSON.stringify(normal)) ? null : normal;
}

/** A column that a page is ordered by, and how its values travel in a cursor. */
interface SortColumn {
  column: string;
  /** `moment`: microseconds since 1970 as text, since neither JSON nor a Date holds them all. */
  type: 'text' | 'moment';
}

const SORT_COLUMNS: Record<ResourceSortField, SortColumn> = {
  name: { column: 'name', type: 'text' },
  kind: { column: 'kind', type: 'text' },
  location: { column: 'location', type: 'text' },
  provisioningState: { column: 'provisioning_state', type: 'text' },
  health: { column: 'health', type: 'text' },
  changedAt: { column: 'changed_at', type: 'moment' },
  createdAt: { column: 'created_at', type: 'moment' },
};

/** The order of a list: by one column, then by name, then by uid, all in one direction. */
export class ResourceOrder {
  readonly field: ResourceSortField;
  readonly descending: boolean;
  readonly #sort: SortColumn;

  constructor(sort: ResourceSort = 'name') {
    this.descending = sort.startsWith('-');
    this.field = (this.descending ? sort.slice(1) : sort) as ResourceSortField;
    this.#sort = SORT_COLUMNS[this.field];
  }

  /** The columns that decide the order. */
  get columns(): string[] {
    return this.field === 'name' ? ['name', 'uid'] : [this.#sort.column, 'name', 'uid'];
  }

  /** `ORDER BY` over the columns of this alias. */
  orderBy(alias: string): string {
    return this.columns.map((column) => `${alias}.${column}${this.descending ? ' DESC' : ''}`).join(', ');
  }

  /** A row comparison that goes on after a cursor's key, whose parts are these parameters. */
  isAfter(alias: string, parameters: readonly string[]): string {
    const values = parameters.map((parameter, position) => {
      if (position === parameters.length - 1) return `${parameter}::uuid`;
      return position === 0 && this.#sort.type === 'moment'
        ? `timestamptz 'epoch' + ${parameter}::bigint * interval '1 microsecond'`
        : `${parameter}::text`;
    });
    const columns = this.columns.map((column) => `${alias}.${column}`);
    return `(${columns.join(', ')}) ${this.descending ? '<' : '>'} (${values.join(', ')})`;
  }

  /** What a statement selects, as `cursor_key`, for the cursor after a row. */
  keyOf(alias: string): string {
    const parts = this.columns.map((column, position) =>
      position === 0 && this.#sort.type === 'moment'
        ? `(extract(epoch FROM ${alias}.${column}) * 1000000)::bigint::text`
        : `${alias}.${column}::text`,
    );
    return `ARRAY[${parts.join(', ')}]`;
  }

  /**
   * The key in a cursor of this order.
   * @throws ControlError INVALID_CURSOR
   */
  decode(list: string, cursor: string): string[] {
    const key = decodeCursor(list, this.columns.length, cursor);
    const isValid = key.every((part, position): part is string => {
      if (typeof part !== 'string' || part.includes('\0')) return false;
      if (position === key.length - 1) return isUuid(part);
      return position > 0 || this.#sort.type === 'text' || /^-?\d{1,17}$/.test(part);
    });
    if (isValid) return key;
    throw new ControlError('INVALID_CURSOR', 'The cursor was not issued by this list.', {
      remedy: 'Start again without a cursor.',
    });
  }
}

/** A name for the list that a query describes: its cursors are good for this list only. */
export function listName(query: ResourceQuery, filter: ResourceFilter, asOf: Date | null): string {
  return `resources ${canonicalHash([filter, query.sort ?? 'name', asOf]).slice(0, 16)}`;
}

/** Collects the parameters of a statement. */
export class Parameters {
  readonly values: unknown[] = [];

  /** @returns how the statement refers to it. */
  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  addAll(values: readonly unknown[]): string[] {
    return values.map((value) => this.add(value));
  }
}

/** What a normalised filter asks of a row of this alias; everything but the tags, which each reader finds in its own way. */
export function conditionsOf(filter: ResourceFilter, alias: string, parameters: Parameters): string[] {
  const conditions: string[] = [];
  const add = (value: unknown, condition: (parameter: string) => string): void => {
    if (value !== undefined) conditions.push(condition(parameters.add(value)));
  };
  const oneOf = (values: readonly string[] | undefined, column: string): void => {
    const [first, ...others] = values ?? [];
    if (others.length === 0) add(first, (value) => `${alias}.${column} = ${value}`);
    else add(values, (value) => `${alias}.${column} = ANY(${value}::text[])`);
  };
  oneOf(filter.kinds, 'kind');
  oneOf(filter.health, 'health');
  add(filter.uids, (value) => `${alias}.uid = ANY(${value}::uuid[])`);
  add(filter.location, (value) => `${alias}.location = ${value}`);
  add(filter.subscriptionId, (value) => `${alias}.subscription_id = ${value}`);
  add(filter.resourceGroup, (value) => `lower(${alias}.resource_group) = ${value}`);
  add(filter.clusterUid, (value) => `${alias}.cluster_uid = ${value}::uuid`);
  add(filter.namespace, (value) => `${alias}.namespace = ${value}`);
  add(filter.name, (value) => `${alias}.name = ${value}`);
  add(likePattern(filter.q), (value) => `${alias}.name ILIKE ${value}`);
  return conditions;
}

function likePattern(part: string | undefined): string | undefined {
  return part === undefined ? undefined : `%${part.replaceAll(/[\\%_]/g, '\\$&')}%`;
}

function lower(text: string): string {
  return text.toLowerCase();
}
