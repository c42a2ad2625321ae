import { createHash, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { load } from 'js-yaml';
import { z } from 'zod';
import { ControlError, type Violation } from '#libs/kernel/control-error.js';
import { Secret } from '#libs/kernel/secret.js';
import type { ProvidedKubeconfig } from './cluster-access.js';
import type { KubeOptions } from './kube.options.js';
import { isLinkLocal } from './link-local.rule.js';

const LARGEST_BYTES = 1024 * 1024;
const DEEPEST = 20;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const HEADER_SAFE = /^[\x21-\x7e]+$/;
const ATTACH = 'Attach a kubeconfig with the token of a service account, or with an embedded client certificate.';

const LINK_LOCAL =
  'No cluster is at a link-local address; where one is nevertheless, have the operator of Pilothouse allow it.';

export interface ClientCertificate {
  /** PEM. */
  certificate: Secret;
  /** PEM. */
  key: Secret;
}

export type KubeconfigAuthentication =
  | { kind: 'token'; token: Secret; clientCertificate?: ClientCertificate }
  | { kind: 'clientCertificate'; clientCertificate: ClientCertificate }
  /** What the plugin `kubelogin` would do: a token of Microsoft Entra ID for this application. */
  | { kind: 'entra'; serverId: string; tenantId: string | null; environment: string };

/** The one context of a kubeconfig that is used, with nothing in it that would make us read a file or run a program. */
export interface Kubeconfig {
  /** `https://host:port/path`, without a slash at the end. */
  server: string;
  /** Host and port, for messages. */
  host: string;
  namespace: string | null;
  /** PEM; null for the authorities that the machine trusts. */
  certificateAuthority: string | null;
  /** The name that the certificate has to have, where it is not the host's. */
  tlsServerName: string | null;
  verifiesServer: boolean;
  /** A proxy's address may hold a password. */
  proxy: Secret | null;
  authentication: KubeconfigAuthentication;
  /** Changes with the text, and tells nothing about it. */
  fingerprint: string;
}

export type KubeconfigPolicy = Pick<KubeOptions, 'allowInsecureTls' | 'allowLinkLocal' | 'entraHosts'> & {
  origin: ProvidedKubeconfig['origin'];
};

/** Kubeconfigs are written with null and `""` for "not given". */
const optionalText = z
  .string()
  .nullish()
  .transform((text) => (text === null || text === '' ? undefined : text));
const optionalFlag = z
  .boolean()
  .nullish()
  .transform((flag) => flag ?? false);
const textRecord = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((record) => record ?? {});

const clusterSchema = z.object({
  server: z.string(),
  'certificate-authority': optionalText,
  'certificate-authority-data': optionalText,
  'insecure-skip-tls-verify': optionalFlag,
  'tls-server-name': optionalText,
  'proxy-url': optionalText,
});
const execSchema = z.object({
  command: z.string(),
  args: z
    .array(z.string())
    .nullish()
    .transform((args) => args ?? []),
  env: z
    .array(z.object({ name: z.string(), value: z.string() }))
    .nullish()
    .transform((env) => env ?? []),
});
const userSchema = z.object({
  token: optionalText,
  tokenFile: optionalText,
  'client-certificate': optionalText,
  'client-certificate-data': optionalText,
  'client-key': optionalText,
  'client-key-data': optionalText,
  username: optionalText,
  password: optionalText,
  as: optionalText,
  'as-uid': optionalText,
  'as-groups': z.array(z.string()).nullish(),
  'as-user-extra': textRecord,
  exec: execSchema.nullish(),
  'auth-provider': z.object({ name: z.string(), config: textRecord }).nullish(),
});
const documentSchema = z.object({
  'current-context': optionalText,
  clusters: z.array(z.object({ name: z.string(), cluster: z.unknown() })),
  contexts: z.array(
    z.object({
      name: z.string(),
      context: z.object({ cluster: z.string(), user: z.string(), namespace: optionalText }),
    }),
  ),
  users: z.array(z.object({ name: z.string(), user: z.unknown() })),
});

type ClusterEntry = z.infer<typeof clusterSchema>;
type UserEntry = z.infer<typeof userSchema>;
type Exec = z.infer<typeof execSchema>;

/**
 * Reads the kubeconfig that was given, without trusting it: no file is read, no program is run, no secret gets into an
 * error. Only the current context counts (or the only one); the rest is not even looked at.
 * @throws ControlError INVALID_KUBECONFIG whose violations name the fields and say what to do.
 */
export function parseKubeconfig(text: Secret, policy: KubeconfigPolicy): Kubeconfig {
  const source = text.reveal();
  const document = checked(documentSchema, loaded(source), '');
  const context = chosenContext(document);
  const clusterPath = `clusters.${context.cluster}.cluster`;
  const userPath = `users.${context.user}.user`;
  const cluster = checked(clusterSchema, find(document.clusters, context.cluster, 'clusters').cluster, clusterPath);
  const user = checked(userSchema, find(document.users, context.user, 'users').user ?? {}, userPath);
  const faults = new Faults();
  const server = serverOf(cluster, policy, faults.at(clusterPath));
  const connection = connectionOf(cluster, policy, faults.at(clusterPath));
  const authentication = authenticationOf(user, faults.at(userPath));
  if (authentication?.kind === 'entra' && server !== undefined) {
    mayReceiveTokens(server, connection, policy, faults.at(clusterPath));
  }
  if (faults.violations.length > 0 || server === undefined || authentication === undefined) {
    throw faults.error();
  }
  return {
    server: server.href.replace(/\/+$/, ''),
    host: server.host,
    namespace: context.namespace ?? null,
    ...connection,
    authentication,
    fingerprint: createHash('sha256').update(policy.origin).update('\0').update(source).digest('hex'),
  };
}

/** Collects what is wrong, so that a caller is told everything at once. */
class Faults {
  readonly violations: Violation[] = [];

  /** Says what is wrong with a field of one part. */
  at(part: string): (field: string, message: string) => void {
    return (field, message) => this.violations.push({ path: `${part}.${field}`, message });
  }

  error(): ControlError {
    const [first, ...others] = this.violations;
    const rest = others.length === 0 ? '' : ` (and ${others.length} more)`;
    return new ControlError(
      'INVALID_KUBECONFIG',
      `The kubeconfig cannot be used: ${first === undefined ? 'it is not complete.' : `${first.path}: ${first.message}`}${rest}`,
      { violations: this.violations, remedy: ATTACH },
    );
  }
}

type Blame = ReturnType<Faults['at']>;

function invalid(path: string, message: string): ControlError {
  const faults = new Faults();
  faults.violations.push({ path, message });
  return faults.error();
}

function loaded(source: string): unknown {
  if (Buffer.byteLength(source) > LARGEST_BYTES) throw invalid('', 'It is larger than 1 MiB.');
  try {
    return load(source, { maxDepth: DEEPEST, maxAliases: 0 });
  } catch {
    // The parser's errors quote the text, secrets and all: nothing of them may go any further.
    throw invalid('', 'It is not YAML or JSON of one document, without anchors and of moderate depth.');
  }
}

function checked<T>(schema: z.ZodType<T>, value: unknown, part: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = new Faults();
  for (const { path, message } of result.error.issues) {
    faults.violations.push({ path: [part, ...path].filter((step) => step !== '').join('.'), message });
  }
  throw faults.error();
}

function find<T extends { name: string }>(entries: readonly T[], name: string, part: string): T {
  const entry = entries.find((candidate) => candidate.name === name);
  if (entry === undefined) throw invalid(part, `There is none of the name "${name}".`);
  return entry;
}

function chosenContext(document: z.infer<typeof documentSchema>): {
  cluster: string;
  user: string;
  namespace: string | undefined;
} {
  const current = document['current-context'];
  const [only, ...others] = document.contexts;
  if (current !== undefined) return find(document.contexts, current, 'contexts').context;
  if (only === undefined) throw invalid('contexts', 'There is none.');
  if (others.length > 0) throw invalid('current-context', 'There are several contexts: one has to be the current one.');
  return only.context;
}

function serverOf(cluster: ClusterEntry, policy: KubeconfigPolicy, blame: Blame): URL | undefined {
  const url = URL.canParse(cluster.server) ? new URL(cluster.server) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    blame('server', 'It is not an https address.');
    return undefined;
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    blame('server', 'Plain http is for addresses of this machine only: use https.');
  }
  if (url.protocol === 'http:' && cluster['proxy-url'] !== undefined) {
    blame('proxy-url', 'Plain http is for this machine only, and a proxy would read what is sent.');
  }
  if (isLinkLocal(url.hostname) && !policy.allowLinkLocal) blame('server', LINK_LOCAL);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    blame('server', 'It has a user, a query or a fragment, which the address of a server does not have.');
  }
  return url;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

