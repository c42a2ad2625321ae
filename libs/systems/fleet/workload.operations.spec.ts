import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import { clusterBody } from '#libs/testing/aks-samples.js';
import { FakeArm } from '#libs/testing/fake-arm.js';
import { FakeKube, fakeRefusal } from '#libs/testing/fake-kube.js';
import {
  CLUSTER_1,
  CLUSTER_2,
  HUB,
  MEMBER_1,
  MEMBER_2,
  NAMESPACE,
  SAMPLE_TIME,
  SERVICE,
  clusterDirectory,
  memberClusterObject,
  multiClusterServiceObject,
  namespaceObject,
  placementObject,
  placementStatus,
  serviceObject,
} from '#libs/testing/fleet-hub-samples.js';
import { FLEET_ID, fleetBody, memberBody } from '#libs/testing/fleet-samples.js';
import { playOperation, tokenOf } from '#libs/testing/operation-play.js';
import { targetOf } from '../contract/system.contract-suite.js';
import { createFleetSystem } from './fleet.module.js';

const PLACEMENT = { group: 'placement.kubernetes-fleet.io', kind: 'ClusterResourcePlacement' };
const EXPORT = { group: 'networking.fleet.azure.com', kind: 'ServiceExport' };
const MCS = { group: 'networking.fleet.azure.com', kind: 'MultiClusterService' };
const NAMESPACES = { group: '', kind: 'Namespace' };
const DEPLOYMENT = { group: 'apps', kind: 'Deployment' };
const STEPS = ['namespace', 'manifests', 'exports', 'placement', 'members', 'multi-cluster-service', 'address'];

