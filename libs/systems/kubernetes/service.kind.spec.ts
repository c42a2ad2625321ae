import { describe, expect, it } from '@jest/globals';
import { service, watchedCluster } from '#libs/testing/kubernetes-samples.js';
import { leadingTo, observeService, selects, serviceKind } from './service.kind.js';

const cluster = watchedCluster();
const reading = { cluster, observedAt: new Date('2026-01-01T00:00:00Z'), source: 'WATCH' as const };
const balanced = { spec: { type: 'LoadBalancer' } };
const addressed = { loadBalancer: { ingress: [{ ip: '20.0.0.1' }, { hostname: 'lb.example' }, {}] } };

describe('observeService', () => {
  it.each([
    { change: {}, state: 'Healthy', reason: 'it needs no address from outside' },
    { change: balanced, state: 'Progressing', reason: 'its load balancer has no address' },
    { change: { ...balanced, status: addressed }, state: 'Healthy', reason: 'its load balancer has one' },
    {
      change: { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } },
      state: 'Progressing',
      reason: 'it is being deleted',
    },
  ])('is $state when $reason', ({ change, state }) => {
    expect(observeService(service('web', change), reading).health.state).toBe(state);
  });

  it('claims the workloads that it was found to lead to, and none before', () => {
    const observed = observeService(service('web'), reading);
    expect(observed.relations).toEqual([]);
    const to = `kubernetes://${cluster.uid}/apps/Deployment/web/web`;
    expect(leadingTo(observed, [to]).relations).toEqual([{ type: 'exports', from: observed.canonicalId, to }]);
  });
});

describe('selects', () => {
  it.each<{ selector: Record<string, string>; labels: Record<string, string>; chosen: boolean; reason: string }>([
    { selector: { app: 'web' }, labels: { app: 'web', tier: 'front' }, chosen: true, reason: 'more labels do no harm' },
    { selector: { app: 'web', tier: 'back' }, labels: { app: 'web' }, chosen: false, reason: 'one is missing' },
    { selector: { app: 'web' }, labels: { app: 'api' }, chosen: false, reason: 'another value' },
    { selector: {}, labels: { app: 'web' }, chosen: false, reason: 'a service without a selector chooses nothing' },
    { selector: { constructor: 'x' }, labels: {}, chosen: false, reason: 'what every object has is no label' },
  ])('is $chosen: $reason', ({ selector, labels, chosen }) => {
    expect(selects(selector, labels)).toBe(chosen);
  });
});

describe('the typed view of a service', () => {
  it('has its addresses and ports', () => {
    const made = service('web', {
      metadata: { annotations: { 'service.beta.kubernetes.io/azure-load-balancer-internal': 'true' } },
      spec: {
        type: 'LoadBalancer',
        externalIPs: ['20.0.0.1', '30.0.0.1'],
        ports: [
          { name: 'http', protocol: 'TCP', port: 80, targetPort: 8080, nodePort: 31000 },
          { port: 443, targetPort: 'https' },
        ],
      },
      status: addressed,
    });
    expect(serviceKind.describe(made)).toEqual({
      endpoints: null,
      endpointCount: null,
      readyEndpointCount: null,
      type: 'LoadBalancer',
      clusterIp: '10.1.0.9',
      externalIps: ['20.0.0.1', 'lb.example', '30.0.0.1'],
      ports: [
        { name: 'http', protocol: 'TCP', port: 80, targetPort: '8080', nodePort: 31000 },
        { name: null, protocol: null, port: 443, targetPort: 'https', nodePort: null },
      ],
      selector: { app: 'web' },
      internal: true,
      derived: false,
    });
  });

  const label = { 'networking.fleet.azure.com/multi-cluster-service-name': 'web' };
  it.each([
    { metadata: { namespace: 'fleet-system', labels: label }, derived: true, reason: 'made by fleet networking' },
    { metadata: { namespace: 'web', labels: label }, derived: false, reason: 'somebody copied the label' },
    { metadata: { namespace: 'fleet-system' }, derived: false, reason: 'one of the agents' },
  ])('is derived or not: $reason', ({ metadata, derived }) => {
    expect(serviceKind.describe(service('web', { metadata })).derived).toBe(derived);
  });
});
