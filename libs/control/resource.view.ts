import type { JsonObject } from '#libs/kernel/json.js';
import type { StoredProblem } from '#libs/kernel/control-error.js';
import type { HealthState, ObservationSource, RelationType } from '#libs/systems/contract/observation.js';

/** An object as the public surface shows it. Times are ISO 8601 in UTC. */
export interface ResourceView {
  uid: string;
  kind: string;
  /** The ARM id, or for a Kubernetes object its path; as seen. */
  id: string;
  name: string;
  location: string | null;
  subscriptionId: string | null;
  resourceGroup: string | null;
  clusterUid: string | null;
  namespace: string | null;
  provisioningState: string | null;
  health: HealthState;
  healthReason: string | null;
  tags: Record<string, string>;
  /** On the generic routes raw, as observed; on the routes of a kind its typed properties. */
  properties: JsonObject;
  freshness: FreshnessView;
  changedAt: string;
}

export interface FreshnessView {
  observedAt: string;
  ageSeconds: number;
  source: ObservationSource;
}

/** A part of the estate that could not be seen, and why: what an answer cannot vouch for. */
export interface UnavailableView {
  /** The scope's key, `aks:{subscription}`. */
  scope: string;
  kinds: string[];
  subscriptionId: string | null;
  clusterUid: string | null;
  /** Never seen completely, or its last run did not see everything. */
  reason: 'never-completed' | 'partial' | 'failed' | 'stale';
  missing: string | null;
  lastCompleteAt: string | null;
  problem: StoredProblem | null;
}

export interface ResourcePageView {
  items: ResourceView[];
  nextCursor: string | null;
  /** The oldest and newest observation on this page; null on an empty one. */
  freshness: { oldest: string; newest: string } | null;
  partial: boolean;
  unavailable: UnavailableView[];
}

export interface ResourceGraphView {
  /** The uid that was asked for. */
  root: string;
  nodes: ResourceView[];
  edges: { from: string; to: string; type: RelationType }[];
  /** Whether the limit of nodes cut something off. */
  truncated: boolean;
}

export interface ResourceVersionView {
  validFrom: string;
  /** Null while it is the present state. */
  validTo: string | null;
  provisioningState: string | null;
  health: HealthState;
  healthReason: string | null;
  tags: Record<string, string>;
  properties: JsonObject;
  source: ObservationSource;
  /** The names of the parts that differ from the state before; null where nothing older is kept. */
  changed: string[] | null;
}

export interface ChangeView {
  /** Opaque; `after=` takes it. */
  cursor: string;
  type: 'created' | 'updated' | 'deleted';
  at: string;
  uid: string;
  kind: string;
  name: string;
  id: string;
  clusterUid: string | null;
  namespace: string | null;
  subscriptionId: string | null;
  /** The names of the parts that differ from the state before. */
  changed: string[];
  /** Null where there is none, and before a creation. */
  provisioningStateBefore: string | null;
  /** After a deletion: the last that was known. */
  provisioningState: string | null;
  /** Null before a creation. */
  healthBefore: HealthState | null;
  health: HealthState;
}
