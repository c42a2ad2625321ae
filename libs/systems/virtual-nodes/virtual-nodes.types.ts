/** ARM types, as Azure writes them. */
export const CONTAINER_GROUP_TYPE = 'Microsoft.ContainerInstance/containerGroups';
export const VIRTUAL_NETWORK_TYPE = 'Microsoft.Network/virtualNetworks';
export const SUBNET_TYPE = 'Microsoft.Network/virtualNetworks/subnets';
export const MANAGED_CLUSTER_TYPE = 'Microsoft.ContainerService/managedClusters';

/** A virtual node is the Kubernetes node seen as what it stands for: an object of its own, named after the node. */
export const VIRTUAL_NODE_GROUP = 'virtual-nodes.pilothouse';
export const VIRTUAL_NODE_TYPE = { group: VIRTUAL_NODE_GROUP, kind: 'VirtualNode' } as const;

/** To whom a subnet is given that container groups are to have their addresses in. */
export const ACI_DELEGATION = 'Microsoft.ContainerInstance/containerGroups';
