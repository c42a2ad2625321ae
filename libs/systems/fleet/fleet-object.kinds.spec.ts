import { describe, expect, it } from '@jest/globals';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import {
  CLUSTER_1,
  CLUSTER_2,
  HUB,
  MEMBER_1,
  MEMBER_2,
  NAMESPACE,
  SAMPLE_TIME,
  SERVICE,
  condition,
  memberClusterObject,
  multiClusterServiceObject,
  placedMember,
  placementObject,
  placementStatus,
  serviceExportObject,
  serviceImportObject,
} from '#libs/testing/fleet-hub-samples.js';
import { ArmId } from '#libs/kernel/arm-id.js';
import { MEMBER_ID, FLEET_ID } from '#libs/testing/fleet-samples.js';
import type { Observation } from '../contract/observation.js';
import { coarseTime } from './coarse-time.js';
import { describePlacement, observeClusterResourcePlacement } from './cluster-resource-placement.kind.js';
import { describeMemberCluster, observeMemberCluster } from './member-cluster.kind.js';
import { describeMultiClusterService, observeMultiClusterService } from './multi-cluster-service.kind.js';
import { describeServiceExport, observeServiceExport } from './service-export.kind.js';
import { describeServiceImport, observeServiceImport } from './service-import.kind.js';

const onHub = { cluster: HUB, observedAt: SAMPLE_TIME, source: 'WATCH' } as const;
const onMember = { ...onHub, cluster: CLUSTER_1 };
const FLEET = {
  fleet: ArmId.parse(FLEET_ID),
  members: [CLUSTER_1, CLUSTER_2].map(({ id, uid }, at) => ({
    name: [MEMBER_1, MEMBER_2][at] ?? '',
    cluster: ArmId.parse(id),
    clusterUid: uid,
  })),
};

function healthOf({ health }: Observation): string {
  return health.reason === null ? health.state : `${health.state}: ${health.reason}`;
}

function deleting<T extends KubernetesObject>(object: T, finalizers: string[] = []): T {
  return { ...object, metadata: { ...object.metadata, deletionTimestamp: '2026-11-21T09:00:00Z', finalizers } };
}

function inCluster(uid: string, group: string, kind: string, namespace: string | undefined, name: string): string {
  return KubernetesId.of({ clusterUid: uid, group, kind, namespace, name }).canonical;
}

const NETWORKING = 'networking.fleet.azure.com';

describe('coarseTime', () => {
  it.each([
    { text: '2026-11-21T09:04:30Z', coarse: '2026-11-21T09:00:00Z', reason: 'down to ten minutes' },
    { text: '2026-11-21T09:10:00Z', coarse: '2026-11-21T09:10:00Z', reason: 'what is coarse stays' },
    { text: '2026-11-21T09:04:30.123456Z', coarse: '2026-11-21T09:00:00Z', reason: 'fractions of any length' },
    { text: 'soon', coarse: 'soon', reason: 'what is no time stays' },
  ])('$text becomes $coarse: $reason', ({ text, coarse }) => {
    expect(coarseTime(text)).toBe(coarse);
  });
});

