import type { TokenCredential } from '@azure/core-auth';
import type { HttpClient } from '@azure/core-rest-pipeline';
import { delay, systemClock, type Clock } from '#libs/kernel/clock.js';
import type { CallBudgetStore } from '#libs/kernel/call-budget.js';
import type { WriteGuard } from '#libs/kernel/worker-lease.js';
import { ArmClient } from './arm.client.js';
import { ArmEndpoint } from './arm-endpoint.js';
import type { AzureOptions } from './azure.options.js';
import { createAzureCredential } from './azure-credential.js';
import { AzureTransport } from './azure-transport.js';
import { MemoryBudgetStore } from './memory-budget.store.js';
import { ResourceGraphQueries } from './resource-graph.client.js';
import { SubscriptionClient } from './subscription.client.js';
import { ThrottleBudget } from './throttle-budget.js';

/** Azure as the systems see it: one transport and one throttle budget under all clients. */
export interface Azure {
  arm: ArmClient;
  resourceGraph: ResourceGraphQueries;
  subscriptions: SubscriptionClient;
  budget: ThrottleBudget;
  endpoint: ArmEndpoint;
  credential: TokenCredential;
  /** What a further official client is made with, so that it goes the same way as everything else. */
  transport: AzureTransport;
  options: AzureOptions;
}

/** What can be put in the place of the real thing. */
export interface AzureParts {
  clock?: Clock;
  /** What really sends requests. */
  sender?: HttpClient;
  /** Asked directly before each request that changes something. */
  guard?: WriteGuard;
  /** Where the throttle budget is kept; in this process where absent. */
  budgetStore?: CallBudgetStore;
}

/**
 * Contacts nothing: neither Azure nor the sign-in.
 * @throws TypeError when the options contradict each other (see `ArmEndpoint` and `createAzureCredential`).
 */
export function createAzure(options: AzureOptions, parts: AzureParts = {}): Azure {
  const clock = parts.clock ?? systemClock;
  const endpoint = new ArmEndpoint(options.armEndpoint);
  const credential = createAzureCredential(endpoint, options.staticToken);
  const budget = new ThrottleBudget({
    store: parts.budgetStore ?? new MemoryBudgetStore(clock),
    longestWaitMs: options.longestBudgetWaitMs,
    sleep: delay,
  });
  const transport = new AzureTransport({
    endpoint,
    budget,
    clock,
    requestTimeoutMs: options.requestTimeoutMs,
    retryBaseMs: options.retryBaseMs,
    longestRetryAfterSeconds: options.longestRetryAfterSeconds,
    sleep: delay,
    ...(parts.sender === undefined ? {} : { sender: parts.sender }),
    ...(parts.guard === undefined ? {} : { guard: parts.guard }),
  });
  const common = { endpoint, credential, transport, clock, userAgent: options.userAgent };
  const arm = new ArmClient({ ...common, pollIntervalSeconds: options.pollIntervalSeconds });
  return {
    arm,
    resourceGraph: new ResourceGraphQueries(common),
    subscriptions: new SubscriptionClient(arm),
    budget,
    endpoint,
    credential,
    transport,
    options,
  };
}
