/**
 * Virtual CPUs of a VM size. Names of today say the number (`Standard_D4s_v5`, `Standard_B2ms`); the older DS sizes
 * count in powers of two (`Standard_DS2_v2` has 2, `Standard_DS3_v2` has 4).
 */
export function coresOf(vmSize: string): number {
  const powers = /^Standard_(?:DS?|A)(\d{1,2})_v2$/i.exec(vmSize);
  if (powers?.[1] !== undefined) return 2 ** ((Number(powers[1]) - 1) % 10);
  const named = /^Standard_[A-Z]+(\d{1,3})/i.exec(vmSize);
  return named?.[1] === undefined ? 1 : Math.max(1, Number(named[1]));
}
