import { describe, expect, it } from '@jest/globals';
import { FakeArm, refusal, type FakeAnswer } from '#libs/testing/fake-arm.js';
import { CLUSTER_1, HUB } from '#libs/testing/fleet-hub-samples.js';
import { createFleetAccess } from './fleet.access.js';

const call = { correlationId: 'c', signal: new AbortController().signal };
const KUBECONFIG = 'apiVersion: v1\nkind: Config\n';
const GOOD = { status: 200, body: { kubeconfigs: [{ name: 'clusterUser', value: btoa(KUBECONFIG) }] } };

function ask(answer: FakeAnswer, cluster = HUB) {
  const arm = new FakeArm();
  arm.answer('POST', /listCredentials$/, answer);
  return createFleetAccess(arm.azure()).kubeconfig(cluster, call);
}

describe('createFleetAccess', () => {
  it('gives the kubeconfig of the hub', async () => {
    const given = await ask(GOOD);
    expect(given?.kubeconfig.reveal()).toBe(KUBECONFIG);
    expect(given?.origin).toBe('azure');
    expect(JSON.stringify(given)).not.toContain('Config');
  });

  it.each([
    { cluster: CLUSTER_1, reason: 'a managed cluster' },
    { cluster: { ...HUB, id: 'attached' }, reason: 'no ARM id' },
  ])('has none for $reason', async ({ cluster }) => {
    await expect(ask(GOOD, cluster)).resolves.toBeUndefined();
    expect(createFleetAccess(new FakeArm().azure()).kinds).toEqual(['Fleet']);
  });

  it.each([
    { answer: refusal(400, 'BadRequest', 'no hub'), code: 'CLUSTER_ACCESS_MISSING', reason: 'a fleet without a hub' },
    { answer: refusal(409, 'Conflict', 'creating'), code: 'CLUSTER_ACCESS_MISSING', reason: 'the hub is being made' },
    {
      answer: refusal(403, 'AuthorizationFailed', ''),
      code: 'AZURE_FORBIDDEN',
      reason: 'the role is missing in Azure',
    },
    { answer: refusal(404, 'ResourceNotFound', ''), code: 'AZURE_NOT_FOUND', reason: 'there is no such fleet' },
    { answer: { status: 200, body: { kubeconfigs: [] } }, code: 'AZURE_UNEXPECTED_ANSWER', reason: 'an empty list' },
    { answer: { status: 200, body: {} }, code: 'AZURE_UNEXPECTED_ANSWER', reason: 'no list' },
  ])('fails with $code: $reason', async ({ answer, code }) => {
    await expect(ask(answer)).rejects.toMatchObject({ code });
  });
});
