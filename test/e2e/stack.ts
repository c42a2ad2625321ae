import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from '@jest/globals';
import { EmbeddedPostgres } from '#libs/database/embedded-postgres.js';

const root = path.resolve(import.meta.dirname, '../..');
const START_TIMEOUT_MS = 120_000;
const WAIT_TIMEOUT_MS = 45_000;
const POLL_MS = 100;

export type ServiceName = 'simulator' | 'api' | 'worker' | 'second-worker';

const PROGRAMS = { simulator: 'simulator', api: 'api', worker: 'worker', 'second-worker': 'worker' } as const;

export interface Answer {
  status: number;
  headers: Headers;
  // What the API answers is untyped here on purpose: a test reads it as its users do.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  body: any;
}

export interface RequestOptions {
  method?: string;
  body?: unknown;
  /** Sent as it is. */
  text?: string;
  headers?: Record<string, string>;
  token?: string | null;
}

/** The built stack as processes of its own, on free ports with a database of its own, for one test file. */
export class Stack {
  readonly adminToken = randomBytes(24).toString('hex');
  readonly viewerToken = randomBytes(24).toString('hex');
  readonly #services = new Map<ServiceName, ChildProcess>();
  readonly #environments = new Map<ServiceName, Record<string, string>>();
  readonly #output: string[] = [];

  private constructor(
    private readonly directory: string,
    readonly postgres: EmbeddedPostgres,
    readonly apiPort: number,
    readonly simulatorPort: number,
  ) {}

