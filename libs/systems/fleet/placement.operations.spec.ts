import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import { FakeArm } from '#libs/testing/fake-arm.js';
import { FakeKube, fakeRefusal, type FakeCluster } from '#libs/testing/fake-kube.js';
import {
  CLUSTER_2,
  HUB,
  MEMBER_1,
  MEMBER_2,
  NAMESPACE,
  SAMPLE_TIME,
  clusterDirectory,
  condition,
  memberClusterObject,
  namespaceObject,
  placedMember,
  placementObject,
  placementSpec,
  placementStatus,
} from '#libs/testing/fleet-hub-samples.js';
import { FLEET_ID, fleetBody, memberBody } from '#libs/testing/fleet-samples.js';
import { playOperation, tokenOf } from '#libs/testing/operation-play.js';
import { targetOf } from '../contract/system.contract-suite.js';
import { createFleetSystem } from './fleet.module.js';

const PLACEMENT = { group: 'placement.kubernetes-fleet.io', kind: 'ClusterResourcePlacement' };
const fleet = targetOf(FLEET_ID, 'Fleet');
const EASTUS = { placementType: 'PickAll', matchLabels: { 'fleet.azure.com/location': 'eastus' } };

function world() {
  const arm = new FakeArm();
  arm.set(FLEET_ID, fleetBody());
  arm.add(memberBody({ clusterResourceId: CLUSTER_2.id }, `${FLEET_ID}/members/${MEMBER_2}`));
  const kube = new FakeKube();
  const hub = kube.cluster(HUB).add(namespaceObject(), memberClusterObject(MEMBER_1), memberClusterObject(MEMBER_2));
  const clock = new ManualClock(SAMPLE_TIME);
  const { operations } = createFleetSystem(arm.azure(), kube, clusterDirectory(HUB), clock);
  return {
    arm,
    kube,
    hub,
    clock,
    apply: (change: JsonObject = {}) =>
      playOperation(
        operations,
        'fleet.placement.apply',
        { fleet: FLEET_ID, name: NAMESPACE, namespaces: [NAMESPACE], policy: EASTUS, ...change },
        { fleet },
      ),
    remove() {
      const id = KubernetesId.of({ clusterUid: HUB.uid, ...PLACEMENT, namespace: undefined, name: NAMESPACE });
      const placement = targetOf(id.toString(), 'ClusterResourcePlacement');
      return playOperation(operations, 'fleet.placement.delete', { placement: placement.id }, { placement });
    },
  };
}

/** The hub's controllers, in one stroke: whatever is applied has this status a moment later. */
function answersWith(hub: FakeCluster, status: JsonObject): void {
  hub.react({ verb: 'apply', kind: PLACEMENT.kind }, (object, cluster) => cluster.add({ ...object, status }));
}

