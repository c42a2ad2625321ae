import type { JsonObject } from '#libs/kernel/json.js';
import type { Health, HealthState, ObservationSource, RelationType } from '#libs/systems/contract/observation.js';

/** When and from where the shown state was last known to be true. */
export interface Freshness {
  observedAt: Date;
  source: ObservationSource;
}

/** One object of the cache, as it was last observed. */
export interface ResourceRecord {
  uid: string;
  kind: string;
  /** As seen on the wire. */
  id: string;
  canonicalId: string;
  name: string;
  location: string | null;
  subscriptionId: string | null;
  resourceGroup: string | null;
  clusterUid: string | null;
  namespace: string | null;
  provisioningState: string | null;
  health: Health;
  tags: Record<string, string>;
  /** Raw, as observed. */
  properties: JsonObject;
  etag: string | null;
  /** First seen; an object that was gone and came back keeps it. */
  createdAt: Date;
  /** Since when it has been in this state (see `state-hash.ts` for what makes a state). */
  changedAt: Date;
  freshness: Freshness;
}

/** The oldest and the newest observation of a page. */
export interface FreshnessRange {
  oldest: Date;
  newest: Date;
}

export interface ResourcePage {
  rows: ResourceRecord[];
  nextCursor: string | null;
  /** Null for a page without rows. */
  freshness: FreshnessRange | null;
}

export interface RelationEdge {
  fromUid: string;
  toUid: string;
  type: RelationType;
}

export interface ResourceGraph {
  /** The root first, then by distance. */
  nodes: ResourceRecord[];
  /** Both ends are among the nodes. */
  edges: RelationEdge[];
  /** Whether a limit cut something off. */
  truncated: boolean;
}

/** One distinct state of an object and the time in which it was true. */
export interface ResourceVersion {
  uid: string;
  validFrom: Date;
  /** Null while it is the present state. */
  validTo: Date | null;
  location: string | null;
  provisioningState: string | null;
  health: Health;
  tags: Record<string, string>;
  properties: JsonObject;
  source: ObservationSource;
  /** What differs from the state before it, named as in `ChangeRecord.changed`; null where nothing older is kept. */
  changed: string[] | null;
}

export interface ResourceVersionPage {
  versions: ResourceVersion[];
  nextCursor: string | null;
}

export const CHANGE_TYPES = ['created', 'updated', 'deleted'] as const;
export type ChangeType = (typeof CHANGE_TYPES)[number];

/** One entry of the change feed. */
export interface ChangeRecord {
  /** Opaque: the position after this change. */
  cursor: string;
  type: ChangeType;
  /** When the new state was observed. */
  at: Date;
  uid: string;
  kind: string;
  id: string;
  name: string;
  subscriptionId: string | null;
  clusterUid: string | null;
  namespace: string | null;
  /**
   * `location`, `provisioningState`, `health`, `healthReason`, `tags`, `relations`, `kind`, and `properties.x` for each member
   * of the properties that differs. Empty for created and deleted.
   */
  changed: string[];
  /** Null where there is none, and before a creation. */
  provisioningStateBefore: string | null;
  /** After a deletion: the last that was known. */
  provisioningState: string | null;
  /** Null before a creation. */
  healthBefore: HealthState | null;
  health: HealthState;
}
