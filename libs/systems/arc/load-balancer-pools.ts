import { contains, ipv4Of, ipv4RangeOf, type Ipv4Range } from '#libs/kernel/ipv4.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { rawTexts } from '../contract/raw-reader.js';

/** Of MetalLB, which gives services their addresses where no cloud does. */
export const ADDRESS_POOL = { group: 'metallb.io', kind: 'IPAddressPool' };

export interface NamedRange {
  pool: string;
  /** As it is written: `192.168.0.150-192.168.0.200` or `192.168.0.0/28`. */
  text: string;
  range: Ipv4Range;
}

/** The IPv4 addresses that the pools can give. */
export function rangesOf(pools: readonly KubernetesObject[]): NamedRange[] {
  return pools.flatMap((pool) =>
    rawTexts(pool, 'spec', 'addresses').flatMap((text) => {
      const range = rangeOf(text);
      return range === undefined ? [] : [{ pool: pool.metadata.name, text, range }];
    }),
  );
}

/** Whether there are pools of IPv4 addresses, and none of them holds the address. */
export function isOutside(ranges: readonly NamedRange[], address: string): boolean {
  const number = ipv4Of(address);
  return number !== undefined && ranges.length > 0 && !ranges.some(({ range }) => contains(range, number));
}

function rangeOf(text: string): Ipv4Range | undefined {
  const [from, to] = text.split('-').map((end) => ipv4Of(end.trim()));
  return from === undefined || to === undefined ? ipv4RangeOf(text.trim()) : { first: from, last: to };
}