describe('MemberCluster', () => {
  function status(change: JsonObject): JsonObject {
    return { status: { ...(memberClusterObject().status as JsonObject), ...change } };
  }
  const agent = (change: JsonObject): JsonObject => ({
    agentStatus: [{ type: 'MemberAgent', conditions: [], lastReceivedHeartbeat: '2026-11-21T09:04:00Z', ...change }],
  });

  it.each<{ object: KubernetesObject; health: string; reason: string }>([
    { object: memberClusterObject(), health: 'Healthy', reason: 'joined, and heard of half a minute ago' },
    {
      object: memberClusterObject(MEMBER_1, status(agent({ lastReceivedHeartbeat: '2026-11-21T08:59:30Z' }))),
      health: 'Healthy',
      reason: 'five heartbeats may be missing',
    },
    {
      object: memberClusterObject(MEMBER_1, status(agent({ lastReceivedHeartbeat: '2026-11-21T08:59:29Z' }))),
      health: 'Degraded: Its agent was last heard of at 2026-11-21T08:59:29.000Z, and should be every 60 s.',
      reason: 'more than five are missing',
    },
    {
      object: memberClusterObject(MEMBER_1, {
        ...status(agent({ lastReceivedHeartbeat: '2026-11-21T08:59:29Z' })),
        spec: { heartbeatPeriodSeconds: 600 },
      }),
      health: 'Healthy',
      reason: 'the period is longer',
    },
    {
      object: memberClusterObject(MEMBER_1, status({ agentStatus: [] })),
      health: 'Unknown: Its agent has not been heard of yet.',
      reason: 'no agent has reported',
    },
    {
      object: memberClusterObject(MEMBER_1, { status: {} }),
      health: 'Progressing: It has not joined yet.',
      reason: 'nothing is known of it yet',
    },
    {
      object: memberClusterObject(
        MEMBER_1,
        status({ conditions: [condition('Joined', 'False', 'MemberClusterLeft', { message: 'left' })] }),
      ),
      health: 'Degraded: It has not joined (MemberClusterLeft: left).',
      reason: 'it has left',
    },
    {
      object: memberClusterObject(
        MEMBER_1,
        status({
          conditions: [
            condition('Joined', 'True', 'MemberClusterJoined'),
            condition('Healthy', 'False', 'MemberClusterUnhealthy'),
          ],
        }),
      ),
      health: 'Degraded: It is not healthy (MemberClusterUnhealthy).',
      reason: 'the hub says so',
    },
    {
      object: memberClusterObject(
        MEMBER_1,
        status(agent({ conditions: [condition('Healthy', 'False', 'InternalMemberClusterUnhealthy')] })),
      ),
      health: 'Degraded: It is not healthy (InternalMemberClusterUnhealthy).',
      reason: 'its agent says so',
    },
    {
      object: deleting(memberClusterObject(), ['kubernetes-fleet.io/membercluster-finalizer']),
      health: 'Progressing: It is being deleted; it waits for kubernetes-fleet.io/membercluster-finalizer.',
      reason: 'it leaves, and says what it waits for',
    },
  ])('is $health: $reason', ({ object, health }) => {
    expect(healthOf(observeMemberCluster(object, onHub))).toBe(health);
  });

  it('tells what placements choose by', () => {
    const taints = [{ key: 'maintenance', value: 'yes', effect: 'NoSchedule' }];
    expect(describeMemberCluster(memberClusterObject(MEMBER_1, { spec: { taints } }))).toMatchObject({
      joined: true,
      healthy: true,
      agentLastSeen: '2026-11-21T09:00:00Z',
      heartbeatPeriodSeconds: 60,
      region: 'eastus',
      nodeCount: 1,
      resources: { capacityCpu: '2', availableMemory: '4Gi' },
      clusterProperties: { 'kubernetes-fleet.io/node-count': '1' },
      taints,
    });
  });

  it('leads to the membership in Azure', () => {
    const { canonicalId, relations, clusterUid, tags } = observeMemberCluster(memberClusterObject(), onHub);
    expect(relations).toEqual([{ type: 'runsOn', from: canonicalId, to: MEMBER_ID.toLowerCase() }]);
    expect(clusterUid).toBe(HUB.uid);
    expect(tags).toMatchObject({ 'fleet.azure.com/location': 'eastus' });
  });

  it('is the same from heartbeat to heartbeat', () => {
    const beat = (at: string) => {
      const object = structuredClone(memberClusterObject());
      const text = JSON.stringify(object).replaceAll('2026-11-21T09:04:00Z', at);
      return observeMemberCluster(JSON.parse(text) as KubernetesObject, onHub);
    };
    expect(beat('2026-11-21T09:03:00Z').properties).toEqual(beat('2026-11-21T09:04:00Z').properties);
    expect(beat('2026-11-21T09:14:00Z').properties).not.toEqual(beat('2026-11-21T09:04:00Z').properties);
  });
});

