import type { Json, JsonObject } from '#libs/kernel/json.js';
import { rawObject, rawObjects, rawText } from './raw-reader.js';

/** Where images come from whose name tells no registry. */
const DOCKER_HUB = 'index.docker.io';

/** The types of secrets that hold credentials of registries, for a field selector. */
export const PULL_SECRET_TYPES = ['kubernetes.io/dockerconfigjson', 'kubernetes.io/dockercfg'] as const;

/** A secret to pull images with: for which servers it is. The credentials themselves are looked at by nobody. */
export interface PullSecret {
  name: string;
  /** As they are written there: `shop.azurecr.io`, `https://index.docker.io/v1/`. None where it cannot be read. */
  servers: readonly string[];
}

/** Undefined for a secret that is for something else. */
export function pullSecretOf(secret: JsonObject): PullSecret | undefined {
  const name = rawText(secret, 'metadata', 'name') ?? '';
  switch (rawText(secret, 'type')) {
    case 'kubernetes.io/dockerconfigjson':
      return { name, servers: namesIn(rawObject(contentOf(secret, '.dockerconfigjson'), 'auths')) };
    case 'kubernetes.io/dockercfg':
      return { name, servers: namesIn(rawObject(contentOf(secret, '.dockercfg'))) };
    default:
      return undefined;
  }
}

function namesIn(entries: JsonObject | null): string[] {
  return Object.keys(entries ?? {});
}

function contentOf(secret: JsonObject, key: string): Json | undefined {
  try {
    return JSON.parse(Buffer.from(rawText(secret, 'data', key) ?? '', 'base64').toString('utf8')) as Json;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The host of the registry that an image is in, with its port where it has one. */
export function registryOf(image: string): string {
  const [first = '', ...rest] = image.split('/');
  if (rest.length === 0 || !(/[.:]/.test(first) || first === 'localhost')) return DOCKER_HUB;
  return sameHost(first);
}

function sameHost(host: string): string {
  const lower = host.toLowerCase();
  return lower === 'docker.io' ? DOCKER_HUB : lower;
}

/** Registries whose images anybody may have, so that nobody brings a credential. */
const PUBLIC: ReadonlySet<string> = new Set([DOCKER_HUB, 'mcr.microsoft.com', 'registry.k8s.io', 'public.ecr.aws']);

function isPublicRegistry(registry: string): boolean {
  return PUBLIC.has(registry);
}

/** The images of pods by the registries that may want a credential for them. */
export function imagesByRegistry(podSpec: JsonObject): Map<string, string[]> {
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

/**
 * How a secret fits a registry: `address` where one of its servers means the registry and is written with a scheme or a
 * path, which a machine understands and Container Instances do not: they compare the text.
 */
export function fitOf({ servers }: PullSecret, registry: string): 'host' | 'address' | 'other' {
  if (servers.some((server) => sameHost(server) === registry)) return 'host';
  const hosts = servers.map((server) => server.replace(/^https?:\/\//i, '').replace(/\/.*$/, ''));
  return hosts.some((host) => sameHost(host) === registry) ? 'address' : 'other';
}

/**
 * The secrets that pods have to name so that as many registries as can be have one: those that they name, and one that is
 * there for each registry that has none among them. All together, since the list in a template is replaced as a whole.
 */
export function completedPullSecrets(
  registries: Iterable<string>,
  named: readonly string[],
  there: readonly PullSecret[],
): string[] {
  const names = [...named];
  for (const registry of registries) {
    const fitting = there.filter((secret) => fitOf(secret, registry) === 'host');
    const [first] = fitting;
    if (first !== undefined && !fitting.some(({ name }) => names.includes(name))) names.push(first.name);
  }
  return names;
}