const KUARD = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: kuard}
spec: {replicas: 2}
---
apiVersion: v1
kind: Service
metadata: {name: kuard}
spec: {ports: [{port: 8080}]}
`;
const EASTUS = { matchLabels: { 'fleet.azure.com/location': 'eastus' } };
const WHOLE = {
  policy: EASTUS,
  exports: [SERVICE],
  multiClusterService: { cluster: MEMBER_1, service: SERVICE },
};

function world(change: JsonObject = {}) {
  const arm = new FakeArm();
  arm.set(FLEET_ID, fleetBody());
  arm.add(memberBody(), memberBody({ clusterResourceId: CLUSTER_2.id }, `${FLEET_ID}/members/${MEMBER_2}`));
  arm.add(clusterBody(), { ...clusterBody(), id: CLUSTER_2.id, name: 'demo-aks02' });
  const kube = new FakeKube();
  const hub = kube.cluster(HUB).add(memberClusterObject(MEMBER_1), memberClusterObject(MEMBER_2));
  const members = [CLUSTER_1, CLUSTER_2].map((cluster) => kube.cluster(cluster).withdraw(PLACEMENT));
  const clock = new ManualClock(SAMPLE_TIME);
  const { operations } = createFleetSystem(arm.azure(), kube, clusterDirectory(HUB), clock);
  const input = { fleet: FLEET_ID, namespace: NAMESPACE, manifest: KUARD, ...change };
  const references = { fleet: targetOf(FLEET_ID, 'Fleet') };
  return { arm, kube, hub, members, clock, ...playOperation(operations, 'fleet.workload.deploy', input, references) };
}
type World = ReturnType<typeof world>;

/** The controllers of the fleet in one stroke: what is placed runs on both members, what is served has an address. */
function controllersOf({ hub, members }: World): void {
  hub.react({ verb: 'apply', kind: PLACEMENT.kind }, (object, cluster) => {
    cluster.add({ ...object, status: placementStatus() });
    for (const member of members) {
      member.add(namespaceObject());
      const deployment = hub.object(DEPLOYMENT, NAMESPACE, 'kuard');
      if (deployment !== undefined) member.add({ ...deployment, status: { readyReplicas: 2 } });
    }
  });
  members[0]?.react({ verb: 'apply', kind: MCS.kind }, (object, cluster) => {
    const { status = {} } = multiClusterServiceObject();
    cluster.add({ ...object, status });
  });
}

/** Every step, once more where it waits, as a runner would. */
async function runAll(parts: World, attempt = 1): Promise<string[]> {
  const outcomes: string[] = [];
  for (const name of STEPS) {
    const first = await parts.step(name, undefined, attempt);
    const last = first.outcome === 'wait' ? await parts.step(name, first.resumeToken, attempt + 1) : first;
    outcomes.push(last.outcome);
  }
  return outcomes;
}

describe('fleet.workload.deploy: the checks before', () => {
  const document = (yaml: string) => ({ manifest: `${KUARD}---\n${yaml}` });

  it.each<{ prepare?(parts: World): void; input?: JsonObject; found: string[]; reason: string }>([
    { input: WHOLE, found: [], reason: 'all is prepared, and the namespace is still to be made' },
    { prepare: ({ arm }) => arm.remove(FLEET_ID), found: ['error FLEET_NOT_FOUND'], reason: 'there is no such fleet' },
    {
      prepare: ({ hub }) => {
        hub.mayDo = () => ({ allowed: false, reason: '' });
      },
      found: ['error HUB_ACCESS_DENIED'],
      reason: 'the role on the hub is missing',
    },
    { input: { manifest: '# nothing' }, found: ['error MANIFEST_EMPTY'], reason: 'there is nothing to deploy' },
    {
      input: document('apiVersion: fleet.azure.com/v1alpha1\nkind: ClusterResourcePlacement\nmetadata: {name: a}'),
      found: ['error OUTDATED_FLEET_API'],
      reason: 'written for the preview of 2022',
    },
    {
      input: document(
        'apiVersion: placement.kubernetes-fleet.io/v1\nkind: ClusterResourcePlacement\nmetadata: {name: a}\nspec: {resourceSelectors: [], policy: {affinity: {clusterAffinity: {clusterSelectorTerms: []}}}}',
      ),
      found: ['error OUTDATED_PLACEMENT_SHAPE'],
      reason: 'the old shape would be placed on every member',
    },
    {
      input: document('apiVersion: v1\nkind: Pod\nmetadata: {name: a}'),
      found: ['error POD_ON_HUB'],
      reason: 'a hub runs no pods',
    },
    {
      input: document('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: other}'),
      found: ['error DOCUMENT_OUTSIDE_NAMESPACE'],
      reason: 'it would be brought nowhere',
    },
    {
      input: document('apiVersion: v1\nkind: Namespace\nmetadata: {name: other}'),
      found: ['error DOCUMENT_OUTSIDE_NAMESPACE'],
      reason: 'neither would another namespace',
    },
    {
      input: document(
        'apiVersion: placement.kubernetes-fleet.io/v1\nkind: ClusterResourcePlacement\nmetadata: {name: a}\nspec: {resourceSelectors: []}',
      ),
      found: ['error DOCUMENT_OF_FLEET'],
      reason: 'the placement is made by the operation',
    },
    { input: { exports: ['other'] }, found: ['error SERVICE_NOT_FOUND'], reason: 'there is no such service' },
    {
      prepare: ({ hub }) =>
        hub.add(namespaceObject(), { ...serviceObject(), metadata: { name: 'other', namespace: NAMESPACE } }),
      input: { exports: ['other'] },
      found: [],
      reason: 'the service is on the hub already',
    },
    {
      input: {
        manifest: 'apiVersion: v1\nkind: Service\nmetadata: {name: kuard}\nspec: {clusterIP: None}',
        exports: [SERVICE],
      },
      found: ['error SERVICE_HEADLESS'],
      reason: 'Fleet takes no headless service',
    },
    {
      input: { multiClusterService: WHOLE.multiClusterService },
      found: ['error SERVICE_NOT_EXPORTED'],
      reason: 'what is served has to be exported',
    },
    {
      input: {
        ...document('apiVersion: networking.fleet.azure.com/v1alpha1\nkind: ServiceExport\nmetadata: {name: kuard}'),
        multiClusterService: WHOLE.multiClusterService,
      },
      found: [],
      reason: 'the manifest exports it itself',
    },
    {
      input: { ...WHOLE, multiClusterService: { cluster: 'other', service: SERVICE } },
      found: ['error MEMBER_UNKNOWN'],
      reason: 'the member is not in the fleet',
    },
    {
      input: { ...WHOLE, policy: { placementType: 'PickFixed', members: [MEMBER_2] } },
      found: ['error MEMBER_NOT_ELIGIBLE'],
      reason: 'the namespace does not come to the member that is to serve',
    },
    {
      prepare: ({ members }) => members[1]?.add(namespaceObject(), multiClusterServiceObject()),
      input: WHOLE,
      found: ['error IMPORTED_ALREADY'],
      reason: 'the other member serves it',
    },
    {
      prepare: ({ arm }) =>
        arm.add({
          ...clusterBody({ networkProfile: { networkPlugin: 'azure', networkPluginMode: 'overlay' } }),
          id: CLUSTER_2.id,
        }),
      input: WHOLE,
      found: ['error POD_NETWORK_NOT_ROUTABLE'],
      reason: 'the pods of one of them cannot be reached',
    },
    { input: { policy: { matchLabels: { a: 'b' } } }, found: ['error NO_MEMBER_MATCHES'], reason: 'nobody fits' },
    { input: { namespace: 'fleet-x' }, found: ['error NAMESPACE_RESERVED'], reason: 'Fleet keeps it for itself' },
    {
      prepare: ({ hub }) => hub.add(namespaceObject(), placementObject()),
      input: { policy: { placementType: 'PickN', numberOfClusters: 1 } },
      found: ['error PLACEMENT_TYPE_IMMUTABLE', 'info PLACEMENT_EXISTS'],
      reason: 'the placement is of another type',
    },
  ])('find $found: $reason', async ({ prepare, input, found }) => {
    const parts = world(input);
    prepare?.(parts);
    expect(await parts.codes()).toEqual(found);
    expect(parts.kube.writes()).toEqual([]);
  });

  it('refuses a Secret with its values before anything is written down', () => {
    const manifest = 'apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {password: hunter2}';
    let refusal: unknown;
    try {
      world({ manifest }).target();
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toMatchObject({ code: 'INVALID_REQUEST', violations: [{ code: 'SECRET_IN_MANIFEST' }] });
    expect(JSON.stringify(refusal)).not.toContain('hunter2');
  });
});

describe('fleet.workload.deploy', () => {
  it('brings everything about, in order', async () => {
    const parts = world(WHOLE);
    controllersOf(parts);
    expect(await runAll(parts)).toEqual(STEPS.map(() => 'done'));
    expect(parts.kube.writes()).toEqual([
      `apply Namespace ${NAMESPACE}`,
      `apply Service ${NAMESPACE}/kuard`,
      `apply Deployment ${NAMESPACE}/kuard`,
      `apply ServiceExport ${NAMESPACE}/kuard`,
      `apply ClusterResourcePlacement ${NAMESPACE}`,
      `apply MultiClusterService ${NAMESPACE}/kuard`,
    ]);
    await expect(parts.verify()).resolves.toMatchObject({
      verdict: 'reached',
      result: {
        namespace: NAMESPACE,
        members: [
          {
            member: MEMBER_1,
            available: true,
            workloads: [{ kind: 'Deployment', name: 'kuard', ready: 2, wanted: 2 }],
          },
          { member: MEMBER_2, available: true, problem: null },
        ],
        multiClusterService: { addresses: ['20.1.2.3'] },
      },
      observations: [{ kind: 'ClusterResourcePlacement' }],
    });
  });

  it('changes nothing when every step is run again', async () => {
    const parts = world(WHOLE);
    controllersOf(parts);
    await runAll(parts);
    const [hub, member] = [parts.hub.objects, parts.members[0]?.objects];
    const bare = (objects: readonly JsonObject[] = []) => objects.map(withoutVersion);
    expect(await runAll(parts, 2)).toEqual(STEPS.map(() => 'done'));
    expect(bare(parts.hub.objects)).toEqual(bare(hub));
    expect(bare(parts.members[0]?.objects)).toEqual(bare(member));
    await expect(parts.verify()).resolves.toMatchObject({ verdict: 'reached' });
  });

  it('does without exports and an address where none are wanted', async () => {
    const parts = world();
    controllersOf(parts);
    expect(await runAll(parts)).toEqual(STEPS.map(() => 'done'));
    expect(parts.hub.object(EXPORT, NAMESPACE, SERVICE)).toBeUndefined();
    await expect(parts.verify()).resolves.toMatchObject({ verdict: 'reached', result: { multiClusterService: null } });
  });

  it.each([
    { cluster: MEMBER_1, reason: 'its name in the fleet' },
    { cluster: CLUSTER_1.uid, reason: 'the uid of the cluster' },
    { cluster: CLUSTER_1.id.toUpperCase(), reason: 'the ARM id of the cluster, however it is written' },
  ])('finds the member by $reason', async ({ cluster }) => {
    const parts = world({ ...WHOLE, multiClusterService: { cluster, service: SERVICE, internal: true } });
    controllersOf(parts);
    parts.members[0]?.add(namespaceObject());
    await parts.step('multi-cluster-service');
    expect(parts.members[0]?.object(MCS, NAMESPACE, SERVICE)?.metadata.annotations).toMatchObject({
      'networking.fleet.azure.com/azure-load-balancer-internal': 'true',
    });
  });

  it('takes what belongs to the whole cluster along', async () => {
    const role = 'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: reader}\nrules: []';
    const parts = world({ manifest: `${KUARD}---\n${role}` });
    controllersOf(parts);
    await runAll(parts);
    expect(parts.hub.object(PLACEMENT, undefined, NAMESPACE)?.spec).toMatchObject({
      resourceSelectors: [
        { kind: 'Namespace', name: NAMESPACE },
        { group: 'rbac.authorization.k8s.io', version: 'v1', kind: 'ClusterRole', name: 'reader' },
      ],
    });
  });

  it('has a name of its own for the placement', async () => {
    const parts = world({ name: 'kuard-east' });
    controllersOf(parts);
    await runAll(parts);
    expect(parts.target().id).toMatch(/ClusterResourcePlacement\/kuard-east$/);
    expect(parts.hub.object(PLACEMENT, undefined, 'kuard-east')).toBeDefined();
  });

  it('says in a dry run what would be done, and does nothing', async () => {
    const parts = world(WHOLE);
    expect(await parts.plan()).toMatchObject({
      namespace: { name: NAMESPACE, action: 'create' },
      documents: [
        { kind: 'Deployment', name: 'kuard' },
        { kind: 'Service', name: 'kuard' },
      ],
      exports: [{ kind: 'ServiceExport', name: SERVICE, action: 'create' }],
      placement: { kind: 'ClusterResourcePlacement', action: 'create' },
      multiClusterService: { member: MEMBER_1, object: { action: 'create' } },
    });
    expect(parts.kube.writes()).toEqual([]);
    controllersOf(parts);
    await runAll(parts);
    expect(await parts.plan()).toMatchObject({
      namespace: { action: 'none' },
      documents: [{ action: 'none' }, { action: 'none' }],
      exports: [{ action: 'none' }],
      placement: { action: 'none' },
      multiClusterService: { object: { action: 'none' } },
    });
  });

  it('waits for a namespace that is going away', async () => {
    const parts = world();
    parts.hub.add({
      ...namespaceObject(),
      metadata: { name: NAMESPACE, deletionTimestamp: '2026-11-21T09:00:00Z' },
    });
    await expect(parts.step('namespace')).resolves.toMatchObject({ outcome: 'blocked' });
    parts.hub.remove(NAMESPACES, undefined, NAMESPACE);
    await expect(parts.step('namespace', undefined, 2)).resolves.toMatchObject({ outcome: 'done' });
  });

  it('ends where the hub refuses a document, and says what was applied', async () => {
    const parts = world();
    await parts.step('namespace');
    parts.hub.refuse({ verb: 'apply', kind: 'Deployment' }, fakeRefusal('KUBERNETES_REJECTED', 'Invalid', 'no image'));
    await expect(parts.step('manifests')).resolves.toMatchObject({
      outcome: 'failed',
      error: { code: 'KUBERNETES_REJECTED' },
      output: {
        documents: [
          { kind: 'Deployment', outcome: 'refused' },
          { kind: 'Service', outcome: 'created' },
        ],
      },
    });
  });

  it('goes on with the manifest where the hub was away, without doing anything twice', async () => {
    const parts = world();
    await parts.step('namespace');
    const away = new ControlError('KUBERNETES_UNAVAILABLE', 'away', { retry: { kind: 'backoff' } });
    parts.hub.refuse({ verb: 'apply', kind: 'Deployment' }, away, true);
    const first = await parts.step('manifests');
    expect(first.outcome).toBe('wait');
    await expect(parts.step('manifests', tokenOf(first), 2)).resolves.toMatchObject({ outcome: 'done' });
    expect(parts.kube.writes().filter((write) => write.startsWith('apply Service '))).toHaveLength(1);
  });

  it('waits for members as long as it was told to', async () => {
    const parts = world({ waitSeconds: 60 });
    await parts.step('namespace');
    await parts.step('manifests');
    await parts.step('placement');
    const first = await parts.step('members');
    expect(first.outcome).toBe('wait');
    parts.clock.advance(59_000);
    const second = await parts.step('members', tokenOf(first), 2);
    expect(second.outcome).toBe('wait');
    parts.clock.advance(1_000);
    await expect(parts.step('members', tokenOf(second), 3)).resolves.toMatchObject({
      outcome: 'failed',
      error: { code: 'DEADLINE_EXCEEDED' },
    });
    await expect(parts.verify()).resolves.toMatchObject({ verdict: 'pending' });
  });

  it('shows a member that does not let us look, with why', async () => {
    const parts = world();
    controllersOf(parts);
    await runAll(parts);
    parts.members[1]?.refuse({}, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'may not look'));
    const verification = await parts.verify();
    expect(verification).toMatchObject({
      verdict: 'reached',
      result: { members: [{ problem: null }, { workloads: null, problem: 'may not look' }] },
    });
  });

  it.each([
    { gone: PLACEMENT, step: 'members', reason: 'the placement was taken away' },
    { gone: MCS, step: 'address', reason: 'the multi-cluster service was taken away' },
  ])('notices that $reason', async ({ gone, step }) => {
    const parts = world(WHOLE);
    controllersOf(parts);
    await runAll(parts);
    parts.hub.remove(gone, undefined, NAMESPACE);
    parts.members[0]?.remove(gone, NAMESPACE, SERVICE);
    await expect(parts.step(step, undefined, 2)).rejects.toMatchObject({ code: 'KUBERNETES_NOT_FOUND' });
    await expect(parts.verify()).resolves.toMatchObject({ verdict: 'missed' });
  });

  it('says so where the member has left the fleet meanwhile', async () => {
    const parts = world({ ...WHOLE, multiClusterService: { cluster: 'left', service: SERVICE } });
    await expect(parts.step('multi-cluster-service')).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
  });
});

function withoutVersion(object: JsonObject): JsonObject {
  const { metadata, ...rest } = object;
  if (!isJsonObject(metadata)) return rest;
  const { resourceVersion: _version, creationTimestamp: _created, ...kept } = metadata;
  return { ...rest, metadata: kept };
}
