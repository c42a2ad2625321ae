import { describe, expect, it } from '@jest/globals';
import { EDGE_CLUSTER, EDGE_INSTANCE } from '#libs/testing/aks-hci-samples.js';
import { CLUSTER_ID } from '#libs/testing/aks-samples.js';
import { FakeArm, refusal, type FakeAnswer } from '#libs/testing/fake-arm.js';
import { createAksHciAccess } from './aks-hci.access.js';

const call = { correlationId: 'c', signal: new AbortController().signal };
const KUBECONFIG = 'apiVersion: v1\nkind: Config\n';
const STATUS_PATH = '/providers/Microsoft.HybridContainerService/locations/EASTUS/operationStatuses/1*AB';
const STATUS_URL = `http://127.0.0.1:1${STATUS_PATH}?api-version=2024-01-01`;
const ACCEPTED: FakeAnswer = { status: 202, headers: { 'azure-asyncoperation': STATUS_URL, location: STATUS_URL } };
const ENDED: FakeAnswer = {
  status: 200,
  body: {
    id: STATUS_PATH,
    status: 'Succeeded',
    properties: { kubeconfigs: [{ name: 'clusterUser', value: btoa(KUBECONFIG) }] },
  },
};

function ask(polls: FakeAnswer[], given: { first?: FakeAnswer; id?: string } = {}) {
  const arm = new FakeArm();
  const pauses: number[] = [];
  arm.answer('POST', /listUserKubeconfig$/, given.first ?? ACCEPTED);
  const left = [...polls];
  arm.answer('GET', /operationStatuses/, () => (left.length > 1 ? left.shift()! : left[0]!));
  const access = createAksHciAccess(arm.azure(), (milliseconds) => {
    pauses.push(milliseconds);
    return Promise.resolve();
  });
  const asked = access.kubeconfig({ uid: 'u', id: given.id ?? EDGE_CLUSTER, kind: 'ConnectedCluster' }, call);
  return { arm, asked, pauses };
}

const running: FakeAnswer = { status: 200, body: { status: 'Accepted' } };

describe('the credential of a cluster on Azure Stack HCI', () => {
  it('comes in the status of the operation, although a Location is named too', async () => {
    const { arm, asked, pauses } = ask([running, ENDED]);
    expect((await asked)?.kubeconfig.reveal()).toBe(KUBECONFIG);
    expect(arm.requests[0]?.path).toBe(`${EDGE_INSTANCE}/listUserKubeconfig`);
    expect(pauses).toEqual([7000]);
  });

  it.each([
    { id: CLUSTER_ID, reason: 'another type' },
    { id: 'attached', reason: 'no ARM id' },
  ])('is none: $reason', async ({ id }) => {
    const { arm, asked } = ask([ENDED], { id });
    await expect(asked).resolves.toBeUndefined();
    expect(arm.requests).toEqual([]);
  });

  it('is none of a connected cluster that Azure did not make', async () => {
    const { asked } = ask([ENDED], { first: refusal(404, 'ResourceNotFound', 'no such instance') });
    await expect(asked).resolves.toBeUndefined();
  });

  it.each([
    {
      first: refusal(400, 'ClusterNotReady', 'Creating'),
      polls: [ENDED],
      code: 'CLUSTER_ACCESS_MISSING',
      reason: 'too early',
    },
    { first: refusal(403, 'AuthorizationFailed', ''), polls: [ENDED], code: 'AZURE_FORBIDDEN', reason: 'no role' },
    {
      polls: [{ status: 200, body: { status: 'Failed', error: { code: 'X', message: 'y' } } }],
      code: 'CLUSTER_ACCESS_MISSING',
      reason: 'the host could not be asked',
    },
    { polls: [refusal(404, 'NotFound', '')], code: 'CLUSTER_ACCESS_MISSING', reason: 'the operation was forgotten' },
    {
      polls: [{ status: 200, body: { status: 'Canceled' } }],
      code: 'CLUSTER_ACCESS_MISSING',
      reason: 'it was canceled',
    },
    { polls: [running], code: 'AZURE_TIMEOUT', reason: 'it takes for ever' },
    {
      polls: [{ status: 200, body: { status: 'Succeeded' } }],
      code: 'AZURE_UNEXPECTED_ANSWER',
      reason: 'nothing came',
    },
  ])('fails with $code: $reason', async ({ first, polls, code }) => {
    const { asked } = ask(polls, first === undefined ? {} : { first });
    await expect(asked).rejects.toMatchObject({ code });
  });
});
