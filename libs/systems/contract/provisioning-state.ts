import type { Health } from './observation.js';

/** `settled` names end in success, failure or cancellation; every other text, known to us or not, means work goes on. */
export type ProvisioningPhase = 'succeeded' | 'failed' | 'canceled' | 'moving' | 'unknown';

/** The state is free text of the resource provider: whatever is not an end is taken as work that goes on. */
export function provisioningPhase(state: string | null): ProvisioningPhase {
  switch (state?.toLowerCase()) {
    case undefined:
    case '':
      return 'unknown';
    case 'succeeded':
      return 'succeeded';
    case 'failed':
      return 'failed';
    case 'canceled':
    case 'cancelled':
      return 'canceled';
    default:
      return 'moving';
  }
}

/**
 * The health of an ARM object as far as its owner's own words go.
 * @param failure what the owner says about the last failure, where it does.
 * @param powerState `Stopped` for what is switched off on purpose: neither healthy nor at fault.
 */
export function provisioningHealth(state: string | null, failure: string | null, powerState: string | null): Health {
  switch (provisioningPhase(state)) {
    case 'succeeded':
      return powerState?.toLowerCase() === 'stopped'
        ? { state: 'Unknown', reason: 'It is stopped.' }
        : { state: 'Healthy', reason: null };
    case 'failed':
      return { state: 'Degraded', reason: failure ?? 'Its last operation failed; Azure gives no reason.' };
    case 'canceled':
      return { state: 'Degraded', reason: failure ?? 'Its last operation was canceled.' };
    case 'moving':
      return { state: 'Progressing', reason: `Azure reports ${state}.` };
    case 'unknown':
      return { state: 'Unknown', reason: 'Azure reports no provisioning state.' };
  }
}
