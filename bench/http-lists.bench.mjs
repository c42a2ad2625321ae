// npm run bench:http: the rate of lists of 100 rows over REST and GraphQL, as ratios to bare Fastify + pg sending the same
// rows, measured in turns in one run on one machine. Needs `npm run build`.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EmbeddedPostgres } from '../dist/libs/database/embedded-postgres.js';

const root = path.resolve(import.meta.dirname, '..');
const TOKEN = 'bench-token-of-one-run';
const [API, BARE, SIMULATOR] = [4611, 4612, 4613];
const ROUNDS = 4;
const ROUND_MS = 3_000;
const CONNECTIONS = 16;

const FLAT = `{ managedClusters(first: 100) { nodes { uid kind id name location subscriptionId resourceGroup clusterUid namespace
  provisioningState health healthReason tags properties freshness { observedAt ageSeconds source } changedAt } } }`;
const NESTED = `{ fleets(first: 20) { nodes { name freshness { ageSeconds }
  members(first: 20) { name group cluster { name kubernetesVersion nodePools { name count vmSize } } } } } }`;

const directory = await mkdtemp(path.join(tmpdir(), 'pilothouse-bench-'));
const postgres = new EmbeddedPostgres({ directory, database: 'bench' });
const children = [];

function start(file, environment, words = []) {
  const child = spawn(process.execPath, [path.join(root, file), ...words], {
    env: { PATH: process.env.PATH, LOG_LEVEL: 'warn', ...environment },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.push(child);
}

async function until(look) {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline;) {
    if (await look().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('Something did not get ready');
}

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

function send({ port, path: route, body }) {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${TOKEN}`, ...(body && { 'content-type': 'application/json' }) };
    const call = request(
      { host: '127.0.0.1', port, path: route, agent, headers, method: body ? 'POST' : 'GET' },
      (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('end', () => resolve({ status: answer.statusCode, text: Buffer.concat(chunks).toString('utf8') }));
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

async function rate(target) {
  const end = performance.now() + ROUND_MS;
  let count = 0;
  const began = performance.now();
  const client = async () => {
    while (performance.now() < end) {
      const { status } = await send(target);
      if (status !== 200) throw new Error(`${target.path} answered ${status}`);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, client));
  return (count * 1000) / (performance.now() - began);
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
  };
  start('dist/apps/simulator/main.js', { SIMULATOR_PORT: String(SIMULATOR), SIMULATOR_THROTTLE_SCALE: '0' }, [
    '--generate',
    'clusters=400,fleets=20,members=400,pools=2,subscriptions=1',
  ]);
  start('dist/apps/api/main.js', house);
  await until(async () => (await send({ port: API, path: '/readyz' })).status === 200);
  start('dist/apps/worker/main.js', house);
  start('bench/bare-server.mjs', { DATABASE_URL: url, PORT: String(BARE) });
  await until(
    async () => JSON.parse((await send({ port: API, path: '/v1/resources?limit=1' })).text).partial === false,
  );
  await until(async () => (await send({ port: BARE, path: '/rows' })).status === 200);

  const targets = {
    'bare Fastify + pg, 100 rows': { port: BARE, path: '/rows' },
    'REST, 100 rows, raw': { port: API, path: '/v1/resources?kind=ManagedCluster&limit=100' },
    'REST, 100 rows, typed': { port: API, path: '/v1/managed-clusters?limit=100' },
    'GraphQL, 100 rows': { port: API, path: '/graphql', body: JSON.stringify({ query: FLAT }) },
    'GraphQL, 20 fleets -> members -> cluster -> pools': {
      port: API,
      path: '/graphql',
      body: JSON.stringify({ query: NESTED }),
    },
  };
  for (const [name, target] of Object.entries(targets)) {
    const { status, text } = await send(target);
    console.log(`${name}: ${status}, ${text.length} bytes`);
  }
  const rates = Object.fromEntries(Object.keys(targets).map((name) => [name, []]));
  for (const target of Object.values(targets)) await rate(target);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, target] of Object.entries(targets)) rates[name].push(await rate(target));
  }
  const median = (values) => values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)];
  const bare = median(rates['bare Fastify + pg, 100 rows']);
  for (const [name, values] of Object.entries(rates)) {
    console.log(`${(median(values) / bare).toFixed(2)} x bare  (${median(values).toFixed(0)}/s)  ${name}`);
  }
} finally {
  const ended = children.map((child) => new Promise((resolve) => child.once('exit', resolve)));
  for (const child of children) child.kill('SIGTERM');
  await Promise.all(ended);
  agent.destroy();
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}
