import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { getIntrospectionQuery } from 'graphql';
import { ControlError } from '#libs/kernel/control-error.js';
import { asAdmin, startFakeApi, type FakeApi } from '../../../test/api/fake-api.js';
import { operationView, VIEWER_TOKEN } from '../../../test/api/fake-controls.js';
import { describeCalls } from '../../../test/api/fake-systems.js';

interface Answer {
  status: number;
  data: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- whatever the query asked for
  errors: { message: string; path?: unknown[]; extensions: Record<string, unknown> }[] | undefined;
  body: string;
}

describe('GraphQL', () => {
  let api: FakeApi;
  beforeAll(async () => {
    api = await startFakeApi();
    api.resources.addHarbour('rotterdam', ['anna', 'berta', 'clara'], { depth: 24, pilots: 3, authority: 'Port' });
    api.resources.addHarbour('vlissingen', ['dora'], {});
    api.resources.addHarbour('zeebrugge', []);
  });
  afterAll(() => api.close());
  beforeEach(() => {
    api.resources.calls.length = 0;
    api.log.length = 0;
  });

  async function ask(query: string, variables?: object, headers: Record<string, string> = asAdmin): Promise<Answer> {
    const answer = await api.instance.inject({
      method: 'POST',
      url: '/graphql',
      headers: { 'content-type': 'application/json', ...headers },
      payload: JSON.stringify({ query, variables }),
    });
    const result = answer.json<Pick<Answer, 'data' | 'errors'>>();
    return { ...result, status: answer.statusCode, body: answer.body };
  }

  it('answers typed fields, freshness and what could not be seen', async () => {
    describeCalls.count = 0;
    const { data, errors } = await ask(`{
      harbours(first: 1) {
        nodes {
          __typename uid kind name health tags properties freshness { observedAt ageSeconds source } changedAt
          depth pilots authority { name public } marks quays traffic tide
        }
        freshness { oldest newest } partial unavailable { scope reason missing problem { code message } }
      }
    }`);
    expect(errors).toBeUndefined();
    expect(data.harbours).toEqual({
      nodes: [
        {
          __typename: 'Harbour',
          uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
          kind: 'Harbour',
          name: 'rotterdam',
          health: 'Healthy',
          tags: { env: 'test' },
          properties: { depth: 24, pilots: 3, authority: 'Port' },
          freshness: { observedAt: '2026-01-02T03:04:05.000Z', ageSeconds: 7, source: 'ARM' },
          changedAt: '2026-01-02T03:04:05.000Z',
          depth: 24,
          pilots: 3,
          authority: { name: 'Port', public: true },
          marks: { red: 'port' },
          quays: ['north', 'south'],
          traffic: 'Open',
          tide: 'high-water',
        },
      ],
      freshness: { oldest: '2026-01-02T03:04:05.000Z', newest: '2026-01-02T03:04:05.000Z' },
      partial: true,
      unavailable: [
        {
          scope: 'sea:1',
          reason: 'partial',
          missing: 'the far side',
          problem: { code: 'AZURE_THROTTLED', message: 'Slow down.' },
        },
      ],
    });
    expect(describeCalls.count).toBe(1);
  });

  it('follows relations with one call for each relation and level', async () => {
    const { data, errors } = await ask(
      '{ harbours { nodes { name ships { name flag harbour { name ships(first: 2) { name } } } } } }',
    );
    expect(errors).toBeUndefined();
    expect(data.harbours.nodes[0].ships.map((ship: { name: string }) => ship.name)).toEqual(['anna', 'berta', 'clara']);
    expect(data.harbours.nodes[1].ships).toEqual([
      { name: 'dora', flag: 'NL', harbour: { name: 'vlissingen', ships: [{ name: 'dora' }] } },
    ]);
    expect(data.harbours.nodes[2].ships).toEqual([]);
    expect(api.resources.calls.map(({ method }) => method)).toEqual(['list', 'related', 'related', 'related']);
    expect(api.resources.callsOf('related').map((call) => (call as { limit: number }).limit)).toEqual([100, 1, 2]);
  });

  it('says what ails an object', async () => {
    const { data, errors } = await ask(
      '{ ships(first: 1) { nodes { uid advice { code severity cause evidence remedies { operations { type input } } } } } }',
    );
    expect(errors).toBeUndefined();
    const [ship] = data.ships.nodes;
    expect(ship.advice).toMatchObject([
      {
        code: 'SHALLOW',
        severity: 'warning',
        evidence: { depth: 1 },
        remedies: [{ operations: [{ type: 'ship.dock', input: { ship: ship.uid } }] }],
      },
    ]);
  });

  it('answers different kinds through the interface', async () => {
    const { data } = await ask(
      '{ resources { nodes { __typename name ... on Harbour { depth } ... on Ship { flag } } } }',
    );
    expect(data.resources.nodes).toContainEqual({ __typename: 'Harbour', name: 'rotterdam', depth: 24 });
    expect(data.resources.nodes).toContainEqual({ __typename: 'Ship', name: 'dora', flag: 'NL' });
  });

  it('hands filters on', async () => {
    await ask(
      `query ($filter: ResourceFilter) { resources(filter: $filter, sort: "-changedAt", first: 7) { nodes { name } } }`,
      {
        filter: {
          kinds: ['Ship'],
          health: ['Healthy'],
          tags: [{ key: 'env', value: 'prod' }],
          maxAge: 30,
          location: null,
          asOf: '2026-01-31T12:00:00Z',
        },
      },
    );
    expect(api.resources.callsOf('list')).toEqual([
      {
        kinds: ['Ship'],
        health: ['Healthy'],
        tags: { env: 'prod' },
        maxAgeSeconds: 30,
        asOf: new Date('2026-01-31T12:00:00Z'),
        sort: '-changedAt',
        limit: 7,
        view: 'raw',
      },
    ]);
    api.resources.calls.length = 0;
    await ask('{ ships(name: "anna", filter: { q: "a" }) { nodes { name } } }');
    expect(api.resources.callsOf('list')).toEqual([{ kinds: ['Ship'], name: 'anna', q: 'a', limit: 100, view: 'raw' }]);
  });

  it('pages by the end of a page and by any edge', async () => {
    const page = 'edges { node { name } cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }';
    const first = (await ask(`{ ships(first: 3) { ${page} } }`)).data.ships;
    expect(first.pageInfo).toMatchObject({
      hasNextPage: true,
      hasPreviousPage: false,
      endCursor: first.edges[2].cursor,
    });
    const after = `query ($after: String) { ships(first: 2, after: $after) { ${page} } }`;
    const second = (await ask(after, { after: first.pageInfo.endCursor })).data.ships;
    expect(second.edges.map((edge: { node: { name: string } }) => edge.node.name)).toEqual(['dora']);
    expect(second.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
    const middle = (await ask(after, { after: first.edges[0].cursor })).data.ships;
    expect(middle.edges.map((edge: { node: { name: string } }) => edge.node.name)).toEqual(['berta', 'clara']);
    const onward = (await ask(after, { after: middle.edges[0].cursor })).data.ships;
    expect(onward.edges.map((edge: { node: { name: string } }) => edge.node.name)).toEqual(['clara', 'dora']);
  });

  it('finds one object, or null', async () => {
    const { uid } = api.resources.resources[0]!;
    const query = 'query ($uid: ID!, $maxAge: Int) { resource(uid: $uid, maxAge: $maxAge) { name } }';
    expect((await ask(query, { uid })).data).toEqual({ resource: { name: 'rotterdam' } });
    expect((await ask(query, { uid: uid.toUpperCase(), maxAge: 3 })).data).toEqual({ resource: { name: 'rotterdam' } });
    expect((await ask(query, { uid: '00000000-0000-4000-8000-000000000000' })).data).toEqual({ resource: null });
    expect((await ask(query, { uid: '00000000-0000-4000-8000-000000000000', maxAge: 3 })).data).toEqual({
      resource: null,
    });
    expect((await ask(query, { uid: 'a\u0000' })).status).toBe(400);
    expect((await ask('{ resource(uid: "nonsense") { name } }')).data).toEqual({ resource: null });
  });

  it('finds many objects with one call', async () => {
    const [one, two] = api.resources.resources;
    await ask(`{ a: resource(uid: "${one!.uid}") { name } b: resource(uid: "${two!.uid}") { name } }`);
    expect(api.resources.callsOf('findMany')).toEqual([[one!.uid, two!.uid]]);
  });

  it('answers graph and history', async () => {
    const { uid } = api.resources.resources[0]!;
    const { data, errors } = await ask(
      `{ resourceGraph(uid: "${uid}", depth: 1, direction: "out") { root nodes { name } edges { from to type } truncated }
         resourceHistory(uid: "${uid}", first: 3) { nodes { validFrom validTo health source changed } pageInfo { hasNextPage } } }`,
    );
    expect(errors).toBeUndefined();
    expect(data.resourceGraph).toMatchObject({ root: uid, nodes: [{ name: 'rotterdam' }], truncated: false });
    expect(data.resourceHistory.nodes).toHaveLength(1);
  });

  it('starts an operation by its own mutation', async () => {
    const { data, errors } = await ask(
      `mutation ($input: ShipDockInput!) {
        shipDock(input: $input, idempotencyKey: "k1", dryRun: true) { id type status dryRun target { uid kind } steps { name status } }
      }`,
      { input: { ship: 's', harbour: 'h', quay: null, cargo: [{ name: 'coal', tons: null }], labels: { a: 'b' } } },
      { ...asAdmin, 'x-correlation-id': 'from-graphql' },
    );
    expect(errors).toBeUndefined();
    expect(data.shipDock).toMatchObject({
      type: 'ship.dock',
      status: 'Pending',
      dryRun: true,
      steps: [{ name: 'sail' }],
    });
    expect(api.operations.accepted.at(-1)).toEqual({
      type: 'ship.dock',
      input: { ship: 's', harbour: 'h', cargo: [{ name: 'coal' }], labels: { a: 'b' } },
      dryRun: true,
      idempotencyKey: 'k1',
      correlationId: 'from-graphql',
    });
  });

  it('lists, finds and cancels operations', async () => {
    const operation = operationView({
      findings: [{ code: 'X', severity: 'warning', message: 'm', evidence: { a: 1 } }],
    });
    api.operations.operations.set(operation.id, operation);
    const { data, errors } = await ask(`mutation ($id: ID!) { cancelOperation(id: $id) { id status } }`, {
      id: operation.id,
    });
    expect(errors).toBeUndefined();
    expect(data.cancelOperation.status).toBe('Canceling');
    const read = await ask(
      `{ operation(id: "${operation.id}") { findings { code severity evidence remedy } error { code } result retryAfter }
         operations(filter: { status: [Pending], type: "ship.dock" }, first: 1) { nodes { id } pageInfo { endCursor } }
         operationTypes { type inputSchema references } }`,
    );
    expect(read.errors).toBeUndefined();
    expect(read.data.operation).toMatchObject({
      findings: [{ severity: 'warning', remedy: null }],
      error: null,
      retryAfter: 2,
    });
    expect(read.data.operationTypes.map(({ type }: { type: string }) => type)).toEqual(['ship.dock', 'harbour.close']);
    expect(api.operations.queries.at(-1)).toEqual({ status: ['Pending'], type: 'ship.dock', limit: 1 });
  });

  it('reads the feeds', async () => {
    const { data, errors } = await ask(
      '{ auditEvents(first: 2, action: "a") { nodes { sequence } } changes(after: "c", kinds: ["Ship"]) { items { cursor } nextCursor } }',
    );
    expect(errors).toBeUndefined();
    expect(data).toEqual({ auditEvents: { nodes: [] }, changes: { items: [], nextCursor: 'next' } });
    expect(api.audit.queries.at(-1)).toEqual({ action: 'a', limit: 2 });
    expect(api.changes.queries.at(-1)).toEqual({ after: 'c', kinds: ['Ship'], limit: 100 });
  });

  it.each([
    { query: '{', reason: 'a syntax error' },
    { query: '{ nothing }', reason: 'an unknown field' },
    { query: '{ harbours { nodes { name } } } fragment A on Harbour { ...A }', reason: 'a fragment cycle' },
    {
      query: 'query ($x: Int!) { harbours(first: $x) { nodes { name } } }',
      variables: {},
      reason: 'a missing variable',
    },
    {
      query: 'query ($x: Int) { harbours(first: $x) { nodes { name } } }',
      variables: { x: 'two' },
      reason: 'a variable of a wrong type',
    },
    {
      query: 'query ($x: Int) { resources(filter: { maxAge: $x }) { nodes { name } } }',
      variables: { x: 1e12 },
      reason: 'a number too large',
    },
    { query: 'query A { __typename } query B { __typename }', reason: 'two operations, none chosen' },
    { query: '{ resources(filter: { asOf: "soon" }) { nodes { name } } }', reason: 'no moment' },
    { query: 'mutation { shipDock(input: { ship: "s" }) { id } }', reason: 'a missing input' },
    { query: 'mutation { shipDock(input: { ship: "s", harbour: "h", x: 1 }) { id } }', reason: 'an unknown input' },
    { query: 'subscription { changes { cursor } }', reason: 'a subscription needs a socket' },
    { query: '', reason: 'nothing' },
  ])('answers 400 INVALID_REQUEST: $reason', async ({ query, variables }) => {
    const answer = await ask(query, variables);
    expect(answer.status).toBe(400);
    const code = answer.errors?.[0]?.extensions.code ?? JSON.parse(answer.body).code;
    expect(code).toBe('INVALID_REQUEST');
    expect(answer.body).not.toMatch(/stacktrace|node_modules|at Object/);
  });

  it.each([
    { query: '{ harbours(first: 0) { nodes { name } } }', path: 'first', reason: 'an empty page' },
    { query: '{ harbours(first: -1) { nodes { name } } }', path: 'first', reason: 'a negative page' },
    { query: '{ harbours(first: 1001) { nodes { name } } }', path: 'first', reason: 'a huge page' },
    {
      query: '{ harbours(first: 9) { nodes { ships(first: 1001) { name } } } }',
      path: 'first',
      reason: 'a huge list of related objects',
    },
    {
      query: '{ resources(filter: { name: "a\\u0000" }) { nodes { name } } }',
      path: 'filter.name',
      reason: 'NUL written as an escape',
    },
    { query: '{ resources(filter: { q: "" }) { nodes { name } } }', path: 'filter.q', reason: 'an empty text' },
    {
      query: '{ resources(filter: { tags: [{ key: "a", value: "\\u0000" }] }) { nodes { name } } }',
      path: 'filter.tags.0.value',
      reason: 'NUL in a tag',
    },
    {
      query: '{ resources(filter: { maxAge: -1 }) { nodes { name } } }',
      path: 'filter.maxAge',
      reason: 'a negative age',
    },
    { query: '{ auditEvents(operationId: "x") { nodes { sequence } } }', path: 'operationId', reason: 'no uuid' },
    {
      query: 'mutation { shipDock(input: { ship: "\\u0000", harbour: "h" }) { id } }',
      path: 'input.ship',
      reason: 'NUL in an input',
    },
    {
      query: 'mutation { shipDock(input: { ship: "s", harbour: "h", labels: { __proto__: "x" } }) { id } }',
      path: 'input.labels.__proto__',
      reason: 'a way into the prototype',
    },
  ])('names the faulty argument $path: $reason', async ({ query, path }) => {
    const { errors } = await ask(query);
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'INVALID_REQUEST', violations: [{ path }] });
  });

  it.each([
    { code: 'INVALID_CURSOR', after: 'e.x', reason: 'a mangled place' },
    {
      code: 'INVALID_CURSOR',
      after: `e.${Buffer.from('["edge",null,-5]').toString('base64url')}`,
      reason: 'a forged place',
    },
    {
      code: 'INVALID_CURSOR',
      after: `e.${Buffer.from('["edge",{},5]').toString('base64url')}`,
      reason: 'a forged cursor in it',
    },
    { code: 'INVALID_CURSOR', after: 'nonsense', reason: 'a cursor of nothing' },
  ])('refuses a forged cursor: $reason', async ({ code, after }) => {
    const { errors } = await ask('query ($after: String) { ships(after: $after) { nodes { name } } }', { after });
    expect(errors?.[0]?.extensions.code).toBe(code);
  });

  it.each([
    {
      query: `{ resources { nodes { ${'... on Harbour { ships { harbour { '.repeat(7)} name ${'} } }'.repeat(7)} } } }`,
      reason: 'deep',
    },
    {
      query: `{ harbours { nodes { ${Array.from({ length: 60 }, (_, index) => `a${index}: ships(first: 1000) { name }`).join(' ')} } } }`,
      reason: 'aliases of a large list',
    },
    {
      query: `{ ${Array.from({ length: 600 }, (_, index) => `a${index}: harbours { nodes { name } }`).join(' ')} }`,
      reason: 'many aliases',
    },
    {
      query: `{ resources(first: 1000) { nodes { ${Array.from({ length: 200 }, (_, index) => `p${index}: properties`).join(' ')} } } }`,
      reason: 'the same large JSON again and again',
    },
    { query: '{ harbours(first: 1000) { nodes { ships(first: 1000) { name } } } }', reason: 'a million objects' },
    {
      query: `query ($n: Int = 1000) { harbours(first: $n) { nodes { ships(first: $n) { name } } } }`,
      reason: 'the same by a variable',
    },
    {
      query: `{ ...f0 } ${Array.from({ length: 20 }, (_, index) => `fragment f${index} on Query { a${index}: harbours { nodes { name } } ...f${index + 1} x: resources { nodes { uid } } ...f${index + 1} }`).join(' ')} fragment f20 on Query { y: resources(first: 1000) { nodes { name } } }`,
      reason: 'fragments that multiply',
    },
    {
      query: `{ __schema { ${Array.from({ length: 200 }, (_, index) => `t${index}: types { fields { name type { name } } }`).join(' ')} } }`,
      reason: 'the schema again and again',
    },
    { query: `{ ${'['.repeat(150)} }`, reason: 'brackets without end' },
    { query: `{ a(x: ${'['.repeat(1400)}${']'.repeat(1400)}) }`, reason: 'lists without end' },
  ])('refuses what asks for too much: $reason', async ({ query }) => {
    const began = performance.now();
    const answer = await ask(query);
    expect(answer.status).toBe(400);
    const code = answer.errors?.[0]?.extensions.code ?? JSON.parse(answer.body).code;
    expect(code).toBe('QUERY_TOO_COMPLEX');
    expect(api.resources.calls).toEqual([]);
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  it('stops parsing where no sane query is so long', async () => {
    const answer = await ask(`{ ${'a '.repeat(5_000)} }`);
    expect({ status: answer.status, code: answer.errors?.[0]?.extensions.code }).toEqual({
      status: 400,
      code: 'QUERY_TOO_COMPLEX',
    });
  });

  it('stops loading where a query finds more than it was expected to', async () => {
    const small = await startFakeApi({ graphqlMaxCost: 1_000 });
    try {
      small.resources.addHarbour(
        'full',
        Array.from({ length: 100 }, (_, index) => `ship-${index}`),
      );
      const query = '{ harbours(first: 1) { nodes { ships { harbour { ships { harbour { ships { name } } } } } } } }';
      const answer = await small.instance.inject({
        method: 'POST',
        url: '/graphql',
        headers: asAdmin,
        payload: { query },
      });
      expect(answer.json().errors[0].extensions.code).toBe('QUERY_TOO_COMPLEX');
    } finally {
      await small.close();
    }
  });

  it('answers what GraphiQL asks for first', async () => {
    const { data, errors } = await ask(
      getIntrospectionQuery({ descriptions: true, inputValueDeprecation: true, specifiedByUrl: true }),
    );
    expect(errors).toBeUndefined();
    expect(data.__schema.types.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(['Harbour', 'ShipDockInput']),
    );
  });

  it.each([
    { payload: '[{"query":"{ __typename }"}]', reason: 'a batch' },
    { payload: '{"query":7}', reason: 'a number for a query' },
    { payload: '{"query":"{ __typename }","variables":[]}', reason: 'a list for variables' },
    { payload: '{}', reason: 'nothing' },
    { payload: '7', reason: 'a number' },
  ])('answers a body that is no GraphQL request with a problem: $reason', async ({ payload }) => {
    const answer = await api.instance.inject({
      method: 'POST',
      url: '/graphql',
      headers: { ...asAdmin, 'content-type': 'application/json' },
      payload,
    });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().code).toBe('INVALID_REQUEST');
  });

  it('carries the code, the correlation id and the rest of a problem in the extensions', async () => {
    api.resources.failure = new ControlError('AZURE_THROTTLED', 'Slow down.', {
      retry: { kind: 'after', seconds: 9 },
      remedy: 'Wait.',
    });
    const answer = await ask('{ harbours { nodes { name } } }', {}, { ...asAdmin, 'x-correlation-id': 'trace-9' });
    expect(answer.status).toBe(200);
    expect(answer.errors).toEqual([
      {
        message: 'Slow down.',
        locations: expect.any(Array),
        path: ['harbours'],
        extensions: { code: 'AZURE_THROTTLED', correlationId: 'trace-9', retryAfter: 9, remedy: 'Wait.' },
      },
    ]);
  });

  it('hides what went wrong inside, and logs it under the same id', async () => {
    api.resources.failure = new TypeError('password=hunter2');
    const answer = await ask('{ harbours { nodes { name } } }', {}, { ...asAdmin, 'x-correlation-id': 'boom' });
    expect(answer.errors?.[0]?.extensions).toEqual(
      expect.objectContaining({ code: 'INTERNAL', correlationId: 'boom' }),
    );
    expect(answer.body).not.toContain('hunter2');
    expect(JSON.stringify(api.log.filter((entry) => entry.correlationId === 'boom'))).toContain('hunter2');
  });

  it('says who may do what with the code of the problem', async () => {
    const viewer = { authorization: `Bearer ${VIEWER_TOKEN}` };
    const { errors } = await ask('mutation { harbourClose(input: { harbour: "h" }) { id } }', {}, viewer);
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });

  it('answers in the form of the GraphQL response where that is asked for', async () => {
    const answer = await api.instance.inject({
      method: 'POST',
      url: '/graphql',
      headers: { ...asAdmin, accept: 'application/graphql-response+json' },
      payload: { query: '{ __typename }' },
    });
    expect(answer.headers['content-type']).toContain('application/graphql-response+json');
  });
});
