import { describe, expect, it } from '@jest/globals';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { differenceOf } from './difference.js';

function object(spec: JsonObject, metadata: JsonObject = {}): JsonObject {
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', ...metadata }, spec };
}

function container(name: string, image: string): JsonObject {
  return { name, image };
}

describe('the difference between two states of an object', () => {
  it.each<{ before: JsonObject | undefined; after: JsonObject; found: [string, Json, Json][]; reason: string }>([
    { before: object({ a: 1 }), after: object({ a: 1 }), found: [], reason: 'the same' },
    { before: object({ a: 1 }), after: object({ a: 2 }), found: [['.spec.a', 1, 2]], reason: 'a value' },
    { before: object({}), after: object({ a: { b: 1 } }), found: [['.spec.a', null, { b: 1 }]], reason: 'new' },
    { before: object({ a: 1 }), after: object({}), found: [['.spec.a', 1, null]], reason: 'gone' },
    { before: object({ a: null }), after: object({}), found: [], reason: 'null is as if it were not there' },
    {
      before: object({ a: [1, 2] }),
      after: object({ a: [2, 1] }),
      found: [['.spec.a', [1, 2], [2, 1]]],
      reason: 'a list',
    },
    {
      before: object({ c: [container('a', 'x:1'), container('b', 'y:1')] }),
      after: object({ c: [container('b', 'y:2'), container('a', 'x:1')] }),
      found: [['.spec.c[name=b].image', 'y:1', 'y:2']],
      reason: 'items are matched by their names',
    },
    {
      before: object({ c: [container('a', 'x')] }),
      after: object({ c: [container('a', 'x'), container('b', 'y')] }),
      found: [['.spec.c[name=b]', null, container('b', 'y')]],
      reason: 'a new item',
    },
    {
      before: object({}, { resourceVersion: '1', generation: 1, managedFields: [1], uid: 'u' }),
      after: { ...object({}, { resourceVersion: '2', generation: 2, managedFields: [2], uid: 'u' }), status: { a: 1 } },
      found: [],
      reason: 'what servers write is no change',
    },
    {
      before: object({}, { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' } }),
      after: object({}, { annotations: { 'example.org/a.b': 'c' } }),
      found: [['.metadata.annotations["example.org/a.b"]', null, 'c']],
      reason: 'what kubectl keeps for itself is no change',
    },
    {
      before: undefined,
      after: { kind: 'ConfigMap', data: { a: 'b' } },
      found: [['.data', null, { a: 'b' }]],
      reason: 'an object that is still to be made',
    },
  ])('$reason', ({ before, after, found }) => {
    expect(differenceOf(before, after).map((each) => [each.path, each.before, each.after])).toEqual(found);
  });

  it('shows no value of a secret, only which of them differ', () => {
    const secret = (data: JsonObject): JsonObject => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's' },
      data,
    });
    const differences = differenceOf(secret({ a: 'b2xk', same: 'c2FtZQ==' }), secret({ a: 'bmV3', same: 'c2FtZQ==' }));
    expect(differences.map(({ path }) => path)).toEqual(['.data.a']);
    const made = differenceOf(undefined, { ...secret({ a: 'bmV3' }), stringData: { t: 'plain' } });
    expect(made.map(({ path }) => path)).toContain('.data');
    expect(JSON.stringify([differences, made])).not.toMatch(/b2xk|bmV3|c2FtZ|plain/);
  });

  it('keeps to the fields that a document sets', () => {
    const live = object({ replicas: 3, c: [container('a', 'x:1')], added: 'by a webhook' });
    const wanted = object({ replicas: 2, c: [{ ...container('a', 'x:1'), policy: 'Always' }], added: 'anew' });
    const document = object({ replicas: 2, c: [{ name: 'a', image: 'x:1' }] });
    expect(differenceOf(live, wanted, { within: document }).map(({ path }) => path)).toEqual(['.spec.replicas']);
    expect(differenceOf(live, wanted)).toHaveLength(3);
  });

  it('changes nothing of what it compares', () => {
    const before = object({ a: 1 }, { uid: 'u' });
    const copy = structuredClone(before);
    differenceOf(before, object({ a: 2 }));
    expect(before).toEqual(copy);
  });
});
