import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import { CLUSTER_ID } from '#libs/testing/aks-samples.js';
import { FakeArm, refusal } from '#libs/testing/fake-arm.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import {
  CLUSTER_1,
  CLUSTER_2,
  HUB,
  MEMBER_2,
  NAMESPACE,
  SAMPLE_TIME,
  SERVICE,
  clusterDirectory,
  memberClusterObject,
  multiClusterServiceObject,
  placementObject,
  watchedCluster,
} from '#libs/testing/fleet-hub-samples.js';
import { FLEET_ID, MEMBER_ID, fleetBody, memberBody } from '#libs/testing/fleet-samples.js';
import type { ClusterCandidate, WatchBatch, WatchContext } from '../contract/cluster-watcher.js';
import { targetOf, watchUntil } from '../contract/system.contract-suite.js';
import { FleetClient } from './fleet.client.js';
import { FleetMembershipDirectory } from './fleet-membership.js';
import { FleetHubWatcher } from './fleet-hub.watcher.js';

const MCS = { group: 'networking.fleet.azure.com', kind: 'MultiClusterService' };
const MEMBER_CLUSTER = { group: 'cluster.kubernetes-fleet.io', kind: 'MemberCluster' };
const PLACEMENT = { group: 'placement.kubernetes-fleet.io', kind: 'ClusterResourcePlacement' };
const call = { correlationId: 'c', signal: new AbortController().signal };

/** A pause ends when the test says so. */
function world() {
  const arm = new FakeArm();
  arm.set(FLEET_ID, fleetBody());
  arm.add(memberBody(), memberBody({ clusterResourceId: CLUSTER_2.id }, `${FLEET_ID}/members/${MEMBER_2}`));
  const kube = new FakeKube();
  const clock = new ManualClock(SAMPLE_TIME);
  const memberships = new FleetMembershipDirectory(new FleetClient(arm.azure()), clock);
  const pauses: { milliseconds: number; end: () => void }[] = [];
  const watcher = new FleetHubWatcher({
    kube,
    clusters: clusterDirectory(HUB, CLUSTER_1),
    memberships,
    pause: (milliseconds, signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      pauses.push({ milliseconds, end: resolve });
      return promise;
    },
  });
  return { arm, kube, watcher, pauses, clock, memberships };
}

function names(batches: readonly WatchBatch[]): string[] {
  return batches.map((batch) => {
    switch (batch.batch) {
      case 'page':
        return `page ${batch.observations.map(({ name }) => name).join()}`;
      case 'changes':
        return `changes ${batch.observations.map(({ name }) => name).join()} gone ${batch.gone.map(({ id }) => KubernetesId.parse(id).name).join()}`;
      default:
        return batch.batch;
    }
  });
}

describe('FleetHubWatcher.isWatched', () => {
  const { watcher } = world();
  const candidate = (kind: string, change: Partial<ClusterCandidate>): ClusterCandidate => ({
    ...watchedCluster(kind === 'Fleet' ? FLEET_ID : CLUSTER_ID, kind),
    provisioningState: 'Succeeded',
    properties: {},
    isAttached: false,
    ...change,
  });

  it.each<{ kind: string; change: Partial<ClusterCandidate>; watched: boolean; reason: string }>([
    { kind: 'Fleet', change: { properties: { hubProfile: { fqdn: 'f' } } }, watched: true, reason: 'a hub is there' },
    { kind: 'Fleet', change: { properties: { hubProfile: {} } }, watched: false, reason: 'its hub has no address yet' },
    { kind: 'Fleet', change: {}, watched: false, reason: 'it has no hub' },
    {
      kind: 'Fleet',
      change: { properties: { hubProfile: { fqdn: 'f' } }, provisioningState: 'Deleting' },
      watched: false,
      reason: 'it goes',
    },
    { kind: 'ManagedCluster', change: {}, watched: true, reason: 'it runs' },
    {
      kind: 'ManagedCluster',
      change: { properties: { powerState: { code: 'Stopped' } } },
      watched: false,
      reason: 'it is stopped',
    },
    { kind: 'ManagedCluster', change: { provisioningState: 'Creating' }, watched: false, reason: 'it is being made' },
    {
      kind: 'ManagedCluster',
      change: { properties: { nodeResourceGroup: 'MC_FL_rg_f_eastus' } },
      watched: false,
      reason: 'Azure denies the cluster under a hub to everybody',
    },
    { kind: 'AttachedCluster', change: {}, watched: true, reason: 'it may be a member of any fleet' },
    { kind: 'VirtualNode', change: {}, watched: false, reason: 'it is no cluster' },
  ])('says $watched for a $kind: $reason', ({ kind, change, watched }) => {
    expect(watcher.isWatched(candidate(kind, change))).toBe(watched);
  });
});

