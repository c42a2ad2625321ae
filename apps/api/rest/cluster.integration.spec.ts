import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ControlError } from '#libs/kernel/control-error.js';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import { asAdmin, startFakeApi, type FakeApi } from '../../../test/api/fake-api.js';

const UID = resourceUid('/clusters/known');
const KUBECONFIG = 'apiVersion: v1\nkind: Config # secret-of-the-test';

describe('clusters over REST', () => {
  let api: FakeApi;
  beforeAll(async () => {
    api = await startFakeApi();
  });
  afterAll(() => api.close());
  beforeEach(() => {
    api.clusters.calls.length = 0;
  });

  const send = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: Record<string, unknown>) =>
    api.instance.inject({ method, url, headers: asAdmin, ...(payload === undefined ? {} : { payload }) });

  it('attaches a cluster and answers everything but the kubeconfig', async () => {
    const answer = await send('POST', '/v1/clusters', { name: 'edge-1', kubeconfig: KUBECONFIG });
    expect(answer.statusCode).toBe(201);
    expect(answer.json()).toMatchObject({ kind: 'AttachedCluster', name: 'edge-1' });
    expect(answer.body).not.toContain('secret-of-the-test');
    expect(api.clusters.calls).toEqual([
      {
        method: 'attach',
        name: 'edge-1',
        kubeconfig: KUBECONFIG,
        correlationId: answer.headers['x-correlation-id'],
      },
    ]);
  });

  it.each([
    { method: 'GET' as const, url: `/v1/clusters/${UID}/access`, status: 200, call: { method: 'getAccess', uid: UID } },
    {
      method: 'PUT' as const,
      url: `/v1/clusters/${UID}/access`,
      payload: { kubeconfig: KUBECONFIG },
      status: 200,
      call: { method: 'giveAccess', uid: UID, kubeconfig: KUBECONFIG },
    },
    {
      method: 'DELETE' as const,
      url: `/v1/clusters/${UID}/access`,
      status: 204,
      call: { method: 'removeAccess', uid: UID },
    },
    { method: 'DELETE' as const, url: `/v1/clusters/${UID}`, status: 204, call: { method: 'detach', uid: UID } },
  ])('hands $method $url on', async ({ method, url, payload, status, call }) => {
    const answer = await send(method, url, payload);
    expect(answer.statusCode).toBe(status);
    expect(api.clusters.calls).toEqual([call]);
    expect(answer.body).not.toContain('secret-of-the-test');
  });

  it.each([
    { body: {}, paths: ['name', 'kubeconfig'], reason: 'nothing given' },
    {
      body: { name: 'Edge_1', kubeconfig: KUBECONFIG },
      paths: ['name'],
      reason: 'a name that Kubernetes would refuse',
    },
    { body: { name: 'edge', kubeconfig: '' }, paths: ['kubeconfig'], reason: 'an empty kubeconfig' },
    { body: { name: 'edge', kubeconfig: { kind: 'Config' } }, paths: ['kubeconfig'], reason: 'an object for a text' },
    { body: { name: 'edge', kubeconfig: KUBECONFIG, force: true }, paths: ['force'], reason: 'an unknown field' },
  ])('refuses $reason, and quotes nothing of it', async ({ body, paths }) => {
    const answer = await send('POST', '/v1/clusters', body);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().code).toBe('INVALID_REQUEST');
    expect(
      answer
        .json()
        .violations.map((violation: { path: string }) => violation.path)
        .sort(),
    ).toEqual(paths.sort());
    expect(answer.body).not.toContain('secret-of-the-test');
    expect(api.clusters.calls).toEqual([]);
  });

  it.each([
    { code: 'INVALID_KUBECONFIG' as const, status: 422, reason: 'the kubeconfig cannot be used' },
    { code: 'KUBERNETES_UNAVAILABLE' as const, status: 503, reason: 'the cluster does not answer' },
    { code: 'CONFLICT' as const, status: 409, reason: 'the name is taken' },
    { code: 'FORBIDDEN' as const, status: 403, reason: 'the caller may not' },
  ])('answers $status when $reason', async ({ code, status }) => {
    api.clusters.failure = new ControlError(code, 'No.');
    const answer = await send('POST', '/v1/clusters', { name: 'edge', kubeconfig: KUBECONFIG });
    expect(answer.statusCode).toBe(status);
    expect(answer.json().code).toBe(code);
  });

  it('asks for a token first', async () => {
    const answer = await api.instance.inject({
      method: 'POST',
      url: '/v1/clusters',
      payload: { name: 'edge', kubeconfig: KUBECONFIG },
    });
    expect(answer.statusCode).toBe(401);
    expect(api.clusters.calls).toEqual([]);
  });
});
