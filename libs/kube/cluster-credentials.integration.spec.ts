import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { Secret } from '#libs/kernel/secret.js';
import { AKS_HOST, AKS_SERVER_ID, KubeWorld, TEST_CLUSTER, testCall } from '#libs/testing/kube-world.js';
import { refuses, says, streams, type Answer, type TestApiServer } from '#libs/testing/test-api-server.js';
import { TestAuthority } from '#libs/testing/test-certificates.js';
import { apiResource } from '#libs/testing/fake-kube.js';
import type { ProvidedKubeconfig } from './cluster-access.js';
import type { WatchTurn } from './cluster-client.js';
import { createKube } from './kube.factory.js';
import { DEFAULT_KUBE_OPTIONS } from './kube.options.js';

const VERSION = { gitVersion: 'v1.32.4', platform: 'linux/amd64' };
const PODS = apiResource('v1', 'Pod', 'pods');
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const unauthorized = refuses(401, 'Unauthorized', 'Unauthorized');

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

const authorizations = (of: TestApiServer = server) => of.requests.map(({ headers }) => headers.authorization);

/** Takes this token and no other. */
function takes(token: () => string, otherwise: Answer = unauthorized): Answer {
  return (request, response) => {
    const isRight = request.headers.authorization === `Bearer ${token()}`;
    (isRight ? says(200, VERSION) : otherwise)(request, response);
  };
}

/** Kubeconfigs with these tokens, one after the other; the last one stays. */
function provides(...tokens: [string, ...string[]]): () => Promise<ProvidedKubeconfig> {
  world.secrets.push(...tokens);
  let given = 0;
  return () => {
    const token = tokens[Math.min(given, tokens.length - 1)] ?? '';
    given++;
    return Promise.resolve({ kubeconfig: world.kubeconfig(server.url, { user: { token } }), origin: 'attached' });
  };
}

describe('where a kubeconfig comes from', () => {
  it('is asked in order, of those who know the kind, and the first who has one decides', async () => {
    const asked: string[] = [];
    const provider = (name: string, kinds: string[], found: boolean) => ({
      name,
      kinds,
      kubeconfig: (): Promise<ProvidedKubeconfig | undefined> => {
        asked.push(name);
        const kubeconfig = world.kubeconfig(server.url);
        return Promise.resolve(found ? { kubeconfig, origin: 'attached' } : undefined);
      },
    });
    const providers = [
      provider('another kind', ['Fleet'], true),
      provider('none', [TEST_CLUSTER.kind], false),
      provider('the one', [TEST_CLUSTER.kind], true),
      provider('too late', [TEST_CLUSTER.kind], true),
    ];
    const kube = world.closing(createKube(DEFAULT_KUBE_OPTIONS, { ...world.parts, providers }));
    await kube.cluster(TEST_CLUSTER).version(testCall());
    expect(asked).toEqual(['none', 'the one']);
  });

  it('may be nowhere', async () => {
    const error = await world.failure(
      world
        .kube(() => Promise.resolve(undefined))
        .cluster(TEST_CLUSTER)
        .version(testCall()),
    );
    expect(error).toMatchObject({ code: 'CLUSTER_ACCESS_MISSING', remedy: expect.stringContaining(TEST_CLUSTER.uid) });
  });

  it('is asked once for all who come at the same time', async () => {
    const { promise, resolve } = Promise.withResolvers<ProvidedKubeconfig>();
    const cluster = world.kube(() => promise).cluster(TEST_CLUSTER);
    const calls = Array.from({ length: 8 }, () => cluster.version(testCall()));
    resolve({ kubeconfig: world.kubeconfig(server.url), origin: 'attached' });
    await Promise.all(calls);
    expect(server.requests).toHaveLength(8);
    expect(world.asked).toHaveLength(1);
  });

  it('is asked again when it has been used for long enough, and not before', async () => {
    const cluster = world.kube(provides('first-token', 'second-token')).cluster(TEST_CLUSTER);
    const { credentialLifetimeMs } = DEFAULT_KUBE_OPTIONS;
    for (const milliseconds of [0, credentialLifetimeMs - 1, 1]) {
      world.clock.advance(milliseconds);
      await cluster.version(testCall());
    }
    expect(authorizations()).toEqual(['Bearer first-token', 'Bearer first-token', 'Bearer second-token']);
  });

  it('is asked again after it failed', async () => {
    const provide = provides('the-token');
    let fails = true;
    const cluster = world
      .kube(() => (fails ? Promise.reject(new TypeError('A fault of ours')) : provide()))
      .cluster(TEST_CLUSTER);
    await expect(cluster.version(testCall())).rejects.toThrow(TypeError);
    fails = false;
    expect(await cluster.version(testCall())).toEqual(VERSION);
  });
});

