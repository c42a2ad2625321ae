import { AsyncLocalStorage } from 'node:async_hooks';
import type { JsonObject } from './json.js';

/** A request that a rehearsed piece of work would have sent. It ends the work, and is no fault. */
export class RehearsedWrite extends Error {
  constructor(
    readonly method: string,
    /** What would have been changed: the path of an object, or of an action on it. */
    readonly target: string,
    /** The object as the work has read it; undefined where it has read none, or none is there. */
    readonly before: JsonObject | undefined,
    /** The body of the request. */
    readonly after: JsonObject | undefined,
  ) {
    super(`In earnest, a ${method} of ${target} would have been sent.`);
    this.name = 'RehearsedWrite';
  }
}

interface Rehearsal {
  /** By target. */
  readings: Map<string, JsonObject>;
}

const rehearsals = new AsyncLocalStorage<Rehearsal>();

/**
 * Runs work that may look, but not touch: everything that sends requests asks `refuseInRehearsal` first.
 * @returns the first write that it would have sent, or what it returned when it sent none.
 */
export async function rehearse<T>(work: () => Promise<T>): Promise<{ write: RehearsedWrite } | { result: T }> {
  try {
    return { result: await rehearsals.run({ readings: new Map() }, work) };
  } catch (error) {
    if (error instanceof RehearsedWrite) return { write: error };
    throw error;
  }
}

export function isRehearsal(): boolean {
  return rehearsals.getStore() !== undefined;
}

/** To be called with each object that was read. */
export function noteReading(target: string, body: JsonObject): void {
  rehearsals.getStore()?.readings.set(target.toLowerCase(), body);
}

/** To be called before each request that changes something. @throws RehearsedWrite in a rehearsal. */
export function refuseInRehearsal(method: string, target: string, body: JsonObject | undefined): void {
  const rehearsal = rehearsals.getStore();
  if (rehearsal === undefined) return;
  throw new RehearsedWrite(method, target, rehearsal.readings.get(target.toLowerCase()), body);
}
