import type { LookupFunction } from 'node:net';
import type { Clock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Secret } from '#libs/kernel/secret.js';
import { refuseInRehearsal } from '#libs/kernel/rehearsal.js';
import type { WriteGuard } from '#libs/kernel/worker-lease.js';
import type { KubeCall } from './cluster-access.js';
import {
  ClusterConnection,
  NoAnswer,
  type WireAnswer,
  type WireRequest,
  type WireStream,
} from './cluster-connection.client.js';
import type { ClusterCredentials } from './cluster-credentials.js';
import type { EntraTokens } from './entra-tokens.js';
import type { KubeOptions } from './kube.options.js';
import type { Kubeconfig } from './kubeconfig.js';
import { classifyKubernetesError, isUnauthenticated, parseStatus, saysBudget } from './kubernetes-error.classifier.js';
import { RequestGate } from './request-gate.js';
import { retryAfterSeconds } from './retry-after.js';

const MOST_RETRIES = 3;
const SHORTEST_REDACTED = 8;
/** After a credential that had just been got was refused too, no other is asked for within this time. Milliseconds. */
const REFUSAL_STANDS_MS = 5_000;

export interface ClusterRequest {
  method: WireRequest['method'];
  /** With the query. */
  path: string;
  /** For messages. */
  action: string;
  accept?: string;
  contentType?: string;
  body?: string;
  /** Sending it twice does no harm. */
  repeatable: boolean;
}

/** Access reviews are asked by POST, and a dry run is the server's own rehearsal. */
function changesSomething({ method, path }: ClusterRequest): boolean {
  return method !== 'GET' && !path.includes('dryRun=All') && !path.startsWith('/apis/authorization.k8s.io/');
}

export interface ClusterTransportOptions {
  credentials: ClusterCredentials;
  tokens: EntraTokens;
  options: KubeOptions;
  clock: Clock;
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** Resolves host names; by DNS without it. */
  lookup?: LookupFunction | undefined;
  /** Asked directly before each request that is no GET; whoever holds no claims needs none. */
  guard?: WriteGuard | undefined;
}

/** What a request is signed with. */
interface Signature {
  connection: ClusterConnection;
  token: Secret | undefined;
  /** Not good any more. */
  drop(): void;
}

/**
 * The one way to one API server. It keeps to the limit of requests at a time, signs them, renews a credential that the
 * server refuses (once), and repeats what may be repeated: anything after a 429 (nothing was done) and where nothing was
 * sent, harmless requests also after 5xx and lost connections, each only while that takes a few seconds.
 *
 * It answers whatever the server's last answer was, of any status.
 * @throws ControlError KUBERNETES_UNAVAILABLE or KUBERNETES_TIMEOUT when there was no answer, KUBERNETES_THROTTLED when too
 *   many wait, and what the credentials throw.
 * @throws the reason of the call's signal.
 */
export class ClusterTransport {
  readonly #gate: RequestGate;
  #connection: ClusterConnection | undefined;
  readonly #retiring = new Set<ClusterConnection>();
  #refusedAt: Date | undefined;
  #isClosed = false;

  constructor(private readonly parts: ClusterTransportOptions) {
    this.#gate = new RequestGate(parts.options.concurrencyPerCluster, parts.options.longestQueuePerCluster);
  }

  async send(request: ClusterRequest, call: KubeCall): Promise<WireAnswer> {
    if (changesSomething(request)) refuseInRehearsal(request.method, request.path.split('?', 1)[0] ?? '', undefined);
    for (let attempt = 0; ; attempt++) {
      const outcome = await this.#attempt(request, call);
      const pauseMs = this.#pauseBeforeRetry(outcome, request, attempt);
      if (pauseMs !== undefined) {
        await this.parts.sleep(pauseMs, call.signal);
        continue;
      }
      if (outcome instanceof NoAnswer) throw outcome.problem;
      return outcome;
    }
  }