describe('a credential that the server refuses', () => {
  it.each<{ refusal: Answer; reason: string }>([
    { refusal: unauthorized, reason: 'it does not know it' },
    {
      refusal: refuses(403, 'Forbidden', 'pods is forbidden: User "system:anonymous" cannot list resource "pods"'),
      reason: 'it takes us for nobody',
    },
    { refusal: says(401, '<html>'), reason: 'something before it does not know it' },
  ])('is asked for anew, once: $reason', async ({ refusal }) => {
    server.answer = takes(() => 'second-token', refusal);
    const cluster = world.kube(provides('first-token', 'second-token')).cluster(TEST_CLUSTER);
    expect(await cluster.version(testCall())).toEqual(VERSION);
    expect(authorizations()).toEqual(['Bearer first-token', 'Bearer second-token']);
  });

  it('is asked for once by all who were refused at the same time', async () => {
    const kube = world.kube(provides('first-token', 'second-token'));
    const cluster = kube.cluster(TEST_CLUSTER);
    const waiting: (() => void)[] = [];
    server.answer = (request, response) => {
      if (request.headers.authorization === 'Bearer second-token') says(200, VERSION)(request, response);
      else waiting.push(() => unauthorized(request, response));
    };
    const calls = Array.from({ length: 5 }, () => cluster.version(testCall()));
    await server.received(5);
    for (const answer of waiting) answer();
    await Promise.all(calls);
    expect(world.asked).toHaveLength(2);
    expect(server.requests).toHaveLength(10);
  });

  it('stands when a new one is refused too, for some seconds also for the next ones', async () => {
    server.answer = unauthorized;
    const cluster = world.kube(provides('first-token', 'second-token', 'third-token')).cluster(TEST_CLUSTER);
    expect(await world.failure(cluster.version(testCall()))).toMatchObject({
      code: 'KUBERNETES_UNAUTHENTICATED',
      retryable: false,
      remedy: expect.any(String),
    });
    expect(server.requests).toHaveLength(2);
    await world.failure(cluster.version(testCall()));
    expect(server.requests).toHaveLength(3);
    world.clock.advance(5_000);
    await world.failure(cluster.version(testCall()));
    expect(authorizations().slice(3)).toEqual(['Bearer second-token', 'Bearer third-token']);
    expect(world.pauses).toEqual([]);
  });

  it('is no matter of rights: a refusal of those is told at once', async () => {
    server.answer = refuses(403, 'Forbidden', 'pods is forbidden: User "pilothouse" cannot list resource "pods"');
    const cluster = world.kube(provides('first-token', 'second-token')).cluster(TEST_CLUSTER);
    expect((await world.failure(cluster.version(testCall()))).code).toBe('KUBERNETES_FORBIDDEN');
    expect(world.asked).toHaveLength(1);
    expect(server.requests).toHaveLength(1);
  });

  it('may be a certificate, in whose place a new one is shown', async () => {
    const strict = await world.server(undefined, { requestCert: true, ca: authority.certificate });
    const certificates = await Promise.all(['old', 'new'].map((commonName) => authority.sign({ commonName })));
    let given = 0;
    const cluster = world
      .kube(() => {
        const certificate = certificates[Math.min(given++, 1)];
        const user = {
          'client-certificate-data': base64(certificate?.certificate ?? ''),
          'client-key-data': base64(certificate?.key ?? ''),
        };
        return Promise.resolve({ kubeconfig: world.kubeconfig(strict.url, { user }), origin: 'azure' });
      })
      .cluster(TEST_CLUSTER);
    strict.answer = (request, response) =>
      (request.clientName === 'new' ? says(200, VERSION) : unauthorized)(request, response);
    expect(await cluster.version(testCall())).toEqual(VERSION);
    expect(strict.requests.map(({ clientName }) => clientName)).toEqual(['old', 'new']);
  });

  it('cannot be read in what a server repeats of it', async () => {
    server.answer = ({ headers }, response) =>
      refuses(
        400,
        'BadRequest',
        `who is ${headers.authorization?.slice('Bearer '.length)}?`,
      )({ headers } as Parameters<Answer>[0], response);
    const error = await world.failure(world.reach(server.url).version(testCall()));
    expect(error.message).toContain('who is [redacted]?');
  });
});

