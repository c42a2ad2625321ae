/** A range of IPv4 addresses: its first and last address as numbers. */
export interface AddressRange {
  first: number;
  last: number;
}

/** Of every subnet Azure keeps the first four addresses and the last. */
export const RESERVED_ADDRESSES = 5;

const CIDR = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/;

/** `10.0.2.0/24`; undefined for what is no IPv4 range, or one whose host bits are set, which Azure refuses too. */
export function parseAddressRange(text: string): AddressRange | undefined {
  const [, ...parts] = CIDR.exec(text) ?? [];
  if (parts.length === 0) return undefined;
  const [a = 0, b = 0, c = 0, d = 0, length = 0] = parts.map(Number);
  if ([a, b, c, d].some((octet) => octet > 255) || length > 32) return undefined;
  const size = 2 ** (32 - length);
  const first = ((a * 256 + b) * 256 + c) * 256 + d;
  return first % size === 0 ? { first, last: first + size - 1 } : undefined;
}

export function liesWithin(inner: AddressRange, outer: AddressRange): boolean {
  return outer.first <= inner.first && inner.last <= outer.last;
}

export function overlaps(left: AddressRange, right: AddressRange): boolean {
  return left.first <= right.last && right.first <= left.last;
}

/** How many addresses of a range others can have. */
export function usableAddresses({ first, last }: AddressRange): number {
  return Math.max(0, last - first + 1 - RESERVED_ADDRESSES);
}

/** The first range of so many bits that a network has room for; undefined where it has none. */
export function freePrefix(
  length: number,
  space: readonly string[],
  subnets: readonly { prefixes: readonly string[] }[],
): string | undefined {
  const size = 2 ** (32 - length);
  const ranges = (texts: readonly string[]): AddressRange[] => texts.flatMap((text) => parseAddressRange(text) ?? []);
  const taken = ranges(subnets.flatMap(({ prefixes }) => prefixes));
  for (const whole of ranges(space)) {
    let first = Math.ceil(whole.first / size) * size;
    while (first + size - 1 <= whole.last) {
      const wanted = { first, last: first + size - 1 };
      const other = taken.find((range) => overlaps(range, wanted));
      if (other === undefined) return `${textOf(first)}/${length}`;
      // On from behind what is in the way: networks are wide, and subnets few.
      first = Math.ceil((other.last + 1) / size) * size;
    }
  }
  return undefined;
}

function textOf(address: number): string {
  return [2 ** 24, 2 ** 16, 2 ** 8, 1].map((unit) => Math.floor(address / unit) % 256).join('.');
}

/** What keeps a subnet of this prefix out of a network; undefined where nothing does. */
export type PrefixFault =
  { fault: 'invalid' } | { fault: 'outside'; space: string[] } | { fault: 'overlap'; subnet: string; prefix: string };

/** @param subnets of the network, by name with their prefixes; the subnet itself is left out by the caller */
export function prefixFault(
  prefix: string,
  space: readonly string[],
  subnets: readonly { name: string; prefixes: readonly string[] }[],
): PrefixFault | undefined {
  const range = parseAddressRange(prefix);
  if (range === undefined) return { fault: 'invalid' };
  const isInside = space.some((text) => {
    const whole = parseAddressRange(text);
    return whole !== undefined && liesWithin(range, whole);
  });
  if (!isInside) return { fault: 'outside', space: [...space] };
  for (const { name, prefixes } of subnets) {
    for (const other of prefixes) {
      const taken = parseAddressRange(other);
      if (taken !== undefined && overlaps(range, taken)) return { fault: 'overlap', subnet: name, prefix: other };
    }
  }
  return undefined;
}
