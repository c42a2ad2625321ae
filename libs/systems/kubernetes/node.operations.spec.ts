import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { FakeKube, fakeRefusal } from '#libs/testing/fake-kube.js';
import { node, watchedCluster } from '#libs/testing/kubernetes-samples.js';
import { contextOf, targetOf } from '../contract/system.contract-suite.js';
import type { OperationDefinition } from '../contract/operation-definition.js';
import { createKubernetesOperations } from './kubernetes.operations.js';

const { uid } = watchedCluster();
const ID = `kubernetes://${uid}/core/Node/node-1`;
const NODE = { group: '', kind: 'Node' };
const kept = { key: 'kept', value: 'yes', effect: 'NoExecute' };
const kind = { key: 'kind', effect: 'NoSchedule' };
const conflict = fakeRefusal('KUBERNETES_CONFLICT', 'Conflict', 'the object has been modified');

type Verb = 'taint' | 'untaint' | 'cordon' | 'uncordon';

function world(verb: Verb, input: JsonObject = {}, spec: JsonObject = {}, labels: JsonObject = {}) {
  const kube = new FakeKube();
  const cluster = kube.cluster(uid).add(node('node-1', { spec, metadata: { labels } }));
  const operation: OperationDefinition = createKubernetesOperations(kube).find(
    ({ type }) => type === `kubernetes.node.${verb}`,
  )!;
  const context = contextOf(operation, operation.input.parse({ node: ID, ...input }), { node: targetOf(ID, 'Node') });
  return {
    kube,
    cluster,
    spec: () => cluster.object(NODE, undefined, 'node-1')?.spec,
    codes: async () => (await operation.preflight(context)).map(({ code, severity }) => `${code}:${severity}`),
    plan: () => operation.plan!(context),
    step: () => operation.steps[0]!.run({ ...context, resumeToken: undefined, attempt: 1 }),
    verify: () => operation.verify(context),
  };
}

interface Row {
  verb: Verb;
  input?: JsonObject;
  spec?: JsonObject;
  reason: string;
}

describe('changes of a node: checks before they start', () => {
  it.each<Row & { found: string[]; labels?: JsonObject }>([
    { verb: 'taint', input: kind, found: [], reason: 'all is well' },
    { verb: 'taint', input: kind, spec: { taints: [kind] }, found: ['TAINT_PRESENT:info'], reason: 'nothing to do' },
    {
      verb: 'taint',
      input: { ...kind, value: 'b' },
      spec: { taints: [{ ...kind, value: 'a' }] },
      found: ['TAINT_VALUE_CHANGES:warning'],
      reason: 'another value',
    },
    { verb: 'taint', input: { ...kind, effect: 'NoExecute' }, found: ['PODS_EVICTED:warning'], reason: 'pods go' },
    {
      verb: 'taint',
      input: { ...kind, key: 'node.kubernetes.io/unschedulable' },
      found: ['TAINT_OF_CLUSTER:error'],
      reason: 'cordon does that',
    },
    {
      verb: 'taint',
      input: { ...kind, key: 'node.kubernetes.io/out-of-service' },
      found: [],
      reason: 'people set this one',
    },
    {
      verb: 'untaint',
      input: { key: 'node.kubernetes.io/not-ready' },
      spec: { taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }] },
      found: ['TAINT_OF_CLUSTER:error'],
      reason: 'it would come back',
    },
    { verb: 'untaint', input: { key: 'kind' }, spec: { taints: [kind] }, found: [], reason: 'all is well' },
    { verb: 'untaint', input: { key: 'kind' }, found: ['TAINT_ABSENT:info'], reason: 'nothing to do' },
    {
      verb: 'untaint',
      input: { key: 'kind', effect: 'NoExecute' },
      spec: { taints: [kind] },
      found: ['TAINT_ABSENT:info'],
      reason: 'another effect',
    },
    { verb: 'cordon', found: [], reason: 'all is well' },
    { verb: 'cordon', spec: { unschedulable: true }, found: ['NODE_CORDONED:info'], reason: 'nothing to do' },
    { verb: 'uncordon', found: ['NODE_NOT_CORDONED:info'], reason: 'nothing to do' },
    { verb: 'uncordon', spec: { unschedulable: true }, found: [], reason: 'all is well' },
    {
      verb: 'cordon',
      labels: { 'kubernetes.azure.com/agentpool': 'nodepool1' },
      found: ['NODE_OF_POOL:info'],
      reason: 'the pool makes new nodes without it',
    },
  ])('$verb $found: $reason', async ({ verb, input, spec, labels, found }) => {
    const { kube, codes } = world(verb, input, spec, labels);
    expect(await codes()).toEqual(found);
    expect(kube.writes()).toEqual([]);
  });

  it('says that the node is not there, or that it may not be changed', async () => {
    const gone = world('cordon');
    gone.cluster.remove(NODE, undefined, 'node-1');
    expect(await gone.codes()).toEqual(['NODE_NOT_FOUND:error']);
    const denied = world('cordon');
    denied.cluster.mayDo = () => ({ allowed: false, reason: 'no role' });
    expect(await denied.codes()).toEqual(['ACCESS_DENIED:error']);
  });

  it.each([
    { input: { key: 'a b', effect: 'NoSchedule' }, reason: 'a blank in the key' },
    { input: { key: 'a', value: 'b/c', effect: 'NoSchedule' }, reason: 'a slash in the value' },
    { input: { key: 'a', effect: 'Never' }, reason: 'no such effect' },
    { input: { key: 'a' }, reason: 'no effect' },
  ])('takes no taint that Kubernetes would refuse: $reason', ({ input }) => {
    expect(() => world('taint', input)).toThrow();
  });
});

