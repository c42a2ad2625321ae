import { describe, expect, it } from '@jest/globals';
import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import { FakeKube, fakeRefusal } from '#libs/testing/fake-kube.js';
import { namespaceObject, watchedCluster } from '#libs/testing/kubernetes-samples.js';
import { contextOf, targetOf } from '../contract/system.contract-suite.js';
import { createRegistrySecret } from './registry-secret.operations.js';

const PASSWORD = 'hunter2"ü';
const SECRET = { group: '', kind: 'Secret' };
const ACCOUNT = { group: '', kind: 'ServiceAccount' };
const TYPE = 'kubernetes.io/dockerconfigjson';
const cluster = watchedCluster();

interface Change {
  input?: JsonObject;
  objects?: KubernetesObject[];
}

function secret(change: JsonObject = {}): KubernetesObject {
  const metadata = { name: 'regcred', namespace: 'web' };
  return { apiVersion: 'v1', kind: 'Secret', metadata, type: TYPE, data: {}, ...change };
}

function account(name: string, pulls: string[] = []): KubernetesObject {
  const imagePullSecrets = pulls.map((each) => ({ name: each }));
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'web' }, imagePullSecrets };
}

function world({ input = {}, objects = [] }: Change = {}) {
  const kube = new FakeKube();
  const fake = kube.cluster(cluster.uid).add(namespaceObject('web'), ...objects);
  const operation = createRegistrySecret(kube);
  const given = {
    cluster: cluster.id,
    namespace: 'web',
    name: 'regcred',
    server: 'example.azurecr.io',
    username: 'puller',
    // As it is stored.
    password: '[redacted]',
    ...input,
  };
  const parsed = operation.input.parse(given);
  const context = {
    ...contextOf(operation, parsed, { cluster: targetOf(cluster.id, 'ManagedCluster') }),
    input: parsed,
    secrets: { password: new Secret(PASSWORD) },
  };
  const run = (name: string) =>
    operation.steps.find((step) => step.name === name)!.run({ ...context, resumeToken: undefined, attempt: 1 });
  return {
    kube,
    fake,
    operation,
    preflight: () => operation.preflight(context),
    plan: () => operation.plan!(context),
    apply: () => run('secret'),
    link: () => run('service-accounts'),
    verify: () => operation.verify(context),
    stored: () => fake.object(SECRET, 'web', 'regcred'),
  };
}

function contentOf(object: KubernetesObject | undefined): unknown {
  const { '.dockerconfigjson': content } = object?.data as Record<string, string>;
  return JSON.parse(Buffer.from(content ?? '', 'base64').toString());
}

describe('kubernetes.registrySecret.create: checks before it starts', () => {
  it.each<Change & { found: string[]; reason: string }>([
    { found: [], reason: 'all is well' },
    { objects: [secret()], found: ['SECRET_EXISTS:warning'], reason: 'its content is replaced' },
    { objects: [secret({ type: 'Opaque' })], found: ['SECRET_OF_OTHER_TYPE:error'], reason: 'types cannot change' },
    { objects: [secret({ immutable: true })], found: ['SECRET_IMMUTABLE:error'], reason: 'it said so' },
    { input: { namespace: 'gone' }, found: ['NAMESPACE_NOT_FOUND:error'], reason: 'nowhere to put it' },
    {
      objects: [namespaceObject('web', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } })],
      found: ['NAMESPACE_DELETING:error'],
      reason: 'it would not last',
    },
    {
      input: { server: 'https://index.docker.io/v1/' },
      found: ['SERVER_NOT_A_HOST:warning'],
      reason: 'virtual nodes take hosts only',
    },
    { input: { server: 'registry.example:5000' }, found: [], reason: 'a port belongs to a host' },
    { input: { serviceAccounts: ['default'] }, found: ['SERVICE_ACCOUNT_NOT_FOUND:error'], reason: 'no such account' },
    { input: { serviceAccounts: ['default'] }, objects: [account('default')], found: [], reason: 'it is there' },
  ])('$found: $reason', async ({ found, ...change }) => {
    const { kube, preflight } = world(change);
    expect((await preflight()).map(({ code, severity }) => `${code}:${severity}`)).toEqual(found);
    expect(kube.writes()).toEqual([]);
  });

  it('asks whether it may', async () => {
    const { fake, preflight } = world({ input: { serviceAccounts: ['default'] }, objects: [account('default')] });
    fake.mayDo = ({ resource }) => ({ allowed: resource !== 'serviceaccounts', reason: 'no role' });
    expect(await preflight()).toMatchObject([{ code: 'ACCESS_DENIED', evidence: { resource: 'serviceaccounts' } }]);
  });

  it.each([
    { input: { name: 'Upper' }, reason: 'capitals in the name' },
    { input: { namespace: 'a.b' }, reason: 'a dot in the namespace' },
    { input: { server: 'a b' }, reason: 'a blank in the server' },
    { input: { password: '' }, reason: 'no password' },
  ])('takes nothing that Kubernetes would refuse: $reason', ({ input }) => {
    expect(() => world({ input })).toThrow();
  });
});

