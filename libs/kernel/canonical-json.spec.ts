import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonicalHash, canonicalJson } from './canonical-json.js';

describe('canonicalJson', () => {
  const cases = [
    { reason: 'keys in code-unit order', value: { b: 1, a: 2, B: 3 }, text: '{"B":3,"a":2,"b":1}' },
    { reason: 'nested ones, too', value: [{ b: { d: 1, c: 2 } }], text: '[{"b":{"c":2,"d":1}}]' },
    { reason: 'absent members left out', value: { a: undefined, b: null }, text: '{"b":null}' },
    {
      reason: 'dates as text',
      value: { at: new Date('2026-01-01T00:00:00Z') },
      text: '{"at":"2026-01-01T00:00:00.000Z"}',
    },
    {
      reason: 'a member with a special name',
      value: JSON.parse('{"__proto__":1,"a":2}') as unknown,
      text: '{"__proto__":1,"a":2}',
    },
    { reason: 'nothing at all', value: undefined, text: 'null' },
  ];

  it.each(cases)('$reason', ({ value, text }) => {
    expect(canonicalJson(value)).toBe(text);
  });

  it('is JSON of the same value, and a fixed point', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
    );
  });

  it('gives different values different hashes', () => {
    expect(canonicalHash({ a: 1 })).toBe(canonicalHash({ a: 1 }));
    expect(canonicalHash({ a: 1 })).not.toBe(canonicalHash({ a: '1' }));
  });
});
