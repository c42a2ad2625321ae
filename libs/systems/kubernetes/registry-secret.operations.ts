import { z } from 'zod';
import { ControlError } from '#libs/kernel/control-error.js';
import type { Json } from '#libs/kernel/json.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import { Secret } from '#libs/kernel/secret.js';
import type { Kube } from '#libs/kube/kube.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type { Finding } from '../contract/finding.js';
import { findingReporter, type FindingReporter } from '../contract/finding-reporter.js';
import type {
  OperationContext,
  OperationDefinition,
  StepContext,
  StepOutcome,
  Verification,
} from '../contract/operation-definition.js';
import { rawFlag, rawMember, rawObjects, rawText } from '../contract/raw-reader.js';
import { resourceReference } from '../contract/resource-reference.js';
import type { ResourceTarget } from '../contract/resource-target.js';
import { ClusterObject } from './cluster-object.js';
import { CLUSTER_KINDS, referencedCluster } from './kubernetes-reference.js';

const SECRET_TYPE = 'kubernetes.io/dockerconfigjson';
const CONTENT = '.dockerconfigjson';
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAME_RULE = 'must be lower-case letters, digits, hyphens and dots, with a letter or digit at both ends';
const HOST = /^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?$/;

const createInput = z.strictObject({
  cluster: resourceReference(
    'The cluster that pulls the images: an AKS cluster, a connected cluster, a fleet (its hub) or an attached one',
  ),
  namespace: z
    .string()
    .regex(DNS_LABEL, 'must be a namespace: up to 63 lower-case letters, digits and hyphens')
    .describe('The namespace of the pods that pull.'),
  name: z.string().max(253).regex(DNS_SUBDOMAIN, NAME_RULE).describe('The name of the secret, such as `regcred`.'),
  server: z
    .string()
    .min(1)
    .max(500)
    .regex(/^[\x21-\x7e]+$/, 'must be an address without blanks')
    .describe('The registry, best as its host name alone: `myregistry.azurecr.io`.'),
  username: z.string().min(1).max(1000).describe('The user name at the registry.'),
  password: z.string().min(1).max(20_000).describe('The password or token at the registry. It is write-only.'),
  email: z.string().min(1).max(320).optional().describe('The e-mail address, for registries that ask for one.'),
  serviceAccounts: z
    .array(z.string().max(253).regex(DNS_SUBDOMAIN, NAME_RULE))
    .max(50)
    .optional()
    .describe('Service accounts of the namespace whose pods shall pull with it without saying so themselves.'),
});
type CreateInput = z.output<typeof createInput>;

const createFindings = {
  NAMESPACE_NOT_FOUND: 'The namespace is not there.',
  NAMESPACE_DELETING: 'The namespace is being deleted.',
  SECRET_EXISTS: 'There is such a secret already: its content is replaced.',
  SECRET_OF_OTHER_TYPE: 'There is a secret of this name and of another type: the type of a secret cannot change.',
  SECRET_IMMUTABLE: 'There is such a secret already, and it is marked as immutable.',
  SERVER_NOT_A_HOST: 'The server is more than a host name: virtual nodes cannot use the secret then.',
  SERVICE_ACCOUNT_NOT_FOUND: 'The namespace has no such service account.',
  ACCESS_DENIED: 'The cluster does not allow this to the identity of Pilothouse.',
} as const satisfies Record<string, string>;

export function createRegistrySecret(kube: Kube): OperationDefinition<typeof createInput> {
  return {
    type: 'kubernetes.registrySecret.create',
    title: 'Create a registry secret',
    description:
      'Puts the credential of an image registry into a cluster as a secret that pods can pull with, or replaces it.',
    permission: 'kubernetes/registrySecrets/write',
    input: createInput,
    secretFields: ['password'],
    references: { cluster: CLUSTER_KINDS },
    timeoutSeconds: 900,
    findings: createFindings,
    target(input, references) {
      const { id, kind } = referencedCluster(references, 'cluster');
      return { id, kind, lock: secretIdOf(input, references).canonical };
    },
    preflight: (context) => preflightCreate(kube, context),
    plan: (context) => planCreate(kube, context),
    steps: [
      { name: 'secret', description: 'Applies the secret.', run: (context) => runSecret(kube, context) },
      {
        name: 'service-accounts',
        description: 'Lets the service accounts pull with it.',
        run: (context) => runServiceAccounts(kube, context),
      },
    ],
    verify: (context) => verifyCreate(kube, context),
  };
}

