import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { node, watchedCluster } from '#libs/testing/kubernetes-samples.js';
import { nodeKind, observeNode, withRequests } from './node.kind.js';

const cluster = watchedCluster();
const reading = { cluster, observedAt: new Date('2026-01-01T00:00:00Z'), source: 'WATCH' as const };

describe('observeNode', () => {
  it('gives the node in its cluster', () => {
    expect(observeNode(node('node-1'), reading)).toMatchObject({
      kind: 'Node',
      id: `kubernetes://${cluster.uid}/core/Node/node-1`,
      name: 'node-1',
      location: 'eastus',
      subscriptionId: cluster.subscriptionId,
      resourceGroup: cluster.resourceGroup,
      clusterUid: cluster.uid,
      namespace: null,
      provisioningState: null,
      health: { state: 'Healthy', reason: null },
      tags: { 'kubernetes.azure.com/agentpool': 'nodepool1' },
      etag: '7',
      source: 'WATCH',
      relations: [],
    });
  });

  it('is the same state after another heartbeat, and with other images on its disk', () => {
    const later = node('node-1', {
      metadata: { resourceVersion: '8' },
      status: {
        conditions: [
          { type: 'MemoryPressure', status: 'False', lastHeartbeatTime: '2026-01-01T00:05:00Z' },
          { type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime: '2026-01-01T00:05:00Z' },
        ],
        images: [],
      },
    });
    expect(observeNode(later, reading).properties).toEqual(observeNode(node('node-1'), reading).properties);
  });

  it('keeps what it does not know', () => {
    const strange = node('node-1', { status: { futureField: { nested: 1 } } });
    expect(observeNode({ ...strange, future: true }, reading).properties).toMatchObject({
      future: true,
      status: { futureField: { nested: 1 } },
    });
  });

  it.each([
    { change: {}, state: 'Healthy', reason: 'it is ready' },
    { change: { spec: { unschedulable: true } }, state: 'Healthy', reason: 'it is cordoned on purpose' },
    {
      change: { status: { conditions: [{ type: 'Ready', status: 'False', reason: 'KubeletNotReady' }] } },
      state: 'Degraded',
      reason: 'it says that it is not ready',
    },
    {
      change: { status: { conditions: [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }] } },
      state: 'Degraded',
      reason: 'it has fallen silent',
    },
    {
      change: {
        status: {
          conditions: [
            { type: 'Ready', status: 'True' },
            { type: 'DiskPressure', status: 'True' },
          ],
        },
      },
      state: 'Degraded',
      reason: 'its disk is full',
    },
    { change: { status: { conditions: [] } }, state: 'Unknown', reason: 'it has said nothing' },
    {
      change: { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } },
      state: 'Progressing',
      reason: 'it is being deleted',
    },
  ])('is $state when $reason', ({ change, state }) => {
    expect(observeNode(node('node-1', change), reading).health.state).toBe(state);
  });

  it('says why a cordoned or a failed node is as it is', () => {
    expect(observeNode(node('n', { spec: { unschedulable: true } }), reading).health.reason).toMatch(/cordoned/);
    const conditions = [{ type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: 'no CNI' }];
    expect(observeNode(node('n', { status: { conditions } }), reading).health.reason).toBe('KubeletNotReady: no CNI');
  });
});

describe('what the pods request', () => {
  const requested = { cpuMillicores: 250, memoryBytes: 64, pods: 1 };

  it('stands beside what Kubernetes has, and can be replaced and withdrawn', () => {
    const observed = observeNode(node('node-1'), reading);
    const known = withRequests(observed, requested);
    expect(nodeKind.describe(known.properties)).toMatchObject({ requested });
    expect(withRequests(known, { ...requested, pods: 2 }).properties.requested).toMatchObject({ pods: 2 });
    expect(withRequests(known, undefined)).toEqual(observed);
  });
});

