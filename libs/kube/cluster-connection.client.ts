import { lookup as lookupByDns } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Agent, ProxyAgent, request, type Dispatcher } from 'undici';
import { ControlError } from '#libs/kernel/control-error.js';
import type { KubeOptions } from './kube.options.js';
import type { Kubeconfig } from './kubeconfig.js';
import { classifyConnectionError } from './kubernetes-error.classifier.js';
import { refusingLinkLocal } from './link-local.rule.js';
import type { AnswerHeaders } from './retry-after.js';

const TIME_IS_UP = Symbol('time is up');
/** Probes for connections that a load balancer has silently forgotten. */
const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: 30_000 };

export interface WireRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With the query. */
  path: string;
  headers: Record<string, string>;
  body?: string;
  /** For messages. */
  action: string;
  signal: AbortSignal;
}

export interface WireAnswer {
  status: number;
  headers: AnswerHeaders;
  text: string;
}

export interface WireStream {
  /** Bytes as they come in. It throws ControlErrors, or the reason of the request's signal. */
  chunks: AsyncIterable<Buffer>;
}

/** What happened to a request that got no answer. */
export class NoAnswer extends Error {
  constructor(
    readonly problem: ControlError,
    /** Sending it again cannot do it twice. */
    readonly nothingSent: boolean,
  ) {
    super(problem.message, { cause: problem });
    this.name = 'NoAnswer';
  }
}

export type ClusterConnectionOptions = Pick<
  KubeOptions,
  'requestTimeoutMs' | 'connectTimeoutMs' | 'largestAnswerBytes' | 'allowLinkLocal'
>;

/**
 * The connections to one API server with one kubeconfig. HTTP/1.1 alone: a watch then has a connection of its own, and one
 * that has died takes nothing else along. Redirects are not followed.
 */
export class ClusterConnection {
  readonly #dispatcher: Dispatcher;
  readonly #base: URL;
  readonly #retired = new AbortController();

  constructor(
    readonly kubeconfig: Kubeconfig,
    private readonly options: ClusterConnectionOptions,
    /** Resolves host names. */
    lookup: LookupFunction = lookupByDns,
  ) {
    this.#base = new URL(kubeconfig.server);
    this.#dispatcher = dispatcherOf(kubeconfig, options, lookup);
  }

