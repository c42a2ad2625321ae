import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import {
  EDGE_CLUSTER,
  EDGE_INSTANCE,
  HOST,
  HOST_SKUS,
  HOST_VERSIONS,
  edgeClusterBody,
  hciPoolBody,
  hostBody,
  hostSkusBody,
  hostVersionsBody,
  instanceBody,
  networkBody,
} from '#libs/testing/aks-hci-samples.js';
import { FakeArm } from '#libs/testing/fake-arm.js';
import { playOperation, tokenOf } from '#libs/testing/operation-play.js';
import { targetOf } from '../contract/system.contract-suite.js';
import { AksHciClient } from './aks-hci.client.js';
import { createAksHciOperations } from './aks-hci.operations.js';

function world(type: string, input: JsonObject, ...bodies: JsonObject[]) {
  const arm = new FakeArm();
  arm.add(edgeClusterBody(), instanceBody(), hciPoolBody(), hostBody(), hostVersionsBody(), networkBody(), ...bodies);
  const operations = createAksHciOperations(new AksHciClient(arm.azure()));
  const references = {
    cluster: targetOf(EDGE_INSTANCE, 'ProvisionedCluster'),
    customLocation: targetOf(HOST, 'CustomLocation'),
  };
  return { arm, ...playOperation(operations, type, input, references) };
}

const upgrade = (kubernetesVersion: string, ...bodies: JsonObject[]) =>
  world('hci.cluster.upgrade', { cluster: EDGE_INSTANCE, kubernetesVersion }, ...bodies);

describe('upgrading a cluster on Azure Stack HCI', () => {
  it.each<{
    version: string;
    bodies?: JsonObject[];
    arrange?: (arm: FakeArm) => void;
    found: string[];
    reason: string;
  }>([
    { version: '1.29.9', found: [], reason: 'all is well' },
    { version: '1.29.7', found: ['info ALREADY_AT_VERSION'], reason: 'nothing to do' },
    { version: '1.28.1', found: ['error VERSION_IS_OLDER'], reason: 'there is no way back' },
    {
      version: '1.29.8',
      found: ['error VERSION_NOT_SUPPORTED', 'error UPGRADE_NOT_OFFERED'],
      reason: 'no such version',
    },
    {
      version: '1.31.0',
      found: ['error VERSION_SKIPS_MINOR', 'error VERSION_NOT_SUPPORTED', 'error UPGRADE_NOT_OFFERED'],
      reason: 'too far',
    },
    { version: '1.30.4', found: ['error VERSION_NOT_READY'], reason: 'the Windows pool has no image yet' },
    {
      version: '1.30.4',
      bodies: [instanceBody({ kubernetesVersion: '1.29.9', agentPoolProfiles: [{ name: 'a', osType: 'Linux' }] })],
      found: ['error UPGRADE_NOT_OFFERED'],
      reason: 'the host offers another step',
    },
    {
      version: '1.29.9',
      bodies: [instanceBody({ provisioningState: 'Updating' })],
      found: ['warning CLUSTER_BUSY'],
      reason: 'something else goes on',
    },
    {
      version: '1.29.9',
      bodies: [instanceBody({ provisioningState: 'Failed' })],
      found: ['warning CLUSTER_FAILED'],
      reason: 'it was not well',
    },
    {
      version: '1.29.9',
      bodies: [networkBody({}, { ipPools: [{ info: { available: '0' } }] })],
      found: ['warning ADDRESSES_SHORT'],
      reason: 'one more machine is needed',
    },
    {
      version: '1.29.9',
      arrange: (arm) => arm.remove(HOST_VERSIONS),
      found: ['info VERSIONS_NOT_LISTED'],
      reason: 'nobody has asked the host',
    },
    {
      version: '1.29.9',
      arrange: (arm) => arm.remove(EDGE_INSTANCE),
      found: ['error CLUSTER_NOT_FOUND'],
      reason: 'it is gone',
    },
  ])('$found: $reason', async ({ version, bodies = [], arrange, found }) => {
    const { arm, codes } = upgrade(version, ...bodies);
    arrange?.(arm);
    expect(await codes()).toEqual(found);
  });

  it('changes the version and nothing else, and keeps what it does not know', async () => {
    const { arm, step, plan, verify } = upgrade('1.29.9', instanceBody({ futureField: { kept: true } }));
    expect(await plan()).toMatchObject({ action: 'upgrade', before: '1.29.7', after: '1.29.9' });
    const begun = await step('upgrade');
    const body = arm.requests.at(-1)?.body;
    expect(body?.properties).toMatchObject({ kubernetesVersion: '1.29.9', futureField: { kept: true } });
    for (const readOnly of ['status', 'provisioningState']) expect(body?.properties).not.toHaveProperty(readOnly);
    expect(JSON.stringify(body)).not.toContain('1.29.7');
    expect(await step('upgrade', tokenOf(begun))).toMatchObject({ outcome: 'wait' });
    arm.settle();
    expect(await step('upgrade', tokenOf(begun))).toMatchObject({ outcome: 'done' });
    expect(await verify()).toMatchObject({
      verdict: 'reached',
      observations: [{ kind: 'ProvisionedCluster' }, { kind: 'ProvisionedAgentPool' }],
    });
  });

  it.each([
    { body: instanceBody({ provisioningState: 'Updating' }), outcome: 'blocked', reason: 'others change it' },
    {
      body: instanceBody({ kubernetesVersion: '1.29.9', provisioningState: 'Upgrading' }),
      outcome: 'wait',
      reason: 'it was begun before a crash',
    },
    { body: instanceBody({ kubernetesVersion: '1.29.9' }), outcome: 'done', reason: 'it is there' },
  ])('is $outcome: $reason', async ({ body, outcome }) => {
    const { arm, step } = upgrade('1.29.9', body);
    expect(await step('upgrade')).toMatchObject({ outcome });
    expect(arm.writes()).toEqual([]);
  });

  it('is missed where the version is another', async () => {
    expect(await upgrade('1.29.9').verify()).toMatchObject({ verdict: 'missed' });
  });
});

