import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type JsonObject } from '#libs/kernel/json.js';
import {
  AKS_VERSION,
  CLUSTER_1,
  CLUSTER_2,
  FLEET,
  FLEETS_GROUP,
  FLEET_VERSION,
  MEMBER_1,
  RESOURCES_VERSION,
  SUBSCRIPTION,
  SimulatedAzure,
  codeOf,
  itemsOf,
  propertiesOf,
} from '../simulated-azure.harness.js';

const NEW = `${FLEETS_GROUP}/providers/Microsoft.ContainerService/fleets/new`;
const HUB = `/subscriptions/${SUBSCRIPTION}/resourceGroups/FL_demo_aks_fleetmng_new_westeurope/providers/Microsoft.ContainerService/managedClusters/hub`;
const withHub = { location: 'westeurope', properties: { hubProfile: { dnsPrefix: 'new' } } };

let azure: SimulatedAzure;
beforeEach(async () => {
  azure = await SimulatedAzure.start();
});
afterEach(async () => azure.stop());

async function groupNames(): Promise<unknown[]> {
  const list = await azure.get(`/subscriptions/${SUBSCRIPTION}/resourceGroups`, RESOURCES_VERSION);
  return itemsOf(list).map((group) => group.name);
}

describe('a fleet', () => {
  it('without a hub is just a fleet', async () => {
    const made = await azure.put(NEW, FLEET_VERSION, { location: 'westeurope', tags: { a: 'b' } });
    expect([made.status, propertiesOf(made.body).provisioningState]).toEqual([201, 'Creating']);
    azure.finishOperations();
    const fleet = (await azure.get(NEW, FLEET_VERSION)).body;
    expect(propertiesOf(fleet).provisioningState).toBe('Succeeded');
    expect(propertiesOf(fleet)).not.toHaveProperty('hubProfile');
    expect(await groupNames()).not.toContain('FL_demo_aks_fleetmng_new_westeurope');
  });

  it('with a hub gets two resource groups and a managed cluster, and host names when they are there', async () => {
    const made = await azure.put(NEW, FLEET_VERSION, withHub);
    expect(propertiesOf(made.body).hubProfile).toEqual({ dnsPrefix: 'new' });
    azure.finishOperations();
    expect(propertiesOf((await azure.get(NEW, FLEET_VERSION)).body).hubProfile).toMatchObject({
      dnsPrefix: 'new',
      fqdn: expect.stringMatching(/^new-[a-z0-9]{8}\.hcp\.westeurope\.azmk8s\.io$/),
      kubernetesVersion: '1.33.5',
    });
    expect(await groupNames()).toEqual(
      expect.arrayContaining(['FL_demo_aks_fleetmng_new_westeurope', 'MC_FL_demo_aks_fleetmng_new_westeurope']),
    );
    expect(propertiesOf((await azure.get(HUB, AKS_VERSION)).body)).toMatchObject({
      provisioningState: 'Succeeded',
      disableLocalAccounts: true,
      nodeResourceGroup: 'MC_FL_demo_aks_fleetmng_new_westeurope',
    });
  });

  it('without a hub can get one, and keeps it', async () => {
    await azure.put(NEW, FLEET_VERSION, { location: 'westeurope' });
    azure.finishOperations();
    expect((await azure.put(NEW, FLEET_VERSION, withHub)).status).toBe(200);
    azure.finishOperations();
    expect((await azure.get(HUB, AKS_VERSION)).status).toBe(200);
    const back = await azure.put(NEW, FLEET_VERSION, { location: 'westeurope' });
    expect([back.status, codeOf(back)]).toEqual([400, 'InvalidParameter']);
    const hidden = {
      ...withHub,
      properties: { hubProfile: { dnsPrefix: 'new', apiServerAccessProfile: { enablePrivateCluster: true } } },
    };
    expect(codeOf(await azure.put(NEW, FLEET_VERSION, hidden))).toBe('InvalidParameter');
  });

  it('written back as it was read changes nothing', async () => {
    const before = (await azure.get(FLEET, FLEET_VERSION)).body;
    expect((await azure.put(FLEET, FLEET_VERSION, before)).status).toBe(200);
    azure.finishOperations();
    const after = (await azure.get(FLEET, FLEET_VERSION)).body;
    expect(propertiesOf(after).hubProfile).toEqual(propertiesOf(before).hubProfile);
    expect(after.tags).toEqual(before.tags);
  });

  it('keeps a property that nobody here knows', async () => {
    await azure.put(NEW, FLEET_VERSION, {
      ...withHub,
      properties: { ...withHub.properties, futureProfile: { on: true } },
    });
    azure.finishOperations();
    expect(propertiesOf((await azure.get(NEW, FLEET_VERSION)).body).futureProfile).toEqual({ on: true });
  });

  it('fails when there are no cores for its hub, and is mended by another PUT', async () => {
    await azure.control('POST', '/quota', { subscriptionId: SUBSCRIPTION, location: 'westeurope', cores: 2 });
    expect((await azure.put(NEW, FLEET_VERSION, withHub)).status).toBe(201);
    azure.finishOperations();
    expect(propertiesOf((await azure.get(NEW, FLEET_VERSION)).body)).toMatchObject({
      provisioningState: 'Failed',
      status: { lastOperationError: { code: 'QuotaExceeded' } },
    });
    await azure.control('POST', '/quota', { subscriptionId: SUBSCRIPTION, location: 'westeurope', cores: 4 });
    await azure.put(NEW, FLEET_VERSION, withHub);
    azure.finishOperations();
    expect(propertiesOf((await azure.get(NEW, FLEET_VERSION)).body).provisioningState).toBe('Succeeded');
    expect(propertiesOf((await azure.get(HUB, AKS_VERSION)).body).provisioningState).toBe('Succeeded');
  });

  it('is protected: nobody writes where Azure made the hub', async () => {
    const hub = HUB.replace('new_westeurope', 'aks-fleet01_eastus');
    for (const answer of [
      await azure.put(`${hub}/agentPools/agentpool`, AKS_VERSION, { properties: { count: 2 } }),
      await azure.send('DELETE', hub, { version: AKS_VERSION }),
      await azure.send('POST', `${hub}/stop`, { version: AKS_VERSION }),
    ]) {
      expect([answer.status, codeOf(answer)]).toEqual([403, 'DenyAssignmentAuthorizationFailed']);
    }
  });

  it('goes away with its members, its hub and its groups, and the clusters stay', async () => {
    await azure.send('DELETE', FLEET, { version: FLEET_VERSION });
    azure.finishOperations();
    expect(codeOf(await azure.get(FLEET, FLEET_VERSION))).toBe('ResourceNotFound');
    expect((await azure.get(MEMBER_1, FLEET_VERSION)).status).toBe(404);
    expect((await groupNames()).filter((name) => String(name).includes('FL_'))).toEqual([]);
    expect((await azure.get(CLUSTER_1, AKS_VERSION)).status).toBe(200);
  });

  it('that goes away leaves a group alone that somebody else made under the name of its own', async () => {
    const group = `/subscriptions/${SUBSCRIPTION}/resourceGroups/FL_demo_aks_fleetmng_new_westeurope`;
    await azure.put(group, RESOURCES_VERSION, { location: 'westeurope' });
    await azure.put(NEW, FLEET_VERSION, withHub);
    azure.finishOperations();
    await azure.send('DELETE', NEW, { version: FLEET_VERSION });
    azure.finishOperations();
    expect((await azure.get(NEW, FLEET_VERSION)).status).toBe(404);
    expect((await azure.get(group, RESOURCES_VERSION)).status).toBe(200);
    expect((await azure.get(HUB, AKS_VERSION)).status).toBe(404);
  });

  const refused: { reason: string; path: string; body: JsonObject; code: string }[] = [
    {
      reason: 'upper case in its name',
      path: NEW.replace('/new', '/New'),
      body: { location: 'eastus' },
      code: 'InvalidParameter',
    },
    {
      reason: 'a name of 64 characters',
      path: NEW.replace('/new', `/${'a'.repeat(64)}`),
      body: { location: 'eastus' },
      code: 'InvalidParameter',
    },
    {
      reason: 'a hub profile that is text',
      path: NEW,
      body: { location: 'eastus', properties: { hubProfile: 'x' } },
      code: 'InvalidRequestContent',
    },
  ];
  it.each(refused)('is refused with $reason', async ({ path, body, code }) => {
    const answer = await azure.put(path, FLEET_VERSION, body);
    expect([answer.status, codeOf(answer)]).toEqual([400, code]);
  });

  it('can be patched in tags and identity only', async () => {
    const answer = await azure.send('PATCH', FLEET, { version: FLEET_VERSION, body: { properties: { x: 1 } } });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidParameter']);
    const removed = await azure.send('PATCH', FLEET, { version: FLEET_VERSION, body: { tags: { team: null } } });
    expect(removed.body.tags).toEqual({ environment: 'demo' });
  });

  it('lists the credential of its hub for the kubelogin plugin, and has none without a hub', async () => {
    const answer = await azure.send('POST', `${FLEET}/listCredentials`, { version: FLEET_VERSION });
    const [config] = answer.body.kubeconfigs as { name: string; value: string }[];
    const text = Buffer.from(config?.value ?? '', 'base64').toString('utf8');
    expect(text).toContain('current-context: hub\n');
    expect(text).toContain('name: clusterUser_FL_demo_aks_fleetmng_aks-fleet01_eastus_hub\n');
    expect(text).toContain('command: kubelogin');
    await azure.put(NEW, FLEET_VERSION, { location: 'westeurope' });
    azure.finishOperations();
    expect((await azure.send('POST', `${NEW}/listCredentials`, { version: FLEET_VERSION })).status).toBe(400);
  });
});

