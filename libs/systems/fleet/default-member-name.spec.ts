import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ArmId } from '#libs/kernel/arm-id.js';
import {
  FLEET_NAME_PATTERN,
  LONGEST_MEMBER_NAME,
  defaultMemberName,
  distinctMemberName,
} from './default-member-name.js';

function cluster(name: string, group: string): ArmId {
  return ArmId.resourceGroup('00000000-0000-0000-0000-000000000001', group).resource(
    'Microsoft.ContainerService/managedClusters',
    name,
  );
}

describe('defaultMemberName', () => {
  it.each([
    { name: 'demo-aks02', group: 'demo_aks01', member: 'demo-aks02-demo-aks01', reason: 'as the Azure tools name it' },
    {
      name: 'AKS',
      group: 'My.Group(1)',
      member: 'aks-my-group-1',
      reason: 'only what Fleet allows, and no hyphen at the end',
    },
    {
      name: 'a'.repeat(63),
      group: 'g',
      member: expect.stringMatching(/^a{43}-[0-9a-f]{6}$/),
      reason: 'too long: a hash takes the place of the rest',
    },
  ])('$reason', ({ name, group, member }) => {
    expect(defaultMemberName(cluster(name, group))).toEqual(member);
  });

  it('does not depend on the case of the id, and gives long names that differ where the clusters do', () => {
    const [left, right] = [cluster('a'.repeat(63), 'one'), cluster('a'.repeat(63), 'two')];
    expect(defaultMemberName(ArmId.parse(left.canonical))).toBe(defaultMemberName(left));
    expect(defaultMemberName(left)).not.toBe(defaultMemberName(right));
  });

  it('is always a name that Azure allows', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,61}[A-Za-z0-9]$/);
    const group = fc.stringMatching(/^[A-Za-z0-9_.()äß-]{0,80}[A-Za-z0-9_()-]$/);
    fc.assert(
      fc.property(name, group, (clusterName, groupName) => {
        for (const nameOf of [defaultMemberName, distinctMemberName]) {
          const member = nameOf(cluster(clusterName, groupName));
          expect(member).toMatch(FLEET_NAME_PATTERN);
          expect(member.length).toBeLessThanOrEqual(LONGEST_MEMBER_NAME);
        }
      }),
    );
  });
});
