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

interface SizeFamily {
  /** `Standard_D{cores}s_v5`. */
  name: string;
  cores: readonly number[];
  memoryOfCore: number;
}

const FAMILIES: readonly SizeFamily[] = [
  ...['v3', 'v4', 'v5'].map((version) => ({
    name: `Standard_D{cores}s_${version}`,
    cores: [2, 4, 8, 16, 32, 48, 64],
    memoryOfCore: 4,
  })),
  { name: 'Standard_E{cores}s_v5', cores: [2, 4, 8, 16, 32, 48, 64], memoryOfCore: 8 },
  { name: 'Standard_F{cores}s_v2', cores: [2, 4, 8, 16, 32, 48, 64], memoryOfCore: 2 },
  { name: 'Standard_A{cores}_v2', cores: [1, 2, 4, 8], memoryOfCore: 2 },
  { name: 'Standard_B{cores}ms', cores: [2, 4, 8], memoryOfCore: 4 },
  { name: 'Standard_B{cores}s', cores: [1], memoryOfCore: 1 },
];

export interface MachineSize {
  name: string;
  cores: number;
  memoryGb: number;
}

/** The sizes that every region has. */
export const MACHINE_SIZES: readonly MachineSize[] = [
  ...FAMILIES.flatMap(({ name, cores, memoryOfCore }) =>
    cores.map((count) => ({
      name: name.replace('{cores}', String(count)),
      cores: count,
      memoryGb: count * memoryOfCore,
    })),
  ),
  ...[...STEPS].map(([step, cores]) => ({
    name: `Standard_DS${step}_v2`,
    cores,
    memoryGb: cores * (step.length === 1 ? 3.5 : 7),
  })),
];

/** Virtual CPUs of a VM size: the number in its name (`Standard_D4s_v5`, `Standard_B2ms`), but for the older D sizes. */
export function coresOf(vmSize: string): number {
  const step = STEPS.get(/^Standard_DS?(\d{1,2})_v2$/i.exec(vmSize)?.[1] ?? '');
  if (step !== undefined) return step;
  const named = /^Standard_[A-Z]+(\d{1,3})/i.exec(vmSize)?.[1];
  return named === undefined ? 1 : Math.max(1, Number(named));
}
