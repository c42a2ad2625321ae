import { describe, expect, it } from '@jest/globals';
import type { Json, JsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { FakeKube, fakeRefusal } from '#libs/testing/fake-kube.js';
import { namespaceObject, node, pod, watchedCluster, watchedFleet } from '#libs/testing/kubernetes-samples.js';
import { contextOf, targetOf } from '../contract/system.contract-suite.js';
import { deleteObject } from './object-delete.operations.js';

const PLACEMENT = { group: 'placement.kubernetes-fleet.io', kind: 'ClusterResourcePlacement' };
const POD = { group: '', kind: 'Pod' };
const podInput = { apiVersion: 'v1', kind: 'Pod', namespace: 'web', name: 'web-1' };
const plainPod = pod('web-1', { metadata: { ownerReferences: [] } });

interface Change {
  input?: JsonObject;
  objects?: KubernetesObject[];
  kind?: 'ManagedCluster' | 'Fleet' | 'AttachedCluster';
  /** Whether it serves placements; a fleet always does. */
  onHub?: boolean;
}

function world(change: Change = {}) {
  const { input = podInput, objects = [plainPod], kind = 'ManagedCluster', onHub = kind === 'Fleet' } = change;
  const kube = new FakeKube();
  const given = kind === 'Fleet' ? watchedFleet() : watchedCluster({ kind });
  const cluster = kube.cluster(given.uid).add(...objects);
  if (!onHub) cluster.withdraw(PLACEMENT);
  const operation = deleteObject(kube);
  const parsed = operation.input.parse({ cluster: given.id, ...input });
  const references = { cluster: targetOf(given.id, kind) };
  const context = { ...contextOf(operation, parsed, references), input: parsed };
  const outputs: Record<string, Json> = {};
  const run = async (name: string) => {
    const step = operation.steps.find((each) => each.name === name)!;
    const outcome = await step.run({ ...context, outputs, resumeToken: undefined, attempt: 1 });
    if (outcome.outcome === 'done' && outcome.output !== undefined) outputs[name] = outcome.output;
    return outcome;
  };
  return {
    kube,
    cluster,
    uid: given.uid,
    target: () => operation.target(parsed, references),
    preflight: () => operation.preflight(context),
    plan: () => operation.plan!(context),
    identify: () => run('identify'),
    step: () => run('delete'),
    verify: () => operation.verify({ ...context, outputs }),
  };
}

function named(apiVersion: string, kind: string, name: string, namespace?: string): KubernetesObject {
  return { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } };
}

