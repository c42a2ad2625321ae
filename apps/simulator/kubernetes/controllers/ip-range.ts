/** A range of IPv4 addresses: `10.224.0.0/16`. */
export class IpRange {
  readonly #first: number;
  readonly size: number;

  constructor(cidr: string) {
    const [address, length] = cidr.split('/');
    this.size = 2 ** (32 - Number(length ?? 32));
    this.#first = Math.floor(numberOf(address ?? '') / this.size) * this.size;
  }

  /** The address at this place; the range begins at 0. */
  at(index: number): string {
    const value = this.#first + index;
    return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
  }

  /** undefined when the address is outside of the range. */
  indexOf(address: string): number | undefined {
    const index = numberOf(address) - this.#first;
    return index >= 0 && index < this.size ? index : undefined;
  }
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}
