import { z } from 'zod';

/** No kind of the cache: what is registered in a subscription is looked at when it is asked for. */
export const SUBSCRIPTION_KIND = 'Subscription';

export const subscriptionInput = z
  .string()
  .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, 'must be a uuid');
