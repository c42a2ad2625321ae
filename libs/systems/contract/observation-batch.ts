import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Observation } from './observation.js';

/** What a collector yields at once: small enough for one statement of the cache. */
export const LARGEST_BATCH = 500;

export interface MappedPage {
  /** At most `LARGEST_BATCH` in each; no object twice in one. */
  batches: Observation[][];
  /** Present where an item could not be understood: the page is then not complete. */
  problem?: ControlError;
}

/** Maps the items of a page, keeping the good ones where some cannot be understood. */
export function mapPage(items: readonly JsonObject[], map: (item: JsonObject) => Observation[]): MappedPage {
  const byId = new Map<string, Observation>();
  let problem: ControlError | undefined;
  for (const item of items) {
    try {
      for (const observation of map(item)) byId.set(observation.canonicalId, observation);
    } catch (error) {
      if (!(error instanceof ControlError) || error.code !== 'AZURE_UNEXPECTED_ANSWER') throw error;
      problem = error;
    }
  }
  const observations = [...byId.values()];
  const batches: Observation[][] = [];
  for (let start = 0; start < observations.length; start += LARGEST_BATCH) {
    batches.push(observations.slice(start, start + LARGEST_BATCH));
  }
  return { batches, ...(problem === undefined ? {} : { problem }) };
}
