import { createHash } from 'node:crypto';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Secret } from '#libs/kernel/secret.js';
import type { Database } from '#libs/database/database.js';
import type { AccessRepository } from './access.repository.js';
import type { Caller, Role } from './caller.js';

/** A token that was taken away stops working within this time on every replica. */
const REMEMBER_MS = 5_000;
const REMEMBERED_TOKENS = 10_000;
/** RFC 6750, section 2.1. */
const BEARER = /^Bearer ([A-Za-z0-9\-._~+/]+=*)$/i;

export interface ConfiguredToken {
  name: string;
  role: Role;
  /** Undefined: the principal, if it exists, loses its token. */
  token: Secret | undefined;
}

/** Knows callers by their bearer tokens, of which only hashes are kept. */
export class Authenticator {
  readonly #remembered = new Map<string, { caller: Caller; until: number }>();

  constructor(
    private readonly database: Database,
    private readonly access: AccessRepository,
  ) {}

  /**
   * @param authorization the value of the Authorization header.
   * @throws ControlError UNAUTHENTICATED
   */
  async authenticate(authorization: string | undefined): Promise<Caller> {
    const token = authorization === undefined ? undefined : BEARER.exec(authorization.trim())?.[1];
    if (token === undefined) {
      throw new ControlError('UNAUTHENTICATED', 'The request has no bearer token.', {
        remedy: 'Send "Authorization: Bearer <token>".',
      });
    }
    const hash = tokenHash(token);
    const known = this.#remembered.get(hash);
    if (known !== undefined && known.until > Date.now()) return known.caller;
    const caller = await this.access.findByTokenHash(hash);
    if (caller === undefined) {
      this.#remembered.delete(hash);
      throw new ControlError('UNAUTHENTICATED', 'The bearer token is not known or no longer valid.');
    }
    if (this.#remembered.size >= REMEMBERED_TOKENS) this.#remembered.clear();
    this.#remembered.set(hash, { caller, until: Date.now() + REMEMBER_MS });
    return caller;
  }

  /** Gives the principals of the configuration their tokens; one that was changed or taken out there works no more. */
  async configure(tokens: readonly ConfiguredToken[]): Promise<void> {
    await this.database.transaction(async (transaction) => {
      for (const { name, role, token } of tokens) {
        if (token !== undefined) await this.access.setOnlyToken(transaction, name, role, tokenHash(token.reveal()));
      }
      const present = tokens.filter(({ token }) => token !== undefined).map(({ name }) => name);
      await this.access.removeOtherTokens(transaction, present);
    });
  }
}

/** Tokens are long and random, so one round of SHA-256 is enough: there is nothing to guess. */
function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