describe('a member', () => {
  const path = `${FLEET}/members/demo-aks02`;
  const join = (properties: JsonObject = {}): JsonObject => ({
    properties: { clusterResourceId: CLUSTER_2, ...properties },
  });

  it('joins, is changed and leaves', async () => {
    const joined = await azure.put(path, FLEET_VERSION, join({ group: 'canary', labels: { env: 'dev' } }));
    expect([joined.status, propertiesOf(joined.body).provisioningState]).toEqual([201, 'Joining']);
    azure.finishOperations();
    const patched = await azure.send('PATCH', path, {
      version: FLEET_VERSION,
      body: { properties: { group: 'stable', labels: { env: null, ring: '1' } } },
    });
    expect([patched.status, propertiesOf(patched.body)]).toEqual([
      202,
      expect.objectContaining({ provisioningState: 'Updating', group: 'stable', labels: { ring: '1' } }),
    ]);
    azure.finishOperations();
    const left = await azure.send('DELETE', path, { version: FLEET_VERSION });
    expect(propertiesOf(left.body).provisioningState).toBe('Leaving');
    azure.finishOperations();
    expect((await azure.get(path, FLEET_VERSION)).status).toBe(404);
    expect((await azure.put(path, FLEET_VERSION, join())).status).toBe(201);
  });

  it('shows labels to those who speak a version that has them', async () => {
    expect(propertiesOf((await azure.get(MEMBER_1, FLEET_VERSION)).body).labels).toEqual({ environment: 'demo' });
    expect(propertiesOf((await azure.get(MEMBER_1, '2025-03-01')).body)).not.toHaveProperty('labels');
    expect(propertiesOf(itemsOf(await azure.get(`${FLEET}/members`, '2025-03-01'))[0] ?? {})).not.toHaveProperty(
      'labels',
    );
  });

  it('of a cluster that is a member already is refused, in this fleet or another', async () => {
    const body = join({ clusterResourceId: CLUSTER_1.toUpperCase() });
    const same = await azure.put(path, FLEET_VERSION, body);
    expect([same.status, codeOf(same)]).toEqual([409, 'ClusterAlreadyJoinedAnotherFleet']);
    await azure.put(NEW, FLEET_VERSION, { location: 'westeurope' });
    azure.finishOperations();
    expect(codeOf(await azure.put(`${NEW}/members/m`, FLEET_VERSION, body))).toBe('ClusterAlreadyJoinedAnotherFleet');
  });

  const refused: { reason: string; path: string; body: JsonObject; status: number; code: string }[] = [
    {
      reason: 'a cluster that is not there',
      path,
      body: join({ clusterResourceId: `${CLUSTER_2}x` }),
      status: 400,
      code: 'ClusterNotFound',
    },
    {
      reason: 'an id that is no cluster',
      path,
      body: join({ clusterResourceId: FLEET }),
      status: 400,
      code: 'InvalidParameter',
    },
    {
      reason: 'an id that is none',
      path,
      body: join({ clusterResourceId: 'demo-aks02' }),
      status: 400,
      code: 'InvalidParameter',
    },
    { reason: 'no cluster', path, body: { properties: {} }, status: 400, code: 'InvalidParameter' },
    {
      reason: 'labels that are numbers',
      path,
      body: join({ labels: { a: 1 } }),
      status: 400,
      code: 'InvalidRequestContent',
    },
    { reason: 'a group with a space', path, body: join({ group: 'a b' }), status: 400, code: 'InvalidParameter' },
    {
      reason: 'an underscore in the name',
      path: `${FLEET}/members/demo_aks02`,
      body: join(),
      status: 400,
      code: 'InvalidParameter',
    },
    {
      reason: 'a name of 51 characters',
      path: `${FLEET}/members/${'a'.repeat(51)}`,
      body: join(),
      status: 400,
      code: 'InvalidParameter',
    },
    { reason: 'another cluster than before', path: MEMBER_1, body: join(), status: 400, code: 'InvalidParameter' },
    {
      reason: 'a fleet that is not there',
      path: `${FLEET}x/members/m`,
      body: join(),
      status: 404,
      code: 'ParentResourceNotFound',
    },
  ];
  it.each(refused)('is refused with $reason', async ({ path: target, body, status, code }) => {
    const answer = await azure.put(target, FLEET_VERSION, body);
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
  });

  it('can be patched in group and labels only', async () => {
    const body = { properties: { clusterResourceId: CLUSTER_2 } };
    const answer = await azure.send('PATCH', MEMBER_1, { version: FLEET_VERSION, body });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidParameter']);
  });
});
