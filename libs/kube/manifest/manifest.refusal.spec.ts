import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ControlError, type ControlErrorCode, type ControlErrorFields } from '#libs/kernel/control-error.js';
import { classifyKubernetesError } from '../kubernetes-error.classifier.js';
import { errorCodeOf, refusalOf } from './manifest.refusal.js';

const entry = { index: 2, line: 30 };

describe('what a refusal says of a document', () => {
  it('names the way to the labels of a member, which a hub does not let anybody change', () => {
    const words =
      'admission webhook "fleet.membercluster.guardrail.validating" denied the request: users are not allowed to modify labels through hub cluster directly';
    const refusal = refusalOf(new ControlError('KUBERNETES_REJECTED', words), entry);
    expect(refusal).toMatchObject({ code: 'DOCUMENT_REFUSED', remedy: expect.stringContaining('fleet.member.join') });
  });

  it.each<{
    code: ControlErrorCode;
    message: string;
    fields?: ControlErrorFields;
    expected: string | undefined;
    reason: string;
  }>([
    {
      code: 'KUBERNETES_FORBIDDEN',
      message: 'configmaps is forbidden',
      expected: 'DOCUMENT_FORBIDDEN',
      reason: 'no right to do it',
    },
    {
      code: 'KUBERNETES_CONFLICT',
      message: 'unable to create new content in namespace a because it is being terminated',
      fields: { retry: { kind: 'backoff' } },
      expected: 'NAMESPACE_TERMINATING',
      reason: 'it would pass, but who knows when',
    },
    {
      code: 'KUBERNETES_NOT_FOUND',
      message: 'namespaces "a" not found',
      expected: 'NAMESPACE_NOT_FOUND',
      reason: 'no namespace',
    },
    {
      code: 'KUBERNETES_NOT_FOUND',
      message: 'clusterroles.rbac.authorization.k8s.io "a" not found',
      expected: 'REFERENCE_NOT_FOUND',
      reason: 'something else is missing',
    },
    { code: 'KUBERNETES_REJECTED', message: 'is invalid', expected: 'DOCUMENT_REFUSED', reason: 'not valid' },
    {
      code: 'KUBERNETES_CONFLICT',
      message: 'already exists',
      expected: 'DOCUMENT_REFUSED',
      reason: 'a conflict over no fields',
    },
    {
      code: 'KUBERNETES_CONFLICT',
      message: 'the object has been modified',
      fields: { retry: { kind: 'backoff' } },
      expected: undefined,
      reason: 'the next try may pass',
    },
    { code: 'KUBERNETES_UNAUTHENTICATED', message: 'who?', expected: undefined, reason: 'no document is to blame' },
    {
      code: 'KUBERNETES_UNAVAILABLE',
      message: 'down',
      fields: { retry: { kind: 'backoff' } },
      expected: undefined,
      reason: 'no document is to blame',
    },
  ])('$code is $expected: $reason', ({ code, message, fields, expected }) => {
    const problem = refusalOf(new ControlError(code, message, fields), entry);
    expect(problem?.code).toBe(expected);
    if (problem !== undefined) expect(problem).toMatchObject({ index: 2, line: 30 });
  });

  it('names the other managers and their fields', () => {
    const conflict = (manager: string, field: string) => ({
      path: field,
      message: `conflict with "${manager}" using apps/v1`,
      code: 'FieldManagerConflict',
    });
    const violations = [conflict('helm', '.spec.a'), conflict('kubectl', '.spec.b'), conflict('helm', '.spec.c')];
    const problem = refusalOf(new ControlError('KUBERNETES_CONFLICT', 'Apply failed', { violations }), entry);
    expect(problem).toMatchObject({
      code: 'FIELD_CONFLICT',
      conflicts: [
        { manager: 'helm', fields: ['.spec.a', '.spec.c'] },
        { manager: 'kubectl', fields: ['.spec.b'] },
      ],
    });
  });

  it("does not call a field of another operation of ours somebody else's", () => {
    const violations = [
      { path: '.spec.replicas', message: 'conflict with "pilothouse"', code: 'FieldManagerConflict' },
    ];
    const problem = refusalOf(new ControlError('KUBERNETES_CONFLICT', 'Apply failed', { violations }), entry);
    expect(problem?.message).toMatch(/^Another operation of Pilothouse/);
    expect(problem?.conflicts).toEqual([{ manager: 'pilothouse', fields: ['.spec.replicas'] }]);
  });

  it.each([
    { at: 'spec.replica', path: 'documents[2].spec.replica', reason: 'without a dot' },
    { at: '.spec.replica', path: 'documents[2].spec.replica', reason: 'with one' },
    { at: '<nil>', path: 'documents[2]', reason: 'no field at all' },
  ])('leads to the faulty field, as servers write it: $reason', ({ at, path: expected }) => {
    const violations = [{ path: at, message: 'unknown', code: 'UnknownField' }];
    expect(refusalOf(new ControlError('KUBERNETES_REJECTED', 'no', { violations }), entry)?.path).toBe(expected);
  });

  it('fails an operation with the code of the refusal', () => {
    const codes = ['FIELD_CONFLICT', 'DOCUMENT_FORBIDDEN', 'NAMESPACE_NOT_FOUND', 'DOCUMENT_REFUSED', null];
    expect(codes.map(errorCodeOf)).toEqual([
      'KUBERNETES_CONFLICT',
      'KUBERNETES_FORBIDDEN',
      'KUBERNETES_NOT_FOUND',
      'KUBERNETES_REJECTED',
      'KUBERNETES_REJECTED',
    ]);
  });
});

describe('what real servers were seen to answer', () => {
  const recordings = path.resolve(import.meta.dirname, '../../../../shared/recordings');
  const recorded = existsSync(recordings) ? it.each : it.skip.each;
  const note = existsSync(recordings) ? '' : ' (skipped: the recordings of ../shared are not there)';

  recorded([
    { file: 'kubernetes-1.32/28-apply-deployment-conflict', code: 'FIELD_CONFLICT' },
    { file: 'kubernetes-1.32/30-apply-deployment-invalid', code: 'DOCUMENT_REFUSED' },
    { file: 'kubernetes-1.32/31-apply-unknown-field-strict', code: 'DOCUMENT_REFUSED' },
    { file: 'kubernetes-1.32/09-forbidden-create-namespace', code: 'DOCUMENT_FORBIDDEN' },
    { file: 'fleet-hub/17-create-crp-old-shape-strict', code: 'DOCUMENT_REFUSED' },
  ])(`$file is $code${note}`, ({ file, code }) => {
    const { response } = JSON.parse(readFileSync(path.join(recordings, `${file}.json`), 'utf8')) as {
      response: { status: number; body: unknown };
    };
    const { status, body } = response;
    const error = classifyKubernetesError({
      status,
      body,
      headers: {},
      action: 'apply',
      now: new Date(),
    });
    expect(refusalOf(error, entry)?.code).toBe(code);
  });
});
