import { describe, expect, it } from '@jest/globals';
import { ControlError, type Violation } from '#libs/kernel/control-error.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import { apiResource, FakeKube } from '#libs/testing/fake-kube.js';
import type { ApplyOptions } from './cluster-client.js';
import { withoutFields } from './known-fields.js';

const CONFIG_MAPS = apiResource('v1', 'ConfigMap', 'configmaps');
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
  const apply = (options: ApplyOptions) => cluster.apply(CONFIG_MAPS, 'web', object, options, call);
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

  it('is asked once more and no oftener', async () => {
    const { kube, apply } = world([{ ...undeclared, path: '.other' }]);
    await expect(apply({ fieldValidation: 'Warn' })).rejects.toMatchObject({ code: 'KUBERNETES_REJECTED' });
    expect(kube.requests.filter(({ verb }) => verb === 'apply')).toHaveLength(2);
  });
});

describe('withoutFields', () => {
  it.each<{ document: JsonObject; paths: string[]; left: JsonObject; reason: string }>([
    {
      document: { spec: { replica: 3, replicas: 2 } },
      paths: ['.spec.replica'],
      left: { spec: { replicas: 2 } },
      reason: 'the field of the recording, and no other that begins alike',
    },
    { document: { spec: {}, data: {} }, paths: ['.spec'], left: { data: {} }, reason: 'a field of the whole' },
    {
      document: { spec: { a: 1, b: 2, c: 3 } },
      paths: ['.spec.a', '.spec.c'],
      left: { spec: { b: 2 } },
      reason: 'several at once',
    },
    {
      document: {
        containers: [
          { name: 'a', imag: 'x' },
          { name: 'b', imag: 'y' },
        ],
      },
      paths: ['.containers[name="b"].imag'],
      left: { containers: [{ name: 'a', imag: 'x' }, { name: 'b' }] },
      reason: 'in the item of a list that has this key',
    },
    {
      document: {
        ports: [
          { port: 80, protocol: 'UDP', prot: 1 },
          { port: 80, prot: 2 },
        ],
      },
      paths: ['.ports[port=80,protocol="TCP"].prot'],
      left: { ports: [{ port: 80, protocol: 'UDP', prot: 1 }, { port: 80 }] },
      reason: 'a key of the item is the default of the server',
    },
    {
      document: { mounts: [{ name: 'a]"b', x: 1 }] },
      paths: ['.mounts[name="a]\\"b"].x'],
      left: { mounts: [{ name: 'a]"b' }] },
      reason: 'a key with quotes and brackets',
    },
    {
      document: { rules: [{ host: 'a' }, { hots: 'b' }] },
      paths: ['.rules[1].hots'],
      left: { rules: [{ host: 'a' }, {}] },
      reason: 'in the item at this place',
    },
    {
      document: { spec: { 'example.org/a.b': { c: 1 }, example: { d: 2 } } },
      paths: ['.spec.example.org/a.b.c'],
      left: { spec: { 'example.org/a.b': {}, example: { d: 2 } } },
      reason: 'names may hold dots',
    },
    {
      document: { spec: { a: 1 }, list: [1] },
      paths: ['.spec.b', '.spec.a.b', '.list[="x"].a', '.list[3].a', '.list', ''],
      left: { spec: { a: 1 } },
      reason: 'what leads nowhere changes nothing',
    },
  ])('$reason', ({ document, paths, left }) => {
    const before = structuredClone(document);
    expect(withoutFields(document, paths)).toEqual(left);
    expect(document).toEqual(before);
  });
});