describe('FleetHubWatcher.watch', () => {
  it('lists, then tells what changes: the last state of each, and what is gone', async () => {
    const { kube, watcher } = world();
    const gone = placementObject({ metadata: { name: 'gone' } });
    kube.cluster(HUB).add(placementObject());
    const receivedAt = new Date('2026-11-21T09:05:00Z');
    kube.cluster(HUB).push(
      PLACEMENT,
      {
        turn: 'changes',
        receivedAt,
        changes: [
          { change: 'put', object: gone },
          { change: 'put', object: placementObject({ status: {} }) },
          { change: 'put', object: placementObject() },
          { change: 'gone', object: gone },
        ],
      },
      { turn: 'alive', receivedAt },
      { turn: 'interrupted', problem: new Error('lost') },
    );
    const batches = await watchUntil(
      watcher,
      HUB,
      'clusterresourceplacements',
      call,
      ({ batch }) => batch === 'interrupted',
    );
    expect(names(batches)).toEqual([
      `page ${NAMESPACE}`,
      'listed',
      `changes ${NAMESPACE} gone gone`,
      'alive',
      'interrupted',
    ]);
    expect(batches[2]).toMatchObject({
      observations: [{ health: { state: 'Healthy' }, observedAt: receivedAt }],
      gone: [{ kind: 'ClusterResourcePlacement' }],
    });
  });

  it('says that a cluster without the type has nothing of it, and looks again now and then', async () => {
    const { kube, watcher, pauses } = world();
    const cluster = kube.cluster(CLUSTER_1).withdraw(MCS);
    let listed = 0;
    const batches = await watchUntil(watcher, CLUSTER_1, 'multiclusterservices', call, (batch) => {
      if (batch.batch !== 'listed') return false;
      listed += 1;
      if (listed === 1) {
        // The agents of Fleet arrive; the next look is when the pause ends.
        cluster.serve({
          group: MCS.group,
          version: 'v1alpha1',
          kind: MCS.kind,
          plural: 'multiclusterservices',
          namespaced: true,
          verbs: [],
          subresources: ['status'],
        });
        cluster.add(multiClusterServiceObject());
        setImmediate(() => pauses[0]?.end());
      }
      return listed === 2;
    });
    expect(names(batches)).toEqual(['listed', `page ${SERVICE}`, 'listed']);
    expect(pauses[0]?.milliseconds).toBe(4_000);
  });

  it('looks again ever more rarely where the agents do not come', async () => {
    const { kube, watcher, pauses } = world();
    kube.cluster(CLUSTER_1).withdraw(MCS);
    let listed = 0;
    await watchUntil(watcher, CLUSTER_1, 'multiclusterservices', call, () => {
      const index = listed++;
      setImmediate(() => pauses[index]?.end());
      return listed === 7;
    });
    const waited = pauses.slice(0, 6).map(({ milliseconds }) => milliseconds / 1_000);
    expect(waited).toEqual([4, 8, 16, 32, 60, 60]);
  });

  it('looks again at once when somebody wants to be sure', async () => {
    const { kube, watcher } = world();
    kube.cluster(CLUSTER_1).withdraw(MCS);
    const end = new AbortController();
    let wanted = 0;
    const context: WatchContext = {
      correlationId: 'c',
      signal: end.signal,
      relistRequested: () => (wanted++ === 0 ? Promise.resolve() : new Promise(() => undefined)),
    };
    const run = watcher.watch(CLUSTER_1, 'multiclusterservices', context);
    expect((await run.next()).value).toMatchObject({ batch: 'listed' });
    expect((await run.next()).value).toMatchObject({ batch: 'listed' });
    const last = run.next();
    end.abort(new ControlError('CANCELED', 'stopped'));
    await expect(last).resolves.toMatchObject({ done: true });
  });

  it('goes back to looking when the type is taken away', async () => {
    const { kube, watcher, pauses } = world();
    const cluster = kube.cluster(HUB).add(placementObject());
    cluster.push(PLACEMENT, new ControlError('KUBERNETES_NOT_FOUND', 'no such resource'));
    let listed = 0;
    const batches = await watchUntil(watcher, HUB, 'clusterresourceplacements', call, (batch) => {
      if (batch.batch !== 'listed') return false;
      listed += 1;
      if (listed === 1) {
        cluster.withdraw(PLACEMENT);
        setImmediate(() => setImmediate(() => pauses[0]?.end()));
      }
      return listed === 2;
    });
    expect(names(batches)).toEqual([`page ${NAMESPACE}`, 'listed', 'listed']);
  });

  it('does not fall silent where there is no use in going on', async () => {
    const { kube, watcher } = world();
    const cluster = kube.cluster(HUB);
    cluster.push(MEMBER_CLUSTER, new ControlError('KUBERNETES_FORBIDDEN', 'no'));
    const run = watchUntil(watcher, HUB, 'memberclusters', call, () => false);
    await expect(run).rejects.toMatchObject({ code: 'KUBERNETES_FORBIDDEN' });
  });

  it('reads all members again after a while: an agent that has died does not say so', async () => {
    const { kube, watcher, pauses } = world();
    kube.cluster(HUB).add(memberClusterObject());
    let listed = 0;
    await watchUntil(watcher, HUB, 'memberclusters', call, (batch) => {
      if (batch.batch !== 'listed') return false;
      listed += 1;
      if (listed === 1) setImmediate(() => pauses[0]?.end());
      return listed === 2;
    });
    expect(pauses[0]?.milliseconds).toBe(180_000);
  });

  it('does not know a stream of another name', async () => {
    const { watcher } = world();
    await expect(watchUntil(watcher, HUB, 'pods', call, () => true)).rejects.toThrow(TypeError);
  });
});

