import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ControlErrorCode } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import { KubeWorld, TEST_CLUSTER, testCall } from '#libs/testing/kube-world.js';
import { refuses, says, type Answer, type TestApiServer } from '#libs/testing/test-api-server.js';
import { TestAuthority } from '#libs/testing/test-certificates.js';
import { inspectKubeconfig, probeKubeconfig } from './kube.factory.js';
import { DEFAULT_KUBE_OPTIONS } from './kube.options.js';

const VERSION = { gitVersion: 'v1.32.4', platform: 'linux/amd64' };

let authority: TestAuthority;
let world: KubeWorld;
let server: TestApiServer;

beforeAll(async () => {
  authority = await TestAuthority.create();
});

beforeEach(async () => {
  world = await KubeWorld.create(authority);
  server = await world.server();
});

afterEach(() => world.close());

/** Answers the version to anybody, and this to the question who we are. */
function identifies(answer: Answer): Answer {
  return (request, response) => (request.path === '/version' ? says(200, VERSION) : answer)(request, response);
}

const known = (username: string) => says(201, { status: { userInfo: { username, groups: [] } } });

describe('a kubeconfig that a caller attaches', () => {
  const probe = (reach: { cluster?: JsonObject; user?: JsonObject } = {}) =>
    probeKubeconfig(world.kubeconfig(server.url, reach), DEFAULT_KUBE_OPTIONS, world.parts, testCall());

  it('is tried', async () => {
    server.answer = identifies(known('system:serviceaccount:demo:pilothouse'));
    expect(await probe()).toEqual({
      serverHost: `127.0.0.1:${server.port}`,
      authentication: 'token',
      namespace: null,
      verifiesServer: true,
      gitVersion: 'v1.32.4',
      username: 'system:serviceaccount:demo:pilothouse',
    });
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(Array(2).fill(`Bearer ${world.token}`));
    expect(world.asked).toEqual([]);
  });

  it.each<{ answer: Answer; reason: string }>([
    {
      answer: refuses(404, 'NotFound', 'the server could not find the requested resource'),
      reason: 'is too old for it',
    },
    { answer: refuses(403, 'Forbidden', 'is forbidden: User "x" cannot create'), reason: 'forbids us to ask' },
  ])('may be that of a server which does not say who we are: it $reason', async ({ answer }) => {
    server.answer = identifies(answer);
    expect(await probe()).toMatchObject({ gitVersion: 'v1.32.4', username: null });
  });

  it.each<{ answer: Answer; code: ControlErrorCode; reason: string }>([
    {
      answer: identifies(known('system:anonymous')),
      code: 'KUBERNETES_UNAUTHENTICATED',
      reason: 'the server takes us for nobody',
    },
    {
      answer: identifies(refuses(401, 'Unauthorized', 'Unauthorized')),
      code: 'KUBERNETES_UNAUTHENTICATED',
      reason: 'the server does not know the credential',
    },
    {
      answer: refuses(401, 'Unauthorized', 'Unauthorized'),
      code: 'KUBERNETES_UNAUTHENTICATED',
      reason: 'the server does not even tell its version',
    },
    { answer: says(200, '<html>'), code: 'KUBERNETES_UNEXPECTED_ANSWER', reason: 'no API server answers' },
    {
      answer: (_request, response) => response.socket?.destroy(),
      code: 'KUBERNETES_UNAVAILABLE',
      reason: 'nothing answers',
    },
  ])('is refused after it was tried: $reason', async ({ answer, code }) => {
    server.answer = answer;
    expect((await world.failure(probe())).code).toBe(code);
  });

  it.each<{ cluster?: JsonObject; user?: JsonObject; reason: string }>([
    { user: { exec: { command: 'aws', args: [] } }, reason: 'it would run a program' },
    { cluster: { 'insecure-skip-tls-verify': true }, reason: 'it does not want the certificate looked at' },
    { cluster: { server: 'https://169.254.169.254' }, reason: 'it leads to where clouds hand out identities' },
    {
      user: { exec: { command: 'kubelogin', args: ['get-token', '--server-id', TEST_CLUSTER.uid] } },
      reason: 'it would have our token sent to a server of the caller',
    },
  ])('is refused before anything is sent: $reason', async ({ cluster, user }) => {
    const reach = { ...(cluster === undefined ? {} : { cluster }), ...(user === undefined ? {} : { user }) };
    expect((await world.failure(probe(reach))).code).toBe('INVALID_KUBECONFIG');
    expect(server.requests).toEqual([]);
    expect(world.scopes).toEqual([]);
  });

  it('can be looked at without anything being sent', () => {
    expect(inspectKubeconfig(world.kubeconfig(server.url), DEFAULT_KUBE_OPTIONS)).toEqual({
      serverHost: `127.0.0.1:${server.port}`,
      authentication: 'token',
      namespace: null,
      verifiesServer: true,
    });
    expect(server.requests).toEqual([]);
  });
});

describe('Kube', () => {
  it('has one client for a cluster, however it is asked for', async () => {
    const kube = world.kube(() => Promise.resolve({ kubeconfig: world.kubeconfig(server.url), origin: 'attached' }));
    const client = await kube.clusterOf(TEST_CLUSTER.uid);
    expect(kube.cluster(TEST_CLUSTER)).toBe(client);
    expect(client.clusterUid).toBe(TEST_CLUSTER.uid);
    expect(world.asked).toEqual([]);
    await client.version(testCall());
    expect(world.asked).toEqual(['test-call']);
  });

  it('does not know every cluster', async () => {
    const kube = world.kube(() => Promise.resolve(undefined));
    expect((await world.failure(kube.clusterOf('another'))).code).toBe('RESOURCE_NOT_FOUND');
  });

  it('ends what is under way when it is closed', async () => {
    const kubeconfig = world.kubeconfig(server.url);
    const kube = world.kube(() => Promise.resolve({ kubeconfig, origin: 'attached' }));
    server.answer = () => undefined;
    const asked = world.failure(kube.cluster(TEST_CLUSTER).version(testCall()));
    await server.received(1);
    await kube.close();
    expect((await asked).code).toBe('UNAVAILABLE');
    await server.requests[0]?.over;
  });

  it('may be closed without having been used', async () => {
    const kube = world.kube(() => Promise.resolve({ kubeconfig: new Secret(''), origin: 'attached' }));
    kube.cluster(TEST_CLUSTER);
    await kube.close();
    expect(world.asked).toEqual([]);
  });
});
