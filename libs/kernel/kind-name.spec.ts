import { describe, expect, it } from '@jest/globals';
import { kindField, kindPath, mutationField } from './kind-name.js';

describe('the public names of a kind', () => {
  it.each([
    { kind: 'FleetMember', path: 'fleet-members', field: 'fleetMembers', reason: 'two words' },
    { kind: 'Pod', path: 'pods', field: 'pods', reason: 'one word' },
    {
      kind: 'FleetUpdateStrategy',
      path: 'fleet-update-strategies',
      field: 'fleetUpdateStrategies',
      reason: 'consonant and y',
    },
    { kind: 'StorageClass', path: 'storage-classes', field: 'storageClasses', reason: 'a sibilant' },
    { kind: 'CsiDriver', path: 'csi-drivers', field: 'csiDrivers', reason: 'an abbreviation written as a word' },
    {
      kind: 'ClusterResourcePlacement',
      path: 'cluster-resource-placements',
      field: 'clusterResourcePlacements',
      reason: 'three words',
    },
  ])('$kind: $reason', ({ kind, path, field }) => {
    expect(kindPath(kind)).toBe(path);
    expect(kindField(kind)).toBe(field);
  });

  it('makes a mutation of an operation type', () => {
    expect(mutationField('fleet.member.join')).toBe('fleetMemberJoin');
    expect(mutationField('aks.nodePool.scale')).toBe('aksNodePoolScale');
  });
});
