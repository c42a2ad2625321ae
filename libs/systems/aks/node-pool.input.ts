import { z } from 'zod';
import type { JsonObject } from '#libs/kernel/json.js';
import { MOST_NODES_OF_POOL } from './aks.limits.js';

const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const TAINT = /^[A-Za-z0-9][-A-Za-z0-9_./]{0,252}(=[-A-Za-z0-9_.]{0,63})?:(NoSchedule|PreferNoSchedule|NoExecute)$/;
const SUBNET_ID =
  /^\/subscriptions\/[^/]+\/resourceGroups\/[^/]+\/providers\/Microsoft\.Network\/virtualNetworks\/[^/]+\/subnets\/[^/]+$/i;

export const subnetReference = z
  .string()
  .max(1024)
  .regex(SUBNET_ID, 'must be the ARM id of a subnet')
  .describe('The ARM id of the subnet of the nodes; AKS makes a network where absent.');

const autoscaler = z
  .strictObject({
    minCount: z.int().min(0).max(MOST_NODES_OF_POOL).describe('The least number of nodes.'),
    maxCount: z.int().min(1).max(MOST_NODES_OF_POOL).describe('The greatest number of nodes.'),
  })
  .describe('Lets the cluster autoscaler decide the number of nodes, between these.');

/** What every node pool is made from, by itself and inside a cluster that is to be made. */
export const commonPoolFields = {
  name: z
    .string()
    .regex(/^[a-z][a-z0-9]{0,11}$/, 'must be 1 to 12 lower-case letters and digits, a letter first')
    .describe('The name of the pool: 1 to 12 lower-case letters and digits, a letter first; 6 at most for Windows.'),
  count: z.int().min(0).max(MOST_NODES_OF_POOL).default(1).describe('The number of nodes, at first.'),
  vmSize: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9_-]+$/, 'must be the name of a machine size')
    .describe('The size of the machines, such as `Standard_D2s_v5`.'),
  maxPods: z
    .int()
    .min(10)
    .max(250)
    .optional()
    .describe('The number of pods that a node can carry; decided by AKS where absent.'),
  zones: z
    .array(z.enum(['1', '2', '3']))
    .min(1)
    .max(3)
    .optional()
    .describe('The availability zones of the nodes; none where absent.'),
  autoscaler: autoscaler.optional(),
};

/** What a pool besides the first one of a cluster can be. */
export const poolFields = {
  ...commonPoolFields,
  mode: z
    .enum(['User', 'System'])
    .default('User')
    .describe('`System` for a pool that carries the system pods as well.'),
  osType: z.enum(['Linux', 'Windows']).default('Linux').describe('The kind of operating system.'),
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
  spot: z
    .boolean()
    .default(false)
    .describe('Whether the nodes are spot machines, which cost less and which Azure may take away at any time.'),
};

export interface CommonPoolInput {
  count: number;
  vmSize: string;
  maxPods?: number | undefined;
  zones?: string[] | undefined;
  autoscaler?: { minCount: number; maxCount: number } | undefined;
}

/** The `properties` of the pool in a request, as far as every pool has them. */
export function commonPoolProperties(pool: CommonPoolInput, subnet: string | undefined): JsonObject {
  const { count, vmSize, maxPods, zones } = pool;
  return {
    count,
    vmSize,
    type: 'VirtualMachineScaleSets',
    ...(maxPods === undefined ? {} : { maxPods }),
    ...(zones === undefined ? {} : { availabilityZones: [...zones] }),
    ...(subnet === undefined ? {} : { vnetSubnetID: subnet }),
    ...(pool.autoscaler === undefined ? {} : { enableAutoScaling: true, ...pool.autoscaler }),
  };
}

/** Whether the limits of the autoscaler go together with the number of nodes. */
export function isWithinLimits({ count, autoscaler: limits }: CommonPoolInput): boolean {
  return limits === undefined || (limits.minCount <= count && count <= limits.maxCount);
}
