import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import {
  AZURE_SENTENCES as AZURE,
  earlyRefusal,
  middleRefusal,
  presentRefusal,
  refusedPod,
} from '#libs/testing/provider-refusal-samples.js';
import { PROVIDER_REFUSALS, providerRefusal } from './provider-refusal.js';

const SUBSCRIPTION = '/subscriptions/5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3';

interface AzureRow {
  code: string;
  status: number;
  azureCode: string;
  message: string;
  facts?: JsonObject;
  reason: string;
}

/** What Azure has answered, in its own words. */
const OF_AZURE: AzureRow[] = [
  {
    code: 'PROVIDER_IMAGE_INACCESSIBLE',
    status: 400,
    azureCode: 'InaccessibleImage',
    message: AZURE.image,
    facts: { image: 'shop.azurecr.io/web:1' },
    reason: 'no credential for the registry',
  },
  {
    code: 'PROVIDER_LIMITS_EXCEED_REQUESTS',
    status: 400,
    azureCode: 'ContainerLimitGreaterThanContainerGroupTotalRequest',
    message: AZURE.limits,
    facts: { resource: 'Cpu', container: 'web', limit: 2, totalRequest: 0.5 },
    reason: 'a limit above all requests',
  },
  {
    code: 'PROVIDER_LIMITS_EXCEED_REQUESTS',
    status: 400,
    azureCode: 'ContainerLimitGreaterThanContainerGroupTotalRequest',
    message:
      "The 'MemoryInGB' limit '1.5' in container 'helloworld' is greater than the total request '1' of container group 'default-helloworld'.",
    facts: { resource: 'MemoryInGB', container: 'helloworld', limit: 1.5, totalRequest: 1 },
    reason: 'the same of memory',
  },
  {
    code: 'PROVIDER_QUOTA_EXCEEDED',
    status: 400,
    azureCode: 'ContainerGroupQuotaReached',
    message: AZURE.quota,
    facts: { quota: 'StandardCores', region: 'eastus', limit: 10, used: 10, requested: 1 },
    reason: 'the cores of the region',
  },
  {
    code: 'PROVIDER_SUBNET_FULL',
    status: 400,
    azureCode: 'SubnetIsFull',
    message: AZURE.subnet,
    facts: { subnet: 'aci', addressPrefix: '10.0.2.0/24' },
    reason: 'no address is left',
  },
  {
    code: 'PROVIDER_NO_CAPACITY',
    status: 409,
    azureCode: 'ServiceUnavailable',
    message: AZURE.capacity,
    facts: { region: 'westus', cpuCores: 4, memoryGb: 16 },
    reason: 'no room for one so large',
  },
  {
    code: 'PROVIDER_TIMEOUT',
    status: 503,
    azureCode: 'ServiceUnavailable',
    message: 'The service is unavailable.',
    reason: 'the code alone does not tell of room',
  },
  {
    code: 'PROVIDER_RIGHTS_MISSING',
    status: 403,
    azureCode: 'AuthorizationFailed',
    message: AZURE.rights,
    facts: {
      objectId: '45ddc48f-bbc5-4b29-9dca-5d0ce944f836',
      action: 'Microsoft.ContainerInstance/containerGroups/write',
      scope: `${SUBSCRIPTION}/resourceGroups/MC_demo/providers/Microsoft.ContainerInstance/containerGroups/web-web-1`,
    },
    reason: 'no role on the node resource group',
  },
  {
    code: 'PROVIDER_RIGHTS_MISSING',
    status: 403,
    azureCode: 'LinkedAuthorizationFailed',
    message: AZURE.linkedRights,
    facts: {
      objectId: '45ddc48f-bbc5-4b29-9dca-5d0ce944f836',
      action: 'Microsoft.Network/virtualNetworks/subnets/join/action',
      scope: `${SUBSCRIPTION}/resourceGroups/demo/providers/Microsoft.Network/virtualNetworks/vnet/subnets/aci`,
    },
    reason: 'the right that it has is told of first',
  },
  { code: 'PROVIDER_TIMEOUT', status: 503, azureCode: 'ServerTimeout', message: AZURE.timeout, reason: 'no answer' },
  {
    code: 'PROVIDER_TIMEOUT',
    status: 502,
    azureCode: 'SomethingNew',
    message: 'Bad gateway.',
    reason: 'the status says that Azure is in trouble',
  },
  {
    code: 'PROVIDER_FAILED',
    status: 400,
    azureCode: 'SomethingNew',
    message: 'Nobody has seen this before.',
    reason: 'nobody knows it',
  },
];

