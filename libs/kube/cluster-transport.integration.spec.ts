import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { ControlErrorCode, Retry } from '#libs/kernel/control-error.js';
import { apiResource } from '#libs/testing/fake-kube.js';
import { KubeWorld, testCall } from '#libs/testing/kube-world.js';
import { refuses, says, streams, type Answer, type TestApiServer } from '#libs/testing/test-api-server.js';
import { TestAuthority } from '#libs/testing/test-certificates.js';
import type { ClusterClient } from './cluster-client.js';

const PODS = apiResource('v1', 'Pod', 'pods');
const POD = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'demo' } };
const PRECONDITION = { metadata: { resourceVersion: '7' } };
const breaksOff: Answer = (_request, response) => response.socket?.destroy();

let authority: TestAuthority;
let world: KubeWorld;
let server: TestApiServer;

beforeAll(async () => {
  authority = await TestAuthority.create();
});

beforeEach(async () => {
  world = await KubeWorld.create(authority);
  server = await world.server();
  server.answer = says(200, POD);
});

afterEach(async () => {
  jest.restoreAllMocks();
  await world.close();
});

const unavailable = (retryAfter?: string) =>
  refuses(
    503,
    'ServiceUnavailable',
    'not now',
    retryAfter === undefined ? {} : { headers: { 'retry-after': retryAfter } },
  );
const throttled = (retryAfter?: string) =>
  refuses(
    429,
    'TooManyRequests',
    'not now',
    retryAfter === undefined ? {} : { headers: { 'retry-after': retryAfter } },
  );

const get = (cluster: ClusterClient) => cluster.get(PODS, 'demo', 'web', testCall());
const create = (cluster: ClusterClient) => cluster.create(PODS, 'demo', POD, {}, testCall());

type Ask = (cluster: ClusterClient) => Promise<unknown>;

