import { createPrivateKey } from 'node:crypto';
import { z } from 'zod';
import { Secret } from '#libs/kernel/secret.js';
import { setting } from './setting.js';

const SUBSCRIPTION = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const text = z.string().trim();
const secretText = text.transform((value) => new Secret(value));
const port = z.coerce.number('must be a number').int().min(0).max(65_535);

function isEd25519Key(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'ed25519';
  } catch (error) {
    // Whatever the parser has to say would quote the key.
    if (Error.isError(error)) return false;
    throw error;
  }
}

function integer(minimum: number, maximum: number) {
  return z.coerce.number('must be a number').int('must be a whole number').min(minimum).max(maximum);
}

const names = text.transform((value) => value.split(/[\s,]+/).filter((name) => name !== ''));

const bearerToken = text
  .min(1)
  .max(512)
  .regex(/^[A-Za-z0-9\-._~+/]+=*$/, 'may hold only what a bearer token may (RFC 6750): letters, digits and -._~+/')
  .transform((value) => new Secret(value));

/** A principal of the configuration. */
export interface NamedToken {
  name: string;
  role: (typeof ROLE_NAMES)[number];
  token: Secret;
}

const ROLE_NAMES = ['viewer', 'operator', 'admin'] as const;
const PRINCIPAL_NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$/;
/** The principals of PILOTHOUSE_TOKEN and PILOTHOUSE_VIEWER_TOKEN. */
const RESERVED_NAMES: ReadonlySet<string> = new Set(['administrator', 'viewer']);
const OPERATION_PATTERN = /^(\*|[a-zA-Z]+(\.[a-zA-Z]+)*(\.\*)?)$/;

