import { describe, expect, it } from '@jest/globals';
import { isOutside, sharesAddress } from './address-pool.js';

const six = 'fc00:f853:ccd:e799::7';

describe('isOutside', () => {
  it.each([
    { ranges: ['192.168.0.100-192.168.0.110'], address: '192.168.0.102', outside: false, reason: 'it lies between' },
    {
      ranges: ['192.168.0.100 - 192.168.0.110'],
      address: '192.168.0.110',
      outside: false,
      reason: 'ends belong to it',
    },
    { ranges: ['192.168.0.100-192.168.0.110'], address: '192.168.0.111', outside: true, reason: 'it lies behind' },
    { ranges: ['10.0.0.0/24', '192.168.0.0/24'], address: '192.168.0.9', outside: false, reason: 'one of several' },
    { ranges: ['192.168.0.8/32'], address: '192.168.0.9', outside: true, reason: 'it is a pool of another one' },
    { ranges: ['fc00:f853:ccd:e799::/124'], address: six, outside: false, reason: 'it is of the other family' },
    { ranges: ['fc00::/124', '10.0.0.0/24'], address: six, outside: true, reason: 'none of its family has it' },
    { ranges: ['fc00::/124'], address: '192.168.0.9', outside: false, reason: 'another family says nothing of it' },
    {
      ranges: ['192.168.0.110-192.168.0.100', '10.0.0.0/24'],
      address: '192.168.0.105',
      outside: true,
      reason: 'what ends before it begins holds none',
    },
    {
      ranges: ['192.168.0.1-fc00::1', '10.0.0.0/24'],
      address: '192.168.0.1',
      outside: true,
      reason: 'what has ends of two families holds none',
    },
    { ranges: ['192.168.0.0/33', 'all', ''], address: '192.168.0.1', outside: false, reason: 'nothing is a range' },
    { ranges: [], address: '192.168.0.1', outside: false, reason: 'there are none' },
  ])('$address is outside of $ranges: $outside, since $reason', ({ ranges, address, outside }) => {
    expect(isOutside([{ name: 'pool', addresses: ranges }], address)).toBe(outside);
  });
});

describe('sharesAddress', () => {
  it.each([
    { annotations: { 'metallb.io/allow-shared-ip': 'front' }, shares: true },
    { annotations: { 'metallb.universe.tf/allow-shared-ip': 'front' }, shares: true },
    { annotations: { 'metallb.io/address-pool': 'front' }, shares: false },
    { annotations: {}, shares: false },
  ])('of a service with $annotations: $shares', ({ annotations, shares }) => {
    expect(sharesAddress({ metadata: { annotations } })).toBe(shares);
  });
});
