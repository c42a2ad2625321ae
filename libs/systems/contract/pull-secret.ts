import type { Json, JsonObject } from '#libs/kernel/json.js';
import { rawObject, rawText } from './raw-reader.js';

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

export function isPublicRegistry(registry: string): boolean {
  return PUBLIC.has(registry);
}

/** Whether anybody may be let in without a credential: an Azure registry lets nobody in unless it was told to. */
export function mayPullAnonymously(registry: string): boolean {
  return !registry.endsWith('.azurecr.io');
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
