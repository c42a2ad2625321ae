import { BlockList, isIP } from 'node:net';
import type { JsonObject } from '#libs/kernel/json.js';
import { rawText, rawTexts } from './raw-reader.js';

/** Of MetalLB, which gives services their addresses where no cloud does. */
export const ADDRESS_POOL = { group: 'metallb.io', kind: 'IPAddressPool' };

/** By which services of MetalLB have one address together, now and formerly. */
const SHARING = ['metallb.io/allow-shared-ip', 'metallb.universe.tf/allow-shared-ip'];

/** A pool of the load balancer of a cluster. */
export interface AddressPool {
  name: string;
  /** `192.168.0.100-192.168.0.110`, or `10.0.0.0/24`. */
  addresses: readonly string[];
}

export function addressPoolOf(pool: JsonObject): AddressPool {
  return { name: rawText(pool, 'metadata', 'name') ?? '', addresses: rawTexts(pool, 'spec', 'addresses') };
}

/** Whether there are pools of such addresses, and none of them can give this one. What is no range of addresses holds none. */
export function isOutside(pools: readonly AddressPool[], address: string): boolean {
  const family = familyOf(address);
  const lists = pools.flatMap(({ addresses }) => addresses.flatMap((range) => listOf(range, family) ?? []));
  return lists.length > 0 && !lists.some((list) => list.check(address, family));
}

/** Whether a service lets others have its address, which then name the same key. */
export function sharesAddress(service: JsonObject): boolean {
  return SHARING.some((annotation) => rawText(service, 'metadata', 'annotations', annotation) !== null);
}

type Family = 'ipv4' | 'ipv6';

/** undefined for what is no range of the family. */
function listOf(range: string, family: Family): BlockList | undefined {
  const [first = '', last] = range.split('-').map((part) => part.trim());
  if (last !== undefined) return isOf(first, family) && isOf(last, family) ? fromTo(first, last, family) : undefined;
  const [network = '', length = ''] = first.split('/');
  const longest = family === 'ipv6' ? 128 : 32;
  if (!isOf(network, family) || !/^\d{1,3}$/.test(length) || Number(length) > longest) return undefined;
  const list = new BlockList();
  list.addSubnet(network, Number(length), family);
  return list;
}

function fromTo(first: string, last: string, family: Family): BlockList | undefined {
  const list = new BlockList();
  try {
    list.addRange(first, last, family);
  } catch (error) {
    // One that ends before it begins.
    if (!Error.isError(error) || !('code' in error) || error.code !== 'ERR_INVALID_ARG_VALUE') throw error;
    return undefined;
  }
  return list;
}

function isOf(address: string, family: Family): boolean {
  return isIP(address) === (family === 'ipv6' ? 6 : 4);
}

function familyOf(address: string): Family {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
