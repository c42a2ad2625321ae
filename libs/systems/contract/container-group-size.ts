import type { Json, JsonObject } from '#libs/kernel/json.js';
import { rawMember, rawObjects, rawText } from './raw-reader.js';
import { quantityMillis, quantityValue } from './resource-quantity.js';

/** What the connector asks for a container that says nothing of it. */
export const DEFAULT_SIZE = { cpuCores: 1, memoryGb: 1.5 } as const;

/** Container Instances sell memory in tenths of a gigabyte (GB), and CPU in hundredths of a core. */
const TENTH_OF_GB = 100_000_000;
const HUNDREDTH_OF_CORE = 10;

export interface ContainerGroupSize {
  cpuCores: number;
  memoryGb: number;
}

/** A limit that Container Instances refuse, in cores or gigabytes. */
export interface LimitBeyond {
  container: string;
  resource: 'cpu' | 'memory';
  limit: number;
  /** Of all containers together. */
  totalRequest: number;
}

/** What a container group is made with for a pod: the requests of its containers, as the connector rounds them. */
export function containerGroupSize(podSpec: Json | undefined): ContainerGroupSize {
  return rawObjects(podSpec, 'containers').reduce<ContainerGroupSize>(
    (sum, container) => ({
      cpuCores: rounded(sum.cpuCores + (requestOf(container, 'cpu') ?? DEFAULT_SIZE.cpuCores)),
      memoryGb: rounded(sum.memoryGb + (requestOf(container, 'memory') ?? DEFAULT_SIZE.memoryGb)),
    }),
    { cpuCores: 0, memoryGb: 0 },
  );
}

/** The amount that a container asks for; undefined where it leaves it to the connector. A limit alone is a request too. */
export function requestOf(container: JsonObject, resource: 'cpu' | 'memory'): number | undefined {
  const asked = amountOf(rawMember(container, 'resources', 'requests', resource), resource);
  const least = resource === 'cpu' ? 0.01 : 0.1;
  const amount = asked ?? amountOf(rawMember(container, 'resources', 'limits', resource), resource);
  return amount === undefined ? undefined : Math.max(least, amount);
}

/** The limits above what the whole pod requests. */
export function limitsBeyond(podSpec: Json | undefined): LimitBeyond[] {
  const { cpuCores, memoryGb } = containerGroupSize(podSpec);
  return rawObjects(podSpec, 'containers').flatMap((container) =>
    (['cpu', 'memory'] as const).flatMap((resource): LimitBeyond[] => {
      const limit = amountOf(rawMember(container, 'resources', 'limits', resource), resource);
      const totalRequest = resource === 'cpu' ? cpuCores : memoryGb;
      if (limit === undefined || limit <= totalRequest) return [];
      return [{ container: rawText(container, 'name') ?? '', resource, limit, totalRequest }];
    }),
  );
}

/** As Kubernetes writes it. */
export function quantityOf({ resource, limit }: Pick<LimitBeyond, 'resource' | 'limit'>): string {
  return resource === 'cpu' ? String(limit) : `${limit}G`;
}

function amountOf(quantity: Json | undefined, resource: 'cpu' | 'memory'): number | undefined {
  if (resource === 'cpu') {
    const millis = quantityMillis(quantity);
    return millis === null ? undefined : Math.floor(millis / HUNDREDTH_OF_CORE) / 100;
  }
  const bytes = quantityValue(quantity);
  return bytes === null ? undefined : Math.floor(bytes / TENTH_OF_GB) / 10;
}

/** Sums of tenths and hundredths without a long tail. */
function rounded(amount: number): number {
  return Math.round(amount * 100) / 100;
}