type Connection = Pick<Kubeconfig, 'certificateAuthority' | 'tlsServerName' | 'verifiesServer' | 'proxy'>;

function connectionOf(cluster: ClusterEntry, policy: KubeconfigPolicy, blame: Blame): Connection {
  refuseFile(cluster, 'certificate-authority', blame);
  const authority = pemOf(cluster['certificate-authority-data'], 'certificate-authority-data', 'CERTIFICATE', blame);
  if (authority !== undefined && !isCertificate(authority)) {
    blame('certificate-authority-data', 'It holds no certificate that can be read.');
  }
  const verifiesServer = !cluster['insecure-skip-tls-verify'];
  if (!verifiesServer && (policy.origin !== 'attached' || !policy.allowInsecureTls)) {
    blame(
      'insecure-skip-tls-verify',
      'Servers are not trusted without a look at their certificate: embed certificate-authority-data, or have the operator of Pilothouse allow it.',
    );
  }
  const proxy = cluster['proxy-url'];
  if (proxy !== undefined) {
    if (policy.origin !== 'attached') blame('proxy-url', 'Only an attached kubeconfig may name a proxy.');
    const url = URL.canParse(proxy) ? new URL(proxy) : undefined;
    if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
      blame('proxy-url', 'Only http and https proxies are understood.');
    } else if (isLinkLocal(url.hostname) && !policy.allowLinkLocal) {
      blame('proxy-url', LINK_LOCAL);
    }
  }
  return {
    certificateAuthority: authority ?? null,
    tlsServerName: cluster['tls-server-name'] ?? null,
    verifiesServer,
    proxy: proxy === undefined ? null : new Secret(proxy),
  };
}

