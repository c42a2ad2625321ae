import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { AZURE_SENTENCES as AZURE, presentRefusal, refusedPod } from '#libs/testing/provider-refusal-samples.js';
import { providerRefusal } from './provider-refusal.js';
import { providerRemedies, type RefusalScene } from './provider-remedy.js';
import type { PullSecret } from './pull-secret.js';

const WORKLOAD = 'kubernetes://c/apps/Deployment/web/web';
const DELETE = 'kubernetes.object.delete';
const SUBNET =
  '/subscriptions/5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3/resourceGroups/demo/providers/Microsoft.Network/virtualNetworks/vnet/subnets/aci';

function remediesOf(message: string, change: Partial<RefusalScene> = {}) {
  const podSpec = change.podSpec ?? { containers: [] };
  const refusal = providerRefusal(refusedPod(message, podSpec));
  if (refusal === undefined) throw new Error('It was not refused');
  return providerRemedies(refusal, {
    cluster: 'c',
    namespace: 'web',
    pods: ['web-1', 'web-2'],
    workload: WORKLOAD,
    pullSecrets: undefined,
    podSpec,
    ...change,
  });
}

const typesOf = (remedies: ReturnType<typeof remediesOf>): string[][] =>
  remedies.map(({ operations }) => operations.map(({ type }) => type));

describe('what is offered against a refusal', () => {
  it.each([
    { azureCode: 'ContainerGroupQuotaReached', message: AZURE.quota, types: [[], [DELETE, DELETE]] },
    { azureCode: 'ServiceUnavailable', message: AZURE.capacity, types: [[], [DELETE, DELETE]] },
    { azureCode: 'SubnetIsFull', message: AZURE.subnet, types: [[], [DELETE, DELETE]] },
    { azureCode: 'ServerTimeout', message: AZURE.timeout, types: [[DELETE, DELETE]] },
    {
      azureCode: 'AuthorizationFailed',
      message: AZURE.rights,
      types: [['azure.roleAssignment.create', DELETE, DELETE]],
    },
    {
      azureCode: 'LinkedAuthorizationFailed',
      message: AZURE.linkedRights,
      types: [['azure.roleAssignment.create', DELETE, DELETE]],
    },
    { azureCode: 'SomethingNew', message: 'x', types: [[DELETE, DELETE]] },
  ])('$azureCode', ({ azureCode, message, types }) => {
    expect(typesOf(remediesOf(presentRefusal(400, azureCode, message)))).toEqual(types);
  });

  it('deletes no pod that nobody makes anew', () => {
    const remedies = remediesOf(presentRefusal(503, 'ServerTimeout', AZURE.timeout), { workload: undefined });
    expect(typesOf(remedies)).toEqual([[]]);
  });

  it('deletes no pod whose like would be refused again', () => {
    expect(typesOf(remediesOf('ACI does not support lifecycle hooks'))).toEqual([[]]);
  });

  it('gives the connector its role on the network', () => {
    const [{ operations }] = remediesOf(presentRefusal(403, 'LinkedAuthorizationFailed', AZURE.linkedRights));
    expect(operations[0]?.input).toEqual({
      scope: SUBNET,
      role: 'NetworkContributor',
      principalId: '45ddc48f-bbc5-4b29-9dca-5d0ce944f836',
    });
  });

  it('gives the connector its role in the node resource group', () => {
    const [{ operations }] = remediesOf(presentRefusal(403, 'AuthorizationFailed', AZURE.rights));
    expect(operations[0]?.input).toEqual({
      resourceGroup: expect.stringMatching(/\/resourceGroups\/MC_demo[^/]*$/),
      role: 'ContainerInstancesContributor',
      principalId: expect.stringMatching(/^[-0-9a-f]{36}$/),
    });
  });

  it('names the group in which people have to give the role to whom the words do not name', () => {
    const nameless = AZURE.rights.replace(/object id '[^']*'/g, "object id 'x'");
    const [{ description, operations }] = remediesOf(presentRefusal(403, 'AuthorizationFailed', nameless));
    expect(description).toContain('/resourceGroups/MC_demo');
    expect(operations).toEqual([]);
  });

  it('raises the requests to the limits, and touches nothing else of the containers', () => {
    const env = [{ name: 'PASSWORD', value: 'hidden' }];
    const podSpec = {
      containers: [
        {
          name: 'web',
          env,
          resources: { requests: { cpu: '500m', memory: '1G' }, limits: { cpu: '2', memory: '3G' } },
        },
        { name: 'side', resources: { requests: { cpu: '100m', memory: '100M' } } },
      ],
    };
    const message = presentRefusal(400, 'ContainerLimitGreaterThanContainerGroupTotalRequest', AZURE.limits);
    const [{ operations }] = remediesOf(message, { podSpec });
    expect(operations).toEqual([
      {
        type: 'kubernetes.workload.patch',
        input: {
          workload: WORKLOAD,
          patch: JSON.stringify({
            spec: {
              template: {
                spec: { containers: [{ name: 'web', resources: { requests: { cpu: '2', memory: '3G' } } }] },
              },
            },
          }),
          mergeContainers: true,
        },
      },
    ]);
  });
});

describe('what is offered where an image is not accessible', () => {
  const named = (...names: string[]): JsonObject => ({ imagePullSecrets: names.map((name) => ({ name })) });
  const good: PullSecret = { name: 'good', servers: ['shop.azurecr.io'] };
  const address: PullSecret = { name: 'address', servers: ['https://shop.azurecr.io/v1/'] };

  it.each<{ reason: string; podSpec: JsonObject; secrets: PullSecret[] | undefined; says: string; patched: string[] }>([
    { reason: 'nobody may see', podSpec: {}, secrets: undefined, says: 'shop.azurecr.io alone', patched: [] },
    { reason: 'there is none', podSpec: {}, secrets: [], says: 'kubernetes.registrySecret.create', patched: [] },
    { reason: 'one is there', podSpec: {}, secrets: [address, good], says: 'good', patched: ['good'] },
    {
      reason: 'another would do',
      podSpec: named('address'),
      secrets: [address, good],
      says: 'good',
      patched: ['address', 'good'],
    },
    {
      reason: 'the other images want one as well',
      podSpec: { containers: [{ image: 'tools.azurecr.io/side:1' }] },
      secrets: [good, { name: 'tools', servers: ['tools.azurecr.io'] }],
      says: 'good, tools',
      patched: ['good', 'tools'],
    },
    {
      reason: 'it is written as an address',
      podSpec: named('address'),
      secrets: [address],
      says: 'https://shop.azurecr.io/v1/',
      patched: [],
    },
    {
      reason: 'it is not there',
      podSpec: named('gone'),
      secrets: [good],
      says: 'gone, which is not there',
      patched: [],
    },
    { reason: 'it fits and is not accepted', podSpec: named('good'), secrets: [good], says: 'renew', patched: [] },
  ])('$reason', ({ podSpec, secrets, says, patched }) => {
    const message = presentRefusal(400, 'InaccessibleImage', AZURE.image);
    const [{ description, operations }] = remediesOf(message, { podSpec, pullSecrets: secrets });
    expect(description).toContain(says);
    const imagePullSecrets = patched.map((name) => ({ name }));
    expect(operations).toEqual(
      patched.length === 0
        ? []
        : [
            {
              type: 'kubernetes.workload.patch',
              input: {
                workload: WORKLOAD,
                patch: JSON.stringify({ spec: { template: { spec: { imagePullSecrets } } } }),
              },
            },
          ],
    );
  });
});