async function preflightCreate(kube: Kube, context: OperationContext<CreateInput>): Promise<Finding[]> {
  const { input } = context;
  const findings: Finding[] = [];
  const say = findingReporter(createFindings, findings);
  if (!HOST.test(input.server)) {
    say(
      'SERVER_NOT_A_HOST',
      'warning',
      { server: input.server },
      'Write the host name alone, without scheme and path.',
    );
  }
  const namespace = await (await locate(kube, context, 'Namespace', input.namespace)).read();
  if (namespace === undefined) {
    say('NAMESPACE_NOT_FOUND', 'error', { namespace: input.namespace }, 'Make the namespace first.');
    return findings;
  }
  if (rawText(namespace, 'metadata', 'deletionTimestamp') !== null) {
    say('NAMESPACE_DELETING', 'error', { namespace: input.namespace });
  }
  await judgeSecret(await locate(kube, context, 'Secret', input.name), say);
  for (const name of accountsOf(input)) {
    const account = await locate(kube, context, 'ServiceAccount', name);
    if ((await account.read()) === undefined) say('SERVICE_ACCOUNT_NOT_FOUND', 'error', { serviceAccount: name });
    else await judgeAccess(account, ['patch'], say);
  }
  return findings;
}

async function judgeSecret(located: ClusterObject, say: FindingReporter<keyof typeof createFindings>): Promise<void> {
  const existing = await located.read();
  if (existing !== undefined) {
    const type = rawText(existing, 'type');
    if (type !== SECRET_TYPE) {
      say('SECRET_OF_OTHER_TYPE', 'error', { type }, 'Choose another name, or delete that secret first.');
    } else if (rawFlag(existing, 'immutable') === true) {
      say('SECRET_IMMUTABLE', 'error', { immutable: true }, 'Choose another name, or delete that secret first.');
    } else say('SECRET_EXISTS', 'warning', { secret: located.id.canonical });
  }
  await judgeAccess(located, existing === undefined ? ['create', 'patch'] : ['patch'], say);
}

async function judgeAccess(
  located: ClusterObject,
  verbs: readonly string[],
  say: FindingReporter<'ACCESS_DENIED'>,
): Promise<void> {
  for (const verb of verbs) {
    const { allowed, evidence } = await located.allows(verb);
    if (!allowed) say('ACCESS_DENIED', 'error', evidence, 'Give the identity a role that allows it.');
  }
}

async function planCreate(kube: Kube, context: OperationContext<CreateInput>): Promise<Json> {
  const { input } = context;
  const located = await locate(kube, context, 'Secret', input.name);
  const existing = await located.read();
  const serviceAccounts: string[] = [];
  for (const name of accountsOf(input)) {
    const account = await (await locate(kube, context, 'ServiceAccount', name)).read();
    if (account !== undefined && !pullsWith(account, input.name)) serviceAccounts.push(name);
  }
  const isSame = existing !== undefined && holdsContent(existing, contentOf(context));
  const action = existing === undefined ? 'create' : isSame ? 'none' : 'replace';
  return { secret: located.id.canonical, action, serviceAccounts };
}

async function runSecret(kube: Kube, context: StepContext<CreateInput>): Promise<StepOutcome> {
  const { input } = context;
  const located = await locate(kube, context, 'Secret', input.name);
  const content = contentOf(context);
  const existing = await located.read();
  if (existing !== undefined && holdsContent(existing, content)) {
    return { outcome: 'done', message: `The secret ${input.name} is as it was asked for.` };
  }
  const { client, resource, id } = located;
  const object = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: id.name, namespace: input.namespace },
    type: SECRET_TYPE,
    data: { [CONTENT]: Buffer.from(content.reveal()).toString('base64') },
  };
  try {
    // Whoever made the secret that is there: the caller wants this content in it.
    await client.apply(resource, id.namespace, object, { force: true }, context);
  } catch (error) {
    throw error instanceof ControlError ? withoutContent(error, input.name) : error;
  }
  return { outcome: 'done', message: `The secret ${input.name} is applied.` };
}

