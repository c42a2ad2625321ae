import { SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import {
  ACI_SUBNET_ID,
  ASSIGNMENT_ID,
  NETWORK_ID,
  VirtualNodesWorld,
  assignmentBody,
} from '#libs/testing/virtual-nodes-world.js';
import { describeSystem, targetOf } from '../contract/system.contract-suite.js';
import { createAzureSystem } from './azure.module.js';

const FEATURE = 'Microsoft.ContainerService/SomePreview';

describeSystem('azure', {
  otherKinds: [
    'Subscription',
    'VirtualNetwork',
    'Subnet',
    'RoleAssignment',
    'ManagedCluster',
    'Fleet',
    'ConnectedCluster',
    'ContainerGroup',
  ],
  samples: {},
  operations: {
    'azure.provider.register': {
      input: { subscriptionId: SUBSCRIPTION, namespace: 'Microsoft.ContainerService' },
      references: {},
    },
    'azure.feature.register': { input: { subscriptionId: SUBSCRIPTION, feature: FEATURE }, references: {} },
    'azure.subnet.create': {
      input: { network: NETWORK_ID, name: 'spare', prefix: '10.226.0.0/24', delegation: 'Microsoft.Web/serverFarms' },
      references: { network: targetOf(NETWORK_ID, 'VirtualNetwork') },
    },
    'azure.subnet.delete': {
      input: { subnet: ACI_SUBNET_ID },
      references: { subnet: targetOf(ACI_SUBNET_ID, 'Subnet') },
    },
    'azure.roleAssignment.create': {
      input: { scope: NETWORK_ID, role: 'Reader', principalId: '22222222-0000-4000-8000-000000000002' },
      references: { scope: targetOf(NETWORK_ID, 'VirtualNetwork') },
    },
    'azure.roleAssignment.delete': {
      input: { assignment: ASSIGNMENT_ID },
      references: { assignment: targetOf(ASSIGNMENT_ID, 'RoleAssignment') },
    },
  },
  world() {
    const { arm } = new VirtualNodesWorld();
    arm.add(assignmentBody());
    const subscription = `/subscriptions/${SUBSCRIPTION}/providers`;
    arm.set(`${subscription}/Microsoft.ContainerService`, { registrationState: 'Registered' });
    arm.set(`${subscription}/Microsoft.Features/providers/Microsoft.ContainerService/features/SomePreview`, {
      name: FEATURE,
      properties: { state: 'NotRegistered' },
    });
    return { system: createAzureSystem(arm.azure()), subscriptionId: SUBSCRIPTION, absent: [] };
  },
});
