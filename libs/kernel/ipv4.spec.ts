import { describe, expect, it } from '@jest/globals';
import { contains, ipv4Of, ipv4RangeOf, overlap } from './ipv4.js';

describe('IPv4', () => {
  it.each([
    { text: '0.0.0.1', number: 1 },
    { text: '192.168.1.10', number: 3_232_235_786 },
    { text: '255.255.255.255', number: 2 ** 32 - 1 },
    { text: '256.0.0.1', number: undefined },
    { text: '10.0.0', number: undefined },
    { text: 'fe80::1', number: undefined },
  ])('$text is $number', ({ text, number }) => {
    expect(ipv4Of(text)).toBe(number);
  });

  it.each([
    { prefix: '10.0.0.0/30', first: 167_772_160, last: 167_772_163 },
    { prefix: '10.0.0.2/30', first: 167_772_160, last: 167_772_163 },
    { prefix: '0.0.0.0/0', first: 0, last: 2 ** 32 - 1 },
  ])('$prefix reaches from $first to $last', ({ prefix, first, last }) => {
    expect(ipv4RangeOf(prefix)).toEqual({ first, last });
  });

  it.each(['10.0.0.0/33', '10.0.0/24', '10.0.0.0', 'x'])('%s is no range', (prefix) => {
    expect(ipv4RangeOf(prefix)).toBeUndefined();
  });

  it('knows what lies in a range, and what two have in common', () => {
    const range = { first: 10, last: 20 };
    expect([9, 10, 20, 21].map((address) => contains(range, address))).toEqual([false, true, true, false]);
    expect(overlap(range, { first: 20, last: 30 })).toBe(true);
    expect(overlap(range, { first: 21, last: 30 })).toBe(false);
  });
});
