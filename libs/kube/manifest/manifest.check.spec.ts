import { describe, expect, it } from '@jest/globals';
import { ControlError } from '#libs/kernel/control-error.js';
import { FakeKube, fakeRefusal, type FakeCluster } from '#libs/testing/fake-kube.js';
import type { KubernetesObject } from '../kubernetes-object.js';
import { checkManifest, type CheckedDocument, type ManifestOptions } from './manifest.check.js';
import { readManifest } from './manifest.placement.js';

const call = { signal: new AbortController().signal, correlationId: 'test' };
const PLACEMENT = { group: 'placement.kubernetes-fleet.io', kind: 'ClusterResourcePlacement' };

function cluster(): FakeCluster {
  return new FakeKube().cluster('00000000-0000-4000-8000-000000000001').withdraw(PLACEMENT);
}

function check(client: FakeCluster, text: string, options: Partial<ManifestOptions> = {}): Promise<CheckedDocument[]> {
  const given = { namespace: undefined, force: false, fieldValidation: 'Strict', ...options } as const;
  return checkManifest(client, readManifest(text, given.namespace), given, call);
}

function statesOf(documents: CheckedDocument[]): string[] {
  return documents.map((document) =>
    document.state === 'faulty' ? document.problems.map(({ code }) => code).join(',') : document.state,
  );
}

const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n';
const configMap = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\ndata: {a: b}\n';
const deployment =
  'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {replicas: 2}\n';
const pod = 'apiVersion: v1\nkind: Pod\nmetadata: {name: single}\n';
const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec: {group: example.org, names: {kind: Thing, plural: things}}
`;
const thing = 'apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: one}\n';
const noNamespace = fakeRefusal('KUBERNETES_NOT_FOUND', 'NotFound', 'namespaces "shop" not found');

describe('checking a manifest on a cluster', () => {
  it.each<{ text: string; states: string[]; namespace?: string; reason: string }>([
    { text: configMap, states: ['ready'], reason: 'all is well' },
    { text: thing, states: ['KIND_NOT_SERVED'], reason: 'nobody knows the kind' },
    { text: definition + '---\n' + thing, states: ['ready', 'later'], reason: 'the manifest brings the kind' },
    {
      text: deployment.replace('apps/v1', 'apps/v1beta1'),
      states: ['KIND_NOT_SERVED'],
      reason: 'another version is served',
    },
    {
      text: 'apiVersion: networking.fleet.azure.com/v1beta1\nkind: ServiceExport\nmetadata: {name: web}\n',
      states: ['OUTDATED_FLEET_API'],
      reason: 'the hub serves Fleet networking in another version',
    },
    {
      text: namespace.replace('{name: shop}', '{name: shop, namespace: shop}'),
      states: ['NAMESPACE_NOT_ALLOWED'],
      reason: 'a namespace has no namespace',
    },
    { text: pod, states: ['ready'], reason: 'a pod, on an ordinary cluster' },
    { text: `${configMap}---\na: [`, states: ['ready', 'MALFORMED_DOCUMENT'], reason: 'one bad, one good' },
  ])('$states: $reason', async ({ text, states }) => {
    expect(statesOf(await check(cluster(), text))).toEqual(states);
  });

  it('hints at the version that is served', async () => {
    const [document] = await check(cluster(), deployment.replace('apps/v1', 'apps/v1beta1'));
    expect(document).toMatchObject({ problems: [{ evidence: { served: 'apps/v1' } }] });
  });

  it('stores nothing', async () => {
    const kube = new FakeKube();
    await check(kube.cluster('c'), [namespace, configMap, deployment].join('---\n'));
    expect(kube.writes()).toEqual([]);
  });

  it.each([
    { given: undefined, text: pod, asked: 'default', reason: 'nothing is said' },
    { given: 'mine', text: pod, asked: 'mine', reason: 'the caller says it' },
    { given: 'mine', text: configMap, asked: 'shop', reason: 'the document itself goes first' },
  ])('asks for the namespace: $reason', async ({ given, text, asked }) => {
    const kube = new FakeKube();
    await check(kube.cluster('c').withdraw(PLACEMENT), text, { namespace: given });
    expect(kube.requests.find(({ verb }) => verb === 'apply')).toMatchObject({
      namespace: asked,
      dryRun: true,
      body: { metadata: { namespace: asked } },
    });
  });

  it('tells the difference to what is there', async () => {
    const live: KubernetesObject = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { replicas: 1 },
    };
    const [document] = await check(cluster().add(live), deployment);
    expect(document).toMatchObject({ state: 'ready', difference: [{ path: '.spec.replicas', before: 1, after: 2 }] });
  });

  it('names who manages a field that it would change, unless it is to be taken over', async () => {
    const client = cluster().ownField({ kind: 'ConfigMap' }, 'helm', '.data.a');
    client.add({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings', namespace: 'shop' },
      data: { a: 'x' },
    });
    const [document] = await check(client, configMap);
    expect(document).toMatchObject({
      problems: [{ code: 'FIELD_CONFLICT', conflicts: [{ manager: 'helm', fields: ['.data.a'] }] }],
    });
    expect(statesOf(await check(client, configMap, { force: true }))).toEqual(['ready']);
  });

  it.each([
    { code: 'KUBERNETES_UNAVAILABLE', reason: 'a server that does not answer' },
    { code: 'KUBERNETES_UNAUTHENTICATED', reason: 'a server that does not know us' },
  ] as const)('blames no document for $reason', async ({ code }) => {
    const client = cluster().refuse({ verb: 'apply' }, new ControlError(code, 'no'));
    await expect(check(client, configMap)).rejects.toMatchObject({ code });
  });
});

describe('checking a manifest whose namespace is still to be made', () => {
  const text = [deployment, namespace].join('---\n');

  function withoutNamespace(): FakeCluster {
    return cluster().refuse((request) => request.verb === 'apply' && request.namespace === 'shop', noNamespace);
  }

  it('tries its documents elsewhere, without storing anything', async () => {
    const kube = new FakeKube();
    const client = kube.cluster('c').withdraw(PLACEMENT);
    client.refuse((request) => request.verb === 'apply' && request.namespace === 'shop', noNamespace);
    expect(statesOf(await check(client, text))).toEqual(['later', 'ready']);
    expect(kube.requests.find(({ verb }) => verb === 'create')).toMatchObject({
      kind: 'Deployment',
      namespace: 'default',
      dryRun: true,
    });
    expect(kube.writes()).toEqual([]);
  });

  it('says that the namespace is missing where the manifest does not make it', async () => {
    expect(statesOf(await check(withoutNamespace(), deployment))).toEqual(['NAMESPACE_NOT_FOUND']);
  });

  it.each([
    {
      error: fakeRefusal('KUBERNETES_REJECTED', 'Invalid', 'spec.replicas: Invalid value'),
      states: ['DOCUMENT_REFUSED', 'ready'],
      reason: 'a fault of the document is found before anything is applied',
    },
    {
      error: fakeRefusal('KUBERNETES_REJECTED', 'Forbidden', 'exceeded quota: small'),
      states: ['later', 'ready'],
      reason: 'the quota of another namespace says nothing',
    },
    {
      error: fakeRefusal('KUBERNETES_REJECTED', 'BadRequest', 'admission webhook "policy" denied the request: no'),
      states: ['later', 'ready'],
      reason: 'a policy of another namespace says nothing',
    },
    {
      error: fakeRefusal('KUBERNETES_FORBIDDEN', 'Forbidden', 'cannot create'),
      states: ['later', 'ready'],
      reason: 'the rights in another namespace say nothing',
    },
    {
      error: fakeRefusal('KUBERNETES_CONFLICT', 'AlreadyExists', 'already exists'),
      states: ['later', 'ready'],
      reason: 'an object of the same name in another namespace says nothing',
    },
  ])('$states: $reason', async ({ error, states }) => {
    const client = withoutNamespace().refuse({ verb: 'create' }, error);
    expect(statesOf(await check(client, text))).toEqual(states);
  });

  it('asks whether it may', async () => {
    const client = withoutNamespace();
    client.mayDo = ({ namespace: asked }) => ({ allowed: asked !== 'shop', reason: '' });
    expect(statesOf(await check(client, text))).toEqual(['DOCUMENT_FORBIDDEN', 'ready']);
  });
});

describe('checking what else comes later', () => {
  it('waits for a role that the manifest makes', async () => {
    const binding = `apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: b}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}
