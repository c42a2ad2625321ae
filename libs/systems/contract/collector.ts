import type { ControlError } from '#libs/kernel/control-error.js';
import type { Observation } from './observation.js';
import type { ResourceTarget } from './resource-target.js';

/** A unit of sync: what one run of `collect` covers. Whatever lies in it and is not seen by a complete run is gone. */
export interface CollectionScope {
  /** Unique and stable, `{collector}:{subscription id}`. */
  key: string;
  collector: string;
  kinds: readonly string[];
  subscriptionId: string | null;
  clusterUid: string | null;
}

/** A partial run deletes nothing: `missing` says in words what could not be seen. */
export type CollectionOutcome = { state: 'complete' } | { state: 'partial'; problem: ControlError; missing: string };

export type ObservationResult =
  { state: 'present'; observations: Observation[] } | { state: 'absent'; observedAt: Date };

export interface CollectContext {
  signal: AbortSignal;
  correlationId: string;
}

/** Who can be asked for one object. */
export interface Observer {
  readonly kinds: readonly string[];
  /**
   * The truth about one object, with whatever comes along (a cluster's pools). `absent` only when the owner said that it
   * is not there.
   * @throws ControlError when its owner could not be asked.
   */
  observe(target: ResourceTarget, context: CollectContext): Promise<ObservationResult>;
}

/**
 * What a system puts into the cache. Obligations: it yields bounded batches, respects the signal, never yields an
 * object that it did not see, and ends `partial` (or throws) rather than leaving something out silently.
 */
export interface Collector extends Observer {
  readonly name: string;
  /** Pure: the scopes there are for these subscriptions. */
  scopes(subscriptionIds: readonly string[]): CollectionScope[];
  /** @throws ControlError when nothing at all could be seen. */
  collect(scope: CollectionScope, context: CollectContext): AsyncGenerator<Observation[], CollectionOutcome, void>;
}
