import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { HOST, networkBody } from '#libs/testing/aks-hci-samples.js';
import { freeAddresses, networkFaults, type NetworkWish } from './network.rules.js';

const WISH: NetworkWish = {
  customLocation: HOST.toLowerCase(),
  hostIp: '192.168.1.10',
  podCidr: '10.244.0.0/16',
  addresses: 8,
};

describe('a logical network for a cluster', () => {
  it.each<{ change?: JsonObject; subnet?: JsonObject; wish?: Partial<NetworkWish>; found: string[]; reason: string }>([
    { found: [], reason: 'all is well' },
    { wish: { hostIp: undefined }, found: [], reason: 'Azure takes an address itself' },
    { subnet: { ipAllocationMethod: 'Dynamic' }, found: ['NETWORK_NOT_STATIC'], reason: 'addresses come and go' },
    { subnet: { ipAllocationMethod: null }, found: ['NETWORK_NOT_STATIC'], reason: 'nobody says that they stay' },
    { change: { dhcpOptions: { dnsServers: [] } }, found: ['NETWORK_WITHOUT_DNS'], reason: 'no server is named' },
    { change: { dhcpOptions: null }, found: ['NETWORK_WITHOUT_DNS'], reason: 'nothing is' },
    { wish: { customLocation: '/other' }, found: ['NETWORK_ELSEWHERE'], reason: 'it is on another host' },
    { wish: { addresses: 61 }, found: ['ADDRESSES_SHORT'], reason: '60 are free' },
    { wish: { addresses: 60 }, found: [], reason: '60 are enough' },
    { wish: { addresses: 999 }, subnet: { ipPools: [] }, found: [], reason: 'nobody counts them' },
    { wish: { podCidr: '192.168.0.0/16' }, found: ['POD_RANGE_OVERLAPS'], reason: 'pods and machines would meet' },
    { wish: { hostIp: 'ten' }, found: ['HOST_IP_INVALID'], reason: 'that is no address' },
    { wish: { hostIp: '192.168.2.10' }, found: ['HOST_IP_OUTSIDE_NETWORK'], reason: 'it is elsewhere' },
    { wish: { hostIp: '192.168.1.100' }, found: ['HOST_IP_INSIDE_POOL'], reason: 'a machine may get it' },
    { wish: { hostIp: '192.168.1.160' }, found: ['HOST_IP_INSIDE_POOL'], reason: 'the pool ends there' },
    { wish: { hostIp: '192.168.1.161' }, found: [], reason: 'it lies behind the pool' },
    { subnet: { addressPrefix: null }, found: [], reason: 'without a prefix nobody can say' },
  ])('$found: $reason', ({ change, subnet, wish, found }) => {
    const faults = networkFaults(networkBody(change, subnet), { ...WISH, ...wish });
    expect(faults.map(({ code }) => code)).toEqual(found);
  });

  it.each([
    { ipPools: [{ info: { available: '3' } }, { info: { available: 4 } }], free: 7, reason: 'as text and as number' },
    { ipPools: [{ start: 'x' }], free: null, reason: 'nobody counts' },
  ])('has $free free addresses: $reason', ({ ipPools, free }) => {
    expect(freeAddresses(networkBody({}, { ipPools }))).toBe(free);
  });
});
