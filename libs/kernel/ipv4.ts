/** The number that an IPv4 address stands for; undefined for what is none. */
export function ipv4Of(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

/** A range of addresses, both ends of it included. */
export interface Ipv4Range {
  first: number;
  last: number;
}

/** `10.244.0.0/16`; undefined for what is no such range. */
export function ipv4RangeOf(prefix: string): Ipv4Range | undefined {
  const [, address, length] = /^([\d.]+)\/(\d{1,2})$/.exec(prefix) ?? [];
  const start = address === undefined ? undefined : ipv4Of(address);
  const bits = Number(length);
  if (start === undefined || bits > 32) return undefined;
  const size = 2 ** (32 - bits);
  const first = Math.floor(start / size) * size;
  return { first, last: first + size - 1 };
}

export function contains(range: Ipv4Range, address: number): boolean {
  return range.first <= address && address <= range.last;
}

export function overlap(left: Ipv4Range, right: Ipv4Range): boolean {
  return left.first <= right.last && right.first <= left.last;
}
