import type { JsonObject } from '#libs/kernel/json.js';
import type { HealthState, ObservationSource } from '#libs/systems/contract/observation.js';
import { effectiveFreshness, type LagSettings } from './freshness.rule.js';
import type { ResourceRecord } from './resource.record.js';

/** A row of `resource`, or of `resource_version` with `changed_at` for its `valid_from`, as the driver gives it. */
export interface ResourceRow {
  uid: string;
  cluster_uid: string | null;
  observed_at: Date;
  changed_at: Date;
  created_at: Date;
  source: ObservationSource;
  kind: string;
  name: string;
  location: string;
  provisioning_state: string;
  health: HealthState;
  health_reason: string | null;
  namespace: string | null;
  subscription_id: string | null;
  resource_group: string | null;
  etag: string | null;
  id: string;
  canonical_id: string;
  tags: Record<string, string>;
  properties: JsonObject;
  /** The last complete run of the row's scope. */
  last_complete_at: Date | null;
  last_complete_source: ObservationSource | null;
}

const COLUMNS = [
  ...['uid', 'cluster_uid', 'observed_at', 'created_at', 'source', 'kind', 'name', 'location', 'provisioning_state'],
  ...[
    'health',
    'health_reason',
    'namespace',
    'subscription_id',
    'resource_group',
    'etag',
    'id',
    'canonical_id',
    'tags',
  ],
  'properties',
];

/** The columns that the tables `resource` and `resource_version` share, of the given alias. */
export function stateColumns(alias: string): string {
  return COLUMNS.map((column) => `${alias}.${column}`).join(', ');
}

export function toResourceRecord(row: ResourceRow, settings: LagSettings): ResourceRecord {
  const { last_complete_at: observedAt, last_complete_source: source } = row;
  return {
    uid: row.uid,
    kind: row.kind,
    id: row.id,
    canonicalId: row.canonical_id,
    name: row.name,
    location: textOrNull(row.location),
    subscriptionId: row.subscription_id,
    resourceGroup: row.resource_group,
    clusterUid: row.cluster_uid,
    namespace: row.namespace,
    provisioningState: textOrNull(row.provisioning_state),
    health: { state: row.health, reason: row.health_reason },
    tags: row.tags,
    properties: row.properties,
    etag: row.etag,
    createdAt: row.created_at,
    changedAt: row.changed_at,
    freshness: effectiveFreshness(
      { observedAt: row.observed_at, source: row.source },
      observedAt === null || source === null ? null : { observedAt, source },
      settings,
    ),
  };
}

/** The tables write '' for "none" in the columns that pages are ordered by. */
export function textOrNull(text: string): string | null {
  return text === '' ? null : text;
}