`;
    const role = 'apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\n';
    const missing = fakeRefusal('KUBERNETES_NOT_FOUND', 'NotFound', 'roles.rbac.authorization.k8s.io "r" not found');
    const client = cluster().refuse({ verb: 'apply', kind: 'RoleBinding' }, missing);
    expect(statesOf(await check(client, `${binding}---\n${role}`))).toEqual(['later', 'ready']);
    expect(statesOf(await check(client, binding))).toEqual(['REFERENCE_NOT_FOUND']);
    expect(statesOf(await check(client, `${binding}---\n${role.replace('name: r}', 'name: other}')}`))).toEqual([
      'REFERENCE_NOT_FOUND',
      'ready',
    ]);
  });

  it('does not take a webhook that cannot be tried for a refusal', async () => {
    const message = 'admission webhook "w" does not support dry run';
    const client = cluster().refuse({ verb: 'apply' }, fakeRefusal('KUBERNETES_REJECTED', 'BadRequest', message));
    expect(statesOf(await check(client, configMap))).toEqual(['later']);
  });
});

describe('checking a manifest on the hub of a fleet', () => {
  const replicaSet = 'apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: r, namespace: shop}\n';
  it.each([
    { text: pod, states: ['POD_ON_HUB'], reason: 'hubs run no pods' },
    { text: replicaSet, states: ['POD_ON_HUB'], reason: 'nor what makes them' },
    { text: deployment, states: ['ready'], reason: 'a Deployment is held' },
    { text: replicaSet.replace('shop', 'fleet-system'), states: ['ready'], reason: 'the hub runs its own pods' },
  ])('$states: $reason', async ({ text, states }) => {
    expect(statesOf(await check(new FakeKube().cluster('hub'), text))).toEqual(states);
  });
});
