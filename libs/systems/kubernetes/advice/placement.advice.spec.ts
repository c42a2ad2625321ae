import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { node } from '#libs/testing/kubernetes-samples.js';
import type { Advice, KnownObject } from '../../contract/advice.js';
import { nodeSelectorAdvice } from './node-selector.advice.js';
import { untoleratedTaintAdvice } from './untolerated-taint.advice.js';
import { virtualNodeTaintAdvice } from './virtual-node-taint.advice.js';

const WORKLOAD = 'kubernetes://c/apps/Deployment/web/web';
const PROVIDER = { key: 'virtual-kubelet.io/provider', value: 'azure', effect: 'NoSchedule' };
const EARLY = { key: 'azure.com/aci', effect: 'NoSchedule' };
const DEDICATED = { key: 'dedicated', value: 'web', effect: 'NoSchedule' };

function nodeOf(name: string, labels: JsonObject = {}, taints: JsonObject[] = []): KnownObject {
  const properties = node(name, { metadata: { labels }, spec: { taints } });
  return { uid: name, id: `/${name}`, kind: 'Node', name, clusterUid: 'c', namespace: null, properties };
}

function podOf(spec: JsonObject, reason = 'Unschedulable'): JsonObject {
  return {
    spec,
    status: { conditions: [{ type: 'PodScheduled', status: 'False', reason, message: '0/1 nodes are available' }] },
  };
}

const machine = nodeOf('machine', { os: 'linux', zone: '1' });
const virtual = nodeOf('virtual-node-aci-linux', { type: 'virtual-kubelet' }, [PROVIDER]);
const early = nodeOf('virtual-kubelet-aci-connector-linux-westus', { type: 'virtual-kubelet' }, [EARLY]);
const dedicated = nodeOf('dedicated', { os: 'linux' }, [DEDICATED]);
const toVirtual = { nodeSelector: { type: 'virtual-kubelet' } };

const codesOf = (advice: Advice[]) => advice.map(({ code }) => code);
/** The patch of the first remedy. */
function patchOf(advice: Advice[]): unknown {
  const input = advice[0]?.remedies[0]?.operations[0]?.input as { workload: string; patch: string } | undefined;
  return input === undefined ? undefined : (JSON.parse(input.patch) as { spec: { template: unknown } }).spec.template;
}

const affinity = (key: string, operator: string, ...values: string[]): JsonObject => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key, operator, ...(values.length > 0 ? { values } : {}) }] }],
      },
    },
  },
});

describe('pods that ask for labels that no node has', () => {
  it.each<{ spec: JsonObject; nodes?: KnownObject[]; pod?: JsonObject; found: string[]; reason: string }>([
    { spec: { nodeSelector: { os: 'windows' } }, found: ['NODE_SELECTOR_MATCHES_NO_NODE'], reason: 'another value' },
    { spec: { nodeSelector: { gpu: 'yes' } }, found: ['NODE_SELECTOR_MATCHES_NO_NODE'], reason: 'no such label' },
    { spec: { nodeSelector: { os: 'linux' } }, found: [], reason: 'the machine has it' },
    { spec: { nodeSelector: { gpu: 'yes' } }, nodes: [], found: [], reason: 'there are no nodes to speak of' },
    { spec: affinity('zone', 'In', '2', '3'), found: ['NODE_SELECTOR_MATCHES_NO_NODE'], reason: 'zone 1 is not in' },
    { spec: affinity('zone', 'In', '1'), found: [], reason: 'zone 1 is in' },
    { spec: affinity('zone', 'NotIn', '1'), found: ['NODE_SELECTOR_MATCHES_NO_NODE'], reason: 'zone 1 is out' },
    { spec: affinity('gpu', 'Exists'), found: ['NODE_SELECTOR_MATCHES_NO_NODE'], reason: 'no such label' },
    { spec: affinity('gpu', 'DoesNotExist'), found: [], reason: 'it is not there, as wanted' },
    { spec: affinity('zone', 'Gt', '0'), found: [], reason: 'one is more than none' },
    { spec: affinity('zone', 'Lt', '1'), found: ['NODE_SELECTOR_MATCHES_NO_NODE'], reason: 'one is not less than one' },
    {
      spec: { nodeSelector: { gpu: 'yes' } },
      pod: podOf({ nodeSelector: { gpu: 'yes' } }, 'SchedulingGated'),
      found: [],
      reason: 'it waits for something else',
    },
  ])('$found: $reason', ({ spec, nodes = [machine], pod = podOf(spec), found }) => {
    expect(codesOf(nodeSelectorAdvice({ pod, workload: WORKLOAD, nodes }))).toEqual(found);
  });

  it('names the label that would match, and patches the selector to the node that is meant', () => {
    const selector = { 'kubernetes.io/hostname': 'virtual-kubelet-aci-connector-linux-westus' };
    const tolerations = [{ key: PROVIDER.key, operator: 'Exists' }];
    const named = [machine, virtual].map(({ name, properties }) => {
      const taints = (properties.spec as JsonObject).taints as JsonObject[];
      return nodeOf(name, { 'kubernetes.io/hostname': name }, taints);
    });
    const advice = nodeSelectorAdvice({
      pod: podOf({ nodeSelector: selector, tolerations }),
      workload: WORKLOAD,
      nodes: named,
    });
    expect(advice[0]?.evidence).toMatchObject({
      valuesOfNodes: { 'kubernetes.io/hostname': ['machine', 'virtual-node-aci-linux'] },
      nodes: [{ node: 'virtual-node-aci-linux' }, { node: 'machine' }],
    });
    expect(patchOf(advice)).toEqual({ spec: { nodeSelector: { 'kubernetes.io/hostname': 'virtual-node-aci-linux' } } });
  });

  it('takes away what the nearest node has no label for, and the affinity that it does not fulfil', () => {
    const spec = { nodeSelector: { gpu: 'yes', os: 'linux' }, ...affinity('zone', 'In', '9') };
    expect(patchOf(nodeSelectorAdvice({ pod: podOf(spec), workload: WORKLOAD, nodes: [machine] }))).toEqual({
      spec: {
        nodeSelector: { gpu: null },
        affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: null } },
      },
    });
  });

  it('has no operation for a pod without a workload', () => {
    const situation = { pod: podOf({ nodeSelector: { gpu: 'yes' } }), workload: undefined, nodes: [machine] };
    expect(nodeSelectorAdvice(situation)[0]?.remedies.flatMap(({ operations }) => operations)).toEqual([]);
  });
});

