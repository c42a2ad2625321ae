import { z } from 'zod';

/** How long and how hard to try. */
export interface FaultParameters {
  /** Operations that are asked for. */
  operations: number;
  /** Over how long they are asked for, while things break. Seconds. */
  seconds: number;
  clusters: number;
  /** What is asked for and what breaks in which order is the same for the same seed; when exactly is not. */
  seed: number;
}

const environmentSchema = z.object({
  FAULT_OPERATIONS: z.coerce.number().int().min(1).max(100_000).default(40),
  FAULT_MINUTES: z.coerce.number().min(0.1).max(600).default(0.5),
  FAULT_CLUSTERS: z.coerce.number().int().min(4).max(1_000).default(12),
  FAULT_SEED: z.coerce.number().int().min(0).optional(),
});

/** @throws ZodError naming the variable that cannot be read. */
export function readFaultParameters(environment: Readonly<Record<string, string | undefined>>): FaultParameters {
  const read = environmentSchema.parse(environment);
  return {
    operations: read.FAULT_OPERATIONS,
    seconds: read.FAULT_MINUTES * 60,
    clusters: read.FAULT_CLUSTERS,
    seed: read.FAULT_SEED ?? Date.now() % 1_000_000,
  };
}
