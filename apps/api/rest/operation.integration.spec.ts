import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ControlError } from '#libs/kernel/control-error.js';
import { asAdmin, startFakeApi, type FakeApi } from '../../../test/api/fake-api.js';
import { operationView, VIEWER_TOKEN } from '../../../test/api/fake-controls.js';

describe('operations over REST', () => {
  let api: FakeApi;
  beforeAll(async () => {
    api = await startFakeApi();
  });
  afterAll(() => api.close());
  beforeEach(() => {
    api.operations.accepted.length = 0;
    api.operations.operations.clear();
  });

  const post = (url: string, payload: unknown, headers: Record<string, string> = {}) =>
    api.instance.inject({ method: 'POST', url, headers: { ...asAdmin, ...headers }, payload: payload as object });

  it('accepts an operation and says where it is', async () => {
    const answer = await post(
      '/v1/operations',
      { type: 'ship.dock', input: { ship: 's' } },
      { 'idempotency-key': 'k1', 'x-correlation-id': 'trace-1' },
    );
    expect(answer.statusCode).toBe(202);
    const { id } = answer.json();
    expect(answer.headers).toMatchObject({
      'operation-location': `/v1/operations/${id}`,
      location: `/v1/operations/${id}`,
      'retry-after': '2',
    });
    expect(answer.headers['idempotency-replayed']).toBeUndefined();
    expect(api.operations.accepted).toEqual([
      { type: 'ship.dock', input: { ship: 's' }, dryRun: false, idempotencyKey: 'k1', correlationId: 'trace-1' },
    ]);
  });

  it('says when an earlier request had started the operation', async () => {
    const body = { type: 'ship.dock', input: {}, dryRun: true };
    await post('/v1/operations', body, { 'idempotency-key': 'again' });
    const answer = await post('/v1/operations', body, { 'idempotency-key': 'again' });
    expect(answer.statusCode).toBe(202);
    expect(answer.headers['idempotency-replayed']).toBe('true');
    expect(api.operations.accepted[1]).toMatchObject({ dryRun: true });
  });

  it.each([
    { url: '/v1/operations/ship.dock', dryRun: false, reason: 'the body is the input' },
    {
      url: '/v1/operations/ship.dock?dryRun=true',
      dryRun: true,
      reason: 'whether only the checks are made stands beside it',
    },
  ])('has a route for each type: $reason', async ({ url, dryRun }) => {
    const answer = await post(url, { ship: 's', harbour: 'h' }, { 'idempotency-key': `typed-${dryRun}` });
    expect(answer.statusCode).toBe(202);
    expect(api.operations.accepted).toMatchObject([{ type: 'ship.dock', input: { ship: 's', harbour: 'h' }, dryRun }]);
  });

  it.each([
    {
      url: '/v1/operations/ship.sink',
      body: {},
      status: 405,
      code: 'METHOD_NOT_ALLOWED',
      reason: 'an unknown type is an id here, which is not posted to',
    },
    {
      url: '/v1/operations/ship.dock?dryRun=yes',
      body: {},
      status: 400,
      code: 'INVALID_REQUEST',
      reason: 'a flag is true or false',
    },
    {
      url: '/v1/operations/ship.dock?x=1',
      body: {},
      status: 400,
      code: 'INVALID_REQUEST',
      reason: 'an unknown parameter',
    },
    {
      url: '/v1/operations?dryRun=true',
      body: { type: 'ship.dock', input: {} },
      status: 400,
      code: 'INVALID_REQUEST',
      reason: 'here it stands in the body: silently doing it would hurt',
    },
  ])('answers $status for $url: $reason', async ({ url, body, status, code }) => {
    const answer = await post(url, body);
    expect({ status: answer.statusCode, code: answer.json().code }).toEqual({ status, code });
    expect(api.operations.accepted).toEqual([]);
  });

  it.each([
    { code: 'IDEMPOTENCY_KEY_REUSED', status: 409, reason: 'another body under the same key' },
    { code: 'INVALID_IDEMPOTENCY_KEY', status: 400, reason: 'a key that is none' },
    { code: 'UNAVAILABLE', status: 503, reason: 'a part is missing' },
  ] as const)('hands $code on: $reason', async ({ code, status }) => {
    api.operations.failure = new ControlError(code, 'No.');
    const answer = await post('/v1/operations', { type: 'ship.dock', input: {} });
    expect({ status: answer.statusCode, code: answer.json().code }).toEqual({ status, code });
  });

  it('refuses who may not', async () => {
    const answer = await post(
      '/v1/operations',
      { type: 'ship.dock', input: {} },
      { authorization: `Bearer ${VIEWER_TOKEN}` },
    );
    expect({ status: answer.statusCode, code: answer.json().code }).toEqual({ status: 403, code: 'FORBIDDEN' });
  });

  it('answers operations, and when to ask again', async () => {
    const waiting = operationView({ retryAfter: 0.4 });
    const ended = operationView({ status: 'Succeeded', retryAfter: null });
    for (const each of [waiting, ended]) api.operations.operations.set(each.id, each);
    const first = await api.instance.inject({ url: `/v1/operations/${waiting.id}`, headers: asAdmin });
    expect(first.headers['retry-after']).toBe('1');
    expect(first.json()).toEqual(waiting);
    const second = await api.instance.inject({ url: `/v1/operations/${ended.id}`, headers: asAdmin });
    expect(second.headers['retry-after']).toBeUndefined();
    const list = await api.instance.inject({
      url: '/v1/operations?status=Pending,Running&type=ship.dock&target=t&requestedBy=me&limit=1',
      headers: asAdmin,
    });
    expect(list.json().items).toHaveLength(1);
    expect(api.operations.queries.at(-1)).toEqual({
      status: ['Pending', 'Running'],
      type: 'ship.dock',
      target: 't',
      requestedBy: 'me',
      limit: 1,
    });
  });

  it.each([
    { query: 'status=Done', path: 'status.0', reason: 'an unknown status' },
    { query: 'limit=0', path: 'limit', reason: 'an empty page' },
    { query: 'since=1', path: 'since', reason: 'an unknown parameter' },
  ])('refuses ?$query: $reason', async ({ query, path }) => {
    const answer = await api.instance.inject({ url: `/v1/operations?${query}`, headers: asAdmin });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().violations).toMatchObject([{ path }]);
  });

  it('cancels, and needs no body for it', async () => {
    const operation = operationView();
    api.operations.operations.set(operation.id, operation);
    for (const headers of [{}, { 'content-type': 'application/json' }]) {
      const answer = await api.instance.inject({
        method: 'POST',
        url: `/v1/operations/${operation.id}/cancel`,
        headers: { ...asAdmin, ...headers },
      });
      expect(answer.statusCode).toBe(202);
      expect(answer.json().status).toBe('Canceling');
    }
    const unknown = await post('/v1/operations/nothing/cancel', {});
    expect(unknown.json().code).toBe('OPERATION_NOT_FOUND');
  });

  it('describes the operation types', async () => {
    const list = await api.instance.inject({ url: '/v1/operation-types', headers: asAdmin });
    expect(list.json().items.map(({ type }: { type: string }) => type)).toEqual(['ship.dock', 'harbour.close']);
    const one = await api.instance.inject({ url: '/v1/operation-types/ship.dock', headers: asAdmin });
    expect(one.json()).toMatchObject({ type: 'ship.dock', permission: 'sea/write' });
    const none = await api.instance.inject({ url: '/v1/operation-types/ship.sink', headers: asAdmin });
    expect({ status: none.statusCode, code: none.json().code }).toEqual({ status: 404, code: 'NOT_FOUND' });
  });

  it.each([
    { url: '/v1/audit-events?after=3&limit=2&action=a', status: 200, reason: 'an administrator may read' },
    { url: '/v1/audit-checkpoints', status: 200, reason: 'and check' },
    { url: '/v1/audit-events?operationId=x', status: 400, reason: 'no uuid' },
    { url: '/v1/audit-events?after=-1', status: 400, reason: 'no sequence' },
  ])('answers $status for $url: $reason', async ({ url, status }) => {
    expect((await api.instance.inject({ url, headers: asAdmin })).statusCode).toBe(status);
  });

  it('shows the audit log to administrators only', async () => {
    const answer = await api.instance.inject({
      url: '/v1/audit-events',
      headers: { authorization: `Bearer ${VIEWER_TOKEN}` },
    });
    expect(answer.statusCode).toBe(403);
  });
});
