import type { ArmClient } from './arm.client.js';
import { armApiVersion } from './arm-api-versions.js';
import type { AzureCallContext } from './azure.options.js';

export interface AzureSubscription {
  /** Lower case. */
  subscriptionId: string;
  displayName: string;
  tenantId: string | null;
}

/** Which subscriptions there are to look after. */
export class SubscriptionClient {
  constructor(private readonly arm: ArmClient) {}

  /** Every subscription that the credential can see and that is in use. */
  async list(context: AzureCallContext): Promise<AzureSubscription[]> {
    const subscriptions: AzureSubscription[] = [];
    for await (const page of this.arm.list(
      '/subscriptions',
      armApiVersion('Microsoft.Resources/subscriptions'),
      context,
    )) {
      for (const { subscriptionId, displayName, tenantId, state } of page.items) {
        // A disabled subscription can be read but not changed, a deleted one neither.
        if (typeof subscriptionId !== 'string' || state === 'Deleted') continue;
        subscriptions.push({
          subscriptionId: subscriptionId.toLowerCase(),
          displayName: typeof displayName === 'string' ? displayName : subscriptionId,
          tenantId: typeof tenantId === 'string' ? tenantId : null,
        });
      }
    }
    return subscriptions;
  }
}
