import { randomUUID } from 'node:crypto';
import type { TokenCredential } from '@azure/core-auth';
import {
  bearerTokenAuthenticationPolicy,
  createEmptyPipeline,
  createHttpHeaders,
  createPipelineRequest,
  decompressResponsePolicy,
  proxyPolicy,
  type HttpMethods,
  type PipelineResponse,
} from '@azure/core-rest-pipeline';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { Clock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { noteReading, refuseInRehearsal } from '#libs/kernel/rehearsal.js';
import { Secret } from '#libs/kernel/secret.js';
import type { ArmEndpoint } from './arm-endpoint.js';
import {
  classifyArmError,
  canceledOperationError,
  failedOperationError,
  isAboutTheWay,
  parseArmError,
} from './arm-error.classifier.js';
import type { AzureCallContext } from './azure.options.js';
import { isListingAction, type AzureTransport } from './azure-transport.js';
import { retryAfterSeconds } from './retry-after.js';

export type ArmReading =
  | { state: 'found'; body: JsonObject; etag: string | null; observedAt: Date }
  /** Azure knows the place and says that nothing is there. */
  | { state: 'missing'; observedAt: Date };

export interface ArmPage {
  items: JsonObject[];
  /** When the page was asked for. */
  observedAt: Date;
}

export interface ArmWriteOptions {
  /** An entity tag, verbatim. */
  ifMatch?: string;
  /** `*`: only where nothing is there yet. */
  ifNoneMatch?: '*';
  /** Further parameters of the query. */
  query?: Readonly<Record<string, string>>;
}

export interface ArmWriteAnswer {
  status: number;
  body: JsonObject | null;
  etag: string | null;
  /** Present while Azure goes on working: opaque, secret, and good for `poll` after a restart. */
  poll?: Secret;
  retryAfterSeconds: number;
}

export type ArmPollAnswer =
  | { state: 'running'; retryAfterSeconds: number }
  /** `body`: the result of an action (POST) that has one; otherwise null, and the object itself is the result. */
  | { state: 'succeeded'; body: JsonObject | null }
  | { state: 'failed'; error: ControlError }
  /** Somebody has ended it, or a newer operation on the same object has. */
  | { state: 'canceled'; error: ControlError }
  /** The address has expired or cannot be used: the state of the object itself must tell. */
  | { state: 'lost' };

/**
 * How a started operation is watched. `status`: a status resource; `result`: an address that answers 202 until the end;
 * `object`: the changed object's own provisioning state; `absence`: the deleted object is gone.
 */
interface ResumeToken {
  mode: 'status' | 'result' | 'object' | 'absence';
  url: string;
  /** Where the result of an action is to be read once a status resource says "succeeded". */
  resultUrl: string | null;
  /** What was started, for messages. */
  action: string;
  submittedAt: string;
}

export interface ArmClientOptions {
  endpoint: ArmEndpoint;
  credential: TokenCredential;
  transport: AzureTransport;
  clock: Clock;
  userAgent: string;
  pollIntervalSeconds: number;
}

interface SendOptions {
  body?: JsonObject;
  headers?: Record<string, string>;
}

/**
 * Azure Resource Manager in raw JSON, one call a method: no field is lost that we do not know. Everything it throws is
 * a ControlError of the AZURE_… family (or TARGET_BUSY, PRECONDITION_FAILED), or the reason of an aborted signal.
 */
export class ArmClient {
  readonly #send: (request: ReturnType<typeof createPipelineRequest>) => Promise<PipelineResponse>;

  constructor(private readonly options: ArmClientOptions) {
    const pipeline = createEmptyPipeline();
    pipeline.addPolicy(proxyPolicy());
    pipeline.addPolicy(decompressResponsePolicy());
    pipeline.addPolicy(
      bearerTokenAuthenticationPolicy({ credential: options.credential, scopes: options.endpoint.tokenScope }),
      { phase: 'Sign' },
    );
    this.#send = (request) => pipeline.sendRequest(options.transport, request);
  }

  /** When to look again where Azure does not say. Seconds. */
  get pollIntervalSeconds(): number {
    return this.options.pollIntervalSeconds;
  }

  /** Reads one object. `missing` is said only when ARM or the resource provider itself answers that it is not there. */
  async get(path: ArmId | string, apiVersion: string, context: AzureCallContext): Promise<ArmReading> {
    const observedAt = this.options.clock.now();
    const response = await this.#request('GET', this.options.endpoint.url(path, apiVersion), context);
    if (response.status === 404 && isAbsence(response)) return { state: 'missing', observedAt };
    this.#expectSuccess(response, `GET ${shown(path)}`);
    const body = this.#objectOf(response, `GET ${shown(path)}`);
    noteReading(path.toString(), body);
    return { state: 'found', body, etag: etagOf(body, response), observedAt };
  }

  /** Reads a list page by page, following `nextLink` as it stands. */
  async *list(
    path: ArmId | string,
    apiVersion: string,
    context: AzureCallContext,
    query: Readonly<Record<string, string>> = {},
  ): AsyncGenerator<ArmPage, undefined, void> {
    const action = `GET ${shown(path)}`;
    const seen = new Set<string>();
    let url: string | undefined = this.options.endpoint.url(path, apiVersion, query);
    while (url !== undefined) {
      seen.add(url);
      const observedAt = this.options.clock.now();
      const response: PipelineResponse = await this.#request('GET', url, context);
      this.#expectSuccess(response, action);
      const body = this.#objectOf(response, action);
      const items = body.value;
      if (!Array.isArray(items) || !items.every(isJsonObject)) {
        throw new ControlError('AZURE_UNEXPECTED_ANSWER', `${action}: the answer is not a list of objects.`);
      }
      yield { items, observedAt };
      const nextLink = body.nextLink;
      url = undefined;
      if (typeof nextLink === 'string' && nextLink !== '') {
        url = this.options.endpoint.follow(nextLink);
        // Ending here would leave the rest of the list out silently.
        if (url === undefined || seen.has(url)) {
          throw new ControlError('AZURE_UNEXPECTED_ANSWER', `${action}: the link to the next page cannot be followed.`);
        }
      }
    }
  }

  put(
    path: ArmId | string,
    apiVersion: string,
    body: JsonObject,
    context: AzureCallContext,
    options: ArmWriteOptions = {},
  ): Promise<ArmWriteAnswer> {
    return this.#write('PUT', path, apiVersion, body, context, options);
  }

  patch(
    path: ArmId | string,
    apiVersion: string,
    body: JsonObject,
    context: AzureCallContext,
    options: ArmWriteOptions = {},
  ): Promise<ArmWriteAnswer> {
    return this.#write('PATCH', path, apiVersion, body, context, options);
  }

  delete(
    path: ArmId | string,
    apiVersion: string,
    context: AzureCallContext,
    options: ArmWriteOptions = {},
  ): Promise<ArmWriteAnswer> {
    return this.#write('DELETE', path, apiVersion, undefined, context, options);
  }

  /** An action: the path ends with its name. */
  post(
    path: string,
    apiVersion: string,
    body: JsonObject | undefined,
    context: AzureCallContext,
  ): Promise<ArmWriteAnswer> {
    return this.#write('POST', path, apiVersion, body, context, {});
  }

  /** Asks once how a started operation is doing. The answer is decided by its status alone. */
  async poll(resumeToken: Secret, context: AzureCallContext): Promise<ArmPollAnswer> {
    const token = parseResumeToken(resumeToken);
    const url = token === undefined ? undefined : this.options.endpoint.follow(token.url);
    if (token === undefined || url === undefined) return { state: 'lost' };
    const response = await this.#request('GET', url, context);
    if (token.mode === 'absence' && response.status === 404 && isAbsence(response))
      return { state: 'succeeded', body: null };
    // A signed address that is too old is answered in any of these ways.
    if ([400, 403, 404, 410].includes(response.status)) return { state: 'lost' };
    const action = `poll of ${token.action}`;
    this.#expectSuccess(response, action);
    const retryAfter = this.#retryAfter(response);
    const body = this.#bodyOf(response, action);
    switch (token.mode) {
      case 'status':
        return this.#statusAnswer(token, statusOf(body), response, body, retryAfter, context);
      case 'result':
        if (response.status === 202) return { state: 'running', retryAfterSeconds: retryAfter };
        return { state: 'succeeded', body };
      case 'object':
        return this.#statusAnswer(token, provisioningStateOf(body), response, body, retryAfter, context);
      case 'absence':
        return { state: 'running', retryAfterSeconds: retryAfter };
    }
  }

  async #statusAnswer(
    token: ResumeToken,
    status: string | undefined,
    response: PipelineResponse,
    body: JsonObject | null,
    retryAfter: number,
    context: AzureCallContext,
  ): Promise<ArmPollAnswer> {
    const text = status?.toLowerCase();
    if (text === undefined) {
      return response.status === 202
        ? { state: 'running', retryAfterSeconds: retryAfter }
        : { state: 'succeeded', body: null };
    }
    if (text.includes('succeeded')) return { state: 'succeeded', body: await this.#result(token, body, context) };
    if (text.includes('fail')) return { state: 'failed', error: failedOperationError(token.action, body) };
    if (text === 'canceled' || text === 'cancelled') {
      return { state: 'canceled', error: canceledOperationError(token.action, body) };
    }
    return { state: 'running', retryAfterSeconds: retryAfter };
  }

  /** An action's result is at its `Location`, or in the properties of the status itself. */
  async #result(token: ResumeToken, status: JsonObject | null, context: AzureCallContext): Promise<JsonObject | null> {
    if (!token.action.startsWith('POST')) return null;
    // Some providers name the status itself as the place of the result.
    const isElsewhere = token.resultUrl !== null && token.resultUrl !== token.url;
    const url = isElsewhere ? this.options.endpoint.follow(token.resultUrl ?? '') : undefined;
    if (url === undefined) {
      const properties = status?.properties;
      return isJsonObject(properties) ? properties : null;
    }
    const response = await this.#request('GET', url, context);
    const action = `result of ${token.action}`;
    this.#expectSuccess(response, action);
    return this.#bodyOf(response, action);
  }

  async #write(
    method: 'PUT' | 'PATCH' | 'DELETE' | 'POST',
    path: ArmId | string,
    apiVersion: string,
    body: JsonObject | undefined,
    context: AzureCallContext,
    options: ArmWriteOptions,
  ): Promise<ArmWriteAnswer> {
    const action = `${method} ${shown(path)}`;
    if (method !== 'POST' || !isListingAction(path.toString())) refuseInRehearsal(method, path.toString(), body);
    const url = this.options.endpoint.url(path, apiVersion, options.query);
    const response = await this.#request(method, url, context, {
      ...(body === undefined ? {} : { body }),
      headers: {
        ...(options.ifMatch === undefined ? {} : { 'if-match': options.ifMatch }),
        ...(options.ifNoneMatch === undefined ? {} : { 'if-none-match': options.ifNoneMatch }),
      },
    });
    this.#expectSuccess(response, action);
    const answer = this.#bodyOf(response, action);
    const poll = this.#resumeToken(method, action, url, response, answer);
    return {
      status: response.status,
      body: answer,
      etag: answer === null ? null : etagOf(answer, response),
      ...(poll === undefined ? {} : { poll: new Secret(JSON.stringify(poll)) }),
      retryAfterSeconds: this.#retryAfter(response),
    };
  }

  /** In the order of ARM's own clients: a status address, a result address, then the object itself. */
  #resumeToken(
    method: 'PUT' | 'PATCH' | 'DELETE' | 'POST',
    action: string,
    url: string,
    response: PipelineResponse,
    body: JsonObject | null,
  ): ResumeToken | undefined {
    if (response.status === 204) return undefined;
    const { endpoint, clock } = this.options;
    const header = (name: string): string | undefined => {
      const value = response.headers.get(name);
      return value === undefined || value === '' ? undefined : endpoint.follow(value);
    };
    const location = header('location');
    const token = (mode: ResumeToken['mode'], at: string): ResumeToken => ({
      mode,
      url: at,
      resultUrl: location ?? null,
      action,
      submittedAt: clock.now().toISOString(),
    });
    const status = header('operation-location') ?? header('azure-asyncoperation');
    if (status !== undefined) return token('status', status);
    // With 200 and 201 a `Location` names the object, not an operation.
    if (location !== undefined && response.status === 202) return token('result', location);
    if (method === 'DELETE') return response.status === 202 ? token('absence', url) : undefined;
    if (method === 'POST') return undefined;
    const state = provisioningStateOf(body)?.toLowerCase();
    const settled = state === undefined || ['succeeded', 'failed', 'canceled', 'cancelled'].includes(state);
    return settled && response.status !== 202 ? undefined : token('object', url);
  }

  #request(
    method: HttpMethods,
    url: string,
    context: AzureCallContext,
    options: SendOptions = {},
  ): Promise<PipelineResponse> {
    return this.#send(
      createPipelineRequest({
        url,
        method,
        headers: createHttpHeaders({
          accept: 'application/json',
          'user-agent': this.options.userAgent,
          'x-ms-correlation-request-id': context.correlationId,
          ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...options.headers,
        }),
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
        ...(context.signal === undefined ? {} : { abortSignal: context.signal }),
        requestId: randomUUID(),
      }),
    );
  }

  #expectSuccess(response: PipelineResponse, action: string): void {
    if (response.status >= 200 && response.status < 300) return;
    if (response.status === 404 && !isOfAzure(response)) {
      // Taking it for the truth would empty the cache because of a proxy.
      throw new ControlError('AZURE_UNEXPECTED_ANSWER', `${action}: a 404 that is not from Azure.`, {
        retry: { kind: 'backoff' },
      });
    }
    throw classifyArmError({
      status: response.status,
      body: response.bodyAsText,
      headers: response.headers,
      action,
      now: this.options.clock.now(),
    });
  }

  #objectOf(response: PipelineResponse, action: string): JsonObject {
    const body = this.#bodyOf(response, action);
    if (body !== null) return body;
    throw new ControlError('AZURE_UNEXPECTED_ANSWER', `${action}: the answer is empty.`);
  }

  /** The JSON object of an answer; null for an empty one, or for the word `null` that some providers send. */
  #bodyOf(response: PipelineResponse, action: string): JsonObject | null {
    const text = response.bodyAsText?.trim() ?? '';
    if (text === '') return null;
    let value: unknown;
    try {
      value = JSON.parse(text) as Json;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      // Half an answer: the connection or a proxy is at fault, and asking again can help.
      throw new ControlError('AZURE_UNEXPECTED_ANSWER', `${action}: the answer is not JSON.`, {
        retry: { kind: 'backoff' },
      });
    }
    if (value === null) return null;
    if (isJsonObject(value)) return value;
    throw new ControlError('AZURE_UNEXPECTED_ANSWER', `${action}: the answer is not a JSON object.`);
  }

  #retryAfter(response: PipelineResponse): number {
    return retryAfterSeconds(response.headers, this.options.clock.now()) ?? this.options.pollIntervalSeconds;
  }
}