describe('ClusterResourcePlacement', () => {
  const failed = (type: string): JsonObject => ({
    failedPlacements: [
      {
        group: 'apps',
        version: 'v1',
        kind: 'Deployment',
        namespace: NAMESPACE,
        name: 'kuard',
        condition: condition(type, 'False', 'ManifestApplyFailed', { message: 'Failed to apply the manifest' }),
      },
    ],
  });
  const member = (name: string, applied: string, available: string, change: JsonObject = {}): JsonObject =>
    placedMember(name, {
      conditions: [
        condition('Scheduled', 'True', 'Scheduled'),
        condition('Applied', applied, applied === 'True' ? 'AllWorkHaveBeenApplied' : 'NotAllWorkHaveBeenApplied'),
        condition('Available', available, available === 'True' ? 'AllWorkAreAvailable' : 'NotAllWorkAreAvailable'),
      ],
      ...change,
    });

  it.each<{ status: JsonObject; health: string; reason: string }>([
    { status: placementStatus(), health: 'Healthy', reason: 'it works on both' },
    { status: {}, health: 'Progressing: Members are being chosen.', reason: 'the hub has said nothing yet' },
    {
      status: placementStatus({ Scheduled: { observedGeneration: 0 } }),
      health: 'Progressing: Members are being chosen.',
      reason: 'what was said about an older specification does not count',
    },
    {
      status: placementStatus({
        Scheduled: {
          status: 'False',
          reason: 'SchedulingPolicyUnfulfilled',
          message:
            'could not find all clusters needed as specified by the scheduling policy, found 1 cluster(s) instead',
        },
      }),
      health:
        'Degraded: Not enough members were found (SchedulingPolicyUnfulfilled: could not find all clusters needed as specified by the scheduling policy, found 1 cluster(s) instead).',
      reason: 'the policy cannot be fulfilled',
    },
    {
      status: placementStatus({ Applied: { status: 'False' } }, [
        placedMember(MEMBER_1),
        member(MEMBER_2, 'False', 'Unknown', failed('Applied')),
      ]),
      health: `Degraded: It failed on ${MEMBER_2}: Deployment ${NAMESPACE}/kuard: ManifestApplyFailed: Failed to apply the manifest.`,
      reason: 'a member and what failed on it are named',
    },
    {
      status: placementStatus({ Available: { status: 'False' } }, [
        placedMember(MEMBER_1),
        member(MEMBER_2, 'True', 'False', failed('Available')),
      ]),
      health: 'Progressing: It works on 1 of 2 members.',
      reason: 'what does not work yet has not failed',
    },
    {
      status: placementStatus({}, [placedMember(MEMBER_1), member(MEMBER_2, 'Unknown', 'Unknown')]),
      health: 'Progressing: It is applied to 1 of 2 members.',
      reason: 'it is on its way',
    },
    {
      status: placementStatus({
        RolloutStarted: { status: 'False', reason: 'RolloutNotStartedYet', message: 'blocked in 1 cluster(s)' },
      }),
      health: 'Progressing: It is being rolled out (RolloutNotStartedYet: blocked in 1 cluster(s)).',
      reason: 'the strategy holds it',
    },
    {
      status: placementStatus({ Applied: { status: 'False', reason: 'ApplyFailed' } }, []),
      health: 'Degraded: It could not be applied everywhere (ApplyFailed).',
      reason: 'the hub says so without saying where',
    },
    {
      status: placementStatus({}, []),
      health: 'Healthy: No member was chosen.',
      reason: 'all of none is fulfilled',
    },
    {
      status: placementStatus({}, [
        placedMember(MEMBER_1, {
          conditions: [
            condition('Scheduled', 'True', 'Scheduled'),
            condition('Applied', 'True', 'AllWorkHaveBeenApplied'),
            condition('Available', 'False', 'NotAllWorkAreAvailabilityTrackable'),
          ],
        }),
      ]),
      health: 'Healthy',
      reason: 'a ConfigMap has no state to wait for',
    },
  ])('is $health: $reason', ({ status, health }) => {
    expect(healthOf(observeClusterResourcePlacement(placementObject({ status }), onHub))).toBe(health);
  });

  it('tells what is taken where, and how far it has come', () => {
    expect(describePlacement(placementObject())).toMatchObject({
      placementType: 'PickAll',
      requiredLabels: ['fleet.azure.com/location=eastus'],
      strategyType: 'RollingUpdate',
      selectors: [{ kind: 'Namespace', name: NAMESPACE, selectionScope: 'NamespaceWithResources' }],
      selectedCount: 2,
      scheduled: { status: 'True', reason: 'SchedulingPolicyFulfilled' },
      scheduledCount: 2,
      appliedCount: 2,
      availableCount: 2,
      memberStatuses: [
        { member: MEMBER_1, applied: { status: 'True' }, failed: [], driftedCount: 0 },
        { member: MEMBER_2, available: { status: 'True' } },
      ],
    });
  });

  it.each([
    { labels: { matchLabels: { a: 'b', c: 'd' } }, text: 'a=b,c=d', reason: 'equality' },
    {
      labels: {
        matchExpressions: [
          { key: 'a', operator: 'In', values: ['b', 'c'] },
          { key: 'd', operator: 'NotIn', values: ['e'] },
          { key: 'f', operator: 'Exists' },
          { key: 'g', operator: 'DoesNotExist' },
        ],
      },
      text: 'a in (b,c),d notin (e),f,!g',
      reason: 'sets and presence',
    },
  ])('writes $text: $reason', ({ labels, text }) => {
    const terms = {
      requiredDuringSchedulingIgnoredDuringExecution: { clusterSelectorTerms: [{ labelSelector: labels }] },
    };
    const spec = { policy: { affinity: { clusterAffinity: terms } } };
    expect(describePlacement({ spec }).requiredLabels).toEqual([text]);
  });

  it('leads to the members that were chosen, and to no other', () => {
    const notChosen = placedMember('other', { conditions: [condition('Scheduled', 'False', 'ScheduleFailed')] });
    const status = placementStatus({}, [placedMember(MEMBER_1), notChosen, placedMember('', { clusterName: '' })]);
    const { relations, canonicalId } = observeClusterResourcePlacement(placementObject({ status }), onHub);
    const to = inCluster(HUB.uid, 'cluster.kubernetes-fleet.io', 'MemberCluster', undefined, MEMBER_1);
    expect(relations).toEqual([{ type: 'placedOn', from: canonicalId, to }]);
  });
});