describe('kubernetes.object.delete: checks before it starts', () => {
  it.each<Change & { found: string[]; reason: string }>([
    { found: [], reason: 'all is well' },
    { objects: [], found: ['OBJECT_NOT_FOUND:info'], reason: 'it is gone already' },
    {
      input: { ...podInput, apiVersion: 'example.org/v1', kind: 'Thing' },
      found: ['KIND_NOT_SERVED:error'],
      reason: 'nobody knows the kind',
    },
    { input: { ...podInput, apiVersion: 'v2' }, found: ['KIND_NOT_SERVED:error'], reason: 'nor the version' },
    {
      input: { apiVersion: 'v1', kind: 'Pod', name: 'web-1' },
      found: ['NAMESPACE_MISSING:error'],
      reason: 'pods are in namespaces',
    },
    {
      input: { apiVersion: 'v1', kind: 'Node', name: 'n', namespace: 'web' },
      found: ['NAMESPACE_NOT_ALLOWED:error'],
      reason: 'nodes are not',
    },
    { objects: [pod('web-1')], found: ['MADE_AGAIN:warning'], reason: 'a ReplicaSet keeps it' },
    {
      objects: [pod('web-1', { metadata: { ownerReferences: [], finalizers: ['example.org/keep'] } })],
      found: ['FINALIZERS:warning'],
      reason: 'somebody wants to do something first',
    },
    {
      objects: [pod('web-1', { metadata: { ownerReferences: [], deletionTimestamp: '2026-01-01T00:00:00Z' } })],
      found: ['OBJECT_DELETING:info'],
      reason: 'somebody was faster',
    },
    {
      input: { apiVersion: 'v1', kind: 'Namespace', name: 'kube-system' },
      objects: [namespaceObject('kube-system')],
      found: ['NAMESPACE_RESERVED:error'],
      reason: 'nothing works without it',
    },
    {
      input: { apiVersion: 'v1', kind: 'Namespace', name: 'default' },
      objects: [namespaceObject('default')],
      found: ['NAMESPACE_RESERVED:error'],
      reason: 'Kubernetes keeps it too',
    },
    {
      input: { apiVersion: 'v1', kind: 'Namespace', name: 'web' },
      objects: [namespaceObject('web')],
      found: ['NAMESPACE_WITH_CONTENT:warning'],
      reason: 'everything in it goes too',
    },
    {
      input: { apiVersion: 'v1', kind: 'Namespace', name: 'fleet-member-aks01' },
      objects: [namespaceObject('fleet-member-aks01')],
      kind: 'Fleet',
      found: ['RESERVED_ON_HUB:error'],
      reason: 'the hub works there',
    },
    {
      input: { apiVersion: 'v1', kind: 'ConfigMap', name: 'c', namespace: 'fleet-system' },
      objects: [named('v1', 'ConfigMap', 'c', 'fleet-system')],
      kind: 'Fleet',
      found: ['RESERVED_ON_HUB:error'],
      reason: 'nor anything in it',
    },
    {
      input: { apiVersion: 'v1', kind: 'ConfigMap', name: 'c', namespace: 'fleet-system' },
      objects: [named('v1', 'ConfigMap', 'c', 'fleet-system')],
      found: [],
      reason: 'on other clusters the name means nothing',
    },
    {
      input: { apiVersion: 'cluster.kubernetes-fleet.io/v1', kind: 'MemberCluster', name: 'aks01' },
      objects: [named('cluster.kubernetes-fleet.io/v1', 'MemberCluster', 'aks01')],
      kind: 'Fleet',
      found: ['MEMBERSHIP_OF_FLEET:error'],
      reason: 'a member leaves by its fleet',
    },
    {
      input: { apiVersion: 'cluster.kubernetes-fleet.io/v1', kind: 'MemberCluster', name: 'aks01' },
      objects: [named('cluster.kubernetes-fleet.io/v1', 'MemberCluster', 'aks01')],
      kind: 'AttachedCluster',
      onHub: true,
      found: ['MEMBERSHIP_OF_FLEET:warning'],
      reason: 'a hub that Azure does not keep has no other way',
    },
    {
      input: { apiVersion: 'v1', kind: 'Node', name: 'node-1' },
      objects: [node('node-1')],
      found: ['NODE_OF_CLUSTER:error'],
      reason: 'its machine would go on',
    },
    {
      input: { apiVersion: 'v1', kind: 'Node', name: 'virtual-node-aci-linux' },
      objects: [node('virtual-node-aci-linux', { metadata: { labels: { type: 'virtual-kubelet' } } })],
      found: [],
      reason: 'a virtual node is left over when the add-on is gone',
    },
    {
      input: { apiVersion: 'v1', kind: 'Node', name: 'node-1' },
      objects: [node('node-1')],
      kind: 'AttachedCluster',
      found: [],
      reason: 'nobody else takes the nodes of such a cluster away',
    },
  ])('$found: $reason', async ({ found, ...change }) => {
    const { kube, preflight } = world(change);
    const findings = await preflight();
    expect(findings.map(({ code, severity }) => `${code}:${severity}`)).toEqual(found);
    expect(kube.writes()).toEqual([]);
  });

  it('asks the cluster whether it would do it', async () => {
    const { cluster, preflight } = world();
    cluster.refuse({ verb: 'delete', dryRun: true }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'cannot delete'));
    expect(await preflight()).toMatchObject([{ code: 'DELETE_REFUSED', severity: 'error' }]);
  });
});

describe('kubernetes.object.delete: what it is about', () => {
  it('is the object where Pilothouse shows it, and else the cluster', () => {
    const shown = world();
    expect(shown.target()).toEqual({
      id: `kubernetes://${shown.uid}/core/Pod/web/web-1`,
      kind: 'Pod',
      lock: `kubernetes://${shown.uid}/core/Pod/web/web-1`,
    });
    const other = world({ input: { apiVersion: 'apps/v1', kind: 'ReplicaSet', namespace: 'web', name: 'r' } });
    expect(other.target()).toMatchObject({
      kind: 'ManagedCluster',
      lock: `kubernetes://${other.uid}/apps/ReplicaSet/web/r`,
    });
  });

  it('plans without doing', async () => {
    const { kube, plan } = world();
    expect(await plan()).toMatchObject({ action: 'delete', uid: 'uid-of-web-1', propagation: 'Background' });
    expect(await world({ objects: [] }).plan()).toMatchObject({ action: 'none', uid: null });
    expect(kube.writes()).toEqual([]);
  });
});

