import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { delay } from '#libs/kernel/clock.js';
import { EmbeddedPostgres } from '#libs/database/embedded-postgres.js';
import { chooseEstate } from './estate.choice.js';

/*
 * Everything on one machine: an embedded Postgres, the simulator, the API and a worker, each a process of its own, held
 * together by this one. Data lies under .data/ and is found again by the next start. An argument names the estate to begin with:
 * npm run quickstart -- scenario-b
 */

const START_TIMEOUT_MS = 60_000;
const FIRST_SYNC_MS = 15_000;
const STOP_TIMEOUT_MS = 15_000;
/** A process that dies is started again; one that keeps dying is not. */
const RESTARTS = 10;
const RESTART_WINDOW_MS = 120_000;

const apps = path.resolve(import.meta.dirname, '..');
const estate = estateOrExit();
/** An estate that was asked for has its own data: what became of another would be found instead of it. */
const data = path.resolve(process.env.PILOTHOUSE_DATA ?? path.join('.data', estate?.name ?? ''));
const apiPort = Number(process.env.PORT ?? 3000);
const simulatorPort = Number(process.env.SIMULATOR_PORT ?? 3100);
const apiUrl = `http://127.0.0.1:${apiPort}`;
const simulatorUrl = `http://127.0.0.1:${simulatorPort}`;

interface Service {
  name: string;
  environment: Record<string, string>;
  healthUrl: string;
  process?: ChildProcess;
  /** Has been healthy once: from then on it is started again when it dies. */
  ready: boolean;
  deaths: number[];
}

let stopping: Promise<void> | undefined;
const services: Service[] = [];
const postgres = new EmbeddedPostgres({ directory: path.join(data, 'postgres'), database: 'pilothouse' });

async function start(): Promise<void> {
  await mkdir(data, { recursive: true });
  await beTheOnlyOne();
  for (const port of [apiPort, simulatorPort]) await requireFreePort(port);
  const token = process.env.PILOTHOUSE_TOKEN ?? (await kept('token', () => randomBytes(24).toString('base64url')));
  const signingKey = await kept('audit-signing-key.pem', () =>
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  );
  const encryptionKey = await kept('encryption-key', () => randomBytes(32).toString('base64'));
  const began = Date.now();
  const [url] = await Promise.all([
    postgres.start(),
    launch({
      name: 'simulator',
      environment: {
        SIMULATOR_PORT: String(simulatorPort),
        ...(estate === undefined ? {} : { SIMULATOR_ESTATE: estate.file }),
        SIMULATOR_STATE_FILE: process.env.SIMULATOR_STATE_FILE ?? path.join(data, 'simulator.json'),
      },
      healthUrl: `${simulatorUrl}/_simulator/health`,
      ready: false,
      deaths: [],
    }),
  ]);
  const environment = {
    // What the user sets goes before what suits the simulator.
    ARM_ENDPOINT: simulatorUrl,
    ARM_TOKEN: 'simulator',
    ARM_POLL_SECONDS: '1',
    SYNC_INTERVAL_SECONDS: '10',
    RESOURCE_GRAPH_LAG_SECONDS: '15',
    WORKER_PORT: '0',
    LOG_LEVEL: 'warn',
    AUDIT_SIGNING_KEY: signingKey,
    ENCRYPTION_KEYS: encryptionKey,
    ...given(process.env),
    PORT: String(apiPort),
    PILOTHOUSE_TOKEN: token,
    DATABASE_URL: url.reveal(),
  };
  const healthUrl = `${apiUrl}/readyz`;
  await Promise.all(
    ['api', 'worker'].map((name) => launch({ name, environment, healthUrl, ready: false, deaths: [] })),
  );
  await firstSync(token);
  keepDatabase().catch((error: unknown) => {
    console.error(Error.isError(error) ? error.message : error);
    void stop(1);
  });
  console.log(greeting(token, await firstCluster(), Date.now() - began));
}