/** A 404 of ARM or of a resource provider, and about the object. */
function isAbsence(response: PipelineResponse): boolean {
  return isOfAzure(response) && !isAboutTheWay(parseArmError(response.bodyAsText)?.code ?? '');
}

/** Every answer of ARM has a request id, and an error of its has a code. */
function isOfAzure(response: PipelineResponse): boolean {
  return response.headers.has('x-ms-request-id') || parseArmError(response.bodyAsText) !== undefined;
}

function etagOf(body: JsonObject, response: PipelineResponse): string | null {
  const properties = body.properties;
  const candidates = [body.eTag, body.etag, isJsonObject(properties) ? properties.eTag : undefined];
  const inBody = candidates.find((candidate) => typeof candidate === 'string' && candidate !== '');
  return typeof inBody === 'string' ? inBody : (response.headers.get('etag') ?? null);
}

function statusOf(body: JsonObject | null): string | undefined {
  const status = body?.status;
  return typeof status === 'string' ? status : provisioningStateOf(body);
}

function provisioningStateOf(body: JsonObject | null): string | undefined {
  const properties = body?.properties;
  const state = isJsonObject(properties) ? properties.provisioningState : undefined;
  return typeof state === 'string' ? state : undefined;
}

/** The end of a path, enough to know what a message is about: `managedClusters/c1/agentPools/p1`. */
function shown(path: ArmId | string): string {
  const id = typeof path === 'string' ? ArmId.tryParse(path) : path;
  if (id === undefined) return path.toString();
  const last = id.parts.at(-1);
  return last === undefined
    ? id.toString()
    : last.segments.map((segment) => `${segment.type}/${segment.name}`).join('/');
}

function parseResumeToken(secret: Secret): ResumeToken | undefined {
  let value: unknown;
  try {
    value = JSON.parse(secret.reveal());
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (!isJsonObject(value)) return undefined;
  const { mode, url, resultUrl, action, submittedAt } = value;
  if (mode !== 'status' && mode !== 'result' && mode !== 'object' && mode !== 'absence') return undefined;
  if (typeof url !== 'string' || typeof action !== 'string' || typeof submittedAt !== 'string') return undefined;
  return { mode, url, action, submittedAt, resultUrl: typeof resultUrl === 'string' ? resultUrl : null };
}
