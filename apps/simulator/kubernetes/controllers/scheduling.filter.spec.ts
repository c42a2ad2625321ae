import { describe, expect, it } from '@jest/globals';
import type { ClusterNode, Pod } from './kubernetes.types.js';
import { demandOf, judgeNode, type NodeLoad, unschedulableMessage } from './scheduling.filter.js';

function node(change: Partial<ClusterNode['spec']> = {}, labels: Record<string, string> = {}): ClusterNode {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n', uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z', labels },
    spec: change,
    status: { allocatable: { cpu: '1900m', memory: '4Gi', pods: '2' } },
  };
}

function pod(spec: Partial<Pod['spec']> = {}, container: Partial<Pod['spec']['containers'][number]> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', uid: 'p', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { containers: [{ name: 'c', image: 'i', ...container }], ...spec },
  };
}

function load(change: Partial<NodeLoad> = {}): NodeLoad {
  return { milliCores: 0, bytes: 0, pods: 0, hostPorts: new Map(), ...change };
}

const affinity = (key: string, operator: string, values: string[]): Partial<Pod['spec']> => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key, operator, values }] }],
      },
    },
  },
});

const CASES: { reason: string; pod: Pod; node: ClusterNode; load: NodeLoad; refusal: string[] }[] = [
  { reason: 'nothing is in the way', pod: pod(), node: node(), load: load(), refusal: [] },
  {
    reason: 'a cordoned node takes nothing new',
    pod: pod(),
    node: node({ unschedulable: true }),
    load: load(),
    refusal: ['node(s) were unschedulable'],
  },
  {
    reason: 'an equal toleration must name the value too',
    pod: pod({ tolerations: [{ key: 'kind', operator: 'Equal', value: 'b', effect: 'NoSchedule' }] }),
    node: node({ taints: [{ key: 'kind', value: 'a', effect: 'NoSchedule' }] }),
    load: load(),
    refusal: ['node(s) had untolerated taint {kind: a}'],
  },
  {
    reason: 'a toleration without key tolerates everything',
    pod: pod({ tolerations: [{ operator: 'Exists' }] }),
    node: node({ taints: [{ key: 'kind', value: 'a', effect: 'NoExecute' }] }),
    load: load(),
    refusal: [],
  },
  {
    reason: 'a preference keeps nobody away',
    pod: pod(),
    node: node({ taints: [{ key: 'kind', effect: 'PreferNoSchedule' }] }),
    load: load(),
    refusal: [],
  },
  {
    reason: 'a required affinity must match',
    pod: pod(affinity('zone', 'In', ['1'])),
    node: node({}, { zone: '2' }),
    load: load(),
    refusal: ["node(s) didn't match Pod's node affinity/selector"],
  },
  {
    reason: 'NotIn matches nodes that lack the label',
    pod: pod(affinity('zone', 'NotIn', ['1'])),
    node: node(),
    load: load(),
    refusal: [],
  },
  {
    reason: 'a host port can be had once per node',
    pod: pod({}, { ports: [{ containerPort: 80, hostPort: 80 }] }),
    node: node(),
    load: load({ hostPorts: new Map([['0.0.0.0/TCP/80', 1]]) }),
    refusal: ["node(s) didn't have free ports for the requested pod ports"],
  },
  {
    reason: 'all that is short is told',
    pod: pod({}, { resources: { requests: { cpu: '2', memory: '5Gi' } } }),
    node: node(),
    load: load({ pods: 2 }),
    refusal: ['Too many pods', 'Insufficient cpu', 'Insufficient memory'],
  },
  {
    reason: 'what others asked for counts, not what they use',
    pod: pod({}, { resources: { requests: { cpu: '1' } } }),
    node: node(),
    load: load({ milliCores: 901 }),
    refusal: ['Insufficient cpu'],
  },
];

describe('judgeNode', () => {
  it.each(CASES)('$reason', ({ pod: asked, node: offered, load: taken, refusal }) => {
    const verdict = judgeNode(asked, demandOf(asked), offered, taken);
    expect(verdict.fits ? [] : verdict.reasons).toEqual(refusal);
  });
});

describe('demandOf', () => {
  it('is the larger of what runs together and what starts alone', () => {
    const demand = demandOf(
      pod({
        containers: [
          { name: 'a', image: 'i', resources: { requests: { cpu: '100m', memory: '64Mi' } } },
          { name: 'b', image: 'i', resources: { limits: { cpu: '0.2' } } },
        ],
        initContainers: [{ name: 'i', image: 'i', resources: { requests: { cpu: '250m', memory: '1Gi' } } }],
      }),
    );
    expect(demand).toEqual({ milliCores: 300, bytes: 2 ** 30, hostPorts: [] });
  });
});

describe('unschedulableMessage', () => {
  it('has words of its own for a cluster without nodes', () => {
    expect(unschedulableMessage([])).toBe('no nodes available to schedule pods');
  });
});
