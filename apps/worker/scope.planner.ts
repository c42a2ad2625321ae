import type { ScopeRepository } from '#libs/inventory/scope.repository.js';
import type { SystemRegistry } from '#libs/systems/contract/system-registry.js';

/** Where the subscriptions come from when none are configured. */
export interface SubscriptionSource {
  listSubscriptionIds(signal: AbortSignal): Promise<string[]>;
}

/** Keeps the list of what is to be synced: every collector's scopes for every subscription. */
export class ScopePlanner {
  constructor(
    private readonly registry: SystemRegistry,
    private readonly scopes: ScopeRepository,
    private readonly subscriptions: SubscriptionSource,
    private readonly settings: { subscriptionIds: readonly string[]; syncIntervalSeconds: number },
  ) {}

  /** Adds what is new; a subscription that is no longer seen keeps its scopes, which then say that they fail. */
  async plan(signal: AbortSignal): Promise<void> {
    const configured = this.settings.subscriptionIds;
    const ids = configured.length > 0 ? configured : await this.subscriptions.listSubscriptionIds(signal);
    const planned = this.registry.collectors.flatMap((collector) => collector.scopes(ids));
    if (planned.length > 0) await this.scopes.ensure(planned, this.settings.syncIntervalSeconds);
  }
}