  /** Sends one request and reads the whole answer, of whatever status. @throws NoAnswer, or the reason of the signal. */
  exchange(wire: WireRequest): Promise<WireAnswer> {
    const headers = { ...wire.headers, 'accept-encoding': 'gzip' };
    return this.#within(this.options.requestTimeoutMs, wire, [], async (signal) =>
      this.#whole(await this.#send({ ...wire, headers }, signal), wire.action),
    );
  }

  /**
   * Sends one request and gives what is said to it as it comes in; an answer that is no success is read whole.
   * @throws NoAnswer, or the reason of the signal.
   */
  stream(wire: WireRequest, headersWithinMs: number): Promise<WireStream | WireAnswer> {
    return this.#within(headersWithinMs, wire, [this.#retired.signal], async (signal) => {
      const answer = await this.#send(wire, signal);
      return answer.statusCode === 200 ? { chunks: this.#chunks(answer, wire) } : this.#whole(answer, wire.action);
    });
  }

  /** Ends what is streaming, lets what was asked be answered, and takes nothing more. */
  async retire(): Promise<void> {
    this.#retired.abort(
      new ControlError('KUBERNETES_UNAVAILABLE', 'The credential of the cluster was changed: connecting anew.', {
        retry: { kind: 'backoff' },
      }),
    );
    await this.#dispatcher.close();
  }

  /** Ends everything at once. */
  async destroy(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  async #within<T>(
    limitMs: number,
    wire: WireRequest,
    others: readonly AbortSignal[],
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const limit = new AbortController();
    const timer = setTimeout(() => {
      limit.abort(TIME_IS_UP);
    }, limitMs);
    const signal = AbortSignal.any([wire.signal, limit.signal, ...others]);
    const { promise: over, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      // The HTTP client hears a signal only once the request has a connection, and making one may take long. What is
      // raced here ends then, and is not sent any more.
      return await Promise.race([work(signal), over]);
    } catch (error) {
      wire.signal.throwIfAborted();
      if (limit.signal.aborted) throw this.#timeout(wire.action, limitMs);
      throw this.#explained(error, wire.action);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #send(wire: WireRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    return request(this.#base.origin + this.#base.pathname.replace(/\/+$/, '') + wire.path, {
      dispatcher: this.#dispatcher,
      method: wire.method,
      headers: wire.headers,
      body: wire.body ?? null,
      signal,
      // Ours are exact, and cover the whole.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  async *#chunks(answer: Dispatcher.ResponseData, wire: WireRequest): AsyncGenerator<Buffer> {
    try {
      yield* this.#content(answer);
    } catch (error) {
      wire.signal.throwIfAborted();
      const explained = this.#explained(error, wire.action);
      throw explained instanceof NoAnswer ? explained.problem : explained;
    }
  }

  async #whole(answer: Dispatcher.ResponseData, action: string): Promise<WireAnswer> {
    const { largestAnswerBytes } = this.options;
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of this.#content(answer)) {
      size += part.length;
      if (size > largestAnswerBytes) {
        throw new ControlError(
          'KUBERNETES_UNEXPECTED_ANSWER',
          `${action}: the answer is larger than ${largestAnswerBytes} bytes.`,
        );
      }
      parts.push(part);
    }
    return { status: answer.statusCode, headers: answer.headers, text: Buffer.concat(parts).toString('utf8') };
  }

  #content(answer: Dispatcher.ResponseData): AsyncIterable<Buffer> {
    const body: Readable = answer.body;
    if (answer.headers['content-encoding'] !== 'gzip') return body;
    // Failures of either part come out at the end that is read.
    return pipeline(body, createGunzip(), () => undefined);
  }

  #timeout(action: string, limitMs: number): NoAnswer {
    const { host } = this.kubeconfig;
    const problem = new ControlError(
      'KUBERNETES_TIMEOUT',
      `${action}: ${host} did not answer within ${limitMs / 1000} s.`,
      {
        retry: { kind: 'backoff' },
        remedy:
          'Check that Pilothouse can reach the API server: a private one answers inside its own virtual network only, and a proxy or firewall may swallow what is sent.',
      },
    );
    return new NoAnswer(problem, false);
  }

  #explained(error: unknown, action: string): unknown {
    if (error === this.#retired.signal.reason && error instanceof ControlError) return new NoAnswer(error, false);
    if (error instanceof ControlError) return error;
    const fault = classifyConnectionError(error, action, this.kubeconfig.host);
    return fault === undefined ? error : new NoAnswer(fault.error, fault.nothingSent);
  }
}

function dispatcherOf(
  kubeconfig: Kubeconfig,
  { connectTimeoutMs, allowLinkLocal }: ClusterConnectionOptions,
  lookup: LookupFunction,
): Dispatcher {
  const { authentication } = kubeconfig;
  const certificate = authentication.kind === 'entra' ? undefined : authentication.clientCertificate;
  const reach = {
    ...KEEP_ALIVE,
    timeout: connectTimeoutMs,
    lookup: allowLinkLocal ? lookup : refusingLinkLocal(lookup),
  };
  const tls = {
    ...reach,
    // Said in any case, so that nothing in the environment can turn it off.
    rejectUnauthorized: kubeconfig.verifiesServer,
    ...(kubeconfig.certificateAuthority === null ? {} : { ca: kubeconfig.certificateAuthority }),
    ...(kubeconfig.tlsServerName === null ? {} : { servername: kubeconfig.tlsServerName }),
    ...(certificate === undefined ? {} : { cert: certificate.certificate.reveal(), key: certificate.key.reveal() }),
  };
  if (kubeconfig.proxy !== null) {
    return new ProxyAgent({
      uri: kubeconfig.proxy.reveal(),
      requestTls: tls,
      proxyTls: { ...reach, rejectUnauthorized: true },
      allowH2: false,
    });
  }
  return new Agent({ connect: tls, allowH2: false });
}