/** What the connector says without asking Azure. */
const OF_CONNECTOR: { code: string; message: string; facts?: JsonObject; reason: string }[] = [
  {
    code: 'PROVIDER_POD_UNSUPPORTED',
    message:
      'ACI does not support providing args without specifying the command. Please supply both command and args to the pod spec.',
    reason: 'arguments alone',
  },
  { code: 'PROVIDER_POD_UNSUPPORTED', message: 'ACI does not support lifecycle hooks', reason: 'a hook' },
  { code: 'PROVIDER_POD_UNSUPPORTED', message: 'ACI does not support startupProbe', reason: 'a startup probe' },
  {
    code: 'PROVIDER_POD_UNSUPPORTED',
    message: 'azure container instances initContainers do not support ports',
    reason: 'an init container with ports',
  },
  {
    code: 'PROVIDER_POD_UNSUPPORTED',
    message: 'pod web-1 requires volume data which is of an unsupported type',
    reason: 'a claim',
  },
  {
    code: 'PROVIDER_POD_UNSUPPORTED',
    message: 'pod web-1 requires volume data which is of an unsupported type disk.csi.azure.com',
    reason: 'a disk by its driver',
  },
  {
    code: 'PROVIDER_POD_UNSUPPORTED',
    message: 'share name for AzureFile CSI driver data cannot be empty or nil',
    reason: 'a share without a name',
  },
  {
    code: 'PROVIDER_POD_UNSUPPORTED',
    message: 'probe must specify one of "exec" and "httpGet"',
    reason: 'a probe of a TCP port',
  },
  {
    code: 'PROVIDER_SECRET_UNUSABLE',
    message: 'error getting image pull secret',
    reason: 'one to pull with is missing',
  },
  {
    code: 'PROVIDER_SECRET_UNUSABLE',
    message: 'secret "regcred" not found',
    facts: { secret: 'regcred' },
    reason: 'the cluster names it',
  },
  {
    code: 'PROVIDER_SECRET_UNUSABLE',
    message: 'the secret store for AzureFile CSI driver data is not found',
    facts: { secret: 'store' },
    reason: 'that of a share',
  },
  {
    code: 'PROVIDER_SECRET_UNUSABLE',
    message: 'no username present in auth config for server: https://shop.azurecr.io',
    reason: 'it has no user',
  },
  { code: 'PROVIDER_TIMEOUT', message: 'context deadline exceeded', reason: 'Azure did not answer at all' },
  { code: 'PROVIDER_FAILED', message: '', reason: 'nothing is said' },
];

describe('what Azure refuses', () => {
  it.each(OF_AZURE)('$code: $reason', ({ code, status, azureCode, message, facts = {} }) => {
    const expected = { code, azureCode, said: message, facts };
    expect(providerRefusal(refusedPod(earlyRefusal(status, azureCode, message)))).toEqual(expected);
    expect(providerRefusal(refusedPod(middleRefusal(status, azureCode, message)))).toEqual(expected);
    expect(providerRefusal(refusedPod(presentRefusal(status, azureCode, message)))).toEqual(expected);
  });

  it('is told by the status alone where Azure gives no code', () => {
    const message = `PUT https://management.azure.com/x\n${'-'.repeat(80)}\nRESPONSE 504: 504 Gateway Timeout\nERROR CODE UNAVAILABLE\n${'-'.repeat(80)}\nResponse contained no body\n`;
    expect(providerRefusal(refusedPod(message))).toMatchObject({ code: 'PROVIDER_TIMEOUT', azureCode: '' });
  });

  it('is not lost where the words were cut off', () => {
    const message = presentRefusal(400, 'InaccessibleImage', AZURE.image);
    expect(providerRefusal(refusedPod(message.slice(0, message.indexOf('is not accessible'))))).toMatchObject({
      code: 'PROVIDER_IMAGE_INACCESSIBLE',
      azureCode: 'InaccessibleImage',
      facts: { image: 'shop.azurecr.io/web:1' },
    });
  });
});

describe('what the connector refuses', () => {
  it.each(OF_CONNECTOR)('$code: $reason', ({ code, message, facts = {} }) => {
    expect(providerRefusal(refusedPod(message))).toEqual({ code, azureCode: null, said: message, facts });
  });

  it('is not looked for in pods that fail otherwise', () => {
    const pod = { status: { phase: 'Failed', reason: 'Evicted', message: AZURE.quota } };
    expect(providerRefusal(pod)).toBeUndefined();
  });
});

it('has a row for each kind of refusal', () => {
  const codes = new Set([...OF_AZURE, ...OF_CONNECTOR].map(({ code }) => code));
  expect([...codes].sort()).toEqual(Object.keys(PROVIDER_REFUSALS).sort());
});

it('is documented, each kind', () => {
  const page = readFileSync(path.resolve(import.meta.dirname, '../../../docs/virtual-nodes.md'), 'utf8');
  for (const code of Object.keys(PROVIDER_REFUSALS)) expect(page).toContain(`\`${code}\``);
});
