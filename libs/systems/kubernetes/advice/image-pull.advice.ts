import type { JsonObject } from '#libs/kernel/json.js';
import type { Advice, AdviceRemedy } from '../../contract/advice.js';
import { rawObjects, rawText } from '../../contract/raw-reader.js';
import { templateRemedy } from '../../contract/template-patch.js';
import { containersStanding, type ContainerStanding } from './container-failure.js';

export const IMAGE_PULL_CODES = {
  IMAGE_PULL_UNAUTHORIZED: 'The registry does not give the image to the node without a secret that it accepts.',
  IMAGE_NOT_FOUND: 'The registry has no such image.',
  IMAGE_NAME_INVALID: 'The name of the image cannot be read.',
  REGISTRY_UNREACHABLE: 'The node does not reach the registry.',
  IMAGE_NOT_PULLED: 'The node cannot pull the image.',
} as const satisfies Record<string, string>;

type ImageCode = keyof typeof IMAGE_PULL_CODES;

const PULL_FAILURES = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError',
  'RegistryUnavailable',
]);
const LONGEST_WORDS = 1000;
/** The name that the secret of a registry has most often. */
const USUAL_SECRET = 'regcred';

export interface ImageSituation {
  pod: JsonObject;
  workload: string | undefined;
  /** What the events of the pod say, the latest last. */
  eventMessages: readonly string[];
  /** Secrets for registries that are in the namespace, by name; undefined where they may not be seen. */
  registrySecrets: readonly string[] | undefined;
}

/** Whether a container of the pod has no image yet, for a reason. */
export function lacksImage(pod: JsonObject): boolean {
  return containersStanding(pod).some(isPullFailure);
}

export function imagePullAdvice(situation: ImageSituation): Advice[] {
  return containersStanding(situation.pod)
    .filter(isPullFailure)
    .map((container) => adviceOn(situation, container));
}

function isPullFailure({ waiting }: ContainerStanding): boolean {
  return waiting !== null && PULL_FAILURES.has(waiting);
}

function adviceOn(situation: ImageSituation, container: ContainerStanding): Advice {
  const { pod, eventMessages, registrySecrets } = situation;
  const { name, image, waiting } = container;
  // A node that backs off says no more why: the events still do.
  const said = [container.message ?? '', ...eventMessages.filter((each) => image === null || each.includes(image))];
  const code = codeOf(waiting, said.join('\n'));
  const named = rawObjects(pod, 'spec', 'imagePullSecrets').flatMap((secret) => rawText(secret, 'name') ?? []);
  const missing = registrySecrets === undefined ? null : named.filter((secret) => !registrySecrets.includes(secret));
  const evidence: JsonObject = {
    container: name,
    image,
    reason: waiting,
    message:
      said
        .toReversed()
        .find((each) => codeOf(null, each) === code)
        ?.slice(0, LONGEST_WORDS) ?? container.message,
    imagePullSecrets: named,
    missingSecrets: missing,
    secretsInNamespace: registrySecrets === undefined ? null : [...registrySecrets],
  };
  const remedies = code === 'IMAGE_PULL_UNAUTHORIZED' ? secretRemedies(situation, named, missing) : [correction(code)];
  return { code, severity: 'error', cause: IMAGE_PULL_CODES[code], evidence, remedies };
}

function codeOf(reason: string | null, words: string): ImageCode {
  if (reason === 'InvalidImageName') return 'IMAGE_NAME_INVALID';
  if (/\b40[13]\b|unauthorized|forbidden|denied|authoriz|authenticat/i.test(words)) return 'IMAGE_PULL_UNAUTHORIZED';
  if (/not found|manifest unknown|does not exist|\b404\b/i.test(words)) return 'IMAGE_NOT_FOUND';
  if (/no such host|timeout|timed out|connection refused|network is unreachable/i.test(words)) {
    return 'REGISTRY_UNREACHABLE';
  }
  return 'IMAGE_NOT_PULLED';
}

function secretRemedies(
  { workload, registrySecrets }: ImageSituation,
  named: readonly string[],
  missing: readonly string[] | null,
): AdviceRemedy[] {
  const [absent] = missing ?? [];
  if (absent !== undefined) {
    const description = `Make the secret ${absent} with kubernetes.registrySecret.create: the pod names it, and it is not there.`;
    return [{ description, operations: [] }];
  }
  const others = (registrySecrets ?? []).filter((secret) => !named.includes(secret));
  const chosen = others.includes(USUAL_SECRET) ? USUAL_SECRET : others[0];
  const create: AdviceRemedy = {
    description:
      named.length > 0
        ? `Renew what is in the secret (${named.join(', ')}) with kubernetes.registrySecret.create: the registry does not accept it.`
        : `Make a secret for the registry with kubernetes.registrySecret.create, then let the pod template name it.`,
    operations: [],
  };
  if (chosen === undefined) return [create];
  const imagePullSecrets = [...named, chosen].map((name) => ({ name }));
  return [
    templateRemedy(`Let the pod template pull with the secret ${chosen}.`, workload, { imagePullSecrets }),
    create,
  ];
}

function correction(code: Exclude<ImageCode, 'IMAGE_PULL_UNAUTHORIZED'>): AdviceRemedy {
  switch (code) {
    case 'IMAGE_NOT_FOUND':
    case 'IMAGE_NAME_INVALID':
      return { description: 'Correct the image in the pod template, or push it to the registry.', operations: [] };
    case 'REGISTRY_UNREACHABLE':
      return {
        description: 'Let the nodes reach the registry: look at its name, routes and firewalls.',
        operations: [],
      };
    case 'IMAGE_NOT_PULLED':
      return {
        description: 'Look at the image and at the node: the message says what the node has tried.',
        operations: [],
      };
  }
}
