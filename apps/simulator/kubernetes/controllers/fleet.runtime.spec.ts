import { jsonText } from '#libs/kernel/json.js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KubernetesStatusError } from '../api/kubernetes-status.error.js';
import type { KubernetesCluster } from '../api/kubernetes.cluster.js';
import type { ObjectDraft } from '../cluster.objects.js';
import { deployment, loose, makeNamespace, TESTER } from './cluster.harness.js';
import { FleetHarness, makeKuard, namespaceSelector, summary } from './fleet.harness.js';
import { MEMBER_CLUSTERS, MULTI_CLUSTER_SERVICES, SERVICE_EXPORTS, SERVICE_IMPORTS, WORKS } from './fleet.names.js';
import type { Condition } from './kubernetes.types.js';

let harness: FleetHarness;

beforeEach(() => {
  harness = new FleetHarness();
});

afterEach(() => harness.close());

const EASTUS = {
  placementType: 'PickAll',
  affinity: {
    clusterAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        clusterSelectorTerms: [{ labelSelector: { matchLabels: { 'fleet.azure.com/location': 'eastus' } } }],
      },
    },
  },
};

function status(cluster: KubernetesCluster, resource: string, namespace: string, name: string): Record<string, string> {
  const object = loose(cluster.objects.get(resource, namespace, name));
  return summary(object.status?.conditions);
}

function multiClusterService(name: string, imported: string, namespace = 'kuard-demo'): ObjectDraft {
  return {
    apiVersion: 'networking.fleet.azure.com/v1alpha1',
    kind: 'MultiClusterService',
    metadata: { name, namespace },
    spec: { serviceImport: { name: imported } },
  };
}

function derivedAddresses(cluster: KubernetesCluster): string[] {
  return cluster.objects
    .list('endpointslices.discovery.k8s.io', 'fleet-system')
    .flatMap((slice) => (slice.endpoints as { addresses: string[] }[]).flatMap((endpoint) => endpoint.addresses))
    .sort();
}

