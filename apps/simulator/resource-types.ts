import type { ResourceTypeDescriptor } from './resource-type.descriptor.js';
import { agentPoolType } from './types/agent-pool.type.js';
import { appCertificateType } from './types/app-certificate.type.js';
import { appServicePlanType } from './types/app-service-plan.type.js';
import { connectedEnvironmentType } from './types/connected-environment.type.js';
import { containerAppType } from './types/container-app.type.js';
import { fleetMemberType } from './types/fleet-member.type.js';
import { fleetType } from './types/fleet.type.js';
import { hostNameBindingType } from './types/host-name-binding.type.js';
import { kubeEnvironmentType } from './types/kube-environment.type.js';
import { managedClusterType } from './types/managed-cluster.type.js';
import { roleAssignmentType } from './types/role-assignment.type.js';
import { subnetType } from './types/subnet.type.js';
import { virtualNetworkPeeringType } from './types/virtual-network-peering.type.js';
import { virtualNetworkType } from './types/virtual-network.type.js';
import { webAppConfigType } from './types/web-app-config.type.js';
import { webAppType } from './types/web-app.type.js';

/** Every resource type that the simulator plays. A new type is a descriptor file and a line here. */
export const RESOURCE_TYPES: readonly ResourceTypeDescriptor[] = [
  managedClusterType,
  agentPoolType,
  fleetType,
  fleetMemberType,
  virtualNetworkType,
  subnetType,
  virtualNetworkPeeringType,
  roleAssignmentType,
  kubeEnvironmentType,
  appServicePlanType,
  webAppType,
  webAppConfigType,
  hostNameBindingType,
  appCertificateType,
  connectedEnvironmentType,
  containerAppType,
];
