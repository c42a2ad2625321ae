const SUFFIXES = new Map([
  ['n', 1e-9],
  ['u', 1e-6],
  ['m', 1e-3],
  ['', 1],
  ['k', 1e3],
  ['M', 1e6],
  ['G', 1e9],
  ['T', 1e12],
  ['P', 1e15],
  ['E', 1e18],
  ['Ki', 2 ** 10],
  ['Mi', 2 ** 20],
  ['Gi', 2 ** 30],
  ['Ti', 2 ** 40],
  ['Pi', 2 ** 50],
  ['Ei', 2 ** 60],
]);

/** The number behind a resource quantity (`100m`, `64Mi`, `2`, `1e3`) in its base unit: cores, bytes, pieces. */
export function quantityValue(quantity: string | number | undefined): number {
  if (quantity === undefined) return 0;
  if (typeof quantity === 'number') return quantity;
  const match = /^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)$/.exec(quantity.trim());
  const factor = SUFFIXES.get(match?.[2] ?? '');
  // The API server has refused what is no quantity.
  return match === null || factor === undefined ? 0 : Number(match[1]) * factor;
}

/** Cores as thousandths: sums of them stay exact. */
export function milliCores(quantity: string | number | undefined): number {
  return Math.ceil(Math.round(quantityValue(quantity) * 1e6) / 1e3);
}

/** `2`, or `1900m` when there is a rest. */
export function formatCores(milli: number): string {
  return milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`;
}