describe('a request that failed in passing', () => {
  it.each<{ ask: Ask; first: Answer; reason: string }>([
    { ask: get, first: throttled('2'), reason: 'the server asks for some seconds' },
    { ask: get, first: throttled(), reason: 'the server asks for patience and does not say how much' },
    { ask: create, first: throttled('2'), reason: 'nothing was done for a request that was throttled' },
    { ask: create, first: throttled('0'), reason: 'the server wants to be asked again at once' },
    { ask: get, first: unavailable('3'), reason: 'the server says when it will be there' },
    { ask: get, first: unavailable(), reason: 'the server is away' },
    {
      ask: get,
      first: refuses(500, 'InternalError', 'etcd'),
      reason: 'the server is at fault, and reading is harmless',
    },
    { ask: get, first: says(502, '<html>'), reason: 'something before the server is at fault' },
    { ask: get, first: breaksOff, reason: 'the connection was lost, and reading is harmless' },
    {
      ask: (cluster) => cluster.apply(PODS, 'demo', POD, {}, testCall()),
      first: breaksOff,
      reason: 'an apply twice is an apply',
    },
    {
      ask: (cluster) => cluster.create(PODS, 'demo', POD, { dryRun: true }, testCall()),
      first: unavailable(),
      reason: 'a trial may be made twice',
    },
    {
      ask: (cluster) => cluster.patch(PODS, 'demo', 'web', { type: 'merge', patch: { spec: {} } }, {}, testCall()),
      first: unavailable(),
      reason: 'the same merge twice is the same',
    },
  ])('is sent again within the call: $reason', async ({ ask, first }) => {
    server.next(first);
    await ask(world.reach(server.url));
    expect(server.requests).toHaveLength(2);
    expect(server.requests[1]).toMatchObject({ method: server.requests[0]?.method, path: server.requests[0]?.path });
    expect(server.requests[1]?.body).toBe(server.requests[0]?.body);
    expect(world.pauses).toHaveLength(1);
  });

  it.each<{ ask: Ask; first: Answer; code: ControlErrorCode; retry: Retry; reason: string }>([
    {
      ask: get,
      first: throttled('4'),
      code: 'KUBERNETES_THROTTLED',
      retry: { kind: 'after', seconds: 4 },
      reason: 'the server asks for more than a call may wait',
    },
    {
      ask: get,
      first: unavailable('120'),
      code: 'KUBERNETES_UNAVAILABLE',
      retry: { kind: 'after', seconds: 120 },
      reason: 'the server will be away for long',
    },
    {
      ask: get,
      first: throttled('99999999999'),
      code: 'KUBERNETES_THROTTLED',
      retry: { kind: 'after', seconds: 3600 },
      reason: 'the server asks for what nobody can wait',
    },
    {
      ask: get,
      first: refuses(429, 'TooManyRequests', 'not now', { details: { retryAfterSeconds: 60 } }),
      code: 'KUBERNETES_THROTTLED',
      retry: { kind: 'after', seconds: 60 },
      reason: 'the server says in other words that it takes long',
    },
    {
      ask: create,
      first: unavailable('1'),
      code: 'KUBERNETES_UNAVAILABLE',
      retry: { kind: 'after', seconds: 1 },
      reason: 'it may have been created nevertheless',
    },
    {
      ask: create,
      first: refuses(500, 'InternalError', 'etcd'),
      code: 'KUBERNETES_UNAVAILABLE',
      retry: { kind: 'backoff' },
      reason: 'it may have been created before the fault',
    },
    {
      ask: create,
      first: breaksOff,
      code: 'KUBERNETES_UNAVAILABLE',
      retry: { kind: 'backoff' },
      reason: 'it may have been created before the connection was lost',
    },
    {
      ask: (cluster) => cluster.patch(PODS, 'demo', 'web', { type: 'json', operations: [] }, {}, testCall()),
      first: breaksOff,
      code: 'KUBERNETES_UNAVAILABLE',
      retry: { kind: 'backoff' },
      reason: 'steps that are taken twice lead elsewhere',
    },
    {
      ask: (cluster) => cluster.patch(PODS, 'demo', 'web', { type: 'merge', patch: PRECONDITION }, {}, testCall()),
      first: breaksOff,
      code: 'KUBERNETES_UNAVAILABLE',
      retry: { kind: 'backoff' },
      reason: 'its condition does not hold any more if it was done',
    },
    {
      ask: (cluster) => cluster.delete(PODS, 'demo', 'web', {}, testCall()),
      first: breaksOff,
      code: 'KUBERNETES_UNAVAILABLE',
      retry: { kind: 'backoff' },
      reason: 'another of the same name may be there by then',
    },
    {
      ask: get,
      first: refuses(501, 'NotImplemented', 'never'),
      code: 'KUBERNETES_UNAVAILABLE',
      retry: { kind: 'backoff' },
      reason: 'the server will not learn it so soon',
    },
    {
      ask: get,
      first: refuses(422, 'Invalid', 'no'),
      code: 'KUBERNETES_REJECTED',
      retry: { kind: 'never' },
      reason: 'it would be refused again',
    },
    {
      ask: get,
      first: refuses(
        500,
        'InternalError',
        'failed to create typed patch object (/; v1): .a: field not declared in schema',
      ),
      code: 'KUBERNETES_REJECTED',
      retry: { kind: 'never' },
      reason: 'the fault is in what was sent, whatever the status says',
    },
  ])('is told and sent once: $reason', async ({ ask, first, code, retry }) => {
    server.next(first);
    expect(await world.failure(ask(world.reach(server.url)))).toMatchObject({ code, retry });
    expect(server.requests).toHaveLength(1);
    expect(world.pauses).toEqual([]);
  });

  it('is given up after some times, with growing pauses', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(1);
    server.answer = unavailable();
    const error = await world.failure(get(world.reach(server.url, { options: { retryBaseMs: 100 } })));
    expect(error).toMatchObject({ code: 'KUBERNETES_UNAVAILABLE', retryable: true });
    expect(server.requests).toHaveLength(4);
    expect(world.pauses).toEqual([100, 200, 400]);
  });

  it('is sent again no sooner than the server asks', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.5);
    server.next(throttled('2'));
    await get(world.reach(server.url, { options: { retryBaseMs: 100 } }));
    expect(world.pauses).toEqual([2050]);
  });

  it('is not sent again after it was given up', async () => {
    const abort = new AbortController();
    const reason = new Error('Enough');
    server.next((request, response) => {
      abort.abort(reason);
      throttled('1')(request, response);
    });
    const asked = world.reach(server.url).get(PODS, 'demo', 'web', testCall(abort.signal));
    await expect(asked).rejects.toBe(reason);
    expect(server.requests).toHaveLength(1);
  });
});

