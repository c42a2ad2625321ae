import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { CLUSTER_ID } from '#libs/testing/aks-samples.js';
import { refusal } from '#libs/testing/fake-arm.js';
import { tokenOf } from '#libs/testing/operation-play.js';
import { ACI_SUBNET_ID, VirtualNodesWorld, subnetBody } from '#libs/testing/virtual-nodes-world.js';

const SERVICE = 'Microsoft.ContainerInstance/containerGroups';
const LINK_ID = `${ACI_SUBNET_ID}/serviceAssociationLinks/acisal`;
const LINK = { id: LINK_ID, name: 'acisal', properties: { linkedResourceType: SERVICE } };
const FOREIGN_LINK = { name: 'AppServiceLink', properties: { linkedResourceType: 'Microsoft.Web/serverFarms' } };
const DELEGATION = { name: 'd', properties: { serviceName: SERVICE } };
const NIC = { id: '/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/nic' };

interface Row {
  codes: string[];
  reason: string;
  subnet?: JsonObject;
  arrange?(world: VirtualNodesWorld): void;
}

const withAddon = (world: VirtualNodesWorld): void => {
  world.switchOn();
  world.arm.add(subnetBody('aci'));
};

const ROWS: Row[] = [
  { codes: [], reason: 'nobody uses it' },
  { codes: ['info SUBNET_GONE'], reason: 'it was deleted', arrange: (world) => world.arm.remove(ACI_SUBNET_ID) },
  { codes: ['error SUBNET_IN_USE'], reason: 'a machine is in it', subnet: { ipConfigurations: [NIC] } },
  { codes: ['error SUBNET_IN_USE'], reason: 'an endpoint is in it', subnet: { privateEndpoints: [NIC] } },
  {
    codes: ['info SUBNET_LINKED', 'info SUBNET_DELEGATED'],
    reason: 'container groups were in it',
    subnet: { serviceAssociationLinks: [LINK], delegations: [DELEGATION] },
  },
  {
    codes: ['error SUBNET_LINKED_ELSEWHERE'],
    reason: 'a plan of App Service uses it',
    subnet: { serviceAssociationLinks: [FOREIGN_LINK] },
  },
  {
    codes: ['warning NETWORK_BUSY'],
    reason: 'one change at a time',
    subnet: { provisioningState: 'Updating' },
  },
  { codes: ['error VIRTUAL_NODE_USES_SUBNET'], reason: 'its cluster would lose its virtual node', arrange: withAddon },
  {
    codes: [],
    reason: 'the virtual node of the cluster is in another subnet',
    arrange(world) {
      const aciConnectorLinux = { enabled: true, config: { SubnetName: 'other' } };
      world.setCluster({ addonProfiles: { aciConnectorLinux } });
    },
  },
  {
    codes: ['info CLUSTERS_UNKNOWN'],
    reason: 'nobody may list clusters',
    arrange: (world) => world.arm.answer('GET', /\/managedClusters$/, refusal(403, 'AuthorizationFailed', 'no')),
  },
  {
    codes: [],
    reason: 'a subscription without AKS has no clusters',
    arrange: (world) =>
      world.arm.answer('GET', /\/managedClusters$/, refusal(409, 'MissingSubscriptionRegistration', 'not registered')),
  },
];

function world({ subnet = {}, arrange }: Partial<Row> = {}): VirtualNodesWorld {
  const made = new VirtualNodesWorld();
  made.arm.add(subnetBody('aci', subnet));
  arrange?.(made);
  made.arm.answer('DELETE', /serviceAssociationLinks\/default$/, () => {
    made.arm.add(subnetBody('aci', { ...subnet, serviceAssociationLinks: [] }));
    return { status: 200, body: null };
  });
  return made;
}

