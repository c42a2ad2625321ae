import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { JsonObject } from '#libs/kernel/json.js';
import { applyMergePatch } from './merge-patch.js';

const object = fc
  .dictionary(fc.constantFrom('a', 'b', 'c'), fc.jsonValue({ maxDepth: 2 }))
  .map((value) => value as JsonObject);

describe('applyMergePatch', () => {
  it.each([
    { target: { a: 'b' }, patch: { a: 'c' }, result: { a: 'c' }, reason: 'replaces' },
    { target: { a: 'b', b: 'c' }, patch: { a: null }, result: { b: 'c' }, reason: 'null removes' },
    { target: { a: ['b'] }, patch: { a: ['c'] }, result: { a: ['c'] }, reason: 'lists are replaced' },
    {
      target: { a: { b: 'c' } },
      patch: { a: { b: 'd', c: null } },
      result: { a: { b: 'd' } },
      reason: 'objects merge',
    },
    { target: {}, patch: { a: { bb: { ccc: null } } }, result: { a: { bb: {} } }, reason: 'null never comes in' },
    { target: { a: 'b' }, patch: { a: { c: 1 } }, result: { a: { c: 1 } }, reason: 'an object replaces a text' },
  ])('$patch: $reason', ({ target, patch, result }) => {
    expect(applyMergePatch(target as JsonObject, patch)).toEqual(result);
  });

  it('changes nothing a second time, and never its arguments', () => {
    fc.assert(
      fc.property(object, object, (target, patch) => {
        const before = structuredClone({ target, patch });
        const once = applyMergePatch(target, patch);
        expect(applyMergePatch(once, patch)).toEqual(once);
        expect({ target, patch }).toEqual(before);
      }),
    );
  });

  it('leaves the object as it is with an empty patch', () => {
    fc.assert(fc.property(object, (target) => expect(applyMergePatch(target, {})).toEqual(target)));
  });

  it.each([[null], [[]], ['text'], [1]])('refuses %j, which is no object', (patch) => {
    expect(() => applyMergePatch({}, patch)).toThrow(expect.objectContaining({ fault: 'malformed' }));
  });
});
