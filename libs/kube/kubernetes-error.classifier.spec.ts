import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { ControlError, ControlErrorCode } from '#libs/kernel/control-error.js';
import {
  classifyConnectionError,
  classifyKubernetesError,
  isUnauthenticated,
  saysAbsent,
  saysExpired,
} from './kubernetes-error.classifier.js';

const RECORDINGS = path.resolve(import.meta.dirname, '../../../shared/recordings');
const areHere = existsSync(RECORDINGS);
const now = new Date('2026-01-01T00:00:00Z');

interface Details {
  name?: string;
  kind?: string;
  causes?: { reason: string; message: string; field?: string }[];
  retryAfterSeconds?: number;
}

function statusOf(code: number, reason: string, message: string, details: Details = {}): string {
  return JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message, details });
}

function classify(status: number, body: unknown, headers: Record<string, string> = {}): ControlError {
  return classifyKubernetesError({ status, body, headers, action: 'apply pods demo/web', now });
}

(areHere ? describe : describe.skip)(
  areHere ? 'answers of real servers' : 'SKIPPED: the recordings are not here (../shared/recordings)',
  () => {
    const expected: Record<string, { code: ControlErrorCode; [detail: string]: unknown }> = {
      'kubernetes-1.32/07-unauthenticated': { code: 'KUBERNETES_UNAUTHENTICATED', externalCode: 'Forbidden' },
      'kubernetes-1.32/08-bad-token': { code: 'KUBERNETES_UNAUTHENTICATED', externalCode: 'Unauthorized' },
      'kubernetes-1.32/09-forbidden-create-namespace': { code: 'KUBERNETES_FORBIDDEN', externalCode: 'Forbidden' },
      'kubernetes-1.32/10-forbidden-list-pods': { code: 'KUBERNETES_FORBIDDEN' },
      'kubernetes-1.32/11-unknown-path': { code: 'KUBERNETES_NOT_FOUND' },
      'kubernetes-1.32/13-create-namespace-exists': { code: 'KUBERNETES_CONFLICT', externalCode: 'AlreadyExists' },
      'kubernetes-1.32/14-create-namespace-invalid-name': { code: 'KUBERNETES_REJECTED', externalCode: 'Invalid' },
      'kubernetes-1.32/15-get-missing': { code: 'KUBERNETES_NOT_FOUND', externalCode: 'NotFound' },
      'kubernetes-1.32/16-malformed-json': { code: 'KUBERNETES_REJECTED', externalCode: 'BadRequest' },
      'kubernetes-1.32/17-wrong-kind': { code: 'KUBERNETES_REJECTED' },
      'kubernetes-1.32/28-apply-deployment-conflict': {
        code: 'KUBERNETES_CONFLICT',
        retry: { kind: 'never' },
        violations: [{ path: '.spec.replicas', message: 'conflict with "recorder"', code: 'FieldManagerConflict' }],
      },
      'kubernetes-1.32/30-apply-deployment-invalid': {
        code: 'KUBERNETES_REJECTED',
        violations: expect.arrayContaining([
          {
            path: 'spec.template.spec.containers[0].image',
            message: 'Required value',
            code: 'FieldValueRequired',
          },
        ]),
      },
      'kubernetes-1.32/31-apply-unknown-field-strict': {
        code: 'KUBERNETES_REJECTED',
        retry: { kind: 'never' },
        violations: [{ path: '.spec.replica', message: 'field not declared in schema', code: 'UnknownField' }],
      },
      'kubernetes-1.32/35-put-scale-stale-resource-version': {
        code: 'KUBERNETES_CONFLICT',
        retry: { kind: 'backoff' },
      },
      'kubernetes-1.32/38-json-patch-test-fails': { code: 'KUBERNETES_REJECTED' },
      'kubernetes-1.32/55-bad-field-selector': { code: 'KUBERNETES_REJECTED' },
      'kubernetes-1.32/56-bad-continue': { code: 'KUBERNETES_REJECTED' },
      'kubernetes-1.32/63-delete-missing': { code: 'KUBERNETES_NOT_FOUND' },
      'kubernetes-1.32/64-eviction-missing-pod': { code: 'KUBERNETES_NOT_FOUND' },
      'kubernetes-1.32/69-storageclass-immutable-update': { code: 'KUBERNETES_REJECTED' },
      'fleet-hub/06-old-group-not-served': { code: 'KUBERNETES_NOT_FOUND' },
      'fleet-hub/09-create-membercluster-invalid-heartbeat': {
        code: 'KUBERNETES_REJECTED',
        violations: [expect.objectContaining({ path: 'spec.heartbeatPeriodSeconds', code: 'FieldValueInvalid' })],
      },
      'fleet-hub/14-create-crp-without-selectors': {
        code: 'KUBERNETES_REJECTED',
        violations: expect.arrayContaining([expect.objectContaining({ path: '' })]),
      },
      'fleet-hub/15-create-crp-bad-placement-type': { code: 'KUBERNETES_REJECTED' },
      'fleet-hub/17-create-crp-old-shape-strict': {
        code: 'KUBERNETES_REJECTED',
        violations: [
          expect.objectContaining({
            path: 'spec.policy.affinity.clusterAffinity.clusterSelectorTerms',
            code: 'UnknownField',
          }),
        ],
      },
      'fleet-hub/18-apply-crp-change-immutable-placement-type': { code: 'KUBERNETES_REJECTED' },
      'fleet-hub/19-apply-crp-remove-policy': { code: 'KUBERNETES_REJECTED' },
      'fleet-hub/23-create-old-api-crp': { code: 'KUBERNETES_NOT_FOUND' },
    };
    const refusals = (areHere ? ['kubernetes-1.32', 'fleet-hub'] : []).flatMap((folder) =>
      readdirSync(path.join(RECORDINGS, folder)).flatMap((file) => {
        const { response } = JSON.parse(readFileSync(path.join(RECORDINGS, folder, file), 'utf8')) as {
          response: { status: number; body: unknown };
        };
        const name = `${folder}/${file.replace('.json', '')}`;
        return response.status < 400 ? [] : [{ name, status: response.status, body: response.body }];
      }),
    );

    it.each(refusals)('$name', ({ name, status, body }) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      expect(expected[name]).toBeDefined();
      expect(classify(status, text)).toMatchObject(expected[name] ?? {});
    });
  },
);

