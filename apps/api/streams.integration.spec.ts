import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { connect as connectTo } from 'node:net';
import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';
import { ControlError } from '#libs/kernel/control-error.js';
import { delay } from '#libs/kernel/clock.js';
import { asAdmin, startFakeApi, type FakeApi } from '../../test/api/fake-api.js';
import { changeView, operationView } from '../../test/api/fake-controls.js';

describe('streams', () => {
  let api: FakeApi;
  let address: string;
  let operationId: string;
  beforeEach(async () => {
    api = await startFakeApi({ heartbeatMs: 60, maxOpenStreams: 3, streamStallMs: 150 });
    address = await api.listen();
    const operation = operationView();
    operationId = operation.id;
    api.operations.operations.set(operation.id, operation);
    api.operations.events_ = [
      { id: '1', at: operation.createdAt, operation },
      { id: '2', at: operation.createdAt, operation: { ...operation, status: 'Running' } },
      { id: '3', at: operation.createdAt, operation: { ...operation, status: 'Succeeded', retryAfter: null } },
    ];
  });
  afterEach(() => api.close());

  const open = (path: string, headers: Record<string, string> = {}, signal?: AbortSignal) =>
    fetch(address + path, { headers: { ...asAdmin, ...headers }, ...(signal === undefined ? {} : { signal }) });

  describe('server-sent events', () => {
    it('follow an operation to its end', async () => {
      const answer = await open(`/v1/operations/${operationId}/events`);
      expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
      expect(answer.headers.get('cache-control')).toBe('no-store');
      const events = eventsOf(await answer.text());
      expect(events.map(({ id, event, data }) => ({ id, event, status: data.status }))).toEqual([
        { id: '1', event: 'operation', status: 'Pending' },
        { id: '2', event: 'operation', status: 'Running' },
        { id: '3', event: 'operation', status: 'Succeeded' },
      ]);
      expect(api.operations.openStreams).toBe(0);
    });

    it('go on after the last one that was seen, and tell a client that has seen all to stay away', async () => {
      const rest = await open(`/v1/operations/${operationId}/events`, { 'last-event-id': '2' });
      expect(eventsOf(await rest.text()).map(({ id }) => id)).toEqual(['3']);
      expect((await open(`/v1/operations/${operationId}/events`, { 'last-event-id': '3' })).status).toBe(204);
    });

    it('give signs of life, and end when the client goes', async () => {
      api.operations.streamEnds = false;
      const client = new AbortController();
      const answer = await open(`/v1/operations/${operationId}/events`, {}, client.signal);
      const text = await readUntil(answer, (read) => read.split(': heartbeat').length > 2);
      expect(text).toMatch(/^retry: \d+\n\n/);
      expect(api.operations.openStreams).toBe(1);
      client.abort();
      await until(() => api.operations.openStreams === 0);
    });

    it('let go of a client that takes nothing more, and tell it should it read on', async () => {
      const operation = operationView({ message: 'x'.repeat(200_000) });
      api.operations.events_ = Array.from({ length: 500 }, (_none, index) => ({
        id: String(index + 1),
        at: operation.createdAt,
        operation,
      }));
      const { port } = new URL(address);
      const socket = connectTo({ host: '127.0.0.1', port: Number(port) });
      socket.write(
        `GET /v1/operation-events HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\nauthorization: ${asAdmin.authorization}\r\n\r\n`,
      );
      socket.pause();
      await until(() => api.operations.openStreams === 1);
      await until(() => api.operations.openStreams === 0);
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
      socket.resume();
      await until(() => text.endsWith('0\r\n\r\n'));
      socket.destroy();
      const sent = text.match(/^id: \d+$/gm)!.length;
      expect(sent).toBeLessThan(500);
      expect(text.slice(text.lastIndexOf('event: problem'))).toContain('CONSUMER_TOO_SLOW');
    });

    it('give the transitions of all operations to who asks for events, from where the client was', async () => {
      const answer = await open('/v1/operation-events?type=ship.dock', {
        accept: 'text/event-stream',
        'last-event-id': '1',
      });
      expect(eventsOf(await answer.text()).map(({ id, data }) => [id, data.status])).toEqual([
        ['2', 'Running'],
        ['3', 'Succeeded'],
      ]);
    });

    it('give a page of transitions to who does not', async () => {
      const answer = await open('/v1/operation-events?type=ship.dock&status=Running&after=x&limit=5');
      expect(await answer.json()).toMatchObject({ items: [{ id: '1' }, { id: '2' }, { id: '3' }], nextCursor: 'n' });
      expect(api.operations.queries).toEqual([{ type: 'ship.dock', status: ['Running'], after: 'x', limit: 5 }]);
    });

    it('end when the server stops', async () => {
      api.operations.streamEnds = false;
      const answer = await open(`/v1/operations/${operationId}/events`);
      await readUntil(answer, (read) => read.includes('Succeeded'));
      const began = performance.now();
      await api.application.close();
      expect(api.operations.openStreams).toBe(0);
      expect(performance.now() - began).toBeLessThan(2_000);
    });

    it('give the change feed to who asks for events, from where the client was', async () => {
      api.changes.changes = [changeView(), changeView({ cursor: 'c2' })];
      const client = new AbortController();
      const answer = await open(
        '/v1/changes?kind=Ship&after=old',
        { accept: 'text/event-stream', 'last-event-id': 'newer' },
        client.signal,
      );
      const text = await readUntil(answer, (read) => read.includes('id: c2'));
      expect(eventsOf(text)[0]).toMatchObject({
        id: 'c1',
        event: 'change',
        data: { kind: 'Ship', health: 'Degraded' },
      });
      expect(api.changes.queries).toEqual([{ kinds: ['Ship'], after: 'newer' }]);
      client.abort();
      await until(() => api.changes.openStreams === 0);
    });

    it('give a page of changes to who does not', async () => {
      const answer = await open('/v1/changes?kind=Ship&after=old&limit=5');
      expect(await answer.json()).toEqual({ items: [], nextCursor: 'next' });
      expect(api.changes.queries).toEqual([{ kinds: ['Ship'], after: 'old', limit: 5 }]);
    });

    it.each([
      {
        path: '/v1/operations/00000000-0000-4000-8000-000000000000/events',
        headers: {},
        status: 404,
        reason: 'no such operation',
      },
      {
        path: '/v1/operations/{id}/events',
        headers: { accept: 'application/json' },
        status: 406,
        reason: 'events only',
      },
      { path: '/v1/operations/{id}/events', headers: { 'last-event-id': 'ü' }, status: 400, reason: 'no id of ours' },
      { path: '/v1/operations/{id}/events', headers: { authorization: 'Bearer x' }, status: 401, reason: 'no token' },
      { path: '/v1/operation-events?status=Slow', headers: {}, status: 400, reason: 'no such status' },
      { path: '/v1/changes?after=', headers: { accept: 'text/event-stream' }, status: 400, reason: 'an empty cursor' },
    ])('answer $status with a problem before the stream begins: $reason', async ({ path, headers, status }) => {
      const answer = await open(path.replace('{id}', operationId), headers);
      expect(answer.status).toBe(status);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
    });

    it('answer what fails at the beginning with a problem', async () => {
      api.changes.failure = new ControlError('CURSOR_EXPIRED', 'Too old.');
      const answer = await open('/v1/changes?after=old', { accept: 'text/event-stream' });
      expect(answer.status).toBe(410);
    });

    it('are bounded in number', async () => {
      api.operations.streamEnds = false;
      const client = new AbortController();
      const path = `/v1/operations/${operationId}/events`;
      await Promise.all([1, 2, 3].map(() => open(path, {}, client.signal)));
      const answer = await open(path);
      expect({ status: answer.status, retryAfter: answer.headers.get('retry-after') }).toEqual({
        status: 503,
        retryAfter: '10',
      });
      client.abort();
      await until(() => api.operations.openStreams === 0);
      expect((await open(path, {}, AbortSignal.timeout(500))).status).toBe(200);
    });

    it('do not begin for a HEAD request', async () => {
      api.operations.streamEnds = false;
      const answer = await fetch(`${address}/v1/operations/${operationId}/events`, {
        method: 'HEAD',
        headers: asAdmin,
      });
      expect(answer.headers.get('content-type')).toContain('text/event-stream');
      expect(api.operations.openStreams).toBe(0);
    });
  });

  describe('subscriptions', () => {
    const clients: Client[] = [];
    afterEach(async () => {
      for (const client of clients.splice(0)) await client.dispose();
    });

    function connect(parameters: {
      connectionParams?: Record<string, unknown>;
      headers?: Record<string, string>;
    }): Client {
      class WithHeaders extends WebSocket {
        constructor(url: string, protocols: string | string[]) {
          super(url, protocols, { headers: parameters.headers ?? {} });
        }
      }
      const client = createClient({
        url: `${address.replace('http', 'ws')}/graphql`,
        webSocketImpl: WithHeaders,
        retryAttempts: 0,
        ...(parameters.connectionParams === undefined ? {} : { connectionParams: parameters.connectionParams }),
      });
      clients.push(client);
      return client;
    }

    it.each([
      { parameters: { connectionParams: { authorization: asAdmin.authorization } }, reason: 'with the first message' },
      { parameters: { connectionParams: { Authorization: asAdmin.authorization } }, reason: 'in any case' },
      { parameters: { headers: asAdmin }, reason: 'with the upgrade' },
    ])('take the token $reason', async ({ parameters }) => {
      const client = connect(parameters);
      const statuses: string[] = [];
      for await (const { data } of client.iterate({
        query: `subscription { operation(id: "${operationId}") { status } }`,
      })) {
        statuses.push((data as { operation: { status: string } }).operation.status);
      }
      expect(statuses).toEqual(['Pending', 'Running', 'Succeeded']);
      expect(api.operations.openStreams).toBe(0);
    });

    it('give the transitions of all operations, from where the client was', async () => {
      const client = connect({ headers: asAdmin });
      const told: unknown[] = [];
      const query =
        'subscription { operationEvents(after: "1", filter: { type: "ship.dock" }) { id operation { status } } }';
      for await (const { data } of client.iterate({ query })) told.push(data?.operationEvents);
      expect(told).toEqual([
        { id: '2', operation: { status: 'Running' } },
        { id: '3', operation: { status: 'Succeeded' } },
      ]);
    });

    it('end when the client wants no more', async () => {
      api.operations.streamEnds = false;
      const client = connect({ headers: asAdmin });
      const results = client.iterate({
        query: 'subscription { operations(filter: { type: "ship.dock" }) { id status } }',
      });
      expect((await results.next()).value.data.operations.status).toBe('Pending');
      expect(api.operations.openStreams).toBe(1);
      await results.return?.();
      await until(() => api.operations.openStreams === 0);
    });

    it('end when the socket breaks', async () => {
      api.changes.changes = [changeView()];
      const client = connect({ headers: asAdmin });
      const results = client.iterate({
        query:
          'subscription { changes(after: "c0", filter: { kinds: ["Ship"] }) { cursor type changed health healthBefore } }',
      });
      expect((await results.next()).value.data.changes).toEqual({
        cursor: 'c1',
        type: 'updated',
        changed: ['tags'],
        health: 'Degraded',
        healthBefore: 'Healthy',
      });
      expect(api.changes.queries).toEqual([{ kinds: ['Ship'], after: 'c0' }]);
      client.terminate();
      await until(() => api.changes.openStreams === 0);
    });

    it('end when the server stops', async () => {
      api.operations.streamEnds = false;
      const client = connect({ headers: asAdmin });
      const closed = new Promise((resolve) =>
        client.on('closed', (event) => resolve((event as { code: number }).code)),
      );
      const results = client.iterate({ query: 'subscription { operations { id } }' });
      await results.next();
      const began = performance.now();
      await api.application.close();
      expect(await closed).toBe(1001);
      expect(api.operations.openStreams).toBe(0);
      expect(performance.now() - began).toBeLessThan(3_000);
    });

    it.each([
      {
        query: 'subscription { operation(id: "00000000-0000-4000-8000-000000000000") { id } }',
        code: 'OPERATION_NOT_FOUND',
        reason: 'no such operation',
      },
      { query: 'subscription { nothing }', code: 'INVALID_REQUEST', reason: 'an unknown field' },
      { query: 'subscription {', code: 'INVALID_REQUEST', reason: 'a syntax error' },
      { query: `{ a(x: ${'['.repeat(200)}) }`, code: 'QUERY_TOO_COMPLEX', reason: 'brackets without end' },
      {
        query: '{ harbours(first: 1000) { nodes { ships(first: 1000) { name } } } }',
        code: 'QUERY_TOO_COMPLEX',
        reason: 'a query that asks for too much',
      },
      {
        query: 'subscription { changes(filter: { namespace: "\\u0000" }) { cursor } }',
        code: 'INVALID_REQUEST',
        reason: 'NUL in a filter',
      },
    ])('say no with a code: $reason', async ({ query, code }) => {
      const client = connect({ headers: asAdmin });
      const errors = await errorsOf(client, query);
      expect(errors[0]?.extensions).toMatchObject({ code, correlationId: expect.any(String) });
    });

    it('say why a stream broke, and go away', async () => {
      api.changes.failure = new ControlError('CURSOR_EXPIRED', 'Too old.');
      const errors = await errorsOf(connect({ headers: asAdmin }), 'subscription { changes(after: "old") { cursor } }');
      expect(errors[0]?.extensions).toMatchObject({ code: 'CURSOR_EXPIRED' });
    });

    it('answer queries, too', async () => {
      api.resources.addHarbour('rotterdam', ['anna']);
      const client = connect({ headers: asAdmin });
      const { value } = await client.iterate({ query: '{ harbours { nodes { ships { name } } } }' }).next();
      expect(value.data).toEqual({ harbours: { nodes: [{ ships: [{ name: 'anna' }] }] } });
    });

    it.each([
      { connectionParams: { authorization: 'Bearer wrong' }, reason: 'an unknown token' },
      { connectionParams: { authorization: 7 }, reason: 'no text' },
      { connectionParams: {}, reason: 'no token' },
    ])('refuse a socket without a good token: $reason', async ({ connectionParams }) => {
      const code = await new Promise((resolve) => {
        const client = connect({ connectionParams });
        client.on('closed', (event) => resolve((event as { code: number }).code));
        client.subscribe(
          { query: '{ __typename }' },
          { next: () => undefined, error: () => undefined, complete: () => undefined },
        );
      });
      expect(code).toBe(4403);
    });

    it.each([
      { path: '/graphql', headers: { authorization: 'Bearer wrong' }, status: 401, reason: 'an unknown token' },
      { path: '/elsewhere', headers: asAdmin, status: 404, reason: 'another path' },
    ])('refuse the upgrade with $status: $reason', async ({ path, headers, status }) => {
      const refused = await new Promise((resolve) => {
        const socket = new WebSocket(address.replace('http', 'ws') + path, 'graphql-transport-ws', { headers });
        socket.on('unexpected-response', (_request, response) => {
          resolve({ status: response.statusCode, type: response.headers['content-type'] });
          socket.terminate();
        });
        socket.on('error', () => undefined);
      });
      expect(refused).toEqual({ status, type: 'application/problem+json; charset=utf-8' });
    });

    it.each([
      { frame: 'nonsense', reason: 'no message' },
      {
        frame: JSON.stringify({ type: 'subscribe', id: '1', payload: { query: '{ __typename }' } }),
        reason: 'a subscription before the beginning',
      },
      { frame: JSON.stringify({ type: 'unheard-of' }), reason: 'an unknown message' },
      { frame: 'x'.repeat(2_000_000), reason: 'a frame over the limit' },
      { frame: Buffer.from([0xff, 0xfe]), reason: 'bytes' },
    ])('survive $reason', async ({ frame }) => {
      await new Promise((resolve) => {
        const socket = new WebSocket(`${address.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
        socket.on('open', () => socket.send(frame));
        socket.on('error', () => undefined);
        socket.on('close', resolve);
      });
      expect((await fetch(`${address}/livez`)).status).toBe(200);
    });
  });
});

interface ReadEvent {
  id: string;
  event: string;
  data: Record<string, unknown>;
}

function eventsOf(text: string): ReadEvent[] {
  return text
    .split('\n\n')
    .filter((block) => block.includes('data: '))
    .map((block) => {
      const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
      return { id: field('id'), event: field('event'), data: JSON.parse(field('data')) as Record<string, unknown> };
    });
}

async function readUntil(answer: Response, enough: (text: string) => boolean): Promise<string> {
  const reader = answer.body!.getReader();
  const decoder = new TextDecoder();
  let text = '';
  while (!enough(text)) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value as Uint8Array, { stream: true });
  }
  return text;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('It did not come to pass');
    await delay(5);
  }
}

type Errors = readonly { extensions?: Record<string, unknown> }[];

function errorsOf(client: Client, query: string): Promise<Errors> {
  return new Promise((resolve, reject) => {
    client.subscribe(
      { query },
      {
        next: (result) => resolve((result.errors ?? []) as Errors),
        error: (error) => resolve(error as Errors),
        complete: () => reject(new Error('There was no error')),
      },
    );
  });
}