describe('fleet.placement.apply: the checks before', () => {
  it('find nothing wrong where all is prepared', async () => {
    const { apply, kube } = world();
    expect(await apply().codes()).toEqual([]);
    expect(kube.writes()).toEqual([]);
  });

  it.each<{
    prepare?(parts: ReturnType<typeof world>): void;
    input?: JsonObject;
    found: string[];
    reason: string;
  }>([
    { prepare: ({ arm }) => arm.remove(FLEET_ID), found: ['error FLEET_NOT_FOUND'], reason: 'there is no such fleet' },
    {
      prepare: ({ arm }) => arm.set(FLEET_ID, fleetBody({ hubProfile: null })),
      found: ['error FLEET_HUBLESS'],
      reason: 'the fleet has no hub',
    },
    {
      prepare: ({ arm }) =>
        arm.set(FLEET_ID, fleetBody({ hubProfile: { dnsPrefix: 'a' }, provisioningState: 'Creating' })),
      found: ['error FLEET_NOT_READY'],
      reason: 'the hub is being made',
    },
    {
      prepare: ({ hub }) => {
        hub.mayDo = () => ({ allowed: false, reason: 'User does not have access to the resource in Azure.' });
      },
      found: ['error HUB_ACCESS_DENIED'],
      reason: 'a role in Azure gives no right on the hub',
    },
    {
      prepare: ({ hub }) => hub.refuse({ verb: 'mayI' }, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'no')),
      found: ['error HUB_ACCESS_DENIED'],
      reason: 'not even the question is allowed',
    },
    {
      prepare: ({ hub }) => hub.refuse({ verb: 'mayI' }, new ControlError('KUBERNETES_TIMEOUT', 'nothing')),
      found: ['error HUB_UNREACHABLE'],
      reason: 'a private hub does not answer from here',
    },
    {
      input: { namespaces: ['kube-system'] },
      found: ['error NAMESPACE_RESERVED'],
      reason: 'Kubernetes keeps it for itself',
    },
    { input: { namespaces: ['fleet-a'] }, found: ['error NAMESPACE_RESERVED'], reason: 'Fleet keeps it for itself' },
    { input: { namespaces: ['default'] }, found: ['error NAMESPACE_RESERVED'], reason: 'the hub never places it' },
    { input: { namespaces: ['missing'] }, found: ['error NAMESPACE_NOT_FOUND'], reason: 'it is not on the hub' },
    {
      input: { resourceSelectors: [{ group: 'a.b', version: 'v1', kind: 'Thing', name: 'x' }] },
      found: ['error RESOURCE_TYPE_UNKNOWN'],
      reason: 'the hub does not serve the kind',
    },
    {
      input: { resourceSelectors: [{ group: 'apps', version: 'v1', kind: 'Deployment', name: 'x' }] },
      found: ['error RESOURCE_NOT_CLUSTER_SCOPED'],
      reason: 'it goes with its namespace',
    },
    {
      input: {
        resourceSelectors: [{ group: 'rbac.authorization.k8s.io', version: 'v1', kind: 'ClusterRole', name: 'x' }],
      },
      found: ['warning SELECTED_OBJECT_NOT_FOUND'],
      reason: 'it may still be made',
    },
    {
      input: { policy: { matchLabels: { env: 'none' } } },
      found: ['error NO_MEMBER_MATCHES'],
      reason: 'no member has the label',
    },
    {
      input: { policy: { matchLabels: { env: 'none' } }, waitFor: 'stored' },
      found: ['warning NO_MEMBER_MATCHES'],
      reason: 'a placement may be there before its members',
    },
    {
      input: { policy: { ...EASTUS, placementType: 'PickN', numberOfClusters: 3 } },
      found: ['error TOO_FEW_MEMBERS'],
      reason: 'two of three are there',
    },
    {
      input: { policy: { ...EASTUS, placementType: 'PickN', numberOfClusters: 0 } },
      found: [],
      reason: 'none is wanted, none is needed',
    },
    {
      input: { policy: { placementType: 'PickFixed', members: [MEMBER_1, 'other'] } },
      found: ['error MEMBER_UNKNOWN'],
      reason: 'the fleet has no such member',
    },
    {
      prepare: ({ hub }) => hub.add(memberClusterObject(MEMBER_2, { status: {} })),
      found: ['warning MEMBER_NOT_ELIGIBLE'],
      reason: 'a member has not joined yet',
    },
    {
      prepare: ({ hub }) =>
        hub.add(memberClusterObject(MEMBER_2, { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } })),
      found: ['warning MEMBER_NOT_ELIGIBLE'],
      reason: 'a member is tainted',
    },
    {
      prepare: ({ hub }) => hub.add(placementObject()),
      found: ['info PLACEMENT_EXISTS'],
      reason: 'it is there already',
    },
    {
      prepare: ({ hub }) => hub.add(placementObject()),
      input: { policy: { ...EASTUS, placementType: 'PickN', numberOfClusters: 1 } },
      found: ['error PLACEMENT_TYPE_IMMUTABLE', 'info PLACEMENT_EXISTS'],
      reason: 'the type can never be changed',
    },
    {
      prepare: ({ hub }) => hub.add(placementObject({ spec: placementSpec({ strategy: { type: 'External' } }) })),
      input: { strategy: { type: 'RollingUpdate' } },
      found: ['error STRATEGY_NOT_REVERSIBLE', 'info PLACEMENT_EXISTS'],
      reason: 'staged update runs cannot be taken back',
    },
    {
      prepare: ({ hub }) =>
        hub.add(
          placementObject({ metadata: { name: NAMESPACE, generation: 1, deletionTimestamp: '2026-11-21T09:00:00Z' } }),
        ),
      found: ['error PLACEMENT_DELETING'],
      reason: 'the old one is going',
    },
    {
      prepare: ({ hub }) => hub.add(placementObject({ metadata: { name: 'another', generation: 1 } })),
      found: ['warning NAMESPACE_PLACED_ALREADY'],
      reason: 'two placements would own the same objects',
    },
    {
      input: { strategy: { type: 'External' } },
      found: ['warning ROLLOUT_EXTERNAL'],
      reason: 'nothing moves without an update run',
    },
    {
      prepare: ({ hub }) => {
        hub.add(placementObject());
        hub.ownField({ kind: PLACEMENT.kind }, 'kubectl', '.spec.revisionHistoryLimit');
        hub.refuse(
          { verb: 'apply', dryRun: true },
          new ControlError('KUBERNETES_CONFLICT', 'conflict', {
            violations: [{ path: '.spec.policy', message: 'conflict with "kubectl"', code: 'FieldManagerConflict' }],
          }),
        );
      },
      found: ['info PLACEMENT_EXISTS', 'error FIELD_CONFLICT'],
      reason: 'somebody else manages the policy',
    },
    {
      prepare: ({ hub }) =>
        hub.refuse({ verb: 'apply', dryRun: true }, fakeRefusal('KUBERNETES_REJECTED', 'Invalid', 'no')),
      found: ['error REFUSED_BY_CLUSTER'],
      reason: 'the hub has rules of its own',
    },
  ])('find $found: $reason', async ({ prepare, input, found }) => {
    const parts = world();
    prepare?.(parts);
    expect(await parts.apply(input).codes()).toEqual(found);
  });

  it('refuses to take a policy away', async () => {
    const { arm, kube, hub, clock } = world();
    hub.add(placementObject());
    const play = playOperation(
      createFleetSystem(arm.azure(), kube, clusterDirectory(HUB), clock).operations,
      'fleet.placement.apply',
      { fleet: FLEET_ID, name: NAMESPACE, namespaces: [NAMESPACE] },
      { fleet },
    );
    expect(await play.codes()).toEqual(['error POLICY_NOT_REMOVABLE', 'info PLACEMENT_EXISTS']);
  });

  it('says which member is meant where the name of the cluster was given', async () => {
    const findings = await world()
      .apply({ policy: { placementType: 'PickFixed', members: ['demo-aks02'] } })
      .findings();
    expect(findings[0]).toMatchObject({ code: 'MEMBER_UNKNOWN', remedy: `The cluster is the member "${MEMBER_2}".` });
  });

  it('names the operation that gives the missing role', async () => {
    const { hub, apply } = world();
    hub.mayDo = () => ({ allowed: false, reason: '' });
    expect((await apply().findings())[0]?.remedy).toContain('fleet.roleAssignment.create');
  });
});