function authenticationOf(user: UserEntry, blame: Blame): KubeconfigAuthentication | undefined {
  for (const field of ['tokenFile', 'client-certificate', 'client-key'] as const) refuseFile(user, field, blame);
  if (user.username !== undefined || user.password !== undefined) {
    blame('username', `No server takes user names and passwords any more. ${ATTACH}`);
  }
  const impersonates =
    user.as !== undefined ||
    user['as-uid'] !== undefined ||
    (user['as-groups'] ?? []).length > 0 ||
    Object.keys(user['as-user-extra']).length > 0;
  if (impersonates) {
    blame('as', 'Pilothouse does not impersonate: give it a credential with exactly the rights that it is to have.');
  }
  const clientCertificate = clientCertificateOf(user, blame);
  const exec = user.exec ?? undefined;
  const provider = user['auth-provider'] ?? undefined;
  const hasStatic = user.token !== undefined || clientCertificate !== undefined;
  if ([hasStatic, exec !== undefined, provider !== undefined].filter(Boolean).length > 1) {
    blame('exec', 'There is more than one way of authentication: leave one.');
  }
  if (exec !== undefined) return entraOfKubelogin(exec, blame);
  if (provider !== undefined) return entraOfProvider(provider, blame);
  if (user.token !== undefined) {
    if (!HEADER_SAFE.test(user.token)) blame('token', 'It has characters that no token has.');
    const token = new Secret(user.token);
    return clientCertificate === undefined ? { kind: 'token', token } : { kind: 'token', token, clientCertificate };
  }
  if (clientCertificate !== undefined) return { kind: 'clientCertificate', clientCertificate };
  blame('token', `There is no credential that can be used. ${ATTACH}`);
  return undefined;
}

/** Files of this machine are nobody's business: a kubeconfig could name any of them. */
function refuseFile<Field extends string>(
  entry: Record<Field, string | undefined>,
  field: Field & ('certificate-authority' | 'client-certificate' | 'client-key' | 'tokenFile'),
  blame: Blame,
): void {
  if (entry[field] === undefined) return;
  const remedy =
    field === 'tokenFile'
      ? 'put the token itself in `token`'
      : `embed it as \`${field}-data\` (kubectl config view --flatten)`;
  blame(field, `It names a file, and files are never read: ${remedy}.`);
}

function clientCertificateOf(user: UserEntry, blame: Blame): ClientCertificate | undefined {
  const certificateData = user['client-certificate-data'];
  const keyData = user['client-key-data'];
  if (certificateData === undefined && keyData === undefined) return undefined;
  const certificate = pemOf(certificateData, 'client-certificate-data', 'CERTIFICATE', blame);
  const key = pemOf(keyData, 'client-key-data', 'PRIVATE KEY', blame);
  if (certificateData === undefined) blame('client-certificate-data', 'There is a key without a certificate.');
  if (keyData === undefined) blame('client-key-data', 'There is a certificate without a key.');
  if (certificate === undefined || key === undefined) return undefined;
  try {
    createSecureContext({ cert: certificate, key });
  } catch {
    // OpenSSL's words say nothing that helps, and its errors carry what it was given.
    blame('client-key-data', 'Certificate and key cannot be read, or do not belong together.');
  }
  return { certificate: new Secret(certificate), key: new Secret(key) };
}

