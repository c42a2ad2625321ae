import { describe, expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import {
  CONNECTED_CLUSTER_ID,
  CONNECTED_ENVIRONMENT_ID,
  CUSTOM_LOCATION_ID,
  DEFAULT_HOST_NAME,
  ENVIRONMENT_ID,
  NAMESPACE,
  PLAN_ID,
  WEB_APP_ID,
  certificateBody,
  containerAppBody,
  environmentBody,
  hostNameBindingBody,
  planBody,
  webAppBody,
  webAppConfigBody,
} from '#libs/testing/app-service-samples.js';
import type { JsonObject } from '#libs/kernel/json.js';
import {
  observeCertificate,
  observeHostNameBinding,
  observeKubeEnvironment,
  observePlan,
  observeWebApp,
  webAppKind,
} from './app-service.kinds.js';
import { containerAppKind, observeContainerApp } from './container-apps.kinds.js';

const reading = { observedAt: new Date('2026-11-01T10:00:00Z'), source: 'ARM' } as const;
const cluster = ArmId.parse(CONNECTED_CLUSTER_ID);
const place = { cluster, namespace: NAMESPACE };
const config = webAppConfigBody().properties as JsonObject;
const placed = { type: 'placedOn', to: CUSTOM_LOCATION_ID.toLowerCase() };

describe('an environment of App Service on Kubernetes', () => {
  it.each([
    { change: {}, health: 'Healthy', reason: 'it is set up' },
    { change: { provisioningState: 'InfrastructureSetupInProgress' }, health: 'Progressing', reason: 'work goes on' },
    {
      change: { provisioningState: 'Waiting' },
      health: 'Degraded',
      reason: 'what it waits for may never come (P-W04)',
    },
    { change: { provisioningState: 'UpgradeFailed' }, health: 'Degraded', reason: 'it fails by another name' },
    { change: { provisioningState: 'Failed', deploymentErrors: 'no' }, health: 'Degraded', reason: 'it has failed' },
  ])('is $health: $reason', ({ change, health }) => {
    expect(observeKubeEnvironment(environmentBody(change), place, reading).health.state).toBe(health);
  });

  it('lies on its custom location, in the cluster behind it', () => {
    expect(observeKubeEnvironment(environmentBody(), place, reading)).toMatchObject({
      clusterUid: cluster.uid,
      relations: [{ ...placed, from: ENVIRONMENT_ID.toLowerCase() }],
    });
  });
});

describe('a plan', () => {
  it('runs on its environment', () => {
    expect(observePlan(planBody(), place, reading).relations).toEqual([
      { type: 'runsOn', from: PLAN_ID.toLowerCase(), to: ENVIRONMENT_ID.toLowerCase() },
      { ...placed, from: PLAN_ID.toLowerCase() },
    ]);
  });

  it('in an Azure region lies on nothing, and is not about to end', () => {
    const { extendedLocation: _place, ...ordinary } = planBody({ kubeEnvironmentProfile: null });
    const { relations, clusterUid, properties } = observePlan(ordinary, undefined, reading);
    expect([relations, clusterUid]).toEqual([[], null]);
    expect(webAppKind.describe(properties).lifecycle).toBeNull();
  });
});

describe('a web app', () => {
  const observe = (change: JsonObject = {}, parts: Partial<Parameters<typeof observeWebApp>[1]> = {}) =>
    observeWebApp(webAppBody(change), { config, place, pods: [], ...parts }, reading);

  it('shows its configuration beside itself, and says that the service has ended', () => {
    expect(webAppKind.describe(observe().properties)).toMatchObject({
      runtime: 'NODE|12-lts',
      instances: 1,
      state: 'Running',
      hosts: [{ name: DEFAULT_HOST_NAME, sslState: 'Disabled' }],
      lifecycle: { state: 'Retired', retiredOn: '2026-03-31', successor: 'Microsoft.App/connectedEnvironments' },
    });
  });

  it('keeps no secret of its configuration', () => {
    const secrets = { appSettings: [{ name: 'K', value: 'hush' }], connectionStrings: [{ connectionString: 'hush' }] };
    expect(JSON.stringify(observe({}, { config: { ...config, ...secrets } }))).not.toContain('hush');
  });

  it('owns the deployment that App Service names after it, and the pods that bear its labels', () => {
    const pod = KubernetesId.of({
      clusterUid: cluster.uid,
      group: '',
      kind: 'Pod',
      namespace: NAMESPACE,
      name: 'k8swebapp2-1',
    });
    const from = WEB_APP_ID.toLowerCase();
    expect(observe({}, { pods: [pod.canonical] }).relations).toEqual(
      expect.arrayContaining([
        { type: 'owns', from, to: pod.canonical },
        { type: 'owns', from, to: `kubernetes://${cluster.uid}/apps/Deployment/${NAMESPACE}/k8swebapp2` },
        { type: 'runsOn', from, to: PLAN_ID.toLowerCase() },
        { ...placed, from },
      ]),
    );
  });

  it.each([
    { change: { state: 'Stopped' }, health: 'Unknown', reason: 'it is switched off on purpose' },
    { change: { availabilityState: 'Limited' }, health: 'Degraded', reason: 'Azure says so' },
    { change: { inProgressOperationId: 'x' }, health: 'Progressing', reason: 'an operation runs' },
    { change: { state: null }, health: 'Unknown', reason: 'nothing is said' },
    { change: {}, health: 'Healthy', reason: 'it runs' },
  ])('is $health: $reason', ({ change, health }) => {
    expect(observe(change).health.state).toBe(health);
  });

  it('lends its place to its host names', () => {
    const webApp = observe();
    expect(observeHostNameBinding(hostNameBindingBody('shop.example.com'), webApp, reading)).toMatchObject({
      name: 'shop.example.com',
      location: 'eastus',
      clusterUid: cluster.uid,
      relations: [{ type: 'owns', from: WEB_APP_ID.toLowerCase() }],
    });
  });
});

describe('a certificate', () => {
  it.each([
    { expirationDate: '2026-11-01T10:00:01Z', health: 'Healthy', reason: 'one second is left' },
    { expirationDate: '2026-11-01T10:00:00Z', health: 'Degraded', reason: 'it ends now' },
    { expirationDate: null, health: 'Healthy', reason: 'Azure does not say when it ends' },
  ])('is $health: $reason', ({ expirationDate, health }) => {
    expect(observeCertificate(certificateBody({ expirationDate }), place, reading).health.state).toBe(health);
  });
});

describe('a container app', () => {
  it.each([
    { change: {}, reason: 'as connected environments name themselves' },
    { change: { environmentId: null, managedEnvironmentId: CONNECTED_ENVIRONMENT_ID }, reason: 'as managed ones do' },
  ])('runs on its environment: $reason', ({ change }) => {
    const app = observeContainerApp(containerAppBody(change), place, reading);
    expect(app.relations).toEqual(
      expect.arrayContaining([expect.objectContaining({ type: 'runsOn', to: CONNECTED_ENVIRONMENT_ID.toLowerCase() })]),
    );
    expect(containerAppKind.describe(app.properties)).toMatchObject({
      environmentId: CONNECTED_ENVIRONMENT_ID,
      images: ['example.com/shop:1'],
      minReplicas: 1,
    });
  });
});
