import { SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import { FakeArm } from '#libs/testing/fake-arm.js';
import { describeSystem } from '../contract/system.contract-suite.js';
import { createAzureSystem } from './azure.module.js';

const FEATURE = 'Microsoft.ContainerService/SomePreview';

describeSystem('azure', {
  otherKinds: ['Subscription'],
  samples: {},
  operations: {
    'azure.feature.register': { input: { subscriptionId: SUBSCRIPTION, feature: FEATURE }, references: {} },
  },
  world() {
    const arm = new FakeArm();
    const subscription = `/subscriptions/${SUBSCRIPTION}/providers`;
    arm.set(`${subscription}/Microsoft.ContainerService`, { registrationState: 'Registered' });
    arm.set(`${subscription}/Microsoft.Features/providers/Microsoft.ContainerService/features/SomePreview`, {
      name: FEATURE,
      properties: { state: 'NotRegistered' },
    });
    return { system: createAzureSystem(arm.azure()), subscriptionId: SUBSCRIPTION, absent: [] };
  },
});
