import { describe, expect, it } from '@jest/globals';
import { ControlError, type Violation } from '#libs/kernel/control-error.js';
import { isJsonObject } from '#libs/kernel/json.js';
import type { ApplyOptions } from '#libs/kube/cluster-client.js';
import { apiResource, FakeKube } from '#libs/testing/fake-kube.js';
import { KnownFieldsCluster } from './known-fields.cluster.js';

const CONFIG_MAPS = apiResource('v1', 'ConfigMap', 'configmaps', { namespaced: true });
const call = { signal: new AbortController().signal, correlationId: 'test' };
const undeclared: Violation = { path: '.dat', message: 'field not declared in schema', code: 'UnknownField' };
const mistyped: Violation = { path: '.data', message: 'expected map, got &{1}', code: 'FieldTypeInvalid' };

/** A server that knows no field `dat`, as the recorded one knows no `.spec.replica`. */
function world(violations: Violation[] = [undeclared]) {
  const kube = new FakeKube();
  const cluster = kube.cluster('c');
  cluster.refuse(
    ({ verb, body }) => verb === 'apply' && isJsonObject(body) && 'dat' in body,
    new ControlError('KUBERNETES_REJECTED', 'failed to create typed patch object', { violations }),
  );
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, dat: {}, data: { b: 'c' } };
  const apply = (options: ApplyOptions) =>
    new KnownFieldsCluster(cluster).apply(CONFIG_MAPS, 'web', object, options, call);
  return { kube, apply };
}

describe('an apply with a field that the server does not know', () => {
  it.each([
    { fieldValidation: 'Warn', warnings: ['unknown field "dat"'] },
    { fieldValidation: 'Ignore', warnings: [] },
  ] as const)('$fieldValidation: leaves the field out', async ({ fieldValidation, warnings }) => {
    const { kube, apply } = world();
    const written = await apply({ fieldValidation, force: true });
    expect(written).toMatchObject({ outcome: 'created', warnings, object: { data: { b: 'c' } } });
    expect(written.object).not.toHaveProperty('dat');
    expect(kube.requests.filter(({ verb }) => verb === 'apply').map(({ force }) => force)).toEqual([true, true]);
  });

  it.each<{ options: ApplyOptions; violations?: Violation[]; reason: string }>([
    { options: { fieldValidation: 'Strict' }, reason: 'it is to be an error' },
    { options: {}, reason: 'an error is what it is by default' },
    {
      options: { fieldValidation: 'Ignore' },
      violations: [undeclared, mistyped],
      reason: 'something else is wrong too',
    },
    { options: { fieldValidation: 'Warn' }, violations: [], reason: 'the server names no field' },
  ])('is refused: $reason', async ({ options, violations }) => {
    const { kube, apply } = world(violations);
    await expect(apply(options)).rejects.toMatchObject({ code: 'KUBERNETES_REJECTED' });
    expect(kube.requests.filter(({ verb }) => verb === 'apply')).toHaveLength(1);
  });
});