describe('classifyKubernetesError', () => {
  it.each([
    {
      status: 403,
      body: statusOf(403, 'Forbidden', 'pods "web" is forbidden: exceeded quota: q, requested: pods=1'),
      code: 'KUBERNETES_REJECTED',
      retry: 'never',
      reason: 'a quota is no matter of rights',
    },
    {
      status: 403,
      body: statusOf(403, 'Forbidden', 'pods "web" is forbidden: violates PodSecurity "restricted:latest": …'),
      code: 'KUBERNETES_REJECTED',
      retry: 'never',
      reason: 'pod security is none either',
    },
    {
      status: 403,
      body: statusOf(403, 'Forbidden', 'admission webhook "validate.fleet" denied the request: no'),
      code: 'KUBERNETES_REJECTED',
      retry: 'never',
      reason: 'nor is a webhook',
    },
    {
      status: 403,
      body: statusOf(
        403,
        'Forbidden',
        'unable to create new content in namespace demo because it is being terminated',
        {
          causes: [{ reason: 'NamespaceTerminating', message: 'namespace demo is being terminated' }],
        },
      ),
      code: 'KUBERNETES_CONFLICT',
      retry: 'backoff',
      reason: 'the namespace goes',
    },
    { status: 403, body: '<html>no</html>', code: 'KUBERNETES_UNEXPECTED_ANSWER', retry: 'never', reason: 'a proxy' },
    {
      status: 401,
      body: 'Unauthorized',
      code: 'KUBERNETES_UNAUTHENTICATED',
      retry: 'never',
      reason: 'the status says it',
    },
    {
      status: 404,
      body: '404 page not found\n',
      code: 'KUBERNETES_NOT_FOUND',
      retry: 'never',
      reason: 'a type that is not served',
    },
    {
      status: 404,
      body: '<html>',
      code: 'KUBERNETES_UNEXPECTED_ANSWER',
      retry: 'never',
      reason: 'another kind of server',
    },
    {
      status: 404,
      body: '',
      code: 'KUBERNETES_UNEXPECTED_ANSWER',
      retry: 'never',
      reason: 'nobody says what is missing',
    },
    {
      status: 410,
      body: statusOf(410, 'Expired', 'too old'),
      code: 'KUBERNETES_CONFLICT',
      retry: 'backoff',
      reason: 'forgotten',
    },
    {
      status: 415,
      body: statusOf(415, 'UnsupportedMediaType', 'strategic'),
      code: 'KUBERNETES_REJECTED',
      retry: 'never',
      reason: 'custom resources take no strategic patch',
    },
    {
      status: 429,
      body: statusOf(429, 'TooManyRequests', 'Cannot evict pod as it would violate the budget.', {
        causes: [{ reason: 'DisruptionBudget', message: 'needs 2 healthy pods' }],
      }),
      code: 'KUBERNETES_CONFLICT',
      retry: 'backoff',
      reason: 'the pods are too few, not the server too busy',
    },
    { status: 429, body: '', code: 'KUBERNETES_THROTTLED', retry: 'backoff', reason: 'a throttle of few words' },
    {
      status: 500,
      body: statusOf(500, 'InternalError', 'Internal error occurred: failed calling webhook "v.fleet": timeout'),
      code: 'KUBERNETES_UNAVAILABLE',
      retry: 'backoff',
      reason: 'something behind the server is down',
    },
    { status: 502, body: '<html>', code: 'KUBERNETES_UNAVAILABLE', retry: 'backoff', reason: 'a gateway' },
    { status: 503, body: '', code: 'KUBERNETES_UNAVAILABLE', retry: 'backoff', reason: 'a gateway of few words' },
    {
      status: 504,
      body: statusOf(504, 'Timeout', 'm'),
      code: 'KUBERNETES_TIMEOUT',
      retry: 'backoff',
      reason: 'too slow',
    },
    { status: 302, body: '', code: 'KUBERNETES_UNEXPECTED_ANSWER', retry: 'never', reason: 'servers do not redirect' },
    {
      status: 405,
      body: statusOf(405, 'MethodNotAllowed', 'm'),
      code: 'KUBERNETES_REJECTED',
      retry: 'never',
      reason: 'no such verb',
    },
  ])('$status is $code: $reason', ({ status, body, code, retry }) => {
    expect(classify(status, body)).toMatchObject({ code, retry: { kind: retry } });
  });

  it.each([
    {
      text: 'pods is forbidden: User "x" cannot list resource "pods" …: User does not have access to the resource in Azure. Update role assignment to allow access.',
      remedy: /fleet\.roleAssignment\.create/,
      reason: 'Azure decides',
    },
    {
      text: 'pods is forbidden: User "x" cannot list resource "pods"',
      remedy: /RoleBinding/,
      reason: 'the cluster decides',
    },
  ])('names the role that is missing where $reason', ({ text, remedy }) => {
    expect(classify(403, statusOf(403, 'Forbidden', text))).toMatchObject({
      code: 'KUBERNETES_FORBIDDEN',
      remedy: expect.stringMatching(remedy),
    });
  });

  it('says that the namespace is missing, not the object', () => {
    const body = statusOf(404, 'NotFound', 'namespaces "demo" not found', { name: 'demo', kind: 'namespaces' });
    expect(classify(404, body).remedy).toContain('"demo"');
  });

  it.each([
    { headers: { 'retry-after': '17' }, details: {}, seconds: 17, reason: 'of the header' },
    { headers: { 'retry-after': '0' }, details: {}, seconds: 1, reason: 'of the header, but never at once' },
    { headers: {}, details: { retryAfterSeconds: 3 }, seconds: 3, reason: 'of the body' },
  ])('takes over the time $reason', ({ headers, details, seconds }) => {
    const body = statusOf(429, 'TooManyRequests', 'm', details);
    expect(classify(429, body, headers as Record<string, string>).retry).toEqual({ kind: 'after', seconds });
  });

  it('finds every field of a manifest that does not fit', () => {
    const message =
      'failed to create typed patch object (demo/web; apps/v1, Kind=Deployment): errors:\n  .spec.replica: field not declared in schema\n  .spec.template.spec.containers[name="web"].ports: expected list, got &{map[]}';
    expect(classify(500, statusOf(500, '', message)).violations).toMatchObject([
      { path: '.spec.replica', code: 'UnknownField' },
      { path: '.spec.template.spec.containers[name="web"].ports', code: 'FieldTypeInvalid' },
    ]);
  });

  it('is bounded and shows no token', () => {
    const message = `Bearer SECRETTOKEN ${'x'.repeat(100_000)}`;
    const error = classify(400, statusOf(400, 'BadRequest', message));
    expect(error.message.length).toBeLessThanOrEqual(2000);
    expect(error.message).not.toContain('SECRETTOKEN');
  });
});