describe('fleet.placement.apply', () => {
  it('gives the hub the placement, and says in a dry run what would change', async () => {
    const { hub, apply } = world();
    expect(await apply().plan()).toMatchObject({ action: 'create', name: NAMESPACE });
    await apply().step('apply');
    const object = hub.object(PLACEMENT, undefined, NAMESPACE);
    expect(object?.spec).toMatchObject({ policy: placementSpec().policy });
    expect(await apply().plan()).toMatchObject({ action: 'none', difference: [] });
    expect(await apply({ policy: { ...EASTUS, matchLabels: { a: 'b' } } }).plan()).toMatchObject({ action: 'change' });
  });

  it('changes nothing when it is run again after a crash', async () => {
    const { hub, apply } = world();
    await apply().step('apply');
    const before = hub.object(PLACEMENT, undefined, NAMESPACE);
    await expect(apply().step('apply', undefined, 2)).resolves.toMatchObject({ outcome: 'done' });
    expect(hub.object(PLACEMENT, undefined, NAMESPACE)).toEqual(before);
  });

  it('takes fields over only when told to', async () => {
    const { kube, apply } = world();
    await apply().step('apply');
    await apply({ force: true }).step('apply');
    expect(kube.requests.filter(({ verb }) => verb === 'apply').map(({ force }) => force)).toEqual([false, true]);
  });

  const half = placementStatus({}, [
    placedMember(MEMBER_1),
    placedMember(MEMBER_2, {
      conditions: [condition('Scheduled', 'True', 'Scheduled'), condition('Applied', 'Unknown', 'ApplyInProgress')],
    }),
  ]);
  const applied = placementStatus({}, [
    placedMember(MEMBER_1),
    placedMember(MEMBER_2, {
      conditions: [
        condition('Scheduled', 'True', 'Scheduled'),
        condition('Applied', 'True', 'AllWorkHaveBeenApplied'),
        condition('Available', 'False', 'NotAllWorkAreAvailable'),
      ],
    }),
  ]);

  it.each<{ waitFor: string; status: JsonObject; outcome: string; message: RegExp; reason: string }>([
    { waitFor: 'stored', status: {}, outcome: 'done', message: /has the placement/, reason: 'the hub has it' },
    { waitFor: 'applied', status: half, outcome: 'wait', message: /ApplyInProgress/, reason: 'one is left' },
    { waitFor: 'applied', status: applied, outcome: 'done', message: /2 applied/, reason: 'all is applied' },
    {
      waitFor: 'available',
      status: applied,
      outcome: 'wait',
      message: /demo-aks02-demo-aks01 \(NotAllWorkAreAvailable\)/,
      reason: 'the member that is waited for is named',
    },
    { waitFor: 'available', status: placementStatus(), outcome: 'done', message: /2 available/, reason: 'all works' },
    { waitFor: 'available', status: {}, outcome: 'wait', message: /Members are chosen/, reason: 'nothing is said yet' },
    {
      waitFor: 'available',
      status: placementStatus({ Scheduled: { observedGeneration: 7 } }),
      outcome: 'wait',
      message: /Members are chosen/,
      reason: 'it was said about another specification',
    },
  ])('waits for $waitFor: $outcome, since $reason', async ({ waitFor, status, outcome, message }) => {
    const { hub, apply } = world();
    answersWith(hub, status);
    await apply({ waitFor }).step('apply');
    const waited = await apply({ waitFor }).step('wait-for-members');
    expect(waited.outcome).toBe(outcome);
    expect('message' in waited ? waited.message : '').toMatch(message);
  });

  it('only reports where it is only to report', async () => {
    const { hub, apply } = world();
    answersWith(hub, {});
    const strategy = { applyType: 'ReportDiff' };
    await apply({ strategy }).step('apply');
    await expect(apply({ strategy }).step('wait-for-members')).resolves.toMatchObject({ outcome: 'done' });
  });

  const refused = placedMember(MEMBER_2, {
    conditions: [
      condition('Scheduled', 'True', 'Scheduled'),
      condition('Applied', 'False', 'NotAllWorkHaveBeenApplied'),
    ],
    failedPlacements: [
      {
        kind: 'Deployment',
        group: 'apps',
        version: 'v1',
        namespace: NAMESPACE,
        name: 'kuard',
        condition: condition('Applied', 'False', 'ApplyConflictBetweenPlacements', { message: 'owned by another' }),
      },
    ],
  });

  it.each<{ status: JsonObject; code: string; message: RegExp; reason: string }>([
    {
      status: placementStatus({ Applied: { status: 'False', reason: 'ApplyFailed' } }, [
        placedMember(MEMBER_1),
        refused,
      ]),
      code: 'ApplyConflictBetweenPlacements',
      message: /demo-aks02-demo-aks01: Deployment kuard-demo\/kuard: ApplyConflictBetweenPlacements: owned by another/,
      reason: 'a member refuses',
    },
    {
      status: placementStatus({ Scheduled: { status: 'False', reason: 'SchedulingPolicyUnfulfilled' } }, []),
      code: 'SchedulingPolicyUnfulfilled',
      message: /finds not enough members/,
      reason: 'the policy cannot be fulfilled',
    },
    {
      status: placementStatus({}, []),
      code: 'SchedulingPolicyFulfilled',
      message: /No member fits/,
      reason: 'it was placed nowhere',
    },
  ])('gives up with $code only after it has been so for a while: $reason', async ({ status, code, message }) => {
    const { hub, apply, clock } = world();
    answersWith(hub, status);
    await apply().step('apply');
    const first = await apply().step('wait-for-members');
    expect(first.outcome).toBe('wait');
    clock.advance(19_000);
    const second = await apply().step('wait-for-members', tokenOf(first), 2);
    expect(second.outcome).toBe('wait');
    clock.advance(1_000);
    const third = await apply().step('wait-for-members', tokenOf(second), 3);
    expect(third).toMatchObject({ outcome: 'failed', error: { code: 'VERIFICATION_FAILED', externalCode: code } });
    expect(third.outcome === 'failed' ? third.error.message : '').toMatch(message);
    await expect(apply().verify()).resolves.toMatchObject({ verdict: 'missed' });
  });

  it('forgets a failure that has passed', async () => {
    const { hub, apply, clock } = world();
    hub.add(placementObject({ status: placementStatus({ Scheduled: { status: 'False', reason: 'x' } }) }));
    const first = await apply().step('wait-for-members');
    clock.advance(15_000);
    hub.add(placementObject({ status: half }));
    const second = await apply().step('wait-for-members', tokenOf(first), 2);
    clock.advance(15_000);
    hub.add(placementObject({ status: placementStatus({ Scheduled: { status: 'False', reason: 'x' } }) }));
    await expect(apply().step('wait-for-members', tokenOf(second), 3)).resolves.toMatchObject({ outcome: 'wait' });
  });

  it('tells what runs where when it has ended', async () => {
    const { hub, apply } = world();
    answersWith(hub, placementStatus());
    await apply().step('apply');
    await expect(apply().verify()).resolves.toMatchObject({
      verdict: 'reached',
      result: {
        members: [
          { member: MEMBER_1, scheduled: true, applied: true, available: true, reason: null },
          { member: MEMBER_2, available: true },
        ],
      },
      observations: [{ kind: 'ClusterResourcePlacement', source: 'OPERATION', health: { state: 'Healthy' } }],
    });
  });

  it('is pending or missed while it is not so', async () => {
    const { hub, apply } = world();
    await expect(apply().verify()).resolves.toMatchObject({ verdict: 'missed' });
    hub.add(placementObject({ status: half }));
    await expect(apply().verify()).resolves.toMatchObject({ verdict: 'pending' });
    hub.remove(PLACEMENT, undefined, NAMESPACE);
    await expect(apply().step('wait-for-members')).rejects.toMatchObject({ code: 'KUBERNETES_NOT_FOUND' });
  });

  it('refuses parts that contradict each other before anything else', () => {
    expect(() =>
      world()
        .apply({ policy: { placementType: 'PickN' } })
        .target(),
    ).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
  });
});