describe('ServiceExport', () => {
  const withConditions = (...conditions: JsonObject[]) => serviceExportObject({ status: { conditions } });

  it.each<{ object: KubernetesObject; hub?: boolean; health: string; reason: string }>([
    { object: serviceExportObject(), health: 'Healthy', reason: 'valid and without contradiction' },
    {
      object: serviceExportObject({ status: {} }),
      hub: true,
      health: 'Healthy: It is held on the hub; the members export their services.',
      reason: 'a hub never gives it a status',
    },
    {
      object: serviceExportObject({ status: {} }),
      health: 'Progressing: It is not known yet whether the service can be exported.',
      reason: 'on a member no status is a status to come',
    },
    {
      object: withConditions(condition('Valid', 'True', 'ServiceIsValid'), condition('Conflict', 'Unknown', 'Pending')),
      health: 'Progressing: It is compared with what the other members export.',
      reason: 'the conflict is still to be decided',
    },
    {
      object: withConditions(condition('Valid', 'False', 'ServiceIneligible', { message: 'headless' })),
      health: 'Degraded: The service is not exported (ServiceIneligible: headless).',
      reason: 'a headless service',
    },
    {
      object: withConditions(
        condition('Valid', 'True', 'ServiceIsValid'),
        condition('Conflict', 'True', 'ConflictFound', { message: 'ports differ' }),
      ),
      health: 'Degraded: Another member exports it otherwise (ConflictFound: ports differ).',
      reason: 'the ports differ',
    },
    {
      object: deleting(serviceExportObject()),
      hub: true,
      health: 'Progressing: It is being deleted.',
      reason: 'going comes first, on a hub as well',
    },
  ])('is $health: $reason', ({ object, hub, health }) => {
    expect(healthOf(observeServiceExport(object, hub === true ? onHub : onMember))).toBe(health);
  });

  it('says that a hub only holds it', () => {
    expect(describeServiceExport(observeServiceExport(serviceExportObject(), onHub).properties).heldOnHub).toBe(true);
    expect(describeServiceExport(observeServiceExport(serviceExportObject(), onMember).properties).heldOnHub).toBe(
      false,
    );
  });

  it.each([
    { weight: '10', expected: 10, reason: 'a number' },
    { weight: 'many', expected: null, reason: 'no number' },
  ])('reads the weight $weight as $expected: $reason', ({ weight, expected }) => {
    const metadata = { name: 'a', annotations: { 'networking.fleet.azure.com/weight': weight } };
    expect(describeServiceExport({ metadata }).weight).toBe(expected);
  });

  it('leads to the service of its name', () => {
    const { canonicalId, relations } = observeServiceExport(serviceExportObject(), onMember);
    const to = inCluster(CLUSTER_1.uid, '', 'Service', NAMESPACE, SERVICE);
    expect(relations).toEqual([{ type: 'exports', from: canonicalId, to }]);
  });
});

