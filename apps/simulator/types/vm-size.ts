/** Virtual CPUs of the older D sizes, whose number counts steps and not cores. */
const STEPS = new Map([
  ['1', 1],
  ['2', 2],
  ['3', 4],
  ['4', 8],
  ['5', 16],
  ['11', 2],
  ['12', 4],
  ['13', 8],
  ['14', 16],
  ['15', 20],
]);

/** Virtual CPUs of a VM size: the number in its name (`Standard_D4s_v5`, `Standard_B2ms`), but for the older D sizes. */
export function coresOf(vmSize: string): number {
  const step = STEPS.get(/^Standard_DS?(\d{1,2})_v2$/i.exec(vmSize)?.[1] ?? '');
  if (step !== undefined) return step;
  const named = /^Standard_[A-Z]+(\d{1,3})/i.exec(vmSize)?.[1];
  return named === undefined ? 1 : Math.max(1, Number(named));
}