describe('kubernetes.registrySecret.create: the steps', () => {
  it('makes a secret that pods can pull with, and reads it back', async () => {
    const { stored, apply, link, verify, operation } = world({ input: { email: 'a@b.example' } });
    expect(operation.secretFields).toEqual(['password']);
    expect(await verify()).toMatchObject({ verdict: 'missed' });
    expect(await apply()).toMatchObject({ outcome: 'done' });
    expect(await link()).toMatchObject({ outcome: 'done' });
    expect(stored()).toMatchObject({ type: TYPE, metadata: { namespace: 'web' } });
    expect(contentOf(stored())).toEqual({
      auths: {
        'example.azurecr.io': {
          username: 'puller',
          password: PASSWORD,
          email: 'a@b.example',
          auth: Buffer.from(`puller:${PASSWORD}`).toString('base64'),
        },
      },
    });
    expect(await verify()).toMatchObject({ verdict: 'reached', result: { name: 'regcred', serviceAccounts: [] } });
  });

  it('replaces what another one has put in, and nothing that is as wanted', async () => {
    const { kube, fake, apply, stored } = world({ objects: [secret({ data: { '.dockerconfigjson': 'e30=' } })] });
    fake.ownField({ kind: 'Secret' }, 'kubectl', '.data[".dockerconfigjson"]');
    await apply();
    expect(contentOf(stored())).toHaveProperty('auths');
    await apply();
    expect(kube.writes()).toEqual(['apply Secret web/regcred']);
  });

  it('lets service accounts pull with it, beside what they had', async () => {
    const { kube, fake, apply, link, verify } = world({
      input: { serviceAccounts: ['default', 'default', 'builder', 'ready'] },
      objects: [account('default', ['other']), account('builder'), account('ready', ['regcred'])],
    });
    await apply();
    expect(await verify()).toMatchObject({ verdict: 'missed' });
    await link();
    expect(fake.object(ACCOUNT, 'web', 'default')?.imagePullSecrets).toEqual([{ name: 'other' }, { name: 'regcred' }]);
    // Again, as after a crash.
    await link();
    expect(kube.writes()).toEqual([
      'apply Secret web/regcred',
      'patch ServiceAccount web/default',
      'patch ServiceAccount web/builder',
    ]);
    expect(await verify()).toMatchObject({
      verdict: 'reached',
      result: { serviceAccounts: ['default', 'builder', 'ready'] },
    });
  });

  it('lets others go first who keep changing an account', async () => {
    const { fake, link } = world({ input: { serviceAccounts: ['default'] }, objects: [account('default')] });
    fake.refuse({ verb: 'patch' }, fakeRefusal('KUBERNETES_CONFLICT', 'Conflict', 'modified'));
    expect(await link()).toMatchObject({ outcome: 'blocked' });
  });

  it('plans without doing', async () => {
    const { kube, plan, apply } = world({ input: { serviceAccounts: ['default'] }, objects: [account('default')] });
    expect(await plan()).toMatchObject({ action: 'create', serviceAccounts: ['default'] });
    expect(kube.writes()).toEqual([]);
    await apply();
    expect(await plan()).toMatchObject({ action: 'none' });
    expect(await world({ objects: [secret()] }).plan()).toMatchObject({ action: 'replace' });
  });
});

describe('kubernetes.registrySecret.create: the password', () => {
  const spellings = [
    PASSWORD,
    JSON.stringify(PASSWORD).slice(1, -1),
    Buffer.from(PASSWORD).toString('base64'),
    Buffer.from(`puller:${PASSWORD}`).toString('base64'),
  ];

  it('is in nothing that is told, whatever the server says', async () => {
    const echo = new ControlError('KUBERNETES_REJECTED', `Invalid value: ${spellings.join(' ')}`, {
      externalCode: 'Invalid',
      remedy: `not ${PASSWORD}`,
      violations: [{ path: 'data', message: PASSWORD }],
    });
    const { fake, preflight, plan, apply, verify } = world();
    const told: unknown[] = [await preflight(), await plan()];
    fake.refuse({ verb: 'apply' }, echo, true);
    const error: unknown = await apply().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'KUBERNETES_REJECTED', externalCode: 'Invalid' });
    told.push(wordsOf(error), await apply(), await verify());
    const text = JSON.stringify(told);
    for (const spelling of spellings) {
      expect(text).not.toContain(spelling);
      expect(text).not.toContain(JSON.stringify(spelling).slice(1, -1));
    }
  });

  it('is tried again when the server was away', async () => {
    const { fake, apply } = world();
    fake.refuse(
      { verb: 'apply' },
      new ControlError('KUBERNETES_UNAVAILABLE', 'down', { retry: { kind: 'backoff' } }),
      true,
    );
    await expect(apply()).rejects.toMatchObject({ code: 'KUBERNETES_UNAVAILABLE', retry: { kind: 'backoff' } });
    await expect(apply()).resolves.toMatchObject({ outcome: 'done' });
  });

  function wordsOf(error: unknown): unknown {
    if (!(error instanceof ControlError)) return error;
    return [error.message, error.remedy, error.violations, error.cause, error.stack];
  }
});