const remove = (...bodies: JsonObject[]) => world('hci.cluster.delete', { cluster: EDGE_INSTANCE }, ...bodies);

describe('deleting a cluster on Azure Stack HCI', () => {
  it.each<{ bodies?: JsonObject[]; gone?: string[]; found: string[]; reason: string }>([
    { found: ['warning WORKLOADS_ARE_DELETED'], reason: 'what runs on it goes' },
    {
      bodies: [instanceBody({ provisioningState: 'Updating' })],
      found: ['warning CLUSTER_BUSY', 'warning WORKLOADS_ARE_DELETED'],
      reason: 'something else goes on',
    },
    { gone: [EDGE_INSTANCE], found: [], reason: 'the rest of it goes' },
    { gone: [EDGE_INSTANCE, EDGE_CLUSTER], found: ['info CLUSTER_NOT_FOUND'], reason: 'nothing is left' },
  ])('$found: $reason', async ({ bodies = [], gone = [], found }) => {
    const { arm, codes } = remove(...bodies);
    for (const id of gone) arm.remove(id);
    expect(await codes()).toEqual(found);
  });

  it('deletes the machines, and only then what they belong to', async () => {
    const { arm, step, verify } = remove();
    const machines = await step('machines');
    await expect(step('connected-cluster')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await verify()).toMatchObject({ verdict: 'pending' });
    arm.settle();
    expect(await step('machines', tokenOf(machines))).toMatchObject({ outcome: 'done' });
    const connected = await step('connected-cluster');
    arm.settle();
    expect(await step('connected-cluster', tokenOf(connected))).toMatchObject({ outcome: 'done' });
    expect(arm.writes()).toEqual([`DELETE ${EDGE_INSTANCE}`, `DELETE ${EDGE_CLUSTER}`]);
    expect(await verify()).toMatchObject({
      verdict: 'reached',
      absent: [{ id: EDGE_INSTANCE }, { id: EDGE_CLUSTER, kind: 'ConnectedCluster' }],
    });
  });

  it('waits for what others do to it, and goes on with a deletion that was begun', async () => {
    expect(await remove(instanceBody({ provisioningState: 'Updating' })).step('machines')).toMatchObject({
      outcome: 'blocked',
    });
    expect(await remove(instanceBody({ provisioningState: 'Deleting' })).step('machines')).toMatchObject({
      outcome: 'wait',
    });
  });
});

describe('inspecting a host', () => {
  const inspect = (...bodies: JsonObject[]) => world('hci.host.inspect', { customLocation: HOST }, ...bodies);

  it('answers what it has, what it carries, and what it can carry', async () => {
    const { arm, step, verify } = inspect();
    expect(await step('versions')).toMatchObject({ outcome: 'done' });
    const asked = await step('vm-sizes');
    expect(arm.writes()).toEqual([`PUT ${HOST_SKUS}`]);
    arm.settle();
    arm.set(HOST_SKUS, hostSkusBody());
    expect(await step('vm-sizes', tokenOf(asked))).toMatchObject({ outcome: 'done' });
    expect(await verify()).toMatchObject({
      verdict: 'reached',
      result: {
        kubernetesVersions: [
          { version: '1.29.7' },
          { version: '1.29.9' },
          { version: '1.30.3' },
          { version: '1.30.4' },
        ],
        vmSizes: [{ name: 'Standard_A4_v2' }, { name: 'Standard_D4s_v3' }],
        clusters: [EDGE_CLUSTER],
        limits: { clusters: 32, controlPlaneCounts: [1, 3, 5] },
      },
    });
  });

  it.each([
    { body: hostBody({ provisioningState: 'Failed' }), found: ['warning CUSTOM_LOCATION_NOT_READY'] },
    { body: hostBody(), found: [] },
  ])('finds $found', async ({ body, found }) => {
    expect(await inspect(body).codes()).toEqual(found);
  });

  it('needs a host, and an answer', async () => {
    const { arm, codes, verify } = inspect();
    expect(await verify()).toMatchObject({ verdict: 'missed' });
    arm.remove(HOST);
    expect(await codes()).toEqual(['error CUSTOM_LOCATION_NOT_FOUND']);
  });

  it('is the subscription of the host that is looked through', async () => {
    const { arm, verify } = inspect(hostSkusBody());
    await verify();
    const list = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Kubernetes/connectedClusters`;
    expect(arm.requests.map(({ path }) => path)).toContain(list);
  });
});
