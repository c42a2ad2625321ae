import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { ArmPage } from './arm.client.js';
import { saysUnregistered } from './arm-error.classifier.js';
import type { GraphOutcome, GraphPage } from './resource-graph.client.js';

export interface DiscoveredPage {
  items: JsonObject[];
  observedAt: Date;
  source: 'RESOURCE_GRAPH' | 'ARM';
}

export type DiscoveryOutcome = { state: 'complete' } | { state: 'partial'; problem: ControlError };

export interface DiscoverySources {
  graph(): AsyncGenerator<GraphPage, GraphOutcome, void>;
  /** May end with the problems of the parts that it had to leave out. */
  arm(): AsyncGenerator<ArmPage, ControlError | undefined, void>;
}

/**
 * Lists objects by Resource Graph, and by ARM where Resource Graph fails or does not give everything. Pages of both may
 * come: the later one is the more trustworthy.
 * @throws ControlError when neither gave anything.
 */
export async function* discover(sources: DiscoverySources): AsyncGenerator<DiscoveredPage, DiscoveryOutcome, void> {
  let seen = false;
  try {
    const pages = sources.graph();
    for (;;) {
      const next = await pages.next();
      if (next.done === true) {
        if (next.value.state === 'complete') return { state: 'complete' };
        break;
      }
      seen = true;
      yield { items: next.value.rows, observedAt: next.value.observedAt, source: 'RESOURCE_GRAPH' };
    }
  } catch (error) {
    // Whatever is wrong with the index, ARM itself can still be asked.
    if (!(error instanceof ControlError)) throw error;
  }
  try {
    const pages = sources.arm();
    for (;;) {
      const next = await pages.next();
      if (next.done === true) {
        return next.value instanceof ControlError ? { state: 'partial', problem: next.value } : { state: 'complete' };
      }
      seen = true;
      yield { items: next.value.items, observedAt: next.value.observedAt, source: 'ARM' };
    }
  } catch (error) {
    if (!(error instanceof ControlError) || !seen) throw error;
    return { state: 'partial', problem: error };
  }
}

/** A resource provider that is not registered in the subscription has nothing there: its list is empty, and complete. */
export async function* whereRegistered(
  pages: AsyncGenerator<ArmPage, undefined, void>,
): AsyncGenerator<ArmPage, undefined, void> {
  try {
    yield* pages;
  } catch (error) {
    if (!(error instanceof ControlError) || !saysUnregistered(error)) throw error;
  }
  return undefined;
}
