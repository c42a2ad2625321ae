import { ArmId } from '#libs/kernel/arm-id.js';
import * as z from 'zod';
import { objectAt, textAt } from '../json-merge.js';
import type { StoredResource } from '../resource.store.js';
import type { ResourceWorld } from '../resource-type.descriptor.js';
import { aciConnectorOf, connectorPrincipal } from '../types/aci-connector.addon.js';
import { AGENT_POOL_TYPE } from '../types/core-usage.js';
import { builtInRole } from '../types/built-in-role.js';
import { ROLE_ASSIGNMENT_TYPE, reaches, scopeOf } from '../types/role-assignment.type.js';
import { ACI_DELEGATION, delegationsOf } from '../types/subnet.delegation.js';
import type { VirtualNodePlan } from './virtual-node.objects.js';

const SUBNET_ACTION = 'Microsoft.Network/virtualNetworks/subnets/join/action';
const GROUP_ACTION = 'Microsoft.ContainerInstance/containerGroups/read';

/** What an estate says of a cluster with a connector of before the add-on: where its container groups run. */
const simulationSchema = z.object({ earlyConnector: z.object({ region: z.string() }).optional() });

/** The region of the early connector; undefined for clusters without one. */
export function earlyConnectorOf(cluster: StoredResource): string | undefined {
  return simulationSchema.parse(objectAt(cluster.body, 'simulation')).earlyConnector?.region;
}

/** What the add-on of a cluster comes to: a node, or a connector that says why there is none. Undefined while it is off. */
export function virtualNodePlan(cluster: StoredResource, world: ResourceWorld): VirtualNodePlan | undefined {
  const addon = aciConnectorOf(cluster.body);
  // AKS starts the connector at the end of its own operation.
  if (addon === undefined || textAt(objectAt(cluster.body, 'properties'), 'provisioningState') !== 'Succeeded')
    return undefined;
  const network = networkOf(cluster, world);
  const name = addon.subnetName ?? '';
  const subnet = network === undefined ? undefined : world.get(network.child('subnets', name));
  const region = textAt(cluster.body, 'location') ?? '';
  if (network === undefined || subnet === undefined) {
    return { connector: 'failing', why: `subnet '${name}' is not found in vnet '${network?.name ?? ''}'` };
  }
  const principal = connectorPrincipal(cluster.body);
  if (principal === undefined || !mayDo(principal, SUBNET_ACTION, subnet.id, world)) {
    return {
      connector: 'failing',
      why: `AuthorizationFailed: The client '${principal ?? ''}' does not have authorization to perform action 'Microsoft.Network/virtualNetworks/subnets/read' over scope '${subnet.id}'.`,
    };
  }
  const group = ArmId.resourceGroup(
    ArmId.parse(cluster.id).subscriptionId ?? '',
    textAt(objectAt(cluster.body, 'properties'), 'nodeResourceGroup') ?? '',
  ).toString();
  // The service principal of a cluster has made the group: it owns it.
  if (textAt(addon.identity, 'objectId') !== undefined && !mayDo(principal, GROUP_ACTION, group, world)) {
    return {
      connector: 'failing',
      why: `AuthorizationFailed: The client '${principal}' does not have authorization to perform action '${GROUP_ACTION}' over scope '${group}'.`,
    };
  }
  if (!world.offersContainerInstances(region)) {
    return { connector: 'failing', why: `Region ${region} is invalid.` };
  }
  const delegated = delegationsOf(subnet.body).includes(ACI_DELEGATION.toLowerCase());
  if (!delegated && isUsedByNodes(subnet, world)) {
    return {
      connector: 'failing',
      why: `unable to delegate subnet '${name}' to Azure Container Instance as it is used by other Azure resource`,
    };
  }
  return { connector: 'running', subnetId: subnet.id, mustDelegate: !delegated };
}

/** The virtual network of the nodes: the connector looks for its subnet nowhere else. */
function networkOf(cluster: StoredResource, world: ResourceWorld): ArmId | undefined {
  const pools = world.children(cluster.key, AGENT_POOL_TYPE);
  const subnet = pools
    .map((pool) => textAt(objectAt(pool.body, 'properties'), 'vnetSubnetID'))
    .find((id) => id !== undefined);
  return ArmId.tryParse(subnet ?? '')?.parent;
}

function isUsedByNodes(subnet: StoredResource, world: ResourceWorld): boolean {
  return world.referring(AGENT_POOL_TYPE, subnet.key).length > 0;
}

function mayDo(principal: string, wanted: string, scope: string, world: ResourceWorld): boolean {
  const subscription = ArmId.parse(scope).subscriptionId ?? '';
  return world.ofSubscription(ROLE_ASSIGNMENT_TYPE, subscription).some((assignment) => {
    const properties = objectAt(assignment.body, 'properties');
    const role = builtInRole(textAt(properties, 'roleDefinitionId') ?? '');
    return (
      textAt(properties, 'principalId')?.toLowerCase() === principal.toLowerCase() &&
      reaches(scopeOf(assignment), scope) &&
      role?.actions.some((action) => covers(action, wanted)) === true
    );
  });
}

function covers(pattern: string, action: string): boolean {
  const [head = '', ...rest] = pattern.toLowerCase().split('*');
  const wanted = action.toLowerCase();
  if (rest.length === 0) return wanted === head;
  return wanted.startsWith(head) && wanted.endsWith(rest.at(-1) ?? '');
}
