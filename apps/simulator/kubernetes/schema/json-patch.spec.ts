import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import { applyJsonPatch } from './json-patch.js';
import type { PatchFault } from './patch.error.js';

describe('applyJsonPatch', () => {
  const changes: { object: JsonObject; operations: Json; result: JsonObject; reason: string }[] = [
    {
      object: { a: 1 },
      operations: [{ op: 'add', path: '/b', value: 2 }],
      result: { a: 1, b: 2 },
      reason: 'a new member',
    },
    { object: { a: 1 }, operations: [{ op: 'add', path: '/a', value: 2 }], result: { a: 2 }, reason: 'add replaces' },
    {
      object: { a: [1, 3] },
      operations: [{ op: 'add', path: '/a/1', value: 2 }],
      result: { a: [1, 2, 3] },
      reason: 'inserts',
    },
    {
      object: { a: [1] },
      operations: [{ op: 'add', path: '/a/-', value: 2 }],
      result: { a: [1, 2] },
      reason: 'the end',
    },
    { object: { a: [1, 2] }, operations: [{ op: 'remove', path: '/a/0' }], result: { a: [2] }, reason: 'an item' },
    {
      object: { 'x/y~z': 1 },
      operations: [{ op: 'replace', path: '/x~1y~0z', value: 2 }],
      result: { 'x/y~z': 2 },
      reason: 'escapes',
    },
    {
      object: { a: { b: 1 } },
      operations: [{ op: 'move', from: '/a/b', path: '/c' }],
      result: { a: {}, c: 1 },
      reason: 'moves',
    },
    {
      object: { a: [1] },
      operations: [{ op: 'copy', from: '/a', path: '/b' }],
      result: { a: [1], b: [1] },
      reason: 'copies',
    },
    {
      object: { a: { b: 1, c: 2 } },
      operations: [
        { op: 'test', path: '/a', value: { c: 2, b: 1 } },
        { op: 'remove', path: '/a' },
      ],
      result: {},
      reason: 'a test does not look at the order of members',
    },
    {
      object: { a: null },
      operations: [{ op: 'test', path: '/a', value: null }],
      result: { a: null },
      reason: 'null is a value',
    },
  ];
  it.each(changes)('$operations: $reason', ({ object, operations, result }) => {
    const before = structuredClone(object);
    expect(applyJsonPatch(object, operations)).toEqual(result);
    expect(object).toEqual(before);
  });

  const refusals: { operations: unknown; fault: PatchFault; reason: string }[] = [
    { operations: { op: 'add' }, fault: 'malformed', reason: 'no list' },
    { operations: [{ op: 'fly', path: '/a' }], fault: 'malformed', reason: 'no such operation' },
    { operations: [{ op: 'add', path: 'a', value: 1 }], fault: 'malformed', reason: 'no pointer' },
    { operations: [{ op: 'add', path: '/a' }], fault: 'malformed', reason: 'no value' },
    { operations: [{ op: 'test', path: '/a', value: 2 }], fault: 'test-failed', reason: 'another value' },
    { operations: [{ op: 'test', path: '/none', value: null }], fault: 'test-failed', reason: 'nothing is not null' },
    { operations: [{ op: 'remove', path: '/none' }], fault: 'path-missing', reason: 'nothing to remove' },
    { operations: [{ op: 'replace', path: '/none', value: 1 }], fault: 'path-missing', reason: 'nothing to replace' },
    { operations: [{ op: 'add', path: '/none/b', value: 1 }], fault: 'path-missing', reason: 'nowhere to add' },
    { operations: [{ op: 'add', path: '/list/9', value: 1 }], fault: 'path-missing', reason: 'beyond the end' },
    { operations: [{ op: 'move', from: '/o', path: '/o/p' }], fault: 'unprocessable', reason: 'into itself' },
    { operations: [{ op: 'replace', path: '', value: 1 }], fault: 'unprocessable', reason: 'no object any more' },
  ];
  it.each(refusals)('refuses $operations: $reason', ({ operations, fault }) => {
    expect(() => applyJsonPatch({ a: 1, list: [], o: {} }, operations)).toThrow(expect.objectContaining({ fault }));
  });

  it('undoes an addition by a removal', () => {
    const document = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(document, fc.string(), fc.jsonValue(), (object, key, value) => {
        fc.pre(!Object.hasOwn(object, key) && key !== '__proto__');
        const path = `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
        const operations = [
          { op: 'add', path, value },
          { op: 'test', path, value },
          { op: 'remove', path },
        ];
        expect(applyJsonPatch(object as JsonObject, operations)).toEqual(object);
      }),
    );
  });
});
