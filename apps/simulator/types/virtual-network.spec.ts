import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type JsonObject } from '#libs/kernel/json.js';
import {
  CLUSTERS_GROUP,
  RESOURCES_VERSION,
  SUBSCRIPTION,
  SimulatedAzure,
  codeOf,
  itemsOf,
  propertiesOf,
} from '../simulated-azure.harness.js';

const VERSION = '2025-05-01';
const NETWORKS = `${CLUSTERS_GROUP}/providers/Microsoft.Network/virtualNetworks`;
const DEMO = `${NETWORKS}/demo-vnet`;
const OTHER = `${NETWORKS}/other`;

let azure: SimulatedAzure;
beforeEach(async () => {
  azure = await SimulatedAzure.start();
});
afterEach(async () => azure.stop());

function network(prefix: string, subnets?: JsonObject[]): JsonObject {
  return {
    location: 'eastus',
    properties: { addressSpace: { addressPrefixes: [prefix] }, ...(subnets === undefined ? {} : { subnets }) },
  };
}

function subnet(name: string, addressPrefix: string): JsonObject {
  return { name, properties: { addressPrefix } };
}

async function make(path: string, body: JsonObject): Promise<void> {
  expect((await azure.put(path, VERSION, body)).status).toBe(201);
  azure.finishOperations();
}