describe('the journey through a fleet', () => {
  it('goes from the hub to pods of both members behind one address', () => {
    const one = harness.member('demo-aks01');
    const two = harness.member('demo-aks02');
    const elsewhere = harness.member('demo-aks03', { location: 'westeurope' });

    for (const name of ['demo-aks01', 'demo-aks02']) {
      const member = loose(harness.hub.objects.get(MEMBER_CLUSTERS, undefined, name));
      expect(summary(member.status?.conditions as Condition[] | undefined)).toMatchObject({
        Joined: 'True MemberClusterJoined',
        ReadyToJoin: 'True MemberClusterReadyToJoin',
      });
      expect(member.metadata.labels).toMatchObject({
        'fleet.azure.com/location': 'eastus',
        'fleet.azure.com/resource-group': 'demo_aks01',
      });
      expect(member.status?.properties).toMatchObject({ 'kubernetes-fleet.io/node-count': { value: '1' } });
    }

    makeKuard(harness.hub.objects);
    harness.pass(2);
    const held = loose(harness.hub.objects.get('deployments.apps', 'kuard-demo', 'kuard'));
    expect(held.status).not.toHaveProperty('readyReplicas');
    expect(summary(held.status?.conditions as Condition[] | undefined)).toEqual({
      Progressing: 'False ReplicaSetCreateError',
    });
    expect(harness.hub.objects.list('pods')).toEqual([]);
    expect(harness.hub.objects.get(SERVICE_EXPORTS, 'kuard-demo', 'kuard')).not.toHaveProperty('status');

    harness.place('kuard-demo', { resourceSelectors: [namespaceSelector('kuard-demo')], policy: EASTUS });
    harness.pass(5);
    expect(harness.conditions('kuard-demo')).toEqual({
      ClusterResourcePlacementScheduled: 'True SchedulingPolicyFulfilled',
      ClusterResourcePlacementRolloutStarted: 'True RolloutStarted',
      ClusterResourcePlacementOverridden: 'True NoOverrideSpecified',
      ClusterResourcePlacementWorkSynchronized: 'True WorkSynchronized',
      ClusterResourcePlacementApplied: 'True ApplySucceeded',
      ClusterResourcePlacementAvailable: 'True ResourceAvailable',
    });
    const placed = harness.placement('kuard-demo');
    expect(placed.status?.observedResourceIndex).toBe('0');
    expect(placed.status?.selectedResources?.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'Namespace kuard-demo',
      'Service kuard',
      'Deployment kuard',
      'ServiceExport kuard',
    ]);
    expect(placed.status?.placementStatuses?.map((cluster) => cluster.clusterName)).toEqual([
      'demo-aks01',
      'demo-aks02',
    ]);
    expect(new Set(placed.status?.conditions?.map((condition) => condition.observedGeneration))).toEqual(
      new Set([placed.metadata.generation]),
    );
    for (const cluster of [one, two]) {
      expect(cluster.objects.list('pods', 'kuard-demo')).toHaveLength(2);
      expect(status(cluster, SERVICE_EXPORTS, 'kuard-demo', 'kuard')).toEqual({
        Valid: 'True ServiceIsValid',
        Conflict: 'False NoConflictFound',
      });
      const carried = loose(cluster.objects.get('deployments.apps', 'kuard-demo', 'kuard'));
      const managers = (carried.metadata.managedFields as { manager: string }[]).map((entry) => entry.manager);
      expect(managers).toContain('work-api-agent');
    }
    expect(elsewhere.objects.get('namespaces', undefined, 'kuard-demo')).toBeUndefined();

    one.objects.create(multiClusterService('kuard', 'kuard'), TESTER);
    harness.pass(2);
    expect(status(one, MULTI_CLUSTER_SERVICES, 'kuard-demo', 'kuard')).toEqual({ Valid: 'True FoundServiceImport' });
    const service = loose(one.objects.get('services', 'fleet-system', 'kuard-demo-kuard'));
    expect(service.spec.type).toBe('LoadBalancer');
    const imported = loose(one.objects.get(MULTI_CLUSTER_SERVICES, 'kuard-demo', 'kuard'));
    expect(imported.status?.loadBalancer).toEqual(service.status?.loadBalancer);
    expect(imported.status?.loadBalancer).toMatchObject({
      ingress: [{ ip: expect.stringMatching(/^203\.0\.113\./) }],
    });
    const pods = [one, two]
      .flatMap((cluster) => cluster.objects.list('pods', 'kuard-demo'))
      .map((pod) => String(loose(pod).status?.podIP))
      .sort();
    expect(derivedAddresses(one)).toEqual(pods);
    expect(pods.map((address) => address.split('.').slice(0, 2).join('.'))).toEqual([
      '10.224',
      '10.224',
      '10.225',
      '10.225',
    ]);
    expect(loose(harness.hub.objects.get(SERVICE_IMPORTS, 'kuard-demo', 'kuard')).status?.clusters).toEqual([
      { cluster: 'demo-aks01' },
      { cluster: 'demo-aks02' },
    ]);
  });
});

