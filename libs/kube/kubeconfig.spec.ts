import { inspect } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ControlError } from '#libs/kernel/control-error.js';
import { Secret } from '#libs/kernel/secret.js';
import { TestAuthority, type TestCertificate } from '#libs/testing/test-certificates.js';
import { DEFAULT_KUBE_OPTIONS } from './kube.options.js';
import { parseKubeconfig, type Kubeconfig, type KubeconfigPolicy } from './kubeconfig.js';

const AKS = '6dae42f8-4368-4678-94ff-3960e28e3630';
const TENANT = '11111111-2222-3333-4444-555555555555';
const azure: KubeconfigPolicy = { ...DEFAULT_KUBE_OPTIONS, origin: 'azure' };
const attached: KubeconfigPolicy = { ...DEFAULT_KUBE_OPTIONS, origin: 'attached' };

interface Parts {
  cluster?: Record<string, unknown>;
  user?: Record<string, unknown>;
}

function config({ cluster = {}, user = { token: 'the-token' } }: Parts): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'main',
    clusters: [{ name: 'c', cluster: { server: 'https://api.example:6443', ...cluster } }],
    contexts: [{ name: 'main', context: { cluster: 'c', user: 'u', namespace: 'demo' } }],
    users: [{ name: 'u', user }],
  };
}

function parsed(parts: Parts, policy: KubeconfigPolicy = attached): Kubeconfig {
  return parseKubeconfig(new Secret(JSON.stringify(config(parts))), policy);
}

function refusal(text: string, policy: KubeconfigPolicy = attached): ControlError {
  try {
    parseKubeconfig(new Secret(text), policy);
  } catch (error) {
    if (error instanceof ControlError) return error;
    throw error;
  }
  throw new Error('It was not refused');
}

function refused(parts: Parts, policy: KubeconfigPolicy = attached): string[] {
  const error = refusal(JSON.stringify(config(parts)), policy);
  expect(error.code).toBe('INVALID_KUBECONFIG');
  return error.violations.map(({ path }) => path);
}