describe('a virtual network', () => {
  it('of scenario A holds the subnets of both clusters', async () => {
    const { subnets } = propertiesOf((await azure.get(DEMO, VERSION)).body) as { subnets: JsonObject[] };
    expect(subnets.map((each) => [each.name, propertiesOf(each).addressPrefix])).toEqual([
      ['demo-aks01', '10.224.0.0/16'],
      ['demo-aks02', '10.225.0.0/16'],
    ]);
  });

  it('is made by an operation with a poll URL, Retry-After and an eTag that the provider marks as weak', async () => {
    const created = await azure.put(OTHER, VERSION, network('10.0.0.0/16', [subnet('a', '10.0.1.0/24')]));
    expect([created.status, propertiesOf(created.body).provisioningState]).toEqual([201, 'Creating']);
    expect(created.headers['azure-asyncoperation']).toContain(
      '/providers/Microsoft.Network/locations/eastus/operations/',
    );
    expect(created.headers).toMatchObject({ 'retry-after': '3' });
    expect(created.headers).not.toHaveProperty('location');
    expect(created.body.etag).toMatch(/^W\/"[0-9a-f-]{36}"$/);
    const running = await azure.follow(created.headers['azure-asyncoperation']);
    expect([running.status, running.body.status, running.headers['retry-after']]).toEqual([200, 'InProgress', '3']);
    azure.finishOperations();
    expect((await azure.follow(created.headers['azure-asyncoperation'])).body.status).toBe('Succeeded');
    expect(propertiesOf((await azure.get(`${OTHER}/subnets/a`, VERSION)).body)).toMatchObject({
      addressPrefix: '10.0.1.0/24',
      provisioningState: 'Succeeded',
    });
  });

  it('keeps its subnets where a PUT does not name them, and loses those that a PUT leaves out', async () => {
    await make(OTHER, network('10.0.0.0/16', [subnet('a', '10.0.1.0/24'), subnet('b', '10.0.2.0/24')]));
    await azure.put(OTHER, VERSION, network('10.0.0.0/16'));
    azure.finishOperations();
    expect(itemsOf(await azure.get(`${OTHER}/subnets`, VERSION)).map((each) => each.name)).toEqual(['a', 'b']);
    await azure.put(OTHER, VERSION, network('10.0.0.0/16', [subnet('b', '10.0.2.0/24')]));
    azure.finishOperations();
    expect(itemsOf(await azure.get(`${OTHER}/subnets`, VERSION)).map((each) => each.name)).toEqual(['b']);
  });

  it('can be sent back as it was read', async () => {
    const read = (await azure.get(DEMO, VERSION)).body;
    expect((await azure.put(DEMO, VERSION, read)).status).toBe(200);
  });

  it('takes tags by PATCH at once, and nothing else', async () => {
    const patched = await azure.send('PATCH', DEMO, { version: VERSION, body: { tags: { owner: 'x' } } });
    expect([patched.status, patched.body.tags]).toEqual([200, { environment: 'demo', owner: 'x' }]);
    expect(propertiesOf(patched.body).provisioningState).toBe('Succeeded');
    const refused = await azure.send('PATCH', DEMO, { version: VERSION, body: { properties: {} } });
    expect(refused.status).toBe(400);
  });

  it('takes one operation at a time, in the words of its provider', async () => {
    await azure.put(OTHER, VERSION, network('10.0.0.0/16'));
    const second = await azure.put(`${OTHER}/subnets/a`, VERSION, subnet('a', '10.0.1.0/24'));
    expect([second.status, codeOf(second)]).toEqual([429, 'AnotherOperationInProgress']);
  });

  it('is deleted by an operation with both URLs', async () => {
    await make(OTHER, network('10.0.0.0/16', [subnet('a', '10.0.1.0/24')]));
    const deleted = await azure.send('DELETE', OTHER, { version: VERSION });
    expect([deleted.status, deleted.text]).toEqual([202, '']);
    expect(Object.keys(deleted.headers)).toEqual(expect.arrayContaining(['azure-asyncoperation', 'location']));
    azure.finishOperations();
    expect((await azure.get(OTHER, VERSION)).status).toBe(404);
    expect((await azure.get(`${OTHER}/subnets/a`, VERSION)).status).toBe(404);
  });

  const refusals: { what: string; path: string; body: JsonObject; code: string; reason: string }[] = [
    {
      what: 'a range with host bits',
      path: OTHER,
      body: network('10.0.0.1/16'),
      code: 'InvalidAddressPrefixFormat',
      reason: 'Azure wants the first address of the range',
    },
    {
      what: 'a subnet outside',
      path: `${DEMO}/subnets/c`,
      body: subnet('c', '10.0.0.0/24'),
      code: 'NetcfgSubnetRangeOutsideVnet',
      reason: 'the network is 10.224.0.0/12',
    },
    {
      what: 'a subnet over another',
      path: `${DEMO}/subnets/c`,
      body: subnet('c', '10.225.7.0/24'),
      code: 'NetcfgSubnetRangesOverlap',
      reason: 'demo-aks02 has 10.225.0.0/16',
    },
    {
      what: 'a smaller network than its subnets',
      path: DEMO,
      body: network('10.224.0.0/16'),
      code: 'NetcfgSubnetRangeOutsideVnet',
      reason: 'the subnets stay, and one of them would be outside',
    },
    {
      what: 'a network without the subnets that clusters use',
      path: DEMO,
      body: network('10.224.0.0/12', []),
      code: 'InUseSubnetCannotBeDeleted',
      reason: 'the nodes of the clusters are in them',
    },
  ];
  it.each(refusals)('refuses $what: $reason', async ({ path, body, code }) => {
    const refused = await azure.put(path, VERSION, body);
    expect([refused.status, codeOf(refused)]).toEqual([400, code]);
  });

  it('is in Resource Graph', async () => {
    const found = await azure.query("resources | where type =~ 'Microsoft.Network/virtualNetworks' | project name");
    expect(found.body.data).toEqual([{ name: 'demo-vnet' }]);
    const list = await azure.get(`/subscriptions/${SUBSCRIPTION}/providers/Microsoft.Network/virtualNetworks`, VERSION);
    expect(itemsOf(list)).toHaveLength(1);
  });
});

