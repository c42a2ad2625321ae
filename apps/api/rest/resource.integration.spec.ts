import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { asAdmin, startFakeApi, type FakeApi } from '../../../test/api/fake-api.js';

describe('resources over REST', () => {
  let api: FakeApi;
  let rotterdam: string;
  beforeAll(async () => {
    api = await startFakeApi();
    rotterdam = api.resources.addHarbour('rotterdam', ['anna', 'berta'], {
      depth: 24,
      unknownToUs: { kept: true },
    }).uid;
  });
  afterAll(() => api.close());
  beforeEach(() => {
    api.resources.calls.length = 0;
  });

  const get = (url: string) => api.instance.inject({ url, headers: asAdmin });

  it('lists objects of all kinds, raw, with freshness and what could not be seen', async () => {
    const answer = await get('/v1/resources?limit=2');
    expect(answer.statusCode).toBe(200);
    const page = answer.json();
    expect(page.items.map((item: { name: string }) => item.name)).toEqual(['rotterdam', 'anna']);
    expect(page.items[0].properties).toEqual({ depth: 24, unknownToUs: { kept: true } });
    expect(page).toMatchObject({
      partial: true,
      unavailable: [{ scope: 'sea:1' }],
      freshness: { oldest: expect.any(String) },
    });
    const next = await get(`/v1/resources?limit=2&cursor=${page.nextCursor}`);
    expect(next.json()).toMatchObject({ items: [{ name: 'berta' }], nextCursor: null });
  });

  it.each([
    { url: '/v1/resources', request: { kinds: [] }, reason: 'nothing given asks for nothing in particular' },
    {
      url: '/v1/resources?kind=Harbour,Ship',
      request: { kinds: ['Harbour', 'Ship'] },
      reason: 'a list is separated by commas',
    },
    { url: '/v1/resources?kind=Harbour&kind=Ship', request: { kinds: ['Harbour', 'Ship'] }, reason: 'or repeated' },
    {
      url: '/v1/resources?health=Healthy,Degraded',
      request: { kinds: [], health: ['Healthy', 'Degraded'] },
      reason: 'health is a list',
    },
    {
      url: '/v1/resources?tag.env=prod&tag.a.b%2Fc=d%26e',
      request: { kinds: [], tags: { env: 'prod', 'a.b/c': 'd&e' } },
      reason: 'tag names have dots and slashes of their own',
    },
    {
      url: '/v1/resources?location=westeurope&subscription=s&resourceGroup=g&cluster=c&namespace=n&name=x&q=y&sort=-changedAt',
      request: {
        kinds: [],
        location: 'westeurope',
        subscription: 's',
        resourceGroup: 'g',
        cluster: 'c',
        namespace: 'n',
        name: 'x',
        q: 'y',
        sort: '-changedAt',
      },
      reason: 'texts are handed on as they are',
    },
    { url: '/v1/resources?maxAge=30', request: { kinds: [], maxAgeSeconds: 30 }, reason: 'an age is in seconds' },
    {
      url: '/v1/resources?asOf=2026-01-31T12:00:00%2B01:00',
      request: { kinds: [], asOf: new Date('2026-01-31T11:00:00Z') },
      reason: 'a moment may have any offset',
    },
    { url: '/v1/resources?limit=1000', request: { kinds: [], limit: 1000 }, reason: 'the largest page' },
  ])('hands on $url: $reason', async ({ url, request }) => {
    expect((await get(url)).statusCode).toBe(200);
    expect(api.resources.callsOf('list')).toEqual([{ ...request, view: 'raw' }]);
  });

  it.each([
    { query: 'colour=red', path: 'colour', reason: 'an unknown parameter is likely a mistyped one' },
    { query: 'limit=0', path: 'limit', reason: 'an empty page is no page' },
    { query: 'limit=-1', path: 'limit', reason: 'negative' },
    { query: 'limit=1001', path: 'limit', reason: 'too large' },
    { query: 'limit=1e9', path: 'limit', reason: 'not written as a whole number' },
    { query: 'limit=99999999999999999999', path: 'limit', reason: 'larger than a number can hold' },
    { query: 'limit=', path: 'limit', reason: 'empty' },
    { query: 'limit=1&limit=2', path: 'limit', reason: 'given twice' },
    { query: 'maxAge=-5', path: 'maxAge', reason: 'negative age' },
    { query: 'maxAge=soon', path: 'maxAge', reason: 'no number' },
    { query: 'asOf=yesterday', path: 'asOf', reason: 'no moment' },
    { query: 'asOf=2026-02-30T00:00:00Z', path: 'asOf', reason: 'a day that there is not' },
    { query: 'asOf=2026-01-01T00:00:00', path: 'asOf', reason: 'a moment without offset means another one everywhere' },
    { query: 'health=Fine', path: 'health.0', reason: 'an unknown state' },
    { query: 'location=', path: 'location', reason: 'an empty filter matches nothing or everything' },
    { query: 'location=a&location=b', path: 'location', reason: 'given twice' },
    { query: 'name=a%00b', path: 'name', reason: 'Postgres has no NUL' },
    { query: 'cursor=%00', path: 'cursor', reason: 'NUL in a cursor' },
    { query: 'tag.env=a%00', path: 'tag.env', reason: 'NUL in a tag' },
    { query: 'tag.env=a&tag.env=b', path: 'tag.env', reason: 'a tag given twice' },
    { query: 'tag.=x', path: 'tag.', reason: 'a tag without name' },
    { query: 'tag=x', path: 'tag', reason: 'a tag without a name to look for' },
    { query: '__proto__=x', path: '__proto__', reason: 'no way into the prototype' },
    { query: 'tag.__proto__=x', path: 'tag.__proto__', reason: 'no way into the prototype by a tag' },
    { query: 'constructor=x', path: 'constructor', reason: 'a name that every object knows' },
    { query: `q=${'x'.repeat(201)}`, path: 'q', reason: 'too long' },
    { query: 'id=/subscriptions/x&location=y', path: 'location', reason: 'an id needs no other filter' },
  ])('refuses ?$query: $reason', async ({ query, path }) => {
    const answer = await get(`/v1/resources?${query}`);
    expect(answer.statusCode).toBe(400);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    const problem = answer.json();
    expect(problem).toMatchObject({ code: 'INVALID_REQUEST', status: 400, instance: '/v1/resources' });
    expect(problem.violations.map((violation: { path: string }) => violation.path)).toEqual([path]);
    expect(api.resources.calls).toEqual([]);
  });

  it('names every faulty parameter at once', async () => {
    const answer = await get('/v1/resources?limit=x&maxAge=y&nonsense=1');
    const paths = answer.json().violations.map((violation: { path: string }) => violation.path);
    expect(paths.toSorted()).toEqual(['limit', 'maxAge', 'nonsense']);
  });

  it('finds by ARM id, in any case', async () => {
    const id = api.resources.resources[0]!.id.toUpperCase();
    const answer = await get(`/v1/resources?id=${encodeURIComponent(id)}&maxAge=5`);
    expect(answer.json().items).toHaveLength(1);
    expect(api.resources.callsOf('findById')).toEqual([{ id, maxAgeSeconds: 5, view: 'raw' }]);
  });

  it('answers one object, what is around it, and what it was', async () => {
    expect((await get(`/v1/resources/${rotterdam}?maxAge=9`)).json()).toMatchObject({
      name: 'rotterdam',
      kind: 'Harbour',
    });
    expect((await get(`/v1/resources/${rotterdam}/graph?depth=3&direction=in`)).json()).toMatchObject({
      root: rotterdam,
    });
    expect((await get(`/v1/resources/${rotterdam}/history?limit=5`)).json()).toMatchObject({
      items: [{ validTo: null }],
    });
    expect(api.resources.calls).toEqual([
      { method: 'get', request: { uid: rotterdam, maxAgeSeconds: 9, view: 'raw' } },
      { method: 'graph', request: { uid: rotterdam, depth: 3, direction: 'in' } },
      { method: 'history', request: { uid: rotterdam, limit: 5 } },
    ]);
  });

  it('says what ails an object of a kind that somebody knows about', async () => {
    const anna = api.resources.resources.find(({ name }) => name === 'anna')!.uid;
    const answer = await get(`/v1/ships/${anna}/advice`);
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({
      items: [
        {
          code: 'SHALLOW',
          severity: 'warning',
          cause: expect.any(String),
          evidence: { depth: 1 },
          remedies: [{ description: expect.any(String), operations: [{ type: 'ship.dock', input: { ship: anna } }] }],
        },
      ],
    });
    expect(api.resources.callsOf('advice')).toEqual([{ kind: 'Ship', uid: anna }]);
    expect((await get(`/v1/ships/${rotterdam}/advice`)).statusCode).toBe(404);
    expect((await get(`/v1/harbours/${rotterdam}/advice`)).json()).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('has a typed list and item for each kind', async () => {
    const list = await get('/v1/harbours?name=rotterdam');
    expect(list.json().items[0].properties).toMatchObject({ depth: 24, pilots: 0, quays: ['north', 'south'] });
    expect(api.resources.callsOf('list')).toEqual([{ kinds: ['Harbour'], name: 'rotterdam', view: 'typed' }]);
    const item = await get(`/v1/harbours/${rotterdam}`);
    expect(item.json().properties).not.toHaveProperty('unknownToUs');
  });

  it.each([
    {
      url: '/v1/ships/{uid}',
      status: 404,
      code: 'RESOURCE_NOT_FOUND',
      reason: 'an object of another kind is not in this list',
    },
    { url: '/v1/resources/not-a-uid', status: 404, code: 'RESOURCE_NOT_FOUND', reason: 'nothing has such a uid' },
    { url: '/v1/resources/%00', status: 404, code: 'RESOURCE_NOT_FOUND', reason: 'NUL in a path' },
    { url: `/v1/resources/${'x'.repeat(300)}`, status: 404, code: 'NOT_FOUND', reason: 'longer than any id' },
    { url: '/v1/harbours?kind=Ship', status: 400, code: 'INVALID_REQUEST', reason: 'the kind is in the path' },
    { url: '/v1/resources?kind=Submarine', status: 400, code: 'UNKNOWN_KIND', reason: 'no such kind' },
    { url: '/v1/submarines', status: 404, code: 'NOT_FOUND', reason: 'no such list' },
    { url: '/v1/resources/', status: 404, code: 'NOT_FOUND', reason: 'an empty uid is no uid' },
    {
      url: '/v1/resources/{uid}?depth=1',
      status: 400,
      code: 'INVALID_REQUEST',
      reason: 'a parameter of another route',
    },
    {
      url: '/v1/resources/{uid}/graph?direction=up',
      status: 400,
      code: 'INVALID_REQUEST',
      reason: 'no such direction',
    },
  ])('answers $status $code for $url: $reason', async ({ url, status, code }) => {
    const answer = await get(url.replace('{uid}', rotterdam));
    expect({ status: answer.statusCode, code: answer.json().code }).toEqual({ status, code });
  });
});