describe('forget', () => {
  it('has the kubeconfig asked for again', async () => {
    const kube = world.kube(provides('first-token', 'second-token'));
    const cluster = kube.cluster(TEST_CLUSTER);
    await cluster.version(testCall());
    kube.forget(TEST_CLUSTER.uid);
    kube.forget('another-cluster');
    await cluster.version(testCall());
    expect(authorizations()).toEqual(['Bearer first-token', 'Bearer second-token']);
  });

  it('does not let what is on its way be kept', async () => {
    const provide = provides('first-token', 'second-token');
    const asked = Promise.withResolvers<undefined>();
    const late = Promise.withResolvers<undefined>();
    const kube = world.kube(async () => {
      const provided = provide();
      asked.resolve(undefined);
      await late.promise;
      return provided;
    });
    const cluster = kube.cluster(TEST_CLUSTER);
    const early = cluster.version(testCall());
    await asked.promise;
    kube.forget(TEST_CLUSTER.uid);
    late.resolve(undefined);
    await early;
    await cluster.version(testCall());
    expect(authorizations()).toEqual(['Bearer first-token', 'Bearer second-token']);
  });

  it('lets what was asked be answered, and makes streams anew with what holds now', async () => {
    const kube = world.kube(provides('first-token', 'second-token'));
    const cluster = kube.cluster(TEST_CLUSTER);
    const answers: (() => void)[] = [];
    server.answer = (request, response) => {
      if (request.path.includes('watch=true')) streams([])(request, response);
      else if (request.path.startsWith('/api/'))
        says(200, { items: [], metadata: { resourceVersion: '7' } })(request, response);
      else answers.push(() => says(200, VERSION)(request, response));
    };
    const abort = new AbortController();
    const turns: WatchTurn['turn'][] = [];
    const watching = (async () => {
      for await (const { turn } of cluster.watch(PODS, {}, testCall(abort.signal))) turns.push(turn);
    })();
    await server.received(2);
    const asked = cluster.version(testCall());
    await server.received(3);
    kube.forget(TEST_CLUSTER.uid);
    await server.received(4);
    answers[0]?.();
    expect(await asked).toEqual(VERSION);
    abort.abort();
    await watching;
    expect(authorizations().at(3)).toBe('Bearer second-token');
    expect(turns).toEqual(['page', 'listed', 'interrupted']);
  });

  it('is harmless after the end', async () => {
    const kube = world.kube(provides('the-token'));
    const cluster = kube.cluster(TEST_CLUSTER);
    await cluster.version(testCall());
    await kube.close();
    kube.forget(TEST_CLUSTER.uid);
    await kube.close();
    expect((await world.failure(cluster.version(testCall()))).code).toBe('UNAVAILABLE');
  });
});

