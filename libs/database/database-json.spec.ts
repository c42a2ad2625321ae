import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { databaseJson } from './database-json.js';

describe('databaseJson', () => {
  it.each([
    { reason: 'NUL has no place in a Postgres text', value: 'a\0b', stored: 'a\ufffdb' },
    { reason: 'the first half of a pair', value: 'a\ud83d', stored: 'a\ufffd' },
    { reason: 'the second half of a pair', value: '\udc00b', stored: '\ufffdb' },
    { reason: 'a whole pair is a character', value: '\ud83d\ude00', stored: '\ud83d\ude00' },
    { reason: 'text that only looks like an escape', value: '\\u0000', stored: '\\u0000' },
    { reason: 'a backslash before a real one', value: '\\\0', stored: '\\\ufffd' },
    { reason: 'text that looks like half a pair', value: 'C:\\udata', stored: 'C:\\udata' },
    { reason: 'as a member name too', value: { 'a\0': 1 }, stored: { 'a\ufffd': 1 } },
  ])('$reason', ({ value, stored }) => {
    expect(JSON.parse(databaseJson(value))).toEqual(stored);
  });

  it('leaves alone what Postgres can store', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        fc.pre(text.isWellFormed() && !/\\u0000|\\ud/.test(text));
        expect(databaseJson(value)).toBe(text);
      }),
    );
  });
});