describe('the link of Container Instances on a subnet', () => {
  const delegations = [{ name: 'aci', properties: { serviceName: 'Microsoft.ContainerInstance/containerGroups' } }];
  const path = `${OTHER}/subnets/aci`;
  const group = `${CLUSTERS_GROUP}/providers/Microsoft.ContainerInstance/containerGroups/web`;
  const groupVersion = '2023-05-01';
  const requests = { cpu: 1, memoryInGB: 1 };
  const containers = [{ name: 'web', properties: { image: 'nginx', resources: { requests } } }];

  it('is gone for them at once, and for the network later', async () => {
    await make(
      OTHER,
      network('10.0.0.0/16', [{ name: 'aci', properties: { addressPrefix: '10.0.1.0/24', delegations } }]),
    );
    const registration = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.ContainerInstance/register`;
    expect((await azure.send('POST', registration, { version: RESOURCES_VERSION })).status).toBe(200);
    azure.finishOperations();
    const properties = { osType: 'Linux', containers, subnetIds: [{ id: path }] };
    expect((await azure.put(group, groupVersion, { location: 'eastus', properties })).status).toBe(201);
    azure.finishOperations();
    await azure.send('DELETE', group, { version: groupVersion });
    azure.finishOperations();
    const link = `${path}/providers/Microsoft.ContainerInstance/serviceAssociationLinks/default`;
    for (let time = 0; time < 2; time++) {
      expect((await azure.send('DELETE', link, { version: groupVersion })).status).toBe(200);
    }
    const { body } = await azure.get(path, VERSION);
    expect(propertiesOf(body).serviceAssociationLinks).toHaveLength(1);
    const free = { ...body, properties: { ...propertiesOf(body), delegations: [] } };
    expect(codeOf(await azure.put(path, VERSION, free))).toBe('SubnetMissingRequiredDelegation');
    azure.clock.advance(1000);
    expect((await azure.put(path, VERSION, free)).status).toBe(200);
    azure.finishOperations();
    expect(propertiesOf((await azure.get(path, VERSION)).body)).not.toHaveProperty('serviceAssociationLinks');
  });
});

describe('a peering', () => {
  const there = `${DEMO}/virtualNetworkPeerings/to-other`;
  const back = `${OTHER}/virtualNetworkPeerings/to-demo`;
  const peering = (remote: string): JsonObject => ({ properties: { remoteVirtualNetwork: { id: remote } } });
  const stateOf = async (path: string): Promise<unknown> =>
    propertiesOf((await azure.get(path, VERSION)).body).peeringState;

  it('is connected when both sides are there, and disconnected when the other network has gone', async () => {
    await make(OTHER, network('10.0.0.0/16'));
    await make(there, peering(OTHER));
    expect(await stateOf(there)).toBe('Initiated');
    await make(back, peering(DEMO));
    expect([await stateOf(there), await stateOf(back)]).toEqual(['Connected', 'Connected']);
    await azure.send('DELETE', OTHER, { version: VERSION });
    azure.finishOperations();
    expect(await stateOf(there)).toBe('Disconnected');
  });

  it('shows in the network that it changes too, also in Resource Graph', async () => {
    await make(OTHER, network('10.0.0.0/16'));
    await make(there, peering(OTHER));
    await make(back, peering(DEMO));
    azure.clock.advance(10_000);
    const found = await azure.query(
      "resources | where name == 'demo-vnet' | project state = properties.virtualNetworkPeerings[0].properties.peeringState",
    );
    expect(found.body.data).toEqual([{ state: 'Connected' }]);
  });

  it.each([
    { remote: `${NETWORKS}/nowhere`, prefix: '10.0.0.0/16', code: 'InvalidResourceReference', reason: 'is not there' },
    { remote: OTHER, prefix: '10.224.8.0/24', code: 'VnetAddressSpacesOverlap', reason: 'uses the same addresses' },
  ])('is refused where the other network $reason', async ({ remote, prefix, code }) => {
    await make(OTHER, network(prefix));
    const refused = await azure.put(there, VERSION, peering(remote));
    expect([refused.status, codeOf(refused)]).toEqual([400, code]);
  });
});
