import { describe, expect, it } from '@jest/globals';
import { CLUSTER_ID, SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import { FakeArm, refusal, type FakeAnswer } from '#libs/testing/fake-arm.js';
import { createAksAccess } from './aks.access.js';

const call = { correlationId: 'c', signal: new AbortController().signal };
const KUBECONFIG = 'apiVersion: v1\nkind: Config\n';
const GOOD = { status: 200, body: { kubeconfigs: [{ name: 'clusterUser', value: btoa(KUBECONFIG) }] } };
const HUB_CLUSTER = `/subscriptions/${SUBSCRIPTION}/resourceGroups/FL_rg_f_eastus/providers/Microsoft.ContainerService/managedClusters/hub`;

function ask(answer: FakeAnswer, id: string = CLUSTER_ID) {
  const arm = new FakeArm();
  arm.answer('POST', /listClusterUserCredential$/, answer);
  const asked = createAksAccess(arm.azure()).kubeconfig({ uid: 'u', id, kind: 'ManagedCluster' }, call);
  return { arm, asked };
}

describe('createAksAccess', () => {
  it('gives the kubeconfig of a user, never that of the administrator', async () => {
    const { arm, asked } = ask(GOOD);
    const given = await asked;
    expect(given?.kubeconfig.reveal()).toBe(KUBECONFIG);
    expect(arm.requests.map(({ path }) => path)).toEqual([`${CLUSTER_ID}/listClusterUserCredential`]);
    expect(arm.requests[0]?.query.get('api-version')).toMatch(/^\d{4}-\d\d-\d\d$/);
  });

  it.each([
    { id: HUB_CLUSTER, reason: "a hub's own cluster is Azure's" },
    { id: `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg`, reason: 'another type' },
    { id: 'attached', reason: 'no ARM id' },
  ])('has none: $reason', async ({ id }) => {
    const { arm, asked } = ask(GOOD, id);
    await expect(asked).resolves.toBeUndefined();
    expect(arm.requests).toEqual([]);
  });

  it.each([
    { answer: refusal(400, 'BadRequest', 'stopped'), code: 'CLUSTER_ACCESS_MISSING', reason: 'Azure gives none now' },
    { answer: refusal(409, 'OperationNotAllowed', 'x'), code: 'CLUSTER_ACCESS_MISSING', reason: 'nor in this state' },
    { answer: refusal(403, 'AuthorizationFailed', ''), code: 'AZURE_FORBIDDEN', reason: 'the role is missing' },
    { answer: refusal(404, 'ResourceNotFound', ''), code: 'AZURE_NOT_FOUND', reason: 'there is no such cluster' },
    { answer: { status: 200, body: null }, code: 'AZURE_UNEXPECTED_ANSWER', reason: 'an empty answer' },
  ])('fails with $code: $reason', async ({ answer, code }) => {
    await expect(ask(answer).asked).rejects.toMatchObject({ code });
  });
});
