import type { IncomingMessage, ServerResponse } from 'node:http';
import { delay } from '#libs/kernel/clock.js';
import { type ApiAnswer, ok, PAGE_NOT_FOUND, refused } from './api.answer.js';
import { AGGREGATED_TYPE, DiscoveryDocuments } from './discovery.documents.js';
import { KubernetesStatusError } from './kubernetes-status.error.js';
import type { KubernetesCluster } from './kubernetes.cluster.js';
import { readBody } from './request.body.js';
import { attributesOf, requestInfo } from './request.info.js';
import { ResourceHandler } from './resource.handler.js';

const GIT_COMMIT = '$Format:%H$';
const BUILD = {
  gitTreeState: '',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: 'go1.23.5',
  compiler: 'gc',
  platform: 'linux/amd64',
};
const HEALTH_PATHS: readonly string[] = ['/healthz', '/livez', '/readyz'];

/** The HTTP API of one cluster, for any server of Node. Knows nothing of where it is mounted but the prefix. */
export class KubernetesApi {
  readonly #resources: ResourceHandler;
  readonly #discovery: DiscoveryDocuments;

  constructor(private readonly cluster: KubernetesCluster) {
    this.#resources = new ResourceHandler(cluster);
    this.#discovery = new DiscoveryDocuments(cluster.catalog);
  }

  /**
   * Answers a request. Resolves when the answer is written, or a watch has begun.
   * @param request whose `url` is path and query without the prefix that the API is mounted under
   */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { availability } = this.cluster;
    switch (availability.state) {
      case 'up':
        break;
      case 'slow':
        await delay(availability.delayMs);
        break;
      case 'down':
        request.socket.destroy();
        return;
    }
    const warnings: string[] = [];
    const answer = await this.#answerOrRefuse(request, warnings);
    if (response.destroyed) return;
    send(response, answer, warnings);
  }

  async #answerOrRefuse(request: IncomingMessage, warnings: string[]): Promise<ApiAnswer> {
    try {
      return await this.#answer(request, warnings);
    } catch (error) {
      if (error instanceof KubernetesStatusError) return refused(error);
      throw error;
    }
  }

  async #answer(request: IncomingMessage, warnings: string[]): Promise<ApiAnswer> {
    const url = request.url ?? '/';
    const question = url.indexOf('?');
    const path = question < 0 ? url : url.slice(0, question);
    const parameters = new URLSearchParams(question < 0 ? '' : url.slice(question + 1));
    const user = this.cluster.access.authenticate(bearerToken(request.headers.authorization));
    const info = requestInfo(request.method ?? 'GET', path, parameters);
    this.cluster.access.demand(user, attributesOf(info));
    if (info.type === 'other') return this.#document(request, path);
    return this.#resources.handle({
      info,
      user,
      parameters,
      accept: request.headers.accept,
      userAgent: request.headers['user-agent'],
      body: await readBody(request),
      warnings,
    });
  }

  /** What is not about objects: version, health, discovery, OpenAPI. */
  #document(request: IncomingMessage, rawPath: string): ApiAnswer {
    const path = rawPath.length > 1 ? rawPath.replace(/\/$/, '') : rawPath;
    if (request.method !== 'GET' && request.method !== 'HEAD') return PAGE_NOT_FOUND;
    if (HEALTH_PATHS.some((health) => path === health || path.startsWith(`${health}/`)))
      return { type: 'text', status: 200, text: 'ok' };
    const aggregated = (request.headers.accept ?? '').includes('as=APIGroupDiscoveryList');
    const segments = path.split('/').slice(1);
    const [root, ...rest] = segments;
    switch (root) {
      case 'version':
        return rest.length === 0 ? ok(this.#version()) : PAGE_NOT_FOUND;
      case 'api':
        if (rest.length === 0)
          return aggregated
            ? this.#aggregated('core')
            : ok(this.#discovery.coreVersions(request.headers.host ?? 'localhost'));
        return rest.length === 1 && this.cluster.catalog.hasGroupVersion('', rest[0]!)
          ? ok(this.#discovery.resources('', rest[0]!))
          : PAGE_NOT_FOUND;
      case 'apis':
        if (rest.length === 0) return aggregated ? this.#aggregated('groups') : ok(this.#discovery.groups());
        return this.#group(rest);
      case 'openapi':
        return this.#openApi(rest);
      case '':
        return ok({ paths: ['/api', '/apis', '/healthz', '/livez', '/openapi/v3', '/readyz', '/version'] });
      default:
        return PAGE_NOT_FOUND;
    }
  }

  #group([group = '', version]: string[]): ApiAnswer {
    const { catalog } = this.cluster;
    if (version === undefined) return catalog.hasGroup(group) ? ok(this.#discovery.group(group)) : PAGE_NOT_FOUND;
    return catalog.hasGroupVersion(group, version) ? ok(this.#discovery.resources(group, version)) : PAGE_NOT_FOUND;
  }

  #aggregated(scope: 'core' | 'groups'): ApiAnswer {
    return {
      type: 'json',
      status: 200,
      body: this.#discovery.aggregated(scope),
      contentType: AGGREGATED_TYPE,
      cacheControl: 'public',
    };
  }

  #openApi([version, ...rest]: string[]): ApiAnswer {
    if (version !== 'v3') return PAGE_NOT_FOUND;
    if (rest.length === 0) return ok(this.#discovery.openApiIndex());
    const [root, first, second] = rest;
    const group = root === 'apis' && rest.length === 3 ? first! : '';
    const apiVersion = root === 'apis' ? second : first;
    if (apiVersion === undefined || (root === 'api' && rest.length !== 2)) return PAGE_NOT_FOUND;
    if (!this.cluster.catalog.hasGroupVersion(group, apiVersion)) return PAGE_NOT_FOUND;
    return ok(this.cluster.schemas.openApiV3(group, apiVersion, this.#discovery.servedPaths(group, apiVersion)));
  }

  #version(): Record<string, string> {
    const [, major = '1', minor = ''] = /^v(\d+)\.(\d+)/.exec(this.cluster.version) ?? [];
    return { major, minor, gitVersion: this.cluster.version, gitCommit: GIT_COMMIT, ...BUILD };
  }
}

function bearerToken(header: string | undefined): string | undefined {
  const token = /^Bearer\s+(\S+)$/i.exec(header ?? '')?.[1];
  return token;
}

function send(response: ServerResponse, answer: ApiAnswer, warnings: readonly string[]): void {
  if (warnings.length > 0)
    response.setHeader(
      'warning',
      warnings.map((text) => `299 - ${JSON.stringify(text)}`),
    );
  switch (answer.type) {
    case 'json': {
      const text = `${JSON.stringify(answer.body)}\n`;
      response.writeHead(answer.status, {
        'cache-control': answer.cacheControl ?? 'no-cache, private',
        'content-type': answer.contentType ?? 'application/json',
        'content-length': Buffer.byteLength(text),
      });
      response.end(text);
      return;
    }
    case 'text':
      response.writeHead(answer.status, {
        'cache-control': 'no-cache, private',
        'content-type': 'text/plain; charset=utf-8',
        ...(answer.status === 404 ? { 'x-content-type-options': 'nosniff' } : {}),
      });
      response.end(answer.text);
      return;
    case 'stream':
      answer.start(response);
  }
}
