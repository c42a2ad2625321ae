import type { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { Verification } from './operation-definition.js';
import { provisioningPhase } from './provisioning-state.js';
import { rawText } from './raw-reader.js';
import type { ResourceTarget } from './resource-target.js';

/** A look at an object that may be gone. */
type Look = { state: 'found'; body: JsonObject } | { state: 'missing' };

/** How far an object that is to go has come. */
export type RemovalVerdict =
  | { verdict: 'reached' | 'underway' | 'busy'; message: string }
  | { verdict: 'different' }
  | { verdict: 'failed'; error: ControlError };

/** The states of an object that is going away. */
const GOING = new Set(['deleting', 'leaving']);

/**
 * What a look at an object that is to go says.
 * @param failureOf what the object tells of a failure of what was done.
 */
export function judgeRemoval(
  what: string,
  look: Look,
  failureOf: (done: string, body: JsonObject) => ControlError,
): RemovalVerdict {
  if (look.state === 'missing') return { verdict: 'reached', message: `${what} is gone.` };
  const state = rawText(look.body, 'properties', 'provisioningState');
  switch (provisioningPhase(state)) {
    case 'moving':
      return GOING.has(state?.toLowerCase() ?? '')
        ? { verdict: 'underway', message: `${what} is ${state}.` }
        : { verdict: 'busy', message: `${what} is being changed by someone else (${state}).` };
    case 'failed':
      return { verdict: 'failed', error: failureOf(`Removing ${what}`, look.body) };
    case 'succeeded':
    case 'canceled':
    case 'unknown':
      return { verdict: 'different' };
  }
}

/**
 * Whether an object is gone.
 * @param removed what is gone with it: the object, or all that its end takes along.
 */
export function verifyRemoval(
  what: string,
  look: Look,
  removed: ResourceTarget | readonly ResourceTarget[],
  retryAfterSeconds: number,
): Verification {
  if (look.state === 'missing') {
    const absent = [removed].flat();
    const ids = 'id' in removed ? removed.id : absent.map(({ id }) => id);
    return { verdict: 'reached', result: { removed: ids }, observations: [], absent };
  }
  const state = rawText(look.body, 'properties', 'provisioningState');
  return provisioningPhase(state) === 'moving'
    ? { verdict: 'pending', message: `${what} is ${state}.`, retryAfterSeconds }
    : { verdict: 'missed', message: `${what} is still there (${state ?? 'in no known state'}).` };
}
