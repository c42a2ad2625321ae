import { ControlError } from '#libs/kernel/control-error.js';
import type { JsonObject } from '#libs/kernel/json.js';
import type { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import type { KubeCall } from '#libs/kube/cluster-access.js';
import type { ClusterClient } from '#libs/kube/cluster-client.js';
import type { FindingReporter } from '../contract/finding-reporter.js';
import { namedPullSecrets } from '../contract/provider-remedy.js';
import { fitOf, isPublicRegistry, mayPullAnonymously, registryOf, type PullSecret } from '../contract/pull-secret.js';
import { rawObjects, rawText } from '../contract/raw-reader.js';
import { patchOfPods } from '../contract/template-patch.js';
import { pullSecretsIn, readObject } from './cluster.reading.js';

const SERVICE_ACCOUNT = { group: '', kind: 'ServiceAccount' };

export const pullSecretFindings = {
  PULL_SECRET_MISSING:
    'The pods name no pull secret for the registry of an image: managed identities and service principals do not help on virtual nodes.',
  PULL_SECRET_NOT_FOUND: 'The pods name a pull secret that is not there: the virtual node refuses them for that alone.',
  PULL_SECRET_UNFIT:
    'No pull secret that the pods name has the host of the registry for its server: Container Instances compare the text.',
  PULL_SECRETS_UNKNOWN:
    'The secrets of the namespace may not be seen: whether those that the pods name fit is not known.',
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
  const registries = registriesOf(podSpec);
  const namespace = id.namespace ?? '';
  const own = namedPullSecrets(podSpec);
  const named = own.length > 0 ? own : await ofServiceAccount(client, namespace, podSpec, call);
  if (registries.size === 0 && named.length === 0) return;
  const secrets = await pullSecretsIn(client, namespace, call);
  if (secrets === undefined && named.length > 0) {
    say('PULL_SECRETS_UNKNOWN', 'info', { namespace, imagePullSecrets: [...named] });
    return;
  }
  const there = secrets ?? [];
  const missing = named.filter((name) => !there.some((secret) => secret.name === name));
  if (missing.length > 0) {
    const remedy = `Make the secret ${missing.join(', ')} with kubernetes.registrySecret.create.`;
    say('PULL_SECRET_NOT_FOUND', 'error', { namespace, imagePullSecrets: missing }, remedy);
  }
  const used = there.filter(({ name }) => named.includes(name));
  for (const [registry, images] of registries) {
    judgeRegistry({ workload: id.canonical, registry, images, named, used, there }, say);
  }
}

interface RegistrySituation {
  workload: string;
  registry: string;
  images: readonly string[];
  /** The names of the secrets that the pods pull with. */
  named: readonly string[];
  /** Those of them that are there. */
  used: readonly PullSecret[];
  /** All of the namespace. */
  there: readonly PullSecret[];
}

function judgeRegistry({ workload, registry, images, named, used, there }: RegistrySituation, say: Say): void {
  if (used.some((secret) => fitOf(secret, registry) === 'host')) return;
  const severity = mayPullAnonymously(registry) ? 'warning' : 'error';
  const fitting = there.find((secret) => fitOf(secret, registry) === 'host');
  const operations =
    fitting === undefined
      ? []
      : [patchOfPods(workload, { imagePullSecrets: [...named, fitting.name].map((name) => ({ name })) })];
  const remedy =
    fitting === undefined
      ? `Make a secret with kubernetes.registrySecret.create, whose server is ${registry} alone, and name it in imagePullSecrets.`
      : `Name the secret ${fitting.name} in imagePullSecrets.`;
  if (named.length === 0) {
    say('PULL_SECRET_MISSING', severity, { registry, images: [...images] }, remedy, operations);
  } else if (used.length > 0) {
    const secrets = used.map(({ name, servers }) => ({ name, servers: [...servers] }));
    say('PULL_SECRET_UNFIT', severity, { registry, images: [...images], secrets }, remedy, operations);
  }
}

/** The images by the registries that may want a credential. */
function registriesOf(podSpec: JsonObject): Map<string, string[]> {
  const registries = new Map<string, string[]>();
  for (const container of [...rawObjects(podSpec, 'initContainers'), ...rawObjects(podSpec, 'containers')]) {
    const image = rawText(container, 'image');
    const registry = image === null ? undefined : registryOf(image);
    if (image === null || registry === undefined || isPublicRegistry(registry)) continue;
    const images = registries.get(registry) ?? [];
    if (!images.includes(image)) registries.set(registry, [...images, image]);
  }
  return registries;
}

/** The cluster gives pods that name no secret those of their service account. None where that may not be seen. */
async function ofServiceAccount(
  client: ClusterClient,
  namespace: string,
  podSpec: JsonObject,
  call: KubeCall,
): Promise<string[]> {
  const name = rawText(podSpec, 'serviceAccountName') ?? 'default';
  try {
    const account = await readObject(client, SERVICE_ACCOUNT, namespace, name, call);
    return account === undefined ? [] : namedPullSecrets(account);
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== 'KUBERNETES_FORBIDDEN') throw error;
    return [];
  }
}
