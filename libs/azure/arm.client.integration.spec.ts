import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import { Secret } from '#libs/kernel/secret.js';
import { createAzure, type Azure } from './azure.js';
import { DEFAULT_AZURE_OPTIONS } from './azure.options.js';

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

const subscription = '/subscriptions/00000000-0000-0000-0000-000000000001';
const fleet = ArmId.parse(`${subscription}/resourceGroups/rg/providers/Microsoft.ContainerService/fleets/f1`);
const version = '2026-06-01';
const context = { correlationId: 'c0ffee' };

describe('ArmClient over HTTP', () => {
  let server: Server;
  let azure: Azure;
  let origin: string;
  let handlers: Handler[];
  let requests: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[];

  beforeEach(async () => {
    handlers = [];
    requests = [];
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
        const handler = handlers.length > 1 ? handlers.shift() : handlers[0];
        if (handler === undefined) response.writeHead(599).end();
        else handler(request, response, body);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    azure = createAzure({
      ...DEFAULT_AZURE_OPTIONS,
      armEndpoint: origin,
      staticToken: new Secret('the-token'),
      requestTimeoutMs: 250,
      retryBaseMs: 1,
      pollIntervalSeconds: 9,
    });
  });

  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const json =
    (status: number, body: unknown, headers: Record<string, string> = {}): Handler =>
    (_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json', 'x-ms-request-id': 'r', ...headers });
      response.end(body === undefined ? '' : JSON.stringify(body));
    };
  const drop: Handler = (request) => void request.socket.destroy();
  const notFound = json(404, { error: { code: 'ResourceNotFound', message: 'not found' } });

  describe('reading', () => {
    it('sends what every call carries', async () => {
      handlers = [json(200, { id: fleet.toString(), eTag: '"7"' })];
      const before = Date.now();
      const reading = await azure.arm.get(fleet, version, context);
      expect(reading).toMatchObject({ state: 'found', etag: '"7"', body: { id: fleet.toString() } });
      expect(reading.observedAt.getTime()).toBeGreaterThanOrEqual(before);
      expect(requests[0]).toMatchObject({
        url: `${fleet.toString()}?api-version=${version}`,
        headers: {
          authorization: 'Bearer the-token',
          'x-ms-correlation-request-id': 'c0ffee',
          'x-ms-return-client-request-id': 'true',
          'x-ms-client-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
          'user-agent': 'pilothouse',
        },
      });
    });

    it.each([
      {
        body: { error: { code: 'ResourceNotFound', message: '' } },
        state: 'missing',
        reason: 'ARM knows no such object',
      },
      {
        body: { error: { code: 'ResourceGroupNotFound', message: '' } },
        state: 'missing',
        reason: 'the group is gone, and all in it',
      },
      {
        body: { code: 'NotFound', message: 'Could not find the agent pool' },
        state: 'missing',
        reason: 'the provider knows none',
      },
      { body: undefined, state: 'missing', reason: 'an empty answer of ARM' },
    ])('says missing when $reason', async ({ body, state }) => {
      handlers = [json(404, body)];
      await expect(azure.arm.get(fleet, version, context)).resolves.toMatchObject({ state });
    });

    it.each([
      {
        body: { error: { code: 'SubscriptionNotFound', message: '' } },
        code: 'AZURE_NOT_FOUND',
        reason: 'a subscription that cannot be seen says nothing about its objects',
      },
      {
        body: { error: { code: 'InvalidResourceType', message: '' } },
        code: 'AZURE_REJECTED',
        reason: 'a retired API version',
      },
    ])('does not say missing for $reason', async ({ body, code }) => {
      handlers = [json(404, body)];
      await expect(azure.arm.get(fleet, version, context)).rejects.toMatchObject({ code });
    });

    it('does not believe a 404 that is not from Azure', async () => {
      handlers = [(_request, response) => response.writeHead(404).end('<html>no such site</html>')];
      await expect(azure.arm.get(fleet, version, context)).rejects.toMatchObject({ code: 'AZURE_UNEXPECTED_ANSWER' });
    });

    it.each([
      { first: json(503, undefined), reason: 'a server error' },
      { first: json(408, undefined), reason: 'a gateway that lost patience' },
      {
        first: json(429, { error: { code: 'TooManyRequests', message: '' } }),
        reason: 'a throttle without Retry-After, which the official clients do not repeat',
      },
      {
        first: json(429, { error: { code: 'SubscriptionRequestsThrottled', message: '' } }, { 'retry-after': '0' }),
        reason: 'a short Retry-After',
      },
      { first: drop, reason: 'a broken connection' },
    ])('repeats a read after $reason', async ({ first }) => {
      handlers = [first, json(200, { id: 'x' })];
      await expect(azure.arm.get(fleet, version, context)).resolves.toMatchObject({ state: 'found' });
      expect(requests).toHaveLength(2);
    });

    it('gives up after three repetitions', async () => {
      handlers = [json(500, { error: { code: 'InternalServerError', message: 'm' } })];
      await expect(azure.arm.get(fleet, version, context)).rejects.toMatchObject({
        code: 'AZURE_UNAVAILABLE',
        retry: { kind: 'backoff' },
      });
      expect(requests).toHaveLength(4);
    });

    it('hands a long Retry-After to the caller, and asks nothing more of that subscription until then', async () => {
      handlers = [
        json(429, { error: { code: 'SubscriptionRequestsThrottled', message: '' } }, { 'retry-after': '17' }),
      ];
      const throttled = { code: 'AZURE_THROTTLED', retry: { kind: 'after', seconds: 17 } };
      await expect(azure.arm.get(fleet, version, context)).rejects.toMatchObject(throttled);
      await expect(azure.arm.get(fleet, version, context)).rejects.toMatchObject(throttled);
      expect(requests).toHaveLength(1);
    });

    it('ends a call that hangs, also in the middle of the body', async () => {
      handlers = [(_request, response) => void response.writeHead(200).write('{"id":')];
      await expect(azure.arm.get(fleet, version, context)).rejects.toMatchObject({
        code: 'AZURE_TIMEOUT',
        retry: { kind: 'backoff' },
      });
      expect(requests).toHaveLength(1);
    });

    it("rejects with the signal's reason when the caller gives up", async () => {
      const abort = new AbortController();
      const reason = new Error('shutting down');
      handlers = [() => abort.abort(reason)];
      await expect(azure.arm.get(fleet, version, { ...context, signal: abort.signal })).rejects.toBe(reason);
    });

    it.each([
      { text: '{"id": "x"', reason: 'cut off' },
      { text: '[]', reason: 'a list' },
      { text: 'null', reason: 'nothing' },
      { text: '', reason: 'empty' },
    ])('refuses an answer that is $reason', async ({ text }) => {
      handlers = [(_request, response) => response.writeHead(200).end(text)];
      await expect(azure.arm.get(fleet, version, context)).rejects.toMatchObject({ code: 'AZURE_UNEXPECTED_ANSWER' });
    });
  });

  describe('listing', () => {
    async function listed(): Promise<unknown[]> {
      const items: unknown[] = [];
      for await (const page of azure.arm.list('/subscriptions', '2022-12-01', context)) items.push(...page.items);
      return items;
    }

    it.each([
      { end: {}, reason: 'absent' },
      { end: { nextLink: null }, reason: 'null' },
      { end: { nextLink: '' }, reason: 'empty' },
    ])('follows the next link as it stands, until it is $reason', async ({ end }) => {
      handlers = [
        json(200, { value: [{ a: 1 }], nextLink: `${origin}/subscriptions?api-version=x&%24skipToken=a%2Bb` }),
        json(200, { value: [{ a: 2 }], ...end }),
      ];
      await expect(listed()).resolves.toEqual([{ a: 1 }, { a: 2 }]);
      expect(requests[1]?.url).toBe('/subscriptions?api-version=x&%24skipToken=a%2Bb');
    });

    it.each([
      { nextLink: 'https://evil.example/next', reason: 'leads away from ARM' },
      { nextLink: '/subscriptions?api-version=2022-12-01', reason: 'goes round in a circle' },
    ])('fails rather than leaving out the rest, when the next link $reason', async ({ nextLink }) => {
      handlers = [json(200, { value: [], nextLink })];
      await expect(listed()).rejects.toMatchObject({ code: 'AZURE_UNEXPECTED_ANSWER' });
      expect(requests).toHaveLength(1);
    });

    it('refuses an answer without a list', async () => {
      handlers = [json(200, { values: [] })];
      await expect(listed()).rejects.toMatchObject({ code: 'AZURE_UNEXPECTED_ANSWER' });
    });
  });

  describe('writing', () => {
    it.each([
      { first: json(500, undefined), code: 'AZURE_UNAVAILABLE', reason: 'after a server error' },
      { first: drop, code: 'AZURE_UNAVAILABLE', reason: 'after a broken connection' },
      {
        first: json(503, undefined, { 'retry-after': '1' }),
        code: 'AZURE_UNAVAILABLE',
        reason: 'although asked to come again',
      },
    ])('is never sent twice $reason: it may have been done', async ({ first, code }) => {
      handlers = [first];
      await expect(azure.arm.put(fleet, version, {}, context)).rejects.toMatchObject({ code });
      expect(requests).toHaveLength(1);
    });

    it('is sent again after a 429: nothing was done', async () => {
      handlers = [json(429, undefined, { 'retry-after': '0' }), json(200, { id: 'x' })];
      await expect(azure.arm.put(fleet, version, { location: 'eastus' }, context)).resolves.toMatchObject({
        status: 200,
      });
      expect(requests.map(({ body }) => body)).toEqual(['{"location":"eastus"}', '{"location":"eastus"}']);
    });

    it('carries its preconditions verbatim', async () => {
      handlers = [json(200, { id: 'x' })];
      await azure.arm.put(fleet, version, {}, context, { ifMatch: '"98047f39"' });
      await azure.arm.put(fleet, version, {}, context, { ifNoneMatch: '*' });
      expect(requests[0]?.headers['if-match']).toBe('"98047f39"');
      expect(requests[1]?.headers['if-none-match']).toBe('*');
    });

    it('understands the body `null` with which some providers answer a DELETE', async () => {
      handlers = [json(202, null, { 'azure-asyncoperation': `${origin}/poll?x=1` })];
      const answer = await azure.arm.delete(fleet, version, context);
      expect(answer).toMatchObject({ status: 202, body: null, retryAfterSeconds: 9 });
      expect(answer.poll).toBeDefined();
    });
  });

  describe('long-running operations', () => {
    const started = { id: fleet.toString(), properties: { provisioningState: 'Creating' } };

    async function startWith(
      status: number,
      body: unknown,
      headers: Record<string, string>,
      method: 'put' | 'delete' | 'post' = 'put',
    ) {
      handlers = [json(status, body, headers)];
      if (method === 'put') return azure.arm.put(fleet, version, {}, context);
      if (method === 'delete') return azure.arm.delete(fleet, version, context);
      return azure.arm.post(`${fleet.toString()}/generate`, version, {}, context);
    }

    it('gives a token that survives a restart, holds a poll address of 5 kB, and shows nothing of it', async () => {
      const signature = 'S'.repeat(5000);
      const { poll, retryAfterSeconds } = await startWith(201, started, {
        'azure-asyncoperation': `${origin}/operations/1?api-version=2016-03-30&t=1&s=${signature}`,
        'retry-after': '3',
      });
      expect(retryAfterSeconds).toBe(3);
      expect(inspect(poll) + String(poll) + JSON.stringify({ poll })).not.toContain('SSS');
      const restored = new Secret(poll?.reveal() ?? '');
      handlers = [json(200, { status: 'InProgress' })];
      await expect(azure.arm.poll(restored, context)).resolves.toEqual({ state: 'running', retryAfterSeconds: 9 });
      expect(requests.at(-1)?.url).toContain(signature);
    });

    it.each([
      {
        body: { status: 'InProgress', error: { code: 'NotLatestOperation', message: '' } },
        state: 'running',
        reason: 'an error while it runs means nothing',
      },
      {
        body: { status: 'Succeeded', error: { code: 'NotLatestOperation', message: '' } },
        state: 'succeeded',
        reason: 'nor does one beside success',
      },
      { body: { status: 'Updating' }, state: 'running', reason: 'a word that is no end' },
      { body: { status: 'Failed', error: { code: 'QuotaExceeded', message: 'm' } }, state: 'failed', reason: 'failed' },
      {
        body: { status: 'Canceled' },
        state: 'canceled',
        error: { externalCode: 'OperationCanceled' },
        reason: 'canceled',
      },
      {
        body: {
          status: 'Canceled',
          error: {
            code: 'OperationPreempted',
            message: 'The operation has been preempted by a more recent operation',
          },
        },
        state: 'canceled',
        error: { externalCode: 'OperationPreempted' },
        reason: 'a newer operation has taken its place',
      },
    ])('is decided by the status alone: $reason', async ({ body, state, error }) => {
      const { poll } = await startWith(201, started, { 'azure-asyncoperation': `${origin}/operations/1` });
      handlers = [json(200, body)];
      const expected = error === undefined ? { state } : { state, error };
      await expect(azure.arm.poll(poll!, context)).resolves.toMatchObject(expected);
    });

    it.each([403, 404, 410])('is lost when its address answers %i', async (status) => {
      const { poll } = await startWith(201, started, { 'azure-asyncoperation': `${origin}/operations/1` });
      handlers = [json(status, { error: { code: 'X', message: '' } })];
      await expect(azure.arm.poll(poll!, context)).resolves.toEqual({ state: 'lost' });
    });

    it('is lost when the token is not one of ours, or leads away from ARM', async () => {
      const foreign = JSON.stringify({
        mode: 'status',
        url: 'https://evil.example/x',
        action: 'PUT x',
        submittedAt: '',
      });
      for (const text of ['', '{}', 'null', '{"mode":"dance"}', foreign]) {
        await expect(azure.arm.poll(new Secret(text), context)).resolves.toEqual({ state: 'lost' });
      }
      expect(requests).toEqual([]);
    });

    it('throws, and so keeps the token good, while Azure cannot be asked', async () => {
      const { poll } = await startWith(201, started, { 'azure-asyncoperation': `${origin}/operations/1` });
      handlers = [json(500, undefined)];
      await expect(azure.arm.poll(poll!, context)).rejects.toMatchObject({ code: 'AZURE_UNAVAILABLE' });
    });

    it('follows a Location until it no longer answers 202', async () => {
      const { poll } = await startWith(202, undefined, { location: '/operationresults/1?s=x' }, 'delete');
      handlers = [json(202, undefined, { 'retry-after': '2' }), json(204, undefined)];
      await expect(azure.arm.poll(poll!, context)).resolves.toEqual({ state: 'running', retryAfterSeconds: 2 });
      await expect(azure.arm.poll(poll!, context)).resolves.toEqual({ state: 'succeeded', body: null });
    });

    it('never follows an address of the provider itself: the state of the object tells instead', async () => {
      const { poll } = await startWith(201, started, {
        location: 'https://westeurope.rp.kubernetesconfiguration.azure.com/x',
      });
      handlers = [json(200, started), json(200, { properties: { provisioningState: 'Succeeded' } })];
      await expect(azure.arm.poll(poll!, context)).resolves.toMatchObject({ state: 'running' });
      await expect(azure.arm.poll(poll!, context)).resolves.toMatchObject({ state: 'succeeded' });
      expect(requests.at(-1)?.url).toBe(`${fleet.toString()}?api-version=${version}`);
    });

    it('takes the absence of a deleted object as the end, where Azure gives no address', async () => {
      const { poll } = await startWith(202, undefined, {}, 'delete');
      handlers = [json(200, started), notFound];
      await expect(azure.arm.poll(poll!, context)).resolves.toMatchObject({ state: 'running' });
      await expect(azure.arm.poll(poll!, context)).resolves.toEqual({ state: 'succeeded', body: null });
    });

    it('fetches the result of an action from its Location once the status says so', async () => {
      const { poll } = await startWith(
        202,
        undefined,
        { 'azure-asyncoperation': `${origin}/op`, location: `${origin}/result` },
        'post',
      );
      handlers = [json(200, { status: 'Succeeded' }), json(200, { id: 'run-1' })];
      await expect(azure.arm.poll(poll!, context)).resolves.toEqual({ state: 'succeeded', body: { id: 'run-1' } });
    });

    it('gives no token for what is done at once', async () => {
      const done = { properties: { provisioningState: 'Succeeded' } };
      expect((await startWith(200, done, {})).poll).toBeUndefined();
      expect((await startWith(201, { id: 'x' }, { location: `${origin}/x` })).poll).toBeUndefined();
      expect((await startWith(204, undefined, {}, 'delete')).poll).toBeUndefined();
    });
  });

  it('goes no further than ARM even when told to', async () => {
    await expect(
      azure.transport.sendRequest({ url: 'https://evil.example/', method: 'GET' } as never),
    ).rejects.toMatchObject({
      code: 'AZURE_UNEXPECTED_ANSWER',
    });
  });
});