describe('pods that do not tolerate the taints of the nodes', () => {
  it.each<{ spec: JsonObject; nodes: KnownObject[]; found: [string, string][]; reason: string }>([
    { spec: {}, nodes: [dedicated], found: [['TAINT_NOT_TOLERATED', 'error']], reason: 'there is no other node' },
    { spec: {}, nodes: [dedicated, machine], found: [['TAINT_NOT_TOLERATED', 'info']], reason: 'there is another' },
    {
      spec: { tolerations: [{ key: 'dedicated', value: 'db' }] },
      nodes: [dedicated],
      found: [['TAINT_NOT_TOLERATED', 'error']],
      reason: 'another value is tolerated',
    },
    { spec: { tolerations: [{ operator: 'Exists' }] }, nodes: [dedicated], found: [], reason: 'all are tolerated' },
    { spec: toVirtual, nodes: [machine, virtual], found: [['TAINT_NOT_TOLERATED', 'error']], reason: 'a virtual node' },
    {
      spec: { ...toVirtual, tolerations: [EARLY] },
      nodes: [machine, virtual],
      found: [],
      reason: 'the rule about renamed taints says it better',
    },
    {
      spec: {},
      nodes: [nodeOf('unwell', {}, [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }])],
      found: [],
      reason: 'a node that is not well is nothing to tolerate',
    },
    { spec: { nodeSelector: { os: 'windows' } }, nodes: [dedicated], found: [], reason: 'it is not for that node' },
  ])('$found: $reason', ({ spec, nodes, found }) => {
    const advice = untoleratedTaintAdvice({ pod: podOf(spec), workload: WORKLOAD, nodes });
    expect(advice.map(({ code, severity }) => [code, severity])).toEqual(found);
  });

  it('gives the exact tolerations beside those that are there, or takes the taint off', () => {
    const own = { key: 'other', operator: 'Exists' };
    const added = {
      key: 'node.kubernetes.io/not-ready',
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: 300,
    };
    const near = { key: 'dedicated', value: 'db', effect: 'NoSchedule' };
    const pod = podOf({ tolerations: [own, near, added] });
    const advice = untoleratedTaintAdvice({ pod, workload: WORKLOAD, nodes: [dedicated] });
    expect(advice[0]?.evidence).toMatchObject({ nodes: [{ node: 'dedicated', taints: [{ tolerated: near }] }] });
    expect(patchOf(advice)).toEqual({
      spec: { tolerations: [own, near, { key: 'dedicated', operator: 'Equal', value: 'web', effect: 'NoSchedule' }] },
    });
    expect(advice[0]?.remedies[1]?.operations).toEqual([
      { type: 'kubernetes.node.untaint', input: { node: '/dedicated', key: 'dedicated', effect: 'NoSchedule' } },
    ]);
  });

  it('leaves virtual nodes their taint', () => {
    const advice = untoleratedTaintAdvice({ pod: podOf(toVirtual), workload: WORKLOAD, nodes: [virtual] });
    expect(advice[0]?.remedies).toHaveLength(1);
  });
});

describe('pods that tolerate the taint of another generation of virtual nodes', () => {
  it.each<{ tolerations: JsonObject[]; nodes: KnownObject[]; found: string[]; reason: string }>([
    { tolerations: [EARLY], nodes: [machine, virtual], found: ['VIRTUAL_NODE_TAINT_RENAMED'], reason: 'written early' },
    {
      tolerations: [{ key: PROVIDER.key, operator: 'Exists' }],
      nodes: [early],
      found: ['VIRTUAL_NODE_TAINT_RENAMED'],
      reason: 'written later',
    },
    { tolerations: [EARLY], nodes: [early], found: [], reason: 'it matches' },
    { tolerations: [], nodes: [virtual], found: [], reason: 'it tolerates neither' },
  ])('$found: $reason', ({ tolerations, nodes, found }) => {
    const situation = { pod: podOf({ ...toVirtual, tolerations }), workload: WORKLOAD, nodes };
    expect(codesOf(virtualNodeTaintAdvice(situation))).toEqual(found);
  });

  it('patches the template to tolerate both', () => {
    const other = { key: 'team', operator: 'Exists' };
    const situation = {
      pod: podOf({ ...toVirtual, tolerations: [EARLY, other] }),
      workload: WORKLOAD,
      nodes: [virtual],
    };
    expect(patchOf(virtualNodeTaintAdvice(situation))).toEqual({
      spec: {
        tolerations: [
          other,
          { key: PROVIDER.key, operator: 'Exists' },
          { key: EARLY.key, operator: 'Exists', effect: 'NoSchedule' },
        ],
      },
    });
  });
});
