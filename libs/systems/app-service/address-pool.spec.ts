import { describe, expect, it } from '@jest/globals';
import { holdsAddress } from './address-pool.js';

describe('holdsAddress', () => {
  it.each([
    { ranges: ['192.168.0.100-192.168.0.110'], address: '192.168.0.102', holds: true, reason: 'it lies between' },
    { ranges: ['192.168.0.100 - 192.168.0.110'], address: '192.168.0.110', holds: true, reason: 'ends belong to it' },
    { ranges: ['192.168.0.100-192.168.0.110'], address: '192.168.0.111', holds: false, reason: 'it lies behind' },
    { ranges: ['10.0.0.0/24', '192.168.0.0/24'], address: '192.168.0.9', holds: true, reason: 'one of several' },
    { ranges: ['192.168.0.8/32'], address: '192.168.0.9', holds: false, reason: 'a pool of another one' },
    {
      ranges: ['fc00:f853:ccd:e799::/124'],
      address: 'fc00:f853:ccd:e799::7',
      holds: true,
      reason: 'it is of the other family',
    },
    { ranges: ['fc00::/124'], address: '192.168.0.9', holds: false, reason: 'it is of another family' },
    { ranges: ['192.168.0.110-192.168.0.100'], address: '192.168.0.105', holds: false, reason: 'it is no range' },
    { ranges: ['192.168.0.1-fc00::1'], address: '192.168.0.1', holds: false, reason: 'its ends are of two families' },
    { ranges: ['192.168.0.0/33', 'all', ''], address: '192.168.0.1', holds: false, reason: 'nothing of it is a range' },
    { ranges: [], address: '192.168.0.1', holds: false, reason: 'it is empty' },
  ])('$ranges holds $address: $holds: $reason', ({ ranges, address, holds }) => {
    expect(holdsAddress({ name: 'pool', addresses: ranges }, address)).toBe(holds);
  });
});
