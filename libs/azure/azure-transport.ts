import { randomUUID } from 'node:crypto';
import {
  createDefaultHttpClient,
  isRestError,
  type HttpClient,
  type PipelineRequest,
  type PipelineResponse,
} from '@azure/core-rest-pipeline';
import type { Clock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { WriteGuard } from '#libs/kernel/worker-lease.js';
import { parseArmError } from './arm-error.classifier.js';
import type { ArmEndpoint } from './arm-endpoint.js';
import { retryAfterSeconds } from './retry-after.js';
import { TENANT, type CallClass, type ThrottleBudget } from './throttle-budget.js';

const MOST_RETRIES = 3;
const TIME_IS_UP = Symbol('time is up');
const SUBSCRIPTION_IN_PATH = /^\/subscriptions\/([0-9a-f-]{36})(?:\/|$)/i;
const GRAPH_PATH = /^\/providers\/microsoft\.resourcegraph\/resources$/i;
const LISTING_ACTION = /\/list[a-z]*$/i;
/** A refusal of ARM itself, which counts for the whole bucket; a resource provider's own concerns one object. */
const BUCKET_REFUSALS = new Set(['SubscriptionRequestsThrottled', 'TenantRequestsThrottled']);

export interface AzureTransportOptions {
  endpoint: ArmEndpoint;
  budget: ThrottleBudget;
  clock: Clock;
  requestTimeoutMs: number;
  retryBaseMs: number;
  longestRetryAfterSeconds: number;
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** What really sends; the default one of core-rest-pipeline where absent. */
  sender?: HttpClient;
  /** Asked directly before each request that changes something; whoever holds no claims needs none. */
  guard?: WriteGuard;
}

/**
 * The one way to Azure, for the official clients and for ours. It keeps to ARM's hosts, to the throttle budget and to
 * the time limit, and repeats what may be repeated: reads after 408, 5xx and broken connections, anything after a 429
 * (nothing was done), each only while that takes a few seconds. A write whose answer is lost is NOT sent again: whoever
 * asked has to look at the object first.
 *
 * It answers whatever Azure's last answer was, of any status.
 * @throws ControlError AZURE_UNAVAILABLE when there was no answer, AZURE_TIMEOUT when there was none in time,
 *   AZURE_THROTTLED when the budget is used up, AZURE_UNEXPECTED_ANSWER for an address outside ARM, FENCED for a write of
 *   a worker that may have been taken for dead.
 * @throws the reason of the request's signal when that aborts.
 */
export class AzureTransport implements HttpClient {
  readonly #sender: HttpClient;

  constructor(private readonly options: AzureTransportOptions) {
    this.#sender = options.sender ?? createDefaultHttpClient();
  }

  sendRequest = async (request: PipelineRequest): Promise<PipelineResponse> => {
    const { endpoint, budget } = this.options;
    const wireUrl = endpoint.wireUrl(request.url);
    const call = callOf(request.method, new URL(request.url).pathname);
    const signal = request.abortSignal as AbortSignal | undefined;
    for (let attempt = 0; ; attempt++) {
      const left = await budget.take(call.scope, call.callClass, signal);
      const outcome = await this.#sendOnce(request, wireUrl, call, signal);
      const wait = await this.#pauseBeforeRetry(outcome, call, attempt, left);
      if (wait !== undefined) {
        await this.options.sleep(wait, signal);
        continue;
      }
      if (outcome instanceof ControlError) throw outcome;
      return this.#forClient(request, outcome);
    }
  };

  async #sendOnce(
    request: PipelineRequest,
    wireUrl: string,
    call: Call,
    signal: AbortSignal | undefined,
  ): Promise<PipelineResponse | ControlError> {
    // Before the look at the signal, which a lost lease aborts. From here to the sender nothing is waited for.
    if (!call.repeatable) this.options.guard?.assertMayWrite();
    signal?.throwIfAborted();
    request.headers.set('x-ms-client-request-id', randomUUID());
    request.headers.set('x-ms-return-client-request-id', 'true');
    // Our own limit, since that of the sender ends with the arrival of the headers.
    const abort = new AbortController();
    const onAbort = (): void => abort.abort();
    signal?.addEventListener('abort', onAbort, { once: true });
    const limitMs = request.timeout > 0 ? request.timeout : this.options.requestTimeoutMs;
    const timer = setTimeout(() => {
      abort.abort(TIME_IS_UP);
    }, limitMs);
    try {
      return await this.#sender.sendRequest({
        ...request,
        url: wireUrl,
        timeout: 0,
        abortSignal: abort.signal,
        allowInsecureConnection: this.options.endpoint.isLoopback,
      });
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      if (abort.signal.reason === TIME_IS_UP) {
        return new ControlError(
          'AZURE_TIMEOUT',
          `Azure did not answer a ${request.method} within ${limitMs / 1000} s.`,
          {
            retry: { kind: 'backoff' },
          },
        );
      }
      if (isRestError(error)) {
        return new ControlError('AZURE_UNAVAILABLE', `The connection to Azure failed (${error.code ?? error.name}).`, {
          retry: { kind: 'backoff' },
        });
      }
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Learns from the outcome; milliseconds to wait before the same request is sent again, or undefined for "not again". */
  async #pauseBeforeRetry(
    outcome: PipelineResponse | ControlError,
    call: Call,
    attempt: number,
    left: number,
  ): Promise<number | undefined> {
    const backoff = this.options.retryBaseMs * 2 ** attempt * (0.5 + Math.random() / 2);
    const mayRetry = attempt < MOST_RETRIES;
    if (outcome instanceof ControlError) {
      return mayRetry && call.repeatable && outcome.code === 'AZURE_UNAVAILABLE' ? backoff : undefined;
    }
    const { budget, clock, longestRetryAfterSeconds } = this.options;
    await budget.learn(call.scope, call.callClass, outcome.headers, left);
    const asked = retryAfterSeconds(outcome.headers, clock.now());
    if (outcome.status === 429) {
      const code = parseArmError(outcome.bodyAsText)?.code;
      if (asked !== undefined && (call.callClass === 'graphQueries' || BUCKET_REFUSALS.has(code ?? ''))) {
        await budget.close(call.scope, call.callClass, asked);
      }
    }
    const repeatable = outcome.status === 429 || (call.repeatable && isPassingFault(outcome.status));
    if (!mayRetry || !repeatable) return undefined;
    if (asked === undefined) return backoff;
    return asked <= longestRetryAfterSeconds ? asked * 1000 + backoff / 4 : undefined;
  }

  /**
   * A simulator hands out its own plain http address; the official clients follow only https ones, so they get ours.
   */
  #forClient(request: PipelineRequest, response: PipelineResponse): PipelineResponse {
    const { endpoint } = this.options;
    if (endpoint.isLoopback) {
      for (const name of ['azure-asyncoperation', 'location', 'operation-location']) {
        const followed = endpoint.follow(response.headers.get(name) ?? 'about:blank');
        if (followed !== undefined) response.headers.set(name, followed);
      }
      response.bodyAsText =
        response.bodyAsText?.replace(/("nextLink"\s*:\s*")(http:[^"\\]+)"/i, (whole, before: string, link: string) => {
          const followed = endpoint.follow(link);
          return followed === undefined ? whole : `${before}${followed}"`;
        }) ?? null;
    }
    return { ...response, request };
  }
}

interface Call {
  scope: string;
  callClass: CallClass;
  /** Whether sending it twice does no harm. */
  repeatable: boolean;
}

function callOf(method: string, path: string): Call {
  const scope = SUBSCRIPTION_IN_PATH.exec(path)?.[1]?.toLowerCase() ?? TENANT;
  switch (method) {
    case 'GET':
    case 'HEAD':
      return { scope, callClass: 'reads', repeatable: true };
    case 'DELETE':
      return { scope, callClass: 'deletes', repeatable: false };
    case 'POST':
      if (GRAPH_PATH.test(path)) return { scope: TENANT, callClass: 'graphQueries', repeatable: true };
      return { scope, callClass: 'writes', repeatable: isListingAction(path) };
    default:
      return { scope, callClass: 'writes', repeatable: false };
  }
}

/** By ARM's convention an action named `list…` only reads (credentials, keys). */
export function isListingAction(path: string): boolean {
  return LISTING_ACTION.test(path);
}

function isPassingFault(status: number): boolean {
  return status === 408 || (status >= 500 && status !== 501 && status !== 505);
}