  /** @param environment goes to every process, before what the stack itself sets. */
  static async start(environment: Record<string, string> = {}): Promise<Stack> {
    const directory = await mkdtemp(path.join(tmpdir(), 'pilothouse-e2e-'));
    const postgres = new EmbeddedPostgres({
      directory: path.join(directory, 'postgres'),
      database: 'pilothouse',
      throwAway: true,
    });
    const [apiPort, simulatorPort] = await freePorts(2);
    const stack = new Stack(directory, postgres, apiPort!, simulatorPort!);
    try {
      await stack.#boot(environment);
      return stack;
    } catch (error) {
      const output = stack.#output.join('');
      await stack.stop();
      throw new Error(`The stack did not start:\n${output}`, { cause: error });
    }
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.apiPort}`;
  }

  get simulatorUrl(): string {
    return `http://127.0.0.1:${this.simulatorPort}`;
  }

  /** What the processes wrote: logs must not hold secrets, and explain a failed test. */
  get output(): string {
    return this.#output.join('');
  }

  async api(route: string, options: RequestOptions = {}): Promise<Answer> {
    const { token = this.adminToken } = options;
    return request(`${this.apiUrl}${route}`, {
      ...options,
      headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...options.headers },
    });
  }

  async graphql(query: string, variables: Record<string, unknown> = {}, options: RequestOptions = {}): Promise<Answer> {
    return this.api('/graphql', { method: 'POST', body: { query, variables }, ...options });
  }

  /** The simulator's own control interface, below /_simulator. */
  async simulator(route: string, options: RequestOptions = {}): Promise<Answer> {
    return request(`${this.simulatorUrl}/_simulator${route}`, options);
  }

  /** Azure as it is, past Pilothouse. */
  async azure(route: string, options: RequestOptions = {}): Promise<Answer> {
    return request(`${this.simulatorUrl}${route}`, {
      ...options,
      headers: { authorization: 'Bearer someone-else', ...options.headers },
    });
  }

  /** The requests of one method to a path that Azure has seen, oldest first. */
  async azureRequests(
    method: string,
    pathPattern: RegExp,
  ): Promise<{ method: string; path: string; status: number }[]> {
    const { body } = await this.simulator('/requests');
    const requests = body.requests as { method: string; path: string; status: number }[];
    return requests.filter((entry) => entry.method === method && pathPattern.test(entry.path));
  }

  async startOperation(type: string, input: Record<string, unknown>, key?: string): Promise<Answer> {
    return this.api('/v1/operations', {
      method: 'POST',
      body: { type, input },
      headers: key === undefined ? {} : { 'idempotency-key': key },
    });
  }

  /** Follows an operation to its end. */
  async endOf(operationId: string): Promise<Answer['body']> {
    return this.until(`the end of operation ${operationId}`, async () => {
      const { body } = await this.api(`/v1/operations/${operationId}`);
      return ['Succeeded', 'Failed', 'Canceled'].includes(body.status) ? body : undefined;
    });
  }

  /** Starts an operation, and tells what became of it. */
  async ended(type: string, input: Record<string, unknown>): Promise<Answer['body']> {
    const accepted = await this.startOperation(type, input);
    expect(accepted).toMatchObject({ status: 202 });
    return this.endOf(accepted.body.id);
  }

  /** An operation that has to succeed. */
  async does(type: string, input: Record<string, unknown>): Promise<Answer['body']> {
    const operation = await this.ended(type, input);
    expect(operation).toMatchObject({ type, status: 'Succeeded', error: null });
    return operation;
  }

  /** What a query that has to be without errors answers. */
  async asks(query: string): Promise<Answer['body']> {
    const { body } = await this.graphql(query);
    expect(body.errors).toBeUndefined();
    return body.data;
  }

  /** Looks again and again until there is something, and says what was waited for when it does not come. */
  async until<T>(what: string, look: () => Promise<T | undefined | false>, timeoutMs = WAIT_TIMEOUT_MS): Promise<T> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      if (Date.now() > deadline) throw new Error(`Waited in vain for ${what}\n${this.#events().slice(-4_000)}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** What the processes wrote, requests left out. */
  #events(): string {
    return this.output
      .split('\n')
      .filter((line) => !line.includes('"msg":"request"'))
      .join('\n');
  }

  /** Stops a process where it stands, or lets it go on. */
  freeze(name: ServiceName, signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#services.get(name)?.kill(signal);
  }

  isRunning(name: ServiceName): boolean {
    const child = this.#services.get(name);
    return child?.exitCode === null && child.signalCode === null;
  }

  /** Ends a process, and resolves when it has ended. */
  async kill(name: ServiceName, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#services.get(name);
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    await exited;
  }

  /** Starts a process (again). */
  async run(name: ServiceName, environment: Record<string, string> = {}): Promise<void> {
    const merged = { ...this.#environments.get(name), ...environment };
    this.#environments.set(name, merged);
    const child = spawn(
      process.execPath,
      ['--enable-source-maps', path.join(root, 'dist', 'apps', PROGRAMS[name], 'main.js')],
      {
        env: { PATH: process.env.PATH, ...merged },
        cwd: this.directory,
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => this.#output.push(`[${name}] ${chunk.toString('utf8')}`));
    }
    this.#services.set(name, child);
    const url = name === 'simulator' ? `${this.simulatorUrl}/_simulator/health` : `${this.apiUrl}/readyz`;
    // The worker is ready when work gets done, which tests see by themselves.
    if (PROGRAMS[name] === 'worker') return;
    await this.until(
      `the ${name}`,
      async () => {
        if (child.exitCode !== null) throw new Error(`The ${name} ended with code ${child.exitCode}`);
        return fetch(url).then(
          (answer) => answer.ok,
          () => false,
        );
      },
      START_TIMEOUT_MS,
    );
  }

  async stop(): Promise<void> {
    for (const name of ['second-worker', 'worker', 'api', 'simulator'] as const) await this.kill(name, 'SIGTERM');
    await this.postgres.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  async #boot(environment: Record<string, string>): Promise<void> {
    const url = await this.postgres.start();
    this.#environments.set('simulator', {
      SIMULATOR_LRO_SECONDS: '1',
      SIMULATOR_INDEX_LAG_SECONDS: '0.5',
      ...environment,
      SIMULATOR_PORT: String(this.simulatorPort),
    });
    const signingKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const house = {
      ARM_ENDPOINT: this.simulatorUrl,
      ARM_TOKEN: 'end-to-end',
      ARM_POLL_SECONDS: '0.3',
      SYNC_INTERVAL_SECONDS: '2',
      RESOURCE_GRAPH_LAG_SECONDS: '3',
      OPERATION_BACKOFF_SECONDS: '2',
      AUDIT_CHECKPOINT_SECONDS: '1',
      LOG_LEVEL: 'info',
      WORKER_PORT: '0',
      ...environment,
      AUDIT_SIGNING_KEY: signingKey,
      DATABASE_URL: url.reveal(),
      PORT: String(this.apiPort),
      PILOTHOUSE_TOKEN: this.adminToken,
      PILOTHOUSE_VIEWER_TOKEN: this.viewerToken,
    };
    this.#environments.set('api', house);
    this.#environments.set('worker', house);
    this.#environments.set('second-worker', house);
    await this.run('simulator');
    await this.run('api');
    await this.run('worker');
    await this.until(
      'the first complete sync',
      async () => {
        // What is in clusters is not waited for: a hub refuses to show it for as long as nobody has given us its role.
        const { status, body } = await this.api(
          '/v1/resources?limit=1&kind=ManagedCluster,AgentPool,Fleet,FleetMember,ConnectedCluster',
        );
        return status === 200 && body.partial === false && body.items.length > 0;
      },
      START_TIMEOUT_MS,
    );
  }
}

async function request(url: string, options: RequestOptions): Promise<Answer> {
  const payload = options.text ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  const answer = await fetch(url, {
    method: options.method ?? 'GET',
    headers: { ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers },
    ...(payload === undefined ? {} : { body: payload }),
  });
  const text = await answer.text();
  const isJson = (answer.headers.get('content-type') ?? '').includes('json');
  return { status: answer.status, headers: answer.headers, body: isJson && text !== '' ? JSON.parse(text) : text };
}

/** All are held until the last is found, so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  return Promise.all(
    servers.map(async (server) => {
      const address = server.address();
      await new Promise((resolve) => server.close(resolve));
      if (address === null || typeof address === 'string') throw new Error('No port is free');
      return address.port;
    }),
  );
}