describe('a placement', () => {
  it('carries changes and removals, with a new resource index', () => {
    const one = harness.member('one');
    makeKuard(harness.hub.objects);
    harness.place('kuard', { resourceSelectors: [namespaceSelector('kuard-demo')] });
    harness.hub.objects.update('deployments.apps', 'kuard-demo', 'kuard', TESTER, (object) => {
      (object.spec as { replicas: number }).replicas = 3;
      return object;
    });
    harness.hub.objects.delete(SERVICE_EXPORTS, 'kuard-demo', 'kuard', TESTER);
    harness.pass(5);
    expect(one.objects.list('pods', 'kuard-demo')).toHaveLength(3);
    expect(one.objects.get(SERVICE_EXPORTS, 'kuard-demo', 'kuard')).toBeUndefined();
    expect(Number(harness.placement('kuard').status?.observedResourceIndex)).toBeGreaterThan(0);
    expect(harness.conditions('kuard').ClusterResourcePlacementAvailable).toBe('True ResourceAvailable');
  });

  it('undoes what somebody changes on the member, but leaves what it does not place', () => {
    const one = harness.member('one');
    makeKuard(harness.hub.objects);
    harness.place('kuard', { resourceSelectors: [namespaceSelector('kuard-demo')] });
    one.objects.update('deployments.apps', 'kuard-demo', 'kuard', TESTER, (object) => {
      (object.spec as { replicas: number }).replicas = 7;
      object.metadata.annotations = { ...object.metadata.annotations, note: 'mine' };
      return object;
    });
    harness.pass(2);
    const kept = loose(one.objects.get('deployments.apps', 'kuard-demo', 'kuard'));
    expect(kept.spec.replicas).toBe(2);
    expect(kept.metadata.annotations).toMatchObject({ note: 'mine', 'deployment.kubernetes.io/revision': '1' });
  });

  it('takes everything back when it is deleted', () => {
    const one = harness.member('one');
    makeKuard(harness.hub.objects);
    harness.place('kuard', { resourceSelectors: [namespaceSelector('kuard-demo')] });
    expect(one.objects.list('pods', 'kuard-demo')).toHaveLength(2);
    harness.hub.objects.delete('clusterresourceplacements.placement.kubernetes-fleet.io', undefined, 'kuard', TESTER);
    harness.pass(60);
    expect(harness.hub.objects.list('clusterresourceplacements.placement.kubernetes-fleet.io')).toEqual([]);
    expect(harness.hub.objects.list(WORKS)).toEqual([]);
    expect(one.objects.get('namespaces', undefined, 'kuard-demo')).toBeUndefined();
    expect(one.objects.list('appliedworks.placement.kubernetes-fleet.io')).toEqual([]);
    expect(harness.hub.objects.get('deployments.apps', 'kuard-demo', 'kuard')).toBeDefined();
  });

  it('hangs in deletion while a member cannot be reached, and ends when it is back', () => {
    const one = harness.member('one');
    makeKuard(harness.hub.objects);
    harness.place('kuard', { resourceSelectors: [namespaceSelector('kuard-demo')] });
    harness.fleet.updateMember('one', { agent: 'unreachable' });
    harness.hub.objects.delete('clusterresourceplacements.placement.kubernetes-fleet.io', undefined, 'kuard', TESTER);
    harness.pass(600);
    expect(harness.placement('kuard').metadata.finalizers).toContain('kubernetes-fleet.io/crp-cleanup');
    expect(one.objects.list('pods', 'kuard-demo')).toHaveLength(2);
    harness.fleet.updateMember('one', { agent: 'running' });
    harness.pass(60);
    expect(harness.hub.objects.list('clusterresourceplacements.placement.kubernetes-fleet.io')).toEqual([]);
  });

  it('says that a work is not applied when its member fell silent before it came', () => {
    harness.member('one');
    harness.fleet.updateMember('one', { agent: 'unreachable' });
    makeKuard(harness.hub.objects);
    harness.place('kuard', { resourceSelectors: [namespaceSelector('kuard-demo')] });
    expect(harness.clusterConditions('kuard', 'one').Applied).toBe('Unknown ApplyPending');
    harness.pass(600);
    expect(harness.clusterConditions('kuard', 'one').Applied).toBe('False NotAllWorkHaveBeenApplied');
    expect(harness.conditions('kuard').ClusterResourcePlacementApplied).toBe('False ApplyFailed');
  });

  const refusals: { reason: string; spec: object; conditions: Record<string, string>; says: string }[] = [
    {
      reason: 'namespaces of the platform are never carried',
      spec: { resourceSelectors: [namespaceSelector('kube-system')] },
      conditions: { ClusterResourcePlacementScheduled: 'False InvalidResourceSelectors' },
      says: 'namespace kube-system is not allowed to propagate',
    },
    {
      reason: 'a kind that the hub does not serve cannot be selected',
      spec: { resourceSelectors: [{ group: 'no.where', version: 'v1', kind: 'Thing', name: 'x' }] },
      conditions: { ClusterResourcePlacementScheduled: 'False InvalidResourceSelectors' },
      says: 'no matches for kind "Thing"',
    },
    {
      reason: 'names must be those of members, not of AKS clusters',
      spec: {
        resourceSelectors: [namespaceSelector('kuard-demo')],
        policy: { placementType: 'PickFixed', clusterNames: ['nobody'] },
      },
      conditions: { ClusterResourcePlacementScheduled: 'False SchedulingPolicyUnfulfilled' },
      says: 'could not find all clusters needed as specified by the scheduling policy, found 0 cluster(s) instead',
    },
    {
      reason: 'fewer members than asked for are told, and used',
      spec: {
        resourceSelectors: [namespaceSelector('kuard-demo')],
        policy: { placementType: 'PickN', numberOfClusters: 3 },
      },
      conditions: {
        ClusterResourcePlacementScheduled: 'False SchedulingPolicyUnfulfilled',
        ClusterResourcePlacementAvailable: 'True ResourceAvailable',
      },
      says: 'found 1 cluster(s) instead',
    },
  ];
  it.each(refusals)('reports a selection or a policy that cannot be: $reason', ({ spec, conditions, says }) => {
    harness.member('one');
    makeKuard(harness.hub.objects);
    harness.place('kuard', spec);
    expect(harness.conditions('kuard')).toMatchObject(conditions);
    expect(harness.placement('kuard').status?.conditions?.[0]?.message).toContain(says);
  });

  it('names who is not found among the clusters it was told', () => {
    harness.member('one');
    makeKuard(harness.hub.objects);
    harness.place('kuard', {
      resourceSelectors: [namespaceSelector('kuard-demo')],
      policy: { placementType: 'PickFixed', clusterNames: ['one', 'nobody'] },
    });
    const [first, second] = harness.placement('kuard').status?.placementStatuses ?? [];
    expect(first?.conditions[0]?.message).toBe(
      'Successfully scheduled resources for placement in "one": picked by scheduling policy',
    );
    expect(second).toMatchObject({ clusterName: 'nobody' });
    expect(second?.conditions[0]).toMatchObject({ type: 'Scheduled', status: 'False', reason: 'ScheduleFailed' });
    expect(second?.conditions[0]?.message).toContain('Specified cluster "nobody" is not found');
  });

  it('reports objects that are owned by somebody else, and takes over those that nobody owns', () => {
    const one = harness.member('one');
    makeKuard(harness.hub.objects);
    makeNamespace(one.objects, 'kuard-demo');
    const owner = one.objects.create(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'operator', namespace: 'kuard-demo' } },
      TESTER,
    );
    one.objects.create(
      {
        ...deployment('kuard-demo', 'kuard'),
        metadata: {
          name: 'kuard',
          namespace: 'kuard-demo',
          ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'operator', uid: owner.metadata.uid }],
        },
      },
      TESTER,
    );
    harness.place('kuard', { resourceSelectors: [namespaceSelector('kuard-demo')] });
    expect(harness.clusterConditions('kuard', 'one').Applied).toBe('False NotAllWorkHaveBeenApplied');
    const [failure, ...others] = harness.placement('kuard').status?.placementStatuses?.[0]?.failedPlacements ?? [];
    expect(others).toEqual([]);
    expect(failure).toMatchObject({
      kind: 'Deployment',
      name: 'kuard',
      condition: { type: 'Applied', status: 'False', reason: 'ManifestsAlreadyOwnedByOthers' },
    });
    expect(failure?.condition.message).toMatch(/^Failed to apply the manifest \(error: /);
    const taken = one.objects.get('namespaces', undefined, 'kuard-demo');
    expect(taken?.metadata.ownerReferences?.[0]?.kind).toBe('AppliedWork');
  });

  it('rolls changes out to no more clusters at a time than may be unavailable', () => {
    const clusters = ['a', 'b', 'c', 'd'].map((name) => harness.member(name));
    makeKuard(harness.hub.objects);
    harness.place('kuard', { resourceSelectors: [namespaceSelector('kuard-demo')] });
    harness.hub.objects.update('deployments.apps', 'kuard-demo', 'kuard', TESTER, (object) => {
      const { template } = object.spec as { template: { spec: { nodeSelector?: object } } };
      template.spec.nodeSelector = { no: 'where' };
      return object;
    });
    harness.pass(10);
    const changed = clusters.filter((cluster) =>
      JSON.stringify(cluster.objects.get('deployments.apps', 'kuard-demo', 'kuard')).includes('nodeSelector'),
    );
    expect(changed).toHaveLength(1);
    expect(harness.conditions('kuard')).toMatchObject({
      ClusterResourcePlacementRolloutStarted: 'False RolloutNotStartedYet',
    });
    expect(harness.placement('kuard').status?.conditions?.[1]?.message).toBe(
      'The rollout is being blocked by the rollout strategy in 3 cluster(s)',
    );
  });

  it('follows members that join, change and leave', () => {
    const one = harness.member('one', { labels: { tier: 'gold' } });
    makeKuard(harness.hub.objects);
    const term = { labelSelector: { matchLabels: { tier: 'gold' } } };
    harness.place('kuard', {
      resourceSelectors: [namespaceSelector('kuard-demo')],
      policy: {
        placementType: 'PickAll',
        affinity: {
          clusterAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { clusterSelectorTerms: [term] } },
        },
      },
    });
    const two = harness.member('two');
    expect(two.objects.list('pods', 'kuard-demo')).toEqual([]);
    harness.fleet.updateMember('two', { labels: { tier: 'gold' } });
    harness.pass(3);
    expect(two.objects.list('pods', 'kuard-demo')).toHaveLength(2);
    harness.fleet.leave('one');
    harness.pass(60);
    expect(one.objects.get('namespaces', undefined, 'kuard-demo')).toBeUndefined();
    expect(harness.hub.objects.get('namespaces', undefined, 'fleet-member-one')).toBeUndefined();
    expect(harness.hub.objects.get(MEMBER_CLUSTERS, undefined, 'one')).toBeUndefined();
    expect(harness.placement('kuard').status?.placementStatuses?.map((status) => status.clusterName)).toEqual(['two']);
  });
});

