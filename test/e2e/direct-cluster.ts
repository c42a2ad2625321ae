import { readFileSync } from 'node:fs';
import path from 'node:path';
import { dump, load } from 'js-yaml';
import { Agent, request } from 'undici';

/** What `kubectl config view --flatten` would put in their place. */
const FILE_FIELDS = ['certificate-authority', 'client-certificate', 'client-key'] as const;
const APPLY = 'application/apply-patch+yaml';
const MERGE = 'application/merge-patch+json';

type Fields = Record<string, unknown>;

/** The parts of a kubeconfig that its current context names. */
export interface KubeconfigParts {
  cluster: Fields & { server: string };
  user: Fields;
}

export interface DirectAnswer {
  status: number;
  // What the server answers is untyped here on purpose, as in `Answer`.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  body: any;
}

/** An API server reached past Pilothouse, with what a kubeconfig holds: somebody else's hands, and a second pair of eyes. */
export class DirectCluster {
  readonly #agent: Agent;

  private constructor(readonly parts: KubeconfigParts) {
    const { cluster, user } = parts;
    const pem = (fields: Fields, name: string): string | undefined =>
      typeof fields[name] === 'string' ? Buffer.from(fields[name], 'base64').toString() : undefined;
    const connect = {
      ca: pem(cluster, 'certificate-authority-data'),
      cert: pem(user, 'client-certificate-data'),
      key: pem(user, 'client-key-data'),
      servername: cluster['tls-server-name'] as string | undefined,
    };
    const given = Object.entries(connect).filter(([, value]) => value !== undefined);
    const rejectUnauthorized = cluster['insecure-skip-tls-verify'] !== true;
    this.#agent = new Agent({ connect: { ...Object.fromEntries(given), rejectUnauthorized } });
  }

  static of(kubeconfig: string): DirectCluster {
    return new DirectCluster(partsOf(kubeconfig));
  }

  async request(
    method: string,
    route: string,
    body?: unknown,
    contentType = 'application/json',
  ): Promise<DirectAnswer> {
    const { server } = this.parts.cluster;
    const { token } = this.parts.user;
    const answer = await request(`${server.replace(/\/$/, '')}${route}`, {
      method,
      dispatcher: this.#agent,
      headers: {
        accept: 'application/json',
        ...(typeof token === 'string' ? { authorization: `Bearer ${token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': contentType }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, body: text.startsWith('{') ? JSON.parse(text) : text };
  }

  get(route: string): Promise<DirectAnswer> {
    return this.request('GET', route);
  }

  /** Server-side apply under a name of one's own. */
  apply(route: string, object: object, manager: string): Promise<DirectAnswer> {
    return this.request('PATCH', `${route}?fieldManager=${manager}&force=true`, object, APPLY);
  }

  merge(route: string, patch: object): Promise<DirectAnswer> {
    return this.request('PATCH', route, patch, MERGE);
  }

  /** Whether the server has this resource, by what it says itself. */
  async serves(groupVersion: string, plural: string): Promise<boolean> {
    const { status, body } = await this.get(`/apis/${groupVersion}`);
    return status === 200 && body.resources.some((resource: { name: string }) => resource.name === plural);
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}

/** A kubeconfig of one context. */
export function kubeconfigOf({ cluster, user }: { cluster: object; user: object }): string {
  return dump({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'attached',
    contexts: [{ name: 'attached', context: { cluster: 'attached', user: 'attached' } }],
    clusters: [{ name: 'attached', cluster }],
    users: [{ name: 'attached', user }],
  });
}

/** The kubeconfig of a file, with what it names in other files put into it: Pilothouse reads no files. */
export function readKubeconfig(file: string): string {
  const { cluster, user } = partsOf(readFileSync(file, 'utf8'));
  const content = (name: string): Buffer => readFileSync(path.resolve(path.dirname(file), name));
  for (const fields of [cluster, user] as Fields[]) {
    for (const field of FILE_FIELDS) {
      if (typeof fields[field] === 'string') fields[`${field}-data`] ??= content(fields[field]).toString('base64');
      Reflect.deleteProperty(fields, field);
    }
  }
  if (typeof user.tokenFile === 'string') user.token = content(user.tokenFile).toString().trim();
  Reflect.deleteProperty(user, 'tokenFile');
  return kubeconfigOf({ cluster, user });
}

function partsOf(kubeconfig: string): KubeconfigParts {
  const document = load(kubeconfig) as {
    'current-context': string;
    contexts: { name: string; context: { cluster: string; user: string } }[];
    clusters: { name: string; cluster: KubeconfigParts['cluster'] }[];
    users: { name: string; user: Fields }[];
  };
  const context = document.contexts.find(({ name }) => name === document['current-context'])?.context;
  const cluster = document.clusters.find(({ name }) => name === context?.cluster)?.cluster;
  const user = document.users.find(({ name }) => name === context?.user)?.user;
  if (cluster === undefined || user === undefined) throw new Error('The kubeconfig has no current context.');
  return { cluster, user };
}