  /** Opens a stream: not counted, not repeated. @throws ControlError also for an answer that is no success. */
  async open(request: ClusterRequest, call: KubeCall): Promise<WireStream> {
    let answer: WireStream | WireAnswer;
    try {
      answer = await this.#signed<WireStream | WireAnswer>(call, async (signature) => {
        const wire = this.#wire(request, signature, call);
        const result = await signature.connection.stream(wire, this.parts.options.watchStallMs);
        if (!('text' in result)) return { result, isRefused: false };
        return { result: withoutToken(result, signature), isRefused: isUnauthenticated(result.status, result.text) };
      });
    } catch (error) {
      throw error instanceof NoAnswer ? error.problem : error;
    }
    if ('text' in answer) throw this.refusal(answer, request.action);
    return answer;
  }

  async defaultNamespace(call: KubeCall): Promise<string | null> {
    this.#assertOpen();
    return (await this.parts.credentials.current(call)).namespace;
  }

  /** An answer that is no success. */
  refusal(answer: WireAnswer, action: string): ControlError {
    const { status, text, headers } = answer;
    return classifyKubernetesError({ status, body: text, headers, action, now: this.parts.clock.now() });
  }

  /** Nothing that is kept is used again; streams end and are made anew. */
  forget(): void {
    this.parts.credentials.forget();
    this.#refusedAt = undefined;
    this.#retire(this.#connection);
    this.#connection = undefined;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const connections = [...this.#retiring, ...(this.#connection === undefined ? [] : [this.#connection])];
    // What is destroyed cannot be retired any more.
    this.#connection = undefined;
    await Promise.all(connections.map((connection) => connection.destroy()));
  }

  async #attempt(request: ClusterRequest, call: KubeCall): Promise<WireAnswer | NoAnswer> {
    const leave = await this.#gate.enter(call.signal);
    try {
      return await this.#signed(call, async (signature) => {
        if (request.method !== 'GET') this.parts.guard?.assertMayWrite();
        const answer = await signature.connection.exchange(this.#wire(request, signature, call));
        return { result: withoutToken(answer, signature), isRefused: isUnauthenticated(answer.status, answer.text) };
      });
    } catch (error) {
      if (error instanceof NoAnswer) return error;
      throw error;
    } finally {
      leave();
    }
  }

  /** Does something with a signature, and once more with a fresh one when the first was refused. */
  async #signed<T>(
    call: KubeCall,
    use: (signature: Signature) => Promise<{ result: T; isRefused: boolean }>,
  ): Promise<T> {
    const first = await this.#sign(call);
    const outcome = await use(first);
    if (!outcome.isRefused) return outcome.result;
    const now = this.parts.clock.now().getTime();
    if (this.#refusedAt !== undefined && now - this.#refusedAt.getTime() < REFUSAL_STANDS_MS) return outcome.result;
    first.drop();
    const second = await use(await this.#sign(call));
    this.#refusedAt = second.isRefused ? this.parts.clock.now() : undefined;
    return second.result;
  }

  async #sign(call: KubeCall): Promise<Signature> {
    const { credentials, tokens } = this.parts;
    this.#assertOpen();
    const kubeconfig = await credentials.current(call);
    const { authentication } = kubeconfig;
    switch (authentication.kind) {
      case 'clientCertificate':
        return this.#signature(kubeconfig, undefined, () => {
          credentials.drop(kubeconfig);
        });
      case 'token':
        return this.#signature(kubeconfig, authentication.token, () => {
          credentials.drop(kubeconfig);
        });
      case 'entra': {
        const token = await tokens.token(authentication.serverId, call.signal);
        return this.#signature(kubeconfig, token, () => {
          tokens.drop(authentication.serverId, token);
          credentials.drop(kubeconfig);
        });
      }
    }
  }

  #signature(kubeconfig: Kubeconfig, token: Secret | undefined, drop: () => void): Signature {
    this.#assertOpen();
    return { connection: this.#connectionOf(kubeconfig), token, drop };
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new ControlError('UNAVAILABLE', 'The connections to clusters have been closed.');
  }

  /** The same text read again means the same connections. */
  #connectionOf(kubeconfig: Kubeconfig): ClusterConnection {
    if (this.#connection?.kubeconfig.fingerprint === kubeconfig.fingerprint) return this.#connection;
    this.#retire(this.#connection);
    this.#connection = new ClusterConnection(kubeconfig, this.parts.options, this.parts.lookup);
    return this.#connection;
  }

  #retire(connection: ClusterConnection | undefined): void {
    if (connection === undefined) return;
    this.#retiring.add(connection);
    void connection.retire().finally(() => this.#retiring.delete(connection));
  }

  #wire(request: ClusterRequest, signature: Signature, call: KubeCall): WireRequest {
    return {
      method: request.method,
      path: request.path,
      action: request.action,
      signal: call.signal,
      headers: {
        accept: request.accept ?? 'application/json',
        'user-agent': this.parts.options.userAgent,
        'x-correlation-id': call.correlationId.replaceAll(/[^\x20-\x7e]/g, '?'),
        ...(request.contentType === undefined ? {} : { 'content-type': request.contentType }),
        ...(signature.token === undefined ? {} : { authorization: `Bearer ${signature.token.reveal()}` }),
      },
      ...(request.body === undefined ? {} : { body: request.body }),
    };
  }

  /** Milliseconds to wait before the same request is sent again, or undefined for "not again". */
  #pauseBeforeRetry(outcome: WireAnswer | NoAnswer, request: ClusterRequest, attempt: number): number | undefined {
    if (attempt >= MOST_RETRIES) return undefined;
    const { retryBaseMs, longestRetryAfterSeconds } = this.parts.options;
    const backoff = retryBaseMs * 2 ** attempt * Math.random();
    if (outcome instanceof NoAnswer) {
      const { problem, nothingSent } = outcome;
      const passes = problem.code === 'KUBERNETES_UNAVAILABLE' && problem.retryable;
      return passes && (request.repeatable || nothingSent) ? backoff : undefined;
    }
    const isPassing = outcome.status === 408 || (outcome.status >= 500 && outcome.status !== 501);
    const mayRepeat = outcome.status === 429 || (request.repeatable && isPassing);
    if (!mayRepeat || saysBudget(outcome.status, outcome.text)) return undefined;
    if (!this.refusal(outcome, request.action).retryable) return undefined;
    const asked =
      retryAfterSeconds(outcome.headers, this.parts.clock.now()) ?? parseStatus(outcome.text)?.retryAfterSeconds;
    if (asked === undefined) return backoff;
    return asked <= longestRetryAfterSeconds ? asked * 1000 + backoff : undefined;
  }
}

/** What a server says of a refusal gets into errors, and some repeat what they were sent. */
function withoutToken(answer: WireAnswer, { token }: Signature): WireAnswer {
  const text = token?.reveal() ?? '';
  // A few letters are part of many a word: without them nobody could tell any more what was refused.
  if (text.length < SHORTEST_REDACTED || answer.status < 300) return answer;
  return { ...answer, text: answer.text.replaceAll(text, '[redacted]') };
}