describe('the hub refuses', () => {
  const cases: { reason: string; write: () => void; says: string }[] = [
    {
      reason: 'pods: nothing runs on a hub',
      write: () =>
        harness.hub.objects.create(
          {
            apiVersion: 'v1',
            kind: 'Pod',
            metadata: { name: 'p', namespace: 'default' },
            spec: { containers: [{ name: 'c', image: 'i' }] },
          },
          TESTER,
        ),
      says: 'Pod default/p creation is disallowed in the fleet hub cluster',
    },
    {
      reason: 'labels of members: they are ARM’s',
      write: () =>
        harness.hub.objects.update(MEMBER_CLUSTERS, undefined, 'one', TESTER, (object) => {
          object.metadata.labels = { ...object.metadata.labels, mine: 'yes' };
          return object;
        }),
      says: 'users are not allowed to modify labels through hub cluster directly',
    },
    {
      reason: 'deleting a member: it leaves by ARM',
      write: () => harness.hub.objects.delete(MEMBER_CLUSTERS, undefined, 'one', TESTER),
      says: "user: 'tester' in 'system:authenticated' is not allowed to DELETE resource cluster.kubernetes-fleet.io/v1beta1, Kind=MemberCluster/: /one",
    },
    {
      reason: 'writing into the namespace of a member',
      write: () =>
        harness.hub.objects.create(
          { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 'fleet-member-one' } },
          TESTER,
        ),
      says: 'is not allowed to CREATE resource /v1, Kind=ConfigMap/: fleet-member-one/x',
    },
  ];
  it.each(cases)('$reason', ({ write, says }) => {
    harness.member('one');
    expect(write).toThrow(KubernetesStatusError);
    expect(write).toThrow(says);
  });

  it('but lets users taint members', () => {
    harness.member('one');
    harness.hub.objects.update(MEMBER_CLUSTERS, undefined, 'one', TESTER, (object) => {
      (object.spec as { taints?: object[] }).taints = [{ key: 'hold', value: 'yes', effect: 'NoSchedule' }];
      return object;
    });
    makeKuard(harness.hub.objects);
    harness.place('kuard', { resourceSelectors: [namespaceSelector('kuard-demo')] });
    expect(harness.placement('kuard').status?.placementStatuses).toBeUndefined();
  });
});