function pemOf(data: string | undefined, field: string, label: string, blame: Blame): string | undefined {
  if (data === undefined) return undefined;
  const compact = data.replaceAll(/\s/g, '');
  const text = /^[A-Za-z0-9+/]+={0,2}$/.test(compact) ? Buffer.from(compact, 'base64').toString('utf8') : '';
  if (new RegExp(`-----BEGIN [A-Z ]*${label}-----`).test(text)) return text;
  blame(field, `It is not the base64 text of a PEM ${label.toLowerCase()}.`);
  return undefined;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    // Whatever OpenSSL minds, it is no certificate that could be used.
    return false;
  }
}

/** `kubelogin get-token`, whose job is done here with the identity of Pilothouse; nothing is ever run. */
function entraOfKubelogin(exec: Exec, blame: Blame): KubeconfigAuthentication | undefined {
  const command = exec.command.split(/[/\\]/).at(-1) ?? '';
  if (!/^kubelogin(\.exe)?$/i.test(command) || !exec.args.includes('get-token')) {
    blame('exec.command', `Programs are never run; only \`kubelogin get-token\` is understood. ${ATTACH}`);
    return undefined;
  }
  const flags = flagsOf(exec.args);
  if (flags.get('pop-enabled') === 'true' || flags.has('pop-claims')) {
    blame('exec.args', `Proof-of-possession tokens are not supported. ${ATTACH}`);
  }
  const environment = new Map(exec.env.map(({ name, value }) => [name, value]));
  return entra(
    flags.get('server-id'),
    flags.get('tenant-id') ?? flags.get('t') ?? environment.get('AZURE_TENANT_ID'),
    flags.get('environment') ?? flags.get('e') ?? environment.get('AZURE_ENVIRONMENT'),
    (message) => {
      blame('exec.args', `--server-id: ${message}`);
    },
  );
}

/** `--name value`, `--name=value`, `-n value`, and bare flags, which are `true`. */
function flagsOf(args: readonly string[]): Map<string, string> {
  const flags = new Map<string, string>();
  for (const [index, argument] of args.entries()) {
    const [, name, value] = /^--?([a-z][-a-z]*)(?:=(.*))?$/s.exec(argument) ?? [];
    if (name === undefined) continue;
    const next = args[index + 1];
    flags.set(name, value ?? (next === undefined || next.startsWith('-') ? 'true' : next));
  }
  return flags;
}

function entraOfProvider(
  provider: { name: string; config: Record<string, unknown> },
  blame: Blame,
): KubeconfigAuthentication | undefined {
  if (provider.name !== 'azure') {
    blame('auth-provider', `Only the provider "azure" is understood. ${ATTACH}`);
    return undefined;
  }
  const value = (name: string): string | undefined => {
    const text = provider.config[name];
    return typeof text === 'string' && text !== '' ? text : undefined;
  };
  return entra(value('apiserver-id'), value('tenant-id'), value('environment'), (message) => {
    blame('auth-provider.config.apiserver-id', message);
  });
}

function entra(
  serverId: string | undefined,
  tenantId: string | undefined,
  environment: string | undefined,
  blame: (message: string) => void,
): KubeconfigAuthentication | undefined {
  if (serverId === undefined || !UUID.test(serverId)) {
    blame('It does not name the id of the server application, a uuid.');
    return undefined;
  }
  return {
    kind: 'entra',
    serverId: serverId.toLowerCase(),
    tenantId: tenantId ?? null,
    environment: environment ?? 'AzurePublicCloud',
  };
}

/** A token of our identity opens every cluster that we may use, so it must not go wherever a caller likes. */
function mayReceiveTokens(server: URL, connection: Connection, policy: KubeconfigPolicy, blame: Blame): void {
  if (policy.origin === 'azure') return;
  const hostname = server.hostname.toLowerCase();
  const isKnown = policy.entraHosts.some((end) => (end.startsWith('.') ? hostname.endsWith(end) : hostname === end));
  if (!isKnown) {
    blame(
      'server',
      `Tokens of Pilothouse's own identity are sent to API servers of AKS only, and this is none. ${ATTACH}`,
    );
  }
  if (connection.proxy !== null) {
    blame('proxy-url', "Tokens of Pilothouse's own identity are not sent through a proxy that a caller names.");
  }
  if (!connection.verifiesServer) {
    blame(
      'insecure-skip-tls-verify',
      "Tokens of Pilothouse's own identity are not sent to a server that is not checked.",
    );
  }
}
