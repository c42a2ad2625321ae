import { describe, expect, it } from '@jest/globals';
import { SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import {
  EDGE_CLUSTER,
  EDGE_INSTANCE,
  EDGE_POOL,
  edgeClusterBody,
  hciPoolBody,
  instanceBody,
} from '#libs/testing/aks-hci-samples.js';
import { FakeArm, refusal } from '#libs/testing/fake-arm.js';
import { targetOf } from '../contract/system.contract-suite.js';
import { AksHciClient } from './aks-hci.client.js';
import { AksHciCollector } from './aks-hci.collector.js';

const call = { correlationId: 'c', signal: new AbortController().signal };

function world(...bodies: Parameters<FakeArm['add']>) {
  const arm = new FakeArm();
  arm.add(...bodies);
  const collector = new AksHciCollector(new AksHciClient(arm.azure()));
  const [scope] = collector.scopes([SUBSCRIPTION]);
  return {
    arm,
    collector,
    async collect() {
      const run = collector.collect(scope!, call);
      const seen: string[] = [];
      for (;;) {
        const next = await run.next();
        if (next.done === true) return { seen, outcome: next.value };
        seen.push(...next.value.map(({ kind, name }) => `${kind} ${name}`));
      }
    },
  };
}

describe('collecting what Azure made on Azure Stack HCI', () => {
  it('reads instance and pools below each connected cluster that was made for one', async () => {
    const other = { ...edgeClusterBody(), id: `${EDGE_CLUSTER}2`, kind: null };
    const { arm, collect } = world(edgeClusterBody(), other, instanceBody(), hciPoolBody());
    expect(await collect()).toEqual({
      seen: ['ProvisionedCluster edge01', 'ProvisionedAgentPool linuxpool'],
      outcome: { state: 'complete' },
    });
    expect(arm.requests.some(({ path }) => path.startsWith(`${EDGE_CLUSTER}2`))).toBe(false);
  });

  it('is complete where an instance is not there yet', async () => {
    expect(await world(edgeClusterBody()).collect()).toEqual({ seen: [], outcome: { state: 'complete' } });
  });

  it.each([
    { path: /provisionedClusterInstances\/default$/, seen: [], reason: 'the instance' },
    { path: /agentPools$/, seen: [], reason: 'its pools' },
  ])('is partial where Azure does not give $reason', async ({ path, seen }) => {
    const { arm, collect } = world(edgeClusterBody(), instanceBody(), hciPoolBody());
    arm.answer('GET', path, refusal(403, 'AuthorizationFailed', 'no'));
    expect(await collect()).toMatchObject({
      seen,
      outcome: { state: 'partial', problem: { code: 'AZURE_FORBIDDEN' } },
    });
  });

  it('keeps the instance where a pool cannot be understood', async () => {
    const { arm, collect } = world(edgeClusterBody(), instanceBody());
    arm.answer('GET', /agentPools$/, { status: 200, body: { value: [{ name: 'nobody' }, hciPoolBody()] } });
    expect(await collect()).toMatchObject({
      seen: ['ProvisionedCluster edge01', 'ProvisionedAgentPool linuxpool'],
      outcome: { state: 'partial', problem: { code: 'AZURE_UNEXPECTED_ANSWER' } },
    });
  });

  it('looks at one object with the place of its connected cluster', async () => {
    const { collector } = world(edgeClusterBody(), instanceBody(), hciPoolBody());
    for (const [id, kind] of [
      [EDGE_INSTANCE, 'ProvisionedCluster'],
      [EDGE_POOL, 'ProvisionedAgentPool'],
    ] as const) {
      const seen = await collector.observe(targetOf(id, kind), call);
      expect(seen).toMatchObject({ state: 'present', observations: [{ kind, location: 'eastus' }] });
    }
  });

  it('says that a pool is gone, and refuses what is not its own', async () => {
    const { collector } = world(edgeClusterBody(), instanceBody());
    expect(await collector.observe(targetOf(EDGE_POOL, 'ProvisionedAgentPool'), call)).toMatchObject({
      state: 'absent',
    });
    await expect(collector.observe(targetOf(EDGE_CLUSTER, 'ConnectedCluster'), call)).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    });
  });
});