describe('the limit of a cluster', () => {
  const options = { concurrencyPerCluster: 2, longestQueuePerCluster: 2 };
  let held: (() => void)[];

  beforeEach(() => {
    held = [];
    server.answer = (request, response) => {
      if (request.path.includes('watch=true')) streams([])(request, response);
      else if (request.path.endsWith('/pods?limit=500'))
        says(200, { items: [], metadata: { resourceVersion: '7' } })(request, response);
      else held.push(() => says(200, POD)(request, response));
    };
  });

  it('lets so many through at a time, and the others in their order', async () => {
    const cluster = world.reach(server.url, { options });
    const calls = ['a', 'b', 'c', 'd'].map((name) => cluster.get(PODS, 'demo', name, testCall()));
    await server.received(2);
    held[0]?.();
    await server.received(3);
    held[1]?.();
    await server.received(4);
    held[2]?.();
    held[3]?.();
    await Promise.all(calls);
    const names = server.requests.map(({ path }) => path.split('/').at(-1));
    expect(names.slice(0, 2).sort()).toEqual(['a', 'b']);
    expect(names.slice(2)).toEqual(['c', 'd']);
  });

  it('refuses more than may wait', async () => {
    const cluster = world.reach(server.url, { options });
    const calls = Array.from({ length: 4 }, () => get(cluster));
    expect(await world.failure(get(cluster))).toMatchObject({
      code: 'KUBERNETES_THROTTLED',
      retry: { kind: 'backoff' },
    });
    for (const count of [2, 4]) {
      await server.received(count);
      for (const answer of held.splice(0)) answer();
    }
    await Promise.all(calls);
  });

  it('is not kept up by those who have given up waiting', async () => {
    const cluster = world.reach(server.url, { options });
    const first = [get(cluster), get(cluster)];
    const abort = new AbortController();
    const waiting = cluster.get(PODS, 'demo', 'web', testCall(abort.signal));
    const last = get(cluster);
    await server.received(2);
    const reason = new Error('Enough');
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    for (const answer of held.splice(0)) answer();
    await Promise.all(first);
    await server.received(3);
    held[0]?.();
    await last;
    expect(server.requests).toHaveLength(3);
  });

  it('does not hold while a request waits to be sent again', async () => {
    const cluster = world.reach(server.url, { options: { ...options, concurrencyPerCluster: 1 } });
    server.next(throttled('1'));
    const [first, second] = [get(cluster), get(cluster)];
    for (const count of [2, 3]) {
      await server.received(count);
      for (const answer of held.splice(0)) answer();
    }
    await Promise.all([first, second]);
    expect(server.requests).toHaveLength(3);
  });

  it('does not count watches', async () => {
    const cluster = world.reach(server.url, { options });
    const abort = new AbortController();
    const watches = Array.from({ length: 3 }, async () => {
      for await (const turn of cluster.watch(PODS, {}, testCall(abort.signal)))
        expect(turn.turn).toMatch(/page|listed/);
    });
    await server.received(6);
    const asked = get(cluster);
    await server.received(7);
    held[0]?.();
    await asked;
    abort.abort();
    await Promise.all(watches);
  });
});

it('says who asks, and for whom', async () => {
  const cluster = world.reach(server.url, { options: { userAgent: 'pilothouse/1.2' } });
  await cluster.get(PODS, 'demo', 'web', { ...testCall(), correlationId: 'ord-1\r\nx-evil: 1' });
  const { headers } = server.requests[0] ?? {};
  expect(headers).toMatchObject({
    'user-agent': 'pilothouse/1.2',
    'x-correlation-id': 'ord-1??x-evil: 1',
    accept: 'application/json',
  });
  expect(headers?.['x-evil']).toBeUndefined();
});