describe('services across members', () => {
  function kuardEverywhere(): { one: KubernetesCluster; two: KubernetesCluster } {
    const one = harness.member('one');
    const two = harness.member('two');
    makeKuard(harness.hub.objects);
    harness.place('kuard', { resourceSelectors: [namespaceSelector('kuard-demo')] });
    return { one, two };
  }

  it('gives endpoints only of members whose pods can be reached', () => {
    const { one } = kuardEverywhere();
    one.objects.create(multiClusterService('kuard', 'kuard'), TESTER);
    harness.pass(2);
    expect(derivedAddresses(one)).toHaveLength(4);
    harness.fleet.updateMember('two', { routable: false });
    harness.pass(2);
    expect(derivedAddresses(one).map((address) => address.slice(0, 7))).toEqual(['10.224.', '10.224.']);
  });

  it('lets one service only import an export; the next has it when the first is gone', () => {
    const { one, two } = kuardEverywhere();
    one.objects.create(multiClusterService('kuard', 'kuard'), TESTER);
    harness.pass(2);
    two.objects.create(multiClusterService('kuard', 'kuard'), TESTER);
    harness.pass(2);
    expect(status(two, MULTI_CLUSTER_SERVICES, 'kuard-demo', 'kuard')).toEqual({
      Valid: 'Unknown UnknownServiceImport',
    });
    one.objects.delete(MULTI_CLUSTER_SERVICES, 'kuard-demo', 'kuard', TESTER);
    harness.pass(5);
    expect(one.objects.get(MULTI_CLUSTER_SERVICES, 'kuard-demo', 'kuard')).toBeUndefined();
    expect(one.objects.get('services', 'fleet-system', 'kuard-demo-kuard')).toBeUndefined();
    expect(derivedAddresses(one)).toEqual([]);
    expect(status(two, MULTI_CLUSTER_SERVICES, 'kuard-demo', 'kuard')).toEqual({ Valid: 'True FoundServiceImport' });
    expect(derivedAddresses(two)).toHaveLength(4);
  });

  it('withdraws the import when nothing is exported any more', () => {
    const { one } = kuardEverywhere();
    one.objects.create(multiClusterService('kuard', 'kuard'), TESTER);
    harness.pass(2);
    harness.hub.objects.delete(SERVICE_EXPORTS, 'kuard-demo', 'kuard', TESTER);
    harness.pass(5);
    expect(status(one, MULTI_CLUSTER_SERVICES, 'kuard-demo', 'kuard')).toEqual({
      Valid: 'Unknown UnknownServiceImport',
    });
    expect(one.objects.get('services', 'fleet-system', 'kuard-demo-kuard')).toBeUndefined();
    expect(harness.hub.objects.get(SERVICE_IMPORTS, 'kuard-demo', 'kuard')).toBeUndefined();
  });

  it('makes no balancer whose name would be too long, and says so', () => {
    const one = harness.member('one');
    const namespace = 'n'.repeat(40);
    const name = 's'.repeat(30);
    for (const { objects } of [harness.hub, one]) makeNamespace(objects, namespace);
    one.objects.create(
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace },
        spec: { selector: { app: 'x' }, ports: [{ port: 80 }] },
      },
      TESTER,
    );
    one.objects.create(
      { apiVersion: 'networking.fleet.azure.com/v1alpha1', kind: 'ServiceExport', metadata: { name, namespace } },
      TESTER,
    );
    one.objects.create(multiClusterService(name, name, namespace), TESTER);
    harness.pass(2);
    expect(one.objects.list('services', 'fleet-system')).toEqual([]);
    const reasons = one.objects.list('events', namespace).map((event) => jsonText(event.reason));
    expect(reasons).toContain('FailedCreateDerivedService');
  });

  const problems: { reason: string; spec: object | undefined; valid: string }[] = [
    { reason: 'there is no service of that name', spec: undefined, valid: 'False ServiceNotFound' },
    {
      reason: 'a headless service has no address to share',
      spec: { clusterIP: 'None', selector: { app: 'x' }, ports: [{ port: 80 }] },
      valid: 'False ServiceIneligible',
    },
    {
      reason: 'an external name is no service of the cluster',
      spec: { type: 'ExternalName', externalName: 'example.org' },
      valid: 'False ServiceIneligible',
    },
  ];
  it.each(problems)('does not export when $reason', ({ spec, valid }) => {
    const one = harness.member('one');
    makeNamespace(one.objects, 'demo');
    if (spec !== undefined)
      one.objects.create(
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'x', namespace: 'demo' },
          spec,
        } as unknown as ObjectDraft,
        TESTER,
      );
    one.objects.create(
      {
        apiVersion: 'networking.fleet.azure.com/v1alpha1',
        kind: 'ServiceExport',
        metadata: { name: 'x', namespace: 'demo' },
      },
      TESTER,
    );
    harness.pass(1);
    expect(status(one, SERVICE_EXPORTS, 'demo', 'x')).toEqual({ Valid: valid });
  });

  it('finds exports in conflict whose ports differ from those of the first', () => {
    const clusters = [harness.member('one'), harness.member('two')];
    makeNamespace(harness.hub.objects, 'demo');
    clusters.forEach(({ objects }, index) => {
      makeNamespace(objects, 'demo');
      objects.create(
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'x', namespace: 'demo' },
          spec: { selector: { app: 'x' }, ports: [{ port: 80 + index }] },
        },
        TESTER,
      );
      objects.create(
        {
          apiVersion: 'networking.fleet.azure.com/v1alpha1',
          kind: 'ServiceExport',
          metadata: { name: 'x', namespace: 'demo' },
        },
        TESTER,
      );
      harness.pass(5);
    });
    expect(clusters.map((cluster) => status(cluster, SERVICE_EXPORTS, 'demo', 'x').Conflict)).toEqual([
      'False NoConflictFound',
      'True ConflictFound',
    ]);
  });
});
