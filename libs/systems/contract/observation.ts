import type { JsonObject } from '#libs/kernel/json.js';

export const HEALTH_STATES = ['Healthy', 'Progressing', 'Degraded', 'Unknown'] as const;
export type HealthState = (typeof HEALTH_STATES)[number];

/** Where an observation came from; the order of trust is OPERATION = ARM = WATCH > RESOURCE_GRAPH (its index lags). */
export const OBSERVATION_SOURCES = ['RESOURCE_GRAPH', 'ARM', 'WATCH', 'OPERATION'] as const;
export type ObservationSource = (typeof OBSERVATION_SOURCES)[number];

/**
 * Read as "from `type` to": a member is memberOf a fleet, a cluster owns a pool, a member runsOn a cluster, an update run
 * follows a strategy and updates a member. `locatedIn` is
 * not claimed: whatever has a `clusterUid` is locatedIn that cluster.
 */
export const RELATION_TYPES = [
  'memberOf',
  'hosts',
  'runsOn',
  'locatedIn',
  'placedOn',
  'exports',
  'burstsTo',
  'scheduledOn',
  'owns',
  'follows',
  'updates',
] as const;
export type RelationType = (typeof RELATION_TYPES)[number];

/**
 * A relation that the observed object itself tells of. Either end may be the object; the other end need not have been
 * observed yet. When the object is observed again, its earlier claims are replaced by the new ones.
 */
export interface RelationClaim {
  type: RelationType;
  /** Canonical id. */
  from: string;
  /** Canonical id. */
  to: string;
}

export interface Health {
  state: HealthState;
  /** One sentence, or null where the state needs none. */
  reason: string | null;
}

/** One object as it was seen at one moment: what a collector hands to the cache. */
export interface Observation {
  kind: string;
  /** As seen on the wire. */
  id: string;
  /** The key: see `ArmId.canonical`. The uid is derived from it. */
  canonicalId: string;
  name: string;
  /** Canonical region name, or null. */
  location: string | null;
  subscriptionId: string | null;
  resourceGroup: string | null;
  clusterUid: string | null;
  namespace: string | null;
  provisioningState: string | null;
  health: Health;
  tags: Record<string, string>;
  /** Raw, as observed: nothing that we do not know is lost. */
  properties: JsonObject;
  etag: string | null;
  /** When the question was sent, so that the answer is never older than said. */
  observedAt: Date;
  source: ObservationSource;
  relations: RelationClaim[];
}
