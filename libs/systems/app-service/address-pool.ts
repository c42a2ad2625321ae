import { BlockList, isIP } from 'node:net';

/** A pool of the load balancer of a cluster. */
export interface AddressPool {
  name: string;
  /** `192.168.0.100-192.168.0.110`, or `10.0.0.0/24`. */
  addresses: readonly string[];
}

/** Whether the pool can give the address. What is no range of addresses holds none. */
export function holdsAddress(pool: AddressPool, address: string): boolean {
  const list = new BlockList();
  for (const range of pool.addresses) addRange(list, range);
  return list.check(address, familyOf(address));
}

function addRange(list: BlockList, range: string): void {
  const [first = '', last] = range.split('-').map((part) => part.trim());
  if (last !== undefined) {
    if (isIP(first) !== 0 && isIP(first) === isIP(last)) addFromTo(list, first, last);
    return;
  }
  const [network = '', length = ''] = first.split('/');
  const longest = isIP(network) === 6 ? 128 : 32;
  if (isIP(network) !== 0 && /^\d{1,3}$/.test(length) && Number(length) <= longest) {
    list.addSubnet(network, Number(length), familyOf(network));
  }
}

function addFromTo(list: BlockList, first: string, last: string): void {
  try {
    list.addRange(first, last, familyOf(first));
  } catch (error) {
    // One that ends before it begins.
    if (!Error.isError(error) || !('code' in error) || error.code !== 'ERR_INVALID_ARG_VALUE') throw error;
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
