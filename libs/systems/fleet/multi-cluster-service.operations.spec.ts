import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { SUBSCRIPTION, clusterBody, poolProperties } from '#libs/testing/aks-samples.js';
import { FakeArm, refusal } from '#libs/testing/fake-arm.js';
import { FakeKube, fakeRefusal } from '#libs/testing/fake-kube.js';
import {
  CLUSTER_1,
  CLUSTER_2,
  HUB,
  MEMBER_2,
  NAMESPACE,
  SAMPLE_TIME,
  SERVICE,
  clusterDirectory,
  condition,
  multiClusterServiceObject,
  namespaceObject,
  serviceExportObject,
  watchedCluster,
} from '#libs/testing/fleet-hub-samples.js';
import { FLEET_ID, MEMBER_ID, fleetBody, memberBody } from '#libs/testing/fleet-samples.js';
import { playOperation, tokenOf } from '#libs/testing/operation-play.js';
import { targetOf } from '../contract/system.contract-suite.js';
import { createFleetSystem } from './fleet.module.js';

const MCS = { group: 'networking.fleet.azure.com', kind: 'MultiClusterService' };
const EXPORT = { group: 'networking.fleet.azure.com', kind: 'ServiceExport' };
const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/demo_aks01`;
const NETWORK_1 = `${GROUP}/providers/Microsoft.Network/virtualNetworks/demo-vnet`;
const NETWORK_2 = `${GROUP}/providers/Microsoft.Network/virtualNetworks/other-vnet`;
const OTHER_FLEET = FLEET_ID.replace('aks-fleet01', 'aks-fleet02');
const CLUSTER_3 = watchedCluster(CLUSTER_2.id.replace('demo-aks02', 'demo-aks03'), 'ManagedCluster');

function inNetwork(network: string): JsonObject[] {
  return [{ name: 'nodepool1', ...poolProperties({ vnetSubnetID: `${network}/subnets/nodes` }) }];
}

function network(id: string, ...peerings: [string, string][]): JsonObject {
  return {
    id,
    properties: {
      virtualNetworkPeerings: peerings.map(([remote, peeringState]) => ({
        properties: { remoteVirtualNetwork: { id: remote.toUpperCase() }, peeringState },
      })),
    },
  };
}

function secondCluster(change: JsonObject = {}, pools = inNetwork(NETWORK_1)): JsonObject {
  return { ...clusterBody(change, pools), id: CLUSTER_2.id, name: 'demo-aks02' };
}

function world(change: JsonObject = {}) {
  const arm = new FakeArm();
  arm.set(FLEET_ID, fleetBody());
  arm.add(memberBody(), memberBody({ clusterResourceId: CLUSTER_2.id }, `${FLEET_ID}/members/${MEMBER_2}`));
  arm.add(clusterBody({}, inNetwork(NETWORK_1)), secondCluster());
  const kube = new FakeKube();
  const one = kube.cluster(CLUSTER_1).add(namespaceObject(), serviceExportObject());
  const two = kube.cluster(CLUSTER_2).add(namespaceObject(), serviceExportObject());
  const clock = new ManualClock(SAMPLE_TIME);
  const { operations } = createFleetSystem(arm.azure(), kube, clusterDirectory(HUB, CLUSTER_1), clock);
  const input = { cluster: CLUSTER_1.id, namespace: NAMESPACE, name: SERVICE, ...change };
  const references = { cluster: targetOf(CLUSTER_1.id, 'ManagedCluster') };
  return {
    arm,
    kube,
    one,
    two,
    clock,
    ...playOperation(operations, 'fleet.multiClusterService.apply', input, references),
  };
}
type World = ReturnType<typeof world>;

describe('fleet.multiClusterService.apply: the checks before', () => {
  it.each<{ prepare(parts: World): void; input?: JsonObject; found: string[]; reason: string }>([
    { prepare: () => undefined, found: [], reason: 'all is prepared' },
    { prepare: ({ arm }) => arm.remove(CLUSTER_1.id), found: ['error CLUSTER_NOT_FOUND'], reason: 'no such cluster' },
    { prepare: ({ arm }) => arm.remove(MEMBER_ID), found: ['error CLUSTER_NOT_MEMBER'], reason: 'it is in no fleet' },
    {
      prepare: ({ one }) => {
        one.mayDo = () => ({ allowed: false, reason: '' });
      },
      found: ['error CLUSTER_ACCESS_DENIED'],
      reason: 'the role on the cluster is missing',
    },
    {
      prepare: ({ one }) => one.refuse({ verb: 'mayI' }, new ControlError('KUBERNETES_TIMEOUT', '')),
      found: ['error CLUSTER_UNREACHABLE'],
      reason: 'the cluster does not answer',
    },
    {
      prepare: ({ one }) => one.withdraw(MCS),
      found: ['error MULTI_CLUSTER_SERVICES_NOT_SERVED'],
      reason: 'the agents are not there',
    },
    {
      prepare: ({ one }) => one.remove({ group: '', kind: 'Namespace' }, undefined, NAMESPACE),
      found: ['error NAMESPACE_NOT_FOUND'],
      reason: 'the namespace was not placed there',
    },
    {
      prepare: () => undefined,
      input: { name: 'k'.repeat(53), serviceImport: SERVICE },
      found: ['error DERIVED_NAME_TOO_LONG'],
      reason: 'one character more than a service may have',
    },
    {
      prepare: () => undefined,
      input: { name: 'k'.repeat(52), serviceImport: SERVICE },
      found: [],
      reason: 'as many characters as a service may have',
    },
    {
      prepare: ({ one, two }) => {
        for (const cluster of [one, two]) cluster.remove(EXPORT, NAMESPACE, SERVICE);
      },
      found: ['error SERVICE_NOT_EXPORTED'],
      reason: 'nobody exports it',
    },
    {
      prepare: ({ arm, kube, one, two }) => {
        for (const cluster of [one, two]) cluster.remove(EXPORT, NAMESPACE, SERVICE);
        arm.set(OTHER_FLEET, fleetBody({}, OTHER_FLEET));
        arm.add(memberBody({ clusterResourceId: CLUSTER_3.id }, `${OTHER_FLEET}/members/m3`));
        kube.cluster(CLUSTER_3).add(serviceExportObject());
      },
      found: ['error EXPORTED_IN_OTHER_FLEET'],
      reason: 'the one who exports it is in another fleet',
    },
    {
      prepare: ({ two }) => two.refuse({}, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', '')),
      found: ['warning EXPORTERS_UNKNOWN'],
      reason: 'a member does not let us look',
    },
    {
      prepare: ({ one, two }) => {
        one.remove(EXPORT, NAMESPACE, SERVICE);
        two.refuse({}, fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', ''));
      },
      found: ['warning EXPORTERS_UNKNOWN'],
      reason: 'the member that does not let us look may export it',
    },
    {
      prepare: ({ two }) =>
        two.add(serviceExportObject({ status: { conditions: [condition('Valid', 'False', 'ServiceIneligible')] } })),
      found: ['warning EXPORT_NOT_VALID'],
      reason: 'one of the exports is not valid',
    },
    {
      prepare: ({ two }) => two.add(multiClusterServiceObject()),
      found: ['error IMPORTED_ALREADY'],
      reason: 'the other member serves it',
    },
    {
      prepare: ({ one }) =>
        one.add(multiClusterServiceObject({ metadata: { name: 'second', namespace: NAMESPACE, generation: 1 } })),
      found: ['error IMPORTED_ALREADY'],
      reason: 'another one of the same member serves it',
    },
    {
      prepare: ({ one }) => one.add(multiClusterServiceObject()),
      found: ['info MULTI_CLUSTER_SERVICE_EXISTS'],
      reason: 'it is there already',
    },
    {
      prepare: ({ arm }) => arm.add(secondCluster({ networkProfile: { networkPlugin: 'kubenet' } })),
      found: ['error POD_NETWORK_NOT_ROUTABLE'],
      reason: 'kubenet hides the pods',
    },
    {
      prepare: ({ arm }) =>
        arm.add(secondCluster({ networkProfile: { networkPlugin: 'azure', networkPluginMode: 'overlay' } })),
      found: ['error POD_NETWORK_NOT_ROUTABLE'],
      reason: 'an overlay hides the pods',
    },
    {
      prepare: ({ arm, two }) => {
        two.remove(EXPORT, NAMESPACE, SERVICE);
        arm.add(secondCluster({ networkProfile: { networkPlugin: 'kubenet' } }));
      },
      found: [],
      reason: 'a member that does not export is not concerned',
    },
    {
      prepare: ({ arm }) => arm.add(secondCluster({}, inNetwork(NETWORK_2)), network(NETWORK_1), network(NETWORK_2)),
      found: ['error NETWORKS_NOT_PEERED'],
      reason: 'two networks without a peering',
    },
    {
      prepare: ({ arm }) =>
        arm.add(
          secondCluster({}, inNetwork(NETWORK_2)),
          network(NETWORK_1, [NETWORK_2, 'Connected']),
          network(NETWORK_2, [NETWORK_1, 'Disconnected']),
        ),
      found: ['error NETWORKS_NOT_PEERED'],
      reason: 'peered in one direction only',
    },
    {
      prepare: ({ arm }) =>
        arm.add(
          secondCluster({}, inNetwork(NETWORK_2)),
          network(NETWORK_1, [NETWORK_2, 'Connected']),
          network(NETWORK_2, [NETWORK_1, 'Connected']),
        ),
      found: [],
      reason: 'peered in both directions',
    },
    {
      prepare: ({ arm }) => {
        arm.add(secondCluster({}, inNetwork(NETWORK_2)));
        arm.answer('GET', /virtualNetworks\//, refusal(403, 'AuthorizationFailed', ''));
      },
      found: ['warning NETWORKS_UNKNOWN'],
      reason: 'the networks cannot be read',
    },
    {
      prepare: ({ arm }) => {
        const pool = poolProperties();
        delete pool.vnetSubnetID;
        arm.add(secondCluster({}, [{ name: 'nodepool1', ...pool }]));
        const own = `/subscriptions/${SUBSCRIPTION}/resourceGroups/MC_demo_aks01_demo-aks01_eastus/providers/Microsoft.Network/virtualNetworks/aks-vnet-1`;
        arm.add(network(own), network(NETWORK_1));
      },
      found: ['error NETWORKS_NOT_PEERED'],
      reason: 'AKS has made a network of its own for it',
    },
    {
      prepare: ({ arm }) => arm.remove(CLUSTER_2.id),
      found: ['warning NETWORKS_UNKNOWN'],
      reason: 'the cluster of a member is gone',
    },
    {
      prepare: ({ one }) =>
        one.refuse({ verb: 'apply', dryRun: true }, fakeRefusal('KUBERNETES_REJECTED', 'Invalid', '')),
      found: ['error REFUSED_BY_CLUSTER'],
      reason: 'the cluster has rules of its own',
    },
  ])('find $found: $reason', async ({ prepare, input, found }) => {
    const parts = world(input);
    prepare(parts);
    expect(await parts.codes()).toEqual(found);
    expect(parts.kube.writes()).toEqual([]);
  });
});

describe('fleet.multiClusterService.apply', () => {
  it.each([
    { input: {}, annotations: undefined, serviceImport: SERVICE, reason: 'the service of its own name' },
    {
      input: { serviceImport: 'web' },
      annotations: undefined,
      serviceImport: 'web',
      reason: 'a service of another name',
    },
    {
      input: { internal: true },
      annotations: { 'networking.fleet.azure.com/azure-load-balancer-internal': 'true' },
      serviceImport: SERVICE,
      reason: 'inside the network only',
    },
  ])('serves $reason', async ({ input, annotations, serviceImport }) => {
    const { one, plan, step } = world(input);
    expect(await plan()).toMatchObject({ action: 'create' });
    await step('apply');
    const object = one.object(MCS, NAMESPACE, SERVICE);
    expect(object?.spec).toEqual({ serviceImport: { name: serviceImport } });
    expect(object?.metadata.annotations).toEqual(annotations);
    await step('apply', undefined, 2);
    expect(one.object(MCS, NAMESPACE, SERVICE)).toEqual(object);
  });

  it.each<{ status: JsonObject; imported: string; addressed: string; verdict: string; reason: string }>([
    { status: {}, imported: 'wait', addressed: 'wait', verdict: 'pending', reason: 'nobody has looked yet' },
    {
      status: { conditions: [condition('Valid', 'Unknown', 'UnknownServiceImport')] },
      imported: 'wait',
      addressed: 'wait',
      verdict: 'pending',
      reason: 'the export is on its way',
    },
    {
      status: { conditions: [condition('Valid', 'True', 'FoundServiceImport')] },
      imported: 'done',
      addressed: 'wait',
      verdict: 'pending',
      reason: 'the load balancer is being made',
    },
    {
      status: multiClusterServiceObject().status as JsonObject,
      imported: 'done',
      addressed: 'done',
      verdict: 'reached',
      reason: 'it has an address',
    },
  ])('waits for the import ($imported) and the address ($addressed): $reason', async (row) => {
    const { one, step, verify } = world();
    one.add(multiClusterServiceObject({ status: row.status }));
    expect((await step('wait-for-import')).outcome).toBe(row.imported);
    expect((await step('wait-for-address')).outcome).toBe(row.addressed);
    expect((await verify()).verdict).toBe(row.verdict);
  });

  it('tells the address when it has ended', async () => {
    const { one, verify } = world();
    one.add(multiClusterServiceObject());
    await expect(verify()).resolves.toMatchObject({
      verdict: 'reached',
      result: { addresses: ['20.1.2.3'], derivedService: 'kuard-demo-kuard' },
      observations: [{ kind: 'MultiClusterService', source: 'OPERATION' }],
    });
  });

  it('fails with the reason when the service is refused for a while', async () => {
    const { one, step, verify, clock } = world();
    one.add(multiClusterServiceObject({ status: { conditions: [condition('Valid', 'False', 'Refused')] } }));
    const first = await step('wait-for-import');
    clock.advance(20_000);
    await expect(step('wait-for-import', tokenOf(first), 2)).resolves.toMatchObject({ outcome: 'failed' });
    await expect(verify()).resolves.toMatchObject({ verdict: 'missed' });
  });

  it('notices that it is gone, or serves another service', async () => {
    const { one, step, verify } = world();
    await expect(step('wait-for-import')).rejects.toMatchObject({ code: 'KUBERNETES_NOT_FOUND' });
    await expect(verify()).resolves.toMatchObject({ verdict: 'missed' });
    one.add(multiClusterServiceObject({ spec: { serviceImport: { name: 'other' } } }));
    await expect(verify()).resolves.toMatchObject({ verdict: 'missed' });
  });
});
