import type { AccessToken, GetTokenOptions, TokenCredential } from '@azure/core-auth';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Secret } from '#libs/kernel/secret.js';
import type { ArmEndpoint } from './arm-endpoint.js';

/**
 * What signs our requests. Nothing is contacted, and the identity library is not even loaded, before the first token.
 * @throws TypeError when a static token is given for an endpoint that is not on this machine.
 */
export function createAzureCredential(
  endpoint: ArmEndpoint,
  staticToken: Secret | undefined,
  loadChain: () => Promise<TokenCredential> = loadDefaultChain,
): TokenCredential {
  if (staticToken === undefined) return new CredentialChain(loadChain);
  if (!endpoint.isLoopback) {
    throw new TypeError('A static Azure token is for simulators: the ARM endpoint must be a loopback address');
  }
  return new StaticTokenCredential(staticToken);
}

class StaticTokenCredential implements TokenCredential {
  readonly #token: Secret;

  constructor(token: Secret) {
    this.#token = token;
  }

  getToken(): Promise<AccessToken> {
    return Promise.resolve({ token: this.#token.reveal(), expiresOnTimestamp: Date.now() + 3_600_000 });
  }
}

/** The default chain of @azure/identity: environment, workload identity, managed identity, developer tools. */
async function loadDefaultChain(): Promise<TokenCredential> {
  const { DefaultAzureCredential } = await import('@azure/identity');
  return new DefaultAzureCredential();
}

class CredentialChain implements TokenCredential {
  readonly #load: () => Promise<TokenCredential>;
  #chain: Promise<TokenCredential> | undefined;

  constructor(load: () => Promise<TokenCredential>) {
    this.#load = load;
  }

  async getToken(scopes: string | string[], options?: GetTokenOptions): Promise<AccessToken | null> {
    this.#chain ??= this.#load();
    const chain = await this.#chain;
    try {
      return await chain.getToken(scopes, options);
    } catch (error) {
      if (!(error instanceof Error) || options?.abortSignal?.aborted === true) throw error;
      throw new ControlError(
        'AZURE_UNAUTHENTICATED',
        `No token could be had from Microsoft Entra ID (${error.name}).`,
        {
          retry: { kind: 'backoff' },
          remedy:
            'Give Pilothouse an identity: AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET (or a federated token), a managed identity, or `az login`.',
          cause: error,
        },
      );
    }
  }
}
