import type { ArmReading } from '#libs/azure/arm.client.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import type { DesiredStateVerdict } from '#libs/azure/desired-state.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawText } from '../contract/raw-reader.js';

/** What a look at a cluster or pool that is to go says. */
export function judgeRemoval(what: string, reading: ArmReading): DesiredStateVerdict {
  if (reading.state === 'missing') return { verdict: 'reached', message: `${what} is gone.` };
  const state = rawText(reading.body, 'properties', 'provisioningState');
  switch (provisioningPhase(state)) {
    case 'moving':
      return state?.toLowerCase() === 'deleting'
        ? { verdict: 'underway', message: `${what} is being deleted.` }
        : { verdict: 'busy', message: `${what} is being changed by someone else (${state}).` };
    case 'failed':
      return { verdict: 'failed', error: failedOperationError(`Deleting ${what}`, reading.body) };
    case 'succeeded':
    case 'canceled':
    case 'unknown':
      return { verdict: 'different' };
  }
}
