import type { ResourceTypeDescriptor } from './resource-type.descriptor.js';
import { agentPoolType } from './types/agent-pool.type.js';
import { appCertificateType } from './types/app-certificate.type.js';
import { appServicePlanType } from './types/app-service-plan.type.js';
import { autoUpgradeProfileType } from './types/auto-upgrade-profile.type.js';
import { clusterExtensionType } from './types/cluster-extension.type.js';
import { connectedClusterType } from './types/connected-cluster.type.js';
import { connectedEnvironmentType } from './types/connected-environment.type.js';
import { containerAppType } from './types/container-app.type.js';
import { containerGroupType } from './types/container-group.type.js';
import { customLocationType, enabledResourceTypeType } from './types/custom-location.type.js';
import { fleetMemberType } from './types/fleet-member.type.js';
import { fleetType } from './types/fleet.type.js';
import { fluxConfigurationType } from './types/flux-configuration.type.js';
import { hostNameBindingType } from './types/host-name-binding.type.js';
import { kubeEnvironmentType } from './types/kube-environment.type.js';
import { maintenanceConfigurationType } from './types/maintenance-configuration.type.js';
import { hciSkusType, kubernetesVersionsType } from './types/hci-offer.type.js';
import { hciPoolType } from './types/hci-pool.type.js';
import { logicalNetworkType } from './types/logical-network.type.js';
import { provisionedClusterType } from './types/provisioned-cluster.type.js';
import { managedClusterType } from './types/managed-cluster.type.js';
import { roleAssignmentType } from './types/role-assignment.type.js';
import { subnetType } from './types/subnet.type.js';
import { updateRunType } from './types/update-run.type.js';
import { updateStrategyType } from './types/update-strategy.type.js';
import { poolUpgradeProfileType, upgradeProfileType } from './types/upgrade-profile.type.js';
import { virtualNetworkPeeringType } from './types/virtual-network-peering.type.js';
import { virtualNetworkType } from './types/virtual-network.type.js';
import { webAppConfigType } from './types/web-app-config.type.js';
import { webAppType } from './types/web-app.type.js';

/** Every resource type that the simulator plays. A new type is a descriptor file and a line here. */
export const RESOURCE_TYPES: readonly ResourceTypeDescriptor[] = [
  managedClusterType,
  agentPoolType,
  upgradeProfileType,
  poolUpgradeProfileType,
  maintenanceConfigurationType,
  fleetType,
  fleetMemberType,
  updateStrategyType,
  updateRunType,
  autoUpgradeProfileType,
  virtualNetworkType,
  subnetType,
  virtualNetworkPeeringType,
  roleAssignmentType,
  containerGroupType,
  kubeEnvironmentType,
  appServicePlanType,
  webAppType,
  webAppConfigType,
  hostNameBindingType,
  appCertificateType,
  connectedEnvironmentType,
  containerAppType,
  connectedClusterType,
  clusterExtensionType,
  fluxConfigurationType,
  customLocationType,
  enabledResourceTypeType,
  logicalNetworkType,
  kubernetesVersionsType,
  hciSkusType,
  provisionedClusterType,
  hciPoolType,
];