describe('ServiceImport', () => {
  it('tells who exports what', () => {
    expect(describeServiceImport(serviceImportObject())).toEqual({
      clusters: [MEMBER_1, MEMBER_2],
      ports: [{ name: 'http', port: 8080, targetPort: '8080', protocol: 'TCP' }],
      serviceType: 'ClusterSetIP',
    });
  });

  it.each<{ object: KubernetesObject; health: string; reason: string }>([
    { object: serviceImportObject(), health: 'Healthy', reason: 'somebody exports it' },
    {
      object: serviceImportObject({ status: {} }),
      health: 'Progressing: No member of the fleet exports the service, as far as is known here.',
      reason: 'nobody does',
    },
    { object: deleting(serviceImportObject()), health: 'Progressing: It is being deleted.', reason: 'it goes' },
  ])('is $health: $reason', ({ object, health }) => {
    expect(healthOf(observeServiceImport(object, onHub, FLEET))).toBe(health);
  });

  it('turns the names of members into their clusters, and leaves out those that are not known', () => {
    const status = { clusters: [{ cluster: MEMBER_1 }, { cluster: 'gone' }] };
    const { canonicalId, relations } = observeServiceImport(serviceImportObject({ status }), onHub, FLEET);
    const from = inCluster(CLUSTER_1.uid, NETWORKING, 'ServiceExport', NAMESPACE, SERVICE);
    expect(relations).toEqual([{ type: 'exports', from, to: canonicalId }]);
    expect(observeServiceImport(serviceImportObject(), onHub, undefined).relations).toEqual([]);
  });
});

describe('MultiClusterService', () => {
  it.each<{ object: KubernetesObject; health: string; reason: string }>([
    { object: multiClusterServiceObject(), health: 'Healthy', reason: 'it has an address' },
    {
      object: multiClusterServiceObject({ status: { conditions: [condition('Valid', 'True', 'FoundServiceImport')] } }),
      health: 'Progressing: It has no address yet.',
      reason: 'the load balancer takes a while',
    },
    {
      object: multiClusterServiceObject({
        status: {
          conditions: [condition('Valid', 'Unknown', 'UnknownServiceImport', { message: 'importing service' })],
        },
      }),
      health: 'Progressing: UnknownServiceImport: importing service',
      reason: 'the import is still to come',
    },
    {
      object: multiClusterServiceObject({ status: {} }),
      health: 'Progressing: The service is being looked for in the fleet.',
      reason: 'nothing is said yet',
    },
    {
      object: multiClusterServiceObject({ status: { conditions: [condition('Valid', 'False', 'Refused')] } }),
      health: 'Degraded: The service is not served (Refused).',
      reason: 'it is refused',
    },
    {
      object: multiClusterServiceObject({ spec: {} }),
      health: 'Degraded: It names no service to serve.',
      reason: 'the server takes one without an import',
    },
    { object: deleting(multiClusterServiceObject()), health: 'Progressing: It is being deleted.', reason: 'it goes' },
  ])('is $health: $reason', ({ object, health }) => {
    expect(healthOf(observeMultiClusterService(object, onMember, FLEET))).toBe(health);
  });

  it('tells what it serves and where', () => {
    expect(describeMultiClusterService(multiClusterServiceObject())).toEqual({
      serviceImportName: SERVICE,
      valid: true,
      validReason: 'FoundServiceImport',
      externalAddresses: ['20.1.2.3'],
      internal: false,
      derivedServiceName: 'kuard-demo-kuard',
    });
  });

  const own = (kind: string, group = NETWORKING) => inCluster(CLUSTER_1.uid, group, kind, NAMESPACE, SERVICE);

  it.each([
    { fleet: FLEET, exporters: [CLUSTER_1.uid, CLUSTER_2.uid], reason: 'all members of the fleet' },
    { fleet: undefined, exporters: [CLUSTER_1.uid], reason: 'itself, where the fleet is not known' },
  ])(
    'leads to the exports of $reason, to its import and to the service that was made for it',
    ({ fleet, exporters }) => {
      const { canonicalId, relations } = observeMultiClusterService(multiClusterServiceObject(), onMember, fleet);
      expect(relations).toEqual([
        ...exporters.map((uid) => ({
          type: 'exports',
          from: inCluster(uid, NETWORKING, 'ServiceExport', NAMESPACE, SERVICE),
          to: canonicalId,
        })),
        { type: 'owns', from: canonicalId, to: own('ServiceImport') },
        {
          type: 'owns',
          from: canonicalId,
          to: inCluster(CLUSTER_1.uid, '', 'Service', 'fleet-system', 'kuard-demo-kuard'),
        },
      ]);
    },
  );
});
