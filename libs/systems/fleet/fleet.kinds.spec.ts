import { describe, expect, it } from '@jest/globals';
import { CLUSTER_ID, SUBSCRIPTION } from '#libs/testing/aks-samples.js';
import {
  FLEET_ID,
  MEMBER_ID,
  fleetBody,
  fleetProperties,
  memberBody,
  memberProperties,
} from '#libs/testing/fleet-samples.js';
import { fleetKind, fleetMemberKind, observeFleet, observeFleetMember } from './fleet.kinds.js';

const reading = { observedAt: new Date('2026-01-01T00:00:00Z'), source: 'ARM' as const };

describe('observeFleet', () => {
  it('gives the fleet, and where its hub is', () => {
    const fleet = observeFleet(fleetBody({ futureField: true }), reading);
    expect(fleet).toMatchObject({
      kind: 'Fleet',
      id: FLEET_ID,
      location: 'eastus',
      etag: '"fleet-1"',
      tags: { env: 'dev' },
      health: { state: 'Healthy' },
      relations: [
        {
          type: 'hosts',
          from: FLEET_ID.toLowerCase(),
          to: `/subscriptions/${SUBSCRIPTION}/resourcegroups/fl_demo_aks_fleetmng_aks-fleet01_eastus/providers/microsoft.containerservice/managedclusters/hub`,
        },
      ],
    });
    expect(fleet.properties).toMatchObject({ futureField: true, identity: { type: 'SystemAssigned' } });
  });

  it.each([
    { change: { hubProfile: null }, reason: 'it has no hub' },
    { change: { hubProfile: 'x' }, reason: 'its hub is no object' },
  ])('claims no hub cluster when $reason', ({ change }) => {
    expect(observeFleet(fleetBody(change), reading).relations).toEqual([]);
  });

  it('says why it is at fault', () => {
    const status = { lastOperationError: { code: 'QuotaExceeded', message: 'cores' } };
    expect(observeFleet(fleetBody({ provisioningState: 'Failed', status }), reading).health).toEqual({
      state: 'Degraded',
      reason: 'QuotaExceeded: cores',
    });
  });
});

describe('observeFleetMember', () => {
  it('joins the fleet and the cluster', () => {
    expect(observeFleetMember(memberBody(), reading)).toMatchObject({
      kind: 'FleetMember',
      id: MEMBER_ID,
      location: null,
      clusterUid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      tags: { env: 'dev' },
      relations: [
        { type: 'memberOf', from: MEMBER_ID.toLowerCase(), to: FLEET_ID.toLowerCase() },
        { type: 'runsOn', from: MEMBER_ID.toLowerCase(), to: CLUSTER_ID.toLowerCase() },
      ],
    });
  });

  it('claims no cluster where none is named', () => {
    const member = observeFleetMember(memberBody({ clusterResourceId: 'nonsense' }), reading);
    expect(member.relations.map(({ type }) => type)).toEqual(['memberOf']);
    expect(member.clusterUid).toBeNull();
  });

  it.each(['Joining', 'Leaving', 'Updating'])('is progressing while %s', (provisioningState) => {
    expect(observeFleetMember(memberBody({ provisioningState }), reading).health.state).toBe('Progressing');
  });
});

describe('the typed view', () => {
  it('of a fleet with a hub', () => {
    expect(
      fleetKind.describe({ ...fleetProperties(), identity: { type: 'SystemAssigned', principalId: 'p' } }),
    ).toEqual({
      hub: {
        dnsPrefix: 'aks-fleet01',
        fqdn: 'aks-fleet01-x.hcp.eastus.azmk8s.io',
        portalFqdn: 'aks-fleet01-x.portal.hcp.eastus.azmk8s.io',
        kubernetesVersion: '1.33.5',
        privateCluster: false,
        vmSize: 'Standard_D4s_v4',
        subnetId: null,
      },
      hubless: false,
      identityType: 'SystemAssigned',
      identityPrincipalId: 'p',
      lastOperationId: '572c2ed1-0000-0000-0000-000000000000',
      lastOperationError: null,
    });
  });

  it('of a fleet without one', () => {
    expect(fleetKind.describe({ provisioningState: 'Succeeded' })).toMatchObject({ hub: null, hubless: true });
  });

  it.each([
    { clusterResourceId: CLUSTER_ID, clusterName: 'demo-aks01', clusterKind: 'ManagedCluster', reason: 'AKS' },
    {
      clusterResourceId: `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg/providers/microsoft.kubernetes/connectedclusters/c`,
      clusterName: 'c',
      clusterKind: 'ConnectedCluster',
      reason: 'Arc',
    },
    { clusterResourceId: 'nonsense', clusterName: null, clusterKind: null, reason: 'neither' },
  ])('of a member that is $reason', ({ clusterResourceId, clusterName, clusterKind }) => {
    expect(fleetMemberKind.describe(memberProperties({ clusterResourceId }))).toEqual({
      clusterId: clusterResourceId,
      clusterName,
      clusterKind,
      group: 'canary',
      labels: { env: 'dev' },
      lastOperationId: '572c2ed1-0000-0000-0000-000000000001',
      lastOperationError: null,
    });
  });
});
