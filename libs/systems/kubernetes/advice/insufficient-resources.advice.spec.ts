import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { node } from '#libs/testing/kubernetes-samples.js';
import type { KnownObject } from '../../contract/advice.js';
import { insufficientResourcesAdvice } from './insufficient-resources.advice.js';

const MEBIBYTE = 2 ** 20;

function known(kind: string, name: string, properties: JsonObject): KnownObject {
  return { uid: name, id: `/${name}`, kind, name, clusterUid: 'c', namespace: null, properties };
}

interface NodeGiven {
  cpu?: string;
  requestedCpu?: number | null;
  memory?: string;
  requestedMemory?: number;
  spec?: JsonObject;
  labels?: JsonObject;
}

function nodeOf(name: string, given: NodeGiven = {}): KnownObject {
  const { cpu = '1900m', memory = '5Gi', requestedCpu = 1500, requestedMemory = 0 } = given;
  const object = node(name, {
    spec: given.spec ?? {},
    metadata: { labels: { 'kubernetes.azure.com/agentpool': 'linux', ...given.labels } },
    status: { allocatable: { cpu, memory, pods: '30' } },
  });
  const requested = { cpuMillicores: requestedCpu, memoryBytes: requestedMemory, pods: 4 };
  return known('Node', name, requestedCpu === null ? object : { ...object, requested });
}

function podOf(
  cpu: string,
  change: JsonObject = {},
  message = '0/1 nodes are available: 1 Insufficient cpu.',
): JsonObject {
  return {
    spec: { containers: [{ name: 'web', resources: { requests: { cpu, memory: '64Mi' } } }], ...change },
    status: { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }] },
  };
}

const pool = (name: string, properties: JsonObject = {}, kind = 'ProvisionedAgentPool') =>
  known(kind, name, { count: 1, ...properties });

