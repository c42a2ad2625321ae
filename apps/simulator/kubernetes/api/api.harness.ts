import { KubernetesApi } from './kubernetes.api.js';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ManualClock } from '#libs/kernel/clock.js';
import type { JsonObject } from '#libs/kernel/json.js';
import { KubernetesCluster, type KubernetesClusterOptions } from './kubernetes.cluster.js';

/** The tokens that the specifications know. */
export const ADMIN = 'token-of-the-admin';
export const VIEWER = 'token-of-the-viewer';

export interface ApiResponse {
  status: number;
  headers: Headers;
  body: JsonObject;
  text: string;
}

export interface ApiCall {
  body?: unknown;
  /** The empty string for nobody. */
  token?: string;
  headers?: Record<string, string>;
}

/** A cluster behind a real HTTP server, for specifications. */
export class ApiHarness {
  readonly clock = new ManualClock('2026-11-21T08:00:00Z');
  readonly cluster: KubernetesCluster;
  readonly #server;
  #url = '';

  constructor(options: Partial<KubernetesClusterOptions> = {}) {
    this.cluster = new KubernetesCluster({
      key: 'specified',
      clock: this.clock,
      security: {
        authenticate: (token) => {
          switch (token) {
            case undefined:
              return { name: 'system:anonymous', groups: ['system:unauthenticated'] };
            case ADMIN:
              return { name: 'admin', groups: ['system:masters'] };
            case VIEWER:
              return { name: 'viewer', groups: [] };
            default:
              return undefined;
          }
        },
      },
      ...options,
    });
    const api = new KubernetesApi(this.cluster);
    this.#server = createServer((request, response) => void api.handle(request, response));
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.#url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  async close(): Promise<void> {
    this.cluster.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** As the admin, unless told otherwise. */
  async call(method: string, path: string, call: ApiCall = {}): Promise<ApiResponse> {
    const response = await this.#fetch(method, path, call);
    const text = await response.text();
    const isJson = (response.headers.get('content-type') ?? '').startsWith('application/json');
    const body = isJson && !isStream(path) ? (JSON.parse(text) as JsonObject) : {};
    return { status: response.status, headers: response.headers, body, text };
  }

  /** The lines of a watch as they come; ends when the server ends it. */
  async *watch(path: string, call: ApiCall = {}): AsyncGenerator<{ type: string; object: JsonObject }> {
    const response = await this.#fetch('GET', path, call);
    if (response.status !== 200) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as { type: string; object: JsonObject };
    }
  }

  async #fetch(method: string, path: string, { body, token = ADMIN, headers }: ApiCall): Promise<Response> {
    const sent = new Headers({ accept: 'application/json' });
    if (body !== undefined) sent.set('content-type', 'application/json');
    if (token !== '') sent.set('authorization', `Bearer ${token}`);
    for (const [name, value] of Object.entries(headers ?? {})) sent.set(name, value);
    return fetch(this.#url + path, {
      method,
      headers: sent,
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  }
}

function isStream(path: string): boolean {
  return /[?&]watch=/.test(path);
}
