import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeCursor, encodeCursor, pageOf } from './page.js';

describe('a cursor', () => {
  it('gives back its key', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.integer(), fc.constant(null)), { minLength: 1, maxLength: 4 }),
        (key) => {
          expect(decodeCursor('list', key.length, encodeCursor('list', key))).toEqual(key);
        },
      ),
    );
  });

  const forged = [
    { reason: 'nothing', cursor: '' },
    { reason: 'no base64url', cursor: 'a b' },
    { reason: 'no JSON', cursor: Buffer.from('{').toString('base64url') },
    { reason: 'no array', cursor: Buffer.from('{"a":1}').toString('base64url') },
    { reason: 'of another list', cursor: encodeCursor('other', ['x']) },
    { reason: 'too short', cursor: encodeCursor('list', []) },
    { reason: 'too long', cursor: encodeCursor('list', ['x', 'y']) },
    { reason: 'with a key that is an object', cursor: Buffer.from('["list",{}]').toString('base64url') },
    { reason: 'huge', cursor: 'a'.repeat(10_000) },
  ];

  it.each(forged)('is refused when it is $reason', ({ cursor }) => {
    expect(() => decodeCursor('list', 1, cursor)).toThrow(expect.objectContaining({ code: 'INVALID_CURSOR' }));
  });
});

describe('pageOf', () => {
  it.each([
    { reason: 'one row more than asked for: there is another page', rows: [1, 2, 3], items: [1, 2], cursor: 'after 2' },
    { reason: 'exactly as many: the end', rows: [1, 2], items: [1, 2], cursor: null },
    { reason: 'none', rows: [], items: [], cursor: null },
  ])('$reason', ({ rows, items, cursor }) => {
    expect(pageOf(rows, 2, (last) => `after ${last}`)).toEqual({ items, nextCursor: cursor });
  });
});