/** What a server or a webhook says of a secret may repeat what is in it: neither its words nor its error go on. */
function withoutContent(error: ControlError, name: string): ControlError {
  return new ControlError(error.code, `The cluster did not take the secret ${name}.`, {
    retry: error.retry,
    ...(error.externalCode === undefined ? {} : { externalCode: error.externalCode }),
  });
}

async function runServiceAccounts(kube: Kube, context: StepContext<CreateInput>): Promise<StepOutcome> {
  const { input } = context;
  const accounts = accountsOf(input);
  for (const name of accounts) {
    const located = await locate(kube, context, 'ServiceAccount', name);
    const outcome = await located.change((account) =>
      pullsWith(account, input.name)
        ? undefined
        : { imagePullSecrets: [...rawObjects(account, 'imagePullSecrets'), { name: input.name }] },
    );
    if (outcome.change === 'busy') {
      return { outcome: 'blocked', message: `Others keep changing the service account ${name}.`, retryAfterSeconds: 1 };
    }
  }
  const message = accounts.length === 0 ? 'None was asked for.' : `They pull with it: ${accounts.join(', ')}.`;
  return { outcome: 'done', message };
}

async function verifyCreate(kube: Kube, context: OperationContext<CreateInput>): Promise<Verification> {
  const { input } = context;
  const located = await locate(kube, context, 'Secret', input.name);
  const secret = await located.read();
  if (secret === undefined || !holdsContent(secret, contentOf(context))) {
    return { verdict: 'missed', message: `The secret ${input.name} is not as it was asked for.` };
  }
  for (const name of accountsOf(input)) {
    const account = await (await locate(kube, context, 'ServiceAccount', name)).read();
    if (account === undefined || !pullsWith(account, input.name)) {
      return { verdict: 'missed', message: `The service account ${name} does not pull with the secret.` };
    }
  }
  const { namespace, name, server, username } = input;
  return {
    verdict: 'reached',
    result: {
      secret: located.id.canonical,
      namespace,
      name,
      server,
      username,
      serviceAccounts: accountsOf(input),
      uid: secret.metadata.uid ?? null,
    },
    observations: [],
    absent: [],
  };
}

function contentOf({ input, secrets }: Pick<OperationContext<CreateInput>, 'input' | 'secrets'>): Secret {
  const password = secrets.password?.reveal();
  if (password === undefined) throw new ControlError('INTERNAL', 'The password is no longer there.');
  const { server, username, email } = input;
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  const entry = { username, password, ...(email === undefined ? {} : { email }), auth };
  return new Secret(JSON.stringify({ auths: { [server]: entry } }));
}

function holdsContent(secret: KubernetesObject, content: Secret): boolean {
  if (rawText(secret, 'type') !== SECRET_TYPE) return false;
  const held = rawMember(secret, 'data', CONTENT);
  if (typeof held !== 'string') return false;
  const text = Buffer.from(held, 'base64').toString();
  return text === content.reveal();
}

function pullsWith(account: KubernetesObject, secret: string): boolean {
  return rawObjects(account, 'imagePullSecrets').some((each) => rawText(each, 'name') === secret);
}

function accountsOf({ serviceAccounts = [] }: CreateInput): string[] {
  return [...new Set(serviceAccounts)];
}

function locate(
  kube: Kube,
  context: OperationContext<CreateInput>,
  kind: 'Namespace' | 'Secret' | 'ServiceAccount',
  name: string,
): Promise<ClusterObject> {
  const cluster = referencedCluster(context.references, 'cluster');
  const namespace = kind === 'Namespace' ? undefined : context.input.namespace;
  const id = KubernetesId.of({ clusterUid: cluster.uid, group: '', kind, namespace, name });
  return ClusterObject.of(kube.cluster(cluster), id, context);
}

function secretIdOf(input: CreateInput, references: Readonly<Record<string, ResourceTarget>>): KubernetesId {
  const { uid } = referencedCluster(references, 'cluster');
  return KubernetesId.of({ clusterUid: uid, group: '', kind: 'Secret', namespace: input.namespace, name: input.name });
}