describe('the typed view of a node', () => {
  it('has what it is and what it has', () => {
    expect(
      nodeKind.describe(node('node-1', { spec: { taints: [{ key: 'a', value: 'b', effect: 'NoSchedule' }] } })),
    ).toEqual({
      ready: true,
      roles: ['agent'],
      pool: 'nodepool1',
      kubeletVersion: 'v1.33.5',
      containerRuntime: 'containerd://1.7.25',
      osImage: 'Ubuntu 22.04',
      os: 'linux',
      architecture: 'amd64',
      instanceType: 'Standard_DS2_v2',
      zone: 'eastus-1',
      internalIp: '10.0.0.4',
      unschedulable: false,
      taints: [{ key: 'a', value: 'b', effect: 'NoSchedule' }],
      capacity: { cpuMillicores: 2000, memoryBytes: 7 * 2 ** 30, pods: 30 },
      allocatable: { cpuMillicores: 1900, memoryBytes: 5 * 2 ** 30, pods: 30 },
      requested: null,
      pressures: [],
      conditions: [expect.objectContaining({ type: 'MemoryPressure' }), expect.objectContaining({ type: 'Ready' })],
      virtual: { nature: 'none', recognizedBy: null },
    });
  });

  it('has roles as kubectl shows them', () => {
    const labels = {
      'node-role.kubernetes.io/control-plane': '',
      'node-role.kubernetes.io/': 'x',
      'kubernetes.io/role': 'agent',
    };
    expect(nodeKind.describe(node('n', { metadata: { labels } })).roles).toEqual(['agent', 'control-plane']);
  });

  it('reads the labels of before', () => {
    const labels = {
      agentpool: 'p',
      'beta.kubernetes.io/instance-type': 't',
      'failure-domain.beta.kubernetes.io/zone': 'z',
    };
    expect(nodeKind.describe(node('n', { metadata: { labels } }))).toMatchObject({
      pool: 'p',
      instanceType: 't',
      zone: 'z',
    });
  });

  const providerTaint = [{ key: 'virtual-kubelet.io/provider', value: 'azure', effect: 'NoSchedule' }];
  it.each([
    { name: 'aks-nodepool1-1-vmss000000', labels: {}, taints: [], nature: 'none', by: null, reason: 'a machine' },
    {
      name: 'virtual-node-aci-linux',
      labels: { type: 'virtual-kubelet' },
      taints: providerTaint,
      nature: 'aci-connector-addon',
      by: 'the label type=virtual-kubelet and the name virtual-node-aci-linux',
      reason: 'the add-on',
    },
    {
      name: 'virtual-node-aci-linux',
      labels: {},
      taints: providerTaint,
      nature: 'aci-connector-addon',
      by: 'the taint virtual-kubelet.io/provider and the name virtual-node-aci-linux',
      reason: 'the add-on without its label',
    },
    {
      name: 'virtual-node-aci-linux',
      labels: {},
      taints: [],
      nature: 'none',
      by: null,
      reason: 'no more than a name',
    },
    {
      name: 'virtual-kubelet-aci-connector-linux-eastus',
      labels: { type: 'virtual-kubelet' },
      taints: [{ key: 'azure.com/aci', effect: 'NoSchedule' }],
      nature: 'virtual-kubelet',
      by: 'the name virtual-kubelet-aci-connector-linux-eastus',
      reason: 'the early connector',
    },
    {
      name: 'burst',
      labels: {},
      taints: [{ key: 'azure.com/aci', effect: 'NoSchedule' }],
      nature: 'virtual-kubelet',
      by: 'the taint azure.com/aci',
      reason: 'the early connector under another name',
    },
    {
      name: 'virtualnode-0',
      labels: { virtualization: 'virtualnode2', type: 'virtual-kubelet' },
      taints: providerTaint,
      nature: 'virtual-nodes',
      by: 'the label virtualization=virtualnode2',
      reason: 'the Helm chart, which has the taint of the add-on as well',
    },
    {
      name: 'elsewhere',
      labels: { type: 'virtual-kubelet' },
      taints: [],
      nature: 'virtual-kubelet',
      by: 'the label type=virtual-kubelet',
      reason: 'another provider',
    },
  ])('is virtual as $nature: $reason', ({ name, labels, taints, nature, by }) => {
    expect(nodeKind.describe(node(name, { metadata: { labels }, spec: { taints } })).virtual).toEqual({
      nature,
      recognizedBy: by,
    });
  });

  it('of one with more than an integer can hold', () => {
    const capacity: JsonObject = { cpu: '10k', memory: '4Ti', pods: '99999999999' };
    expect(nodeKind.describe(node('n', { status: { capacity } })).capacity).toEqual({
      cpuMillicores: 10_000_000,
      memoryBytes: 4 * 2 ** 40,
      pods: 2 ** 31 - 1,
    });
  });
});
