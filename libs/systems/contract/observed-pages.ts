import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Reading } from './arm-observation.js';
import type { CollectionOutcome } from './collector.js';
import type { Observation } from './observation.js';
import { mapPage, type MappedPage } from './observation-batch.js';

/** A page of a list of objects, as it was read. */
export interface ReadPage extends Reading {
  items: JsonObject[];
}

/** What one part of a run could not see, and why. */
export interface Shortfall {
  problem: ControlError;
  /** In words. */
  missing: string;
}

/** A run is complete when no part of it has a shortfall. */
export function collectionOutcome(...parts: readonly (Shortfall | undefined)[]): CollectionOutcome {
  const shortfalls = parts.filter((part) => part !== undefined);
  const [first] = shortfalls;
  if (first === undefined) return { state: 'complete' };
  return { state: 'partial', problem: first.problem, missing: shortfalls.map(({ missing }) => missing).join(' ') };
}

/**
 * Yields what the pages show. Items that cannot be understood are left out, and are a shortfall as the end of the pages can
 * be one.
 * @param map `mapPage` or `lookIntoPage` with what it is to do with an item.
 */
export async function* observePages(
  pages: AsyncGenerator<ReadPage, CollectedPages, void>,
  map: (items: readonly JsonObject[], reading: Reading) => MappedPage | Promise<MappedPage>,
  missing: string,
): AsyncGenerator<Observation[], Shortfall | undefined, void> {
  let unreadable: ControlError | undefined;
  for (;;) {
    const next = await pages.next();
    if (next.done === true) {
      const problem = next.value.state === 'partial' ? next.value.problem : unreadable;
      return problem === undefined ? undefined : { problem, missing };
    }
    const { items, observedAt, source } = next.value;
    const { batches, problem } = await map(items, { observedAt, source });
    unreadable ??= problem;
    yield* batches;
  }
}

/** How pages ended. */
export type CollectedPages = { state: 'complete' } | { state: 'partial'; problem: ControlError };

/** A further part of a run, which may fail as a whole: what the other parts have seen must not be thrown away with it. */
export async function* furtherPart(
  part: AsyncGenerator<Observation[], Shortfall | undefined, void>,
  missing: string,
): AsyncGenerator<Observation[], Shortfall | undefined, void> {
  try {
    return yield* part;
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    return { problem: error, missing };
  }
}

/**
 * Like `mapPage`, where more has to be read of each item.
 * @param atOnce how many items are looked into at the same time.
 */
export async function lookIntoPage(
  items: readonly JsonObject[],
  atOnce: number,
  look: (item: JsonObject) => Promise<Observation[]>,
): Promise<MappedPage> {
  const seen = new Map<JsonObject, Observation[]>();
  let problem: ControlError | undefined;
  for (let start = 0; start < items.length; start += atOnce) {
    const part = items.slice(start, start + atOnce);
    const looks = await Promise.all(part.map((item) => lookInto(item, look)));
    for (const [index, result] of looks.entries()) {
      if (result instanceof ControlError) problem ??= result;
      else seen.set(part[index]!, result);
    }
  }
  const { batches } = mapPage([...seen.keys()], (item) => seen.get(item) ?? []);
  return { batches, ...(problem === undefined ? {} : { problem }) };
}

/** A problem with one object leaves that object out, and no other. */
async function lookInto(
  item: JsonObject,
  look: (item: JsonObject) => Promise<Observation[]>,
): Promise<Observation[] | ControlError> {
  try {
    return await look(item);
  } catch (error) {
    if (error instanceof ControlError) return error;
    throw error;
  }
}