describe('pods for which the nodes have too little', () => {
  it.each<{ pod: JsonObject; nodes: KnownObject[]; found: string[]; reason: string }>([
    { pod: podOf('500m'), nodes: [nodeOf('a')], found: ['NODES_TOO_FULL'], reason: '1500 of 1900 are taken' },
    { pod: podOf('2'), nodes: [nodeOf('a')], found: ['NODES_TOO_SMALL'], reason: 'no node has two cores to give' },
    { pod: podOf('2'), nodes: [nodeOf('a'), nodeOf('b', { cpu: '4' })], found: ['NODES_TOO_FULL'], reason: 'one has' },
    {
      pod: podOf('2'),
      nodes: [nodeOf('a'), nodeOf('b', { cpu: '4', spec: { taints: [{ key: 'os', effect: 'NoSchedule' }] } })],
      found: ['NODES_TOO_SMALL'],
      reason: 'the larger one is not for this pod',
    },
    {
      pod: podOf('500m', {}, 'untolerated taint'),
      nodes: [nodeOf('a')],
      found: [],
      reason: 'it is not about resources',
    },
    {
      pod: podOf('500m', {}, '1 Insufficient memory'),
      nodes: [nodeOf('a')],
      found: ['NODES_TOO_FULL'],
      reason: 'memory',
    },
    { pod: { status: {} }, nodes: [nodeOf('a')], found: [], reason: 'it has a place' },
  ])('$found: $reason', ({ pod, nodes, found }) => {
    expect(insufficientResourcesAdvice({ pod, nodes, pools: [] }).map(({ code }) => code)).toEqual(found);
  });

  it('gives the numbers of each node, the closest first', () => {
    const nodes = [
      nodeOf('full', { requestedCpu: 1900 }),
      nodeOf('close'),
      nodeOf('unknown', { requestedCpu: null, cpu: '100m' }),
    ];
    const [advice] = insufficientResourcesAdvice({ pod: podOf('500m'), nodes, pools: [] });
    expect(advice?.evidence).toMatchObject({
      requests: { cpuMillicores: 500, memoryBytes: 64 * MEBIBYTE },
      nodeCount: 3,
      nodes: [
        {
          node: 'close',
          pool: 'linux',
          allocatable: { cpuMillicores: 1900 },
          requested: { cpuMillicores: 1500, memoryBytes: 0 },
          short: { cpuMillicores: 100, memoryBytes: 0 },
          excludedBy: null,
          fitsWhenEmpty: true,
        },
        { node: 'unknown', requested: null, short: { cpuMillicores: 400 }, fitsWhenEmpty: false },
        { node: 'full', short: { cpuMillicores: 500 } },
      ],
    });
  });

  const windows = { key: 'os', value: 'windows', effect: 'NoSchedule' };
  it.each([
    { spec: {}, pod: {}, excludedBy: null, reason: 'nothing is in the way' },
    { spec: { unschedulable: true }, pod: {}, excludedBy: 'cordon', reason: 'it is cordoned' },
    { spec: { taints: [windows] }, pod: {}, excludedBy: 'taint os', reason: 'the taint is not tolerated' },
    {
      spec: { taints: [windows] },
      pod: { tolerations: [{ key: 'os', value: 'linux' }] },
      excludedBy: 'taint os',
      reason: 'another value is tolerated',
    },
    {
      spec: { taints: [windows] },
      pod: { tolerations: [{ key: 'os', value: 'windows' }] },
      excludedBy: null,
      reason: 'the taint is tolerated',
    },
    {
      spec: { taints: [windows] },
      pod: { tolerations: [{ operator: 'Exists' }] },
      excludedBy: null,
      reason: 'all are',
    },
    {
      spec: { taints: [windows] },
      pod: { tolerations: [{ operator: 'Exists', effect: 'NoExecute' }] },
      excludedBy: 'taint os',
      reason: 'of another effect',
    },
    {
      spec: { taints: [{ key: 'soft', effect: 'PreferNoSchedule' }] },
      pod: {},
      excludedBy: null,
      reason: 'this one only advises',
    },
    {
      spec: {},
      pod: { nodeSelector: { 'kubernetes.io/os': 'windows' } },
      excludedBy: 'nodeSelector kubernetes.io/os=windows',
      reason: 'another system is wanted',
    },
  ])('says what else keeps the pod off a node: $excludedBy, $reason', ({ spec, pod, excludedBy }) => {
    const nodes = [nodeOf('a', { spec, labels: { 'kubernetes.io/os': 'linux' } })];
    const [advice] = insufficientResourcesAdvice({ pod: podOf('500m', pod), nodes, pools: [] });
    expect(advice?.evidence).toMatchObject({ nodes: [{ excludedBy }] });
  });

  it.each([
    {
      pools: [pool('linux')],
      operations: [[{ type: 'hci.nodePool.scale', input: { nodePool: '/linux', count: 2 } }], []],
      reason: 'one node more in the pool',
    },
    {
      pools: [pool('linux', { count: 3 }, 'AgentPool')],
      operations: [[{ type: 'aks.nodePool.scale', input: { nodePool: '/linux', count: 4 } }], []],
      reason: 'of AKS too',
    },
    { pools: [pool('other')], operations: [[]], reason: 'the nodes of another pool are not seen to fit' },
    { pools: [pool('linux', { enableAutoScaling: true })], operations: [[]], reason: 'the autoscaler decides' },
    { pools: [pool('linux', { count: null })], operations: [[]], reason: 'nobody knows how many there are' },
  ])('offers: $reason', ({ pools, operations }) => {
    const [advice] = insufficientResourcesAdvice({ pod: podOf('500m'), nodes: [nodeOf('a')], pools });
    expect(advice?.remedies.map((remedy) => remedy.operations)).toEqual(operations);
  });

  it('offers no node more where none would be large enough', () => {
    const situation = { pod: podOf('8'), nodes: [nodeOf('a')], pools: [pool('linux')] };
    expect(insufficientResourcesAdvice(situation)[0]?.remedies.flatMap(({ operations }) => operations)).toEqual([]);
  });
});
