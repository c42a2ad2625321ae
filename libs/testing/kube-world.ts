import { randomBytes } from 'node:crypto';
import type { ServerOptions } from 'node:https';
import { inspect } from 'node:util';
import { ManualClock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import type { ClusterReference, KubeCall, ProvidedKubeconfig } from '#libs/kube/cluster-access.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import { createKube, type KubeParts } from '#libs/kube/kube.factory.js';
import { DEFAULT_KUBE_OPTIONS, type KubeOptions } from '#libs/kube/kube.options.js';
import type { Kube } from '#libs/kube/kube.js';
import { TestApiServer } from './test-api-server.js';
import { TestAuthority, type TestCertificate } from './test-certificates.js';

export const TEST_CLUSTER: ClusterReference = { uid: 'c-uid', id: '/clusters/c', kind: 'ManagedCluster' };
/** A name under which AKS has its API servers, and which leads to the servers of the test. */
export const AKS_HOST = 'demo.hcp.eastus.azmk8s.io';
/** The server application of AKS. */
export const AKS_SERVER_ID = '6dae42f8-4368-4678-94ff-3960e28e3630';

export interface ReachOptions {
  options?: Partial<KubeOptions>;
  origin?: ProvidedKubeconfig['origin'];
  /** Of the kubeconfig; the authority of the test is trusted without it. */
  cluster?: JsonObject;
  user?: JsonObject;
  /** The default namespace of the context. */
  namespace?: string;
}

/**
 * The real transport with servers of a test at its other end. The test decides the time, what names lead to, and how long
 * waiting takes: pauses are over at once, and silence (`watchStallMs`) when the test says so.
 */
export class KubeWorld {
  readonly clock = new ManualClock();
  /** Milliseconds of every pause that was made. */
  readonly pauses: number[] = [];
  /** Correlation ids of those for whom the kubeconfig was asked for. */
  readonly asked: string[] = [];
  /** For which tokens of Pilothouse's identity were got. */
  readonly scopes: string[] = [];
  /** What names lead to; to this machine without it. */
  readonly names = new Map<string, string>();
  /** A static token which no error may show. */
  readonly token = `static-${randomBytes(12).toString('hex')}`;
  /** What no error may show. */
  readonly secrets: string[] = [this.token];
  /** Seconds that a token of Pilothouse's identity works. */
  tokenSeconds = 3600;
  readonly #silences = new Set<() => void>();
  readonly #open: { close(): Promise<unknown> }[] = [];

  private constructor(
    readonly authority: TestAuthority,
    readonly certificate: TestCertificate,
  ) {}

  static async create(authority?: TestAuthority): Promise<KubeWorld> {
    const issuer = authority ?? (await TestAuthority.create());
    const certificate = await issuer.sign({ commonName: 'kube-apiserver', hosts: ['127.0.0.1', AKS_HOST] });
    return new KubeWorld(issuer, certificate);
  }

  async server(certificate: TestCertificate = this.certificate, options: ServerOptions = {}): Promise<TestApiServer> {
    return this.closing(await TestApiServer.start(certificate, options));
  }

  /** Closed with the world. */
  closing<T extends { close(): Promise<unknown> }>(part: T): T {
    this.#open.push(part);
    return part;
  }

  /** A kubeconfig with the static token, unless another user is given. */
  kubeconfig(server: string, { cluster = {}, user = { token: this.token }, namespace }: ReachOptions = {}): Secret {
    const authority = Buffer.from(this.authority.certificate).toString('base64');
    return new Secret(
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'c',
        clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': authority, ...cluster } }],
        contexts: [
          { name: 'c', context: { cluster: 'c', user: 'u', ...(namespace === undefined ? {} : { namespace }) } },
        ],
        users: [{ name: 'u', user }],
      }),
    );
  }

  /** The cluster whose server this is. */
  reach(server: string, reach: ReachOptions = {}): ClusterClient {
    const kubeconfig = this.kubeconfig(server, reach);
    const { origin = 'attached' } = reach;
    return this.kube(() => Promise.resolve({ kubeconfig, origin }), reach.options).cluster(TEST_CLUSTER);
  }

  /** Clusters whose kubeconfig comes from the given function. */
  kube(provide: () => Promise<ProvidedKubeconfig | undefined>, options: Partial<KubeOptions> = {}): Kube {
    const provider: KubeParts['providers'][number] = {
      name: 'test',
      kinds: [TEST_CLUSTER.kind],
      kubeconfig: (_cluster, call) => {
        this.asked.push(call.correlationId);
        return provide();
      },
    };
    return this.closing(createKube({ ...DEFAULT_KUBE_OPTIONS, ...options }, { ...this.parts, providers: [provider] }));
  }

  /** What a `Kube` is made of, besides its providers. */
  get parts(): Required<Pick<KubeParts, 'tokens' | 'findCluster' | 'clock' | 'sleep' | 'lookup'>> {
    return {
      tokens: (scope) => {
        this.scopes.push(scope);
        const token = `entra-${this.scopes.length}-${randomBytes(12).toString('hex')}`;
        this.secrets.push(token);
        const expiresAt = new Date(this.clock.now().getTime() + this.tokenSeconds * 1000);
        return Promise.resolve({ token: new Secret(token), expiresAt });
      },
      findCluster: (uid) => Promise.resolve(uid === TEST_CLUSTER.uid ? TEST_CLUSTER : undefined),
      clock: this.clock,
      sleep: (milliseconds, signal) => this.#sleep(milliseconds, signal),
      lookup: (hostname, { all }, callback) => {
        const address = this.names.get(hostname) ?? '127.0.0.1';
        if (all === true) callback(null, [{ address, family: 4 }]);
        else callback(null, address, 4);
      },
    };
  }

  /** Nothing was heard for as long as a watch may be silent. */
  fallSilent(): void {
    for (const resolve of this.#silences) resolve();
  }

  /** What the promise is rejected with. @throws Error when it is not, or when a secret can be seen in it. */
  async failure(promise: Promise<unknown>): Promise<ControlError> {
    const error: unknown = await promise.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof ControlError)) throw new Error('It did not fail as it should', { cause: error });
    const shown = [inspect(error, { depth: 20, showHidden: true }), JSON.stringify(error), error.stack].join('\n');
    const seen = this.secrets.findIndex((secret) => shown.includes(secret));
    if (seen >= 0) throw new Error(`The error shows the secret number ${seen}`);
    return error;
  }

  async close(): Promise<void> {
    for (const part of this.#open.splice(0).reverse()) await part.close();
  }

  async #sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (milliseconds !== DEFAULT_KUBE_OPTIONS.watchStallMs) {
      this.pauses.push(milliseconds);
      this.clock.advance(milliseconds);
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#silences.add(resolve);
    signal?.addEventListener('abort', () => {
      this.#silences.delete(resolve);
      reject(signal.reason as Error);
    });
    await promise;
  }
}

/** A call of a test, which may be given up. */
export function testCall(signal: AbortSignal = new AbortController().signal): KubeCall {
  return { signal, correlationId: 'test-call' };
}