describe('changes of a node: the step', () => {
  it.each<Row & { after: JsonObject }>([
    { verb: 'taint', input: kind, after: { taints: [kind] }, reason: 'the first taint' },
    { verb: 'taint', input: kind, spec: { taints: [kept] }, after: { taints: [kept, kind] }, reason: 'others stay' },
    {
      verb: 'taint',
      input: { ...kind, value: 'b' },
      spec: { taints: [{ ...kind, value: 'a' }, kept] },
      after: { taints: [kept, { ...kind, value: 'b' }] },
      reason: 'a new value in the place of the old one',
    },
    {
      verb: 'taint',
      input: kind,
      spec: { taints: [{ ...kind, effect: 'NoExecute' }] },
      after: { taints: [{ ...kind, effect: 'NoExecute' }, kind] },
      reason: 'another effect is another taint',
    },
    {
      verb: 'untaint',
      input: { key: 'kind' },
      spec: { taints: [kind, kept, { ...kind, effect: 'NoExecute' }] },
      after: { taints: [kept] },
      reason: 'every taint of the key',
    },
    {
      verb: 'untaint',
      input: { key: 'kind', effect: 'NoSchedule' },
      spec: { taints: [kind, { ...kind, effect: 'NoExecute' }] },
      after: { taints: [{ ...kind, effect: 'NoExecute' }] },
      reason: 'this effect only',
    },
    { verb: 'cordon', spec: { taints: [kept] }, after: { taints: [kept], unschedulable: true }, reason: 'taints stay' },
    { verb: 'uncordon', spec: { unschedulable: true }, after: { unschedulable: false }, reason: 'open again' },
  ])('$verb: $reason', async ({ verb, input, spec, after }) => {
    const changed = world(verb, input, spec);
    expect(await changed.plan()).not.toMatchObject({ difference: [] });
    expect(await changed.verify()).toMatchObject({ verdict: 'missed' });
    expect(await changed.step()).toMatchObject({ outcome: 'done' });
    expect(changed.spec()).toEqual(after);
    expect(await changed.verify()).toMatchObject({ verdict: 'reached' });
    // Again, as after a crash.
    expect(await changed.step()).toMatchObject({ outcome: 'done' });
    expect(changed.kube.writes()).toEqual(['patch Node node-1']);
    expect(await changed.plan()).toMatchObject({ difference: [] });
  });

  it('writes only if nothing has changed since it looked, and looks again', async () => {
    const { kube, cluster, step, spec } = world('taint', kind);
    const version = cluster.object(NODE, undefined, 'node-1')?.metadata.resourceVersion;
    cluster.refuse(
      (request) => {
        if (request.verb !== 'patch') return false;
        // Somebody else puts a taint on between the look and the write.
        cluster.add(node('node-1', { spec: { taints: [kept] } }));
        return true;
      },
      conflict,
      true,
    );
    expect(await step()).toMatchObject({ outcome: 'done' });
    expect(kube.requests.find(({ verb }) => verb === 'patch')?.body).toMatchObject({
      metadata: { resourceVersion: version },
    });
    expect(spec()).toEqual({ taints: [kept, kind] });
  });

  it('lets others go first who keep changing the node', async () => {
    const { cluster, step } = world('taint', kind);
    cluster.refuse({ verb: 'patch' }, conflict);
    expect(await step()).toMatchObject({ outcome: 'blocked' });
  });

  it('hands on what is no conflict, and says that the node is gone', async () => {
    const refused = world('taint', kind);
    refused.cluster.refuse({ verb: 'patch' }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'no'));
    await expect(refused.step()).rejects.toMatchObject({ code: 'KUBERNETES_FORBIDDEN' });
    const gone = world('taint', kind);
    gone.cluster.remove(NODE, undefined, 'node-1');
    await expect(gone.step()).rejects.toMatchObject({ code: 'KUBERNETES_NOT_FOUND' });
    expect(await gone.verify()).toMatchObject({ verdict: 'missed' });
  });
});
