import type { Secret } from '#libs/kernel/secret.js';

/** How Azure is reached. Plain values; where they come from is the business of the configuration. */
export interface AzureOptions {
  /** `https://management.azure.com`, another cloud's ARM, or a simulator: plain http is for loopback addresses only. */
  armEndpoint: string;
  /** The subscriptions to look after; empty for every one that the credential can see. */
  subscriptionIds: readonly string[];
  /** A fixed bearer token in place of the credential chain; refused unless the endpoint is a loopback address. */
  staticToken?: Secret;
  /** Sent as `User-Agent`. */
  userAgent: string;
  /** From sending a request to having read its answer. Milliseconds. */
  requestTimeoutMs: number;
  /** When to ask again for a long-running operation where Azure does not say. Seconds. */
  pollIntervalSeconds: number;
  /** The first pause before a repeated read; it doubles with each further one. Milliseconds. */
  retryBaseMs: number;
  /** A `Retry-After` up to this is waited for inside the call; a longer one is handed to the caller. Seconds. */
  longestRetryAfterSeconds: number;
  /** How long a call waits for the throttle budget before it is refused. Milliseconds. */
  longestBudgetWaitMs: number;
}

export const DEFAULT_AZURE_OPTIONS: AzureOptions = {
  armEndpoint: 'https://management.azure.com',
  subscriptionIds: [],
  userAgent: 'pilothouse',
  requestTimeoutMs: 30_000,
  pollIntervalSeconds: 5,
  retryBaseMs: 200,
  longestRetryAfterSeconds: 3,
  longestBudgetWaitMs: 2_000,
};

/** What every call is made with; the contexts of collectors and operations fit. */
export interface AzureCallContext {
  /** Sent as `x-ms-correlation-request-id`, so that Azure's activity log and ours can be joined. */
  correlationId: string;
  /** An aborted call rejects with the signal's reason. */
  signal?: AbortSignal;
}
