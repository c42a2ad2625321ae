import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { FakeKube, fakeRefusal } from '#libs/testing/fake-kube.js';
import { deployment, watchedCluster } from '#libs/testing/kubernetes-samples.js';
import { contextOf, targetOf } from '../contract/system.contract-suite.js';
import { patchWorkload } from './workload-patch.operations.js';

const PLACEMENT = { group: 'placement.kubernetes-fleet.io', kind: 'ClusterResourcePlacement' };
const { uid } = watchedCluster();
const ID = `kubernetes://${uid}/apps/Deployment/web/web`;
const TO_VIRTUAL = { nodeSelector: { type: 'virtual-kubelet' } };

const patchText = (spec: JsonObject): string => JSON.stringify({ spec: { template: { spec } } });

interface Given {
  object?: KubernetesObject | undefined;
  spec?: JsonObject;
  waitForAvailable?: boolean;
  mergeContainers?: boolean;
  onHub?: boolean;
}

function world(given: Given = {}) {
  const kube = new FakeKube();
  const object = 'object' in given ? given.object : deployment('web');
  const cluster = kube.cluster(uid).add(...(object === undefined ? [] : [object]));
  if (given.onHub !== true) cluster.withdraw(PLACEMENT);
  const operation = patchWorkload(kube);
  const { spec = TO_VIRTUAL, waitForAvailable = false, mergeContainers = false } = given;
  const input = operation.input.parse({ workload: ID, patch: patchText(spec), waitForAvailable, mergeContainers });
  const context = contextOf(operation, input, { workload: targetOf(ID, 'Workload') });
  const stepContext = { ...context, input, resumeToken: undefined, attempt: 1 };
  const step = (name: string) => operation.steps.find((each) => each.name === name)!.run(stepContext);
  return {
    cluster,
    step,
    template: () => cluster.object({ group: 'apps', kind: 'Deployment' }, 'web', 'web')?.spec as JsonObject,
    codes: async () =>
      (await operation.preflight({ ...context, input })).map(({ code, severity }) => `${code}:${severity}`),
    plan: () => operation.plan!({ ...context, input }),
    verify: () => operation.verify({ ...context, input }),
  };
}

describe('kubernetes.workload.patch', () => {
  it.each<Given & { found: string[]; reason: string }>([
    { found: ['PODS_ARE_REPLACED:warning'], reason: 'all is well' },
    { object: undefined, found: ['WORKLOAD_NOT_FOUND:error'], reason: 'it is not there' },
    {
      object: deployment('web', { metadata: { deletionTimestamp: '2026-11-01T10:00:00Z' } }),
      found: ['WORKLOAD_DELETING:error'],
      reason: 'it is going',
    },
    { onHub: true, found: ['HELD_ON_HUB:warning', 'PODS_ARE_REPLACED:warning'], reason: 'a hub only holds it' },
    {
      spec: { nodeSelector: { gone: null } },
      found: ['NOTHING_TO_CHANGE:info'],
      reason: 'there is nothing to take away',
    },
  ])('$found: $reason', async ({ found, reason: _reason, ...given }) => {
    expect(await world(given).codes()).toEqual(found);
  });

  it('asks the cluster whether it may, and whether it would take the change', async () => {
    const denied = world();
    denied.cluster.mayDo = () => ({ allowed: false, reason: 'no' });
    expect(await denied.codes()).toEqual(['ACCESS_DENIED:error']);
    const refused = world();
    refused.cluster.refuse({ verb: 'patch' }, fakeRefusal('KUBERNETES_REJECTED', 'Invalid', 'not so'));
    expect(await refused.codes()).toEqual(['PATCH_REFUSED:error']);
  });

  it('merges the patch once, and leaves all else as it is', async () => {
    const { template, step, verify, plan } = world({ spec: { ...TO_VIRTUAL, tolerations: [{ operator: 'Exists' }] } });
    const before = (template().template as { spec: JsonObject }).spec;
    expect(await plan()).toMatchObject({ difference: [{ path: '.spec.template.spec' }] });
    expect(await verify()).toMatchObject({ verdict: 'missed' });
    expect(await step('patch')).toMatchObject({ outcome: 'done' });
    expect((template().template as JsonObject).spec).toEqual({
      ...before,
      ...TO_VIRTUAL,
      tolerations: [{ operator: 'Exists' }],
    });
    expect(await step('patch')).toMatchObject({ outcome: 'done', message: 'The template of the pods is so.' });
    expect(await step('settle')).toMatchObject({ outcome: 'done' });
    expect(await verify()).toMatchObject({ verdict: 'reached' });
    expect(await plan()).toMatchObject({ difference: [] });
  });

  const container = (name: string): JsonObject => ({ name, image: `${name}:1`, env: [{ name: 'A', value: 'b' }] });
  const two = deployment('web', {
    spec: { template: { spec: { containers: [container('web'), container('side')] } } },
  });

  it.each<{ reason: string; mergeContainers: boolean; containers: JsonObject[]; expected: JsonObject[] }>([
    {
      reason: 'into that of the same name',
      mergeContainers: true,
      containers: [{ name: 'side', resources: { requests: { cpu: '1' } }, env: null }],
      expected: [container('web'), { name: 'side', image: 'side:1', resources: { requests: { cpu: '1' } } }],
    },
    {
      reason: 'beside those of other names',
      mergeContainers: true,
      containers: [container('new')],
      expected: [container('web'), container('side'), container('new')],
    },
    {
      reason: 'in place of all where it is not told to',
      mergeContainers: false,
      containers: [container('side')],
      expected: [container('side')],
    },
  ])('puts containers $reason', async ({ mergeContainers, containers, expected }) => {
    const { template, step, verify } = world({ object: two, spec: { containers }, mergeContainers });
    await step('patch');
    expect(template()).toMatchObject({ template: { spec: { containers: expected } } });
    expect(await step('patch')).toMatchObject({ message: 'The template of the pods is so.' });
    expect(await verify()).toMatchObject({ verdict: 'reached' });
  });

  it('waits for the pods, where it is told to', async () => {
    const { step, verify } = world({ waitForAvailable: true });
    await step('patch');
    expect(await step('settle')).toMatchObject({ outcome: 'wait' });
    expect(await verify()).toMatchObject({ verdict: 'pending' });
  });

  it.each([
    { patch: '{', reason: 'no JSON' },
    { patch: '[]', reason: 'a list' },
    { patch: '{"spec":{"replicas":3}}', reason: 'not the template' },
    { patch: '{"spec":{"template":{"spec":{}}},"metadata":{}}', reason: 'more than the template' },
    { patch: '{"spec":{"template":null}}', reason: 'the template taken away' },
  ])('refuses $reason', ({ patch }) => {
    expect(patchWorkload(new FakeKube()).input.safeParse({ workload: ID, patch }).success).toBe(false);
  });
});
