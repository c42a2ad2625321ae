import type { Clock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Secret } from '#libs/kernel/secret.js';
import { SingleFlight } from './single-flight.js';

export interface EntraToken {
  token: Secret;
  expiresAt: Date;
}

/** Gets a new token of Pilothouse's identity from Microsoft Entra ID. @throws ControlError when none can be had. */
export type TokenSource = (scope: string, signal: AbortSignal) => Promise<EntraToken>;

/** The part of a token's life after which a new one is got, while the old one still works. */
const USED_UP = 0.8;

interface Kept extends EntraToken {
  renewAt: Date;
}

/** Tokens for the server applications of clusters, shared by all clusters of one application. */
export class EntraTokens {
  readonly #kept = new Map<string, Kept>();
  readonly #flights = new Map<string, SingleFlight<Kept>>();

  constructor(
    private readonly source: TokenSource,
    private readonly clock: Clock,
  ) {}

  /** @throws ControlError as the source does, or the reason of the signal. */
  async token(serverId: string, signal: AbortSignal): Promise<Secret> {
    const kept = this.#kept.get(serverId);
    if (kept !== undefined && this.clock.now() < kept.renewAt) return kept.token;
    let flight = this.#flights.get(serverId);
    if (flight === undefined) {
      flight = new SingleFlight();
      this.#flights.set(serverId, flight);
    }
    try {
      return (await flight.join((shared) => this.#renew(serverId, shared), signal)).token;
    } catch (error) {
      // The sign-in may be away for a while: until then the old one is as good as before. The next call tries again.
      const still = this.#kept.get(serverId);
      if (!(error instanceof ControlError) || still === undefined || this.clock.now() >= still.expiresAt) throw error;
      return still.token;
    }
  }

  /** A server did not take it. Only this one is dropped: another may have been got in the meantime. */
  drop(serverId: string, refused: Secret): void {
    if (this.#kept.get(serverId)?.token !== refused) return;
    this.#kept.delete(serverId);
  }

  async #renew(serverId: string, signal: AbortSignal): Promise<Kept> {
    const startedAt = this.clock.now().getTime();
    const fresh = await this.source(`${serverId}/.default`, signal);
    const lifetimeMs = Math.max(0, fresh.expiresAt.getTime() - startedAt);
    const kept = { ...fresh, renewAt: new Date(startedAt + lifetimeMs * USED_UP) };
    this.#kept.set(serverId, kept);
    return kept;
  }
}
