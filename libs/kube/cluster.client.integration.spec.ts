import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ControlErrorCode } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { apiResource } from '#libs/testing/fake-kube.js';
import { KubeWorld, testCall } from '#libs/testing/kube-world.js';
import { refuses, says, statusOf, streams, type Answer, type TestApiServer } from '#libs/testing/test-api-server.js';
import { TestAuthority } from '#libs/testing/test-certificates.js';
import type { ApplyOptions, ClusterClient, DeleteOptions, WatchTurn } from './cluster-client.js';

const PODS = apiResource('v1', 'Pod', 'pods');
const DEPLOYMENTS = apiResource('apps/v1', 'Deployment', 'deployments');

let authority: TestAuthority;
let world: KubeWorld;
let server: TestApiServer;
let cluster: ClusterClient;

beforeAll(async () => {
  authority = await TestAuthority.create();
});

beforeEach(async () => {
  world = await KubeWorld.create(authority);
  server = await world.server();
  cluster = world.reach(server.url);
});

afterEach(() => world.close());

const pod = (name: string, resourceVersion = '7') => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'demo', resourceVersion },
});
const page = (names: string[], token = '', resourceVersion = '7') =>
  says(200, {
    kind: 'PodList',
    apiVersion: 'v1',
    metadata: { resourceVersion, continue: token },
    // Servers leave type and version out of the items.
    items: names.map((name) => ({ metadata: { name, namespace: 'demo' } })),
  });
const expired = refuses(410, 'Expired', 'The provided continue parameter is too old');
const queries = () => server.requests.map(({ path }) => new URL(path, server.url).searchParams);

