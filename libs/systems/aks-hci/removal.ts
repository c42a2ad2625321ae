import type { ArmId } from '#libs/kernel/arm-id.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import type { DesiredStateVerdict } from '#libs/azure/desired-state.js';
import type { Verification } from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawText } from '../contract/raw-reader.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { failureOf } from './provisioning.failure.js';

/** What a look at an object that is to go says. */
export function judgeRemoval(what: string, reading: ArmReading, cluster: ArmId): DesiredStateVerdict {
  if (reading.state === 'missing') return { verdict: 'reached', message: `${what} is gone.` };
  const state = rawText(reading.body, 'properties', 'provisioningState');
  switch (provisioningPhase(state)) {
    case 'moving':
      return state?.toLowerCase() === 'deleting'
        ? { verdict: 'underway', message: `${what} is ${state}.` }
        : { verdict: 'busy', message: `${what} is being changed by someone else (${state}).` };
    case 'failed':
      return { verdict: 'failed', error: failureOf(`Removing ${what}`, reading.body, cluster) };
    case 'succeeded':
    case 'canceled':
    case 'unknown':
      return { verdict: 'different' };
  }
}

export function verifyRemoval(
  what: string,
  reading: ArmReading,
  absent: readonly ResourceTarget[],
  pollIntervalSeconds: number,
): Verification {
  if (reading.state === 'missing') {
    return {
      verdict: 'reached',
      result: { removed: absent.map(({ id }) => id) },
      observations: [],
      absent: [...absent],
    };
  }
  const state = rawText(reading.body, 'properties', 'provisioningState');
  return provisioningPhase(state) === 'moving'
    ? { verdict: 'pending', message: `${what} is ${state}.`, retryAfterSeconds: pollIntervalSeconds }
    : { verdict: 'missed', message: `${what} is still there (${state ?? 'in no known state'}).` };
}
