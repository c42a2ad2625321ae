import { describe, expect, it } from '@jest/globals';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { CONNECTED_ID, agentConfiguration, agentDeployment, connectedBody } from '#libs/testing/arc-samples.js';
import { FakeArm } from '#libs/testing/fake-arm.js';
import { FakeKube, type FakeCluster } from '#libs/testing/fake-kube.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
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

const azureRefuses = (cluster: FakeCluster): void => {
  cluster.refuse({}, new ControlError('AZURE_FORBIDDEN', 'It may list no kubeconfig.'));
};
const throttled = (cluster: FakeCluster): void => {
  cluster.refuse({}, new ControlError('KUBERNETES_THROTTLED', 'Later.'));
};
const nodeAt = (providerID: string): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node-0' },
  spec: { providerID },
});

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
    { arrange: azureRefuses, found: [], reason: 'the way into it leads by Azure, which refuses it' },
    { arrange: throttled, found: [], reason: 'it asks for patience' },
    {
      arrange: (cluster) => cluster.add(nodeAt('azure:///subscriptions/s/resourceGroups/g/virtualMachines/0')),
      found: [],
      reason: 'its nodes are of Azure',
    },
    {
      arrange: (cluster) => cluster.add(nodeAt('moc://node-0')),
      found: ['info CLUSTER_NOT_IN_AZURE'],
      reason: 'its nodes are of Azure Stack HCI',
    },
  ])('is $found when $reason', async ({ arrange, found }) => {
    expect(await advised('AttachedCluster', ATTACHED_ID, arrange)).toEqual(found);
  });

  it.each([
    'demo-x.hcp.eastus.azmk8s.io:443',
    'https://demo-x.hcp.chinanorth3.cx.prod.service.azk8s.cn:443',
    'demo-x.hcp.usgovvirginia.aks.containerservice.azure.us',
  ])('is none when AKS runs it at %s', async (server) => {
    expect(await advised('AttachedCluster', ATTACHED_ID, () => undefined, { cached: { server } })).toEqual([]);
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
    {
      arrange: (cluster) => {
        const list = { verb: 'list', kind: 'ClusterRoleBinding' } as const;
        cluster.add(agentDeployment('config-agent')).refuse(list, new ControlError('KUBERNETES_FORBIDDEN', 'no'));
      },
      found: ['error AGENTS_WITHOUT_IDENTITY'],
      reason: 'the bindings that count are read by their names, not listed',
    },
    {
      arrange: (cluster) => cluster.add(agentDeployment('config-agent'), agentConfiguration('another')),
      found: [],
      reason: 'the agents that are ill are those of another cluster',
    },
  ])('is $found when $reason', async ({ arrange, found }) => {
    expect(await advised('ConnectedCluster', CONNECTED_ID, arrange)).toEqual(found);
  });

  const connecting = { connectivityStatus: 'Connecting', lastConnectivityTime: null };
  it.each([
    { arrange: azureRefuses, reason: 'Azure refuses the way into it' },
    { arrange: throttled, reason: 'it asks for patience' },
  ])('does not need the cluster to know that no agents have reported: $reason', async ({ arrange }) => {
    const systemData = { createdAt: '2020-01-01T00:00:00Z' };
    const body = {
      ...connectedBody({ connectivityStatus: 'AgentNotInstalled', lastConnectivityTime: null }),
      systemData,
    };
    const cached = { connectivityStatus: 'AgentNotInstalled' };
    expect(await advised('ConnectedCluster', CONNECTED_ID, arrange, { cached, body })).toEqual([
      'error AGENTS_NEVER_REPORTED',
    ]);
  });

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
