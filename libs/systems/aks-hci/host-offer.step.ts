import type { ArmId } from '#libs/kernel/arm-id.js';
import { reachDesiredState } from '#libs/azure/desired-state.js';
import { failedOperationError } from '#libs/azure/arm-error.classifier.js';
import type { ArmReading } from '#libs/azure/arm.client.js';
import type { StepContext, StepOutcome } from '../contract/operation-definition.js';
import { provisioningPhase } from '../contract/provisioning-state.js';
import { rawText } from '../contract/raw-reader.js';
import type { AksHciClient, HostOffer } from './aks-hci.client.js';

const WORDS: Readonly<Record<HostOffer, string>> = {
  kubernetesVersions: 'which versions of Kubernetes it has',
  vmSizes: 'which machines it offers',
};

/** Makes sure that Azure has asked the host what it has. */
export function fetchOffer(
  client: AksHciClient,
  customLocation: ArmId,
  offer: HostOffer,
  context: StepContext<unknown>,
): Promise<StepOutcome> {
  const what = WORDS[offer];
  return reachDesiredState(
    client.arm,
    context.resumeToken,
    {
      working: `Azure asks the host ${what}.`,
      read: () => client.getOffer(customLocation, offer, context),
      judge: (reading) => judge(reading, what),
      write: () => client.putOffer(customLocation, offer, context),
    },
    context,
  );
}

function judge(reading: ArmReading, what: string) {
  if (reading.state === 'missing') return { verdict: 'different' } as const;
  const state = rawText(reading.body, 'properties', 'provisioningState');
  switch (provisioningPhase(state)) {
    case 'succeeded':
    case 'unknown':
      return { verdict: 'reached', message: `Azure knows of the host ${what}.` } as const;
    case 'moving':
      return { verdict: 'underway', message: `Azure asks the host ${what} (${state}).` } as const;
    case 'failed':
    case 'canceled':
      return { verdict: 'failed', error: failedOperationError(`Asking the host ${what}`, reading.body) } as const;
  }
}