describe('a list', () => {
  const listed = async () => {
    const pages: { names: string[]; restarted: boolean }[] = [];
    for await (const { items, restarted } of cluster.list(
      PODS,
      { namespace: 'demo', labelSelector: 'app=web' },
      testCall(),
    )) {
      pages.push({ names: items.map(({ metadata }) => metadata.name), restarted });
    }
    return pages;
  };

  it('comes page by page, every item with its type', async () => {
    server.next(page(['a', 'b'], 'more'), page(['c']));
    const items = [];
    for await (const each of cluster.list(PODS, { limit: 2 }, testCall())) items.push(...each.items);
    expect(items.map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}`)).toEqual([
      'v1 Pod a',
      'v1 Pod b',
      'v1 Pod c',
    ]);
    expect(queries().map((query) => [query.get('limit'), query.get('continue')])).toEqual([
      ['2', null],
      ['2', 'more'],
    ]);
  });

  it('begins anew, and says so, when its continue token has expired', async () => {
    server.next(page(['a'], 'old'), expired, page(['a'], 'new'), page(['b']));
    expect(await listed()).toEqual([
      { names: ['a'], restarted: false },
      { names: ['a'], restarted: true },
      { names: ['b'], restarted: false },
    ]);
    expect(queries().map((query) => query.get('continue'))).toEqual([null, 'old', null, 'new']);
    expect(queries().map((query) => query.get('labelSelector'))).toEqual(Array(4).fill('app=web'));
  });

  it.each<{ answer: Answer; code: ControlErrorCode; sent: number; reason: string }>([
    {
      answer: (request, response) =>
        (request.path.includes('continue') ? expired : page(['a'], 'old'))(request, response),
      code: 'KUBERNETES_CONFLICT',
      sent: 8,
      reason: 'every token expires at once',
    },
    { answer: expired, code: 'KUBERNETES_CONFLICT', sent: 1, reason: 'expired without any token' },
    { answer: page(['a'], 'same'), code: 'KUBERNETES_UNEXPECTED_ANSWER', sent: 2, reason: 'it goes round in a circle' },
    { answer: says(200, { items: 'x' }), code: 'KUBERNETES_UNEXPECTED_ANSWER', sent: 1, reason: 'it is no list' },
    {
      answer: says(200, { items: [1] }),
      code: 'KUBERNETES_UNEXPECTED_ANSWER',
      sent: 1,
      reason: 'an item is no object',
    },
    { answer: says(200, {}), code: 'KUBERNETES_UNEXPECTED_ANSWER', sent: 1, reason: 'there are no items' },
  ])('is given up: $reason', async ({ answer, code, sent }) => {
    server.answer = answer;
    expect((await world.failure(listed())).code).toBe(code);
    expect(server.requests).toHaveLength(sent);
  });

  it('may be empty, in the words of servers that are written in Go', async () => {
    server.answer = says(200, { items: null, metadata: { resourceVersion: '7' } });
    expect(await listed()).toEqual([{ names: [], restarted: false }]);
  });
});

describe('the default namespace', () => {
  it.each([{ namespace: 'arc' }, { namespace: undefined }])('is that of the kubeconfig: $namespace', async (given) => {
    const reach = given.namespace === undefined ? {} : { namespace: given.namespace };
    await expect(world.reach(server.url, reach).defaultNamespace(testCall())).resolves.toBe(given.namespace ?? null);
    expect(server.requests).toEqual([]);
  });
});

describe('a watch', () => {
  const change = (type: string, name: string, resourceVersion: string): JsonObject => ({
    type,
    object: pod(name, resourceVersion),
  });
  const bookmark = (resourceVersion: string): JsonObject => ({
    type: 'BOOKMARK',
    object: { kind: 'Pod', apiVersion: 'v1', metadata: { resourceVersion } },
  });
  const told = (turn: WatchTurn): string => {
    switch (turn.turn) {
      case 'page':
        return `page ${turn.objects.map(({ metadata }) => metadata.name).join(',')}`;
      case 'changes':
        return turn.changes.map(({ change: what, object }) => `${what} ${object.metadata.name}`).join(', ');
      case 'interrupted':
        return `interrupted ${'code' in turn.problem ? String(turn.problem.code) : turn.problem.name}`;
      case 'listed':
      case 'alive':
        return turn.turn;
    }
  };

  /** What is told until so many turns have come; `during` is called after each. */
  async function turns(count: number, during: (told: string[]) => void = () => undefined): Promise<string[]> {
    const abort = new AbortController();
    const all: string[] = [];
    for await (const turn of cluster.watch(PODS, { namespace: 'demo' }, testCall(abort.signal))) {
      all.push(told(turn));
      during(all);
      if (all.length === count) abort.abort();
    }
    return all;
  }
  const from = () =>
    queries()
      .filter((query) => query.has('watch'))
      .map((query) => query.get('resourceVersion'));

  it('goes on where the list ended, and asks for bookmarks', async () => {
    server.next(page(['a']), streams([change('ADDED', 'b', '8'), change('DELETED', 'a', '9')]));
    expect(await turns(3)).toEqual(['page a', 'listed', 'put b, gone a']);
    expect(server.requests[1]?.path).toMatch(/^\/api\/v1\/namespaces\/demo\/pods\?/);
    expect(Object.fromEntries(queries()[1] ?? [])).toMatchObject({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: '7',
      timeoutSeconds: expect.stringMatching(/^\d+$/),
    });
  });

  it.each<{ first: Answer; told: string[]; from: string[]; reason: string }>([
    {
      first: streams([bookmark('20')], 'end'),
      told: ['page a', 'listed', 'alive', 'alive', 'put z'],
      from: ['7', '20'],
      reason: 'from a bookmark, after an orderly end',
    },
    {
      first: streams([bookmark('20'), change('MODIFIED', 'a', '21'), '{"type":"MODI'], 'break'),
      told: ['page a', 'listed', 'put a', 'alive', 'interrupted KUBERNETES_UNAVAILABLE', 'put z'],
      from: ['7', '21'],
      reason: 'from the last whole change, when the connection was lost in the middle of a line',
    },
    {
      first: streams([change('MODIFIED', 'a', '21'), '{"type":"MODI'], 'end'),
      told: ['page a', 'listed', 'put a', 'interrupted KUBERNETES_UNAVAILABLE', 'put z'],
      from: ['7', '21'],
      reason: 'from the last whole change, when the stream ended in the middle of a line',
    },
    {
      first: refuses(503, 'ServiceUnavailable', 'not now'),
      told: ['page a', 'listed', 'interrupted KUBERNETES_UNAVAILABLE', 'put z'],
      from: ['7', '7'],
      reason: 'from where it was, when the server is away',
    },
    {
      first: says(200, '<html>'),
      told: ['page a', 'listed', 'interrupted KUBERNETES_UNAVAILABLE', 'put z'],
      from: ['7', '7'],
      reason: 'from where it was, when something else has answered',
    },
  ])('goes on $reason', async ({ first, told: expected, from: versions }) => {
    server.next(page(['a']), first, streams([change('ADDED', 'z', '30')]));
    expect(await turns(expected.length)).toEqual(expected);
    expect(from()).toEqual(versions);
  });

  it.each<{ first: Answer; told: string[]; reason: string }>([
    { first: expired, told: [], reason: 'the server has forgotten, and says so as a status' },
    {
      first: refuses(410, 'Gone', 'gone'),
      told: [],
      reason: 'the server has forgotten, and says so in the words of old ones',
    },
    {
      first: streams([
        change('MODIFIED', 'a', '8'),
        { type: 'ERROR', object: statusOf(410, 'Expired', 'too old resource version: 7 (20)') },
      ]),
      told: ['put a'],
      reason: 'the server has forgotten, and says so in the stream after a change',
    },
    {
      first: streams(['this is no JSON\n']),
      told: ['interrupted KUBERNETES_UNEXPECTED_ANSWER'],
      reason: 'what the server says cannot be understood',
    },
    {
      first: streams([`${JSON.stringify({ type: 'ADDED', object: { pad: 'x'.repeat(3000) } })}\n`]),
      told: ['interrupted KUBERNETES_UNEXPECTED_ANSWER'],
      reason: 'the server says more than is taken',
    },
  ])('lists anew when $reason', async ({ first, told: between }) => {
    cluster = world.reach(server.url, { options: { largestAnswerBytes: 2000 } });
    server.answer = (request, response) =>
      (request.path.includes('watch') ? streams([]) : page(['b'], '', '20'))(request, response);
    server.next(page(['a']), first);
    const expected = ['page a', 'listed', ...between, 'page b', 'listed'];
    expect(await turns(expected.length)).toEqual(expected);
  });

  it('is made anew when it has been silent for too long', async () => {
    server.next(page(['a']), streams([]), streams([change('ADDED', 'z', '30')]));
    const silent = (async () => {
      await server.received(2);
      world.fallSilent();
    })();
    expect(await turns(4)).toEqual(['page a', 'listed', 'interrupted KUBERNETES_TIMEOUT', 'put z']);
    await silent;
    // The dead connection is not left open.
    await server.requests[1]?.over;
    expect(from()).toEqual(['7', '7']);
  });

  it.each<{ answer: Answer; code: ControlErrorCode; reason: string }>([
    {
      answer: refuses(403, 'Forbidden', 'pods is forbidden: User "pilothouse" cannot watch resource "pods"'),
      code: 'KUBERNETES_FORBIDDEN',
      reason: 'it is not allowed',
    },
    { answer: refuses(404, 'NotFound', 'no such type'), code: 'KUBERNETES_NOT_FOUND', reason: 'there is no such type' },
    {
      answer: refuses(401, 'Unauthorized', 'Unauthorized'),
      code: 'KUBERNETES_UNAUTHENTICATED',
      reason: 'nobody knows us',
    },
  ])('ends where there is no use in going on: $reason', async ({ answer, code }) => {
    server.answer = (request, response) => (request.path.includes('watch') ? answer : page(['a']))(request, response);
    expect((await world.failure(turns(99))).code).toBe(code);
  });

  it('ends with its signal, and leaves no connection open', async () => {
    server.next(page(['a']), streams([]));
    const abort = new AbortController();
    const watching = (async () => {
      for await (const turn of cluster.watch(PODS, {}, testCall(abort.signal))) told(turn);
    })();
    await server.received(2);
    abort.abort();
    await watching;
    await server.requests[1]?.over;
  });
});

describe('a delete', () => {
  it('names the very object, and how its dependents go', async () => {
    server.answer = says(200, statusOf(200, '', ''));
    const options: DeleteOptions = { uid: 'u-1', resourceVersion: '7', propagation: 'Foreground', dryRun: true };
    expect(await cluster.delete(PODS, 'demo', 'web', options, testCall())).toBe('deleted');
    expect(server.requests[0]).toMatchObject({ method: 'DELETE', path: '/api/v1/namespaces/demo/pods/web' });
    expect(JSON.parse(server.requests[0]?.body ?? '')).toEqual({
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions: { uid: 'u-1', resourceVersion: '7' },
      propagationPolicy: 'Foreground',
      dryRun: ['All'],
    });
  });

  const gone = refuses(404, 'NotFound', 'pods "web" not found', { details: { name: 'web', kind: 'pods' } });
  const other = refuses(409, 'Conflict', 'Precondition failed: UID in precondition: u-1, UID in object meta: u-2');
  const going = (metadata: JsonObject) =>
    says(200, {
      ...pod('web'),
      metadata: { ...pod('web').metadata, deletionTimestamp: '2026-01-01T00:00:00Z', ...metadata },
    });

  it.each<{ answer: Answer; options?: DeleteOptions; outcome: string; reason: string }>([
    { answer: gone, outcome: 'absent', reason: 'it is not there' },
    { answer: other, options: { uid: 'u-1' }, outcome: 'absent', reason: 'another one has its name now' },
    { answer: going({ finalizers: ['x/y'] }), outcome: 'deleting', reason: 'somebody has to look at it first' },
    { answer: going({ deletionGracePeriodSeconds: 30 }), outcome: 'deleting', reason: 'it is given some time' },
    { answer: going({ deletionGracePeriodSeconds: 0 }), outcome: 'deleted', reason: 'it was given no time' },
    { answer: says(202, pod('web')), outcome: 'deleting', reason: 'the server has taken note of it' },
  ])('says what became of it: $reason', async ({ answer, options = {}, outcome }) => {
    server.answer = answer;
    expect(await cluster.delete(PODS, 'demo', 'web', options, testCall())).toBe(outcome);
  });

  it.each<{ answer: Answer; options: DeleteOptions; code: ControlErrorCode; reason: string }>([
    { answer: other, options: {}, code: 'KUBERNETES_CONFLICT', reason: 'a conflict of which we know nothing' },
    {
      answer: refuses(409, 'Conflict', 'Precondition failed: ResourceVersion in precondition: 7'),
      options: { uid: 'u-1', resourceVersion: '7' },
      code: 'KUBERNETES_CONFLICT',
      reason: 'it was changed in the meantime',
    },
    {
      answer: refuses(404, 'NotFound', 'the server could not find the requested resource'),
      options: {},
      code: 'KUBERNETES_NOT_FOUND',
      reason: 'its type is not there',
    },
  ])('does not take for absent: $reason', async ({ answer, options, code }) => {
    server.answer = answer;
    expect((await world.failure(cluster.delete(PODS, 'demo', 'web', options, testCall()))).code).toBe(code);
  });
});

describe('an eviction', () => {
  it('names the very pod', async () => {
    server.answer = says(201, statusOf(201, '', ''));
    expect(await cluster.evict(PODS, 'demo', 'web', { uid: 'u-1' }, testCall())).toEqual({ eviction: 'accepted' });
    expect(server.requests[0]).toMatchObject({ method: 'POST', path: '/api/v1/namespaces/demo/pods/web/eviction' });
    expect(JSON.parse(server.requests[0]?.body ?? '')).toEqual({
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name: 'web', namespace: 'demo' },
      deleteOptions: { preconditions: { uid: 'u-1' } },
    });
  });

  it.each<{ answer: Answer; outcome: string; reason: string }>([
    {
      answer: refuses(404, 'NotFound', 'pods "web" not found', { details: { name: 'web', kind: 'pods' } }),
      outcome: 'absent',
      reason: 'it is not there',
    },
    {
      answer: refuses(409, 'Conflict', 'Precondition failed: UID in precondition: u-1, UID in object meta: u-2'),
      outcome: 'absent',
      reason: 'another one has its name now',
    },
    {
      answer: refuses(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
        details: { causes: [{ reason: 'DisruptionBudget', message: 'needs 1 healthy pods and has 1 currently' }] },
      }),
      outcome: 'refused',
      reason: 'a budget forbids it for now, which no second request in a moment would change',
    },
  ])('says what became of it: $reason', async ({ answer, outcome }) => {
    server.answer = answer;
    const answered = await cluster.evict(PODS, 'demo', 'web', { uid: 'u-1' }, testCall());
    expect(answered.eviction).toBe(outcome);
    expect(server.requests).toHaveLength(1);
  });

  it('throws what is neither', async () => {
    server.answer = refuses(403, 'Forbidden', 'pods "web" is forbidden');
    expect((await world.failure(cluster.evict(PODS, 'demo', 'web', {}, testCall()))).code).toBe('KUBERNETES_FORBIDDEN');
  });
});

describe('an apply with a field that the server does not know', () => {
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { replica: 3, replicas: 2 },
  };
  const undeclared = refuses(
    500,
    'InternalError',
    'failed to create typed patch object (demo/web; apps/v1, Kind=Deployment): .spec.replica: field not declared in schema',
  );
  const takesReplicas: Answer = (request, response) => {
    const { spec } = JSON.parse(request.body) as { spec: JsonObject };
    if ('replica' in spec) undeclared(request, response);
    else says(200, { ...deployment, spec }, { warning: '299 - "from the server"' })(request, response);
  };
  const apply = (options: ApplyOptions) => cluster.apply(DEPLOYMENTS, 'demo', deployment, options, testCall());

  it.each<{ options: ApplyOptions; warnings: string[] }>([
    {
      options: { fieldValidation: 'Warn', force: true },
      warnings: ['unknown field "spec.replica"', 'from the server'],
    },
    { options: { fieldValidation: 'Ignore', dryRun: true }, warnings: ['from the server'] },
  ])('is asked for once more without it: $options', async ({ options, warnings }) => {
    server.answer = takesReplicas;
    expect(await apply(options)).toMatchObject({ object: { spec: { replicas: 2 } }, warnings });
    expect(server.requests.map(({ path }) => path)).toEqual(Array(2).fill(server.requests[0]?.path));
    expect(Object.fromEntries(queries()[1] ?? [])).toEqual({
      fieldManager: 'pilothouse',
      fieldValidation: options.fieldValidation,
      ...(options.force === true ? { force: 'true' } : {}),
      ...(options.dryRun === true ? { dryRun: 'All' } : {}),
    });
    expect(server.requests[1]?.headers['content-type']).toBe('application/apply-patch+yaml');
  });

  it.each<{ options: ApplyOptions; answer: Answer; sent: number; reason: string }>([
    { options: {}, answer: undeclared, sent: 1, reason: 'an unknown field is an error unless it is said otherwise' },
    { options: { fieldValidation: 'Warn' }, answer: undeclared, sent: 2, reason: 'it is refused without it, too' },
    {
      options: { fieldValidation: 'Warn' },
      answer: refuses(422, 'Invalid', 'no', { details: { causes: [{ reason: 'FieldValueInvalid', field: 'spec' }] } }),
      sent: 1,
      reason: 'something else is wrong',
    },
  ])('is refused: $reason', async ({ options, answer, sent }) => {
    server.answer = answer;
    expect((await world.failure(apply(options))).code).toBe('KUBERNETES_REJECTED');
    expect(server.requests).toHaveLength(sent);
  });
});

it('what a server says is looked at, and goes into an error, in a bounded way only', async () => {
  const long = 'x'.repeat(100_000);
  server.answer = refuses(403, long, `maximum ${'maximum '.repeat(200_000)}`, {
    details: { name: long, kind: long, causes: [{ reason: long, message: long, field: long }] },
  });
  const error = await world.failure(cluster.get(PODS, 'demo', 'web', testCall()));
  expect(error.code).toBe('KUBERNETES_FORBIDDEN');
  expect(JSON.stringify([error.message, error.externalCode, error.violations, error.remedy]).length).toBeLessThan(
    10_000,
  );
});
