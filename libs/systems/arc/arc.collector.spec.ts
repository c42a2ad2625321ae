import { describe, expect, it } from '@jest/globals';
import {
  ARC_SUBSCRIPTION,
  CONNECTED_ID,
  EXTENSION_ID,
  connectedBody,
  extensionBody,
  fluxBody,
  locationBody,
} from '#libs/testing/arc-samples.js';
import { FakeArm, refusal } from '#libs/testing/fake-arm.js';
import { FakeKube } from '#libs/testing/fake-kube.js';
import { collected, targetOf } from '../contract/system.contract-suite.js';
import { createArcSystem } from './arc.module.js';

const call = { correlationId: 'c', signal: new AbortController().signal };

function world() {
  const arm = new FakeArm();
  arm.add(connectedBody(), extensionBody(), fluxBody(), locationBody());
  const collector = createArcSystem(arm.azure(), new FakeKube()).collectors[0]!;
  const scope = collector.scopes([ARC_SUBSCRIPTION])[0]!;
  return { arm, collector, collect: () => collected(collector.collect(scope, call)) };
}

const GRAPH = /resourcegraph/i;
const broken = refusal(500, 'Broken', 'broken');

describe('the collector of Arc', () => {
  it('sees everything by two questions to Resource Graph', async () => {
    const { arm, collect } = world();
    const { batches, outcome } = await collect();
    expect(outcome).toEqual({ state: 'complete' });
    expect(
      batches
        .flat()
        .map(({ kind }) => kind)
        .sort(),
    ).toEqual(['ClusterExtension', 'ConnectedCluster', 'CustomLocation', 'FluxConfiguration']);
    expect(arm.requests.map(({ method }) => method)).toEqual(['POST', 'POST']);
  });

  it('sees the same by ARM where Resource Graph cannot be asked', async () => {
    const { arm, collect } = world();
    arm.answer('POST', GRAPH, broken);
    const { batches, outcome } = await collect();
    expect(outcome).toEqual({ state: 'complete' });
    expect(batches.flat()).toHaveLength(4);
    expect(new Set(batches.flat().map(({ source }) => source))).toEqual(new Set(['ARM']));
  });

  it('is partial, and says of which cluster, where one of its lists cannot be had', async () => {
    const { arm, collect } = world();
    arm.answer('POST', GRAPH, broken);
    arm.answer('GET', /connectedClusters\/[^/]+\/providers\/Microsoft\.KubernetesConfiguration\/extensions$/i, broken);
    const { batches, outcome } = await collect();
    expect(outcome).toMatchObject({ state: 'partial', missing: expect.stringContaining('my-workload-cluster') });
    expect(batches.flat().map(({ kind }) => kind)).toContain('FluxConfiguration');
  });

  it('misses nothing where a provider is not registered', async () => {
    const { arm, collect } = world();
    arm.answer('POST', GRAPH, broken);
    const unregistered = refusal(409, 'MissingSubscriptionRegistration', 'not registered');
    arm.answer('GET', /Microsoft\.ExtendedLocation\/customLocations$/i, unregistered);
    const { outcome } = await collect();
    expect(outcome).toEqual({ state: 'complete' });
  });

  it('asks for one object by its own id, and refuses what is none of Arc', async () => {
    const { collector } = world();
    const seen = await collector.observe(targetOf(EXTENSION_ID, 'ClusterExtension'), call);
    expect(seen).toMatchObject({ state: 'present', observations: [{ kind: 'ClusterExtension', source: 'ARM' }] });
    const foreign = EXTENSION_ID.replace(
      'Microsoft.Kubernetes/connectedClusters',
      'Microsoft.ContainerService/managedClusters',
    );
    await expect(collector.observe(targetOf(foreign, 'ClusterExtension'), call)).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    });
    await expect(collector.observe(targetOf(`${CONNECTED_ID}x`, 'ConnectedCluster'), call)).resolves.toMatchObject({
      state: 'absent',
    });
  });
});