describe('saysAbsent', () => {
  it.each([
    {
      status: 404,
      body: statusOf(404, 'NotFound', 'm', { name: 'web', kind: 'pods' }),
      absent: true,
      reason: 'the object',
    },
    { status: 404, body: statusOf(404, 'NotFound', 'm', { name: 'demo' }), absent: false, reason: 'something else' },
    { status: 404, body: '404 page not found\n', absent: false, reason: 'the type' },
    { status: 404, body: '<html>', absent: false, reason: 'a page of a proxy' },
    { status: 403, body: statusOf(403, 'NotFound', 'm', { name: 'web' }), absent: false, reason: 'another status' },
  ])('is $absent when $reason is missing', ({ status, body, absent }) => {
    expect(saysAbsent(status, body, 'web')).toBe(absent);
  });
});

describe('isUnauthenticated and saysExpired', () => {
  it.each([
    { status: 401, body: '', expected: true, reason: 'the plain answer' },
    {
      status: 403,
      body: statusOf(403, 'Forbidden', 'x: User "system:anonymous" cannot list'),
      expected: true,
      reason: 'taken for nobody',
    },
    {
      status: 403,
      body: statusOf(403, 'Forbidden', 'x: User "me" cannot list'),
      expected: false,
      reason: 'known, but without rights',
    },
  ])('$status: $reason', ({ status, body, expected }) => {
    expect(isUnauthenticated(status, body)).toBe(expected);
  });

  it.each(['Expired', 'Gone'])('%s means that the server has forgotten', (reason) => {
    expect(saysExpired(classify(410, statusOf(410, reason, 'm')))).toBe(true);
    expect(saysExpired(classify(409, statusOf(409, 'Conflict', 'm')))).toBe(false);
  });
});

