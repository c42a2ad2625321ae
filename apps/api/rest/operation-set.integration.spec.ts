import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { asAdmin, startFakeApi, type FakeApi } from '../../../test/api/fake-api.js';
import { SET_ID } from '../../../test/api/fake-operation-sets.js';

describe('sets of operations over REST', () => {
  let api: FakeApi;

  beforeEach(async () => {
    api = await startFakeApi();
  });
  afterEach(() => api.close());

  const send = (method: 'GET' | 'POST', url: string, payload?: object) =>
    api.instance.inject({ method, url, headers: asAdmin, ...(payload === undefined ? {} : { payload }) });

  it('are accepted with every default filled in', async () => {
    const answer = await send('POST', '/v1/operation-sets', { type: 'ship.dock', targets: ['/ships/1'] });
    expect(answer.statusCode).toBe(202);
    expect(answer.headers.location).toBe(`/v1/operation-sets/${SET_ID}`);
    expect(api.operationSets.accepted).toMatchObject([
      {
        type: 'ship.dock',
        input: {},
        targets: ['/ships/1'],
        maxConcurrency: 5,
        failureThreshold: 0,
        skipRefused: true,
        dryRun: false,
      },
    ]);
    expect(api.operationSets.accepted[0]).not.toHaveProperty('filter');
  });

  it('keep a threshold of null, which is none at all', async () => {
    await send('POST', '/v1/operation-sets', { type: 'ship.dock', targets: ['/ships/1'], failureThreshold: null });
    expect(api.operationSets.accepted[0]?.failureThreshold).toBeNull();
  });

  it.each([
    { body: {}, path: 'type', reason: 'no type' },
    { body: { type: 'ship.dock', targets: [] }, path: 'targets', reason: 'an empty list' },
    { body: { type: 'ship.dock', maxConcurrency: 0 }, path: 'maxConcurrency', reason: 'nothing at a time' },
    { body: { type: 'ship.dock', filter: { colour: 'red' } }, path: 'filter.colour', reason: 'an unknown filter' },
    { body: { type: 'ship.dock', waves: { by: 'moon' } }, path: 'waves.by', reason: 'unknown waves' },
    { body: { type: 'ship.dock', more: 1 }, path: 'more', reason: 'an unknown member' },
  ])('are refused with $reason', async ({ body, path }) => {
    const answer = await send('POST', '/v1/operation-sets', body);
    expect(answer.json()).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
    expect(answer.json().violations.map((violation: { path: string }) => violation.path)).toContain(path);
    expect(api.operationSets.accepted).toEqual([]);
  });

  it.each([
    { action: 'pause', body: undefined, act: ['pause'] },
    { action: 'resume', body: undefined, act: ['resume'] },
    { action: 'stop', body: undefined, act: ['stop', { cancelRunning: false }] },
    { action: 'stop', body: { cancelRunning: true }, act: ['stop', { cancelRunning: true }] },
    { action: 'retry', body: undefined, act: ['retry', { statuses: ['Failed'] }] },
    { action: 'retry', body: { statuses: ['Skipped'] }, act: ['retry', { statuses: ['Skipped'] }] },
  ])('take $action with $body', async ({ action, body, act }) => {
    const answer = await send('POST', `/v1/operation-sets/${SET_ID}/${action}`, body);
    expect(answer.statusCode).toBe(202);
    expect(api.operationSets.acts).toEqual([act]);
  });

  it('are streamed to their end, and again from where a caller was', async () => {
    const answer = await api.instance.inject({
      url: `/v1/operation-sets/${SET_ID}/events`,
      headers: { ...asAdmin, accept: 'text/event-stream' },
    });
    expect(answer.body).toContain('id: 1\nevent: operation-set\n');
    expect(answer.body).toContain('id: 2\nevent: operation-set\n');
  });

  it('are not there under another id', async () => {
    const answer = await send('GET', '/v1/operation-sets/nobody');
    expect(answer.json()).toMatchObject({ status: 404, code: 'OPERATION_SET_NOT_FOUND' });
  });
});