describe('fleet.placement.apply against what a real hub said', () => {
  const folder = path.resolve(import.meta.dirname, '../../../../shared/recordings/fleet-hub');
  const recorded = existsSync(folder) ? it : it.skip;

  function recording(prefix: string) {
    const file = readdirSync(folder).find((name) => name.startsWith(prefix)) ?? '';
    return JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as {
      request: { body: JsonObject & { spec: JsonObject } };
      response: { status: number; body: JsonObject & { message?: string } };
    };
  }

  recorded.each([
    { prefix: '18-', said: 'placement type is immutable', found: 'error PLACEMENT_TYPE_IMMUTABLE' },
    { prefix: '19-', said: 'policy cannot be removed once set', found: 'error POLICY_NOT_REMOVABLE' },
  ])(
    'finds before what the hub refused with "$said" (skipped where ../shared/recordings is absent)',
    async ({ prefix, said, found }) => {
      const created = recording('13-').response.body;
      const { request, response } = recording(prefix);
      expect(response).toMatchObject({ status: 422 });
      expect(response.body.message).toContain(said);
      const { arm, kube, hub, clock } = world();
      hub.add(created as never);
      const wanted = request.body.spec.policy as JsonObject | undefined;
      const policy =
        wanted === undefined
          ? {}
          : { policy: { placementType: wanted.placementType, numberOfClusters: 1, matchLabels: EASTUS.matchLabels } };
      const play = playOperation(
        createFleetSystem(arm.azure(), kube, clusterDirectory(HUB), clock).operations,
        'fleet.placement.apply',
        { fleet: FLEET_ID, name: 'kuard-demo', namespaces: ['kuard-demo'], ...policy } as JsonObject,
        { fleet },
      );
      expect(await play.codes()).toContain(found);
    },
  );

  recorded('sends the body that the hub took (skipped where ../shared/recordings is absent)', async () => {
    const { hub, apply } = world();
    await apply().step('apply');
    const sent = hub.object(PLACEMENT, undefined, NAMESPACE);
    const { request } = recording('13-');
    expect({ apiVersion: sent?.apiVersion, kind: sent?.kind, spec: sent?.spec }).toEqual({
      apiVersion: request.body.apiVersion,
      kind: request.body.kind,
      spec: request.body.spec,
    });
  });
});

