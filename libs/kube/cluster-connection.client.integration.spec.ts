import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, createServer as createNetServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ControlErrorCode } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubeWorld, testCall, type ReachOptions } from '#libs/testing/kube-world.js';
import { says, type Answer } from '#libs/testing/test-api-server.js';
import { TestAuthority, type TestCertificate } from '#libs/testing/test-certificates.js';
import type { KubeOptions } from './kube.options.js';

const VERSION = { gitVersion: 'v1.32.4', platform: 'linux/amd64' };
const base64 = (text: string): string => Buffer.from(text).toString('base64');

let authority: TestAuthority;
let world: KubeWorld;

beforeAll(async () => {
  authority = await TestAuthority.create();
});

beforeEach(async () => {
  world = await KubeWorld.create(authority);
});

afterEach(() => world.close());

async function listening<T extends Server>(server: T): Promise<T> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    // Ours break connections off on purpose.
    socket.on('error', () => undefined);
  });
  world.closing({
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  });
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

describe('the certificate of a server', () => {
  let other: TestAuthority;
  let renamed: TestCertificate;
  let expired: TestCertificate;

  beforeAll(async () => {
    other = await TestAuthority.create();
    renamed = await authority.sign({ commonName: 'kubernetes', hosts: ['kubernetes.default'] });
    expired = await authority.sign({ commonName: 'old', hosts: ['127.0.0.1'], days: -1 });
  });

  const allowed = { options: { allowInsecureTls: true } };
  const skipping = { 'insecure-skip-tls-verify': true, 'certificate-authority-data': null };

  it.each<{ certificate: () => TestCertificate; reach?: () => ReachOptions; reason: string }>([
    { certificate: () => world.certificate, reason: 'it is signed by the authority of the kubeconfig' },
    {
      certificate: () => renamed,
      reach: () => ({ cluster: { 'tls-server-name': 'kubernetes.default' } }),
      reason: 'it has the name that the kubeconfig says',
    },
    {
      certificate: () => expired,
      reach: () => ({ cluster: skipping, ...allowed }),
      reason: 'the caller does not want it looked at, and the operator allows that',
    },
  ])('is taken: $reason', async ({ certificate, reach }) => {
    const server = await world.server(certificate());
    expect(await world.reach(server.url, reach?.()).version(testCall())).toEqual(VERSION);
  });

  it.each<{
    certificate?: () => TestCertificate;
    reach?: () => ReachOptions;
    code: ControlErrorCode;
    externalCode?: string;
    reason: string;
  }>([
    {
      reach: () => ({ cluster: { 'certificate-authority-data': null } }),
      code: 'KUBERNETES_UNAVAILABLE',
      externalCode: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      reason: 'its authority is known to nobody',
    },
    {
      reach: () => ({ cluster: { 'certificate-authority-data': base64(other.certificate) } }),
      code: 'KUBERNETES_UNAVAILABLE',
      externalCode: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      reason: 'another authority is the one to be trusted',
    },
    {
      certificate: () => renamed,
      code: 'KUBERNETES_UNAVAILABLE',
      externalCode: 'ERR_TLS_CERT_ALTNAME_INVALID',
      reason: 'it is made for another name',
    },
    {
      reach: () => ({ cluster: { 'tls-server-name': 'kubernetes.default' } }),
      code: 'KUBERNETES_UNAVAILABLE',
      externalCode: 'ERR_TLS_CERT_ALTNAME_INVALID',
      reason: 'it does not have the name that the kubeconfig says',
    },
    {
      certificate: () => expired,
      code: 'KUBERNETES_UNAVAILABLE',
      externalCode: 'CERT_HAS_EXPIRED',
      reason: 'it has expired',
    },
    {
      reach: () => ({ cluster: skipping }),
      code: 'INVALID_KUBECONFIG',
      reason: 'the operator allows nobody not to look at it',
    },
    {
      reach: () => ({ cluster: skipping, origin: 'azure', ...allowed }),
      code: 'INVALID_KUBECONFIG',
      reason: 'what Azure gives has to be looked at in any case',
    },
  ])('is not taken, nothing is sent and nothing repeated: $reason', async ({ certificate, reach, ...expected }) => {
    const server = await world.server(certificate?.());
    const error = await world.failure(world.reach(server.url, reach?.()).version(testCall()));
    expect(error).toMatchObject({ code: expected.code, retryable: false, remedy: expect.any(String) });
    if (expected.externalCode !== undefined) expect(error.externalCode).toBe(expected.externalCode);
    expect(server.requests).toEqual([]);
    expect(world.pauses).toEqual([]);
  });
});

