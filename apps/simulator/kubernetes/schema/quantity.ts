import type { Json } from '#libs/kernel/json.js';

/** Amounts of resources as Kubernetes writes them: `100m`, `1.5Gi`, `1e3`. */

interface Quantity {
  /** The amount is `mantissa · 10^exponent`. */
  mantissa: bigint;
  exponent: number;
  format: 'decimal' | 'binary' | 'exponent';
}

const PATTERN = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?[0-9]+))?$/;

const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const DECIMAL: readonly { suffix: string; exponent: number }[] = [
  { suffix: 'n', exponent: -9 },
  { suffix: 'u', exponent: -6 },
  { suffix: 'm', exponent: -3 },
  { suffix: '', exponent: 0 },
  { suffix: 'k', exponent: 3 },
  { suffix: 'M', exponent: 6 },
  { suffix: 'G', exponent: 9 },
  { suffix: 'T', exponent: 12 },
  { suffix: 'P', exponent: 15 },
  { suffix: 'E', exponent: 18 },
];

/** @returns undefined when the text is no quantity */
function parse(text: string): Quantity | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', binary, decimal, exponent] = match;
  if (whole === '' && fraction === '') return undefined;
  const digits = BigInt(`${whole}${fraction}`) * (sign === '-' ? -1n : 1n);
  if (binary !== undefined) {
    return { mantissa: digits * 1024n ** BigInt(BINARY.indexOf(binary)), exponent: -fraction.length, format: 'binary' };
  }
  const scale =
    decimal === undefined ? Number(exponent ?? 0) : DECIMAL.find(({ suffix }) => suffix === decimal)!.exponent;
  return {
    mantissa: digits,
    exponent: scale - fraction.length,
    format: exponent === undefined ? 'decimal' : 'exponent',
  };
}

/** A quantity as text: JSON may also write it as a number. @returns undefined for everything that is no quantity */
export function quantityText(value: Json | undefined): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const text = String(value);
  return parse(text) === undefined ? undefined : text;
}

/** As the real server stores it: `1000m` is `1`, `1024Mi` is `1Gi`. @returns undefined when the text is no quantity */
export function canonicalQuantity(text: string): string | undefined {
  const quantity = parse(text);
  if (quantity === undefined) return undefined;
  let { mantissa, exponent } = quantity;
  if (mantissa === 0n) return '0';
  while (mantissa % 10n === 0n) {
    mantissa /= 10n;
    exponent++;
  }
  if (quantity.format === 'binary' && exponent >= 0) {
    const bytes = mantissa * 10n ** BigInt(exponent);
    if (bytes >= 1024n || bytes <= -1024n) return canonicalBinary(bytes);
  }
  // Nothing is kept that is finer than a billionth; the real server rounds up.
  while (exponent < -9) {
    mantissa = mantissa / 10n + (mantissa > 0n && mantissa % 10n !== 0n ? 1n : 0n);
    exponent++;
  }
  while (exponent % 3 !== 0 || exponent > 18) {
    mantissa *= 10n;
    exponent--;
  }
  if (quantity.format === 'exponent') return exponent === 0 ? `${mantissa}` : `${mantissa}e${exponent}`;
  return `${mantissa}${DECIMAL.find((unit) => unit.exponent === exponent)!.suffix}`;
}

function canonicalBinary(bytes: bigint): string {
  let unit = 0;
  let amount = bytes;
  while (amount % 1024n === 0n && unit < BINARY.length - 1) {
    amount /= 1024n;
    unit++;
  }
  return `${amount}${BINARY[unit]!}`;
}

/** @returns a negative number, zero or a positive number; both texts have to be quantities */
export function compareQuantities(left: string, right: string): number {
  const [a, b] = [parse(left), parse(right)];
  if (a === undefined || b === undefined) throw new RangeError(`${left} and ${right} are not both quantities`);
  const scale = Math.min(a.exponent, b.exponent);
  const difference = a.mantissa * 10n ** BigInt(a.exponent - scale) - b.mantissa * 10n ** BigInt(b.exponent - scale);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** The number behind a quantity in its base unit: cores, bytes, pieces. Nothing, for what is no quantity: the server has refused it. */
export function quantityValue(quantity: string | number | undefined): number {
  const parsed = parse(String(quantity ?? 0).trim());
  if (parsed === undefined) return 0;
  const { mantissa, exponent } = parsed;
  return exponent < 0 ? Number(mantissa) / 10 ** -exponent : Number(mantissa) * 10 ** exponent;
}

/** Cores as thousandths: sums of them stay exact. */
export function milliCores(quantity: string | number | undefined): number {
  return Math.ceil(Math.round(quantityValue(quantity) * 1e6) / 1e3);
}

/** `2`, or `1900m` when there is a rest. */
export function formatCores(milli: number): string {
  return milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`;
}
