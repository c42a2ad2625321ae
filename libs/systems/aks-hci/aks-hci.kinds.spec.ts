import { describe, expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import {
  EDGE_CLUSTER,
  EDGE_INSTANCE,
  EDGE_POOL,
  HOST,
  LOGICAL_NETWORK,
  hciPoolBody,
  instanceBody,
} from '#libs/testing/aks-hci-samples.js';
import {
  describeProvisionedCluster,
  describeProvisionedPool,
  observeProvisionedCluster,
  observeProvisionedPool,
} from './aks-hci.kinds.js';

const surroundings = { observedAt: new Date(0), source: 'ARM' as const, location: 'eastus' };

describe('a provisioned cluster', () => {
  it('has the name and the place of its connected cluster, and leads to it and to its host', () => {
    const observed = observeProvisionedCluster(instanceBody(), surroundings);
    expect(observed).toMatchObject({
      kind: 'ProvisionedCluster',
      name: 'edge01',
      location: 'eastus',
      clusterUid: ArmId.parse(EDGE_CLUSTER).uid,
      health: { state: 'Healthy', reason: null },
      relations: [
        { type: 'hosts', from: EDGE_INSTANCE.toLowerCase(), to: EDGE_CLUSTER.toLowerCase() },
        { type: 'placedOn', from: EDGE_INSTANCE.toLowerCase(), to: HOST.toLowerCase() },
      ],
    });
    expect(describeProvisionedCluster(observed.properties)).toEqual({
      kubernetesVersion: '1.29.7',
      currentState: 'Succeeded',
      controlPlaneCount: 3,
      controlPlaneVmSize: 'Standard_A4_v2',
      controlPlaneHostIp: '192.168.1.10',
      controlPlaneParts: [{ name: 'arc-agents', phase: 'provisioned', ready: true, errorMessage: null }],
      loadBalancerCount: 1,
      networkPolicy: 'calico',
      podCidr: '10.244.0.0/16',
      logicalNetworkIds: [LOGICAL_NETWORK],
      customLocationId: HOST,
      smbCsiDriver: true,
      nfsCsiDriver: false,
      azureHybridBenefit: 'False',
      nodeCount: 3,
      nodePoolCount: 2,
      errorMessage: null,
    });
  });

  it.each([
    {
      change: { provisioningState: 'Failed', status: { errorMessage: 'no IP' } },
      health: { state: 'Degraded', reason: 'no IP' },
      reason: 'its last operation failed',
    },
    {
      change: { provisioningState: 'Upgrading' },
      health: { state: 'Progressing', reason: expect.any(String) },
      reason: 'it is on its way',
    },
    {
      change: { status: { controlPlaneStatus: [{ name: 'metallb', ready: false, errorMessage: 'crashes' }] } },
      health: { state: 'Degraded', reason: 'metallb: crashes' },
      reason: 'a part does not work although all went well',
    },
    {
      change: { status: { controlPlaneStatus: [{ name: 'metallb', ready: false }] } },
      health: { state: 'Healthy', reason: null },
      reason: 'a part that is silent is not at fault',
    },
  ])('is $health.state: $reason', ({ change, health }) => {
    expect(observeProvisionedCluster(instanceBody(change), surroundings).health).toEqual(health);
  });
});

describe('a pool of it', () => {
  it('belongs to its cluster', () => {
    const observed = observeProvisionedPool(hciPoolBody(), surroundings);
    expect(observed).toMatchObject({
      kind: 'ProvisionedAgentPool',
      name: 'linuxpool',
      location: 'eastus',
      clusterUid: ArmId.parse(EDGE_CLUSTER).uid,
      relations: [{ type: 'owns', from: EDGE_INSTANCE.toLowerCase(), to: EDGE_POOL.toLowerCase() }],
    });
    expect(describeProvisionedPool(observed.properties)).toEqual({
      count: 2,
      readyCount: 2,
      minCount: null,
      maxCount: null,
      autoscaling: false,
      vmSize: 'Standard_A4_v2',
      osType: 'Linux',
      osSku: 'CBLMariner',
      kubernetesVersion: '1.29.7',
      maxPods: 110,
      nodeLabels: { tier: 'edge' },
      nodeTaints: ['dedicated=edge:NoSchedule'],
      currentState: 'Succeeded',
      errorMessage: null,
    });
  });
});