describe('fleet.placement.delete', () => {
  it.each<{ prepare(parts: ReturnType<typeof world>): void; found: string[]; reason: string }>([
    { prepare: () => undefined, found: ['info PLACEMENT_NOT_FOUND'], reason: 'it is gone already' },
    {
      prepare: ({ hub }) => hub.add(placementObject()),
      found: ['warning MEMBERS_LOSE_RESOURCES'],
      reason: 'what it placed goes with it',
    },
    {
      prepare: ({ hub }) => hub.add(placementObject(), memberClusterObject(MEMBER_2, { status: {} })),
      found: ['warning MEMBERS_LOSE_RESOURCES', 'warning MEMBER_NOT_HEALTHY'],
      reason: 'a member cannot carry it out',
    },
    {
      prepare: ({ hub }) => {
        hub.mayDo = () => ({ allowed: false, reason: '' });
      },
      found: ['error HUB_ACCESS_DENIED'],
      reason: 'the role is missing',
    },
    {
      prepare: ({ hub }) => hub.refuse({ verb: 'mayI' }, new ControlError('KUBERNETES_UNAVAILABLE', '')),
      found: ['error HUB_UNREACHABLE'],
      reason: 'the hub does not answer',
    },
  ])('finds $found: $reason', async ({ prepare, found }) => {
    const parts = world();
    prepare(parts);
    expect(await parts.remove().codes()).toEqual(found);
  });

  it('deletes, and is done', async () => {
    const { hub, remove } = world();
    hub.add(placementObject());
    expect(await remove().plan()).toMatchObject({ action: 'delete', members: [{ member: MEMBER_1 }, {}] });
    await expect(remove().step('delete')).resolves.toMatchObject({ outcome: 'done' });
    await expect(remove().verify()).resolves.toMatchObject({ verdict: 'reached', absent: [{}] });
    await expect(remove().step('delete', undefined, 2)).resolves.toMatchObject({ outcome: 'done' });
    expect(await remove().plan()).toMatchObject({ action: 'none' });
  });

  it('waits for the finalizers, names them, and does not ask twice', async () => {
    const { hub, kube, remove } = world();
    const finalizers = ['kubernetes-fleet.io/crp-cleanup', 'kubernetes-fleet.io/scheduler-cleanup'];
    hub.add(placementObject({ metadata: { name: NAMESPACE, generation: 1, finalizers } }));
    await expect(remove().step('delete')).resolves.toMatchObject({ outcome: 'wait' });
    await expect(remove().step('delete', undefined, 2)).resolves.toMatchObject({
      outcome: 'wait',
      message: `The placement ${NAMESPACE} is being deleted; it waits for ${finalizers.join(', ')}.`,
    });
    expect(kube.writes()).toEqual([`delete ClusterResourcePlacement ${NAMESPACE}`]);
    await expect(remove().verify()).resolves.toMatchObject({ verdict: 'missed' });
    hub.remove(PLACEMENT, undefined, NAMESPACE);
    await expect(remove().step('delete', undefined, 3)).resolves.toMatchObject({ outcome: 'done' });
  });
});
