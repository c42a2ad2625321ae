import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { KubernetesObject } from '#libs/kube/kubernetes-object.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import { namedPullSecrets } from '../contract/provider-remedy.js';
import { completedPullSecrets, fitOf, imagesByRegistry, type PullSecret } from '../contract/pull-secret.js';
import { rawText } from '../contract/raw-reader.js';
import { patchOfPods } from '../contract/template-patch.js';
import { pullSecretsIn, readObject, SECRET } from './cluster.reading.js';

const SERVICE_ACCOUNT = { group: '', kind: 'ServiceAccount' };

export const pullSecretFindings = {
  PULL_SECRET_MISSING:
    'The pods name no pull secret for the registry of an image. The identity of the machines does not help on virtual nodes: the registry has to let anybody in, or the connector to pull with an identity of its own.',
  PULL_SECRET_NOT_FOUND: 'The pods name a pull secret that is not there: the virtual node refuses them for that alone.',
  PULL_SECRET_WRONG_TYPE:
    'The pods name a secret that is none to pull images with: the virtual node refuses them for that alone.',
  PULL_SECRET_UNFIT:
    'No pull secret that the pods name has the host of the registry for its server: Container Instances compare the text.',
  PULL_SECRETS_UNKNOWN:
    'The service account of the pods, or the secrets of the namespace, may not be seen: whether the pods can pull their images is not known.',
} as const satisfies Record<string, string>;

type Say = FindingReporter<keyof typeof pullSecretFindings>;

/** Whether the pods bring a credential for each registry that may want one. Of the secrets only the servers are looked at. */
export async function judgePullSecrets(
  client: ClusterClient,
  id: KubernetesId,
  podSpec: JsonObject,
  call: KubeCall,
  say: Say,
): Promise<void> {
  const registries = imagesByRegistry(podSpec);
  const namespace = id.namespace ?? '';
  const own = namedPullSecrets(podSpec);
  const named = own.length > 0 ? own : await ofServiceAccount(client, namespace, podSpec, call);
  if (registries.size === 0 && (named ?? []).length === 0) return;
  if (named === undefined) {
    say('PULL_SECRETS_UNKNOWN', 'info', { namespace, serviceAccount: accountOf(podSpec) });
    return;
  }
  const there = await pullSecretsIn(client, namespace, call);
  if (there === undefined && named.length > 0) {
    say('PULL_SECRETS_UNKNOWN', 'info', { namespace, imagePullSecrets: [...named] });
    return;
  }
  const absent = there === undefined ? [] : named.filter((name) => !there.some((secret) => secret.name === name));
  await judgeAbsent(client, namespace, absent, call, say);
  const complete = completedPullSecrets(registries.keys(), named, there ?? []);
  for (const [registry, images] of registries) {
    judgeRegistry({ workload: id.canonical, registry, images, named, there, complete }, say);
  }
}

/** Names that no pull secret has: there may be a secret of another type. */
async function judgeAbsent(
  client: ClusterClient,
  namespace: string,
  names: readonly string[],
  call: KubeCall,
  say: Say,
): Promise<void> {
  const gone: string[] = [];
  for (const name of names) {
    const other = await seen(() => readObject(client, SECRET, namespace, name, call));
    if (other === undefined || other === 'forbidden') {
      gone.push(name);
      continue;
    }
    const remedy = `Make a secret of another name with kubernetes.registrySecret.create, and name it in the place of ${name}.`;
    say('PULL_SECRET_WRONG_TYPE', 'error', { namespace, imagePullSecret: name, type: rawText(other, 'type') }, remedy);
  }
  if (gone.length === 0) return;
  const remedy = `Make the secret ${gone.join(', ')} with kubernetes.registrySecret.create.`;
  say('PULL_SECRET_NOT_FOUND', 'error', { namespace, imagePullSecrets: gone }, remedy);
}

interface RegistrySituation {
  workload: string;
  registry: string;
  images: readonly string[];
  /** The names of the secrets that the pods pull with. */
  named: readonly string[];
  /** All of the namespace; undefined where they may not be seen. */
  there: readonly PullSecret[] | undefined;
  /** The names that the pods would have to name. */
  complete: readonly string[];
}

/** A warning: nobody can see from here whether the registry lets anybody in, and who the connector pulls as. */
function judgeRegistry({ workload, registry, images, named, there, complete }: RegistrySituation, say: Say): void {
  const used = (there ?? []).filter(({ name }) => named.includes(name));
  if (used.some((secret) => fitOf(secret, registry) === 'host')) return;
  const fitting = there?.find((secret) => complete.includes(secret.name) && fitOf(secret, registry) === 'host');
  const create = `with kubernetes.registrySecret.create, whose server is ${registry} alone`;
  const operations =
    fitting === undefined ? [] : [patchOfPods(workload, { imagePullSecrets: complete.map((name) => ({ name })) })];
  const remedy =
    fitting !== undefined
      ? `Name the secret ${fitting.name} in imagePullSecrets.`
      : there === undefined
        ? `Name a secret for ${registry} in imagePullSecrets; where the namespace has none, make one ${create}.`
        : `Make a secret ${create}, and name it in imagePullSecrets.`;
  if (named.length === 0) {
    say('PULL_SECRET_MISSING', 'warning', { registry, images: [...images] }, remedy, operations);
  } else if (used.length > 0) {
    const secrets = used.map(({ name, servers }) => ({ name, servers: [...servers] }));
    say('PULL_SECRET_UNFIT', 'warning', { registry, images: [...images], secrets }, remedy, operations);
  }
}

function accountOf(podSpec: JsonObject): string {
  return rawText(podSpec, 'serviceAccountName') ?? 'default';
}

/** The cluster gives pods that name no secret those of their service account. Undefined where that may not be seen. */
async function ofServiceAccount(
  client: ClusterClient,
  namespace: string,
  podSpec: JsonObject,
  call: KubeCall,
): Promise<string[] | undefined> {
  const account = await seen(() => readObject(client, SERVICE_ACCOUNT, namespace, accountOf(podSpec), call));
  if (account === 'forbidden') return undefined;
  return account === undefined ? [] : namedPullSecrets(account);
}

async function seen(
  read: () => Promise<KubernetesObject | undefined>,
): Promise<KubernetesObject | 'forbidden' | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ControlError && error.code === 'KUBERNETES_FORBIDDEN') return 'forbidden';
    throw error;
  }
}