describe('FleetHubWatcher.observe', () => {
  it('asks the cluster for the one object', async () => {
    const { kube, watcher } = world();
    kube.cluster(HUB).add(placementObject());
    const id = KubernetesId.of({ clusterUid: HUB.uid, ...PLACEMENT, namespace: undefined, name: NAMESPACE });
    const result = await watcher.observe(targetOf(id.toString(), 'ClusterResourcePlacement'), call);
    expect(result).toMatchObject({ state: 'present', observations: [{ name: NAMESPACE, location: 'eastus' }] });
  });

  it.each([
    { prepare: () => undefined, reason: 'it is not there' },
    { prepare: (kube: FakeKube) => kube.cluster(HUB).withdraw(PLACEMENT), reason: 'the type is not served' },
  ])('says absent: $reason', async ({ prepare }) => {
    const { kube, watcher } = world();
    prepare(kube);
    const id = KubernetesId.of({ clusterUid: HUB.uid, ...PLACEMENT, namespace: undefined, name: 'other' });
    await expect(watcher.observe(targetOf(id.toString(), 'X'), call)).resolves.toMatchObject({ state: 'absent' });
  });

  it.each([
    {
      id: { clusterUid: HUB.uid, group: '', kind: 'Pod', namespace: 'a', name: 'b' },
      code: 'INVALID_REQUEST',
      reason: 'not ours',
    },
    {
      id: { clusterUid: CLUSTER_2.uid, ...PLACEMENT, namespace: undefined, name: 'b' },
      code: 'RESOURCE_NOT_FOUND',
      reason: 'nobody knows the cluster',
    },
  ])('refuses with $code: $reason', async ({ id, code }) => {
    const { watcher } = world();
    const target = targetOf(KubernetesId.of(id).toString(), 'X');
    await expect(watcher.observe(target, call)).rejects.toMatchObject({ code });
  });
});

describe('FleetMembershipDirectory', () => {
  const names = (fleet: { members: readonly { name: string }[] } | undefined) => fleet?.members.map(({ name }) => name);
  const both = ['demo-aks01-demo-aks01', MEMBER_2];

  it('finds the fleet of a member, and that of a hub', async () => {
    const { memberships } = world();
    expect(names(await memberships.fleetOf(CLUSTER_1, call))).toEqual(both);
    expect(names(await memberships.fleetOf(HUB, call))).toEqual(both);
    expect(await memberships.fleetOf(watchedCluster(`${CLUSTER_ID}-alone`, 'ManagedCluster'), call)).toBeUndefined();
    expect(await memberships.fleetOf({ id: 'attached', uid: 'u', kind: 'AttachedCluster' }, call)).toBeUndefined();
  });

  it('finds a member that the index does not list yet', async () => {
    const { arm, memberships } = world();
    arm.answer('POST', /resourcegraph/i, { status: 200, body: { data: [], totalRecords: 0, count: 0 } });
    expect(names(await memberships.fleetOf(CLUSTER_1, call))).toEqual(both);
  });

  it('keeps what it knows for five minutes, and longer where Azure cannot be asked', async () => {
    const { arm, memberships, clock } = world();
    await memberships.fleetOf(HUB, call);
    const asked = arm.requests.length;
    await memberships.fleetOf(HUB, call);
    expect(arm.requests.length).toBe(asked);
    clock.advance(301_000);
    arm.answer('GET', /members$/, refusal(403, 'AuthorizationFailed', ''));
    expect(names(await memberships.fleetOf(HUB, call))).toEqual(both);
    expect(arm.requests.length).toBeGreaterThan(asked);
    arm.remove(MEMBER_ID);
  });
});
