import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import {
  CONNECTED_ID,
  EXTENSION_ID,
  LOCATION_ID,
  connectedBody,
  connectedProperties,
  extensionBody,
  extensionProperties,
  fluxBody,
  fluxProperties,
  locationBody,
} from '#libs/testing/arc-samples.js';
import { observeArcObject } from './arc.kinds.js';
import { describeClusterExtension, extensionHealth } from './cluster-extension.kind.js';
import { connectivityHealth, describeConnectedCluster } from './connected-cluster.kind.js';
import { complianceHealth } from './flux-configuration.kind.js';

const observedAt = new Date('2026-11-01T10:00:00Z');
const reading = { observedAt, source: 'ARM' as const };

describe('a connected cluster', () => {
  it('is told as people know it', () => {
    expect(describeConnectedCluster({ kind: 'ProvisionedCluster', ...connectedProperties() })).toMatchObject({
      connectivityStatus: 'Connected',
      nodeCount: 2,
      features: ['telemetry', 'azure-rbac', 'workload-identity'],
      provisioned: true,
      privateLink: false,
    });
  });

  it.each<{ change: JsonObject; state: string; reason: string }>([
    { change: {}, state: 'Healthy', reason: 'its agents report, and their certificate is fresh' },
    { change: { connectivityStatus: 'Connecting' }, state: 'Progressing', reason: 'nobody has installed agents' },
    { change: { connectivityStatus: 'AgentNotInstalled' }, state: 'Progressing', reason: 'a newer Azure says so' },
    { change: { connectivityStatus: 'Offline' }, state: 'Degraded', reason: 'Azure hears nothing' },
    { change: { connectivityStatus: 'Expired' }, state: 'Degraded', reason: 'the certificate has run out' },
    {
      change: { managedIdentityCertificateExpirationTime: '2026-12-01T00:00:00Z' },
      state: 'Degraded',
      reason: 'the certificate should have been renewed by now',
    },
    { change: { managedIdentityCertificateExpirationTime: 'soon' }, state: 'Healthy', reason: 'a time is no time' },
    { change: { provisioningState: 'Failed' }, state: 'Degraded', reason: 'Azure itself has failed' },
    { change: { connectivityStatus: null }, state: 'Unknown', reason: 'nothing is said' },
  ])('is $state when $reason', ({ change, state }) => {
    expect(connectivityHealth(connectedProperties(change), observedAt).state).toBe(state);
  });
});

describe('an extension', () => {
  it.each<{ change: JsonObject; state: string; reason: string }>([
    { change: {}, state: 'Healthy', reason: 'all say so' },
    {
      change: { statuses: [{ code: 'InstallationFailed', level: 'Error', message: 'no' }] },
      state: 'Degraded',
      reason: 'the agents say otherwise than Azure',
    },
    { change: { provisioningState: 'Creating' }, state: 'Progressing', reason: 'it is being installed' },
    { change: { provisioningState: 'Failed' }, state: 'Degraded', reason: 'Azure says so' },
    {
      change: { version: '0.12.2', autoUpgradeMinorVersion: false },
      state: 'Healthy',
      reason: 'it is at the version that it is held at',
    },
    { change: { version: '0.12.1' }, state: 'Degraded', reason: 'Azure has upgraded it past the version given' },
    { change: { version: '0.12.1', currentVersion: null }, state: 'Healthy', reason: 'no version is reported' },
    {
      change: { version: '0.12.1', provisioningState: 'Updating' },
      state: 'Progressing',
      reason: 'the other version is on its way',
    },
  ])('is $state when $reason', ({ change, state }) => {
    expect(extensionHealth(extensionProperties(change)).state).toBe(state);
  });

  it('keeps the names of secrets and never a value', () => {
    const body = extensionBody({ configurationProtectedSettings: { key: 'told by mistake' } });
    const [observation] = observeArcObject(body, reading);
    expect(JSON.stringify(observation)).not.toContain('told by mistake');
    expect(describeClusterExtension(observation!.properties).protectedSettings).toEqual(['key']);
  });

  it.each([
    { scope: { namespace: { targetNamespace: 'a' } }, expected: { scope: 'namespace', releaseNamespace: 'a' } },
    { scope: { cluster: {} }, expected: { scope: 'cluster', releaseNamespace: null } },
    { scope: null, expected: { scope: null, releaseNamespace: null } },
  ])('has the scope $expected', ({ scope, expected }) => {
    expect(describeClusterExtension(extensionProperties({ scope }))).toMatchObject(expected);
  });
});

describe('a Flux configuration', () => {
  it.each([
    { complianceState: 'Compliant', state: 'Healthy' },
    { complianceState: 'Non-Compliant', state: 'Degraded' },
    { complianceState: 'Pending', state: 'Progressing' },
    { complianceState: 'Suspended', state: 'Unknown' },
    { complianceState: null, state: 'Unknown' },
  ])('is $state when it is $complianceState', ({ complianceState, state }) => {
    expect(complianceHealth(fluxProperties({ complianceState })).state).toBe(state);
  });
});

describe('relations', () => {
  it('lead from the cluster to what it owns and hosts, and from the location to what it stands on', () => {
    const cluster = CONNECTED_ID.toLowerCase();
    const claims = [extensionBody(), fluxBody(), locationBody()].flatMap((body) =>
      observeArcObject(body, reading).flatMap(({ relations }) => relations),
    );
    expect(claims).toEqual([
      { type: 'owns', from: cluster, to: EXTENSION_ID.toLowerCase() },
      expect.objectContaining({ type: 'owns', from: cluster }),
      { type: 'hosts', from: cluster, to: LOCATION_ID.toLowerCase() },
      { type: 'runsOn', from: LOCATION_ID.toLowerCase(), to: EXTENSION_ID.toLowerCase() },
    ]);
  });

  it('are claimed by nobody for extensions of other types of clusters, which are left alone', () => {
    const id = EXTENSION_ID.replace(
      'Microsoft.Kubernetes/connectedClusters',
      'Microsoft.ContainerService/managedClusters',
    );
    expect(observeArcObject({ ...extensionBody(), id }, reading)).toEqual([]);
    expect(observeArcObject(connectedBody(), reading)).toHaveLength(1);
  });
});
