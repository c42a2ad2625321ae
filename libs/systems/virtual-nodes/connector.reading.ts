import { ArmId } from '#libs/kernel/arm-id.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { AzureCallContext } from '#libs/azure/azure.options.js';
import { BUILT_IN_ROLES, findAssignment } from '#libs/azure/role-assignments.js';
import { rawObject, rawObjects, rawText } from '../contract/raw-reader.js';
import { connectorOf } from './aci-connector.js';
import { describeSubnet } from './network.kinds.js';
import type { VirtualNodesClient } from './virtual-nodes.client.js';
import { ACI_DELEGATION } from './virtual-nodes.types.js';

/** Any of them lets the connector use the subnet. */
export const SUBNET_ROLES = [BUILT_IN_ROLES.NetworkContributor, BUILT_IN_ROLES.Contributor, BUILT_IN_ROLES.Owner];
/** Any of them lets it have container groups in the node resource group. */
const GROUP_ROLES = [
  BUILT_IN_ROLES.ContainerInstancesContributor,
  BUILT_IN_ROLES.Contributor,
  BUILT_IN_ROLES.Owner,
] as const;

/** What keeps a subnet from being one for container groups. */
export type SubnetFault = 'missing' | 'no-network' | 'delegated-elsewhere' | 'in-use' | 'route-table';

/** What the connector of the add-on needs, and has not. */
export interface ConnectorLacks {
  subnetName: string | null;
  subnetFault: SubnetFault | undefined;
  principalId: string | undefined;
  /** Where whoever it acts as has no role by itself; a group may give it one, which is not looked into. */
  rolesMissing: {
    scope: ArmId;
    of: 'subnet' | 'group';
    role: 'NetworkContributor' | 'ContainerInstancesContributor';
  }[];
}

/** What may not be read is not known: nothing is said of it. */
export async function unlessForbidden<T>(read: () => Promise<T>): Promise<T | 'forbidden'> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ControlError && error.code === 'AZURE_FORBIDDEN') return 'forbidden';
    throw error;
  }
}

/**
 * What Azure says of all that the connector needs, as far as it may be read. Who it acts as is known of managed identities alone: nothing is said of the
 * roles of a service principal whose object id nobody gives.
 */
export async function lookAtConnector(
  client: VirtualNodesClient,
  cluster: ArmId,
  body: JsonObject,
  principalId: string | undefined,
  context: AzureCallContext,
): Promise<ConnectorLacks> {
  const connector = connectorOf(body);
  const { network, subnet, subnetName } = connector;
  const principal = principalId ?? connector.identityObjectId ?? undefined;
  const rolesMissing: ConnectorLacks['rolesMissing'] = [];
  const lacksRole = async (scope: ArmId, roles: readonly string[]): Promise<boolean> => {
    const asked = { scope, principalId: principal ?? '' };
    return (await unlessForbidden(() => findAssignment(client.arm, asked, roles, context))) === undefined;
  };
  const reading = network === undefined ? undefined : await unlessForbidden(() => client.get(network, context));
  const isHidden = reading === 'forbidden';
  const subnets = !isHidden && reading?.state === 'found' ? rawObjects(reading.body, 'properties', 'subnets') : [];
  const present = subnets.find((each) => rawText(each, 'name')?.toLowerCase() === subnetName?.toLowerCase());
  const subnetFault = network === undefined ? 'no-network' : isHidden ? undefined : faultOf(present);
  if (principal !== undefined) {
    if (subnet !== undefined && present !== undefined) {
      if (await lacksRole(subnet, SUBNET_ROLES)) {
        rolesMissing.push({ scope: subnet, of: 'subnet', role: 'NetworkContributor' });
      }
    }
    const name = rawText(body, 'properties', 'nodeResourceGroup');
    if (name !== null) {
      const scope = ArmId.resourceGroup(cluster.subscriptionId ?? '', name);
      if (await lacksRole(scope, GROUP_ROLES)) {
        rolesMissing.push({ scope, of: 'group', role: 'ContainerInstancesContributor' });
      }
    }
  }
  return { subnetName, subnetFault, principalId: principal, rolesMissing };
}

function faultOf(subnet: JsonObject | undefined): SubnetFault | undefined {
  if (subnet === undefined) return 'missing';
  const { delegations, usedAddresses, routeTableId } = describeSubnet(rawObject(subnet, 'properties') ?? {});
  if (delegations.some((service) => service.toLowerCase() !== ACI_DELEGATION.toLowerCase())) {
    return 'delegated-elsewhere';
  }
  // One that is delegated is used by nobody else.
  if (delegations.length > 0) return undefined;
  if (usedAddresses > 0) return 'in-use';
  return routeTableId === null ? undefined : 'route-table';
}
