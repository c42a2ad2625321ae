import {
  createHttpHeaders,
  type HttpClient,
  type PipelineRequest,
  type PipelineResponse,
} from '@azure/core-rest-pipeline';
import { ArmId } from '#libs/kernel/arm-id.js';
import { createAzure, type Azure } from '#libs/azure/azure.js';
import { DEFAULT_AZURE_OPTIONS } from '#libs/azure/azure.options.js';
import { isJsonObject, type Json, type JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';

export interface FakeRequest {
  method: string;
  /** The path without the host and the query. */
  path: string;
  query: URLSearchParams;
  headers: Record<string, string>;
  body: JsonObject | undefined;
}

export interface FakeAnswer {
  status: number;
  body?: Json;
  headers?: Record<string, string>;
}

const CHILDREN_OF_FLEETS = /\/fleets\/[^/]+\/(members|updateRuns|updateStrategies|autoUpgradeProfiles)$/i;

interface Operation {
  status: string;
  error?: JsonObject;
  /** What happens to the object when the operation ends well. */
  settle(): void;
}

/**
 * Azure Resource Manager in memory, in the place of the sender under the real clients: objects by path, writes that are
 * long-running operations until the test settles them, and answers that a test puts in the way. Whether our picture of
 * Azure is right is for the contract tests against the simulator to say.
 */
export class FakeArm implements HttpClient {
  readonly requests: FakeRequest[] = [];
  readonly #objects = new Map<string, JsonObject>();
  readonly #operations = new Map<string, Operation>();
  #rules: { matches(request: FakeRequest): boolean; answer(request: FakeRequest): FakeAnswer; once: boolean }[] = [];
  #etag = 0;

  azure(): Azure {
    const options = {
      ...DEFAULT_AZURE_OPTIONS,
      armEndpoint: 'http://127.0.0.1:1',
      staticToken: new Secret('fake'),
      retryBaseMs: 1,
      pollIntervalSeconds: 7,
    };
    return createAzure(options, { sender: this });
  }

  set(path: string, body: JsonObject): void {
    this.#objects.set(path.toLowerCase(), structuredClone(body));
  }

  /** Objects under their own ids. */
  add(...bodies: JsonObject[]): void {
    for (const body of bodies) {
      if (typeof body.id !== 'string') throw new TypeError('An object of the fake needs an id');
      this.set(body.id, body);
    }
  }

  get(path: string): JsonObject | undefined {
    return this.#objects.get(path.toLowerCase());
  }

  remove(path: string): void {
    this.#objects.delete(path.toLowerCase());
  }

  /**
   * Answers every request that fits in place of the ordinary behaviour; `once` for the first one only, before all other
   * answers.
   */
  answer(
    method: string,
    path: RegExp,
    answer: FakeAnswer | ((request: FakeRequest) => FakeAnswer),
    once = false,
  ): void {
    const rule = {
      matches: (request: FakeRequest) => request.method === method && path.test(request.path),
      answer: typeof answer === 'function' ? answer : () => answer,
      once,
    };
    const first = this.#rules.findIndex((other) => !other.once);
    this.#rules.splice(once && first !== -1 ? first : this.#rules.length, 0, rule);
  }

  /** Ends every running operation well. */
  settle(): void {
    for (const operation of this.#operations.values()) {
      if (operation.status !== 'InProgress') continue;
      operation.status = 'Succeeded';
      operation.settle();
    }
  }

  /** Ends every running operation with an error. */
  fail(code: string, message: string): void {
    for (const operation of this.#operations.values()) {
      if (operation.status !== 'InProgress') continue;
      operation.status = 'Failed';
      operation.error = { code, message };
    }
  }

  /** Azure forgets how its operations went: their addresses answer 404. */
  forgetOperations(): void {
    this.#operations.clear();
  }

  writes(): string[] {
    return this.requests
      .filter((request) => !['GET', 'POST'].includes(request.method))
      .map((request) => `${request.method} ${request.path}`);
  }

  sendRequest = async (request: PipelineRequest): Promise<PipelineResponse> => {
    const url = new URL(request.url);
    const seen: FakeRequest = {
      method: request.method,
      path: decodeURI(url.pathname),
      query: url.searchParams,
      headers: request.headers.toJSON(),
      body: typeof request.body === 'string' ? (JSON.parse(request.body) as JsonObject) : undefined,
    };
    this.requests.push(seen);
    const answer = this.#answerTo(seen);
    const headers = { 'x-ms-request-id': String(this.requests.length), ...answer.headers };
    return {
      request,
      status: answer.status,
      // An empty one is for answers that are not of Azure.
      headers: createHttpHeaders(Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ''))),
      bodyAsText: answer.body === undefined ? '' : JSON.stringify(answer.body),
    };
  };

  #answerTo(request: FakeRequest): FakeAnswer {
    const rule = this.#rules.find((candidate) => candidate.matches(request));
    if (rule !== undefined) {
      if (rule.once) this.#rules = this.#rules.filter((candidate) => candidate !== rule);
      return rule.answer(request);
    }
    switch (request.method) {
      case 'GET':
        return this.#read(request.path);
      case 'PUT':
        return this.#put(request);
      case 'PATCH':
        return this.#patch(request);
      case 'DELETE':
        return this.#delete(request.path);
      case 'POST':
        if (/\/providers\/microsoft\.resourcegraph\/resources$/i.test(request.path))
          return this.#graph(request.body ?? {});
        return refusal(404, 'NotFound', `The fake has no action ${request.path}`);
      default:
        return refusal(404, 'NotFound', `The fake has no ${request.method} ${request.path}`);
    }
  }

  #read(path: string): FakeAnswer {
    const operation = this.#operations.get(path);
    if (operation !== undefined) {
      const { status, error } = operation;
      return { status: 200, body: { status, ...(error === undefined ? {} : { error }) } };
    }
    const object = this.get(path);
    if (object !== undefined) return { status: 200, body: object };
    const parent = path.slice(0, path.lastIndexOf('/'));
    const isList = path.split('/').length % 2 === 0;
    if (!isList || (CHILDREN_OF_FLEETS.test(path) && this.get(parent) === undefined)) {
      return refusal(404, 'ResourceNotFound', `The Resource '${path}' was not found.`);
    }
    return { status: 200, body: { value: this.#listed(path.toLowerCase()) } };
  }

  /** The children of a collection, or the objects of a type in a subscription. */
  #listed(path: string): JsonObject[] {
    const [, subscription, type] = /^(\/subscriptions\/[^/]+)\/providers\/(.+)$/.exec(path) ?? [];
    const collection = subscription === undefined ? path : `/providers/${type}`;
    return [...this.#objects].flatMap(([key, body]) => {
      const holder = key.slice(0, key.lastIndexOf('/'));
      const fits =
        subscription === undefined ? holder === path : key.startsWith(subscription) && holder.endsWith(collection);
      return fits ? [body] : [];
    });
  }

  /** Understands the one shape of query that the house sends: types, and at most one equality of a property. */
  #graph(body: JsonObject): FakeAnswer {
    const query = typeof body.query === 'string' ? body.query : '';
    const listed = /where type in~ \(([^)]+)\)/.exec(query)?.[1];
    const types = [...(listed ?? /where type =~ ('[^']+')/.exec(query)?.[1] ?? '').matchAll(/'([^']+)'/g)].map(
      (match) => match[1],
    );
    const [, property, wanted] = /where properties\.(\w+) =~ '([^']+)'/.exec(query) ?? [];
    const data = [...this.#objects.values()].filter((object) => {
      const id = typeof object.id === 'string' ? ArmId.tryParse(object.id) : undefined;
      if (!types.includes(id?.canonicalType)) return false;
      const value = property === undefined ? undefined : propertiesOf(object)[property];
      return property === undefined || (typeof value === 'string' && value.toLowerCase() === wanted?.toLowerCase());
    });
    const rows = data.map(({ eTag: _etag, systemData: _systemData, ...row }) => row);
    return {
      status: 200,
      body: { totalRecords: rows.length, count: rows.length, data: rows, resultTruncated: 'false' },
    };
  }

  #put(request: FakeRequest): FakeAnswer {
    const existing = this.get(request.path);
    if (request.headers['if-none-match'] === '*' && existing !== undefined) {
      return refusal(412, 'PreconditionFailed', 'It exists.');
    }
    const ifMatch = request.headers['if-match'];
    if (ifMatch !== undefined && ifMatch !== existing?.eTag && ifMatch !== propertiesOf(existing).eTag) {
      return refusal(409, 'EtagMismatch', 'Operation is not allowed: Another operation is in progress');
    }
    const body: JsonObject = {
      ...structuredClone(request.body ?? {}),
      id: request.path,
      properties: {
        ...propertiesOf(request.body),
        provisioningState: existing === undefined ? 'Creating' : 'Updating',
      },
      eTag: `"${++this.#etag}"`,
    };
    this.set(request.path, body);
    return {
      status: existing === undefined ? 201 : 200,
      body,
      headers: this.#start(() => this.set(request.path, withState(this.get(request.path) ?? body, 'Succeeded'))),
    };
  }

  /** A merge (RFC 7396), done at once. */
  #patch(request: FakeRequest): FakeAnswer {
    const existing = this.get(request.path);
    if (existing === undefined) return refusal(404, 'ResourceNotFound', `There is no ${request.path}`);
    const body = merged(existing, request.body ?? {});
    this.set(request.path, body);
    return { status: 200, body };
  }

  #delete(path: string): FakeAnswer {
    const existing = this.get(path);
    if (existing === undefined) return { status: 204 };
    this.set(path, withState(existing, path.includes('/members/') ? 'Leaving' : 'Deleting'));
    return { status: 202, body: null, headers: this.#start(() => this.remove(path)) };
  }

  #start(settle: () => void): Record<string, string> {
    const path = `/subscriptions/00000000-0000-0000-0000-000000000001/providers/Microsoft.ContainerService/locations/eastus/operations/${this.#operations.size + 1}`;
    this.#operations.set(path, { status: 'InProgress', settle });
    return { 'azure-asyncoperation': `http://127.0.0.1:1${path}?api-version=2016-03-30&t=1&c=c&s=signature&h=h` };
  }
}

function propertiesOf(body: JsonObject | undefined): JsonObject {
  const properties = body?.properties;
  return isJsonObject(properties) ? properties : {};
}

function merged(target: JsonObject, patch: JsonObject): JsonObject {
  const result = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    const present = result[name];
    if (value === null) Reflect.deleteProperty(result, name);
    else result[name] = isJsonObject(value) ? merged(isJsonObject(present) ? present : {}, value) : value;
  }
  return result;
}

function withState(body: JsonObject, provisioningState: string): JsonObject {
  return { ...body, properties: { ...propertiesOf(body), provisioningState } };
}

export function refusal(status: number, code: string, message: string): FakeAnswer {
  return { status, body: { error: { code, message } } };
}