describe('azure.subnet.delete', () => {
  it.each(ROWS)('finds $codes: $reason', async (row) => {
    const made = world(row);
    expect(await made.deleteSubnet().codes()).toEqual(row.codes);
    expect(made.arm.writes()).toEqual([]);
  });

  it('has a row for each finding', () => {
    const codes = new Set(ROWS.flatMap((row) => row.codes.map((code) => code.split(' ')[1])));
    expect([...codes].sort()).toEqual(Object.keys(world().deleteSubnet().operation.findings).sort());
  });

  it('offers to take the virtual node away first', async () => {
    const [finding] = await world({ arrange: withAddon }).deleteSubnet().findings();
    expect(finding?.operations).toEqual([{ type: 'virtualNodes.disable', input: { cluster: CLUSTER_ID } }]);
  });

  it('deletes the link, takes the delegation back, and deletes the subnet, each once', async () => {
    const { arm, ...made } = worldOf({ serviceAssociationLinks: [LINK], delegations: [DELEGATION] });
    await made.step('unlink');
    expect((await made.step('unlink')).outcome).toBe('done');
    const takenBack = await made.step('take-back');
    expect((await made.step('take-back')).outcome).not.toBe('done');
    arm.settle();
    expect((await made.step('take-back', tokenOf(takenBack))).outcome).toBe('done');
    const begun = await made.step('delete');
    await expect(made.verify()).resolves.toMatchObject({ verdict: 'pending' });
    arm.settle();
    expect((await made.step('delete', tokenOf(begun))).outcome).toBe('done');
    await expect(made.verify()).resolves.toMatchObject({ verdict: 'reached', absent: [{ id: ACI_SUBNET_ID }] });
    expect(arm.writes()).toEqual([
      `DELETE ${ACI_SUBNET_ID}/providers/Microsoft.ContainerInstance/serviceAssociationLinks/default`,
      `PUT ${ACI_SUBNET_ID}`,
      `DELETE ${ACI_SUBNET_ID}`,
    ]);
    expect(arm.requests.find(({ method }) => method === 'PUT')?.body).toMatchObject({
      properties: { addressPrefix: '10.225.0.0/24', delegations: [] },
    });
  });

  it('has nothing to clear where nothing was left', async () => {
    const { arm, step } = worldOf({});
    expect((await step('unlink')).outcome).toBe('done');
    expect((await step('take-back')).outcome).toBe('done');
    expect(arm.writes()).toEqual([]);
  });

  it.each(['unlink', 'take-back', 'delete'])(
    'leaves a subnet alone that somebody has come to use: %s',
    async (name) => {
      const links = { serviceAssociationLinks: [LINK], delegations: [DELEGATION], ipConfigurations: [NIC] };
      const { arm, step } = worldOf(links);
      await expect(step(name)).rejects.toMatchObject({ code: 'CONFLICT' });
      expect(arm.writes()).toEqual([]);
    },
  );

  it.each<{ name: string; method: 'PUT' | 'DELETE'; code: string; text: string; delegations: JsonObject[] }>([
    {
      name: 'take-back',
      method: 'PUT',
      code: 'SubnetMissingRequiredDelegation',
      text: `Subnet ${ACI_SUBNET_ID} requires any of the following delegation(s) [${SERVICE}] to reference service association link ${LINK_ID}.`,
      delegations: [DELEGATION],
    },
    {
      name: 'delete',
      method: 'DELETE',
      code: 'InUseSubnetCannotBeDeleted',
      text: `Subnet aci is in use by ${LINK_ID} and cannot be deleted.`,
      delegations: [],
    },
  ])('asks again where the network has not heard of the end of the link: $name', async (row) => {
    const { arm, step } = worldOf({ delegations: row.delegations });
    arm.answer(row.method, /\/subnets\/aci$/, refusal(400, row.code, row.text));
    expect((await step(row.name)).outcome).toBe('blocked');
  });

  it('waits for the end of the link before it takes the delegation back', async () => {
    const { arm, step } = worldOf({ serviceAssociationLinks: [LINK], delegations: [DELEGATION] });
    expect((await step('take-back')).outcome).toBe('blocked');
    expect(arm.writes()).toEqual([]);
  });

  it('fails where it may not delete the link', async () => {
    const { step, arm } = unlinkable();
    await expect(step('unlink')).rejects.toMatchObject({ code: 'AZURE_FORBIDDEN' });
    expect(arm.writes()).toHaveLength(1);
  });

  it('fails where something else keeps the subnet', async () => {
    const { arm, step } = worldOf({});
    arm.answer('DELETE', /\/subnets\/aci$/, refusal(400, 'InUseSubnetCannotBeDeleted', `in use by ${NIC.id}`));
    await expect(step('delete')).rejects.toMatchObject({ code: 'AZURE_CONFLICT' });
  });
});

function unlinkable() {
  const made = new VirtualNodesWorld();
  made.arm.add(subnetBody('aci', { serviceAssociationLinks: [LINK] }));
  const text = `The client does not have authorization to perform action 'Microsoft.ContainerInstance/serviceAssociationLinks/delete' over scope '${ACI_SUBNET_ID}/providers/Microsoft.ContainerInstance/serviceAssociationLinks/default'.`;
  made.arm.answer('DELETE', /serviceAssociationLinks\/default$/, refusal(403, 'AuthorizationFailed', text));
  return { arm: made.arm, step: made.deleteSubnet().step };
}

function worldOf(subnet: JsonObject) {
  const made = world({ subnet });
  const { step, verify } = made.deleteSubnet();
  return { arm: made.arm, step, verify };
}