describe('a client certificate', () => {
  it.each([
    { more: {}, authorization: undefined, reason: 'by itself' },
    { more: { token: 'with-a-token' }, authorization: 'Bearer with-a-token', reason: 'together with a token' },
  ])('is shown $reason', async ({ more, authorization }) => {
    const server = await world.server(undefined, { requestCert: true, ca: authority.certificate });
    const client = await authority.sign({ commonName: 'pilothouse' });
    const user = {
      'client-certificate-data': base64(client.certificate),
      'client-key-data': base64(client.key),
      ...more,
    };
    await world.reach(server.url, { user }).version(testCall());
    expect(server.requests[0]?.clientName).toBe('pilothouse');
    expect(server.requests[0]?.headers.authorization).toBe(authorization);
  });
});

describe('a proxy', () => {
  const password = 'proxy-password-7d1c';

  /** Lets everything through; keeps what it could read. */
  async function proxy(answer = 'HTTP/1.1 200 Connection established\r\n\r\n', certificate?: TestCertificate) {
    const asked: { target: string; authorization: string | undefined }[] = [];
    const read: Buffer[] = [];
    const tls = certificate === undefined ? undefined : { cert: certificate.certificate, key: certificate.key };
    const server = await listening(tls === undefined ? createServer() : createTlsServer(tls));
    server.on('connect', (request: IncomingMessage, socket: Socket) => {
      asked.push({ target: request.url ?? '', authorization: request.headers['proxy-authorization'] });
      socket.write(answer);
      if (!answer.startsWith('HTTP/1.1 200')) {
        socket.end();
        return;
      }
      const onward = connect(Number(request.url?.split(':')[1]), '127.0.0.1');
      // Both ends are broken off when the test is over.
      onward.on('error', () => undefined);
      socket.on('close', () => onward.destroy());
      socket.on('data', (part: Buffer) => read.push(part));
      socket.pipe(onward).pipe(socket);
    });
    world.secrets.push(password, Buffer.from(`me:${password}`).toString('base64'));
    const scheme = tls === undefined ? 'http' : 'https';
    return { url: `${scheme}://me:${password}@127.0.0.1:${portOf(server)}`, asked, read };
  }

  it('is gone through, cannot read what is sent, and is told its password', async () => {
    const server = await world.server();
    const { url, asked, read } = await proxy();
    expect(await world.reach(server.url, { cluster: { 'proxy-url': url } }).version(testCall())).toEqual(VERSION);
    const authorization = `Basic ${Buffer.from(`me:${password}`).toString('base64')}`;
    expect(asked).toEqual([{ target: `127.0.0.1:${server.port}`, authorization }]);
    expect(server.requests[0]?.headers.authorization).toBe(`Bearer ${world.token}`);
    expect(server.requests[0]?.headers['proxy-authorization']).toBeUndefined();
    expect(Buffer.concat(read).length).toBeGreaterThan(0);
    expect(Buffer.concat(read).toString('latin1')).not.toContain(world.token);
  });

  it('does not stand for the server: its certificate is looked at as without it', async () => {
    const server = await world.server(await authority.sign({ commonName: 'x', hosts: ['other.example'] }));
    const { url } = await proxy();
    const error = await world.failure(world.reach(server.url, { cluster: { 'proxy-url': url } }).version(testCall()));
    expect(error.externalCode).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(server.requests).toEqual([]);
  });

  it.each([
    { answer: 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', reason: 'it wants another password' },
    { answer: 'HTTP/1.1 403 Forbidden\r\n\r\n', reason: 'it does not let through' },
  ])('that refuses is a passing trouble: $reason', async ({ answer }) => {
    const server = await world.server();
    const { url } = await proxy(answer);
    const error = await world.failure(world.reach(server.url, { cluster: { 'proxy-url': url } }).version(testCall()));
    expect(error).toMatchObject({ code: 'KUBERNETES_UNAVAILABLE', retryable: true });
    expect(server.requests).toEqual([]);
  });

  it('with a certificate that nobody vouches for is told no password', async () => {
    const server = await world.server();
    const { url, asked } = await proxy(undefined, world.certificate);
    const cluster = { 'proxy-url': url, 'insecure-skip-tls-verify': true, 'certificate-authority-data': null };
    const reach = world.reach(server.url, { cluster, options: { allowInsecureTls: true } });
    const error = await world.failure(reach.version(testCall()));
    expect(error.code).toBe('KUBERNETES_UNAVAILABLE');
    expect(asked).toEqual([]);
  });

  it('is given up when no connection to it comes about', async () => {
    const silent = await listening(createNetServer());
    const cluster = { 'proxy-url': `https://127.0.0.1:${portOf(silent)}` };
    const options = { connectTimeoutMs: 50, requestTimeoutMs: 60_000 };
    const error = await world.failure(world.reach('https://api.example', { cluster, options }).version(testCall()));
    expect(error.code).toBe('KUBERNETES_TIMEOUT');
  });
});

describe('where a kubeconfig may lead', () => {
  it.each<{ server: string; cluster?: JsonObject; path?: string; reason: string }>([
    { server: 'https://169.254.169.254', reason: 'the metadata service' },
    { server: 'https://2852039166', reason: 'the same in other figures' },
    { server: 'https://[::ffff:169.254.169.254]:443', reason: 'the same as an IPv6 address' },
    { server: 'https://[fe80::1]', reason: 'a link-local address of IPv6' },
    { server: 'http://169.254.169.254', reason: 'the metadata service in plain http' },
    { server: 'http://10.0.0.1', reason: 'plain http over a network' },
    { server: 'unix:///var/run/docker.sock', reason: 'a socket' },
    { server: 'http+unix://%2Fvar%2Frun%2Fdocker.sock', reason: 'a socket in other words' },
    { server: 'file:///etc/kubernetes/admin.conf', reason: 'a file' },
    { server: 'gopher://127.0.0.1:6379/_', reason: 'another protocol' },
    {
      server: 'https://api.example',
      cluster: { 'proxy-url': 'http://169.254.169.254' },
      path: 'proxy-url',
      reason: 'a proxy that is the metadata service',
    },
    {
      server: 'https://api.example',
      cluster: { 'proxy-url': 'unix:///var/run/docker.sock' },
      path: 'proxy-url',
      reason: 'a proxy that is a socket',
    },
    {
      server: 'http://127.0.0.1:8001',
      cluster: { 'proxy-url': 'http://proxy.example' },
      path: 'proxy-url',
      reason: 'plain http that a proxy would read',
    },
  ])('is not $server: $reason', async ({ server, cluster = {}, path = 'server' }) => {
    const error = await world.failure(world.reach(server, { cluster }).version(testCall()));
    expect(error.code).toBe('INVALID_KUBECONFIG');
    expect(error.violations.map((violation) => violation.path)).toContain(`clusters.c.cluster.${path}`);
  });

  it.each<{ server: string; cluster?: JsonObject; reason: string }>([
    { server: 'https://metadata.example', reason: 'a server' },
    {
      server: 'https://api.example',
      cluster: { 'proxy-url': 'http://metadata.example' },
      reason: 'a proxy',
    },
  ])('is no link-local address to which the name of $reason leads', async ({ server, cluster = {} }) => {
    world.names.set('metadata.example', '169.254.169.254');
    const error = await world.failure(world.reach(server, { cluster }).version(testCall()));
    expect(error).toMatchObject({ code: 'INVALID_KUBECONFIG', retryable: false });
    expect(world.pauses).toEqual([]);
  });

  it('is looked at for every connection: a name that leads elsewhere later is refused then', async () => {
    const server = await world.server(await authority.sign({ commonName: 'x', hosts: ['api.example'] }));
    const reach = world.reach(`https://api.example:${server.port}`);
    server.answer = says(200, VERSION, { connection: 'close' });
    expect(await reach.version(testCall())).toEqual(VERSION);
    world.names.set('api.example', '169.254.169.254');
    expect((await world.failure(reach.version(testCall()))).code).toBe('INVALID_KUBECONFIG');
    expect(server.requests).toHaveLength(1);
  });

  it.each([301, 302, 307, 308])('is not where a redirection (%d) points', async (status) => {
    const elsewhere = await world.server();
    const server = await world.server();
    server.answer = says(status, '', { location: `${elsewhere.url}/version` });
    const error = await world.failure(world.reach(server.url).version(testCall()));
    expect(error.code).toBe('KUBERNETES_UNEXPECTED_ANSWER');
    expect(elsewhere.requests).toEqual([]);
    expect(server.requests).toHaveLength(1);
  });
});

describe('an answer', () => {
  const versionText = JSON.stringify(VERSION);
  const zipped = gzipSync(versionText);
  const raw =
    (headers: Record<string, string | number>, body: Buffer | string, then: 'end' | 'break' = 'end'): Answer =>
    (_request, response) => {
      response.writeHead(200, headers);
      response.write(body, () => (then === 'end' ? response.end() : response.socket?.destroy()));
    };

  it('may be compressed', async () => {
    const server = await world.server();
    server.answer = raw({ 'content-encoding': 'gzip' }, zipped);
    expect(await world.reach(server.url).version(testCall())).toEqual(VERSION);
    expect(server.requests[0]?.headers['accept-encoding']).toBe('gzip');
  });

  it.each<{ answer: Answer; code: ControlErrorCode; sent: number; reason: string }>([
    {
      answer: says(200, JSON.stringify({ ...VERSION, padding: 'x'.repeat(2000) })),
      code: 'KUBERNETES_UNEXPECTED_ANSWER',
      sent: 1,
      reason: 'too large',
    },
    {
      answer: raw({ 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(1_000_000, ' '))),
      code: 'KUBERNETES_UNEXPECTED_ANSWER',
      sent: 1,
      reason: 'small, and too large once it is unpacked',
    },
    { answer: says(200, '<html>login</html>'), code: 'KUBERNETES_UNEXPECTED_ANSWER', sent: 1, reason: 'no JSON' },
    { answer: says(200, '[]'), code: 'KUBERNETES_UNEXPECTED_ANSWER', sent: 1, reason: 'JSON, but no object' },
    { answer: says(200, ''), code: 'KUBERNETES_UNEXPECTED_ANSWER', sent: 1, reason: 'empty' },
    { answer: says(200, {}), code: 'KUBERNETES_UNEXPECTED_ANSWER', sent: 1, reason: 'something else' },
    {
      answer: says(200, { ...VERSION, gitVersion: 'v'.repeat(500) }),
      code: 'KUBERNETES_UNEXPECTED_ANSWER',
      sent: 1,
      reason: 'a version that is none and would be stored',
    },
    {
      answer: raw({}, versionText.slice(0, 20)),
      code: 'KUBERNETES_UNEXPECTED_ANSWER',
      sent: 1,
      reason: 'half of it, orderly ended',
    },
    {
      answer: raw({ 'content-length': 500 }, versionText, 'break'),
      code: 'KUBERNETES_UNAVAILABLE',
      sent: 4,
      reason: 'cut off before its length',
    },
    { answer: raw({}, versionText, 'break'), code: 'KUBERNETES_UNAVAILABLE', sent: 4, reason: 'cut off in a chunk' },
    {
      answer: raw({ 'content-encoding': 'gzip' }, zipped.subarray(0, 30)),
      code: 'KUBERNETES_UNAVAILABLE',
      sent: 4,
      reason: 'compressed, and cut off',
    },
    {
      answer: raw({ 'content-encoding': 'gzip' }, versionText),
      code: 'KUBERNETES_UNAVAILABLE',
      sent: 4,
      reason: 'said to be compressed, and is not',
    },
    {
      answer: (_request, response) => response.socket?.destroy(),
      code: 'KUBERNETES_UNAVAILABLE',
      sent: 4,
      reason: 'none at all',
    },
  ])('is refused: $reason', async ({ answer, code, sent }) => {
    const server = await world.server();
    server.answer = answer;
    const reach = world.reach(server.url, { options: { largestAnswerBytes: 1000 } });
    expect((await world.failure(reach.version(testCall()))).code).toBe(code);
    expect(server.requests).toHaveLength(sent);
  });
});

describe('what takes too long', () => {
  const half: Answer = (_request, response) => response.writeHead(200).write('{"gitVersion":');

  it.each<{ answer: Answer; reason: string }>([
    { answer: () => undefined, reason: 'not a word comes back' },
    { answer: half, reason: 'the answer stops in the middle' },
  ])('is given up, and asked for once: $reason', async ({ answer }) => {
    const server = await world.server();
    server.answer = answer;
    const error = await world.failure(
      world.reach(server.url, { options: { requestTimeoutMs: 100 } }).version(testCall()),
    );
    expect(error).toMatchObject({ code: 'KUBERNETES_TIMEOUT', retryable: true, remedy: expect.any(String) });
    // The connection is not left open either.
    await server.requests[0]?.over;
    expect(server.requests).toHaveLength(1);
  });

  it.each<{ options: Partial<KubeOptions>; reason: string }>([
    { options: { connectTimeoutMs: 50, requestTimeoutMs: 60_000 }, reason: 'the time for connecting is over' },
    { options: { connectTimeoutMs: 60_000, requestTimeoutMs: 50 }, reason: 'the time for the request is over' },
  ])('is given up while it connects: $reason', async ({ options }) => {
    const silent = await listening(createNetServer());
    const reach = world.reach(`https://127.0.0.1:${portOf(silent)}`, { options });
    expect((await world.failure(reach.version(testCall()))).code).toBe('KUBERNETES_TIMEOUT');
  });

  it('is repeated where nothing was sent: nobody listens', async () => {
    const gone = await listening(createNetServer());
    const port = portOf(gone);
    gone.close();
    await once(gone, 'close');
    const error = await world.failure(world.reach(`https://127.0.0.1:${port}`).version(testCall()));
    expect(error).toMatchObject({ code: 'KUBERNETES_UNAVAILABLE', externalCode: 'ECONNREFUSED', retryable: true });
    expect(world.pauses).toHaveLength(3);
  });

  it('ends with its signal while it connects', async () => {
    const silent = await listening(createNetServer());
    const options = { connectTimeoutMs: 60_000, requestTimeoutMs: 60_000 };
    const abort = new AbortController();
    const connected = once(silent, 'connection');
    const asked = world.reach(`https://127.0.0.1:${portOf(silent)}`, { options }).version(testCall(abort.signal));
    await connected;
    const reason = new Error('Enough');
    abort.abort(reason);
    await expect(asked).rejects.toBe(reason);
  });

  it.each<{ answer: Answer; reason: string }>([
    { answer: () => undefined, reason: 'before it is answered' },
    { answer: half, reason: 'in the middle of the answer' },
  ])('ends with its signal, $reason', async ({ answer }) => {
    const server = await world.server();
    server.answer = answer;
    const abort = new AbortController();
    const asked = world.reach(server.url).version(testCall(abort.signal));
    await server.received(1);
    const reason = new Error('Enough');
    abort.abort(reason);
    await expect(asked).rejects.toBe(reason);
    await server.requests[0]?.over;
    expect(world.pauses).toEqual([]);
  });
});