/** Every key there is. The configuration's type, the faults at boot and docs/configuration.md all come from here. */
export const settings = {
  databaseUrl: setting(
    text
      .regex(/^postgres(ql)?:\/\//, 'must start with postgres://')
      .refine((value) => URL.canParse(value), 'is no URL')
      .transform((value) => new Secret(value)),
    {
      variable: 'DATABASE_URL',
      description: 'The Postgres database (16 or newer), `postgres://user:password@host:port/name`.',
      required: true,
      secret: true,
    },
  ),
  databasePoolSize: setting(integer(4, 500), {
    variable: 'DATABASE_POOL_SIZE',
    description: 'Connections that one process holds at most.',
    default: '20',
  }),
  statementTimeoutMs: setting(integer(100, 600_000), {
    variable: 'DATABASE_STATEMENT_TIMEOUT_MS',
    description: 'Milliseconds after which Postgres gives a single statement up.',
    default: '30000',
  }),
  host: setting(text.min(1), {
    variable: 'HOST',
    description: 'The address that the API listens on.',
    default: '127.0.0.1',
  }),
  port: setting(port, { variable: 'PORT', description: 'The port that the API listens on.', default: '3000' }),
  workerHost: setting(text.min(1), {
    variable: 'WORKER_HOST',
    description: 'The address on which the worker answers `/livez`, `/readyz` and `/metrics`.',
    default: '127.0.0.1',
  }),
  workerPort: setting(port, {
    variable: 'WORKER_PORT',
    description: 'The port of the worker’s health and metrics; 0 takes any free one.',
    default: '3001',
  }),
  logLevel: setting(z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']), {
    variable: 'LOG_LEVEL',
    description: 'How much is logged: `trace`, `debug`, `info`, `warn`, `error` or `silent`.',
    default: 'info',
  }),
  adminToken: setting(bearerToken, {
    variable: 'PILOTHOUSE_TOKEN',
    description:
      'The bearer token of the bootstrap administrator. A new value replaces the old token at the next start; without it ' +
      'the bootstrap administrator has none.',
    secret: true,
  }),
  viewerToken: setting(bearerToken, {
    variable: 'PILOTHOUSE_VIEWER_TOKEN',
    description: 'A bearer token that may only read (role `viewer`).',
    secret: true,
  }),
  tokens: setting(
    text.transform((value, context): NamedToken[] => {
      const entries = value.split(/[\s,]+/).filter((entry) => entry !== '');
      const read = entries.map((entry, index) => {
        const [name = '', role = '', ...rest] = entry.split(':');
        const token = bearerToken.safeParse(rest.join(':'));
        const isRole = (ROLE_NAMES as readonly string[]).includes(role);
        if (!PRINCIPAL_NAME.test(name) || RESERVED_NAMES.has(name)) {
          context.addIssue(
            `entry ${index + 1}: the name is missing, reserved or has other characters than letters, digits and .-_@`,
          );
        } else if (!isRole) context.addIssue(`entry ${index + 1}: the role must be one of ${ROLE_NAMES.join(', ')}`);
        else if (!token.success)
          context.addIssue(`entry ${index + 1}: the token is not one that a bearer token may be`);
        return { name, role: role as NamedToken['role'], token: token.data ?? new Secret('') };
      });
      if (new Set(read.map(({ name }) => name)).size < read.length) context.addIssue('a name is there twice');
      if (new Set(read.map(({ token }) => token.reveal())).size < read.length)
        context.addIssue('a token is there twice');
      return read;
    }),
    {
      variable: 'PILOTHOUSE_TOKENS',
      description:
        'Further principals with their bearer tokens, `name:role:token`, separated by commas; the roles are `viewer`, `operator` ' +
        'and `admin`. Who is taken out loses the token at the next start of the API.',
      default: '',
      secret: true,
    },
  ),
  approvals: setting(
    text.transform((value, context) => {
      const rules = value.split(/[\s,]+/).filter((rule) => rule !== '');
      return rules.map((rule) => {
        const at = rule.indexOf('@');
        const type = at < 0 ? rule : rule.slice(0, at);
        const scope =
          at < 0
            ? null
            : rule
                .slice(at + 1)
                .replace(/\/+$/, '')
                .toLowerCase();
        if (!OPERATION_PATTERN.test(type))
          context.addIssue(`"${rule}" does not begin with an operation type, such as fleet.delete, fleet.* or *`);
        if (scope !== null && !/^(\/subscriptions\/|kubernetes:\/\/)[^/]+/.test(scope)) {
          context.addIssue(
            `"${rule}" has no id of a subscription, a resource group, a resource or a cluster after the @`,
          );
        }
        return { text: rule, type, scope };
      });
    }),
    {
      variable: 'APPROVALS',
      description:
        'The operations that wait for the consent of somebody else than who asked for them, separated by commas: an operation ' +
        'type (`fleet.delete`, `fleet.*`, `*`), and with `@` the id of a subscription, a resource group, a resource or a cluster ' +
        '(`kubernetes://{uid}` for an attached one) that the operation concerns, with everything in it: ' +
        '`*@/subscriptions/…/resourceGroups/production`. Empty: none.',
      default: '',
    },
  ),
  approvalHours: setting(integer(1, 8_760), {
    variable: 'APPROVAL_HOURS',
    description: 'How many hours a decision is waited for; after that the operation fails.',
    default: '24',
  }),
  armEndpoint: setting(
    z.url({ protocol: /^https?$/ }).transform((value) => value.replace(/\/+$/, '')),
    {
      variable: 'ARM_ENDPOINT',
      description: 'Azure Resource Manager: another cloud, or the simulator. Plain HTTP is allowed on loopback only.',
      default: 'https://management.azure.com',
    },
  ),
  armToken: setting(secretText, {
    variable: 'ARM_TOKEN',
    description:
      'A fixed bearer token for `ARM_ENDPOINT`, allowed only where that is on loopback (the simulator). Without it the ' +
      'credential comes from @azure/identity’s usual environment.',
    secret: true,
  }),
  subscriptionIds: setting(
    text.transform((value, context) => {
      const ids = value.split(/[\s,]+/).filter((id) => id !== '');
      for (const id of ids) if (!SUBSCRIPTION.test(id)) context.addIssue(`"${id}" is not a uuid`);
      return ids.map((id) => id.toLowerCase());
    }),
    {
      variable: 'AZURE_SUBSCRIPTION_IDS',
      description: 'The subscriptions to look after, separated by commas; empty: all that the credential can see.',
      default: '',
    },
  ),
  armTimeoutMs: setting(integer(1_000, 300_000), {
    variable: 'ARM_TIMEOUT_MS',
    description: 'Milliseconds that one request to Azure may take.',
    default: '30000',
  }),
  armPollSeconds: setting(z.coerce.number('must be a number').min(0.05).max(600), {
    variable: 'ARM_POLL_SECONDS',
    description: 'Seconds between two looks at a long-running operation where Azure does not say (`Retry-After`).',
    default: '5',
  }),
  syncIntervalSeconds: setting(integer(1, 86_400), {
    variable: 'SYNC_INTERVAL_SECONDS',
    description: 'Seconds between two syncs of a scope.',
    default: '60',
  }),
  syncConcurrency: setting(integer(1, 64), {
    variable: 'SYNC_CONCURRENCY',
    description: 'Scopes that one worker syncs at the same time.',
    default: '4',
  }),
  resourceGraphLagSeconds: setting(integer(0, 3_600), {
    variable: 'RESOURCE_GRAPH_LAG_SECONDS',
    description:
      'How far Resource Graph’s index may lag behind: what Azure Resource Manager said within this time is not overwritten ' +
      'or taken for deleted because of what the index says.',
    default: '120',
  }),
  historyDays: setting(integer(1, 3_650), {
    variable: 'HISTORY_DAYS',
    description: 'How many days back `history` and `asOf` reach; whole months are removed at once.',
    default: '90',
  }),
  changeDays: setting(integer(1, 365), {
    variable: 'CHANGE_DAYS',
    description: 'How many days a cursor of the change feed stays usable.',
    default: '7',
  }),
  operationConcurrency: setting(integer(1, 500), {
    variable: 'OPERATION_CONCURRENCY',
    description: 'Operations that one worker carries forward at the same moment (waiting ones do not count).',
    default: '16',
  }),
  operationBackoffSeconds: setting(integer(1, 3_600), {
    variable: 'OPERATION_BACKOFF_SECONDS',
    description: 'Longest pause between two tries of a step that failed for a passing reason.',
    default: '60',
  }),
  operationDays: setting(integer(1, 3_650), {
    variable: 'OPERATION_DAYS',
    description:
      'How many days an operation is kept after its end, with its steps and events. The audit log is kept for good.',
    default: '90',
  }),
  idempotencyKeyHours: setting(integer(1, 8_760), {
    variable: 'IDEMPOTENCY_KEY_HOURS',
    description:
      'How many hours after its acceptance an operation answers for its idempotency key; after that, and once the operation ' +
      'has ended, the key may be used for a new request.',
    default: '24',
  }),
  operationStuckMinutes: setting(integer(1, 1_440), {
    variable: 'OPERATION_STUCK_MINUTES',
    description:
      'After how many minutes without any news an operation under way is shown, logged and counted as stuck.',
    default: '30',
  }),
  shutdownGraceMs: setting(integer(0, 600_000), {
    variable: 'SHUTDOWN_GRACE_MS',
    description: 'Milliseconds that requests and steps under way get to end when the process is told to stop.',
    default: '10000',
  }),
  encryptionKeys: setting(
    text.transform((value, context) => {
      const keys = value.split(/[\s,]+/).filter((key) => key !== '');
      for (const [index, key] of keys.entries()) {
        if (Buffer.from(key, 'base64').length !== 32) context.addIssue(`key ${index + 1} is not 32 bytes in base64`);
      }
      return keys.map((key) => new Secret(key));
    }),
    {
      variable: 'ENCRYPTION_KEYS',
      description:
        'The keys (32 bytes in base64 each, separated by commas) that stored secrets are sealed with: attached kubeconfigs and ' +
        'the secret inputs of open operations. The first one seals, all of them open; put a new one in front to change the key, ' +
        'and drop the old one when the log says that everything was sealed anew. Without any, such secrets are not accepted. ' +
        '`openssl rand -base64 32` makes one.',
      default: '',
      secret: true,
    },
  ),
  kubernetesInsecureTls: setting(
    z.enum(['true', 'false']).transform((value) => value === 'true'),
    {
      variable: 'KUBERNETES_ALLOW_INSECURE_TLS',
      description:
        'Whether an attached kubeconfig may say that the certificate of its server is not checked (`insecure-skip-tls-verify`).',
      default: 'false',
    },
  ),
  kubernetesLinkLocal: setting(
    z.enum(['true', 'false']).transform((value) => value === 'true'),
    {
      variable: 'KUBERNETES_ALLOW_LINK_LOCAL',
      description:
        'Whether the API server of a cluster, or the proxy before it, may have a link-local address (169.254.0.0/16, fe80::/10, ' +
        'and 168.63.129.16 and fd00:ec2::254, which clouds use alike), written or resolved. There clouds tell machines about ' +
        'themselves, so that a kubeconfig that leads there is refused.',
      default: 'false',
    },
  ),
  kubernetesTimeoutMs: setting(integer(1_000, 300_000), {
    variable: 'KUBERNETES_TIMEOUT_MS',
    description: 'Milliseconds that one request to a cluster may take.',
    default: '30000',
  }),
  kubernetesConcurrency: setting(integer(1, 256), {
    variable: 'KUBERNETES_CONCURRENCY',
    description: 'Requests that one process has open to the same cluster at most; watches do not count.',
    default: '8',
  }),
  watchConcurrency: setting(integer(0, 10_000), {
    variable: 'WATCH_CONCURRENCY',
    description: 'Clusters that one worker watches at most; several workers share the clusters among them.',
    default: '200',
  }),
  watchStreams: setting(names, {
    variable: 'WATCH_STREAMS',
    description:
      'What is watched in clusters, by the names of the streams (`namespaces`, `nodes`, `pods`, `services`, …), separated by ' +
      'commas; empty: everything. Secrets are never read.',
    default: '',
  }),
  watchNamespaces: setting(names, {
    variable: 'WATCH_NAMESPACES',
    description: 'The namespaces that are watched, separated by commas; empty: all.',
    default: '',
  }),
  watchExcludedNamespaces: setting(names, {
    variable: 'WATCH_EXCLUDED_NAMESPACES',
    description: 'Namespaces that are not watched, separated by commas.',
    default: '',
  }),
  auditSigningKey: setting(
    text
      .transform((value) => value.replaceAll('\\n', '\n'))
      .refine(isEd25519Key, 'must be an Ed25519 private key (PKCS #8) in PEM')
      .transform((value) => new Secret(value)),
    {
      variable: 'AUDIT_SIGNING_KEY',
      description:
        'The Ed25519 private key (PKCS #8, PEM; line breaks may be written `\\n`) that signs audit checkpoints. Without it ' +
        'the log is chained but no checkpoints are made. `openssl genpkey -algorithm ed25519` makes one.',
      secret: true,
    },
  ),
  auditCheckpointSeconds: setting(integer(1, 86_400), {
    variable: 'AUDIT_CHECKPOINT_SECONDS',
    description: 'Seconds between two checkpoints of the audit log, where something was added.',
    default: '60',
  }),
  bodyLimitBytes: setting(integer(1_024, 104_857_600), {
    variable: 'HTTP_BODY_LIMIT_BYTES',
    description: 'The largest request body.',
    default: '1048576',
  }),
  graphqlMaxDepth: setting(integer(3, 50), {
    variable: 'GRAPHQL_MAX_DEPTH',
    description: 'How deeply a GraphQL query may be nested.',
    default: '12',
  }),
  graphqlMaxCost: setting(integer(100, 10_000_000), {
    variable: 'GRAPHQL_MAX_COST',
    description: 'What a GraphQL query may cost: roughly the number of objects that it could return.',
    default: '50000',
  }),
};
