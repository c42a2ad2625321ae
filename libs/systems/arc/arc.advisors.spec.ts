import { describe, expect, it } from '@jest/globals';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { CONNECTED_ID, agentConfiguration, agentDeployment, connectedBody } from '#libs/testing/arc-samples.js';
import { FakeArm } from '#libs/testing/fake-arm.js';
import { FakeKube, type FakeCluster } from '#libs/testing/fake-kube.js';
import type { KnownObject } from '../contract/advice.js';
import { targetOf } from '../contract/system.contract-suite.js';
import { createArcSystem } from './arc.module.js';

const ATTACHED_ID = '/providers/Pilothouse.Clusters/attachedClusters/edge';

/** The codes that the advisors of the kind give. */
async function advised(
  kind: string,
  id: string,
  arrange: (cluster: FakeCluster) => void,
  azure: { cached?: JsonObject; body?: JsonObject } = {},
): Promise<string[]> {
  const kube = new FakeKube();
  const arm = new FakeArm();
  if (azure.body !== undefined) arm.add(azure.body);
  const target = targetOf(id, kind);
  arrange(kube.cluster(target.uid));
  const object: KnownObject = {
    ...target,
    name: 'edge',
    clusterUid: null,
    namespace: null,
    properties: azure.cached ?? { server: 'edge.example.com:6443' },
  };
  const context = {
    correlationId: 'advice',
    signal: new AbortController().signal,
    inCluster: () => Promise.resolve([]),
  };
  const advisors = (createArcSystem(arm.azure(), kube).advisors ?? []).filter((advisor) => advisor.kind === kind);
  const advice = await Promise.all(advisors.map((advisor) => advisor.advise(object, context)));
  expect(advisors).toHaveLength(1);
  return advice.flat().map(({ code, severity }) => `${severity} ${code}`);
}

const noAccess = (cluster: FakeCluster): void => {
  cluster.refuse({}, new ControlError('CLUSTER_ACCESS_MISSING', 'nobody gave it'));
};

describe('advice on an attached cluster', () => {
  it.each<{ arrange: (cluster: FakeCluster) => void; found: string[]; reason: string }>([
    { arrange: () => undefined, found: ['info CLUSTER_NOT_IN_AZURE'], reason: 'nobody has registered it' },
    {
      arrange: (cluster) => cluster.add(agentDeployment('config-agent'), agentConfiguration()),
      found: [],
      reason: 'its agents speak for a connected cluster',
    },
    {
      arrange: (cluster) => cluster.add(agentDeployment('config-agent', 0)),
      found: [],
      reason: 'its agents are being installed',
    },
    { arrange: noAccess, found: [], reason: 'nobody can look into it' },
  ])('is $found when $reason', async ({ arrange, found }) => {
    expect(await advised('AttachedCluster', ATTACHED_ID, arrange)).toEqual(found);
  });
});

describe('advice on a connected cluster', () => {
  it.each<{ arrange: (cluster: FakeCluster) => void; found: string[]; reason: string }>([
    {
      arrange: (cluster) => cluster.add(agentDeployment('config-agent')),
      found: ['error AGENTS_WITHOUT_IDENTITY'],
      reason: 'its agents have got no certificate',
    },
    {
      arrange: (cluster) =>
        cluster.add(agentDeployment('kube-aad-proxy', 0), {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 'azure-identity-certificate', namespace: 'azure-arc' },
        }),
      found: ['error PROXY_CERTIFICATE_MISSING'],
      reason: 'its proxy waits for a certificate',
    },
    { arrange: () => undefined, found: [], reason: 'it has no agents to be ill' },
    { arrange: noAccess, found: [], reason: 'nobody can look into it' },
  ])('is $found when $reason', async ({ arrange, found }) => {
    expect(await advised('ConnectedCluster', CONNECTED_ID, arrange)).toEqual(found);
  });

  const connecting = { connectivityStatus: 'Connecting', lastConnectivityTime: null };
  it.each<{ createdAt: string | null; change?: JsonObject; found: string[]; reason: string }>([
    {
      createdAt: '2020-01-01T00:00:00Z',
      found: ['error AGENTS_NEVER_REPORTED'],
      reason: 'it has been silent for long',
    },
    { createdAt: '2999-01-01T00:00:00.0000000Z', found: [], reason: 'agents may still come' },
    { createdAt: null, found: [], reason: 'nobody knows for how long' },
    { createdAt: 'then', found: [], reason: 'a time is no time' },
    {
      createdAt: '2020-01-01T00:00:00Z',
      change: { lastConnectivityTime: '2026-10-31T22:00:00Z' },
      found: [],
      reason: 'its agents have reported before',
    },
    {
      createdAt: '2020-01-01T00:00:00Z',
      change: { connectivityStatus: 'Connected' },
      found: [],
      reason: 'it has come in since it was last seen',
    },
  ])('is $found when it connects and $reason', async ({ createdAt, change, found }) => {
    const body = { ...connectedBody({ ...connecting, ...change }), systemData: { createdAt } };
    expect(await advised('ConnectedCluster', CONNECTED_ID, noAccess, { cached: connecting, body })).toEqual(found);
  });
});