/** The first answers should not be empty; an estate that cannot be seen completely must not keep the greeting back. */
async function firstSync(token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}` };
  for (const deadline = Date.now() + FIRST_SYNC_MS; Date.now() < deadline && !isStopping();) {
    const answer = await fetch(`${apiUrl}/v1/resources?kind=ManagedCluster,AgentPool,Fleet,FleetMember&limit=1`, {
      headers,
      signal: AbortSignal.timeout(5_000),
    });
    if ((await answer.text()).includes('"partial":false')) return;
    await delay(100);
  }
}

/** A database that ended by itself comes back at the same address; the others wait for it. */
async function keepDatabase(): Promise<void> {
  while (stopping === undefined) {
    await postgres.exited();
    if (isStopping()) return;
    console.error('The database ended unexpectedly.');
    await postgres.start();
  }
}

function isStopping(): boolean {
  return stopping !== undefined;
}

async function launch(service: Service): Promise<void> {
  services.push(service);
  spawnService(service);
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(service.healthUrl))) {
    if (stopping !== undefined) return;
    if (Date.now() > deadline)
      throw new Error(`The ${service.name} did not get ready within ${START_TIMEOUT_MS / 1000} s`);
    await delay(100);
  }
  service.ready = true;
}

function spawnService(service: Service): void {
  if (stopping !== undefined) return;
  // A process group of its own: Ctrl-C reaches only this process, which then stops the others in order.
  const child = spawn(process.execPath, ['--enable-source-maps', path.join(apps, service.name, 'main.js')], {
    detached: true,
    env: { ...process.env, ...service.environment },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  service.process = child;
  child.once('exit', (code, signal) => {
    if (stopping !== undefined) return;
    const now = Date.now();
    service.deaths = [...service.deaths.filter((at) => at > now - RESTART_WINDOW_MS), now];
    console.error(`The ${service.name} ended unexpectedly (${signal ?? `code ${String(code)}`}).`);
    if (!service.ready || service.deaths.length > RESTARTS) void stop(1);
    // What it stands on may be coming back: a restart of the database takes a moment.
    else setTimeout(() => spawnService(service), Math.min(250 * 2 ** service.deaths.length, 10_000));
  });
}

/** The last started stops first: nothing loses what it stands on. */
async function stop(code: number): Promise<void> {
  stopping ??= (async () => {
    for (const service of services.toReversed()) await stopService(service);
    await postgres.stop();
  })();
  await stopping;
  process.exit(code);
}

/** Two at once on the same data would stop each other's database. */
async function beTheOnlyOne(): Promise<void> {
  const file = path.join(data, 'quickstart.pid');
  const pid = Number.parseInt(await readFile(file, 'utf8').catch(() => ''), 10);
  if (Number.isInteger(pid) && pid !== process.pid && (await isQuickStart(pid))) {
    throw new Error(`It is already running on ${data} (process ${pid}).`);
  }
  await writeFile(file, String(process.pid));
}

async function isQuickStart(pid: number): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return commandLine.includes('quickstart');
}

async function requireFreePort(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', () =>
      reject(new Error(`Port ${port} of 127.0.0.1 is taken; PORT and SIMULATOR_PORT choose others.`)),
    );
    server.listen(port, '127.0.0.1', resolve);
  });
  await new Promise((resolve) => server.close(resolve));
}

async function stopService(service: Service): Promise<void> {
  const child = service.process;
  if (child?.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  child.kill('SIGTERM');
  await exited;
  clearTimeout(force);
}

/** Made once, then the same at every start. */
async function kept(name: string, make: () => string): Promise<string> {
  const file = path.join(data, name);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (!Error.isError(error) || !('code' in error) || error.code !== 'ENOENT') throw error;
    const value = make();
    await writeFile(file, value, { mode: 0o600 });
    return value;
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch (error) {
    // Not listening yet.
    if (Error.isError(error)) return false;
    throw error;
  }
}

function given(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).filter((entry): entry is [string, string] => !!entry[1]));
}

function estateOrExit(): ReturnType<typeof chooseEstate> {
  try {
    return chooseEstate(process.argv.slice(2), path.join(apps, 'simulator', 'estates'));
  } catch (error) {
    if (!Error.isError(error)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}

/** The name of a cluster that answers, for the example; undefined where the estate has none. */
async function firstCluster(): Promise<string | undefined> {
  const answer = await fetch(`${simulatorUrl}/_simulator/kubernetes`, { signal: AbortSignal.timeout(5_000) });
  const { clusters } = (await answer.json()) as { clusters: { name: string; api: string }[] };
  return clusters.find(({ api }) => api === 'up')?.name;
}

function greeting(token: string, cluster: string | undefined, milliseconds: number): string {
  const kubectl =
    cluster === undefined
      ? ''
      : `  kubectl     npm run --silent kubeconfig -- ${cluster} > kubeconfig; kubectl --kubeconfig kubeconfig get nodes\n`;
  return `
Pilothouse is ready (${(milliseconds / 1000).toFixed(1)} s).

  API         ${apiUrl}/v1/resources
  GraphQL     ${apiUrl}/graphql      in the browser: ${apiUrl}/graphiql
  REST docs   ${apiUrl}/docs
  Simulator   ${simulatorUrl}
${kubectl}  Token       ${token}

  curl -s ${apiUrl}/graphql -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' \\
    -d '{"query":"{ resources(first: 20) { nodes { kind name health freshness { ageSeconds source } } partial } }"}'

Data is kept in ${data}. Ctrl-C stops everything.
`;
}

process.on('SIGINT', () => void stop(0));
process.on('SIGTERM', () => void stop(0));

start().catch((error: unknown) => {
  console.error(Error.isError(error) ? error.message : error);
  void stop(1);
});
