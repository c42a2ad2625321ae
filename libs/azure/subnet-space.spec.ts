import { describe, expect, it } from '@jest/globals';
import { freePrefix, parseAddressRange, prefixFault, usableAddresses } from './subnet-space.js';

const space = ['10.0.0.0/15', 'fd00::/8'];
const subnets = [{ name: 'akssubnet', prefixes: ['10.0.1.0/24'] }];

describe('whether a prefix fits into a network', () => {
  it.each([
    { prefix: '10.0.2.0/24', expected: undefined, reason: 'inside and free' },
    { prefix: '10.0.2.1/24', expected: { fault: 'invalid' }, reason: 'the host bits are set' },
    { prefix: '10.0.2.0/33', expected: { fault: 'invalid' }, reason: 'longer than an address' },
    { prefix: '10.300.2.0/24', expected: { fault: 'invalid' }, reason: 'no octet is above 255' },
    { prefix: 'fd00:1::/64', expected: { fault: 'invalid' }, reason: 'virtual nodes know IPv4 only' },
    { prefix: '10.2.0.0/24', expected: { fault: 'outside', space }, reason: 'beyond the end' },
    { prefix: '10.0.0.0/8', expected: { fault: 'outside', space }, reason: 'wider than the network' },
    {
      prefix: '10.0.0.0/16',
      expected: { fault: 'overlap', subnet: 'akssubnet', prefix: '10.0.1.0/24' },
      reason: 'around another subnet',
    },
    {
      prefix: '10.0.1.128/25',
      expected: { fault: 'overlap', subnet: 'akssubnet', prefix: '10.0.1.0/24' },
      reason: 'inside another subnet',
    },
  ])('$prefix: $reason', ({ prefix, expected }) => {
    expect(prefixFault(prefix, space, subnets)).toEqual(expected);
  });

  it.each([
    { length: 24, space, taken: ['10.0.1.0/24'], expected: '10.0.0.0/24', reason: 'before what is taken' },
    { length: 24, space, taken: ['10.0.0.0/16'], expected: '10.1.0.0/24', reason: 'behind what is taken' },
    { length: 24, space, taken: ['10.0.0.0/25', '10.0.1.128/25'], expected: '10.0.2.0/24', reason: 'in no half' },
    { length: 16, space, taken: ['10.0.1.0/24'], expected: '10.1.0.0/16', reason: 'the wide one is free elsewhere' },
    { length: 24, space, taken: ['10.0.0.0/15'], expected: undefined, reason: 'all of it is taken' },
    { length: 14, space, taken: [], expected: undefined, reason: 'it is wider than the network' },
    {
      length: 24,
      space: ['192.168.255.0/24', '10.0.0.0/24'],
      taken: ['192.168.255.0/25'],
      expected: '10.0.0.0/24',
      reason: 'the second part of the network has room',
    },
  ])('a network has room for /$length at $expected: $reason', ({ length, space: wide, taken, expected }) => {
    expect(freePrefix(length, wide, [{ prefixes: taken }])).toBe(expected);
  });

  it.each([
    { prefix: '10.0.2.0/24', expected: 251 },
    { prefix: '10.0.2.0/29', expected: 3 },
    { prefix: '10.0.2.0/31', expected: 0 },
    { prefix: '0.0.0.0/0', expected: 2 ** 32 - 5 },
  ])('$prefix has $expected addresses for others', ({ prefix, expected }) => {
    expect(usableAddresses(parseAddressRange(prefix)!)).toBe(expected);
  });
});
