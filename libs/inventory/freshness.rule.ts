import type { ObservationSource } from '#libs/systems/contract/observation.js';
import type { Freshness } from './resource.record.js';

/** How far Resource Graph's index may be behind what it describes. Azure gives no upper bound; this is where we stop doubting. */
export interface LagSettings {
  resourceGraphLagSeconds: number;
}

/**
 * The time (milliseconds) for which an observation certainly speaks. An answer of Resource Graph may describe its object
 * as it was up to the lag ago, every other source describes the moment of asking. Of two observations of one object, the
 * one that speaks for the later time is right; this one rule guards updates, tombstones and resurrections alike.
 */
export function trustedTime(observation: Freshness, settings: LagSettings): number {
  const lag = observation.source === 'RESOURCE_GRAPH' ? settings.resourceGraphLagSeconds * 1000 : 0;
  return observation.observedAt.getTime() - lag;
}

/**
 * A complete run of a scope has seen every living object of the scope, unchanged where nothing was written: the object is
 * as fresh as that run, unless its own observation speaks for a later time.
 */
export function effectiveFreshness(
  own: Freshness,
  lastCompleteRun: Freshness | null,
  settings: LagSettings,
): Freshness {
  if (lastCompleteRun === null) return own;
  return trustedTime(lastCompleteRun, settings) > trustedTime(own, settings) ? lastCompleteRun : own;
}

/** Of the sources that one run has used, the one that the whole run can be trusted as. */
export function leastTrusted(sources: ReadonlySet<ObservationSource>): ObservationSource {
  if (sources.size === 0 || sources.has('RESOURCE_GRAPH')) return 'RESOURCE_GRAPH';
  const [first] = sources;
  return sources.size === 1 && first !== undefined ? first : 'ARM';
}