describe('kubernetes.object.delete: the steps', () => {
  it('deletes this very object, and says that it is gone', async () => {
    const { kube, identify, step, verify } = world({ input: { ...podInput, propagation: 'Orphan' } });
    expect(await identify()).toMatchObject({ output: { uid: 'uid-of-web-1' } });
    expect(await step()).toMatchObject({ outcome: 'done' });
    expect(kube.requests.find(({ verb }) => verb === 'delete')?.body).toMatchObject({
      uid: 'uid-of-web-1',
      propagation: 'Orphan',
    });
    expect(await verify()).toMatchObject({
      verdict: 'reached',
      result: { state: 'gone', finalizers: [] },
      absent: [{ kind: 'Pod' }],
    });
  });

  it('waits for finalizers, and names them', async () => {
    const kept = pod('web-1', { metadata: { finalizers: ['example.org/keep'] } });
    const { kube, cluster, identify, step, verify } = world({ objects: [kept] });
    await identify();
    expect(await step()).toMatchObject({ outcome: 'wait', message: expect.stringContaining('example.org/keep') });
    expect(await step()).toMatchObject({ outcome: 'wait', message: expect.stringContaining('example.org/keep') });
    expect(kube.writes()).toHaveLength(1);
    expect(await verify()).toMatchObject({ verdict: 'pending' });
    cluster.remove(POD, 'web', 'web-1');
    expect(await step()).toMatchObject({ outcome: 'done' });
    expect(await verify()).toMatchObject({ verdict: 'reached' });
  });

  it.each([
    {
      input: podInput,
      object: pod('web-1', { metadata: { finalizers: ['example.org/keep'] } }),
      finalizers: ['example.org/keep'],
      reason: 'a finalizer that nobody takes away',
    },
    {
      input: { apiVersion: 'v1', kind: 'Namespace', name: 'web' },
      object: namespaceObject('web', {
        metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' },
        spec: { finalizers: ['kubernetes'] },
      }),
      finalizers: ['kubernetes'],
      reason: 'a namespace in a cluster without a namespace controller',
    },
  ])('does not wait where it shall not, and says what is true: $reason', async ({ input, object, finalizers }) => {
    const { identify, step, verify } = world({ input: { ...input, waitForRemoval: false }, objects: [object] });
    await identify();
    expect(await step()).toMatchObject({ outcome: 'done', message: expect.stringContaining(finalizers.join()) });
    expect(await verify()).toMatchObject({
      verdict: 'reached',
      result: { state: 'deleting', finalizers },
      absent: [],
    });
  });

  it('has missed it without waiting, too, where the object is not even being deleted', async () => {
    const { identify, verify } = world({ input: { ...podInput, waitForRemoval: false } });
    await identify();
    expect(await verify()).toMatchObject({ verdict: 'missed' });
  });

  it('repeats what the namespace says of what is left in it', async () => {
    const status = {
      conditions: [
        { type: 'NamespaceContentRemaining', status: 'True', message: 'Some resources are remaining: things' },
        { type: 'NamespaceDeletionDiscoveryFailure', status: 'False', message: 'All resources discovered' },
      ],
    };
    const going = namespaceObject('web', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' }, status });
    const { identify, step } = world({ input: { apiVersion: 'v1', kind: 'Namespace', name: 'web' }, objects: [going] });
    await identify();
    const outcome = await step();
    expect(outcome).toMatchObject({ message: expect.stringContaining('Some resources are remaining') });
    expect(outcome).not.toMatchObject({ message: expect.stringContaining('All resources discovered') });
  });

  it('leaves the successor of the same name alone when it is run again after a crash', async () => {
    const { kube, cluster, identify, step, verify } = world();
    await identify();
    await step();
    cluster.add(pod('web-1', { metadata: { uid: 'of the successor' } }));
    expect(await step()).toMatchObject({ outcome: 'done' });
    expect(kube.writes()).toHaveLength(1);
    expect(await verify()).toMatchObject({ verdict: 'reached', result: { state: 'made-again' }, absent: [] });
  });

  it('deletes nothing where there was nothing when it began', async () => {
    const { kube, cluster, identify, step } = world({ objects: [] });
    await identify();
    cluster.add(plainPod);
    expect(await step()).toMatchObject({ outcome: 'done' });
    expect(kube.writes()).toEqual([]);
  });

  it('has missed an object that is still there', async () => {
    const { identify, verify } = world();
    await identify();
    expect(await verify()).toMatchObject({ verdict: 'missed' });
  });
});
