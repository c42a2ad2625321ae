import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePorts } from './stack.js';

const root = path.resolve(import.meta.dirname, '../..');
const TIMEOUT_MS = 60_000;

/** The command of the README, after install and build. */
class QuickStart {
  readonly process: ChildProcess;
  output = '';

  constructor(
    data: string,
    readonly apiPort: number,
    simulatorPort: number,
    token?: string,
  ) {
    this.process = spawn(process.execPath, [path.join(root, 'dist/apps/quickstart/main.js')], {
      cwd: root,
      env: {
        PATH: process.env.PATH,
        PILOTHOUSE_DATA: data,
        PORT: String(apiPort),
        SIMULATOR_PORT: String(simulatorPort),
        SIMULATOR_LRO_SECONDS: '0.5',
        ...(token === undefined ? {} : { PILOTHOUSE_TOKEN: token }),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.process.stdout!, this.process.stderr!]) {
      stream.on('data', (chunk: Buffer) => {
        this.output += chunk.toString('utf8');
      });
    }
  }

  async until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
    const deadline = Date.now() + TIMEOUT_MS;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (Date.now() > deadline || this.process.exitCode !== null) throw new Error(`No ${what}:\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async ready(): Promise<string> {
    return this.until('greeting', async () => /Token\s+(\S+)/.exec(this.output)?.[1]);
  }

  // Read as a user of the API reads it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async get(route: string, token: string): Promise<any> {
    const answer = await fetch(`http://127.0.0.1:${this.apiPort}${route}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return answer.json();
  }

  async end(signal: 'SIGINT' | 'SIGKILL'): Promise<number | null> {
    const exited = new Promise<number | null>((resolve) => this.process.once('exit', (code) => resolve(code)));
    this.process.kill(signal);
    return exited;
  }
}

/** The processes on this machine whose command line or environment names the directory. */
async function processesOf(directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    const read = (file: string): Promise<string> => readFile(`/proc/${entry}/${file}`, 'utf8').catch(() => '');
    const [commandLine, environment] = [await read('cmdline'), await read('environ')];
    if (commandLine.includes(directory) || environment.includes(directory))
      found.push(commandLine.replaceAll('\0', ' '));
  }
  return found;
}

describe('the quick start', () => {
  let data: string;
  let ports: number[];
  let latest: QuickStart | undefined;

  beforeAll(async () => {
    data = await mkdtemp(path.join(tmpdir(), 'pilothouse-quickstart-'));
    ports = await freePorts(2);
  });

  afterAll(async () => {
    if (latest?.process.exitCode === null) await latest.end('SIGINT');
    await rm(data, { recursive: true, force: true });
  }, TIMEOUT_MS);

  const start = (token?: string): QuickStart => {
    latest = new QuickStart(data, ports[0]!, ports[1]!, token);
    return latest;
  };
  const fleets = (stack: QuickStart, token: string): Promise<string[]> =>
    stack.until('fleets', async () => {
      const { items, partial } = await stack.get('/v1/fleets', token);
      return partial === false && items.length > 0 ? items.map((item: { name: string }) => item.name) : undefined;
    });

  it(
    'serves, stops altogether on Ctrl-C, finds its data again, and cleans up after a kill',
    async () => {
      const first = start();
      const token = await first.ready();
      expect(await fleets(first, token)).toEqual(['aks-fleet01']);
      const created = await fetch(`http://127.0.0.1:${first.apiPort}/v1/operations`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          type: 'fleet.create',
          input: {
            subscriptionId: '5a7c0e8b-3f1d-4c62-9b0e-7d2f6a41c8e3',
            resourceGroup: 'demo_aks_fleetmng',
            name: 'kept',
            location: 'eastus',
            hub: false,
          },
        }),
      });
      const { id } = (await created.json()) as { id: string };
      await first.until('fleet', async () => {
        const { status } = await first.get(`/v1/operations/${id}`, token);
        return status === 'Succeeded' ? true : undefined;
      });
      expect(await first.end('SIGINT')).toBe(0);
      expect(await processesOf(data)).toEqual([]);

      const second = start();
      expect(await second.ready()).toBe(token);
      expect((await second.get(`/v1/operations/${id}`, token)).status).toBe('Succeeded');
      expect((await fleets(second, token)).sort()).toEqual(['aks-fleet01', 'kept']);
      await second.end('SIGKILL');

      const third = start('chosen-by-the-user');
      expect(await third.ready()).toBe('chosen-by-the-user');
      expect((await fleets(third, 'chosen-by-the-user')).sort()).toEqual(['aks-fleet01', 'kept']);
      expect((await third.get('/v1/fleets', token)).code).toBe('UNAUTHENTICATED');
      expect(await third.end('SIGINT')).toBe(0);
      expect(await processesOf(data)).toEqual([]);
    },
    4 * TIMEOUT_MS,
  );
});
