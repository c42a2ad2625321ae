import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Answer, type RequestOptions, Stack } from './stack.js';

interface Case {
  reason: string;
  route: string;
  options?: RequestOptions;
  status: number;
  code: string;
}

const post = (body: unknown): RequestOptions => ({ method: 'POST', body });
const POOL =
  '/subscriptions/5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3/resourceGroups/demo_aks01/providers/Microsoft.ContainerService/managedClusters/demo-aks01/agentPools/nodepool1';
const NOBODY = '00000000-0000-5000-8000-000000000000';
const forged = Buffer.from('["resources","x","y"]').toString('base64url');

const cases: Case[] = [
  { reason: 'no token', route: '/v1/resources', options: { token: null }, status: 401, code: 'UNAUTHENTICATED' },
  {
    reason: 'a wrong token',
    route: '/v1/resources',
    options: { token: 'wrong' },
    status: 401,
    code: 'UNAUTHENTICATED',
  },
  {
    reason: 'another scheme',
    route: '/v1/resources',
    options: { token: null, headers: { authorization: 'Basic YTpi' } },
    status: 401,
    code: 'UNAUTHENTICATED',
  },
  {
    reason: 'a token in the query',
    route: '/v1/resources?token=x',
    options: { token: null },
    status: 401,
    code: 'UNAUTHENTICATED',
  },
  { reason: 'an unknown route', route: '/v1/nonsense', status: 404, code: 'NOT_FOUND' },
  {
    reason: 'an unknown method',
    route: '/v1/resources',
    options: { method: 'DELETE' },
    status: 405,
    code: 'METHOD_NOT_ALLOWED',
  },
  { reason: 'a path that is no URI', route: '/v1/resources/%zz', status: 400, code: 'INVALID_REQUEST' },
  { reason: 'an unknown kind', route: '/v1/resources?kind=Spaceship', status: 400, code: 'UNKNOWN_KIND' },
  { reason: 'an unknown parameter', route: '/v1/resources?colour=red', status: 400, code: 'INVALID_REQUEST' },
  { reason: 'a page of nothing', route: '/v1/resources?limit=0', status: 400, code: 'INVALID_REQUEST' },
  { reason: 'a negative page', route: '/v1/resources?limit=-1', status: 400, code: 'INVALID_REQUEST' },
  { reason: 'an absurd page', route: '/v1/resources?limit=1e9', status: 400, code: 'INVALID_REQUEST' },
  { reason: 'a page that is a word', route: '/v1/resources?limit=all', status: 400, code: 'INVALID_REQUEST' },
  { reason: 'a cursor that is none', route: '/v1/resources?cursor=nonsense', status: 400, code: 'INVALID_CURSOR' },
  { reason: 'a forged cursor', route: `/v1/resources?cursor=${forged}`, status: 400, code: 'INVALID_CURSOR' },
  { reason: 'an unknown order', route: '/v1/resources?sort=colour', status: 400, code: 'INVALID_REQUEST' },
  { reason: 'an unknown health', route: '/v1/resources?health=Fine', status: 400, code: 'INVALID_REQUEST' },
  { reason: 'an age that is none', route: '/v1/resources?maxAge=-5', status: 400, code: 'INVALID_REQUEST' },
  { reason: 'a time that is none', route: '/v1/resources?asOf=yesterday', status: 400, code: 'INVALID_REQUEST' },
  { reason: 'an ARM id that is none', route: '/v1/resources?id=nonsense', status: 400, code: 'INVALID_REQUEST' },
  { reason: 'a NUL byte', route: '/v1/resources?name=a%00b', status: 400, code: 'INVALID_REQUEST' },
  { reason: 'a uid that is none', route: '/v1/resources/nonsense', status: 404, code: 'RESOURCE_NOT_FOUND' },
  { reason: 'a uid that nothing has', route: `/v1/resources/${NOBODY}`, status: 404, code: 'RESOURCE_NOT_FOUND' },
  {
    reason: 'the history of nothing',
    route: `/v1/resources/${NOBODY}/history`,
    status: 404,
    code: 'RESOURCE_NOT_FOUND',
  },
  { reason: 'a graph too deep', route: `/v1/resources/${NOBODY}/graph?depth=99`, status: 400, code: 'INVALID_REQUEST' },
  { reason: 'an operation that is none', route: '/v1/operations/nonsense', status: 404, code: 'OPERATION_NOT_FOUND' },
  { reason: 'an unknown operation', route: `/v1/operations/${NOBODY}`, status: 404, code: 'OPERATION_NOT_FOUND' },
  {
    reason: 'canceling nothing',
    route: `/v1/operations/${NOBODY}/cancel`,
    options: { method: 'POST' },
    status: 404,
    code: 'OPERATION_NOT_FOUND',
  },
  { reason: 'an unknown status', route: '/v1/operations?status=Done', status: 400, code: 'INVALID_REQUEST' },
  { reason: 'a change cursor that is none', route: '/v1/changes?after=nonsense', status: 400, code: 'INVALID_CURSOR' },
  {
    reason: 'half a JSON document',
    route: '/v1/operations',
    options: { method: 'POST', text: '{"type":' },
    status: 400,
    code: 'MALFORMED_JSON',
  },
  {
    reason: 'an empty body',
    route: '/v1/operations',
    options: { method: 'POST', text: '', headers: { 'content-type': 'application/json' } },
    status: 400,
    code: 'MALFORMED_JSON',
  },
  { reason: 'a body that is a list', route: '/v1/operations', options: post([]), status: 400, code: 'INVALID_REQUEST' },
  {
    reason: 'a body that is a word',
    route: '/v1/operations',
    options: post('x'),
    status: 400,
    code: 'INVALID_REQUEST',
  },
  { reason: 'no type', route: '/v1/operations', options: post({ input: {} }), status: 400, code: 'INVALID_REQUEST' },
  {
    reason: 'an unknown operation type',
    route: '/v1/operations',
    options: post({ type: 'make.coffee', input: {} }),
    status: 400,
    code: 'UNKNOWN_OPERATION_TYPE',
  },
  {
    reason: 'a field of the wrong type',
    route: '/v1/operations',
    options: post({ type: 'aks.nodePool.scale', input: { nodePool: POOL, count: 'three' } }),
    status: 400,
    code: 'INVALID_REQUEST',
  },
  {
    reason: 'a resource of the wrong kind',
    route: '/v1/operations',
    options: post({
      type: 'aks.nodePool.scale',
      input: { nodePool: POOL.replace('/agentPools/nodepool1', ''), count: 1 },
    }),
    status: 400,
    code: 'INVALID_REQUEST',
  },
  {
    reason: 'a resource that is not known',
    route: '/v1/operations',
    options: post({ type: 'aks.nodePool.scale', input: { nodePool: NOBODY, count: 1 } }),
    status: 400,
    code: 'INVALID_REQUEST',
  },
  {
    reason: 'a key that no header should carry',
    route: '/v1/operations',
    options: {
      ...post({ type: 'aks.nodePool.scale', input: { nodePool: POOL, count: 1 } }),
      headers: { 'idempotency-key': 'k'.repeat(300) },
    },
    status: 400,
    code: 'INVALID_IDEMPOTENCY_KEY',
  },
  {
    reason: 'another media type',
    route: '/v1/operations',
    options: { method: 'POST', text: '<xml/>', headers: { 'content-type': 'application/xml' } },
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  {
    reason: 'a body too large',
    route: '/v1/operations',
    options: post({ type: 'x', input: { text: 'x'.repeat(2_000_000) } }),
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
  },
  {
    reason: 'GraphQL without a token',
    route: '/graphql',
    options: { ...post({ query: '{ __typename }' }), token: null },
    status: 401,
    code: 'UNAUTHENTICATED',
  },
];

const graphqlCases = [
  { reason: 'no GraphQL', query: '{ fleets {', codes: ['INVALID_REQUEST'] },
  { reason: 'an unknown field', query: '{ spaceships { nodes { name } } }', codes: ['INVALID_REQUEST'] },
  { reason: 'a forged cursor', query: '{ fleets(after: "nonsense") { nodes { name } } }', codes: ['INVALID_CURSOR'] },
  {
    reason: 'an absurd page',
    query: '{ fleets(first: 100000000) { nodes { name } } }',
    codes: ['INVALID_REQUEST', 'QUERY_TOO_COMPLEX'],
  },
  {
    reason: 'a query too deep',
    query: `{ fleets { nodes { ${'members { cluster { fleetMember { fleet { '.repeat(8)} name ${'} } } }'.repeat(8)} } } }`,
    codes: ['QUERY_TOO_COMPLEX'],
  },
  {
    reason: 'a query too wide',
    query: `{ ${Array.from({ length: 2000 }, (_none, index) => `a${index}: fleets(first: 1000) { nodes { members { name } } }`).join(' ')} }`,
    codes: ['QUERY_TOO_COMPLEX'],
  },
  {
    reason: 'fragments that go round in circles',
    query:
      '{ fleets { nodes { ...A } } } fragment A on Fleet { members { fleet { ...B } } } fragment B on Fleet { ...A }',
    codes: ['INVALID_REQUEST', 'QUERY_TOO_COMPLEX'],
  },
  {
    reason: 'a mutation with a wrong input',
    query: 'mutation { aksNodePoolScale(input: { nodePool: "nonsense", count: 1 }) { id } }',
    codes: ['INVALID_REQUEST'],
  },
];

describe('bad input', () => {
  let stack: Stack;

  beforeAll(async () => {
    stack = await Stack.start();
  }, 120_000);

  afterAll(() => stack.stop(), 60_000);

  const expectProblem = (answer: Answer): void => {
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body).toMatchObject({
      type: expect.any(String),
      title: expect.any(String),
      status: answer.status,
      code: expect.any(String),
      correlationId: expect.any(String),
    });
  };

  it.each(cases)('is answered with a problem: $reason', async ({ route, options, status, code }) => {
    const answer = await stack.api(route, options);
    expect({ status: answer.status, code: answer.body.code }).toEqual({ status, code });
    expectProblem(answer);
  });

  it('names every bad field', async () => {
    const { body } = await stack.api(
      '/v1/operations',
      post({ type: 'aks.nodePool.scale', input: { count: -1, colour: 'red' } }),
    );
    expect(body.violations.map((violation: { path: string }) => violation.path).sort()).toEqual([
      'input.colour',
      'input.count',
      'input.nodePool',
    ]);
  });

  it.each(graphqlCases)('is answered with an error over GraphQL: $reason', async ({ query, codes }) => {
    const { status, body } = await stack.graphql(query);
    expect(status).toBeLessThan(500);
    expect(body.errors.length).toBeGreaterThan(0);
    expect(codes).toContain(body.errors[0].extensions.code);
    expect(body.errors[0].extensions.correlationId).toEqual(expect.any(String));
    expect(JSON.stringify(body)).not.toContain('stacktrace');
  });

  it('never ends in an internal error, whatever is thrown at it', async () => {
    const nasty = [
      '%00',
      '%ff',
      '__proto__',
      '../../etc',
      "'; DROP TABLE resource; --",
      '%F0%9F%92%A9',
      '\u{10FFFF}',
      '[]',
      '{}',
      '9'.repeat(400),
    ];
    const parameters = [
      'kind',
      'location',
      'subscription',
      'resourceGroup',
      'cluster',
      'namespace',
      'health',
      'name',
      'q',
      'sort',
      'limit',
      'cursor',
      'maxAge',
      'asOf',
      'id',
      'tag.x',
      'tag.',
    ];
    for (const value of nasty) {
      const text = value.startsWith('%') ? value : encodeURIComponent(value);
      const routes = [
        ...parameters.map((parameter) => `/v1/resources?${parameter}=${text}`),
        `/v1/resources?name=a&name=${text}`,
        `/v1/resources/${text}`,
        `/v1/fleets/${text}`,
        `/v1/operations/${text}`,
        `/v1/operations?target=${text}`,
        `/v1/changes?after=${text}`,
        `/v1/changes?uid=${text}`,
        `/v1/audit-events?cursor=${text}`,
        `/v1/audit-events?operationId=${text}`,
        `/v1/operation-types/${text}`,
      ];
      for (const route of routes) {
        const { status } = await stack.api(route);
        expect({ route, internal: status >= 500 }).toEqual({ route, internal: false });
      }
      for (const input of [value, [value], { nodePool: value, count: value }, { ['__proto__']: value }]) {
        const { status } = await stack.api('/v1/operations', post({ type: 'aks.nodePool.scale', input }));
        expect({ input, refused: status >= 400 && status < 500 }).toEqual({ input, refused: true });
      }
    }
  }, 120_000);

  it('leaves nothing behind', async () => {
    const { body } = await stack.api('/v1/operations');
    expect(body.items).toEqual([]);
    expect((await stack.api('/readyz', { token: null })).status).toBe(200);
  });
});
