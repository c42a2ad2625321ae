// npm run bench:operations: 1,000 operations in flight on one worker: how long it takes to accept and to start them, the
// memory of the worker, and how long after a SIGKILL its successor has taken every one of them up again.
import { spawn } from 'node:child_process';
import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { EmbeddedPostgres } from '../dist/libs/database/embedded-postgres.js';

const root = path.resolve(import.meta.dirname, '..');
const TOKEN = 'bench-token-of-one-run';
const [API, SIMULATOR] = [4621, 4622];
const OPERATIONS = Number(process.env.BENCH_OPERATIONS ?? 1_000);
const ASKED_AT_ONCE = 16;
const PATIENCE_MS = 600_000;
/** In Azure each operation takes longer than the bench. */
const LONG_RUN_SECONDS = 3_600;

const directory = await mkdtemp(path.join(tmpdir(), 'pilothouse-bench-'));
const postgres = new EmbeddedPostgres({ directory, database: 'bench' });
const children = new Set();

function start(file, environment, words = []) {
  const child = spawn(process.execPath, [path.join(root, file), ...words], {
    env: { PATH: process.env.PATH, LOG_LEVEL: 'warn', ...environment },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function until(what, look) {
  for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline;) {
    if (await look().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`Waited in vain for ${what}`);
}

const seconds = (from, to = performance.now()) => `${((to - from) / 1000).toFixed(1)} s`;
const call = (route, options = {}) =>
  fetch(`http://127.0.0.1:${API}${route}`, {
    ...options,
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
  });

/** Resident memory of a process in MiB, as Linux counts it. */
async function memoryOf(child) {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)[1]) / 1024);
}

try {
  const url = (await postgres.start()).reveal();
  const house = {
    DATABASE_URL: url,
    PILOTHOUSE_TOKEN: TOKEN,
    PORT: String(API),
    ARM_ENDPOINT: `http://127.0.0.1:${SIMULATOR}`,
    ARM_TOKEN: 'bench',
    WORKER_PORT: '0',
    SYNC_INTERVAL_SECONDS: '3600',
    WATCH_CONCURRENCY: '0',
  };
  start(
    'dist/apps/simulator/main.js',
    {
      SIMULATOR_PORT: String(SIMULATOR),
      SIMULATOR_THROTTLE_SCALE: '0',
      SIMULATOR_LRO_SECONDS: String(LONG_RUN_SECONDS),
    },
    ['--generate', `clusters=${OPERATIONS},fleets=1,members=0,pools=1`],
  );
  start('dist/apps/api/main.js', house);
  await until('the API', async () => (await call('/readyz')).ok);
  let worker = start('dist/apps/worker/main.js', house);
  const pools = [];
  await until('the first sync', async () => {
    const { partial } = await (await call('/v1/agent-pools?limit=1')).json();
    return partial === false;
  });
  for (let cursor = ''; cursor !== null;) {
    const page = await (await call(`/v1/agent-pools?limit=500${cursor}`)).json();
    pools.push(...page.items.map(({ id, properties }) => ({ id, count: properties.count })));
    cursor = page.nextCursor === null ? null : `&cursor=${encodeURIComponent(page.nextCursor)}`;
  }
  const idle = await memoryOf(worker);

  const began = performance.now();
  const queue = pools.slice(0, OPERATIONS);
  const ask = async () => {
    for (let pool = queue.pop(); pool !== undefined; pool = queue.pop()) {
      const input = { nodePool: pool.id, count: pool.count + 1 };
      const body = JSON.stringify({ type: 'aks.nodePool.scale', input });
      const answer = await call('/v1/operations', { method: 'POST', body });
      if (answer.status !== 202) throw new Error(`An operation was answered with ${answer.status}`);
    }
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, ask));
  const accepted = performance.now();

  const database = new Client({ connectionString: url });
  await database.connect();
  const count = async (condition, values = []) => {
    const { rows } = await database.query(`SELECT count(*)::int AS count FROM operation o WHERE ${condition}`, values);
    return rows[0].count;
  };
  // In flight: Azure works on it, and the worker holds the address at which it asks how it goes.
  const inFlight = `EXISTS (SELECT FROM operation_step s WHERE s.operation_id = o.id AND s.resume_token IS NOT NULL)`;
  await until('all to be in flight', async () => (await count(inFlight)) === OPERATIONS);
  const started = performance.now();
  const busy = await memoryOf(worker);
  console.log(
    `${OPERATIONS} operations accepted in ${seconds(began, accepted)}, in flight after ${seconds(began, started)}`,
  );
  console.log(`memory of the worker: ${idle} MiB before, ${busy} MiB with all in flight`);

  await database.query('CREATE TABLE bench_fence AS SELECT id, fence FROM operation');
  const gone = new Promise((resolve) => worker.once('exit', resolve));
  const killed = performance.now();
  worker.kill('SIGKILL');
  await gone;
  worker = start('dist/apps/worker/main.js', house);
  let first;
  await until('all to be taken up again', async () => {
    const taken = await count('EXISTS (SELECT FROM bench_fence b WHERE b.id = o.id AND o.fence > b.fence)');
    if (taken > 0) first ??= performance.now();
    return taken === OPERATIONS;
  });
  console.log(`after a SIGKILL the first was taken up in ${seconds(killed, first)}, all in ${seconds(killed)}`);
  console.log(`memory of the new worker: ${await memoryOf(worker)} MiB`);
  const open = await count('ended_at IS NULL');
  console.log(`${open} of ${OPERATIONS} are still in flight, none was lost`);
  if (open !== OPERATIONS) process.exitCode = 1;
  await database.end();
} finally {
  const ended = [...children].map((child) => new Promise((resolve) => child.once('exit', resolve)));
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(ended);
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}
