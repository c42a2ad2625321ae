import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ControlError } from '#libs/kernel/control-error.js';
import { asAdmin, startFakeApi, type FakeApi } from '../../../test/api/fake-api.js';
import { VIEWER_TOKEN } from '../../../test/api/fake-controls.js';

const JSON_TYPE = { 'content-type': 'application/json' };

describe('problems', () => {
  let api: FakeApi;
  let address: string;
  beforeAll(async () => {
    api = await startFakeApi({ bodyLimitBytes: 2_000 });
    address = await api.listen();
  });
  afterAll(() => api.close());
  beforeEach(() => {
    api.log.length = 0;
  });

  it.each([
    { method: 'GET', url: '/v1/nothing', status: 404, code: 'NOT_FOUND', reason: 'an unknown path' },
    { method: 'GET', url: '/', status: 404, code: 'NOT_FOUND', reason: 'the root has nothing' },
    {
      method: 'DELETE',
      url: '/v1/resources',
      status: 405,
      code: 'METHOD_NOT_ALLOWED',
      reason: 'a known path, another method',
    },
    { method: 'GET', url: '/graphql', status: 405, code: 'METHOD_NOT_ALLOWED', reason: 'GraphQL is asked by POST' },
    { method: 'PUT', url: '/v1/operations', status: 405, code: 'METHOD_NOT_ALLOWED', reason: 'operations are not put' },
    { method: 'GET', url: '/v1/%zz', status: 400, code: 'INVALID_REQUEST', reason: 'a URL that cannot be decoded' },
    { method: 'GET', url: '/v1/resources/%E0%A4%A', status: 400, code: 'INVALID_REQUEST', reason: 'half a character' },
  ] as const)('answers $status for $method $url: $reason', async ({ method, url, status, code }) => {
    const answer = await api.instance.inject({ method, url, headers: asAdmin });
    expect(answer.statusCode).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(answer.json()).toEqual({
      type: `https://pilothouse.dev/problems/${code.toLowerCase().replaceAll('_', '-')}`,
      title: expect.any(String),
      status,
      detail: expect.any(String),
      instance: url,
      code,
      correlationId: answer.headers['x-correlation-id'],
    });
  });

  it('says which methods a path has', async () => {
    const answer = await api.instance.inject({ method: 'PATCH', url: '/v1/operations', headers: asAdmin });
    expect(answer.headers.allow).toBe('GET, HEAD, POST');
  });

  it.each([
    { body: '{', headers: JSON_TYPE, status: 400, code: 'MALFORMED_JSON', reason: 'not JSON' },
    { body: '', headers: JSON_TYPE, status: 400, code: 'MALFORMED_JSON', reason: 'nothing' },
    { body: undefined, headers: {}, status: 400, code: 'MALFORMED_JSON', reason: 'nothing, and no type' },
    {
      body: Buffer.from([0x22, 0xff, 0x22]),
      headers: JSON_TYPE,
      status: 400,
      code: 'MALFORMED_JSON',
      reason: 'not UTF-8',
    },
    { body: 'null', headers: JSON_TYPE, status: 400, code: 'INVALID_REQUEST', reason: 'null is JSON but no object' },
    { body: '7', headers: JSON_TYPE, status: 400, code: 'INVALID_REQUEST', reason: 'a number' },
    { body: '"text"', headers: JSON_TYPE, status: 400, code: 'INVALID_REQUEST', reason: 'a text' },
    { body: '[]', headers: JSON_TYPE, status: 400, code: 'INVALID_REQUEST', reason: 'a list' },
    { body: '{"type":7,"input":{}}', headers: JSON_TYPE, status: 400, code: 'INVALID_REQUEST', reason: 'a wrong type' },
    { body: '{"type":"ship.dock"}', headers: JSON_TYPE, status: 400, code: 'INVALID_REQUEST', reason: 'no input' },
    {
      body: '{"type":"ship.dock","input":[]}',
      headers: JSON_TYPE,
      status: 400,
      code: 'INVALID_REQUEST',
      reason: 'a list for an object',
    },
    {
      body: '{"type":"ship.dock","input":{},"x":1}',
      headers: JSON_TYPE,
      status: 400,
      code: 'INVALID_REQUEST',
      reason: 'an unknown field',
    },
    {
      body: '{"type":"ship.dock","input":{},"dryRun":"yes"}',
      headers: JSON_TYPE,
      status: 400,
      code: 'INVALID_REQUEST',
      reason: 'a text for a flag',
    },
    {
      body: '{"type":"ship.sink","input":{}}',
      headers: JSON_TYPE,
      status: 400,
      code: 'UNKNOWN_OPERATION_TYPE',
      reason: 'an unknown type',
    },
    {
      body: '{"type":"ship.dock","input":{"a":"\\u0000"}}',
      headers: JSON_TYPE,
      status: 400,
      code: 'INVALID_REQUEST',
      reason: 'NUL',
    },
    {
      body: '{"type":"ship.dock","input":{"a":"\\ud800"}}',
      headers: JSON_TYPE,
      status: 400,
      code: 'INVALID_REQUEST',
      reason: 'half of a surrogate pair',
    },
    {
      body: '{"type":"ship.dock","input":{"\\u0000":1}}',
      headers: JSON_TYPE,
      status: 400,
      code: 'INVALID_REQUEST',
      reason: 'NUL in a name',
    },
    {
      body: '{"type":"ship.dock","input":{"__proto__":{"a":1}}}',
      headers: JSON_TYPE,
      status: 400,
      code: 'INVALID_REQUEST',
      reason: 'a way into the prototype',
    },
    {
      body: `{"type":"ship.dock","input":${'{"a":'.repeat(70)}1${'}'.repeat(70)}}`,
      headers: JSON_TYPE,
      status: 400,
      code: 'INVALID_REQUEST',
      reason: 'absurdly deep',
    },
    {
      body: `${'['.repeat(900)}${']'.repeat(900)}`,
      headers: JSON_TYPE,
      status: 400,
      code: 'INVALID_REQUEST',
      reason: 'a tower of lists',
    },
    {
      body: JSON.stringify({ type: 'x'.repeat(3000) }),
      headers: JSON_TYPE,
      status: 413,
      code: 'PAYLOAD_TOO_LARGE',
      reason: 'over the limit',
    },
    {
      body: 'type=ship.dock',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      status: 415,
      code: 'UNSUPPORTED_MEDIA_TYPE',
      reason: 'a form',
    },
    {
      body: '{}',
      headers: { 'content-type': 'text/plain' },
      status: 415,
      code: 'UNSUPPORTED_MEDIA_TYPE',
      reason: 'a text',
    },
    {
      body: '{}',
      headers: { 'content-type': 'nonsense' },
      status: 415,
      code: 'UNSUPPORTED_MEDIA_TYPE',
      reason: 'no media type',
    },
    {
      body: '{}',
      headers: { 'content-type': 'application/jsonx' },
      status: 415,
      code: 'UNSUPPORTED_MEDIA_TYPE',
      reason: 'nearly JSON',
    },
  ])('answers $status $code for a body: $reason', async ({ body, headers, status, code }) => {
    const answer = await api.instance.inject({
      method: 'POST',
      url: '/v1/operations',
      headers: { ...asAdmin, ...headers },
      ...(body === undefined ? {} : { payload: body }),
    });
    expect({ status: answer.statusCode, code: answer.json().code }).toEqual({ status, code });
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  });

  it.each(['application/json; charset=utf-8', 'application/vnd.x+json', 'application/json'])(
    'reads a body of %s',
    async (type) => {
      const answer = await api.instance.inject({
        method: 'POST',
        url: '/v1/operations',
        headers: { ...asAdmin, 'content-type': type },
        payload: '{"type":"ship.dock","input":{}}',
      });
      expect(answer.statusCode).toBe(202);
    },
  );

  it('refuses without a token before it reads the body', async () => {
    const answer = await api.instance.inject({
      method: 'POST',
      url: '/v1/operations',
      headers: JSON_TYPE,
      payload: '{',
    });
    expect(answer.statusCode).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    expect(answer.json().code).toBe('UNAUTHENTICATED');
  });

  it.each([
    { url: '/v1/resources', headers: { authorization: 'Bearer wrong' }, reason: 'an unknown token' },
    { url: '/v1/resources', headers: { authorization: 'Basic YTpi' }, reason: 'another scheme' },
    {
      url: '/v1/resources?access_token=admin-token-of-the-test',
      headers: {},
      reason: 'addresses are logged: no token there',
    },
    { url: '/v1/harbours', headers: {}, reason: 'a route of the registry' },
    { url: '/graphql', headers: {}, reason: 'GraphQL', method: 'POST' },
  ] as const)('answers 401 for $url: $reason', async ({ url, headers, ...rest }) => {
    const answer = await api.instance.inject({ url, headers, ...('method' in rest ? { method: rest.method } : {}) });
    expect({ status: answer.statusCode, code: answer.json().code }).toEqual({ status: 401, code: 'UNAUTHENTICATED' });
  });

  it.each(['/livez', '/readyz', '/metrics', '/openapi.json', '/docs', '/graphiql'])(
    '%s needs no token',
    async (url) => {
      expect((await api.instance.inject({ url })).statusCode).toBe(200);
    },
  );

  it('tells the correlation id of the sender back, and only a sane one', async () => {
    const sane = await api.instance.inject({ url: '/livez', headers: { 'x-correlation-id': 'trace-1.a_B' } });
    expect(sane.headers['x-correlation-id']).toBe('trace-1.a_B');
    for (const insane of ['a b', '<script>', 'x'.repeat(129), '', '-x']) {
      const answer = await api.instance.inject({ url: '/livez', headers: { 'x-correlation-id': insane } });
      expect(answer.headers['x-correlation-id']).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it('hides what went wrong inside, and logs it under the same id', async () => {
    api.resources.failure = new TypeError('password=hunter2 in row 7');
    const answer = await api.instance.inject({
      url: '/v1/resources',
      headers: { ...asAdmin, 'x-correlation-id': 'boom' },
    });
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toMatchObject({ code: 'INTERNAL', correlationId: 'boom' });
    expect(answer.body).not.toContain('hunter2');
    const logged = api.log.find((entry) => entry.correlationId === 'boom' && entry.level === 50);
    expect(JSON.stringify(logged)).toContain('hunter2');
  });

  it('tells when to try again, and what to do', async () => {
    api.resources.failure = new ControlError('AZURE_THROTTLED', 'Slow down.', {
      retry: { kind: 'after', seconds: 17 },
      remedy: 'Wait.',
      externalCode: 'TooManyRequests',
    });
    const answer = await api.instance.inject({ url: '/v1/resources', headers: asAdmin });
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toBe('17');
    expect(answer.json()).toMatchObject({ retryAfter: 17, remedy: 'Wait.', externalCode: 'TooManyRequests' });
  });

  it('logs each request with its route and principal, never a token or a body', async () => {
    await api.instance.inject({
      method: 'POST',
      url: '/v1/operations?x=secret-in-query',
      headers: { authorization: `Bearer ${VIEWER_TOKEN}`, ...JSON_TYPE },
      payload: '{"type":"ship.dock","input":{"secret":"in-body"}}',
    });
    const entry = api.log.find((line) => line.msg === 'request');
    expect(entry).toMatchObject({
      method: 'POST',
      route: '/v1/operations',
      status: 400,
      principal: 'viewer',
      code: 'INVALID_REQUEST',
    });
    const text = JSON.stringify(api.log);
    expect(text).not.toContain(VIEWER_TOKEN);
    expect(text).not.toContain('in-body');
    expect(text).not.toContain('secret-in-query');
  });

  it.each([
    { text: 'NONSENSE\r\n\r\n', status: 400, code: 'INVALID_REQUEST', reason: 'no HTTP' },
    {
      text: `GET /livez HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`,
      status: 431,
      code: 'HEADERS_TOO_LARGE',
      reason: 'a huge header',
    },
    { text: 'GET /livez HTTP/1.1\r\n\r\n', status: 400, code: undefined, reason: 'no Host; Node refuses it by itself' },
  ])('answers what is hardly HTTP with $status: $reason', async ({ text, status, code }) => {
    const answer = await rawExchange(address, text);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    if (code !== undefined) expect(answer).toContain(`"code":"${code}"`);
  });

  it.each(['[', 'a b', '%', 'x:99999999', '::1', '\u00fc'])('is not confused by the Host header "%s"', async (host) => {
    const answer = await rawExchange(
      address,
      `POST /graphql HTTP/1.1\r\nhost: ${host}\r\nauthorization: ${asAdmin.authorization}\r\ncontent-type: application/json\r\n` +
        'content-length: 26\r\nconnection: close\r\n\r\n{"query":"{ __typename }"}',
    );
    expect(answer).toMatch(/^HTTP\/1.1 (200|400) /);
  });

  it('lets a browser do nothing with an answer', async () => {
    const { headers } = await api.instance.inject({ url: '/v1/resources', headers: asAdmin });
    expect(headers).toMatchObject({
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
  });
});

function rawExchange(address: string, text: string): Promise<string> {
  const { hostname, port } = new URL(address);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(text, 'latin1'));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('utf8')));
    socket.on('error', reject);
  });
}
