import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { clusterProperties } from '#libs/testing/aks-samples.js';
import { fleetProperties } from '#libs/testing/fleet-samples.js';
import { watchedCluster } from '#libs/testing/kubernetes-samples.js';
import { isWatchable } from './watched-cluster.rule.js';

function candidate(kind: string, provisioningState: string | null, properties: JsonObject) {
  return { ...watchedCluster({ kind }), provisioningState, properties, isAttached: false };
}

describe('isWatchable', () => {
  it.each([
    { change: {}, state: 'Succeeded', watched: true, reason: 'it runs' },
    { change: {}, state: 'Upgrading', watched: true, reason: 'it runs while it is changed' },
    { change: {}, state: 'Failed', watched: true, reason: 'it runs although its last change has failed' },
    { change: { fqdn: null, privateFQDN: 'p' }, state: 'Succeeded', watched: true, reason: 'it is private' },
    { change: { fqdn: null }, state: 'Failed', watched: false, reason: 'it could never be made' },
    { change: {}, state: 'Creating', watched: false, reason: 'it is being made' },
    { change: {}, state: 'Deleting', watched: false, reason: 'it is being deleted' },
    { change: {}, state: null, watched: false, reason: 'nothing is known of it yet' },
    { change: { powerState: { code: 'Stopped' } }, state: 'Succeeded', watched: false, reason: 'it is switched off' },
    {
      change: { nodeResourceGroup: 'MC_FL_rg_fleet_eastus_hub_eastus' },
      state: 'Succeeded',
      watched: false,
      reason: 'it is the hub of a fleet',
    },
  ])('says $watched of a managed cluster: $reason', ({ change, state, watched }) => {
    expect(isWatchable(candidate('ManagedCluster', state, clusterProperties(change)))).toBe(watched);
  });

  it.each([
    { change: {}, state: 'Succeeded', watched: true, reason: 'it has a hub' },
    { change: {}, state: 'Updating', watched: true, reason: 'it has one while it is changed' },
    { change: { hubProfile: null }, state: 'Succeeded', watched: false, reason: 'it has none' },
    { change: {}, state: 'Failed', watched: false, reason: 'it has failed' },
    { change: {}, state: 'Deleting', watched: false, reason: 'it is being deleted' },
  ])('says $watched of a fleet: $reason', ({ change, state, watched }) => {
    expect(isWatchable(candidate('Fleet', state, fleetProperties(change)))).toBe(watched);
  });

  it.each([
    { isAttached: true, state: 'Succeeded', watched: true, reason: 'a kubeconfig leads there' },
    { isAttached: false, state: 'Succeeded', watched: false, reason: 'Azure gives no way into it' },
    { isAttached: true, state: 'Failed', watched: true, reason: 'it stands whatever became of it in Azure' },
    { isAttached: true, state: 'Deleting', watched: false, reason: 'it is being taken out of Azure' },
  ])('says $watched of a connected cluster: $reason', ({ isAttached, state, watched }) => {
    expect(isWatchable({ ...candidate('ConnectedCluster', state, {}), isAttached })).toBe(watched);
  });

  it.each([
    {
      properties: { kind: 'ProvisionedCluster', connectivityStatus: 'Connected' },
      watched: true,
      reason: 'it is there',
    },
    { properties: { kind: 'ProvisionedCluster', connectivityStatus: 'Connecting' }, watched: false, reason: 'not yet' },
    { properties: { connectivityStatus: 'Connected' }, watched: false, reason: 'Azure did not make it' },
  ])('says $watched of one that Azure made on Azure Stack HCI: $reason', ({ properties, watched }) => {
    expect(isWatchable(candidate('ConnectedCluster', 'Succeeded', properties))).toBe(watched);
  });

  it('says yes of what was attached, and no of anything else', () => {
    expect(isWatchable(candidate('AttachedCluster', null, {}))).toBe(true);
    expect(isWatchable(candidate('FleetMember', 'Succeeded', clusterProperties()))).toBe(false);
  });
});
