import { randomUUID } from 'node:crypto';
import type { LookupFunction } from 'node:net';
import { delay, systemClock, type Clock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Secret } from '#libs/kernel/secret.js';
import type { WriteGuard } from '#libs/kernel/worker-lease.js';
import type { ClusterAccessProvider, ClusterReference, KubeCall } from './cluster-access.js';
import { HttpClusterClient } from './cluster.client.js';
import { ClusterCredentials } from './cluster-credentials.js';
import { ClusterTransport } from './cluster-transport.js';
import { EntraTokens, type TokenSource } from './entra-tokens.js';
import type { Kube } from './kube.js';
import type { KubeOptions } from './kube.options.js';
import { RequestGate } from './request-gate.js';
import { parseKubeconfig, type KubeconfigAuthentication } from './kubeconfig.js';

export interface KubeParts {
  /** Asked in this order. */
  providers: readonly ClusterAccessProvider[];
  tokens: TokenSource;
  /** What is known by a uid. */
  findCluster(uid: string): Promise<ClusterReference | undefined>;
  clock?: Clock;
  /** Waits, in a way that a test can decide. */
  sleep?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
  /** Resolves host names; by DNS without it. */
  lookup?: LookupFunction;
}

/**
 * Contacts nothing.
 * @param guard asked directly before each request that may change something.
 */
export function createKube(options: KubeOptions, parts: KubeParts, guard?: WriteGuard): Kube {
  return new HttpKube(options, parts, guard);
}

class HttpKube implements Kube {
  readonly #clients = new Map<string, HttpClusterClient>();
  readonly #tokens: EntraTokens;
  readonly #pages: RequestGate;

  constructor(
    private readonly options: KubeOptions,
    private readonly parts: KubeParts,
    private readonly guard: WriteGuard | undefined,
  ) {
    this.#tokens = new EntraTokens(parts.tokens, parts.clock ?? systemClock);
    this.#pages = pageGate(options);
  }

  cluster(reference: ClusterReference): HttpClusterClient {
    let client = this.#clients.get(reference.uid);
    if (client === undefined) {
      client = clientOf(reference, this.options, this.parts, this.#tokens, this.#pages, this.guard);
      this.#clients.set(reference.uid, client);
    }
    return client;
  }

  async clusterOf(uid: string): Promise<HttpClusterClient> {
    const reference = await this.parts.findCluster(uid);
    if (reference === undefined) throw new ControlError('RESOURCE_NOT_FOUND', `The cluster ${uid} is not known.`);
    return this.cluster(reference);
  }

  forget(uid: string): void {
    this.#clients.get(uid)?.forget();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
  }
}

function clientOf(
  cluster: ClusterReference,
  options: KubeOptions,
  parts: Pick<KubeParts, 'providers' | 'clock' | 'sleep' | 'lookup'>,
  tokens: EntraTokens,
  pages: RequestGate,
  guard?: WriteGuard,
): HttpClusterClient {
  const clock = parts.clock ?? systemClock;
  const sleep = parts.sleep ?? delay;
  const credentials = new ClusterCredentials({ cluster, providers: parts.providers, options, clock });
  const { lookup } = parts;
  const transport = new ClusterTransport({ credentials, tokens, options, clock, sleep, lookup, guard });
  return new HttpClusterClient({ clusterUid: cluster.uid, transport, pages, options, clock, sleep });
}

/** As many may wait as there are streams: they hold nothing but the text of a page. */
function pageGate(options: KubeOptions): RequestGate {
  return new RequestGate(options.pagesAtOnce, Infinity);
}

/** What may be shown of a kubeconfig that a caller attaches. */
export interface KubeconfigSummary {
  /** Host and port of the API server. */
  serverHost: string;
  authentication: KubeconfigAuthentication['kind'];
  namespace: string | null;
  verifiesServer: boolean;
}

/** Looks without contacting anybody. @throws ControlError INVALID_KUBECONFIG */
export function inspectKubeconfig(text: Secret, options: KubeOptions): KubeconfigSummary {
  const { host, namespace, verifiesServer, authentication } = parseKubeconfig(text, { ...options, origin: 'attached' });
  return { serverHost: host, authentication: authentication.kind, namespace, verifiesServer };
}

export interface KubeconfigProbe extends KubeconfigSummary {
  gitVersion: string;
  /** Whom the server takes us for; null where it does not tell. */
  username: string | null;
}

/**
 * Tries a kubeconfig that a caller attaches, with connections of its own.
 * @throws ControlError INVALID_KUBECONFIG, KUBERNETES_UNAUTHENTICATED when the server does not know the credential, and
 *   the other KUBERNETES_… codes when it does not answer.
 */
export async function probeKubeconfig(
  text: Secret,
  options: KubeOptions,
  parts: Pick<KubeParts, 'tokens' | 'clock' | 'sleep' | 'lookup'>,
  call: KubeCall,
): Promise<KubeconfigProbe> {
  const summary = inspectKubeconfig(text, options);
  const cluster: ClusterReference = { uid: randomUUID(), id: summary.serverHost, kind: 'AttachedCluster' };
  const provider: ClusterAccessProvider = {
    name: 'attached kubeconfig',
    kinds: [cluster.kind],
    kubeconfig: () => Promise.resolve({ kubeconfig: text, origin: 'attached' }),
  };
  const tokens = new EntraTokens(parts.tokens, parts.clock ?? systemClock);
  const client = clientOf(cluster, options, { ...parts, providers: [provider] }, tokens, pageGate(options));
  try {
    const { gitVersion } = await client.version(call);
    return { ...summary, gitVersion, username: await usernameOf(client, call) };
  } finally {
    await client.close();
  }
}

/** The version is told to anybody; this is where a credential shows that it is one. */
async function usernameOf(client: HttpClusterClient, call: KubeCall): Promise<string | null> {
  let username: string;
  try {
    ({ username } = await client.whoAmI(call));
  } catch (error) {
    // Servers before 1.28 do not know the question, and a server may forbid it to those whom it does know.
    const isUnanswered =
      error instanceof ControlError && ['KUBERNETES_NOT_FOUND', 'KUBERNETES_FORBIDDEN'].includes(error.code);
    if (isUnanswered) return null;
    throw error;
  }
  if (username === 'system:anonymous') {
    throw new ControlError('KUBERNETES_UNAUTHENTICATED', 'The server takes the credential for none at all.', {
      remedy: 'The credential may be expired or that of another cluster: give one that the server knows.',
    });
  }
  return username;
}
