import type { Json } from '#libs/kernel/json.js';

/** Sign, digits, and then either a suffix or a decimal exponent: `1E` is an exa, `1E3` a thousand. */
const QUANTITY = /^([+-]?)(\d+)?(?:\.(\d*))?(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d+))?$/;

const DECIMAL_EXPONENTS: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const BINARY_EXPONENTS: Readonly<Record<string, bigint>> = {
  Ki: 10n,
  Mi: 20n,
  Gi: 30n,
  Ti: 40n,
  Pi: 50n,
  Ei: 60n,
};

/** No server writes longer ones; what a caller wrote may not cost more than this to read. */
const LONGEST_TEXT = 100;
/** Beyond it every number is greater than all that we can say, or smaller than the smallest part. */
const LARGEST_EXPONENT = 200;

/** A quantity in whole units (bytes, pods), as Kubernetes counts: parts are rounded away from zero. Null for what is none. */
export function quantityValue(quantity: Json | undefined): number | null {
  return scaledQuantity(quantity, 0);
}

/** A quantity in thousandths (millicores), as Kubernetes counts. */
export function quantityMillis(quantity: Json | undefined): number | null {
  return scaledQuantity(quantity, 3);
}

/** Exact until the end, where it is held within what a number can say exactly. */
function scaledQuantity(quantity: Json | undefined, scale: number): number | null {
  const text = typeof quantity === 'number' ? String(quantity) : quantity;
  if (typeof text !== 'string' || text.length > LONGEST_TEXT) return null;
  const [matched, sign, whole = '', fraction = '', suffix = '', exponent = '0'] = QUANTITY.exec(text) ?? [];
  if (matched === undefined || whole + fraction === '') return null;
  const digits = BigInt(whole + fraction) << (BINARY_EXPONENTS[suffix] ?? 0n);
  if (digits === 0n) return 0;
  const power = (DECIMAL_EXPONENTS[suffix] ?? 0) + Number(exponent) + scale - fraction.length;
  const magnitude = clamped(digits, Math.max(-LARGEST_EXPONENT, Math.min(LARGEST_EXPONENT, power)));
  return sign === '-' ? -magnitude : magnitude;
}

function clamped(digits: bigint, power: number): number {
  const factor = 10n ** BigInt(Math.abs(power));
  const value = power >= 0 ? digits * factor : (digits + factor - 1n) / factor;
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
}
