import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import { OS_SKUS, OS_TYPES, type OsSku, type OsType } from './host.offer.js';
import { MOST_NODES_OF_CLUSTER } from './host.limits.js';

export const POOL_NAME = /^[a-z][a-z0-9]{2,11}$/;
const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const TAINT = /^[A-Za-z0-9][-A-Za-z0-9_./]{0,252}(=[-A-Za-z0-9_.]{0,63})?:(NoSchedule|PreferNoSchedule|NoExecute)$/;

export const vmSize = z
  .string()
  .max(100)
  .regex(/^[A-Za-z0-9_-]+$/, 'must be the name of a machine size');

export const nodeCount = z.int().min(0).max(MOST_NODES_OF_CLUSTER);

/** What a node pool is made from, by itself and inside a cluster that is to be made. */
export const poolFields = {
  name: z
    .string()
    .regex(POOL_NAME, 'must be 3 to 12 lower-case letters and digits, a letter first')
    .describe('The name of the pool: 3 to 12 lower-case letters and digits, a letter first.'),
  count: nodeCount.describe('The number of nodes.'),
  vmSize: vmSize.describe('The size of the machines, such as `Standard_A4_v2`.'),
  osType: z.enum(OS_TYPES).default('Linux').describe('The kind of operating system.'),
  osSku: z
    .enum(OS_SKUS)
    .optional()
    .describe('The operating system; `CBLMariner` for Linux and `Windows2022` for Windows where absent.'),
  nodeLabels: z
    .record(
      z.string().max(317).regex(LABEL_KEY, 'must be a label key'),
      z.string().regex(LABEL_VALUE, 'must be a label value'),
    )
    .optional()
    .describe('The Kubernetes labels that every node gets.'),
  nodeTaints: z
    .array(z.string().regex(TAINT, 'must be a taint such as key=value:NoSchedule'))
    .max(20)
    .optional()
    .describe('The Kubernetes taints that every node gets, as `key=value:effect`.'),
  maxPods: z.int().min(10).max(250).optional().describe('The number of pods that a node can carry.'),
  autoscaler: z
    .strictObject({
      minCount: nodeCount.describe('The least number of nodes.'),
      maxCount: nodeCount.describe('The greatest number of nodes.'),
    })
    .optional()
    .describe('Lets the cluster autoscaler decide the number of nodes, between these.'),
};

export const poolInput = z.strictObject(poolFields);
export type PoolInput = z.output<typeof poolInput>;

export function osSkuOf({ osType, osSku }: { osType: OsType; osSku?: OsSku | undefined }): OsSku {
  return osSku ?? (osType === 'Linux' ? 'CBLMariner' : 'Windows2022');
}

/** Whether the operating system is one of its kind. */
export function isConsistent(pool: PoolInput): boolean {
  return (osSkuOf(pool) === 'CBLMariner') === (pool.osType === 'Linux');
}

/** The `properties` of the pool in a request. */
export function poolProperties(pool: PoolInput): JsonObject {
  const { count, vmSize: size, osType, nodeLabels, nodeTaints, maxPods, autoscaler } = pool;
  return {
    count,
    vmSize: size,
    osType,
    osSKU: osSkuOf(pool),
    ...(nodeLabels === undefined ? {} : { nodeLabels: { ...nodeLabels } }),
    ...(nodeTaints === undefined ? {} : { nodeTaints: [...nodeTaints] }),
    ...(maxPods === undefined ? {} : { maxPods }),
    ...(autoscaler === undefined ? {} : { enableAutoScaling: true, ...autoscaler }),
  };
}
