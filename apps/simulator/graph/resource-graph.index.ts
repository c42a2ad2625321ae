import type { JsonObject } from '#libs/kernel/json.js';
import { objectAt, pick, textAt } from '../json-merge.js';
import { OrderedKeys } from '../ordered-keys.js';
import type { ResourceChange, StoredResource } from '../resource.store.js';
import { GROUP_TYPE, SUBSCRIPTION_TYPE } from '../resource-type.registry.js';

/** A row as the tables of Resource Graph hold it, with the table it is in. */
export interface GraphRow {
  table: string;
  row: JsonObject;
}

interface PendingChange {
  key: string;
  at: number;
  row: GraphRow | undefined;
}

const CATCH_UP_EVERY = 1000;

/** The lagging copy of all resources that Resource Graph answers from: a change shows some seconds after it happened. */
export class ResourceGraphIndex {
  readonly #rows = new Map<string, JsonObject>();
  readonly #tables = new Map<string, OrderedKeys>();
  #pending: PendingChange[] = [];
  #sinceCatchUp = 0;

  constructor(
    private readonly rowOf: (resource: StoredResource) => GraphRow | undefined,
    /** Changes of that time and before are visible. */
    private readonly horizon: () => number,
  ) {}

  /** Rows are made when the change happens: what is shown later is what was true then. */
  observe(change: ResourceChange): void {
    const row = change.after === undefined ? undefined : this.rowOf(change.after);
    this.#pending.push({ key: change.key, at: change.at, row });
    // Where nobody queries, what waits must not grow for ever.
    if (++this.#sinceCatchUp >= CATCH_UP_EVERY) this.catchUp();
  }

  /** Takes in what has become visible. */
  catchUp(): void {
    this.#sinceCatchUp = 0;
    if (this.#pending.length === 0) return;
    const until = this.horizon();
    // Settled operations report times that lie before changes already noted, so the whole list is looked at.
    const ready = this.#pending.filter((change) => change.at <= until).sort((left, right) => left.at - right.at);
    if (ready.length === 0) return;
    this.#pending = this.#pending.filter((change) => change.at > until);
    for (const change of ready) this.#apply(change.key, change.row);
  }

  /** Starts again with these resources, all of them visible. */
  rebuild(resources: Iterable<StoredResource>): void {
    this.#rows.clear();
    this.#tables.clear();
    this.#pending = [];
    for (const resource of resources) this.#apply(resource.key, this.rowOf(resource));
  }

  /** Rows of a table in the order of their ids; undefined when there is no such table. */
  *rows(table: string): Generator<JsonObject> {
    for (const key of this.#tables.get(table)?.all() ?? []) yield this.#rows.get(key)!;
  }

  #apply(key: string, row: GraphRow | undefined): void {
    if (row === undefined) {
      this.#rows.delete(key);
      for (const keys of this.#tables.values()) keys.delete(key);
      return;
    }
    this.#rows.set(key, row.row);
    const keys = this.#tables.get(row.table) ?? new OrderedKeys();
    this.#tables.set(row.table, keys);
    keys.add(key);
  }
}

/** A resource's row; Resource Graph writes types and group names in lower case. */
export function graphRow(resource: StoredResource, rendered: JsonObject, tenantId: string): JsonObject {
  return {
    id: resource.id,
    name: resource.name,
    type: resource.type,
    tenantId,
    kind: textAt(rendered, 'kind') ?? '',
    location: textAt(rendered, 'location') ?? '',
    resourceGroup: resource.resourceGroup?.toLowerCase() ?? '',
    subscriptionId: resource.subscriptionId,
    managedBy: textAt(rendered, 'managedBy') ?? '',
    sku: rendered.sku ?? null,
    plan: rendered.plan ?? null,
    properties: objectAt(rendered, 'properties'),
    tags: rendered.tags ?? null,
    identity: rendered.identity ?? null,
    zones: rendered.zones ?? null,
    extendedLocation: rendered.extendedLocation ?? null,
    systemData: rendered.systemData ?? null,
  };
}

/** The row of a subscription or a resource group in `resourcecontainers`; undefined for anything else. */
export function containerRow(resource: StoredResource, tenantId: string): JsonObject | undefined {
  const type =
    resource.type === GROUP_TYPE
      ? 'microsoft.resources/subscriptions/resourcegroups'
      : resource.type === SUBSCRIPTION_TYPE
        ? SUBSCRIPTION_TYPE
        : undefined;
  if (type === undefined) return undefined;
  const isGroup = resource.type === GROUP_TYPE;
  return {
    ...graphRow(resource, resource.body, tenantId),
    type,
    name: isGroup ? resource.name : (textAt(resource.body, 'displayName') ?? resource.name),
    resourceGroup: isGroup ? resource.name.toLowerCase() : '',
    properties: isGroup
      ? pick(objectAt(resource.body, 'properties'), ['provisioningState'])
      : pick(resource.body, ['state', 'subscriptionPolicies']),
    systemData: null,
  };
}
