import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { refusal } from '#libs/testing/fake-arm.js';
import { tokenOf } from '#libs/testing/operation-play.js';
import {
  ASSIGNMENT_ID,
  CONNECTOR_PRINCIPAL,
  NETWORK_ID,
  NODE_GROUP,
  VirtualNodesWorld,
  assignmentBody,
  networkBody,
  subnetBody,
} from '#libs/testing/virtual-nodes-world.js';
import { targetOf } from '../contract/system.contract-suite.js';

const network = targetOf(NETWORK_ID, 'VirtualNetwork');
const GRANT = { role: 'ContainerInstancesContributor', principalId: CONNECTOR_PRINCIPAL };
const DELEGATION = 'Microsoft.ContainerInstance/containerGroups';

describe('azure.subnet.create', () => {
  const play = (world: VirtualNodesWorld, input: JsonObject = {}) =>
    world.play(
      'azure.subnet.create',
      { network: NETWORK_ID, name: 'aci', prefix: '10.225.0.0/24', ...input },
      { network },
    );
  const rows: { codes: string[]; reason: string; arrange?: (world: VirtualNodesWorld) => void; input?: JsonObject }[] =
    [
      { codes: ['error NETWORK_NOT_FOUND'], reason: 'deleted', arrange: (world) => world.arm.remove(NETWORK_ID) },
      {
        codes: ['warning NETWORK_BUSY'],
        reason: 'somebody changes it',
        arrange: (world) => {
          const body = networkBody();
          world.arm.add({ ...body, properties: { ...(body.properties as JsonObject), provisioningState: 'Updating' } });
        },
      },
      { codes: ['error PREFIX_INVALID'], reason: 'host bits', input: { prefix: '10.225.0.1/24' } },
      { codes: ['error PREFIX_OUTSIDE_NETWORK'], reason: 'elsewhere', input: { prefix: '192.168.0.0/24' } },
      { codes: ['error PREFIX_OVERLAPS'], reason: 'the nodes are there', input: { prefix: '10.224.0.0/24' } },
      { codes: ['info SUBNET_EXISTS'], reason: 'as wanted', arrange: (world) => world.setNetwork(subnetBody('aci')) },
      {
        codes: ['error SUBNET_DIFFERS'],
        reason: 'not delegated',
        arrange: (world) => world.setNetwork(subnetBody('aci')),
        input: { delegation: DELEGATION },
      },
      { codes: [], reason: 'nothing is against it' },
    ];

  it.each(rows)('$codes: $reason', async ({ codes, arrange, input }) => {
    const world = new VirtualNodesWorld();
    arrange?.(world);
    expect(await play(world, input).codes()).toEqual(codes);
  });

  it('has a row for each finding', () => {
    const seen = rows.flatMap(({ codes }) => codes.map((code) => code.split(' ')[1]));
    expect(seen.sort()).toEqual(Object.keys(play(new VirtualNodesWorld()).operation.findings).sort());
  });

  it('makes the subnet once, and reads it back', async () => {
    const world = new VirtualNodesWorld();
    const made = play(world, { delegation: DELEGATION });
    const begun = await made.step('create-subnet');
    expect((await made.step('create-subnet')).outcome).toBe('wait');
    expect(await made.verify()).toMatchObject({ verdict: 'pending' });
    world.arm.settle();
    expect((await made.step('create-subnet', tokenOf(begun))).outcome).toBe('done');
    expect(await made.verify()).toMatchObject({ verdict: 'reached', result: { subnet: `${NETWORK_ID}/subnets/aci` } });
    expect(world.arm.writes()).toHaveLength(1);
  });

  it('does not change a subnet of that name', async () => {
    const world = new VirtualNodesWorld();
    world.setNetwork(subnetBody('aci', { addressPrefix: '10.226.0.0/24' }));
    await expect(play(world).step('create-subnet')).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

describe('azure.roleAssignment.create', () => {
  const play = (world: VirtualNodesWorld, role = 'NetworkContributor') =>
    world.play(
      'azure.roleAssignment.create',
      { scope: NETWORK_ID, role, principalId: CONNECTOR_PRINCIPAL, principalType: 'ServicePrincipal' },
      { scope: network },
    );
  const listed = (world: VirtualNodesWorld): void => {
    const id = ASSIGNMENT_ID.replace('/subnets/aci', '');
    world.arm.answer('GET', /roleAssignments$/i, { status: 200, body: { value: [{ ...assignmentBody(), id }] } });
  };
  const rows: { codes: string[]; reason: string; arrange?: (world: VirtualNodesWorld) => void; role?: string }[] = [
    { codes: ['error SCOPE_NOT_FOUND'], reason: 'deleted', arrange: (world) => world.arm.remove(NETWORK_ID) },
    { codes: ['info ROLE_ASSIGNED_ALREADY'], reason: 'by somebody else', arrange: listed },
    { codes: ['warning ROLE_BROAD'], reason: 'everything but roles', role: 'Contributor' },
    {
      codes: ['error ASSIGNMENT_NOT_ALLOWED'],
      reason: 'a reader',
      arrange: (world) => {
        world.mayAssign = false;
      },
    },
    {
      codes: ['info PERMISSIONS_UNKNOWN'],
      reason: 'Azure does not say',
      arrange: (world) => {
        world.mayAssign = 'unknown';
      },
    },
    { codes: [], reason: 'nothing is against it' },
  ];

  it.each(rows)('$codes: $reason', async ({ codes, arrange, role }) => {
    const world = new VirtualNodesWorld();
    arrange?.(world);
    expect(await play(world, role).codes()).toEqual(codes);
  });

  it('has a row for each finding', () => {
    const seen = rows.flatMap(({ codes }) => codes.map((code) => code.split(' ')[1]));
    expect(seen.sort()).toEqual(Object.keys(play(new VirtualNodesWorld()).operation.findings).sort());
  });

  it('makes the same assignment however often it is asked', async () => {
    const world = new VirtualNodesWorld();
    expect(await play(world).verify()).toMatchObject({ verdict: 'pending' });
    await play(world).step('assign');
    await play(world).step('assign');
    expect(world.arm.writes()).toHaveLength(1);
    expect(await play(world).verify()).toMatchObject({ verdict: 'reached' });
  });

  it('gives a role in a resource group too, by its id alone', async () => {
    const world = new VirtualNodesWorld();
    const inGroup = world.play('azure.roleAssignment.create', { ...GRANT, resourceGroup: NODE_GROUP }, {});
    expect(inGroup.target().id).toContain(`${NODE_GROUP}/providers/Microsoft.Authorization/roleAssignments/`);
    expect(await inGroup.codes()).toEqual([]);
    expect((await inGroup.step('assign')).outcome).toBe('done');
    expect(world.arm.writes()).toEqual([expect.stringContaining(`PUT ${NODE_GROUP}/providers/`)]);
  });

  it.each([
    {
      reason: 'both are given',
      input: { scope: NETWORK_ID, resourceGroup: NODE_GROUP },
      references: { scope: network },
    },
    { reason: 'neither is given', input: {}, references: {} },
  ])('wants one scope: $reason', ({ input, references }) => {
    const play = () =>
      new VirtualNodesWorld().play('azure.roleAssignment.create', { ...GRANT, ...input }, references).target();
    expect(play).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
  });

  it('takes one that exists for success, and waits for a principal that is new', async () => {
    const world = new VirtualNodesWorld();
    world.arm.answer('PUT', /roleAssignments/i, refusal(409, 'RoleAssignmentExists', 'there'), true);
    expect((await play(world).step('assign')).outcome).toBe('done');
    world.arm.answer('PUT', /roleAssignments/i, refusal(400, 'PrincipalNotFound', 'unknown'));
    let tried = await play(world).step('assign', undefined, 40);
    const pauses: number[] = [];
    while (pauses.length < 9) {
      if (tried.outcome !== 'wait') throw new Error('It does not wait.');
      pauses.push(tried.retryAfterSeconds);
      if (pauses.length < 9) tried = await play(world).step('assign', tokenOf(tried));
    }
    expect(pauses).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18]);
    await expect(play(world).step('assign', tokenOf(tried))).rejects.toMatchObject({
      externalCode: 'PrincipalNotFound',
      retryable: false,
    });
  });
});

describe('azure.roleAssignment.delete', () => {
  const play = (world: VirtualNodesWorld) =>
    world.play(
      'azure.roleAssignment.delete',
      { assignment: ASSIGNMENT_ID },
      { assignment: targetOf(ASSIGNMENT_ID, 'RoleAssignment') },
    );

  it('says who loses what, deletes it once, and sees that it is gone', async () => {
    const world = new VirtualNodesWorld();
    world.arm.add(assignmentBody());
    expect(await play(world).codes()).toEqual(['warning HOLDER_LOSES_ACCESS']);
    expect((await play(world).step('delete')).outcome).toBe('done');
    expect(await play(world).verify()).toMatchObject({ verdict: 'missed' });
    world.arm.settle();
    expect(await play(world).codes()).toEqual(['info ASSIGNMENT_GONE']);
    expect((await play(world).step('delete')).outcome).toBe('done');
    expect(await play(world).verify()).toMatchObject({ verdict: 'reached' });
    expect(world.arm.writes()).toEqual([`DELETE ${ASSIGNMENT_ID}`]);
  });
});