const kubelogin = (...args: string[]) => ({ exec: { command: 'kubelogin', args: ['get-token', ...args], env: null } });
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('a kubeconfig', () => {
  let authority: TestAuthority;
  let client: TestCertificate;
  let other: TestCertificate;

  beforeAll(async () => {
    authority = await TestAuthority.create();
    client = await authority.sign({ commonName: 'pilothouse' });
    other = await authority.sign({ commonName: 'other' });
  });

  it('is read as AKS writes it: YAML with a token and a client certificate', () => {
    const text = [
      'apiVersion: v1',
      'clusters:',
      '- cluster:',
      `    certificate-authority-data: ${base64(authority.certificate)}`,
      '    server: https://demo.hcp.eastus.azmk8s.io:443',
      '  name: demo',
      'contexts:',
      '- context:',
      '    cluster: demo',
      '    user: clusterUser_rg_demo',
      '  name: demo',
      'current-context: demo',
      'kind: Config',
      'preferences: {}',
      'users:',
      '- name: clusterUser_rg_demo',
      '  user:',
      `    client-certificate-data: ${base64(client.certificate)}`,
      `    client-key-data: ${base64(client.key)}`,
      '    token: 0123abcd',
    ].join('\n');
    const kubeconfig = parseKubeconfig(new Secret(text), azure);
    expect(kubeconfig).toMatchObject({
      server: 'https://demo.hcp.eastus.azmk8s.io',
      host: 'demo.hcp.eastus.azmk8s.io',
      namespace: null,
      certificateAuthority: authority.certificate,
      verifiesServer: true,
      proxy: null,
      authentication: { kind: 'token' },
    });
    const { authentication } = kubeconfig;
    if (authentication.kind !== 'token') throw new Error('It is no token');
    expect(authentication.token.reveal()).toBe('0123abcd');
    expect(authentication.clientCertificate?.key.reveal()).toBe(client.key);
  });

  it('shows nothing secret, however it is printed', () => {
    const kubeconfig = parsed({
      cluster: { 'proxy-url': 'http://me:PROXYSECRET@proxy.example:3128' },
      user: {
        token: 'TOKENSECRET',
        'client-certificate-data': base64(client.certificate),
        'client-key-data': base64(client.key),
      },
    });
    const shown = inspect(kubeconfig, { depth: 9 }) + JSON.stringify(kubeconfig);
    expect(shown).not.toMatch(/SECRET|PRIVATE KEY/);
  });

  it('keeps the path of a server that has one', () => {
    expect(parsed({ cluster: { server: 'https://gate.example/kubernetes/5c/' } }).server).toBe(
      'https://gate.example/kubernetes/5c',
    );
  });

  it.each([
    { change: { 'current-context': undefined }, reason: 'the only context, where none is the current one' },
    { change: { 'current-context': '' }, reason: 'the only context, where the current one is empty' },
  ])('uses $reason', ({ change }) => {
    const text = JSON.stringify({ ...config({}), ...change });
    expect(parseKubeconfig(new Secret(text), attached).namespace).toBe('demo');
  });

  it('looks at the current context only', () => {
    const document = config({});
    const text = JSON.stringify({
      ...document,
      users: [{ name: 'x', user: { exec: { command: '/bin/evil' } } }, ...(document.users as unknown[])],
    });
    expect(parseKubeconfig(new Secret(text), attached).authentication.kind).toBe('token');
  });

  it.each([
    { text: '', reason: 'nothing' },
    { text: 'null', reason: 'null' },
    { text: '[]', reason: 'a list' },
    { text: 'a: [', reason: 'broken YAML' },
    { text: 'a: 1\n---\nb: 2\n', reason: 'two documents' },
    { text: `${'['.repeat(200)}${']'.repeat(200)}`, reason: 'too deep' },
    { text: 'a: &a [x]\nb: [*a, *a]', reason: 'aliases, with which a little text becomes much' },
    { text: 'a: !!js/function "function () {}"', reason: 'a tag that makes code' },
    { text: `# ${'x'.repeat(1024 * 1024)}`, reason: 'too large' },
    { text: JSON.stringify({ ...config({}), clusters: undefined }), reason: 'no clusters' },
    { text: JSON.stringify({ ...config({}), 'current-context': 'other' }), reason: 'a context that is not there' },
    { text: JSON.stringify({ ...config({}), contexts: [] }), reason: 'no context at all' },
    { text: JSON.stringify({ ...config({}), users: [] }), reason: 'a user that is not there' },
    {
      text: JSON.stringify({
        ...config({}),
        'current-context': null,
        contexts: ['a', 'b'].map((name) => ({ name, context: { cluster: 'c', user: 'u' } })),
      }),
      reason: 'several contexts, none of which is the current one',
    },
  ])('is refused: $reason', ({ text }) => {
    expect(refusal(text)).toMatchObject({ code: 'INVALID_KUBECONFIG', remedy: expect.any(String) });
  });

  it('does not give away what it cannot read', () => {
    const error = refusal('users:\n- user:\n    token: TOPSECRET\n  bad: [\n');
    expect(inspect(error, { depth: 9 })).not.toContain('TOPSECRET');
    const wrong = refusal(JSON.stringify(config({ user: { token: ['TOPSECRET'] } })));
    expect(inspect(wrong, { depth: 9 })).not.toContain('TOPSECRET');
  });

  describe('the server', () => {
    it.each([
      { server: 'http://127.0.0.1:8001', reason: 'an address of this machine' },
      { server: 'http://localhost:8001', reason: 'a name of this machine' },
      { server: 'http://[::1]:8001', reason: 'an IPv6 address of this machine' },
    ])('may be asked without TLS at $reason', ({ server }) => {
      expect(parsed({ cluster: { server } }).server).toBe(server);
    });

    it.each([
      { server: 'http://api.example', reason: 'a token would go over the network in the clear' },
      { server: 'http://127.0.0.1.evil.example', reason: 'it only looks like this machine' },
      { server: 'http://169.254.169.254/metadata', reason: 'the metadata service' },
      { server: 'unix:///var/run/docker.sock', reason: 'no network at all' },
      { server: 'file:///etc/passwd', reason: 'a file' },
      { server: 'api.example:6443', reason: 'no address' },
      { server: 'https://user:password@api.example', reason: 'credentials in the address' },
      { server: 'https://api.example/?x=', reason: 'a query' },
    ])('is refused at $server: $reason', ({ server }) => {
      expect(refused({ cluster: { server } })).toContain('clusters.c.cluster.server');
    });

    it.each<{ cluster: Record<string, unknown>; path: string; reason: string }>([
      { cluster: { server: 'https://169.254.169.254' }, path: 'server', reason: 'a server' },
      { cluster: { server: 'https://[fe80::1]:6443' }, path: 'server', reason: 'a server with an address of IPv6' },
      { cluster: { 'proxy-url': 'http://169.254.169.254:3128' }, path: 'proxy-url', reason: 'a proxy' },
    ])('has no link-local address unless the operator allows it: $reason', ({ cluster, path }) => {
      for (const policy of [attached, azure]) {
        expect(refused({ cluster }, policy)).toContain(`clusters.c.cluster.${path}`);
      }
      expect(parsed({ cluster }, { ...attached, allowLinkLocal: true }).authentication.kind).toBe('token');
    });

    it('is not asked in plain http through a proxy, which would read what is sent', () => {
      const cluster = { server: 'http://127.0.0.1:8001', 'proxy-url': 'http://proxy.example' };
      expect(refused({ cluster })).toEqual(['clusters.c.cluster.proxy-url']);
    });

    it('is not trusted blindly unless a caller says so and the operator allows it', () => {
      const cluster = { 'insecure-skip-tls-verify': true };
      expect(refused({ cluster })).toEqual(['clusters.c.cluster.insecure-skip-tls-verify']);
      expect(refused({ cluster }, { ...azure, allowInsecureTls: true })).toHaveLength(1);
      expect(parsed({ cluster }, { ...attached, allowInsecureTls: true }).verifiesServer).toBe(false);
    });

    it('may have another name in its certificate', () => {
      expect(parsed({ cluster: { 'tls-server-name': 'kubernetes' } }).tlsServerName).toBe('kubernetes');
    });

    it.each([
      { proxy: 'socks5://proxy.example', policy: attached, reason: 'a kind that is not understood' },
      { proxy: 'nonsense', policy: attached, reason: 'no address' },
      { proxy: 'http://proxy.example', policy: azure, reason: 'Azure names none' },
    ])('is not reached through a proxy: $reason', ({ proxy, policy }) => {
      expect(refused({ cluster: { 'proxy-url': proxy } }, policy)).toContain('clusters.c.cluster.proxy-url');
    });

    it.each([
      { data: base64('no certificate'), reason: 'no PEM' },
      { data: 'not base64!', reason: 'no base64' },
      { data: base64('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'), reason: 'nothing behind it' },
    ])('is not checked against an authority that is $reason', ({ data }) => {
      expect(refused({ cluster: { 'certificate-authority-data': data } })).toEqual([
        'clusters.c.cluster.certificate-authority-data',
      ]);
    });
  });

  describe('what would read or run something here', () => {
    it.each([
      { cluster: { 'certificate-authority': '/etc/passwd' }, path: 'clusters.c.cluster.certificate-authority' },
      { user: { token: 't', 'client-certificate': '/etc/passwd' }, path: 'users.u.user.client-certificate' },
      { user: { token: 't', 'client-key': '../key' }, path: 'users.u.user.client-key' },
      { user: { tokenFile: '/var/run/secrets/token' }, path: 'users.u.user.tokenFile' },
      { user: { exec: { command: '/bin/sh', args: ['-c', 'id'] } }, path: 'users.u.user.exec.command' },
      { user: { exec: { command: 'aws', args: ['eks', 'get-token'] } }, path: 'users.u.user.exec.command' },
      { user: { exec: { command: 'kubelogin', args: ['convert'] } }, path: 'users.u.user.exec.command' },
      { user: { 'auth-provider': { name: 'gcp', config: { 'cmd-path': 'x' } } }, path: 'users.u.user.auth-provider' },
    ])('is refused at $path', ({ path, ...parts }) => {
      expect(refused(parts)).toContain(path);
    });
  });

  describe('authentication', () => {
    it.each([
      { user: {}, path: 'users.u.user.token', reason: 'none' },
      { user: { username: 'a', password: 'b', token: 't' }, path: 'users.u.user.username', reason: 'a password' },
      {
        user: { token: 't', as: 'root' },
        path: 'users.u.user.as',
        reason: 'somebody else, whom it would be ignored to be',
      },
      { user: { token: 'two\nlines' }, path: 'users.u.user.token', reason: 'a token that would break a header' },
      { user: { token: 't', ...kubelogin('--server-id', AKS) }, path: 'users.u.user.exec', reason: 'two ways at once' },
    ])('is refused: $reason', ({ user, path }) => {
      expect(refused({ user })).toContain(path);
    });

    it('by a client certificate alone is understood', () => {
      const user = {
        'client-certificate-data': base64(client.certificate),
        'client-key-data': base64(client.key),
        token: '',
      };
      expect(parsed({ user }).authentication.kind).toBe('clientCertificate');
    });

    it('by a certificate is refused when a half is missing, or the halves do not fit', () => {
      const certificate = base64(client.certificate);
      expect(refused({ user: { 'client-certificate-data': certificate } })).toContain('users.u.user.client-key-data');
      expect(
        refused({ user: { 'client-certificate-data': certificate, 'client-key-data': base64(other.key) } }),
      ).toEqual(['users.u.user.client-key-data']);
    });
  });

  describe('that calls kubelogin', () => {
    const entra = { kind: 'entra', serverId: AKS, tenantId: TENANT, environment: 'AzurePublicCloud' };

    it.each([
      {
        user: kubelogin(
          '--environment',
          'AzurePublicCloud',
          '--server-id',
          AKS,
          '--tenant-id',
          TENANT,
          '--login',
          'devicecode',
        ),
        expected: entra,
        reason: 'as AKS writes it',
      },
      {
        user: kubelogin(`--server-id=${AKS}`, `--tenant-id=${TENANT}`, '-e=AzureChinaCloud'),
        expected: { ...entra, environment: 'AzureChinaCloud' },
        reason: 'with equals signs and a short flag',
      },
      {
        user: {
          exec: {
            command: 'C:\\tools\\kubelogin.exe',
            args: ['get-token', '--server-id', AKS.toUpperCase(), '--pop-enabled=false'],
            env: [{ name: 'AZURE_TENANT_ID', value: TENANT }],
          },
        },
        expected: entra,
        reason: 'on Windows, with the tenant in the environment',
      },
      {
        user: kubelogin('--legacy', '--server-id', AKS),
        expected: { ...entra, tenantId: null },
        reason: 'with a bare flag and no tenant',
      },
      {
        user: {
          'auth-provider': { name: 'azure', config: { 'apiserver-id': AKS, 'tenant-id': TENANT, 'config-mode': '1' } },
        },
        expected: entra,
        reason: 'in the way of old clients',
      },
    ])('is understood and never run: $reason', ({ user, expected }) => {
      expect(parsed({ user }, azure).authentication).toEqual(expected);
    });

    it.each([
      { user: kubelogin('--tenant-id', TENANT), reason: 'no server application' },
      { user: kubelogin('--server-id', 'https://management.azure.com'), reason: 'another audience than a cluster' },
      { user: kubelogin('--oidc-issuer-url=https://issuer.example'), reason: 'the other plugin of this name' },
      { user: kubelogin('--server-id', AKS, '--pop-enabled', '--pop-claims', 'u=/x'), reason: 'tokens bound to a key' },
    ])('is refused: $reason', ({ user }) => {
      expect(refused({ user }, azure)).toContain('users.u.user.exec.args');
    });

    describe('and is attached by a caller', () => {
      const user = kubelogin('--server-id', AKS);
      const server = 'https://demo.hcp.eastus.azmk8s.io:443';

      it('may have our tokens sent to AKS', () => {
        expect(parsed({ cluster: { server }, user }).authentication.kind).toBe('entra');
      });

      it.each([
        { cluster: {}, path: 'server', reason: 'a server of the caller would collect them' },
        {
          cluster: { server: 'https://azmk8s.io.evil.example' },
          path: 'server',
          reason: 'a name that only looks like it',
        },
        { cluster: { server: 'https://evilazmk8s.io' }, path: 'server', reason: 'a name that only ends like it' },
        {
          cluster: { server, 'proxy-url': 'http://p.example' },
          path: 'proxy-url',
          reason: 'the proxy would read them',
        },
        {
          cluster: { server, 'insecure-skip-tls-verify': true },
          path: 'insecure-skip-tls-verify',
          reason: 'anybody in between would read them',
        },
      ])('is refused: $reason', ({ cluster, path }) => {
        expect(refused({ cluster, user }, { ...attached, allowInsecureTls: true })).toContain(
          `clusters.c.cluster.${path}`,
        );
      });

      it('may name a further host that the operator has listed', () => {
        const policy = { ...attached, entraHosts: ['api.example'] };
        expect(parsed({ user }, policy).authentication.kind).toBe('entra');
      });
    });
  });

  it('has a fingerprint that changes with every part of it', () => {
    const first = parsed({}).fingerprint;
    expect(parsed({}).fingerprint).toBe(first);
    expect(parsed({ user: { token: 'another' } }).fingerprint).not.toBe(first);
  });
});
