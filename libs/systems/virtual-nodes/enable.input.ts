import { z } from 'zod';
import type { ArmId } from '#libs/kernel/arm-id.js';
import { referencedArmId } from '../contract/arm-reference.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { MANAGED_CLUSTER_TYPE } from './virtual-nodes.types.js';

export const enableInput = z.strictObject({
  cluster: resourceReference('The AKS cluster that is to have a virtual node'),
  subnetName: z
    .string()
    .max(80)
    .regex(/^[a-zA-Z0-9]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?$/, 'must be the name of a subnet')
    .describe(
      'The subnet for its container groups, in the virtual network of the nodes; it is made where it is not there.',
    ),
  subnetPrefix: z
    .string()
    .regex(/^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/, 'must be an IPv4 range such as 10.0.2.0/24')
    .optional()
    .describe('The address range of the subnet, where it is to be made.'),
  principalId: z
    .string()
    .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, 'must be a uuid')
    .optional()
    .describe('The object id of the service principal of the cluster in Entra ID; not needed with a managed identity.'),
});
export type EnableInput = z.output<typeof enableInput>;

/** @throws ControlError INVALID_REQUEST */
export function clusterIdOf(references: Readonly<Record<string, ResourceTarget>>): ArmId {
  return referencedArmId(references, 'cluster', MANAGED_CLUSTER_TYPE);
}