describe('a kubeconfig that calls kubelogin', () => {
  const kubelogin = (command = 'kubelogin'): JsonObject => ({
    exec: { command, args: ['get-token', '--server-id', AKS_SERVER_ID, '--login', 'azurecli'], env: null },
  });
  const reach = (command?: string) =>
    world.reach(`https://${AKS_HOST}:${server.port}`, { user: kubelogin(command), origin: 'azure' });

  it('has a token of our identity for the server application sent', async () => {
    await reach().version(testCall());
    expect(world.scopes).toEqual([`${AKS_SERVER_ID}/.default`]);
    expect(authorizations()).toEqual([expect.stringMatching(/^Bearer entra-1-/)]);
  });

  it('shares one token among all who come at the same time, and gets the next before it has expired', async () => {
    world.tokenSeconds = 600;
    const cluster = reach();
    await Promise.all([cluster.version(testCall()), cluster.version(testCall())]);
    world.clock.advance(479_000);
    await cluster.version(testCall());
    expect(world.scopes).toHaveLength(1);
    world.clock.advance(1_000);
    await cluster.version(testCall());
    expect(world.scopes).toHaveLength(2);
    expect(authorizations().at(-1)).toMatch(/^Bearer entra-2-/);
  });

  it('gets another token, once, when the server refuses one', async () => {
    server.answer = ({ headers }, response) =>
      (headers.authorization?.startsWith('Bearer entra-2-') === true ? says(200, VERSION) : unauthorized)(
        { headers } as Parameters<Answer>[0],
        response,
      );
    expect(await reach().version(testCall())).toEqual(VERSION);
    expect(world.scopes).toHaveLength(2);
  });

  it('runs nothing, also where there is a program of this name', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'pilothouse-kubelogin-'));
    try {
      const program = path.join(folder, 'kubelogin');
      const trace = path.join(folder, 'was-run');
      await writeFile(program, `#!/bin/sh\ntouch '${trace}'\n`);
      await chmod(program, 0o755);
      expect(await reach(program).version(testCall())).toEqual(VERSION);
      expect(existsSync(trace)).toBe(false);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it.each<{ server: string; reason: string }>([
    { server: 'https://127.0.0.1', reason: 'a server of the caller would collect our tokens' },
    { server: `https://${AKS_HOST}.evil.example`, reason: 'a name that only begins like one of AKS' },
    { server: `https://${AKS_HOST}@evil.example`, reason: 'a name that only stands before another' },
    { server: `https://${AKS_HOST}.`, reason: 'a name that is not the one that the certificate is for' },
  ])('is refused when a caller attaches it, and no token is got: $reason', async ({ server: address }) => {
    const error = await world.failure(world.reach(address, { user: kubelogin() }).version(testCall()));
    expect(error.code).toBe('INVALID_KUBECONFIG');
    expect(world.scopes).toEqual([]);
  });
});

describe('a kubeconfig that would have something read or run here', () => {
  let folder: string;
  let file: string;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'pilothouse-kubeconfig-'));
    file = path.join(folder, 'file');
    return () => rm(folder, { recursive: true });
  });

  it.each<{ user?: () => JsonObject; cluster?: () => JsonObject; where: string }>([
    { user: () => ({ exec: { command: file, args: ['get-token'] } }), where: 'exec.command' },
    { user: () => ({ exec: { command: 'aws', args: ['eks', 'get-token'] } }), where: 'exec.command' },
    {
      user: () => ({ 'auth-provider': { name: 'gcp', config: { 'cmd-path': file } } }),
      where: 'auth-provider',
    },
    { user: () => ({ tokenFile: file }), where: 'tokenFile' },
    { user: () => ({ token: world.token, tokenFile: file }), where: 'tokenFile' },
    { user: () => ({ 'client-certificate': file, 'client-key': file }), where: 'client-certificate' },
    { user: () => ({ token: world.token, 'client-key': file }), where: 'client-key' },
    { cluster: () => ({ 'certificate-authority': file }), where: 'certificate-authority' },
  ])('is refused at $where, and nothing is read, run or sent', async ({ user, cluster, where }) => {
    const trace = path.join(folder, 'was-run');
    await writeFile(file, `#!/bin/sh\ntouch '${trace}'\n# content-of-the-file\n`, { mode: 0o755 });
    world.secrets.push('content-of-the-file');
    const error = await world.failure(
      world
        .reach(server.url, {
          ...(user === undefined ? {} : { user: user() }),
          ...(cluster === undefined ? {} : { cluster: cluster() }),
        })
        .version(testCall()),
    );
    expect(error.code).toBe('INVALID_KUBECONFIG');
    expect(error.violations.some((violation) => violation.path.endsWith(where))).toBe(true);
    expect(server.requests).toEqual([]);
    expect(existsSync(trace)).toBe(false);
  });
});

it('a kubeconfig that cannot be read is not quoted', async () => {
  world.secrets.push('a-secret-in-broken-yaml');
  const kubeconfig = new Secret('users:\n- user:\n    token: a-secret-in-broken-yaml\n  bad: [\n');
  const cluster = world.kube(() => Promise.resolve({ kubeconfig, origin: 'azure' })).cluster(TEST_CLUSTER);
  expect((await world.failure(cluster.version(testCall()))).code).toBe('INVALID_KUBECONFIG');
});