describe('classifyConnectionError', () => {
  const failed = (code: string): Error => Object.assign(new Error('failed'), { code });

  it.each([
    {
      code: 'ECONNREFUSED',
      expected: 'KUBERNETES_UNAVAILABLE',
      retry: 'backoff',
      nothingSent: true,
      reason: 'nobody listens',
    },
    {
      code: 'ENOTFOUND',
      expected: 'KUBERNETES_UNAVAILABLE',
      retry: 'backoff',
      nothingSent: true,
      reason: 'no such name',
    },
    {
      code: 'ECONNRESET',
      expected: 'KUBERNETES_UNAVAILABLE',
      retry: 'backoff',
      nothingSent: false,
      reason: 'lost on the way',
    },
    {
      code: 'UND_ERR_SOCKET',
      expected: 'KUBERNETES_UNAVAILABLE',
      retry: 'backoff',
      nothingSent: false,
      reason: 'closed',
    },
    {
      code: 'UND_ERR_CONNECT_TIMEOUT',
      expected: 'KUBERNETES_TIMEOUT',
      retry: 'backoff',
      nothingSent: true,
      reason: 'a private hub',
    },
    {
      code: 'SELF_SIGNED_CERT_IN_CHAIN',
      expected: 'KUBERNETES_UNAVAILABLE',
      retry: 'never',
      nothingSent: false,
      reason: 'no trust',
    },
    {
      code: 'CERT_HAS_EXPIRED',
      expected: 'KUBERNETES_UNAVAILABLE',
      retry: 'never',
      nothingSent: false,
      reason: 'too old',
    },
    {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      expected: 'KUBERNETES_UNAVAILABLE',
      retry: 'never',
      nothingSent: false,
      reason: 'another name',
    },
    {
      code: 'ERR_SSL_WRONG_VERSION_NUMBER',
      expected: 'KUBERNETES_UNAVAILABLE',
      retry: 'backoff',
      nothingSent: false,
      reason: 'no TLS there',
    },
    {
      code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
      expected: 'KUBERNETES_UNAUTHENTICATED',
      retry: 'never',
      nothingSent: false,
      reason: 'our certificate is not taken',
    },
  ])('$code is $expected: $reason', ({ code, expected, retry, nothingSent }) => {
    const fault = classifyConnectionError(failed(code), 'get version', 'api.example');
    expect(fault).toMatchObject({ error: { code: expected, externalCode: code, retry: { kind: retry } }, nothingSent });
  });

  it('finds the code in causes and among several attempts', () => {
    const nested = new TypeError('fetch failed', { cause: failed('ENOTFOUND') });
    expect(classifyConnectionError(nested, 'x', 'h')?.error.externalCode).toBe('ENOTFOUND');
    const several = new AggregateError([failed('ECONNREFUSED'), failed('ENETUNREACH')]);
    expect(classifyConnectionError(several, 'x', 'h')?.error.externalCode).toBe('ECONNREFUSED');
  });

  it.each([
    { error: new TypeError('x is not a function'), reason: 'a fault of our own' },
    { error: failed('UND_ERR_INVALID_ARG'), reason: 'a call that was made wrongly' },
    { error: failed('ERR_INVALID_ARG_TYPE'), reason: 'a call that was made wrongly, of Node' },
    { error: undefined, reason: 'nothing' },
  ])('leaves alone what is no failed connection: $reason', ({ error }) => {
    expect(classifyConnectionError(error, 'x', 'h')).toBeUndefined();
  });
});
